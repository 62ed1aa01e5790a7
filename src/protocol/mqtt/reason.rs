//! Return codes (MQTT 3.1.1, tables 3.1 and clause 3.9.3) and reason codes (MQTT 5, table 2-6).

use super::header::{Level, PacketType};

/// A code, its name, and the packets that carry it.
type Reason = (u8, &'static str, &'static [PacketType]);

/// CONNACK before level 5.
const RETURN_CODES: &[&str] = &[
    "Connection accepted",
    "Unacceptable protocol version",
    "Identifier rejected",
    "Server unavailable",
    "Bad user name or password",
    "Not authorized",
];

const REASONS: &[Reason] = {
    use PacketType::{
        Auth, Connack, Disconnect, Puback, Pubcomp, Pubrec, Pubrel, Suback, Unsuback,
    };
    &[
        (0x00, "Success", &[Connack, Puback, Pubrec, Pubrel, Pubcomp, Unsuback, Auth]),
        (0x00, "Normal disconnection", &[Disconnect]),
        (0x00, "Granted QoS 0", &[Suback]),
        (0x01, "Granted QoS 1", &[Suback]),
        (0x02, "Granted QoS 2", &[Suback]),
        (0x04, "Disconnect with Will Message", &[Disconnect]),
        (0x10, "No matching subscribers", &[Puback, Pubrec]),
        (0x11, "No subscription existed", &[Unsuback]),
        (0x18, "Continue authentication", &[Auth]),
        (0x19, "Re-authenticate", &[Auth]),
        (0x80, "Unspecified error", &[Connack, Puback, Pubrec, Suback, Unsuback, Disconnect]),
        (0x81, "Malformed Packet", &[Connack, Disconnect]),
        (0x82, "Protocol Error", &[Connack, Disconnect]),
        (
            0x83,
            "Implementation specific error",
            &[Connack, Puback, Pubrec, Suback, Unsuback, Disconnect],
        ),
        (0x84, "Unsupported Protocol Version", &[Connack]),
        (0x85, "Client Identifier not valid", &[Connack]),
        (0x86, "Bad User Name or Password", &[Connack]),
        (0x87, "Not authorized", &[Connack, Puback, Pubrec, Suback, Unsuback, Disconnect]),
        (0x88, "Server unavailable", &[Connack]),
        (0x89, "Server busy", &[Connack, Disconnect]),
        (0x8a, "Banned", &[Connack]),
        (0x8b, "Server shutting down", &[Disconnect]),
        (0x8c, "Bad authentication method", &[Connack, Disconnect]),
        (0x8d, "Keep Alive timeout", &[Disconnect]),
        (0x8e, "Session taken over", &[Disconnect]),
        (0x8f, "Topic Filter invalid", &[Suback, Unsuback, Disconnect]),
        (0x90, "Topic Name invalid", &[Connack, Puback, Pubrec, Disconnect]),
        (0x91, "Packet Identifier in use", &[Puback, Pubrec, Suback, Unsuback]),
        (0x92, "Packet Identifier not found", &[Pubrel, Pubcomp]),
        (0x93, "Receive Maximum exceeded", &[Disconnect]),
        (0x94, "Topic Alias invalid", &[Disconnect]),
        (0x95, "Packet too large", &[Connack, Disconnect]),
        (0x96, "Message rate too high", &[Disconnect]),
        (0x97, "Quota exceeded", &[Connack, Puback, Pubrec, Suback, Disconnect]),
        (0x98, "Administrative action", &[Disconnect]),
        (0x99, "Payload format invalid", &[Connack, Puback, Pubrec, Disconnect]),
        (0x9a, "Retain not supported", &[Connack, Disconnect]),
        (0x9b, "QoS not supported", &[Connack, Disconnect]),
        (0x9c, "Use another server", &[Connack, Disconnect]),
        (0x9d, "Server moved", &[Connack, Disconnect]),
        (0x9e, "Shared Subscriptions not supported", &[Suback, Disconnect]),
        (0x9f, "Connection rate exceeded", &[Connack, Disconnect]),
        (0xa0, "Maximum connect time", &[Disconnect]),
        (0xa1, "Subscription Identifiers not supported", &[Suback, Disconnect]),
        (0xa2, "Wildcard Subscriptions not supported", &[Suback, Disconnect]),
    ]
};

