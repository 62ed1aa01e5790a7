//! What the process may still do once its sockets are open.
//!
//! The order, all of it before the first thread starts:
//!
//! ```text
//!  sockets, files   capabilities      user       no_new_privs   threads, each with
//!  opened        ─▶ dropped but   ─▶  changed ─▶ landlock    ─▶ a seccomp filter of
//!                   CAP_NET_RAW                  seccomp        its own, no capability
//!                   └──────────── enter() ────────────────┘     └── enter_thread() ──┘
//! ```
//!
//! `CAP_NET_RAW` stays permitted in the main thread, as an interface that comes back needs a new
//! socket; it is in force only inside [`with_net_raw`]. It works the same for root, for a service
//! that systemd gives the capability to (ambient), and for a program file that carries it.

mod capability;
mod file;
mod identity;
mod syscall;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::signal::{SigSet, Signal};

pub use capability::with_net_raw;
pub use file::Confinement;
pub use identity::{Identity, IdentityError};
pub use syscall::Role;

/// What the process goes on needing.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The user to become; `None` stays who we are. Root without its capabilities is a user like
    /// others: it then needs folders of its own.
    pub identity: Option<Identity>,
    /// What is read again on a reload: the configuration, rules, the site model, the token. For a
    /// file its folder is opened up, as editors and package managers replace files.
    pub reads: Vec<PathBuf>,
    /// What is written: logs, spool, evidence, state. For a file its folder, which rotation needs.
    pub writes: Vec<PathBuf>,
    /// Whether outputs go over the network: without, no thread gets an internet socket.
    pub network: bool,
}

/// What is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// User and group by number.
    pub user: (u32, u32),
    /// Whether interfaces can be opened again.
    pub can_reopen: bool,
    /// Whether files are confined; older kernels do less or nothing.
    pub files: Confinement,
    /// Paths of the plan that are not there: they cannot be reached later either.
    pub missing: Vec<PathBuf>,
}

/// Why the sandbox cannot be entered. Nothing may run then: half of it may be in force.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// What is dropped here would stay with threads that run.
    #[error("the sandbox must be entered before threads start: there are {0}")]
    Threads(usize),
    /// Whoever asked for another user is no root.
    #[error("only root can become user {uid}: start gridtap as that user, or as root")]
    NotRoot {
        /// The user that was asked for.
        uid: u32,
    },
    /// The system refused a step.
    #[error("{step}: {error}")]
    Step {
        /// What was tried.
        step: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

/// Names the step that failed.
fn step<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> SandboxError {
    move |error| SandboxError::Step { step, error: error.into() }
}

/// Closes the sandbox around the process, which has one thread, for good.
pub fn enter(plan: &Plan) -> Result<Report, SandboxError> {
    alone()?;
    let is_root = nix::unistd::geteuid().is_root();
    capability::drop_unneeded(is_root && plan.identity.is_some())?;
    if let Some(identity) = &plan.identity {
        identity.assume(is_root)?;
    }
    let can_reopen = capability::keep_net_raw_at_hand()?;
    let (files, missing) = file::confine(plan)?;
    syscall::restrict_process(plan.network)?;
    let user = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    Ok(Report { user, can_reopen, files, missing })
}

/// What a thread does first: it leaves signals to the main thread, and gives up every capability and
/// all system calls that its role does not need. `network` as in the [`Plan`].
///
/// Without [`enter`] before it, it works as well: the filter sets no_new_privs by itself.
pub fn enter_thread(role: Role, network: bool) -> Result<(), SandboxError> {
    leave_signals()?;
    capability::drop_all()?;
    syscall::restrict_thread(role, network)
}

/// A signal for the process goes to any thread that does not block it, and a thread that may not
/// write to a socket cannot wake the one that heeds it: the signal would be lost.
fn leave_signals() -> Result<(), SandboxError> {
    let signals: SigSet = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    signals.thread_block().map_err(step("leaving signals to the main thread"))
}

fn alone() -> Result<(), SandboxError> {
    let threads = fs::read_dir("/proc/self/task").map_err(step("looking for threads"))?.count();
    if threads == 1 { Ok(()) } else { Err(SandboxError::Threads(threads)) }
}

/// The folder that a path opens up: itself, or where the file is.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !path.is_dir() && !parent.as_os_str().is_empty() => parent,
        _ => path,
    }
}

/// For the log and the status line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (uid, gid) = self.user;
        write!(f, "user {uid}, group {gid}; system calls confined; {}", self.files)?;
        if uid == 0 {
            write!(f, "; still root: set a user")?;
        }
        if !self.can_reopen {
            write!(f, "; no CAP_NET_RAW: interfaces cannot be opened again")?;
        }
        for path in &self.missing {
            write!(f, "; {} is not there", path.display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_open_up_their_folders() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("eve.json");
        assert_eq!(folder(directory.path()), directory.path());
        assert_eq!(folder(&inside), directory.path(), "before it is there");
        fs::write(&inside, "").unwrap();
        assert_eq!(folder(&inside), directory.path());
        assert_eq!(folder(Path::new("eve.json")), Path::new("eve.json"));
        assert_eq!(folder(Path::new("/")), Path::new("/"));
    }

    #[test]
    fn a_process_with_threads_is_not_closed() {
        let waiting = std::thread::spawn(std::thread::park);
        let refused = enter(&Plan::default()).unwrap_err();
        waiting.thread().unpark();
        waiting.join().unwrap();
        assert!(matches!(refused, SandboxError::Threads(2..)), "{refused}");
    }

    #[test]
    fn a_report_tells_what_is_missing() {
        let mut report = Report {
            user: (990, 991),
            can_reopen: true,
            files: Confinement::Full,
            missing: Vec::new(),
        };
        assert_eq!(
            report.to_string(),
            "user 990, group 991; system calls confined; files confined"
        );
        report.can_reopen = false;
        report.files = Confinement::None;
        report.user = (0, 0);
        report.missing.push("/srv/rules".into());
        assert_eq!(
            report.to_string(),
            "user 0, group 0; system calls confined; files not confined, as this kernel has no \
             landlock; still root: set a user; no CAP_NET_RAW: interfaces cannot be opened again; /srv/rules is not there"
        );
    }
}
