//! Streams against the octets that were sent.

use proptest::prelude::*;

use super::super::reader::Acknowledged;
use super::super::{Progress, Side};
use super::*;
use crate::packet::{Checksum, TcpFlags};

/// Reads messages of one octet of length and as many octets; a length over 200 says that only the
/// first ten are of interest.
#[derive(Default)]
struct Messages {
    read: Vec<Vec<u8>>,
    gaps: Vec<u64>,
    incidents: Vec<Incident>,
}

impl Reader for Messages {
    fn turn_to(&mut self, _: Side, _: Acknowledged, _: Acknowledged) {}

    fn data(&mut self, bytes: &[u8]) -> Progress {
        let mut done = 0;
        while let Some((length, rest)) = bytes.get(done..).and_then(<[u8]>::split_first) {
            let length = usize::from(*length);
            let of_interest = if length > 200 { 10 } else { length };
            let Some(message) = rest.get(..of_interest) else {
                return Progress::need(done, 1 + of_interest);
            };
            self.read.push(message.to_vec());
            done += 1 + length;
            if done > bytes.len() {
                break;
            }
        }
        Progress::all(done)
    }

    fn gap(&mut self, missing: u64, _: Why) {
        self.gaps.push(missing);
    }

    fn incident(&mut self, incident: Incident) {
        self.incidents.push(incident);
    }

    fn max_kept(&self) -> usize {
        256
    }
}

fn segment(sequence: u32, payload: &[u8]) -> Tcp<'_> {
    Tcp {
        source_port: 1,
        destination_port: 2,
        sequence,
        acknowledgment: 0,
        flags: TcpFlags(TcpFlags::ACK),
        checksum: Checksum::Good,
        header_length: 20,
        timestamp: None,
        urgent: 0,
        payload,
        missing: 0,
        fingerprint: Tcp::fingerprint_of(payload),
    }
}

const NOW: Timestamp = Timestamp::from_nanos(1_000_000_000_000);

/// Feeds segments in the order given: offset from `first`, content.
fn feed(stream: &mut Stream, first: u32, segments: &[(u32, &[u8])]) -> Messages {
    let mut messages = Messages::default();
    for (offset, payload) in segments {
        stream.segment(NOW, &segment(first.wrapping_add(*offset), payload), &mut messages);
    }
    messages
}

fn started(first: u32) -> Stream {
    let mut stream = Stream::default();
    stream.start(first);
    stream
}

fn encode(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|message| [&[message.len() as u8], &message[..]].concat()).collect()
}

fn of_interest(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let head = |message: &Vec<u8>| match message.len() {
        201.. => message[..10].to_vec(),
        _ => message.clone(),
    };
    messages.iter().map(head).collect()
}

#[test]
fn a_message_in_one_segment_is_never_copied() {
    let mut stream = started(0);
    let messages = feed(&mut stream, 0, &[(0, b"\x02ab\x01c")]);
    assert_eq!(messages.read, [b"ab".to_vec(), b"c".to_vec()]);
    assert_eq!(stream.memory(), 0);
}

#[test]
fn sequence_numbers_wrap() {
    let messages = feed(&mut started(u32::MAX - 1), u32::MAX - 1, &[(0, b"\x02a"), (2, b"b\x01c")]);
    assert_eq!(messages.read, [b"ab".to_vec(), b"c".to_vec()]);
}

#[test]
fn retransmissions_are_counted_and_keep_alives_are_not() {
    let mut stream = started(0);
    let messages =
        feed(&mut stream, 0, &[(0, b"\x02ab"), (0, b"\x02ab"), (2, b"\x00"), (3, b"\x01c")]);
    assert_eq!(messages.read, [b"ab".to_vec(), b"c".to_vec()]);
    assert_eq!(stream.counters().retransmissions, 1);
    assert_eq!(messages.incidents, []);
}

/// The first so many octets of a segment.
fn cut(sequence: u32, payload: &[u8], captured: usize) -> Tcp<'_> {
    let missing = (payload.len() - captured) as u32;
    Tcp { missing, ..segment(sequence, &payload[..captured]) }
}

#[test]
fn what_the_capture_cut_off_is_a_gap_at_once() {
    let mut stream = started(0);
    let mut messages = Messages::default();
    for tcp in [
        cut(0, b"\x01a\x02bc", 2),
        cut(0, b"\x01a\x02bc", 2),
        segment(5, b"\x01d"),
        cut(7, b"\x01e", 0),
        segment(9, b"\x01f"),
    ] {
        stream.segment(NOW, &tcp, &mut messages);
    }
    assert_eq!(messages.read, [b"a", b"d", b"f"].map(|message| message.to_vec()));
    assert_eq!(messages.gaps, [3, 2]);
    let StreamCounters { gaps, missed, retransmissions } = stream.counters();
    assert_eq!((gaps, missed, retransmissions), (2, 5, 1));
}

