//! Tunnels of carriers: whatever a capture is wrapped in, what is found in it is the same.

mod common;

use std::sync::Arc;

use common::wire::{Client, End, STARTDT_ACT, STARTDT_CON, Server, Wire, point};
use common::wrap::{self, VERSIONS, Version, Wrapping, wrapped};
use common::{Collected, OwnedFrame, feed, file, frames, run, to_json};
use gridtap::engine::{Engine, Limits, Sink};
use gridtap::event::{Event, Schema};
use gridtap::flow::Tenancy;
use gridtap::packet::{LinkType, Outer, Skip, Transport, decode, decode_within, tunnel_depth};
use gridtap::protocol::{self, Fact, Protocol};
use gridtap::rule::{Hits, Placeholders, RuleSet};
use gridtap::time::Timestamp;
use serde_json::Value as Json;

fn pack() -> Arc<RuleSet> {
    let services: Vec<_> = protocol::services().collect();
    let sources = RuleSet::builtin_sources();
    Arc::new(RuleSet::load(&sources, &services, &Placeholders::default()).unwrap())
}

/// Alerts: which rule, when, and of whom. Rules about tunnels themselves do not count.
#[derive(Default)]
struct Alerts(Vec<String>);

impl Sink for Alerts {
    fn event(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        let record = to_json(event);
        let of = |name: &str| record[name].to_string();
        for rule in fired.into_iter().filter(|rule| !rule.title.contains("Tunnel")) {
            let ends = ["timestamp", "src_ip", "src_port", "dest_ip", "dest_port", "proto"].map(of);
            self.0.push(format!("{}: {}", rule.title, ends.join(" ")));
        }
    }

    fn wants(&self, _: &'static Schema) -> bool {
        false
    }

    fn fact(&mut self, _: std::net::IpAddr, _: &'static Protocol, _: &'static str, _: Fact<'_>) {}
}

fn alerts(rules: &Arc<RuleSet>, frames: &[OwnedFrame]) -> Vec<String> {
    let mut alerts = Alerts::default();
    let mut engine = Engine::new(Arc::clone(rules), Limits::default(), &alerts);
    feed(&mut engine, frames, &mut alerts);
    engine.finish(&mut alerts);
    alerts.0
}

/// The frames with IP of a capture.
fn packets(capture: &str) -> Vec<OwnedFrame> {
    let mut frames = frames(&file(capture));
    frames.retain(|frame| decode(frame.link, &frame.data).is_ok());
    frames
}

/// What a wrapping does without an IP header of its own is the same for both versions.
fn versions(wrapping: &Wrapping) -> &'static [Version] {
    if wrapping.over_ip { &VERSIONS } else { &VERSIONS[..1] }
}

#[test]
fn the_demo_in_any_tunnel_gives_the_same_alerts() {
    let (rules, demo) = (pack(), packets("pcaps/demo.pcap"));
    let plain = alerts(&rules, &demo);
    assert!(plain.len() > 20, "{} alerts", plain.len());
    for wrapping in wrap::ALL {
        for version in versions(wrapping) {
            let found = alerts(&rules, &wrapped(&demo, wrapping, *version, 0));
            assert_eq!(found, plain, "{} over {version:?}", wrapping.name);
        }
    }
}

/// Every encapsulation in every other that can have it in it: what is inside, around it, and of which
/// version the two are.
fn pairs() -> impl Iterator<Item = (&'static Wrapping, &'static Wrapping, [Version; 2])> {
    let frame = wrap::link(0, 0, 0x0800, &[0x45]);
    wrap::ALL.iter().flat_map(move |inner| {
        let frame = frame.clone();
        wrap::ALL.iter().enumerate().filter_map(move |(at, outer)| {
            let inside = inner.wrap(&frame, 0, Version::V4, 0);
            // Versions alternate over the pairs; the test of a single tunnel has both of each.
            let version = |number: usize| VERSIONS[number % 2];
            let versions = [version(at), version(at / 2)];
            outer.takes(&inside).then_some((inner, outer, versions))
        })
    })
}

