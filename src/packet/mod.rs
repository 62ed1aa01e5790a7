//! Frames as they were captured, and the packets in them.
//!
//! ```text
//!  frame ── link.rs ──▶ IP header ── ip.rs ──▶ transport header ── transport.rs ──▶ payload
//!           VLAN tags               short path for plain IPv4 and IPv6,
//!              │                    etherparse for everything else
//!              │                              │
//!              └────── tunnel/ ◀──────────────┘ MPLS, GRE, VXLAN …: the same again, with what is in it
//! ```
//!
//! A plain TCP packet is opened before anybody looks for a tunnel. What was around a packet is kept in
//! [`Outer`].

mod checksum;
mod hide;
mod ip;
mod link;
mod outer;
mod table;
mod transport;
mod tunnel;

use std::net::IpAddr;

use ip::Ip;
use link::Behind;

pub use hide::Segment;
pub use outer::{Layer, Outer, tunnel_depth};
pub use transport::{Checksum, Tcp, TcpFlags, Transport};

/// What the first header of a frame is. The values of pcap's `network` field that mean it are in
/// [`LinkType::from_pcap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// Ethernet II.
    Ethernet,
    /// Linux cooked capture, version 1.
    LinuxSll,
    /// Linux cooked capture, version 2.
    LinuxSll2,
    /// IPv4 or IPv6, told apart by the first nibble.
    Raw,
    /// Address family in four octets of the capturing host's byte order (BSD loopback).
    Null,
    /// Address family in four octets of network byte order (OpenBSD loopback).
    Loop,
}

impl LinkType {
    /// Each of them.
    pub const ALL: &[Self] =
        &[Self::Ethernet, Self::LinuxSll, Self::LinuxSll2, Self::Raw, Self::Null, Self::Loop];

    /// The link type with this number in <https://www.tcpdump.org/linktypes.html>; `None` for one
    /// that is not decoded.
    pub const fn from_pcap(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            108 => Self::Loop,
            113 => Self::LinuxSll,
            276 => Self::LinuxSll2,
            _ => return None,
        })
    }
}

/// One frame of a capture.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Position in the capture, from 1; 0 in live capture.
    pub number: u64,
    /// When it was captured.
    pub timestamp: crate::time::Timestamp,
    /// What its first header is.
    pub link: LinkType,
    /// The octets that were captured.
    pub data: &'a [u8],
    /// How many octets it had on the wire.
    pub wire_length: u32,
    /// The interface's name where the capture has it.
    pub interface: Option<&'a str>,
}

impl Frame<'_> {
    /// Whether the capture has only its beginning.
    #[inline]
    pub const fn is_cut(&self) -> bool {
        self.data.len() < self.wire_length as usize
    }
}

/// Identifiers of VLAN tags, outermost first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VlanStack {
    ids: [u16; Self::DEPTH],
    len: u8,
}

impl VlanStack {
    /// How many tags are followed. Carriers stack two; a third is rare, more is an attack.
    const DEPTH: usize = 4;

    fn push(&mut self, id: u16) -> Result<(), Defect> {
        *self.ids.get_mut(usize::from(self.len)).ok_or(Defect::VlanDepth)? = id;
        self.len += 1;
        Ok(())
    }

    /// The identifiers, outermost first.
    #[inline]
    pub fn ids(&self) -> &[u16] {
        self.ids.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The two outermost identifiers, zero where there is none.
    #[inline]
    pub const fn outermost(&self) -> [u16; 2] {
        [self.ids[0], self.ids[1]]
    }
}

/// An IP packet.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// The tags that it was under.
    pub vlan: VlanStack,
    /// Who sent it.
    pub source: IpAddr,
    /// Who is to get it.
    pub destination: IpAddr,
    /// The protocol above IP and its extension headers (IANA's number).
    pub protocol: u8,
    /// How many routers it may still pass: time to live, or hop limit.
    pub ttl: u8,
    /// What is above IP.
    pub transport: Transport<'a>,
}

/// Why a frame gave no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// It carries another protocol than IP.
    NotIp,
    /// It carries something of this name, which is not read.
    Unread(&'static str),
    /// It is a fragment of an IP packet.
    Fragment,
    /// Its octets end within a header: it is damaged so, unless the capture cut it there.
    Short(Defect),
    /// It is damaged.
    Defect(Defect),
}

