//! One index a field: from a value to what it implies, without asking each predicate.

mod points;
mod texts;
mod topics;

use super::predicate::{AddressPoint, PredicateId, Test, flag_point, number_point, point};
use super::truth::{ClassBuilder, ClassId, Classes, Truth};
use crate::event::{Hex, Kind, Value};
use points::PointIndex;
use texts::TextIndex;
use topics::TopicIndex;

/// The index of one field, over all predicates on it.
#[derive(Debug, Clone)]
pub(super) struct FieldIndex {
    /// What holds for any value that is there.
    present: ClassId,
    by: By,
}

#[derive(Debug, Clone)]
enum By {
    /// Flags, codes, moments and whole numbers.
    Codes(PointIndex<i64>),
    /// Numbers that may be fractions.
    Numbers(PointIndex<i64>),
    /// Addresses, by family.
    Addresses { v4: PointIndex<u32>, v6: PointIndex<u128> },
    /// Text.
    Texts(TextIndex),
    /// Whatever somebody sent: text that may be a number, numbers that may be compared as text.
    Anything { numbers: Option<PointIndex<i64>>, texts: Option<TextIndex> },
    /// Topics that rules compare as such, and perhaps as text.
    Topics { topics: TopicIndex, texts: Option<TextIndex> },
}

/// Buffers of look-ups. Kept between events so that nothing is allocated.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    texts: texts::Scratch,
    topics: topics::Scratch,
    number: String,
}

impl Scratch {
    /// What is looked up from here on belongs to another event.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.topics.begin();
    }
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

