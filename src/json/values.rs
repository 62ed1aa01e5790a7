//! What paths lead to.

use std::ops::Range;

use super::Scalar;
use super::paths::Paths;
use super::walk::{Memory, Take, walk};

/// The values that were found in a document. Kept between documents so that nothing is allocated.
#[derive(Debug, Clone, Default)]
pub struct Values {
    memory: Memory,
    found: Found,
}

#[derive(Debug, Clone, Default)]
struct Found {
    /// In the order of the document, each with the number of its path.
    values: Vec<(u32, Kept)>,
    texts: String,
}

#[derive(Debug, Clone)]
enum Kept {
    Flag(bool),
    Integer(i64),
    Number(f64),
    Text(Range<usize>),
    /// An object or an array.
    Container,
}

impl Values {
    /// Reads a document. Of one that is no JSON nothing is found.
    pub fn read(&mut self, octets: &[u8], paths: &Paths) {
        let Self { memory, found } = self;
        found.values.clear();
        found.texts.clear();
        if !walk(octets, paths, memory, found) {
            found.values.clear();
        }
    }

    /// Shows each value with the number of its path. An object is `None`, and so is an array, before
    /// its members. Null is nothing.
    pub fn each<'v>(&'v self, mut show: impl FnMut(usize, Option<Scalar<'v>>)) {
        let Found { values, texts } = &self.found;
        for (path, value) in values {
            let value = match value {
                Kept::Flag(flag) => Some(Scalar::Flag(*flag)),
                Kept::Integer(number) => Some(Scalar::Integer(*number)),
                Kept::Number(number) => Some(Scalar::Number(*number)),
                Kept::Text(range) => texts.get(range.clone()).map(Scalar::Text),
                Kept::Container => None,
            };
            show(*path as usize, value);
        }
    }

    /// The value, if there is one only, and it is neither an object nor an array.
    pub fn only(&self) -> Option<Scalar<'_>> {
        let (mut only, mut count) = (None, 0);
        self.each(|_, value| (only, count) = (value, count + 1));
        only.filter(|_| count == 1)
    }
}

impl Take for Found {
    fn scalar(&mut self, ends: &mut dyn Iterator<Item = u32>, value: Option<Scalar<'_>>) {
        let Some(value) = value else { return };
        let mut kept = None;
        for path in ends {
            let kept = kept.get_or_insert_with(|| match value {
                Scalar::Flag(flag) => Kept::Flag(flag),
                Scalar::Integer(number) => Kept::Integer(number),
                Scalar::Number(number) => Kept::Number(number),
                Scalar::Text(text) => {
                    let start = self.texts.len();
                    self.texts.push_str(text);
                    Kept::Text(start..self.texts.len())
                }
            });
            self.values.push((path, kept.clone()));
        }
    }

    fn open(&mut self, ends: &mut dyn Iterator<Item = u32>, _: u8) {
        self.values.extend(ends.map(|path| (path, Kept::Container)));
    }

    fn key(&mut self, _: &str) {}

    fn skip(&mut self) {}

    fn close(&mut self, _: u8) {}
}
