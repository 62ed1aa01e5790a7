//! Each anomaly is raised by what it is about, alone; and its legal neighbours raise none.

use super::{CONNECT_3, CONNECT_4, CONNECT_5, Stream, decode, decode_at};
use crate::flow::Direction;
use crate::protocol::mqtt::PROTOCOL;

/// The anomalies among the lines.
fn anomalies(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.strip_prefix("! ")).collect()
}

/// What is wrong with a packet, other than with the CONNECT before it. There is a record of it
/// all the same, and the next packet is read.
fn wrong(level: u8, packet: &[u8]) -> Vec<String> {
    let lines = decode_at(level, &[packet, b"\xc0\0"].concat());
    assert_eq!(lines.last(), Some(&format!("PINGREQ {level}")), "{lines:?}");
    let found: Vec<_> = anomalies(&lines).into_iter().map(str::to_owned).collect();
    assert_eq!(lines.len(), found.len() + 2, "a record: {lines:?}");
    found
}

/// What is wrong with a CONNECT.
fn wrong_connect(packet: &[u8]) -> Vec<String> {
    let lines = decode(&[packet, b"\xc0\0"].concat());
    assert!(lines.last().is_some_and(|last| last.starts_with("PINGREQ")), "{lines:?}");
    let found: Vec<_> = anomalies(&lines).into_iter().map(str::to_owned).collect();
    assert_eq!(lines.len(), found.len() + 2, "a record: {lines:?}");
    found
}

const NONE: [&str; 0] = [];

#[test]
fn none_in_each_shortest_connect() {
    for packet in [CONNECT_3, CONNECT_4, CONNECT_5] {
        assert_eq!(wrong_connect(packet), NONE);
    }
}

/// Clause 1.5.5.
#[test]
fn remaining_length() {
    let endless = b"\x30\xff\xff\xff\xff\x01\xc0\0\xc0\0";
    assert_eq!(
        decode_at(4, endless),
        ["! remaining_length remaining_length @1", "! resync 6 @0", "PINGREQ 4", "PINGREQ 4"]
    );
    let not_minimal = b"\xc0\x80\0";
    assert_eq!(wrong(5, not_minimal), ["remaining_length remaining_length=0 @1"]);
    assert_eq!(wrong(4, not_minimal), NONE);
    // A CONNECT says itself of which level its header is.
    let connect = [&b"\x10\x8e\0"[..], &CONNECT_5[2..]].concat();
    assert_eq!(wrong_connect(&connect), ["remaining_length remaining_length=14 @1"]);
    let connect = [&b"\x10\x8d\0"[..], &CONNECT_4[2..]].concat();
    assert_eq!(wrong_connect(&connect), NONE);
}

/// Table 2-1.
#[test]
fn reserved_type() {
    assert_eq!(
        decode_at(4, b"\0\x02\x07\x07\xc0\0\xd0\0"),
        ["! reserved_type type=0 @0", "! resync 4 @0", "PINGREQ 4", "PINGRESP 4"]
    );
    for level in [3, 4] {
        assert_eq!(wrong(level, b"\xf0\x02\x18\0"), ["reserved_type type=15 @0"]);
    }
    assert_eq!(wrong(5, b"\xf0\x02\x18\0"), NONE);
}

/// Table 2-2 [MQTT-2.1.3-1]; the acknowledge flags [MQTT-3.2.2-1].
#[test]
fn reserved_flags() {
    assert_eq!(wrong(4, b"\xc1\0"), ["reserved_flags flags=1 @0"]);
    assert_eq!(wrong(4, b"\x60\x02\0\x01"), ["reserved_flags flags=0 @0"]);
    assert_eq!(wrong(5, b"\x6a\x02\0\x01"), ["reserved_flags flags=10 @0"]);
    assert_eq!(wrong(3, b"\x6a\x02\0\x01"), NONE);
    assert_eq!(wrong(4, b"\x20\x02\x02\0"), ["reserved_flags connack.flags=2 @2"]);
    assert_eq!(wrong(3, b"\x20\x02\x02\0"), NONE);
}

#[test]
fn truncated() {
    assert_eq!(wrong(4, b"\x30\x03\0\x05a"), ["truncated topic=1 @4"]);
    assert_eq!(wrong(4, b"\x32\x03\0\x01a"), ["truncated message_id=0 @5"]);
    assert_eq!(wrong(4, b"\x40\x01\0"), ["truncated message_id=1 @2"]);
    assert_eq!(wrong(4, b"\x82\x02\0\x01"), ["truncated topics.topic=0 @4"]);
    assert_eq!(wrong(4, b"\x90\x02\0\x01"), ["truncated reason_codes=0 @4"]);
    assert_eq!(wrong(5, b"\x20\x02\0\0"), ["truncated property_length=0 @4"]);
    assert_eq!(decode_at(4, b"\x30\x05\0"), ["! truncated 3 @3"]);
}

