//! Each packet type at each level, from octets written by hand.

use super::{CONNECT_5, Stream, decode, decode_at};
use crate::flow::Direction;

/// The only line of a packet behind a CONNECT of this level.
fn one(level: u8, packet: &[u8]) -> String {
    let lines = decode_at(level, packet);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.into_iter().next().unwrap()
}

/// Clause 3.1 of level 3.
#[test]
fn connect_3() {
    let packet =
        b"\x10\x2a\0\x06MQIsdp\x03\xf6\0\x0a\0\x03cid\0\x04will\0\x03bye\0\x04user\0\x06secret";
    assert_eq!(
        decode(packet),
        ["CONNECT 3 protocol_string=MQIsdp protocol_version=3 bridge=false client_id=cid \
          keep_alive=10 flags.username=true flags.password=true flags.will_retain=true \
          flags.will_qos=2 flags.will=true flags.clean_session=true username=user \
          password_length=6 will.topic=will will.message=bye will.payload_length=3 \
          will.payload_utf8=true"]
    );
}

/// Clause 3.1 of level 3: the remaining length takes precedence over the flags.
#[test]
fn connect_3_without_the_announced_user() {
    let lines = decode(b"\x10\x0f\0\x06MQIsdp\x03\xc2\0\x0a\0\x01c");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("flags.username=true flags.password=true"), "{lines:?}");
    assert!(!lines[0].contains(" username="), "{lines:?}");
}

/// Clause 3.1 of level 4; an empty client identifier with a clean session [MQTT-3.1.3-7].
#[test]
fn connect_4() {
    assert_eq!(
        decode(b"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0"),
        ["CONNECT 4 protocol_string=MQTT protocol_version=4 bridge=false client_id= keep_alive=0 \
          flags.username=false flags.password=false flags.will_retain=false flags.will_qos=0 \
          flags.will=false flags.clean_session=true"]
    );
}

/// mosquitto sets the highest bit of the level in connections between brokers.
#[test]
fn connect_from_a_bridge() {
    for (packet, level) in [
        (&b"\x10\x0d\0\x04MQTT\x84\x02\0\x3c\0\x01c"[..], 4),
        (b"\x10\x0f\0\x06MQIsdp\x83\x02\0\x3c\0\x01c", 3),
    ] {
        let lines = decode(packet);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let expected = format!("protocol_version={level} bridge=true");
        assert!(lines[0].contains(&expected), "{lines:?}");
    }
}

/// Clause 3.1 of level 5: all properties of CONNECT and of a will; a password without a user is
/// legal (clause 3.1.2.9), and so is an empty client identifier in any session.
#[test]
fn connect_5() {
    let properties = b"\x11\xff\xff\xff\xff\x21\0\x14\x27\0\0\x10\0\x22\0\x0a\x19\x01\x17\0\
        \x26\0\x01a\0\x01b\x26\0\x01a\0\x01c\x15\0\x05SCRAM\x16\0\x04\xde\xad\xbe\xef";
    let will = b"\x18\0\0\0\x05\x01\x01\x02\0\0\0\x3c\x03\0\x04text\x08\0\x01r\x09\0\x01\x07\
        \x26\0\x01k\0\x01v";
    let mut body = b"\0\x04MQTT\x05\x6c\0\x3c".to_vec();
    body.push(properties.len() as u8);
    body.extend_from_slice(properties);
    body.extend_from_slice(b"\0\0");
    body.push(will.len() as u8);
    body.extend_from_slice(will);
    body.extend_from_slice(b"\0\x01t\0\x02hi\0\x03pwd");
    let mut packet = vec![0x10, body.len() as u8];
    packet.extend_from_slice(&body);
    assert_eq!(
        decode(&packet),
        [
            "CONNECT 5 protocol_string=MQTT protocol_version=5 bridge=false client_id= keep_alive=60 \
          flags.username=false flags.password=true flags.will_retain=true flags.will_qos=1 \
          flags.will=true flags.clean_session=false password_length=3 will.topic=t \
          will.message=hi will.payload_length=2 will.payload_utf8=true properties.session_expiry_interval=4294967295 \
          properties.receive_maximum=20 properties.maximum_packet_size=4096 \
          properties.topic_alias_maximum=10 properties.request_response_information=1 \
          properties.request_problem_information=0 properties.authentication_method=SCRAM \
          properties.authentication_data_length=4 will.properties.will_delay_interval=5 \
          will.properties.payload_format_indicator=1 will.properties.message_expiry_interval=60 \
          will.properties.content_type=text will.properties.response_topic=r \
          will.properties.correlation_data=07 properties.user_property=[a/b a/c] \
          will.properties.user_property=[k/v]"
        ]
    );
}

