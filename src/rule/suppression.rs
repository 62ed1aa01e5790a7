//! Suppression: of alerts that repeat themselves the first is told at once, and after that how many
//! more there were.
//!
//! A stage behind matching and correlation, for people who are woken by alerts. Time is packet time.
//! Where it keeps as much as it may, alerts pass: too many are better than too few.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use uuid::Uuid;

use super::correlation::{self, Part};
use super::predicate::FieldId;
use super::{About, Level, Rule, RuleSet};
use crate::event::{CONTEXT, Event};
use crate::time::Timestamp;

/// Which alerts repeat each other, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repetition {
    /// Identities or titles of rules; all, if there are none.
    pub rules: Vec<String>,
    /// Alerts of a rule that agree in these fields are one; all of them, if there are none.
    pub by: Vec<String>,
    /// How long nothing is said after the first.
    pub interval: Duration,
}

/// What is suppressed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suppression {
    /// The first that names a rule counts for it.
    pub repetitions: Vec<Repetition>,
    /// The most alerts a minute, of all rules.
    pub limit: Option<u32>,
    /// The most of one rule.
    pub rule_limit: Option<u32>,
}

impl Suppression {
    /// Whether every alert is told.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }

    fn of(&self, rule: &Rule) -> Option<&Repetition> {
        let id = rule.id.to_string();
        self.repetitions.iter().find(|repetition| {
            let is_it = |name: &String| *name == id || *name == rule.title;
            repetition.rules.is_empty() || repetition.rules.iter().any(is_it)
        })
    }
}

/// Says which alerts of a set of rules are alike. Threads share it, so that they agree.
#[derive(Debug, Clone)]
pub struct Likeness {
    hasher: RandomState,
    /// By [`Rule::index`].
    rules: Arc<[OfRule]>,
}

#[derive(Debug)]
struct OfRule {
    id: Uuid,
    interval: Option<Duration>,
    by: Vec<Part>,
}

/// What an alert is alike to others by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alike {
    /// The rule.
    pub rule: Uuid,
    /// Equal for those that repeat each other.
    key: u64,
    interval: Option<Duration>,
}

impl Likeness {
    /// Of the rules of a set. A rule whose records do not have a field does without it; alerts of a
    /// correlation are alike if their groups are.
    pub fn new(set: &RuleSet, suppression: &Suppression) -> Self {
        let of = |rule: &Rule| {
            let repetition = suppression.of(rule);
            let names = repetition.map_or(&[][..], |repetition| &repetition.by[..]);
            let by = names.iter().filter_map(|name| part(rule.about, name)).collect();
            OfRule { id: rule.id, interval: repetition.map(|repetition| repetition.interval), by }
        };
        Self { hasher: RandomState::default(), rules: set.rules.iter().map(of).collect() }
    }

    /// The same for another set: what was alike before stays so.
    #[must_use]
    pub fn with_rules(&self, set: &RuleSet, suppression: &Suppression) -> Self {
        Self { hasher: self.hasher.clone(), ..Self::new(set, suppression) }
    }

    /// Of an alert of a detection rule. `memory` is for the key.
    pub fn of(&self, rule: &Rule, event: &Event<'_>, memory: &mut Vec<u8>) -> Option<Alike> {
        let of = self.rules.get(rule.index)?;
        memory.clear();
        if of.interval.is_some() {
            correlation::write_parts(event, &of.by, memory);
        }
        Some(self.alike(of, memory))
    }

    /// Of an alert of a correlation, with its group.
    pub fn of_group(&self, rule: &Rule, group: &[u8]) -> Option<Alike> {
        Some(self.alike(self.rules.get(rule.index)?, group))
    }

    fn alike(&self, of: &OfRule, key: &[u8]) -> Alike {
        Alike { rule: of.id, key: self.hasher.hash_one((of.id, key)), interval: of.interval }
    }
}

/// Where a rule's records have a field with one value.
fn part(about: About, name: &str) -> Option<Part> {
    let About::Records(schema) = about else { return None };
    let FieldId::Declared { of_context, path } = FieldId::resolve(schema, name)? else {
        return None;
    };
    if path.list.is_some() {
        return None;
    }
    let place = usize::from(path.field);
    let owner = if of_context { &CONTEXT } else { schema };
    Some(Part::Field { of_context, place, kind: owner.fields[place].kind })
}

/// What becomes of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is told, with how many like it were not.
    Told {
        /// Since the last that was told.
        suppressed: u64,
    },
    /// It is counted.
    Suppressed,
}

/// Counts of what was not told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suppressed {
    /// As they repeated another.
    pub repeated: u64,
    /// As there were too many.
    pub over_limit: u64,
}

