//! A capture thread: rings, an engine, and lines for the collector. Nobody shares anything with it;
//! who wants something of it asks, and it answers between two blocks of frames.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{mpsc::UnboundedSender, oneshot};
use uuid::Uuid;

use super::lines::{Batch, LineSink, Lost};
use super::sandbox::{self, Role};
use crate::capture::live::{Duplicates, LinkState, Live, Ring, Statistics};
use crate::engine::{Engine, Stats};
use crate::event::{Context, SensorRecord};
use crate::inventory::Inventory;
use crate::output::{Formatter, Types};
use crate::rule::RuleSet;
use crate::time::Timestamp;

/// How often the counters are shown to others.
const PUBLISH: Duration = Duration::from_millis(200);

/// How often flows are looked at for what only all of them tell.
const SURVEY: Duration = Duration::from_secs(10);

/// A clock that goes back further than this was set.
const SET_BACK: Duration = Duration::from_secs(1);

/// Flows that are looked at for one answer: a glance that capture does not feel.
const GLANCE: usize = 20_000;

/// What others want of a capture thread.
#[derive(Debug)]
pub(super) enum Request {
    /// These rules are in force from now on.
    Rules(Arc<RuleSet>),
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
    /// End.
    Stop,
}

/// What a capture thread says of its own accord.
#[derive(Debug)]
pub(super) enum Report {
    /// An interface changed its state.
    Link { thread: usize, place: usize, state: LinkState },
    /// The thread ends, and why if nobody told it to.
    Ended { thread: usize, failure: Option<String> },
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
    pub(super) state: Option<LinkState>,
    pub(super) duplicates: u64,
    pub(super) reopened: u64,
    pub(super) last_packet: Timestamp,
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

/// A capture thread before it starts.
pub(super) struct Watch {
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

/// What changes while it runs.
struct State {
    watermark: Timestamp,
    published: Instant,
    surveyed: Instant,
    one_sided: u64,
    /// By place.
    last_packets: Vec<Timestamp>,
    duplicates: Vec<u64>,
    reopened: Vec<u64>,
    former: HashMap<Uuid, u64>,
}

impl Watch {
    /// Watches until it is told to stop.
    pub(super) fn run(mut self) {
        let (thread, reports) = (self.thread, self.reports.clone());
        let failure = match sandbox::enter_thread(Role::Capture, false) {
            Ok(()) => self.watch().err(),
            Err(error) => Some(error.to_string()),
        };
        let _ = reports.send(Report::Ended { thread, failure }); // nobody is left to tell
    }

    fn watch(&mut self) -> Result<(), String> {
        let places = self.live.places();
        let mut state = State {
            watermark: Timestamp::ZERO,
            published: Instant::now(),
            surveyed: Instant::now(),
            one_sided: 0,
            last_packets: vec![Timestamp::ZERO; places],
            duplicates: vec![0; places],
            reopened: vec![0; places],
            former: HashMap::new(),
        };
        self.publish(&mut state);
        // The engine takes the first frame's time for what it is.
        self.engine.tick(now(), &mut self.sink);
        loop {
            match self.requests.try_recv() {
                Ok(Request::Stop) | Err(TryRecvError::Disconnected) => break,
                Ok(request) => self.answer(request, &mut state),
                Err(TryRecvError::Empty) => {}
            }
            self.turn(self.pause, &mut state)?;
        }
        // What came before the word to stop is still in the rings.
        while self.turn(Duration::ZERO, &mut state)? > 0 {}
        self.engine.finish(&mut self.sink);
        self.hand_over_all(state.watermark);
        self.publish(&mut state);
        Ok(())
    }

