//! What one MQTT connection may bring: memory stays where it is limited to, and time grows with the
//! octets, plain and over WebSocket. And what correlations may remember.

#![allow(clippy::print_stdout, reason = "says what was measured")]

#[path = "../allocations/allocator.rs"]
#[allow(dead_code, reason = "only the peak is of interest here")]
mod allocator;
#[path = "../common/mod.rs"]
mod common;
mod correlations;
mod segments;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use allocator::Counting;
use common::websocket::{ANSWERS, ASKS, BINARY, CONTINUATION, FINAL, PING, frame};
use common::wire::{CONNACK, Client, End, Server, Wire};
use gridtap::engine::{Engine, Limits, Sink};
use gridtap::event::{Event, Schema};
use gridtap::protocol::{self, Fact, Protocol};
use gridtap::rule::{Hits, Placeholders, RuleSet};
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Octets of a segment.
const SEGMENT: usize = 1400;

/// CONNECT of client `c`, MQTT 5, which allows 65,535 aliases and as many messages in flight.
const CONNECT_5: &[u8] = b"\x10\x11\0\x04MQTT\x05\x02\0\x3c\x03\x22\xff\xff\0\x01c";
/// Its answer, which allows the same.
const CONNACK_5: &[u8] = b"\x20\x06\0\0\x03\x22\xff\xff";
/// CONNECT of client `c`, 3.1.1, without a keep-alive.
const CONNECT_4: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01c";

/// What a connection cost.
struct Cost {
    /// The most octets that were held at once.
    peak: usize,
    /// Processor time.
    time: Duration,
    /// Records by type.
    packets: u64,
    anomalies: u64,
}

/// Counts records.
#[derive(Default)]
struct Count {
    packets: u64,
    anomalies: u64,
}

impl Sink for Count {
    fn event(&mut self, event: &Event<'_>, _: Hits<'_>) {
        match event.record.schema().name {
            "mqtt" => self.packets += 1,
            "anomaly" => self.anomalies += 1,
            _ => {}
        }
    }

    fn wants(&self, _: &'static Schema) -> bool {
        true
    }

    fn fact(&mut self, _: IpAddr, _: &'static Protocol, _: &'static str, _: Fact<'_>) {}
}

/// How packets are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Plain,
    /// A frame for each packet.
    WebSocket,
}

const CARRIERS: [Carrier; 2] = [Carrier::Plain, Carrier::WebSocket];

/// A connection on its way into an engine: what is sent is read at once, and not kept.
struct Feed {
    carrier: Carrier,
    wire: Wire,
    engine: Engine,
    count: Count,
    spent: Duration,
    /// By sender, what is not sent yet.
    pending: [Vec<u8>; 2],
}

impl Feed {
    fn new(carrier: Carrier) -> Self {
        let services: Vec<_> = protocol::services().collect();
        let rules = RuleSet::load(&RuleSet::builtin_sources(), &services, &Placeholders::new());
        let rules = Arc::new(rules.expect("the built-in rules are right"));
        let count = Count::default();
        let engine = Engine::new(rules, Limits::default(), &count);
        let wire = Wire::opened(if carrier == Carrier::Plain { 1883 } else { 9001 });
        let pending = [Vec::new(), Vec::new()];
        let mut feed = Self { carrier, wire, engine, count, spent: Duration::ZERO, pending };
        if carrier == Carrier::WebSocket {
            feed.octets(Client, ASKS);
            feed.octets(Server, ANSWERS);
        }
        feed
    }

    /// Sends octets as they are, in segments.
    fn octets(&mut self, from: End, octets: &[u8]) {
        for some in octets.chunks(32 * SEGMENT) {
            some.chunks(SEGMENT).for_each(|segment| self.wire.send(from, segment));
            self.hand_in();
        }
    }

    /// What is on the wire is read.
    fn hand_in(&mut self) {
        let frames = std::mem::take(&mut self.wire.frames);
        let before = processor_time();
        common::feed(&mut self.engine, &frames, &mut self.count);
        self.spent += processor_time().saturating_sub(before);
    }

