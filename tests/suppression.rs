//! Alerts that are held back, and counted in those that are told.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value as Json;
use tempfile::TempDir;

const RULES: &str = "
title: A command
name: command
id: 11111111-0000-4000-8000-000000000001
level: high
logsource: {product: gridtap, service: iec104}
detection:
  s: {iec104.type_id: [45, 46, 58, 59], iec104.cause: activation}
  condition: s
---
title: Commands
id: 11111111-0000-4000-8000-000000000002
generate: true
correlation: {type: event_count, rules: [command], group-by: [src_ip], timespan: 60s, condition: {gte: 20}}
";

/// Alerts of the demo with this under `alerts` in the configuration, and what else is told: metrics,
/// the summary, mistakes.
fn alerts(configuration: &str) -> (Vec<Json>, String) {
    let folder = TempDir::new().unwrap();
    let [rules, config, eve] =
        ["rules.yml", "gridtap.yaml", "eve.json"].map(|name| folder.path().join(name));
    fs::write(&rules, RULES).unwrap();
    fs::write(&config, format!("rules: [rules.yml]\nalerts: {configuration}\n")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gridtap"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["replay", "pcaps/demo.pcap", "--types", "alert", "--config"])
        .arg(&config)
        .arg("--eve")
        .arg(&eve)
        .args(["--metrics", "-"])
        .output()
        .unwrap();
    let lines = fs::read_to_string(&eve).unwrap_or_default();
    let alerts = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = [output.stdout, output.stderr].concat();
    (alerts, String::from_utf8(said).unwrap())
}

fn suppressed(alert: &Json) -> u64 {
    alert["alert"]["suppressed"].as_u64().unwrap_or_default()
}

/// Alerts by rule and these fields: how many are told or counted, and how many told.
fn by(alerts: &[Json], fields: &[&str]) -> BTreeMap<String, (u64, u64)> {
    let mut counts = BTreeMap::new();
    for alert in alerts {
        let key: String = fields.iter().map(|field| alert[*field].to_string()).collect();
        let (all, told) =
            counts.entry(format!("{} {key}", alert["alert"]["signature"])).or_insert((0, 0));
        *all += 1 + suppressed(alert);
        *told += 1;
    }
    counts
}

#[test]
fn without_suppression_every_hit_is_an_alert() {
    let (alerts, _) = alerts("{}");
    assert!(alerts.len() > 100);
    assert!(alerts.iter().all(|alert| suppressed(alert) == 0));
}

#[test]
fn alerts_that_agree_are_told_once_and_then_counted() {
    let (all, _) = alerts("{}");
    let (few, _) = alerts("{suppress: [{by: [src_ip, dest_ip], interval: 10s}]}");
    assert!(few.len() * 4 < all.len(), "{} of {}", few.len(), all.len());
    // Of detection rules: the same sum of each pair, and the first of each at its time.
    let is_command = |alert: &&Json| alert["alert"]["category"] == "iec104";
    let commands = |alerts: &[Json]| alerts.iter().filter(is_command).cloned().collect::<Vec<_>>();
    let fields = ["src_ip", "dest_ip"];
    let (before, after) = (by(&commands(&all), &fields), by(&commands(&few), &fields));
    let sums = |counts: &BTreeMap<String, (u64, u64)>| -> BTreeMap<String, u64> {
        counts.iter().map(|(key, (all, _))| (key.clone(), *all)).collect()
    };
    assert_eq!(sums(&before), sums(&after));
    assert!(after.values().all(|(_, told)| *told <= 8), "{after:?}");
    assert_eq!(few[0]["timestamp"], all[0]["timestamp"]);
    // A correlation's by their groups.
    let together = |alerts: &[Json]| -> Vec<Json> {
        alerts.iter().filter(|alert| alert["alert"]["category"] == "correlation").cloned().collect()
    };
    let (before, after) = (together(&all), together(&few));
    let sum = after.iter().map(|alert| 1 + suppressed(alert)).sum::<u64>();
    assert_eq!(sum, before.len() as u64);
    assert!(after.len() < before.len());
}

#[test]
fn the_first_member_that_names_a_rule_counts() {
    let (all, _) = alerts("{}");
    let configuration = "{suppress: [{rules: [A command], by: [src_ip], interval: 1h}, {rules: [nothing], interval: 1s}]}";
    let (few, _) = alerts(configuration);
    let commands = by(&few, &["src_ip"]);
    let told: Vec<_> = commands.iter().filter(|(key, _)| key.contains("A command")).collect();
    assert!(!told.is_empty() && told.iter().all(|(_, (_, told))| *told <= 2), "{told:?}");
    let correlated = |alerts: &[Json]| {
        alerts.iter().filter(|alert| alert["alert"]["category"] == "correlation").count()
    };
    assert_eq!(correlated(&all), correlated(&few), "nobody speaks of it");
}

#[test]
fn what_is_over_a_limit_is_counted_in_an_alert_that_is_told() {
    let (all, _) = alerts("{}");
    let sums = |alerts: &[Json]| -> BTreeMap<String, u64> {
        by(alerts, &[]).into_iter().map(|(rule, (all, _))| (rule, all)).collect()
    };
    for limits in ["{limit: 10}", "{limit: 1}", "{rule_limit: 3}", "{limit: 10, rule_limit: 7}"] {
        let (few, said) = alerts(limits);
        assert!(few.len() < all.len() / 2, "{limits}: {}", few.len());
        assert_eq!(sums(&few), sums(&all), "{limits}");
        let not_told = all.len() - few.len();
        assert!(said.contains(&format!("{not_told} of them told as a count in others")), "{said}");
        let metric = format!("gridtap_alerts_suppressed_total{{reason=\"limit\"}} {not_told}\n");
        assert!(said.contains(&metric), "{limits}: {said}");
        assert!(said.contains("gridtap_correlation_evicted_groups_total 0\n"), "{said}");
    }
}

#[test]
fn there_are_no_more_a_minute_than_are_allowed() {
    let (alerts, _) = alerts("{limit: 10, rule_limit: 7}");
    let mut minutes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for alert in &alerts {
        let minute = alert["timestamp"].as_str().unwrap()[..16].to_owned();
        minutes.entry(minute).or_default().push(alert["alert"]["signature"].as_str().unwrap());
    }
    for told in minutes.values() {
        // Besides the first of each rule; and one more of each, told when the minute was over.
        assert!(told.len() <= 10 + 2 + 2, "{told:?}");
        assert!(told.iter().filter(|title| **title == "A command").count() <= 7 + 1, "{told:?}");
    }
}

#[test]
fn a_field_that_no_record_has_is_a_mistake() {
    for (by, message) in [
        ("scr_ip", "no record has a field `scr_ip`"),
        ("iec104.objects.ioa", "`iec104.objects.ioa` has several values in a record"),
    ] {
        let (alerts, told) = alerts(&format!("{{suppress: [{{by: [{by}]}}]}}"));
        assert!(alerts.is_empty() && told.contains(message), "{told}");
    }
}
