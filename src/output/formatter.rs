//! Events as lines of EVE JSON, with Suricata's names where Suricata has them.

use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Range;

use foldhash::fast::FixedState;

use super::Types;
use super::envelope::Envelope;
use super::json::{Json, Key};
use super::layout::Layout;
use super::pen::hexadecimal;
use crate::engine::Stats;
use crate::event::{Context, Event, Redaction, Schema};
use crate::json::Path;
use crate::protocol;
use crate::rule::{Level, Rule};
use crate::time::Timestamp;

/// What a line is, for those who let lines go or keep them.
#[derive(Debug, Clone, Copy)]
pub enum LineKind {
    /// A record of this type.
    Record(&'static Schema),
    /// An alert of a rule of this level.
    Alert(Level),
    /// The counters.
    Stats,
    /// No line of its own: what a [correlation](super::Correlating) may make an alert of.
    Held,
}

/// Makes lines of events, into memory that is used again.
#[derive(Debug)]
pub struct Formatter {
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
    rules: Vec<RulePart>,
    moment: Moment,
    /// See [`held`](Self::held).
    held: Vec<u8>,
}

/// Octets before the line of what is held: where in it the alert belongs.
pub(super) const PLACE: usize = size_of::<u32>();

/// How records of one type are written.
#[derive(Debug)]
struct Shape {
    schema: &'static Schema,
    /// `"event_type":"…",`, and the sensor's name.
    event_type: Box<[u8]>,
    layout: Layout,
    /// What is written of their documents.
    paths: Vec<(usize, Path)>,
    /// Whether such records are written on their own; alerts carry them in any case.
    written: bool,
}

/// What all alerts of a rule have in common.
#[derive(Debug)]
pub(super) struct RulePart {
    pub(super) signature_id: u32,
    pub(super) level: Level,
    /// `"alert":{…,`: its object is still open.
    json: Box<[u8]>,
}

impl Formatter {
    /// Makes lines of records of these `types` and of alerts of `rules`. `sensor` names the sensor
    /// in the field `host`. There is memory for `octets` of lines, and more when it is needed.
    pub fn new(types: Types, rules: &[Rule], sensor: Option<&str>, octets: usize) -> Self {
        let mut formatter = Self {
            lines: Json::with_capacity(octets),
            alerts: types.alerts(),
            envelope: Envelope::new(),
            shapes: protocol::services()
                .map(|schema| Shape::new(schema, types.records(schema), sensor))
                .collect(),
            alert_type: event_type("alert", sensor),
            stats_type: event_type("stats", sensor),
            types,
            rules: rules.iter().map(RulePart::new).collect(),
            moment: Moment::default(),
            held: Vec::new(),
        };
        formatter.set_paths(rules);
        formatter
    }

    /// The same, without what this hides.
    #[must_use]
    pub fn with_redaction(mut self, redaction: Redaction) -> Self {
        for shape in &mut self.shapes {
            shape.layout = Layout::new(shape.schema, redaction);
            shape.layout.set_paths(&shape.paths);
        }
        self
    }

    /// Alerts are of these rules from now on.
    pub fn set_rules(&mut self, rules: &[Rule]) {
        self.rules = rules.iter().map(RulePart::new).collect();
        self.set_paths(rules);
    }

    /// Of documents in records, what rules ask for is written, so that the same rules hold where
    /// the records are searched.
    fn set_paths(&mut self, rules: &[Rule]) {
        for shape in &mut self.shapes {
            let rules = rules.iter().filter(|rule| rule.about.is_of(shape.schema));
            let paths: Vec<_> = rules.flat_map(|rule| rule.paths.clone()).collect();
            shape.layout.set_paths(&paths);
            shape.paths = paths;
        }
    }

    /// The types of records that lines are made of.
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// The lines that were made, each whole.
    pub fn lines(&self) -> &[u8] {
        self.lines.as_bytes()
    }

    /// Forgets the lines, keeps the memory.
    pub fn clear(&mut self) {
        self.lines.clear();
    }

