//! Numbers that lead from one header to the next, as data.

/// A header that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// Ethernet, with tags.
    Ethernet,
    /// IPv4 or IPv6, told apart by the first nibble.
    Ip,
    /// The same directly above IP.
    IpInIp,
    /// A stack of MPLS labels.
    Mpls,
    /// A PPPoE session.
    Pppoe,
    /// PPP.
    Ppp,
    /// GRE.
    Gre,
    /// ERSPAN behind a GRE header with sequence number, which makes it type II, or without: type I.
    Erspan {
        /// Whether there is one.
        sequence: bool,
    },
    /// L2TP over UDP.
    L2tp,
    /// VXLAN.
    Vxlan,
    /// Geneve.
    Geneve,
    /// GTP-U.
    Gtp,
    /// IPv6 for hosts behind IPv4 address translation.
    Teredo,
    /// An IPsec authentication header.
    Ah,
}

/// Where a number leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    /// To a header that is read.
    To(Header),
    /// To something that is named and counted.
    Unread(&'static str),
}

/// Ethertypes besides those of tags; <https://www.iana.org/assignments/ieee-802-numbers>.
pub(super) const ETHERTYPES: &[(u16, Leads)] = &[
    (0x0800, Leads::To(Header::Ip)),
    (0x86dd, Leads::To(Header::Ip)),
    // Unicast; upstream-assigned labels (RFC 5332).
    (0x8847, Leads::To(Header::Mpls)),
    (0x8848, Leads::To(Header::Mpls)),
    (0x8864, Leads::To(Header::Pppoe)),
    (0x88e5, Leads::Unread("macsec")),
];

/// 802.1Q, 802.1ad, and the number that was used for stacked tags before 802.1ad.
pub(super) const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// Those that only stand in GRE and Geneve, besides ethertypes.
pub(super) const GRE_TYPES: &[(u16, Leads)] = &[
    // Transparent Ethernet bridging; NVGRE (RFC 7637) too, which is the same on the wire.
    (0x6558, Leads::To(Header::Ethernet)),
    (0x880b, Leads::To(Header::Ppp)),
    (0x88be, Leads::To(Header::Erspan { sequence: false })),
    (0x22eb, Leads::Unread("erspan_3")),
];

/// Protocols above IP; <https://www.iana.org/assignments/protocol-numbers>.
pub(super) const PROTOCOLS: &[(u8, Leads)] = &[
    (4, Leads::To(Header::IpInIp)),
    (41, Leads::To(Header::IpInIp)),
    (47, Leads::To(Header::Gre)),
    (50, Leads::Unread("esp")),
    (51, Leads::To(Header::Ah)),
    (115, Leads::Unread("l2tp_v3")),
    (137, Leads::To(Header::Mpls)),
];

/// UDP ports of either end; <https://www.iana.org/assignments/service-names-port-numbers>. A port is
/// a hint: what follows must look like it.
pub(super) const PORTS: &[(u16, Header)] = &[
    (1701, Header::L2tp),
    (2152, Header::Gtp),
    (3544, Header::Teredo),
    (4789, Header::Vxlan),
    (6081, Header::Geneve),
];

/// PPP protocols; <https://www.iana.org/assignments/ppp-numbers>.
pub(super) const PPP_PROTOCOLS: &[(u16, Leads)] = &[
    (0x0021, Leads::To(Header::Ip)),
    (0x0057, Leads::To(Header::Ip)),
    (0x0281, Leads::To(Header::Mpls)),
    (0x0283, Leads::To(Header::Mpls)),
    // TCP with its headers compressed (RFC 1144), which is another packet than it looks like.
    (0x002d, Leads::Unread("ppp_compressed")),
    (0x002f, Leads::Unread("ppp_compressed")),
    // Compressed or encrypted as a whole (RFC 1962), several links together (RFC 1990).
    (0x00fd, Leads::Unread("ppp_compressed")),
    (0x003d, Leads::Unread("ppp_multilink")),
];

/// Names of what is counted and not read: reasons of the decode error counter that are no damage.
pub(super) const NAMES: &[&str] =
    &["erspan_3", "esp", "l2tp_v3", "macsec", "ppp_compressed", "ppp_multilink", "pptp", "teredo"];

/// Where a number leads by a table.
pub(super) fn lookup<N: PartialEq + Copy, L: Copy>(table: &[(N, L)], number: N) -> Option<L> {
    table.iter().find(|(known, _)| *known == number).map(|(_, leads)| *leads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_listed_by_name() {
        let of = |table: &[(u16, Leads)]| table.iter().map(|(_, leads)| *leads).collect::<Vec<_>>();
        let protocols = PROTOCOLS.iter().map(|(_, leads)| *leads).collect();
        for leads in [of(ETHERTYPES), of(GRE_TYPES), of(PPP_PROTOCOLS), protocols].concat() {
            if let Leads::Unread(name) = leads {
                assert!(NAMES.contains(&name), "{name}");
            }
        }
    }
}
