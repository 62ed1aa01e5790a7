//! Many filters asked at once: what one topic name, or one other filter, meets of them.
//!
//! Each filter is a bit. A topic is read level by level, and each level lets go of the filters that
//! it contradicts: 64 at a time, and only where some are left. So the cost is that of a look-up for
//! each level, and of a pass over the words of the filters that still agree; whatever stands in a
//! topic, it is never more than so many bits for each level that some filter has.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Filter;

/// Filters, ready to be asked. Each is known by its place in the list that the set was made of.
#[derive(Debug, Clone)]
pub struct FilterSet {
    /// Filters whose first level begins with `$`: what a wildcard there does not match.
    special: Vec<u64>,
    /// The other filters.
    ordinary: Vec<u64>,
    /// By level, as many as the deepest filter has; `#` is no level here.
    levels: Vec<Level>,
    /// Filters that end with `#`.
    open: Vec<u64>,
}

/// What the filters say of one level. One that ended above with `#` says nothing against anything.
#[derive(Debug, Clone)]
struct Level {
    /// Those that name it. The hash is fast and not keyed against attackers: its keys come from
    /// rules, and what is on the wire is looked up and never stored.
    named: HashMap<Box<[u8]>, Named, RandomState>,
    /// Those that let any text stand here.
    wild: Vec<u64>,
    /// Those that let a level be here at all.
    deep: Vec<u64>,
    /// Those that let a topic end with this level.
    ending: Vec<u64>,
}

/// Filters that name a level.
#[derive(Debug, Clone)]
enum Named {
    /// In few words.
    Few(Vec<Word>),
    /// In so many that a bit for each filter takes no more memory; with those that let any text
    /// stand here.
    Many(Vec<u64>),
}

/// Bits that are set in one word of many.
#[derive(Debug, Clone, Copy)]
struct Word {
    place: usize,
    bits: u64,
}

/// The filters that a topic meets. Kept between topics so that nothing is allocated.
#[derive(Debug, Clone, Default)]
pub struct Found {
    words: Vec<u64>,
    next: Vec<u64>,
    /// Words outside of these have no bit.
    from: usize,
    to: usize,
}

