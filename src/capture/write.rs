//! Writing captures: pcap with nanoseconds, the numbers little-endian.

use std::io::{self, Write};

use super::MAX_PACKET;
use super::record::SECOND;
use crate::packet::LinkType;
use crate::time::Timestamp;

/// Magic of pcap whose fraction of a second is nanoseconds.
const MAGIC: u32 = 0xa1b2_3c4d;

/// Writes a pcap file with nanoseconds.
#[derive(Debug)]
pub struct PcapWriter<W: Write> {
    writer: W,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file's header. Packets are written as they come: give it a buffered writer.
    pub fn new(mut writer: W, link: LinkType) -> io::Result<Self> {
        let mut header = [0; 24];
        put(&mut header, 0, MAGIC);
        put(&mut header, 4, 4 << 16 | 2);
        put(&mut header, 16, MAX_PACKET as u32);
        put(&mut header, 20, number(link));
        writer.write_all(&header)?;
        Ok(Self { writer })
    }

    /// Writes a packet that had `wire_length` octets, of which `data` was captured. The format
    /// has 32 bits for the seconds: they end in the year 2106.
    pub fn write(&mut self, timestamp: Timestamp, wire_length: u32, data: &[u8]) -> io::Result<()> {
        let too_long = data.len() > MAX_PACKET;
        let too_late = timestamp.as_nanos() / SECOND > u64::from(u32::MAX);
        if too_long || too_late {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "pcap cannot hold this packet",
            ));
        }
        let mut header = [0; 16];
        put(&mut header, 0, timestamp.as_secs() as u32);
        put(&mut header, 4, timestamp.subsec_nanos());
        put(&mut header, 8, data.len() as u32);
        put(&mut header, 12, wire_length);
        self.writer.write_all(&header)?;
        self.writer.write_all(data)
    }

    /// Flushes, and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.writer.flush()?;
        Ok(self.writer)
    }
}

/// The number that [`LinkType::from_pcap`] reads.
pub(super) const fn number(link: LinkType) -> u32 {
    match link {
        LinkType::Null => 0,
        LinkType::Ethernet => 1,
        LinkType::Raw => 101,
        LinkType::Loop => 108,
        LinkType::LinuxSll => 113,
        LinkType::LinuxSll2 => 276,
    }
}

fn put(header: &mut [u8], at: usize, value: u32) {
    if let Some(field) = header.get_mut(at..at + 4) {
        field.copy_from_slice(&value.to_le_bytes());
    }
}
