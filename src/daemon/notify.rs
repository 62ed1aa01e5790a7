//! What the service manager is told, and what it passes: sd_notify(3), sd_listen_fds(3).
//!
//! Without a manager everything here does nothing, so nobody else asks whether there is one.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;

use super::http::Listener;

/// Tells the service manager how we are.
///
/// The socket is opened once, before the sandbox closes. It is not connected, so a manager that
/// makes its socket anew is found again.
#[derive(Debug)]
pub struct Notifier {
    manager: Option<(UnixDatagram, SocketAddr)>,
}

impl Notifier {
    /// To the manager that `NOTIFY_SOCKET` names; to nobody if it names none.
    pub fn from_environment() -> io::Result<Self> {
        match env::var_os("NOTIFY_SOCKET") {
            Some(address) if !address.is_empty() => Self::to(&address),
            _ => Ok(Self::silent()),
        }
    }

    /// To nobody.
    pub fn silent() -> Self {
        Self { manager: None }
    }

    /// To the manager at `address`: a path, or an abstract name behind an `@`.
    pub fn to(address: &OsStr) -> io::Result<Self> {
        let manager = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(address)?,
            _ => return Err(io::Error::other("NOTIFY_SOCKET is neither a path nor begins with @")),
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not hold us up.
        socket.set_nonblocking(true)?;
        Ok(Self { manager: Some((socket, manager)) })
    }

    /// We are up, or up again after a reload, and how.
    pub fn ready(&self, status: &str) -> io::Result<()> {
        self.send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))])
    }

    /// A reload begins. [`ready`](Self::ready) ends it.
    ///
    /// The time is what `Type=notify-reload` of systemd 253 asks for; older ones ignore it.
    pub fn reloading(&self) -> io::Result<()> {
        self.send(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])
    }

    /// What `systemctl status` shows.
    pub fn status(&self, status: &str) -> io::Result<()> {
        self.send(&[NotifyState::Status(&one_line(status))])
    }

    /// The end has begun.
    pub fn stopping(&self) -> io::Result<()> {
        self.send(&[NotifyState::Stopping])
    }

    /// We are alive: only [`Watchdog::moved`] knows.
    pub fn alive(&self) -> io::Result<()> {
        self.send(&[NotifyState::Watchdog])
    }

    fn send(&self, states: &[NotifyState<'_>]) -> io::Result<()> {
        let Some((socket, manager)) = &self.manager else { return Ok(()) };
        let lines: Vec<_> = states.iter().map(ToString::to_string).collect();
        let message = lines.join("\n") + "\n";
        socket.send_to_addr(message.as_bytes(), manager).map(drop)
    }
}

/// A line break in a status would be a statement of its own.
fn one_line(status: &str) -> String {
    status.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Decides whether the manager hears that we are alive.
///
/// A main thread that turns while a capture thread hangs is not alive. So every capture thread
/// counts what it handles, packets and ticks, and each of these counts must have moved.
#[derive(Debug)]
pub struct Watchdog {
    limit: Duration,
    seen: Vec<u64>,
}

impl Watchdog {
    /// As the manager asks by `WATCHDOG_USEC`; `None` if it does not.
    pub fn from_environment() -> Option<Self> {
        sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()).map(Self::new)
    }

    /// One that must be fed within `limit`.
    pub fn new(limit: Duration) -> Self {
        Self { limit, seen: Vec::new() }
    }

    /// How often to look: a third of the limit, so that one look that came too early harms nobody.
    pub fn period(&self) -> Duration {
        self.limit / 3
    }

    /// Whether every count has moved since it last had. Without any there is nothing alive.
    ///
    /// Threads that came or went make it true once: their counts are compared from then on.
    pub fn moved(&mut self, counts: &[u64]) -> bool {
        let moved = !counts.is_empty()
            && (counts.len() != self.seen.len()
                || counts.iter().zip(&self.seen).all(|(now, before)| now != before));
        if moved {
            self.seen.clear();
            self.seen.extend_from_slice(counts);
        }
        moved
    }
}

