//! What the EVE writer writes: the same as a naive walk over the field table, and what tools for
//! Suricata expect.

mod common;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Collected, file, files, frames, shared};
use gridtap::engine::{Engine, Limits, Sink};
use gridtap::event::{CONTEXT, Event, Schema};
use gridtap::output::{Eve, Types, additions, is_addition};
use gridtap::protocol::{Fact, Protocol, services};
use gridtap::rule::{Hits, Placeholders, RuleSet};
use serde_json::{Map, Value as Json};

/// Everything is written, and collected the naive way.
struct Both<'o> {
    eve: Eve<&'o mut Vec<u8>>,
    naive: Collected,
}

impl Sink for Both<'_> {
    fn event(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        self.eve.event(event, fired);
        self.naive.push(event);
        fired.into_iter().for_each(|_| self.naive.push(event));
    }

    fn wants(&self, _schema: &'static Schema) -> bool {
        true
    }

    fn fact(&mut self, _: IpAddr, _: &'static Protocol, _: &'static str, _: Fact<'_>) {}
}

/// The captures of the repository, and those beside it.
fn captures() -> Vec<PathBuf> {
    let mut captures =
        ["demo", "clean", "injection", "all-types", "tls", "mqtt-peers", "websocket", "tunnels"]
            .map(|name| file(&format!("pcaps/{name}.pcap")))
            .to_vec();
    let folders = shared("pcaps").map(|folder| files(&folder)).unwrap_or_default();
    let beside = folders.iter().filter(|path| path.is_dir()).flat_map(|folder| files(folder));
    captures.extend(beside.filter(|path| path.extension().is_some_and(|end| end == "pcap")));
    captures
}

/// The lines that are written for a capture, and the naive records.
fn both(capture: &Path) -> (Vec<Json>, Vec<Json>) {
    let schemas: Vec<_> = services().collect();
    let rules = RuleSet::load(&RuleSet::builtin_sources(), &schemas, &Placeholders::new()).unwrap();
    let rules = Arc::new(rules);
    let mut output = Vec::new();
    let types: Vec<_> = Types::names().collect();
    let eve = Eve::new(&mut output, types.join(",").parse().unwrap(), &rules.rules, Some("tap-1"));
    let mut sink = Both { eve, naive: Collected::default() };
    let frames = frames(capture);
    let mut engine = Engine::new(rules, Limits::default(), &sink);
    common::feed(&mut engine, &frames, &mut sink);
    engine.finish(&mut sink);
    let end = frames.last().unwrap().timestamp;
    sink.eve.stats(end, 60, engine.stats());
    let Both { eve, naive } = sink;
    eve.finish().unwrap();
    let lines = std::str::from_utf8(&output).unwrap().lines();
    (lines.map(|line| serde_json::from_str(line).unwrap()).collect(), naive.records)
}

#[test]
fn records_are_what_a_naive_walk_finds() {
    for capture in captures() {
        let (mut written, naive) = both(&capture);
        assert_eq!(written.pop().unwrap()["event_type"], "stats");
        assert_eq!(written.len(), naive.len(), "{}", capture.display());
        for (mut line, expected) in written.into_iter().zip(naive) {
            let fields = line.as_object_mut().unwrap();
            assert_eq!(fields.remove("host").unwrap(), "tap-1");
            if fields.remove("alert").is_some() {
                assert_eq!(fields["event_type"], "alert");
                fields.insert("event_type".into(), expected["event_type"].clone());
            }
            assert!(is_same(&expected, &line), "{}:\n{expected}\n{line}", capture.display());
        }
    }
}

/// Equal, but for how numbers and moments are written.
fn is_same(expected: &Json, written: &Json) -> bool {
    match (expected, written) {
        (Json::Object(expected), Json::Object(written)) => {
            let same = |(key, value): (&String, &Json)| {
                written.get(key).is_some_and(|written| is_same(value, written))
            };
            expected.len() == written.len() && expected.iter().all(same)
        }
        (Json::Array(expected), Json::Array(written)) => {
            let mut pairs = expected.iter().zip(written);
            expected.len() == written.len() && pairs.all(|(one, other)| is_same(one, other))
        }
        (Json::Number(expected), Json::Number(written)) => {
            let singles = [expected, written].map(|number| number.as_f64().unwrap() as f32);
            expected == written || expected.is_f64() && singles[0].to_bits() == singles[1].to_bits()
        }
        (Json::Number(nanos), Json::String(moment)) => {
            let micros = i64::try_from(nanos.as_u64().unwrap() / 1000).unwrap();
            let moment = jiff::Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", moment).unwrap();
            moment.as_microsecond() == micros
        }
        _ => expected == written,
    }
}

