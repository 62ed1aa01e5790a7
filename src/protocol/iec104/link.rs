//! The link as a state machine: who controls, whether data transfer is started, and the numbers of
//! the I-frames (IEC 60870-5-104, 5.1 to 5.5).
//!
//! ```text
//!             STARTDT act            STARTDT con
//!  stopped ──────────────▶ starting ─────────────▶ started
//!     ▲                                               │ STOPDT act
//!     └────────────────────── stopping ◀──────────────┘
//!          STOPDT con
//! ```
//!
//! We see both ends from some place in between. What one of them says about the other is judged
//! only where its acknowledgments in TCP say that it knew no more than we do; else it waits for the
//! other direction. What we did not see ourselves is no violation by anybody: behind a hole
//! numbers are learned anew, and a link that was joined is in no state until it says so.

use std::time::Duration;

use super::apci::{Apdu, Control, Function};
use super::settings::Settings;
use crate::flow::{Acknowledged, Direction};
use crate::time::Timestamp;

/// An I-frame before the link was started, or after it was stopped.
pub(super) const DATA_BEFORE_START: &str = "data_before_start";
/// I-frames are missing in the numbers, and no octets in the stream: they were lost at the sender,
/// or somebody on the way took them out. The value is the number that came.
pub(super) const NS_GAP_NO_TCP_LOSS: &str = "ns_gap_no_tcp_loss";
/// An N(S) comes again, in other octets of the stream.
pub(super) const NS_REPEAT: &str = "ns_repeat";
/// An N(S) that is neither near the next nor near the last.
pub(super) const NS_OUT_OF_WINDOW: &str = "ns_out_of_window";
/// An N(R) for I-frames that were never sent, or one less than before.
pub(super) const NR_OUT_OF_WINDOW: &str = "nr_out_of_window";
/// More I-frames are not acknowledged than the station's k. The value is how many.
pub(super) const K_EXCEEDED: &str = "k_exceeded";
/// More I-frames were received than the station's w, and the next APDU does not acknowledge them.
pub(super) const W_EXCEEDED: &str = "w_exceeded";
/// No answer within the station's t1. The value is the milliseconds it took, or so far.
pub(super) const T1_TIMEOUT: &str = "t1_timeout";
/// Nothing was sent for longer than the station's t3, and nobody tested the link. The value is the
/// milliseconds.
pub(super) const T3_TEST_MISSING: &str = "t3_test_missing";
/// STARTDT act, although the link is started or about to be.
pub(super) const STARTDT_REPEAT: &str = "startdt_repeat";
/// Both ends want to control.
pub(super) const START_FROM_BOTH: &str = "start_from_both";
/// STOPDT con while I-frames are not acknowledged. The value is how many.
pub(super) const STOP_WITH_UNACKED: &str = "stop_with_unacked";

/// Every name above.
pub(super) const NAMES: [&str; 12] = [
    DATA_BEFORE_START,
    NS_GAP_NO_TCP_LOSS,
    NS_REPEAT,
    NS_OUT_OF_WINDOW,
    NR_OUT_OF_WINDOW,
    K_EXCEEDED,
    W_EXCEEDED,
    T1_TIMEOUT,
    T3_TEST_MISSING,
    STARTDT_REPEAT,
    START_FROM_BOTH,
    STOP_WITH_UNACKED,
];

/// Numbers count modulo this (5.1).
const MODULUS: u16 = 1 << 15;
/// The first control octet of STARTDT act.
const STARTDT_ACT: u64 = 0x07;
/// How near a wrong N(S) must be to be a gap or a repetition, where the station's k is not known: a
/// few times the k of 12 that stations have as a rule.
const NEAR: u16 = 64;
/// Links are tested by timers that tick in whole seconds: so much later is still in time.
const LATE: Duration = Duration::from_secs(2);

/// Where the violation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// N(S), two octets into the APDU.
    Send,
    /// N(R), four octets into the APDU.
    Receive,
    /// The function of a U-frame.
    Function,
    /// The time of the APDU.
    Time,
}

/// What is wrong with the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) event: &'static str,
    pub(super) place: Place,
    pub(super) value: u64,
    pub(super) detail: &'static str,
}

