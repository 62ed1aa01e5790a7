//! Correlations: how records that rules found go together in time.
//!
//! ```text
//!  event ──matcher──▶ hits ──observe──▶ observations ──correlator──▶ alerts of correlations
//!                           keys, values               windows by key
//!                           └── thread that saw it ──┘ └── one for all threads, in order of time ──┘
//! ```
//!
//! - An **observation** is all that a correlation wants to know of a hit: the values that it is grouped
//!   by, and the value that is counted, as the record shows them. It owns them, and so can go to
//!   another thread.
//! - A **window** is what one correlation remembers of one group. It slides on packet time, in
//!   microseconds, as records show it; a hit is in the window for as long as the timespan, both ends
//!   included. Each hit that leaves the condition met is an alert.
//! - **Groups** are bounded in number and octets: the one seen longest ago is let go, and counted.
//!
//! Nothing here is read twice: what a hit costs does not depend on how many are in the window, but
//! for sums, averages and percentiles, which are made anew of at most [`window::MOST_NUMBERS`].

mod compile;
mod correlator;
mod groups;
mod observe;
mod window;

pub(super) use compile::{Member, compile};
pub use correlator::{Correlator, CorrelatorLimits, Describe, Found, Tell};
pub(super) use observe::write_parts;
pub use observe::{GroupValue, Observations};
pub use window::Measure;

use super::sigma::{Aggregate, Threshold};
use crate::event::{Kind, Secrecy};
use crate::json::{Path, Paths};

/// The correlations of a set.
#[derive(Debug, Clone, Default)]
pub(super) struct Correlations {
    pub(super) all: Vec<Correlation>,
    /// By [`Rule::index`](super::Rule::index): who takes its hits.
    pub(super) links: Vec<Vec<Link>>,
}

/// One correlation.
#[derive(Debug, Clone)]
pub(super) struct Correlation {
    /// [`Rule::index`](super::Rule::index).
    pub(super) rule: usize,
    pub(super) look: Look,
    /// Microseconds.
    pub(super) timespan: u64,
    /// What its hits are grouped by.
    pub(super) group: Vec<GroupField>,
    /// How many rules it is of.
    pub(super) members: usize,
}

impl Correlation {
    /// Whether what one remembers is of use to the other.
    fn is_like(&self, other: &Self) -> bool {
        let of = |own: &Self| (own.look.clone(), own.timespan, own.group.clone(), own.members);
        of(self) == of(other)
    }
}

/// What is looked for in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    EventCount(Threshold),
    ValueCount(Threshold),
    Value(Aggregate, Threshold),
    Temporal,
    TemporalOrdered,
    Absence,
}

/// A name that alerts have for what hits are grouped by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupField {
    /// The field's, or the alias.
    pub name: String,
    /// What its values give away.
    pub secrecy: Secrecy,
}

/// What a correlation takes of a rule's hits.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// Place in [`Correlations::all`].
    pub(super) correlation: usize,
    /// Place of the rule among those that the correlation is of.
    pub(super) place: usize,
    pub(super) group: Vec<Part>,
    /// What is counted.
    pub(super) values: Vec<Part>,
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// The field at this place of the record, or of its context.
    Field { of_context: bool, place: usize, kind: Kind },
    /// What a path leads to in the document at this place of the record.
    Document { place: usize, path: Path, paths: Paths },
    /// What the correlation before is grouped by, at this place.
    Group(usize),
}

impl Link {
    /// What it looks at in documents of records: place, and path.
    pub(super) fn documents(&self) -> impl Iterator<Item = (usize, &Path)> {
        self.group.iter().chain(&self.values).filter_map(|part| match part {
            Part::Document { place, path, .. } => Some((*place, path)),
            Part::Field { .. } | Part::Group(_) => None,
        })
    }
}

impl Correlations {
    /// Who takes the hits of the rule with this index.
    #[inline]
    pub(super) fn links(&self, rule: usize) -> &[Link] {
        self.links.get(rule).map_or(&[], |links| links)
    }
}
