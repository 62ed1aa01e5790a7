//! Octets of a stream that came ahead of their turn.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Timestamp;

/// Why 256 KiB: four windows of a connection without window scaling. A hole that is still open
/// behind so much data is loss, not reordering.
const MAX_MEMORY: usize = 256 * 1024;
/// What a run costs beside its octets: its part of the map and the header of an allocation.
const RUN_MEMORY: usize = 64;
/// What it costs that there is a hole at all: this struct and the first node of its map.
const BASE_MEMORY: usize = 640;

/// A run of octets without a hole.
#[derive(Debug)]
pub(super) struct Run {
    /// Octets from the start of the stream.
    pub(super) at: u64,
    pub(super) bytes: Vec<u8>,
    /// When its first octet came: since then the hole before it was known.
    since: Timestamp,
}

/// The runs behind the first hole of a stream: in order, apart from each other, never empty.
#[derive(Debug, Default)]
pub(super) struct Pending {
    runs: BTreeMap<u64, Run>,
    octets: usize,
    /// Where the stream ends, behind a hole, and since when that is known.
    end: Option<(u64, Timestamp)>,
    /// When the receiver was first known to have what is in the first hole.
    acknowledged: Option<Timestamp>,
    /// Whether the receiver was known to wait for what is in the first hole.
    awaited: bool,
}

impl Pending {
    /// Octets of memory.
    pub(super) fn memory(&self) -> usize {
        if self.runs.is_empty() {
            return 0;
        }
        BASE_MEMORY + self.octets + self.runs.len() * RUN_MEMORY
    }

    pub(super) fn is_full(&self) -> bool {
        self.memory() > MAX_MEMORY
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.end.is_none()
    }

    /// The stream ends at `at`: what is missing before is a hole too.
    pub(super) fn end(&mut self, now: Timestamp, at: u64) {
        self.end = Some((at, now));
    }

    /// Whether the receiver was known to wait for what is in the first hole.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// Drops what is farthest ahead.
    pub(super) fn drop_last(&mut self) {
        if let Some((_, run)) = self.runs.pop_last() {
            self.octets -= run.bytes.len();
        }
    }

    /// Where the first hole ends.
    pub(super) fn first(&self) -> Option<u64> {
        self.runs.keys().next().copied().or(self.end.map(|(at, _)| at))
    }

    /// The first hole is another one now.
    pub(super) fn progress(&mut self) {
        self.acknowledged = None;
    }

    /// Whether the first hole is to be given up: `acknowledged` is whether the receiver has what is
    /// in it, if anybody saw. One that still waits for it shows that what lies behind is forged, or
    /// that the network lost what is to come again.
    pub(super) fn is_due(
        &mut self,
        now: Timestamp,
        acknowledged: Option<bool>,
        after_acknowledged: Duration,
        after_seen: Duration,
    ) -> bool {
        let of_first = self.runs.values().next().map(|first| first.since);
        let Some(seen) = of_first.or(self.end.map(|(_, since)| since)) else { return true };
        self.awaited = acknowledged == Some(false);
        if self.awaited {
            return false;
        }
        if acknowledged == Some(true) {
            let since = *self.acknowledged.get_or_insert(now.max(seen));
            if since + after_acknowledged <= now {
                return true;
            }
        }
        seen + after_seen <= now
    }

    /// Takes the first run if it begins at `offset` or before: so far the stream has come.
    pub(super) fn take(&mut self, offset: u64) -> Option<Run> {
        self.end = self.end.filter(|(at, _)| *at > offset);
        let first = self.runs.first_entry().filter(|first| *first.key() <= offset)?;
        let run = first.remove();
        self.octets -= run.bytes.len();
        Some(run)
    }

    /// Takes the octets from `at` on that are not there yet. True if some were, with other content.
    pub(super) fn insert(&mut self, now: Timestamp, at: u64, bytes: &[u8]) -> bool {
        let end = at + bytes.len() as u64;
        let part = |from: u64, to: u64| {
            bytes.get((from - at) as usize..(to - at) as usize).unwrap_or_default()
        };
        let mut differs = false;
        let mut missing: Vec<(u64, u64)> = Vec::new();
        let mut done = at;
        let before = self.runs.range(..=at).next_back().map_or(at, |(start, _)| *start);
        for (start, run) in self.runs.range(before..end) {
            let run_end = start + run.bytes.len() as u64;
            if run_end <= done {
                continue;
            }
            if *start > done {
                missing.push((done, *start));
            }
            let (from, to) = (done.max(*start), run_end.min(end));
            let there = run.bytes.get((from - start) as usize..(to - start) as usize);
            differs |= there != Some(part(from, to));
            done = run_end;
        }
        if done < end {
            missing.push((done, end));
        }
        for (from, to) in missing {
            self.add(now, from, part(from, to));
        }
        differs
    }

    /// Adds octets that touch no others but at their ends.
    fn add(&mut self, now: Timestamp, at: u64, bytes: &[u8]) {
        self.octets += bytes.len();
        if let Some((_, before)) = self.runs.range_mut(..at).next_back()
            && before.at + before.bytes.len() as u64 == at
        {
            before.bytes.extend_from_slice(bytes);
            return;
        }
        self.runs.insert(at, Run { at, bytes: bytes.to_vec(), since: now });
    }
}
