//! A capture thread: rings, an engine, and lines for the collector. Nobody shares anything with it;
//! who wants something of it asks, and it answers between two blocks of frames.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{mpsc::UnboundedSender, oneshot};
use uuid::Uuid;

use super::lines::{Batch, LineSink, Lost};
use crate::capture::live::{self, Duplicates, LinkState, Live, Ring, Statistics};
use crate::engine::{Engine, Place, Sink, Stats};
use crate::event::{Context, Event, Schema, SensorRecord, Sight};
use crate::flow::Side;
use crate::inventory::Inventory;
use crate::output::evidence::KeeperCounters;
use crate::output::{Formatter, Types};
use crate::packet::Frame;
use crate::protocol::{Configured, Fact, Protocol};
use crate::rule::{Hits, RuleSet};
use crate::time::Timestamp;

/// How often the counters are shown to others.
const PUBLISH: Duration = Duration::from_millis(200);

/// How often flows are looked at for what only all of them tell.
const SURVEY: Duration = Duration::from_secs(10);

/// How long frames that came before the word to stop may take: the daemon is to end in two seconds.
const LAST_FRAMES: Duration = Duration::from_millis(600);

/// How long it is waited for the next of them.
const A_MOMENT: Duration = Duration::from_millis(2);

/// A clock that goes back further than this was set.
const SET_BACK: Duration = Duration::from_secs(1);

/// Flows that are looked at for one answer: a glance that capture does not feel.
const GLANCE: usize = 20_000;

/// What others want of a capture thread.
#[derive(Debug)]
pub(super) enum Request {
    /// These rules are in force from now on. The sender goes when they are.
    Rules(Arc<RuleSet>, Sender<Infallible>),
    /// This is configured of servers, for connections that begin from now on.
    Protocols(Arc<Configured>),
    /// Whether somebody keeps the clock in step.
    Clock(bool),
    /// The interface of this ring is there again.
    Ring(Box<Ring>),
    /// Records of flows that go on, at most so many, one a line.
    Flows(usize, oneshot::Sender<Vec<u8>>),
    /// What is known of servers.
    Servers(oneshot::Sender<Inventory>),
    /// The counters of all threads, so many seconds after the start: to be written.
    Stats(Box<Stats>, u64),
    /// Something that the sensor says of itself, of an interface if there is one.
    Tell(SensorRecord, Option<String>),
    /// End; until then outputs may be waited for.
    Stop(Instant),
}

/// What a capture thread says of its own accord.
#[derive(Debug)]
pub(super) enum Report {
    /// The thread of this number was told all frames of an interface that is gone.
    Gone { thread: usize, interface: String },
    /// The thread cannot go on.
    Failed { thread: usize, reason: String },
}

/// What a capture thread shows of itself.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// Moves with every turn, frames or not: for the watchdog.
    pub(super) moved: AtomicU64,
    snapshot: Mutex<Snapshot>,
}

/// Counters of a capture thread, all of one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    pub(super) stats: Stats,
    /// The rules that `stats.alerts` counts.
    pub(super) rules: Arc<RuleSet>,
    /// Alerts of rules in earlier sets.
    pub(super) former: HashMap<Uuid, u64>,
    pub(super) links: Vec<Link>,
    pub(super) lost: Lost,
    pub(super) evidence: KeeperCounters,
    /// Processor time of the thread.
    pub(super) busy: Duration,
    /// TCP connections of which one direction is seen only.
    pub(super) one_sided: u64,
}

/// Counters of an interface.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) interface: String,
    pub(super) statistics: Statistics,
    pub(super) state: LinkState,
    pub(super) duplicates: u64,
    pub(super) reopened: u64,
    pub(super) last_packet: Timestamp,
}

impl Link {
    /// One that no thread captures from.
    pub(super) fn missing(interface: &str) -> Self {
        Self {
            interface: interface.to_owned(),
            statistics: Statistics::default(),
            state: LinkState::Gone,
            duplicates: 0,
            reopened: 0,
            last_packet: Timestamp::ZERO,
        }
    }
}

