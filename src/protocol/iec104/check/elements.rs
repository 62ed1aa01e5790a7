//! What the elements of information objects must not say (IEC 60870-5-101, 7.2.6).
//!
//! What there is to check is drawn from the type table when the program is built: one mask over
//! the octets of an object for all reserved bits, and the few elements whose values have ranges.
//! So an object without a fault costs a load and a test, and a little for a time or a number.

use super::super::apci::APCI;
use super::super::asdu::Asdu;
use super::super::elements::Element;
use super::super::qualifier::{self, Qualifier};
use super::super::time::{Cp16Time2a, Cp24Time2a, Cp56Time2a, OutOfRange, Part};
use super::super::types::{TYPES, Type};
use super::{
    DCO_INVALID, FBP_PATTERN, QUALIFIER_RESERVED, RCO_INVALID, RESERVED_BITS, SEGMENT_LENGTH,
    TIME_RANGE, VALUE_INFINITE, VALUE_NAN,
};
use crate::event::{Anomaly, Records, Value};

/// The most octets that an object of a fixed length has.
const OBJECT: usize = 16;
/// The most elements of an object whose values have ranges.
const VALUES: usize = 3;

/// What there is to check in an object of some type.
#[derive(Debug, Clone, Copy)]
struct Rules {
    /// The bits that must be zero, the first octet lowest.
    reserved: u128,
    /// Elements whose values have ranges, and the octet where each begins.
    values: [Option<(u8, Element)>; VALUES],
}

static RULES: [Rules; 128] = rules();

const fn rules() -> [Rules; 128] {
    let mut all = [Rules { reserved: 0, values: [None; VALUES] }; 128];
    let mut index = 0;
    while index < TYPES.len() {
        all[TYPES[index].id as usize] = rules_of(&TYPES[index]);
        index += 1;
    }
    all
}

const fn rules_of(known: &Type) -> Rules {
    let mut rules = Rules { reserved: 0, values: [None; VALUES] };
    let (mut offset, mut values, mut index) = (0, 0, 0);
    while index < known.elements.len() {
        let element = known.elements[index];
        let mut octet = 0;
        while octet < element.reserved().len() {
            rules.reserved |=
                (element.reserved()[octet] as u128) << (8 * (offset as usize + octet));
            octet += 1;
        }
        if has_range(element) {
            rules.values[values] = Some((offset, element));
            values += 1;
        }
        match element.octets() {
            Some(octets) => offset += octets,
            None => break,
        }
        index += 1;
    }
    rules
}

const fn has_range(element: Element) -> bool {
    use Element::{Cp16, Cp24, Cp56, Fbp, Los, Range, Short, Sof};
    let others = matches!(element, Short | Cp16 | Cp24 | Cp56 | Range | Fbp | Sof | Los);
    others || element.qualifier().is_some()
}

/// Checks every object that is there whole.
#[inline]
pub(super) fn check(asdu: &Asdu<'_>, known: &'static Type, out: &mut dyn Records) {
    let rules = &RULES[usize::from(known.id & 0x7F)];
    if rules.reserved == 0 && rules.values[0].is_none() {
        return;
    }
    let mut checker = Checker { asdu, known, out, told: 0 };
    if known.octets.is_none() {
        return checker.segment(asdu.widths.object_address.into());
    }
    for place in asdu.places() {
        let start = place.start;
        let rest = asdu.body.get(start..).unwrap_or_default();
        let Some(object) = rest.get(..place.len()) else { return };
        if window(rest) & rules.reserved != 0 {
            checker.reserved_bits(object, start);
        }
        for (at, element) in rules.values.iter().map_while(|value| *value) {
            if let Some(octets) = object.get(usize::from(at)..) {
                checker.value(element, octets, start + usize::from(at));
            }
        }
    }
}

/// The first octets of `rest` as one number; zero where there are none.
#[inline]
fn window(rest: &[u8]) -> u128 {
    match rest.first_chunk::<OBJECT>() {
        Some(octets) => u128::from_le_bytes(*octets),
        None => rest.iter().rev().fold(0, |number, octet| number << 8 | u128::from(*octet)),
    }
}

/// The names of this module, each raised once an APDU.
#[derive(Clone, Copy)]
enum Fault {
    ReservedBits,
    QualifierReserved,
    DcoInvalid,
    RcoInvalid,
    FbpPattern,
    TimeRange,
    ValueNan,
    ValueInfinite,
    SegmentLength,
}

impl Fault {
    const NAMES: [&'static str; 9] = [
        RESERVED_BITS,
        QUALIFIER_RESERVED,
        DCO_INVALID,
        RCO_INVALID,
        FBP_PATTERN,
        TIME_RANGE,
        VALUE_NAN,
        VALUE_INFINITE,
        SEGMENT_LENGTH,
    ];
}

