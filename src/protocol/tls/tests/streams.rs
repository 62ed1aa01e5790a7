//! However a stream is cut, into segments or into records, and whatever it has.

use super::{
    CLIENT, SERVER, TOLD_12, begin, certificate, certificates, client_hello, data, extension,
    handshake, message, record, server_hello, whole_12,
};
use crate::flow::Direction;

/// A handshake with a certificate, and data behind it.
fn conversation() -> Vec<(Direction, Vec<u8>)> {
    let mut all = whole_12();
    let validity = [&b"261101000000Z"[..], b"271101000000Z"];
    let der = certificates::der("CA", "station", validity, &[]);
    all.insert(2, (SERVER, handshake(11, &certificate(&der))));
    all[0].1 = handshake(1, &client_hello(&[extension(0, b"\0\x06\0\0\x03abc")]));
    all.extend([(CLIENT, data(50)), (SERVER, data(300)), (CLIENT, data(2))]);
    all
}

fn told_in_pieces(all: &[(Direction, Vec<u8>)], piece: usize, joined: bool) -> Vec<String> {
    let mut conversation = begin(joined);
    for (direction, octets) in all {
        for piece in octets.chunks(piece) {
            conversation.say(*direction, piece);
        }
    }
    conversation.ended()
}

#[test]
fn segments_do_not_matter() {
    let all = conversation();
    for joined in [false, true] {
        let whole = told_in_pieces(&all, usize::MAX, joined);
        assert_eq!(whole.len(), 1);
        for piece in [1, 2, 3, 5, 7, 64, 1000] {
            assert_eq!(told_in_pieces(&all, piece, joined), whole, "{piece} {joined}");
        }
    }
}

/// The messages of one direction, cut into records of so many octets.
fn in_records(messages: &[u8], octets: usize) -> Vec<u8> {
    messages.chunks(octets).flat_map(|piece| record(22, piece)).collect()
}

#[test]
fn records_do_not_matter() {
    let validity = [&b"261101000000Z"[..], b"271101000000Z"];
    let der = certificates::der("CA", "station", validity, &[]);
    let hello = message(1, &client_hello(&[]));
    let flight = [
        message(2, &server_hello(3, &[])),
        message(11, &certificate(&der)),
        message(12, &[3, 0, 29, 1, 9]),
        message(14, &[]),
    ]
    .concat();
    let rest = &whole_12()[4..];
    let told = |octets, piece| {
        let first = [(CLIENT, in_records(&hello, octets)), (SERVER, in_records(&flight, octets))];
        told_in_pieces(&[&first[..], rest].concat(), piece, false)
    };
    let whole = told(16_384, usize::MAX);
    assert!(whole.len() == 1 && whole[0].contains("subject=CN=station"), "{whole:?}");
    for octets in 1..100 {
        assert_eq!(told(octets, usize::MAX), whole, "{octets}");
        assert_eq!(told(octets, 1), whole, "{octets}");
    }
}

/// Messages that are too long are passed over, and said to be.
#[test]
fn what_is_too_long_is_passed_over() {
    let validity = [&b"261101000000Z"[..], b"271101000000Z"];
    let leaf = certificates::der("CA", "station", validity, &[]);
    let chain = |first: &[u8], more: usize| {
        let length = |octets: usize| (octets as u32).to_be_bytes()[1..].to_vec();
        let list = [length(first.len()), first.to_vec(), vec![7; more]].concat();
        [length(list.len()), list].concat()
    };
    let told = |body: &[u8], octets| {
        let mut all = whole_12();
        all.insert(2, (SERVER, in_records(&message(11, body), octets)));
        told_in_pieces(&all, 1400, false)
    };
    let whole = told(&chain(&leaf, 500_000), 16_384);
    assert!(whole.len() == 1 && whole[0].contains("subject=CN=station"), "{whole:?}");
    for lines in [told(&chain(&vec![7; 70_000], 0), 16_384), told(&chain(&vec![7; 60_000], 0), 5)] {
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(" partial=true"), "{lines:?}");
        assert!(lines[0].starts_with("> completed"), "{lines:?}");
    }
}

#[test]
fn every_prefix_and_every_changed_octet_is_survived() {
    let all = conversation();
    let mut sound = 0;
    for index in 0..all.len() {
        for octet in 0..all[index].1.len() {
            let mut cut = all[..=index].to_vec();
            cut[index].1.truncate(octet);
            assert!(told_in_pieces(&cut, usize::MAX, false).len() <= 1);
            for change in [0x01, 0x80, 0xff] {
                let mut changed = all.clone();
                changed[index].1[octet] ^= change;
                let lines = told_in_pieces(&changed, usize::MAX, false);
                assert!(lines.len() <= 12, "{lines:?}");
                sound += u32::from(lines.len() == 1);
            }
        }
    }
    assert!(sound > 1000, "{sound} of them change only what nobody minds");
}

/// A record that is passed over is not looked at, whatever it looks like.
#[test]
fn what_is_encrypted_is_not_looked_at() {
    let mut conversation = begin(false);
    conversation.say_all(&whole_12());
    assert_eq!(conversation.told(), [TOLD_12]);
    let hello = handshake(1, &client_hello(&[]));
    for content in [22, 23, 24] {
        conversation.say(CLIENT, &record(content, &hello));
        conversation.say(SERVER, &record(content, &vec![0xff; 16_640]));
    }
    assert_eq!(conversation.ended(), [""; 0]);
}

/// After damage, records are found again; what was taken for one and was none is no accusation.
#[test]
fn what_looks_like_a_record_in_noise_leads_nowhere() {
    let decoy = [23, 3, 3, 0, 9];
    let noise = [&[0xff; 100][..], &decoy, &[0xee; 40], &decoy, &[0xaa; 50]].concat();
    let mut conversation = begin(false);
    conversation.say_all(&whole_12());
    conversation.gap(SERVER);
    conversation.say(SERVER, &[noise.clone(), data(20), data(30), data(40)].concat());
    assert_eq!(conversation.ended()[1..], [format!("! resync {} @0", noise.len())]);
}
