//! What matches what: the Sigma specification, sentence by sentence.

use std::sync::Arc;

use super::fake::{self, FlatObject, Number, Object, Thing, hits, holds, load, rule, services};
use super::*;
use crate::event::Record;

/// A selection with one item, and nothing else.
fn item(item: &str) -> String {
    format!("  s: {{{item}}}\n  condition: s")
}

fn topic(topic: &str) -> Thing {
    Thing { topic: Some(topic.as_bytes().to_vec()), ..Thing::default() }
}

fn value(value: Number) -> Thing {
    Thing { value: Some(value), ..Thing::default() }
}

#[test]
fn text_is_compared_without_case_unless_cased() {
    assert!(holds(&item("thing.topic: GRID/set"), &topic("grid/SET")));
    assert!(!holds(&item("thing.topic|cased: GRID/set"), &topic("grid/set")));
    assert!(holds(&item("thing.topic: 'ÜBER'"), &topic("über")));
    assert!(!holds(&item("thing.topic|cased: 'ÜBER'"), &topic("über")));
    assert!(!holds(&item("thing.topic: grid"), &topic("grid/set")));
}

#[test]
fn text_modifiers() {
    let thing = topic("grid/feeder7/set");
    for (detection, expected) in [
        ("thing.topic|contains: FEEDER", true),
        ("thing.topic|contains|cased: FEEDER", false),
        ("thing.topic|startswith: grid/", true),
        ("thing.topic|startswith: feeder", false),
        ("thing.topic|endswith: [/get, /set]", true),
        ("thing.topic|endswith|cased: /SET", false),
        ("thing.topic|contains|all: [grid, set]", true),
        ("thing.topic|contains|all: [grid, get]", false),
        ("thing.topic: 'grid/*/set'", true),
        ("thing.topic: 'grid/feeder?/set'", true),
        ("thing.topic: 'grid/feeder??/set'", false),
        ("thing.topic: '*feeder*set'", true),
        ("thing.topic: '*'", true),
        ("thing.topic|re: 'feeder\\d'", true),
        ("thing.topic|re: '^feeder'", false),
        ("thing.topic|re: 'FEEDER'", false),
        ("thing.topic|re|i: 'FEEDER'", true),
        ("thing.topic|neq: grid", true),
        ("thing.topic|contains|neq: grid", false),
        ("thing.topic|exists: true", true),
        ("thing.topic|exists: false", false),
        ("thing.topic: null", false),
        ("thing.topic: [null, 'grid/feeder7/set']", true),
        ("thing.detail: null", true),
        ("thing.detail: '*'", false),
    ] {
        assert_eq!(holds(&item(detection), &thing), expected, "{detection}");
    }
}

#[test]
fn regex_flags() {
    let thing = topic("a\nb");
    assert!(!holds(&item("thing.topic|re: '^b'"), &thing));
    assert!(holds(&item("thing.topic|re|m: '^b'"), &thing));
    assert!(!holds(&item("thing.topic|re: 'a.b'"), &thing));
    assert!(holds(&item("thing.topic|re|s: 'a.b'"), &thing));
}

#[test]
fn text_that_is_not_utf8_is_what_the_record_says() {
    let thing = Thing { topic: Some(b"a\xffb".to_vec()), ..Thing::default() };
    assert!(holds(&item("thing.topic: 'a?b'"), &thing));
    assert!(holds(&item("thing.topic: \"a\u{fffd}b\""), &thing));
}

#[test]
fn whole_numbers() {
    let thing = Thing { address: Some(5000), ..Thing::default() };
    for (detection, expected) in [
        ("thing.ca: 5000", true),
        ("thing.ca: '5000'", true),
        ("thing.ca: 5000.0", true),
        ("thing.ca: [1, 2, 5000]", true),
        ("thing.ca|gt: 4999", true),
        ("thing.ca|gte: 5000", true),
        ("thing.ca|lt: 5000", false),
        ("thing.ca|lte: 5000.5", true),
        ("thing.ca|gt: 4999.5", true),
        ("thing.ca|neq: [1, 5000]", false),
        ("thing.ca: '*'", true),
        ("thing.ca|gt: 1, thing.ca|lt: 6000", true),
    ] {
        assert_eq!(holds(&item(detection), &thing), expected, "{detection}");
    }
    assert!(!holds(&item("thing.ca|gte: 0"), &Thing::default()), "absent is on no side");
    assert!(holds(&item("thing.ca|neq: 5"), &Thing::default()), "absent is not 5");
}

