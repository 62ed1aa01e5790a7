//! Packets in streams: cut anywhere, damaged, joined in the middle, larger than what is kept.

use proptest::prelude::*;

use crate::event::{Record, Records, Schema};
use crate::flow::Direction;

use super::{CONNECT_3, CONNECT_4, CONNECT_5, PROTOCOL, Stream, connect, decode, decode_at};

/// Packets of every type, in an order that a client and a broker could not have.
fn every_packet(level: u8) -> Vec<&'static [u8]> {
    let mut packets: Vec<&[u8]> = vec![
        connect(level),
        b"\x40\x02\0\x01",
        b"\x50\x02\0\x01",
        b"\x62\x02\0\x01",
        b"\x70\x02\0\x01",
        b"\xc0\0",
        b"\xd0\0",
        b"\xe0\0",
    ];
    let others: &[&[u8]] = if level == 5 {
        &[
            b"\x20\x09\0\0\x06\x22\0\x0a\x21\0\x14",
            b"\x33\x0f\0\x03a/b\0\x01\x05\x01\x01\x23\0\x01on",
            b"\x30\x08\0\0\x03\x23\0\x01on",
            b"\x40\x0b\0\x01\x10\x07\x26\0\x01n\0\x01v",
            b"\x82\x0f\0\x02\x02\x0b\x01\0\x07a/+/b/#\x2d",
            b"\x90\x05\0\x02\0\x01\x87",
            b"\xa2\x06\0\x03\0\0\x01a",
            b"\xb0\x04\0\x03\0\x11",
            b"\xe0\x06\x9d\x04\x1c\0\x01s",
            b"\xf0\x06\x18\x04\x15\0\x01m",
        ]
    } else {
        &[
            b"\x20\x02\x01\0",
            b"\x3b\x09\0\x03a/b\0\x01on",
            b"\x82\x0c\0\x02\0\x01a\0\0\x03+/#\x01",
            b"\x90\x04\0\x02\0\x01",
            b"\xa2\x05\0\x03\0\x01a",
            b"\xb0\x02\0\x03",
        ]
    };
    packets.extend_from_slice(others);
    packets
}

/// Whole packets among damage of every kind.
pub(super) fn damaged(level: u8) -> Vec<u8> {
    let packets = every_packet(level);
    let mut stream = packets.concat();
    stream.extend_from_slice(b"\x40\x01\0"); // too short for its field
    stream.extend_from_slice(b"\0\x03\x30\x31\x32"); // no type
    stream.extend_from_slice(&packets[1..].concat());
    stream.extend_from_slice(b"\x30\xff\xff\xff\xff\x7f"); // an endless length
    stream.extend_from_slice(&packets[1..].concat());
    stream.extend_from_slice(b"\x30\x05\0\x0aabc"); // a topic longer than its packet
    stream.extend_from_slice(&packets[1..].concat());
    stream.extend_from_slice(b"\x30\x09\0\x01"); // the end is missing
    stream
}

fn cut(stream: &[u8], joined: bool, segments: impl Iterator<Item = usize>) -> Vec<String> {
    let mut whole = Stream::new(joined);
    let mut rest = stream;
    for length in segments.take(stream.len()) {
        let (segment, behind) = rest.split_at(length.min(rest.len()));
        whole.feed(segment);
        rest = behind;
    }
    whole.feed(rest);
    whole.end()
}

#[test]
fn several_packets_stand_in_one_segment() {
    for level in 3..=5 {
        let packets = every_packet(level);
        let lines = decode(&packets.concat());
        assert_eq!(lines.len(), packets.len(), "{lines:#?}");
        assert!(!lines.iter().any(|line| line.starts_with('!')), "{lines:#?}");
    }
}

#[test]
fn segmentation_changes_nothing() {
    for level in 3..=5 {
        let stream = damaged(level);
        for joined in [false, true] {
            let whole = cut(&stream, joined, std::iter::empty());
            assert_eq!(cut(&stream, joined, std::iter::repeat(1)), whole, "octet by octet");
            for at in 1..stream.len() {
                assert_eq!(cut(&stream, joined, std::iter::once(at)), whole, "cut at {at}");
            }
        }
    }
}

