//! The commands between a host and the service that it calls: which are under way, which answer is
//! for which, and how the station goes about them.

use std::fmt::Write as _;

use super::NAME;
use super::asdu::{Asdu, Widths};
use super::cause;
use super::command::{Command, Key, Life, Moment, Outcome, Points, Stage, answers_interrogation};
use super::link::is_ahead;
use super::record::{CommandRecord, OfCommand};
use super::settings::Settings;
use super::types::{Terminated, Type};
use crate::event::{Anomaly, Records, Value};
use crate::flow::{Direction, FlowKey};
use crate::time::Timestamp;

/// An execution of what is always selected first.
pub(super) const EXECUTE_WITHOUT_SELECT: &str = "execute_without_select";
/// An execution that wants something else than its selection did. The value is what it wants.
pub(super) const EXECUTE_DIFFERS_FROM_SELECT: &str = "execute_differs_from_select";
/// No answer came to a command.
pub(super) const UNCONFIRMED: &str = "unconfirmed";
/// A station that tells of the end of a command did not.
pub(super) const NOT_TERMINATED: &str = "not_terminated";
/// An answer to what nobody asked.
pub(super) const CONFIRMATION_WITHOUT_COMMAND: &str = "confirmation_without_command";
/// An answer that repeats something else than what was asked. The value is what it says.
pub(super) const CONFIRMATION_DIFFERS: &str = "confirmation_differs";

/// Every name above.
pub(super) const NAMES: [&str; 6] = [
    EXECUTE_WITHOUT_SELECT,
    EXECUTE_DIFFERS_FROM_SELECT,
    UNCONFIRMED,
    NOT_TERMINATED,
    CONFIRMATION_WITHOUT_COMMAND,
    CONFIRMATION_DIFFERS,
];

/// Commands of a pair that are under way: a control centre has a few.
const LIVES: usize = 256;
/// Commands of a pair that are remembered when they are over: stations have more to say of some.
const OVER: usize = 4;
/// Answers of a pair that wait until what they are for is seen.
const EARLY: usize = 8;
/// Points that are remembered as selected: they are kept in order, which takes time.
const SELECTED_OF_PAIR: usize = 4_096;

/// Two hosts, and the service that one of them is to the other.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) hosts: FlowKey,
    pub(super) connections: u32,
    /// Whether it stands in the queue of those without a connection.
    pub(super) queued: bool,
    lives: Vec<Life>,
    early: Vec<Early>,
    /// Until then answers may be to commands that there was no room for.
    crowded_until: Timestamp,
    /// The last commands that were over.
    over: [Option<Over>; OVER],
    /// Whether the station tells of the end of commands, once known: of direct ones, and of those
    /// that were selected first.
    terminates: [Option<bool>; 2],
    /// Points that were ever selected, in order.
    selected: Vec<(u16, u32)>,
}

/// A command that is over.
#[derive(Debug, Clone, Copy)]
struct Over {
    key: Key,
    was_selected: bool,
    outcome: Outcome,
}

impl Over {
    /// Whether an answer may yet come, too late.
    fn waited_in_vain(self) -> bool {
        matches!(self.outcome, Outcome::Unconfirmed | Outcome::NotTerminated | Outcome::Open)
    }
}

/// An answer that came before what it is for.
#[derive(Debug, Clone, Copy)]
struct Early {
    answer: Command,
    cause: u8,
    widths: Widths,
    moment: Moment,
    at: Numbered,
}

/// An I-frame among all that two hosts send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbered {
    /// The number of its connection.
    pub(super) connection: u32,
    pub(super) send: u16,
    pub(super) receive: u16,
}

impl Numbered {
    /// Whether its sender may have had `other` when it sent this: it has acknowledged it, or got
    /// it through another connection.
    pub(super) fn may_answer(self, other: Self) -> bool {
        self.connection != other.connection || is_ahead(self.receive, other.send)
    }
}

/// Where a command or an answer was met.
pub(super) struct Met<'m> {
    pub(super) moment: Moment,
    /// Which way commands go.
    pub(super) control: Direction,
    pub(super) settings: &'m Settings,
    pub(super) at: Numbered,
    /// Whether we have seen all that its sender had.
    pub(super) complete: bool,
    /// Whether, besides, what it may answer would have been seen.
    pub(super) certain: bool,
    /// Whether the connection is older than any command that is under way.
    pub(super) old: bool,
    pub(super) out: &'m mut dyn Records,
}

