//! From octets to APDUs: framing, and finding the way back.

use super::NAME;
use super::apci::{self, Apdu, Unframed};
use super::check;
use super::session::Session;
use super::stations::Stations;
use super::sync::{self, Found};
use crate::event::{Anomaly, Records, Value};
use crate::flow::{Direction, Progress};
use crate::protocol::{Fact, Input, Left, Parser, Shared, Start};

/// Whether it is known where the next APDU of a direction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    /// At the next octet.
    Held,
    /// Nothing was seen yet of a flow that had begun: what stands before the first APDU is the
    /// rest of another, and no anomaly.
    Joining,
    /// It was known once; so many octets were skipped since.
    Lost(u64),
}

/// One flow.
#[derive(Debug)]
pub(super) struct Flow {
    /// By direction.
    sync: [Sync; 2],
    pub(super) session: Session,
}

impl Flow {
    pub(super) fn new(start: Start<'_>, stations: Option<&Stations>) -> Self {
        let sync = if start.joined { Sync::Joining } else { Sync::Held };
        Self { sync: [sync; 2], session: Session::new(start, stations) }
    }
}

impl Parser for Flow {
    fn data(&mut self, input: Input<'_>, shared: &mut Shared, out: &mut dyn Records) -> Progress {
        let Some(stations) = shared.downcast_mut::<Stations>() else {
            return Progress::all(input.bytes.len());
        };
        let direction = input.direction;
        let mut consumed = 0;
        while let Some(rest @ [_, ..]) = input.bytes.get(consumed..) {
            if self.sync[direction.index()] != Sync::Held {
                match self.search(direction, rest, stations, out) {
                    Found::At(skipped) => consumed += skipped,
                    Found::Need(skipped, wanted) => {
                        return Progress::need(consumed + skipped, wanted);
                    }
                }
                continue;
            }
            match apci::frame(rest) {
                Ok(octets) => {
                    self.apdu(Input { bytes: octets, ..input }, stations, out);
                    consumed += octets.len();
                }
                Err(Unframed::Short(wanted)) => return Progress::need(consumed, wanted),
                Err(Unframed::Start(octet)) => {
                    check::raise(out, check::START_BYTE, "start", octet.into(), 0);
                    consumed += self.lose(direction);
                }
                Err(Unframed::Length(length)) => {
                    check::raise(out, check::APCI_LENGTH, "iec104.length", length.into(), 1);
                    consumed += self.lose(direction);
                }
            }
        }
        Progress::all(consumed)
    }

    fn gap(&mut self, direction: Direction, _missing: u64, _out: &mut dyn Records) {
        self.session.miss(direction);
        let sync = &mut self.sync[direction.index()];
        if *sync == Sync::Held {
            *sync = Sync::Lost(0);
        }
    }

    /// An APDU that the end cut off is no violation by anybody: the flow record tells of the end.
    fn end(&mut self, left: [Left<'_>; 2], shared: &mut Shared, out: &mut dyn Records) {
        let Some(stations) = shared.downcast_mut::<Stations>() else { return };
        for direction in Direction::BOTH {
            if self.sync[direction.index()] != Sync::Held {
                self.search_last(direction, left[direction.index()].bytes, stations, out);
            }
        }
        self.session.end(stations, out);
    }

    fn facts(&self, tell: &mut dyn FnMut(&'static str, Fact<'_>)) {
        self.session.facts.tell(tell);
    }
}

impl Flow {
    #[inline]
    fn apdu(&mut self, input: Input<'_>, stations: &mut Stations, out: &mut dyn Records) {
        let widths = self.session.widths(input.bytes, stations);
        if let Some(apdu) = Apdu::parse(input.bytes, widths) {
            self.session.take(&input, &apdu, stations, out);
        }
    }

    /// No APDU begins here: the search goes on after one octet.
    fn lose(&mut self, direction: Direction) -> usize {
        self.session.miss(direction);
        self.sync[direction.index()] = Sync::Lost(1);
        1
    }

    fn search(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        stations: &mut Stations,
        out: &mut dyn Records,
    ) -> Found {
        let found = sync::find(bytes, self.session.widths(&[], stations));
        let sync = &mut self.sync[direction.index()];
        let (Found::At(skipped) | Found::Need(skipped, _)) = found;
        if let Sync::Lost(before) = sync {
            *before += skipped as u64;
        }
        if let Found::At(_) = found {
            self.regain(direction, out);
        }
        found
    }

    /// The next octet begins an APDU.
    fn regain(&mut self, direction: Direction, out: &mut dyn Records) {
        let sync = &mut self.sync[direction.index()];
        if let Sync::Lost(skipped @ 1..) = std::mem::replace(sync, Sync::Held) {
            check::raise(out, check::RESYNC, "", skipped as usize, 0);
        }
    }

    /// The last octets of a direction that is searched.
    fn search_last(
        &mut self,
        direction: Direction,
        left: &[u8],
        stations: &mut Stations,
        out: &mut dyn Records,
    ) {
        let found = sync::find_last(left, self.session.widths(&[], stations));
        if let Sync::Lost(skipped) = &mut self.sync[direction.index()] {
            *skipped += found.unwrap_or(left.len()) as u64;
        }
        match (found, self.sync[direction.index()]) {
            (Some(at), _) => {
                self.regain(direction, out);
                let mut rest = left.get(at..).unwrap_or_default();
                while let Ok(octets) = apci::frame(rest) {
                    self.apdu(self.session.last_input(direction, octets), stations, out);
                    rest = rest.get(octets.len()..).unwrap_or_default();
                }
            }
            (None, Sync::Lost(skipped @ 1..)) => {
                let value = Value::Integer(skipped as i64);
                let anomaly = Anomaly::in_message(NAME, check::RESYNC).at("", value, 0);
                let detail = "no APDU until the end of the stream";
                out.emit(&Anomaly { detail, ..anomaly });
            }
            (None, _) => {}
        }
    }
}
