//! Who may send what, and when.

use super::*;

/// Clause 3.1 to 3.14: a life of each level.
#[test]
fn a_connection_that_lives_by_the_standard_raises_nothing() {
    sessions(
        "> SUBSCRIBE 1 topics=a,b/#
         < SUBACK 1 codes=0,1
         > PUBLISH 0
         < PUBLISH 0
         > PUBLISH 1 id=2
         < PUBACK 2
         < PUBLISH 2 id=2
         > PUBREC 2
         < PUBREL 2
         > PUBCOMP 2
         > PINGREQ
         < PINGRESP
         > UNSUBSCRIBE 1 topics=a
         < UNSUBACK 1 codes=0
         > DISCONNECT",
    );
}

/// [MQTT-3.1.0-1].
#[test]
fn not_connect_first() {
    conversation(4, "> PINGREQ\n! not_connect_first 12\n> PINGREQ\n> CONNECT\n< CONNACK");
    joined(4, "> PINGREQ");
    conversation(4, "miss >\n> PINGREQ");
}

/// [MQTT-3.1.0-2, 3.2.0-2].
#[test]
fn connect_repeated() {
    sessions("> CONNECT\n! connect_repeated 1\n< CONNACK");
    sessions("< CONNACK\n! connect_repeated 2\n< PUBLISH 0");
    sessions("miss >\n> CONNECT\nmiss <\n< CONNACK");
    joined(4, "> CONNECT\n< CONNACK");
    joined(4, "> CONNECT\n< CONNACK\n> CONNECT\n! connect_repeated 1");
}

/// Table 2-1.
#[test]
fn wrong_direction() {
    for (packet, number) in [
        ("< CONNECT", 1),
        ("> CONNACK", 2),
        ("< SUBSCRIBE 1 topics=a", 8),
        ("> SUBACK 1 codes=0", 9),
        ("< UNSUBSCRIBE 1 topics=a", 10),
        ("> UNSUBACK 1 codes=0", 11),
        ("< PINGREQ", 12),
        ("> PINGRESP", 13),
    ] {
        sessions(&format!("{packet}\n! wrong_direction {number}\n> PINGREQ\n< PINGRESP"));
    }
}

/// Clause 3.14: a broker's DISCONNECT is of level 5.
#[test]
fn a_broker_takes_leave_in_level_5_only() {
    session(4, "< DISCONNECT\n! wrong_direction 14");
    session(3, "< DISCONNECT\n! wrong_direction 14");
    session(5, "< DISCONNECT");
    joined(4, "< SUBACK 1 codes=0\n< PINGRESP\n< PINGRESP\n< DISCONNECT");
}

/// Clause 4.12.1: AUTH goes both ways, and before CONNACK.
#[test]
fn both_authenticate() {
    conversation(5, "> CONNECT\n< AUTH\n> AUTH\n< CONNACK\n> AUTH\n< AUTH");
}

/// A client and a broker whose connection was opened by the broker, as through a relay.
#[test]
fn who_opened_the_connection_does_not_matter() {
    conversation(
        4,
        "< CONNECT
         > CONNACK
         < SUBSCRIBE 1 topics=a
         > SUBACK 1 codes=0
         > PINGREQ
         ! wrong_direction 12",
    );
}

/// Of a connection without CONNECT, it takes three packets to be sure.
#[test]
fn who_is_who_is_learned() {
    joined(4, "< PINGREQ\n> PINGRESP\n< PINGREQ\n> PINGRESP\n> PINGREQ\n! wrong_direction 12");
    joined(4, "> PINGREQ\n< PINGREQ\n> PINGREQ\n< PINGREQ\n> PINGREQ\n< PINGREQ");
}

/// [MQTT-3.2.0-1].
#[test]
fn packet_before_connack() {
    conversation(
        5,
        "> CONNECT
         < PUBLISH 0
         ! packet_before_connack 3
         < PUBLISH 0
         < CONNACK",
    );
    conversation(4, "> CONNECT\n< PINGRESP\n! packet_before_connack 13");
    conversation(4, "> CONNECT\nmiss <\n< PUBLISH 0");
    joined(4, "< PUBLISH 0");
}

/// [MQTT-3.14.0-1]: a CONNACK that refuses opens nothing.
#[test]
fn nothing_follows_a_refusal() {
    for level in 3..=5 {
        let code = if level == 5 { 0x87 } else { 5 };
        let refused = format!("> CONNECT\n< CONNACK code={code}\n");
        let broken = "< PUBLISH 0\n! packet_before_connack 3\n< PUBLISH 0";
        conversation(level, &format!("{refused}{broken}"));
        // The client may not know it yet [MQTT-3.1.4-6].
        conversation(level, &format!("{refused}>~ PUBLISH 0\n>~ SUBSCRIBE 1 topics=a"));
    }
}

/// Clause 3.1.4: the client need not wait.
#[test]
fn a_client_need_not_wait_for_connack() {
    for level in 3..=5 {
        conversation(
            level,
            "> CONNECT
             >~ SUBSCRIBE 1 topics=a
             >~ PUBLISH 2 id=2
             < CONNACK
             < SUBACK 1 codes=0
             < PUBREC 2
             > PUBREL 2
             < PUBCOMP 2",
        );
    }
}

/// A mirror port may show CONNACK before CONNECT.
#[test]
fn the_broker_may_be_shown_first() {
    for level in 3..=5 {
        conversation(
            level,
            "<? CONNACK
             <? SUBACK 1 codes=0
             <? PUBLISH 1 id=1
             > CONNECT
             >~ SUBSCRIBE 1 topics=a
             > PUBACK 1
             < PUBACK 9
             ! ack_without_request 9",
        );
    }
}

/// [MQTT-3.14.4-1, 3.14.4-2].
#[test]
fn data_after_disconnect() {
    sessions("> DISCONNECT\n> PUBLISH 0\n! data_after_disconnect 3\n> PUBLISH 0");
    sessions("> DISCONNECT\n> CONNECT\n! data_after_disconnect 1");
    sessions("> DISCONNECT\n> DISCONNECT\n! data_after_disconnect 14");
    session(5, "< DISCONNECT\n< PUBLISH 0\n! data_after_disconnect 3");
    // What was under way.
    sessions("> DISCONNECT\n<~ PUBLISH 0\n< PUBLISH 0");
    session(5, "< DISCONNECT\n>~ PUBLISH 0");
    sessions("> DISCONNECT\nmiss >\n> PUBLISH 0");
}
