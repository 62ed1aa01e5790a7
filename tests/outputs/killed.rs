//! `kill -9` of a process that spools.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write, stdout};
use std::process::Stdio;

use gridtap::output::delivery::{Spool, UnixStreamTarget};

use super::children::{child, folder};
use super::{LONG, Output, chunk, eve_lines, lines_of};

const LIMIT: u64 = 64 << 20;

#[test]
#[ignore = "the child of another test"]
fn spools_until_it_is_killed() {
    let Some(folder) = folder() else { return };
    let mut spool = Spool::open(&folder, LIMIT).unwrap();
    for round in 0.. {
        let alerts = super::alerts(&eve_lines(&format!("{}-{round}", std::process::id()), 7));
        spool.append(&chunk(&alerts)).unwrap();
        spool.commit().unwrap();
        // Now it is promised: the parent hears of it.
        let mut report = Vec::new();
        for alert in &alerts {
            writeln!(report, "spooled {alert}").unwrap();
        }
        // Some are taken: the receiver has them before that is noted.
        let oldest = spool.read().unwrap().unwrap();
        let taken: Vec<_> = lines_of(oldest.octets()).into_iter().take(5).collect();
        for alert in &taken {
            writeln!(report, "taken {alert}").unwrap();
        }
        stdout().write_all(&report).unwrap();
        spool.taken(taken.len()).unwrap();
    }
}

/// Killed again and again, at moments that differ: each alert whose commit returned was taken, or is
/// still there.
#[test]
fn no_alert_in_the_spool_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spooled, mut taken) = (HashSet::new(), HashSet::new());
    for life in 0..12 {
        let mut child = child(&[], "killed::spools_until_it_is_killed", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).split(b'\n');
        let mut note = |line: Vec<u8>| {
            let line = String::from_utf8(line).unwrap();
            // The first one stands behind the name of the test.
            let begin = line.find("spooled {").or_else(|| line.find("taken {"));
            match begin.and_then(|begin| line[begin..].split_once(' ')) {
                Some(("spooled", alert)) => spooled.insert(alert.to_owned()),
                Some(("taken", alert)) => taken.insert(alert.to_owned()),
                _ => false,
            };
        };
        for _ in 0..40 + 37 * life {
            note(lines.next().unwrap().unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died; the last line may be half a one, and is no promise then.
        let rest: Vec<_> = lines.map(Result::unwrap).collect();
        rest.into_iter().filter(|line| line.ends_with(b"}")).for_each(&mut note);
    }
    assert!(spooled.len() > 1000 && taken.len() > 100, "{} {}", spooled.len(), taken.len());

    // The next start delivers the rest.
    let sockets = tempfile::tempdir().unwrap();
    let path = sockets.path().join("eve.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let output = Output::start(UnixStreamTarget::new(&path), Some(&folder));
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut missing: HashSet<_> = spooled.difference(&taken).cloned().collect();
    while !missing.is_empty() {
        let line = lines.next().unwrap().unwrap();
        missing.remove(&line);
    }
    let reader = std::thread::spawn(move || lines.count());
    let counters = output.finish().counters;
    reader.join().unwrap();
    assert_eq!((counters.lost_alerts, counters.spool_dropped_alerts), (0, 0));
}
