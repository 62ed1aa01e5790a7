//! Captures built octet by octet, so that every one of them can be bent.

use std::io::{self, Cursor as IoCursor, Read};

use proptest::prelude::*;

use super::*;
use crate::packet::LinkType;
use crate::time::Timestamp;

/// What a test compares of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    number: u64,
    nanos: u64,
    link: LinkType,
    data: Vec<u8>,
    wire_length: u32,
    interface: Option<String>,
}

/// Everything that comes out of a source: frames, and damage with how many frames came before.
fn read_all(mut source: Source) -> (Vec<Seen>, Vec<Damage>, Source) {
    let (mut frames, mut damages) = (Vec::new(), Vec::new());
    loop {
        match source.next() {
            Ok(Some(frame)) => frames.push(Seen {
                number: frame.number,
                nanos: frame.timestamp.as_nanos(),
                link: frame.link,
                data: frame.data.to_vec(),
                wire_length: frame.wire_length,
                interface: frame.interface.map(str::to_owned),
            }),
            Ok(None) => return (frames, damages, source),
            Err(damage) => damages.push(damage),
        }
    }
}

fn open(name: &str, octets: &[u8]) -> Result<Capture, OpenError> {
    Capture::from_reader(name, Box::new(IoCursor::new(octets.to_vec())))
}

fn read(octets: &[u8]) -> (Vec<Seen>, Vec<Damage>) {
    let capture = open("test.pcap", octets).expect("a capture");
    let (frames, damages, _) = read_all(Source::new(vec![capture]));
    (frames, damages)
}

fn sound(octets: &[u8]) -> Vec<Seen> {
    let (frames, damages) = read(octets);
    assert!(damages.is_empty(), "{damages:?}");
    frames
}

/// Writes numbers in one of the two orders.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Little,
    Big,
}

impl Ends {
    fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn u64(self, value: u64) -> [u8; 8] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn words(self, words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| self.u32(*word)).collect()
    }
}

use Ends::{Big, Little};

fn pcap_header(ends: Ends, magic: u32, network: u32) -> Vec<u8> {
    let mut file = ends.u32(magic).to_vec();
    file.extend([ends.u16(2), ends.u16(4)].concat());
    file.extend(ends.words(&[0, 0, 65535, network]));
    file
}

fn pcap_record(ends: Ends, seconds: u32, fraction: u32, data: &[u8], wire: u32) -> Vec<u8> {
    let head = ends.words(&[seconds, fraction, data.len() as u32, wire]);
    [&head, data].concat()
}

fn small_pcap() -> Vec<u8> {
    let mut file = pcap_header(Little, 0xa1b2_c3d4, 1);
    file.extend(pcap_record(Little, 1, 2, &[1, 2, 3], 60));
    file.extend(pcap_record(Little, 2, 0, &[], 0));
    file.extend(pcap_record(Little, 3, 999_999, &[4; 20], 20));
    file
}

fn padded(data: &[u8]) -> Vec<u8> {
    let mut padded = data.to_vec();
    padded.resize(data.len().next_multiple_of(4), 0);
    padded
}

fn block(ends: Ends, kind: u32, body: &[u8]) -> Vec<u8> {
    let length = ends.u32(body.len() as u32 + 12);
    [&ends.u32(kind), &length, body, &length].concat()
}

fn option(ends: Ends, code: u16, value: &[u8]) -> Vec<u8> {
    [&ends.u16(code)[..], &ends.u16(value.len() as u16), &padded(value)].concat()
}

fn section(ends: Ends) -> Vec<u8> {
    let mut body = ends.u32(0x1a2b_3c4d).to_vec();
    body.extend([ends.u16(1), ends.u16(0)].concat());
    body.extend([0xff; 8]);
    body.extend(option(ends, 4, b"a writer"));
    body.extend(option(ends, 0, b""));
    block(ends, 0x0a0d_0d0a, &body)
}

fn interface(ends: Ends, link: u16, snapshot_length: u32, options: &[Vec<u8>]) -> Vec<u8> {
    let head = [&ends.u16(link)[..], &[0, 0], &ends.u32(snapshot_length)].concat();
    block(ends, 1, &[head, options.concat()].concat())
}

fn enhanced(ends: Ends, interface: u32, time: u64, data: &[u8], options: &[Vec<u8>]) -> Vec<u8> {
    let length = data.len() as u32;
    let head = ends.words(&[interface, (time >> 32) as u32, time as u32, length, length + 1]);
    block(ends, 6, &[head, padded(data), options.concat()].concat())
}

fn simple(ends: Ends, wire: u32, data: &[u8]) -> Vec<u8> {
    block(ends, 3, &[ends.u32(wire).to_vec(), padded(data)].concat())
}

