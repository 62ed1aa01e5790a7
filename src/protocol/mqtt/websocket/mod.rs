//! MQTT over WebSocket (RFC 6455; clause 6 of MQTT 5.0 and 3.1.1).
//!
//! ```text
//!  GET … Upgrade │ frame │ frame │ ping │ frame …      what the flow layer delivers
//!                └───┬───┴───┬───┴──────┴───┬───
//!                    ▼       ▼              ▼
//!                 ┌──────────────────────────────
//!                 │ packet │ packet │ packet …         what the reader of packets is shown
//! ```
//!
//! Packets are not aligned with frames [MQTT-6.0.0-2]. Nothing is kept here: octets that are not
//! consumed stay with the flow layer as they came, and are unmasked into a [`Scratch`] that all flows
//! share, when there are enough of them for the reader of packets to go on. Headers are read once as
//! they come and once when their octets are done with, so that cost stays linear in the octets,
//! however small the frames are.

mod detect;
mod fault;
mod frame;
mod frames;
mod secrets;
mod upgrade;

pub(super) use detect::{
    FRAME_OCTET, HEAD_OCTETS, may_be_frame, may_be_head, recognise_frame, recognise_head,
};
pub(super) use fault::NAMES as FAULTS;
pub(super) use upgrade::Upgrade;

use std::ops::Range;

use super::stream::{Packets, Step};
use super::violation::{Emit, Report, Violation};
use crate::event::{Records, Secrecy, Value};
use crate::flow::{Direction, Progress};
use crate::protocol::{Input, Likeness};
use fault::Fault;
use frames::{Checks, Frames, Turn};
use secrets::{Secrets, nowhere};
use upgrade::{Answer, End};

/// Where octets are unmasked. One for all flows of an engine; between calls it holds nothing.
#[derive(Debug, Default)]
pub(super) struct Scratch(Vec<u8>);

/// The WebSocket of a flow.
#[derive(Debug)]
pub(super) struct Carrier {
    /// By direction.
    ways: [Way; 2],
    agreed: Agreed,
}

/// What the two ends agreed upon, as far as it was seen.
#[derive(Debug, Default)]
struct Agreed {
    /// Whether the client offered MQTT.
    offered: Option<bool>,
    /// What the server accepted.
    answer: Option<Answer>,
}

/// One direction.
#[derive(Debug)]
struct Way {
    state: State,
    checks: Checks,
}

#[derive(Debug)]
enum State {
    /// Nothing was seen.
    New,
    /// A head of HTTP, of which so many octets were searched for its end.
    Head(usize),
    /// Behind as much of a head as is looked at.
    RestOfHead,
    Frames(Frames),
    /// Where the next frame begins is not known.
    Lost(Lost),
}

/// A direction whose frame boundaries are not known.
#[derive(Debug, Clone, Copy)]
struct Lost {
    /// Octets that were passed over.
    skipped: u64,
    /// Whether nothing is wrong with that.
    silent: bool,
}

/// What everybody here works with during one call.
struct Context<'c> {
    input: Input<'c>,
    packets: &'c mut Packets,
    scratch: &'c mut Vec<u8>,
    out: &'c mut dyn Records,
}

/// Whether a flow is a WebSocket, told by the first octets of a direction; or how many octets that
/// takes. One that we joined may begin with a frame.
pub(super) fn is_begun(bytes: &[u8], joined: bool) -> Result<bool, usize> {
    match upgrade::start(bytes) {
        upgrade::Start::Request | upgrade::Start::Answer => return Ok(true),
        upgrade::Start::More(wanted) => return Err(wanted),
        upgrade::Start::No if !joined || bytes.first() != Some(&FRAME_OCTET) => return Ok(false),
        upgrade::Start::No => {}
    }
    match super::detect::frame(bytes) {
        Likeness::More(wanted) => Err(wanted),
        Likeness::Message { .. } => Ok(true),
        Likeness::No | Likeness::Refuted(_) | Likeness::Flawed { .. } => Ok(false),
    }
}

impl Carrier {
    /// Of which nothing was read yet.
    pub(super) fn new() -> Self {
        let way = || Way { state: State::New, checks: Checks::default() };
        Self { ways: [way(), way()], agreed: Agreed::default() }
    }