#[test]
fn what_was_cut_off_may_have_come_before() {
    let mut stream = started(0);
    let mut messages = feed(&mut stream, 0, &[(4, b"d")]);
    stream.segment(NOW, &cut(0, b"\x01a\x02bd", 2), &mut messages);
    stream.segment(NOW, &segment(5, b"\x01e"), &mut messages);
    assert_eq!(messages.gaps, [2], "only what nobody has");
}

#[test]
fn a_stream_joined_at_an_empty_keep_alive_has_no_gap() {
    let mut stream = Stream::default();
    let messages = feed(&mut stream, 99, &[(0, b""), (1, b"\x01a")]);
    assert_eq!(messages.read, [b"a".to_vec()]);
    assert_eq!(stream.counters(), StreamCounters::default());
}

#[test]
fn the_first_copy_wins_and_the_difference_is_noted() {
    let mut stream = started(0);
    let messages = feed(&mut stream, 0, &[(0, b"\x01a"), (2, b"\x02bc"), (2, b"\x02XX\x01d")]);
    assert_eq!(messages.read, [b"a".to_vec(), b"bc".to_vec(), b"d".to_vec()]);
    assert_eq!(messages.incidents, [Incident::OverlapDiffers { offset: 2 }]);

    let mut stream = started(0);
    let messages = feed(&mut stream, 0, &[(1, b"ab"), (0, b"\x02XY")]);
    assert_eq!(messages.read, [b"XY".to_vec()], "what is in order goes first");

    let mut stream = started(0);
    let messages = feed(&mut stream, 0, &[(1, b"ab"), (1, b"aX"), (0, b"\x02")]);
    assert_eq!(messages.read, [b"ab".to_vec()]);
    assert_eq!(messages.incidents, [Incident::OverlapDiffers { offset: 1 }]);
}

#[test]
fn a_sequence_number_that_never_advances_is_one_message_and_one_incident() {
    let mut stream = Stream::default();
    let copies: Vec<Vec<u8>> = (0..9).map(|n| vec![2, n, n, 1, n]).collect();
    let mut segments: Vec<(u32, &[u8])> = vec![(0, b"\x01a")];
    segments.extend(copies.iter().map(|copy| (0, &copy[..])));
    let messages = feed(&mut stream, 7, &segments);
    assert_eq!(messages.read, [b"a".to_vec()]);
    assert_eq!(messages.incidents, [Incident::SequenceFrozen]);
    assert_eq!(stream.counters().retransmissions, 9);
}

/// A message, and a segment under the same number with another one and more behind it.
const DISGUISED: &[(u32, &[u8])] = &[(0, b"\x01a"), (0, b"\x01X\x01c")];

#[test]
fn what_hides_behind_another_first_segment_is_read_once_it_is_acknowledged() {
    let mut stream = started(0);
    let mut messages = feed(&mut stream, 0, DISGUISED);
    assert!(stream.has_hole());
    stream.expire(NOW, Some(2), &mut messages);
    assert_eq!(messages.read, [b"a".to_vec()], "its receiver has the first alone");
    stream.expire(NOW, Some(4), &mut messages);
    assert_eq!(messages.read, [b"a".to_vec(), b"c".to_vec()]);
    assert_eq!(messages.incidents, [Incident::OverlapDiffers { offset: 0 }]);
    assert!(!stream.has_hole());
}

#[test]
fn what_hides_behind_another_first_segment_is_read_when_the_sender_goes_on_there() {
    let mut stream = started(0);
    let segments = [DISGUISED, &[(4, b"\x01d")]].concat();
    let messages = feed(&mut stream, 0, &segments);
    assert_eq!(messages.read, [b"a".to_vec(), b"c".to_vec(), b"d".to_vec()]);
    assert_eq!(messages.incidents, [Incident::OverlapDiffers { offset: 0 }]);
}

#[test]
fn what_nobody_takes_of_another_first_segment_is_told_at_the_end() {
    let mut stream = started(0);
    let mut messages = feed(&mut stream, 0, DISGUISED);
    stream.flush(None, &mut messages);
    assert_eq!(messages.read, [b"a".to_vec()]);
    assert_eq!(messages.incidents, [Incident::OverlapDiffers { offset: 0 }]);
    assert_eq!((stream.has_hole(), stream.memory()), (false, 0));
}

