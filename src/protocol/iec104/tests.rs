//! The parser as the flow layer sees it: octets in, records and anomalies out.

mod generator;
mod round_trip;
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

#[test]
fn an_apdu_is_told_with_all_its_fields() {
    let apdu = one(30, 3, 258, 9, &[0x81, 0, 0, 0, 0, 1, 1, 0]);
    let told = lines(&apdu).join("\n");
    for part in [
        "iec104 .iec104.frame=Code(0) .iec104.ns=Integer(1) .iec104.nr=Integer(2)",
        " .iec104.type_id=Integer(30) .iec104.type=Code(30) .iec104.cot=Integer(3)",
        " .iec104.cause=Code(3) .iec104.negative=Boolean(false) .iec104.test=Boolean(false)",
        " .iec104.originator=Integer(0) .iec104.ca=Integer(258) .iec104.sq=Boolean(false)",
        " .iec104.count=Integer(1) .iec104.length=Integer(21)",
        " iec104.objects.ioa=Integer(9) iec104.objects.value=Boolean(true)",
        " iec104.objects.state=Code(1) iec104.objects.quality.invalid=Boolean(true)",
        " iec104.objects.time=Time(Timestamp(946684800000000000))",
        " iec104.objects.time_tag.invalid=Boolean(false)",
    ] {
        assert!(told.contains(part), "{part}\nin {told}");
    }
    assert!(!told.contains("function"));
    assert!(!told.contains("select"));
}

#[test]
fn formats_without_an_asdu_have_no_asdu_fields() {
    assert_eq!(
        lines(&[&TESTFR[..], &ACKNOWLEDGE].concat()),
        [
            "iec104 .iec104.frame=Code(2) .iec104.function=Code(4) .iec104.length=Integer(4)",
            "iec104 .iec104.frame=Code(1) .iec104.nr=Integer(1) .iec104.length=Integer(4)",
        ]
    );
}

#[test]
fn one_flat_record_an_object_only_where_somebody_reads_them() {
    let apdu = i_frame(&[1, 0x82, 20, 0, 10, 0, 5, 0, 0, 0, 1]);
    assert_eq!(lines(&apdu).len(), 1);
    let mut stream = Stream::new(false);
    stream.0.out.objects = true;
    stream.feed(&apdu);
    let told = stream.end();
    assert_eq!(told.len(), 3);
    assert!(told[2].starts_with("iec104_object .iec104.frame=Code(0)"));
    assert!(told[2].contains(" .iec104.count=Integer(2)"));
    assert!(told[2].contains(" .iec104.ioa=Integer(6) .iec104.value=Boolean(true)"));
}

#[test]
fn fields_have_the_same_place_in_both_records() {
    let member = IEC104.resolve("iec104.objects.quality.invalid").unwrap();
    let flat = IEC104_OBJECT.resolve("iec104.quality.invalid").unwrap();
    let header = IEC104_OBJECT.resolve("iec104.ioa").unwrap().field;
    assert_eq!(flat.field, header + member.field);
    assert_eq!(IEC104.resolve("iec104.ca"), IEC104_OBJECT.resolve("iec104.ca"));
    assert_eq!(IEC104.resolve("iec104.ca").unwrap(), FieldPath { list: None, field: 11 });
    for schema in PROTOCOL.schemas {
        let mut names: Vec<String> = schema.paths().map(|(name, _, _)| name).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all, "a name stands twice in {}", schema.name);
    }
}

