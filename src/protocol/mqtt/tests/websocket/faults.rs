//! What RFC 6455 and clause 6 of MQTT forbid, and what they allow.

use super::super::CONNECT_4;
use super::{ANSWERS, ANSWERS_DEFLATE, ASKS, Connection, NONE, decode_sent, received, sent};
use super::{BINARY, CLOSE, CONTINUATION, FINAL, PING, PONG, RSV1, TEXT};
use crate::flow::Direction::{ToClient, ToServer};

/// What is wrong with a client's frames, between a CONNECT and a PINGREQ that are told all the same.
fn wrong(frames: &[u8]) -> Vec<String> {
    wrong_behind(ANSWERS, frames)
}

fn wrong_behind(answer: &[u8], frames: &[u8]) -> Vec<String> {
    let mut connection = Connection::new(false);
    connection.feed(ToServer, ASKS);
    connection.feed(ToClient, answer);
    connection.feed(ToServer, &sent(BINARY, CONNECT_4));
    connection.feed(ToServer, frames);
    connection.feed(ToServer, &sent(BINARY, b"\xc0\0"));
    let lines = connection.end();
    assert!(lines.first().is_some_and(|line| line.starts_with("CONNECT 4")), "{lines:?}");
    assert!(lines.last().is_some_and(|line| line.starts_with("PINGREQ")), "{lines:?}");
    lines.iter().filter_map(|line| line.strip_prefix("! ")).map(str::to_owned).collect()
}

/// What is wrong with a server's frames.
fn wrong_received(frames: &[u8]) -> Vec<String> {
    let mut connection = Connection::upgraded();
    connection.feed(ToServer, &sent(BINARY, CONNECT_4));
    connection.feed(ToClient, &received(BINARY, b"\x20\x02\0\0"));
    connection.feed(ToClient, frames);
    connection.feed(ToClient, &received(BINARY, b"\xd0\0"));
    let lines = connection.end();
    assert_eq!(lines.last().map(|line| &line[..]), Some("PINGRESP 4"), "{lines:?}");
    lines.iter().filter_map(|line| line.strip_prefix("! ")).map(str::to_owned).collect()
}

/// Clauses 5.4 and 5.5: messages in fragments, with control frames between them; empty frames.
#[test]
fn what_the_standard_allows_is_no_fault() {
    let publish = b"\x30\x05\0\x01aon";
    let frames = [
        sent(BINARY & !FINAL, &publish[..2]),
        sent(PING, b"are you there"),
        sent(CONTINUATION, &publish[2..3]),
        sent(CONTINUATION, b""),
        sent(PONG, b""),
        sent(CONTINUATION | FINAL, &publish[3..]),
        sent(BINARY, b""),
        sent(PING, &[b'x'; 125]),
        sent(CLOSE, b"\x03\xe8done"),
    ];
    assert_eq!(wrong(&frames.concat()), NONE);
    assert_eq!(wrong(&sent(CLOSE, b"")), NONE);
    assert_eq!(wrong(&sent(CLOSE, b"\x03\xe9")), NONE);
    assert_eq!(wrong(&sent(CLOSE, b"\x0f\xa1")), NONE, "4001 is the application's");
    assert_eq!(
        wrong_behind(ANSWERS_DEFLATE, &sent(BINARY, publish)),
        NONE,
        "not all is compressed"
    );
}

/// Clause 5.1: every frame of a client is masked.
#[test]
fn websocket_unmasked() {
    let frame = received(BINARY, b"\xc0\0");
    assert_eq!(wrong(&frame), ["websocket_unmasked mask=0 @1"]);
    assert_eq!(wrong(&[&frame[..], &frame].concat()), ["websocket_unmasked mask=0 @1"], "once");
}

/// Clause 5.1: no frame of a server is.
#[test]
fn websocket_masked() {
    assert_eq!(wrong_received(&sent(BINARY, b"\xd0\0")), ["websocket_masked mask=1 @1"]);
}

/// Clause 5.2. The payload is read: somebody may not care for these bits.
#[test]
fn websocket_reserved_bits() {
    let publish = b"\x30\x05\0\x01aon";
    for (bits, value) in [(0x10, 1), (0x20, 2), (0x40, 4), (0x70, 7)] {
        let expected = format!("websocket_reserved_bits rsv={value} @0");
        assert_eq!(wrong(&sent(BINARY | bits, publish)), [&expected[..]]);
        let lines = decode_sent(&sent(BINARY | bits, CONNECT_4));
        assert!(lines[1].starts_with("CONNECT"), "{lines:?}");
    }
    // RFC 7692, clause 6.1: only the first frame of a message has RSV1.
    let first = sent(BINARY & !FINAL, &publish[..2]);
    let frames = [first, sent(CONTINUATION | FINAL | RSV1, &publish[2..])].concat();
    assert_eq!(wrong_behind(ANSWERS_DEFLATE, &frames), ["websocket_reserved_bits rsv=4 @0"]);
}

