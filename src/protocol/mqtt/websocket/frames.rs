//! The frames of one direction, and the octets of MQTT in them.
//!
//! ```text
//!        base                              front
//! ─────────┬──────────────┬──┬──────────────┬───────────────
//!  done    │ payload      │h │ payload      │ not looked at
//! ─────────┴──────────────┴──┴──────────────┴───────────────
//!          └─ the beginning of a packet ────┘
//! ```

use std::ops::Range;

use super::fault::{Fault, Told};
use super::frame::{Header, Key, MOST_OF_CONTROL, Opcode};
use super::secrets::{Secrets, nowhere};
use super::upgrade::{self, Start};
use super::{Agreed, Context};
use crate::event::{Records, Secrecy, Value};
use crate::flow::Direction;
use crate::protocol::Input;
use crate::protocol::mqtt::packet;

/// What is kept of a packet that is not whole, with the frames around it: as many octets as without
/// them.
const MOST_KEPT: usize = packet::KEPT;

/// The most octets that are passed over at once: the flow layer counts them in 32 bits.
const FAR: u64 = 1 << 30;

/// Octets of the shortest CONNECT with a password of an octet, behind an empty client identifier. Frames
/// of less, as most pings are, are not worth to be hidden one by one.
const SHORTEST_LOGIN: u64 = 17;

/// Statuses of a close frame that say that all is well (clause 7.4.1, and the registry of IANA):
/// done, going away, restarting, busy, and what applications agreed upon.
const fn is_well(status: u16) -> bool {
    matches!(status, 1000 | 1001 | 1012 | 1013 | 3000..=4999)
}

/// What ends a look at frames.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn {
    /// So many octets are done with: go on.
    Done(usize),
    /// So many octets are done with, and it takes so many more from there on.
    Need(usize, usize),
    /// Behind so many octets a head of HTTP begins.
    Head(usize),
    /// Behind so many octets nobody knows where a frame begins.
    Lost(usize),
}

/// Which message is under way (clause 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    None,
    Plain,
    Compressed,
}

/// Where in the frames an octet stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Octets of payload from here to the next header.
    left: u64,
    key: Key,
    /// Whether the payload is MQTT.
    is_mqtt: bool,
    /// What goes on in the next data frame.
    message: Message,
}

impl Place {
    /// Where a frame begins, and no message is under way.
    const BEGIN: Self = Self { left: 0, key: Key::NONE, is_mqtt: false, message: Message::None };

    /// Goes behind a header.
    fn enter(&mut self, header: &Header, deflate: bool) {
        (self.left, self.key) = (header.payload, header.key);
        if !header.is_data() {
            self.is_mqtt = false;
            return;
        }
        if header.opcode() != Opcode::Continuation {
            let is_compressed = deflate && header.is_marked_compressed();
            self.message = if is_compressed { Message::Compressed } else { Message::Plain };
        }
        self.is_mqtt = self.message != Message::Compressed;
        if header.is_final() {
            self.message = Message::None;
        }
    }

    /// Goes on in the payload.
    fn advance(&mut self, octets: u64) {
        self.left -= octets;
        self.key = self.key.behind(octets);
    }
}

/// Octets of frames whose headers were read before.
#[derive(Clone, Copy)]
struct Raw<'a> {
    bytes: &'a [u8],
    /// Where the first of them stands.
    place: Place,
    deflate: bool,
}

impl<'a> Raw<'a> {
    /// The pieces of MQTT among them, and the place where each begins.
    fn pieces(self) -> impl Iterator<Item = (Range<usize>, Place)> + 'a {
        let Self { bytes, mut place, deflate } = self;
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < bytes.len() {
                if place.left == 0 {
                    let header = Header::read(bytes.get(at..)?).ok()?;
                    place.enter(&header, deflate);
                    at += header.length;
                    continue;
                }
                let (start, begin) = (at, place);
                let octets = place.left.min((bytes.len() - start) as u64);
                place.advance(octets);
                at += octets as usize;
                if begin.is_mqtt {
                    return Some((start..at, begin));
                }
            }
            None
        })
    }

    /// The octets of MQTT.
    fn unmask(self, plain: &mut Vec<u8>) {
        plain.clear();
        for (octets, place) in self.pieces() {
            place.key.unmask_onto(plain, self.bytes.get(octets).unwrap_or_default());
        }
    }

    /// These octets of MQTT, and the headers between them.
    fn around(self, octets: Range<usize>) -> Option<Range<usize>> {
        let last = octets.end.checked_sub(1).filter(|last| octets.start <= *last)?;
        let ((start, _), (last, _)) = (self.locate(octets.start)?, self.locate(last)?);
        Some(start..last + 1)
    }

    /// Which octet is the one of MQTT with this number, and its place.
    fn locate(self, number: usize) -> Option<(usize, Place)> {
        let mut before = 0;
        self.pieces().find_map(|(octets, mut place)| {
            let within = number - before;
            before += octets.len();
            if number >= before {
                return None;
            }
            place.advance(within as u64);
            Some((octets.start + within, place))
        })
    }
}

