//! The ring's memory, which the kernel fills: blocks, and the frames in them.
//!
//! ```text
//!  map    | block 0 | block 1 | …
//!  block  | status, count, offset of the first | frame | frame | …
//!  frame  | header (48) | address (20) | … headroom | MAC header | payload |
//!         └ tp_next_offset leads to the next        └ tp_mac
//! ```
//!
//! A block belongs to the kernel or to us, and its status says to whom. The one who hands it over
//! writes the status last (release), the other reads it first (acquire).
#![allow(unsafe_code)]

use std::io;
use std::mem::{align_of, offset_of, size_of};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{TP_STATUS_KERNEL, TP_STATUS_USER, tpacket_block_desc, tpacket_hdr_v1, tpacket3_hdr};

/// Octets in front of a frame that are ours: room for a VLAN tag.
pub(super) const HEADROOM: usize = 4;

/// The mapped ring of a socket.
#[derive(Debug)]
pub(super) struct Map {
    /// `block_size * blocks` octets that only this map refers to.
    start: NonNull<u8>,
    block_size: usize,
    blocks: usize,
}

// SAFETY: the memory belongs to the map alone, whichever thread has it.
unsafe impl Send for Map {}

/// Where a frame begins: which block, and how many octets into it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    pub(super) block: usize,
    pub(super) offset: usize,
}

/// A frame as the kernel describes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Described {
    /// Seconds and nanoseconds since the epoch.
    pub(super) time: (u32, u32),
    /// Where the next frame of the block is, if there is one.
    pub(super) next: Position,
    /// How many octets it had.
    pub(super) wire_length: u32,
    /// How many of them were captured.
    pub(super) captured: u32,
    /// The tag that was taken out of it.
    pub(super) tag: Option<Tag>,
    /// Where [`HEADROOM`] begins, and the captured octets after it.
    begin: Position,
}

/// A VLAN tag that does not stand in its frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag {
    /// Ethertype of the tag; `None` where the driver did not say.
    pub(super) protocol: Option<u16>,
    /// Priority, drop eligibility and identifier.
    pub(super) control: u16,
}

impl Map {
    /// Maps the ring of this socket, which has so many blocks of that size.
    pub(super) fn new(
        socket: BorrowedFd<'_>,
        block_size: usize,
        blocks: usize,
    ) -> io::Result<Self> {
        let length = block_size
            .checked_mul(blocks)
            .filter(|_| block_size >= size_of::<tpacket_block_desc>())
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        // SAFETY: the kernel chooses an address that is free.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast())
            .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
        Ok(Self { start, block_size, blocks })
    }

    /// How many blocks there are.
    pub(super) const fn blocks(&self) -> usize {
        self.blocks
    }

    /// Whether a block is ours.
    #[inline]
    pub(super) fn is_ours(&self, block: usize) -> bool {
        self.status(block).is_some_and(|status| {
            // Acquire: what the kernel wrote before it handed the block over is seen after this.
            status.load(Ordering::Acquire) & TP_STATUS_USER != 0
        })
    }

    /// How many frames a block has; also of one that the kernel is filling, so far.
    #[inline]
    pub(super) fn frames(&self, block: usize) -> usize {
        let count = self.word(block, offset_of!(tpacket_hdr_v1, num_pkts));
        count.map_or(0, |count| count.load(Ordering::Acquire)) as usize
    }

    /// Where the first frame of a block is that is ours.
    #[inline]
    pub(super) fn first(&self, block: usize) -> Option<Position> {
        let offset = self.word(block, offset_of!(tpacket_hdr_v1, offset_to_first_pkt))?;
        Some(Position { block, offset: offset.load(Ordering::Relaxed) as usize })
    }

