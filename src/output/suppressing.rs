//! Alerts that repeat themselves, held back and counted in those that are told.

use crate::rule::{Alike, Level, Suppressed, Suppression, Suppressor, Verdict};
use crate::time::Timestamp;

/// Lets lines of alerts pass, or holds them back.
#[derive(Debug)]
pub struct Suppressing {
    suppressor: Suppressor,
    /// The line at hand, with what is said in it.
    line: Vec<u8>,
}

impl Suppressing {
    /// `None` where nothing is suppressed.
    pub fn new(suppression: &Suppression) -> Option<Self> {
        let suppressor = Suppressor::new(suppression);
        (!suppression.is_off()).then(|| Self { suppressor, line: Vec::new() })
    }

    /// What was not told.
    pub fn counts(&self) -> Suppressed {
        self.suppressor.counts()
    }

    /// The line of an alert as it is to be told, if it is.
    pub fn take<'l>(
        &'l mut self,
        time: Timestamp,
        alike: Alike,
        level: Level,
        line: &'l [u8],
    ) -> Option<&'l [u8]> {
        match self.suppressor.take(time, alike, level, line) {
            Verdict::Suppressed => None,
            Verdict::Told { suppressed: 0 } => Some(line),
            Verdict::Told { suppressed } => {
                write_suppressed(line, suppressed, &mut self.line);
                Some(&self.line)
            }
        }
    }

    /// No alert of before `time` will come.
    pub fn advance(&mut self, time: Timestamp, tell: &mut dyn FnMut(&[u8], Level)) {
        let Self { suppressor, line } = self;
        suppressor.advance(time, &mut |held, level, suppressed| {
            write_suppressed(held, suppressed, line);
            tell(line, level);
        });
    }

    /// None will come any more.
    pub fn finish(&mut self, tell: &mut dyn FnMut(&[u8], Level)) {
        let Self { suppressor, line } = self;
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
