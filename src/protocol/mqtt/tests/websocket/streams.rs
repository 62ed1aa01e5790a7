//! Packets over frames: cut anywhere, behind a gap, larger than what is kept.

use proptest::prelude::*;

use super::super::streams::damaged;
use super::super::{CONNECT_4, CONNECT_5, PROTOCOL, decode};
use super::{ASKS, BINARY, CONTINUATION, FINAL, PING, PONG};
use super::{Connection, decode_sent, frame, received, sent};
use crate::flow::Direction::{ToClient, ToServer};

/// A packet in as many frames as it has octets.
#[test]
fn the_smallest_frames_are_read_one_by_one() {
    let connect: Vec<u8> = CONNECT_5.iter().flat_map(|octet| sent(BINARY, &[*octet])).collect();
    let lines = decode_sent(&connect);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("CONNECT 5"));
}

/// What comes behind a hole is read from the next frame on, and what was passed over is told.
#[test]
fn behind_a_gap_the_next_frame_is_found() {
    let publish = sent(BINARY, b"\x30\x0d\0\x05plant17 MW.");
    for lost in 1..publish.len() {
        let mut connection = Connection::upgraded();
        connection.feed(ToServer, &sent(BINARY, CONNECT_4));
        connection.feed(ToServer, &publish[..publish.len() / 3]);
        connection.gap(ToServer, 100);
        connection.feed(ToServer, &publish[lost..]);
        connection.feed(ToServer, &publish);
        let lines = connection.end();
        let expected = format!("! resync {} @0", publish.len() - lost);
        assert_eq!(lines[1], expected);
        assert!(lines[2].starts_with("PUBLISH 4 topic=plant"), "{lines:?}");
        assert_eq!(lines.len(), 3);
    }
}

/// Behind a gap, octets that begin in a frame.
fn behind_a_gap(octets: &[u8], lengths: impl Iterator<Item = usize>) -> Vec<String> {
    let mut connection = Connection::upgraded();
    connection.feed(ToServer, &sent(BINARY, CONNECT_4));
    connection.gap(ToServer, 100);
    feed_cut(&mut connection, octets, lengths);
    connection.end()
}

/// What a frame holds behind its last whole packet may be the start of another, or speak against it.
#[test]
fn behind_a_gap_the_same_frame_is_found_however_it_is_cut() {
    let publish = b"\x30\x0d\0\x05plant17 MW.";
    let mut results = std::collections::BTreeSet::new();
    for last in 0..=u8::MAX {
        let first = sent(BINARY, &[&publish[..], &[last]].concat());
        let octets = [&b"rest"[..], &first, &sent(BINARY, publish)].concat();
        let whole = behind_a_gap(&octets, std::iter::empty());
        for segment in [1, 2, 7] {
            let cut = behind_a_gap(&octets, std::iter::repeat(segment));
            assert_eq!(cut, whole, "{last:02x} in pieces of {segment}");
        }
        results.insert(whole[1].clone());
    }
    assert_eq!(results.len(), 2, "some last octets speak against the frame: {results:?}");
}

/// What was passed over before another gap does not depend on how many octets were asked for then.
#[test]
fn between_two_gaps_as_much_is_passed_over_however_it_is_cut() {
    for begun in [&b"\x82\x82\0\0\0\0"[..], b"\x82\x02", b"\x82\x03\xd0\0", b"\x82"] {
        for last in 0..=u8::MAX {
            let octets = [&b"rest"[..], begun, &[last]].concat();
            let told = |segment| {
                let mut connection = Connection::upgraded();
                connection.feed(ToServer, &sent(BINARY, CONNECT_4));
                connection.gap(ToServer, 100);
                octets.chunks(segment).for_each(|piece| connection.feed(ToServer, piece));
                connection.gap(ToServer, 100);
                connection.feed(ToServer, &sent(BINARY, b"\xc0\0\xc0\0"));
                connection.end()
            };
            assert_eq!(told(1), told(octets.len()), "{begun:02x?} {last:02x}");
        }
    }
}

#[test]
fn a_direction_that_is_never_found_again_is_told() {
    let mut connection = Connection::upgraded();
    connection.feed(ToServer, &sent(BINARY, CONNECT_4));
    connection.gap(ToServer, 100);
    connection.feed(ToServer, &[b'x'; 500]);
    let lines = connection.end();
    assert_eq!(lines[1..], ["! resync 500 @0"], "{lines:?}");
}

