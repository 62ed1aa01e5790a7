//! The way through a document, along all paths at once.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Scalar;
use super::paths::Paths;

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
pub(super) struct State {
    node: u32,
    /// Whether an index may come: not in a member of an array over which a key distributes.
    is_exact: bool,
}

/// Reads a document. False if it is none; what was taken before that was seen means nothing.
/// `states` is memory to be used again.
pub(super) fn walk<T: Take>(
    octets: &[u8],
    paths: &Paths,
    states: &mut Vec<State>,
    take: &mut T,
) -> bool {
    let Ok(text) = std::str::from_utf8(octets) else { return false };
    states.clear();
    states.push(State { node: 0, is_exact: true });
    let mut json = serde_json::Deserializer::from_str(text);
    let value = Value { walk: &mut Walk { paths, states, take }, from: 0, to: 1 };
    value.deserialize(&mut json).is_ok() && json.end().is_ok()
}

struct Walk<'w, T> {
    paths: &'w Paths,
    /// A stack: those of a value, then those of what is in it.
    states: &'w mut Vec<State>,
    take: &'w mut T,
}

/// Adds a state to those from `start` on. Several ways lead to one node where keys are numbers: they are
/// one from there on, lest a document has them multiply.
fn push(states: &mut Vec<State>, start: usize, new: State) {
    match states[start..].iter_mut().find(|known| known.node == new.node) {
        Some(known) => known.is_exact |= new.is_exact,
        None => states.push(new),
    }
}

/// A value that states of this range have come to.
struct Value<'v, 'w, T> {
    walk: &'v mut Walk<'w, T>,
    from: usize,
    to: usize,
}

impl<T: Take> Value<'_, '_, T> {
    fn scalar(self, value: Option<Scalar<'_>>) {
        let Walk { paths, states, take } = self.walk;
        let states = states[self.from..self.to].iter();
        take.scalar(&mut states.filter_map(|state| paths.node(state.node).end), value);
    }

    fn open(&mut self, bracket: u8) {
        let Walk { paths, states, take } = &mut *self.walk;
        let states = states[self.from..self.to].iter();
        take.open(&mut states.filter_map(|state| paths.node(state.node).end), bracket);
    }

    /// Goes on to the member of an array at `index`.
    fn push_member(&mut self, index: usize) {
        let Walk { paths, states, .. } = &mut *self.walk;
        let start = states.len();
        for at in self.from..self.to {
            let State { node, is_exact } = states[at];
            let node_of = paths.node(node);
            if node_of.distributes() {
                push(states, start, State { node, is_exact: false });
            }
            if is_exact {
                for node in node_of.at(index) {
                    push(states, start, State { node, is_exact: true });
                }
            }
        }
    }
}

impl<'de, T: Take> DeserializeSeed<'de> for Value<'_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, T: Take> Visitor<'de> for Value<'_, '_, T> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar(None);
        Ok(())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        self.scalar(Some(Scalar::Flag(flag)));
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.scalar(Some(Scalar::Integer(number)));
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        let small = i64::try_from(number).map(Scalar::Integer);
        self.scalar(Some(small.unwrap_or(Scalar::Number(number as f64))));
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.scalar(Some(Scalar::Number(number)));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.scalar(Some(Scalar::Text(text)));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.open(b'{');
        let start = self.walk.states.len();
        loop {
            let key = Key { walk: &mut *self.walk, from: self.from, to: self.to };
            if map.next_key_seed(key)?.is_none() {
                break;
            }
            let end = self.walk.states.len();
            if end == start {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            map.next_value_seed(Value { walk: &mut *self.walk, from: start, to: end })?;
            self.walk.states.truncate(start);
        }
        self.walk.take.close(b'}');
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut array: A) -> Result<(), A::Error> {
        self.open(b'[');
        let start = self.walk.states.len();
        for index in 0.. {
            self.push_member(index);
            let end = self.walk.states.len();
            if end == start {
                if array.next_element::<IgnoredAny>()?.is_none() {
                    break;
                }
                self.walk.take.skip();
                continue;
            }
            let member = Value { walk: &mut *self.walk, from: start, to: end };
            let found = array.next_element_seed(member)?;
            self.walk.states.truncate(start);
            if found.is_none() {
                break;
            }
        }
        self.walk.take.close(b']');
        Ok(())
    }
}

/// A key of an object that states of this range have come to: where they go on.
struct Key<'v, 'w, T> {
    walk: &'v mut Walk<'w, T>,
    from: usize,
    to: usize,
}

impl<'de, T: Take> DeserializeSeed<'de> for Key<'_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_str(self)
    }
}

impl<T: Take> Visitor<'_> for Key<'_, '_, T> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        let Walk { paths, states, take } = self.walk;
        let start = states.len();
        for at in self.from..self.to {
            if let Some(node) = paths.node(states[at].node).key(key) {
                push(states, start, State { node, is_exact: true });
            }
        }
        if states.len() > start {
            take.key(key);
        }
        Ok(())
    }
}
