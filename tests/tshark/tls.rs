//! TLS handshakes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gridtap::rule::RuleSet;
use serde_json::{Value, json};

use crate::common::{file, frames, run};
use crate::pdml::{Field, Layer, dissect};

/// What both sides can tell of a handshake, by the client's port; lists in full.
type Told = BTreeMap<i64, Value>;

/// Ports of the servers.
const SERVERS: &[i64] = &[8883, 8884, 19_998];

#[test]
fn tls_handshakes_are_the_same() {
    let capture = file("pcaps/tls.pcap");
    let Some(theirs) = theirs(&capture) else { return };
    let ours = ours(&capture);
    assert!(ours.len() > 20, "{} handshakes only", ours.len());
    for (port, told) in &theirs {
        assert_eq!(&ours[port], told, "the client's port is {port}");
    }
    assert_eq!(ours.len(), theirs.len());
}

fn ours(capture: &Path) -> Told {
    let collected = run(&frames(capture), Arc::new(RuleSet::default()));
    let mut told = Told::new();
    for record in collected.of("tls") {
        let tls = &record["tls"];
        let list = |object: &Value, name: &str| object.get(name).cloned().unwrap_or(json!([]));
        let (client, server) = (&tls["client_handshake"], &tls["server_handshake"]);
        let certificate = |object: &Value| {
            let mut names = ["subject", "issuerdn", "serial", "notbefore", "notafter"]
                .map(|name| (name.to_owned(), object[name].clone()));
            // Colons are for people.
            if let Some(serial) = names[2].1.as_str() {
                names[2].1 = serial.replace(':', "").to_lowercase().into();
            }
            let mut fields: serde_json::Map<_, _> = names.into_iter().collect();
            fields.insert("names".into(), list(object, "subjectaltname"));
            if object["subject"].is_string() { Value::Object(fields) } else { Value::Null }
        };
        let alert = &tls["alert"];
        let before = told.insert(
            record["src_port"].as_i64().unwrap(),
            json!({
                "sni": tls["sni"],
                "offered": list(tls, "client_alpns"),
                "ciphers": list(client, "ciphers"),
                "client_extensions": list(client, "exts"),
                "signatures": list(client, "sig_algs"),
                "client_version": client["version"],
                "version": tls["version"],
                "cipher": server["cipher"],
                "server_extensions": list(server, "exts"),
                "chosen": list(tls, "server_alpns"),
                "group": tls["group"],
                "server": certificate(tls),
                "client": certificate(&tls["client"]),
                "asked": matches!(tls["client_certificate"].as_str(), Some("none" | "presented")),
                "alert": [alert["from"], alert["level"], alert["description"]],
            }),
        );
        assert!(before.is_none(), "a connection has one handshake here");
    }
    told
}

fn theirs(capture: &Path) -> Option<Told> {
    let layers = dissect(capture, &["tls", "tcp"])?;
    let mut told = BTreeMap::<i64, Theirs<'_>>::new();
    let mut ports = [0; 2];
    for layer in &layers {
        match &layer.protocol[..] {
            "tcp" => ports = ["tcp.srcport", "tcp.dstport"].map(|name| layer.number(name).unwrap()),
            "tls" => {
                let from_server = SERVERS.contains(&ports[0]);
                let client = if from_server { ports[1] } else { ports[0] };
                told.entry(client).or_default().take(layer, from_server);
            }
            _ => {}
        }
    }
    Some(told.into_iter().map(|(port, theirs)| (port, theirs.tell())).collect())
}

/// What tshark said of a connection so far.
#[derive(Default)]
struct Theirs<'l> {
    client_hello: Option<&'l Field>,
    server_hello: Option<&'l Field>,
    group: Option<&'l Field>,
    certificates: [Value; 2],
    asked: bool,
    alert: Option<(&'static str, &'l Field)>,
}

impl<'l> Theirs<'l> {
    fn take(&mut self, layer: &'l Layer, from_server: bool) {
        for message in all(&layer.fields, "tls.handshake") {
            match one(message, "tls.handshake.type").map(Field::number) {
                Some(1) => self.client_hello = Some(message),
                // The last: the first may ask for another ClientHello.
                Some(2) => {
                    self.server_hello = Some(message);
                    self.group = one(message, "tls.handshake.extensions_key_share_group");
                }
                Some(11) => {
                    let leaf = one(message, "x509af.signedCertificate_element");
                    self.certificates[usize::from(!from_server)] =
                        leaf.map_or(Value::Null, certificate);
                }
                Some(12) => self.group = one(message, "tls.handshake.server_named_curve"),
                Some(13) => self.asked = true,
                _ => {}
            }
        }
        // Of an encrypted one there is no level.
        if let Some(alert) = layer.find("tls.alert_message")
            && one(alert, "tls.alert_message.level").is_some()
        {
            self.alert = Some((if from_server { "server" } else { "client" }, alert));
        }
    }

