//! Streams against a reassembler that is simple and right to see: see `common/naive.rs`.

#[path = "common/naive.rs"]
mod naive;

use gridtap::flow::Overlaps;

/// Lists for each policy; `GRIDTAP_CASES=1000000` for more than every run has time for.
fn cases() -> u64 {
    std::env::var("GRIDTAP_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(20_000)
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Segments that overlap each other much: few octets, few values.
fn segments(numbers: &mut Numbers) -> Vec<naive::Segment> {
    let room = 4 + numbers.below(40);
    let longest = 1 + numbers.below(room);
    let values = 1 + numbers.below(3);
    let count = 1 + numbers.below(14);
    (0..count)
        .map(|_| {
            let at = numbers.below(room);
            let length = 1 + numbers.below(longest);
            let octets = (0..length).map(|_| b'0' + numbers.below(values) as u8).collect();
            (at as usize, octets)
        })
        .collect()
}

#[test]
fn every_policy_reads_what_the_naive_reassembler_reads() {
    let cases = cases();
    for (seed, policy) in (1..).zip(Overlaps::ALL) {
        let mut numbers = Numbers(seed);
        for _ in 0..cases {
            // Some of them where numbers wrap.
            let first = 0_u32.wrapping_sub(numbers.below(60) as u32).wrapping_add(30);
            naive::compare(*policy, first, &segments(&mut numbers));
        }
    }
}

/// The policies differ: a test in which all of them read the same would hold nothing.
#[test]
fn policies_differ() {
    let (old, new) = (|at, length| (at, vec![b'o'; length]), |at, length| (at, vec![b'n'; length]));
    for (newer, reads) in [
        (new(2, 4), ["oooo", "nnoo", "nnoo", "nnoo", "nnoo"]),
        (new(4, 6), ["oooo", "nnnn", "nnnn", "oooo", "oooo"]),
        (new(5, 2), ["oooo", "onno", "oooo", "oooo", "oooo"]),
    ] {
        let segments = [old(4, 4), newer, (0, b"____".to_vec())];
        for (policy, expected) in Overlaps::ALL.iter().zip(reads) {
            let read = naive::read(*policy, &segments);
            let there: Vec<u8> = read.octets[4..8].iter().copied().flatten().collect();
            assert_eq!(String::from_utf8_lossy(&there), expected, "{policy:?}");
            naive::compare(*policy, 7, &segments);
        }
    }
}
