//! PPP, and its sessions over Ethernet.

use super::super::outer::{Layer, Layers};
use super::super::table::{Header, PPP_PROTOCOLS, lookup};
use super::{Defect, Octets, Opened, follow};
use crate::bytes::{Cursor, Short};

/// Address and control field of PPP in HDLC (RFC 1662, 3.1).
const ALL_STATIONS: [u8; 2] = [0xff, 0x03];

/// RFC 2516, 4: version 1, type 1, code 0; what is behind the length is padding.
///
/// ```text
///  0               1      2         4        6
/// | version, type | code | session | length | PPP …
/// ```
pub(super) fn session<'a>(octets: Octets<'a>, layers: &mut Layers) -> Opened<'a> {
    let mut cursor = Cursor::new(octets.bytes);
    let short = |_: Short| octets.short(Defect::PppoeHeader);
    let kind = cursor.u16_be().map_err(short)?;
    let session = cursor.u16_be().map_err(short)?;
    let length = usize::from(cursor.u16_be().map_err(short)?);
    if kind != 0x1100 {
        return Err(Defect::PppoeHeader.into());
    }
    let rest = octets.behind(&cursor).bytes;
    let Some(bytes) = rest.get(..length) else {
        let short = if octets.cut { rest } else { return Err(Defect::PppoeHeader.into()) };
        return into_ppp(session, Octets { bytes: short, cut: true }, layers);
    };
    into_ppp(session, Octets { bytes, cut: false }, layers)
}

fn into_ppp<'a>(session: u16, octets: Octets<'a>, layers: &mut Layers) -> Opened<'a> {
    layers.deepen()?;
    layers.push(Layer::Pppoe { session })?;
    Ok((Header::Ppp, octets))
}

/// RFC 1661, 2: a protocol, of one octet if that is odd, as no first octet of two is. Address and
/// control may stand before it (RFC 1662, 3.1); no protocol begins with their octets.
pub(super) fn to_point<'a>(octets: Octets<'a>, layers: &mut Layers) -> Opened<'a> {
    let start = if octets.bytes.starts_with(&ALL_STATIONS) { ALL_STATIONS.len() } else { 0 };
    let mut cursor = Cursor::new(octets.bytes.get(start..).unwrap_or_default());
    let short = |_: Short| octets.short(Defect::PppHeader);
    let first = cursor.u8().map_err(short)?;
    let protocol = match first & 1 {
        1 => u16::from(first),
        _ => u16::from(first) << 8 | u16::from(cursor.u8().map_err(short)?),
    };
    let opened = follow(lookup(PPP_PROTOCOLS, protocol), octets.behind(&cursor))?;
    layers.push(Layer::Ppp)?;
    Ok(opened)
}
