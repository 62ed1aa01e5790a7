//! Counters of an engine.

use std::collections::BTreeMap;

use crate::event::Schema;
use crate::protocol;

/// Reasons in [`Stats::decode_errors`] that are no damage: another protocol than IP …
pub const NOT_IP: &str = "not_ip";
/// … a fragment of an IP packet …
pub const FRAGMENT: &str = "fragment";
/// … and a frame that the capture cut off within its headers.
pub const CUT: &str = "cut";

/// Plain values, rendered elsewhere. All only grow, but those said to be states.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Frames handed in.
    pub packets: u64,
    /// Octets of these frames on the wire.
    pub bytes: u64,
    /// Frames that gave no packet for a flow, by reason: [`NOT_IP`], [`FRAGMENT`], [`CUT`], and
    /// damage by the name of its anomaly; and frames with something in them that is only
    /// [named](crate::packet::UNREAD), which may be of a flow all the same.
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

impl Stats {
    /// Adds the counters of another engine with the same rules.
    pub fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.flows_active += other.flows_active;
        self.flows_created += other.flows_created;
        self.gaps += other.gaps;
        self.bytes_missed += other.bytes_missed;
        self.stream_memory += other.stream_memory;
        add_named(&mut self.decode_errors, &other.decode_errors);
        add_named(&mut self.flows_ended, &other.flows_ended);
        add_named(&mut self.anomalies, &other.anomalies);
        if self.messages.is_empty() {
            self.messages.clone_from(&other.messages);
        } else {
            for ((_, counts), (_, others)) in self.messages.iter_mut().zip(&other.messages) {
                add_all(counts, others);
            }
        }
        self.add_alerts(&other.alerts);
    }

    /// Adds alerts that no engine found, by [`Rule::index`](crate::rule::Rule::index).
    pub fn add_alerts(&mut self, alerts: &[u64]) {
        self.alerts.resize(self.alerts.len().max(alerts.len()), 0);
        add_all(&mut self.alerts, alerts);
    }

    /// Messages of application protocols by type: protocol, type, how many. Every type that there
    /// is has its row, so that whoever watches the counters sees the first message of a type as a
    /// step from 0, and not as a counter that comes from nowhere.
    pub fn messages_by_type(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        self.of_messages().flat_map(|(schema, counts)| {
            let types = schema.message_types.iter().zip(counts);
            let named = types.filter(|(name, _)| !name.is_empty());
            named.map(|(name, count)| (schema.name, *name, *count))
        })
    }

    /// Messages of application protocols: protocol, how many.
    pub fn messages_by_protocol(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.of_messages().map(|(schema, counts)| (schema.name, counts.iter().sum()))
    }

    /// Counters of the records that are messages: those named after their protocol. Others are
    /// about parts of a message, or about packets and flows.
    fn of_messages(&self) -> impl Iterator<Item = (&'static Schema, &Vec<u64>)> {
        let of_messages = self.messages.iter().map(|(schema, counts)| (*schema, counts));
        of_messages.filter(|(schema, _)| protocol::by_name(schema.name).is_some())
    }
}

fn add_all(counts: &mut [u64], others: &[u64]) {
    counts.iter_mut().zip(others).for_each(|(count, other)| *count += other);
}

fn add_named(counts: &mut BTreeMap<&'static str, u64>, others: &BTreeMap<&'static str, u64>) {
    for (name, other) in others {
        *counts.entry(name).or_default() += other;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn counters_of_two_engines_add_up() {
        let mut one = Stats { packets: 1, alerts: vec![1, 2], ..Stats::default() };
        one.flows_ended.insert("timeout", 3);
        let mut sum = one.clone();
        sum.add(&one);
        assert_eq!((sum.packets, sum.alerts, sum.flows_ended["timeout"]), (2, vec![2, 4], 6));
    }

    use super::*;

    #[test]
    fn only_messages_are_messages_and_every_type_has_a_row() {
        let counted =
            |schema: &'static Schema| (schema, vec![1; schema.message_types.len().max(1)]);
        let messages = protocol::services().map(counted).collect();
        let stats = Stats { messages, ..Stats::default() };
        let protocols: Vec<_> = stats.messages_by_protocol().map(|(name, _)| name).collect();
        assert_eq!(protocols, ["iec104", "mqtt", "tls"]);
        let rows: Vec<_> = stats.messages_by_type().collect();
        assert!(rows.iter().all(|(.., name, count)| !name.is_empty() && *count == 1), "{rows:?}");
        for row in [("iec104", "C_SC_NA_1", 1), ("iec104", "S", 1), ("mqtt", "publish", 1)] {
            assert!(rows.contains(&row), "{row:?} is not in {rows:?}");
        }
    }
}
