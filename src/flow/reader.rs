//! What a stream delivers, and who takes it.

use super::{Progress, Side};

/// Takes what a stream delivers.
pub trait Reader {
    /// What follows was sent by this end, which has acknowledged so much of the other's stream.
    ///
    /// `latest` is how much it has taken by what any of its packets says: more than the packet at hand
    /// does if that was overtaken. It is what is known of data that is [late](Self::late).
    fn turn_to(&mut self, sender: Side, acknowledged: Acknowledged, latest: Acknowledged);

    /// What comes with the next call, data or a gap, ends before the octet with this sequence
    /// number.
    fn reach(&mut self, _end: u32) {}

    /// Whether what follows came earlier, and waited for what was missing before it.
    fn late(&mut self, _late: bool) {}

    /// What this end sent began before what follows, and nobody saw by how much: no SYN told.
    fn joined(&mut self) {}

    /// Octets in order, beginning with those that were kept. See [`Progress`].
    fn data(&mut self, bytes: &[u8]) -> Progress;

    /// `missing` octets will never come. What was kept for an unfinished message is gone.
    fn gap(&mut self, missing: u64, why: Why);

    /// Something that no sane sender does.
    fn incident(&mut self, incident: Incident);

    /// The most octets to keep for an unfinished message.
    fn max_kept(&self) -> usize;
}

/// How much of the other direction the sender of a message has taken, as its acknowledgments say: the
/// order in which a capture has the two directions is not the order in which either end saw them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Acknowledged {
    /// Not all that was delivered.
    Part,
    /// Exactly all that was delivered.
    All,
    /// Octets that were not delivered yet, or are missed; or nobody knows.
    #[default]
    Beyond,
}

/// Why octets are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// They were not captured, or more of them than may be kept had to be.
    Lost,
    /// Their packet was captured, but not to its end: the capture was told to.
    Cut,
}

/// What no sane sender does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incident {
    /// The same octets of the stream came twice, with different content.
    OverlapDiffers {
        /// Where the second copy began: octets from the start of the stream.
        offset: u64,
    },
    /// Segment after segment has other data under the sequence number of the first: a capture
    /// written by hand. Only the first was taken.
    SequenceFrozen,
    /// One end acknowledges data that the other sent after a reset: both took no notice of it.
    ResetIgnored,
    /// A reset whose number is of no window.
    ResetOutOfWindow,
    /// A FIN whose number is of no window, or stands before data that came.
    FinOutOfWindow,
    /// An octet is urgent: whether it is one of the stream is for the application to say.
    UrgentData {
        /// Where it stands: octets from the start of the stream.
        offset: u64,
    },
    /// New data with a timestamp older than that of data before it.
    OldTimestamp,
    /// Data that acknowledges nothing, in a connection that is open.
    AckMissing,
}