/// What is used again and again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Room for the points of interrogations.
    points: Vec<Points>,
    detail: String,
}

impl Scratch {
    /// Rooms that are kept.
    const ROOMS: usize = 64;

    fn room(&mut self) -> Points {
        self.points.pop().unwrap_or_default()
    }

    fn give_back(&mut self, points: Points) {
        if self.points.len() < Self::ROOMS {
            self.points.push(points.emptied());
        }
    }
}

impl Pair {
    pub(super) fn new(hosts: FlowKey) -> Self {
        Self {
            hosts,
            connections: 1,
            queued: false,
            lives: Vec::new(),
            early: Vec::new(),
            crowded_until: Timestamp::ZERO,
            over: [None; OVER],
            terminates: [None; 2],
            selected: Vec::new(),
        }
    }

    /// Tells of what is under way as it stands.
    pub(super) fn tell_open(&mut self, control: Direction, out: &mut dyn Records) {
        for life in self.lives.iter_mut().filter(|life| !life.is_told && !life.answered_to_all) {
            life.is_told = true;
            let terminates = self.terminates[usize::from(life.was_selected())];
            let outcome = life.stands(terminates).unwrap_or(Outcome::Open);
            out.emit_about(control, &OfCommand(CommandRecord { life, outcome }));
        }
    }

    /// Octets were missed that may have held any answer.
    pub(super) fn doubt(&mut self) {
        self.lives.iter_mut().for_each(|life| life.doubtful = true);
    }

    /// How many points are remembered as selected.
    pub(super) fn selected(&self) -> usize {
        self.selected.len()
    }

    /// When the first command is due.
    pub(super) fn due(&self) -> Timestamp {
        self.lives.iter().map(|life| life.deadline).min().unwrap_or(Timestamp::NEVER)
    }

    /// The command that an answer is for: where there are several, the first that waits for it.
    fn find(&self, answer: &Command, cause: u8, at: Numbered) -> Option<usize> {
        let is_end = cause == cause::ACTIVATION_TERMINATION;
        let same = |life: &Life| life.key == answer.key && at.may_answer(life.at);
        let waits = |life: &Life| same(life) && (life.stage == Stage::Executed) == is_end;
        let position = |fits: &dyn Fn(&Life) -> bool| self.lives.iter().position(fits);
        // Two interrogations of different groups are two, and differ in what they ask for.
        position(&|life| waits(life) && life.is_repeated_by(answer))
            .or_else(|| position(&waits))
            .or_else(|| position(&same))
    }

    pub(super) fn activate(
        &mut self,
        command: &Command,
        room: bool,
        scratch: &mut Scratch,
        met: &mut Met<'_>,
    ) {
        if command.selects {
            self.replace(command, scratch, met);
            self.remember_selected(command.key, room);
            let mut life = Life::new(command, met.at, scratch.room());
            life.select(met.moment, met.settings);
            self.begin(life, scratch, met);
        } else {
            self.execute(command, scratch, met);
        }
        self.answer_with_early(command.key, scratch, met);
    }

    fn execute(&mut self, command: &Command, scratch: &mut Scratch, met: &mut Met<'_>) {
        let selected = self.lives.iter_mut().rev().find(|life| {
            life.key == command.key && matches!(life.stage, Stage::Selecting | Stage::Selected)
        });
        if let Some(life) = selected {
            if !life.agrees(command) {
                met.raise(EXECUTE_DIFFERS_FROM_SELECT, command);
            }
            return life.execute(command, met.at, met.moment, met.settings);
        }
        if met.certain && self.is_always_selected(command.key) {
            met.raise(EXECUTE_WITHOUT_SELECT, command);
        }
        self.forget_told(command.key, scratch);
        let mut life = Life::new(command, met.at, scratch.room());
        life.execute(command, met.at, met.moment, met.settings);
        self.begin(life, scratch, met);
    }

