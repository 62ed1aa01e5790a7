//! Values as every tool reads them: numbers in decimal digits, text that is no number in quotes.

use std::net::IpAddr;

use crate::event::Kind;
use crate::rule::compile::{moment, number, whole};
use crate::rule::yaml::{Meaning, Scalar};
use crate::time::Timestamp;
use crate::topic;

/// What the modifiers of an item make of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Whether it is there, or the name of another field: nothing to change.
    AsItStands,
    /// A text that may have wildcards, an expression, or what is encoded.
    Text,
    /// A number, for order and parts of moments.
    Number,
    /// Whatever the field has.
    Value { cased: bool },
}

impl Reading {
    /// By the modifiers behind a field.
    pub(super) fn of(modifiers: &[String]) -> Self {
        let has = |words: &[&str]| modifiers.iter().any(|own| words.contains(&own.as_str()));
        if has(&["exists", "fieldref"]) {
            Self::AsItStands
        } else if has(&["contains", "startswith", "endswith", "re", "base64", "base64offset"]) {
            Self::Text
        } else if has(&["lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year"])
        {
            Self::Number
        } else {
            Self::Value { cased: has(&["cased"]) }
        }
    }
}

/// A value of a field of this kind, or a keyword.
pub(super) fn plain(value: &mut Scalar, kind: Option<Kind>, reading: Reading) {
    if value.meaning == Meaning::Null {
        return;
    }
    match (reading, kind) {
        (Reading::AsItStands, _) | (Reading::Value { .. }, Some(Kind::Boolean)) => {}
        (Reading::Number, _)
        | (Reading::Value { .. }, Some(Kind::Integer | Kind::Range(..) | Kind::Number)) => {
            as_number(value);
        }
        (Reading::Value { cased: false }, Some(Kind::Any)) => match value.meaning {
            Meaning::Boolean(_) => {}
            Meaning::Integer(_) | Meaning::Float(_) => as_number(value),
            _ => as_text(value),
        },
        (Reading::Value { .. }, Some(Kind::Time)) => as_moment(value),
        (Reading::Value { .. }, Some(Kind::Name(names))) => {
            as_name(value, names);
            as_text(value);
        }
        _ => as_text(value),
    }
}

/// In quotes where YAML of another version takes it for a number, a date or a flag.
pub(super) fn as_text(value: &mut Scalar) {
    let is_plain = value.meaning == Meaning::Plain
        && value
            .text
            .starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$' | '/'));
    let is_short = value.text.len() <= 3; // y, n, on, off, yes, no
    if !is_plain || is_short {
        value.meaning = Meaning::Quoted;
    }
}

/// In decimal digits: `0o17`, `017` and `1e1` are other numbers, or none, to others.
pub(super) fn as_number(value: &mut Scalar) {
    let text = match (whole(value), number(value)) {
        (Some(whole), _) => whole.to_string(),
        (None, Some(number)) if number.is_finite() => number.to_string(),
        _ => return,
    };
    *value = Scalar::plain(text);
}

/// As records have it.
fn as_moment(value: &mut Scalar) {
    let moment = moment(&value.text).and_then(|moment| u64::try_from(moment.as_nanosecond()).ok());
    if let Some(nanos) = moment {
        let text = Timestamp::from_nanos(nanos).to_string();
        *value = Scalar { text, meaning: Meaning::Quoted };
    }
}

/// Records have names where rules may have codes.
fn as_name(value: &mut Scalar, names: &[&str]) {
    let code = whole(value).and_then(|code| usize::try_from(code).ok());
    if let Some(name) = code.and_then(|code| names.get(code)) {
        *value = Scalar { text: (*name).to_owned(), meaning: Meaning::Quoted };
    }
}

/// An address is a network of its own.
pub(super) fn as_network(value: &mut Scalar) {
    let bits = match value.text.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return,
    };
    *value = Scalar { text: format!("{}/{bits}", value.text), meaning: Meaning::Quoted };
}

/// A topic filter as a regular expression.
pub(super) fn as_expression(value: &mut Scalar, is_filter: bool) {
    let Ok(filter) = topic::Filter::parse(value.text.as_bytes()) else { return };
    let text = if is_filter { filter.of_filters() } else { filter.of_names() };
    *value = Scalar { text, meaning: Meaning::Quoted };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, kind: Kind, reading: Reading) -> (String, bool) {
        let mut value = Scalar::plain(text.to_owned());
        plain(&mut value, Some(kind), reading);
        (value.text, value.meaning == Meaning::Quoted)
    }

    #[test]
    fn numbers_are_decimal_and_text_is_no_number() {
        let value = Reading::Value { cased: false };
        for (text, expected) in [
            ("1e1", "10"),
            ("0o55", "45"),
            ("055", "55"),
            ("0x2d", "45"),
            ("+7", "7"),
            ("1.50", "1.5"),
        ] {
            assert_eq!(written(text, Kind::Number, value), (expected.to_owned(), false), "{text}");
        }
        assert_eq!(written("1e-7", Kind::Number, Reading::Number).0, "0.0000001");
        assert_eq!(written("1", Kind::Text, Reading::Text), ("1".to_owned(), true));
        assert_eq!(written("2026-11-23", Kind::Text, value), ("2026-11-23".to_owned(), true));
        assert_eq!(written("off", Kind::Text, Reading::Text), ("off".to_owned(), true));
        assert_eq!(written("meter", Kind::Text, value), ("meter".to_owned(), false));
        assert_eq!(written("1", Kind::Name(&["", "one"]), Reading::Text), ("1".to_owned(), true));
        assert_eq!(written("1", Kind::Name(&["", "one"]), value), ("one".to_owned(), true));
    }

    #[test]
    fn moments_are_those_of_records() {
        let value = Reading::Value { cased: false };
        let (text, _) = written("2026-11-23T22:00:00+01:00", Kind::Time, value);
        assert_eq!(text, "2026-11-23T21:00:00.000000+0000");
    }
}