    /// Sends a packet, several of them in a segment.
    fn packet(&mut self, from: End, packet: &[u8]) {
        let key = Some([0x37, 0xfa, 0x21, 0x3d]).filter(|_| from == Client);
        let pending = &mut self.pending[from as usize];
        match self.carrier {
            Carrier::Plain => pending.extend_from_slice(packet),
            Carrier::WebSocket => pending.extend(frame(FINAL | BINARY, key, packet)),
        }
        if pending.len() > SEGMENT {
            self.flush(from);
        }
    }

    fn flush(&mut self, from: End) {
        let pending = std::mem::take(&mut self.pending[from as usize]);
        self.octets(from, &pending);
    }

    fn end(mut self) -> (Duration, Count) {
        self.flush(Client);
        self.flush(Server);
        let before = processor_time();
        self.engine.finish(&mut self.count);
        (self.spent + processor_time().saturating_sub(before), self.count)
    }
}

/// Of this thread: others may work beside it.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn cost(carrier: Carrier, speak: &dyn Fn(&mut Feed)) -> Cost {
    let mut spent = (Duration::ZERO, Count::default());
    // Rules take more while they are loaded than most of what is measured here.
    let mut feed = Feed::new(carrier);
    let peak = allocator::peak(|| {
        speak(&mut feed);
        spent = feed.end();
    });
    let (time, Count { packets, anomalies }) = spent;
    Cost { peak, time, packets, anomalies }
}

/// What an engine takes for a connection that says nothing.
fn idle(carrier: Carrier) -> usize {
    cost(carrier, &|_| {}).peak
}

/// Four times as much takes about four times as long: were it quadratic, it would be sixteen.
fn grows_with_its_size(carrier: Carrier, size: usize, speak: &dyn Fn(&mut Feed, usize)) -> Cost {
    let quick = |size: usize| {
        let costs = (0..3).map(|_| cost(carrier, &|feed| speak(feed, size)));
        costs.min_by_key(|cost| cost.time).expect("three of them")
    };
    let (quarter, whole) = (quick(size / 4), quick(size));
    let ratio = whole.time.as_secs_f64() / quarter.time.as_secs_f64();
    assert!(ratio < 9.0, "{carrier:?}: {:?}, then {:?}: {ratio}", quarter.time, whole.time);
    whole
}

/// Remaining length (clause 1.5.5).
fn remaining(mut length: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    loop {
        let more = if length > 0x7f { 0x80 } else { 0 };
        octets.push(length as u8 & 0x7f | more);
        length >>= 7;
        if length == 0 {
            return octets;
        }
    }
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first][..], &remaining(body.len()), body].concat()
}

const MIB: usize = 1024 * 1024;

#[test]
fn a_publish_of_256_mib_is_told_with_its_head() {
    let speak = |feed: &mut Feed, size: usize| {
        feed.packet(Client, CONNECT_4);
        feed.packet(Server, CONNACK);
        feed.flush(Client);
        let length = size.min(268_435_455) - 3;
        let header = [&[0x30][..], &remaining(length + 3), b"\0\x01a"].concat();
        if feed.carrier == Carrier::WebSocket {
            let octets = (header.len() + length) as u64;
            feed.octets(Client, &[&[0x82, 0xff][..], &octets.to_be_bytes(), &[0; 4]].concat());
        }
        feed.octets(Client, &header);
        let piece = vec![b'x'; 64 * SEGMENT];
        let mut left = length;
        while left > 0 {
            feed.octets(Client, &piece[..left.min(piece.len())]);
            left -= left.min(piece.len());
        }
        feed.packet(Client, b"\xc0\0");
    };
    for carrier in CARRIERS {
        let idle = idle(carrier);
        let quarter = cost(carrier, &|feed| speak(feed, 64 * MIB));
        let whole = cost(carrier, &|feed| speak(feed, 256 * MIB));
        assert_eq!((whole.packets, whole.anomalies), (4, 0), "{carrier:?}");
        // 64 KiB of the payload, in a buffer that doubles, and what is unmasked of it.
        assert!(whole.peak - idle < MIB, "{carrier:?}: {} octets", whole.peak - idle);
        assert!(whole.peak < quarter.peak + 4096, "{carrier:?}: it grows with the message");
        let ratio = whole.time.as_secs_f64() / quarter.time.as_secs_f64();
        assert!(ratio < 9.0, "{carrier:?}: {:?}, then {:?}", quarter.time, whole.time);
    }
}

