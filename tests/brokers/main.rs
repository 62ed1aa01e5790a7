//! mosquitto and paho-mqtt at the ends of a line, and somebody in the middle who may cheat.
//!
//! A folder of `scenarios/` is a scenario: `scenario.yaml` says what the clients and the proxy before the broker do
//! (`stage.py` reads it), `expected.jsonl` what is said of the recording: a line `seen` with every kind of packet, by
//! level and sender, then each anomaly, sorted.
//!
//! `GRIDTAP_BROKERS=name` plays one of them, and prints what was said.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::scenarios::{Stage, stable};
use serde_json::{Value as Json, json};

/// What the rest of a record implies here.
const IMPLIED: &[&str] = &["/src_ip"];

#[test]
fn each_scenario_is_told_as_expected() {
    let stage = Stage {
        folder: "tests/brokers",
        script: "stage.py",
        modules: "paho.mqtt, yaml",
        programs: &[("tcpdump", "--version"), ("ethtool", "--version"), ("mosquitto", "-h")],
        only: "GRIDTAP_BROKERS",
        types: "anomaly,mqtt",
        tell,
    };
    stage.play_all();
}

/// What is said of a recording.
fn tell(_: &Path, records: &[Json]) -> Vec<String> {
    let seen: BTreeSet<_> = records.iter().filter_map(kind).collect();
    let mut told = vec![json!({ "seen": seen }).to_string()];
    let anomalies = records.iter().filter(|record| record["anomaly"] != Json::Null);
    let anomalies: Vec<_> = anomalies.map(timeless).collect();
    told.extend(stable(anomalies.iter(), IMPLIED));
    told
}

/// Without how long a silence was, to the millisecond.
fn timeless(record: &Json) -> Json {
    let mut record = record.clone();
    if record["anomaly"]["event"] == "keepalive_missed" {
        record["anomaly"].as_object_mut().unwrap().remove("value");
    }
    record
}

/// `5 PUBLISH power to_server, sent again`
fn kind(record: &Json) -> Option<String> {
    let packet = &record["mqtt"];
    let kind = packet["type"].as_str()?;
    let own = &packet[kind.to_lowercase()];
    let inferred = if packet["version_inferred"] == true { "?" } else { "" };
    let mut text = format!("{}{inferred} {kind}", packet["version"]);
    for word in ["topic", "message", "reason"] {
        if let Some(word) = own[word].as_str() {
            text = format!("{text} {word}");
        }
    }
    let again = if own["dup"] == true { ", sent again" } else { "" };
    let present = if own["session_present"] == true { ", session present" } else { "" };
    Some(format!("{text} {}{again}{present}", record["direction"].as_str()?))
}
