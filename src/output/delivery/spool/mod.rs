//! Alerts that wait on disk until their target takes them.
//!
//! A folder of segments, written one after the other and read in that order. What is promised:
//!
//! - **After [`commit`](Spool::commit) an alert is not lost**, neither by `kill -9` nor by a power
//!   failure: the records are on disk (`fdatasync`), and so is the entry of the folder (`fsync`). One
//!   commit serves all alerts that waited, so that a slow disk makes larger batches, no backlog.
//! - **It comes at least once.** What a target took is noted in the segment without waiting for the
//!   disk. A crash at that moment lets some alerts come twice; whoever must not count them twice
//!   goes by the alert's own id.
//! - **Bounded.** When the limit is reached, the oldest segment is let go and its alerts counted.
//! - **Damage costs what it hits.** Each record has its checksum, and the next one is found again.
//!   Nothing is ever appended to a segment of an earlier run: what a crash tore stays at its end.
//! - **An empty spool is an empty folder**, but for the file `lock`, which keeps out a second
//!   process.

mod record;
mod segment;

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use segment::{Batch, Reading, Writing, number_of, path_of};

use super::{Chunk, Lines};

/// A spool that holds less cannot bridge anything.
const SMALLEST: u64 = 64 * 1024;
/// A segment is read into memory whole.
const LARGEST_SEGMENT: u64 = 4 * 1024 * 1024;

/// Alerts on disk, oldest first. One for each output.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    /// Held as long as this lives; the kernel lets go of it when the process dies.
    _lock: File,
    /// For `fsync` of its entries.
    folder: File,
    limit: u64,
    segment_limit: u64,
    /// Whole segments, oldest first, with their octets. The first one may be being read.
    sealed: VecDeque<(u64, u64)>,
    writing: Option<Writing>,
    reading: Option<Reading>,
    /// What was read and is not taken whole yet, and how many of its lines are.
    batch: Option<(Batch, usize)>,
    next_number: u64,
    uncommitted: bool,
    tally: Tally,
}

/// What became of alerts since the spool was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Alerts that had to leave before a target took them, as the limit was reached.
    pub dropped: u64,
    /// Stretches, torn or damaged, that were passed over.
    pub damages: u64,
}

impl Spool {
    /// Opens the spool in `folder`, which is made when it is missing (its parents are not): for its
    /// owner only. It holds at most `limit` octets (at least 64 KiB), heads of records counted.
    pub fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        match DirBuilder::new().mode(0o700).create(folder) {
            Ok(()) => sync_parent(folder)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let limit = limit.max(SMALLEST);
        let sealed = segments(folder)?;
        Ok(Self {
            _lock: lock(folder)?,
            folder: File::open(folder)?,
            path: folder.into(),
            limit,
            segment_limit: (limit / 8).min(LARGEST_SEGMENT),
            next_number: sealed.back().map_or(1, |(number, _)| number.saturating_add(1)),
            sealed,
            writing: None,
            reading: None,
            batch: None,
            uncommitted: false,
            tally: Tally::default(),
        })
    }

    /// How many octets of disk wait to be taken.
    pub fn octets(&self) -> u64 {
        let writing = self.writing.as_ref().map_or(0, |writing| writing.length);
        let taken = match &self.reading {
            Some(reading) if self.is_first(reading) => reading.taken as u64,
            _ => 0,
        };
        (self.sealed.iter().map(|(_, octets)| octets).sum::<u64>() + writing).saturating_sub(taken)
    }

