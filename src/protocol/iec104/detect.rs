//! Recognising APDUs among any octets, and stations by what they say.

use super::apci::{self, APCI, Control, Function, LENGTHS, PREFIX};
use super::asdu::{Asdu, Widths};
use super::cause;
use super::check;
use super::sync::plausible_apci;
use super::types::Purpose;
use crate::protocol::{Likeness, Role};

/// Evidence of an APDU in format U: six octets, of which one has six values and the others one.
const U_FORMAT: u32 = 44;
/// In format S: only the number in the last two is free.
const S_FORMAT: u32 = 32;
/// In format I, where type, cause, number of objects and length fit together.
const I_FORMAT: u32 = 24;
/// In format I, where they could, but do not.
const I_ODD: u32 = 14;
/// In format I, where no ASDU can say what it says.
const I_IMPOSSIBLE: u32 = 8;
/// The length of the formats S and U, but not their control field.
const SHORT: u32 = 14;

/// The APCI and the header of an ASDU.
pub(super) const TRIED: usize = APCI + Widths::STANDARD.header();

/// Whether the first two octets may be those of an APDU.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    match *bytes {
        [start, length, ..] => start == apci::START && LENGTHS.contains(&length),
        _ => true,
    }
}

/// Looks for an APDU.
pub(super) fn recognise(bytes: &[u8]) -> Likeness {
    let (control, length) = match plausible_apci(bytes) {
        Ok(Some(found)) => found,
        Ok(None) => return damaged(bytes),
        Err(wanted) => return Likeness::More(wanted),
    };
    let length = PREFIX + length;
    let message = |evidence, sender| Likeness::Message { length, evidence, sender };
    match control {
        Control::U(_) => message(U_FORMAT, role(control, None)),
        Control::S { .. } => message(S_FORMAT, None),
        Control::I { .. } => i_format(bytes, length),
    }
}

fn i_format(bytes: &[u8], length: usize) -> Likeness {
    let widths = Widths::STANDARD;
    let header = APCI + widths.header();
    if length < header {
        return Likeness::Flawed { length, evidence: I_IMPOSSIBLE };
    }
    let asdu = bytes.get(APCI..).and_then(|octets| Asdu::parse(octets, widths).ok());
    let Some(asdu) = asdu else { return Likeness::More(header) };
    if check::is_convincing(&asdu, length - header) {
        return Likeness::Message { length, evidence: I_FORMAT, sender: sender(&asdu) };
    }
    let evidence = if check::is_impossible(&asdu) { I_IMPOSSIBLE } else { I_ODD };
    Likeness::Flawed { length, evidence }
}

/// What has a start octet and a length, but no control field.
fn damaged(bytes: &[u8]) -> Likeness {
    match *bytes {
        [apci::START, length, _, _, _, _, ..] if LENGTHS.contains(&length) => {
            let evidence = if length == *LENGTHS.start() { SHORT } else { 0 };
            Likeness::Flawed { length: PREFIX + usize::from(length), evidence }
        }
        _ => Likeness::No,
    }
}

/// Which station sends such an APDU; `None` where both may.
pub(super) fn role(control: Control, asdu: Option<&Asdu<'_>>) -> Option<Role> {
    match control {
        Control::U(Some(Function::StartDtAct | Function::StopDtAct)) => Some(Role::Client),
        Control::U(Some(Function::StartDtCon | Function::StopDtCon)) => Some(Role::Server),
        Control::U(_) | Control::S { .. } => None,
        Control::I { .. } => asdu.and_then(sender),
    }
}

