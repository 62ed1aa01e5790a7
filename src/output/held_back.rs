//! Alerts that repeat themselves, held back and counted in those that are told.

use std::sync::Arc;

use super::Correlated;
use crate::event::Event;
use crate::rule::{
    Alike, Level, Likeness, Rule, RuleSet, Suppressed, Suppression, Suppressor, Verdict,
};
use crate::time::Timestamp;

/// Lets lines of alerts pass, or holds them back.
#[derive(Debug)]
pub struct HeldBack {
    suppressor: Suppressor,
    suppression: Suppression,
    likeness: Likeness,
    /// What the likeness is of.
    rules: Arc<RuleSet>,
    /// The line at hand, with what is said in it; the key of an alert.
    line: Vec<u8>,
    key: Vec<u8>,
}

/// Hears of an alert that is told late.
pub type TellLate<'t> = dyn FnMut(&[u8], Level) + 't;

impl HeldBack {
    /// `None` where nothing is suppressed.
    pub fn new(suppression: Suppression, rules: &Arc<RuleSet>) -> Option<Self> {
        (!suppression.is_off()).then(|| Self {
            suppressor: Suppressor::new(&suppression),
            likeness: Likeness::new(rules, &suppression),
            suppression,
            rules: Arc::clone(rules),
            line: Vec::new(),
            key: Vec::new(),
        })
    }

    /// For who finds out at another place what alerts are alike.
    pub fn likeness(&self) -> (Likeness, Suppression) {
        (self.likeness.clone(), self.suppression.clone())
    }

    /// What was not told and never will be.
    pub fn counts(&self) -> Suppressed {
        self.suppressor.counts()
    }

    /// What an alert of a detection rule repeats.
    pub fn of(&mut self, rule: &Rule, event: &Event<'_>) -> Option<Alike> {
        self.likeness.of(rule, event, &mut self.key)
    }

    /// What an alert of a correlation of these rules repeats.
    pub fn of_group(&mut self, rules: &Arc<RuleSet>, alert: &Correlated<'_>) -> Option<Alike> {
        if !Arc::ptr_eq(&self.rules, rules) {
            self.likeness = self.likeness.with_rules(rules, &self.suppression);
            self.rules = Arc::clone(rules);
        }
        self.likeness.of_group(alert.rule, alert.group)
    }

    /// The line of an alert as it is to be told, if it is now. [`advance`](Self::advance) was there
    /// before.
    pub fn take<'l>(
        &'l mut self,
        time: Timestamp,
        alike: Alike,
        level: Level,
        line: &'l [u8],
    ) -> Option<&'l [u8]> {
        match self.suppressor.take(time, alike, level, line) {
            Verdict::Held => None,
            Verdict::Told { suppressed: 0 } => Some(line),
            Verdict::Told { suppressed } => {
                write_suppressed(line, suppressed, &mut self.line);
                Some(&self.line)
            }
        }
    }

    /// No alert of before `time` will come.
    pub fn advance(&mut self, time: Timestamp, tell: &mut TellLate<'_>) {
        let Self { suppressor, line, .. } = self;
        suppressor.advance(time, &mut |held, level, suppressed| {
            write_suppressed(held, suppressed, line);
            tell(line, level);
        });
    }

    /// None will come any more.
    pub fn finish(&mut self, tell: &mut TellLate<'_>) {
        let Self { suppressor, line, .. } = self;
        suppressor.finish(&mut |held, level, suppressed| {
            write_suppressed(held, suppressed, line);
            tell(line, level);
        });
    }
}

/// The line with `alert.suppressed` before the alert's identifier.
fn write_suppressed(line: &[u8], suppressed: u64, out: &mut Vec<u8>) {
    out.clear();
    // In texts quotes are escaped, so these are where they seem to be.
    let alert = memchr::memmem::find(line, b"\"alert\":{").unwrap_or(line.len());
    let rest = line.get(alert..).unwrap_or_default();
    let place = memchr::memmem::find(rest, b"\"id\":\"").map(|at| alert + at);
    let (before, behind) = line.split_at(place.filter(|_| suppressed > 0).unwrap_or(line.len()));
    out.extend_from_slice(before);
    if !behind.is_empty() {
        out.extend_from_slice(format!("\"suppressed\":{suppressed},").as_bytes());
        out.extend_from_slice(behind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_stands_in_the_alert() {
        let line = br#"{"a":"\"alert\":{\"id\":\"","alert":{"rule_id":"x","id":"y"},"id":"z"}"#;
        let mut out = Vec::new();
        write_suppressed(line, 7, &mut out);
        let expected = br#"{"a":"\"alert\":{\"id\":\"","alert":{"rule_id":"x","suppressed":7,"id":"y"},"id":"z"}"#;
        assert_eq!(out, expected);
        write_suppressed(line, 0, &mut out);
        assert_eq!(out, line);
        write_suppressed(b"{}", 7, &mut out);
        assert_eq!(out, b"{}");
    }
}
