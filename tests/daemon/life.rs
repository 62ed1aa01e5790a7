//! The life of the daemon: start, reload, end, and who is told.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use super::daemon::{ADDRESS, Host, Metrics, captured, handled, records};
use super::manager::Manager;
use super::shapes::{Link, alarms, rule};
use super::world::{Sender, cable, capture, in_namespace, numbered};

const CONFIG: &str = "interfaces: [{interface: out}]\n\
                      outputs: [{type: file, path: DIR/eve.json}]\n";

#[test]
fn the_service_manager_hears_of_it() {
    in_namespace("life::the_service_manager_hears_of_it", || {
        cable("in", "out");
        let host = Host::new(CONFIG);
        let manager = Manager::new(&host);
        let mut command = host.command();
        manager.hire(&mut command, Duration::from_millis(150));
        let mut daemon = host.spawn(&mut command);

        let ready = manager.hears();
        let status = ready.strip_prefix("READY=1\nSTATUS=").unwrap();
        assert!(status.contains("out") && status.contains("rules in force"), "{status}");
        manager.hears_life(5);

        let before = monotonic();
        daemon.signal(SIGHUP);
        let reloading = manager.hears_news();
        let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        let time: u128 = time.trim_end().parse().unwrap();
        assert!(before <= time && time <= monotonic(), "{before} {time}");
        assert_eq!(manager.hears_news(), ready);
        manager.hears_life(2);

        super::world::ip("link set out down");
        let down = manager.hears_news();
        assert!(down.starts_with("STATUS=") && down.contains("out is down"), "{down}");
        super::world::ip("link set out up");
        assert_eq!(manager.hears_news(), format!("STATUS={status}"));

        daemon.signal(SIGTERM);
        assert_eq!(manager.hears_news(), "STOPPING=1\n");
        assert!(daemon.wait().success());
    });
}

/// CLOCK_MONOTONIC in microseconds, as sd_notify(3) wants it.
fn monotonic() -> u128 {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32).as_micros()
}

#[test]
fn it_ends_in_time_under_load() {
    in_namespace("life::it_ends_in_time_under_load", || {
        cable("in", "out");
        let host = Host::new(CONFIG);
        for (signal, threads) in [(SIGTERM, 1), (SIGINT, 4)] {
            let evidence = "evidence: {directory: DIR/evidence}\n";
            host.configure(&format!("{CONFIG}threads: {threads}\n{evidence}"));
            let mut daemon = host.start();
            // A visitor that stays does not hold it up.
            let mut visitor = TcpStream::connect(ADDRESS).unwrap();
            visitor.write_all(b"GET /metrics HTTP/1.1\r\nHost: gridtap\r\n\r\n").unwrap();
            let frames = capture("demo.pcap");
            let ended = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    let mut sender = Sender::new("in");
                    while !ended.load(Ordering::Relaxed) {
                        sender.send_all(&frames);
                    }
                });
                daemon.comes("load", || {
                    (Metrics::now().value("gridtap_packets_total") > 10_000.0).then_some(())
                });
                let (status, time) = daemon.end_by(signal);
                ended.store(true, Ordering::Relaxed);
                assert!(status.success() && time < Duration::from_secs(2), "{status}: {time:?}");
            });
            let log = host.read("log");
            assert!(log.ends_with("ended\n") && !log.contains("in time"), "{log}");
            let records = records(&host.read("eve.json"));
            let flows = records.iter().filter(|record| record["event_type"] == "flow").count();
            assert!(flows > 10, "flows that went on are told of at the end");
            fs::remove_file(host.path("eve.json")).unwrap();
        }
    });
}

