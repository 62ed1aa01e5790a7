//! What a correlation remembers of one group, and whether its condition is met.
//!
//! Moments are microseconds, and never go back. A window has the hits of the last timespan, both
//! ends included.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::Look;
use crate::rule::sigma::{Aggregate, Bound, Threshold};

/// So many hits of a window are counted exactly; more make it a number that is met at the least.
const MOST_COUNTED: usize = 4096;

/// A number is made of so many values at the most, the newest: each hit makes it anew.
pub(super) const MOST_NUMBERS: usize = 4096;

/// What is remembered of one group.
#[derive(Debug)]
pub(super) enum Window {
    /// When it was hit.
    Hits(Moments),
    /// When each value came last.
    Values(Box<Values>),
    /// When each number came.
    Numbers(VecDeque<(u64, f64)>),
    /// When each rule was hit last.
    Each(Box<[Option<u64>]>),
    /// By rule: when it was hit last, and the latest moment at which a series of hits of all rules up
    /// to it began.
    InOrder(Box<[Step]>),
    /// Since when it is waited for what is to follow.
    Waiting(Box<Waits>),
}

/// So many wait in a group at once. What ends one ends all that wait before it, so beyond these only
/// the number of alerts is smaller.
pub(super) const MOST_WAITS: usize = 64;

/// Hits that wait, the oldest in front. Behind them stand some that wait no more, for their memory.
#[derive(Debug, Default)]
pub(super) struct Waits {
    all: VecDeque<Wait>,
    waiting: usize,
    /// Octets of all payloads.
    octets: usize,
}

#[derive(Debug, Default)]
struct Wait {
    since: u64,
    /// What an alert is told with.
    payload: Vec<u8>,
}

impl Waits {
    /// One more waits since now, unless there are too many. Whether it does.
    pub(super) fn begin(&mut self, now: u64, payload: &[u8]) -> bool {
        if self.waiting >= MOST_WAITS {
            return false;
        }
        if self.waiting == self.all.len() {
            self.all.push_back(Wait::default());
        }
        let wait = &mut self.all[self.waiting];
        wait.since = now;
        self.octets -= wait.payload.capacity();
        wait.payload.clear();
        wait.payload.extend_from_slice(payload);
        self.octets += wait.payload.capacity();
        self.waiting += 1;
        true
    }

    /// None waits any more.
    pub(super) fn end(&mut self) {
        self.waiting = 0;
        // The next needs the memory of one.
        self.shorten(1);
    }

    /// Whether the oldest waits since then.
    pub(super) fn wait_since(&self, since: u64) -> bool {
        self.waiting > 0 && self.all.front().is_some_and(|wait| wait.since == since)
    }

    /// Whether one waits since then.
    pub(super) fn any_since(&self, since: u64) -> bool {
        let waiting = self.all.iter().take(self.waiting);
        waiting.rev().any(|wait| wait.since == since)
    }

    /// The oldest waits no more; what its alert is told with.
    pub(super) fn take_first(&mut self) -> Vec<u8> {
        self.waiting -= 1;
        let payload = self.all.pop_front().unwrap_or_default().payload;
        self.octets -= payload.capacity();
        payload
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// The newest wait no more, as their alerts would come last.
    fn halve(&mut self) -> bool {
        let before = self.all.len();
        self.waiting = self.waiting.min(before.div_ceil(2));
        self.shorten(before.div_ceil(2));
        self.all.shrink_to_fit();
        self.all.len() < before
    }

    fn shorten(&mut self, most: usize) {
        while self.all.len() > most {
            self.octets -= self.all.pop_back().map_or(0, |wait| wait.payload.capacity());
        }
    }

    fn octets(&self) -> usize {
        size_of::<Self>() + self.all.capacity() * size_of::<Wait>() + self.octets
    }
}

/// Most groups are hit once; behind a pointer the others make them no larger.
#[derive(Debug)]
#[allow(clippy::box_collection, reason = "see above")]
pub(super) enum Moments {
    One(Option<u64>),
    Many(Box<VecDeque<u64>>),
}

/// Different values, each with the moment when it came last.
#[derive(Debug, Default)]
pub(super) struct Values {
    latest: HashMap<Arc<[u8]>, u64, RandomState>,
    /// In the order in which they came; a value may stand here more than once.
    came: VecDeque<(u64, Arc<[u8]>)>,
    /// Octets of the values.
    octets: usize,
}

/// What a value costs besides its octets: the counts before them, and what memory is rounded up to.
const EACH_VALUE: usize = 32;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Step {
    hit: Option<u64>,
    began: Option<u64>,
}

/// A hit as a window takes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit<'a> {
    pub(super) at: u64,
    pub(super) place: usize,
    pub(super) values: Option<&'a [u8]>,
    pub(super) number: Option<f64>,
}

