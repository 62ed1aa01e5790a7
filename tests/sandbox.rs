//! The sandbox holds what must not be done, and lets what must go on.
//!
//! Each case runs in a process of its own: this test program started anew, with one thread.

use std::env;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output};
use std::sync::Arc;
use std::thread;

use caps::{CapSet, Capability, CapsHashSet};
use gridtap::daemon::http::{Answer, Endpoint, Limits, Listener, Question, Server, Source};
use gridtap::daemon::instance::Instance;
use gridtap::daemon::notify::Notifier;
use gridtap::daemon::sandbox::{
    self, Confinement, Identity, Plan, Report, Role, SandboxError, with_net_raw,
};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use nix::unistd::{Uid, getgroups, getresgid, getresuid, setresgid, setresuid, setuid};

/// A user without an entry: the folders below are made for it.
const USER: u32 = 4242;

/// The signal of a process that seccomp killed.
const SIGSYS: i32 = 31;

/// The folders of a host: `rules` to read, `log` and `spool` to write, `other` for neither.
struct Host {
    folder: PathBuf,
}

impl Host {
    fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    fn plan(&self) -> Plan {
        Plan {
            identity: Some(Identity::find(&format!("{USER}:{USER}")).unwrap()),
            reads: vec![self.path("rules/one.yml")],
            writes: vec![self.path("log/eve.json"), self.path("spool")],
            network: false,
        }
    }
}

/// How the process of a case ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Passes,
    Killed,
}

use Ending::{Killed, Passes};

