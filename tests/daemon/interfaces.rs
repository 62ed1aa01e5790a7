//! Interfaces that come and go, tags, taps and mirror ports.

use std::collections::BTreeSet;

use serde_json::json;

use super::daemon::{Daemon, Host, Metrics, captured, get, handled, records};
use super::shapes::{Link, alarms, rule};
use super::world::{Sender, cable, capture, in_namespace, ip, numbered, tagged, wait_until_up};

const OUTPUT: &str = "outputs: [{type: file, path: DIR/eve.json}]\n";

fn not_ready(daemon: &Daemon<'_>, why: &str) {
    daemon.comes(why, || {
        let (status, body) = get("/readyz").unwrap();
        (status == 503 && body.contains(why)).then_some(())
    });
}

fn packets(interface: &str) -> String {
    format!("gridtap_capture_packets_total{{interface=\"{interface}\"}}")
}

#[test]
fn an_interface_that_was_deleted_is_found_again() {
    in_namespace("interfaces::an_interface_that_was_deleted_is_found_again", || {
        for threads in [1, 4] {
            deleted_and_found_again(threads);
        }
    });
}

fn deleted_and_found_again(threads: usize) {
    cable("in", "out");
    cable("in2", "out2");
    let host = Host::new(&format!(
        "interfaces: [{{interface: out}}, {{interface: out2}}]\nthreads: {threads}\n{OUTPUT}"
    ));
    let daemon = host.start();
    let mut busy = Sender::new("in2");
    let (mut sent, mut other) = (0, 0);
    // The other interface is busy all the time.
    let mut waits = |what: &str, is_there: &dyn Fn() -> bool| {
        daemon.comes(what, || {
            busy.send_all(&(0..100).map(|number| numbered(number, 100)).collect::<Vec<_>>());
            other += 100;
            captured(&daemon, "out2", other);
            is_there().then_some(())
        });
    };
    let reopened = "gridtap_capture_reopened_total{interface=\"out\"}";
    for round in 1..=3 {
        let frames: Vec<_> = (0..500).map(|number| numbered(number, 100)).collect();
        Sender::new("in").send_all(&frames);
        sent += frames.len();
        captured(&daemon, "out", sent);
        ip("link delete in");
        // Where it comes back at once, nobody may have seen that it was not there.
        if round != 2 {
            waits("blindness", &|| {
                let (status, body) = get("/readyz").unwrap();
                status == 503 && body.contains("interface out is gone")
            });
            let up = Metrics::now().value("gridtap_capture_interface_up{interface=\"out\"}");
            assert_eq!(up, 0.0);
        }
        cable("in", "out");
        waits("the interface", &|| Metrics::now().value(reopened) == f64::from(round));
        waits("sight", &|| get("/readyz").unwrap().0 == 200);
    }
    let frames = capture("clean.pcap");
    Sender::new("in").send_all(&frames);
    sent += frames.len();
    captured(&daemon, "out", sent);
    captured(&daemon, "out2", other);
    handled(&daemon, sent + other);
    daemon.end();
    ip("link delete in");
    ip("link delete in2");
}

#[test]
fn an_interface_that_is_not_there_yet_is_waited_for() {
    in_namespace("interfaces::an_interface_that_is_not_there_yet_is_waited_for", || {
        cable("in", "out");
        let host = Host::new(&format!(
            "interfaces: [{{interface: late}}, {{interface: out}}]\nthreads: 2\n{OUTPUT}"
        ));
        let daemon = host.spawn(&mut host.command());
        daemon.says("late: there is no such interface");
        daemon.comes("an answer", || get("/readyz"));
        not_ready(&daemon, "interface late is gone");
        assert_eq!(Metrics::now().value("gridtap_capture_interface_up{interface=\"late\"}"), 0.0);
        let frames = Link::new(1).points(50);
        Sender::new("in").send_all(&frames);
        captured(&daemon, "out", frames.len());

        cable("far", "late");
        daemon.becomes_ready();
        let later = Link::new(2).points(50);
        Sender::new("far").send_all(&later);
        captured(&daemon, "late", later.len());
        handled(&daemon, frames.len() + later.len());
        daemon.says("interface late: is captured from");
        assert_eq!(Metrics::now().value("gridtap_capture_reopened_total{interface=\"late\"}"), 0.0);
        daemon.end();
        let records = records(&host.read("eve.json"));
        let told: Vec<_> = records.iter().filter(|r| r["event_type"] == "sensor").collect();
        let of_late = |event: &str| {
            told.iter().any(|r| r["in_iface"] == "late" && r["sensor"]["event"] == event)
        };
        assert!(of_late("interface_gone") && of_late("interface_up"), "{told:?}");
    });
}

#[test]
fn an_interface_may_be_switched_off_and_on() {
    in_namespace("interfaces::an_interface_may_be_switched_off_and_on", || {
        cable("in", "out");
        let host = Host::new(&format!("interfaces: [{{interface: out}}]\nthreads: 2\n{OUTPUT}"));
        let daemon = host.start();
        let mut link = Link::new(1);
        let mut sent = 0;
        for _ in 0..3 {
            let frames = link.points(50);
            Sender::new("in").send_all(&frames);
            sent += frames.len();
            captured(&daemon, "out", sent);
            ip("link set out down");
            not_ready(&daemon, "interface out is down");
            ip("link set out up");
            wait_until_up("in");
            daemon.becomes_ready();
        }
        handled(&daemon, sent);
        assert_eq!(Metrics::now().value("gridtap_capture_reopened_total{interface=\"out\"}"), 0.0);
        daemon.end();
        let records = records(&host.read("eve.json"));
        assert_eq!(records.iter().filter(|r| r["event_type"] == "flow").count(), 1);
        assert_eq!(records.iter().filter(|r| r["event_type"] == "iec104").count(), 2 + 2 * 150);
    });
}

