//! Recognises MQTT packets among any octets, and the WebSocket that may carry them.

use super::guess::{self, Look};
use super::header::{Header, PacketType, Start, VariableInteger, variable_integer};
use super::websocket;
use crate::protocol::{Likeness, Role};

/// What every CONNECT begins with, behind its fixed header (clause 3.1.2.1).
const PROTOCOL_NAMES: [&[u8]; 2] = [b"\0\x04MQTT", b"\0\x06MQIsdp"];

/// Octets of the variable header of the shortest CONNECT, and an empty client identifier.
const SHORTEST_CONNECT: u32 = 12;

/// Evidence of a CONNECT: its first octet and the name.
const CONNECT: u32 = 64;
/// Of one whose name or length is wrong.
const FLAWED_CONNECT: u32 = 16;
/// Of the fixed header of any packet: type, flags and a length that fits.
const HEADER: u32 = 12;
/// Of that of a CONNACK, whose flags and code have few values.
const CONNACK_HEADER: u32 = 24;
/// Of each octet behind it: text has many values, lengths and identifiers have few.
const OCTET: u32 = 2;
/// No packet but CONNECT says more: text alone is no proof.
const MOST: u32 = 40;

/// What packets begin with: type and flags, of PUBLISH without the impossible (clauses 2.1 and
/// 3.3.1.2), of PUBREL, SUBSCRIBE and UNSUBSCRIBE with the DUP of MQTT 3.1, of CONNECT with any, as its
/// name tells what it is. Behind them the heads of HTTP, which no packet begins with; a frame of
/// WebSocket begins as a SUBSCRIBE does.
#[rustfmt::skip]
pub(super) const FIRST_OCTETS: &[u8] = &[
    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
    0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
    0x20,
    0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x3a, 0x3b, 0x3c, 0x3d,
    0x40, 0x50, 0x62, 0x6a, 0x70,
    0x82, 0x8a, 0x90, 0xa2, 0xaa, 0xb0,
    0xc0, 0xd0, 0xe0, 0xf0,
    websocket::HEAD_OCTETS[0], websocket::HEAD_OCTETS[1],
];

/// What packets begin with, by octet.
const IS_FIRST: [bool; 256] = {
    let mut is_first = [false; 256];
    let mut index = 0;
    while index < FIRST_OCTETS.len() - websocket::HEAD_OCTETS.len() {
        is_first[FIRST_OCTETS[index] as usize] = true;
        index += 1;
    }
    is_first
};

/// So many octets of a packet are looked at: more would cost, and prove little.
pub(super) const TRIED: usize = 512;

/// Whether the first octets may be those of a packet, or of a WebSocket.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    match bytes.first() {
        Some(0x10) | None => true,
        Some(0x11..=0x1f) => flagged_connect(bytes) != Likeness::No,
        Some(first) if websocket::HEAD_OCTETS.contains(first) => websocket::may_be_head(bytes),
        Some(&websocket::FRAME_OCTET) if may_be_frame(bytes) => true,
        Some(&first) => IS_FIRST[usize::from(first)] && fits(bytes) != Ok(false),
    }
}

fn may_be_frame(bytes: &[u8]) -> bool {
    websocket::may_be_frame(bytes, |octet| IS_FIRST[usize::from(octet)])
}

/// Looks for a packet, or for a WebSocket that carries some.
pub(super) fn recognise(bytes: &[u8]) -> Likeness {
    match bytes.first() {
        Some(first) if websocket::HEAD_OCTETS.contains(first) => websocket::recognise_head(bytes),
        // A frame with packets in it could be a SUBSCRIBE too, of a filter that nobody uses.
        Some(&websocket::FRAME_OCTET) => match frame(bytes) {
            Likeness::No => packet(bytes),
            Likeness::Refuted(tried) => match packet(bytes) {
                Likeness::No => Likeness::Refuted(tried),
                Likeness::Refuted(more) => Likeness::Refuted(tried + more),
                other => other,
            },
            found => found,
        },
        _ => packet(bytes),
    }
}

/// Looks for a frame of a WebSocket that carries packets.
pub(super) fn frame(bytes: &[u8]) -> Likeness {
    if may_be_frame(bytes) { websocket::recognise_frame(bytes, packet) } else { Likeness::No }
}

fn packet(bytes: &[u8]) -> Likeness {
    match bytes.first() {
        None => Likeness::More(1),
        Some(0x10) => connect(bytes),
        Some(0x11..=0x1f) => flagged_connect(bytes),
        Some(&first) if IS_FIRST[usize::from(first)] => others(bytes),
        Some(_) => Likeness::No,
    }
}

