//! From a rule's document to an expression over predicates.
//!
//! [`fields`] finds the fields that a rule names and refuses comparisons that mean nothing for
//! them; [`values`] makes tests of a rule's words, [`encoded`] of those that the wire has in another
//! form; [`direct`] of other fields and of parts of moments; [`placeholders`] fills in what others
//! know.

mod direct;
mod encoded;
mod fields;
mod placeholders;
mod values;

use std::collections::BTreeMap;

pub(super) use fields::{flat_service, in_document};
pub(super) use placeholders::filled;

use super::Placeholders;
use super::condition::Condition;
use super::diagnostic::Reporter;
use super::modifier::{Comparison, Modifiers};
use super::predicate::{Expression, FieldId, Predicate, Predicates, Test};
use super::sigma::{Detection, Item, Selection, Spanned};
use super::yaml::{Meaning, Scalar, Span};
use crate::event::{Kind, Schema};

/// The most predicates that one rule may name, repetitions included.
const MAX_SIZE: usize = 100_000;
/// The most memory that a compiled regular expression may take, in octets.
pub(super) const REGEX_SIZE: usize = 1 << 20;

/// What became of a rule.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is in force.
    Active(Expression),
    /// It waits for this placeholder to be filled.
    Inactive(String),
}

/// What compilation needs to know besides the rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) services: &'a [&'static Schema],
    pub(super) placeholders: &'a Placeholders,
}

/// Compiles a detection over records of `schema`. Every mistake is told; the outcome means
/// nothing after one.
pub(super) fn compile(
    detection: &Detection,
    schema: &'static Schema,
    surroundings: Surroundings<'_>,
    predicates: &mut Predicates,
    reporter: &mut Reporter<'_>,
) -> Option<Outcome> {
    let mut compiler = Compiler {
        schema,
        surroundings,
        predicates,
        reporter,
        unfilled: None,
        list_fields: BTreeMap::new(),
    };
    let selections: Vec<_> =
        detection.selections.iter().map(|selection| compiler.selection(selection)).collect();
    if let Some(placeholder) = compiler.unfilled {
        return Some(Outcome::Inactive(placeholder));
    }
    let selections: Vec<Expression> = selections.into_iter().collect::<Option<_>>()?;
    let condition = detection.condition.as_ref()?;
    let mut budget = MAX_SIZE;
    let joined = join(&condition.value, &selections, &mut budget);
    if joined.is_none() {
        reporter.error(condition.span, "the condition is too large");
    }
    joined.map(Outcome::Active)
}

fn join(
    condition: &Condition,
    selections: &[Expression],
    budget: &mut usize,
) -> Option<Expression> {
    match condition {
        Condition::Selection(index) => {
            let selection = selections.get(*index)?;
            *budget = budget.checked_sub(selection.size())?;
            Some(selection.clone())
        }
        Condition::Not(inner) => Some(join(inner, selections, budget)?.negated()),
        Condition::AtLeast(needed, parts) => {
            let parts: Option<Vec<_>> =
                parts.iter().map(|part| join(part, selections, budget)).collect();
            Some(Expression::at_least(*needed, parts?))
        }
    }
}

/// What one value of a rule asks.
enum Atom {
    Absent,
    Present,
    Test(Test),
}

struct Compiler<'c, 's> {
    schema: &'static Schema,
    surroundings: Surroundings<'c>,
    predicates: &'c mut Predicates,
    reporter: &'c mut Reporter<'s>,
    unfilled: Option<String>,
    /// Which field of each list the rule names, by (of the context, list).
    list_fields: BTreeMap<(bool, u8), (u8, String)>,
}

impl Compiler<'_, '_> {
    fn wrong<T>(&mut self, span: Span, message: impl Into<String>) -> Option<T> {
        self.wrong_with(span, message, None)
    }

