//! Headers one by one, drawn by hand. `tests/tunnels.rs` has whole captures in all of them.

use std::net::IpAddr;

use etherparse::PacketBuilder;

use super::super::{LinkType, Transport, decode, decode_within};
use super::*;

/// A segment from 10.0.0.1 to 10.0.0.2, as an IP packet.
fn packet(payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).tcp(40_000, 2404, 7, 1024);
    builder.write(&mut packet, payload).unwrap();
    packet
}

/// The same in Ethernet.
fn frame(source: [u8; 6], destination: [u8; 6]) -> Vec<u8> {
    [&destination[..], &source, &[8, 0], &packet(b"data")].concat()
}

/// What is around it: an IPv4 packet with these octets from 192.0.2.1 to 192.0.2.2.
fn over(protocol: u8, octets: &[u8]) -> Vec<u8> {
    let length = (20 + octets.len() as u16).to_be_bytes();
    let head = [0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    [&head[..], &[192, 0, 2, 1, 192, 0, 2, 2], octets].concat()
}

fn datagram(port: u16, octets: &[u8]) -> Vec<u8> {
    let length = (8 + octets.len() as u16).to_be_bytes();
    let port = port.to_be_bytes();
    over(17, &[&[0x9c, 0x40], &port[..], &length, &[0, 0], octets].concat())
}

/// The layers around the segment; panics if that is not what is found.
fn layers(link: LinkType, octets: &[u8]) -> Vec<Layer> {
    let mut outer = Outer::default();
    let found = decode_within(link, octets, &mut outer).unwrap();
    assert_eq!(found.source, IpAddr::from([10, 0, 0, 1]));
    assert!(matches!(found.transport, Transport::Tcp(tcp) if tcp.destination_port == 2404));
    outer.layers().to_vec()
}

fn refused(octets: &[u8]) -> Skip {
    decode(LinkType::Raw, octets).unwrap_err()
}

fn is_datagram(octets: &[u8]) -> bool {
    matches!(decode(LinkType::Raw, octets).unwrap().transport, Transport::Udp { .. })
}

fn ends(protocol: u8, ports: [u16; 2]) -> Layer {
    let address = |last: u8| IpAddr::from([192, 0, 2, last]);
    Layer::Ip { source: address(1), destination: address(2), protocol, ports }
}

#[test]
fn gre_has_as_many_words_as_its_flags_say() {
    for (flags, words, key) in [
        (0x00, &[][..], None),
        (0x20, &[0, 0, 0, 9][..], Some(9)),
        (0x30, &[0, 0, 0, 9, 0, 0, 0, 1], Some(9)),
        (0x10, &[0, 0, 0, 1], None),
    ] {
        let gre = [&[flags, 0, 8, 0], words, &packet(b"data")].concat();
        let expected = [ends(47, [0; 2]), Layer::Gre { key }];
        assert_eq!(layers(LinkType::Raw, &over(47, &gre)), expected, "{flags:#x}");
    }
    assert_eq!(refused(&over(47, &[0x40, 0, 8, 0, 0, 0, 0, 0])), Defect::GreRouting.into());
    assert_eq!(refused(&over(47, &[0, 2, 8, 0])), Defect::GreHeader.into());
}

#[test]
fn erspan_of_type_two_has_a_header_and_of_type_one_none() {
    let frame = frame([2; 6], [4; 6]);
    let one = [&[0, 0, 0x88, 0xbe], &frame[..]].concat();
    let expected = [
        ends(47, [0; 2]),
        Layer::Gre { key: None },
        Layer::Erspan { session: None },
        Layer::Ethernet,
    ];
    assert_eq!(layers(LinkType::Raw, &over(47, &one)), expected);
    let head = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 7, 0, 42, 0, 0, 0, 0];
    let two = [&head, &frame[..]].concat();
    assert_eq!(layers(LinkType::Raw, &over(47, &two))[2], Layer::Erspan { session: Some(42) });
}

/// A switch that mirrors only the beginning of a frame says so: what is missing is no damage.
#[test]
fn a_mirrored_frame_that_is_said_to_be_cut_is_no_damage() {
    let frame = frame([2; 6], [4; 6]);
    for (truncated, expected) in
        [(0, Skip::Defect(Defect::IpHeader)), (4, Skip::Short(Defect::IpHeader))]
    {
        let head = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 7, truncated, 42, 0, 0, 0, 0];
        assert_eq!(refused(&over(47, &[&head, &frame[..30]].concat())), expected);
    }
}

