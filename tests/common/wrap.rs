//! Frames wrapped in the encapsulations of carriers, octet by octet as the standards draw them, apart
//! from what reads them.

use super::OwnedFrame;
use gridtap::packet::LinkType;

/// What an encapsulation can have in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// Ethernet frames.
    Ethernet,
    /// IPv4 and IPv6 packets.
    Ip,
}

/// What stands below its header.
enum Below {
    /// It is a frame.
    Frame,
    /// Ethernet with this type.
    Ethertype(u16),
    /// IP with this protocol.
    Protocol(u8),
    /// UDP to this port.
    Port(u16),
}

/// An encapsulation.
pub struct Wrapping {
    pub name: &'static str,
    pub carries: Carries,
    /// Whether there is an IP header around it.
    pub over_ip: bool,
    /// How many tunnels it counts for.
    pub depth: u64,
    /// Its name in `frame.protocols` of tshark, which reads it.
    pub tshark: Option<&'static str>,
    /// The header and what is in it, from a frame. The second argument is 0 for one direction and 1
    /// for the other, in which numbers differ.
    build: fn(&[u8], u32) -> (Below, Vec<u8>),
}

/// The ends of the tunnels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V4,
    V6,
}

pub const VERSIONS: [Version; 2] = [Version::V4, Version::V6];

fn ethertype(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[12], frame[13]])
}

/// What is behind the header of Ethernet.
fn network(frame: &[u8]) -> &[u8] {
    &frame[14..]
}

fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// IEEE 802.1Q, 9.6: a tag between the addresses and the type.
fn tagged(frame: &[u8], kind: u16, id: u16) -> Vec<u8> {
    let tag = [kind.to_be_bytes(), (0x6000 | id).to_be_bytes()].concat();
    cat(&[&frame[..12], &tag, &frame[12..]])
}

/// RFC 3032, 2.1.
fn label(label: u32, is_last: bool) -> [u8; 4] {
    (label << 12 | u32::from(is_last) << 8 | 64).to_be_bytes()
}

fn is_v4(frame: &[u8]) -> bool {
    ethertype(frame) == 0x0800
}

/// RFC 1661, 2.
fn ppp(frame: &[u8]) -> Vec<u8> {
    let protocol: u16 = if is_v4(frame) { 0x0021 } else { 0x0057 };
    cat(&[&protocol.to_be_bytes(), network(frame)])
}

