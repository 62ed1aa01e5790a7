//! Text: hashes for whole strings and for their beginnings and ends, an Aho-Corasick automaton
//! for what is anywhere in them, and regular expressions for what is left.
//!
//! Every string pattern has a literal that must be found first; only then is the case compared,
//! or the whole pattern. Regular expressions of rules stand behind one gate that is all of them
//! together: text that passes none costs one search.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::automaton::OverlappingState;
use aho_corasick::{AhoCorasick, Input};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use regex::{Regex, RegexBuilder};

use super::Question;
use crate::rule::compile::REGEX_SIZE;
use crate::rule::pattern::{Pattern, Piece, Shape};
use crate::rule::predicate::{Test, TextTest};
use crate::rule::truth::{ClassBuilder, ClassId, Classes, Truth};

/// The automaton's builder takes time with the square of the number of literals if nearly each of
/// its states ends one, as with `client1` to `client40000`: it moves these states to the front, and
/// follows for each of them the moves of all others. From so many literals on one that no text has
/// stands in front of them, with a state for each of theirs to change places with: then no state
/// moves more than a few times.
const MANY: usize = 1000;

/// An octet that no text has: it is UTF-8.
const NO_TEXT: u8 = 0xFF;

/// With more lengths of beginnings or ends than these, one automaton is faster than a hash each.
const LENGTHS: usize = 12;

/// The index of one text field.
#[derive(Debug, Clone)]
pub(super) struct TextIndex {
    /// Whole strings.
    whole: Table,
    beginnings: Edges,
    ends: Edges,
    parts: Option<Automaton>,
    /// Regular expressions that nothing announces.
    searches: Vec<Hit>,
    /// Finds something whenever one of `searches` does; `None` if it would be too large.
    gate: Option<Regex>,
    regexes: Vec<Regex>,
    /// Whether anything is looked up in lower case.
    lowers: bool,
}

/// A literal was found: what holds, if the rest is right.
#[derive(Debug, Clone)]
struct Hit {
    class: ClassId,
    confirm: Confirm,
}

#[derive(Debug, Clone)]
enum Confirm {
    Nothing,
    /// The text found must be this to the letter.
    Spelling(Box<str>),
    /// This one of the regular expressions must match the whole text.
    Regex(usize),
}

/// Strings in lower case, of some lengths.
#[derive(Debug, Clone)]
struct Table {
    lengths: Vec<usize>,
    hits: HashMap<Box<[u8]>, Vec<Hit>, RandomState>,
}

/// Beginnings, or ends, of strings.
#[derive(Debug, Clone)]
enum Edges {
    /// Of few lengths.
    Table(Table),
    /// Of many.
    Automaton(Automaton),
}

/// Finds literals, ASCII letters in either case.
#[derive(Debug, Clone)]
struct Automaton {
    search: AhoCorasick,
    /// By pattern of the automaton.
    hits: Vec<Vec<Hit>>,
    /// The length of the longest literal: a beginning or an end is not looked for elsewhere.
    longest: usize,
}

/// Buffers that text is prepared in. Kept between events so that nothing is allocated.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    lower: Vec<u8>,
    replaced: String,
    /// The look-up in which a regular expression was tried last.
    tried: Vec<u64>,
    look_up: u64,
}

/// Literals in lower case, each with what it announces.
type Literals = BTreeMap<Vec<u8>, Vec<Hit>>;

#[derive(Default)]
struct Builder {
    whole: Literals,
    beginnings: Literals,
    ends: Literals,
    parts: Literals,
    searches: Vec<Hit>,
    sources: Vec<String>,
}

impl Builder {
    fn add(&mut self, test: &TextTest, class: ClassId) {
        match test {
            TextTest::Regex(source) => self.search(source.clone(), class),
            TextTest::Pattern { pattern, cased } => self.pattern(pattern, *cased, class),
        }
    }

    fn search(&mut self, source: String, class: ClassId) {
        let confirm = self.regex(source);
        self.searches.push(Hit { class, confirm });
    }

    fn regex(&mut self, source: String) -> Confirm {
        self.sources.push(source);
        Confirm::Regex(self.sources.len() - 1)
    }

    fn pattern(&mut self, pattern: &Pattern, cased: bool, class: ClassId) {
        // Case beyond ASCII is left to the regular expressions.
        let literal = if cased || pattern.is_ascii() { announcing(pattern) } else { None };
        let Some((place, text)) = literal else {
            return self.search(pattern.regex(cased), class);
        };
        let confirm = match (pattern.shape(), cased) {
            (Shape::Mixed | Shape::Anything, _) => self.regex(pattern.regex(cased)),
            (_, true) => Confirm::Spelling(text.into()),
            (_, false) => Confirm::Nothing,
        };
        let literals = match place {
            Place::Whole => &mut self.whole,
            Place::Beginning => &mut self.beginnings,
            Place::End => &mut self.ends,
            Place::Anywhere => &mut self.parts,
        };
        let key = text.to_ascii_lowercase().into_bytes();
        literals.entry(key).or_default().push(Hit { class, confirm });
    }

