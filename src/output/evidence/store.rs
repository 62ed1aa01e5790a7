//! Copies of frames in memory of a fixed size: cells of equal size that are used again, so that
//! nothing is allocated for a frame, and that those a busy flow gives back are still in the cache
//! when its next frame comes.
//!
//! ```text
//!  frame ─▶ cell ─▶ cell ─▶ cell        frames of one flow: oldest ─▶ … ─▶ newest
//!                                       all frames:         oldest ⇄ … ⇄ newest
//! ```

use crate::time::Timestamp;

/// No index.
pub(super) const NONE: u32 = u32::MAX;

/// Octets of a frame in a cell: with the link to the next it is two cache lines. An IEC 104 APDU over
/// TCP and Ethernet fits.
const CELL: usize = 124;

/// Memory for each frame that can be kept: as much as tells frames from cells, see [`Store::new`].
const PER_FRAME: usize = 384;

#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Cell {
    octets: [u8; CELL],
    /// The next cell of the frame, or the next free one.
    next: u32,
}

/// A frame that is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// When it was captured.
    pub(super) timestamp: Timestamp,
    /// Octets that it had on the wire.
    pub(super) wire_length: u32,
    /// Octets that are kept.
    pub(super) length: u32,
    /// Which of the keeper's interfaces it came from.
    pub(super) interface: u32,
    /// Which of the keeper's flows it belongs to.
    pub(super) slot: u32,
    /// The next frame of the flow; of a place that is free, the next free one.
    pub(super) next: u32,
    cell: u32,
    older: u32,
    newer: u32,
}

/// Memory for frames.
#[derive(Debug)]
pub(super) struct Store {
    cells: Vec<Cell>,
    frames: Vec<Kept>,
    free_cell: u32,
    free_frame: u32,
    cells_left: usize,
    frames_left: usize,
    most_cells: usize,
    most_frames: usize,
    oldest: u32,
    newest: u32,
}

impl Store {
    /// Room for frames in so many octets of memory, of which `beside` are needed elsewhere for each
    /// frame. The system gives memory when it is first written to.
    pub(super) fn new(memory: usize, beside: usize) -> Self {
        let frames = (memory / PER_FRAME).clamp(1, NONE as usize - 1);
        let of_frames = frames * (size_of::<Kept>() + beside);
        let cells = memory.saturating_sub(of_frames) / size_of::<Cell>();
        let cells = cells.clamp(1, NONE as usize - 1);
        Self {
            cells: Vec::with_capacity(cells),
            frames: Vec::with_capacity(frames),
            free_cell: NONE,
            free_frame: NONE,
            cells_left: cells,
            frames_left: frames,
            most_cells: cells,
            most_frames: frames,
            oldest: NONE,
            newest: NONE,
        }
    }

    /// The most frames that are kept.
    pub(super) const fn most_frames(&self) -> usize {
        self.most_frames
    }

    /// Frames that are kept.
    pub(super) const fn len(&self) -> usize {
        self.most_frames - self.frames_left
    }

    /// Octets of cells that are used.
    pub(super) const fn octets(&self) -> usize {
        (self.most_cells - self.cells_left) * size_of::<Cell>()
    }

    /// Whether there is room for a frame of so many octets.
    #[inline]
    pub(super) const fn has_room(&self, octets: usize) -> bool {
        self.frames_left > 0 && octets.div_ceil(CELL) <= self.cells_left
    }

    /// The frame that was added first.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// The frame at `index`.
    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<&Kept> {
        self.frames.get(index as usize)
    }

    /// The frames of a flow from `first` on.
    pub(super) fn flow(&self, first: u32) -> impl Iterator<Item = (u32, &Kept)> {
        let mut at = first;
        std::iter::from_fn(move || {
            let index = at;
            let kept = self.get(index)?;
            at = kept.next;
            Some((index, kept))
        })
    }

    /// Adds a frame behind `last`, the newest of its flow so far. There is room for it.
    #[inline]
    pub(super) fn add(
        &mut self,
        (timestamp, wire_length, interface, slot): (Timestamp, u32, u32, u32),
        data: &[u8],
        last: u32,
    ) -> u32 {
        let kept = Kept {
            timestamp,
            wire_length,
            length: data.len() as u32,
            interface,
            slot,
            next: NONE,
            cell: self.fill_cells(data),
            older: self.newest,
            newer: NONE,
        };
        let index = self.place(kept);
        for (before, link) in [(last, Link::Next), (self.newest, Link::Newer)] {
            self.set(before, link, index);
        }
        if self.oldest == NONE {
            self.oldest = index;
        }
        self.newest = index;
        index
    }

    #[inline]
    fn place(&mut self, kept: Kept) -> u32 {
        self.frames_left -= 1;
        let index = self.free_frame;
        if let Some(place) = self.frames.get_mut(index as usize) {
            self.free_frame = place.next;
            *place = kept;
            return index;
        }
        self.frames.push(kept);
        (self.frames.len() - 1) as u32
    }

