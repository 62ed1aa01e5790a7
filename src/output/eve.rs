//! EVE JSON lines into a writer: for replay, which waits for its output.

use std::io::{self, Write};
use std::sync::Arc;

use super::{Correlated, Formatter, HeldBack, LineKind, Types};
use crate::engine::Stats;
use crate::event::{Event, Redaction};
use crate::rule::{Rule, RuleSet, Suppressed, Suppression};
use crate::time::Timestamp;

/// Octets that are gathered before they are written: few system calls, and still in the cache.
const BATCH: usize = 128 * 1024;

/// Writes events as EVE JSON lines.
///
/// Takes events without a result, as a sink must; the first error of the writer below stops all
/// writing and is told by [`finish`](Self::finish).
#[derive(Debug)]
pub struct Eve<W: Write> {
    output: W,
    /// Has the lines that are not written yet.
    formatter: Formatter,
    /// If alerts are held back.
    sieve: Option<Sieve>,
    written: u64,
    error: Option<io::Error>,
}

/// Alerts that may be held back.
#[derive(Debug)]
struct Sieve {
    held_back: HeldBack,
    rules: Arc<RuleSet>,
    /// Memory: what was made of an event, and where each line ends.
    made: Vec<(LineKind, usize)>,
    lines: Vec<u8>,
}

impl<W: Write> Eve<W> {
    /// Writes records of these `types` and alerts of `rules` to `output`. `sensor` names the
    /// sensor in the field `host`.
    pub fn new(output: W, types: Types, rules: &[Rule], sensor: Option<&str>) -> Self {
        let formatter = Formatter::new(types, rules, sensor, BATCH + BATCH / 4);
        Self { output, formatter, sieve: None, written: 0, error: None }
    }

    /// The same, without what this hides.
    #[must_use]
    pub fn with_redaction(self, redaction: Redaction) -> Self {
        Self { formatter: self.formatter.with_redaction(redaction), ..self }
    }

    /// The same, with alerts held back that repeat each other.
    #[must_use]
    pub fn with_suppression(self, suppression: Suppression, rules: &Arc<RuleSet>) -> Self {
        let sieve = HeldBack::new(suppression, rules).map(|held_back| Sieve {
            held_back,
            rules: Arc::clone(rules),
            made: Vec::new(),
            lines: Vec::new(),
        });
        Self { sieve, ..self }
    }

    /// What was held back and not told.
    pub fn suppressed(&self) -> Suppressed {
        self.sieve.as_ref().map(|sieve| sieve.held_back.counts()).unwrap_or_default()
    }

    /// The types of records that are written.
    pub fn types(&self) -> &Types {
        self.formatter.types()
    }

    /// How many records were taken.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Whether writing failed; nothing is written any more.
    pub fn failed(&self) -> bool {
        self.error.is_some()
    }

    /// Writes a record, and an alert for each of the rules that fired on it.
    pub fn event<'r>(
        &mut self,
        event: &Event<'_>,
        fired: impl IntoIterator<Item = &'r Rule, IntoIter: Clone>,
    ) {
        self.event_in(event, fired, None);
    }

    /// The same; the alerts name a file with packets around them.
    pub fn event_in<'r>(
        &mut self,
        event: &Event<'_>,
        fired: impl IntoIterator<Item = &'r Rule, IntoIter: Clone>,
        capture_file: Option<&str>,
    ) {
        let fired = fired.into_iter();
        let Some(sieve) = &mut self.sieve else {
            self.formatter.event_in(event, fired, capture_file, |_, _| self.written += 1);
            return self.write_full();
        };
        let formatter = &mut self.formatter;
        self.written += sieve.advance(event.context.timestamp, formatter);
        let start = formatter.lines().len();
        sieve.made.clear();
        formatter.event_in(event, fired.clone(), capture_file, |kind, end| {
            sieve.made.push((kind, end - start));
        });
        formatter.take_from(start, &mut sieve.lines);
        self.written += sieve.pass(event, fired, formatter);
        self.write_full();
    }

    /// What an alert of a correlation would say of this record: see [`Formatter::held`].
    pub fn held(&mut self, event: &Event<'_>) -> &[u8] {
        self.formatter.held(event)
    }

    /// Writes an alert of a correlation.
    pub fn correlated(&mut self, alert: &Correlated<'_>) {
        let mut line = Some(alert.line);
        if let Some(sieve) = &mut self.sieve {
            self.written += sieve.advance(alert.time, &mut self.formatter);
            let Sieve { held_back, rules, .. } = sieve;
            if let Some(alike) = held_back.of_group(rules, alert) {
                line = held_back.take(alert.time, alike, alert.rule.level, alert.line);
            }
        }
        if line.is_some_and(|line| self.formatter.line(line)) {
            self.written += 1;
        }
        self.write_full();
    }

    /// Writes the counters as they were at `now`, `uptime` seconds after the first packet.
    pub fn stats(&mut self, now: Timestamp, uptime: u64, stats: &Stats) {
        self.formatter.stats(now, uptime, stats, |_, _| self.written += 1);
        self.write_full();
    }

    #[inline]
    fn write_full(&mut self) {
        if self.formatter.lines().len() >= BATCH {
            self.write_out();
        }
    }

    fn write_out(&mut self) {
        if self.error.is_none() {
            self.error = self.output.write_all(self.formatter.lines()).err();
        }
        self.formatter.clear();
    }

    /// Tells what is held back: no event will come.
    pub fn tell_held(&mut self) {
        let (formatter, written) = (&mut self.formatter, &mut self.written);
        if let Some(Sieve { held_back, .. }) = &mut self.sieve {
            held_back.finish(&mut |line, _| *written += u64::from(formatter.line(line)));
        }
    }

    /// Writes what is left, and tells whether everything could be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.tell_held();
        self.write_out();
        match self.error {
            Some(error) => Err(error),
            None => self.output.flush(),
        }
    }
}

impl Sieve {
    /// Tells what was held back until `time`. How many lines that were.
    fn advance(&mut self, time: Timestamp, formatter: &mut Formatter) -> u64 {
        let mut passed = 0;
        self.held_back.advance(time, &mut |line, _| passed += u64::from(formatter.line(line)));
        passed
    }

    /// Hands the lines of an event on, but for alerts that are held back. How many there were.
    fn pass<'r>(
        &mut self,
        event: &Event<'_>,
        mut fired: impl Iterator<Item = &'r Rule>,
        formatter: &mut Formatter,
    ) -> u64 {
        let (mut start, mut passed) = (0, 0);
        let Self { held_back, made, lines, .. } = self;
        for (kind, end) in made {
            let line = lines.get(start..*end).unwrap_or_default();
            start = *end;
            let told = match kind {
                LineKind::Alert(level) => {
                    let alike = fired.next().and_then(|rule| held_back.of(rule, event));
                    let Some(alike) = alike else { continue };
                    held_back.take(event.context.timestamp, alike, *level, line)
                }
                LineKind::Record(_) | LineKind::Stats | LineKind::Held => Some(line),
            };
            if let Some(line) = told {
                formatter.raw(line);
                passed += 1;
            }
        }
        passed
    }
}
