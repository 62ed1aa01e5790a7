//! From octets to packets: framing, what to keep of a packet, and finding the way back.

use std::ops::Range;

use super::guess::{self, Boundary};
use super::header::{Header, PacketType, Start as HeaderStart};
use super::packet;
use super::password::{self, Password};
use super::publish;
use super::session::Session;
use super::settings::Configured;
use super::violation::{Emit, Report, Violation};
use crate::event::{Anomaly, Records, Secrecy, Value};
use crate::flow::{Acknowledged, Direction, Progress};
use crate::protocol::{Fact, Input, Parser, Shared, Start};
use crate::time::Timestamp;

/// One flow.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) session: Session,
    /// By direction: why the next octet is not known to begin a packet.
    lost: [Option<Lost>; 2],
    /// By direction: how many octets follow of a CONNECT whose password was not found yet.
    unguarded: [usize; 2],
}

/// A direction whose packet boundaries are not known.
#[derive(Debug, Clone, Copy)]
struct Lost {
    /// Octets that were passed over.
    skipped: u64,
    /// How many of these since a packet could have been expected; `None` if none can.
    expected: Option<u64>,
    /// Whether nothing is wrong with that.
    silent: bool,
}

impl Lost {
    /// The flow had begun before the capture.
    const JOINED: Self = Self { skipped: 0, expected: Some(0), silent: true };

    /// Packets often begin where a segment does; a keep-alive repeats the octet before.
    fn is_expected(&self) -> bool {
        self.expected.is_some_and(|searched| searched <= 1)
    }

    fn skip(&mut self, octets: usize) {
        self.skipped += octets as u64;
        if let Some(searched) = &mut self.expected {
            *searched += octets as u64;
        }
    }
}

/// What to do after a look at the octets.
enum Step {
    /// So many are done with: go on.
    Done(usize),
    /// So many are done with, and it takes so many more from there on.
    Need(usize, usize),
}

impl Flow {
    /// A flow without a packet yet.
    pub(super) fn new(start: Start<'_>, configured: Option<&Configured>) -> Self {
        let lost = start.joined.then_some(Lost::JOINED);
        Self { session: Session::new(start, configured), lost: [lost; 2], unguarded: [0; 2] }
    }

    /// Reads the packet at the start of `bytes`.
    #[inline]
    fn read_packet(&mut self, input: &Input<'_>, bytes: &[u8], out: &mut dyn Records) -> Step {
        let header = match Header::read(bytes) {
            HeaderStart::Header(header) if header.kind != PacketType::Reserved => header,
            HeaderStart::Header(_) => {
                return self.lose(input, Violation::ReservedType, "type", 0, out);
            }
            HeaderStart::More(needed) => return Step::Need(0, needed),
            HeaderStart::Endless => {
                return self.lose(input, Violation::RemainingLength, "remaining_length", 1, out);
            }
        };
        let kept = packet::kept(header, self.session.dialect(), bytes);
        if header.kind == PacketType::Connect
            && let Some(wanted) = self.guard(input, header, bytes, out)
        {
            return Step::Need(0, wanted);
        }
        if header.kind == PacketType::Publish
            && let Some(said) = publish::said(header, bytes)
        {
            let at = input.bytes.len() - bytes.len();
            out.secret(Secrecy::Payload, at + said.start..at + said.end);
        }
        let Some(shown) = bytes.get(..kept) else { return Step::Need(0, kept) };
        self.session.packet(input, header, shown, out);
        Step::Done(header.total())
    }

    /// Tells where the password of a CONNECT stands, before the last octet of it is here. Until that
    /// is known, not more octets are asked for than it takes: none of the password is among them.
    #[cold]
    fn guard(
        &mut self,
        input: &Input<'_>,
        header: Header,
        bytes: &[u8],
        out: &mut dyn Records,
    ) -> Option<usize> {
        let at = input.bytes.len() - bytes.len();
        let mut hide = |secrecy: Secrecy, octets: Range<usize>| {
            out.secret(secrecy, at + octets.start..at + octets.end);
        };
        let unguarded = &mut self.unguarded[input.direction.index()];
        *unguarded = 0;
        match password::find(header, bytes, &mut hide) {
            Password::None => {}
            Password::Octets(octets) => hide(Secrecy::Password, octets),
            Password::Behind(passed, wanted) if wanted > packet::KEPT => {
                hide(Secrecy::Password, passed..header.total());
            }
            Password::Behind(_, wanted) => {
                *unguarded = header.total().saturating_sub(bytes.len());
                return Some(wanted);
            }
        }
        None
    }

