//! iec104

use super::{Detection, Fact, Input, Parser, Protocol, Start};
use crate::event::Records;
use crate::flow::{Direction, Progress};

/// What this protocol registers.
pub static PROTOCOL: Protocol = Protocol {
    name: "iec104",
    ports: &[2404],
    schemas: &[],
    anomalies: &[],
    max_kept: 255,
    detect: |_| Detection::No,
    start,
    servers: "IEC 104 stations",
};

struct State;

fn start(_start: Start) -> Box<dyn Parser> {
    Box::new(State)
}

impl Parser for State {
    fn data(&mut self, input: Input<'_>, _out: &mut dyn Records) -> Progress {
        Progress::all(input.bytes.len())
    }
    fn gap(&mut self, _direction: Direction, _missing: u64, _out: &mut dyn Records) {}
    fn end(&mut self, _left: [usize; 2], _out: &mut dyn Records) {}
    fn facts(&self, _tell: &mut dyn FnMut(&'static str, Fact<'_>)) {}
}
