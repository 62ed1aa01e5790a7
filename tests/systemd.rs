//! The units that are shipped: valid, as hardened as promised, and fitting what the program asks.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;

/// The exposure that `systemd-analyze security` may find, in tenths: 10 is the worst.
const PROMISED_EXPOSURE: &str = "15";

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(shipped(path)).unwrap()
}

/// The units as they would be installed, with these drop-ins, and this program in the place of the
/// installed one.
fn installed(drop_ins: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let service =
        read("gridtap.service").replace("/usr/bin/gridtap", env!("CARGO_BIN_EXE_gridtap"));
    fs::write(folder.path().join("gridtap.service"), service).unwrap();
    fs::write(folder.path().join("gridtap.socket"), read("gridtap.socket")).unwrap();
    let beside = folder.path().join("gridtap.service.d");
    fs::create_dir(&beside).unwrap();
    for drop_in in drop_ins {
        fs::write(beside.join(drop_in), read(&format!("examples/{drop_in}"))).unwrap();
    }
    folder
}

/// Runs one of systemd's programs; `None`, and says so, if it is not there.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("skipped: {program} is not installed");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

#[track_caller]
fn assert_silent(output: &Output) {
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{}: {said}", output.status);
}

fn verify(drop_ins: &[&str]) {
    let folder = installed(drop_ins);
    for unit in ["gridtap.service", "gridtap.socket"] {
        let unit = folder.path().join(unit);
        let arguments = ["verify", "--man=no", unit.to_str().unwrap()];
        if let Some(output) = run("systemd-analyze", &arguments) {
            assert_silent(&output);
        }
    }
}

#[test]
fn units_are_valid() {
    verify(&[]);
}

#[test]
fn units_are_valid_with_every_example() {
    verify(&["interfaces.conf", "network-outputs.conf", "token.conf"]);
}

fn is_within(exposure: &str, drop_ins: &[&str]) -> Option<(bool, String)> {
    let folder = installed(drop_ins);
    let unit = folder.path().join("gridtap.service");
    let threshold = format!("--threshold={exposure}");
    let arguments = ["security", "--offline=true", "--no-pager", &threshold];
    let output = run("systemd-analyze", &[&arguments[..], &[unit.to_str().unwrap()]].concat())?;
    Some((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[test]
fn the_service_is_as_hardened_as_promised() {
    for drop_ins in [&[][..], &["interfaces.conf", "token.conf"]] {
        if let Some((is_within, table)) = is_within(PROMISED_EXPOSURE, drop_ins) {
            assert!(is_within, "{table}");
        }
    }
    // The scale is as we think: nothing is as safe as that.
    if let Some((is_within, table)) = is_within("1", &[]) {
        assert!(!is_within, "{table}");
    }
}

#[test]
fn the_user_is_made_and_owns_its_folders() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    let below = format!("--root={}", root.path().display());
    let sysusers = shipped("gridtap.sysusers");
    let Some(made) = run("systemd-sysusers", &[&below, sysusers.to_str().unwrap()]) else { return };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let users = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    assert!(users.contains("gridtap network sensor:/var/lib/gridtap:/usr/sbin/nologin"), "{users}");

    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root makes folders for others");
        return;
    }
    let tmpfiles = shipped("gridtap.tmpfile");
    let arguments = ["--create", &below, tmpfiles.to_str().unwrap()];
    let Some(made) = run("systemd-tmpfiles", &arguments) else { return };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for folder in ["etc/gridtap/rules", "var/lib/gridtap", "var/log/gridtap", "run/gridtap"] {
        assert!(root.path().join(folder).is_dir(), "{folder}");
    }
}

#[test]
fn the_unit_allows_what_the_program_asks_and_no_more() {
    let service = read("gridtap.service");
    let values = |key: &str| -> Vec<&str> {
        service.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
    };
    assert_eq!(values("RestrictAddressFamilies"), ["AF_PACKET AF_NETLINK AF_UNIX"]);
    for capabilities in ["AmbientCapabilities", "CapabilityBoundingSet"] {
        assert_eq!(values(capabilities), ["CAP_NET_RAW"]);
    }
    assert_eq!(values("Type"), ["notify"]);
    // A reload is checked before it is tried.
    let reload = values("ExecReload");
    assert!(reload[0].contains("gridtap check") && reload[1].contains("-HUP"), "{reload:?}");
    // The name by which the daemon looks for its socket.
    assert!(read("gridtap.socket").contains("\nFileDescriptorName=http\n"));
    assert!(read("gridtap.socket").contains("\nListenStream=127.0.0.1:"));
}

/// systemd's sets of system calls, as it lists them.
fn sets(listing: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut sets = BTreeMap::new();
    let mut members: &mut Vec<&str> = &mut Vec::new();
    for line in listing.lines().filter(|line| !line.trim_start().starts_with('#')) {
        match line.trim_start() {
            "" => {}
            name if name == line => members = sets.entry(name).or_default(),
            name => members.push(name),
        }
    }
    sets
}

/// Adds a call, or all those of a set and of the sets in it.
fn expand<'a>(sets: &BTreeMap<&str, Vec<&'a str>>, name: &'a str, calls: &mut BTreeSet<&'a str>) {
    match sets.get(name) {
        Some(members) => members.iter().for_each(|member| expand(sets, member, calls)),
        None => drop(calls.insert(name)),
    }
}

/// A call that the daemon's own filters allow and the unit's does not would fail only where systemd
/// runs, and here it does not.
#[test]
fn the_unit_allows_every_system_call_that_the_daemon_makes() {
    let Some(listing) = run("systemd-analyze", &["syscall-filter", "--no-pager"]) else { return };
    let listing = String::from_utf8(listing.stdout).unwrap();
    let sets = sets(&listing);
    let service = read("gridtap.service");
    let mut allowed = BTreeSet::new();
    for line in service.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let mut named = BTreeSet::new();
        let names = line.trim_start_matches('~').split(' ');
        names.for_each(|name| expand(&sets, name, &mut named));
        if line.starts_with('~') {
            allowed.retain(|call| !named.contains(call));
        } else {
            allowed.extend(named);
        }
    }
    assert!(allowed.contains("read") && !allowed.contains("mount"), "{allowed:?}");

    let filters = include_str!("../src/daemon/sandbox/syscall.rs");
    let (filters, _) = filters.split_once("const KILLING").unwrap();
    let call = Regex::new(r"\bSYS_([a-z0-9_]+)").unwrap();
    let refused: BTreeSet<_> = call
        .captures_iter(filters)
        .map(|found| found.extract::<1>().1[0])
        .filter(|call| !allowed.contains(call))
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
}
