//! Detection rules: Sigma in YAML, compiled into predicates over fields.
//!
//! # From a file to a hit
//!
//! ```text
//! YAML ──▶ node tree ──▶ document ──▶ expression over predicates ──▶ field indexes + programs ──▶ matcher
//! (text)   `yaml`        `sigma`      `compile`                      `index`, `trigger`,          `matcher`
//!          every node    selections,  names become fields, words     `program`                    scratch of
//!          has its span  condition    become codes, numbers, …                                    one thread
//! ```
//!
//! - A **predicate** is one test of one field: `iec104.ca` is 3 or 7; `src_ip` is in
//!   10.20.0.0/16; `mqtt.publish.topic` ends with `/set`. Rules that ask the same share it. The
//!   values of a list are one predicate, not several.
//! - A rule's condition becomes an **expression** over predicates in which negation stands at
//!   predicates only and "and", "or" and "2 of" are one operator: at least *k* of these.
//! - Each field that some rule names has one **index** over all predicates on it. A value is
//!   looked up once and found to be of an **equivalence class**: all values of a class meet the
//!   same predicates. Small numbers and codes are looked up in a table, other numbers and
//!   addresses in a hash of those that rules name, and those left by binary search among the ends
//!   of ranges and networks. Of a text, the whole, its beginnings and its ends are looked up in
//!   hashes and one Aho-Corasick automaton finds what is anywhere in it; patterns with wildcards
//!   inside are asked where a literal of theirs was found, regular expressions when all of them
//!   together find something.
//! - A class has the bits of the predicates that hold, which are set in the **truth** of the event
//!   (one bit a predicate, those of a field side by side, so that a class is one or two words),
//!   and the rules that it brings up.
//! - A rule is brought up by its **cover**: predicates of which one must hold for the rule to
//!   hold. Of a conjunction, the part thought rarest is the cover. A rule about one point of one
//!   station costs nothing until that point appears.
//! - The condition of a rule that is up, its **program**, is evaluated over the truth; most are
//!   two or three comparisons of masked words. Fields that bring no rule up are read only when
//!   what the others say still leaves a rule standing.
//!
//! # What an event costs
//!
//! A look-up for each field that brings rules up: 5 to 10 ns for codes, numbers and addresses,
//! reading the field included, 40 to 100 ns for text; then 2 to 5 ns for each rule that is up,
//! and a look-up for each of the other fields if one may hold. The number of rules as such
//! appears nowhere. What costs: many rules whose rarest positive condition is the same and
//! frequent (all are brought up together), rules with no positive condition (always up), and
//! regular expressions (asked one by one when any of them finds something).
//! Memory is in proportion to the predicates, times the logarithm of their number for ranges.
//!
//! # Places for what comes later
//!
//! Correlation rules and filters are documents of their own kind in `sigma`; a filter joins its
//! condition to those of its rules in `compile`, a correlation takes hits from the [`Matcher`].
//! Suppression stands behind it. More modifiers are lines in `modifier` and tests in
//! `predicate`. Site models fill [`Placeholders`].

mod compile;
mod condition;
mod index;
mod matcher;
mod modifier;
mod pattern;
mod predicate;
mod profile;
mod program;
mod sigma;
mod trigger;
mod truth;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sha1::{Digest, Sha1};
use uuid::Uuid;

pub use crate::document::{Diagnostic, Source};
use crate::document::{diagnostic, yaml};
use crate::event::Schema;
use crate::json::Path;
use compile::{Outcome, Surroundings};
use diagnostic::{Reporter, did_you_mean};
use matcher::Service;
pub use matcher::{Hits, HitsIter, Matcher, ServiceId};
use predicate::{Expression, FieldId, Predicates};
use sigma::{Document, Spanned};

/// How bad it is when a rule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Worth keeping, nobody needs to look.
    Informational,
    /// Worth a look some time.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
    /// Somebody should be called.
    Critical,
}

impl Level {
    /// As rules write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// How mature a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// No obvious false positives in several places over a long time.
    Stable,
    /// None on a few systems.
    Test,
    /// Not tried outside of a laboratory.
    Experimental,
    /// Another rule took its place.
    Deprecated,
    /// Cannot be used as it is.
    Unsupported,
}

