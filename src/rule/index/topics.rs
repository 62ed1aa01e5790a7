//! Topics: the filters of all rules, asked together.

use std::collections::BTreeMap;

use super::Question;
use super::texts::as_written;
use crate::event::Kind;
use crate::rule::predicate::{PredicateId, Test};
use crate::rule::truth::{ClassBuilder, ClassId, Classes, Truth};
use crate::topic::{Filter, FilterSet, Found};

/// The index of one field.
#[derive(Debug, Clone)]
pub(super) struct TopicIndex {
    filters: FilterSet,
    /// What follows from each of the filters.
    classes: Vec<ClassId>,
    /// Whether the field's values are topic filters; else they are names.
    of_filters: bool,
    /// The index's own among those that share a scratch.
    number: usize,
}

/// Buffers of a thread.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    /// The number of the event.
    event: u64,
    found: Found,
    replaced: String,
    /// By number of the index.
    told: Vec<Told>,
}

/// The filters of which the truth has been told: thousands of members of one list may meet
/// thousands of filters, and each counts once.
#[derive(Debug, Clone, Default)]
struct Told {
    event: u64,
    words: Vec<u64>,
}

impl Scratch {
    #[inline]
    pub(super) const fn begin(&mut self) {
        self.event += 1;
    }
}

impl TopicIndex {
    pub(super) fn new(
        kind: Kind,
        number: usize,
        questions: &[Question<'_>],
        classes: &mut ClassBuilder,
    ) -> Self {
        let mut predicates: BTreeMap<Filter<'_>, Vec<PredicateId>> = BTreeMap::new();
        for question in questions {
            let Test::Topics(filters) = question.test else { continue };
            for text in filters {
                // Each was valid when its rule was read, so none is lost here.
                let Ok(filter) = Filter::parse_unshared(text) else { continue };
                predicates.entry(filter).or_default().push(question.id);
            }
        }
        Self {
            filters: FilterSet::new(&predicates.keys().copied().collect::<Vec<_>>()),
            classes: predicates.values().map(|predicates| classes.of(predicates)).collect(),
            of_filters: matches!(kind, Kind::TopicFilter),
            number,
        }
    }

    /// Notes in `truth` what `bytes` imply. What is no topic filter where one should be has no name
    /// in common with any.
    pub(super) fn look_up(
        &self,
        bytes: &[u8],
        classes: &Classes,
        truth: &mut Truth,
        scratch: &mut Scratch,
    ) {
        let Scratch { event, found, replaced, told } = scratch;
        let topic = as_written(bytes, replaced).as_bytes();
        if self.of_filters {
            let Ok(filter) = Filter::parse(topic) else { return };
            self.filters.overlapping(filter, found);
        } else {
            self.filters.matching(topic, found);
        }
        if told.len() <= self.number {
            told.resize_with(self.number + 1, Told::default);
        }
        let told = &mut told[self.number];
        if std::mem::replace(&mut told.event, *event) != *event {
            told.words.clear();
            told.words.resize(self.classes.len().div_ceil(64), 0);
        }
        for (place, bits) in found.words() {
            let told = &mut told.words[place];
            let mut new = bits & !*told;
            *told |= bits;
            while new != 0 {
                let filter = place * 64 + new.trailing_zeros() as usize;
                truth.apply(classes, self.classes[filter]);
                new &= new - 1;
            }
        }
    }
}
