//! Reads the fields of one packet, and checks what every field of its kind must hold.

use std::str;

use super::header::{Dialect, Level, VariableInteger, encoded_length, variable_integer};
use super::topic;
use super::violation::{Report, Violation};
use crate::bytes::Cursor;
use crate::event::Value;

/// Reading this packet ends here: it was reported why, or the rest of the packet is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stop;

/// A cursor over what follows the fixed header.
pub(super) struct Reader<'a, 'f> {
    cursor: Cursor<'a>,
    /// Octets of the packet before the cursor's bytes.
    base: usize,
    /// Octets of the packet after the cursor's bytes: more than we keep, or not here yet.
    beyond: usize,
    /// What the packet is read as.
    pub(super) dialect: Dialect,
    /// Whether text must be readable. The standard only advises against control characters
    /// (clause 1.5.4), but no guess about what octets are should rest on such text.
    readable: bool,
    /// What it is when a field goes on beyond the end.
    overrun: Violation,
    found: &'f mut dyn Report,
}

impl<'a, 'f> Reader<'a, 'f> {
    /// Starts behind a fixed header of `base` octets. `beyond` octets of the packet are not in
    /// `bytes`.
    #[inline]
    pub(super) fn new(
        bytes: &'a [u8],
        base: usize,
        beyond: usize,
        dialect: Dialect,
        found: &'f mut dyn Report,
    ) -> Self {
        let overrun = Violation::Truncated;
        Self { cursor: Cursor::new(bytes), base, beyond, dialect, readable: false, overrun, found }
    }

    /// Splits off the next `length` octets, to be read as properties. They are not more than are
    /// [left](Self::left).
    #[inline]
    pub(super) fn properties(&mut self, length: usize) -> Reader<'a, '_> {
        let base = self.at();
        let shown = self.cursor.left().min(length);
        let bytes = self.cursor.take(shown).unwrap_or_default();
        Reader {
            cursor: Cursor::new(bytes),
            base,
            beyond: length - shown,
            dialect: self.dialect,
            readable: self.readable,
            overrun: Violation::PropertyLength,
            found: &mut *self.found,
        }
    }

    /// The same, but text with control characters is none.
    #[must_use]
    pub(super) fn readable(self) -> Self {
        Self { readable: true, ..self }
    }

    /// Whether properties and reason codes are in the packet.
    #[inline]
    pub(super) fn is_v5(&self) -> bool {
        self.dialect.level == Level::V5
    }

