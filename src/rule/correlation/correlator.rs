//! Takes observations in the order of time, and tells which correlations are met.

use std::collections::VecDeque;
use std::sync::Arc;

use super::groups::Groups;
use super::observe::{GroupValue, Observations, Observed, group_values, regroup};
use super::window::{Hit, Measure, Window};
use super::{Correlation, GroupField, Link, Look};
use crate::rule::{Rule, RuleSet};
use crate::time::Timestamp;

/// What a correlator may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorrelatorLimits {
    /// Groups of one correlation; one more lets that go that was hit longest ago.
    pub groups: usize,
    /// Octets of all correlations together.
    pub octets: usize,
}

impl Default for CorrelatorLimits {
    fn default() -> Self {
        Self { groups: 1_000_000, octets: 256 << 20 }
    }
}

/// The correlations of a set, and what was seen of them.
#[derive(Debug)]
pub struct Correlator {
    set: Arc<RuleSet>,
    memory: Memory,
}

/// Windows of all correlations, and who is waited for.
#[derive(Debug)]
struct Memory {
    limits: CorrelatorLimits,
    /// By correlation.
    states: Vec<State>,
    /// Those that look for absence.
    absences: Vec<usize>,
    octets: usize,
    /// Microseconds of packet time.
    now: u64,
    evicted: u64,
    /// Room for a key, and for what alerts at hand are told with.
    key: Vec<u8>,
    payload: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    groups: Groups,
    /// Of absence: groups in the order in which their time comes, with the moment since when they
    /// wait. One that waits no more, or since later, is passed over.
    waiting: VecDeque<(u64, u32)>,
    /// How many of these there may be until it is looked who waits no more.
    spare: usize,
}

/// A correlation that is met.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The correlation.
    pub rule: &'a Rule,
    /// When: at the last hit; of absence, at the end of the timespan.
    pub time: Timestamp,
    /// Whether that is later than the hit that `payload` came with.
    pub is_later: bool,
    /// How much was found.
    pub measure: Measure,
    /// What came with the last hit, or for absence with the first.
    pub payload: &'a [u8],
    fields: &'a [GroupField],
    group: &'a [u8],
}

impl<'a> Found<'a> {
    /// The same for all that have it in common.
    pub fn group_octets(&self) -> &'a [u8] {
        self.group
    }

    /// What the hits have in common, in the order of the correlation.
    pub fn group(&self) -> impl Iterator<Item = (&'a GroupField, GroupValue<'a>)> {
        self.fields.iter().zip(group_values(self.group))
    }
}

/// Hears of correlations that are met.
pub type Tell<'t> = dyn FnMut(Found<'_>) + 't;

/// Writes what alerts of an event are to be told with. Asked for where it is needed, once for all of
/// them.
pub type Describe<'d> = dyn FnMut(&mut Vec<u8>) + 'd;

impl Correlator {
    /// Nothing was seen yet.
    pub fn new(set: Arc<RuleSet>, limits: CorrelatorLimits) -> Self {
        let memory = Memory::new(&set.correlations.all, limits);
        Self { set, memory }
    }

    /// Goes on with what another remembers of correlations that are the same here and there.
    pub fn adopt(&mut self, mut other: Self) {
        let (memory, others) = (&mut self.memory, &mut other.memory);
        (memory.now, memory.evicted) = (memory.now.max(others.now), others.evicted);
        let id = |set: &RuleSet, correlation: &Correlation| set.rules[correlation.rule].id;
        for (index, own) in self.set.correlations.all.iter().enumerate() {
            let theirs = other.set.correlations.all.iter().position(|theirs| {
                id(&self.set, own) == id(&other.set, theirs) && own.is_like(theirs)
            });
            if let Some(theirs) = theirs {
                memory.states[index] = std::mem::take(&mut others.states[theirs]);
                memory.octets += memory.states[index].groups.octets();
            }
        }
    }

    /// Whether something that is waited for is to be told before `time`.
    #[inline]
    pub fn is_waited_for(&self, time: Timestamp) -> bool {
        // Asked for each record, and few sets have any.
        !self.memory.absences.is_empty()
            && self
                .memory
                .next_deadline(&self.set)
                .is_some_and(|(deadline, _)| deadline < time.as_nanos() / 1000)
    }

    /// Groups that were let go before their time.
    pub fn evicted(&self) -> u64 {
        self.memory.evicted
    }

    /// Octets that all groups take, roughly.
    pub fn octets(&self) -> usize {
        self.memory.octets
    }

    /// Groups of all correlations.
    pub fn groups(&self) -> usize {
        self.memory.states.iter().map(|state| state.groups.len()).sum()
    }

