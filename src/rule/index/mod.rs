//! One index a field: from a value to what it implies, without asking each predicate.

mod points;
mod texts;

use super::predicate::{AddressPoint, Predicate, PredicateId, Test, point};
use super::truth::{ClassId, Classes, Truth};
use crate::event::{Kind, Value};
use points::PointIndex;
pub(super) use texts::Scratch;
use texts::TextIndex;

/// The index of one field, over all predicates on it.
#[derive(Debug, Clone)]
pub(super) struct FieldIndex {
    /// What holds for any value that is there.
    present: ClassId,
    by: By,
}

#[derive(Debug, Clone)]
enum By {
    /// Flags, codes and numbers; whether these may be fractions.
    Points(PointIndex<i64>, bool),
    /// Addresses, by family.
    Addresses { v4: PointIndex<u32>, v6: PointIndex<u128> },
    /// Text.
    Texts(TextIndex),
    /// Only whether it is there.
    Presence,
}

/// The predicates of a field with their numbers, and what they bring up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Questions<'p> {
    /// All predicates of the service.
    pub(super) predicates: &'p [Predicate],
    /// The first of the field, and the one behind its last.
    pub(super) range: (PredicateId, PredicateId),
    /// The rules that each predicate of the service brings up.
    pub(super) triggers: &'p [Vec<u32>],
}

impl<'p> Questions<'p> {
    fn iter(self) -> impl Iterator<Item = (PredicateId, &'p Test)> {
        let (from, to) = self.range;
        (from..to).map(move |id| (id, &self.predicates[id as usize].test))
    }

    /// Those that hold for every value that is there.
    fn present(self) -> impl Iterator<Item = PredicateId> {
        self.iter().filter(|(_, test)| matches!(test, Test::Present)).map(|(id, _)| id)
    }
}

impl FieldIndex {
    /// Builds the index of a field whose values are of this kind.
    pub(super) fn new(kind: Kind, questions: Questions<'_>, classes: &mut Classes) -> Self {
        let present: Vec<_> = questions.present().collect();
        let present = classes.add(&present, questions.triggers);
        let by = match kind {
            Kind::Boolean | Kind::Integer | Kind::Number | Kind::Name(_) => {
                let index = PointIndex::new(questions, classes, |test| match test {
                    Test::Points(ranges) => Some(ranges),
                    _ => None,
                });
                By::Points(index, matches!(kind, Kind::Number))
            }
            Kind::Address => By::Addresses {
                v4: PointIndex::new(questions, classes, |test| match test {
                    Test::Addresses { v4, .. } => Some(v4),
                    _ => None,
                }),
                v6: PointIndex::new(questions, classes, |test| match test {
                    Test::Addresses { v6, .. } => Some(v6),
                    _ => None,
                }),
            },
            Kind::Text => By::Texts(TextIndex::new(questions, classes)),
            Kind::Time => By::Presence,
        };
        Self { present, by }
    }

    /// Notes in `truth` what `value` implies.
    #[inline]
    pub(super) fn look_up(
        &self,
        value: Value<'_>,
        classes: &Classes,
        truth: &mut Truth,
        scratch: &mut Scratch,
    ) {
        let class = match (&self.by, value) {
            (_, Value::Absent) => return,
            (By::Points(index, fractions), value) => {
                point(value, *fractions).map_or(self.present, |point| index.class(point))
            }
            (By::Addresses { v4, v6 }, Value::Address(address)) => match address.into() {
                AddressPoint::V4(point) => v4.class(point),
                AddressPoint::V6(point) => v6.class(point),
            },
            (By::Texts(index), Value::Text(text)) => {
                index.look_up(text, classes, truth, scratch);
                self.present
            }
            // Of a value that is not of the field's kind no more can be said.
            _ => self.present,
        };
        truth.apply(classes, class);
    }
}
