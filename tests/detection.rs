//! Protocols are recognised by what is said, on any port, from any moment on, and nothing else is
//! taken for one of them, on any port.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::wire::{CONNACK, CONNECT, Client, End, STARTDT_ACT, STARTDT_CON, Server, Wire};
use common::wire::{point, publish};
use common::{Collected, run};
use gridtap::rule::RuleSet;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Registered for nothing that we know.
const FOREIGN: u16 = 20_000;
const IEC104: u16 = 2404;
const MQTT: u16 = 1883;
const TLS: u16 = 8883;

fn seen(wire: &Wire) -> Collected {
    run(&wire.frames, Arc::new(RuleSet::default()))
}

/// How many records of each type there are but flows, anomalies by name.
///
/// `one_sided` is left out: it counts packets, whatever they carry, and here only one end speaks,
/// in as many packets as the case cuts its stream into.
fn summary(wire: &Wire) -> BTreeMap<String, usize> {
    let seen = seen(wire);
    let messages = seen.records.iter().filter_map(|record| record["event_type"].as_str());
    let messages = messages.filter(|name| !matches!(*name, "flow" | "anomaly"));
    let anomalies = seen.anomalies().into_iter().filter(|name| *name != "one_sided");
    let mut counts = BTreeMap::new();
    for name in messages.chain(anomalies) {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

fn counts<const N: usize>(expected: [(&str, usize); N]) -> BTreeMap<String, usize> {
    expected.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

/// Telemetry from a station, and what a broker hears.
fn streams() -> [(&'static str, Vec<u8>); 2] {
    let apdus = (0..20).flat_map(point).collect();
    let packets = (0..20).flat_map(|n| publish("plant/power", &format!("{n:2} MW"))).collect();
    [("iec104", apdus), ("mqtt", packets)]
}

/// Sends a stream in segments of this length.
fn send(wire: &mut Wire, from: End, octets: &[u8], segment: usize) {
    for piece in octets.chunks(segment) {
        wire.send(from, piece);
    }
}

#[test]
fn a_connection_is_joined_anywhere_in_a_message_however_it_is_cut() {
    for (protocol, stream) in streams() {
        let message = stream.len() / 20;
        for skipped in 0..2 * message {
            for segment in [1, 2, 3, 7, message, message + 1, stream.len()] {
                let mut wire = Wire::joined(FOREIGN);
                send(&mut wire, Server, &stream[skipped..], segment);
                let expected = counts([(protocol, (stream.len() - skipped) / message)]);
                assert_eq!(summary(&wire), expected, "from {skipped} in pieces of {segment}");
            }
        }
    }
}

/// What the flow speaks, and which end of it is the client.
fn spoken(wire: &Wire) -> (Option<String>, String) {
    let seen = seen(wire);
    assert_eq!(seen.anomalies().iter().filter(|name| **name != "one_sided").count(), 0);
    let flow = seen.of("flow")[0].clone();
    let text = |name: &str| flow[name].as_str().map(str::to_owned);
    (text("app_proto"), text("src_ip").unwrap())
}

/// ClientHello and ServerHello of TLS 1.2.
fn hellos() -> [Vec<u8>; 2] {
    let client =
        [&b"\x16\x03\x01\0\x2d\x01\0\0\x29\x03\x03"[..], &[7; 32], b"\0\0\x02\xc0\x2c\x01\0"];
    let server = [&b"\x16\x03\x03\0\x2a\x02\0\0\x26\x03\x03"[..], &[8; 32], b"\0\xc0\x2c\0"];
    [client.concat(), server.concat()]
}

/// An encrypted record.
fn protected(octets: usize) -> Vec<u8> {
    [&[23, 3, 3][..], &(octets as u16).to_be_bytes(), &vec![0xdd; octets]].concat()
}

#[test]
fn tls_is_known_by_either_hello_on_any_port() {
    let [client, server] = hellos();
    for segment in [1, 3, 100] {
        for port in [FOREIGN, IEC104, MQTT, TLS] {
            let mut wire = Wire::opened(port);
            send(&mut wire, Client, &client, segment);
            assert_eq!(spoken(&wire), (Some("tls".into()), "10.0.0.1".into()), "{segment}");

            let mut wire = Wire::joined(port);
            send(&mut wire, Server, &server, segment);
            send(&mut wire, Client, &protected(40), segment);
            assert_eq!(spoken(&wire), (Some("tls".into()), "10.0.0.1".into()), "{segment}");
        }
    }
}

/// A header says little, several in a row say enough.
#[test]
fn tls_that_is_joined_is_known_by_a_few_records_in_a_row() {
    for (port, enough) in [(TLS, 2), (FOREIGN, 4)] {
        for (records, known) in [(enough - 1, false), (enough, true)] {
            for segment in [1, 7, 1000] {
                let mut wire = Wire::joined(port);
                // The end of a record that nobody saw begin.
                send(&mut wire, Client, &[0xcc; 30], segment);
                for _ in 0..records {
                    send(&mut wire, Client, &protected(90), segment);
                }
                let expected = known.then(|| "tls".to_owned());
                assert_eq!(spoken(&wire).0, expected, "{records} records on {port}");
            }
        }
    }
}

#[test]
fn a_protocol_behind_a_proxy_is_found() {
    let proxy = b"CONNECT station.example:2404 HTTP/1.1\r\nHost: station.example\r\n\r\n";
    for segment in [1, 5, 1000] {
        let mut wire = Wire::opened(8080);
        let both = [&proxy[..], STARTDT_ACT, STARTDT_ACT, STARTDT_ACT].concat();
        send(&mut wire, Client, &both, segment);
        assert_eq!(summary(&wire), counts([("iec104", 3)]));
    }
}

#[test]
fn the_search_ends_where_it_says() {
    let mut wire = Wire::opened(FOREIGN);
    for _ in 0..100 {
        wire.send(Client, &[b'.'; 100]);
    }
    for number in 0..20 {
        wire.send(Client, &point(number));
    }
    assert_eq!(summary(&wire), counts([]));
}

/// Nobody learns what these flows speak before they end.
#[test]
fn what_is_open_at_the_end_is_decided_with_what_there_is() {
    let mut pings = Wire::joined(FOREIGN);
    pings.send(Client, b"\xc0\0");
    pings.send(Server, b"\xd0\0");
    assert_eq!(summary(&pings), counts([("mqtt", 2)]));

    let mut acknowledgment = Wire::joined(MQTT);
    acknowledgment.send(Server, b"\x40\x02\0\x01");
    assert_eq!(summary(&acknowledgment), counts([("mqtt", 1)]));

    let mut stale = Wire::joined(IEC104);
    stale.send(Server, &[&[0x68], STARTDT_CON].concat());
    assert_eq!(summary(&stale), counts([("iec104", 1)]));

    let mut one_ping = Wire::joined(FOREIGN);
    one_ping.send(Client, b"\xc0\0");
    assert_eq!(summary(&one_ping), counts([]), "two octets are no evidence");
}

#[test]
fn a_port_is_no_proof() {
    for port in [IEC104, MQTT, TLS] {
        for other in [
            &b"GET / HTTP/1.1\r\nHost: 10.0.0.2\r\n\r\n"[..],
            b"POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x30\x01\0\0\x24", // DTLS
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"hello\n",
        ] {
            let mut wire = Wire::opened(port);
            wire.send(Client, other);
            for _ in 0..200 {
                wire.send(Server, other);
                wire.send(Client, other);
            }
            wire.finish(Client);
            wire.finish(Server);
            assert_eq!(summary(&wire), counts([("wrong_protocol", 1)]), "{port}: {other:?}");
        }
    }
}

#[test]
fn a_wrong_protocol_says_which_was_to_be_spoken() {
    let mut wire = Wire::opened(IEC104);
    wire.send(Client, b"GET / HTTP/1.1\r\n\r\n");
    let seen = seen(&wire);
    let anomaly = seen.of("anomaly")[0];
    assert_eq!(anomaly["anomaly"]["app_proto"], "iec104");
    assert_eq!(anomaly["anomaly"]["layer"], "proto_detect");
    assert_eq!(anomaly["direction"], "to_server");
    assert!(anomaly["app_proto"].is_null(), "the flow speaks nothing that is known");
}

/// On its port, one damaged message is reported, and what follows is read.
#[test]
fn a_stream_that_begins_well_is_followed_through_damage() {
    let mut wire = Wire::opened(IEC104);
    wire.send(Client, STARTDT_ACT);
    wire.send(Server, STARTDT_CON);
    wire.send(Server, b"garbage");
    for number in 0..3 {
        wire.send(Server, &point(number));
    }
    let expected = counts([("iec104", 5), ("start_byte", 1), ("resync", 1)]);
    assert_eq!(summary(&wire), expected);

    let mut wire = Wire::opened(MQTT);
    wire.send(Client, CONNECT);
    wire.send(Server, CONNACK);
    wire.send(Client, b"\0garbage");
    wire.send(Client, &publish("plant/power", "17 MW"));
    let expected = counts([("mqtt", 3), ("reserved_type", 1), ("resync", 1)]);
    assert_eq!(summary(&wire), expected);
}

/// On its port, a first message may be flawed, and is told with its flaw.
#[test]
fn a_flawed_first_message_is_one_on_its_port() {
    let mut wire = Wire::opened(IEC104);
    wire.send(Client, &[0x68, 4, 0x0F, 0, 0, 0]);
    assert_eq!(summary(&wire), counts([("iec104", 1), ("u_function", 1)]));

    let mut wire = Wire::opened(MQTT);
    wire.send(Client, b"\x10\x0d\0\x04MQTX\x04\x02\0\x3c\0\x01c");
    assert_eq!(summary(&wire), counts([("mqtt", 1), ("protocol_name", 1)]));
}

/// Flags of CONNECT are reserved: a peer that sets them speaks MQTT all the same, on any port.
#[test]
fn a_connect_with_reserved_flags_is_one() {
    for port in [FOREIGN, IEC104, MQTT, TLS] {
        for flags in 1..=15 {
            for segment in [1, 3, 1000] {
                let mut wire = Wire::opened(port);
                let mut connect = CONNECT.to_vec();
                connect[0] |= flags;
                send(&mut wire, Client, &connect, segment);
                wire.send(Server, CONNACK);
                send(&mut wire, Client, &publish("plant/power", "17 MW"), segment);
                let expected = counts([("mqtt", 3), ("reserved_flags", 1)]);
                assert_eq!(summary(&wire), expected, "{flags:x} on {port}");
            }
        }
    }
}

/// Behind something else, the protocol of the port is still found.
#[test]
fn a_wrong_start_does_not_hide_what_follows() {
    for (port, protocol, stream) in
        [(IEC104, "iec104", point(0)), (MQTT, "mqtt", publish("plant/power", "1"))]
    {
        let mut wire = Wire::opened(port);
        wire.send(Client, b"\xffbait");
        for _ in 0..5 {
            wire.send(Client, &stream);
        }
        assert_eq!(summary(&wire), counts([("wrong_protocol", 1), (protocol, 5)]));
    }
}

#[test]
fn a_lost_beginning_is_no_wrong_protocol() {
    let mut wire = Wire::opened(IEC104);
    wire.lose(Client, 10);
    for number in 0..5 {
        wire.send(Client, &point(number)[..]);
        wire.acknowledge(Server);
    }
    wire.wait(std::time::Duration::from_secs(3));
    wire.send(Client, &point(5));
    assert_eq!(summary(&wire), counts([("gap", 1), ("iec104", 6)]));
}

/// Octets that look like messages again and again cost no more than others: each place a bounded
/// number of looks, whatever lies behind it.
#[test]
fn what_is_made_to_be_ambiguous_ends_too() {
    let published = b"\x30\xc3\x87\x08\x08\x7f".repeat(100_000);
    let topics = [&b"\x30\xff\x03\x01\xf0"[..], &[b'a'; 11]].concat().repeat(40_000);
    let odd = [0x68, 14, 0, 0, 0, 0, 1, 2, 3, 0, 10, 0, 7, 0, 0, 1].repeat(40_000);
    let starts = vec![0x68; 600_000];
    for octets in [&published[..], &topics, &odd, &starts] {
        for port in [FOREIGN, MQTT] {
            let mut wire = Wire::joined(port);
            send(&mut wire, Client, octets, 1460);
            assert_eq!(seen(&wire).of("mqtt").len(), 0);
            assert_eq!(seen(&wire).of("iec104").len(), 0);
        }
    }
}

proptest! {
    // The same noise each time: of enough others one is a message by chance.
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::with_cases(256) })]

    #[test]
    fn noise_is_nothing(
        mut noise in prop::collection::vec(any::<u8>(), 100..20_000),
        port in prop::sample::select(&[FOREIGN, IEC104, MQTT, TLS]),
        joined: bool,
        segment in 1..1460_usize,
    ) {
        let mut wire = if joined { Wire::joined(port) } else { Wire::opened(port) };
        noise[0] = 0xff; // plainly no message, so that it is told at once
        send(&mut wire, Client, &noise, segment);
        send(&mut wire, Server, &noise, segment);
        let accused = usize::from(!joined && port != FOREIGN);
        let expected: BTreeMap<String, usize> =
            [("wrong_protocol".to_owned(), accused)].into_iter().filter(|(_, n)| *n > 0).collect();
        prop_assert_eq!(summary(&wire), expected);
    }

    /// Where messages stand among other octets, and how all of it is cut, the same is found.
    #[test]
    fn detection_does_not_depend_on_segments(
        before in prop::collection::vec(any::<u8>(), 0..600),
        which in 0..2_usize,
        port in prop::sample::select(&[FOREIGN, IEC104, MQTT, TLS]),
        joined: bool,
        lengths in prop::collection::vec(1..50_usize, 1..100),
    ) {
        let (_, stream) = &streams()[which];
        let octets = [&before[..], stream].concat();
        let begin = || if joined { Wire::joined(port) } else { Wire::opened(port) };
        let mut whole = begin();
        send(&mut whole, Client, &octets, octets.len());
        let mut cut = begin();
        let (mut rest, mut lengths) = (&octets[..], lengths.iter().cycle());
        while let Some(length) = lengths.next().filter(|_| !rest.is_empty()) {
            let (piece, behind) = rest.split_at((*length).min(rest.len()));
            cut.send(Client, piece);
            rest = behind;
        }
        prop_assert_eq!(seen(&cut).application(), seen(&whole).application());
    }
}
