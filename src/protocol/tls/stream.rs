//! From octets to records: framing, what of a record is looked at, and finding the way back.

use super::NAME;
use super::alert::Alert;
use super::detect;
use super::header::{self, Content, Header, Wrong};
use super::message::{Messages, Next, Scratch, kind};
use super::session::Session;
use super::version::Version;
use super::violation::{Report, Told, Violation};
use crate::event::{Anomaly, Records, Value};
use crate::flow::{Direction, Progress};
use crate::protocol::{Fact, Input, Left, Parser, Shared, Start};
use crate::time::Timestamp;

/// One flow.
#[derive(Debug)]
pub(super) struct Flow {
    /// By direction.
    lanes: [Lane; 2],
    session: Session,
    told: Told,
}

/// One direction.
#[derive(Debug)]
struct Lane {
    sync: Sync,
    cover: Cover,
    messages: Messages,
}

/// Whether what a direction says can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cover {
    /// It is in clear.
    Clear,
    /// Nobody saw whether encryption began.
    Unknown,
    /// It is encrypted.
    Encrypted,
}

/// Whether it is known where the next record of a direction begins.
#[derive(Debug, Clone, Copy)]
enum Sync {
    /// At the next octet.
    Held,
    /// Somewhere.
    Lost(Lost),
    /// At the next octet, if what was taken for a record, so many octets so far, was one.
    Trying(Lost, usize),
}

/// What was passed over in search of a record.
#[derive(Debug, Clone, Copy)]
struct Lost {
    skipped: usize,
    /// Whether nothing is wrong with that: the flow had begun before the capture.
    silent: bool,
}

/// What to do after a look at the octets.
enum Step {
    /// So many are done with, those to come among them: go on.
    Done(usize),
    /// It takes so many.
    Need(usize),
}

/// What a direction's records are read with.
struct Reading<'r> {
    direction: Direction,
    /// Packet time, if somebody trusts it.
    now: Option<Timestamp>,
    scratch: &'r mut Scratch,
    out: &'r mut dyn Records,
}

impl Flow {
    pub(super) fn new(start: Start<'_>) -> Self {
        let lane = || Lane {
            sync: if start.joined {
                Sync::Lost(Lost { skipped: 0, silent: true })
            } else {
                Sync::Held
            },
            cover: if start.joined { Cover::Unknown } else { Cover::Clear },
            messages: Messages::default(),
        };
        Self { lanes: [lane(), lane()], session: Session::new(start), told: Told::default() }
    }

    fn step(&mut self, bytes: &[u8], reading: &mut Reading<'_>) -> Step {
        let lane = &mut self.lanes[reading.direction.index()];
        if lane.messages.are_at_hand() {
            return self.message(bytes, reading);
        }
        match lane.sync {
            Sync::Held => self.record(bytes, reading),
            Sync::Lost(lost) => lane.search(lost, bytes),
            Sync::Trying(lost, tried) => self.try_record(lost, tried, bytes, reading),
        }
    }

    /// What may be a record, after what may have been one.
    fn try_record(
        &mut self,
        lost: Lost,
        tried: usize,
        bytes: &[u8],
        reading: &mut Reading<'_>,
    ) -> Step {
        let lane = &mut self.lanes[reading.direction.index()];
        if !Header::is_plausible(bytes) {
            lane.sync = Sync::Lost(Lost { skipped: lost.skipped + tried, ..lost });
            return Step::Done(0);
        }
        let Ok(Some(header)) = Header::read(bytes) else { return Step::Need(bytes.len() + 1) };
        let step = self.read(header, bytes, reading);
        if matches!(step, Step::Done(_)) {
            let lane = &mut self.lanes[reading.direction.index()];
            if tried == 0 {
                lane.sync = Sync::Trying(lost, header.total());
            } else {
                lane.sync = Sync::Held;
                self.regained(lost, reading);
            }
        }
        step
    }