fn obsolete(ends: Ends, interface: u16, time: u64, data: &[u8]) -> Vec<u8> {
    let mut body = [ends.u16(interface), ends.u16(9)].concat();
    let length = data.len() as u32;
    body.extend(ends.words(&[(time >> 32) as u32, time as u32, length, length]));
    body.extend(padded(data));
    block(ends, 2, &body)
}

fn small_pcapng(ends: Ends) -> Vec<u8> {
    [
        section(ends),
        interface(ends, 1, 65535, &[option(ends, 2, b"eth0"), option(ends, 9, &[9])]),
        enhanced(ends, 0, 5_000_000_007, &[1, 2, 3, 4, 5], &[]),
        block(ends, 4, &[0; 8]),
        enhanced(ends, 0, 6_000_000_000, &[6; 8], &[option(ends, 2, &[0; 4])]),
        block(ends, 5, &[0; 12]),
    ]
    .concat()
}

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

/// Cuts a sound file everywhere; `records` are where its records begin, and how many frames come
/// before each.
fn cut_everywhere(file: &[u8], records: &[(usize, usize)]) {
    let whole = sound(file);
    for cut in 4..file.len() {
        let (frames, damages) = read(&file[..cut]);
        let &(start, before) =
            records.iter().rev().find(|(start, _)| *start <= cut).expect("the first is at 0");
        assert_eq!(frames, whole[..before], "cut at {cut}");
        if start == cut {
            assert!(damages.is_empty(), "cut at {cut}: {damages:?}");
            continue;
        }
        let [damage] = &damages[..] else { panic!("cut at {cut}: {damages:?}") };
        assert!(damage.defect.is_truncation(), "cut at {cut}: {damage}");
        assert_eq!((damage.offset, damage.frames), (start as u64, before as u64), "cut at {cut}");
    }
}

#[test]
fn a_pcap_cut_anywhere_gives_the_frames_before_the_cut() {
    cut_everywhere(&small_pcap(), &[(0, 0), (24, 0), (43, 1), (59, 2), (95, 3)]);
}

#[test]
fn a_pcapng_cut_anywhere_gives_the_frames_before_the_cut() {
    for ends in [Little, Big] {
        let file = small_pcapng(ends);
        let mut records = Vec::new();
        let (mut at, mut frames) = (0, 0);
        while let Some(head) = file.get(at..at + 8) {
            records.push((at, frames));
            let word = |word: &[u8]| match ends {
                Little => u32::from_le_bytes(word.try_into().unwrap()),
                Big => u32::from_be_bytes(word.try_into().unwrap()),
            };
            frames += usize::from(word(&head[..4]) == 6);
            at += word(&head[4..]) as usize;
        }
        assert_eq!((at, frames), (file.len(), 2));
        cut_everywhere(&file, &records);
    }
}

#[test]
fn damage_is_told_in_words() {
    let told = |file: &[u8]| read(file).1.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut file = small_pcap();
    file.truncate(90);
    assert_eq!(told(&file), ["test.pcap: truncated within a packet, at octet 59 after 2 frames"]);

    let mut file = small_pcapng(Little);
    let tail = file.len() - 1;
    file[tail] ^= 1;
    let at = file.len() - 24;
    assert_eq!(
        told(&file),
        [format!(
            "test.pcap: damaged: a block of 24 octets ends as one of 16777240, at octet {at} \
             after 2 frames"
        )]
    );

    let zeros = [small_pcapng(Little), vec![0; 64]].concat();
    assert!(told(&zeros)[0].contains("a block cannot be 0 octets long"));
    let mut version = small_pcap();
    version[4] = 9;
    assert!(told(&version)[0].contains("version 9.4 of pcap is not known, at octet 0"));
    let mut order = section(Little);
    order[8..12].copy_from_slice(b"what");
    assert!(told(&order)[0].contains("0x77686174 is no byte order"));
    let too_few = [section(Little), interface(Little, 1, 0, &[]), block(Little, 6, &[0; 8])];
    assert!(told(&too_few.concat())[0].contains("the parts of a packet block do not fit"));
}

/// Fails after it gave what it had.
struct Failing(IoCursor<Vec<u8>>);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is gone")),
            count => Ok(count),
        }
    }
}

#[test]
fn an_error_of_the_system_is_damage_where_it_happened() {
    let reader = Failing(IoCursor::new(small_pcap()));
    let capture = Capture::from_reader("disk.pcap", Box::new(reader)).expect("a capture");
    let (frames, damages, _) = read_all(Source::new(vec![capture]));
    assert_eq!(frames.len(), 3);
    assert_eq!(
        damages[0].to_string(),
        "disk.pcap: cannot be read on: the disk is gone, at octet 95 after 3 frames"
    );
}

