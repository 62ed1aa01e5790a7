//! Correlations over hits that come one after the other.

use std::sync::Arc;

use super::fake::{Thing, context, load, rule};
use super::*;
use crate::event::{Context, Event, Record};
use crate::time::Timestamp;

/// Rules on `thing.ca`: `one` for 1, `two` for 2, `any` for all above 0.
fn rules() -> Source {
    let named = |number: u32, name: &str, detection: &str| {
        let Source { text, .. } = rule(number, &format!("  s: {{{detection}}}\n  condition: s"));
        text.replacen("title:", &format!("name: {name}\ntitle:"), 1)
    };
    let text = [
        named(1, "one", "thing.ca: 1"),
        named(2, "two", "thing.ca: 2"),
        named(3, "any", "thing.ca|gt: 0"),
    ];
    Source { name: "rules/things.yml".to_owned(), text: text.join("---\n") }
}

/// A correlation with this body, in flow style.
fn correlation(number: u32, body: &str) -> Source {
    let text = format!(
        "title: Correlation {number}\nname: c{number}\nid: 00000000-0000-4000-9000-{number:012}\n\
         correlation: {{{body}}}\n"
    );
    Source { name: format!("rules/c{number}.yml"), text }
}

/// A hit: seconds, `thing.ca`, `thing.detail`.
type Step = (f64, i64, &'static str);

/// What is found after each step, and at the end of time, as text.
fn found(bodies: &[&str], steps: &[Step]) -> Vec<Vec<String>> {
    found_within(bodies, steps, CorrelatorLimits::default()).0
}

fn found_within(
    bodies: &[&str],
    steps: &[Step],
    limits: CorrelatorLimits,
) -> (Vec<Vec<String>>, Correlator) {
    let mut sources = vec![rules()];
    sources.extend((1..).zip(bodies).map(|(number, body)| correlation(number, body)));
    let set = Arc::new(load(&sources).unwrap_or_else(|found| panic!("{found:#?}")));
    let (mut matcher, mut correlator) =
        (Matcher::new(Arc::clone(&set)), Correlator::new(Arc::clone(&set), limits));
    let mut observations = Observations::default();
    let mut all = Vec::new();
    for (seconds, address, detail) in steps {
        let thing = Thing {
            address: Some(*address),
            detail: (!detail.is_empty()).then(|| detail.as_bytes().to_vec()),
            ..Thing::default()
        };
        let timestamp = at(*seconds);
        let context = Context { timestamp, ..context() };
        let event = Event { context: &context, record: &thing };
        let service = matcher.service(thing.schema()).unwrap();
        observations.take(&event, matcher.matches(service, &event));
        let mut step = Vec::new();
        let payload = format!("{seconds}");
        let mut describe = |line: &mut Vec<u8>| line.extend_from_slice(payload.as_bytes());
        correlator.take(timestamp, &observations, &mut describe, &mut |found| {
            step.push(show(&found));
        });
        all.push(step);
    }
    let mut last = Vec::new();
    correlator.advance(Timestamp::NEVER, &mut |found| last.push(show(&found)));
    all.push(last);
    (all, correlator)
}

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_nanos((seconds * 1e9) as u64)
}

fn show(found: &Found<'_>) -> String {
    let name = found.rule.title.replace("Correlation ", "c");
    let measure = match found.measure {
        Measure::Count(count) => format!(" {count}"),
        Measure::Number(number) => format!(" {number}"),
        Measure::Whole => String::new(),
    };
    let group: String = found
        .group()
        .map(|(field, value)| match value {
            GroupValue::Absent => format!(" {}=", field.name),
            GroupValue::Plain(text) | GroupValue::Text(text) => {
                format!(" {}={}", field.name, String::from_utf8_lossy(text))
            }
        })
        .collect();
    let payload = String::from_utf8_lossy(found.payload);
    format!("{name}{measure}{group} @{payload}")
}