    /// A regular expression that finds something whenever one of the searches does.
    fn gate(&self) -> Option<Regex> {
        let sources = self.searches.iter().filter_map(|hit| match hit.confirm {
            Confirm::Regex(index) => Some(format!("(?:{})", self.sources[index])),
            _ => None,
        });
        let sources: Vec<_> = sources.collect();
        // With a few, asking each is as fast.
        if sources.len() > 2 { compiled(&sources.join("|")) } else { None }
    }
}

/// Where a literal stands in what a pattern matches.
enum Place {
    Whole,
    Beginning,
    End,
    Anywhere,
}

/// A literal without which the pattern does not match.
fn announcing(pattern: &Pattern) -> Option<(Place, &str)> {
    match (pattern.shape(), pattern.pieces()) {
        (Shape::Exact(text), _) => Some((Place::Whole, text)),
        (_, [Piece::Literal(text), ..]) => Some((Place::Beginning, text)),
        (_, [.., Piece::Literal(text)]) => Some((Place::End, text)),
        (_, pieces) => longest_literal(pieces).map(|text| (Place::Anywhere, text)),
    }
}

fn longest_literal(pieces: &[Piece]) -> Option<&str> {
    let literals = pieces.iter().filter_map(|piece| match piece {
        Piece::Literal(text) => Some(text.as_str()),
        _ => None,
    });
    literals.max_by_key(|text| text.len())
}

impl TextIndex {
    pub(super) fn new(questions: &[Question<'_>], classes: &mut ClassBuilder) -> Self {
        let mut builder = Builder::default();
        for question in questions {
            let Test::Texts(texts) = question.test else { continue };
            let class = classes.of(&[question.id]);
            for text in texts {
                builder.add(text, class);
            }
        }
        let gate = builder.gate();
        let (whole, beginnings) = (Table::new(builder.whole), Edges::new(builder.beginnings));
        let ends = Edges::new(builder.ends);
        Self {
            lowers: whole.is_used() || beginnings.is_hashed() || ends.is_hashed(),
            whole,
            beginnings,
            ends,
            parts: Automaton::new(builder.parts),
            searches: builder.searches,
            gate,
            // Each was compiled when its rule was read, so none is lost here.
            regexes: builder.sources.iter().filter_map(|source| compiled(source)).collect(),
        }
    }

    /// Notes in `truth` what `bytes` imply.
    pub(super) fn look_up(
        &self,
        bytes: &[u8],
        classes: &Classes,
        truth: &mut Truth,
        scratch: &mut Scratch,
    ) {
        let Scratch { lower, replaced, tried, look_up } = scratch;
        let text = as_written(bytes, replaced);
        lower.clear();
        if self.lowers {
            lower.extend_from_slice(text.as_bytes());
            lower.make_ascii_lowercase();
        }
        *look_up += 1;
        if tried.len() < self.regexes.len() {
            tried.resize(self.regexes.len(), 0);
        }
        let mut lookup = LookUp { index: self, text, tried, number: *look_up, classes, truth };
        let length = text.len();
        if self.whole.longest() >= length {
            self.whole.find(lower, |hit| lookup.confirm(hit, 0, length));
        }
        self.beginnings.find_beginnings(text, lower, |hit, end| lookup.confirm(hit, 0, end));
        self.ends.find_ends(text, lower, |hit, start| lookup.confirm(hit, start, length));
        if let Some(parts) = &self.parts {
            parts.find(text.as_bytes(), |hit, start, end| lookup.confirm(hit, start, end));
        }
        if !self.searches.is_empty() && self.gate.as_ref().is_none_or(|gate| gate.is_match(text)) {
            for hit in &self.searches {
                lookup.confirm(hit, 0, length);
            }
        }
    }
}

/// One text on its way through the index.
struct LookUp<'i, 't> {
    index: &'i TextIndex,
    text: &'t str,
    tried: &'t mut [u64],
    number: u64,
    classes: &'i Classes,
    truth: &'t mut Truth,
}

impl LookUp<'_, '_> {
    /// A literal stands from `start` to `end`.
    fn confirm(&mut self, hit: &Hit, start: usize, end: usize) {
        let holds = match &hit.confirm {
            Confirm::Nothing => true,
            Confirm::Spelling(literal) => self.text.as_bytes()[start..end] == *literal.as_bytes(),
            Confirm::Regex(regex) => self.try_once(*regex),
        };
        if holds {
            self.truth.apply(self.classes, hit.class);
        }
    }

    /// A literal may be found a million times in a text; its pattern is asked once.
    fn try_once(&mut self, regex: usize) -> bool {
        if std::mem::replace(&mut self.tried[regex], self.number) == self.number {
            return false;
        }
        self.index.regexes[regex].is_match(self.text)
    }
}

impl Table {
    fn new(literals: Literals) -> Self {
        let lengths: BTreeSet<usize> = literals.keys().map(Vec::len).collect();
        Self {
            lengths: lengths.into_iter().collect(),
            hits: literals.into_iter().map(|(key, hits)| (key.into(), hits)).collect(),
        }
    }

    fn is_used(&self) -> bool {
        !self.lengths.is_empty()
    }

