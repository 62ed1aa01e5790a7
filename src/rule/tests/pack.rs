//! The rules that are built in, and those that are made of them, over the real records.

use std::sync::Arc;

use super::fake::{Number, Thing, hits, load, rule};
use super::*;
use crate::protocol;

fn load_all(sources: &[Source], placeholders: &Placeholders) -> RuleSet {
    let services: Vec<_> = protocol::services().collect();
    let set = RuleSet::load(sources, &services, placeholders);
    set.unwrap_or_else(|found| {
        let drawn: Vec<_> = found.iter().map(|found| found.render(false)).collect();
        panic!("{}", drawn.join("\n"))
    })
}

#[test]
fn the_pack_loads_and_tells_what_a_rule_must_tell() {
    let set = load_all(&RuleSet::builtin_sources(), &Placeholders::new());
    assert!(set.rules.len() >= 12);
    for rule in &set.rules {
        let Rule { title, description, falsepositives, references, .. } = rule;
        assert!(!description.is_empty() && !rule.author.is_empty(), "{title}");
        assert!(!falsepositives.is_empty() && !references.is_empty(), "{title}");
        assert!(!rule.techniques.is_empty() && rule.status.is_some(), "{title}");
    }
}

#[test]
fn placeholders_bring_rules_of_the_pack_into_force() {
    let inactive = |placeholders: &Placeholders| {
        let set = load_all(&RuleSet::builtin_sources(), placeholders);
        set.rules.iter().filter_map(|rule| rule.inactive.clone()).collect::<Vec<_>>()
    };
    let is_of_masters = |name: &String| name == "masters";
    assert!(inactive(&Placeholders::new()).iter().any(is_of_masters));
    let masters = vec!["10.20.0.10".to_owned(), "2001:db8::/64".to_owned()];
    let filled = Placeholders::from([("masters".to_owned(), masters)]);
    assert!(!inactive(&filled).is_empty() && !inactive(&filled).iter().any(is_of_masters));
}

#[test]
fn generated_rules_load() {
    let source = |(name, text)| Source { name, text };
    let sources: Vec<_> = generate::rules(1_200).map(source).collect();
    assert_eq!(load_all(&sources, &Placeholders::new()).rules.len(), 1_200);
}

/// Every limit is a stretch of its own, and the first rule holds in all of them: a list of the
/// rules for each would be millions of entries.
#[test]
fn thousands_of_limits_on_one_field() {
    let limits = 3_000;
    let detection = |limit: u32| format!("  s: {{thing.value|gte: {limit}.5}}\n  condition: s");
    let sources: Vec<_> = (0..limits).map(|limit| rule(limit, &detection(limit))).collect();
    let mut matcher = Matcher::new(Arc::new(load(&sources).expect("right")));
    for value in [0, 1, 1_700, 2_999, 5_000] {
        let thing = Thing { value: Some(Number::Integer(value.into())), ..Thing::default() };
        let expected: Vec<usize> = (0..value.min(limits) as usize).collect();
        assert_eq!(hits(&mut matcher, &thing), expected);
    }
}