#[test]
fn parts_of_moments() {
    // The first of January 2027 is a Friday: ISO 8601 counts it to week 53 of 2026.
    let time: jiff::Timestamp = "2027-01-01T23:59:59.999999999Z".parse().unwrap();
    let thing = Thing { time: Some(time.as_nanosecond() as u64), ..Thing::default() };
    for (detection, expected) in [
        ("thing.time|minute: 59", true),
        ("thing.time|hour: 23", true),
        ("thing.time|hour: [0, 22]", false),
        ("thing.time|hour: [22, 23]", true),
        ("thing.time|hour|neq: 23", false),
        ("thing.time|day: 1", true),
        ("thing.time|week: 53", true),
        ("thing.time|week: 1", false),
        ("thing.time|month: 1", true),
        ("thing.time|year: 2027", true),
        ("thing.time|year: '2027'", true),
        ("thing.time|day: 1, thing.time|month: 1", true),
        ("timestamp|year: 1970", true),
        ("thing.time|exists: true, thing.time|hour: 22", false),
    ] {
        assert_eq!(holds(&item(detection), &thing), expected, "{detection}");
    }
    assert!(!holds(&item("thing.time|hour: 0"), &Thing::default()), "absent has no part");
    assert!(holds(&item("thing.time|hour|neq: 0"), &Thing::default()), "absent is not 0");
}

#[test]
fn fields_are_compared_with_each_other() {
    let thing = Thing {
        topic: Some(b"Grid/10.0.0.1/\xffset".to_vec()),
        detail: Some("GRID".as_bytes().to_vec()),
        cause: Some(3),
        peer: Some([10, 0, 0, 1].into()),
        address: Some(16),
        value: Some(Number::Single(16.0)),
        negative: Some(true),
        time: Some(1999),
        ..Thing::default()
    };
    for (detection, expected) in [
        ("thing.topic|fieldref: thing.detail", false),
        ("thing.topic|fieldref|startswith: thing.detail", true),
        ("thing.topic|fieldref|startswith|cased: thing.detail", false),
        ("thing.topic|fieldref|contains: src_ip", true),
        ("thing.topic|fieldref|contains: dest_ip", false),
        ("thing.topic|fieldref|contains: [dest_ip, thing.peer]", true),
        ("thing.topic|fieldref|contains|all: [src_ip, thing.detail]", true),
        ("thing.topic|fieldref|contains|all: [src_ip, thing.cause]", false),
        ("thing.topic|fieldref|endswith: thing.detail", false),
        ("thing.topic|fieldref: thing.topic", true),
        ("thing.peer|fieldref: src_ip", true),
        ("thing.peer|fieldref: dest_ip", false),
        ("thing.ca|fieldref: thing.value", true),
        ("thing.ca|fieldref: thing.type_id", true),
        ("thing.ca|fieldref: src_port", false),
        ("thing.negative|fieldref: thing.negative", true),
        ("thing.time|fieldref: timestamp", false),
        ("thing.cause|fieldref: direction", false),
        ("app_proto|fieldref|neq: proto", true),
        ("thing.topic|fieldref|startswith: thing.detail, thing.ca|gt: 15", true),
    ] {
        assert_eq!(holds(&item(detection), &thing), expected, "{detection}");
    }
    assert!(!holds(&item("thing.topic|fieldref: thing.detail"), &Thing::default()), "both absent");
    let without = Thing { topic: Some(Vec::new()), ..Thing::default() };
    assert!(!holds(&item("thing.topic|fieldref|contains: thing.detail"), &without), "one absent");
    assert!(holds(&item("thing.topic|fieldref|neq: thing.detail"), &without), "unlike what is not");
    let german = Thing { detail: Some("ÜBER".into()), ..topic("x über") };
    assert!(holds(&item("thing.topic|fieldref|endswith: thing.detail"), &german));
}

