//! Recognises MQTT by the first octets of a direction.

use super::guess::{self, Look};
use super::header::{Header, PacketType, Start};
use crate::protocol::{Detection, Role};

/// What every CONNECT begins with, behind its fixed header (clause 3.1.2.1).
const PROTOCOL_NAMES: [&[u8]; 2] = [b"\0\x04MQTT", b"\0\x06MQIsdp"];

/// Octets of the variable header of the shortest CONNECT, and an empty client identifier.
const SHORTEST_CONNECT: u32 = 12;

/// So many octets of flawless packets are MQTT even without a CONNECT. Payloads do not count.
const CONVINCING: usize = 24;

/// Looks at the first octets of a direction.
pub(super) fn detect(bytes: &[u8]) -> Detection {
    match bytes.first() {
        None => Detection::More,
        Some(0x10) => detect_connect(bytes),
        Some(0x20) => detect_connack(bytes),
        Some(_) => detect_others(bytes),
    }
}

fn detect_connect(bytes: &[u8]) -> Detection {
    let header = match Header::read(bytes) {
        Start::Header(header) if header.remaining >= SHORTEST_CONNECT => header,
        Start::More(_) => return Detection::More,
        Start::Header(_) | Start::Endless => return Detection::No,
    };
    let rest = bytes.get(usize::from(header.length)..).unwrap_or_default();
    if PROTOCOL_NAMES.iter().any(|name| rest.starts_with(name)) {
        Detection::Yes(Some(Role::Client))
    } else if PROTOCOL_NAMES.iter().any(|name| name.starts_with(rest)) {
        Detection::More
    } else {
        Detection::No
    }
}

/// A CONNACK, alone or with a packet behind it.
fn detect_connack(bytes: &[u8]) -> Detection {
    let Look::Packet { total, .. } = guess::packet(bytes, None) else {
        return undecided(guess::packet(bytes, None));
    };
    let behind = bytes.get(total..).unwrap_or_default();
    match guess::packet(behind, None) {
        Look::Nothing => Detection::No,
        Look::More(_) | Look::Packet { .. } => Detection::Yes(Some(Role::Server)),
    }
}

/// Packets in the middle of a connection.
fn detect_others(bytes: &[u8]) -> Detection {
    let mut rest = bytes;
    let mut convincing = 0;
    let mut role = None;
    loop {
        let Look::Packet { kind, total, checked } = guess::packet(rest, None) else {
            return undecided(guess::packet(rest, None));
        };
        role = role.or(role_of(kind));
        convincing += checked;
        match rest.get(total..) {
            Some(_) if convincing >= CONVINCING => return Detection::Yes(role),
            Some(behind) => rest = behind,
            None => return Detection::More,
        }
    }
}

fn undecided(look: Look) -> Detection {
    match look {
        Look::More(_) => Detection::More,
        Look::Nothing | Look::Packet { .. } => Detection::No,
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

    const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a";
    const CONNECT_31: &[u8] = b"\x10\x0f\0\x06MQIsdp\x03\x02\0\x3c\0\x01a";

    #[test]
    fn a_connect_is_known_by_its_name_and_by_no_prefix_of_it() {
        for (connect, name_ends) in [(CONNECT, 8), (CONNECT_31, 10)] {
            for length in 0..connect.len() {
                let expected = if length < name_ends {
                    Detection::More
                } else {
                    Detection::Yes(Some(Role::Client))
                };
                assert_eq!(detect(&connect[..length]), expected, "{length}");
            }
        }
        assert_eq!(detect(b"\x10\x0d\0\x04HTTP\x04"), Detection::No);
        assert_eq!(detect(b"\x10\x03\0\x04MQTT\x04"), Detection::No);
        assert_eq!(detect(b"\x10\xff\xff\xff\xff\x01"), Detection::No);
    }

    #[test]
    fn a_connack_needs_its_exact_shape() {
        assert_eq!(detect(b"\x20\x02\0"), Detection::More);
        assert_eq!(detect(b"\x20\x02\0\0"), Detection::Yes(Some(Role::Server)));
        assert_eq!(detect(b"\x20\x02\0\x05"), Detection::Yes(Some(Role::Server)));
        assert_eq!(detect(b"\x20\x02\x01\0\x90\x03\0\x01\0"), Detection::Yes(Some(Role::Server)));
        let v5 = b"\x20\x06\0\0\x03\x22\0\x0a";
        assert_eq!(detect(v5), Detection::Yes(Some(Role::Server)));
        for other in
            [&b"\x20\x02\0\0GET"[..], b"\x20\x02\0\x06", b"\x20\x02\x02\0", b"\x20\x05\0\0\0\0\0"]
        {
            assert_eq!(detect(other), Detection::No, "{other:?}");
        }
    }

    #[test]
    fn other_packets_must_convince() {
        let subscribe = b"\x82\x16\0\x01\0\x11house/bulbs/bulb1\x01";
        assert_eq!(detect(subscribe), Detection::Yes(Some(Role::Client)));
        assert_eq!(detect(&subscribe[..20]), Detection::More);
        assert_eq!(detect(b"\xc0\0"), Detection::More);
        assert_eq!(detect(b"\x40\x02\0\x01"), Detection::More);
        assert_eq!(detect(b"\x30\x05\0\x01aon"), Detection::More);
        for other in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"\x16\x03\x01\x02\0\x01",
            b"SSH-2.0-OpenSSH",
            b"\x68\x04\x07\0\0\0",
            b"\0\0\0\x2f",
            b"00000000",
            b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0",
        ] {
            assert_eq!(detect(other), Detection::No, "{other:?}");
        }
    }
}
