//! The life of a command, from its selection to its termination (IEC 60870-5-101, 7.2.3;
//! IEC 60870-5-5, 6.8).
//!
//! ```text
//!              con                execute              con                termination
//!  selecting ──────▶ selected ────────────▶ executing ──────▶ executed ───────────────▶ over
//!                        │ deactivate           ▲
//!                        └──▶ cancelling        └── without a selection
//! ```
//!
//! An interrogation and the other system commands live the same life, without a selection. A life
//! is over when the last step is seen or its time has come, and is told then.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::apci::APCI;
use super::asdu::Asdu;
use super::cause;
use super::elements::{Element, InformationObject, State};
use super::pair::Numbered;
use super::settings::Settings;
use super::types::{self, Terminated, Type};
use crate::event::Value;
use crate::time::Timestamp;

/// What was seen of a life, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Activation with S/E set.
    Select,
    /// Its confirmation.
    SelectCon,
    /// Deactivation.
    Deactivate,
    /// Its confirmation.
    DeactivateCon,
    /// Activation.
    Execute,
    /// Its confirmation.
    ExecuteCon,
    /// Activation termination.
    Termination,
    /// One of the causes 44 to 47: the station does not know what is wanted.
    Unknown,
}

impl Step {
    /// Names by code.
    pub const NAMES: &'static [&'static str; 8] = &[
        "select",
        "select_con",
        "deactivate",
        "deactivate_con",
        "execute",
        "execute_con",
        "termination",
        "unknown",
    ];
}

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was terminated, or confirmed where no termination is due.
    Completed,
    /// A confirmation was negative.
    Rejected,
    /// The station does not know type, cause, common address or object.
    Unknown,
    /// It was deactivated.
    Cancelled,
    /// No confirmation came.
    Unconfirmed,
    /// No termination came from a station that sends them.
    NotTerminated,
    /// It was selected only.
    Unexecuted,
    /// The same command was sent again before this one was over.
    Replaced,
    /// What we see ended before it did.
    Open,
}

impl Outcome {
    /// Names by code.
    pub const NAMES: &'static [&'static str; 9] = &[
        "completed",
        "rejected",
        "unknown",
        "cancelled",
        "unconfirmed",
        "not_terminated",
        "unexecuted",
        "replaced",
        "open",
    ];
}

/// What tells one command from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) type_id: u8,
    pub(super) common_address: u16,
    pub(super) object: u32,
}

/// The octets of a command that its answers repeat: those of its elements before the time tag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Content {
    octets: [u8; 8],
    length: u8,
}

/// S/E, in the last octet of every command that can be selected (7.2.6.26, 7.2.6.39).
const SELECT: u8 = 0x80;

impl Content {
    fn of(known: &Type, elements: &[u8]) -> Self {
        let timeless = known.elements.iter().filter(|element| **element != Element::Cp56);
        let length: usize =
            timeless.map(|element| usize::from(element.octets().unwrap_or(0))).sum();
        let mut octets = [0; 8];
        let length = length.min(octets.len()).min(elements.len());
        octets[..length].copy_from_slice(&elements[..length]);
        Self { octets, length: length as u8 }
    }

    /// The same without S/E.
    fn without_select(self) -> Self {
        let mut content = self;
        if let Some(last) = usize::from(self.length).checked_sub(1) {
            content.octets[last] &= !SELECT;
        }
        content
    }

    fn first(self) -> u8 {
        self.octets[0]
    }
}

/// A command as an ASDU has it: the activation, or an answer that repeats it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command {
    pub(super) known: &'static Type,
    pub(super) key: Key,
    pub(super) content: Content,
    pub(super) value: Value<'static>,
    state: Option<State>,
    /// S/E.
    pub(super) selects: bool,
    pub(super) originator: Option<u8>,
    pub(super) negative: bool,
    /// Where its elements stand: octets from the start of the APDU.
    pub(super) offset: u64,
}

impl Command {
    /// Of an ASDU of a type that is commanded or asked; such have one object.
    pub(super) fn of(asdu: &Asdu<'_>, known: &'static Type) -> Option<Self> {
        let object = asdu.objects().next()?;
        let address = usize::from(asdu.widths.object_address);
        let elements = asdu.body.get(address..)?;
        let (type_id, common_address) = (asdu.type_id, asdu.common_address);
        Some(Self {
            known,
            key: Key { type_id, common_address, object: object.address },
            content: Content::of(known, elements),
            value: object.value,
            state: object.state,
            selects: object.select == Some(true),
            originator: asdu.originator,
            negative: asdu.negative,
            offset: (APCI + asdu.widths.header() + address) as u64,
        })
    }