/// Kinds of alerts that are remembered at once, and octets of those that are to be told.
const MOST: usize = 100_000;
const MOST_OCTETS: usize = 64 << 20;

/// Limits are by the minute.
const MINUTE: u64 = 60_000_000;

/// Decides for each alert, in the order of time, whether it is told.
#[derive(Debug)]
pub struct Suppressor {
    limit: Option<u32>,
    rule_limit: Option<u32>,
    open: HashMap<u64, Open, RandomState>,
    /// When which of them is looked at next.
    due: BinaryHeap<Reverse<(u64, u64)>>,
    octets: usize,
    minute: u64,
    told: u32,
    of_rules: HashMap<Uuid, OfMinute, RandomState>,
    counts: Suppressed,
}

/// Alerts that are alike.
#[derive(Debug)]
struct Open {
    interval: u64,
    rule: Uuid,
    level: Level,
    suppressed: u64,
    /// The last of them.
    last: Box<[u8]>,
}

/// Alerts of a rule.
#[derive(Debug, Default)]
struct OfMinute {
    told: u32,
    /// Over a limit, since one was told.
    over: u64,
}

/// Hears of an alert that was held back and is told after all, with its level and how many like it
/// were not.
pub type TellHeld<'t> = dyn FnMut(&[u8], Level, u64) + 't;

impl Suppressor {
    /// Nothing was told yet.
    pub fn new(suppression: &Suppression) -> Self {
        Self {
            limit: suppression.limit,
            rule_limit: suppression.rule_limit,
            open: HashMap::default(),
            due: BinaryHeap::new(),
            octets: 0,
            minute: 0,
            told: 0,
            of_rules: HashMap::default(),
            counts: Suppressed::default(),
        }
    }

    /// What was not told.
    pub fn counts(&self) -> Suppressed {
        self.counts
    }

    /// Takes an alert at `time`, with its line.
    pub fn take(&mut self, time: Timestamp, alike: Alike, level: Level, line: &[u8]) -> Verdict {
        let now = time.as_nanos() / 1000;
        if let Some(open) = self.open.get_mut(&alike.key) {
            open.suppressed += 1;
            self.counts.repeated += 1;
            let octets = self.octets - open.last.len() + line.len();
            if octets <= MOST_OCTETS {
                open.last = line.into();
                self.octets = octets;
            }
            return Verdict::Suppressed;
        }
        let verdict = self.within_limits(now, alike.rule);
        if let (Verdict::Told { .. }, Some(interval)) = (verdict, alike.interval)
            && self.open.len() < MOST
        {
            let interval = interval.as_micros() as u64;
            let (rule, last) = (alike.rule, Box::default());
            let open = Open { interval, rule, level, suppressed: 0, last };
            self.open.insert(alike.key, open);
            self.due.push(Reverse((now + interval, alike.key)));
        }
        verdict
    }

    /// No alert of before `time` will come: tells of intervals that are over the last alert, and how
    /// many others there were.
    pub fn advance(&mut self, time: Timestamp, tell: &mut TellHeld<'_>) {
        let now = time.as_nanos() / 1000;
        while let Some(Reverse((due, key))) =
            self.due.peek().copied().filter(|next| next.0.0 <= now)
        {
            self.due.pop();
            let Some(open) = self.open.get_mut(&key) else { continue };
            if open.suppressed == 0 {
                self.open.remove(&key);
                continue;
            }
            let suppressed = std::mem::take(&mut open.suppressed) - 1;
            let last = std::mem::take(&mut open.last);
            self.octets -= last.len();
            self.due.push(Reverse((due + open.interval, key)));
            let (rule, level) = (open.rule, open.level);
            // It is told, or one of those over a limit.
            self.counts.repeated -= 1;
            match self.within_limits(due, rule) {
                Verdict::Told { suppressed: over } => tell(&last, level, suppressed + over),
                Verdict::Suppressed => self.of_rules.entry(rule).or_default().over += suppressed,
            }
        }
    }

    /// The end: what is held back is told.
    pub fn finish(&mut self, tell: &mut TellHeld<'_>) {
        let mut open: Vec<_> = self.open.drain().filter(|(_, open)| open.suppressed > 0).collect();
        self.due.clear();
        // By the line, which begins with its time.
        open.sort_by(|(_, one), (_, two)| one.last.cmp(&two.last));
        for (_, open) in open {
            self.counts.repeated -= 1;
            tell(&open.last, open.level, open.suppressed - 1);
        }
    }

