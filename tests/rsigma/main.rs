//! An independent engine finds on our records what gridtap finds on the wire: rsigma, which `tests/run`
//! installs.
//!
//! The rules are those of the pack, the ones that benches use, many made of what stands in the records, so
//! that they are met, and correlations over all of them. What differs for a reason stands in
//! docs/rules.md and docs/correlations.md, each under "Where we differ from rsigma".

#![allow(
    clippy::print_stdout,
    reason = "a test that is skipped says so, and the others what they compared"
)]

#[path = "../common/mod.rs"]
mod common;
mod correlations;
mod detections;
mod documents;
#[path = "../../benches/generate/mod.rs"]
mod generate;
mod ours;
#[path = "../common/peculiar.rs"]
mod peculiar;
mod theirs;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use common::{file, files};
use documents::Document;
use gridtap::protocol;
use gridtap::rule::{Placeholders, RuleSet, Source};

/// What an engine finds in the records of a capture.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Identity of a detection rule, and number of a record.
    pub(crate) hits: BTreeSet<(String, usize)>,
    /// Those of correlations, sorted.
    pub(crate) alerts: Vec<Alert>,
}

/// A correlation that is met.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Alert {
    /// Its identity.
    pub(crate) rule: String,
    /// The record that completed it.
    pub(crate) record: usize,
    /// What the hits have in common: field and value, where there is one.
    pub(crate) group: Vec<(String, String)>,
    /// How many, or how much; of types of order nothing.
    pub(crate) number: Option<String>,
}

/// Rules of the kinds that benches use.
const OF_BENCHES: usize = 500;
/// Rules made of what stands in records.
const OF_RECORDS: usize = 700;
const CORRELATIONS: usize = 350;

#[test]
fn rsigma_finds_in_our_records_what_we_find() {
    let Some(rsigma) = env::var_os("GRIDTAP_RSIGMA").map(PathBuf::from) else {
        println!("skipped: no $GRIDTAP_RSIGMA; tests/run installs it");
        return;
    };
    let captures: Vec<_> = files(&file("pcaps"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "pcap"))
        .collect();
    let pack = RuleSet::builtin_sources();
    let placeholders = of_examples(&pack);

    let first = Arc::new(load(&pack, &placeholders));
    let records: Vec<_> =
        captures.iter().flat_map(|path| ours::run(path, &first).parsed()).collect();
    let of_benches = generate::rules(OF_BENCHES).map(|(name, text)| Source { name, text });
    let mut sources: Vec<_> = pack.into_iter().chain(of_benches).collect();
    sources.extend(detections::generate(&records, OF_RECORDS));

    // Correlations are of rules that are met, and not so often that comparing takes long.
    let set = Arc::new(load(&sources, &placeholders));
    let documents = documents::exported(&sources, &placeholders);
    let mut most = BTreeMap::new();
    for path in &captures {
        for (rule, count) in ours::run(path, &set).hits_by_rule() {
            let most = most.entry(rule).or_insert(0);
            *most = count.max(*most);
        }
    }
    let bases = correlations::bases(&set, &documents, &most);
    sources.extend(correlations::generate(&bases, CORRELATIONS));

    let set = Arc::new(load(&sources, &placeholders));
    let documents = documents::exported(&sources, &placeholders);
    let mut compared = Compared::default();
    for path in &captures {
        let seen = ours::run(path, &set);
        let theirs = theirs::run(&rsigma, &documents, &seen);
        compared.add(&documents, seen.records, seen.found, &theirs, path);
    }
    compared.check(&documents);
}

/// What is exported of rules that others do not read as they are finds the same.
#[test]
fn rsigma_finds_with_exported_rules_what_we_find_with_those_they_were() {
    let Some(rsigma) = env::var_os("GRIDTAP_RSIGMA").map(PathBuf::from) else {
        println!("skipped: no $GRIDTAP_RSIGMA; tests/run installs it");
        return;
    };
    let source = Source { name: "peculiar.yml".to_owned(), text: peculiar::RULES.to_owned() };
    let none = Placeholders::new();
    let set = Arc::new(load(std::slice::from_ref(&source), &none));
    let services: Vec<_> = protocol::services().collect();
    let export = set.export(&[source], &services, &none);
    let sources: Vec<_> = export
        .files
        .into_iter()
        .map(|file| Source { name: file.name, text: file.text.replace("---\n", "\n---\n") })
        .collect();
    let documents = documents::exported(&sources, &none);
    assert_eq!((documents.len(), export.left_out.len()), (10, 0));
    let capture = file("pcaps").join("demo.pcap");
    let seen = ours::run(&capture, &set);
    let theirs = theirs::run(&rsigma, &documents, &seen);
    assert_eq!(seen.found.hits, theirs.hits);
    assert_eq!(seen.found.alerts, theirs.alerts);
    let met: BTreeSet<_> = theirs.hits.iter().map(|(rule, _)| rule).collect();
    assert!(met.len() >= 6 && !theirs.alerts.is_empty(), "only {met:?} are met");
}

