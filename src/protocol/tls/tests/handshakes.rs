//! How handshakes end, and what is told of them.

use super::{
    CHANGE_CIPHER_SPEC, CLIENT, SERVER, TOLD_12, begin, begin_at_port, client_hello, data,
    extension, finished, handshake, hello_done, record, server_hello, server_hello_13, told,
    whole_12,
};
use crate::flow::Direction;
use crate::protocol::Fact;

/// The value of a field in a line.
fn field<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let mut words = line.split(' ');
    words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn outcome(line: &str) -> &str {
    line.split(' ').nth(1).unwrap()
}

/// A handshake in TLS 1.3 as far as the server's first flight.
fn begun_13() -> Vec<(Direction, Vec<u8>)> {
    vec![
        (CLIENT, handshake(1, &client_hello(&[extension(43, &[4, 3, 4, 3, 3])]))),
        (SERVER, handshake(2, &server_hello_13())),
        (SERVER, CHANGE_CIPHER_SPEC.to_vec()),
        (SERVER, data(500)),
        (CLIENT, CHANGE_CIPHER_SPEC.to_vec()),
    ]
}

#[test]
fn tls_1_3_is_over_with_what_the_client_has_keys_for() {
    let mut conversation = begin(false);
    conversation.say_all(&begun_13());
    assert_eq!(conversation.told(), [""; 0]);
    conversation.say(CLIENT, &data(53));
    let expected = "> completed version=TLS_1.3 session_resumed=false \
        cipher_suite=TLS_AES_256_GCM_SHA384 group=x25519 client_handshake.version=TLS_1.3 \
        server_handshake.version=TLS_1.3 server_handshake.cipher=4866 \
        client_handshake.ciphers=[49196 4866] client_handshake.exts=[43] \
        server_handshake.exts=[43 51]";
    assert_eq!(conversation.told(), [expected]);
    conversation.say_all(&[(CLIENT, data(19)), (SERVER, data(19))]);
    assert_eq!(conversation.ended(), [""; 0]);
}

/// RFC 8446, 6.2: an alert has two octets; nothing else is so short.
#[test]
fn a_client_of_tls_1_3_that_refuses_is_known_by_the_length() {
    for (length, expected) in [(18, "completed"), (19, "refused"), (20, "completed")] {
        let mut all = begun_13();
        all.push((CLIENT, data(length)));
        let lines = told(&all);
        assert_eq!((lines.len(), outcome(&lines[0])), (1, expected), "{length}");
        let from = (expected == "refused").then_some("client");
        assert_eq!(field(&lines[0], "alert.from"), from);
        assert_eq!(field(&lines[0], "alert.description"), None);
    }
}

#[test]
fn a_hello_that_is_asked_for_again_counts_once() {
    let mut retry = server_hello_13();
    retry[2..34].copy_from_slice(&[
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8,
        0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8,
        0x33, 0x9c,
    ]);
    let mut all = begun_13();
    let hello = all[0].clone();
    let again = [
        (SERVER, handshake(2, &retry)),
        (SERVER, CHANGE_CIPHER_SPEC.to_vec()),
        (CLIENT, CHANGE_CIPHER_SPEC.to_vec()),
        hello,
    ];
    all.splice(1..1, again);
    all.push((CLIENT, data(53)));
    let mut without = begun_13();
    without.push((CLIENT, data(53)));
    assert_eq!(told(&all), told(&without));
}

#[test]
fn data_before_the_servers_answer_ends_nothing() {
    let early = [extension(43, &[2, 3, 4]), extension(42, &[])];
    let mut conversation = begin(false);
    conversation.say(CLIENT, &handshake(1, &client_hello(&early)));
    conversation.say(CLIENT, CHANGE_CIPHER_SPEC);
    conversation.say(CLIENT, &data(19));
    conversation.say(SERVER, &handshake(2, &server_hello_13()));
    conversation.say(SERVER, &data(100));
    assert_eq!(conversation.told(), [""; 0]);
    conversation.say(CLIENT, &data(21));
    assert_eq!(outcome(&conversation.told()[0]), "completed");
    assert_eq!(conversation.ended(), [""; 0]);
}

/// RFC 5246, 7.3: the server goes on without a certificate and keys of its own.
#[test]
fn a_session_is_resumed_before_tls_1_3_where_the_server_goes_on_at_once() {
    for ticket in [false, true] {
        let mut all = vec![
            (CLIENT, handshake(1, &client_hello(&[]))),
            (SERVER, handshake(2, &server_hello(1, &[]))),
        ];
        if ticket {
            all.push((SERVER, handshake(4, &[0; 20])));
        }
        all.extend([
            (SERVER, CHANGE_CIPHER_SPEC.to_vec()),
            (SERVER, finished()),
            (CLIENT, CHANGE_CIPHER_SPEC.to_vec()),
            (CLIENT, finished()),
        ]);
        let lines = told(&all);
        assert_eq!((lines.len(), outcome(&lines[0])), (1, "completed"));
        assert_eq!(field(&lines[0], "session_resumed"), Some("true"));
        assert_eq!(field(&lines[0], "client_certificate"), None, "it is of an earlier handshake");
    }
}

#[test]
fn a_session_is_resumed_in_tls_1_3_where_the_server_takes_the_key() {
    let mut hello = server_hello_13();
    hello.extend(extension(41, &[0, 0]));
    hello[39] += 6;
    let all = [
        (CLIENT, handshake(1, &client_hello(&[]))),
        (SERVER, handshake(2, &hello)),
        (SERVER, data(90)),
        (CLIENT, data(53)),
    ];
    assert_eq!(field(&told(&all)[0], "session_resumed"), Some("true"));
}

