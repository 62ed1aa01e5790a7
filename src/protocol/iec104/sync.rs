//! Finding the next APDU where it is not known to begin: in a flow that was joined, after a hole
//! in the stream, after damage.
//!
//! Every decision follows from the octets themselves and never from how many of them happen to be
//! there: a question that they cannot answer yet is left open. So a stream gives the same APDUs
//! however it is cut into segments.

use super::apci::{self, APCI, Control, LENGTHS, PREFIX, START};
use super::asdu::{Asdu, Widths};
use super::check;

/// The most octets that a decision takes: the longest APDU and the APCI of the next.
pub(super) const LOOK_AHEAD: usize = PREFIX + *LENGTHS.end() as usize + APCI;

/// Whether an APDU begins here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// No.
    No,
    /// It cannot be told before so many octets are there in all: neither more nor fewer, or the
    /// answer would hang on how they came.
    Need(usize),
    /// Yes: its control field, and in format I its header.
    Yes(Control, Option<Asdu<'a>>),
}

/// Judges whether `bytes` begin with an APDU. Its control field must be clean; what format I
/// carries must either fit together down to the last octet, or be followed by another APDU.
pub(super) fn judge(bytes: &[u8], widths: Widths) -> Verdict<'_> {
    let (control, length) = match plausible_apci(bytes) {
        Ok(Some(found)) => found,
        Ok(None) => return Verdict::No,
        Err(wanted) => return Verdict::Need(wanted),
    };
    if !matches!(control, Control::I { .. }) {
        return Verdict::Yes(control, None);
    }
    let header = APCI + widths.header();
    let whole = PREFIX + length;
    if whole < header {
        return Verdict::No;
    }
    let asdu = bytes.get(APCI..).and_then(|octets| Asdu::parse(octets, widths).ok());
    let Some(asdu) = asdu else { return Verdict::Need(header) };
    if check::is_impossible(&asdu) {
        return Verdict::No;
    }
    if check::is_convincing(&asdu, whole - header) {
        return Verdict::Yes(control, Some(asdu));
    }
    match plausible_apci(bytes.get(whole..).unwrap_or_default()) {
        Ok(Some(_)) => Verdict::Yes(control, Some(asdu)),
        Ok(None) => Verdict::No,
        Err(wanted) => Verdict::Need(whole + wanted),
    }
}

/// Start, length and a control field without reserved bits; or with how many octets it can first
/// be told.
pub(super) fn plausible_apci(bytes: &[u8]) -> Result<Option<(Control, usize)>, usize> {
    match *bytes {
        [] => return Err(1),
        [start, ..] if start != START => return Ok(None),
        [_] => return Err(PREFIX),
        [_, length, ..] if !LENGTHS.contains(&length) => return Ok(None),
        _ => {}
    }
    let Some(&[_, length, c1, c2, c3, c4]) = bytes.first_chunk::<APCI>() else {
        return Err(APCI);
    };
    let octets = [c1, c2, c3, c4];
    let control = Control::from_octets(octets);
    let fixed = !matches!(control, Control::I { .. });
    if apci::reserved_octet(octets).is_some()
        || control == Control::U(None)
        || fixed && length != *LENGTHS.start()
    {
        return Ok(None);
    }
    Ok(Some((control, length.into())))
}

/// Where the search for an APDU stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// One begins after so many octets.
    At(usize),
    /// None begins in so many octets; from there on, that many octets are wanted to tell more.
    Need(usize, usize),
}

/// Searches for the next APDU.
pub(super) fn find(bytes: &[u8], widths: Widths) -> Found {
    let mut skipped = 0;
    while let Some(rest) = bytes.get(skipped..) {
        let Some(start) = memchr::memchr(START, rest) else { break };
        skipped += start;
        match judge(rest.get(start..).unwrap_or_default(), widths) {
            Verdict::Yes(..) => return Found::At(skipped),
            Verdict::Need(wanted) => return Found::Need(skipped, wanted),
            Verdict::No => skipped += 1,
        }
    }
    Found::Need(bytes.len(), 0)
}