/// One APDU, as far as the link is concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) direction: Direction,
    pub(super) time: Timestamp,
    pub(super) acknowledged: Acknowledged,
    pub(super) apdu: &'a Apdu<'a>,
    /// Its octets.
    pub(super) octets: &'a [u8],
}

/// Whether data transfer is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transfer {
    /// We did not see enough to tell.
    Unknown,
    /// From the beginning, or since STOPDT con was sent this way.
    Stopped(Option<Direction>),
    /// STARTDT act was sent this way.
    Starting(Direction),
    Started,
    Stopping,
}

/// A number, or that none is known: two octets, as all of this is touched for every APDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known(u16);

impl Known {
    const NONE: Self = Self(u16::MAX);

    const fn some(number: u16) -> Self {
        Self(number)
    }

    #[inline]
    const fn get(self) -> Option<u16> {
        if self.0 == u16::MAX { None } else { Some(self.0) }
    }

    /// The number, and from here on none.
    fn take(&mut self) -> Option<u16> {
        std::mem::replace(self, Self::NONE).get()
    }
}

/// The I-frames of one direction.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    /// V(S): the N(S) that comes next, once known.
    next: Known,
    /// The last N(R) of the other end: all before it are acknowledged.
    acknowledged: Known,
    /// What would come next if a number that is far off were right.
    stray: Known,
    /// An N(R) of the other end that cannot be judged before we have seen of this direction what it
    /// had seen.
    claim: Known,
    /// V(S) when the other end had taken all in TCP.
    taken: Known,
    /// Of the last I-frame, to tell a copy from something else.
    fingerprint: u32,
}

/// An I-frame that waits for an acknowledgment.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    number: u16,
    since: Timestamp,
}

/// The times of one direction.
#[derive(Debug, Default)]
struct Times {
    /// The I-frame that has waited longest, as far as is remembered, and the one sent last.
    oldest: Option<Waiting>,
    newest: Option<Waiting>,
    /// When STARTDT, STOPDT or TESTFR act was sent that is not answered.
    asked: Option<Timestamp>,
}

/// What it takes to judge t1 and t3.
#[derive(Debug, Default)]
struct Timers {
    /// By direction of the sender.
    times: [Times; 2],
    /// When the last APDU came.
    last: Option<Timestamp>,
}

/// The state of a link.
#[derive(Debug)]
pub(super) struct Link {
    /// By direction of the sender.
    numbers: [Numbers; 2],
    transfer: Transfer,
    /// Who sent STARTDT act.
    starter: Option<Direction>,
    /// STARTDT con was seen before the act that it answers.
    confirmed_early: bool,
    /// Where t1 or t3 is known.
    timers: Option<Box<Timers>>,
}

/// How far `ahead` is ahead of `from`.
const fn distance(ahead: u16, from: u16) -> u16 {
    ahead.wrapping_sub(from) & (MODULUS - 1)
}

/// Whether one number is ahead of the other, by less than half of all.
pub(super) const fn is_ahead(one: u16, other: u16) -> bool {
    let ahead = distance(one, other);
    ahead != 0 && ahead < MODULUS / 2
}

const fn after(number: u16) -> u16 {
    (number + 1) & (MODULUS - 1)
}

impl Link {
    /// A link that was `joined` is in no known state; else it is stopped, and its numbers begin
    /// with 0 (5.1, 5.3).
    pub(super) fn new(joined: bool) -> Self {
        let transfer = if joined { Transfer::Unknown } else { Transfer::Stopped(None) };
        let first = if joined { Known::NONE } else { Known::some(0) };
        let numbers = Numbers { next: first, acknowledged: first, ..Numbers::UNKNOWN };
        Self {
            numbers: [numbers; 2],
            transfer,
            starter: None,
            confirmed_early: false,
            timers: None,
        }
    }

    /// Who sent STARTDT act.
    pub(super) const fn starter(&self) -> Option<Direction> {
        self.starter
    }

    /// Octets of a direction are missing: whatever they said.
    pub(super) fn miss(&mut self, direction: Direction) {
        self.transfer = Transfer::Unknown;
        self.numbers[direction.index()] = Numbers::UNKNOWN;
        // They may have acknowledged or answered anything.
        self.numbers[direction.opposite().index()].acknowledged = Known::NONE;
        self.timers = None;
    }

