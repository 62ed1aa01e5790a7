//! What the daemon tells Prometheus beside the engine's counters (`crate::metrics`): one line each.
//!
//! The list is the source: the page, the alerting rules and the dashboard name nothing else, and
//! tests hold them to it.

/// What a metric does over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Observations by size, with their sum and number.
    Histogram,
}

impl Kind {
    /// As Prometheus' text format calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric of the daemon.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it does over time.
    pub kind: Kind,
    /// The names of its labels, each with few values: interfaces, outputs, results.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        &[$(Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help }),*]
    };
}

/// All metrics of the daemon, by what they are about.
pub const METRICS: &[Metric] = metrics! {
    // Capture
    Gauge "gridtap_capture_interface_up" ["interface"]
        "Whether the interface is there, has a carrier and is captured from.";
    Counter "gridtap_capture_packets_total" ["interface"]
        "Packets that the kernel offered: handled and dropped.";
    Counter "gridtap_capture_dropped_packets_total" ["interface"]
        "Packets that the kernel dropped, as the ring was full.";
    Counter "gridtap_capture_duplicate_packets_total" ["interface"]
        "Copies of a packet that a mirror port made, which were left out.";
    Counter "gridtap_capture_truncated_packets_total" ["interface"]
        "Packets longer than the snap length.";
    Counter "gridtap_capture_reopened_total" ["interface"]
        "How often the interface went and came back.";
    Gauge "gridtap_capture_last_packet_timestamp_seconds" ["interface"]
        "When the last packet came, by the kernel's clock; 0 before the first.";

    // Honesty: what the sensor cannot see
    Gauge "gridtap_clock_synchronised" []
        "Whether the kernel says that its clock is synchronised.";
    Gauge "gridtap_one_sided_links" []
        "Links of which only one direction is seen.";

    // Lines that the outputs never saw
    Counter "gridtap_collector_dropped_records_total" []
        "Records other than alerts that were dropped, as the collector did not keep up.";
    Counter "gridtap_collector_lost_alerts_total" []
        "Alerts for which there was no memory until the collector took them.";

    // The engine
    Counter "gridtap_engine_busy_seconds_total" ["thread"]
        "Time that the capture thread worked rather than waited.";
    Histogram "gridtap_alert_latency_seconds" []
        "Time from the packet to the alert handed to the outputs.";
    Gauge "gridtap_flows_limit" []
        "Flows that there may be.";
    Gauge "gridtap_stream_memory_limit_bytes" []
        "Octets that may be kept for streams.";
    Gauge "gridtap_correlation_groups" []
        "Groups that correlation rules remember.";
    Gauge "gridtap_correlation_memory_bytes" []
        "Memory that correlation rules use, roughly.";
    Gauge "gridtap_correlation_memory_limit_bytes" []
        "Memory that correlation rules may use.";

    // Rules and configuration
    Counter "gridtap_reloads_total" ["result"]
        "Reloads, by result: success or failure.";
    Gauge "gridtap_reload_last_successful" []
        "Whether the last reload took: 0 means that an older set is in force.";
    Gauge "gridtap_reload_last_success_timestamp_seconds" []
        "When the set in force was loaded.";
    Gauge "gridtap_rules_info" ["hash"]
        "Constant 1, labelled with the hash of the rules in force.";

    // Outputs
    Gauge "gridtap_output_up" ["output"]
        "Whether the output took what came last.";
    Counter "gridtap_output_written_lines_total" ["output"]
        "Records that the output took.";
    Counter "gridtap_output_written_bytes_total" ["output"]
        "Octets that the output took.";
    Counter "gridtap_output_dropped_records_total" ["output"]
        "Records other than alerts that were dropped, as the queue was full.";
    Counter "gridtap_output_lost_alerts_total" ["output"]
        "Alerts that came faster than target and spool took them, and were let go.";
    Counter "gridtap_output_errors_total" ["output"]
        "Attempts to write, connect or rotate that failed.";
    Gauge "gridtap_output_queue_bytes" ["output"]
        "Octets that wait in memory.";
    Gauge "gridtap_output_queue_limit_bytes" ["output"]
        "Octets that may wait in memory.";
    Gauge "gridtap_output_spool_bytes" ["output"]
        "Octets of alerts that wait on disk.";

    // Packets around alerts; all 0 where they are not wanted
    Counter "gridtap_evidence_cases_total" []
        "Files that alerts name.";
    Counter "gridtap_evidence_files_written_total" []
        "Files written.";
    Counter "gridtap_evidence_written_bytes_total" []
        "Octets of the files written.";
    Counter "gridtap_evidence_write_errors_total" []
        "Files that could not be written.";
    Counter "gridtap_evidence_files_deleted_total" []
        "Files deleted to make room for others.";
    Counter "gridtap_evidence_lost_cases_total" []
        "Files never written, as too many waited.";
    Counter "gridtap_evidence_cut_short_cases_total" []
        "Files without their last packets, to make room in memory.";
    Counter "gridtap_evidence_alerts_without_file_total" []
        "Alerts that name no file, as nothing of their flow was kept.";
    Counter "gridtap_evidence_unkept_packets_total" []
        "Packets that there was no memory for, at all or as long as configured.";
    Gauge "gridtap_evidence_disk_bytes" []
        "Octets of disk that the files take.";
    Gauge "gridtap_evidence_disk_limit_bytes" []
        "Octets of disk that the files may take.";
    Gauge "gridtap_evidence_memory_bytes" []
        "Octets of packets that are kept in memory.";
    Gauge "gridtap_evidence_queue_bytes" []
        "Octets of files that wait to be written.";

    // The process, by the names that all processes use
    Gauge "process_resident_memory_bytes" []
        "Memory that the process takes.";
    Gauge "process_start_time_seconds" []
        "When the process started.";
    Counter "process_cpu_seconds_total" []
        "Processor time of all threads.";
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_the_conventions() {
        for metric in METRICS {
            let name = metric.name;
            assert!(name.starts_with("gridtap_") || name.starts_with("process_"), "{name}");
            assert!(
                name.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_'),
                "{name}"
            );
            assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_info"), metric.help.starts_with("Constant 1"), "{name}");
            assert!(metric.help.ends_with('.') && metric.labels.len() < 2, "{name}");
            for not_a_base_unit in ["milli", "micro", "octets", "kilo", "minutes"] {
                assert!(!name.contains(not_a_base_unit), "{name}");
            }
        }
    }

    #[test]
    fn names_are_there_once() {
        let mut names: Vec<_> = METRICS.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        let engine = include_str!("../metrics.rs");
        assert!(names.iter().all(|name| !engine.contains(&format!("\"{name}\""))));
    }
}
