//! What a person wants to know of a server.

use super::carried::Carried;
use super::handshake::{Handshake, Outcome};
use super::version::Version;
use crate::event::Value;
use crate::protocol::Fact;

/// All names that something is told under, in the order in which people read them.
pub(super) const NAMES: &[&str] = &[
    "carries",
    "versions",
    "names",
    "certificates",
    "client certificates",
    "handshakes",
    "refused",
];

/// Octets of a name that are kept.
const LONGEST: usize = 128;

/// What handshakes told; of names, those of the first that told any. A flow has one handshake that
/// succeeds.
#[derive(Debug, Default)]
pub(super) struct Facts(Option<Box<Told>>);

#[derive(Debug, Default)]
struct Told {
    carried: Option<Carried>,
    version: Option<Version>,
    server_name: Option<Box<[u8]>>,
    server: Option<Box<[u8]>>,
    client: Option<Box<[u8]>>,
    completed: u64,
    refused: u64,
}

impl Facts {
    /// Takes note of a handshake that is over.
    pub(super) fn note(&mut self, handshake: &Handshake) {
        let told = self.0.get_or_insert_default();
        match handshake.outcome {
            Outcome::Completed => told.completed += 1,
            Outcome::Refused => told.refused += 1,
            Outcome::Incomplete => {}
        }
        let name = |text: &[u8]| text.get(..LONGEST).unwrap_or(text).into();
        let sni = handshake.client_hello.as_ref().and_then(|hello| hello.server_name.as_deref());
        let server = handshake.server_certificate.as_ref();
        let client = handshake.client_certificate.as_ref();
        told.carried = told.carried.or(handshake.carried());
        told.version = told.version.or(handshake.version());
        let subject = |text: &str| name(text.as_bytes());
        keep(&mut told.server_name, sni.map(name));
        keep(&mut told.server, server.map(|certificate| subject(&certificate.subject)));
        keep(&mut told.client, client.map(|certificate| subject(&certificate.subject)));
    }

    /// Tells them.
    pub(super) fn tell(&self, tell: &mut dyn FnMut(&'static str, Fact<'_>)) {
        let Some(told) = &self.0 else { return };
        if let Some(carried) = told.carried {
            let name = Carried::NAMES[carried as usize];
            tell("carries", Fact::Member(Value::text(name)));
        }
        if let Some(version) = told.version {
            tell("versions", Fact::Member(Value::text(Version::NAMES[version as usize])));
        }
        for (name, text) in [
            ("names", &told.server_name),
            ("certificates", &told.server),
            ("client certificates", &told.client),
        ] {
            if let Some(text) = text {
                tell(name, Fact::Member(Value::Text(text)));
            }
        }
        tell("handshakes", Fact::Count(told.completed));
        tell("refused", Fact::Count(told.refused));
    }
}

fn keep(known: &mut Option<Box<[u8]>>, new: Option<Box<[u8]>>) {
    if known.is_none() {
        *known = new;
    }
}
