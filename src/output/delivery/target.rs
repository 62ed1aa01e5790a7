//! What every place that lines can go to has in common.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use super::Lines;

/// How long a target waits for a receiver that is busy before it returns, so that the thread can
/// look after its queue.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// Where lines go. Lives in the thread of its [`Delivery`](super::Delivery), which decides when to
/// try again; a target only tries.
pub trait Target: Send + Debug {
    /// Writes lines and takes those that are written. Makes a connection first where there is
    /// none. Returns within a fraction of a second, whatever the receiver does, except that a file
    /// waits for its disk.
    ///
    /// After [`Failure::Busy`] the same lines come again, from the first one that is not taken. After
    /// [`Failure::Broken`] or [`close`](Self::close) others may come.
    fn write(&mut self, lines: &mut Lines) -> Result<(), Failure>;

    /// Makes what was taken outlive a power failure, where the target can do so.
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Opens its file anew, which was renamed, or makes a new connection.
    fn reopen(&mut self) -> io::Result<()> {
        self.close();
        Ok(())
    }

    /// Gives up the connection, and the line that is written half.
    fn close(&mut self) {}

    /// What went wrong beside the writing of lines since this was asked last, for example when a
    /// file was to be rotated.
    fn trouble(&mut self) -> Option<io::Error> {
        None
    }

    /// How long a line may still be lost after it was taken, when the connection breaks. Alerts
    /// are written again when it breaks within this time.
    fn in_doubt(&self) -> Duration {
        Duration::ZERO
    }
}

/// Why not all lines were taken.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The receiver takes nothing at the moment.
    #[error("the receiver is busy")]
    Busy,
    /// The receiver cannot be reached, or the disk is full: worth a try later.
    #[error(transparent)]
    Broken(#[from] io::Error),
}

impl Failure {
    /// What an error of a socket with a time limit means.
    pub(super) fn of_socket(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {
                Self::Busy
            }
            _ => Self::Broken(error),
        }
    }
}
