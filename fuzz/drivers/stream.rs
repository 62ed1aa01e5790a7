//! Drives the parser of a protocol as the flow layer does.

#[path = "../../src/protocol/conversation.rs"]
mod conversation;

use std::time::Duration;

use gridtap::event::{Record, Records, Schema};
use gridtap::flow::{Acknowledged, Direction, FlowKey, Progress, Side};
use gridtap::protocol::{self, Input, Left, Parser, Protocol, Shared, Start};
use gridtap::time::Timestamp;

use super::walk;
use conversation::Conversation;

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
    let time = Timestamp::from_nanos(1_000_000_000_000_000_000);
    let conversation = || Conversation::new(protocol, start, time, Transcript::default());
    let whole = play(conversation(), script, usize::MAX);
    let single = play(conversation(), script, 1);
    assert_eq!(whole, single, "the records depend on how the stream is cut");
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

/// Plays a script, at most `cut` octets at once; the records that came.
fn play(mut conversation: Conversation<Transcript>, mut script: &[u8], cut: usize) -> String {
    while let [what, length, rest @ ..] = script {
        let direction = if what & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
        let length = usize::from(*length) << if what & 2 == 0 { 0 } else { 4 };
        if what & 0x1c == 0x1c {
            conversation.miss(direction, length);
            script = rest;
            continue;
        }
        let (octets, next) = rest.split_at(length.min(rest.len()));
        let seconds = if what & 0x80 == 0 { 1 } else { 60 };
        conversation.time = conversation.time + Duration::from_secs(seconds);
        let acknowledged = match what >> 5 & 3 {
            0 | 1 => Acknowledged::All,
            2 => Acknowledged::Part,
            _ => Acknowledged::Beyond,
        };
        octets.chunks(cut).for_each(|octets| conversation.hear(direction, acknowledged, octets));
        script = next;
    }
    conversation.end().0
}
