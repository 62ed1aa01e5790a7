//! Alerts that were taken a moment ago and would be lost if the connection broke.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Chunk, Lines};
use crate::rule::Level;

/// As much as a kernel keeps for a connection at the most (the default of `net.ipv4.tcp_wmem`).
const LIMIT: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Recent {
    // Oldest first; `octets` is the sum of their lengths, at most LIMIT.
    alerts: VecDeque<Alert>,
    octets: usize,
}

#[derive(Debug)]
struct Alert {
    taken: Instant,
    line: Box<[u8]>,
    level: Level,
}

impl Recent {
    /// Lines from number `from` to where `lines` stands were taken at `now`.
    pub(super) fn note(&mut self, lines: &Lines, from: usize, now: Instant) {
        let taken = lines.position() - from;
        for (line, level) in lines.chunk().lines_from(from).take(taken) {
            let Some(level) = level else { continue };
            self.octets += line.len();
            self.alerts.push_back(Alert { taken: now, line: line.into(), level });
        }
        while self.octets > LIMIT && self.forget_first() {}
    }

    /// Forgets what was taken longer ago than `window`.
    pub(super) fn forget(&mut self, window: Duration, now: Instant) {
        let is_old = |alert: &Alert| now.saturating_duration_since(alert.taken) > window;
        while self.alerts.front().is_some_and(is_old) && self.forget_first() {}
    }

    /// All alerts that are in doubt, which are not any more.
    pub(super) fn drain(&mut self) -> Chunk {
        let mut chunk = Chunk::with_capacity(self.octets);
        for alert in self.alerts.drain(..) {
            chunk.push(&alert.line, Some(alert.level));
        }
        self.octets = 0;
        chunk
    }

    fn forget_first(&mut self) -> bool {
        let first = self.alerts.pop_front();
        self.octets -= first.as_ref().map_or(0, |alert| alert.line.len());
        first.is_some()
    }
}
