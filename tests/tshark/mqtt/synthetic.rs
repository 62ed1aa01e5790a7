//! Captures of packets that no peer would send one after the other: every type, property, code and
//! flag, and every flaw that does not change where fields stand.

use std::path::Path;
use std::time::Duration;

use super::generator::flaw::flaws;
use super::generator::standard::{self, CONNACK, CONNECT, PINGRESP, SUBACK, UNSUBACK, kinds};
use super::generator::{Amount, Dice, Role, Wish, build};
use crate::common::wire::{Client, End, Server, Wire};
use crate::write_pcap;

type Write = fn(&Path);

/// By name.
pub(crate) const ALL: &[(&str, Write)] = &[
    ("mqtt3.pcap", |path| legal(path, 3)),
    ("mqtt4.pcap", |path| legal(path, 4)),
    ("mqtt5.pcap", |path| legal(path, 5)),
    ("flaws3.pcap", |path| flawed(path, 3)),
    ("flaws4.pcap", |path| flawed(path, 4)),
    ("flaws5.pcap", |path| flawed(path, 5)),
    ("codes.pcap", codes),
    ("aliases.pcap", aliases),
    ("special.pcap", special),
    ("kept.pcap", kept),
    ("joined.pcap", joined),
    ("unknown.pcap", unknown),
];

/// Flaws after which fields stand where others do not look for them, or which end a packet early.
const MOVES: &[&str] = &["remaining_length", "property_length", "protocol_level"];

const AMOUNTS: [Amount; 3] = [Amount::None, Amount::Any, Amount::All];

/// Who sends packets of a type.
fn sender(kind: u8) -> End {
    if matches!(kind, CONNACK | SUBACK | UNSUBACK | PINGRESP) { Server } else { Client }
}

/// A packet may be longer than a frame.
fn send(wire: &mut Wire, kind: u8, packet: &[u8]) {
    for segment in packet.chunks(60_000) {
        wire.send(sender(kind), segment);
    }
}

/// A connection for each CONNECT.
fn legal(path: &Path, level: u8) {
    let mut frames = Vec::new();
    let mut dice = Dice::new(level.into());
    for round in 0..15 {
        let mut wire = Wire::between([[10, 0, 0, 1], [10, 0, 0, 2]], [40_000 + round, 1883]);
        wire.wait(Duration::from_secs(round.into()));
        wire.open();
        // Most packets are short: a long one is a long line of Wireshark's.
        let longest = if round < 3 { 4 } else { 0 };
        for kind in kinds(level) {
            let properties = AMOUNTS[usize::from(round) % 3];
            let wish = Wish { level, kind, properties, longest };
            send(&mut wire, kind, &build(wish, &mut dice).octets());
        }
        frames.append(&mut wire.frames);
    }
    write_pcap(path, &frames);
}

fn flawed(path: &Path, level: u8) {
    let (mut wire, mut dice) = (Wire::opened(1883), Dice::new(u64::from(level) + 10));
    for kind in kinds(level) {
        for properties in AMOUNTS {
            let packet = build(Wish { level, kind, properties, longest: 0 }, &mut dice);
            send(&mut wire, kind, &packet.octets());
            let all = flaws(&packet);
            let usable = all.iter().filter(|flaw| !MOVES.contains(&flaw.anomaly));
            // Codes and options are many.
            let (mut last, mut count) = ("", 0);
            for flaw in usable {
                count = if flaw.anomaly == last { count + 1 } else { 0 };
                last = flaw.anomaly;
                if count < 12 || count % 8 == 0 {
                    send(&mut wire, kind, &flaw.octets);
                }
            }
        }
    }
    write_pcap(path, &wire.frames);
}

