//! What a receiver may read otherwise: copies that differ, and segments with old timestamps.

use std::num::NonZeroU32;

use super::{FROZEN, Rare, Stream, distance, is_keep_alive};
use crate::flow::{Incident, Overlaps, Reader};
use crate::packet::Tcp;

/// What comes one behind the other with old timestamps is held as far as a window without scaling goes:
/// by then the receiver said whether it takes them.
const MOST_DOUBTFUL: usize = 64 * 1024;

impl Stream {
    /// The stream goes on behind its first segment after all, or ends: what copies there were of its
    /// first octets was forged or mangled.
    pub(super) fn thaw(&mut self, reader: &mut impl Reader) {
        if (1..FROZEN).contains(&self.frozen) {
            self.frozen = 0;
            reader.incident(Incident::OverlapDiffers { offset: 0 });
        }
        if let Some(rare) = &mut self.rare {
            rare.doubtful = Vec::new();
            rare.outdated = false;
            self.holed = rare.is_holed();
        }
    }

    /// The receiver expects the octet with this number, or the sender goes on with it: what came
    /// before, behind a copy of the first segment, is a part of the stream. What is doubtful for its
    /// timestamp is one if the receiver says so.
    pub(super) fn trust(&mut self, number: u32, by_receiver: bool, reader: &mut impl Reader) {
        let taken = usize::try_from(distance(number, self.next)).unwrap_or(0);
        let can_tell = |rare: &&mut Box<Rare>| by_receiver || !rare.outdated;
        let Some(rare) = self.rare.as_mut().filter(|rare| taken > 0 && !rare.doubtful.is_empty())
        else {
            return;
        };
        let Some(rare) = Some(rare).filter(can_tell) else { return };
        let mut doubtful = std::mem::take(&mut rare.doubtful);
        let rest = doubtful.split_off(taken.min(doubtful.len()));
        let outdated = rare.outdated;
        self.thaw(reader);
        (self.segments, self.last_length) = (2, 0);
        self.hand_on(&doubtful, reader);
        let next = self.next;
        self.deliver_pending(reader);
        if outdated {
            // What was taken for the last timestamp is none.
            self.recent = 0;
        }
        if outdated && self.next == next {
            self.doubt_timestamp_of(&rest);
        }
    }

    /// The stream goes on elsewhere than where the doubtful octets begin.
    pub(super) fn forget_doubtful(&mut self) {
        let rare = self.rare();
        rare.doubtful = Vec::new();
        rare.outdated = false;
        self.holed = self.rare().is_holed();
    }

    /// Compares a copy of what was delivered with it, as far as it is still known, and says whether
    /// none of the segment is to be taken.
    pub(super) fn is_unbelievable_copy(&mut self, tcp: &Tcp<'_>, reader: &mut impl Reader) -> bool {
        let behind = self.next.wrapping_sub(tcp.sequence);
        if is_keep_alive(behind as usize, tcp.payload) {
            return false;
        }
        let offset = self.offset.saturating_sub(behind.into());
        let is_other = self.differs_from_last(behind, tcp);
        if is_other && self.segments < 2 {
            return self.hold_doubtful(tcp, reader);
        }
        if is_other || self.differs_from_kept(behind as usize, tcp.payload) {
            reader.incident(Incident::OverlapDiffers { offset });
        }
        false
    }

    /// Whether a segment that begins where the last one did has another beginning.
    fn differs_from_last(&self, behind: u32, tcp: &Tcp<'_>) -> bool {
        let length = self.last_length as usize;
        match tcp.payload.get(..length) {
            _ if behind != self.last_length => false,
            Some(_) if tcp.payload.len() == length => tcp.fingerprint != self.last_fingerprint,
            Some(copy) => Tcp::fingerprint_of(copy) != self.last_fingerprint,
            None => false,
        }
    }

    /// Whether octets that begin so far behind differ from those that are kept.
    fn differs_from_kept(&self, behind: usize, payload: &[u8]) -> bool {
        let kept = self.kept();
        let (of_kept, of_payload) =
            (kept.len().saturating_sub(behind), behind.saturating_sub(kept.len()));
        let kept = kept.get(of_kept..).unwrap_or_default();
        let copy = payload.get(of_payload..).unwrap_or_default();
        kept.iter().zip(copy).any(|(one, other)| one != other)
    }

    /// A copy of the first segment has other content: a capture written by hand, or a forged one.
    fn hold_doubtful(&mut self, tcp: &Tcp<'_>, reader: &mut impl Reader) -> bool {
        self.frozen = self.frozen.saturating_add(1);
        if self.frozen == FROZEN {
            reader.incident(Incident::SequenceFrozen);
        }
        self.count_retransmission();
        let rest = tcp.payload.get(self.last_length as usize..).unwrap_or_default();
        self.doubt(rest);
        true
    }

    /// Holds octets that begin at `next`, of which nobody knows yet whether the receiver takes them.
    fn doubt(&mut self, octets: &[u8]) {
        if !octets.is_empty() && self.rare().doubtful.is_empty() {
            self.rare().doubtful = octets.to_vec();
            self.holed = true;
        }
    }

    /// Whether a segment has new data and its timestamp is older than that of data before it, so that
    /// its receiver drops it (RFC 7323, 5.2). Notes the timestamp of one that is in its turn.
    #[inline]
    pub(in crate::flow) fn is_outdated(&mut self, tcp: &Tcp<'_>) -> bool {
        let Some(stamp) = tcp.timestamp.map(NonZeroU32::get) else { return false };
        if self.recent != 0 && distance(stamp, self.recent) < 0 {
            return self.is_dropped(stamp, tcp);
        }
        if tcp.sequence == self.next {
            self.recent = stamp;
        }
        false
    }

    /// Notes the timestamp of a segment without data.
    #[inline]
    pub(in crate::flow) fn note_timestamp(&mut self, tcp: &Tcp<'_>) {
        self.is_outdated(tcp);
    }

    /// Linux takes a clock that went back by one for one that is read twice.
    #[cold]
    fn is_dropped(&self, stamp: u32, tcp: &Tcp<'_>) -> bool {
        let tolerated = i32::from(self.policy.overlaps == Overlaps::Linux);
        let end = tcp.sequence.wrapping_add(tcp.length());
        distance(self.recent, stamp) > tolerated && tcp.length() > 0 && distance(end, self.next) > 0
    }

    /// Leaves a segment that its receiver drops for its timestamp. If it is in its turn it is held
    /// until that is certain: what we take for recent may have been forged itself.
    #[cold]
    pub(in crate::flow) fn refuse(&mut self, tcp: &Tcp<'_>, reader: &mut impl Reader) {
        reader.incident(Incident::OldTimestamp);
        let ahead = distance(tcp.sequence, self.next);
        let held = self.rare().doubtful.len();
        if ahead <= 0 {
            let old = ahead.unsigned_abs() as usize;
            self.doubt_timestamp_of(tcp.payload.get(old..).unwrap_or_default());
        } else if self.rare().outdated && ahead as usize == held && held < MOST_DOUBTFUL {
            self.rare().doubtful.extend_from_slice(tcp.payload);
        }
    }

    /// Holds octets that begin at `next` until the receiver says that it has them.
    fn doubt_timestamp_of(&mut self, octets: &[u8]) {
        if self.frozen == 0 && self.rare().doubtful.is_empty() && !octets.is_empty() {
            self.doubt(octets);
            self.rare().outdated = true;
        }
    }
}
