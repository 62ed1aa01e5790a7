//! One direction of a TCP connection, put in order.
//!
//! ```text
//!            delivered                  hole          out of order
//! ───────────────────────────────┬──────────────┬──────────┬───┬──────┐
//!        consumed     │  kept    │              │ pending  │   │      │
//! ────────────────────┴──────────┼──────────────┴──────────┴───┴──────┘
//!                              next
//! ```
//!
//! Data in order goes to the reader as the slice that it was captured in. Two things are copied:
//! the tail of a message that is not whole yet (`kept`), and what came ahead of its turn
//! (`pending`). Both are capped.

use std::time::Duration;

use super::pending::{Pending, Segment};
use super::policy::HostPolicy;
use super::reader::{Incident, Reader, Why};
use crate::packet::Tcp;
use crate::time::Timestamp;

/// A hole is given up so long after the receiver acknowledged what was in it …
const AFTER_ACKNOWLEDGED: Duration = Duration::from_millis(100);
/// … or so long after it showed, where nobody sees what the receiver acknowledges.
const AFTER_SEEN: Duration = Duration::from_secs(2);
/// A number so far from the expected one is of the same stream: sixteen times the largest buffer that
/// systems give a connection, and a 128th of all numbers.
pub(super) const NEAR: u32 = 1 << 25;
/// So many octets that are urgent are taken out of what is yet to come. A sender has one at a time
/// (RFC 6093, 3.1): more are those of segments behind a hole.
const URGENT: usize = 4;
/// So many different segments under the first sequence number are no accident.
const FROZEN: u8 = 3;

/// Counters of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamCounters {
    /// Holes that were given up.
    pub gaps: u32,
    /// Segments that carried nothing new.
    pub retransmissions: u32,
    /// Octets that were in the holes.
    pub missed: u64,
}

/// One direction of a TCP connection. A cache line: it is touched for every packet.
#[derive(Debug, Default)]
pub struct Stream {
    /// Octets from the start of the stream to `next`, those in gaps too.
    offset: u64,
    /// Sequence number of the next octet to deliver.
    next: u32,
    /// Octets yet to come that nobody wants.
    skip: u32,
    /// The reader is not called until so many octets are kept; 0 if none are.
    wanted: u32,
    /// Length of the last segment that was delivered, which ends at `next`; 0 if none does.
    last_length: u32,
    /// Its [`fingerprint`](Tcp::fingerprint), to compare a second copy with.
    last_fingerprint: u32,
    /// Sequence number of FIN, once it came.
    end: u32,
    /// The timestamp of the last segment that was in its turn, if it had one; 0 if none is known.
    recent: u32,
    /// The tail of a message that is not whole yet, and its room for the next one.
    kept: Option<Kept>,
    /// What few streams have.
    rare: Option<Box<Rare>>,
    /// Segments delivered, up to 2.
    segments: u8,
    /// Different segments under the first sequence number.
    frozen: u8,
    started: bool,
    /// Whether it had begun before we saw it. If it is not started, `next` is what its receiver
    /// expected then.
    joined: bool,
    ended: bool,
    /// Whether there is a hole, with something behind it, or anything else because of which the next
    /// segment cannot simply be delivered.
    holed: bool,
    /// How the receiver reads it.
    policy: HostPolicy,
}

/// Few streams keep anything: behind a pointer it takes a third of the space.
#[allow(clippy::box_collection, reason = "see above")]
type Kept = Box<Vec<u8>>;

/// What a stream has once it is not in order.
#[derive(Debug, Default)]
struct Rare {
    /// What came with SYN, while nobody knows whether its receiver took it.
    early: Box<[u8]>,
    /// What came behind a copy of the first segment that differs from it, while nobody knows
    /// whether it goes on there.
    doubtful: Vec<u8>,
    /// Whether that is doubtful because of its timestamp, so that only the receiver can tell.
    outdated: bool,
    /// What came ahead of its turn.
    pending: Pending,
    /// Octets that are urgent, by their place in the stream, until the stream has come there.
    urgent: [Option<u64>; URGENT],
    counters: StreamCounters,
}

