//! Whatever a frame holds, the engine survives it, keeps to its limits, and goes on to see what is
//! sound.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::wire::{self, Client, Server, Wire};
use common::{Collected, OwnedFrame, feed, file, frames};
use gridtap::engine::{Engine, Limits};
use gridtap::packet::LinkType;
use gridtap::protocol;
use gridtap::rule::{Placeholders, RuleSet};
use gridtap::time::Timestamp;
use proptest::prelude::*;

fn rules() -> Arc<RuleSet> {
    let services: Vec<_> = protocol::services().collect();
    let loaded = RuleSet::load(&RuleSet::builtin_sources(), &services, &Placeholders::default());
    Arc::new(loaded.expect("the built-in pack loads"))
}

fn any_link() -> impl Strategy<Value = LinkType> {
    prop::sample::select(LinkType::ALL)
}

fn any_frame() -> impl Strategy<Value = OwnedFrame> {
    (any_link(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..120)).prop_map(
        |(link, nanos, data)| OwnedFrame {
            timestamp: Timestamp::from_nanos(u64::from(nanos) * 1000),
            link,
            data,
        },
    )
}

/// Where the checksum of TCP stands in an IPv4 packet without options over Ethernet.
const TCP_CHECKSUM: std::ops::Range<usize> = 50..52;

/// A real conversation with octets changed, frames lost, repeated and exchanged.
fn damage(frames: &[OwnedFrame], changes: &[(usize, usize, u8)]) -> Vec<OwnedFrame> {
    let mut damaged = frames.to_vec();
    for (frame, octet, value) in changes {
        let index = frame % damaged.len();
        match value {
            0 => drop(damaged.remove(index)),
            1 => damaged.insert(index, damaged[index].clone()),
            2 => {
                let other = octet % damaged.len();
                damaged.swap(index, other);
            }
            _ => {
                let data = &mut damaged[index].data;
                let octet = octet % data.len();
                data[octet] = *value;
                // Zero: left to the network card. Else nothing damaged would get through.
                if let Some(checksum) = data.get_mut(TCP_CHECKSUM) {
                    checksum.fill(0);
                }
            }
        }
    }
    damaged
}

fn seen(frames: &[OwnedFrame]) -> Collected {
    see(&mut Engine::new(rules(), Limits::default(), &Collected::default()), frames)
}

/// Seconds since the epoch of the last day of the year 2099.
const FUTURE: u64 = 4_102_358_400;

/// Whatever the time of one frame is, wherever it comes: no other record changes by it.
#[test]
fn a_frame_from_the_future_changes_no_other_record() {
    let demo = frames(&file("pcaps/demo.pcap"));
    let data =
        b"\x45\0\0\x1c\0\0\0\0\x40\x11\0\0\xc0\0\x02\x01\xc0\0\x02\x02\0\x01\0\x02\0\x08\0\0";
    let timestamp = Timestamp::from_nanos(FUTURE * 1_000_000_000);
    let stray = OwnedFrame { timestamp, link: LinkType::Raw, data: data.to_vec() };
    let without_number = |records: Vec<serde_json::Value>| {
        let mut records = records;
        for record in &mut records {
            record.as_object_mut().unwrap().remove("pcap_cnt");
        }
        records
    };
    let expected = without_number(seen(&demo).records);
    for place in [0, 1, demo.len() / 3, demo.len() / 2, demo.len() - 1, demo.len()] {
        let mut frames = demo.clone();
        frames.insert(place, stray.clone());
        let records = seen(&frames).records;
        let (stray, others): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| record["src_ip"] == "192.0.2.1");
        assert_eq!(without_number(others), expected, "at frame {place}");
        assert_eq!(stray.len(), 1);
    }
}

