//! Alerts of correlations: one correlator, and the lines of what it finds.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::formatter::{PLACE, RulePart};
use super::json::{Json, Key, Member};
use super::pen::hexadecimal;
use crate::event::Redaction;
use crate::rule::{
    About, Correlator, CorrelatorLimits, Describe, Found, GroupValue, Measure, Observations, Rule,
    RuleSet, Together,
};
use crate::time::Timestamp;

/// A correlator, and the lines of the alerts that it finds. Takes what all engines observed, in the
/// order of time.
#[derive(Debug)]
pub struct Correlating {
    correlator: Correlator,
    lines: Lines,
    /// By [`Rule::index`].
    alerts: Vec<u64>,
}

/// An alert of a correlation.
#[derive(Debug)]
pub struct Correlated<'a> {
    /// The correlation.
    pub rule: &'a Rule,
    /// When.
    pub time: Timestamp,
    /// What the hits have in common, to compare it with others of the same correlation.
    pub group: &'a [u8],
    /// Its line.
    pub line: &'a [u8],
}

impl Correlating {
    /// For the correlations of a set; `None` if it has none.
    pub fn new(set: &Arc<RuleSet>, limits: CorrelatorLimits, redaction: Redaction) -> Option<Self> {
        set.has_correlations().then(|| Self {
            correlator: Correlator::new(Arc::clone(set), limits),
            lines: Lines::new(&set.rules, redaction),
            alerts: vec![0; set.rules.len()],
        })
    }

    /// The same with other rules. Correlations that are the same in both go on.
    #[must_use]
    pub fn with_rules(
        self,
        set: &Arc<RuleSet>,
        limits: CorrelatorLimits,
        redaction: Redaction,
    ) -> Option<Self> {
        let mut other = Self::new(set, limits, redaction)?;
        other.correlator.adopt(self.correlator);
        Some(other)
    }

    /// Alerts by [`Rule::index`], of correlations only.
    pub fn alerts(&self) -> &[u64] {
        &self.alerts
    }

    /// The correlator.
    pub fn correlator(&self) -> &Correlator {
        &self.correlator
    }

    /// Takes what was observed of an event at `time`. `hold` gives what the
    /// [`Formatter`](super::Formatter) [held](super::Formatter::held) of it.
    pub fn take(
        &mut self,
        time: Timestamp,
        observations: &Observations,
        hold: &mut Describe<'_>,
        tell: &mut dyn FnMut(Correlated<'_>),
    ) {
        let Self { correlator, lines, alerts } = self;
        correlator.take(time, observations, hold, &mut |found| told(lines, alerts, &found, tell));
    }

    /// No event of before `time` will come.
    #[inline]
    pub fn advance(&mut self, time: Timestamp, tell: &mut dyn FnMut(Correlated<'_>)) {
        let Self { correlator, lines, alerts } = self;
        if correlator.is_waited_for(time) {
            correlator.advance(time, &mut |found| told(lines, alerts, &found, tell));
        }
    }
}

fn told(
    lines: &mut Lines,
    alerts: &mut [u64],
    found: &Found<'_>,
    tell: &mut dyn FnMut(Correlated<'_>),
) {
    let rule = found.rule;
    if rule.is_quiet {
        return;
    }
    if let Some(count) = alerts.get_mut(rule.index) {
        *count += 1;
    }
    let (time, group) = (found.time, found.group_octets());
    tell(Correlated { rule, time, group, line: lines.line(found) });
}

/// Makes lines.
#[derive(Debug)]
struct Lines {
    /// By [`Rule::index`].
    rules: Vec<Option<Part>>,
    redaction: Redaction,
    json: Json,
    /// What the last line was made of, and how many were made of it.
    last: u64,
    number: u32,
}

/// What all alerts of a correlation have in common.
#[derive(Debug)]
struct Part {
    alert: RulePart,
    together: Together,
}

impl Lines {
    fn new(rules: &[Rule], redaction: Redaction) -> Self {
        let part = |rule: &Rule| match rule.about {
            About::Correlation(together) => Some(Part { alert: RulePart::new(rule), together }),
            About::Records(_) => None,
        };
        let rules = rules.iter().map(part).collect();
        Self { rules, redaction, json: Json::default(), last: 0, number: 0 }
    }

    fn line(&mut self, found: &Found<'_>) -> &[u8] {
        let json = &mut self.json;
        json.clear();
        let Some(Some(Part { alert, together })) = self.rules.get(found.rule.index) else {
            return b"";
        };
        let Some((place, line)) = found.payload.split_first_chunk::<PLACE>() else { return b"" };
        let place = u32::from_le_bytes(*place) as usize;
        let Some((before, record)) = line.split_at_checked(place) else { return b"" };
        write_before(before, found, json);
        let redaction = self.redaction;
        let identifier = alert.write_with(json, |json| {
            json.open(&Key::new("correlation"), b'{');
            json.text(&Key::new("type"), together.kind.as_bytes());
            json.integer(&Key::new("timespan"), together.timespan.as_secs() as i64);
            match found.measure {
                Measure::Count(count) => json.integer(&Key::new("count"), count as i64),
                Measure::Number(number) => json.double(&Key::new("value"), number),
                Measure::Whole => {}
            }
            write_group(found, redaction, json);
            json.end(b'}');
        });
        json.raw(record);
        let mut hasher = FixedState::with_seed(0).build_hasher();
        // Of what is the same live and in replay: nothing of the capture.
        (found.time, alert.signature_id, found.group_octets()).hash(&mut hasher);
        if let Measure::Count(count) = found.measure {
            count.hash(&mut hasher);
        }
        hasher.write(record);
        let hash = hasher.finish();
        // The same packet may bring the same twice.
        self.number = if hash == self.last { self.number.wrapping_add(1) } else { 0 };
        self.last = hash;
        let hash = hash.wrapping_add(u64::from(self.number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        json.fill_in(identifier, &hexadecimal(hash));
        json.as_bytes()
    }
}

/// What stands before the alert; the time is that of the alert.
fn write_before(before: &[u8], found: &Found<'_>, json: &mut Json) {
    let key = Key::new("timestamp");
    json.begin();
    let start = json.len();
    json.time(&key, found.time);
    let length = json.len() - start;
    if found.is_later {
        json.raw(before.get(1 + length..).unwrap_or_default());
    } else {
        json.clear();
        json.raw(before);
    }
}

fn write_group(found: &Found<'_>, redaction: Redaction, json: &mut Json) {
    json.open(&Key::new("group"), b'{');
    for (field, value) in found.group() {
        match value {
            GroupValue::Absent => {}
            _ if redaction.hides(field.secrecy) => {
                json.member(&Member::name(Some(&field.name), Redaction::MARK));
            }
            GroupValue::Text(text) => json.text(&Key::new(&field.name), text),
            GroupValue::Plain(text) => json.plain(&Key::new(&field.name), text),
        }
    }
    json.end(b'}');
}
