//! Where Wireshark says another thing than we do: what is listed, what was met, and the page that
//! says why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde_json::Value as Json;

use crate::common::page::Page;

/// One line of the table; `D` names the places where both say different things of the same octets.
pub(crate) struct Row<D> {
    pub(crate) difference: D,
    pub(crate) field: &'static str,
    pub(crate) theirs: &'static str,
    pub(crate) ours: &'static str,
    pub(crate) clause: &'static str,
}

/// What Wireshark says of a message or a part of one, in our fields.
#[derive(Debug)]
pub(crate) struct Told<D> {
    /// Our fields with Wireshark's values.
    pub(crate) fields: BTreeMap<String, Json>,
    /// Where they had to be put right.
    pub(crate) differences: BTreeSet<D>,
    /// Anomalies that there must be.
    pub(crate) demanded: BTreeSet<&'static str>,
    /// What Wireshark complains about, or what has no value with us: an anomaly must say so,
    /// whichever it is.
    pub(crate) complaints: Vec<String>,
}

impl<D> Default for Told<D> {
    fn default() -> Self {
        Self {
            fields: BTreeMap::new(),
            differences: BTreeSet::new(),
            demanded: BTreeSet::new(),
            complaints: Vec::new(),
        }
    }
}

impl<D> Told<D> {
    pub(crate) fn demand(&mut self, anomaly: &'static str, wrong: bool) {
        self.demanded.extend(wrong.then_some(anomaly));
    }
}

/// Fails unless each that is listed was met, and no other.
pub(crate) fn all_met<D: Copy + Debug + Ord>(met: &BTreeSet<D>, listed: &[Row<D>]) {
    let listed: BTreeSet<_> = listed.iter().map(|row| row.difference).collect();
    assert_eq!(*met, listed, "differences that were met, and those that are listed");
}

/// Fails unless the page has the table of those that are listed.
pub(crate) fn all_explained<D>(page: &'static str, listed: &[Row<D>]) {
    let rows = listed.iter().map(|row| {
        let Row { field, theirs, ours, clause, .. } = row;
        [field, theirs, ours, clause].map(|cell| (*cell).to_owned()).to_vec()
    });
    let head = ["Wireshark's field", "Wireshark shows", "gridtap says", "why"];
    Page::read(page).has_table(&head, rows);
}