impl FilterSet {
    /// A set of these. In ascending order they are found fastest.
    pub fn new(filters: &[Filter<'_>]) -> Self {
        let words = filters.len().div_ceil(64);
        let depth = |filter: &Filter<'_>| levels(*filter).0.len();
        let deepest = filters.iter().map(depth).max().unwrap_or(0);
        let empty = || vec![0; words];
        let level =
            || Level { named: HashMap::default(), wild: empty(), deep: empty(), ending: empty() };
        let mut set = Self {
            special: empty(),
            ordinary: empty(),
            levels: (0..deepest).map(|_| level()).collect(),
            open: empty(),
        };
        for (index, filter) in filters.iter().enumerate() {
            set.add(*filter, Word { place: index / 64, bits: 1 << (index % 64) });
        }
        set.levels.iter_mut().for_each(Level::widen);
        set
    }

    fn add(&mut self, filter: Filter<'_>, bit: Word) {
        let (named, is_open) = levels(filter);
        let is_special = filter.as_bytes().starts_with(b"$");
        bit.set(if is_special { &mut self.special } else { &mut self.ordinary });
        for (level, text) in self.levels.iter_mut().zip(&named) {
            bit.set(&mut level.deep);
            match *text {
                b"+" => bit.set(&mut level.wild),
                text => level.named.entry(text.into()).or_insert(Named::Few(Vec::new())).add(bit),
            }
        }
        if is_open {
            bit.set(&mut self.open);
            for level in self.levels.iter_mut().skip(named.len()) {
                bit.set(&mut level.deep);
                bit.set(&mut level.wild);
            }
        }
        // `a/#` matches `a` too.
        let ends = if is_open { usize::MAX } else { 1 };
        for level in self.levels.iter_mut().skip(named.len().saturating_sub(1)).take(ends) {
            bit.set(&mut level.ending);
        }
    }

    /// Finds the filters that match the topic name. One that is empty is none [MQTT-4.7.3-1].
    #[inline]
    pub fn matching(&self, name: &[u8], found: &mut Found) {
        self.walk::<false>(name, found);
    }

    /// Finds the filters that some topic name matches which this filter matches too.
    #[inline]
    pub fn overlapping(&self, filter: Filter<'_>, found: &mut Found) {
        self.walk::<true>(filter.as_bytes(), found);
    }

    fn walk<const WILD: bool>(&self, topic: &[u8], found: &mut Found) {
        match topic.first() {
            None => return found.start(&[]),
            Some(b'$') => found.start(&self.special),
            Some(_) => found.start(&self.ordinary),
        }
        let mut rest = topic;
        for level in &self.levels {
            let (text, below) = match memchr::memchr(b'/', rest) {
                Some(slash) => (&rest[..slash], Some(&rest[slash + 1..])),
                None => (rest, None),
            };
            match text {
                b"#" if WILD => return,
                b"+" if WILD => found.keep(&level.deep),
                _ => match level.named.get(text) {
                    Some(Named::Few(named)) => found.keep_or(&level.wild, named),
                    Some(Named::Many(allowed)) => found.keep(allowed),
                    None => found.keep(&level.wild),
                },
            }
            if found.is_empty() {
                return;
            }
            match below {
                Some(below) => rest = below,
                None => return found.keep(&level.ending),
            }
        }
        // All that is left may have named is behind. To `a`, `a/#` says the same as `a/b` does.
        if !(WILD && rest == b"#") {
            found.keep(&self.open);
        }
    }
}

/// The levels of a filter, and whether there may be more.
fn levels(filter: Filter<'_>) -> (Vec<&[u8]>, bool) {
    let mut levels: Vec<_> = filter.as_bytes().split(|octet| *octet == b'/').collect();
    let is_open = levels.last() == Some(&&b"#"[..]);
    if is_open {
        levels.pop();
    }
    (levels, is_open)
}

impl Level {
    fn widen(&mut self) {
        for named in self.named.values_mut() {
            if let Named::Few(words) = named
                && size_of_val(words.as_slice()) >= size_of_val(self.wild.as_slice())
            {
                let mut allowed = self.wild.clone();
                for word in words {
                    word.set(&mut allowed);
                }
                *named = Named::Many(allowed);
            }
        }
    }
}

impl Named {
    /// Bits come in ascending order.
    fn add(&mut self, bit: Word) {
        match self {
            Self::Few(words) => match words.last_mut() {
                Some(last) if last.place == bit.place => last.bits |= bit.bits,
                _ => words.push(bit),
            },
            Self::Many(allowed) => bit.set(allowed),
        }
    }
}

impl Word {
    fn set(self, words: &mut [u64]) {
        words[self.place] |= self.bits;
    }
}

impl Found {
    fn start(&mut self, words: &[u64]) {
        self.words.clear();
        self.words.extend_from_slice(words);
        self.next.resize(words.len(), 0);
        (self.from, self.to) = (0, words.len());
    }

    #[inline]
    fn keep(&mut self, allowed: &[u64]) {
        let range = self.from..self.to;
        for (word, allowed) in self.words[range.clone()].iter_mut().zip(&allowed[range]) {
            *word &= allowed;
        }
        self.narrow();
    }

    /// Keeps what is in one or the other.
    #[inline]
    fn keep_or(&mut self, allowed: &[u64], named: &[Word]) {
        let range = self.from..self.to;
        let both = self.words[range.clone()].iter().zip(&allowed[range.clone()]);
        for (next, (word, allowed)) in self.next[range].iter_mut().zip(both) {
            *next = word & allowed;
        }
        let first = named.partition_point(|word| word.place < self.from);
        for word in named[first..].iter().take_while(|word| word.place < self.to) {
            self.next[word.place] |= self.words[word.place] & word.bits;
        }
        std::mem::swap(&mut self.words, &mut self.next);
        self.narrow();
    }

