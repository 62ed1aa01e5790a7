//! Filters: what they take from rules.

use super::fake::{Thing, hits, load, rule};
use super::*;

fn filter(rules: &str, body: &str) -> Source {
    let text = format!(
        "title: A filter\nid: 00000000-0000-4000-a000-000000000001\n\
         logsource: {{product: gridtap, service: thing}}\nfilter:\n  rules: {rules}\n{body}\n"
    );
    Source { name: "rules/filter.yml".to_owned(), text }
}

fn fires(sources: &[Source], detail: &str) -> Vec<usize> {
    let set = load(sources).unwrap_or_else(|found| panic!("{found:#?}"));
    let thing = Thing { address: Some(1), detail: Some(detail.into()), ..Thing::default() };
    hits(&mut Matcher::new(set.into()), &thing)
}

fn two_rules() -> [Source; 2] {
    [1, 2].map(|number| rule(number, "  s: {thing.ca: 1}\n  condition: s"))
}

#[test]
fn a_filter_takes_from_the_rules_that_it_names() {
    let [one, two] = two_rules();
    let name = "[00000000-0000-4000-8000-000000000002]";
    let filter = filter(name, "  known: {thing.detail: harmless}\n  condition: not known");
    let sources = [one, two, filter];
    assert_eq!(fires(&sources, "harmless"), [0]);
    assert_eq!(fires(&sources, "other"), [0, 1]);
}

#[test]
fn a_filter_of_any_takes_from_all_and_may_stand_anywhere() {
    let [one, two] = two_rules();
    let filter = filter("any", "  known: {thing.detail: harmless}\n  condition: not known");
    let sources = [filter, one, two];
    assert!(fires(&sources, "harmless").is_empty());
    assert_eq!(fires(&sources, "other"), [0, 1]);
}

#[test]
fn a_filter_that_nobody_filled_in_takes_nothing() {
    let [one, two] = two_rules();
    let filter = filter("any", "  known: {thing.detail|expand: '%known%'}\n  condition: not known");
    assert_eq!(fires(&[one, two, filter], "harmless"), [0, 1]);
}

#[test]
fn mistakes_in_filters_are_told_once_at_their_place() {
    let [one, two] = two_rules();
    for (rules, body, message) in [
        (
            "any",
            "  known: {thing.detai: x}\n  condition: not known",
            "`thing` records have no field `thing.detai`",
        ),
        (
            "[nobody]",
            "  known: {thing.detail: x}\n  condition: not known",
            "there is no rule `nobody`",
        ),
        ("any", "  known: {thing.detail: x}", "`filter` has no `condition`"),
        ("[]", "  known: {thing.detail: x}\n  condition: not known", "`rules` names no rule"),
    ] {
        let sources = [one.clone(), two.clone(), filter(rules, body)];
        let found = load(&sources).expect_err(body);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(
            (found[0].message.as_str(), found[0].file.as_str()),
            (message, "rules/filter.yml")
        );
    }
}