    /// Takes an APDU and tells what is wrong with it. Says whether its receiver can take it for the
    /// next: one whose number came before, or is far off, is none.
    #[inline]
    pub(super) fn take(
        &mut self,
        seen: &Seen<'_>,
        settings: &Settings,
        tell: &mut dyn FnMut(Violation),
    ) -> bool {
        if settings.t1.is_some() || settings.t3.is_some() {
            let timers = self.timers.get_or_insert_default();
            timers.take(seen, settings, tell);
        }
        let mut counts = true;
        match seen.apdu.control {
            Control::I { send, receive } => {
                counts = self.send(seen, send, settings, tell);
                self.data(seen, tell);
                if counts {
                    self.receive(seen, receive, settings, tell);
                }
                self.look_at_k(seen, settings, tell);
            }
            Control::S { receive } => self.receive(seen, receive, settings, tell),
            Control::U(Some(function)) => self.function(seen, function, tell),
            Control::U(None) => {}
        }
        if seen.acknowledged != Acknowledged::Part {
            let other = &mut self.numbers[seen.direction.opposite().index()];
            other.taken = other.next;
        }
        counts
    }

    /// N(S).
    #[inline]
    fn send(
        &mut self,
        seen: &Seen<'_>,
        send: u16,
        settings: &Settings,
        tell: &mut dyn FnMut(Violation),
    ) -> bool {
        let numbers = &mut self.numbers[seen.direction.index()];
        let expected = numbers.next.get().unwrap_or(send);
        if send != expected {
            return self.unexpected(seen, send, expected, settings, tell);
        }
        numbers.sent(seen, send);
        true
    }

    #[cold]
    fn unexpected(
        &mut self,
        seen: &Seen<'_>,
        send: u16,
        expected: u16,
        settings: &Settings,
        tell: &mut dyn FnMut(Violation),
    ) -> bool {
        let numbers = &mut self.numbers[seen.direction.index()];
        let near = settings.k.map_or(NEAR, |k| k.max(NEAR));
        let (ahead, behind) = (distance(send, expected), distance(expected, send));
        let violation =
            |event, detail| Violation { event, place: Place::Send, value: send.into(), detail };
        if numbers.stray.get() == Some(send) {
            // It goes on there: the sender did jump.
            numbers.sent(seen, send);
            numbers.acknowledged = Known::NONE;
            return true;
        }
        if ahead <= near {
            tell(violation(NS_GAP_NO_TCP_LOSS, ""));
            numbers.sent(seen, send);
            return true;
        }
        if behind <= near {
            let same = behind == 1 && numbers.fingerprint == fingerprint(seen.octets);
            let detail = match (behind, same) {
                (1, true) => "the same octets as before",
                (1, false) => "other octets than before",
                _ => "",
            };
            tell(violation(NS_REPEAT, detail));
            return false;
        }
        tell(violation(NS_OUT_OF_WINDOW, ""));
        numbers.stray = Known::some(after(send));
        false
    }

    /// Data before the link was started (5.3).
    #[inline]
    fn data(&mut self, seen: &Seen<'_>, tell: &mut dyn FnMut(Violation)) {
        let early = match self.transfer {
            // The end that is told that it is stopped may not know it yet.
            Transfer::Stopped(by) => {
                by == Some(seen.direction) || seen.acknowledged != Acknowledged::Part
            }
            // The end that is asked to start says so before it sends; the one that asks may know
            // of the answer before we do.
            Transfer::Starting(asked) => {
                seen.direction != asked || seen.acknowledged != Acknowledged::Beyond
            }
            Transfer::Unknown | Transfer::Started | Transfer::Stopping => false,
        };
        if early {
            let Control::I { send, .. } = seen.apdu.control else { return };
            // Once: from here on it is not known what they think.
            self.transfer = Transfer::Unknown;
            let (place, value) = (Place::Send, send.into());
            tell(Violation { event: DATA_BEFORE_START, place, value, detail: "" });
        }
    }