#[test]
fn the_start_of_a_packet_is_no_packet() {
    for level in 3..=5 {
        for packet in every_packet(level) {
            for length in 1..packet.len() {
                let lines = decode_at(level, &packet[..length]);
                let expected = format!("! truncated {length} @{length}");
                assert_eq!(lines, [expected], "{packet:?} cut at {length}");
            }
        }
    }
}

#[test]
fn any_octet_may_be_wrong() {
    for level in 3..=5 {
        for packet in every_packet(level) {
            let mut changed = packet.to_vec();
            for index in 0..packet.len() {
                for octet in 0..=u8::MAX {
                    changed[index] = octet;
                    decode(&changed);
                    decode_at(level, &changed);
                }
                changed[index] = packet[index];
            }
        }
    }
}

/// An error in one packet does not hide the next.
#[test]
fn a_packet_with_an_error_does_not_end_the_analysis() {
    let bad = b"\x30\x05\0\x09abc";
    let lines = decode_at(4, &[&bad[..], b"\x30\x05\0\x01aon"].concat());
    assert_eq!(
        lines,
        [
            "! truncated topic=3 @4",
            "PUBLISH 4",
            "PUBLISH 4 topic=a message=on payload_length=2 payload_utf8=true",
        ]
    );
}

/// Of 256 MiB only the head is kept, and the next packet is found behind them.
#[test]
fn the_largest_publish_is_skipped() {
    const REMAINING: usize = 268_435_455;
    let mut stream = Stream::new(false);
    stream.feed(CONNECT_4);
    stream.feed(b"\x30\xff\xff\xff\x7f\0\x01a");
    let segment = vec![b'x'; 1024 * 1024];
    let mut left = REMAINING - 3;
    while left > 0 {
        let length = segment.len().min(left);
        stream.feed(&segment[..length]);
        assert!(stream.conversation.kept(stream.direction) <= 128 * 1024);
        left -= length;
    }
    stream.feed(b"\xc0\0");
    let lines = stream.end();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(
        lines[1],
        "PUBLISH 4 topic=a message=1024 octets \
         payload_length=268435452 payload_utf8=true truncated=true skipped_length=268369914"
    );
    assert_eq!(lines[2], "PINGREQ 4");
}

/// 64 KiB of properties and more do not hide a payload, until they pass the limit of all packets.
#[test]
fn a_payload_behind_long_properties_is_told() {
    let text = [&[0xff, 0xff][..], &vec![b'x'; 65_535]].concat();
    let pair = [&b"\x26"[..], &text, &text].concat();
    for count in 1..10 {
        let all = pair.repeat(count);
        let length = super::generator::variable(all.len() as u32);
        let body = [b"\0\x01a\0\x07", &length[..], &all, b"on"].concat();
        let remaining = super::generator::variable(body.len() as u32);
        let packet = [&b"\x32"[..], &remaining, &body].concat();
        for length in [1460, packet.len()] {
            let stream = [CONNECT_5, &packet, b"\xc0\0"].concat();
            let lines = cut(&stream, false, std::iter::repeat(length));
            assert_eq!(lines.len(), 3, "{count}");
            let is_told = lines[1].contains(" topic=a message_id=7 message=on payload_length=2 ");
            assert_eq!(is_told, packet.len() <= PROTOCOL.max_kept, "{count}: {}", &lines[1][..80]);
            assert_eq!(lines[2], "PINGREQ 5");
        }
    }
}

