//! A document without what no path leads to.

use super::Scalar;
use super::paths::Paths;
use super::walk::{Take, walk};

/// Appends to `out` as much of a document as the paths lead to, in its own shape: whoever looks there
/// for one of these paths finds what is in the document. Appends nothing, and returns false, if that
/// is nothing, or it is no JSON.
pub fn excerpt(octets: &[u8], paths: &Paths, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let mut excerpt = Excerpt { out, key: None, skipped: 0, is_any: false };
    let is_whole = walk(octets, paths, &mut Vec::new(), &mut excerpt) && excerpt.is_any;
    if !is_whole {
        out.truncate(start);
    }
    is_whole
}

struct Excerpt<'o> {
    out: &'o mut Vec<u8>,
    /// Where the key stands whose value comes next.
    key: Option<usize>,
    /// Members of an array that are left out, unless others follow whose index would change.
    skipped: usize,
    is_any: bool,
}

impl Excerpt<'_> {
    /// A comma, if something stands before.
    fn part(&mut self) {
        if self.out.last().is_some_and(|last| !b"{[:".contains(last)) {
            self.out.push(b',');
        }
    }

    /// In front of a value.
    fn begin(&mut self) {
        if self.key.take().is_some() {
            return;
        }
        for _ in 0..std::mem::take(&mut self.skipped) {
            self.part();
            self.out.extend_from_slice(b"null");
        }
        self.part();
    }

    fn write(&mut self, value: &impl serde::Serialize) {
        // Into memory, and of plain values: it cannot fail.
        let _ = serde_json::to_writer(&mut *self.out, value);
    }
}

impl Take for Excerpt<'_> {
    fn scalar(&mut self, ends: &mut dyn Iterator<Item = u32>, value: Option<Scalar<'_>>) {
        if ends.next().is_none() {
            match self.key.take() {
                Some(start) => self.out.truncate(start),
                None => self.skipped += 1,
            }
            return;
        }
        self.begin();
        self.is_any |= value.is_some();
        match value {
            None => self.out.extend_from_slice(b"null"),
            Some(Scalar::Flag(flag)) => self.write(&flag),
            Some(Scalar::Integer(number)) => self.write(&number),
            Some(Scalar::Number(number)) => self.write(&number),
            Some(Scalar::Text(text)) => self.write(&text),
        }
    }

    fn open(&mut self, ends: &mut dyn Iterator<Item = u32>, bracket: u8) {
        self.begin();
        self.is_any |= ends.next().is_some();
        self.out.push(bracket);
        self.skipped = 0;
    }

    fn key(&mut self, key: &str) {
        self.key = Some(self.out.len());
        self.part();
        self.write(&key);
        self.out.push(b':');
    }

    fn skip(&mut self) {
        self.skipped += 1;
    }

    fn close(&mut self, bracket: u8) {
        self.skipped = 0;
        self.out.push(bracket);
    }
}