    /// Takes the hits of an event at `time`. Events come in the order of time; one that does not counts
    /// as if it came at the time of the one before it.
    pub fn take(
        &mut self,
        time: Timestamp,
        observations: &Observations,
        describe: &mut Describe<'_>,
        tell: &mut Tell<'_>,
    ) {
        let Self { set, memory } = self;
        memory.advance(set, time, tell);
        memory.payload.clear();
        for observed in observations.iter() {
            memory.observe(set, observed, describe, tell);
        }
    }

    /// No event of before `time` will come.
    pub fn advance(&mut self, time: Timestamp, tell: &mut Tell<'_>) {
        self.memory.advance(&self.set, time, tell);
    }
}

impl Memory {
    fn new(all: &[Correlation], limits: CorrelatorLimits) -> Self {
        let is_absence = |index: &usize| all[*index].look == Look::Absence;
        Self {
            limits,
            states: all.iter().map(|_| State::default()).collect(),
            absences: (0..all.len()).filter(is_absence).collect(),
            octets: 0,
            now: 0,
            evicted: 0,
            key: Vec::new(),
            payload: Vec::new(),
        }
    }

    fn advance(&mut self, set: &RuleSet, time: Timestamp, tell: &mut Tell<'_>) {
        let time = time.as_nanos() / 1000;
        if time + SET_BACK < self.now {
            self.forget(time);
        }
        let now = self.now.max(time);
        while let Some((deadline, index)) = self.next_deadline(set).filter(|next| next.0 < now) {
            self.now = self.now.max(deadline);
            self.tell_absence(set, index, tell);
        }
        self.now = now;
    }

    /// The clock was set back: what came before is not comparable with what comes now.
    #[cold]
    fn forget(&mut self, now: u64) {
        self.states.iter_mut().for_each(|state| *state = State::default());
        (self.now, self.octets) = (now, 0);
    }

    /// Whose time to wait ends first, and when. What comes at that moment is in time.
    fn next_deadline(&self, set: &RuleSet) -> Option<(u64, usize)> {
        let of = |index: &usize| {
            let (since, _) = self.states[*index].waiting.front()?;
            Some((since + set.correlations.all[*index].timespan, *index))
        };
        self.absences.iter().filter_map(of).min()
    }

    #[cold]
    fn tell_absence(&mut self, set: &RuleSet, index: usize, tell: &mut Tell<'_>) {
        let state = &mut self.states[index];
        let Some((since, place)) = state.waiting.pop_front() else { return };
        let before = state.groups.octets();
        let group = state.groups.get_mut(place);
        let Window::Waiting(waits) = &mut group.window else { return };
        if !waits.wait_since(since) {
            return;
        }
        self.payload = waits.take_first();
        let is_over = waits.is_empty();
        let key = group.key.clone();
        if is_over {
            state.groups.remove(place);
        } else {
            state.groups.book(place);
        }
        self.octets -= before - state.groups.octets();
        let alert = Alert { index, group: &key, measure: Measure::Whole, is_later: true };
        self.found(set, alert, tell);
    }

    fn observe(
        &mut self,
        set: &RuleSet,
        observed: Observed<'_>,
        describe: &mut Describe<'_>,
        tell: &mut Tell<'_>,
    ) {
        let index = observed.correlation;
        let Some(correlation) = set.correlations.all.get(index) else { return };
        if let Some(measure) = self.hit(index, correlation, observed, describe) {
            if self.payload.is_empty() {
                describe(&mut self.payload);
            }
            let alert = Alert { index, group: observed.group, measure, is_later: false };
            self.found(set, alert, tell);
        }
    }

    /// Tells of a correlation, and lets those that take its alerts have it.
    fn found(&mut self, set: &RuleSet, alert: Alert<'_>, tell: &mut Tell<'_>) {
        let correlation = &set.correlations.all[alert.index];
        tell(Found {
            rule: &set.rules[correlation.rule],
            time: Timestamp::from_nanos(self.now * 1000),
            is_later: alert.is_later,
            measure: alert.measure,
            payload: &self.payload,
            fields: &correlation.group,
            group: alert.group,
        });
        for link in set.correlations.links(correlation.rule) {
            self.chain(set, link, alert, tell);
        }
    }

