//! One packet: what is in it, and how to read it. Packets with much to say have their own files.

use super::connect::{self, Connect};
use super::header::{Dialect, Header, Level, PacketType};
use super::properties::{Place, Properties, Property};
use super::publish::{self, Publish};
use super::reader::{Reader, Stop};
use super::reason;
use super::subscribe::{self, Filters, Subscription};
use super::violation::{Report, Violation};
use super::websocket::Upgrade;
use super::who::Who;
use crate::event::Value;

/// The most octets of one packet that are kept, unless it is a PUBLISH: room for a CONNECT with
/// every field at its longest.
pub(super) const KEPT: usize = 1024 * 1024;

/// Octets of a payload that are shown. Longer than nearly all telemetry, shorter than a log line
/// should be.
const HEAD: usize = 1024;

/// A packet, borrowed from the wire. A field that could not be read is missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    /// The fixed header.
    pub(super) header: Header,
    /// What it was read as; `None` if that is not known and makes no difference to this packet.
    pub(super) dialect: Option<Dialect>,
    /// Octets at its end that were not looked at.
    pub(super) skipped: usize,
    /// The packet identifier.
    pub(super) id: Option<u16>,
    /// The return code or reason code.
    pub(super) code: Option<u8>,
    /// The properties; none before level 5.
    pub(super) properties: Properties<'a>,
    /// What only this type of packet has.
    pub(super) body: Body<'a>,
    /// Whose connection it is.
    pub(super) who: Option<&'a Who>,
    /// Milliseconds since the packet that it answers.
    pub(super) latency: Option<u32>,
    /// The topic filters that it answers.
    pub(super) answered: Filters<'a>,
    /// How the WebSocket began that carries it, if one does.
    pub(super) upgrade: Option<&'a Upgrade>,
}

