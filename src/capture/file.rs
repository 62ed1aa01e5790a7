//! One capture: what format it has, and its frames one after another.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::error::{Damage, Defect, NoCapture, OpenError};
use super::pcap::Pcap;
use super::pcapng::PcapNg;
use super::record::Packet;
use super::window::Window;
use crate::packet::{Frame, LinkType};

/// How many octets decide what a file is.
const MAGIC: usize = 4;
/// How much of something unknown is looked at to tell what it is.
const TASTE: usize = 64;

/// What compressed files begin with, the tool's name, and how to unpack to standard output.
const COMPRESSED: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "gzip", "gzip -dc"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd -dc"),
    (b"\xfd7zXZ\0", "xz", "xz -dc"),
    (b"BZh", "bzip2", "bzip2 -dc"),
    (b"\x04\x22\x4d\x18", "lz4", "lz4 -dc"),
];

/// A capture in pcap or pcapng that has been begun.
#[derive(Debug)]
pub struct Capture {
    name: Arc<str>,
    size: Option<u64>,
    window: Window,
    state: State,
    /// Frames that came out of it.
    frames: u64,
    /// The packet that the window begins with; empty before the first and after the last.
    packet: Packet,
}

#[derive(Debug)]
enum State {
    Pcap(Pcap),
    PcapNg(PcapNg),
    /// The header, at this octet, cannot be read, which is still to be told.
    Damaged(u64, Defect),
    Over,
}

impl Capture {
    /// Opens a file; `-` is standard input.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if path.as_os_str() == "-" {
            return Self::from_reader("standard input", Box::new(io::stdin()));
        }
        let name: Arc<str> = path.display().to_string().into();
        match open_file(path) {
            Ok((file, size)) => Self::begin(name, size, Box::new(file)),
            Err(reason) => Err(OpenError { name, reason }),
        }
    }

    /// A capture out of anything; `name` is what it is called in errors.
    pub fn from_reader(name: &str, reader: Box<dyn Read + Send>) -> Result<Self, OpenError> {
        Self::begin(name.into(), None, reader)
    }

    fn begin(
        name: Arc<str>,
        size: Option<u64>,
        reader: Box<dyn Read + Send>,
    ) -> Result<Self, OpenError> {
        let mut window = Window::new(reader);
        match recognise(&mut window) {
            Ok(state) => {
                Ok(Self { name, size, window, state, frames: 0, packet: Packet::default() })
            }
            Err(reason) => Err(OpenError { name, reason }),
        }
    }

    /// How many octets of the file are used up.
    pub(super) const fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// How many octets the file has, where it is a file.
    pub(super) const fn size(&self) -> Option<u64> {
        self.size
    }

    /// Goes to the next packet; false at the end. Damage is reported once, then it is the end.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<bool, Damage> {
        self.window.advance(self.packet.record_length as usize);
        let next = match &mut self.state {
            State::Pcap(pcap) => pcap.next(&mut self.window),
            State::PcapNg(pcapng) => pcapng.next(&mut self.window),
            State::Damaged(..) | State::Over => Ok(None),
        };
        if let Ok(Some(packet)) = next {
            self.packet = packet;
            self.frames += 1;
            return Ok(true);
        }
        self.end(next.err())
    }

    #[cold]
    fn end(&mut self, defect: Option<Defect>) -> Result<bool, Damage> {
        self.packet = Packet::default();
        let offset = match &self.state {
            State::PcapNg(pcapng) => pcapng.block_offset(),
            _ => self.window.offset(),
        };
        let (offset, defect) = match (std::mem::replace(&mut self.state, State::Over), defect) {
            (State::Damaged(offset, defect), _) => (offset, defect),
            (_, Some(defect)) => (offset, defect),
            (_, None) => return Ok(false),
        };
        Err(Damage { name: Arc::clone(&self.name), offset, frames: self.frames, defect })
    }

    /// The packet that [`advance`](Self::advance) went to.
    #[inline]
    pub(super) const fn packet(&self) -> &Packet {
        &self.packet
    }

    /// The frame of this packet.
    #[inline]
    pub(super) fn frame(&self, link: LinkType, number: u64) -> Frame<'_> {
        Frame {
            number,
            timestamp: self.packet.timestamp,
            link,
            data: self.packet.data(&self.window),
            wire_length: self.packet.wire_length,
            interface: match &self.state {
                State::PcapNg(pcapng) => pcapng.interface_name(self.packet.interface),
                _ => None,
            },
        }
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.window.capacity()
    }
}

fn open_file(path: &Path) -> Result<(fs::File, Option<u64>), NoCapture> {
    let file = fs::File::open(path).map_err(NoCapture::Unreadable)?;
    let metadata = file.metadata().map_err(NoCapture::Unreadable)?;
    if metadata.is_dir() {
        return Err(NoCapture::Directory);
    }
    let size = metadata.is_file().then_some(metadata.len());
    Ok((file, size))
}

/// Tells the format, and reads the header as far as it takes.
fn recognise(window: &mut Window) -> Result<State, NoCapture> {
    window.fill(MAGIC).map_err(NoCapture::Unreadable)?;
    let Some(&magic) = window.octets().first_chunk::<MAGIC>() else {
        return Err(describe(window.octets()));
    };
    if PcapNg::recognises(magic) {
        return Ok(State::PcapNg(PcapNg::new()));
    }
    if Pcap::recognises(magic) {
        return Ok(Pcap::open(window).map_or_else(|defect| State::Damaged(0, defect), State::Pcap));
    }
    window.fill(TASTE).map_err(NoCapture::Unreadable)?;
    Err(describe(window.octets()))
}

/// What something is that is no capture.
fn describe(octets: &[u8]) -> NoCapture {
    let taste = octets.get(..TASTE).unwrap_or(octets);
    if taste.is_empty() {
        return NoCapture::Empty;
    }
    if let Some(&(_, tool, unpack)) = COMPRESSED.iter().find(|(magic, ..)| taste.starts_with(magic))
    {
        return NoCapture::Compressed { tool, unpack };
    }
    if taste.iter().all(|octet| matches!(octet, b' '..=b'~' | b'\t' | b'\n' | b'\r')) {
        return NoCapture::Text;
    }
    NoCapture::Unknown(taste.get(..MAGIC).unwrap_or(taste).to_vec())
}