    pub(super) fn deactivate(
        &mut self,
        command: &Command,
        scratch: &mut Scratch,
        met: &mut Met<'_>,
    ) {
        let under_way = self.lives.iter_mut().rev().find(|life| life.key == command.key);
        if let Some(life) = under_way {
            return life.deactivate(met.at, met.moment, met.settings);
        }
        let mut life = Life::new(command, met.at, scratch.room());
        life.deactivate(met.at, met.moment, met.settings);
        self.begin(life, scratch, met);
    }

    pub(super) fn answer(
        &mut self,
        answer: &Command,
        cause: u8,
        widths: Widths,
        scratch: &mut Scratch,
        met: &mut Met<'_>,
    ) {
        if cause == cause::REQUEST {
            return self.answer_read(answer, widths, scratch, met);
        }
        let confirms = cause == cause::ACTIVATION_CONFIRMATION;
        let selected = self
            .lives
            .iter_mut()
            .find(|life| confirms && life.key == answer.key && life.is_answer_to_selection(met.at));
        if let Some(life) = selected {
            return life.confirm_selection_late(met.moment);
        }
        let found = self
            .find(answer, cause, met.at)
            .or_else(|| self.of_one_station(answer, widths, scratch, met));
        if found.is_none() && self.says_more_of_what_is_over(answer, cause) {
            return;
        }
        // Some may answer before they acknowledge.
        let repeated = |life: &Life| life.key == answer.key && life.is_repeated_by(answer);
        let found = found.or_else(|| self.lives.iter().position(repeated));
        let Some(index) = found else {
            return self.answer_to_nothing(answer, cause, widths, met);
        };
        let terminates = self.expects_termination(index);
        let life = &mut self.lives[index];
        if confirms && !life.awaits_confirmation() && !life.doubtful {
            return self.answer_to_nothing(answer, cause, widths, met);
        }
        let ends = cause == cause::ACTIVATION_TERMINATION;
        if ends && life.stage != Stage::Executed && !met.complete {
            return self.keep_early(answer, cause, widths, met);
        }
        // A termination may repeat the selection instead, as lib60870 does.
        let comparable = met.complete && !life.doubtful && life.awaits_confirmation();
        if comparable && !ends && !life.is_repeated_by(answer) {
            met.raise(CONFIRMATION_DIFFERS, answer);
        }
        let (now, negative) = (met.moment, answer.negative);
        let outcome = match cause {
            cause::ACTIVATION_CONFIRMATION => life.confirm(negative, now, terminates, met.settings),
            cause::DEACTIVATION_CONFIRMATION => {
                life.confirm_deactivation(negative, now, met.settings)
            }
            cause::ACTIVATION_TERMINATION => {
                let (known, was_selected) = (life.known, life.was_selected());
                let outcome = life.terminate(negative, now);
                self.learn_termination(known, was_selected);
                Some(outcome)
            }
            44..=47 => Some(life.refuse()),
            _ => None,
        };
        if let Some(outcome) = outcome {
            self.finish(index, outcome, scratch, met.control, met.out);
        }
    }

    /// No command waits for this answer: it is still to be seen, or there is none.
    fn answer_to_nothing(
        &mut self,
        answer: &Command,
        cause: u8,
        widths: Widths,
        met: &mut Met<'_>,
    ) {
        if !met.complete {
            return self.keep_early(answer, cause, widths, met);
        }
        // That something is not known may be said of anything that was sent, and the end of a
        // command may be told on a connection that was opened since.
        let tells = match cause {
            cause::ACTIVATION_TERMINATION => met.old,
            44..=47 => false,
            _ => true,
        };
        if tells && met.certain && met.moment.time >= self.crowded_until {
            met.raise(CONFIRMATION_WITHOUT_COMMAND, answer);
        }
    }

    fn keep_early(&mut self, answer: &Command, cause: u8, widths: Widths, met: &Met<'_>) {
        let Met { moment, at, .. } = *met;
        self.early.retain(|early| moment.time < early.moment.time + met.settings.confirm_time);
        if self.early.len() < EARLY {
            self.early.push(Early { answer: *answer, cause, widths, moment, at });
        }
    }

