//! The programs over real and made-up frames, and against tcpdump.

use std::path::Path;
use std::process::Command;

use ipnet::IpNet;
use libc::sock_filter;

use super::duplicates::Duplicates;
use super::fanout;
use super::filter::{Filter, nothing};
use super::program::MOST;
use super::program::machine::{Input, run};
use crate::capture::{PcapWriter, Source};
use crate::packet::{Frame, LinkType};
use crate::time::Timestamp;

const OUTGOING: u8 = libc::PACKET_OUTGOING;

fn demo() -> Vec<Vec<u8>> {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps/demo.pcap"))
}

fn read(path: &Path) -> Vec<Vec<u8>> {
    let mut source = Source::open(&[path]).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = source.next().unwrap() {
        frames.push(frame.data.to_vec());
    }
    frames
}

/// What the fan-out program says of an Ethernet frame that comes in, which is what it says of one
/// that goes out.
fn chosen(frame: &[u8]) -> u32 {
    let program = fanout::program(LinkType::Ethernet);
    let coming = run(&program, &Input { frame, start: 14, packet_type: 0 });
    let going = run(&program, &Input { frame, start: 0, packet_type: OUTGOING });
    assert_eq!(coming, going, "{frame:02x?}");
    coming
}

/// The same frame on its way back: MAC and IP addresses swapped, whatever else it carries.
fn returned(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let (one, two) = frame[..12].split_at_mut(6);
    one.swap_with_slice(two);
    let addresses = match frame[12..14] {
        [8, 0] => 26..34,
        [0x86, 0xdd] => 22..54,
        _ => return frame,
    };
    let half = addresses.len() / 2;
    let (one, two) = frame[addresses].split_at_mut(half);
    one.swap_with_slice(two);
    frame
}

/// The frame with these octets between its MAC addresses and what it has of type and payload.
fn with(between: &[u8], frame: &[u8]) -> Vec<u8> {
    [&frame[..12], between, &frame[12..]].concat()
}

/// The packet of a frame under another Ethernet payload.
fn under(head: &[u8], frame: &[u8]) -> Vec<u8> {
    [&frame[..12], head, &frame[14..]].concat()
}

fn is_ipv4(frame: &[u8]) -> bool {
    frame[12..14] == [8, 0]
}

/// An IPv6 packet that carries the payload of an IPv4 one, between addresses made of its own.
fn ipv6(frame: &[u8], next: u8, between: &[u8]) -> Vec<u8> {
    let ip = &frame[14..];
    let payload = &ip[usize::from(ip[0] & 15) * 4..];
    let length = (between.len() + payload.len()) as u16;
    let prefix = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut packet = [&frame[..12], &[0x86, 0xdd, 0x60, 0, 0, 0]].concat();
    packet.extend(length.to_be_bytes());
    packet.extend([next, 64]);
    packet.extend([&prefix[..], &ip[12..16], &prefix, &ip[16..20], between, payload].concat());
    packet
}

/// The frame as a later fragment of its packet.
fn fragment(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[20] = 0x20;
    frame[21] = 0x10;
    frame[34..].fill(0xee);
    frame
}

const MPLS: &[u8] = &[0x88, 0x47, 0, 1, 0, 64, 0, 2, 0, 64, 0, 3, 1, 64];
const PPPOE: &[u8] = &[0x88, 0x64, 0x11, 0, 0, 7, 0, 40, 0, 0x21];
const PPPOE_V6: &[u8] = &[0x88, 0x64, 0x11, 0, 0, 7, 0, 40, 0, 0x57];
const TAG: &[u8] = &[0x81, 0, 0x20, 100];
const FOUR_TAGS: &[u8] = &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x91, 0, 0, 7, 0x81, 0, 0, 8];

#[test]
fn both_directions_fragments_and_tags_of_a_flow_come_to_one_ring() {
    let mut rings = [0; 4];
    for frame in demo() {
        let ring = chosen(&frame);
        rings[ring as usize % 4] += 1;
        assert_eq!(chosen(&returned(&frame)), ring);
        assert_eq!(chosen(&with(TAG, &frame)), ring);
        assert_eq!(chosen(&with(FOUR_TAGS, &frame)), ring);
        if !is_ipv4(&frame) {
            continue;
        }
        for other in [fragment(&frame), under(MPLS, &frame), under(PPPOE, &frame)] {
            assert_eq!(chosen(&other), ring, "{other:02x?}");
        }
        let six = ipv6(&frame, 6, &[]);
        let ring = chosen(&six);
        assert_eq!(chosen(&ipv6(&frame, 44, &[6, 0, 0, 8, 0, 0, 0, 1])), ring);
        for other in [returned(&six), with(TAG, &six), under(MPLS, &six), under(PPPOE_V6, &six)] {
            assert_eq!(chosen(&other), ring, "{other:02x?}");
        }
    }
    assert!(rings.iter().all(|frames| *frames > 100), "dealt out evenly enough: {rings:?}");
}

