//! Correlations over what all capture threads observe, in the collector.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::config::Config;
use crate::event::Redaction;
use crate::output::{Correlated, Correlating};
use crate::rule::{Correlator, CorrelatorLimits, Observations, RuleSet, Suppressed};
use crate::time::Timestamp;

/// What is shown of alerts behind the capture threads: correlations, and what is held back.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// By the rule's identity, of all sets that were in force.
    pub(super) alerts: HashMap<Uuid, u64>,
    /// Groups that are remembered, their octets, and groups that were let go before their time.
    pub(super) groups: u64,
    pub(super) octets: u64,
    pub(super) evicted: u64,
    /// Alerts that were not told.
    pub(super) suppressed: Suppressed,
}

/// The counts, for others to look at.
#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<Counts>);

impl Counters {
    pub(super) fn counts(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Takes alerts of correlations.
pub(super) trait Pass {
    fn alert(&mut self, rules: &Arc<RuleSet>, alert: &Correlated<'_>);
}

/// The correlations of the rules in force.
pub(super) struct Correlations {
    rules: Arc<RuleSet>,
    limits: CorrelatorLimits,
    redaction: Redaction,
    correlating: Option<Correlating>,
    /// Alerts that are not shown yet.
    alerts: HashMap<Uuid, u64>,
    counters: Arc<Counters>,
}

impl Correlations {
    pub(super) fn new(rules: &Arc<RuleSet>, config: &Config, counters: Arc<Counters>) -> Self {
        let (limits, redaction) = (config.limits.correlator(), config.redaction());
        let correlating = Correlating::new(rules, limits, redaction);
        let (rules, alerts) = (Arc::clone(rules), HashMap::new());
        Self { rules, limits, redaction, correlating, alerts, counters }
    }

    /// Takes what a thread observed while these rules were in force.
    pub(super) fn take(
        &mut self,
        rules: &Arc<RuleSet>,
        time: Timestamp,
        observed: &Observations,
        held: &[u8],
        pass: &mut dyn Pass,
    ) {
        if !Arc::ptr_eq(&self.rules, rules) {
            self.change(rules);
        }
        let Some(correlating) = &mut self.correlating else { return };
        let alerts = &mut self.alerts;
        let mut hold = |line: &mut Vec<u8>| line.extend_from_slice(held);
        correlating.take(time, observed, &mut hold, &mut |alert| tell(alerts, rules, &alert, pass));
    }

    /// Shows what there is to count, with what was not told.
    pub(super) fn publish(&mut self, suppressed: Suppressed) {
        let Self { correlating, alerts, counters, .. } = self;
        counters.change(|counts| {
            counts.suppressed = suppressed;
            for (rule, count) in alerts.drain() {
                *counts.alerts.entry(rule).or_default() += count;
            }
            let correlator = correlating.as_ref().map(Correlating::correlator);
            (counts.groups, counts.octets) = correlator.map_or((0, 0), |correlator| {
                (correlator.groups() as u64, correlator.octets() as u64)
            });
            counts.evicted = correlator.map_or(counts.evicted, Correlator::evicted);
        });
    }

    /// No line of before `time` will come.
    pub(super) fn advance(&mut self, time: Timestamp, pass: &mut dyn Pass) {
        let Some(correlating) = &mut self.correlating else { return };
        let (alerts, rules) = (&mut self.alerts, &self.rules);
        correlating.advance(time, &mut |alert| tell(alerts, rules, &alert, pass));
    }

    /// Threads take new rules one after the other, so these may be the earlier ones again.
    fn change(&mut self, rules: &Arc<RuleSet>) {
        self.rules = Arc::clone(rules);
        let (limits, redaction) = (self.limits, self.redaction);
        self.correlating = match self.correlating.take() {
            Some(before) => before.with_rules(rules, limits, redaction),
            None => Correlating::new(rules, limits, redaction),
        };
    }
}

fn tell(
    alerts: &mut HashMap<Uuid, u64>,
    rules: &Arc<RuleSet>,
    alert: &Correlated<'_>,
    pass: &mut dyn Pass,
) {
    *alerts.entry(alert.rule.id).or_default() += 1;
    pass.alert(rules, alert);
}
