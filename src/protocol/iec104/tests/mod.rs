//! The parser as the flow layer sees it: octets in, records and anomalies out.

mod framing;
mod generator;
mod records;
mod round_trip;
mod streams;
mod violations;

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::event::{FieldPath, Record, Records, Schema, Value};
use crate::flow::{Acknowledged, Direction, FlowKey, Progress, Side};
use crate::protocol::conversation::Conversation;
use crate::protocol::{Input, Likeness};
use crate::time::Timestamp;

/// Keeps what it is given as lines of text, but for what is said of an APDU because of those before
/// it: that has tests of its own.
#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    objects: bool,
}

impl Records for Lines {
    fn emit(&mut self, record: &dyn Record) {
        if is_about_others_too(record) {
            return;
        }
        let mut line = record.schema().name.to_owned();
        fields(record, "", &mut line);
        for (index, list) in record.schema().lists.iter().enumerate() {
            record.each(index, &mut |element| fields(element, list.name, &mut line));
        }
        self.lines.push(line);
    }

    fn wants(&self, schema: &'static Schema) -> bool {
        self.objects || !std::ptr::eq(schema, &raw const IEC104_OBJECT)
    }
}

fn is_about_others_too(record: &dyn Record) -> bool {
    let value = |name| record.schema().resolve(name).map(|path| record.value(path.field.into()));
    let names = [check::DIRECTION].into_iter().chain(link::NAMES);
    let names = names.chain(pair::NAMES).chain(clock::NAMES);
    match value("anomaly.event") {
        Some(event) => names.map(Value::text).any(|name| name == event),
        None => value("iec104.command.outcome").is_some_and(|outcome| outcome != Value::Absent),
    }
}

fn fields(record: &dyn Record, prefix: &str, line: &mut String) {
    let mut present = Vec::new();
    record.present(&mut |index, value| {
        present.push(index);
        let name = record.schema().fields[index].name;
        write!(line, " {prefix}.{name}={value:?}").unwrap();
    });
    let asked = (0..record.schema().fields.len())
        .filter(|index| record.value(*index) != Value::Absent)
        .collect::<Vec<_>>();
    assert_eq!(
        present,
        asked,
        "one way to read {} shows what the other hides",
        record.schema().name
    );
}

/// Begins a flow between a controlling station and a controlled one.
fn flow<T>(joined: bool, begin: impl FnOnce(Start<'_>) -> T) -> T {
    let ends = [([10, 20, 0, 10].into(), 40_000), ([10, 30, 0, 1].into(), 2404)];
    let key = FlowKey::new(ends, [0, 0], 6);
    begin(Start { key: &key, client: Side::Lower, joined })
}

fn parser(joined: bool) -> Box<dyn Parser> {
    flow(joined, |begun| start(begun, &()))
}

fn input(direction: Direction, bytes: &[u8]) -> Input<'_> {
    let (time, acknowledged) = (Timestamp::ZERO, Acknowledged::All);
    Input { direction, time, late: false, clock_trusted: true, acknowledged, bytes }
}

/// One direction: from the station.
struct Stream(Conversation<Lines>);

impl Stream {
    fn new(joined: bool) -> Self {
        let begin = |start: Start<'_>| {
            Conversation::new(&PROTOCOL, start, Timestamp::ZERO, Lines::default())
        };
        Self(flow(joined, begin))
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.0.say(Direction::ToClient, bytes);
    }

    fn gap(&mut self, missing: usize) {
        self.0.miss(Direction::ToClient, missing);
    }

    fn end(self) -> Vec<String> {
        self.0.end().lines
    }
}

fn lines(bytes: &[u8]) -> Vec<String> {
    let mut stream = Stream::new(false);
    stream.feed(bytes);
    stream.end()
}

/// The anomalies in `bytes`: name, field, value, offset.
fn anomalies(bytes: &[u8]) -> Vec<(String, String, i64, i64)> {
    of_anomalies(&lines(bytes))
}

fn of_anomalies(lines: &[String]) -> Vec<(String, String, i64, i64)> {
    let after = |line: &str, field: &str, open: &str, close: char| {
        let rest = line.split_once(&format!(" .anomaly.{field}={open}"))?.1;
        Some(rest.split(close).next().unwrap().to_owned())
    };
    let text = |line: &str, field: &str| {
        let octets = after(line, field, "Text([", ']').unwrap_or_default();
        let octets = octets.split(", ").filter_map(|octet| octet.parse().ok()).collect();
        String::from_utf8(octets).unwrap()
    };
    let number = |line: &str, field: &str| {
        after(line, field, "Integer(", ')').unwrap_or_else(|| panic!("{line}")).parse().unwrap()
    };
    lines
        .iter()
        .filter(|line| line.starts_with("anomaly"))
        .map(|line| {
            let (value, offset) = (number(line, "value"), number(line, "offset"));
            (text(line, "event"), text(line, "field"), value, offset)
        })
        .collect()
}

fn anomaly(name: &str, field: &str, value: i64, offset: i64) -> (String, String, i64, i64) {
    (name.to_owned(), field.to_owned(), value, offset)
}

/// An I-frame with this ASDU.
fn i_frame(asdu: &[u8]) -> Vec<u8> {
    [&[0x68, 4 + asdu.len() as u8, 2, 0, 4, 0][..], asdu].concat()
}

/// An I-frame with one object: type, cause, station, address, elements.
fn one(type_id: u8, cause: u8, station: u16, address: u8, elements: &[u8]) -> Vec<u8> {
    let [low, high] = station.to_le_bytes();
    i_frame(&[&[type_id, 1, cause, 0, low, high, address, 0, 0][..], elements].concat())
}

const STARTDT: [u8; 6] = [0x68, 4, 0x07, 0, 0, 0];
const TESTFR: [u8; 6] = [0x68, 4, 0x43, 0, 0, 0];
const ACKNOWLEDGE: [u8; 6] = [0x68, 4, 1, 0, 2, 0];

/// One object of each type, as long as it must be, with the first cause the type may have.
fn every_type() -> Vec<Vec<u8>> {
    (0..=255)
        .filter_map(types::by_id)
        .map(|known| {
            let cause = (0..64).find(|cause| known.causes.contains(*cause)).unwrap();
            let address = match known.address {
                types::AddressRule::Zero | types::AddressRule::ByQualifier => 0,
                _ => 1,
            };
            let elements: Vec<u8> =
                known.elements.iter().flat_map(|element| generator::plainest(*element)).collect();
            let mut apdu = one(known.id, cause, 1, address, &elements);
            if known.structure == types::Structure::Sequence {
                apdu[7] |= 0x80;
            }
            apdu
        })
        .collect()
}

/// Object 0, file 0 of length 0, of the first day of the century.
const DIRECTORY_ENTRY: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0];

/// Several APDUs, some damaged, as one stream.
fn mixed() -> Vec<u8> {
    let sequence = [1, 0x83, 20, 0, 10, 0, 5, 0, 0, 0, 1, 0x80];
    let private = [200, 1, 3, 0, 10, 0, 1, 2, 3];
    [
        &STARTDT[..],
        &one(1, 3, 10, 1, &[1]),
        &i_frame(&sequence),
        &[0x00, 0x68, 3],
        &TESTFR,
        &one(13, 3, 10, 2, &[0, 0, 0x80, 0x3F]), // an octet is missing
        &ACKNOWLEDGE,
        &[1, 0x68, 0x68, 4],
        &one(45, 6, 10, 0x68, &[0x81]),
        &[0x68, 254],
        &i_frame(&private),
        &one(100, 6, 10, 0, &[20]),
    ]
    .concat()
}
