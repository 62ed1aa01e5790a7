//! MQTT 3.1, 3.1.1 and 5.0.
//!
//! Clauses are those of MQTT 5.0 (OASIS standard, 2019) unless it says otherwise; `[MQTT-…]` are
//! its conformance statements. The way of the data:
//!
//! ```text
//!  octets ──header──▶ frame ──packet──▶ fields ──session──▶ record, anomalies
//!     ▲                 │
//!     └──── guess ◀─────┘ framing lost, a gap, joined in the middle
//! ```
//!
//! A packet is read once, when its octets are all there, or as many as are kept of it; what it
//! borrows from the wire is gone when its record is emitted. `websocket` takes them out of its
//! frames, where it carries them; nothing behind it knows.

mod alias;
mod connect;
mod detect;
mod facts;
mod few;
mod flight;
mod guess;
mod header;
mod keep_alive;
mod life;
mod limits;
mod packet;
mod password;
mod properties;
mod publish;
mod reader;
mod reason;
mod record;
mod session;
mod settings;
mod stream;
mod subscribe;
mod subscriptions;
mod table;
#[cfg(test)]
mod tests;
mod topic;
mod violation;
mod websocket;
mod who;

pub use record::MQTT;

use super::{Parser, Protocol, ServerSettings, Shared, Start};

/// What this protocol registers.
pub static PROTOCOL: Protocol = Protocol {
    name: "mqtt",
    ports: &[1883],
    schemas: &[&MQTT],
    additions: record::ADDITIONS,
    anomalies: &[violation::Violation::NAMES, websocket::FAULTS],
    max_kept: packet::KEPT,
    secrets: true,
    first_octets: detect::FIRST_OCTETS,
    may_begin: detect::may_begin,
    recognise: detect::recognise,
    look: guess::LEAST..=detect::TRIED,
    start,
    shared: || Box::new(Common::default()),
    parameters: settings::PARAMETERS,
    configure,
    servers: "MQTT brokers",
    facts: facts::NAMES,
};

/// What the flows of an engine share.
#[derive(Debug, Default)]
struct Common {
    configured: settings::Configured,
    scratch: websocket::Scratch,
}

fn start(start: Start<'_>, shared: &Shared) -> Box<dyn Parser> {
    let common = shared.downcast_ref::<Common>();
    Box::new(stream::Flow::new(start, common.map(|common| &common.configured)))
}

fn configure(shared: &mut Shared, settings: &[ServerSettings]) {
    if let Some(common) = shared.downcast_mut::<Common>() {
        common.configured = settings::Configured::new(settings, settings::Settings::new);
    }
}
