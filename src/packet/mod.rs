//! Frames as they were captured, and the packets in them.

/// What the first header of a frame is. The values of pcap's `network` field that mean it are in
/// [`LinkType::from_pcap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// Ethernet II.
    Ethernet,
    /// Linux cooked capture, version 1.
    LinuxSll,
    /// Linux cooked capture, version 2.
    LinuxSll2,
    /// IPv4 or IPv6, told apart by the first nibble.
    Raw,
    /// Address family in four octets of the capturing host's byte order (BSD loopback).
    Null,
    /// Address family in four octets of network byte order (OpenBSD loopback).
    Loop,
}

impl LinkType {
    /// The link type with this number in <https://www.tcpdump.org/linktypes.html>; `None` for one
    /// that is not decoded.
    pub const fn from_pcap(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            108 => Self::Loop,
            113 => Self::LinuxSll,
            276 => Self::LinuxSll2,
            _ => return None,
        })
    }
}

/// One frame of a capture.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Position in the capture, from 1; 0 in live capture.
    pub number: u64,
    /// When it was captured.
    pub timestamp: crate::time::Timestamp,
    /// What its first header is.
    pub link: LinkType,
    /// The octets that were captured.
    pub data: &'a [u8],
    /// How many octets it had on the wire.
    pub wire_length: u32,
    /// The interface's name where the capture has it.
    pub interface: Option<&'a str>,
}
