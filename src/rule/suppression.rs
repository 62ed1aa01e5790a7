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
    /// The most alerts a minute, of all rules, besides the first of each.
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
    /// It is kept until a later one like it takes its place, or until it is told after all.
    Held,
}

/// Counts of what was not told and never will be. What is held is in none of them yet.
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
///
/// Each alert is told, or is in the count of one that is told: one that is over a limit when its
/// minute is over, at the latest at the end.
#[derive(Debug)]
pub struct Suppressor {
    limit: Option<u32>,
    rule_limit: Option<u32>,
    open: HashMap<u64, Open, RandomState>,
    /// When which of them is looked at next.
    due: BinaryHeap<Reverse<(u64, u64)>>,
    /// Of what is held of them.
    octets: usize,
    /// When the minute at hand is over.
    minute_end: u64,
    /// In this minute.
    told: u32,
    /// Those that told something in this minute, or would have.
    of_rules: HashMap<Uuid, OfMinute, RandomState>,
    counts: Suppressed,
}

/// Alerts that are alike.
#[derive(Debug)]
struct Open {
    interval: u64,
    rule: Uuid,
    level: Level,
    /// The last of them, and how many there were.
    last: Box<[u8]>,
    held: u64,
}

/// Alerts of a rule in a minute. There are no more of these than rules, so what they hold needs no
/// limit of its own.
#[derive(Debug, Default)]
struct OfMinute {
    told: u32,
    /// The last that was over a limit, with its level.
    over: Option<(Box<[u8]>, Level)>,
    /// How many there were, with those that repeated them.
    held: u64,
}

/// What was over a limit when the minute ends.
struct OverLimit {
    rule: Uuid,
    line: Box<[u8]>,
    level: Level,
    held: u64,
}

