//! Which end of a link may say what (IEC 60870-5-101, 7.2.3 and clause 8). Who controls is for the
//! link to know: these are pure questions.

use super::super::asdu::Asdu;
use super::super::cause;
use super::super::types::Purpose;

/// What only reports the process: types 1 to 41 and 70.
const fn reports(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Process | Purpose::Station)
}

/// What only the controlling station asks for: types 45 to 64, 100 to 107 and 110 to 113.
const fn asks(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Command | Purpose::System | Purpose::Parameter)
}

/// Whether the wrong end sends this type: a report from the controlling station, an activation or
/// deactivation from the controlled one.
#[inline]
pub(in super::super) fn direction(asdu: &Asdu<'_>, sender_is_controlling: bool) -> bool {
    let Some(known) = asdu.known else { return false };
    if sender_is_controlling {
        return reports(known.purpose);
    }
    asks(known.purpose) && matches!(asdu.cause, cause::ACTIVATION | cause::DEACTIVATION)
}

/// Whether the type may go this way, and may have this cause, but not this cause this way: a
/// confirmation from the controlling station, a request from the controlled one.
#[inline]
pub(in super::super) fn cause_from(asdu: &Asdu<'_>, sender_is_controlling: bool) -> bool {
    let Some(known) = asdu.known else { return false };
    if !asks(known.purpose) || !known.causes.contains(asdu.cause) {
        return false;
    }
    match asdu.cause {
        cause::ACTIVATION | cause::DEACTIVATION => false,
        // A read.
        cause::REQUEST => !sender_is_controlling,
        // Type 106 loads a delay; type 103 tells the hour.
        cause::SPONTANEOUS => sender_is_controlling != (asdu.type_id == 106),
        _ => sender_is_controlling,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::iec104::asdu::Widths;
    use crate::protocol::iec104::types;

    /// The causes with which `question` holds for a type, from this end.
    fn causes(question: fn(&Asdu<'_>, bool) -> bool, type_id: u8, controlling: bool) -> Vec<u8> {
        let holds = |cause: &u8| {
            let octets = [type_id, 1, *cause, 0, 1, 0];
            question(&Asdu::parse(&octets, Widths::STANDARD).unwrap(), controlling)
        };
        (0..64).filter(holds).collect()
    }

    #[test]
    fn who_controls_asks_and_who_is_controlled_reports() {
        let all: Vec<u8> = (0..64).collect();
        for found in types::TYPES {
            let controlling = causes(direction, found.id, true);
            let controlled = causes(direction, found.id, false);
            let (expected_up, expected_down): (&[u8], &[u8]) = match found.id {
                1..=41 | 70 => (&all, &[]),
                45..=64 | 100..=107 | 110..=113 => (&[], &[6, 8]),
                _ => (&[], &[]),
            };
            assert_eq!(
                (&controlling[..], &controlled[..]),
                (expected_up, expected_down),
                "{}",
                found.name
            );
        }
        assert!(causes(direction, 200, true).is_empty());
        assert!(causes(direction, 0, false).is_empty());
    }

    #[test]
    fn a_cause_may_go_one_way_only() {
        let confirmed = [7, 9, 10, 44, 45, 46, 47];
        assert_eq!(causes(cause_from, 45, true), confirmed);
        assert!(causes(cause_from, 45, false).is_empty());
        assert_eq!(causes(cause_from, 102, true), [44, 45, 46, 47]);
        assert_eq!(causes(cause_from, 102, false), [5]);
        assert_eq!(causes(cause_from, 103, true), [3, 7, 44, 45, 46, 47]);
        assert!(causes(cause_from, 103, false).is_empty(), "the hour, confirmations");
        assert_eq!(causes(cause_from, 106, true), [7, 44, 45, 46, 47]);
        assert_eq!(causes(cause_from, 106, false), [3]);
        let parameters: Vec<u8> = [7].into_iter().chain(20..=36).chain(44..=47).collect();
        assert_eq!(causes(cause_from, 110, true), parameters);
        assert!(causes(cause_from, 110, false).is_empty());
        for type_id in [1, 41, 70, 81, 120, 126, 200] {
            assert!(causes(cause_from, type_id, true).is_empty(), "{type_id}");
            assert!(causes(cause_from, type_id, false).is_empty(), "{type_id}");
        }
    }

    #[test]
    fn no_asdu_is_wrong_in_both_ways() {
        for found in types::TYPES {
            for controlling in [false, true] {
                let wrong = causes(direction, found.id, controlling);
                let also = causes(cause_from, found.id, controlling);
                assert!(also.iter().all(|cause| !wrong.contains(cause)), "{}", found.name);
            }
        }
    }
}
