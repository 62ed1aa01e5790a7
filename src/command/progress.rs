//! How far a replay is: a bar on a terminal, nothing in a pipe.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::capture::Octets;

/// Frames between two looks at the bar: some tens of microseconds.
const INTERVAL: u64 = 1 << 14;

/// A bar on standard error, if that is a terminal.
pub(super) struct Progress {
    bar: ProgressBar,
    shown: bool,
}

impl Progress {
    /// A bar for so many octets.
    pub(super) fn new(octets: Octets) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(10);
        let bar = ProgressBar::with_draw_target(octets.total, target);
        let template = match octets.total {
            Some(_) => "{bar:40} {percent:>3} %  {bytes}, {bytes_per_sec}, {eta} left",
            None => "{spinner} {bytes}, {bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        let shown = !bar.is_hidden();
        Self { bar, shown }
    }

    /// No bar, for captures that are a means to something else.
    pub(super) fn none() -> Self {
        Self { bar: ProgressBar::hidden(), shown: false }
    }

    /// Whether it is time to say how far reading is, after this many frames.
    #[inline]
    pub(super) fn is_due(&self, frames: u64) -> bool {
        self.shown && frames.is_multiple_of(INTERVAL)
    }

    /// So far it is.
    pub(super) fn show(&self, octets: Octets) {
        self.bar.set_position(octets.read);
    }

    /// Leaves the terminal as it was.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
