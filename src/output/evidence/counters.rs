//! What is counted of evidence.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters of a [`Keeper`](super::Keeper). All only grow, but those said to be states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeeperCounters {
    /// State: frames that are kept.
    pub frames: u64,
    /// State: octets of memory that they take.
    pub octets: u64,
    /// Frames let go to make room for others, before their flow had as many as it may.
    pub pushed_out: u64,
    /// Frames not kept at all, for want of room.
    pub not_kept: u64,
    /// Cases opened: files named in alerts.
    pub cases: u64,
    /// Alerts in them.
    pub alerts: u64,
    /// Alerts that no file is named in: nothing of their flow was kept.
    pub without: u64,
    /// Cases that ended early, to make room.
    pub cut_short: u64,
    /// Cases let go because nobody took them.
    pub lost: u64,
}

impl AddAssign for KeeperCounters {
    fn add_assign(&mut self, other: Self) {
        self.frames += other.frames;
        self.octets += other.octets;
        self.pushed_out += other.pushed_out;
        self.not_kept += other.not_kept;
        self.cases += other.cases;
        self.alerts += other.alerts;
        self.without += other.without;
        self.cut_short += other.cut_short;
        self.lost += other.lost;
    }
}

/// Counters of the files, as they were when they were asked for. All only grow, but those said to
/// be states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ArchiveCounters {
    /// Files written.
    pub written_files: u64,
    /// Their octets.
    pub written_octets: u64,
    /// Cases that could not be written.
    pub errors: u64,
    /// Cases let go because too much waited to be written.
    pub dropped: u64,
    /// Files deleted to make room for others.
    pub deleted: u64,
    /// State: files in the folder.
    pub files: u64,
    /// State: octets of disk that they take.
    pub octets: u64,
    /// State: octets of cases that wait to be written.
    pub waiting: u64,
}

/// Shared by the thread that writes and those who ask.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) written_files: AtomicU64,
    pub(super) written_octets: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) deleted: AtomicU64,
    pub(super) files: AtomicU64,
    pub(super) octets: AtomicU64,
    pub(super) waiting: AtomicU64,
}

impl Counters {
    /// Each is exact; together they may be a moment apart.
    pub(super) fn read(&self) -> ArchiveCounters {
        ArchiveCounters {
            written_files: self.written_files.load(Relaxed),
            written_octets: self.written_octets.load(Relaxed),
            errors: self.errors.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            deleted: self.deleted.load(Relaxed),
            files: self.files.load(Relaxed),
            octets: self.octets.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
        }
    }
}
