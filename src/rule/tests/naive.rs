//! The compiled matcher against a walk over the rule's tree: slow, short, and plainly right.

use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;

use super::fake::{self, CAUSES, Number, Object, Thing, hits, load, rule, services};
use super::*;
use crate::event::{CONTEXT, Event, Kind, Record, Value};
use crate::rule::diagnostic::Reporter;
use crate::rule::modifier::{Base64, Comparison, Modifiers, Order, Part, Utf16};
use crate::rule::predicate::FieldId;
use crate::rule::sigma::{Body, Document, Item, Selection};
use crate::rule::yaml::{Meaning, Scalar};
use crate::time::Timestamp;

/// A value as the written record has it.
#[derive(Debug, Clone, PartialEq)]
enum Plain {
    Flag(bool),
    Number(f64),
    Text(String),
    Address(IpAddr),
    /// Nanoseconds.
    Moment(u64),
}

fn plain(value: Value<'_>, kind: Kind) -> Option<Plain> {
    Some(match (value, kind) {
        (Value::Absent, _) => return None,
        // Records show `null`.
        (Value::Single(number), _) if !number.is_finite() => return None,
        (Value::Double(number), _) if !number.is_finite() => return None,
        (Value::Boolean(flag), _) => Plain::Flag(flag),
        (Value::Integer(number), _) => Plain::Number(number as f64),
        (Value::Single(number), _) => Plain::Number(number.to_string().parse().expect("a number")),
        (Value::Double(number), _) => Plain::Number(number),
        (Value::Code(code), Kind::Name(names)) => Plain::Text(names[code as usize].to_owned()),
        (Value::Text(text), _) => Plain::Text(String::from_utf8_lossy(text).into_owned()),
        (Value::Octets(octets), _) => {
            let digits: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            Plain::Text(digits.concat())
        }
        (Value::Address(address), _) => Plain::Address(address),
        (Value::Time(time), _) => Plain::Moment(time.as_nanos()),
        (Value::Code(_), _) => unreachable!("codes are of names"),
    })
}

fn values(event: &Event<'_>, name: &str) -> Vec<Plain> {
    let schema = event.record.schema();
    let field = FieldId::resolve(schema, name).expect("there is this field");
    let kind = field.kind(schema);
    let FieldId::Declared { of_context, path } = field else { panic!("{name} is in a document") };
    let record: &dyn Record = if of_context { event.context } else { event.record };
    let index = usize::from(path.field);
    let mut found = Vec::new();
    match path.list {
        Some(list) => record.each(list.into(), &mut |member| {
            found.extend(plain(member.value(index), kind));
        }),
        None => found.extend(plain(record.value(index), kind)),
    }
    found
}

fn detects(document: &Document, event: &Event<'_>) -> bool {
    let Body::Detection { detection, .. } = &document.body else { panic!("it is no detection") };
    let condition = detection.condition.as_ref().expect("loaded before");
    condition.value.holds(&|index| selection(&detection.selections[index], event))
}

fn selection(of: &Selection, event: &Event<'_>) -> bool {
    match of {
        Selection::All(items) => items.iter().all(|of| item(of, event)),
        Selection::Any(members) => members.iter().any(|member| selection(member, event)),
        Selection::Keyword(word) => {
            let schema = event.record.schema();
            let fields = schema.paths().chain(CONTEXT.paths()).map(|(name, ..)| name);
            let shown = |value| match value {
                Plain::Text(text) => Some(text),
                Plain::Address(address) => Some(address.to_string()),
                Plain::Moment(nanos) => Some(Timestamp::from_nanos(nanos).to_string()),
                Plain::Flag(_) | Plain::Number(_) => None,
            };
            let texts = fields.flat_map(|name| values(event, &name)).filter_map(shown);
            texts.chain([schema.name.to_owned()]).any(|text| {
                glob(&format!("*{}*", word.value.text).to_lowercase(), &text.to_lowercase())
            })
        }
    }
}

