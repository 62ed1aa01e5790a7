//! Keywords: text without a field, which may stand in any text of the record as it is written.

use super::Compiler;
use crate::event::{CONTEXT, Kind};
use crate::rule::modifier::{Comparison, Modifiers};
use crate::rule::pattern::Piece;
use crate::rule::predicate::{Expression, FieldId, Ranges, Test, TextTest};
use crate::rule::sigma::{Item, Spanned};
use crate::rule::yaml::{Meaning, Scalar};

/// The field that every record has.
const ALWAYS: &str = "timestamp";
/// The longest address that is written has so many characters, and so many has a moment.
const LONGEST_ADDRESS: usize = 45;
const LONGEST_MOMENT: usize = 31;

impl Compiler<'_, '_> {
    /// Keywords behind modifiers.
    pub(super) fn keywords(&mut self, item: &Item) -> Option<Expression> {
        let modifiers = item.modifiers?;
        let mut keywords = Vec::new();
        for value in &item.values {
            for value in self.expanded(value, modifiers)? {
                keywords.push(self.keyword(&value, modifiers)?);
            }
        }
        let expression = if modifiers.all {
            Expression::all(keywords.iter().map(|tests| self.anywhere(tests)).collect())
        } else {
            self.anywhere(&keywords.concat())
        };
        Some(if modifiers.negated { expression.negated() } else { expression })
    }

    /// What text has the keyword in it.
    pub(super) fn keyword(
        &mut self,
        keyword: &Spanned<Scalar>,
        modifiers: Modifiers,
    ) -> Option<Vec<TextTest>> {
        let comparison = match modifiers.comparison {
            Comparison::Equals | Comparison::Contains => Comparison::Contains,
            Comparison::Regex(flags) => Comparison::Regex(flags),
            _ => {
                return self.wrong(
                    keyword.span,
                    "keywords are found anywhere: this comparison needs a field",
                );
            }
        };
        let is_empty = |text: &str| text.bytes().all(|octet| octet == b'*');
        if keyword.value.meaning == Meaning::Null || is_empty(&keyword.value.text) {
            return self.wrong(keyword.span, "an empty keyword is in every text");
        }
        let scalar = self.word(keyword)?;
        self.text_tests(scalar, Modifiers { comparison, ..modifiers }, keyword.span)
    }

    /// Any text of the record is one of these: a field of text or of names, an address, a moment, or
    /// the type of the record.
    pub(super) fn anywhere(&mut self, tests: &[TextTest]) -> Expression {
        // What is too large for an expression is in no name either.
        let expressions: Vec<_> =
            tests.iter().filter_map(|test| regex::Regex::new(&test.regex()).ok()).collect();
        let is_met = |text: &str| expressions.iter().any(|expression| expression.is_match(text));
        let own = self.schema.paths().map(|(_, path, field)| (false, path, field.kind));
        let of_context = CONTEXT.paths().map(|(_, path, field)| (true, path, field.kind));
        let mut parts = Vec::new();
        for (of_context, path, kind) in own.chain(of_context) {
            let test = match kind {
                Kind::Text | Kind::TopicName | Kind::TopicFilter => Test::Texts(tests.to_owned()),
                Kind::Name(table) => match codes(table, is_met) {
                    Some(codes) => Test::Points(codes),
                    None => continue,
                },
                Kind::Address | Kind::Time => match shown(kind, tests) {
                    Some(tests) => Test::Shown(tests),
                    None => continue,
                },
                // Records show these without quotes: they are no text.
                Kind::Boolean | Kind::Integer | Kind::Range(..) | Kind::Number | Kind::Any => {
                    continue;
                }
            };
            parts.push(self.holds(FieldId::Declared { of_context, path }, test));
        }
        if is_met(self.schema.name)
            && let Some(field) = FieldId::resolve(&CONTEXT, ALWAYS)
        {
            parts.push(self.holds(field, Test::Present));
        }
        Expression::any(parts)
    }
}

/// The codes of names that are met.
fn codes(table: &[&str], is_met: impl Fn(&str) -> bool) -> Option<Ranges<i64>> {
    let met = (0..).zip(table).filter(|(_, name)| !name.is_empty() && is_met(name));
    let met: Vec<_> = met.map(|(code, _)| Ranges::point(code)).collect();
    (!met.is_empty()).then(|| Ranges::any(met))
}

/// Those that an address or a moment may be. What asks for them has no index, so it is worth knowing
/// which words never stand in one.
fn shown(kind: Kind, tests: &[TextTest]) -> Option<Vec<TextTest>> {
    let (longest, others) = match kind {
        Kind::Time => (LONGEST_MOMENT, "tT:.+-"),
        _ => (LONGEST_ADDRESS, "abcdefABCDEF:."),
    };
    let may_be = |test: &&TextTest| match test {
        TextTest::Regex(_) => true,
        TextTest::Pattern { pattern, .. } => pattern.pieces().iter().all(|piece| match piece {
            Piece::Literal(text) => {
                text.len() <= longest
                    && text.chars().all(|c| c.is_ascii_digit() || others.contains(c))
            }
            Piece::Any | Piece::One => true,
        }),
    };
    let shown: Vec<_> = tests.iter().filter(may_be).cloned().collect();
    (!shown.is_empty()).then_some(shown)
}
