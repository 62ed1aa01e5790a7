use super::*;
use crate::protocol::iec104::types;

/// The same without what it was decoded from.
fn values(type_id: u8, octets: &[u8]) -> InformationObject<'static> {
    InformationObject { elements: &[], octets: &[], ..decode(type_id, octets) }
}

/// Decodes the elements of an object of this type, which must be as long as the type says.
fn decode(type_id: u8, octets: &[u8]) -> InformationObject<'static> {
    let found = types::by_id(type_id).unwrap();
    if let Some(expected) = found.octets {
        assert_eq!(octets.len(), usize::from(expected), "octets of {}", found.name);
    }
    let mut cursor = Cursor::new(octets.to_vec().leak());
    let object = InformationObject::decode(7, found.elements, &mut cursor).unwrap();
    assert!(cursor.is_empty(), "{} left {:?}", found.name, cursor.rest());
    object
}

/// The object of which only what `set` sets is there.
fn only(set: impl FnOnce(&mut InformationObject<'_>)) -> InformationObject<'static> {
    let mut object = InformationObject { address: 7, ..InformationObject::EMPTY };
    set(&mut object);
    object
}

/// Each flag of `defined`, lowest bit first.
fn each(flags: Flags) -> Vec<Option<bool>> {
    (0..8).map(|bit| flags.get(1 << bit)).collect()
}

#[test]
fn single_point_information() {
    // 7.2.6.1: IV NT SB BL 0 0 0 SPI
    let object = decode(1, &[0b1010_0001]);
    assert_eq!(
        values(1, &[0b1010_0001]),
        only(|o| {
            o.value = Value::Boolean(true);
            o.state = Some(State::On);
            o.quality = Flags::new(0b1010_0001, quality::OF_POINT);
        })
    );
    assert_eq!(object.quality.get(quality::INVALID), Some(true));
    assert_eq!(object.quality.get(quality::NOT_TOPICAL), Some(false));
    assert_eq!(object.quality.get(quality::SUBSTITUTED), Some(true));
    assert_eq!(object.quality.get(quality::BLOCKED), Some(false));
    assert_eq!(object.quality.get(quality::OVERFLOW), None, "a point cannot overflow");
    assert_eq!(decode(1, &[0x50]).state, Some(State::Off));
    assert_eq!(decode(1, &[0x50]).quality.get(quality::NOT_TOPICAL), Some(true));
    assert_eq!(decode(1, &[0x50]).quality.get(quality::BLOCKED), Some(true));
}

#[test]
fn double_point_information() {
    // 7.2.6.2: IV NT SB BL 0 0 DPI
    let states = [State::Intermediate, State::Off, State::On, State::Indeterminate];
    for (octet, state) in (0..).zip(states) {
        assert_eq!(
            values(3, &[octet | 0x40]),
            only(|o| {
                o.value = Value::Integer(octet.into());
                o.state = Some(state);
                o.quality = Flags::new(octet | 0x40, quality::OF_POINT);
            })
        );
    }
}

#[test]
fn step_position() {
    // 7.2.6.5: T, value -64 to 63; 7.2.6.3: IV NT SB BL 0 0 0 OV
    for (octet, value, transient) in
        [(0x00, 0, false), (0x3F, 63, false), (0x40, -64, false), (0xFF, -1, true)]
    {
        let object = decode(5, &[octet, 0x01]);
        assert_eq!(object.value, Value::Integer(value), "{octet:#x}");
        assert_eq!(object.transient, Some(transient), "{octet:#x}");
        assert_eq!(object.quality.get(quality::OVERFLOW), Some(true));
        assert_eq!(object.quality.get(quality::ELAPSED_TIME_INVALID), None);
    }
}

#[test]
fn measured_values() {
    // 7.2.6.6: F16, a fraction of 32,768
    for (octets, raw, value) in [
        ([0x00, 0x80], -32_768, -1.0),
        ([0xFF, 0x7F], 32_767, 32_767.0 / 32_768.0),
        ([0x00, 0x40], 16_384, 0.5),
    ] {
        let object = decode(9, &[octets[0], octets[1], 0]);
        assert_eq!((object.raw, object.value), (Some(raw), Value::Double(value)));
        assert_eq!(decode(21, &octets).value, Value::Double(value));
        assert_eq!(decode(21, &octets).quality, Flags::default(), "7.3.1.21: no quality");
    }
    // 7.2.6.7: I16
    assert_eq!(decode(11, &[0xFE, 0xFF, 0]).value, Value::Integer(-2));
    assert_eq!(decode(11, &[0xFE, 0xFF, 0]).raw, None);
    // 7.2.6.8: R32-IEEE STD 754, lowest octet first
    assert_eq!(decode(13, &[0x00, 0x00, 0x20, 0xC1, 0]).value, Value::Single(-10.0));
    // 7.2.6.13: 32 bits
    assert_eq!(decode(7, &[1, 0, 0, 0x80, 0]).value, Value::Integer(0x8000_0001));
}

#[test]
fn counter_readings() {
    // 7.2.6.9: I32; IV CA CY SQ
    let object = decode(15, &[0xFE, 0xFF, 0xFF, 0xFF, 0b1010_0101]);
    assert_eq!(object.value, Value::Integer(-2));
    let counter = object.counter.unwrap();
    assert_eq!((counter.sequence(), counter.carry()), (5, true));
    assert_eq!((counter.adjusted(), counter.invalid()), (false, true));
    assert!(decode(15, &[0, 0, 0, 0, 0x40]).counter.unwrap().adjusted());
    assert_eq!(object.quality, Flags::default(), "a counter has no quality descriptor");
}

#[test]
fn protection_events() {
    // 7.2.6.10: IV NT SB BL EI 0 ES; 7.2.6.20; 7.2.6.19
    let object = decode(17, &[0b1000_1010, 0x10, 0x27, 0xE8, 0x03, 0x80 | 1]);
    assert_eq!((object.value, object.state), (Value::Integer(2), Some(State::On)));
    assert_eq!(object.quality.get(quality::ELAPSED_TIME_INVALID), Some(true));
    assert_eq!(object.quality.get(quality::INVALID), Some(true));
    assert_eq!(object.quality.get(quality::OVERFLOW), None);
    assert_eq!(object.elapsed.map(Cp16Time2a::milliseconds), Some(10_000));
    let time = object.time.unwrap();
    assert_eq!(time.short().unwrap().millisecond_of_hour(), Some(61_000));
    assert!(time.invalid());
    for (octet, state) in [(0, State::Indeterminate), (1, State::Off), (3, State::Indeterminate)] {
        assert_eq!(decode(38, &[octet, 0, 0, 0, 0, 0, 0, 1, 1, 0]).state, Some(state));
    }
}

#[test]
fn protection_starts_and_output_circuits() {
    // 7.2.6.11: 0 0 SRD SIE SL3 SL2 SL1 GS
    let object = decode(18, &[0b0010_1001, 0, 0, 0, 0, 0, 0]);
    let expected = [true, false, false, true, false, true].map(Some);
    assert_eq!(each(object.start), [&expected[..], &[None, None]].concat());
    assert_eq!((object.value, object.state), (Value::Absent, None));
    assert_eq!(object.output, Flags::default());
    // 7.2.6.12: 0 0 0 0 CL3 CL2 CL1 GC
    let object = decode(40, &[0b0000_0110, 0x08, 0, 0, 0, 0, 0, 0, 1, 1, 0]);
    let expected = [false, true, true, false].map(Some);
    assert_eq!(each(object.output), [&expected[..], &[None; 4]].concat());
    assert_eq!(object.start, Flags::default());
    assert_eq!(object.quality.get(quality::ELAPSED_TIME_INVALID), Some(true));
}

#[test]
fn packed_single_points() {
    // 7.2.6.40: 16 states, then 16 changes
    let object = decode(20, &[0x01, 0x80, 0x02, 0x40, 0x10]);
    assert_eq!((object.value, object.change), (Value::Integer(0x8001), Some(0x4002)));
    assert_eq!(object.quality.get(quality::BLOCKED), Some(true));
}

#[test]
fn security_statistics() {
    // IEC 60870-5-7: association, counter reading, time
    let object = decode(41, &[0x34, 0x12, 9, 0, 0, 0, 3, 0, 0, 0, 0, 1, 1, 0]);
    assert_eq!((object.association, object.value), (Some(0x1234), Value::Integer(9)));
    assert_eq!(object.counter.map(Counter::sequence), Some(3));
    assert!(object.time.is_some());
}

#[test]
fn commands() {
    // 7.2.6.15, 7.2.6.26: S/E QU 0 SCS
    assert_eq!(
        values(45, &[0b1000_1101]),
        only(|o| {
            o.value = Value::Boolean(true);
            o.state = Some(State::On);
            o.select = Some(true);
            o.qualifier = Some(3);
        })
    );
    assert_eq!(decode(45, &[0]).state, Some(State::Off));
    assert_eq!(decode(45, &[0x7C]).qualifier, Some(31));
    assert_eq!(decode(45, &[0x7C]).select, Some(false));
    // 7.2.6.16 and 7.2.6.17: the two lowest bits
    let double = [State::NotPermitted, State::Off, State::On, State::NotPermitted];
    let step = [State::NotPermitted, State::Lower, State::Higher, State::NotPermitted];
    for octet in 0..4 {
        let value = Value::Integer(octet.into());
        let (dco, rco) = (decode(46, &[octet | 0x04]), decode(47, &[octet | 0x80]));
        assert_eq!((dco.value, dco.state), (value, Some(double[usize::from(octet)])));
        assert_eq!((dco.select, dco.qualifier), (Some(false), Some(1)));
        assert_eq!((rco.value, rco.state), (value, Some(step[usize::from(octet)])));
        assert_eq!((rco.select, rco.qualifier), (Some(true), Some(0)));
    }
}

#[test]
fn set_points() {
    // 7.2.6.39: S/E QL
    let object = decode(48, &[0x00, 0xC0, 0xFF]);
    assert_eq!((object.value, object.raw), (Value::Double(-0.5), Some(-16_384)));
    assert_eq!((object.select, object.qualifier), (Some(true), Some(127)));
    assert_eq!(decode(49, &[0x01, 0x00, 0x05]).value, Value::Integer(1));
    assert_eq!(decode(49, &[0x01, 0x00, 0x05]).qualifier, Some(5));
    assert_eq!(decode(50, &[0x00, 0x00, 0x80, 0x3F, 0]).value, Value::Single(1.0));
    assert_eq!(decode(50, &[0x00, 0x00, 0x80, 0x3F, 0]).select, Some(false));
    let bits = decode(51, &[0xFF, 0xFF, 0xFF, 0xFF]);
    assert_eq!((bits.value, bits.select), (Value::Integer(0xFFFF_FFFF), None));
}

#[test]
fn system_commands() {
    // 7.2.6.21: BS1, cause
    let object = decode(70, &[0x82]);
    assert_eq!((object.qualifier, object.parameter_changed), (Some(2), Some(true)));
    // 7.2.6.22
    assert_eq!(values(100, &[20]), only(|o| o.qualifier = Some(20)));
    // 7.2.6.23: FRZ RQT
    let object = decode(101, &[0b1000_0101]);
    assert_eq!((object.qualifier, object.freeze), (Some(5), Some(2)));
    assert_eq!(values(102, &[]), only(|_| ()));
    assert!(decode(103, &[0, 0, 0, 0, 1, 1, 0]).time.and_then(TimeTag::full).is_some());
    // 7.2.6.14
    assert_eq!(decode(104, &[0xAA, 0x55]).value, Value::Integer(0x55AA));
    // 7.2.6.27
    assert_eq!(decode(105, &[2]).qualifier, Some(2));
    assert_eq!(decode(106, &[0xE8, 0x03]).elapsed.map(Cp16Time2a::milliseconds), Some(1_000));
    // IEC 60870-5-104, 8.2
    let object = decode(107, &[0x02, 0x01, 0, 0, 0, 0, 1, 1, 0]);
    assert_eq!(object.value, Value::Integer(0x0102));
    assert!(object.time.is_some());
}

#[test]
fn parameters() {
    // 7.2.6.24: POP LPC KPA
    let object = decode(110, &[0x00, 0x20, 0b1000_0011]);
    assert_eq!((object.value, object.qualifier), (Value::Double(0.25), Some(3)));
    assert_eq!((object.out_of_operation, object.parameter_changed), (Some(true), Some(false)));
    let object = decode(112, &[0, 0, 0, 0, 0x41]);
    assert_eq!((object.out_of_operation, object.parameter_changed), (Some(false), Some(true)));
    assert_eq!(object.qualifier, Some(1));
    assert_eq!(decode(111, &[3, 0, 1]).value, Value::Integer(3));
    // 7.2.6.25
    assert_eq!(values(113, &[3]), only(|o| o.qualifier = Some(3)));
}

#[test]
fn file_transfer() {
    // 7.2.6.33, 7.2.6.35, 7.2.6.28
    let object = decode(120, &[0x02, 0x01, 0x05, 0x04, 0x03, 0x81]);
    let file = object.file().unwrap();
    assert_eq!((file.name(), file.length()), (Some(0x0102), Some(0x03_0405)));
    assert_eq!((object.qualifier, file.negative()), (Some(1), Some(true)));
    assert_eq!((file.section(), file.checksum(), file.error()), (None, None, None));
    assert_eq!((file.status(), file.range(), file.segment()), (None, None, None));
    // 7.2.6.34, 7.2.6.29
    let object = decode(121, &[1, 0, 9, 8, 0, 0, 0x00]);
    let file = object.file().unwrap();
    assert_eq!((file.section(), file.length()), (Some(9), Some(8)));
    assert_eq!((object.qualifier, file.negative()), (Some(0), Some(false)));
    // 7.2.6.30: error, call
    let object = decode(122, &[1, 0, 1, 0x36]);
    assert_eq!((object.qualifier, object.file().unwrap().error()), (Some(6), Some(3)));
    // 7.2.6.31, 7.2.6.37
    let object = decode(123, &[1, 0, 1, 3, 0xC8]);
    assert_eq!((object.qualifier, object.file().unwrap().checksum()), (Some(3), Some(0xC8)));
    // 7.2.6.32: error, acknowledgement
    let object = decode(124, &[1, 0, 1, 0x13]);
    assert_eq!((object.qualifier, object.file().unwrap().error()), (Some(3), Some(1)));
    // 7.2.6.36
    let file = decode(125, &[1, 0, 2, 3, 0xDE, 0xAD, 0xBE]).file().unwrap();
    assert_eq!((file.section(), file.length()), (Some(2), Some(3)));
    assert_eq!(file.segment(), Some(&[0xDE, 0xAD, 0xBE][..]));
    // 7.2.6.38: FA FOR LFD status
    let object = decode(126, &[1, 0, 0, 1, 0, 0b1010_0011, 0, 0, 0, 0, 1, 1, 0]);
    let status = object.file().unwrap().status().unwrap();
    assert_eq!((status.code(), status.last()), (3, true));
    assert_eq!((status.directory(), status.active()), (false, true));
    assert_eq!(object.file().unwrap().length(), Some(256));
    assert!(object.time.is_some());
    // IEC 60870-5-104, 8.4
    let object = decode(127, &[1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 2, 1, 0]);
    let [from, to] = object.file().unwrap().range().unwrap();
    assert_eq!((from.0[4], to.0[4]), (1, 2));
    assert_eq!(object.time, None, "the moments are what is asked for, no tag");
    assert_eq!(decode(1, &[0]).file(), None);
}

#[test]
fn a_qualifier_is_named_by_its_type() {
    let name = |type_id, octets: &[u8]| {
        decode(type_id, octets).qualifier_name().map(|code| qualifier::NAMES[usize::from(code)])
    };
    assert_eq!(name(45, &[0x04]), Some("short pulse"));
    assert_eq!(name(45, &[0x40]), None, "private");
    assert_eq!(name(48, &[0, 0, 0x80]), Some("default"));
    assert_eq!(name(100, &[20]), Some("station"));
    assert_eq!(name(101, &[0x45]), Some("all counters"));
    assert_eq!(name(110, &[0, 0, 0x83]), Some("low limit"));
    assert_eq!(name(70, &[0x82]), Some("remote reset"));
    assert_eq!(name(122, &[1, 0, 1, 0x36]), Some("request section"));
    assert_eq!(name(1, &[0]), None);
}

/// The octets that a mask takes from an element all stand in it, and no field reads them.
#[test]
fn reserved_bits_are_in_no_field() {
    for found in types::TYPES {
        let Some(octets) = found.octets else { continue };
        let mut offset = 0;
        for element in found.elements {
            assert!(element.reserved().len() <= usize::from(element.octets().unwrap()));
            for (index, mask) in element.reserved().iter().enumerate() {
                for bit in (0..8).map(|bit| 1 << bit).filter(|bit| mask & bit != 0) {
                    let mut changed = vec![0; octets.into()];
                    changed[offset + index] = bit;
                    let plain = vec![0; octets.into()];
                    let (mut one, mut two) = (decode(found.id, &changed), decode(found.id, &plain));
                    for object in [&mut one, &mut two] {
                        (object.octets, object.time) = (&[], None);
                        object.quality = Flags::new(
                            object.quality.bits & object.quality.defined,
                            object.quality.defined,
                        );
                        object.start = Flags::new(
                            object.start.bits & object.start.defined,
                            object.start.defined,
                        );
                        object.output = Flags::new(
                            object.output.bits & object.output.defined,
                            object.output.defined,
                        );
                    }
                    assert_eq!(one, two, "{} octet {}", found.name, offset + index);
                }
            }
            offset += usize::from(element.octets().unwrap());
        }
    }
}

#[test]
fn time_tags_follow_what_they_tag() {
    let (short, full) = ([0xE8, 0x03, 2], [0xE8, 0x03, 2, 3, 4, 5, 6]);
    for type_id in [2, 4, 6, 8, 10, 12, 14, 16, 17, 18, 19] {
        let found = types::by_id(type_id).unwrap();
        let before = usize::from(found.octets.unwrap()) - short.len();
        let object = decode(type_id, &[&vec![0; before][..], &short].concat());
        assert_eq!(object.time, Some(TimeTag::Short(Cp24Time2a(short))), "{}", found.name);
    }
    for type_id in (30..=41).chain(58..=64).chain([103, 107, 126]) {
        let found = types::by_id(type_id).unwrap();
        let before = usize::from(found.octets.unwrap()) - full.len();
        let object = decode(type_id, &[&vec![0; before][..], &full].concat());
        assert_eq!(object.time, Some(TimeTag::Full(Cp56Time2a(full))), "{}", found.name);
    }
}

#[test]
fn every_shorter_object_is_rejected() {
    for found in (0..=255).filter_map(types::by_id) {
        let octets = vec![0; found.octets.unwrap_or_default().into()];
        for length in 0..octets.len() {
            let mut cursor = Cursor::new(&octets[..length]);
            let decoded = InformationObject::decode(1, found.elements, &mut cursor);
            assert!(decoded.is_err(), "{} of {length} octets", found.name);
        }
    }
}
