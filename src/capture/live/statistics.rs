//! What a ring has counted.

use std::ops::AddAssign;

/// Counts of a ring since it was opened. `packets` is the sum of `handled`, `dropped`, `unread`,
/// `damaged` and what waits in the ring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Frames that came to the ring: those that passed the filter.
    pub packets: u64,
    /// Frames for which there was no room in the ring. (That frames say so, too, with
    /// `TP_STATUS_LOSING`, adds nothing; and `TP_STATUS_COPY` needs a buffer that we do not have.)
    pub dropped: u64,
    /// How often the ring filled up.
    pub freezes: u64,
    /// Frames that were handed on.
    pub handled: u64,
    /// Frames that were still in the ring when it was closed.
    pub unread: u64,
    /// Frames handed on that are cut to the snap length.
    pub truncated: u64,
    /// Frames handed on into which a VLAN tag was put back.
    pub tags_restored: u64,
    /// Frames that the kernel described in a way that cannot be: none, unless it has a fault.
    pub damaged: u64,
}

impl AddAssign for Statistics {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.dropped += other.dropped;
        self.freezes += other.freezes;
        self.handled += other.handled;
        self.unread += other.unread;
        self.truncated += other.truncated;
        self.tags_restored += other.tags_restored;
        self.damaged += other.damaged;
    }
}
