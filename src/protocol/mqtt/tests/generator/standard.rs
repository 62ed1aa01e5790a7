//! Tables of the standard, as its pages have them: which properties there are (MQTT 5, table 2-4) and
//! which codes each packet may carry (MQTT 5, tables 3-1 to 3-11; MQTT 3.1.1, table 3.1 and clause 3.9.3).

/// The will in a CONNECT has properties of its own. No packet has this number.
pub(crate) const WILL: u8 = 0;
pub(crate) const CONNECT: u8 = 1;
pub(crate) const CONNACK: u8 = 2;
pub(crate) const PUBLISH: u8 = 3;
pub(crate) const PUBACK: u8 = 4;
pub(crate) const PUBREC: u8 = 5;
pub(crate) const PUBREL: u8 = 6;
pub(crate) const PUBCOMP: u8 = 7;
pub(crate) const SUBSCRIBE: u8 = 8;
pub(crate) const SUBACK: u8 = 9;
pub(crate) const UNSUBSCRIBE: u8 = 10;
pub(crate) const UNSUBACK: u8 = 11;
pub(crate) const PINGREQ: u8 = 12;
pub(crate) const PINGRESP: u8 = 13;
pub(crate) const DISCONNECT: u8 = 14;
pub(crate) const AUTH: u8 = 15;

/// By number.
pub(crate) const NAMES: [&str; 16] = [
    "",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// How a property's value is encoded, and which values are legal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// An octet, 0 or 1.
    Flag,
    /// A two byte integer from this on.
    Two(u16),
    /// A four byte integer from this on.
    Four(u32),
    /// A variable byte integer, not 0.
    Variable,
    Text,
    /// Text that is a topic name.
    Topic,
    Binary,
    /// Binary data of which only the length may be shown.
    Secret,
    /// Two texts.
    Pair,
}

/// A property: identifier, name, encoding, where it may stand, where more than once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Property {
    pub(crate) id: u8,
    pub(crate) name: &'static str,
    pub(crate) encoding: Encoding,
    pub(crate) places: &'static [u8],
    pub(crate) repeats: &'static [u8],
}

const fn once(id: u8, name: &'static str, encoding: Encoding, places: &'static [u8]) -> Property {
    Property { id, name, encoding, places, repeats: &[] }
}

const MESSAGE: &[u8] = &[PUBLISH, WILL];
const LOGIN: &[u8] = &[CONNECT, CONNACK];
const EXCHANGE: &[u8] = &[CONNECT, CONNACK, AUTH];
const ANSWERS: &[u8] =
    &[CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH];
const EVERYWHERE: &[u8] = &[
    WILL,
    CONNECT,
    CONNACK,
    PUBLISH,
    PUBACK,
    PUBREC,
    PUBREL,
    PUBCOMP,
    SUBSCRIBE,
    SUBACK,
    UNSUBSCRIBE,
    UNSUBACK,
    DISCONNECT,
    AUTH,
];

pub(crate) const PAYLOAD_FORMAT: u8 = 1;
pub(crate) const SUBSCRIPTION_IDENTIFIER: u8 = 11;
pub(crate) const TOPIC_ALIAS: u8 = 35;
pub(crate) const USER_PROPERTY: u8 = 38;

/// Table 2-4.
pub(crate) const PROPERTIES: &[Property] = {
    use Encoding::{Binary, Flag, Four, Pair, Secret, Text, Topic, Two, Variable};
    &[
        once(1, "payload_format_indicator", Flag, MESSAGE),
        once(2, "message_expiry_interval", Four(0), MESSAGE),
        once(3, "content_type", Text, MESSAGE),
        once(8, "response_topic", Topic, MESSAGE),
        once(9, "correlation_data", Binary, MESSAGE),
        Property {
            repeats: &[PUBLISH],
            ..once(11, "subscription_identifier", Variable, &[PUBLISH, SUBSCRIBE])
        },
        once(17, "session_expiry_interval", Four(0), &[CONNECT, CONNACK, DISCONNECT]),
        once(18, "assigned_client_identifier", Text, &[CONNACK]),
        once(19, "server_keep_alive", Two(0), &[CONNACK]),
        once(21, "authentication_method", Text, EXCHANGE),
        once(22, "authentication_data_length", Secret, EXCHANGE),
        once(23, "request_problem_information", Flag, &[CONNECT]),
        once(24, "will_delay_interval", Four(0), &[WILL]),
        once(25, "request_response_information", Flag, &[CONNECT]),
        once(26, "response_information", Text, &[CONNACK]),
        once(28, "server_reference", Text, &[CONNACK, DISCONNECT]),
        once(31, "reason_string", Text, ANSWERS),
        once(33, "receive_maximum", Two(1), LOGIN),
        once(34, "topic_alias_maximum", Two(0), LOGIN),
        once(35, "topic_alias", Two(1), &[PUBLISH]),
        once(36, "maximum_qos", Flag, &[CONNACK]),
        once(37, "retain_available", Flag, &[CONNACK]),
        Property { repeats: EVERYWHERE, ..once(38, "user_property", Pair, EVERYWHERE) },
        once(39, "maximum_packet_size", Four(1), LOGIN),
        once(40, "wildcard_subscription_available", Flag, &[CONNACK]),
        once(41, "subscription_identifier_available", Flag, &[CONNACK]),
        once(42, "shared_subscription_available", Flag, &[CONNACK]),
    ]
};

type Codes = &'static [(u8, &'static str)];

