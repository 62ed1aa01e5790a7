//! What each end takes, and whether the other keeps to it (clauses 3.1.2.11 and 3.2.2.3).

use super::header::Level;
use super::packet::Packet;
use super::properties::{Properties, Property};
use super::session::Seen;
use super::settings::Settings;
use super::violation::{Report, Violation};
use crate::event::Value;
use crate::flow::{Acknowledged, Direction};
use crate::time::Timestamp;

/// What an end takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Octets of a packet.
    packet_size: u32,
    /// Messages with QoS 1 and 2 at a time.
    pub(super) receive_maximum: u16,
    /// The highest topic alias.
    alias_maximum: u16,
}

impl Limits {
    /// Nothing was announced, or not that we know of.
    const NONE: Self =
        Self { packet_size: u32::MAX, receive_maximum: u16::MAX, alias_maximum: u16::MAX };

    /// Of the properties of CONNECT or CONNACK; where there are none, the standard has defaults.
    fn announced(level: Level, properties: &Properties<'_>) -> Self {
        const PACKET_SIZE: &Property = Property::named("maximum_packet_size");
        const RECEIVE_MAXIMUM: &Property = Property::named("receive_maximum");
        const ALIAS_MAXIMUM: &Property = Property::named("topic_alias_maximum");
        if level < Level::V5 {
            return Self::NONE;
        }
        let short = |property| properties.integer(property).map(|value| value as u16);
        Self {
            packet_size: properties.integer(PACKET_SIZE).unwrap_or(u32::MAX),
            receive_maximum: short(RECEIVE_MAXIMUM).unwrap_or(u16::MAX),
            alias_maximum: short(ALIAS_MAXIMUM).unwrap_or(0),
        }
    }
}

/// What a broker announced, and that its client may not know yet: it need not wait for CONNACK.
#[derive(Debug, Clone, Copy)]
struct Announced {
    limits: Limits,
    /// When the client had sent something after it took CONNACK.
    known: Option<Timestamp>,
}

/// The limits of both directions.
#[derive(Debug)]
pub(super) struct Bounds {
    /// By direction of the sender: what the receiver takes.
    limits: [Limits; 2],
    announced: Option<Announced>,
    settings: Settings,
}

impl Bounds {
    pub(super) fn new(settings: Settings) -> Self {
        Self { limits: [Limits::NONE; 2], announced: None, settings }
    }

    /// What is configured.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Another broker's settings hold.
    pub(super) fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// CONNECT: from now on, and for all that the broker sends.
    pub(super) fn connect(&mut self, to_broker: Direction, packet: &Packet<'_>) {
        let level = packet.dialect.map_or(Level::V4, |dialect| dialect.level);
        self.limits[to_broker.opposite().index()] = Limits::announced(level, &packet.properties);
        self.limits[to_broker.index()] = Limits::NONE;
    }

    /// CONNACK of a level: as soon as the client knows of it.
    pub(super) fn accept(&mut self, level: Level, properties: &Properties<'_>) {
        let limits = Limits::announced(level, properties);
        self.announced = Some(Announced { limits, known: None });
    }

    /// The limits that count for this packet's sender.
    #[inline]
    pub(super) fn of(&mut self, seen: &Seen, to_broker: Direction) -> Limits {
        if self.announced.is_some() && seen.direction == to_broker && !seen.late {
            self.look_whether_known(seen);
        }
        self.limits[seen.direction.index()]
    }

    /// What a client writes at once, before it reads, may go out after its host has acknowledged
    /// CONNACK; so they count for what it sends at a later time.
    #[cold]
    fn look_whether_known(&mut self, seen: &Seen) {
        let Some(announced) = &mut self.announced else { return };
        match announced.known {
            Some(since) if seen.time > since => {
                self.limits[seen.direction.index()] = announced.limits;
                self.announced = None;
            }
            None if seen.acknowledged != Acknowledged::Part => announced.known = Some(seen.time),
            _ => {}
        }
    }

    /// Reports a packet that is larger than its receiver takes [MQTT-3.1.2-24, 3.2.2-15], or than is
    /// configured.
    #[inline]
    pub(super) fn check_size(&self, limits: Limits, packet: &Packet<'_>, found: &mut dyn Report) {
        let most = limits.packet_size.min(self.settings.maximum_packet_size) as usize;
        if packet.header.total() > most {
            let value = Value::Integer(packet.header.total() as i64);
            found.report(Violation::PacketTooLarge, "length", value, 1);
        }
    }

    /// Reports a topic with more levels than are configured. `at` is where it stands.
    #[inline]
    pub(super) fn check_levels(
        &self,
        topic: &[u8],
        field: &'static str,
        at: impl FnOnce() -> usize,
        found: &mut dyn Report,
    ) {
        // So many levels take as many octets, less one.
        if topic.len() < self.settings.topic_levels as usize {
            return;
        }
        let levels = 1 + memchr::memchr_iter(b'/', topic).count();
        if levels > self.settings.topic_levels as usize {
            found.report(Violation::TopicTooDeep, field, Value::Integer(levels as i64), at());
        }
    }
}

impl Limits {
    /// Reports an alias that its receiver does not take [MQTT-3.3.2-9, 3.3.2-11].
    pub(super) fn check_alias(self, alias: u16, found: &mut dyn Report) {
        if alias > self.alias_maximum {
            let value = Value::Integer(alias.into());
            found.report(Violation::AliasOverMaximum, "topic_alias", value, 0);
        }
    }
}