    fn regained(&mut self, lost: Lost, reading: &mut Reading<'_>) {
        if !lost.silent && lost.skipped > 0 {
            let report = &mut Report::new(&mut self.told, reading.direction, reading.out);
            report.raise(Violation::Resync, "", lost.skipped, 0);
        }
    }

    /// The record at the start of `bytes`.
    fn record(&mut self, bytes: &[u8], reading: &mut Reading<'_>) -> Step {
        let wrong = match Header::read(bytes) {
            Ok(Some(header)) => return self.read(header, bytes, reading),
            Ok(None) => return Step::Need(header::LENGTH),
            Err(wrong) => wrong,
        };
        let report = &mut Report::new(&mut self.told, reading.direction, reading.out);
        match wrong {
            Wrong::Content(octet) => {
                report.raise(Violation::RecordType, "type", octet.into(), 0);
            }
            Wrong::Version(number) => {
                report.raise(Violation::RecordVersion, "version", number.into(), 1);
            }
            Wrong::Length(length) => report.raise(Violation::RecordLength, "length", length, 3),
        }
        let lane = &mut self.lanes[reading.direction.index()];
        lane.lose(Lost { skipped: 1, silent: false });
        self.session.miss();
        Step::Done(1)
    }

    /// Reads what is to be read of a record.
    fn read(&mut self, header: Header, bytes: &[u8], reading: &mut Reading<'_>) -> Step {
        let direction = reading.direction;
        let lane = &mut self.lanes[direction.index()];
        let behind = bytes.get(header::LENGTH..).unwrap_or_default();
        let fragment = behind.get(..header.length).unwrap_or(behind);
        let (cover, trusted) = (lane.cover, matches!(lane.sync, Sync::Held));
        let report = &mut Report::new(&mut self.told, direction, reading.out);
        if let Some(wanted) = wanted(header, cover).filter(|wanted| fragment.len() < *wanted) {
            return Step::Need(header::LENGTH + wanted);
        }
        if trusted {
            check_length(header, cover, report);
            if header.content != Content::Handshake && lane.messages.interrupt() {
                report.raise(Violation::HandshakeInterrupted, "", header.content as usize, 0);
            }
        }
        match (header.content, cover) {
            (Content::Handshake, _) => return self.handshake(header, fragment, reading),
            (Content::ChangeCipherSpec, Cover::Encrypted) => {}
            (Content::ChangeCipherSpec, _) => {
                if trusted && let [value @ (0 | 2..), ..] = fragment {
                    report.raise(Violation::ChangeCipherSpec, "", (*value).into(), header::LENGTH);
                }
                self.session.change_cipher_spec(direction);
                lane.cover = match self.session.version() {
                    Some(Version::Tls13) => cover,
                    Some(_) => Cover::Encrypted,
                    None => Cover::Unknown,
                };
            }
            (Content::Alert, Cover::Encrypted) if header.length == ALERT && trusted => {
                report.raise(Violation::PlaintextAfterEncryption, "", header.content as usize, 0);
            }
            (Content::Alert, Cover::Clear | Cover::Unknown) if header.length == ALERT => {
                if let &[level, description, ..] = fragment {
                    let alert = Alert { level, description };
                    if trusted && !alert.has_level() {
                        report.raise(Violation::AlertLevel, "level", level.into(), header::LENGTH);
                    }
                    self.session.alert(direction, alert, report.out);
                }
            }
            (Content::ApplicationData, _) => self.application_data(header, trusted, reading),
            (Content::Heartbeat, Cover::Clear) if trusted => {
                check_heartbeat(header, fragment, report);
            }
            (Content::Alert | Content::Heartbeat, _) => {}
        }
        Step::Done(header.total())
    }

    fn application_data(&mut self, header: Header, trusted: bool, reading: &mut Reading<'_>) {
        let direction = reading.direction;
        let lane = &mut self.lanes[direction.index()];
        let is_tls13 = self.session.is_tls13();
        let is_early = self.session.has_early_data();
        if trusted && lane.cover == Cover::Clear && !is_tls13 && self.session.version().is_some() {
            let report = &mut Report::new(&mut self.told, direction, reading.out);
            report.raise(Violation::DataBeforeEncryption, "", header.length, 0);
        }
        if is_tls13 && !is_early {
            lane.cover = Cover::Encrypted;
        }
        self.session.protected(direction, header, reading.out);
    }