/// Names by code, `""` for a code that the packet does not have.
type Names = [&'static str; 256];

const fn names(kind: PacketType) -> Names {
    let mut names = [""; 256];
    let mut row = 0;
    while row < REASONS.len() {
        let (code, name, kinds) = REASONS[row];
        let mut index = 0;
        while index < kinds.len() {
            if kinds[index] as u8 == kind as u8 {
                names[code as usize] = name;
            }
            index += 1;
        }
        row += 1;
    }
    names
}

const fn connack_names() -> Names {
    let mut names = names(PacketType::Connack);
    let mut code = 1;
    while code < RETURN_CODES.len() {
        names[code] = RETURN_CODES[code];
        code += 1;
    }
    names
}

/// Of CONNACK: both the return codes before level 5 and its reason codes. Only 0 is in both.
pub(super) static CONNACK: Names = connack_names();
/// Of PUBACK and PUBREC.
pub(super) static RECEIVED: Names = names(PacketType::Puback);
/// Of PUBREL and PUBCOMP.
pub(super) static RELEASED: Names = names(PacketType::Pubrel);
/// Of SUBACK. Before level 5 code 0x80 is called Failure.
pub(super) static SUBACK: Names = names(PacketType::Suback);
/// Of UNSUBACK.
pub(super) static UNSUBACK: Names = names(PacketType::Unsuback);
/// Of DISCONNECT.
pub(super) static DISCONNECT: Names = names(PacketType::Disconnect);
/// Of AUTH.
pub(super) static AUTH: Names = names(PacketType::Auth);

/// Whether a packet of this type can carry this code. MQTT 3.1 has no code for a subscription that
/// failed.
pub(super) fn is_known(kind: PacketType, code: u8, level: Level) -> bool {
    if level < Level::V5 {
        return match kind {
            PacketType::Connack => usize::from(code) < RETURN_CODES.len(),
            PacketType::Suback => code <= 2 || (code == 0x80 && level == Level::V4),
            _ => true,
        };
    }
    let names = match kind {
        PacketType::Connack => {
            return code == 0 || code >= 0x80 && !name(&CONNACK, code).is_empty();
        }
        PacketType::Puback | PacketType::Pubrec => &RECEIVED,
        PacketType::Pubrel | PacketType::Pubcomp => &RELEASED,
        PacketType::Suback => &SUBACK,
        PacketType::Unsuback => &UNSUBACK,
        PacketType::Disconnect => &DISCONNECT,
        PacketType::Auth => &AUTH,
        _ => return true,
    };
    !name(names, code).is_empty()
}

fn name(names: &Names, code: u8) -> &'static str {
    names[usize::from(code)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_that_share_a_table_have_the_same_codes() {
        assert_eq!(names(PacketType::Puback), names(PacketType::Pubrec));
        assert_eq!(names(PacketType::Pubrel), names(PacketType::Pubcomp));
    }

    #[test]
    fn codes_belong_to_packets_and_levels() {
        assert!(is_known(PacketType::Connack, 5, Level::V4));
        assert!(!is_known(PacketType::Connack, 6, Level::V4));
        assert!(!is_known(PacketType::Connack, 5, Level::V5));
        assert!(is_known(PacketType::Connack, 0x9f, Level::V5));
        assert!(is_known(PacketType::Suback, 0x80, Level::V4));
        assert!(!is_known(PacketType::Suback, 0x80, Level::V3));
        assert!(!is_known(PacketType::Disconnect, 0x91, Level::V5));
        assert!(is_known(PacketType::Auth, 0x19, Level::V5));
        assert_eq!(CONNACK[4], "Bad user name or password");
    }
}
