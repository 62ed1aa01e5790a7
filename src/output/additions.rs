//! What our records have beyond Suricata's schema of EVE.

/// Dotted names of the fields and objects that we add; `*` stands for one part. `docs/records.md`
/// says what they are.
pub const ADDITIONS: &[&str] = &[
    "iec104",
    "sensor",
    "stats.gridtap",
    "alert.rule_id",
    "alert.id",
    "alert.level",
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
    "mqtt.type",
    "mqtt.version",
    "mqtt.version_inferred",
    "mqtt.length",
    "mqtt.skipped_length",
    "mqtt.auth",
    "mqtt.*.reason",
    "mqtt.*.reasons",
    "mqtt.*.properties",
    "mqtt.connect.bridge",
    "mqtt.connect.keep_alive",
    "mqtt.connect.password_length",
    "mqtt.connect.flags.will_qos",
    "mqtt.connect.will.payload_length",
    "mqtt.connect.will.payload_utf8",
    "mqtt.connect.will.payload_hex",
    "mqtt.publish.topic_resolved",
    "mqtt.publish.payload_length",
    "mqtt.publish.payload_utf8",
    "mqtt.publish.payload_hex",
    "mqtt.subscribe.topics.no_local",
    "mqtt.subscribe.topics.retain_as_published",
    "mqtt.subscribe.topics.retain_handling",
];

/// Whether the field with this dotted name, or an object that it is in, is one of [`ADDITIONS`].
pub fn is_addition(name: &str) -> bool {
    ADDITIONS.iter().any(|addition| covers(addition, name))
}

fn covers(addition: &str, name: &str) -> bool {
    let mut parts = name.split('.');
    let mut is_part = |wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part);
    addition.split('.').all(&mut is_part)
}
