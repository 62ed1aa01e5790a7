//! Outputs that fail, and what of that is felt.

use std::collections::BTreeSet;
use std::fs;
use std::thread;

use nix::sys::signal::Signal::SIGHUP;

use super::common;
use super::daemon::{Host, Metrics, get, handled, records};
use super::receiver::{Receiver, ids};
use super::shapes::{Link, alarms, rule};
use super::world::{self, Sender, again, cable, capture, in_namespace, run};

/// A host whose daemon tells of [`alarms`], to these outputs.
fn host(outputs: &str) -> Host {
    let host = Host::new(&format!(
        "interfaces: [{{interface: out}}]\nrules: [DIR/rule.yml]\noutputs:\n{outputs}"
    ));
    fs::write(host.path("rule.yml"), rule("Alarm")).unwrap();
    host
}

const FILE: &str = "  - {type: file, path: DIR/eve.json}\n";
const SOCKET: &str = "  - {type: unix_stream, path: DIR/eve.sock, types: [alert]}\n";

#[test]
fn a_full_disk_is_felt_by_its_output_alone() {
    const NAME: &str = "outputs::a_full_disk_is_felt_by_its_output_alone";
    in_namespace(NAME, || {
        if world::part().as_deref() != Some("disk") {
            let own = ["unshare", "--mount", "--propagation", "private"];
            return again(&own, NAME, "disk");
        }
        cable("in", "out");
        let host =
            host(&format!("{FILE}  - {{type: file, name: full, path: DIR/disk/eve.json}}\n"));
        fs::create_dir(host.path("disk")).unwrap();
        run("mount", &format!("-t tmpfs -o size=4m none {}", host.path("disk").display()));
        fs::write(host.path("disk/ballast"), vec![0; (4 << 20) - (64 << 10)]).unwrap();
        let daemon = host.start();
        let mut sender = Sender::new("in");
        let mut sent = 0;
        let mut send = |frames: &[Vec<u8>]| {
            sender.send_all(frames);
            sent += frames.len();
            handled(&daemon, sent);
        };
        send(&alarms(0, 100));
        daemon.reaches("gridtap_output_up{output=\"full\"}", 0.0);
        let well = Metrics::now();
        assert_eq!(well.value("gridtap_output_up{output=\"file\"}"), 1.0);
        assert!(well.value("gridtap_output_errors_total{output=\"full\"}") >= 1.0);
        send(&alarms(100, 100));
        daemon.says("No space left");

        let before = ids(&records(&host.read("disk/eve.json"))).len();
        fs::remove_file(host.path("disk/ballast")).unwrap();
        daemon.signal(SIGHUP);
        daemon.reaches("gridtap_output_up{output=\"full\"}", 1.0);
        daemon.reaches("gridtap_output_spool_bytes{output=\"full\"}", 0.0);
        daemon.reaches("gridtap_output_queue_bytes{output=\"full\"}", 0.0);
        daemon.end();

        let (other, full) = (records(&host.read("eve.json")), records(&host.read("disk/eve.json")));
        let (other, full) = (ids(&other), ids(&full));
        assert_eq!(other.len(), 200);
        assert_eq!(full, other, "every alert, late");
        assert!(before < 200);
    });
}

/// Records, answers and evidence; where nothing is redacted, all of them have it.
#[test]
fn what_is_redacted_leaves_the_daemon_nowhere() {
    in_namespace("outputs::what_is_redacted_leaves_the_daemon_nowhere", || {
        cable("in", "out");
        let sent = capture("demo.pcap");
        for (redact, shown) in [("[]", true), ("[user_names, payloads]", false)] {
            let host = Host::new(&format!(
                "interfaces: [{{interface: out}}]\n\
                 redact: {redact}\n\
                 outputs: [{{type: file, path: DIR/eve.json}}]\n\
                 evidence: {{directory: DIR/evidence}}\n"
            ));
            let daemon = host.start();
            Sender::new("in").send_all(&sent);
            handled(&daemon, sent.len());
            let answer = |path: &str| get(&format!("/api/v1/{path}")).unwrap().1;
            let answers = [answer("alerts"), answer("brokers")].concat();
            daemon.end();
            let evidence = common::files(&host.path("evidence")).into_iter();
            let evidence: Vec<u8> = evidence
                .flat_map(|path| common::frames(&path))
                .flat_map(|frame| frame.data)
                .collect();
            for word in ["scada", "p_kw"] {
                assert_eq!(host.read("eve.json").contains(word), shown, "{word}");
                let found = memchr::memmem::find(&evidence, word.as_bytes()).is_some();
                assert_eq!(found, shown, "{word}");
            }
            assert_eq!(answers.contains("\"scada\""), shown, "{answers}");
            assert_eq!(host.read("eve.json").contains("[redacted]"), !shown);
        }
    });
}

