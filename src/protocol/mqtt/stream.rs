//! From octets to packets: what carries them, framing, what to keep of a packet, and finding the way
//! back.

use std::ops::Range;

use super::Common;
use super::guess::{self, Boundary};
use super::header::{Header, PacketType, Start as HeaderStart};
use super::packet;
use super::password::{self, Password};
use super::publish;
use super::session::Session;
use super::settings::Configured;
use super::violation::{Emit, Report, Violation};
use super::websocket::{self, Carrier, Upgrade};
use crate::event::{Anomaly, Records, Secrecy, Value};
use crate::flow::{Acknowledged, Direction, Progress};
use crate::protocol::{Fact, Input, Left, Parser, Shared, Start};
use crate::time::Timestamp;

/// One flow.
#[derive(Debug)]
pub(super) struct Flow {
    carried: Carried,
    pub(super) packets: Packets,
    joined: bool,
}

/// How packets are carried.
#[derive(Debug)]
enum Carried {
    /// Nobody knows yet.
    Unknown,
    /// By the connection itself.
    Plain,
    /// In the frames of a WebSocket.
    WebSocket(Box<Carrier>),
}

/// Reads packets, whatever carries them.
#[derive(Debug)]
pub(super) struct Packets {
    pub(super) session: Session,
    /// How the WebSocket began, if there is one.
    upgrade: Option<Box<Upgrade>>,
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
pub(super) enum Step {
    /// So many are done with: go on.
    Done(usize),
    /// So many are done with, and it takes so many from there on.
    Need(usize, usize),
}

impl Flow {
    /// A flow without a packet yet.
    pub(super) fn new(start: Start<'_>, configured: Option<&Configured>) -> Self {
        let joined = start.joined;
        Self { carried: Carried::Unknown, packets: Packets::new(start, configured), joined }
    }
}

impl Packets {
    /// None was read yet.
    fn new(start: Start<'_>, configured: Option<&Configured>) -> Self {
        let lost = start.joined.then_some(Lost::JOINED);
        Self {
            session: Session::new(start, configured),
            upgrade: None,
            lost: [lost; 2],
            unguarded: [0; 2],
        }
    }

    /// A WebSocket carries them, which began so.
    pub(super) fn carry(&mut self, upgrade: Upgrade) {
        self.upgrade = Some(Box::new(upgrade));
    }

    /// Reads as many packets as there are. Of one that is not whole no more will be shown, if this
    /// `is_all`.
    #[inline]
    pub(super) fn data(
        &mut self,
        input: Input<'_>,
        is_all: bool,
        out: &mut dyn Records,
    ) -> Progress {
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
            let Step::Need(_, wanted) = step else { continue };
            if is_all {
                done += self.read_part(&input, done, out);
            } else {
                // If a gap follows, nobody will ever know what it was.
                if lost.is_some() {
                    out.secret(Secrecy::Payload, done..input.bytes.len());
                }
                return Progress::need(done, wanted);
            }
        }
    }