#[test]
fn a_hole_becomes_a_gap_100_ms_after_the_receiver_had_it() {
    let mut stream = started(0);
    let mut messages = feed(&mut stream, 0, &[(0, b"\x01a"), (4, b"\x01c")]);
    stream.expire(NOW, Some(6), &mut messages);
    stream.expire(NOW + Duration::from_millis(99), Some(6), &mut messages);
    assert!(messages.gaps.is_empty());
    stream.expire(NOW + Duration::from_millis(100), Some(6), &mut messages);
    assert_eq!(messages.gaps, [2]);
    assert_eq!(messages.read, [b"a".to_vec(), b"c".to_vec()]);
    assert_eq!(stream.counters(), StreamCounters { gaps: 1, missed: 2, retransmissions: 0 });
}

#[test]
fn a_hole_that_nobody_acknowledges_becomes_a_gap_after_2_s() {
    let mut stream = started(0);
    let mut messages = feed(&mut stream, 0, &[(2, b"\x01b")]);
    stream.expire(NOW + Duration::from_millis(1999), None, &mut messages);
    assert!(messages.gaps.is_empty());
    stream.expire(NOW + Duration::from_secs(2), Some(2), &mut messages);
    assert_eq!((messages.gaps, messages.read), (vec![2], vec![b"b".to_vec()]));
}

#[test]
fn a_hole_that_the_receiver_waits_for_is_not_given_up_for_a_forged_segment() {
    let mut stream = started(0);
    let mut messages = feed(&mut stream, 0, &[(0, b"\x01a"), (40_000, b"\x01X")]);
    stream.expire(NOW + Duration::from_secs(3600), Some(2), &mut messages);
    let late = feed(&mut stream, 0, &[(2, b"\x01b"), (4, b"\x01c")]);
    assert!(messages.gaps.is_empty());
    assert_eq!(late.read, [b"b".to_vec(), b"c".to_vec()]);
}

#[test]
fn a_hole_in_what_nobody_wants_is_no_gap_for_the_reader() {
    let message = vec![0x55; 250];
    let bytes = encode(&[message, b"z".to_vec()]);
    let mut stream = started(0);
    let mut messages = feed(&mut stream, 0, &[(0, &bytes[..50]), (150, &bytes[150..])]);
    stream.flush(None, &mut messages);
    assert!(messages.gaps.is_empty());
    assert_eq!(messages.read, [vec![0x55; 10], b"z".to_vec()]);
    assert_eq!(stream.counters().missed, 100);
}

#[test]
fn pending_data_is_capped() {
    let mut stream = started(0);
    let mut messages = Messages::default();
    let block = [0; 1000];
    for n in 0..1000 {
        stream.segment(NOW, &segment(1 + n * 2000, &block), &mut messages);
        assert!(stream.memory() <= 264 * 1024, "{} octets after {n}", stream.memory());
    }
    assert!(stream.counters().gaps > 700);
}

#[test]
fn a_reader_that_wants_too_much_loses_what_is_kept() {
    struct Greedy(u64);
    impl Reader for Greedy {
        fn turn_to(&mut self, _: Side, _: Acknowledged, _: Acknowledged) {}
        fn data(&mut self, _: &[u8]) -> Progress {
            Progress::need(0, 1 << 30)
        }
        fn gap(&mut self, missing: u64, _: Why) {
            self.0 += missing;
        }
        fn incident(&mut self, _: Incident) {}
        fn max_kept(&self) -> usize {
            100
        }
    }
    let (mut stream, mut greedy) = (started(0), Greedy(0));
    for n in 0..1000 {
        stream.segment(NOW, &segment(n * 10, &[0; 10]), &mut greedy);
    }
    assert_eq!(greedy.0, 10_000);
    assert!(stream.memory() < 256);
}

#[test]
fn a_hole_before_the_end_is_given_up_as_any_other() {
    let after = |acknowledged, time| {
        let mut stream = started(0);
        let mut messages = feed(&mut stream, 0, &[(0, b"\x01a\x03")]);
        stream.finish(NOW, 6);
        assert!(stream.has_hole() && !stream.is_finished());
        stream.expire(NOW, acknowledged, &mut messages);
        stream.expire(NOW + time, acknowledged, &mut messages);
        assert_eq!(stream.has_hole(), !stream.is_finished());
        messages.gaps
    };
    let seconds = Duration::from_secs;
    assert_eq!(after(Some(7), Duration::from_millis(100)), [3]);
    assert_eq!(after(None, seconds(1)), [0; 0]);
    assert_eq!(after(None, seconds(2)), [3]);
    assert_eq!(after(Some(3), seconds(60)), [0; 0], "its receiver waits for it");
}

