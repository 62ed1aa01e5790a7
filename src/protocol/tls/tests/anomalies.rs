//! Each anomaly is raised by what it is about, alone; and its legal neighbours raise none.

use super::{
    CHANGE_CIPHER_SPEC, CLIENT, SERVER, TOLD_12, begin, certificate, certificates, client_hello,
    data, extension, handshake, message, record, server_hello, server_hello_13, told, whole_12,
};
use crate::flow::Direction;
use crate::protocol::tls::violation::NAMES;

type Said = Vec<(Direction, Vec<u8>)>;

/// The anomalies among the lines.
fn anomalies(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.strip_prefix("! ")).collect()
}

/// What is wrong with a handshake into which something was put at this place. It is told as if
/// nothing was wrong with it.
fn wrong_in_12(place: usize, direction: Direction, octets: &[u8]) -> Vec<String> {
    let mut all = whole_12();
    all.insert(place, (direction, octets.to_vec()));
    let mut lines = told(&all);
    assert_eq!(lines.pop().as_deref(), Some(TOLD_12));
    lines
}

/// The same, where the handshake is told with other fields.
fn wrong(all: &Said) -> Vec<String> {
    let lines = told(all);
    let anomalies: Vec<_> = anomalies(&lines).into_iter().map(str::to_owned).collect();
    assert_eq!(lines.len(), anomalies.len() + 1, "one handshake: {lines:?}");
    anomalies
}

const NONE: [&str; 0] = [];

/// RFC 8446, 5.1.
#[test]
fn record_type() {
    for octet in [0, 19, 25, 0x80, 255] {
        let mut conversation = begin(false);
        conversation.say_all(&whole_12());
        conversation.say(CLIENT, &[&[octet, 3, 3, 0, 1, 9][..], &data(9), &data(9)].concat());
        let lines = conversation.ended();
        assert_eq!(lines[1..], [format!("! record_type type={octet} @0"), "! resync 6 @0".into()]);
    }
}

#[test]
fn record_version() {
    for version in [0x0200, 0x0305, 0x0403] {
        let [major, minor] = u16::to_be_bytes(version);
        let mut conversation = begin(false);
        conversation.say_all(&whole_12());
        conversation.say(SERVER, &[&[23, major, minor, 0, 1, 9][..], &data(9), &data(9)].concat());
        let lines = conversation.ended();
        let expected = format!("! record_version version={version} @1");
        assert_eq!(lines[1..], [expected, "! resync 6 @0".into()]);
    }
}

/// RFC 5246, 6.2.3.
#[test]
fn record_length() {
    for length in [16_384 + 2048, 16_384 + 2049_usize] {
        let mut conversation = begin(false);
        conversation.say_all(&whole_12());
        let header = [&[23, 3, 3][..], &(length as u16).to_be_bytes()].concat();
        conversation.say(CLIENT, &[header, vec![0xdd; length], data(9), data(9)].concat());
        let lines = conversation.ended();
        if length == 16_384 + 2048 {
            assert_eq!(lines.len(), 1);
        } else {
            let expected = ["! record_length length=18433 @3", "! resync 18438 @0"];
            assert_eq!(lines[1..], expected);
        }
    }
    // In clear.
    let empty = record(22, &[]);
    assert_eq!(wrong_in_12(1, SERVER, &empty), ["! record_length length=0 @3"]);
    let two = record(21, &[1, 112, 1, 112]);
    assert_eq!(wrong_in_12(1, SERVER, &two), ["! record_length length=4 @3"]);
    assert_eq!(wrong_in_12(9, SERVER, &data(0)), NONE);
    // What stands behind it is not its own.
    let behind = [record(24, &[]), record(21, &[1, 112])].concat();
    let all = vec![whole_12()[0].clone(), (SERVER, behind)];
    assert_eq!(wrong(&all), ["record_length length=0 @3"]);
}

#[test]
fn resync() {
    let mut conversation = begin(false);
    conversation.say_all(&whole_12());
    conversation.gap(CLIENT);
    conversation.say(CLIENT, &[&[1, 2, 3][..], &data(9), &data(9)].concat());
    assert_eq!(conversation.ended()[1..], ["! resync 3 @0"]);

    let mut conversation = begin(false);
    conversation.say_all(&whole_12());
    conversation.gap(CLIENT);
    conversation.say(CLIENT, &[&data(9)[..], &data(9)].concat());
    assert_eq!(conversation.ended()[1..], NONE, "the next octet begins a record");
}