    /// What a read of this object would be.
    pub(super) fn read(asdu: &Asdu<'_>, object: &InformationObject<'_>) -> Option<Self> {
        const READ: u8 = 102;
        Some(Self {
            known: types::by_id(READ)?,
            key: Key { type_id: READ, common_address: asdu.common_address, object: object.address },
            content: Content::default(),
            value: object.value,
            state: object.state,
            selects: false,
            originator: asdu.originator,
            negative: false,
            offset: APCI as u64,
        })
    }
}

/// Where in its life a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Selecting,
    Selected,
    Executing,
    Executed,
    Cancelling,
}

/// When something was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) time: Timestamp,
    /// Whether it came then, rather than to wait for what was missing before it.
    pub(super) exact: bool,
}

impl Moment {
    fn exact(self) -> Option<Timestamp> {
        self.exact.then_some(self.time)
    }

    /// How long it took since then.
    fn since(self, earlier: Option<Timestamp>) -> Option<Duration> {
        Some(self.exact()?.since(earlier?))
    }
}

/// The steps that are remembered: more than any life has without repetitions.
const STEPS: usize = 8;

/// The life of one command.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) known: &'static Type,
    pub(super) key: Key,
    pub(super) stage: Stage,
    /// The last step from the controlling station, and the selection before it.
    pub(super) at: Numbered,
    selection: Option<Numbered>,
    /// What is due by then is not expected any more.
    pub(super) deadline: Timestamp,
    /// Octets were missed since it began: what did not come may have been among them.
    pub(super) doubtful: bool,
    is_selected: bool,
    pub(super) is_terminated: bool,
    /// For a command to all stations: whether any answered.
    pub(super) answered_to_all: bool,
    /// The record of it was written when the last connection ended, and nothing was seen since.
    pub(super) is_told: bool,
    pub(super) originator: Option<u8>,
    pub(super) value: Value<'static>,
    pub(super) state: Option<State>,
    content: Content,
    steps: [Step; STEPS],
    step_count: u8,
    selected_at: Option<Timestamp>,
    executed_at: Option<Timestamp>,
    /// The time that each took.
    pub(super) select_time: Option<Duration>,
    pub(super) confirm_time: Option<Duration>,
    pub(super) terminate_time: Option<Duration>,
    /// Objects that answered an interrogation or a read.
    pub(super) answered: u32,
    pub(super) points: Points,
}

impl Life {
    pub(super) fn new(command: &Command, at: Numbered, points: Points) -> Self {
        Self {
            known: command.known,
            key: command.key,
            stage: Stage::Executing,
            at,
            selection: None,
            deadline: Timestamp::NEVER,
            doubtful: false,
            is_selected: false,
            is_terminated: false,
            answered_to_all: false,
            is_told: false,
            originator: command.originator,
            value: command.value,
            state: command.state,
            content: command.content,
            steps: [Step::Execute; STEPS],
            step_count: 0,
            selected_at: None,
            executed_at: None,
            select_time: None,
            confirm_time: None,
            terminate_time: None,
            answered: 0,
            points,
        }
    }

    /// The same command as one station got it that was sent to all.
    pub(super) fn of_station(&self, common_address: u16, points: Points) -> Self {
        let key = Key { common_address, ..self.key };
        Self { key, points, answered_to_all: false, ..self.clone() }
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps[..usize::from(self.step_count)]
    }

    fn note(&mut self, step: Step) {
        // It goes on, so there is more to tell.
        self.is_told = false;
        if let Some(free) = self.steps.get_mut(usize::from(self.step_count)) {
            *free = step;
            self.step_count += 1;
        }
    }

    /// Whether an execution asks for the same as the selection did.
    pub(super) fn agrees(&self, execution: &Command) -> bool {
        self.content.without_select() == execution.content.without_select()
    }