impl Rare {
    fn memory(&self) -> usize {
        self.early.len() + self.doubtful.capacity() + self.pending.memory()
    }

    fn is_holed(&self) -> bool {
        !self.pending.is_empty() || !self.doubtful.is_empty() || self.urgent != [None; URGENT]
    }
}

impl Stream {
    /// This is how its receiver reads it.
    pub fn set_policy(&mut self, policy: HostPolicy) {
        self.policy = policy;
    }

    /// How its receiver reads it.
    pub(super) const fn policy(&self) -> HostPolicy {
        self.policy
    }

    /// The first octet will have this sequence number: SYN said so.
    pub fn start(&mut self, sequence: u32) {
        self.next = sequence;
        self.started = true;
        self.joined = false;
    }

    /// The receiver said something and expected the octet with this number, before we saw any of the
    /// stream: what stands between this octet and the first that we see is missing.
    #[cold]
    pub(super) fn expect(&mut self, number: u32) {
        if self.started || self.joined && distance(number, self.next) >= 0 {
            return;
        }
        self.next = number;
        self.joined = true;
    }

    /// Holds data that came with SYN (RFC 7413): its receiver takes it with SYN, or leaves it, and
    /// then it comes again, maybe with other content.
    pub(super) fn hold_early(&mut self, tcp: &Tcp<'_>) {
        if self.offset == 0 && self.rare().early.is_empty() {
            self.rare().early = tcp.payload.into();
        }
    }

    /// What SYN brought is the beginning of the stream as far as `acknowledged`, the next number
    /// that its receiver expects or its sender uses.
    pub(super) fn take_early(&mut self, acknowledged: u32, reader: &mut impl Reader) {
        let Some(rare) = &mut self.rare else { return };
        let early = std::mem::take(&mut rare.early);
        let taken = usize::try_from(distance(acknowledged, self.next)).unwrap_or(0);
        let taken = early.get(..taken).unwrap_or(&early);
        if self.offset > 0 || taken.is_empty() {
            return;
        }
        self.last_length = taken.len() as u32;
        self.last_fingerprint = Tcp::fingerprint_of(taken);
        self.segments = 1;
        self.hand_on(taken, reader);
    }

    /// The first octet that we see has this sequence number, or the next one if this is a
    /// keep-alive.
    #[cold]
    fn join(&mut self, sequence: u32, reader: &mut impl Reader) {
        let is_behind_hole = self.joined && is_little_ahead(sequence, self.next);
        if !is_behind_hole {
            self.next = sequence;
        }
        (self.started, self.joined) = (true, true);
        reader.joined();
    }

    /// Whether the sequence numbers are known.
    pub const fn is_started(&self) -> bool {
        self.started
    }

    /// Whether the stream began with `sequence`, and SYN said so.
    pub fn is_first(&self, sequence: u32) -> bool {
        !self.joined && self.is_first_seen(sequence)
    }

    /// Whether `sequence` is that of the first octet that was seen, or is known to be missing.
    pub(super) fn is_first_seen(&self, sequence: u32) -> bool {
        self.started && self.next.wrapping_sub(self.offset as u32) == sequence
    }

    /// Whether the next octet, as far as is known, has this number.
    pub const fn is_next(&self, sequence: u32) -> bool {
        !self.started || self.next == sequence
    }

    /// Sequence number of the next octet to deliver.
    pub const fn next(&self) -> u32 {
        self.next
    }

    /// Whether everything up to FIN was delivered.
    pub fn is_finished(&self) -> bool {
        self.ended && distance(self.end, self.next) <= 0
    }

    /// Whether there is a hole.
    #[inline]
    pub const fn has_hole(&self) -> bool {
        self.holed
    }

    /// The counters.
    pub fn counters(&self) -> StreamCounters {
        self.rare.as_ref().map_or_else(StreamCounters::default, |rare| rare.counters)
    }

