//! MQTT over WebSocket is the same MQTT: on any port, from any moment on, however it is framed.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::websocket::{ANSWERS, ASKS, BINARY, FINAL, frame, wrap};
use common::wire::{CONNACK, CONNECT, Client, End, Server, Wire, publish};
use common::{Collected, file, files, frames, run, shared};
use gridtap::flow::FlowKey;
use gridtap::packet::{Transport, decode};
use gridtap::rule::RuleSet;
use proptest::prelude::*;
use serde_json::Value;

/// Where MQTT is found over WebSocket, and where it is not.
const PORTS: [u16; 6] = [80, 8083, 8084, 9001, 1883, 20_000];

const KEY: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);

fn seen(wire: &Wire) -> Collected {
    run(&wire.frames, Arc::new(RuleSet::default()))
}

/// A connection that became a WebSocket.
fn upgraded(port: u16) -> Wire {
    let mut wire = Wire::opened(port);
    wire.send(Client, ASKS);
    wire.send(Server, ANSWERS);
    wire
}

fn send(wire: &mut Wire, from: End, packets: &[u8]) {
    let key = KEY.filter(|_| from == Client);
    wire.send(from, &frame(FINAL | BINARY, key, packets));
}

/// Types of the packets, with their carrier.
fn packets(seen: &Collected) -> Vec<String> {
    let told = seen.of("mqtt").into_iter();
    told.map(|record| {
        let mqtt = &record["mqtt"];
        assert_eq!(mqtt["carrier"], "websocket");
        mqtt["type"].as_str().unwrap().to_owned()
    })
    .collect()
}

#[test]
fn it_is_found_on_any_port() {
    for port in PORTS {
        let mut wire = upgraded(port);
        send(&mut wire, Client, CONNECT);
        send(&mut wire, Server, CONNACK);
        send(&mut wire, Client, &publish("plant/power", "17 MW"));
        let seen = seen(&wire);
        assert_eq!(packets(&seen), ["CONNECT", "CONNACK", "PUBLISH"], "{port}");
        assert_eq!(seen.anomalies(), [""; 0], "{port}");
        let websocket = &seen.of("mqtt")[0]["mqtt"]["connect"]["websocket"];
        assert_eq!(websocket["path"], "/mqtt");
        assert_eq!(websocket["host"], "broker:9001");
        assert_eq!(websocket["origin"], "https://panel");
        assert_eq!(websocket["subprotocol"], "mqtt");
        assert!(websocket["user_agent"].is_null());
        assert_eq!(seen.of("flow")[0]["app_proto"], "mqtt");
    }
}

/// A head in many segments; one longer than detection keeps, where the answer tells.
#[test]
fn heads_may_be_cut_and_long() {
    let long = String::from_utf8(ASKS.to_vec()).unwrap();
    let cookies = format!("\r\nX-Padding: {}\r\n\r\n", "x".repeat(6000));
    let long = long.trim_end().to_owned() + &cookies;
    for (head, segment) in [(ASKS, 1), (ASKS, 7), (long.as_bytes(), 1400)] {
        let mut wire = Wire::opened(9001);
        head.chunks(segment).for_each(|piece| wire.send(Client, piece));
        ANSWERS.chunks(segment).for_each(|piece| wire.send(Server, piece));
        send(&mut wire, Client, CONNECT);
        send(&mut wire, Server, CONNACK);
        let seen = seen(&wire);
        assert_eq!(packets(&seen), ["CONNECT", "CONNACK"], "in pieces of {segment}");
        assert_eq!(seen.anomalies(), [""; 0]);
    }
}

/// A head with so many octets more, in front of its other headers or behind them.
fn padded(head: &[u8], octets: usize, in_front: bool) -> Vec<u8> {
    let first = head.iter().position(|octet| *octet == b'\n').unwrap() + 1;
    let at = if in_front { first } else { head.len() - 2 };
    let mut padded = head[..at].to_vec();
    for line in vec![b'x'; octets].chunks(1000) {
        padded.extend([b"X-Padding: ", line, b"\r\n"].concat());
    }
    padded.extend(&head[at..]);
    padded
}

