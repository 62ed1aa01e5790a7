//! Application protocols: what they register, and how they are recognised.
//!
//! A protocol is a folder here and a line in [`REGISTRY`]. Everything else learns of it through
//! its [`Protocol`] entry: fields for rules and records, names for metrics and anomalies, facts
//! for people.

pub mod iec104;
pub mod mqtt;

use crate::event::{Records, Schema, Value};
use crate::flow::{Direction, Progress};
use crate::packet::Defect;
use crate::time::Timestamp;

/// All protocols, in the order in which detection asks them.
pub static REGISTRY: &[&Protocol] = &[&iec104::PROTOCOL, &mqtt::PROTOCOL];

/// What a protocol registers.
#[derive(Debug)]
pub struct Protocol {
    /// `app_proto` in records and the label `protocol` of metrics.
    pub name: &'static str,
    /// TCP ports of its servers: a hint for detection and for who is the server.
    pub ports: &'static [u16],
    /// The record types that its parser emits.
    pub schemas: &'static [&'static Schema],
    /// Every `anomaly.event` that its parser raises.
    pub anomalies: &'static [&'static str],
    /// The most octets that its parser asks to be kept for one unfinished message.
    pub max_kept: usize,
    /// Looks at the first octets of a direction, all of them, at most a few hundred.
    pub detect: fn(&[u8]) -> Detection,
    /// A parser for a new flow.
    pub start: fn(Start) -> Box<dyn Parser>,
    /// What people call its servers, in the plural: the title of their table in a summary.
    pub servers: &'static str,
    /// The names of the facts that its parsers tell of a server: the columns of that table, in
    /// every summary the same.
    pub facts: &'static [&'static str],
}

/// How a parser meets its flow.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// Whether the flow had begun before we saw it: the first octets may be the middle of a
    /// message, or one stale octet of a TCP keep-alive, and state may be missing.
    pub joined: bool,
}

/// What detection thinks of the first octets of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detection {
    /// Not this protocol.
    No,
    /// It may be; more octets would tell.
    More,
    /// It is. The role of who sent these octets, where they give it away.
    Yes(Option<Role>),
}

/// Which end of a flow somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The MQTT client, the controlling station.
    Client,
    /// The MQTT broker, the controlled station.
    Server,
}

/// Octets of one direction, in order and without a hole since the last call.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Which way they went.
    pub direction: Direction,
    /// The packet time of the last of them.
    pub time: Timestamp,
    /// The octets, from the first that is not consumed.
    pub bytes: &'a [u8],
}

/// The state of one flow of a protocol. Owns no copy of the stream.
pub trait Parser: Send {
    /// Reads as many messages as there are.
    fn data(&mut self, input: Input<'_>, out: &mut dyn Records) -> Progress;

    /// `missing` octets of a direction will never come; those kept for an unfinished message are
    /// gone with them. The next data of this direction begins somewhere in a message.
    fn gap(&mut self, direction: Direction, missing: u64, out: &mut dyn Records);

    /// The flow is over. `left` octets by direction were kept for a message that never ended.
    fn end(&mut self, left: [usize; 2], out: &mut dyn Records);

    /// Tells what a person wants to know of the flow's server, each under a name of
    /// [`Protocol::facts`]. Called once, when the flow is over.
    fn facts(&self, tell: &mut dyn FnMut(&'static str, Fact<'_>));
}

/// A thing to know of a server, which several of its flows can tell parts of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fact<'a> {
    /// A number that adds up over flows.
    Count(u64),
    /// A member of a set that is joined over flows.
    Member(Value<'a>),
}

/// The protocol with this name.
pub fn by_name(name: &str) -> Option<&'static Protocol> {
    REGISTRY.iter().copied().find(|protocol| protocol.name == name)
}

/// Every record type that a rule can be about: those below protocols, then those that protocols
/// register.
pub fn services() -> impl Iterator<Item = &'static Schema> {
    [&crate::event::FLOW, &crate::event::ANOMALY]
        .into_iter()
        .chain(REGISTRY.iter().flat_map(|protocol| protocol.schemas.iter().copied()))
}

/// Every name that `anomaly.event` can have: of packets and streams, then of protocols.
pub fn anomalies() -> impl Iterator<Item = &'static str> {
    const BELOW: &[&str] = &["gap", "overlap_differs", "sequence_frozen", "tcp_checksum"];
    Defect::ALL
        .iter()
        .map(|defect| defect.name())
        .chain(BELOW.iter().copied())
        .chain(REGISTRY.iter().flat_map(|protocol| protocol.anomalies.iter().copied()))
}