    /// Whether nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.writing.is_none() && self.batch.is_none()
    }

    /// What became of alerts.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Adds the alerts of a chunk, all or none; its other lines are left out. They are safe after
    /// the next [`commit`](Self::commit). What is larger than the whole spool is dropped.
    pub fn append(&mut self, chunk: &Chunk) -> io::Result<()> {
        let alerts = || chunk.lines_from(0).filter_map(|(line, level)| Some((line, level?)));
        let octets = alerts().map(|(line, _)| record::length_of(line)).sum::<usize>();
        if octets == 0 {
            return Ok(());
        }
        if octets as u64 > self.limit {
            self.tally.dropped += alerts().count() as u64;
            return Ok(());
        }
        self.make_room(octets as u64)?;
        let number = self.writing.as_ref().map_or(self.next_number, |writing| writing.number);
        let mut records = Vec::with_capacity(octets);
        for (line, level) in alerts() {
            record::put(number, line, level, &mut records);
        }
        self.write(&records)?;
        self.uncommitted = true;
        let full = self.writing.as_ref().is_some_and(|w| w.length >= self.segment_limit);
        if full { self.seal() } else { Ok(()) }
    }

    /// Makes what was appended outlive a crash.
    pub fn commit(&mut self) -> io::Result<()> {
        if !self.uncommitted {
            return Ok(());
        }
        if let Some(writing) = &self.writing {
            writing.sync()?;
        }
        self.folder.sync_all()?;
        self.uncommitted = false;
        Ok(())
    }

    /// The oldest alerts that no target took yet; the same ones until they are
    /// [`taken`](Self::taken).
    pub fn read(&mut self) -> io::Result<Option<Lines>> {
        loop {
            if let Some((batch, taken)) = &self.batch {
                let mut lines = Lines::new(Arc::clone(&batch.chunk));
                lines.take(*taken);
                return Ok(Some(lines));
            }
            if self.reading.is_none() && !self.open_oldest()? {
                return Ok(None);
            }
            self.read_batch();
        }
    }

    /// A target took so many of the lines that were read.
    pub fn taken(&mut self, lines: usize) -> io::Result<()> {
        let Some((batch, taken)) = &mut self.batch else { return Ok(()) };
        *taken += lines;
        let end = taken.checked_sub(1).and_then(|last| batch.ends.get(last)).copied();
        if *taken >= batch.ends.len() {
            self.batch = None;
        }
        match (&mut self.reading, end) {
            (Some(reading), Some(end)) => reading.mark(end)?,
            _ => return Ok(()),
        }
        // Looked at once more, so that a segment is gone as soon as its last line is taken.
        if self.batch.is_none() {
            self.read_batch();
        }
        Ok(())
    }

    /// Reads on in the segment at hand, and removes it at its end.
    fn read_batch(&mut self) {
        let Some(reading) = &mut self.reading else { return };
        let batch = reading.read();
        self.tally.damages += batch.damages;
        if !batch.chunk.is_empty() {
            self.batch = Some((batch, 0));
            return;
        }
        if let Some(reading) = self.reading.take()
            && self.is_first(&reading)
        {
            self.remove_oldest();
        }
    }

    /// Begins to read the oldest segment, if there is one. What cannot be read is left on disk for
    /// the next start.
    fn open_oldest(&mut self) -> io::Result<bool> {
        loop {
            if self.sealed.is_empty() {
                self.seal()?;
            }
            let Some((number, _)) = self.sealed.front() else { return Ok(false) };
            if let Ok(reading) = Reading::open(&self.path, *number) {
                self.reading = Some(reading);
                return Ok(true);
            }
            self.tally.damages += 1;
            self.sealed.pop_front();
        }
    }

    /// Lets go of the oldest segments until so many octets have room.
    fn make_room(&mut self, octets: u64) -> io::Result<()> {
        while self.octets() + octets > self.limit {
            if self.sealed.is_empty() {
                self.seal()?;
            }
            let Some((number, _)) = self.sealed.front() else { break };
            // What is in the batch is in memory and still comes.
            self.tally.dropped += match self.reading.take_if(|reading| reading.number == *number) {
                Some(mut reading) => reading.count_rest(),
                None => Reading::open(&self.path, *number).map_or(0, |mut rest| rest.count_rest()),
            };
            self.remove_oldest();
        }
        Ok(())
    }

    /// Writes to the segment at hand, or begins one.
    fn write(&mut self, records: &[u8]) -> io::Result<()> {
        if let Some(writing) = &mut self.writing {
            return writing.append(records);
        }
        let number = self.next_number;
        // Whatever comes of it: no number is used twice.
        self.next_number += 1;
        let mut writing = Writing::create(&self.path, number)?;
        match writing.append(records) {
            Ok(()) => self.writing = Some(writing),
            Err(error) => {
                let _ = fs::remove_file(path_of(&self.path, number));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Ends the segment that is written, so that it can be read.
    fn seal(&mut self) -> io::Result<()> {
        let Some(writing) = &self.writing else { return Ok(()) };
        if self.uncommitted {
            writing.sync()?;
        }
        if let Some(writing) = self.writing.take() {
            self.sealed.push_back((writing.number, writing.length));
        }
        Ok(())
    }

    fn remove_oldest(&mut self) {
        if let Some((number, _)) = self.sealed.pop_front() {
            // A file that stays comes twice after a restart, which is allowed.
            let _ = fs::remove_file(path_of(&self.path, number));
        }
    }

    fn is_first(&self, reading: &Reading) -> bool {
        self.sealed.front().is_some_and(|(number, _)| *number == reading.number)
    }
}

/// The segments of earlier runs, oldest first, with their octets.
fn segments(folder: &Path) -> io::Result<VecDeque<(u64, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(number) = number_of(&entry.path()) {
            found.push((number, entry.metadata()?.len()));
        }
    }
    found.sort_unstable();
    Ok(found.into())
}

/// A new folder outlives a power failure when its parent knows of it.
fn sync_parent(folder: &Path) -> io::Result<()> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn lock(folder: &Path) -> io::Result<File> {
    let lock =
        File::options().write(true).create(true).truncate(false).open(folder.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::Error(error)) => Err(error),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!("the spool {} is used by another process", folder.display()),
        )),
    }
}
