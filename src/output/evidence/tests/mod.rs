//! Frames through an engine into cases, and cases into files.

mod cases;
mod files;
mod secrets;

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
