//! MPLS.

use super::super::outer::{Layer, Layers};
use super::likely;
use super::{Defect, Octets, Opened, Stop};
use crate::bytes::Cursor;

/// RFC 3032, 2.1: labels up to the one with the bottom bit, then something that only the routers that
/// agreed on the label know.
///
/// ```text
///  0       20         23       24    32
/// | label | class    | bottom | TTL |
/// ```
pub(super) fn stack<'a>(octets: Octets<'a>, layers: &mut Layers) -> Opened<'a> {
    let mut cursor = Cursor::new(octets.bytes);
    layers.deepen()?;
    loop {
        let entry = cursor.array().map_err(|_| octets.short(Defect::MplsLabel))?;
        let entry = u32::from_be_bytes(entry);
        layers.push(Layer::Mpls { label: entry >> 12 })?;
        if entry & 0x100 != 0 {
            break;
        }
    }
    let rest = octets.behind(&cursor);
    let (header, start) = likely::pseudowire(rest.bytes).ok_or(Stop::Nothing)?;
    Ok((header, Octets { bytes: rest.bytes.get(start..).unwrap_or_default(), ..rest }))
}
