//! EVE JSON: a line a record, with Suricata's names where Suricata has them.

use std::io::{self, Write};
use std::ops::Range;

use super::Types;
use super::envelope::Envelope;
use super::json::{Json, Key};
use super::layout::Layout;
use crate::engine::Stats;
use crate::event::{Event, Schema};
use crate::protocol;
use crate::rule::{Level, Rule};
use crate::time::Timestamp;

/// Octets that are gathered before they are written: few system calls, and still in the cache.
const BATCH: usize = 128 * 1024;

/// Writes events as EVE JSON lines.
///
/// Takes events without a result, as a sink must; the first error of the writer below stops all
/// writing and is told by [`finish`](Self::finish).
#[derive(Debug)]
pub struct Eve<W: Write> {
    output: W,
    /// Lines that are not written yet.
    lines: Json,
    types: Types,
    alerts: bool,
    envelope: Envelope,
    shapes: Vec<Shape>,
    /// `"event_type":"alert",`, and the sensor's name.
    alert_type: Box<[u8]>,
    /// The same for the counters.
    stats_type: Box<[u8]>,
    /// What every alert of a rule says, by [`Rule::index`].
    rules: Vec<Box<[u8]>>,
    written: u64,
    error: Option<io::Error>,
}

/// How records of one type are written.
#[derive(Debug)]
struct Shape {
    schema: &'static Schema,
    /// `"event_type":"…",`, and the sensor's name.
    event_type: Box<[u8]>,
    layout: Layout,
    /// Whether such records are written on their own; alerts carry them in any case.
    written: bool,
}

impl<W: Write> Eve<W> {
    /// Writes records of these `types` and alerts of `rules` to `output`. `sensor` names the
    /// sensor in the field `host`.
    pub fn new(output: W, types: Types, rules: &[Rule], sensor: Option<&str>) -> Self {
        Self {
            output,
            lines: Json::with_capacity(BATCH + BATCH / 4),
            alerts: types.alerts(),
            envelope: Envelope::new(),
            shapes: protocol::services()
                .map(|schema| Shape::new(schema, types.records(schema), sensor))
                .collect(),
            alert_type: event_type("alert", sensor),
            stats_type: event_type("stats", sensor),
            types,
            rules: rules.iter().map(constant_part).collect(),
            written: 0,
            error: None,
        }
    }

    /// The types of records that are written.
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// How many records were taken.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Whether writing failed; nothing is written any more.
    pub fn failed(&self) -> bool {
        self.error.is_some()
    }

    /// Writes a record, and an alert for each of the rules that fired on it.
    pub fn event<'r>(&mut self, event: &Event<'_>, fired: impl IntoIterator<Item = &'r Rule>) {
        let schema = event.record.schema();
        let Some(shape) = self.shapes.iter().find(|shape| std::ptr::eq(shape.schema, schema))
        else {
            return;
        };
        let (lines, envelope) = (&mut self.lines, &mut self.envelope);
        let mut line = None;
        if shape.written {
            line = Some(Line::write(event, &shape.event_type, &[], &shape.layout, envelope, lines));
            self.written += 1;
        }
        for rule in fired.into_iter().take_while(|_| self.alerts) {
            let about = self.rules.get(rule.index).map_or(&[][..], |constant| constant);
            match &line {
                Some(line) => line.repeat(&self.alert_type, about, lines),
                None => {
                    let of = &self.alert_type;
                    line = Some(Line::write(event, of, about, &shape.layout, envelope, lines));
                }
            }
            self.written += 1;
        }
        if self.lines.len() >= BATCH {
            self.write_out();
        }
    }

    /// Writes the counters as they were at `now`, `uptime` seconds after the first packet.
    pub fn stats(&mut self, now: Timestamp, uptime: u64, stats: &Stats) {
        if !self.types.stats() {
            return;
        }
        self.lines.begin();
        self.lines.time(&Key::new("timestamp"), now);
        self.lines.raw(&self.stats_type);
        self.lines.raw(b"\"stats\":");
        self.lines.raw(stats_object(uptime, stats).to_string().as_bytes());
        self.lines.raw(b",");
        self.lines.end_line();
        self.written += 1;
        if self.lines.len() >= BATCH {
            self.write_out();
        }
    }

    fn write_out(&mut self) {
        if self.error.is_none() {
            self.error = self.output.write_all(self.lines.as_bytes()).err();
        }
        self.lines.clear();
    }

    /// Writes what is left, and tells whether everything could be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.write_out();
        match self.error {
            Some(error) => Err(error),
            None => self.output.flush(),
        }
    }
}

