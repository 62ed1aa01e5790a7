//! What `docs/iec104.md` says of IEC 60870-5-104, and that rules can read its octets.

mod common;

use common::page::{Page, names};
use common::wire::{Client, End, Server, Wire};
use gridtap::protocol::iec104;

fn page() -> Page {
    Page::read("docs/iec104.md")
}

fn anomalies() -> Vec<&'static str> {
    iec104::PROTOCOL.anomalies.concat()
}

#[test]
fn every_anomaly_is_documented_once() {
    page().explains("## Anomalies", &anomalies());
}

#[test]
fn every_field_has_its_source() {
    let mut documented = Vec::new();
    for row in page().rows("## Where fields come from") {
        // Names that follow the first of a row stand beside it.
        let mut beside = String::new();
        for name in names(&row[0]) {
            let name = name.replace('…', "iec104.");
            let full = if name.starts_with("iec104.") { name } else { format!("{beside}{name}") };
            let place = full.strip_suffix(".*").unwrap_or(&full);
            beside = place.rsplit_once('.').map_or(String::new(), |(path, _)| format!("{path}."));
            documented.push(full);
        }
    }
    let fields: Vec<String> = iec104::IEC104.paths().map(|(name, _, _)| name).collect();
    let covers = |entry: &str, field: &str| match entry.strip_suffix('*') {
        Some(object) => field.starts_with(object),
        None => entry == field,
    };
    for field in &fields {
        assert!(documented.iter().any(|entry| covers(entry, field)), "whence is {field}?");
    }
    for entry in &documented {
        assert!(fields.iter().any(|field| covers(entry, field)), "there is no {entry}");
    }
}

#[test]
fn each_rule_of_snort_is_compared() {
    let rows = page().rows("## Compared with Snort 3");
    let numbers: Vec<u32> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=54).collect::<Vec<u32>>());
    for row in rows {
        for name in names(&row[2]) {
            assert!(anomalies().contains(&name), "{name} of SID {}", row[0]);
        }
        assert!(!row[2].is_empty() && (row[2] != "none" || !row[3].is_empty()), "SID {}", row[0]);
    }
}

/// How often a rule of this service fires in a conversation of ASDUs, which come after STARTDT.
fn alerts(service: &str, detection: &str, asdus: &[(End, &[u8])]) -> usize {
    let mut wire = Wire::opened(2404);
    wire.send(Client, &[0x68, 4, 7, 0, 0, 0]);
    wire.send(Server, &[0x68, 4, 0x0B, 0, 0, 0]);
    let mut sent = [0_u8; 2];
    for (side, asdu) in asdus {
        let [mine, others] = if *side == Client { [sent[0], sent[1]] } else { [sent[1], sent[0]] };
        let apci = [0x68, 4 + asdu.len() as u8, mine << 1, 0, others << 1, 0];
        sent[usize::from(*side != Client)] += 1;
        wire.send(*side, &[&apci, *asdu].concat());
    }
    common::alerts(service, detection, &wire.frames)
}

/// Titles of the rules that fire for an APDU in format I with this ASDU.
fn fired(detection: &str, asdu: &[u8]) -> Vec<String> {
    vec!["it holds".to_owned(); alerts("iec104", detection, &[(Server, asdu)])]
}

/// M_ME_NB_1: object 1 is 100 and invalid, object 2 is 400 and good.
const TWO_VALUES: &[u8] = &[11, 0x82, 3, 0, 10, 0, 1, 0, 0, 100, 0, 0x80, 0x90, 1, 0];

#[test]
fn a_rule_about_objects_is_about_one_of_them() {
    let seen = |detection| alerts("iec104_object", detection, &[(Server, TWO_VALUES)]);
    assert_eq!(seen("iec104.value|gte: 100, iec104.value|lt: 400"), 1);
    assert_eq!(seen("iec104.value|gt: 200, iec104.quality.invalid: false"), 1);
    assert_eq!(seen("iec104.value|gt: 200, iec104.quality.invalid: true"), 0);
    assert_eq!(seen("iec104.type: M_ME_NB_1, iec104.ioa: [1, 2], iec104.ca: 10"), 2);
}

#[test]
fn rules_match_the_outcome_of_a_command_and_how_long_it_took() {
    let command = |cause| [45, 1, cause, 0, 10, 0, 5, 0, 0, 1];
    let (act, con, refused) = (command(6), command(7), command(0x47));
    let done = [(Client, &act[..]), (Server, &con)];
    let denied = [(Client, &act[..]), (Server, &refused)];
    let outcome = |name: &str, asdus: &[(End, &[u8])]| {
        alerts("iec104", &format!("iec104.command.outcome: {name}, src_port: 40000"), asdus)
    };
    assert_eq!((outcome("completed", &done), outcome("rejected", &done)), (1, 0));
    assert_eq!((outcome("completed", &denied), outcome("rejected", &denied)), (0, 1));
    let quick = "iec104.command.confirm_ms|lt: 1000, iec104.command.steps: execute_con";
    assert_eq!(alerts("iec104", quick, &done), 1);
    assert_eq!(alerts("iec104", "iec104.type: C_SC_NA_1, iec104.cause: activation", &done), 1);
}

#[test]
fn rules_match_anomalies_of_link_commands_and_clocks() {
    let anomaly = |name: &str, asdus: &[(End, &[u8])]| {
        alerts("anomaly", &format!("anomaly.event: {name}, anomaly.app_proto: iec104"), asdus)
    };
    let answer = [45, 1, 7, 0, 10, 0, 5, 0, 0, 1];
    assert_eq!(anomaly("confirmation_without_command", &[(Server, &answer)]), 1);
    // 31 December 2099.
    let tomorrow = [30, 1, 3, 0, 10, 0, 5, 0, 0, 1, 0, 0, 0, 0, 31, 12, 99];
    assert_eq!(anomaly("time_skew", &[(Server, &tomorrow)]), 1);
    assert_eq!(anomaly("direction", &[(Client, &tomorrow)]), 1);
    assert_eq!(anomaly("ns_repeat", &[(Server, &tomorrow)]), 0);
}

#[test]
fn rules_match_octets_by_their_digits() {
    let private = [200, 1, 3, 0, 10, 0, 0xDE, 0xAD, 0x0B];
    assert_eq!(fired("iec104.private: dead0b", &private), ["it holds"]);
    assert_eq!(fired("iec104.private|startswith: DEAD", &private), ["it holds"]);
    assert_eq!(fired("iec104.private|contains: beef", &private), [""; 0]);
    let segment = [125, 1, 13, 0, 10, 0, 1, 0, 0, 1, 0, 1, 4, 0x7F, b'E', b'L', b'F'];
    assert_eq!(fired("iec104.objects.file.data|startswith: '7f454c46'", &segment), ["it holds"]);
    assert_eq!(fired("iec104.objects.file.data|startswith: '4d5a'", &segment), [""; 0]);
}

#[test]
fn rules_match_qualifiers_by_name_and_number() {
    let interrogation = [100, 1, 7, 0, 10, 0, 0, 0, 0, 20];
    assert_eq!(fired("iec104.objects.qualifier_name: station", &interrogation), ["it holds"]);
    assert_eq!(fired("iec104.objects.qualifier: 20", &interrogation), ["it holds"]);
    assert_eq!(fired("iec104.objects.qualifier_name: 'group 1'", &interrogation), [""; 0]);
}
