//! MQTT over WebSocket, in two steps: Wireshark 4.0 takes frames apart and does not look for MQTT in
//! them, so what it finds in them is sent again over TCP alone, and read by it as MQTT.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use gridtap::capture::PcapWriter;
use gridtap::packet::{LinkType, Transport, decode};
use gridtap::rule::RuleSet;

use crate::common::wire::{Client, End, Server, Wire};
use crate::common::{OwnedFrame, file, frames, run};
use crate::mqtt::generator::standard::NAMES;
use crate::pdml::{dissect, dissect_with};

/// What was said, by the client's port.
type Connections<T> = BTreeMap<u16, Vec<T>>;

#[test]
fn packets_in_frames_are_the_same() {
    let capture = file("pcaps/websocket.pcap");
    let recorded = frames(&capture);
    let Some(payloads) = payloads(&capture, &recorded) else { return };
    let ours = ours(&recorded);
    assert_eq!(payloads.len(), 3, "connections with frames");
    for (port, said) in &payloads {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain.pcap");
        send_plain(said, &plain);
        let theirs = read_as_mqtt(&plain);
        assert!(!theirs.is_empty());
        assert_eq!(ours[port], theirs, "of the client at port {port}");
    }
    assert_eq!(ours.len(), payloads.len());
}

/// What Wireshark finds in the frames of a capture.
fn payloads(capture: &Path, recorded: &[OwnedFrame]) -> Option<Connections<(End, Vec<u8>)>> {
    let mut payloads = Connections::new();
    let mut from = Server;
    for layer in dissect(capture, &["websocket", "data"])? {
        if let Some(mask) = layer.number("websocket.mask") {
            from = if mask == 1 { Client } else { Server };
        }
        if let Some(data) = layer.find("data").filter(|data| !data.octets.is_empty()) {
            let [source, destination] = ports(&recorded[layer.frame as usize - 1]);
            let port = if from == Client { source } else { destination };
            payloads.entry(port).or_default().push((from, data.octets.clone()));
        }
    }
    Some(payloads)
}

fn ports(frame: &OwnedFrame) -> [u16; 2] {
    let packet = decode(frame.link, &frame.data).unwrap();
    let Transport::Tcp(tcp) = packet.transport else { panic!("WebSocket is over TCP") };
    [tcp.source_port, tcp.destination_port]
}

fn send_plain(said: &[(End, Vec<u8>)], path: &Path) {
    let mut wire = Wire::opened(1883);
    for (from, octets) in said {
        wire.send(*from, octets);
    }
    let mut writer = PcapWriter::new(File::create(path).unwrap(), LinkType::Raw).unwrap();
    for frame in &wire.frames {
        writer.write(frame.timestamp, frame.data.len() as u32, &frame.data).unwrap();
    }
    writer.finish().unwrap();
}

/// A packet as both sides can tell it: type, length, identifier, topic.
fn tell(kind: i64, length: i64, id: Option<i64>, topic: Option<&str>) -> String {
    format!("{kind} {length} {id:?} {}", topic.unwrap_or_default())
}

fn read_as_mqtt(plain: &Path) -> Vec<String> {
    let reassemble = ["-o".to_owned(), "tcp.desegment_tcp_streams:TRUE".to_owned()];
    let layers = dissect_with(plain, &["mqtt"], &reassemble).expect("it was there before");
    let packets = layers.iter().filter(|layer| layer.protocol == "mqtt");
    let told = packets.map(|layer| {
        let number = |name| layer.number(name);
        let kind = layer.find("mqtt.hdrflags").unwrap().octets[0] >> 4;
        let length = number("mqtt.len").unwrap();
        let topic = layer.find("mqtt.topic").map(|topic| &topic.shown[..]);
        tell(kind.into(), length, number("mqtt.msgid"), topic)
    });
    told.collect()
}

fn ours(recorded: &[OwnedFrame]) -> Connections<String> {
    let collected = run(recorded, Arc::new(RuleSet::default()));
    let mut told = Connections::new();
    for record in collected.of("mqtt") {
        let mqtt = &record["mqtt"];
        if mqtt["carrier"] != "websocket" {
            continue;
        }
        let name = mqtt["type"].as_str().unwrap();
        let kind = NAMES.iter().position(|known| *known == name).unwrap() as i64;
        let own = &mqtt[name.to_lowercase()];
        let listed = &own["topics"][0];
        let topic = own["topic"].as_str().or(listed["topic"].as_str()).or(listed.as_str());
        let is_sent = record["direction"] == "to_server";
        let port = &record[if is_sent { "src_port" } else { "dest_port" }];
        let length = mqtt["length"].as_i64().unwrap();
        let line = tell(kind, length, own["message_id"].as_i64(), topic);
        told.entry(port.as_u64().unwrap() as u16).or_default().push(line);
    }
    told
}
