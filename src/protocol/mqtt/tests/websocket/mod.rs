//! MQTT in the frames of a WebSocket.

mod faults;
mod streams;
mod upgrades;

use std::ops::Range;

use super::{Lines, PROTOCOL, parser, show};
use crate::event::{Record, Records, Schema, Secrecy};
use crate::flow::Direction::{self, ToClient, ToServer};
use crate::protocol::mqtt::MQTT;
use crate::protocol::{Input, Parser, Shared};
use crate::time::Timestamp;

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

/// Stands in for the flow layer, in both directions.
struct Connection {
    parser: Box<dyn Parser>,
    shared: Box<Shared>,
    ways: [Kept; 2],
    seen: Seen,
}

#[derive(Default)]
struct Kept {
    octets: Vec<u8>,
    wanted: usize,
    skip: usize,
    /// Octets of the stream before those that are kept.
    before: usize,
}

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
            let told = ours.filter_map(|(index, _)| show(&MQTT, record, index));
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
        Self {
            parser: parser(joined),
            shared: (PROTOCOL.shared)(),
            ways: Default::default(),
            seen: Seen::default(),
        }
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
        let kept = &mut self.ways[direction.index()];
        let skipped = kept.skip.min(segment.len());
        kept.skip -= skipped;
        kept.before += skipped;
        kept.octets.extend_from_slice(&segment[skipped..]);
        if kept.octets.is_empty() || kept.octets.len() < kept.wanted {
            return;
        }
        let input = Input {
            direction,
            time: Timestamp::ZERO,
            late: false,
            clock_trusted: true,
            acknowledged: crate::flow::Acknowledged::All,
            bytes: &kept.octets,
        };
        (self.seen.direction, self.seen.before) = (Some(direction), kept.before);
        let progress = self.parser.data(input, &mut *self.shared, &mut self.seen);
        let consumed = progress.consumed.min(kept.octets.len());
        kept.skip = progress.consumed - consumed;
        kept.before += consumed;
        kept.octets.drain(..consumed);
        kept.wanted = progress.wanted;
        assert!(kept.wanted <= PROTOCOL.max_kept, "{progress:?}");
        let asks_for_more = kept.wanted > kept.octets.len();
        assert!(asks_for_more || kept.octets.is_empty(), "{progress:?} of {}", kept.octets.len());
    }

    fn gap(&mut self, direction: Direction, missing: u64) {
        let kept = &mut self.ways[direction.index()];
        kept.before += kept.octets.len() + missing as usize;
        kept.octets.clear();
        (kept.wanted, kept.skip) = (0, 0);
        (self.seen.direction, self.seen.before) = (Some(direction), kept.before);
        self.parser.gap(direction, missing, &mut self.seen);
    }

    fn end(mut self) -> Vec<String> {
        let left = [0, 1].map(|index: usize| &self.ways[index].octets[..]);
        self.parser.end(left, &mut *self.shared, &mut self.seen);
        self.seen.lines.0
    }
}

/// What a client's frames are behind an upgrade.
fn decode_sent(frames: &[u8]) -> Vec<String> {
    let mut connection = Connection::upgraded();
    connection.feed(ToServer, frames);
    connection.end()
}

const NONE: [&str; 0] = [];
