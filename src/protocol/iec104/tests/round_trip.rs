//! What is built from the type table is read back, and is no violation, under all widths.

use proptest::prelude::*;

use super::super::apci::Apdu;
use super::super::asdu::Widths;
use super::super::check;
use super::super::record::ObjectRecord;
use super::super::types::{self, Type};
use super::super::widths;
use super::generator::{Dice, Legal, Wish, build, is_built, most};
use super::{Lines, anomaly, of_anomalies};
use crate::event::{Record, Records};

fn causes(known: &Type) -> Vec<u8> {
    (0..64).filter(|cause| known.causes.contains(*cause)).collect()
}

fn types() -> impl Iterator<Item = &'static Type> {
    types::TYPES.iter().filter(|known| is_built(known))
}

/// Every structure that a type may have.
fn structures(known: &Type) -> impl Iterator<Item = bool> {
    [false, true].into_iter().filter(|sequence| known.structure.allows_sequence(*sequence))
}

/// Names of values are tested where their tables are.
const NAMES: [&str; 3] = ["qualifier_name", "freeze_name", "file.error_name"];

fn fields(record: &dyn Record) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    record.present(&mut |index, value| {
        let name = record.schema().fields[index].name;
        if !NAMES.contains(&name) {
            fields.push((name, format!("{value:?}")));
        }
    });
    fields
}

fn anomalies(octets: &[u8], widths: Widths) -> Vec<(String, String, i64, i64)> {
    let mut out = Lines::default();
    check::apdu(&Apdu::parse(octets, widths).unwrap(), &mut out);
    of_anomalies(&out.lines)
}

fn assert_read_back(wish: Wish, legal: &Legal) {
    let apdu = Apdu::parse(&legal.apdu, wish.widths).unwrap();
    let header = fields(&apdu);
    for expected in &legal.header {
        assert!(header.contains(expected), "{expected:?} of {wish:?} in {header:?}");
    }
    let mut objects = Vec::new();
    apdu.each(0, &mut |object| {
        let mut told = fields(object);
        told.sort();
        objects.push(told);
    });
    assert_eq!(objects, legal.objects, "{wish:?}");
    assert_eq!(anomalies(&legal.apdu, wish.widths), [], "{wish:?}: {:02x?}", legal.apdu);
}

#[test]
fn every_type_structure_and_cause_is_read_back() {
    let mut dice = Dice(1);
    for widths in widths::ALL {
        for known in types() {
            for sequence in structures(known) {
                for cause in causes(known) {
                    let wish = Wish { known, widths, sequence, count: 1, cause };
                    assert_read_back(wish, &build(wish, &mut dice));
                }
            }
        }
    }
}

#[test]
fn every_number_of_objects_is_read_back() {
    let mut dice = Dice(2);
    for widths in widths::ALL {
        for known in types() {
            let causes = causes(known);
            for sequence in structures(known) {
                for count in 1..=most(known, widths, sequence) {
                    let cause = causes[usize::from(count) % causes.len()];
                    let wish = Wish { known, widths, sequence, count, cause };
                    assert_read_back(wish, &build(wish, &mut dice));
                }
            }
        }
    }
}

#[test]
fn one_reserved_bit_is_exactly_one_anomaly() {
    let mut dice = Dice(3);
    for widths in widths::ALL {
        for known in types() {
            let cause = causes(known)[0];
            for sequence in structures(known) {
                for count in [1, most(known, widths, sequence).min(3)] {
                    let wish = Wish { known, widths, sequence, count, cause };
                    let legal = build(wish, &mut dice);
                    for (offset, mask) in legal.reserved.iter().enumerate() {
                        for bit in (0..8).map(|bit| 1 << bit).filter(|bit| mask & bit != 0) {
                            let mut changed = legal.apdu.clone();
                            changed[offset] |= bit;
                            let told = anomalies(&changed, widths);
                            let [(event, field, value, at)] = &told[..] else {
                                panic!("{wish:?}, bit {bit} of octet {offset}: {told:?}");
                            };
                            assert_eq!(event, "reserved_bits");
                            assert!(known.elements.iter().any(|element| element.name() == field));
                            assert_eq!((*value, *at), (changed[offset].into(), offset as i64));
                        }
                    }
                }
            }
        }
    }
    let wish = Wish {
        known: types::by_id(1).unwrap(),
        widths: Widths::STANDARD,
        sequence: true,
        count: 127,
        cause: 3,
    };
    let mut legal = build(wish, &mut dice);
    for octet in &mut legal.apdu[15..] {
        *octet |= 4;
    }
    let expected = anomaly("reserved_bits", "SIQ", legal.apdu[15].into(), 15);
    assert_eq!(anomalies(&legal.apdu, wish.widths), [expected], "the first of 127");
}

