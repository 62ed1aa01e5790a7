//! One index a field: from a value to what it implies, without asking each predicate.

mod points;
mod texts;

use super::predicate::{AddressPoint, PredicateId, Test, point};
use super::truth::{ClassBuilder, ClassId, Classes, Truth};
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
    /// Flags, codes, moments and numbers; whether these may be fractions.
    Points(PointIndex<i64>, bool),
    /// Addresses, by family.
    Addresses { v4: PointIndex<u32>, v6: PointIndex<u128> },
    /// Text.
    Texts(TextIndex),
}

/// A predicate of the field that is indexed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'p> {
    /// The bit of the truth that it is.
    pub(super) id: PredicateId,
    /// What it asks.
    pub(super) test: &'p Test,
}

/// Those that hold for every value that is there.
fn present(questions: &[Question<'_>]) -> Vec<PredicateId> {
    let present = questions.iter().filter(|question| matches!(question.test, Test::Present));
    present.map(|question| question.id).collect()
}

impl FieldIndex {
    /// Builds the index of a field whose values are of this kind.
    pub(super) fn new(kind: Kind, questions: &[Question<'_>], classes: &mut ClassBuilder) -> Self {
        let by = match kind {
            Kind::Boolean
            | Kind::Integer
            | Kind::Range(..)
            | Kind::Number
            | Kind::Name(_)
            | Kind::Time => {
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
        };
        Self { present: classes.of(&present(questions)), by }
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
        if matches!(value, Value::Absent) {
            return;
        }
        let mut apply = |class| truth.apply(classes, class);
        match (&self.by, value) {
            (By::Points(index, fractions), value) => match point(value, *fractions) {
                Some(point) => index.look_up(point, apply),
                None => apply(self.present),
            },
            (By::Addresses { v4, v6 }, Value::Address(address)) => match address.into() {
                AddressPoint::V4(point) => v4.look_up(point, apply),
                AddressPoint::V6(point) => v6.look_up(point, apply),
            },
            (By::Texts(index), Value::Text(text)) => {
                apply(self.present);
                index.look_up(text, classes, truth, scratch);
            }
            // Of a value that is not of the field's kind no more can be said.
            _ => apply(self.present),
        }
    }
}
