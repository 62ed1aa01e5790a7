//! A disk without room: a tmpfs of a few KiB in a mount namespace of the test's own.

use std::fs;
use std::process::Command;

use gridtap::output::delivery::{ChangeKind, FileOptions, FileTarget, Spool};

use super::children::{child, folder};
use super::{Output, alerts, chunk, eve_lines, lines_of};

/// Runs a test of this file where the folder is such a disk.
fn on_a_small_disk(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    let probe = ["--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none"];
    let can = Command::new("unshare").args(probe).arg(folder.path()).output();
    if !can.is_ok_and(|probe| probe.status.success()) {
        println!("skipped: only root may mount a file system");
        return;
    }
    let script = r#"mount -t tmpfs -o size=64k none "$GRIDTAP_TEST_FOLDER" && exec "$@""#;
    let wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"];
    let ran = child(&wrapper, test, folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_full_disk_leaves_no_half_line() {
    on_a_small_disk("full_disk::file_on_a_small_disk");
}

#[test]
#[ignore = "the child of another test"]
fn file_on_a_small_disk() {
    let Some(folder) = folder() else { return };
    // Not a multiple of a page is left, so that a write ends within a line.
    fs::write(folder.join("ballast"), vec![0; 30_000]).unwrap();
    let path = folder.join("eve.json");
    let spool = tempfile::tempdir().unwrap();
    let target = FileTarget::open(FileOptions::new(&path)).unwrap();
    let output = Output::start(target, Some(&spool));
    let lines = eve_lines("a", 300);
    for part in lines.chunks(100) {
        output.offer(part);
    }
    let ChangeKind::Failed(reason) = output.told() else { panic!() };
    assert!(reason.contains("No space"), "{reason}");
    let file = fs::read_to_string(&path).unwrap();
    assert!(file.ends_with('\n') && file.len() > 20_000, "{}", file.len());
    let before = file.lines().count();

    // Room again: what waited in the queue and in the spool comes, each line once.
    fs::remove_file(folder.join("ballast")).unwrap();
    output.delivery.reopen();
    assert_eq!(output.told(), ChangeKind::Recovered);
    let counters = output.finish().counters;
    let file = fs::read_to_string(&path).unwrap();
    assert!(file.ends_with('\n') && file.lines().count() > before);
    let mut written: Vec<_> = file.lines().collect();
    written.sort_unstable();
    let mut offered: Vec<_> = lines.iter().map(String::as_str).collect();
    offered.sort_unstable();
    assert!(written == offered);
    assert_eq!((counters.written_lines, counters.reconnects), (lines.len() as u64, 1));
    assert_eq!((counters.dropped_records, counters.lost_alerts), (0, 0));
}

#[test]
fn a_spool_on_a_full_disk_tells_and_goes_on() {
    on_a_small_disk("full_disk::spool_on_a_small_disk");
}

#[test]
#[ignore = "the child of another test"]
fn spool_on_a_small_disk() {
    let Some(folder) = folder() else { return };
    let mut spool = Spool::open(&folder.join("spool"), 1 << 20).unwrap();
    let mut promised = Vec::new();
    let mut rounds = 0..;
    let mut fill = |spool: &mut Spool, promised: &mut Vec<String>| loop {
        let lines = alerts(&eve_lines(&format!("{}", rounds.next().unwrap()), 11));
        if let Err(error) = spool.append(&chunk(&lines)).and_then(|()| spool.commit()) {
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
            return;
        }
        promised.extend(lines);
    };
    fill(&mut spool, &mut promised);
    fill(&mut spool, &mut promised);
    assert!(promised.len() > 100);
    let mut taken = Vec::new();
    while let Some(lines) = spool.read().unwrap() {
        let before = taken.len();
        taken.extend(lines_of(lines.octets()));
        spool.taken(taken.len() - before).unwrap();
    }
    assert_eq!(taken, promised);
    assert_eq!(spool.tally().damages, 0, "what had no room was cut off");
    // Empty: there is room again.
    promised.clear();
    fill(&mut spool, &mut promised);
    assert!(promised.len() > 100);
}