#[test]
fn a_fatal_alert_refuses_and_says_who() {
    for (count, direction, end) in
        [(1, SERVER, "server"), (4, CLIENT, "client"), (7, SERVER, "server")]
    {
        let mut all = whole_12();
        all.truncate(count);
        all.push((direction, record(21, &[2, 48])));
        let lines = told(&all);
        assert_eq!((lines.len(), outcome(&lines[0])), (1, "refused"), "{lines:?}");
        let alert = ["from", "level", "description"];
        let alert = alert.map(|name| field(&lines[0], &format!("alert.{name}")).unwrap());
        assert_eq!(alert, [end, "fatal", "unknown_ca"]);
    }
}

/// RFC 8446, 6: there the level says nothing.
#[test]
fn a_warning_refuses_in_tls_1_3_alone() {
    let warned = |all: Vec<(Direction, Vec<u8>)>, description| {
        let mut all = all;
        all.insert(2, (CLIENT, record(21, &[1, description])));
        let lines = told(&all);
        (lines.len(), outcome(&lines[0]).to_owned())
    };
    assert_eq!(warned(whole_12(), 112), (1, "completed".to_owned()));
    assert_eq!(warned(begun_13(), 112), (1, "refused".to_owned()));
    assert_eq!(warned(begun_13(), 0), (1, "incomplete".to_owned()), "close_notify");
}

#[test]
fn what_ends_early_is_incomplete() {
    let all = whole_12();
    for count in 1..all.len() {
        let lines = told(&all[..count]);
        assert_eq!((lines.len(), outcome(&lines[0])), (1, "incomplete"), "{count}");
        assert_eq!(field(&lines[0], "partial"), None);
    }
    assert_eq!(told(&all), [TOLD_12]);
}

/// What the end that speaks last says tells that the other was content.
#[test]
fn one_direction_alone_is_told_as_far_as_it_goes() {
    let only = |direction| -> Vec<_> {
        whole_12().into_iter().filter(|(from, _)| *from == direction).collect()
    };
    let lines = told(&only(SERVER));
    assert_eq!((lines.len(), outcome(&lines[0])), (1, "completed"));
    assert_eq!(field(&lines[0], "partial"), Some("true"));
    assert_eq!(field(&lines[0], "client_certificate"), None);
    let lines = told(&only(CLIENT));
    assert_eq!((lines.len(), outcome(&lines[0])), (1, "incomplete"));
}

#[test]
fn the_client_is_who_says_its_hello() {
    let turned: Vec<_> =
        whole_12().into_iter().map(|(direction, octets)| (direction.opposite(), octets)).collect();
    let lines = told(&turned);
    assert_eq!(lines, [TOLD_12.replace('>', "<")]);
}

#[test]
fn a_refused_handshake_may_be_followed_by_another() {
    let mut all = vec![whole_12()[0].clone(), (SERVER, record(21, &[2, 70]))];
    all.extend(whole_12());
    let lines = told(&all);
    assert_eq!(lines.len(), 2);
    assert_eq!((outcome(&lines[0]), &lines[1][..]), ("refused", TOLD_12));
}

#[test]
fn names_and_protocols_are_told() {
    let name = b"\0\x0e\0\0\x0bnorth.local";
    let offered = b"\0\x14\x04mqtt\x0ex-amzn-mqtt-ca";
    let all = [
        (CLIENT, handshake(1, &client_hello(&[extension(0, name), extension(16, offered)]))),
        (SERVER, handshake(2, &server_hello(3, &[extension(16, b"\0\x05\x04mqtt")]))),
        (SERVER, hello_done()),
    ];
    let lines = told(&all);
    for (name, value) in [("sni", "north.local"), ("carries", "mqtt"), ("server_alpns", "[mqtt]")] {
        assert_eq!(field(&lines[0], name), Some(value));
    }
    assert!(lines[0].contains("client_alpns=[mqtt x-amzn-mqtt-ca]"), "{}", lines[0]);
}

#[test]
fn versions_are_those_that_are_agreed_on() {
    for (minor, version) in [(0, "SSLv3"), (1, "TLSv1"), (2, "TLS_1.1"), (3, "TLS_1.2")] {
        let all = [
            (CLIENT, handshake(1, &client_hello(&[]))),
            (SERVER, handshake(2, &server_hello(minor, &[]))),
        ];
        assert_eq!(field(&told(&all)[0], "version"), Some(version));
    }
}

#[test]
fn the_server_is_told_of_when_the_flow_is_over() {
    let mut conversation = begin_at_port(false, 19_998);
    conversation.say_all(&[whole_12()[0].clone(), (SERVER, record(21, &[2, 40]))]);
    conversation.say_all(&whole_12());
    let mut facts = Vec::new();
    conversation.parser.facts(&mut |name, fact| {
        facts.push(match fact {
            Fact::Count(count) => format!("{name} {count}"),
            Fact::Member(crate::event::Value::Text(text))
            | Fact::UserName(crate::event::Value::Text(text)) => {
                format!("{name} {}", String::from_utf8_lossy(text))
            }
            Fact::Member(other) | Fact::UserName(other) => panic!("{other:?}"),
        });
    });
    assert_eq!(facts, ["carries iec104", "versions TLS 1.2", "handshakes 1", "refused 1"]);
}

#[test]
fn long_lists_are_cut() {
    let ciphers = [0x13, 0x01].repeat(5000);
    let mut body = vec![3, 3];
    body.extend([7; 33]);
    body[34] = 0;
    body.extend((ciphers.len() as u16).to_be_bytes());
    body.extend(ciphers);
    body.extend([1, 0]);
    body.extend(super::extensions(&vec![extension(0x5555, &[]); 1000]));
    let lines = told(&[(CLIENT, handshake(1, &body))]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].matches("4865").count(), 256);
    assert_eq!(lines[0].matches("21845").count(), 256);
}
