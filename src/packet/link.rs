//! From the first header of a frame to the IP header.

use super::{Defect, LinkType, Skip, VlanStack};
use crate::bytes::Cursor;

/// Ethertypes that lead on; <https://www.iana.org/assignments/ieee-802-numbers>.
mod ethertype {
    pub(super) const IPV4: u16 = 0x0800;
    pub(super) const IPV6: u16 = 0x86dd;
    /// 802.1Q, 802.1ad, and the number that was used for stacked tags before 802.1ad.
    pub(super) const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
}

/// Address families of IPv4 and IPv6 in the loopback header: IPv6 has another number on each BSD.
const FAMILY_IPV4: u32 = 2;
const FAMILY_IPV6: [u32; 4] = [10, 24, 28, 30];

/// Takes the link layer off: VLAN tags and the octets from the IP header on.
#[inline]
pub(super) fn strip(link: LinkType, frame: &[u8]) -> Result<(VlanStack, &[u8]), Skip> {
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
        LinkType::Raw => return Ok((VlanStack::default(), frame)),
        LinkType::Null | LinkType::Loop => {
            let family: [u8; 4] = cursor.array().map_err(|_| Skip::Short(Defect::LinkShort))?;
            return loopback(family, cursor.rest());
        }
    };
    tagged(ethertype.map_err(|_| Skip::Short(Defect::LinkShort))?, cursor)
}

#[inline]
fn tagged(mut ethertype: u16, mut cursor: Cursor<'_>) -> Result<(VlanStack, &[u8]), Skip> {
    let mut vlan = VlanStack::default();
    while ethertype::VLAN.contains(&ethertype) {
        let tag = cursor.u16_be().map_err(|_| Skip::Short(Defect::VlanShort))?;
        vlan.push(tag & 0x0fff)?;
        ethertype = cursor.u16_be().map_err(|_| Skip::Short(Defect::VlanShort))?;
    }
    match ethertype {
        ethertype::IPV4 | ethertype::IPV6 => Ok((vlan, cursor.rest())),
        _ => Err(Skip::NotIp),
    }
}

/// The family stands in the byte order of the host that captured, which nobody recorded: no family
/// is over 255, so the order shows.
fn loopback(family: [u8; 4], rest: &[u8]) -> Result<(VlanStack, &[u8]), Skip> {
    let family = u32::from_le_bytes(family).min(u32::from_be_bytes(family));
    if family == FAMILY_IPV4 || FAMILY_IPV6.contains(&family) {
        return Ok((VlanStack::default(), rest));
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
            let (vlan, rest) = strip(link, &bytes).unwrap();
            assert_eq!((vlan.ids(), rest), (&[][..], IP), "{link:?}");
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
        assert_eq!(strip(LinkType::Ethernet, &arp), Err(Skip::NotIp));
    }
}
