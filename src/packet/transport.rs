//! The header above IP.

use std::num::NonZeroU32;

use super::checksum::{add, fold, pseudo_header, sum};
use super::ip::Ip;
use super::{Defect, Skip};
use crate::bytes::Cursor;

/// What is above IP.
#[derive(Debug, Clone, Copy)]
pub enum Transport<'a> {
    /// A TCP segment.
    Tcp(Tcp<'a>),
    /// A UDP datagram.
    Udp {
        /// The sender's port.
        source_port: u16,
        /// The receiver's port.
        destination_port: u16,
        /// The data.
        payload: &'a [u8],
    },
    /// An SCTP packet.
    Sctp {
        /// The sender's port.
        source_port: u16,
        /// The receiver's port.
        destination_port: u16,
    },
    /// A message of ICMP or ICMPv6.
    Icmp {
        /// The message's type.
        kind: u8,
        /// The message's code.
        code: u8,
    },
    /// Anything else.
    Other,
}

/// What the checksum of a segment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// It is right.
    Good,
    /// It is wrong.
    Bad,
    /// It was left to the network card, which had not seen the packet yet: the field holds zero or
    /// the sum over the pseudo header.
    Offloaded,
    /// Not all of the segment was captured.
    Unknown,
}

/// A TCP segment (RFC 9293, 3.1).
#[derive(Debug, Clone, Copy)]
pub struct Tcp<'a> {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// Number of the first octet of `payload`, or of SYN.
    pub sequence: u32,
    /// Number of the next octet that the sender expects, if [`TcpFlags::ACK`] is set.
    pub acknowledgment: u32,
    /// The control bits.
    pub flags: TcpFlags,
    /// What the checksum says.
    pub checksum: Checksum,
    /// Octets of the header, which is in front of `payload`.
    pub header_length: u8,
    /// TSval of the timestamps option (RFC 7323, 3.2). None for zero, too, which says as little to
    /// Linux.
    pub timestamp: Option<NonZeroU32>,
    /// How far behind `sequence` the urgent data ends, if [`TcpFlags::URG`] is set.
    pub urgent: u16,
    /// The data, as far as it was captured.
    pub payload: &'a [u8],
    /// Octets of data behind `payload` that were not captured.
    pub missing: u32,
    /// A sum over `payload` that came with the checksum: it tells two segments apart, though not
    /// two that somebody made alike.
    pub fingerprint: u32,
}

/// The control bits of a TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// The acknowledgment number counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;

    /// Whether any of `bits` is set.
    #[inline]
    pub const fn any(self, bits: u8) -> bool {
        self.0 & bits != 0
    }
}

/// Kinds of options (RFC 9293, 3.2; RFC 7323, 3.2).
const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;
const TIMESTAMPS: u8 = 8;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;

/// Opens what is above IP.
#[inline(always)]
pub(super) fn decode<'a>(ip: &Ip<'a>) -> Result<Transport<'a>, Skip> {
    match ip.protocol {
        TCP => tcp(ip),
        UDP => udp(ip),
        ICMP | ICMPV6 => match ip.payload {
            [kind, code, ..] => Ok(Transport::Icmp { kind: *kind, code: *code }),
            _ => Err(short(ip, 2, Defect::IcmpHeader)),
        },
        SCTP => sctp(ip),
        _ => Ok(Transport::Other),
    }
}

/// The octets at hand end within a header of `needed` octets. Where the packet is long enough for
/// it, they may have been cut off.
#[cold]
const fn short(ip: &Ip<'_>, needed: usize, defect: Defect) -> Skip {
    if ip.payload.len() + ip.missing < needed {
        return Skip::Defect(defect);
    }
    Skip::Short(defect)
}

