//! How a command ends: exit codes as in sysexits.h.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use super::words::counted;
use crate::capture::{NoCapture, OpenError, live};
use crate::daemon;

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done.
    Done = 0,
    /// The command line is wrong.
    Usage = 64,
    /// A capture or a record is damaged or none at all; a rule does not do what its examples say.
    BadData = 65,
    /// There is no such file or interface, or it cannot be read.
    NoInput = 66,
    /// An output file cannot be created.
    CannotCreate = 73,
    /// Output cannot be written.
    OutputError = 74,
    /// We may not.
    NoPermission = 77,
    /// A mistake in the configuration or in a rule.
    Configuration = 78,
}

impl Exit {
    /// Every exit code, with what help and manual say of it.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Done, "done"),
        (Self::Usage, "wrong usage"),
        (Self::BadData, "damaged capture or record, or a rule that fails its examples"),
        (Self::NoInput, "no input"),
        (Self::CannotCreate, "output cannot be created"),
        (Self::OutputError, "output cannot be written"),
        (Self::NoPermission, "not permitted"),
        (Self::Configuration, "a mistake in the configuration or in rules"),
    ];

    /// All of them in a sentence.
    pub(super) fn all_told() -> String {
        let told = Self::ALL.map(|(exit, meaning)| format!("{} {meaning}", exit as u8));
        format!("Exit codes: {}.", told.join("; "))
    }

    /// The exit code where a capture could not be begun.
    pub(super) fn without(capture: &OpenError) -> Self {
        match &capture.reason {
            NoCapture::Unreadable(error) => or_permission(error, Self::NoInput),
            reason if reason.is_no_input() => Self::NoInput,
            _ => Self::BadData,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command gave up.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(&'static str),
    /// An output is a file that is read.
    #[error("{output}: writing it would destroy {input}, which is read")]
    Overwrites {
        /// The output.
        output: String,
        /// What is read, which may have another name.
        input: String,
    },
    /// A capture cannot be begun.
    #[error(transparent)]
    Capture(#[from] OpenError),
    /// An interface cannot be captured from.
    #[error(transparent)]
    Interface(#[from] live::Error),
    /// The daemon cannot run, or had to end.
    #[error(transparent)]
    Daemon(#[from] daemon::Error),
    /// A file that is no capture cannot be read.
    #[error("{}: cannot be read: {error}", .path.display())]
    Input {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file that should have a record in JSON has none.
    #[error("{}: is no record in JSON: {error}", .path.display())]
    NoRecord {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: String,
    },
    /// An output file cannot be created.
    #[error("{}: cannot be created: {error}", .path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Output cannot be written.
    #[error("{name}: cannot be written: {error}")]
    Output {
        /// The file, or what it is.
        name: String,
        /// What the system says.
        error: io::Error,
    },
    /// The configuration or rules have mistakes, which were shown.
    #[error("{}", mistakes(*configuration, *rules))]
    Mistakes {
        /// How many in the configuration.
        configuration: usize,
        /// How many in rules.
        rules: usize,
    },
}

impl Failure {
    /// The exit code for it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Overwrites { .. } => Exit::Usage,
            Self::Capture(error) => Exit::without(error),
            Self::Input { error, .. } => or_permission(error, Exit::NoInput),
            Self::NoRecord { .. } => Exit::BadData,
            Self::Interface(error) => of_interface(error),
            Self::Daemon(error) => of_daemon(error),
            Self::Create { error, .. } => or_permission(error, Exit::CannotCreate),
            Self::Output { .. } => Exit::OutputError,
            Self::Mistakes { .. } => Exit::Configuration,
        }
    }

    /// Whether output failed as its reader went away: no fault of anybody.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn of_interface(error: &live::Error) -> Exit {
    match error {
        error if error.is_permission() => Exit::NoPermission,
        error if error.is_no_input() => Exit::NoInput,
        _ => Exit::Configuration,
    }
}

fn of_daemon(error: &daemon::Error) -> Exit {
    use daemon::Error;
    match error {
        Error::Interface(error) => of_interface(error),
        Error::NoInterface | Error::Filter { .. } | Error::Token(_) | Error::Identity(_) => {
            Exit::Configuration
        }
        Error::Output { error, .. }
        | Error::Evidence { error, .. }
        | Error::Listen { error, .. }
        | Error::State { error, .. }
        | Error::Http(error)
        | Error::System(error) => or_permission(error, Exit::CannotCreate),
        Error::Instance(_) | Error::Capture(_) => Exit::CannotCreate,
        Error::Sandbox(_) => Exit::NoPermission,
    }
}

fn mistakes(configuration: usize, rules: usize) -> String {
    let places = [(configuration, "configuration"), (rules, "rules")];
    let told: Vec<_> = places
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, place)| format!("{} in the {place}", counted(*count as u64, "mistake")))
        .collect();
    told.join(", ")
}

fn or_permission(error: &io::Error, other: Exit) -> Exit {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::NoPermission,
        _ => other,
    }
}

/// Failed writes to standard output or standard error.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output { name: "standard output".to_owned(), error }
    }
}
