//! MQTT in the frames of a WebSocket.

mod faults;
mod streams;
mod upgrades;

use std::ops::Range;

use super::{Lines, conversation, value};
use crate::event::{Record, Records, Schema, Secrecy};
use crate::flow::Direction::{self, ToClient, ToServer};
use crate::protocol::conversation::Conversation;
use crate::protocol::mqtt::MQTT;

const ASKS: &[u8] = b"GET /mqtt?key=1 HTTP/1.1\r\nHost: broker:9001\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nOrigin: https://panel\r\nUser-Agent: probe/1\r\n\
    Authorization: Basic cGFuZWw=\r\nSec-WebSocket-Protocol: mqttv3.1, mqtt\r\n\r\n";
const ANSWERS: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
const ANSWERS_DEFLATE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const CONTINUATION: u8 = 0x00;
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const FINAL: u8 = 0x80;
const RSV1: u8 = 0x40;

/// A frame with this first octet, masked if there is a key.
fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        short @ ..126 => vec![short as u8],
        long @ ..0x1_0000 => [&[126], &(long as u16).to_be_bytes()[..]].concat(),
        longest => [&[127], &(longest as u64).to_be_bytes()[..]].concat(),
    };
    let mut frame = [&[first], &length[..], &key.unwrap_or_default()].concat();
    if key.is_none() {
        frame.truncate(1 + length.len());
    } else {
        frame[1] |= 0x80;
    }
    let key = key.unwrap_or_default().into_iter().cycle();
    frame.extend(payload.iter().zip(key).map(|(octet, key)| octet ^ key));
    frame
}

/// A client's frame.
fn sent(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, Some(KEY), payload)
}

/// A server's frame.
fn received(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, None, payload)
}

/// Both directions.
struct Connection(Conversation<Seen>);

/// Lines, and octets of the streams that are secret.
#[derive(Default)]
struct Seen {
    lines: Lines,
    contexts: Vec<String>,
    secrets: Vec<(Direction, Range<usize>)>,
    direction: Option<Direction>,
    before: usize,
}

impl Records for Seen {
    fn emit(&mut self, record: &dyn Record) {
        if std::ptr::eq(record.schema(), &raw const MQTT) {
            let fields = MQTT.fields.iter().enumerate();
            let ours = fields.filter(|(_, field)| {
                field.name == "mqtt.carrier" || field.name.contains("websocket")
            });
            let told = ours.filter_map(|(index, _)| value(record, index));
            self.contexts.push(told.collect::<Vec<_>>().join(" "));
        }
        self.lines.emit(record);
    }

    fn wants(&self, _schema: &'static Schema) -> bool {
        true
    }

    fn secret(&mut self, secrecy: Secrecy, octets: Range<usize>) {
        if secrecy != Secrecy::Password {
            return;
        }
        let direction = self.direction.expect("not without octets");
        self.secrets.push((direction, self.before + octets.start..self.before + octets.end));
    }
}

impl Connection {
    fn new(joined: bool) -> Self {
        Self(conversation(joined, Seen::default()))
    }

    /// One that was upgraded.
    fn upgraded() -> Self {
        let mut connection = Self::new(false);
        connection.feed(ToServer, ASKS);
        connection.feed(ToClient, ANSWERS);
        connection
    }

    /// One segment.
    fn feed(&mut self, direction: Direction, segment: &[u8]) {
        let place = self.0.place(direction);
        (self.0.out.direction, self.0.out.before) = (Some(direction), place);
        self.0.say(direction, segment);
    }

    fn gap(&mut self, direction: Direction, missing: u64) {
        let place = self.0.place(direction) + missing as usize;
        (self.0.out.direction, self.0.out.before) = (Some(direction), place);
        self.0.miss(direction, missing as usize);
    }

    fn end(self) -> Vec<String> {
        self.0.end().lines.0
    }
}

/// What a client's frames are behind an upgrade.
fn decode_sent(frames: &[u8]) -> Vec<String> {
    let mut connection = Connection::upgraded();
    connection.feed(ToServer, frames);
    connection.end()
}

const NONE: [&str; 0] = [];
