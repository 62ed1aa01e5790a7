//! The condition: how the selections of a rule go together.
//!
//! ```text
//! or      = and *("or" and)
//! and     = not *("and" not)
//! not     = "not" not | "(" or ")" | counted | name
//! counted = ("all" | "any" | number) "of" ("them" | pattern)
//! ```

use super::diagnostic::{Reporter, did_you_mean};
use super::yaml::Span;

/// The deepest nesting of parentheses and negations.
const MAX_DEPTH: usize = 50;
/// The longest condition, in words.
const MAX_WORDS: usize = 2_000;

/// A condition over the selections of a rule, by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// The selection holds.
    Selection(usize),
    /// The inner condition does not hold.
    Not(Box<Condition>),
    /// At least so many of these hold: "and" with all of them, "or" with one.
    AtLeast(usize, Vec<Condition>),
}

impl Condition {
    /// Reads `text`, which stands at `span`, over the selections called `names`. Every mistake is
    /// told; `None` after one.
    pub(super) fn parse(
        text: &str,
        span: Span,
        names: &[(&str, Span)],
        reporter: &mut Reporter<'_>,
    ) -> Option<Self> {
        let mut parser = Parser {
            words: words(text, span, reporter.text()),
            at: 0,
            end: Span { start: span.end.saturating_sub(1).max(span.start), end: span.end },
            names,
            used: vec![false; names.len()],
            reporter,
            right: true,
        };
        let condition = parser.whole();
        if !parser.right {
            return None;
        }
        let used = parser.used;
        let left = names.iter().zip(used).filter(|(_, used)| !used);
        for ((name, at), _) in left.filter(|((name, _), _)| !is_set_aside(name)) {
            let message = format!("the selection `{name}` is not used in the condition");
            reporter.error(*at, message);
        }
        condition
    }

    /// Whether it speaks of this selection.
    pub(super) fn uses(&self, selection: usize) -> bool {
        match self {
            Self::Selection(index) => *index == selection,
            Self::Not(inner) => inner.uses(selection),
            Self::AtLeast(_, parts) => parts.iter().any(|part| part.uses(selection)),
        }
    }

    /// Whether it holds where these selections do.
    #[cfg(test)]
    pub(super) fn holds(&self, selection: &dyn Fn(usize) -> bool) -> bool {
        match self {
            Self::Selection(index) => selection(*index),
            Self::Not(inner) => !inner.holds(selection),
            Self::AtLeast(needed, parts) => {
                parts.iter().filter(|part| part.holds(selection)).count() >= *needed
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    span: Span,
}

/// Words, parentheses and bars. Where the scalar is written over several lines or with escapes,
/// its octets are not those of the file, and every word stands where the condition does.
pub(super) fn words<'t>(text: &'t str, span: Span, source: &str) -> Vec<Word<'t>> {
    let written = source.get(span.start..span.end);
    let base = written.and_then(|written| written.find(text)).map(|offset| span.start + offset);
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let first = rest.chars().next();
        let length = match first {
            None => return words,
            Some('(' | ')' | '|') => 1,
            Some(_) => rest
                .find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '|'))
                .unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(length);
        let offset = text.len() - rest.len();
        let span =
            base.map_or(span, |base| Span { start: base + offset, end: base + offset + length });
        words.push(Word { text: word, span });
        rest = after;
    }
}

struct Parser<'p, 't, 's> {
    words: Vec<Word<'t>>,
    at: usize,
    end: Span,
    names: &'p [(&'p str, Span)],
    used: Vec<bool>,
    reporter: &'p mut Reporter<'s>,
    right: bool,
}

impl<'t> Parser<'_, 't, '_> {
    fn whole(&mut self) -> Option<Condition> {
        if self.words.len() > MAX_WORDS {
            return self.fail(self.end, "the condition is too long", None);
        }
        let condition = self.any(0)?;
        let Some(word) = self.peek() else { return Some(condition) };
        let (message, help) = match word.text {
            "|" => (
                "aggregations in the condition are no part of Sigma any more".to_owned(),
                Some("write a correlation rule".to_owned()),
            ),
            ")" => ("this parenthesis closes nothing".to_owned(), None),
            text => (format!("`and` or `or` is missing in front of `{text}`"), None),
        };
        self.fail(word.span, message, help)
    }