/// Clause 3.2.
#[test]
fn connack() {
    assert_eq!(
        one(3, b"\x20\x02\0\x04"),
        "CONNACK 3 session_present=false return_code=4 reason=Bad_user_name_or_password"
    );
    assert_eq!(
        one(4, b"\x20\x02\x01\0"),
        "CONNACK 4 session_present=true return_code=0 reason=Success"
    );
    assert_eq!(
        one(5, b"\x20\x03\0\x87\0"),
        "CONNACK 5 session_present=false return_code=135 reason=Not_authorized"
    );
    let all = b"\x20\x5a\0\0\x57\x11\0\0\0\x01\x21\0\x02\x24\x01\x25\x01\x27\0\0\0\x03\
        \x12\0\x02id\x22\0\x04\x1f\0\x01r\x26\0\x01n\0\x01v\x28\x01\x29\0\x2a\x01\x13\0\x05\
        \x1a\0\x04resp\x1c\0\x05other\x15\0\x01m\x16\0\x02\0\0";
    let mut packet = all.to_vec();
    packet[1] = (all.len() - 2) as u8;
    packet[4] = (all.len() - 5) as u8;
    assert_eq!(
        one(5, &packet),
        "CONNACK 5 session_present=false return_code=0 reason=Success \
         properties.session_expiry_interval=1 properties.receive_maximum=2 \
         properties.maximum_qos=1 properties.retain_available=1 \
         properties.maximum_packet_size=3 properties.assigned_client_identifier=id \
         properties.topic_alias_maximum=4 properties.reason_string=r \
         properties.wildcard_subscription_available=1 \
         properties.subscription_identifier_available=0 \
         properties.shared_subscription_available=1 properties.server_keep_alive=5 \
         properties.response_information=resp properties.server_reference=other \
         properties.authentication_method=m properties.authentication_data_length=2 \
         properties.user_property=[n/v]"
    );
}

/// A server of level 4 refuses a client of level 5 in its own words (clause 3.1.2.2 of level 4).
#[test]
fn connack_4_to_a_client_of_level_5() {
    assert_eq!(
        one(5, b"\x20\x02\0\x01"),
        "CONNACK 5 session_present=false return_code=1 reason=Unacceptable_protocol_version"
    );
}

/// Clause 3.3.
#[test]
fn publish() {
    assert_eq!(
        one(3, b"\x31\x07\0\x03a/bon"),
        "PUBLISH 3 retain=true topic=a/b message=on payload_length=2 payload_utf8=true"
    );
    assert_eq!(
        one(4, b"\x3c\x06\0\x01a\0\x07\xff"),
        "PUBLISH 4 qos=2 dup=true topic=a message_id=7 message=\\xff payload_length=1 \
         payload_utf8=false payload_hex=ff"
    );
    assert_eq!(
        one(4, b"\x30\x03\0\x01a"),
        "PUBLISH 4 topic=a message= payload_length=0 payload_utf8=true"
    );
    let packet =
        b"\x32\x2b\0\x01a\0\x09\x23\x01\x01\x02\0\0\0\x1e\x23\0\x05\x08\0\x01r\x09\0\x02\xca\xfe\
        \x26\0\x01n\0\x01v\x0b\x01\x0b\xff\x7f\x03\0\x01jon";
    assert_eq!(
        one(5, packet),
        "PUBLISH 5 qos=1 topic=a message_id=9 message=on payload_length=2 payload_utf8=true \
         properties.payload_format_indicator=1 properties.message_expiry_interval=30 \
         properties.topic_alias=5 properties.response_topic=r \
         properties.correlation_data=cafe properties.content_type=j \
         properties.user_property=[n/v] properties.subscription_identifier=[1 16383]"
    );
}