    fn wrong_with<T>(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Option<T> {
        self.reporter.error_with(span, message, help);
        None
    }

    fn holds(&mut self, field: FieldId, test: Test) -> Expression {
        Expression::Holds(self.predicates.id(Predicate { field, test }))
    }

    fn selection(&mut self, selection: &Selection) -> Option<Expression> {
        match selection {
            Selection::All(items) => {
                self.check_lists_within(items);
                let parts: Vec<_> = items.iter().map(|item| self.item(item)).collect();
                let parts = parts.into_iter().collect::<Option<_>>()?;
                Some(Expression::all(self.with_bounds_joined(parts)))
            }
            Selection::Any(members) => {
                let parts: Vec<_> = members.iter().map(|member| self.selection(member)).collect();
                parts.into_iter().collect::<Option<_>>().map(Expression::any)
            }
            Selection::Keyword(keyword) => self.keyword(keyword, Modifiers::NONE),
        }
    }

    /// A lower and an upper bound on one field are one range.
    fn with_bounds_joined(&mut self, parts: Vec<Expression>) -> Vec<Expression> {
        let mut joined: Vec<Expression> = Vec::with_capacity(parts.len());
        for part in parts {
            let both = joined.iter_mut().find_map(|other| {
                let test = self.both(other, &part)?;
                Some((other, test))
            });
            match both {
                Some((other, predicate)) => {
                    *other = Expression::Holds(self.predicates.id(predicate));
                }
                None => joined.push(part),
            }
        }
        joined
    }

    fn both(&self, one: &Expression, two: &Expression) -> Option<Predicate> {
        let (Expression::Holds(one), Expression::Holds(two)) = (one, two) else { return None };
        let (one, two) = (self.predicates.get(*one), self.predicates.get(*two));
        if one.field != two.field || one.field.may_have_several() {
            return None;
        }
        let (Test::Points(ranges), Test::Points(others)) = (&one.test, &two.test) else {
            return None;
        };
        Some(Predicate { field: one.field, test: Test::Points(ranges.and(others)) })
    }

    fn item(&mut self, item: &Item) -> Option<Expression> {
        let Some(name) = &item.field else { return self.keywords(item) };
        let field = self.field(name)?;
        self.check_list(field, name);
        let kind = field.kind(self.schema);
        let modifiers = item.modifiers?;
        let atoms = if modifiers.field {
            self.references(field, modifiers, item, name)?
        } else {
            self.check_modifiers(kind, modifiers, name)?;
            self.atoms(kind, modifiers, item, name)?
        };
        let can_hold_together = modifiers.field || can_hold_together(field, kind);
        if modifiers.all && atoms.len() > 1 && !can_hold_together {
            let message = format!("`{}` has one value: it never equals all of these", name.value);
            return self.wrong(name.span, message);
        }
        let expression = if modifiers.all {
            let parts = atoms.into_iter().map(|atom| self.atom(field, atom)).collect();
            Expression::all(parts)
        } else {
            self.any_atom(field, atoms)
        };
        Some(if modifiers.negated { expression.negated() } else { expression })
    }

    /// All values of one field that any may have are one predicate.
    fn any_atom(&mut self, field: FieldId, atoms: Vec<Atom>) -> Expression {
        let (mut tests, mut parts) = (Vec::new(), Vec::new());
        for atom in atoms {
            match atom {
                Atom::Test(test) => tests.push(test),
                other => parts.push(self.atom(field, other)),
            }
        }
        // Of a field that may be anything they may be of several sorts.
        tests.sort_by_key(Test::sort);
        for tests in tests.chunk_by(|one, two| one.sort() == two.sort()) {
            for test in Test::any_of_sort(tests.to_vec()) {
                parts.push(self.holds(field, test));
            }
        }
        Expression::any(parts)
    }

    fn atom(&mut self, field: FieldId, atom: Atom) -> Expression {
        match atom {
            Atom::Absent => self.holds(field, Test::Present).negated(),
            Atom::Present => self.holds(field, Test::Present),
            Atom::Test(test) => self.holds(field, test),
        }
    }

    fn keywords(&mut self, item: &Item) -> Option<Expression> {
        let modifiers = item.modifiers?;
        let mut parts = Vec::new();
        for value in &item.values {
            for value in self.expanded(value, modifiers)? {
                parts.push(self.keyword(&value, modifiers)?);
            }
        }
        let expression =
            if modifiers.all { Expression::all(parts) } else { Expression::any(parts) };
        Some(if modifiers.negated { expression.negated() } else { expression })
    }

    /// Any text field of the record has the keyword in it.
    fn keyword(&mut self, keyword: &Spanned<Scalar>, modifiers: Modifiers) -> Option<Expression> {
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
        if keyword.value.meaning == Meaning::Null {
            return self.wrong(keyword.span, "an empty keyword is in every text");
        }
        let scalar = self.word(keyword)?;
        let tests = self.text_tests(scalar, Modifiers { comparison, ..modifiers }, keyword.span)?;
        let fields: Vec<FieldId> = self
            .schema
            .paths()
            .filter(|(_, _, field)| field.kind.is_text())
            .map(|(_, path, _)| FieldId::Declared { of_context: false, path })
            .collect();
        if fields.is_empty() {
            let message =
                format!("`{}` records have no text to find a keyword in", self.schema.name);
            return self.wrong(keyword.span, message);
        }
        let parts =
            fields.into_iter().map(|field| self.holds(field, Test::Texts(tests.clone()))).collect();
        Some(Expression::any(parts))
    }
}

/// Whether one value, or one of several members, can meet several conditions at once.
fn can_hold_together(field: FieldId, kind: Kind) -> bool {
    field.may_have_several() || kind.is_text() || matches!(kind, Kind::Name(_))
}
