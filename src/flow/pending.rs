//! Octets of a stream that came ahead of their turn.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included};
use std::ops::Range;
use std::time::Duration;

use super::Overlaps;
use crate::time::Timestamp;

/// Why 256 KiB: four windows of a connection without window scaling. A hole that is still open
/// behind so much data is loss, not reordering.
const MAX_MEMORY: usize = 256 * 1024;
/// What a piece costs beside its octets: its part of the map and the header of an allocation.
const PIECE_MEMORY: usize = 96;
/// What it costs that there is a hole at all: this struct and the first node of its map.
const BASE_MEMORY: usize = 640;
/// More pieces than this are no longer kept apart where they touch, so that a segment that overlaps
/// all of them is not compared with each again and again. A window of full segments that is waiting
/// has fewer: 64 KiB are 45 of them.
const APART: usize = 64;

/// What is left of a segment.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// The segment as it was sent: octets from the start of the stream.
    sent: Range<u64>,
    /// When it came: since then the hole before it was known.
    since: Timestamp,
}

/// A segment that is to be added.
#[derive(Debug)]
pub(super) struct Segment<'a> {
    /// Where `bytes` begins: octets from the start of the stream.
    pub(super) at: u64,
    /// Those that were not delivered yet.
    pub(super) bytes: &'a [u8],
    /// The whole of it.
    pub(super) sent: Range<u64>,
}

impl Segment<'_> {
    fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }

    fn part(&self, range: &Range<u64>) -> &[u8] {
        part(self.at, self.bytes, range)
    }
}

/// The octets in `range` of some that begin at `at`.
fn part<'a>(at: u64, bytes: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    bytes.get((range.start - at) as usize..(range.end - at) as usize).unwrap_or_default()
}

/// What came behind the first hole of a stream: pieces in order, apart from each other, never empty.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// By where they begin.
    pieces: BTreeMap<u64, Piece>,
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
        if self.pieces.is_empty() {
            return 0;
        }
        BASE_MEMORY + self.octets + self.pieces.len() * PIECE_MEMORY
    }

    pub(super) fn is_full(&self) -> bool {
        self.memory() > MAX_MEMORY
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.end.is_none()
    }

    /// The stream ends at `at`: what is missing before is a hole too.
    pub(super) fn end(&mut self, now: Timestamp, at: u64) {
        self.end = Some((at, now));
    }

    /// The stream ends where it stands.
    pub(super) fn forget_end(&mut self) {
        self.end = None;
    }

    /// Whether the receiver was known to wait for what is in the first hole.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// Drops what is farthest ahead.
    pub(super) fn drop_last(&mut self) {
        if let Some((_, piece)) = self.pieces.pop_last() {
            self.octets -= piece.bytes.len();
        }
    }

    /// Where the first hole ends.
    pub(super) fn first(&self) -> Option<u64> {
        let first = self.pieces.keys().next().copied();
        first.into_iter().chain(self.end.map(|(at, _)| at)).min()
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
        let of_first = self.pieces.values().next().map(|first| first.since);
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

    /// Takes the first piece if it begins at `offset` or before, and where it begins: so far the
    /// stream has come.
    pub(super) fn take(&mut self, offset: u64) -> Option<(u64, Piece)> {
        self.end = self.end.filter(|(at, _)| *at > offset);
        let first = self.pieces.first_entry().filter(|first| *first.key() <= offset)?;
        let (at, piece) = first.remove_entry();
        self.octets -= piece.bytes.len();
        Some((at, piece))
    }

    /// Whether some octets between these are there.
    pub(super) fn overlaps(&self, range: Range<u64>) -> bool {
        self.first_within(range).is_some()
    }

    /// Adds a segment; `policy` decides about octets that are there. True if some were, with other
    /// content.
    pub(super) fn insert(
        &mut self,
        now: Timestamp,
        segment: &Segment<'_>,
        policy: Overlaps,
    ) -> bool {
        let end = segment.end();
        let (mut differs, mut since) = (false, now);
        // From `won` to `done` the octets are those of the segment.
        let (mut won, mut done) = (segment.at, segment.at);
        while let Some(at) = self.first_within(done..end) {
            let Some(there) = self.pieces.get(&at) else { break };
            let both = done.max(at)..end.min(at + there.bytes.len() as u64);
            differs |= part(at, &there.bytes, &both) != segment.part(&both);
            if policy.prefers_newer(&there.sent, &segment.sent) {
                since = since.min(there.since);
                self.cut_out(at, &both);
            } else {
                self.add(since, segment, won..both.start);
                (won, since) = (both.end, now);
            }
            done = both.end;
        }
        self.add(since, segment, won..end);
        if self.pieces.len() > APART {
            self.join(segment.at, end);
        }
        differs
    }

    /// Where the first piece begins that has octets in this range.
    fn first_within(&self, range: Range<u64>) -> Option<u64> {
        let before = self.pieces.range(..=range.start).next_back();
        let reaches_in = before.filter(|(at, piece)| *at + piece.bytes.len() as u64 > range.start);
        let first = reaches_in.or_else(|| self.pieces.range(range.clone()).next());
        first.map(|(at, _)| *at).filter(|_| !range.is_empty())
    }

    /// Takes a range out of the piece that begins at `at`.
    fn cut_out(&mut self, at: u64, range: &Range<u64>) {
        let Some(mut piece) = self.pieces.remove(&at) else { return };
        self.octets -= (range.end - range.start) as usize;
        let behind = piece.bytes.split_off((range.end - at) as usize);
        if !behind.is_empty() {
            let (sent, since) = (piece.sent.clone(), piece.since);
            self.pieces.insert(range.end, Piece { bytes: behind, sent, since });
        }
        piece.bytes.truncate((range.start - at) as usize);
        if !piece.bytes.is_empty() {
            self.pieces.insert(at, piece);
        }
    }

    /// Adds a part of a segment, where nothing is.
    fn add(&mut self, since: Timestamp, segment: &Segment<'_>, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let bytes = segment.part(&range).to_vec();
        self.octets += bytes.len();
        self.pieces.insert(range.start, Piece { bytes, sent: segment.sent.clone(), since });
    }

    /// Makes one of pieces that touch, from the one that `from` is in or behind as far as `to`. The
    /// shorter of two is copied, so that no octet is copied often.
    fn join(&mut self, from: u64, to: u64) {
        let first = self.pieces.range(..from).next_back();
        let Some(mut at) = first.map(|(at, _)| *at).or_else(|| self.first_within(from..to)) else {
            return;
        };
        while let Some((next, piece)) = self.pieces.range((Excluded(at), Included(to))).next() {
            let (next, length) = (*next, piece.bytes.len());
            let touches = |piece: &Piece| at + piece.bytes.len() as u64 == next;
            let joins = |piece: &Piece| touches(piece) && length <= piece.bytes.len();
            if !self.pieces.get(&at).is_some_and(joins) {
                at = next;
            } else if let Some(behind) = self.pieces.remove(&next)
                && let Some(piece) = self.pieces.get_mut(&at)
            {
                piece.bytes.extend_from_slice(&behind.bytes);
                piece.sent.start = piece.sent.start.min(behind.sent.start);
                piece.sent.end = piece.sent.end.max(behind.sent.end);
            }
        }
    }
}
