//! The part of a file that is in memory: read in large pieces, used up record by record.

use std::fmt;
use std::io::{self, Read};

/// How much is read at once. Larger pieces leave the cache before they are used (measured).
const PIECE: usize = 64 * 1024;

/// A stretch of a stream, from the first octet that is not used up.
///
/// ```text
/// buffer   |    used up    |    octets    |    free    |
///          0             start           end         len
/// ```
pub(super) struct Window {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// `start <= end <= buffer.len()`.
    start: usize,
    end: usize,
    /// Position in the stream of the octet at `start`.
    offset: u64,
}

impl Window {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self { reader, buffer: vec![0; PIECE], start: 0, end: 0, offset: 0 }
    }

    /// What is there to read.
    #[inline]
    pub(super) fn octets(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Position in the stream of the first of [`octets`](Self::octets).
    #[inline]
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Makes `wanted` octets readable, and keeps them together; false if the stream ends before.
    /// The caller bounds `wanted`: the buffer grows to it.
    #[inline]
    pub(super) fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        if self.end - self.start >= wanted { Ok(true) } else { self.read(wanted) }
    }

    #[cold]
    fn read(&mut self, wanted: usize) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted.next_multiple_of(PIECE), 0);
        }
        while self.end < wanted {
            let free = self.buffer.get_mut(self.end..).unwrap_or_default();
            let room = free.len();
            match self.reader.read(free) {
                Ok(0) => return Ok(false),
                Ok(count) => self.end += count.min(room),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Uses up `count` octets, which must have been readable.
    #[inline]
    pub(super) fn advance(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start, "advanced beyond what was read");
        self.start = (self.start + count).min(self.end);
        self.offset += count as u64;
    }

    /// Uses up `count` octets of any number without keeping them; false if the stream ends before.
    pub(super) fn skip(&mut self, mut count: usize) -> io::Result<bool> {
        while count > 0 {
            if !self.fill(1)? {
                return Ok(false);
            }
            let step = count.min(self.octets().len());
            self.advance(step);
            count -= step;
        }
        Ok(true)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.end - self.start;
        f.debug_struct("Window")
            .field("offset", &self.offset)
            .field("kept", &kept)
            .finish_non_exhaustive()
    }
}
