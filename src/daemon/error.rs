//! Why the daemon does not run.

use std::io;
use std::path::PathBuf;

use super::http::{Endpoint, TokenError};
use super::instance::InstanceError;
use super::sandbox::{IdentityError, SandboxError};
use crate::capture::live::{self, FilterTooLong};

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An interface cannot be captured from.
    #[error(transparent)]
    Interface(#[from] live::Error),
    /// The kernel takes no filter that long.
    #[error("{interface}: {error}")]
    Filter {
        /// On which interface.
        interface: String,
        /// What is too long.
        error: FilterTooLong,
    },
    /// Nothing to capture from is configured.
    #[error("no interface is configured: set `interfaces`, or use --interface")]
    NoInterface,
    /// Another one runs, or the state directory is not there.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// There is no state directory, and none can be made.
    #[error("state directory {}: {error}", directory.display())]
    State {
        /// Which.
        directory: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// An output cannot be opened.
    #[error("output {name}: {error}")]
    Output {
        /// Its name.
        name: String,
        /// What the system says.
        error: io::Error,
    },
    /// Packets around alerts cannot be written.
    #[error("evidence: {}: {error}", .directory.display())]
    Evidence {
        /// Where they were to be.
        directory: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Visitors cannot come to this address.
    #[error("http: {endpoint}: {error}")]
    Listen {
        /// Where we wanted to listen.
        endpoint: Endpoint,
        /// What the system says.
        error: io::Error,
    },
    /// HTTP cannot be answered.
    #[error("http: {0}")]
    Http(io::Error),
    /// The token cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// There is no such user.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The sandbox cannot be entered.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The system refuses something that every process may do.
    #[error("{0}")]
    System(#[from] io::Error),
    /// A thread ended.
    #[error("capture failed: {0}")]
    Capture(String),
}