#[test]
fn every_message_type_has_its_own_name() {
    struct Types(Vec<&'static str>);
    impl Records for Types {
        fn emit(&mut self, record: &dyn Record) {
            if record.schema().name == "iec104" {
                let index = usize::from(record.message_type());
                self.0.push(record.schema().message_types[index]);
            }
        }
        fn wants(&self, _schema: &'static Schema) -> bool {
            false
        }
    }
    let cases = [
        (one(45, 6, 1, 1, &[0]), "C_SC_NA_1"),
        (one(127, 13, 1, 1, &[0; 16]), "F_SC_NB_1"),
        (one(0, 6, 1, 1, &[0]), "reserved"),
        (one(57, 6, 1, 1, &[0]), "reserved"),
        (one(128, 6, 1, 1, &[0]), "private"),
        (one(255, 6, 1, 1, &[0]), "private"),
        (i_frame(&[1, 1, 3]), "I"),
        (ACKNOWLEDGE.to_vec(), "S"),
        (vec![0x68, 4, 3, 0, 0, 0], "U"),
        (STARTDT.to_vec(), "STARTDT act"),
        (vec![0x68, 4, 0x83, 0, 0, 0], "TESTFR con"),
    ];
    let mut types = Types(Vec::new());
    let (mut parser, mut shared) = (parser(false), (PROTOCOL.shared)());
    for (bytes, _) in &cases {
        let input = input(Direction::ToServer, bytes);
        assert_eq!(parser.data(input, &mut *shared, &mut types), Progress::all(bytes.len()));
    }
    let expected: Vec<&str> = cases.iter().map(|(_, name)| *name).collect();
    assert_eq!(types.0, expected);
    assert!(IEC104.message_types.len() <= 256);
}

#[test]
fn every_type_is_legal_in_its_plainest_form() {
    for apdu in every_type() {
        assert_eq!(anomalies(&apdu), [], "{apdu:?}");
    }
}

#[test]
fn every_prefix_wants_more_and_says_nothing() {
    for apdu in every_type().into_iter().chain([STARTDT.to_vec(), ACKNOWLEDGE.to_vec()]) {
        for length in 0..apdu.len() {
            let (mut parser, mut shared) = (parser(false), (PROTOCOL.shared)());
            let input = input(Direction::ToServer, &apdu[..length]);
            let mut out = Lines::default();
            let Progress { consumed, wanted } = parser.data(input, &mut *shared, &mut out);
            assert_eq!(consumed, 0);
            assert_eq!(wanted > length, length > 0, "{length} of {apdu:?}");
            assert_eq!(out.lines, [""; 0]);
        }
    }
}

#[test]
fn every_change_of_one_octet_is_read_to_the_end() {
    for apdu in every_type() {
        for index in 0..apdu.len() {
            for octet in 0..=255 {
                let mut changed = apdu.clone();
                changed[index] = octet;
                let told = lines(&[&changed[..], &TESTFR, &TESTFR].concat());
                if index > 1 {
                    assert!(told.len() >= 3, "octet {index} is {octet}: {told:?}");
                }
            }
        }
    }
}

#[test]
fn each_violation_of_the_framing_raises_exactly_its_anomaly() {
    let u_long = [0x68, 5, 0x43, 0, 0, 0, 0];
    let short = one(1, 3, 1, 1, &[]);
    let surplus = one(1, 3, 1, 1, &[0, 0xFF, 0xFF]);
    for (bytes, expected) in [
        (&u_long[..], anomaly("apci_length", "iec104.length", 5, 1)),
        (&short, anomaly("asdu_length", "iec104.length", 1, 15)),
        (&i_frame(&[1, 1, 3, 0]), anomaly("asdu_length", "iec104.length", 2, 10)),
        (&surplus, anomaly("trailing_bytes", "iec104.length", 2, 16)),
        (&[0x68, 4, 3, 0, 0, 0], anomaly("u_function", "control", 3, 2)),
        (&[0x68, 4, 0x43, 0, 7, 0], anomaly("u_reserved", "control", 7, 4)),
        (&[0x68, 4, 5, 0, 0, 0], anomaly("s_reserved", "control", 5, 2)),
        (&[0x68, 4, 1, 9, 0, 0], anomaly("s_reserved", "control", 9, 3)),
    ] {
        assert_eq!(anomalies(bytes), [expected], "{bytes:?}");
    }
    for (bytes, expected) in [
        (&[0x67, 4, 0x43][..], anomaly("start_byte", "start", 0x67, 0)),
        (&[0x68, 3], anomaly("apci_length", "iec104.length", 3, 1)),
        (&[0x68, 254], anomaly("apci_length", "iec104.length", 254, 1)),
    ] {
        // Where the next begins is not known, and there is none until the end.
        let lost = anomaly("resync", "", bytes.len() as i64, 0);
        assert_eq!(anomalies(bytes), [expected, lost], "{bytes:?}");
    }
    let mut i_reserved = one(1, 3, 1, 1, &[0]);
    i_reserved[4] |= 1;
    assert_eq!(anomalies(&i_reserved), [anomaly("i_reserved", "control", 5, 4)]);
}

#[test]
fn each_violation_in_the_header_raises_exactly_its_anomaly() {
    let several = |type_id, qualifier, cause, objects: &[u8]| {
        i_frame(&[&[type_id, qualifier, cause, 0, 1, 0][..], objects].concat())
    };
    let all = 0xFFFF;
    for (bytes, expected) in [
        (one(0, 3, 1, 1, &[]), anomaly("type_reserved", "iec104.type_id", 0, 6)),
        (one(88, 14, 1, 1, &[]), anomaly("type_reserved", "iec104.type_id", 88, 6)),
        (several(1, 0, 3, &[]), anomaly("count_zero", "iec104.count", 0, 7)),
        (
            several(45, 2, 6, &[1, 0, 0, 0, 2, 0, 0, 0]),
            anomaly("count_not_allowed", "iec104.count", 2, 7),
        ),
        (several(45, 0x81, 6, &[1, 0, 0, 0]), anomaly("sq_not_allowed", "iec104.sq", 1, 7)),
        (several(126, 1, 5, &DIRECTORY_ENTRY), anomaly("sq_not_allowed", "iec104.sq", 0, 7)),
        (one(1, 0, 1, 1, &[0]), anomaly("cause_reserved", "iec104.cot", 0, 8)),
        (one(1, 19, 1, 1, &[0]), anomaly("cause_reserved", "iec104.cot", 19, 8)),
        (one(200, 42, 1, 1, &[0]), anomaly("cause_reserved", "iec104.cot", 42, 8)),
        (one(1, 6, 1, 1, &[0]), anomaly("cause_not_allowed", "iec104.cot", 6, 8)),
        (one(45, 3, 1, 1, &[0]), anomaly("cause_not_allowed", "iec104.cot", 3, 8)),
        (one(1, 3, 0, 1, &[0]), anomaly("ca_zero", "iec104.ca", 0, 10)),
        (one(45, 6, all, 1, &[0]), anomaly("ca_broadcast_not_allowed", "iec104.ca", 65_535, 10)),
        (one(100, 7, all, 0, &[20]), anomaly("ca_broadcast_not_allowed", "iec104.ca", 65_535, 10)),
        (one(100, 6, 1, 9, &[20]), anomaly("ioa_not_zero", "iec104.objects.ioa", 9, 12)),
        (one(113, 6, 1, 9, &[1]), anomaly("ioa_not_zero", "iec104.objects.ioa", 9, 12)),
        (one(113, 6, 1, 0, &[3]), anomaly("ioa_zero", "iec104.objects.ioa", 0, 12)),
        (one(45, 6, 1, 0, &[0]), anomaly("ioa_zero", "iec104.objects.ioa", 0, 12)),
        (one(102, 5, 1, 0, &[]), anomaly("ioa_zero", "iec104.objects.ioa", 0, 12)),
        (
            several(1, 2, 3, &[1, 0, 0, 0, 0, 0, 0, 0]),
            anomaly("ioa_zero", "iec104.objects.ioa", 0, 16),
        ),
    ] {
        assert_eq!(anomalies(&bytes), [expected], "{bytes:?}");
    }
}

#[test]
fn what_is_legal_raises_nothing() {
    let all = 0xFFFF;
    let directory = [126, 0x82, 5, 0, 1, 0, 0, 0, 0];
    for bytes in [
        // Interrogation, counters, clock and reset may ask all stations.
        one(100, 6, all, 0, &[20]),
        one(101, 8, all, 0, &[5]),
        one(103, 6, all, 0, &[0, 0, 0, 0, 1, 1, 26]),
        one(105, 6, all, 0, &[1]),
        // IEC 60870-5-7: causes 14 to 16, types 41 and 81 to 95.
        one(81, 14, 1, 0, &[1, 2, 3]),
        one(95, 16, 1, 0, &[]),
        one(41, 3, 1, 1, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0]),
        // The time set on the way, and any year of the century.
        one(30, 3, 1, 1, &[0, 0, 0, 0x40, 0, 1, 1, 69]),
        // File transfer at object address 0.
        one(120, 13, 1, 0, &[0; 6]),
        i_frame(&[&directory[..], &DIRECTORY_ENTRY[3..], &DIRECTORY_ENTRY[3..]].concat()),
        // Private types and causes.
        one(128, 3, 1, 0, &[1, 2, 3]),
        one(255, 63, all, 0, &[]),
        one(45, 48, 1, 1, &[0]),
        // Reset of the process with cause 6; parameter activation of a point.
        one(105, 6, 1, 0, &[2]),
        one(113, 6, 1, 1, &[3]),
        // A negative answer to an address that nobody has.
        one(45, 0x40 | 0x2F, 1, 1, &[0]),
        // The highest object address that SQ = 1 reaches.
        i_frame(&[1, 0x82, 20, 0, 1, 0, 0xFE, 0xFF, 0xFF, 0, 1]),
    ] {
        assert_eq!(anomalies(&bytes), [], "{bytes:?}");
    }
}

