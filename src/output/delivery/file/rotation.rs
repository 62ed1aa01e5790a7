//! When a file is full, and what its predecessors are called.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When to begin a new file, and what becomes of the old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// No file grows beyond so many octets, but for a single line that is longer.
    pub size: Option<u64>,
    /// A new file for each such time, counted from midnight UTC, so that `1 h` begins one at each
    /// full hour. It begins with the first line of that time.
    pub every: Option<Duration>,
    /// What old files are called.
    pub names: Names,
    /// How many old files are kept.
    pub keep: usize,
}

/// What old files are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// `eve.json.1` is the youngest; all are renamed each time.
    Numbered,
    /// `eve.json.2026-11-23T04-55-59Z`: when it was ended, UTC.
    Timed,
}

impl Rotation {
    /// Whether a file of this length, begun at `since`, has no room for a line of so many octets.
    pub(super) fn is_due(
        &self,
        length: u64,
        line: usize,
        since: SystemTime,
        now: SystemTime,
    ) -> bool {
        if length == 0 {
            return false;
        }
        let too_long = self.size.is_some_and(|size| length + line as u64 > size);
        let too_old = self.every.is_some_and(|every| period(since, every) != period(now, every));
        too_long || too_old
    }
}

/// The number of the time of length `every` that a moment lies in.
fn period(moment: SystemTime, every: Duration) -> u64 {
    seconds(moment) / every.as_secs().max(1)
}

fn seconds(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Renames the file, and removes those that are not kept any more. Stays in the folder of the file.
pub(super) fn rotate(path: &Path, rotation: &Rotation, now: SystemTime) -> io::Result<()> {
    match rotation.names {
        _ if rotation.keep == 0 => fs::remove_file(path),
        Names::Numbered => rotate_numbered(path, rotation.keep),
        Names::Timed => rotate_timed(path, rotation.keep, now),
    }
}

/// Moves each old file up by one, as far as there is no gap; the last one is overwritten. After a
/// crash between two renames there is a gap, and the next time ends there: nothing is lost.
fn rotate_numbered(path: &Path, keep: usize) -> io::Result<()> {
    let numbered = |number: usize| with_suffix(path, &number.to_string());
    let mut free = 1;
    while free < keep && numbered(free).exists() {
        free += 1;
    }
    for number in (1..free).rev() {
        fs::rename(numbered(number), numbered(number + 1))?;
    }
    fs::rename(path, numbered(1))
}

fn rotate_timed(path: &Path, keep: usize, now: SystemTime) -> io::Result<()> {
    let mut second = seconds(now);
    // Two within a second: the later one claims the next second.
    let target = loop {
        let target = with_suffix(path, &stamp(second));
        if !target.exists() {
            break target;
        }
        second += 1;
    };
    fs::rename(path, target)?;
    let old = timed(path)?;
    for file in old.iter().take(old.len().saturating_sub(keep)) {
        fs::remove_file(file)?;
    }
    Ok(())
}

/// The old files with a time in their names, oldest first.
fn timed(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let name = entry?.file_name();
        let is_old = name
            .to_str()
            .zip(path.file_name().and_then(|name| name.to_str()))
            .and_then(|(name, file)| name.strip_prefix(file)?.strip_prefix('.'))
            .is_some_and(is_stamp);
        if is_old {
            found.push(path.with_file_name(name));
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

const STAMP: &str = "%Y-%m-%dT%H-%M-%SZ";

fn stamp(second: u64) -> String {
    let moment = i64::try_from(second).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    let civil = jiff::tz::Offset::UTC.to_datetime(moment.unwrap_or_default());
    civil.strftime(STAMP).to_string()
}

fn is_stamp(text: &str) -> bool {
    jiff::civil::DateTime::strptime(STAMP, text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_told_from_other_names() {
        assert_eq!(stamp(1_795_409_759), "2026-11-23T04-55-59Z");
        assert!(is_stamp("2026-11-23T04-55-59Z"));
        for other in ["1", "gz", "2026-11-23T04-55-59Z.gz", "2026-11-23T04-55-59"] {
            assert!(!is_stamp(other), "{other}");
        }
    }

    #[test]
    fn time_is_counted_from_midnight() {
        let hourly = Rotation {
            size: None,
            every: Some(Duration::from_secs(3600)),
            names: Names::Timed,
            keep: 1,
        };
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(!hourly.is_due(1, 1, at(7200), at(10_799)));
        assert!(hourly.is_due(1, 1, at(7200), at(10_800)));
        assert!(!hourly.is_due(0, 1, at(7200), at(10_800)), "an empty file stays");
    }
}
