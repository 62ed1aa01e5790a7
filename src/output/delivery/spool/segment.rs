//! A file of the spool.
//!
//! ```text
//!  0                16      24     28    32
//!  +----------------+-------+------+-----+----------------------+
//!  | what this is   | taken | CRC  |  0  | record | record | …  |
//!  +----------------+-------+------+-----+----------------------+
//! ```
//!
//! `taken` is the offset up to which a target took the records. It is written in place, and only
//! counts when its CRC holds, which covers the number of the segment too: a mark that is lost costs
//! alerts that come twice, never one that does not come.
//!
//! A segment is written by one process, then read, never both: what a crash tore off at its end is
//! passed over when it is read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::Chunk;
use super::record::{self, Next};
use crate::bytes::Cursor;

/// For whoever looks into the file.
const TITLE: &[u8; 16] = b"gridtap spool 1\n";
const MARK: u64 = TITLE.len() as u64;
/// Where records begin.
const START: usize = 32;

/// How many octets of lines are read for one batch, if the first line is no longer.
const BATCH: usize = 64 * 1024;

/// The file of the segment with this number.
pub(super) fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.spool"))
}

/// The number of a segment, when the file is one. Others in the folder are not ours.
pub(super) fn number_of(path: &Path) -> Option<u64> {
    let number = path.file_name()?.to_str()?.strip_suffix(".spool")?.parse().ok()?;
    (path_of(path.parent()?, number) == path).then_some(number)
}

/// A segment that is being written.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) number: u64,
    file: File,
    /// Where the next record goes.
    pub(super) length: u64,
}

impl Writing {
    pub(super) fn create(folder: &Path, number: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(0o600).open(path_of(folder, number))?;
        let mut head = [0; START];
        if let Some(title) = head.first_chunk_mut() {
            *title = *TITLE;
        }
        if let Err(error) = file.write_all(&head) {
            // A head that has no room is no segment.
            let _ = fs::remove_file(path_of(folder, number));
            return Err(error);
        }
        Ok(Self { number, file, length: START as u64 })
    }

    /// Adds whole records, all or none.
    pub(super) fn append(&mut self, records: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all_at(records, self.length) {
            // Should this fail too, the next record is written over what is left of these, or the
            // reader passes over it.
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += records.len() as u64;
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// A segment that is read: all of it in memory.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) number: u64,
    file: File,
    octets: Vec<u8>,
    /// Behind the records that were read.
    at: usize,
    /// Up to where a target took them.
    pub(super) taken: usize,
}

/// Lines read from a segment.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) chunk: Arc<Chunk>,
    /// Where the record of each line ends in its segment.
    pub(super) ends: Vec<usize>,
    /// Stretches that were passed over.
    pub(super) damages: u64,
}

impl Reading {
    pub(super) fn open(folder: &Path, number: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).open(path_of(folder, number))?;
        let mut octets = Vec::new();
        file.read_to_end(&mut octets)?;
        let taken = mark(number, &octets).unwrap_or(START).max(START);
        Ok(Self { number, file, octets, at: taken, taken })
    }

    /// The next lines, none at the end.
    pub(super) fn read(&mut self) -> Batch {
        let mut chunk = Chunk::default();
        let (mut ends, mut damages) = (Vec::new(), 0);
        loop {
            let (next, damaged) = record::next(self.number, &self.octets, self.at);
            damages += u64::from(damaged);
            let Next::Record { line, level, end } = next else {
                self.at = self.octets.len();
                break;
            };
            if !chunk.is_empty() && chunk.len() + line.len() > BATCH {
                // It is found again, and so would be the damage before it.
                self.at = end - record::length_of(line);
                break;
            }
            chunk.push(line, Some(level));
            ends.push(end);
            self.at = end;
        }
        Batch { chunk: chunk.into(), ends, damages }
    }

    /// Records up to this offset were taken.
    pub(super) fn mark(&mut self, taken: usize) -> io::Result<()> {
        self.taken = taken;
        self.file.write_all_at(&mark_octets(self.number, taken as u64), MARK)
    }

    /// How many lines are not read yet; they are read by that.
    pub(super) fn count_rest(&mut self) -> u64 {
        let mut lines = 0;
        loop {
            let batch = self.read();
            if batch.chunk.is_empty() {
                return lines;
            }
            lines += batch.chunk.lines().len() as u64;
        }
    }
}

/// Up to where a target took the records, as the head says.
fn mark(number: u64, octets: &[u8]) -> Option<usize> {
    let mut cursor = Cursor::new(octets);
    cursor.take(TITLE.len()).ok()?;
    let mark: [u8; 12] = cursor.array().ok()?;
    let taken = u64::from_le_bytes(*mark.first_chunk()?);
    (mark_octets(number, taken) == mark).then_some(usize::try_from(taken).ok()?)
}

fn mark_octets(number: u64, taken: u64) -> [u8; 12] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&taken.to_le_bytes());
    let mut mark = [0; 12];
    let (offset, checksum) = mark.split_at_mut(8);
    offset.copy_from_slice(&taken.to_le_bytes());
    checksum.copy_from_slice(&hasher.finalize().to_le_bytes());
    mark
}