    /// A command came that answers may be waiting for.
    fn answer_with_early(&mut self, key: Key, scratch: &mut Scratch, met: &mut Met<'_>) {
        // Between connections nothing tells the order.
        let is_for = |early: &Early, life: &Life| {
            life.key == key
                && early.answer.key == key
                && early.at.connection == life.at.connection
                && early.at.may_answer(life.at)
        };
        while let Some(index) =
            self.early.iter().position(|early| self.lives.iter().any(|life| is_for(early, life)))
        {
            let Early { answer, cause, widths, moment, at } = self.early.remove(index);
            let mut then = Met { moment, at, complete: true, certain: false, ..met.again() };
            self.answer(&answer, cause, widths, scratch, &mut then);
        }
    }

    /// What was sent to all stations has a life for each that answers (7.2.4).
    fn of_one_station(
        &mut self,
        answer: &Command,
        widths: Widths,
        scratch: &mut Scratch,
        met: &mut Met<'_>,
    ) -> Option<usize> {
        let key = Key { common_address: widths.broadcast(), ..answer.key };
        let to_all = self.lives.iter_mut().find(|life| life.key == key)?;
        to_all.answered_to_all = true;
        let life = to_all.of_station(answer.key.common_address, scratch.room());
        self.begin(life, scratch, met);
        self.lives.len().checked_sub(1)
    }

    /// Some refuse twice, or tell of the end of what they refused.
    fn says_more_of_what_is_over(&mut self, answer: &Command, cause: u8) -> bool {
        let more = matches!(cause, cause::ACTIVATION_TERMINATION | 44..=47);
        let is_it = |over: &&mut Option<Over>| {
            over.is_some_and(|over| over.key == answer.key && (more || over.waited_in_vain()))
        };
        let Some(over) = self.over.iter_mut().find(is_it).and_then(Option::take) else {
            return false;
        };
        if over.outcome == Outcome::Completed && cause == cause::ACTIVATION_TERMINATION {
            self.learn_termination(answer.known, over.was_selected);
        }
        true
    }

    /// Objects that an interrogation asked for.
    pub(super) fn answer_interrogation(&mut self, asdu: &Asdu<'_>) {
        let asks = |life: &&mut Life| {
            life.key.common_address == asdu.common_address
                && answers_interrogation(life, asdu.cause)
        };
        if let Some(life) = self.lives.iter_mut().find(asks) {
            asdu.objects().for_each(|object| life.answer(object.address));
        }
    }

    /// An object that may be what a read asked for.
    pub(super) fn answer_read(
        &mut self,
        answer: &Command,
        widths: Widths,
        scratch: &mut Scratch,
        met: &mut Met<'_>,
    ) {
        let Some(index) = self.find(answer, cause::REQUEST, met.at) else {
            // Nobody need have asked: there is nothing to tell.
            if !met.complete {
                self.keep_early(answer, cause::REQUEST, widths, met);
            }
            return;
        };
        let outcome = self.lives[index].answer_read(answer, met.moment);
        self.finish(index, outcome, scratch, met.control, met.out);
    }

    fn expects_termination(&self, index: usize) -> bool {
        let life = &self.lives[index];
        match life.known.terminated {
            Terminated::Yes => true,
            Terminated::No => false,
            // Until it is known we wait whether it comes.
            Terminated::WhereTheStationDoes => self.terminates(life) != Some(false),
        }
    }

    fn terminates(&self, life: &Life) -> Option<bool> {
        self.terminates[usize::from(life.was_selected())]
    }

    fn learn_termination(&mut self, known: &Type, was_selected: bool) {
        if known.terminated == Terminated::WhereTheStationDoes {
            self.terminates[usize::from(was_selected)] = Some(true);
        }
    }

    fn begin(&mut self, life: Life, scratch: &mut Scratch, met: &mut Met<'_>) {
        if self.lives.len() >= LIVES {
            let index = self.lives.iter().position(|life| !life.answered_to_all).unwrap_or(0);
            let oldest = &self.lives[index];
            self.crowded_until = self.crowded_until.max(oldest.deadline);
            let outcome = oldest.stands(self.terminates(oldest)).unwrap_or(Outcome::Open);
            self.finish(index, outcome, scratch, met.control, met.out);
        }
        // One at a time is what most have, and room for four would be a kilobyte.
        if self.lives.len() == self.lives.capacity() {
            self.lives.reserve_exact(self.lives.len().max(1));
        }
        self.lives.push(life);
    }

