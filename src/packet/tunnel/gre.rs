//! GRE, and ERSPAN in it.

use super::super::checksum::{fold, sum};
use super::super::outer::{Layer, Layers};
use super::super::table::{ETHERTYPES, GRE_TYPES, Header, Leads, lookup};
use super::{Defect, Octets, Opened, Stop, follow};
use crate::bytes::{Cursor, Short};

/// The first two octets of GRE (RFC 2784, 2.1; RFC 2890, 2).
mod flag {
    pub(super) const CHECKSUM: u16 = 0x8000;
    pub(super) const ROUTING: u16 = 0x4000;
    pub(super) const KEY: u16 = 0x2000;
    pub(super) const SEQUENCE: u16 = 0x1000;
    pub(super) const VERSION: u16 = 0x0007;
}

/// RFC 2784, 2; RFC 2890, 2:
///
/// ```text
///  0       2          4          6          8     12
/// | flags | protocol | checksum | reserved | key | sequence |
///                    '--- C of flags -----' '-K-' '---S----'
/// ```
///
/// A source route (RFC 1701) is deprecated, and a way to reach where one should not: refused, as
/// hosts do (RFC 2784, 2.3).
pub(super) fn open<'a>(octets: Octets<'a>, layers: &mut Layers) -> Opened<'a> {
    let mut cursor = Cursor::new(octets.bytes);
    let short = |_: Short| octets.short(Defect::GreHeader);
    let flags = cursor.u16_be().map_err(short)?;
    let protocol = cursor.u16_be().map_err(short)?;
    match flags & flag::VERSION {
        0 => {}
        1 => return Err(Stop::Unread("pptp")),
        _ => return Err(Defect::GreHeader.into()),
    }
    if flags & flag::ROUTING != 0 {
        return Err(Defect::GreRouting.into());
    }
    if flags & flag::CHECKSUM != 0 {
        cursor.take(4).map_err(short)?;
        if !octets.cut && fold(sum(octets.bytes)) != 0xffff {
            return Err(Defect::GreChecksum.into());
        }
    }
    let key = match flags & flag::KEY {
        0 => None,
        _ => Some(u32::from_be_bytes(cursor.array().map_err(short)?)),
    };
    let sequence = flags & flag::SEQUENCE != 0;
    if sequence {
        cursor.take(4).map_err(short)?;
    }
    let leads = lookup(ETHERTYPES, protocol).or_else(|| lookup(GRE_TYPES, protocol));
    let leads = match leads {
        Some(Leads::To(Header::Erspan { .. })) => Some(Leads::To(Header::Erspan { sequence })),
        leads => leads,
    };
    let opened = follow(leads, octets.behind(&cursor))?;
    layers.deepen()?;
    layers.push(Layer::Gre { key })?;
    Ok(opened)
}

/// A frame that a switch mirrored. Type I has no header; type II (draft-foschiano-erspan, 4.2):
///
/// ```text
///  0         2                        4                 8
/// | version | class, encapsulation,  | reserved, index |
/// |  VLAN   | truncated, session     |                 |
/// ```
pub(super) fn mirrored<'a>(sequence: bool, octets: Octets<'a>, layers: &mut Layers) -> Opened<'a> {
    if !sequence {
        layers.push(Layer::Erspan { session: None })?;
        return Ok((Header::Ethernet, octets));
    }
    let mut cursor = Cursor::new(octets.bytes);
    let short = |_: Short| octets.short(Defect::ErspanHeader);
    let version = cursor.u16_be().map_err(short)? >> 12;
    let session = cursor.u16_be().map_err(short)?;
    cursor.take(4).map_err(short)?;
    match version {
        1 => {}
        2 => return Err(Stop::Unread("erspan_3")),
        _ => return Err(Defect::ErspanHeader.into()),
    }
    layers.push(Layer::Erspan { session: Some(session & 0x03ff) })?;
    // The switch says so where it sent only the beginning of a frame.
    let truncated = session & 0x0400 != 0;
    let rest = octets.behind(&cursor);
    Ok((Header::Ethernet, Octets { cut: rest.cut || truncated, ..rest }))
}
