//! Packet time.
//!
//! Below the daemon nobody asks a clock: time arrives with each frame and is handed down.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Nanoseconds since 1970-01-01 00:00:00 UTC, as the capture gave them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The epoch, and what a frame without a time stamp gets.
    pub const ZERO: Self = Self(0);
    /// Later than any packet: a deadline that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// From nanoseconds since the epoch (good until the year 2554).
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    #[inline]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// The nanoseconds within the second.
    #[inline]
    pub const fn subsec_nanos(self) -> u32 {
        (self.0 % 1_000_000_000) as u32
    }

    /// How long after `earlier` this is; zero when the capture's clock ran backwards.
    #[inline]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// As records write it, in UTC: `2026-11-23T04:55:59.123456+0000`. What is finer is left out.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = (self.0 / 1000).cast_signed();
        let moment = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
        let civil = jiff::tz::Offset::UTC.to_datetime(moment);
        write!(f, "{}", civil.strftime("%Y-%m-%dT%H:%M:%S.%6f+0000"))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    #[inline]
    fn add(self, rhs: Duration) -> Self {
        let nanos = rhs.as_secs().saturating_mul(1_000_000_000);
        Self(self.0.saturating_add(nanos).saturating_add(u64::from(rhs.subsec_nanos())))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    #[inline]
    fn sub(self, rhs: Duration) -> Self {
        let nanos = rhs.as_secs().saturating_mul(1_000_000_000);
        Self(self.0.saturating_sub(nanos).saturating_sub(u64::from(rhs.subsec_nanos())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_as_records_write_them() {
        let shown = |nanos| Timestamp::from_nanos(nanos).to_string();
        assert_eq!(shown(0), "1970-01-01T00:00:00.000000+0000");
        assert_eq!(shown(1_795_409_759_012_345_678), "2026-11-23T04:55:59.012345+0000");
        assert_eq!(shown(u64::MAX), "2554-07-21T23:34:33.709551+0000");
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let one = Timestamp::from_nanos(1);
        assert_eq!(one - Duration::from_secs(1), Timestamp::ZERO);
        assert_eq!(Timestamp::NEVER + Duration::MAX, Timestamp::NEVER);
        assert_eq!(one.since(Timestamp::from_nanos(5)), Duration::ZERO);
    }
}