    /// Takes octets of a direction.
    pub(super) fn data(
        &mut self,
        input: Input<'_>,
        packets: &mut Packets,
        scratch: &mut Scratch,
        out: &mut dyn Records,
    ) -> Progress {
        let mut done = 0;
        loop {
            let Some(bytes @ [_, ..]) = input.bytes.get(done..) else {
                return Progress::all(done);
            };
            let input = Input { bytes, ..input };
            // Counted from the first octet that the parser was given with this call.
            let place = |out: &mut dyn Records, secrecy, octets: Range<usize>| {
                if !octets.is_empty() {
                    out.secret(secrecy, done + octets.start..done + octets.end);
                }
            };
            let out = &mut Secrets { out: &mut *out, place };
            let context = Context { input, packets, scratch: &mut scratch.0, out };
            match self.step(context) {
                Step::Done(octets) => done += octets,
                Step::Need(octets, wanted) => return Progress::need(done + octets, wanted),
            }
        }
    }

    fn step(&mut self, mut context: Context<'_>) -> Step {
        let index = context.input.direction.index();
        let way = &mut self.ways[index];
        match &mut way.state {
            State::New => way.begin(context.input.bytes),
            State::Head(searched) => match upgrade::end(context.input.bytes, *searched) {
                End::More(wanted) => {
                    *searched = context.input.bytes.len();
                    Step::Need(0, wanted)
                }
                End::Behind(length) => {
                    self.head(&mut context, length, upgrade::answer);
                    Step::Done(length)
                }
                End::Beyond => self.long_head(&mut context),
            },
            State::RestOfHead => way.pass_head(&mut context),
            State::Lost(lost) => {
                let lost = *lost;
                way.find(lost, &mut context)
            }
            State::Frames(frames) => {
                let turn = frames.read(&mut way.checks, &self.agreed, &mut context);
                way.turn(turn)
            }
        }
    }

    /// Reads what there is of a head that is longer than what is looked at.
    #[cold]
    fn long_head(&mut self, context: &mut Context<'_>) -> Step {
        let head = context.input.bytes.get(..upgrade::MOST).unwrap_or_default();
        let is_request = upgrade::start(head) == upgrade::Start::Request;
        let is_upgrade = if is_request {
            upgrade::request(head).is_some()
        } else {
            upgrade::long_answer(head).accepted
        };
        let index = context.input.direction.index();
        if !is_upgrade {
            // The next search begins behind what looked like a head.
            self.ways[index].state = State::Lost(Lost { skipped: 1, silent: true });
            return Step::Done(1);
        }
        self.head(context, upgrade::MOST, upgrade::long_answer);
        // It may be offered in the rest.
        if is_request && self.agreed.offered == Some(false) {
            self.agreed.offered = None;
        }
        let way = &mut self.ways[index];
        way.state = State::RestOfHead;
        let beyond = upgrade::MOST as u64;
        way.checks.told.tell(Fault::Head, Value::Absent, beyond, context.out);
        Step::Done(upgrade::MOST - upgrade::SEAM)
    }

    /// Reads a head of so many octets, as an answer if it is one.
    #[cold]
    fn head(&mut self, context: &mut Context<'_>, length: usize, answer: fn(&[u8]) -> Answer) {
        let index = context.input.direction.index();
        let head = context.input.bytes.get(..length).unwrap_or_default();
        upgrade::secrets(head, |octets| context.out.secret(Secrecy::Password, octets));
        self.ways[index].state = State::Frames(Frames::new());
        if upgrade::start(head) == upgrade::Start::Request {
            if let Some(upgrade) = upgrade::request(head) {
                self.agreed.offered = Some(upgrade::offers_mqtt(head));
                context.packets.carry(upgrade);
            }
            return;
        }
        let answer = answer(head);
        if answer.accepted {
            self.agreed.answer = Some(answer);
        } else {
            self.refuse();
        }
    }

    /// The server did not agree. The client may ask again, on the same connection; until then nothing
    /// that is said is of interest.
    fn refuse(&mut self) {
        for way in self.ways.iter_mut().filter(|way| !way.checks.has_frames) {
            if matches!(way.state, State::Frames(_) | State::RestOfHead) {
                way.state = State::Lost(Lost { skipped: 0, silent: true });
            }
        }
    }

    /// Octets of a direction are missing.
    pub(super) fn gap(
        &mut self,
        direction: Direction,
        missing: u64,
        packets: &mut Packets,
        out: &mut dyn Records,
    ) {
        let way = &mut self.ways[direction.index()];
        way.state = match way.state {
            State::Lost(lost) => State::Lost(lost),
            State::Frames(_) => State::Lost(Lost { skipped: 0, silent: false }),
            State::New | State::Head(_) | State::RestOfHead => {
                State::Lost(Lost { skipped: 0, silent: true })
            }
        };
        // Whatever is passed over on the way to the next frame is hidden.
        packets.gap(direction, missing, &mut Secrets { out, place: nowhere });
    }

