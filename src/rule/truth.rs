//! What holds for one event: a bit for each predicate, and one for each rule that it may concern.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::predicate::PredicateId;

/// An equivalence class of a field's values: all of them meet the same predicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClassId(u32);

impl ClassId {
    /// Values that meet none.
    pub(super) const NONE: Self = Self(0);
    /// Of no value.
    pub(super) const NOWHERE: Self = Self(u32::MAX);

    /// For hashing.
    #[inline]
    pub(super) const fn number(self) -> u32 {
        self.0
    }
}

/// Bits of one word of the truth.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Word {
    place: u32,
    bits: u64,
}

impl Word {
    pub(super) const ZERO: Self = Self { place: 0, bits: 0 };
}

/// What a class implies: predicates that hold, and the rules that these bring up. For most that is
/// one word of each: these are here, and what is more elsewhere.
#[derive(Debug, Clone, Copy, Default)]
struct Class {
    words: [Word; 2],
    /// Of [`Classes::more`].
    from: u32,
    to: u32,
}

/// The equivalence classes of a service.
#[derive(Debug, Clone)]
pub(super) struct Classes {
    list: Vec<Class>,
    more: Vec<Word>,
}

/// Makes classes, each once.
#[derive(Debug)]
pub(super) struct ClassBuilder {
    classes: Classes,
    known: HashMap<Vec<PredicateId>, ClassId>,
    /// The rules that each predicate brings up.
    triggers: Vec<Vec<u32>>,
    /// The first word of the rules.
    rules: u32,
}

impl ClassBuilder {
    /// For predicates that bring up these rules, by the number of each in the service; the rules'
    /// bits begin with the word `rules`.
    pub(super) fn new(triggers: Vec<Vec<u32>>, rules: u32) -> Self {
        Self {
            classes: Classes { list: vec![Class::default()], more: Vec::new() },
            known: HashMap::from([(Vec::new(), ClassId::NONE)]),
            triggers,
            rules,
        }
    }

    /// The class of values that meet these predicates, ascending.
    pub(super) fn of(&mut self, predicates: &[PredicateId]) -> ClassId {
        if let Some(class) = self.known.get(predicates) {
            return *class;
        }
        let rules = predicates.iter().flat_map(|id| &self.triggers[*id as usize]);
        let rules: Vec<u32> = rules.map(|rule| self.rules * 64 + rule).collect();
        let class = self.add(predicates.iter().copied().chain(rules));
        self.known.insert(predicates.to_vec(), class);
        class
    }

    /// What brings up these rules, whatever the event.
    pub(super) fn of_rules(&mut self, rules: &[u32]) -> ClassId {
        if rules.is_empty() {
            return ClassId::NONE;
        }
        let first = self.rules * 64;
        self.add(rules.iter().map(|rule| first + rule))
    }

    fn add(&mut self, bits: impl Iterator<Item = u32>) -> ClassId {
        let mut words = BTreeMap::<u32, u64>::new();
        for bit in bits {
            *words.entry(bit / 64).or_default() |= 1 << (bit % 64);
        }
        let mut words = words.into_iter().map(|(place, bits)| Word { place, bits });
        let first = words.next().unwrap_or_default();
        let second = words.next().unwrap_or(Word { bits: 0, ..first });
        let Classes { list, more } = &mut self.classes;
        let from = more.len() as u32;
        more.extend(words);
        list.push(Class { words: [first, second], from, to: more.len() as u32 });
        ClassId(list.len() as u32 - 1)
    }

    pub(super) fn finish(self) -> Classes {
        self.classes
    }
}

/// What holds for the event at hand. Kept between events so that nothing is allocated.
#[derive(Debug, Clone, Default)]
pub(super) struct Truth {
    bits: Vec<u64>,
    /// Words of `bits` that are, or were, not zero.
    touched: Vec<u32>,
    /// Words of the rules that may hold.
    rules: Range<u32>,
    /// Rules that do hold.
    hits: Vec<u32>,
}

impl Truth {
    /// For so many words, of which some are those of so many rules.
    pub(super) fn new(words: u32, rules: Range<u32>) -> Self {
        Self {
            bits: vec![0; words as usize],
            touched: Vec::with_capacity(words as usize),
            hits: Vec::with_capacity(rules.len() * 64),
            rules,
        }
    }

    /// Forgets the last event.
    #[inline]
    pub(super) fn begin(&mut self) {
        for word in self.touched.drain(..) {
            self.bits[word as usize] = 0;
        }
        self.hits.clear();
    }

    /// A field has a value of this class.
    #[inline]
    pub(super) fn apply(&mut self, classes: &Classes, class: ClassId) {
        if class == ClassId::NONE {
            return;
        }
        let Class { words: [first, second], from, to } = classes.list[class.0 as usize];
        self.set(first);
        self.set(second);
        for word in &classes.more[from as usize..to as usize] {
            self.set(*word);
        }
    }

    #[inline]
    fn set(&mut self, Word { place, bits }: Word) {
        let held = &mut self.bits[place as usize];
        if *held == 0 {
            self.touched.push(place);
        }
        *held |= bits;
    }

    /// What holds so far.
    pub(super) fn words(&self) -> impl Iterator<Item = Word> + '_ {
        let word = |place: &u32| Word { place: *place, bits: self.bits[*place as usize] };
        self.touched.iter().map(word).filter(|word| word.bits != 0)
    }

    /// Nothing holds yet: now this does.
    #[inline]
    pub(super) fn load(&mut self, words: &[Word]) {
        for word in words {
            self.set(*word);
        }
    }

    /// The rules that may hold, not in order.
    #[inline]
    pub(super) fn rules(&self) -> impl Iterator<Item = u32> + '_ {
        let places = self.touched.iter().filter(|place| self.rules.contains(place));
        places.flat_map(|place| {
            let first = (place - self.rules.start) * 64;
            ones(self.bits[*place as usize]).map(move |bit| first + bit)
        })
    }

    /// Lets go of rules that cannot hold any more; whether there are any left.
    #[inline]
    pub(super) fn keep(&mut self, may_hold: impl Fn(u32, &[u64]) -> bool) -> bool {
        let mut left = false;
        for at in 0..self.touched.len() {
            let place = self.touched[at];
            if self.rules.contains(&place) {
                let first = (place - self.rules.start) * 64;
                let kept = ones(self.bits[place as usize])
                    .filter(|bit| may_hold(first + bit, &self.bits))
                    .fold(0, |kept, bit| kept | 1 << bit);
                self.bits[place as usize] = kept;
                left |= kept != 0;
            }
        }
        left
    }

    /// The rules that are left, in the order of the set.
    #[inline]
    pub(super) fn hits(&mut self) -> &[u32] {
        let mut hits = std::mem::take(&mut self.hits);
        hits.extend(self.rules());
        if hits.len() > 1 {
            hits.sort_unstable();
        }
        self.hits = hits;
        &self.hits
    }

    /// A bit for each predicate.
    #[cfg(test)]
    pub(super) fn bits(&self) -> &[u64] {
        &self.bits
    }
}

/// Which bits of a word are set, ascending.
#[inline]
fn ones(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let lowest = word.trailing_zeros();
        (word != 0).then(|| {
            word &= word - 1;
            lowest
        })
    })
}
