//! Predicates without an index: two fields of a record, parts of moments, and what keywords ask of
//! addresses and moments. There is no set of values to look one up in, so each is asked by itself, of
//! events on which a rule is up.

use std::fmt::Write as _;

use super::modifier::Part;
use super::predicate::{FieldId, Resemblance, Test, point, time_point};
use super::truth::ClassId;
use crate::event::{Event, Hex, Kind, Record, Schema, Value};

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Direct {
    field: Operand,
    asks: Asks,
    /// What follows if it holds.
    class: ClassId,
}

#[derive(Debug, Clone)]
enum Asks {
    Field { other: Operand, how: Resemblance, cased: bool },
    Shown(Vec<regex::Regex>),
    Other(Test),
}

/// A field, and what values it has.
#[derive(Debug, Clone, Copy)]
struct Operand {
    id: FieldId,
    kind: Kind,
}

/// Two values as text. Kept between events so that nothing is allocated.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    one: String,
    other: String,
}

impl Direct {
    /// For a test of `field` that has no index.
    pub(super) fn new(schema: &'static Schema, field: FieldId, test: Test, class: ClassId) -> Self {
        let operand = |id: FieldId| Operand { id, kind: id.kind(schema) };
        let asks = match test {
            Test::Field { other, how, cased } => Asks::Field { other: operand(other), how, cased },
            Test::Shown(tests) => {
                let expressions = tests.iter().map(|test| regex::Regex::new(&test.regex()));
                Asks::Shown(expressions.filter_map(Result::ok).collect())
            }
            other => Asks::Other(other),
        };
        Self { field: operand(field), asks, class }
    }

    /// What the event implies.
    pub(super) fn class(&self, event: &Event<'_>, texts: &mut Texts) -> ClassId {
        let mut holds = false;
        each(event, self.field.id, &mut |value| {
            holds = holds || self.holds(value, event, texts);
        });
        if holds { self.class } else { ClassId::NONE }
    }

    fn holds(&self, value: Value<'_>, event: &Event<'_>, texts: &mut Texts) -> bool {
        match &self.asks {
            Asks::Field { other, how, cased } => {
                let mut holds = false;
                each(event, other.id, &mut |with| {
                    let pair = [(value, self.field.kind), (with, other.kind)];
                    holds = compare(pair, *how, *cased, texts);
                });
                holds
            }
            Asks::Shown(expressions) => {
                write_text(value, self.field.kind, true, &mut texts.one);
                expressions.iter().any(|expression| expression.is_match(&texts.one))
            }
            Asks::Other(Test::Part(part, ranges)) => {
                let Value::Time(time) = value else { return false };
                number_of(*part, time_point(time)).is_some_and(|number| ranges.has(number))
            }
            Asks::Other(_) => false,
        }
    }
}

/// Shows the values that a field of a record has; those in documents are not compared.
fn each(event: &Event<'_>, field: FieldId, visit: &mut dyn FnMut(Value<'_>)) {
    let FieldId::Declared { of_context, path } = field else { return };
    let record: &dyn Record = if of_context { event.context } else { event.record };
    let place = usize::from(path.field);
    let mut visit = |value: Value<'_>| {
        if value != Value::Absent {
            visit(value);
        }
    };
    match path.list {
        Some(list) => record.each(list.into(), &mut |member| visit(member.value(place))),
        None => visit(record.value(place)),
    }
}

/// What text a field's values are, or what else they are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparable {
    Text,
    Flag,
    Number,
    Moment,
    /// Nobody knows.
    Nothing,
}

impl Comparable {
    /// What values of this kind are compared as: only with others of the same.
    pub(super) const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text | Kind::TopicName | Kind::TopicFilter | Kind::Name(_) | Kind::Address => {
                Self::Text
            }
            Kind::Boolean => Self::Flag,
            Kind::Integer | Kind::Range(..) | Kind::Number => Self::Number,
            Kind::Time => Self::Moment,
            Kind::Any => Self::Nothing,
        }
    }
}

fn compare(
    [(one, kind), (other, other_kind)]: [(Value<'_>, Kind); 2],
    how: Resemblance,
    cased: bool,
    texts: &mut Texts,
) -> bool {
    if Comparable::of(kind) != Comparable::Text {
        let fractions = matches!(kind, Kind::Number) || matches!(other_kind, Kind::Number);
        let points = point(one, fractions).zip(point(other, fractions));
        return points.is_some_and(|(one, other)| one == other);
    }
    write_text(one, kind, cased, &mut texts.one);
    write_text(other, other_kind, cased, &mut texts.other);
    let (one, other) = (texts.one.as_str(), texts.other.as_str());
    match how {
        Resemblance::Equals => one == other,
        Resemblance::Contains => one.contains(other),
        Resemblance::StartsWith => one.starts_with(other),
        Resemblance::EndsWith => one.ends_with(other),
    }
}

/// A value as records have it, in lower case unless case counts.
fn write_text(value: Value<'_>, kind: Kind, cased: bool, text: &mut String) {
    text.clear();
    match (value, kind) {
        (Value::Text(octets), _) => write_octets(octets, cased, text),
        (Value::Octets(octets), _) => write_octets(Hex::new(octets).as_bytes(), cased, text),
        (Value::Code(code), Kind::Name(names)) => {
            let name = names.get(usize::from(code)).copied().unwrap_or_default();
            write_octets(name.as_bytes(), cased, text);
        }
        (Value::Address(address), _) => {
            let _ = write!(text, "{address}"); // into memory: it cannot fail
        }
        (Value::Time(time), _) => {
            let _ = write!(text, "{time}");
        }
        _ => {}
    }
}

fn write_octets(octets: &[u8], cased: bool, text: &mut String) {
    for chunk in octets.utf8_chunks() {
        let valid = chunk.valid();
        match (cased, valid.is_ascii()) {
            (true, _) => text.push_str(valid),
            (false, true) => {
                text.extend(valid.bytes().map(|octet| char::from(octet.to_ascii_lowercase())));
            }
            (false, false) => text.extend(valid.chars().flat_map(char::to_lowercase)),
        }
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// A part of a moment that is given in microseconds since the epoch.
fn number_of(part: Part, micros: i64) -> Option<i64> {
    let moment = jiff::Timestamp::from_microsecond(micros).ok()?;
    let civil = jiff::tz::Offset::UTC.to_datetime(moment);
    Some(match part {
        Part::Minute => civil.minute().into(),
        Part::Hour => civil.hour().into(),
        Part::Day => civil.day().into(),
        Part::Week => civil.date().iso_week_date().week().into(),
        Part::Month => civil.month().into(),
        Part::Year => civil.year().into(),
    })
}
