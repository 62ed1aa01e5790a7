//! Packet identifiers, and what answers what.

use super::*;

/// [MQTT-2.2.1-5, 2.2.1-6, 3.12.4-1].
#[test]
fn ack_without_request() {
    for (answer, id) in [
        ("< PUBACK 7", 7),
        ("> PUBACK 7", 7),
        ("< PUBREC 7", 7),
        ("< PUBCOMP 7", 7),
        ("> PUBREL 7", 7),
        ("< SUBACK 7 codes=0", 7),
        ("< UNSUBACK 7 codes=0", 7),
        ("< PINGRESP", 13),
    ] {
        sessions(&format!("{answer}\n! ack_without_request {id}"));
    }
    sessions("> PUBLISH 1 id=7\n< PUBACK 7\n< PUBACK 7\n! ack_without_request 7");
    sessions("> PINGREQ\n< PINGRESP\n< PINGRESP\n! ack_without_request 13");
}

/// Clause 2.2.1: each end has identifiers of its own.
#[test]
fn the_identifiers_of_the_two_ends_are_separate() {
    sessions(
        "> PUBLISH 1 id=7
         < PUBLISH 2 id=7
         > SUBSCRIBE 8 topics=a
         < PUBLISH 1 id=8
         > PUBREC 7
         < PUBACK 7
         > PUBACK 8
         < SUBACK 8 codes=0
         < PUBREL 7
         > PUBCOMP 7
         > PUBACK 7
         ! ack_without_request 7",
    );
}

/// An answer is judged by what its sender had: here more than we saw.
#[test]
fn an_answer_may_be_shown_before_what_it_answers() {
    sessions(
        "<? PUBACK 7
         >~ PUBLISH 1 id=7
         <? PUBREC 8
         <? PUBCOMP 8
         >~ PUBLISH 2 id=8
         >~ PUBREL 8
         <? SUBACK 9 codes=0
         >~ SUBSCRIBE 9 topics=a
         <? PINGRESP
         >~ PINGREQ
         > PUBLISH 1 id=7
         < PUBACK 7
         > PUBLISH 2 id=8
         < PUBREC 8
         > PUBREL 8
         < PUBCOMP 8
         < PUBCOMP 8
         ! ack_without_request 8",
    );
    // The other direction is behind.
    sessions(
        "> PUBLISH 2 id=8
         >? PUBREL 8
         >? PUBLISH 1 id=8
         >? PUBLISH 1 id=8
         <~ PUBREC 8
         <~ PUBCOMP 8
         <~ PUBACK 8
         < PUBACK 8
         > PUBLISH 1 id=8
         > PUBLISH 1 id=8
         ! packet_id_in_use 8",
    );
}

#[test]
fn ack_wrong_kind() {
    for (request, answer) in [
        ("PUBLISH 1 id=7", "PUBREC 7"),
        ("PUBLISH 1 id=7", "PUBCOMP 7"),
        ("PUBLISH 2 id=7", "PUBACK 7"),
        ("PUBLISH 2 id=7", "PUBCOMP 7"),
        ("PUBLISH 1 id=7", "SUBACK 7 codes=0"),
        ("SUBSCRIBE 7 topics=a", "PUBACK 7"),
        ("SUBSCRIBE 7 topics=a", "UNSUBACK 7 codes=0"),
        ("UNSUBSCRIBE 7 topics=a", "SUBACK 7 codes=0"),
    ] {
        sessions(&format!("> {request}\n< {answer}\n! ack_wrong_kind 7"));
    }
    sessions("> PUBLISH 1 id=7\n> PUBREL 7\n! ack_wrong_kind 7");
    // Before PUBREC.
    sessions("> PUBLISH 2 id=7\n> PUBREL 7\n! ack_wrong_kind 7");
    sessions("> PUBLISH 2 id=7\n< PUBREC 7\n< PUBCOMP 7\n! ack_wrong_kind 7");
    // The right one may still come.
    sessions("> PUBLISH 1 id=7\n< PUBREC 7\n! ack_wrong_kind 7\n< PUBACK 7");
}

