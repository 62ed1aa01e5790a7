//! What pcap and pcapng can say.

use super::*;

#[test]
fn every_magic_of_pcap() {
    for (ends, magic, unit) in [
        (Little, 0xa1b2_c3d4, 1000),
        (Big, 0xa1b2_c3d4, 1000),
        (Little, 0xa1b2_3c4d, 1),
        (Big, 0xa1b2_3c4d, 1),
    ] {
        let mut file = pcap_header(ends, magic, 101);
        file.extend(pcap_record(ends, 0xffff_ffff, 7, &[1, 2, 3], 1500));
        let frames = sound(&file);
        assert_eq!(
            frames,
            [Seen {
                number: 1,
                nanos: 0xffff_ffff * 1_000_000_000 + 7 * unit,
                link: LinkType::Raw,
                data: vec![1, 2, 3],
                wire_length: 1500,
                interface: None,
            }],
            "{magic:#x} {ends:?}"
        );
    }
}

#[test]
fn modified_pcap_has_longer_record_headers() {
    let mut file = pcap_header(Little, 0xa1b2_cd34, 1);
    for value in [1, 2] {
        file.extend(Little.words(&[value, 0, 2, 2, 9, 9]));
        file.extend([value as u8; 2]);
    }
    let data: Vec<_> = sound(&file).into_iter().map(|frame| frame.data).collect();
    assert_eq!(data, [[1, 1], [2, 2]]);
}

#[test]
fn the_check_sequence_length_is_no_link_type() {
    let mut file = pcap_header(Little, 0xa1b2_c3d4, 0x4400_0001);
    file.extend(pcap_record(Little, 0, 0, &[0; 14], 14));
    assert_eq!(sound(&file)[0].link, LinkType::Ethernet);
}

#[test]
fn a_frame_was_no_shorter_on_the_wire_than_kept() {
    let mut file = pcap_header(Little, 0xa1b2_c3d4, 1);
    file.extend(pcap_record(Little, 0, 0, &[0; 14], 0));
    assert_eq!(sound(&file)[0].wire_length, 14);
}

#[test]
fn pcapng_in_both_orders() {
    for ends in [Little, Big] {
        let frames = sound(&small_pcapng(ends));
        let times: Vec<_> = frames.iter().map(|frame| frame.nanos).collect();
        assert_eq!(times, [5_000_000_007, 6_000_000_000]);
        assert_eq!(frames[0].data, [1, 2, 3, 4, 5]);
        assert_eq!(frames[0].wire_length, 6);
        assert_eq!(frames[1].data, [6; 8]);
        assert_eq!(frames[1].interface.as_deref(), Some("eth0"));
    }
}

#[test]
fn interfaces_have_their_own_links_clocks_and_names() {
    for ends in [Little, Big] {
        let offset = ends.u64((-3_i64).cast_unsigned());
        let file = [
            section(ends),
            interface(ends, 1, 0, &[]),
            interface(ends, 113, 0, &[option(ends, 9, &[3]), option(ends, 2, b"mirror0\0")]),
            interface(ends, 276, 0, &[option(ends, 9, &[9]), option(ends, 14, &offset)]),
            interface(ends, 101, 0, &[option(ends, 2, b"t\xff"), option(ends, 9, &[0x80 + 20])]),
            enhanced(ends, 3, 3 << 19, &[3], &[]),
            enhanced(ends, 2, 5_000_000_001, &[2], &[]),
            enhanced(ends, 1, 1_234, &[1], &[]),
            enhanced(ends, 0, 1, &[0], &[]),
        ]
        .concat();
        let frames = sound(&file);
        let seen: Vec<_> = frames
            .iter()
            .map(|frame| (frame.link, frame.nanos, frame.interface.as_deref()))
            .collect();
        assert_eq!(
            seen,
            [
                (LinkType::Raw, 1_500_000_000, Some("t\u{fffd}")),
                (LinkType::LinuxSll2, 2_000_000_001, None),
                (LinkType::LinuxSll, 1_234_000_000, Some("mirror0")),
                (LinkType::Ethernet, 1_000, None),
            ]
        );
    }
}

#[test]
fn a_section_forgets_the_one_before() {
    let file = [
        small_pcapng(Little),
        section(Big),
        interface(Big, 101, 0, &[]),
        enhanced(Big, 0, 1, &[9], &[]),
        section(Little),
        enhanced(Little, 0, 1, &[9], &[]),
    ]
    .concat();
    let (frames, damages) = read(&file);
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[2].link, LinkType::Raw);
    assert_eq!(frames[2].interface, None);
    assert!(matches!(damages[..], [Damage { defect: Defect::Interface(0), frames: 3, .. }]));
}

#[test]
fn simple_and_obsolete_packets() {
    for ends in [Little, Big] {
        let file = [
            section(ends),
            interface(ends, 1, 6, &[]),
            simple(ends, 3, &[1, 2, 3]),
            simple(ends, 100, &[4; 6]),
            obsolete(ends, 0, 7, &[5; 5]),
        ]
        .concat();
        let frames = sound(&file);
        let seen: Vec<_> =
            frames.iter().map(|frame| (frame.nanos, &frame.data[..], frame.wire_length)).collect();
        assert_eq!(seen, [(0, &[1, 2, 3][..], 3), (0, &[4; 6], 100), (7_000, &[5; 5], 5)]);
    }
}

#[test]
fn blocks_of_no_interest_are_skipped_whatever_their_length() {
    let file = [
        section(Little),
        block(Little, 0x0000_0bad, &vec![7; 3 << 20]),
        interface(Little, 1, 0, &[]),
        block(Little, 0x8000_0001, &[]),
        enhanced(Little, 0, 1, &[1], &[]),
    ]
    .concat();
    let capture = open("test.pcapng", &file).expect("a capture");
    let (frames, damages, source) = read_all(Source::new(vec![capture]));
    assert_eq!((frames.len(), damages.len()), (1, 0));
    assert!(source.memory() <= 64 * 1024);
    assert_eq!(source.octets(), Octets { read: file.len() as u64, total: None });
}

#[test]
fn the_longest_packet_is_read_and_a_longer_one_is_damage() {
    let longest = vec![5; MAX_PACKET];
    let mut file = pcap_header(Little, 0xa1b2_c3d4, 1);
    file.extend(pcap_record(Little, 1, 0, &longest, 1 << 20));
    assert!(sound(&file)[0].data == longest);
    let offset = file.len() as u64;
    file.extend(pcap_record(Little, 1, 0, &vec![5; MAX_PACKET + 1], 1 << 20));
    let (frames, damages) = read(&file);
    assert_eq!(frames.len(), 1);
    assert_eq!(damages[0].offset, offset);
    assert!(matches!(damages[0].defect, Defect::PacketLength(262_145)));

    let file = [
        section(Big),
        interface(Big, 1, 0, &[]),
        enhanced(Big, 0, 1, &longest, &[]),
        enhanced(Big, 0, 1, &vec![5; MAX_PACKET + 1], &[]),
    ]
    .concat();
    let (frames, damages) = read(&file);
    assert_eq!(frames.len(), 1);
    assert!(matches!(damages[0].defect, Defect::PacketLength(262_145)));
}