    /// Whether an answer repeats what it answers. Clocks and delays answer with their own time.
    pub(super) fn is_repeated_by(&self, answer: &Command) -> bool {
        const OWN_ANSWER: [u8; 2] = [103, 106];
        OWN_ANSWER.contains(&self.key.type_id) || self.content == answer.content
    }

    /// The first octet of what was asked for: QOI, QCC.
    pub(super) fn qualifier(&self) -> u8 {
        self.content.first()
    }

    pub(super) fn select(&mut self, now: Moment, settings: &Settings) {
        self.note(Step::Select);
        self.is_selected = true;
        self.selection = Some(self.at);
        self.selected_at = now.exact();
        (self.stage, self.deadline) = (Stage::Selecting, now.time + settings.confirm_time);
    }

    pub(super) fn execute(
        &mut self,
        command: &Command,
        at: Numbered,
        now: Moment,
        settings: &Settings,
    ) {
        self.note(Step::Execute);
        self.at = at;
        self.executed_at = now.exact();
        self.content = command.content;
        (self.value, self.state) = (command.value, command.state);
        (self.stage, self.deadline) = (Stage::Executing, now.time + settings.confirm_time);
    }

    pub(super) fn deactivate(&mut self, at: Numbered, now: Moment, settings: &Settings) {
        self.note(Step::Deactivate);
        self.at = at;
        (self.stage, self.deadline) = (Stage::Cancelling, now.time + settings.confirm_time);
    }

    /// Whether an answer can be one to the selection, but not to what came after it.
    pub(super) fn is_answer_to_selection(&self, at: Numbered) -> bool {
        let selection = self.selection.filter(|selection| *selection != self.at);
        !at.may_answer(self.at) && selection.is_some_and(|selection| at.may_answer(selection))
    }

    /// The confirmation of a selection that was executed, as we saw it, before that.
    pub(super) fn confirm_selection_late(&mut self, now: Moment) {
        self.note(Step::SelectCon);
        self.select_time = now.since(self.selected_at);
    }

    /// Whether a confirmation is due.
    pub(super) const fn awaits_confirmation(&self) -> bool {
        matches!(self.stage, Stage::Selecting | Stage::Executing | Stage::Cancelling)
    }

    /// Cause 7. Says how it ended, if it did; `terminates` is whether a termination is to be
    /// expected.
    pub(super) fn confirm(
        &mut self,
        negative: bool,
        now: Moment,
        terminates: bool,
        settings: &Settings,
    ) -> Option<Outcome> {
        match self.stage {
            Stage::Selecting => {
                self.note(Step::SelectCon);
                self.select_time = now.since(self.selected_at);
                (self.stage, self.deadline) = (Stage::Selected, now.time + settings.select_time);
            }
            // Of a selected one the execution was missed.
            Stage::Executing | Stage::Selected => {
                self.note(Step::ExecuteCon);
                self.confirm_time = now.since(self.executed_at);
                (self.stage, self.deadline) = (Stage::Executed, now.time + settings.terminate_time);
                if !negative && !terminates {
                    return Some(Outcome::Completed);
                }
            }
            // It answers what the deactivation is about.
            Stage::Cancelling | Stage::Executed => self.note(Step::ExecuteCon),
        }
        negative.then_some(Outcome::Rejected)
    }

    /// Cause 9.
    pub(super) fn confirm_deactivation(
        &mut self,
        negative: bool,
        now: Moment,
        settings: &Settings,
    ) -> Option<Outcome> {
        self.note(Step::DeactivateCon);
        if negative {
            // It goes on.
            (self.stage, self.deadline) = (Stage::Executed, now.time + settings.terminate_time);
            return None;
        }
        Some(Outcome::Cancelled)
    }

    /// Cause 10.
    pub(super) fn terminate(&mut self, negative: bool, now: Moment) -> Outcome {
        self.note(Step::Termination);
        self.is_terminated = true;
        self.terminate_time = now.since(self.executed_at);
        if negative { Outcome::Rejected } else { Outcome::Completed }
    }

    /// Causes 44 to 47.
    pub(super) fn refuse(&mut self) -> Outcome {
        self.note(Step::Unknown);
        Outcome::Unknown
    }

    /// The object that a read asked for.
    pub(super) fn answer_read(&mut self, answer: &Command, now: Moment) -> Outcome {
        (self.value, self.state) = (answer.value, answer.state);
        self.answered = 1;
        self.confirm_time = now.since(self.executed_at);
        Outcome::Completed
    }

