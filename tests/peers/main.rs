//! lib60870 (c104) at both ends of a line, and somebody in the middle who may cheat.
//!
//! A folder of `scenarios/` is a scenario: `scenario.yaml` says what the peers and the proxy between them
//! do (`play.py` reads it), `expected.jsonl` what is said of the recording, whole: a line `seen` with every
//! kind of APDU, then each anomaly and each command record, sorted, for when a command is told of is up
//! to what else may still come.
//!
//! `GRIDTAP_PEERS=name` plays one of them, and prints what was said.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::scenarios::{Stage, stable};
use etherparse::{SlicedPacket, TransportSlice};
use serde_json::{Value as Json, json};

/// What the rest of a record implies here.
const IMPLIED: &[&str] = &["/direction", "/iec104/type_id"];

#[test]
fn each_scenario_is_told_as_expected() {
    let stage = Stage {
        folder: "tests/peers",
        script: "play.py",
        modules: "c104, yaml",
        programs: &[("tcpdump", "--version"), ("ethtool", "--version")],
        only: "GRIDTAP_PEERS",
        types: "anomaly,iec104",
        tell,
    };
    stage.play_all();
}

/// What is said of a capture.
fn tell(capture: &Path, records: &[Json]) -> Vec<String> {
    let mut seen: BTreeSet<_> = records.iter().filter_map(kind).collect();
    seen.extend(segmentation(capture, records));
    let mut told = vec![json!({ "seen": seen }).to_string()];
    let is_told = |record: &&Json| record["anomaly"] != Json::Null || is_command(record);
    told.extend(stable(records.iter().filter(is_told), IMPLIED));
    told
}

fn is_command(record: &Json) -> bool {
    record["iec104"]["command"] != Json::Null
}

/// What kind of APDU a record is of.
fn kind(record: &Json) -> Option<String> {
    let message = &record["iec104"];
    match message["frame"].as_str()? {
        "U" => message["function"].as_str().map(str::to_owned),
        "I" => {
            let sign = if message["negative"] == true { ", negative" } else { "" };
            Some(format!("{} {}{sign}", message["type"].as_str()?, message["cause"].as_str()?))
        }
        frame => Some(frame.to_owned()),
    }
}

/// How APDUs and segments met.
fn segmentation(capture: &Path, records: &[Json]) -> Vec<String> {
    let mut said = Vec::new();
    let ends: Vec<_> = records.iter().filter(|record| kind(record).is_some()).collect();
    if ends.windows(2).any(|pair| pair[0]["pcap_cnt"] == pair[1]["pcap_cnt"]) {
        said.push("several APDUs in a segment".to_owned());
    }
    let starts_within = |frame: &common::OwnedFrame| {
        let packet = SlicedPacket::from_ethernet(&frame.data).unwrap();
        matches!(packet.transport, Some(TransportSlice::Tcp(tcp))
            if tcp.payload().first().is_some_and(|octet| *octet != 0x68))
    };
    if common::frames(capture).iter().any(starts_within) {
        said.push("an APDU in several segments".to_owned());
    }
    said
}
