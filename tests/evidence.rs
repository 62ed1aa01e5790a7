//! `gridtap replay --evidence`: every alert names a file with the packets around it, and no password
//! is in any of them.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use common::{OwnedFrame, file, frames};
use gridtap::packet::{LinkType, Transport, decode};
use serde_json::Value;
use tempfile::TempDir;

const DEMO: &str = "pcaps/demo.pcap";

/// Who logs in with what in the demo: `pcaps/record.d`.
const LOGINS: &[(&str, &str)] = &[
    ("admin", "admin"),
    ("admin", "password"),
    ("root", "toor"),
    ("scada", "scada"),
    ("collector", "123456"),
    ("meter-4711", "4711"),
    ("guest", "guest"),
];

fn replay(folder: &Path, more: &[&str]) -> Output {
    replay_of(DEMO, folder, more)
}

fn replay_of(capture: &str, folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridtap"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["replay", capture, "--eve"]).arg(folder.join("eve.json"));
    command.arg("--evidence").arg(folder.join("evidence")).args(more).output().unwrap()
}

/// A replay that goes well: its folder, and the alerts.
fn replayed(more: &[&str]) -> (TempDir, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let output = replay(folder.path(), more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = std::fs::read_to_string(folder.path().join("eve.json")).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (alerts, others): (Vec<_>, Vec<_>) = lines.partition(|line| line["event_type"] == "alert");
    assert!(alerts.len() > 100);
    assert!(others.iter().all(|line| line.get("capture_file").is_none()), "only alerts have one");
    (folder, alerts)
}

/// The frames of each file.
fn files(folder: &TempDir) -> BTreeMap<String, Vec<OwnedFrame>> {
    let paths = common::files(&folder.path().join("evidence"));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), frames(path))).collect()
}

/// The ends of a frame's flow, in one order.
fn ends(frame: &OwnedFrame) -> BTreeSet<(String, u16)> {
    let packet = decode(LinkType::Ethernet, &frame.data).unwrap();
    let Transport::Tcp(tcp) = packet.transport else { panic!("{packet:?}") };
    let source = (packet.source.to_string(), tcp.source_port);
    [source, (packet.destination.to_string(), tcp.destination_port)].into()
}

/// As a CONNECT has them: each behind its length.
fn login((user, password): (&str, &str)) -> Vec<u8> {
    [user, password]
        .iter()
        .flat_map(|text| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat())
        .collect()
}

fn contains(frames: &[OwnedFrame], octets: &[u8]) -> bool {
    frames.iter().any(|frame| memchr::memmem::find(&frame.data, octets).is_some())
}

#[test]
fn every_alert_names_a_file_with_its_packet() {
    let (folder, alerts) = replayed(&[]);
    let (demo, files) = (frames(&file(DEMO)), files(&folder));
    let mut named = BTreeSet::new();
    let is_together = |alert: &&Value| alert["alert"]["category"] == "correlation";
    let (together, alerts): (Vec<_>, Vec<_>) = alerts.iter().partition(is_together);
    assert!(together.iter().all(|alert| alert.get("capture_file").is_none()), "it is of hits");
    for alert in &alerts {
        let name = alert["capture_file"].as_str().unwrap();
        let of_it = files.get(name).unwrap_or_else(|| panic!("{name} is not there"));
        let frame = &demo[alert["pcap_cnt"].as_u64().unwrap() as usize - 1];
        let is_it =
            |kept: &&OwnedFrame| kept.timestamp == frame.timestamp && ends(kept) == ends(frame);
        assert!(of_it.iter().any(|kept| is_it(&kept)), "{name} has not the packet of {alert}");
        assert!(of_it.iter().all(|kept| ends(kept) == ends(frame)), "{name} has other flows");
        named.insert(name);
    }
    assert_eq!(named.len(), files.len(), "files that no alert names");
    assert!(named.len() < alerts.len() / 4, "a file for each alert is too many");
}

#[test]
fn the_summary_tells_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let output = replay(folder.path(), &[]);
    let summary = String::from_utf8_lossy(&output.stdout);
    let evidence = folder.path().join("evidence");
    let count = common::files(&evidence).len();
    let told = format!("  evidence  {count} files in {}, ", evidence.display());
    assert!(count > 1 && summary.contains(&told), "{told} is not in\n{summary}");
}

#[test]
fn a_file_is_no_folder_for_evidence() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("evidence"), "precious").unwrap();
    let output = replay(folder.path(), &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(73), "{said}");
    assert!(said.contains("evidence: cannot be created: it is there, and no folder"), "{said}");
    assert!(!folder.path().join("eve.json").exists(), "nothing was done");
}

#[test]
fn frames_are_as_they_were_captured_but_for_passwords() {
    let (folder, _) = replayed(&[]);
    let demo = frames(&file(DEMO));
    let (mut equal, mut blanked) = (0, 0);
    for kept in files(&folder).values().flatten() {
        let same_time = demo.iter().filter(|frame| frame.timestamp == kept.timestamp);
        let mut same = same_time.filter(|frame| frame.data.len() == kept.data.len());
        let original = same.find(|frame| ends(frame) == ends(kept)).unwrap();
        if original.data == kept.data {
            equal += 1;
            continue;
        }
        // The field of the checksum, behind headers without options but those of TCP.
        let changed = original.data.iter().zip(&kept.data).enumerate();
        let changed = changed.filter(|(at, (one, other))| one != other && !(50..52).contains(at));
        let at: Vec<_> = changed.map(|(at, (_, blank))| (at, *blank)).collect();
        assert!(at.iter().all(|(at, blank)| *at > 66 && *blank == b'*'), "{at:?}");
        assert_eq!(original.data[66], 0x10, "another packet than a CONNECT");
        blanked += 1;
    }
    assert!(equal > 1000 && blanked >= 24, "{equal} {blanked}");
}

