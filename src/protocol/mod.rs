//! Application protocols: what they register, and how they are recognised.
//!
//! A protocol is a folder here and a line in [`REGISTRY`]. Everything else learns of it through
//! its [`Protocol`] entry: fields for rules and records, names for metrics and anomalies, facts
//! for people.

#[cfg(test)]
mod conversation;
pub mod iec104;
pub mod mqtt;
mod settings;
#[cfg(test)]
mod show;
pub mod tls;

use std::any::Any;
use std::ops::RangeInclusive;

pub use settings::{Configured, Parameter, ParameterKind, Parameters, ServerSettings, Standard};

use crate::event::{Records, Redaction, Schema, Secrecy, Value};
use crate::flow::{Acknowledged, Direction, FlowKey, Progress, Side};
use crate::packet::Defect;
use crate::time::Timestamp;

/// All protocols, in the order in which detection asks them.
pub static REGISTRY: &[&Protocol] = &[&iec104::PROTOCOL, &mqtt::PROTOCOL, &tls::PROTOCOL];

/// What a protocol registers.
#[derive(Debug)]
pub struct Protocol {
    /// `app_proto` in records and the label `protocol` of metrics.
    pub name: &'static str,
    /// TCP ports of its servers: a hint for detection and for who is the server.
    pub ports: &'static [u16],
    /// The record types that its parser emits.
    pub schemas: &'static [&'static Schema],
    /// Dotted names of the fields and objects in their records that Suricata's schema of EVE does not
    /// have; `*` stands for one part. `docs/records.md` says what they are.
    pub additions: &'static [&'static str],
    /// Every `anomaly.event` that its parser raises, by what raises it.
    pub anomalies: &'static [&'static [&'static str]],
    /// The most octets that its parser asks to be kept for one unfinished message.
    pub max_kept: usize,
    /// Whether its messages may hold what is to be [hidden](crate::event::Records::secret). Its
    /// parser tells of it before it has read beyond it, and of what it never got to read.
    pub secrets: bool,
    /// Every octet that a message can begin with.
    pub first_octets: &'static [u8],
    /// Whether a message may begin at some place in a stream, by so few octets that every place can
    /// be asked. Where it may not, [`recognise`](Self::recognise) says [`Likeness::No`].
    pub may_begin: fn(&[u8]) -> bool,
    /// Looks at such a place.
    pub recognise: fn(&[u8]) -> Likeness,
    /// What a look at a message costs, as octets that are read: the least and the most.
    pub look: RangeInclusive<usize>,
    /// A parser for a new flow.
    pub start: fn(Start<'_>, &Shared) -> Box<dyn Parser>,
    /// What its flows share, before there is any. A parser is given what this made.
    pub shared: fn() -> Box<Shared>,
    /// What people may configure of its servers.
    pub parameters: Parameters,
    /// Puts what is configured into what its flows share. Flows that began before may keep to what
    /// held then.
    pub configure: fn(&mut Shared, &[ServerSettings]),
    /// What people call its servers, in the plural: the title of their table in a summary.
    pub servers: &'static str,
    /// The names of the facts that its parsers tell of a server: the columns of that table, in
    /// every summary the same.
    pub facts: &'static [&'static str],
}

/// What the flows of a protocol share on one engine: the memory of a station that outlives its
/// connections. All flows between two hosts are handled by one engine. Only the protocol that made
/// it knows what it is.
pub type Shared = dyn Any + Send;

/// How a parser meets its flow.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The two ends.
    pub key: &'a FlowKey,
    /// Which of them opened the flow, as far as is known.
    pub client: Side,
    /// Whether something went before what we see: the first octets of a direction may be the middle
    /// of a message, or one stale octet of a TCP keep-alive, and state may be missing.
    pub joined: bool,
}

