//! Started as root, it becomes a user that can do nothing else: and everything goes on.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, chown};
use std::thread;

use nix::sys::signal::Signal::SIGHUP;
use nix::unistd::User;
use serde_json::Value;

use super::daemon::{Host, Metrics, captured, get, handled, records};
use super::receiver::{Receiver, ids};
use super::shapes::{FRAMES_OF_ALARM, alarms, rule};
use super::world::{Sender, cable, in_namespace, ip};

/// On every system, and owner of nothing.
const USER: &str = "nobody";

/// Threads by the beginnings of their names, and whether that is the main thread: it opens interfaces
/// again, and heeds signals.
const THREADS: &[(&str, bool)] = &[
    ("gridtap", true),
    ("capture-", false),
    ("collector", false),
    ("out-", false),
    ("evidence", false),
];

/// The bits of SIGHUP, SIGINT and SIGTERM.
const HEEDED: u64 = 1 | 1 << 1 | 1 << 14;

/// The bit of CAP_NET_RAW.
const NET_RAW: u64 = 1 << 13;

#[test]
fn everything_goes_on_as_another_user() {
    in_namespace("privileges::everything_goes_on_as_another_user", || {
        cable("in", "out");
        let host = Host::new(&format!(
            "interfaces: [{{interface: out}}]\n\
             user: {USER}\n\
             threads: 2\n\
             rules: [DIR/rules]\n\
             state_directory: DIR/own/state\n\
             evidence: {{directory: DIR/own/evidence}}\n\
             outputs:\n  \
             - {{type: file, path: DIR/own/eve.json}}\n  \
             - {{type: unix_stream, path: DIR/own/eve.sock, types: [alert]}}\n"
        ));
        let user = User::from_name(USER).unwrap().unwrap();
        let (uid, gid) = (Some(user.uid.as_raw()), Some(user.gid.as_raw()));
        for folder in ["own", "own/state", "rules"] {
            fs::create_dir(host.path(folder)).unwrap();
            chown(host.path(folder), uid, gid).unwrap();
        }
        // The folder itself is for root alone.
        chown(host.path("."), uid, gid).unwrap();
        fs::write(host.path("rules/one.yml"), rule("First")).unwrap();
        let daemon = host.start();
        confined(daemon.pid(), user.uid.as_raw());

        assert!(Metrics::now().value("process_resident_memory_bytes") > 1e6);

        // Alerts, a spool as nobody listens, and a log.
        let mut sent = 100 * FRAMES_OF_ALARM;
        Sender::new("in").send_all(&alarms(0, 100));
        captured(&daemon, "out", sent);
        handled(&daemon, sent);
        daemon.comes("the spool", || {
            let spool = "gridtap_output_spool_bytes{output=\"unix_stream\"}";
            (Metrics::now().value(spool) > 0.0).then_some(())
        });

        // An interface that comes back.
        ip("link delete in");
        daemon.comes("blindness", || (get("/readyz").unwrap().0 == 503).then_some(()));
        cable("in", "out");
        daemon.becomes_ready();

        // A reload with other rules, and a log that was rotated; twice, as then the new log is ours.
        for (round, title) in [(1, "Second"), (2, "Third")] {
            fs::write(host.path("rules/one.yml"), rule(title)).unwrap();
            let old = host.path(&format!("own/eve.json.{round}"));
            fs::rename(host.path("own/eve.json"), old).unwrap();
            daemon.signal(SIGHUP);
            daemon.reaches("gridtap_reloads_total{result=\"success\"}", f64::from(round));
            daemon.comes("a new log", || host.path("own/eve.json").exists().then_some(()));
            Sender::new("in").send_all(&alarms(100 * round as u16, 100));
            sent += 100 * FRAMES_OF_ALARM;
            captured(&daemon, "out", sent);
        }
        daemon.signal(SIGHUP);
        daemon.reaches("gridtap_reloads_total{result=\"success\"}", 3.0);
        assert_eq!(Metrics::now().value("gridtap_output_up{output=\"file\"}"), 1.0);

        // The receiver appears.
        let receiver = Receiver::at(&host.path("own/eve.sock"));
        chown(host.path("own/eve.sock"), uid, gid).unwrap();
        daemon.signal(SIGHUP);
        thread::scope(|scope| {
            let received = scope.spawn(|| receiver.alerts(BTreeSet::new(), 300));
            assert_eq!(received.join().unwrap().len(), 300);
            daemon.end();
        });
        let files = ["own/eve.json.1", "own/eve.json.2", "own/eve.json"];
        let titles = files.map(|file| {
            let records = records(&host.read(file));
            let mut alerts: Vec<_> = records
                .iter()
                .filter(|record| record["event_type"] == "alert")
                .map(|alert| alert["alert"]["signature"].clone())
                .collect();
            let count = alerts.len();
            alerts.dedup();
            (alerts, count)
        });
        assert_eq!(
            titles,
            ["First", "Second", "Third"].map(|title| (vec![Value::from(title)], 100))
        );
        let evidence = fs::read_dir(host.path("own/evidence")).unwrap();
        assert_eq!(
            evidence.map(|file| file.unwrap().metadata().unwrap().uid()).collect::<Vec<_>>(),
            [user.uid.as_raw(); 300]
        );
        // And once more, with what it left.
        host.start().end();
    });
}