/// The sockets that the manager opened for us, by the name that their unit gives them
/// (`FileDescriptorName=`).
pub struct PassedSockets {
    names: Vec<String>,
    sockets: ListenFd,
}

impl PassedSockets {
    /// All that were passed to this process. To be called once, before there are threads: it takes
    /// the variables out of the environment.
    pub fn from_environment() -> io::Result<Self> {
        let names: Vec<_> = sd_notify::listen_fds_with_names()?.map(|(_, name)| name).collect();
        let sockets = if names.is_empty() { ListenFd::empty() } else { ListenFd::from_env() };
        Ok(Self { names, sockets })
    }

    /// Takes the listening stream socket of that name, if there is one: the first of several.
    pub fn take(&mut self, name: &str) -> io::Result<Option<Listener>> {
        let Some(index) = self.names.iter().position(|passed| passed == name) else {
            return Ok(None);
        };
        if let Ok(Some(socket)) = self.sockets.take_unix_listener(index) {
            return Listener::passed_unix(socket).map(Some);
        }
        match self.sockets.take_tcp_listener(index)? {
            Some(socket) => Listener::passed_tcp(socket).map(Some),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A manager's end, and the notifier that speaks to it.
    fn manager(directory: &tempfile::TempDir) -> (UnixDatagram, Notifier) {
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        (manager, Notifier::to(path.as_os_str()).unwrap())
    }

    fn heard(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        manager.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_life_is_told_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let (manager, notifier) = manager(&directory);
        notifier.ready("2 interfaces").unwrap();
        notifier.status("3 alerts").unwrap();
        notifier.alive().unwrap();
        notifier.stopping().unwrap();
        assert_eq!(heard(&manager), "READY=1\nSTATUS=2 interfaces\n");
        assert_eq!(heard(&manager), "STATUS=3 alerts\n");
        assert_eq!(heard(&manager), "WATCHDOG=1\n");
        assert_eq!(heard(&manager), "STOPPING=1\n");
    }

    #[test]
    fn a_reload_carries_the_monotonic_time() {
        let directory = tempfile::tempdir().unwrap();
        let (manager, notifier) = manager(&directory);
        notifier.reloading().unwrap();
        notifier.reloading().unwrap();
        let time = |message: String| -> u64 {
            let time = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
            time.trim_end().parse().unwrap()
        };
        let (first, second) = (time(heard(&manager)), time(heard(&manager)));
        // CLOCK_MONOTONIC leaves out what /proc/uptime counts while suspended: never more.
        let uptime = fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!(0 < first && first <= second, "{first} {second}");
        assert!((second as f64) < uptime * 1e6 + 1e6, "{second} µs at {uptime} s");
    }

    #[test]
    fn an_abstract_address_is_reached() {
        let name = format!("gridtap-notify-{}", std::process::id());
        let manager =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let notifier = Notifier::to(OsStr::new(&format!("@{name}"))).unwrap();
        notifier.ready("").unwrap();
        assert_eq!(heard(&manager), "READY=1\nSTATUS=\n");
    }

    #[test]
    fn a_status_cannot_say_anything_else() {
        let directory = tempfile::tempdir().unwrap();
        let (manager, notifier) = manager(&directory);
        notifier.status("eth0\nMAINPID=1\r\u{7f}").unwrap();
        assert_eq!(heard(&manager), "STATUS=eth0 MAINPID=1  \n");
    }

    #[test]
    fn a_manager_that_came_back_is_found_and_one_that_sleeps_does_not_hold_us_up() {
        let directory = tempfile::tempdir().unwrap();
        let (first, notifier) = manager(&directory);
        drop(first);
        notifier.alive().unwrap_err();

        let path = directory.path().join("notify");
        fs::remove_file(&path).unwrap();
        let second = UnixDatagram::bind(&path).unwrap();
        notifier.alive().unwrap();
        assert_eq!(heard(&second), "WATCHDOG=1\n");

        let full = (0..100_000).find_map(|_| notifier.alive().err()).unwrap();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        Notifier::silent().ready("nobody listens").unwrap();
        for nonsense in ["notify", ""] {
            Notifier::to(OsStr::new(nonsense)).unwrap_err();
        }
    }

    #[test]
    fn the_watchdog_is_fed_only_while_every_thread_moves() {
        let mut watchdog = Watchdog::new(Duration::from_secs(30));
        assert_eq!(watchdog.period(), Duration::from_secs(10));
        assert!(!watchdog.moved(&[]), "no thread is no life");
        assert!(watchdog.moved(&[0, 0]));
        assert!(!watchdog.moved(&[0, 0]));
        assert!(!watchdog.moved(&[5, 0]), "one of two hangs");
        assert!(watchdog.moved(&[5, 1]), "compared with when it was last fed");
        assert!(!watchdog.moved(&[5, 2]));
        assert!(watchdog.moved(&[9, 9, 9]), "a thread more");
        assert!(watchdog.moved(&[u64::MAX, 0, 0]), "counts may wrap");
    }

    /// A child process for which a shell plays the manager: `socket`, its standard input, becomes
    /// descriptor 3, which is passed as `name`, or not at all.
    fn child(case: &str, socket: OwnedFd, name: Option<&str>) -> Child {
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg("LISTEN_PID=$$ exec \"$@\" 3<&0")
            .arg("sh")
            .arg(env::current_exe().unwrap())
            .args(["--exact", "daemon::notify::tests::in_a_child", "--nocapture"])
            .env("GRIDTAP_TEST_PASSED", case)
            .stdin(Stdio::from(socket))
            .stdout(Stdio::null());
        if let Some(name) = name {
            command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", name);
        }
        command.spawn().unwrap()
    }

    /// Answers one connection on each socket that was passed; does nothing unless asked to.
    #[test]
    fn in_a_child() {
        let Ok(case) = env::var("GRIDTAP_TEST_PASSED") else { return };
        let mut passed = PassedSockets::from_environment().unwrap();
        assert!(passed.take("other").unwrap().is_none());
        let listener = passed.take("http").unwrap();
        assert!(passed.take("http").unwrap().is_none(), "it is given away once");
        match (case.as_str(), listener) {
            ("none", None) => {}
            ("tcp", Some(Listener::Tcp(socket))) => {
                socket.set_nonblocking(false).unwrap();
                socket.accept().unwrap().0.write_all(b"passed").unwrap();
            }
            ("unix", Some(Listener::Unix(socket))) => {
                socket.set_nonblocking(false).unwrap();
                socket.accept().unwrap().0.write_all(b"passed").unwrap();
            }
            (case, found) => panic!("{case}: {found:?}"),
        }
        assert!(env::var_os("LISTEN_FDS").is_none() || case == "none");
    }

    #[test]
    fn passed_sockets_are_found_by_name() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let mut child = child("tcp", socket.into(), Some("http"));
        let mut answer = String::new();
        TcpStream::connect(address).unwrap().read_to_string(&mut answer).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(answer, "passed");
    }

    #[test]
    fn passed_unix_sockets_are_found_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("http");
        let socket = UnixListener::bind(&path).unwrap();
        let mut child = child("unix", socket.into(), Some("http"));
        let mut answer = String::new();
        UnixStream::connect(path).unwrap().read_to_string(&mut answer).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(answer, "passed");
    }

    #[test]
    fn sockets_of_other_names_and_none_at_all_are_no_failure() {
        for name in [Some("metrics"), None] {
            let socket = TcpListener::bind("127.0.0.1:0").unwrap();
            assert!(child("none", socket.into(), name).wait().unwrap().success());
        }
    }
}