fn suricata() -> Option<Json> {
    let path = shared("eve/suricata-eve-schema.json")?;
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

#[test]
fn records_are_valid_for_suricata_but_for_what_we_add() {
    let Some(schema) = suricata() else { return };
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut types = std::collections::BTreeMap::<String, u64>::new();
    for capture in captures() {
        for mut line in both(&capture).0 {
            take_off("", line.as_object_mut().unwrap());
            let errors: Vec<_> = validator
                .iter_errors(&line)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}: {line}\n{errors:#?}", capture.display());
            *types.entry(line["event_type"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    // Of itself a sensor tells live only.
    for name in Types::names().filter(|name| *name != "sensor") {
        assert!(types.contains_key(name), "no {name} record was seen");
    }
}

/// Removes what we add from the object with this dotted name.
fn take_off(object: &str, fields: &mut Map<String, Json>) {
    let name = |key: &str| if object.is_empty() { key.into() } else { format!("{object}.{key}") };
    fields.retain(|key, _| !is_addition(&name(key)));
    for (key, value) in fields {
        match value {
            Json::Object(inner) => take_off(&name(key), inner),
            Json::Array(elements) => {
                let objects = elements.iter_mut().filter_map(Json::as_object_mut);
                objects.for_each(|inner| take_off(&name(key), inner));
            }
            _ => {}
        }
    }
}

#[test]
fn every_field_is_suricatas_or_among_the_additions() {
    let Some(suricata) = suricata() else { return };
    for schema in services().chain([&CONTEXT]) {
        for (name, ..) in schema.paths() {
            let known = has(&suricata, &suricata, &name);
            assert!(known || is_addition(&name), "{name} is neither");
        }
    }
}

/// Whether a schema describes the field with this dotted name.
fn has(root: &Json, schema: &Json, name: &str) -> bool {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    if schema["items"].is_object() {
        return has(root, &schema["items"], name);
    }
    let (key, rest) = name.split_once('.').map_or((name, None), |(key, rest)| (key, Some(rest)));
    match (&schema["properties"][key], rest) {
        (Json::Null, _) => schema["additionalProperties"] != false,
        (_, None) => true,
        (inner, Some(rest)) => has(root, inner, rest),
    }
}

/// But for the password.
#[test]
fn every_field_of_suricatas_mqtt_object_is_ours() {
    let Some(suricata) = suricata() else { return };
    let mqtt = services().find(|schema| schema.name == "mqtt").unwrap();
    let ours: Vec<_> = mqtt.paths().map(|(name, ..)| name).collect();
    let mut theirs = Vec::new();
    leaves(&suricata["properties"]["mqtt"], "mqtt", &mut theirs);
    assert!(theirs.len() > 60, "{theirs:?}");
    let is_ours = |name: &&String| {
        ours.iter().any(|our| our == *name || our.starts_with(&format!("{name}.")))
    };
    let missing: Vec<_> = theirs.iter().filter(|name| !is_ours(name)).collect();
    assert_eq!(missing, ["mqtt.connect.password"]);
}

/// The dotted names of everything that a schema describes.
fn leaves(schema: &Json, name: &str, found: &mut Vec<String>) {
    let schema = if schema["items"].is_object() { &schema["items"] } else { schema };
    let Some(members) = schema["properties"].as_object() else { return found.push(name.into()) };
    for (member, schema) in members {
        leaves(schema, &format!("{name}.{member}"), found);
    }
}

#[test]
fn every_addition_is_documented_and_exists() {
    let docs = std::fs::read_to_string(file("docs/records.md")).unwrap();
    let fields = services().chain([&CONTEXT]).flat_map(Schema::paths).map(|(name, ..)| name);
    let documents = services().flat_map(|schema| schema.documents);
    let documents = documents.map(|document| document.name.to_owned());
    let fields: Vec<_> = fields.chain(documents).collect();
    for addition in additions() {
        assert!(docs.contains(&format!("`{addition}`")), "{addition} is not in docs/records.md");
        let is_ours = addition.starts_with("alert.") || addition.starts_with("stats.");
        let covers = |name: &String| {
            let (mut parts, mut wanted) = (name.split('.'), addition.split('.'));
            wanted.all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
        };
        assert!(is_ours || fields.iter().any(covers), "no field is {addition}");
    }
}
