//! Several captures as one source, and captures that we write.

use super::*;

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
