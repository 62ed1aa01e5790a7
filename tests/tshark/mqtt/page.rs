//! The page of the documentation, which has the same tables; and no field that none of them has.

use std::fmt::Write as _;
use std::fs;

use super::PROTOCOLS;
use super::differences::{DIFFERENCES, Row};
use super::fields::FIELDS;
use crate::common::file;
use crate::pdml::fields_of;

const PAGE: &str = "docs/mqtt-wireshark.md";

#[test]
fn the_page_says_where_wireshark_differs() {
    let mut table = String::from(
        "| Wireshark's field | Wireshark shows | gridtap says | why |\n|---|---|---|---|\n",
    );
    for Row { field, theirs, ours, clause, .. } in DIFFERENCES {
        writeln!(table, "| {field} | {theirs} | {ours} | {clause} |").unwrap();
    }
    has(&table);
}

#[test]
fn the_page_says_which_field_is_which() {
    let mut table = String::from("| Wireshark | gridtap |\n|---|---|\n");
    for (theirs, ours, _) in FIELDS.iter().filter(|field| !field.1.is_empty()) {
        let ours: Vec<_> = ours.split("`, `").map(|name| format!("`mqtt.{name}`")).collect();
        writeln!(table, "| `{theirs}` | {} |", ours.join(", ")).unwrap();
    }
    has(&table);
}

fn has(table: &str) {
    let page = fs::read_to_string(file(PAGE)).unwrap();
    assert!(page.contains(table), "{PAGE} has another table than this:\n{table}");
}

/// Also those that no capture shows.
#[test]
fn no_field_of_wireshark_is_left_out() {
    let Some(theirs) = fields_of(PROTOCOLS) else { return };
    let is_known = |name: &&String| FIELDS.iter().any(|field| field.0 == **name);
    let unknown: Vec<_> = theirs.iter().filter(|name| !is_known(name)).collect();
    assert!(theirs.len() > 70 && unknown.is_empty(), "{unknown:?}");
}
