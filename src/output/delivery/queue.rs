//! The bounded queue between whoever offers chunks and the thread of the output.
//!
//! A lock is held for a few instructions only, never while something is written: that is why
//! [`Queue::offer`] does not block.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::chunk::Count;
use super::counters::{Counters, add, set};
use super::{Chunk, Limits};

#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    /// Something came in, or a command.
    wake: Condvar,
    /// Something was taken out.
    taken: Condvar,
    limits: Limits,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Inner {
    // Only the output's thread takes chunks away or exchanges them; others add at the back.
    chunks: VecDeque<Arc<Chunk>>,
    octets: usize,
    /// How many chunks came in, ever.
    offers: u64,
    /// Lines were dropped since the thread asked last.
    overflowed: bool,
    /// Alerts were among them.
    lost: bool,
    reopen: bool,
    /// Until when to finish.
    finish: Option<Instant>,
}

/// What the output's thread finds when it looks.
#[derive(Debug)]
pub(super) struct Seen {
    /// How many chunks had come in.
    pub(super) offers: u64,
    /// The queue is more than half full, or was full.
    pub(super) pressed: bool,
    pub(super) overflowed: bool,
    pub(super) lost: bool,
    pub(super) reopen: bool,
    pub(super) finish: Option<Instant>,
}

impl Queue {
    pub(super) fn new(limits: Limits, counters: Arc<Counters>) -> Self {
        Self {
            inner: Mutex::default(),
            wake: Condvar::new(),
            taken: Condvar::new(),
            limits,
            counters,
        }
    }

    /// Takes a chunk. When there is no room for it, only its alerts, which have a reserve of their
    /// own, and when that is used up too, nothing.
    pub(super) fn offer(&self, chunk: &Arc<Chunk>) {
        if chunk.is_empty() {
            return;
        }
        let Count { alerts, records } = chunk.count(0);
        add(&self.counters.offered_lines, alerts + records);
        let mut inner = self.lock();
        if inner.has_room(chunk.len(), &self.limits) {
            inner.push(Arc::clone(chunk));
        } else {
            inner.overflowed = true;
            add(&self.counters.dropped_records, records);
            self.offer_alerts(&mut inner, chunk, alerts);
        }
        self.show(&inner);
        drop(inner);
        self.wake.notify_one();
    }

    fn offer_alerts(&self, inner: &mut Inner, chunk: &Chunk, alerts: u64) {
        if alerts == 0 {
            return;
        }
        let chunk = chunk.only(true, 0);
        if inner.octets + chunk.len() <= self.limits.octets + self.limits.reserve {
            inner.push(chunk.into());
        } else {
            inner.lost = true;
            add(&self.counters.lost_alerts, alerts);
        }
    }

    pub(super) fn reopen(&self) {
        self.lock().reopen = true;
        self.wake.notify_one();
    }

    pub(super) fn finish(&self, until: Instant) {
        self.lock().finish = Some(until);
        self.wake.notify_one();
    }

    /// Waits until there is a chunk or a command, at most until `until`. Whoever can do nothing with
    /// the chunks that it `knows` waits for more than those.
    pub(super) fn wait(&self, until: Option<Instant>, knows: Option<u64>) -> Seen {
        let mut inner = self.lock();
        while inner.is_quiet(knows) {
            let Some(until) = until else {
                inner = self.wake.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.wake.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        self.seen(&mut inner)
    }

    /// What there is, without waiting.
    pub(super) fn look(&self) -> Seen {
        self.seen(&mut self.lock())
    }

    fn seen(&self, inner: &mut Inner) -> Seen {
        let overflowed = std::mem::take(&mut inner.overflowed);
        Seen {
            offers: inner.offers,
            pressed: overflowed || inner.octets > self.limits.octets / 2,
            overflowed,
            lost: std::mem::take(&mut inner.lost),
            reopen: std::mem::take(&mut inner.reopen),
            finish: inner.finish,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().chunks.is_empty()
    }

    /// Takes the oldest chunk away.
    pub(super) fn pop(&self) -> Option<Arc<Chunk>> {
        let mut inner = self.lock();
        let chunk = inner.chunks.pop_front()?;
        inner.octets -= chunk.len();
        self.show(&inner);
        drop(inner);
        self.taken.notify_all();
        Some(chunk)
    }

    /// Waits until a chunk of so many octets has room; whether it has. Gives up at `until`, or when
    /// nothing was taken out for so long.
    pub(super) fn wait_for_room(&self, octets: usize, patience: Duration, until: Instant) -> bool {
        let mut inner = self.lock();
        while !inner.has_room(octets, &self.limits) {
            let left = until.saturating_duration_since(Instant::now()).min(patience);
            let waited = self.taken.wait_timeout(inner, left);
            let (next, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            inner = next;
            if timeout.timed_out() {
                return inner.has_room(octets, &self.limits);
            }
        }
        true
    }

    /// Puts a chunk back to the front, over the limits if need be: there is one at most that is being
    /// written, and one of alerts in doubt.
    pub(super) fn put_back(&self, chunk: Arc<Chunk>) {
        if chunk.is_empty() {
            return;
        }
        let mut inner = self.lock();
        inner.octets += chunk.len();
        inner.chunks.push_front(chunk);
        self.show(&inner);
    }

    /// The chunks with alerts in them, oldest first, with their places.
    pub(super) fn with_alerts(&self) -> Vec<(usize, Arc<Chunk>)> {
        let inner = self.lock();
        let chunks = inner.chunks.iter().enumerate();
        chunks.filter(|(_, chunk)| chunk.has_alerts()).map(|(at, c)| (at, Arc::clone(c))).collect()
    }

    /// Exchanges the chunks at these places for what is left of them. For the thread that asked for
    /// them, before it pops.
    pub(super) fn exchange(&self, chunks: Vec<(usize, Arc<Chunk>)>) {
        let mut inner = self.lock();
        for (place, rest) in chunks {
            let Some(chunk) = inner.chunks.get_mut(place) else { continue };
            let less = chunk.len() - rest.len();
            *chunk = rest;
            inner.octets -= less;
        }
        inner.chunks.retain(|chunk| !chunk.is_empty());
        self.show(&inner);
    }

    fn show(&self, inner: &Inner) {
        set(&self.counters.queue_chunks, inner.chunks.len() as u64);
        set(&self.counters.queue_octets, inner.octets as u64);
    }

    /// A thread that panicked while it held the lock left the queue whole: it only counts and
    /// moves there.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// A chunk that is larger than the whole queue finds room in an empty one.
    fn has_room(&self, octets: usize, limits: &Limits) -> bool {
        self.chunks.is_empty()
            || (self.chunks.len() < limits.chunks && self.octets + octets <= limits.octets)
    }

    fn push(&mut self, chunk: Arc<Chunk>) {
        self.offers += 1;
        self.octets += chunk.len();
        self.chunks.push_back(chunk);
    }

    fn is_quiet(&self, knows: Option<u64>) -> bool {
        let nothing_new = knows.map_or(self.chunks.is_empty(), |offers| offers == self.offers);
        nothing_new && !self.reopen && self.finish.is_none()
    }
}
