//! Lines on their way to the outputs.

use std::sync::Arc;

use crate::rule::Level;

/// Complete EVE lines, each with its line feed, shared by all outputs without a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    // Each line ends at or after the one before it, the last one where the octets end.
    octets: Vec<u8>,
    lines: Vec<Line>,
    /// How many of them are alerts.
    alerts: usize,
}

/// Where a line ends, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The offset of the octet after its line feed, from the beginning of the chunk.
    pub end: u32,
    /// How bad it is, when it is an alert.
    pub alert: Option<Level>,
}

impl Chunk {
    /// An empty chunk with room for `octets`.
    pub fn with_capacity(octets: usize) -> Self {
        Self { octets: Vec::with_capacity(octets), ..Self::default() }
    }

    /// Adds a line, which ends in its only line feed. Returns false, and takes nothing, when the
    /// chunk would pass 4 GiB.
    pub fn push(&mut self, line: &[u8], alert: Option<Level>) -> bool {
        let Ok(end) = u32::try_from(self.octets.len() + line.len()) else { return false };
        self.octets.extend_from_slice(line);
        self.lines.push(Line { end, alert });
        self.alerts += usize::from(alert.is_some());
        true
    }

    /// How many octets its lines have.
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    /// Whether there is no line in it.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// All its lines.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Where its lines end.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Whether one of its lines is an alert.
    pub fn has_alerts(&self) -> bool {
        self.alerts > 0
    }

    /// The line with this number, and what it is.
    pub(super) fn line(&self, number: usize) -> Option<(&[u8], Option<Level>)> {
        let line = self.lines.get(number)?;
        let octets = self.octets.get(self.start_of(number)..line.end as usize)?;
        Some((octets, line.alert))
    }

    /// Lines from number `from` on.
    pub(super) fn lines_from(
        &self,
        from: usize,
    ) -> impl Iterator<Item = (&[u8], Option<Level>)> + '_ {
        (from..self.lines.len()).filter_map(|number| self.line(number))
    }

    /// A copy of those lines from number `from` on that are alerts, or that are none.
    pub(super) fn only(&self, alerts: bool, from: usize) -> Self {
        let mut chosen = Self::default();
        for (octets, alert) in self.lines_from(from) {
            if alert.is_some() == alerts {
                chosen.push(octets, alert);
            }
        }
        chosen
    }

    /// How many lines from number `from` on are alerts, and how many are not.
    pub(super) fn count(&self, from: usize) -> Count {
        let lines = self.lines.get(from..).unwrap_or_default();
        let alerts = match from {
            0 => self.alerts,
            _ => lines.iter().filter(|line| line.alert.is_some()).count(),
        } as u64;
        Count { alerts, records: lines.len() as u64 - alerts }
    }

    /// Where the line with this number begins.
    fn start_of(&self, number: usize) -> usize {
        match number.checked_sub(1).and_then(|before| self.lines.get(before)) {
            Some(before) => before.end as usize,
            None => 0,
        }
    }
}

/// Numbers of lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) alerts: u64,
    pub(super) records: u64,
}

/// The lines of a chunk that a target has not taken yet: a target takes them from the front.
#[derive(Debug)]
pub struct Lines {
    chunk: Arc<Chunk>,
    /// The number of the first line that is not taken.
    next: usize,
    /// Lines that no receiver can take, and their octets.
    too_long: u64,
    too_long_octets: u64,
}

impl Lines {
    /// All lines of a chunk.
    pub fn new(chunk: Arc<Chunk>) -> Self {
        Self { chunk, next: 0, too_long: 0, too_long_octets: 0 }
    }

    /// Whether all are taken.
    pub fn is_empty(&self) -> bool {
        self.next >= self.chunk.lines.len()
    }

    /// The octets of all lines that are left.
    pub fn octets(&self) -> &[u8] {
        self.chunk.octets.get(self.chunk.start_of(self.next)..).unwrap_or_default()
    }

    /// The first line that is left, with its line feed, and how bad it is when it is an alert.
    pub fn first(&self) -> Option<(&[u8], Option<Level>)> {
        self.chunk.line(self.next)
    }

    /// The lines that are left, as [`first`](Self::first) gives them.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<Level>)> {
        self.chunk.lines_from(self.next)
    }

    /// How many of the lines that are left are whole within so many octets of theirs.
    pub fn whole_within(&self, octets: usize) -> usize {
        let limit = self.chunk.start_of(self.next) + octets;
        let left = self.chunk.lines.get(self.next..).unwrap_or_default();
        left.partition_point(|line| line.end as usize <= limit)
    }

    /// How many octets the first so many lines have.
    pub fn octets_of(&self, lines: usize) -> usize {
        self.octets_between(self.next, self.next + lines)
    }

    /// How many octets the lines have from one number to before another one.
    pub(super) fn octets_between(&self, from: usize, to: usize) -> usize {
        self.chunk.start_of(to) - self.chunk.start_of(from)
    }

    /// The target has taken so many lines.
    pub fn take(&mut self, lines: usize) {
        self.next = (self.next + lines).min(self.chunk.lines.len());
    }

    /// The first line is longer than the target can ever take: it is let go, and counted.
    pub fn refuse(&mut self) {
        self.too_long += 1;
        self.too_long_octets += self.first().map_or(0, |(line, _)| line.len() as u64);
        self.take(1);
    }

    /// How many lines are gone, taken or refused.
    pub(super) fn position(&self) -> usize {
        self.next
    }

    /// How many of these were refused, and their octets.
    pub(super) fn too_long(&self) -> (u64, u64) {
        (self.too_long, self.too_long_octets)
    }

    pub(super) fn chunk(&self) -> &Arc<Chunk> {
        &self.chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_lines() -> Arc<Chunk> {
        let mut chunk = Chunk::default();
        chunk.push(b"one\n", None);
        chunk.push(b"three\n", Some(Level::High));
        chunk.push(b"x\n", None);
        chunk.into()
    }

    #[test]
    fn lines_are_taken_from_the_front() {
        let mut lines = Lines::new(three_lines());
        assert_eq!(lines.octets(), b"one\nthree\nx\n");
        assert_eq!(
            [0, 3, 4, 9, 10, 99].map(|octets| lines.whole_within(octets)),
            [0, 0, 1, 1, 2, 3]
        );
        lines.take(1);
        assert_eq!(lines.first(), Some((&b"three\n"[..], Some(Level::High))));
        assert_eq!([5, 6, 8].map(|octets| lines.whole_within(octets)), [0, 1, 2]);
        assert_eq!([0, 1, 2].map(|count| lines.octets_of(count)), [0, 6, 8]);
        lines.refuse();
        assert_eq!((lines.octets(), lines.too_long()), (&b"x\n"[..], (1, 6)));
        lines.take(7);
        assert!(lines.is_empty() && lines.octets().is_empty() && lines.first().is_none());
    }

    #[test]
    fn alerts_and_other_lines_can_be_told_apart() {
        let chunk = three_lines();
        assert_eq!(chunk.only(true, 0).octets(), b"three\n");
        assert_eq!(chunk.only(false, 0).octets(), b"one\nx\n");
        assert_eq!(chunk.only(false, 1).octets(), b"x\n");
        assert_eq!(chunk.count(1), Count { alerts: 1, records: 1 });
        assert!(chunk.has_alerts() && !chunk.only(false, 0).has_alerts());
    }
}
