//! The threads beside the main one: those that capture, and the one that collects what they find.

use std::io;
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::answers::{CaptureThread, Shared};
use super::collect::{Collector, Recent};
use super::correlations::{Correlations, Counters};
use super::error::Error;
use super::evidence::Files;
use super::lines::LineSink;
use super::outputs::Running;
use super::page::{self, Reloads};
use super::sandbox::{self, Role};
use super::seconds_since_1970;
use super::watch::{Parts, Published, Report, Request, Watch};
use crate::capture::live::{Duplicates, Live, Ring};
use crate::config::Config;
use crate::engine::Engine;
use crate::output::{HeldBack, Types};
use crate::rule::RuleSet;

/// Batches that may wait for the collector, for each thread.
const BATCHES: usize = 64;

/// How long a thread without frames waits before it says so. With several threads, lines of the
/// others wait for it.
const ALONE: Duration = Duration::from_millis(50);
const TOGETHER: Duration = Duration::from_millis(2);

/// The threads that run.
#[derive(Debug)]
pub(super) struct Threads {
    capture: Vec<JoinHandle<()>>,
    collector: JoinHandle<()>,
}

/// What the threads are to work with.
pub(super) struct Work {
    pub(super) config: Config,
    pub(super) rules: Arc<RuleSet>,
    pub(super) interfaces: Vec<String>,
    /// By thread.
    pub(super) rings: Vec<Vec<Ring>>,
    pub(super) outputs: Vec<Running>,
    pub(super) evidence: Option<Files>,
}

/// Starts all. When this returns, each has given up its rights and shows its counters.
pub(super) fn start(
    work: Work,
) -> Result<(Threads, Arc<Shared>, UnboundedReceiver<Report>), Error> {
    let Work { config, rules, interfaces, rings, outputs, evidence } = work;
    let count = rings.len();
    let types = outputs.iter().map(|output| &output.types);
    let types = types.fold(Types::none(), |sum, types| sum.union(types));
    let (batches, collected) = sync_channel(BATCHES * count);
    let (reports, heard) = unbounded_channel();
    let (mut threads, mut capture) = (Vec::new(), Vec::new());
    let correlated = Arc::new(Counters::default());
    let held_back = HeldBack::new(config.alerts.suppression(), &rules);
    let policies = Arc::new(config.streams.policies());
    for (thread, rings) in rings.into_iter().enumerate() {
        let (asking, requests) = channel();
        let published = Arc::new(Published::default());
        let kept = evidence.as_ref().map(|files| files.keep(count));
        let redaction = config.redaction();
        let sink = LineSink::new(types.clone(), &rules, config.host.as_deref(), kept)
            .with_redaction(redaction)
            .with_suppression(held_back.as_ref().map(HeldBack::likeness));
        let limits = config.limits.engine(config.threads);
        let watch = Watch::new(Parts {
            thread,
            live: Live::new(rings),
            engine: Engine::new(Arc::clone(&rules), limits, &sink)
                .with_settings(&config.protocols)
                .with_tenants(config.flows.tenancy())
                .with_policies(Arc::clone(&policies))
                .with_redaction(redaction),
            sink,
            duplicates: config.duplicates.map(Duplicates::within),
            pause: if count == 1 { ALONE } else { TOGETHER },
            rules: Arc::clone(&rules),
            sensor: config.host.clone(),
            requests,
            batches: batches.clone(),
            reports: reports.clone(),
            published: Arc::clone(&published),
        });
        capture.push(spawn(format!("capture-{thread}"), move || watch.run())?);
        threads.push(CaptureThread::new(published, asking));
    }
    let (recent, latency) = (Arc::new(Recent::default()), page::latency());
    let routes = outputs.iter().map(|output| (output.types.clone(), Arc::clone(&output.delivery)));
    let correlations = Correlations::new(&rules, &config, Arc::clone(&correlated));
    let routes = routes.collect();
    let collector =
        Collector::new(routes, count, correlations, Arc::clone(&recent), latency.clone())
            .with_suppression(held_back);
    let collector = spawn("collector".to_owned(), move || collector.run(&collected))?;
    let started = seconds_since_1970();
    let reloads = Reloads {
        last_took: true,
        loaded: started,
        hash: rules.hash.clone(),
        ..Reloads::default()
    };
    let shared = Arc::new(Shared {
        config,
        interfaces,
        threads,
        outputs: outputs.into_iter().map(|output| (output.delivery, output.queue)).collect(),
        archive: evidence.map(|files| files.archive),
        recent,
        correlated,
        latency,
        reloads: Mutex::new(reloads),
        started,
    });
    Ok((Threads { capture, collector }, shared, heard))
}

/// Starts a thread, and waits until it has given up its rights.
fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    let (begin, begun) = sync_channel(1);
    let handle = thread::Builder::new().name(name).spawn(move || {
        let confined = sandbox::enter_thread(Role::Capture, false);
        let goes_on = confined.is_ok();
        let _ = begin.send(confined); // whoever starts us waits for it
        if goes_on {
            work();
        }
    })?;
    begun.recv().map_err(|_| io::Error::other("a thread ended as it began"))??;
    Ok(handle)
}

impl Threads {
    /// A thread that ended without a word has a fault; its name.
    pub(super) fn ended(&self) -> Option<&str> {
        let mut all = self.capture.iter().chain([&self.collector]);
        let ended = all.find(|handle| handle.is_finished())?;
        Some(ended.thread().name().unwrap_or_default())
    }

    /// Ends capture, and waits until the collector has all that it found; whether that was by the
    /// deadline. Until `outputs` the collector waits for outputs.
    pub(super) fn end(self, shared: &Shared, outputs: Instant, deadline: Instant) -> bool {
        for thread in &shared.threads {
            thread.ask(Request::Stop(outputs));
        }
        // It ends when the last capture thread has given it its last lines.
        ends_by(&self.collector, deadline)
    }
}

fn ends_by(handle: &JoinHandle<()>, deadline: Instant) -> bool {
    while !handle.is_finished() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::park_timeout(Duration::from_millis(2));
    }
    true
}
