//! Correlations of every type over rules that are met.

use std::collections::BTreeMap;

use gridtap::event::{CONTEXT, Field, Kind, Schema};
use gridtap::rule::{About, RuleSet, Source};

use crate::documents::Document;
use crate::generate::{Random, uuid};

/// A rule that correlations may be of.
pub(crate) struct Base {
    id: String,
    schema: &'static Schema,
}

/// More hits in one capture make the other engine slow: it looks through them for each.
const MOST_HITS: usize = 250;

/// Those that are met, and not too often; `most` says how often in one capture.
pub(crate) fn bases(
    set: &RuleSet,
    documents: &[Document],
    most: &BTreeMap<String, usize>,
) -> Vec<Base> {
    let base = |rule: &gridtap::rule::Rule| {
        let (id, About::Records(schema)) = (rule.id.to_string(), rule.about) else { return None };
        let is_exported = documents.iter().any(|document| document.id == id);
        let is_met = most.get(&id).is_some_and(|hits| (1..=MOST_HITS).contains(hits));
        (is_exported && is_met).then_some(Base { id, schema })
    };
    set.rules.iter().filter_map(base).collect()
}

const TYPES: &[&str] = &[
    "event_count",
    "value_count",
    "value_sum",
    "value_avg",
    "value_percentile",
    "temporal",
    "temporal_ordered",
];

/// What a correlation of correlations may be of.
struct Known {
    id: String,
    group: Vec<String>,
    /// Whether it has one alert a record at the most. Of several there rsigma hands one on; and it does not
    /// look at the bounds of a percentile.
    is_alike: bool,
}

/// So many correlations, always the same for the same rules.
pub(crate) fn generate(bases: &[Base], count: usize) -> Vec<Source> {
    let mut random = Random(2);
    let mut known: Vec<Known> = Vec::new();
    let mut sources = Vec::new();
    for number in 0..count {
        let id = uuid(&mut random);
        let alike: Vec<_> = known.iter().filter(|known| known.is_alike).collect();
        let (body, group, is_alike) = if number % 6 == 5 && !alike.is_empty() {
            of_correlations(&mut random, &alike)
        } else {
            let kind = TYPES[number % TYPES.len()];
            of_rules(&mut random, bases, kind)
        };
        let text = format!(
            "title: Generated correlation ({number})\nid: {id}\nstatus: experimental\nlevel: low\n\
             generate: {}\ncorrelation:\n{body}",
            number % 2 == 0
        );
        sources.push(Source { name: format!("correlation_{number}.yml"), text });
        known.push(Known { id, group, is_alike });
    }
    sources
}

/// What stands under `correlation`, what it is grouped by, and [`Known::is_alike`].
fn of_rules(random: &mut Random, bases: &[Base], kind: &str) -> (String, Vec<String>, bool) {
    let is_order = kind.starts_with("temporal");
    let count = if is_order { 2 + random.below(2) } else { 1 + random.below(3) };
    // Half of them are about records of one type, which have more in common.
    let first = &bases[random.below(bases.len() as u64) as usize];
    let of_first: Vec<_> =
        bases.iter().filter(|base| std::ptr::eq(base.schema, first.schema)).collect();
    let all: Vec<_> = bases.iter().collect();
    let pool = if random.below(2) == 0 && of_first.len() > 3 { of_first } else { all };
    let mut rules: Vec<&Base> = Vec::new();
    while rules.len() < count as usize {
        let rule = random.one_of(&pool);
        if !rules.iter().any(|before| before.id == rule.id) {
            rules.push(rule);
        }
    }
    let fields = in_common(&rules);
    let mut group: Vec<String> = Vec::new();
    for _ in 0..random.below(4) {
        let (name, _) = &fields[random.below(fields.len() as u64) as usize];
        if !group.contains(name) {
            group.push(name.clone());
        }
    }
    let condition = match kind {
        "event_count" => format!("{{{}}}", bounds(random, 8)),
        "value_count" => {
            let (one, _) = random.one_of(&fields.iter().collect::<Vec<_>>());
            let (two, _) = random.one_of(&fields.iter().collect::<Vec<_>>());
            let fields = if random.below(3) == 0 && one != two {
                format!("[{one}, {two}]")
            } else {
                one.clone()
            };
            format!("{{field: {fields}, {}}}", bounds(random, 5))
        }
        "value_sum" | "value_avg" | "value_percentile" => {
            let is_number =
                |kind: Kind| matches!(kind, Kind::Integer | Kind::Range(..) | Kind::Number);
            let numbers: Vec<_> = fields.iter().filter(|(_, kind)| is_number(*kind)).collect();
            let (field, _) = random.one_of(&numbers);
            let rank = match kind {
                "value_percentile" => format!("percentile: {}, ", random.below(101)),
                _ => String::new(),
            };
            let most = random.one_of(&[10, 3_000, 100_000]);
            // The average of nothing is nothing here, and 0 there.
            let bounds = match kind {
                "value_avg" => format!("gte: {}", 1 + random.below(most)),
                _ => bounds(random, most),
            };
            format!("{{field: {field}, {rank}{bounds}}}")
        }
        _ => String::new(),
    };
    let aliases = if random.below(4) == 0 {
        group.push("end".to_owned());
        let fields = rules.iter().map(|rule| {
            let field = random.one_of(&["src_ip", "dest_ip"]);
            format!("      {}: {field}\n", rule.id)
        });
        format!("  aliases:\n    end:\n{}", fields.collect::<String>())
    } else {
        String::new()
    };
    let ids: Vec<_> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let is_of_one_record = |rule: &Base| {
        rules.iter().all(|other| other.id == rule.id || !std::ptr::eq(other.schema, rule.schema))
    };
    let is_alike = kind != "value_percentile" && rules.iter().all(|rule| is_of_one_record(rule));
    (body(random, kind, &ids, &group, &condition) + &aliases, group, is_alike)
}

