//! A sensor that says what it cannot see: interfaces that are away or silent, packets and records
//! that were dropped, a clock that nobody keeps in step. Each is said when it changes, never again
//! and again.

use std::fmt;
use std::time::Duration;

use super::lines::Lost;
use super::watch::Link;
use crate::capture::live::LinkState;
use crate::event::{SensorRecord, Sight};
use crate::time::Timestamp;

/// An interface from which nothing comes for so long is silent: where IEC 104 runs, something comes
/// every 20 s, as t3 has it (IEC 60870-5-104, 9.6).
const SILENCE: Duration = Duration::from_secs(60);

/// Drops that go on are summed up over so long.
const DROPS: Duration = Duration::from_secs(10);

/// What was said last.
#[derive(Debug, Default)]
pub(super) struct Honesty {
    links: Vec<Seen>,
    records: Dropped,
    synchronised: Option<bool>,
}

/// What was said of an interface.
#[derive(Debug, Clone)]
struct Seen {
    state: LinkState,
    silent: bool,
    /// Silence begins here where no packet came yet.
    since: Duration,
    packets: Dropped,
}

/// What was said of drops.
#[derive(Debug, Clone, Copy, Default)]
struct Dropped {
    told: u64,
    at: Option<Duration>,
}

impl Dropped {
    /// How many are new, if it is time to say so.
    fn news(&mut self, count: u64, now: Duration) -> Option<u64> {
        let is_early = self.at.is_some_and(|at| now.saturating_sub(at) < DROPS);
        if count <= self.told || is_early {
            return None;
        }
        let new = count - self.told;
        (self.told, self.at) = (count, Some(now));
        Some(new)
    }
}

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) record: SensorRecord,
    pub(super) interface: Option<String>,
}

impl Change {
    fn new(event: Sight, interface: Option<&str>) -> Self {
        let record = SensorRecord { event, count: None };
        Self { record, interface: interface.map(str::to_owned) }
    }

    fn counted(event: Sight, interface: Option<&str>, count: u64) -> Self {
        let record = SensorRecord { event, count: Some(count) };
        Self { record, interface: interface.map(str::to_owned) }
    }

    /// Whether somebody keeps the clock in step now, if that changed.
    pub(super) const fn clock(&self) -> Option<bool> {
        match self.record.event {
            Sight::ClockSynchronised => Some(true),
            Sight::ClockUnsynchronised => Some(false),
            _ => None,
        }
    }

    /// Whether we see less than before.
    pub(super) fn is_bad(&self) -> bool {
        !matches!(
            self.record.event,
            Sight::InterfaceUp | Sight::InterfaceHeard | Sight::ClockSynchronised
        )
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(interface) = &self.interface {
            write!(f, "interface {interface}: ")?;
        }
        let count = self.record.count.unwrap_or_default();
        match self.record.event {
            Sight::InterfaceUp => write!(f, "is captured from"),
            Sight::InterfaceNoCarrier => {
                write!(f, "has no carrier: is the cable in, and the mirror port on?")
            }
            Sight::InterfaceDown => write!(f, "is down"),
            Sight::InterfaceGone => write!(f, "is gone, and looked for"),
            Sight::InterfaceSilent => {
                write!(f, "nothing came for {} s: is the mirror port alive?", SILENCE.as_secs())
            }
            Sight::InterfaceHeard => write!(f, "packets come again"),
            Sight::PacketsDropped => {
                write!(f, "the kernel dropped {count} packets, as the ring was full")
            }
            Sight::RecordsDropped => {
                write!(f, "{count} records were dropped, as the collector did not keep up")
            }
            Sight::ClockUnsynchronised => {
                write!(f, "nobody keeps the clock in step: times may be wrong")
            }
            Sight::ClockSynchronised => write!(f, "the clock is kept in step again"),
        }
    }
}

impl Honesty {
    /// What changed since the last look, at the same interfaces. `now` is the time since 1970.
    pub(super) fn look(
        &mut self,
        links: &[Link],
        lost: Lost,
        synchronised: bool,
        now: Duration,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for (place, link) in links.iter().enumerate() {
            if self.links.len() <= place {
                self.links.push(Seen {
                    state: LinkState::Up,
                    silent: false,
                    since: now,
                    packets: Dropped::default(),
                });
            }
            if let Some(seen) = self.links.get_mut(place) {
                seen.look(link, now, &mut changes);
            }
        }
        if let Some(count) = self.records.news(lost.records + lost.alerts, now) {
            changes.push(Change::counted(Sight::RecordsDropped, None, count));
        }
        // That all is well at the start is no news.
        if self.synchronised.replace(synchronised).unwrap_or(true) != synchronised {
            let event =
                if synchronised { Sight::ClockSynchronised } else { Sight::ClockUnsynchronised };
            changes.push(Change::new(event, None));
        }
        changes
    }
}

