//! The innermost packet of a frame, as Wireshark sees it.

use std::fs::File;
use std::path::Path;

use gridtap::capture::PcapWriter;
use gridtap::packet::{LinkType, Transport, decode};
use tempfile::TempDir;

use crate::common::wrap::{self, VERSIONS, Version};
use crate::common::{OwnedFrame, file, frames};
use crate::pdml::innermost;

/// A frame in one encapsulation or two, and what Wireshark calls these.
struct Case {
    what: String,
    names: Vec<&'static str>,
    frame: OwnedFrame,
}

/// Two segments of the demo, in everything that Wireshark reads. It takes Ethernet behind labels for
/// what a first nibble says, so there, only a control word tells it.
fn cases() -> Vec<Case> {
    let demo = frames(&file("pcaps/demo.pcap"));
    let segments: Vec<_> = demo
        .into_iter()
        .filter(|frame| decode(frame.link, &frame.data).is_ok())
        .skip(20)
        .take(2)
        .collect();
    let known = || wrap::ALL.iter().filter_map(|one| Some((one, one.tshark?)));
    let mut cases = Vec::new();
    let mut add = |what: String, names: Vec<&'static str>, wrap: &dyn Fn(&[u8], u32) -> Vec<u8>| {
        for segment in &segments {
            let data = wrap(&segment.data, wrap::way(&segment.data));
            let frame = OwnedFrame { data, ..segment.clone() };
            cases.push(Case { what: what.clone(), names: names.clone(), frame });
        }
    };
    for (one, name) in known() {
        for version in VERSIONS {
            add(format!("{} over {version:?}", one.name), vec![name], &|frame, way| {
                one.wrap(frame, way, version, 0)
            });
        }
        for (other, other_name) in known() {
            let frame = one.wrap(&wrap::link(0, 0, 0x0800, &[0x45]), 0, Version::V4, 0);
            if other.takes(&frame) {
                let names = vec![name, other_name];
                add(format!("{} in {}", one.name, other.name), names, &|frame, way| {
                    other.wrap(&one.wrap(frame, way, Version::V4, 0), way, Version::V6, 1)
                });
            }
        }
    }
    cases
}

fn write(path: &Path, cases: &[Case]) {
    let mut writer = PcapWriter::new(File::create(path).unwrap(), LinkType::Ethernet).unwrap();
    for Case { frame, .. } in cases {
        writer.write(frame.timestamp, frame.data.len() as u32, &frame.data).unwrap();
    }
    writer.finish().unwrap();
}

fn ours(frame: &OwnedFrame) -> Vec<String> {
    let packet = decode(frame.link, &frame.data).unwrap();
    let Transport::Tcp(tcp) = packet.transport else { panic!("no TCP: {packet:?}") };
    let ports = [tcp.source_port, tcp.destination_port].map(|port| port.to_string());
    let ends = [packet.source, packet.destination].map(|address| address.to_string());
    [ends, ports].concat()
}

#[test]
fn wireshark_finds_the_same_innermost_packet() {
    let folder = TempDir::new().unwrap();
    let capture = folder.path().join("tunnels.pcap");
    let cases = cases();
    write(&capture, &cases);
    let fields = ["frame.protocols", "ip.src", "ip.dst", "tcp.srcport", "tcp.dstport"];
    let Some(rows) = innermost(&capture, &fields) else { return };
    assert_eq!(rows.len(), cases.len());
    let mut differences = Vec::new();
    for (case, row) in cases.iter().zip(rows) {
        let [protocols, theirs @ ..] = &row[..] else { panic!("{row:?}") };
        let knows = case.names.iter().all(|name| protocols.split(':').any(|known| known == *name));
        if !knows || theirs != ours(&case.frame) {
            differences.push(format!("{}: {row:?} and not {:?}", case.what, ours(&case.frame)));
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {}:\n{}",
        differences.len(),
        cases.len(),
        differences.join("\n")
    );
}