/// More records than an output's queue holds.
#[test]
fn every_flow_is_told_of_at_the_end() {
    const FLOWS: usize = 40_000;
    in_namespace("life::every_flow_is_told_of_at_the_end", || {
        cable("in", "out");
        let host = Host::new(CONFIG);
        let daemon = host.start();
        let mut sender = Sender::new("in");
        let frames: Vec<_> = (0..FLOWS as u32).map(|number| numbered(number, 100)).collect();
        for (round, part) in frames.chunks(4_000).enumerate() {
            sender.send_all(part);
            captured(&daemon, "out", (round + 1) * part.len());
        }
        handled(&daemon, FLOWS);
        daemon.end();
        assert!(!host.read("log").contains("were not written"), "{}", host.read("log"));
        let records = records(&host.read("eve.json"));
        let flows = records.iter().filter(|record| record["event_type"] == "flow").count();
        assert_eq!(flows, FLOWS);
    });
}

#[test]
fn a_second_instance_is_refused() {
    in_namespace("life::a_second_instance_is_refused", || {
        cable("in", "out");
        let host = Host::new(CONFIG);
        let first = host.start();
        let second = host.command().output().unwrap();
        let said = String::from_utf8(second.stderr).unwrap();
        assert!(!second.status.success() && said.contains(&first.pid().to_string()), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        first.end();
        host.start().end();
    });
}

#[test]
fn a_hundred_reloads_under_load_lose_nothing() {
    in_namespace("life::a_hundred_reloads_under_load_lose_nothing", || {
        cable("in", "out");
        let host = Host::new(&format!("{CONFIG}rules: [DIR/rules]\nthreads: 2\n"));
        fs::create_dir(host.path("rules")).unwrap();
        let name = |number: u16| format!("Rule {}", number / 2);
        let write = |number| fs::write(host.path("rules/one.yml"), rule(&name(number))).unwrap();
        write(0);
        let daemon = host.start();
        let mut sender = Sender::new("in");
        let load = capture("demo.pcap");
        let (load, _) = load.split_at(500);
        let mut link = Link::new(1);
        let (mut sent, mut hashes) = (0, vec![Metrics::now().label("gridtap_rules_info", "hash")]);
        let mut send = |frames: &[Vec<u8>]| {
            sender.send_all(frames);
            sent += frames.len();
        };
        for number in 0..100 {
            // Every other time there is nothing new.
            write(number);
            send(load);
            send(&link.points(1));
            daemon.signal(SIGHUP);
            send(load);
            send(&link.points(1));
            daemon.reaches("gridtap_reloads_total{result=\"success\"}", f64::from(number) + 1.0);
            hashes.push(Metrics::now().label("gridtap_rules_info", "hash"));
            send(&alarms(number, 1));
        }
        send(&link.close());
        captured(&daemon, "out", sent);
        handled(&daemon, sent);
        let metrics = Metrics::now();
        assert_eq!(metrics.value("gridtap_reloads_total{result=\"failure\"}"), 0.0);
        assert_eq!(metrics.value("gridtap_reload_last_successful"), 1.0);
        daemon.end();

        // The first reload finds what was there at the start.
        assert!(hashes[0] == hashes[1]);
        for (number, pair) in hashes[1..].windows(2).enumerate() {
            assert_eq!(pair[0] == pair[1], number % 2 == 0, "reload {number}: {pair:?}");
        }
        let records = records(&host.read("eve.json"));
        let of =
            |kind: &'static str| records.iter().filter(move |record| record["event_type"] == kind);
        let told: Vec<_> = of("alert").map(|alert| alert["alert"]["signature"].clone()).collect();
        // What still stands in the ring when rules come is matched by them.
        let fits =
            |(number, told): (u16, &Value)| *told == name(number) || *told == name(number + 1);
        assert!(told.len() == 100 && (0..100).zip(&told).all(fits), "each alarm once: {told:?}");
        let of_link =
            |record: &&Value| [&record["src_ip"], &record["dest_ip"]].contains(&&"10.9.0.1".into());
        let flows: Vec<_> = of("flow").filter(of_link).collect();
        let [flow] = flows.as_slice() else { panic!("one link, one flow: {flows:?}") };
        assert_eq!(flow["app_proto"], "iec104");
        assert_eq!(of("iec104").filter(of_link).count(), 2 + 2 * 200, "each APDU");
        let odd: Vec<_> = of("anomaly").filter(of_link).collect();
        assert!(odd.is_empty(), "no gap, no lost state: {odd:?}");
    });
}

#[test]
fn what_does_not_load_is_not_taken() {
    in_namespace("life::what_does_not_load_is_not_taken", || {
        cable("in", "out");
        let host = Host::new(&format!("{CONFIG}rules: [DIR/rules]\n"));
        fs::create_dir(host.path("rules")).unwrap();
        let path = host.path("rules/one.yml");
        fs::write(&path, rule("First")).unwrap();
        let daemon = host.start();
        let mut sender = Sender::new("in");
        let hash = || Metrics::now().label("gridtap_rules_info", "hash");
        let first = hash();

        let good = host.read("gridtap.yaml");
        let mut failures = 0.0;
        let broken_rule = rule("Broken").replace("iec104.test", "iec104.tset");
        let broken_config = good.replace("rules:", "rulez:");
        for (file, text, mistake) in [
            (&path, &broken_rule, "iec104.tset"),
            (&host.path("gridtap.yaml"), &broken_config, "rulez"),
        ] {
            let before = fs::read_to_string(file).unwrap();
            fs::write(file, text).unwrap();
            daemon.signal(SIGHUP);
            failures += 1.0;
            daemon.reaches("gridtap_reloads_total{result=\"failure\"}", failures);
            daemon.says(mistake);
            assert_eq!(Metrics::now().value("gridtap_reload_last_successful"), 0.0);
            assert_eq!(hash(), first);
            fs::write(file, before).unwrap();
        }
        sender.send_all(&alarms(0, 1));
        handled(&daemon, alarms(0, 1).len());

        fs::write(&path, rule("Second")).unwrap();
        daemon.signal(SIGHUP);
        daemon.reaches("gridtap_reload_last_successful", 1.0);
        assert_ne!(hash(), first);
        daemon.says(&format!("reloaded: 1 rules in force, hash {}; ", hash()));
        sender.send_all(&alarms(1, 1));
        handled(&daemon, alarms(0, 2).len());
        daemon.end();
        let records = records(&host.read("eve.json"));
        let alerts = records.iter().filter(|record| record["event_type"] == "alert");
        let told: Vec<_> = alerts.map(|alert| &alert["alert"]["signature"]).collect();
        assert_eq!(told, ["First", "Second"]);
    });
}

/// A link that goes on keeps to what held when it began.
#[test]
fn what_is_reloaded_of_stations_counts_for_later_connections() {
    in_namespace("life::what_is_reloaded_of_stations_counts_for_later_connections", || {
        cable("in", "out");
        let host = Host::new(CONFIG);
        let daemon = host.start();
        let mut sender = Sender::new("in");
        let (mut first, mut second) = (Link::new(1), Link::new(2));
        let mut sent = 0;
        let mut send = |frames: Vec<Vec<u8>>| {
            sender.send_all(&frames);
            sent += frames.len();
            handled(&daemon, sent);
        };
        send(first.burst(3));
        let config = format!("{CONFIG}protocols: {{iec104: [{{k: 2}}]}}\n");
        host.configure(&config);
        daemon.signal(SIGHUP);
        daemon.reaches("gridtap_reloads_total{result=\"success\"}", 1.0);
        send(first.burst(3));
        send(second.burst(3));
        daemon.end();
        let records = records(&host.read("eve.json"));
        let told = records.iter().filter(|record| record["anomaly"]["event"] == "k_exceeded");
        let stations: Vec<_> = told.map(|record| &record["src_ip"]).collect();
        assert_eq!(stations, ["10.9.1.2"]);
    });
}
