//! IEC 60870-5-104: telecontrol over TCP.
//!
//! The way of an APDU: [`apci`] frames it, [`asdu`] reads its header, [`types`] says what its
//! objects are made of, [`elements`] and [`time`] read them when somebody asks, `check` tells what
//! is wrong with it, [`record`] names its fields. `sync` finds the next APDU where it is not known
//! to begin, `detect` recognises the protocol and its stations.
//!
//! What needs memory of earlier APDUs (the link as a state machine, the life of a command) has
//! its place beside `facts` in the `Session`.

pub mod apci;
pub mod asdu;
pub mod cause;
mod check;
mod detect;
pub mod elements;
mod facts;
pub mod file;
pub mod qualifier;
pub mod record;
pub mod security;
mod sync;
pub mod time;
pub mod types;
pub mod widths;

pub use record::{IEC104, IEC104_OBJECT};

use self::apci::{Apdu, Unframed};
use self::asdu::Widths;
use self::facts::Facts;
use self::record::ObjectRecord;
use self::sync::Found;
use super::{Fact, Input, Parser, Protocol, Start};
use crate::event::{Anomaly, Records, Value};
use crate::flow::{Direction, Progress};

const NAME: &str = "iec104";

/// What this protocol registers.
pub static PROTOCOL: Protocol = Protocol {
    name: NAME,
    ports: &[2404],
    schemas: &[&IEC104, &IEC104_OBJECT],
    anomalies: check::NAMES,
    max_kept: sync::LOOK_AHEAD,
    secrets: false,
    first_octets: &[apci::START],
    may_begin: detect::may_begin,
    recognise: detect::recognise,
    look: detect::TRIED..=detect::TRIED,
    start,
    servers: "IEC 104 stations",
    facts: facts::NAMES,
};

fn start(start: Start) -> Box<dyn Parser> {
    let sync = if start.joined { Sync::Joining } else { Sync::Held };
    Box::new(Session { widths: Widths::STANDARD, sync: [sync; 2], facts: Facts::default() })
}

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

/// The state of one flow.
#[derive(Debug)]
struct Session {
    widths: Widths,
    /// By direction.
    sync: [Sync; 2],
    facts: Facts,
}

impl Parser for Session {
    fn data(&mut self, input: Input<'_>, out: &mut dyn Records) -> Progress {
        let direction = input.direction;
        let mut consumed = 0;
        while let Some(rest @ [_, ..]) = input.bytes.get(consumed..) {
            if self.sync[direction.index()] != Sync::Held {
                match self.search(direction, rest, out) {
                    Found::At(skipped) => consumed += skipped,
                    Found::Need(skipped, wanted) => {
                        return Progress::need(consumed + skipped, wanted);
                    }
                }
                continue;
            }
            match apci::frame(rest) {
                Ok(octets) => {
                    self.apdu(direction, octets, out);
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
        let sync = &mut self.sync[direction.index()];
        if *sync == Sync::Held {
            *sync = Sync::Lost(0);
        }
    }

    /// An APDU that the end cut off is no violation by anybody: the flow record tells of the end.
    fn end(&mut self, left: [&[u8]; 2], out: &mut dyn Records) {
        for direction in Direction::BOTH {
            if self.sync[direction.index()] != Sync::Held {
                self.search_last(direction, left[direction.index()], out);
            }
        }
    }

    fn facts(&self, tell: &mut dyn FnMut(&'static str, Fact<'_>)) {
        self.facts.tell(tell);
    }
}

impl Session {
    #[inline]
    fn apdu(&mut self, direction: Direction, octets: &[u8], out: &mut dyn Records) {
        let Some(apdu) = Apdu::parse(octets, self.widths) else { return };
        self.facts.note(direction, &apdu);
        out.emit(&apdu);
        if let Some(asdu) = &apdu.asdu
            && out.wants(&IEC104_OBJECT)
        {
            for object in asdu.objects() {
                out.emit(&ObjectRecord { apdu: &apdu, object });
            }
        }
        check::apdu(&apdu, out);
    }

    /// No APDU begins here: the search goes on after one octet.
    fn lose(&mut self, direction: Direction) -> usize {
        self.sync[direction.index()] = Sync::Lost(1);
        1
    }

    fn search(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn Records) -> Found {
        let sync = &mut self.sync[direction.index()];
        let found = sync::find(bytes, self.widths);
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
    fn search_last(&mut self, direction: Direction, left: &[u8], out: &mut dyn Records) {
        let found = sync::find_last(left, self.widths);
        if let Sync::Lost(skipped) = &mut self.sync[direction.index()] {
            *skipped += found.unwrap_or(left.len()) as u64;
        }
        match (found, self.sync[direction.index()]) {
            (Some(at), _) => {
                self.regain(direction, out);
                let mut rest = left.get(at..).unwrap_or_default();
                while let Ok(octets) = apci::frame(rest) {
                    self.apdu(direction, octets, out);
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

#[cfg(test)]
mod tests;