fn item(item: &Item, event: &Event<'_>) -> bool {
    let name = &item.field.as_ref().expect("no keywords with modifiers here").value;
    let found = values(event, name);
    let modifiers = item.modifiers.expect("loaded before");
    let schema = event.record.schema();
    let field = FieldId::resolve(schema, name).expect("there is this field");
    let is_filter = matches!(field.kind(schema), Kind::TopicFilter);
    let one = |value: &Scalar| match (modifiers.comparison, value.meaning) {
        _ if modifiers.field => {
            let others = values(event, &value.text);
            let mut pairs = found.iter().flat_map(|one| others.iter().map(move |two| (one, two)));
            pairs.any(|(one, two)| are_alike(one, two, modifiers))
        }
        (Comparison::Exists, Meaning::Boolean(expected)) => found.is_empty() != expected,
        (_, Meaning::Null) => found.is_empty(),
        (Comparison::Topic, _) => found.iter().any(|plain| match plain {
            Plain::Text(text) if is_filter => overlap(&value.text, text),
            Plain::Text(text) => is_matched(&value.text, text),
            _ => false,
        }),
        _ => found.iter().any(|plain| compare(plain, modifiers, value)),
    };
    let mut each = item.values.iter().map(|value| one(&value.value));
    let holds = if modifiers.all { each.all(|holds| holds) } else { each.any(|holds| holds) };
    holds != modifiers.negated
}

fn compare(found: &Plain, modifiers: Modifiers, wanted: &Scalar) -> bool {
    if modifiers.base64.is_some() {
        let plain = Modifiers { utf16: None, base64: None, ..modifiers };
        let encoded = |text| Scalar { text, meaning: Meaning::Quoted };
        let mut encodings = encodings(&wanted.text, modifiers).into_iter();
        return encodings.any(|text| compare(found, plain, &encoded(text)));
    }
    let text = wanted.text.as_str();
    if text == "*" && modifiers.comparison == Comparison::Equals {
        return true;
    }
    match (modifiers.comparison, found) {
        (Comparison::Order(order), Plain::Number(number)) => {
            let limit: f64 = text.parse().expect("a number");
            match order {
                Order::Less => *number < limit,
                Order::LessOrEqual => *number <= limit,
                Order::Greater => *number > limit,
                Order::GreaterOrEqual => *number >= limit,
            }
        }
        (Comparison::Order(order), Plain::Moment(nanos)) => {
            let limit: jiff::Timestamp = text.parse().expect("a moment");
            // Records have microseconds.
            let (moment, limit) = (nanos / 1000, limit.as_microsecond() as u64);
            match order {
                Order::Less => moment < limit,
                Order::LessOrEqual => moment <= limit,
                Order::Greater => moment > limit,
                Order::GreaterOrEqual => moment >= limit,
            }
        }
        (Comparison::Part(part), Plain::Moment(nanos)) => {
            let format = match part {
                Part::Minute => "%M",
                Part::Hour => "%H",
                Part::Day => "%d",
                Part::Week => "%V",
                Part::Month => "%m",
                Part::Year => "%Y",
            };
            let moment = jiff::Timestamp::from_nanosecond((*nanos).into()).expect("a moment");
            moment.strftime(format).to_string().parse::<i32>() == text.parse::<i32>()
        }
        (Comparison::Cidr, Plain::Address(address)) => {
            text.parse::<ipnet::IpNet>().expect("a network").contains(address)
        }
        (Comparison::Regex(_), Plain::Text(found)) => {
            regex::Regex::new(text).expect("a regular expression").is_match(found)
        }
        (Comparison::Equals, Plain::Number(number)) => text.parse() == Ok(*number),
        (Comparison::Equals, Plain::Flag(flag)) => wanted.meaning == Meaning::Boolean(*flag),
        (Comparison::Equals, Plain::Address(address)) => text.parse() == Ok(*address),
        (comparison, Plain::Text(found)) => {
            let pattern = match comparison {
                Comparison::Contains => format!("*{text}*"),
                Comparison::StartsWith => format!("{text}*"),
                Comparison::EndsWith => format!("*{text}"),
                _ => text.to_owned(),
            };
            if modifiers.cased {
                glob(&pattern, found)
            } else {
                glob(&pattern.to_lowercase(), &found.to_lowercase())
            }
        }
        _ => false,
    }
}