#[test]
fn several_apdus_in_one_segment_are_told_in_order() {
    let told = lines(&[&STARTDT[..], &one(1, 3, 1, 1, &[1]), &ACKNOWLEDGE].concat());
    let frames: Vec<&str> = told.iter().map(|line| &line[..28]).collect();
    assert_eq!(frames, ["2", "0", "1"].map(|code| format!("iec104 .iec104.frame=Code({code})")));
}

#[test]
fn damage_is_told_once_with_what_it_cost() {
    let bytes = [&TESTFR[..], &[1, 2, 0x68, 3, 4], &TESTFR, &TESTFR].concat();
    assert_eq!(
        anomalies(&bytes),
        [anomaly("start_byte", "start", 1, 0), anomaly("resync", "", 5, 0)]
    );
    assert_eq!(lines(&bytes).len(), 5);
    let bytes = [&[0x68, 2][..], &TESTFR].concat();
    assert_eq!(
        anomalies(&bytes),
        [anomaly("apci_length", "iec104.length", 2, 1), anomaly("resync", "", 2, 0)]
    );
}

#[test]
fn a_flow_joined_inside_an_apdu_skips_to_the_next_in_silence() {
    let point = one(1, 3, 1, 1, &[1]);
    for stale in 0..=point.len() {
        let mut stream = Stream::new(true);
        stream.feed(&[&point[stale..], &point, &TESTFR].concat());
        let told = stream.end();
        assert_eq!(told.len(), if stale == 0 { 3 } else { 2 }, "from octet {stale}");
        assert_eq!(of_anomalies(&told), [], "from octet {stale}");
    }
}