/// The reserved bit of format I, and nothing else, is one anomaly, too.
#[test]
fn the_reserved_bit_of_the_control_field_is_exactly_one_anomaly() {
    let mut dice = Dice(4);
    for known in types() {
        for sequence in structures(known) {
            let cause = causes(known)[0];
            let wish = Wish { known, widths: Widths::STANDARD, sequence, count: 1, cause };
            let mut legal = build(wish, &mut dice);
            legal.apdu[4] |= 1;
            let expected = anomaly("i_reserved", "control", legal.apdu[4].into(), 4);
            assert_eq!(anomalies(&legal.apdu, wish.widths), [expected]);
        }
    }
}

/// Everything that is done with an APDU.
fn read(octets: &[u8], widths: Widths, out: &mut Lines) {
    let Some(apdu) = Apdu::parse(octets, widths) else { return };
    out.lines.clear();
    out.emit(&apdu);
    if let Some(asdu) = &apdu.asdu {
        for object in asdu.objects() {
            out.emit(&ObjectRecord { apdu: &apdu, object });
        }
    }
    check::apdu(&apdu, out);
}

#[test]
fn every_prefix_and_every_change_of_an_octet_is_read_without_panic() {
    let (mut dice, mut out) = (Dice(5), Lines::default());
    for (index, widths) in widths::ALL.into_iter().enumerate() {
        for known in types() {
            for sequence in structures(known) {
                let cause = causes(known)[0];
                let wish = Wish { known, widths, sequence, count: 1, cause };
                let legal = build(wish, &mut dice).apdu;
                for length in 0..legal.len() {
                    read(&legal[..length], widths, &mut out);
                }
                let mut changed = legal.clone();
                for at in 2..legal.len().min(40) {
                    // All values under the standard's widths, all single bits under others.
                    for value in 0..=255_u8 {
                        if index == 0 || (value ^ legal[at]).is_power_of_two() {
                            changed[at] = value;
                            read(&changed, widths, &mut out);
                        }
                    }
                    changed[at] = legal[at];
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_legal_apdu_is_read_back(seed: u64, of: prop::sample::Index, widths: prop::sample::Index) {
        let (mut dice, widths) = (Dice(seed), widths::ALL[widths.index(widths::ALL.len())]);
        let all: Vec<&Type> = types().collect();
        let known = all[of.index(all.len())];
        for sequence in structures(known) {
            let causes = causes(known);
            let cause = causes[dice.roll(causes.len() as u32) as usize];
            let count = 1 + dice.roll(most(known, widths, sequence).into()) as u8;
            let wish = Wish { known, widths, sequence, count, cause };
            assert_read_back(wish, &build(wish, &mut dice));
        }
    }

    #[test]
    fn any_octets_of_a_security_type_are_octets(
        seed: u64, body in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let mut dice = Dice(seed);
        let security: Vec<&Type> = types::TYPES.iter().filter(|known| !is_built(known)).collect();
        let known = security[dice.roll(security.len() as u32) as usize];
        let header = [known.id, 1, 14 + dice.roll(3) as u8, 0, 1, 0];
        let apdu = [&[0x68, 10 + body.len() as u8, 0, 0, 0, 0][..], &header, &body].concat();
        prop_assert_eq!(anomalies(&apdu, Widths::STANDARD), []);
        read(&apdu, Widths::STANDARD, &mut Lines::default());
    }
}
