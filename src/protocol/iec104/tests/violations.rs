//! Each anomaly of elements, raised alone, and what comes close to it and is legal.

use super::{anomalies, anomaly, i_frame, lines, one};

/// A time as it should be: 1 January 2026.
const TIME: [u8; 7] = [0, 0, 0, 0, 1, 1, 26];

/// The elements and a time behind them.
fn timed(elements: &[u8], change: impl FnOnce(&mut [u8; 7])) -> Vec<u8> {
    let mut time = TIME;
    change(&mut time);
    [elements, &time].concat()
}

#[test]
fn each_violation_of_an_element_raises_exactly_its_anomaly() {
    let value = "iec104.objects.value";
    let tag = |part: &str| format!("iec104.objects.time_tag.{part}");
    for (bytes, expected) in [
        (one(1, 3, 1, 1, &[0x03]), anomaly("reserved_bits", "SIQ", 3, 15)),
        (one(3, 3, 1, 1, &[0x0A]), anomaly("reserved_bits", "DIQ", 10, 15)),
        (one(5, 3, 1, 1, &[0xFF, 0x02]), anomaly("reserved_bits", "QDS", 2, 16)),
        (
            one(40, 3, 1, 1, &timed(&[0x10, 0, 0, 0], |_| ())),
            anomaly("reserved_bits", "OCI", 16, 15),
        ),
        (one(39, 3, 1, 1, &timed(&[0, 1, 0, 0], |_| ())), anomaly("reserved_bits", "QDP", 1, 16)),
        (
            one(30, 3, 1, 1, &timed(&[0], |t| t[3] |= 0x20)),
            anomaly("reserved_bits", "CP56Time2a", 32, 19),
        ),
        (one(45, 6, 1, 1, &[2]), anomaly("reserved_bits", "SCO", 2, 15)),
        (one(46, 6, 1, 1, &[0x80]), anomaly("dco_invalid", value, 0, 15)),
        (one(46, 7, 1, 1, &[0x03]), anomaly("dco_invalid", value, 3, 15)),
        (one(47, 6, 1, 1, &[0x00]), anomaly("rco_invalid", value, 0, 15)),
        (one(60, 6, 1, 1, &timed(&[0x07], |_| ())), anomaly("rco_invalid", value, 3, 15)),
        (one(104, 6, 1, 0, &[0x55, 0xAA]), anomaly("fbp_pattern", value, 0xAA55, 15)),
        (
            one(103, 6, 1, 0, &timed(&[], |t| t[0..2].copy_from_slice(&[0x60, 0xEA]))),
            anomaly("time_range", &tag("millisecond"), 60_000, 15),
        ),
        (
            one(103, 6, 1, 0, &timed(&[], |t| t[2] = 60)),
            anomaly("time_range", &tag("minute"), 60, 17),
        ),
        (
            one(103, 6, 1, 0, &timed(&[], |t| t[3] = 24)),
            anomaly("time_range", &tag("hour"), 24, 18),
        ),
        (one(103, 6, 1, 0, &timed(&[], |t| t[4] = 0)), anomaly("time_range", &tag("day"), 0, 19)),
        (
            one(103, 6, 1, 0, &timed(&[], |t| t[4..6].copy_from_slice(&[30, 2]))),
            anomaly("time_range", &tag("day"), 30, 19),
        ),
        (
            one(103, 6, 1, 0, &timed(&[], |t| t[5] = 13)),
            anomaly("time_range", &tag("month"), 13, 20),
        ),
        (
            one(103, 6, 1, 0, &timed(&[], |t| t[6] = 100)),
            anomaly("time_range", &tag("year"), 100, 21),
        ),
        (one(2, 3, 1, 1, &[0, 0, 0, 63]), anomaly("time_range", &tag("minute"), 63, 18)),
        (
            one(106, 6, 1, 0, &[0xFF, 0xFF]),
            anomaly("time_range", "iec104.objects.elapsed_ms", 65_535, 15),
        ),
        (
            one(125, 13, 1, 0, &[1, 0, 1, 4, 9, 9, 9]),
            anomaly("segment_length", "iec104.objects.file.length", 4, 18),
        ),
        (one(125, 13, 1, 0, &[1, 0, 1]), anomaly("asdu_length", "iec104.length", 1, 18)),
        (i_frame(&[95, 1, 16, 0, 1, 0]), anomaly("asdu_length", "iec104.length", 1, 12)),
    ] {
        assert_eq!(anomalies(&bytes), [expected], "{bytes:02x?}");
    }
}

