//! Every field of every MQTT packet.

mod differences;
mod fields;
#[path = "../../src/protocol/mqtt/tests/generator/mod.rs"]
#[allow(dead_code, reason = "the round trip uses the rest")]
pub(crate) mod generator;
mod page;
mod synthetic;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use differences::{DIFFERENCES, Difference};
use fields::{FIELDS, Fields, How, Read};
use gridtap::rule::RuleSet;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::captures;
use crate::common::{frames, run};
use crate::differences::all_met;
use crate::pdml::{Layer, dissect_with};

const PROTOCOLS: &[&str] = &["mqtt"];
const CAPTURES: &[&str] = &["demo.pcap", "clean.pcap", "injection.pcap", "mqtt-peers.pcap"];

/// Captures where both see the same packets, but not with the same frame.
const OUT_OF_STEP: &[&str] = &[
    // Packets were taken out. Behind a hole, tshark reads on at once; we wait for the packet as
    // long as it may be late.
    "mqtt-events-missing-connect.pcap",
    "mqtt-midstream-split.pcap",
    // A PUBLISH of 200 KB: we tell of it with its head, tshark with its end.
    "mqtt-limit-2.pcap",
    "kept.pcap",
    "mqtt-peers.pcap",
];

/// Captures without a CONNECT: what Wireshark is told to read them as. We find out.
const JOINED: &[(&str, &str)] = &[
    ("joined.pcap", "MQTT v3.1.1"),
    ("mqtt-events-missing-connect.pcap", "MQTT v3.1.1"),
    ("mqtt-midstream-split.pcap", "MQTT v5.0"),
];

/// Ours alone: of the session, and no field of the packet.
const OURS: &[&str] = &["version", "version_inferred", "client_id", "username"];
/// The same, in the object of an answer: of what it answers.
const OF_ANSWERS: &[&str] = &["filters", "latency_ms"];

fn is_ours(name: &str) -> bool {
    match name.split_once('.') {
        None => OURS.contains(&name),
        Some((_, member)) => OF_ANSWERS.contains(&member.split('[').next().unwrap_or(member)),
    }
}

/// One packet as a decoder sees it.
#[derive(Debug, Default)]
struct Packet {
    frame: u64,
    fields: Fields,
    /// What is wrong with it.
    complaints: Vec<String>,
    /// Names of anomalies that there must be.
    demanded: BTreeSet<&'static str>,
    /// Whether it is not read to its end.
    is_cut: bool,
    /// Whether its level is a conclusion, or not known.
    is_inferred: bool,
}

impl Packet {
    /// Type, length, identifier: enough to find it among others.
    fn what(&self) -> String {
        let field = |name: &str| self.fields.get(name).map_or_else(String::new, Json::to_string);
        let kind = field("type");
        let object = kind.trim_matches('"').to_lowercase();
        [kind, field("length"), field(&format!("{object}.message_id")), field("publish.topic")]
            .join(" ")
    }
}

#[test]
fn every_field_of_real_peers_has_the_same_value() {
    for capture in captures(CAPTURES, "mqtt") {
        if compare(&capture).is_none() {
            return;
        }
    }
}

#[test]
fn every_field_has_the_same_value_whatever_the_octets() {
    let folder = TempDir::new().unwrap();
    let mut found = Found::default();
    for (name, write) in synthetic::ALL {
        let capture = folder.path().join(name);
        write(&capture);
        let Some(mut one) = compare(&capture) else { return };
        found.differences.append(&mut one.differences);
        found.met.append(&mut one.met);
    }
    all_met(&found.differences, DIFFERENCES);
    let shown: BTreeSet<_> =
        FIELDS.iter().filter(|field| field.2 != How::Never).map(|field| field.0).collect();
    assert_eq!(found.met, shown, "fields that were met, and those that are listed");
}

/// What a comparison has met.
#[derive(Debug, Default)]
struct Found {
    /// Where Wireshark had to be put right.
    differences: BTreeSet<Difference>,
    /// Wireshark's fields.
    met: BTreeSet<&'static str>,
}

