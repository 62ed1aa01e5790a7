//! What holds for one event: a bit for each predicate, and the rules that it may concern.

use std::collections::HashMap;

use super::predicate::PredicateId;

/// An equivalence class of a field's values: all of them meet the same predicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClassId(u32);

impl ClassId {
    /// Values that meet none.
    const NONE: Self = Self(0);
}

/// The equivalence classes of a service.
#[derive(Debug, Clone)]
pub(super) struct Classes {
    list: Vec<Class>,
    /// Predicates that hold: a word of the truth, and bits in it.
    words: Vec<(u32, u64)>,
    /// Rules that one predicate brings up: stretches of `rules`.
    groups: Vec<Stretch>,
    /// Rules by their number in the service; those that a predicate brings up side by side.
    rules: Vec<u32>,
}

/// What a class implies. Most imply one predicate that brings up some rules: that is here, and
/// what is more elsewhere.
#[derive(Debug, Clone, Copy)]
struct Class {
    bits: u64,
    word: u32,
    /// Of [`Classes::words`].
    words: Stretch,
    /// Of [`Classes::rules`].
    rules: Stretch,
    /// Of [`Classes::groups`].
    groups: Stretch,
}

#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    from: u32,
    to: u32,
}

impl Stretch {
    fn new(from: usize, to: usize) -> Self {
        Self { from: from as u32, to: to as u32 }
    }

    #[inline]
    fn of<T>(self, all: &[T]) -> &[T] {
        &all[self.from as usize..self.to as usize]
    }
}

/// Makes classes, each once.
#[derive(Debug)]
pub(super) struct ClassBuilder {
    classes: Classes,
    known: HashMap<Vec<PredicateId>, ClassId>,
    /// The rules that each predicate brings up.
    triggers: Vec<Stretch>,
}

impl ClassBuilder {
    /// For predicates that bring up these rules.
    pub(super) fn new(triggers: &[Vec<u32>]) -> Self {
        let rules: Vec<u32> = triggers.iter().flatten().copied().collect();
        let mut from = 0;
        let stretch = |rules: &Vec<u32>| {
            from += rules.len();
            Stretch::new(from - rules.len(), from)
        };
        let empty = Stretch::default();
        let none = Class { bits: 0, word: 0, words: empty, rules: empty, groups: empty };
        Self {
            triggers: triggers.iter().map(stretch).collect(),
            classes: Classes { list: vec![none], words: Vec::new(), groups: Vec::new(), rules },
            known: HashMap::from([(Vec::new(), ClassId::NONE)]),
        }
    }

    /// The class of values that meet these predicates, ascending.
    pub(super) fn of(&mut self, predicates: &[PredicateId]) -> ClassId {
        if let Some(class) = self.known.get(predicates) {
            return *class;
        }
        let Classes { list, words, groups, .. } = &mut self.classes;
        let (first_word, first_group) = (words.len(), groups.len());
        for predicate in predicates {
            let (word, bit) = (predicate / 64, 1 << (predicate % 64));
            match words[first_word..].last_mut() {
                Some(last) if last.0 == word => last.1 |= bit,
                _ => words.push((word, bit)),
            }
            let rules = self.triggers[*predicate as usize];
            if rules.from < rules.to {
                groups.push(rules);
            }
        }
        let (word, bits) = words[first_word];
        let rules = groups.get(first_group).copied().unwrap_or_default();
        list.push(Class {
            bits,
            word,
            words: Stretch::new(first_word + 1, words.len()),
            rules,
            groups: Stretch::new((first_group + 1).min(groups.len()), groups.len()),
        });
        let class = ClassId(list.len() as u32 - 1);
        self.known.insert(predicates.to_vec(), class);
        class
    }

    pub(super) fn finish(self) -> Classes {
        self.classes
    }
}

/// What holds for the event at hand. Kept between events so that nothing is allocated.
#[derive(Debug, Clone, Default)]
pub(super) struct Truth {
    bits: Vec<u64>,
    /// Words of `bits` that are not zero.
    touched: Vec<u32>,
    /// The event in which a rule became a candidate last.
    seen: Vec<u32>,
    event: u32,
    /// Rules that may hold, each once.
    candidates: Vec<u32>,
}

impl Truth {
    /// Room for so many predicates and rules.
    pub(super) fn new(predicates: usize, rules: usize) -> Self {
        let words = predicates.div_ceil(64);
        Self {
            bits: vec![0; words],
            touched: Vec::with_capacity(words),
            seen: vec![0; rules],
            event: 0,
            candidates: Vec::with_capacity(rules),
        }
    }

    /// Forgets the last event.
    #[inline]
    pub(super) fn begin(&mut self) {
        for word in self.touched.drain(..) {
            self.bits[word as usize] = 0;
        }
        self.candidates.clear();
        self.event = self.event.wrapping_add(1);
        if self.event == 0 {
            self.seen.fill(0);
            self.event = 1;
        }
    }

    /// A field has a value of this class.
    #[inline]
    pub(super) fn apply(&mut self, classes: &Classes, class: ClassId) {
        if class == ClassId::NONE {
            return;
        }
        let class = classes.list[class.0 as usize];
        self.set(class.word, class.bits);
        for (word, bits) in class.words.of(&classes.words) {
            self.set(*word, *bits);
        }
        for rule in class.rules.of(&classes.rules) {
            self.consider(*rule);
        }
        for group in class.groups.of(&classes.groups) {
            for rule in group.of(&classes.rules) {
                self.consider(*rule);
            }
        }
    }

    #[inline]
    fn set(&mut self, word: u32, bits: u64) {
        let held = &mut self.bits[word as usize];
        if *held == 0 {
            self.touched.push(word);
        }
        *held |= bits;
    }

    /// A rule may hold.
    #[inline]
    pub(super) fn consider(&mut self, rule: u32) {
        let seen = &mut self.seen[rule as usize];
        if *seen != self.event {
            *seen = self.event;
            self.candidates.push(rule);
        }
    }

    /// Lets go of rules that cannot hold any more; whether there are any left.
    #[inline]
    pub(super) fn keep(&mut self, may_hold: impl Fn(u32, &[u64]) -> bool) -> bool {
        self.candidates.retain(|rule| may_hold(*rule, &self.bits));
        !self.candidates.is_empty()
    }

    /// The rules that may hold, in the order of the set.
    #[inline]
    pub(super) fn candidates(&mut self) -> &[u32] {
        if self.candidates.len() > 1 {
            self.candidates.sort_unstable();
        }
        &self.candidates
    }

    /// A bit for each predicate.
    #[cfg(test)]
    pub(super) fn bits(&self) -> &[u64] {
        &self.bits
    }
}
