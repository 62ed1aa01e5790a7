//! The value of a field, and the kinds of values that fields have.

use std::net::IpAddr;

use super::Schema;
use crate::time::Timestamp;

/// What a field holds in one record. Borrowed from the record, which borrows from the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// The record does not have this field; nothing is written and no condition on it holds.
    Absent,
    /// A flag.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A short floating point number as IEC 60870-5-101 carries it. Written, and compared, as the
    /// shortest decimal that reads back to the same bits.
    Single(f32),
    /// A number computed here, such as a normalized value's fraction.
    Double(f64),
    /// A code with a name in the field's own table ([`Kind::Name`]); codes without a name are
    /// [`Value::Absent`] there.
    Code(u8),
    /// Text as it came. Bytes that are not UTF-8 are written as U+FFFD.
    Text(&'a [u8]),
    /// Octets without a meaning that we know: written, and compared, as [`Hex`]. Fields that have
    /// them are of [`Kind::Text`].
    Octets(&'a [u8]),
    /// An address.
    Address(IpAddr),
    /// A moment.
    Time(Timestamp),
}

impl<'a> Value<'a> {
    /// [`Value::Absent`] for `None`.
    #[inline]
    pub fn maybe<T>(option: Option<T>, some: impl FnOnce(T) -> Self) -> Self {
        option.map_or(Value::Absent, some)
    }

    /// Text from a string.
    #[inline]
    pub fn text(text: &'a str) -> Self {
        Value::Text(text.as_bytes())
    }
}

/// Octets as text: two hexadecimal digits each, lower case, nothing between them.
#[derive(Debug, Clone, Copy)]
pub struct Hex {
    digits: [u8; 2 * Self::MOST],
    length: usize,
}

impl Hex {
    /// So many octets are shown, and nothing of those behind them. More than an APDU of IEC
    /// 60870-5-104 has.
    pub const MOST: usize = 256;

    /// The digits of `octets`.
    pub fn new(octets: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 2 * Self::MOST];
        let (pairs, _) = digits.as_chunks_mut::<2>();
        for (pair, octet) in pairs.iter_mut().zip(octets) {
            *pair = [octet >> 4, octet & 15].map(|digit| DIGITS[usize::from(digit)]);
        }
        Self { digits, length: 2 * octets.len().min(Self::MOST) }
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(..self.length).unwrap_or_default()
    }
}

/// What values a field can have. Decides how a rule's words are read and how the schema is written.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A whole number from the first to the second: what the field's bits can say, not what the
    /// standard permits. A rule that compares it with another is told so.
    Range(i64, i64),
    /// A whole or floating point number, or a flag (an information object's value may be any).
    Number,
    /// One of a fixed set of names; the code indexes the table, `""` marks a code without a name.
    /// Rules may write the name or the code.
    Name(&'static [&'static str]),
    /// Free text.
    Text,
    /// Text that is the name of a topic: see [`crate::topic`].
    TopicName,
    /// Text that is a topic filter.
    TopicFilter,
    /// An IPv4 or IPv6 address.
    Address,
    /// A moment, written in ISO 8601.
    Time,
    /// Whatever somebody put into a document: text, a number or a flag, in each record another.
    Any,
}

impl Kind {
    /// Whether its values are text.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::TopicName | Self::TopicFilter)
    }

    /// Whether topics are compared with it as topics.
    pub const fn is_topic(self) -> bool {
        matches!(self, Self::TopicName | Self::TopicFilter)
    }
}

/// Names and types of fields, as a rule may use them: see [`Schema::resolve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath {
    /// The list that the field's element is in: an index into [`Schema::lists`].
    pub list: Option<u8>,
    /// An index into [`Schema::fields`], of the element's schema if `list` is set.
    pub field: u8,
}

impl Schema {
    /// Finds the field with the full dotted name.
    pub fn resolve(&self, name: &str) -> Option<FieldPath> {
        let at = |fields: &[super::Field], name: &str| {
            fields.iter().position(|field| field.name == name).map(|index| index as u8)
        };
        if let Some(field) = at(self.fields, name) {
            return Some(FieldPath { list: None, field });
        }
        self.lists.iter().enumerate().find_map(|(index, list)| {
            let rest = name.strip_prefix(list.name)?;
            let member = if rest.is_empty() { rest } else { rest.strip_prefix('.')? };
            let field = at(list.element.fields, member)?;
            Some(FieldPath { list: Some(index as u8), field })
        })
    }

    /// Every field with its full dotted name, in the order in which records are written.
    pub fn paths(&self) -> impl Iterator<Item = (String, FieldPath, &'static super::Field)> + '_ {
        let plain = self.fields.iter().enumerate().map(|(index, field)| {
            (field.name.to_owned(), FieldPath { list: None, field: index as u8 }, field)
        });
        let members = self.lists.iter().enumerate().flat_map(|(list_index, list)| {
            list.element.fields.iter().enumerate().map(move |(index, field)| {
                let name = match field.name {
                    "" => list.name.to_owned(),
                    member => format!("{}.{member}", list.name),
                };
                (name, FieldPath { list: Some(list_index as u8), field: index as u8 }, field)
            })
        });
        plain.chain(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_two_digits_each() {
        assert_eq!(Hex::new(&[0x00, 0x0F, 0xA5, 0xFF]).as_bytes(), b"000fa5ff");
        assert_eq!(Hex::new(&[]).as_bytes(), b"");
        assert_eq!(Hex::new(&[0; 300]).as_bytes(), [b'0'; 512]);
    }
}
