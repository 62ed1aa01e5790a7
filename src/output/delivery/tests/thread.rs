use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::super::{ChangeKind, Chunk, Delivery, Failure, Limits, Lines, Options, Spool, Target};
use super::{alert_of, chunk, texts};

/// Far longer than anything here takes: a test that waits so long has failed.
const LONG: Duration = Duration::from_secs(30);

/// What a target is to do when it is asked to write next.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Take(usize),
    Busy,
    Break,
}
use Answer::{Break, Busy, Take};

/// A target that waits for an answer at each write. When there is nobody to answer any more, it
/// takes everything.
#[derive(Debug)]
struct Puppet {
    asked: Sender<Vec<String>>,
    answers: Receiver<Answer>,
    in_doubt: Duration,
}

impl Target for Puppet {
    fn write(&mut self, lines: &mut Lines) -> Result<(), Failure> {
        let _ = self.asked.send(texts(lines));
        match self.answers.recv().unwrap_or(Take(usize::MAX)) {
            Take(count) => {
                lines.take(count.min(texts(lines).len()));
                if lines.is_empty() { Ok(()) } else { Err(Failure::Busy) }
            }
            Busy => Err(Failure::Busy),
            Break => Err(Failure::Broken(io::Error::other("unplugged"))),
        }
    }

    fn in_doubt(&self) -> Duration {
        self.in_doubt
    }
}

/// An output with a puppet at its end.
struct Stage {
    delivery: Delivery,
    asked: Receiver<Vec<String>>,
    answers: Sender<Answer>,
    changes: Receiver<ChangeKind>,
}

impl Stage {
    fn new(limits: Limits, spool: Option<&TempDir>, in_doubt: Duration) -> Self {
        let (asked, written) = channel();
        let (answers, answered) = channel();
        let (told, changes) = channel();
        let target = Puppet { asked, answers: answered, in_doubt };
        let options = Options {
            name: "test".into(),
            limits,
            listener: Arc::new(move |change| drop(told.send(change.kind.clone()))),
        };
        let spool = spool.map(|folder| Spool::open(folder.path(), 1 << 20).unwrap());
        let delivery = Delivery::start(options, Box::new(target), spool).unwrap();
        Self { delivery, asked: written, answers, changes }
    }

    fn with_spool(folder: &TempDir) -> Self {
        Self::new(Limits::default(), Some(folder), Duration::ZERO)
    }

    /// Waits until the target is asked to write, and answers.
    fn asked(&self, answer: Answer) -> Vec<String> {
        let lines = self.asked.recv_timeout(LONG).unwrap();
        self.answers.send(answer).unwrap();
        lines
    }

    fn told(&self) -> ChangeKind {
        self.changes.recv_timeout(LONG).unwrap()
    }

    /// Everything is taken from now on. Returns all lines in the order in which they were taken.
    fn finish(self) -> (Vec<String>, super::super::Finished) {
        drop(self.answers);
        let finished = self.delivery.finish(Instant::now() + LONG);
        assert!(finished.in_time);
        (self.asked.iter().flatten().collect(), finished)
    }
}

#[test]
fn lines_come_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::with_spool(&folder);
    for number in 0..100 {
        stage.delivery.offer(&chunk(&[&format!("{number}"), &format!("!{number}")]));
    }
    let (lines, finished) = stage.finish();
    let expected: Vec<_> = (0..100).flat_map(|n| [format!("{n}"), format!("!{n}")]).collect();
    // A queue that was more than half full would have sheltered some.
    assert_eq!(lines, expected);
    assert_eq!((finished.counters.written_lines, finished.counters.spooled_alerts), (200, 0));
    // Digits, exclamation marks, line feeds.
    assert_eq!(finished.counters.written_octets, 2 * 190 + 100 + 200);
}