/// The framing is lost: what follows is no packet until packets stand in a row.
#[test]
fn resync() {
    let stream = b"\0\x40\x02\0\x01 a lonely one\x40\x02\0\x02\xc0\0";
    assert_eq!(
        decode_at(4, stream),
        ["! reserved_type type=0 @0", "! resync 18 @0", "PUBACK 4 message_id=2", "PINGREQ 4"]
    );
}

#[test]
fn trailing_bytes() {
    assert_eq!(wrong(4, b"\xc0\x01\0"), ["trailing_bytes 1 @2"]);
    assert_eq!(wrong(4, b"\x40\x04\0\x01\0\0"), ["trailing_bytes 2 @4"]);
    assert_eq!(wrong(5, b"\x40\x05\0\x01\0\0\0"), ["trailing_bytes 1 @6"]);
    assert_eq!(wrong(4, b"\xe0\x01\0"), ["trailing_bytes 1 @2"]);
    assert_eq!(
        wrong_connect(b"\x10\x0e\0\x04MQTT\x04\x02\0\x3c\0\x01cX"),
        ["trailing_bytes 1 @15"]
    );
}

/// Clause 3.1.2.1 [MQTT-3.1.2-1].
#[test]
fn protocol_name() {
    assert_eq!(
        wrong_connect(b"\x10\x0d\0\x04mqtt\x04\x02\0\x3c\0\x01c"),
        ["protocol_name protocol_string=mqtt @4"]
    );
}

/// Clause 3.1.2.2 [MQTT-3.1.2-2].
#[test]
fn protocol_level() {
    for (packet, expected) in [
        (&b"\x10\x0e\0\x04MQTT\x06\x02\0\x3c\0\0\x01c"[..], "protocol_level protocol_version=6 @8"),
        (b"\x10\x0d\0\x04MQTT\x03\x02\0\x3c\0\x01c", "protocol_level protocol_version=3 @8"),
        (b"\x10\x0f\0\x06MQIsdp\x04\x02\0\x3c\0\x01c", "protocol_level protocol_version=4 @10"),
    ] {
        assert_eq!(wrong_connect(packet), [expected]);
    }
}

/// [MQTT-1.5.4-1].
#[test]
fn utf8_invalid() {
    assert_eq!(wrong(4, b"\x30\x05\0\x03a\xffb"), ["utf8_invalid topic=255 @5"]);
    // A surrogate, and a form that is longer than it need be.
    assert_eq!(wrong(5, b"\x30\x06\0\x03\xed\xa0\x80\0"), ["utf8_invalid topic=237 @4"]);
    assert_eq!(wrong(5, b"\x30\x05\0\x02\xc0\xaf\0"), ["utf8_invalid topic=192 @4"]);
    assert_eq!(wrong(4, "\x30\x05\0\x03€".as_bytes()), NONE);
}

/// [MQTT-1.5.4-2]; other control characters are only advised against.
#[test]
fn utf8_null() {
    assert_eq!(wrong(4, b"\x30\x05\0\x03a\0b"), ["utf8_null topic=0 @5"]);
    assert_eq!(wrong(4, b"\x30\x05\0\x03a\x01b"), NONE);
}

/// [MQTT-3.1.2-3].
#[test]
fn connect_reserved_flag() {
    assert_eq!(
        wrong_connect(b"\x10\x0d\0\x04MQTT\x04\x03\0\x3c\0\x01c"),
        ["connect_reserved_flag flags=3 @9"]
    );
}

/// [MQTT-3.1.2-11, 3.1.2-13].
#[test]
fn will_flags() {
    for flags in [0x0a, 0x22] {
        let packet = [&b"\x10\x0d\0\x04MQTT\x04"[..], &[flags], b"\0\x3c\0\x01c"].concat();
        assert_eq!(wrong_connect(&packet), [format!("will_flags flags={flags} @9")]);
    }
}

