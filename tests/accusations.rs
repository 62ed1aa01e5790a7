//! What our own capture missed, or brought in another order, accuses nobody: of normal life, seen
//! badly, no station and nobody on the way is said to have done anything wrong.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::wire::{Client, Server, Wire};
use common::{OwnedFrame, file, frames, run, shared};
use gridtap::flow::FlowKey;
use gridtap::packet::{Transport, decode};
use gridtap::rule::RuleSet;
use proptest::prelude::*;

/// The port of the servers of each protocol.
const PORTS: [u16; 2] = [2404, 1883];

/// Normal life: the whole of it raises no anomaly.
fn normal_life(port: u16) -> Vec<OwnedFrame> {
    let is_of_port = |frame: &OwnedFrame| {
        decode(frame.link, &frame.data).is_ok_and(|packet| match packet.transport {
            Transport::Tcp(tcp) => [tcp.source_port, tcp.destination_port].contains(&port),
            _ => false,
        })
    };
    frames(&file("pcaps/clean.pcap")).into_iter().filter(is_of_port).collect()
}

/// What says that our capture missed something: of streams, and in the middle of a message.
const MISSED: &[&str] = &["gap", "one_sided", "resync"];

/// All other anomalies.
fn accusations(frames: &[OwnedFrame]) -> Vec<String> {
    let seen = run(frames, Arc::new(RuleSet::default()));
    let accuses = |record: &&serde_json::Value| {
        record["anomaly"]["event"].as_str().is_none_or(|event| !MISSED.contains(&event))
    };
    seen.of("anomaly").into_iter().filter(accuses).map(ToString::to_string).collect()
}

/// Moves each of these frames behind the one that follows it, as a mirror port does that takes the
/// two directions from two queues.
fn reorder(frames: &mut [OwnedFrame], places: &[prop::sample::Index]) {
    for place in places {
        let at = place.index(frames.len() - 1);
        let (first, second) = (frames[at].timestamp, frames[at + 1].timestamp);
        if second.since(first).as_millis() < 5 {
            frames.swap(at, at + 1);
            (frames[at].timestamp, frames[at + 1].timestamp) = (first, second);
        }
    }
}

/// A client and a broker of level 5 that use few identifiers again and again, as many at a time as they
/// may.
fn busy() -> Vec<OwnedFrame> {
    let mut wire = Wire::opened(1883);
    wire.send(Client, b"\x10\x14\0\x04MQTT\x05\x02\0\x3c\x06\x21\0\x03\x22\0\x02\0\x01c");
    wire.send(Server, b"\x20\x09\0\0\x06\x21\0\x03\x22\0\x02");
    for (end, other) in [(Client, Server), (Server, Client)].repeat(20) {
        if end == Client {
            wire.send(end, b"\x82\x07\0\x01\0\0\x01a\0\xc0\0");
            wire.send(other, b"\x90\x04\0\x01\0\0\xd0\0");
        }
        // QoS 1, by an alias; then QoS 2 with the same identifier.
        wire.send(end, b"\x32\x0a\0\x01a\0\x01\x03\x23\0\x01x");
        wire.send(end, b"\x34\x07\0\x01a\0\x02\0x");
        wire.send(end, b"\x32\x09\0\0\0\x03\x03\x23\0\x01x");
        wire.send(other, b"\x40\x02\0\x01\x50\x02\0\x02");
        wire.send(end, b"\x34\x07\0\x01a\0\x01\0x");
        wire.send(end, b"\x62\x02\0\x02");
        wire.send(other, b"\x50\x02\0\x01");
        wire.send(other, b"\x70\x02\0\x02");
        wire.send(end, b"\x62\x02\0\x01");
        wire.send(other, b"\x40\x02\0\x03\x70\x02\0\x01");
    }
    wire.send(Client, b"\xe0\0");
    wire.frames
}

/// Shows what one end sends so much later, as a mirror port with a long queue does.
fn delay(frames: &mut [OwnedFrame], side: usize, time: Duration) {
    for frame in &mut *frames {
        let (_, sender) = FlowKey::of(&decode(frame.link, &frame.data).unwrap());
        if sender.index() == side {
            frame.timestamp = frame.timestamp + time;
        }
    }
    frames.sort_by_key(|frame| frame.timestamp);
}

fn indices(most: usize) -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 1..most)
}

#[test]
fn the_whole_accuses_nobody() {
    for port in PORTS {
        assert_eq!(accusations(&normal_life(port)), [""; 0], "port {port}");
    }
    assert_eq!(accusations(&busy()), [""; 0]);
}

#[test]
fn one_direction_alone_accuses_nobody() {
    for (port, side) in PORTS.into_iter().flat_map(|port| [(port, 0), (port, 1)]) {
        let mut frames = normal_life(port);
        frames.retain(|frame| {
            let (_, sender) = FlowKey::of(&decode(frame.link, &frame.data).unwrap());
            sender.index() == side
        });
        assert_eq!(accusations(&frames), [""; 0], "port {port}, side {side}");
    }
}

/// Whatever else is in them, peers that nobody made up keep to the order of things.
#[test]
fn conversations_of_others_accuse_nobody() {
    let Some(folder) = shared("pcaps/mqtt") else { return };
    for capture in CONVERSATIONS {
        assert_eq!(accusations(&frames(&folder.join(capture))), [""; 0], "{capture}");
    }
}

/// Captures of real clients and brokers in which nothing is wrong.
const CONVERSATIONS: &[&str] = &[
    "mqtt-ping.pcap",
    "mqtt31-pub-qos2.pcap",
    "mqtt311-sub-userpass.pcap",
    "mqtt5-pub-jpeg.pcap",
    "mqtt5-sub-customauth.pcap",
    "mqtt5-unsub-qos1.pcap",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn loss_accuses_nobody(port in prop::sample::select(&PORTS[..]), lost in indices(12)) {
        let mut frames = normal_life(port);
        for place in lost {
            frames.remove(place.index(frames.len()));
        }
        prop_assert_eq!(accusations(&frames), [""; 0]);
    }

    #[test]
    fn another_order_accuses_nobody(
        port in prop::sample::select(&PORTS[..]),
        places in indices(40),
    ) {
        let mut frames = normal_life(port);
        reorder(&mut frames, &places);
        prop_assert_eq!(accusations(&frames), [""; 0]);
    }

    #[test]
    fn a_late_beginning_with_loss_and_another_order_accuses_nobody(
        port in prop::sample::select(&PORTS[..]),
        start: prop::sample::Index,
        lost in indices(8),
        places in indices(20),
    ) {
        let mut frames = normal_life(port);
        frames.drain(..start.index(frames.len() - 40));
        for place in lost {
            frames.remove(place.index(frames.len()));
        }
        reorder(&mut frames, &places);
        prop_assert_eq!(accusations(&frames), [""; 0]);
    }

    #[test]
    fn a_direction_that_is_shown_late_accuses_nobody(
        side in 0..2_usize,
        milliseconds in 0..60_u64,
        lost in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        places in indices(20),
    ) {
        let mut frames = busy();
        for place in lost {
            frames.remove(place.index(frames.len()));
        }
        delay(&mut frames, side, Duration::from_millis(milliseconds));
        reorder(&mut frames, &places);
        prop_assert_eq!(accusations(&frames), [""; 0]);
    }
}
