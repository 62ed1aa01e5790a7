//! How a WebSocket begins, or is joined.

use super::super::CONNECT_4;
use super::{ANSWERS, ASKS, BINARY, Connection, NONE, received, sent};
use crate::flow::Direction::{ToClient, ToServer};

#[test]
fn packets_are_read_out_of_frames() {
    let mut connection = Connection::upgraded();
    connection.feed(ToServer, &sent(BINARY, CONNECT_4));
    connection.feed(ToClient, &received(BINARY, b"\x20\x02\0\0"));
    connection.feed(ToServer, &sent(BINARY, b"\x30\x05\0\x01aon\xc0\0"));
    assert_eq!(
        connection.0.out.contexts,
        [
            "websocket /mqtt broker:9001 https://panel probe/1 mqttv3.1, mqtt",
            "websocket",
            "websocket",
            "websocket",
        ]
    );
    let lines = connection.end();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[1], "CONNACK 4 session_present=false return_code=0 reason=Success");
    assert_eq!(lines[3], "PINGREQ 4");
}

#[test]
fn the_record_of_a_plain_connection_says_nothing_of_a_carrier() {
    let mut connection = Connection::new(false);
    connection.feed(ToServer, CONNECT_4);
    assert_eq!(connection.0.out.contexts, [""]);
}

#[test]
fn a_refused_upgrade_says_nothing() {
    for refusal in [
        &b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nno!\n"[..],
        b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n\0\0\x12",
    ] {
        let mut connection = Connection::new(false);
        connection.feed(ToServer, ASKS);
        connection.feed(ToClient, refusal);
        connection.feed(ToServer, b"POST / HTTP/1.1\r\n\r\nwhatever");
        connection.feed(ToClient, b"HTTP/1.1 200 OK\r\n\r\n<html>GET HTTP");
        assert_eq!(connection.end(), NONE);
    }
}

/// Whoever is refused first does not escape.
#[test]
fn a_second_request_may_be_accepted() {
    for between in [&b""[..], b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET a"] {
        let mut connection = Connection::new(false);
        connection.feed(ToServer, ASKS);
        connection.feed(ToClient, b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno");
        connection.feed(ToServer, between);
        connection.feed(ToServer, ASKS);
        connection.feed(ToClient, ANSWERS);
        connection.feed(ToServer, &sent(BINARY, CONNECT_4));
        connection.feed(ToClient, &received(BINARY, b"\x20\x02\0\0"));
        let lines = connection.end();
        assert_eq!(lines.len(), 2, "{lines:?}");
    }
}

/// The two directions need not be seen in their order.
#[test]
fn the_answer_may_be_seen_first_or_last() {
    let frames = [sent(BINARY, CONNECT_4), sent(BINARY, b"\xc0\0")].concat();
    let answers = [ANSWERS, &received(BINARY, b"\x20\x02\0\0")].concat();
    let asks = [ASKS, &frames].concat();
    for server_first in [true, false] {
        let mut connection = Connection::new(false);
        let mut both = [(ToServer, &asks), (ToClient, &answers)];
        if server_first {
            both.reverse();
        }
        for (direction, octets) in both {
            connection.feed(direction, octets);
        }
        let lines = connection.end();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(!lines.iter().any(|line| line.starts_with('!')), "{lines:?}");
    }
}

#[test]
fn joined_at_frames() {
    let publish = b"\x30\x0d\0\x05plant17 MW.";
    let mut connection = Connection::new(true);
    connection.feed(ToClient, &received(BINARY, b"\xd0\0"));
    connection.feed(ToServer, &[&b"rest"[..], &sent(BINARY, publish)].concat());
    assert_eq!(connection.0.out.contexts, ["websocket", "websocket"]);
    let lines = connection.end();
    assert_eq!(lines[0], "PINGRESP");
    assert!(lines[1].starts_with("PUBLISH 4? topic=plant message=17 MW."), "{lines:?}");
}

#[test]
fn what_lets_somebody_in_is_hidden() {
    let connection = Connection::upgraded();
    let mut asks = ASKS.to_vec();
    for (direction, octets) in &connection.0.out.secrets {
        assert_eq!(*direction, ToServer);
        asks[octets.clone()].fill(b'*');
    }
    let asks = String::from_utf8(asks).unwrap();
    assert!(asks.starts_with("GET /mqtt?***** HTTP/1.1\r\n"), "{asks}");
    assert!(!asks.contains("cGFuZWw="), "{asks}");
}

/// A head of more than 16 KiB is read as far, and the rest of it hidden: it may hold what lets one in.
#[test]
fn a_head_without_an_end_is_told_of_and_passed_over() {
    let value = "x".repeat(40_000);
    let long = |head: &[u8]| {
        let head = str::from_utf8(head).unwrap().trim_end().to_owned();
        format!("{head}\r\nX-Padding: {value}\r\nCookie: secret\r\n\r\n").into_bytes()
    };
    let (asks, answers) = (long(ASKS), long(ANSWERS));
    for segment in [1, 1000, 100_000] {
        let mut connection = Connection::new(false);
        let frames = sent(BINARY, CONNECT_4);
        [&asks[..], &frames].concat().chunks(segment).for_each(|piece| {
            connection.feed(ToServer, piece);
        });
        answers.chunks(segment).for_each(|piece| connection.feed(ToClient, piece));
        connection.feed(ToClient, &received(BINARY, b"\x20\x02\0\0"));
        let mut shown = asks.clone();
        for (_, octets) in connection.0.out.secrets.iter().filter(|(way, _)| *way == ToServer) {
            shown[octets.clone()].fill(b'*');
        }
        assert!(!shown.windows(6).any(|octets| octets == b"secret"), "in pieces of {segment}");
        let context = "websocket /mqtt broker:9001 https://panel probe/1 mqttv3.1, mqtt";
        assert_eq!(connection.0.out.contexts[0], context);
        let lines = connection.end();
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[0], "! websocket_head @16384");
        assert!(lines[1].starts_with("CONNECT 4"), "{lines:?}");
        assert_eq!(lines[2], "! websocket_head @16384");
        assert!(lines[3].starts_with("CONNACK 4"), "{lines:?}");
    }
}
