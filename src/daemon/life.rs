//! The life of the daemon: it opens, closes the sandbox, starts its threads, and heeds what comes.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval};

use super::answers::{Answers, Shared};
use super::collect::{Collector, Recent};
use super::honesty::Honesty;
use super::http::{self, Endpoint, Listener, Token, TokenError};
use super::instance::{Instance, InstanceError};
use super::lines::LineSink;
use super::log;
use super::notify::{Notifier, PassedSockets, Watchdog};
use super::outputs::{self, Opened};
use super::page::{self, Reloads};
use super::sandbox::{self, Identity, IdentityError, Plan, SandboxError};
use super::watch::{Published, Report, Request, Watch};
use crate::capture::live::{
    self, Duplicates, Filter, FilterTooLong, LinkState, Live, Ring, RingOptions,
    clock_is_synchronised,
};
use crate::config::{self, Config, Listen, RuleSource, Target};
use crate::engine::Engine;
use crate::rule::RuleSet;

/// How long everything may take to end, outputs included: systemd and people wait for it.
const FAREWELL: Duration = Duration::from_millis(1800);

/// What of it is left to the capture threads.
const LAST_FRAMES: Duration = Duration::from_millis(900);

/// How often interfaces that are gone are looked for, and the status is told.
const PULSE: Duration = Duration::from_millis(500);

/// How often the counters are written, as often as Suricata does.
const STATS: Duration = Duration::from_secs(8);

/// Batches that may wait for the collector, for each thread.
const BATCHES: usize = 64;

/// How long a thread without frames waits before it says so. With several threads, lines of the
/// others wait for it.
const ALONE: Duration = Duration::from_millis(50);
const TOGETHER: Duration = Duration::from_millis(2);