/// [MQTT-3.1.2-22] of level 4.
#[test]
fn password_without_user() {
    assert_eq!(
        wrong_connect(b"\x10\x10\0\x04MQTT\x04\x42\0\x3c\0\x01c\0\x01p"),
        ["password_without_user flags=66 @9"]
    );
    assert_eq!(wrong_connect(b"\x10\x11\0\x04MQTT\x05\x42\0\x3c\0\0\x01c\0\x01p"), NONE);
}

/// [MQTT-3.1.3-7] of level 4.
#[test]
fn client_id_empty_not_clean() {
    assert_eq!(
        wrong_connect(b"\x10\x0c\0\x04MQTT\x04\0\0\x3c\0\0"),
        ["client_id_empty_not_clean client_id @14"]
    );
    assert_eq!(wrong_connect(b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0"), NONE);
    assert_eq!(wrong_connect(b"\x10\x0d\0\x04MQTT\x05\0\0\x3c\0\0\0"), NONE);
}

/// Clause 3.1 of level 3.
#[test]
fn client_id_length() {
    let connect = |length: u8| {
        let id = vec![b'c'; length.into()];
        let head = b"\0\x06MQIsdp\x03\x02\0\x3c\0";
        [&[0x10, 15 + length - 1], &head[..], &[length], &id].concat()
    };
    assert_eq!(wrong_connect(&connect(0)), ["client_id_length client_id=0 @16"]);
    assert_eq!(wrong_connect(&connect(24)), ["client_id_length client_id=24 @16"]);
    assert_eq!(wrong_connect(&connect(1)), NONE);
    assert_eq!(wrong_connect(&connect(23)), NONE);
    let characters = "ß".repeat(23);
    let of_23 = [b"\x10\x3c\0\x06MQIsdp\x03\x02\0\x3c\0\x2e", characters.as_bytes()].concat();
    assert_eq!(wrong_connect(&of_23), NONE);
}

/// [MQTT-2.2.1-3].
#[test]
fn packet_id_zero() {
    assert_eq!(wrong(4, b"\x32\x05\0\x01a\0\0"), ["packet_id_zero message_id=0 @5"]);
    assert_eq!(wrong(5, b"\x40\x02\0\0"), ["packet_id_zero message_id=0 @2"]);
    assert_eq!(wrong(4, b"\x82\x06\0\0\0\x01a\0"), ["packet_id_zero message_id=0 @2"]);
}

/// [MQTT-3.3.1-4, 3.8.3-4 of level 4, 3.1.2-12].
#[test]
fn qos_invalid() {
    assert_eq!(wrong(4, b"\x36\x05\0\x01a\0\x01"), ["qos_invalid qos=3 @0"]);
    assert_eq!(wrong(4, b"\x82\x06\0\x01\0\x01a\x03"), ["qos_invalid topics.qos=3 @7"]);
    assert_eq!(
        wrong_connect(b"\x10\x13\0\x04MQTT\x04\x1e\0\x3c\0\x01c\0\x01t\0\x01m"),
        ["qos_invalid flags.will_qos=3 @9"]
    );
}

/// [MQTT-3.3.1-2].
#[test]
fn dup_with_qos0() {
    assert_eq!(wrong(4, b"\x38\x03\0\x01a"), ["dup_with_qos0 dup=true @0"]);
    assert_eq!(wrong(4, b"\x3a\x05\0\x01a\0\x01"), NONE);
}

/// [MQTT-4.7.3-1], clause 3.3.2.1.
#[test]
fn topic_empty() {
    assert_eq!(wrong(4, b"\x30\x03\0\0x"), ["topic_empty topic @2"]);
    assert_eq!(wrong(5, b"\x30\x04\0\0\0x"), ["topic_empty topic @2"]);
    assert_eq!(
        wrong_connect(b"\x10\x12\0\x04MQTT\x04\x06\0\x3c\0\x01c\0\0\0\x01m"),
        ["topic_empty will.topic @15"]
    );
    assert_eq!(wrong(5, b"\x30\x07\0\x01a\x03\x08\0\0"), ["topic_empty response_topic @7"]);
    let with_alias = b"\x30\x07\0\x01a\x03\x23\0\x01\x30\x07\0\0\x03\x23\0\x01x";
    assert_eq!(anomalies(&decode_at(5, with_alias)), NONE);
}

/// [MQTT-3.3.2-2, 3.3.2-14].
#[test]
fn topic_wildcard_in_publish() {
    assert_eq!(wrong(4, b"\x30\x05\0\x03a/#"), ["topic_wildcard_in_publish topic=a/# @6"]);
    assert_eq!(
        wrong(5, b"\x30\x08\0\x01a\x04\x08\0\x01+"),
        ["topic_wildcard_in_publish response_topic=+ @9"]
    );
    assert_eq!(
        wrong_connect(b"\x10\x13\0\x04MQTT\x04\x06\0\x3c\0\x01c\0\x01+\0\x01m"),
        ["topic_wildcard_in_publish will.topic=+ @17"]
    );
}

/// Clause 4.7.1, clause 4.8.2.
#[test]
fn topic_filter_invalid() {
    assert_eq!(wrong(4, b"\x82\x07\0\x01\0\x02a#\0"), ["topic_filter_invalid topics.topic=a# @6"]);
    assert_eq!(wrong(4, b"\xa2\x04\0\x01\0\0"), ["topic_filter_invalid topics.topic @6"]);
    assert_eq!(
        wrong(5, b"\x82\x0e\0\x01\0\0\x08$share/g\0"),
        ["topic_filter_invalid topics.topic=$share/g @7"]
    );
    assert_eq!(wrong(4, b"\x82\x0d\0\x01\0\x08$share/g\0"), NONE);
}

/// Clause 2.2.2.2: what follows cannot be read, but the payload can.
#[test]
fn property_unknown() {
    assert_eq!(
        decode_at(5, b"\x30\x07\0\x01a\x02\x04\0x"),
        [
            "! property_unknown property_identifier=4 @6",
            "PUBLISH 5 topic=a message=x payload_length=1 payload_utf8=true"
        ]
    );
    assert_eq!(
        wrong(5, b"\x30\x08\0\x01a\x03\xff\x7f\0x"),
        ["property_unknown property_identifier=16383 @6"]
    );
}

/// Table 2-4.
#[test]
fn property_not_allowed() {
    assert_eq!(
        wrong(5, b"\x30\x08\0\x01a\x03\x13\0\x0ax"),
        ["property_not_allowed server_keep_alive=10 @6"]
    );
}

/// Clause 2.2.2.2, as each property says.
#[test]
fn property_repeated() {
    assert_eq!(
        wrong(5, b"\x30\x08\0\x01a\x04\x01\0\x01\0"),
        ["property_repeated payload_format_indicator=0 @8"]
    );
    let identifiers = b"\x30\x08\0\x01a\x04\x0b\x01\x0b\x02";
    assert_eq!(wrong(5, identifiers), NONE);
    assert_eq!(
        wrong(5, b"\x82\x0b\0\x01\x04\x0b\x01\x0b\x02\0\x01a\0"),
        ["property_repeated subscription_identifier=2 @7"]
    );
}

#[test]
fn property_length() {
    // Longer than the packet.
    assert_eq!(wrong(5, b"\x30\x04\0\x01a\x05"), ["property_length property_length=5 @5"]);
    // A property goes on behind the end of the properties.
    assert_eq!(wrong(5, b"\x30\x07\0\x01a\x02\x23\0\x01"), ["property_length topic_alias=1 @7"]);
    // More than four octets, and more than it takes [MQTT-1.5.5-1].
    assert_eq!(
        wrong(5, b"\x30\x08\0\x01a\xff\xff\xff\xff\x01"),
        ["property_length property_length @5"]
    );
    assert_eq!(wrong(5, b"\x30\x05\0\x01a\x80\0"), ["property_length property_length=0 @5"]);
}

/// Clauses 3.3.2.3.2, 3.1.2.11.3, 3.3.2.3.8.
#[test]
fn property_value() {
    assert_eq!(
        wrong(5, b"\x30\x06\0\x01a\x02\x01\x02"),
        ["property_value payload_format_indicator=2 @6"]
    );
    assert_eq!(
        wrong(5, b"\x30\x06\0\x01a\x02\x0b\0"),
        ["property_value subscription_identifier=0 @6"]
    );
    assert_eq!(
        wrong_connect(b"\x10\x11\0\x04MQTT\x05\x02\0\x3c\x03\x21\0\0\0\x01c"),
        ["property_value receive_maximum=0 @13"]
    );
}

#[test]
fn reason_code_unknown() {
    assert_eq!(wrong(4, b"\x20\x02\0\x06"), ["reason_code_unknown return_code=6 @3"]);
    assert_eq!(wrong(5, b"\x20\x03\0\x04\0"), ["reason_code_unknown return_code=4 @3"]);
    assert_eq!(wrong(5, b"\x40\x03\0\x01\x11"), ["reason_code_unknown reason_code=17 @4"]);
    assert_eq!(wrong(4, b"\x90\x04\0\x01\0\x03"), ["reason_code_unknown reason_codes=3 @5"]);
    assert_eq!(wrong(5, b"\xe0\x01\x91"), ["reason_code_unknown reason_code=145 @2"]);
    assert_eq!(wrong(3, b"\x90\x03\0\x01\x80"), ["reason_code_unknown reason_codes=128 @4"]);
    assert_eq!(wrong(4, b"\x90\x03\0\x01\x80"), NONE);
}

/// [MQTT-3.8.3-4, 3.8.3-5], clause 3.8.3.1.
#[test]
fn subscription_options() {
    assert_eq!(
        wrong(4, b"\x82\x06\0\x01\0\x01a\x04"),
        ["subscription_options topics.options=4 @7"]
    );
    assert_eq!(wrong(5, b"\x82\x07\0\x01\0\0\x01a\x04"), NONE);
    for options in [0x40, 0x30] {
        let packet = [&b"\x82\x07\0\x01\0\0\x01a"[..], &[options]].concat();
        assert_eq!(
            wrong(5, &packet),
            [format!("subscription_options topics.options={options} @8")]
        );
    }
    assert_eq!(
        wrong(5, b"\x82\x10\0\x01\0\0\x0a$share/g/a\x04"),
        ["subscription_options topics.options=4 @17"]
    );
}

/// Clauses 3.3.2.3.2 and 3.1.3.2.3.
#[test]
fn payload_format() {
    let message = |payload| [&b"\x30\x07\0\x01a\x02\x01\x01"[..], &[payload]].concat();
    assert_eq!(wrong(5, &message(0xff)), ["payload_format payload_format_indicator=1 @8"]);
    assert_eq!(wrong(5, &message(b'x')), NONE);
    assert_eq!(
        wrong_connect(b"\x10\x17\0\x04MQTT\x05\x06\0\x3c\0\0\x01c\x02\x01\x01\0\x01t\0\x01\xc3"),
        ["payload_format payload_format_indicator=1 @24"]
    );
}

/// [MQTT-3.1.0-1].
#[test]
fn not_connect_first() {
    assert_eq!(decode(b"\xc0\0\xc0\0"), ["! not_connect_first type=12 @0", "PINGREQ", "PINGREQ"]);
    let mut joined = Stream::new(true);
    joined.feed(b"\xc0\0");
    assert_eq!(joined.end(), ["PINGREQ"]);
    let mut behind_a_gap = Stream::new(false);
    behind_a_gap.gap();
    behind_a_gap.feed(b"\xc0\0");
    assert_eq!(behind_a_gap.end(), ["PINGREQ"]);
    let mut from_the_broker = Stream::new(false);
    from_the_broker.direction = Direction::ToClient;
    from_the_broker.feed(b"\x20\x02\0\0");
    assert_eq!(anomalies(&from_the_broker.end()), NONE);
}

/// [MQTT-3.3.2-8].
#[test]
fn alias_zero() {
    assert_eq!(wrong(5, b"\x30\x07\0\x01a\x03\x23\0\0"), ["alias_zero topic_alias=0 @0"]);
}

/// Clause 3.3.2.3.4.
#[test]
fn alias_unknown() {
    assert_eq!(wrong(5, b"\x30\x06\0\0\x03\x23\0\x01"), ["alias_unknown topic_alias=1 @0"]);
}

/// One packet cannot bring a flood.
#[test]
fn each_is_raised_once_a_packet() {
    let mut packet = b"\x90\x82\x01\0\x01".to_vec();
    packet.extend_from_slice(&[3; 128]);
    assert_eq!(wrong(4, &packet), ["reason_code_unknown reason_codes=3 @5"]);
    let filters = b"\x82\x0c\0\x01\0\x02a#\0\0\x02b#\0".to_vec();
    assert_eq!(wrong(4, &filters), ["topic_filter_invalid topics.topic=a# @6"]);
}

/// Each name of the contract has a test that carries it, here or among the conversations.
#[test]
fn every_name_is_tested() {
    let tests = [
        include_str!("anomalies.rs"),
        include_str!("../session_tests/life.rs"),
        include_str!("../session_tests/flight.rs"),
        include_str!("../session_tests/limits.rs"),
        include_str!("../session_tests/time.rs"),
        include_str!("websocket/faults.rs"),
    ];
    for name in PROTOCOL.anomalies.concat() {
        let test = format!("fn {name}()");
        assert!(tests.iter().any(|file| file.contains(&test)), "{name}");
    }
}
