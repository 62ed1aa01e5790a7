//! Writing pcapng: one section, the numbers little-endian, times in nanoseconds.
//! draft-ietf-opsawg-pcapng; the clauses named here are its.

use std::io::{self, Write};

use super::MAX_PACKET;
use super::pcapng::{BYTE_ORDER_MAGIC, ENHANCED_PACKET, INTERFACE_DESCRIPTION, SECTION_HEADER};
use super::write::number;
use crate::packet::LinkType;
use crate::time::Timestamp;

/// Options of every block (3.5).
mod option {
    pub(super) const END: u16 = 0;
    pub(super) const COMMENT: u16 = 1;
}
/// What wrote the section (4.1).
const USER_APPLICATION: u16 = 4;
/// An interface's name, and the unit of its times (4.2).
const NAME: u16 = 2;
const RESOLUTION: u16 = 9;
/// Times are in units of ten to the minus nine seconds (4.2).
const NANOSECONDS: u8 = 9;
/// As much of an option as its length can say, less what fills it up to a multiple of four.
const MAX_OPTION: usize = 0xfffc;

/// Writes a pcapng file of one section.
#[derive(Debug)]
pub struct PcapNgWriter<W: Write> {
    writer: W,
    interfaces: u32,
    /// The body of the block at hand.
    body: Vec<u8>,
}

impl<W: Write> PcapNgWriter<W> {
    /// Begins the section: what writes it, and what it is. Blocks are written as they come: give it
    /// a buffered writer.
    pub fn new(writer: W, application: &str, comment: Option<&str>) -> io::Result<Self> {
        let mut this = Self { writer, interfaces: 0, body: Vec::new() };
        this.body.extend_from_slice(&BYTE_ORDER_MAGIC.to_le_bytes());
        this.body.extend_from_slice(&[1, 0, 0, 0]); // version 1.0
        this.body.extend_from_slice(&u64::MAX.to_le_bytes()); // of a length that is not said
        this.options(
            comment
                .map(|comment| (option::COMMENT, comment.as_bytes()))
                .into_iter()
                .chain([(USER_APPLICATION, application.as_bytes())]),
        );
        this.block(SECTION_HEADER)?;
        Ok(this)
    }

    /// Describes an interface. Packets name it by the number that this returns.
    pub fn interface(&mut self, link: LinkType, name: Option<&str>) -> io::Result<u32> {
        self.body.extend_from_slice(&number(link).to_le_bytes());
        self.body.extend_from_slice(&(MAX_PACKET as u32).to_le_bytes());
        let name = name.map(|name| (NAME, name.as_bytes()));
        self.options(name.into_iter().chain([(RESOLUTION, &[NANOSECONDS][..])]));
        self.block(INTERFACE_DESCRIPTION)?;
        self.interfaces += 1;
        Ok(self.interfaces - 1)
    }

    /// Writes a packet of an interface, which had `wire_length` octets, of which `data` was
    /// captured.
    pub fn packet<'c>(
        &mut self,
        interface: u32,
        timestamp: Timestamp,
        wire_length: u32,
        data: &[u8],
        comments: impl IntoIterator<Item = &'c str>,
    ) -> io::Result<()> {
        if data.len() > MAX_PACKET || interface >= self.interfaces {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "pcapng cannot hold this packet",
            ));
        }
        let nanos = timestamp.as_nanos();
        for field in [interface, (nanos >> 32) as u32, nanos as u32, data.len() as u32, wire_length]
        {
            self.body.extend_from_slice(&field.to_le_bytes());
        }
        self.body.extend_from_slice(data);
        self.fill_up();
        let comments = comments.into_iter();
        self.options(comments.map(|comment| (option::COMMENT, comment.as_bytes())));
        self.block(ENHANCED_PACKET)
    }

    /// Flushes, and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.writer.flush()?;
        Ok(self.writer)
    }

    /// Adds options; without any, not even their end is written (3.5).
    fn options<'o>(&mut self, options: impl Iterator<Item = (u16, &'o [u8])>) {
        let mut any = false;
        for (code, value) in options {
            any = true;
            let value = value.get(..MAX_OPTION).unwrap_or(value);
            self.body.extend_from_slice(&code.to_le_bytes());
            self.body.extend_from_slice(&(value.len() as u16).to_le_bytes());
            self.body.extend_from_slice(value);
            self.fill_up();
        }
        if any {
            self.body.extend_from_slice(&[option::END as u8, 0, 0, 0]);
        }
    }

    /// What has a length of its own ends at a multiple of four octets.
    fn fill_up(&mut self) {
        self.body.resize(self.body.len().next_multiple_of(4), 0);
    }

    /// Writes the body as a block of this type (3.1).
    fn block(&mut self, kind: u32) -> io::Result<()> {
        let length = (self.body.len() as u32 + 12).to_le_bytes();
        self.writer.write_all(&kind.to_le_bytes())?;
        self.writer.write_all(&length)?;
        self.writer.write_all(&self.body)?;
        self.body.clear();
        self.writer.write_all(&length)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Capture, Source};
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let at = |nanos: u64| Timestamp::from_nanos(1_785_000_000_000_000_000 + nanos);
        let mut writer = PcapNgWriter::new(Vec::new(), "a test", Some("what for")).unwrap();
        let ethernet = writer.interface(LinkType::Ethernet, Some("tap-1")).unwrap();
        let raw = writer.interface(LinkType::Raw, None).unwrap();
        writer.packet(ethernet, at(1), 70, b"seven", ["one", "another one"]).unwrap();
        writer.packet(raw, at(2), 4, b"four", []).unwrap();
        assert!(writer.packet(7, at(3), 0, b"", []).is_err());
        let file = writer.finish().unwrap();
        let file = Box::new(io::Cursor::new(file));
        let file = Capture::from_reader("written", file).unwrap();
        let mut capture = Source::new(vec![file]);
        let frame = capture.next().unwrap().unwrap();
        assert_eq!(
            (frame.timestamp, frame.link, frame.wire_length),
            (at(1), LinkType::Ethernet, 70)
        );
        assert_eq!((frame.data, frame.interface), (&b"seven"[..], Some("tap-1")));
        let frame = capture.next().unwrap().unwrap();
        assert_eq!((frame.timestamp, frame.link, frame.interface), (at(2), LinkType::Raw, None));
        assert_eq!(frame.data, b"four");
        assert!(capture.next().unwrap().is_none());
    }
}