/// Where the parts of a line stand that is still at hand: an alert is the line of its record, but
/// for the type and what it says of the rule.
struct Line {
    packet: Range<usize>,
    flow: Range<usize>,
    record: Range<usize>,
}

impl Line {
    /// Writes an event as a line of this type; `about` stands before the record.
    #[inline]
    fn write(
        event: &Event<'_>,
        event_type: &[u8],
        about: &[u8],
        layout: &Layout,
        envelope: &mut Envelope,
        lines: &mut Json,
    ) -> Self {
        let start = lines.len();
        lines.begin();
        envelope.packet(event.context, lines);
        let packet = start..lines.len();
        lines.raw(event_type);
        let start = lines.len();
        envelope.flow(event.context, lines);
        let flow = start..lines.len();
        lines.raw(about);
        let start = lines.len();
        layout.write(event.record, lines);
        // The last comma is lost when the line ends.
        let record = start..start.max(lines.len() - 1);
        lines.end_line();
        Self { packet, flow, record }
    }

    /// Writes the same event as a line of another type.
    fn repeat(&self, event_type: &[u8], about: &[u8], lines: &mut Json) {
        lines.again(self.packet.clone());
        lines.raw(event_type);
        lines.again(self.flow.clone());
        lines.raw(about);
        lines.again(self.record.clone());
        lines.end_line();
    }
}

impl Shape {
    fn new(schema: &'static Schema, written: bool, sensor: Option<&str>) -> Self {
        Self {
            schema,
            event_type: event_type(schema.name, sensor),
            layout: Layout::new(schema),
            written,
        }
    }
}

/// `"event_type":"…","host":"…",`, without a host for a sensor without a name.
fn event_type(name: &str, sensor: Option<&str>) -> Box<[u8]> {
    let mut json = Json::default();
    json.text(&Key::new("event_type"), name.as_bytes());
    if let Some(sensor) = sensor {
        json.text(&Key::new("host"), sensor.as_bytes());
    }
    json.as_bytes().into()
}

/// `"alert":{…},`: what all alerts of a rule have in common.
fn constant_part(rule: &Rule) -> Box<[u8]> {
    let mut alert = serde_json::json!({
        "action": "allowed",
        "gid": 1,
        "signature_id": rule.signature_id,
        "rev": 1,
        "signature": rule.title,
        "category": rule.service.name,
        "severity": severity(rule.level),
        "rule_id": rule.id.to_string(),
        "level": rule.level.name(),
    });
    if !rule.techniques.is_empty() {
        alert["metadata"] = serde_json::json!({ "mitre_technique_id": rule.techniques });
    }
    format!("\"alert\":{alert},").into_bytes().into()
}

/// Suricata's priority: 1 is the worst.
fn severity(level: Level) -> u8 {
    match level {
        Level::Critical | Level::High => 1,
        Level::Medium => 2,
        Level::Low => 3,
        Level::Informational => 4,
    }
}

/// The counters under Suricata's names where it has them, all others under `gridtap`.
fn stats_object(uptime: u64, stats: &Stats) -> serde_json::Value {
    let messages = stats.messages_by_protocol();
    let messages: serde_json::Map<_, _> =
        messages.map(|(protocol, count)| (protocol.to_owned(), count.into())).collect();
    serde_json::json!({
        "uptime": uptime,
        "decoder": {
            "pkts": stats.packets,
            "bytes": stats.bytes,
            "invalid": stats.decode_errors.values().sum::<u64>(),
        },
        "flow": { "total": stats.flows_created, "active": stats.flows_active },
        "tcp": { "reassembly_gap": stats.gaps, "reassembly_memuse": stats.stream_memory },
        "detect": { "alert": stats.alerts.iter().sum::<u64>() },
        "gridtap": {
            "decode_errors": stats.decode_errors,
            "flows_ended": stats.flows_ended,
            "bytes_missed": stats.bytes_missed,
            "messages": messages,
            "anomalies": stats.anomalies,
        },
    })
}
