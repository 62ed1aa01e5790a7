//! pcapng: sections, each with its byte order and its interfaces, made of blocks.
//! draft-ietf-opsawg-pcapng; the clauses named here are its.
//!
//! ```text
//! block    | type | length | body … | length |
//!              4      4                 4
//! ```

use pcap_parser::{
    InterfaceDescriptionBlock, OptionCode, parse_interfacedescriptionblock_be,
    parse_interfacedescriptionblock_le, parse_sectionheaderblock,
};

use super::MAX_PACKET;
use super::error::Defect;
use super::record::{Clock, Link, Order, Packet, Unit};
use super::window::Window;
use crate::bytes::{Cursor, Short};
use crate::time::Timestamp;

/// The type of a section header: a palindrome, the same in both byte orders (4.1).
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
/// What a section header's byte-order magic is in the section's byte order (4.1).
pub(super) const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
pub(super) const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
pub(super) const ENHANCED_PACKET: u32 = 6;

/// Type and both lengths: the shortest block. Of a section header, as far as its byte order.
const FRAMING: usize = 12;
/// Where a block's body begins.
const BODY_AT: usize = 8;
/// The length at the end of a block.
const TAIL: usize = 4;
/// The longest block that is kept whole: a packet and as much again for its options.
const MAX_KEPT: usize = 2 * MAX_PACKET;
/// The longest block that is believed, and skipped; Wireshark's limit.
const MAX_BLOCK: usize = 16 << 20;
/// As many interfaces as an obsolete packet block can tell apart (appendix A).
const MAX_INTERFACES: usize = 1 << 16;
/// As much of an interface's name as is kept, in characters.
const MAX_NAME: usize = 255;

/// What was read of the section so far.
#[derive(Debug)]
pub(super) struct PcapNg {
    order: Order,
    interfaces: Vec<Interface>,
    /// Where in the file the block begins that is or was read last.
    block_offset: u64,
}

#[derive(Debug)]
struct Interface {
    name: Option<Box<str>>,
    link: Link,
    clock: Clock,
    /// How much of a packet was kept at most.
    snapshot_length: u32,
}

/// The block that the window begins with.
struct Block {
    kind: u32,
    /// Of the whole block: a multiple of four from [`FRAMING`] to [`MAX_BLOCK`].
    length: usize,
}

impl PcapNg {
    /// A file whose first section header is still to be read.
    pub(super) const fn new() -> Self {
        Self { order: Order::Little, interfaces: Vec::new(), block_offset: 0 }
    }

    /// Whether a file that begins so is for this format.
    pub(super) const fn recognises(magic: [u8; 4]) -> bool {
        u32::from_be_bytes(magic) == SECTION_HEADER
    }

    /// Where in the file the block begins that is or was read last.
    pub(super) const fn block_offset(&self) -> u64 {
        self.block_offset
    }

    /// The name of an interface of this section, where the capture has it.
    #[inline]
    pub(super) fn interface_name(&self, index: u32) -> Option<&str> {
        self.interfaces.get(index as usize)?.name.as_deref()
    }

    /// The packet in the block that the window begins with, once the blocks without one are
    /// used up; `None` at the end of the file.
    #[inline]
    pub(super) fn next(&mut self, window: &mut Window) -> Result<Option<Packet>, Defect> {
        while let Some(block) = self.block(window)? {
            match block.kind {
                ENHANCED_PACKET | OBSOLETE_PACKET => {
                    return self.packet(&block, self.body(window, &block)?).map(Some);
                }
                SIMPLE_PACKET => {
                    return self.simple_packet(&block, self.body(window, &block)?).map(Some);
                }
                INTERFACE_DESCRIPTION => {
                    self.body(window, &block)?;
                    self.interface(window.octets())?;
                    window.advance(block.length);
                }
                SECTION_HEADER => {
                    self.body(window, &block)?;
                    self.section(window.octets())?;
                    window.advance(block.length);
                }
                _ => self.skip(window, &block)?,
            }
        }
        Ok(None)
    }

