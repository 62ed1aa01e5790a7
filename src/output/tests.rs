//! The EVE writer with records made by hand.

use serde_json::{Value as Read, json};

use super::json::Json;
use super::layout::Layout;
use super::{Eve, Types};
use crate::engine::Stats;
use crate::event::{
    ANOMALY, Anomaly, CONTEXT, Context, Event, FLOW, FlowContext, FlowReason, FlowRecord,
    FlowState, Kind, Record, Redaction, Value,
};
use crate::flow::{CommunityId, FlowKey, Side};
use crate::record;
use crate::rule::{Placeholders, RuleSet, Source};
use crate::time::Timestamp;

struct Object {
    ioa: i64,
    value: Value<'static>,
    invalid: Option<bool>,
}

record! {
    /// An element of a list.
    static OBJECT: Object = "element";
    fields {
        "ioa": Kind::Integer, "Address." => |o| Value::Integer(o.ioa);
        "quality.invalid": Kind::Boolean, "Invalid."
            => |o| Value::maybe(o.invalid, Value::Boolean);
        "value": Kind::Number, "Value." => |o| o.value;
    }
}

struct Plain(&'static [u8]);

record! {
    /// An element that is a plain value.
    static PLAIN: Plain = "plain";
    fields {
        "": Kind::Text, "A word." => |p| Value::Text(p.0);
    }
}

#[derive(Default)]
struct Message {
    kind: u8,
    code: u8,
    topic: Option<&'static [u8]>,
    client: Option<&'static str>,
    words: Vec<Plain>,
    objects: Vec<Object>,
}

const MESSAGE_TYPES: &[&str] = &["connect", "publish"];

record! {
    /// A message with all that layouts must cope with.
    static MESSAGE: Message = "message";
    message_types(MESSAGE_TYPES, |m| m.kind);
    fields {
        "m.code": Kind::Name(&["zero", "", "two"]), "A name." => |m| Value::Code(m.code);
        "m.publish.topic": Kind::Text, "A text." => |m| Value::maybe(m.topic, Value::Text);
        "m.connect.client": Kind::Text, gives UserName, "A text." => |m| Value::maybe(m.client, Value::text);
        "m.last": Kind::Boolean, "After the objects." => |_m| Value::Boolean(true);
        "m.publish.length": Kind::Integer, "In an object that was left."
            => |m| Value::maybe(m.topic, |topic| Value::Integer(topic.len() as i64));
    }
    lists {
        "m.publish.words": PLAIN, "Plain values."
            => |m, visit| m.words.iter().for_each(|word| visit(word));
        "m.objects": OBJECT, "Objects."
            => |m, visit| m.objects.iter().for_each(|object| visit(object));
    }
}

fn written(record: &dyn Record) -> String {
    written_without(record, Redaction::default())
}

fn written_without(record: &dyn Record, redaction: Redaction) -> String {
    let mut json = Json::default();
    json.begin();
    Layout::new(record.schema(), redaction).write(record, &mut json);
    json.close(b'}');
    String::from_utf8(json.as_bytes().to_vec()).unwrap()
}

#[test]
fn an_object_has_all_its_members_in_one_place() {
    let message = Message {
        kind: 1,
        topic: Some(b"a/\"b\""),
        words: vec![Plain(b"one"), Plain(b"tw\xFFo")],
        objects: vec![
            Object { ioa: 1, value: Value::Single(0.5), invalid: Some(false) },
            Object { ioa: 2, value: Value::Absent, invalid: None },
        ],
        ..Message::default()
    };
    assert_eq!(
        written(&message),
        concat!(
            r#"{"m":{"code":"zero","#,
            r#""publish":{"topic":"a/\"b\"","length":5,"words":["one","tw"#,
            "\u{FFFD}",
            r#"o"]},"last":true,"#,
            r#""objects":[{"ioa":1,"quality":{"invalid":false},"value":0.5},{"ioa":2}]}}"#
        )
    );
}

#[test]
fn what_is_redacted_is_a_mark_where_there_was_something() {
    let redaction = Redaction { user_names: true, payloads: true };
    let message = Message { code: 1, client: Some("c"), ..Message::default() };
    let expected = r#"{"m":{"connect":{"client":"[redacted]"},"last":true}}"#;
    assert_eq!(written_without(&message, redaction), expected);
    let message = Message { code: 1, ..Message::default() };
    assert_eq!(written_without(&message, redaction), r#"{"m":{"last":true}}"#);
}

#[test]
fn what_is_absent_leaves_no_trace() {
    for code in [1, 3, 255] {
        let message = Message { code, ..Message::default() };
        assert_eq!(written(&message), r#"{"m":{"last":true}}"#);
    }
}

#[test]
fn an_object_of_which_only_lists_are_there_is_opened_for_them() {
    let message = Message { kind: 1, code: 1, words: vec![Plain(b"one")], ..Message::default() };
    assert_eq!(written(&message), r#"{"m":{"last":true,"publish":{"words":["one"]}}}"#);
}

#[test]
fn the_lists_of_an_object_named_after_another_message_type_are_not_asked_for() {
    let message = Message { kind: 0, code: 1, words: vec![Plain(b"one")], ..Message::default() };
    assert_eq!(written(&message), r#"{"m":{"last":true}}"#);
}

/// Duplicate keys are no JSON: a name must not be a value in one line and an object in another.
#[test]
fn no_field_is_both_a_value_and_an_object() {
    for schema in crate::protocol::services().chain([&CONTEXT]) {
        let mut names: Vec<_> = schema.paths().map(|(name, ..)| name).collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            assert!(pair[0] != pair[1], "{} has {} twice", schema.name, pair[0]);
            assert!(
                pair[1].strip_prefix(&pair[0]).is_none_or(|rest| !rest.starts_with('.')),
                "{} is a value and an object in {}",
                pair[0],
                schema.name
            );
        }
    }
}

const ATTACKER: [u8; 4] = [10, 0, 0, 66];
const STATION: [u8; 4] = [10, 0, 0, 10];

fn key() -> FlowKey {
    FlowKey::new([(STATION.into(), 2404), (ATTACKER.into(), 40_000)], [12, 0], 6)
}

fn with_context<R>(use_it: impl FnOnce(&Context<'_>) -> R) -> R {
    let (key, community_id) = (key(), CommunityId::default());
    use_it(&Context {
        timestamp: Timestamp::from_nanos(1_795_409_759_123_456_789),
        number: 7,
        interface: Some("eth0"),
        vlan: &[12],
        tunnel: &[],
        flow: Some(FlowContext {
            key: &key,
            id: (1 << 53) - 1,
            community_id: &community_id,
            sender: Side::Upper,
            client: Side::Upper,
            directed: true,
            app_proto: Some("iec104"),
        }),
    })
}

/// A rule about anomalies, and what an alert needs of it.
fn rules() -> RuleSet {
    let source = Source {
        name: "rule.yml".to_owned(),
        text: "title: Somebody says \"no\"\n\
               id: 5b0c1f4e-54b0-4a3e-9d0b-0a4f3f6f1c11\n\
               level: medium\n\
               tags: [attack.t0855, attack.t0848]\n\
               logsource: {product: gridtap, service: anomaly}\n\
               detection: {length: {anomaly.event: length}, condition: length}\n"
            .to_owned(),
    };
    RuleSet::load(&[source], &[&ANOMALY], &Placeholders::new()).unwrap()
}

fn flow_record() -> FlowRecord {
    FlowRecord {
        packets: [3, 4],
        bytes: [300, 400],
        start: Timestamp::from_nanos(1_795_409_750_000_000_000),
        end: Timestamp::from_nanos(1_795_409_759_123_456_000),
        state: FlowState::Established,
        reason: Some(FlowReason::Timeout),
        alerted: true,
        joined: false,
        gaps: [0, 1],
        bytes_missed: [0, 10],
        retransmissions: [0, 0],
    }
}

/// What `Eve` writes for these calls, line by line.
fn lines(
    types: &str,
    sensor: Option<&str>,
    use_it: impl FnOnce(&mut Eve<&mut Vec<u8>>),
) -> Vec<Read> {
    let mut output = Vec::new();
    let mut eve = Eve::new(&mut output, types.parse().unwrap(), &rules().rules, sensor);
    use_it(&mut eve);
    eve.finish().unwrap();
    let text = String::from_utf8(output).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn one_of_each(eve: &mut Eve<&mut Vec<u8>>) {
    with_context(|context| {
        let anomaly =
            Anomaly::in_message("iec104", "length").at("apci.length", Value::Integer(254), 1);
        let event = Event { context, record: &anomaly };
        eve.event(&event, [&rules().rules[0]]);
        eve.event(&Event { context, record: &flow_record() }, []);
        eve.stats(context.timestamp, 9, &stats());
    });
}

fn stats() -> Stats {
    let mut stats = Stats { packets: 5, bytes: 500, alerts: vec![1], ..Stats::default() };
    stats.decode_errors.insert("ipv4_header", 2);
    stats.messages.push((&FLOW, vec![3]));
    stats
}

#[test]
fn a_record_begins_as_in_suricata() {
    let mut output = Vec::new();
    let mut eve = Eve::new(&mut output, Types::default(), &[], Some("gap-1"));
    with_context(|context| eve.event(&Event { context, record: &Anomaly::in_stream("gap") }, []));
    eve.finish().unwrap();
    assert_eq!(
        String::from_utf8(output).unwrap(),
        concat!(
            r#"{"timestamp":"2026-11-23T04:55:59.123456+0000","flow_id":9007199254740991,"#,
            r#""pcap_cnt":7,"in_iface":"eth0","event_type":"anomaly","host":"gap-1","#,
            r#""src_ip":"10.0.0.66","src_port":40000,"dest_ip":"10.0.0.10","dest_port":2404,"#,
            r#""proto":"TCP","app_proto":"iec104","direction":"to_server","#,
            r#""community_id":"1:St/WZNkXUoRT4WVZ4Rw8+LOohpE=","vlan":[12],"#,
            r#""anomaly":{"type":"stream","event":"gap","layer":"stream"}}"#,
            "\n"
        )
    );
}

#[test]
fn an_alert_carries_the_record_that_matched() {
    let lines = lines("alert", None, one_of_each);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["event_type"], "alert");
    let id = lines[0]["alert"]["id"].as_str().unwrap();
    assert!(id.len() == 16 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
    assert_eq!(
        lines[0]["alert"],
        json!({
            "id": id,
            "action": "allowed", "gid": 1, "signature_id": rules().rules[0].signature_id, "rev": 1,
            "signature": "Somebody says \"no\"", "category": "anomaly", "severity": 2,
            "rule_id": "5b0c1f4e-54b0-4a3e-9d0b-0a4f3f6f1c11", "level": "medium",
            "metadata": { "mitre_technique_id": ["T0855", "T0848"] },
        })
    );
    assert_eq!(
        lines[0]["anomaly"],
        json!({
            "type": "applayer", "event": "length", "layer": "proto_parser", "app_proto": "iec104",
            "field": "apci.length", "value": 254, "offset": 1,
        })
    );
}

#[test]
fn each_alert_of_a_packet_has_its_own_identifier() {
    let twice_the_same = |eve: &mut Eve<&mut Vec<u8>>| {
        one_of_each(eve);
        one_of_each(eve);
    };
    let ids = |use_it: &dyn Fn(&mut Eve<&mut Vec<u8>>)| -> Vec<_> {
        lines("alert", None, use_it).iter().map(|line| line["alert"]["id"].clone()).collect()
    };
    let (one, two) = (ids(&one_of_each), ids(&twice_the_same));
    assert!(two.len() == 2 && two[0] == one[0] && two[1] != one[0], "{two:?}");
    assert_eq!(ids(&twice_the_same), two, "and it is the same another time");
}

#[test]
fn only_the_wanted_types_are_written() {
    let types = |wanted| {
        lines(wanted, None, one_of_each)
            .iter()
            .map(|line| line["event_type"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(types("stats"), ["stats"]);
    assert_eq!(types("flow,anomaly,alert,stats"), ["anomaly", "alert", "flow", "stats"]);
}

/// A writer that fails after some octets.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        let taken = octets.len().min(self.0);
        self.0 -= taken;
        if taken == 0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_at_the_end_and_stops_writing() {
    let mut eve = Eve::new(Full(200_000), Types::default(), &[], None);
    with_context(|context| {
        let event = Event { context, record: &flow_record() };
        while !eve.failed() {
            assert!(eve.written() < 10_000, "never failed");
            eve.event(&event, []);
        }
        eve.event(&event, []);
    });
    assert_eq!(eve.finish().unwrap_err().kind(), std::io::ErrorKind::StorageFull);
}
