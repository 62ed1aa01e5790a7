//! The life of the daemon: it opens, closes the sandbox, starts its threads, and heeds what comes.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval};

use super::answers::{Answers, Shared};
use super::error::Error;
use super::evidence;
use super::honesty::Honesty;
use super::http::{self, Endpoint, Listener, Token};
use super::instance::Instance;
use super::interfaces::Interfaces;
use super::lines::Lost;
use super::log;
use super::notify::{Notifier, PassedSockets, Watchdog};
use super::outputs;
use super::page::{self, Reloads};
use super::reload::{need_restart, told_of_reload};
use super::sandbox::{self, Identity, Plan};
use super::seconds_since_1970;
use super::threads::{self, Threads, Work};
use super::watch::{Report, Request};
use crate::capture::live::clock_is_synchronised;
use crate::config::{Config, Listen, RuleSource, Target};
use crate::output::delivery::Delivery;
use crate::protocol::Configured;
use crate::rule::RuleSet;

/// How long everything may take to end: systemd and people wait for it.
const FAREWELL: Duration = Duration::from_millis(1800);

/// What of it is left to the capture threads and the collector, and how long they wait for outputs.
const CAPTURE_ENDS: Duration = Duration::from_millis(1500);
const OUTPUTS_TAKE: Duration = Duration::from_millis(1300);

/// How long capture threads may take to take new rules, which they do between two blocks of frames.
const RULES_TAKEN: Duration = Duration::from_secs(1);

/// How often interfaces that are gone are looked for, and the status is told.
const PULSE: Duration = Duration::from_millis(500);

/// How often the counters are written, as often as Suricata does.
const STATS: Duration = Duration::from_secs(8);

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

/// Runs until a signal ends it.
pub fn run(start: Start) -> Result<(), Error> {
    log::set_level(start.config.log_level);
    let mut passed = PassedSockets::from_environment()?;
    let notifier = Notifier::from_environment()?;
    let config = &start.config;
    make_state_directory(config)?;
    let _instance = Instance::claim(&config.state_directory)?;
    let (interfaces, rings) = Interfaces::open(config)?;
    let listener = listener(config, &mut passed)?;
    let token = config.http.as_ref().and_then(|http| http.token_file.as_deref());
    let token = token.map(Token::load).transpose()?;
    page::prepare();
    let report = sandbox::enter(&plan(&start)?)?;
    log::info(&report.to_string());
    // By now we are who they are to belong to.
    let outputs = outputs::start(outputs::open(config)?, is_on_network(config))?;
    let evidence = evidence::start(config)?;
    let (threads, shared, reports) = threads::start(Work {
        config: config.clone(),
        rules: Arc::new(start.rules.clone()),
        interfaces: interfaces.names(),
        rings,
        outputs,
        evidence,
    })?;
    let daemon = Daemon {
        start,
        interfaces,
        reports,
        shared,
        notifier,
        status: String::new(),
        honesty: Honesty::default(),
        counted: Instant::now(),
    };
    daemon.live(threads, listener, token)
}

/// Makes it for the user that it is to belong to.
fn make_state_directory(config: &Config) -> Result<(), Error> {
    let directory = &config.state_directory;
    let failed = |error| Error::State { directory: directory.clone(), error };
    if directory.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(directory).map_err(failed)?;
    if let Some(user) = &config.user {
        let (user, group) = Identity::find(user)?.numbers();
        chown(directory, Some(user), Some(group)).map_err(failed)?;
    }
    Ok(())
}

/// Where visitors come in: what systemd opened for us, or a socket of our own, which belongs to the
/// user that we become.
fn listener(config: &Config, passed: &mut PassedSockets) -> Result<Option<Listener>, Error> {
    let Some(http) = &config.http else { return Ok(None) };
    if let Some(listener) = passed.take("http").map_err(Error::Http)? {
        return Ok(Some(listener));
    }
    let endpoint = match &http.listen {
        Listen::Address(address) => Endpoint::Tcp(*address),
        Listen::Socket(path) => Endpoint::Unix(path.clone()),
    };
    let listener = match Listener::open(&endpoint) {
        Ok(listener) => listener,
        Err(error) => return Err(Error::Listen { endpoint, error }),
    };
    if let (Endpoint::Unix(path), Some(user)) = (&endpoint, &config.user) {
        let (user, group) = Identity::find(user)?.numbers();
        let given = chown(path, Some(user), Some(group));
        given.map_err(|error| Error::Listen { endpoint: endpoint.clone(), error })?;
    }
    Ok(Some(listener))
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
    let evidence = config.evidence.as_ref().map(|evidence| evidence.directory.clone());
    Ok(Plan {
        identity: config.user.as_deref().map(Identity::find).transpose()?,
        reads: rules.chain(start.file.clone()).chain(token).collect(),
        writes: outputs.chain(evidence).chain([config.state_directory.clone()]).collect(),
        network: is_on_network(config),
    })
}

