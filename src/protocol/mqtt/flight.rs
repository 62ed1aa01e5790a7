//! Packet identifiers in flight: what one end asked, and what it waits for (clauses 2.2.1, 4.3, 4.9).
//!
//! ```text
//!  PUBLISH QoS 1 ──▶                PUBLISH QoS 2 ──▶                SUBSCRIBE ──▶
//!                ◀── PUBACK                       ◀── PUBREC                   ◀── SUBACK
//!                                          PUBREL ──▶
//!                                                 ◀── PUBCOMP
//! ```
//!
//! A mirror port may show an answer before what it answers. So balances are kept: how many answers of
//! each type an identifier waits for. One that is seen early makes a balance negative, until its
//! request comes; a sum does not depend on the order of its terms. An end is accused by what it
//! knew: only when its TCP acknowledgments say that it had nothing of the other that we had not.

use std::num::NonZeroU16;
use std::time::Duration;

use super::few::Few;
use super::session::Seen;
use super::violation::Violation;
use crate::flow::Acknowledged;
use crate::time::Timestamp;

/// So many identifiers may be open while their sender knows more than we do. It is by a moment that
/// directions are shown in another order; where this is reached, one of them is not shown at all.
const FEW: usize = 1024;

/// What asks for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// PUBLISH with QoS 1.
    AtLeastOnce,
    /// PUBLISH with QoS 2.
    ExactlyOnce,
    Subscribe,
    Unsubscribe,
}

/// What answers. The number is the place of its balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Puback,
    Pubrec,
    /// Answers PUBREC, and comes from the end that sent PUBLISH.
    Pubrel,
    Pubcomp,
    Suback,
    Unsuback,
}

impl Request {
    const fn answer(self) -> Answer {
        match self {
            Self::AtLeastOnce => Answer::Puback,
            Self::ExactlyOnce => Answer::Pubrec,
            Self::Subscribe => Answer::Suback,
            Self::Unsubscribe => Answer::Unsuback,
        }
    }

    /// Whether it counts against Receive Maximum (clause 4.9).
    const fn is_message(self) -> bool {
        matches!(self, Self::AtLeastOnce | Self::ExactlyOnce)
    }
}

/// How much is known of what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// Everything.
    Complete,
    /// Everything on this connection. Whether the session had begun before it is still to be said.
    Connection,
    /// Something may have been asked, or answered, that we did not see. An identifier is known from
    /// a request on whose sender had all that was shown of the other end, so that it cannot have been
    /// answered yet; and only for as long as all that follows fits.
    Partial,
}

impl Knowledge {
    /// The same when the session is found to begin with the connection.
    pub(super) fn at_beginning(self) -> Self {
        if self == Self::Connection { Self::Complete } else { self }
    }
}

/// One identifier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Open {
    /// By [`Answer`]: how many are still to come.
    waits: [i8; 6],
    /// How often it is in use: once, if all is well.
    uses: i8,
    /// When the last step was taken that is to be answered.
    since: Moment,
}

impl Open {
    #[inline]
    fn wait(&mut self, answer: Answer) -> &mut i8 {
        &mut self.waits[answer as usize]
    }

    const fn waits_for(&self, answer: Answer) -> bool {
        self.waits[answer as usize] > 0
    }

    fn is_over(&self) -> bool {
        self.waits == [0; 6] && self.uses == 0
    }

    /// Whether it was used so often, in whatever order, that it can no longer be counted.
    fn is_beyond_count(&self) -> bool {
        self.waits.iter().chain([&self.uses]).any(|count| count.unsigned_abs() >= 100)
    }
}

/// Milliseconds of packet time, which wrap around after seven weeks: no flow is silent for so long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Moment(u32);

impl Moment {
    fn of(time: Timestamp) -> Self {
        Self((time.as_nanos() / 1_000_000) as u32)
    }

    /// Milliseconds since `earlier`; none if that is later, as of two directions that are shown in
    /// another order.
    fn since(self, earlier: Self) -> Option<u32> {
        let passed = self.0.wrapping_sub(earlier.0);
        (passed <= u32::MAX / 2).then_some(passed)
    }
}

/// A message that its receiver has, and that is not released.
#[derive(Debug, Clone, Copy)]
struct Unreleased {
    id: NonZeroU16,
    since: Moment,
}

/// What came of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Answered {
    /// What is wrong with it.
    pub(super) violation: Option<Violation>,
    /// Milliseconds since what it answers.
    pub(super) latency: Option<u32>,
}

/// The identifiers that one end has in flight.
#[derive(Debug)]
pub(super) struct Flight {
    open: Few<Open, 2>,
    knowledge: Knowledge,
    /// How many messages wait for their last answer, at the least.
    messages: i32,
    /// These are more than their receiver takes, and that was told.
    exceeded: bool,
    /// The message that has waited longest for its release, as far as is remembered, and the last.
    oldest: Option<Unreleased>,
    newest: Option<Unreleased>,
}

