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
//! - What compares two fields with each other, or asks for a part of a moment, has no index: it
//!   brings no rule up, and is asked by itself once one is up that needs it.
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
//! # What goes together
//!
//! A filter joins its condition to those of its rules when the set is loaded. Correlations take hits
//! from the [`Matcher`] by way of [`Observations`], to one [`Correlator`] for all threads. Site models
//! will fill [`Placeholders`].

mod compile;
mod condition;
mod correlation;
mod direct;
mod documents;
mod explain;
mod export;
mod index;
mod load;
mod matcher;
mod modifier;
mod pattern;
mod predicate;
mod profile;
mod program;
mod sigma;
mod suppression;
mod trigger;
mod truth;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sha1::{Digest, Sha1};
use uuid::Uuid;

pub use crate::document::{Diagnostic, Source};
use crate::document::{diagnostic, yaml};
use crate::event::Schema;
use crate::json::Path;
use correlation::Correlations;
pub use correlation::{
    Correlator, CorrelatorLimits, Describe, Found, GroupField, GroupValue, Measure, Observations,
    Tell,
};
pub use explain::{Explained, Explanation};
pub use export::{Export, Exported, LeftOut};
use matcher::Service;
pub use matcher::{Hits, HitsIter, Matcher, ServiceId};
pub use suppression::{
    Alike, Likeness, Repetition, Suppressed, Suppression, Suppressor, TellHeld, Verdict,
};

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
    /// The capture's path: from where the command runs, or from a folder above the rule.
    pub capture: String,
    /// How many alerts it gives.
    pub alerts: u64,
    /// What stands for the rule's `%name%` while the example is run.
    pub placeholders: Placeholders,
    /// Where it stands in the rule's file: the line, from 1.
    pub line: usize,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub enum About {
    /// Records of this type, one at a time.
    Records(&'static Schema),
    /// How hits of other rules go together.
    Correlation(Together),
}

/// What a correlation says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Together {
    /// Sigma's type, as in `event_count`; `absence` for what it has no type for.
    pub kind: &'static str,
    /// Hits that are further from each other have nothing to do with each other.
    pub timespan: Duration,
}

impl About {
    /// One word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Records(schema) => schema.name,
            Self::Correlation(_) => "correlation",
        }
    }

    /// Whether it is records of this type.
    pub fn is_of(self, schema: &'static Schema) -> bool {
        matches!(self, Self::Records(own) if std::ptr::eq(own, schema))
    }
}

/// One rule, as far as an alert tells of it.
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
    /// What it looks at.
    pub about: About,
    /// Whether its hits are only for correlations: none of them is an alert.
    pub is_quiet: bool,
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

/// The modifiers that may stand behind a field's name.
pub fn modifiers() -> impl Iterator<Item = &'static str> {
    modifier::names()
}

/// The types of correlations that Sigma has.
pub fn correlation_types() -> impl Iterator<Item = &'static str> {
    sigma::correlation_types()
}

impl RuleSet {
    /// Whether any of them is a correlation in force.
    pub fn has_correlations(&self) -> bool {
        !self.correlations.all.is_empty()
    }

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
    correlations: Correlations,
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
        let set = load::load(sources, services, placeholders)?;
        Ok(Self { hash: hash(sources, placeholders), ..set })
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
