//! The engine's counters in Prometheus' text format.
//!
//! The engine counts in plain values; here they get names, labels and explanations. A page is
//! made anew whenever somebody wants one, so nothing is kept in step with the engine.

use std::time::Duration;

use prometheus::{
    Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::engine::Stats;
use crate::protocol::REGISTRY;
use crate::rule::{Rule, Suppressed};

/// What is counted behind the engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Behind {
    /// Alerts that were not told.
    pub suppressed: Suppressed,
    /// Groups that correlations let go before their time.
    pub evicted_groups: u64,
}

/// The counters of `stats` and `behind`, in Prometheus' text format.
///
/// `elapsed` is how long a replay took for all packets, reading and writing included.
///
/// # Errors
///
/// None that input could bring about: names and labels are ours.
pub fn render(
    stats: &Stats,
    rules: &[Rule],
    behind: &Behind,
    elapsed: Option<Duration>,
) -> prometheus::Result<String> {
    let page = Page(Registry::new());
    page.build()?;
    page.packets(stats)?;
    if let Some(elapsed) = elapsed {
        page.replay(stats, elapsed)?;
    }
    page.behind(behind)?;
    page.flows(stats)?;
    page.protocols(stats)?;
    page.rules(stats, rules)?;
    TextEncoder::new().encode_to_string(&page.0.gather())
}

/// A row of a metric with labels: their values, and the metric's.
type Row<'a> = (Vec<&'a str>, u64);

struct Page(Registry);

impl Page {
    fn build(&self) -> prometheus::Result<()> {
        self.gauges(
            "gridtap_build_info",
            "Constant 1, labelled with the version.",
            &["version"],
            [(vec![env!("CARGO_PKG_VERSION")], 1)],
        )
    }

    fn packets(&self, stats: &Stats) -> prometheus::Result<()> {
        self.counter("gridtap_packets_total", "Packets taken from the capture.", stats.packets)?;
        self.counter("gridtap_bytes_total", "Octets of these packets on the wire.", stats.bytes)?;
        self.counters(
            "gridtap_decode_errors_total",
            "Packets that are not read: other protocols than IP, fragments, cut off in capture, damage, tunnels that are only named.",
            &["reason"],
            by_name(&stats.decode_errors),
        )
    }

    fn replay(&self, stats: &Stats, elapsed: Duration) -> prometheus::Result<()> {
        let packets = stats.packets.max(1) as f64;
        self.seconds(
            "gridtap_engine_seconds_per_packet",
            "Mean time for a packet, reading and writing included.",
            elapsed.as_secs_f64() / packets,
        )?;
        self.seconds(
            "gridtap_replay_duration_seconds",
            "How long the replay took.",
            elapsed.as_secs_f64(),
        )
    }

    fn behind(&self, behind: &Behind) -> prometheus::Result<()> {
        let Suppressed { repeated, over_limit } = behind.suppressed;
        self.counters(
            "gridtap_alerts_suppressed_total",
            "Alerts that were not told: they repeated another, or there were more than the limits allow.",
            &["reason"],
            [(vec!["repeated"], repeated), (vec!["limit"], over_limit)],
        )?;
        self.counter(
            "gridtap_correlation_evicted_groups_total",
            "Groups that correlation rules let go before their time, as a limit was reached.",
            behind.evicted_groups,
        )
    }

    fn flows(&self, stats: &Stats) -> prometheus::Result<()> {
        self.gauge("gridtap_flows_active", "Flows in the table.", stats.flows_active)?;
        self.counter("gridtap_flows_created_total", "Flows that began.", stats.flows_created)?;
        self.counters(
            "gridtap_flows_ended_total",
            "Flows that ended, by reason.",
            &["reason"],
            by_name(&stats.flows_ended),
        )?;
        self.counter(
            "gridtap_stream_gaps_total",
            "Holes in TCP streams that never came.",
            stats.gaps,
        )?;
        self.counter(
            "gridtap_stream_missed_bytes_total",
            "Octets missed in these holes.",
            stats.bytes_missed,
        )?;
        self.gauge(
            "gridtap_stream_memory_bytes",
            "Octets kept for streams out of order and unfinished messages.",
            stats.stream_memory,
        )
    }

    fn protocols(&self, stats: &Stats) -> prometheus::Result<()> {
        let messages = stats.messages_by_type();
        let messages = messages.map(|(protocol, name, count)| (vec![protocol, name], count));
        self.counters(
            "gridtap_messages_total",
            "Messages of application protocols, by type.",
            &["protocol", "type"],
            messages,
        )?;
        let never = REGISTRY.iter().flat_map(|protocol| protocol.anomalies.concat());
        let never = never.filter(|name| !stats.anomalies.contains_key(name));
        self.counters(
            "gridtap_anomalies_total",
            "Damage and violations of protocols, by name.",
            &["event"],
            by_name(&stats.anomalies).chain(never.map(|name| (vec![name], 0))),
        )
    }