#[test]
fn once_a_joined_flow_is_in_step_damage_is_damage() {
    let mut stream = Stream::new(true);
    stream.feed(&[&[0][..], &TESTFR, &[9], &TESTFR].concat());
    let told = stream.end();
    assert_eq!(
        of_anomalies(&told),
        [anomaly("start_byte", "start", 9, 0), anomaly("resync", "", 1, 0)]
    );
}

#[test]
fn after_a_hole_the_next_apdu_is_found_and_the_loss_told() {
    let point = one(1, 3, 1, 1, &[1]);
    for lost in 1..point.len() {
        let mut stream = Stream::new(false);
        stream.feed(&TESTFR);
        stream.feed(&point[..lost / 2]);
        stream.gap(lost - lost / 2);
        stream.feed(&[&point[lost..], &point].concat());
        let told = stream.end();
        let skipped = (point.len() - lost) as i64;
        assert_eq!(of_anomalies(&told), [anomaly("resync", "", skipped, 0)], "{lost} lost");
        assert_eq!(told.len(), 3);
    }
    let mut stream = Stream::new(false);
    stream.feed(&point[..3]);
    stream.gap(13);
    stream.feed(&point);
    assert_eq!(stream.end().len(), 1, "the hole ended where an APDU begins: nothing was skipped");
}

/// Nothing comes behind it that would show whether it is one.
#[test]
fn the_last_apdu_of_a_lost_direction_is_told_though_it_does_not_fit() {
    let mut odd = one(1, 3, 1, 1, &[1]);
    odd[7] = 2;
    for joined in [false, true] {
        let mut stream = Stream::new(joined);
        stream.feed(&TESTFR);
        stream.gap(10);
        stream.feed(&[&[0, 0, 0][..], &odd].concat());
        let told = stream.end();
        assert_eq!(told.len(), 4);
        let expected =
            [anomaly("resync", "", 3, 0), anomaly("asdu_length", "iec104.length", 4, 16)];
        assert_eq!(of_anomalies(&told), expected);
    }
}

#[test]
fn a_direction_that_stays_lost_says_so() {
    let mut stream = Stream::new(false);
    stream.feed(&[&TESTFR[..], b"garbage h"].concat());
    let told = stream.end();
    assert_eq!(
        of_anomalies(&told),
        [anomaly("start_byte", "start", i64::from(b'g'), 0), anomaly("resync", "", 9, 0)]
    );
    assert!(told[2].contains("detail"), "{}", told[2]);

    let mut stream = Stream::new(false);
    stream.feed(&TESTFR);
    stream.gap(10);
    assert_eq!(stream.end().len(), 1, "the gap says it");
}

