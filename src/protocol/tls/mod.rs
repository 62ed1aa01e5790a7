//! TLS: what a handshake says in clear of the connection that it protects.
//!
//! Clauses are those of RFC 8446 (TLS 1.3) unless it says otherwise; RFC 5246 is TLS 1.2. IEC 62351-3
//! has IEC 104 inside TLS, and MQTT goes through it as it is. The way of the data:
//!
//! ```text
//!  octets ──header──▶ record ──message──▶ handshake message ──hello───────▶ handshake ──▶ record
//!     ▲                 │                                     certificate      of EVE    of EVE
//!     └──── search ◀────┘ framing lost, a gap, joined in the middle
//! ```
//!
//! What is encrypted is passed over by the length of its record and never looked at.

mod alert;
mod carried;
mod certificate;
mod client_hello;
mod detect;
mod distinguished_name;
mod extension;
mod facts;
mod handshake;
mod header;
mod ja4;
mod message;
mod number;
mod record;
mod server_hello;
mod session;
mod stream;
#[cfg(test)]
mod tests;
mod version;
mod violation;

pub use record::TLS;

use super::{Parameters, Parser, Protocol, Shared, Start};

const NAME: &str = "tls";

/// What this protocol registers.
pub static PROTOCOL: Protocol = Protocol {
    name: NAME,
    // Not 443: a hint is of use for what begins out of sight, and that port has more than TLS.
    ports: &[8883, 19_998, 8084],
    schemas: &[&TLS],
    additions: record::ADDITIONS,
    anomalies: &[violation::NAMES],
    max_kept: message::MOST_KEPT,
    secrets: false,
    first_octets: detect::FIRST_OCTETS,
    may_begin: detect::may_begin,
    recognise: detect::recognise,
    look: header::LENGTH..=detect::TRIED,
    start,
    shared: || Box::new(message::Scratch::default()),
    parameters: Parameters::NONE,
    configure: |_, _| {},
    servers: "TLS servers",
    facts: facts::NAMES,
};

fn start(start: Start<'_>, _: &Shared) -> Box<dyn Parser> {
    Box::new(stream::Flow::new(start))
}