#[test]
fn resync_at_the_end() {
    let mut conversation = begin(false);
    conversation.say_all(&whole_12());
    conversation.gap(SERVER);
    conversation.say(SERVER, &[&[0xcc; 100][..], &[22, 3, 3]].concat());
    assert_eq!(conversation.ended()[1..], ["! resync 103 @0"]);
}

/// Clause 4.
#[test]
fn handshake_type() {
    for kind in [7, 9, 10, 99, 255] {
        let expected = format!("! handshake_type type={kind} @0");
        assert_eq!(wrong_in_12(3, SERVER, &handshake(kind, &[1, 2])), [expected]);
    }
    assert_eq!(wrong_in_12(3, SERVER, &handshake(22, &[1, 0, 0, 0])), NONE, "CertificateStatus");
}

#[test]
fn handshake_length() {
    assert_eq!(
        wrong_in_12(3, SERVER, &handshake(14, &[0])),
        ["! handshake_length length=1 @1"],
        "ServerHelloDone has nothing to say"
    );
    let short = handshake(1, &client_hello(&[])[..37]);
    let lines = wrong(&vec![(CLIENT, short)]);
    assert_eq!(lines, ["handshake_length length=37 @1"]);
}

/// RFC 8446, 5.1: nothing may stand between the records of a message.
#[test]
fn handshake_interrupted() {
    let hello = message(16, &[0; 100]);
    let cut = [record(22, &hello[..50]), CHANGE_CIPHER_SPEC.to_vec()].concat();
    let mut all = whole_12();
    all.splice(4..6, [(CLIENT, cut)]);
    let lines = told(&all);
    assert_eq!(lines, ["! handshake_interrupted 20 @0", TOLD_12]);

    let hello = message(1, &client_hello(&[]));
    for cut in [1, 4, 5, 40] {
        let said = vec![
            (CLIENT, [record(22, &hello[..cut]), record(21, &[1, 112])].concat()),
            (CLIENT, record(22, &hello)),
        ];
        let [interrupted] = &wrong(&said)[..] else { panic!("{:?}", told(&said)) };
        assert_eq!(interrupted, &format!("handshake_interrupted 21 @{cut}"));
    }
}

#[test]
fn truncated() {
    let mut hello = client_hello(&[extension(0, b"\0\x06\0\0\x03abc")]);
    let length = hello.len();
    // The name is said to be longer than its list.
    hello[length - 4] = 9;
    assert_eq!(wrong(&vec![(CLIENT, handshake(1, &hello))]), ["truncated 6 @58"]);

    let hello = client_hello(&[extension(0x5555, &[1, 2, 3])]);
    let cut = handshake(1, &hello[..hello.len() - 1]);
    assert_eq!(wrong(&vec![(CLIENT, cut)]), ["truncated 1 @49"]);

    let mut list = certificate(b"none");
    list[2] += 1;
    let said = vec![whole_12()[0].clone(), (SERVER, handshake(11, &list))];
    assert_eq!(wrong(&said), ["truncated certificate_list=8 @4"]);
}

#[test]
fn trailing_bytes() {
    let mut hello = client_hello(&[extension(0x5555, &[])]);
    hello.extend([1, 2]);
    assert_eq!(wrong(&vec![(CLIENT, handshake(1, &hello))]), ["trailing_bytes 2 @53"]);
    let hello = [server_hello(3, &[extension(0x5555, &[])]), vec![0]].concat();
    let said = vec![whole_12()[0].clone(), (SERVER, handshake(2, &hello))];
    assert_eq!(wrong(&said), ["trailing_bytes 1 @48"]);
}

#[test]
fn certificate_malformed() {
    let said = |der: &[u8]| vec![whole_12()[0].clone(), (SERVER, handshake(11, &certificate(der)))];
    assert_eq!(wrong(&said(b"none")), ["certificate_malformed certificate=4 @10"]);
    let sound = certificates::der("a", "b", [b"261101000000Z", b"271101000000Z"], &[]);
    assert_eq!(wrong(&said(&sound)), NONE);
}

#[test]
fn change_cipher_spec() {
    let mut all = whole_12();
    all[5].1[5] = 2;
    assert_eq!(told(&all), ["! change_cipher_spec 2 @5", TOLD_12]);
}

