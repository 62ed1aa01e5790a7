//! Counters of an engine.

use std::collections::BTreeMap;

use crate::event::Schema;

/// Plain values, rendered elsewhere. All only grow, but those said to be states.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Frames handed in.
    pub packets: u64,
    /// Octets of these frames on the wire.
    pub bytes: u64,
    /// Frames that gave no packet for a flow, by reason: other protocols than IP, fragments, and
    /// damage by the name of its anomaly.
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
    /// Alerts by [`Rule::index`](crate::rule::Rule::index).
    pub alerts: Vec<u64>,
}
