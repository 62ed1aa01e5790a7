//! Frames through an engine into cases, and cases into files.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader};

use super::hidden::BLANK;
use super::{Archive, Case, Keeper, Options, Writer};
use crate::capture::Source as Captures;
use crate::engine::{Engine, Place, Sink};
use crate::event::{Event, Redaction, Schema};
use crate::flow::Side;
use crate::packet::{self, Checksum, Frame, LinkType, Transport};
use crate::protocol::{self, Fact, Protocol};
use crate::rule::{Hits, Placeholders, RuleSet, Source};
use crate::time::Timestamp;

/// Fires on each PINGREQ, and when a flow ends.
const RULES: &str = "
title: A ping
id: 00000000-0000-4000-8000-000000000001
logsource: {product: gridtap, service: mqtt}
detection: {ping: {mqtt.type: PINGREQ}, condition: ping}
level: low
---
title: An end
id: 00000000-0000-4000-8000-000000000002
logsource: {product: gridtap, service: flow}
detection: {end: {dest_port: 1883}, condition: end}
level: low
";

const PING: &[u8] = b"\xc0\0";
/// Without a password.
const HELLO: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c";

/// CONNECTs whose last six octets are a password.
const LOGINS: [&[u8]; 3] = [
    b"\x10\x1a\0\x06MQIsdp\x03\xc2\0\x3c\0\x01a\0\x01u\0\x06secret",
    b"\x10\x1e\0\x04MQTT\x04\xc6\0\x3c\0\x01a\0\x01t\0\x01w\0\x01u\0\x06secret",
    b"\x10\x1c\0\x04MQTT\x05\xc2\0\x3c\x03\x21\0\x0a\0\x01a\0\x01u\0\x06secret",
];

struct Kept {
    keeper: Keeper,
    /// What alerts named, each once.
    names: Vec<String>,
}

impl Sink for Kept {
    fn event(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        if let Some(name) = self.keeper.alert(event, fired)
            && self.names.last().is_none_or(|last| last != name)
        {
            self.names.push(name.to_owned());
        }
    }

    fn wants(&self, _: &'static Schema) -> bool {
        false
    }

    fn fact(&mut self, _: IpAddr, _: &'static Protocol, _: &'static str, _: Fact<'_>) {}

    fn keeps(&self) -> bool {
        true
    }

    fn packet(&mut self, frame: &Frame<'_>, place: Place) {
        self.keeper.packet(frame, &place);
    }

    fn secret(&mut self, flow: u64, sender: Side, octets: Range<u32>) {
        self.keeper.secret(flow, sender, octets);
    }
}

fn rules() -> Arc<RuleSet> {
    let source = Source { name: "test.yml".to_owned(), text: RULES.to_owned() };
    let services: Vec<_> = protocol::services().collect();
    Arc::new(RuleSet::load(&[source], &services, &Placeholders::new()).unwrap())
}

fn options() -> Options {
    Options { memory: 1 << 20, ..Options::new("/nowhere") }
}

/// Connections from 10.0.0.1 to 10.0.0.2, an engine, and what it keeps.
struct Scene {
    engine: Engine,
    sink: Kept,
    now: Timestamp,
    number: u64,
}

impl Scene {
    fn new(rules: &Arc<RuleSet>, options: &Options) -> Self {
        let sink = Kept { keeper: Keeper::new(options, 1), names: Vec::new() };
        let limits = crate::engine::Limits::default();
        let engine =
            Engine::new(Arc::clone(rules), limits, &sink).with_redaction(options.redaction);
        Self { engine, sink, now: Timestamp::from_nanos(1_785_575_702_000_000_000), number: 0 }
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now = self.now + Duration::from_millis(milliseconds);
    }