/// A capture and how often a rule fires on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The capture's path within the project.
    pub capture: String,
    /// How many alerts it gives.
    pub alerts: u64,
    /// What stands for the rule's `%name%` while the example is run.
    pub placeholders: Placeholders,
    /// Where it stands in the rule's file: the line, from 1.
    pub line: usize,
}

/// One detection rule, as far as an alert tells of it.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its place in the set.
    pub index: usize,
    /// Its identity in every Sigma tool.
    pub id: Uuid,
    /// One line for people.
    pub title: String,
    /// How bad it is; medium where the rule does not say.
    pub level: Level,
    /// 31 bits of a hash of `id`: what tools for Suricata call the signature.
    pub signature_id: u32,
    /// MITRE ATT&CK techniques, upper case (`T0855`), from the tags.
    pub techniques: Vec<String>,
    /// The service whose records it looks at.
    pub service: &'static Schema,
    /// The file that it stands in, as [`Source::name`] gave it.
    pub file: String,
    /// Why it matters; empty where the rule does not say.
    pub description: String,
    /// How mature it is, where the rule says.
    pub status: Option<Status>,
    /// Who wrote it.
    pub author: String,
    /// When, as YYYY-MM-DD.
    pub date: String,
    /// All tags, as written.
    pub tags: Vec<String>,
    /// Where to read more.
    pub references: Vec<String>,
    /// What else may make it fire.
    pub falsepositives: Vec<String>,
    /// Captures to try it on.
    pub examples: Vec<Example>,
    /// What it asks of documents in the record, if it is in force: the place in
    /// [`Schema::documents`], and the path.
    pub paths: Vec<(usize, Path)>,
    /// Why it is not in force: the placeholder that nobody filled.
    pub inactive: Option<String>,
}

impl RuleSet {
    /// How many rules are in force: those whose placeholders are filled.
    pub fn in_force(&self) -> usize {
        self.rules.iter().filter(|rule| rule.inactive.is_none()).count()
    }
}

/// Values for `%name%` in rules with the modifier `expand`.
pub type Placeholders = BTreeMap<String, Vec<String>>;

/// The rules that are in force.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// In the order of the files.
    pub rules: Vec<Rule>,
    /// Every placeholder that a rule has, filled or not: `masters` for `%masters%`.
    pub placeholders: BTreeSet<String>,
    services: Vec<Service>,
    /// A hash of the rules' text and of the placeholders: the same for the same set.
    pub hash: String,
}

include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));

impl RuleSet {
    /// The rule pack that is built in: every file under `rules/`.
    pub fn builtin_sources() -> Vec<Source> {
        let source = |(name, text): &(&str, &str)| Source {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
        };
        BUILTIN.iter().map(source).collect()
    }

    /// Reads and compiles rules over records of `services`.
    ///
    /// # Errors
    ///
    /// All mistakes of all files.
    pub fn load(
        sources: &[Source],
        services: &[&'static Schema],
        placeholders: &Placeholders,
    ) -> Result<Self, Vec<Diagnostic>> {
        let surroundings = Surroundings { services, placeholders };
        let mut loader = Loader::new(surroundings);
        let mut found = Vec::new();
        for source in sources {
            let mut reporter = Reporter::new(source);
            for node in yaml::documents(source, &mut reporter) {
                if let Some(document) = sigma::read(&node, &mut reporter) {
                    loader.add(document, source, &mut reporter);
                }
            }
            found.extend(reporter.into_found());
        }
        if !found.is_empty() {
            return Err(found);
        }
        Ok(Self { hash: hash(sources, placeholders), ..loader.finish() })
    }
}

/// Sixteen digits.
fn hash(sources: &[Source], placeholders: &Placeholders) -> String {
    let mut hash = Sha1::new();
    for source in sources {
        hash.update(&source.text);
    }
    hash.update(format!("{placeholders:?}"));
    let first = hash.finalize().first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
    format!("{first:016x}")
}

/// A set in the making.
struct Loader<'l> {
    surroundings: Surroundings<'l>,
    rules: Vec<Rule>,
    placeholders: BTreeSet<String>,
    /// Where each identity and each signature was seen first.
    ids: HashMap<Uuid, String>,
    signatures: HashMap<u32, Uuid>,
    /// By service: predicates, and conditions of rules in force.
    services: Vec<(Predicates, Vec<(usize, Expression)>)>,
}

