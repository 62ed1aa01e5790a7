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
use crate::event::{ANOMALY, Hex, Kind, Record, Records, Schema, Value};
use crate::flow::{Acknowledged, Direction, FlowKey, Side};
use crate::protocol::{Input, Parser, Shared, Start};
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
        if std::ptr::eq(record.schema(), &raw const ANOMALY) {
            let line = anomaly_line(record);
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

/// `! name field=value @offset`
fn anomaly_line(record: &dyn Record) -> String {
    let get = |name| show(&ANOMALY, record, ANOMALY.resolve(name).unwrap().field.into());
    let mut line = format!("! {}", get("anomaly.event").unwrap());
    // Text stands in the detail: a value is a number.
    let value = get("anomaly.value").or_else(|| get("anomaly.detail"));
    match (get("anomaly.field"), value) {
        (Some(field), Some(value)) => write!(line, " {field}={value}").unwrap(),
        (Some(text), None) | (None, Some(text)) => write!(line, " {text}").unwrap(),
        (None, None) => {}
    }
    write!(line, " @{}", get("anomaly.offset").unwrap()).unwrap();
    line
}

/// `TYPE level name=value …`, with `?` behind a level that is inferred, without zero flags.
fn packet_line(record: &dyn Record) -> String {
    let get = |name| show(&MQTT, record, MQTT.resolve(name).unwrap().field.into());
    let mut line = get("mqtt.type").unwrap();
    if let Some(version) = get("mqtt.version") {
        let inferred = get("mqtt.version_inferred").as_deref() == Some("true");
        write!(line, " {version}{}", if inferred { "?" } else { "" }).unwrap();
    }
    let object = format!("mqtt.{}.", MQTT.message_types[usize::from(record.message_type())]);
    for (index, field) in MQTT.fields.iter().enumerate() {
        let Some(value) = show(&MQTT, record, index) else { continue };
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
            let schema = element.schema();
            let values = (0..schema.fields.len()).filter_map(|index| show(schema, element, index));
            elements.push(values.collect::<Vec<_>>().join("/"));
        });
        if !elements.is_empty() {
            let name = list.name.strip_prefix(&object).expect("a list of this type's object");
            write!(line, " {name}=[{}]", elements.join(" ")).unwrap();
        }
    }
    line
}

fn show(schema: &'static Schema, record: &dyn Record, index: usize) -> Option<String> {
    Some(match record.value(index) {
        Value::Absent => return None,
        Value::Boolean(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) if text.len() > 64 => format!("{} octets", text.len()),
        Value::Text(text) => text.escape_ascii().to_string(),
        Value::Octets(octets) => String::from_utf8_lossy(Hex::new(octets).as_bytes()).into_owned(),
        Value::Code(code) => {
            let Kind::Name(names) = schema.fields[index].kind else { panic!("a code has a name") };
            let name = names[usize::from(code)];
            (!name.is_empty()).then(|| name.replace(' ', "_"))?
        }
        other => panic!("{other:?} is no value of MQTT"),
    })
}

fn parser(joined: bool) -> Box<dyn Parser> {
    let ends = [([10, 40, 12, 11].into(), 40_000), ([10, 20, 0, 20].into(), 1883)];
    let key = FlowKey::new(ends, [0, 0], 6);
    let start = Start { key: &key, client: Side::Lower, joined };
    (PROTOCOL.start)(start, &*(PROTOCOL.shared)())
}

/// Stands in for the flow layer: keeps what a parser asks to be kept, skips what it skips.
struct Stream {
    parser: Box<dyn Parser>,
    shared: Box<Shared>,
    direction: Direction,
    kept: Vec<u8>,
    wanted: usize,
    skip: usize,
    lines: Lines,
}

impl Stream {
    fn new(joined: bool) -> Self {
        Self {
            parser: parser(joined),
            shared: (PROTOCOL.shared)(),
            direction: Direction::ToServer,
            kept: Vec::new(),
            wanted: 0,
            skip: 0,
            lines: Lines::default(),
        }
    }

    /// One segment.
    fn feed(&mut self, segment: &[u8]) {
        let skipped = self.skip.min(segment.len());
        self.skip -= skipped;
        self.kept.extend_from_slice(&segment[skipped..]);
        if self.kept.is_empty() || self.kept.len() < self.wanted {
            return;
        }
        let input = Input {
            direction: self.direction,
            time: Timestamp::ZERO,
            late: false,
            clock_trusted: true,
            acknowledged: Acknowledged::All,
            bytes: &self.kept,
        };
        let progress = self.parser.data(input, &mut *self.shared, &mut self.lines);
        let consumed = progress.consumed.min(self.kept.len());
        self.skip = progress.consumed - consumed;
        self.kept.drain(..consumed);
        self.wanted = progress.wanted;
        assert!(self.wanted <= PROTOCOL.max_kept);
        let asks_for_more = self.wanted > self.kept.len();
        assert!(asks_for_more || self.kept.is_empty(), "{progress:?} of {}", self.kept.len());
    }

    fn gap(&mut self) {
        self.kept.clear();
        self.wanted = 0;
        self.skip = 0;
        self.parser.gap(self.direction, 1, &mut self.lines);
    }

    fn end(mut self) -> Vec<String> {
        let mut left = [&[][..]; 2];
        left[self.direction.index()] = &self.kept;
        self.parser.end(left, &mut *self.shared, &mut self.lines);
        self.lines.0
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
