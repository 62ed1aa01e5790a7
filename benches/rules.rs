//! What matching costs an event, with the rules of the pack and with thousands of their kinds.
//!
//! The records are shaped as the protocols' own and cost nothing to read, so that what is measured
//! is matching alone.

mod generate;

use std::sync::Arc;

use criterion::{
    BatchSize, Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use gridtap::event::{ANOMALY, Context, Event, FlowContext, Kind, Record, Schema, Value};
use gridtap::flow::{FlowKey, Side};
use gridtap::record;
use gridtap::rule::{Matcher, Placeholders, RuleSet, Source};
use gridtap::time::Timestamp;

static TYPES: &[&str; 128] = &{
    let mut names = [""; 128];
    names[13] = "M_ME_NC_1";
    names[30] = "M_SP_TB_1";
    names[45] = "C_SC_NA_1";
    names[46] = "C_DC_NA_1";
    names[47] = "C_RC_NA_1";
    names[48] = "C_SE_NA_1";
    names[49] = "C_SE_NB_1";
    names[50] = "C_SE_NC_1";
    names[51] = "C_BO_NA_1";
    names[58] = "C_SC_TA_1";
    names[59] = "C_DC_TA_1";
    names[60] = "C_RC_TA_1";
    names[61] = "C_SE_TA_1";
    names[62] = "C_SE_TB_1";
    names[63] = "C_SE_TC_1";
    names[64] = "C_BO_TA_1";
    names[100] = "C_IC_NA_1";
    names[105] = "C_RP_NA_1";
    names
};
static CAUSES: &[&str; 64] = &{
    let mut names = [""; 64];
    names[3] = "spontaneous";
    names[6] = "activation";
    names[7] = "activation confirmation";
    names[8] = "deactivation";
    names[9] = "deactivation confirmation";
    names[10] = "activation termination";
    names[20] = "interrogated by station";
    names[44] = "unknown type identification";
    names[45] = "unknown cause of transmission";
    names[46] = "unknown common address";
    names[47] = "unknown information object address";
    names
};

struct Apdu {
    type_id: u8,
    cause: u8,
    negative: bool,
    station: u16,
    points: [u32; 2],
}

struct Point(u32);

struct Packet<'a> {
    code: Option<u8>,
    topic: Option<&'a str>,
    filter: Option<&'a str>,
}

impl<'a> Packet<'a> {
    const fn publish(topic: &'a str) -> Self {
        Self { code: None, topic: Some(topic), filter: None }
    }

    const fn subscribe(filter: &'a str) -> Self {
        Self { code: None, topic: None, filter: Some(filter) }
    }
}

struct Filter<'a>(&'a str);

record! {
    /// An APDU.
    static IEC104: Apdu = "iec104";
    fields {
        "iec104.type_id": Kind::Integer, "Type." => |a| Value::Integer(a.type_id.into());
        "iec104.type": Kind::Name(TYPES), "Type." => |a| Value::Code(a.type_id);
        "iec104.cot": Kind::Integer, "Cause." => |a| Value::Integer(a.cause.into());
        "iec104.cause": Kind::Name(CAUSES), "Cause." => |a| Value::Code(a.cause);
        "iec104.negative": Kind::Boolean, "P/N." => |a| Value::Boolean(a.negative);
        "iec104.ca": Kind::Integer, "Station." => |a| Value::Integer(a.station.into());
    }
    lists {
        "iec104.objects": POINT, "Points."
            => |a, visit| a.points.iter().for_each(|point| visit(&Point(*point)));
    }
}

record! {
    /// A point.
    static POINT: Point = "point";
    fields {
        "ioa": Kind::Integer, "Address." => |p| Value::Integer(p.0.into());
    }
}

record! {
    /// A packet.
    static MQTT: Packet<'a> = "mqtt";
    fields {
        "mqtt.connack.return_code": Kind::Integer, "Code."
            => |p| Value::maybe(p.code, |code| Value::Integer(code.into()));
        "mqtt.publish.topic": Kind::TopicName, "Topic." => |p| Value::maybe(p.topic, Value::text);
    }
    lists {
        "mqtt.subscribe.topics": FILTER, "Filters."
            => |p, visit| p.filter.iter().for_each(|filter| visit(&Filter(filter)));
    }
}

record! {
    /// A filter.
    static FILTER: Filter<'a> = "filter";
    fields {
        "topic": Kind::TopicFilter, "Filter." => |f| Value::text(f.0);
    }
}

static SERVICES: &[&Schema] = &[&IEC104, &MQTT, &ANOMALY];

/// Generated rules, of the kinds that the pack has.
fn sources(count: usize) -> Vec<Source> {
    generate::rules(count).map(|(name, text)| Source { name, text }).collect()
}

fn load(count: usize) -> RuleSet {
    let placeholders = Placeholders::from([("masters".to_owned(), vec!["10.20.0.10".to_owned()])]);
    RuleSet::load(&sources(count), SERVICES, &placeholders)
        .unwrap_or_else(|found| panic!("{}", found[0].render(false)))
}

