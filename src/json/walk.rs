//! The way through a document, along all paths at once.

use super::Scalar;
use super::paths::Paths;
use super::reader::{Reader, text};

/// The most levels along paths: what is deeper is passed over. Far more than any path has steps, and
/// few enough for a stack.
const MOST_LEVELS: usize = 127;

/// Takes what paths lead to or through, in the order of the document.
pub(super) trait Take {
    /// A value; `None` is null. These paths end here, others went on to here.
    fn scalar(&mut self, ends: &mut dyn Iterator<Item = u32>, value: Option<Scalar<'_>>);
    /// An object or an array, by its bracket.
    fn open(&mut self, ends: &mut dyn Iterator<Item = u32>, bracket: u8);
    /// The key of what comes next.
    fn key(&mut self, key: &str);
    /// A member of an array that no path leads to.
    fn skip(&mut self);
    /// The end of an object or an array, by its bracket.
    fn close(&mut self, bracket: u8);
}

/// How far a path has come.
#[derive(Debug, Clone, Copy)]
struct State {
    node: u32,
    /// Whether an index may come: not in a member of an array over which a key distributes.
    is_exact: bool,
}

/// Memory of a walk, to be used again.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    /// A stack: those of a value, then those of what is in it.
    states: Vec<State>,
    /// The brackets that are open in what is passed over.
    open: Vec<u8>,
    /// A text without its escapes.
    text: String,
}

/// Reads a document. False if it is none; what was taken before that was seen means nothing.
pub(super) fn walk<T: Take>(
    octets: &[u8],
    paths: &Paths,
    memory: &mut Memory,
    take: &mut T,
) -> bool {
    let Some(reader) = Reader::new(octets) else { return false };
    memory.states.clear();
    memory.states.push(State { node: 0, is_exact: true });
    let mut walk = Walk { reader, paths, memory, take, levels: 0 };
    walk.value(0, 1).is_some() && walk.reader.peek().is_none()
}

struct Walk<'w, 'd, T> {
    reader: Reader<'d>,
    paths: &'w Paths,
    memory: &'w mut Memory,
    take: &'w mut T,
    levels: usize,
}

/// Adds a state to those from `start` on. Several ways lead to one node where keys are numbers: they are
/// one from there on, lest a document has them multiply.
fn push(states: &mut Vec<State>, start: usize, new: State) {
    match states[start..].iter_mut().find(|known| known.node == new.node) {
        Some(known) => known.is_exact |= new.is_exact,
        None => states.push(new),
    }
}

/// Of a value, the states of the range `from..to` have come to it.
impl<T: Take> Walk<'_, '_, T> {
    fn value(&mut self, from: usize, to: usize) -> Option<()> {
        match self.reader.peek()? {
            b'{' | b'[' if self.levels == MOST_LEVELS => {
                self.reader.skip(&mut self.memory.open)?;
                self.take.scalar(&mut std::iter::empty(), None);
                Some(())
            }
            bracket @ (b'{' | b'[') => self.container(bracket, from, to),
            _ => {
                let token = self.reader.scalar()?;
                let Memory { states, text, .. } = &mut *self.memory;
                let paths = self.paths;
                let ends = states[from..to].iter();
                let mut ends = ends.filter_map(|state| paths.node(state.node).end);
                self.take.scalar(&mut ends, token.value(text));
                Some(())
            }
        }
    }

    fn container(&mut self, bracket: u8, from: usize, to: usize) -> Option<()> {
        let paths = self.paths;
        let states = self.memory.states[from..to].iter();
        self.take.open(&mut states.filter_map(|state| paths.node(state.node).end), bracket);
        self.levels += 1;
        let close = if bracket == b'{' { b'}' } else { b']' };
        if self.reader.opens(close) {
            match bracket {
                b'{' => self.object(from, to)?,
                _ => self.array(from, to)?,
            }
            if !self.reader.take(close) {
                return None;
            }
        }
        self.levels -= 1;
        self.take.close(close);
        Some(())
    }

    fn object(&mut self, from: usize, to: usize) -> Option<()> {
        loop {
            let key = self.reader.key()?;
            self.push_key(key, from, to);
            self.inner(to)?;
            if !self.reader.take(b',') {
                return Some(());
            }
        }
    }

    fn array(&mut self, from: usize, to: usize) -> Option<()> {
        for index in 0.. {
            self.push_member(index, from, to);
            if !self.inner(to)? {
                self.take.skip();
            }
            if !self.reader.take(b',') {
                break;
            }
        }
        Some(())
    }

    /// The value to which the states above `start` have come. False if there are none.
    fn inner(&mut self, start: usize) -> Option<bool> {
        let end = self.memory.states.len();
        if end == start {
            self.reader.skip(&mut self.memory.open)?;
            return Some(false);
        }
        self.value(start, end)?;
        self.memory.states.truncate(start);
        Some(true)
    }

    /// Goes on to what a key leads to.
    fn push_key(&mut self, raw: &str, from: usize, to: usize) {
        let Memory { states, text: scratch, .. } = &mut *self.memory;
        let key = text(raw, scratch);
        for at in from..to {
            if let Some(node) = self.paths.node(states[at].node).key(key) {
                push(states, to, State { node, is_exact: true });
            }
        }
        if states.len() > to {
            self.take.key(key);
        }
    }

    /// Goes on to the member of an array at `index`.
    fn push_member(&mut self, index: usize, from: usize, to: usize) {
        let states = &mut self.memory.states;
        for at in from..to {
            let State { node, is_exact } = states[at];
            let node_of = self.paths.node(node);
            if node_of.distributes() {
                push(states, to, State { node, is_exact: false });
            }
            if is_exact {
                for node in node_of.at(index) {
                    push(states, to, State { node, is_exact: true });
                }
            }
        }
    }
}