/// Both heads as long as servers take them, and longer: what is not looked at is told of.
#[test]
fn no_head_hides_what_is_behind_it() {
    for (octets, in_front, told) in [
        (6000, true, &[][..]),
        (6000, false, &[]),
        (15_000, true, &[]),
        (40_000, false, &["websocket_head"; 2]),
        // Of the request nobody knows that it asks for an upgrade.
        (40_000, true, &["websocket_head"]),
    ] {
        for segment in [1, 3, 1400, 100_000] {
            let mut wire = Wire::opened(9001);
            let [asks, answers] = [ASKS, ANSWERS].map(|head| padded(head, octets, in_front));
            asks.chunks(segment).for_each(|piece| wire.send(Client, piece));
            answers.chunks(segment).for_each(|piece| wire.send(Server, piece));
            send(&mut wire, Client, CONNECT);
            send(&mut wire, Server, CONNACK);
            let seen = seen(&wire);
            let case = format!("{octets} {in_front} in pieces of {segment}");
            assert_eq!(packets(&seen), ["CONNECT", "CONNACK"], "{case}");
            assert_eq!(seen.anomalies(), told, "{case}");
        }
    }
}

/// An ordinary page may come with as many cookies as it likes.
#[test]
fn a_long_head_that_upgrades_nothing_is_none_of_our_business() {
    let mut wire = Wire::opened(80);
    let asks = padded(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 40_000, false);
    asks.chunks(1400).for_each(|piece| wire.send(Client, piece));
    let page = padded(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 40_000, false);
    page.chunks(1400).for_each(|piece| wire.send(Server, piece));
    let seen = seen(&wire);
    assert_eq!((seen.of("mqtt").len(), seen.anomalies().len()), (0, 0));
    assert!(seen.of("flow")[0]["app_proto"].is_null());
}

/// What is not named is told by what it says.
#[test]
fn it_need_not_be_named() {
    let asks = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n";
    let answers = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    let mut wire = Wire::opened(8080);
    wire.send(Client, asks);
    wire.send(Server, answers);
    send(&mut wire, Client, CONNECT);
    send(&mut wire, Server, CONNACK);
    let told = seen(&wire);
    assert_eq!(packets(&told), ["CONNECT", "CONNACK"]);
    assert_eq!(told.anomalies(), ["websocket_subprotocol"]);

    let mut chat = Wire::opened(8080);
    chat.send(Client, asks);
    chat.send(Server, answers);
    for _ in 0..20 {
        send(&mut chat, Client, b"{\"say\":\"hello\"}");
        send(&mut chat, Server, b"{\"say\":\"hello yourself\"}");
    }
    let told = seen(&chat);
    assert_eq!((told.of("mqtt").len(), told.anomalies().len()), (0, 0));
    assert!(told.of("flow")[0]["app_proto"].is_null());
}

#[test]
fn http_is_not_mqtt() {
    let page = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
    for request in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"GET /chat HTTP/1.1\r\nUpgrade: h2c\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
        b"POST / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
    ] {
        let mut wire = Wire::opened(80);
        for _ in 0..20 {
            wire.send(Client, request);
            wire.send(Server, page);
        }
        let seen = seen(&wire);
        assert_eq!((seen.of("mqtt").len(), seen.anomalies().len()), (0, 0));
        assert!(seen.of("flow")[0]["app_proto"].is_null());
    }
}

