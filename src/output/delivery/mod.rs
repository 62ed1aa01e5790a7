//! Lines to whoever waits for them: files, sockets, syslog servers.
//!
//! ```text
//!                    ┌─▶ queue ─▶ thread ─▶ target: eve.json
//!  Arc<Chunk> ─offer─┤
//!                    └─▶ queue ─▶ thread ─▶ target: syslog over TCP
//!                                   │  ▲
//!                                   ▼  │
//!                                  spool: alerts that wait on disk
//! ```
//!
//! Each output is a [`Delivery`]: a bounded queue, a thread, a [`Target`], and a [`Spool`] where
//! there is one. They share nothing but the chunks, so that a full disk or a dead receiver stops
//! neither capture nor the other outputs.
//!
//! # What is kept and what is let go
//!
//! | when | records | alerts |
//! |-|-|-|
//! | the target takes lines | written | written |
//! | it is busy, or the queue more than half full | wait in the queue | go to the spool |
//! | it has failed | wait in the queue | go to the spool |
//! | the queue is full | dropped, counted | enter the queue's reserve, go to the spool |
//! | the reserve, or the spool, is full | | the newest, or the oldest, are let go, counted |
//! | the daemon ends before they are written | dropped, counted | go to the spool |
//!
//! Without a spool alerts wait in the queue and its reserve. The spool is written by the thread of
//! the output, never by whoever offers: a disk that hangs must not stall the others.
//!
//! Alerts that went through the spool come after younger ones: spool and queue are read in turns.
//! An alert may come twice, after a crash or a broken connection, and never comes half.
//!
//! # What "taken" means
//!
//! | target | a line is taken | and may still be lost |
//! |-|-|-|
//! | file | when `write` returned | by a power failure within seconds; alerts of the spool are synced first |
//! | Unix stream, TCP | when it is in the kernel's buffer | when the connection breaks: alerts of the last [`in_doubt`](Target::in_doubt) are written again |
//! | Unix datagram | when it is in the receiver's queue | when the receiver dies |
//! | UDP | when it was sent | by the network, silently |

mod backoff;
mod change;
mod chunk;
mod counters;
mod datagram;
mod file;
mod queue;
mod recent;
mod spool;
mod stream;
mod syslog;
mod target;
#[cfg(test)]
mod tests;
mod unix;
mod worker;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

pub use change::{Change, ChangeKind, Listener};
pub use chunk::{Chunk, Line, Lines};
pub use counters::DeliveryCounters;
pub use file::{FileOptions, FileTarget, Names, Rotation};
pub use spool::{Spool, Tally};
pub use syslog::{Facility, Syslog, SyslogOptions, UnknownFacility};
pub use target::{Failure, Target};
pub use unix::{UnixDatagramTarget, UnixStreamTarget};

use counters::Counters;
use queue::Queue;
use worker::Worker;

/// How much an output's queue holds, and how long it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Chunks.
    pub chunks: usize,
    /// Octets of all lines. A chunk counts in every queue that it is in.
    pub octets: usize,
    /// Octets of alerts beyond that, before the spool takes them.
    pub reserve: usize,
    /// A receiver that takes nothing for so long is taken for dead: the connection is made anew.
    pub stall: Duration,
}

impl Default for Limits {
    /// A second of a loaded 10 Gbit/s link's records, and of as many alerts as anybody will read.
    fn default() -> Self {
        Self {
            chunks: 4096,
            octets: 16 * 1024 * 1024,
            reserve: 4 * 1024 * 1024,
            stall: Duration::from_secs(10),
        }
    }
}

/// An output's name, limits, and who is told when its state changes.
#[derive(Clone)]
pub struct Options {
    /// What metrics and log lines call it.
    pub name: String,
    /// How much its queue holds.
    pub limits: Limits,
    /// Who is told when its state changes.
    pub listener: Listener,
}

/// A running output.
#[derive(Debug)]
pub struct Delivery {
    name: String,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    /// The thread, and what hangs up when it ends: behind a lock that nobody waits for, so that an
    /// output can be shared.
    thread: Option<(JoinHandle<()>, Mutex<Receiver<()>>)>,
}

