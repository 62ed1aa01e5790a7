//! What the daemon asks of the host that it runs on, found out before it starts and fails.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::geteuid;
use rustix::system::sysinfo;

use super::{overwrite, words};
use crate::config::{Config, Examined, Interface, Octets, Target};
use crate::daemon::http::{Token, TokenError};
use crate::daemon::sandbox::Identity;

/// What there is to say of the value of a key.
struct Remark {
    key: String,
    message: String,
    is_mistake: bool,
}

impl Remark {
    fn mistake(key: &str, message: String) -> Self {
        Self { key: key.to_owned(), message, is_mistake: true }
    }

    fn warning(key: &str, message: String) -> Self {
        Self { key: key.to_owned(), message, is_mistake: false }
    }
}

/// Adds what is wrong on this host with a configuration that has no mistake in itself. `read` are the
/// files that the daemon reads.
pub(super) fn look(examined: &mut Examined, read: &[PathBuf]) {
    let config = examined.despite_mistakes();
    let mut remarks = Vec::new();
    remarks.extend(memory(config));
    remarks.extend(token(config));
    remarks.extend(user(config));
    for (index, output) in config.outputs.iter().enumerate() {
        if let Target::File { path, .. } = &output.target {
            remarks.extend(file(&format!("outputs.{index}.path"), path, read));
        }
    }
    remarks.extend(folder("state_directory", &config.state_directory));
    if let Some(evidence) = &config.evidence {
        remarks.extend(folder("evidence.directory", &evidence.directory));
        remarks.extend(unwritable("evidence.directory", &evidence.directory, config));
    }
    add(remarks, examined);
}

/// Adds what would not fit into the memory of this host: taken by the kernel, it is not to be tried.
pub(super) fn look_at_memory(examined: &mut Examined) {
    let remarks = memory(examined.despite_mistakes());
    add(remarks, examined);
}

fn add(remarks: impl IntoIterator<Item = Remark>, examined: &mut Examined) {
    for Remark { key, message, is_mistake } in remarks {
        if is_mistake {
            examined.mistakes.push(examined.origins.mistake(&key, &message));
        } else {
            examined.warnings.push(examined.origins.warning(&key, &message));
        }
    }
}

/// Rings are taken whole at the start, and nobody but us has anything of them.
fn memory(config: &Config) -> Option<Remark> {
    let octets = |interface: &Interface| {
        let Octets(block_size) = interface.ring.block_size;
        let rings = u64::from(config.threads) * interface.link.names().len() as u64;
        block_size.saturating_mul(u64::from(interface.ring.blocks)).saturating_mul(rings)
    };
    let all = config.interfaces.iter().fold(0_u64, |sum, next| sum.saturating_add(octets(next)));
    let system = sysinfo();
    let there = (system.totalram as u64).saturating_mul(u64::from(system.mem_unit));
    if all <= there / 2 {
        return None;
    }
    let interfaces = config.interfaces.iter().enumerate();
    let (largest, _) = interfaces.max_by_key(|(_, interface)| octets(interface))?;
    let message = format!(
        "`block_size` times `blocks`, for each interface and thread, is {}: more than half of this \
         host's {}",
        words::octets(all),
        words::octets(there)
    );
    Some(Remark::mistake(&format!("interfaces.{largest}.ring"), message))
}

fn token(config: &Config) -> Option<Remark> {
    const KEY: &str = "http.token_file";
    match Token::load(config.http.as_ref()?.token_file.as_deref()?) {
        Ok(_) => None,
        // It may be there, or ours to read, only while the service runs.
        Err(error @ TokenError::Unreadable { .. }) => Some(Remark::warning(KEY, error.to_string())),
        Err(error) => Some(Remark::mistake(KEY, error.to_string())),
    }
}

fn user(config: &Config) -> Option<Remark> {
    let error = Identity::find(config.user.as_deref()?).err()?;
    Some(Remark::mistake("user", error.to_string()))
}

/// A file that is written to.
fn file(key: &str, path: &Path, read: &[PathBuf]) -> Option<Remark> {
    if path.is_dir() {
        return Some(Remark::mistake(key, format!("{} is a folder", path.display())));
    }
    if let Some(read) = read.iter().find(|read| overwrite::are_one(path, read)) {
        return Some(Remark::mistake(key, format!("{} is read: it would be lost", read.display())));
    }
    missing_parent(key, path)
}

/// A folder that is made if need be.
fn folder(key: &str, path: &Path) -> Option<Remark> {
    if path.exists() && !path.is_dir() {
        return Some(Remark::mistake(key, format!("{} is no folder", path.display())));
    }
    missing_parent(key, path)
}

/// A folder in which the daemon cannot make files, or which it cannot make.
fn unwritable(key: &str, path: &Path, config: &Config) -> Option<Remark> {
    let there = path.ancestors().find(|folder| folder.is_dir())?;
    let user = config.user.as_deref().and_then(|user| Identity::find(user).ok());
    let is_ours = match user {
        Some(user) if geteuid().is_root() => is_writable_by(there, user.numbers()),
        _ => access(there, Access::WRITE_OK | Access::EXEC_OK).is_ok(),
    };
    let who = config.user.as_deref().map_or_else(|| "us".to_owned(), |user| format!("`{user}`"));
    let message = format!("{} cannot be written to by {who}", there.display());
    // Another user than the daemon may be the one who checks.
    (!is_ours).then(|| Remark::warning(key, message))
}

/// As far as the mode tells.
fn is_writable_by(folder: &Path, (user, group): (u32, u32)) -> bool {
    let Ok(found) = fs::metadata(folder) else { return true };
    let needed = match (found.uid() == user, found.gid() == group) {
        (true, _) => 0o300,
        (false, true) => 0o030,
        (false, false) => 0o003,
    };
    user == 0 || found.mode() & needed == needed
}

fn missing_parent(key: &str, path: &Path) -> Option<Remark> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty())?;
    let message = format!("{} is not there, and nobody makes it", parent.display());
    (!parent.is_dir()).then(|| Remark::warning(key, message))
}
