//! A document without what no path leads to.

use std::ops::Range;

use super::Scalar;
use super::paths::Paths;
use super::walk::{Memory, Take, walk};

/// Appends to `out` as much of a document as the paths lead to, in its own shape: whoever looks there
/// for one of these paths finds what is in the document. Appends nothing, and returns false, if that
/// is nothing, or it is no JSON.
pub fn excerpt(octets: &[u8], paths: &Paths, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let mut excerpt = Excerpt {
        out,
        key: None,
        skipped: 0,
        is_any: false,
        open: Vec::new(),
        members: Vec::new(),
    };
    let is_whole = walk(octets, paths, &mut Memory::default(), &mut excerpt) && excerpt.is_any;
    if !is_whole {
        out.truncate(start);
    }
    is_whole
}

struct Excerpt<'o> {
    out: &'o mut Vec<u8>,
    /// The key whose value comes next.
    key: Option<Key>,
    /// Members of an array that are left out, unless others follow whose index would change.
    skipped: usize,
    is_any: bool,
    /// The objects and arrays that are open, one in the other.
    open: Vec<Open>,
    /// The members of the objects among them.
    members: Vec<Member>,
}

/// Where a key stands.
#[derive(Debug, Clone, Copy)]
struct Key {
    /// With the comma before it.
    start: usize,
    at: usize,
    /// Behind its colon.
    value: usize,
}

/// Where an object or array begins.
struct Open {
    /// The key that it is the value of.
    key: Option<Key>,
    at: usize,
    /// Members of objects around it.
    members: usize,
}

/// Where a member of an object stands.
struct Member {
    /// With the colon.
    key: Range<usize>,
    value: Range<usize>,
}

impl Excerpt<'_> {
    /// A comma, if something stands before.
    fn part(&mut self) {
        if self.out.last().is_some_and(|last| !b"{[:".contains(last)) {
            self.out.push(b',');
        }
    }

    /// In front of a value; returns its key.
    fn begin(&mut self) -> Option<Key> {
        if let Some(key) = self.key.take() {
            return Some(key);
        }
        for _ in 0..std::mem::take(&mut self.skipped) {
            self.part();
            self.out.extend_from_slice(b"null");
        }
        self.part();
        None
    }

    /// Behind the value of this key.
    fn end(&mut self, key: Option<Key>) {
        let Some(Key { at, value, .. }) = key else { return };
        self.members.push(Member { key: at..value, value: value..self.out.len() });
    }

    fn write(&mut self, value: &impl serde::Serialize) {
        // Into memory, and of plain values: it cannot fail.
        let _ = serde_json::to_writer(&mut *self.out, value);
    }

    /// Writes an object anew, as far as it has come, in which a key stands twice: who reads it elsewhere might know only the last
    /// value. There all of them are members of one array, which a path leads into just so.
    fn join_repeated(&mut self, object: &Open) {
        let members = &self.members[object.members..];
        let out = &mut *self.out;
        let key = |index: &usize| &out[members[*index].key.clone()];
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by_key(|index| (key(index), *index));
        let mut groups: Vec<&[usize]> =
            order.chunk_by(|one, other| key(one) == key(other)).collect();
        if groups.len() == members.len() {
            return;
        }
        groups.sort_by_key(|group| group.first());
        let mut joined = vec![b'{'];
        for group in groups {
            if joined.len() > 1 {
                joined.push(b',');
            }
            joined.extend(group.first().into_iter().flat_map(key));
            let values = group.iter().map(|index| &out[members[*index].value.clone()]);
            match group {
                [_] => joined.extend(values.flatten()),
                _ => join(values, &mut joined),
            }
        }
        out.truncate(object.at);
        out.append(&mut joined);
    }
}

/// Writes values as one array; of those that are arrays, the members.
fn join<'v>(values: impl Iterator<Item = &'v [u8]>, out: &mut Vec<u8>) {
    out.push(b'[');
    for value in values {
        let members = value.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
        let members = members.unwrap_or(value);
        if out.last() != Some(&b'[') && !members.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(members);
    }
    out.push(b']');
}

impl Take for Excerpt<'_> {
    fn scalar(&mut self, ends: &mut dyn Iterator<Item = u32>, value: Option<Scalar<'_>>) {
        if ends.next().is_none() {
            match self.key.take() {
                Some(key) => self.out.truncate(key.start),
                None => self.skipped += 1,
            }
            return;
        }
        let key = self.begin();
        self.is_any |= value.is_some();
        match value {
            None => self.out.extend_from_slice(b"null"),
            Some(Scalar::Flag(flag)) => self.write(&flag),
            Some(Scalar::Integer(number)) => self.write(&number),
            Some(Scalar::Number(number)) => self.write(&number),
            Some(Scalar::Text(text)) => self.write(&text),
        }
        self.end(key);
    }

    fn open(&mut self, ends: &mut dyn Iterator<Item = u32>, bracket: u8) {
        let key = self.begin();
        self.is_any |= ends.next().is_some();
        self.open.push(Open { key, at: self.out.len(), members: self.members.len() });
        self.out.push(bracket);
        self.skipped = 0;
    }

    fn key(&mut self, key: &str) {
        let start = self.out.len();
        self.part();
        let at = self.out.len();
        self.write(&key);
        self.out.push(b':');
        self.key = Some(Key { start, at, value: self.out.len() });
    }

    fn skip(&mut self) {
        self.skipped += 1;
    }

    fn close(&mut self, bracket: u8) {
        self.skipped = 0;
        let Some(open) = self.open.pop() else { return };
        if self.members.len() > open.members + 1 {
            self.join_repeated(&open);
        }
        self.members.truncate(open.members);
        self.out.push(bracket);
        self.end(open.key);
    }
}