/// Fails with the first lines of what is different.
fn compare(capture: &Path) -> Option<Found> {
    let is = |name: &&str| capture.ends_with(name);
    let level = JOINED.iter().find(|(name, _)| is(name)).map(|(_, level)| level);
    let arguments: Vec<_> =
        level.iter().map(|level| format!("-omqtt.default_version:{level}")).collect();
    let layers = dissect_with(capture, PROTOCOLS, &arguments)?;
    let mut found = Found::default();
    let mut theirs = theirs(&layers, &mut found);
    let differences = &mut found.differences;
    let mut ours = ours(capture);
    if level.is_some() {
        differences.insert(Difference::Joined);
    }
    if OUT_OF_STEP.iter().any(is) {
        for packets in [&mut ours, &mut theirs] {
            for packet in packets.iter_mut() {
                packet.frame = 0;
            }
            packets.sort_by_key(Packet::what);
        }
    }
    let name = capture.display().to_string();
    assert!(!theirs.is_empty(), "{name}: tshark sees no packet");
    let mut told = String::new();
    for (index, (our, their)) in ours.iter().zip(&mut theirs).enumerate() {
        settle(our, their, differences);
        let kind = their.fields.get("type").map_or(json!("no packet"), Json::clone);
        let place = format!("packet {index}, frame {}, {kind}", their.frame);
        tell(&mut told, &place, our, their);
    }
    let first: Vec<_> = told.lines().take(40).collect();
    assert!(told.is_empty(), "{name}:\n{}", first.join("\n"));
    assert_eq!(ours.len(), theirs.len(), "{name}: number of packets");
    Some(found)
}

/// Puts right what depends on what we said.
fn settle(our: &Packet, their: &mut Packet, differences: &mut BTreeSet<Difference>) {
    const KEPT: u64 = 65_536;
    let number = |fields: &Fields, name: &str| fields.get(name).and_then(Json::as_u64);
    // MQTT 5, clauses 3.4.2.1, 3.14.2.1, 3.15.2.1: a code that is left out is 0.
    let kind = their.fields["type"].as_str().unwrap().to_lowercase();
    let (code, name) = (format!("{kind}.reason_code"), format!("{kind}.reason"));
    let is_level_5 = our.fields.get("version") == Some(&json!(5));
    let may_lack = ["puback", "pubrec", "pubrel", "pubcomp", "disconnect", "auth"];
    let length = number(&their.fields, "length").unwrap_or_default();
    let shortest = if kind == "disconnect" || kind == "auth" { 0 } else { 2 };
    if is_level_5 && may_lack.contains(&&kind[..]) && length == shortest {
        differences.insert(Difference::Implied);
        their.fields.insert(code, json!(0));
        let implied = if kind == "disconnect" { "Normal disconnection" } else { "Success" };
        their.fields.insert(name, json!(implied));
    }
    if let Some(skipped) = number(&our.fields, "publish.skipped_length") {
        differences.insert(Difference::Kept);
        let length = number(&their.fields, "publish.payload_length").unwrap();
        // Before level 5 with the two octets of an identifier, there or not.
        assert!((KEPT..=KEPT + 2).contains(&(length - skipped)), "{length} - {skipped}");
        their.fields.insert("publish.skipped_length".into(), json!(skipped));
        their.fields.insert("publish.truncated".into(), json!(true));
        let is_utf8 = our.fields["publish.payload_utf8"].clone();
        their.fields.insert("publish.payload_utf8".into(), is_utf8);
    }
    let is_resolved = their.fields.contains_key("publish.topic_resolved");
    if is_resolved && our.complaints.contains(&"alias_unknown".to_owned()) {
        differences.insert(Difference::Directions);
        their.fields.remove("publish.topic_resolved");
        their.fields.insert("publish.topic".into(), json!(""));
    }
    if kind == "auth" && !is_level_5 {
        differences.insert(Difference::Auth);
    }
}

