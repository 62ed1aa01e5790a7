//! The page for Prometheus: the engine's counters, and those of the daemon.

use std::collections::HashMap;

use prometheus::core::Collector as _;
use prometheus::{CounterVec, GaugeVec, Histogram, HistogramOpts, Opts, Registry, TextEncoder};
use rustix::param::page_size;
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

use super::correlations::Counts;
use super::metrics::{Kind, METRICS, Metric};
use super::watch::{Link, Snapshot};
use crate::capture::live::{LinkState, clock_is_synchronised};
use crate::config::Config;
use crate::engine::Stats;
use crate::metrics::{self, Behind};
use crate::output::delivery::DeliveryCounters;
use crate::output::evidence::{ArchiveCounters, KeeperCounters};

/// The metric whose observations the collector makes.
const LATENCY: &str = "gridtap_alert_latency_seconds";

/// Observes how long alerts take.
pub(super) fn latency() -> Histogram {
    let help =
        METRICS.iter().find(|metric| metric.name == LATENCY).map_or("", |metric| metric.help);
    let buckets = vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
    let options = HistogramOpts::new(LATENCY, help).buckets(buckets);
    Histogram::with_opts(options).expect("the name and the buckets are ours")
}

/// Asks what can only be asked before the sandbox closes; the answers are kept where they came from.
pub(super) fn prepare() {
    let _ = page_size(); // from /proc/self/auxv
}

/// What the page shows beside what it asks the system for.
pub(super) struct Facts<'f> {
    pub(super) config: &'f Config,
    pub(super) interfaces: &'f [String],
    /// By thread.
    pub(super) snapshots: Vec<Snapshot>,
    pub(super) outputs: Vec<(String, u64, DeliveryCounters)>,
    /// Zeros where packets around alerts are not wanted.
    pub(super) archive: ArchiveCounters,
    pub(super) correlated: Counts,
    pub(super) latency: &'f Histogram,
    pub(super) reloads: Reloads,
    /// When the process started, in seconds since 1970.
    pub(super) started: f64,
}

/// What became of reloads.
#[derive(Debug, Clone, Default)]
pub(super) struct Reloads {
    pub(super) successes: u64,
    pub(super) failures: u64,
    /// Whether the last one took.
    pub(super) last_took: bool,
    /// When the set in force was loaded, in seconds since 1970.
    pub(super) loaded: f64,
    /// A hash of the rules in force.
    pub(super) hash: String,
}

/// A metric's rows: values of its label, and the value.
type Rows = HashMap<&'static str, Vec<(Option<String>, f64)>>;

/// The page.
pub(super) fn render(facts: &Facts<'_>) -> prometheus::Result<String> {
    let (stats, rules) = sum(&facts.snapshots, &facts.correlated);
    let Counts { suppressed, evicted, .. } = facts.correlated;
    let behind = Behind { suppressed, evicted_groups: evicted };
    let mut page = metrics::render(&stats, &rules, &behind, None)?;
    let registry = Registry::new();
    let rows = rows(facts);
    for metric in METRICS.iter().filter(|metric| metric.kind != Kind::Histogram) {
        register(metric, rows.get(metric.name).map_or(&[][..], |rows| rows), &registry)?;
    }
    let mut families = registry.gather();
    families.extend(facts.latency.collect());
    TextEncoder::new().encode_utf8(&families, &mut page)?;
    Ok(page)
}

/// The counters of all threads, with the alerts of earlier sets of rules.
pub(super) fn sum(snapshots: &[Snapshot], correlated: &Counts) -> (Stats, Vec<crate::rule::Rule>) {
    let mut stats = Stats::default();
    let mut alerts: HashMap<Uuid, u64> = correlated.alerts.clone();
    for snapshot in snapshots {
        stats.add(&snapshot.stats);
        for (rule, count) in snapshot.rules.rules.iter().zip(&snapshot.stats.alerts) {
            *alerts.entry(rule.id).or_default() += count;
        }
        for (rule, count) in &snapshot.former {
            *alerts.entry(*rule).or_default() += count;
        }
    }
    let rules = snapshots.first().map(|first| first.rules.rules.clone()).unwrap_or_default();
    stats.alerts =
        rules.iter().map(|rule| alerts.get(&rule.id).copied().unwrap_or_default()).collect();
    (stats, rules)
}

fn register(
    metric: &Metric,
    rows: &[(Option<String>, f64)],
    registry: &Registry,
) -> prometheus::Result<()> {
    let options = Opts::new(metric.name, metric.help);
    if metric.kind == Kind::Counter {
        let counters = CounterVec::new(options, metric.labels)?;
        for (label, value) in rows {
            let labels: Vec<_> = label.iter().map(String::as_str).collect();
            counters.get_metric_with_label_values(&labels)?.inc_by(*value);
        }
        return registry.register(Box::new(counters));
    }
    let gauges = GaugeVec::new(options, metric.labels)?;
    for (label, value) in rows {
        let labels: Vec<_> = label.iter().map(String::as_str).collect();
        gauges.get_metric_with_label_values(&labels)?.set(*value);
    }
    registry.register(Box::new(gauges))
}

