//! Text: a hash for whole strings, Aho-Corasick automata for parts of strings, and regular
//! expressions for what is left.
//!
//! Every string pattern has a literal that must be found first; only then is the case compared,
//! or the whole pattern. Regular expressions of rules stand behind one gate that is all of them
//! together: text that passes none costs one search.

use std::collections::BTreeMap;

use aho_corasick::automaton::OverlappingState;
use aho_corasick::{AhoCorasick, Input};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use regex::{Regex, RegexBuilder};

use super::Questions;
use crate::rule::compile::REGEX_SIZE;
use crate::rule::pattern::{Pattern, Piece, Shape};
use crate::rule::predicate::{Test, TextTest};
use crate::rule::truth::{ClassId, Classes, Truth};

/// The index of one text field.
#[derive(Debug, Clone)]
pub(super) struct TextIndex {
    /// Whole strings in lower case.
    whole: HashMap<Box<[u8]>, Vec<Hit>, RandomState>,
    /// The length of the longest of them.
    longest: usize,
    beginnings: Option<Automaton>,
    ends: Option<Automaton>,
    parts: Option<Automaton>,
    /// Regular expressions that nothing announces.
    searches: Vec<Hit>,
    /// Finds something whenever one of `searches` does; `None` if it would be too large.
    gate: Option<Regex>,
    regexes: Vec<Regex>,
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

/// Finds literals, ASCII letters in either case.
#[derive(Debug, Clone)]
struct Automaton {
    automaton: AhoCorasick,
    /// By pattern of the automaton.
    hits: Vec<Vec<Hit>>,
    /// The length of the longest literal: a beginning or an end is not looked for elsewhere.
    longest: usize,
}

/// Buffers that text is prepared in. Kept between events so that nothing is allocated.
#[derive(Debug, Clone, Default)]
pub(in crate::rule) struct Scratch {
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
        self.sources.push(source);
        let confirm = Confirm::Regex(self.sources.len() - 1);
        self.searches.push(Hit { class, confirm });
    }

    fn pattern(&mut self, pattern: &Pattern, cased: bool, class: ClassId) {
        // Case beyond ASCII is left to the regular expressions.
        if !cased && !pattern.is_ascii() {
            return self.search(pattern.regex(cased), class);
        }
        let (literals, text) = match (pattern.shape(), pattern.pieces()) {
            (Shape::Exact(text), _) => (&mut self.whole, text),
            (Shape::Prefix(text), _) => (&mut self.beginnings, text),
            (Shape::Suffix(text), _) => (&mut self.ends, text),
            (Shape::Contains(text), _) => (&mut self.parts, text),
            (_, [Piece::Literal(text), ..]) => (&mut self.beginnings, text.as_str()),
            (_, [.., Piece::Literal(text)]) => (&mut self.ends, text.as_str()),
            (_, pieces) => match longest_literal(pieces) {
                Some(text) => (&mut self.parts, text),
                None => return self.search(pattern.regex(cased), class),
            },
        };
        let confirm = match (pattern.shape(), cased) {
            (Shape::Mixed | Shape::Anything, _) => {
                self.sources.push(pattern.regex(cased));
                Confirm::Regex(self.sources.len() - 1)
            }
            (_, true) => Confirm::Spelling(text.into()),
            (_, false) => Confirm::Nothing,
        };
        let key = text.to_ascii_lowercase().into_bytes();
        literals.entry(key).or_default().push(Hit { class, confirm });
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
    pub(super) fn new(questions: Questions<'_>, classes: &mut Classes) -> Self {
        let mut builder = Builder::default();
        for (id, test) in questions.iter() {
            let Test::Texts(texts) = test else { continue };
            let class = classes.add(&[id], questions.triggers);
            texts.iter().for_each(|text| builder.add(text, class));
        }
        let gate: Vec<_> = builder
            .searches
            .iter()
            .filter_map(|hit| match hit.confirm {
                Confirm::Regex(index) => Some(format!("(?:{})", builder.sources[index])),
                _ => None,
            })
            .collect();
        // With a few, asking each is as fast.
        let gate = (gate.len() > 2).then(|| compiled(&gate.join("|"))).flatten();
        Self {
            longest: builder.whole.keys().map(Vec::len).max().unwrap_or(0),
            whole: builder.whole.into_iter().map(|(key, hits)| (key.into(), hits)).collect(),
            beginnings: Automaton::new(builder.beginnings),
            ends: Automaton::new(builder.ends),
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
        *look_up += 1;
        if tried.len() < self.regexes.len() {
            tried.resize(self.regexes.len(), 0);
        }
        let mut lookup = LookUp { index: self, text, tried, number: *look_up, classes, truth };
        self.look_up_whole(text, lower, &mut lookup);
        let length = text.len();
        if let Some(automaton) = &self.beginnings {
            let head = &text.as_bytes()[..length.min(automaton.longest)];
            automaton.find(head, |hit, start, end| {
                if start == 0 {
                    lookup.confirm(hit, (start, end));
                }
            });
        }
        if let Some(automaton) = &self.ends {
            let skipped = length.saturating_sub(automaton.longest);
            automaton.find(&text.as_bytes()[skipped..], |hit, start, end| {
                if skipped + end == length {
                    lookup.confirm(hit, (skipped + start, length));
                }
            });
        }
        if let Some(automaton) = &self.parts {
            automaton.find(text.as_bytes(), |hit, start, end| lookup.confirm(hit, (start, end)));
        }
        if !self.searches.is_empty() && self.gate.as_ref().is_none_or(|gate| gate.is_match(text)) {
            self.searches.iter().for_each(|hit| lookup.confirm(hit, (0, length)));
        }
    }

    fn look_up_whole(&self, text: &str, lower: &mut Vec<u8>, lookup: &mut LookUp<'_, '_>) {
        if self.whole.is_empty() || text.len() > self.longest {
            return;
        }
        lower.clear();
        lower.extend_from_slice(text.as_bytes());
        lower.make_ascii_lowercase();
        for hit in self.whole.get(lower.as_slice()).into_iter().flatten() {
            lookup.confirm(hit, (0, text.len()));
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
    fn confirm(&mut self, hit: &Hit, (start, end): (usize, usize)) {
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

impl Automaton {
    fn new(literals: Literals) -> Option<Self> {
        let longest = literals.keys().map(Vec::len).max()?;
        let automaton =
            AhoCorasick::builder().ascii_case_insensitive(true).build(literals.keys()).ok()?;
        Some(Self { automaton, hits: literals.into_values().collect(), longest })
    }

    fn find(&self, text: &[u8], mut found: impl FnMut(&Hit, usize, usize)) {
        let mut state = OverlappingState::start();
        while self.automaton.try_find_overlapping(Input::new(text), &mut state).is_ok() {
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
fn as_written<'t>(bytes: &'t [u8], replaced: &'t mut String) -> &'t str {
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