/// A stack of two labels, and these octets.
fn labelled(octets: &[u8]) -> Vec<u8> {
    let labels = [0, 0x01, 0x00, 64, 0, 0x02, 0x01, 64];
    [&[0; 12][..], &[0x88, 0x47], &labels, octets].concat()
}

#[test]
fn what_is_behind_labels_is_decided_by_what_parses() {
    let labels = [Layer::Mpls { label: 16 }, Layer::Mpls { label: 32 }];
    let ethernet = [&labels[..], &[Layer::Ethernet]].concat();
    let read = |octets: &[u8]| layers(LinkType::Ethernet, &labelled(octets));
    assert_eq!(read(&packet(b"data")), labels);
    // Addresses that begin as IPv4, IPv6 and a control word do.
    for first in [0x00, 0x02, 0x45, 0x46, 0x60, 0x6a, 0x80] {
        let frame = frame([2, 9, 9, 9, 9, 9], [first, 0, 0, 60, 1, 2]);
        assert_eq!(read(&frame), ethernet, "{first:#x}");
        let behind_word = [&[0, 0, 0, 1], &frame[..]].concat();
        assert_eq!(read(&behind_word), ethernet, "{first:#x} behind a control word");
    }
}

#[test]
fn ip_that_is_damaged_behind_labels_is_still_ip() {
    let mut packet = packet(b"data");
    packet[12] ^= 1;
    let mut outer = Outer::default();
    let damaged = labelled(&packet);
    let found = decode_within(LinkType::Ethernet, &damaged, &mut outer);
    assert_eq!(found.unwrap_err(), Defect::IpChecksum.into());
    assert_eq!(outer.layers().len(), 2);
    let nothing = labelled(&[0x5a; 64]);
    assert_eq!(decode(LinkType::Ethernet, &nothing).unwrap_err(), Skip::NotIp);
}

#[test]
fn ppp_may_leave_octets_out() {
    let session = |ppp: &[u8]| {
        let ppp = [ppp, &packet(b"data")].concat();
        let length = (ppp.len() as u16).to_be_bytes();
        [&[0; 12][..], &[0x88, 0x64, 0x11, 0, 0, 9], &length, &ppp, b"padding"].concat()
    };
    for ppp in [&[0, 0x21][..], &[0x21], &[0xff, 3, 0, 0x21], &[0xff, 3, 0x21]] {
        let expected = [Layer::Pppoe { session: 9 }, Layer::Ppp];
        assert_eq!(layers(LinkType::Ethernet, &session(ppp)), expected, "{ppp:x?}");
    }
    let compressed = decode(LinkType::Ethernet, &session(&[0x2d])).unwrap_err();
    assert_eq!(compressed, Skip::Unread("ppp_compressed"));
    let control = decode(LinkType::Ethernet, &session(&[0xc0, 0x21])).unwrap_err();
    assert_eq!(control, Skip::NotIp);
}

#[test]
fn l2tp_has_the_fields_that_its_flags_say() {
    let ppp = [&[0xff, 3, 0, 0x21], &packet(b"data")[..]].concat();
    for (flags, fields) in [
        (0x0002_u16, &[0, 7, 0, 8][..]),
        (0x0802, &[0, 7, 0, 8, 0, 1, 0, 2]),
        (0x0202, &[0, 7, 0, 8, 0, 3, 9, 9, 9]),
        (0x0b02, &[0, 7, 0, 8, 0, 1, 0, 2, 0, 1, 9]),
    ] {
        let octets = [&flags.to_be_bytes(), fields, &ppp].concat();
        let expected =
            [ends(17, [40_000, 1701]), Layer::L2tp { tunnel: 7, session: 8 }, Layer::Ppp];
        assert_eq!(layers(LinkType::Raw, &datagram(1701, &octets)), expected, "{flags:#x}");
    }
}