    /// A record of handshake messages, or of one that is encrypted.
    fn handshake(&mut self, header: Header, fragment: &[u8], reading: &mut Reading<'_>) -> Step {
        let direction = reading.direction;
        let lane = &mut self.lanes[direction.index()];
        let is_clear = match lane.cover {
            Cover::Clear => true,
            Cover::Encrypted => false,
            Cover::Unknown => match detect::is_clear(header, fragment) {
                Ok(is_clear) => is_clear,
                Err(wanted) => return Step::Need(header::LENGTH + wanted),
            },
        };
        if is_clear {
            lane.cover = Cover::Clear;
            lane.messages.enter(header.length);
            return Step::Done(header::LENGTH);
        }
        if self.session.is_tls13() && matches!(lane.sync, Sync::Held) {
            // There all that is encrypted is application data by its type (5.2).
            let report = &mut Report::new(&mut self.told, direction, reading.out);
            report.raise(Violation::PlaintextAfterEncryption, "", header.content as usize, 0);
        } else {
            self.session.protected(direction, header, reading.out);
        }
        Step::Done(header.total())
    }

    /// Goes on in a record of handshake messages.
    fn message(&mut self, bytes: &[u8], reading: &mut Reading<'_>) -> Step {
        let (direction, now) = (reading.direction, reading.now);
        let lane = &mut self.lanes[direction.index()];
        let (mut message, consumed) = match lane.messages.next(bytes, reading.scratch) {
            Next::Message(message, consumed) => (message, consumed),
            Next::Passed(octets) => return Step::Done(octets),
            Next::Need(wanted) => return Step::Need(wanted),
            Next::Broken(octets) => {
                // What is no record is told of when it is read.
                if let Ok(Some(header)) = Header::read(bytes.get(octets..).unwrap_or_default()) {
                    let report = &mut Report::new(&mut self.told, direction, reading.out);
                    let content = header.content as usize;
                    report.raise(Violation::HandshakeInterrupted, "", content, octets);
                }
                return Step::Done(octets);
            }
        };
        let report = &mut Report::new(&mut self.told, direction, reading.out);
        let (known, fits) = message.is_sound();
        if !known {
            report.raise(Violation::HandshakeType, "type", message.kind.into(), 0);
        }
        if !fits {
            report.raise(Violation::HandshakeLength, "length", message.length, 1);
            message.body = None;
        }
        self.session.message(direction, message, now, report);
        if message.kind == kind::SERVER_HELLO && self.session.is_agreed_tls13() {
            lane.cover = Cover::Encrypted;
        }
        Step::Done(consumed)
    }
}

/// Octets of an alert.
const ALERT: usize = 2;
/// Octets of a heartbeat before its payload (RFC 6520, 4).
const HEARTBEAT: usize = 3;
/// The least octets of its padding.
const HEARTBEAT_PADDING: usize = 16;

/// How many octets of a fragment are looked at, where the record is read for what it says.
fn wanted(header: Header, cover: Cover) -> Option<usize> {
    let most = match header.content {
        Content::ChangeCipherSpec => 1,
        Content::Alert if header.length == ALERT => ALERT,
        Content::Heartbeat => HEARTBEAT,
        _ => return None,
    };
    (cover != Cover::Encrypted).then_some(most.min(header.length))
}

/// Lengths that a record in clear does not have.
fn check_length(header: Header, cover: Cover, report: &mut Report<'_>) {
    let Header { content, length } = header;
    let sound = match (content, cover) {
        // Empty ones hide how much there is to say (RFC 5246, 6.2.1).
        (Content::ApplicationData, _) | (_, Cover::Encrypted | Cover::Unknown) => true,
        (Content::ChangeCipherSpec, _) => length == 1,
        (Content::Alert, _) => length == ALERT,
        (Content::Handshake | Content::Heartbeat, _) => (1..=header::MOST_CLEAR).contains(&length),
    };
    if !sound {
        report.raise(Violation::RecordLength, "length", length, 3);
    }
}

