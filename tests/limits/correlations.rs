//! What a correlation remembers when each hit is of a group of its own.

use std::sync::Arc;
use std::time::Duration;

use gridtap::event::{ANOMALY, Anomaly, Context, Event, Value};
use gridtap::rule::{
    Correlator, CorrelatorLimits, Matcher, Observations, Placeholders, RuleSet, Source,
};
use gridtap::time::Timestamp;

use super::{allocator, processor_time};

const RULES: &str = "
title: A gap
name: gap
id: 11111111-0000-4000-8000-000000000001
logsource: {product: gridtap, service: anomaly}
detection: {s: {anomaly.event: gap}, condition: s}
---
title: Gaps alike
id: 11111111-0000-4000-8000-000000000002
correlation: {type: event_count, rules: [gap], group-by: [anomaly.value], timespan: 1d, condition: {gte: 2}}
";

/// Hits of so many groups, one a millisecond from a moment on: the time that they took, and alerts.
fn hit(
    groups: u32,
    from: u32,
    matcher: &mut Matcher,
    correlator: &mut Correlator,
) -> (Duration, u32) {
    let begun = processor_time();
    let (mut observations, mut alerts) = (Observations::default(), 0);
    let service = matcher.service(&ANOMALY).unwrap();
    for number in from..from + groups {
        let timestamp = Timestamp::from_nanos(u64::from(number) * 1_000_000);
        let context = Context::at(timestamp);
        let record = Anomaly { value: Value::Integer(number.into()), ..Anomaly::in_stream("gap") };
        let event = Event { context: &context, record: &record };
        observations.take(&event, matcher.matches(service, &event));
        correlator.take(timestamp, &observations, &mut |_| {}, &mut |_| alerts += 1);
    }
    (processor_time().saturating_sub(begun), alerts)
}

fn rules() -> Arc<RuleSet> {
    let source = Source { name: "rules.yml".to_owned(), text: RULES.to_owned() };
    RuleSet::load(&[source], &[&ANOMALY], &Placeholders::new()).unwrap().into()
}

#[test]
fn a_million_groups_stay_within_their_memory_and_the_last_costs_what_the_first_did() {
    const QUARTER: u32 = 250_000;
    let (rules, limits) = (rules(), CorrelatorLimits::default());
    let mut matcher = Matcher::new(Arc::clone(&rules));
    let mut correlator = Correlator::new(rules, limits);
    let mut quarters = Vec::new();
    let held = allocator::peak(|| {
        for quarter in 0..4 {
            quarters.push(hit(QUARTER, quarter * QUARTER, &mut matcher, &mut correlator));
        }
    });
    assert_eq!((correlator.groups(), correlator.evicted()), (1_000_000, 0));
    assert!(held <= limits.octets, "{held} octets are held");
    let counted = correlator.octets();
    assert!(counted <= limits.octets && counted >= held / 2, "{counted} of {held} are counted");
    let (first, last) = (quarters[1].0, quarters[3].0);
    println!("a million groups: {held} octets, {first:?} and {last:?} for a quarter of them");
    assert!(last < first * 3, "{first:?}, and {last:?} at the end");

    // One more lets one go, and no more memory is taken.
    let more = allocator::peak(|| {
        quarters.push(hit(QUARTER, 4 * QUARTER, &mut matcher, &mut correlator));
    });
    assert_eq!((correlator.groups(), correlator.evicted()), (1_000_000, 250_000));
    assert!(more < 1 << 20, "{more} octets more");
    let (time, alerts) = quarters[4];
    assert!(alerts == 0 && time < first * 3, "{alerts} alerts, {time:?}");
}
