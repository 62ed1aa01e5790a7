//! Frames in, events and alerts out.
//!
//! No I/O, no clock, no thread, no global: the same calls with the same arguments give the same
//! events, live and in replay.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{Event, Schema};
use crate::packet::Frame;
use crate::protocol::{Fact, Protocol};
use crate::rule::{Matcher, Rule, RuleSet};
use crate::time::Timestamp;

/// Takes what the engine finds. Borrowed values are gone when a call returns.
pub trait Sink {
    /// A record. Not called for types that [`wants`](Self::wants) turned down.
    fn record(&mut self, event: &Event<'_>);

    /// A rule fired on a record. Follows the record itself.
    fn alert(&mut self, event: &Event<'_>, rule: &Rule);

    /// Whether records of this type are of interest; asked once, when the engine is made.
    fn wants(&self, schema: &'static Schema) -> bool;

    /// A flow with a known protocol is over: what its parser tells of `server`.
    fn fact(
        &mut self,
        server: std::net::IpAddr,
        protocol: &'static Protocol,
        name: &'static str,
        fact: Fact<'_>,
    );
}

/// Counters of an engine; plain values, rendered elsewhere. All only grow but those said to be
/// states.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Frames handed in.
    pub packets: u64,
    /// Octets of these frames on the wire.
    pub bytes: u64,
    /// Frames or packets that could not be decoded, by reason.
    pub decode_errors: BTreeMap<&'static str, u64>,
    /// State: flows in the table.
    pub flows_active: u64,
    /// Flows that began.
    pub flows_created: u64,
    /// Flows that ended, by reason.
    pub flows_ended: BTreeMap<&'static str, u64>,
    /// Holes in streams that never came.
    pub gaps: u64,
    /// Octets missed in them.
    pub bytes_missed: u64,
    /// State: octets kept for streams out of order and unfinished messages.
    pub stream_memory: u64,
    /// Records by type and message type: an index of [`Schema::message_types`].
    pub messages: Vec<(&'static Schema, Vec<u64>)>,
    /// Anomalies by name.
    pub anomalies: BTreeMap<&'static str, u64>,
    /// Alerts by [`Rule::index`].
    pub alerts: Vec<u64>,
}

/// The whole way of the data for one thread.
pub struct Engine {
    matcher: Matcher,
    stats: Stats,
}

impl Engine {
    /// An engine without any flow.
    pub fn new(rules: Arc<RuleSet>, _sink: &dyn Sink) -> Self {
        Self { matcher: Matcher::new(rules), stats: Stats::default() }
    }

    /// Takes one frame.
    pub fn handle(&mut self, frame: &Frame<'_>, _sink: &mut dyn Sink) {
        self.stats.packets += 1;
        self.stats.bytes += u64::from(frame.wire_length);
    }

    /// Ends what is due at `now`.
    pub fn tick(&mut self, _now: Timestamp, _sink: &mut dyn Sink) {}

    /// Ends every flow.
    pub fn finish(&mut self, _sink: &mut dyn Sink) {}

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The rules in force.
    pub fn rules(&self) -> &RuleSet {
        self.matcher.rules()
    }
}