/// What an alert says of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// So many hits, or different values; this many at the least, if there are more than are counted.
    Count(u64),
    /// A sum, an average, a percentile.
    Number(f64),
    /// All that was to be found was.
    Whole,
}

impl Window {
    /// One that holds nothing.
    pub(super) const EMPTY: Self = Self::Hits(Moments::One(None));

    /// An empty one, of a correlation of so many rules.
    pub(super) fn new(look: &Look, members: usize) -> Self {
        match look {
            Look::EventCount(_) => Self::Hits(Moments::One(None)),
            Look::ValueCount(_) => Self::Values(Box::default()),
            Look::Value(..) => Self::Numbers(VecDeque::new()),
            Look::Temporal => Self::Each(vec![None; members].into()),
            Look::TemporalOrdered => Self::InOrder(vec![Step::default(); members].into()),
            Look::Absence => Self::Waiting(Box::default()),
        }
    }

    /// Lets go of what is older than `since`, takes a hit, and says what is met.
    pub(super) fn take(&mut self, look: &Look, since: u64, hit: Hit<'_>) -> Option<Measure> {
        match (self, look) {
            (Self::Hits(moments), Look::EventCount(threshold)) => {
                let count = moments.take(since, hit.at, threshold.needed()) as u64;
                threshold.is_met_by(count as f64).then_some(Measure::Count(count))
            }
            (Self::Values(values), Look::ValueCount(threshold)) => {
                let count = values.take(since, hit, threshold.needed()) as u64;
                threshold.is_met_by(count as f64).then_some(Measure::Count(count))
            }
            (Self::Numbers(numbers), Look::Value(aggregate, threshold)) => {
                take_number(numbers, since, hit);
                let number = aggregate.of(numbers)?;
                threshold.is_met_by(number).then_some(Measure::Number(number))
            }
            (Self::Each(each), Look::Temporal) => {
                *each.get_mut(hit.place)? = Some(hit.at);
                let is_in = |moment: &Option<u64>| moment.is_some_and(|moment| moment >= since);
                each.iter().all(is_in).then_some(Measure::Whole)
            }
            (Self::InOrder(steps), Look::TemporalOrdered) => {
                let began = take_step(steps, hit)?;
                (began >= since).then_some(Measure::Whole)
            }
            // Absence is decided when its time has come.
            _ => None,
        }
    }

    /// Lets go of the older half of what takes room, and says whether that was anything. Half, so that
    /// what it costs is shared by as many hits.
    pub(super) fn halve(&mut self) -> bool {
        match self {
            Self::Hits(Moments::Many(many)) => halve(many),
            Self::Numbers(numbers) => halve(numbers),
            Self::Values(values) => values.halve(),
            Self::Waiting(waits) => waits.halve(),
            Self::Hits(Moments::One(_)) | Self::Each(_) | Self::InOrder(_) => false,
        }
    }

    /// Octets that it takes besides itself, roughly.
    pub(super) fn octets(&self) -> usize {
        match self {
            Self::Hits(Moments::One(_)) => 0,
            Self::Waiting(waits) => waits.octets(),
            Self::Hits(Moments::Many(many)) => 48 + 8 * many.capacity(),
            Self::Values(values) => values.octets(),
            Self::Numbers(numbers) => 16 * numbers.capacity(),
            Self::Each(each) => 16 * each.len(),
            Self::InOrder(steps) => 32 * steps.len(),
        }
    }
}

impl Moments {
    /// How many there are since then, this one among them.
    fn take(&mut self, since: u64, at: u64, most: usize) -> usize {
        match self {
            Self::One(last) if last.is_none_or(|last| last < since) => {
                *last = Some(at);
                1
            }
            Self::One(last) => {
                let both = last.iter().copied().chain([at]).collect();
                *self = Self::Many(Box::new(both));
                2
            }
            Self::Many(many) => {
                while many.front().is_some_and(|first| *first < since) || many.len() >= most {
                    many.pop_front();
                }
                many.push_back(at);
                many.len()
            }
        }
    }
}

impl Values {
    /// How many there are since then, those of this hit among them.
    fn take(&mut self, since: u64, hit: Hit<'_>, most: usize) -> usize {
        while let Some((moment, value)) = self.came.front() {
            let is_last = self.latest.get(value) == Some(moment);
            let is_out = *moment < since || self.latest.len() > most;
            if is_last && !is_out {
                break;
            }
            // It came again since, or it is out.
            self.let_go_of_first();
        }
        if let Some(value) = hit.values {
            self.add(value, hit.at);
        }
        self.latest.len()
    }