#[test]
fn no_password_is_in_any_file() {
    let demo = frames(&file(DEMO));
    let (folder, _) = replayed(&[]);
    let files = files(&folder);
    for pair in LOGINS {
        assert!(contains(&demo, &login(*pair)), "{pair:?} is not in the demo");
        let with = files.iter().find(|(_, frames)| contains(frames, &login(*pair)));
        assert!(with.is_none(), "{pair:?} is in {:?}", with.map(|(name, _)| name));
    }
    let (folder, _) = replayed(&["--set", "evidence.blank_passwords=false"]);
    let shown = self::files(&folder);
    assert_eq!(shown.keys().collect::<Vec<_>>(), files.keys().collect::<Vec<_>>());
    assert!(LOGINS.iter().all(|pair| shown.values().any(|of| contains(of, &login(*pair)))));
}

/// In the frames of a WebSocket it is masked, and the key stands beside it.
#[test]
fn no_password_is_in_any_frame_of_a_websocket() {
    const RULE: &str = "title: A client\nid: 7a0b7c2e-5b0c-4a53-9d5e-2f6c1d1f3b11\nlevel: low\n\
        logsource: {product: gridtap, service: mqtt}\n\
        detection: {client: {mqtt.carrier: websocket, mqtt.type: CONNECT}, condition: client}\n";
    /// Octets of a frame's header with a short length and a mask.
    const HEADER: usize = 6;
    let folder = tempfile::tempdir().unwrap();
    let rule = folder.path().join("rule.yml");
    std::fs::write(&rule, RULE).unwrap();
    let more = ["--rules", rule.to_str().unwrap()];
    let output = replay_of("pcaps/websocket.pcap", folder.path(), &more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut hidden = 0;
    for frame in files(&folder).values().flatten() {
        let packet = decode(frame.link, &frame.data).unwrap();
        let Transport::Tcp(tcp) = packet.transport else { panic!("{packet:?}") };
        let [0x82, _, key @ .., _, _] = tcp.payload.get(..HEADER + 2).unwrap_or_default() else {
            continue;
        };
        let masked = &tcp.payload[HEADER..];
        let plain: Vec<u8> =
            masked.iter().zip(key.iter().cycle()).map(|(octet, key)| octet ^ key).collect();
        if tcp.destination_port != 9001 || plain[0] != 0x10 {
            continue;
        }
        let user = memchr::memmem::rfind(&plain, b"collector").expect("who it is");
        let password = &masked[user + b"collector".len() + 2..];
        assert!([5, 9].contains(&password.len()), "{password:?}");
        assert!(password.iter().all(|octet| *octet == b'*'), "{password:?}");
        hidden += 1;
    }
    assert_eq!(hidden, 3, "CONNECTs");
}

/// Wireshark reads the files, their checksums are right, and rules stand at the packets.
#[test]
fn tshark_reads_them() {
    let (folder, alerts) = replayed(&[]);
    let fields = ["mqtt.passwd", "tcp.checksum.status", "frame.comment"];
    let (mut passwords, mut comments) = (0, 0);
    for path in common::files(&folder.path().join("evidence")) {
        let mut command = Command::new("tshark");
        command.args(["-o", "tcp.check_checksum:TRUE", "-T", "fields", "-r"]).arg(&path);
        command.args(fields.iter().flat_map(|field| ["-e", field]));
        let output = match command.output() {
            Ok(output) => output,
            Err(error) => return println!("skipped: tshark: {error}"),
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let mut columns = line.split('\t');
            let [password, checksum, comment] =
                [(); 3].map(|()| columns.next().unwrap_or_default());
            assert!(password.bytes().all(|octet| octet == b'*'), "{password}");
            assert_eq!(checksum, "1", "{line}");
            passwords += usize::from(!password.is_empty());
            comments += usize::from(!comment.is_empty());
        }
    }
    assert!(
        passwords >= 24 && comments > 100 && comments <= alerts.len(),
        "{passwords} {comments}"
    );
}

/// On a disk that is full the replay goes on, and tells at its end.
#[test]
fn a_full_disk_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=64k none evidence && exec \"$@\"";
    let unshare = ["--mount", "--propagation", "private", "sh", "-c"];
    std::fs::create_dir(folder.path().join("evidence")).unwrap();
    let run = |program: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(unshare).args([script, "sh"]).args(program).current_dir(folder.path());
        command.output()
    };
    if !run(&["true"]).is_ok_and(|probe| probe.status.success()) {
        return println!("skipped: only root may mount a file system");
    }
    let demo = file(DEMO);
    let output = run(&[
        env!("CARGO_BIN_EXE_gridtap"),
        "replay",
        demo.to_str().unwrap(),
        "--eve",
        "eve.json",
        "--evidence",
        "evidence",
    ])
    .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{told}");
    assert!(told.contains("evidence") && told.contains("No space"), "{told}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("Alerts: "));
    let lines = std::fs::read_to_string(folder.path().join("eve.json")).unwrap();
    assert!(lines.contains("\"stats\"") && lines.contains("\"capture_file\""));
}