fn rows(facts: &Facts<'_>) -> Rows {
    let mut rows = Rows::new();
    of_links(&links(facts.interfaces, &facts.snapshots), &mut rows);
    of_engines(facts, &mut rows);
    of_reloads(&facts.reloads, &mut rows);
    for output in &facts.outputs {
        of_output(output, &mut rows);
    }
    of_evidence(facts, &mut rows);
    of_process(facts.started, &mut rows);
    rows
}

fn add(rows: &mut Rows, name: &'static str, label: Option<&str>, value: f64) {
    rows.entry(name).or_default().push((label.map(str::to_owned), value));
}

/// The counters of these interfaces, in this order, over all threads.
pub(super) fn links(interfaces: &[String], snapshots: &[Snapshot]) -> Vec<Link> {
    interfaces.iter().map(|interface| link(interface, snapshots)).collect()
}

fn link(interface: &str, snapshots: &[Snapshot]) -> Link {
    let links = snapshots.iter().flat_map(|snapshot| &snapshot.links);
    let of_threads = links.filter(|link| link.interface == interface).cloned();
    let sum = of_threads.reduce(|mut sum, link| {
        sum.statistics += link.statistics;
        sum.duplicates += link.duplicates;
        sum.reopened = sum.reopened.max(link.reopened);
        sum.last_packet = sum.last_packet.max(link.last_packet);
        if sum.state == LinkState::Up {
            sum.state = link.state;
        }
        sum
    });
    sum.unwrap_or_else(|| Link::missing(interface))
}

fn of_links(links: &[Link], rows: &mut Rows) {
    for link in links {
        let name = Some(link.interface.as_str());
        let up = link.state == LinkState::Up;
        let of = &link.statistics;
        add(rows, "gridtap_capture_interface_up", name, f64::from(u8::from(up)));
        for (metric, value) in [
            ("gridtap_capture_packets_total", of.packets),
            ("gridtap_capture_dropped_packets_total", of.dropped),
            ("gridtap_capture_duplicate_packets_total", link.duplicates),
            ("gridtap_capture_truncated_packets_total", of.truncated),
            ("gridtap_capture_reopened_total", link.reopened),
        ] {
            add(rows, metric, name, value as f64);
        }
        let last = link.last_packet.as_nanos() as f64 / 1e9;
        add(rows, "gridtap_capture_last_packet_timestamp_seconds", name, last);
    }
}

fn of_engines(facts: &Facts<'_>, rows: &mut Rows) {
    for (thread, snapshot) in facts.snapshots.iter().enumerate() {
        let (name, busy) = (thread.to_string(), snapshot.busy.as_secs_f64());
        add(rows, "gridtap_engine_busy_seconds_total", Some(&name), busy);
    }
    let total = |count: fn(&Snapshot) -> u64| facts.snapshots.iter().map(count).sum::<u64>() as f64;
    let limits = &facts.config.limits;
    for (metric, value) in [
        ("gridtap_clock_synchronised", f64::from(u8::from(clock_is_synchronised()))),
        ("gridtap_one_sided_links", total(|snapshot| snapshot.one_sided)),
        ("gridtap_collector_dropped_records_total", total(|snapshot| snapshot.lost.records)),
        ("gridtap_collector_lost_alerts_total", total(|snapshot| snapshot.lost.alerts)),
        ("gridtap_flows_limit", f64::from(limits.flows)),
        ("gridtap_stream_memory_limit_bytes", limits.stream_memory.0 as f64),
        ("gridtap_correlation_groups", facts.correlated.groups as f64),
        ("gridtap_correlation_memory_bytes", facts.correlated.octets as f64),
        ("gridtap_correlation_memory_limit_bytes", limits.correlation_memory.0 as f64),
    ] {
        add(rows, metric, None, value);
    }
}

fn of_reloads(reloads: &Reloads, rows: &mut Rows) {
    add(rows, "gridtap_reloads_total", Some("success"), reloads.successes as f64);
    add(rows, "gridtap_reloads_total", Some("failure"), reloads.failures as f64);
    let took = f64::from(u8::from(reloads.last_took));
    add(rows, "gridtap_reload_last_successful", None, took);
    add(rows, "gridtap_reload_last_success_timestamp_seconds", None, reloads.loaded);
    add(rows, "gridtap_rules_info", Some(&reloads.hash), 1.0);
}

fn of_output((name, limit, counters): &(String, u64, DeliveryCounters), rows: &mut Rows) {
    let name = Some(name.as_str());
    add(rows, "gridtap_output_up", name, f64::from(u8::from(counters.well)));
    for (metric, value) in [
        ("gridtap_output_written_lines_total", counters.written_lines),
        ("gridtap_output_written_bytes_total", counters.written_octets),
        ("gridtap_output_dropped_records_total", counters.dropped_records),
        ("gridtap_output_lost_alerts_total", counters.lost_alerts + counters.spool_dropped_alerts),
        ("gridtap_output_errors_total", counters.errors),
        ("gridtap_output_queue_bytes", counters.queue_octets),
        ("gridtap_output_queue_limit_bytes", *limit),
        ("gridtap_output_spool_bytes", counters.spool_octets),
    ] {
        add(rows, metric, name, value as f64);
    }
}