    /// Reads type and length of the next block, and the byte order if it begins a section.
    #[inline]
    fn block(&mut self, window: &mut Window) -> Result<Option<Block>, Defect> {
        self.block_offset = window.offset();
        if !window.fill(FRAMING)? {
            return match window.octets() {
                [] => Ok(None),
                _ => Err(Defect::Truncated("a block's header")),
            };
        }
        let (kind, length) = self.framing(window.octets())?;
        let possible = FRAMING..=MAX_BLOCK;
        if length % 4 != 0 || !possible.contains(&(length as usize)) {
            return Err(Defect::BlockLength(length));
        }
        Ok(Some(Block { kind, length: length as usize }))
    }

    #[inline]
    fn framing(&mut self, octets: &[u8]) -> Result<(u32, u32), Defect> {
        if octets.starts_with(&SECTION_HEADER.to_be_bytes()) {
            self.order = section_order(octets)?;
        }
        let mut cursor = Cursor::new(octets);
        let mut next = || self.order.u32(&mut cursor);
        let framing = next().and_then(|kind| Ok((kind, next()?)));
        framing.map_err(|_| Defect::Truncated("a block's header"))
    }

    /// Brings a whole block into the window; what stands between its lengths.
    #[inline]
    fn body<'w>(&self, window: &'w mut Window, block: &Block) -> Result<&'w [u8], Defect> {
        if block.length > MAX_KEPT {
            return Err(Defect::BlockLength(block.length as u32));
        }
        if !window.fill(block.length)? {
            return Err(Defect::Truncated("a block"));
        }
        let whole = window.octets().get(..block.length).unwrap_or_default();
        let (rest, tail) = whole.split_at(block.length - TAIL);
        self.check_tail(block, tail)?;
        Ok(rest.get(BODY_AT..).unwrap_or_default())
    }

    /// Uses up a block of no interest.
    fn skip(&self, window: &mut Window, block: &Block) -> Result<(), Defect> {
        if !window.skip(block.length - TAIL)? || !window.fill(TAIL)? {
            return Err(Defect::Truncated("a block"));
        }
        self.check_tail(block, window.octets())?;
        window.advance(TAIL);
        Ok(())
    }

    #[inline]
    fn check_tail(&self, block: &Block, tail: &[u8]) -> Result<(), Defect> {
        let head = block.length as u32;
        match self.order.u32(&mut Cursor::new(tail)) {
            Ok(tail) if tail == head => Ok(()),
            Ok(tail) => Err(Defect::BlockEnds { head, tail }),
            Err(_) => Err(Defect::Truncated("a block")),
        }
    }

    /// Begins a section: what was said of interfaces is over.
    fn section(&mut self, octets: &[u8]) -> Result<(), Defect> {
        let (_, section) =
            parse_sectionheaderblock(octets).map_err(|_| Defect::BlockParts("a section header"))?;
        // 1.0, and 1.2 which some writers wrote for the same (4.1).
        let (major, minor) = (section.major_version, section.minor_version);
        if major != 1 || !matches!(minor, 0 | 2) {
            return Err(Defect::Version { format: "pcapng", major, minor });
        }
        self.interfaces.clear();
        Ok(())
    }

    fn interface(&mut self, octets: &[u8]) -> Result<(), Defect> {
        let parse = match self.order {
            Order::Little => parse_interfacedescriptionblock_le,
            Order::Big => parse_interfacedescriptionblock_be,
        };
        let (_, description) =
            parse(octets).map_err(|_| Defect::BlockParts("an interface description"))?;
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(Defect::Interfaces(MAX_INTERFACES));
        }
        self.interfaces.push(Interface::new(self.order, &description));
        Ok(())
    }

    #[inline]
    fn packet(&self, block: &Block, body: &[u8]) -> Result<Packet, Defect> {
        let mut cursor = Cursor::new(body);
        let header = PacketHeader::read(self.order, block.kind, &mut cursor)
            .map_err(|_| Defect::BlockParts("a packet block"))?;
        let PacketHeader { interface, time, kept, wire_length } = header;
        let described =
            self.interfaces.get(interface as usize).ok_or(Defect::Interface(interface))?;
        Ok(Packet {
            timestamp: described.clock.at(time),
            wire_length: wire_length.max(kept),
            interface,
            link: described.link,
            data_at: packet_data(cursor, kept)?,
            kept,
            record_length: block.length as u32,
        })
    }

    /// A packet without a time, of the first interface (4.4).
    fn simple_packet(&self, block: &Block, body: &[u8]) -> Result<Packet, Defect> {
        let mut cursor = Cursor::new(body);
        let wire_length =
            self.order.u32(&mut cursor).map_err(|_| Defect::BlockParts("a packet block"))?;
        let described = self.interfaces.first().ok_or(Defect::Interface(0))?;
        let kept = wire_length.min(described.snapshot_length);
        Ok(Packet {
            timestamp: Timestamp::ZERO,
            wire_length,
            interface: 0,
            link: described.link,
            data_at: packet_data(cursor, kept)?,
            kept,
            record_length: block.length as u32,
        })
    }
}