#[test]
fn a_tunnel_comes_to_one_ring_whatever_it_carries() {
    let frames = demo();
    let outer = frames.iter().find(|frame| is_ipv4(frame)).unwrap();
    // VXLAN: IP, UDP to 4789, eight octets of header, then a frame; the source port is a hash.
    let tunnelled = |inner: &[u8], port: u8| {
        let mut frame = outer[..34].to_vec();
        frame[23] = 17;
        frame.extend([0xc0, port, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 9, 0]);
        frame.extend(inner);
        frame
    };
    for (port, inner) in (0..).zip(frames.iter().take(200)) {
        assert_eq!(chosen(&tunnelled(inner, port)), chosen(outer));
        assert_eq!(chosen(&returned(&tunnelled(inner, port))), chosen(outer));
    }
}

#[test]
fn the_programs_read_no_further_than_a_frame() {
    let frame = with(FOUR_TAGS, &demo().into_iter().find(|frame| is_ipv4(frame)).unwrap());
    let filter = Filter::new(&[2404], &["10.0.0.0/8".parse().unwrap()]).unwrap();
    for end in 0..frame.len() {
        let frame = &frame[..end];
        run(
            &fanout::program(LinkType::Ethernet),
            &Input { frame, start: 14.min(end), packet_type: 0 },
        );
        run(&fanout::program(LinkType::Raw), &Input { frame, start: 0, packet_type: 0 });
        let input = Input { frame, start: 0, packet_type: 0 };
        run(&filter.program(LinkType::Ethernet, false, 1), &input);
        run(&filter.program(LinkType::Raw, false, 1), &input);
    }
}

fn filter(ports: &[u16], networks: &[&str]) -> Filter {
    let networks: Vec<IpNet> = networks.iter().map(|text| text.parse().unwrap()).collect();
    Filter::new(ports, &networks).unwrap()
}

fn passes(program: &[sock_filter], frame: &[u8]) -> bool {
    run(program, &Input { frame, start: 0, packet_type: 0 }) != 0
}

#[test]
fn filters_agree_with_tcpdump() {
    if Command::new("tcpdump").arg("--version").output().is_err() {
        return skip();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mixed.pcap");
    write(&path, &mixed());
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps/demo.pcap");
    for (filter, expression) in cases() {
        // What cannot be judged at the first header passes.
        let later = "ip[6:2] & 0x1fff != 0 or ip6[6] = 0 or ip6[6] = 44 or ip6[6] = 60";
        // tcpdump's addresses are those of ARP, too.
        let judged = format!("(ip or ip6) and ({})", expression.replace("LATER", later));
        let whole = format!("({judged}) or (vlan and ({judged})) or (vlan and ({judged}))");
        for (path, expression) in [(&demo, &judged), (&path, &whole)] {
            let expected = tcpdump(path, expression, folder.path());
            let program = filter.program(LinkType::Ethernet, false, 262_144);
            let kept: Vec<_> =
                read(path).into_iter().filter(|frame| passes(&program, frame)).collect();
            assert_eq!(kept.len(), expected.len(), "{expression}");
            assert!(kept == expected, "{expression}");
            assert!(!kept.is_empty(), "{expression} lets nothing pass");
        }
    }
}

/// Filters and the expressions that mean the same.
fn cases() -> Vec<(Filter, &'static str)> {
    vec![
        (filter(&[2404], &[]), "port 2404 or LATER"),
        (
            filter(&[1883, 2404, 2405, 2406, 8883], &[]),
            "port 1883 or portrange 2404-2406 or port 8883 or LATER",
        ),
        (filter(&[], &["10.20.0.66/32"]), "host 10.20.0.66"),
        (
            filter(&[], &["10.30.0.0/16", "10.40.12.11/32", "2001:db8::a14:0/112"]),
            "net 10.30.0.0/16 or host 10.40.12.11 or net 2001:db8::a14:0/112",
        ),
        (filter(&[], &["0.0.0.0/0"]), "ip"),
        (filter(&[], &["::/0", "10.20.0.66/32"]), "ip6 or host 10.20.0.66"),
        (
            filter(&[1883], &["10.40.0.0/16", "2001:db8::a14:20/128"]),
            "(port 1883 or LATER) and (net 10.40.0.0/16 or host 2001:db8::a14:20)",
        ),
    ]
}

/// Every fourth frame of a capture as it is, tagged, as IPv6, and in pieces.
fn mixed() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for frame in demo().into_iter().filter(|frame| is_ipv4(frame)).step_by(4) {
        let six = ipv6(&frame, 6, &[]);
        frames.push(with(TAG, &frame));
        frames.push(with(&FOUR_TAGS[..8], &frame));
        frames.push(fragment(&frame));
        frames.push(with(TAG, &fragment(&frame)));
        frames.push(with(TAG, &six));
        frames.push(six);
        frames.push(ipv6(&frame, 44, &[6, 0, 0, 8, 0, 0, 0, 1]));
        frames.push(ipv6(&frame, 60, &[6, 0, 1, 4, 0, 0, 0, 0]));
        let mut no_ports = frame.clone();
        no_ports[23] = 47;
        frames.push(no_ports);
        frames.push(frame);
    }
    frames
}

