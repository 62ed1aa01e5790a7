//! Packet time that no single frame can move far.
//!
//! A frame may carry any time stamp: a bit flips in a capture file, a network card's clock is set.
//! Were it believed at once, one frame from the year 2100 would end every flow. So a frame that is
//! far ahead is held back until the next ones show whether time went on.

use std::time::Duration;

use crate::packet::{Frame, LinkType};
use crate::time::Timestamp;

/// A frame may be so far ahead without being doubted: shorter than what a flow lives without a
/// packet once data flowed in it, longer than links with keep-alives are silent.
const LEAP: Duration = Duration::from_secs(60);

/// So many later frames must not contradict one that is far ahead before it is believed.
const WITNESSES: usize = 2;

/// The engine's time.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The latest time that is believed: timers do not run backwards with a capture's clock.
    now: Timestamp,
    /// Frames held back, in the order in which they came.
    held: Vec<HeldFrame>,
}

/// Who could say whether the time of a frame is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Say {
    /// Frames to come.
    Later,
    /// The clock, which was [set](Clock::set).
    Clock,
    /// Nobody any more.
    Nobody,
}

/// A frame with its octets.
#[derive(Debug)]
pub(super) struct HeldFrame {
    number: u64,
    timestamp: Timestamp,
    link: LinkType,
    data: Vec<u8>,
    wire_length: u32,
    interface: Option<String>,
}

impl Clock {
    /// The latest time that is believed.
    #[inline]
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    /// It is `now`, says somebody to be trusted.
    pub(super) fn set(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Takes the time of a frame. False if it is to be [held](Self::hold).
    #[inline]
    pub(super) fn take(&mut self, time: Timestamp) -> bool {
        let plain = self.is_near(time) && self.held.is_empty();
        if plain {
            self.set(time);
        }
        plain
    }

    #[inline]
    fn is_near(&self, time: Timestamp) -> bool {
        time <= self.now + LEAP
    }

    /// Holds a frame back.
    #[cold]
    pub(super) fn hold(&mut self, frame: &Frame<'_>) {
        let Frame { number, timestamp, link, data, wire_length, interface } = *frame;
        let (data, interface) = (data.to_vec(), interface.map(str::to_owned));
        self.held.push(HeldFrame { number, timestamp, link, data, wire_length, interface });
    }

    /// The first of the frames that are held back, once it is clear whether its time is right, or
    /// will not become clearer.
    #[cold]
    pub(super) fn release(&mut self, say: Say) -> Option<HeldFrame> {
        let (first, later) = self.held.split_first()?;
        let time = first.timestamp;
        let earliest = later.iter().map(|frame| frame.timestamp).min();
        let contradicted = earliest.is_some_and(|earliest| earliest + LEAP < time);
        let witnessed = match say {
            Say::Later => later.len() >= WITNESSES,
            Say::Clock => false,
            Say::Nobody => !later.is_empty(),
        };
        if self.is_near(time) || witnessed && !contradicted {
            self.set(time);
        } else if !contradicted && say == Say::Later {
            return None;
        } else if self.now == Timestamp::ZERO {
            // It came before any that is believed.
            self.now = earliest.unwrap_or(time);
        }
        Some(self.held.remove(0))
    }
}

impl HeldFrame {
    /// As it came.
    pub(super) fn frame(&self) -> Frame<'_> {
        Frame {
            number: self.number,
            timestamp: self.timestamp,
            link: self.link,
            data: &self.data,
            wire_length: self.wire_length,
            interface: self.interface.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a clock frames with these times, in seconds. Returns each with what the clock said when
    /// it was handled.
    fn told(times: &[u64]) -> Vec<(u64, u64)> {
        let mut clock = Clock::default();
        let mut told = Vec::new();
        for seconds in times {
            let timestamp = Timestamp::from_nanos(seconds * 1_000_000_000);
            if clock.take(timestamp) {
                told.push((*seconds, clock.now().as_secs()));
                continue;
            }
            let link = LinkType::Raw;
            let frame =
                Frame { number: 0, timestamp, link, data: &[], wire_length: 0, interface: None };
            clock.hold(&frame);
            while let Some(held) = clock.release(Say::Later) {
                told.push((held.timestamp.as_secs(), clock.now().as_secs()));
            }
            assert!(clock.held.len() <= WITNESSES);
        }
        while let Some(held) = clock.release(Say::Nobody) {
            told.push((held.timestamp.as_secs(), clock.now().as_secs()));
        }
        told
    }

    #[test]
    fn time_goes_on_with_the_frames_and_not_back() {
        let expected = [(1000, 1000), (1001, 1001), (1000, 1001), (1050, 1050), (1110, 1110)];
        assert_eq!(told(&[1000, 1001, 1000, 1050, 1110]), expected);
    }

    #[test]
    fn one_or_two_frames_from_the_future_move_nothing() {
        const FUTURE: u64 = 4_102_444_800;
        assert_eq!(
            told(&[1000, FUTURE, 1001, 1002]),
            [(1000, 1000), (FUTURE, 1000), (1001, 1001), (1002, 1002)]
        );
        assert_eq!(
            told(&[1000, FUTURE, FUTURE + 1, 1001, 1002]),
            [(1000, 1000), (FUTURE, 1000), (FUTURE + 1, 1000), (1001, 1001), (1002, 1002)]
        );
        assert_eq!(
            told(&[FUTURE, 1000, 1001]),
            [(FUTURE, 1000), (1000, 1000), (1001, 1001)],
            "nor do they when nothing went before"
        );
    }

    #[test]
    fn a_pause_is_believed_and_each_frame_behind_it_has_its_time() {
        assert_eq!(
            told(&[1000, 500_000, 500_001, 500_002, 500_003]),
            [
                (1000, 1000),
                (500_000, 500_000),
                (500_001, 500_001),
                (500_002, 500_002),
                (500_003, 500_003)
            ]
        );
        let daily: Vec<u64> = (1..20).map(|day| day * 86_400).collect();
        let mut expected: Vec<_> = daily.iter().map(|time| (*time, *time)).collect();
        expected[18].1 = daily[17]; // nobody says whether the last one is right
        assert_eq!(told(&daily), expected, "a frame a day");
    }

    #[test]
    fn a_clock_that_is_set_is_right() {
        let mut clock = Clock::default();
        clock.set(Timestamp::from_nanos(1_700_000_000_000_000_000));
        assert!(clock.take(Timestamp::from_nanos(1_700_000_001_000_000_000)));
        assert!(!clock.take(Timestamp::from_nanos(4_102_444_800_000_000_000)));
        assert_eq!(clock.now().as_secs(), 1_700_000_001);
    }

    #[test]
    fn a_capture_without_times_is_taken_as_it_comes() {
        assert_eq!(told(&[0, 0, 0]), [(0, 0); 3]);
    }
}