    /// Handles about a block of frames, and says how many these were.
    fn turn(&mut self, pause: Duration, state: &mut State) -> Result<u64, String> {
        let Self { live, engine, sink, duplicates, .. } = self;
        let turn = live.turn(pause, |place, frame| {
            if let Some(last) = state.last_packets.get_mut(place) {
                *last = frame.timestamp;
            }
            if duplicates.as_mut().is_some_and(|seen| seen.is_duplicate(&frame)) {
                if let Some(count) = state.duplicates.get_mut(place) {
                    *count += 1;
                }
                return;
            }
            engine.handle(&frame, sink);
        });
        let turn = turn.map_err(|error| error.to_string())?;
        self.published.moved.fetch_add(1, Ordering::Relaxed);
        if turn.watermark + SET_BACK < state.watermark {
            self.sink.set_back(turn.watermark);
        }
        state.watermark = turn.watermark;
        if turn.frames == 0 {
            self.engine.tick(turn.watermark, &mut self.sink);
        }
        if let Some((place, link)) = turn.change {
            let _ = self.reports.send(Report::Link { thread: self.thread, place, state: link });
        }
        self.hand_over(turn.watermark);
        if state.published.elapsed() >= PUBLISH {
            self.publish(state);
        }
        Ok(turn.frames)
    }

    fn answer(&mut self, request: Request, state: &mut State) {
        match request {
            Request::Rules(rules) => {
                let counts = self.engine.set_rules(Arc::clone(&rules));
                self.sink.set_rules(&rules.rules);
                let old = std::mem::replace(&mut self.rules, rules);
                for (rule, count) in old.rules.iter().zip(counts) {
                    *state.former.entry(rule.id).or_default() += count;
                }
                self.publish(state);
            }
            Request::Ring(ring) => {
                if let Ok(place) = self.live.replace(*ring)
                    && let Some(count) = state.reopened.get_mut(place)
                {
                    *count += 1;
                }
            }
            Request::Flows(most, reply) => {
                let types: Types = "flow".parse().unwrap_or_else(|_| Types::none());
                let mut formatter = Formatter::new(types, &[], self.sensor.as_deref(), 0);
                self.engine.flows(most, &mut |event| formatter.event(event, [], |_, _| {}));
                let _ = reply.send(formatter.lines().to_vec()); // who asked may be gone
            }
            Request::Servers(reply) => {
                let mut inventory = self.sink.inventory.clone();
                self.engine.facts(GLANCE, &mut |server, protocol, name, fact| {
                    inventory.add(server, protocol, name, fact);
                });
                let _ = reply.send(inventory); // the same
            }
            Request::Stats(stats, uptime) => self.sink.stats(state.watermark, uptime, &stats),
            Request::Tell(record, interface) => {
                let context = Context {
                    timestamp: state.watermark,
                    number: 0,
                    interface: interface.as_deref(),
                    vlan: &[],
                    flow: None,
                };
                self.engine.tell(&context, &record, &mut self.sink);
            }
            Request::Stop => {}
        }
    }

    /// Gives the collector what there is, or tells it that there is nothing. Never waits: what it
    /// cannot take now waits here.
    fn hand_over(&mut self, watermark: Timestamp) {
        match self.batches.try_send((self.thread, self.sink.batch(watermark))) {
            Ok(()) => self.sink.taken(),
            // Once it has gone, nobody wants lines.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// The same at the end, when nothing is missed by waiting.
    fn hand_over_all(&mut self, watermark: Timestamp) {
        if !self.sink.is_empty() {
            let _ = self.batches.send((self.thread, self.sink.batch(watermark)));
            self.sink.taken();
        }
    }

    fn publish(&mut self, state: &mut State) {
        state.published = Instant::now();
        if state.surveyed.elapsed() >= SURVEY {
            state.surveyed = state.published;
            state.one_sided = self.engine.one_sided(GLANCE);
        }
        let link = |place: usize| Link {
            interface: self.live.interface(place).unwrap_or_default().to_owned(),
            state: self.live.state(place),
            statistics: Statistics::default(),
            duplicates: state.duplicates.get(place).copied().unwrap_or_default(),
            reopened: state.reopened.get(place).copied().unwrap_or_default(),
            last_packet: state.last_packets.get(place).copied().unwrap_or_default(),
        };
        let mut links: Vec<_> = (0..self.live.places()).map(link).collect();
        for (place, link) in links.iter_mut().enumerate() {
            link.statistics = self.live.statistics(place).unwrap_or_default();
        }
        self.published.show(Snapshot {
            stats: self.engine.stats().clone(),
            rules: Arc::clone(&self.rules),
            former: state.former.clone(),
            links,
            lost: self.sink.lost,
            busy: processor_time(),
            one_sided: state.one_sided,
        });
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