#[test]
fn hits_are_counted_within_the_timespan_by_group() {
    let body = "type: event_count, rules: [one], group-by: [thing.detail], timespan: 10s, \
                condition: {gte: 2}";
    let steps = [
        (0.0, 1, "a"),
        (1.0, 1, "b"),
        (10.0, 1, "a"),
        (11.1, 1, "b"),
        (12.0, 2, "b"),
        (12.5, 1, ""),
    ];
    let expected: [&[&str]; 7] = [&[], &[], &["c1 2 thing.detail=a @10"], &[], &[], &[], &[]];
    assert_eq!(found(&[body], &steps), expected);
}

#[test]
fn different_values_are_counted() {
    let body = "type: value_count, rules: [any], group-by: [], timespan: 1m, \
                condition: {field: thing.ca, gte: 3}";
    let steps =
        [(0.0, 1, ""), (1.0, 1, ""), (2.0, 2, ""), (3.0, 7, ""), (4.0, 7, ""), (61.5, 9, "")];
    let found = found(&[body], &steps);
    let expected: [&[&str]; 7] = [&[], &[], &[], &["c1 3 @3"], &["c1 3 @4"], &["c1 3 @61.5"], &[]];
    assert_eq!(found, expected);
}

#[test]
fn numbers_are_made_of_values() {
    let sum = "type: value_sum, rules: [any], timespan: 10s, condition: {field: thing.ca, gt: 5}";
    let mean = "type: value_avg, rules: [any], timespan: 10s, condition: {field: thing.ca, gte: 3}";
    let median = "type: value_percentile, rules: [any], timespan: 10s, \
                  condition: {field: thing.ca, percentile: 50, gte: 2}";
    let steps = [(0.0, 1, ""), (1.0, 2, ""), (2.0, 6, "")];
    let expected: [&[&str]; 4] = [&[], &[], &["c1 9 @2", "c2 3 @2", "c3 2 @2"], &[]];
    assert_eq!(found(&[sum, mean, median], &steps), expected);
}

#[test]
fn rules_are_found_together_and_in_order() {
    let together = "type: temporal, rules: [one, two], group-by: [thing.detail], timespan: 10s";
    let ordered =
        "type: temporal_ordered, rules: [one, two], group-by: [thing.detail], timespan: 10s";
    let steps = [(0.0, 2, "a"), (1.0, 1, "a"), (5.0, 2, "b"), (11.5, 2, "a")];
    let expected: [&[&str]; 5] = [&[], &["c1 thing.detail=a @1"], &[], &[], &[]];
    assert_eq!(found(&[together, ordered], &steps), expected);
    let steps = [(0.0, 1, "a"), (1.0, 1, "b"), (9.0, 2, "a")];
    let expected: [&[&str]; 4] = [&[], &[], &["c1 thing.detail=a @9", "c2 thing.detail=a @9"], &[]];
    assert_eq!(found(&[together, ordered], &steps), expected);
}

#[test]
fn what_does_not_follow_in_time_is_told_when_the_time_is_over() {
    let body = "type: temporal_ordered, rules: [one, two], group-by: [thing.detail], \
                timespan: 10s, condition: one and not two";
    let steps = [
        (0.0, 1, "a"),
        (1.0, 1, "b"),
        (2.0, 1, "a"),
        (10.0, 2, "a"),
        (11.5, 2, "c"),
        (12.0, 1, "a"),
    ];
    let expected: [&[&str]; 7] =
        [&[], &[], &[], &[], &["c1 thing.detail=b @1"], &[], &["c1 thing.detail=a @12"]];
    assert_eq!(found(&[body], &steps), expected);
}