#[test]
fn a_receiver_that_comes_back_gets_every_alert() {
    in_namespace("outputs::a_receiver_that_comes_back_gets_every_alert", || {
        cable("in", "out");
        let host = host(&format!("{FILE}{SOCKET}"));
        let path = host.path("eve.sock");
        let daemon = host.start();
        let mut sender = Sender::new("in");
        let received = thread::scope(|scope| {
            let first = scope.spawn(|| Receiver::at(&path).alerts(BTreeSet::new(), 20));
            daemon.comes("a receiver", || path.exists().then_some(()));
            sender.send_all(&alarms(0, 50));
            first.join().unwrap()
        });
        assert_eq!(received.len(), 20, "it died in the midst of them");
        sender.send_all(&alarms(50, 50));
        handled(&daemon, alarms(0, 100).len());
        daemon.reaches("gridtap_output_up{output=\"unix_stream\"}", 0.0);
        let received = thread::scope(|scope| {
            let second = scope.spawn(|| Receiver::at(&path).alerts(received, 150));
            daemon.comes("a receiver", || path.exists().then_some(()));
            daemon.signal(SIGHUP);
            daemon.reaches("gridtap_output_up{output=\"unix_stream\"}", 1.0);
            sender.send_all(&alarms(100, 50));
            handled(&daemon, alarms(0, 150).len());
            second.join().unwrap()
        });
        daemon.reaches("gridtap_output_spool_bytes{output=\"unix_stream\"}", 0.0);
        daemon.end();
        let all = ids(&records(&host.read("eve.json")));
        assert_eq!(all.len(), 150);
        assert_eq!(received, all);
    });
}

#[test]
fn the_spool_outlives_a_kill() {
    in_namespace("outputs::the_spool_outlives_a_kill", || {
        cable("in", "out");
        let host = host(&format!("{FILE}{SOCKET}"));
        let path = host.path("eve.sock");
        let mut sender = Sender::new("in");
        for life in 0..3 {
            let daemon = host.start();
            sender.send_all(&alarms(100 * life, 100));
            handled(&daemon, alarms(0, 100).len());
            // All that the file has is in the spool of the other by now.
            daemon.comes("the spool", || {
                let metrics = Metrics::now();
                let waits = |what| {
                    metrics.value(&format!("gridtap_output_{what}_bytes{{output=\"unix_stream\"}}"))
                };
                (waits("queue") == 0.0 && waits("spool") > 0.0).then_some(())
            });
            daemon.comes("the file", || {
                let file = host.read("eve.json");
                let alerts = file.lines().filter(|line| line.contains(r#""event_type":"alert""#));
                (alerts.count() == 100 * (usize::from(life) + 1)).then_some(())
            });
            daemon.kill();
        }
        let daemon = host.start();
        let received = thread::scope(|scope| {
            let receiver = scope.spawn(|| Receiver::at(&path).alerts(BTreeSet::new(), 300));
            daemon.comes("a receiver", || path.exists().then_some(()));
            daemon.signal(SIGHUP);
            receiver.join().unwrap()
        });
        daemon.end();
        assert_eq!(received, ids(&records(&host.read("eve.json"))));
        assert_eq!(received.len(), 300);
    });
}

#[test]
fn log_rotation_loses_no_line() {
    in_namespace("outputs::log_rotation_loses_no_line", || {
        cable("in", "out");
        let host = host(&format!("{FILE}  - {{type: file, name: whole, path: DIR/whole.json}}\n"));
        let daemon = host.start();
        let mut sender = Sender::new("in");
        let mut link = Link::new(1);
        for number in 1..=10 {
            sender.send_all(&link.points(300));
            let old = host.path(&format!("eve.json.{number}"));
            fs::rename(host.path("eve.json"), old).unwrap();
            sender.send_all(&link.points(300));
            daemon.signal(SIGHUP);
            daemon.comes("a new file", || host.path("eve.json").exists().then_some(()));
        }
        handled(&daemon, 5 + 10 * 2 * 2 * 300);
        daemon.end();
        let parts: String =
            (1..=10).map(|number| host.read(&format!("eve.json.{number}"))).collect();
        let rotated = parts + &host.read("eve.json");
        let records = records(&rotated);
        let of = |kind: &str| records.iter().filter(|r| r["event_type"] == kind).count();
        assert_eq!((of("iec104"), of("flow")), (2 + 10 * 2 * 2 * 300, 1));
        assert!(rotated == host.read("whole.json"), "the same lines in the same order");
    });
}