#[test]
fn an_interface_without_a_carrier_is_not_up() {
    in_namespace("interfaces::an_interface_without_a_carrier_is_not_up", || {
        cable("in", "out");
        let host = Host::new(&format!("interfaces: [{{interface: out}}]\nthreads: 2\n{OUTPUT}"));
        let daemon = host.start();
        let up = "gridtap_capture_interface_up{interface=\"out\"}";
        assert_eq!(Metrics::now().value(up), 1.0);
        ip("link set in down");
        not_ready(&daemon, "interface out has no carrier");
        assert_eq!(Metrics::now().value(up), 0.0);
        daemon.says("interface out: has no carrier");
        ip("link set in up");
        wait_until_up("out");
        daemon.becomes_ready();
        daemon.says("interface out: is captured from");
        let frames = capture("clean.pcap");
        Sender::new("in").send_all(&frames);
        captured(&daemon, "out", frames.len());
        daemon.end();
        let records = records(&host.read("eve.json"));
        let told: Vec<_> = records.iter().filter(|r| r["event_type"] == "sensor").collect();
        let events: Vec<_> = told.iter().map(|r| r["sensor"]["event"].as_str().unwrap()).collect();
        let events: Vec<_> = events.into_iter().filter(|e| e.starts_with("interface")).collect();
        assert_eq!(events, ["interface_no_carrier", "interface_up"], "{told:?}");
    });
}

#[test]
fn tags_are_in_the_records() {
    in_namespace("interfaces::tags_are_in_the_records", || {
        cable("in", "out");
        let host = Host::new(&format!("interfaces: [{{interface: out}}]\n{OUTPUT}"));
        let daemon = host.start();
        let tags = [0x88, 0xa8, 0x0f, 0xff, 0x81, 0, 0, 7];
        let frames: Vec<_> = Link::new(1).points(5).iter().map(|f| tagged(f, &tags)).collect();
        Sender::new("in").send_all(&frames);
        handled(&daemon, frames.len());
        daemon.end();
        let records = records(&host.read("eve.json"));
        let apdus: Vec<_> = records.iter().filter(|r| r["event_type"] == "iec104").collect();
        assert_eq!(apdus.len(), 2 + 2 * 5);
        for apdu in apdus {
            assert_eq!((&apdu["vlan"], &apdu["in_iface"]), (&json!([4095, 7]), &json!("out")));
        }
    });
}

#[test]
fn a_tap_gives_each_link_whole() {
    in_namespace("interfaces::a_tap_gives_each_link_whole", || {
        cable("in", "out");
        cable("in2", "out2");
        let host = Host::new(&format!("interfaces: [{{tap: [out, out2]}}]\nthreads: 2\n{OUTPUT}"));
        let daemon = host.start();
        let mut senders = [Sender::new("in"), Sender::new("in2")];
        let mut sent = [0, 0];
        for number in 0..20 {
            for frame in Link::new(number).points(50) {
                // By the sender's address: stations are in 10.9.1.0/24.
                let place = usize::from(frame[28] == 1);
                senders[place].send(&frame);
                sent[place] += 1;
            }
        }
        captured(&daemon, "out", sent[0]);
        captured(&daemon, "out2", sent[1]);
        handled(&daemon, sent[0] + sent[1]);
        assert_eq!(Metrics::now().value("gridtap_one_sided_links"), 0.0);
        daemon.end();
        let records = records(&host.read("eve.json"));
        let of = |kind: &str| records.iter().filter(|r| r["event_type"] == kind).count();
        assert_eq!((of("flow"), of("iec104"), of("anomaly")), (20, 20 * (2 + 2 * 50), 0));
        let sides: BTreeSet<_> = records
            .iter()
            .filter(|r| r["event_type"] == "iec104")
            .map(|r| (r["direction"].to_string(), r["in_iface"].to_string()))
            .collect();
        assert_eq!(sides.len(), 2, "each direction on its interface: {sides:?}");
    });
}

#[test]
fn copies_of_a_mirror_port_are_counted_and_left_out() {
    in_namespace("interfaces::copies_of_a_mirror_port_are_counted_and_left_out", || {
        cable("in", "out");
        let host = Host::new(&format!(
            "interfaces: [{{interface: out}}]\nduplicates: 10ms\nrules: [DIR/rule.yml]\n{OUTPUT}"
        ));
        std::fs::write(host.path("rule.yml"), rule("Once")).unwrap();
        let daemon = host.start();
        let frames = alarms(0, 20);
        let mut sender = Sender::new("in");
        for frame in &frames {
            sender.send(frame);
            sender.send(&tagged(frame, &[0x81, 0, 0, 100]));
        }
        captured(&daemon, "out", 2 * frames.len());
        handled(&daemon, frames.len());
        let copies = "gridtap_capture_duplicate_packets_total{interface=\"out\"}";
        daemon.reaches(copies, frames.len() as f64);
        assert_eq!(Metrics::now().value(&packets("out")), 2.0 * frames.len() as f64);
        daemon.end();
        let records = records(&host.read("eve.json"));
        assert_eq!(records.iter().filter(|r| r["event_type"] == "alert").count(), 20);
        let retransmitted = records.iter().filter(|r| r["event_type"] == "anomaly").count();
        assert_eq!(retransmitted, 0);
    });
}
