//! What is shipped for Prometheus and Grafana speaks of metrics that there are.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gridtap::daemon::metrics::{Kind, METRICS};
use regex::Regex;
use serde_json::Value;

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(shipped(path)).unwrap()
}

/// The names of all series that a sensor has.
fn series() -> BTreeSet<String> {
    // The engine's stand in the code that renders them, each in quotes.
    let engine = include_str!("../src/metrics.rs");
    let quoted = Regex::new(r#""(gridtap_[a-z_]+)""#).unwrap();
    let mut names: BTreeSet<_> =
        quoted.captures_iter(engine).map(|found| found[1].to_owned()).collect();
    assert!(names.len() > 10, "{names:?}");
    for metric in METRICS {
        if metric.kind == Kind::Histogram {
            names
                .extend(["_bucket", "_sum", "_count"].map(|part| format!("{}{part}", metric.name)));
        } else {
            names.insert(metric.name.to_owned());
        }
    }
    names
}

#[track_caller]
fn assert_known(text: &str) -> usize {
    let name = Regex::new(r"\b(?:gridtap|process)_[a-z_]+").unwrap();
    let series = series();
    let named: Vec<_> = name.find_iter(text).map(|found| found.as_str()).collect();
    let unknown: Vec<_> = named.iter().filter(|name| !series.contains(**name)).collect();
    assert!(unknown.is_empty(), "no such metric: {unknown:?}");
    named.len()
}

/// Runs promtool in the folder of the rules; `None`, and says so, if it is not there.
fn promtool(arguments: &[&str]) -> Option<Output> {
    match Command::new("promtool").args(arguments).current_dir(shipped("prometheus")).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("skipped: promtool is not installed");
            None
        }
        Err(error) => panic!("promtool: {error}"),
    }
}

#[track_caller]
fn assert_passes(arguments: &[&str]) {
    if let Some(output) = promtool(arguments) {
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn alerting_rules_are_valid() {
    assert_passes(&["check", "rules", "gridtap.rules.yml"]);
}

#[test]
fn alerting_rules_fire_when_they_should() {
    assert_passes(&["test", "rules", "gridtap.rules.test.yml"]);
}

#[test]
fn the_scrape_configuration_is_valid() {
    assert_passes(&["check", "config", "scrape.yml"]);
}

#[test]
fn alerting_rules_name_metrics_that_there_are() {
    assert!(assert_known(&read("prometheus/gridtap.rules.yml")) > 15);
    assert!(assert_known(&read("prometheus/gridtap.rules.test.yml")) > 15);
}

#[test]
fn every_alerting_rule_is_tested_to_fire() {
    let (rules, tests) =
        (read("prometheus/gridtap.rules.yml"), read("prometheus/gridtap.rules.test.yml"));
    for rule in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let fires = format!("alertname: {rule}\n        exp_alerts:");
        assert!(tests.contains(&fires), "{rule} is not tested");
    }
}

/// The panels of the dashboard.
fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&read("grafana/gridtap.json")).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

#[test]
fn the_dashboard_names_metrics_that_there_are() {
    assert_known(&read("grafana/gridtap.json"));
    for panel in panels() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            assert!(assert_known(expression) > 0 || expression.contains("up{"), "{expression}");
        }
    }
}

#[test]
fn the_dashboard_asks_what_prometheus_understands() {
    let grafana = [("$__rate_interval", "5m"), ("$__range", "6h"), ("$instance", ".*")];
    let mut rules = b"groups:\n  - name: dashboard\n    rules:\n".to_vec();
    for panel in panels() {
        for target in panel["targets"].as_array().unwrap() {
            let mut expression = target["expr"].as_str().unwrap().to_owned();
            for (variable, value) in grafana {
                expression = expression.replace(variable, value);
            }
            // JSON's strings are YAML's.
            let expression = Value::String(expression);
            let (panel, target) = (&panel["id"], &target["refId"]);
            let labels = format!("{{panel: '{panel}', target: {target}}}");
            writeln!(rules, "      - {{record: 'a:b', expr: {expression}, labels: {labels}}}")
                .unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dashboard.yml");
    fs::write(&path, rules).unwrap();
    assert_passes(&["check", "rules", path.to_str().unwrap()]);
}

#[test]
fn panels_are_explained_and_do_not_overlap() {
    let panels = panels();
    let mut taken = BTreeSet::new();
    for panel in &panels {
        let title = &panel["title"];
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title}");
        let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(x < 24 && taken.insert((x, y)), "{title} overlaps");
            }
        }
    }
    assert!(panels.len() < 20, "few and meaningful");
}
