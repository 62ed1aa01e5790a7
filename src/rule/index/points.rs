//! Values on a line: flags, codes, numbers, addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Question;
use crate::rule::predicate::{PredicateId, Ranges, Test};
use crate::rule::truth::{ClassBuilder, ClassId};

/// Values below this have a table of their own: codes, types, causes, most common addresses.
const DENSE: usize = 1024;

/// From a point to its equivalence class: a table for small numbers, a hash for points that a
/// rule names, and binary search among the ends of ranges for all others.
///
/// The hash is fast and not keyed against attackers: its keys come from rules, and what is on the
/// wire is looked up and never stored.
#[derive(Debug, Clone)]
pub(in crate::rule) struct PointIndex<K> {
    dense: Vec<ClassId>,
    named: HashMap<K, ClassId, RandomState>,
    /// Where a new class begins, ascending.
    cuts: Vec<K>,
    /// The class before the first cut, then that from each cut on.
    classes: Vec<ClassId>,
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
        classes: &mut ClassBuilder<'_>,
        ranges: impl Fn(&'q Test) -> Option<&'q Ranges<K>>,
    ) -> Self {
        let mut builder = Builder::<K>::new(super::present(questions));
        for question in questions {
            for (from, to) in ranges(question.test).into_iter().flat_map(Ranges::iter) {
                builder.add(question.id, from, to);
            }
        }
        builder.build(classes)
    }

    /// The class of a point.
    #[inline]
    pub(super) fn class(&self, point: K) -> ClassId {
        match point.small() {
            Some(index) if !self.dense.is_empty() => self.dense[index],
            _ => self.class_of_large(point),
        }
    }

    #[inline]
    fn class_of_large(&self, point: K) -> ClassId {
        if !self.named.is_empty()
            && let Some(class) = self.named.get(&point)
        {
            return *class;
        }
        self.classes[self.cuts.partition_point(|cut| *cut <= point)]
    }
}

/// Collects single points and wide ranges apart: points are many and found by hash.
struct Builder<K> {
    present: Vec<PredicateId>,
    points: BTreeMap<K, Vec<PredicateId>>,
    /// What begins and what ends at a point.
    edges: BTreeMap<K, (Vec<PredicateId>, Vec<PredicateId>)>,
}

impl<K: Point> Builder<K> {
    fn new(present: Vec<PredicateId>) -> Self {
        Self { present, points: BTreeMap::new(), edges: BTreeMap::new() }
    }

    fn add(&mut self, id: PredicateId, from: K, to: K) {
        if from == to {
            self.points.entry(from).or_default().push(id);
            return;
        }
        self.edges.entry(from).or_default().0.push(id);
        if let Some(behind) = to.next() {
            self.edges.entry(behind).or_default().1.push(id);
        }
    }

    fn build(self, classes: &mut ClassBuilder<'_>) -> PointIndex<K> {
        let mut class = |predicates: &BTreeSet<PredicateId>| {
            classes.of(&predicates.iter().copied().collect::<Vec<_>>())
        };
        let mut held: BTreeSet<PredicateId> = self.present.iter().copied().collect();
        let mut index = PointIndex {
            dense: Vec::new(),
            named: HashMap::with_hasher(RandomState::default()),
            cuts: Vec::with_capacity(self.edges.len()),
            classes: vec![class(&held)],
        };
        let mut points = self.points.into_iter().peekable();
        let mut edges = self.edges.into_iter().peekable();
        // One walk along the line: a point's class is what it is named in and the ranges it is in.
        while points.peek().is_some() || edges.peek().is_some() {
            let next_edge = edges.peek().map(|(at, _)| *at);
            let take_edge = match (points.peek(), next_edge) {
                (Some((point, _)), Some(edge)) => edge <= *point,
                (None, _) => true,
                (Some(_), None) => false,
            };
            if take_edge {
                let Some((at, (begins, ends))) = edges.next() else { break };
                // A predicate's ranges are apart, but one may begin right where another ends.
                held.retain(|id| !ends.contains(id));
                held.extend(begins);
                index.cuts.push(at);
                index.classes.push(class(&held));
            } else if let Some((point, ids)) = points.next() {
                let all = held.iter().copied().chain(ids).collect();
                index.named.insert(point, class(&all));
            }
        }
        let has_small = index.named.keys().chain(&index.cuts).any(|key| key.small().is_some());
        if has_small {
            index.dense = (0..DENSE).map(|at| index.class_of_large(K::from_small(at))).collect();
        }
        index
    }
}