    /// What stands here is no packet, and nobody knows how long it is.
    #[cold]
    fn lose(
        &mut self,
        input: &Input<'_>,
        violation: Violation,
        field: &'static str,
        offset: usize,
        out: &mut dyn Records,
    ) -> Step {
        let value = if offset == 0 { Value::Integer(0) } else { Value::Absent };
        Emit::new(out).report(violation, field, value, offset);
        self.session.miss(input.direction);
        let lost = Lost { skipped: 1, expected: None, silent: false };
        self.lost[input.direction.index()] = Some(lost);
        Step::Done(1)
    }

    /// Looks for the next packet.
    #[cold]
    fn find_packet(
        &mut self,
        direction: Direction,
        mut lost: Lost,
        bytes: &[u8],
        out: &mut dyn Records,
    ) -> Step {
        let mut passed = 0;
        let found = loop {
            let Some(rest @ [_, ..]) = bytes.get(passed..) else { break Boundary::No };
            match guess::boundary(rest, self.session.dialect(), lost.is_expected()) {
                Boundary::No => {
                    lost.skip(1);
                    passed += 1;
                }
                found @ (Boundary::More(_) | Boundary::Yes) => break found,
            }
        };
        self.lost[direction.index()] = Some(lost);
        match found {
            Boundary::No => Step::Done(passed),
            Boundary::More(needed) => Step::Need(passed, needed),
            Boundary::Yes => {
                self.lost[direction.index()] = None;
                if !lost.silent && lost.skipped > 0 {
                    let value = Value::Integer(lost.skipped as i64);
                    Emit::new(out).report(Violation::Resync, "", value, 0);
                }
                Step::Done(passed)
            }
        }
    }
}

impl Parser for Flow {
    fn data(&mut self, input: Input<'_>, _: &mut Shared, out: &mut dyn Records) -> Progress {
        let mut done = 0;
        loop {
            let Some(rest @ [_, ..]) = input.bytes.get(done..) else {
                return Progress::all(done);
            };
            let lost = self.lost[input.direction.index()];
            let step = match lost {
                None => {
                    let step = self.read_packet(&input, rest, out);
                    if let Step::Need(..) = step {
                        self.session.begin(&input);
                    }
                    step
                }
                Some(lost) => self.find_packet(input.direction, lost, rest, out),
            };
            let (Step::Done(octets) | Step::Need(octets, _)) = step;
            // It may be the rest of a CONNECT whose beginning nobody saw, or of a message.
            match lost {
                None => {}
                Some(Lost { expected: Some(_), .. }) => {
                    out.secret(Secrecy::Password, done..done + octets);
                }
                Some(Lost { expected: None, .. }) => {
                    out.secret(Secrecy::Payload, done..done + octets);
                }
            }
            done += octets;
            if let Step::Need(_, wanted) = step {
                // If a gap follows, nobody will ever know what it was.
                if lost.is_some() {
                    out.secret(Secrecy::Payload, done..input.bytes.len());
                }
                return Progress::need(done, wanted);
            }
        }
    }

    fn gap(&mut self, direction: Direction, missing: u64, out: &mut dyn Records) {
        self.session.miss(direction);
        // The rest of a CONNECT with a hole in it: the password may be anywhere.
        let unguarded = std::mem::take(&mut self.unguarded[direction.index()]) as u64;
        if unguarded > missing {
            out.secret(Secrecy::Password, 0..(unguarded - missing) as usize);
        }
        let lost = self.lost[direction.index()];
        let lost = lost.unwrap_or(Lost { skipped: 0, expected: None, silent: false });
        self.lost[direction.index()] = Some(Lost { expected: Some(0), ..lost });
    }

    fn last_packet(
        &mut self,
        last: Timestamp,
        acknowledged: [Acknowledged; 2],
        out: &mut dyn Records,
    ) {
        self.session.last_packet(last, acknowledged, out);
    }

    fn end(&mut self, left: [&[u8]; 2], _: &mut Shared, out: &mut dyn Records) {
        for direction in Direction::BOTH {
            let left = left[direction.index()].len() as u64;
            let anomaly = match self.lost[direction.index()] {
                None if left > 0 => {
                    let anomaly = Anomaly::in_message("mqtt", Violation::Truncated.name());
                    Anomaly { detail: "the stream ends in this packet", ..anomaly }.at(
                        "",
                        Value::Integer(left as i64),
                        left,
                    )
                }
                Some(lost) if !lost.silent && lost.skipped + left > 0 => {
                    let anomaly = Anomaly::in_message("mqtt", Violation::Resync.name());
                    Anomaly { detail: "no packet until the end of the stream", ..anomaly }.at(
                        "",
                        Value::Integer((lost.skipped + left) as i64),
                        0,
                    )
                }
                _ => continue,
            };
            out.emit_about(direction, &anomaly);
        }
    }

    fn facts(&self, tell: &mut dyn FnMut(&'static str, Fact<'_>)) {
        self.session.facts(tell);
    }
}
