//! Which widths a station uses, from what it sends.
//!
//! IEC 60870-5-104 fixes them, but stations with those of an older IEC 60870-5-101 profile exist.
//! Under other widths than a station's own its ASDUs do not fit together: the objects do not fill
//! them, or the cause is reserved. An ASDU rarely fits by chance, several ASDUs of different
//! lengths in a row do not.

use super::asdu::{Asdu, Widths};
use super::check;

/// So many ASDUs in a row must fit before widths are believed.
const CONVINCING: u8 = 4;

/// All combinations, those of IEC 60870-5-104 first.
pub const ALL: [Widths; 12] = all();

const fn all() -> [Widths; 12] {
    let mut all = [Widths::STANDARD; 12];
    let mut index = 0;
    while index < 12 {
        // From the widest down.
        all[index] = Widths {
            cause: 2 - index as u8 / 6,
            common_address: 2 - index as u8 / 3 % 2,
            object_address: 3 - index as u8 % 3,
        };
        index += 1;
    }
    all
}

/// What the ASDUs of one direction, or of one station, have said so far about their widths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// One bit for each of [`ALL`] under which every ASDU was convincing.
    fit: u16,
    /// How many ASDUs there were, up to [`CONVINCING`].
    seen: u8,
    /// How many of them could not be ASDUs of the standard widths, up to [`CONVINCING`].
    refuted: u8,
}

impl Default for Evidence {
    fn default() -> Self {
        Self { fit: (1 << ALL.len()) - 1, seen: 0, refuted: 0 }
    }
}

impl Evidence {
    /// Takes the octets of the ASDU of an APDU in format I.
    ///
    /// An ASDU that fits under none of the widths that fitted those before is damage, or shows
    /// that they were wrong: everything begins anew. One that could be private or of security,
    /// whose objects have no known length, says nothing.
    pub fn note(&mut self, octets: &[u8]) {
        if octets.first().is_none_or(|type_id| !tells(*type_id)) {
            return;
        }
        let fits = |widths: &Widths| {
            Asdu::parse(octets, *widths)
                .is_ok_and(|asdu| check::is_convincing(&asdu, asdu.body.len()))
        };
        let mut fit = 0;
        for (index, _) in ALL.iter().enumerate().filter(|(_, widths)| fits(widths)) {
            fit |= 1 << index;
        }
        if self.fit & fit == 0 {
            *self = Self::default();
            return;
        }
        self.fit &= fit;
        self.seen = (self.seen + 1).min(CONVINCING);
        if fit & 1 == 0 {
            self.refuted = (self.refuted + 1).min(CONVINCING);
        }
    }

    /// The widths, once nothing else can be: several ASDUs in a row fitted under one combination
    /// alone, and where that is not the standard's, each of as many could not be of the standard's.
    pub fn widths(&self) -> Option<Widths> {
        if self.seen < CONVINCING || !self.fit.is_power_of_two() {
            return None;
        }
        let found = ALL.get(self.fit.trailing_zeros() as usize).copied()?;
        (found == Widths::STANDARD || self.refuted >= CONVINCING).then_some(found)
    }
}

/// Whether the length of this type's objects is known.
fn tells(type_id: u8) -> bool {
    super::types::by_id(type_id).is_some_and(|known| known.octets.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ASDU of one object: type, cause, station, elements; the address is 0x0102 or what of it
    /// fits.
    fn asdu(widths: Widths, type_id: u8, cause: u8, elements: &[u8]) -> Vec<u8> {
        let mut octets = vec![type_id, 1, cause];
        octets.extend(vec![0; usize::from(widths.cause) - 1]);
        octets.extend(&[1, 0][..widths.common_address.into()]);
        octets.extend(&[2, 1, 0][..widths.object_address.into()]);
        octets.extend(elements);
        octets
    }

    /// What a station says when it starts to talk.
    fn talk(widths: Widths) -> [Vec<u8>; 5] {
        [
            asdu(widths, 1, 20, &[1]),
            asdu(widths, 13, 3, &[0, 0, 0x80, 0x3F, 0]),
            asdu(widths, 30, 3, &[1, 0, 0, 0, 0, 1, 1, 26]),
            asdu(widths, 9, 1, &[0, 0x40, 0]),
            asdu(widths, 3, 3, &[2]),
        ]
    }

    #[test]
    fn all_combinations_are_there_and_the_standard_is_the_first() {
        assert_eq!(ALL[0], Widths::STANDARD);
        for (index, widths) in ALL.iter().enumerate() {
            assert!(!ALL[..index].contains(widths));
            assert!((1..=2).contains(&widths.cause) && (1..=2).contains(&widths.common_address));
            assert!((1..=3).contains(&widths.object_address));
        }
    }

    #[test]
    fn a_station_with_standard_widths_is_never_taken_for_another() {
        let mut evidence = Evidence::default();
        for _ in 0..10 {
            for octets in talk(Widths::STANDARD) {
                evidence.note(&octets);
                assert!(evidence.widths().is_none_or(|widths| widths == Widths::STANDARD));
            }
        }
    }

    /// One object fills an ASDU of the same length under widths of the same sum. Several objects,
    /// each with its address, tell how wide that is; then cause and common address are left.
    #[test]
    fn widths_of_another_sum_are_found() {
        for widths in ALL {
            let mut evidence = Evidence::default();
            for round in 0..10_u8 {
                for mut octets in talk(widths) {
                    let object = octets.split_off(
                        1 + 1 + usize::from(widths.cause) + usize::from(widths.common_address),
                    );
                    // Several objects, from the second round on.
                    octets[1] = 1 + round % 3;
                    for _ in 0..octets[1] {
                        octets.extend(&object);
                    }
                    evidence.note(&octets);
                }
            }
            let found = evidence.widths();
            assert!(found.is_none_or(|found| found == widths), "{widths:?}: {found:?}");
            let rival = |other: &Widths| {
                other.object_address == widths.object_address && other.header() == widths.header()
            };
            let rivals = ALL.iter().filter(|other| rival(other)).count();
            assert!(found.is_some() || rivals > 1, "{widths:?} of {rivals}: {evidence:?}");
        }
    }

    #[test]
    fn damage_begins_anew_and_what_tells_nothing_changes_nothing() {
        let narrow = Widths { cause: 1, common_address: 1, object_address: 2 };
        let mut evidence = Evidence::default();
        for octets in talk(narrow) {
            evidence.note(&octets);
        }
        let before = evidence;
        for octets in [&[][..], &[0; 20], &[200, 1, 3, 0, 1, 0], &[81, 1, 14, 0, 1, 0, 0xC0]] {
            evidence.note(octets);
            assert_eq!(evidence, before);
        }
        evidence.note(&[1, 1]);
        assert_eq!(evidence, Evidence::default());
    }

    #[test]
    fn its_state_is_tiny() {
        assert_eq!(size_of::<Evidence>(), 4);
    }
}
