//! gridtap over a capture: its records as others read them, and what its rules find.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gridtap::engine::{Engine, Limits, Sink};
use gridtap::event::{Event, Schema};
use gridtap::output::{Formatter, Types};
use gridtap::protocol::{Fact, Protocol};
use gridtap::rule::{
    About, Correlator, CorrelatorLimits, GroupValue, Hits, Measure, Observations, Rule, RuleSet,
};
use serde_json::Value as Json;

use crate::common::{feed, frames};
use crate::{Alert, Found};

/// What there is to see in a capture.
pub(crate) struct Seen {
    /// Records as EVE lines, each with its number, from 0, in `id`, and in `moment` microseconds.
    pub(crate) lines: Vec<u8>,
    pub(crate) records: usize,
    pub(crate) found: Found,
}

/// Runs an engine and a correlator over a capture.
pub(crate) fn run(capture: &Path, rules: &Arc<RuleSet>) -> Seen {
    let types: Vec<_> = Types::names().filter(|name| !["alert", "stats"].contains(name)).collect();
    let types: Types = types.join(",").parse().unwrap();
    let timespan = |rule: &Rule| match rule.about {
        About::Correlation(together) => together.timespan,
        About::Records(_) => Duration::ZERO,
    };
    let longest = rules.rules.iter().map(timespan).max().unwrap_or_default();
    let mut recorder = Recorder {
        formatter: Formatter::new(types, &rules.rules, None, 1 << 16),
        correlator: Correlator::new(Arc::clone(rules), CorrelatorLimits::default()),
        observations: Observations::default(),
        now: 0,
        moment: 0,
        longest: longest.as_micros() as u64,
        seen: Seen { lines: Vec::new(), records: 0, found: Found::default() },
    };
    let mut engine = Engine::new(Arc::clone(rules), Limits::default(), &recorder);
    feed(&mut engine, &frames(capture), &mut recorder);
    engine.finish(&mut recorder);
    assert_eq!(recorder.correlator.evicted(), 0);
    recorder.seen.found.alerts.sort();
    recorder.seen
}

impl Seen {
    /// The records.
    pub(crate) fn parsed(&self) -> Vec<Json> {
        let lines = self.lines.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    /// How often each rule was met.
    pub(crate) fn hits_by_rule(&self) -> BTreeMap<String, usize> {
        let mut by_rule = BTreeMap::new();
        for (rule, _) in &self.found.hits {
            *by_rule.entry(rule.clone()).or_default() += 1;
        }
        by_rule
    }
}

struct Recorder {
    formatter: Formatter,
    correlator: Correlator,
    observations: Observations,
    /// Microseconds: the latest time, and the moment that is given for it.
    now: u64,
    moment: u64,
    /// The longest of all timespans.
    longest: u64,
    seen: Seen,
}

/// Microseconds: see docs/correlations.md.
const SET_BACK: u64 = 10_000_000;

impl Recorder {
    /// The moment that is given for a time. A record that comes a little late counts as if it came in time;
    /// where time is set back all is forgotten, as if it had gone on for long.
    fn moment(&mut self, time: u64) -> u64 {
        if self.seen.records == 0 {
            self.now = time;
        } else if time + SET_BACK < self.now {
            self.now = time;
            self.moment += self.longest + 1;
        }
        self.moment += time.max(self.now) - self.now;
        self.now = self.now.max(time);
        assert!(self.moment < 1_000_000_000_000, "more would be taken for milliseconds");
        self.moment
    }
}

impl Sink for Recorder {
    fn event(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        let time = event.context.timestamp;
        let moment = self.moment(time.as_nanos() / 1000);
        let Seen { lines, records, found } = &mut self.seen;
        let record = *records;
        *records += 1;
        self.formatter.event(event, [], |_, _| {});
        let line = without_null(self.formatter.lines());
        let members = line.strip_prefix(b"{").expect("a record is an object");
        write!(lines, "{{\"id\":{record},\"moment\":{moment},").unwrap();
        lines.extend_from_slice(members);
        self.formatter.clear();

        found.hits.extend(fired.rules().map(|rule| (rule.id.to_string(), record)));
        if !self.observations.take(event, fired) {
            return;
        }
        self.correlator.take(time, &self.observations, &mut |_| {}, &mut |met| {
            let values = met.group().filter_map(|(field, value)| match value {
                GroupValue::Absent => None,
                GroupValue::Plain(text) => Some((field.name.clone(), plain(text))),
                GroupValue::Text(text) => {
                    Some((field.name.clone(), String::from_utf8_lossy(text).into_owned()))
                }
            });
            let number = match met.measure {
                Measure::Count(count) => Some((count as f64).to_string()),
                Measure::Number(number) => Some(number.to_string()),
                Measure::Whole => None,
            };
            let rule = met.rule.id.to_string();
            found.alerts.push(Alert { rule, record, group: values.collect(), number });
        });
    }

    fn wants(&self, _: &'static Schema) -> bool {
        true
    }

    fn fact(&mut self, _: IpAddr, _: &'static Protocol, _: &'static str, _: Fact<'_>) {}
}

/// A number or a flag. Records say `1.0` where rsigma says `1`.
fn plain(text: &[u8]) -> String {
    let text = str::from_utf8(text).unwrap();
    match text.parse::<f64>() {
        Ok(number) if text.contains(['.', 'e']) => number.to_string(),
        _ => text.to_owned(),
    }
}

/// A record, but for what it shows as `null`: that is no field to whoever searches it, and a value to
/// rsigma.
fn without_null(record: &[u8]) -> Vec<u8> {
    if !record.windows(5).any(|octets| octets == b":null") {
        return record.to_vec();
    }
    let mut record = serde_json::from_slice(record).unwrap();
    leave_out_null(&mut record);
    format!("{record}\n").into_bytes()
}

fn leave_out_null(value: &mut Json) {
    match value {
        Json::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(leave_out_null);
        }
        Json::Array(members) => members.iter_mut().for_each(leave_out_null),
        _ => {}
    }
}