impl Seen {
    fn look(&mut self, link: &Link, now: Duration, changes: &mut Vec<Change>) {
        let name = Some(link.interface.as_str());
        let state = link.state;
        if std::mem::replace(&mut self.state, state) != state {
            (self.silent, self.since) = (false, now);
            changes.push(Change::new(sight(state), name));
        }
        let last = Duration::from_nanos(link.last_packet.as_nanos());
        let silent = link.last_packet == Timestamp::ZERO || now.saturating_sub(last) > SILENCE;
        let silent = silent && now.saturating_sub(self.since) > SILENCE && state == LinkState::Up;
        if std::mem::replace(&mut self.silent, silent) != silent {
            let event = if silent { Sight::InterfaceSilent } else { Sight::InterfaceHeard };
            changes.push(Change::new(event, name));
        }
        if let Some(count) = self.packets.news(link.statistics.dropped, now) {
            changes.push(Change::counted(Sight::PacketsDropped, name, count));
        }
    }
}

fn sight(state: LinkState) -> Sight {
    match state {
        LinkState::Up => Sight::InterfaceUp,
        LinkState::NoCarrier => Sight::InterfaceNoCarrier,
        LinkState::Down => Sight::InterfaceDown,
        LinkState::Gone => Sight::InterfaceGone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::live::Statistics;

    const BEGIN: u64 = 1_800_000_000;

    fn link(state: LinkState, last_packet: u64, dropped: u64) -> Vec<Link> {
        vec![Link {
            interface: "eth1".to_owned(),
            statistics: Statistics { dropped, ..Statistics::default() },
            state,
            duplicates: 0,
            reopened: 0,
            last_packet: Timestamp::from_nanos(last_packet * 1_000_000_000),
        }]
    }

    fn told(honesty: &mut Honesty, links: &[Link], clock: bool, at: u64) -> Vec<String> {
        let changes = honesty.look(links, Lost::default(), clock, Duration::from_secs(at));
        changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_well_from_the_start_is_not_told() {
        let mut honesty = Honesty::default();
        let well = link(LinkState::Up, BEGIN, 0);
        assert!(told(&mut honesty, &well, true, BEGIN).is_empty());
        assert!(told(&mut honesty, &well, true, BEGIN + 59).is_empty());
    }

    #[test]
    fn an_interface_is_told_when_it_changes() {
        let mut honesty = Honesty::default();
        let gone = link(LinkState::Gone, BEGIN, 0);
        assert_eq!(
            told(&mut honesty, &gone, true, BEGIN),
            ["interface eth1: is gone, and looked for"]
        );
        assert!(told(&mut honesty, &gone, true, BEGIN + 100).is_empty(), "it is told once");
        let back = link(LinkState::Up, BEGIN, 0);
        assert_eq!(
            told(&mut honesty, &back, true, BEGIN + 200),
            ["interface eth1: is captured from"]
        );
        assert_eq!(told(&mut honesty, &back, true, BEGIN + 261).len(), 1, "it is silent by now");
    }

    #[test]
    fn no_carrier_is_told_and_is_no_silence() {
        let mut honesty = Honesty::default();
        let dead = link(LinkState::NoCarrier, BEGIN, 0);
        assert_eq!(
            told(&mut honesty, &dead, true, BEGIN),
            ["interface eth1: has no carrier: is the cable in, and the mirror port on?"]
        );
        assert!(told(&mut honesty, &dead, true, BEGIN + 100).is_empty());
        let back = link(LinkState::Up, BEGIN, 0);
        assert_eq!(
            told(&mut honesty, &back, true, BEGIN + 101),
            ["interface eth1: is captured from"]
        );
    }

    #[test]
    fn silence_ends_with_a_packet() {
        let mut honesty = Honesty::default();
        let quiet = link(LinkState::Up, 0, 0);
        assert!(told(&mut honesty, &quiet, true, BEGIN).is_empty());
        assert_eq!(told(&mut honesty, &quiet, true, BEGIN + 61).len(), 1);
        let heard = link(LinkState::Up, BEGIN + 62, 0);
        assert_eq!(
            told(&mut honesty, &heard, true, BEGIN + 62),
            ["interface eth1: packets come again"]
        );
    }

    #[test]
    fn drops_that_go_on_are_summed_up() {
        let mut honesty = Honesty::default();
        let dropped = |count| link(LinkState::Up, BEGIN, count);
        assert_eq!(
            told(&mut honesty, &dropped(3), true, BEGIN),
            ["interface eth1: the kernel dropped 3 packets, as the ring was full"]
        );
        assert!(told(&mut honesty, &dropped(5), true, BEGIN + 9).is_empty());
        assert_eq!(
            told(&mut honesty, &dropped(7), true, BEGIN + 10),
            ["interface eth1: the kernel dropped 4 packets, as the ring was full"]
        );
    }

    #[test]
    fn the_clock_is_told() {
        let mut honesty = Honesty::default();
        assert_eq!(told(&mut honesty, &[], false, BEGIN).len(), 1, "from the start");
        assert!(told(&mut honesty, &[], false, BEGIN).is_empty());
        assert_eq!(told(&mut honesty, &[], true, BEGIN), ["the clock is kept in step again"]);
        let mut look = |clock| honesty.look(&[], Lost::default(), clock, Duration::ZERO);
        for clock in [false, true] {
            assert_eq!(look(clock).iter().map(Change::clock).collect::<Vec<_>>(), [Some(clock)]);
        }
        assert_eq!(Change::new(Sight::InterfaceDown, None).clock(), None);
    }
}
