//! Evidence: for each alert a pcapng file with packets of its flow around it, which the alert names.
//!
//! ```text
//!            capture thread                        │        thread of the archive
//!  frames ─▶ Keeper: the latest of every flow      │
//!  alerts ─▶    │ names the file, opens a case     │
//!               ▼ some packets or seconds later    │
//!             Case ────────────── offer ───────────┼─▶ Archive ─▶ Writer ─▶ 2026….pcapng
//! ```
//!
//! Memory is of a fixed size, and so is the disk that the files take. Where either falls short,
//! cases are cut or let go and counted; alerts never wait for them.
//!
//! # What is in a file
//!
//! Packets of one flow, as they were captured: those of some time before the first alert, and some
//! after the last. Alerts of the same flow that follow soon are in the same file. The names of files
//! are in the order of time; the oldest files go when there is no more room.
//!
//! # What is not
//!
//! Passwords are overwritten, user names and payloads where they are redacted, and the checksums of TCP mended. Where they stand is what a parser
//! tells ([`Records::secret`](crate::event::Records::secret)); since it can tell only of what it has
//! read, data of a protocol with secrets that nobody has read are overwritten too: those that wait
//! for others to come first, the beginning of an unfinished message at the end of a file, what stands
//! between a gap and the next message.

mod archive;
mod case;
mod counters;
mod hidden;
mod keeper;
mod store;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

pub use archive::Archive;
pub use case::Case;
pub use counters::{ArchiveCounters, KeeperCounters};
pub use keeper::Keeper;
pub use writer::Writer;

use crate::event::Redaction;

/// What is kept, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where the files are.
    pub directory: PathBuf,
    /// Octets that all files may take.
    pub size: u64,
    /// Octets of memory: most for packets that may be wanted, the rest for their alerts and for
    /// cases on their way to the disk.
    pub memory: usize,
    /// The most packets of a flow before an alert, and after it; at least one.
    pub packets: u32,
    /// How long before the alert the first of them may be.
    pub before: Duration,
    /// How long after the alert the last of them may be.
    pub after: Duration,
    /// Whether passwords are overwritten.
    pub blank_passwords: bool,
    /// What else is; then passwords are in any case.
    pub redaction: Redaction,
}

impl Options {
    /// Files in this folder, and the defaults of the configuration.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            size: 1 << 30,
            memory: 64 << 20,
            packets: 64,
            before: Duration::from_secs(30),
            after: Duration::from_secs(5),
            blank_passwords: true,
            redaction: Redaction::default(),
        }
    }

    fn limits(&self, threads: usize) -> Limits {
        let part = self.memory / threads.max(1);
        Limits {
            memory: part / 16 * 13,
            alerts: (part / 16 / ALERT).max(1),
            ready: part / 16,
            packets: self.packets.max(1),
            before: self.before,
            after: self.after,
            blank: self.blank_passwords || self.redaction.is_any(),
            frame_secrets: if self.redaction.payloads { 4 } else { 0 },
        }
    }

    /// Octets of cases that may wait to be written.
    const fn queue(&self) -> usize {
        self.memory / 16
    }
}

/// Octets for an open case and an alert that it names.
const ALERT: usize = 512;

/// What a [`Keeper`] may use.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Octets for frames and flows.
    memory: usize,
    /// Open cases; and alerts that these name.
    alerts: usize,
    /// Octets of finished cases.
    ready: usize,
    packets: u32,
    before: Duration,
    after: Duration,
    blank: bool,
    /// Secrets of a flow that are remembered for each of its frames, besides those of a login:
    /// telemetry sends a message in a segment, or a few.
    frame_secrets: usize,
}
