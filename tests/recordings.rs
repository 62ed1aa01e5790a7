//! What `pcaps/README.md` says is in `pcaps/mqtt-peers.pcap` is told of it, and nobody is accused.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{Collected, file, frames, run};
use gridtap::rule::RuleSet;
use serde_json::{Value as Json, json};

fn recording() -> Collected {
    run(&frames(&file("pcaps/mqtt-peers.pcap")), Arc::new(RuleSet::default()))
}

/// The packets of a type at a level.
fn packets<'r>(all: &'r [&Json], level: u64, kind: &str) -> Vec<&'r Json> {
    all.iter()
        .filter(|packet| packet["version"] == level && packet["type"] == kind)
        .map(|packet| &packet[kind.to_lowercase()])
        .collect()
}

/// Whether one of the packets has this value at this place.
fn has(packets: &[&Json], pointer: &str, value: &Json) -> bool {
    packets.iter().any(|packet| packet.pointer(pointer) == Some(value))
}

#[test]
fn mosquitto_and_paho_show_at_each_level_what_they_can_do() {
    let recording = recording();
    let all: Vec<_> = recording.of("mqtt").iter().map(|record| &record["mqtt"]).collect();
    for level in 3..=5 {
        let of = |kind: &str| packets(&all, level, kind);
        let publish = of("PUBLISH");
        for (pointer, value) in [
            ("/qos", json!(0)),
            ("/qos", json!(1)),
            ("/qos", json!(2)),
            ("/retain", json!(true)),
            ("/dup", json!(true)),
            ("/payload_utf8", json!(false)),
            // Deletes what was retained.
            ("/payload_length", json!(0)),
            // A will that was published.
            ("/message", json!("gone")),
        ] {
            assert!(has(&publish, pointer, &value), "level {level}: no {pointer} {value}");
        }
        assert!(has(&of("CONNECT"), "/will/message", &json!("gone")), "level {level}");
        assert!(has(&of("CONNACK"), "/reason", &json!("Not authorized")), "level {level}");
        // A session that goes on; MQTT 3.1 has no word for it.
        assert_eq!(has(&of("CONNACK"), "/session_present", &json!(true)), level > 3, "{level}");
        let kinds = ["PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBACK", "UNSUBACK", "PINGRESP"];
        for kind in kinds {
            assert!(!of(kind).is_empty(), "level {level}: no {kind}");
        }
    }
    assert!(has(&packets(&all, 4, "CONNECT"), "/bridge", &json!(true)));
    assert!(has(&packets(&all, 4, "PUBLISH"), "/payload_length", &json!(70_000)));
}

#[test]
fn mosquitto_and_paho_show_what_is_new_in_5() {
    let recording = recording();
    let all: Vec<_> = recording.of("mqtt").iter().map(|record| &record["mqtt"]).collect();
    for (kind, pointer, value) in [
        ("CONNECT", "/will/properties/will_delay_interval", json!(1)),
        ("CONNECT", "/will/payload_length", json!(4)),
        ("CONNECT", "/properties/maximum_packet_size", json!(2000)),
        ("CONNECT", "/properties/authentication_data_length", json!(10)),
        ("CONNACK", "/reason", json!("Bad authentication method")),
        ("CONNACK", "/properties/server_keep_alive", json!(120)),
        ("CONNACK", "/properties/topic_alias_maximum", json!(10)),
        ("SUBSCRIBE", "/topics/0/topic", json!("$share/group/queue/#")),
        ("SUBSCRIBE", "/topics/0/retain_handling", json!(2)),
        ("SUBSCRIBE", "/topics/1/no_local", json!(true)),
        ("SUBSCRIBE", "/properties/subscription_identifier", json!(300)),
        ("PUBLISH", "/topic_resolved", json!(true)),
        ("PUBLISH", "/properties/correlation_data", json!("0180fe")),
        ("PUBLISH", "/properties/response_topic", json!("answers/client")),
        ("PUBLISH", "/properties/user_property/1/value", json!("2")),
        ("PUBLISH", "/properties/subscription_identifier/0", json!(300)),
        ("PUBACK", "/reason", json!("No matching subscribers")),
        ("PUBACK", "/reason", json!("Not authorized")),
        ("UNSUBACK", "/reasons/1", json!("No subscription existed")),
        ("DISCONNECT", "/reason", json!("Disconnect with Will Message")),
        ("DISCONNECT", "/properties/session_expiry_interval", json!(0)),
        // The broker's.
        ("DISCONNECT", "/reason", json!("Topic Alias invalid")),
    ] {
        assert!(has(&packets(&all, 5, kind), pointer, &value), "no {kind} with {pointer} {value}");
    }
}

/// Each is explained in `pcaps/README.md`.
const BREACHES: [&str; 1] = ["alias_over_maximum"];

#[test]
fn only_who_breaks_the_standard_is_accused() {
    let recording = recording();
    let found: Vec<_> = recording
        .of("anomaly")
        .iter()
        .map(|record| record["anomaly"]["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, BREACHES);
    let readme = std::fs::read_to_string(file("pcaps/README.md")).unwrap();
    let unexplained: BTreeSet<_> =
        found.iter().filter(|name| !readme.contains(&format!("`{name}`"))).collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
}