    /// Reads what there is of a packet. Says how long it is.
    #[cold]
    fn read_part(&mut self, input: &Input<'_>, at: usize, out: &mut dyn Records) -> usize {
        let shown = input.bytes.get(at..).unwrap_or_default();
        let index = input.direction.index();
        self.unguarded[index] = 0;
        if let Some(lost) = &mut self.lost[index] {
            lost.skip(shown.len());
            out.secret(Secrecy::Password, at..at + shown.len());
            return shown.len();
        }
        let HeaderStart::Header(header) = Header::read(shown) else {
            self.session.miss(input.direction);
            let skipped = shown.len() as u64;
            self.lost[index] = Some(Lost { skipped, expected: None, silent: false });
            return shown.len();
        };
        match header.kind {
            PacketType::Connect => out.secret(Secrecy::Password, at..at + header.total()),
            PacketType::Publish => out.secret(Secrecy::Payload, at..at + header.total()),
            _ => {}
        }
        let upgrade = self.upgrade.as_deref();
        self.session.packet(input, header, shown, upgrade, out);
        header.total()
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
        let upgrade = self.upgrade.as_deref();
        self.session.packet(input, header, shown, upgrade, out);
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

    /// `missing` octets will never come; those kept for an unfinished packet are gone with them.
    pub(super) fn gap(&mut self, direction: Direction, missing: u64, out: &mut dyn Records) {
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

    /// No more will come; by direction, so many octets of a packet are left, and whether the sender
    /// ended the stream behind them.
    fn end(&self, left: [usize; 2], ended: [bool; 2], out: &mut dyn Records) {
        for direction in Direction::BOTH {
            let left = left[direction.index()] as u64;
            match self.lost[direction.index()] {
                None if left > 0 && ended[direction.index()] => {
                    let anomaly = Anomaly::in_message("mqtt", Violation::Truncated.name());
                    let anomaly = Anomaly { detail: "the stream ends in this packet", ..anomaly };
                    let anomaly = anomaly.at("", Value::Integer(left as i64), left);
                    out.emit_about(direction, &anomaly);
                }
                Some(lost) if !lost.silent && lost.skipped + left > 0 => {
                    tell_never_found(lost.skipped + left, direction, out);
                }
                _ => {}
            }
        }
    }
}

/// Framing was lost, and so many octets later the stream ends.
pub(super) fn tell_never_found(skipped: u64, direction: Direction, out: &mut dyn Records) {
    let anomaly = Anomaly::in_message("mqtt", Violation::Resync.name());
    let anomaly = Anomaly { detail: "no packet until the end of the stream", ..anomaly };
    out.emit_about(direction, &anomaly.at("", Value::Integer(skipped as i64), 0));
}

impl Flow {
    /// Decides what carries the packets by the first octets of a direction.
    #[cold]
    fn begin(&mut self, input: Input<'_>, shared: &mut Shared, out: &mut dyn Records) -> Progress {
        self.carried = match websocket::is_begun(input.bytes, self.joined) {
            Ok(true) => {
                self.packets.carry(Upgrade::default());
                Carried::WebSocket(Box::new(Carrier::new()))
            }
            Ok(false) => Carried::Plain,
            Err(wanted) => return Progress::need(0, wanted),
        };
        self.data(input, shared, out)
    }
}

impl Parser for Flow {
    fn data(&mut self, input: Input<'_>, shared: &mut Shared, out: &mut dyn Records) -> Progress {
        match &mut self.carried {
            Carried::Plain => self.packets.data(input, false, out),
            Carried::WebSocket(carrier) => {
                let common = shared.downcast_mut::<Common>().expect("made by this protocol");
                carrier.data(input, &mut self.packets, &mut common.scratch, out)
            }
            Carried::Unknown => self.begin(input, shared, out),
        }
    }

    fn gap(&mut self, direction: Direction, missing: u64, out: &mut dyn Records) {
        match &mut self.carried {
            Carried::WebSocket(carrier) => carrier.gap(direction, missing, &mut self.packets, out),
            Carried::Plain | Carried::Unknown => self.packets.gap(direction, missing, out),
        }
    }

    fn last_packet(
        &mut self,
        last: Timestamp,
        acknowledged: [Acknowledged; 2],
        out: &mut dyn Records,
    ) {
        self.packets.session.last_packet(last, acknowledged, out);
    }

    fn end(&mut self, left: [Left<'_>; 2], _: &mut Shared, out: &mut dyn Records) {
        let octets = left.map(|left| left.bytes.len());
        let octets = match &self.carried {
            Carried::WebSocket(carrier) => carrier.end(octets, out),
            Carried::Plain | Carried::Unknown => octets,
        };
        self.packets.end(octets, left.map(|left| left.ended), out);
    }

    fn facts(&self, tell: &mut dyn FnMut(&'static str, Fact<'_>)) {
        self.packets.session.facts(tell);
    }
}