/// Other packets are kept up to a limit; those filters that fit in are told.
#[test]
fn a_subscribe_beyond_the_limit_is_told_as_far_as_it_is_kept() {
    let filters = 300_000;
    let remaining = 2 + 4 * filters;
    let mut packet = vec![
        0x82,
        0x80 | (remaining & 0x7f) as u8,
        0x80 | (remaining >> 7 & 0x7f) as u8,
        (remaining >> 14) as u8,
        0,
        1,
    ];
    for _ in 0..filters {
        packet.extend_from_slice(b"\0\x01a\0");
    }
    let lines = decode(&[CONNECT_4, &packet, b"\xc0\0"].concat());
    assert_eq!(lines.len(), 3);
    let start = "SUBSCRIBE 4 mqtt.skipped_length=151430 qos=1 message_id=1 topics=[a/0 a/0";
    assert!(lines[1].starts_with(start), "{}", &lines[1][..100]);
    assert_eq!(lines[1].matches("a/0").count(), (PROTOCOL.max_kept - 6) / 4);
}

fn joined(stream: &[u8]) -> Vec<String> {
    cut(stream, true, std::iter::empty())
}

/// A TCP keep-alive repeats the last octet that was sent.
#[test]
fn joined_at_a_stale_octet() {
    let publish = b"\x30\x0c\0\x05plant1 MW.";
    for stale in 0..=u8::MAX {
        let lines = joined(&[&[stale], &publish[..]].concat());
        let expected = "PUBLISH 4? topic=plant message=1 MW. payload_length=5 payload_utf8=true";
        assert_eq!(lines, [expected], "behind {stale:#x}");
    }
}

#[test]
fn joined_in_the_middle_of_a_packet() {
    let lines = joined(b"rest of some payload 0123\xc0\0\x30\x12\0\x0bplant/power17.5 ");
    assert_eq!(
        lines,
        [
            "PINGREQ",
            "PUBLISH 4? topic=plant/power message=17.5  payload_length=5 payload_utf8=true",
        ]
    );
}

#[test]
fn the_level_is_inferred_and_said_to_be() {
    // A filter cannot be read where properties would stand.
    assert_eq!(
        joined(b"\x82\x08\0\x01\0\x03a/b\0\x40\x02\0\x01"),
        ["SUBSCRIBE 4? qos=1 message_id=1 topics=[a/b/0]", "PUBACK 4? message_id=1"]
    );
    assert_eq!(
        joined(b"\x82\x09\0\x01\0\0\x03a/b\0\x40\x02\0\x01"),
        [
            "SUBSCRIBE 5? qos=1 message_id=1 topics=[a/b/0/false/false/0]",
            "PUBACK 5? message_id=1 reason_code=0 reason=Success",
        ]
    );
    // Both would do: what does not differ is told without a level, a zero is taken for no
    // properties until something says otherwise.
    assert_eq!(joined(b"\x40\x02\0\x01"), ["PUBACK message_id=1"]);
    assert_eq!(
        joined(b"\x30\x06\0\x01a\0on\x30\x05\0\x01aon\x30\x06\0\x01a\0on"),
        [
            "PUBLISH 5? topic=a message=on payload_length=2 payload_utf8=true",
            "PUBLISH 4? topic=a message=on payload_length=2 payload_utf8=true",
            "PUBLISH 4? topic=a message=\\x00on payload_length=3 payload_utf8=true",
        ]
    );
    // What is likely holds for what could be of any level, until something says otherwise.
    assert_eq!(
        joined(b"\x40\x02\0\x01\x32\x08\0\x01a\0\x01\0on\x40\x02\0\x01\xc0\0\x30\x05\0\x01aon\x40\x02\0\x02"),
        [
            "PUBACK message_id=1",
            "PUBLISH 5? qos=1 topic=a message_id=1 message=on payload_length=2 payload_utf8=true",
            "PUBACK 5? message_id=1 reason_code=0 reason=Success",
            "PINGREQ 5?",
            "PUBLISH 4? topic=a message=on payload_length=2 payload_utf8=true",
            "PUBACK 4? message_id=2",
        ]
    );
    // A later packet can only be of the other level: the conclusion was wrong.
    assert_eq!(
        joined(b"\x30\x05\0\x01aon\x20\x06\0\0\x03\x22\0\x0a\x30\x06\0\x01a\0on")[2],
        "PUBLISH 5? topic=a message=on payload_length=2 payload_utf8=true"
    );
    // CONNECT is no conclusion.
    assert_eq!(joined(&[CONNECT_3, b"\xc0\0"].concat())[1], "PINGREQ 3");
}

