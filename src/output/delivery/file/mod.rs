//! A file that lines are appended to.

mod rotation;

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use rotation::{Names, Rotation};

use super::{Failure, Lines, Target};

/// Stands for what is open already.
const STANDARD_OUTPUT: &str = "/dev/stdout";

/// Where lines go and who may read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOptions {
    /// The file. Its folder must exist, and be writable when there is rotation.
    pub path: PathBuf,
    /// Permissions of a file that is made here, whatever the umask; one that is there keeps its own.
    pub mode: u32,
    /// User and group of a file that is made here; the process's own where there is none. Needs
    /// CAP_CHOWN, but for a group that the process belongs to. Without the right to do so, opening
    /// fails at first; a file that is made later is used as it is, and trouble is told.
    pub owner: Option<u32>,
    /// See `owner`.
    pub group: Option<u32>,
    /// When to begin a new file. Without it, logrotate may do so.
    pub rotation: Option<Rotation>,
}

impl FileOptions {
    /// A file for its owner and group, without rotation.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), mode: 0o640, owner: None, group: None, rotation: None }
    }
}

/// Appends lines to a file. There is never half a line in it, but for the moment of a crash, and
/// that is cut off when the file is opened again.
#[derive(Debug)]
pub struct FileTarget {
    options: FileOptions,
    file: File,
    /// How long the file is. `None`: a pipe, a terminal or a device, which is neither cut nor
    /// rotated.
    length: Option<u64>,
    /// Half a line is at the end, as cutting it off failed.
    torn: bool,
    /// When its first line was written, as far as that is known.
    since: SystemTime,
    /// The length at which rotation is tried again after it failed.
    retry_at: u64,
    trouble: Option<io::Error>,
    clock: fn() -> SystemTime,
}

impl FileTarget {
    /// Opens the file, or makes it.
    pub fn open(options: FileOptions) -> io::Result<Self> {
        Self::with_clock(options, SystemTime::now)
    }

    /// The same with another clock, which decides when to rotate by time.
    pub(super) fn with_clock(options: FileOptions, clock: fn() -> SystemTime) -> io::Result<Self> {
        let Opened { file, length, since, trouble } = Opened::new(&options, clock)?;
        if let Some(trouble) = trouble {
            return Err(trouble);
        }
        let (torn, retry_at) = (false, 0);
        Ok(Self { options, file, length, torn, since, retry_at, trouble, clock })
    }

    /// Whether our file is the one at this path.
    fn is_still(&self, path: &Path) -> bool {
        let (Ok(ours), Ok(there)) = (self.file.metadata(), fs::metadata(path)) else {
            return false;
        };
        ours.is_file() && (ours.dev(), ours.ino()) == (there.dev(), there.ino())
    }

    fn exchange(&mut self, opened: Opened) {
        let Opened { file, length, since, trouble } = opened;
        (self.file, self.length, self.since) = (file, length, since);
        self.trouble = self.trouble.take().or(trouble);
        (self.torn, self.retry_at) = (false, 0);
    }

    /// Begins a new file when it is time. When that fails, lines still go into the old one.
    fn rotate_if_due(&mut self, next_line: usize) {
        let (Some(rotation), Some(length)) = (&self.options.rotation, self.length) else { return };
        if length < self.retry_at || !rotation.is_due(length, next_line, self.since, (self.clock)())
        {
            return;
        }
        let rotated = rotation::rotate(&self.options.path, rotation, (self.clock)());
        match rotated.and_then(|()| Opened::new(&self.options, self.clock)) {
            Ok(opened) => self.exchange(opened),
            Err(error) => {
                // Not at each line again: after another sixteenth, or a mebibyte.
                self.retry_at = length + (length / 16).max(1 << 20);
                let told = format!("cannot rotate {}: {error}", self.options.path.display());
                self.trouble = Some(io::Error::new(error.kind(), told));
            }
        }
    }

    /// How many octets may be written before it is time to rotate.
    fn room(&self) -> u64 {
        let size = self.options.rotation.as_ref().and_then(|rotation| rotation.size);
        let (Some(size), Some(length)) = (size, self.length) else { return u64::MAX };
        if length < self.retry_at {
            return u64::MAX;
        }
        size.saturating_sub(length)
    }