fn connect(bytes: &[u8]) -> Likeness {
    let header = match Header::read(bytes) {
        Start::Header(header) => header,
        Start::More(wanted) => return Likeness::More(wanted),
        Start::Endless => return Likeness::No,
    };
    let length = header.total();
    let rest = bytes.get(usize::from(header.length)..).unwrap_or_default();
    let flawed = Likeness::Flawed { length, evidence: FLAWED_CONNECT };
    if PROTOCOL_NAMES.iter().any(|name| rest.starts_with(name)) {
        if header.remaining < SHORTEST_CONNECT {
            return flawed;
        }
        return Likeness::Message { length, evidence: CONNECT, sender: Some(Role::Client) };
    }
    if PROTOCOL_NAMES.iter().any(|name| name.starts_with(rest)) {
        return Likeness::More(bytes.len() + 1);
    }
    // A name as long as one of the two, and something behind it.
    match rest {
        [0, 4 | 6, ..] if header.remaining >= SHORTEST_CONNECT => flawed,
        _ => Likeness::No,
    }
}

/// A CONNECT with flags that are reserved. Other protocols begin so, and their messages are none that is
/// flawed: nothing but its name tells.
fn flagged_connect(bytes: &[u8]) -> Likeness {
    match Header::read(bytes) {
        Start::Header(header) if header.remaining < SHORTEST_CONNECT => return Likeness::No,
        _ => {}
    }
    match connect(bytes) {
        Likeness::Flawed { .. } => Likeness::No,
        likeness => likeness,
    }
}

/// A packet in the middle of a connection.
fn others(bytes: &[u8]) -> Likeness {
    match fits(bytes) {
        Ok(true) => {}
        Ok(false) => return Likeness::No,
        Err(wanted) => return Likeness::More(wanted),
    }
    match guess::packet_by(TRIED, bytes, None) {
        Look::Nothing(tried) => Likeness::Refuted(tried),
        Look::More(wanted) => Likeness::More(wanted),
        Look::Packet { kind, total, checked, is_whole } => {
            let header = if kind == PacketType::Connack { CONNACK_HEADER } else { HEADER };
            // Lengths beyond what is looked at are any octets.
            let proves = if is_whole { checked } else { 0 };
            let body = OCTET * proves.saturating_sub(2) as u32;
            let evidence = (header + body).min(MOST);
            Likeness::Message { length: total, evidence, sender: role_of(kind) }
        }
    }
}

/// Whether the lengths in the first octets agree, or how many octets it takes to tell. Nearly all
/// places in other data fail, at a small part of what reading a packet costs.
#[inline]
fn fits(bytes: &[u8]) -> Result<bool, usize> {
    let header = match Header::read(bytes) {
        Start::Header(header) => header,
        Start::More(wanted) => return Err(wanted),
        Start::Endless => return Ok(false),
    };
    let (length, remaining) = (usize::from(header.length), header.remaining);
    let wanted = |octets| length + octets;
    let body = bytes.get(length..).unwrap_or_default();
    match (header.kind, remaining) {
        (PacketType::Pingreq | PacketType::Pingresp, _) => Ok(remaining == 0),
        (PacketType::Publish, 2..) => {
            let topic = *body.first_chunk().ok_or(wanted(2))?;
            let topic = 2 + u32::from(u16::from_be_bytes(topic));
            let id = if header.qos() > 0 { 2 } else { 0 };
            // What is longer than what is looked at is no proof.
            Ok(topic + id <= remaining && wanted(topic as usize) <= TRIED)
        }
        // Flags, of which there is one.
        (PacketType::Connack, 2..) => Ok(*body.first().ok_or(wanted(1))? <= 1),
        (PacketType::Disconnect | PacketType::Auth, 0..=1) => Ok(true),
        // Of level 5: a reason, and properties to the end; behind an identifier in the others.
        (PacketType::Disconnect | PacketType::Auth, _) => {
            Ok(properties(bytes, wanted(1), header)? == remaining - 1)
        }
        (
            PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp,
            4..,
        ) => Ok(properties(bytes, wanted(3), header)? == remaining - 3),
        // Behind the identifier a filter or codes, at level 5 properties first.
        (kind, 4..) => {
            let &[_, _, third, fourth] = body.first_chunk().ok_or(wanted(4))?;
            let begins = match kind {
                PacketType::Suback => matches!(third, 0..=2 | 0x80),
                PacketType::Unsuback => false,
                _ => 4 + u32::from(u16::from_be_bytes([third, fourth])) <= remaining,
            };
            Ok(begins || properties(bytes, wanted(2), header)? <= remaining - 2)
        }
        (_, remaining) => Ok(remaining >= 2),
    }
}

