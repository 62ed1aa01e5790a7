//! Reads every field of a record, and holds it to its schema.

use std::fmt::Write;

use gridtap::event::{Kind, NO_MESSAGE, Record, Value};
use gridtap::protocol;

/// Writes a record with all its fields to `text`.
pub(crate) fn record(record: &dyn Record, text: &mut String) {
    let schema = record.schema();
    let types = schema.message_types;
    let message = record.message_type();
    assert!(message == NO_MESSAGE || types.is_empty() || usize::from(message) < types.len());
    write_to(text, format_args!("{}(", schema.name));
    for (index, field) in schema.fields.iter().enumerate() {
        let value = record.value(index);
        assert!(fits(field.kind, value), "{} is {:?} but {value:?}", field.name, field.kind);
        if field.name == "anomaly.event" {
            assert!(is_registered(value), "{value:?} is not registered");
        }
        if value != Value::Absent {
            write_to(text, format_args!("{}={value:?} ", field.name));
        }
    }
    for (index, list) in schema.lists.iter().enumerate() {
        write_to(text, format_args!("{}[", list.name));
        record.each(index, &mut |element| {
            assert!(std::ptr::eq(element.schema(), list.element));
            self::record(element, text);
        });
        text.push(']');
    }
    text.push(')');
}

fn write_to(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a string takes anything");
}

/// Whether the value is one that a field of this kind may have.
fn fits(kind: Kind, value: Value<'_>) -> bool {
    match (kind, value) {
        (_, Value::Absent)
        | (Kind::Boolean, Value::Boolean(_))
        | (Kind::Integer, Value::Integer(_))
        | (
            Kind::Number,
            Value::Boolean(_) | Value::Integer(_) | Value::Single(_) | Value::Double(_),
        )
        | (Kind::Text | Kind::TopicName | Kind::TopicFilter, Value::Text(_) | Value::Octets(_))
        | (Kind::Address, Value::Address(_))
        | (Kind::Time, Value::Time(_)) => true,
        (Kind::Range(least, most), Value::Integer(number)) => (least..=most).contains(&number),
        (Kind::Name(names), Value::Code(code)) => {
            names.get(usize::from(code)).is_some_and(|name| !name.is_empty())
        }
        _ => false,
    }
}

fn is_registered(anomaly: Value<'_>) -> bool {
    protocol::anomalies().any(|name| anomaly == Value::text(name))
}
