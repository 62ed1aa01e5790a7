//! Modifiers: what stands behind a field's name and says how its values are compared.

use super::diagnostic::{Reporter, did_you_mean};
use super::yaml::Span;

/// How a field is compared with the values of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// It is the value; text may have wildcards.
    Equals,
    /// It has the value in it.
    Contains,
    /// It begins with the value.
    StartsWith,
    /// It ends with the value.
    EndsWith,
    /// The regular expression is found in it.
    Regex(RegexFlags),
    /// The address is in the network.
    Cidr,
    /// The number is on this side of the value.
    Order(Order),
    /// The topic filter matches the topic name, or has a name in common with the topic filter.
    Topic,
    /// It is there, or is not.
    Exists,
}

/// The sub-modifiers of `re`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct RegexFlags {
    /// `i`: case does not matter.
    pub(super) ignore_case: bool,
    /// `m`: `^` and `$` stand at every line's ends.
    pub(super) multi_line: bool,
    /// `s`: `.` is also a line feed.
    pub(super) dot_all: bool,
}

/// The side of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Less than.
    Less,
    /// Less than or equal.
    LessOrEqual,
    /// Greater than.
    Greater,
    /// Greater than or equal.
    GreaterOrEqual,
}

/// All modifiers of a field, as one meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Modifiers {
    /// How a value is compared.
    pub(super) comparison: Comparison,
    /// All values must hold, not any.
    pub(super) all: bool,
    /// Case matters.
    pub(super) cased: bool,
    /// The whole must not hold.
    pub(super) negated: bool,
    /// Values have placeholders.
    pub(super) expand: bool,
}

/// What a modifier does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Compare(Comparison),
    IgnoreCase,
    MultiLine,
    DotAll,
    All,
    Cased,
    Negate,
    Expand,
    /// Sigma has it, we do not; why.
    Refused(&'static str),
}

const REGEX: Comparison =
    Comparison::Regex(RegexFlags { ignore_case: false, multi_line: false, dot_all: false });
const ENCODED: &str = "the wire's fields are not encoded; compare them as they are";
const TIMED: &str = "parts of a moment cannot be compared yet";

/// Appendix A of the Sigma specification 2.1, "Value modifiers"; `topic` is ours.
const MODIFIERS: &[(&str, Effect)] = &[
    ("contains", Effect::Compare(Comparison::Contains)),
    ("startswith", Effect::Compare(Comparison::StartsWith)),
    ("endswith", Effect::Compare(Comparison::EndsWith)),
    ("re", Effect::Compare(REGEX)),
    ("cidr", Effect::Compare(Comparison::Cidr)),
    ("lt", Effect::Compare(Comparison::Order(Order::Less))),
    ("lte", Effect::Compare(Comparison::Order(Order::LessOrEqual))),
    ("gt", Effect::Compare(Comparison::Order(Order::Greater))),
    ("gte", Effect::Compare(Comparison::Order(Order::GreaterOrEqual))),
    ("topic", Effect::Compare(Comparison::Topic)),
    ("exists", Effect::Compare(Comparison::Exists)),
    ("i", Effect::IgnoreCase),
    ("ignorecase", Effect::IgnoreCase),
    ("m", Effect::MultiLine),
    ("multiline", Effect::MultiLine),
    ("s", Effect::DotAll),
    ("dotall", Effect::DotAll),
    ("all", Effect::All),
    ("cased", Effect::Cased),
    ("neq", Effect::Negate),
    ("expand", Effect::Expand),
    ("fieldref", Effect::Refused("two fields cannot be compared with each other yet")),
    ("base64", Effect::Refused(ENCODED)),
    ("base64offset", Effect::Refused(ENCODED)),
    ("utf16", Effect::Refused(ENCODED)),
    ("utf16le", Effect::Refused(ENCODED)),
    ("utf16be", Effect::Refused(ENCODED)),
    ("wide", Effect::Refused(ENCODED)),
    ("windash", Effect::Refused("there are no command lines on the wire")),
    ("minute", Effect::Refused(TIMED)),
    ("hour", Effect::Refused(TIMED)),
    ("day", Effect::Refused(TIMED)),
    ("week", Effect::Refused(TIMED)),
    ("month", Effect::Refused(TIMED)),
    ("year", Effect::Refused(TIMED)),
];

impl Modifiers {
    /// No modifier at all.
    pub(super) const NONE: Self = Self {
        comparison: Comparison::Equals,
        all: false,
        cased: false,
        negated: false,
        expand: false,
    };