/// How many octets the properties take of which the length stands `at` this octet of a packet, or
/// how many octets it takes to tell.
fn properties(bytes: &[u8], at: usize, header: Header) -> Result<u32, usize> {
    let packet = bytes.get(..header.total()).unwrap_or(bytes);
    match variable_integer(packet.get(at..).unwrap_or_default()) {
        VariableInteger::Value { value, length } => Ok(value + u32::from(length)),
        VariableInteger::Short if packet.len() < header.total() => Err(packet.len().max(at) + 1),
        VariableInteger::Short | VariableInteger::Endless => Ok(u32::MAX),
    }
}

/// Who sends packets of this type, if only one end does.
pub(super) fn role_of(kind: PacketType) -> Option<Role> {
    match kind {
        PacketType::Connect
        | PacketType::Subscribe
        | PacketType::Unsubscribe
        | PacketType::Pingreq => Some(Role::Client),
        PacketType::Connack | PacketType::Suback | PacketType::Unsuback | PacketType::Pingresp => {
            Some(Role::Server)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT_4: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a";
    const CONNECT_31: &[u8] = b"\x10\x0f\0\x06MQIsdp\x03\x02\0\x3c\0\x01a";

    fn message(length: usize, evidence: u32, sender: Option<Role>) -> Likeness {
        Likeness::Message { length, evidence, sender }
    }

    #[test]
    fn a_connect_is_known_by_its_name_and_by_no_prefix_of_it() {
        for (connect, name_ends) in [(CONNECT_4, 8), (CONNECT_31, 10)] {
            for length in 0..connect.len() {
                let likeness = recognise(&connect[..length]);
                if length < name_ends {
                    assert!(matches!(likeness, Likeness::More(wanted) if wanted > length));
                } else {
                    assert_eq!(likeness, message(connect.len(), CONNECT, Some(Role::Client)));
                }
            }
        }
        assert_eq!(recognise(b"\x10\xff\xff\xff\xff\x01"), Likeness::No);
        assert_eq!(recognise(b"\x10\x0d\x02\x01"), Likeness::No);
        let flawed = |length| Likeness::Flawed { length, evidence: FLAWED_CONNECT };
        assert_eq!(recognise(b"\x10\x0d\0\x04HTTP\x04"), flawed(15));
        assert_eq!(recognise(b"\x10\x03\0\x04MQTT\x04"), flawed(5));
    }

    /// Flags of a CONNECT are reserved; whoever sets them is no less a client.
    #[test]
    fn a_connect_with_flags_is_known_by_its_name_alone() {
        for flags in 1..=15 {
            for connect in [CONNECT_4, CONNECT_31] {
                let mut flagged = connect.to_vec();
                flagged[0] |= flags;
                let name_ends = 4 + usize::from(flagged[3]);
                for length in 1..flagged.len() {
                    let likeness = recognise(&flagged[..length]);
                    if length < name_ends {
                        assert!(matches!(likeness, Likeness::More(wanted) if wanted > length));
                    } else {
                        assert_eq!(likeness, message(connect.len(), CONNECT, Some(Role::Client)));
                    }
                }
                flagged[5] = b'x';
                assert_eq!(recognise(&flagged), Likeness::No, "not one that is flawed");
            }
            let first = 0x10 | flags;
            for version in 0..=4 {
                assert_eq!(recognise(&[first, 3, version]), Likeness::No, "a record of TLS");
            }
        }
    }

    /// What is refused at a glance is nothing at a second look.
    #[test]
    fn the_first_octets_rule_out_no_packet() {
        for first in 0..=u8::MAX {
            for seed in 0..2000_u32 {
                let noise =
                    u128::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
                let noise = noise.to_be_bytes().map(|octet| octet >> (seed % 8)); // also small numbers
                let octets = [&[first], &noise[..], &[0; TRIED]].concat();
                if !may_begin(&octets) {
                    assert_eq!(recognise(&octets), Likeness::No);
                    let look = guess::packet_by(TRIED, &octets, None);
                    assert!(matches!(look, Look::Nothing(_)), "{octets:02x?}");
                }
            }
        }
    }

    /// Once octets are enough for an answer, more do not change it; and no fewer are enough than were
    /// asked for.
    #[test]
    fn an_answer_holds_whatever_follows() {
        let packets: [&[u8]; 5] = [
            CONNECT_4,
            b"\x30\x0d\0\x05plant17 MW.",
            b"\x82\x08\0\x01\0\x03a/b\0",
            b"\x40\x02\0\x01",
            b"\xd0\0",
        ];
        let mut answers = 0;
        for packet in packets {
            for last in 0..=u8::MAX {
                let payload = [packet, &[last], packet].concat();
                for shown in packet.len()..=payload.len() {
                    let frame = [&[0x82, shown as u8], &payload[..shown], &[last; 9]].concat();
                    for octets in [&payload[..], &frame] {
                        let whole = recognise(octets);
                        let mut open = 0;
                        for length in 0..octets.len() {
                            match recognise(&octets[..length]) {
                                Likeness::More(wanted) => {
                                    assert!(wanted > length);
                                    open = open.max(wanted);
                                }
                                answer => {
                                    assert_eq!(answer, whole, "{length} of {octets:02x?}");
                                    assert!(length >= open, "{length} of {octets:02x?}");
                                }
                            }
                        }
                        answers += u32::from(!matches!(whole, Likeness::More(_)));
                    }
                }
            }
        }
        assert!(answers > 10_000, "{answers}");
    }

    #[test]
    fn a_connack_needs_its_exact_shape() {
        assert_eq!(recognise(b"\x20\x02\0"), Likeness::More(4));
        for connack in [&b"\x20\x02\0\0"[..], b"\x20\x02\0\x05", b"\x20\x02\x01\0"] {
            assert_eq!(recognise(connack), message(4, 28, Some(Role::Server)));
        }
        assert_eq!(
            recognise(b"\x20\x06\0\0\x03\x22\0\x0a"),
            message(8, 36, Some(Role::Server)),
            "level 5"
        );
        for other in [b"\x20\x02\0\x06".as_slice(), b"\x20\x02\x02\0", b"\x20\x05\0\0\0\0\0"] {
            assert!(matches!(recognise(other), Likeness::No | Likeness::Refuted(_)), "{other:?}");
        }
    }

    #[test]
    fn the_more_a_packet_says_the_more_it_proves() {
        let (client, server) = (Some(Role::Client), Some(Role::Server));
        for (packet, evidence, sender) in [
            (&b"\xc0\0"[..], 12, client),
            (b"\xd0\0", 12, server),
            (b"\x40\x02\0\x01", 16, None),
            (b"\x30\x05\0\x01aon", 18, None),
            (b"\x82\x08\0\x01\0\x03a/b\0", 28, client),
            (b"\x82\x16\0\x01\0\x11house/bulbs/bulb1\x01", 40, client),
        ] {
            assert_eq!(recognise(packet), message(packet.len(), evidence, sender), "{packet:?}");
        }
    }

    #[test]
    fn other_protocols_are_not_mistaken_for_it() {
        for other in [
            &b"GETTING"[..],
            b"HTTP/1.1 200 OK\r\n",
            b"\x16\x03\x01\x02\0\x01",
            b"SSH-2.0-OpenSSH",
            b"\x68\x04\x07\0\0\0",
            b"\0\0\0\x2f",
            b"00000000",
            b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0",
        ] {
            assert_eq!(recognise(other), Likeness::No, "{other:?}");
        }
    }

    /// HTTP is followed to the end of its first head, where it is known what becomes of it.
    #[test]
    fn an_upgrade_is_known_by_its_head_and_by_no_prefix_of_it() {
        let asks =
            b"GET /mqtt HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
        let answers = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
        for (head, sender) in [(&asks[..], Role::Client), (answers, Role::Server)] {
            for length in 1..head.len() {
                let likeness = recognise(&head[..length]);
                assert!(matches!(likeness, Likeness::More(wanted) if wanted > length), "{length}");
            }
            assert_eq!(recognise(head), message(head.len(), 64, Some(sender)));
        }
        let page = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert!(matches!(recognise(page), Likeness::Refuted(_)));
        let other = b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
        assert_eq!(recognise(other), message(other.len(), 8, Some(Role::Client)));
    }

    #[test]
    fn a_frame_is_known_by_the_packets_in_it() {
        let (client, server) = (Some(Role::Client), Some(Role::Server));
        for (frame, evidence, sender) in [
            (&b"\x82\x02\xd0\0"[..], 28, server),
            (b"\x82\x82\0\0\0\0\xc0\0", 28, client),
            (b"\x82\x84\x11\x22\x33\x44\x51\x20\x33\x45", 32, client),
            (b"\x82\x04\x40\x02\0\x01", 32, server),
            (b"\x82\x06\xd0\0\x40\x02\0\x01", 44, server),
        ] {
            assert_eq!(recognise(frame), message(frame.len(), evidence, sender), "{frame:02x?}");
            for length in 1..frame.len() {
                let likeness = recognise(&frame[..length]);
                assert!(matches!(likeness, Likeness::More(wanted) if wanted > length), "{length}");
            }
        }
        // A SUBSCRIBE is one; a frame of something else is nothing.
        let subscribe = b"\x82\x08\0\x01\0\x03a/b\0";
        assert_eq!(recognise(subscribe), message(subscribe.len(), 28, client));
        assert!(matches!(recognise(b"\x82\x02hi"), Likeness::No | Likeness::Refuted(_)));
    }
}