impl<'l> Loader<'l> {
    fn new(surroundings: Surroundings<'l>) -> Self {
        Self {
            surroundings,
            rules: Vec::new(),
            placeholders: BTreeSet::new(),
            ids: HashMap::new(),
            signatures: HashMap::new(),
            services: surroundings.services.iter().map(|_| Default::default()).collect(),
        }
    }

    fn add(&mut self, document: Document, source: &Source, reporter: &mut Reporter<'_>) {
        if let Some(id) = &document.id {
            self.check_identity(id, source, reporter);
        }
        let Some(place) = self.service(&document, reporter) else { return };
        let schema = self.surroundings.services[place];
        let (predicates, conditions) = &mut self.services[place];
        let detection = &document.detection;
        self.placeholders.extend(detection.placeholders().into_iter().map(str::to_owned));
        let outcome = compile::compile(detection, schema, self.surroundings, predicates, reporter);
        let index = self.rules.len();
        let mut paths = Vec::new();
        let inactive = match outcome {
            Some(Outcome::Active(mut expression)) => {
                expression.each(&mut |id| {
                    if let FieldId::InDocument { document, path } = predicates.get(*id).field {
                        paths.push((document, predicates.path(path).clone()));
                    }
                });
                paths.sort_unstable();
                paths.dedup();
                conditions.push((index, expression));
                None
            }
            Some(Outcome::Inactive(placeholder)) => Some(placeholder),
            None => return,
        };
        let rule = rule(index, document, schema, source, inactive);
        self.rules.extend(rule.map(|rule| Rule { paths, ..rule }));
    }

    fn service(&self, document: &Document, reporter: &mut Reporter<'_>) -> Option<usize> {
        let services = self.surroundings.services;
        let name = document.service.as_ref()?;
        let place = services.iter().position(|service| service.name == name.value);
        if place.is_none() {
            let names: Vec<_> = services.iter().map(|service| service.name).collect();
            let help = did_you_mean(&name.value, names.iter().copied())
                .unwrap_or_else(|| format!("it is one of {}", names.join(", ")));
            let message = format!("there is no service `{}`", name.value);
            reporter.error_with(name.span, message, help);
        }
        place
    }

    fn check_identity(&mut self, id: &Spanned<Uuid>, source: &Source, reporter: &mut Reporter<'_>) {
        if let Some(first) = self.ids.insert(id.value, source.name.clone()) {
            reporter.error(id.span, format!("another rule in {first} has this id"));
            return;
        }
        if let Some(other) = self.signatures.insert(signature_id(id.value), id.value) {
            let message = format!("the signature of this id is also that of {other}: take another");
            reporter.error(id.span, message);
        }
    }

    fn finish(self) -> RuleSet {
        let services = self.surroundings.services.iter().zip(self.services);
        let services = services
            .filter(|(_, (_, conditions))| !conditions.is_empty())
            .map(|(schema, (predicates, conditions))| Service::new(schema, &predicates, conditions))
            .collect();
        let (rules, placeholders) = (self.rules, self.placeholders);
        RuleSet { rules, placeholders, services, hash: String::new() }
    }
}

fn rule(
    index: usize,
    document: Document,
    service: &'static Schema,
    source: &Source,
    inactive: Option<String>,
) -> Option<Rule> {
    let id = document.id?.value;
    Some(Rule {
        index,
        id,
        title: document.title,
        level: document.level,
        signature_id: signature_id(id),
        techniques: document.tags.iter().filter_map(|tag| technique(tag)).collect(),
        service,
        file: source.name.clone(),
        description: document.description,
        status: document.status,
        author: document.author,
        date: document.date,
        tags: document.tags,
        references: document.references,
        falsepositives: document.falsepositives,
        examples: document.examples,
        paths: Vec::new(),
        inactive,
    })
}

/// `T0855` of `attack.t0855`; tags of tactics and of other namespaces are none.
fn technique(tag: &str) -> Option<String> {
    let number = tag.strip_prefix("attack.t")?;
    let is_number = number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    is_number.then(|| format!("T{number}"))
}

/// 31 bits of the SHA-1 of the identity's octets, never 0.
fn signature_id(id: Uuid) -> u32 {
    let digest = Sha1::digest(id.as_bytes());
    let bits = digest.iter().take(4).fold(0, |bits, octet| bits << 8 | u32::from(*octet));
    (bits & 0x7fff_ffff).max(1)
}