/// How an output ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Whether its thread ended in time. If not, it hangs in the target or the spool, and what is
    /// in its queue is lost with the process.
    pub in_time: bool,
    /// The last counters.
    pub counters: DeliveryCounters,
}

impl Delivery {
    /// Starts the thread of an output. Sockets are opened when the first line comes, files and the
    /// spool are open already.
    pub fn start(
        options: Options,
        target: Box<dyn Target>,
        spool: Option<Spool>,
    ) -> io::Result<Self> {
        Self::start_after(|| Ok(()), options, target, spool)
    }

    /// The same once the new thread has done something first, such as giving up rights. If that
    /// fails, the output does not start.
    pub fn start_after(
        first: impl FnOnce() -> io::Result<()> + Send + 'static,
        options: Options,
        target: Box<dyn Target>,
        spool: Option<Spool>,
    ) -> io::Result<Self> {
        let counters = Arc::new(Counters::new());
        let queue = Arc::new(Queue::new(options.limits, Arc::clone(&counters)));
        let name = options.name.clone();
        let worker = Worker::new(options, target, spool, Arc::clone(&queue), Arc::clone(&counters));
        let (alive, ended) = sync_channel::<()>(0);
        let (begin, begun) = sync_channel(1);
        let thread = Builder::new().name(thread_name(&name)).spawn(move || {
            let done = first();
            let goes_on = done.is_ok();
            let _ = begin.send(done); // whoever starts us waits for it
            if goes_on {
                worker.run();
            }
            drop(alive);
        })?;
        begun.recv().unwrap_or_else(|_| Err(io::Error::other("its thread has ended")))?;
        Ok(Self { name, queue, counters, thread: Some((thread, Mutex::new(ended))) })
    }

    /// What metrics and log lines call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hands over a chunk. Never waits for the target: see the module for what happens when there
    /// is no room.
    pub fn offer(&self, chunk: &Arc<Chunk>) {
        self.queue.offer(chunk);
    }

    /// Waits until the queue has room for so many octets; whether it has. Waits at most so long for
    /// the target to take anything, and never beyond `until`.
    pub fn wait_for_room(&self, octets: usize, patience: Duration, until: Instant) -> bool {
        self.queue.wait_for_room(octets, patience, until)
    }

    /// The counters as they are now.
    pub fn counters(&self) -> DeliveryCounters {
        self.counters.read()
    }

    /// Opens the file anew (after logrotate has renamed it), or makes a new connection; a target
    /// that failed is tried at once. Does not wait for it.
    pub fn reopen(&self) {
        self.queue.reopen();
    }

    /// Writes what is in the queue, then ends. What is not written shortly before `deadline` goes to
    /// the spool (alerts) or is dropped and counted. Returns at the deadline at the latest.
    ///
    /// To end several outputs, tell all of them first: [`ask_to_finish`](Self::ask_to_finish).
    pub fn finish(mut self, deadline: Instant) -> Finished {
        self.ask_to_finish(deadline);
        let in_time = self.thread.take().is_some_and(|(thread, ended)| {
            let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
            let left = deadline.saturating_duration_since(Instant::now());
            let hung_up = ended.recv_timeout(left) == Err(RecvTimeoutError::Disconnected);
            hung_up && thread.join().is_ok()
        });
        Finished { in_time, counters: self.counters() }
    }

    /// Tells the thread to write what is in the queue until `deadline` and then to end, without
    /// waiting for it.
    pub fn ask_to_finish(&self, deadline: Instant) {
        self.queue.finish(deadline);
    }
}

impl Drop for Delivery {
    /// Without [`finish`](Self::finish) the thread ends soon, and nobody waits for it.
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.queue.finish(Instant::now());
        }
    }
}

/// Linux shows 15 octets.
fn thread_name(output: &str) -> String {
    let printable = output.chars().filter(char::is_ascii_graphic);
    "out-".chars().chain(printable).take(15).collect()
}