/// Whether an output goes over the network.
fn is_on_network(config: &Config) -> bool {
    config.outputs.iter().any(|output| matches!(output.target, Target::Syslog { .. }))
}

/// The main thread's knowledge.
struct Daemon {
    start: Start,
    interfaces: Interfaces,
    reports: UnboundedReceiver<Report>,
    shared: Arc<Shared>,
    notifier: Notifier,
    status: String,
    honesty: Honesty,
    /// When the counters were written last.
    counted: Instant,
}

impl Daemon {
    /// Heeds signals, visitors and threads until the end.
    fn live(
        mut self,
        threads: Threads,
        listener: Option<Listener>,
        token: Option<Token>,
    ) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ended = runtime.block_on(self.heed(&threads, listener, token));
        drop(runtime); // and with it those visitors that are still there
        let _ = self.notifier.stopping(); // a manager that is gone waits for nothing
        self.end(threads);
        ended
    }

    async fn heed(
        &mut self,
        threads: &Threads,
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
                _ = pulse.tick() => self.beat(threads)?,
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
        self.tell(Notifier::ready);
    }

    fn tell(&self, how: impl Fn(&Notifier, &str) -> io::Result<()>) {
        if let Err(error) = how(&self.notifier, &self.status) {
            log::warn(&format!("the service manager cannot be told: {error}"));
        }
    }

    /// What `systemctl status` shows.
    fn describe(&self) -> String {
        let rules = self.start.rules.rules.iter().filter(|rule| rule.inactive.is_none()).count();
        let interfaces = self.shared.interfaces.join(", ");
        let blind = self.shared.blindness().map_or_else(String::new, |why| format!("; {why}"));
        format!("watching {interfaces}, {rules} rules in force{blind}")
    }

    /// What is due now and then.
    fn beat(&mut self, threads: &Threads) -> Result<(), Error> {
        if let Some(thread) = threads.ended() {
            // Better to begin anew than to be blind.
            return Err(Error::Capture(format!("thread {thread} ended unexpectedly")));
        }
        let shared = Arc::clone(&self.shared);
        self.interfaces.look_for_missing(|thread, ring| {
            if let Some(thread) = shared.threads.get(thread) {
                thread.ask(Request::Ring(Box::new(ring)));
            }
        });
        self.look_at_ourselves();
        if self.counted.elapsed() >= STATS {
            self.count();
        }
        let status = self.describe();
        if status != self.status {
            self.status = status;
            self.tell(Notifier::status);
        }
        Ok(())
    }

    fn feed(&self, watchdog: Option<&mut Watchdog>) {
        let Some(watchdog) = watchdog else { return };
        let threads = self.shared.threads.iter();
        let moved: Vec<_> =
            threads.map(|thread| thread.published.moved.load(Ordering::Relaxed)).collect();
        if watchdog.moved(&moved) {
            self.tell(|notifier, _| notifier.alive());
        }
    }

    fn hear(&mut self, report: Option<Report>) -> Result<(), Error> {
        match report {
            // When the first has told it, the others soon do.
            Some(Report::Gone { thread: 0, interface }) => self.interfaces.lost(&interface),
            Some(Report::Gone { .. }) => {}
            Some(Report::Failed { thread, reason }) => {
                return Err(Error::Capture(format!("thread {thread}: {reason}")));
            }
            None => return Err(Error::Capture("all threads have ended".to_owned())),
        }
        Ok(())
    }

    /// Says what we cannot see, and what we see again.
    fn look_at_ourselves(&mut self) {
        let snapshots = self.shared.snapshots();
        let links = page::links(&self.shared.interfaces, &snapshots);
        let lost = lost(&self.shared);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        for change in self.honesty.look(&links, lost, clock_is_synchronised(), now) {
            let tell = if change.is_bad() { log::warn } else { log::info };
            tell(&change.to_string());
            if let Some(trusted) = change.clock() {
                for thread in &self.shared.threads {
                    thread.ask(Request::Clock(trusted));
                }
            }
            self.shared.ask_first(Request::Tell(change.record, change.interface));
        }
    }

    /// Writes the counters.
    fn count(&mut self) {
        self.counted = Instant::now();
        let (stats, _) = page::sum(&self.shared.snapshots(), &self.shared.correlated.counts());
        let uptime = (seconds_since_1970() - self.shared.started).max(0.0) as u64;
        self.shared.ask_first(Request::Stats(Box::new(stats), uptime));
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
                let mut reloads = self.reloads();
                reloads.failures += 1;
                reloads.last_took = false;
            }
        }
        self.tell_ready();
    }

    fn take_over(&mut self, config: Config, rules: RuleSet) {
        log::set_level(config.log_level);
        let fixed = need_restart(&self.start.config, &config);
        if !fixed.is_empty() {
            log::warn(&format!("not reloaded, as it needs a restart: {}", fixed.join(", ")));
        }
        self.put_in_force(&rules, &config.protocols);
        log::info(&told_of_reload(&self.start.rules, &rules));
        let mut reloads = self.reloads();
        reloads.successes += 1;
        reloads.last_took = true;
        reloads.loaded = seconds_since_1970();
        reloads.hash.clone_from(&rules.hash);
        drop(reloads);
        self.start.rules = rules;
        self.start.config.rules = config.rules;
        self.start.config.placeholders = config.placeholders;
        self.start.config.protocols = config.protocols;
    }

    /// Gives all threads new rules, and what is configured of servers. Who is told of them may rely
    /// on them.
    fn put_in_force(&self, rules: &RuleSet, configured: &Configured) {
        let (rules, configured) = (Arc::new(rules.clone()), Arc::new(configured.clone()));
        let (taking, taken) = channel();
        for thread in &self.shared.threads {
            thread.ask(Request::Protocols(Arc::clone(&configured)));
            thread.ask(Request::Rules(Arc::clone(&rules), taking.clone()));
        }
        drop(taking);
        if taken.recv_timeout(RULES_TAKEN) == Err(RecvTimeoutError::Timeout) {
            log::warn("a capture thread takes its time to take the rules");
        }
    }

    fn reloads(&self) -> MutexGuard<'_, Reloads> {
        self.shared.reloads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends capture, then what comes after it, in the order of the data's way.
    fn end(self, threads: Threads) {
        let begun = Instant::now();
        let before = lost(&self.shared);
        let ended = threads.end(&self.shared, begun + OUTPUTS_TAKE, begun + CAPTURE_ENDS);
        let Lost { records, alerts } = lost(&self.shared);
        let (records, alerts) = (records - before.records, alerts - before.alerts);
        if records + alerts > 0 {
            log::warn(&format!("out of time: {records} records and {alerts} alerts were let go"));
        }
        if !ended {
            let snapshots = self.shared.snapshots();
            let flows: u64 = snapshots.iter().map(|snapshot| snapshot.stats.flows_active).sum();
            log::warn(&format!(
                "capture did not end in time: up to {flows} flows were not told of"
            ));
        }
        // Visitors have gone, so nobody else has it.
        let Some(shared) = Arc::into_inner(self.shared) else { return };
        let lost = shared.snapshots().iter().map(|snapshot| snapshot.evidence.lost).sum();
        let outputs = shared.outputs.into_iter();
        let outputs = outputs.filter_map(|(output, _)| Arc::into_inner(output)).collect();
        finish(outputs, begun + FAREWELL);
        if let Some(archive) = shared.archive.and_then(Arc::into_inner) {
            evidence::finish(archive, lost, begun + FAREWELL);
        }
        log::info("ended");
    }
}

/// What never reached an output.
fn lost(shared: &Shared) -> Lost {
    let snapshots = shared.snapshots();
    snapshots.iter().fold(Lost::default(), |sum, snapshot| sum + snapshot.lost)
}

/// Lets outputs write what they have, and says what became of it.
fn finish(outputs: Vec<Delivery>, deadline: Instant) {
    for output in &outputs {
        output.ask_to_finish(deadline);
    }
    for output in outputs {
        let name = output.name().to_owned();
        let finished = output.finish(deadline);
        if !finished.in_time {
            log::warn(&format!("output {name} did not end in time"));
        }
        let counters = finished.counters;
        let records = counters.dropped_records + counters.unfinished_records;
        let alerts = counters.lost_alerts + counters.spool_dropped_alerts;
        if records + alerts > 0 {
            log::warn(&format!(
                "output {name}: {records} records and {alerts} alerts were not written since the start"
            ));
        }
    }
}