/// As somebody tries it for the first time, with a pipe behind it that belongs to root.
#[test]
fn another_user_writes_to_our_standard_output() {
    in_namespace("privileges::another_user_writes_to_our_standard_output", || {
        cable("in", "out");
        let host = Host::new(&format!(
            "interfaces: [{{interface: out}}]\nuser: {USER}\nrules: [DIR/one.yml]\n"
        ));
        let user = User::from_name(USER).unwrap().unwrap();
        chown(host.path("."), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        fs::write(host.path("one.yml"), rule("Shown")).unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let daemon = host.spawn(host.command().stdout(writer));
        daemon.becomes_ready();
        let owner = fs::metadata(host.path("state")).unwrap().uid();
        assert_eq!(owner, user.uid.as_raw(), "the state directory was made for it");
        Sender::new("in").send_all(&alarms(0, 20));
        handled(&daemon, 20 * FRAMES_OF_ALARM);
        daemon.end();
        let mut shown = String::new();
        reader.read_to_string(&mut shown).unwrap();
        assert_eq!(ids(&records(&shown)).len(), 20);
    });
}

/// A socket of our own belongs to the user, and to whoever is in its group.
#[test]
fn the_socket_for_visitors_is_the_users() {
    in_namespace("privileges::the_socket_for_visitors_is_the_users", || {
        cable("in", "out");
        let host = Host::new(&format!(
            "interfaces: [{{interface: out}}]\nuser: {USER}\nhttp: {{listen: DIR/http.sock}}\n"
        ));
        let user = User::from_name(USER).unwrap().unwrap();
        chown(host.path("."), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        let daemon = host.spawn(&mut host.command());
        daemon.says("rules in force");
        let socket = fs::metadata(host.path("http.sock")).unwrap();
        assert_eq!((socket.uid(), socket.gid()), (user.uid.as_raw(), user.gid.as_raw()));
        assert_eq!(socket.mode() & 0o777, 0o660);
        daemon.end();
    });
}

/// Found out at the start, not at the first alert.
#[test]
fn evidence_that_cannot_be_written_is_told_at_the_start() {
    in_namespace("privileges::evidence_that_cannot_be_written_is_told_at_the_start", || {
        cable("in", "out");
        let host = Host::new(&format!(
            "interfaces: [{{interface: out}}]\nuser: {USER}\nevidence: {{directory: DIR/evidence}}\n"
        ));
        let user = User::from_name(USER).unwrap().unwrap();
        chown(host.path("."), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        fs::create_dir(host.path("evidence")).unwrap();
        let mut daemon = host.spawn(&mut host.command());
        assert_eq!(daemon.wait().code(), Some(77));
        daemon.says("evidence: Permission denied");
    });
}

/// Whether each thread is what it is to be, as proc(5) tells.
fn confined(pid: u32, uid: u32) {
    let mut seen = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
            line.unwrap_or_else(|| panic!("no {name} in {status}")).to_owned()
        };
        let name = field("Name");
        assert_eq!(field("Uid"), [uid; 4].map(|uid| uid.to_string()).join("\t"), "{name}");
        for (what, value) in [("Seccomp", "2"), ("NoNewPrivs", "1"), ("CapEff", "0000000000000000")]
        {
            assert_eq!(field(what), value, "{name}: {what}");
        }
        let (kind, is_main) =
            THREADS.iter().find(|(begin, _)| name.starts_with(begin)).expect(&name);
        let permitted = if *is_main { NET_RAW } else { 0 };
        assert_eq!(u64::from_str_radix(&field("CapPrm"), 16).unwrap(), permitted, "{name}");
        assert_eq!(u64::from_str_radix(&field("CapAmb"), 16).unwrap(), 0, "{name}");
        // A signal is not for a thread that cannot wake the one that heeds it.
        let heeded = u64::from_str_radix(&field("SigBlk"), 16).unwrap() & HEEDED == 0;
        assert_eq!(heeded, *is_main, "{name}: signals");
        seen.push(*kind);
    }
    assert!(THREADS.iter().all(|(kind, _)| seen.contains(kind)), "{seen:?}");
}