    fn peek(&self) -> Option<Word<'t>> {
        self.words.get(self.at).copied()
    }

    fn next_is(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.text.eq_ignore_ascii_case(keyword));
        self.at += usize::from(found);
        found
    }

    fn fail<T>(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Option<T> {
        self.right = false;
        self.reporter.error_with(span, message, help);
        None
    }

    fn any(&mut self, depth: usize) -> Option<Condition> {
        let mut parts = vec![self.all(depth)?];
        while self.next_is("or") {
            parts.push(self.all(depth)?);
        }
        Some(joined(1, parts))
    }

    fn all(&mut self, depth: usize) -> Option<Condition> {
        let mut parts = vec![self.one(depth)?];
        while self.next_is("and") {
            parts.push(self.one(depth)?);
        }
        Some(joined(parts.len(), parts))
    }

    fn one(&mut self, depth: usize) -> Option<Condition> {
        let Some(word) = self.peek() else {
            return self.fail(self.end, "a selection is missing at the end of the condition", None);
        };
        if depth > MAX_DEPTH {
            return self.fail(word.span, "the condition is nested too deeply", None);
        }
        if self.next_is("not") {
            return Some(Condition::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.next_is("(") {
            let inner = self.any(depth + 1)?;
            if self.next_is(")") {
                return Some(inner);
            }
            let span = self.peek().map_or(self.end, |word| word.span);
            return self.fail(span, "`)` is missing here", None);
        }
        let counted = self.words.get(self.at + 1).is_some_and(|of| of.text == "of");
        self.at += 1;
        if counted { self.counted(word) } else { self.selection(word) }
    }

    fn selection(&mut self, word: Word<'t>) -> Option<Condition> {
        if let Some(index) = self.names.iter().position(|(name, _)| *name == word.text) {
            self.used[index] = true;
            return Some(Condition::Selection(index));
        }
        if matches!(word.text, "and" | "or" | ")" | "|") {
            let message = format!("a selection is missing in front of `{}`", word.text);
            return self.fail(word.span, message, None);
        }
        if word.text.contains('*') {
            let help = Some(format!("write `1 of {0}` or `all of {0}`", word.text));
            return self.fail(word.span, "a pattern needs a number in front", help);
        }
        let help = did_you_mean(word.text, self.names.iter().map(|(name, _)| *name));
        // The rest may have mistakes of its own: go on as if it had been right.
        self.fail::<()>(word.span, format!("there is no selection `{}`", word.text), help);
        Some(Condition::Selection(0))
    }

    fn counted(&mut self, number: Word<'t>) -> Option<Condition> {
        self.at += 1;
        let Some(pattern) = self.peek() else {
            return self.fail(self.end, "`them` or a pattern is missing behind `of`", None);
        };
        self.at += 1;
        let chosen: Vec<usize> = (0..self.names.len())
            .filter(|&index| is_meant(pattern.text, self.names[index].0))
            .collect();
        for index in &chosen {
            self.used[*index] = true;
        }
        if chosen.is_empty() {
            let stem = pattern.text.trim_matches('*');
            let help = did_you_mean(stem, self.names.iter().map(|(name, _)| *name));
            let message = format!("no selection is called `{}`", pattern.text);
            self.fail::<()>(pattern.span, message, help);
            return Some(Condition::Selection(0));
        }
        let needed = match number.text.parse() {
            Ok(count) => count,
            Err(_) if number.text.eq_ignore_ascii_case("all") => chosen.len(),
            Err(_) if number.text.eq_ignore_ascii_case("any") => 1,
            Err(_) => {
                let help = Some("`1`, `any`, `all` or another number stands there".to_owned());
                let message = format!("`{}` is no number of selections", number.text);
                return self.fail(number.span, message, help);
            }
        };
        if !(1..=chosen.len()).contains(&needed) {
            let message =
                format!("{needed} of {} selections: this is always or never so", chosen.len());
            return self.fail(number.span, message, None);
        }
        Some(joined(needed, chosen.into_iter().map(Condition::Selection).collect()))
    }
}

fn joined(needed: usize, mut parts: Vec<Condition>) -> Condition {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            Condition::AtLeast(needed, parts)
        }
        None => Condition::AtLeast(needed, parts),
    }
}

