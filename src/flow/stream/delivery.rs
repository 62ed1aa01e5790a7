//! What is in order goes to the reader; what it leaves is kept for it.

use super::{Kept, NEAR, Stream, distance};
use crate::flow::{Progress, Reader, Urgent, Why};

/// Room for a tail that a stream may hold on to: what one segment leaves of a message, twice over.
const SPARE: usize = 4096;

impl Stream {
    /// Hands octets that begin at `next` to the reader.
    #[inline]
    pub(super) fn deliver(&mut self, bytes: &[u8], reader: &mut impl Reader) {
        self.next = self.next.wrapping_add(bytes.len() as u32);
        self.offset += bytes.len() as u64;
        if self.wanted == 0 && self.skip == 0 {
            return self.read(bytes, reader);
        }
        self.deliver_behind(bytes, reader);
    }

    /// As `deliver`, where an octet of these may be taken out of the stream.
    pub(super) fn hand_on(&mut self, mut bytes: &[u8], reader: &mut impl Reader) {
        while let Some(place) = self.first_urgent(bytes.len() as u64) {
            let (before, rest) = bytes.split_at((place - self.offset) as usize);
            if !before.is_empty() {
                self.deliver(before, reader);
            }
            self.next = self.next.wrapping_add(1);
            self.offset += 1;
            bytes = rest.get(1..).unwrap_or_default();
        }
        if !bytes.is_empty() {
            self.deliver(bytes, reader);
        }
    }

    /// The first urgent octet of so many that come next. Those before are forgotten.
    fn first_urgent(&mut self, length: u64) -> Option<u64> {
        let rare = self.rare.as_mut()?;
        let (from, to) = (self.offset, self.offset + length);
        for place in &mut rare.urgent {
            *place = place.filter(|place| *place >= from);
        }
        let first = rare.urgent.iter().flatten().copied().min().filter(|place| *place < to);
        self.holed = rare.is_holed();
        first
    }

    /// As `deliver`, where octets are kept or to be skipped: takes as few as complete the message,
    /// so that the rest can go on without a copy.
    fn deliver_behind(&mut self, mut bytes: &[u8], reader: &mut impl Reader) {
        loop {
            let skipped = bytes.len().min(self.skip as usize);
            self.skip -= skipped as u32;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if self.wanted == 0 {
                break;
            }
            let mut kept = self.kept.take().unwrap_or_default();
            let missing = (self.wanted as usize).saturating_sub(kept.len());
            let (taken, rest) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
            kept.extend_from_slice(taken);
            bytes = rest;
            if taken.len() < missing {
                self.kept = Some(kept);
                return;
            }
            reader.reach(self.next.wrapping_sub(bytes.len() as u32));
            let progress = reader.data(&kept);
            self.skip = progress.consumed.saturating_sub(kept.len()) as u32;
            kept.drain(..progress.consumed.min(kept.len()));
            self.keep(kept, progress, reader);
        }
        if !bytes.is_empty() {
            self.read(bytes, reader);
        }
    }

    /// Lets the reader read `bytes` in place and keeps what it leaves.
    #[inline]
    fn read(&mut self, bytes: &[u8], reader: &mut impl Reader) {
        reader.reach(self.next);
        let progress = reader.data(bytes);
        match bytes.get(progress.consumed..) {
            Some([]) => {}
            Some(rest) => {
                let mut kept = self.kept.take().unwrap_or_default();
                kept.extend_from_slice(rest);
                self.keep(kept, progress, reader);
            }
            None => self.skip = (progress.consumed - bytes.len()) as u32,
        }
    }

    /// Keeps octets until there are as many as the reader waits for. A reader that wants no more
    /// than it has would be asked forever, and one that wants more than it may would never be
    /// served: both lose what is kept.
    fn keep(&mut self, mut kept: Kept, progress: Progress, reader: &mut impl Reader) {
        let length = kept.len();
        self.wanted = if length == 0 { 0 } else { progress.wanted as u32 };

        if length > 0 && (progress.wanted <= length || progress.wanted > reader.max_kept()) {
            reader.gap(length as u64, Why::Lost);
            kept.clear();
            self.wanted = 0;
        } else if length > 0 {
            kept.reserve_exact(progress.wanted.min(SPARE).saturating_sub(length));
        }
        // The room that one large message needed is given back.
        self.kept = Some(kept).filter(|kept| !kept.is_empty() || kept.capacity() <= SPARE);
    }

    /// The octet before `sequence` is urgent. Where the stream stands then, if it has not passed it.
    pub(in crate::flow) fn mark_urgent(&mut self, sequence: u32) -> Option<u64> {
        let behind = distance(sequence, self.next);
        if !self.started || !(1..NEAR as i32).contains(&behind) {
            return None;
        }
        let place = self.offset + behind as u64 - 1;
        let is_out = self.policy.urgent == Urgent::OutOfBand;
        let urgent = &mut self.rare().urgent;
        if is_out
            && !urgent.contains(&Some(place))
            && let Some(free) = urgent.iter_mut().find(|place| place.is_none())
        {
            *free = Some(place);
            self.holed = true;
        }
        Some(place)
    }
}
