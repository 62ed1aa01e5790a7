//! pcap: a header, then records of a time, two lengths and the octets.
//! draft-ietf-opsawg-pcap; the "modified" form is that of Alexey Kuznetzov's patched tcpdump.
//!
//! ```text
//! record   | seconds | fraction | kept | on the wire | octets … |
//!               4         4        4          4          kept
//! ```

use pcap_parser::{PcapHeader, parse_pcap_header};

use super::MAX_PACKET;
use super::error::Defect;
use super::record::{Link, Order, Packet, SECOND};
use super::window::Window;
use crate::bytes::{Cursor, Short};
use crate::time::Timestamp;

const FILE_HEADER: usize = 24;

/// The bits of the header's last field that are the link type; above them stands the length of the
/// frame check sequence.
const LINK_MASK: u32 = 0x03ff_ffff;

/// How the records of a file are written.
#[derive(Debug)]
pub(super) struct Pcap {
    order: Order,
    /// Nanoseconds in a unit of the fraction.
    unit: u64,
    /// Octets before a packet: 16, or 24 in the modified form.
    record_header: usize,
    link: Link,
}

struct RecordHeader {
    seconds: u32,
    fraction: u32,
    kept: u32,
    wire_length: u32,
}

impl Pcap {
    /// Whether a file that begins so is for [`open`](Self::open).
    pub(super) const fn recognises(magic: [u8; 4]) -> bool {
        matches!(
            u32::from_le_bytes(magic),
            0xa1b2_c3d4 | 0xd4c3_b2a1 | 0xa1b2_3c4d | 0x4d3c_b2a1 | 0xa1b2_cd34
        )
    }

    /// Reads the file's header.
    pub(super) fn open(window: &mut Window) -> Result<Self, Defect> {
        window.fill(FILE_HEADER)?;
        let (_, header) = parse_pcap_header(window.octets())
            .map_err(|_| Defect::Truncated("the file's header"))?;
        let PcapHeader { version_major: major, version_minor: minor, .. } = header;
        if major != 2 {
            return Err(Defect::Version { format: "pcap", major, minor });
        }
        window.advance(FILE_HEADER);
        Ok(Self {
            order: if header.is_bigendian() { Order::Big } else { Order::Little },
            unit: if header.is_nanosecond_precision() { 1 } else { 1000 },
            record_header: if header.is_modified_format() { 24 } else { 16 },
            link: Link::new(header.network.0 as u32 & LINK_MASK),
        })
    }

    /// The packet that the window begins with; `None` at the end of the file.
    #[inline]
    pub(super) fn next(&self, window: &mut Window) -> Result<Option<Packet>, Defect> {
        if !window.fill(self.record_header)? {
            return match window.octets() {
                [] => Ok(None),
                _ => Err(Defect::Truncated("a packet's header")),
            };
        }
        let header = self
            .record_header(window.octets())
            .map_err(|_| Defect::Truncated("a packet's header"))?;
        if header.kept as usize > MAX_PACKET {
            return Err(Defect::PacketLength(header.kept));
        }
        let record_length = self.record_header + header.kept as usize;
        if !window.fill(record_length)? {
            return Err(Defect::Truncated("a packet"));
        }
        let seconds = u64::from(header.seconds) * SECOND;
        Ok(Some(Packet {
            timestamp: Timestamp::from_nanos(seconds + u64::from(header.fraction) * self.unit),
            wire_length: header.wire_length.max(header.kept),
            interface: 0,
            link: self.link,
            data_at: self.record_header as u32,
            kept: header.kept,
            record_length: record_length as u32,
        }))
    }

    #[inline]
    fn record_header(&self, octets: &[u8]) -> Result<RecordHeader, Short> {
        let mut cursor = Cursor::new(octets);
        Ok(RecordHeader {
            seconds: self.order.u32(&mut cursor)?,
            fraction: self.order.u32(&mut cursor)?,
            kept: self.order.u32(&mut cursor)?,
            wire_length: self.order.u32(&mut cursor)?,
        })
    }
}