fn load(sources: &[Source], placeholders: &Placeholders) -> RuleSet {
    let services: Vec<_> = protocol::services().collect();
    RuleSet::load(sources, &services, placeholders).unwrap_or_else(|found| {
        let found: Vec<_> = found.iter().map(|mistake| mistake.render(false)).collect();
        panic!("{}", found.join("\n"))
    })
}

/// What examples of the rules fill in for placeholders.
fn of_examples(sources: &[Source]) -> Placeholders {
    let set = load(sources, &Placeholders::new());
    let examples = set.rules.iter().flat_map(|rule| &rule.examples);
    examples.flat_map(|example| example.placeholders.clone()).collect()
}

/// What was compared so far.
#[derive(Default)]
struct Compared {
    records: usize,
    hits: usize,
    alerts: usize,
    /// Rules and correlations that were met somewhere.
    met: BTreeSet<String>,
    differences: Vec<String>,
}

impl Compared {
    fn add(
        &mut self,
        documents: &[Document],
        records: usize,
        mut ours: Found,
        theirs: &Found,
        capture: &std::path::Path,
    ) {
        let known: BTreeSet<_> = documents.iter().map(|document| document.id.as_str()).collect();
        ours.hits.retain(|(rule, _)| known.contains(rule.as_str()));
        ours.alerts.retain(|alert| known.contains(alert.rule.as_str()));
        let capture = capture.file_name().unwrap_or_default().display();
        let mut tell = |whose: &str, what: String| {
            self.differences.push(format!("{capture}, {whose} only: {what}"));
        };
        for (rule, record) in ours.hits.difference(&theirs.hits) {
            tell("ours", format!("{rule} on {record}"));
        }
        for (rule, record) in theirs.hits.difference(&ours.hits) {
            tell("theirs", format!("{rule} on {record}"));
        }
        for (one, other, whose) in
            [(&ours.alerts, &theirs.alerts, "ours"), (&theirs.alerts, &ours.alerts, "theirs")]
        {
            let mut left = BTreeMap::new();
            for alert in other {
                *left.entry(alert).or_insert(0) += 1;
            }
            for alert in one {
                match left.get_mut(alert) {
                    Some(count @ 1..) => *count -= 1,
                    _ => tell(whose, format!("{alert:?}")),
                }
            }
        }
        self.records += records;
        self.hits += ours.hits.len();
        self.alerts += ours.alerts.len();
        self.met.extend(ours.hits.into_iter().map(|(rule, _)| rule));
        self.met.extend(ours.alerts.into_iter().map(|alert| alert.rule));
    }

    fn check(self, documents: &[Document]) {
        let met = |wanted: bool| {
            let of_kind = documents.iter().filter(|one| one.correlation.is_some() == wanted);
            of_kind.filter(|document| self.met.contains(&document.id)).count()
        };
        let (rules, correlations) = (met(false), met(true));
        println!(
            "{} rules, of which {rules} detections and {correlations} correlations were met; \
             {} records, {} hits, {} alerts of correlations",
            documents.len(),
            self.records,
            self.hits,
            self.alerts,
        );
        let text_of = |id: &str| documents.iter().find(|document| id.contains(&document.id));
        let shown = self.differences.iter().take(20000).map(|difference| {
            let text = text_of(difference).map(|document| document.text.as_str());
            format!("{difference}\n{}", text.unwrap_or_default())
        });
        let shown: Vec<_> = shown.collect();
        assert!(shown.is_empty(), "{} differences\n{}", self.differences.len(), shown.join("\n"));
        assert!(rules > OF_RECORDS / 2 && correlations > CORRELATIONS / 2, "too few were met");
    }
}