#[test]
fn behind_a_gap_the_next_packet_is_found() {
    let mut stream = Stream::new(false);
    stream.feed(CONNECT_5);
    stream.feed(b"\x30\x20\0\x05plant\0lost");
    stream.gap();
    stream.feed(b"the end\xc0\0\xc0\0");
    assert_eq!(stream.end()[1..], ["! resync 7 @0", "PINGREQ 5", "PINGREQ 5"]);
}

#[test]
fn a_direction_that_stays_blind_says_so() {
    let lines = decode_at(4, b"\0garbage without end");
    assert_eq!(lines, ["! reserved_type type=0 @0", "! resync 20 @0"]);
}

/// Whoever sent the last octet of all: what is left is of those who sent it.
#[test]
fn what_is_left_at_the_end_is_of_its_sender() {
    #[derive(Default)]
    struct Directions(Vec<Direction>);

    impl Records for Directions {
        fn emit(&mut self, _: &dyn Record) {
            panic!("nobody's")
        }

        fn emit_about(&mut self, direction: Direction, _: &dyn Record) {
            self.0.push(direction);
        }

        fn wants(&self, _: &'static Schema) -> bool {
            true
        }
    }

    for direction in Direction::BOTH {
        let mut conversation = super::conversation(false, Directions::default());
        conversation.say(direction, b"\x30\x05\0");
        assert_eq!(conversation.end().0, [direction]);
    }
}

/// Octets that look like packets again and again cost no more than others.
#[test]
fn looking_for_a_packet_takes_linear_time() {
    let hostile = b"\x30\xc3\x87\x08\x08\x7f".repeat(50_000);
    let mut stream = Stream::new(true);
    for segment in hostile.chunks(1460) {
        stream.feed(segment);
    }
    let lines = stream.end();
    assert!(lines.is_empty(), "{:?}", &lines);
}

/// What a summary tells of a broker.
#[test]
fn facts() {
    let mut stream = Stream::new(false);
    stream.feed(CONNECT_4);
    stream.feed(b"\x82\x0c\0\x02\0\x01a\0\0\x03+/#\x01\x30\x03\0\x01a");
    stream.direction = Direction::ToClient;
    stream.feed(b"\x20\x02\0\x05\x30\x03\0\x01b\x30\x03\0\x01b");
    let mut facts = Vec::new();
    stream.conversation.parser.facts(&mut |name, fact| {
        assert!(PROTOCOL.facts.contains(&name), "{name} is not registered");
        facts.push(format!("{name} {fact:?}"));
    });
    assert_eq!(
        facts,
        [
            "subscriptions Count(2)",
            "messages in Count(1)",
            "messages out Count(2)",
            "refused logins Count(1)",
        ]
    );
}

proptest! {
    #[test]
    fn any_octets_are_read_without_a_panic_and_alike(
        octets in proptest::collection::vec(any::<u8>(), 0..400),
        at in 0usize..400,
        level in 3u8..=6,
        joined in any::<bool>(),
    ) {
        let stream = if level == 6 { octets } else { [connect(level), &octets].concat() };
        let whole = cut(&stream, joined, std::iter::empty());
        prop_assert_eq!(&cut(&stream, joined, std::iter::once(at)), &whole);
        prop_assert_eq!(&cut(&stream, joined, std::iter::repeat(1)), &whole);
    }

    #[test]
    fn changed_packets_are_read_alike(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        lengths in proptest::collection::vec(1usize..30, 0..40),
        level in 3u8..=5,
        joined in any::<bool>(),
    ) {
        let mut stream = damaged(level);
        for (index, octet) in changes {
            let index = index.index(stream.len());
            stream[index] = octet;
        }
        let whole = cut(&stream, joined, std::iter::empty());
        prop_assert_eq!(cut(&stream, joined, lengths.into_iter()), whole);
    }
}
