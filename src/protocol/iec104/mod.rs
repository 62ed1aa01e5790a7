//! IEC 60870-5-104: telecontrol over TCP.
//!
//! The way of an APDU:
//!
//! ```text
//!  octets ──stream──▶ APDU ──session──▶ record, anomalies
//!            apci      asdu      │
//!            sync      types     ├── check      what it must not say whatever went before
//!                      elements  ├── link       numbers, start and stop, timers
//!                      time      ├── stations   commands (pair, command), across connections
//!                                └── clock      its time tags against our time
//!                                     ▲
//!                                  settings      what is configured of the station
//! ```
//!
//! `apci` frames it, `asdu` reads its header, `types` says what its objects are made of, `elements`
//! and `time` read them when somebody asks, `record` names its fields. `sync` finds the next APDU
//! where it is not known to begin, `detect` recognises the protocol and its stations.

pub mod apci;
pub mod asdu;
pub mod cause;
mod check;
mod clock;
pub mod command;
mod detect;
pub mod elements;
mod facts;
pub mod file;
mod link;
mod pair;
pub mod qualifier;
pub mod record;
pub mod security;
mod session;
mod settings;
mod stations;
mod stream;
mod sync;
pub mod time;
pub mod types;
pub mod widths;

pub use record::{IEC104, IEC104_OBJECT};

use super::{Parser, Protocol, ServerSettings, Shared, Start};

const NAME: &str = "iec104";

/// What this protocol registers.
pub static PROTOCOL: Protocol = Protocol {
    name: NAME,
    ports: &[2404],
    schemas: &[&IEC104, &IEC104_OBJECT],
    // Suricata does not decode it.
    additions: &[NAME],
    anomalies: &[check::NAMES, &link::NAMES, &pair::NAMES, &clock::NAMES],
    max_kept: sync::LOOK_AHEAD,
    secrets: false,
    first_octets: &[apci::START],
    may_begin: detect::may_begin,
    recognise: detect::recognise,
    look: detect::TRIED..=detect::TRIED,
    start,
    shared: || Box::new(stations::Stations::default()),
    parameters: settings::PARAMETERS,
    configure,
    servers: "IEC 104 stations",
    facts: facts::NAMES,
};

fn start(start: Start<'_>, shared: &Shared) -> Box<dyn Parser> {
    Box::new(stream::Flow::new(start, shared.downcast_ref()))
}

fn configure(shared: &mut Shared, settings: &[ServerSettings]) {
    if let Some(stations) = shared.downcast_mut::<stations::Stations>() {
        stations.configured = settings::Configured::new(settings, settings::Settings::shared);
    }
}

#[cfg(test)]
mod tests;
