//! From the first header of a frame to the IP header.

use super::table::TAGS;
use super::{Defect, LinkType, Skip, VlanStack};
use crate::bytes::Cursor;

/// Ethertypes of the short path; the others are in [`table`](super::table).
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// What is behind the link layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// An IP header.
    Ip,
    /// What this ethertype says.
    Other(u16),
}

/// A frame without its link layer: the tags, what is next, and the octets from there on.
pub(super) type Stripped<'a> = (VlanStack, Behind, &'a [u8]);

/// Address families of IPv4 and IPv6 in the loopback header: IPv6 has another number on each BSD.
const FAMILY_IPV4: u32 = 2;
const FAMILY_IPV6: [u32; 4] = [10, 24, 28, 30];

/// Takes the link layer off.
#[inline]
pub(super) fn strip(link: LinkType, frame: &[u8]) -> Result<Stripped<'_>, Skip> {
    let mut cursor = Cursor::new(frame);
    let ethertype = match link {
        LinkType::Ethernet => {
            cursor.take(12).map_err(|_| Skip::Short(Defect::LinkShort))?;
            cursor.u16_be()
        }
        LinkType::LinuxSll => {
            cursor.take(14).map_err(|_| Skip::Short(Defect::LinkShort))?;
            cursor.u16_be()
        }
        LinkType::LinuxSll2 => {
            let protocol = cursor.u16_be();
            cursor.take(18).map_err(|_| Skip::Short(Defect::LinkShort))?;
            protocol
        }
        LinkType::Raw => return Ok((VlanStack::default(), Behind::Ip, frame)),
        LinkType::Null | LinkType::Loop => {
            let family: [u8; 4] = cursor.array().map_err(|_| Skip::Short(Defect::LinkShort))?;
            return loopback(family, cursor.rest());
        }
    };
    tagged(ethertype.map_err(|_| Skip::Short(Defect::LinkShort))?, cursor)
}

#[inline]
fn tagged(mut ethertype: u16, mut cursor: Cursor<'_>) -> Result<Stripped<'_>, Skip> {
    let mut vlan = VlanStack::default();
    while TAGS.contains(&ethertype) {
        let tag = cursor.u16_be().map_err(|_| Skip::Short(Defect::VlanShort))?;
        vlan.push(tag & 0x0fff)?;
        ethertype = cursor.u16_be().map_err(|_| Skip::Short(Defect::VlanShort))?;
    }
    let behind = match ethertype {
        IPV4 | IPV6 => Behind::Ip,
        other => Behind::Other(other),
    };
    Ok((vlan, behind, cursor.rest()))
}

/// The family stands in the byte order of the host that captured, which nobody recorded: no family
/// is over 255, so the order shows.
fn loopback(family: [u8; 4], rest: &[u8]) -> Result<Stripped<'_>, Skip> {
    let family = u32::from_le_bytes(family).min(u32::from_be_bytes(family));
    if family == FAMILY_IPV4 || FAMILY_IPV6.contains(&family) {
        return Ok((VlanStack::default(), Behind::Ip, rest));
    }
    Err(Skip::NotIp)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: &[u8] = &[0x45, 1, 2, 3];

    fn frame(head: &[u8]) -> Vec<u8> {
        [head, IP].concat()
    }

    #[test]
    fn every_link_type_leads_to_the_ip_header() {
        let ethernet = [&[0; 12][..], &[8, 0]].concat();
        let sll = [&[0; 14][..], &[8, 0]].concat();
        let sll2 = [&[0x86, 0xdd][..], &[0; 18]].concat();
        for (link, head) in [
            (LinkType::Ethernet, &ethernet[..]),
            (LinkType::LinuxSll, &sll),
            (LinkType::LinuxSll2, &sll2),
            (LinkType::Raw, &[]),
            (LinkType::Null, &[2, 0, 0, 0]),
            (LinkType::Null, &[0, 0, 0, 30]),
            (LinkType::Loop, &[0, 0, 0, 2]),
        ] {
            let bytes = frame(head);
            let (vlan, behind, rest) = strip(link, &bytes).unwrap();
            assert_eq!((vlan.ids(), behind, rest), (&[][..], Behind::Ip, IP), "{link:?}");
            for short in 0..head.len() {
                assert!(strip(link, &bytes[..short]).is_err(), "{link:?} cut at {short}");
            }
        }
    }

    #[test]
    fn tags_are_stacked_and_more_than_fit_are_refused() {
        let tag = |id: u8| [0x81, 0x00, 0xe0, id];
        let stack = |ids: &[u8]| {
            let mut bytes = vec![0; 12];
            bytes.extend(ids.iter().copied().flat_map(tag));
            bytes.extend([8, 0]);
            frame(&bytes)
        };
        let bytes = stack(&[1, 2, 3, 4]);
        assert_eq!(strip(LinkType::Ethernet, &bytes).unwrap().0.ids(), &[1, 2, 3, 4]);
        let bytes = stack(&[1, 2, 3, 4, 5]);
        assert_eq!(strip(LinkType::Ethernet, &bytes), Err(Defect::VlanDepth.into()));
    }

    #[test]
    fn what_is_no_ip_is_no_defect() {
        let arp = [&[0; 12][..], &[8, 6], &[0; 28]].concat();
        let (_, behind, _) = strip(LinkType::Ethernet, &arp).unwrap();
        assert_eq!(behind, Behind::Other(0x0806));
        let decoded = crate::packet::decode(LinkType::Ethernet, &arp);
        assert_eq!(decoded.unwrap_err(), Skip::NotIp);
    }
}