#[test]
fn what_is_no_capture_is_named() {
    let why = |octets: &[u8]| open("x", octets).expect_err("no capture").to_string();
    assert_eq!(why(b""), "x: is empty");
    assert!(why(b"\x1f\x8b\x08\0").contains("compressed with gzip: unpack it, as in `gzip -dc"));
    assert!(why(b"\x28\xb5\x2f\xfd\x04").contains("compressed with zstd"));
    assert_eq!(why(b"frame.number\tip.src\n"), "x: is text, not a capture");
    assert_eq!(
        why(&[0x7f, b'E', b'L', b'F', 2, 1]),
        "x: is neither pcap nor pcapng (it begins with 7f 45 4c 46)"
    );
    assert_eq!(why(&[0xd4, 0xc3]), "x: is neither pcap nor pcapng (it begins with d4 c3)");

    let folder = tempfile::tempdir().expect("a folder");
    let error = Source::open(&[folder.path()]).expect_err("a directory");
    assert!(matches!(error.reason, NoCapture::Directory) && error.reason.is_no_input());
    let error = Source::open(&[folder.path().join("none.pcap")]).expect_err("nothing");
    assert!(matches!(error.reason, NoCapture::Unreadable(_)) && error.reason.is_no_input());
    assert!(error.to_string().contains("none.pcap: cannot be read: No such file"));
    assert!(!NoCapture::Empty.is_no_input());
}

#[test]
fn files_know_their_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = [folder.path().join("a.pcap"), folder.path().join("b.pcapng")];
    std::fs::write(&paths[0], small_pcap()).expect("written");
    std::fs::write(&paths[1], small_pcapng(Big)).expect("written");
    let total = (small_pcap().len() + small_pcapng(Big).len()) as u64;
    let (frames, damages, source) = read_all(Source::open(&paths).expect("captures"));
    assert_eq!((frames.len(), damages.len()), (5, 0));
    assert_eq!(source.octets(), Octets { read: total, total: Some(total) });
}

/// Gives one octet at a time, and is interrupted before each.
struct Dripping(IoCursor<Vec<u8>>, bool);

impl Read for Dripping {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = buffer.len().min(1);
        self.0.read(&mut buffer[..count])
    }
}

#[test]
fn a_pipe_that_gives_one_octet_at_a_time_gives_the_same_frames() {
    for file in [small_pcap(), small_pcapng(Little), small_pcapng(Big)] {
        let reader = Dripping(IoCursor::new(file.clone()), false);
        let capture = Capture::from_reader("pipe", Box::new(reader)).expect("a capture");
        let (frames, damages, _) = read_all(Source::new(vec![capture]));
        assert_eq!(frames, sound(&file));
        assert!(damages.is_empty());
    }
}

/// A capture whose frames hold `name`, at these seconds.
fn at_seconds(name: u8, seconds: &[u32]) -> Vec<u8> {
    let mut file = pcap_header(Little, 0xa1b2_c3d4, 1);
    for second in seconds {
        file.extend(pcap_record(Little, *second, 0, &[name], 1));
    }
    file
}

fn merged(files: &[&[u8]]) -> (Vec<(u64, u8, u64)>, Vec<Damage>) {
    let captures = files.iter().map(|file| open("merge", file).expect("a capture")).collect();
    let (frames, damages, _) = read_all(Source::new(captures));
    let frames = frames
        .iter()
        .map(|frame| (frame.number, frame.data[0], frame.nanos / 1_000_000_000))
        .collect();
    (frames, damages)
}

#[test]
fn several_files_come_in_the_order_of_time() {
    let files =
        [at_seconds(1, &[1, 4, 4, 9]), at_seconds(2, &[]), at_seconds(3, &[2, 4, 3, 8, 10])];
    let (frames, damages) = merged(&[&files[0], &files[1], &files[2]]);
    assert!(damages.is_empty());
    assert_eq!(
        frames,
        [
            (1, 1, 1),
            (2, 3, 2),
            (3, 1, 4), // of the same time: the first file first
            (4, 1, 4),
            (5, 3, 4),
            (6, 3, 3), // a file's own order stays
            (7, 3, 8),
            (8, 1, 9),
            (9, 3, 10),
        ]
    );
}