#[test]
fn correlations_are_of_correlations() {
    let twice = "type: event_count, rules: [one], group-by: [thing.detail, src_ip], timespan: 10s, \
                 condition: {eq: 2}";
    let parent =
        "type: event_count, rules: [c1], group-by: [src_ip], timespan: 1m, condition: {gte: 2}";
    let steps = [(0.0, 1, "a"), (1.0, 1, "a"), (2.0, 1, "b"), (3.0, 1, "b")];
    let expected: [&[&str]; 5] = [
        &[],
        &["c1 2 thing.detail=a src_ip=10.0.0.1 @1"],
        &[],
        &["c1 2 thing.detail=b src_ip=10.0.0.1 @3", "c2 2 src_ip=10.0.0.1 @3"],
        &[],
    ];
    assert_eq!(found(&[twice, parent], &steps), expected);
    // Whatever stands first in the files.
    let swapped = [parent.replace("c1", "c2"), twice.to_owned()];
    let found = found(&[&swapped[0], &swapped[1]], &steps);
    assert_eq!(found[3].len(), 2, "{found:?}");
}

#[test]
fn an_alias_names_what_is_called_otherwise_in_each_rule() {
    let body = "type: temporal, rules: [one, two], aliases: {who: {one: thing.detail, two: app_proto}}, \
                group-by: [who], timespan: 10s";
    let steps = [(0.0, 1, "other"), (1.0, 2, "x"), (2.0, 1, "thing")];
    let expected: [&[&str]; 4] = [&[], &[], &["c1 who=thing @2"], &[]];
    assert_eq!(found(&[body], &steps), expected);
}

#[test]
fn the_group_hit_longest_ago_is_let_go_for_want_of_room() {
    let body = "type: event_count, rules: [one], group-by: [thing.detail], timespan: 1h, \
                condition: {gte: 2}";
    let steps = [(0.0, 1, "a"), (1.0, 1, "b"), (2.0, 1, "c"), (3.0, 1, "a"), (4.0, 1, "c")];
    let limits = CorrelatorLimits { groups: 2, ..CorrelatorLimits::default() };
    let (found, correlator) = found_within(&[body], &steps, limits);
    assert_eq!(found[3..], [vec![], vec!["c1 2 thing.detail=c @4".to_owned()], vec![]]);
    assert_eq!((correlator.evicted(), correlator.groups()), (2, 2));
    let limits = CorrelatorLimits { octets: 400, ..CorrelatorLimits::default() };
    let (_, correlator) = found_within(&[body], &steps, limits);
    assert!(correlator.evicted() > 0 && correlator.octets() <= 400, "{}", correlator.octets());
}