#[test]
fn a_slow_receiver_never_blocks_who_offers() {
    let limits = Limits { chunks: 64, octets: 8 * 1024, reserve: 16 * 1024, stall: LONG };
    let stage = Stage::new(limits, None, Duration::ZERO);
    stage.delivery.offer(&chunk(&["the first one blocks the thread"]));
    stage.asked.recv_timeout(LONG).unwrap();
    let begin = Instant::now();
    for number in 0..10_000 {
        stage.delivery.offer(&chunk(&["record", &format!("!{number}")]));
    }
    assert!(begin.elapsed() < LONG / 3, "{:?}", begin.elapsed());
    let counters = stage.delivery.counters();
    assert!(counters.queue_octets as usize <= limits.octets + limits.reserve);
    stage.answers.send(Take(1)).unwrap();
    let (_, finished) = stage.finish();
    let counters = finished.counters;
    assert_eq!(counters.offered_lines, 20_001);
    let gone = counters.dropped_records + counters.lost_alerts;
    assert_eq!(counters.written_lines + gone, 20_001);
    assert!(counters.dropped_records > 9_000 && counters.lost_alerts > 0);
    assert!(counters.lost_alerts < counters.dropped_records, "alerts have a reserve");
    assert_eq!((counters.queue_chunks, counters.queue_octets), (0, 0));
}

#[test]
fn a_failed_target_is_told_once_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::with_spool(&folder);
    stage.delivery.offer(&chunk(&["1", "!2", "3"]));
    assert_eq!(stage.asked(Break), ["1", "!2", "3"]);
    assert_eq!(stage.told(), ChangeKind::Failed("unplugged".into()));
    // The records wait in the queue, the alert in the spool.
    let mut asked = Vec::new();
    for _ in 0..4 {
        stage.delivery.reopen();
        asked.push(stage.asked(Break));
    }
    asked.sort();
    asked.dedup();
    assert_eq!(asked, [vec!["!2".to_owned()], vec!["1".into(), "3".into()]]);
    assert!(!stage.delivery.counters().well);
    stage.delivery.offer(&chunk(&["!4"]));
    stage.delivery.reopen();
    let mut taken = Vec::new();
    while taken.len() < 4 {
        taken.extend(stage.asked(Take(usize::MAX)));
    }
    assert_eq!(stage.told(), ChangeKind::Recovered);
    taken.sort();
    assert_eq!(taken, ["!2", "!4", "1", "3"]);
    let (_, finished) = stage.finish();
    assert!(finished.counters.well);
    assert_eq!((finished.counters.reconnects, finished.counters.errors), (1, 5));
    assert_eq!((finished.counters.spooled_alerts, finished.counters.spool_octets), (2, 0));
}

#[test]
fn alerts_in_doubt_are_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::new(Limits::default(), Some(&folder), LONG);
    stage.delivery.offer(&chunk(&["!1", "2"]));
    assert_eq!(stage.asked(Take(usize::MAX)), ["!1", "2"]);
    stage.delivery.offer(&chunk(&["3", "!4"]));
    assert_eq!(stage.asked(Break), ["3", "!4"]);
    assert_eq!(stage.told(), ChangeKind::Failed("unplugged".into()));
    stage.delivery.reopen();
    let mut again = stage.asked(Take(usize::MAX));
    again.extend(stage.asked(Take(usize::MAX)));
    again.sort();
    assert_eq!(again, ["!1", "!4", "3"]);
}

#[test]
fn a_busy_receiver_gets_the_rest_of_the_same_lines() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::with_spool(&folder);
    stage.delivery.offer(&chunk(&["1", "!2", "!3"]));
    stage.delivery.offer(&chunk(&["!4"]));
    assert_eq!(stage.asked(Take(1)), ["1", "!2", "!3"]);
    assert_eq!(stage.asked(Busy), ["!2", "!3"]);
    assert_eq!(stage.asked(Busy), ["!2", "!3"]);
    assert_eq!(stage.asked(Take(2)), ["!2", "!3"]);
    assert_eq!(stage.asked(Take(1)), ["!4"]);
    let (_, finished) = stage.finish();
    assert_eq!(finished.counters.written_lines, 4);
    assert_eq!(finished.counters.spooled_alerts, 1, "!4 was sheltered meanwhile");
    assert_eq!(finished.counters.errors, 0);
}

#[test]
fn a_receiver_that_takes_nothing_is_taken_for_dead() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { stall: Duration::ZERO, ..Limits::default() };
    let stage = Stage::new(limits, Some(&folder), Duration::ZERO);
    stage.delivery.offer(&chunk(&["!1", "2"]));
    stage.asked(Busy);
    assert!(matches!(stage.told(), ChangeKind::Failed(reason) if reason.contains("nothing")));
    let finished = stage.delivery.finish(Instant::now() + LONG);
    assert_eq!((finished.counters.spooled_alerts, finished.counters.unfinished_records), (1, 1));
}

