//! The thread of an output.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::counters::{Counters, add, set};
use super::queue::{Queue, Seen};
use super::recent::Recent;
use super::{Change, ChangeKind, Chunk, Failure, Lines, Options, Spool, Target};

/// What went wrong is over when it has not happened for so long. UDP fails at every other datagram
/// when nobody listens, and a receiver that is a little too slow lets a queue fill up time and again:
/// that should not be told each time.
const PROBATION: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    options: Options,
    target: Box<dyn Target>,
    spool: Option<Spool>,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    /// What is being written. Finished before anything else is begun, unless the target breaks.
    current: Option<Current>,
    /// Whether the spool was read before the queue: they take turns.
    spool_came_first: bool,
    health: Health,
    backoff: Backoff,
    /// Since when the receiver takes nothing.
    busy_since: Option<Instant>,
    recent: Recent,
    spool_failed: bool,
    /// Alerts that the spool has let go when this was last asked.
    spool_told: u64,
    /// It was told to be full.
    spool_full: bool,
    spool_backoff: Backoff,
    /// When lines were dropped last, until that is over.
    dropping: Option<Instant>,
    /// Alerts among them were told.
    losing: bool,
}

struct Current {
    lines: Lines,
    from_spool: bool,
}

/// How the target does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    Failed,
    /// It takes lines since then, after it had failed.
    Probation(Instant),
}

