//! The page of the documentation, which has the same tables; and no field that none of them has.

use std::fmt::Write as _;
use std::fs;

use super::PROTOCOLS;
use super::differences::{DIFFERENCES, Row};
use super::fields::FIELDS;
use crate::common::file;
use crate::pdml::fields_of;

const PAGE: &str = "docs/iec104-wireshark.md";

/// The last field of the header; the others are those of an object.
const LAST_OF_HEADER: &str = "iec60870_asdu.addr";

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
    let mut place = "iec104";
    for (theirs, ours, _) in FIELDS {
        let (ours, part) = ours.split_once('/').unwrap_or((ours, ""));
        if !ours.is_empty() {
            let part = if part.is_empty() { String::new() } else { format!(", the {part}") };
            writeln!(table, "| `{theirs}` | `{place}.{ours}`{part} |").unwrap();
        }
        if *theirs == LAST_OF_HEADER {
            place = "iec104.objects";
        }
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
    let known = |name: &&String| {
        FIELDS.iter().any(|field| field.0 == **name)
            || DIFFERENCES.iter().any(|row| row.field.contains(&format!("`{name}`")))
    };
    // What Wireshark complains about has our anomalies beside it.
    let is_field = |name: &&String| !name.starts_with("iec104.");
    let unknown: Vec<_> = theirs.iter().filter(is_field).filter(|name| !known(name)).collect();
    assert!(theirs.len() > 80 && unknown.is_empty(), "{unknown:?}");
}