/// Evidence shows everything but these.
#[test]
fn passwords_are_hidden_wherever_frames_cut_them() {
    let connect = b"\x10\x19\0\x04MQTT\x04\xc2\0\x3c\0\x01c\0\x02me\0\x06secret";
    let password = connect.len() - 6;
    for cut in 1..connect.len() {
        let frames =
            [sent(BINARY & !FINAL, &connect[..cut]), sent(CONTINUATION | FINAL, &connect[cut..])]
                .concat();
        for segment in [1, 5, frames.len()] {
            let mut connection = Connection::upgraded();
            let hidden = connection.0.out.secrets.clone();
            frames.chunks(segment).for_each(|piece| connection.feed(ToServer, piece));
            let place = |octet: usize| ASKS.len() + octet + if octet < cut { 6 } else { 12 };
            let octets = place(password)..place(connect.len() - 1) + 1;
            let told = &connection.0.out.secrets[hidden.len()..];
            // Told again when more of it came.
            let starts = told.iter().map(|(_, secret)| secret.start);
            let ends = told.iter().map(|(_, secret)| secret.end);
            let all = starts.min().unwrap()..ends.max().unwrap();
            assert_eq!(all, octets, "{cut} {segment}");
            assert!(told.iter().all(|(direction, _)| *direction == ToServer));
        }
    }
}

/// The rest of a packet that is longer than what is kept is passed over as it comes, in a frame as
/// long as it, and in many.
#[test]
fn the_largest_publish_is_skipped() {
    const REMAINING: usize = 268_435_455;
    let head = b"\x30\xff\xff\xff\x7f\0\x01a";
    let expected = "PUBLISH 4 topic=a message=1024 octets payload_length=268435452 \
        payload_utf8=true truncated=true skipped_length=268369914";
    let (segment, total) = (vec![b'x'; 1024 * 1024], 5 + REMAINING);
    for pieces in [1, 4096] {
        let mut connection = Connection::upgraded();
        connection.feed(ToClient, &received(BINARY, b"\x20\x02\0\0"));
        let mut left = total;
        for piece in 0..pieces {
            let begin = if piece == 0 { BINARY & !FINAL } else { CONTINUATION };
            let last = if piece + 1 == pieces { FINAL } else { 0 };
            let length = if piece + 1 == pieces { left } else { total / pieces };
            let mut header = vec![begin | last, 127];
            header.extend((length as u64).to_be_bytes());
            connection.feed(ToClient, &header);
            let mut inside = length;
            if piece == 0 {
                connection.feed(ToClient, head);
                inside -= head.len();
            }
            while inside > 0 {
                let octets = segment.len().min(inside);
                connection.feed(ToClient, &segment[..octets]);
                assert!(connection.0.kept(ToClient) <= 128 * 1024);
                inside -= octets;
            }
            left -= length;
        }
        connection.feed(ToClient, &received(BINARY, b"\xd0\0"));
        let lines = connection.end();
        let packets: Vec<_> = lines.iter().filter(|line| !line.starts_with('!')).collect();
        assert_eq!(packets.len(), 3, "{lines:?}");
        assert_eq!(packets[1].replace("4? ", "4 "), expected);
    }
}

/// Frames that say nothing between the octets of a packet do not grow what is kept beyond its cap.
#[test]
fn a_packet_that_is_drowned_in_frames_is_told_as_far_as_it_is_kept() {
    let publish = b"\x30\x40\0\x05plant17 MW.";
    let filler = sent(PING, &[b'x'; 125]).repeat(PROTOCOL.max_kept / 131);
    for segment in [1400, 100_000] {
        let mut connection = Connection::upgraded();
        connection.feed(ToServer, &sent(BINARY, CONNECT_4));
        let frames = [
            sent(BINARY & !FINAL, publish),
            filler.clone(),
            filler.clone(),
            sent(CONTINUATION | FINAL, &[b'x'; 0x42 - 15]),
            sent(BINARY, b"\xc0\0"),
        ]
        .concat();
        for piece in frames.chunks(segment) {
            connection.feed(ToServer, piece);
            assert!(connection.0.kept(ToServer) < PROTOCOL.max_kept + segment);
        }
        let lines = connection.end();
        assert_eq!(lines.len(), 3, "{lines:?}");
        let expected = "PUBLISH 4 topic=plant message=17 MW. payload_length=57 payload_utf8=true \
            truncated=true skipped_length=51";
        assert_eq!(lines[1], expected);
        assert_eq!(lines[2], "PINGREQ 4");
    }
}

