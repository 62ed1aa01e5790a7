//! The documents of a set once more, for who wants to know how a rule is written.

use super::Source;
use super::diagnostic::Reporter;
use super::sigma::{self, Body, Document};
use super::yaml::{self, Node};

/// A document, and what it was read from.
pub(super) struct Written {
    /// The place of the source.
    pub(super) source: usize,
    pub(super) node: Node,
    pub(super) document: Document,
}

/// All documents of sources that were loaded, so that there is no mistake in them. Those that are
/// rules come in the order of the set.
pub(super) fn of(sources: &[Source]) -> Vec<Written> {
    let mut all = Vec::new();
    for (place, source) in sources.iter().enumerate() {
        let mut reporter = Reporter::new(source);
        for node in yaml::documents(source, &mut reporter) {
            if let Some(document) = sigma::read(&node, &mut reporter) {
                all.push(Written { source: place, node, document });
            }
        }
    }
    all
}

impl Document {
    /// Whether it is a rule of the set, not a filter.
    pub(super) const fn is_rule(&self) -> bool {
        !matches!(self.body, Body::Filter(_))
    }

    /// What other documents call it: by its identity, and by its name if it has one.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let id = self.header.id.iter().map(|id| id.value.to_string());
        id.chain(self.header.name.iter().map(|name| name.value.clone()))
    }
}
