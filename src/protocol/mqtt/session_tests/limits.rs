//! What each end takes, and what is configured.

use super::*;

/// [MQTT-3.1.2-24, 3.2.2-15].
#[test]
fn packet_too_large() {
    // A PUBLISH has six octets here besides its payload.
    conversation(
        5,
        "> CONNECT size=20
         < CONNACK size=30
         < PUBLISH 0 payload=14
         < PUBLISH 0 payload=15
         ! packet_too_large 21
         > PUBLISH 0 payload=100
         > PUBLISH 0 payload=24
         > PUBLISH 0 payload=25
         ! packet_too_large 31",
    );
    session(5, "> PUBLISH 0 payload=100000");
}

fn configured(text: &str, settings: Settings) {
    for level in 3..=5 {
        check(Talk::new(level, false, settings), &format!("> CONNECT\n< CONNACK\n{text}"));
    }
}

#[test]
fn a_packet_larger_than_is_configured_is_told_either_way() {
    let settings = Settings { maximum_packet_size: 50, ..Settings::default() };
    for way in ['>', '<'] {
        for (level, largest) in [(3, 45), (4, 45), (5, 44)] {
            let text = format!(
                "> CONNECT\n< CONNACK\n{way} PUBLISH 0 payload={largest}\n\
                 {way} PUBLISH 0 payload={}\n! packet_too_large 51",
                largest + 1
            );
            check(Talk::new(level, false, settings), &text);
        }
    }
}

#[test]
fn topic_too_deep() {
    let settings = Settings { topic_levels: 3, ..Settings::default() };
    configured(
        "> PUBLISH 0 topic=plant/unit/power
         > PUBLISH 0 topic=a/b/c
         > PUBLISH 0 topic=///
         ! topic_too_deep 4
         < PUBLISH 0 topic=plant/unit/power/phase
         ! topic_too_deep 4
         > SUBSCRIBE 1 topics=a/b/#,a/b/c/#
         ! topic_too_deep 4
         < SUBACK 1 codes=0,0
         > UNSUBSCRIBE 1 topics=a/b/c/d
         ! topic_too_deep 4",
        settings,
    );
    let connect = "> CONNECT will=a/b/c/d\n! topic_too_deep 4";
    check(Talk::new(4, false, settings), connect);
    let deep = "/".repeat(31);
    sessions(&format!("> PUBLISH 0 topic={deep}\n> PUBLISH 0 topic={deep}/\n! topic_too_deep 33"));
}

/// [MQTT-3.1.2-26, 3.1.2-27, 3.2.2-17, 3.2.2-18].
#[test]
fn alias_over_maximum() {
    conversation(
        5,
        "> CONNECT aliases=2
         < CONNACK aliases=1
         < PUBLISH 0 topic=a alias=2
         < PUBLISH 0 topic=a alias=3
         ! alias_over_maximum 3
         > PUBLISH 0
         > PUBLISH 0 topic=a alias=1
         > PUBLISH 0 topic=a alias=2
         ! alias_over_maximum 2",
    );
    // Where nothing is announced, none is taken.
    session(5, "< PUBLISH 0 topic=a alias=1\n! alias_over_maximum 1");
    session(5, "> PUBLISH 0\n> PUBLISH 0 topic=a alias=1\n! alias_over_maximum 1");
    // Nobody knows what was announced.
    joined(5, "> PUBLISH 0 topic=a alias=9\n< PUBLISH 0 topic=a alias=9");
    conversation(5, "> CONNECT\nmiss <\n> PUBLISH 0 topic=a alias=9\n> PUBLISH 0 alias=9");
}

/// Clause 3.1.4: who does not wait for CONNACK does not know what it says.
#[test]
fn limits_hold_once_the_client_knows_of_them() {
    conversation(
        5,
        "> CONNECT
         > PUBLISH 1 id=1 topic=a alias=3 payload=99
         > PUBLISH 1 id=2
         < CONNACK receive=1 size=30
         >~ PUBLISH 1 id=3 alias=3 payload=99
         > PINGREQ
         > PUBLISH 0 topic=a alias=4
         ! alias_over_maximum 4
         > PUBLISH 1 id=5
         ! receive_maximum_exceeded 4
         > PUBLISH 0 payload=99
         ! packet_too_large 105",
    );
}

/// Clause 3.3.2.3.4; those of the two directions are separate.
#[test]
fn alias_unknown() {
    conversation(
        5,
        "> CONNECT aliases=9
         < CONNACK aliases=9
         < PUBLISH 0 topic=a alias=1
         > PUBLISH 0 alias=1
         ! alias_unknown 1
         < PUBLISH 0 alias=1
         > PUBLISH 0 topic=a alias=0
         ! alias_zero 0",
    );
    conversation(5, "> CONNECT aliases=9\n< CONNACK\nmiss <\n< PUBLISH 0 alias=1");
    conversation(
        5,
        "> CONNECT aliases=9
         < CONNACK
         miss >
         < PUBLISH 0 alias=1
         ! alias_unknown 1",
    );
}