/// Two values of one record.
fn are_alike(one: &Plain, two: &Plain, modifiers: Modifiers) -> bool {
    let text = |plain: &Plain| match plain {
        Plain::Text(text) => Some(text.clone()),
        Plain::Address(address) => Some(address.to_string()),
        _ => None,
    };
    let (Some(one), Some(two)) = (text(one), text(two)) else {
        return match (one, two) {
            // Records have microseconds.
            (Plain::Moment(one), Plain::Moment(two)) => one / 1000 == two / 1000,
            (one, two) => one == two,
        };
    };
    let [one, two] =
        [one, two].map(|text| if modifiers.cased { text } else { text.to_lowercase() });
    match modifiers.comparison {
        Comparison::Contains => one.contains(&two),
        Comparison::StartsWith => one.starts_with(&two),
        Comparison::EndsWith => one.ends_with(&two),
        _ => one == two,
    }
}

/// What a text is in Base64, bit by bit: each character that has no bit of anything else.
fn encodings(text: &str, modifiers: Modifiers) -> Vec<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let wide = |of: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(of).collect();
    let octets: Vec<u8> = match modifiers.utf16 {
        None => text.bytes().collect(),
        Some(Utf16::BigEndian) => wide(u16::to_be_bytes),
        Some(Utf16::LittleEndian) => wide(u16::to_le_bytes),
        Some(Utf16::Marked) => [vec![0xFF, 0xFE], wide(u16::to_le_bytes)].concat(),
    };
    let bits: Vec<usize> = octets
        .iter()
        .flat_map(|octet| (0..8).rev().map(move |bit| usize::from(octet >> bit & 1)))
        .collect();
    let sixes = |bits: &[usize]| -> String {
        let value = |six: &[usize]| six.iter().fold(0, |value, bit| value << 1 | bit);
        bits.chunks_exact(6).map(|six| char::from(ALPHABET[value(six)])).collect()
    };
    if modifiers.base64 == Some(Base64::Offset) {
        // Behind one octet a character begins 4 bits later, behind two 2 bits later.
        return [0, 4, 2].map(|skipped| sixes(&bits[skipped..])).to_vec();
    }
    let mut whole = bits;
    whole.resize(whole.len().next_multiple_of(6), 0);
    let characters = sixes(&whole);
    vec![format!("{characters:=<0$}", characters.len().next_multiple_of(4))]
}

/// Whether a topic filter matches a topic name, in which wildcards are nothing special.
fn is_matched(filter: &str, name: &str) -> bool {
    overlap(filter, &name.replace('+', "plus").replace('#', "hash"))
}

/// Whether some topic name matches both filters. (Of what is special in the first level and in the
/// empty name, `crate::topic` has the tests.)
fn overlap(one: &str, two: &str) -> bool {
    fn levels(one: &[&str], two: &[&str]) -> bool {
        match (one, two) {
            (["#"], _) | (_, ["#"]) | ([], []) => true,
            ([one, rest @ ..], [two, others @ ..]) => {
                (one == two || *one == "+" || *two == "+") && levels(rest, others)
            }
            _ => false,
        }
    }
    let [one, two] = [one, two].map(|text| text.strip_prefix("$share/g/").unwrap_or(text));
    let is_filter = |text: &str| {
        let levels: Vec<_> = text.split('/').collect();
        let is_whole = |(at, level): (usize, &&str)| match *level {
            "+" => true,
            "#" => at + 1 == levels.len(),
            level => !level.contains(['+', '#']),
        };
        !text.is_empty() && levels.iter().enumerate().all(is_whole)
    };
    let [ones, twos] = [one, two].map(|text| text.split('/').collect::<Vec<_>>());
    is_filter(one) && is_filter(two) && levels(&ones, &twos)
}

/// Wildcards without escapes.
fn glob(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| glob(rest.as_str(), &text[at..]))
        }
        Some(wanted) => {
            let mut found = text.chars();
            let first = found.next();
            (wanted == '?' && first.is_some() || first == Some(wanted))
                && glob(rest.as_str(), found.as_str())
        }
    }
}