/// RFC 1071, over octets of an even number.
fn checksum(octets: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u32 = octets.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn ip_number(frame: &[u8]) -> u8 {
    if is_v4(frame) { 4 } else { 41 }
}

/// Every encapsulation that is read, and its forms.
pub const ALL: &[Wrapping] = &[
    Wrapping {
        name: "802.1Q",
        carries: Carries::Ethernet,
        over_ip: false,
        depth: 0,
        tshark: Some("vlan"),
        build: |frame, _| (Below::Frame, tagged(frame, 0x8100, 100)),
    },
    Wrapping {
        name: "802.1ad",
        carries: Carries::Ethernet,
        over_ip: false,
        depth: 0,
        tshark: Some("ieee8021ad"),
        build: |frame, _| (Below::Frame, tagged(&tagged(frame, 0x8100, 7), 0x88a8, 300)),
    },
    Wrapping {
        name: "MPLS, IP",
        carries: Carries::Ip,
        over_ip: false,
        depth: 1,
        tshark: Some("mpls"),
        build: |frame, way| {
            let labels = [label(16_000 + way, false), label(24_000 + way, true)].concat();
            (Below::Ethertype(0x8847), cat(&[&labels, network(frame)]))
        },
    },
    Wrapping {
        name: "MPLS, Ethernet",
        carries: Carries::Ethernet,
        over_ip: false,
        depth: 1,
        tshark: None,
        build: |frame, way| (Below::Ethertype(0x8847), cat(&[&label(30_000 + way, true), frame])),
    },
    Wrapping {
        name: "MPLS, control word, Ethernet",
        carries: Carries::Ethernet,
        over_ip: false,
        depth: 1,
        tshark: Some("pwethcw"),
        build: |frame, way| {
            (Below::Ethertype(0x8847), cat(&[&label(31_000 + way, true), &[0, 0, 0, 9], frame]))
        },
    },
    Wrapping {
        name: "MPLS in IP",
        carries: Carries::Ip,
        over_ip: true,
        depth: 1,
        tshark: Some("mpls"),
        build: |frame, way| (Below::Protocol(137), cat(&[&label(500 + way, true), network(frame)])),
    },
    Wrapping {
        name: "PPPoE",
        carries: Carries::Ip,
        over_ip: false,
        depth: 1,
        tshark: Some("pppoes"),
        build: |frame, _| {
            let ppp = ppp(frame);
            let header = cat(&[&[0x11, 0, 0x12, 0x34], &(ppp.len() as u16).to_be_bytes()]);
            (Below::Ethertype(0x8864), cat(&[&header, &ppp]))
        },
    },
    Wrapping {
        name: "GRE",
        carries: Carries::Ip,
        over_ip: true,
        depth: 1,
        tshark: Some("gre"),
        build: |frame, _| {
            (Below::Protocol(47), cat(&[&[0, 0], &ethertype(frame).to_be_bytes(), network(frame)]))
        },
    },
    Wrapping {
        name: "GRE with checksum, key and sequence number",
        carries: Carries::Ip,
        over_ip: true,
        depth: 1,
        tshark: Some("gre"),
        build: |frame, way| {
            let kind = ethertype(frame).to_be_bytes();
            let key = (9000 + way).to_be_bytes();
            let mut octets =
                cat(&[&[0xb0, 0], &kind, &[0; 4], &key, &[0, 0, 1, 0], network(frame)]);
            let sum = checksum(&octets);
            octets[4..6].copy_from_slice(&sum.to_be_bytes());
            (Below::Protocol(47), octets)
        },
    },
    Wrapping {
        name: "GRE, Ethernet",
        carries: Carries::Ethernet,
        over_ip: true,
        depth: 1,
        tshark: Some("gre"),
        build: |frame, _| (Below::Protocol(47), cat(&[&[0x20, 0, 0x65, 0x58, 0, 0, 7, 0], frame])),
    },
    Wrapping {
        name: "GRE, PPP",
        carries: Carries::Ip,
        over_ip: true,
        depth: 1,
        tshark: None,
        build: |frame, _| (Below::Protocol(47), cat(&[&[0, 0, 0x88, 0x0b], &ppp(frame)])),
    },
    Wrapping {
        name: "ERSPAN I",
        carries: Carries::Ethernet,
        over_ip: true,
        depth: 1,
        tshark: Some("gre"),
        build: |frame, _| (Below::Protocol(47), cat(&[&[0, 0, 0x88, 0xbe], frame])),
    },
    Wrapping {
        name: "ERSPAN II",
        carries: Carries::Ethernet,
        over_ip: true,
        depth: 1,
        tshark: Some("erspan"),
        build: |frame, _| {
            let gre = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 5];
            let erspan = [0x10, 0, 0, 0x2a, 0, 0, 0, 1];
            (Below::Protocol(47), cat(&[&gre, &erspan, frame]))
        },
    },
    Wrapping {
        name: "IP in IP",
        carries: Carries::Ip,
        over_ip: true,
        depth: 1,
        tshark: Some("ip"),
        build: |frame, _| (Below::Protocol(ip_number(frame)), network(frame).to_vec()),
    },
    Wrapping {
        name: "IPsec AH, tunnel mode",
        carries: Carries::Ip,
        over_ip: true,
        depth: 1,
        tshark: Some("ah"),
        build: |frame, way| {
            let spi = (0x1000 + way).to_be_bytes();
            // Twelve octets of integrity check value: six words, less two.
            let header = cat(&[&[ip_number(frame), 4, 0, 0], &spi, &[0, 0, 0, 1], &[0xa5; 12]]);
            (Below::Protocol(51), cat(&[&header, network(frame)]))
        },
    },
    Wrapping {
        name: "VXLAN",
        carries: Carries::Ethernet,
        over_ip: true,
        depth: 1,
        tshark: Some("vxlan"),
        build: |frame, _| (Below::Port(4789), cat(&[&[8, 0, 0, 0, 0, 0x30, 0x39, 0], frame])),
    },
    Wrapping {
        name: "VXLAN with a group policy",
        carries: Carries::Ethernet,
        over_ip: true,
        depth: 1,
        tshark: Some("vxlan"),
        build: |frame, _| (Below::Port(4789), cat(&[&[0x88, 0, 0, 5, 0, 0x30, 0x39, 0], frame])),
    },
    Wrapping {
        name: "Geneve, Ethernet, with options",
        carries: Carries::Ethernet,
        over_ip: true,
        depth: 1,
        tshark: Some("geneve"),
        build: |frame, _| {
            let header = [2, 0, 0x65, 0x58, 0, 1, 2, 0];
            let option = [0x01, 0x02, 0x80, 1, 9, 9, 9, 9];
            (Below::Port(6081), cat(&[&header, &option, frame]))
        },
    },
    Wrapping {
        name: "Geneve, IP",
        carries: Carries::Ip,
        over_ip: true,
        depth: 1,
        tshark: Some("geneve"),
        build: |frame, _| {
            let kind = ethertype(frame).to_be_bytes();
            (Below::Port(6081), cat(&[&[0, 0], &kind, &[0, 1, 2, 0], network(frame)]))
        },
    },
    Wrapping {
        name: "GTP-U",
        carries: Carries::Ip,
        over_ip: true,
        depth: 1,
        tshark: Some("gtp"),
        build: |frame, way| {
            let length = (network(frame).len() as u16).to_be_bytes();
            let teid = (0xdead_0000 + way).to_be_bytes();
            (Below::Port(2152), cat(&[&[0x30, 255], &length, &teid, network(frame)]))
        },
    },
    Wrapping {
        name: "GTP-U with sequence number, N-PDU number and two extension headers",
        carries: Carries::Ip,
        over_ip: true,
        depth: 1,
        tshark: Some("gtp"),
        build: |frame, way| {
            // A PDU session container, then a PDCP number.
            let rest = [0, 1, 0, 0x85, 1, 0, 9, 0xc0, 1, 0, 7, 0];
            let length = ((network(frame).len() + rest.len()) as u16).to_be_bytes();
            let teid = (0xbeef_0000 + way).to_be_bytes();
            (Below::Port(2152), cat(&[&[0x37, 255], &length, &teid, &rest, network(frame)]))
        },
    },
    Wrapping {
        name: "L2TP with length and sequence numbers",
        carries: Carries::Ip,
        over_ip: true,
        depth: 1,
        tshark: Some("l2tp"),
        build: |frame, way| {
            let ppp = cat(&[&[0xff, 3], &ppp(frame)]);
            let length = (12 + ppp.len() as u16).to_be_bytes();
            let tunnel = (40 + way as u16).to_be_bytes();
            let numbers = [0, 1, 0, 2];
            let octets = cat(&[&[0x48, 2], &length, &tunnel, &[0, 9], &numbers, &ppp]);
            (Below::Port(1701), octets)
        },
    },
    Wrapping {
        name: "L2TP with an offset",
        carries: Carries::Ip,
        over_ip: true,
        depth: 1,
        tshark: None,
        build: |frame, way| {
            let tunnel = (50 + way as u16).to_be_bytes();
            let offset = [0, 2, 0xee, 0xee];
            (Below::Port(1701), cat(&[&[2, 2], &tunnel, &[0, 9], &offset, &ppp(frame)]))
        },
    },
];

