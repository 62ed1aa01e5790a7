//! Stands in for the flow layer, for tests: shows a parser octets in order, keeps what it asks to be
//! kept, skips what it skips, and holds it to its contract.
//!
//! The drivers of the fuzz targets have this file too, and import the same names from the library.

#![allow(dead_code, reason = "each user uses some of it")]

use super::{
    Acknowledged, Direction, Input, Left, Parser, Progress, Protocol, Records, Shared, Start,
    Timestamp,
};

/// Both directions of a flow. What the parser tells goes to `out`.
pub(crate) struct Conversation<O> {
    protocol: &'static Protocol,
    pub(crate) parser: Box<dyn Parser>,
    shared: Box<Shared>,
    ways: [Kept; 2],
    pub(crate) time: Timestamp,
    pub(crate) clock_trusted: bool,
    pub(crate) out: O,
}

/// What is kept of a direction for an unfinished message.
#[derive(Default)]
struct Kept {
    octets: Vec<u8>,
    wanted: usize,
    skip: usize,
    /// Octets of the direction before those that are kept.
    before: usize,
}

impl<O: Records> Conversation<O> {
    pub(crate) fn new(
        protocol: &'static Protocol,
        start: Start<'_>,
        time: Timestamp,
        out: O,
    ) -> Self {
        let shared = (protocol.shared)();
        let parser = (protocol.start)(start, &*shared);
        let ways = Default::default();
        Self { protocol, parser, shared, ways, time, clock_trusted: true, out }
    }

    /// One segment, whose sender has acknowledged all that we saw.
    pub(crate) fn say(&mut self, direction: Direction, segment: &[u8]) {
        self.hear(direction, Acknowledged::All, segment);
    }

    /// One segment.
    pub(crate) fn hear(
        &mut self,
        direction: Direction,
        acknowledged: Acknowledged,
        segment: &[u8],
    ) {
        let kept = &mut self.ways[direction as usize];
        let skipped = kept.skip.min(segment.len());
        kept.skip -= skipped;
        kept.before += skipped;
        kept.octets.extend_from_slice(&segment[skipped..]);
        if kept.octets.is_empty() || kept.octets.len() < kept.wanted {
            return;
        }
        let shown = kept.octets.len();
        let input = Input {
            direction,
            time: self.time,
            late: acknowledged == Acknowledged::Part,
            clock_trusted: self.clock_trusted,
            acknowledged,
            bytes: &kept.octets,
        };
        let progress = self.parser.data(input, &mut *self.shared, &mut self.out);
        let Progress { consumed, wanted } = progress;
        kept.skip = consumed.saturating_sub(shown);
        kept.before += consumed.min(shown);
        kept.octets.drain(..consumed.min(shown));
        kept.wanted = if kept.octets.is_empty() { 0 } else { wanted };
        if !kept.octets.is_empty() {
            assert!(wanted > kept.octets.len(), "it wants no more than it has: {progress:?}");
            assert!(wanted <= self.protocol.max_kept, "it wants more than it may: {progress:?}");
        }
    }

    /// Octets of this direction that wait for more.
    pub(crate) fn kept(&self, direction: Direction) -> usize {
        self.ways[direction as usize].octets.len()
    }

    /// Where the octets begin, counted from the first of this direction, that the parser is shown
    /// next.
    pub(crate) fn place(&self, direction: Direction) -> usize {
        let kept = &self.ways[direction as usize];
        kept.before + kept.skip
    }

    /// So many octets are not seen.
    pub(crate) fn miss(&mut self, direction: Direction, missing: usize) {
        let kept = &mut self.ways[direction as usize];
        let unwanted = kept.skip.min(missing);
        kept.skip -= unwanted;
        kept.before += missing;
        if missing > unwanted {
            kept.before += kept.octets.len();
            kept.octets.clear();
            kept.wanted = 0;
            self.parser.gap(direction, (missing - unwanted) as u64, &mut self.out);
        }
    }

    /// The flow is over: all that was told.
    pub(crate) fn end(mut self) -> O {
        let left = self.ways.each_ref().map(|kept| Left { bytes: &kept.octets, ended: true });
        self.parser.end(left, &mut *self.shared, &mut self.out);
        self.parser.facts(&mut |name, _| assert!(!name.is_empty()));
        self.out
    }
}
