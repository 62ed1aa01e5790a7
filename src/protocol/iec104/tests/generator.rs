//! Builds any legal APDU from the type table, and says what its decoding must give.
//!
//! Bits are put where the standard draws them, and not by what the decoder knows: of the types
//! only the list of elements is taken from there.

use super::super::asdu::Widths;
use super::super::elements::Element;
use super::super::time::{Cp24Time2a, Cp56Time2a};
use super::super::types::{AddressRule, Purpose, Structure, Type};
use crate::event::Value;
use crate::time::Timestamp;

/// Numbers that look random and are the same in every run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// Below `sides`.
    pub(super) fn roll(&mut self, sides: u32) -> u32 {
        // Steele and others, "Fast splittable pseudorandom number generators".
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed >> 33) % u64::from(sides)) as u32
    }

    fn flag(&mut self) -> bool {
        self.roll(2) == 1
    }

    fn word(&mut self) -> u32 {
        self.roll(1 << 16) << 16 | self.roll(1 << 16)
    }

    /// One of these ranges, both ends included.
    fn of(&mut self, ranges: &[(u8, u8)]) -> u8 {
        let (first, last) = ranges[self.roll(ranges.len() as u32) as usize];
        first + self.roll(u32::from(last - first) + 1) as u8
    }
}