/// A connection of a station, with a reset that is so far off the number that its receiver expects.
fn with_reset(off: u32) -> Wire {
    let mut wire = Wire::opened(2404);
    wire.send(Client, wire::STARTDT_ACT);
    wire.send(Server, wire::STARTDT_CON);
    wire.send(Server, &wire::point(0));
    wire.acknowledge(Client);
    wire.reset(Client, off);
    wire
}

fn events(seen: &Collected) -> Vec<&str> {
    seen.anomalies()
}

/// RFC 5961, 3.2: anybody can guess a number that is in the window.
#[test]
fn only_the_exact_reset_closes() {
    for off in [1, 100, 8000, u32::MAX, 1 << 31] {
        let mut wire = with_reset(off);
        wire.send(Server, &wire::point(1));
        let seen = seen(&wire.frames);
        assert_eq!(seen.of("iec104").len(), 4, "off by {off}");
        assert_eq!(seen.of("flow")[0]["flow"]["state"], "established");
        // What the capture missed may stand between: only a number of no window is one of nobody's.
        let named = if off == 1 << 31 { &["reset_out_of_window"][..] } else { &[] };
        assert_eq!(events(&seen), named, "off by {off}");
    }
    let seen = seen(&with_reset(0).frames);
    assert_eq!(seen.of("iec104").len(), 3);
    assert_eq!(seen.of("flow")[0]["flow"]["state"], "closed");
}

/// What a station was told, by the values of its commands.
fn commands(seen: &Collected) -> Vec<i64> {
    let objects =
        seen.of("iec104").into_iter().filter_map(|record| record["iec104"]["objects"].get(0));
    objects.map(|object| object["ioa"].as_i64().unwrap()).collect()
}

/// A point with this address.
fn point_at(number: u16, address: u8) -> Vec<u8> {
    let mut point = wire::point(number);
    point[12] = address;
    point
}

/// RFC 7413, 4.2: what the answer to SYN acknowledges was taken with it; the rest comes again.
#[test]
fn data_in_a_syn_is_read_as_far_as_it_is_acknowledged() {
    let early = [wire::STARTDT_ACT, &point_at(0, 1), &point_at(1, 2)].concat();
    let whole = early.len() as u32;
    for taken in [0, 1, 6, 10, whole - 1, whole] {
        for answered in [true, false] {
            let mut wire = Wire::joined(2404);
            wire.open_early([&early, &[]], [taken, 0]);
            if !answered {
                wire.frames.remove(1);
            }
            wire.send(Client, &early[taken as usize..]);
            wire.send(Server, wire::STARTDT_CON);
            wire.send(Client, &point_at(2, 3));
            let seen = seen(&wire.frames);
            assert_eq!(commands(&seen), [1, 2, 3], "{taken} taken, answered: {answered}");
            assert_eq!((seen.of("iec104").len(), events(&seen)), (5, vec![]), "{taken} taken");
        }
    }
}

/// Somebody who knows that SYN's data is not taken hides behind other data there.
#[test]
fn data_in_a_syn_that_nobody_took_hides_nothing() {
    let decoy = [wire::STARTDT_ACT, &point_at(0, 9)].concat();
    let mut wire = Wire::joined(2404);
    wire.open_early([&decoy, &[]], [0, 0]);
    wire.send(Client, wire::STARTDT_ACT);
    wire.send(Client, &point_at(0, 1));
    assert_eq!(commands(&seen(&wire.frames)), [1]);
}

#[test]
fn the_answer_to_a_syn_may_bring_data_too_and_both_may_come_again() {
    let (ask, answer) = (wire::STARTDT_ACT, [wire::STARTDT_CON, &point_at(0, 1)].concat());
    for repeated in 0..3 {
        let mut wire = Wire::joined(2404);
        wire.open_early([ask, &answer], [ask.len() as u32, answer.len() as u32]);
        wire.frames.insert(repeated, wire.frames[repeated].clone());
        wire.send(Server, &point_at(1, 2));
        let seen = seen(&wire.frames);
        assert_eq!(commands(&seen), [1, 2]);
        assert_eq!((seen.of("iec104").len(), events(&seen)), (4, vec![]));
    }
}

