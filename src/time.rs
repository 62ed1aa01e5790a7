//! Packet time.
//!
//! Below the daemon nobody asks a clock: time arrives with each frame and is handed down.

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
    fn arithmetic_saturates_at_both_ends() {
        let one = Timestamp::from_nanos(1);
        assert_eq!(one - Duration::from_secs(1), Timestamp::ZERO);
        assert_eq!(Timestamp::NEVER + Duration::MAX, Timestamp::NEVER);
        assert_eq!(one.since(Timestamp::from_nanos(5)), Duration::ZERO);
    }
}