fn tell(told: &mut String, place: &str, our: &Packet, their: &Packet) {
    if our.frame != their.frame {
        writeln!(told, "{place}: ours is of frame {}", our.frame).unwrap();
    }
    let absent = json!("absent");
    for name in our.fields.keys().chain(their.fields.keys()).collect::<BTreeSet<_>>() {
        let of = |fields: &Fields| fields.get(name).unwrap_or(&absent).clone();
        let (ours, theirs) = (of(&our.fields), of(&their.fields));
        let is_missing = theirs == absent;
        if ours == theirs || is_ours(name) && is_missing {
            continue;
        }
        // Codes that Wireshark has no name for, or that the packet cannot carry.
        if name.contains(".reason") && !name.contains("_code") && (is_missing || ours == absent) {
            continue;
        }
        // What is cut is cut at a field that one sees and the other does not.
        if their.is_cut && (is_missing || ours == absent) {
            continue;
        }
        writeln!(told, "{place}: {name}: {ours} here, {theirs} there").unwrap();
    }
    for name in their.demanded.iter().filter(|name| !our.complaints.contains(&(**name).into())) {
        writeln!(told, "{place}: no anomaly {name}").unwrap();
    }
    if our.complaints.is_empty() && !their.complaints.is_empty() {
        writeln!(told, "{place}: no anomaly for {:?}", their.complaints).unwrap();
    }
    if their.is_inferred && !our.is_inferred {
        writeln!(told, "{place}: nobody said which level that is").unwrap();
    }
}

/// Our packets, and the anomalies that were told of each.
fn ours(capture: &Path) -> Vec<Packet> {
    let collected = run(&frames(capture), Arc::new(RuleSet::default()));
    let (mut packets, mut complaints) = (Vec::<Packet>::new(), Vec::new());
    for record in &collected.records {
        let frame = record["pcap_cnt"].as_u64().unwrap_or(0);
        match record["event_type"].as_str() {
            // Those of a packet are told before it.
            Some("anomaly") => {
                complaints.push(record["anomaly"]["event"].as_str().unwrap().to_owned());
            }
            Some("mqtt") => {
                let mut fields = Fields::new();
                flatten(&record["mqtt"], String::new(), &mut fields);
                let is_inferred =
                    fields.contains_key("version_inferred") || !fields.contains_key("version");
                let complaints = std::mem::take(&mut complaints);
                packets.push(Packet {
                    frame,
                    fields,
                    complaints,
                    is_inferred,
                    ..Packet::default()
                });
            }
            _ => {}
        }
    }
    packets
}

/// Nested objects and lists as names with dots and indices.
fn flatten(value: &Json, name: String, fields: &mut Fields) {
    match value {
        Json::Object(members) => {
            for (member, value) in members {
                let dot = if name.is_empty() { "" } else { "." };
                flatten(value, format!("{name}{dot}{member}"), fields);
            }
        }
        Json::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                flatten(value, format!("{name}[{index}]"), fields);
            }
        }
        _ => {
            fields.insert(name, value.clone());
        }
    }
}

/// Wireshark's packets in our fields.
fn theirs(layers: &[Layer], found: &mut Found) -> Vec<Packet> {
    let Found { differences, met } = found;
    let mut packets = Vec::<Packet>::new();
    for layer in layers {
        match &layer.protocol[..] {
            "mqtt" => {
                let mut read = Read::default();
                layer.fields.iter().for_each(|field| read.field(field));
                met.append(&mut read.met);
                let mut told = read.told;
                if told.fields.is_empty() || told.fields.get("type") == Some(&json!("")) {
                    differences.insert(Difference::NoPacket);
                    continue;
                }
                differences.append(&mut told.differences);
                packets.push(Packet {
                    frame: layer.frame,
                    fields: told.fields,
                    complaints: told.complaints,
                    demanded: told.demanded,
                    is_cut: false,
                    is_inferred: read.unknown_level,
                });
            }
            "_ws.malformed" => {
                if let Some(packet) =
                    packets.last_mut().filter(|packet| packet.frame == layer.frame)
                {
                    differences.insert(Difference::Malformed);
                    packet.complaints.push("malformed".into());
                    packet.is_cut = true;
                }
            }
            _ => {}
        }
    }
    packets
}