/// Every code of every packet.
fn codes(path: &Path) {
    let mut frames = Vec::new();
    let mut dice = Dice::new(20);
    for level in 3..=5 {
        let mut wire =
            Wire::between([[10, 0, 0, 1], [10, 0, 0, 2]], [40_000 + u16::from(level), 1883]);
        wire.wait(Duration::from_secs(level.into()));
        wire.open();
        let properties = Amount::Any;
        let connect = build(Wish { level, kind: CONNECT, properties, longest: 0 }, &mut dice);
        send(&mut wire, CONNECT, &connect.octets());
        for kind in kinds(level) {
            for (code, _) in standard::codes(level, kind) {
                let mut packet = build(Wish { level, kind, properties, longest: 0 }, &mut dice);
                let codes = packet.parts.iter_mut().find(|part| part.role == Role::Codes).unwrap();
                codes.octets = vec![*code];
                send(&mut wire, kind, &packet.octets());
            }
        }
        frames.append(&mut wire.frames);
    }
    write_pcap(path, &frames);
}

const CONNECT_5: &[u8] = b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01c";

/// Set, used, set anew and used again by each end; the broker's are others than the client's.
fn aliases(path: &Path) {
    let mut wire = Wire::opened(1883);
    wire.send(Client, CONNECT_5);
    wire.send(Server, b"\x20\x06\0\0\x03\x22\0\x0a");
    for topic in ["one", "two"] {
        let publish = |topic: &str| {
            let length = topic.len() as u8;
            [&[0x30, 2 + length + 4 + 1, 0, length], topic.as_bytes(), b"\x03\x23\0\x01x"].concat()
        };
        wire.send(Client, &publish(topic));
        wire.send(Client, &publish(""));
        wire.send(Client, &publish(""));
    }
    wire.send(Server, b"\x30\x0b\0\x05their\x03\x23\0\x02");
    wire.send(Server, b"\x30\x07\0\0\x03\x23\0\x02z");
    // Nobody set it in this direction.
    wire.send(Server, b"\x30\x07\0\0\x03\x23\0\x01z");
    write_pcap(path, &wire.frames);
}

/// What only one of the two calls a packet, a bridge, properties whose identifier nobody has.
fn special(path: &Path) {
    let mut wire = Wire::opened(1883);
    wire.send(Client, b"\x10\x0d\0\x04MQTT\x84\x02\0\x3c\0\x01c");
    wire.send(Server, b"\x20\x02\0\x05");
    wire.send(Server, b"\x90\x05\0\x01\0\x01\x80");
    wire.send(Client, b"\xf0\x02\x18\0");
    wire.send(Client, b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c");
    wire.send(Client, b"\xf0\x02\x18\0");
    wire.send(Client, CONNECT_5);
    wire.send(Client, b"\x30\x09\0\x01a\x04\x7f\x01\x02\x03x");
    // A topic that goes on beyond its packet.
    wire.send(Client, b"\x30\x05\0\x09abc");
    wire.send(Client, b"\0\x02\x07\x07");
    wire.send(Client, b"\xc0\0\xc0\0");
    write_pcap(path, &wire.frames);
}

/// A payload that is longer than what is kept.
fn kept(path: &Path) {
    let mut wire = Wire::opened(1883);
    wire.send(Client, CONNECT_5);
    let payload = vec![b'x'; 100_000];
    let packet = [&b"\x32\xa8\x8d\x06\0\x03a/b\0\x01\0"[..], &payload].concat();
    for segment in packet.chunks(50_000) {
        wire.send(Client, segment);
    }
    write_pcap(path, &wire.frames);
}

/// A level that only inference tells.
fn joined(path: &Path) {
    let mut wire = Wire::joined(1883);
    wire.send(Client, b"\x82\x08\0\x01\0\x03a/b\0");
    wire.send(Server, b"\x90\x03\0\x01\0");
    wire.send(Client, b"\x30\x07\0\x03a/bon");
    write_pcap(path, &wire.frames);
}

/// A level that makes no difference, and nobody says.
fn unknown(path: &Path) {
    let mut wire = Wire::joined(1883);
    wire.send(Client, b"\xc0\0");
    wire.send(Server, b"\xd0\0");
    write_pcap(path, &wire.frames);
}
