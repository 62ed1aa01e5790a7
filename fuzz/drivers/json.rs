//! Paths into JSON, against a walk over the whole tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use gridtap::json::{Path, Paths, Scalar, Values, excerpt};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::parted;

/// Paths that are looked for together.
const PATHS: usize = 16;

/// Paths, a line each; behind an empty line a document.
///
/// Of what is no JSON nothing is found. Else each path finds what a walk over the tree finds, in the
/// document and in the excerpt of it.
pub(crate) fn drive(octets: &[u8]) {
    let (lines, document) = parted(octets);
    let mut paths = Paths::default();
    let mut steps = BTreeMap::new();
    for line in lines.split(|octet| *octet == b'\n').take(PATHS) {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        if let Ok(path) = line.parse::<Path>() {
            steps.insert(paths.add(&path), steps_of(line));
        }
    }
    let mut values = Values::default();
    values.read(document, &paths);
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    values.each(|path, value| found.entry(path).or_default().push(shown(value)));
    for values in found.values_mut() {
        values.sort_unstable();
    }
    assert!(found.keys().all(|path| steps.contains_key(path)), "nobody asked for that");

    let mut out = br#"{"before":"#.to_vec();
    let is_any = excerpt(document, &paths, &mut out);
    let short = out.strip_prefix(br#"{"before":"#).expect("what stood there stays");
    assert_eq!(is_any, !found.is_empty());
    assert_eq!(is_any, !short.is_empty());

    let text = std::str::from_utf8(document).unwrap_or_default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Ok(tree) = serde_json::from_str::<Tree>(text) else {
        // Nested too deep for a tree, or with a number or half of a character that it cannot have, it
        // may be JSON all the same.
        let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
        assert!(is_json || found.is_empty(), "found in what is no JSON");
        return;
    };
    let short = if is_any { serde_json::from_slice(short).expect("JSON") } else { Tree::Null };
    let is_repeating = tree.has_repeated_key();
    for (path, steps) in steps {
        let own = found.remove(&path).unwrap_or_default();
        assert_eq!(own, Walk::over(&tree, &steps), "path {path}");
        // The values of a repeated key are one array there.
        if !is_repeating {
            assert_eq!(own, Walk::over(&short, &steps), "path {path} in the excerpt");
        }
    }
}

fn shown(value: Option<Scalar<'_>>) -> String {
    value.map_or_else(|| "container".to_owned(), |value| format!("{value:?}"))
}

enum Step {
    Key(String),
    Index(usize),
}

/// The steps of a path that is one.
fn steps_of(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let mut pieces = part.split('[');
        let key = pieces.next().filter(|key| !key.is_empty());
        steps.extend(key.map(|key| Step::Key(key.to_owned())));
        steps.extend(pieces.map(|index| {
            Step::Index(index.trim_end_matches(']').parse().expect("digits and a bracket"))
        }));
    }
    steps
}

/// A document as it is written: a key may stand twice.
enum Tree {
    Null,
    Scalar(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    fn has_repeated_key(&self) -> bool {
        match self {
            Self::Null | Self::Scalar(_) => false,
            Self::Array(members) => members.iter().any(Self::has_repeated_key),
            Self::Object(members) => {
                let keys: BTreeSet<_> = members.iter().map(|(key, _)| key).collect();
                keys.len() < members.len() || members.iter().any(|(_, of)| of.has_repeated_key())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Planter)
    }
}

struct Planter;

impl<'de> Visitor<'de> for Planter {
    type Value = Tree;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(shown(Some(Scalar::Flag(flag)))))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(shown(Some(Scalar::Integer(number)))))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        let small = i64::try_from(number).map(Scalar::Integer);
        Ok(Tree::Scalar(shown(Some(small.unwrap_or(Scalar::Number(number as f64))))))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar(shown(Some(Scalar::Number(number)))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(shown(Some(Scalar::Text(text)))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = array.next_element()? {
            members.push(member);
        }
        Ok(Tree::Array(members))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}

/// Where a path leads, one step after another.
#[derive(Default)]
struct Walk {
    /// Places in the tree, with how many steps are left and whether an index may come: no way is gone
    /// twice.
    gone: BTreeSet<(*const Tree, usize, bool)>,
    /// Values that were found.
    met: BTreeSet<*const Tree>,
    found: Vec<String>,
}

impl Walk {
    fn over(tree: &Tree, steps: &[Step]) -> Vec<String> {
        let mut walk = Self::default();
        walk.go(tree, steps, true);
        walk.found.sort_unstable();
        walk.found
    }

    fn go(&mut self, tree: &Tree, steps: &[Step], is_exact: bool) {
        if !self.gone.insert((std::ptr::from_ref(tree), steps.len(), is_exact)) {
            return;
        }
        let Some((step, rest)) = steps.split_first() else { return self.leaves(tree) };
        match (step, tree) {
            (Step::Key(key), Tree::Object(members)) => {
                for (_, member) in members.iter().filter(|(name, _)| name == key) {
                    self.go(member, rest, true);
                }
            }
            // A key goes on in each member of an array, and as an index.
            (Step::Key(key), Tree::Array(members)) => {
                for (index, member) in members.iter().enumerate() {
                    self.go(member, steps, false);
                    if is_exact && index.to_string() == *key {
                        self.go(member, rest, true);
                    }
                }
            }
            (Step::Index(index), Tree::Array(members)) if is_exact => {
                if let Some(member) = members.get(*index) {
                    self.go(member, rest, true);
                }
            }
            _ => {}
        }
    }

    /// The value, and the members of an array.
    fn leaves(&mut self, tree: &Tree) {
        if !self.met.insert(std::ptr::from_ref(tree)) {
            return;
        }
        match tree {
            Tree::Null => {}
            Tree::Scalar(value) => self.found.push(value.clone()),
            Tree::Object(_) => self.found.push(shown(None)),
            Tree::Array(members) => {
                self.found.push(shown(None));
                for member in members {
                    self.leaves(member);
                }
            }
        }
    }
}
