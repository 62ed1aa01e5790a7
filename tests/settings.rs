//! What is configured of stations, from the command line or a file to what is told of their links.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use gridtap::capture::PcapWriter;
use gridtap::config::{Config, Sources};
use gridtap::engine::{Engine, Limits};
use gridtap::packet::LinkType;
use gridtap::protocol::Configured;
use gridtap::rule::RuleSet;
use serde_json::Value as Json;
use tempfile::TempDir;

mod common;

use common::Collected;
use common::wire::{Client, End, STARTDT_ACT, STARTDT_CON, Server, Wire};

const CENTRE: [u8; 4] = [10, 20, 0, 10];
const STATION: [u8; 4] = [10, 30, 0, 1];

const TESTFR_ACT: &[u8] = &[0x68, 4, 0x43, 0, 0, 0];
const TESTFR_CON: &[u8] = &[0x68, 4, 0x83, 0, 0, 0];

/// `M_SP_NA_1`, spontaneous: point 7 of station 10 is on.
const REPORT: &[u8] = &[1, 1, 3, 0, 10, 0, 7, 0, 0, 1];
/// The same where all fields are as narrow as they can be, but for the address of the point.
const NARROW: &[u8] = &[1, 1, 3, 10, 7, 0, 1];

/// The station's parameters as the standard has them, at the end of a list.
const STANDARD: &str = "k: 12, w: 8, t1: 15s, t3: 20s, time_zone: '+00:00'}]";

/// What a link does that keeps to none of [`STANDARD`].
const ALL: [&str; 4] = ["k_exceeded", "t1_timeout", "t3_test_missing", "time_skew"];

/// An I-frame with these numbers.
fn i_frame(send: u16, receive: u16, asdu: &[u8]) -> Vec<u8> {
    let ([s1, s2], [r1, r2]) = ((send << 1).to_le_bytes(), (receive << 1).to_le_bytes());
    [&[0x68, 4 + asdu.len() as u8, s1, s2, r1, r2], asdu].concat()
}

/// `M_SP_TB_1`: the same point, 2023-11-14 23:15: an hour after the link of [`violate`] began.
fn tagged() -> Vec<u8> {
    [&[30, 1, 3, 0, 10, 0, 7, 0, 0, 1][..], &[0, 0, 15, 23, 14, 11, 23]].concat()
}

/// A started link between the control centre and the station, which `caller` opened.
fn started(caller: [u8; 4]) -> (Wire, End, End) {
    let called = if caller == CENTRE { STATION } else { CENTRE };
    let (centre, station) = if caller == CENTRE { (Client, Server) } else { (Server, Client) };
    let mut wire = Wire::between([caller, called], [40_000, 2404]);
    wire.open();
    wire.send(centre, STARTDT_ACT);
    wire.send(station, STARTDT_CON);
    (wire, centre, station)
}

/// Does what is no violation unless one knows what the two have agreed upon: [`ALL`], in this
/// order.
fn violate(caller: [u8; 4]) -> Wire {
    let (mut wire, centre, station) = started(caller);
    for send in 0..13 {
        wire.send(station, &i_frame(send, 0, REPORT));
    }
    wire.wait(Duration::from_secs(18));
    wire.send(centre, TESTFR_ACT);
    wire.send(station, TESTFR_CON);
    wire.send(centre, &[0x68, 4, 1, 0, 26, 0]);
    wire.wait(Duration::from_secs(60));
    wire.send(station, TESTFR_ACT);
    wire.send(centre, TESTFR_CON);
    wire.send(station, &i_frame(13, 0, &tagged()));
    wire.send(centre, &[0x68, 4, 1, 0, 28, 0]);
    wire
}

/// A capture of it, and the folder that it is in.
fn capture(wire: &Wire) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("link.pcap");
    let file = BufWriter::new(std::fs::File::create(&path).unwrap());
    let mut writer = PcapWriter::new(file, LinkType::Raw).unwrap();
    for frame in &wire.frames {
        writer.write(frame.timestamp, frame.data.len() as u32, &frame.data).unwrap();
    }
    writer.finish().unwrap();
    (folder, path)
}

fn gridtap(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridtap"));
    for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("GRIDTAP_")) {
        command.env_remove(variable);
    }
    command.args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The records of a replay with these arguments.