    /// The flow is over. Says how many octets of MQTT are left of what was kept.
    pub(super) fn end(&self, left: [usize; 2], out: &mut dyn Records) -> [usize; 2] {
        Direction::BOTH.map(|direction| {
            let left = left[direction.index()];
            match &self.ways[direction.index()].state {
                State::New | State::Head(_) | State::RestOfHead => 0,
                State::Frames(frames) => frames.left(left),
                State::Lost(lost) => {
                    let skipped = lost.skipped + left as u64;
                    if !lost.silent && skipped > 0 {
                        super::stream::tell_never_found(skipped, direction, out);
                    }
                    0
                }
            }
        })
    }
}

impl Way {
    /// What a direction begins with.
    fn begin(&mut self, bytes: &[u8]) -> Step {
        self.state = match upgrade::start(bytes) {
            upgrade::Start::Request | upgrade::Start::Answer => State::Head(0),
            upgrade::Start::More(wanted) => return Step::Need(0, wanted),
            upgrade::Start::No => State::Lost(Lost { skipped: 0, silent: true }),
        };
        Step::Done(0)
    }

    /// Passes over the rest of a long head.
    #[cold]
    fn pass_head(&mut self, context: &mut Context<'_>) -> Step {
        let bytes = context.input.bytes;
        if let Some(length) = upgrade::length(bytes, 0) {
            self.state = State::Frames(Frames::new());
            hide(length, context);
            return Step::Done(length);
        }
        let kept = bytes.len().min(upgrade::SEAM);
        let passed = bytes.len() - kept;
        hide(passed, context);
        Step::Need(passed, kept + 1)
    }

    /// Goes where the look at frames ended.
    fn turn(&mut self, turn: Turn) -> Step {
        match turn {
            Turn::Done(octets) => Step::Done(octets),
            Turn::Need(octets, wanted) => Step::Need(octets, wanted),
            Turn::Head(octets) => {
                self.state = State::Head(0);
                Step::Done(octets)
            }
            Turn::Lost(octets) => {
                self.state = State::Lost(Lost { skipped: 1, silent: false });
                Step::Done(octets)
            }
        }
    }

    /// Looks for the next frame; before there was one, for a head too.
    #[cold]
    fn find(&mut self, mut lost: Lost, context: &mut Context<'_>) -> Step {
        let [get, http] = HEAD_OCTETS;
        let bytes = context.input.bytes;
        let mut passed = 0;
        let wanted = loop {
            let rest = bytes.get(passed..).unwrap_or_default();
            let Some(next) = memchr::memchr3(FRAME_OCTET, get, http, rest) else {
                passed = bytes.len();
                break None;
            };
            passed += next;
            match self.look(&rest[next..]) {
                Found::Nothing => passed += 1,
                Found::More(wanted) => break Some(wanted),
                Found::Head => {
                    self.state = State::Head(0);
                    hide(passed, context);
                    return Step::Done(passed);
                }
                Found::Frame => {
                    self.state = State::Frames(Frames::new());
                    hide(passed, context);
                    let skipped = lost.skipped + passed as u64;
                    if !lost.silent && skipped > 0 {
                        let skipped = Value::Integer(skipped as i64);
                        Emit::new(context.out).report(Violation::Resync, "", skipped, 0);
                    }
                    return Step::Done(passed);
                }
            }
        };
        lost.skipped += passed as u64;
        self.state = State::Lost(lost);
        hide(passed, context);
        match wanted {
            Some(wanted) => {
                // If a gap follows, nobody will ever know what it was.
                context.out.secret(Secrecy::Payload, passed..bytes.len());
                Step::Need(passed, wanted)
            }
            None => Step::Done(passed),
        }
    }

    fn look(&self, bytes: &[u8]) -> Found {
        if bytes.first() != Some(&FRAME_OCTET) {
            return match upgrade::start(bytes) {
                _ if self.checks.has_frames => Found::Nothing,
                upgrade::Start::No => Found::Nothing,
                upgrade::Start::More(wanted) => Found::More(wanted),
                upgrade::Start::Request | upgrade::Start::Answer => Found::Head,
            };
        }
        match super::detect::frame(bytes) {
            Likeness::More(wanted) => Found::More(wanted),
            Likeness::Message { .. } => Found::Frame,
            Likeness::No | Likeness::Refuted(_) | Likeness::Flawed { .. } => Found::Nothing,
        }
    }
}

/// So many octets are passed over: they may be the rest of a CONNECT whose beginning nobody saw, or
/// say in a head what lets one in.
fn hide(passed: usize, context: &mut Context<'_>) {
    context.out.secret(Secrecy::Password, 0..passed);
}

/// What stands at some place of a direction whose frame boundaries are not known.
enum Found {
    Nothing,
    More(usize),
    Head,
    Frame,
}