/// The fixed test bit pattern, 7.2.6.14.
const PATTERN: u16 = 0x55AA;

const VALUE: &str = "iec104.objects.value";
const QUALIFIER: &str = "iec104.objects.qualifier";

struct Checker<'c, 'a> {
    asdu: &'c Asdu<'a>,
    known: &'static Type,
    out: &'c mut dyn Records,
    /// One bit for each fault that was raised.
    told: u16,
}

impl Checker<'_, '_> {
    /// Raises what is wrong `place` octets into the body, unless this name was raised before.
    #[cold]
    fn raise(
        &mut self,
        fault: Fault,
        field: &'static str,
        value: Value<'_>,
        place: usize,
        detail: &str,
    ) {
        let bit = 1 << fault as u16;
        if self.told & bit != 0 {
            return;
        }
        self.told |= bit;
        let offset = APCI + self.asdu.widths.header() + place;
        let event = Fault::NAMES[fault as usize];
        let anomaly = Anomaly::in_message(super::NAME, event).at(field, value, offset as u64);
        self.out.emit(&Anomaly { detail, ..anomaly });
    }

    /// Finds the first octet of an object in which a reserved bit is set.
    #[cold]
    fn reserved_bits(&mut self, object: &[u8], place: usize) {
        let mut at = 0;
        for element in self.known.elements {
            let octets = object.get(at..).unwrap_or_default();
            for (index, (octet, mask)) in octets.iter().zip(element.reserved()).enumerate() {
                if octet & mask != 0 {
                    let value = Value::Integer((*octet).into());
                    let place = place + at + index;
                    return self.raise(Fault::ReservedBits, element.name(), value, place, "");
                }
            }
            at += element.octets().map_or(0, usize::from);
        }
    }

    /// Checks an element that has a range. `octets` begin with it, and end with the object.
    #[inline]
    fn value(&mut self, element: Element, octets: &[u8], place: usize) {
        match element {
            Element::Short => self.number(octets, place),
            Element::Cp56 => {
                if let Some(time) = octets.first_chunk().map(|octets| Cp56Time2a(*octets)) {
                    self.time(time.invalid(), time.out_of_range(), place);
                }
            }
            Element::Cp24 => {
                if let Some(time) = octets.first_chunk().map(|octets| Cp24Time2a(*octets)) {
                    self.time(time.0[2] & 0x80 != 0, time.out_of_range(), place);
                }
            }
            _ => self.rare(element, octets, place),
        }
    }

    /// Elements that come alone in their ASDU.
    fn rare(&mut self, element: Element, octets: &[u8], place: usize) {
        let Some((&octet, behind)) = octets.split_first() else { return };
        match element {
            Element::Cp16 => self.elapsed(octets, place),
            Element::Range => self.range(octets, place),
            Element::Fbp => {
                let pattern = u16::from_le_bytes([octet, behind.first().copied().unwrap_or(0)]);
                if pattern != PATTERN {
                    let value = Value::Integer(pattern.into());
                    self.raise(Fault::FbpPattern, VALUE, value, place, "");
                }
            }
            Element::Dco => self.state(Fault::DcoInvalid, octet, place),
            Element::Rco => self.state(Fault::RcoInvalid, octet, place),
            Element::Sof => {
                self.qualifier(&qualifier::STATUS, "iec104.objects.file.status", octet, place);
            }
            Element::Scq | Element::Afq => {
                self.qualifier(&qualifier::ERROR, "iec104.objects.file.error", octet, place);
            }
            _ => {}
        }
        if let Some(table) = element.qualifier() {
            self.qualifier(table, QUALIFIER, octet, place);
        }
    }

    fn qualifier(
        &mut self,
        table: &'static Qualifier,
        field: &'static str,
        octet: u8,
        place: usize,
    ) {
        let value = table.of(octet);
        if table.reserves(value) {
            let number = Value::Integer(value.into());
            self.raise(Fault::QualifierReserved, field, number, place, table.abbreviation);
        }
    }

    /// The states 0 and 3 of a double or step command are not permitted (7.2.6.16, 7.2.6.17).
    fn state(&mut self, fault: Fault, octet: u8, place: usize) {
        let state = octet & 3;
        if matches!(state, 0 | 3) {
            self.raise(fault, VALUE, Value::Integer(state.into()), place, "");
        }
    }

