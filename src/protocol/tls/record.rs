//! The field table of TLS: one record a handshake, shaped as Suricata's EVE object `tls`.

use super::alert::{DESCRIPTIONS, LEVELS};
use super::carried::Carried;
use super::certificate::{Certificate, Moment, Validity};
use super::client_hello::ClientHello;
use super::handshake::{ClientCertificate, Handshake, Outcome};
use super::server_hello::ServerHello;
use super::version::Version;
use crate::event::{Kind, Record, Value};
use crate::record;

/// What Suricata's object does not have.
pub(super) const ADDITIONS: &[&str] = &[
    "tls.handshake",
    "tls.partial",
    "tls.carries",
    "tls.cipher_suite",
    "tls.group",
    "tls.client_certificate",
    "tls.validity",
    "tls.self_issued",
    "tls.client.validity",
    "tls.client.self_issued",
    "tls.alert",
];

/// Which end sent something, by code of [`Role`](crate::protocol::Role).
const ENDS: &[&str] = &["client", "server"];

struct Number(u16);

struct Text<'a>(&'a [u8]);

record! {
    /// A number.
    static NUMBER: Number = "number";
    fields {
        "": Kind::Range(0, 65_535), "The number." => |n| Value::Integer(n.0.into());
    }
}

record! {
    /// A text.
    static TEXT: Text<'a> = "text";
    fields {
        "": Kind::Text, "The text." => |t| Value::Text(t.0);
    }
}

record! {
    /// A TLS handshake: what both ends said in clear, told when they are done, or one gave up.
    pub static TLS: Handshake = "tls";
    message_types(Outcome::NAMES, |h| h.outcome as u8);
    fields {
        "tls.version": Kind::Name(Version::NAMES), "The version that both speak."
            => |h| code(h.version().map(|version| version as u8));
        "tls.handshake": Kind::Name(Outcome::NAMES), "How it ended: both were done, one refused, or its end was not seen."
            => |h| Value::Code(h.outcome as u8);
        "tls.partial": Kind::Boolean, "True if octets of it were not seen: what is absent may have been there."
            => |h| if h.partial { Value::Boolean(true) } else { Value::Absent };
        "tls.carries": Kind::Name(Carried::NAMES), "What goes inside, by ALPN or else by the server's port."
            => |h| code(h.carried().map(|carried| carried as u8));
        "tls.sni": Kind::Text, "Name of the server that the client means (RFC 6066)."
            => |h| client_hello(h, |hello| Value::maybe(hello.server_name.as_deref(), Value::Text));
        "tls.session_resumed": Kind::Boolean, "Whether the keys come from an earlier handshake, or in TLS 1.3 from a secret that was agreed on elsewhere."
            => |h| Value::maybe(h.resumed, Value::Boolean);
        "tls.cipher_suite": Kind::Text, "The cipher suite that was chosen, by its number where we know no name."
            => |h| Value::maybe(h.cipher.as_ref(), |name| Value::Text(name.as_bytes()));
        "tls.group": Kind::Text, "The group of the key exchange, by its number where we know no name."
            => |h| Value::maybe(h.group.as_ref(), |name| Value::Text(name.as_bytes()));
        "tls.ja4": Kind::Text, "Fingerprint of the client's software."
            => |h| client_hello(h, |hello| {
                Value::maybe(hello.ja4.as_ref(), |ja4| Value::text(ja4.as_str()))
            });
        "tls.client_certificate": Kind::Name(ClientCertificate::NAMES), "Whether the client was asked for a certificate and had one; absent in TLS 1.3, which hides it, and in resumed sessions."
            => |h| code(h.client_certificate().map(|answer| answer as u8));
        "tls.subject": Kind::Text, "Whose certificate the server has."
            => |h| server(h, |c| Value::text(&c.subject));
        "tls.issuerdn": Kind::Text, "Who issued it."
            => |h| server(h, |c| Value::text(&c.issuer));
        "tls.serial": Kind::Text, "Its serial number, in hexadecimal with colons."
            => |h| server(h, |c| Value::text(&c.serial));
        "tls.fingerprint": Kind::Text, "SHA-1 of it, in hexadecimal with colons."
            => |h| server(h, |c| Value::text(&c.fingerprint));
        "tls.notbefore": Kind::Text, "From when on it holds, in UTC."
            => |h| server(h, |c| moment(c.not_before.as_ref()));
        "tls.notafter": Kind::Text, "Until when it holds, in UTC."
            => |h| server(h, |c| moment(c.not_after.as_ref()));
        "tls.validity": Kind::Name(Validity::NAMES), "Whether it held at packet time; absent while the sensor's clock is not kept in step."
            => |h| server(h, |c| code(c.validity.map(|validity| validity as u8)));
        "tls.self_issued": Kind::Boolean, "Whether it names itself as its issuer."
            => |h| server(h, |c| Value::Boolean(c.self_issued));
        "tls.client.subject": Kind::Text, "Whose certificate the client has."
            => |h| client(h, |c| Value::text(&c.subject));
        "tls.client.issuerdn": Kind::Text, "Who issued it."
            => |h| client(h, |c| Value::text(&c.issuer));
        "tls.client.serial": Kind::Text, "Its serial number, in hexadecimal with colons."
            => |h| client(h, |c| Value::text(&c.serial));
        "tls.client.fingerprint": Kind::Text, "SHA-1 of it, in hexadecimal with colons."
            => |h| client(h, |c| Value::text(&c.fingerprint));
        "tls.client.notbefore": Kind::Text, "From when on it holds, in UTC."
            => |h| client(h, |c| moment(c.not_before.as_ref()));
        "tls.client.notafter": Kind::Text, "Until when it holds, in UTC."
            => |h| client(h, |c| moment(c.not_after.as_ref()));
        "tls.client.validity": Kind::Name(Validity::NAMES), "Whether it held at packet time; absent while the sensor's clock is not kept in step."
            => |h| client(h, |c| code(c.validity.map(|validity| validity as u8)));
        "tls.client.self_issued": Kind::Boolean, "Whether it names itself as its issuer."
            => |h| client(h, |c| Value::Boolean(c.self_issued));
        "tls.alert.from": Kind::Name(ENDS), "Who sent the last alert. Without a level it was encrypted."
            => |h| code(h.alert_from.map(|role| role as u8));
        "tls.alert.level": Kind::Name(LEVELS), "Its level."
            => |h| named(LEVELS, h.alert.map(|alert| alert.level));
        "tls.alert.description": Kind::Name(&DESCRIPTIONS), "What it says."
            => |h| named(&DESCRIPTIONS, h.alert.map(|alert| alert.description));
        "tls.client_handshake.version": Kind::Name(Version::NAMES), "The highest version that the client offers."
            => |h| client_hello(h, |hello| code(hello.version.map(|version| version as u8)));
        "tls.server_handshake.version": Kind::Name(Version::NAMES), "The version that the server chose."
            => |h| code(h.version().map(|version| version as u8));
        "tls.server_handshake.cipher": Kind::Range(0, 65_535), "The number of the cipher suite that the server chose."
            => |h| server_hello(h, |hello| {
                Value::maybe(hello.cipher, |cipher| Value::Integer(cipher.into()))
            });
    }
    lists {
        "tls.client_alpns": TEXT, "Protocols that the client offers to speak inside (RFC 7301)."
            => |h, visit| h.client_hello.iter().for_each(|hello| texts(&hello.protocols, visit));
        "tls.server_alpns": TEXT, "The protocol that the server chose; TLS 1.3 hides it."
            => |h, visit| h.server_hello.iter().for_each(|hello| texts(&hello.protocols, visit));
        "tls.subjectaltname": TEXT, "Other names of the server's certificate."
            => |h, visit| h.server_certificate.iter().for_each(|c| texts(&c.alternative_names, visit));
        "tls.client.subjectaltname": TEXT, "Other names of the client's certificate."
            => |h, visit| h.client_certificate.iter().for_each(|c| texts(&c.alternative_names, visit));
        "tls.client_handshake.ciphers": NUMBER, "Numbers of the cipher suites that the client offers, 256 at most."
            => |h, visit| h.client_hello.iter().for_each(|hello| numbers(&hello.ciphers, visit));
        "tls.client_handshake.exts": NUMBER, "Types of the extensions that the client sends, 256 at most."
            => |h, visit| h.client_hello.iter().for_each(|hello| numbers(&hello.extensions, visit));
        "tls.client_handshake.sig_algs": NUMBER, "Signature algorithms that the client takes, 256 at most."
            => |h, visit| h.client_hello.iter().for_each(|hello| numbers(&hello.signatures, visit));
        "tls.server_handshake.exts": NUMBER, "Types of the extensions that the server sends, 256 at most."
            => |h, visit| h.server_hello.iter().for_each(|hello| numbers(&hello.extensions, visit));
    }
}

