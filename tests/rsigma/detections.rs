//! Detection rules made of what stands in records, so that they are met.

use gridtap::event::{CONTEXT, Kind, Schema};
use gridtap::protocol;
use gridtap::rule::{Placeholders, RuleSet, Source};
use serde_json::Value as Json;

use crate::generate::{Random, uuid};

/// So many rules, always the same for the same records.
pub(crate) fn generate(records: &[Json], count: usize) -> Vec<Source> {
    let services: Vec<_> = protocol::services().collect();
    let mut random = Random(1);
    let mut rules = Vec::new();
    // A rule that would always or never hold is refused, and made without knowing it.
    for _ in 0..2 * count {
        if rules.len() == count {
            break;
        }
        // As many of each service, however many records it has.
        let schema = random.one_of(&services);
        let of_service: Vec<_> =
            records.iter().filter(|record| record["event_type"] == schema.name).collect();
        if of_service.is_empty() {
            continue;
        }
        let record = random.one_of(&of_service);
        let Some(source) = rule(&mut random, schema, record, rules.len()) else { continue };
        if RuleSet::load(std::slice::from_ref(&source), &services, &Placeholders::new()).is_ok() {
            rules.push(source);
        }
    }
    assert_eq!(rules.len(), count, "most rules are refused");
    rules
}

/// Two selections, of one or two fields of the record each.
fn rule(random: &mut Random, schema: &Schema, record: &Json, number: usize) -> Option<Source> {
    let fields: Vec<_> = schema.paths().chain(CONTEXT.paths()).collect();
    let of_record: Vec<_> = fields
        .iter()
        .map(|(name, _, field)| (name.as_str(), field.kind, values(record, name)))
        .filter(|(_, _, values)| !values.is_empty())
        .collect();
    let texts = texts(record);
    let mut selection = || {
        // Words that stand anywhere in the record.
        if random.below(6) == 0 {
            return keywords(random, &texts);
        }
        let count = 1 + random.below(2);
        let mut lines = Vec::new();
        let mut names = Vec::new();
        for _ in 0..count {
            let place = random.below(of_record.len() as u64) as usize;
            let (name, kind, values) = &of_record[place];
            let value = random.one_of(values);
            if !names.contains(name) {
                names.push(*name);
                lines.push(format!("    {}\n", item(random, name, *kind, value)?));
            }
        }
        // A field that the record does not have.
        if random.below(8) == 0 {
            let (name, ..) = &fields[random.below(fields.len() as u64) as usize];
            if !names.contains(&name.as_str()) {
                lines.push(format!("    {name}: null\n"));
            }
        }
        Some(lines.concat())
    };
    let (one, two) = (selection()?, selection()?);
    let condition = random.one_of(&[
        "one",
        "one and two",
        "one or two",
        "one and not two",
        "not (one or two)",
        "1 of them",
        "all of *",
    ]);
    let id = uuid(random);
    let text = format!(
        "title: Made of a record ({number})\nname: made_{number}\nid: {id}\nstatus: experimental\n\
         level: low\nlogsource:\n  product: gridtap\n  service: {}\ndetection:\n  one:\n{one}  \
         two:\n{two}  condition: {condition}\n",
        schema.name
    );
    Some(Source { name: format!("made_{number}.yml"), text })
}

/// What stands in a record under this name; of lists what all members have.
pub(crate) fn values<'r>(record: &'r Json, name: &str) -> Vec<&'r Json> {
    let mut values = vec![record];
    for key in name.split('.') {
        let members = values.into_iter().flat_map(|value| match value {
            Json::Array(members) => members.iter().collect(),
            other => vec![other],
        });
        values = members.filter_map(|value| value.get(key)).collect();
    }
    let members = values.into_iter().flat_map(|value| match value {
        Json::Array(members) => members.iter().collect(),
        other => vec![other],
    });
    members.filter(|value| !value.is_object()).collect()
}

