//! gridtap: a passive network security monitor for the interconnect between a power grid and a
//! telecom carrier.
//!
//! # The way of the data
//!
//! ```text
//!  capture ──frames──▶ packet ──▶ flow ──octets──▶ protocol ──records──▶ rule ──alerts──▶ output
//!  files, pipes        headers    table, streams   parse, check          match            EVE, metrics
//!  └──────────┘        └──────────────────── engine: one call per frame ───────┘        └──────────┘
//! ```
//!
//! 1. [`capture`] lends one [`Frame`](packet::Frame) after another out of its buffer.
//! 2. [`engine::Engine::handle`] takes it, and does the rest before it returns. Octets are borrowed
//!    from that one buffer all the way; a copy is made only of what has to outlive the call.
//! 3. [`packet`] takes the headers off: link layer, VLAN tags, IP, TCP or UDP.
//! 4. [`flow`] finds the flow, puts the octets of each direction of a TCP connection in order, and
//!    hands them on. It keeps what a parser has not consumed, and what came ahead of its turn.
//! 5. [`protocol`] recognises what is spoken; the parser of that protocol reads messages and emits
//!    an [`event::Record`] each, and an [`event::Anomaly`] for each violation.
//! 6. [`rule`] evaluates each record's fields once and tells which rules hold.
//! 7. A [`engine::Sink`] takes records and alerts: [`output`] writes them, a summary counts them.
//!
//! # The layers
//!
//! A module uses only what stands above it in this list; `tests/layers.rs` holds us to it.
//!
//! | | | |
//! |-|-|-|
//! | 0 | [`bytes`], [`document`], [`json`], [`time`], [`topic`] | a cursor that cannot panic; what people write in YAML; paths into JSON; packet time; topics that match |
//! | 1 | [`packet`] | frame → packet |
//! | 2 | [`flow`] | flow table, TCP streams, expiry by packet time |
//! | 3 | [`event`] | what a record and a field are: name → kind → accessor |
//! | 4 | [`protocol`] | a folder and a line in the registry each |
//! | 6 | [`rule`] | Sigma in YAML → predicates → matches |
//! | 7 | [`engine`] | all of the above for one thread: no I/O, no clock, no global |
//! | 8 | [`capture`], [`output`], [`metrics`], [`inventory`] | where frames come from, where findings go |
//! | 9 | [`config`], [`daemon`], [`command`] | `gridtap.yaml`; life on a boundary host; one file a subcommand |
//!
//! # What holds everywhere
//!
//! - **Time is an argument.** Below layer 8 nobody asks a clock: a capture gives the same records
//!   at any speed. Timers carry their deadline and are decided when they are looked at.
//! - **The field table is the one source.** The [`record!`] macro turns a table of lines (name, kind,
//!   meaning, accessor) into what rules, EVE records, `gridtap rules fields` and the schema see.
//! - **Damage is an event.** A malformed field, a gap, a violation has a name that a rule can match.
//! - **Bounded.** Every buffer has a cap, and the constant has its reason beside it.
//! - **No allocation per packet or record** in steady state: buffers are reused, records borrow.

pub mod bytes;
pub mod capture;
pub mod command;
pub mod config;
pub mod daemon;
pub mod document;
pub mod engine;
pub mod event;
pub mod flow;
pub mod inventory;
pub mod json;
pub mod metrics;
pub mod output;
pub mod packet;
pub mod protocol;
pub mod rule;
pub mod time;
pub mod topic;