/// What is known of the frames of a direction, wherever they begin.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) told: Told,
    /// Whether there was a frame.
    pub(super) has_frames: bool,
    /// Whether RSV1 says that a message is compressed. Decided where it is met first, so that the
    /// same frame means the same whenever it is looked at.
    deflate: Option<bool>,
}

/// How far the frames of a direction are read.
#[derive(Debug)]
pub(super) struct Frames {
    /// Where the first octet stands that is not consumed.
    base: Place,
    /// Where the first octet stands that was not looked at.
    front: Place,
    /// Octets from the one to the other.
    walked: usize,
    /// Those of MQTT among them: the beginning of a packet.
    plain: usize,
    /// How many of these it takes for the reader of packets to go on.
    wanted: usize,
    /// Octets of MQTT from the front on that are passed over: the rest of a long packet.
    skip: usize,
    /// Whether these give something away.
    hidden: Option<Secrecy>,
}

impl Frames {
    /// Where a frame begins.
    pub(super) const fn new() -> Self {
        Self {
            base: Place::BEGIN,
            front: Place::BEGIN,
            walked: 0,
            plain: 0,
            wanted: 1,
            skip: 0,
            hidden: None,
        }
    }

    /// Octets of MQTT among those `kept` that are not consumed.
    pub(super) fn left(&self, kept: usize) -> usize {
        let ahead = kept.saturating_sub(self.walked) as u64;
        let more = if self.front.is_mqtt { self.front.left.min(ahead) as usize } else { 0 };
        self.plain + more
    }

    /// Reads frames, and the packets in them.
    pub(super) fn read(
        &mut self,
        checks: &mut Checks,
        agreed: &Agreed,
        context: &mut Context<'_>,
    ) -> Turn {
        let mut walk = Walk { frames: self, checks, agreed, context, base: 0 };
        loop {
            if let Some(turn) = walk.step() {
                return turn;
            }
        }
    }
}

/// One call: from where the front was to where the octets end.
struct Walk<'w, 'c> {
    frames: &'w mut Frames,
    checks: &'w mut Checks,
    agreed: &'w Agreed,
    context: &'w mut Context<'c>,
    /// Where the base is among the octets of this call.
    base: usize,
}

impl Walk<'_, '_> {
    /// Where the front is among the octets of this call; behind them, if some are passed over that
    /// are still to come.
    fn at(&self) -> usize {
        self.base + self.frames.walked
    }

    fn bytes(&self) -> &[u8] {
        self.context.input.bytes.get(self.at()..).unwrap_or_default()
    }

    /// Whether so many octets from the front on are kept if need be.
    fn has_room(&self, octets: usize) -> bool {
        self.frames.walked + octets <= MOST_KEPT
    }

    fn need(&self, octets: usize) -> Turn {
        Turn::Need(self.base, self.frames.walked + octets)
    }

    /// Everything to the front is done with.
    fn settle(&mut self) {
        self.base = self.at();
        let frames = &mut *self.frames;
        (frames.base, frames.walked, frames.plain, frames.wanted) = (frames.front, 0, 0, 1);
    }

    /// Goes on by a header, or by as much as there is of a payload.
    fn step(&mut self) -> Option<Turn> {
        let Frames { front, plain, skip, .. } = *self.frames;
        let is_settled = plain == 0;
        if is_settled && self.bytes().is_empty() {
            return Some(Turn::Done(self.at()));
        }
        if front.left == 0 {
            return self.header();
        }
        if is_settled && (!front.is_mqtt || skip > 0) {
            self.pass_over();
            return None;
        }
        self.payload()
    }

    /// Passes over what nobody wants to see, even if it is still to come.
    fn pass_over(&mut self) {
        let (at, frames) = (self.at(), &mut *self.frames);
        let mut octets = frames.front.left.min(FAR);
        if frames.front.is_mqtt {
            octets = octets.min(frames.skip as u64);
            frames.skip -= octets as usize;
            if let Some(secrecy) = frames.hidden {
                self.context.out.secret(secrecy, at..at + octets as usize);
            }
        }
        frames.front.advance(octets);
        frames.walked += octets as usize;
        self.settle();
    }