#[test]
fn the_other_files_go_on_after_damage() {
    let (mut short, mut bad) = (at_seconds(1, &[1, 5]), at_seconds(2, &[2, 6]));
    short.pop();
    bad.truncate(20);
    let (frames, damages) = merged(&[&short, &bad, &at_seconds(3, &[3, 4])]);
    assert_eq!(frames, [(1, 1, 1), (2, 3, 3), (3, 3, 4)]);
    let told: Vec<_> = damages.iter().map(|damage| (damage.offset, damage.frames)).collect();
    assert_eq!(told, [(0, 0), (41, 1)]);
}

#[test]
fn frames_of_other_links_are_counted_not_delivered() {
    let file = [
        section(Little),
        interface(Little, 127, 0, &[]),
        interface(Little, 1, 0, &[]),
        interface(Little, 147, 0, &[]),
        enhanced(Little, 0, 1, &[0], &[]),
        enhanced(Little, 1, 2, &[1], &[]),
        enhanced(Little, 2, 3, &[2], &[]),
        enhanced(Little, 0, 4, &[3], &[]),
        enhanced(Little, 1, 5, &[4], &[]),
    ]
    .concat();
    let capture = open("test.pcapng", &file).expect("a capture");
    let (frames, damages, source) = read_all(Source::new(vec![capture]));
    assert!(damages.is_empty());
    let numbers: Vec<_> = frames.iter().map(|frame| frame.number).collect();
    assert_eq!(numbers, [2, 5]);
    let told: Vec<_> = source.skipped().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "link type 127 (IEEE 802.11 radiotap) is not decoded: 2 frames skipped",
            "link type 147 is not decoded: 1 frame skipped"
        ]
    );
}

#[test]
fn what_is_written_reads_back() {
    for &link in LinkType::ALL {
        let mut writer = PcapWriter::new(Vec::new(), link).expect("memory");
        let time = Timestamp::from_nanos(1_700_000_000_123_456_789);
        writer.write(time, 1500, &[1, 2, 3]).expect("memory");
        writer.write(Timestamp::ZERO, 0, &[]).expect("memory");
        assert!(writer.write(time, 0, &vec![0; MAX_PACKET + 1]).is_err());
        assert!(writer.write(Timestamp::NEVER, 0, &[]).is_err());
        let frames = sound(&writer.finish().expect("memory"));
        assert_eq!(frames.len(), 2);
        assert_eq!((frames[0].nanos, frames[0].wire_length), (time.as_nanos(), 1500));
        assert_eq!((frames[0].link, &frames[0].data[..]), (link, &[1, 2, 3][..]));
    }
}

/// Octets that begin like a capture and go on like one, mostly.
fn bent_captures() -> impl Strategy<Value = Vec<u8>> {
    let seeds = [
        small_pcap(),
        small_pcapng(Little),
        small_pcapng(Big),
        pcap_header(Big, 0xa1b2_3c4d, 1),
        section(Little),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let tail = prop::collection::vec(any::<u8>(), 0..200);
    (prop::sample::select(seeds.to_vec()), edits, tail).prop_map(|(mut file, edits, tail)| {
        for (at, value) in edits {
            let at = at.index(file.len());
            file[at] = value;
        }
        file.extend(tail);
        file
    })
}

proptest! {
    /// Any octets: no panic, an end, at most one damage, no more memory than the longest packet.
    #[test]
    fn any_octets_end(octets in prop_oneof![bent_captures(), prop::collection::vec(any::<u8>(), 0..400)]) {
        if let Ok(capture) = open("any", &octets) {
            let (frames, damages, mut source) = read_all(Source::new(vec![capture]));
            prop_assert!(frames.len() <= octets.len());
            prop_assert!(damages.len() <= 1);
            prop_assert!(damages.iter().all(|damage| damage.offset <= octets.len() as u64));
            prop_assert!(source.memory() <= 2 * MAX_PACKET + 64 * 1024);
            prop_assert!(matches!(source.next(), Ok(None)));
        }
    }

    /// However the reads fall, the frames and the damage are the same.
    #[test]
    fn reads_of_any_size_give_the_same(octets in bent_captures()) {
        let whole = open("any", &octets);
        let dripped = Capture::from_reader("any", Box::new(Dripping(IoCursor::new(octets), false)));
        prop_assert_eq!(whole.is_ok(), dripped.is_ok());
        if let (Ok(whole), Ok(dripped)) = (whole, dripped) {
            let (frames, damages, _) = read_all(Source::new(vec![whole]));
            let (other_frames, other_damages, _) = read_all(Source::new(vec![dripped]));
            prop_assert_eq!(frames, other_frames);
            let told = |damages: &[Damage]| damages.iter().map(ToString::to_string).collect::<Vec<_>>();
            prop_assert_eq!(told(&damages), told(&other_damages));
        }
    }
}
