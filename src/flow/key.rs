//! What tells one flow from another.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use crate::packet::{Packet, Transport};

/// Which way a message goes between the two ends of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the end that opened the flow.
    ToServer = 0,
    /// From the end that was called.
    ToClient = 1,
}

impl Direction {
    /// Both, in order of their index.
    pub const BOTH: [Self; 2] = [Self::ToServer, Self::ToClient];
    /// Names as EVE writes them, by index.
    pub const NAMES: &'static [&'static str] = &["to_server", "to_client"];

    /// Which way `sender` sends.
    #[inline]
    pub const fn of(sender: Side, client: Side) -> Self {
        if sender as u8 == client as u8 { Self::ToServer } else { Self::ToClient }
    }

    /// Who sends this way.
    #[inline]
    pub const fn sender(self, client: Side) -> Side {
        match self {
            Self::ToServer => client,
            Self::ToClient => client.opposite(),
        }
    }

    /// The other way.
    #[inline]
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }

    /// 0 or 1: for arrays of one entry a direction.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// One of the two ends of a flow, told apart by comparing them: needs no idea of who is server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end with the lower (address, port).
    Lower = 0,
    /// The end with the higher.
    Upper = 1,
}

impl Side {
    /// The other end.
    #[inline]
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Lower => Self::Upper,
            Self::Upper => Self::Lower,
        }
    }

    /// 0 or 1: for arrays of one entry a side.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// The two ends and the protocol above IP, the same for both directions.
///
/// Addresses are kept as numbers: this key is hashed and compared for every packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowKey {
    /// By [`Side`].
    addresses: [u128; 2],
    /// By [`Side`]; zero for protocols without.
    ports: [u16; 2],
    /// Identifiers of the two outermost VLAN tags, zero where there is none.
    vlan: [u16; 2],
    /// Who else may have these addresses: a hash, never zero but where there is nothing to tell
    /// ([`Tenants`](super::Tenants)). In parts, as the key is aligned for its ports.
    tenant: [u16; 3],
    /// IP protocol number.
    protocol: u8,
    version: Version,
}

// Flow.key and Flow.last_seen fill a cache line with what is beside them.
const _: () = assert!(size_of::<FlowKey>() == 48);

/// The version of IP: 10.0.0.1 and ::a00:1 are the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V4 = 4,
    V6 = 6,
}

/// A number that orders the addresses of one version as Community ID does, octet by octet.
#[inline]
fn number(address: IpAddr) -> (u128, Version) {
    match address {
        IpAddr::V4(v4) => (v4.to_bits().into(), Version::V4),
        IpAddr::V6(v6) => (v6.to_bits(), Version::V6),
    }
}

impl FlowKey {
    /// The key of a flow whose [`Side::Lower`] is the first of `ends`.
    pub fn new(ends: [(IpAddr, u16); 2], vlan: [u16; 2], protocol: u8) -> Self {
        Self {
            addresses: ends.map(|(address, _)| number(address).0),
            ports: ends.map(|(_, port)| port),
            vlan,
            tenant: [0; 3],
            protocol,
            version: number(ends[0].0).1,
        }
    }

    /// The key of a packet's flow, and which end sent the packet. A packet from an end to itself
    /// (one address, one port) counts as sent by the lower one;
    /// [`Connection::sender`](super::Connection::sender) knows better.
    #[inline(always)]
    pub fn of(packet: &Packet<'_>) -> (Self, Side) {
        let (source_port, destination_port, ordered) = match packet.transport {
            Transport::Tcp(tcp) => (tcp.source_port, tcp.destination_port, true),
            Transport::Udp { source_port, destination_port, .. }
            | Transport::Sctp { source_port, destination_port } => {
                (source_port, destination_port, true)
            }
            Transport::Icmp { kind, code } => icmp_ports(packet.protocol, kind, code),
            Transport::Other => (0, 0, true),
        };
        let (source, version) = number(packet.source);
        let (destination, _) = number(packet.destination);
        let swap = ordered
            && (source > destination || source == destination && source_port > destination_port);
        let (addresses, ports, side) = if swap {
            ([destination, source], [destination_port, source_port], Side::Upper)
        } else {
            ([source, destination], [source_port, destination_port], Side::Lower)
        };
        let (vlan, tenant) = (packet.vlan.outermost(), [0; 3]);
        (Self { addresses, ports, vlan, tenant, protocol: packet.protocol, version }, side)
    }

    /// The same for the tenant of whom this is a hash.
    pub(super) const fn with_tenant(self, hash: u64) -> Self {
        // Zero is nobody's.
        let tenant = [(hash >> 48) as u16, (hash >> 32) as u16, (hash >> 16) as u16 | 1];
        Self { tenant, ..self }
    }

    /// The same whoever the tenant is.
    pub(super) const fn without_tenant(self) -> Self {
        Self { tenant: [0; 3], ..self }
    }

