//! What a capture thread finds, as lines on their way to the collector.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::ops::{Add, Range};
use std::sync::Arc;
use std::time::Instant;

use super::evidence::Evidence;
use crate::engine::{Place, Sink, Stats};
use crate::event::{Event, Redaction, Schema};
use crate::flow::Side;
use crate::inventory::Inventory;
use crate::output::evidence::KeeperCounters;
use crate::output::{Formatter, LineKind, Types};
use crate::packet::Frame;
use crate::protocol::{Fact, Protocol};
use crate::rule::{Alike, Hits, Likeness, Observations, RuleSet, Suppression};
use crate::time::Timestamp;

/// Octets of lines that nobody has taken yet. Beyond it records are let go, and alerts beyond twice
/// as much: then the collector hangs, and memory counts more.
const MOST_WAITING: usize = 32 << 20;

/// Octets that are made room for at once.
const USUAL: usize = 256 << 10;

/// Lines of one thread, in the order of their time.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) octets: Vec<u8>,
    pub(super) lines: Vec<Line>,
    /// What correlations want to know of the lines that are only held, in their order, each with the
    /// rules that were in force.
    pub(super) observations: VecDeque<(Arc<RuleSet>, Observations)>,
    /// No line older than this will follow.
    pub(super) watermark: Timestamp,
    /// The clock was set back: lines are not comparable with those before.
    pub(super) set_back: bool,
    /// The end has begun: until then outputs may be waited for.
    pub(super) until: Option<Instant>,
}

/// A line of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) time: Timestamp,
    pub(super) kind: LineKind,
    /// Where it ends in the batch's octets.
    pub(super) end: usize,
    /// Of an alert: which others it repeats, if they may be held back.
    pub(super) alike: Option<Alike>,
}

/// Lines that were let go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) records: u64,
    pub(super) alerts: u64,
}

impl Add for Lost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { records: self.records + other.records, alerts: self.alerts + other.alerts }
    }
}

/// Makes lines of what an engine finds.
#[derive(Debug)]
pub(super) struct LineSink {
    formatter: Formatter,
    /// Packets around alerts, if they are wanted.
    evidence: Option<Evidence>,
    lines: Vec<Line>,
    rules: Arc<RuleSet>,
    /// If alerts may be held back.
    likeness: Option<(Likeness, Suppression)>,
    /// Memory for what they are alike by.
    key: Vec<u8>,
    observations: VecDeque<(Arc<RuleSet>, Observations)>,
    /// Of the event at hand.
    observed: Observations,
    /// Lines of one thread never go back in time, except when the clock does.
    latest: Timestamp,
    set_back: bool,
    /// What flows that ended told of their servers.
    pub(super) inventory: Inventory,
    pub(super) lost: Lost,
}

impl LineSink {
    pub(super) fn new(
        types: Types,
        rules: &Arc<RuleSet>,
        sensor: Option<&str>,
        evidence: Option<Evidence>,
    ) -> Self {
        Self {
            evidence,
            formatter: Formatter::new(types, &rules.rules, sensor, USUAL),
            lines: Vec::new(),
            rules: Arc::clone(rules),
            likeness: None,
            key: Vec::new(),
            observations: VecDeque::new(),
            observed: Observations::default(),
            latest: Timestamp::ZERO,
            set_back: false,
            inventory: Inventory::default(),
            lost: Lost::default(),
        }
    }

    /// The same, without what this hides.
    pub(super) fn with_redaction(self, redaction: Redaction) -> Self {
        Self { formatter: self.formatter.with_redaction(redaction), ..self }
    }

    /// The same, with alerts that may be held back.
    pub(super) fn with_suppression(self, likeness: Option<(Likeness, Suppression)>) -> Self {
        Self { likeness, ..self }
    }

    pub(super) fn set_rules(&mut self, rules: &Arc<RuleSet>) {
        self.formatter.set_rules(&rules.rules);
        if let Some((likeness, suppression)) = &mut self.likeness {
            *likeness = likeness.with_rules(rules, suppression);
        }
        self.rules = Arc::clone(rules);
    }

