//! Packets around alerts: each capture thread keeps its own, and one thread writes them for all.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::Error;
use super::log;
use super::sandbox::{self, Role};
use crate::config::Config;
use crate::engine::Place;
use crate::event::Event;
use crate::flow::Side;
use crate::output::evidence::{Archive, Keeper, KeeperCounters, Options, Writer};
use crate::packet::Frame;
use crate::rule::Hits;
use crate::time::Timestamp;

/// How often a capture thread looks for cases that nothing more is to be waited for, in packet time.
const LOOK: Duration = Duration::from_millis(50);

/// The files of all threads.
pub(super) struct Files {
    options: Options,
    pub(super) archive: Arc<Archive>,
}

/// Opens the folder, by the user that it is to belong to, and starts the thread that writes, which is
/// confined when this returns. Nothing where no evidence is configured.
pub(super) fn start(config: &Config) -> Result<Option<Files>, Error> {
    let Some(evidence) = &config.evidence else { return Ok(None) };
    let options = evidence.options(config.redaction());
    let confine = || sandbox::enter_thread(Role::Output, false).map_err(io::Error::other);
    let archive = Writer::open(&options.directory, options.size)
        .and_then(|writer| Archive::start(&options, writer, confine, tell));
    match archive {
        Ok(archive) => Ok(Some(Files { archive: Arc::new(archive), options })),
        Err(error) => Err(Error::Evidence { directory: options.directory, error }),
    }
}

fn tell(change: Result<(), &io::Error>) {
    match change {
        Ok(()) => log::info("evidence is written again"),
        Err(error) => log::error(&format!("evidence cannot be written: {error}")),
    }
}

impl Files {
    /// What one of so many capture threads keeps.
    pub(super) fn keep(&self, threads: usize) -> Evidence {
        Evidence {
            keeper: Keeper::new(&self.options, threads),
            archive: Arc::clone(&self.archive),
            looked: Timestamp::ZERO,
        }
    }
}

/// Lets the archive write what it has, and says what became of it. Capture threads let go of so many
/// cases before.
pub(super) fn finish(archive: Archive, lost: u64, deadline: Instant) {
    let (in_time, counters) = archive.finish(deadline);
    if !in_time {
        log::warn("evidence was not written in time: its last files are missing");
    }
    let missing = lost + counters.dropped + counters.errors;
    if missing > 0 {
        log::warn(&format!("evidence: {missing} files were not written since the start"));
    }
}

/// What a capture thread keeps.
#[derive(Debug)]
pub(super) struct Evidence {
    keeper: Keeper,
    archive: Arc<Archive>,
    /// When it was looked for cases that are over.
    looked: Timestamp,
}

impl Evidence {
    /// The file that the packets of an event will be in.
    pub(super) fn alert(&mut self, event: &Event<'_>, fired: Hits<'_>) -> Option<&str> {
        self.keeper.alert(event, fired)
    }

    pub(super) fn packet(&mut self, frame: &Frame<'_>, place: &Place) {
        self.keeper.packet(frame, place);
        self.hand_over();
    }

    pub(super) fn secret(&mut self, flow: u64, sender: Side, octets: Range<u32>) {
        self.keeper.secret(flow, sender, octets);
    }

    /// No frame of before will come. Flows may be silent while frames come that belong to none.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if self.looked <= now && now < self.looked + LOOK {
            return;
        }
        self.looked = now;
        self.keeper.tick(now);
        self.hand_over();
    }

    /// Never waits.
    fn hand_over(&mut self) {
        while let Some(case) = self.keeper.take() {
            self.archive.offer(case);
        }
    }

    /// No frame will come. Waits for the archive to take what there is, until `deadline`.
    pub(super) fn finish(&mut self, deadline: Instant) {
        self.keeper.finish();
        while let Some(case) = self.keeper.take() {
            self.archive.offer_by(case, deadline);
        }
    }

    pub(super) fn counters(&self) -> KeeperCounters {
        self.keeper.counters()
    }
}
