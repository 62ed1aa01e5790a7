//! Takes observations in the order of time, and tells which correlations are met.

use std::collections::VecDeque;
use std::sync::Arc;

use super::groups::Groups;
use super::observe::{GroupValue, Observations, Observed, group_values, regroup};
use super::window::{Hit, Measure, Window};
use super::{Correlation, GroupField, Link, Look};
use crate::rule::RuleSet;
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

/// Windows of all correlations of a set, and who is waited for.
#[derive(Debug)]
pub struct Correlator {
    set: Arc<RuleSet>,
    limits: CorrelatorLimits,
    /// By correlation.
    states: Vec<State>,
    /// Those that look for absence.
    absences: Vec<usize>,
    octets: usize,
    /// Microseconds of packet time.
    now: u64,
    evicted: u64,
    /// Memory for keys.
    key: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    groups: Groups,
    /// Of absence: groups in the order in which their time comes, with the moment since when they
    /// wait. One that waits no more, or since later, is passed over.
    waiting: VecDeque<(u64, u32)>,
}

/// A correlation that is met.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// [`Rule::index`](crate::rule::Rule::index).
    pub rule: usize,
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

impl Correlator {
    /// Nothing was seen yet.
    pub fn new(set: Arc<RuleSet>, limits: CorrelatorLimits) -> Self {
        let all = &set.correlations.all;
        let states = all.iter().map(|_| State::default()).collect();
        let is_absence = |index: &usize| all[*index].look == Look::Absence;
        let absences = (0..all.len()).filter(is_absence).collect();
        Self { set, limits, states, absences, octets: 0, now: 0, evicted: 0, key: Vec::new() }
    }

    /// Goes on with what another remembers of correlations that are the same here and there.
    pub fn adopt(&mut self, mut other: Self) {
        (self.now, self.evicted) = (self.now.max(other.now), other.evicted);
        let id = |set: &RuleSet, correlation: &Correlation| set.rules[correlation.rule].id;
        for (index, own) in self.set.correlations.all.iter().enumerate() {
            let theirs = other.set.correlations.all.iter().position(|theirs| {
                id(&self.set, own) == id(&other.set, theirs) && own.is_like(theirs)
            });
            if let Some(theirs) = theirs {
                self.states[index] = std::mem::take(&mut other.states[theirs]);
                self.octets += self.states[index].groups.octets();
            }
        }
    }

