//! Certificates: what is read of them, and that nothing of them is feared.

use super::super::certificate::Certificate;
use super::{
    CLIENT, SERVER, begin, certificate, client_hello, handshake, hello_done, server_hello, told,
};
use crate::time::Timestamp;

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match length {
        0..=0x7f => vec![tag, length as u8],
        0x80..=0xff => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, content.to_vec()].concat()
}

fn name(common_name: &str) -> Vec<u8> {
    let attribute = [tlv(6, &[0x55, 4, 3]), tlv(12, common_name.as_bytes())].concat();
    tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)))
}

/// A certificate of `subject` by `issuer`, with alternative names.
pub(super) fn der(issuer: &str, subject: &str, validity: [&[u8]; 2], names: &[Vec<u8>]) -> Vec<u8> {
    let algorithm = tlv(0x30, &tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]));
    let time = |time: &[u8]| tlv(if time.len() == 13 { 23 } else { 24 }, time);
    let alternatives = tlv(0x30, &names.concat());
    let extension = [tlv(6, &[0x55, 29, 17]), tlv(1, &[0xff]), tlv(4, &alternatives)].concat();
    let fields = [
        tlv(0xa0, &tlv(2, &[2])),
        tlv(2, &[0, 0xab, 0xcd]),
        algorithm.clone(),
        name(issuer),
        tlv(0x30, &validity.map(time).concat()),
        name(subject),
        tlv(0x30, &algorithm),
        tlv(0xa3, &tlv(0x30, &tlv(0x30, &extension))),
    ];
    tlv(0x30, &[tlv(0x30, &fields.concat()), algorithm, tlv(3, &[0, 1, 2])].concat())
}

const VALIDITY: [&[u8]; 2] = [b"261101000000Z", b"20551231235959Z"];

/// The server's and the client's certificate in a handshake.
fn both(server: &[u8], client: Option<&[u8]>) -> Vec<String> {
    let empty = [0, 0, 0];
    let client = client.map_or(empty.to_vec(), certificate);
    told(&[
        (CLIENT, handshake(1, &client_hello(&[]))),
        (SERVER, handshake(2, &server_hello(3, &[]))),
        (SERVER, handshake(11, &certificate(server))),
        (SERVER, handshake(13, &[1, 1, 0, 0, 0, 0])),
        (SERVER, hello_done()),
        (CLIENT, handshake(11, &client)),
    ])
}

#[test]
fn both_ends_are_told_by_their_certificates() {
    let names = [
        tlv(0x82, b"north.local"),
        tlv(0x87, &[10, 30, 0, 1]),
        tlv(0x87, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        tlv(0x81, b"a@b"),
        tlv(0x88, &[1, 2]),
        tlv(0x86, b"urn:x"),
    ];
    let server = der("CA", "station", VALIDITY, &names);
    let client = der("centre", "centre", VALIDITY, &[]);
    let lines = both(&server, Some(&client));
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in [
        " client_certificate=presented subject=CN=station issuerdn=CN=CA serial=AB:CD fingerprint=",
        " notbefore=2026-11-01T00:00:00 notafter=2055-12-31T23:59:59 validity=valid self_issued=false",
        " client.subject=CN=centre client.issuerdn=CN=centre client.serial=AB:CD",
        " client.validity=valid client.self_issued=true",
        " subjectaltname=[north.local 10.30.0.1 ::1 a@b urn:x]",
    ] {
        assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
    }
}

#[test]
fn a_client_that_has_none_is_told() {
    let server = der("CA", "station", VALIDITY, &[]);
    let lines = both(&server, None);
    assert!(lines[0].contains(" client_certificate=none "), "{lines:?}");
    assert!(!lines[0].contains(" client.subject"));
}

#[test]
fn a_certificate_holds_between_its_times() {
    let now = Timestamp::from_nanos(super::NOW.as_nanos());
    for (validity, expected) in [
        ([b"261123095959Z", b"261123100000Z"], "valid"),
        ([b"261123100000Z", b"261123100001Z"], "valid"),
        ([b"261123100001Z", b"271123100000Z"], "not_yet_valid"),
        ([b"500101000000Z", b"261123095959Z"], "expired"),
    ] {
        let der = der("CA", "station", validity.map(|time| &time[..]), &[]);
        let read = Certificate::read(&der, Some(now)).unwrap();
        let validity = read
            .validity
            .map(|validity| super::super::certificate::Validity::NAMES[validity as usize]);
        assert_eq!(validity, Some(expected));
        assert_eq!(Certificate::read(&der, None).unwrap().validity, None);
    }
}

/// A clock that nobody keeps in step accuses nobody.
#[test]
fn without_a_trusted_clock_nothing_is_said_of_validity() {
    let mut conversation = begin(false);
    conversation.clock_trusted = false;
    let server = der("CA", "station", VALIDITY, &[]);
    conversation.say_all(&[
        (CLIENT, handshake(1, &client_hello(&[]))),
        (SERVER, handshake(2, &server_hello(3, &[]))),
        (SERVER, handshake(11, &certificate(&server))),
    ]);
    let lines = conversation.ended();
    assert!(lines[0].contains("notafter=") && !lines[0].contains("validity="), "{lines:?}");
}

#[test]
fn a_time_that_is_none_is_absent() {
    for time in [&b"2611010000Z"[..], b"261101000000+", b"26110100000xZ"] {
        let read = Certificate::read(&der("CA", "a", [time, time], &[]), None).unwrap();
        assert_eq!(read.not_before, None);
    }
}

#[test]
fn no_prefix_and_no_changed_octet_of_a_certificate_is_feared() {
    let names = [tlv(0x82, b"north.local"), tlv(0x87, &[10, 30, 0, 1])];
    let whole = der("CA", "station", VALIDITY, &names);
    assert!(Certificate::read(&whole, Some(super::NOW)).is_ok());
    for length in 0..whole.len() {
        assert!(Certificate::read(&whole[..length], Some(super::NOW)).is_err(), "{length}");
    }
    let mut sound = 0;
    for index in 0..whole.len() {
        for octet in 0..=u8::MAX {
            let mut changed = whole.clone();
            changed[index] = octet;
            sound += u32::from(Certificate::read(&changed, Some(super::NOW)).is_ok());
        }
    }
    assert!(sound > 10_000, "{sound}: most of it is free text and keys");
}
