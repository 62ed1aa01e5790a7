//! What the black-box tests share: captures read whole, an engine run over them, records as JSON.
//!
//! The JSON here is made by walking the field table, apart from the EVE writer, so that each checks
//! the other.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

pub mod page;
pub mod scenarios;
pub mod websocket;
pub mod wire;
pub mod wrap;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridtap::capture::Source;
use gridtap::engine::{Engine, Limits, Sink};
use gridtap::event::{Event, Hex, Kind, Record, Schema, Value};
use gridtap::packet::{Frame, LinkType};
use gridtap::protocol::{self, Fact, Protocol};
use gridtap::rule::{Hits, Placeholders, RuleSet, Source as RuleSource};
use gridtap::time::Timestamp;
use serde_json::{Map, Value as Json, json};

/// A frame with its octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedFrame {
    pub timestamp: Timestamp,
    pub link: LinkType,
    pub data: Vec<u8>,
}

/// A file of the repository.
pub fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file or folder of the material beside the repository; says so where it is absent.
pub fn shared(path: &str) -> Option<PathBuf> {
    let found = file("../shared").join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: there is no ../shared/{path} beside the repository");
    None
}

/// All files below `folder`, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// All frames of a capture that is whole.
pub fn frames(path: &Path) -> Vec<OwnedFrame> {
    let mut source = Source::open(&[path]).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = source.next().unwrap() {
        frames.push(OwnedFrame {
            timestamp: frame.timestamp,
            link: frame.link,
            data: frame.data.to_vec(),
        });
    }
    frames
}

/// What an engine said.
#[derive(Debug, Default)]
pub struct Collected {
    /// Records in order, with their context.
    pub records: Vec<Json>,
    /// Titles of the rules that fired, in order.
    pub alerts: Vec<String>,
    /// Facts: server, protocol, name, value.
    pub facts: Vec<(IpAddr, &'static str, &'static str, String)>,
}

impl Collected {
    /// Takes a record.
    pub fn push(&mut self, event: &Event<'_>) {
        self.records.push(to_json(event));
    }

    /// The records of one type.
    pub fn of(&self, event_type: &str) -> Vec<&Json> {
        self.records.iter().filter(|record| record["event_type"] == event_type).collect()
    }

    /// The records of messages of application protocols.
    pub fn messages(&self) -> Vec<&Json> {
        let of_message = |record: &&Json| {
            let has = |name: &str| record[name].is_object();
            record["iec104"]["frame"].is_string() || has("mqtt") || has("tls")
        };
        self.records.iter().filter(of_message).collect()
    }

    /// The names of the anomalies, but for what an APDU says of those before it: the APDUs of these
    /// tests are made by hand, and are about something else.
    pub fn anomalies(&self) -> Vec<&str> {
        const OF_CONVERSATIONS: &[&str] = &[
            "confirmation_without_command",
            "data_before_start",
            "direction",
            "nr_out_of_window",
            "ns_gap_no_tcp_loss",
            "ns_out_of_window",
            "ns_repeat",
            "start_from_both",
            "startdt_repeat",
        ];
        let anomalies = self.records.iter().filter(|record| record["event_type"] == "anomaly");
        anomalies
            .filter_map(|record| record["anomaly"]["event"].as_str())
            .filter(|name| !OF_CONVERSATIONS.contains(name))
            .collect()
    }

    /// The records of application protocols and their anomalies, without what the cut into packets
    /// decides.
    pub fn application(&self) -> Vec<Json> {
        let is_application = |record: &&Json| {
            !matches!(record["event_type"].as_str(), Some("flow"))
                && !matches!(record["anomaly"]["type"].as_str(), Some("stream" | "decode"))
        };
        self.records
            .iter()
            .filter(is_application)
            .map(|record| {
                let mut record = record.clone();
                let fields = record.as_object_mut().unwrap();
                fields.remove("timestamp");
                fields.remove("pcap_cnt");
                if let Some(command) = fields.get_mut("iec104").map(|apdu| &mut apdu["command"])
                    && let Some(command) = command.as_object_mut()
                {
                    command.retain(|name, _| !name.ends_with("_ms"));
                }
                if let Some(packet) = fields.get_mut("mqtt").and_then(Json::as_object_mut) {
                    for part in packet.values_mut().filter_map(Json::as_object_mut) {
                        part.remove("latency_ms");
                    }
                }
                record
            })
            .collect()
    }
}

impl Sink for Collected {
    fn event(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        if self.wants(event.record.schema()) {
            self.push(event);
        }
        self.alerts.extend(fired.into_iter().map(|rule| rule.title.clone()));
    }