    /// A number that is none, or infinite. Where a quality descriptor follows that says so, the
    /// station knows.
    #[inline]
    fn number(&mut self, octets: &[u8], place: usize) {
        let Some(number) = octets.first_chunk().map(|octets| f32::from_le_bytes(*octets)) else {
            return;
        };
        if !number.is_finite() {
            self.no_number(number, octets, place);
        }
    }

    #[cold]
    fn no_number(&mut self, number: f32, octets: &[u8], place: usize) {
        const INVALID: u8 = 0x80;
        let has_quality = self.known.elements.contains(&Element::Qds);
        if has_quality && octets.get(4).is_some_and(|quality| quality & INVALID != 0) {
            return;
        }
        let (fault, detail) = match number {
            f32::INFINITY => (Fault::ValueInfinite, "positive infinity"),
            f32::NEG_INFINITY => (Fault::ValueInfinite, "negative infinity"),
            _ => (Fault::ValueNan, "not a number"),
        };
        self.raise(fault, VALUE, Value::Single(number), place, detail);
    }

    /// A time that says itself that it is not valid may be anything.
    #[inline]
    fn time(&mut self, invalid: bool, wrong: Option<OutOfRange>, place: usize) {
        let Some(OutOfRange { part, value }) = wrong.filter(|_| !invalid) else { return };
        let field = match part {
            Part::Millisecond => "iec104.objects.time_tag.millisecond",
            Part::Minute => "iec104.objects.time_tag.minute",
            Part::Hour => "iec104.objects.time_tag.hour",
            Part::Day => "iec104.objects.time_tag.day",
            Part::Month => "iec104.objects.time_tag.month",
            Part::Year => "iec104.objects.time_tag.year",
        };
        let value = Value::Integer(value.into());
        self.raise(Fault::TimeRange, field, value, place + part.octet(), "");
    }

    fn elapsed(&mut self, octets: &[u8], place: usize) {
        let Some(time) = octets.first_chunk().map(|octets| Cp16Time2a(*octets)) else { return };
        if time.out_of_range() {
            let value = Value::Integer(time.milliseconds().into());
            self.raise(Fault::TimeRange, "iec104.objects.elapsed_ms", value, place, "");
        }
    }

    fn range(&mut self, octets: &[u8], place: usize) {
        let (times, _) = octets.as_chunks::<7>();
        let fields = ["iec104.objects.file.from", "iec104.objects.file.to"];
        for (index, (octets, field)) in times.iter().zip(fields).enumerate() {
            let time = Cp56Time2a(*octets);
            let wrong = time.out_of_range().filter(|_| !time.invalid());
            if let Some(OutOfRange { part, value }) = wrong {
                let place = place + 7 * index + part.octet();
                self.raise(Fault::TimeRange, field, Value::Integer(value.into()), place, "");
            }
        }
    }

    /// Type 125, the only one of a length that varies whose elements are known: whether LOS says
    /// how many octets follow it.
    fn segment(&mut self, width: usize) {
        const BEFORE_LENGTH: usize = 3;
        let place = width + BEFORE_LENGTH;
        let Some((length, segment)) = self.asdu.body.get(place..).and_then(<[u8]>::split_first)
        else {
            return;
        };
        if usize::from(*length) != segment.len() {
            let value = Value::Integer((*length).into());
            let field = "iec104.objects.file.length";
            self.raise(Fault::SegmentLength, field, value, place, "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masks_are_drawn_from_the_elements() {
        // M_SP_NA_1: SIQ. M_ME_TF_1: R32, QDS, CP56Time2a. C_SC_TA_1: SCO, CP56Time2a.
        assert_eq!(RULES[1].reserved, 0x0E);
        assert_eq!(RULES[36].reserved, 0x80_F0_00_60_00_00_00_0E << 32);
        assert_eq!(RULES[58].reserved, 0x80_F0_00_60_00_00_00_02);
        assert_eq!(RULES[127].reserved, 0x80_F0_00_60_00_00_00_80_F0_00_60_00_00_00_u128 << 16);
        assert_eq!(RULES[9].values, [None; 3], "a normalized value may be anything");
        let values = [Some((0, Element::Short)), Some((4, Element::Qos)), Some((5, Element::Cp56))];
        assert_eq!(RULES[63].values, values);
        assert_eq!(RULES[0].reserved, 0);
    }

    #[test]
    fn the_last_objects_are_read_as_those_before() {
        let octets: Vec<u8> = (1..=20).collect();
        for length in 0..=octets.len() {
            let mut whole = [0; OBJECT];
            let there = length.min(OBJECT);
            whole[..there].copy_from_slice(&octets[..there]);
            assert_eq!(window(&octets[..length]), u128::from_le_bytes(whole));
        }
    }
}
