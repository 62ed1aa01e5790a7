//! Several captures read as one, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use super::error::{Damage, OpenError, Skipped};
use super::file::Capture;
use crate::packet::Frame;
use crate::time::Timestamp;

/// One or several captures, their frames in the order of time and numbered from 1.
///
/// Frames of the same time come in the order of the files. Within a file the order is never
/// changed, even where its clock ran backwards. Frames of a link type that is not decoded are
/// counted and have a number, so that numbers are those of other tools, but are not delivered.
#[derive(Debug)]
pub struct Source {
    captures: Vec<Capture>,
    /// How many of `captures` have been asked for their first packet.
    begun: usize,
    /// Those that have a packet waiting, the earliest on top. Not used for a single one.
    queue: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// The one whose packet was lent out last and is to be used up.
    lent: Option<usize>,
    number: u64,
    skipped: Vec<Skipped>,
}

/// How far reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Octets {
    /// Octets of the files that were read.
    pub read: u64,
    /// Octets that all the files have; `None` when one of them is no file but a pipe.
    pub total: Option<u64>,
}

impl Source {
    /// Opens files, all of them before the first is read; `-` is standard input.
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Result<Self, OpenError> {
        let captures: Result<_, _> =
            paths.iter().map(|path| Capture::open(path.as_ref())).collect();
        captures.map(Self::new)
    }

    /// Reads these captures.
    pub const fn new(captures: Vec<Capture>) -> Self {
        Self {
            captures,
            begun: 0,
            queue: BinaryHeap::new(),
            lent: None,
            number: 0,
            skipped: Vec::new(),
        }
    }

    /// The next frame; `None` when all captures are over.
    ///
    /// An error is the end of one capture, told once. The others go on: call again.
    #[inline]
    #[allow(clippy::should_implement_trait)] // an iterator cannot lend
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, Damage> {
        loop {
            let Some(index) = self.advance()? else { return Ok(None) };
            self.number += 1;
            let Some(link) = self.captures.get(index).map(|capture| capture.packet().link) else {
                return Ok(None);
            };
            if let Some(kind) = link.kind {
                let capture = self.captures.get(index);
                return Ok(capture.map(|capture| capture.frame(kind, self.number)));
            }
            self.count_skipped(link.number);
        }
    }

    /// Frames that were passed over because their link type is not decoded, by link type.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// How far reading has come.
    pub fn octets(&self) -> Octets {
        Octets {
            read: self.captures.iter().map(Capture::offset).sum(),
            total: self.captures.iter().map(Capture::size).sum(),
        }
    }

    /// Uses up the packet that was lent; which capture has the next one.
    #[inline]
    fn advance(&mut self) -> Result<Option<usize>, Damage> {
        if let [only] = self.captures.as_mut_slice() {
            return Ok(only.advance()?.then_some(0));
        }
        self.merge()
    }

    fn merge(&mut self) -> Result<Option<usize>, Damage> {
        if let Some(index) = self.lent.take() {
            self.fetch(index)?;
        }
        while self.begun < self.captures.len() {
            self.begun += 1;
            self.fetch(self.begun - 1)?;
        }
        self.lent = self.queue.pop().map(|Reverse((_, index))| index);
        Ok(self.lent)
    }

    /// Gets the next packet of a capture, and queues it.
    fn fetch(&mut self, index: usize) -> Result<(), Damage> {
        let Some(capture) = self.captures.get_mut(index) else { return Ok(()) };
        if capture.advance()? {
            self.queue.push(Reverse((capture.packet().timestamp, index)));
        }
        Ok(())
    }

    #[cold]
    fn count_skipped(&mut self, link: u32) {
        match self.skipped.iter_mut().find(|skipped| skipped.link == link) {
            Some(skipped) => skipped.frames += 1,
            None => self.skipped.push(Skipped { link, frames: 1 }),
        }
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.captures.iter().map(Capture::memory).max().unwrap_or(0)
    }
}
