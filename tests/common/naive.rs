//! A reassembler that is simple, slow and right to see, and the real one held against it.
//!
//! It has no segments, no pieces and no holes: a row of cells, one for each octet of the stream, and
//! each cell knows which segment its octet is from. Who wins an octet is read from the table below,
//! which says what Novak and Sturges found ("Target-Based TCP Stream Reassembly", 2007); it shares
//! nothing with the one that it is held against.

#![allow(unreachable_pub, reason = "as in the other modules of this folder")]

use gridtap::flow::{
    Acknowledged, HostPolicy, Incident, Overlaps, Progress, Reader, Side, Stream, Why,
};
use gridtap::packet::{Checksum, Tcp, TcpFlags};
use gridtap::time::Timestamp;

/// A segment: where it begins in the stream, and what it has.
pub type Segment = (usize, Vec<u8>);

/// An octet, and the segment that it came with.
#[derive(Clone, Copy)]
struct Cell {
    value: u8,
    first: usize,
    last: usize,
}

/// What became of a list of segments.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// What was delivered: an octet, or nothing where one never came.
    pub octets: Vec<Option<u8>>,
    /// For each segment, whether it contradicted octets that waited.
    pub contradicts: Vec<bool>,
}

/// Whether the newer segment wins, by where it begins, as its first octet is before, at or behind
/// that of the older one, and where it ends.
fn newer_wins(policy: Overlaps, older: Cell, newer: Cell) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let begins = newer.first.cmp(&older.first);
    let ends = newer.last.cmp(&older.last);
    match (policy, begins, ends) {
        (Overlaps::First, _, _) => false,
        (Overlaps::Last, _, _) | (_, Less, _) | (Overlaps::Linux, Equal, Greater) => true,
        (_, Equal | Greater, _) => false,
    }
}

/// Reads segments octet by octet. What is in order is gone at once; in the end, holes are left.
pub fn read(policy: Overlaps, segments: &[Segment]) -> Read {
    let mut cells: Vec<Option<Cell>> = Vec::new();
    let mut next = 0;
    let mut contradicts = Vec::new();
    for (at, octets) in segments {
        cells.resize(cells.len().max(at + octets.len()), None);
        let mut contradiction = false;
        for (place, value) in (*at..).zip(octets) {
            let newer = Cell { value: *value, first: *at, last: at + octets.len() - 1 };
            if place < next {
                continue;
            }
            contradiction |= cells[place].is_some_and(|older| older.value != *value);
            if cells[place].is_none_or(|older| newer_wins(policy, older, newer)) {
                cells[place] = Some(newer);
            }
        }
        contradicts.push(contradiction);
        while next < cells.len() && cells[next].is_some() {
            next += 1;
        }
    }
    Read { octets: cells.iter().map(|cell| cell.map(|cell| cell.value)).collect(), contradicts }
}

/// Writes down what a stream delivers.
#[derive(Default)]
struct Transcript {
    octets: Vec<Option<u8>>,
    incidents: usize,
}

impl Reader for Transcript {
    fn turn_to(&mut self, _: Side, _: Acknowledged, _: Acknowledged) {}

    fn data(&mut self, octets: &[u8]) -> Progress {
        assert!(!octets.is_empty(), "nothing is delivered");
        self.octets.extend(octets.iter().copied().map(Some));
        Progress::all(octets.len())
    }

    fn gap(&mut self, missing: u64, _: Why) {
        self.octets.extend(std::iter::repeat_n(None, missing as usize));
    }

    fn incident(&mut self, incident: Incident) {
        assert!(matches!(incident, Incident::OverlapDiffers { .. }), "{incident:?}");
        self.incidents += 1;
    }

    fn max_kept(&self) -> usize {
        1024
    }
}

/// What stands before the segments, in two of them: of the first one alone a stream believes no
/// second copy, as it may be forged.
const BEFORE: &[u8] = b"ab";

/// Holds the real reassembler against the naive one. `first` is the number of the first octet.
pub fn compare(overlaps: Overlaps, first: u32, segments: &[Segment]) {
    let mut stream = Stream::default();
    stream.set_policy(HostPolicy { overlaps, ..HostPolicy::default() });
    let start = first.wrapping_sub(BEFORE.len() as u32);
    stream.start(start);
    let mut transcript = Transcript::default();
    let now = Timestamp::from_nanos(1_000_000_000);
    for (offset, octet) in (0..).zip(BEFORE.chunks(1)) {
        stream.segment(now, &tcp(start.wrapping_add(offset), octet), &mut transcript);
    }
    let naive = read(overlaps, segments);
    let all = || format!("{overlaps:?}, first {first}: {segments:?}");
    let mut seen: Vec<Option<u8>> = Vec::new();
    for ((at, octets), contradicts) in segments.iter().zip(&naive.contradicts) {
        let before = transcript.incidents;
        // What was delivered may be compared, too; with the same content nothing is to be said.
        let differs = octets.iter().zip(*at..).any(|(octet, place)| {
            seen.get(place).copied().flatten().is_some_and(|there| there != *octet)
        });
        stream.segment(now, &tcp(first.wrapping_add(*at as u32), octets), &mut transcript);
        let named = transcript.incidents > before;
        assert!(named || !contradicts, "a contradiction is not named at {at}; {}", all());
        assert!(!named || *contradicts || differs, "nothing contradicts at {at}; {}", all());
        seen = transcript.octets[BEFORE.len()..].to_vec();
    }
    stream.flush(None, &mut transcript);
    assert_eq!(transcript.octets[BEFORE.len()..], naive.octets, "{}", all());
    assert_eq!((stream.has_hole(), stream.memory()), (false, 0), "{}", all());
}

fn tcp(sequence: u32, payload: &[u8]) -> Tcp<'_> {
    Tcp {
        source_port: 1,
        destination_port: 2,
        sequence,
        acknowledgment: 0,
        flags: TcpFlags(TcpFlags::ACK),
        checksum: Checksum::Good,
        header_length: 20,
        timestamp: None,
        urgent: 0,
        payload,
        missing: 0,
        fingerprint: Tcp::fingerprint_of(payload),
    }
}
