//! Tunnels over UDP. Nobody is bound to the ports, so a header must look like one before anything in
//! it is called damaged: what looks otherwise is plain UDP.

use super::super::outer::{Layer, Layers};
use super::super::table::{ETHERTYPES, GRE_TYPES, Header, PPP_PROTOCOLS, lookup};
use super::likely;
use super::{Defect, Octets, Opened, Stop, follow};
use crate::bytes::{Cursor, Short};

/// What is too short for a header is none.
const fn nothing(_: Short) -> Stop {
    Stop::Nothing
}

/// RFC 7348, 5:
///
/// ```text
///  0       1          4     7
/// | flags | reserved | VNI | reserved |
/// ```
///
/// A group policy takes some of what is reserved (draft-smith-vxlan-group-policy, 2.1), and receivers
/// ignore the rest. The less a header says of itself, the more what is behind it must.
pub(super) fn vxlan<'a>(octets: Octets<'a>, layers: &mut Layers) -> Opened<'a> {
    const VNI: u8 = 0x08;
    const GROUP_POLICY: u8 = 0x80;
    /// Of the second octet, those bits that no policy uses.
    const NO_POLICY: u8 = 0xb7;
    let mut cursor = Cursor::new(octets.bytes);
    let [flags, policy, group @ ..] = cursor.array::<4>().map_err(nothing)?;
    let network = u32::from_be_bytes(cursor.array().map_err(nothing)?);
    let rest = octets.behind(&cursor);
    let is_likely = match (flags, policy, group, network & 0xff) {
        (VNI, 0, [0, 0], 0) => true,
        (flags, policy, _, 0) if flags == VNI | GROUP_POLICY && policy & NO_POLICY == 0 => {
            likely::is_ethernet(rest.bytes)
        }
        (flags, ..) => flags & VNI != 0 && likely::is_surely_ethernet(rest.bytes),
    };
    if !is_likely {
        return Err(Stop::Nothing);
    }
    layers.deepen()?;
    layers.push(Layer::Vxlan { vni: network >> 8 })?;
    Ok((Header::Ethernet, rest))
}

/// RFC 8926, 3.4, with options in words of four octets:
///
/// ```text
///  0                  1               2      4     7          8
/// | version, options | O, C, reserve | type | VNI | reserved | options …
/// ```
pub(super) fn geneve<'a>(octets: Octets<'a>, layers: &mut Layers) -> Opened<'a> {
    let mut cursor = Cursor::new(octets.bytes);
    let [first, second] = cursor.array().map_err(nothing)?;
    let protocol = cursor.u16_be().map_err(nothing)?;
    let network = u32::from_be_bytes(cursor.array().map_err(nothing)?);
    let leads = lookup(ETHERTYPES, protocol).or_else(|| lookup(GRE_TYPES, protocol));
    // Version 0; O is for the tunnel's own messages, C says that an option must be understood.
    if first & 0xc0 != 0 || second & 0x3f != 0 || network & 0xff != 0 || leads.is_none() {
        return Err(Stop::Nothing);
    }
    let options = usize::from(first & 0x3f) * 4;
    cursor.take(options).map_err(|_| octets.short(Defect::GeneveHeader))?;
    let opened = follow(leads, octets.behind(&cursor))?;
    layers.deepen()?;
    layers.push(Layer::Geneve { vni: network >> 8 })?;
    Ok(opened)
}

/// A user's packet in GTP-U (3GPP TS 29.281, 5.1 and 5.2):
///
/// ```text
///  0       1      2        4      8          10      11     12
/// | flags | type | length | TEID | sequence | N-PDU | next | extension headers …
///                                '-- if E, S or PN is set --'
/// ```
pub(super) fn gtp<'a>(octets: Octets<'a>, layers: &mut Layers) -> Opened<'a> {
    /// Version 1, no GTP', and the bit between the flags is zero.
    const VERSION: u8 = 0x30;
    /// E, S and PN: extension headers, a sequence number, an N-PDU number.
    const OPTIONS: u8 = 0x07;
    const EXTENSIONS: u8 = 0x04;
    const USER_PACKET: u8 = 255;
    let mut cursor = Cursor::new(octets.bytes);
    let [flags, kind] = cursor.array().map_err(nothing)?;
    let length = usize::from(cursor.u16_be().map_err(nothing)?);
    let teid = u32::from_be_bytes(cursor.array().map_err(nothing)?);
    let fits = if octets.cut { cursor.left() <= length } else { cursor.left() == length };
    if flags & !OPTIONS != VERSION || kind != USER_PACKET || !fits {
        return Err(Stop::Nothing);
    }
    let short = |_: Short| octets.short(Defect::GtpHeader);
    if flags & OPTIONS != 0 {
        let [_, _, _, next] = cursor.array().map_err(short)?;
        let mut next = if flags & EXTENSIONS != 0 { next } else { 0 };
        while next != 0 {
            next = extension(&mut cursor, octets)?;
        }
    }
    let rest = octets.behind(&cursor);
    // A packet data session has IP or Ethernet in it; the header does not tell.
    let header = likely::either(rest.bytes).ok_or(Stop::Nothing)?;
    layers.deepen()?;
    layers.push(Layer::Gtp { teid })?;
    Ok((header, rest))
}