/// What is special to a packet type.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body<'a> {
    /// Nothing, or nothing that could be read.
    None,
    /// Of CONNECT.
    Connect(Connect<'a>),
    /// Of CONNACK.
    Connack {
        /// Whether the server has the session already.
        session_present: bool,
    },
    /// Of PUBLISH.
    Publish(Publish<'a>),
    /// Of SUBSCRIBE and UNSUBSCRIBE.
    Filters(Filters<'a>),
    /// Of SUBACK and UNSUBACK: one a topic filter.
    Codes(&'a [u8]),
}

/// How many octets of the packet at the start of `bytes` are looked at, or more than there are where
/// that takes more octets to tell. The rest is skipped.
#[inline]
pub(super) fn kept(header: Header, dialect: Option<Dialect>, bytes: &[u8]) -> usize {
    match header.kind {
        PacketType::Publish => publish::kept(header, dialect, bytes),
        _ => header.total().min(KEPT),
    }
}

/// The part of a payload that is shown: whole characters, if it is text.
#[inline]
pub(super) fn head(payload: &[u8]) -> &[u8] {
    cut(payload, HEAD)
}

/// The first octets of a text, `most` (four or more) at the most: whole characters.
#[inline]
pub(super) fn cut(text: &[u8], most: usize) -> &[u8] {
    let is_inside = |octet: &u8| octet & 0b1100_0000 == 0b1000_0000;
    let Some(next) = text.get(most) else { return text };
    let mut end = most;
    if is_inside(next) {
        let start = text[most - 3..most].iter().rposition(|octet| !is_inside(octet));
        end = start.map_or(most, |start| most - 3 + start);
    }
    &text[..end]
}

impl<'a> Packet<'a> {
    /// Nothing but the header.
    #[inline]
    pub(super) fn new(header: Header, dialect: Option<Dialect>, skipped: usize) -> Self {
        Self {
            header,
            dialect,
            skipped,
            id: None,
            code: None,
            properties: Properties::default(),
            body: Body::None,
            who: None,
            latency: None,
            answered: Filters::of(&[], false),
            upgrade: None,
        }
    }

    /// Reads what follows the header, and reports what is wrong with it. `body` lacks the octets
    /// that are skipped.
    #[inline]
    pub(super) fn read(&mut self, body: &'a [u8], found: &mut dyn Report) {
        let dialect = self.dialect.unwrap_or(Dialect::inferred(Level::V4));
        let is_connect = self.header.kind == PacketType::Connect;
        if !is_connect {
            self.header.check(dialect, found);
        }
        let base = usize::from(self.header.length);
        // Whatever ended it was reported.
        let _ = self.read_body(&mut Reader::new(body, base, self.skipped, dialect, found));
        // What rules its header is what it says itself.
        if is_connect {
            self.header.check(self.dialect.unwrap_or(dialect), found);
        }
    }

    /// Reads what follows the header.
    #[inline]
    pub(super) fn read_body(&mut self, reader: &mut Reader<'a, '_>) -> Result<(), Stop> {
        match self.header.kind {
            PacketType::Publish => publish::read(self, reader),
            PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp => {
                self.read_acknowledgment(reader)
            }
            PacketType::Connect => connect::read(self, reader),
            PacketType::Connack => connect::read_acknowledgment(self, reader),
            PacketType::Subscribe | PacketType::Unsubscribe => subscribe::read(self, reader),
            PacketType::Suback | PacketType::Unsuback => {
                subscribe::read_acknowledgment(self, reader)
            }
            PacketType::Disconnect => self.read_reason(reader),
            PacketType::Auth if reader.is_v5() => self.read_reason(reader),
            PacketType::Pingreq | PacketType::Pingresp => {
                reader.end();
                Ok(())
            }
            PacketType::Reserved | PacketType::Auth => Ok(()),
        }
    }

    /// PUBACK, PUBREC, PUBREL, PUBCOMP (clauses 3.4 to 3.7).
    #[inline]
    fn read_acknowledgment(&mut self, reader: &mut Reader<'a, '_>) -> Result<(), Stop> {
        self.id = Some(reader.packet_id()?);
        self.read_reason(reader)
    }

    /// A reason code and properties; of level 5, and even there either may be left out.
    #[inline]
    fn read_reason(&mut self, reader: &mut Reader<'a, '_>) -> Result<(), Stop> {
        if reader.is_v5() {
            if reader.is_empty() {
                self.code = Some(0);
                return Ok(());
            }
            self.read_code(reader, "reason_code")?;
            if !reader.is_empty() {
                self.properties.read(reader, Place::packet(self.header.kind))?;
            }
        }
        reader.end();
        Ok(())
    }

    /// A return or reason code.
    pub(super) fn read_code(
        &mut self,
        reader: &mut Reader<'a, '_>,
        field: &'static str,
    ) -> Result<(), Stop> {
        let code = reader.u8(field)?;
        self.code = Some(code);
        if !reason::is_known(self.header.kind, code, reader.dialect.level) {
            let (value, at) = (Value::Integer(code.into()), reader.at() - 1);
            reader.report(Violation::ReasonCodeUnknown, field, value, at);
        }
        Ok(())
    }

    /// The topic alias of a PUBLISH.
    #[inline]
    pub(super) fn topic_alias(&self) -> Option<u16> {
        const ALIAS: &Property = Property::named("topic_alias");
        self.properties.integer(ALIAS).map(|alias| alias as u16)
    }

    /// A value of a CONNECT.
    #[inline]
    pub(super) fn connect<'p>(
        &'p self,
        get: impl FnOnce(&'p Connect<'a>) -> Value<'p>,
    ) -> Value<'p> {
        match &self.body {
            Body::Connect(connect) => get(connect),
            _ => Value::Absent,
        }
    }

    /// The properties of a will.
    pub(super) fn will_properties(&self) -> Properties<'a> {
        match &self.body {
            Body::Connect(connect) => connect.will_properties,
            _ => Properties::default(),
        }
    }

    /// A value of a PUBLISH.
    #[inline]
    pub(super) fn publish<'p>(
        &'p self,
        get: impl FnOnce(&'p Publish<'a>) -> Value<'p>,
    ) -> Value<'p> {
        match &self.body {
            Body::Publish(publish) => get(publish),
            _ => Value::Absent,
        }
    }

    /// The topic filters of a SUBSCRIBE or UNSUBSCRIBE.
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = Subscription<'a>> {
        match self.body {
            Body::Filters(filters) => filters,
            _ => Filters::default(),
        }
        .iter()
    }

    /// The codes of a SUBACK or UNSUBACK.
    pub(super) fn codes(&self) -> impl Iterator<Item = u8> {
        match self.body {
            Body::Codes(codes) => codes,
            _ => &[],
        }
        .iter()
        .copied()
    }
}