/// All text in a record, wherever it stands.
fn texts(record: &Json) -> Vec<&str> {
    match record {
        Json::String(text) => vec![text],
        Json::Array(members) => members.iter().flat_map(texts).collect(),
        Json::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// One to three words, of the record and of none; as a list, or behind modifiers.
fn keywords(random: &mut Random, texts: &[&str]) -> Option<String> {
    let texts: Vec<_> = texts.iter().filter(|text| is_plain(text)).collect();
    let mut words = Vec::new();
    for _ in 0..=random.below(3) {
        let text = random.one_of(&texts);
        let length = text.len() as u64;
        let start = random.below(length) as usize;
        let end = start + 1 + random.below(length - start as u64) as usize;
        let word = random.one_of(&[text, &text[start..end], "nothing of this kind"]);
        // What is empty, or a blank, is in every text.
        if word.trim() == word && !word.is_empty() {
            words.push(word);
        }
    }
    let list = |behind: &str, words: Vec<String>| match (words.is_empty(), behind) {
        (true, _) => None,
        (false, "") => Some(format!("    - {}\n", words.join("\n    - "))),
        (false, behind) => Some(format!("    '{behind}': [{}]\n", words.join(", "))),
    };
    let patterns = |words: Vec<&str>| words.into_iter().map(pattern).collect::<Vec<_>>();
    match random.below(6) {
        0 => list("|contains", patterns(words)),
        1 => list("|contains|cased", patterns(words)),
        2 => list("|re", words.into_iter().map(|word| plain(&regex::escape(word))).collect()),
        3 => {
            let upper: Vec<_> = words.iter().map(|word| word.to_uppercase()).collect();
            list("", upper.iter().map(|word| pattern(word)).collect())
        }
        4 => {
            let open = words.into_iter().map(|word| plain(&format!("*{}*", escaped(word))));
            list("", open.collect())
        }
        _ => list("", patterns(words)),
    }
}

fn is_plain(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && text.bytes().all(|octet| octet.is_ascii_graphic() || octet == b' ')
        && text.trim() == text
}

/// What a selection asks of a field, mostly so that it holds.
fn item(random: &mut Random, name: &str, kind: Kind, value: &Json) -> Option<String> {
    let item = any_item(random, name, kind, value)?;
    // A field that is not there is not equal to anything here, and met by nothing there.
    let presence = item.contains("|neq:").then(|| format!("\n    {name}|exists: true"));
    Some(item + &presence.unwrap_or_default())
}

fn any_item(random: &mut Random, name: &str, kind: Kind, value: &Json) -> Option<String> {
    let of_all = match random.below(12) {
        0 => Some(format!("{name}|exists: {}", random.one_of(&["true", "false"]))),
        1 => Some(format!("{name}: null")),
        _ => None,
    };
    of_all.or_else(|| match (kind, value) {
        (Kind::Boolean, Json::Bool(flag)) => Some(format!("{name}: {flag}")),
        (Kind::Integer | Kind::Range(..) | Kind::Number, Json::Number(number)) => {
            Some(of_number(random, name, number))
        }
        (Kind::Address, Json::String(text)) => Some(of_address(random, name, text)),
        (Kind::Text | Kind::Name(_) | Kind::TopicName | Kind::TopicFilter, Json::String(text)) => {
            of_text(random, name, text)
        }
        // Moments are numbers to nobody else.
        _ => None,
    })
}

fn of_number(random: &mut Random, name: &str, number: &serde_json::Number) -> String {
    let other = 1 + random.below(200);
    // What is so near to zero is zero there.
    let is_exact = number.as_f64().is_some_and(|number| number.abs() > 1e-9);
    match random.below(if is_exact { 9 } else { 4 }) {
        0 => format!("{name}|gt: {other}"),
        1 => format!("{name}|lte: {number}"),
        2 => format!("{name}|gte: {number}"),
        3 => format!("{name}|lt: {number}"),
        4 => format!("{name}|neq: {number}"),
        5 => format!("{name}: [{number}, {other}]"),
        6 => format!("{name}|neq: [{number}, {other}]"),
        _ => format!("{name}: {number}"),
    }
}

fn of_address(random: &mut Random, name: &str, address: &str) -> String {
    let network = |length: usize, address: &str| {
        let parts: Vec<_> = address.split('.').take(length).collect();
        format!("{}{}/{}", parts.join("."), ".0".repeat(4 - length), 8 * length)
    };
    let is_v4 = address.parse::<std::net::Ipv4Addr>().is_ok();
    match random.below(6) {
        0 if is_v4 => format!("{name}|cidr: {}", network(3, address)),
        1 if is_v4 => format!("{name}|cidr: [{}, 192.168.0.0/16]", network(2, address)),
        2 if is_v4 => format!("{name}|cidr|neq: {}", network(3, address)),
        3 => format!("{name}|neq: '{address}'"),
        4 => format!("{name}: ['{address}', 10.9.9.9]"),
        _ => format!("{name}: '{address}'"),
    }
}

fn of_text(random: &mut Random, name: &str, text: &str) -> Option<String> {
    if !is_plain(text) {
        return None;
    }
    let length = text.len() as u64;
    let cut = random.below(length) as usize;
    let end = cut + 1 + random.below(length - cut as u64) as usize;
    let (head, middle, tail) = (&text[..=cut], &text[cut..end], &text[cut..]);
    let upper = text.to_uppercase();
    let [quoted, head_quoted, middle_quoted, tail_quoted, upper_quoted] =
        [text, head, middle, tail, &upper].map(pattern);
    Some(match random.below(18) {
        0 => format!("{name}: {upper_quoted}"),
        1 => format!("{name}|startswith: {head_quoted}"),
        2 => format!("{name}|endswith: {tail_quoted}"),
        3 => format!("{name}|contains: {middle_quoted}"),
        4 => format!("{name}|re: {}", plain(&format!("^{}", regex::escape(head)))),
        5 => format!("{name}|re|i: {}", plain(&regex::escape(&middle.to_uppercase()))),
        6 => format!("{name}: {}", plain(&format!("{}*", escaped(head)))),
        7 => format!("{name}: {}", plain(&format!("?*{}", escaped(tail)))),
        8 => format!("{name}|cased: {upper_quoted}"),
        9 => format!("{name}|cased: {quoted}"),
        10 => format!("{name}|contains|all: [{middle_quoted}, {tail_quoted}]"),
        11 => format!("{name}|startswith|cased: {head_quoted}"),
        12 => format!("{name}|neq: {quoted}"),
        13 => format!("{name}|contains: ['nothing', {middle_quoted}]"),
        14 => format!("{name}: ['nothing', {quoted}]"),
        15 => format!("{name}|contains|neq: {middle_quoted}"),
        _ => format!("{name}: {quoted}"),
    })
}

/// As a plain value has it, wildcards without their meaning.
fn pattern(text: &str) -> String {
    plain(&escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('*', r"\*").replace('?', r"\?")
}

fn plain(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