#[test]
fn text_in_base64() {
    let says = |text: &str| Thing { detail: Some(text.into()), ..Thing::default() };
    for (detection, text, expected) in [
        ("thing.detail|base64: set", "c2V0", true),
        ("thing.detail|base64: set", "C2V0", true),
        ("thing.detail|base64|cased: set", "C2V0", false),
        ("thing.detail|base64: SET", "c2V0", false),
        ("thing.detail|base64|contains: set", "x c2V0 y", true),
        ("thing.detail|base64: set point", "c2V0IHBvaW50", true),
        ("thing.detail|wide|base64: set", "cwBlAHQA", true),
        ("thing.detail|utf16le|base64: set", "cwBlAHQA", true),
        ("thing.detail|utf16be|base64: set", "AHMAZQB0", true),
        ("thing.detail|utf16|base64: set", "//5zAGUAdAA=", true),
        // `set` behind none, one and two octets, and in front of others.
        ("thing.detail|base64offset|contains: set", "c2V0IHBvaW50", true),
        ("thing.detail|base64offset|contains: set", "eHNldCA=", true),
        ("thing.detail|base64offset|contains: set", "eHhzZXQg", true),
        ("thing.detail|base64offset|contains: set", "Z2V0", false),
        ("thing.detail|base64offset|contains|all: [set, point]", "c2V0IHBvaW50", true),
        ("thing.detail|base64offset|contains|all: [set, print]", "c2V0IHBvaW50", false),
        (r"thing.detail|base64: 'a\*b'", "YSpi", true),
    ] {
        assert_eq!(holds(&item(detection), &says(text)), expected, "{detection} on {text}");
    }
    let json = Thing { json: Some(r#"{"blob": "c2V0"}"#), ..Thing::default() };
    assert!(holds(&item("thing.json.blob|base64: set"), &json));
    assert!(holds("  s: {'|base64offset|contains': set}\n  condition: s", &says("c2V0")));
}

#[test]
fn moments() {
    let time: jiff::Timestamp = "2026-11-23T05:56:29.123456789Z".parse().unwrap();
    let time = Some(time.as_nanosecond() as u64);
    let thing = Thing { time, ..Thing::default() };
    for (detection, expected) in [
        ("thing.time|gt: 2026-11-23", true),
        ("thing.time|lt: 2026-11-23", false),
        ("thing.time|gte: 2026-11-23T05:56:29Z", true),
        ("thing.time|gt: '2026-11-23 05:56:30'", false),
        ("thing.time|lt: 2026-11-23T06:56:29+01:00", false),
        ("thing.time|lt: 2026-11-23T06:56:29.5+0100", true),
        // As written in the record, with microseconds.
        ("thing.time: 2026-11-23T05:56:29.123456+0000", true),
        ("thing.time|lte: 2026-11-23T05:56:29.123456Z", true),
        ("thing.time|gt: 2026-11-23T05:56:29.123456Z", false),
        ("thing.time: [2026-11-23, 2026-11-24]", false),
        ("thing.time|gte: 2026-11-23T05:56:00Z, thing.time|lt: 2026-11-23T05:57:00Z", true),
        ("thing.time|exists: true", true),
        ("thing.time: '*'", true),
    ] {
        assert_eq!(holds(&item(detection), &thing), expected, "{detection}");
    }
    assert!(!holds(&item("thing.time|gt: 1970-01-01"), &Thing::default()), "absent is not later");
    assert!(holds(&item("timestamp|lt: 1970-01-01T00:00:01Z"), &Thing::default()), "the context's");
}

#[test]
fn names_and_codes_are_both_values() {
    let thing = Thing { cause: Some(3), ..Thing::default() };
    for (detection, expected) in [
        ("thing.cause: activation", true),
        ("thing.cause: Activation", true),
        ("thing.cause: 3", true),
        ("thing.cause: '3'", true),
        ("thing.cause|startswith: activation", true),
        ("thing.cause|endswith: confirmation", false),
        ("thing.cause|re: '^act.*n$'", true),
        ("thing.cause: [periodic, spontaneous]", false),
        ("thing.cause: 'p*'", false),
    ] {
        assert_eq!(holds(&item(detection), &thing), expected, "{detection}");
    }
}

#[test]
fn numbers_with_fractions_and_flags() {
    assert!(holds(&item("thing.value: 0.1"), &value(Number::Single(0.1))), "shortest decimal");
    assert!(!holds(&item("thing.value|gt: 0.1"), &value(Number::Single(0.1))));
    assert!(holds(&item("thing.value|gt: 0.1"), &value(Number::Single(0.100_000_01))));
    assert!(holds(&item("thing.value|lt: -1"), &value(Number::Double(-1.5))));
    assert!(holds(&item("thing.value: 7"), &value(Number::Integer(7))));
    assert!(holds(&item("thing.value: true"), &value(Number::Flag(true))));
    assert!(!holds(&item("thing.value: 1"), &value(Number::Flag(true))), "a flag is no number");
    assert!(!holds(&item("thing.value|gte: 0"), &value(Number::Flag(true))));
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let number = value(Number::Double(number));
        assert!(!holds(&item("thing.value|lte: .inf"), &number), "records show `null`");
        assert!(!holds(&item("thing.value|exists: true"), &number));
        assert!(holds(&item("thing.value: null"), &number));
    }
    assert!(holds(&item("thing.value: 0"), &value(Number::Double(-0.0))));
}

#[test]
fn addresses() {
    let at = |text: &str| Thing { peer: text.parse().ok(), ..Thing::default() };
    assert!(holds(&item("thing.peer: 10.20.0.10"), &at("10.20.0.10")));
    assert!(holds(&item("thing.peer|cidr: [10.20.0.0/16, '2001:db8::/32']"), &at("10.20.255.1")));
    assert!(holds(&item("thing.peer|cidr: '2001:db8::/32'"), &at("2001:db8:1::1")));
    assert!(!holds(&item("thing.peer|cidr: 10.20.0.0/16"), &at("2001:db8::1")));
    assert!(holds(&item("thing.peer|cidr: 10.20.0.10"), &at("10.20.0.10")));
    assert!(holds(&item("thing.peer|cidr: 0.0.0.0/0"), &at("255.255.255.255")));
    assert!(!holds(&item("thing.peer: '::ffff:10.0.0.1'"), &at("10.0.0.1")));
    assert!(holds(&item("thing.peer|exists: true"), &at("::1")));
}

#[test]
fn fields_of_the_context() {
    assert!(holds(&item("src_ip: 10.0.0.1, dest_port: 2404"), &Thing::default()));
    assert!(holds(&item("direction: to_server"), &Thing::default()));
    assert!(holds(&item("vlan: 4"), &Thing::default()));
    assert!(holds(&item("vlan|all: [3, 4]"), &Thing::default()));
    assert!(!holds(&item("vlan|all: [3, 5]"), &Thing::default()));
    assert!(holds(&item("timestamp: '*'"), &Thing::default()));
}

#[test]
fn a_list_holds_when_any_member_does() {
    let object = |ioa| Object { ioa, value: Some(Number::Integer(ioa)) };
    let thing = Thing { objects: vec![object(1), object(20_000)], ..Thing::default() };
    assert!(holds(&item("thing.objects.ioa: 20000"), &thing));
    assert!(holds(&item("thing.objects.ioa|lt: 2"), &thing));
    assert!(!holds(&item("thing.objects.ioa|neq: 1"), &thing), "not: any member is 1");
    assert!(holds(&item("thing.objects.ioa|all: [1, 20000]"), &thing));
    assert!(holds(&item("thing.objects.ioa: null"), &Thing::default()));
    let tags = Thing { tags: vec![b"one".to_vec(), b"two".to_vec()], ..Thing::default() };
    assert!(holds(&item("thing.tags|startswith: TW"), &tags));
}

#[test]
fn one_record_for_each_member_joins_conditions() {
    let source = rule(1, &item("thing.ioa: 1, thing.value|gt: 5"));
    let text = source.text.replace("service: thing", "service: thing_object");
    let set = load(&[Source { text, ..source }]).expect("right");
    let mut matcher = Matcher::new(Arc::new(set));
    let mut holds = |ioa, value| {
        let record = FlatObject(Object { ioa, value: Some(Number::Integer(value)) });
        let service = matcher.service(record.schema()).expect("a rule is about it");
        let event = crate::event::Event { context: &fake::context(), record: &record };
        matcher.matches(service, &event).into_iter().count() == 1
    };
    assert!(holds(1, 6));
    assert!(!holds(1, 5) && !holds(2, 6));
}

#[test]
fn selections_are_maps_and_lists() {
    let thing = Thing { address: Some(1), cause: Some(3), ..topic("x") };
    let holds = |detection: &str| holds(detection, &thing);
    assert!(holds(
        "  s:\n    - {thing.ca: 2}\n    - {thing.ca: 1, thing.cause: activation}\n  condition: s"
    ));
    assert!(!holds(
        "  s:\n    - {thing.ca: 2}\n    - {thing.ca: 1, thing.cause: periodic}\n  condition: s"
    ));
    assert!(holds("  a: {thing.ca: 2}\n  b: {thing.topic: X}\n  condition: b and not a"));
    assert!(holds("  a1: {thing.ca: 2}\n  a2: {thing.topic: X}\n  condition: 1 of a*"));
    assert!(!holds("  a1: {thing.ca: 2}\n  a2: {thing.topic: X}\n  condition: all of them"));
}

/// Sigma: an identifier that begins with an underscore is ignored unless the condition names it.
#[test]
fn selections_may_be_set_aside() {
    let detection = |condition: &str| {
        format!(
            "  s: {{thing.topic: grid}}\n  _later: {{thing.gone|expand: '%nobody%'}}\n  \
             _other: {{thing.topic: other}}\n  condition: {condition}"
        )
    };
    for condition in ["s", "1 of them", "all of them"] {
        assert!(holds(&detection(condition), &topic("grid")), "{condition}");
        assert!(!holds(&detection(condition), &topic("other")), "{condition}");
    }
    assert!(holds(&detection("s or _other"), &topic("other")));
    let set = load(&[rule(1, &detection("s"))]).unwrap();
    assert_eq!(set.rules[0].inactive, None);
}

#[test]
fn all_of_several_networks_and_bounds_is_what_they_have_in_common() {
    let peer = |address: &str| Thing { peer: address.parse().ok(), ..Thing::default() };
    let nested = item("thing.peer|cidr|all: [10.0.0.0/8, 10.20.0.0/16]");
    assert!(holds(&nested, &peer("10.20.0.1")));
    assert!(!holds(&nested, &peer("10.21.0.1")));
    let bounds = item("thing.ca|gte|all: [3, 5]");
    assert!(holds(&bounds, &Thing { address: Some(5), ..Thing::default() }));
    assert!(!holds(&bounds, &Thing { address: Some(4), ..Thing::default() }));
}

#[test]
fn keywords_are_in_any_text_of_the_record() {
    let thing = Thing { tags: vec![b"a needle here".to_vec()], ..topic("hay") };
    assert!(holds("  k: [NEEDLE, nothing]\n  condition: k", &thing));
    assert!(holds("  k: hay\n  condition: k", &thing));
    assert!(!holds("  k: [straw]\n  condition: k", &thing));
    assert!(holds("  k: {'|all': [hay, 'n*le']}\n  condition: k", &thing));
    assert!(!holds("  k: {'|all': [hay, straw]}\n  condition: k", &thing));
    assert!(holds("  k: [straw, {thing.topic: hay}]\n  condition: k", &thing));
    assert!(!holds("  k: {'|neq': [hay, straw]}\n  condition: k", &thing));
}

#[test]
fn keywords_are_in_names_addresses_moments_and_the_type_as_records_show_them() {
    let thing = Thing {
        cause: Some(3),
        peer: "2001:db8::7".parse().ok(),
        time: Some(1_795_409_759_012_345_678),
        address: Some(4711),
        negative: Some(true),
        ..topic("hay")
    };
    let holds = |keyword: &str| holds(&format!("  k: ['{keyword}']\n  condition: k"), &thing);
    for keyword in [
        "ACTIVATION", // a name
        "activation", // the whole of one
        "10.0.0.1",   // of the context
        "2001:DB8::",
        "2026-11-23t04:55", // a moment of the record
        "1970-01-01",       // and the timestamp
        "+0000",
        "to_server",
        "TCP",
        "1:", // the community id
        "thing",
    ] {
        assert!(holds(keyword), "{keyword}");
    }
    for keyword in ["spontaneous", "10.0.0.3", "2001:db8::8", "2025-", "4711", "true", "to_client"]
    {
        assert!(!holds(keyword), "{keyword}");
    }
    assert!(!holds("thing.cause"), "keys are not looked at");
}

#[test]
fn placeholders() {
    let source = rule(1, &item("thing.peer|cidr|expand: '%masters%'"));
    let load = |values: &[&str]| {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let placeholders = Placeholders::from([("masters".to_owned(), values)]);
        RuleSet::load(std::slice::from_ref(&source), &services(), &placeholders)
    };
    let thing = Thing { peer: "10.0.0.9".parse().ok(), ..Thing::default() };
    let filled = load(&["10.0.0.0/24", "192.0.2.1"]).expect("right");
    assert_eq!(filled.rules[0].inactive, None);
    assert_eq!(hits(&mut Matcher::new(Arc::new(filled)), &thing), [0]);
    let empty = load(&[]).expect("inactive is no mistake");
    assert_eq!(empty.rules[0].inactive.as_deref(), Some("masters"));
    let mut matcher = Matcher::new(Arc::new(empty));
    assert!(matcher.service(services()[0]).is_none());
    assert!(hits(&mut matcher, &thing).is_empty());
    assert!(load(&["10.0.0.300"]).is_err());
}

#[test]
fn hits_come_in_the_order_of_the_set() {
    let sources: Vec<_> = (0..50)
        .map(|number| {
            let detection = match number % 3 {
                0 => item("thing.topic|endswith: t"),
                1 => "  s: {thing.ca: 9}\n  condition: not s".to_owned(),
                _ => item("thing.ca|lt: 5"),
            };
            rule(number, &detection)
        })
        .collect();
    let mut matcher = Matcher::new(Arc::new(load(&sources).expect("right")));
    let thing = Thing { address: Some(1), ..topic("set") };
    assert_eq!(hits(&mut matcher, &thing), (0..50).collect::<Vec<_>>());
    let other = Thing { address: Some(9), ..topic("get me") };
    assert_eq!(hits(&mut matcher, &other), Vec::<usize>::new());
    assert_eq!(hits(&mut matcher, &thing).len(), 50);
}

#[test]
fn what_a_rule_tells_of_itself() {
    let text = "\
title: A rule
id: 5b0c1c7e-0a4f-4c58-9d6e-2f1f3a1f7c11
status: test
level: high
description: Why.
author: gridtap
date: 2026-11-23
references: [a, b]
tags: [attack.impair-process-control, attack.t0855, attack.t1692.001, cve.2021-34432]
falsepositives: [none]
custom: {anything: goes}
logsource: {product: gridtap, service: thing}
detection: {s: {thing.ca: 1}, condition: s}
examples: [{capture: pcaps/demo.pcap, alerts: 3}]
";
    let source = Source { name: "a.yml".to_owned(), text: text.to_owned() };
    let set = load(&[source]).expect("right");
    let rule = &set.rules[0];
    assert_eq!(rule.techniques, ["T0855", "T1692.001"]);
    assert_eq!((rule.level, rule.status), (Level::High, Some(Status::Test)));
    let [Example { capture, alerts: 3, placeholders, line: 14 }] = &rule.examples[..] else {
        panic!()
    };
    assert!(capture == "pcaps/demo.pcap" && placeholders.is_empty());
    assert_eq!(rule.signature_id, 218_762_457, "stable: people filter by it");
    assert_eq!(rule.date, "2026-11-23");
}

#[test]
fn several_documents_in_a_file() {
    let one = rule(1, &item("thing.ca: 1")).text;
    let two = rule(2, &item("thing.ca: 2")).text;
    let source = Source { name: "two.yml".to_owned(), text: format!("---\n{one}---\n{two}") };
    assert_eq!(load(&[source]).expect("right").rules.len(), 2);
}

#[test]
fn topics_are_compared_as_topics() {
    let thing = |topic: &str, tags: &[&str]| Thing {
        topic: Some(topic.as_bytes().to_vec()),
        tags: tags.iter().map(|tag| tag.as_bytes().to_vec()).collect(),
        ..Thing::default()
    };
    let name = |item: &str, topic: &str| holds(&self::item(item), &thing(topic, &[]));
    assert!(name("thing.topic|topic: a/+", "a/b") && !name("thing.topic|topic: a/+", "a/b/c"));
    assert!(!name("thing.topic|topic: A/+", "a/b"));
    assert!(name("thing.topic|topic: [b, c]", "c"));
    assert!(name("thing.topic|topic|all: [a/+, +/b]", "a/b"));
    assert!(!name("thing.topic|topic|all: [a/+, +/b]", "a/c"));
    assert!(name("thing.topic|topic|neq: a/#", "b") && !name("thing.topic|topic|neq: a/#", "a"));
    assert!(name("thing.topic|topic: $share/g/a/+", "a/b"));
    assert!(name("thing.topic|topic: a/#, thing.topic|endswith: /set", "a/b/SET"));
    // Of Sigma's wildcards and its escapes there are none here.
    assert!(name(r"thing.topic|topic: 'a*'", "a*") && !name("thing.topic|topic: 'a*'", "ab"));
    assert!(name(r"thing.topic|topic: 'a\*'", r"a\*") && name(r"thing.topic|topic: '*'", "*"));
    assert!(!name("thing.topic|topic: '*'", "b"));
    // What is not UTF-8 is compared as it is written.
    let damaged = Thing { topic: Some(b"a/\xff".to_vec()), ..Thing::default() };
    assert!(holds(&item("thing.topic|topic: \"a/\u{FFFD}\""), &damaged));

    let filter = |item: &str, tags: &[&str]| holds(&self::item(item), &thing("", tags));
    assert!(filter("thing.tags|topic: a/b", &["x", "+/b"]));
    assert!(filter("thing.tags|topic: a/b", &["$share/g/a/#"]));
    assert!(!filter("thing.tags|topic: $SYS/#", &["#", "+/a"]));
    assert!(!filter("thing.tags|topic: '#'", &["a+", "", "$share/g", "$SYS/x"]));
    assert!(!filter("thing.tags|topic: '#'", &[]));
}

#[test]
fn what_a_list_said_of_topics_is_forgotten_with_the_event() {
    let rules =
        ["a/#", "b/#"].map(|filter| format!("  s: {{thing.tags|topic: {filter}}}\n  condition: s"));
    let sources: Vec<_> = (0..).zip(&rules).map(|(number, text)| rule(number, text)).collect();
    let mut matcher = Matcher::new(load(&sources).expect("right").into());
    let thing = |tags: &[&str]| Thing {
        tags: tags.iter().map(|tag| tag.as_bytes().to_vec()).collect(),
        ..Thing::default()
    };
    for (tags, expected) in [
        (&["a", "a/b", "+"][..], &[0, 1][..]),
        (&["b", "b/c"], &[1]),
        (&["b"], &[1]),
        (&["c"], &[]),
        (&["a"], &[0]),
    ] {
        assert_eq!(hits(&mut matcher, &thing(tags)), expected, "{tags:?}");
    }
}

const METER: &str = r#"{"u": [230.1, 229.8], "id": "M-4711", "seq": 5, "text": "5", "on": true,
"no": "FALSE", "nil": null, "deep": {"a": [{"b": 1}, {"b": "x"}]}, "none": []}"#;

