//! What gives something away in MQTT is not where the reader of packets says, but in what carries it.

use std::ops::Range;

use crate::event::{Record, Records, Schema, Secrecy};
use crate::flow::Direction;

/// Hands on all records; what becomes of octets that give something away, `place` says.
pub(super) struct Secrets<'o, F> {
    pub(super) out: &'o mut dyn Records,
    pub(super) place: F,
}

impl<F: FnMut(&mut dyn Records, Secrecy, Range<usize>)> Records for Secrets<'_, F> {
    fn emit(&mut self, record: &dyn Record) {
        self.out.emit(record);
    }

    fn emit_about(&mut self, direction: Direction, record: &dyn Record) {
        self.out.emit_about(direction, record);
    }

    fn wants(&self, schema: &'static Schema) -> bool {
        self.out.wants(schema)
    }

    fn secret(&mut self, secrecy: Secrecy, octets: Range<usize>) {
        (self.place)(&mut *self.out, secrecy, octets);
    }
}

/// For places that mean nothing.
pub(super) fn nowhere(_: &mut dyn Records, _: Secrecy, _: Range<usize>) {}