/// Searches for an APDU in the last octets of a stream: with nothing behind it that could speak
/// against it, one need not be convincing, but whole.
pub(super) fn find_last(bytes: &[u8], widths: Widths) -> Option<usize> {
    memchr::memchr_iter(START, bytes).find(|at| {
        let rest = bytes.get(*at..).unwrap_or_default();
        match judge(rest, widths) {
            Verdict::Yes(..) => true,
            Verdict::No => false,
            Verdict::Need(_) => apci::frame(rest).is_ok(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTFR: [u8; 6] = [0x68, 4, 0x43, 0, 0, 0];
    /// M_SP_NA_1, spontaneous, one object.
    const POINT: [u8; 16] = [0x68, 14, 2, 0, 4, 0, 1, 1, 3, 0, 10, 0, 7, 0, 0, 1];

    fn accepted(bytes: &[u8]) -> bool {
        matches!(judge(bytes, Widths::STANDARD), Verdict::Yes(..))
    }

    #[test]
    fn a_verdict_never_changes_when_more_octets_come() {
        let mut damaged = POINT;
        damaged[2] = 5; // neither S nor I
        for bytes in [&TESTFR[..], &POINT, &damaged, b"hello, this is text of some length"] {
            let mut settled = None;
            let mut open_until = 0;
            for length in 0..=bytes.len() {
                let verdict = judge(&bytes[..length], Widths::STANDARD);
                assert!(length >= open_until || verdict == Verdict::Need(open_until), "{length}");
                match (settled, verdict) {
                    (None, Verdict::Need(wanted)) => {
                        assert!(wanted > length);
                        open_until = wanted;
                    }
                    (None, Verdict::No) => settled = Some(false),
                    (None, Verdict::Yes(..)) => settled = Some(true),
                    (Some(yes), Verdict::Yes(..)) => assert!(yes),
                    (Some(yes), Verdict::No) => assert!(!yes),
                    (Some(_), Verdict::Need(_)) => panic!("settled, then open again"),
                }
            }
            assert!(settled.is_some());
        }
    }

    #[test]
    fn an_asdu_that_fits_needs_no_neighbour() {
        assert!(accepted(&POINT[..12]), "the header is enough");
    }

    #[test]
    fn an_asdu_that_does_not_fit_needs_one() {
        let mut odd = POINT.to_vec();
        odd[7] = 2; // two objects, of which one is there
        assert_eq!(judge(&odd, Widths::STANDARD), Verdict::Need(16 + 1));
        assert!(accepted(&[&odd[..], &TESTFR].concat()));
        assert!(!accepted(&[&odd[..], &[0x67]].concat()));
    }

    #[test]
    fn what_no_asdu_can_say_is_refused() {
        for (index, octet) in [(6, 0), (7, 0), (8, 0), (8, 17), (1, 5), (1, 254), (4, 1)] {
            let mut octets = POINT;
            octets[index] = octet;
            assert_eq!(judge(&octets, Widths::STANDARD), Verdict::No, "octet {index}");
        }
    }

    #[test]
    fn at_the_end_nothing_speaks_against_an_asdu_that_does_not_fit() {
        let mut odd = POINT;
        odd[7] = 2;
        assert_eq!(find_last(&odd, Widths::STANDARD), Some(0));
        assert_eq!(
            find_last(&[&[0x68, 0x68], &odd[..], &[0x68]].concat(), Widths::STANDARD),
            Some(2)
        );
        for length in 0..odd.len() {
            assert_eq!(find_last(&odd[..length], Widths::STANDARD), None, "{length}");
        }
        odd[8] = 0; // an impossible cause
        assert_eq!(find_last(&odd, Widths::STANDARD), None);
    }

    #[test]
    fn the_search_stops_at_the_first_that_is_open() {
        let bytes = [&[0x68, 3, 0][..], &TESTFR].concat();
        assert_eq!(find(&bytes, Widths::STANDARD), Found::At(3));
        assert_eq!(find(&bytes[..8], Widths::STANDARD), Found::Need(3, APCI));
        assert_eq!(find(&bytes[..3], Widths::STANDARD), Found::Need(3, 0));
        assert_eq!(find(&[], Widths::STANDARD), Found::Need(0, 0));
    }
}
