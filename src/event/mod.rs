//! What an event is, and what a field is: name → kind → accessor.
//!
//! An [`Event`] is a [`Record`] (what happened: an APDU, an MQTT packet, an anomaly, the end of a
//! flow) and its [`Context`] (when, where, in which flow). Both are read through the same kind of
//! table, so a rule, the EVE writer and the documentation see the same fields under the same names.

mod anomaly;
mod context;
mod flow;
mod redaction;
mod schema;
mod sensor;
mod value;

use std::ops::Range;

use crate::flow::Direction;

pub use anomaly::{ANOMALY, Anomaly, AnomalyKind, Layer};
pub use context::{CONTEXT, Context, FlowContext, protocol_number};
pub use flow::{FLOW, FlowReason, FlowRecord, FlowState};
pub use redaction::{Redaction, Secrecy};
pub use schema::{Document, Field, List, NO_MESSAGE, Record, Schema};
pub use sensor::{SENSOR, SensorRecord, Sight};
pub use value::{FieldPath, Hex, Kind, Value};

/// Something that happened, where and when.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    /// When, where, in which flow.
    pub context: &'a Context<'a>,
    /// What.
    pub record: &'a dyn Record,
}

/// Where a parser puts what it found.
pub trait Records {
    /// Takes one record; it is matched against the rules and written before this returns.
    fn emit(&mut self, record: &dyn Record);

    /// Takes a record about a message that went this way, wherever the one at hand goes.
    fn emit_about(&mut self, _direction: Direction, record: &dyn Record) {
        self.emit(record);
    }

    /// Whether anybody reads records of this type; those that nobody reads need not be built.
    fn wants(&self, schema: &'static Schema) -> bool;

    /// These octets give something away, such as a password: where that is hidden, whoever keeps
    /// packets overwrites them. Counted from the first octet that the parser was given with this
    /// call, or that follows the gap that it was told of; they may be still to come.
    fn secret(&mut self, _secrecy: Secrecy, _octets: Range<usize>) {}
}