/// From a host to 10.20.0.99:2404, which is the server.
fn context(last: u8) -> Context<'static> {
    let ends = [([10, 20, 0, last].into(), 40_000), ([10, 20, 0, 99].into(), 2404)];
    Context {
        timestamp: Timestamp::ZERO,
        number: 1,
        interface: None,
        vlan: &[],
        tunnel: &[],
        flow: Some(FlowContext {
            key: Box::leak(Box::new(FlowKey::new(ends, [0; 2], 6))),
            id: 1,
            community_id: Box::leak(Box::default()),
            sender: Side::Lower,
            client: Side::Lower,
            directed: true,
            app_proto: None,
        }),
    }
}

/// The day of a substation: reports, now and then an interrogation or a command.
fn apdus() -> Vec<Apdu> {
    let apdu = |index: u32| {
        let (type_id, cause) = match index % 32 {
            0 => (100, 6),
            1 => (100, 7),
            2 => (45, 6),
            3 => (45, 7),
            4..8 => (13, 20),
            8..20 => (13, 3),
            _ => (30, 3),
        };
        let station = (1 + index * 7919 % 2_000) as u16;
        let first = 1 + index * 104_729 % 60_000;
        Apdu { type_id, cause, negative: false, station, points: [first, first + 1] }
    };
    (0..4096).map(apdu).collect()
}

/// Topics that meters publish to.
fn published() -> Vec<String> {
    (0..4096_u32)
        .map(|index| format!("site{}/substation/feeder/meter{}/power", index % 500, index * 31))
        .collect()
}

/// Matches records of a service again and again.
fn match_all<R: Record>(
    bencher: &mut Bencher<'_>,
    matcher: &mut Matcher,
    service: &'static Schema,
    context: &Context<'_>,
    records: &[R],
) {
    let service = matcher.service(service).expect("rules about it");
    bencher.iter(|| {
        let mut hits = 0;
        for record in records {
            let event = Event { context, record };
            hits += matcher.matches(service, &event).into_iter().count();
        }
        hits
    });
}

fn iec104(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules/iec104");
    let apdus = apdus();
    let context = context(10);
    group.throughput(Throughput::Elements(apdus.len() as u64));
    for count in [12, 1_000, 10_000] {
        let mut matcher = Matcher::new(Arc::new(load(count)));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            match_all(bencher, &mut matcher, &IEC104, &context, &apdus);
        });
    }
}

fn mqtt(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules/mqtt");
    let topics = published();
    let packets: Vec<_> = topics.iter().map(|topic| Packet::publish(topic)).collect();
    let context = context(20);
    group.throughput(Throughput::Elements(topics.len() as u64));
    for count in [12, 1_000, 10_000] {
        let mut matcher = Matcher::new(Arc::new(load(count)));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            match_all(bencher, &mut matcher, &MQTT, &context, &packets);
        });
    }
}

/// A rule for each of these filters of one field.
fn topic_rules(field: &str, filters: impl Iterator<Item = String>) -> RuleSet {
    let source = |(number, filter): (usize, String)| Source {
        name: format!("{number}.yml"),
        text: format!(
            "title: Topic\nid: 00000000-0000-4000-8000-{number:012}\n\
             logsource: {{product: gridtap, service: mqtt}}\n\
             detection:\n  s: {{{field}|topic: '{filter}'}}\n  condition: s\n"
        ),
    };
    let sources: Vec<_> = filters.enumerate().map(source).collect();
    RuleSet::load(&sources, SERVICES, &Placeholders::new())
        .unwrap_or_else(|found| panic!("{}", found[0].render(false)))
}

/// Filters as applications have them, for other meters than those that are heard of.
fn filters(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|index| match index % 3 {
        0 => format!("site{}/substation/feeder/heater{index}/#", index % 500),
        1 => format!("site{}/+/feeder/heater{index}/power", index % 500),
        _ => format!("+/substation/feeder/heater{index}/+"),
    })
}

/// From a topic to what somebody subscribes to.
type Subscription = fn(&String) -> String;

fn topics(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules/topics");
    let topics = published();
    let packets: Vec<_> = topics.iter().map(|topic| Packet::publish(topic)).collect();
    let context = context(20);
    group.throughput(Throughput::Elements(topics.len() as u64));
    let subscribed: &[(&str, Subscription)] = &[
        ("filter", |topic| topic.replace("/power", "/#")),
        // What meets as many filters as anything does, level by level.
        ("hostile", |_| format!("{}#", "+/".repeat(50))),
    ];
    for count in [10, 1_000, 10_000] {
        let set = topic_rules("mqtt.publish.topic", filters(count));
        let mut matcher = Matcher::new(Arc::new(set));
        group.bench_function(BenchmarkId::new("name", count), |bencher| {
            match_all(bencher, &mut matcher, &MQTT, &context, &packets);
        });
        let set = topic_rules("mqtt.subscribe.topics.topic", filters(count));
        let mut matcher = Matcher::new(Arc::new(set));
        for (name, subscription) in subscribed {
            let filters: Vec<_> = topics.iter().map(subscription).collect();
            let packets: Vec<_> = filters.iter().map(|filter| Packet::subscribe(filter)).collect();
            group.bench_function(BenchmarkId::new(*name, count), |bencher| {
                match_all(bencher, &mut matcher, &MQTT, &context, &packets);
            });
        }
    }
}

fn loading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules/load");
    group.sample_size(10);
    for count in [12, 10_000] {
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_batched(|| count, load, BatchSize::PerIteration);
        });
    }
}

criterion_group!(benches, iec104, mqtt, topics, loading);
criterion_main!(benches);