#[test]
fn rules_of_a_correlation_are_no_alerts_of_their_own_unless_it_says_so() {
    let body = |generate| {
        format!(
            "type: event_count, rules: [one], timespan: 1h, condition: {{gte: 2}}, generate: {generate}"
        )
    };
    let quiet = |bodies: &[String]| {
        let mut sources = vec![rules()];
        sources.extend((1..).zip(bodies).map(|(number, body)| correlation(number, body)));
        let set = load(&sources).unwrap();
        set.rules
            .iter()
            .filter(|rule| rule.is_quiet)
            .map(|rule| rule.title.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(quiet(&[body(false)]), ["Rule 1"]);
    assert!(quiet(&[body(true)]).is_empty());
    assert_eq!(quiet(&[body(true), body(false)]), ["Rule 1"]);
}

#[test]
fn a_correlation_of_a_rule_that_is_not_in_force_is_not_either() {
    let Source { text, .. } = rule(9, "  s: {thing.detail|expand: '%who%'}\n  condition: s");
    let unfilled =
        Source { name: "rules/9.yml".to_owned(), text: format!("name: unfilled\n{text}") };
    let inactive = |body: &str| {
        let set = load(&[rules(), unfilled.clone(), correlation(1, body)]).unwrap();
        set.rules.last().unwrap().inactive.clone()
    };
    let filled = Some("who".to_owned());
    assert_eq!(inactive("type: temporal, rules: [one, unfilled], timespan: 1m"), filled);
    let absence = "type: temporal_ordered, rules: [one, unfilled], timespan: 1m, \
                   condition: one and not unfilled";
    assert_eq!(inactive(absence), filled);
    let count = "type: event_count, rules: [one, unfilled], timespan: 1m, condition: {gte: 2}";
    assert_eq!(inactive(count), None);
}

#[test]
fn mistakes_in_correlations() {
    for (body, message) in [
        ("rules: [one], timespan: 1m", "the rule has no `type`"),
        ("type: event_count, timespan: 1m, condition: {gte: 1}", "the rule has no `rules`"),
        ("type: event_count, rules: [one], condition: {gte: 1}", "the rule has no `timespan`"),
        (
            "type: event_cont, rules: [one], timespan: 1m",
            "there is no type `event_cont` (did you mean `event_count`?)",
        ),
        (
            "type: temporal, rules: [one, too], timespan: 1m",
            "there is no rule `too` (did you mean `two`?)",
        ),
        ("type: temporal, rules: [one, one], timespan: 1m", "`one` stands here twice"),
        (
            "type: temporal, rules: [one, two], timespan: 5",
            "`5` is no timespan (a number and one of s, m, h, d, w, M, y, as in 5m)",
        ),
        ("type: temporal, rules: [one, two], timespan: 0s", "nothing happens within no time"),
        ("type: temporal, rules: [one, two], timespan: 3y", "a timespan is a year at the most"),
        (
            "type: temporal, rules: [one, two], timespan: 1m, groupby: [src_ip]",
            "there is no key `groupby` in `correlation` (did you mean `group-by`?)",
        ),
        (
            "type: temporal, rules: [one, two], timespan: 1m, group-by: [scr_ip]",
            "records of `one` have no field `scr_ip` (did you mean `src_ip`?)",
        ),
        (
            "type: event_count, rules: [one], timespan: 1m",
            "this type needs a `condition` (such as `{gte: 10}`)",
        ),
        (
            "type: event_count, rules: [one], timespan: 1m, condition: {gt: many}",
            "`gt` is a whole number",
        ),
        (
            "type: event_count, rules: [one], timespan: 1m, condition: {}",
            "the condition has no bound (one or more of lt, lte, gt, gte, eq, neq)",
        ),
        (
            "type: value_count, rules: [one], timespan: 1m, condition: {gte: 2}",
            "the rule has no `field`",
        ),
        (
            "type: value_sum, rules: [one], timespan: 1m, condition: {field: thing.detail, gte: 2}",
            "`thing.detail` is no number",
        ),
        (
            "type: value_percentile, rules: [one], timespan: 1m, condition: {field: thing.ca, percentile: 101, gte: 2}",
            "a percentile is from 0 to 100",
        ),
        (
            "type: event_count, rules: [one], timespan: 1m, condition: {gte: 2}, group-by: [thing.time]",
            "`thing.time` is a moment: nothing is grouped by that",
        ),
        (
            "type: event_count, rules: [one], timespan: 1m, condition: {gte: 2}, group-by: [thing.objects.ioa]",
            "`thing.objects.ioa` has several values in a record: none of them is the one (use `service: thing_object`: one record for each member)",
        ),
        (
            "type: event_count, rules: [c1], timespan: 1m, condition: {gte: 2}",
            "the correlation is of itself, or of one that is of it",
        ),
        (
            "type: temporal_ordered, rules: [one, two], timespan: 1m, condition: two and not one",
            "the first of the rules, and then none of the others, is all that can be asked (`one and not two`; or leave the condition out)",
        ),
        (
            "type: event_count, rules: [one], timespan: 1m, condition: {gte: 2}, group-by: [who], aliases: {who: {two: thing.detail}}",
            "the correlation is not of a rule `two`",
        ),
    ] {
        let found = load(&[rules(), correlation(1, body)]).expect_err(body);
        let told: Vec<_> = found
            .iter()
            .map(|found| match &found.help {
                Some(help) => format!("{} ({help})", found.message),
                None => found.message.clone(),
            })
            .collect();
        assert!(told.iter().any(|told| told == message), "{body}: {told:#?}");
    }
}

const UNANSWERED: &str = "type: temporal_ordered, rules: [one, two], group-by: [thing.detail], \
                          timespan: 10s, condition: one and not two";

#[test]
fn each_hit_has_a_wait_of_its_own() {
    let steps = [
        (0.0, 1, "a"),
        (4.0, 1, "a"),
        (10.0, 1, "a"),
        (10.5, 1, "b"),
        (15.0, 2, "a"),
        (16.0, 1, "a"),
    ];
    // The first two in vain; the third was answered; the last is not, nor that of `b`.
    let told = |detail: &str, at: &str| format!("c1 thing.detail={detail} @{at}");
    let mut expected = vec![vec![]; 7];
    expected[3] = vec![told("a", "0")];
    expected[4] = vec![told("a", "4")];
    expected[6] = vec![told("b", "10.5"), told("a", "16")];
    assert_eq!(found(&[UNANSWERED], &steps), expected);
}

#[test]
fn so_many_wait_in_a_group_and_one_answer_ends_them_all() {
    let waits: Vec<_> = (0..200).map(|number| (f64::from(number) / 100.0, 1, "a")).collect();
    assert_eq!(found(&[UNANSWERED], &waits).concat().len(), 64);
    let mut answered = waits;
    answered.push((3.0, 2, "a"));
    assert_eq!(found(&[UNANSWERED], &answered).concat().len(), 0);
}

#[test]
fn the_memory_of_one_group_is_bounded() {
    let values = "type: value_count, rules: [one], timespan: 1d, \
                  condition: {field: thing.detail, gte: 100000}";
    let hits = "type: event_count, rules: [one], timespan: 1d, condition: {gte: 10000000}";
    let texts: Vec<&'static str> =
        (0..20_000).map(|number| &*format!("{number:0>500}").leak()).collect();
    let steps: Vec<_> = texts.iter().zip(1..).map(|(text, n)| (f64::from(n), 1, *text)).collect();
    for body in [values, hits] {
        let limits = CorrelatorLimits { octets: 100_000, ..CorrelatorLimits::default() };
        let (_, correlator) = found_within(&[body], &steps, limits);
        assert!(correlator.octets() <= limits.octets, "{}", correlator.octets());
        assert!(
            correlator.evicted() > 0 && correlator.evicted() < 2000,
            "{}",
            correlator.evicted()
        );
        assert_eq!(correlator.groups(), 1);
    }
}

#[test]
fn a_group_that_takes_all_the_memory_leaves_the_others_theirs() {
    let bodies = [
        "type: value_count, rules: [one], timespan: 1d, condition: {field: thing.detail, gte: 100000}",
        "type: event_count, rules: [two], group-by: [thing.detail], timespan: 1d, condition: {gte: 2}",
    ];
    let mut steps: Vec<Step> = vec![(0.0, 2, "a"), (0.0, 2, "b")];
    steps.extend((1..5000).map(|n| (f64::from(n), 1, &*format!("{n:0>500}").leak())));
    steps.extend([(5000.0, 2, "a"), (5000.0, 2, "b")]);
    let limits = CorrelatorLimits { octets: 100_000, ..CorrelatorLimits::default() };
    let (found, _) = found_within(&bodies, &steps, limits);
    assert_eq!(found.concat(), ["c2 2 thing.detail=a @5000", "c2 2 thing.detail=b @5000"]);
}

#[test]
fn a_little_disorder_is_not_a_clock_that_was_set_back() {
    let body = "type: event_count, rules: [one], timespan: 1m, condition: {gte: 2}";
    assert_eq!(found(&[body], &[(100.0, 1, ""), (95.0, 1, "")])[1], ["c1 2 @95"]);
    assert_eq!(found(&[body], &[(100.0, 1, ""), (80.0, 1, "")])[1], [""; 0]);
}