/// 3GPP TS 29.281, 5.2.1: a length in words of four octets, of which the last octet is the next type.
fn extension(cursor: &mut Cursor<'_>, octets: Octets<'_>) -> Result<u8, Stop> {
    let short = |_: Short| octets.short(Defect::GtpHeader);
    let words = usize::from(cursor.u8().map_err(short)?);
    let length = (words * 4).checked_sub(1).ok_or(Stop::from(Defect::GtpHeader))?;
    let rest = cursor.take(length).map_err(short)?;
    Ok(rest.last().copied().unwrap_or(0))
}

/// RFC 2661, 3.1, a message that carries data:
///
/// ```text
///  0                2        4        6         8    10   12
/// | flags, version | length | tunnel | session | Ns | Nr | offset, padding | PPP …
///                  '-- L --'                   '-- S ---' '------ O ------'
/// ```
pub(super) fn l2tp<'a>(octets: Octets<'a>, layers: &mut Layers) -> Opened<'a> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    const PRIORITY: u16 = 0x0100;
    let mut cursor = Cursor::new(octets.bytes);
    let flags = cursor.u16_be().map_err(nothing)?;
    match flags & !(LENGTH | SEQUENCE | OFFSET | PRIORITY) {
        2 => {}
        // RFC 3931, 4.1.2.1: version 3, two octets reserved, then a session of its own.
        3 if flags == 3 && cursor.u16_be() == Ok(0) => return Err(Stop::Unread("l2tp_v3")),
        _ => return Err(Stop::Nothing),
    }
    debug_assert_eq!(flags & CONTROL, 0);
    if flags & LENGTH != 0 {
        let length = usize::from(cursor.u16_be().map_err(nothing)?);
        let left = octets.bytes.len();
        if if octets.cut { left > length } else { left != length } {
            return Err(Stop::Nothing);
        }
    }
    let tunnel = cursor.u16_be().map_err(nothing)?;
    let session = cursor.u16_be().map_err(nothing)?;
    if flags & SEQUENCE != 0 {
        cursor.take(4).map_err(nothing)?;
    }
    if flags & OFFSET != 0 {
        let padding = usize::from(cursor.u16_be().map_err(nothing)?);
        cursor.take(padding).map_err(nothing)?;
    }
    let rest = octets.behind(&cursor);
    if !is_ppp(rest.bytes) {
        return Err(Stop::Nothing);
    }
    layers.deepen()?;
    layers.push(Layer::L2tp { tunnel, session })?;
    Ok((Header::Ppp, rest))
}

/// Whether PPP leads to something here that is known, and where that is IP, it looks like it.
fn is_ppp(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes);
    let (protocol, rest) = match bytes {
        [first, rest @ ..] if first & 1 == 1 => (u16::from(*first), rest),
        [first, second, rest @ ..] => (u16::from_be_bytes([*first, *second]), rest),
        _ => return false,
    };
    match lookup(PPP_PROTOCOLS, protocol) {
        Some(super::Leads::To(Header::Ip)) => likely::is_ip(rest),
        leads => leads.is_some(),
    }
}

/// RFC 4380, 5.1.1 and 5.2.1: IPv6, behind an authentication and an origin or without.
pub(super) fn teredo(octets: Octets<'_>) -> Opened<'_> {
    let mut cursor = Cursor::new(octets.bytes);
    if cursor.rest().starts_with(&[0, 1]) {
        let [_, _, client, secret] = cursor.array().map_err(nothing)?;
        cursor.take(usize::from(client) + usize::from(secret) + 9).map_err(nothing)?;
    }
    if cursor.rest().starts_with(&[0, 0]) {
        cursor.take(8).map_err(nothing)?;
    }
    let is_ipv6 = cursor.rest().first().is_some_and(|first| first >> 4 == 6);
    if is_ipv6 && likely::is_ip(cursor.rest()) {
        return Err(Stop::Unread("teredo"));
    }
    Err(Stop::Nothing)
}