/// What a decoded object must show, by name, and the octets that say so.
#[derive(Debug, Clone, Default)]
pub(super) struct Built {
    pub(super) octets: Vec<u8>,
    /// For each octet, the bits that the standard wants to be zero.
    pub(super) reserved: Vec<u8>,
    /// Names and values, as `Debug` shows them.
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Built {
    fn octet(&mut self, octet: u8, reserved: u8) {
        assert_eq!(octet & reserved, 0);
        self.octets.push(octet);
        self.reserved.push(reserved);
    }

    fn octets(&mut self, octets: &[u8]) {
        self.octets.extend(octets);
        self.reserved.extend(vec![0; octets.len()]);
    }

    fn field(&mut self, name: &'static str, value: Value<'_>) {
        self.fields.push((name, format!("{value:?}")));
    }

    fn number(&mut self, name: &'static str, number: impl Into<i64>) {
        self.field(name, Value::Integer(number.into()));
    }

    /// Flags of one octet: name, and place of the bit. Gives the octet.
    fn flags(&mut self, dice: &mut Dice, flags: &[(&'static str, u8)]) -> u8 {
        let mut octet = 0;
        for (name, bit) in flags {
            let flag = dice.flag();
            self.field(name, Value::Boolean(flag));
            octet |= u8::from(flag) << bit;
        }
        octet
    }

    fn qualifier(&mut self, dice: &mut Dice, ranges: &[(u8, u8)]) -> u8 {
        let value = dice.of(ranges);
        self.number("qualifier", value);
        value
    }

    fn state(&mut self, value: Value<'_>, state: u8) {
        self.field("value", value);
        self.field("state", Value::Code(state));
    }
}

const BLOCKED_TO_INVALID: [(&str, u8); 4] = [
    ("quality.blocked", 4),
    ("quality.substituted", 5),
    ("quality.not_topical", 6),
    ("quality.invalid", 7),
];

/// Adds an element that says something legal.
fn element(built: &mut Built, element: Element, dice: &mut Dice) {
    match element {
        Element::Siq => {
            let point = dice.flag();
            built.state(Value::Boolean(point), point.into());
            let quality = built.flags(dice, &BLOCKED_TO_INVALID);
            built.octet(u8::from(point) | quality, 0b0000_1110);
        }
        Element::Diq => {
            let point = dice.roll(4) as u8;
            built.state(Value::Integer(point.into()), [2, 0, 1, 3][usize::from(point)]);
            let quality = built.flags(dice, &BLOCKED_TO_INVALID);
            built.octet(point | quality, 0b0000_1100);
        }
        Element::Sep => {
            let event = dice.roll(4) as u8;
            built.state(Value::Integer(event.into()), [3, 0, 1, 3][usize::from(event)]);
            let elapsed = built.flags(dice, &[("quality.elapsed_time_invalid", 3)]);
            let quality = built.flags(dice, &BLOCKED_TO_INVALID);
            built.octet(event | elapsed | quality, 0b0000_0100);
        }
        Element::Qds => {
            let overflow = built.flags(dice, &[("quality.overflow", 0)]);
            let quality = built.flags(dice, &BLOCKED_TO_INVALID);
            built.octet(overflow | quality, 0b0000_1110);
        }
        Element::Qdp => {
            let elapsed = built.flags(dice, &[("quality.elapsed_time_invalid", 3)]);
            let quality = built.flags(dice, &BLOCKED_TO_INVALID);
            built.octet(elapsed | quality, 0b0000_0111);
        }
        Element::Vti => {
            let value = dice.roll(128) as i8 - 64;
            built.number("value", value);
            let transient = built.flags(dice, &[("transient", 7)]);
            built.octet(value as u8 & 0x7F | transient, 0);
        }
        Element::Nva => {
            let raw = dice.word() as i16;
            built.number("raw", raw);
            built.field("value", Value::Double(f64::from(raw) / 32_768.0));
            built.octets(&raw.to_le_bytes());
        }
        Element::Sva => {
            let value = dice.word() as i16;
            built.number("value", value);
            built.octets(&value.to_le_bytes());
        }
        Element::Short => {
            let number = Some(f32::from_bits(dice.word())).filter(|number| number.is_finite());
            let number = number.unwrap_or(f32::MIN_POSITIVE);
            built.field("value", Value::Single(number));
            built.octets(&number.to_le_bytes());
        }
        Element::Bcr => {
            let value = dice.word() as i32;
            built.number("value", value);
            built.octets(&value.to_le_bytes());
            let sequence = dice.roll(32) as u8;
            built.number("counter.sequence", sequence);
            let flags = [("counter.carry", 5), ("counter.adjusted", 6), ("counter.invalid", 7)];
            let flags = built.flags(dice, &flags);
            built.octet(sequence | flags, 0);
        }
        Element::Spe => {
            let flags = [
                ("start.general", 0),
                ("start.l1", 1),
                ("start.l2", 2),
                ("start.l3", 3),
                ("start.earth", 4),
                ("start.reverse", 5),
            ];
            let octet = built.flags(dice, &flags);
            built.octet(octet, 0b1100_0000);
        }
        Element::Oci => {
            let flags =
                [("output.general", 0), ("output.l1", 1), ("output.l2", 2), ("output.l3", 3)];
            let octet = built.flags(dice, &flags);
            built.octet(octet, 0b1111_0000);
        }
        Element::Bsi => {
            let bits = dice.word();
            built.number("value", bits);
            built.octets(&bits.to_le_bytes());
        }
        Element::Scd => {
            let [states, changes] = [dice.word() as u16, dice.word() as u16];
            built.number("value", states);
            built.number("changed", changes);
            built.octets(&states.to_le_bytes());
            built.octets(&changes.to_le_bytes());
        }
        Element::Fbp => {
            built.number("value", 0x55AA);
            built.octets(&[0xAA, 0x55]);
        }
        Element::Tsc => {
            let count = dice.word() as u16;
            built.number("value", count);
            built.octets(&count.to_le_bytes());
        }
        Element::Aid => {
            let association = dice.word() as u16;
            built.number("association", association);
            built.octets(&association.to_le_bytes());
        }
        Element::Sco | Element::Dco | Element::Rco => command(built, element, dice),
        Element::Cp56 => time(built, dice),
        Element::Cp24 => {
            let (millisecond, minute) = (dice.roll(60_000), dice.roll(60));
            built.number("time_tag.hour_ms", minute * 60_000 + millisecond);
            let flags = [("time_tag.substituted", 6), ("time_tag.invalid", 7)];
            let flags = built.flags(dice, &flags);
            let [low, high] = (millisecond as u16).to_le_bytes();
            built.octets(&[low, high, minute as u8 | flags]);
        }
        Element::Cp16 => {
            let elapsed = dice.roll(60_000) as u16;
            built.number("elapsed_ms", elapsed);
            built.octets(&elapsed.to_le_bytes());
        }
        _ if element.qualifier().is_some() => qualifier(built, element, dice),
        _ => file(built, element, dice),
    }
}

/// 7.2.6.15 to 7.2.6.17.
fn command(built: &mut Built, element: Element, dice: &mut Dice) {
    let (state, reserved) = match element {
        Element::Sco => {
            let on = dice.flag();
            built.state(Value::Boolean(on), on.into());
            (u8::from(on), 0b0000_0010)
        }
        Element::Dco => {
            let state = 1 + dice.roll(2) as u8;
            built.state(Value::Integer(state.into()), state - 1);
            (state, 0)
        }
        _ => {
            let state = 1 + dice.roll(2) as u8;
            built.state(Value::Integer(state.into()), state + 4);
            (state, 0)
        }
    };
    let qualifier = built.qualifier(dice, &[(0, 3), (16, 31)]);
    let select = built.flags(dice, &[("select", 7)]);
    built.octet(state | qualifier << 2 | select, reserved);
}

/// Octets that are, or end in, a qualifier.
fn qualifier(built: &mut Built, element: Element, dice: &mut Dice) {
    let octet = match element {
        Element::Coi => {
            built.qualifier(dice, &[(0, 2), (32, 127)])
                | built.flags(dice, &[("parameter.changed", 7)])
        }
        Element::Qoi => built.qualifier(dice, &[(20, 36), (64, 255)]),
        Element::Qcc => {
            let freeze = dice.roll(4) as u8;
            built.number("freeze", freeze);
            built.qualifier(dice, &[(1, 5), (32, 63)]) | freeze << 6
        }
        Element::Qpm => {
            built.qualifier(dice, &[(1, 4), (32, 63)])
                | built.flags(dice, &[("parameter.changed", 6), ("parameter.out_of_operation", 7)])
        }
        Element::Qpa => built.qualifier(dice, &[(1, 3), (128, 255)]),
        Element::Qrp => built.qualifier(dice, &[(1, 2), (128, 255)]),
        Element::Frq | Element::Srq => {
            built.qualifier(dice, &[(0, 0), (64, 127)]) | built.flags(dice, &[("file.negative", 7)])
        }
        Element::Scq => built.qualifier(dice, &[(0, 7), (11, 15)]) | error(built, dice),
        Element::Afq => built.qualifier(dice, &[(1, 4), (11, 15)]) | error(built, dice),
        Element::Lsq => built.qualifier(dice, &[(1, 4), (128, 255)]),
        Element::Qos => {
            built.qualifier(dice, &[(0, 0), (64, 127)]) | built.flags(dice, &[("select", 7)])
        }
        _ => unreachable!("{element:?} is no qualifier"),
    };
    built.octet(octet, 0);
}

fn error(built: &mut Built, dice: &mut Dice) -> u8 {
    let error = dice.of(&[(0, 5), (11, 15)]);
    built.number("file.error", error);
    error << 4
}

fn file(built: &mut Built, element: Element, dice: &mut Dice) {
    match element {
        Element::Nof => {
            let name = dice.word() as u16;
            built.number("file.name", name);
            built.octets(&name.to_le_bytes());
        }
        Element::Nos => {
            let section = dice.word() as u8;
            built.number("file.section", section);
            built.octets(&[section]);
        }
        Element::Lof => {
            let length = dice.roll(1 << 24);
            built.number("file.length", length);
            built.octets(&length.to_le_bytes()[..3]);
        }
        Element::Los => {
            let length = dice.roll(200) as u8;
            built.number("file.length", length);
            built.octets(&[length]);
        }
        Element::Segment => {
            let length = *built.octets.last().unwrap();
            let segment: Vec<u8> = (0..length).map(|_| dice.word() as u8).collect();
            built.field("file.data", Value::Octets(&segment));
            built.octets(&segment);
        }
        Element::Chs => {
            let sum = dice.word() as u8;
            built.number("file.checksum", sum);
            built.octets(&[sum]);
        }
        Element::Sof => {
            let status = dice.of(&[(0, 0), (16, 31)]);
            built.number("file.status", status);
            let flags = [("file.last", 5), ("file.directory", 6), ("file.active", 7)];
            let flags = built.flags(dice, &flags);
            built.octets(&[status | flags]);
        }
        Element::Range => {
            for (moment, came) in [("file.from", "file.from_octets"), ("file.to", "file.to_octets")]
            {
                let mut tagged = Built::default();
                time(&mut tagged, dice);
                let (_, time) = tagged.fields.iter().find(|(name, _)| *name == "time").unwrap();
                built.fields.push((moment, time.clone()));
                built.field(came, Value::Octets(&tagged.octets));
                built.octets.extend(tagged.octets);
                built.reserved.extend(tagged.reserved);
            }
        }
        _ => unreachable!("{element:?} is of no file"),
    }
}

/// 7.2.6.18.
fn time(built: &mut Built, dice: &mut Dice) {
    let (year, month) = (dice.roll(100) as u8, 1 + dice.roll(12) as u8);
    let first = jiff::civil::date(2000 + i16::from(year), month as i8, 1);
    let day = 1 + dice.roll(first.days_in_month() as u32) as u8;
    let (hour, minute) = (dice.roll(24) as u8, dice.roll(60) as u8);
    let millisecond = dice.roll(60_000) as u16;
    let date = first.with().day(day as i8).build().unwrap();
    let moment = date.at(hour as i8, minute as i8, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
    let nanos = moment.timestamp().as_nanosecond() as u64 + u64::from(millisecond) * 1_000_000;
    built.field("time", Value::Time(Timestamp::from_nanos(nanos)));
    let flags = built.flags(dice, &[("time_tag.substituted", 6), ("time_tag.invalid", 7)]);
    let summer = built.flags(dice, &[("time_tag.summer_time", 7)]);
    let day_of_week = dice.roll(8) as u8;
    built.number("time_tag.day_of_week", day_of_week);
    built.number("time_tag.reserved", 0);
    built.octets(&millisecond.to_le_bytes());
    built.octet(minute | flags, 0);
    built.octet(hour | summer, 0b0110_0000);
    built.octet(day | day_of_week << 5, 0);
    built.octet(month, 0b1111_0000);
    built.octet(year, 0b1000_0000);
}

/// What an APDU is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) known: &'static Type,
    pub(super) widths: Widths,
    pub(super) sequence: bool,
    pub(super) count: u8,
    pub(super) cause: u8,
}

/// An APDU, what stands in its header, and its objects.
#[derive(Debug)]
pub(super) struct Legal {
    pub(super) apdu: Vec<u8>,
    /// For each octet of the APDU, the reserved bits of its elements.
    pub(super) reserved: Vec<u8>,
    pub(super) header: Vec<(&'static str, String)>,
    /// Sorted by name.
    pub(super) objects: Vec<Vec<(&'static str, String)>>,
}

/// The most objects that fit into an APDU.
pub(super) fn most(known: &Type, widths: Widths, sequence: bool) -> u8 {
    let address = usize::from(widths.object_address);
    let room = 253 - 4 - widths.header();
    let octets = usize::from(known.octets.unwrap_or(1));
    let count = if sequence { (room - address) / octets } else { room / (address + octets) };
    if known.structure == Structure::One { 1 } else { count.min(127) as u8 }
}

/// Builds it.
pub(super) fn build(wish: Wish, dice: &mut Dice) -> Legal {
    let Wish { known, widths, sequence, count, cause } = wish;
    let mut header = Built::default();
    let [send, receive] = [dice.roll(1 << 15) as u16, dice.roll(1 << 15) as u16];
    header.number("iec104.ns", send);
    header.number("iec104.nr", receive);
    header.number("iec104.type_id", known.id);
    header.number("iec104.count", count);
    header.field("iec104.sq", Value::Boolean(sequence));
    header.number("iec104.cot", cause);
    header.octets(&[known.id, count | u8::from(sequence) << 7]);
    let flags = header.flags(dice, &[("iec104.negative", 6), ("iec104.test", 7)]);
    header.octets(&[cause | flags]);
    if widths.cause == 2 {
        let originator = dice.word() as u8;
        header.number("iec104.originator", originator);
        header.octets(&[originator]);
    }
    let station = 1 + dice.roll(if widths.common_address == 1 { 254 } else { 65_534 }) as u16;
    header.number("iec104.ca", station);
    header.octets(&station.to_le_bytes()[..widths.common_address.into()]);

    let mut objects = Vec::new();
    let highest = (1 << (8 * u32::from(widths.object_address))) - 1;
    let mut next = 1 + dice.roll(highest - u32::from(count));
    for index in 0..count {
        let mut object = Built::default();
        for found in known.elements {
            element(&mut object, *found, dice);
        }
        let zero = match known.address {
            AddressRule::Zero => true,
            AddressRule::Point => false,
            AddressRule::ByQualifier => matches!(object.octets[0], 1 | 2),
            AddressRule::Free => dice.flag(),
        };
        if !sequence {
            next = if zero { 0 } else { 1 + dice.roll(highest) };
        }
        object.number("ioa", next);
        if !sequence || index == 0 {
            header.octets(&next.to_le_bytes()[..widths.object_address.into()]);
        }
        next += 1;
        header.octets.extend(object.octets);
        header.reserved.extend(object.reserved);
        object.fields.sort();
        objects.push(object.fields);
    }
    let [n1, n2] = (send << 1).to_le_bytes();
    let [n3, n4] = (receive << 1).to_le_bytes();
    let length = header.octets.len() as u8 + 4;
    Legal {
        apdu: [&[0x68, length, n1, n2, n3, n4][..], &header.octets].concat(),
        reserved: [&[0; 6][..], &header.reserved].concat(),
        header: header.fields,
        objects,
    }
}

/// One object, or one with SQ = 1, that says the least: for tests that change a single thing.
pub(super) fn plainest(element: Element) -> Vec<u8> {
    match element {
        Element::Cp56 => vec![0, 0, 0, 0, 1, 1, 0],
        Element::Range => vec![0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0],
        Element::Fbp => vec![0xAA, 0x55],
        Element::Dco
        | Element::Rco
        | Element::Qcc
        | Element::Qpm
        | Element::Qpa
        | Element::Qrp
        | Element::Lsq
        | Element::Afq => vec![1],
        Element::Qoi => vec![20],
        Element::Segment => Vec::new(),
        Element::Security => vec![0xC0, 0, 0, 0],
        _ => vec![0; element.octets().unwrap().into()],
    }
}

/// Whether a type is built here; those of security carry octets only.
pub(super) fn is_built(known: &Type) -> bool {
    known.purpose != Purpose::Security
}

/// A time tag as it must be told.
#[test]
fn the_generator_agrees_with_a_moment_that_was_written_down() {
    let mut built = Built::default();
    let mut dice = Dice(7);
    time(&mut built, &mut dice);
    let octets: [u8; 7] = built.octets[..].try_into().unwrap();
    let told = Cp56Time2a(octets).timestamp().unwrap();
    let (_, expected) = built.fields.iter().find(|(name, _)| *name == "time").unwrap();
    assert_eq!(*expected, format!("{:?}", Value::Time(told)));
    assert!(Cp24Time2a([octets[0], octets[1], octets[2]]).millisecond_of_hour().is_some());
}
