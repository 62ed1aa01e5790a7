//! Keep-alive.

use super::*;

/// [MQTT-3.1.2-20, 3.1.2-22].
#[test]
fn keepalive_missed() {
    for level in 3..=5 {
        conversation(
            level,
            "> CONNECT keep=60
             < CONNACK
             wait 91
             > PINGREQ
             wait 93
             > PINGREQ
             ! keepalive_missed 93010
             < PINGRESP
             < PINGRESP
             wait 91
             < PUBLISH 0
             wait 2
             < PUBLISH 0
             ! keepalive_missed 93040
             wait 60
             < PUBLISH 0
             > PUBLISH 0
             wait 93
             > PUBLISH 0
             ! keepalive_missed 93010",
        );
    }
}

#[test]
fn a_client_without_a_keep_alive_may_be_silent() {
    sessions("wait 100000\n> PINGREQ\nwait 100000\n< PINGRESP");
    joined(4, "> PINGREQ\nwait 100000\n> PINGREQ");
}

/// Clause 3.2.2.3.14 [MQTT-3.2.2-21].
#[test]
fn the_broker_decides() {
    let talk = |connect: &str, connack: &str, rest: &str| {
        conversation(5, &format!("> CONNECT {connect}\n< CONNACK {connack}\n{rest}"));
    };
    talk("keep=600", "server_keep=10", "wait 18\n> PINGREQ\n! keepalive_missed 18020");
    talk("keep=10", "server_keep=600", "wait 800\n> PINGREQ");
    talk("keep=10", "server_keep=0", "wait 800\n> PINGREQ");
    // It may have said so where we did not see it.
    conversation(5, "> CONNECT keep=10\nmiss <\nwait 800\n> PINGREQ");
    conversation(4, "> CONNECT keep=10\nmiss <\nwait 800\n> PINGREQ\n! keepalive_missed 800010");
}

/// What the client said may be what we did not see.
#[test]
fn what_was_missed_breaks_the_silence() {
    let start = "> CONNECT keep=10\n< CONNACK\n";
    for rest in [
        "miss >\nwait 100\n> PINGREQ",
        "wait 100\n<? PINGRESP\nmiss >\n> PINGREQ",
        "wait 100\nmiss >\n< PUBLISH 0\n> PINGREQ",
    ] {
        conversation(4, &format!("{start}{rest}"));
    }
}

/// Clause 3.1.2.10: what counts is when a packet begins and when the one before ended.
#[test]
fn a_packet_may_take_its_time() {
    let large = packet(4, "PUBLISH 0 payload=1000");
    let huge = packet(4, "PUBLISH 0 payload=200000");
    for (bytes, shown) in [(&large, 600), (&huge, 150_000)] {
        let mut talk = Talk::new(4, false, Settings::default());
        talk.run("> CONNECT keep=10\n< CONNACK");
        let input = |time, bytes| Input {
            direction: Direction::ToServer,
            time,
            late: false,
            clock_trusted: true,
            acknowledged: Acknowledged::All,
            bytes,
        };
        talk.flow.data(input(talk.time, &bytes[..shown]), &mut (), &mut talk.told);
        talk.run("wait 100\n< PUBLISH 0");
        talk.flow.data(input(talk.time, bytes), &mut (), &mut talk.told);
        if bytes.len() > 100_000 {
            // Its end is not looked at.
            talk.run("wait 100");
        }
        assert_eq!(talk.run("> PINGREQ\n< PINGRESP"), "> PINGREQ\n< PINGRESP\n");
        assert_eq!(talk.told.anomalies, [""; 0]);
        assert_eq!(
            talk.run("wait 100\n> PINGREQ"),
            "wait 100\n> PINGREQ\n! keepalive_missed 100020\n"
        );
    }
}
