//! A thread that writes cases, so that no capture thread waits for a disk.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use super::counters::{ArchiveCounters, Counters};
use super::{Case, Options, Writer};

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
    /// Starts the thread, which calls `begin` first. `failed` hears of a case that could not be
    /// written when the one before could.
    pub fn start(
        options: &Options,
        mut writer: Writer,
        begin: impl FnOnce() + Send + 'static,
        failed: impl Fn(&io::Error) + Send + 'static,
    ) -> io::Result<Self> {
        let counters = writer.shared_counters();
        let stop = Arc::new(AtomicBool::new(false));
        let (cases, waiting) = channel::<Case>();
        let (alive, ended) = sync_channel::<()>(0);
        let (shared, stopped) = (Arc::clone(&counters), Arc::clone(&stop));
        let thread = Builder::new().name("evidence".to_owned()).spawn(move || {
            begin();
            let mut well = true;
            for case in waiting {
                shared.waiting.fetch_sub(case.memory() as u64, Relaxed);
                if stopped.load(Relaxed) {
                    shared.dropped.fetch_add(1, Relaxed);
                    continue;
                }
                let written = writer.write(&case);
                if let (Err(error), true) = (&written, well) {
                    failed(error);
                }
                well = written.is_ok();
            }
            drop(alive);
        })?;
        let thread = Some((thread, Mutex::new(ended)));
        let limit = options.queue() as u64;
        Ok(Self { cases: Some(cases), limit, counters, stop, thread })
    }

    /// Hands over a case. Never waits: what there is no room for is dropped and counted.
    pub fn offer(&self, case: Case) {
        let octets = case.memory() as u64;
        let waiting = self.counters.waiting.fetch_add(octets, Relaxed);
        let has_room = waiting == 0 || waiting + octets <= self.limit;
        let sent = has_room && self.cases.as_ref().is_some_and(|cases| cases.send(case).is_ok());
        if !sent {
            self.counters.waiting.fetch_sub(octets, Relaxed);
            self.counters.dropped.fetch_add(1, Relaxed);
        }
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