    fn let_go_of_first(&mut self) {
        let Some((moment, value)) = self.came.pop_front() else { return };
        if self.latest.get(&value) == Some(&moment) {
            self.latest.remove(&value);
            self.octets -= value.len() + EACH_VALUE;
        }
    }

    /// Lets go of the older half. Whether there was one.
    fn halve(&mut self) -> bool {
        let (before, left) = (self.latest.len(), self.latest.len() / 2);
        while self.latest.len() > left && self.latest.len() > 1 {
            self.let_go_of_first();
        }
        self.latest.shrink_to_fit();
        self.came.shrink_to_fit();
        self.latest.len() < before
    }

    fn add(&mut self, value: &[u8], at: u64) {
        let shared = match self.latest.get_key_value(value) {
            Some((_, latest)) if *latest == at => return,
            Some((shared, _)) => Arc::clone(shared),
            None => {
                self.octets += value.len() + EACH_VALUE;
                Arc::from(value)
            }
        };
        self.latest.insert(Arc::clone(&shared), at);
        self.came.push_back((at, shared));
        if self.came.len() > 2 * self.latest.len() + 16 {
            let latest = &self.latest;
            self.came.retain(|(moment, value)| latest.get(value) == Some(moment));
        }
    }

    fn octets(&self) -> usize {
        // Of the map, a place in seven is empty at the least, and each has an octet more.
        let places = self.latest.capacity() * 32 + self.came.capacity() * 24;
        size_of::<Self>() + places + self.octets
    }
}

fn halve<T>(all: &mut VecDeque<T>) -> bool {
    let half = all.len() / 2;
    all.drain(..half);
    all.shrink_to_fit();
    half > 0
}

fn take_number(numbers: &mut VecDeque<(u64, f64)>, since: u64, hit: Hit<'_>) {
    while numbers.front().is_some_and(|(moment, _)| *moment < since) {
        numbers.pop_front();
    }
    let Some(number) = hit.number else { return };
    if numbers.len() >= MOST_NUMBERS {
        numbers.pop_front();
    }
    numbers.push_back((hit.at, number));
}

/// Takes a hit, and says when the latest whole series began.
fn take_step(steps: &mut [Step], hit: Hit<'_>) -> Option<u64> {
    steps.get_mut(hit.place)?.hit = Some(hit.at);
    // What came at the same moment may stand in any order; so steps behind this one may follow now.
    for place in hit.place..steps.len() {
        if steps[place].hit != Some(hit.at) {
            break;
        }
        let began = match place.checked_sub(1) {
            None => Some(hit.at),
            Some(before) => steps[before].began,
        };
        steps[place].began = steps[place].began.max(began);
    }
    steps.last()?.began
}

impl Aggregate {
    fn of(self, numbers: &VecDeque<(u64, f64)>) -> Option<f64> {
        let values = || numbers.iter().map(|(_, number)| *number);
        match self {
            Self::Sum => Some(values().sum()),
            Self::Average if numbers.is_empty() => None,
            Self::Average => Some(values().sum::<f64>() / numbers.len() as f64),
            Self::Percentile(rank) => percentile(values().collect(), rank),
        }
    }
}

/// Between the two values next to the rank, in proportion.
fn percentile(mut values: Vec<f64>, rank: u8) -> Option<f64> {
    let place = f64::from(rank) / 100.0 * values.len().checked_sub(1)? as f64;
    let (_, lower, above) = values.select_nth_unstable_by(place as usize, f64::total_cmp);
    let next = above.iter().copied().min_by(f64::total_cmp).unwrap_or(*lower);
    Some(*lower + place.fract() * (next - *lower))
}

impl Threshold {
    #[allow(clippy::float_cmp, reason = "a rule that says `eq` means that number and no other")]
    fn is_met_by(&self, number: f64) -> bool {
        self.0.iter().all(|(bound, value)| {
            let value = *value as f64;
            match bound {
                Bound::Less => number < value,
                Bound::LessOrEqual => number <= value,
                Bound::Greater => number > value,
                Bound::GreaterOrEqual => number >= value,
                Bound::Equal => number == value,
                Bound::NotEqual => number != value,
            }
        })
    }