fn of_evidence(facts: &Facts<'_>, rows: &mut Rows) {
    let mut kept = KeeperCounters::default();
    facts.snapshots.iter().for_each(|snapshot| kept += snapshot.evidence);
    let written = &facts.archive;
    let limit = facts.config.evidence.as_ref().map_or(0, |evidence| evidence.size.0);
    for (metric, value) in [
        ("gridtap_evidence_files_written_total", written.written_files),
        ("gridtap_evidence_written_bytes_total", written.written_octets),
        ("gridtap_evidence_write_errors_total", written.errors),
        ("gridtap_evidence_files_deleted_total", written.deleted),
        ("gridtap_evidence_disk_bytes", written.octets),
        ("gridtap_evidence_disk_limit_bytes", limit),
        ("gridtap_evidence_cases_total", kept.cases),
        ("gridtap_evidence_lost_cases_total", kept.lost + written.dropped),
        ("gridtap_evidence_cut_short_cases_total", kept.cut_short),
        ("gridtap_evidence_alerts_without_file_total", kept.without),
        ("gridtap_evidence_unkept_packets_total", kept.not_kept + kept.pushed_out),
        ("gridtap_evidence_memory_bytes", kept.octets),
        ("gridtap_evidence_queue_bytes", written.waiting),
    ] {
        add(rows, metric, None, value as f64);
    }
}

fn of_process(started: f64, rows: &mut Rows) {
    let processor = clock_gettime(ClockId::ProcessCPUTime);
    let processor = processor.tv_sec as f64 + processor.tv_nsec as f64 / 1e9;
    add(rows, "process_cpu_seconds_total", None, processor);
    add(rows, "process_start_time_seconds", None, started);
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.and_then(|pages| pages.split(' ').nth(1)?.parse::<f64>().ok());
    if let Some(resident) = resident {
        add(rows, "process_resident_memory_bytes", None, resident * page_size() as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::capture::live::Statistics;
    use crate::rule::{Placeholders, RuleSet};
    use crate::time::Timestamp;

    fn rules() -> Arc<RuleSet> {
        let services: Vec<_> = crate::protocol::services().collect();
        let set = RuleSet::load(&RuleSet::builtin_sources(), &services, &Placeholders::new());
        Arc::new(set.unwrap())
    }

    /// Two threads that capture from one interface.
    fn snapshots() -> Vec<Snapshot> {
        let rules = rules();
        let link = Link {
            interface: "eth1".to_owned(),
            statistics: Statistics { packets: 5, dropped: 1, ..Statistics::default() },
            state: LinkState::Up,
            duplicates: 2,
            reopened: 3,
            last_packet: Timestamp::from_nanos(1_500_000_000),
        };
        let stats = Stats { packets: 4, alerts: vec![1; rules.rules.len()], ..Stats::default() };
        let former = HashMap::from([(rules.rules[0].id, 10)]);
        let evidence = KeeperCounters { lost: 1, ..KeeperCounters::default() };
        let links = vec![link];
        let one = Snapshot { stats, rules, former, links, evidence, ..Snapshot::default() };
        vec![one.clone(), one]
    }

    fn page() -> String {
        let latency = latency();
        latency.observe(0.002);
        render(&Facts {
            config: &Config::default(),
            interfaces: &["eth1".to_owned()],
            snapshots: snapshots(),
            outputs: vec![("eve".to_owned(), 16, DeliveryCounters::default())],
            archive: ArchiveCounters { dropped: 5, ..ArchiveCounters::default() },
            correlated: Counts::default(),
            latency: &latency,
            reloads: Reloads { hash: "0011223344556677".to_owned(), ..Reloads::default() },
            started: 1.0,
        })
        .unwrap()
    }

    #[test]
    fn every_metric_has_a_sample_and_none_is_there_twice() {
        let page = page();
        for Metric { name, .. } in METRICS {
            let head = format!("# TYPE {name} ");
            assert_eq!(page.matches(&head).count(), 1, "{name}");
            let is_sample = |line: &str| line.starts_with(name);
            assert!(page.lines().any(is_sample), "{name} has no sample");
        }
    }

    #[test]
    fn threads_and_earlier_rules_add_up() {
        let page = page();
        let first = rules().rules[0].id;
        for line in [
            "gridtap_packets_total 8".to_owned(),
            "gridtap_capture_packets_total{interface=\"eth1\"} 10".to_owned(),
            "gridtap_capture_reopened_total{interface=\"eth1\"} 3".to_owned(),
            "gridtap_capture_interface_up{interface=\"eth1\"} 1".to_owned(),
            "gridtap_alert_latency_seconds_count 1".to_owned(),
            "gridtap_evidence_lost_cases_total 7".to_owned(),
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        let alerts = "gridtap_alerts_total{level=";
        let of_first =
            page.lines().find(|line| line.starts_with(alerts) && line.contains(&first.to_string()));
        assert!(of_first.is_some_and(|line| line.ends_with(" 22")), "{of_first:?}");
    }
}