/// Wraps a stream in frames of these lengths, with what the numbers say between them.
fn wrap(stream: &[u8], numbers: &[u16], mask: bool) -> Vec<u8> {
    let mut numbers = numbers.iter().copied().cycle();
    let mut next = move |below: u16| numbers.next().unwrap_or_default() % below;
    let mut frames = Vec::new();
    let (mut rest, mut is_inside) = (stream, false);
    while !rest.is_empty() {
        let key = mask.then(|| next(u16::MAX).to_be_bytes().repeat(2).try_into().unwrap());
        match next(6) {
            0 => frames.extend(frame(PING, key, &[b'p'; 3])),
            1 => frames.extend(frame(PONG, key, b"\xc0\0")),
            2 if is_inside => frames.extend(frame(CONTINUATION, key, b"")),
            3 if !is_inside => frames.extend(frame(BINARY, key, b"")),
            _ => {}
        }
        let length = 1 + usize::from([next(4), next(20), next(200)][usize::from(next(3))]);
        let (payload, behind) = rest.split_at(length.min(rest.len()));
        let is_final = behind.is_empty() || next(3) != 0;
        let opcode = if is_inside { CONTINUATION } else { BINARY & !FINAL };
        frames.extend(frame(if is_final { opcode | FINAL } else { opcode }, key, payload));
        (rest, is_inside) = (behind, !is_final);
    }
    frames
}

fn cut(frames: &[u8], lengths: impl Iterator<Item = usize>) -> Vec<String> {
    let mut connection = Connection::upgraded();
    feed_cut(&mut connection, frames, lengths);
    connection.end()
}

/// Octets in segments of these lengths, and the rest in one.
fn feed_cut(connection: &mut Connection, octets: &[u8], lengths: impl Iterator<Item = usize>) {
    let mut rest = octets;
    for length in lengths {
        let (segment, behind) = rest.split_at(length.min(rest.len()));
        connection.feed(ToServer, segment);
        rest = behind;
        if rest.is_empty() {
            return;
        }
    }
    connection.feed(ToServer, rest);
}

proptest! {
    #[test]
    fn wrapped_streams_say_the_same(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        numbers in prop::collection::vec(any::<u16>(), 50..200),
        level in 3u8..=5,
    ) {
        let mut stream = damaged(level);
        for (index, octet) in changes {
            let index = index.index(stream.len());
            stream[index] = octet;
        }
        // Plain, it is taken for what it is by its beginning.
        prop_assume!(!stream.starts_with(b"GET ") && !stream.starts_with(b"HTTP/1."));
        let frames = wrap(&stream, &numbers, true);
        prop_assert_eq!(cut(&frames, std::iter::empty()), decode(&stream));
    }

    #[test]
    fn frames_are_read_alike_however_they_are_cut(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        numbers in prop::collection::vec(any::<u16>(), 50..200),
        lengths in prop::collection::vec(1usize..300, 1..60),
        level in 3u8..=5,
    ) {
        let mut frames = wrap(&damaged(level), &numbers, true);
        for (index, octet) in changes {
            let index = index.index(frames.len());
            frames[index] = octet;
        }
        let whole = cut(&frames, std::iter::empty());
        prop_assert_eq!(&cut(&frames, lengths.into_iter()), &whole);
        prop_assert_eq!(&cut(&frames, std::iter::repeat(1)), &whole);
    }

    #[test]
    fn behind_a_gap_frames_are_read_alike_however_they_are_cut(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        numbers in prop::collection::vec(any::<u16>(), 50..200),
        lengths in prop::collection::vec(1usize..300, 1..60),
        from in any::<prop::sample::Index>(),
        level in 3u8..=5,
    ) {
        let mut frames = wrap(&damaged(level), &numbers, true);
        for (index, octet) in changes {
            let index = index.index(frames.len());
            frames[index] = octet;
        }
        let frames = &frames[from.index(frames.len())..];
        let whole = behind_a_gap(frames, std::iter::empty());
        prop_assert_eq!(&behind_a_gap(frames, lengths.into_iter()), &whole);
        prop_assert_eq!(&behind_a_gap(frames, std::iter::repeat(1)), &whole);
    }

    #[test]
    fn any_octets_behind_an_upgrade_are_read_without_a_panic_and_alike(
        octets in prop::collection::vec(any::<u8>(), 0..600),
        at in 0usize..600,
    ) {
        let whole = cut(&octets, std::iter::empty());
        prop_assert_eq!(&cut(&octets, std::iter::once(at)), &whole);
        prop_assert_eq!(&cut(&octets, std::iter::repeat(1)), &whole);
    }
}
