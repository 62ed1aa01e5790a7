//! The page of the documentation, which has the same tables; and no field that none of them has.

use super::PROTOCOLS;
use super::differences::DIFFERENCES;
use super::fields::FIELDS;
use crate::common::page::Page;
use crate::differences::all_explained;
use crate::pdml::fields_of;

const PAGE: &str = "docs/iec104-wireshark.md";

/// The last field of the header; the others are those of an object.
const LAST_OF_HEADER: &str = "iec60870_asdu.addr";

#[test]
fn the_page_says_where_wireshark_differs() {
    all_explained(PAGE, DIFFERENCES);
}

#[test]
fn the_page_says_which_field_is_which() {
    let mut rows = Vec::new();
    let mut place = "iec104";
    for (theirs, ours, _) in FIELDS {
        let (ours, part) = ours.split_once('/').unwrap_or((ours, ""));
        if !ours.is_empty() {
            let part = if part.is_empty() { String::new() } else { format!(", the {part}") };
            rows.push(vec![format!("`{theirs}`"), format!("`{place}.{ours}`{part}")]);
        }
        if *theirs == LAST_OF_HEADER {
            place = "iec104.objects";
        }
    }
    Page::read(PAGE).has_table(&["Wireshark", "gridtap"], rows);
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