impl Published {
    /// The counters as they were a moment ago.
    pub(super) fn snapshot(&self) -> Snapshot {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, snapshot: Snapshot) {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}

/// What a capture thread works with.
pub(super) struct Parts {
    pub(super) thread: usize,
    pub(super) live: Live,
    pub(super) engine: Engine,
    pub(super) sink: LineSink,
    pub(super) duplicates: Option<Duplicates>,
    /// How long to wait for frames before the collector hears that there are none.
    pub(super) pause: Duration,
    pub(super) rules: Arc<RuleSet>,
    pub(super) sensor: Option<String>,
    pub(super) requests: Receiver<Request>,
    pub(super) batches: SyncSender<(usize, Batch)>,
    pub(super) reports: UnboundedSender<Report>,
    pub(super) published: Arc<Published>,
}

/// A capture thread.
pub(super) struct Watch {
    parts: Parts,
    watermark: Timestamp,
    published: Instant,
    surveyed: Instant,
    one_sided: u64,
    /// By place.
    seen: Vec<Seen>,
    /// Rings for places whose interface is not known to be gone yet: others saw it first.
    waiting: Vec<Ring>,
    former: HashMap<Uuid, u64>,
}

/// What came to a place.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    last_packet: Timestamp,
    duplicates: u64,
}

/// Until when to end.
type Deadline = Instant;

impl Watch {
    /// Shows its counters at once, so that nobody finds a thread that has none.
    pub(super) fn new(parts: Parts) -> Self {
        let now = Instant::now();
        let mut watch = Self {
            seen: vec![Seen::default(); parts.live.places()],
            parts,
            watermark: Timestamp::ZERO,
            published: now,
            surveyed: now,
            one_sided: 0,
            waiting: Vec::new(),
            former: HashMap::new(),
        };
        watch.publish();
        watch
    }

    /// Watches until it is told to stop.
    pub(super) fn run(mut self) {
        if let Err(error) = self.watch() {
            let report = Report::Failed { thread: self.parts.thread, reason: error.to_string() };
            let _ = self.parts.reports.send(report); // nobody is left to tell
        }
        // Whoever waits for lines and packets need not wait for the kernel to take its rings back.
        let Parts { sink, batches, live, .. } = self.parts;
        drop((sink, batches));
        drop(live);
    }

    fn watch(&mut self) -> Result<(), live::Error> {
        // The engine takes the first frame's time for what it is.
        self.parts.engine.tick(now(), &mut self.parts.sink);
        let deadline = loop {
            match self.parts.requests.try_recv() {
                Ok(Request::Stop(deadline)) => break deadline,
                Ok(request) => self.answer(request),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => break Instant::now(),
            }
            self.turn(self.parts.pause)?;
        };
        self.finish(deadline)
    }

    /// Handles what came before the word to stop, and tells of the flows that go on.
    fn finish(&mut self, deadline: Deadline) -> Result<(), live::Error> {
        // What came before is still in the rings; more may come without an end.
        let (told, begun) = (now(), Instant::now());
        while self.watermark < told && begun.elapsed() < LAST_FRAMES {
            self.turn(A_MOMENT)?;
        }
        // Who gives up on us learns how many flows there were.
        self.publish();
        let before = self.parts.sink.lost.records;
        let Parts { engine, sink, batches, thread, .. } = &mut self.parts;
        let mut last =
            LastLines { sink, batches, thread: *thread, deadline, events: 0, late: false };
        engine.finish(&mut last);
        let lost = last.sink.lost.records - before;
        if lost > 0 {
            let record = SensorRecord { event: Sight::RecordsDropped, count: Some(lost) };
            let context = Context::at(told);
            engine.tell(&context, &record, last.sink);
        }
        last.hand_over();
        sink.finish(deadline);
        self.publish();
        Ok(())
    }

