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
use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use etherparse::{SlicedPacket, TransportSlice};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// How many are played at once: they wait for their line most of the time.
const AT_ONCE: usize = 4;

/// What differs from run to run.
const VARIES: &[&str] = &[
    "/timestamp",
    "/flow_id",
    "/community_id",
    "/pcap_cnt",
    "/src_port",
    "/dest_port",
    "/iec104/command/select_ms",
    "/iec104/command/confirm_ms",
    "/iec104/command/terminate_ms",
];

/// What the rest of a record implies.
const IMPLIED: &[&str] = &[
    "/event_type",
    "/proto",
    "/app_proto",
    "/direction",
    "/dest_ip",
    "/iec104/type_id",
    "/anomaly/type",
    "/anomaly/layer",
    "/anomaly/app_proto",
];

#[test]
fn each_scenario_is_told_as_expected() {
    let Some(python) = python() else { return };
    let scenarios = scenarios();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(failure) = check(&python, scenario) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort_unstable();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The interpreter that has c104, where there is all else that a scenario needs.
fn python() -> Option<OsString> {
    let Some(python) = env::var_os("GRIDTAP_PYTHON") else {
        println!("skipped: no $GRIDTAP_PYTHON; tests/run installs it");
        return None;
    };
    let works = |program: &str, arguments: &[&str]| {
        let command = Command::new(program).args(arguments).output();
        command.is_ok_and(|output| output.status.success())
    };
    if !works(&python.to_string_lossy(), &["-c", "import c104, yaml"]) {
        println!("skipped: no c104 or no yaml for $GRIDTAP_PYTHON; tests/run installs them");
        return None;
    }
    if !works("unshare", &["--net", "true"]) {
        println!("skipped: needs root, for network namespaces");
        return None;
    }
    for program in ["tcpdump", "ethtool"] {
        if !works(program, &["--version"]) {
            println!("skipped: no {program}; tests/run installs it");
            return None;
        }
    }
    Some(python)
}

fn scenarios() -> Vec<PathBuf> {
    let mut scenarios = common::files(&common::file("tests/peers/scenarios"));
    if let Some(one) = env::var_os("GRIDTAP_PEERS") {
        scenarios.retain(|path| path.file_name() == Some(&one));
    }
    assert!(!scenarios.is_empty(), "there is no such scenario");
    scenarios
}

fn check(python: &OsString, scenario: &Path) -> Result<(), String> {
    let name = scenario.file_name().unwrap().to_string_lossy();
    let folder = TempDir::new().unwrap();
    let capture = folder.path().join("peers.pcap");
    play(python, scenario, &capture).map_err(|error| format!("{name}: {error}"))?;
    let told = told(&capture);
    if env::var_os("GRIDTAP_PEERS").is_some() {
        println!("{}", told.join("\n"));
    }
    let expected = fs::read_to_string(scenario.join("expected.jsonl")).unwrap_or_default();
    let expected: Vec<_> = expected.lines().map(normal).collect();
    let differences = differences(&expected, &told);
    if differences.is_empty() { Ok(()) } else { Err(format!("{name}:\n{differences}")) }
}

fn play(python: &OsString, scenario: &Path, capture: &Path) -> Result<(), String> {
    let output = Command::new("unshare")
        .arg("--net")
        .arg(python)
        .arg("-B")
        .args([&common::file("tests/peers/play.py"), &scenario.join("scenario.yaml"), capture])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A line as it would have been written here.
fn normal(line: &str) -> String {
    let line: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    line.to_string()
}

/// Lines that are missing, then lines that are too many.
fn differences(expected: &[String], told: &[String]) -> String {
    let mut text = String::new();
    let missing = without(expected, told).map(|line| ('-', line));
    let unexpected = without(told, expected).map(|line| ('+', line));
    for (sign, line) in missing.chain(unexpected) {
        writeln!(text, "{sign} {line}").unwrap();
    }
    text
}

/// The first lines without the second, each as often as it is there.
fn without<'l>(lines: &'l [String], others: &[String]) -> impl Iterator<Item = &'l String> {
    let mut others = others.to_vec();
    lines.iter().filter(move |line| {
        let place = others.iter().position(|other| other == *line);
        place.map(|place| others.swap_remove(place)).is_none()
    })
}

/// What is said of a capture.
fn told(capture: &Path) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_gridtap"))
        .env_remove("GRIDTAP_CONFIG")
        .args(["replay", "--types", "anomaly,iec104", "--eve", "-"])
        .arg(capture)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let records: Vec<Json> = output
        .stdout
        .split(|octet| *octet == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let mut seen: BTreeSet<_> = records.iter().filter_map(kind).collect();
    seen.extend(segmentation(capture, &records));
    let mut told = vec![json!({ "seen": seen }).to_string()];
    let is_told = |record: &&Json| record["anomaly"] != Json::Null || is_command(record);
    let stable = |record: &Json| stable(record.clone()).to_string();
    let mut lines: Vec<_> = records.iter().filter(is_told).map(stable).collect();
    lines.sort_unstable();
    told.append(&mut lines);
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

/// A record without what varies, and without what is implied.
fn stable(mut record: Json) -> Json {
    for pointer in VARIES.iter().chain(IMPLIED) {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        if let Some(Json::Object(fields)) = record.pointer_mut(parent) {
            fields.remove(name);
        }
    }
    record
}
