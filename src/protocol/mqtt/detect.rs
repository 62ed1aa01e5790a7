//! Recognises MQTT packets among any octets.

use super::guess::{self, Look};
use super::header::{Header, PacketType, Start};
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

/// So many octets of a packet are looked at: more would cost, and prove little.
const TRIED: usize = 512;

/// Looks for a packet.
pub(super) fn recognise(bytes: &[u8]) -> Likeness {
    match bytes.first() {
        None => Likeness::More(2),
        Some(0x10) => connect(bytes),
        Some(_) => others(bytes),
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

/// A packet in the middle of a connection.
fn others(bytes: &[u8]) -> Likeness {
    match guess::packet_by(TRIED, bytes, None) {
        Look::Nothing => Likeness::No,
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
            assert_eq!(recognise(other), Likeness::No, "{other:?}");
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
            &b"GET / HTTP/1.1\r\n"[..],
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
}