#[test]
fn extension_headers_of_gtp_are_passed_over() {
    let inner = packet(b"data");
    for rest in [
        &[][..],
        &[0, 1, 0, 0],
        &[0, 0, 0, 0x85, 1, 0, 9, 0],
        &[0, 0, 0, 0xc0, 2, 0, 0, 0, 0, 0, 0, 0x85, 1, 0, 0, 0],
    ] {
        let flags = match rest {
            [] => 0x30,
            [_, _, _, 0] => 0x32,
            _ => 0x34,
        };
        let length = ((rest.len() + inner.len()) as u16).to_be_bytes();
        let octets = [&[flags, 255], &length[..], &[0, 0, 0, 5], rest, &inner].concat();
        let expected = [ends(17, [40_000, 2152]), Layer::Gtp { teid: 5 }];
        assert_eq!(layers(LinkType::Raw, &datagram(2152, &octets)), expected, "{rest:x?}");
        // Its own messages are of no user.
        let echo = [&[flags, 1], &octets[2..]].concat();
        assert!(is_datagram(&datagram(2152, &echo)));
    }
}

#[test]
fn vxlan_with_reserved_bits_is_one_if_ethernet_is_in_it() {
    let frame = frame([2; 6], [4; 6]);
    for head in [[8, 0, 0, 0], [0x88, 0x40, 0, 7], [0x8c, 1, 2, 3]] {
        let octets = [&head, &[0, 0, 5, 0], &frame[..]].concat();
        let expected = [ends(17, [40_000, 4789]), Layer::Vxlan { vni: 5 }, Layer::Ethernet];
        assert_eq!(layers(LinkType::Raw, &datagram(4789, &octets)), expected, "{head:x?}");
    }
    let other = [&[0x8c, 1, 2, 3, 0, 0, 5, 0], &[0x5a; 60][..]].concat();
    assert!(is_datagram(&datagram(4789, &other)));
}

#[test]
fn what_carries_no_ip_is_a_packet_of_its_own() {
    let arp = [&[0xff; 6], &[2; 6], &[8, 6][..], &[1; 28]].concat();
    let octets = datagram(4789, &[&[8, 0, 0, 0, 0, 0, 5, 0], &arp[..]].concat());
    let mut outer = Outer::default();
    let found = decode_within(LinkType::Raw, &octets, &mut outer).unwrap();
    assert_eq!(found.source, IpAddr::from([192, 0, 2, 1]));
    assert!(outer.layers().is_empty());
}

#[test]
fn authentication_headers_are_taken_off_and_named_where_a_tunnel_is_in_them() {
    let header = |next: u8, spi: u8| [next, 1, 0, 0, 0, 0, 0, spi, 0, 0, 0, 1];
    let transport = [&header(6, 1), &packet(b"data")[20..]].concat();
    let mut outer = Outer::default();
    let octets = over(51, &transport);
    let found = decode_within(LinkType::Raw, &octets, &mut outer).unwrap();
    assert!(matches!(found.transport, Transport::Tcp(_)) && outer.layers().is_empty());
    let tunnel = [&header(4, 1), &packet(b"data")[..]].concat();
    let expected = [ends(4, [0; 2]), Layer::Ah { spi: 1 }];
    assert_eq!(layers(LinkType::Raw, &over(51, &tunnel)), expected);
    let twice = [&header(51, 1), &header(4, 2), &packet(b"data")[..]].concat();
    assert_eq!(layers(LinkType::Raw, &over(51, &twice))[1], Layer::Ah { spi: 2 });
}

/// A fragment is one at whatever depth: who puts them together has what is around it.
#[test]
fn a_fragment_in_a_tunnel_leaves_what_is_around_it() {
    let mut fragment = packet(b"data");
    fragment[6] |= 0x20;
    fragment[10..12].fill(0);
    let octets = over(47, &[&[0, 0, 8, 0], &fragment[..]].concat());
    let mut outer = Outer::default();
    assert_eq!(decode_within(LinkType::Raw, &octets, &mut outer).unwrap_err(), Skip::Fragment);
    assert_eq!(outer.layers(), [ends(47, [0; 2]), Layer::Gre { key: None }]);
}

#[test]
fn a_tunnel_ends_where_the_packet_around_it_ends() {
    let packet = packet(b"data");
    for (length, expected) in [(19, Defect::IpHeader), (30, Defect::TcpHeader)] {
        let mut cut = packet[..length].to_vec();
        if length >= 20 {
            // As long as it is: nothing was cut.
            cut[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            cut[10..12].fill(0);
        }
        assert_eq!(refused(&over(4, &cut)), expected.into());
    }
}
