//! What `docs/mqtt.md` says of MQTT, what is configured of brokers, and what rules see of sessions.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::Collected;
use common::page::Page;
use common::wire::{CONNACK, Client, End, Server, Wire, publish};
use gridtap::config::{Config, Sources};
use gridtap::engine::{Engine, Limits};
use gridtap::protocol::mqtt;
use gridtap::rule::RuleSet;

const PAGE: &str = "docs/mqtt.md";

#[test]
fn every_anomaly_is_documented_once() {
    Page::read(PAGE).explains("## Anomalies", &mqtt::PROTOCOL.anomalies.concat());
}

#[test]
fn every_field_has_its_source() {
    // `*` stands for any packet type.
    let covers = |entry: &str, field: &str| {
        let (mut entry, mut field) = (entry.split('.'), field.split('.'));
        entry.by_ref().all(|part| {
            let there = field.next();
            part == "*" && there.is_some() || there == Some(part)
        })
    };
    let documented = Page::read(PAGE).names("## Where fields come from");
    let fields: Vec<String> = mqtt::MQTT.paths().map(|(name, ..)| name).collect();
    for field in &fields {
        assert!(documented.iter().any(|entry| covers(entry, field)), "whence is {field}?");
    }
    for entry in &documented {
        assert!(fields.iter().any(|field| covers(entry, field)), "there is no {entry}");
    }
}

/// A broker at 10.0.0.2 and a client with a keep-alive of 10 seconds that speak 3.1.1.
fn session() -> Wire {
    let mut wire = Wire::opened(1883);
    wire.send(Client, b"\x10\x13\0\x04MQTT\x04\x02\0\x0a\0\x07meter-7");
    wire.send(Server, CONNACK);
    wire
}

fn run(wire: &Wire) -> Collected {
    common::run(&wire.frames, Arc::new(RuleSet::default()))
}

const NONE: [&str; 0] = [];

#[test]
fn a_broker_that_hears_nothing_closes_the_connection_without_a_word() {
    for last in [Server, Client] {
        let mut wire = session();
        wire.wait(Duration::from_secs(20));
        wire.finish(last);
        assert_eq!(run(&wire).anomalies(), ["keepalive_missed"], "{last:?}");
    }
    let mut wire = session();
    wire.wait(Duration::from_secs(16));
    wire.finish(Server);
    assert_eq!(run(&wire).anomalies(), NONE);
}

/// The broker heard something that we did not see.
#[test]
fn a_lost_ping_accuses_nobody() {
    let mut wire = session();
    wire.wait(Duration::from_secs(10));
    wire.lose(Client, 2);
    wire.wait(Duration::from_secs(10));
    wire.finish(Server);
    assert_eq!(run(&wire).anomalies(), ["gap"]);
}

/// What an engine with these settings for MQTT finds wrong.
fn anomalies_with(settings: &str, wire: &Wire) -> Vec<String> {
    let settings = vec![format!("protocols.mqtt={settings}")];
    let sources = Sources { settings, ..Sources::default() };
    let configured = Config::load(&sources).unwrap().config.protocols;
    let mut told = Collected::default();
    let engine = Engine::new(Arc::new(RuleSet::default()), Limits::default(), &told);
    let mut engine = engine.with_settings(&configured);
    common::feed(&mut engine, &wire.frames, &mut told);
    engine.finish(&mut told);
    told.anomalies().into_iter().map(str::to_owned).collect()
}

#[test]
fn the_first_member_with_the_brokers_address_counts() {
    let mut wire = session();
    wire.send(Client, &publish("plant/unit/power", "1234567890"));
    assert_eq!(anomalies_with("[]", &wire), NONE);
    let both = ["packet_too_large", "topic_too_deep"];
    let set = "maximum_packet_size: 20, topic_levels: 2";
    assert_eq!(anomalies_with(&format!("[{{{set}}}]"), &wire)[1..], both, "and CONNECT");
    assert_eq!(anomalies_with("[{maximum_packet_size: 29, topic_levels: 2}]", &wire), both);
    for (member, expected) in [
        ("{servers: [10.0.0.2], topic_levels: 2}", &both[1..]),
        ("{servers: [10.0.0.1], topic_levels: 2}", &[]),
        ("{servers: [10.0.0.1]}, {topic_levels: 2}", &both[1..]),
        ("{servers: [10.0.0.2]}, {topic_levels: 2}", &[]),
    ] {
        assert_eq!(anomalies_with(&format!("[{member}]"), &wire), expected, "{member}");
    }
}

/// How often a rule fires in a session with these packets.
fn alerts(service: &str, detection: &str, packets: &[(End, &[u8])]) -> usize {
    let mut wire = session();
    for (end, packet) in packets {
        wire.send(*end, packet);
    }
    common::alerts(service, detection, &wire.frames)
}

#[test]
fn rules_match_whose_connection_a_packet_is_of() {
    let packets: [(End, &[u8]); 3] = [
        (Client, &publish("a", "1")),
        (Client, b"\x82\x06\0\x07\0\x01b\0"),
        (Server, b"\x90\x03\0\x07\0"),
    ];
    let seen = |detection| alerts("mqtt", detection, &packets);
    assert_eq!(seen("mqtt.client_id: meter-7, mqtt.type: PUBLISH"), 1);
    assert_eq!(seen("mqtt.client_id: meter-7"), 5);
    assert_eq!(seen("mqtt.client_id: meter-8"), 0);
    assert_eq!(seen("mqtt.suback.filters: b"), 1);
    assert_eq!(seen("mqtt.suback.latency_ms|lte: 1"), 1);
}

#[test]
fn rules_match_anomalies_of_sessions() {
    let seen = |name: &str, packets: &[(End, &[u8])]| {
        alerts("anomaly", &format!("anomaly.event: {name}, anomaly.app_proto: mqtt"), packets)
    };
    assert_eq!(seen("ack_without_request", &[(Server, b"\x40\x02\0\x07")]), 1);
    assert_eq!(seen("wrong_direction", &[(Server, b"\xc0\0")]), 1);
    assert_eq!(seen("wrong_direction", &[(Client, b"\xc0\0")]), 0);
}
