//! What the daemon asks of the host that it runs on, found out before it starts and fails.

use std::path::{Path, PathBuf};

use super::overwrite;
use crate::config::{Config, Examined, Target};
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
    }
    for Remark { key, message, is_mistake } in remarks {
        if is_mistake {
            examined.mistakes.push(examined.origins.mistake(&key, &message));
        } else {
            examined.warnings.push(examined.origins.warning(&key, &message));
        }
    }
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

fn missing_parent(key: &str, path: &Path) -> Option<Remark> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty())?;
    let message = format!("{} is not there, and nobody makes it", parent.display());
    (!parent.is_dir()).then(|| Remark::warning(key, message))
}