#[test]
fn the_demo_two_tunnels_deep_gives_the_same_alerts() {
    let rules = pack();
    let demo = packets("pcaps/demo.pcap");
    let plain = alerts(&rules, &demo);
    let mut count = 0;
    for (inner, outer, [one, two]) in pairs() {
        let inside = wrapped(&demo, inner, one, 0);
        let found = alerts(&rules, &wrapped(&inside, outer, two, 1));
        assert_eq!(found, plain, "{} {one:?} in {} {two:?}", inner.name, outer.name);
        count += 1;
    }
    assert!(count > 300, "{count} pairs");
}

/// The frames of one connection, from its opening on: a station of the demo.
fn connection() -> Vec<OwnedFrame> {
    let mut wire = Wire::opened(2404);
    wire.send(Client, STARTDT_ACT);
    wire.send(Server, STARTDT_CON);
    for number in 0..5 {
        wire.send(Server, &point(number));
    }
    wire.finish(Client);
    wire.finish(Server);
    let ends = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];
    let ethernet = |mut frame: OwnedFrame| {
        let is_client = frame.data[15] == 1;
        let [to, from] = if is_client { [ends[1], ends[0]] } else { ends };
        frame.data = [&to[..], &from, &[8, 0], &frame.data].concat();
        frame.link = LinkType::Ethernet;
        frame
    };
    wire.frames.into_iter().map(ethernet).collect()
}

/// What was around the innermost packet of a frame.
fn layers(frame: &[u8]) -> Outer {
    let mut outer = Outer::default();
    decode_within(LinkType::Ethernet, frame, &mut outer).unwrap();
    outer
}

#[test]
fn the_innermost_packet_is_that_of_the_plain_frame() {
    for frame in packets("pcaps/demo.pcap").iter().take(40) {
        let plain = decode(frame.link, &frame.data).unwrap();
        for (inner, outer, [one, two]) in pairs() {
            let way = wrap::way(&frame.data);
            let inside = inner.wrap(&frame.data, way, one, 0);
            let found = outer.wrap(&inside, way, two, 1);
            let packet = decode(LinkType::Ethernet, &found).unwrap();
            let name = format!("{} in {}", inner.name, outer.name);
            assert_eq!((packet.source, packet.destination), (plain.source, plain.destination));
            assert_eq!(
                format!("{:?}", packet.transport),
                format!("{:?}", plain.transport),
                "{name}"
            );
            let depth = tunnel_depth(layers(&found).layers()) as u64;
            assert_eq!(depth, inner.depth + outer.depth, "{name}");
        }
    }
}

/// What was cut off by the capture is no damage, and no prefix is read as a packet that is whole.
#[test]
fn every_prefix_of_a_wrapped_frame_is_taken_cleanly() {
    let frame = &connection()[0].data;
    let whole = decode(LinkType::Ethernet, frame).unwrap();
    for (inner, outer, [one, two]) in pairs() {
        let wrapped = outer.wrap(&inner.wrap(frame, 0, one, 0), 0, two, 1);
        for length in 0..wrapped.len() {
            match decode(LinkType::Ethernet, &wrapped[..length]) {
                // The rest is too short to tell a tunnel from something else: an outer packet.
                Ok(packet) => assert_ne!(packet.source, whole.source, "{length} octets"),
                Err(Skip::Short(_) | Skip::NotIp) => {}
                Err(other) => panic!("{} in {}: {length}: {other:?}", inner.name, outer.name),
            }
        }
    }
}

#[test]
fn no_octet_that_is_changed_brings_the_engine_down() {
    let rules = pack();
    let frames = connection();
    let mut random = 7_u32;
    let mut next = move || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random >> 8
    };
    for (inner, outer, [one, two]) in pairs() {
        let mut damaged = wrapped(&wrapped(&frames, inner, one, 0), outer, two, 1);
        for frame in &mut damaged {
            for _ in 0..next() % 4 {
                let at = next() as usize % frame.data.len();
                frame.data[at] ^= 1 << (next() % 8);
            }
        }
        let found = run(&damaged, Arc::clone(&rules));
        assert!(found.records.len() < 500, "{} in {}", inner.name, outer.name);
    }
}