    /// N(R): what this end says of the other's I-frames.
    #[inline]
    fn receive(
        &mut self,
        seen: &Seen<'_>,
        receive: u16,
        settings: &Settings,
        tell: &mut dyn FnMut(Violation),
    ) {
        let knows_more = seen.acknowledged == Acknowledged::Beyond;
        let numbers = &mut self.numbers[seen.direction.opposite().index()];
        let Some(next) = numbers.next.get() else { return };
        if !knows_more && let Some(claim) = numbers.claim.take() {
            tell(nr_violation(claim, "of I-frames that were never sent"));
        }
        if is_ahead(receive, next) {
            if knows_more {
                numbers.claim = Known::some(receive);
            } else {
                tell(nr_violation(receive, "of I-frames that were never sent"));
            }
            return;
        }
        let before = numbers.acknowledged.get().unwrap_or(receive);
        if is_ahead(before, receive) {
            return tell(nr_violation(receive, "less than before"));
        }
        numbers.look_at_w(receive, settings, tell);
        numbers.acknowledged = Known::some(receive);
    }

    #[inline]
    fn look_at_k(&self, seen: &Seen<'_>, settings: &Settings, tell: &mut dyn FnMut(Violation)) {
        let numbers = &self.numbers[seen.direction.index()];
        let (Some(k), Some(outstanding)) = (settings.k, numbers.outstanding()) else { return };
        // Once, when it begins.
        if outstanding == k.saturating_add(1) && seen.acknowledged != Acknowledged::Beyond {
            let (place, value) = (Place::Send, outstanding.into());
            tell(Violation { event: K_EXCEEDED, place, value, detail: "" });
        }
    }

    fn function(&mut self, seen: &Seen<'_>, function: Function, tell: &mut dyn FnMut(Violation)) {
        match function {
            Function::StartDtAct => self.start(seen.direction, tell),
            Function::StartDtCon => self.started(seen),
            Function::StopDtAct => self.transfer = Transfer::Stopping,
            Function::StopDtCon => self.stop(seen, tell),
            Function::TestFrAct | Function::TestFrCon => {}
        }
    }

    /// STARTDT con. Where its sender had more than we saw, the act is yet to come.
    fn started(&mut self, seen: &Seen<'_>) {
        let is_early = seen.acknowledged == Acknowledged::Beyond
            && !matches!(self.transfer, Transfer::Starting(_) | Transfer::Started);
        self.confirmed_early = is_early;
        self.transfer = if is_early { Transfer::Unknown } else { Transfer::Started };
    }

    fn start(&mut self, direction: Direction, tell: &mut dyn FnMut(Violation)) {
        let running = matches!(self.transfer, Transfer::Starting(_) | Transfer::Started);
        if running {
            let both = self.starter.is_some_and(|starter| starter != direction);
            let event = if both { START_FROM_BOTH } else { STARTDT_REPEAT };
            // What is started goes on while it is confirmed once more.
            return tell(Violation {
                event,
                place: Place::Function,
                value: STARTDT_ACT,
                detail: "",
            });
        }
        self.starter = Some(direction);
        let confirmed = std::mem::take(&mut self.confirmed_early);
        self.transfer = if confirmed { Transfer::Started } else { Transfer::Starting(direction) };
    }

    /// STOPDT con comes when all is acknowledged (5.3).
    fn stop(&mut self, seen: &Seen<'_>, tell: &mut dyn FnMut(Violation)) {
        self.transfer = Transfer::Stopped(Some(seen.direction));
        let left = self.numbers.iter().filter_map(Numbers::outstanding).sum::<u16>();
        if left > 0 && seen.acknowledged != Acknowledged::Beyond {
            let (event, place) = (STOP_WITH_UNACKED, Place::Function);
            tell(Violation { event, place, value: left.into(), detail: "" });
        }
    }
}

impl Timers {
    /// Tells of what was due before this APDU came, and takes note of it.
    fn take(&mut self, seen: &Seen<'_>, settings: &Settings, tell: &mut dyn FnMut(Violation)) {
        // What its sender has had beyond what we saw may have been anything.
        let knows_more = seen.acknowledged == Acknowledged::Beyond;
        if let (Some(t3), Some(last), false) = (settings.t3, self.last, knows_more)
            && let Some(idle) = longer(t3, last, seen.time)
        {
            tell(time_violation(T3_TEST_MISSING, idle));
        }
        self.last = Some(seen.time);
        if let Some(t1) = settings.t1 {
            self.judge(t1, seen, tell);
        }
        let sender = seen.direction.index();
        let receiver = seen.direction.opposite().index();
        match seen.apdu.control {
            Control::I { send, receive } => {
                self.times[sender].sent(send, seen.time);
                self.times[receiver].acknowledge(receive);
            }
            Control::S { receive } => self.times[receiver].acknowledge(receive),
            Control::U(Some(Function::StartDtAct | Function::StopDtAct | Function::TestFrAct)) => {
                self.times[sender].asked = Some(seen.time);
            }
            Control::U(_) => self.times[receiver].asked = None,
        }
    }