    /// The clock was set back to `now`.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        (self.latest, self.set_back) = (now, true);
    }

    /// No frame of before `now` will come.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if let Some(evidence) = &mut self.evidence {
            evidence.tick(now);
        }
    }

    /// No frame will come: what is kept around alerts is handed over until `deadline`.
    pub(super) fn finish(&mut self, deadline: Instant) {
        if let Some(evidence) = &mut self.evidence {
            evidence.finish(deadline);
        }
    }

    /// What is counted of the packets around alerts.
    pub(super) fn evidence(&self) -> KeeperCounters {
        self.evidence.as_ref().map(Evidence::counters).unwrap_or_default()
    }

    /// Makes a line of the counters.
    pub(super) fn stats(&mut self, now: Timestamp, uptime: u64, stats: &Stats) {
        self.latest = self.latest.max(now);
        let (time, lines) = (self.latest, &mut self.lines);
        self.formatter.stats(now, uptime, stats, |kind, end| {
            lines.push(Line { time, kind, end, alike: None });
        });
    }

    /// What was made since the last time; no line older than `watermark` will follow.
    pub(super) fn batch(&self, watermark: Timestamp) -> Batch {
        Batch {
            octets: self.formatter.lines().to_vec(),
            lines: self.lines.clone(),
            observations: self.observations.clone(),
            watermark,
            set_back: self.set_back,
            until: None,
        }
    }

    /// The same at the end, for which outputs have time until then. The thread holds nobody up any
    /// more.
    pub(super) fn last_batch(&self, until: Instant) -> Batch {
        Batch { until: Some(until), ..self.batch(Timestamp::NEVER) }
    }

    /// Counts what no line is made of.
    pub(super) fn let_go(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        let wanted = self.formatter.types().records(event.record.schema());
        self.lost.records += u64::from(wanted);
        self.lost.alerts += fired.into_iter().count() as u64;
    }

    /// Whether there are enough lines for a batch.
    pub(super) fn is_due(&self) -> bool {
        self.formatter.lines().len() >= USUAL
    }

    /// The batch was taken.
    pub(super) fn taken(&mut self) {
        self.formatter.clear();
        self.lines.clear();
        self.observations.clear();
        self.set_back = false;
    }
}

impl Sink for LineSink {
    fn event(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        // Even if the line is let go, the packets say what happened, and which rule it was.
        let file = self.evidence.as_mut().and_then(|evidence| evidence.alert(event, fired));
        let waiting = self.formatter.lines().len();
        if waiting > MOST_WAITING && (fired.is_empty() || waiting > 2 * MOST_WAITING) {
            return self.let_go(event, fired);
        }
        self.latest = self.latest.max(event.context.timestamp);
        let (time, lines) = (self.latest, &mut self.lines);
        let (likeness, key) = (&self.likeness, &mut self.key);
        let mut rules = fired.into_iter();
        self.formatter.event_in(event, fired, file, |kind, end| {
            let mut alike = None;
            if let (LineKind::Alert(_), Some((likeness, _))) = (kind, likeness) {
                alike = rules.next().and_then(|rule| likeness.of(rule, event, key));
            }
            lines.push(Line { time, kind, end, alike });
        });
        if self.observed.take(event, fired) {
            self.formatter.hold(event, |kind, end| {
                lines.push(Line { time, kind, end, alike: None });
            });
            self.observations.push_back((Arc::clone(&self.rules), self.observed.clone()));
        }
    }

    fn wants(&self, schema: &'static Schema) -> bool {
        self.formatter.types().records(schema)
    }

    fn fact(
        &mut self,
        server: IpAddr,
        protocol: &'static Protocol,
        name: &'static str,
        fact: Fact<'_>,
    ) {
        self.inventory.add(server, protocol, name, fact);
    }

    fn keeps(&self) -> bool {
        self.evidence.is_some()
    }

    fn packet(&mut self, frame: &Frame<'_>, place: Place) {
        if let Some(evidence) = &mut self.evidence {
            evidence.packet(frame, &place);
        }
    }

    fn secret(&mut self, flow: u64, sender: Side, octets: Range<u32>) {
        if let Some(evidence) = &mut self.evidence {
            evidence.secret(flow, sender, octets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Anomaly, Context};

    fn context(time: u64) -> Context<'static> {
        let timestamp = Timestamp::from_nanos(time);
        Context::at(timestamp)
    }

    fn tell(sink: &mut LineSink, time: u64) {
        let record = Anomaly::in_packet("ip_header");
        sink.event(&Event { context: &context(time), record: &record }, Hits::default());
    }

    fn times(batch: &Batch) -> Vec<u64> {
        batch.lines.iter().map(|line| line.time.as_nanos()).collect()
    }

    #[test]
    fn lines_never_go_back_in_time_but_with_the_clock() {
        let mut sink = LineSink::new(Types::default(), &Arc::default(), None, None);
        for time in [5, 3, 7] {
            tell(&mut sink, time);
        }
        let batch = sink.batch(Timestamp::from_nanos(7));
        assert_eq!(times(&batch), [5, 5, 7]);
        assert_eq!(batch.lines.last().map(|line| line.end), Some(batch.octets.len()));
        sink.taken();
        assert!(sink.batch(Timestamp::ZERO).lines.is_empty());
        sink.set_back(Timestamp::from_nanos(2));
        tell(&mut sink, 3);
        let batch = sink.batch(Timestamp::from_nanos(3));
        assert!(batch.set_back);
        assert_eq!(times(&batch), [3]);
    }

    #[test]
    fn what_nobody_takes_is_let_go_and_counted() {
        let mut sink = LineSink::new(Types::default(), &Arc::default(), None, None);
        while sink.lost == Lost::default() {
            assert!(sink.lines.len() < MOST_WAITING / 50, "nothing is let go");
            tell(&mut sink, 1);
        }
        let kept = sink.lines.len();
        tell(&mut sink, 1);
        assert_eq!((sink.lost.records, sink.lost.alerts, sink.lines.len()), (2, 0, kept));
    }
}
