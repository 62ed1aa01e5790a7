//! Datagrams not faster than a receiver takes them: nobody tells when one is lost.

use std::thread;
use std::time::{Duration, Instant};

/// So many may come at once: a Linux receiver's usual buffer of 208 KiB has room for about 90 of
/// 1 KiB each, as the kernel counts them.
const BURST: u32 = 64;

/// … in so long a time: 32,000 a second, which a syslog server takes.
const WINDOW: Duration = Duration::from_millis(2);

/// Spreads datagrams over time: a spool of alerts would otherwise come as fast as the disk is.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the window began, and how many were sent since.
    window: Option<Instant>,
    sent: u32,
}

impl Pace {
    /// Returns when one more may be sent.
    pub(super) fn wait(&mut self) {
        let now = Instant::now();
        let ends = self.window.map(|begun| begun + WINDOW).filter(|ends| *ends > now);
        match ends {
            Some(_) if self.sent < BURST => {}
            Some(ends) => {
                thread::sleep(ends - now);
                (self.window, self.sent) = (Some(Instant::now()), 0);
            }
            None => (self.window, self.sent) = (Some(now), 0),
        }
        self.sent += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_at_once_is_spread() {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        (0..10 * BURST).for_each(|_| pace.wait());
        assert!(begun.elapsed() >= 9 * WINDOW, "{:?}", begun.elapsed());
    }
}