/// IEC 60870-5-101, 7.2.3: monitor direction reports and confirms, control direction asks.
pub(super) fn sender(asdu: &Asdu<'_>) -> Option<Role> {
    match asdu.known?.purpose {
        Purpose::Process | Purpose::Station => Some(Role::Server),
        Purpose::File | Purpose::Security => None,
        Purpose::Command | Purpose::System | Purpose::Parameter => match asdu.cause {
            cause::REQUEST | cause::ACTIVATION | cause::DEACTIVATION => Some(Role::Client),
            // The time of a clock comes from the controlled station, the load of a transmission
            // delay goes to it.
            cause::SPONTANEOUS => None,
            _ => Some(Role::Server),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn i_frame(asdu: &[u8]) -> Vec<u8> {
        [&[0x68, 4 + asdu.len() as u8, 0, 0, 0, 0][..], asdu].concat()
    }

    fn message(octets: &[u8], evidence: u32, sender: Option<Role>) {
        let expected = Likeness::Message { length: octets.len(), evidence, sender };
        assert_eq!(recognise(octets), expected, "{octets:02x?}");
    }

    #[test]
    fn who_speaks_is_told_by_what_is_said() {
        let (client, server) = (Some(Role::Client), Some(Role::Server));
        for (function, sender) in [
            (0x07, client),
            (0x0B, server),
            (0x13, client),
            (0x23, server),
            (0x43, None),
            (0x83, None),
        ] {
            message(&[0x68, 4, function, 0, 0, 0], U_FORMAT, sender);
        }
        message(&[0x68, 4, 1, 0, 2, 0], S_FORMAT, None);
        message(&i_frame(&[1, 1, 3, 0, 1, 0, 1, 0, 0, 1]), I_FORMAT, server);
        message(&i_frame(&[70, 1, 4, 0, 1, 0, 0, 0, 0, 0]), I_FORMAT, server);
        for (cause, sender) in [(6, client), (7, server), (8, client), (10, server), (46, server)] {
            message(&i_frame(&[100, 1, cause, 0, 1, 0, 0, 0, 0, 20]), I_FORMAT, sender);
        }
        message(&i_frame(&[122, 1, 13, 0, 1, 0, 0, 0, 0, 1, 0, 0, 6]), I_FORMAT, None);
    }

    #[test]
    fn what_is_wrong_with_an_apdu_makes_it_no_proof() {
        for (octets, evidence) in [
            (&[0x68, 4, 0x0F, 0, 0, 0][..], SHORT),
            (&[0x68, 4, 1, 0, 1, 0], SHORT),
            (&[0x68, 8, 0x43, 0, 0, 0, 0, 0, 0, 0], 0),
            (&i_frame(&[1, 1]), I_IMPOSSIBLE),
            (&i_frame(&[0, 1, 3, 0, 1, 0, 1, 0, 0, 1]), I_IMPOSSIBLE),
            (&i_frame(&[1, 2, 3, 0, 1, 0, 1, 0, 0, 1]), I_ODD),
        ] {
            assert_eq!(recognise(octets), Likeness::Flawed { length: octets.len(), evidence });
        }
    }

    #[test]
    fn few_octets_leave_it_open() {
        let frame = i_frame(&[1, 1, 3, 0, 1, 0, 1, 0, 0, 1]);
        for length in 0..12 {
            assert!(matches!(recognise(&frame[..length]), Likeness::More(_)), "{length}");
        }
    }

    #[test]
    fn other_protocols_are_not_mistaken_for_it() {
        for other in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"what is this",
            b"SSH-2.0-OpenSSH_9.2",
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"\x10\x68\x00\x04MQTT\x04\x02\x00\x3c", // CONNECT of 104 octets
            b"\x30\x68\x00\x05abcde",                // PUBLISH of 104 octets
        ] {
            assert_eq!(recognise(other), Likeness::No, "{}", other.escape_ascii());
        }
        for text in [
            &b"hello world, how are you today?"[..],
            b"host: example.org\r\n",
            b"http/1.1 200 OK",
            b"help\r\n\r\n and more",
            b"hhhhhhhhhhhhhhhh",
        ] {
            let likeness = recognise(text);
            assert!(!matches!(likeness, Likeness::Message { .. }), "{}", text.escape_ascii());
        }
    }
}