#[test]
fn the_moments_of_a_range_are_checked_both() {
    let range = [&[1, 0][..], &TIME, &TIME].concat();
    assert_eq!(anomalies(&one(127, 13, 1, 0, &range)), []);
    for (at, field, offset) in [(7, "file.from", 22), (14, "file.to", 29)] {
        let mut wrong = range.clone();
        wrong[at] = 0;
        let field = format!("iec104.objects.{field}");
        assert_eq!(
            anomalies(&one(127, 13, 1, 0, &wrong)),
            [anomaly("time_range", &field, 0, offset)]
        );
    }
}

#[test]
fn each_reserved_value_of_a_qualifier_is_told() {
    /// A type, its elements before the qualifier, where it stands in the octet, the values that
    /// the standard reserves.
    type Case = (u8, u8, &'static [u8], u8, u8, &'static [(u8, u8)]);
    const CASES: &[Case] = &[
        (100, 6, &[], 0, 8, &[(0, 19), (37, 63)]),
        (101, 6, &[], 0, 6, &[(0, 0), (6, 31)]),
        (110, 6, &[0, 0], 0, 6, &[(0, 0), (5, 31)]),
        (113, 6, &[], 0, 8, &[(0, 0), (4, 127)]),
        (105, 6, &[], 0, 8, &[(0, 0), (3, 127)]),
        (46, 6, &[], 2, 5, &[(4, 15)]),
        (48, 6, &[0, 0], 0, 7, &[(1, 63)]),
        (70, 4, &[], 0, 7, &[(3, 31)]),
        (120, 13, &[0; 5], 0, 7, &[(1, 63)]),
        (121, 13, &[0; 6], 0, 7, &[(1, 63)]),
        (122, 13, &[0; 3], 0, 4, &[(8, 10)]),
        (124, 13, &[0; 3], 0, 4, &[(0, 0), (5, 10)]),
        (123, 13, &[0; 3], 0, 8, &[(0, 0), (5, 127)]),
    ];
    for (type_id, cause, before, shift, bits, reserved) in CASES {
        let last = ((1_u16 << bits) - 1) as u8;
        for value in 0..=last {
            let state = u8::from(*shift > 0);
            let mut elements = [before, &[value << shift | state][..]].concat();
            if *type_id == 123 {
                elements.push(0);
            }
            let zero =
                matches!(type_id, 70 | 100..=105) || (*type_id == 113 && matches!(value, 1 | 2));
            let bytes = one(*type_id, *cause, 1, u8::from(!zero), &elements);
            let expected: Vec<_> = reserved
                .iter()
                .filter(|(first, last)| (*first..=*last).contains(&value))
                .map(|_| {
                    let offset = 15 + before.len() as i64;
                    anomaly("qualifier_reserved", "iec104.objects.qualifier", value.into(), offset)
                })
                .collect();
            assert_eq!(anomalies(&bytes), expected, "type {type_id}, {value}");
        }
    }
    let error = one(124, 13, 1, 0, &[0, 0, 0, 0x61]);
    let expected = anomaly("qualifier_reserved", "iec104.objects.file.error", 6, 18);
    assert_eq!(anomalies(&error), [expected]);
    let status =
        i_frame(&[&[126, 0x81, 5, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1][..], &TIME].concat());
    let expected = anomaly("qualifier_reserved", "iec104.objects.file.status", 1, 20);
    assert_eq!(anomalies(&status), [expected]);
    let told = lines(&error).pop().unwrap();
    assert!(told.contains("detail"), "which qualifier, as one octet can hold two: {told}");
}

#[test]
fn a_number_that_is_none_is_told_unless_the_station_says_so() {
    let (nan, infinite, minus) = ([0, 0, 0xC0, 0x7F], [0, 0, 0x80, 0x7F], [0, 0, 0x80, 0xFF]);
    for (number, name) in
        [(nan, "value_nan"), (infinite, "value_infinite"), (minus, "value_infinite")]
    {
        for (bytes, told) in [
            (one(13, 3, 1, 1, &[&number[..], &[0]].concat()), true),
            (one(13, 3, 1, 1, &[&number[..], &[0x80]].concat()), false),
            (one(13, 3, 1, 1, &[&number[..], &[0x71]].concat()), true),
            (one(36, 3, 1, 1, &[&number[..], &[0x80], &TIME].concat()), false),
            (one(50, 6, 1, 1, &[&number[..], &[0]].concat()), true),
            (one(50, 6, 1, 1, &[&number[..], &[0x80]].concat()), true),
            (one(112, 6, 1, 1, &[&number[..], &[1]].concat()), true),
        ] {
            let lines = lines(&bytes);
            let raised: Vec<&String> =
                lines.iter().filter(|line| line.starts_with("anomaly")).collect();
            assert_eq!(raised.len(), usize::from(told), "{bytes:02x?}: {raised:?}");
            let name = format!("{:?}", name.as_bytes());
            let name = name.trim_matches(['[', ']']);
            assert!(raised.iter().all(|line| line.contains(name) && line.contains("Single(")));
        }
    }
}

