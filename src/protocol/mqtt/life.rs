//! The life of a connection: who is the client, and what each end may send next (clauses 3.1 to 3.14).
//!
//! ```text
//!  client:  silent ── CONNECT ──▶ talking ── DISCONNECT ──▶ left
//!  broker:  silent ── CONNACK ──▶ talking ── DISCONNECT ──▶ left      (level 5)
//!              ╰───── CONNACK ──▶ refused
//! ```
//!
//! What an end may send follows from what it sent before, which comes in order; so none of this
//! depends on the order in which the two directions are shown. The client need not wait for CONNACK.

use super::detect::role_of;
use super::header::{Level, PacketType};
use super::packet::Packet;
use super::violation::{Report, Violation};
use crate::event::Value;
use crate::flow::Direction;
use crate::protocol::Role;

/// So many packets more must say who the client is than say the contrary, until it is believed of a
/// connection whose CONNECT was not seen.
const CONVINCING: i8 = 3;

/// How far one end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It sent nothing.
    Silent,
    /// It sent its CONNECT, or the CONNACK that accepts.
    Talking,
    /// It sent a CONNACK that refuses.
    Refused,
    /// It sent DISCONNECT.
    Left,
    /// We did not see enough to tell, or it broke the rules: that is told once.
    Unknown,
}

/// Who the client is.
#[derive(Debug, Clone, Copy)]
struct Roles {
    to_broker: Direction,
    /// How many packets more said that this is so than said the contrary.
    votes: i8,
    /// CONNECT or CONNACK said it.
    said: bool,
}

/// How far the connection has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    /// By direction of the sender.
    stages: [Stage; 2],
    roles: Roles,
}

/// Something that a connection has only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing of note.
    None,
    /// The client opened the connection.
    Connect,
    /// The client did so again: a new one begins.
    Again,
    /// The broker accepted it.
    Accept,
    /// The broker refused it.
    Refuse,
    /// The packet does not count: its receiver has no use for it.
    Ignore,
}

impl Life {
    /// A connection without a packet yet. Of one that we joined we know nothing.
    pub(super) const fn new(joined: bool) -> Self {
        let stage = if joined { Stage::Unknown } else { Stage::Silent };
        let roles = Roles { to_broker: Direction::ToServer, votes: 0, said: false };
        Self { stages: [stage; 2], roles }
    }

    /// Which way leads to the broker, as far as is known.
    #[inline]
    pub(super) const fn way_to_broker(self) -> Direction {
        self.roles.to_broker
    }

    /// Octets of a direction were missed: whatever they said.
    pub(super) fn miss(&mut self, direction: Direction) {
        self.stages[direction.index()] = Stage::Unknown;
    }

    /// Takes a packet, and reports what its sender must not send, or not now.
    #[inline]
    pub(super) fn take(
        &mut self,
        direction: Direction,
        packet: &Packet<'_>,
        found: &mut dyn Report,
    ) -> Step {
        let kind = packet.header.kind;
        let talking = self.stages[direction.index()] == Stage::Talking;
        match kind {
            PacketType::Publish
            | PacketType::Puback
            | PacketType::Pubrec
            | PacketType::Pubrel
            | PacketType::Pubcomp
                if talking =>
            {
                Step::None
            }
            _ => self.look(direction, packet, found),
        }
    }

    fn look(&mut self, direction: Direction, packet: &Packet<'_>, found: &mut dyn Report) -> Step {
        let kind = packet.header.kind;
        let value = Value::Integer(kind as i64);
        if !self.roles.fits(direction, packet) {
            found.report(Violation::WrongDirection, "type", value, 0);
            return Step::Ignore;
        }
        let stage = &mut self.stages[direction.index()];
        let broken = match (*stage, direction == self.roles.to_broker) {
            (Stage::Silent, true) if kind != PacketType::Connect => Violation::NotConnectFirst,
            (Stage::Silent, false) if kind == PacketType::Auth => return Step::None,
            (Stage::Silent, false) if kind != PacketType::Connack => Violation::PacketBeforeConnack,
            (Stage::Left, _) => Violation::DataAfterDisconnect,
            (Stage::Talking | Stage::Refused, _)
                if matches!(kind, PacketType::Connect | PacketType::Connack) =>
            {
                Violation::ConnectRepeated
            }
            (Stage::Refused, _) => Violation::PacketBeforeConnack,
            (Stage::Silent | Stage::Talking | Stage::Unknown, _) => {
                return stage.advance(packet);
            }
        };
        found.report(broken, "type", value, 0);
        if broken == Violation::ConnectRepeated && kind == PacketType::Connack {
            return Step::Ignore;
        }
        let step = stage.advance(packet);
        if step == Step::None {
            *stage = Stage::Unknown;
        }
        if kind == PacketType::Connect && broken != Violation::NotConnectFirst {
            // What the broker says next is to this one.
            self.stages[direction.opposite().index()] = Stage::Unknown;
            return Step::Again;
        }
        step
    }
}

impl Stage {
    fn advance(&mut self, packet: &Packet<'_>) -> Step {
        let (stage, step) = match (packet.header.kind, packet.code) {
            (PacketType::Connect, _) => (Self::Talking, Step::Connect),
            (PacketType::Connack, Some(0)) => (Self::Talking, Step::Accept),
            (PacketType::Connack, Some(_)) => (Self::Refused, Step::Refuse),
            (PacketType::Connack, None) => (Self::Unknown, Step::None),
            (PacketType::Disconnect, _) => (Self::Left, Step::None),
            _ => return Step::None,
        };
        *self = stage;
        step
    }
}

impl Roles {
    /// Whether the end that it comes from may send this, as far as is known; learns who is who.
    fn fits(&mut self, direction: Direction, packet: &Packet<'_>) -> bool {
        let kind = packet.header.kind;
        let Some(role) = role_of(kind) else {
            // A broker's DISCONNECT is of level 5 (clause 3.14).
            let dialect = packet.dialect.filter(|dialect| !dialect.inferred);
            let old = dialect.is_some_and(|dialect| dialect.level < Level::V5);
            let wrong = kind == PacketType::Disconnect && old && direction != self.to_broker;
            return !(wrong && self.are_sure());
        };
        let to_broker = if role == Role::Client { direction } else { direction.opposite() };
        if self.are_sure() {
            return to_broker == self.to_broker;
        }
        if matches!(kind, PacketType::Connect | PacketType::Connack) {
            self.said = true;
            self.to_broker = to_broker;
        } else if to_broker == self.to_broker {
            self.votes += 1;
        } else if self.votes == 0 {
            (self.to_broker, self.votes) = (to_broker, 1);
        } else {
            self.votes -= 1;
        }
        true
    }

    const fn are_sure(self) -> bool {
        self.said || self.votes >= CONVINCING
    }
}
