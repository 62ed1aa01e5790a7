//! What octets could be, when nobody said it: a packet, of which level, at which boundary.
//!
//! MQTT has no start octet. After a gap, in a connection that had begun before the capture, or
//! behind a length that cannot be right, the next packet is found by trying: octets are a packet
//! if they read as one without a flaw, and one such packet that says much, or two in a row, are no
//! accident. Every answer depends on the octets alone, not on how they were cut into segments.

use super::header::{Dialect, Header, Level, PacketType, Start, encoded_length};
use super::packet::Packet;
use super::reader::Reader;
use super::violation::Flawless;

/// How many octets of a packet are tried at the most. Keeps a stream made to be ambiguous from
/// costing more than so many looks an octet.
const TRIED: usize = 1024;

/// How many octets are tried behind a good fixed header, then four times as many, and so on: most
/// places are no packet at the first look. It must not be as many as there are, lest the answer
/// depend on that.
const FIRST_TRIED: usize = 8;

/// Reading a packet at all, at two levels, costs as much as so many octets.
pub(super) const LEAST: usize = 32;

/// So many octets that hold what the standard demands of them are no accident: a fixed header, a
/// length and six readable characters happen to random octets once in 2³⁰ times.
const TELLING: usize = 10;

/// What some octets look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// No packet begins here; to tell cost as much as to read so many octets.
    Nothing(usize),
    /// So many octets are needed to tell.
    More(usize),
    /// A packet.
    Packet {
        /// Its type.
        kind: PacketType,
        /// Its length, header included.
        total: usize,
        /// How many of its octets had to be what they are.
        checked: usize,
        /// Whether there are no more of these.
        is_whole: bool,
    },
}

/// Whether a packet begins at the start of `bytes`, at the level spoken if that is known.
fn packet(bytes: &[u8], dialect: Option<Dialect>) -> Look {
    packet_by(TRIED, bytes, dialect)
}

/// The same, by no more than `limit` octets of it.
pub(super) fn packet_by(limit: usize, bytes: &[u8], dialect: Option<Dialect>) -> Look {
    let header = match Header::read(bytes) {
        Start::Header(header) => header,
        Start::More(needed) => return Look::More(needed),
        Start::Endless => return Look::Nothing(bytes.len().min(5)),
    };
    let minimal = header.length == 1 + encoded_length(header.remaining);
    if header.kind == PacketType::Reserved || !minimal {
        return Look::Nothing(usize::from(header.length));
    }
    let levels = match dialect {
        Some(dialect) => [Some(dialect), None],
        None => [Some(Dialect::inferred(Level::V4)), Some(Dialect::inferred(Level::V5))],
    };
    let total = header.total();
    let most = total.min(limit);
    let (mut tried, mut looked) = (usize::from(header.length), 0);
    loop {
        let Some(shown) = bytes.get(..tried) else { return Look::More(tried) };
        let read = levels.map(|level| level.and_then(|level| flawless(header, shown, level)));
        let checked = read.iter().flatten().map(|read| read.checked).max();
        looked += checked.unwrap_or(tried).max(LEAST);
        // A field that is longer than what is tried proves nothing.
        let telling = read.into_iter().flatten();
        let telling =
            telling.filter(|read| read.is_whole || tried < limit || read.checked >= TELLING);
        match telling.max() {
            None => return Look::Nothing(looked),
            Some(Sound { checked, is_whole }) if tried == most => {
                return Look::Packet { kind: header.kind, total, checked, is_whole };
            }
            Some(_) => tried = most.min((tried * 4).max(FIRST_TRIED)),
        }
    }
}

/// A packet without a flaw, as far as it is shown.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Sound {
    /// How many of its octets had to be what they are.
    checked: usize,
    /// Whether there are no more of these.
    is_whole: bool,
}

fn flawless(header: Header, shown: &[u8], dialect: Dialect) -> Option<Sound> {
    let length = usize::from(header.length);
    let body = shown.get(length..).unwrap_or_default();
    let beyond = header.total() - shown.len();
    let mut found = Flawless::default();
    header.check(dialect, &mut found);
    let mut reader = Reader::new(body, length, beyond, dialect, &mut found).readable();
    let read = Packet::new(header, Some(dialect), beyond).read_body(&mut reader);
    let checked = reader.at();
    found.holds().then_some(Sound { checked, is_whole: read.is_ok() })
}

/// Whether a place in the stream is a boundary between packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Boundary {
    /// It is none.
    No,
    /// So many octets from there on are needed to tell.
    More(usize),
    /// It is one.
    Yes,
}

/// Whether a packet begins at the start of `bytes`, where one is expected or not.
pub(super) fn boundary(bytes: &[u8], dialect: Option<Dialect>, expected: bool) -> Boundary {
    match packet(bytes, dialect) {
        Look::Nothing(_) => Boundary::No,
        Look::More(needed) => Boundary::More(needed),
        Look::Packet { checked, .. } if expected || checked >= TELLING => Boundary::Yes,
        Look::Packet { total, .. } if total > TRIED => Boundary::No,
        Look::Packet { total, .. } => {
            match packet(bytes.get(total..).unwrap_or_default(), dialect) {
                Look::Nothing(_) => Boundary::No,
                Look::More(needed) => Boundary::More(total + needed),
                Look::Packet { .. } => Boundary::Yes,
            }
        }
    }
}

/// What a packet tells of the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// It could be any, or is wrong in any.
    None,
    /// It could be another, but this is likelier.
    Likely(Level),
    /// It can only be this.
    Only(Level),
}

/// Which level a packet is of. Levels 3 and 4 differ in CONNECT only.
pub(super) fn level(header: Header, body: &[u8], beyond: usize) -> Hint {
    let read = |level| {
        let mut found = Flawless::default();
        let mut packet = Packet::new(header, Some(Dialect::inferred(level)), beyond);
        packet.read(body, &mut found);
        found.holds().then_some(packet)
    };
    match (read(Level::V4), read(Level::V5)) {
        (Some(_), None) => Hint::Only(Level::V4),
        (None, Some(_)) => Hint::Only(Level::V5),
        // Any payload is one of level 4. Few begin with what reads as properties, and those that
        // begin with a zero are binary, while without properties every one of level 5 does.
        (Some(_), Some(packet)) if header.kind == PacketType::Publish => {
            if packet.properties.is_empty() {
                Hint::Likely(Level::V5)
            } else {
                Hint::Only(Level::V5)
            }
        }
        _ => Hint::None,
    }
}