    /// Gives a block back to the kernel, empty.
    #[inline]
    pub(super) fn give_back(&mut self, block: usize) {
        if let Some(count) = self.word(block, offset_of!(tpacket_hdr_v1, num_pkts)) {
            // The kernel does so too, but only when it begins to fill the block.
            count.store(0, Ordering::Relaxed);
        }
        if let Some(status) = self.status(block) {
            // Release: what we read and wrote before comes before what the kernel writes after.
            status.store(TP_STATUS_KERNEL, Ordering::Release);
        }
    }

    /// The frame at a position. `None` where none can be.
    #[inline]
    pub(super) fn describe(&self, position: Position) -> Option<Described> {
        let header = self.header(position)?;
        let Position { block, offset } = position;
        let begin = usize::from(header.tp_mac).checked_sub(HEADROOM)?;
        let end = offset + usize::from(header.tp_mac) + header.tp_snaplen as usize;
        if begin < size_of::<tpacket3_hdr>() || end > self.block_size {
            return None;
        }
        let tagged = header.tp_status & libc::TP_STATUS_VLAN_VALID != 0;
        let known = header.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
        Some(Described {
            time: (header.tp_sec, header.tp_nsec),
            next: Position { block, offset: offset + header.tp_next_offset as usize },
            wire_length: header.tp_len,
            captured: header.tp_snaplen,
            tag: tagged.then_some(Tag {
                protocol: known.then_some(header.hv1.tp_vlan_tpid),
                control: header.hv1.tp_vlan_tci as u16,
            }),
            begin: Position { block, offset: offset + begin },
        })
    }

    /// [`HEADROOM`] and the captured octets of a frame; none if its block is no longer ours.
    #[inline]
    pub(super) fn octets(&mut self, described: &Described) -> &mut [u8] {
        let Position { block, offset } = described.begin;
        let length = HEADROOM + described.captured as usize;
        let within = offset.checked_add(length).is_some_and(|end| end <= self.block_size);
        match self.block(block) {
            // SAFETY: within the block, which is ours and stays so while `self` is borrowed, for
            // `give_back` borrows it too: the kernel does not write to it. Nothing else refers to
            // it: headers are copied, and `&mut self` lends the octets of one frame at a time.
            Some(start) if within && self.is_ours(block) => unsafe {
                std::slice::from_raw_parts_mut(start.add(offset).as_ptr(), length)
            },
            _ => &mut [],
        }
    }

    /// A copy of the header of a frame in a block that is ours.
    #[inline]
    fn header(&self, Position { block, offset }: Position) -> Option<tpacket3_hdr> {
        let end = offset.checked_add(size_of::<tpacket3_hdr>())?;
        let aligned = offset.is_multiple_of(align_of::<tpacket3_hdr>());
        if !aligned || end > self.block_size || !self.is_ours(block) {
            return None;
        }
        let start = self.block(block)?;
        // SAFETY: within the block and aligned, as was just asked; the kernel does not write to a
        // block that is ours; any octets are numbers.
        Some(unsafe { start.add(offset).cast::<tpacket3_hdr>().read() })
    }

    #[inline]
    fn block(&self, block: usize) -> Option<NonNull<u8>> {
        // SAFETY: within the map, as is asked first.
        (block < self.blocks).then(|| unsafe { self.start.add(block * self.block_size) })
    }

    #[inline]
    fn status(&self, block: usize) -> Option<&AtomicU32> {
        self.word(block, offset_of!(tpacket_hdr_v1, block_status))
    }

    /// A number in a block's header.
    #[inline]
    fn word(&self, block: usize, offset: usize) -> Option<&AtomicU32> {
        let offset = offset_of!(tpacket_block_desc, hdr) + offset;
        let start = self.block(block)?;
        // SAFETY: a block is at least as long as its header (`new` asked), begins at a page's
        // start, and the callers' offsets are those of numbers of 32 bits in it. The kernel writes
        // them too, as whole words, so here they are atomic and never read in another way.
        Some(unsafe { AtomicU32::from_ptr(start.add(offset).cast().as_ptr()) })
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: this is what was mapped, and every reference into it borrowed the map. It can
        // only fail for a range that was not.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.block_size * self.blocks) };
    }
}