/// Of one or two correlations, grouped by some of what the first is grouped by, if all are.
fn of_correlations(random: &mut Random, known: &[&Known]) -> (String, Vec<String>, bool) {
    let kind = random.one_of(&["event_count", "temporal", "temporal_ordered"]);
    let (one, two) = (random.one_of(known), random.one_of(known));
    let mut of = vec![one];
    if one.id != two.id {
        of.push(two);
    }
    let is_common = |name: &&String| of.iter().all(|known| known.group.contains(name));
    let group: Vec<_> = one.group.iter().filter(is_common).take(2).cloned().collect();
    let condition =
        if kind == "event_count" { format!("{{{}}}", bounds(random, 5)) } else { String::new() };
    let ids: Vec<_> = of.iter().map(|known| known.id.as_str()).collect();
    (body(random, kind, &ids, &group, &condition), group, of.len() == 1)
}

fn body(
    random: &mut Random,
    kind: &str,
    rules: &[&str],
    group: &[String],
    condition: &str,
) -> String {
    let timespan = random.one_of(&["1s", "2s", "10s", "1m", "5m", "1h"]);
    let line = |key: &str, value: &str| match value {
        "" | "[]" => String::new(),
        value => format!("  {key}: {value}\n"),
    };
    [
        line("type", kind),
        line("rules", &format!("[{}]", rules.join(", "))),
        line("timespan", timespan),
        line("group-by", &format!("[{}]", group.join(", "))),
        line("condition", condition),
    ]
    .concat()
}

/// Most have a lower bound, as those that people write.
fn bounds(random: &mut Random, most: u64) -> String {
    let limit = 1 + random.below(most);
    match random.below(8) {
        0 => format!("gt: {limit}, lte: {}", limit + most),
        1 => format!("lt: {limit}"),
        2 => format!("eq: {limit}"),
        3 => format!("neq: {limit}"),
        4 => format!("lte: {limit}"),
        5 => format!("gt: {}", limit - 1),
        _ => format!("gte: {limit}"),
    }
}

/// Fields that records of all these rules have, one value each.
fn in_common(rules: &[&Base]) -> Vec<(String, Kind)> {
    let plain = |schema: &'static Schema| {
        let is_value = |field: &&Field| !matches!(field.kind, Kind::Time);
        schema.fields.iter().filter(is_value).map(|field| (field.name.to_owned(), field.kind))
    };
    let mut fields: Vec<_> = plain(&CONTEXT).collect();
    let first = rules[0].schema;
    if rules.iter().all(|rule| std::ptr::eq(rule.schema, first)) {
        fields.extend(plain(first));
    }
    fields
}