/// Where in the block the octets of a packet begin, when a cursor over the body has come to them.
#[inline]
fn packet_data(mut cursor: Cursor<'_>, kept: u32) -> Result<u32, Defect> {
    if kept as usize > MAX_PACKET {
        return Err(Defect::PacketLength(kept));
    }
    let start = BODY_AT + cursor.offset();
    cursor.take(kept as usize).map_err(|_| Defect::BlockParts("a packet block"))?;
    Ok(start as u32)
}

/// What stands before the octets of a packet (4.3).
struct PacketHeader {
    interface: u32,
    time: u64,
    kept: u32,
    wire_length: u32,
}

impl PacketHeader {
    #[inline]
    fn read(order: Order, kind: u32, cursor: &mut Cursor<'_>) -> Result<Self, Short> {
        let interface = if kind == OBSOLETE_PACKET {
            let interface = order.u16(cursor)?;
            let _drops = order.u16(cursor)?;
            interface.into()
        } else {
            order.u32(cursor)?
        };
        let high = order.u32(cursor)?;
        let low = order.u32(cursor)?;
        let kept = order.u32(cursor)?;
        let wire_length = order.u32(cursor)?;
        Ok(Self { interface, time: u64::from(high) << 32 | u64::from(low), kept, wire_length })
    }
}

impl Interface {
    fn new(order: Order, description: &InterfaceDescriptionBlock<'_>) -> Self {
        // The values are taken from the options as they stand: the parser reads an offset as
        // little-endian, and knows no resolution in powers of two.
        let option = |code| {
            let option = description.options.iter().find(|option| option.code == code)?;
            option.as_bytes().ok()
        };
        let unit = match option(OptionCode::IfTsresol) {
            Some(&[resolution]) => Unit::from_resolution(resolution),
            _ => Unit::MICROSECOND,
        };
        let offset = option(OptionCode::IfTsoffset).and_then(|value| value.try_into().ok());
        Self {
            name: option(OptionCode::IfName).map(name),
            link: Link::new(description.linktype.0 as u32),
            clock: Clock { unit, offset: offset.map_or(0, |value| order.i64(value)) },
            snapshot_length: match description.snaplen {
                0 => u32::MAX,
                limit => limit,
            },
        }
    }
}

/// Text of an option; some writers end it with NUL octets.
fn name(value: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(value);
    text.trim_end_matches('\0').chars().take(MAX_NAME).collect()
}

/// The byte order in which the section header at the front is written.
fn section_order(octets: &[u8]) -> Result<Order, Defect> {
    let mut cursor = Cursor::new(octets.get(BODY_AT..).unwrap_or_default());
    match cursor.array().map_err(|_| Defect::Truncated("a section header"))? {
        magic if u32::from_le_bytes(magic) == BYTE_ORDER_MAGIC => Ok(Order::Little),
        magic if u32::from_be_bytes(magic) == BYTE_ORDER_MAGIC => Ok(Order::Big),
        magic => Err(Defect::ByteOrder(u32::from_be_bytes(magic))),
    }
}