/// RFC 9293, 3.1:
///
/// ```text
///  0             2                   4          8                12       13      14       16         18
/// | source port | destination port | sequence | acknowledgment | offset | flags | window | checksum | urgent |
/// ```
#[inline(always)]
fn tcp<'a>(ip: &Ip<'a>) -> Result<Transport<'a>, Skip> {
    let segment = ip.payload;
    let Some(fixed) = segment.first_chunk::<20>() else {
        return Err(short(ip, 20, Defect::TcpHeader));
    };
    let header_length = usize::from(fixed[12] >> 4) * 4;
    if header_length < 20 {
        return Err(Defect::TcpHeader.into());
    }
    let whole = segment.split_at_checked(header_length);
    let (header, payload) = whole.ok_or_else(|| short(ip, header_length, Defect::TcpHeader))?;
    let payload_sum = sum(payload);
    Ok(Transport::Tcp(Tcp {
        source_port: u16::from_be_bytes([fixed[0], fixed[1]]),
        destination_port: u16::from_be_bytes([fixed[2], fixed[3]]),
        sequence: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        acknowledgment: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        flags: TcpFlags(fixed[13]),
        checksum: verify(ip, [fixed[16], fixed[17]], add(sum(header), payload_sum)),
        header_length: header_length as u8,
        timestamp: timestamp(header.get(20..).unwrap_or_default()),
        urgent: u16::from_be_bytes([fixed[18], fixed[19]]),
        payload,
        missing: ip.missing as u32,
        fingerprint: fingerprint(payload_sum),
    }))
}

/// All systems send the timestamps option alone, behind two octets that say nothing, as RFC 7323 advises
/// in its appendix A: that is looked at first.
#[inline(always)]
pub(super) fn timestamp(options: &[u8]) -> Option<NonZeroU32> {
    const LAID_OUT: u32 = u32::from_be_bytes([NO_OPERATION, NO_OPERATION, TIMESTAMPS, 10]);
    let [a, b, c, d, stamp @ ..] = *options.first_chunk::<8>()?;
    if u32::from_be_bytes([a, b, c, d]) != LAID_OUT {
        return timestamp_among_others(options);
    }
    NonZeroU32::new(u32::from_be_bytes(stamp))
}

#[cold]
fn timestamp_among_others(mut options: &[u8]) -> Option<NonZeroU32> {
    loop {
        options = match *options {
            [NO_OPERATION, ref behind @ ..] => behind,
            [TIMESTAMPS, 10, a, b, c, d, _, _, _, _, ..] => {
                return NonZeroU32::new(u32::from_be_bytes([a, b, c, d]));
            }
            [kind, length, ..] if kind != END_OF_OPTIONS && length >= 2 => {
                options.get(usize::from(length)..)?
            }
            _ => return None,
        }
    }
}

#[inline]
fn verify(ip: &Ip<'_>, field: [u8; 2], segment_sum: u64) -> Checksum {
    if ip.missing > 0 {
        return Checksum::Unknown;
    }
    let pseudo = pseudo_header(ip.source, ip.destination, ip.protocol, ip.payload.len());
    if fold(add(pseudo, segment_sum)) == 0xffff {
        return Checksum::Good;
    }
    let field = u16::from_be_bytes(field);
    if field == 0 || field == fold(pseudo) { Checksum::Offloaded } else { Checksum::Bad }
}

#[inline]
const fn fingerprint(sum: u64) -> u32 {
    (sum as u32).wrapping_add((sum >> 32) as u32)
}

impl Tcp<'_> {
    /// Octets of data, captured or not.
    #[inline]
    pub const fn length(&self) -> u32 {
        (self.payload.len() as u32).wrapping_add(self.missing)
    }

    /// The [`fingerprint`](Self::fingerprint) of some octets.
    pub fn fingerprint_of(bytes: &[u8]) -> u32 {
        fingerprint(sum(bytes))
    }
}

/// RFC 768. A length of zero is a jumbogram's, or was left to the network card.
fn udp<'a>(ip: &Ip<'a>) -> Result<Transport<'a>, Skip> {
    let mut cursor = Cursor::new(ip.payload);
    let mut field = || cursor.u16_be().map_err(|_| short(ip, 8, Defect::UdpHeader));
    let (source_port, destination_port) = (field()?, field()?);
    let (length, _checksum) = (usize::from(field()?), field()?);
    let rest = cursor.rest();
    let payload = match length {
        0 => rest,
        1..8 => return Err(Defect::UdpHeader.into()),
        length => rest.get(..length - 8).unwrap_or(rest),
    };
    Ok(Transport::Udp { source_port, destination_port, payload })
}

/// RFC 9260, 3.1.
fn sctp<'a>(ip: &Ip<'a>) -> Result<Transport<'a>, Skip> {
    let mut cursor = Cursor::new(ip.payload);
    let mut port = || cursor.u16_be().map_err(|_| short(ip, 4, Defect::SctpHeader));
    Ok(Transport::Sctp { source_port: port()?, destination_port: port()? })
}
