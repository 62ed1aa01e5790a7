//! What matching costs an event here and in rsigma: the same rules, the same events, one run.
//!
//! rsigma is a command that reads events as JSON, which is a part of what it costs; what it takes to
//! load the rules is not counted on either side. `GRIDTAP_RSIGMA` says where it is; `tests/run`
//! installs it. Both find the same, or this fails.

#![allow(clippy::print_stdout, reason = "the table is for whoever runs it")]

mod events;
mod generate;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, iter};

use events::{Packet, apdus, context, load, published, sources};
use gridtap::event::{CONTEXT, Context, Event, Kind, Record, Value};
use gridtap::rule::Matcher;
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

/// Rules, and how often rsigma is given the events.
const SIZES: &[(usize, usize)] = &[(20, 40), (1_000, 10), (10_000, 1)];
/// The quickest of so many counts: what others do on the machine makes a run slower, never quicker.
const RUNS: usize = 200;

fn main() {
    let Some(rsigma) = env::var_os("GRIDTAP_RSIGMA").map(PathBuf::from) else {
        println!("skipped: GRIDTAP_RSIGMA does not say where rsigma is");
        return;
    };
    // `cargo test` runs benches too, to see that they work.
    let is_bench = env::args().any(|argument| argument == "--bench");
    let sizes = if is_bench { SIZES } else { &[(20, 1)] };
    println!("| events | rules | gridtap, events a second | rsigma, events a second | times |");
    println!("|---|---|---|---|---|");
    let apdus = apdus();
    compare(&rsigma, "iec104", sizes, &context(10), &apdus);
    let topics = published();
    let publish = |topic: &'static str| Packet { topic: Some(topic), ..Packet::default() };
    let packets: Vec<_> = topics.leak().iter().map(|topic| publish(topic)).collect();
    compare(&rsigma, "mqtt", sizes, &context(20), &packets);
}

fn compare<R: Record>(
    rsigma: &Path,
    name: &str,
    sizes: &[(usize, usize)],
    context: &Context<'_>,
    events: &[R],
) {
    for (rules, repeated) in sizes {
        let (hits, ours) = ours(*rules, events, context);
        let (their_hits, theirs) = theirs(rsigma, *rules, events, context, *repeated);
        assert_eq!(hits * repeated, their_hits, "{name}, {rules} rules");
        let rate = |took: Duration, count| f64::from(count as u32) / took.as_secs_f64();
        let (here, there) = (rate(ours, events.len()), rate(theirs, events.len() * repeated));
        println!("| {name} | {rules} | {here:.0} | {there:.0} | {:.0} |", here / there);
    }
}

/// Hits, and the time for all events once.
fn ours<R: Record>(rules: usize, events: &[R], context: &Context<'_>) -> (usize, Duration) {
    let mut matcher = Matcher::new(Arc::new(load(rules)));
    let service = matcher.service(events[0].schema()).expect("rules about it");
    let mut count = || {
        let begun = Instant::now();
        let hits =
            |record: &R| matcher.matches(service, &Event { context, record }).rules().count();
        let hits: usize = events.iter().map(hits).sum();
        (hits, begun.elapsed())
    };
    let all: Vec<_> = iter::repeat_with(&mut count).take(RUNS).collect();
    (all[0].0, all.iter().map(|(_, took)| *took).min().unwrap_or_default())
}

/// The same of rsigma, for the events so often.
fn theirs<R: Record>(
    rsigma: &Path,
    rules: usize,
    events: &[R],
    context: &Context<'_>,
    repeated: usize,
) -> (usize, Duration) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rules.yml");
    let texts: Vec<_> = sources(rules).into_iter().map(|source| source.text).collect();
    fs::write(&path, texts.join("\n---\n").replace("'%masters%'", "10.20.0.10")).unwrap();
    let lines: String = events.iter().fold(String::new(), |mut lines, event| {
        writeln!(lines, "{}", json_of(event, context)).unwrap();
        lines
    });
    let run = |lines: &str| {
        let input = folder.path().join("events.json");
        fs::write(&input, lines).unwrap();
        let before = children();
        let output = Command::new(rsigma)
            .args(["engine", "eval", "--output-format", "ndjson", "--no-stats"])
            .args(["--logsource-routing", "--logsource-field-map", "service=event_type", "--rules"])
            .arg(&path)
            .stdin(Stdio::from(File::open(&input).unwrap()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let hits = output.stdout.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
        (hits.count(), children().saturating_sub(before))
    };
    let (_, without) = run("");
    let (hits, with) = run(&lines.repeat(repeated));
    (hits, with.saturating_sub(without))
}

/// CPU time of all processes that ended.
fn children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let of = |time: nix::sys::time::TimeVal| {
        Duration::from_secs(time.tv_sec() as u64) + Duration::from_micros(time.tv_usec() as u64)
    };
    of(usage.user_time()) + of(usage.system_time())
}

/// An event as EVE JSON has it.
fn json_of<R: Record>(event: &R, context: &Context<'_>) -> Json {
    let schema = event.schema();
    let mut object = Map::from_iter([("event_type".to_owned(), json!(schema.name))]);
    for (place, field) in CONTEXT.fields.iter().enumerate() {
        insert(&mut object, field.name, value(context.value(place), field.kind));
    }
    for (place, field) in schema.fields.iter().enumerate() {
        insert(&mut object, field.name, value(event.value(place), field.kind));
    }
    for (place, list) in schema.lists.iter().enumerate() {
        let mut members = Vec::new();
        event.each(place, &mut |member| {
            let fields = list.element.fields.iter().enumerate();
            let member = fields.map(|(place, field)| {
                (field.name.to_owned(), value(member.value(place), field.kind))
            });
            members.push(Json::Object(member.collect()));
        });
        insert(&mut object, list.name, Json::Array(members));
    }
    Json::Object(object)
}

fn insert(object: &mut Map<String, Json>, name: &str, value: Json) {
    match name.split_once('.') {
        _ if value.is_null() => {}
        None => {
            object.insert(name.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = object.entry(first).or_insert_with(|| json!({}));
            insert(inner.as_object_mut().expect("an object"), rest, value);
        }
    }
}

fn value(value: Value<'_>, kind: Kind) -> Json {
    match (value, kind) {
        (Value::Boolean(flag), _) => json!(flag),
        (Value::Integer(number), _) => json!(number),
        (Value::Code(code), Kind::Name(names)) => match names[usize::from(code)] {
            "" => Json::Null,
            name => json!(name),
        },
        (Value::Text(text), _) => json!(String::from_utf8_lossy(text)),
        (Value::Address(address), _) => json!(address.to_string()),
        _ => Json::Null,
    }
}
