//! What a packet was wrapped in: tunnels, and the headers between them.

use std::net::IpAddr;

use super::{Defect, Skip};

/// IP in IP, by the protocol of the outer.
const IPV4: u8 = 4;
const IPV6: u8 = 41;

/// A header around a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Ethernet below another header than the frame's own.
    Ethernet,
    /// A VLAN tag below another header than the frame's own Ethernet.
    Vlan {
        /// The identifier.
        id: u16,
    },
    /// An IPv4 or IPv6 header that carries a tunnel.
    Ip {
        /// Who sent it: one end of the tunnel.
        source: IpAddr,
        /// Who is to get it: the other end.
        destination: IpAddr,
        /// The protocol above it.
        protocol: u8,
        /// The ports of the sender and the receiver; zero for protocols without.
        ports: [u16; 2],
    },
    /// An IPsec authentication header between this and the IP header before it.
    Ah {
        /// The security parameters index.
        spi: u32,
    },
    /// An MPLS label.
    Mpls {
        /// The label, 20 bits.
        label: u32,
    },
    /// A PPPoE session.
    Pppoe {
        /// The session.
        session: u16,
    },
    /// PPP.
    Ppp,
    /// L2TP version 2.
    L2tp {
        /// The tunnel, as its receiver calls it.
        tunnel: u16,
        /// The session, as its receiver calls it.
        session: u16,
    },
    /// GRE.
    Gre {
        /// The key, where there is one.
        key: Option<u32>,
    },
    /// ERSPAN, type I or II.
    Erspan {
        /// The session; type I has none.
        session: Option<u16>,
    },
    /// VXLAN.
    Vxlan {
        /// The network identifier, 24 bits.
        vni: u32,
    },
    /// Geneve.
    Geneve {
        /// The network identifier, 24 bits.
        vni: u32,
    },
    /// A tunnel of GTP-U.
    Gtp {
        /// The tunnel endpoint identifier, as its receiver calls it.
        teid: u32,
    },
}

impl Layer {
    /// The name in records.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ethernet => "ethernet",
            Self::Vlan { .. } => "vlan",
            Self::Ip { source: IpAddr::V4(_), .. } => "ipv4",
            Self::Ip { .. } => "ipv6",
            Self::Ah { .. } => "ah",
            Self::Mpls { .. } => "mpls",
            Self::Pppoe { .. } => "pppoe",
            Self::Ppp => "ppp",
            Self::L2tp { .. } => "l2tp",
            Self::Gre { .. } => "gre",
            Self::Erspan { .. } => "erspan",
            Self::Vxlan { .. } => "vxlan",
            Self::Geneve { .. } => "geneve",
            Self::Gtp { .. } => "gtp_u",
        }
    }
}

/// How many tunnels some layers are: what [`Outer`] limits.
pub fn tunnel_depth(layers: &[Layer]) -> usize {
    let begins = |(at, layer): (usize, &Layer)| match layer {
        Layer::Pppoe { .. }
        | Layer::L2tp { .. }
        | Layer::Gre { .. }
        | Layer::Vxlan { .. }
        | Layer::Geneve { .. }
        | Layer::Gtp { .. }
        | Layer::Ip { protocol: IPV4 | IPV6, .. } => true,
        // A stack of labels is one tunnel.
        Layer::Mpls { .. } => !matches!(layers.get(at + 1), Some(Layer::Mpls { .. })),
        Layer::Ip { .. }
        | Layer::Ethernet
        | Layer::Vlan { .. }
        | Layer::Ah { .. }
        | Layer::Ppp
        | Layer::Erspan { .. } => false,
    };
    layers.iter().enumerate().filter(|layer| begins(*layer)).count()
}

/// The layers around one packet, and how many of them there may be. Empty, it costs nothing to make.
#[derive(Debug, Clone)]
pub struct Outer {
    most: u8,
    layers: Option<Layers>,
}

impl Default for Outer {
    /// Room for as many tunnels in one another as are read unless configured otherwise.
    #[inline]
    fn default() -> Self {
        Self::new(Self::USUAL)
    }
}

impl Outer {
    /// Tunnels in one another that are read unless configured otherwise. Mobile networks over a
    /// carrier's MPLS and a data centre's VXLAN come to four.
    pub const USUAL: u8 = 8;
    /// The most that can be configured.
    pub const MOST: u8 = 16;

    /// Room for so many tunnels in one another, [`Outer::MOST`] at the most.
    #[inline]
    pub const fn new(most: u8) -> Self {
        Self { most, layers: None }
    }

    /// What is around the packet, outermost first. Empty for a plain one; the tags of the frame's
    /// own Ethernet are in [`Packet::vlan`](super::Packet::vlan).
    #[inline]
    pub fn layers(&self) -> &[Layer] {
        self.layers.as_ref().map_or(&[], Layers::read)
    }

    /// What the packet carries that has a name and is not read.
    #[inline]
    pub fn unread(&self) -> Option<&'static str> {
        self.layers.as_ref().and_then(|layers| layers.unread)
    }

    /// Room to note them.
    pub(super) fn room(&mut self) -> &mut Layers {
        let most = self.most.min(Self::MOST);
        self.layers.get_or_insert_with(|| Layers::new(most))
    }
}

/// Headers of one packet at most. Sixteen tunnels of VXLAN take 48; stacks of labels in all of them
/// nobody has.
const ROOM: usize = 48;

/// The layers of a packet, while they are read.
#[derive(Debug, Clone)]
pub(super) struct Layers {
    list: [Layer; ROOM],
    len: usize,
    depth: u8,
    most: u8,
    unread: Option<&'static str>,
}

/// Up to where layers were read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    len: usize,
    depth: u8,
}

impl Layers {
    const fn new(most: u8) -> Self {
        Self { list: [Layer::Ethernet; ROOM], len: 0, depth: 0, most, unread: None }
    }

    fn read(&self) -> &[Layer] {
        self.list.get(..self.len).unwrap_or_default()
    }

    /// Notes one more.
    pub(super) fn push(&mut self, layer: Layer) -> Result<(), Skip> {
        *self.list.get_mut(self.len).ok_or(Defect::TunnelDepth)? = layer;
        self.len += 1;
        Ok(())
    }

    /// A tunnel begins.
    pub(super) fn deepen(&mut self) -> Result<(), Skip> {
        if self.depth >= self.most {
            return Err(Defect::TunnelDepth.into());
        }
        self.depth += 1;
        Ok(())
    }

    /// Where one stands.
    pub(super) const fn mark(&self) -> Mark {
        Mark { len: self.len, depth: self.depth }
    }

    /// What was read since is no tunnel.
    pub(super) const fn back_to(&mut self, mark: Mark) {
        (self.len, self.depth) = (mark.len, mark.depth);
    }

    /// The packet carries something that has this name, and that is not read.
    pub(super) const fn leave(&mut self, name: &'static str) {
        self.unread = Some(name);
    }
}