fn write(path: &Path, frames: &[Vec<u8>]) {
    let file = std::fs::File::create(path).unwrap();
    let mut writer = PcapWriter::new(std::io::BufWriter::new(file), LinkType::Ethernet).unwrap();
    for frame in frames {
        writer.write(Timestamp::from_nanos(1), frame.len() as u32, frame).unwrap();
    }
    writer.finish().unwrap();
}

/// What tcpdump keeps of a capture.
fn tcpdump(path: &Path, expression: &str, folder: &Path) -> Vec<Vec<u8>> {
    let kept = folder.join("kept.pcap");
    let mut command = Command::new("tcpdump");
    let output = command.arg("-r").arg(path).arg("-w").arg(&kept).arg(expression).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read(&kept)
}

#[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
fn skip() {
    println!("skipped: there is no tcpdump");
}

#[test]
fn filters_look_below_mpls_and_pppoe() {
    let program = filter(&[2404], &["10.0.0.0/8"]).program(LinkType::Ethernet, false, 96);
    let plain = Filter::ALL.program(LinkType::Ethernet, false, 96);
    let mut passed = 0;
    for frame in demo() {
        assert!(passes(&plain, &frame));
        assert!(!passes(&nothing(), &frame));
        if !is_ipv4(&frame) {
            assert!(!passes(&program, &frame), "ARP");
            continue;
        }
        passed += usize::from(passes(&program, &frame));
        for other in [under(MPLS, &frame), under(PPPOE, &frame)] {
            assert_eq!(passes(&program, &other), passes(&program, &frame));
        }
        let raw = filter(&[2404], &["10.0.0.0/8"]).program(LinkType::Raw, false, 96);
        assert_eq!(passes(&raw, &frame[14..]), passes(&program, &frame));
    }
    assert!(passed > 500);
}

#[test]
fn loopback_shows_each_frame_once() {
    for filter in [Filter::ALL, filter(&[2404], &[])] {
        let program = filter.program(LinkType::Ethernet, true, 96);
        let frames = demo();
        let frame = frames.iter().find(|frame| is_ipv4(frame)).unwrap();
        assert_eq!(run(&program, &Input { frame, start: 0, packet_type: 0 }), 96);
        assert_eq!(run(&program, &Input { frame, start: 0, packet_type: OUTGOING }), 0);
    }
}

#[test]
fn a_filter_too_long_for_the_kernel_is_refused() {
    let networks: Vec<IpNet> = (0..2000)
        .map(|n: u32| IpNet::new(std::net::Ipv4Addr::from(n << 9).into(), 24).unwrap())
        .collect();
    let refused = Filter::new(&[2404], &networks).unwrap_err();
    assert!(refused.instructions > MOST, "{refused}");
    // Far beyond what a conditional jump reaches.
    let long = Filter::new(&[2404], &networks[..300]).unwrap();
    let program = long.program(LinkType::Ethernet, false, 1);
    assert!(program.len() > 1000);
    let mut frame = demo().into_iter().find(|frame| is_ipv4(frame)).unwrap();
    frame[30..34].copy_from_slice(&[0, 2, 0x54, 9]); // the last but one
    assert!(passes(&program, &frame));
    frame[30..34].copy_from_slice(&[0, 2, 0x55, 9]);
    assert!(!passes(&program, &frame));
}