impl Flight {
    /// Nothing is in flight, as far as is known.
    pub(super) fn new(knowledge: Knowledge) -> Self {
        Self {
            open: Few::default(),
            knowledge,
            messages: 0,
            exceeded: false,
            oldest: None,
            newest: None,
        }
    }

    /// The session begins with this connection.
    pub(super) fn begin(&mut self) {
        self.knowledge = self.knowledge.at_beginning();
    }

    /// What is open may have been answered, and something else may be open.
    #[cold]
    pub(super) fn forget(&mut self) {
        *self = Self::new(Knowledge::Partial);
    }

    /// Takes a request of this end, and tells what is wrong with its identifier.
    pub(super) fn request(
        &mut self,
        id: NonZeroU16,
        request: Request,
        again: bool,
        seen: &Seen,
    ) -> Option<Violation> {
        let informed = seen.informed();
        self.bound(informed);
        let mut open = self.open.get(id).copied().unwrap_or_default();
        let mut violation = None;
        if informed && open.uses > 0 {
            if again && seen.may_repeat {
                // It will be answered as often as it was sent, or not.
                self.knowledge = Knowledge::Partial;
                return None;
            }
            let received = open.waits_for(Answer::Pubrel) && seen.acknowledged == Acknowledged::All;
            violation =
                Some(if received { Violation::Qos2Unreleased } else { Violation::PacketIdInUse });
            self.release(id);
        }
        if self.knowledge == Knowledge::Partial {
            self.drop(id);
            if seen.acknowledged != Acknowledged::All || seen.late {
                return violation;
            }
            open = Open::default();
        }
        *open.wait(request.answer()) += 1;
        open.uses += 1;
        open.since = Moment::of(seen.time);
        self.messages += i32::from(request.is_message());
        self.put(id, open);
        violation
    }

    /// Whether more messages are in flight than the other end takes; told when it begins.
    #[inline]
    pub(super) fn exceeds(&mut self, maximum: u16, seen: &Seen) -> Option<u32> {
        let messages = u32::try_from(self.messages).unwrap_or_default();
        if messages <= u32::from(maximum) {
            self.exceeded = false;
            return None;
        }
        let begins = seen.informed() && !self.exceeded;
        self.exceeded |= begins;
        begins.then_some(messages)
    }

    /// Takes an answer to this end, or its PUBREL, and tells what is wrong with it.
    pub(super) fn answer(
        &mut self,
        id: NonZeroU16,
        answer: Answer,
        refuses: bool,
        seen: &Seen,
    ) -> Answered {
        let informed = seen.informed();
        self.bound(informed);
        let mut open = self.open.get(id).copied().unwrap_or_default();
        let asked = open.waits_for(answer);
        let mut answered = Answered::default();
        if asked && open.uses == 1 && !seen.late {
            answered.latency = Moment::of(seen.time).since(open.since);
        }
        if !asked && informed && answer == Answer::Pubrel && repeats_release(&open, seen) {
            self.knowledge = Knowledge::Partial;
            return answered;
        }
        match self.knowledge {
            Knowledge::Partial if !asked => {
                self.drop(id);
                return answered;
            }
            Knowledge::Complete if !asked && informed => {
                let in_use = open.uses > 0;
                answered.violation = Some(if in_use {
                    Violation::AckWrongKind
                } else {
                    Violation::AckWithoutRequest
                });
            }
            _ => {}
        }
        let counts = asked || !informed;
        if counts {
            *open.wait(answer) -= 1;
        }
        match answer {
            // It is no step of what the identifier stands for.
            Answer::Pubrec if answered.violation == Some(Violation::AckWrongKind) => {}
            Answer::Pubrec if !refuses => self.received(id, &mut open, asked, seen),
            Answer::Pubrel => self.released(id, &mut open, seen),
            _ if counts => {
                open.uses -= 1;
                let message = !matches!(answer, Answer::Suback | Answer::Unsuback);
                self.messages -= i32::from(message);
            }
            _ => {}
        }
        self.put(id, open);
        answered
    }

    /// PUBREC: from now on the sender is to release the message [MQTT-4.3.3-4].
    fn received(&mut self, id: NonZeroU16, open: &mut Open, asked: bool, seen: &Seen) {
        *open.wait(Answer::Pubrel) += 1;
        open.since = Moment::of(seen.time);
        if asked && open.waits_for(Answer::Pubrel) {
            let unreleased = Unreleased { id, since: open.since };
            self.newest = Some(unreleased);
            self.oldest.get_or_insert(unreleased);
        }
    }

    fn released(&mut self, id: NonZeroU16, open: &mut Open, seen: &Seen) {
        *open.wait(Answer::Pubcomp) += 1;
        open.since = Moment::of(seen.time);
        self.release(id);
    }

    /// The message is not waited for any more.
    fn release(&mut self, id: NonZeroU16) {
        if self.oldest.is_some_and(|oldest| oldest.id == id) {
            self.next_unreleased();
        }
    }