    fn judge(&mut self, t1: Duration, seen: &Seen<'_>, tell: &mut dyn FnMut(Violation)) {
        for direction in Direction::BOTH {
            let answered = direction == seen.direction;
            if answered && seen.acknowledged == Acknowledged::Beyond {
                continue;
            }
            let times = &mut self.times[direction.index()];
            let oldest = times.oldest.map(|waiting| waiting.since);
            let Some(since) = oldest.into_iter().chain(times.asked).min() else { continue };
            if let Some(took) = longer(t1, since, seen.time) {
                (times.oldest, times.asked) = (None, None);
                tell(time_violation(T1_TIMEOUT, took));
            }
        }
    }
}

impl Times {
    fn sent(&mut self, number: u16, now: Timestamp) {
        let waiting = Waiting { number, since: now };
        self.newest = Some(waiting);
        self.oldest.get_or_insert(waiting);
    }

    /// The other end has received all before `receive`.
    fn acknowledge(&mut self, receive: u16) {
        let waits = |waiting: &Waiting| !is_ahead(receive, waiting.number);
        if self.oldest.is_some_and(|oldest| !waits(&oldest)) {
            // Of those between no time is remembered: the last speaks for them.
            self.oldest = self.newest.filter(waits);
        }
    }
}

impl Numbers {
    const UNKNOWN: Self = Self {
        next: Known::NONE,
        acknowledged: Known::NONE,
        stray: Known::NONE,
        claim: Known::NONE,
        taken: Known::NONE,
        fingerprint: 0,
    };

    /// An I-frame was sent with the number that was expected, or from which it goes on.
    #[inline]
    fn sent(&mut self, seen: &Seen<'_>, number: u16) {
        let next = after(number);
        self.next = Known::some(next);
        self.stray = Known::NONE;
        self.fingerprint = fingerprint(seen.octets);
        if self.claim.get().is_some_and(|claim| !is_ahead(claim, next)) {
            self.acknowledged = std::mem::replace(&mut self.claim, Known::NONE);
        }
    }

    /// I-frames that the other end has not acknowledged.
    #[inline]
    fn outstanding(&self) -> Option<u16> {
        Some(distance(self.next.get()?, self.acknowledged.get()?))
    }

    /// An APDU that its sender sent after it had taken more than w I-frames, and that does not
    /// acknowledge them (5.5).
    fn look_at_w(&self, receive: u16, settings: &Settings, tell: &mut dyn FnMut(Violation)) {
        let (Some(w), Some(taken)) = (settings.w, self.taken.get()) else { return };
        let unacknowledged = distance(taken, receive);
        if (w + 1..MODULUS / 2).contains(&unacknowledged)
            && self.acknowledged.get() == Some(receive)
        {
            let (place, value) = (Place::Receive, unacknowledged.into());
            tell(Violation { event: W_EXCEEDED, place, value, detail: "" });
        }
    }
}

/// How long it is since then, in milliseconds, if that is longer than it may be.
fn longer(limit: Duration, since: Timestamp, now: Timestamp) -> Option<u64> {
    let time = now.since(since);
    (time > limit + LATE).then_some(time.as_millis() as u64)
}

fn time_violation(event: &'static str, milliseconds: u64) -> Violation {
    Violation { event, place: Place::Time, value: milliseconds, detail: "" }
}

fn nr_violation(receive: u16, detail: &'static str) -> Violation {
    Violation { event: NR_OUT_OF_WINDOW, place: Place::Receive, value: receive.into(), detail }
}

/// Tells one frame from another, and nothing more: not against somebody who tries.
#[inline]
fn fingerprint(octets: &[u8]) -> u32 {
    // FNV-1a over words: only equality counts.
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let (words, rest) = octets.as_chunks::<8>();
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x0100_0000_01B3);
    }
    for octet in rest {
        hash = (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01B3);
    }
    (hash ^ hash >> 32) as u32
}
