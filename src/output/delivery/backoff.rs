//! When to try again.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// A receiver that restarts is back within this time more often than not.
const FIRST: Duration = Duration::from_millis(100);
/// Nobody should wait longer for alerts after the receiver is back.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits twice as long after each failure, up to half a minute, and less at random, so that many
/// sensors do not come back to their receiver all at once.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// It failed at `now`.
    pub(super) fn failed(&mut self, now: Instant) {
        let wait = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + wait.mul_f64(1.0 - random_quarter()));
    }

    /// It succeeded.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// It may be tried at once: somebody says that things have changed.
    pub(super) fn hurry(&mut self) {
        self.until = None;
    }

    /// Until when not to try, when that lies after `now`.
    pub(super) fn waits_at(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }
}

/// Evenly between 0 and 0.25; the standard library seeds its hash tables at random.
fn random_quarter() -> f64 {
    let random = RandomState::new().hash_one(0_u8);
    f64::from(random as u32) / f64::from(u32::MAX) / 4.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        assert_eq!(backoff.waits_at(now), None);
        let mut bound = FIRST;
        for _ in 0..100 {
            backoff.failed(now);
            let wait = backoff.waits_at(now).unwrap() - now;
            assert!(wait <= bound && wait >= bound.mul_f64(0.74), "{wait:?} of {bound:?}");
            bound = (bound * 2).min(LONGEST);
        }
        assert_eq!(backoff.waits_at(now + LONGEST), None);
        backoff.hurry();
        assert_eq!(backoff.waits_at(now), None);
    }
}
