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
    /// This part of the moment is the value.
    Part(Part),
    /// It is there, or is not.
    Exists,
}

/// A part of a moment, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Minute,
    Hour,
    /// Of the month.
    Day,
    /// Of ISO 8601.
    Week,
    Month,
    Year,
}

/// How a value is written in UTF-16 before it is [`Base64`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Utf16 {
    LittleEndian,
    BigEndian,
    /// The least significant octet first, and a byte order mark in front.
    Marked,
}

/// How a value is written in Base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base64 {
    /// All of what was encoded.
    Whole,
    /// Somewhere in what was encoded.
    Offset,
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
    /// Values are names of fields, whose values are meant.
    pub(super) field: bool,
    /// Values are encoded so before they are compared; UTF-16 only ever with Base64.
    pub(super) utf16: Option<Utf16>,
    pub(super) base64: Option<Base64>,
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
    Field,
    Utf16(Utf16),
    Base64(Base64),
    /// Sigma has it, we do not; why.
    Refused(&'static str),
}

const REGEX: Comparison =
    Comparison::Regex(RegexFlags { ignore_case: false, multi_line: false, dot_all: false });

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
    ("fieldref", Effect::Field),
    ("base64", Effect::Base64(Base64::Whole)),
    ("base64offset", Effect::Base64(Base64::Offset)),
    ("utf16", Effect::Utf16(Utf16::Marked)),
    ("utf16le", Effect::Utf16(Utf16::LittleEndian)),
    ("utf16be", Effect::Utf16(Utf16::BigEndian)),
    ("wide", Effect::Utf16(Utf16::LittleEndian)),
    ("windash", Effect::Refused("there are no command lines on the wire")),
    ("minute", Effect::Compare(Comparison::Part(Part::Minute))),
    ("hour", Effect::Compare(Comparison::Part(Part::Hour))),
    ("day", Effect::Compare(Comparison::Part(Part::Day))),
    ("week", Effect::Compare(Comparison::Part(Part::Week))),
    ("month", Effect::Compare(Comparison::Part(Part::Month))),
    ("year", Effect::Compare(Comparison::Part(Part::Year))),
];

/// Those that are not refused.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let known = MODIFIERS.iter().filter(|(_, effect)| !matches!(effect, Effect::Refused(_)));
    known.map(|(name, _)| *name)
}

/// What is wrong, and what helps.
type Mistake = (String, Option<String>);

impl Modifiers {
    /// No modifier at all.
    pub(super) const NONE: Self = Self {
        comparison: Comparison::Equals,
        all: false,
        cased: false,
        negated: false,
        expand: false,
        field: false,
        utf16: None,
        base64: None,
    };

    /// Reads the words between the bars; `None` after a mistake, which is told.
    pub(super) fn parse(words: &[(&str, Span)], reporter: &mut Reporter<'_>) -> Option<Self> {
        let mut modifiers = Self::NONE;
        let mut right = true;
        let mut tell = |span, found: Result<(), Mistake>| {
            if let Err((message, help)) = found {
                reporter.error_with(span, message, help);
                right = false;
            }
        };
        for &(word, span) in words {
            tell(span, modifiers.apply(word));
        }
        if let Some((_, span)) = words.last() {
            tell(*span, modifiers.check_whole());
        }
        right.then_some(modifiers)
    }

    fn apply(&mut self, word: &str) -> Result<(), Mistake> {
        let Some((_, effect)) = MODIFIERS.iter().find(|(name, _)| *name == word) else {
            let help = did_you_mean(word, MODIFIERS.iter().map(|(name, _)| *name));
            return Err((format!("there is no modifier `{word}`"), help));
        };
        let refuse = |message: String| Err((message, None));
        let before = *self;
        match (*effect, &mut self.comparison) {
            (Effect::Compare(new), old @ Comparison::Equals) => *old = new,
            (Effect::Compare(_), _) => {
                return refuse(format!("`{word}` is one comparison too many: a field has one"));
            }
            (Effect::IgnoreCase, Comparison::Regex(flags)) => flags.ignore_case = true,
            (Effect::MultiLine, Comparison::Regex(flags)) => flags.multi_line = true,
            (Effect::DotAll, Comparison::Regex(flags)) => flags.dot_all = true,
            (Effect::IgnoreCase | Effect::MultiLine | Effect::DotAll, _) => {
                return refuse(format!("`{word}` stands behind `re` only"));
            }
            (Effect::All, _) => self.all = true,
            (Effect::Cased, _) => self.cased = true,
            (Effect::Negate, _) => self.negated = true,
            (Effect::Expand, _) => self.expand = true,
            (Effect::Field, Comparison::Equals) => self.field = true,
            (Effect::Utf16(new), Comparison::Equals) if self.base64.is_none() => {
                if self.utf16.replace(new).is_some() {
                    return refuse(format!("`{word}` is one encoding too many"));
                }
            }
            (Effect::Base64(new), Comparison::Equals) => {
                if self.base64.replace(new).is_some() {
                    return refuse(format!("`{word}` is one encoding too many"));
                }
            }
            // It changes what the comparison is with; another order means something else to others.
            (Effect::Field | Effect::Utf16(_) | Effect::Base64(_), _) => {
                return refuse(format!("`{word}` stands before what is made of its value"));
            }
            (Effect::Refused(why), _) => {
                return Err((format!("`{word}` is not supported"), Some(why.to_owned())));
            }
        }
        match self.contradiction() {
            None => Ok(()),
            Some(message) => {
                *self = before;
                refuse(message.to_owned())
            }
        }
    }