    /// Makes a line of a record, and one for each of the rules that fired on it. `made` hears of
    /// each line what it is and where it ends in [`lines`](Self::lines).
    pub fn event<'r>(
        &mut self,
        event: &Event<'_>,
        fired: impl IntoIterator<Item = &'r Rule>,
        made: impl FnMut(LineKind, usize),
    ) {
        self.event_in(event, fired, None, made);
    }

    /// The same; the alerts name a file with packets around them.
    pub fn event_in<'r>(
        &mut self,
        event: &Event<'_>,
        fired: impl IntoIterator<Item = &'r Rule>,
        capture_file: Option<&str>,
        mut made: impl FnMut(LineKind, usize),
    ) {
        let schema = event.record.schema();
        let Some(shape) = self.shapes.iter().find(|shape| std::ptr::eq(shape.schema, schema))
        else {
            return;
        };
        let (lines, envelope) = (&mut self.lines, &mut self.envelope);
        let mut line = None;
        if shape.written {
            line =
                Some(Line::write(event, &shape.event_type, None, &shape.layout, envelope, lines));
            made(LineKind::Record(schema), lines.len());
        }
        for rule in fired.into_iter().take_while(|_| self.alerts) {
            let Some(rule) = self.rules.get(rule.index) else { continue };
            let of = &self.alert_type;
            let number = self.moment.next(event.context);
            let alert = Alert { rule, capture_file, number };
            if let Some(line) = &line {
                line.repeat(event, of, alert, lines);
            } else {
                let layout = &shape.layout;
                line = Some(Line::write(event, of, Some(alert), layout, envelope, lines));
            }
            made(LineKind::Alert(rule.level), lines.len());
        }
    }

    /// What an alert of a correlation says of the record that completed it: to be kept until it is
    /// known whether there is one, and made a line of by [`Correlating`](super::Correlating).
    pub fn held(&mut self, event: &Event<'_>) -> &[u8] {
        let start = self.lines.len();
        self.hold(event, |_, _| {});
        self.held.clear();
        self.held.extend_from_slice(self.lines.since(start));
        self.lines.truncate(start);
        &self.held
    }

    /// The same, among the lines.
    pub fn hold(&mut self, event: &Event<'_>, made: impl FnOnce(LineKind, usize)) {
        let schema = event.record.schema();
        let shape = self.shapes.iter().find(|shape| std::ptr::eq(shape.schema, schema));
        let (Some(shape), lines) = (shape, &mut self.lines) else { return };
        let start = lines.len();
        lines.raw(&[0; PLACE]);
        let (of, layout) = (&self.alert_type, &shape.layout);
        let line = Line::write(event, of, None, layout, &mut self.envelope, lines);
        let place = (line.record.start - start - PLACE) as u32;
        lines.fill_in(start, &place.to_le_bytes());
        made(LineKind::Held, lines.len());
    }

    /// Takes the line of an alert that was made elsewhere, if alerts are wanted.
    pub fn line(&mut self, line: &[u8]) -> bool {
        if self.alerts {
            self.lines.raw(line);
        }
        self.alerts
    }

    /// Takes a line that was made here before.
    pub(super) fn raw(&mut self, line: &[u8]) {
        self.lines.raw(line);
    }

    /// Takes the lines from a place on out.
    pub(super) fn take_from(&mut self, start: usize, lines: &mut Vec<u8>) {
        lines.clear();
        lines.extend_from_slice(self.lines.since(start));
        self.lines.truncate(start);
    }

    /// Makes a line of the counters as they were at `now`, `uptime` seconds after the first packet.
    pub fn stats(
        &mut self,
        now: Timestamp,
        uptime: u64,
        stats: &Stats,
        made: impl FnOnce(LineKind, usize),
    ) {
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
        made(LineKind::Stats, self.lines.len());
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
    /// Writes an event as a line of this type; what is said of the rule stands before the record.
    #[inline]
    fn write(
        event: &Event<'_>,
        event_type: &[u8],
        alert: Option<Alert<'_>>,
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
        let alert = alert.map(|alert| (alert, alert.write(lines)));
        let start = lines.len();
        layout.write(event.record, lines);
        // The last comma is lost when the line ends.
        let record = start..start.max(lines.len() - 1);
        if let Some((alert, place)) = alert {
            alert.identify(place, event.context, &record, lines);
        }
        lines.end_line();
        Self { packet, flow, record }
    }

    /// Writes the same event as an alert.
    fn repeat(&self, event: &Event<'_>, event_type: &[u8], alert: Alert<'_>, lines: &mut Json) {
        lines.again(self.packet.clone());
        lines.raw(event_type);
        lines.again(self.flow.clone());
        let place = alert.write(lines);
        lines.again(self.record.clone());
        alert.identify(place, event.context, &self.record, lines);
        lines.end_line();
    }
}