#[test]
fn alert_level() {
    for (level, expected) in [(0, 1), (1, 0), (3, 1)] {
        let mut all = whole_12();
        all.insert(1, (SERVER, record(21, &[level, 112])));
        assert_eq!(wrong(&all).len(), expected, "{level}");
    }
    let all = vec![whole_12()[0].clone(), (SERVER, record(21, &[7, 112]))];
    assert_eq!(wrong(&all), ["alert_level level=7 @5"]);
}

/// CVE-2014-0160.
#[test]
fn heartbeat_length() {
    let heartbeat = |payload: u16, octets: usize| {
        record(24, &[&[1][..], &payload.to_be_bytes(), &vec![0; octets]].concat())
    };
    assert_eq!(wrong_in_12(4, CLIENT, &heartbeat(4, 20)), NONE);
    let bleeds = ["! heartbeat_length payload_length=16384 @6"];
    assert_eq!(wrong_in_12(4, CLIENT, &heartbeat(16_384, 0)), bleeds);
    assert_eq!(wrong_in_12(9, CLIENT, &heartbeat(16_384, 0)), NONE, "it is encrypted");
}

#[test]
fn data_before_encryption() {
    let expected = ["! data_before_encryption 16 @0"];
    assert_eq!(told(&whole_12()[..2]).len(), 1);
    assert_eq!(wrong_in_12_up_to(5, CLIENT, &data(16)), expected);
    assert_eq!(wrong_in_12_up_to(4, SERVER, &data(16)), expected);
    assert_eq!(wrong_in_12_up_to(7, CLIENT, &data(16)), NONE);
    assert_eq!(wrong_in_12_up_to(1, CLIENT, &data(16)), NONE, "the version is not known");
}

/// What is wrong where a handshake goes so far, and then this comes.
fn wrong_in_12_up_to(count: usize, direction: Direction, octets: &[u8]) -> Vec<String> {
    let mut all = whole_12();
    all.truncate(count);
    all.push((direction, octets.to_vec()));
    let mut lines = told(&all);
    lines.pop();
    lines
}

#[test]
fn plaintext_after_encryption() {
    let alert = record(21, &[2, 20]);
    let expected = ["! plaintext_after_encryption 21 @0"];
    assert_eq!(wrong_in_12_up_to(7, CLIENT, &alert), expected);
    assert_eq!(wrong_in_12_up_to(7, CLIENT, &record(21, &[9; 26])), NONE, "an encrypted one");

    let begun = |octets: Vec<u8>| {
        vec![
            (CLIENT, handshake(1, &client_hello(&[]))),
            (SERVER, handshake(2, &server_hello_13())),
            (SERVER, octets),
        ]
    };
    assert_eq!(wrong(&begun(handshake(8, &[0, 0]))), ["plaintext_after_encryption 22 @0"]);
    assert_eq!(wrong(&begun(data(30))), NONE);
    assert_eq!(wrong(&begun(CHANGE_CIPHER_SPEC.to_vec())), NONE);
}

#[test]
fn each_is_told_once_in_a_direction() {
    let mut conversation = begin(false);
    for _ in 0..100 {
        for direction in [CLIENT, SERVER] {
            conversation.say(direction, &handshake(99, &[]));
        }
    }
    assert_eq!(conversation.ended(), ["! handshake_type type=99 @0"; 2]);
}

/// What was not seen accuses nobody.
#[test]
fn joined_in_the_middle_nothing_is_held_against_anybody() {
    let mut all = whole_12();
    all.extend([(CLIENT, data(100)), (SERVER, data(100)), (CLIENT, record(21, &[9; 26]))]);
    all.extend([(CLIENT, data(100)), (SERVER, data(100))]);
    for skipped in 0..all.len() {
        let mut conversation = begin(true);
        conversation.say_all(&all[skipped..]);
        assert_eq!(anomalies(&conversation.ended()), NONE, "without {skipped}");
    }
    for lost in 0..all.len() {
        let mut conversation = begin(false);
        for (index, (direction, octets)) in all.iter().enumerate() {
            if index == lost {
                conversation.gap(*direction);
            } else {
                conversation.say(*direction, octets);
            }
        }
        let lines = conversation.ended();
        assert_eq!(anomalies(&lines), NONE, "without {lost}");
        assert!(lost > 8 || lines.iter().any(|line| line.contains(" partial=true")), "{lines:?}");
    }
}

#[test]
fn every_name_has_its_test() {
    let tests = include_str!("anomalies.rs");
    for name in NAMES {
        assert!(tests.contains(&format!("\nfn {name}()")), "{name}");
    }
}