/// Clause 5.2: 3 to 7 and 11 to 15.
#[test]
fn websocket_reserved_opcode() {
    for opcode in [3, 7, 11, 15] {
        let expected = format!("websocket_reserved_opcode opcode={opcode} @0");
        assert_eq!(wrong(&sent(FINAL | opcode, b"\xc0\0")), [&expected[..]]);
    }
}

/// Clause 5.5.
#[test]
fn websocket_control() {
    assert_eq!(wrong(&sent(PING, &[b'x'; 126])), ["websocket_control opcode=9 @0"]);
    assert_eq!(wrong(&sent(PONG & !FINAL, b"")), ["websocket_control opcode=10 @0"]);
}

/// [MQTT-6.0.0-1]. The packets are read: some brokers do not care either.
#[test]
fn websocket_text() {
    let lines = decode_sent(&[sent(TEXT, CONNECT_4), sent(TEXT, b"\xc0\0")].concat());
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0], "! websocket_text opcode=1 @0");
    assert!(lines[1].starts_with("CONNECT 4"), "{lines:?}");
}

/// Clause 5.4.
#[test]
fn websocket_continuation() {
    let alone = sent(CONTINUATION | FINAL, b"\xc0\0");
    assert_eq!(wrong(&alone), ["websocket_continuation opcode=0 @0"]);
    let inside =
        [sent(BINARY & !FINAL, b"\x30\x05"), sent(BINARY, b"\0\x01a"), sent(BINARY, b"on")];
    assert_eq!(wrong(&inside.concat()), ["websocket_continuation opcode=2 @0"]);
}

/// Clause 5.2.
#[test]
fn websocket_length() {
    let long = [&[BINARY, 0x80 | 0x7e, 0, 2][..], &[0; 4], b"\xc0\0"].concat();
    assert_eq!(wrong(&long), ["websocket_length payload_length=2 @1"]);
    let longest = [&[BINARY, 0x80 | 0x7f, 0, 0, 0, 0, 0, 0, 0, 2][..], &[0; 4], b"\xc0\0"].concat();
    assert_eq!(wrong(&longest), ["websocket_length payload_length=2 @1"]);
    // No frame begins there.
    let impossible = [BINARY, 0x80 | 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0];
    assert_eq!(wrong(&impossible), ["websocket_length payload_length=2 @1", "resync 14 @0"]);
}

/// Clause 7.4.
#[test]
fn websocket_close() {
    for status in [1002_u16, 1008, 1011, 1005, 999, 2000, 5000] {
        let expected = format!("websocket_close status={status} @6");
        assert_eq!(wrong(&sent(CLOSE, &status.to_be_bytes())), [&expected[..]]);
    }
    assert_eq!(wrong(&sent(CLOSE, b"x")), ["websocket_close status=0 @6"], "half a status");
    let policy = received(CLOSE, b"\x03\xf0no");
    assert_eq!(wrong_received(&policy), ["websocket_close status=1008 @2"]);
}

/// No more is looked at than servers take; what an answer may say beyond is held against nobody.
#[test]
fn websocket_head() {
    let padding = format!("X-Padding: {}\r\n", "x".repeat(16_384));
    let answers = format!("HTTP/1.1 101 Fine\r\n{padding}Upgrade: websocket\r\n\r\n");
    let compressed = sent(BINARY | RSV1, b"\xaa\x01\x02\x03");
    let mut connection = Connection::new(false);
    connection.feed(ToServer, ASKS);
    connection.feed(ToClient, answers.as_bytes());
    connection.feed(ToServer, &[sent(BINARY, CONNECT_4), compressed].concat());
    connection.feed(ToClient, &received(BINARY, b"\x20\x02\0\0"));
    let lines = connection.end();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[0], "! websocket_head @16384");
    assert!(lines[1].starts_with("CONNECT 4"), "{lines:?}");
    assert_eq!(lines[2], "! websocket_compressed payload_length=4 @6");
    assert!(lines[3].starts_with("CONNACK 4"), "{lines:?}");
}