    /// Of those between the oldest and the newest nothing is remembered.
    fn next_unreleased(&mut self) {
        let was = self.oldest.take().map(|oldest| oldest.id);
        let newest = self.newest.filter(|newest| Some(newest.id) != was);
        self.oldest = newest.filter(|newest| {
            let open = self.open.get(newest.id);
            open.is_some_and(|open| open.waits_for(Answer::Pubrel))
        });
    }

    /// The message that this end was to release long ago, while it goes on to send something else.
    #[inline]
    pub(super) fn unreleased(&mut self, time: Duration, seen: &Seen) -> Option<NonZeroU16> {
        let oldest = self.oldest?;
        let had_it = seen.acknowledged != Acknowledged::Part && !seen.late;
        let waited = Moment::of(seen.time).since(oldest.since).unwrap_or_default();
        if !had_it || Duration::from_millis(waited.into()) <= time {
            return None;
        }
        self.next_unreleased();
        Some(oldest.id)
    }

    /// What the identifier stands for is not known any more.
    fn drop(&mut self, id: NonZeroU16) {
        let Some(open) = self.open.remove(id) else { return };
        let of_message = [Answer::Puback, Answer::Pubrec, Answer::Pubrel, Answer::Pubcomp];
        if open.uses > 0 && of_message.into_iter().any(|answer| open.waits_for(answer)) {
            self.messages -= i32::from(open.uses);
        }
        self.release(id);
    }

    /// Where this end knows more than we do for long, or of much, we see too little to judge.
    #[inline]
    fn bound(&mut self, informed: bool) {
        if !informed && self.open.len() >= FEW {
            self.forget();
        }
    }

    fn put(&mut self, id: NonZeroU16, open: Open) {
        if open.is_over() {
            self.open.remove(id);
        } else if open.is_beyond_count() {
            self.forget();
        } else {
            self.open.insert(id, open);
        }
    }
}

/// Before level 5 a release may be sent again while its sender does not know that it was answered.
fn repeats_release(open: &Open, seen: &Seen) -> bool {
    let may_not_know = seen.acknowledged == Acknowledged::Part;
    seen.may_repeat && (open.waits_for(Answer::Pubcomp) || may_not_know)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Direction;

    fn seen(acknowledged: Acknowledged) -> Seen {
        let direction = Direction::ToServer;
        let time = Timestamp::ZERO;
        Seen { direction, time, late: false, acknowledged, may_repeat: false }
    }

    const ALL: Acknowledged = Acknowledged::All;

    fn id(number: u16) -> NonZeroU16 {
        NonZeroU16::new(number).unwrap()
    }

    fn ids() -> impl Iterator<Item = NonZeroU16> {
        (1..=u16::MAX).map(id)
    }

    fn complete() -> Flight {
        Flight::new(Knowledge::Complete)
    }

    /// What is open is as much as there is in flight, whatever went over the wire before.
    #[test]
    fn what_is_over_is_not_kept() {
        let mut flight = complete();
        for round in 0..3 {
            for id in ids() {
                assert_eq!(flight.request(id, Request::ExactlyOnce, false, &seen(ALL)), None);
            }
            assert_eq!(flight.exceeds(u16::MAX, &seen(ALL)), None, "{round}");
            assert_eq!(flight.exceeds(u16::MAX - 1, &seen(ALL)), Some(65_535));
            assert_eq!(flight.open.len(), 65_535);
            for answer in [Answer::Pubrec, Answer::Pubrel, Answer::Pubcomp] {
                for id in ids() {
                    assert_eq!(flight.answer(id, answer, false, &seen(ALL)).violation, None);
                }
            }
            assert_eq!((flight.open.len(), flight.messages), (0, 0));
        }
    }

    /// One direction alone, for ever.
    #[test]
    fn what_nobody_can_judge_is_not_kept_either() {
        for request in [true, false] {
            let mut flight = complete();
            for round in 0..200_000_u32 {
                let (id, seen) = (id(round as u16 | 1), seen(Acknowledged::Beyond));
                let violation = if request {
                    flight.request(id, Request::AtLeastOnce, false, &seen)
                } else {
                    flight.answer(id, Answer::Puback, false, &seen).violation
                };
                assert_eq!(violation, None);
                assert!(flight.open.len() <= FEW);
            }
        }
    }

    #[test]
    fn the_order_of_the_directions_makes_no_difference_to_what_is_open() {
        let request = |flight: &mut Flight| {
            flight.request(id(7), Request::AtLeastOnce, false, &seen(Acknowledged::Part))
        };
        let answer = |flight: &mut Flight, acknowledged| {
            flight.answer(id(7), Answer::Puback, false, &seen(acknowledged)).violation
        };
        let mut flight = complete();
        for _ in 0..5 {
            assert_eq!(answer(&mut flight, Acknowledged::Beyond), None);
        }
        for _ in 0..5 {
            assert_eq!(request(&mut flight), None);
        }
        assert_eq!((flight.open.len(), flight.messages), (0, 0));
        assert_eq!(request(&mut flight), None);
        assert_eq!(answer(&mut flight, ALL), None);
        assert_eq!(answer(&mut flight, ALL), Some(Violation::AckWithoutRequest));
    }
}