/// Held for nobody, it ends with its flow.
#[test]
fn a_flood_of_syns_with_data_is_held_within_the_limit() {
    let mut engine =
        Engine::new(rules(), Limits { flows: 10, ..Limits::default() }, &Collected::default());
    let mut collected = Collected::default();
    for port in 1000..2000 {
        let mut wire = Wire::between([[10, 0, 0, 1], [10, 0, 0, 2]], [port, 2404]);
        wire.open_early([&[0x68; 1000], &[]], [0, 0]);
        feed(&mut engine, &wire.frames[..1], &mut collected);
        assert!(engine.stats().stream_memory <= 10 * 1000);
    }
    engine.finish(&mut collected);
    assert_eq!(engine.stats().stream_memory, 0);
}

#[test]
fn what_was_under_way_when_a_reset_came_is_no_anomaly() {
    let mut wire = with_reset(0);
    wire.send(Server, &wire::point(1));
    wire.send(Server, &wire::point(2));
    let seen = seen(&wire.frames);
    assert_eq!((seen.of("iec104").len(), events(&seen).len()), (3, 0));
}

/// A forged reset does not blind: both ends go on, and so do we, without losing an octet.
#[test]
fn a_reset_that_both_ends_ignore_is_told_and_ignored() {
    for cut in 1..16 {
        let mut wire = with_reset(0);
        let point = wire::point(1);
        wire.send(Server, &point[..cut]);
        wire.send(Server, &point[cut..]);
        wire.acknowledge(Client);
        wire.send(Client, wire::STARTDT_ACT);
        wire.send(Server, &wire::point(2));
        wire.reset(Client, 0);
        wire.send(Server, &wire::point(3));
        wire.acknowledge(Client);
        let seen = seen(&wire.frames);
        assert_eq!(seen.of("iec104").len(), 7);
        assert_eq!(events(&seen), ["data_after_close"], "once");
        assert_eq!(seen.of("flow").len(), 1);
    }
}

/// Nothing but the numbers tells the ends apart: two of them, or a socket connected to itself.
#[test]
fn both_ends_may_be_the_same() {
    let host = [10, 0, 0, 1];
    let mut wire = Wire::between([host; 2], [2404; 2]);
    wire.open();
    wire.send(Client, wire::STARTDT_ACT);
    wire.send(Server, wire::STARTDT_CON);
    for number in 0..5 {
        wire.send(Server, &wire::point(number));
        wire.acknowledge(Client);
    }
    wire.wait(Duration::from_secs(5));
    for skipped in [0, 3] {
        let seen = seen(&wire.frames[skipped..]);
        assert_eq!(events(&seen), [""; 0], "without {skipped}");
        let told = seen.of("iec104");
        let towards = |way| told.iter().filter(|record| record["direction"] == way).count();
        assert_eq!((towards("to_server"), towards("to_client")), (1, 6));
        assert_eq!(seen.of("flow").len(), 1);
    }

    let mut own = Wire::between([host; 2], [2404; 2]);
    own.open_to_itself();
    own.send(Client, wire::STARTDT_ACT);
    own.send(Client, wire::STARTDT_CON);
    let seen = seen(&own.frames);
    assert_eq!((seen.of("iec104").len(), events(&seen).len()), (2, 0));
}