#[test]
fn a_refused_upgrade_ends_it_quietly() {
    let mut wire = Wire::opened(8083);
    wire.send(Client, ASKS);
    wire.send(Server, b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno\n");
    wire.finish(Server);
    wire.finish(Client);
    let seen = seen(&wire);
    assert_eq!((seen.of("mqtt").len(), seen.anomalies().len()), (0, 0));
}

#[test]
fn it_is_joined_anywhere_however_it_is_cut() {
    let message = frame(FINAL | BINARY, KEY, &publish("plant/power", "17 MW"));
    let stream = message.repeat(10);
    for skipped in 0..=message.len() {
        for segment in [1, 3, message.len(), stream.len()] {
            let mut wire = Wire::joined(20_000);
            stream[skipped..].chunks(segment).for_each(|piece| wire.send(Client, piece));
            send(&mut wire, Server, b"\xd0\0");
            let seen = seen(&wire);
            let expected = (stream.len() - skipped) / message.len() + 1;
            assert_eq!(packets(&seen).len(), expected, "from {skipped} in pieces of {segment}");
            assert!(seen.anomalies().iter().all(|name| *name == "one_sided"));
            let directions = seen.of("mqtt").into_iter().map(|record| &record["direction"]);
            let to_client = directions.filter(|direction| **direction == "to_client").count();
            assert_eq!(to_client, 1, "who masks is the client");
        }
    }
}

#[test]
fn what_is_missed_is_told_and_the_next_frame_is_read() {
    let mut wire = upgraded(9001);
    send(&mut wire, Client, CONNECT);
    send(&mut wire, Server, CONNACK);
    let message = frame(FINAL | BINARY, KEY, &publish("plant/power", "17 MW"));
    wire.send(Client, &message[..10]);
    wire.lose(Client, 500);
    wire.send(Client, &message[10..]);
    wire.wait(Duration::from_secs(3));
    wire.send(Client, &message);
    let seen = seen(&wire);
    assert_eq!(packets(&seen), ["CONNECT", "CONNACK", "PUBLISH"]);
    assert_eq!(seen.anomalies(), ["gap", "resync"]);
    let resync = seen.of("anomaly")[1];
    assert_eq!(resync["anomaly"]["value"], message.len() - 10);
}

/// The octets of an MQTT connection, piece by piece, with who sent each.
type Conversation = Vec<(End, Vec<u8>)>;

/// Connections of the captures that are whole: each octet once, in order, from the first on.
fn conversations() -> Vec<Conversation> {
    let ours = ["demo", "clean", "injection"].map(|name| file(&format!("pcaps/{name}.pcap")));
    let beside = shared("pcaps/mqtt").map(|folder| files(&folder)).unwrap_or_default();
    ours.into_iter().chain(beside).flat_map(|capture| whole_connections(&capture)).collect()
}

fn whole_connections(capture: &Path) -> Vec<Conversation> {
    /// A connection: its client, what each end sends next, what was said.
    #[derive(Default)]
    struct Open {
        client: Option<gridtap::flow::Side>,
        next: [Option<u32>; 2],
        said: Conversation,
        holed: bool,
    }
    let mut connections: BTreeMap<String, Open> = BTreeMap::new();
    for frame in frames(capture) {
        let Ok(packet) = decode(frame.link, &frame.data) else { continue };
        let Transport::Tcp(tcp) = packet.transport else { continue };
        let (key, from) = FlowKey::of(&packet);
        let open = connections.entry(format!("{key:?}")).or_default();
        let client = *open.client.get_or_insert(from);
        let end = if from == client { Client } else { Server };
        let next = &mut open.next[end as usize];
        let syn = tcp.flags.any(gridtap::packet::TcpFlags::SYN);
        if syn || next.is_none() {
            *next = Some(tcp.sequence.wrapping_add(u32::from(syn)));
        }
        if tcp.payload.is_empty() {
            continue;
        }
        if *next != Some(tcp.sequence) {
            open.holed |= next.is_some_and(|next| (tcp.sequence.wrapping_sub(next) as i32) > 0);
            continue;
        }
        *next = next.map(|next| next.wrapping_add(tcp.payload.len() as u32));
        open.said.push((end, tcp.payload.to_vec()));
    }
    let whole = connections.into_values().filter(|open| !open.holed).map(|open| open.said);
    let is_mqtt = |said: &Conversation| {
        said.first().is_some_and(|(from, first)| *from == Client && first[0] == 0x10)
    };
    whole.filter(is_mqtt).collect()
}

/// What is said of a connection: records and anomalies, without what the carrier decides.
fn told(wire: &Wire) -> Vec<Value> {
    let mut told = seen(wire).application();
    for record in &mut told {
        let fields = record.as_object_mut().unwrap();
        for name in ["src_port", "dest_port", "flow_id", "community_id"] {
            fields.remove(name);
        }
        if let Some(mqtt) = fields.get_mut("mqtt").and_then(Value::as_object_mut) {
            mqtt.remove("carrier");
            if let Some(connect) = mqtt.get_mut("connect").and_then(Value::as_object_mut) {
                connect.remove("websocket");
            }
        }
    }
    told
}

fn plain(said: &Conversation) -> Wire {
    let mut wire = Wire::opened(1883);
    // As many packets as the other has, so that every octet has the same time.
    wire.acknowledge(Client);
    wire.acknowledge(Server);
    for (from, octets) in said {
        wire.send(*from, octets);
    }
    wire
}

/// The same conversation in frames.
fn wrapped(said: &Conversation, next: &mut dyn FnMut(usize) -> usize) -> Wire {
    let mut wire = upgraded(9001);
    for (from, octets) in said {
        wire.send(*from, &wrap(octets, *from == Client, next));
    }
    wire
}

/// Numbers below a limit, again and again the same.
fn numbers(numbers: &[u16]) -> impl FnMut(usize) -> usize + '_ {
    let mut numbers = numbers.iter().copied().cycle().map(usize::from);
    move |below| numbers.next().unwrap_or_default() % below
}

