//! APDUs one behind the other: however they are cut, damaged or lost.

use super::*;

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