/// Whether a rule may keep the selection without asking for it: Sigma ignores those whose names
/// begin with an underscore, unless the condition names them.
pub(super) fn is_set_aside(name: &str) -> bool {
    name.starts_with('_')
}

/// Whether `of pattern` means the selection: those that are set aside are meant only by patterns
/// that begin as they do.
pub(super) fn is_meant(pattern: &str, name: &str) -> bool {
    if is_set_aside(name) && !pattern.starts_with('_') {
        return false;
    }
    pattern == "them" || glob(pattern.as_bytes(), name.as_bytes())
}

fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut position, mut star) = (0, 0, None);
    while position < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, position));
                at += 1;
            }
            Some(byte) if *byte == name[position] => {
                at += 1;
                position += 1;
            }
            _ => match star {
                // Let the last star take one more octet.
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    position = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Source;

    const NAMES: &[&str] = &["sel_a", "sel_b", "other", "_hidden"];

    fn parse(text: &str) -> Result<Condition, Vec<String>> {
        let source = Source { name: String::new(), text: text.to_owned() };
        let mut reporter = Reporter::new(&source);
        let spans = Span { start: 0, end: 0 };
        let names: Vec<_> = NAMES.iter().map(|name| (*name, spans)).collect();
        let span = Span { start: 0, end: text.len() };
        let condition = Condition::parse(text, span, &names, &mut reporter);
        let found: Vec<_> = reporter
            .into_found()
            .iter()
            .filter(|found| !found.message.contains("not used"))
            .map(ToString::to_string)
            .collect();
        condition.filter(|_| found.is_empty()).ok_or(found)
    }

    fn truth(text: &str, holding: &[usize]) -> bool {
        parse(text).expect(text).holds(&|index| holding.contains(&index))
    }

    #[test]
    fn not_binds_before_and_before_or() {
        assert!(truth("sel_a or sel_b and other", &[0]));
        assert!(!truth("(sel_a or sel_b) and other", &[0]));
        assert!(truth("not sel_a and sel_b", &[1]));
        assert!(!truth("not (sel_a and sel_b) AND other", &[0, 1, 2]));
        assert!(truth("not not sel_a", &[0]));
    }

    #[test]
    fn counts() {
        assert!(truth("1 of sel*", &[1]));
        assert!(!truth("all of sel_*", &[1]));
        assert!(truth("2 of them", &[0, 2]));
        assert!(!truth("2 of them", &[0, 3]), "underscored selections are not meant");
        assert!(truth("any of _*", &[3]));
        assert!(truth("1 of *_b", &[1]));
    }

    #[test]
    fn mistakes_have_their_place() {
        for (text, message) in [
            ("sel_c", ":1:1: there is no selection `sel_c` (did you mean `sel_a`?)"),
            ("sel_a sel_b", ":1:7: `and` or `or` is missing in front of `sel_b`"),
            ("sel_a and", ":1:9: a selection is missing at the end of the condition"),
            ("(sel_a", ":1:6: `)` is missing here"),
            ("sel_a)", ":1:6: this parenthesis closes nothing"),
            ("or sel_a", ":1:1: a selection is missing in front of `or`"),
            ("1 of nothing*", ":1:6: no selection is called `nothing*`"),
            ("5 of them", ":1:1: 5 of 3 selections: this is always or never so"),
            (
                "some of them",
                ":1:1: `some` is no number of selections (`1`, `any`, `all` or another number stands there)",
            ),
            (
                "sel*",
                ":1:1: a pattern needs a number in front (write `1 of sel*` or `all of sel*`)",
            ),
            (
                "sel_a | count() > 5",
                ":1:7: aggregations in the condition are no part of Sigma any more (write a correlation rule)",
            ),
            ("", ":1:1: a selection is missing at the end of the condition"),
        ] {
            assert_eq!(parse(text), Err(vec![message.to_owned()]), "{text}");
        }
        let two = parse("sel_x and sel_y").expect_err("two mistakes");
        assert_eq!(two.len(), 2);
    }

    #[test]
    fn hostile_conditions_end() {
        assert!(parse(&"(".repeat(10_000)).is_err());
        assert!(parse(&"not ".repeat(10_000)).is_err());
        assert!(parse(&"sel_a or ".repeat(10_000)).is_err());
        assert!(!glob("*a".repeat(40).as_bytes(), "a".repeat(30).as_bytes()));
    }
}