/// [MQTT-2.2.1-3, 4.4.0-1].
#[test]
fn packet_id_in_use() {
    for request in
        ["PUBLISH 1 id=7", "PUBLISH 2 id=7", "SUBSCRIBE 7 topics=a", "UNSUBSCRIBE 7 topics=a"]
    {
        sessions(&format!("> PUBLISH 1 id=7\n> {request}\n! packet_id_in_use 7"));
        sessions(&format!("> PUBLISH 1 id=7\n< PUBACK 7\n> {request}"));
        sessions(&format!("> PUBLISH 1 id=7\n>? {request}"));
    }
    session(5, "< PUBLISH 1 id=7\n< PUBLISH 1 id=7 dup\n! packet_id_in_use 7");
}

/// MQTT 3.1, clause 4.2; MQTT 3.1.1, clause 4.4.
#[test]
fn before_level_5_packets_are_sent_again_and_answered_again() {
    for level in [3, 4] {
        session(
            level,
            "> PUBLISH 1 id=7
             > PUBLISH 1 id=7 dup
             < PUBACK 7
             < PUBACK 7
             > PUBLISH 2 id=8
             > PUBLISH 2 id=8 dup
             < PUBREC 8
             < PUBREC 8
             > PUBREL 8
             > PUBREL 8
             < PUBCOMP 8
             < PUBCOMP 8",
        );
        // Both ends do so at once.
        session(level, "> PUBLISH 1 id=7\n< PUBACK 7\n>~ PUBLISH 1 id=7 dup\n< PUBACK 7");
        session(
            level,
            "> PUBLISH 2 id=7
             < PUBREC 7
             > PUBREL 7
             < PUBCOMP 7
             >~ PUBREL 7
             < PUBCOMP 7",
        );
    }
    session(3, "> SUBSCRIBE 7 topics=a\n> SUBSCRIBE 7 topics=a dup\n< SUBACK 7 codes=0");
}

/// A session that goes on, or that may.
#[test]
fn what_an_earlier_connection_began_is_finished_on_this_one() {
    let text = "> PUBREL 1
                > PUBLISH 2 id=2 dup
                < PUBREC 2
                < PUBCOMP 1
                < PUBACK 9
                < PUBREC 10
                > PUBREL 10
                < PUBCOMP 10
                < PUBREL 1
                > PUBCOMP 1
                > PUBREL 2
                < PUBCOMP 2
                > PUBACK 3";
    for level in [4, 5] {
        conversation(level, &format!("> CONNECT resume\n< CONNACK present\n{text}"));
    }
    // MQTT 3.1 does not say whether there was a session.
    conversation(3, &format!("> CONNECT resume\n< CONNACK\n{text}"));
    for level in 3..=5 {
        joined(level, text);
        sessions(&format!("miss >\n{text}"));
        sessions(&format!("miss <\n{text}"));
    }
    // There was none.
    conversation(5, "> CONNECT resume\n< CONNACK\n< PUBACK 9\n! ack_without_request 9");
}

/// What was sent on this connection is known, whatever was before.
#[test]
fn in_a_session_that_goes_on_identifiers_are_used_once_too() {
    let text = "> PUBLISH 1 id=1 dup\n> PUBLISH 1 id=1\n! packet_id_in_use 1";
    conversation(5, &format!("> CONNECT resume\n< CONNACK present\n{text}"));
    session(5, &format!("miss <\n{text}"));
}

/// What was missed may have been the answer, or the request.
#[test]
fn what_was_missed_accuses_nobody() {
    sessions("> PUBLISH 1 id=1\nmiss <\n> PUBLISH 1 id=1\n< PUBACK 1\n< PUBACK 1");
    sessions("miss >\n< PUBACK 1\n< SUBACK 1 codes=0,0\n< PINGRESP");
    sessions("> SUBSCRIBE 1 topics=a\nmiss >\n< SUBACK 1 codes=0,0");
}