#[test]
fn a_connection_in_frames_says_what_it_says_without() {
    let conversations = conversations();
    assert!(conversations.len() > 30, "{} connections", conversations.len());
    let mut records = 0;
    let mix: Vec<u16> = (1..500_u16).map(|number| number.wrapping_mul(40_503)).collect();
    for said in &conversations {
        let expected = told(&plain(said));
        records += expected.len();
        assert_eq!(told(&wrapped(said, &mut numbers(&mix))), expected);
    }
    assert!(records > 400, "{records} records");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_framing_says_the_same(mix in prop::collection::vec(any::<u16>(), 97..300)) {
        for said in &conversations() {
            let expected = told(&plain(said));
            prop_assert_eq!(told(&wrapped(said, &mut numbers(&mix))), expected);
        }
    }

    /// Frames that segments cut anywhere.
    #[test]
    fn any_cut_of_frames_says_the_same(
        mix in prop::collection::vec(any::<u16>(), 97..300),
        lengths in prop::collection::vec(1usize..200, 1..50),
    ) {
        for said in conversations().iter().filter(|said| said.len() < 40) {
            let whole = wrapped(said, &mut numbers(&mix));
            let mut next = numbers(&mix);
            let mut cut = upgraded(9001);
            let mut lengths = lengths.iter().cycle();
            for (from, octets) in said {
                let frames = wrap(octets, *from == Client, &mut next);
                let mut rest = &frames[..];
                while !rest.is_empty() {
                    let length = lengths.next().copied().unwrap_or(1).min(rest.len());
                    let (piece, behind) = rest.split_at(length);
                    cut.send(*from, piece);
                    rest = behind;
                }
            }
            prop_assert_eq!(seen(&cut).application(), seen(&whole).application());
        }
    }
}

/// The two halves of a recording: the same peers over TCP, then over WebSocket.
#[test]
fn a_broker_says_the_same_over_both() {
    let recorded = run(&frames(&file("pcaps/websocket.pcap")), Arc::new(RuleSet::default()));
    let mqtt = recorded.of("mqtt");
    let told = |carried: bool| -> Vec<Value> {
        let ours = mqtt.iter().filter(|record| record["mqtt"]["carrier"].is_string() == carried);
        let shown = ours.map(|record| {
            let mut mqtt = record["mqtt"].clone();
            mqtt.as_object_mut().unwrap().remove("carrier");
            // How long an answer took is not the same each time.
            for packet in mqtt.as_object_mut().unwrap().values_mut() {
                packet.as_object_mut().map(|packet| packet.remove("latency_ms"));
            }
            if let Some(connect) = mqtt["connect"].as_object_mut() {
                assert_eq!(connect.remove("websocket").is_some(), carried);
            }
            serde_json::json!([record["direction"], mqtt])
        });
        shown.collect()
    };
    let (plain, carried) = (told(false), told(true));
    assert!(plain.len() >= 60, "{} packets", plain.len());
    // Who of the two speaks first after a message is not the same each time; each says the same.
    for direction in ["to_server", "to_client"] {
        let of = |told: &[Value]| -> Vec<Value> {
            told.iter().filter(|record| record[0] == direction).cloned().collect()
        };
        assert_eq!(of(&carried), of(&plain), "{direction}");
    }
    assert_eq!(recorded.anomalies(), [""; 0]);
}
