//! A daemon that runs, and what can be learned from it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use super::world::wait_for;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gridtap");

/// `TimeoutStopSec` of the unit.
const KILLED: Duration = Duration::from_secs(10);

/// Where it answers. Each test has a loopback of its own.
pub const ADDRESS: &str = "127.0.0.1:9104";

/// A host to run daemons on: folders, and a configuration in them.
pub struct Host {
    folder: TempDir,
}

impl Host {
    /// With this configuration, in which `DIR` stands for the host's folder. The state directory,
    /// and whether mirrored copies are looked for, need not be given.
    pub fn new(config: &str) -> Self {
        super::world::ip("link set lo up");
        let host = Self { folder: tempfile::tempdir().unwrap() };
        host.configure(config);
        host
    }

    /// Writes the configuration anew.
    pub fn configure(&self, config: &str) {
        let mut config = config.to_owned();
        // Captures are sent much faster than they were recorded: what came again a second later
        // comes within a millisecond.
        for (key, line) in
            [("state_directory:", "state_directory: DIR/state"), ("duplicates:", "duplicates: off")]
        {
            if !config.contains(key) {
                writeln!(config, "\n{line}").unwrap();
            }
        }
        let folder = self.folder.path().to_str().unwrap();
        fs::write(self.path("gridtap.yaml"), config.replace("DIR", folder)).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// How the daemon is started here.
    pub fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--config"]).arg(self.path("gridtap.yaml"));
        for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM"] {
            command.env_remove(variable);
        }
        command
    }

    /// A daemon that captures.
    pub fn start(&self) -> Daemon<'_> {
        let daemon = self.spawn(&mut self.command());
        daemon.becomes_ready();
        daemon
    }

    /// A daemon that has only been started.
    pub fn spawn(&self, command: &mut Command) -> Daemon<'_> {
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        let child = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
        Daemon { host: self, child }
    }

    /// What replaying a capture says, all records.
    pub fn replay(&self, capture: &Path) -> Vec<Value> {
        self.replay_with(capture, &[])
    }

    /// The same, with more arguments.
    pub fn replay_with(&self, capture: &Path, more: &[&str]) -> Vec<Value> {
        let eve = self.path("replay.json");
        let status = Command::new(PROGRAM)
            .arg("replay")
            .arg(capture)
            .arg("--eve")
            .arg(&eve)
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        records(&fs::read_to_string(eve).unwrap())
    }
}

/// Lines as JSON, each whole.
pub fn records(lines: &str) -> Vec<Value> {
    assert!(lines.is_empty() || lines.ends_with('\n'), "half a line at the end");
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// A running daemon. It is killed when this goes.
pub struct Daemon<'h> {
    host: &'h Host,
    child: Child,
}

impl Daemon<'_> {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn log(&self) -> String {
        self.host.read("log")
    }

    pub fn becomes_ready(&self) {
        self.comes("ready", || matches!(get("/readyz"), Some((200, _))).then_some(()));
    }

    /// Waits for something, and shows the log if it does not come.
    #[track_caller]
    pub fn comes<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            let waited = begun.elapsed();
            assert!(waited < Duration::from_secs(20), "{what}: it does not come\n{}", self.log());
            std::thread::yield_now();
        }
    }

    /// Waits until the log has it.
    #[track_caller]
    pub fn says(&self, text: &str) {
        self.comes(text, || self.log().contains(text).then_some(()));
    }

    /// Waits until a series has this value.
    #[track_caller]
    pub fn reaches(&self, series: &str, value: f64) {
        let begun = Instant::now();
        loop {
            let metrics = Metrics::now();
            let found = metrics.get(series);
            if found == Some(value) {
                return;
            }
            let waited = begun.elapsed();
            assert!(
                waited < Duration::from_secs(20),
                "{series}: {found:?}, not {value}\n{}",
                self.log()
            );
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid() as i32), signal).unwrap();
    }

    /// Asks it to end; how it ended, and how long that took.
    pub fn end_by(&mut self, signal: Signal) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        self.signal(signal);
        (self.child.wait().unwrap(), begun.elapsed())
    }

    /// Ends it, which must go well: before systemd would kill it, and by its own account in time. That
    /// it ends within 2 s if it gets a processor has a test of its own.
    #[track_caller]
    pub fn end(mut self) {
        let (status, time) = self.end_by(Signal::SIGTERM);
        let log = self.log();
        assert!(status.success() && time < KILLED, "{status} after {time:?}\n{log}");
        assert!(log.ends_with("ended\n") && !log.contains("in time"), "{log}");
    }

    /// How it ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for(|| child.try_wait().unwrap())
    }

    /// Ends it as a power cut does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a daemon; status and body, or nothing where nobody answers.
pub fn get(path: &str) -> Option<(u16, String)> {
    get_from(ADDRESS, path)
}

pub fn get_from(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// A page of metrics.
pub struct Metrics(String);

impl Metrics {
    #[track_caller]
    pub fn now() -> Self {
        let (status, page) = get("/metrics").expect("the daemon answers");
        assert_eq!(status, 200);
        Self(page)
    }

    /// The value of a series, written as on the page.
    pub fn get(&self, series: &str) -> Option<f64> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        line.parse().ok()
    }

    #[track_caller]
    pub fn value(&self, series: &str) -> f64 {
        self.get(series).unwrap_or_else(|| panic!("no {series} in\n{}", self.0))
    }

    /// The sum of all series that begin so.
    pub fn sum(&self, begin: &str) -> f64 {
        let series = self.0.lines().filter(|line| line.starts_with(begin));
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// The value of a label of a series that there is once.
    pub fn label(&self, metric: &str, label: &str) -> String {
        let begin = format!("{metric}{{{label}=\"");
        let line = self.0.lines().find_map(|line| line.strip_prefix(&begin)).unwrap();
        line.split('"').next().unwrap().to_owned()
    }

    pub fn page(&self) -> &str {
        &self.0
    }
}

/// Waits until the daemon has taken all frames of an interface, whose number is known.
#[track_caller]
pub fn captured(daemon: &Daemon<'_>, interface: &str, count: usize) {
    let series = |name: &str| format!("gridtap_capture_{name}{{interface=\"{interface}\"}}");
    daemon.reaches(&series("packets_total"), count as f64);
    assert_eq!(Metrics::now().value(&series("dropped_packets_total")), 0.0);
}

/// Waits until the engine has taken so many packets.
#[track_caller]
pub fn handled(daemon: &Daemon<'_>, count: usize) {
    daemon.reaches("gridtap_packets_total", count as f64);
}