fn code<'a>(code: Option<u8>) -> Value<'a> {
    Value::maybe(code, Value::Code)
}

/// A code that came from the wire, where it has a name.
fn named<'a>(names: &[&str], wanted: Option<u8>) -> Value<'a> {
    let known = |code: &u8| names.get(usize::from(*code)).is_some_and(|name| !name.is_empty());
    code(wanted.filter(known))
}

fn moment(moment: Option<&Moment>) -> Value<'_> {
    Value::maybe(moment, |moment| Value::Text(moment.as_bytes()))
}

fn client_hello<'a>(
    handshake: &'a Handshake,
    get: impl FnOnce(&'a ClientHello) -> Value<'a>,
) -> Value<'a> {
    Value::maybe(handshake.client_hello.as_ref(), get)
}

fn server_hello<'a>(
    handshake: &'a Handshake,
    get: impl FnOnce(&'a ServerHello) -> Value<'a>,
) -> Value<'a> {
    Value::maybe(handshake.server_hello.as_ref(), get)
}

fn server<'a>(
    handshake: &'a Handshake,
    get: impl FnOnce(&'a Certificate) -> Value<'a>,
) -> Value<'a> {
    Value::maybe(handshake.server_certificate.as_deref(), get)
}

fn client<'a>(
    handshake: &'a Handshake,
    get: impl FnOnce(&'a Certificate) -> Value<'a>,
) -> Value<'a> {
    Value::maybe(handshake.client_certificate.as_deref(), get)
}

fn texts(texts: &[Box<[u8]>], visit: &mut dyn FnMut(&dyn Record)) {
    for text in texts {
        visit(&Text(text));
    }
}

fn numbers(numbers: &[u16], visit: &mut dyn FnMut(&dyn Record)) {
    for number in numbers {
        visit(&Number(*number));
    }
}