    /// Takes what there is of a payload, until a packet can be read.
    fn payload(&mut self) -> Option<Turn> {
        let room = MOST_KEPT - self.frames.walked;
        let here = self.bytes().len().min(room);
        let frames = &mut *self.frames;
        let here = frames.front.left.min(here as u64);
        frames.front.advance(here);
        frames.walked += here as usize;
        if frames.front.is_mqtt {
            frames.plain += here as usize;
            if frames.plain >= frames.wanted {
                self.read_packets(false);
                return None;
            }
        }
        let front = &self.frames.front;
        if front.left == 0 {
            return None;
        }
        if !self.has_room(1) {
            self.read_packets(true);
            return None;
        }
        let room = MOST_KEPT - self.frames.walked;
        let missing =
            if front.is_mqtt { self.frames.wanted - self.frames.plain } else { usize::MAX };
        Some(self.need(front.left.min(missing.min(room) as u64) as usize))
    }

    /// Reads the header at the front.
    fn header(&mut self) -> Option<Turn> {
        if !self.checks.has_frames && self.frames.plain == 0 {
            // The client asks again, or for something else.
            match upgrade::start(self.bytes()) {
                Start::No => {}
                Start::More(wanted) => return Some(self.need(wanted)),
                Start::Request | Start::Answer => return Some(Turn::Head(self.at())),
            }
        }
        let (header, status) = match read_header(self.bytes()) {
            Ok((header, status)) if self.has_room(header.length) => (header, status),
            Err(wanted) if self.has_room(wanted) => return Some(self.need(wanted)),
            Ok(_) | Err(_) => {
                self.read_packets(true);
                return None;
            }
        };
        self.checks.has_frames = true;
        self.check(&header);
        if !self.is_believable(&header) {
            let behind = self.at() + 1;
            self.drop_packet();
            return Some(Turn::Lost(behind));
        }
        if let Some(status) = status.filter(|status| !is_well(*status)) {
            self.tell(Fault::Close, status.into(), header.length as u64);
        }
        self.enter(&header);
        None
    }

    /// Goes behind a header.
    fn enter(&mut self, header: &Header) {
        self.frames.front.enter(header, self.deflate());
        self.frames.walked += header.length;
        if header.is_data() && !self.frames.front.is_mqtt {
            self.tell(Fault::Compressed, header.payload as i64, header.length as u64);
            self.drop_packet();
        }
        if !self.frames.front.is_mqtt {
            self.hide(header);
        }
        if self.frames.plain == 0 {
            self.settle();
        }
    }

    /// Nobody reads this payload, be it compressed, of a control frame or of one that has no meaning.
    /// There may be a password in what a client says.
    fn hide(&mut self, header: &Header) {
        let is_long = !header.is_control() || header.payload >= SHORTEST_LOGIN;
        let secrecy = match self.context.input.direction {
            Direction::ToServer if is_long => Secrecy::Password,
            Direction::ToServer | Direction::ToClient => Secrecy::Payload,
        };
        // What a close frame says first is told.
        let told = if header.opcode() == Opcode::Close { header.payload.min(2) } else { 0 };
        let (at, octets) = (self.at() + told as usize, (header.payload - told).min(FAR));
        if octets > 0 {
            self.context.out.secret(secrecy, at..at + octets as usize);
        }
    }

    /// Octets of MQTT are not read: the packet at hand is not told of, and the next one has to be
    /// found.
    #[cold]
    fn drop_packet(&mut self) {
        if self.frames.plain > 0 {
            let (base, at) = (self.base, self.at());
            self.context.out.secret(Secrecy::Password, base..at);
        }
        self.frames.skip = 0;
        self.settle();
        let Context { input, packets, out, .. } = &mut *self.context;
        packets.gap(input.direction, 0, &mut Secrets { out: &mut **out, place: nowhere });
    }

    fn deflate(&self) -> bool {
        self.checks.deflate.unwrap_or_default()
    }