    /// Octets kept for an unfinished message.
    pub fn kept(&self) -> &[u8] {
        self.kept.as_ref().map_or(&[], |kept| kept)
    }

    /// Octets of memory besides `self`.
    #[inline]
    pub fn memory(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.capacity())
            + self.rare.as_ref().map_or(0, |rare| rare.memory())
    }

    /// Takes a segment.
    #[inline]
    pub fn segment(&mut self, now: Timestamp, tcp: &Tcp<'_>, reader: &mut impl Reader) {
        if !self.started {
            self.join(tcp.sequence, reader);
        }
        if tcp.missing != 0 {
            return self.cut(now, tcp, reader);
        }
        if tcp.payload.is_empty() {
            return;
        }
        if tcp.sequence != self.next || self.holed || self.frozen != 0 {
            return self.out_of_order(now, tcp, reader);
        }
        self.advance(tcp.payload.len(), tcp.fingerprint);
        self.deliver(tcp.payload, reader);
    }

    /// The sender has no more than the octets before `sequence`. Those that were not seen are a hole.
    /// False if that cannot be: they are more than any window holds, or others came behind them.
    pub fn finish(&mut self, now: Timestamp, sequence: u32) -> bool {
        if self.joined && self.offset == 0 && distance(self.next, sequence) == 1 {
            // The stream was joined at the packet behind its FIN, as that came first.
            (self.ended, self.end) = (true, self.next);
            return true;
        }
        // Of two the first one counts: nothing can come behind it.
        if self.ended && distance(sequence, self.end) >= 0 {
            return sequence == self.end;
        }
        let is_second = self.ended;
        let is_here = sequence == self.next || !self.started;
        if !is_here && !is_little_ahead(sequence, self.next) {
            // A capture written by hand has one number for all segments.
            return self.frozen != 0;
        }
        (self.ended, self.end) = (true, sequence);
        if !is_here {
            let end = self.offset + u64::from(sequence.wrapping_sub(self.next));
            self.rare().pending.end(now, end);
            self.holed = true;
        } else if is_second {
            self.rare().pending.forget_end();
            self.holed = self.rare().is_holed();
        }
        !is_second
    }

    /// Whether data came from behind where it ended. It goes on then.
    #[cold]
    pub(super) fn goes_on(&mut self) -> bool {
        let goes_on = self.ended && distance(self.next, self.end) > 0;
        self.ended &= !goes_on;
        goes_on
    }

    /// The sender goes on all the same.
    pub(super) fn resume(&mut self) {
        self.ended = false;
    }

    /// Gives up the holes that are due at `now`. `acknowledged` is the number that the receiver
    /// said it expects, if it said anything.
    pub fn expire(&mut self, now: Timestamp, acknowledged: Option<u32>, reader: &mut impl Reader) {
        if let Some(number) = acknowledged {
            self.trust(number, true, reader);
        }
        while let Some(rare) = self.rare.as_mut().filter(|rare| !rare.pending.is_empty()) {
            let beyond = acknowledged.map(|number| distance(number, self.next) > 0);
            if !rare.pending.is_due(now, beyond, AFTER_ACKNOWLEDGED, AFTER_SEEN) {
                return;
            }
            self.give_up_hole(reader);
        }
    }

    /// Gives up every hole. `acknowledged` as in [`Self::expire`].
    pub fn flush(&mut self, acknowledged: Option<u32>, reader: &mut impl Reader) {
        if let Some(number) = acknowledged {
            self.trust(number, true, reader);
        }
        self.thaw(reader);
        while self.rare.as_ref().is_some_and(|rare| !rare.pending.is_empty()) {
            self.give_up_hole(reader);
        }
        if let Some(rare) = &mut self.rare {
            rare.urgent = Default::default();
        }
        self.holed = false;
        if let Some(number) = acknowledged.filter(|_| self.started && !self.ended) {
            self.miss_tail(number, reader);
        }
    }

    /// The receiver has octets that nobody saw, and none came behind them to show it. One of them may
    /// be a FIN, which takes a number too: it is missed only where it may complete a message.
    fn miss_tail(&mut self, acknowledged: u32, reader: &mut impl Reader) {
        let may_be_fin = acknowledged == self.next.wrapping_add(1) && self.wanted == 0;
        if is_little_ahead(acknowledged, self.next) && !may_be_fin {
            self.miss(acknowledged.wrapping_sub(self.next).into(), Why::Lost, reader);
        }
    }

    /// Shows the reader again what is kept: somebody else reads now.
    pub fn read_kept(&mut self, reader: &mut impl Reader) {
        if self.wanted > 0 {
            self.wanted = 1;
            self.deliver(&[], reader);
        }
    }

    /// Takes a segment of which only a part was captured: the rest will not come from elsewhere.
    #[cold]
    fn cut(&mut self, now: Timestamp, tcp: &Tcp<'_>, reader: &mut impl Reader) {
        if !tcp.payload.is_empty() {
            self.out_of_order(now, tcp, reader);
        }
        let end = tcp.sequence.wrapping_add(tcp.length());
        let captured = tcp.sequence.wrapping_add(tcp.payload.len() as u32);
        let (missing, ahead) = (distance(end, self.next), distance(captured, self.next));
        if missing <= 0 || ahead > 0 {
            return;
        }
        let before = self.rare().pending.first().map(|first| first - self.offset);
        self.miss(before.unwrap_or(u64::MAX).min(missing as u64), Why::Cut, reader);
        self.deliver_pending(reader);
    }

    #[cold]
    fn out_of_order(&mut self, now: Timestamp, tcp: &Tcp<'_>, reader: &mut impl Reader) {
        self.trust(tcp.sequence, false, reader);
        let ahead = self.ahead(tcp.sequence);
        if ahead > 0 {
            return self.keep_pending(now, ahead as u64, tcp.payload, reader);
        }
        if ahead == 0 {
            self.thaw(reader);
        } else if self.is_unbelievable_copy(tcp, reader) {
            return;
        }
        let old = ahead.unsigned_abs() as usize;
        match tcp.payload.get(old..) {
            Some(new) if !new.is_empty() => self.take_in_turn(now, new, old as u64, reader),
            _ if is_keep_alive(old, tcp.payload) => {}
            _ => self.count_retransmission(),
        }
    }

    /// Takes octets that begin at `next`, of a segment with `old` ones before them. Where others wait
    /// in the same place, the receiver's policy says whose are read.
    fn take_in_turn(&mut self, now: Timestamp, new: &[u8], old: u64, reader: &mut impl Reader) {
        let (at, policy) = (self.offset, self.policy.overlaps);
        let end = at + new.len() as u64;
        let contested = |rare: &Rare| rare.pending.overlaps(at..end);
        if self.rare.as_deref().is_some_and(contested) {
            let segment = Segment { at, bytes: new, sent: at.saturating_sub(old)..end };
            self.segments = 2;
            if self.rare().pending.insert(now, &segment, policy) {
                reader.incident(Incident::OverlapDiffers { offset: at });
            }
        } else {
            self.advance(new.len(), Tcp::fingerprint_of(new));
            self.hand_on(new, reader);
        }
        self.deliver_pending(reader);
    }

    /// How far ahead of its turn a segment is, or how far behind.
    fn ahead(&mut self, sequence: u32) -> i32 {
        let ahead = distance(sequence, self.next);
        if ahead == 1 && self.joined && self.offset == 0 {
            // Joined at a keep-alive without data, whose number is one too low (RFC 9293, 3.8.4).
            self.next = sequence;
            return 0;
        }
        ahead
    }

    fn count_retransmission(&mut self) {
        let counters = &mut self.rare().counters;
        counters.retransmissions = counters.retransmissions.saturating_add(1);
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    #[inline]
    fn advance(&mut self, length: usize, fingerprint: u32) {
        self.last_length = length as u32;
        self.last_fingerprint = fingerprint;
        self.segments = (self.segments + 1).min(2);
    }

    fn keep_pending(
        &mut self,
        now: Timestamp,
        ahead: u64,
        payload: &[u8],
        reader: &mut impl Reader,
    ) {
        let (at, policy) = (self.offset + ahead, self.policy.overlaps);
        self.holed = true;
        let segment = Segment { at, bytes: payload, sent: at..at + payload.len() as u64 };
        if self.rare().pending.insert(now, &segment, policy) {
            reader.incident(Incident::OverlapDiffers { offset: at });
        }
        while self.rare().pending.is_full() {
            if self.rare().pending.is_awaited() {
                self.rare().pending.drop_last();
                self.holed = self.rare().is_holed();
            } else {
                self.give_up_hole(reader);
            }
        }
    }

    /// Gives up what is held: every hole, and a message that is not whole.
    pub fn give_up(&mut self, reader: &mut impl Reader) {
        self.flush(None, reader);
        if let Some(rare) = &mut self.rare {
            rare.early = Box::default();
        }
        if self.wanted > 0 {
            self.wanted = 0;
            if let Some(kept) = self.kept.take() {
                reader.reach(self.next);
                reader.gap(kept.len() as u64, Why::Lost);
            }
        }
    }

    /// Delivers what is no longer ahead of its turn.
    fn deliver_pending(&mut self, reader: &mut impl Reader) {
        while self.holed {
            let offset = self.offset;
            let pending = &mut self.rare().pending;
            pending.progress();
            let Some((at, piece)) = pending.take(offset) else {
                self.holed = self.rare().is_holed();
                return;
            };
            let old = (offset - at) as usize;
            if let Some(new) = piece.bytes.get(old..) {
                self.last_length = 0;
                reader.late(true);
                self.hand_on(new, reader);
                reader.late(false);
            }
        }
    }

    fn give_up_hole(&mut self, reader: &mut impl Reader) {
        if self.is_finished() {
            // Nobody reads what is said to stand behind the end.
            self.rare().pending = Pending::default();
            self.holed = self.rare().is_holed();
            return reader.incident(Incident::FinOutOfWindow);
        }
        if let Some(first) = self.rare().pending.first() {
            self.miss(first - self.offset, Why::Lost, reader);
        }
        self.deliver_pending(reader);
    }

    /// Goes on behind `missing` octets that never came.
    fn miss(&mut self, missing: u64, why: Why, reader: &mut impl Reader) {
        self.forget_doubtful();
        self.next = self.next.wrapping_add(missing as u32);
        self.offset += missing;
        self.segments = 2;
        self.last_length = 0;
        let counters = &mut self.rare().counters;
        counters.gaps = counters.gaps.saturating_add(1);
        counters.missed += missing;
        let unwanted = missing.min(u64::from(self.skip));
        self.skip -= unwanted as u32;
        if missing > unwanted {
            self.wanted = 0;
            if let Some(kept) = &mut self.kept {
                kept.clear();
            }
            reader.reach(self.next);
            reader.gap(missing - unwanted, why);
        }
    }
}

/// A keep-alive probe repeats one octet that was acknowledged, or has a zero in its place (RFC 9293,
/// 3.8.4).
fn is_keep_alive(behind: usize, payload: &[u8]) -> bool {
    behind == 1 && *payload == [0]
}

/// Whether `a` is ahead of `b`, and not too far to be of the same stream.
fn is_little_ahead(a: u32, b: u32) -> bool {
    (1..NEAR as i32).contains(&distance(a, b))
}

/// How far `a` is ahead of `b`, modulo 2^32.
#[inline]
pub(super) const fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

const _: () = assert!(size_of::<Stream>() <= 64, "a stream has outgrown its cache line");

mod delivery;
mod doubt;
#[cfg(test)]
mod tests;
