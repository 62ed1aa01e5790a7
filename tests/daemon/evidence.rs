//! Packets around alerts, as files that the alerts name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use gridtap::capture::live::{Ring, RingOptions};
use nix::unistd::User;
use serde_json::Value;

use super::common::{self, OwnedFrame, frames};
use super::daemon::{Host, Metrics, captured, handled, records};
use super::recording::Recording;
use super::shapes::{FRAMES_OF_ALARM, alarms, rule};
use super::world::{self, Sender, again, cable, capture, in_namespace, run};

/// On every system, and owner of nothing.
const USER: &str = "nobody";

/// The files in a folder by their names.
fn files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    common::files(folder).into_iter().map(|path| (name(&path), path)).collect()
}

/// Those of detection rules: packets are kept around them, and around no correlation.
fn alerts(records: &[Value]) -> Vec<&Value> {
    let alerts = records.iter().filter(|record| record["event_type"] == "alert");
    alerts.filter(|alert| alert["alert"]["correlation"].is_null()).collect()
}

/// The files that alerts name.
fn named(alerts: &[&Value]) -> BTreeSet<String> {
    let name = |alert: &&Value| alert["capture_file"].as_str().map(str::to_owned);
    alerts.iter().map(|alert| name(alert).unwrap_or_else(|| panic!("{alert}"))).collect()
}

#[test]
fn alerts_name_the_files_that_replay_makes() {
    in_namespace("evidence::alerts_name_the_files_that_replay_makes", || {
        cable("in", "out");
        let host = Host::new(&format!(
            "interfaces: [{{interface: out}}]\n\
             user: {USER}\n\
             threads: 2\n\
             rules: [DIR/rules]\n\
             state_directory: DIR/own/state\n\
             outputs: [{{type: file, path: DIR/own/eve.json}}]\n\
             evidence: {{directory: DIR/own/evidence}}\n"
        ));
        let rules = host.path("rules");
        copy_rules(&rules);
        let rules = rules.to_str().unwrap();
        let user = User::from_name(USER).unwrap().unwrap();
        for folder in [".", "own", "own/state"] {
            fs::create_dir_all(host.path(folder)).unwrap();
            chown(host.path(folder), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        // Whoever records is told the same time as the daemon: see replay.rs.
        let _clock = Ring::open("lo", &RingOptions::default()).unwrap();
        let recording = Recording::start("out", &host.path("recorded.pcap"));
        let daemon = host.start();
        let sent = capture("demo.pcap");
        Sender::new("in").send_all(&sent);
        captured(&daemon, "out", sent.len());
        handled(&daemon, sent.len());
        let recorded = recording.end(&sent);
        // It does not wait for the packets that the last alerts still want.
        daemon.end();

        let records = records(&host.read("own/eve.json"));
        let (alerts, kept) = (alerts(&records), files(&host.path("own/evidence")));
        assert!(alerts.len() > 100);
        assert_eq!(named(&alerts), kept.keys().cloned().collect());
        let folder = host.path("again");
        let folder = folder.to_str().unwrap();
        host.replay_with(&recorded, &["--rules", rules, "--evidence", folder]);
        let again = files(&host.path("again"));
        assert!(kept.keys().eq(again.keys()), "{kept:?}\n{again:?}");
        let plain = |frame: OwnedFrame| (frame.timestamp, frame.data);
        for (live, replayed) in kept.values().zip(again.values()) {
            let [live, replayed] = [live, replayed].map(|path| frames(path).into_iter().map(plain));
            assert!(live.eq(replayed));
        }
        // So nothing is damaged that was not, and what tests/evidence.rs proves of them holds here.
        for path in kept.values() {
            tshark_finds_it_well(path, &recorded);
        }
    });
}

/// Rules about messages: flows that are open end at another time in a replay. And none about clocks:
/// whether the sensor's is kept in step, a recording does not tell.
fn copy_rules(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/rules/iec104")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "iec104_time_skew.yml" {
            fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
    }
}

/// Wireshark reads it, shows no password, and takes nothing for damaged that it was not before.
fn tshark_finds_it_well(path: &Path, recorded: &Path) {
    let rows = |path: &Path, filter: &str| -> BTreeSet<String> {
        let mut command = Command::new("tshark");
        command.args(["-n", "-Y", filter, "-T", "fields", "-e", "frame.time_epoch", "-r"]);
        let output = command.arg(path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    };
    assert!(!rows(path, "frame").is_empty());
    let shown = rows(path, "mqtt.passwd && !(mqtt.passwd matches \"^[*]+$\")");
    assert!(shown.is_empty(), "{}: {shown:?}", path.display());
    let malformed = rows(path, "_ws.malformed");
    if !malformed.is_empty() {
        let before = rows(recorded, "_ws.malformed");
        assert!(malformed.is_subset(&before), "{}: {malformed:?}", path.display());
    }
}

#[test]
fn a_full_disk_costs_files_and_no_alert() {
    const NAME: &str = "evidence::a_full_disk_costs_files_and_no_alert";
    in_namespace(NAME, || {
        if world::part().as_deref() != Some("disk") {
            let own = ["unshare", "--mount", "--propagation", "private"];
            return again(&own, NAME, "disk");
        }
        cable("in", "out");
        let host = Host::new(
            "interfaces: [{interface: out}]\n\
             rules: [DIR/rule.yml]\n\
             outputs: [{type: file, path: DIR/eve.json}]\n\
             evidence: {directory: DIR/disk, after: 0s}\n",
        );
        fs::write(host.path("rule.yml"), rule("Alarm")).unwrap();
        let disk = host.path("disk");
        fs::create_dir(&disk).unwrap();
        run("mount", &format!("-t tmpfs -o size=4m none {}", disk.display()));
        fs::write(disk.join("ballast"), vec![0; (4 << 20) - (64 << 10)]).unwrap();
        let daemon = host.start();
        let mut sender = Sender::new("in");

        sender.send_all(&alarms(0, 100));
        handled(&daemon, 100 * FRAMES_OF_ALARM);
        let (written, failed) =
            ("gridtap_evidence_files_written_total", "gridtap_evidence_write_errors_total");
        let tried = |count: f64| {
            daemon.comes("the last file", || {
                let metrics = Metrics::now();
                let sum = metrics.value(written) + metrics.value(failed);
                (sum == count).then_some(metrics)
            })
        };
        let full = tried(100.0);
        assert!(full.value(written) > 0.0 && full.value(failed) > 50.0);
        assert_eq!(full.value("gridtap_evidence_cases_total"), 100.0);
        assert_eq!(full.value("gridtap_evidence_lost_cases_total"), 0.0);
        daemon.says("evidence cannot be written: No space left");

        fs::remove_file(disk.join("ballast")).unwrap();
        sender.send_all(&alarms(100, 100));
        handled(&daemon, 200 * FRAMES_OF_ALARM);
        let free = tried(200.0);
        assert_eq!(free.value(failed), full.value(failed));
        let files = files(&disk);
        assert_eq!(free.value(written), files.len() as f64);
        assert_eq!(free.value("gridtap_evidence_disk_bytes"), 4096.0 * files.len() as f64);
        daemon.end();

        let log = host.read("log");
        assert_eq!(log.matches("evidence cannot be written").count(), 1, "{log}");
        let records = records(&host.read("eve.json"));
        let alerts = alerts(&records);
        let named = named(&alerts);
        assert_eq!((alerts.len(), named.len()), (200, 200));
        assert!(files.keys().all(|file| named.contains(file)));
    });
}