/// Damage of a packet's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// The frame ends within its link layer header.
    LinkShort,
    /// The frame ends within a VLAN tag.
    VlanShort,
    /// More VLAN tags than are followed.
    VlanDepth,
    /// Neither version 4 nor 6.
    IpVersion,
    /// The frame ends within the IP header, or the header is shorter than it may be.
    IpHeader,
    /// A length in the IP header contradicts the header itself.
    IpLength,
    /// The checksum of the IPv4 header is wrong.
    IpChecksum,
    /// An IPv6 extension header is damaged.
    IpExtension,
    /// The packet ends within the TCP header, or the header is shorter than it may be.
    TcpHeader,
    /// The packet ends within the UDP header, or its length is wrong.
    UdpHeader,
    /// The packet ends within the ICMP header.
    IcmpHeader,
    /// The packet ends within the SCTP header.
    SctpHeader,
    /// More tunnels in one another than are followed.
    TunnelDepth,
    /// The frame ends within a stack of MPLS labels.
    MplsLabel,
    /// A PPPoE session's header has another version or code than there is, or its length is wrong.
    PppoeHeader,
    /// A tunnel ends within the PPP header.
    PppHeader,
    /// The packet ends within the GRE header, or its version is none.
    GreHeader,
    /// A GRE packet brings its own route.
    GreRouting,
    /// The checksum of a GRE packet is wrong.
    GreChecksum,
    /// A mirrored frame ends within the ERSPAN header, or its version is none.
    ErspanHeader,
    /// The datagram ends within the options of Geneve.
    GeneveHeader,
    /// The datagram ends within the GTP-U header, or an extension header has no length.
    GtpHeader,
}

impl Defect {
    /// Each of them.
    pub const ALL: &[Self] = &[
        Self::LinkShort,
        Self::VlanShort,
        Self::VlanDepth,
        Self::IpVersion,
        Self::IpHeader,
        Self::IpLength,
        Self::IpChecksum,
        Self::IpExtension,
        Self::TcpHeader,
        Self::UdpHeader,
        Self::IcmpHeader,
        Self::SctpHeader,
        Self::TunnelDepth,
        Self::MplsLabel,
        Self::PppoeHeader,
        Self::PppHeader,
        Self::GreHeader,
        Self::GreRouting,
        Self::GreChecksum,
        Self::ErspanHeader,
        Self::GeneveHeader,
        Self::GtpHeader,
    ];

    /// The anomaly's name, and the label `reason` of the decode error counter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinkShort => "link_short",
            Self::VlanShort => "vlan_short",
            Self::VlanDepth => "vlan_depth",
            Self::IpVersion => "ip_version",
            Self::IpHeader => "ip_header",
            Self::IpLength => "ip_length",
            Self::IpChecksum => "ip_checksum",
            Self::IpExtension => "ip_extension",
            Self::TcpHeader => "tcp_header",
            Self::UdpHeader => "udp_header",
            Self::IcmpHeader => "icmp_header",
            Self::SctpHeader => "sctp_header",
            Self::TunnelDepth => "tunnel_depth",
            Self::MplsLabel => "mpls_label",
            Self::PppoeHeader => "pppoe_header",
            Self::PppHeader => "ppp_header",
            Self::GreHeader => "gre_header",
            Self::GreRouting => "gre_routing",
            Self::GreChecksum => "gre_checksum",
            Self::ErspanHeader => "erspan_header",
            Self::GeneveHeader => "geneve_header",
            Self::GtpHeader => "gtp_header",
        }
    }
}

impl From<Defect> for Skip {
    fn from(defect: Defect) -> Self {
        Self::Defect(defect)
    }
}

impl<'a> Packet<'a> {
    #[inline(always)]
    fn of(vlan: VlanStack, ip: &Ip<'a>, transport: Transport<'a>) -> Self {
        let Ip { source, destination, protocol, ttl, .. } = *ip;
        Self { vlan, source, destination, protocol, ttl, transport }
    }
}

/// Names of what is [counted and not read](Skip::Unread): reasons that are no damage.
pub const UNREAD: &[&str] = table::NAMES;

/// Takes a frame's headers off: the innermost packet, and what is around it.
#[inline(always)]
pub fn decode_within<'a>(
    link: LinkType,
    frame: &'a [u8],
    outer: &mut Outer,
) -> Result<Packet<'a>, Skip> {
    let (vlan, behind, rest) = link::strip(link, frame)?;
    if let Behind::Other(ethertype) = behind {
        return tunnel::behind_ethertype(ethertype, rest, vlan, outer);
    }
    let ip = ip::decode(rest)?;
    if ip.protocol != ip::TCP {
        return tunnel::above_ip(ip, vlan, outer);
    }
    let transport = transport::decode(&ip)?;
    Ok(Packet::of(vlan, &ip, transport))
}

/// The innermost packet of a frame, of as many tunnels as can be configured.
#[inline(always)]
pub fn decode(link: LinkType, frame: &[u8]) -> Result<Packet<'_>, Skip> {
    decode_within(link, frame, &mut Outer::new(Outer::MOST))
}

#[cfg(test)]
mod tests;
