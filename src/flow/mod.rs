//! Flows: who talks to whom, and the bytes of their streams in order.

mod community_id;
mod connection;
mod key;
mod pending;
mod policy;
mod reader;
mod stream;
mod table;
mod tenant;

pub use community_id::{CommunityId, community_id};
pub use connection::{Connection, Outcome, Phase};
pub use key::{Direction, FlowKey, Side};
pub use policy::{Checksums, HostPolicies, HostPolicy, Overlaps, Urgent};
pub use reader::{Acknowledged, Incident, Reader, Why};
pub use stream::{Stream, StreamCounters};
pub use table::{Flow, FlowTable, Found, Lifetime, Timeouts};
pub use tenant::{Tenancy, Tenants};

/// How far a parser came in the bytes that it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Octets that are done with. More than were shown skips as many of the octets to come.
    pub consumed: usize,
    /// How many octets from there on it takes until the parser can go on, 0 if all are consumed.
    /// Until they are there the parser is not called again; the octets are kept for it.
    pub wanted: usize,
}

impl Progress {
    /// Everything is consumed, `count` octets.
    pub const fn all(count: usize) -> Self {
        Self { consumed: count, wanted: 0 }
    }

    /// `consumed` octets are done with, and the next message takes `wanted`.
    pub const fn need(consumed: usize, wanted: usize) -> Self {
        Self { consumed, wanted }
    }
}