/// Clause 3.3.2.3.4: aliases of the two directions are separate.
#[test]
fn topic_aliases_are_resolved() {
    let set = b"\x30\x08\0\x01a\x03\x23\0\x01x";
    let mut stream = Stream::new(false);
    stream.feed(CONNECT_5);
    stream.feed(&[&set[..], b"\x30\x07\0\0\x03\x23\0\x01y"].concat());
    stream.direction = Direction::ToClient;
    stream.feed(b"\x30\x07\0\0\x03\x23\0\x01z");
    let lines = stream.end();
    assert!(lines[1].contains("topic=a message=x"), "{}", lines[1]);
    assert!(lines[2].contains("topic=a topic_resolved=true message=y"), "{}", lines[2]);
    assert_eq!(lines[3], "! alias_unknown topic_alias=1 @0");
    assert!(lines[4].contains("topic= message=z"), "{}", lines[4]);
}

/// Clauses 3.4 to 3.7.
#[test]
fn acknowledgments() {
    for (first, name, code, reason) in [
        (0x40, "PUBACK", 0x10, "No_matching_subscribers"),
        (0x50, "PUBREC", 0x97, "Quota_exceeded"),
        (0x62, "PUBREL", 0x92, "Packet_Identifier_not_found"),
        (0x70, "PUBCOMP", 0x92, "Packet_Identifier_not_found"),
    ] {
        let qos = if first == 0x62 { " qos=1" } else { "" };
        for level in [3, 4] {
            let expected = format!("{name} {level}{qos} message_id=258");
            assert_eq!(one(level, &[first, 2, 1, 2]), expected);
        }
        let expected = format!("{name} 5{qos} message_id=258 reason_code=0 reason=Success");
        assert_eq!(one(5, &[first, 2, 1, 2]), expected);
        let expected = format!("{name} 5{qos} message_id=258 reason_code={code} reason={reason}");
        assert_eq!(one(5, &[first, 3, 1, 2, code]), expected);
        assert_eq!(one(5, &[first, 4, 1, 2, code, 0]), expected);
        let with_properties =
            [&[first, 15, 1, 2, code, 11][..], b"\x1f\0\x01r\x26\0\x01n\0\x01v"].concat();
        assert_eq!(
            one(5, &with_properties),
            format!("{expected} properties.reason_string=r properties.user_property=[n/v]")
        );
    }
}

/// MQTT 3.1, clause 3.6: a PUBREL may be sent again.
#[test]
fn level_3_repeats_with_dup() {
    assert_eq!(one(3, b"\x6a\x02\0\x01"), "PUBREL 3 qos=1 dup=true message_id=1");
    assert_eq!(
        one(3, b"\x8a\x06\0\x01\0\x01a\0"),
        "SUBSCRIBE 3 qos=1 dup=true message_id=1 topics=[a/0]"
    );
    assert_eq!(
        one(3, b"\xaa\x05\0\x01\0\x01a"),
        "UNSUBSCRIBE 3 qos=1 dup=true message_id=1 topics=[a]"
    );
}

/// Clause 3.8.
#[test]
fn subscribe() {
    for level in [3, 4] {
        assert_eq!(
            one(level, b"\x82\x0c\0\x01\0\x01#\x02\0\x03+/b\0"),
            format!("SUBSCRIBE {level} qos=1 message_id=1 topics=[#/2 +/b/0]")
        );
    }
    assert_eq!(
        one(5, b"\x82\x13\0\x01\x03\x0b\xff\x7f\0\x0a$share/g/a\x2a"),
        "SUBSCRIBE 5 qos=1 message_id=1 properties.subscription_identifier=16383 \
         topics=[$share/g/a/2/false/true/2]"
    );
    assert_eq!(
        one(5, b"\x82\x0e\0\x01\x07\x26\0\x01n\0\x01v\0\x01a\x04"),
        "SUBSCRIBE 5 qos=1 message_id=1 properties.user_property=[n/v] topics=[a/0/true/false/0]"
    );
}

