//! Writes cases into files, and deletes the oldest files.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::case::{Case, is_file_name};
use super::counters::{ArchiveCounters, Counters};

/// What file systems give space in: a small file takes so many octets all the same.
const BLOCK: u64 = 4096;

/// How the names of files end that are not finished.
const UNFINISHED: &str = ".part";

/// A file that is there for a moment, at the start.
const TRIAL: &str = ".gridtap.part";

/// A folder of files, whose names are in the order of their time.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    /// Octets that all files may take.
    size: u64,
    /// What each of them takes.
    files: BTreeMap<String, u64>,
    /// What all of them take.
    used: u64,
    /// The file at hand: written in one go.
    octets: Vec<u8>,
    counters: Arc<Counters>,
}

impl Writer {
    /// Files in this folder, which is made if it is not there; those that earlier runs wrote are
    /// counted, and deleted in their turn. Other files are left alone.
    pub fn open(folder: &Path, size: u64) -> io::Result<Self> {
        let counters = Arc::default();
        let (folder, files, octets) = (folder.to_owned(), BTreeMap::new(), Vec::new());
        let mut this = Self { folder, size, files, used: 0, octets, counters };
        fs::create_dir_all(&this.folder)?;
        this.try_out()?;
        this.look()?;
        this.make_room(0);
        this.count();
        Ok(this)
    }

    /// The counters as they are now.
    pub fn counters(&self) -> ArchiveCounters {
        self.counters.read()
    }

    pub(super) fn shared_counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Writes a case. Its file appears whole, or not at all.
    pub fn write(&mut self, case: &Case) -> io::Result<()> {
        let written = self.try_write(case);
        match &written {
            Ok(octets) => {
                self.counters.written_files.fetch_add(1, Relaxed);
                self.counters.written_octets.fetch_add(*octets, Relaxed);
            }
            Err(_) => {
                self.counters.errors.fetch_add(1, Relaxed);
            }
        }
        self.count();
        written.map(drop)
    }

    fn try_write(&mut self, case: &Case) -> io::Result<u64> {
        self.octets.clear();
        case.write(&mut self.octets)?;
        let length = self.octets.len() as u64;
        let taken = blocks(length);
        if taken > self.size {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "more than all files may take",
            ));
        }
        self.forget(case.name());
        self.make_room(taken);
        self.put(case.name())?;
        self.files.insert(case.name().to_owned(), taken);
        self.used += taken;
        Ok(length)
    }

    /// Writes under another name first, so that nobody sees half a file.
    fn put(&self, name: &str) -> io::Result<()> {
        let unfinished = self.folder.join(format!("{name}{UNFINISHED}"));
        let mut options = OpenOptions::new();
        // A name that is there already is not followed, whatever it leads to.
        options.write(true).create_new(true).mode(0o640);
        let file = match options.open(&unfinished) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.folder)?;
                options.open(&unfinished)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&unfinished)?;
                options.open(&unfinished)
            }
            opened => opened,
        };
        let written = file.and_then(|mut file| file.write_all(&self.octets));
        let done = written.and_then(|()| fs::rename(&unfinished, self.folder.join(name)));
        if done.is_err() {
            let _ = fs::remove_file(&unfinished); // the first error tells more
        }
        done
    }

    /// Deletes the oldest files until there is room for so many octets.
    fn make_room(&mut self, octets: u64) {
        while self.used + octets > self.size {
            let Some((name, taken)) = self.files.pop_first() else { return };
            self.used -= taken;
            // One that somebody else deleted makes room as well; one that cannot be deleted would
            // stand in the way of all others for ever.
            if fs::remove_file(self.folder.join(name)).is_ok() {
                self.counters.deleted.fetch_add(1, Relaxed);
            }
        }
    }

    /// A file is about to be replaced: the same capture was replayed before.
    fn forget(&mut self, name: &str) {
        if let Some(taken) = self.files.remove(name) {
            self.used -= taken;
        }
    }

    /// Makes a file and deletes it: who may not do so is to learn of it before there is a case. A
    /// disk that is full may have room by then.
    fn try_out(&self) -> io::Result<()> {
        let path = self.folder.join(TRIAL);
        let _ = fs::remove_file(&path); // of a run that was killed in between
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => fs::remove_file(&path),
            Err(error) if is_for_want_of_room(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Looks for the files of earlier runs.
    fn look(&mut self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.strip_suffix(UNFINISHED).is_some_and(is_file_name) {
                // Of a run that was killed. One that stays is overwritten at most.
                let _ = fs::remove_file(entry.path());
            } else if is_file_name(&name) {
                let taken = blocks(entry.metadata()?.len());
                self.used += taken;
                self.files.insert(name, taken);
            }
        }
        Ok(())
    }

    fn count(&self) {
        self.counters.files.store(self.files.len() as u64, Relaxed);
        self.counters.octets.store(self.used, Relaxed);
    }
}

fn is_for_want_of_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

const fn blocks(length: u64) -> u64 {
    length.next_multiple_of(BLOCK)
}
