//! Whatever frames of a small legal connection are lost, and in whatever order a mirror port shows
//! the rest, no end of it is said to have done anything wrong.
//!
//! Chance seldom loses just the answer to SYN and the first message behind it: here every subset of
//! the frames is tried.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::wire::{CONNACK, CONNECT, Client, End, STARTDT_ACT, STARTDT_CON, Server, Wire, point};
use common::{Collected, OwnedFrame, feed, file, frames, run};
use gridtap::engine::{Engine, Limits};
use gridtap::packet::{Transport, decode};
use gridtap::rule::RuleSet;
use serde_json::Value as Json;

/// What an end says, or that it acknowledges.
type Step<'s> = (End, &'s [u8]);

/// A connection from its first packet to its last.
fn connection(port: u16, steps: &[Step<'_>]) -> Vec<OwnedFrame> {
    let mut wire = Wire::opened(port);
    for (end, octets) in steps {
        wire.send(*end, octets);
    }
    wire.finish(Client);
    wire.finish(Server);
    wire.acknowledge(Client);
    wire.frames
}

/// A subscription and a message, at level 3.1.1 or 5, of which the longer packets take two segments.
fn mqtt(level: u8) -> Vec<OwnedFrame> {
    let five = level == 5;
    let with = |before: &[u8], properties: &[u8], after: &[u8]| {
        let body = [before, if five { properties } else { &[] }, after].concat();
        [&[body.len() as u8][..], &body].concat()
    };
    let packet = |first: u8, rest: Vec<u8>| [&[first][..], &rest].concat();
    let connect = packet(
        0x10,
        with(&[b"\0\x04MQTT", &[level][..], b"\x02\0\x3c"].concat(), b"\0", b"\0\x01c"),
    );
    let connack = packet(0x20, with(b"\0\0", b"\0", b""));
    let subscribe = packet(0x82, with(b"\0\x01", b"\0", b"\0\x01a\x01"));
    let suback = packet(0x90, with(b"\0\x01", b"\0", b"\x01"));
    let publish = packet(0x34, with(b"\0\x01a\0\x02", b"\0", b"a reading"));
    connection(
        1883,
        &[
            (Client, &connect),
            (Server, &connack),
            (Client, &subscribe),
            (Server, &suback),
            (Client, &publish[..9]),
            (Client, &publish[9..]),
            (Server, b"\x50\x02\0\x02"),
            (Client, b"\x62\x02\0\x02\xe0\0"),
        ],
    )
}

/// An interrogation and a spontaneous report.
fn iec104() -> Vec<OwnedFrame> {
    let interrogation = |number: u8, expected: u8, cause: u8| {
        [0x68, 14, number << 1, 0, expected << 1, 0, 100, 1, cause, 0, 10, 0, 0, 0, 0, 20]
    };
    let mut report = point(1);
    report[4] = 1 << 1;
    connection(
        2404,
        &[
            (Client, STARTDT_ACT),
            (Server, STARTDT_CON),
            (Client, &interrogation(0, 0, 6)),
            (Server, &interrogation(0, 1, 7)),
            (Server, &report),
            (Server, &interrogation(2, 1, 10)),
            (Client, b"\x68\x04\x01\0\x06\0"),
            (Client, b"\x68\x04\x43\0\0\0"),
            (Server, b"\x68\x04\x83\0\0\0"),
        ],
    )
}

/// The connection of `tls.pcap` that comes from this port, as far as so many segments.
fn tls(client_port: u16, segments: usize) -> Vec<OwnedFrame> {
    let recorded = frames(&file("pcaps/tls.pcap"));
    let said =
        recorded.iter().filter_map(|frame| match decode(frame.link, &frame.data).ok()?.transport {
            Transport::Tcp(tcp) if tcp.payload.is_empty() => None,
            Transport::Tcp(tcp) if tcp.source_port == client_port => Some((Client, tcp.payload)),
            Transport::Tcp(tcp) if tcp.destination_port == client_port => {
                Some((Server, tcp.payload))
            }
            _ => None,
        });
    let steps: Vec<_> = said.take(segments).collect();
    assert_eq!(steps.len(), segments, "port {client_port}");
    connection(8883, &steps)
}

fn connections() -> Vec<(&'static str, Vec<OwnedFrame>)> {
    vec![
        ("MQTT 3.1.1", mqtt(4)),
        ("MQTT 5", mqtt(5)),
        ("IEC 104", iec104()),
        ("TLS 1.2", tls(TLS_1_2, 6)),
        ("TLS 1.3", tls(TLS_1_3, 6)),
    ]
}

const TLS_1_2: u16 = 38738;
const TLS_1_3: u16 = 38752;

fn replay(frames: &[OwnedFrame]) -> Collected {
    run(frames, Arc::new(RuleSet::default()))
}

/// One engine for many short captures, each a minute after the one before.
struct Replays {
    engine: Engine,
    minutes: u32,
}

impl Replays {
    fn new() -> Self {
        let rules = Arc::new(RuleSet::default());
        let engine = Engine::new(rules, Limits::default(), &Collected::default());
        Self { engine, minutes: 0 }
    }

    fn assert_accuses_nobody(&mut self, name: &str, kept: u32, all: &[OwnedFrame]) {
        self.minutes += 1;
        let mut frames = subset(all, kept);
        for frame in &mut frames {
            frame.timestamp = frame.timestamp + Duration::from_secs(60) * self.minutes;
        }
        let mut seen = Collected::default();
        feed(&mut self.engine, &frames, &mut seen);
        self.engine.finish(&mut seen);
        let accusations = accusations(&seen);
        assert!(accusations.is_empty(), "{name}, kept {kept:b} from the right: {accusations:?}");
    }
}

/// The anomalies of protocols, but for what says that octets were missed in the middle of a message.
fn accusations(seen: &Collected) -> Vec<String> {
    let of_protocol = seen.of("anomaly").into_iter().filter(|record| {
        record["anomaly"]["app_proto"].is_string() && record["anomaly"]["event"] != "resync"
    });
    of_protocol.map(ToString::to_string).collect()
}

/// The frames whose bits are set, the first frame's being the lowest.
fn subset(all: &[OwnedFrame], kept: u32) -> Vec<OwnedFrame> {
    let is_kept = |(index, _): &(usize, &OwnedFrame)| kept >> index & 1 == 1;
    all.iter().enumerate().filter(is_kept).map(|(_, frame)| frame.clone()).collect()
}

#[test]
fn no_subset_of_the_frames_accuses_anybody() {
    for (name, all) in connections() {
        let mut replays = Replays::new();
        for kept in 1..1 << all.len() {
            replays.assert_accuses_nobody(name, kept, &all);
        }
    }
}

/// Of the first frames any are lost, of the others at most one; and two neighbours are shown the
/// other way round.
#[test]
fn loss_and_a_pair_in_another_order_accuse_nobody() {
    const FIRST: u32 = 6;
    for (name, all) in connections() {
        let mut replays = Replays::new();
        let everything = (1_u32 << all.len()) - 1;
        let one_of_others = (FIRST..all.len() as u32).map(|frame| everything & !(1 << frame));
        let of_others: Vec<_> = one_of_others.chain([everything]).collect();
        for pair in 0..all.len() - 1 {
            let mut all = all.clone();
            let (first, second) = (all[pair].timestamp, all[pair + 1].timestamp);
            all.swap(pair, pair + 1);
            (all[pair].timestamp, all[pair + 1].timestamp) = (first, second);
            let name = format!("{name}, frame {pair} swapped with the next");
            for (of_first, of_others) in (0..1 << FIRST)
                .flat_map(|first| of_others.iter().map(move |others| (first, others)))
            {
                let kept = of_others & (!0 << FIRST) | of_first;
                replays.assert_accuses_nobody(&name, kept, &all);
            }
        }
    }
}

/// The flow record of what these frames are.
fn flow(frames: &[OwnedFrame]) -> (Collected, Json) {
    let seen = replay(frames);
    let flow = seen.of("flow")[0]["flow"].clone();
    (seen, flow)
}

#[test]
fn a_direction_without_its_first_segments_had_begun() {
    // SYN, then nothing before SUBSCRIBE.
    let (_, flow) = flow(&subset(&mqtt(4), 0b1111_1110_0001));
    assert_eq!(flow["joined"], true);
    assert_eq!((&flow["gaps_toserver"], &flow["missed_toserver"]), (&1.into(), &15.into()));
}

#[test]
fn octets_before_the_first_that_is_seen_are_a_gap_where_the_other_end_knew_less() {
    // The handshake's ACK, STARTDT act, then the interrogation and its answers.
    let all = iec104();
    let (seen, flow) = flow(&subset(&all, ((1 << all.len()) - 1) & !0b1_0011));
    assert_eq!(accusations(&seen), [""; 0]);
    assert_eq!(flow["joined"], true);
    assert_eq!((&flow["gaps_toclient"], &flow["missed_toclient"]), (&1.into(), &6.into()));
}

#[test]
fn a_hole_before_fin_is_a_gap_and_the_connection_closes_over_it() {
    let mut wire = Wire::opened(1883);
    wire.send(Client, CONNECT);
    wire.send(Server, CONNACK);
    wire.send(Client, b"\x30\x40\0\x01a and more");
    wire.lose(Client, 53);
    wire.finish(Client);
    wire.finish(Server);
    wire.acknowledge(Client);
    let (seen, flow) = flow(&wire.frames);
    assert_eq!(accusations(&seen), [""; 0]);
    assert_eq!((&flow["gaps_toserver"], &flow["missed_toserver"]), (&1.into(), &53.into()));
    assert_eq!(flow["state"], "closed");
}

#[test]
fn a_message_that_fin_cuts_off_is_truncated_by_its_sender() {
    let mut wire = Wire::opened(1883);
    wire.send(Client, CONNECT);
    wire.send(Server, CONNACK);
    wire.send(Client, b"\x30\x40\0\x01a and more");
    let unfinished = replay(&wire.frames);
    assert_eq!(accusations(&unfinished), [""; 0], "more may come");
    wire.finish(Client);
    assert_eq!(replay(&wire.frames).anomalies(), ["truncated"]);
}

#[test]
fn a_hole_before_a_reset_is_a_gap() {
    let mut wire = Wire::opened(1883);
    wire.send(Client, CONNECT);
    wire.send(Server, CONNACK);
    wire.send(Client, b"\x30\x40\0\x01a and more");
    wire.lose(Client, 53);
    wire.acknowledge(Server);
    wire.reset(Client, 0);
    let (seen, flow) = flow(&wire.frames);
    assert_eq!(accusations(&seen), [""; 0]);
    assert_eq!((&flow["gaps_toserver"], &flow["missed_toserver"]), (&1.into(), &53.into()));
    assert_eq!(flow["state"], "closed");
}

#[test]
fn what_the_other_end_acknowledges_at_the_end_was_sent() {
    let mut wire = Wire::opened(1883);
    wire.send(Client, CONNECT);
    wire.send(Server, CONNACK);
    wire.send(Client, b"\x30\x40\0\x01a and more");
    wire.lose(Client, 53);
    wire.acknowledge(Server);
    let (seen, flow) = flow(&wire.frames);
    assert_eq!(accusations(&seen), [""; 0]);
    assert_eq!((&flow["gaps_toserver"], &flow["missed_toserver"]), (&1.into(), &53.into()));
}

#[test]
fn a_handshake_whose_end_was_lost_is_partial() {
    let all = tls(TLS_1_2, 6);
    let hello_only = [0, 1, 2, 3, all.len() - 3, all.len() - 2, all.len() - 1];
    let kept: Vec<_> = hello_only.iter().map(|index| all[*index].clone()).collect();
    let seen = replay(&kept);
    assert_eq!(seen.of("tls")[0]["tls"]["partial"], true);
}

/// What another connection shows is that time goes on.
#[test]
fn a_hole_before_fin_is_given_up_in_time_and_the_connection_is_over() {
    let mut wire = Wire::opened(1883);
    wire.send(Client, CONNECT);
    wire.lose(Client, 2);
    for end in [Client, Server] {
        wire.finish(end);
    }
    wire.acknowledge(Client);
    let mut other = Wire::between([[10, 0, 0, 3], [10, 0, 0, 4]], [40_000, 1883]);
    for _ in 0..3 {
        other.wait(Duration::from_secs(6));
        other.acknowledge(Client);
    }
    let seen = replay(&[wire.frames, other.frames].concat());
    let events: Vec<_> = seen.records.iter().map(|record| &record["event_type"]).collect();
    assert_eq!(events, ["mqtt", "anomaly", "flow", "flow"]);
    assert_eq!(seen.records[1]["anomaly"]["event"], "gap");
    let flow = &seen.records[2]["flow"];
    assert_eq!((&flow["state"], &flow["reason"]), (&"closed".into(), &"timeout".into()));
}

#[test]
fn a_window_that_one_end_fills_is_no_sign_that_the_other_is_not_seen() {
    let anomalies = |milliseconds: u64, packets: u64| {
        let mut wire = Wire::joined(9);
        for _ in 0..packets {
            wire.wait(Duration::from_millis(milliseconds));
            wire.send(Server, b"data");
        }
        replay(&wire.frames).anomalies().join(" ")
    };
    assert_eq!(anomalies(0, 900), "");
    assert_eq!(anomalies(20, 60), "");
    assert_eq!(anomalies(20, 64), "one_sided");
    assert_eq!(anomalies(20, 640), "one_sided", "once a flow");
    assert_eq!(anomalies(10, 128), "one_sided", "at the next look");
}
