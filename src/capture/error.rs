//! What can be wrong with a capture, in words for the person who has the file.

use std::fmt;
use std::io;
use std::sync::Arc;

/// A capture that could not be begun; nothing of it was read.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct OpenError {
    /// The file's name.
    pub name: Arc<str>,
    /// Why not.
    pub reason: NoCapture,
}

/// Why something is no capture.
#[derive(Debug, thiserror::Error)]
pub enum NoCapture {
    /// The system does not let us read it.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// A directory.
    #[error("is a directory, not a capture")]
    Directory,
    /// No octet in it.
    #[error("is empty")]
    Empty,
    /// Packed with a tool, and the command that unpacks it.
    #[error("is compressed with {tool}: unpack it, as in `{unpack} FILE | gridtap replay -`")]
    Compressed {
        /// The compressing tool.
        tool: &'static str,
        /// The command that unpacks to its standard output.
        unpack: &'static str,
    },
    /// Printable characters only.
    #[error("is text, not a capture")]
    Text,
    /// Something else; its first octets.
    #[error("is neither pcap nor pcapng (it begins with {})", Hex(.0))]
    Unknown(Vec<u8>),
}

impl NoCapture {
    /// Whether there was nothing to read (sysexits `EX_NOINPUT`, 66), rather than the wrong thing
    /// (`EX_DATAERR`, 65).
    pub const fn is_no_input(&self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::Directory)
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{octet:02x}")?;
        }
        Ok(())
    }
}

/// Where and why reading a capture ended early. Everything before it was read.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {defect}, at octet {offset} after {frames} frames")]
pub struct Damage {
    /// The file's name.
    pub name: Arc<str>,
    /// Where the record begins that could not be read: octets from the start of the file.
    pub offset: u64,
    /// How many frames of this file came before.
    pub frames: u64,
    /// What is wrong there.
    pub defect: Defect,
}

/// What is wrong with a record of a capture.
#[derive(Debug, thiserror::Error)]
pub enum Defect {
    /// The file ends before the record does: the writer was stopped, or the copy is incomplete.
    #[error("truncated within {0}")]
    Truncated(&'static str),
    /// A version of the format that nobody has defined.
    #[error("version {major}.{minor} of {format} is not known")]
    Version {
        /// pcap or pcapng.
        format: &'static str,
        /// The version before the point.
        major: u16,
        /// The version after it.
        minor: u16,
    },
    /// A packet longer than [`MAX_PACKET`](super::MAX_PACKET).
    #[error("damaged: a packet of {0} octets is longer than captures keep")]
    PacketLength(u32),
    /// A block whose length is no multiple of four, or too short or too long for its type.
    #[error("damaged: a block cannot be {0} octets long")]
    BlockLength(u32),
    /// A block's length is written at both of its ends, and the two differ.
    #[error("damaged: a block of {head} octets ends as one of {tail}")]
    BlockEnds {
        /// The length in front.
        head: u32,
        /// The length behind.
        tail: u32,
    },
    /// Lengths within a block that reach beyond it.
    #[error("damaged: the parts of {0} do not fit into it")]
    BlockParts(&'static str),
    /// A section's byte-order magic that is none.
    #[error("damaged: {0:#010x} is no byte order")]
    ByteOrder(u32),
    /// A packet of an interface that the section has not described.
    #[error("damaged: a packet of interface {0}, which was not described")]
    Interface(u32),
    /// More interfaces than a section can name.
    #[error("damaged: more than {0} interfaces")]
    Interfaces(usize),
    /// The system stopped giving us the file.
    #[error("cannot be read on: {0}")]
    Unreadable(#[from] io::Error),
}

impl Defect {
    /// Whether only the end is missing, and what is there is sound.
    pub const fn is_truncation(&self) -> bool {
        matches!(self, Self::Truncated(_))
    }
}

/// Frames of a link type that is not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// The link type's number, <https://www.tcpdump.org/linktypes.html>.
    pub link: u32,
    /// How many frames of it were passed over.
    pub frames: u64,
}

/// Link types that people do capture, and that are not decoded.
const LINK_NAMES: &[(u32, &str)] = &[
    (6, "Token Ring"),
    (9, "PPP"),
    (50, "PPP in HDLC framing"),
    (51, "PPPoE"),
    (104, "Cisco HDLC"),
    (105, "IEEE 802.11"),
    (107, "Frame Relay"),
    (127, "IEEE 802.11 radiotap"),
    (140, "SS7 MTP2"),
    (187, "Bluetooth HCI"),
    (189, "USB"),
    (195, "IEEE 802.15.4"),
    (220, "USB"),
    (227, "CAN"),
    (239, "NFLOG"),
    (253, "netlink"),
];

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, frames } = self;
        write!(f, "link type {link}")?;
        if let Some((_, name)) = LINK_NAMES.iter().find(|(number, _)| number == link) {
            write!(f, " ({name})")?;
        }
        let plural = if *frames == 1 { "" } else { "s" };
        write!(f, " is not decoded: {frames} frame{plural} skipped")
    }
}
