//! MQTT packets.

use std::path::Path;
use std::sync::Arc;

use gridtap::rule::RuleSet;
use serde_json::Value;

use crate::captures;
use crate::common::{frames, run};
use crate::pdml::dissect;

/// One packet, as both sides can tell it: the frame that completed it, then what it is.
type Message = (u64, String);

/// Not `injection.pcap`: of packets that break their standard each decoder makes something else.
const CAPTURES: &[&str] = &["demo.pcap", "clean.pcap"];

/// Type, packet identifier, client and first topic of every MQTT packet.
#[test]
fn mqtt_packets_are_the_same() {
    for capture in captures(CAPTURES, "mqtt") {
        let Some(layers) = dissect(&capture, &["mqtt"]) else { return };
        let theirs: Vec<Message> = layers
            .iter()
            .filter(|layer| layer.protocol == "mqtt")
            .map(|layer| {
                let first = layer.find("mqtt.hdrflags").and_then(|field| field.octets.first());
                let first = first.unwrap_or_else(|| panic!("{} {:?}", layer.frame, layer.fields));
                let told = tell_mqtt(
                    first >> 4,
                    layer.number("mqtt.msgid").map(i64::cast_unsigned),
                    layer.shown("mqtt.clientid"),
                    layer.shown("mqtt.topic"),
                );
                (layer.frame, told)
            })
            .collect();
        let ours = ours(&capture, |mqtt| {
            let type_name = mqtt["type"].as_str().unwrap().to_lowercase();
            let packet = &mqtt[&type_name];
            let topics = &packet["topics"][0];
            let topic = packet["topic"].as_str().or(topics["topic"].as_str()).or(topics.as_str());
            tell_mqtt(
                type_number(&type_name),
                packet["message_id"].as_u64(),
                packet["client_id"].as_str(),
                topic,
            )
        });
        assert!(!theirs.is_empty(), "tshark sees no packet in {}", capture.display());
        compare(&capture, &ours, &theirs);
    }
}

fn ours(capture: &Path, tell: impl Fn(&Value) -> String) -> Vec<Message> {
    let collected = run(&frames(capture), Arc::new(RuleSet::default()));
    let number = |record: &Value| record["pcap_cnt"].as_u64().unwrap_or(0);
    collected.of("mqtt").iter().map(|record| (number(record), tell(&record["mqtt"]))).collect()
}

fn tell_mqtt(number: u8, id: Option<u64>, client: Option<&str>, topic: Option<&str>) -> String {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    format!("{number} {id:?} {:?} {:?}", text(client), text(topic))
}

fn type_number(name: &str) -> u8 {
    const NAMES: [&str; 15] = [
        "connect",
        "connack",
        "publish",
        "puback",
        "pubrec",
        "pubrel",
        "pubcomp",
        "subscribe",
        "suback",
        "unsubscribe",
        "unsuback",
        "pingreq",
        "pingresp",
        "disconnect",
        "auth",
    ];
    1 + NAMES.iter().position(|known| *known == name).unwrap() as u8
}

/// Captures where both see the same messages, but not with the same frame.
const OUT_OF_STEP: &[&str] = &[
    // Packets were taken out. Behind a hole, tshark reads on at once; we wait for the packet as
    // long as it may be late.
    "mqtt-events-missing-connect.pcap",
    "mqtt-midstream-split.pcap",
    // A PUBLISH of 200 KB: we tell of it with its head, tshark with its end.
    "mqtt-limit-2.pcap",
];

fn compare(capture: &Path, ours: &[Message], theirs: &[Message]) {
    let name = capture.display();
    if OUT_OF_STEP.iter().any(|name| capture.ends_with(name)) {
        let sorted = |messages: &[Message]| {
            let mut told: Vec<_> = messages.iter().map(|message| message.1.clone()).collect();
            told.sort();
            told
        };
        return assert_eq!(sorted(ours), sorted(theirs), "{name}");
    }
    for (index, (our, their)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(our, their, "{name}: message {index}");
    }
    assert_eq!(ours.len(), theirs.len(), "{name}: number of messages");
}