/// A packet of an exchange: who began it, who answers, its identifier.
type Leg = dyn Fn(&mut Feed, End, End, [u8; 2]);

/// As many as there are identifiers from the client, the rest from the broker; all of QoS 2, so that
/// each is in flight for two round trips.
#[test]
fn a_hundred_thousand_messages_are_in_flight() {
    let speak = |feed: &mut Feed, size: usize| {
        feed.packet(Client, CONNECT_4);
        feed.packet(Server, CONNACK);
        feed.flush(Client);
        feed.flush(Server);
        let of_client = size.min(65_535);
        let each = |feed: &mut Feed, act: &Leg| {
            for number in 0..size {
                let (from, to, id) = if number < of_client {
                    (Client, Server, number + 1)
                } else {
                    (Server, Client, number - of_client + 1)
                };
                act(feed, from, to, (id as u16).to_be_bytes());
            }
            feed.flush(Client);
            feed.flush(Server);
        };
        each(feed, &|feed, from, _, [high, low]| {
            feed.packet(from, &[0x34, 6, 0, 1, b'a', high, low, b'1']);
        });
        each(feed, &|feed, _, to, [high, low]| feed.packet(to, &[0x50, 2, high, low]));
        each(feed, &|feed, from, _, [high, low]| feed.packet(from, &[0x62, 2, high, low]));
        each(feed, &|feed, _, to, [high, low]| feed.packet(to, &[0x70, 2, high, low]));
    };
    for carrier in CARRIERS {
        let idle = idle(carrier);
        let whole = grows_with_its_size(carrier, 100_000, &speak);
        assert_eq!(whole.packets, 2 + 4 * 100_000, "{carrier:?}");
        assert!(whole.peak - idle < 8 * MIB, "{carrier:?}: {} octets", whole.peak - idle);
    }
}

/// Each alias is set, and looked up.
#[test]
fn every_alias_there_is_is_set() {
    let speak = |feed: &mut Feed, size: usize| {
        feed.packet(Client, CONNECT_5);
        feed.packet(Server, CONNACK_5);
        feed.flush(Client);
        feed.flush(Server);
        for topic in [&b"abcdefgh"[..], b""] {
            for alias in 1..=size {
                let [high, low] = (alias as u16).to_be_bytes();
                let length = topic.len() as u8;
                let body = [&[0, length][..], topic, &[3, 0x23, high, low], b"1"].concat();
                feed.packet(Client, &packet(0x30, &body));
            }
        }
    };
    for carrier in CARRIERS {
        let idle = idle(carrier);
        let whole = grows_with_its_size(carrier, 65_535, &speak);
        assert_eq!(whole.packets, 2 + 2 * 65_535, "{carrier:?}");
        assert!(whole.peak - idle < 8 * MIB, "{carrier:?}: {} octets", whole.peak - idle);
    }
}