    /// A segment a millisecond after the last.
    fn frame(
        &mut self,
        ports: [u16; 2],
        sequence: u32,
        data: &[u8],
        with: impl FnOnce(PacketBuilderStep<TcpHeader>) -> PacketBuilderStep<TcpHeader>,
    ) {
        let server = ports[0] == 1883;
        let ends = if server { [2, 1] } else { [1, 2] }.map(|end| [10, 0, 0, end]);
        let ip = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(ends[0], ends[1], 64);
        let mut octets = Vec::new();
        with(ip.tcp(ports[0], ports[1], sequence, 8192)).write(&mut octets, data).unwrap();
        self.wait(1);
        self.number += 1;
        let frame = Frame {
            number: self.number,
            timestamp: self.now,
            link: LinkType::Ethernet,
            data: &octets,
            wire_length: octets.len() as u32,
            interface: None,
        };
        self.engine.handle(&frame, &mut self.sink);
    }

    /// The client of this port opens a connection. The first octet that it sends has the number 1.
    fn open(&mut self, client: u16) {
        self.frame([client, 1883], 0, b"", PacketBuilderStep::syn);
        self.frame([1883, client], 0, b"", |tcp| tcp.syn().ack(1));
    }

    /// The client sends what begins at this number.
    fn send(&mut self, client: u16, sequence: u32, data: &[u8]) {
        self.frame([client, 1883], sequence, data, |tcp| tcp.ack(1));
    }

    /// The server has all up to this number.
    fn acknowledge(&mut self, client: u16, sequence: u32) {
        self.frame([1883, client], 1, b"", |tcp| tcp.ack(sequence));
    }

    fn cases(&mut self) -> Vec<Case> {
        std::iter::from_fn(|| self.sink.keeper.take()).collect()
    }

