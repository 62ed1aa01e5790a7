//! The generator of the captures that the benchmarks run on: what it makes must be sound, or they
//! measure the way of broken packets.

#[path = "../benches/multiplier.rs"]
mod multiplier;

use std::collections::HashMap;
use std::io::Cursor;
use std::net::IpAddr;

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice, VlanId};
use gridtap::capture::{Capture, PcapWriter, Source};
use gridtap::packet::LinkType;
use gridtap::time::Timestamp;
use multiplier::{Flows, Made, Plan};

const SERVER_PORT: u16 = 2404;

/// One segment between fixed ends: IPv4 below a VLAN tag, or IPv6.
fn segment(v6: bool, to_server: bool, flags: &str, payload: &[u8]) -> Vec<u8> {
    let (from, to) = if to_server { (1, 2) } else { (2, 1) };
    let (source, destination) = if to_server { (1025, SERVER_PORT) } else { (SERVER_PORT, 1025) };
    let ethernet = PacketBuilder::ethernet2([2; 6], [4; 6]);
    let ip = if v6 {
        ethernet.ipv6([from; 16], [to; 16], 64)
    } else {
        ethernet.single_vlan(VlanId::ZERO).ipv4([from; 4], [to; 4], 64)
    };
    let mut tcp = ip.tcp(source, destination, 1000, 512);
    if flags.contains('S') {
        tcp = tcp.syn();
    }
    if flags.contains('A') {
        tcp = tcp.ack(2000);
    }
    let mut frame = Vec::new();
    tcp.write(&mut frame, payload).expect("memory does not fail");
    frame
}

/// A flow from its opening, one that is joined at an answer of the server, and a packet of none.
fn capture() -> Source {
    let frames = [
        segment(false, true, "S", b""),
        segment(true, false, "A", b"1"),
        segment(false, true, "S", b""), // the same request once more
        segment(false, false, "SA", b""),
        vec![0; 60],
        segment(true, true, "A", b"odd"),
        segment(false, true, "A", b"first"),
        segment(false, false, "A", b"second, and longer"),
        segment(false, true, "S", b""), // a new flow on the same ports
    ];
    let mut writer = PcapWriter::new(Vec::new(), LinkType::Ethernet).expect("memory");
    for frame in frames {
        writer.write(Timestamp::ZERO, frame.len() as u32, &frame).expect("memory");
    }
    let file = Cursor::new(writer.finish().expect("memory"));
    Source::new(vec![Capture::from_reader("made", Box::new(file)).expect("a capture")])
}

type Endpoint = (IpAddr, u16);
/// Of the packets of a flow: whether it went to the server, and what was in it.
type Payloads = Vec<(bool, Vec<u8>)>;

/// The ends of a packet and its payload, once its checksums are found right.
fn checked(frame: &[u8]) -> (Endpoint, Endpoint, Vec<u8>) {
    let packet = SlicedPacket::from_ethernet(frame).expect("whole headers");
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else { panic!("no TCP") };
    let (source, destination): (IpAddr, IpAddr) = match packet.net {
        Some(NetSlice::Ipv4(ip)) => {
            let ip = ip.header();
            assert_eq!(ip.header_checksum(), ip.to_header().calc_header_checksum());
            let expected = tcp.calc_checksum_ipv4(ip.source(), ip.destination());
            assert_eq!(Ok(tcp.checksum()), expected);
            (ip.source_addr().into(), ip.destination_addr().into())
        }
        Some(NetSlice::Ipv6(ip)) => {
            let ip = ip.header();
            let expected = tcp.calc_checksum_ipv6(ip.source(), ip.destination());
            assert_eq!(Ok(tcp.checksum()), expected);
            (ip.source_addr().into(), ip.destination_addr().into())
        }
        _ => panic!("no IP"),
    };
    let payload = tcp.payload().to_vec();
    ((source, tcp.source_port()), (destination, tcp.destination_port()), payload)
}

#[test]
fn every_flow_is_repeated_whole_equally_often_and_apart() {
    let flows = Flows::read(&mut capture(), &[SERVER_PORT]).expect("flows");
    assert_eq!((flows.size(), flows.left_out), ((3, 8), 1));

    let plan = Plan { packets: 1000, concurrent: 7, spacing: 10 };
    let mut made: HashMap<(Endpoint, Endpoint), Payloads> = HashMap::new();
    let mut last = None;
    let mut lives: HashMap<(Endpoint, Endpoint), [Timestamp; 2]> = HashMap::new();
    let told = flows
        .multiply(plan, |time, frame| {
            assert!(last.replace(time).is_none_or(|last| last < time));
            let (source, destination, payload) = checked(frame);
            let to_server = destination.1 == SERVER_PORT;
            let key = if to_server { (source, destination) } else { (destination, source) };
            lives.entry(key).or_insert([time; 2])[1] = time;
            made.entry(key).or_default().push((to_server, payload));
            Ok::<_, ()>(())
        })
        .expect("nothing fails");
    assert_eq!(told, Made { packets: 1000, octets: told.octets, flows: 375, copies: 125 });

    let alive_at_birth_of = |[birth, _]: &[Timestamp; 2]| {
        lives.values().filter(|[first, last]| first <= birth && birth <= last).count()
    };
    // Of seven that take turns, every third has a single packet: it is over at its birth.
    let most_alive = lives.values().map(alive_at_birth_of).max();
    assert!(matches!(most_alive, Some(5..=7)), "{most_alive:?}");

    let mut kinds: HashMap<Payloads, usize> = HashMap::new();
    for packets in made.into_values() {
        *kinds.entry(packets).or_default() += 1;
    }
    let packet = |to_server, payload: &str| (to_server, payload.as_bytes().to_vec());
    let opened = vec![
        packet(true, ""),
        packet(true, ""),
        packet(false, ""),
        packet(true, "first"),
        packet(false, "second, and longer"),
    ];
    let joined = vec![packet(false, "1"), packet(true, "odd")];
    let reopened = vec![packet(true, "")];
    assert_eq!(kinds, HashMap::from([(opened, 125), (joined, 125), (reopened, 125)]));
}

#[test]
fn a_capture_without_such_flows_is_an_error() {
    assert!(Flows::read(&mut capture(), &[1]).is_err());
}
