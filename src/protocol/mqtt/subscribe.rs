//! SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK (clauses 3.8 to 3.11).

use super::header::PacketType;
use super::packet::{Body, Packet, head};
use super::properties::Place;
use super::reader::{Reader, Stop};
use super::reason;
use super::topic;
use super::violation::Violation;
use crate::bytes::Cursor;
use crate::event::Value;

/// The topic filters of a SUBSCRIBE or UNSUBSCRIBE, as far as they could be read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Filters<'a> {
    block: &'a [u8],
    /// Whether an octet of options follows each.
    with_options: bool,
    /// Whether these have all the meanings of level 5.
    v5: bool,
    /// Whether there are no more of them in the packet.
    whole: bool,
}

/// A topic filter and how it is subscribed to (clause 3.8.3).
#[derive(Debug, Clone, Copy)]
pub(super) struct Subscription<'a> {
    /// The filter as it stands there.
    pub(super) filter: &'a [u8],
    /// Its options, in UNSUBSCRIBE zero.
    pub(super) options: Options,
    v5: bool,
}

impl Subscription<'_> {
    /// The options with all the meanings of level 5, if they have them.
    pub(super) fn options_v5(&self) -> Option<Options> {
        self.v5.then_some(self.options)
    }
}

/// Subscription options (clause 3.8.3.1). Before level 5 only the QoS.
///
/// ```text
///    7 6       5 4          3           2        1 0
/// ┌─────────┬─────────┬───────────┬──────────┬────────┐
/// │reserved │retain h.│ as publ.  │ no local │  QoS   │
/// └─────────┴─────────┴───────────┴──────────┴────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Options(u8);

impl Options {
    /// The highest quality of service that is wanted, 0 to 3.
    pub(super) const fn qos(self) -> u8 {
        self.0 & 0b11
    }

    /// Whether the client's own messages are not wanted.
    pub(super) const fn no_local(self) -> bool {
        self.0 & 1 << 2 != 0
    }

    /// Whether the retain flag shall stay as the publisher set it.
    pub(super) const fn retain_as_published(self) -> bool {
        self.0 & 1 << 3 != 0
    }

    /// Whether retained messages are wanted: 0 always, 1 if the subscription is new, 2 never.
    pub(super) const fn retain_handling(self) -> u8 {
        self.0 >> 4 & 0b11
    }
}

impl<'a> Filters<'a> {
    /// Those of a request that was [kept](Self::block), read as they were then.
    pub(super) const fn of(block: &'a [u8], with_options: bool) -> Self {
        Self { block, with_options, v5: false, whole: false }
    }

    /// The octets that could be read of them.
    pub(super) const fn block(self) -> &'a [u8] {
        self.block
    }

    /// Whether all filters of the packet are there.
    pub(super) const fn is_whole(self) -> bool {
        self.whole
    }

    /// In order.
    pub(super) fn iter(self) -> impl Iterator<Item = Subscription<'a>> {
        let mut cursor = Cursor::new(self.block);
        std::iter::from_fn(move || {
            let length = cursor.u16_be().ok()?;
            let filter = cursor.take(length.into()).ok()?;
            let options = if self.with_options { cursor.u8().ok()? } else { 0 };
            Some(Subscription { filter, options: Options(options), v5: self.v5 })
        })
    }
}

/// Reads a SUBSCRIBE or UNSUBSCRIBE.
pub(super) fn read<'a>(packet: &mut Packet<'a>, reader: &mut Reader<'a, '_>) -> Result<(), Stop> {
    packet.id = Some(reader.packet_id()?);
    if reader.is_v5() {
        packet.properties.read(reader, Place::packet(packet.header.kind))?;
    }
    let with_options = packet.header.kind == PacketType::Subscribe;
    let v5 = reader.is_v5();
    let mut filters = Filters { block: &[], with_options, v5, whole: false };
    let result = read_filters(&mut filters, reader);
    packet.body = Body::Filters(filters);
    result
}

/// There is at least one [MQTT-3.8.3-2, 3.10.3-2].
fn read_filters<'a>(filters: &mut Filters<'a>, reader: &mut Reader<'a, '_>) -> Result<(), Stop> {
    let whole = reader.rest();
    loop {
        check_filter(filters.with_options, reader)?;
        let read = whole.len() - reader.rest().len();
        filters.block = whole.get(..read).unwrap_or_default();
        if reader.is_empty() {
            filters.whole = true;
            return Ok(());
        }
    }
}

fn check_filter(with_options: bool, reader: &mut Reader<'_, '_>) -> Result<(), Stop> {
    let at = reader.at();
    let filter = reader.text("topics.topic")?;
    if !topic::is_filter(filter, reader.is_v5()) {
        let value = Value::Text(head(filter));
        reader.report(Violation::TopicFilterInvalid, "topics.topic", value, at + 2);
    }
    if !with_options {
        return Ok(());
    }
    let at = reader.at();
    let options = Options(reader.u8("topics.options")?);
    if options.qos() == 3 {
        reader.report(Violation::QosInvalid, "topics.qos", Value::Integer(3), at);
    }
    let allowed = if reader.is_v5() {
        options.0 & 0b1100_0000 == 0
            && options.retain_handling() != 3
            && !(options.no_local() && topic::is_shared(filter))
    } else {
        options.0 & 0b1111_1100 == 0
    };
    if !allowed {
        let value = Value::Integer(options.0.into());
        reader.report(Violation::SubscriptionOptions, "topics.options", value, at);
    }
    Ok(())
}

/// Reads a SUBACK or UNSUBACK. Before level 5 an UNSUBACK has no codes.
pub(super) fn read_acknowledgment<'a>(
    packet: &mut Packet<'a>,
    reader: &mut Reader<'a, '_>,
) -> Result<(), Stop> {
    packet.id = Some(reader.packet_id()?);
    if reader.is_v5() {
        packet.properties.read(reader, Place::packet(packet.header.kind))?;
    } else if packet.header.kind == PacketType::Unsuback {
        reader.end();
        return Ok(());
    }
    let at = reader.at();
    let codes = reader.rest();
    packet.body = Body::Codes(codes);
    if reader.is_empty() {
        reader.u8("reason_codes")?;
    }
    let level = reader.dialect.level;
    for (index, &code) in codes.iter().enumerate() {
        if !reason::is_known(packet.header.kind, code, level) {
            let value = Value::Integer(code.into());
            reader.report(Violation::ReasonCodeUnknown, "reason_codes", value, at + index);
            break;
        }
    }
    Ok(())
}