/// What is claimed, what shows it, and how that ends.
type Case = (&'static str, fn(&Host), Ending);

const CASES: &[Case] = &[
    ("root_becomes_a_user_that_cannot_do_harm", from_root, Passes),
    ("a_user_with_an_ambient_capability_is_enough", from_ambient, Passes),
    ("a_user_without_any_capability_is_told", from_nothing, Passes),
    ("a_user_by_name_gets_its_own_groups", by_name, Passes),
    ("only_root_becomes_another", not_root, Passes),
    ("capture_threads_can_do_nothing_but_capture", capture_thread, Passes),
    ("output_threads_write_and_connect_but_open_no_interface", output_thread, Passes),
    ("network_outputs_reach_the_network", network, Passes),
    ("visitors_are_served_in_the_sandbox", http, Passes),
    ("running_a_program_kills", execve, Killed),
    ("looking_into_processes_kills", ptrace, Killed),
    ("a_capture_thread_that_runs_a_program_kills", execve_in_thread, Killed),
];

/// Runs the case that the environment names, or all whose names have the first argument in them.
fn main() -> ExitCode {
    if let (Some(case), Some(folder)) = (env::var_os("GRIDTAP_CASE"), env::var_os("GRIDTAP_HOST")) {
        let (_, run, _) = CASES.iter().find(|(name, ..)| case == *name).unwrap();
        run(&Host { folder: folder.into() });
        return ExitCode::SUCCESS;
    }
    let filter = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    run_all(&filter.unwrap_or_default())
}

/// Tells as the usual harness does.
fn run_all(filter: &str) -> ExitCode {
    let mut told = io::stdout();
    if !Uid::effective().is_root() {
        writeln!(told, "skipped: the sandbox is tested by root only").unwrap();
        return ExitCode::SUCCESS;
    }
    let (mut passed, mut failed) = (0, 0);
    for case in CASES.iter().filter(|(name, ..)| name.contains(filter)) {
        let (name, _, expected) = case;
        let output = start(name);
        let is_right = match expected {
            Passes => output.status.success(),
            Killed => output.status.signal() == Some(SIGSYS),
        };
        *(if is_right { &mut passed } else { &mut failed }) += 1;
        writeln!(told, "test {name} ... {}", if is_right { "ok" } else { "FAILED" }).unwrap();
        if !is_right {
            let said = String::from_utf8_lossy(&output.stderr);
            writeln!(told, "{}\n{said}", output.status).unwrap();
        }
    }
    let (result, code) =
        if failed == 0 { ("ok", ExitCode::SUCCESS) } else { ("FAILED", ExitCode::FAILURE) };
    writeln!(told, "\ntest result: {result}. {passed} passed; {failed} failed").unwrap();
    code
}

/// Makes the folders, and runs a case in a process of its own.
fn start(case: &str) -> Output {
    let host = tempfile::tempdir().unwrap();
    fs::set_permissions(host.path(), Permissions::from_mode(0o755)).unwrap();
    for (folder, owner) in [("rules", 0), ("log", USER), ("spool", USER), ("other", USER)] {
        fs::create_dir(host.path().join(folder)).unwrap();
        chown(host.path().join(folder), Some(owner), Some(owner)).unwrap();
    }
    for (path, owner) in [("rules/one.yml", 0), ("log/eve.json", USER), ("other/file", USER)] {
        fs::write(host.path().join(path), "title: one\n").unwrap();
        chown(host.path().join(path), Some(owner), Some(owner)).unwrap();
    }
    Command::new(env::current_exe().unwrap())
        .env("GRIDTAP_CASE", case)
        .env("GRIDTAP_HOST", host.path())
        .output()
        .unwrap()
}

fn from_root(host: &Host) {
    let manager = UnixDatagram::bind(host.path("other/notify")).unwrap();
    fs::set_permissions(host.path("other/notify"), Permissions::from_mode(0o666)).unwrap();
    let notifier = Notifier::to(host.path("other/notify").as_os_str()).unwrap();
    let instance = Instance::claim(&host.path("spool")).unwrap();
    let report = sandbox::enter(&host.plan()).unwrap();
    notifier.ready(&report.to_string()).unwrap();
    assert!(manager.recv(&mut [0; 512]).unwrap() > 0);
    assert_eq!(report.user, (USER, USER));
    assert!(report.can_reopen && report.missing.is_empty(), "{report}");
    drop(instance);
    Instance::claim(&host.path("spool")).expect("the user may open what root has made");
    assert_is_user();
    assert_harmless(host, &report);
    assert_works(host);
    with_net_raw(packet_socket).unwrap().unwrap();
    assert_eq!(packet_socket().unwrap_err(), Errno::EPERM, "only while it is raised");
    assert!(nix::ifaddrs::getifaddrs().unwrap().any(|found| found.interface_name == "lo"));
    let survived = std::panic::catch_unwind(|| with_net_raw(|| panic!("while raised")));
    assert!(survived.is_err() && packet_socket().is_err(), "not even after a panic");
}

/// As systemd starts a service with `User=` and `AmbientCapabilities=CAP_NET_RAW`.
fn from_ambient(host: &Host) {
    become_user_with(&[Capability::CAP_NET_RAW]);
    packet_socket().unwrap();
    let report = sandbox::enter(&host.plan()).unwrap();
    assert!(report.can_reopen, "{report}");
    assert_is_user();
    assert_harmless(host, &report);
    assert_works(host);
    with_net_raw(packet_socket).unwrap().unwrap();
}

fn from_nothing(host: &Host) {
    become_user_with(&[]);
    let report = sandbox::enter(&Plan { identity: None, ..host.plan() }).unwrap();
    assert!(!report.can_reopen);
    assert_harmless(host, &report);
    assert_works(host);
    with_net_raw(|| panic!("the work must not be done")).unwrap_err();
}

fn by_name(host: &Host) {
    let identity = Identity::find("daemon").unwrap();
    let (uid, gid) = identity.numbers();
    nix::unistd::setgroups(&[0.into(), 27.into()]).unwrap();
    sandbox::enter(&Plan { identity: Some(identity), ..host.plan() }).unwrap();
    let ids = (getresuid().unwrap(), getresgid().unwrap());
    assert!([ids.0.real, ids.0.effective, ids.0.saved].iter().all(|id| id.as_raw() == uid));
    assert!([ids.1.real, ids.1.effective, ids.1.saved].iter().all(|id| id.as_raw() == gid));
    let groups = groups();
    assert!(groups.contains(&gid) && !groups.contains(&0) && !groups.contains(&27), "{groups:?}");
}

fn not_root(host: &Host) {
    become_user_with(&[]);
    let plan = Plan { identity: Some(Identity::find("4243:4243").unwrap()), ..host.plan() };
    let refused = sandbox::enter(&plan).unwrap_err();
    assert!(matches!(refused, SandboxError::NotRoot { uid: 4243 }), "{refused}");
}

fn capture_thread(host: &Host) {
    let report = sandbox::enter(&host.plan()).unwrap();
    let log = host.path("log/eve.json");
    let rules = host.path("rules/one.yml");
    in_thread(move || {
        sandbox::enter_thread(Role::Capture, false).unwrap();
        assert!(with_net_raw(packet_socket).is_err(), "the capability is gone");
        assert_eq!(packet_socket().unwrap_err(), Errno::EPERM);
        assert_denied(File::open(&rules));
        assert_denied(File::create(&log));
        assert_denied(UnixStream::pair());
        assert_denied(TcpStream::connect("127.0.0.1:9"));
        assert_denied(thread::Builder::new().spawn(|| {}));

        let (sender, receiver) = std::sync::mpsc::channel();
        sender.send(vec![1_u8; 64 << 20]).unwrap();
        assert_eq!(receiver.recv().unwrap().len(), 64 << 20);
        assert!(std::time::Instant::now().elapsed().as_secs() < 60);
    });
    // What a thread gave up, the main thread still has.
    with_net_raw(packet_socket).unwrap().unwrap();
    assert_works(host);
    assert_harmless(host, &report);
}

fn output_thread(host: &Host) {
    sandbox::enter(&host.plan()).unwrap();
    let inside = Host { folder: host.folder.clone() };
    in_thread(move || {
        sandbox::enter_thread(Role::Output, false).unwrap();
        assert_works_for_output(&inside);
        assert_denied(UdpSocket::bind("127.0.0.1:0"));
        assert!(with_net_raw(packet_socket).is_err());
        assert_eq!(packet_socket().unwrap_err(), Errno::EPERM);
        assert_denied(thread::Builder::new().spawn(|| {}));
        // A receiver that is away is not the same as one that we may not reach.
        let away = UnixStream::connect("/nonexistent/receiver").unwrap_err();
        assert_eq!(away.kind(), ErrorKind::NotFound);
    });
}

fn network(host: &Host) {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addresses = (receiver.local_addr().unwrap(), datagrams.local_addr().unwrap());
    let report = sandbox::enter(&Plan { network: true, ..host.plan() }).unwrap();
    in_thread(move || {
        sandbox::enter_thread(Role::Output, true).unwrap();
        let by_name = ("localhost", addresses.0.port());
        TcpStream::connect(by_name).unwrap().write_all(b"alert").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(b"alert", addresses.1).unwrap();
        assert!(TcpListener::bind("127.0.0.1:0").is_err(), "nobody listens anew");
    });
    let mut text = String::new();
    receiver.accept().unwrap().0.read_to_string(&mut text).unwrap();
    assert_eq!(text, "alert");
    assert_eq!(datagrams.recv(&mut [0; 16]).unwrap(), 5);
    in_thread(|| {
        sandbox::enter_thread(Role::Capture, true).unwrap();
        assert_denied(UdpSocket::bind("127.0.0.1:0"));
    });
    assert_denied(File::open("/etc/shadow"));
    assert!(report.can_reopen);
}

fn http(host: &Host) {
    struct Fine;
    impl Source for Fine {
        fn answer(&self, _: Question) -> Answer {
            Box::pin(async { Ok(b"ok\n".to_vec()) })
        }
    }

    let socket = host.path("other/http");
    let listener = Listener::open(&Endpoint::Unix(socket.clone())).unwrap();
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
    sandbox::enter(&host.plan()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let visitor = thread::spawn(move || {
        sandbox::enter_thread(Role::Output, false).unwrap();
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    runtime.block_on(async {
        let server = Server::new(Arc::new(Fine), None, Limits::default());
        tokio::spawn(server.serve(listener));
        while !visitor.is_finished() {
            tokio::task::yield_now().await;
        }
    });
    let answer = visitor.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"), "{answer}");
}

fn execve(host: &Host) {
    sandbox::enter(&host.plan()).unwrap();
    panic!("it ran on: {}", Command::new("/bin/true").exec());
}

fn ptrace(host: &Host) {
    sandbox::enter(&host.plan()).unwrap();
    panic!("it ran on: {:?}", nix::sys::ptrace::traceme());
}

fn execve_in_thread(host: &Host) {
    sandbox::enter(&host.plan()).unwrap();
    in_thread(|| {
        sandbox::enter_thread(Role::Capture, false).unwrap();
        panic!("it ran on: {}", Command::new("/bin/true").exec());
    });
}

/// What nobody of us may, in the main thread, which may the most.
fn assert_harmless(host: &Host, report: &Report) {
    assert_denied(File::open("/etc/shadow"));
    assert_denied(TcpListener::bind("127.0.0.1:0"));
    assert_denied(UdpSocket::bind("[::1]:0"));
    assert_denied(Command::new("/bin/true").status());
    assert_denied(File::create(host.path("rules/two.yml")));
    assert!(setuid(Uid::from_raw(0)).is_err());
    assert!(packet_socket().is_err());
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().to_owned()
    };
    assert_eq!(value("NoNewPrivs"), "1");
    assert_eq!(value("Seccomp"), "2");
    for set in ["CapEff", "CapInh", "CapAmb"] {
        assert_eq!(value(set), "0000000000000000", "{set}");
    }
    let permitted = if report.can_reopen { 1_u64 << 13 } else { 0 };
    assert_eq!(value("CapPrm"), format!("{permitted:016x}"));

    if report.files == Confinement::None {
        return; // an older kernel
    }
    assert_denied(File::open("/etc/passwd"));
    assert_denied(File::open(host.path("other/file")));
    assert_denied(File::create(host.path("other/new")));
    assert_denied(fs::rename(host.path("log/eve.json"), host.path("other/eve.json")));
    assert_denied(std::os::unix::fs::symlink("/etc/passwd", host.path("log/link")));
}

/// What a daemon does for years.
fn assert_works(host: &Host) {
    assert_works_for_output(host);
    assert_eq!(fs::read_dir(host.path("rules")).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(host.path("rules/one.yml")).unwrap(), "title: one\n");
    assert_eq!(thread::spawn(|| 7).join().unwrap(), 7);
    assert!(fs::read_dir("/sys/class/net").unwrap().count() > 0);
    assert!(pages_of_memory() > 0);
}

fn assert_works_for_output(host: &Host) {
    let log = host.path("log/eve.json");
    let append = || OpenOptions::new().append(true).create(true).open(&log);
    writeln!(append().unwrap(), "a line").unwrap();
    fs::rename(&log, host.path("log/eve.json.1")).unwrap();
    let reopened = append().unwrap();
    assert_eq!(reopened.metadata().unwrap().len(), 0);
    reopened.sync_all().unwrap();
    fs::set_permissions(&log, Permissions::from_mode(0o640)).unwrap();

    let segment = host.path("spool/0001");
    fs::write(&segment, b"alert").unwrap();
    let kept = File::options().read(true).write(true).open(&segment).unwrap();
    kept.sync_data().unwrap();
    kept.set_len(2).unwrap();
    assert_eq!(fs::read(&segment).unwrap(), b"al");
    assert!(kept.try_lock().is_ok());
    fs::remove_file(&segment).unwrap();
    fs::create_dir(host.path("spool/evidence")).unwrap();
    fs::remove_dir(host.path("spool/evidence")).unwrap();
}

fn pages_of_memory() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').next().unwrap().parse().unwrap()
}

fn assert_is_user() {
    let ids = (getresuid().unwrap(), getresgid().unwrap());
    assert!([ids.0.real, ids.0.effective, ids.0.saved].iter().all(|id| id.as_raw() == USER));
    assert!([ids.1.real, ids.1.effective, ids.1.saved].iter().all(|id| id.as_raw() == USER));
    assert!(groups().iter().all(|group| *group == USER), "{:?}", groups());
}

fn groups() -> Vec<u32> {
    getgroups().unwrap().into_iter().map(nix::unistd::Gid::as_raw).collect()
}

/// Becomes the user as a service manager would, with these capabilities in all sets.
fn become_user_with(capabilities: &[Capability]) {
    let wanted: CapsHashSet = capabilities.iter().copied().collect();
    nix::unistd::setgroups(&[USER.into()]).unwrap();
    setresgid(USER.into(), USER.into(), USER.into()).unwrap();
    caps::securebits::set_keepcaps(true).unwrap();
    setresuid(USER.into(), USER.into(), USER.into()).unwrap();
    caps::securebits::set_keepcaps(false).unwrap();
    for set in [CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &wanted).unwrap();
    }
    caps::set(None, CapSet::Ambient, &wanted).unwrap();
}

fn packet_socket() -> Result<OwnedFd, Errno> {
    let all = Some(SockProtocol::EthAll);
    socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, all)
}

fn in_thread(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name("confined".to_owned()).spawn(work).unwrap().join().unwrap();
}

#[track_caller]
fn assert_denied<T>(result: io::Result<T>) {
    match result {
        Ok(_) => panic!("this was possible"),
        Err(error) => assert!(
            matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::CrossesDevices),
            "{error}"
        ),
    }
}