#[test]
fn what_comes_close_is_legal() {
    for bytes in [
        // A time that says itself that it is not valid: of a station whose clock was never set.
        one(30, 3, 1, 1, &timed(&[0], |time| *time = [0, 0, 0x80, 0, 0, 0, 0])),
        one(2, 3, 1, 1, &[0, 0xFF, 0xFF, 0xFF]),
        // GEN, SU, any day of the week.
        one(30, 3, 1, 1, &timed(&[0], |time| (time[2], time[3], time[4]) = (0x40, 0x80, 0xE1))),
        // The first and the last moment of the century.
        one(30, 3, 1, 1, &timed(&[0], |time| *time = [0, 0, 0, 0, 1, 1, 0])),
        one(30, 3, 1, 1, &timed(&[0], |time| *time = [0x5F, 0xEA, 59, 23, 31, 12, 99])),
        one(30, 3, 1, 1, &timed(&[0], |time| *time = [0, 0, 0, 0, 29, 2, 0])),
        // Each year that another IDS takes for one before 1970.
        one(103, 6, 1, 0, &timed(&[], |time| time[6] = 0)),
        one(103, 6, 1, 0, &timed(&[], |time| time[6] = 69)),
        // Parameters changed at the station, and out of operation.
        one(110, 7, 1, 1, &[0, 0, 0xC1]),
        // One object with SQ = 1.
        i_frame(&[1, 0x81, 20, 0, 1, 0, 1, 0, 0, 1]),
        // An empty segment, and a whole one.
        one(125, 13, 1, 0, &[1, 0, 1, 0]),
        one(125, 13, 1, 0, &[1, 0, 1, 3, 9, 9, 9]),
        // The least and the greatest number, and a negative zero.
        one(13, 3, 1, 1, &[0, 0, 0, 0x80, 0]),
        one(13, 3, 1, 1, &[0xFF, 0xFF, 0x7F, 0x7F, 0]),
        one(13, 3, 1, 1, &[1, 0, 0, 0, 0]),
        // The highest and the lowest step, and a transient one.
        one(5, 3, 1, 1, &[0xBF, 0]),
        one(5, 3, 1, 1, &[0x40, 0]),
    ] {
        assert_eq!(anomalies(&bytes), [], "{bytes:02x?}");
    }
}

/// Each name once, at its first place.
#[test]
fn a_hostile_apdu_raises_each_name_once() {
    let object = [&[1, 0, 0][..], &[0, 0, 0xC0, 0x7F, 0x0E], &[0xFF; 3]].concat();
    let objects = object.repeat(20);
    let bytes = i_frame(&[&[14, 20, 3, 0, 1, 0][..], &objects].concat());
    let told = lines(&bytes);
    let count = told.iter().filter(|line| line.starts_with("anomaly")).count();
    assert_eq!(count, 2, "{told:?}"); // the time says that it is not valid
}

#[test]
fn octets_without_a_meaning_are_told_as_they_came() {
    let told = |bytes: &[u8]| lines(bytes).join("\n");
    let private = told(&i_frame(&[200, 1, 3, 0, 10, 0, 1, 2, 3]));
    assert!(private.contains(" .iec104.private=Octets([1, 2, 3])"), "{private}");
    let segment = told(&one(125, 13, 1, 0, &[1, 0, 1, 2, 0xAB, 0xCD]));
    assert!(segment.contains(" iec104.objects.file.data=Octets([171, 205])"), "{segment}");
    let challenge = told(&i_frame(&[81, 1, 14, 0, 1, 0, 0xC0, 1, 0, 0, 0, 2, 0, 4, 1, 1, 0, 9]));
    for part in [
        " .iec104.security.first=Boolean(true) .iec104.security.last=Boolean(true)",
        " .iec104.security.segment=Integer(0) .iec104.security.sequence=Integer(1)",
        " .iec104.security.user=Integer(2) .iec104.security.mac_algorithm=Integer(4)",
        " .iec104.security.reason=Integer(1) .iec104.security.data=Octets([1, 0, 9])",
    ] {
        assert!(challenge.contains(part), "{part}\nin {challenge}");
    }
}

#[test]
fn a_time_that_is_none_is_told_in_parts() {
    let told = lines(&one(103, 6, 1, 0, &timed(&[], |time| time[5] = 13))).join("\n");
    for part in
        ["millisecond=Integer(0)", "day=Integer(1)", "month=Integer(13)", "year=Integer(26)"]
    {
        assert!(told.contains(&format!(" iec104.objects.time_tag.{part}")), "{part} in {told}");
    }
    assert!(!told.contains("objects.time="), "{told}");
    let told = lines(&one(103, 6, 1, 0, &TIME)).join("\n");
    assert!(told.contains("objects.time=") && !told.contains("time_tag.month"), "{told}");
}