    /// The same in any VLAN.
    pub(super) const fn without_vlan(self) -> Self {
        Self { vlan: [0; 2], ..self }
    }

    /// The host that calls and the service that it calls, whatever port it calls from.
    #[must_use]
    pub const fn service(&self, client: Side) -> Self {
        let mut ports = self.ports;
        ports[client as usize] = 0;
        Self { ports, ..*self }
    }

    /// The address of one end.
    #[inline]
    pub fn address(&self, side: Side) -> IpAddr {
        let number = self.addresses[side.index()];
        match self.version {
            Version::V4 => IpAddr::V4((number as u32).into()),
            Version::V6 => IpAddr::V6(number.into()),
        }
    }

    /// The port of one end; zero for protocols without.
    #[inline]
    pub const fn port(&self, side: Side) -> u16 {
        self.ports[side as usize]
    }

    /// Identifiers of the two outermost VLAN tags, zero where there is none.
    #[inline]
    pub const fn vlan(&self) -> [u16; 2] {
        self.vlan
    }

    /// Whether both ends have one address and one port, so that these do not tell who sent a packet.
    #[inline]
    pub const fn has_equal_ends(&self) -> bool {
        self.ports[0] == self.ports[1] && self.addresses[0] == self.addresses[1]
    }

    /// IP protocol number.
    #[inline]
    pub const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Whether the protocol is one whose ports tell flows apart: ICMP, TCP, UDP, ICMPv6, SCTP.
    pub const fn has_ports(&self) -> bool {
        matches!(self.protocol, 1 | 6 | 17 | 58 | 132)
    }
}

/// Types of ICMP and ICMPv6 that answer each other, as the Community ID specification pairs them.
const ICMP_PAIRS: &[(u8, u8)] = &[(0, 8), (9, 10), (13, 14), (15, 16), (17, 18)];
const ICMPV6_PAIRS: &[(u8, u8)] =
    &[(128, 129), (130, 131), (133, 134), (135, 136), (139, 140), (144, 145)];

/// What stands for ports in ICMP: the type and its answer's type, or type and code where there is
/// no answer; then source and destination are not to be exchanged.
fn icmp_ports(protocol: u8, kind: u8, code: u8) -> (u16, u16, bool) {
    let pairs = if protocol == 58 { ICMPV6_PAIRS } else { ICMP_PAIRS };
    let answer = pairs.iter().find_map(|(one, other)| match kind {
        kind if kind == *one => Some(*other),
        kind if kind == *other => Some(*one),
        _ => None,
    });
    match answer {
        Some(answer) => (kind.into(), answer.into(), true),
        None => (kind.into(), code.into(), false),
    }
}

/// By hand: the derived one feeds the hasher octet by octet, with lengths.
impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.version {
            Version::V4 => state.write_u64((self.addresses[0] << 32 | self.addresses[1]) as u64),
            Version::V6 => {
                state.write_u128(self.addresses[0]);
                state.write_u128(self.addresses[1]);
            }
        }
        let [lower, upper] = self.ports.map(u64::from);
        let [outer, inner] = self.vlan.map(u64::from);
        let [high, middle, low] = self.tenant.map(u64::from);
        let tenant = high << 32 | middle << 16 | low;
        state.write_u64(
            (lower | upper << 16 | outer << 32 | inner << 44 | u64::from(self.protocol) << 56)
                ^ tenant,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::VlanStack;

    fn udp(source: ([u8; 4], u16), destination: ([u8; 4], u16)) -> Packet<'static> {
        Packet {
            vlan: VlanStack::default(),
            source: source.0.into(),
            destination: destination.0.into(),
            protocol: 17,
            ttl: 64,
            transport: Transport::Udp {
                source_port: source.1,
                destination_port: destination.1,
                payload: &[],
            },
        }
    }

    #[test]
    fn both_directions_have_one_key() {
        let (one, two) = (([10, 0, 0, 1], 7), ([10, 0, 0, 2], 5));
        let (there, back) = (FlowKey::of(&udp(one, two)), FlowKey::of(&udp(two, one)));
        assert_eq!(there.0, back.0);
        assert_eq!((there.1, back.1), (Side::Lower, Side::Upper));
    }

    #[test]
    fn ports_tell_the_ends_of_one_address_apart() {
        let (one, two) = (([127, 0, 0, 1], 5), ([127, 0, 0, 1], 7));
        assert_eq!(FlowKey::of(&udp(one, two)).1, Side::Lower);
        assert_eq!(FlowKey::of(&udp(two, one)).1, Side::Upper);
    }

    #[test]
    fn an_echo_and_its_reply_are_one_flow_and_an_unreachable_is_its_own() {
        assert_eq!(icmp_ports(1, 8, 0), (8, 0, true));
        assert_eq!(icmp_ports(1, 0, 0), (0, 8, true));
        assert_eq!(icmp_ports(1, 3, 1), (3, 1, false));
        assert_eq!(icmp_ports(58, 135, 0), (135, 136, true));
    }
}