/// What a daemon is started with.
pub struct Start {
    /// What to do.
    pub config: Config,
    /// The configuration's file, which stays readable.
    pub file: Option<PathBuf>,
    /// The rules.
    pub rules: RuleSet,
    /// Loads both anew; the mistakes otherwise, one a line.
    pub reload: Box<dyn Fn() -> Result<(Config, RuleSet), String>>,
}

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An interface cannot be captured from.
    #[error(transparent)]
    Interface(#[from] live::Error),
    /// The kernel takes no filter that long.
    #[error("{interface}: {error}")]
    Filter {
        /// On which interface.
        interface: String,
        /// What is too long.
        error: FilterTooLong,
    },
    /// Nothing to capture from is configured.
    #[error("no interface is configured: set `interfaces`, or use --interface")]
    NoInterface,
    /// Another one runs, or the state directory is not there.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// An output cannot be opened.
    #[error("output {name}: {error}")]
    Output {
        /// Its name.
        name: String,
        /// What the system says.
        error: io::Error,
    },
    /// HTTP cannot be answered.
    #[error("http: {0}")]
    Http(io::Error),
    /// The token cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// There is no such user.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The sandbox cannot be entered.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The system refuses something that every process may do.
    #[error("{0}")]
    System(#[from] io::Error),
    /// A capture thread ended.
    #[error("capture failed: {0}")]
    Capture(String),
}

/// Runs until a signal ends it.
pub fn run(start: Start) -> Result<(), Error> {
    log::set_level(start.config.log_level);
    let mut passed = PassedSockets::from_environment()?;
    let notifier = Notifier::from_environment()?;
    let config = &start.config;
    std::fs::create_dir_all(&config.state_directory)?;
    let _instance = Instance::claim(&config.state_directory)?;
    let rings = open_rings(config)?;
    let listener = match &config.http {
        Some(http) => Some(match passed.take("http").map_err(Error::Http)? {
            Some(listener) => listener,
            None => Listener::open(&endpoint(&http.listen)).map_err(Error::Http)?,
        }),
        None => None,
    };
    let token = config.http.as_ref().and_then(|http| http.token_file.as_deref());
    let token = token.map(Token::load).transpose()?;
    let outputs = outputs::open(config)?;
    let report = sandbox::enter(&plan(&start)?)?;
    log::info(&report.to_string());
    Daemon::begin(start, rings, outputs, notifier)?.live(listener, token)
}

fn endpoint(listen: &Listen) -> Endpoint {
    match listen {
        Listen::Address(address) => Endpoint::Tcp(*address),
        Listen::Socket(path) => Endpoint::Unix(path.clone()),
    }
}

/// What the process goes on needing once the sandbox is closed.
fn plan(start: &Start) -> Result<Plan, Error> {
    let config = &start.config;
    let rules = config.rules.iter().filter_map(|source| match source {
        RuleSource::Path(path) => Some(path.clone()),
        RuleSource::Builtin => None,
    });
    let token = config.http.as_ref().and_then(|http| http.token_file.clone());
    let outputs = config.outputs.iter().filter_map(|output| match &output.target {
        Target::File { path, .. } | Target::UnixStream { path } | Target::UnixDatagram { path } => {
            path.parent().map(Path::to_owned)
        }
        Target::Syslog { .. } => None,
    });
    Ok(Plan {
        identity: config.user.as_deref().map(Identity::find).transpose()?,
        reads: rules.chain(start.file.clone()).chain(token).collect(),
        writes: outputs.chain([config.state_directory.clone()]).collect(),
        network: config.outputs.iter().any(|output| matches!(output.target, Target::Syslog { .. })),
    })
}

/// An interface, and how its rings are opened.
struct Wanted {
    interface: String,
    options: RingOptions,
    /// Since when it is gone, and looked for.
    gone: bool,
}

fn wanted(config: &Config) -> Result<Vec<Wanted>, Error> {
    let mut wanted = Vec::new();
    for interface in &config.interfaces {
        let ports: Vec<u16> = interface.filter.ports.iter().map(|port| port.get()).collect();
        for name in interface.link.names() {
            let filter = Filter::new(&ports, &interface.filter.networks)
                .map_err(|error| Error::Filter { interface: name.clone(), error })?;
            let config::Ring { block_size, blocks, block_timeout } = interface.ring;
            let options = RingOptions {
                block_size: block_size.0 as usize,
                blocks: blocks as usize,
                block_timeout,
                snap_length: interface.snap_length,
                promiscuous: interface.promiscuous,
                filter,
            };
            wanted.push(Wanted { interface: name.clone(), options, gone: false });
        }
    }
    if wanted.is_empty() { Err(Error::NoInterface) } else { Ok(wanted) }
}

/// The rings of each interface, one a thread.
fn open_rings(config: &Config) -> Result<Vec<(Wanted, Vec<Ring>)>, Error> {
    let threads = config.threads as usize;
    let opened = wanted(config)?.into_iter().map(|wanted| {
        let rings = Ring::open_group(&wanted.interface, threads, &wanted.options)?;
        Ok((wanted, rings))
    });
    opened.collect()
}

/// A capture thread, as the main thread sees it.
struct Thread {
    requests: Sender<Request>,
    published: Arc<Published>,
    handle: Option<JoinHandle<()>>,
}

/// The main thread's knowledge.
struct Daemon {
    start: Start,
    wanted: Vec<Wanted>,
    threads: Vec<Thread>,
    reports: UnboundedReceiver<Report>,
    collector: JoinHandle<()>,
    shared: Arc<Shared>,
    notifier: Notifier,
    status: String,
    honesty: Honesty,
    /// When the counters were written last.
    counted: Instant,
}

impl Daemon {
    /// Starts the threads.
    fn begin(
        start: Start,
        rings: Vec<(Wanted, Vec<Ring>)>,
        outputs: Vec<Opened>,
        notifier: Notifier,
    ) -> Result<Self, Error> {
        let config = start.config.clone();
        let count = config.threads.max(1) as usize;
        let outputs = outputs::begin(outputs)?;
        let rules = Arc::new(start.rules.clone());
        let types = outputs.iter().map(|output| &output.types);
        let types = types.fold(crate::output::Types::none(), |sum, types| sum.union(types));
        let (batches, collected) = sync_channel(BATCHES * count);
        let (reported, reports) = unbounded_channel();
        let mut wanted = Vec::new();
        let mut of_threads: Vec<Vec<Ring>> = (0..count).map(|_| Vec::new()).collect();
        for (interface, rings) in rings {
            wanted.push(interface);
            of_threads.iter_mut().zip(rings).for_each(|(thread, ring)| thread.push(ring));
        }
        let mut threads = Vec::new();
        for (thread, rings) in of_threads.into_iter().enumerate() {
            let (requests, requested) = channel();
            let published = Arc::new(Published::default());
            let sink = LineSink::new(types.clone(), &rules.rules, config.host.as_deref());
            let limits = config.limits.engine(config.threads);
            let watch = Watch {
                thread,
                live: Live::new(rings),
                engine: Engine::new(Arc::clone(&rules), limits, &sink),
                sink,
                duplicates: config.duplicates.map(Duplicates::within),
                pause: if count == 1 { ALONE } else { TOGETHER },
                rules: Arc::clone(&rules),
                sensor: config.host.clone(),
                requests: requested,
                batches: batches.clone(),
                reports: reported.clone(),
                published: Arc::clone(&published),
            };
            let builder = thread::Builder::new().name(format!("capture-{thread}"));
            let handle = Some(builder.spawn(move || watch.run())?);
            threads.push(Thread { requests, published, handle });
        }
        let (recent, latency) = (Arc::new(Recent::default()), page::latency());
        let routes =
            outputs.iter().map(|output| (output.types.clone(), Arc::clone(&output.delivery)));
        let collector =
            Collector::new(routes.collect(), count, Arc::clone(&recent), latency.clone());
        let collector = thread::Builder::new()
            .name("collector".to_owned())
            .spawn(move || collector.run(&collected))?;
        let shared = Arc::new(Shared {
            threads: threads
                .iter()
                .map(|thread| (Arc::clone(&thread.published), thread.requests.clone()))
                .collect(),
            outputs: outputs.into_iter().map(|output| (output.delivery, output.queue)).collect(),
            recent,
            latency,
            reloads: Mutex::new(Reloads {
                last_took: true,
                loaded: seconds_since_1970(),
                hash: rules.hash.clone(),
                ..Reloads::default()
            }),
            started: seconds_since_1970(),
            config,
        });
        Ok(Self {
            start,
            wanted,
            threads,
            reports,
            collector,
            shared,
            notifier,
            status: String::new(),
            honesty: Honesty::default(),
            counted: Instant::now(),
        })
    }

    /// Heeds signals, visitors and threads until the end.
    fn live(mut self, listener: Option<Listener>, token: Option<Token>) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ended = runtime.block_on(self.heed(listener, token));
        let _ = self.notifier.stopping(); // a manager that is gone waits for nothing
        self.end();
        ended
    }

    async fn heed(
        &mut self,
        listener: Option<Listener>,
        token: Option<Token>,
    ) -> Result<(), Error> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut pulse = interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watchdog = Watchdog::from_environment();
        let period = watchdog.as_ref().map_or(Duration::from_secs(3600), Watchdog::period);
        let mut feeding = interval(period);
        let server = self.server(token);
        let mut served = pin!(async move {
            match listener {
                Some(listener) => server.serve(listener).await.map(drop),
                None => std::future::pending().await,
            }
        });
        self.tell_ready();
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = hangup.recv() => self.reload(),
                report = self.reports.recv() => self.hear(report)?,
                _ = pulse.tick() => self.beat()?,
                _ = feeding.tick() => self.feed(watchdog.as_mut()),
                served = &mut served => return served.map_err(Error::Http),
            }
        }
    }

    fn server(&self, token: Option<Token>) -> Arc<http::Server> {
        let mut limits = http::Limits::default();
        if let Some(http) = &self.start.config.http {
            limits.connections = http.connections as usize;
            limits.head_octets = http.request_size.0 as usize;
            limits.head_time = http.timeout;
        }
        http::Server::new(Arc::new(Answers(Arc::clone(&self.shared))), token, limits)
    }

    fn tell_ready(&mut self) {
        self.status = self.describe();
        log::info(&self.status);
        self.tell(|notifier, status| notifier.ready(status));
    }

    fn tell(&self, how: impl Fn(&Notifier, &str) -> io::Result<()>) {
        if let Err(error) = how(&self.notifier, &self.status) {
            log::warn(&format!("the service manager cannot be told: {error}"));
        }
    }

    /// What `systemctl status` shows.
    fn describe(&self) -> String {
        let rules = self.start.rules.rules.iter().filter(|rule| rule.inactive.is_none()).count();
        let interfaces: Vec<_> =
            self.wanted.iter().map(|wanted| wanted.interface.as_str()).collect();
        let blind =
            self.shared.blindness().filter(|_| self.wanted.iter().any(|wanted| wanted.gone));
        let blind = blind.map_or_else(String::new, |why| format!("; {why}"));
        format!("watching {}, {rules} rules in force{blind}", interfaces.join(", "))
    }

    /// What is due now and then.
    fn beat(&mut self) -> Result<(), Error> {
        self.miss_nobody()?;
        self.look_for_interfaces();
        self.look_at_ourselves();
        if self.counted.elapsed() >= STATS {
            self.count();
        }
        let status = self.describe();
        if status != self.status {
            self.status = status;
            self.tell(|notifier, status| notifier.status(status));
        }
        Ok(())
    }

    /// A thread that ended without a word has a fault: better to begin anew than to be blind.
    fn miss_nobody(&self) -> Result<(), Error> {
        let threads = self.threads.iter().filter_map(|thread| thread.handle.as_ref());
        let ended = threads.chain([&self.collector]).find(|handle| handle.is_finished());
        let Some(ended) = ended else { return Ok(()) };
        let name = ended.thread().name().unwrap_or_default();
        Err(Error::Capture(format!("thread {name} ended unexpectedly")))
    }

    fn feed(&self, watchdog: Option<&mut Watchdog>) {
        let Some(watchdog) = watchdog else { return };
        let moved: Vec<_> = self
            .threads
            .iter()
            .map(|thread| thread.published.moved.load(Ordering::Relaxed))
            .collect();
        if watchdog.moved(&moved) {
            self.tell(|notifier, _| notifier.alive());
        }
    }

    fn hear(&mut self, report: Option<Report>) -> Result<(), Error> {
        match report {
            Some(Report::Link { thread: 0, place, state }) => {
                let Some(wanted) = self.wanted.get_mut(place) else { return Ok(()) };
                wanted.gone |= state == LinkState::Gone;
                Ok(())
            }
            Some(Report::Link { .. }) => Ok(()),
            Some(Report::Ended { thread, failure }) => {
                let failure = failure.unwrap_or_else(|| "it ended".to_owned());
                Err(Error::Capture(format!("thread {thread}: {failure}")))
            }
            None => Err(Error::Capture("all threads have ended".to_owned())),
        }
    }

    /// Opens the rings of interfaces that are there again.
    fn look_for_interfaces(&mut self) {
        let count = self.threads.len();
        for wanted in self.wanted.iter_mut().filter(|wanted| wanted.gone) {
            let open = || Ring::open_group(&wanted.interface, count, &wanted.options);
            let Ok(Ok(rings)) = sandbox::with_net_raw(open) else { continue };
            for (thread, ring) in self.threads.iter().zip(rings) {
                let _ = thread.requests.send(Request::Ring(Box::new(ring))); // it may just end
            }
            wanted.gone = false;
        }
    }

    /// Says what we cannot see, and what we see again.
    fn look_at_ourselves(&mut self) {
        let snapshots = self.shared.snapshots();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        for change in self.honesty.look(&snapshots, clock_is_synchronised(), now) {
            let message = change.to_string();
            if change.is_bad() {
                log::warn(&message)
            } else {
                log::info(&message)
            }
            if let Some(thread) = self.threads.first() {
                let _ = thread.requests.send(Request::Tell(change.record, change.interface));
            }
        }
    }

    /// Writes the counters.
    fn count(&mut self) {
        self.counted = Instant::now();
        let (stats, _) = page::sum(&self.shared.snapshots());
        let uptime = (seconds_since_1970() - self.shared.started).max(0.0) as u64;
        if let Some(thread) = self.threads.first() {
            let _ = thread.requests.send(Request::Stats(Box::new(stats), uptime)); // it may just end
        }
    }

    /// Loads rules and configuration anew; what does not load is not taken.
    fn reload(&mut self) {
        self.tell(|notifier, _| notifier.reloading());
        self.shared.outputs.iter().for_each(|(output, _)| output.reopen());
        match (self.start.reload)() {
            Ok((config, rules)) => self.take_over(config, rules),
            Err(mistakes) => {
                mistakes.lines().for_each(log::error);
                log::error("not reloaded: what was in force stays in force");
                let mut reloads =
                    self.shared.reloads.lock().unwrap_or_else(PoisonError::into_inner);
                reloads.failures += 1;
                reloads.last_took = false;
            }
        }
        self.tell_ready();
    }

    fn take_over(&mut self, config: Config, rules: RuleSet) {
        log::set_level(config.log_level);
        let fixed = |config: &Config| Config {
            rules: Vec::new(),
            placeholders: Default::default(),
            log_level: config::LogLevel::Info,
            ..config.clone()
        };
        if fixed(&config) != fixed(&self.start.config) {
            log::warn("only rules, placeholders and log_level are reloaded: restart for the rest");
        }
        let shared = Arc::new(rules.clone());
        for thread in &self.threads {
            let _ = thread.requests.send(Request::Rules(Arc::clone(&shared))); // it may just end
        }
        {
            let mut reloads = self.shared.reloads.lock().unwrap_or_else(PoisonError::into_inner);
            reloads.successes += 1;
            reloads.last_took = true;
            reloads.loaded = seconds_since_1970();
            reloads.hash.clone_from(&rules.hash);
        }
        self.start.rules = rules;
        (self.start.config.rules, self.start.config.placeholders) =
            (config.rules, config.placeholders);
    }

    /// Ends capture, then what comes after it, in the order of the data's way.
    fn end(mut self) {
        let begun = Instant::now();
        for thread in &self.threads {
            let _ = thread.requests.send(Request::Stop); // it may have ended
        }
        let handles = self.threads.iter_mut().filter_map(|thread| thread.handle.take());
        let mut late = handles.filter(|handle| !ends_by(handle, begun + LAST_FRAMES)).count();
        late += usize::from(!ends_by(&self.collector, begun + LAST_FRAMES));
        if late > 0 {
            log::warn("capture did not end in time: its last records are lost");
        }
        let deadline = begun + FAREWELL;
        let Some(shared) = Arc::into_inner(self.shared) else { return };
        shared.outputs.iter().for_each(|(output, _)| output.ask_to_finish(deadline));
        for output in shared.outputs.into_iter().filter_map(|(output, _)| Arc::into_inner(output)) {
            let name = output.name().to_owned();
            if !output.finish(deadline).in_time {
                log::warn(&format!("output {name} did not end in time"));
            }
        }
        log::info("ended");
    }
}

/// Whether a thread ends before a deadline.
fn ends_by(handle: &JoinHandle<()>, deadline: Instant) -> bool {
    while !handle.is_finished() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::park_timeout(Duration::from_millis(2));
    }
    true
}

fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