    fn longest(&self) -> usize {
        self.lengths.last().copied().unwrap_or(0)
    }

    fn find(&self, key: &[u8], mut found: impl FnMut(&Hit)) {
        if self.is_used() {
            self.hits.get(key).into_iter().flatten().for_each(&mut found);
        }
    }
}

impl Edges {
    fn new(literals: Literals) -> Self {
        let lengths: BTreeSet<usize> = literals.keys().map(Vec::len).collect();
        if lengths.len() > LENGTHS
            && let Some(automaton) = Automaton::new(literals.clone())
        {
            return Self::Automaton(automaton);
        }
        Self::Table(Table::new(literals))
    }

    fn is_hashed(&self) -> bool {
        matches!(self, Self::Table(table) if table.is_used())
    }

    /// Tells of literals that `text` begins with, and where they end.
    fn find_beginnings(&self, text: &str, lower: &[u8], mut found: impl FnMut(&Hit, usize)) {
        match self {
            Self::Table(table) => {
                for length in table.lengths.iter().copied().take_while(|it| *it <= lower.len()) {
                    table.find(&lower[..length], |hit| found(hit, length));
                }
            }
            Self::Automaton(automaton) => {
                let head = &text.as_bytes()[..text.len().min(automaton.longest)];
                automaton.find(head, |hit, start, end| {
                    if start == 0 {
                        found(hit, end);
                    }
                });
            }
        }
    }

    /// Tells of literals that `text` ends with, and where they start.
    fn find_ends(&self, text: &str, lower: &[u8], mut found: impl FnMut(&Hit, usize)) {
        match self {
            Self::Table(table) => {
                for length in table.lengths.iter().copied().take_while(|it| *it <= lower.len()) {
                    let start = lower.len() - length;
                    table.find(&lower[start..], |hit| found(hit, start));
                }
            }
            Self::Automaton(automaton) => {
                let skipped = text.len().saturating_sub(automaton.longest);
                let tail = &text.as_bytes()[skipped..];
                automaton.find(tail, |hit, start, end| {
                    if end == tail.len() {
                        found(hit, skipped + start);
                    }
                });
            }
        }
    }
}

impl Automaton {
    fn new(literals: Literals) -> Option<Self> {
        let longest = literals.keys().map(Vec::len).max()?;
        let room = if literals.len() < MANY { 0 } else { literals.len() + 1 };
        let room = (room > 0).then(|| vec![NO_TEXT; room]);
        let patterns = room.iter().chain(literals.keys());
        let search = AhoCorasick::builder().ascii_case_insensitive(true).build(patterns).ok()?;
        let hits = room.iter().map(|_| Vec::new()).chain(literals.into_values()).collect();
        Some(Self { search, hits, longest })
    }

    fn find(&self, text: &[u8], mut found: impl FnMut(&Hit, usize, usize)) {
        let mut state = OverlappingState::start();
        while self.search.try_find_overlapping(Input::new(text), &mut state).is_ok() {
            let Some(place) = state.get_match() else { return };
            for hit in &self.hits[place.pattern().as_usize()] {
                found(hit, place.start(), place.end());
            }
        }
    }
}

fn compiled(source: &str) -> Option<Regex> {
    RegexBuilder::new(source).size_limit(REGEX_SIZE).build().ok()
}

/// Text as a record has it: what is not UTF-8 is U+FFFD there.
pub(super) fn as_written<'t>(bytes: &'t [u8], replaced: &'t mut String) -> &'t str {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text;
    }
    replaced.clear();
    for chunk in bytes.utf8_chunks() {
        replaced.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            replaced.push(char::REPLACEMENT_CHARACTER);
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Each with a hit that says what was to be found.
    fn literals(texts: impl IntoIterator<Item = String>) -> Literals {
        let hit =
            |text: &str| Hit { class: ClassId::NONE, confirm: Confirm::Spelling(text.into()) };
        texts.into_iter().map(|text| (text.clone().into_bytes(), vec![hit(&text)])).collect()
    }

    fn numbered(count: usize) -> Literals {
        literals((0..count).map(|number| format!("client{number}")))
    }

    fn found(literals: Literals, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        Automaton::new(literals).unwrap().find(text.as_bytes(), |hit, start, end| {
            let Confirm::Spelling(literal) = &hit.confirm else { panic!("{hit:?}") };
            assert!(literal.eq_ignore_ascii_case(&text[start..end]), "{literal} at {start}");
            found.push(literal.to_string());
        });
        found
    }

    #[test]
    fn with_many_literals_the_same_is_found() {
        let text = "a client12, CLIENT999 and client\u{FF}\u{FFFD}";
        let expected = ["client1", "client12", "client9", "client99", "client999"];
        assert_eq!(found(literals(expected.map(str::to_owned)), text), expected);
        for count in [MANY, 10 * MANY] {
            assert_eq!(found(numbered(count), text), expected);
        }
    }

    /// Ten times what it takes where builds are slow, and a fifth of what it took with the square.
    #[test]
    fn the_time_to_build_does_not_grow_with_the_square() {
        let literals = numbered(200_000);
        let begun = Instant::now();
        assert!(Automaton::new(literals).is_some());
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    }
}
