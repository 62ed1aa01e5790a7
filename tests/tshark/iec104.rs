//! Every field of every APDU, object by object.

mod differences;
mod fields;
mod moment;
mod page;
mod synthetic;
mod undecoded;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use differences::{DIFFERENCES, Difference};
use fields::{Fields, Read};
use gridtap::protocol::iec104::apci;
use gridtap::protocol::iec104::asdu::Widths;
use gridtap::rule::RuleSet;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use undecoded::Octets;

use crate::common::{frames, record_json, run};
use crate::differences::all_met;
use crate::pdml::{Field, Layer, dissect};
use crate::{captures, pdml};

const PROTOCOLS: &[&str] = &["iec60870_104", "iec60870_asdu"];
const PROTOCOLS_101: &[&str] = &["iec60870_101", "iec60870_asdu"];
const CAPTURES: &[&str] = &["all-types.pcap", "clean.pcap", "demo.pcap", "injection.pcap"];

/// The first private type.
const PRIVATE: u64 = 128;

/// We found our way back.
const RESYNC: &str = "resync";

/// Ours alone: names of numbers that are compared.
const NAMES: &[&str] =
    &["type", "cause", "state", "qualifier_name", "freeze_name", "file.error_name"];

/// One APDU as a decoder sees it.
#[derive(Debug, Default)]
struct Apdu {
    frame: u64,
    header: Fields,
    objects: Vec<Fields>,
    /// What is wrong with it.
    complaints: Vec<String>,
    /// Names of anomalies that there must be.
    demanded: BTreeSet<&'static str>,
}

#[test]
fn every_field_of_real_peers_has_the_same_value() {
    for capture in captures(CAPTURES, "iec104") {
        if compare(&capture).is_none() {
            return;
        }
    }
}

#[test]
fn every_field_has_the_same_value_whatever_the_octets() {
    let folder = TempDir::new().unwrap();
    let capture = folder.path().join("synthetic.pcap");
    synthetic::write(&capture);
    let Some(mut found) = compare(&capture) else { return };
    for widths in widths() {
        found.append(&mut compare_101(&capture, widths).expect("tshark"));
    }
    all_met(&found, DIFFERENCES);
}

/// Every division of an ASDU that is in use, but for the standard's.
fn widths() -> impl Iterator<Item = Widths> {
    let all = (0..12).map(|number| Widths {
        cause: 1 + number % 2,
        common_address: 1 + number / 2 % 2,
        object_address: 1 + number / 4,
    });
    all.filter(|widths| *widths != Widths::STANDARD)
}

/// Only ASDUs, without the session that finds anomalies.
fn compare_101(capture: &Path, widths: Widths) -> Option<BTreeSet<Difference>> {
    let asdus = synthetic::write_101(capture, widths);
    let options = [
        ("cot_len", widths.cause),
        ("asdu_addr_len", widths.common_address),
        ("asdu_ioa_len", widths.object_address),
    ];
    let options = options.map(|(name, width)| format!("-oiec60870_101.{name}:{width} octet"));
    let arguments = [&["-dtcp.port==2404,iec60870_101".to_owned()], &options[..]].concat();
    let layers = pdml::dissect_with(capture, PROTOCOLS_101, &arguments)?;
    let (mut theirs, differences) = theirs(&layers, widths.object_address);
    for apdu in &mut theirs {
        apdu.complaints.clear();
        apdu.demanded.clear();
    }
    let ours: Vec<_> =
        (1..).zip(asdus).map(|(frame, asdu)| our_asdu(frame, &asdu, widths)).collect();
    tell_all(&format!("{widths:?}"), &ours, &theirs);
    Some(differences)
}

fn our_asdu(frame: u64, asdu: &[u8], widths: Widths) -> Apdu {
    const FRAMING: [&str; 4] = ["frame", "length", "ns", "nr"];
    let octets = [&[0x68, 4 + asdu.len() as u8, 0, 0, 0, 0], asdu].concat();
    let parsed = apci::Apdu::parse(&octets, widths).expect("an APDU");
    let mut apdu = our_apdu(frame, &record_json(&parsed)["iec104"]);
    apdu.header.retain(|name, _| !FRAMING.contains(&&name[..]));
    apdu
}

