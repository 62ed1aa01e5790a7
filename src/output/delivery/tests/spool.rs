use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::{Spool, Tally};
use super::{alert_of, chunk, texts};

const LIMIT: u64 = 1 << 20;

fn open(folder: &TempDir) -> Spool {
    Spool::open(folder.path(), LIMIT).unwrap()
}

fn put(spool: &mut Spool, lines: &[&str]) {
    spool.append(&chunk(lines)).unwrap();
    spool.commit().unwrap();
}

/// Takes everything, in batches.
fn drain(spool: &mut Spool) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(lines) = spool.read().unwrap() {
        let batch = texts(&lines);
        spool.taken(batch.len()).unwrap();
        all.extend(batch);
    }
    all
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "spool"));
    paths.sort();
    paths
}

#[test]
fn alerts_come_back_in_order_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder);
    put(&mut spool, &["!1", "no alert", "!2"]);
    put(&mut spool, &["!3"]);
    drop(spool);
    let mut spool = open(&folder);
    put(&mut spool, &["!4"]);
    assert_eq!(drain(&mut spool), ["!1", "!2", "!3", "!4"]);
    assert!(spool.is_empty() && spool.octets() == 0 && segments(folder.path()).is_empty());
    assert_eq!(spool.tally(), Tally::default());
}

#[test]
fn what_was_taken_does_not_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder);
    put(&mut spool, &["!1", "!2", "!3"]);
    assert_eq!(texts(&spool.read().unwrap().unwrap()), ["!1", "!2", "!3"]);
    spool.taken(1).unwrap();
    assert_eq!(texts(&spool.read().unwrap().unwrap()), ["!2", "!3"]);
    spool.taken(1).unwrap();
    drop(spool);
    assert_eq!(drain(&mut open(&folder)), ["!3"]);
    assert_eq!(drain(&mut open(&folder)), Vec::<String>::new());
}

#[test]
fn it_is_written_while_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder);
    put(&mut spool, &["!1", "!2"]);
    assert_eq!(texts(&spool.read().unwrap().unwrap()), ["!1", "!2"]);
    put(&mut spool, &["!3"]);
    spool.taken(2).unwrap();
    put(&mut spool, &["!4"]);
    assert_eq!(drain(&mut spool), ["!3", "!4"]);
}

#[test]
fn the_oldest_leave_a_full_spool() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder);
    let count = 3 * LIMIT as usize / 1000;
    for number in 0..count {
        spool.append(&alert_of(990, number)).unwrap();
        assert!(spool.octets() <= LIMIT);
    }
    spool.commit().unwrap();
    let on_disk: u64 = segments(folder.path()).iter().map(|p| p.metadata().unwrap().len()).sum();
    assert!(on_disk <= LIMIT && on_disk > LIMIT * 3 / 4, "{on_disk}");
    let left = drain(&mut spool);
    assert_eq!(left.len() as u64 + spool.tally().dropped, count as u64);
    assert!(left.last().unwrap().starts_with(&format!("!{} ", count - 1)));
    assert!(
        left.is_sorted_by_key(|line| line[1..].split(' ').next().unwrap().parse::<u32>().unwrap())
    );
}

#[test]
fn what_is_read_still_comes_when_its_segment_has_to_leave() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder);
    put(&mut spool, &["!first"]);
    assert_eq!(texts(&spool.read().unwrap().unwrap()), ["!first"]);
    for number in 0..2 * LIMIT as usize / 1000 {
        spool.append(&alert_of(990, number)).unwrap();
    }
    assert_eq!(texts(&spool.read().unwrap().unwrap()), ["!first"]);
    spool.taken(1).unwrap();
    let left = drain(&mut spool).len() as u64;
    assert_eq!(left + spool.tally().dropped, 2 * LIMIT / 1000);
}

#[test]
fn an_alert_larger_than_the_spool_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder);
    spool.append(&alert_of(LIMIT as usize, 0)).unwrap();
    assert!(spool.is_empty());
    assert_eq!(spool.tally().dropped, 1);
}

#[test]
fn a_segment_that_is_gone_costs_itself() {
    let folder = tempfile::tempdir().unwrap();
    put(&mut open(&folder), &["!1"]);
    fs::write(folder.path().join("2.spool"), "not one of ours").unwrap();
    let mut spool = open(&folder);
    put(&mut spool, &["!3"]);
    fs::remove_file(&segments(folder.path())[0]).unwrap();
    assert_eq!(drain(&mut spool), ["!3"]);
    assert_eq!(spool.tally().damages, 1);
    assert!(folder.path().join("2.spool").exists());
}

#[test]
fn a_second_process_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(&folder);
    let error = Spool::open(folder.path(), LIMIT).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ResourceBusy);
}

#[test]
fn a_torn_tail_is_cut_off_wherever_it_is_torn() {
    let written = tempfile::tempdir().unwrap();
    put(&mut open(&written), &["!1", "!2", "!3"]);
    let whole = fs::read(&segments(written.path())[0]).unwrap();
    for length in 0..whole.len() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("00000000000000000001.spool"), &whole[..length]).unwrap();
        let mut spool = open(&folder);
        put(&mut spool, &["!4"]);
        let lines = drain(&mut spool);
        // The head of 32 octets, then records of 10 octets and a line.
        let records = length.saturating_sub(32) / 13;
        assert_eq!(lines, [&["!1", "!2", "!3"][..records], &["!4"]].concat());
        assert!(segments(folder.path()).is_empty());
    }
}

proptest! {
    // Each case waits for the disk a few times.
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens to the files: no panic, no line that was not put in, and of each segment
    /// that is untouched every line.
    #[test]
    fn damage_costs_what_it_hits(
        damages in prop::collection::vec((0_usize..4, 0.0..1.0_f64, any::<u8>(), any::<bool>()), 1..8),
    ) {
        let folder = tempfile::tempdir().unwrap();
        for segment in 0..4 {
            // Each run begins a segment of its own.
            let lines: Vec<_> = (0..20).map(|line| format!("!{segment} {line}")).collect();
            put(&mut open(&folder), &lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let paths = segments(folder.path());
        prop_assert_eq!(paths.len(), 4);
        let mut touched = HashSet::new();
        for (segment, place, value, cut) in damages {
            let mut octets = fs::read(&paths[segment]).unwrap();
            let at = (octets.len() as f64 * place) as usize;
            if cut {
                octets.truncate(at);
            } else if let Some(octet) = octets.get_mut(at) {
                *octet = value;
            }
            fs::write(&paths[segment], octets).unwrap();
            touched.insert(segment);
        }
        let left = drain(&mut open(&folder));
        let mut expected = (0..4).flat_map(|segment| (0..20).map(move |line| (segment, line)));
        for line in &left {
            // In order, and each at most once.
            prop_assert!(expected.any(|(s, l)| *line == format!("!{s} {l}")), "{}", line);
        }
        for segment in (0..4).filter(|segment| !touched.contains(segment)) {
            let start = format!("!{segment} ");
            prop_assert_eq!(left.iter().filter(|line| line.starts_with(&start)).count(), 20);
        }
    }

    /// Files of chance and of lures.
    #[test]
    fn any_octets_are_survived(
        octets in prop::collection::vec(prop_oneof![Just(0x1e_u8), Just(0), Just(4), any::<u8>()], 0..600),
    ) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("00000000000000000007.spool"), octets).unwrap();
        let mut spool = open(&folder);
        put(&mut spool, &["!after"]);
        prop_assert_eq!(drain(&mut spool), ["!after"]);
    }
}