    /// So many have to be counted to decide.
    fn needed(&self) -> usize {
        let highest = self.0.iter().map(|(_, value)| *value).max().unwrap_or_default();
        usize::try_from(highest).unwrap_or_default().saturating_add(2).max(MOST_COUNTED)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPAN: u64 = 10;

    /// Everything that ever came, looked through for each hit.
    fn naive(look: &Look, hits: &[(u64, usize, u8)]) -> Option<Measure> {
        let now = hits.last()?.0;
        let window: Vec<_> = hits.iter().filter(|(at, ..)| at + SPAN >= now).collect();
        let numbers: Vec<f64> = window.iter().map(|(_, _, value)| f64::from(*value)).collect();
        let count = |count: usize, threshold: &Threshold| {
            threshold.is_met_by(count as f64).then_some(Measure::Count(count as u64))
        };
        match look {
            Look::EventCount(threshold) => count(window.len(), threshold),
            Look::ValueCount(threshold) => {
                let values: std::collections::BTreeSet<_> =
                    window.iter().map(|hit| hit.2).collect();
                count(values.len(), threshold)
            }
            Look::Value(aggregate, threshold) => {
                let mut sorted = numbers.clone();
                sorted.sort_by(f64::total_cmp);
                let sum: f64 = numbers.iter().sum();
                let number = match aggregate {
                    Aggregate::Sum => sum,
                    Aggregate::Average => sum / numbers.len() as f64,
                    Aggregate::Percentile(rank) => {
                        let place = f64::from(*rank) / 100.0 * (sorted.len() - 1) as f64;
                        let next = sorted[(place.ceil() as usize).min(sorted.len() - 1)];
                        let lower = sorted[place.floor() as usize];
                        lower + place.fract() * (next - lower)
                    }
                };
                threshold.is_met_by(number).then_some(Measure::Number(number))
            }
            Look::Temporal => (0..3)
                .all(|place| window.iter().any(|hit| hit.1 == place))
                .then_some(Measure::Whole),
            Look::TemporalOrdered => {
                let at = |place| window.iter().filter(move |hit| hit.1 == place).map(|hit| hit.0);
                let third = |two| at(2).any(|three| three >= two);
                let second = |one| at(1).any(|two| two >= one && third(two));
                at(0).any(second).then_some(Measure::Whole)
            }
            Look::Absence => None,
        }
    }

    fn looks() -> impl Strategy<Value = Look> {
        let bound = prop_oneof![
            Just(Bound::Less),
            Just(Bound::LessOrEqual),
            Just(Bound::Greater),
            Just(Bound::GreaterOrEqual),
            Just(Bound::Equal),
            Just(Bound::NotEqual)
        ];
        let threshold = prop::collection::vec((bound, 0..6_i64), 1..3).prop_map(Threshold).boxed();
        let aggregate = prop_oneof![
            Just(Aggregate::Sum),
            Just(Aggregate::Average),
            (0..=100_u8).prop_map(Aggregate::Percentile)
        ];
        prop_oneof![
            threshold.clone().prop_map(Look::EventCount),
            threshold.clone().prop_map(Look::ValueCount),
            (aggregate, threshold)
                .prop_map(|(aggregate, threshold)| Look::Value(aggregate, threshold)),
            Just(Look::Temporal),
            Just(Look::TemporalOrdered),
        ]
    }

    proptest! {
        #[test]
        fn a_window_says_what_looking_through_all_hits_says(
            look in looks(),
            hits in prop::collection::vec((0..4_u64, 0..3_usize, 0..5_u8), 1..60),
        ) {
            let mut window = Window::new(&look, 3);
            let mut came = Vec::new();
            let mut now = 0;
            for (later, place, value) in hits {
                now += later;
                came.push((now, place, value));
                let values = [value];
                let hit = Hit { at: now, place, values: Some(&values), number: Some(value.into()) };
                let met = window.take(&look, now.saturating_sub(SPAN), hit);
                prop_assert_eq!(met, naive(&look, &came), "{:?}", came);
            }
        }
    }

    #[test]
    fn what_a_window_keeps_is_bounded() {
        let threshold = || Threshold(vec![(Bound::GreaterOrEqual, 5)]);
        let looks = [
            Look::EventCount(threshold()),
            Look::ValueCount(threshold()),
            Look::Value(Aggregate::Sum, threshold()),
        ];
        for look in looks {
            let mut window = Window::new(&look, 1);
            for number in 0..100_000_u32 {
                let values = number.to_be_bytes();
                let hit = Hit { at: 1, place: 0, values: Some(&values), number: Some(1.0) };
                let met = window.take(&look, 0, hit);
                assert_eq!(met.is_some(), number >= 4, "{number}");
            }
            assert!(window.octets() < 1 << 20, "{look:?}: {}", window.octets());
        }
    }
}
