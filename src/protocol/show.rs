//! Records as lines of text, for tests.

use std::fmt::Write as _;

use crate::event::{ANOMALY, Hex, Kind, Record, Value};

/// A field of a record as text, or nothing where it is absent or a name that is empty.
pub(super) fn field(record: &dyn Record, index: usize) -> Option<String> {
    Some(match record.value(index) {
        Value::Absent => return None,
        Value::Boolean(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Single(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Octets(octets) => String::from_utf8_lossy(Hex::new(octets).as_bytes()).into_owned(),
        Value::Code(code) => {
            let Kind::Name(names) = record.schema().fields[index].kind else {
                panic!("a code has a name")
            };
            let name = names[usize::from(code)];
            (!name.is_empty()).then(|| name.to_owned())?
        }
        other => format!("{other:?}"),
    })
}

/// The [`field`] with this name.
pub(super) fn named(record: &dyn Record, name: &str) -> Option<String> {
    field(record, record.schema().resolve(name).unwrap().field.into())
}

pub(super) fn is_anomaly(record: &dyn Record) -> bool {
    std::ptr::eq(record.schema(), &raw const ANOMALY)
}

/// `! name field=value @offset`
pub(super) fn anomaly(record: &dyn Record) -> String {
    assert!(is_anomaly(record), "{} is no anomaly", record.schema().name);
    let get = |name| named(record, name);
    let mut line = format!("! {}", get("anomaly.event").unwrap());
    // Text stands in the detail: a value is a number.
    let value = get("anomaly.value").or_else(|| get("anomaly.detail"));
    match (get("anomaly.field"), value) {
        (Some(field), Some(value)) => write!(line, " {field}={value}").unwrap(),
        (Some(text), None) | (None, Some(text)) => write!(line, " {text}").unwrap(),
        (None, None) => {}
    }
    write!(line, " @{}", get("anomaly.offset").unwrap()).unwrap();
    line
}