    /// The rules whose correlations it looks for.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.set
    }

    /// Whether something that is waited for is to be told before `time`.
    #[inline]
    pub fn is_waited_for(&self, time: Timestamp) -> bool {
        // Asked for each record, and few sets have any.
        !self.absences.is_empty()
            && self.next_deadline().is_some_and(|(deadline, _)| deadline < time.as_nanos() / 1000)
    }

    /// Groups that were let go before their time.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Octets that all groups take, roughly.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Groups of all correlations.
    pub fn groups(&self) -> usize {
        self.states.iter().map(|state| state.groups.len()).sum()
    }

    /// Takes the hits of an event at `time`. Events come in the order of time; one that does not counts
    /// as if it came at the time of the one before it. `payload` is handed on with what is found.
    pub fn take(
        &mut self,
        time: Timestamp,
        observations: &Observations,
        payload: &[u8],
        tell: &mut Tell<'_>,
    ) {
        self.advance(time, tell);
        for observed in observations.iter() {
            self.observe(observed, payload, tell);
        }
    }

    /// No event of before `time` will come.
    pub fn advance(&mut self, time: Timestamp, tell: &mut Tell<'_>) {
        let time = time.as_nanos() / 1000;
        if time + SET_BACK < self.now {
            self.forget(time);
        }
        let now = self.now.max(time);
        while let Some((deadline, index)) = self.next_deadline().filter(|next| next.0 < now) {
            self.now = self.now.max(deadline);
            self.tell_absence(index, tell);
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
    fn next_deadline(&self) -> Option<(u64, usize)> {
        let of = |index: &usize| {
            let (since, _) = self.states[*index].waiting.front()?;
            Some((since + self.set.correlations.all[*index].timespan, *index))
        };
        self.absences.iter().filter_map(of).min()
    }

    #[cold]
    fn tell_absence(&mut self, index: usize, tell: &mut Tell<'_>) {
        let set = Arc::clone(&self.set);
        let state = &mut self.states[index];
        let Some((since, place)) = state.waiting.pop_front() else { return };
        let group = state.groups.get_mut(place);
        if !group.window.waits_since(since) {
            return;
        }
        let (key, payload) = (std::mem::take(&mut group.key), std::mem::take(&mut group.payload));
        let before = state.groups.octets();
        state.groups.remove(place);
        self.octets -= before - state.groups.octets();
        let time = Timestamp::from_nanos(self.now * 1000);
        let alert = Alert {
            index,
            group: &key,
            measure: Measure::Whole,
            payload: &payload,
            time,
            is_later: true,
        };
        self.found(&set, alert, tell);
    }

    fn observe(&mut self, observed: Observed<'_>, payload: &[u8], tell: &mut Tell<'_>) {
        let set = Arc::clone(&self.set);
        let index = observed.correlation;
        let Some(correlation) = set.correlations.all.get(index) else { return };
        let time = Timestamp::from_nanos(self.now * 1000);
        if let Some(measure) = self.hit(index, correlation, observed, payload) {
            let alert =
                Alert { index, group: observed.group, measure, payload, time, is_later: false };
            self.found(&set, alert, tell);
        }
    }

    /// Tells of a correlation, and lets those that take its alerts have it.
    fn found(&mut self, set: &RuleSet, alert: Alert<'_>, tell: &mut Tell<'_>) {
        let correlation = &set.correlations.all[alert.index];
        tell(Found {
            rule: correlation.rule,
            time: alert.time,
            is_later: alert.is_later,
            measure: alert.measure,
            payload: alert.payload,
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
        if let Some(measure) = self.hit(index, correlation, observed, alert.payload) {
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
        payload: &[u8],
    ) -> Option<Measure> {
        let now = self.now;
        let state = &mut self.states[index];
        let before = state.groups.octets();
        let is_absence = correlation.look == Look::Absence;
        if !is_absence {
            state.let_go_of_old(now, correlation.timespan);
        }
        let Observed { place, values, number, .. } = observed;
        let window = || Window::new(&correlation.look, correlation.members);
        let at = state.groups.hit(observed.group, now, window);
        let group = state.groups.get_mut(at);
        let hit = Hit { at: now, place, values, number };
        let since = now.saturating_sub(correlation.timespan);
        let measure = group.window.take(&correlation.look, since, hit);
        if is_absence {
            state.wait(at, now, place, payload);
        } else {
            state.groups.book(at);
        }
        let taken = state.groups.octets() as isize - before as isize;
        self.octets = self.octets.saturating_add_signed(taken);
        self.make_room(index);
        measure
    }

    fn make_room(&mut self, index: usize) {
        let groups = &mut self.states[index].groups;
        while groups.len() > self.limits.groups
            || (self.octets > self.limits.octets && groups.len() > 1)
        {
            let Some((place, _)) = groups.first() else { return };
            let before = groups.octets();
            groups.remove(place);
            self.octets -= before - groups.octets();
            self.evicted += 1;
        }
    }
}

/// Microseconds: packet times of several threads, or captures, may go back a little.
const SET_BACK: u64 = 1_000_000;

/// So many who wait no more may be remembered.
const SPARE: usize = 1024;

/// A correlation that is met, before it is told.
#[derive(Clone, Copy)]
struct Alert<'a> {
    index: usize,
    group: &'a [u8],
    measure: Measure,
    payload: &'a [u8],
    time: Timestamp,
    is_later: bool,
}

impl State {
    /// Groups that nothing is left of: two at a time, so that no hit pays for all.
    fn let_go_of_old(&mut self, now: u64, timespan: u64) {
        for _ in 0..2 {
            match self.groups.first() {
                Some((place, hit)) if hit + timespan < now => self.groups.remove(place),
                _ => return,
            }
        }
    }

    /// The first rule begins to wait; any other ends it.
    fn wait(&mut self, at: u32, now: u64, place: usize, payload: &[u8]) {
        if place > 0 {
            return self.groups.remove(at);
        }
        let group = self.groups.get_mut(at);
        if let Window::Waiting(since @ None) = &mut group.window {
            *since = Some(now);
            group.payload = payload.into();
            self.waiting.push_back((now, at));
        }
        self.groups.book(at);
        if self.waiting.len() > 2 * self.groups.len() + SPARE {
            let groups = &mut self.groups;
            self.waiting.retain(|(since, at)| groups.get_mut(*at).window.waits_since(*since));
        }
    }
}
