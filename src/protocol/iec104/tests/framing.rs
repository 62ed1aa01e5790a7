//! What is legal, and each violation of framing and header.

use super::*;

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
