//! What is built from the standard's tables is read back, and is no violation; what breaks one rule
//! raises one anomaly.

use proptest::prelude::*;

use super::super::header::{Dialect, Header, Level, Start};
use super::super::packet::{self, Packet};
use super::super::violation::{Report, Violation};
use super::generator::flaw::flaws;
use super::generator::standard::{CONNECT, PUBLISH, kinds};
use super::generator::{Amount, Dice, Fields, LONGEST, Role, Told, Wish, build, counted, variable};
use super::{MQTT, connect, decode};
use crate::event::{Kind, Record, Schema, Value};

const AMOUNTS: [Amount; 3] = [Amount::None, Amount::Any, Amount::All];

/// Names of violations, and where they are.
#[derive(Default)]
struct Found(Vec<(&'static str, usize)>);

impl Report for Found {
    fn report(&mut self, violation: Violation, _: &'static str, _: Value<'_>, offset: usize) {
        let name = violation.name();
        // As where they are emitted: each once a packet.
        if self.0.iter().all(|(other, _)| *other != name) {
            self.0.push((name, offset));
        }
    }
}

/// What is told of one whole packet at this level, and what is wrong with it.
fn read(level: u8, octets: &[u8]) -> (Fields, Vec<(&'static str, usize)>) {
    let Start::Header(header) = Header::read(octets) else { panic!("{octets:02x?}") };
    assert_eq!(header.total(), octets.len());
    let level = [Level::V3, Level::V4, Level::V5][usize::from(level - 3)];
    let dialect = (header.kind as u8 != CONNECT).then_some(Dialect::known(level));
    let shown = &octets[..packet::kept(header, dialect, octets)];
    let mut packet = Packet::new(header, dialect, octets.len() - shown.len());
    let mut found = Found::default();
    packet.read(&shown[usize::from(header.length)..], &mut found);
    (told(&packet), found.0)
}

/// Every field, by name.
fn told(packet: &Packet<'_>) -> Fields {
    let mut fields = Fields::new();
    let without = |name: &str| name.strip_prefix("mqtt.").unwrap().to_owned();
    packet.present(&mut |index, value| {
        let field = &MQTT.fields[index];
        assert_eq!(packet.value(index), value, "{}", field.name);
        fields.push((without(field.name), tell(&MQTT, index, value)));
    });
    for (index, list) in MQTT.lists.iter().enumerate() {
        let mut count = 0;
        packet.each(index, &mut |element| {
            element.present(&mut |member, value| {
                let schema = element.schema();
                let dotted = match schema.fields[member].name {
                    "" => String::new(),
                    name => format!(".{name}"),
                };
                let name = format!("{}[{count}]{dotted}", without(list.name));
                fields.push((name, tell(schema, member, value)));
            });
            count += 1;
        });
    }
    fields.sort();
    fields
}

fn tell(schema: &Schema, index: usize, value: Value<'_>) -> Told {
    match value {
        Value::Boolean(flag) => Told::Flag(flag),
        Value::Integer(number) => Told::Number(number as u64),
        Value::Text(text) => Told::Text(text.to_vec()),
        Value::Octets(octets) => Told::Octets(octets.to_vec()),
        Value::Code(code) => {
            let Kind::Name(names) = schema.fields[index].kind else { panic!("{value:?}") };
            Told::Name(names[usize::from(code)])
        }
        other => panic!("{other:?} is no value of MQTT"),
    }
}

fn assert_read_back(wish: Wish, dice: &mut Dice) {
    let built = build(wish, dice);
    let octets = built.octets();
    let (told, found) = read(wish.level, &octets);
    for (ours, expected) in told.iter().zip(&built.told) {
        assert_eq!(ours, expected, "{wish:?}");
    }
    assert_eq!(told.len(), built.told.len(), "{wish:?}: {told:?}");
    assert_eq!(found, [], "{wish:?}: {}", octets.escape_ascii());
}

fn wishes(longest: u32) -> impl Iterator<Item = Wish> {
    (3..=5).flat_map(move |level| {
        kinds(level).flat_map(move |kind| {
            AMOUNTS.into_iter().map(move |properties| Wish { level, kind, properties, longest })
        })
    })
}

#[test]
fn every_packet_of_every_level_is_read_back() {
    let mut dice = Dice::new(1);
    for wish in wishes(0) {
        for _ in 0..200 {
            assert_read_back(wish, &mut dice);
        }
    }
}

#[test]
fn the_longest_texts_are_read_back() {
    let mut dice = Dice::new(2);
    for wish in wishes(8) {
        for _ in 0..10 {
            assert_read_back(wish, &mut dice);
        }
    }
}

/// A CONNECT whose every text is the longest, with as many user properties as fit into what is
/// looked at.
#[test]
fn the_longest_connect_is_read_to_its_end() {
    let long = counted(&vec![b'x'; LONGEST]);
    let property = |id: u8| [&[id], &long[..]].concat();
    let all = [property(21), property(22), [property(38), long.clone()].concat()].concat();
    let will =
        [property(3), property(8), property(9), [property(38), long.clone()].concat()].concat();
    let body = [
        &b"\0\x04MQTT\x05\xC6\0\0"[..],
        &variable(all.len() as u32),
        &all,
        &long,
        &variable(will.len() as u32),
        &will,
        &long,
        &long,
        &long,
        &long,
    ]
    .concat();
    let octets = [&[0x10][..], &variable(body.len() as u32), &body].concat();
    assert!(octets.len() <= packet::KEPT);
    let (told, found) = read(5, &octets);
    assert_eq!(found, []);
    let named = |name: &str| told.iter().find(|(told, _)| told == name).map(|(_, told)| told);
    assert_eq!(named("connect.password_length"), Some(&Told::Number(65_535)));
    assert_eq!(named("connect.properties.authentication_data_length"), Some(&Told::Number(65_535)));
}

/// Table 2.4 of level 4: the ends of each length of the remaining length.
#[test]
fn every_length_of_the_remaining_length_is_read_back() {
    const KEPT: usize = 65_536;
    for level in 3..=5 {
        let before: &[u8] = if level == 5 { b"\0\x01t\0" } else { b"\0\x01t" };
        for remaining in
            [before.len(), 126, 127, 128, 129, 16_383, 16_384, 65_537, 65_600, 2_097_151, 2_097_152]
        {
            let payload = vec![b'x'; remaining - before.len()];
            let octets = [&[0x30][..], &variable(remaining as u32), before, &payload].concat();
            let (told, found) = read(level, &octets);
            assert_eq!(found, [], "{remaining}");
            let named =
                |name: &str| told.iter().find(|(told, _)| told == name).map(|(_, told)| told);
            assert_eq!(named("length"), Some(&Told::Number(remaining as u64)));
            let length = payload.len() as u64;
            assert_eq!(named("publish.payload_length"), Some(&Told::Number(length)));
            // Longer than what is kept: 64 KiB of the payload, before level 5 with what may have been
            // an identifier.
            let kept = octets.len() - payload.len() + KEPT + if level == 5 { 0 } else { 2 };
            let skipped = octets.len().saturating_sub(kept) as u64;
            let skipped = (skipped > 0 && octets.len() > KEPT).then_some(Told::Number(skipped));
            assert_eq!(named("publish.skipped_length"), skipped.as_ref(), "{remaining}");
            assert_eq!(named("publish.truncated"), skipped.map(|_| Told::Flag(true)).as_ref());
        }
    }
}

#[test]
fn one_broken_rule_is_exactly_one_anomaly() {
    let mut dice = Dice::new(3);
    let mut met = std::collections::BTreeSet::new();
    for wish in wishes(0) {
        for _ in 0..8 {
            let legal = build(wish, &mut dice);
            for flaw in flaws(&legal) {
                let (_, found) = read(wish.level, &flaw.octets);
                let text = flaw.octets.escape_ascii();
                assert_eq!(found, [(flaw.anomaly, flaw.offset)], "{wish:?}: {text}");
                met.insert(flaw.anomaly);
            }
        }
    }
    let content: Vec<_> =
        Violation::NAMES.iter().filter(|name| !ELSEWHERE.contains(name)).copied().collect();
    let missing: Vec<_> = content.iter().filter(|name| !met.contains(*name)).collect();
    assert!(missing.is_empty(), "no packet raised {missing:?}");
}

/// Anomalies that are of no packet alone.
const ELSEWHERE: &[&str] = &[
    "reserved_type",
    "truncated",
    "resync",
    "packet_too_large",
    "topic_too_deep",
    "not_connect_first",
    "connect_repeated",
    "wrong_direction",
    "packet_before_connack",
    "ack_without_request",
    "ack_wrong_kind",
    "packet_id_in_use",
    "receive_maximum_exceeded",
    "qos2_unreleased",
    "alias_zero",
    "alias_unknown",
    "alias_over_maximum",
    "keepalive_missed",
    "subscription_count_mismatch",
    "data_after_disconnect",
];

/// Cut within a field: the packet ends before its fields do.
#[test]
fn a_packet_that_ends_within_a_field_is_truncated() {
    let mut dice = Dice::new(4);
    for wish in wishes(0) {
        for _ in 0..8 {
            let legal = build(wish, &mut dice);
            let body = legal.body();
            let mut end = 0;
            for part in &legal.parts {
                let start = end;
                end += part.octets.len();
                for cut in start + 1..end {
                    let (_, found) = read(wish.level, &legal.with_body(&body[..cut]));
                    let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
                    let expected: &[&str] = match &part.role {
                        // It may end within a character.
                        Role::Payload(true) if !names.is_empty() => &["payload_format"],
                        // As many as there are.
                        Role::Codes | Role::Payload(_) => &[],
                        Role::Properties(_, all) if cut - start >= length_octets(all) => {
                            &["property_length"]
                        }
                        _ => &["truncated"],
                    };
                    assert_eq!(names, expected, "{wish:?} cut at {cut}: {}", body.escape_ascii());
                }
            }
        }
    }
}

/// How many octets the length of properties takes.
fn length_octets(all: &[(u8, Vec<u8>)]) -> usize {
    variable(all.iter().map(|(_, value)| 1 + value.len() as u32).sum()).len()
}

/// Octet by octet: as long as one is missing, nothing is told but at the end that there was more.
#[test]
fn the_start_of_any_packet_is_truncated_and_no_record() {
    let mut dice = Dice::new(5);
    for wish in wishes(0).filter(|wish| wish.kind != CONNECT) {
        let packet = build(wish, &mut dice).octets();
        for length in 1..packet.len() {
            let lines = decode(&[connect(wish.level), &packet[..length]].concat());
            let expected = format!("! truncated {length} @{length}");
            assert_eq!(lines[1..], [expected], "{wish:?}");
        }
    }
}

/// A single octet may be anything: what is told is less or other, and nothing panics.
#[test]
fn any_octet_of_any_packet_may_be_wrong() {
    let mut dice = Dice::new(6);
    for wish in wishes(0) {
        let packet = build(wish, &mut dice).octets();
        let mut changed = packet.clone();
        for at in (0..packet.len()).take(100) {
            for octet in 0..=u8::MAX {
                changed[at] = octet;
                decode(&[connect(wish.level), &changed].concat());
            }
            changed[at] = packet[at];
        }
    }
}

proptest! {
    #[test]
    fn any_legal_packet_is_read_back(seed: u64, level in 3u8..=5, longest in 0u32..8) {
        let mut dice = Dice::new(seed);
        for kind in kinds(level) {
            let properties = dice.of(&AMOUNTS);
            assert_read_back(Wish { level, kind, properties, longest }, &mut dice);
        }
    }

    #[test]
    fn any_payload_is_told_as_it_is(payload in prop::collection::vec(any::<u8>(), 0..3000)) {
        let body = [&b"\0\x01t"[..], &payload].concat();
        let octets = [&[PUBLISH << 4][..], &variable(body.len() as u32), &body].concat();
        let (told, found) = read(4, &octets);
        prop_assert_eq!(found, vec![]);
        let text = told.iter().any(|field| *field == ("publish.payload_utf8".into(), Told::Flag(true)));
        prop_assert_eq!(text, std::str::from_utf8(&payload).is_ok());
    }
}
