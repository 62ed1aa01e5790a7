//! Values on a line: flags, codes, numbers, addresses.

use std::collections::BTreeMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Question;
use crate::rule::predicate::{PredicateId, Ranges, Test};
use crate::rule::truth::{ClassBuilder, ClassId};

/// Values below this have a table of their own: codes, types, causes, most common addresses.
const DENSE: usize = 1024;
/// Ranges that overlap give every stretch between two of their ends a long list of predicates.
/// Up to so many entries in all these lists, each stretch has its own; beyond, they are in a tree.
const FLAT: usize = 1 << 16;

/// From a point to its equivalence class: a table for small numbers, a hash for points that a
/// rule names, and binary search among the ends of ranges for all others.
///
/// The hash is fast and not keyed against attackers: its keys come from rules, and what is on the
/// wire is looked up and never stored.
#[derive(Debug, Clone)]
pub(in crate::rule) struct PointIndex<K> {
    dense: Vec<ClassId>,
    named: HashMap<K, ClassId, RandomState>,
    /// Where a new stretch begins, ascending.
    cuts: Vec<K>,
    stretches: Stretches,
}

/// What holds between the ends of ranges: before the first cut, then from each cut on.
#[derive(Debug, Clone)]
enum Stretches {
    /// A class for each. A named point's class has all that holds at it.
    Flat(Vec<ClassId>),
    /// A binary tree with the stretches as leaves, from index 1: what holds at a leaf are the
    /// classes from it to the root. A named point's class has only what names it.
    Tree(Vec<ClassId>),
}

/// What a line of points is made of.
pub(in crate::rule) trait Point: Copy + Ord + Hash + 'static {
    /// The point as an index, if it is small.
    fn small(self) -> Option<usize>;
    /// The small point with this index.
    fn from_small(index: usize) -> Self;
    /// The next point, if there is one.
    fn next(self) -> Option<Self>;
}

macro_rules! point {
    ($($type:ty),*) => {$(
        impl Point for $type {
            #[inline]
            fn small(self) -> Option<usize> {
                usize::try_from(self).ok().filter(|index| *index < DENSE)
            }
            fn from_small(index: usize) -> Self {
                index as Self
            }
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }
        }
    )*};
}
point!(i64, u32, u128);

impl<K: Point> PointIndex<K> {
    /// Builds the index over the tests for which `ranges` is something.
    pub(super) fn new<'q>(
        questions: &[Question<'q>],
        classes: &mut ClassBuilder,
        ranges: impl Fn(&'q Test) -> Option<&'q Ranges<K>>,
    ) -> Self {
        let mut builder = Builder::<K> {
            present: super::present(questions),
            points: BTreeMap::new(),
            ranges: Vec::new(),
        };
        for question in questions {
            for (from, to) in ranges(question.test).into_iter().flat_map(Ranges::iter) {
                builder.add(question.id, from, to);
            }
        }
        builder.build(classes, FLAT)
    }

    /// Whether each point has one class.
    pub(super) const fn is_flat(&self) -> bool {
        matches!(self.stretches, Stretches::Flat(_))
    }

    /// The class of a point, where each has one.
    #[inline]
    pub(super) fn class(&self, point: K) -> ClassId {
        let mut only = ClassId::NONE;
        self.look_up(point, |class| only = class);
        only
    }

    /// Tells the classes of a point: one, unless ranges are many.
    #[inline]
    pub(super) fn look_up(&self, point: K, mut apply: impl FnMut(ClassId)) {
        match point.small() {
            Some(index) if !self.dense.is_empty() => apply(self.dense[index]),
            _ => self.look_up_large(point, apply),
        }
    }

    #[inline]
    fn look_up_large(&self, point: K, mut apply: impl FnMut(ClassId)) {
        let named = if self.named.is_empty() { None } else { self.named.get(&point) };
        if let Some(class) = named {
            apply(*class);
        }
        match &self.stretches {
            Stretches::Flat(_) if named.is_some() => {}
            Stretches::Flat(classes) => apply(classes[stretch(&self.cuts, point)]),
            Stretches::Tree(tree) => {
                let mut node = tree.len() / 2 + stretch(&self.cuts, point);
                while node > 0 {
                    apply(tree[node]);
                    node /= 2;
                }
            }
        }
    }
}

#[inline]
fn stretch<K: Copy + Ord>(cuts: &[K], point: K) -> usize {
    cuts.partition_point(|cut| *cut <= point)
}

/// Single points apart from wide ranges: points are many and found by hash.
struct Builder<K> {
    /// What holds everywhere.
    present: Vec<PredicateId>,
    points: BTreeMap<K, Vec<PredicateId>>,
    ranges: Vec<(PredicateId, K, K)>,
}

impl<K: Point> Builder<K> {
    fn add(&mut self, id: PredicateId, from: K, to: K) {
        if from == to {
            self.points.entry(from).or_default().push(id);
        } else {
            self.ranges.push((id, from, to));
        }
    }