/// Hears of an alert that was held and is told after all, with its level and how many like it were
/// not.
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
            minute_end: 0,
            told: 0,
            of_rules: HashMap::default(),
            counts: Suppressed::default(),
        }
    }

    /// What was not told.
    pub fn counts(&self) -> Suppressed {
        self.counts
    }

    /// Takes an alert at `time`, with its line. [`advance`](Self::advance) was there before.
    pub fn take(&mut self, time: Timestamp, alike: Alike, level: Level, line: &[u8]) -> Verdict {
        if let Some(open) = self.open.get_mut(&alike.key) {
            let octets = self.octets - open.last.len() + line.len();
            let has_room = octets <= MOST_OCTETS;
            if has_room || open.held > 0 {
                // Of those before it only the count is left.
                self.counts.repeated += u64::from(open.held > 0);
                open.held += 1;
                if has_room {
                    open.last = line.into();
                    self.octets = octets;
                }
                return Verdict::Held;
            }
            return self.within_limits(alike.rule, level, line, 1);
        }
        let verdict = self.within_limits(alike.rule, level, line, 1);
        if let (Verdict::Told { .. }, Some(interval)) = (verdict, alike.interval)
            && self.open.len() < MOST
        {
            let interval = interval.as_micros() as u64;
            let (rule, last) = (alike.rule, Box::default());
            self.open.insert(alike.key, Open { interval, rule, level, last, held: 0 });
            self.due.push(Reverse((time.as_nanos() / 1000 + interval, alike.key)));
        }
        verdict
    }

    /// No alert of before `time` will come: tells the last alert of intervals and minutes that are
    /// over, and how many others there were.
    pub fn advance(&mut self, time: Timestamp, tell: &mut TellHeld<'_>) {
        let now = time.as_nanos() / 1000;
        while let Some(Reverse((due, key))) =
            self.due.peek().copied().filter(|next| next.0.0 <= now)
        {
            self.due.pop();
            self.begin_minute(due, tell);
            self.end_interval(due, key, tell);
        }
        self.begin_minute(now, tell);
    }

    fn end_interval(&mut self, due: u64, key: u64, tell: &mut TellHeld<'_>) {
        let Some(open) = self.open.get_mut(&key) else { return };
        if open.held == 0 {
            self.open.remove(&key);
            return;
        }
        let (held, last) = (std::mem::take(&mut open.held), std::mem::take(&mut open.last));
        self.octets -= last.len();
        self.due.push(Reverse((due + open.interval, key)));
        let (rule, level) = (open.rule, open.level);
        if let Verdict::Told { suppressed } = self.within_limits(rule, level, &last, held) {
            tell(&last, level, suppressed);
        }
    }

    /// What was over a limit is told first of all in the next minute.
    fn begin_minute(&mut self, now: u64, tell: &mut TellHeld<'_>) {
        // Backwards only if the clock was set back: a minute that is far off would never end.
        if now < self.minute_end && now + 2 * MINUTE >= self.minute_end {
            return;
        }
        self.minute_end = (now / MINUTE + 1) * MINUTE;
        self.told = 0;
        for OverLimit { rule, line, level, held } in self.take_over() {
            self.told += 1;
            self.of_rules.insert(rule, OfMinute { told: 1, ..OfMinute::default() });
            tell(&line, level, held - 1);
        }
    }

    /// What is over a limit, in the order of time.
    fn take_over(&mut self) -> Vec<OverLimit> {
        let of = |(rule, of_rule): (Uuid, OfMinute)| {
            let (line, level) = of_rule.over?;
            Some(OverLimit { rule, line, level, held: of_rule.held })
        };
        let mut over: Vec<_> = self.of_rules.drain().filter_map(of).collect();
        // By the line, which begins with its time.
        over.sort_unstable_by(|one, two| one.line.cmp(&two.line));
        over
    }

    /// The end: what is held is told.
    pub fn finish(&mut self, tell: &mut TellHeld<'_>) {
        self.due.clear();
        self.octets = 0;
        let open = self.open.drain().filter(|(_, open)| open.held > 0);
        let mut held: Vec<_> = open.map(|(_, open)| (open.last, open.level, open.held)).collect();
        held.extend(self.take_over().into_iter().map(|over| (over.line, over.level, over.held)));
        held.sort_unstable_by(|one, two| one.0.cmp(&two.0));
        for (line, level, held) in held {
            tell(&line, level, held - 1);
        }
    }

    /// Of `number` alerts, of which this is the last.
    fn within_limits(&mut self, rule: Uuid, level: Level, line: &[u8], number: u64) -> Verdict {
        let told = Verdict::Told { suppressed: number - 1 };
        if self.limit.is_none() && self.rule_limit.is_none() {
            return told;
        }
        let of_rule = self.of_rules.entry(rule).or_default();
        // The first of a rule is told, however much others have to say.
        let is_over = self.limit.is_some_and(|limit| of_rule.told > 0 && self.told >= limit)
            || self.rule_limit.is_some_and(|limit| of_rule.told >= limit);
        if is_over {
            self.counts.over_limit += u64::from(of_rule.over.is_some());
            of_rule.over = Some((line.into(), level));
            of_rule.held += number;
            return Verdict::Held;
        }
        self.told += 1;
        of_rule.told += 1;
        told
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    fn by_seconds(alerts: &[(u64, u128)]) -> Vec<(u64, u128, u64)> {
        alerts.iter().zip(0..).map(|((second, rule), key)| (*second, *rule, key)).collect()
    }

    #[test]
    fn so_many_a_minute_and_then_the_last_of_each_rule() {
        let limits = Suppression { limit: Some(3), rule_limit: Some(2), ..Suppression::default() };
        let alerts = [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 2), (60, 1), (61, 1), (62, 3)];
        // 2 s and 5 s come at 60 s, so that rule 1 has told two at 60 s.
        let expected = [
            "0s 1/0 +0",
            "1s 1/1 +0",
            "3s 2/3 +0",
            "2s 1/2 +0",
            "5s 2/5 +1",
            "60s 1/6 +0",
            "62s 3/8 +0",
            "61s 1/7 +0",
        ];
        assert_eq!(told(&limits, &by_seconds(&alerts), 63), expected);
    }

    #[test]
    fn noise_does_not_silence_a_rule_that_has_not_spoken() {
        let limits = Suppression { limit: Some(2), ..Suppression::default() };
        let alerts = [(0, 1), (1, 1), (2, 1), (3, 1), (4, 9), (5, 9), (6, 1)];
        let expected = ["0s 1/0 +0", "1s 1/1 +0", "4s 9/4 +0", "5s 9/5 +0", "6s 1/6 +2"];
        assert_eq!(told(&limits, &by_seconds(&alerts), 70), expected);
    }

    #[test]
    fn what_is_over_a_limit_is_told_when_its_minute_ends_though_no_other_comes() {
        let limits = Suppression { limit: Some(1), ..Suppression::default() };
        let mut suppressor = Suppressor::new(&limits);
        let mut told = 0;
        for second in 0..5 {
            suppressor.advance(at(second), &mut |_, _, _| told += 1);
            suppressor.take(at(second), alike(1, second), Level::High, b"x");
        }
        let mut late = Vec::new();
        suppressor.advance(at(59), &mut |_, _, suppressed| late.push(suppressed));
        assert_eq!((told, late.len()), (0, 0));
        suppressor.advance(at(60), &mut |_, _, suppressed| late.push(suppressed));
        assert_eq!(late, [3]);
        assert_eq!(suppressor.counts(), Suppressed { repeated: 0, over_limit: 3 });
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_make_a_minute_longer() {
        let limits = Suppression { rule_limit: Some(1), ..Suppression::default() };
        let alerts = [(100_000, 1), (100_001, 1), (30, 2), (61, 2)];
        // 100,001 s comes when the clock is set back, 61 s with a minute of its own.
        let expected = ["100000s 1/0 +0", "100001s 1/1 +0", "30s 2/2 +0", "61s 2/3 +0"];
        assert_eq!(told(&limits, &by_seconds(&alerts), 62), expected);
    }

    proptest! {
        /// Each alert is told, or is in the count of one that is.
        #[test]
        fn nothing_is_lost(
            limit in prop::option::of(1..20_u32),
            rule_limit in prop::option::of(1..20_u32),
            repeats in any::<bool>(),
            alerts in prop::collection::vec((0..30_u64, 0..4_u128, 0..6_u64), 0..400),
        ) {
            let suppression = Suppression { limit, rule_limit, ..Suppression::default() };
            let mut suppressor = Suppressor::new(&suppression);
            let (mut told, mut named, mut second) = (0, 0, 0);
            let mut before = Suppressed::default();
            for (later, rule, key) in &alerts {
                second += later / 5;
                suppressor.advance(at(second), &mut |_, _, suppressed| {
                    told += 1;
                    named += suppressed;
                });
                let mut alike = alike(*rule, *key);
                alike.interval = alike.interval.filter(|_| repeats);
                let verdict = suppressor.take(at(second), alike, Level::Low, b"x");
                if let Verdict::Told { suppressed } = verdict {
                    told += 1;
                    named += suppressed;
                }
                let now = suppressor.counts();
                prop_assert!(now.repeated >= before.repeated && now.over_limit >= before.over_limit);
                before = now;
            }
            suppressor.finish(&mut |_, _, suppressed| {
                told += 1;
                named += suppressed;
            });
            let Suppressed { repeated, over_limit } = suppressor.counts();
            prop_assert_eq!(told + named, alerts.len() as u64);
            prop_assert_eq!(named, repeated + over_limit);
        }
    }
}
