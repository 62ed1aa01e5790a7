//! Alerts that repeat each other, in the collector: whichever threads they came from.

use std::sync::Arc;

use super::correlations::Counters;
use crate::output::{Correlated, Suppressing};
use crate::rule::{Alike, Level, Likeness, RuleSet, Suppression};
use crate::time::Timestamp;

/// Holds alerts back.
pub(super) struct HeldBack {
    suppressing: Suppressing,
    suppression: Suppression,
    /// Of alerts of correlations; the others come with theirs.
    likeness: Likeness,
    rules: Arc<RuleSet>,
    counters: Arc<Counters>,
}

impl HeldBack {
    /// `None` where nothing is suppressed. Threads share the likeness.
    pub(super) fn new(
        suppression: Suppression,
        rules: &Arc<RuleSet>,
        counters: Arc<Counters>,
    ) -> Option<Self> {
        let suppressing = Suppressing::new(&suppression)?;
        let likeness = Likeness::new(rules, &suppression);
        Some(Self { suppressing, suppression, likeness, rules: Arc::clone(rules), counters })
    }

    /// What capture threads are to know.
    pub(super) fn likeness(&self) -> (Likeness, Suppression) {
        (self.likeness.clone(), self.suppression.clone())
    }

    /// What an alert of a correlation repeats.
    pub(super) fn of(&mut self, rules: &Arc<RuleSet>, alert: &Correlated<'_>) -> Option<Alike> {
        if !Arc::ptr_eq(&self.rules, rules) {
            self.likeness = self.likeness.with_rules(rules, &self.suppression);
            self.rules = Arc::clone(rules);
        }
        self.likeness.of_group(alert.rule, alert.group)
    }

    /// The line as it is to be told, if it is.
    pub(super) fn take<'l>(
        &'l mut self,
        time: Timestamp,
        alike: Alike,
        level: Level,
        line: &'l [u8],
    ) -> Option<&'l [u8]> {
        let Self { suppressing, counters, .. } = self;
        // The count is shown a moment later than it is true.
        counters.change(|counts| counts.suppressed = suppressing.counts());
        suppressing.take(time, alike, level, line)
    }

    /// No alert of before `time` will come.
    pub(super) fn advance(&mut self, time: Timestamp, tell: &mut dyn FnMut(&[u8], Level)) {
        self.suppressing.advance(time, tell);
        let suppressed = self.suppressing.counts();
        self.counters.change(|counts| counts.suppressed = suppressed);
    }

    /// None will come any more.
    pub(super) fn finish(&mut self, tell: &mut dyn FnMut(&[u8], Level)) {
        self.suppressing.finish(tell);
    }
}
