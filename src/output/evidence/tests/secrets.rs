//! Of what gives something away, no octet is in a case.

use super::*;

/// Compares what a case shows of the client's stream: no octet of `secret`, and nothing false.
/// Returns which other octets are not shown.
fn compare(case: &Case, stream: &[u8], secret: &Range<usize>) -> Vec<usize> {
    let mut hidden = Vec::new();
    for (sequence, data, checksum) in sent(case) {
        assert_eq!(checksum, Checksum::Good);
        // SYN has the number before the first.
        for (at, octet) in (sequence.wrapping_sub(1) as usize..).zip(data) {
            if secret.contains(&at) {
                assert_eq!(*octet, BLANK, "octet {at} of the stream shows in {data:?}");
            } else if *octet != stream[at] {
                assert_eq!(*octet, BLANK);
                hidden.push(at);
            }
        }
    }
    hidden
}

/// How three segments may come.
const ORDERS: [&[usize]; 6] =
    [&[0, 1, 2], &[1, 0, 2], &[2, 1, 0], &[0, 2, 1], &[0, 0, 1, 1, 2, 2, 0, 1], &[0, 2]];

/// Whatever the segments, their order and the moment at which the case ends.
#[test]
fn no_octet_of_a_password_shows() {
    let rules = rules();
    let mut shown_whole = 0;
    for login in LOGINS {
        let stream = [HELLO, PING, login, PING].concat();
        let begin = HELLO.len() + PING.len();
        let secret = begin + login.len() - 6..begin + login.len();
        for (one, other) in (0..login.len()).flat_map(|one| [(one, one + 1), (one, one + 5)]) {
            let ends = [begin, begin + one, (begin + other).min(secret.end), stream.len()];
            for order in ORDERS {
                for packets in [1, 2, 3, 4, 64] {
                    let mut scene = Scene::new(&rules, &Options { packets, ..options() });
                    scene.open(4000);
                    scene.send(4000, 1, &stream[..begin]);
                    for part in order {
                        let octets = &stream[ends[*part]..ends[part + 1]];
                        scene.send(4000, 1 + ends[*part] as u32, octets);
                    }
                    scene.acknowledge(4000, 1 + stream.len() as u32);
                    scene.wait(3000);
                    scene.send(4000, 1 + stream.len() as u32, PING);
                    let stream = [&stream, PING].concat();
                    let cases = scene.finish();
                    assert!(!cases.is_empty());
                    for case in &cases {
                        let hidden = compare(case, &stream, &secret);
                        if packets == 64 && order.len() > 2 {
                            assert_eq!(
                                hidden, [0_usize; 0],
                                "{login:?} {ends:?} {order:?} {packets}"
                            );
                            shown_whole += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(shown_whole > 500);
}

/// Packets with a user name, then those with payloads: `said` and `noted` are what applications say.
const PERSONAL: [&[u8]; 4] = [
    b"\x10\x12\0\x04MQTT\x04\x82\0\x3c\0\x01a\0\x03bob",
    b"\x10\x16\0\x06MQIsdp\x03\xc2\0\x3c\0\x01a\0\x03bob\0\0",
    b"\x10\x1d\0\x04MQTT\x05\xc6\0\x3c\0\0\x01a\0\0\x01t\0\x01w\0\x03bob\0\x01p",
    b"\x10\x12\0\x04MQTT\x04\xc2\0\x3c\0\x01a\0\x03bob",
];
const MESSAGES: [&[u8]; 6] = [
    b"\x30\x07\0\x01tsaid",
    b"\x32\x09\0\x01t\0\x01said",
    b"\x10\x16\0\x04MQTT\x04\x06\0\x3c\0\x01a\0\x01t\0\x04said",
    b"\x10\x20\0\x04MQTT\x05\x06\0\x3c\0\0\x01a\x08\x09\0\x05noted\0\x01t\0\x04said",
    // A length that is beyond the packet.
    b"\x10\x16\0\x04MQTT\x04\x06\0\x3c\0\x01a\0\x01t\0\xffsaid",
    // No packet at all, in which a message may be as well.
    b"\0\x07\0\x01tsaid\0",
];

/// Each cut in three anywhere, with each order of the segments.
fn without(packets: &[&[u8]], redaction: Redaction, words: &[&str]) {
    let rules = rules();
    let mut shown = 0;
    for packet in packets {
        let stream = [HELLO, PING, packet, PING].concat();
        let begin = HELLO.len() + PING.len();
        let places: Vec<usize> = words
            .iter()
            .filter_map(|word| memchr::memmem::find(packet, word.as_bytes()).map(|at| (word, at)))
            .flat_map(|(word, at)| begin + at..begin + at + word.len())
            .collect();
        assert!(!places.is_empty());
        for (one, other) in (0..packet.len()).flat_map(|one| [(one, one + 1), (one, one + 5)]) {
            let ends = [begin, begin + one, (begin + other).min(stream.len()), stream.len()];
            for (order, packets) in ORDERS.iter().flat_map(|order| [(order, 2), (order, 64)]) {
                let mut scene = Scene::new(&rules, &Options { packets, redaction, ..options() });
                scene.open(4000);
                scene.send(4000, 1, &stream[..begin]);
                for part in *order {
                    let octets = &stream[ends[*part]..ends[part + 1]];
                    scene.send(4000, 1 + ends[*part] as u32, octets);
                }
                scene.acknowledge(4000, 1 + stream.len() as u32);
                scene.wait(3000);
                scene.send(4000, 1 + stream.len() as u32, PING);
                for case in scene.finish() {
                    for (sequence, data, _) in sent(&case) {
                        let numbered = (sequence.wrapping_sub(1) as usize..).zip(data);
                        let (hidden, open): (Vec<_>, Vec<_>) =
                            numbered.partition(|(at, _)| places.contains(at));
                        assert!(
                            hidden.iter().all(|(_, octet)| **octet == BLANK),
                            "{packet:?} {ends:?} {order:?}: {data:?}"
                        );
                        shown += open.iter().filter(|(_, octet)| **octet != BLANK).count();
                    }
                }
            }
        }
    }
    assert!(shown > 10_000, "{shown}");
}

#[test]
fn no_octet_of_a_user_name_shows_that_is_redacted() {
    without(&PERSONAL, Redaction { user_names: true, payloads: false }, &["bob"]);
}

#[test]
fn no_octet_of_a_payload_shows_that_is_redacted() {
    let redaction = Redaction { user_names: false, payloads: true };
    without(&MESSAGES, redaction, &["said", "noted"]);
}

/// More messages than secrets are remembered: the last ones show all but their payloads.
#[test]
fn of_many_payloads_none_shows() {
    let redaction = Redaction { payloads: true, ..Redaction::default() };
    let mut scene = Scene::new(&rules(), &Options { redaction, ..options() });
    scene.open(4000);
    scene.send(4000, 1, HELLO);
    let mut next = 1 + HELLO.len() as u32;
    let bundle = [MESSAGES[0].repeat(30), PING.to_vec()].concat();
    for _ in 0..20 {
        scene.send(4000, next, &bundle);
        next += bundle.len() as u32;
    }
    let cases = scene.finish();
    let shown: Vec<u8> =
        cases.iter().flat_map(sent).flat_map(|(_, data, _)| data.to_vec()).collect();
    assert!(memchr::memmem::find(&shown, b"said").is_none());
    let count = memchr::memmem::find_iter(&shown, b"\x30\x07\0\x01t****").count();
    assert!(count > 60, "{count}");
}

#[test]
fn passwords_show_if_that_is_wanted() {
    let mut scene = Scene::new(&rules(), &Options { blank_passwords: false, ..options() });
    scene.open(4000);
    scene.send(4000, 1, &[LOGINS[0], PING].concat());
    let cases = scene.finish();
    assert!(sent(&cases[0]).iter().any(|(_, data, _)| data.ends_with(b"secret\xc0\0")));
}