/// MQTT 3.1.1, table 3.1. For 0 records have the name of MQTT 5 at all levels.
const RETURN: Codes = &[
    (0, "Success"),
    (1, "Unacceptable protocol version"),
    (2, "Identifier rejected"),
    (3, "Server unavailable"),
    (4, "Bad user name or password"),
    (5, "Not authorized"),
];

const GRANTED: Codes = &[(0, "Granted QoS 0"), (1, "Granted QoS 1"), (2, "Granted QoS 2")];

/// MQTT 3.1.1, clause 3.9.3. Records call 0x80 by its name of MQTT 5.
const GRANTED_OR_NOT: Codes = &[
    (0, "Granted QoS 0"),
    (1, "Granted QoS 1"),
    (2, "Granted QoS 2"),
    (0x80, "Unspecified error"),
];

const RECEIVED: Codes = &[
    (0x00, "Success"),
    (0x10, "No matching subscribers"),
    (0x80, "Unspecified error"),
    (0x83, "Implementation specific error"),
    (0x87, "Not authorized"),
    (0x90, "Topic Name invalid"),
    (0x91, "Packet Identifier in use"),
    (0x97, "Quota exceeded"),
    (0x99, "Payload format invalid"),
];

const RELEASED: Codes = &[(0x00, "Success"), (0x92, "Packet Identifier not found")];

const CONNECTED: Codes = &[
    (0x00, "Success"),
    (0x80, "Unspecified error"),
    (0x81, "Malformed Packet"),
    (0x82, "Protocol Error"),
    (0x83, "Implementation specific error"),
    (0x84, "Unsupported Protocol Version"),
    (0x85, "Client Identifier not valid"),
    (0x86, "Bad User Name or Password"),
    (0x87, "Not authorized"),
    (0x88, "Server unavailable"),
    (0x89, "Server busy"),
    (0x8A, "Banned"),
    (0x8C, "Bad authentication method"),
    (0x90, "Topic Name invalid"),
    (0x95, "Packet too large"),
    (0x97, "Quota exceeded"),
    (0x99, "Payload format invalid"),
    (0x9A, "Retain not supported"),
    (0x9B, "QoS not supported"),
    (0x9C, "Use another server"),
    (0x9D, "Server moved"),
    (0x9F, "Connection rate exceeded"),
];

const SUBSCRIBED: Codes = &[
    (0x00, "Granted QoS 0"),
    (0x01, "Granted QoS 1"),
    (0x02, "Granted QoS 2"),
    (0x80, "Unspecified error"),
    (0x83, "Implementation specific error"),
    (0x87, "Not authorized"),
    (0x8F, "Topic Filter invalid"),
    (0x91, "Packet Identifier in use"),
    (0x97, "Quota exceeded"),
    (0x9E, "Shared Subscriptions not supported"),
    (0xA1, "Subscription Identifiers not supported"),
    (0xA2, "Wildcard Subscriptions not supported"),
];

const UNSUBSCRIBED: Codes = &[
    (0x00, "Success"),
    (0x11, "No subscription existed"),
    (0x80, "Unspecified error"),
    (0x83, "Implementation specific error"),
    (0x87, "Not authorized"),
    (0x8F, "Topic Filter invalid"),
    (0x91, "Packet Identifier in use"),
];

/// 0x8C stands in table 2-6 only.
const DISCONNECTED: Codes = &[
    (0x00, "Normal disconnection"),
    (0x04, "Disconnect with Will Message"),
    (0x80, "Unspecified error"),
    (0x81, "Malformed Packet"),
    (0x82, "Protocol Error"),
    (0x83, "Implementation specific error"),
    (0x87, "Not authorized"),
    (0x89, "Server busy"),
    (0x8B, "Server shutting down"),
    (0x8C, "Bad authentication method"),
    (0x8D, "Keep Alive timeout"),
    (0x8E, "Session taken over"),
    (0x8F, "Topic Filter invalid"),
    (0x90, "Topic Name invalid"),
    (0x93, "Receive Maximum exceeded"),
    (0x94, "Topic Alias invalid"),
    (0x95, "Packet too large"),
    (0x96, "Message rate too high"),
    (0x97, "Quota exceeded"),
    (0x98, "Administrative action"),
    (0x99, "Payload format invalid"),
    (0x9A, "Retain not supported"),
    (0x9B, "QoS not supported"),
    (0x9C, "Use another server"),
    (0x9D, "Server moved"),
    (0x9E, "Shared Subscriptions not supported"),
    (0x9F, "Connection rate exceeded"),
    (0xA0, "Maximum connect time"),
    (0xA1, "Subscription Identifiers not supported"),
    (0xA2, "Wildcard Subscriptions not supported"),
];

const AUTHENTICATED: Codes =
    &[(0x00, "Success"), (0x18, "Continue authentication"), (0x19, "Re-authenticate")];

/// The codes that a packet may carry; none if it has no code.
pub(crate) fn codes(level: u8, kind: u8) -> Codes {
    match (level, kind) {
        (3 | 4, CONNACK) => RETURN,
        (3, SUBACK) => GRANTED,
        (4, SUBACK) => GRANTED_OR_NOT,
        (5, CONNACK) => CONNECTED,
        (5, PUBACK | PUBREC) => RECEIVED,
        (5, PUBREL | PUBCOMP) => RELEASED,
        (5, SUBACK) => SUBSCRIBED,
        (5, UNSUBACK) => UNSUBSCRIBED,
        (5, DISCONNECT) => DISCONNECTED,
        (5, AUTH) => AUTHENTICATED,
        _ => &[],
    }
}

/// The types of packets that a level has.
pub(crate) fn kinds(level: u8) -> std::ops::RangeInclusive<u8> {
    CONNECT..=if level == 5 { AUTH } else { DISCONNECT }
}