#[test]
fn an_apdu_that_the_end_cuts_off_is_no_anomaly() {
    assert_eq!(lines(&one(1, 3, 1, 1, &[1])[..9]), [""; 0]);
}

fn cut(bytes: &[u8], joined: bool, ends: impl IntoIterator<Item = usize>) -> Vec<String> {
    let mut stream = Stream::new(joined);
    let mut start = 0;
    for end in ends.into_iter().chain([bytes.len()]) {
        stream.feed(&bytes[start..end]);
        start = end;
    }
    stream.end()
}

#[test]
fn records_do_not_depend_on_segments() {
    let bytes = mixed();
    for joined in [false, true] {
        let whole = cut(&bytes, joined, []);
        assert!(whole.len() > 12, "{whole:#?}");
        assert_eq!(cut(&bytes, joined, 1..bytes.len()), whole, "octet by octet");
        for at in 0..=bytes.len() {
            assert_eq!(cut(&bytes, joined, [at]), whole, "cut at {at}");
        }
    }
}

#[test]
fn mixed_damage_costs_only_what_is_damaged() {
    let told = lines(&mixed());
    let types = told.iter().filter(|line| line.starts_with("iec104 ")).count();
    assert_eq!(types, 9, "{told:#?}");
    assert_eq!(
        of_anomalies(&told),
        [
            anomaly("start_byte", "start", 0, 0),
            anomaly("resync", "", 3, 0),
            anomaly("asdu_length", "iec104.length", 1, 19),
            anomaly("start_byte", "start", 1, 0),
            anomaly("resync", "", 4, 0),
            anomaly("apci_length", "iec104.length", 254, 1),
            anomaly("resync", "", 2, 0),
        ]
    );
}

#[test]
fn facts_tell_the_station() {
    let (mut parser, mut shared) = (parser(false), (PROTOCOL.shared)());
    let mut out = Lines::default();
    let mut feed = |direction, bytes: &[u8]| {
        parser.data(input(direction, bytes), &mut *shared, &mut out);
    };
    feed(Direction::ToServer, &one(45, 6, 10, 1, &[1]));
    feed(Direction::ToServer, &one(45, 6, 11, 1, &[1]));
    feed(Direction::ToClient, &one(45, 7, 10, 1, &[1]));
    feed(Direction::ToClient, &one(45, 0x40 | 0x2E, 11, 1, &[1]));
    feed(Direction::ToClient, &i_frame(&[1, 0x83, 20, 0, 10, 0, 5, 0, 0, 0, 1, 1]));
    let (mut facts, mut names) = (Vec::new(), Vec::new());
    parser.facts(&mut |name, fact| {
        facts.push(format!("{name}: {fact:?}"));
        names.push(name);
    });
    assert_eq!(names, PROTOCOL.facts);
    assert_eq!(
        facts,
        [
            "common address: Member(Integer(10))",
            "I-frames sent: Count(3)",
            "I-frames received: Count(2)",
            "objects reported: Count(3)",
            "commands: Count(2)",
        ]
    );
}

proptest! {
    #[test]
    fn any_octets_give_the_same_however_they_are_cut(
        noise in prop::collection::vec(
            prop_oneof![2 => any::<u8>(), 1 => Just(0x68), 1 => 0..20_u8], 0..300),
        at in 0..300_usize,
        cuts in prop::collection::btree_set(0..300_usize, 0..8),
        joined: bool,
    ) {
        let mut bytes = mixed();
        let at = at.min(bytes.len());
        bytes.splice(at..at, noise);
        let whole = cut(&bytes, joined, []);
        let cuts = cuts.into_iter().filter(|cut| *cut <= bytes.len());
        prop_assert_eq!(&cut(&bytes, joined, cuts), &whole);
        prop_assert_eq!(&cut(&bytes, joined, 1..bytes.len()), &whole);
    }

    #[test]
    fn recognition_never_changes_its_mind(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut settled = None;
        for length in 0..=bytes.len() {
            let likeness = (PROTOCOL.recognise)(&bytes[..length]);
            match (settled, likeness) {
                (Some(before), _) => prop_assert_eq!(likeness, before),
                (None, Likeness::More(wanted)) => prop_assert!(wanted > length),
                (None, _) => settled = Some(likeness),
            }
        }
    }
}