/// Fails with the first lines of what is different. Returns where Wireshark had to be put right.
fn compare(capture: &Path) -> Option<BTreeSet<Difference>> {
    let layers = dissect(capture, PROTOCOLS)?;
    let (theirs, mut differences) = theirs(&layers, Widths::STANDARD.object_address);
    let mut ours = ours(capture);
    let frames: BTreeSet<_> = theirs.iter().map(|apdu| apdu.frame).collect();
    let met = ours.len();
    ours.retain(|our| frames.contains(&our.frame) || !our.complaints.contains(&RESYNC.to_owned()));
    if ours.len() < met {
        differences.insert(Difference::Swallowed);
    }
    tell_all(&capture.display().to_string(), &ours, &theirs);
    Some(differences)
}

fn tell_all(name: &str, ours: &[Apdu], theirs: &[Apdu]) {
    assert!(!theirs.is_empty(), "{name}: tshark sees no APDU");
    let mut told = String::new();
    for (index, (our, their)) in ours.iter().zip(theirs).enumerate() {
        let kind = their.header.get("type_id").map_or(json!("no ASDU"), Json::clone);
        let place = format!("APDU {index}, frame {}, type {kind}", their.frame);
        tell(&mut told, &place, our, their);
    }
    let first: Vec<_> = told.lines().take(40).collect();
    assert!(told.is_empty(), "{name}:\n{}", first.join("\n"));
    assert_eq!(ours.len(), theirs.len(), "{name}: number of APDUs");
}

fn tell(told: &mut String, place: &str, our: &Apdu, their: &Apdu) {
    if our.frame != their.frame {
        writeln!(told, "{place}: ours is of frame {}", our.frame).unwrap();
    }
    tell_fields(told, place, &our.header, &their.header);
    if our.objects.len() != their.objects.len() {
        let numbers = (our.objects.len(), their.objects.len());
        writeln!(told, "{place}: {} objects here, {} there", numbers.0, numbers.1).unwrap();
    }
    for (index, (our, their)) in our.objects.iter().zip(&their.objects).enumerate() {
        tell_fields(told, &format!("{place}, object {index}"), our, their);
    }
    for name in their.demanded.iter().filter(|name| !our.complaints.contains(&(**name).into())) {
        writeln!(told, "{place}: no anomaly {name}").unwrap();
    }
    if our.complaints.is_empty() && !their.complaints.is_empty() {
        writeln!(told, "{place}: no anomaly for {:?}", their.complaints).unwrap();
    }
}

fn tell_fields(told: &mut String, place: &str, ours: &Fields, theirs: &Fields) {
    let absent = json!("absent");
    for name in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
        let of = |fields: &Fields| fields.get(name).unwrap_or(&absent).clone();
        let (our, their) = (of(ours), of(theirs));
        if our != their && !(NAMES.contains(&&name[..]) && their == absent) {
            writeln!(told, "{place}: {name}: {our} here, {their} there").unwrap();
        }
    }
}

/// Our APDUs, with the parts of their times.
fn ours(capture: &Path) -> Vec<Apdu> {
    let collected = run(&frames(capture), Arc::new(RuleSet::default()));
    let mut apdus = Vec::<Apdu>::new();
    // The life of a command is no APDU.
    let is_apdu = |record: &&&Json| record["iec104"]["frame"].is_string();
    for record in collected.of("iec104").iter().filter(is_apdu) {
        apdus.push(our_apdu(record["pcap_cnt"].as_u64().unwrap_or(0), &record["iec104"]));
    }
    for record in collected.of("anomaly") {
        let frame = record["pcap_cnt"].as_u64().unwrap_or(0);
        let event = record["anomaly"]["event"].as_str().unwrap();
        for apdu in apdus.iter_mut().filter(|apdu| apdu.frame == frame) {
            apdu.complaints.push(event.to_owned());
        }
    }
    apdus
}

fn our_apdu(frame: u64, record: &Json) -> Apdu {
    let mut header = record.as_object().unwrap().clone();
    let mut objects = Vec::new();
    if let Some(Json::Array(list)) = header.remove("objects") {
        objects.extend(list.iter().map(|object| flat(object, "")));
        objects.iter_mut().for_each(moment::take_apart);
    }
    Apdu { frame, header: flat(&Json::Object(header), ""), objects, ..Apdu::default() }
}

