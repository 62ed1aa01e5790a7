//! What correlations want to know of a hit, taken out of the event while it is at hand.

use std::io::Write as _;
use std::net::IpAddr;
use std::ops::Range;

use super::{Link, Part};
use crate::event::{Event, Hex, Kind, Record, Value};
use crate::json::{Scalar, Values};
use crate::rule::matcher::Hits;

/// What correlations want to know of the hits of one event. Kept between events, so that nothing is
/// allocated.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    list: Vec<Observation>,
    /// What the ranges below are of.
    octets: Vec<u8>,
    scratch: Values,
}

/// Of one hit, for one correlation.
#[derive(Debug, Clone)]
struct Observation {
    correlation: usize,
    place: usize,
    group: Range<usize>,
    values: Option<Range<usize>>,
    number: Option<f64>,
}

/// The same, as who takes it sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed<'a> {
    pub(super) correlation: usize,
    /// Place of the rule among those that the correlation is of.
    pub(super) place: usize,
    /// What the hit is grouped by: values one after the other, see [`group_values`].
    pub(super) group: &'a [u8],
    /// What is counted; `None` if the record does not have all of it.
    pub(super) values: Option<&'a [u8]>,
    /// The same as a number, if it is one value and a number.
    pub(super) number: Option<f64>,
}

/// A value that hits are grouped by, as records show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupValue<'a> {
    /// The record does not have the field.
    Absent,
    /// A number, or a flag.
    Plain(&'a [u8]),
    /// Text.
    Text(&'a [u8]),
}

const ABSENT: u8 = 0;
const PLAIN: u8 = 1;
const TEXT: u8 = 2;

/// Octets of a text that count: two that differ behind them are taken for one.
const LONGEST: usize = 1024;

impl Observations {
    /// Takes what correlations want to know of the hits of an event; whether that is anything.
    #[inline]
    pub fn take(&mut self, event: &Event<'_>, hits: Hits<'_>) -> bool {
        self.list.clear();
        self.octets.clear();
        for link in hits.links() {
            self.observe(event, link);
        }
        !self.list.is_empty()
    }

    /// By hit in the order of the rules, and by correlation.
    pub(super) fn iter(&self) -> impl Iterator<Item = Observed<'_>> {
        let octets = |range: &Range<usize>| self.octets.get(range.clone()).unwrap_or_default();
        self.list.iter().map(move |observation| Observed {
            correlation: observation.correlation,
            place: observation.place,
            group: octets(&observation.group),
            values: observation.values.as_ref().map(octets),
            number: observation.number,
        })
    }

    fn observe(&mut self, event: &Event<'_>, link: &Link) {
        let start = self.octets.len();
        for part in &link.group {
            self.write(event, part);
        }
        let end = self.octets.len();
        let (mut is_whole, mut number) = (!link.values.is_empty(), None);
        for part in &link.values {
            let before = self.octets.len();
            number = self.write(event, part);
            is_whole &= self.octets.get(before) != Some(&ABSENT);
        }
        let values = is_whole.then_some(end..self.octets.len());
        let (correlation, place) = (link.correlation, link.place);
        self.list.push(Observation { correlation, place, group: start..end, values, number });
    }

    /// Writes a value, and returns it if it is a number.
    fn write(&mut self, event: &Event<'_>, part: &Part) -> Option<f64> {
        match part {
            Part::Group(_) => None,
            Part::Field { of_context: true, place, kind } => {
                write_value(event.context.value(*place), *kind, &mut self.octets)
            }
            Part::Field { of_context: false, place, kind } => {
                write_value(event.record.value(*place), *kind, &mut self.octets)
            }
            Part::Document { place, paths, .. } => {
                self.scratch.read(event.record.document(*place).unwrap_or_default(), paths);
                let value = match self.scratch.only() {
                    None => Value::Absent,
                    Some(Scalar::Flag(flag)) => Value::Boolean(flag),
                    Some(Scalar::Integer(number)) => Value::Integer(number),
                    Some(Scalar::Number(number)) => Value::Double(number),
                    Some(Scalar::Text(text)) => Value::text(text),
                };
                write_value(value, Kind::Any, &mut self.octets)
            }
        }
    }
}

/// Writes the values of fields one after the other.
pub(in crate::rule) fn write_parts(event: &Event<'_>, parts: &[Part], octets: &mut Vec<u8>) {
    for part in parts {
        if let Part::Field { of_context, place, kind } = part {
            let value =
                if *of_context { event.context.value(*place) } else { event.record.value(*place) };
            write_value(value, *kind, octets);
        }
    }
}

/// A word for what it is, the length if it is anything, and the text.
fn write_value(value: Value<'_>, kind: Kind, octets: &mut Vec<u8>) -> Option<f64> {
    let text = match (value, kind) {
        (Value::Text(text), _) => text,
        (Value::Code(code), Kind::Name(names)) => {
            names.get(usize::from(code)).copied().unwrap_or_default().as_bytes()
        }
        (Value::Octets(some), _) => {
            write_text(TEXT, Hex::new(some).as_bytes(), octets);
            return None;
        }
        _ => return write_plain(value, octets),
    };
    match (text, value) {
        // A code without a name is not there.
        ([], Value::Code(_)) => octets.push(ABSENT),
        _ => write_text(TEXT, text, octets),
    }
    None
}