#[test]
fn other_datagrams_to_the_ports_of_tunnels_stay_what_they_are() {
    let mut random = 1_u32;
    for port in [1701, 2152, 3544, 4789, 6081] {
        for length in (0..200).chain([1400]) {
            let octets: Vec<u8> = (0..length)
                .map(|_| {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (random >> 24) as u8
                })
                .collect();
            let frame = datagram(port, &octets);
            let packet = decode(LinkType::Ethernet, &frame).unwrap();
            assert!(
                matches!(packet.transport, Transport::Udp { payload, .. } if payload == octets),
                "{length} octets to {port}"
            );
            assert!(layers(&frame).layers().is_empty());
        }
    }
}

/// A frame with this datagram.
fn datagram(port: u16, octets: &[u8]) -> Vec<u8> {
    let udp = wrap::udp(40_000, port, octets);
    wrap::over_ip(0, Version::V4, 0, 17, &udp)
}

#[test]
fn what_is_surely_a_tunnel_and_damaged_is_named() {
    let ip = |protocol: u8, octets: &[u8]| wrap::over_ip(0, Version::V4, 0, protocol, octets);
    let mut broken = connection()[0].data.clone();
    broken[24] ^= 0x40;
    let vxlan = [&[8, 0, 0, 0, 0, 0, 7, 0], &broken[..]].concat();
    let gre_sum = [&[0x80, 0, 8, 0, 0, 1, 0, 0], &broken[14..]].concat();
    for (frame, name) in [
        (datagram(4789, &vxlan), "ip_checksum"),
        (ip(4, &broken[14..]), "ip_checksum"),
        (ip(4, &[0x75; 40]), "ip_version"),
        (ip(4, &broken[14..30]), "ip_header"),
        (ip(47, &[0x20, 0, 8, 0, 0, 0]), "gre_header"),
        (ip(47, &[0x00, 5, 8, 0, 0, 0]), "gre_header"),
        (ip(47, &[0x40, 0, 8, 0, 0, 0, 0, 0]), "gre_routing"),
        (ip(47, &gre_sum), "gre_checksum"),
        (ip(47, &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 0, 0x10, 0]), "erspan_header"),
        (ip(47, &[0, 0, 0x88, 0x0b, 0]), "ppp_header"),
        (ip(137, &[0, 1, 0, 64, 0, 1]), "mpls_label"),
        (wrap::link(0, 0, 0x8864, &[0x21, 0, 0, 1, 0, 2, 0, 0x21]), "pppoe_header"),
        (datagram(6081, &[5, 0, 8, 0, 0, 0, 1, 0, 1, 2, 3]), "geneve_header"),
        (datagram(2152, &[0x34, 255, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0x85, 0, 0, 0, 0]), "gtp_header"),
    ] {
        let frames = [OwnedFrame { data: frame, ..connection()[0].clone() }];
        let found = run(&frames, Arc::default());
        assert_eq!(found.anomalies(), [name]);
    }
}

#[test]
fn what_is_only_named_is_counted_and_still_a_flow() {
    let plain = &connection()[0].data;
    let ip = |protocol: u8, octets: &[u8]| wrap::over_ip(0, Version::V4, 0, protocol, octets);
    let mut ipv6 = vec![0x60, 0, 0, 0, 0, 4, 59, 64];
    ipv6.extend([1; 36]);
    for (frame, name) in [
        (ip(50, &[1; 40]), "esp"),
        (ip(115, &[1; 40]), "l2tp_v3"),
        (ip(47, &[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1], &plain[..]].concat()), "erspan_3"),
        (ip(47, &[0x30, 1, 0x88, 0x0b, 0, 4, 0, 1, 0, 0, 0, 1, 0, 0x21, 0, 0]), "pptp"),
        (datagram(1701, &[0, 3, 0, 0, 0, 0, 0, 1, 9, 9]), "l2tp_v3"),
        (datagram(1701, &[0, 2, 0, 1, 0, 1, 0, 0x2d, 9, 9]), "ppp_compressed"),
        (datagram(3544, &ipv6), "teredo"),
    ] {
        assert_eq!(counted(name, frame), 1, "{name}");
    }
    assert_eq!(counted("macsec", wrap::link(0, 0, 0x88e5, &[0; 60])), 0);
}

