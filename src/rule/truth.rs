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
    classes: Vec<Class>,
    /// Predicates that hold: a word of the truth, and bits in it.
    words: Vec<(u32, u64)>,
    /// Rules that may hold now, by their number in the service.
    rules: Vec<u32>,
}

/// What a class implies: the first word of predicates, and stretches of [`Classes::words`] and
/// [`Classes::rules`].
#[derive(Debug, Clone, Copy)]
struct Class {
    bits: u64,
    word: u32,
    more: (u32, u32),
    rules: (u32, u32),
}

/// Makes classes, each once.
#[derive(Debug)]
pub(super) struct ClassBuilder<'t> {
    classes: Classes,
    known: HashMap<Vec<PredicateId>, ClassId>,
    /// The rules that each predicate brings up.
    triggers: &'t [Vec<u32>],
}

impl<'t> ClassBuilder<'t> {
    pub(super) fn new(triggers: &'t [Vec<u32>]) -> Self {
        let none = Class { bits: 0, word: 0, more: (0, 0), rules: (0, 0) };
        let classes = Classes { classes: vec![none], words: Vec::new(), rules: Vec::new() };
        Self { classes, known: HashMap::from([(Vec::new(), ClassId::NONE)]), triggers }
    }

    /// The class of values that meet these predicates, ascending.
    pub(super) fn of(&mut self, predicates: &[PredicateId]) -> ClassId {
        if let Some(class) = self.known.get(predicates) {
            return *class;
        }
        let classes = &mut self.classes;
        let first_word = classes.words.len();
        for predicate in predicates {
            let (word, bit) = (predicate / 64, 1 << (predicate % 64));
            match classes.words[first_word..].last_mut() {
                Some(last) if last.0 == word => last.1 |= bit,
                _ => classes.words.push((word, bit)),
            }
        }
        let (word, bits) = classes.words[first_word];
        let rules = predicates.iter().flat_map(|predicate| &self.triggers[*predicate as usize]);
        let mut rules: Vec<u32> = rules.copied().collect();
        rules.sort_unstable();
        rules.dedup();
        let first_rule = classes.rules.len() as u32;
        classes.rules.extend(rules);
        let more = (first_word as u32 + 1, classes.words.len() as u32);
        let rules = (first_rule, classes.rules.len() as u32);
        classes.classes.push(Class { bits, word, more, rules });
        let class = ClassId(classes.classes.len() as u32 - 1);
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
        let class = classes.classes[class.0 as usize];
        self.set(class.word, class.bits);
        for &(word, bits) in &classes.words[class.more.0 as usize..class.more.1 as usize] {
            self.set(word, bits);
        }
        for &rule in &classes.rules[class.rules.0 as usize..class.rules.1 as usize] {
            self.consider(rule);
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