    /// Shows the reader of packets what there is. Of a packet that is not whole no more will be
    /// shown, if this `is_all`.
    fn read_packets(&mut self, is_all: bool) {
        let (base, at, deflate) = (self.base, self.at(), self.deflate());
        let frames = &mut *self.frames;
        let bytes = self.context.input.bytes.get(base..at).unwrap_or_default();
        let raw = Raw { bytes, place: frames.base, deflate };
        let Context { input, packets, scratch, out } = &mut *self.context;
        raw.unmask(scratch);
        let (mut hidden, plain) = (None, scratch.len());
        let place = |out: &mut dyn Records, secrecy, octets: Range<usize>| {
            if octets.end > plain && hidden != Some(Secrecy::Password) {
                hidden = Some(secrecy);
            }
            if let Some(octets) = raw.around(octets.start..octets.end.min(plain)) {
                out.secret(secrecy, base + octets.start..base + octets.end);
            }
        };
        let mut out = Secrets { out: &mut **out, place };
        let progress = packets.data(Input { bytes: scratch, ..*input }, is_all, &mut out);
        let begun = raw.locate(progress.consumed).filter(|_| !is_all);
        let Some((octets, place)) = begun else {
            frames.skip = progress.consumed.saturating_sub(frames.plain);
            frames.hidden = hidden;
            return self.settle();
        };
        frames.base = place;
        frames.walked -= octets;
        frames.plain -= progress.consumed;
        frames.wanted = progress.wanted.max(frames.plain + 1);
        self.base += octets;
    }

    /// Tells what is wrong with a header.
    fn check(&mut self, header: &Header) {
        let opcode = i64::from(header.opcode_number());
        let is_client = self.context.input.direction == Direction::ToServer;
        if header.masked != is_client {
            let fault = if is_client { Fault::Unmasked } else { Fault::Masked };
            self.tell(fault, header.masked.into(), 1);
        }
        let reserved = self.unmeant(header);
        if reserved != 0 {
            self.tell(Fault::ReservedBits, reserved.into(), 0);
        }
        if header.opcode() == Opcode::Reserved {
            self.tell(Fault::ReservedOpcode, opcode, 0);
        }
        if header.is_control() && (!header.is_final() || header.payload > MOST_OF_CONTROL) {
            self.tell(Fault::Control, opcode, 0);
        }
        if header.opcode() == Opcode::Text {
            self.tell(Fault::Text, opcode, 0);
        }
        let is_under_way = self.frames.front.message != Message::None;
        let goes_on = header.opcode() == Opcode::Continuation;
        if header.is_data() && goes_on != is_under_way {
            self.tell(Fault::Continuation, opcode, 0);
        }
        if !header.is_minimal() || !header.is_possible() {
            self.tell(Fault::Length, (header.payload & i64::MAX as u64) as i64, 1);
        }
        if header.is_data() && !self.is_named(is_client) {
            self.checks.told.tell(Fault::Subprotocol, Value::Absent, 0, self.context.out);
        }
    }

    /// The reserved bits that nothing gave a meaning. RSV1 of a message's first frame has one, if the
    /// ends agreed on compression, or may have.
    fn unmeant(&mut self, header: &Header) -> u8 {
        if header.reserved() == 0 {
            return 0;
        }
        let begins = matches!(header.opcode(), Opcode::Text | Opcode::Binary);
        let agreed = || self.agreed.answer.is_none_or(|answer| answer.deflate);
        let may_be = begins && *self.checks.deflate.get_or_insert_with(agreed);
        header.reserved() & if may_be { 0b011 } else { 0b111 }
    }

    /// Whether an end named MQTT as what it speaks, as far as is known.
    fn is_named(&self, is_client: bool) -> bool {
        match (self.agreed.offered, is_client) {
            (Some(offered), true) => offered,
            (Some(true), false) => self.agreed.answer.is_none_or(|answer| answer.names_mqtt),
            _ => true,
        }
    }

    /// Whether a header can be one. Where two things are wrong that nobody gets wrong, a frame did not
    /// begin there.
    fn is_believable(&mut self, header: &Header) -> bool {
        let is_odd = header.opcode() == Opcode::Reserved || self.unmeant(header) != 0;
        let is_client = self.context.input.direction == Direction::ToServer;
        let is_plain = header.masked == is_client && header.is_minimal();
        header.is_possible() && (is_plain || !is_odd)
    }

    #[cold]
    fn tell(&mut self, fault: Fault, value: i64, offset: u64) {
        self.checks.told.tell(fault, Value::Integer(value), offset, self.context.out);
    }
}

/// Reads a header, and the status of a close frame (clause 5.5.1): two octets, if there are any.
fn read_header(bytes: &[u8]) -> Result<(Header, Option<u16>), usize> {
    let header = Header::read(bytes)?;
    if header.opcode() != Opcode::Close || header.payload == 0 {
        return Ok((header, None));
    }
    if header.payload == 1 {
        return Ok((header, Some(0)));
    }
    let behind = bytes.get(header.length..).unwrap_or_default();
    let mut status: [u8; 2] = *behind.first_chunk().ok_or(header.length + 2)?;
    header.key.unmask_in_place(&mut status);
    Ok((header, Some(u16::from_be_bytes(status))))
}
