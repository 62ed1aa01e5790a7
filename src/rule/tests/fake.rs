//! Records of no protocol, with a field of each kind, for rules to be tried on.

use std::net::IpAddr;

use crate::event::{Context, Event, FlowContext, Kind, Record, Value};
use crate::flow::{FlowKey, Side};
use crate::record;
use crate::rule::{Diagnostic, Matcher, Placeholders, RuleSet, Source};
use crate::time::Timestamp;

pub(super) static CAUSES: &[&str] =
    &["", "periodic", "spontaneous", "activation", "activation_confirmation", "", "off"];

/// A record with everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Thing {
    pub(super) address: Option<i64>,
    pub(super) cause: Option<u8>,
    pub(super) negative: Option<bool>,
    pub(super) value: Option<Number>,
    pub(super) topic: Option<Vec<u8>>,
    pub(super) detail: Option<Vec<u8>>,
    pub(super) peer: Option<IpAddr>,
    pub(super) time: Option<u64>,
    pub(super) objects: Vec<Object>,
    pub(super) tags: Vec<Vec<u8>>,
    pub(super) json: Option<&'static str>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Integer(i64),
    Single(f32),
    Double(f64),
    Flag(bool),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Object {
    pub(super) ioa: i64,
    pub(super) value: Option<Number>,
}

#[derive(Debug)]
pub(super) struct FlatObject(pub(super) Object);

#[derive(Debug)]
struct Tag(Vec<u8>);

fn number(number: Option<Number>) -> Value<'static> {
    match number {
        None => Value::Absent,
        Some(Number::Integer(number)) => Value::Integer(number),
        Some(Number::Single(number)) => Value::Single(number),
        Some(Number::Double(number)) => Value::Double(number),
        Some(Number::Flag(flag)) => Value::Boolean(flag),
    }
}

fn text(text: Option<&Vec<u8>>) -> Value<'_> {
    Value::maybe(text, |text| Value::Text(text))
}

record! {
    /// A thing.
    pub(super) static THING: Thing = "thing";
    fields {
        "thing.ca": Kind::Integer, "A whole number."
            => |t| Value::maybe(t.address, Value::Integer);
        "thing.type_id": Kind::Range(0, 255), "The same, where an octet holds it."
            => |t| Value::maybe(t.address.filter(|ca| (0..256).contains(ca)), Value::Integer);
        "thing.cause": Kind::Name(CAUSES), "A name."
            => |t| Value::maybe(t.cause, Value::Code);
        "thing.negative": Kind::Boolean, "A flag."
            => |t| Value::maybe(t.negative, Value::Boolean);
        "thing.value": Kind::Number, "A number."
            => |t| number(t.value);
        "thing.topic": Kind::TopicName, "A topic."
            => |t| text(t.topic.as_ref());
        "thing.detail": Kind::Text, "A text."
            => |t| text(t.detail.as_ref());
        "thing.peer": Kind::Address, "An address."
            => |t| Value::maybe(t.peer, Value::Address);
        "thing.time": Kind::Time, "A moment."
            => |t| Value::maybe(t.time, |nanos| Value::Time(Timestamp::from_nanos(nanos)));
    }
    lists {
        "thing.objects": OBJECT, "Objects."
            => |t, visit| for object in &t.objects { visit(object); };
        "thing.tags": TAG, "Plain values."
            => |t, visit| for tag in &t.tags { visit(&Tag(tag.clone())); };
    }
    documents {
        "thing.json": Payload, "Somebody's JSON." => |t| t.json.map(str::as_bytes);
    }
}

record! {
    /// A part of a thing.
    static OBJECT: Object = "object";
    fields {
        "ioa": Kind::Integer, "Its address." => |o| Value::Integer(o.ioa);
        "value": Kind::Number, "Its value." => |o| number(o.value);
    }
}

record! {
    /// A tag.
    static TAG: Tag = "tag";
    fields {
        "": Kind::TopicFilter, "The tag." => |t| Value::Text(&t.0);
    }
}

record! {
    /// A part of a thing, flat.
    pub(super) static THING_OBJECT: FlatObject = "thing_object";
    fields {
        "thing.ioa": Kind::Integer, "Its address." => |o| Value::Integer(o.0.ioa);
        "thing.value": Kind::Number, "Its value." => |o| number(o.0.value);
    }
}

pub(super) fn services() -> Vec<&'static crate::event::Schema> {
    vec![&THING, &THING_OBJECT]
}

/// A rule about things with this detection, in flow style or indented by two.
pub(super) fn rule(number: u32, detection: &str) -> Source {
    let text = format!(
        "title: Rule {number}\nid: 00000000-0000-4000-8000-{number:012}\n\
         logsource: {{product: gridtap, service: thing}}\ndetection:\n{detection}\n"
    );
    Source { name: format!("rules/{number}.yml"), text }
}

pub(super) fn load(sources: &[Source]) -> Result<RuleSet, Vec<Diagnostic>> {
    RuleSet::load(sources, &services(), &Placeholders::new())
}

/// What the mistakes of a rule with this detection are, without file and line.
pub(super) fn mistakes(detection: &str) -> Vec<String> {
    match load(&[rule(1, detection)]) {
        Ok(_) => Vec::new(),
        Err(found) => found
            .iter()
            .map(|found| match &found.help {
                Some(help) => format!("{} ({help})", found.message),
                None => found.message.clone(),
            })
            .collect(),
    }
}

/// A context from 10.0.0.1:1024 to 10.0.0.2:2404.
pub(super) fn context() -> Context<'static> {
    let ends = [([10, 0, 0, 1].into(), 1024), ([10, 0, 0, 2].into(), 2404)];
    Context {
        timestamp: Timestamp::from_nanos(1),
        number: 1,
        interface: None,
        vlan: &[3, 4],
        tunnel: &[],
        flow: Some(FlowContext {
            key: Box::leak(Box::new(FlowKey::new(ends, [3, 4], 6))),
            id: 7,
            community_id: Box::leak(Box::default()),
            sender: Side::Lower,
            client: Side::Lower,
            directed: true,
            app_proto: Some("thing"),
        }),
    }
}

/// Which rules hold for a thing.
pub(super) fn hits(matcher: &mut Matcher, thing: &Thing) -> Vec<usize> {
    let Some(service) = matcher.service(thing.schema()) else { return Vec::new() };
    let context = context();
    let event = Event { context: &context, record: thing };
    matcher.matches(service, &event).into_iter().map(|rule| rule.index).collect()
}

/// Whether a rule with this detection holds for a thing.
pub(super) fn holds(detection: &str, thing: &Thing) -> bool {
    let set = load(&[rule(1, detection)]).unwrap_or_else(|found| panic!("{detection}: {found:?}"));
    !hits(&mut Matcher::new(set.into()), thing).is_empty()
}