fn numbers(questions: &[Question<'_>], classes: &mut ClassBuilder) -> PointIndex<i64> {
    PointIndex::new(questions, classes, |test| match test {
        Test::Points(ranges) => Some(ranges),
        _ => None,
    })
}

impl FieldIndex {
    /// Builds the index of a field whose values are of this kind. No other index of the service has
    /// this number.
    pub(super) fn new(
        kind: Kind,
        number: usize,
        questions: &[Question<'_>],
        classes: &mut ClassBuilder,
    ) -> Self {
        let asks = |is: fn(&Test) -> bool| questions.iter().any(|question| is(question.test));
        let asks_texts = asks(|test| matches!(test, Test::Texts(_)));
        let by = match kind {
            Kind::Any => {
                let asks_numbers = asks(|test| matches!(test, Test::Points(_)));
                By::Anything {
                    numbers: asks_numbers.then(|| numbers(questions, classes)),
                    texts: asks_texts.then(|| TextIndex::new(questions, classes)),
                }
            }
            Kind::TopicName | Kind::TopicFilter if asks(|test| matches!(test, Test::Topics(_))) => {
                By::Topics {
                    topics: TopicIndex::new(kind, number, questions, classes),
                    texts: asks_texts.then(|| TextIndex::new(questions, classes)),
                }
            }
            Kind::Boolean
            | Kind::Integer
            | Kind::Range(..)
            | Kind::Number
            | Kind::Name(_)
            | Kind::Time => {
                let index = numbers(questions, classes);
                if matches!(kind, Kind::Number) { By::Numbers(index) } else { By::Codes(index) }
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
            Kind::Text | Kind::TopicName | Kind::TopicFilter => {
                By::Texts(TextIndex::new(questions, classes))
            }
        };
        Self { present: classes.of(&present(questions)), by }
    }

    /// Whether each value has one class.
    pub(super) fn is_single(&self) -> bool {
        match &self.by {
            By::Codes(index) | By::Numbers(index) => index.is_flat(),
            By::Addresses { v4, v6 } => v4.is_flat() && v6.is_flat(),
            By::Texts(_) | By::Topics { .. } | By::Anything { .. } => false,
        }
    }

    /// The class of a value, where each has one.
    #[inline]
    pub(super) fn class(&self, value: Value<'_>) -> ClassId {
        match (&self.by, value) {
            (_, value) if is_null(value) => ClassId::NONE,
            (By::Codes(index), value) => match point(value, false) {
                Some(point) => index.class(point),
                None => self.present,
            },
            (By::Numbers(index), value) => match point(value, true) {
                Some(point) => index.class(point),
                None => self.present,
            },
            (By::Addresses { v4, v6 }, Value::Address(address)) => match address.into() {
                AddressPoint::V4(point) => v4.class(point),
                AddressPoint::V6(point) => v6.class(point),
            },
            _ => self.present,
        }
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
        let mut apply = |class| truth.apply(classes, class);
        match (&self.by, value) {
            (_, value) if is_null(value) => {}
            (By::Codes(index), value) => match point(value, false) {
                Some(point) => index.look_up(point, apply),
                None => apply(self.present),
            },
            (By::Numbers(index), value) => match point(value, true) {
                Some(point) => index.look_up(point, apply),
                None => apply(self.present),
            },
            (By::Addresses { v4, v6 }, Value::Address(address)) => match address.into() {
                AddressPoint::V4(point) => v4.look_up(point, apply),
                AddressPoint::V6(point) => v6.look_up(point, apply),
            },
            (By::Texts(index), Value::Text(text)) => {
                apply(self.present);
                index.look_up(text, classes, truth, &mut scratch.texts);
            }
            (By::Texts(index), Value::Octets(octets)) => {
                apply(self.present);
                index.look_up(Hex::new(octets).as_bytes(), classes, truth, &mut scratch.texts);
            }
            (By::Topics { topics, texts }, Value::Text(text)) => {
                apply(self.present);
                topics.look_up(text, classes, truth, &mut scratch.topics);
                if let Some(texts) = texts {
                    texts.look_up(text, classes, truth, &mut scratch.texts);
                }
            }
            (By::Anything { numbers, texts }, value) => {
                apply(self.present);
                let Scratch { texts: buffers, number, .. } = scratch;
                if let Some((numbers, point)) = numbers.as_ref().zip(any_point(value)) {
                    numbers.look_up(point, &mut apply);
                }
                if let Some(texts) = texts {
                    texts.look_up(as_text(value, number), classes, truth, buffers);
                }
            }
            // Of a value that is not of the field's kind no more can be said.
            _ => apply(self.present),
        }
    }

    /// Notes in `truth` that there is something of which no more can be said.
    pub(super) fn look_up_container(&self, classes: &Classes, truth: &mut Truth) {
        truth.apply(classes, self.present);
    }
}

/// Whether there is nothing, or a number that JSON cannot say: records show it as `null`, which is the
/// same to whoever searches them.
#[inline]
const fn is_null(value: Value<'_>) -> bool {
    match value {
        Value::Absent => true,
        Value::Single(number) => !number.is_finite(),
        Value::Double(number) => !number.is_finite(),
        _ => false,
    }
}

/// Where a value stands on the line of numbers and flags; text, where the number or the flag stands
/// that it says.
fn any_point(value: Value<'_>) -> Option<i64> {
    let Value::Text(text) = value else { return point(value, true) };
    let text = std::str::from_utf8(text).ok()?;
    match text.parse() {
        Ok(number) => number_point(number),
        Err(_) if text.eq_ignore_ascii_case("true") => Some(flag_point(true)),
        Err(_) if text.eq_ignore_ascii_case("false") => Some(flag_point(false)),
        Err(_) => None,
    }
}

/// A value as text.
fn as_text<'t>(value: Value<'t>, buffer: &'t mut String) -> &'t [u8] {
    use std::fmt::Write as _;
    buffer.clear();
    // Into memory: it cannot fail.
    let _ = match value {
        Value::Text(text) => return text,
        Value::Integer(number) => write!(buffer, "{number}"),
        Value::Double(number) => write!(buffer, "{number}"),
        Value::Boolean(flag) => write!(buffer, "{flag}"),
        _ => Ok(()),
    };
    buffer.as_bytes()
}
