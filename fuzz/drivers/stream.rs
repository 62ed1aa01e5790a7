//! Drives the parser of a protocol as the flow layer does: octets in order, the tail of an
//! unfinished message kept, what the parser does not want to see skipped.

use std::time::Duration;

use gridtap::event::{Record, Records, Schema};
use gridtap::flow::{Acknowledged, Direction, FlowKey, Progress, Side};
use gridtap::protocol::{self, Input, Parser, Protocol, Shared, Start};
use gridtap::time::Timestamp;

use super::walk;

/// A conversation, and how it is cut. The first octet's lowest bit: joined in the middle. Then
///
/// ```text
/// | what | length | octets … |  and so on
///    1       1
/// ```
///
/// where `what` has the direction in bit 0, makes the length count 16 octets each in bit 1, is a
/// gap of that length, without octets, when bits 2 to 4 are all set, and says in bits 5 and 6 what
/// its sender has acknowledged. Bit 7 lets a minute pass before it, else it is a second.
///
/// Shown octet by octet, the conversation must give the same records.
pub(crate) fn drive(protocol: &str, octets: &[u8]) {
    let protocol = protocol::by_name(protocol).expect("a registered protocol");
    let Some((first, script)) = octets.split_first() else { return };
    let ends = [([10, 20, 0, 10].into(), 40_000), ([10, 30, 0, 1].into(), 2404)];
    let key = FlowKey::new(ends, [0, 0], 6);
    let start = Start { key: &key, client: Side::Lower, joined: first & 1 != 0 };
    let _ = (protocol.recognise)(script);
    let whole = Conversation::new(protocol, start).play(script, usize::MAX);
    let single = Conversation::new(protocol, start).play(script, 1);
    assert_eq!(whole, single, "the records depend on how the stream is cut");
}

struct Conversation {
    protocol: &'static Protocol,
    parser: Box<dyn Parser>,
    shared: Box<Shared>,
    time: Timestamp,
    directions: [Kept; 2],
    transcript: Transcript,
}

/// What is kept of a direction for an unfinished message.
#[derive(Default)]
struct Kept {
    octets: Vec<u8>,
    wanted: usize,
    skip: usize,
}

/// The records as text, a line each.
#[derive(Default)]
struct Transcript(String);

impl Records for Transcript {
    fn emit(&mut self, record: &dyn Record) {
        walk::record(record, &mut self.0);
        self.0.push('\n');
    }

    fn wants(&self, _schema: &'static Schema) -> bool {
        true
    }
}

impl Conversation {
    fn new(protocol: &'static Protocol, start: Start<'_>) -> Self {
        let shared = (protocol.shared)();
        Self {
            protocol,
            parser: (protocol.start)(start, &*shared),
            shared,
            time: Timestamp::from_nanos(1_000_000_000_000_000_000),
            directions: Default::default(),
            transcript: Transcript::default(),
        }
    }

    /// Plays a script, at most `cut` octets at once; the records that came.
    fn play(mut self, mut script: &[u8], cut: usize) -> String {
        while let [what, length, rest @ ..] = script {
            let direction = if what & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
            let length = usize::from(*length) << if what & 2 == 0 { 0 } else { 4 };
            if what & 0x1c == 0x1c {
                self.miss(direction, length);
                script = rest;
                continue;
            }
            let (octets, next) = rest.split_at(length.min(rest.len()));
            self.time = self.time + Duration::from_secs(if what & 0x80 == 0 { 1 } else { 60 });
            let acknowledged = match what >> 5 & 3 {
                0 | 1 => Acknowledged::All,
                2 => Acknowledged::Part,
                _ => Acknowledged::Beyond,
            };
            octets.chunks(cut).for_each(|octets| self.hear(direction, acknowledged, octets));
            script = next;
        }
        let left = self.directions.each_ref().map(|kept| &kept.octets[..]);
        self.parser.end(left, &mut *self.shared, &mut self.transcript);
        self.parser.facts(&mut |name, _| assert!(!name.is_empty()));
        self.transcript.0
    }

    fn hear(&mut self, direction: Direction, acknowledged: Acknowledged, octets: &[u8]) {
        let kept = &mut self.directions[direction as usize];
        let skipped = kept.skip.min(octets.len());
        kept.skip -= skipped;
        kept.octets.extend_from_slice(&octets[skipped..]);
        while !kept.octets.is_empty() && kept.octets.len() >= kept.wanted {
            let shown = kept.octets.len();
            let (time, bytes) = (self.time, &kept.octets[..]);
            let late = acknowledged == Acknowledged::Part;
            let input = Input { direction, time, late, clock_trusted: true, acknowledged, bytes };
            let Progress { consumed, wanted } =
                self.parser.data(input, &mut *self.shared, &mut self.transcript);
            kept.octets.drain(..consumed.min(shown));
            kept.skip = consumed.saturating_sub(shown);
            kept.wanted = if kept.octets.is_empty() { 0 } else { wanted };
            if !kept.octets.is_empty() {
                assert!(wanted > kept.octets.len(), "it wants no more than it has");
                assert!(wanted <= self.protocol.max_kept, "it wants more than it may");
            }
        }
    }

    fn miss(&mut self, direction: Direction, missing: usize) {
        let kept = &mut self.directions[direction as usize];
        let unwanted = kept.skip.min(missing);
        kept.skip -= unwanted;
        if missing > unwanted {
            kept.octets.clear();
            kept.wanted = 0;
            self.parser.gap(direction, (missing - unwanted) as u64, &mut self.transcript);
        }
    }
}