/// How many flows a frame makes that is counted under this name, and no other.
fn counted(name: &'static str, data: Vec<u8>) -> u64 {
    let mut sink = Collected::default();
    let mut engine = Engine::new(Arc::default(), Limits::default(), &sink);
    feed(&mut engine, &[OwnedFrame { data, ..connection()[0].clone() }], &mut sink);
    engine.finish(&mut sink);
    assert_eq!(sink.anomalies(), [""; 0], "{name}");
    let stats = engine.stats();
    assert_eq!(stats.decode_errors, [(name, 1)].into());
    stats.flows_created
}

#[test]
fn one_tunnel_more_than_is_configured_is_an_anomaly() {
    let gre = wrap::ALL.iter().find(|wrapping| wrapping.name == "GRE").unwrap();
    let mut frames = vec![connection().remove(0)];
    for depth in 1..=9 {
        frames = wrapped(&frames, gre, Version::V4, depth);
        let found = run(&frames, Arc::default());
        let expected: &[&str] = if depth > 8 { &["tunnel_depth"] } else { &[] };
        assert_eq!(found.anomalies(), expected, "{depth} tunnels");
        let record = found.records.last().unwrap();
        assert_eq!(record["tunnel"]["depth"], depth.min(8), "{record}");
    }
    let mut sink = Collected::default();
    let limits = Limits { tunnel_depth: 3, ..Limits::default() };
    let mut engine = Engine::new(Arc::default(), limits, &sink);
    feed(&mut engine, &frames, &mut sink);
    engine.finish(&mut sink);
    assert_eq!(sink.anomalies(), ["tunnel_depth"]);
    assert_eq!(sink.records[0]["tunnel"]["depth"], 3);
    let label = [0, 0x3e, 0x80, 64];
    let labels = wrap::link(0, 0, 0x8847, &label.repeat(60));
    let frames = [OwnedFrame { data: labels, ..connection()[0].clone() }];
    assert_eq!(run(&frames, Arc::default()).anomalies(), ["tunnel_depth"]);
}

fn tenants(tenancy: Tenancy, frames: &[OwnedFrame]) -> Collected {
    let mut collected = Collected::default();
    let engine = Engine::new(Arc::default(), Limits::default(), &collected);
    let mut engine = engine.with_tenants(tenancy);
    feed(&mut engine, frames, &mut collected);
    engine.finish(&mut collected);
    collected
}

/// A connection in each of two tenants, frame by frame in turn.
fn in_turn(one: Vec<OwnedFrame>, other: Vec<OwnedFrame>) -> Vec<OwnedFrame> {
    one.into_iter().zip(other).flat_map(<[OwnedFrame; 2]>::from).collect()
}