/// What the octets at some place in a stream look like to a protocol.
///
/// The answer follows from the octets alone: once they are enough for one, more do not change it.
/// Evidence is in bits: about the binary logarithm of how many places with random octets it takes
/// for one to look like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// No message of this protocol begins here, as the first few octets tell.
    No,
    /// Nor here, but to tell cost as much as to read so many octets.
    Refuted(usize),
    /// It takes so many octets in all to go on: more than there are.
    More(usize),
    /// A message begins here.
    Message {
        /// Its octets.
        length: usize,
        /// How unlikely it is that something else looks like it.
        evidence: u32,
        /// Who sends such a message, where it gives that away.
        sender: Option<Role>,
    },
    /// Something begins here that is framed as a message, and is wrong or out of the ordinary.
    Flawed {
        /// Its octets, if it is a message.
        length: usize,
        /// How unlikely it is that something else looks like it.
        evidence: u32,
    },
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
    /// The packet time of the last of them; of the packet that closed the hole before them, if they
    /// are late.
    pub time: Timestamp,
    /// Whether they came earlier, and waited for what was missing before them.
    pub late: bool,
    /// Whether somebody keeps the clock in step that packet times come from.
    pub clock_trusted: bool,
    /// How much their sender had taken of the other direction when it sent the last of them; if they
    /// are late, at the most.
    pub acknowledged: Acknowledged,
    /// The octets, from the first that is not consumed.
    pub bytes: &'a [u8],
}

/// What was kept of a direction when its flow ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Left<'a> {
    /// The octets.
    pub bytes: &'a [u8],
    /// Whether their sender ended the stream behind them. Else there may have been more, which we did
    /// not see.
    pub ended: bool,
}

/// The state of one flow of a protocol. Owns no copy of the stream.
pub trait Parser: Send {
    /// Reads as many messages as there are.
    fn data(&mut self, input: Input<'_>, shared: &mut Shared, out: &mut dyn Records) -> Progress;

    /// `missing` octets of a direction will never come; those kept for an unfinished message are
    /// gone with them. The next data of this direction begins somewhere in a message.
    fn gap(&mut self, direction: Direction, missing: u64, out: &mut dyn Records);

    /// No more data will come; the last packet of the flow, of either end, came at `last`. By
    /// direction of the sender, how much each end had taken of the other's. Comes before
    /// [`end`](Self::end).
    fn last_packet(
        &mut self,
        _last: Timestamp,
        _acknowledged: [Acknowledged; 2],
        _out: &mut dyn Records,
    ) {
    }

    /// The flow is over. By direction, what was kept for a message that never ended.
    fn end(&mut self, left: [Left<'_>; 2], shared: &mut Shared, out: &mut dyn Records);

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
    /// The same, and it says who somebody is.
    UserName(Value<'a>),
}

impl Fact<'_> {
    /// As it may leave the process.
    #[must_use]
    pub fn redacted(self, redaction: Redaction) -> Self {
        match self {
            Self::UserName(name) => Self::UserName(redaction.shown(Secrecy::UserName, name)),
            other => other,
        }
    }
}

/// The protocol with this name.
pub fn by_name(name: &str) -> Option<&'static Protocol> {
    REGISTRY.iter().copied().find(|protocol| protocol.name == name)
}

/// Record types below protocols.
static BELOW: [&Schema; 3] = [&crate::event::FLOW, &crate::event::ANOMALY, &crate::event::SENSOR];

const SERVICE_COUNT: usize = {
    let (mut count, mut protocol) = (BELOW.len(), 0);
    while protocol < REGISTRY.len() {
        count += REGISTRY[protocol].schemas.len();
        protocol += 1;
    }
    count
};

/// Every record type that a rule can be about: those below protocols, then those that protocols
/// register.
pub static SERVICES: [&Schema; SERVICE_COUNT] = {
    let mut services = [BELOW[0]; SERVICE_COUNT];
    let mut count = 0;
    while count < BELOW.len() {
        services[count] = BELOW[count];
        count += 1;
    }
    let mut protocol = 0;
    while protocol < REGISTRY.len() {
        let schemas = REGISTRY[protocol].schemas;
        let mut index = 0;
        while index < schemas.len() {
            services[count] = schemas[index];
            (count, index) = (count + 1, index + 1);
        }
        protocol += 1;
    }
    services
};

/// The same, one after another.
pub fn services() -> impl Iterator<Item = &'static Schema> {
    SERVICES.iter().copied()
}

/// Every name that `anomaly.event` can have: of packets, streams and detection, then of protocols.
pub fn anomalies() -> impl Iterator<Item = &'static str> {
    const BELOW: &[&str] = &[
        "ack_missing",
        "data_after_close",
        "fin_out_of_window",
        "gap",
        "old_timestamp",
        "one_sided",
        "overlap_differs",
        "reset_out_of_window",
        "sequence_frozen",
        "tcp_checksum",
        "ttl_short",
        "urgent_data",
        "wrong_protocol",
    ];
    Defect::ALL
        .iter()
        .map(|defect| defect.name())
        .chain(BELOW.iter().copied())
        .chain(REGISTRY.iter().flat_map(|protocol| protocol.anomalies.concat()))
}
