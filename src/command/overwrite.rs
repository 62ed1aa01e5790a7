//! That no output destroys what is read, by whatever name.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Failure;

/// Stands for standard input and standard output.
const DASH: &str = "-";

/// A regular file, whatever it is called: links to one are one. Of pipes and devices nothing is
/// lost when they are written to, and several may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(metadata: &Metadata) -> Option<Self> {
        let identity = Self { device: metadata.dev(), inode: metadata.ino() };
        metadata.is_file().then_some(identity)
    }

    fn of_path(path: &Path) -> Option<Self> {
        Self::of(&fs::metadata(path).ok()?)
    }

    /// Of what the shell put behind a stream.
    fn of_stream(stream: impl AsFd) -> Option<Self> {
        let file = File::from(stream.as_fd().try_clone_to_owned().ok()?);
        Self::of(&file.metadata().ok()?)
    }
}

/// Refuses `outputs` of which one is a file that is read, and standard output if it is one; `-` is
/// standard input or standard output.
pub(super) fn refuse<'p>(
    outputs: &[&Path],
    inputs: impl IntoIterator<Item = &'p Path>,
) -> Result<(), Failure> {
    let of = |path: &Path, stream: &dyn Fn() -> Option<Identity>| {
        if is_dash(path) { stream() } else { Identity::of_path(path) }
    };
    let of_input = |path| of(path, &|| Identity::of_stream(io::stdin()));
    let of_output = |path| of(path, &|| Identity::of_stream(io::stdout()));
    let read: Vec<_> =
        inputs.into_iter().filter_map(|path| Some((of_input(path)?, path))).collect();
    for &output in outputs.iter().chain(&[Path::new(DASH)]) {
        let Some(identity) = of_output(output) else { continue };
        if let Some((_, input)) = read.iter().find(|(input, _)| *input == identity) {
            return Err(Failure::Overwrites {
                output: named(output, "standard output"),
                input: named(input, "standard input"),
            });
        }
    }
    Ok(())
}

/// Whether two outputs are one file, which may not be there yet.
pub(super) fn are_one(one: &Path, other: &Path) -> bool {
    if is_dash(one) || is_dash(other) {
        return false;
    }
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => {
            Identity::of(&one).is_some_and(|one| Some(one) == Identity::of(&other))
        }
        (Err(_), Err(_)) => place(one).is_some_and(|one| Some(one) == place(other)),
        _ => false,
    }
}

/// The folder that a file will be in, and its name there.
fn place(path: &Path) -> Option<(PathBuf, OsString)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
    Some((folder, path.file_name()?.to_owned()))
}

/// Whether it is a standard stream.
pub(super) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == DASH
}

fn named(path: &Path, stream: &str) -> String {
    if is_dash(path) { stream.to_owned() } else { path.display().to_string() }
}