/// Connections that each have a part of a message: those that hold most give it up when the limit is
/// reached, those that hold little never do, and all are read on.
#[test]
fn unfinished_messages_keep_to_the_limit() {
    const FLOWS: u16 = 60;
    const LIMIT: usize = 1 << 20;
    let large = [b"\x30\xe0\xd4\x03\0\x05plant".to_vec(), vec![b'x'; 60_000 - 7]].concat();
    let small = wire::publish("plant/power", "17 MW");
    let begin = |port| {
        let mut wire = Wire::between([[10, 0, 0, 1], [10, 0, 0, 2]], [port, 1883]);
        wire.open();
        wire.send(Client, wire::CONNECT);
        wire
    };
    let mut holds_little = begin(1);
    holds_little.send(Client, &small[..10]);
    let mut many: Vec<Wire> = (0..FLOWS).map(|port| begin(1000 + port)).collect();
    for wire in &mut many {
        for piece in large[..50_000].chunks(10_000) {
            wire.send(Client, piece);
        }
    }

    let limits = Limits { stream_memory: LIMIT, ..Limits::default() };
    let mut collected = Collected::default();
    let mut engine = Engine::new(rules(), limits, &collected);
    let mut most = 0;
    let mut hand_in = |frames: Vec<OwnedFrame>, collected: &mut Collected| {
        for frame in frames {
            feed(&mut engine, &[frame], collected);
            most = most.max(engine.stats().stream_memory);
            assert!(engine.stats().stream_memory <= LIMIT as u64);
        }
        engine.stats().gaps
    };
    hand_in(std::mem::take(&mut holds_little.frames), &mut collected);
    let mut gaps = 0;
    for wire in &mut many {
        gaps = hand_in(std::mem::take(&mut wire.frames), &mut collected);
    }
    // There is room for 20 times 50,000 octets, and buffers are up to twice as large.
    assert!((40..=50).contains(&gaps), "{gaps} gave up");

    holds_little.send(Client, &small[10..]);
    hand_in(std::mem::take(&mut holds_little.frames), &mut collected);
    for wire in &mut many {
        wire.send(Client, &large[50_000..]);
        wire.send(Client, &small);
        wire.send(Client, &small);
        hand_in(std::mem::take(&mut wire.frames), &mut collected);
    }
    engine.finish(&mut collected);
    assert_eq!(engine.stats().stream_memory, 0);
    assert!(most > LIMIT as u64 / 4 * 3, "it was never near the limit");

    let packets = collected.of("mqtt");
    let published = |topic: &str| {
        packets.iter().filter(|record| record["mqtt"]["publish"]["topic"] == topic).count() as u64
    };
    assert_eq!(published("plant"), u64::from(FLOWS) - gaps, "those that gave nothing up are whole");
    assert_eq!(published("plant/power"), 1 + 2 * u64::from(FLOWS));
}

/// What a snap length cuts off is a gap: said once a flow, counted each time, and no reason to wait.
#[test]
fn what_the_capture_cut_off_is_missed() {
    let mut wire = Wire::opened(2404);
    let points: Vec<u8> = (0..10).flat_map(wire::point).collect();
    for _ in 0..3 {
        wire.send(Server, &points);
    }
    wire.finish(Client);
    wire.finish(Server);
    for frame in &mut wire.frames {
        frame.data.truncate(40 + 5 * 16 + 8);
    }
    let seen = seen(&wire.frames);
    assert_eq!(seen.of("iec104").len(), 15, "five whole ones a segment");
    assert_eq!(seen.anomalies(), ["gap"]);
    let gap = seen.of("anomaly").into_iter().find(|record| record["anomaly"]["event"] == "gap");
    assert_eq!(gap.unwrap()["anomaly"]["value"], 72);
    let flow = &seen.of("flow")[0]["flow"];
    assert_eq!((&flow["gaps_toclient"], &flow["missed_toclient"]), (&3.into(), &216.into()));
    assert_eq!(flow["state"], "closed");
}

