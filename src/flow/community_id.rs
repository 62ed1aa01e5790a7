//! Community ID v1: one name for a flow that every tool derives alike.
//!
//! <https://github.com/corelight/community-id-spec>

use std::cell::OnceCell;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::{FlowKey, Side};

/// The Community ID of a flow, computed when it is first asked for: most flows never write a
/// record.
#[derive(Debug, Clone, Default)]
pub struct CommunityId(OnceCell<Box<str>>);

impl CommunityId {
    /// The identifier of the flow with `key`, always the same one for one `self`.
    pub fn get(&self, key: &FlowKey) -> &str {
        self.0.get_or_init(|| community_id(key, 0).into_boxed_str())
    }
}

/// The identifier of the flow with `key`. For ICMP the ports of the key are already the
/// specification's type and counterpart.
pub fn community_id(key: &FlowKey, seed: u16) -> String {
    let mut hash = Sha1::new();
    hash.update(seed.to_be_bytes());
    for side in [Side::Lower, Side::Upper] {
        match key.address(side) {
            IpAddr::V4(v4) => hash.update(v4.octets()),
            IpAddr::V6(v6) => hash.update(v6.octets()),
        }
    }
    hash.update([key.protocol(), 0]);
    if key.has_ports() {
        hash.update(key.port(Side::Lower).to_be_bytes());
        hash.update(key.port(Side::Upper).to_be_bytes());
    }
    format!("1:{}", STANDARD.encode(hash.finalize()))
}
