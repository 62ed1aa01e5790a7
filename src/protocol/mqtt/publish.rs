//! PUBLISH (clause 3.3).

use std::str;

use super::header::{Dialect, Header, Level, VariableInteger, variable_integer};
use super::packet::{Body, Packet};
use super::properties::{Place, Properties, Property};
use super::reader::{Reader, Stop};
use super::violation::Violation;
use crate::event::Value;

/// Octets of the payload that are kept of one packet. Telemetry is far below; of a file it is where
/// its nature shows, and what tools look through.
const KEPT: usize = 64 * 1024;

/// A message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Publish<'a> {
    /// The topic name as it stands there.
    pub(super) topic: Option<&'a [u8]>,
    /// The topic that an alias stands for, if it had to be looked up.
    pub(super) aliased: Option<&'a [u8]>,
    /// The payload, as far as it is kept.
    pub(super) payload: Option<&'a [u8]>,
}

/// How many octets of the packet at the start of `bytes` are looked at, or more than there are where
/// that takes more octets to tell: topic, packet identifier and properties, and [`KEPT`].
#[inline]
pub(super) fn kept(header: Header, dialect: Option<Dialect>, bytes: &[u8]) -> usize {
    let total = header.total();
    if total <= KEPT { total } else { kept_of_long(header, dialect, bytes) }
}

#[cold]
fn kept_of_long(header: Header, dialect: Option<Dialect>, bytes: &[u8]) -> usize {
    let (start, total) = (usize::from(header.length), header.total());
    let Some(&[high, low]) = bytes.get(start..start + 2) else { return start + 2 };
    let id = start + 2 + usize::from(u16::from_be_bytes([high, low]));
    // What is inferred may change before the packet is whole.
    if dialect != Some(Dialect::known(Level::V5)) {
        return total.min(id + 2 + KEPT);
    }
    let at = id + if header.qos() > 0 { 2 } else { 0 };
    let rest = bytes.get(at..).unwrap_or_default();
    let payload = match variable_integer(rest) {
        VariableInteger::Value { value, length } => at + usize::from(length) + value as usize,
        VariableInteger::Short => return total.min(at + rest.len() + 1),
        VariableInteger::Endless => at,
    };
    total.min(payload + KEPT).min(super::packet::KEPT)
}

/// Reads a PUBLISH.
#[inline]
pub(super) fn read<'a>(packet: &mut Packet<'a>, reader: &mut Reader<'a, '_>) -> Result<(), Stop> {
    let mut publish = Publish::default();
    let result = read_fields(packet, &mut publish, reader);
    packet.body = Body::Publish(publish);
    result
}

#[inline]
fn read_fields<'a>(
    packet: &mut Packet<'a>,
    publish: &mut Publish<'a>,
    reader: &mut Reader<'a, '_>,
) -> Result<(), Stop> {
    let at = reader.at();
    let topic = reader.topic_name("topic")?;
    publish.topic = Some(topic);
    if packet.header.qos() > 0 {
        packet.id = Some(reader.packet_id()?);
    }
    if reader.is_v5() {
        packet.properties.read(reader, Place::packet(packet.header.kind))?;
    }
    // [MQTT-4.7.3-1]; level 5 allows an alias instead (clause 3.3.2.1).
    if topic.is_empty() && packet.topic_alias().is_none() {
        reader.report(Violation::TopicEmpty, "topic", Value::Absent, at);
    }
    let at = reader.at();
    let payload = reader.rest();
    publish.payload = Some(payload);
    check_format(payload, reader.beyond(), &packet.properties, at, reader);
    Ok(())
}

/// A payload that says it is UTF-8 is (clause 3.3.2.3.2). `beyond` octets of it are not here.
#[inline]
pub(super) fn check_format(
    payload: &[u8],
    beyond: usize,
    properties: &Properties<'_>,
    at: usize,
    reader: &mut Reader<'_, '_>,
) {
    const INDICATOR: &Property = Property::named("payload_format_indicator");
    if properties.integer(INDICATOR) == Some(1) && !is_utf8(payload, beyond > 0) {
        reader.report(Violation::PayloadFormat, INDICATOR.name, Value::Integer(1), at);
    }
}

/// Whether `octets` are UTF-8; the last character may be incomplete if they are `cut`.
pub(super) fn is_utf8(octets: &[u8], cut: bool) -> bool {
    match str::from_utf8(octets) {
        Ok(_) => true,
        Err(error) => cut && error.error_len().is_none(),
    }
}
