//! Nothing evades it: attacks that are sent so that a receiver reads them and who looks on does not
//! (Ptacek and Newsham, "Insertion, Evasion, and Denial of Service", 1998).
//!
//! The cases are data, in `cases/`; its README tells how they are written.

#[path = "../common/mod.rs"]
mod common;
mod edits;
mod packets;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{Collected, feed, file, files, frames};
use gridtap::engine::{Engine, Limits};
use gridtap::flow::{Checksums, HostPolicies, HostPolicy, Overlaps, Urgent};
use gridtap::protocol;
use gridtap::rule::{Placeholders, RuleSet};
use packets::Connection;
use serde_json::Value;

/// Connections that an attack is in: capture, and the client's port.
const SESSIONS: &[(&str, &str, u16)] =
    &[("iec104", "pcaps/demo.pcap", 33_894), ("mqtt", "pcaps/mqtt-abuse.pcap", 41_014)];

/// The fewest cases: a folder that was not read would pass.
const FEWEST: usize = 40;

fn rules() -> Arc<RuleSet> {
    let services: Vec<_> = protocol::services().collect();
    let rules = RuleSet::load(&RuleSet::builtin_sources(), &services, &Placeholders::default());
    Arc::new(rules.expect("the built-in pack loads"))
}

fn see(connection: &Connection, policy: HostPolicy, rules: &Arc<RuleSet>) -> Collected {
    let mut collected = Collected::default();
    let policies = HostPolicies { standard: policy, networks: Vec::new() };
    let mut engine = Engine::new(Arc::clone(rules), Limits::default(), &collected)
        .with_policies(Arc::new(policies));
    feed(&mut engine, &connection.frames(), &mut collected);
    engine.finish(&mut collected);
    assert_eq!(engine.stats().stream_memory, 0);
    collected
}

/// What a case says of the receiver.
fn policy(case: &Value) -> HostPolicy {
    let word = |name: &str, default: &'static str| {
        case[name].as_str().map_or_else(|| default.to_owned(), ToOwned::to_owned)
    };
    HostPolicy {
        overlaps: match word("policy", "linux").as_str() {
            "first" => Overlaps::First,
            "last" => Overlaps::Last,
            "linux" => Overlaps::Linux,
            "windows" => Overlaps::Windows,
            "bsd" => Overlaps::Bsd,
            other => panic!("there is no policy `{other}`"),
        },
        urgent: match word("urgent", "out_of_band").as_str() {
            "out_of_band" => Urgent::OutOfBand,
            "inline" => Urgent::Inline,
            other => panic!("urgent data is not `{other}`"),
        },
        checksums: match word("checksums", "honour").as_str() {
            "honour" => Checksums::Honour,
            "strict" => Checksums::Strict,
            "ignore" => Checksums::Ignore,
            other => panic!("checksums are not `{other}`"),
        },
    }
}

/// The anomalies of packets and streams, each once.
fn named(seen: &Collected) -> Vec<String> {
    let mut named: Vec<String> = seen
        .of("anomaly")
        .iter()
        .filter(|record| record["anomaly"]["app_proto"].is_null())
        .map(|record| record["anomaly"]["event"].as_str().unwrap().to_owned())
        .collect();
    named.sort();
    named.dedup();
    named
}

fn counted(alerts: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for alert in alerts {
        *counts.entry(alert.as_str()).or_default() += 1;
    }
    counts
}

/// What a case comes to, if it is not what it says.
fn try_case(case: &Value, plain: &Connection, rules: &Arc<RuleSet>) -> Option<String> {
    let before = see(plain, HostPolicy::default(), rules);
    assert!(!before.alerts.is_empty(), "the plain connection raises no alert");
    assert!(named(&before).is_empty(), "the plain connection is not plain");
    let mut connection = plain.clone();
    for edit in case["edits"].as_array().expect("a list of edits") {
        edits::apply(&mut connection, edit);
    }
    let seen = see(&connection, policy(case), rules);
    let expected: Vec<String> = case["named"].as_array().map_or_else(Vec::new, |names| {
        names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    });
    let named = named(&seen);
    if named != expected {
        return Some(format!("named are {named:?}, not {expected:?}"));
    }
    let times = case["times"].as_u64().unwrap_or(1) as usize;
    let (there, needed) = (counted(&seen.alerts), counted(&before.alerts));
    let missing =
        needed.iter().find(|(alert, count)| there.get(*alert).unwrap_or(&0) < &(*count * times));
    match (case["alerts"].as_str(), missing) {
        (Some("plain"), Some((alert, _))) => Some(format!("`{alert}` is missing: {there:?}")),
        (Some("any"), _) if named.is_empty() => Some("nothing is named".to_owned()),
        (Some("any"), None) => Some("the alerts are plain: say so".to_owned()),
        (Some("plain"), None) | (Some("any"), Some(_)) => None,
        (other, _) => panic!("alerts are `plain` or `any`, not {other:?}"),
    }
}

#[test]
fn every_case_gives_the_alerts_of_the_plain_capture_or_a_named_anomaly() {
    const KEYS: &[&str] =
        &["what", "session", "edits", "policy", "urgent", "checksums", "alerts", "named", "times"];
    let rules = rules();
    let sessions: Vec<(&str, Connection)> = SESSIONS
        .iter()
        .map(|(name, capture, port)| (*name, Connection::of(&frames(&file(capture)), *port)))
        .collect();
    let mut wrong = Vec::new();
    let mut tried = 0;
    for path in files(&file("tests/evasion/cases")) {
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let cases: Value = serde_yaml::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in cases.as_array().expect("a list of cases") {
            let what = case["what"].as_str().expect("a line that says what the case does");
            let keys = case.as_object().unwrap().keys();
            keys.for_each(|key| assert!(KEYS.contains(&key.as_str()), "{what}: `{key}`"));
            let names: Vec<&str> = match &case["session"] {
                Value::Null => sessions.iter().map(|(name, _)| *name).collect(),
                name => vec![name.as_str().unwrap()],
            };
            for name in names {
                let plain = &sessions.iter().find(|(session, _)| *session == name).unwrap().1;
                let file = path.file_name().unwrap().to_string_lossy();
                if let Some(wrong_so) = try_case(case, plain, &rules) {
                    wrong.push(format!("{file}, {name}: {what}\n    {wrong_so}"));
                }
            }
            tried += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {tried} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried >= FEWEST, "{tried} cases only");
}