/// What is not text on the wire.
fn write_plain(value: Value<'_>, octets: &mut Vec<u8>) -> Option<f64> {
    let mut decimal = ryu::Buffer::new();
    match value {
        Value::Boolean(flag) => {
            write_text(PLAIN, if flag { b"true" } else { b"false" }, octets);
            None
        }
        Value::Integer(number) => {
            write_text(PLAIN, itoa::Buffer::new().format(number).as_bytes(), octets);
            Some(number as f64)
        }
        Value::Single(number) if number.is_finite() => {
            // As records show it, which is not its double where it has many digits.
            let number = decimal.format_finite(number).parse().ok()?;
            write_double(number, octets);
            Some(number)
        }
        Value::Double(number) if number.is_finite() => {
            write_double(number, octets);
            Some(number)
        }
        Value::Address(address) => {
            write_address(address, octets);
            None
        }
        _ => {
            octets.push(ABSENT);
            None
        }
    }
}

/// A whole number is the same value as the integer: 1.0 and 1, 0.0, -0.0 and 0.
fn write_double(number: f64, octets: &mut Vec<u8>) {
    // Beyond these not all integers are doubles.
    const EXACT: f64 = (1_u64 << 53) as f64;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        let whole = number as i64;
        write_text(PLAIN, itoa::Buffer::new().format(whole).as_bytes(), octets);
    } else {
        write_text(PLAIN, ryu::Buffer::new().format_finite(number).as_bytes(), octets);
    }
}

/// Most correlations group by one: this is several times as fast as formatting it.
fn write_address(address: IpAddr, octets: &mut Vec<u8>) {
    let before = octets.len();
    write_text(TEXT, &[], octets);
    let start = octets.len();
    match address {
        IpAddr::V4(v4) => {
            for octet in v4.octets() {
                octets.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
                octets.push(b'.');
            }
            octets.pop();
        }
        IpAddr::V6(v6) => {
            let _ = write!(octets, "{v6}"); // into memory: it cannot fail
        }
    }
    let length = (octets.len() - start) as u16;
    octets[before + 1..start].copy_from_slice(&length.to_be_bytes());
}

fn write_text(word: u8, text: &[u8], octets: &mut Vec<u8>) {
    let text = text.get(..LONGEST).unwrap_or(text);
    octets.push(word);
    octets.extend_from_slice(&(text.len() as u16).to_be_bytes());
    octets.extend_from_slice(text);
}

/// The values that a group was made of.
pub(super) fn group_values(mut group: &[u8]) -> impl Iterator<Item = GroupValue<'_>> {
    std::iter::from_fn(move || {
        let (word, rest) = group.split_first()?;
        if *word == ABSENT {
            group = rest;
            return Some(GroupValue::Absent);
        }
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (text, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        group = rest;
        Some(if *word == PLAIN { GroupValue::Plain(text) } else { GroupValue::Text(text) })
    })
}

/// The group of a correlation that takes the alerts of another: those of its values that stand at
/// these places.
pub(super) fn regroup(group: &[u8], parts: &[Part], octets: &mut Vec<u8>) {
    octets.clear();
    for part in parts {
        let Part::Group(place) = part else { continue };
        match group_values(group).nth(*place) {
            Some(GroupValue::Plain(text)) => write_text(PLAIN, text, octets),
            Some(GroupValue::Text(text)) => write_text(TEXT, text, octets),
            Some(GroupValue::Absent) | None => octets.push(ABSENT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_the_same_value_as_the_integer() {
        let written = |value| {
            let mut octets = Vec::new();
            write_value(value, Kind::Any, &mut octets);
            octets
        };
        for (number, double) in [(0, 0.0), (0, -0.0), (-7, -7.0), (1 << 40, (1_u64 << 40) as f64)] {
            assert_eq!(written(Value::Integer(number)), written(Value::Double(double)), "{number}");
        }
        assert_eq!(written(Value::Integer(21)), written(Value::Single(21.0)));
        assert_ne!(written(Value::Integer(0)), written(Value::Double(0.5)));
        assert_ne!(written(Value::Integer(0)), written(Value::Boolean(false)));
    }

    #[test]
    fn values_come_back_as_records_show_them() {
        const NAMES: &[&str] = &["", "on"];
        let mut octets = Vec::new();
        let mut number = |value, kind| write_value(value, kind, &mut octets);
        assert_eq!(number(Value::Integer(-3), Kind::Integer), Some(-3.0));
        assert_eq!(number(Value::Single(0.1), Kind::Number), Some(0.1));
        assert_eq!(number(Value::Double(f64::NAN), Kind::Number), None);
        assert_eq!(number(Value::Boolean(true), Kind::Boolean), None);
        assert_eq!(number(Value::Code(1), Kind::Name(NAMES)), None);
        assert_eq!(number(Value::Code(0), Kind::Name(NAMES)), None);
        assert_eq!(number(Value::Text(b""), Kind::Text), None);
        assert_eq!(number(Value::Address([10, 0, 0, 1].into()), Kind::Address), None);
        assert_eq!(number(Value::Octets(&[1, 0xaf]), Kind::Text), None);
        assert_eq!(number(Value::Absent, Kind::Text), None);
        let expected = [
            GroupValue::Plain(b"-3"),
            GroupValue::Plain(b"0.1"),
            GroupValue::Absent,
            GroupValue::Plain(b"true"),
            GroupValue::Text(b"on"),
            GroupValue::Absent,
            GroupValue::Text(b""),
            GroupValue::Text(b"10.0.0.1"),
            GroupValue::Text(b"01af"),
            GroupValue::Absent,
        ];
        assert_eq!(group_values(&octets).collect::<Vec<_>>(), expected);
        let mut other = Vec::new();
        regroup(&octets, &[Part::Group(7), Part::Group(2), Part::Group(0)], &mut other);
        let expected = [expected[7], expected[2], expected[0]];
        assert_eq!(group_values(&other).collect::<Vec<_>>(), expected);
    }
}