    fn build(self, classes: &mut ClassBuilder, flat: usize) -> PointIndex<K> {
        let ends = self.ranges.iter().flat_map(|(_, from, to)| [Some(*from), to.next()]);
        let mut cuts: Vec<K> = ends.flatten().collect();
        cuts.sort_unstable();
        cuts.dedup();
        let spans = self.ranges.iter();
        let spans: Vec<(PredicateId, usize, usize)> = spans
            .map(|(id, from, to)| (*id, stretch(&cuts, *from), stretch(&cuts, *to) + 1))
            .collect();
        let depths = depths(&spans, cuts.len() + 1);
        let at_points = self.points.keys().map(|point| depths[stretch(&cuts, *point)]);
        let is_flat = at_points.chain(depths.iter().copied()).sum::<usize>() <= flat;
        let held = if is_flat {
            each_stretch(&self.present, &spans, cuts.len() + 1)
        } else {
            tree(&self.present, &spans, cuts.len() + 1)
        };
        let mut class = |mut predicates: Vec<PredicateId>| {
            predicates.sort_unstable();
            predicates.dedup();
            classes.of(&predicates)
        };
        let mut named = HashMap::with_hasher(RandomState::default());
        for (point, mut ids) in self.points {
            if is_flat {
                ids.extend(&held[stretch(&cuts, point)]);
            }
            named.insert(point, class(ids));
        }
        let held = held.into_iter().map(class).collect();
        let stretches = if is_flat { Stretches::Flat(held) } else { Stretches::Tree(held) };
        PointIndex { dense: Vec::new(), named, cuts, stretches }.with_table()
    }
}

/// How many spans each stretch is in.
fn depths(spans: &[(PredicateId, usize, usize)], count: usize) -> Vec<usize> {
    let mut begun = vec![0; count + 1];
    let mut ended = vec![0; count + 1];
    for (_, from, to) in spans {
        begun[*from] += 1;
        ended[*to] += 1;
    }
    let depth = |depth: &mut usize, (begun, ended): (&usize, &usize)| {
        *depth = *depth + begun - ended;
        Some(*depth)
    };
    begun.iter().zip(&ended).take(count).scan(0, depth).collect()
}

/// All that holds in each stretch.
fn each_stretch(
    present: &[PredicateId],
    spans: &[(PredicateId, usize, usize)],
    count: usize,
) -> Vec<Vec<PredicateId>> {
    let mut held = vec![present.to_vec(); count];
    for (id, from, to) in spans {
        for stretch in &mut held[*from..*to] {
            stretch.push(*id);
        }
    }
    held
}

/// A segment tree: each span is in at most two nodes of a level.
fn tree(
    present: &[PredicateId],
    spans: &[(PredicateId, usize, usize)],
    count: usize,
) -> Vec<Vec<PredicateId>> {
    let leaves = count.next_power_of_two();
    let mut held = vec![Vec::new(); 2 * leaves];
    held[1] = present.to_vec();
    for (id, from, to) in spans {
        let (mut from, mut to) = (from + leaves, to + leaves);
        while from < to {
            if from % 2 == 1 {
                held[from].push(*id);
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                held[to].push(*id);
            }
            (from, to) = (from / 2, to / 2);
        }
    }
    held
}

impl<K: Point> PointIndex<K> {
    /// Adds the table of small points, if rules tell these apart and each has one class.
    fn with_table(mut self) -> Self {
        let has_small = self.named.keys().chain(&self.cuts).any(|key| key.small().is_some());
        if has_small && matches!(self.stretches, Stretches::Flat(_)) {
            let mut dense = Vec::with_capacity(DENSE);
            for small in 0..DENSE {
                self.look_up_large(K::from_small(small), |class| dense.push(class));
            }
            self.dense = dense;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rule::truth::Truth;

    const PREDICATES: usize = 40;

    proptest! {
        /// Flat and as a tree, the index says of each point what its ranges say.
        #[test]
        fn a_point_meets_the_ranges_that_it_is_in(
            ranges in prop::collection::vec((0..PREDICATES as u32, 0..3000_u32, 0..60_u32), 0..40),
            points in prop::collection::vec(0..3100_u32, 1..40),
            flat in prop_oneof![Just(0), Just(FLAT)],
        ) {
            let triggers = vec![Vec::new(); PREDICATES + 1];
            let mut classes = ClassBuilder::new(triggers, 1);
            let present = PREDICATES as u32;
            let mut builder =
                Builder { present: vec![present], points: BTreeMap::new(), ranges: Vec::new() };
            for (id, from, width) in &ranges {
                // Both ends of the line are there too.
                let (from, to) = if *from == 0 { (0, u32::MAX) } else { (*from, from + width) };
                builder.add(*id, from, to);
            }
            let index = builder.build(&mut classes, flat);
            let classes = classes.finish();
            let mut truth = Truth::new(1, 1..1);
            for point in points.into_iter().chain([0, u32::MAX]) {
                truth.begin();
                index.look_up(point, |class| truth.apply(&classes, class));
                let mut expected = 1_u64 << present;
                for (id, from, width) in &ranges {
                    let holds = *from == 0 || (*from..=from + width).contains(&point);
                    expected |= u64::from(holds) << id;
                }
                // In a tree, what holds everywhere is told at the root.
                prop_assert_eq!(truth.bits()[0], expected, "{}", point);
            }
        }
    }
}