    /// An object that an interrogation asked for.
    pub(super) fn answer(&mut self, object: u32) {
        self.answered = self.answered.saturating_add(1);
        self.points.insert(object);
    }

    /// How it ended if it is over although its termination may yet come.
    pub(super) fn stands(&self, terminates: Option<bool>) -> Option<Outcome> {
        Some(self.expire(terminates)).filter(|outcome| *outcome == Outcome::Completed)
    }

    /// Whether it was selected first.
    pub(super) fn was_selected(&self) -> bool {
        self.is_selected
    }

    /// How it ends if nothing more comes; `terminates` is whether the station tells of the end of
    /// such commands, as far as is known.
    pub(super) fn expire(&self, terminates: Option<bool>) -> Outcome {
        match self.stage {
            Stage::Selecting | Stage::Executing | Stage::Cancelling => Outcome::Unconfirmed,
            Stage::Selected => Outcome::Unexecuted,
            Stage::Executed => match self.known.terminated {
                Terminated::Yes => Outcome::NotTerminated,
                Terminated::WhereTheStationDoes if terminates == Some(true) => {
                    Outcome::NotTerminated
                }
                Terminated::WhereTheStationDoes | Terminated::No => Outcome::Completed,
            },
        }
    }
}

/// The causes of objects that answer an interrogation with this QOI: the station 20, its groups 21
/// to 36 (7.2.6.22). The two count alike.
pub(super) fn answers_interrogation(life: &Life, asked: u8) -> bool {
    const INTERROGATION: u8 = 100;
    const COUNTERS: u8 = 101;
    match life.key.type_id {
        INTERROGATION => life.qualifier() == asked,
        // RQT (7.2.6.23): groups 1 to 4, and 5 for all; causes 37 for all, 38 to 41 for groups.
        COUNTERS => match life.qualifier() & 0x3F {
            5 => asked == cause::COUNTERS_REQUESTED,
            group @ 1..=4 => asked == cause::COUNTERS_REQUESTED + group,
            _ => false,
        },
        _ => false,
    }
}

/// The runs of addresses that answered, as far as there is room: points are numbered in runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Points(Vec<RangeInclusive<u32>>);

impl Points {
    /// Runs that are kept; who numbers its points without any order fills them.
    const MOST: usize = 256;

    /// The same room, empty.
    pub(super) fn emptied(mut self) -> Self {
        self.0.clear();
        self
    }

    pub(super) fn runs(&self) -> &[RangeInclusive<u32>] {
        &self.0
    }

    fn insert(&mut self, point: u32) {
        let runs = &mut self.0;
        let index = runs.partition_point(|run| *run.end() < point);
        let right = runs.get(index).cloned();
        if right.as_ref().is_some_and(|run| run.contains(&point)) {
            return;
        }
        let left = index.checked_sub(1).and_then(|left| runs.get(left)).cloned();
        let left = left.filter(|run| run.end() + 1 == point);
        let right = right.filter(|run| *run.start() == point + 1);
        match (left, right) {
            (Some(left), Some(right)) => {
                runs[index - 1] = *left.start()..=*right.end();
                runs.remove(index);
            }
            (Some(left), None) => runs[index - 1] = *left.start()..=point,
            (None, Some(right)) => runs[index] = point..=*right.end(),
            (None, None) if runs.len() < Self::MOST => runs.insert(index, point..=point),
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(points: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
        let mut kept = Points::default();
        points.into_iter().for_each(|point| kept.insert(point));
        kept.runs().iter().map(|run| (*run.start(), *run.end())).collect()
    }

    #[test]
    fn points_that_follow_one_another_are_one_run_in_any_order() {
        assert_eq!(runs([1, 2, 3, 7, 9, 8, 5]), [(1, 3), (5, 5), (7, 9)]);
        assert_eq!(runs([3, 1, 2]), [(1, 3)]);
        assert_eq!(runs([5, 5, 4, 4, 0]), [(0, 0), (4, 5)]);
        assert_eq!(runs((0..100).rev()), [(0, 99)]);
    }

    #[test]
    fn points_without_order_take_bounded_room() {
        assert_eq!(runs((0..10_000).map(|point| point * 2)).len(), Points::MOST);
    }
}
