//! What the session knows and a packet alone does not say.

use super::*;

#[test]
fn every_packet_tells_whose_connection_it_is() {
    let text = "> CONNECT client=meter-7 user=meter\n< CONNACK\n> PUBLISH 0\n< PUBLISH 0";
    for level in 3..=5 {
        assert_eq!(values(level, "mqtt.client_id", text), ["meter-7"; 4]);
        assert_eq!(values(level, "mqtt.username", text), ["meter"; 4]);
    }
    let assigned = "> CONNECT client=\n< CONNACK assigned=auto-9\n> PUBLISH 0";
    assert_eq!(values(5, "mqtt.client_id", assigned), ["", "auto-9", "auto-9"]);
    assert_eq!(values(5, "mqtt.username", assigned), [""; 0]);
    let long = format!("> CONNECT client={}\n> PUBLISH 0", "ä".repeat(200));
    assert_eq!(values(4, "mqtt.client_id", &long), ["ä".repeat(128), "ä".repeat(128)]);
}

#[test]
fn an_answer_tells_how_long_it_took() {
    let text = "> CONNECT
                < CONNACK
                > PUBLISH 1 id=1
                > PUBLISH 2 id=2
                > SUBSCRIBE 3 topics=a
                wait 1
                < PUBACK 1
                < PUBREC 2
                < SUBACK 3 codes=0
                wait 2
                > PUBREL 2
                wait 3
                < PUBCOMP 2";
    for level in 3..=5 {
        assert_eq!(values(level, "mqtt.puback.latency_ms", text), ["1030"]);
        assert_eq!(values(level, "mqtt.pubrec.latency_ms", text), ["1030"]);
        assert_eq!(values(level, "mqtt.suback.latency_ms", text), ["1030"]);
        assert_eq!(values(level, "mqtt.pubrel.latency_ms", text), ["2020"]);
        assert_eq!(values(level, "mqtt.pubcomp.latency_ms", text), ["3010"]);
    }
    let early = "> CONNECT\n< CONNACK\n<? PUBACK 1\n>~ PUBLISH 1 id=1";
    assert_eq!(values(4, "mqtt.puback.latency_ms", early), [""; 0]);
}

#[test]
fn an_answer_tells_the_topics_that_it_is_about() {
    let text = "> CONNECT
                < CONNACK
                > SUBSCRIBE 3 topics=a/#,b
                > UNSUBSCRIBE 4 topics=c
                < UNSUBACK 4 codes=17
                < SUBACK 3 codes=0,128";
    assert_eq!(values(5, "mqtt.suback.filters", text), ["a/#", "b"]);
    assert_eq!(values(5, "mqtt.unsuback.filters", text), ["c"]);
}

#[test]
fn behind_a_hole_the_topic_of_an_alias_is_doubtful() {
    let start = "> CONNECT\n< CONNACK aliases=9\n> PUBLISH 0 topic=a alias=1\n> PUBLISH 0 alias=1";
    let text = format!("{start}\nmiss >\n> PUBLISH 0 alias=1\n> PUBLISH 0 topic=a alias=1");
    assert_eq!(values(5, "mqtt.publish.topic", &text), ["a"; 4]);
    assert_eq!(values(5, "mqtt.publish.topic_doubtful", &text), ["true"]);
    let text = format!("{start}\nmiss <\n> PUBLISH 0 alias=1");
    assert_eq!(values(5, "mqtt.publish.topic_doubtful", &text), [""; 0]);
}

fn facts(level: u8, text: &str) -> Vec<String> {
    let mut talk = Talk::new(level, false, Settings::default());
    talk.run(text);
    let mut facts = Vec::new();
    talk.flow.facts(&mut |name, fact| match fact {
        Fact::Member(Value::Text(text)) | Fact::UserName(Value::Text(text)) => {
            facts.push(format!("{name} {}", String::from_utf8_lossy(text)));
        }
        Fact::Count(0) => {}
        other => facts.push(format!("{name} {other:?}")),
    });
    facts
}

#[test]
fn a_summary_counts_subscriptions_that_were_not_refused_once() {
    let text = "> CONNECT user=u
                < CONNACK
                > SUBSCRIBE 1 topics=a,b,c
                < SUBACK 1 codes=0,128,1
                > SUBSCRIBE 2 topics=a
                < SUBACK 2 codes=1
                > SUBSCRIBE 3 topics=d,e";
    assert_eq!(facts(4, text), ["clients c", "users u", "subscriptions Count(4)"]);
}

#[test]
fn who_is_refused_is_no_client() {
    let text = "> CONNECT user=u\n< CONNACK code=5";
    assert_eq!(facts(4, text), ["refused logins Count(1)"]);
    assert_eq!(facts(4, "> CONNECT user=u"), ["clients c", "users u"]);
}

/// Each topic is another, and nobody answers some of it.
#[test]
fn ten_thousand_subscriptions() {
    for each in [1, 100] {
        let mut talk = Talk::new(5, false, Settings::default());
        talk.run("> CONNECT\n< CONNACK");
        for (id, first) in (0..10_000).step_by(each).enumerate() {
            let topics: Vec<_> = (first..first + each).map(|n| format!("plant/{n}/#")).collect();
            let codes = vec!["0"; each].join(",");
            let id = id + 1;
            talk.line(&format!("> SUBSCRIBE {id} topics={}", topics.join(",")));
            talk.line(&format!("< SUBACK {id} codes={codes}"));
        }
        assert_eq!(talk.told.anomalies, [""; 0]);
        assert_eq!(talk.flow.packets.session.subscriptions.as_ref().unwrap().count(), 10_000);
    }
}