/// A frame of a connection keeps its own time, and its connection goes on.
#[test]
fn a_frame_of_a_connection_may_have_any_time() {
    let mut wire = Wire::opened(2404);
    wire.send(Client, wire::STARTDT_ACT);
    for number in 0..10 {
        wire.send(Server, &wire::point(number));
    }
    let last = wire.frames.len() - 5;
    wire.frames[last].timestamp = Timestamp::from_nanos(FUTURE * 1_000_000_000);
    let seen = seen(&wire.frames);
    assert_eq!((seen.of("iec104").len(), seen.of("flow").len()), (11, 1));
    let times = seen.of("iec104");
    let of_the_future = times.iter().filter(|record| {
        record["timestamp"].as_u64().is_some_and(|time| time / 1_000_000_000 == FUTURE)
    });
    assert_eq!(of_the_future.count(), 1);
}

/// Days without a frame are believed: what was due in them ended, and a connection between the same
/// ports behind them is another.
#[test]
fn captures_may_be_days_apart() {
    let first = frames(&file("pcaps/demo.pcap"));
    let mut both = first.clone();
    for day in 1..4 {
        let later = Duration::from_secs(day * 86_400 * 3);
        both.extend(first.iter().map(|frame| {
            let timestamp = frame.timestamp + later;
            OwnedFrame { timestamp, ..frame.clone() }
        }));
    }
    let (once, four_times) = (seen(&first), seen(&both));
    assert_eq!(four_times.application().len(), 4 * once.application().len());
    assert_eq!(four_times.of("flow").len(), 4 * once.of("flow").len());
    assert_eq!(four_times.alerts.len(), 4 * once.alerts.len());
    let shut_down = |seen: &Collected| {
        let flows = seen.of("flow");
        flows.iter().filter(|record| record["flow"]["reason"] == "shutdown").count()
    };
    assert_eq!(shut_down(&four_times), shut_down(&once), "the others timed out");
}

/// Frames of real peers, one capture after the other.
fn of_all_protocols() -> Vec<OwnedFrame> {
    ["pcaps/demo.pcap", "pcaps/tls.pcap"].iter().flat_map(|path| frames(&file(path))).collect()
}

fn see(engine: &mut Engine, frames: &[OwnedFrame]) -> Collected {
    let mut collected = Collected::default();
    feed(engine, frames, &mut collected);
    engine.finish(&mut collected);
    collected
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn noise_is_survived(noise in prop::collection::vec(any_frame(), 0..60)) {
        let mut engine = Engine::new(rules(), Limits::default(), &Collected::default());
        see(&mut engine, &noise);
        prop_assert_eq!(engine.stats().packets, noise.len() as u64);
        prop_assert_eq!(engine.stats().flows_active, 0);
    }

    #[test]
    fn damage_is_survived_and_what_follows_is_seen(
        changes in prop::collection::vec((any::<usize>(), any::<usize>(), any::<u8>()), 1..200),
    ) {
        let mut engine = Engine::new(rules(), Limits::default(), &Collected::default());
        see(&mut engine, &damage(&of_all_protocols(), &changes));
        prop_assert_eq!(engine.stats().stream_memory, 0);
        let clean = frames(&file("pcaps/clean.pcap"));
        // What is said of commands may differ: what is known of a station outlives its connections.
        let messages = |seen: &Collected| seen.messages().len();
        let after = messages(&see(&mut engine, &clean));
        let mut fresh = Engine::new(rules(), Limits::default(), &Collected::default());
        prop_assert_eq!(after, messages(&see(&mut fresh, &clean)));
    }

    #[test]
    fn limits_hold_under_damage(
        changes in prop::collection::vec((any::<usize>(), any::<usize>(), any::<u8>()), 1..200),
    ) {
        let limits = Limits { flows: 5, stream_memory: 2048, ..Limits::default() };
        let mut engine = Engine::new(rules(), limits, &Collected::default());
        let mut collected = Collected::default();
        for frame in damage(&of_all_protocols(), &changes) {
            feed(&mut engine, &[frame], &mut collected);
            prop_assert!(engine.stats().flows_active <= 5);
            // One segment, or one message that is not whole, may stand beyond the limit.
            prop_assert!(engine.stats().stream_memory <= 2048 + 4096);
        }
    }
}
