//! Whatever a frame holds, the engine survives it, keeps to its limits, and goes on to see what is
//! sound.

mod common;

use std::sync::Arc;

use common::{Collected, OwnedFrame, feed, file, frames};
use gridtap::engine::{Engine, Limits};
use gridtap::flow::Timeouts;
use gridtap::packet::LinkType;
use gridtap::protocol;
use gridtap::rule::{Placeholders, RuleSet};
use gridtap::time::Timestamp;
use proptest::prelude::*;

fn rules() -> Arc<RuleSet> {
    let services: Vec<_> = protocol::services().collect();
    let loaded = RuleSet::load(&RuleSet::builtin_sources(), &services, &Placeholders::default());
    Arc::new(loaded.expect("the built-in pack loads"))
}

fn any_link() -> impl Strategy<Value = LinkType> {
    prop::sample::select(LinkType::ALL)
}

fn any_frame() -> impl Strategy<Value = OwnedFrame> {
    (any_link(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..120)).prop_map(
        |(link, nanos, data)| OwnedFrame {
            timestamp: Timestamp::from_nanos(u64::from(nanos) * 1000),
            link,
            data,
        },
    )
}

/// Where the checksum of TCP stands in an IPv4 packet without options over Ethernet.
const TCP_CHECKSUM: std::ops::Range<usize> = 50..52;

/// A real conversation with octets changed, frames lost, repeated and exchanged.
fn damage(frames: &[OwnedFrame], changes: &[(usize, usize, u8)]) -> Vec<OwnedFrame> {
    let mut damaged = frames.to_vec();
    for (frame, octet, value) in changes {
        let index = frame % damaged.len();
        match value {
            0 => drop(damaged.remove(index)),
            1 => damaged.insert(index, damaged[index].clone()),
            2 => {
                let other = octet % damaged.len();
                damaged.swap(index, other);
            }
            _ => {
                let data = &mut damaged[index].data;
                let octet = octet % data.len();
                data[octet] = *value;
                // Zero: left to the network card. Else nothing damaged would get through.
                if let Some(checksum) = data.get_mut(TCP_CHECKSUM) {
                    checksum.fill(0);
                }
            }
        }
    }
    damaged
}

fn see(engine: &mut Engine, frames: &[OwnedFrame]) -> Collected {
    let mut collected = Collected::default();
    feed(engine, frames, &mut collected);
    engine.finish(&mut collected);
    collected
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn noise_is_survived(noise in prop::collection::vec(any_frame(), 0..60)) {
        let mut engine = Engine::new(rules(), Limits::default(), &Collected::default());
        see(&mut engine, &noise);
        prop_assert_eq!(engine.stats().packets, noise.len() as u64);
        prop_assert_eq!(engine.stats().flows_active, 0);
    }

    #[test]
    fn damage_is_survived_and_what_follows_is_seen(
        changes in prop::collection::vec((any::<usize>(), any::<usize>(), any::<u8>()), 1..200),
    ) {
        let demo = frames(&file("pcaps/demo.pcap"));
        let mut engine = Engine::new(rules(), Limits::default(), &Collected::default());
        see(&mut engine, &damage(&demo, &changes));
        prop_assert_eq!(engine.stats().stream_memory, 0);
        let clean = frames(&file("pcaps/clean.pcap"));
        let after = see(&mut engine, &clean).application().len();
        let mut fresh = Engine::new(rules(), Limits::default(), &Collected::default());
        prop_assert_eq!(after, see(&mut fresh, &clean).application().len());
    }

    #[test]
    fn limits_hold_under_damage(
        changes in prop::collection::vec((any::<usize>(), any::<usize>(), any::<u8>()), 1..200),
    ) {
        let demo = frames(&file("pcaps/demo.pcap"));
        let limits = Limits { flows: 5, timeouts: Timeouts::default(), stream_memory: 2048 };
        let mut engine = Engine::new(rules(), limits, &Collected::default());
        let mut collected = Collected::default();
        for frame in damage(&demo, &changes) {
            feed(&mut engine, &[frame], &mut collected);
            prop_assert!(engine.stats().flows_active <= 5);
            // One segment, or one message that is not whole, may stand beyond the limit.
            prop_assert!(engine.stats().stream_memory <= 2048 + 4096);
        }
    }
}
