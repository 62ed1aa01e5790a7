//! What holds for one event: a bit for each predicate, and the rules that it may concern.

/// What an equivalence class of a field's values implies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ClassId(u32);

/// The equivalence classes of a service. All values of a class meet the same predicates.
#[derive(Debug, Clone, Default)]
pub(super) struct Classes {
    classes: Vec<Class>,
    /// Predicates that hold: word of the truth, and bits in it.
    words: Vec<(u32, u64)>,
    /// Rules that may hold now, by their number in the service.
    rules: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Class {
    words: (u32, u32),
    rules: (u32, u32),
}

impl Classes {
    /// A class of values that meet `predicates`, ascending; `triggers` has the rules of each.
    pub(super) fn add(&mut self, predicates: &[u32], triggers: &[Vec<u32>]) -> ClassId {
        let mut words: Vec<(u32, u64)> = Vec::new();
        for predicate in predicates {
            let (word, bit) = (predicate / 64, 1 << (predicate % 64));
            match words.last_mut() {
                Some(last) if last.0 == word => last.1 |= bit,
                _ => words.push((word, bit)),
            }
        }
        let rules = predicates.iter().flat_map(|predicate| &triggers[*predicate as usize]);
        let mut rules: Vec<u32> = rules.copied().collect();
        rules.sort_unstable();
        rules.dedup();
        let (first_word, first_rule) = (self.words.len() as u32, self.rules.len() as u32);
        self.words.extend(words);
        self.rules.extend(rules);
        self.classes.push(Class {
            words: (first_word, self.words.len() as u32),
            rules: (first_rule, self.rules.len() as u32),
        });
        ClassId(self.classes.len() as u32 - 1)
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
        let class = classes.classes[class.0 as usize];
        for &(word, bits) in &classes.words[class.words.0 as usize..class.words.1 as usize] {
            let held = &mut self.bits[word as usize];
            if *held == 0 {
                self.touched.push(word);
            }
            *held |= bits;
        }
        for &rule in &classes.rules[class.rules.0 as usize..class.rules.1 as usize] {
            self.consider(rule);
        }
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

    /// Puts the rules that may hold into the order of the set.
    #[inline]
    pub(super) fn order_candidates(&mut self) {
        if self.candidates.len() > 1 {
            self.candidates.sort_unstable();
        }
    }

    /// The rules that may hold.
    #[inline]
    pub(super) fn candidates(&self) -> &[u32] {
        &self.candidates
    }

    /// Whether no rule may hold so far.
    #[inline]
    pub(super) fn is_quiet(&self) -> bool {
        self.candidates.is_empty()
    }

    /// A word of bits of the predicates.
    #[inline]
    pub(super) fn word(&self, word: u32) -> u64 {
        self.bits[word as usize]
    }
}
