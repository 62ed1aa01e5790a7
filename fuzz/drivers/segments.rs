//! Drives the reassembly of a stream: against one that is simple and right to see, then with
//! everything that may stand in a segment.

#[path = "../../tests/common/naive.rs"]
mod naive;

use std::num::NonZeroU32;
use std::time::Duration;

use gridtap::flow::{
    Acknowledged, Checksums, Connection, HostPolicy, Incident, Overlaps, Progress, Reader, Side,
    Urgent, Why,
};
use gridtap::packet::{Checksum, Tcp, TcpFlags};
use gridtap::time::Timestamp;

/// The most that a stream may hold out of order, with what it holds for a message: `pending.rs` and
/// [`Nonsense::max_kept`] say so.
const MOST: usize = 2 * (256 * 1024 + 64 * 1024);

/// A list of segments. The first octet tells how the receiver reads, the next four are the number of the
/// first octet. Then
///
/// ```text
/// | where | how | length | octets … |  and so on
///    1       1      1
/// ```
///
/// where `how` is for the second part only, which `Wild` describes.
pub(crate) fn drive(octets: &[u8]) {
    let Some((head, script)) = octets.split_first_chunk::<5>() else { return };
    let overlaps = Overlaps::ALL[usize::from(head[0]) % Overlaps::ALL.len()];
    let first = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let segments: Vec<naive::Segment> = parts(script)
        .filter(|part| !part.octets.is_empty())
        .map(|part| (part.place.into(), part.octets.to_vec()))
        .collect();
    naive::compare(overlaps, first, &segments);
    let urgent = if head[0] & 0x40 == 0 { Urgent::OutOfBand } else { Urgent::Inline };
    let checksums = if head[0] & 0x80 == 0 { Checksums::Honour } else { Checksums::Strict };
    wild(HostPolicy { overlaps, urgent, checksums }, first, script);
}

struct Part<'a> {
    place: u8,
    how: u8,
    octets: &'a [u8],
}

fn parts(mut script: &[u8]) -> impl Iterator<Item = Part<'_>> {
    std::iter::from_fn(move || {
        let [place, how, length, rest @ ..] = script else { return None };
        let (octets, behind) = rest.split_at(rest.len().min(usize::from(*length % 32)));
        script = behind;
        Some(Part { place: *place, how: *how, octets })
    })
}

/// Segments with flags, timestamps, wrong checksums, times. Nothing is held in the end.
///
/// Of `how`, bit 0 is who sends; bits 1 to 3 are FIN, SYN and RST, bit 4 is URG, bit 5 leaves ACK out,
/// bit 6 makes the checksum wrong, bit 7 gives it a timestamp out of its place.
fn wild(policy: HostPolicy, first: u32, script: &[u8]) {
    let mut connection = Connection::default();
    connection.set_policies([policy; 2]);
    let mut reader = Nonsense::default();
    let mut now = Timestamp::from_nanos(1_000_000_000);
    for Part { place, how, octets } in parts(script) {
        now = now + Duration::from_millis(u64::from(place) * 8);
        let from = if how & 1 == 0 { Side::Lower } else { Side::Upper };
        let flag = |bit: u8, flag: u8| if how & bit == 0 { 0 } else { flag };
        let flags = flag(2, TcpFlags::FIN)
            | flag(4, TcpFlags::SYN)
            | flag(8, TcpFlags::RST)
            | flag(0x10, TcpFlags::URG)
            | (TcpFlags::ACK ^ flag(0x20, TcpFlags::ACK));
        let stamp = NonZeroU32::new(u32::from(place ^ 0x80));
        let tcp = Tcp {
            source_port: 1,
            destination_port: 2,
            sequence: first.wrapping_add(place.into()),
            acknowledgment: first.wrapping_add(u32::from(place / 2)),
            flags: TcpFlags(flags),
            checksum: if how & 0x40 == 0 { Checksum::Good } else { Checksum::Bad },
            header_length: 32,
            timestamp: stamp.filter(|_| how & 0x80 != 0),
            urgent: (place % 8).into(),
            payload: octets,
            missing: 0,
            fingerprint: Tcp::fingerprint_of(octets),
        };
        if !connection.acknowledgment(from, &tcp) {
            let _ = connection.segment(now, from, &tcp, &mut reader);
        }
        let _ = connection.may_die(from, place);
        assert!(connection.memory() <= MOST, "{} octets are held", connection.memory());
    }
    connection.flush(&mut reader);
    assert!(!connection.has_hole(), "a hole outlives the end");
    connection.give_up(&mut reader);
}

/// Asks for one octet more than it has, now and then.
#[derive(Default)]
struct Nonsense {
    calls: usize,
}

impl Reader for Nonsense {
    fn turn_to(&mut self, _: Side, _: Acknowledged, _: Acknowledged) {}

    fn data(&mut self, octets: &[u8]) -> Progress {
        self.calls += 1;
        if self.calls.is_multiple_of(3) && octets.len() < self.max_kept() {
            return Progress::need(octets.len() / 2, octets.len() - octets.len() / 2 + 1);
        }
        Progress::all(octets.len() + self.calls % 2)
    }

    fn gap(&mut self, missing: u64, _: Why) {
        assert!(missing > 0, "a gap of nothing");
    }

    fn incident(&mut self, _: Incident) {}

    fn max_kept(&self) -> usize {
        1000
    }
}
