//! From a rule's document to an expression over predicates.
//!
//! [`fields`] finds the fields that a rule names and refuses comparisons that mean nothing for
//! them; [`values`] makes tests of a rule's words, [`encoded`] of those that the wire has in another
//! form; [`keywords`] of those that may stand anywhere; [`direct`] of other fields and of parts of
//! moments; [`placeholders`] fills in what others know.

mod direct;
mod encoded;
mod fields;
mod keywords;
mod placeholders;
mod values;

use std::collections::BTreeMap;

pub(super) use fields::{flat_service, in_document};
pub(super) use placeholders::filled;
pub(super) use values::{moment, number, whole};

use super::Placeholders;
use super::condition::Condition;
use super::diagnostic::Reporter;
use super::modifier::Modifiers;
use super::predicate::{Expression, FieldId, Predicate, Predicates, Test, TextTest};
use super::sigma::{Detection, Item, Selection};
use super::yaml::Span;
use crate::event::Schema;

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
                Some(Expression::all(self.with_bounds_joined(parts, items)?))
            }
            Selection::Any(members) => self.any_selection(members),
            Selection::Keyword(keyword) => {
                let tests = self.keyword(keyword, Modifiers::NONE)?;
                Some(self.anywhere(&tests))
            }
        }
    }

    /// The keywords among them are one, so that a list of many costs as little as of few.
    fn any_selection(&mut self, members: &[Selection]) -> Option<Expression> {
        let (mut parts, mut keywords) = (Vec::new(), Vec::new());
        for member in members {
            match member {
                Selection::Keyword(keyword) => {
                    keywords.push(self.keyword(keyword, Modifiers::NONE));
                }
                other => parts.push(self.selection(other)),
            }
        }
        let mut parts: Vec<Expression> = parts.into_iter().collect::<Option<_>>()?;
        let keywords: Vec<Vec<TextTest>> = keywords.into_iter().collect::<Option<_>>()?;
        if !keywords.is_empty() {
            parts.push(self.anywhere(&keywords.concat()));
        }
        Some(Expression::any(parts))
    }

    /// A lower and an upper bound on one field are one range, in which there has to be something.
    fn with_bounds_joined(
        &mut self,
        parts: Vec<Expression>,
        items: &[Item],
    ) -> Option<Vec<Expression>> {
        let mut joined: Vec<Expression> = Vec::with_capacity(parts.len());
        for (part, item) in parts.into_iter().zip(items) {
            let both = joined.iter_mut().find_map(|other| {
                let test = self.both(other, &part)?;
                Some((other, test))
            });
            match (both, &item.field) {
                (Some((_, Predicate { test, .. })), Some(name)) if test.is_never() => {
                    let message =
                        format!("`{}` never meets all that is asked of it here", name.value);
                    return self.wrong(name.span, message);
                }
                (Some((other, predicate)), _) => {
                    *other = Expression::Holds(self.predicates.id(predicate));
                }
                (None, _) => joined.push(part),
            }
        }
        Some(joined)
    }

    fn both(&self, one: &Expression, two: &Expression) -> Option<Predicate> {
        let (Expression::Holds(one), Expression::Holds(two)) = (one, two) else { return None };
        let (one, two) = (self.predicates.get(*one), self.predicates.get(*two));
        if one.field != two.field || one.field.may_have_several() {
            return None;
        }
        Some(Predicate { field: one.field, test: one.test.and(&two.test)? })
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
        if modifiers.all && !field.may_have_several() && are_never_all(&atoms) {
            let message = format!("`{}` has one value: it is never all of these", name.value);
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
}

/// Whether no value meets all of these: numbers, names and addresses that have nothing in common.
fn are_never_all(atoms: &[Atom]) -> bool {
    let mut common: Option<Test> = None;
    for atom in atoms {
        let Atom::Test(test) = atom else { continue };
        common = match &common {
            None => Some(test.clone()),
            Some(before) => match before.and(test) {
                Some(both) => Some(both),
                None => return false,
            },
        };
    }
    atoms.len() > 1 && common.is_some_and(|common| common.is_never())
}