    /// Handles about a block of frames.
    fn turn(&mut self, pause: Duration) -> Result<(), live::Error> {
        let Parts { live, engine, sink, duplicates, .. } = &mut self.parts;
        let seen = &mut self.seen;
        let turn = live.turn(pause, |place, frame| {
            let is_copy = duplicates.as_mut().is_some_and(|seen| seen.is_duplicate(&frame));
            if let Some(seen) = seen.get_mut(place) {
                seen.last_packet = frame.timestamp;
                seen.duplicates += u64::from(is_copy);
            }
            if !is_copy {
                engine.handle(&frame, sink);
            }
        })?;
        self.parts.published.moved.fetch_add(1, Ordering::Relaxed);
        if turn.watermark + SET_BACK < self.watermark {
            self.parts.sink.set_back(turn.watermark);
        }
        self.watermark = turn.watermark;
        if turn.frames == 0 {
            self.parts.engine.tick(turn.watermark, &mut self.parts.sink);
        }
        self.parts.sink.tick(turn.watermark);
        self.hand_over();
        for ring in std::mem::take(&mut self.waiting) {
            self.put(ring);
        }
        if turn.change.is_some() || self.published.elapsed() >= PUBLISH {
            self.publish();
        }
        if let Some((place, LinkState::Gone)) = turn.change {
            self.tell_gone(place);
        }
        Ok(())
    }

    fn tell_gone(&self, place: usize) {
        let Some(interface) = self.parts.live.interface(place) else { return };
        let report = Report::Gone { thread: self.parts.thread, interface: interface.to_owned() };
        let _ = self.parts.reports.send(report); // nobody looks for it once all ends
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Rules(rules, _taken) => self.take_rules(rules),
            Request::Protocols(configured) => self.parts.engine.configure(&configured),
            Request::Clock(trusted) => self.parts.engine.trust_clock(trusted),
            Request::Ring(ring) => self.put(*ring),
            Request::Flows(most, reply) => {
                let _ = reply.send(self.flows(most)); // who asked may be gone
            }
            Request::Servers(reply) => {
                let _ = reply.send(self.servers()); // the same
            }
            Request::Stats(stats, uptime) => {
                self.parts.sink.stats(self.watermark, uptime, &stats);
            }
            Request::Tell(record, interface) => self.tell(&record, interface.as_deref()),
            Request::Stop(_) => {}
        }
    }

    fn take_rules(&mut self, rules: Arc<RuleSet>) {
        let counts = self.parts.engine.set_rules(Arc::clone(&rules));
        self.parts.sink.set_rules(&rules);
        let old = std::mem::replace(&mut self.parts.rules, rules);
        for (rule, count) in old.rules.iter().zip(counts) {
            *self.former.entry(rule.id).or_default() += count;
        }
        self.publish();
    }

    fn put(&mut self, ring: Ring) {
        match self.parts.live.put(ring) {
            Ok(()) => self.seen.resize(self.parts.live.places(), Seen::default()),
            Err(ring) => self.waiting.push(*ring),
        }
    }

    fn flows(&self, most: usize) -> Vec<u8> {
        let types: Types = "flow".parse().unwrap_or_else(|_| Types::none());
        let mut formatter = Formatter::new(types, &[], self.parts.sensor.as_deref(), 0);
        self.parts.engine.flows(most, &mut |event| formatter.event(event, [], |_, _| {}));
        formatter.lines().to_vec()
    }

    fn servers(&self) -> Inventory {
        let mut inventory = self.parts.sink.inventory.clone();
        self.parts.engine.facts(GLANCE, &mut |server, protocol, name, fact| {
            inventory.add(server, protocol, name, fact);
        });
        inventory
    }

    fn tell(&mut self, record: &SensorRecord, interface: Option<&str>) {
        let timestamp = self.watermark;
        let context = Context { interface, ..Context::at(timestamp) };
        self.parts.engine.tell(&context, record, &mut self.parts.sink);
    }

    /// Gives the collector what there is, or tells it that there is nothing. Never waits: what it
    /// cannot take now waits here.
    fn hand_over(&mut self) {
        let Parts { sink, batches, thread, .. } = &mut self.parts;
        match batches.try_send((*thread, sink.batch(self.watermark))) {
            Ok(()) => sink.taken(),
            // Once it has gone, nobody wants lines.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    fn publish(&mut self) {
        self.published = Instant::now();
        if self.surveyed.elapsed() >= SURVEY {
            self.surveyed = self.published;
            self.one_sided = self.parts.engine.one_sided(GLANCE);
        }
        let links = (0..self.parts.live.places()).map(|place| self.link(place)).collect();
        self.parts.published.show(Snapshot {
            stats: self.parts.engine.stats().clone(),
            rules: Arc::clone(&self.parts.rules),
            former: self.former.clone(),
            links,
            lost: self.parts.sink.lost,
            evidence: self.parts.sink.evidence(),
            busy: processor_time(),
            one_sided: self.one_sided,
        });
    }

    fn link(&mut self, place: usize) -> Link {
        let live = &mut self.parts.live;
        let seen = self.seen.get(place).copied().unwrap_or_default();
        Link {
            interface: live.interface(place).unwrap_or_default().to_owned(),
            statistics: live.statistics(place).unwrap_or_default(),
            state: live.state(place).unwrap_or(LinkState::Gone),
            duplicates: seen.duplicates,
            reopened: live.reopened(place).unwrap_or_default(),
            last_packet: seen.last_packet,
        }
    }
}