    /// Octets from the start of the packet to what is read next.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.base + self.cursor.offset()
    }

    /// How many octets of the packet come, shown or not.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.cursor.left() + self.beyond
    }

    /// How many octets of the packet are not shown.
    #[inline]
    pub(super) fn beyond(&self) -> usize {
        self.beyond
    }

    /// Whether the packet is read to its end.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// What is shown of the rest of the packet, without reading it.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.cursor.rest()
    }

    /// Reports a violation by what stands `offset` octets from the start of the packet.
    #[inline]
    pub(super) fn report(
        &mut self,
        violation: Violation,
        field: &'static str,
        value: Value<'_>,
        offset: usize,
    ) {
        self.found.report(violation, field, value, offset);
    }

    /// The next `count` octets, which belong to `field`.
    #[inline]
    pub(super) fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], Stop> {
        match self.cursor.take(count) {
            Ok(taken) => Ok(taken),
            Err(_) => Err(self.stop(count, field)),
        }
    }

    #[cold]
    fn stop(&mut self, count: usize, field: &'static str) -> Stop {
        if count > self.left() {
            let (value, offset) = (Value::Integer(self.left() as i64), self.at());
            self.report(self.overrun, field, value, offset);
        }
        Stop
    }

    /// One octet.
    #[inline]
    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, Stop> {
        match self.cursor.u8() {
            Ok(octet) => Ok(octet),
            Err(_) => Err(self.stop(1, field)),
        }
    }

    /// A two byte integer (clause 1.5.2).
    #[inline]
    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, Stop> {
        match self.cursor.u16_be() {
            Ok(number) => Ok(number),
            Err(_) => Err(self.stop(2, field)),
        }
    }

    /// A four byte integer (clause 1.5.3).
    #[inline]
    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, Stop> {
        match self.cursor.u32_be() {
            Ok(number) => Ok(number),
            Err(_) => Err(self.stop(4, field)),
        }
    }

    /// A variable byte integer (clause 1.5.5) among or before properties.
    #[inline]
    pub(super) fn variable_integer(&mut self, field: &'static str) -> Result<u32, Stop> {
        let at = self.at();
        match variable_integer(self.rest()) {
            VariableInteger::Value { value, length } => {
                self.take(usize::from(length), field)?;
                if length > encoded_length(value) {
                    let value = Value::Integer(value.into());
                    self.report(Violation::PropertyLength, field, value, at);
                }
                Ok(value)
            }
            VariableInteger::Short => Err(self.stop(self.cursor.left() + 1, field)),
            VariableInteger::Endless => {
                self.report(Violation::PropertyLength, field, Value::Absent, at);
                Err(Stop)
            }
        }
    }

    /// Binary data: a length and as many octets (clause 1.5.6).
    #[inline]
    pub(super) fn binary(&mut self, field: &'static str) -> Result<&'a [u8], Stop> {
        let length = self.u16(field)?;
        self.take(length.into(), field)
    }

    /// Text: a length and as many octets of UTF-8 (clause 1.5.4).
    #[inline]
    pub(super) fn text(&mut self, field: &'static str) -> Result<&'a [u8], Stop> {
        let text = self.binary(field)?;
        if self.readable || !topic::is_plain(text) {
            self.check_text(text, field);
        }
        Ok(text)
    }

    /// A topic name: text without a wildcard [MQTT-3.3.2-2].
    #[inline]
    pub(super) fn topic_name(&mut self, field: &'static str) -> Result<&'a [u8], Stop> {
        let topic = self.binary(field)?;
        if self.readable || !topic::is_plain(topic) {
            self.check_text(topic, field);
            self.check_wildcards(topic, field);
        }
        Ok(topic)
    }

    #[cold]
    fn check_wildcards(&mut self, topic: &[u8], field: &'static str) {
        if let Some(index) = memchr::memchr2(b'+', b'#', topic) {
            let offset = self.at() - topic.len() + index;
            let value = Value::Text(super::packet::head(topic));
            self.report(Violation::TopicWildcardInPublish, field, value, offset);
        }
    }

    /// A packet identifier, which is never 0 [MQTT-2.2.1-3].
    #[inline]
    pub(super) fn packet_id(&mut self) -> Result<u16, Stop> {
        let id = self.u16("message_id")?;
        if id == 0 {
            let offset = self.at() - 2;
            self.report(Violation::PacketIdZero, "message_id", Value::Integer(0), offset);
        }
        Ok(id)
    }

    /// The packet has no further fields.
    #[inline]
    pub(super) fn end(&mut self) {
        if !self.is_empty() {
            let (value, offset) = (Value::Integer(self.left() as i64), self.at());
            self.report(Violation::TrailingBytes, "", value, offset);
        }
    }

    #[cold]
    fn check_text(&mut self, text: &[u8], field: &'static str) {
        let start = self.at() - text.len();
        if let Err(error) = str::from_utf8(text) {
            let index = error.valid_up_to();
            let octet = text.get(index).copied().unwrap_or_default();
            let value = Value::Integer(octet.into());
            self.report(Violation::Utf8Invalid, field, value, start + index);
        } else if let Some(index) = memchr::memchr(0, text) {
            self.report(Violation::Utf8Null, field, Value::Integer(0), start + index);
        } else if self.readable && text.iter().any(u8::is_ascii_control) {
            self.report(Violation::Utf8Invalid, field, Value::Absent, start);
        }
    }
}