    /// What does not go together.
    fn contradiction(&self) -> Option<&'static str> {
        let is_plain = matches!(
            self.comparison,
            Comparison::Equals
                | Comparison::Contains
                | Comparison::StartsWith
                | Comparison::EndsWith
        );
        let takes_words =
            is_plain || matches!(self.comparison, Comparison::Topic | Comparison::Cidr);
        if self.cased && !is_plain {
            return Some("`cased` means nothing for this comparison");
        }
        if self.all && self.comparison == Comparison::Exists {
            return Some("`exists` has one value, so `all` means nothing");
        }
        if self.expand && (!takes_words || self.field) {
            return Some("`expand` means nothing for this comparison");
        }
        if self.field && !is_plain {
            return Some(
                "`fieldref` has `contains`, `startswith` or `endswith` behind it, or none",
            );
        }
        let is_encoded = self.utf16.is_some() || self.base64.is_some();
        if is_encoded && (!is_plain || self.field) {
            return Some("only text is encoded: this comparison is with something else");
        }
        None
    }

    /// What is missing in the end.
    fn check_whole(&self) -> Result<(), Mistake> {
        let refuse = |message: &str, help: &str| Err((message.to_owned(), Some(help.to_owned())));
        if self.utf16.is_some() && self.base64.is_none() {
            let help = "`base64` or `base64offset` stands behind it";
            return refuse("text in records is UTF-8: UTF-16 is only ever in Base64", help);
        }
        if self.base64 == Some(Base64::Offset) && self.comparison != Comparison::Contains {
            let help = "`contains` stands behind it";
            return refuse("`base64offset` is for what stands somewhere in a text", help);
        }
        Ok(())
    }
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
        let field = Modifiers { field: true, ..contains };
        assert_eq!(parse(&["fieldref", "contains"]), Ok(field));
        let base64 = Some(Base64::Offset);
        let wide = Modifiers { utf16: Some(Utf16::LittleEndian), base64, ..contains };
        assert_eq!(parse(&["wide", "base64offset", "contains"]), Ok(wide));
        let hour = Comparison::Part(Part::Hour);
        assert_eq!(parse(&["hour"]).map(|m| m.comparison), Ok(hour));
        assert_eq!(parse(&["re", "i", "s"]).map(|m| m.comparison), Ok(Comparison::Regex(flags)));
    }

    #[test]
    fn chains_without_meaning() {
        for (words, message) in [
            (&["contians"][..], "did you mean `contains`"),
            (&["contains", "startswith"], "one comparison too many"),
            (&["i"], "behind `re` only"),
            (&["re", "cased"], "means nothing"),
            (&["cased", "cidr"], "means nothing"),
            (&["exists", "all"], "means nothing"),
            (&["lt", "expand"], "means nothing"),
            (&["topic", "contains"], "one comparison too many"),
            (&["topic", "re"], "one comparison too many"),
            (&["topic", "cased"], "means nothing"),
            (&["cased", "topic"], "means nothing"),
            (&["all", "exists"], "means nothing"),
            (&["expand", "lt"], "means nothing"),
            (&["windash"], "not supported (there are no command lines on the wire)"),
            (&["contains", "fieldref"], "stands before"),
            (&["fieldref", "re"], "or none"),
            (&["fieldref", "expand"], "means nothing"),
            (&["base64offset"], "somewhere in a text (`contains` stands behind it)"),
            (&["base64offset", "startswith"], "somewhere in a text"),
            (&["contains", "base64"], "stands before"),
            (&["base64", "wide"], "stands before"),
            (&["base64", "base64offset"], "one encoding too many"),
            (&["wide", "utf16", "base64"], "one encoding too many"),
            (&["wide", "contains"], "only ever in Base64"),
            (&["base64", "re"], "only text is encoded"),
            (&["fieldref", "base64"], "only text is encoded"),
            (&["hour", "gte"], "one comparison too many"),
            (&["hour", "expand"], "means nothing"),
        ] {
            let error = parse(words).expect_err("refused");
            assert!(error.contains(message), "{words:?}: {error}");
        }
    }
}
