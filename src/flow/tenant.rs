//! Whose packet it is: on a carrier's line, customers' private addresses overlap.
//!
//! Two packets with the same addresses and ports are of one flow only if they came through the same
//! VLANs, virtual networks and tunnels. Not compared is what differs by direction: labels, TEIDs, the
//! numbers of L2TP, and keys of GRE, which each end may choose for itself. The ends of a tunnel have no
//! order, so that both directions are one flow.
//!
//! What is compared is as long as tunnels are deep, so the key has a hash of it: 48 bits, which is
//! what the key has room for without growing. It is seeded anew in each process: whoever sends packets
//! cannot choose two tunnels that fall together, and of tunnels that nobody chose, 100,000 do so with a
//! chance of 1 in 50,000, and then only flows with equal ends meet. A table that numbers the tunnels
//! would be exact, but it would need a limit of its own, and an eviction that an attacker could steer.
//! The identifier of a flow in records comes from a hash of its own without a seed, so that a capture
//! gives the same ones everywhere; nothing is looked up by it.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;

use foldhash::quality::{FixedState, RandomState};

use super::{FlowKey, Side};
use crate::packet::{Layer, Outer, Packet};

/// What tells tenants apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenancy {
    /// Stacks of VLAN tags, those in tunnels too.
    pub vlan: bool,
    /// Network identifiers of VXLAN and Geneve.
    pub vni: bool,
    /// The two ends of a tunnel, and the number of a PPPoE session.
    pub tunnel: bool,
}

impl Default for Tenancy {
    fn default() -> Self {
        Self { vlan: true, vni: true, tunnel: true }
    }
}

/// Makes the keys of flows.
#[derive(Debug, Default)]
pub struct Tenants {
    tenancy: Tenancy,
    seed: RandomState,
}

impl Tenants {
    /// Keys that differ by this.
    pub fn new(tenancy: Tenancy) -> Self {
        Self { tenancy, seed: RandomState::default() }
    }

    /// The key of a packet's flow, and which end sent the packet, as [`FlowKey::of`] tells them.
    #[inline(always)]
    pub fn key(&self, packet: &Packet<'_>, outer: &Outer) -> (FlowKey, Side) {
        let (key, side) = FlowKey::of(packet);
        if self.tenancy.vlan && is_plain(packet, outer) {
            return (key, side);
        }
        (self.refine(key, packet, outer), side)
    }

    #[cold]
    fn refine(&self, key: FlowKey, packet: &Packet<'_>, outer: &Outer) -> FlowKey {
        let key = if self.tenancy.vlan { key } else { key.without_vlan() };
        match self.tenancy.identity(packet, outer, &self.seed) {
            Some(identity) => key.with_tenant(identity),
            None => key,
        }
    }

    /// What identifiers of flows have of the tenant, the same in every process: 0 for none.
    #[inline]
    pub fn number(&self, packet: &Packet<'_>, outer: &Outer) -> u64 {
        if is_plain(packet, outer) {
            return 0;
        }
        let identity = self.tenancy.identity(packet, outer, &FixedState::with_seed(0));
        identity.unwrap_or(0)
    }
}

/// Whether all that tells tenants apart is in the key as it is.
#[inline(always)]
fn is_plain(packet: &Packet<'_>, outer: &Outer) -> bool {
    outer.layers().is_empty() && packet.vlan.ids().len() <= 2
}

impl Tenancy {
    /// A hash of what tells this packet's tenant from others, beyond the two outermost tags.
    fn identity(self, packet: &Packet<'_>, outer: &Outer, seed: &impl BuildHasher) -> Option<u64> {
        let mut hasher = seed.build_hasher();
        let mut any = false;
        let mut note = |part: Part| {
            part.hash(&mut hasher);
            any = true;
        };
        if self.vlan {
            packet.vlan.ids().iter().skip(2).for_each(|id| note(Part::Vlan(*id)));
        }
        for layer in outer.layers() {
            match *layer {
                Layer::Vlan { id } if self.vlan => note(Part::Vlan(id)),
                Layer::Vxlan { vni } | Layer::Geneve { vni } if self.vni => note(Part::Vni(vni)),
                Layer::Ip { source, destination, .. } if self.tunnel => {
                    note(Part::Ends(source.min(destination), source.max(destination)));
                }
                Layer::Pppoe { session } if self.tunnel => note(Part::Session(session)),
                _ => {}
            }
        }
        any.then(|| hasher.finish())
    }
}

#[derive(Hash)]
enum Part {
    Vlan(u16),
    Vni(u32),
    Ends(IpAddr, IpAddr),
    Session(u16),
}