#[test]
fn dropping_is_told_when_it_begins_and_when_it_ends() {
    let limits = Limits { chunks: 2, ..Limits::default() };
    let stage = Stage::new(limits, None, Duration::ZERO);
    for _ in 0..10 {
        stage.delivery.offer(&chunk(&["record"]));
    }
    let asked = stage.asked(Take(1));
    assert_eq!(asked, ["record"]);
    assert_eq!(stage.told(), ChangeKind::Dropping);
    // The chunk being written, and those in the queue.
    while stage.delivery.counters().queue_chunks > 0 {
        stage.asked(Take(1));
    }
    stage.delivery.offer(&chunk(&["later"]));
    stage.answers.send(Take(1)).unwrap();
    stage.answers.send(Take(1)).unwrap();
    assert_eq!(stage.told(), ChangeKind::DroppingEnded);
    let (_, finished) = stage.finish();
    let counters = finished.counters;
    assert_eq!(counters.written_lines + counters.dropped_records, 11);
}

#[test]
fn what_is_not_written_at_the_end_waits_for_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::with_spool(&folder);
    stage.delivery.offer(&chunk(&["1", "!2"]));
    stage.asked(Break);
    assert_eq!(stage.told(), ChangeKind::Failed("unplugged".into()));
    stage.delivery.offer(&chunk(&["!3", "4"]));
    let finished = stage.delivery.finish(Instant::now() + LONG);
    assert!(finished.in_time);
    assert_eq!(finished.counters.unfinished_records, 2);
    assert_eq!((finished.counters.lost_alerts, finished.counters.spooled_alerts), (0, 2));

    let stage = Stage::with_spool(&folder);
    assert_eq!(stage.asked(Take(2)), ["!2", "!3"]);
    let (again, _) = stage.finish();
    assert!(again.is_empty());
}

#[test]
fn a_spool_that_lets_alerts_go_says_so_once() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::with_spool(&folder);
    // However often it is tried again.
    for _ in 0..1000 {
        stage.answers.send(Break).unwrap();
    }
    stage.delivery.offer(&chunk(&["!1"]));
    assert_eq!(stage.told(), ChangeKind::Failed("unplugged".into()));
    for number in 0..3000 {
        stage.delivery.offer(&alert_of(990, number));
    }
    assert_eq!(stage.told(), ChangeKind::SpoolFull);
    let finished = stage.delivery.finish(Instant::now() + LONG);
    assert!(finished.counters.spool_dropped_alerts > 1000);
    assert!(stage.changes.try_recv().is_err());
}

#[test]
fn a_target_that_hangs_does_not_hold_up_the_end() {
    let stage = Stage::new(Limits::default(), None, Duration::ZERO);
    stage.delivery.offer(&chunk(&["!1"]));
    stage.asked.recv_timeout(LONG).unwrap();
    let begin = Instant::now();
    let finished = stage.delivery.finish(begin + Duration::from_millis(20));
    assert!(!finished.in_time);
    assert!(begin.elapsed() < LONG / 3);
}

#[test]
fn a_spool_that_fails_leaves_alerts_in_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::with_spool(&folder);
    std::fs::remove_dir_all(folder.path()).unwrap();
    stage.delivery.offer(&chunk(&["!1"]));
    stage.asked(Break);
    assert_eq!(stage.told(), ChangeKind::Failed("unplugged".into()));
    assert!(matches!(stage.told(), ChangeKind::SpoolFailed(_)));
    stage.delivery.reopen();
    assert_eq!(stage.asked(Take(1)), ["!1"]);
    assert_eq!(stage.told(), ChangeKind::Recovered);
    std::fs::create_dir(folder.path()).unwrap();
}

#[test]
fn a_chunk_larger_than_the_queue_has_room_in_an_empty_one() {
    let limits = Limits { chunks: 4, octets: 100, reserve: 50, stall: LONG };
    let stage = Stage::new(limits, None, Duration::ZERO);
    let huge: Arc<Chunk> = alert_of(1000, 1);
    stage.delivery.offer(&huge);
    let (lines, finished) = stage.finish();
    assert_eq!((lines.len(), finished.counters.written_octets), (1, 1000));
}