    fn chain(&mut self, set: &RuleSet, link: &Link, alert: Alert<'_>, tell: &mut Tell<'_>) {
        let mut key = std::mem::take(&mut self.key);
        regroup(alert.group, &link.group, &mut key);
        let (index, place) = (link.correlation, link.place);
        let observed =
            Observed { correlation: index, place, group: &key, values: None, number: None };
        let correlation = &set.correlations.all[index];
        // What the alert is told with is what this one is, too.
        if let Some(measure) = self.hit(index, correlation, observed, &mut |_| {}) {
            // Correlations of correlations are no deeper than a set is large: they have no cycles.
            let alert = Alert { index, group: &key.clone(), measure, ..alert };
            self.found(set, alert, tell);
        }
        self.key = key;
    }

    /// Takes a hit into its window.
    fn hit(
        &mut self,
        index: usize,
        correlation: &Correlation,
        observed: Observed<'_>,
        describe: &mut Describe<'_>,
    ) -> Option<Measure> {
        let now = self.now;
        let before = self.states[index].groups.octets();
        self.states[index].let_go_of_old(now, correlation.timespan);
        let measure = if correlation.look == Look::Absence {
            self.wait(index, observed, describe);
            None
        } else {
            let Observed { group, place, values, number, .. } = observed;
            let groups = &mut self.states[index].groups;
            let at = groups.hit(group, now, || Window::new(&correlation.look, correlation.members));
            let hit = Hit { at: now, place, values, number };
            let since = now.saturating_sub(correlation.timespan);
            let measure = groups.get_mut(at).window.take(&correlation.look, since, hit);
            groups.book(at);
            measure
        };
        let taken = self.states[index].groups.octets() as isize - before as isize;
        self.octets = self.octets.saturating_add_signed(taken);
        self.make_room(index);
        measure
    }

    /// Absence: each hit of the first rule begins to wait, one of any other ends all that wait.
    fn wait(&mut self, index: usize, observed: Observed<'_>, describe: &mut Describe<'_>) {
        let state = &mut self.states[index];
        if observed.place > 0 {
            return state.groups.end_waits(observed.group);
        }
        let at = state.groups.hit(observed.group, self.now, || Window::Waiting(Box::default()));
        if self.payload.is_empty() {
            describe(&mut self.payload);
        }
        if let Window::Waiting(waits) = &mut state.groups.get_mut(at).window
            && waits.begin(self.now, &self.payload)
        {
            state.waiting.push_back((self.now, at));
        }
        state.groups.book(at);
        state.forget_who_waits_no_more();
    }

    fn make_room(&mut self, index: usize) {
        while self.states[index].groups.len() > self.limits.groups {
            self.let_go(index);
        }
        while self.octets > self.limits.octets {
            // Of the correlation that takes most, so that none that does leaves nothing to the others.
            let sizes = self.states.iter().enumerate();
            let largest = sizes.max_by_key(|(_, state)| state.groups.octets());
            let Some((largest, _)) = largest else { return };
            if !self.let_go(largest) {
                return;
            }
        }
    }

    /// Lets go of the group that was hit longest ago; of the older half of what it remembers, if there
    /// is no other. Whether there was anything.
    fn let_go(&mut self, index: usize) -> bool {
        let groups = &mut self.states[index].groups;
        let Some((place, _)) = groups.first() else { return false };
        let before = groups.octets();
        if groups.len() > 1 {
            groups.remove(place);
        } else if groups.get_mut(place).window.halve() {
            groups.book(place);
        } else {
            return false;
        }
        self.octets = self.octets + groups.octets() - before;
        self.evicted += 1;
        true
    }
}

/// Microseconds: packet times of several threads, or captures, may go back a little; flows end in the
/// order of time only to within about five seconds. What comes late counts as if it came now.
const SET_BACK: u64 = 10_000_000;

/// So many who wait no more may be remembered.
const SPARE: usize = 1024;

/// A correlation that is met, before it is told.
#[derive(Clone, Copy)]
struct Alert<'a> {
    index: usize,
    group: &'a [u8],
    measure: Measure,
    is_later: bool,
}

impl State {
    /// Groups that nothing is left of: two at a time, so that no hit pays for all. None of them waits
    /// for anything: that was told when its time came.
    fn let_go_of_old(&mut self, now: u64, timespan: u64) {
        for _ in 0..2 {
            match self.groups.first() {
                Some((place, hit)) if hit + timespan < now => self.groups.remove(place),
                _ => return,
            }
        }
    }

    fn forget_who_waits_no_more(&mut self) {
        if self.waiting.len() > self.spare + SPARE {
            let groups = &mut self.groups;
            self.waiting.retain(|(since, at)| match &groups.get_mut(*at).window {
                Window::Waiting(waits) => waits.any_since(*since),
                _ => false,
            });
            // As many hits again, so that none pays for all.
            self.spare = 2 * self.waiting.len();
        }
    }
}