    fn within_limits(&mut self, now: u64, rule: Uuid) -> Verdict {
        if self.limit.is_none() && self.rule_limit.is_none() {
            return Verdict::Told { suppressed: 0 };
        }
        let minute = now / MINUTE;
        if minute != self.minute {
            (self.minute, self.told) = (minute, 0);
            self.of_rules.values_mut().for_each(|of_rule| of_rule.told = 0);
        }
        let of_rule = self.of_rules.entry(rule).or_default();
        let is_over = self.limit.is_some_and(|limit| self.told >= limit)
            || self.rule_limit.is_some_and(|limit| of_rule.told >= limit);
        if is_over {
            of_rule.over += 1;
            self.counts.over_limit += 1;
            return Verdict::Suppressed;
        }
        self.told += 1;
        of_rule.told += 1;
        Verdict::Told { suppressed: std::mem::take(&mut of_rule.over) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn alike(rule: u128, key: u64) -> Alike {
        Alike { rule: Uuid::from_u128(rule), key, interval: Some(Duration::from_secs(10)) }
    }

    /// Alerts by second, rule and key: what is told, with how many are not.
    fn told(suppression: &Suppression, alerts: &[(u64, u128, u64)], end: u64) -> Vec<String> {
        let mut suppressor = Suppressor::new(suppression);
        let mut told = Vec::new();
        let mut held = |line: &[u8], _, suppressed| {
            told.push(format!("{} +{suppressed}", String::from_utf8_lossy(line)));
        };
        let mut passed = Vec::new();
        for (second, rule, key) in alerts {
            let mut late = Vec::new();
            suppressor.advance(at(*second), &mut |line, _, suppressed| {
                late.push(format!("{} +{suppressed}", String::from_utf8_lossy(line)));
            });
            passed.append(&mut late);
            let line = format!("{second}s {rule}/{key}");
            if let Verdict::Told { suppressed } =
                suppressor.take(at(*second), alike(*rule, *key), Level::High, line.as_bytes())
            {
                passed.push(format!("{line} +{suppressed}"));
            }
        }
        suppressor.advance(at(end), &mut held);
        suppressor.finish(&mut held);
        passed.extend(told);
        passed
    }

    #[test]
    fn the_first_is_told_at_once_and_then_the_last_of_each_interval() {
        let alerts =
            [(0, 1, 7), (1, 1, 7), (2, 1, 7), (3, 1, 8), (9, 1, 7), (11, 1, 7), (35, 1, 7)];
        let expected = ["0s 1/7 +0", "3s 1/8 +0", "9s 1/7 +2", "11s 1/7 +0", "35s 1/7 +0"];
        assert_eq!(told(&Suppression::default(), &alerts, 100), expected);
    }

    #[test]
    fn what_is_held_back_at_the_end_is_told() {
        let alerts = [(0, 1, 7), (1, 1, 7), (2, 1, 7)];
        assert_eq!(told(&Suppression::default(), &alerts, 3), ["0s 1/7 +0", "2s 1/7 +1"]);
    }

    #[test]
    fn so_many_a_minute_and_the_next_says_how_many_more_there_were() {
        let limits = Suppression { limit: Some(3), rule_limit: Some(2), ..Suppression::default() };
        let alerts: Vec<_> =
            [1, 1, 1, 2, 2, 3].into_iter().zip(0..).map(|(rule, key)| (key, rule, key)).collect();
        let mut all = alerts.clone();
        all.extend([(60, 1, 20), (61, 2, 21), (62, 3, 22)]);
        let expected =
            ["0s 1/0 +0", "1s 1/1 +0", "3s 2/3 +0", "60s 1/20 +1", "61s 2/21 +1", "62s 3/22 +1"];
        assert_eq!(told(&limits, &all, 63), expected);
    }

    #[test]
    fn nothing_is_lost() {
        let suppression = Suppression { limit: Some(5), ..Suppression::default() };
        let mut suppressor = Suppressor::new(&suppression);
        let (mut told, mut named) = (0, 0);
        for number in 0..10_000_u64 {
            let time = at(number / 7);
            suppressor.advance(time, &mut |_, _, suppressed| {
                told += 1;
                named += suppressed;
            });
            if let Verdict::Told { suppressed } =
                suppressor.take(time, alike(u128::from(number % 3), number % 11), Level::Low, b"x")
            {
                told += 1;
                named += suppressed;
            }
        }
        suppressor.finish(&mut |_, _, suppressed| {
            told += 1;
            named += suppressed;
        });
        let Suppressed { repeated, over_limit } = suppressor.counts();
        assert_eq!(told + repeated + over_limit, 10_000);
        // What was over a limit last is in no alert, as none of its rule came after it.
        assert!(
            named <= repeated + over_limit && named * 10 > (repeated + over_limit) * 9,
            "{named}"
        );
    }
}
