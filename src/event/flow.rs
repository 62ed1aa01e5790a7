//! The end of a flow.

use super::{Kind, Value};
use crate::record;
use crate::time::Timestamp;

/// How far a flow came; names as Suricata has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowState {
    /// Only one end spoke.
    New,
    /// Both did.
    Established,
    /// Both said that they are done, or one reset the connection.
    Closed,
}

/// Why a flow ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowReason {
    /// It was silent for too long.
    Timeout,
    /// There was no room for it.
    Evicted,
    /// Another connection began between the same ends.
    Reused,
    /// Nothing more is looked at.
    Shutdown,
}

impl FlowState {
    /// Names, by code.
    pub const NAMES: &'static [&'static str] = &["new", "established", "closed"];
}

impl FlowReason {
    /// Names, by code.
    pub const NAMES: &'static [&'static str] = &["timeout", "evicted", "reused", "shutdown"];

    /// Its name in records and metrics.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// What a flow was, told once, when it ends.
#[derive(Debug, Clone, Copy)]
pub struct FlowRecord {
    /// Packets by [`Direction`](crate::flow::Direction).
    pub packets: [u64; 2],
    /// Octets on the wire, frames whole, by direction.
    pub bytes: [u64; 2],
    /// Time of the first packet.
    pub start: Timestamp,
    /// Time of the last packet.
    pub end: Timestamp,
    /// How far it came.
    pub state: FlowState,
    /// Why it ended; `None` while it goes on.
    pub reason: Option<FlowReason>,
    /// Whether a rule fired in it.
    pub alerted: bool,
    /// Whether it had begun before we saw it.
    pub joined: bool,
    /// Holes in its streams that never came, by direction.
    pub gaps: [u64; 2],
    /// Bytes missed in them, by direction.
    pub bytes_missed: [u64; 2],
    /// Segments that carried only what had been seen, by direction.
    pub retransmissions: [u64; 2],
}

record! {
    /// A flow that ended.
    pub static FLOW: FlowRecord = "flow";
    fields {
        "flow.pkts_toserver": Kind::Integer, "Packets to the server."
            => |f| Value::Integer(f.packets[0] as i64);
        "flow.pkts_toclient": Kind::Integer, "Packets to the client."
            => |f| Value::Integer(f.packets[1] as i64);
        "flow.bytes_toserver": Kind::Integer, "Octets to the server, frames whole."
            => |f| Value::Integer(f.bytes[0] as i64);
        "flow.bytes_toclient": Kind::Integer, "Octets to the client, frames whole."
            => |f| Value::Integer(f.bytes[1] as i64);
        "flow.start": Kind::Time, "Time of the first packet."
            => |f| Value::Time(f.start);
        "flow.end": Kind::Time, "Time of the last packet."
            => |f| Value::Time(f.end);
        "flow.age": Kind::Integer, "Whole seconds between them."
            => |f| Value::Integer(f.end.since(f.start).as_secs() as i64);
        "flow.state": Kind::Name(FlowState::NAMES), "How far it came."
            => |f| Value::Code(f.state as u8);
        "flow.reason": Kind::Name(FlowReason::NAMES), "Why it ended."
            => |f| Value::maybe(f.reason, |reason| Value::Code(reason as u8));
        "flow.alerted": Kind::Boolean, "Whether a rule fired in it."
            => |f| Value::Boolean(f.alerted);
        "flow.joined": Kind::Boolean, "Whether it had begun before the capture."
            => |f| Value::Boolean(f.joined);
        "flow.gaps_toserver": Kind::Integer, "Holes in the stream to the server."
            => |f| Value::Integer(f.gaps[0] as i64);
        "flow.gaps_toclient": Kind::Integer, "Holes in the stream to the client."
            => |f| Value::Integer(f.gaps[1] as i64);
        "flow.missed_toserver": Kind::Integer, "Octets missed in the stream to the server."
            => |f| Value::Integer(f.bytes_missed[0] as i64);
        "flow.missed_toclient": Kind::Integer, "Octets missed in the stream to the client."
            => |f| Value::Integer(f.bytes_missed[1] as i64);
        "flow.retransmissions_toserver": Kind::Integer, "Segments to the server that brought nothing new."
            => |f| Value::Integer(f.retransmissions[0] as i64);
        "flow.retransmissions_toclient": Kind::Integer, "Segments to the client that brought nothing new."
            => |f| Value::Integer(f.retransmissions[1] as i64);
    }
}