/// Nested objects as names with dots.
fn flat(value: &Json, prefix: &str) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in value.as_object().unwrap() {
        let name = format!("{prefix}{name}");
        if value.is_object() {
            fields.append(&mut flat(value, &format!("{name}.")));
        } else {
            fields.insert(name, value.clone());
        }
    }
    fields
}

/// Wireshark's APDUs in our fields. `width` is that of an object address, in octets.
fn theirs(layers: &[Layer], width: u8) -> (Vec<Apdu>, BTreeSet<Difference>) {
    let mut apdus = Vec::<Apdu>::new();
    let mut differences = BTreeSet::new();
    for layer in layers {
        match &layer.protocol[..] {
            "iec60870_104" if layer.find("iec60870_104.data").is_some() => {
                differences.insert(Difference::PassedOver);
            }
            "iec60870_101" => {
                apdus.push(Apdu { frame: layer.frame, ..Apdu::default() });
            }
            "iec60870_104" => {
                let read = read(layer.fields.iter());
                let (header, complaints) = (read.fields, read.complaints);
                apdus.push(Apdu { frame: layer.frame, header, complaints, ..Apdu::default() });
            }
            "iec60870_asdu" => {
                let apdu = apdus.last_mut().expect("an ASDU is in an APDU");
                add_asdu(apdu, &layer.fields, width, &mut differences);
            }
            "_ws.malformed" => {
                if let Some(apdu) = apdus.last_mut().filter(|apdu| apdu.frame == layer.frame) {
                    apdu.complaints.push("malformed".into());
                }
            }
            _ => {}
        }
    }
    (apdus, differences)
}

fn read<'a>(fields: impl Iterator<Item = &'a Field>) -> Read {
    let mut read = Read::default();
    fields.for_each(|field| read.field(field));
    moment::settle(&mut read);
    read
}

fn add_asdu(apdu: &mut Apdu, fields: &[Field], width: u8, differences: &mut BTreeSet<Difference>) {
    // Below a heading stands an object; beside the header, what is not taken apart.
    let is_rest =
        |field: &Field| ["iec60870_asdu.ioa", "iec60870_asdu.rawdata"].contains(&&field.name[..]);
    let header = read(fields.iter().filter(|field| !field.name.is_empty() && !is_rest(field)));
    apdu.complaints.extend(header.complaints);
    if !header.fields.contains_key("ca") {
        differences.insert(Difference::ShortHeader);
        apdu.demanded.insert("asdu_length");
        return;
    }
    let addresses = 1 << (8 * width);
    for object in fields.iter().filter(|field| field.name.is_empty()) {
        let mut read = read(object.inner.iter());
        differences.append(&mut read.differences);
        apdu.complaints.append(&mut read.complaints);
        apdu.demanded.append(&mut read.demanded);
        let address = read.fields.get("ioa").and_then(Json::as_u64);
        if let Some(address) = address.filter(|address| *address >= addresses) {
            read.fields.insert("ioa".into(), json!(address % addresses));
            differences.insert(Difference::Wrap);
        }
        apdu.objects.push(read.fields);
    }
    let rest = |name| fields.iter().find(|field| field.name == name);
    if let Some(address) = rest("iec60870_asdu.ioa") {
        let number = |name: &str| header.fields[name].as_u64().unwrap();
        let raw: &[u8] = rest("iec60870_asdu.rawdata").map_or(&[], |field| &field.octets);
        let body = [&address.octets[..], raw].concat();
        let octets = Octets {
            type_id: number("type_id"),
            sequence: header.fields["sq"] == true,
            count: number("count"),
            width,
            body: &body,
        };
        let security = matches!(octets.type_id, 81..=87 | 90..=95);
        let difference = match octets.objects() {
            Some(objects) => {
                if width != 3 {
                    differences.insert(Difference::Narrow);
                }
                apdu.objects = objects;
                apdu.objects.iter_mut().for_each(moment::take_apart);
                Difference::Undecoded
            }
            None if security => {
                apdu.header.extend(undecoded::security(number("type_id"), &body));
                Difference::Security
            }
            None => {
                if number("type_id") >= PRIVATE {
                    apdu.header.insert("private".into(), json!(undecoded::hex(&body)));
                }
                Difference::NoLayout
            }
        };
        differences.insert(difference);
    }
    apdu.header.extend(header.fields);
}