    /// Reads the words between the bars; `None` after a mistake, which is told.
    pub(super) fn parse(words: &[(&str, Span)], reporter: &mut Reporter<'_>) -> Option<Self> {
        let mut modifiers = Self::NONE;
        let mut right = true;
        for &(word, span) in words {
            if let Err((message, help)) = modifiers.apply(word) {
                reporter.error_with(span, message, help);
                right = false;
            }
        }
        right.then_some(modifiers)
    }

    fn apply(&mut self, word: &str) -> Result<(), (String, Option<String>)> {
        let Some((_, effect)) = MODIFIERS.iter().find(|(name, _)| *name == word) else {
            let help = did_you_mean(word, MODIFIERS.iter().map(|(name, _)| *name));
            return Err((format!("there is no modifier `{word}`"), help));
        };
        let refuse = |message: String| Err((message, None));
        match (*effect, &mut self.comparison) {
            (Effect::Compare(new), old @ Comparison::Equals)
                if !self.cased || can_be_cased(new) =>
            {
                *old = new;
            }
            (Effect::Compare(_), Comparison::Equals) => {
                return refuse(format!("`cased` and `{word}` do not go together"));
            }
            (Effect::Compare(_), _) => {
                return refuse(format!("`{word}` is one comparison too many: a field has one"));
            }
            (Effect::IgnoreCase, Comparison::Regex(flags)) => flags.ignore_case = true,
            (Effect::MultiLine, Comparison::Regex(flags)) => flags.multi_line = true,
            (Effect::DotAll, Comparison::Regex(flags)) => flags.dot_all = true,
            (Effect::IgnoreCase | Effect::MultiLine | Effect::DotAll, _) => {
                return refuse(format!("`{word}` stands behind `re` only"));
            }
            (Effect::All, Comparison::Exists) => {
                return refuse("`exists` has one value, so `all` means nothing".to_owned());
            }
            (Effect::All, _) => self.all = true,
            (Effect::Cased, comparison) if can_be_cased(*comparison) => self.cased = true,
            (Effect::Cased, _) => {
                return refuse("`cased` means nothing for this comparison".to_owned());
            }
            (Effect::Negate, _) => self.negated = true,
            (Effect::Expand, Comparison::Regex(_) | Comparison::Order(_) | Comparison::Exists) => {
                return refuse("`expand` means nothing for this comparison".to_owned());
            }
            (Effect::Expand, _) => self.expand = true,
            (Effect::Refused(why), _) => {
                return Err((format!("`{word}` is not supported"), Some(why.to_owned())));
            }
        }
        Ok(())
    }
}

fn can_be_cased(comparison: Comparison) -> bool {
    matches!(
        comparison,
        Comparison::Equals | Comparison::Contains | Comparison::StartsWith | Comparison::EndsWith
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Source;

    fn parse(words: &[&str]) -> Result<Modifiers, String> {
        let source = Source { name: String::new(), text: String::new() };
        let mut reporter = Reporter::new(&source);
        let spanned: Vec<_> = words.iter().map(|word| (*word, Span { start: 0, end: 0 })).collect();
        let modifiers = Modifiers::parse(&spanned, &mut reporter);
        modifiers.ok_or_else(|| reporter.into_found()[0].to_string())
    }

    #[test]
    fn chains() {
        let contains = Modifiers { comparison: Comparison::Contains, ..Modifiers::NONE };
        assert_eq!(parse(&["contains", "all"]), Ok(Modifiers { all: true, ..contains }));
        assert_eq!(parse(&["cased", "contains"]), Ok(Modifiers { cased: true, ..contains }));
        let flags = RegexFlags { ignore_case: true, dot_all: true, ..RegexFlags::default() };
        let topic = Modifiers { comparison: Comparison::Topic, ..Modifiers::NONE };
        assert_eq!(
            parse(&["topic", "all", "neq", "expand"]),
            Ok(Modifiers { all: true, negated: true, expand: true, ..topic })
        );
        assert_eq!(parse(&["re", "i", "s"]).map(|m| m.comparison), Ok(Comparison::Regex(flags)));
    }

    #[test]
    fn chains_without_meaning() {
        for (words, message) in [
            (&["contians"][..], "did you mean `contains`"),
            (&["contains", "startswith"], "one comparison too many"),
            (&["i"], "behind `re` only"),
            (&["re", "cased"], "means nothing"),
            (&["cased", "cidr"], "do not go together"),
            (&["exists", "all"], "means nothing"),
            (&["lt", "expand"], "means nothing"),
            (&["topic", "contains"], "one comparison too many"),
            (&["topic", "re"], "one comparison too many"),
            (&["topic", "cased"], "means nothing"),
            (&["cased", "topic"], "do not go together"),
            (&["base64offset"], "not supported"),
        ] {
            let error = parse(words).expect_err("refused");
            assert!(error.contains(message), "{words:?}: {error}");
        }
    }
}