#[test]
fn what_comes_late_fills_the_hole_before_the_end() {
    let mut stream = started(0);
    let mut messages = feed(&mut stream, 0, &[(0, b"\x01a\x03")]);
    stream.finish(NOW, 6);
    for tcp in [segment(5, b"d"), segment(3, b"bc")] {
        stream.segment(NOW, &tcp, &mut messages);
    }
    assert!(stream.is_finished() && !stream.has_hole());
    assert_eq!(messages.read, [b"a".to_vec(), b"bcd".to_vec()]);
    assert_eq!(stream.counters(), StreamCounters::default());
}

#[test]
fn an_end_that_is_too_far_is_not_of_this_stream() {
    let mut stream = started(0);
    stream.finish(NOW, NEAR);
    assert!(!stream.has_hole());
}

#[test]
fn a_stream_joined_behind_what_its_receiver_expected_has_a_gap() {
    for (expected, first, missed) in
        [(&[10][..], 16, 6), (&[20, 10], 16, 6), (&[10], 10, 0), (&[16], 10, 0), (&[0], NEAR, 0)]
    {
        let mut stream = Stream::default();
        for number in expected {
            stream.expect(*number);
        }
        assert!(!stream.is_started());
        let mut messages = feed(&mut stream, first, &[(0, b"\x01a")]);
        stream.flush(None, &mut messages);
        assert_eq!(messages.read, [b"a".to_vec()]);
        assert_eq!(stream.counters().missed, missed, "{expected:?} {first}");
    }
}

#[test]
fn what_the_receiver_has_at_the_end_is_missed_but_for_what_may_be_fin() {
    for (kept, acknowledged, missed) in [
        (&b""[..], 5, 3),
        (b"", 3, 0),
        (b"\x02", 4, 1),
        (b"", 2, 0),
        (b"", 1, 0),
        (b"", NEAR + 2, 0),
    ] {
        let mut stream = started(0);
        let mut messages = feed(&mut stream, 0, &[(0, &[b"\x01a", kept].concat())]);
        stream.flush(Some(acknowledged), &mut messages);
        assert_eq!(stream.counters().missed, missed, "{kept:?} {acknowledged}");
    }
}

/// Messages, and the segments of a sender with a bad line: cut anywhere, in any order within a
/// window, some twice, some overlapping.
fn bad_line() -> impl Strategy<Value = (Vec<Vec<u8>>, u32, Vec<(usize, usize)>)> {
    let message = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..20),
        1 => prop::collection::vec(any::<u8>(), 201..255),
    ];
    (prop::collection::vec(message, 1..20), any::<u32>()).prop_flat_map(|(messages, first)| {
        let length = encode(&messages).len();
        let cuts = prop::collection::vec((0..=length, 0..=length), 0..40);
        (Just(messages), Just(first), cuts)
    })
}

proptest! {
    #[test]
    fn any_cut_order_and_overlap_gives_the_same_messages((messages, first, cuts) in bad_line()) {
        let bytes = encode(&messages);
        let mut stream = started(first);
        let mut read = Messages::default();
        // Pieces at random, then the whole in small ones, so that nothing is missing at the end.
        let random = cuts.iter().map(|(a, b)| (*a.min(b), *a.max(b)));
        let rest = (0..bytes.len()).step_by(7).rev().map(|at| (at, (at + 7).min(bytes.len())));
        for (from, to) in random.chain(rest) {
            let tcp = segment(first.wrapping_add(from as u32), &bytes[from..to]);
            stream.segment(NOW, &tcp, &mut read);
        }
        prop_assert_eq!(read.read, of_interest(&messages));
        prop_assert_eq!(read.gaps, Vec::<u64>::new());
        prop_assert_eq!(read.incidents, vec![]);
        prop_assert!(!stream.has_hole());
    }

    #[test]
    fn nonsense_never_panics(
        segments in prop::collection::vec((any::<u32>(), prop::collection::vec(any::<u8>(), 0..50), any::<u32>()), 0..50),
    ) {
        let mut stream = Stream::default();
        let mut read = Messages::default();
        for (n, (sequence, payload, acknowledgment)) in segments.iter().enumerate() {
            let now = NOW + Duration::from_millis(n as u64 * 50);
            stream.segment(now, &segment(*sequence, payload), &mut read);
            stream.expire(now, Some(*acknowledgment), &mut read);
        }
        stream.flush(None, &mut read);
        prop_assert!(!stream.has_hole());
    }
}