/// Where lines go at the end, when nothing is missed by waiting: there may be more of them than
/// there is room for.
struct LastLines<'w> {
    sink: &'w mut LineSink,
    batches: &'w SyncSender<(usize, Batch)>,
    thread: usize,
    deadline: Deadline,
    /// So many came.
    events: u32,
    /// The deadline has passed: only alerts still become lines.
    late: bool,
}

/// The clock is asked once in so many events.
const CLOCK: u32 = 64;

impl LastLines<'_> {
    fn is_late(&mut self) -> bool {
        self.events = self.events.wrapping_add(1);
        if self.events.is_multiple_of(CLOCK) {
            self.late |= Instant::now() >= self.deadline;
        }
        self.late
    }

    fn hand_over(&mut self) {
        let batch = self.sink.last_batch(self.deadline);
        // The collector waits for outputs until the deadline, and so do we for it.
        let _ = self.batches.send((self.thread, batch)); // it may have failed
        self.sink.taken();
    }
}

impl Sink for LastLines<'_> {
    fn event(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        if self.is_late() && fired.is_empty() {
            return self.sink.let_go(event, fired);
        }
        self.sink.event(event, fired);
        if self.sink.is_due() {
            self.hand_over();
        }
    }

    fn wants(&self, schema: &'static Schema) -> bool {
        self.sink.wants(schema)
    }

    fn fact(
        &mut self,
        server: IpAddr,
        protocol: &'static Protocol,
        name: &'static str,
        fact: Fact<'_>,
    ) {
        self.sink.fact(server, protocol, name, fact);
    }

    fn keeps(&self) -> bool {
        self.sink.keeps()
    }

    fn packet(&mut self, frame: &Frame<'_>, place: Place) {
        self.sink.packet(frame, place);
    }

    fn secret(&mut self, flow: u64, sender: Side, octets: Range<u32>) {
        self.sink.secret(flow, sender, octets);
    }
}

/// By the clock that the kernel gives frames their time by.
fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(since_1970.as_nanos() as u64)
}

/// Of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::event::Anomaly;

    #[test]
    fn what_comes_after_the_last_moment_is_counted() {
        let mut sink = LineSink::new(Types::default(), &Arc::default(), None, None);
        let (batches, _collected) = sync_channel(8);
        let deadline = Instant::now();
        let mut last = LastLines {
            sink: &mut sink,
            batches: &batches,
            thread: 0,
            deadline,
            events: 0,
            late: false,
        };
        let context = Context::at(Timestamp::ZERO);
        let record = Anomaly::in_packet("ip_header");
        for _ in 0..200 {
            last.event(&Event { context: &context, record: &record }, Hits::default());
        }
        // The clock is not asked for each.
        let lines = sink.batch(Timestamp::ZERO).lines.len() as u64;
        assert!(lines < u64::from(CLOCK), "{lines}");
        assert_eq!(sink.lost, Lost { records: 200 - lines, alerts: 0 });
    }
}
