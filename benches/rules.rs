//! What matching costs an event, with the rules of the pack and with thousands of their kinds.
//!
//! The records are shaped as the protocols' own and cost nothing to read, so that what is measured
//! is matching alone.

mod events;
mod generate;

use std::sync::Arc;

use criterion::{
    BatchSize, Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use events::{IEC104, MQTT, Packet, SERVICES, apdus, context, load, published};
use gridtap::event::{Context, Event, Record, Schema};
use gridtap::rule::{Matcher, Placeholders, RuleSet, Source};

fn publish(topic: &str) -> Packet<'_> {
    Packet { topic: Some(topic), ..Packet::default() }
}

fn subscribe(filter: &str) -> Packet<'_> {
    Packet { filter: Some(filter), ..Packet::default() }
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
    for count in [20, 1_000, 10_000] {
        let mut matcher = Matcher::new(Arc::new(load(count)));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            match_all(bencher, &mut matcher, &IEC104, &context, &apdus);
        });
    }
}

fn mqtt(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules/mqtt");
    let topics = published();
    let packets: Vec<_> = topics.iter().map(|topic| publish(topic)).collect();
    let context = context(20);
    group.throughput(Throughput::Elements(topics.len() as u64));
    for count in [20, 1_000, 10_000] {
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
    let packets: Vec<_> = topics.iter().map(|topic| publish(topic)).collect();
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
            let packets: Vec<_> = filters.iter().map(|filter| subscribe(filter)).collect();
            group.bench_function(BenchmarkId::new(*name, count), |bencher| {
                match_all(bencher, &mut matcher, &MQTT, &context, &packets);
            });
        }
    }
}

fn loading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules/load");
    group.sample_size(10);
    for count in [20, 10_000] {
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_batched(|| count, load, BatchSize::PerIteration);
        });
    }
}

criterion_group!(benches, iec104, mqtt, topics, loading);
criterion_main!(benches);