mod duplicates {
    use super::*;

    fn frame(data: &[u8], micros: u64) -> Frame<'_> {
        Frame {
            number: 0,
            timestamp: Timestamp::from_nanos(1_700_000_000_000_000_000 + micros * 1000),
            link: LinkType::Ethernet,
            data,
            wire_length: data.len() as u32,
            interface: None,
        }
    }

    fn packets() -> Vec<Vec<u8>> {
        // Without those of identification zero, which two different packets may share.
        let packets = demo().into_iter().filter(|frame| is_ipv4(frame) && frame[18..20] != [0, 0]);
        packets.collect()
    }

    #[test]
    fn copies_within_the_window_are_found_whatever_carries_them() {
        let mut duplicates = Duplicates::new();
        let packets = packets();
        for (at, packet) in (0..).step_by(20_000).zip(&packets) {
            assert!(!duplicates.is_duplicate(&frame(packet, at)));
            assert!(duplicates.is_duplicate(&frame(packet, at + 1)));
            assert!(duplicates.is_duplicate(&frame(&with(TAG, packet), at + 9_999)), "tagged");
            assert!(duplicates.is_duplicate(&frame(&with(FOUR_TAGS, packet), at + 10_000)));
            let padded = [&[7; 12], &packet[12..], &[0; 6]].concat();
            assert!(duplicates.is_duplicate(&frame(&padded, at + 5)), "other MACs, and padded");
            assert!(!duplicates.is_duplicate(&frame(packet, at + 10_001)), "too late");
        }
        assert_eq!(duplicates.dropped(), 4 * packets.len() as u64);
        assert_eq!(duplicates.forgotten(), 0);
    }

    #[test]
    fn what_differs_in_the_slightest_is_another_packet() {
        let mut duplicates = Duplicates::new();
        let packet = packets().swap_remove(100);
        assert!(!duplicates.is_duplicate(&frame(&packet, 0)));
        // Behind version and length, which say where the packet ends.
        for at in 18..packet.len() {
            let mut other = packet.clone();
            other[at] ^= 1;
            assert!(!duplicates.is_duplicate(&frame(&other, 1)), "octet {at}");
        }
        let arp = demo().into_iter().find(|frame| !is_ipv4(frame)).unwrap();
        assert!(!duplicates.is_duplicate(&frame(&arp, 1)));
        assert!(!duplicates.is_duplicate(&frame(&arp, 1)), "no IP");
        for end in 0..packet.len().min(60) {
            duplicates.is_duplicate(&frame(&packet[..end], 1));
        }
    }

    #[test]
    fn a_capture_without_mirrors_has_none() {
        let mut duplicates = Duplicates::new();
        let mut source = Source::open(&["pcaps/demo.pcap"]).unwrap();
        while let Some(frame) = source.next().unwrap() {
            duplicates.is_duplicate(&frame);
        }
        assert_eq!((duplicates.dropped(), duplicates.forgotten()), (0, 0));
    }

    #[test]
    fn more_packets_than_there_is_room_for_are_forgotten_and_counted() {
        let mut duplicates = Duplicates::new();
        let mut packet = packets().swap_remove(0);
        for id in 0..200_000_u32 {
            packet[38..42].copy_from_slice(&id.to_be_bytes());
            assert!(!duplicates.is_duplicate(&frame(&packet, u64::from(id) / 100)));
        }
        assert!(duplicates.forgotten() > 100_000, "{}", duplicates.forgotten());
        assert!(duplicates.is_duplicate(&frame(&packet, 2001)));
    }

    #[test]
    fn a_clock_set_back_leaves_no_packet_behind() {
        let mut duplicates = Duplicates::new();
        let packet = packets().swap_remove(0);
        assert!(!duplicates.is_duplicate(&frame(&packet, 5_000_000)));
        assert!(!duplicates.is_duplicate(&frame(&packet, 0)));
        assert!(duplicates.is_duplicate(&frame(&packet, 1)));
    }
}
