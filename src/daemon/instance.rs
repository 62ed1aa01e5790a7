//! One daemon a state directory: a second one is refused.
//!
//! Two daemons would write one spool and rotate one log. The lock is the kernel's and goes with the
//! process, however it ends; the file that carries it stays, and means nothing by itself.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// The file in the state directory that carries the lock.
const LOCK: &str = "gridtap.lock";

/// A process number and its end of line: more is none of ours.
const LONGEST_PID: u64 = 32;

/// The state directory is ours as long as this lives.
#[derive(Debug)]
pub struct Instance {
    /// Closing it gives the lock back.
    _lock: File,
}

/// Why the state directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Another daemon works on it.
    #[error("another gridtap{} works on {}", process(*pid), .directory.display())]
    Taken {
        /// The directory.
        directory: PathBuf,
        /// The other's process number, where it could be read.
        pid: Option<u32>,
    },
    /// The lock cannot be made or taken.
    #[error("{}: cannot be locked: {error}", .path.display())]
    Lock {
        /// The file that carries the lock.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

fn process(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

impl Instance {
    /// Takes the state directory, which must exist, and leaves our process number in it for people.
    pub fn claim(directory: &Path) -> Result<Self, InstanceError> {
        let path = directory.join(LOCK);
        let failed = |error| InstanceError::Lock { path: path.clone(), error };

        let mut lock = open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let directory = directory.to_owned();
                return Err(InstanceError::Taken { directory, pid: read_pid(&mut lock) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        write_pid(&mut lock).map_err(failed)?;
        give_to_owner(&lock, directory).map_err(failed)?;
        Ok(Self { _lock: lock })
    }
}

/// Never through a symbolic link, and never emptied before it is locked: it may be another's.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

fn read_pid(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(LONGEST_PID).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}

/// What root has made, the user that we change to must be able to open the next time.
fn give_to_owner(lock: &File, directory: &Path) -> io::Result<()> {
    let (file, owner) = (lock.metadata()?, fs::metadata(directory)?);
    if file.uid() == owner.uid() {
        return Ok(());
    }
    fchown(lock, Some(owner.uid()), Some(owner.gid()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_second_instance_is_refused_and_told_of_the_first() {
        let state = directory();
        let first = Instance::claim(state.path()).unwrap();
        let refused = Instance::claim(state.path()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "another gridtap (process {}) works on {}",
                std::process::id(),
                state.path().display()
            )
        );
        drop(first);
        Instance::claim(state.path()).unwrap();
    }

    #[test]
    fn what_a_dead_instance_left_is_harmless() {
        let state = directory();
        for left in [&b"1\n"[..], b"", b"not a number", &[0xff; 4096]] {
            fs::write(state.path().join(LOCK), left).unwrap();
            let claimed = Instance::claim(state.path()).unwrap();
            let pid = fs::read_to_string(state.path().join(LOCK)).unwrap();
            assert_eq!(pid, format!("{}\n", std::process::id()));
            drop(claimed);
        }
    }

    #[test]
    fn a_first_instance_without_a_number_is_still_one() {
        let state = directory();
        let first = File::create(state.path().join(LOCK)).unwrap();
        first.lock().unwrap();
        let refused = Instance::claim(state.path()).unwrap_err();
        assert!(matches!(refused, InstanceError::Taken { pid: None, .. }), "{refused}");
    }

    #[test]
    fn different_directories_do_not_meet() {
        let (one, other) = (directory(), directory());
        let _one = Instance::claim(one.path()).unwrap();
        let _other = Instance::claim(other.path()).unwrap();
    }

    #[test]
    fn what_cannot_be_locked_is_said_with_its_path() {
        let state = directory();
        let missing = Instance::claim(&state.path().join("missing")).unwrap_err();
        assert!(
            missing.to_string().contains("missing/gridtap.lock: cannot be locked"),
            "{missing}"
        );

        let victim = state.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, state.path().join(LOCK)).unwrap();
        Instance::claim(state.path()).unwrap_err();
        assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
    }
}
