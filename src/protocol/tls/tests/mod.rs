//! Tests of the whole protocol: octets in, records and anomalies out.

mod anomalies;
mod certificates;
mod handshakes;
mod streams;

use std::fmt::Write as _;

use super::{PROTOCOL, TLS};
use crate::event::{Record, Records, Schema};
use crate::flow::{Direction, FlowKey, Side};
use crate::protocol::{Start, conversation, show};
use crate::time::Timestamp;

const CLIENT: Direction = Direction::ToServer;
const SERVER: Direction = Direction::ToClient;

/// 2026-11-23 10:00:00 UTC.
const NOW: Timestamp = Timestamp::from_nanos(1_795_428_000_000_000_000);

/// A record.
fn record(content: u8, fragment: &[u8]) -> Vec<u8> {
    [&[content, 3, 3][..], &(fragment.len() as u16).to_be_bytes(), fragment].concat()
}

/// A handshake message.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32).to_be_bytes()[1..], body].concat()
}

/// A record with one handshake message.
fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    record(22, &message(kind, body))
}

/// An extension of a hello.
fn extension(number: u16, body: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// Extensions with the length of all before them; nothing for none.
fn extensions(all: &[Vec<u8>]) -> Vec<u8> {
    if all.is_empty() {
        return Vec::new();
    }
    let all = all.concat();
    [&(all.len() as u16).to_be_bytes()[..], &all].concat()
}

/// The body of a ClientHello of TLS 1.2 with two cipher suites.
fn client_hello(all: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 4, 0xc0, 0x2c, 0x13, 0x02, 1, 0]);
    body.extend(extensions(all));
    body
}

/// The body of a ServerHello of this version before TLS 1.3.
fn server_hello(minor: u8, all: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![3, minor];
    body.extend([8; 32]);
    body.extend([0, 0xc0, 0x2c, 0]);
    body.extend(extensions(all));
    body
}

/// The body of a ServerHello of TLS 1.3.
fn server_hello_13() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([8; 32]);
    body.extend([0, 0x13, 0x02, 0]);
    let group = [&[0, 29, 0, 32][..], &[9; 32]].concat();
    body.extend(extensions(&[extension(43, &[3, 4]), extension(51, &group)]));
    body
}

const CHANGE_CIPHER_SPEC: &[u8] = &[20, 3, 3, 0, 1, 1];

/// A Finished, encrypted.
fn finished() -> Vec<u8> {
    record(22, &[0xee; 40])
}

/// Application data of so many octets, encrypted.
fn data(octets: usize) -> Vec<u8> {
    record(23, &vec![0xdd; octets])
}

/// The body of a Certificate.
fn certificate(der: &[u8]) -> Vec<u8> {
    let length = |octets: usize| (octets as u32).to_be_bytes()[1..].to_vec();
    [length(der.len() + 3), length(der.len()), der.to_vec()].concat()
}

/// Messages of a server's first flight in TLS 1.2 behind its hello, without a certificate.
fn hello_done() -> Vec<u8> {
    handshake(14, &[])
}

/// All of a handshake in TLS 1.2, and who says what.
fn whole_12() -> Vec<(Direction, Vec<u8>)> {
    vec![
        (CLIENT, handshake(1, &client_hello(&[]))),
        (SERVER, handshake(2, &server_hello(3, &[]))),
        (SERVER, handshake(12, &[3, 0, 29, 1, 9])),
        (SERVER, hello_done()),
        (CLIENT, handshake(16, &[1, 9])),
        (CLIENT, CHANGE_CIPHER_SPEC.to_vec()),
        (CLIENT, finished()),
        (SERVER, CHANGE_CIPHER_SPEC.to_vec()),
        (SERVER, finished()),
    ]
}

/// What [`whole_12`] is told as.
const TOLD_12: &str = "> completed version=TLS_1.2 session_resumed=false \
    cipher_suite=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 group=x25519 client_certificate=not_requested \
    client_handshake.version=TLS_1.2 server_handshake.version=TLS_1.2 server_handshake.cipher=49196 \
    client_handshake.ciphers=[49196 4866]";

/// Collects what a parser emits, a line each.
#[derive(Default)]
struct Lines(Vec<String>);

impl Records for Lines {
    fn emit(&mut self, record: &dyn Record) {
        self.0.push(show::anomaly(record));
    }

    fn emit_about(&mut self, direction: Direction, record: &dyn Record) {
        if show::is_anomaly(record) {
            return self.emit(record);
        }
        self.0.push(handshake_line(direction, record));
    }

    fn wants(&self, _schema: &'static Schema) -> bool {
        true
    }
}

/// `> outcome name=value …`, with `<` where the end that took the connection is the client. The
/// fingerprint is left out: it has tests of its own.
fn handshake_line(direction: Direction, record: &dyn Record) -> String {
    let outcome = TLS.message_types[usize::from(record.message_type())];
    let mut line = format!("{} {outcome}", if direction == CLIENT { '>' } else { '<' });
    for (index, field) in TLS.fields.iter().enumerate() {
        let Some(value) = value(record, index) else { continue };
        match field.name.strip_prefix("tls.").unwrap() {
            "handshake" | "ja4" => {}
            name => write!(line, " {name}={value}").unwrap(),
        }
    }
    for (index, list) in TLS.lists.iter().enumerate() {
        let mut elements = Vec::new();
        record.each(index, &mut |element| {
            elements.push(value(element, 0).unwrap());
        });
        if !elements.is_empty() {
            let name = list.name.strip_prefix("tls.").unwrap();
            write!(line, " {name}=[{}]", elements.join(" ")).unwrap();
        }
    }
    line
}

fn value(record: &dyn Record, index: usize) -> Option<String> {
    show::field(record, index).map(|text| text.replace(' ', "_"))
}

type Conversation = conversation::Conversation<Lines>;

fn begin(joined: bool) -> Conversation {
    begin_at_port(joined, 20_000)
}

fn begin_at_port(joined: bool, port: u16) -> Conversation {
    let ends = [([10, 20, 0, 10].into(), 40_000), ([10, 30, 0, 1].into(), port)];
    let key = FlowKey::new(ends, [0, 0], 6);
    let start = Start { key: &key, client: Side::Lower, joined };
    Conversation::new(&PROTOCOL, start, NOW, Lines::default())
}

impl Conversation {
    fn say_all(&mut self, all: &[(Direction, Vec<u8>)]) {
        for (direction, octets) in all {
            self.say(*direction, octets);
        }
    }

    /// What was said so far.
    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.out.0)
    }

    fn gap(&mut self, direction: Direction) {
        self.miss(direction, 1);
    }

    fn ended(self) -> Vec<String> {
        self.end().0
    }
}

/// What a conversation is told as, its end included.
fn told(all: &[(Direction, Vec<u8>)]) -> Vec<String> {
    let mut conversation = begin(false);
    conversation.say_all(all);
    conversation.ended()
}

#[test]
fn a_handshake_is_told_when_both_are_done() {
    let mut conversation = begin(false);
    let (last, before) = (whole_12().pop().unwrap(), &whole_12()[..8]);
    conversation.say_all(before);
    assert_eq!(conversation.told(), [""; 0]);
    conversation.say_all(&[last]);
    assert_eq!(conversation.told(), [TOLD_12]);
    conversation.say_all(&[(CLIENT, data(100)), (SERVER, data(16_640))]);
    assert_eq!(conversation.ended(), [""; 0]);
}