// ── What rules and records are made of: few values, so that they meet ───────────────────────────

const TOPICS: &[&str] = &["grid/+/set", "grid/#", "#", "+", "a", "aB/#", "$share/g/grid/x/+"];
const WORDS: &[&str] = &[
    "grid/+/#",
    "#",
    "a",
    "A",
    "ab",
    "aB",
    "abc",
    "bc",
    "é",
    "aÉ",
    "grid/x/set",
    "GRID/y/set",
    "set",
    "",
    "c2V0",
    "x c2V0IHg=",
    "10.0.0.1",
    "off",
];
const ENCODED: &[&str] = &["set", "se", "abc", "é", "set x"];
const PATTERNS: &[&str] =
    &["a*", "*b", "*b*", "a?", "?", "grid/*/set", "*X*T", "é*", "*??*b", "*", "a*é"];
const REGEXES: &[&str] = &["a+b", "^set$", "[xy]/", "É"];
const ADDRESSES: &[&str] = &["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.7", "2001:db8::1", "::1"];
const NETWORKS: &[&str] =
    &["10.0.0.0/24", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "::/0", "10.0.0.1/32"];
const WHOLE: &[i64] = &[-1, 0, 1, 2, 255, 256, 1023, 1024, 1025, 5000, 65535, 16_777_215];
const MOMENTS: &[&str] =
    &["1970-01-01T00:00:00.000005Z", "1970-01-01T00:00:00.000006Z", "2026-11-23T05:56:29Z"];
const NO_NUMBERS: &[f64] = &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
const NANOS: &[u64] = &[0, 5000, 5999, 6000, 1_795_413_389_000_000_000, u64::MAX];
const FRACTIONS: &[f64] = &[-1.5, 0.0, 0.1, 0.2, 1.0, 1.5, 16.0, 1e30];

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn pick(of: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(of).prop_map(quoted).boxed()
}

fn whole() -> BoxedStrategy<String> {
    prop::sample::select(WHOLE).prop_map(|number| number.to_string()).boxed()
}

fn fractions() -> BoxedStrategy<String> {
    prop::sample::select(FRACTIONS).prop_map(|number| format!("{number:?}")).boxed()
}

fn numbers_of(of: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(of).prop_map(str::to_owned).boxed()
}