/// [MQTT-6.0.0-3, MQTT-6.0.0-4].
#[test]
fn websocket_subprotocol() {
    let asks = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    let answers = b"HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\n\r\n";
    let told = |asks: &[u8], answers: &[u8]| {
        let mut connection = Connection::new(false);
        connection.feed(ToServer, asks);
        connection.feed(ToClient, answers);
        connection.feed(ToServer, &sent(PING, b""));
        connection.feed(ToServer, &sent(BINARY, CONNECT_4));
        connection.feed(ToServer, &sent(BINARY, b"\xc0\0"));
        connection.feed(ToClient, &received(BINARY, b"\x20\x02\0\0"));
        let lines = connection.end();
        let faults = lines.iter().map(|line| line.starts_with('!'));
        let faults = faults.collect::<Vec<_>>();
        let named = lines.iter().map(|line| line.starts_with("! websocket_subprotocol"));
        assert!(named.eq(faults.iter().copied()), "{lines:?}");
        faults
    };
    assert_eq!(told(asks, answers), [true, false, false, false], "the client's");
    assert_eq!(told(ASKS, answers), [false, false, true, false], "the server's");
    assert_eq!(told(ASKS, ANSWERS), [false, false, false]);
}

/// RFC 7692. What is compressed is passed over, and said to be; what is not is read.
#[test]
fn websocket_compressed() {
    let compressed = sent(BINARY | RSV1, b"\xaa\x01\x02\x03");
    let lines = wrong_behind(ANSWERS_DEFLATE, &[&compressed[..], &compressed].concat());
    assert_eq!(lines, ["websocket_compressed payload_length=4 @6"], "once");
    let fragments = [
        sent(BINARY & !FINAL | RSV1, b"\xaa\x01"),
        sent(PING, b""),
        sent(CONTINUATION | FINAL, b"\x02"),
    ];
    let lines = wrong_behind(ANSWERS_DEFLATE, &fragments.concat());
    assert_eq!(lines, ["websocket_compressed payload_length=2 @6"]);
}

/// The answer may have been what we did not see.
#[test]
fn compression_that_may_have_been_agreed_upon_is_no_accusation() {
    let mut connection = Connection::new(false);
    connection.feed(ToServer, ASKS);
    connection.feed(ToServer, &sent(BINARY | RSV1, b"\xaa\x01\x02\x03"));
    assert_eq!(connection.end(), ["! websocket_compressed payload_length=4 @6"]);
}

/// What a compressed frame says may be a password.
#[test]
fn what_is_compressed_is_not_shown() {
    let mut connection = Connection::new(false);
    connection.feed(ToServer, ASKS);
    connection.feed(ToClient, ANSWERS_DEFLATE);
    connection.0.out.secrets.clear();
    connection.feed(ToServer, &sent(BINARY | RSV1, b"\xaa\x01\x02\x03"));
    let start = ASKS.len() + 6;
    assert_eq!(connection.0.out.secrets, [(ToServer, start..start + 4)]);
}

/// Nor is what frames say that carry no MQTT: a client with a fault sends its password all the same.
#[test]
fn what_is_no_mqtt_is_not_shown() {
    let connect = b"\x10\x15\0\x04MQTT\x04\xc2\0\x3c\0\x01c\0\0\0\x04pass";
    let hidden = |first: u8, payload: &[u8]| {
        let mut connection = Connection::upgraded();
        connection.0.out.secrets.clear();
        connection.feed(ToServer, &sent(BINARY, CONNECT_4));
        connection.feed(ToServer, &sent(first, payload));
        connection.feed(ToServer, &sent(BINARY, b"\xc0\0"));
        let before = ASKS.len() + 6 + CONNECT_4.len() + 6;
        let told = connection.0.out.secrets.into_iter();
        let places = told.map(|(_, octets)| (octets.start - before, octets.end - before));
        places.collect::<Vec<_>>()
    };
    for first in [PING, PONG, FINAL | 0x3, FINAL | 0x7, FINAL | 0xb, FINAL | 0xf] {
        assert_eq!(hidden(first, connect), [(0, connect.len())], "{first:x}");
    }
    let closed = [b"\x03\xe8", &connect[..]].concat();
    assert_eq!(hidden(CLOSE, &closed), [(2, closed.len())], "the status is shown");
    // Frames without a meaning may have any part of one; nobody logs in with a ping of a few octets.
    assert_eq!(hidden(FINAL | 0x3, b"pass"), [(0, 4)]);
    // The longest that there is counts as what the flow layer can count.
    let mut connection = Connection::upgraded();
    connection.0.out.secrets.clear();
    let longest = [&[FINAL | 0x3, 0xff, 0x7f][..], &[0xff; 7], &[0; 4], connect].concat();
    connection.feed(ToServer, &longest);
    let start = ASKS.len() + 14;
    assert_eq!(connection.0.out.secrets, [(ToServer, start..start + (1 << 30))]);
    assert_eq!(hidden(PING, b"1700000000").len(), 0);
}
