//! The page of the documentation, which has the same tables; and no field that none of them has.

use super::PROTOCOLS;
use super::differences::DIFFERENCES;
use super::fields::FIELDS;
use crate::common::page::Page;
use crate::differences::all_explained;
use crate::pdml::fields_of;

const PAGE: &str = "docs/mqtt-wireshark.md";

#[test]
fn the_page_says_where_wireshark_differs() {
    all_explained(PAGE, DIFFERENCES);
}

#[test]
fn the_page_says_which_field_is_which() {
    let rows = FIELDS.iter().filter(|field| !field.1.is_empty()).map(|(theirs, ours, _)| {
        let ours: Vec<_> = ours.split("`, `").map(|name| format!("`mqtt.{name}`")).collect();
        vec![format!("`{theirs}`"), ours.join(", ")]
    });
    Page::read(PAGE).has_table(&["Wireshark", "gridtap"], rows);
}

/// Also those that no capture shows.
#[test]
fn no_field_of_wireshark_is_left_out() {
    let Some(theirs) = fields_of(PROTOCOLS) else { return };
    let is_known = |name: &&String| FIELDS.iter().any(|field| field.0 == **name);
    let unknown: Vec<_> = theirs.iter().filter(|name| !is_known(name)).collect();
    assert!(theirs.len() > 70 && unknown.is_empty(), "{unknown:?}");
}