impl Worker {
    pub(super) fn new(
        options: Options,
        target: Box<dyn Target>,
        spool: Option<Spool>,
        queue: Arc<Queue>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            options,
            target,
            spool,
            queue,
            counters,
            current: None,
            spool_came_first: false,
            health: Health::Well,
            backoff: Backoff::default(),
            busy_since: None,
            recent: Recent::default(),
            spool_failed: false,
            spool_told: 0,
            spool_full: false,
            spool_backoff: Backoff::default(),
            dropping: None,
            losing: false,
        }
    }

    /// Runs until it is told to finish.
    pub(super) fn run(mut self) {
        self.show_spool();
        let mut seen = self.queue.look();
        loop {
            if let Some(deadline) = seen.finish {
                return self.finish(deadline);
            }
            if seen.reopen {
                self.reopen();
            }
            self.step(&seen);
            seen = self.wait(&seen);
        }
    }

    /// Waits until there is something to do.
    fn wait(&self, seen: &Seen) -> Seen {
        let now = Instant::now();
        let spool = self.spool_waits_at(now);
        let timers = [self.backoff.waits_at(now), spool, self.probation_ends(), self.calm_at(now)];
        let first = timers.into_iter().flatten().min();
        if self.backoff.waits_at(now).is_some() {
            // Nothing can be written, but new alerts are to be sheltered.
            return self.queue.wait(first, Some(seen.offers));
        }
        let spool_has_some = self.spool.as_ref().is_some_and(|spool| !spool.is_empty());
        if self.current.is_some() || (spool_has_some && spool.is_none()) {
            return self.queue.look();
        }
        self.queue.wait(first, None)
    }

    fn step(&mut self, seen: &Seen) {
        self.tell_of_drops(seen);
        let in_need = self.health == Health::Failed || self.busy_since.is_some() || seen.pressed;
        if in_need && self.spool_waits_at(Instant::now()).is_none() {
            self.shelter();
        }
        if self.backoff.waits_at(Instant::now()).is_none() {
            self.deliver();
        }
        if self.probation_ends().is_some_and(|end| end <= Instant::now()) {
            self.recovered();
        }
        self.tell_of_calm();
        self.tell_of_spool();
        self.show_spool();
    }

    /// Lets the target write a part of what waits.
    fn deliver(&mut self) {
        let Some(mut current) = self.current.take().or_else(|| self.next()) else { return };
        let from = current.lines.position();
        let refused = current.lines.too_long();
        let result = self.target.write(&mut current.lines);
        let now = Instant::now();
        let result = self.account(&current, from, refused, now).and(result);
        let advanced = current.lines.position() > from;
        if !current.lines.is_empty() {
            self.current = Some(current);
        }
        if let Some(trouble) = self.target.trouble() {
            add(&self.counters.errors, 1);
            self.tell(ChangeKind::Trouble(trouble.to_string()));
        }
        match result {
            Err(Failure::Broken(error)) => self.broken(&error, now),
            _ if advanced => self.advanced(now),
            _ => self.busy(now),
        }
    }

    /// The next lines, from the spool and from the queue in turns.
    fn next(&mut self) -> Option<Current> {
        self.spool_came_first = !self.spool_came_first;
        if self.spool_came_first {
            self.next_of_spool().or_else(|| self.next_of_queue())
        } else {
            self.next_of_queue().or_else(|| self.next_of_spool())
        }
    }

    fn next_of_queue(&self) -> Option<Current> {
        Some(Current { lines: Lines::new(self.queue.pop()?), from_spool: false })
    }

    fn next_of_spool(&mut self) -> Option<Current> {
        if self.spool_waits_at(Instant::now()).is_some() {
            return None;
        }
        let read = self.spool.as_mut()?.read();
        let lines = self.spool_result(read)??;
        Some(Current { lines, from_spool: true })
    }

    /// Counts the lines that the target took, and tells the spool of its own.
    fn account(
        &mut self,
        current: &Current,
        from: usize,
        refused_before: (u64, u64),
        now: Instant,
    ) -> Result<(), Failure> {
        let lines = &current.lines;
        let taken = lines.position() - from;
        if taken == 0 {
            return Ok(());
        }
        let (refused, refused_octets) = lines.too_long();
        let too_long = refused - refused_before.0;
        add(&self.counters.too_long, too_long);
        add(&self.counters.written_lines, taken as u64 - too_long);
        let octets = lines.octets_between(from, lines.position()) as u64;
        add(&self.counters.written_octets, octets - (refused_octets - refused_before.1));
        let window = self.target.in_doubt();
        if !window.is_zero() {
            self.recent.forget(window, now);
            self.recent.note(lines, from, now);
        }
        if current.from_spool {
            self.target.sync()?;
            let noted = self.spool.as_mut().map_or(Ok(()), |spool| spool.taken(taken));
            self.spool_result(noted);
        }
        Ok(())
    }

    fn advanced(&mut self, now: Instant) {
        self.busy_since = None;
        if self.health == Health::Failed {
            self.health = Health::Probation(now);
        }
    }

    fn busy(&mut self, now: Instant) {
        let since = *self.busy_since.get_or_insert(now);
        let stall = self.options.limits.stall;
        if now.saturating_duration_since(since) >= stall {
            let error = format!("the receiver has taken nothing for {} s", stall.as_secs());
            self.broken(&io::Error::new(io::ErrorKind::TimedOut, error), now);
        }
    }

    /// The target failed: what it did not take for sure waits again.
    fn broken(&mut self, error: &io::Error, now: Instant) {
        self.target.close();
        self.busy_since = None;
        self.give_up_current();
        self.recent.forget(self.target.in_doubt(), now);
        self.queue.put_back(self.recent.drain().into());
        self.backoff.failed(now);
        add(&self.counters.errors, 1);
        self.counters.well.store(false, Relaxed);
        if self.health == Health::Well {
            self.tell(ChangeKind::Failed(error.to_string()));
        }
        self.health = Health::Failed;
        // At once: nobody knows how long it will last, and what follows.
        if self.spool_waits_at(now).is_none() {
            self.shelter();
        }
    }

    fn recovered(&mut self) {
        self.health = Health::Well;
        self.backoff.reset();
        add(&self.counters.reconnects, 1);
        self.counters.well.store(true, Relaxed);
        self.tell(ChangeKind::Recovered);
    }

    fn probation_ends(&self) -> Option<Instant> {
        match self.health {
            Health::Probation(since) => Some(since + PROBATION),
            _ => None,
        }
    }

    fn give_up_current(&mut self) {
        let Some(Current { lines, from_spool }) = self.current.take() else { return };
        if from_spool || lines.is_empty() {
            return; // the spool has them
        }
        if lines.position() == 0 {
            return self.queue.put_back(Arc::clone(lines.chunk()));
        }
        let mut rest = Chunk::with_capacity(lines.octets().len());
        for (line, alert) in lines.iter() {
            rest.push(line, alert);
        }
        self.queue.put_back(rest.into());
    }

    /// Brings the alerts of the queue into the spool.
    fn shelter(&mut self) {
        let Some(spool) = &mut self.spool else { return };
        let waiting = self.queue.with_alerts();
        if waiting.is_empty() {
            return;
        }
        let mut sheltered = Vec::with_capacity(waiting.len());
        let mut alerts = 0;
        let mut result = Ok(());
        for (place, chunk) in waiting {
            result = spool.append(&chunk);
            if result.is_err() {
                break;
            }
            alerts += chunk.count(0).alerts;
            sheltered.push((place, chunk.only(false, 0).into()));
        }
        match spool.commit() {
            Ok(()) => {
                self.queue.exchange(sheltered);
                add(&self.counters.spooled_alerts, alerts);
            }
            Err(error) => result = result.and(Err(error)),
        }
        // Reading alone proves nothing: a full disk can be read.
        if self.spool_result(result).is_some() && std::mem::take(&mut self.spool_failed) {
            self.spool_backoff.reset();
            self.tell(ChangeKind::SpoolRecovered);
        }
    }

    /// Notes it when the spool fails.
    fn spool_result<T>(&mut self, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                add(&self.counters.errors, 1);
                self.spool_backoff.failed(Instant::now());
                if !std::mem::replace(&mut self.spool_failed, true) {
                    self.tell(ChangeKind::SpoolFailed(error.to_string()));
                }
                None
            }
        }
    }

    /// Until when the spool is left alone.
    fn spool_waits_at(&self, now: Instant) -> Option<Instant> {
        self.spool_backoff.waits_at(now)
    }

    fn show_spool(&self) {
        let Some(spool) = &self.spool else { return };
        set(&self.counters.spool_octets, spool.octets());
        set(&self.counters.spool_dropped_alerts, spool.tally().dropped);
        set(&self.counters.spool_damages, spool.tally().damages);
    }

    fn reopen(&mut self) {
        self.give_up_current();
        self.busy_since = None;
        self.backoff.hurry();
        if let Err(error) = self.target.reopen() {
            add(&self.counters.errors, 1);
            self.tell(ChangeKind::Trouble(error.to_string()));
        }
    }

    fn tell_of_drops(&mut self, seen: &Seen) {
        if seen.overflowed && self.dropping.replace(Instant::now()).is_none() {
            self.tell(ChangeKind::Dropping);
        }
        if seen.lost && !std::mem::replace(&mut self.losing, true) {
            self.tell(ChangeKind::Losing);
        }
    }

    fn tell_of_spool(&mut self) {
        let Some(spool) = &self.spool else { return };
        let (let_go, is_empty) = (spool.tally().dropped, spool.is_empty());
        let told = self.spool_told;
        self.spool_told = let_go;
        if let_go > told && !std::mem::replace(&mut self.spool_full, true) {
            self.tell(ChangeKind::SpoolFull);
        }
        if is_empty && std::mem::take(&mut self.spool_full) {
            self.tell(ChangeKind::SpoolEmptied(let_go));
        }
    }

    /// Nothing is dropped any more when the queue is empty and was not full for a while.
    fn tell_of_calm(&mut self) {
        let is_over = self.dropping.is_some() && self.calm_at(Instant::now()).is_none();
        if is_over && self.queue.is_empty() {
            self.dropping = None;
            self.losing = false;
            self.tell(ChangeKind::DroppingEnded);
        }
    }

    /// When dropping may be over, when that lies after `now`.
    fn calm_at(&self, now: Instant) -> Option<Instant> {
        self.dropping.map(|last| last + PROBATION).filter(|end| *end > now)
    }

    fn tell(&self, kind: ChangeKind) {
        (self.options.listener)(&Change { output: self.options.name.clone(), kind });
    }

    /// Writes what is in the queue while there is time, and leaves the rest in good order. A
    /// quarter of the time is kept for the spool.
    fn finish(mut self, deadline: Instant) {
        let start = Instant::now();
        let until = start + deadline.saturating_duration_since(start).mul_f64(0.75);
        while self.health != Health::Failed && Instant::now() < until {
            if self.current.is_none() {
                self.current = self.next_of_queue();
            }
            if self.current.is_none() {
                break;
            }
            self.deliver();
        }
        self.give_up_current();
        if let Err(error) = self.target.sync() {
            add(&self.counters.errors, 1);
            self.tell(ChangeKind::Trouble(error.to_string()));
        }
        self.target.close();
        self.shelter();
        while let Some(chunk) = self.queue.pop() {
            let left = chunk.count(0);
            add(&self.counters.unfinished_records, left.records);
            add(&self.counters.lost_alerts, left.alerts);
        }
        self.show_spool();
    }
}