/// Clauses 3.3.4 and 4.9 [MQTT-3.3.4-7, 3.3.4-9].
#[test]
fn receive_maximum_exceeded() {
    conversation(
        5,
        "> CONNECT receive=2
         < CONNACK receive=1
         < PUBLISH 1 id=1
         < PUBLISH 2 id=2
         < PUBLISH 1 id=3
         ! receive_maximum_exceeded 3
         < PUBLISH 1 id=4
         > PUBACK 1
         > PUBACK 3
         > PUBACK 4
         < PUBLISH 2 id=1
         < PUBLISH 0
         > PUBREC 2
         < PUBREL 2
         > PINGREQ
         > PUBLISH 1 id=1
         > PUBLISH 1 id=2
         ! receive_maximum_exceeded 2",
    );
    // PUBCOMP frees, a PUBREC that refuses does so too, and so may what we did not see.
    conversation(
        5,
        "> CONNECT receive=1
         < CONNACK
         < PUBLISH 2 id=1
         > PUBREC 1
         < PUBREL 1
         > PUBCOMP 1
         < PUBLISH 2 id=2
         > PUBREC 2 code=151
         < PUBLISH 2 id=3
         <? PUBLISH 2 id=4",
    );
    // Before level 5 there is none.
    session(4, "> PUBLISH 1 id=1\n> PUBLISH 1 id=2");
}

/// [MQTT-4.3.3-4].
#[test]
fn qos2_unreleased() {
    sessions("> PUBLISH 2 id=1\n< PUBREC 1\n> PUBLISH 1 id=1\n! qos2_unreleased 1");
    sessions(
        "< PUBLISH 2 id=1
         > PUBREC 1
         wait 59
         < PUBLISH 0
         wait 2
         > PINGREQ
         < PINGRESP
         ! qos2_unreleased 1
         < PINGRESP
         ! ack_without_request 13",
    );
    // Released in time, refused, or its sender may not know.
    sessions("> PUBLISH 2 id=1\n< PUBREC 1\n> PUBREL 1\nwait 61\n> PUBLISH 0\n< PUBCOMP 1");
    session(5, "> PUBLISH 2 id=1\n< PUBREC 1 code=135\nwait 61\n> PUBLISH 0\n> PUBLISH 2 id=1");
    sessions("> PUBLISH 2 id=1\n< PUBREC 1\nwait 61\n>~ PUBLISH 0");
    sessions("> PUBLISH 2 id=1\n< PUBREC 1\nmiss >\nwait 61\n> PUBLISH 0");
    // Of several each that is remembered.
    sessions(
        "> PUBLISH 2 id=1
         > PUBLISH 2 id=2
         < PUBREC 1
         < PUBREC 2
         > PUBREL 1
         wait 61
         > PUBLISH 0
         ! qos2_unreleased 2
         > PUBLISH 0",
    );
}

/// [MQTT-3.8.4-6], clause 3.11.3.
#[test]
fn subscription_count_mismatch() {
    sessions("> SUBSCRIBE 1 topics=a,b\n< SUBACK 1 codes=0\n! subscription_count_mismatch 1");
    sessions("> SUBSCRIBE 1 topics=a\n< SUBACK 1 codes=0,1\n! subscription_count_mismatch 2");
    session(5, "> UNSUBSCRIBE 1 topics=a,b\n< UNSUBACK 1 codes=0\n! subscription_count_mismatch 1");
    session(4, "> UNSUBSCRIBE 1 topics=a,b\n< UNSUBACK 1");
    sessions("<? SUBACK 1 codes=0,0\n> SUBSCRIBE 1 topics=a");
}

/// More than there are identifiers, and each answered: of both directions, in linear time.
#[test]
fn a_hundred_thousand_packets_in_flight() {
    let mut talk = Talk::new(5, false, Settings::default());
    talk.run("> CONNECT\n< CONNACK");
    for _ in 0..2 {
        for id in 1..=50_000 {
            talk.line(&format!("> PUBLISH 1 id={id}"));
            talk.line(&format!("< PUBLISH 2 id={id}"));
        }
        for id in 1..=50_000 {
            talk.line(&format!("< PUBACK {id}"));
            talk.line(&format!("> PUBREC {id}"));
            talk.line(&format!("< PUBREL {id}"));
            talk.line(&format!("> PUBCOMP {id}"));
        }
    }
    assert_eq!(talk.told.anomalies, [""; 0]);
}