    /// Copies into cells, and says which is the first.
    #[inline]
    fn fill_cells(&mut self, data: &[u8]) -> u32 {
        let mut next = NONE;
        // From the end, so that each can be linked to the one behind it.
        let whole = data.len() / CELL * CELL;
        let (whole, rest) = data.split_at(whole);
        if !rest.is_empty() {
            next = self.fill_cell(rest, next);
        }
        for octets in whole.rchunks_exact(CELL) {
            next = self.fill_cell(octets, next);
        }
        next
    }

    #[inline]
    fn fill_cell(&mut self, octets: &[u8], next: u32) -> u32 {
        self.cells_left -= 1;
        let index = self.free_cell;
        let index = if let Some(cell) = self.cells.get(index as usize) {
            self.free_cell = cell.next;
            index
        } else {
            self.cells.push(Cell { octets: [0; CELL], next: NONE });
            (self.cells.len() - 1) as u32
        };
        if let Some(cell) = self.cells.get_mut(index as usize) {
            cell.next = next;
            if let Some(place) = cell.octets.get_mut(..octets.len()) {
                place.copy_from_slice(octets);
            }
        }
        index
    }

    /// Takes a frame out that is the oldest of its flow.
    #[inline]
    pub(super) fn remove(&mut self, index: u32) -> Option<Kept> {
        let place = self.frames.get_mut(index as usize)?;
        let kept = *place;
        place.next = self.free_frame;
        self.free_frame = index;
        self.frames_left += 1;
        self.free_cells(kept.cell);
        match kept.older {
            NONE => self.oldest = kept.newer,
            older => self.set(older, Link::Newer, kept.newer),
        }
        match kept.newer {
            NONE => self.newest = kept.older,
            newer => self.set(newer, Link::Older, kept.older),
        }
        Some(kept)
    }

    #[inline]
    fn free_cells(&mut self, first: u32) {
        let mut at = first;
        while let Some(cell) = self.cells.get_mut(at as usize) {
            let next = cell.next;
            cell.next = self.free_cell;
            self.free_cell = at;
            self.cells_left += 1;
            at = next;
        }
    }

    #[inline]
    fn set(&mut self, frame: u32, link: Link, to: u32) {
        let Some(kept) = self.frames.get_mut(frame as usize) else { return };
        match link {
            Link::Next => kept.next = to,
            Link::Older => kept.older = to,
            Link::Newer => kept.newer = to,
        }
    }

    /// Appends the octets of a frame to `to`.
    pub(super) fn copy(&self, kept: &Kept, to: &mut Vec<u8>) {
        let (mut at, mut left) = (kept.cell, kept.length as usize);
        while let Some(cell) = self.cells.get(at as usize).filter(|_| left > 0) {
            let octets = cell.octets.get(..left).unwrap_or(&cell.octets);
            to.extend_from_slice(octets);
            left -= octets.len();
            at = cell.next;
        }
    }
}

/// What leads from a frame to another.
#[derive(Debug, Clone, Copy)]
enum Link {
    /// The next of its flow.
    Next,
    /// The one that was added before.
    Older,
    /// The one that was added after.
    Newer,
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Against a plain queue, with frames of every length, two flows in turn.
    #[test]
    fn agrees_with_a_queue() {
        const MEMORY: usize = 16 << 10;
        let mut store = Store::new(MEMORY, 0);
        let mut model: VecDeque<(u32, Vec<u8>)> = VecDeque::new();
        let mut flows = [(NONE, NONE); 2];
        for round in 0..5000_u32 {
            let data: Vec<u8> = (0..round * 37 % 1500).map(|octet| (octet ^ round) as u8).collect();
            while !store.has_room(data.len()) {
                let (index, _) = model.pop_front().expect("it is not full of nothing");
                assert_eq!(store.oldest(), Some(index));
                let kept = store.remove(index).unwrap();
                let (first, last) = &mut flows[kept.slot as usize];
                *first = kept.next;
                if kept.next == NONE {
                    *last = NONE;
                }
            }
            let slot = round % 3 / 2;
            let (first, last) = &mut flows[slot as usize];
            let about = (Timestamp::from_nanos(round.into()), 0, 0, slot);
            let index = store.add(about, &data, *last);
            *last = index;
            if *first == NONE {
                *first = index;
            }
            model.push_back((index, data));
            assert_eq!(store.len(), model.len());
        }
        let mut seen = 0;
        for (first, _) in flows {
            for (index, kept) in store.flow(first) {
                let mut octets = Vec::new();
                store.copy(kept, &mut octets);
                assert!(model.iter().any(|(of, data)| *of == index && *data == octets));
                seen += 1;
            }
        }
        assert_eq!(seen, model.len());
        assert!(store.octets() <= MEMORY && store.octets() > MEMORY / 3);
        let memory = store.cells.capacity() * size_of::<Cell>()
            + store.frames.capacity() * size_of::<Kept>();
        assert!(memory <= MEMORY, "{memory}");
    }
}