    /// The point was selected, and is again.
    fn replace(&mut self, command: &Command, scratch: &mut Scratch, met: &mut Met<'_>) {
        let is_it = |life: &Life| life.key == command.key && life.stage == Stage::Selected;
        if let Some(index) = self.lives.iter().position(is_it) {
            self.finish(index, Outcome::Replaced, scratch, met.control, met.out);
        }
        self.forget_told(command.key, scratch);
    }

    /// What was told when its connection ended is not what the same command is about that is sent
    /// again.
    fn forget_told(&mut self, key: Key, scratch: &mut Scratch) {
        let is_it = |life: &Life| life.key == key && life.is_told;
        while let Some(index) = self.lives.iter().position(is_it) {
            scratch.give_back(self.lives.remove(index).points);
        }
    }

    fn is_always_selected(&self, key: Key) -> bool {
        self.selected.binary_search(&(key.common_address, key.object)).is_ok()
    }

    fn remember_selected(&mut self, key: Key, room: bool) {
        let point = (key.common_address, key.object);
        if let Err(place) = self.selected.binary_search(&point)
            && room
            && self.selected.len() < SELECTED_OF_PAIR
        {
            self.selected.insert(place, point);
        }
    }

    #[cold]
    pub(super) fn expire(
        &mut self,
        now: Timestamp,
        control: Direction,
        scratch: &mut Scratch,
        out: &mut dyn Records,
    ) {
        while let Some(index) = self.lives.iter().position(|life| life.deadline < now) {
            let life = &self.lives[index];
            let outcome = life.expire(self.terminates(life));
            self.tell_expired(index, outcome, control, scratch, out);
            let life = &self.lives[index];
            if outcome == Outcome::Completed && !life.doubtful {
                self.terminates[usize::from(life.was_selected())].get_or_insert(false);
            }
            self.finish(index, outcome, scratch, control, out);
        }
    }

    fn tell_expired(
        &self,
        index: usize,
        outcome: Outcome,
        control: Direction,
        scratch: &mut Scratch,
        out: &mut dyn Records,
    ) {
        let life = &self.lives[index];
        let event = match outcome {
            Outcome::Unconfirmed => UNCONFIRMED,
            Outcome::NotTerminated => NOT_TERMINATED,
            _ => return,
        };
        if life.doubtful || life.answered_to_all || life.is_told {
            return;
        }
        let Key { common_address, object, .. } = life.key;
        scratch.detail.clear();
        // Writing to a string does not fail.
        let _ = write!(
            scratch.detail,
            "{} to station {common_address}, object {object}",
            life.known.name
        );
        let anomaly = Anomaly::in_message(NAME, event);
        let (field, value) = ("iec104.command.ioa", Value::Integer(object.into()));
        out.emit_about(control, &Anomaly { field, value, detail: &scratch.detail, ..anomaly });
    }

    /// Tells of a life that is over.
    fn finish(
        &mut self,
        index: usize,
        outcome: Outcome,
        scratch: &mut Scratch,
        control: Direction,
        out: &mut dyn Records,
    ) {
        let life = self.lives.remove(index);
        if !life.is_terminated {
            let (key, was_selected) = (life.key, life.was_selected());
            self.over.rotate_right(1);
            self.over[0] = Some(Over { key, was_selected, outcome });
        }
        if !life.is_told && !life.answered_to_all {
            out.emit_about(control, &OfCommand(CommandRecord { life: &life, outcome }));
        }
        scratch.give_back(life.points);
    }
}

impl Met<'_> {
    /// The same for something else that was met.
    fn again(&mut self) -> Met<'_> {
        Met { out: &mut *self.out, ..*self }
    }

    /// Something is wrong with the command or the answer at hand.
    fn raise(&mut self, event: &'static str, command: &Command) {
        let anomaly = Anomaly::in_message(NAME, event);
        let (field, value) = ("iec104.objects.value", command.value);
        self.out.emit(&anomaly.at(field, value, command.offset));
    }
}