    fn narrow(&mut self) {
        while self.from < self.to && self.words[self.from] == 0 {
            self.from += 1;
        }
        while self.from < self.to && self.words[self.to - 1] == 0 {
            self.to -= 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// The words with the filters' bits that are not zero, each with its place.
    pub fn words(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let words = self.words.iter().copied().enumerate().take(self.to).skip(self.from);
        words.filter(|(_, bits)| *bits != 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set<'f>(filters: impl IntoIterator<Item = &'f str>) -> FilterSet {
        let parse = |filter: &'f str| Filter::parse(filter.as_bytes()).unwrap();
        FilterSet::new(&filters.into_iter().map(parse).collect::<Vec<_>>())
    }

    fn bits(found: &Found) -> Vec<usize> {
        let places = found.words().flat_map(|(place, bits)| {
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| place * 64 + bit)
        });
        places.collect()
    }

    fn matching(set: &FilterSet, name: &str) -> Vec<usize> {
        let mut found = Found::default();
        set.matching(name.as_bytes(), &mut found);
        bits(&found)
    }

    fn overlapping(set: &FilterSet, filter: &str) -> Vec<usize> {
        let mut found = Found::default();
        set.overlapping(Filter::parse(filter.as_bytes()).unwrap(), &mut found);
        bits(&found)
    }

    fn matches(filter: &str, name: &str) -> bool {
        !matching(&set([filter]), name).is_empty()
    }

    fn overlap(one: &str, two: &str) -> bool {
        let [there, back] =
            [(one, two), (two, one)].map(|(one, two)| !overlapping(&set([one]), two).is_empty());
        assert_eq!(there, back, "{one} and {two}");
        there
    }

    /// Clauses 4.7.1.2, 4.7.1.3, 4.7.2 and 4.7.3.
    #[test]
    fn the_examples_of_the_standard() {
        for (filter, name) in [
            ("sport/tennis/player1/#", "sport/tennis/player1"),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking"),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"),
            ("sport/#", "sport"),
            ("#", "a"),
            ("#", "/"),
            ("sport/tennis/+", "sport/tennis/player1"),
            ("sport/tennis/+", "sport/tennis/player2"),
            ("sport/+", "sport/"),
            ("+/+", "/finance"),
            ("/+", "/finance"),
            ("$SYS/#", "$SYS/uptime"),
            ("$SYS/monitor/+", "$SYS/monitor/Clients"),
            ("Accounts payable", "Accounts payable"),
        ] {
            assert!(matches(filter, name), "{filter} and {name}");
        }
        for (filter, name) in [
            ("sport/tennis/+", "sport/tennis/player1/ranking"),
            ("sport/+", "sport"),
            ("+", "/finance"),
            ("#", "$SYS/uptime"),
            ("+/monitor/Clients", "$SYS/monitor/Clients"),
            ("+/#", "$SYS"),
            ("/finance", "finance"),
            ("ACCOUNTS", "Accounts"),
            ("#", ""),
            ("+", ""),
        ] {
            assert!(!matches(filter, name), "{filter} and {name}");
        }
    }

    #[test]
    fn filters_overlap_when_some_name_matches_both() {
        for (one, two) in [
            ("a/b", "a/b"),
            ("a/+", "+/b"),
            ("a/#", "a"),
            ("a/#", "a/b/c/d"),
            ("a/#", "+/b/#"),
            ("+/+/+", "a/#"),
            ("#", "#"),
            ("#", "+"),
            ("/#", "+/+"),
            ("$SYS/#", "$SYS/+/b"),
            ("$share/g/a/b", "a/+"),
        ] {
            assert!(overlap(one, two), "{one} and {two}");
        }
        for (one, two) in [
            ("a/b", "a/c"),
            ("a/+", "a"),
            ("+", "a/b"),
            ("#", "$SYS/#"),
            ("+/#", "$SYS"),
            ("$share/g/#", "$SYS/#"),
            ("a/#", "b/#"),
            ("A", "a"),
            ("/#", "a/#"),
            ("/#", "+"),
        ] {
            assert!(!overlap(one, two), "{one} and {two}");
        }
    }

    /// What the standard says, level by level.
    fn naive(filter: &[&str], name: &[&str]) -> bool {
        match (filter, name) {
            (["#"], _) | ([], []) => true,
            (["+", filter @ ..], [_, name @ ..]) => naive(filter, name),
            ([one, filter @ ..], [two, name @ ..]) => one == two && naive(filter, name),
            _ => false,
        }
    }

    fn naive_match(filter: &str, name: &str) -> bool {
        let is_hidden = name.starts_with('$') && filter.starts_with(['+', '#']);
        let levels = |topic: &'_ str| topic.split('/').map(str::to_owned).collect::<Vec<_>>();
        let (filter, name) = (levels(filter), levels(name));
        let both = [&filter, &name].map(|of| of.iter().map(String::as_str).collect::<Vec<_>>());
        !is_hidden && naive(&both[0], &both[1])
    }

    /// Few levels, so that topics meet.
    const TEXTS: &[&str] = &["", "a", "b", "$s"];

    fn name() -> impl Strategy<Value = String> {
        let levels = prop::collection::vec(prop::sample::select(TEXTS), 1..5);
        levels.prop_map(|levels| levels.join("/")).prop_filter("a name", |name| !name.is_empty())
    }

    fn filter() -> impl Strategy<Value = String> {
        let level = prop_oneof![2 => prop::sample::select(TEXTS), 1 => Just("+")];
        (prop::collection::vec(level, 0..5), any::<bool>())
            .prop_map(|(mut levels, is_open)| {
                levels.extend(is_open.then_some("#"));
                levels.join("/")
            })
            .prop_filter("a filter", |filter| !filter.is_empty())
    }

    /// Every name of up to so many of these levels.
    fn all_names() -> Vec<String> {
        let mut names: Vec<String> = TEXTS.iter().map(ToString::to_string).collect();
        let mut last = names.clone();
        // Of what two filters of at most five levels have in common, something is no deeper.
        for _ in 1..5 {
            let deeper = |name: &String| {
                TEXTS.iter().map(|text| format!("{name}/{text}")).collect::<Vec<_>>()
            };
            last = last.iter().flat_map(deeper).collect();
            names.extend(last.iter().cloned());
        }
        names.retain(|name| !name.is_empty());
        names
    }

    proptest! {
        #[test]
        fn a_name_meets_the_filters_that_match_it(
            filters in prop::collection::vec(filter(), 1..200),
            names in prop::collection::vec(name(), 1..20),
        ) {
            let set = set(filters.iter().map(String::as_str));
            for name in &names {
                let each = filters.iter().enumerate();
                let expected: Vec<usize> =
                    each.filter(|(_, filter)| naive_match(filter, name)).map(|(at, _)| at).collect();
                prop_assert_eq!(matching(&set, name), expected, "{} in {:?}", name, filters);
            }
        }

        /// By brute force over all names that there are with these levels.
        #[test]
        fn a_filter_meets_the_filters_that_share_a_name_with_it(
            filters in prop::collection::vec(filter(), 1..20),
            other in filter(),
        ) {
            let names: Vec<String> =
                all_names().into_iter().filter(|name| naive_match(&other, name)).collect();
            let meets = |filter: &String| names.iter().any(|name| naive_match(filter, name));
            let each = filters.iter().enumerate();
            let expected: Vec<usize> =
                each.filter(|(_, filter)| meets(filter)).map(|(at, _)| at).collect();
            let set = set(filters.iter().map(String::as_str));
            prop_assert_eq!(overlapping(&set, &other), expected, "{} in {:?}", other, filters);
        }
    }
}
