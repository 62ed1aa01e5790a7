//! Community IDs are those that every other tool derives.

mod common;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use gridtap::flow::{FlowKey, community_id};
use gridtap::rule::RuleSet;
use serde_json::Value;

fn vectors(folder: &Path, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let Value::Array(vectors) = serde_json::from_str(&text).unwrap() else {
        panic!("{name} is no list")
    };
    assert!(vectors.len() > 20);
    vectors
}

/// The vectors of the specification, whose ends are not always in order.
#[test]
fn agrees_with_every_vector() {
    let Some(folder) = common::shared("community-id") else { return };
    for (seed, name) in [(0, "baseline_deflt.json"), (1, "baseline_seed1.json")] {
        for vector in vectors(&folder, name) {
            let port = |name: &str| vector[name].as_u64().unwrap_or(0) as u16;
            let address = |name: &str| vector[name].as_str().unwrap().parse::<IpAddr>().unwrap();
            let mut ends = [(address("saddr"), port("sport")), (address("daddr"), port("dport"))];
            let one_way = matches!(vector["proto"].as_u64(), Some(1 | 58)) && !answered(ends[0].1);
            if !one_way {
                ends.sort();
            }
            let protocol = vector["proto"].as_u64().unwrap() as u8;
            let key = FlowKey::new(ends, [0; 2], protocol);
            assert_eq!(community_id(&key, seed), vector["communityid"], "{vector}");
        }
    }
}

/// Types of ICMP and ICMPv6 in the vectors that have an answer.
fn answered(kind: u16) -> bool {
    matches!(kind, 0 | 8 | 128 | 129 | 133..=136)
}

/// The specification's captures.
#[test]
fn agrees_on_every_capture() {
    let Some(folder) = common::shared("community-id") else { return };
    let mut ours = BTreeSet::new();
    for capture in common::files(&folder) {
        if capture.extension().is_some_and(|extension| extension == "pcap") {
            let said = common::run(&common::frames(&capture), Arc::new(RuleSet::default()));
            let flows = said.of("flow");
            ours.extend(flows.iter().map(|flow| flow["community_id"].as_str().unwrap().to_owned()));
        }
    }
    // The folder has no capture of SCTP and RSVP.
    let theirs: BTreeSet<_> = vectors(&folder, "baseline_deflt.json")
        .iter()
        .filter(|vector| matches!(vector["proto"].as_u64(), Some(1 | 6 | 17 | 58)))
        .map(|vector| vector["communityid"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ours, theirs);
}