fn replay(capture: &Path, arguments: &[&str]) -> Vec<Json> {
    let first = ["replay", capture.to_str().unwrap(), "--eve", "-"];
    let output = gridtap(&[&first, arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a replay finds wrong with `iec104` set so.
fn anomalies(capture: &Path, set: &str) -> Vec<String> {
    let set = format!("protocols.iec104={set}");
    names(&replay(capture, &["--set", &set]))
}

fn names(records: &[Json]) -> Vec<String> {
    let anomalies = records.iter().filter(|record| record["event_type"] == "anomaly");
    anomalies.map(|record| record["anomaly"]["event"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_two_stations_have_agreed_upon_is_judged_once_it_is_known() {
    let (_folder, link) = capture(&violate(CENTRE));
    assert_eq!(names(&replay(&link, &[])), [""; 0]);
    assert_eq!(anomalies(&link, &format!("[{{{STANDARD}")), ALL);
    assert_eq!(anomalies(&link, "[{k: 13, t1: 17s, t3: 59s, time_zone: '+01:00'}]"), [""; 0]);
    for (place, name) in ["k: 12", "t1: 15s", "t3: 20s", "time_zone: '+00:00'"].iter().zip(ALL) {
        assert_eq!(anomalies(&link, &format!("[{{{place}}}]")), [name]);
    }
}

#[test]
fn the_first_member_with_the_stations_address_counts() {
    for caller in [CENTRE, STATION] {
        let (_folder, link) = capture(&violate(caller));
        for (before, expected) in [
            ("[{servers: [10.30.0.0/16], ", &ALL[..]),
            ("[{servers: [10.31.0.0/16], k: 1}, {servers: [10.30.0.1], ", &ALL[..]),
            ("[{servers: [10.30.0.1], t1: 15s}, {", &["t1_timeout"][..]),
            ("[{servers: [10.20.0.0/16], ", &[][..]),
        ] {
            assert_eq!(anomalies(&link, &format!("{before}{STANDARD}")), expected, "{before}");
        }
    }
}

#[test]
fn a_file_says_the_same() {
    let (folder, link) = capture(&violate(CENTRE));
    let file = folder.path().join("gridtap.yaml");
    let text = format!("protocols:\n  iec104: [{{servers: [10.30.0.0/16], {STANDARD}\n");
    std::fs::write(&file, text).unwrap();
    assert_eq!(names(&replay(&link, &["--config", file.to_str().unwrap()])), ALL);
}

#[test]
fn narrow_profiles_are_read_where_they_are_configured() {
    let (mut wire, centre, station) = started(CENTRE);
    wire.send(station, &i_frame(0, 0, NARROW));
    wire.send(centre, &[0x68, 4, 1, 0, 2, 0]);
    let (_folder, link) = capture(&wire);
    let widths = "{cause_octets: 1, common_address_octets: 1, object_address_octets: 2}";
    let set = format!("protocols.iec104=[{widths}]");
    let records = replay(&link, &["--set", &set]);
    assert_eq!(names(&records), [""; 0]);
    let report = records.iter().find(|record| record["iec104"]["type_id"] == 1).unwrap();
    assert_eq!(
        (&report["iec104"]["ca"], &report["iec104"]["objects"][0]["ioa"]),
        (&10.into(), &7.into())
    );
    assert_ne!(names(&replay(&link, &[])), [""; 0], "the standard has wider fields");
}

/// Stations that command each other, as control centres do.
#[test]
fn in_reverse_operation_commands_go_both_ways() {
    let (mut wire, centre, station) = started(CENTRE);
    let single = |cause| [45, 1, cause, 0, 10, 0, 5, 0, 0, 1];
    wire.send(station, &i_frame(0, 0, &single(6)));
    wire.send(centre, &i_frame(0, 1, &single(7)));
    wire.send(station, &i_frame(1, 1, &single(6)));
    wire.send(centre, &i_frame(1, 2, &single(7 | 0x40)));
    let (_folder, link) = capture(&wire);
    let outcomes = |arguments: &[&str]| {
        let records = replay(&link, arguments);
        let outcomes = records.iter().map(|record| &record["iec104"]["command"]["outcome"]);
        outcomes.filter_map(Json::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&[]), [""; 0]);
    let reverse = outcomes(&["--set", "protocols.iec104=[{reverse: true}]"]);
    assert_ne!(reverse, [""; 0]);
}

#[test]
fn a_mistake_stops_a_replay() {
    let (_folder, link) = capture(&violate(CENTRE));
    let set = "protocols.iec104=[{k: 8, w: 12}]";
    let output = gridtap(&["replay", link.to_str().unwrap(), "--set", set]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("`w` is greater than `k`"), "{said}");
}

fn configured(settings: &str) -> Configured {
    let settings = vec![format!("protocols.iec104=[{{{settings}}}]")];
    let sources = Sources { settings, ..Sources::default() };
    Config::load(&sources).unwrap().config.protocols
}

fn engine(collected: &Collected) -> Engine {
    Engine::new(Arc::new(RuleSet::default()), Limits::default(), collected)
}

#[test]
fn a_clock_that_nobody_keeps_in_step_judges_nobody() {
    let link = violate(CENTRE);
    for (trusted, expected) in [(true, &["time_skew"][..]), (false, &[])] {
        let mut told = Collected::default();
        let mut engine = engine(&told).with_settings(&configured("time_zone: '+00:00'"));
        engine.trust_clock(trusted);
        common::feed(&mut engine, &link.frames, &mut told);
        engine.finish(&mut told);
        assert_eq!(names(&told.records), expected);
    }
}

#[test]
fn what_changes_counts_for_connections_that_begin_later() {
    let mut told = Collected::default();
    let mut engine = engine(&told).with_settings(&configured("k: 12"));
    let link = violate(CENTRE);
    let (begin, end) = link.frames.split_at(6);
    common::feed(&mut engine, begin, &mut told);
    engine.configure(&configured("t1: 15s"));
    common::feed(&mut engine, end, &mut told);
    assert_eq!(names(&told.records), ["k_exceeded"]);

    let mut told = Collected::default();
    common::feed(&mut engine, &violate(STATION).frames, &mut told);
    assert_eq!(names(&told.records), ["t1_timeout"]);
}
