//! rsigma over the records of a capture.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::documents::{Bound, Document, Kind};
use crate::ours::Seen;
use crate::{Alert, Found};

/// Runs it once, over all records, with all rules.
pub(crate) fn run(rsigma: &Path, documents: &[Document], seen: &Seen) -> Found {
    let folder = TempDir::new().unwrap();
    let [rules, events] = ["rules.yml", "events.json"].map(|name| folder.path().join(name));
    let texts: Vec<_> = documents.iter().map(|document| document.text.as_str()).collect();
    fs::write(&rules, texts.join("\n---\n")).unwrap();
    fs::write(&events, &seen.lines).unwrap();
    let mut command = Command::new(rsigma);
    command
        .args(["engine", "eval", "--output-format", "ndjson", "--no-stats", "--rules"])
        .arg(&rules);
    // The record is told of a hit by its whole, of an alert by the last reference.
    command.args(["--include-event", "--correlation-event-mode", "refs"]);
    command.args(["--max-correlation-events", "1", "--max-state-entries", "100000000"]);
    command.args(["--timestamp-field", "moment"]);
    // A rule about a service is about records of that type.
    command.args(["--logsource-routing", "--logsource-field-map", "service=event_type"]);
    let output = command.stdin(Stdio::from(File::open(&events).unwrap())).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines = output.stdout.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    let mut found = Found::default();
    let mut record = 0;
    for line in lines {
        let line: Json = serde_json::from_slice(line).unwrap();
        let rule = line["rule_id"].as_str().unwrap().to_owned();
        if let Some(number) = line["event"]["id"].as_u64() {
            found.hits.insert((rule, number as usize));
            continue;
        }
        // A correlation of correlations follows the one that completed it, and has no reference.
        if let Some(last) = line["event_refs"].as_array().and_then(|all| all.last()) {
            record = last["id"].as_str().unwrap().parse().unwrap();
        }
        let document = documents.iter().find(|document| document.id == rule).unwrap();
        let correlation = document.correlation.as_ref().unwrap();
        let value = line["aggregated_value"].as_f64().unwrap();
        let is_met = match correlation.kind {
            // Its bounds are not looked at there.
            Kind::Percentile => correlation.bounds.iter().all(|bound| Bound::holds(bound, value)),
            _ => true,
        };
        if is_met {
            let number = correlation.kind.has_number().then(|| value.to_string());
            found.alerts.push(Alert { rule, record, group: group(&line), number });
        }
    }
    found.alerts.sort();
    found
}

fn group(line: &Json) -> Vec<(String, String)> {
    let pairs = line["group_key"].as_array().unwrap().iter();
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}
