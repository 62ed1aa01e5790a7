//! What an operator should know about an output: told when it changes, never for each line.

use std::fmt;
use std::sync::Arc;

/// The state of an output has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The output, as [`Options::name`](super::Options::name) has it.
    pub output: String,
    /// How it changed.
    pub kind: ChangeKind,
}

/// How the state of an output changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    /// The target takes nothing any more, for this reason.
    Failed(String),
    /// The target takes lines again.
    Recovered,
    /// The spool cannot be written or read.
    SpoolFailed(String),
    /// The spool works again.
    SpoolRecovered,
    /// The spool is full: its oldest alerts are let go from now on.
    SpoolFull,
    /// The spool is empty again; so many alerts were let go since the start.
    SpoolEmptied(u64),
    /// Lines are dropped from now on, as the queue is full.
    Dropping,
    /// Alerts are lost too: they come faster than the spool takes them.
    Losing,
    /// No line is dropped any more.
    DroppingEnded,
    /// Something beside the writing went wrong, such as a rotation.
    Trouble(String),
}

impl ChangeKind {
    /// Whether things went worse.
    pub fn is_bad(&self) -> bool {
        !matches!(
            self,
            Self::Recovered | Self::SpoolRecovered | Self::SpoolEmptied(_) | Self::DroppingEnded
        )
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "output {}: ", self.output)?;
        match &self.kind {
            ChangeKind::Failed(reason) => write!(f, "cannot be written: {reason}"),
            ChangeKind::Recovered => write!(f, "is written again"),
            ChangeKind::SpoolFailed(reason) => write!(f, "its spool fails: {reason}"),
            ChangeKind::SpoolRecovered => write!(f, "its spool works again"),
            ChangeKind::SpoolFull => write!(f, "its spool is full, the oldest alerts are let go"),
            ChangeKind::SpoolEmptied(lost) => {
                write!(f, "its spool is empty again; {lost} alerts were let go since the start")
            }
            ChangeKind::Dropping => write!(f, "is too slow, lines that are no alerts are dropped"),
            ChangeKind::Losing => {
                write!(f, "alerts are lost: they come faster than file and spool take them")
            }
            ChangeKind::DroppingEnded => write!(f, "keeps up again, nothing is dropped any more"),
            ChangeKind::Trouble(reason) => write!(f, "{reason}"),
        }
    }
}

/// Who is told of changes: called by the output's thread, so it should not wait.
pub type Listener = Arc<dyn Fn(&Change) + Send + Sync>;
