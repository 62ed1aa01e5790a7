//! A thread that writes cases, so that no capture thread waits for a disk.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::counters::{ArchiveCounters, Counters};
use super::{Case, Options, Writer};

/// How long nothing may fail until it is told that all is well again: whoever sends what cannot be
/// written is not to fill a log.
const CALM: Duration = Duration::from_secs(60);

/// How long a full queue is left alone.
const A_MOMENT: Duration = Duration::from_millis(1);

/// A running thread that writes cases.
#[derive(Debug)]
pub struct Archive {
    cases: Option<Sender<Case>>,
    /// Octets that may wait.
    limit: u64,
    counters: Arc<Counters>,
    /// Nothing more is written.
    stop: Arc<AtomicBool>,
    /// The thread, and what hangs up when it ends.
    thread: Option<(JoinHandle<()>, Mutex<Receiver<()>>)>,
}

impl Archive {
    /// Starts the thread once it has done something `first`, such as giving up rights; if that fails,
    /// it does not start. `changed` hears when cases cannot be written any more, and when they can
    /// again.
    pub fn start(
        options: &Options,
        writer: Writer,
        first: impl FnOnce() -> io::Result<()> + Send + 'static,
        changed: impl Fn(Result<(), &io::Error>) + Send + 'static,
    ) -> io::Result<Self> {
        let counters = writer.shared_counters();
        let stop = Arc::new(AtomicBool::new(false));
        let (cases, waiting) = channel::<Case>();
        let (alive, ended) = sync_channel::<()>(0);
        let (begin, begun) = sync_channel(1);
        let mut worker = Worker {
            writer,
            counters: Arc::clone(&counters),
            stop: Arc::clone(&stop),
            failed: None,
        };
        let thread = Builder::new().name("evidence".to_owned()).spawn(move || {
            let done = first();
            let goes_on = done.is_ok();
            let _ = begin.send(done); // whoever starts us waits for it
            if goes_on {
                worker.run(waiting, changed);
            }
            drop(alive);
        })?;
        begun.recv().unwrap_or_else(|_| Err(io::Error::other("its thread has ended")))?;
        let thread = Some((thread, Mutex::new(ended)));
        let limit = options.queue() as u64;
        Ok(Self { cases: Some(cases), limit, counters, stop, thread })
    }

    /// Hands over a case. Never waits: what there is no room for is dropped and counted.
    pub fn offer(&self, case: Case) {
        if self.refuse(case).is_some() {
            self.counters.dropped.fetch_add(1, Relaxed);
        }
    }

    /// The same at the end, when nothing is missed by waiting for room until `deadline`.
    pub fn offer_by(&self, case: Case, deadline: Instant) {
        let mut refused = self.refuse(case);
        while let Some(case) = refused {
            if Instant::now() >= deadline {
                self.counters.dropped.fetch_add(1, Relaxed);
                return;
            }
            thread::park_timeout(A_MOMENT);
            refused = self.refuse(case);
        }
    }

    /// Takes a case, or gives it back if there is no room.
    fn refuse(&self, case: Case) -> Option<Case> {
        let octets = case.memory() as u64;
        let waiting = self.counters.waiting.fetch_add(octets, Relaxed);
        let has_room = waiting == 0 || waiting + octets <= self.limit;
        let refused = match &self.cases {
            Some(cases) if has_room => cases.send(case).err().map(|refused| refused.0),
            _ => Some(case),
        };
        if refused.is_some() {
            self.counters.waiting.fetch_sub(octets, Relaxed);
        }
        refused
    }

    /// The counters as they are now.
    pub fn counters(&self) -> ArchiveCounters {
        self.counters.read()
    }

    /// Writes what waits, until `deadline`; what is left then is dropped. Returns at the deadline at
    /// the latest, and says whether the thread has ended: if not, it hangs in the disk.
    pub fn finish(mut self, deadline: Instant) -> (bool, ArchiveCounters) {
        self.cases = None;
        let in_time = self.thread.take().is_some_and(|(thread, ended)| {
            let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
            let left = deadline.saturating_duration_since(Instant::now());
            let hung_up = ended.recv_timeout(left) == Err(RecvTimeoutError::Disconnected);
            hung_up && thread.join().is_ok()
        });
        self.stop.store(true, Relaxed);
        (in_time, self.counters())
    }
}

impl Drop for Archive {
    /// Without [`finish`](Self::finish) the thread ends soon, and nobody waits for it.
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

/// What the thread works with.
struct Worker {
    writer: Writer,
    counters: Arc<Counters>,
    /// Nothing more is written.
    stop: Arc<AtomicBool>,
    /// When the last of those cases failed that were told of.
    failed: Option<Instant>,
}

impl Worker {
    /// Writes until there is nobody who offers.
    fn run(&mut self, cases: Receiver<Case>, changed: impl Fn(Result<(), &io::Error>)) {
        for case in cases {
            self.counters.waiting.fetch_sub(case.memory() as u64, Relaxed);
            if self.stop.load(Relaxed) {
                self.counters.dropped.fetch_add(1, Relaxed);
                continue;
            }
            match self.writer.write(&case) {
                Ok(()) if self.failed.is_some_and(|last| last.elapsed() >= CALM) => {
                    self.failed = None;
                    changed(Ok(()));
                }
                Ok(()) => {}
                Err(error) => {
                    if self.failed.replace(Instant::now()).is_none() {
                        changed(Err(&error));
                    }
                }
            }
        }
    }
}