#[test]
fn tenants_with_the_same_addresses_are_flows_of_their_own() {
    let all = Tenancy::default();
    let vlan = |id: u16| {
        let tag = move |mut frame: OwnedFrame| {
            frame.data.splice(12..12, [0x81, 0, 0, id as u8]);
            frame
        };
        connection().into_iter().map(tag).collect::<Vec<_>>()
    };
    let vxlan = |vni: u8, level: u8| {
        let wrap = move |mut frame: OwnedFrame| {
            let octets = [&[8, 0, 0, 0, 0, 0, vni, 0], &frame.data[..]].concat();
            let udp = wrap::udp(40_000, 4789, &octets);
            frame.data = wrap::over_ip(wrap::way(&frame.data), Version::V4, level, 17, &udp);
            frame
        };
        connection().into_iter().map(wrap).collect::<Vec<_>>()
    };
    let deep = |id: u16| {
        // Three more in front: it is the fourth.
        let tag = |mut frame: OwnedFrame| {
            frame.data.splice(12..12, [0x88, 0xa8, 0, 1, 0x88, 0xa8, 0, 2, 0x81, 0, 0, 9]);
            frame
        };
        vlan(id).into_iter().map(tag).collect()
    };
    for (name, frames, without) in [
        ("VLANs", in_turn(vlan(7), vlan(8)), Tenancy { vlan: false, ..all }),
        ("deep VLANs", in_turn(deep(7), deep(8)), Tenancy { vlan: false, ..all }),
        ("VNIs", in_turn(vxlan(7, 0), vxlan(8, 0)), Tenancy { vni: false, ..all }),
        ("tunnels", in_turn(vxlan(7, 0), vxlan(7, 1)), Tenancy { tunnel: false, ..all }),
    ] {
        let apart = tenants(all, &frames);
        assert_eq!(apart.of("flow").len(), 2, "{name}");
        assert_eq!(apart.anomalies(), [""; 0], "{name}");
        let ids: Vec<_> = apart.of("flow").iter().map(|flow| flow["flow_id"].clone()).collect();
        assert_ne!(ids[0], ids[1], "{name}");
        let again: Vec<_> =
            tenants(all, &frames).of("flow").iter().map(|flow| flow["flow_id"].clone()).collect();
        assert_eq!(ids, again, "{name}: identifiers differ from run to run");
        // Each of the two has its point, once.
        assert_eq!(apart.messages().len(), 14, "{name}");
        let together = tenants(without, &frames);
        assert_eq!(together.of("flow").len(), 1, "{name}");
    }
}

/// What stations do on one connection counts for the next: of the same tenant.
#[test]
fn what_is_known_of_a_station_is_not_known_of_its_namesake() {
    // A command on one connection, and its confirmation on another beside it.
    let command = [0x68, 14, 0, 0, 0, 0, 45, 1, 6, 0, 10, 0, 7, 0, 0, 1];
    let confirmation = [0x68, 14, 0, 0, 0, 0, 45, 1, 7, 0, 10, 0, 7, 0, 0, 1];
    let conversation = |port: u16, from: End, octets: &[u8]| {
        let mut wire = Wire::between([[10, 0, 0, 1], [10, 0, 0, 2]], [port, 2404]);
        wire.open();
        wire.send(Client, STARTDT_ACT);
        wire.send(Server, STARTDT_CON);
        wire.send(from, octets);
        wire.frames
    };
    let first = conversation(40_000, Client, &command);
    let offset = first.len() as u64 * 1_000_000;
    let later = |mut frame: OwnedFrame| {
        frame.timestamp = Timestamp::from_nanos(frame.timestamp.as_nanos() + offset);
        frame
    };
    let second: Vec<_> =
        conversation(40_001, Server, &confirmation).into_iter().map(later).collect();
    let gre = |frames: &[OwnedFrame], level: u8| {
        let wrap = |frame: &OwnedFrame| {
            let gre = [&[0, 0, 8, 0], &frame.data[..]].concat();
            let way = u32::from(frame.data[15] == 2);
            let data = wrap::over_ip(way, Version::V4, level, 47, &gre);
            OwnedFrame { data, link: LinkType::Ethernet, ..frame.clone() }
        };
        frames.iter().map(wrap).collect::<Vec<_>>()
    };
    let outcome = |found: &Collected| {
        let of = |record: &&Json| Some(record["iec104"]["command"]["outcome"].as_str()?.to_owned());
        found.of("iec104").iter().filter_map(of).collect::<Vec<_>>()
    };
    let same = [gre(&first, 0), gre(&second, 0)].concat();
    assert_eq!(outcome(&run(&same, Arc::default())), ["completed"]);
    let other = [gre(&first, 0), gre(&second, 1)].concat();
    assert_eq!(outcome(&run(&other, Arc::default())), ["open"]);
}