    fn tell(self) -> Value {
        let client = self.client_hello.expect("every connection has a hello");
        let text = |message: Option<&Field>, name| {
            message.and_then(|message| one(message, name)).map(|field| field.shown.clone())
        };
        let list = |message: Option<&Field>, name| -> Vec<i64> {
            let fields = message.map(|message| all(&message.inner, name)).unwrap_or_default();
            fields.into_iter().map(Field::number).collect()
        };
        let texts = |message: Option<&Field>| -> Vec<String> {
            let name = "tls.handshake.extensions_alpn_str";
            let fields = message.map(|message| all(&message.inner, name)).unwrap_or_default();
            fields.into_iter().map(|field| field.shown.clone()).collect()
        };
        let version = |message: Option<&Field>| {
            let offered = list(message, "tls.handshake.extensions.supported_version");
            let legacy = list(message, "tls.handshake.version");
            let highest = offered.into_iter().max().or(legacy.first().copied());
            highest.map(|number| VERSIONS[number as usize & 7])
        };
        let [server_certificate, client_certificate] = self.certificates;
        let alert = self.alert.map(|(from, alert)| {
            let number = |name| one(alert, name).map(Field::number);
            let level = number("tls.alert_message.level").map(|level| LEVELS[level as usize]);
            let description = number("tls.alert_message.desc").map(|code| {
                let known = ALERTS.iter().find(|(known, _)| *known == code);
                known.unwrap_or_else(|| panic!("alert {code} is in no capture")).1
            });
            json!([from, level, description])
        });
        json!({
            "sni": text(Some(client), "tls.handshake.extensions_server_name"),
            "offered": texts(Some(client)),
            "ciphers": list(Some(client), "tls.handshake.ciphersuite"),
            "client_extensions": list(Some(client), "tls.handshake.extension.type"),
            "signatures": list(Some(client), "tls.handshake.sig_hash_alg"),
            "client_version": version(Some(client)),
            "version": version(self.server_hello),
            "cipher": list(self.server_hello, "tls.handshake.ciphersuite").first(),
            "server_extensions": list(self.server_hello, "tls.handshake.extension.type"),
            "chosen": texts(self.server_hello),
            "group": self.group.map(group),
            "server": server_certificate,
            "client": client_certificate,
            "asked": self.asked,
            "alert": alert.unwrap_or(json!([null, null, null])),
        })
    }
}

const VERSIONS: [&str; 8] = ["SSLv3", "TLSv1", "TLS 1.1", "TLS 1.2", "TLS 1.3", "", "", ""];
const LEVELS: [&str; 3] = ["", "warning", "fatal"];
const ALERTS: [(i64, &str); 3] =
    [(40, "handshake_failure"), (48, "unknown_ca"), (70, "protocol_version")];

fn group(field: &Field) -> &'static str {
    match field.number() {
        23 => "secp256r1",
        24 => "secp384r1",
        29 => "x25519",
        other => panic!("group {other} is in no capture"),
    }
}

fn certificate(leaf: &Field) -> Value {
    let times = all(&leaf.inner, "x509af.utcTime");
    let [from, to] = times[..] else { panic!("{times:?}") };
    // 2026-11-23 17:47:49 (UTC)
    let moment = |time: &Field| time.shown[..19].replace(' ', "T");
    let serial = one(leaf, "x509af.serialNumber").expect("a number");
    let serial = serial.octets.iter().fold(String::new(), |digits, octet| {
        let [high, low] = [octet >> 4, octet & 15].map(|digit| char::from_digit(digit.into(), 16));
        digits + &String::from_iter([high, low].map(Option::unwrap))
    });
    let mut names = Vec::new();
    for general in all(&leaf.inner, "x509ce.GeneralName") {
        let known = ["x509ce.dNSName", "x509ce.IPAddress.ipv4", "x509ce.rfc822Name"];
        let resource = "x509ce.uniformResourceIdentifier";
        let name = known.iter().chain([&resource]).find_map(|name| one(general, name));
        names.push(name.unwrap_or_else(|| panic!("{general:?}")).shown.clone());
    }
    json!({
        "subject": name(leaf, "x509af.rdnSequence"),
        "issuerdn": name(leaf, "x509if.rdnSequence"),
        "serial": serial,
        "notbefore": moment(from),
        "notafter": moment(to),
        "names": names,
    })
}

/// A distinguished name, from its root on.
fn name(leaf: &Field, sequence: &str) -> String {
    const ATTRIBUTES: [(&str, &str); 6] = [
        ("2.5.4.3", "CN"),
        ("2.5.4.6", "C"),
        ("2.5.4.7", "L"),
        ("2.5.4.8", "ST"),
        ("2.5.4.10", "O"),
        ("2.5.4.11", "OU"),
    ];
    let texts = ["x509sat.CountryName", "x509sat.uTF8String", "x509sat.printableString"];
    let sequence = one(leaf, sequence).expect("a name");
    let items = all(&sequence.inner, "x509if.RelativeDistinguishedName_item_element");
    let items = items.into_iter().map(|item| {
        let kind = &one(item, "x509if.oid").expect("a type").shown;
        let known = ATTRIBUTES.iter().find(|(known, _)| kind == known);
        let text = texts.iter().find_map(|name| one(item, name)).expect("a text");
        format!("{}={}", known.expect("a type that is common").1, text.shown)
    });
    items.collect::<Vec<_>>().join(", ")
}

/// The first field of this name below another.
fn one<'f>(field: &'f Field, name: &str) -> Option<&'f Field> {
    all(&field.inner, name).first().copied()
}

/// All fields of this name, at any depth, in order.
fn all<'f>(fields: &'f [Field], name: &str) -> Vec<&'f Field> {
    let mut found = Vec::new();
    for field in fields {
        if field.name == name {
            found.push(field);
        }
        found.extend(all(&field.inner, name));
    }
    found
}