    /// Writes the first so many lines, in one call where the system takes them so.
    fn write_lines(&mut self, lines: &mut Lines, count: usize) -> io::Result<()> {
        let end = lines.octets_of(count);
        let mut written = 0;
        let mut result = Ok(());
        while let Some(left) = lines.octets().get(written..end).filter(|left| !left.is_empty()) {
            match self.file.write(left) {
                Ok(0) => result = Err(io::ErrorKind::WriteZero.into()),
                Ok(octets) => written += octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => result = Err(error),
            }
            if result.is_err() {
                break;
            }
        }
        let whole = lines.whole_within(written);
        let half = written - lines.octets_of(whole);
        self.length = self.length.map(|length| length + (written - half) as u64);
        if half > 0 && self.length.is_some() {
            self.torn = cut_half_line(&mut self.file).is_err();
        }
        lines.take(whole);
        result
    }
}

impl Target for FileTarget {
    fn write(&mut self, lines: &mut Lines) -> Result<(), Failure> {
        if self.torn {
            cut_half_line(&mut self.file)?;
            self.torn = false;
        }
        while let Some((first, _)) = lines.first() {
            self.rotate_if_due(first.len());
            let room = usize::try_from(self.room()).unwrap_or(usize::MAX);
            // A line that is longer than a whole file has one for itself.
            let count = lines.whole_within(room.min(lines.octets().len())).max(1);
            self.write_lines(lines, count)?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.length.is_some() { self.file.sync_data() } else { Ok(()) }
    }

    /// When the new file cannot be opened, lines still go into the old one.
    fn reopen(&mut self) -> io::Result<()> {
        if self.is_still(&self.options.path) {
            return Ok(());
        }
        let opened = Opened::new(&self.options, self.clock)?;
        self.exchange(opened);
        Ok(())
    }

    fn trouble(&mut self) -> Option<io::Error> {
        self.trouble.take()
    }
}

/// A file that is ready for lines.
struct Opened {
    file: File,
    length: Option<u64>,
    since: SystemTime,
    /// It is not ours to give it to its owner.
    trouble: Option<io::Error>,
}

impl Opened {
    fn new(options: &FileOptions, clock: fn() -> SystemTime) -> io::Result<Self> {
        if options.path == Path::new(STANDARD_OUTPUT) {
            // What is behind it may not be ours to open again: a pipe to another user's program.
            let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            return Ok(Self { file, length: None, since: clock(), trouble: None });
        }
        let with_path = |error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", options.path.display()))
        };
        let (mut file, is_new) = open(options).map_err(with_path)?;
        let is_owned = options.owner.is_some() || options.group.is_some();
        let trouble = (is_new && is_owned)
            .then(|| fchown(&file, options.owner, options.group).err().map(with_path))
            .flatten();
        let metadata = file.metadata().map_err(with_path)?;
        if !metadata.is_file() {
            return Ok(Self { file, length: None, since: clock(), trouble });
        }
        // Two would cut each other's lines.
        lock(&file).map_err(with_path)?;
        cut_half_line(&mut file).map_err(with_path)?;
        let length = file.metadata().map_err(with_path)?.len();
        let since = if length == 0 { clock() } else { metadata.modified().unwrap_or(clock()) };
        Ok(Self { file, length: Some(length), since, trouble })
    }
}

fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "another process writes to it"))
        }
        // Not every file system has locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Opens the file to append, and tells whether it was made, with its mode.
fn open(options: &FileOptions) -> io::Result<(File, bool)> {
    let mut open = OpenOptions::new();
    open.read(true).append(true);
    match open.clone().create_new(true).mode(options.mode).open(&options.path) {
        Ok(file) => {
            file.set_permissions(Permissions::from_mode(options.mode))?;
            Ok((file, true))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok((reopen(&open, &options.path)?, false))
        }
        Err(error) => Err(error),
    }
}

/// A pipe can be opened for reading and writing too, a terminal that belongs to somebody else, or
/// a file that may only be written, cannot be read.
fn reopen(open: &OpenOptions, path: &Path) -> io::Result<File> {
    match open.open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            if fs::metadata(path)?.is_file() {
                return Err(error);
            }
            OpenOptions::new().append(true).open(path)
        }
        other => other,
    }
}

/// Cuts the file after its last line feed.
fn cut_half_line(file: &mut File) -> io::Result<()> {
    const BLOCK: usize = 64 * 1024;
    let length = file.metadata()?.len();
    let mut block = vec![0; BLOCK];
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(BLOCK as u64);
        let part = block.get_mut(..(end - start) as usize).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = memchr::memrchr(b'\n', part) {
            end = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    if end < length { file.set_len(end) } else { Ok(()) }
}
