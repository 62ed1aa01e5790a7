//! What our records have beyond Suricata's schema of EVE.

use crate::protocol::REGISTRY;

/// What is added to records that no protocol has.
const ADDITIONS: &[&str] = &[
    "sensor",
    "stats.gridtap",
    "tunnel.layers",
    "tunnel.addresses",
    "tunnel.vlan",
    "tunnel.vni",
    "tunnel.labels",
    "tunnel.teid",
    "tunnel.gre_key",
    "tunnel.erspan_session",
    "tunnel.pppoe_session",
    "tunnel.l2tp_tunnel",
    "tunnel.l2tp_session",
    "tunnel.spi",
    "alert.rule_id",
    "alert.id",
    "alert.level",
    "alert.correlation",
    "alert.suppressed",
    "alert.metadata.mitre_technique_id",
    "anomaly.field",
    "anomaly.value",
    "anomaly.offset",
    "anomaly.detail",
    "flow.joined",
    "flow.gaps_toserver",
    "flow.gaps_toclient",
    "flow.missed_toserver",
    "flow.missed_toclient",
    "flow.retransmissions_toserver",
    "flow.retransmissions_toclient",
];

/// Dotted names of the fields and objects that we add; `*` stands for one part. `docs/records.md`
/// says what they are.
pub fn additions() -> impl Iterator<Item = &'static str> {
    let of_protocols = REGISTRY.iter().flat_map(|protocol| protocol.additions);
    ADDITIONS.iter().chain(of_protocols).copied()
}

/// Whether the field with this dotted name, or an object that it is in, is one of [`additions`].
pub fn is_addition(name: &str) -> bool {
    additions().any(|addition| covers(addition, name))
}

fn covers(addition: &str, name: &str) -> bool {
    let mut parts = name.split('.');
    let mut is_part = |wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part);
    addition.split('.').all(&mut is_part)
}