impl Wrapping {
    /// Whether this can be around such a frame.
    pub fn takes(&self, frame: &[u8]) -> bool {
        self.carries == Carries::Ethernet || matches!(ethertype(frame), 0x0800 | 0x86dd)
    }

    /// Wraps a frame of Ethernet. `way` is its direction, `level` tells tunnels in one another apart.
    pub fn wrap(&self, frame: &[u8], way: u32, version: Version, level: u8) -> Vec<u8> {
        let (below, octets) = (self.build)(frame, way);
        match below {
            Below::Frame => octets,
            Below::Ethertype(kind) => link(way, level, kind, &octets),
            Below::Protocol(protocol) => over_ip(way, version, level, protocol, &octets),
            Below::Port(port) => {
                over_ip(way, version, level, 17, &udp(40_000 + way as u16, port, &octets))
            }
        }
    }
}

/// The same for a capture. The direction of a frame is that of its addresses.
pub fn wrapped(
    frames: &[OwnedFrame],
    wrapping: &Wrapping,
    version: Version,
    level: u8,
) -> Vec<OwnedFrame> {
    let wrap = |frame: &OwnedFrame| {
        assert_eq!(frame.link, LinkType::Ethernet);
        let data = wrapping.wrap(&frame.data, way(&frame.data), version, level);
        OwnedFrame { data, ..frame.clone() }
    };
    frames.iter().map(wrap).collect()
}

/// Which of the two ends of its line sent a frame. Hosts send with an address of their own, and what is
/// wrapped around them with that of the end.
pub fn way(frame: &[u8]) -> u32 {
    u32::from(frame[..6] < frame[6..12])
}

/// A frame between the two ends of a tunnel.
pub fn link(way: u32, level: u8, kind: u16, payload: &[u8]) -> Vec<u8> {
    let end = |number: u32| [2, 0, 0x5e, 0, level, number as u8];
    // Ordered as those inside are, so that `way` says the same of both.
    cat(&[&end(1 - way), &end(way), &kind.to_be_bytes(), payload])
}

/// RFC 768. A checksum of zero is none.
pub fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    let header: Vec<u8> =
        [source, destination, length, 0].into_iter().flat_map(u16::to_be_bytes).collect();
    cat(&[&header, payload])
}

/// A frame between the two ends, with this protocol above IP.
pub fn over_ip(way: u32, version: Version, level: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match version {
        Version::V4 => link(way, level, 0x0800, &ipv4(way, level, protocol, payload)),
        Version::V6 => link(way, level, 0x86dd, &ipv6(way, level, protocol, payload)),
    }
}

/// RFC 791, 3.1.
fn ipv4(way: u32, level: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let end = |number: u32| [192, 0, 2, level * 16 + number as u8 + 1];
    let length = ((20 + payload.len()) as u16).to_be_bytes();
    let mut header =
        cat(&[&[0x45, 0], &length, &[0, 1, 0, 0, 64, protocol, 0, 0], &end(way), &end(1 - way)]);
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    cat(&[&header, payload])
}

/// RFC 8200, 3.
fn ipv6(way: u32, level: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let end = |number: u32| {
        let mut address = [0; 16];
        address[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        address[15] = level * 16 + number as u8 + 1;
        address
    };
    let length = (payload.len() as u16).to_be_bytes();
    cat(&[&[0x60, 0, 0, 0], &length, &[protocol, 64], &end(way), &end(1 - way), payload])
}