/// A heartbeat that asks for more than it has (CVE-2014-0160).
fn check_heartbeat(header: Header, fragment: &[u8], report: &mut Report<'_>) {
    let Some(&[_, high, low]) = fragment.first_chunk() else { return };
    let payload = usize::from(u16::from_be_bytes([high, low]));
    if HEARTBEAT + payload + HEARTBEAT_PADDING > header.length {
        report.raise(Violation::HeartbeatLength, "payload_length", payload, header::LENGTH + 1);
    }
}

impl Lane {
    /// The next octet is not known to begin a record.
    fn lose(&mut self, lost: Lost) {
        let (before, silent) = match self.sync {
            Sync::Held => (0, lost.silent),
            Sync::Lost(before) => (before.skipped, before.silent),
            Sync::Trying(before, tried) => (before.skipped + tried, before.silent),
        };
        self.sync = Sync::Lost(Lost { skipped: before + lost.skipped, silent });
        self.messages = Messages::default();
        if self.cover == Cover::Clear {
            self.cover = Cover::Unknown;
        }
    }

    /// Looks for the next octets that may be a header.
    fn search(&mut self, lost: Lost, bytes: &[u8]) -> Step {
        let is_plausible = |at: &usize| Header::is_plausible(bytes.get(*at..).unwrap_or_default());
        let passed = (0..bytes.len()).find(is_plausible).unwrap_or(bytes.len());
        let lost = Lost { skipped: lost.skipped + passed, ..lost };
        self.sync = Sync::Lost(lost);
        let left = bytes.len() - passed;
        if passed > 0 {
            return Step::Done(passed);
        }
        if left < header::LENGTH {
            // The next octet may tell that it is none, and then it is not what a gap would take.
            return Step::Need(left + 1);
        }
        self.sync = Sync::Trying(lost, 0);
        Step::Done(0)
    }
}

impl Parser for Flow {
    fn data(&mut self, input: Input<'_>, shared: &mut Shared, out: &mut dyn Records) -> Progress {
        let Some(scratch) = shared.downcast_mut::<Scratch>() else {
            return Progress::all(input.bytes.len());
        };
        let now = input.clock_trusted.then_some(input.time);
        let mut reading = Reading { direction: input.direction, now, scratch, out };
        let mut done = 0;
        while let Some(rest @ [_, ..]) = input.bytes.get(done..) {
            match self.step(rest, &mut reading) {
                Step::Done(octets) => done += octets,
                Step::Need(wanted) => return Progress::need(done, wanted),
            }
        }
        Progress::all(done)
    }

    fn gap(&mut self, direction: Direction, _missing: u64, _out: &mut dyn Records) {
        self.session.miss();
        self.lanes[direction.index()].lose(Lost { skipped: 0, silent: false });
    }

    /// A record that the end cut off is no violation by anybody: the flow record tells of the end.
    fn end(&mut self, left: [Left<'_>; 2], _: &mut Shared, out: &mut dyn Records) {
        for direction in Direction::BOTH {
            let Sync::Lost(lost) = self.lanes[direction.index()].sync else { continue };
            let skipped = lost.skipped + left[direction.index()].bytes.len();
            if !lost.silent && skipped > 0 {
                let anomaly = Anomaly::in_message(NAME, Violation::Resync.name());
                let anomaly = anomaly.at("", Value::Integer(skipped as i64), 0);
                let detail = "no record until the end of the stream";
                out.emit_about(direction, &Anomaly { detail, ..anomaly });
            }
        }
        self.session.end(out);
    }

    fn facts(&self, tell: &mut dyn FnMut(&'static str, Fact<'_>)) {
        self.session.facts(tell);
    }
}
