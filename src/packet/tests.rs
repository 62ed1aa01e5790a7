//! Packets built by etherparse, opened by us.

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;

fn tcp_frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(40000, 2404, 0x0102_0304, 1024)
        .ack(0x0506_0708)
        .psh()
        .write(&mut frame, payload)
        .unwrap();
    frame
}

fn tcp_of(frame: &[u8]) -> Tcp<'_> {
    match decode(LinkType::Ethernet, frame).unwrap().transport {
        Transport::Tcp(tcp) => tcp,
        other => panic!("no TCP: {other:?}"),
    }
}

#[test]
fn a_plain_segment_is_opened_whole() {
    let frame = tcp_frame(b"payload");
    let packet = decode(LinkType::Ethernet, &frame).unwrap();
    assert_eq!(packet.source, IpAddr::from([10, 0, 0, 1]));
    assert_eq!(packet.destination, IpAddr::from([10, 0, 0, 2]));
    let tcp = tcp_of(&frame);
    assert_eq!((tcp.source_port, tcp.destination_port), (40000, 2404));
    assert_eq!((tcp.sequence, tcp.acknowledgment), (0x0102_0304, 0x0506_0708));
    assert!(tcp.flags.any(TcpFlags::ACK) && !tcp.flags.any(TcpFlags::SYN | TcpFlags::FIN));
    assert_eq!((tcp.payload, tcp.checksum), (&b"payload"[..], Checksum::Good));
}

#[test]
fn a_timestamp_is_found_wherever_it_stands() {
    let stamp = |options: &[u8]| transport::timestamp(options).map(u32::from);
    assert_eq!(stamp(&[1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0]), Some(0x0102_0304));
    // Behind a maximum segment size and SACK-permitted, as in SYN; and in front of what is unknown.
    let of_syn = [2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7];
    assert_eq!(stamp(&of_syn), Some(0x0102_0304));
    assert_eq!(stamp(&[8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 77, 2]), Some(9));
    for none in [
        &[][..],
        &[1, 1, 1, 1],
        &[1, 1, 8, 10, 1, 2, 3],
        &[1, 8, 10, 1, 2, 3, 4, 0],
        &[2, 0, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0],
        &[0, 1, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0],
        &[2, 40, 0, 0],
        &[8],
        &[1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0],
    ] {
        assert_eq!(stamp(none), None, "{none:?}");
    }
}

#[test]
fn the_routers_that_are_left_are_known() {
    let left = |frame: &[u8]| decode(LinkType::Raw, frame).unwrap().ttl;
    let mut frame = tcp_frame(b"")[14..].to_vec();
    assert_eq!(left(&frame), 64);
    // With an option of IP.
    frame[0] = 0x46;
    frame.splice(20..20, [1, 1, 1, 0]);
    frame[3] += 4;
    frame[10..12].fill(0);
    assert_eq!(left(&frame), 64);
    let mut frame = Vec::new();
    let builder = PacketBuilder::ipv6([1; 16], [2; 16], 17);
    builder.tcp(1, 2, 3, 4).write(&mut frame, b"").unwrap();
    assert_eq!(left(&frame), 17);
}

#[test]
fn link_padding_is_no_payload() {
    let mut frame = tcp_frame(b"");
    frame.resize(60, 0xaa);
    assert_eq!(tcp_of(&frame).payload, b"");
}

#[test]
fn a_checksum_is_good_bad_offloaded_or_unknown() {
    let mut frame = tcp_frame(b"payload");
    let end = frame.len() - 1;
    frame[end] ^= 1;
    assert_eq!(tcp_of(&frame).checksum, Checksum::Bad);
    frame[50..52].copy_from_slice(&[0, 0]);
    assert_eq!(tcp_of(&frame).checksum, Checksum::Offloaded);
    // What Linux leaves for the card: 10.0.0.1 + 10.0.0.2 + 6 + 27 octets.
    let pseudo: u16 = 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 6 + 27;
    frame[50..52].copy_from_slice(&pseudo.to_be_bytes());
    assert_eq!(tcp_of(&frame).checksum, Checksum::Offloaded);
    assert_eq!(tcp_of(&frame[..end]).checksum, Checksum::Unknown);
}

#[test]
fn a_wrong_ipv4_checksum_is_a_defect_and_an_absent_one_is_not() {
    let mut frame = tcp_frame(b"");
    frame[24] ^= 1;
    assert_eq!(decode(LinkType::Ethernet, &frame).unwrap_err(), Defect::IpChecksum.into());
    frame[24..26].copy_from_slice(&[0, 0]);
    assert!(decode(LinkType::Ethernet, &frame).is_ok());
}