/// Clause 3.9.
#[test]
fn suback() {
    assert_eq!(
        one(3, b"\x90\x03\0\x01\x02"),
        "SUBACK 3 message_id=1 qos_granted=[2] reasons=[Granted_QoS_2]"
    );
    assert_eq!(
        one(4, b"\x90\x04\0\x01\0\x80"),
        "SUBACK 4 message_id=1 qos_granted=[0 128] reasons=[Granted_QoS_0 Unspecified_error]"
    );
    assert_eq!(
        one(5, b"\x90\x08\0\x01\x04\x1f\0\x01r\x87"),
        "SUBACK 5 message_id=1 properties.reason_string=r qos_granted=[135] \
         reasons=[Not_authorized]"
    );
}

/// Clause 3.10.
#[test]
fn unsubscribe() {
    for level in [3, 4] {
        assert_eq!(
            one(level, b"\xa2\x09\0\x01\0\x01a\0\x02b/"),
            format!("UNSUBSCRIBE {level} qos=1 message_id=1 topics=[a b/]")
        );
    }
    assert_eq!(
        one(5, b"\xa2\x0d\0\x01\x07\x26\0\x01n\0\x01v\0\x01a"),
        "UNSUBSCRIBE 5 qos=1 message_id=1 properties.user_property=[n/v] topics=[a]"
    );
}

/// Clause 3.11.
#[test]
fn unsuback() {
    for level in [3, 4] {
        assert_eq!(one(level, b"\xb0\x02\0\x01"), format!("UNSUBACK {level} message_id=1"));
    }
    assert_eq!(
        one(5, b"\xb0\x05\0\x01\0\0\x11"),
        "UNSUBACK 5 message_id=1 reason_codes=[0 17] reasons=[Success No_subscription_existed]"
    );
}

/// Clauses 3.12 and 3.13.
#[test]
fn pings() {
    for level in 3..=5 {
        assert_eq!(one(level, b"\xc0\0"), format!("PINGREQ {level}"));
        assert_eq!(one(level, b"\xd0\0"), format!("PINGRESP {level}"));
    }
}

/// Clause 3.14.
#[test]
fn disconnect() {
    for level in [3, 4] {
        assert_eq!(one(level, b"\xe0\0"), format!("DISCONNECT {level}"));
    }
    assert_eq!(one(5, b"\xe0\0"), "DISCONNECT 5 reason_code=0 reason=Normal_disconnection");
    assert_eq!(
        one(5, b"\xe0\x01\x04"),
        "DISCONNECT 5 reason_code=4 reason=Disconnect_with_Will_Message"
    );
    assert_eq!(
        one(5, b"\xe0\x0f\x9d\x0d\x11\0\0\0\0\x1f\0\x01r\x1c\0\x01s"),
        "DISCONNECT 5 reason_code=157 reason=Server_moved properties.session_expiry_interval=0 \
         properties.reason_string=r properties.server_reference=s"
    );
}

/// Clause 3.15.
#[test]
fn auth() {
    assert_eq!(one(5, b"\xf0\0"), "AUTH 5 reason_code=0 reason=Success");
    assert_eq!(
        one(5, b"\xf0\x0c\x18\x0a\x15\0\x01m\x16\0\x03abc"),
        "AUTH 5 reason_code=24 reason=Continue_authentication \
         properties.authentication_method=m properties.authentication_data_length=3"
    );
}

#[test]
fn a_payload_is_shown_to_the_last_whole_character() {
    let mut packet = b"\x30\x83\x10\0\x01a".to_vec();
    packet.extend_from_slice(&"é".repeat(1024).into_bytes());
    assert_eq!(
        one(4, &packet),
        "PUBLISH 4 topic=a message=1024 octets payload_length=2048 payload_utf8=true"
    );
    packet[5] = b'x';
    packet.insert(6, b'-');
    packet[1] = 0x84;
    assert_eq!(
        one(4, &packet),
        "PUBLISH 4 topic=x message=1023 octets payload_length=2049 payload_utf8=true"
    );
}

#[test]
fn passwords_are_not_in_records() {
    let lines = decode(b"\x10\x1b\0\x04MQTT\x04\xc2\0\x3c\0\x01c\0\x04user\0\x06secret");
    assert!(lines[0].contains("password_length=6") && !lines[0].contains("secret"), "{lines:?}");
}
