//! What tells one flow from another.

use std::net::IpAddr;

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

/// The two ends and the protocol above IP, the same for both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// Addresses by [`Side`].
    pub addresses: [IpAddr; 2],
    /// Ports by [`Side`]; zero for protocols without.
    pub ports: [u16; 2],
    /// Identifiers of the two outermost VLAN tags, zero where there is none.
    pub vlan: [u16; 2],
    /// IP protocol number.
    pub protocol: u8,
}

impl FlowKey {
    /// Whether the protocol is one whose ports tell flows apart: ICMP, TCP, UDP, ICMPv6, SCTP.
    pub const fn has_ports(&self) -> bool {
        matches!(self.protocol, 1 | 6 | 17 | 58 | 132)
    }
}
