//! EVE JSON lines into a writer: for replay, which waits for its output.

use std::io::{self, Write};

use super::{Formatter, Types};
use crate::engine::Stats;
use crate::event::{Event, Redaction};
use crate::rule::Rule;
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
    written: u64,
    error: Option<io::Error>,
}

impl<W: Write> Eve<W> {
    /// Writes records of these `types` and alerts of `rules` to `output`. `sensor` names the
    /// sensor in the field `host`.
    pub fn new(output: W, types: Types, rules: &[Rule], sensor: Option<&str>) -> Self {
        let formatter = Formatter::new(types, rules, sensor, BATCH + BATCH / 4);
        Self { output, formatter, written: 0, error: None }
    }

    /// The same, without what this hides.
    #[must_use]
    pub fn with_redaction(self, redaction: Redaction) -> Self {
        Self { formatter: self.formatter.with_redaction(redaction), ..self }
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
    pub fn event<'r>(&mut self, event: &Event<'_>, fired: impl IntoIterator<Item = &'r Rule>) {
        self.event_in(event, fired, None);
    }

    /// The same; the alerts name a file with packets around them.
    pub fn event_in<'r>(
        &mut self,
        event: &Event<'_>,
        fired: impl IntoIterator<Item = &'r Rule>,
        capture_file: Option<&str>,
    ) {
        self.formatter.event_in(event, fired, capture_file, |_, _| self.written += 1);
        self.write_full();
    }

    /// What an alert of a correlation would say of this record: see [`Formatter::held`].
    pub fn held(&mut self, event: &Event<'_>) -> &[u8] {
        self.formatter.held(event)
    }

    /// Writes an alert of a correlation.
    pub fn correlated(&mut self, line: &[u8]) {
        if self.formatter.correlated(line) {
            self.written += 1;
            self.write_full();
        }
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

    /// Writes what is left, and tells whether everything could be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.write_out();
        match self.error {
            Some(error) => Err(error),
            None => self.output.flush(),
        }
    }
}