    fn wants(&self, schema: &'static Schema) -> bool {
        schema.name != "iec104_object"
    }

    fn fact(
        &mut self,
        server: IpAddr,
        protocol: &'static Protocol,
        name: &'static str,
        fact: Fact<'_>,
    ) {
        self.facts.push((server, protocol.name, name, format!("{fact:?}")));
    }
}

/// Runs an engine over frames, to the end.
pub fn run(frames: &[OwnedFrame], rules: Arc<RuleSet>) -> Collected {
    let mut collected = Collected::default();
    let mut engine = Engine::new(rules, Limits::default(), &collected);
    feed(&mut engine, frames, &mut collected);
    engine.finish(&mut collected);
    collected
}

/// How often a rule fires on frames: one of this service, with these conditions.
pub fn alerts(service: &str, detection: &str, frames: &[OwnedFrame]) -> usize {
    let rule = format!(
        "title: it holds\nid: 5b0cc6f0-7f0e-4f6c-9d8b-0d2f5d4a1c11\nstatus: test\nlevel: low\n\
         logsource: {{product: gridtap, service: {service}}}\n\
         detection:\n  it: {{{detection}}}\n  condition: it\n"
    );
    let services: Vec<_> = protocol::services().collect();
    let sources = [RuleSource { name: "rule.yml".to_owned(), text: rule }];
    let rules = RuleSet::load(&sources, &services, &Placeholders::default()).unwrap();
    run(frames, Arc::new(rules)).alerts.len()
}

/// Hands frames to an engine.
pub fn feed(engine: &mut Engine, frames: &[OwnedFrame], sink: &mut dyn Sink) {
    for (index, frame) in frames.iter().enumerate() {
        engine.handle(
            &Frame {
                number: index as u64 + 1,
                timestamp: frame.timestamp,
                link: frame.link,
                data: &frame.data,
                wire_length: frame.data.len() as u32,
                interface: None,
            },
            sink,
        );
    }
}

/// A record without a context.
pub fn record_json(record: &dyn Record) -> Json {
    let mut fields = Map::new();
    add(&mut fields, record);
    Json::Object(fields)
}

/// A record with its context as EVE would have it.
pub fn to_json(event: &Event<'_>) -> Json {
    let mut fields = Map::new();
    add(&mut fields, event.context);
    fields.insert("event_type".into(), event.record.schema().name.into());
    add(&mut fields, event.record);
    Json::Object(fields)
}

fn add(fields: &mut Map<String, Json>, record: &dyn Record) {
    let schema = record.schema();
    for (index, field) in schema.fields.iter().enumerate() {
        if let Some(value) = value(field.kind, record.value(index)) {
            insert(fields, field.name, value);
        }
    }
    for (index, list) in schema.lists.iter().enumerate() {
        let mut elements = Vec::new();
        record.each(index, &mut |element| elements.push(element_json(element)));
        if !elements.is_empty() {
            insert(fields, list.name, Json::Array(elements));
        }
    }
}

fn element_json(element: &dyn Record) -> Json {
    if let [field] = element.schema().fields
        && field.name.is_empty()
    {
        return value(field.kind, element.value(0)).unwrap_or(Json::Null);
    }
    let mut fields = Map::new();
    add(&mut fields, element);
    Json::Object(fields)
}

fn insert(fields: &mut Map<String, Json>, name: &str, value: Json) {
    match name.split_once('.') {
        None => {
            assert!(fields.insert(name.into(), value).is_none(), "{name} is there twice");
        }
        Some((object, rest)) => {
            let inner = fields.entry(object).or_insert_with(|| json!({}));
            insert(inner.as_object_mut().unwrap(), rest, value);
        }
    }
}

fn value(kind: Kind, value: Value<'_>) -> Option<Json> {
    Some(match (value, kind) {
        (Value::Absent, _) => return None,
        (Value::Boolean(flag), _) => json!(flag),
        (Value::Integer(number), _) => json!(number),
        (Value::Single(number), _) => json!(number),
        (Value::Double(number), _) => json!(number),
        (Value::Code(code), Kind::Name(names)) => json!(names[usize::from(code)]),
        (Value::Code(code), kind) => panic!("code {code} in a field of kind {kind:?}"),
        (Value::Text(text), _) => json!(String::from_utf8_lossy(text)),
        (Value::Address(address), _) => json!(address.to_string()),
        (Value::Octets(octets), _) => {
            json!(String::from_utf8_lossy(Hex::new(octets).as_bytes()))
        }
        (Value::Time(time), _) => json!(time.as_nanos()),
    })
}
