//! Tests of the whole protocol: octets in, records and anomalies out.

mod anomalies;
mod generator;
mod packets;
mod round_trip;
mod streams;
mod table;
mod websocket;

use std::fmt::Write as _;

use super::{MQTT, PROTOCOL};
use crate::event::{Record, Records, Schema, Value};
use crate::flow::{Direction, FlowKey, Side};
use crate::protocol::conversation::Conversation;
use crate::protocol::{Start, show};
use crate::time::Timestamp;

/// Shortest legal CONNECT of each level, with a clean session and a one letter client identifier.
const CONNECT_3: &[u8] = b"\x10\x0f\0\x06MQIsdp\x03\x02\0\x3c\0\x01c";
const CONNECT_4: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c";
const CONNECT_5: &[u8] = b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01c";

fn connect(level: u8) -> &'static [u8] {
    match level {
        3 => CONNECT_3,
        4 => CONNECT_4,
        _ => CONNECT_5,
    }
}

/// What a packet says of those before it. The packets of these tests stand one after the other in one
/// direction, and are about what is in them; `session_tests` are about conversations.
const OF_CONVERSATIONS: &[&str] = &[
    "ack_without_request",
    "alias_over_maximum",
    "connect_repeated",
    "data_after_disconnect",
    "packet_before_connack",
    "packet_id_in_use",
    "wrong_direction",
];

/// Collects what a parser emits, a line each.
#[derive(Default)]
struct Lines(Vec<String>);

impl Records for Lines {
    fn emit(&mut self, record: &dyn Record) {
        if show::is_anomaly(record) {
            let line = show::anomaly(record);
            let name = line.split(' ').nth(1).unwrap();
            if !OF_CONVERSATIONS.contains(&name) {
                self.0.push(line);
            }
        } else {
            self.0.push(packet_line(record));
        }
    }

    fn wants(&self, _schema: &'static Schema) -> bool {
        true
    }
}

/// `TYPE level name=value …`, with `?` behind a level that is inferred, without zero flags.
fn packet_line(record: &dyn Record) -> String {
    let get = |name| show::named(record, name);
    let mut line = get("mqtt.type").unwrap();
    if let Some(version) = get("mqtt.version") {
        let inferred = get("mqtt.version_inferred").as_deref() == Some("true");
        write!(line, " {version}{}", if inferred { "?" } else { "" }).unwrap();
    }
    let object = format!("mqtt.{}.", MQTT.message_types[usize::from(record.message_type())]);
    for (index, field) in MQTT.fields.iter().enumerate() {
        let Some(value) = value(record, index) else { continue };
        let name = match field.name.strip_prefix(&object) {
            // How it came is told apart from what it is.
            Some(name) if name.starts_with("websocket.") => continue,
            Some("qos" | "retain" | "dup") if matches!(&*value, "0" | "false") => continue,
            Some(name) => name,
            None if field.name == "mqtt.skipped_length" => field.name,
            None if matches!(field.name.matches('.').count(), 1) => continue,
            None => panic!("{} in {object}", field.name),
        };
        write!(line, " {name}={value}").unwrap();
    }
    for (index, list) in MQTT.lists.iter().enumerate() {
        let mut elements = Vec::new();
        record.each(index, &mut |element| {
            let fields = 0..element.schema().fields.len();
            let values = fields.filter_map(|index| value(element, index));
            elements.push(values.collect::<Vec<_>>().join("/"));
        });
        if !elements.is_empty() {
            let name = list.name.strip_prefix(&object).expect("a list of this type's object");
            write!(line, " {name}=[{}]", elements.join(" ")).unwrap();
        }
    }
    line
}

/// Long texts only by their length.
fn value(record: &dyn Record, index: usize) -> Option<String> {
    match record.value(index) {
        Value::Text(text) if text.len() > 64 => Some(format!("{} octets", text.len())),
        Value::Text(text) => Some(text.escape_ascii().to_string()),
        _ => show::field(record, index).map(|text| text.replace(' ', "_")),
    }
}

fn conversation<O: Records>(joined: bool, out: O) -> Conversation<O> {
    let ends = [([10, 40, 12, 11].into(), 40_000), ([10, 20, 0, 20].into(), 1883)];
    let key = FlowKey::new(ends, [0, 0], 6);
    let start = Start { key: &key, client: Side::Lower, joined };
    Conversation::new(&PROTOCOL, start, Timestamp::ZERO, out)
}

/// One direction.
struct Stream {
    conversation: Conversation<Lines>,
    direction: Direction,
}

impl Stream {
    fn new(joined: bool) -> Self {
        let conversation = conversation(joined, Lines::default());
        Self { conversation, direction: Direction::ToServer }
    }

    /// One segment.
    fn feed(&mut self, segment: &[u8]) {
        self.conversation.say(self.direction, segment);
    }

    fn gap(&mut self) {
        self.conversation.miss(self.direction, 1);
    }

    fn end(self) -> Vec<String> {
        self.conversation.end().0
    }
}

/// What a whole stream from a client is, its end included.
fn decode(stream: &[u8]) -> Vec<String> {
    let mut whole = Stream::new(false);
    whole.feed(stream);
    whole.end()
}

/// What a packet is behind a CONNECT of this level.
fn decode_at(level: u8, packet: &[u8]) -> Vec<String> {
    let mut lines = decode(&[connect(level), packet].concat());
    let first = lines.remove(0);
    assert!(first.starts_with(&format!("CONNECT {level}")), "{first}");
    lines
}