#[test]
fn every_prefix_within_the_headers_is_refused() {
    let frame = tcp_frame(b"payload");
    for length in 0..frame.len() - b"payload".len() {
        assert!(decode(LinkType::Ethernet, &frame[..length]).is_err(), "{length} octets");
    }
}

/// The lengths in the headers above tell what the capture cut from what was never whole.
#[test]
fn what_is_short_is_damage_only_where_its_packet_is_short() {
    let mut frame = tcp_frame(b"payload");
    for length in 0..54 {
        let short = decode(LinkType::Ethernet, &frame[..length]).unwrap_err();
        assert!(matches!(short, Skip::Short(_)), "{length} octets: {short:?}");
    }
    frame[17] = 20 + 19; // An IP packet with room for all but one octet of a TCP header.
    frame[24..26].copy_from_slice(&[0, 0]);
    for length in 34..54 {
        let short = decode(LinkType::Ethernet, &frame[..length]).unwrap_err();
        assert_eq!(short, Defect::TcpHeader.into(), "{length} octets");
    }
}

#[test]
fn ipv6_with_extension_headers_is_opened() {
    // Hop-by-hop options (8 octets of padding), destination options, TCP.
    let mut tcp = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 64)
        .tcp(40000, 1883, 7, 1024)
        .write(&mut tcp, b"mqtt")
        .unwrap();
    let segment = &tcp[40..];
    let extensions = [60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0];
    let mut packet = tcp[..40].to_vec();
    packet[6] = 0;
    packet[4..6].copy_from_slice(&((extensions.len() + segment.len()) as u16).to_be_bytes());
    packet.extend(extensions);
    packet.extend(segment);

    let opened = decode(LinkType::Raw, &packet).unwrap();
    let Transport::Tcp(tcp) = opened.transport else { panic!("no TCP: {opened:?}") };
    assert_eq!((tcp.payload, tcp.checksum), (&b"mqtt"[..], Checksum::Good));
    assert_eq!(opened.protocol, 6);
}

#[test]
fn ipv4_options_are_passed_over() {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ip(etherparse::IpHeaders::Ipv4(
            etherparse::Ipv4Header {
                options: [1, 1, 1, 0].into(),
                ..etherparse::Ipv4Header::new(
                    0,
                    64,
                    etherparse::IpNumber::TCP,
                    [10, 0, 0, 1],
                    [10, 0, 0, 2],
                )
                .unwrap()
            },
            etherparse::Ipv4Extensions::default(),
        ))
        .tcp(1, 2, 3, 4)
        .write(&mut frame, b"x")
        .unwrap();
    let tcp = tcp_of(&frame);
    assert_eq!((tcp.payload, tcp.checksum), (&b"x"[..], Checksum::Good));
}

#[test]
fn fragments_are_told_from_damage() {
    let mut frame = tcp_frame(b"payload");
    frame[20] |= 0x20; // more fragments
    frame[24..26].copy_from_slice(&[0, 0]);
    assert_eq!(decode(LinkType::Ethernet, &frame).unwrap_err(), Skip::Fragment);
}

#[test]
fn udp_and_icmp_have_their_ports_and_types() {
    let mut udp = Vec::new();
    PacketBuilder::ipv4([1, 1, 1, 1], [2, 2, 2, 2], 64)
        .udp(53, 5353)
        .write(&mut udp, b"dns")
        .unwrap();
    assert!(matches!(
        decode(LinkType::Raw, &udp).unwrap().transport,
        Transport::Udp { source_port: 53, destination_port: 5353, payload: b"dns" }
    ));
    let mut icmp = Vec::new();
    PacketBuilder::ipv4([1, 1, 1, 1], [2, 2, 2, 2], 64)
        .icmpv4_echo_request(1, 2)
        .write(&mut icmp, b"")
        .unwrap();
    assert!(matches!(
        decode(LinkType::Raw, &icmp).unwrap().transport,
        Transport::Icmp { kind: 8, code: 0 }
    ));
}

fn any_link() -> impl Strategy<Value = LinkType> {
    prop::sample::select(LinkType::ALL)
}

proptest! {
    #[test]
    fn raw_bytes_never_panic(link in any_link(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(link, &bytes);
    }

    /// Damage behind a valid start reaches deeper than noise does.
    #[test]
    fn damaged_packets_never_panic(at in 0_usize..61, value: u8, length in 0_usize..62) {
        let mut frame = tcp_frame(b"payload");
        frame[at] = value;
        let _ = decode(LinkType::Ethernet, &frame[..length.min(frame.len())]);
        let _ = decode(LinkType::Raw, &frame[14..]);
    }
}
