//! Correlations from rule to alert, as a user sees them.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value as Json;
use tempfile::TempDir;

/// Commands, and what answers them.
const RULES: &str = "
title: A command
name: command
id: 11111111-0000-4000-8000-000000000001
logsource: {product: gridtap, service: iec104}
detection:
  s: {iec104.type_id: [45, 46, 58, 59], iec104.cause: activation}
  condition: s
---
title: A confirmation
name: confirmation
id: 11111111-0000-4000-8000-000000000002
logsource: {product: gridtap, service: iec104}
detection:
  s: {iec104.type_id: [45, 46, 58, 59], iec104.cause: activation confirmation, iec104.negative: false}
  condition: s
";

fn correlation(generate: bool, body: &str) -> String {
    format!(
        "---\ntitle: Together\nid: 11111111-0000-4000-8000-000000000009\nlevel: high\n\
         generate: {generate}\ncorrelation: {{{body}}}\n"
    )
}

fn gridtap(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridtap"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap()
}

/// Records and alerts of a capture with these rules, and the metrics.
fn replay(capture: &str, rules: &str, types: &str) -> (Vec<Json>, String) {
    let folder = TempDir::new().unwrap();
    let [rule_file, eve, metrics] =
        ["rules.yml", "eve.json", "metrics.prom"].map(|name| folder.path().join(name));
    fs::write(&rule_file, rules).unwrap();
    let [rule_file, eve_text, metrics_text] =
        [&rule_file, &eve, &metrics].map(|path| path.to_str().unwrap());
    let output = gridtap(&[
        "replay",
        capture,
        "--rules",
        rule_file,
        "--eve",
        eve_text,
        "--types",
        types,
        "--metrics",
        metrics_text,
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = fs::read_to_string(&eve).unwrap();
    let records = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (records, fs::read_to_string(&metrics).unwrap())
}

fn signature(record: &Json) -> &str {
    record["alert"]["signature"].as_str().unwrap_or_default()
}

#[test]
fn an_alert_tells_what_goes_together_and_has_the_record_that_completed_it() {
    let body = "type: event_count, rules: [command], group-by: [src_ip, iec104.ca], timespan: 60s, \
                condition: {gte: 20}";
    let rules = format!("{RULES}{}", correlation(true, body));
    let (alerts, metrics) = replay("pcaps/demo.pcap", &rules, "alert");
    let together: Vec<_> = alerts.iter().filter(|alert| signature(alert) == "Together").collect();
    let first = together.first().expect("the demo has a sweep");
    let correlation = &first["alert"]["correlation"];
    assert_eq!(correlation["type"], "event_count");
    assert_eq!((&correlation["timespan"], &correlation["count"]), (&60.into(), &20.into()));
    let group = serde_json::json!({"src_ip": first["src_ip"], "iec104.ca": first["iec104"]["ca"]});
    assert_eq!(correlation["group"], group);
    assert_eq!(first["alert"]["category"], "correlation");

    // The hit that completed it is the twentieth of its group, and an alert of its own right before.
    let is_of_group = |alert: &&&Json| {
        signature(alert) == "A command"
            && alert["src_ip"] == first["src_ip"]
            && alert["iec104"]["ca"] == first["iec104"]["ca"]
    };
    let hits: Vec<_> = alerts.iter().collect();
    let twentieth = hits.iter().filter(is_of_group).nth(19).unwrap();
    for field in ["timestamp", "flow_id", "pcap_cnt", "iec104", "community_id"] {
        assert_eq!(first[field], twentieth[field], "{field}");
    }
    let ids: std::collections::BTreeSet<_> =
        together.iter().map(|alert| alert["alert"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), together.len(), "every alert is one of its own");

    let counted = metrics.lines().find(|line| {
        line.starts_with("gridtap_alerts_total")
            && line.contains("11111111-0000-4000-8000-000000000009")
    });
    let count = counted.unwrap().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(count, together.len().to_string());
}

#[test]
fn rules_that_only_feed_a_correlation_are_no_alerts() {
    let body = "type: event_count, rules: [command], timespan: 60s, condition: {gte: 20}";
    let (alerts, _) =
        replay("pcaps/demo.pcap", &format!("{RULES}{}", correlation(false, body)), "alert");
    assert!(alerts.iter().all(|alert| signature(alert) != "A command"));
    let (with, _) =
        replay("pcaps/demo.pcap", &format!("{RULES}{}", correlation(true, body)), "alert");
    assert!(with.iter().any(|alert| signature(alert) == "A command"));
    let together =
        |alerts: &[Json]| alerts.iter().filter(|alert| signature(alert) == "Together").count();
    assert_eq!(together(&alerts), together(&with));
}

/// Every command of the capture, and whether a confirmation to the same station follows in time.
#[test]
fn absence_is_told_when_the_time_is_over() {
    let body = "type: temporal_ordered, rules: [command, confirmation], timespan: 1s, \
                aliases: {station: {command: dest_ip, confirmation: src_ip}}, \
                group-by: [station, iec104.ca], condition: command and not confirmation";
    let rules = format!("{RULES}{}", correlation(true, body));
    let (records, _) = replay("pcaps/demo.pcap", &rules, "alert,iec104");
    let moment = |record: &Json| {
        let text = record["timestamp"].as_str().unwrap().replace("+0000", "Z");
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    };
    let hits = |title: &str, station: &str| -> Vec<(i64, String)> {
        let of_title = records.iter().filter(|record| signature(record) == title);
        of_title
            .map(|record| {
                let group = format!("{} {}", record[station], record["iec104"]["ca"]);
                (moment(record), group)
            })
            .collect()
    };
    let confirmations = hits("A confirmation", "src_ip");
    let end = records.iter().map(moment).max().unwrap();
    let mut expected = Vec::new();
    // Each command waits for itself.
    for (at, group) in hits("A command", "dest_ip") {
        let answer = confirmations.iter().find(|(then, of)| *of == group && *then >= at);
        let is_answered = answer.is_some_and(|(then, _)| *then <= at + 1_000_000);
        expected.extend((!is_answered && at + 1_000_000 < end).then_some(at + 1_000_000));
    }
    expected.sort_unstable();
    let told = records.iter().filter(|record| signature(record) == "Together");
    let told: Vec<_> = told.map(moment).collect();
    assert!(!told.is_empty(), "the demo has a command that nobody answers");
    assert_eq!(told, expected);
}

#[test]
fn rules_list_tells_what_a_correlation_waits_for() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rules.yml");
    let unfilled = RULES.replace("iec104.cause: activation}", "src_ip|expand: '%nobody%'}");
    assert_ne!(unfilled, RULES);
    let body = "type: temporal, rules: [command, confirmation], timespan: 60s";
    fs::write(&path, format!("{unfilled}{}", correlation(false, body))).unwrap();
    let output = gridtap(&["rules", "list", "--rules", path.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    let of_correlation = text.split("Together").nth(1).unwrap();
    assert!(of_correlation.contains("not in force: nothing is known for %nobody%"), "{text}");
}
