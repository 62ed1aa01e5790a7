//! How a stream is cut into segments, in which order they come, what comes twice: none of it
//! changes what is seen in the stream.
//!
//! Each connection of the project's captures is sent again by a worse network: between two packets
//! of the other end, the octets are cut anywhere, overlap, and come in any order.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{OwnedFrame, file, frames, run};
use etherparse::PacketBuilder;
use gridtap::flow::{FlowKey, Side};
use gridtap::packet::{LinkType, Packet, Tcp, TcpFlags, Transport, decode};
use gridtap::rule::RuleSet;
use gridtap::time::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

const CAPTURES: &[&str] = &[
    "pcaps/demo.pcap",
    "pcaps/clean.pcap",
    "pcaps/injection.pcap",
    "pcaps/all-types.pcap",
    "pcaps/tls.pcap",
    "pcaps/websocket.pcap",
];

/// The frames of one connection.
type Connection = Vec<OwnedFrame>;

fn connections() -> Vec<Connection> {
    let mut all: BTreeMap<_, Connection> = BTreeMap::new();
    for (index, capture) in CAPTURES.iter().enumerate() {
        for frame in frames(&file(capture)) {
            let Ok(packet) = decode(frame.link, &frame.data) else { continue };
            if matches!(packet.transport, Transport::Tcp(_)) {
                let (key, _) = FlowKey::of(&packet);
                let ends =
                    [Side::Lower, Side::Upper].map(|side| (key.address(side), key.port(side)));
                all.entry((index, ends)).or_default().push(frame);
            }
        }
    }
    all.into_values().collect()
}

/// What an engine sees in a connection.
fn seen(connection: &[OwnedFrame]) -> Vec<Value> {
    run(connection, Arc::new(RuleSet::default())).application()
}

/// Some of the octets that one end sends between two packets of the other: offset and length.
type Pieces = Vec<(usize, usize)>;

/// Sends a connection again, with what lies between two packets of the other end cut as `cut`
/// says for a number of octets.
fn resend(connection: &[OwnedFrame], cut: &mut dyn FnMut(usize) -> Pieces) -> Connection {
    let mut sent = Connection::new();
    let mut run: Option<Run> = None;
    for frame in connection {
        let packet = decode(frame.link, &frame.data).unwrap();
        let Transport::Tcp(tcp) = packet.transport else { unreachable!("only TCP is collected") };
        let (_, from) = FlowKey::of(&packet);
        let continues = run.as_ref().is_some_and(|run| run.continues(from, &tcp));
        if !continues && let Some(run) = run.take() {
            run.send(cut, &mut sent);
        }
        let special = tcp.flags.any(TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST);
        if special || tcp.payload.is_empty() {
            sent.push(frame.clone());
            continue;
        }
        run.get_or_insert_with(|| Run::new(frame.timestamp, from, &packet, &tcp))
            .octets
            .extend_from_slice(tcp.payload);
    }
    if let Some(run) = run {
        run.send(cut, &mut sent);
    }
    sent
}

/// Octets in order that one end sends while the other is silent.
struct Run {
    timestamp: Timestamp,
    from: Side,
    ends: [(std::net::IpAddr, u16); 2],
    sequence: u32,
    acknowledgment: u32,
    octets: Vec<u8>,
}

impl Run {
    fn new(timestamp: Timestamp, from: Side, packet: &Packet<'_>, tcp: &Tcp<'_>) -> Self {
        Self {
            timestamp,
            from,
            ends: [(packet.source, tcp.source_port), (packet.destination, tcp.destination_port)],
            sequence: tcp.sequence,
            acknowledgment: tcp.acknowledgment,
            octets: Vec::new(),
        }
    }

    fn continues(&self, from: Side, tcp: &Tcp<'_>) -> bool {
        let special = tcp.flags.any(TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST);
        let next = self.sequence.wrapping_add(self.octets.len() as u32);
        from == self.from && !special && !tcp.payload.is_empty() && tcp.sequence == next
    }

    fn send(&self, cut: &mut dyn FnMut(usize) -> Pieces, sent: &mut Connection) {
        for (offset, length) in cut(self.octets.len()) {
            let data = self.frame(offset, &self.octets[offset..offset + length]);
            sent.push(OwnedFrame { timestamp: self.timestamp, link: LinkType::Raw, data });
        }
    }

    fn frame(&self, offset: usize, payload: &[u8]) -> Vec<u8> {
        use std::net::IpAddr::{V4, V6};
        let [(source, source_port), (destination, destination_port)] = self.ends;
        let builder = match (source, destination) {
            (V4(source), V4(destination)) => {
                PacketBuilder::ipv4(source.octets(), destination.octets(), 64)
            }
            (V6(source), V6(destination)) => {
                PacketBuilder::ipv6(source.octets(), destination.octets(), 64)
            }
            _ => unreachable!("one packet has one version"),
        };
        let mut frame = Vec::new();
        builder
            .tcp(source_port, destination_port, self.sequence.wrapping_add(offset as u32), 8192)
            .ack(self.acknowledgment)
            .write(&mut frame, payload)
            .unwrap();
        frame
    }
}

#[test]
fn resending_as_it_was_changes_nothing() {
    let connections = connections();
    let records: usize = connections.iter().map(|connection| seen(connection).len()).sum();
    assert!(records > 500, "the captures have {records} records only");
    for connection in &connections {
        assert_eq!(seen(&resend(connection, &mut |length| vec![(0, length)])), seen(connection));
    }
}

#[test]
fn octet_by_octet_is_the_same() {
    for connection in &connections() {
        let mut octets = |length| (0..length).map(|offset| (offset, 1)).collect();
        assert_eq!(seen(&resend(connection, &mut octets)), seen(connection));
    }
}

#[test]
fn octet_by_octet_backwards_is_the_same() {
    for connection in &connections() {
        let mut octets = |length| (0..length).rev().map(|offset| (offset, 1)).collect();
        assert_eq!(seen(&resend(connection, &mut octets)), seen(connection));
    }
}

/// Cuts, shuffles, repeats and overlaps as the numbers say; every octet is sent at least once.
fn bad_network(numbers: &[u16]) -> impl FnMut(usize) -> Pieces + '_ {
    let mut next = numbers.iter().copied().cycle().map(usize::from);
    let mut next = move |below: usize| next.next().unwrap_or_default() % below.max(1);
    move |length| {
        let mut pieces = Pieces::new();
        let mut offset = 0;
        while offset < length {
            let size = (1 + next(40)).min(length - offset);
            pieces.push((offset, size));
            if next(4) == 0 {
                let from = next(length);
                pieces.push((from, (1 + next(60)).min(length - from)));
            }
            offset += size;
        }
        for index in (1..pieces.len()).rev() {
            pieces.swap(index, next(index + 1));
        }
        pieces
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_cut_order_and_overlap_is_the_same(
        numbers in prop::collection::vec(any::<u16>(), 97..400),
    ) {
        for connection in &connections() {
            let resent = resend(connection, &mut bad_network(&numbers));
            prop_assert_eq!(seen(&resent), seen(connection));
        }
    }
}