/// As other engines of Sigma compare JSON: numbers with numbers and with text that is one, text with
/// text and with what is written of numbers and flags.
#[test]
fn values_in_documents_are_what_they_are() {
    let thing = |json| Thing { json: Some(json), ..Thing::default() };
    for (detection, expected) in [
        ("thing.json.u: 230.1", true),
        ("thing.json.u: 230.2", false),
        ("thing.json.u|gt: 230", true),
        ("thing.json.u|lt: 229.8", false),
        ("'thing.json.u[1]|gt': 230", false),
        ("thing.json.u.1|lt: 230", true),
        ("thing.json.u|gt: 230, thing.json.u|lt: 230", true),
        ("thing.json.id: m-47*", true),
        ("thing.json.id|cased: m-47*", false),
        ("thing.json.id|contains: '71'", true),
        ("thing.json.id|re: '^M-\\d+$'", true),
        ("thing.json.id|gt: 3", false),
        ("thing.json.seq: 5", true),
        ("thing.json.seq: '5'", true),
        ("thing.json.seq: 5.0", true),
        ("thing.json.seq|startswith: '5'", true),
        ("thing.json.seq: [4, x, 5]", true),
        ("thing.json.seq: [4, x]", false),
        ("thing.json.text: 5", true),
        ("thing.json.text|lte: 5", true),
        ("thing.json.on: true", true),
        ("thing.json.on: 1", false),
        ("thing.json.on: 'true'", true),
        ("thing.json.no: false", true),
        ("thing.json.nil: null", true),
        ("thing.json.nil|exists: true", false),
        ("thing.json.gone: null", true),
        ("thing.json.gone|neq: 5", true),
        ("thing.json.seq|neq: 5", false),
        ("thing.json.deep|exists: true", true),
        ("thing.json.none|exists: true", true),
        ("thing.json.deep: '*'", true),
        ("thing.json.deep: 1", false),
        ("thing.json.deep.a.b: x", true),
        ("thing.json.deep.a.b|all: [1, x]", true),
        ("'thing.json.deep.a[0].b': x", false),
        ("thing.json.SEQ: 5", false),
    ] {
        assert_eq!(holds(&item(detection), &thing(METER)), expected, "{detection}");
    }
    for broken in ["", "{\"seq\": 5", "seq: 5"] {
        assert!(!holds(&item("thing.json.seq: 5"), &thing(broken)), "{broken}");
    }
    assert!(!holds(&item("thing.json.seq: 5"), &Thing::default()));
    assert!(holds(&item("thing.json.seq: null"), &Thing::default()));
}