/// `field|modifiers: [values]`
fn items() -> impl Strategy<Value = String> {
    let on =
        |field: &'static str, modifiers: &'static [&'static str], value: BoxedStrategy<String>| {
            let neq = prop::sample::select(&["", "", "", "|neq"][..]);
            (prop::sample::select(modifiers), neq, prop::collection::vec(value, 1..4))
                .prop_map(move |(modifier, neq, values)| {
                    format!("{field}{modifier}{neq}: [{}]", values.join(", "))
                })
                .boxed()
        };
    let order = &["|lt", "|lte", "|gt", "|gte"][..];
    let words = &[
        "",
        "|contains",
        "|startswith",
        "|endswith",
        "|cased",
        "|contains|all",
        "|startswith|cased",
    ][..];
    let names = (0..CAUSES.len())
        .filter(|code| !CAUSES[*code].is_empty())
        .map(|code| quoted(CAUSES[code]))
        .collect::<Vec<_>>();
    let mut choices = vec![
        on("thing.cause", &["", "|startswith"], prop::sample::select(names).boxed()),
        on(
            "thing.negative",
            &[""],
            prop::sample::select(&["true", "false"][..]).prop_map(str::to_owned).boxed(),
        ),
        on("thing.value", &[""], prop_oneof![fractions(), Just("true".to_owned())].boxed()),
        on("thing.value", order, fractions()),
        on("thing.peer", &[""], pick(ADDRESSES)),
        on("thing.time", order, pick(MOMENTS)),
        on("thing.time", &["|hour", "|day"], numbers_of(&["1", "5", "21", "23"])),
        on("thing.time", &["|minute"], numbers_of(&["0", "34", "56"])),
        on("timestamp", &["|week", "|month"], numbers_of(&["1", "11"])),
        on("thing.time", &["|year"], numbers_of(&["1970", "2026", "2554"])),
        on("thing.peer", &["|fieldref"], pick(&["src_ip", "dest_ip", "thing.detail"])),
        on("thing.ca", &["|fieldref"], pick(&["thing.type_id", "thing.value", "src_port"])),
        on("thing.time", &["|fieldref"], pick(&["timestamp", "thing.time"])),
        on("thing.negative", &["|fieldref"], pick(&["thing.negative"])),
        on(
            "thing.detail",
            &["|base64", "|base64|contains", "|wide|base64|startswith"],
            pick(ENCODED),
        ),
        on(
            "thing.tags",
            &["|base64offset|contains", "|base64offset|contains|all", "|base64|contains|cased"],
            pick(ENCODED),
        ),
        on("thing.detail", &["|utf16|base64offset|contains", "|utf16be|base64"], pick(ENCODED)),
        on(
            "thing.topic",
            &[
                "|fieldref",
                "|fieldref|cased",
                "|fieldref|contains",
                "|fieldref|startswith",
                "|fieldref|endswith|cased",
                "|fieldref|all",
            ],
            pick(&["thing.detail", "thing.cause", "src_ip", "thing.topic"]),
        ),
        on("thing.peer", &["|cidr"], pick(NETWORKS)),
        on("src_ip", &["|cidr"], pick(NETWORKS)),
        on(
            "vlan",
            &["", "|all"],
            prop::sample::select(&["3", "4", "5"][..]).prop_map(str::to_owned).boxed(),
        ),
        on("thing.tags", words, pick(WORDS)),
        on("thing.tags", &["|topic"], pick(TOPICS)),
        on("thing.topic", &["|topic", "|topic|all"], pick(TOPICS)),
    ];
    for field in ["thing.ca", "thing.objects.ioa"] {
        choices.push(on(
            field,
            &[""],
            prop_oneof![whole(), Just("null".to_owned()), Just("'*'".to_owned())].boxed(),
        ));
        choices.push(on(field, order, whole()));
    }
    let octets = prop::sample::select(&["1", "2", "254"][..]).prop_map(str::to_owned).boxed();
    choices.push(on("thing.type_id", &["", "|lt", "|lte", "|gt", "|gte"], octets));
    for field in ["thing.topic", "thing.detail"] {
        choices.push(on(field, words, pick(WORDS)));
        choices.push(on(field, &["", "|cased"], pick(PATTERNS)));
        choices.push(on(field, &["|re"], pick(REGEXES)));
    }
    let exists = prop::sample::select(
        &["thing.ca", "thing.topic", "thing.time", "thing.peer", "thing.value"][..],
    );
    choices.push(
        (exists, any::<bool>()).prop_map(|(field, is)| format!("{field}|exists: {is}")).boxed(),
    );
    prop::strategy::Union::new(choices)
}

/// A selection whose keys are apart, and in which no list is named twice.
fn selections() -> impl Strategy<Value = String> {
    let map = prop::collection::vec(items(), 1..5).prop_map(|items| {
        let mut keys = std::collections::HashSet::new();
        let key = |item: &String| {
            let key = item.split(':').next().unwrap_or_default();
            let is_list =
                ["thing.objects", "thing.tags", "vlan"].iter().any(|list| key.starts_with(list));
            key.split(if is_list { '|' } else { ':' }).next().unwrap_or_default().to_owned()
        };
        let apart: Vec<_> = items.into_iter().filter(|item| keys.insert(key(item))).collect();
        format!("{{{}}}", apart.join(", "))
    });
    let map = map.boxed();
    prop_oneof![
        4 => map.clone(),
        1 => prop::collection::vec(map, 1..4).prop_map(|maps| format!("[{}]", maps.join(", "))),
        1 => prop::collection::vec(pick(&["ab", "set", "x", "é"]), 1..3)
            .prop_map(|words| format!("[{}]", words.join(", "))),
    ]
}

