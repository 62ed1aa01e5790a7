//! Whether the client says something in time (clause 3.1.2.10).
//!
//! The time that may pass is that from the end of one packet to the start of the next, so that a
//! large message may take as long as it does.

use std::time::Duration;

use super::session::Seen;
use crate::time::Timestamp;

/// Timers tick slowly, and a packet may have to be sent again: so much later is still in time.
const LATE: Duration = Duration::from_secs(2);

/// The client's keep-alive.
#[derive(Debug)]
pub(super) struct KeepAlive {
    /// How long the client may be silent; for ever, if it has no keep-alive or none is known.
    limit: Duration,
    /// When its last packet ended; [`Timestamp::NEVER`] until that is known.
    silent_since: Timestamp,
    /// When the packet began that is not all here.
    began: Option<Timestamp>,
}

impl KeepAlive {
    pub(super) const NONE: Self =
        Self { limit: Duration::MAX, silent_since: Timestamp::NEVER, began: None };

    /// So many seconds are agreed upon, 0 for none.
    pub(super) fn agree(&mut self, seconds: u16) {
        let limit = Duration::from_millis(u64::from(seconds) * 1500) + LATE;
        self.limit = if seconds == 0 { Duration::MAX } else { limit };
    }

    /// Octets of the client were missed, or the end of its packet was not seen.
    pub(super) fn miss(&mut self) {
        (self.silent_since, self.began) = (Timestamp::NEVER, None);
    }

    /// The first octets of a packet of the client came.
    pub(super) fn begin(&mut self, time: Timestamp) {
        self.began.get_or_insert(time);
    }

    /// A packet of the client is all here. How long it was silent before, if that was too long.
    #[inline]
    pub(super) fn client(&mut self, seen: &Seen) -> Option<Duration> {
        let began = self.began.take().unwrap_or(seen.time);
        let silent = began.since(self.silent_since);
        self.silent_since = seen.time;
        (silent > self.limit && !seen.late).then_some(silent)
    }

    /// The broker sends something. How long the client is silent, if that is too long: told once.
    #[inline]
    pub(super) fn broker(&mut self, seen: &Seen) -> Option<Duration> {
        let silent = seen.time.since(self.silent_since);
        if silent <= self.limit || self.began.is_some() || seen.late || !seen.informed() {
            return None;
        }
        self.miss();
        Some(silent)
    }
}