#[test]
fn documents_and_fields_meet_in_one_rule() {
    let rules = [
        "  s: {thing.ca: 3, thing.json.seq: 5}\n  condition: s",
        "  s: {thing.json.seq|gt: 4}\n  t: {thing.ca: 3}\n  condition: s and not t",
        "  s: {thing.json.id: x}\n  t: {thing.json.seq: 5}\n  condition: 1 of them",
    ];
    let sources: Vec<_> = (0..).zip(rules).map(|(number, text)| rule(number, text)).collect();
    let set = load(&sources).expect("right");
    let paths = |rule: &Rule| rule.paths.len();
    assert_eq!(set.rules.iter().map(paths).collect::<Vec<_>>(), [1, 1, 2]);
    let mut matcher = Matcher::new(set.into());
    for (address, json, expected) in [
        (3, Some(r#"{"seq": 5}"#), &[0, 2][..]),
        (4, Some(r#"{"seq": 5}"#), &[1, 2]),
        (4, Some(r#"{"seq": 6, "id": "X"}"#), &[1, 2]),
        (3, None, &[]),
        (3, Some(r#"{"seq": 6}"#), &[]),
    ] {
        let thing = Thing { address: Some(address), json, ..Thing::default() };
        assert_eq!(hits(&mut matcher, &thing), expected, "{address} {json:?}");
    }
}