    fn rules(&self, stats: &Stats, rules: &[Rule]) -> prometheus::Result<()> {
        let inactive = rules.iter().filter(|rule| rule.inactive.is_some()).count();
        self.gauges(
            "gridtap_rules_loaded",
            "Rules that were loaded; inactive are those whose placeholder nobody filled.",
            &["state"],
            [
                (vec!["active"], (rules.len() - inactive) as u64),
                (vec!["inactive"], inactive as u64),
            ],
        )?;
        let ids: Vec<_> = rules.iter().map(|rule| rule.id.to_string()).collect();
        let alerts = rules.iter().zip(&ids).map(|(rule, id)| {
            let count = stats.alerts.get(rule.index).copied().unwrap_or_default();
            (vec![id.as_str(), rule.level.name()], count)
        });
        self.counters(
            "gridtap_alerts_total",
            "Alerts, by rule and level.",
            &["rule", "level"],
            alerts,
        )
    }

    fn counter(&self, name: &str, help: &str, value: u64) -> prometheus::Result<()> {
        let counter = IntCounter::new(name, help)?;
        counter.inc_by(value);
        self.0.register(Box::new(counter))
    }

    fn counters<'a>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        rows: impl IntoIterator<Item = Row<'a>>,
    ) -> prometheus::Result<()> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        for (values, count) in rows {
            counters.get_metric_with_label_values(&values)?.inc_by(count);
        }
        self.0.register(Box::new(counters))
    }

    fn gauge(&self, name: &str, help: &str, value: u64) -> prometheus::Result<()> {
        let gauge = IntGauge::new(name, help)?;
        gauge.set(value as i64);
        self.0.register(Box::new(gauge))
    }

    fn gauges<'a>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        rows: impl IntoIterator<Item = Row<'a>>,
    ) -> prometheus::Result<()> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
        for (values, value) in rows {
            gauges.get_metric_with_label_values(&values)?.set(value as i64);
        }
        self.0.register(Box::new(gauges))
    }

    fn seconds(&self, name: &str, help: &str, value: f64) -> prometheus::Result<()> {
        let gauge = Gauge::new(name, help)?;
        gauge.set(value);
        self.0.register(Box::new(gauge))
    }
}

fn by_name<'a>(
    counts: &'a std::collections::BTreeMap<&'static str, u64>,
) -> impl Iterator<Item = Row<'a>> {
    counts.iter().map(|(name, count)| (vec![*name], *count))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::rule::{Placeholders, RuleSet};

    fn page() -> String {
        let services: Vec<_> = crate::protocol::services().collect();
        let set =
            RuleSet::load(&RuleSet::builtin_sources(), &services, &Placeholders::new()).unwrap();
        let mut stats = Stats { packets: 4, bytes: 400, gaps: 1, ..Stats::default() };
        stats.decode_errors.insert("not_ip", 2);
        stats.flows_ended.insert("timeout", 1);
        stats.anomalies.insert("sequence_frozen", 3);
        stats.messages = services.iter().map(|s| (*s, vec![7; s.message_types.len()])).collect();
        stats.alerts = (0..set.rules.len() as u64).collect();
        render(&stats, &set.rules, &Behind::default(), Some(Duration::from_micros(2))).unwrap()
    }

    #[test]
    fn counters_have_their_names_and_labels() {
        let page = page();
        for line in [
            "gridtap_packets_total 4",
            "gridtap_decode_errors_total{reason=\"not_ip\"} 2",
            "gridtap_messages_total{protocol=\"mqtt\",type=\"publish\"} 7",
            "gridtap_anomalies_total{event=\"sequence_frozen\"} 3",
            "gridtap_engine_seconds_per_packet 0.0000005",
            concat!("gridtap_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        assert!(!page.contains("=\"\"") && !page.contains("iec104_object"), "{page}");
    }

    #[test]
    fn every_metric_is_explained() {
        let page = page();
        let named = |prefix: &str| page.lines().filter(|line| line.starts_with(prefix)).count();
        assert_eq!(named("# HELP gridtap_"), named("# TYPE gridtap_"));
        assert!(named("# HELP gridtap_") > 15);
    }

    #[test]
    fn promtool_has_nothing_to_say() {
        let check = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut check) = check else {
            writeln!(std::io::stderr(), "skipped: promtool is not installed").unwrap();
            return;
        };
        check.stdin.take().unwrap().write_all(page().as_bytes()).unwrap();
        let output = check.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
    }
}
