//! Outputs against receivers of the real kind: files on a full disk, Unix sockets, syslog over UDP and
//! TCP; and a spool whose process is killed.
//!
//! Nothing here waits for time to pass: every wait ends with an event, or fails the test.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so, a child reports so")]

mod children;
mod full_disk;
mod killed;
mod syslog;
mod unix;

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use gridtap::output::delivery::{
    ChangeKind, Chunk, Delivery, Finished, Limits, Options, Spool, Target,
};
use gridtap::rule::Level;
use tempfile::TempDir;

/// Far longer than anything here takes: a test that waits so long has failed.
const LONG: Duration = Duration::from_secs(60);

/// A running output, and what it tells of itself.
struct Output {
    delivery: Delivery,
    changes: Receiver<ChangeKind>,
}

impl Output {
    fn start(target: impl Target + 'static, spool: Option<&TempDir>) -> Self {
        let (told, changes) = channel();
        let options = Options {
            name: "test".into(),
            limits: Limits::default(),
            listener: Arc::new(move |change| drop(told.send(change.kind.clone()))),
        };
        let spool = spool.map(|folder| Spool::open(folder.path(), 1 << 22).unwrap());
        let delivery = Delivery::start(options, Box::new(target), spool).unwrap();
        Self { delivery, changes }
    }

    fn offer(&self, lines: &[String]) {
        self.delivery.offer(&chunk(lines));
    }

    fn told(&self) -> ChangeKind {
        self.changes.recv_timeout(LONG).unwrap()
    }

    fn finish(self) -> Finished {
        let finished = self.delivery.finish(Instant::now() + LONG);
        assert!(finished.in_time);
        finished
    }
}

/// Lines as EVE has them: `count` alerts, each after a record.
fn eve_lines(name: &str, count: usize) -> Vec<String> {
    (0..count)
        .flat_map(|number| {
            ["mqtt", "alert"].map(|kind| {
                format!(
                    r#"{{"timestamp":"2026-11-23T04:55:59.{number:06}+0000","event_type":"{kind}","id":"{name}-{number}"}}"#
                )
            })
        })
        .collect()
}

fn is_alert(line: &str) -> bool {
    line.contains(r#""event_type":"alert""#)
}

fn alerts(lines: &[String]) -> Vec<String> {
    lines.iter().filter(|line| is_alert(line)).cloned().collect()
}

fn chunk(lines: &[String]) -> Arc<Chunk> {
    let mut chunk = Chunk::default();
    for line in lines {
        let alert = is_alert(line).then_some(Level::Critical);
        assert!(chunk.push(format!("{line}\n").as_bytes(), alert));
    }
    chunk.into()
}

/// All lines until the peer hangs up.
fn lines_of(stream: impl Read) -> Vec<String> {
    BufReader::new(stream).lines().map(Result::unwrap).collect()
}
