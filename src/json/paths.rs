//! Paths into JSON documents, and many of them as one tree.

use std::str::FromStr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// The most steps of a path: documents on the wire are flat, and so is the way that people think of
/// them.
const MOST_STEPS: usize = 32;

/// The way to a value: `phases.voltage`, `phases[0].voltage`.
///
/// A key distributes over an array: the path goes on in each of its members. A key that is a number
/// also picks the member with this index, from 0, and `[0]` does nothing else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    Key(Box<str>),
    Index(usize),
}

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// Two dots side by side, or one at an end.
    #[error("a step of the path is empty")]
    EmptyStep,
    /// Something else than digits in brackets, or something behind them.
    #[error("`[` begins an index, as in `phases[0].voltage`")]
    Index,
    /// It has more steps than a path may have.
    #[error("the path has more than {MOST_STEPS} steps")]
    TooLong,
}

impl FromStr for Path {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (key, mut indexes) = part.split_at(part.find('[').unwrap_or(part.len()));
            if key.is_empty() && (indexes.is_empty() || !steps.is_empty()) {
                return Err(Mistake::EmptyStep);
            }
            if !key.is_empty() {
                steps.push(Step::Key(key.into()));
            }
            while !indexes.is_empty() {
                let rest = indexes.strip_prefix('[').ok_or(Mistake::Index)?;
                let (digits, rest) = rest.split_once(']').ok_or(Mistake::Index)?;
                steps.push(Step::Index(index(digits).ok_or(Mistake::Index)?));
                indexes = rest;
            }
        }
        if steps.len() > MOST_STEPS {
            return Err(Mistake::TooLong);
        }
        Ok(Self(steps))
    }
}

/// The number that these digits are, if they are written in the only way.
fn index(digits: &str) -> Option<usize> {
    let is_number = digits.bytes().all(|octet| octet.is_ascii_digit());
    let is_shortest = digits == "0" || !digits.starts_with('0');
    if is_number && is_shortest { digits.parse().ok() } else { None }
}

/// Paths, to be looked for together.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The document itself, then what is in it.
    nodes: Vec<Node>,
    count: u32,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// The path that ends here.
    pub(super) end: Option<u32>,
    /// The hash is fast and not keyed against attackers: its keys come from rules, and what is on
    /// the wire is looked up and never stored.
    keys: HashMap<Box<str>, u32, RandomState>,
    /// By index, those of [`keys`](Self::keys) that are one, too.
    indexes: Vec<(usize, u32)>,
}

impl Default for Paths {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], count: 0 }
    }
}

impl Paths {
    /// Whether no path is looked for.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Looks for one more, and returns its number: from 0, the same for the same path.
    pub fn add(&mut self, path: &Path) -> usize {
        let mut at = 0;
        for step in &path.0 {
            at = self.child(at, step);
        }
        let end = &mut self.nodes[at as usize].end;
        let number = *end.get_or_insert(self.count);
        self.count = self.count.max(number + 1);
        number as usize
    }

    fn child(&mut self, parent: u32, step: &Step) -> u32 {
        let new = self.nodes.len() as u32;
        let node = &mut self.nodes[parent as usize];
        let known = match step {
            Step::Key(key) => node.keys.get(key).copied(),
            Step::Index(index) => {
                let is_it = |(at, child): &&(usize, u32)| {
                    at == index && node.keys.values().all(|key| key != child)
                };
                node.indexes.iter().find(is_it).map(|(_, child)| *child)
            }
        };
        if let Some(known) = known {
            return known;
        }
        match step {
            Step::Key(key) => {
                node.indexes.extend(index(key).map(|index| (index, new)));
                node.keys.insert(key.clone(), new);
            }
            Step::Index(index) => node.indexes.push((*index, new)),
        }
        self.nodes.push(Node::default());
        new
    }

    pub(super) fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }
}

impl Node {
    pub(super) fn key(&self, key: &str) -> Option<u32> {
        self.keys.get(key).copied()
    }

    /// What the index leads to: a key that is a number, and the index itself.
    pub(super) fn at(&self, index: usize) -> impl Iterator<Item = u32> + '_ {
        self.indexes.iter().filter(move |(at, _)| *at == index).map(|(_, child)| *child)
    }

    /// Whether a member of an array may be meant, wherever it stands.
    pub(super) fn distributes(&self) -> bool {
        self.end.is_some() || !self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_keys_and_indexes() {
        let path = |text: &str| text.parse::<Path>().map(|path| path.0);
        let (key, at) = (|key: &str| Step::Key(key.into()), Step::Index);
        assert_eq!(path("a"), Ok(vec![key("a")]));
        assert_eq!(path("a.b c.0"), Ok(vec![key("a"), key("b c"), key("0")]));
        assert_eq!(path("a[0][12].b"), Ok(vec![key("a"), at(0), at(12), key("b")]));
        assert_eq!(path("[3].b"), Ok(vec![at(3), key("b")]));
        for (text, mistake) in [
            ("", Mistake::EmptyStep),
            ("a.", Mistake::EmptyStep),
            (".a", Mistake::EmptyStep),
            ("a..b", Mistake::EmptyStep),
            ("a.[0]", Mistake::EmptyStep),
            ("a[", Mistake::Index),
            ("a[]b", Mistake::Index),
            ("a[-1]", Mistake::Index),
            ("a[01]", Mistake::Index),
            ("a[0]b", Mistake::Index),
            (&["a"; 33].join("."), Mistake::TooLong),
        ] {
            assert_eq!(path(text), Err(mistake), "{text}");
        }
    }

    #[test]
    fn the_same_path_has_the_same_number() {
        let mut paths = Paths::default();
        assert!(paths.is_empty());
        let numbers = ["a.0", "a[0]", "a", "a.0", "a[0]", "a.b"];
        let numbers = numbers.map(|path| paths.add(&path.parse().unwrap()));
        assert_eq!(numbers, [0, 1, 2, 0, 1, 3]);
    }
}