/// In one packet, then in a packet each.
#[test]
fn ten_thousand_subscriptions_are_made() {
    let filter = |number: usize| {
        let filter = format!("plant/{number:05}/+/power");
        [&[0, filter.len() as u8][..], filter.as_bytes(), &[1]].concat()
    };
    let at_once = |feed: &mut Feed, size: usize| {
        feed.packet(Client, CONNECT_4);
        feed.packet(Server, CONNACK);
        feed.flush(Client);
        feed.flush(Server);
        let filters: Vec<u8> = (0..size).flat_map(filter).collect();
        feed.packet(Client, &packet(0x82, &[&[0, 1][..], &filters].concat()));
        feed.flush(Client);
        feed.packet(Server, &packet(0x90, &[&[0, 1][..], &vec![1; size]].concat()));
    };
    let one_by_one = |feed: &mut Feed, size: usize| {
        feed.packet(Client, CONNECT_4);
        feed.packet(Server, CONNACK);
        feed.flush(Client);
        feed.flush(Server);
        for number in 0..size {
            let [high, low] = (number as u16 + 1).to_be_bytes();
            feed.packet(Client, &packet(0x82, &[&[high, low][..], &filter(number)].concat()));
            feed.packet(Server, &[0x90, 3, high, low, 1]);
        }
    };
    for carrier in CARRIERS {
        let idle = idle(carrier);
        for (speak, packets) in
            [(&at_once as &dyn Fn(&mut Feed, usize), 4), (&one_by_one, 2 + 20_000)]
        {
            let whole = grows_with_its_size(carrier, 10_000, speak);
            assert_eq!(whole.packets, packets, "{carrier:?}");
            assert!(whole.peak - idle < 4 * MIB, "{carrier:?}: {} octets", whole.peak - idle);
        }
    }
}

#[test]
fn a_million_tiny_packets_are_read() {
    let speak = |feed: &mut Feed, size: usize| {
        feed.packet(Client, CONNECT_4);
        feed.packet(Server, CONNACK);
        feed.flush(Client);
        for _ in 0..size {
            feed.packet(Client, b"\xc0\0");
        }
    };
    for carrier in CARRIERS {
        let idle = idle(carrier);
        let whole = grows_with_its_size(carrier, 1_000_000, &speak);
        assert_eq!((whole.packets, whole.anomalies), (1_000_002, 0), "{carrier:?}");
        assert!(whole.peak - idle < MIB / 8, "{carrier:?}: {} octets", whole.peak - idle);
    }
}

/// A packet whose octets come in a frame each, as slowly as frames can bring them.
#[test]
fn a_packet_in_the_smallest_frames_takes_no_longer_than_its_octets() {
    let key = Some([0x37, 0xfa, 0x21, 0x3d]);
    let speak = |feed: &mut Feed, size: usize| {
        feed.packet(Client, CONNECT_4);
        feed.packet(Server, CONNACK);
        feed.flush(Client);
        let filters: Vec<u8> = (0..size / 16).flat_map(|_| *b"\0\x0dplant/+/power\0").collect();
        let subscribe = packet(0x82, &[&[0, 1][..], &filters].concat());
        let frames: Vec<u8> =
            subscribe.iter().flat_map(|octet| frame(FINAL | BINARY, key, &[*octet])).collect();
        feed.octets(Client, &frames);
    };
    let idle = idle(Carrier::WebSocket);
    let whole = grows_with_its_size(Carrier::WebSocket, 120_000, &speak);
    assert_eq!((whole.packets, whole.anomalies), (3, 0));
    assert!(whole.peak - idle < 6 * MIB, "{} octets", whole.peak - idle);
}

/// Frames that say nothing, inside a packet that never ends.
#[test]
fn a_packet_that_is_drowned_in_frames_takes_no_longer_than_its_octets() {
    let key = Some([0x37, 0xfa, 0x21, 0x3d]);
    let speak = |feed: &mut Feed, size: usize| {
        feed.packet(Client, CONNECT_4);
        feed.packet(Server, CONNACK);
        feed.flush(Client);
        feed.octets(Client, &frame(BINARY, key, b"\x30\xff\xff\x7f\0\x09plant"));
        let nothing = [frame(FINAL | PING, key, b""), frame(CONTINUATION, key, b"")].concat();
        let some = nothing.repeat(1000);
        for _ in 0..size / some.len() {
            feed.octets(Client, &some);
        }
        feed.octets(Client, &frame(FINAL | CONTINUATION, key, b"/power1"));
    };
    let idle = idle(Carrier::WebSocket);
    let whole = grows_with_its_size(Carrier::WebSocket, 8 * MIB, &speak);
    assert_eq!(whole.packets, 3, "the PUBLISH is told as far as it is kept");
    // 1 MiB is kept, in a buffer that doubles.
    assert!(whole.peak - idle < 4 * MIB, "{} octets", whole.peak - idle);
}