impl Shape {
    fn new(schema: &'static Schema, written: bool, sensor: Option<&str>) -> Self {
        Self {
            schema,
            event_type: event_type(schema.name, sensor),
            layout: Layout::new(schema, Redaction::default()),
            paths: Vec::new(),
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

/// What an alert says besides its record.
#[derive(Clone, Copy)]
struct Alert<'a> {
    rule: &'a RulePart,
    capture_file: Option<&'a str>,
    number: u32,
}

impl Alert<'_> {
    /// Writes what is known of it, and returns the place that is left for its identifier.
    fn write(self, lines: &mut Json) -> usize {
        if let Some(name) = self.capture_file {
            lines.text(&Key::new("capture_file"), name.as_bytes());
        }
        self.rule.write(lines)
    }

    /// Fills in the identifier. It is the same for the same alert live and in replay, and on any
    /// thread, so it is not keyed and knows nothing of the capture.
    fn identify(
        self,
        place: usize,
        context: &Context<'_>,
        record: &Range<usize>,
        lines: &mut Json,
    ) {
        let mut hasher = FixedState::with_seed(0).build_hasher();
        (context.timestamp, flow_id(context), self.rule.signature_id, self.number)
            .hash(&mut hasher);
        hasher.write(lines.as_bytes().get(record.clone()).unwrap_or_default());
        lines.fill_in(place, &hexadecimal(hasher.finish()));
    }
}

/// A flow at a moment: a packet may carry the same message more than once, and each is an alert of
/// its own.
#[derive(Debug, Default)]
struct Moment {
    timestamp: Timestamp,
    flow: u64,
    alerts: u32,
}

impl Moment {
    /// The number of the next alert there.
    fn next(&mut self, context: &Context<'_>) -> u32 {
        let (timestamp, flow) = (context.timestamp, flow_id(context));
        if (self.timestamp, self.flow) != (timestamp, flow) {
            *self = Self { timestamp, flow, alerts: 0 };
        }
        self.alerts = self.alerts.wrapping_add(1);
        self.alerts
    }
}

fn flow_id(context: &Context<'_>) -> u64 {
    context.flow.map_or(0, |flow| flow.id)
}

impl RulePart {
    pub(super) fn new(rule: &Rule) -> Self {
        let mut alert = serde_json::json!({
            "action": "allowed",
            "gid": 1,
            "signature_id": rule.signature_id,
            "rev": 1,
            "signature": rule.title,
            "category": rule.about.name(),
            "severity": severity(rule.level),
            "rule_id": rule.id.to_string(),
            "level": rule.level.name(),
        });
        if !rule.techniques.is_empty() {
            alert["metadata"] = serde_json::json!({ "mitre_technique_id": rule.techniques });
        }
        let mut json = format!("\"alert\":{alert}").into_bytes();
        if let Some(end) = json.last_mut() {
            *end = b',';
        }
        Self { signature_id: rule.signature_id, level: rule.level, json: json.into() }
    }

    /// Writes what is known of the alert, and returns the place that is left for its identifier.
    fn write(&self, lines: &mut Json) -> usize {
        self.write_with(lines, |_| {})
    }

    /// The same, with more members of the alert.
    pub(super) fn write_with(&self, lines: &mut Json, more: impl FnOnce(&mut Json)) -> usize {
        lines.raw(&self.json);
        more(lines);
        lines.raw(b"\"id\":\"");
        let place = lines.len();
        lines.raw(b"0000000000000000\"},");
        place
    }
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