    fn finish(&mut self) -> Vec<Case> {
        self.engine.finish(&mut self.sink);
        self.sink.keeper.finish();
        self.cases()
    }
}

/// Each packet of a case.
fn frames(case: &Case) -> Vec<&[u8]> {
    let ends = case.packets.iter().map(|packet| packet.end);
    let starts = [0].into_iter().chain(ends.clone());
    starts.zip(ends).map(|(start, end)| &case.octets[start..end]).collect()
}

/// The first sequence number, the data and what the checksum says of each packet from the client.
fn sent(case: &Case) -> Vec<(u32, &[u8], Checksum)> {
    let segments = frames(case).into_iter().map(|frame| {
        let packet = packet::decode(LinkType::Ethernet, frame).unwrap();
        let Transport::Tcp(tcp) = packet.transport else { panic!("{packet:?}") };
        (tcp.destination_port, (tcp.sequence, tcp.payload, tcp.checksum))
    });
    segments.filter(|(port, _)| *port == 1883).map(|(_, segment)| segment).collect()
}

/// Compares what a case shows of the client's stream: no octet of `secret`, and nothing false.
/// Returns which other octets are not shown.
fn compare(case: &Case, stream: &[u8], secret: &Range<usize>) -> Vec<usize> {
    let mut hidden = Vec::new();
    for (sequence, data, checksum) in sent(case) {
        assert_eq!(checksum, Checksum::Good);
        // SYN has the number before the first.
        for (at, octet) in (sequence.wrapping_sub(1) as usize..).zip(data) {
            if secret.contains(&at) {
                assert_eq!(*octet, BLANK, "octet {at} of the stream shows in {data:?}");
            } else if *octet != stream[at] {
                assert_eq!(*octet, BLANK);
                hidden.push(at);
            }
        }
    }
    hidden
}

/// How three segments may come.
const ORDERS: [&[usize]; 6] =
    [&[0, 1, 2], &[1, 0, 2], &[2, 1, 0], &[0, 2, 1], &[0, 0, 1, 1, 2, 2, 0, 1], &[0, 2]];

/// Whatever the segments, their order and the moment at which the case ends.
#[test]
fn no_octet_of_a_password_shows() {
    let rules = rules();
    let mut shown_whole = 0;
    for login in LOGINS {
        let stream = [HELLO, PING, login, PING].concat();
        let begin = HELLO.len() + PING.len();
        let secret = begin + login.len() - 6..begin + login.len();
        for (one, other) in (0..login.len()).flat_map(|one| [(one, one + 1), (one, one + 5)]) {
            let ends = [begin, begin + one, (begin + other).min(secret.end), stream.len()];
            for order in ORDERS {
                for packets in [1, 2, 3, 4, 64] {
                    let mut scene = Scene::new(&rules, &Options { packets, ..options() });
                    scene.open(4000);
                    scene.send(4000, 1, &stream[..begin]);
                    for part in order {
                        let octets = &stream[ends[*part]..ends[part + 1]];
                        scene.send(4000, 1 + ends[*part] as u32, octets);
                    }
                    scene.acknowledge(4000, 1 + stream.len() as u32);
                    scene.wait(3000);
                    scene.send(4000, 1 + stream.len() as u32, PING);
                    let stream = [&stream, PING].concat();
                    let cases = scene.finish();
                    assert!(!cases.is_empty());
                    for case in &cases {
                        let hidden = compare(case, &stream, &secret);
                        if packets == 64 && order.len() > 2 {
                            assert_eq!(
                                hidden, [0_usize; 0],
                                "{login:?} {ends:?} {order:?} {packets}"
                            );
                            shown_whole += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(shown_whole > 500);
}

/// Packets with a user name, then those with payloads: `said` and `noted` are what applications say.
const PERSONAL: [&[u8]; 4] = [
    b"\x10\x12\0\x04MQTT\x04\x82\0\x3c\0\x01a\0\x03bob",
    b"\x10\x16\0\x06MQIsdp\x03\xc2\0\x3c\0\x01a\0\x03bob\0\0",
    b"\x10\x1d\0\x04MQTT\x05\xc6\0\x3c\0\0\x01a\0\0\x01t\0\x01w\0\x03bob\0\x01p",
    b"\x10\x12\0\x04MQTT\x04\xc2\0\x3c\0\x01a\0\x03bob",
];
const MESSAGES: [&[u8]; 6] = [
    b"\x30\x07\0\x01tsaid",
    b"\x32\x09\0\x01t\0\x01said",
    b"\x10\x16\0\x04MQTT\x04\x06\0\x3c\0\x01a\0\x01t\0\x04said",
    b"\x10\x20\0\x04MQTT\x05\x06\0\x3c\0\0\x01a\x08\x09\0\x05noted\0\x01t\0\x04said",
    // A length that is beyond the packet.
    b"\x10\x16\0\x04MQTT\x04\x06\0\x3c\0\x01a\0\x01t\0\xffsaid",
    // No packet at all, in which a message may be as well.
    b"\0\x07\0\x01tsaid\0",
];

/// Each cut in three anywhere, with each order of the segments.
fn without(packets: &[&[u8]], redaction: Redaction, words: &[&str]) {
    let rules = rules();
    let mut shown = 0;
    for packet in packets {
        let stream = [HELLO, PING, packet, PING].concat();
        let begin = HELLO.len() + PING.len();
        let places: Vec<usize> = words
            .iter()
            .filter_map(|word| memchr::memmem::find(packet, word.as_bytes()).map(|at| (word, at)))
            .flat_map(|(word, at)| begin + at..begin + at + word.len())
            .collect();
        assert!(!places.is_empty());
        for (one, other) in (0..packet.len()).flat_map(|one| [(one, one + 1), (one, one + 5)]) {
            let ends = [begin, begin + one, (begin + other).min(stream.len()), stream.len()];
            for (order, packets) in ORDERS.iter().flat_map(|order| [(order, 2), (order, 64)]) {
                let mut scene = Scene::new(&rules, &Options { packets, redaction, ..options() });
                scene.open(4000);
                scene.send(4000, 1, &stream[..begin]);
                for part in *order {
                    let octets = &stream[ends[*part]..ends[part + 1]];
                    scene.send(4000, 1 + ends[*part] as u32, octets);
                }
                scene.acknowledge(4000, 1 + stream.len() as u32);
                scene.wait(3000);
                scene.send(4000, 1 + stream.len() as u32, PING);
                for case in scene.finish() {
                    for (sequence, data, _) in sent(&case) {
                        let numbered = (sequence.wrapping_sub(1) as usize..).zip(data);
                        let (hidden, open): (Vec<_>, Vec<_>) =
                            numbered.partition(|(at, _)| places.contains(at));
                        assert!(
                            hidden.iter().all(|(_, octet)| **octet == BLANK),
                            "{packet:?} {ends:?} {order:?}: {data:?}"
                        );
                        shown += open.iter().filter(|(_, octet)| **octet != BLANK).count();
                    }
                }
            }
        }
    }
    assert!(shown > 10_000, "{shown}");
}

#[test]
fn no_octet_of_a_user_name_shows_that_is_redacted() {
    without(&PERSONAL, Redaction { user_names: true, payloads: false }, &["bob"]);
}

#[test]
fn no_octet_of_a_payload_shows_that_is_redacted() {
    let redaction = Redaction { user_names: false, payloads: true };
    without(&MESSAGES, redaction, &["said", "noted"]);
}

/// More messages than secrets are remembered: the last ones show all but their payloads.
#[test]
fn of_many_payloads_none_shows() {
    let redaction = Redaction { payloads: true, ..Redaction::default() };
    let mut scene = Scene::new(&rules(), &Options { redaction, ..options() });
    scene.open(4000);
    scene.send(4000, 1, HELLO);
    let mut next = 1 + HELLO.len() as u32;
    let bundle = [MESSAGES[0].repeat(30), PING.to_vec()].concat();
    for _ in 0..20 {
        scene.send(4000, next, &bundle);
        next += bundle.len() as u32;
    }
    let cases = scene.finish();
    let shown: Vec<u8> =
        cases.iter().flat_map(sent).flat_map(|(_, data, _)| data.to_vec()).collect();
    assert!(memchr::memmem::find(&shown, b"said").is_none());
    let count = memchr::memmem::find_iter(&shown, b"\x30\x07\0\x01t****").count();
    assert!(count > 60, "{count}");
}

#[test]
fn passwords_show_if_that_is_wanted() {
    let mut scene = Scene::new(&rules(), &Options { blank_passwords: false, ..options() });
    scene.open(4000);
    scene.send(4000, 1, &[LOGINS[0], PING].concat());
    let cases = scene.finish();
    assert!(sent(&cases[0]).iter().any(|(_, data, _)| data.ends_with(b"secret\xc0\0")));
}

#[test]
fn alerts_soon_after_another_are_in_the_same_file() {
    let options = Options { packets: 8, ..options() };
    let mut scene = Scene::new(&rules(), &options);
    scene.open(4000);
    let stream = [HELLO, &PING.repeat(100)].concat();
    scene.send(4000, 1, HELLO);
    let mut at = HELLO.len();
    let mut ping = |scene: &mut Scene, wait| {
        scene.wait(wait);
        scene.send(4000, 1 + at as u32, &stream[at..at + 2]);
        at += 2;
    };
    for _ in 0..3 {
        ping(&mut scene, 1000);
    }
    assert_eq!(scene.sink.names.len(), 1);
    assert!(scene.cases().is_empty(), "more packets are waited for");
    // Another flow's packet says that the time is over.
    scene.wait(6000);
    scene.open(5000);
    let cases = scene.cases();
    assert_eq!(cases.len(), 1);
    assert_eq!(cases[0].name(), scene.sink.names[0]);
    assert_eq!(frames(&cases[0]).len(), 6);
    let notes: Vec<_> = cases[0].notes.iter().map(|note| (note.packet, &note.text[..])).collect();
    let text = "low: A ping (00000000-0000-4000-8000-000000000001)";
    assert_eq!(notes, [(3, text), (4, text), (5, text)]);
    // The next one has another name, and what went before once more.
    ping(&mut scene, 0);
    assert_eq!(scene.sink.names.len(), 2);
    assert!(scene.sink.names.is_sorted());
    // One alert after the other: the file ends all the same.
    for _ in 0..50 {
        ping(&mut scene, 1000);
    }
    let cases = scene.cases();
    assert!(cases.len() >= 2);
    for case in cases {
        assert!(frames(&case).len() <= 5 * 8 && case.notes.len() <= 5 * 8);
        let (first, last) = (case.packets.first().unwrap(), case.packets.last().unwrap());
        assert!(last.timestamp.since(first.timestamp) <= Duration::from_secs(30 + 4 * 5));
    }
}

#[test]
fn what_was_long_before_is_not_in_it() {
    let mut scene = Scene::new(&rules(), &options());
    scene.open(4000);
    scene.send(4000, 1, HELLO);
    scene.wait(29_000);
    scene.send(4000, 1 + HELLO.len() as u32, PING);
    scene.wait(20_000);
    scene.send(4000, 3 + HELLO.len() as u32, PING);
    let cases = scene.finish();
    // Each with the packets of 30 s before; the last for the end of the flow.
    let packets: Vec<_> = cases.iter().map(Case::packets).collect();
    assert_eq!(packets[..2], [4, 2]);
}

#[test]
fn the_end_of_a_silent_flow_has_no_evidence() {
    let mut scene = Scene::new(&rules(), &options());
    scene.open(4000);
    scene.send(4000, 1, HELLO);
    scene.engine.tick(scene.now + Duration::from_secs(100_000), &mut scene.sink);
    assert!(scene.sink.names.is_empty());
    assert_eq!(scene.sink.keeper.counters().without, 1);
    // One that ends while its packets are there has some.
    scene.now = scene.now + Duration::from_secs(100_000);
    scene.open(5000);
    scene.send(5000, 1, HELLO);
    assert_eq!(scene.finish().len(), 1);
}

#[test]
fn two_cases_of_a_moment_have_two_names() {
    let mut scene = Scene::new(&rules(), &Options { packets: 1, ..options() });
    scene.open(4000);
    scene.send(4000, 1, HELLO);
    for at in 0..3 {
        scene.now = Timestamp::from_nanos(scene.now.as_nanos() - 1_000_000);
        scene.send(4000, 1 + HELLO.len() as u32 + 2 * at, PING);
    }
    let cases = scene.cases();
    assert_eq!(cases.iter().map(Case::name).collect::<Vec<_>>(), scene.sink.names);
    assert_eq!(scene.sink.names.len(), 3);
    assert!(scene.sink.names.is_sorted());
}

/// A busy flow has its own packets pushed out, not those of others; many flows the oldest.
#[test]
fn memory_is_bounded_and_the_oldest_go() {
    let mut scene = Scene::new(&rules(), &options());
    scene.open(4000);
    scene.send(4000, 1, HELLO);
    scene.open(5000);
    let data = [0x55; 1000];
    for at in 0..2000 {
        scene.send(5000, 1 + at * 1000, &data);
    }
    let counters = scene.sink.keeper.counters();
    assert_eq!((counters.frames, counters.pushed_out), (3 + 64, 0));
    scene.send(4000, 1 + HELLO.len() as u32, PING);
    // Room is needed: the case ends now, and has its beginning.
    for client in 10_000..20_000 {
        scene.open(client);
    }
    let cases = scene.cases();
    assert_eq!(cases[0].packets(), 4);
    let counters = scene.sink.keeper.counters();
    assert_eq!((counters.cases, counters.alerts, counters.cut_short), (1, 1, 1));
    assert!(counters.pushed_out > 10_000 && counters.frames < 10_000, "{counters:?}");
    assert!(counters.octets < 1 << 20);
    // Nothing is left of flows that are gone.
    scene.finish();
    let frames = scene.sink.keeper.counters().frames;
    assert!(frames > 1000 && frames < 10_000);
}

#[test]
fn more_cases_than_may_be_open_end_the_first() {
    let most = options().limits(1).alerts;
    let mut scene = Scene::new(&rules(), &options());
    let mut cases = Vec::new();
    for client in 0..300 {
        scene.open(10_000 + client);
        scene.send(10_000 + client, 1, &[HELLO, PING, PING].concat());
        cases.extend(scene.cases());
    }
    assert_eq!(cases.len(), 300 - most);
    assert_eq!(scene.sink.keeper.counters().cut_short, cases.len() as u64);
    assert!(cases.iter().map(Case::name).eq(&scene.sink.names[..cases.len()]));
    // There is room for so many names: of most flows one alert has its name.
    assert!(cases.iter().all(|case| case.notes.len() as u64 + case.more == 2));
    assert!(cases.iter().any(|case| case.more > 0));
}

#[test]
fn cases_that_nobody_takes_are_let_go() {
    let mut scene = Scene::new(&rules(), &Options { packets: 2, ..options() });
    for client in 10_000..12_000 {
        scene.open(client);
        scene.send(client, 1, &[HELLO, PING].concat());
        scene.acknowledge(client, 1);
    }
    let counters = scene.sink.keeper.counters();
    let cases = scene.cases();
    assert!(counters.lost > 1000, "{counters:?}");
    assert_eq!(counters.cases, counters.lost + cases.len() as u64);
    assert!(cases.iter().map(Case::memory).sum::<usize>() <= options().limits(1).ready);
}

#[test]
fn at_the_end_no_case_is_let_go() {
    let mut scene = Scene::new(&rules(), &options());
    let limits = options().limits(1);
    let most = u16::try_from(limits.alerts).unwrap();
    for client in 10_000..10_000 + most {
        scene.open(client);
        scene.send(client, 1, &[HELLO, PING].concat());
    }
    let cases = scene.finish();
    let octets: usize = cases.iter().map(Case::memory).sum();
    assert!(octets > limits.ready, "they would not all have had room: {octets}");
    let counters = scene.sink.keeper.counters();
    assert_eq!((counters.lost, counters.cases), (0, cases.len() as u64));
    assert!(cases.len() >= usize::from(most));
}

/// Cases with names in order, about a block each.
fn cases(count: u16) -> Vec<Case> {
    let mut scene = Scene::new(&rules(), &Options { packets: 1, memory: 64 << 20, ..options() });
    for client in 10_000..10_000 + count {
        scene.open(client);
        scene.send(client, 1, &[HELLO, PING].concat());
    }
    scene.cases()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), 1 << 20).unwrap();
    let case = &cases(1)[0];
    writer.write(case).unwrap();
    writer.write(case).unwrap();
    assert_eq!(names(folder.path()), [case.name()]);
    let counters = writer.counters();
    assert_eq!((counters.files, counters.octets, counters.written_files), (1, 4096, 2));
    let mut source = Captures::open(&[folder.path().join(case.name())]).unwrap();
    for (octets, packet) in frames(case).into_iter().zip(&case.packets) {
        let frame = source.next().unwrap().unwrap();
        assert_eq!((frame.data, frame.timestamp), (octets, packet.timestamp));
    }
    assert!(source.next().unwrap().is_none());
}

#[test]
fn the_oldest_files_go_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases(20);
    fs::write(folder.path().join("notes.pcapng"), b"mine").unwrap();
    fs::write(folder.path().join(format!("{}.part", cases[0].name())), b"half").unwrap();
    let mut writer = Writer::open(folder.path(), 10 * 4096).unwrap();
    for case in &cases[..12] {
        writer.write(case).unwrap();
    }
    let mut expected: Vec<_> = cases[2..12].iter().map(Case::name).collect();
    expected.push("notes.pcapng");
    assert_eq!(names(folder.path()), expected);
    assert_eq!((writer.counters().deleted, writer.counters().octets), (2, 10 * 4096));
    // Those of an earlier run count.
    let mut writer = Writer::open(folder.path(), 6 * 4096).unwrap();
    assert_eq!(names(folder.path()).len(), 7);
    for case in &cases[12..] {
        writer.write(case).unwrap();
    }
    let mut expected: Vec<_> = cases[14..].iter().map(Case::name).collect();
    expected.push("notes.pcapng");
    assert_eq!(names(folder.path()), expected);
    let mut writer = Writer::open(folder.path(), 4095).unwrap();
    assert!(writer.write(&cases[0]).is_err());
    assert_eq!(names(folder.path()), ["notes.pcapng"]);
}

#[test]
fn a_folder_that_is_gone_or_in_the_way_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence");
    let cases = cases(3);
    let mut writer = Writer::open(&path, 1 << 20).unwrap();
    writer.write(&cases[0]).unwrap();
    fs::remove_dir_all(&path).unwrap();
    writer.write(&cases[1]).unwrap();
    assert_eq!(names(&path), [cases[1].name()]);
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, b"a file").unwrap();
    assert!(writer.write(&cases[2]).is_err());
    assert_eq!((writer.counters().errors, writer.counters().written_files), (1, 2));
    // A link where the unfinished file goes is not followed.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let bait = folder.path().join("bait");
    fs::write(&bait, b"untouched").unwrap();
    let link = path.join(format!("{}.part", cases[2].name()));
    std::os::unix::fs::symlink(&bait, link).unwrap();
    writer.write(&cases[2]).unwrap();
    assert_eq!(fs::read(&bait).unwrap(), b"untouched");
}

#[test]
fn an_archive_writes_what_it_is_offered() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { directory: folder.path().to_owned(), ..options() };
    let writer = Writer::open(folder.path(), options.size).unwrap();
    let archive =
        Archive::start(&options, writer, || Ok(()), |change| panic!("{change:?}")).unwrap();
    let cases = cases(20);
    for case in &cases {
        archive.offer(case.clone());
    }
    let (in_time, counters) = archive.finish(Instant::now() + Duration::from_secs(60));
    assert!(in_time);
    assert_eq!((counters.written_files, counters.dropped, counters.waiting), (20, 0, 0));
    assert_eq!(names(folder.path()).len(), 20);
}

/// An archive that hangs when its first case cannot be written, until the sender goes; and its folder.
fn hanging(folder: &Path) -> (Archive, Options, Sender<()>) {
    let directory = folder.join("evidence");
    let options = Options { directory: directory.clone(), ..options() };
    let (go, wait) = channel::<()>();
    let hang = move |_: Result<(), &io::Error>| {
        let _ = wait.recv();
    };
    let writer = Writer::open(&directory, options.size).unwrap();
    fs::remove_dir(&directory).unwrap();
    fs::write(&directory, b"in the way").unwrap();
    let archive = Archive::start(&options, writer, || Ok(()), hang).unwrap();
    archive.offer(cases(1).remove(0));
    while archive.counters().errors == 0 {
        std::thread::yield_now();
    }
    fs::remove_file(&directory).unwrap();
    (archive, options, go)
}

#[test]
fn an_archive_that_hangs_drops_what_it_has_no_room_for() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, options, go) = hanging(folder.path());
    for case in &cases(1000) {
        archive.offer(case.clone());
    }
    let counters = archive.counters();
    assert!(counters.waiting <= options.queue() as u64 && counters.dropped > 100, "{counters:?}");
    drop(go);
    let (in_time, counters) = archive.finish(Instant::now() + Duration::from_secs(60));
    assert!(in_time);
    assert_eq!(counters.written_files + counters.dropped, 1000);
}

#[test]
fn at_the_end_an_archive_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, _, go) = hanging(folder.path());
    let cases = cases(1000);
    for case in &cases {
        archive.offer_by(case.clone(), Instant::now());
    }
    let dropped = archive.counters().dropped;
    assert!(dropped > 100, "not for ever");
    drop(go);
    for case in &cases {
        archive.offer_by(case.clone(), Instant::now() + Duration::from_secs(60));
    }
    let (in_time, counters) = archive.finish(Instant::now() + Duration::from_secs(60));
    assert!(in_time);
    assert_eq!((counters.written_files, counters.dropped), (2000 - dropped, dropped));
}

#[test]
fn an_archive_that_hangs_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, _, go) = hanging(folder.path());
    let (in_time, counters) = archive.finish(Instant::now());
    assert!(!in_time && counters.errors == 1);
    drop(go);
}

#[test]
fn an_archive_that_cannot_begin_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::open(folder.path(), 1 << 20).unwrap();
    let first = || Err(io::Error::other("no"));
    let error = Archive::start(&options(), writer, first, |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "no");
}