const CONDITIONS: &[&str] = &[
    "s1 and s2 and s3",
    "s1 or s2 or s3",
    "s1 and not s2 or s3",
    "s1 and not (s2 or s3)",
    "not s1 and not (s2 and s3)",
    "1 of s*",
    "all of them",
    "2 of them",
    "not 2 of s*",
    "s1 and 1 of them and not all of them",
];

fn detections() -> impl Strategy<Value = String> {
    (selections(), selections(), selections(), prop::sample::select(CONDITIONS)).prop_map(
        |(one, two, three, condition)| {
            format!("  s1: {one}\n  s2: {two}\n  s3: {three}\n  condition: {condition}")
        },
    )
}

fn numbers() -> impl Strategy<Value = Number> {
    prop_oneof![
        prop::sample::select(WHOLE).prop_map(Number::Integer),
        prop::sample::select(FRACTIONS).prop_map(|number| Number::Single(number as f32)),
        prop::sample::select(FRACTIONS).prop_map(Number::Double),
        any::<bool>().prop_map(Number::Flag),
        prop::sample::select(NO_NUMBERS).prop_map(Number::Double),
    ]
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(prop::sample::select(WORDS), 1..4)
            .prop_map(|words| words.concat().into_bytes()),
        Just(b"a\xffb".to_vec()),
    ]
}

fn things() -> impl Strategy<Value = Thing> {
    let codes = (0..CAUSES.len() as u8).filter(|code| !CAUSES[*code as usize].is_empty());
    let object = (prop::sample::select(WHOLE), prop::option::of(numbers()))
        .prop_map(|(ioa, value)| Object { ioa, value });
    (
        prop::option::of(prop::sample::select(WHOLE)),
        prop::option::of(prop::sample::select(codes.collect::<Vec<_>>())),
        prop::option::of(any::<bool>()),
        prop::option::of(numbers()),
        (
            prop::option::of(texts()),
            prop::option::of(texts()),
            prop::collection::vec(texts(), 0..3),
        ),
        prop::option::of(prop::sample::select(ADDRESSES)),
        prop::option::of(prop::sample::select(NANOS)),
        prop::collection::vec(object, 0..4),
    )
        .prop_map(
            |(address, cause, negative, value, (topic, detail, tags), peer, time, objects)| Thing {
                address,
                cause,
                negative,
                value,
                topic,
                detail,
                peer: peer.and_then(|peer| peer.parse().ok()),
                time,
                objects,
                tags,
                json: None,
            },
        )
}

fn documents(sources: &[Source]) -> Vec<Document> {
    let read = |source| {
        let mut reporter = Reporter::new(source);
        let nodes = yaml::documents(source, &mut reporter);
        sigma::read(&nodes[0], &mut reporter).expect("loaded before")
    };
    sources.iter().map(read).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_matcher_agrees_with_a_walk_over_the_tree(
        detections in prop::collection::vec(detections(), 1..12),
        things in prop::collection::vec(things(), 1..12),
    ) {
        let rules = detections.iter().enumerate();
        // Two fields of one list never meet here, and of other mistakes there is one: what never holds.
        let sources: Vec<_> = rules
            .map(|(number, detection)| rule(number as u32, detection))
            .filter(|source| match load(std::slice::from_ref(source)) {
                Ok(_) => true,
                Err(found) => !found.iter().all(|found| found.message.contains("never meets all")),
            })
            .collect();
        if sources.is_empty() {
            return Ok(());
        }
        let set = load(&sources).map_err(|found| TestCaseError::fail(format!("{found:#?}")))?;
        let documents = documents(&sources);
        let mut matcher = Matcher::new(Arc::new(set));
        for thing in &things {
            let context = fake::context();
            let event = Event { context: &context, record: thing };
            let expected: Vec<_> = documents
                .iter()
                .enumerate()
                .filter(|(_, document)| detects(document, &event))
                .map(|(index, _)| index)
                .collect();
            prop_assert_eq!(hits(&mut matcher, thing), expected, "{:?}", thing);
        }
        prop_assert!(matcher.service(services()[0]).is_some());
    }
}
