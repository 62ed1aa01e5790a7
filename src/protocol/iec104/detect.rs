//! Recognising the protocol by its first octets, and its stations by what they say.

use super::apci::{Control, Function};
use super::asdu::{Asdu, Widths};
use super::cause;
use super::sync::{Verdict, judge};
use super::types::Purpose;
use crate::protocol::{Detection, Role};

/// Looks for an APDU at the start of a direction. One octet may stand before it: a flow joined at
/// a TCP keep-alive shows the last octet of what went before.
pub(super) fn detect(bytes: &[u8]) -> Detection {
    match judge(bytes, Widths::STANDARD) {
        Verdict::Yes(control, asdu) => Detection::Yes(role(control, asdu.as_ref())),
        Verdict::Need(_) => Detection::More,
        Verdict::No => match judge(bytes.get(1..).unwrap_or_default(), Widths::STANDARD) {
            Verdict::Yes(control, asdu) => Detection::Yes(role(control, asdu.as_ref())),
            Verdict::Need(_) => Detection::More,
            Verdict::No => Detection::No,
        },
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

    #[test]
    fn who_speaks_is_told_by_what_is_said() {
        let client = Detection::Yes(Some(Role::Client));
        let server = Detection::Yes(Some(Role::Server));
        let unknown = Detection::Yes(None);
        for (function, expected) in [
            (0x07, client),
            (0x0B, server),
            (0x13, client),
            (0x23, server),
            (0x43, unknown),
            (0x83, unknown),
        ] {
            assert_eq!(detect(&[0x68, 4, function, 0, 0, 0]), expected, "{function:#x}");
        }
        assert_eq!(detect(&[0x68, 4, 1, 0, 2, 0]), unknown);
        assert_eq!(detect(&i_frame(&[1, 1, 3, 0, 1, 0, 1, 0, 0, 1])), server);
        assert_eq!(detect(&i_frame(&[70, 1, 4, 0, 1, 0, 0, 0, 0, 0])), server);
        for (cause, expected) in [(6, client), (7, server), (8, client), (10, server), (46, server)]
        {
            let interrogation = i_frame(&[100, 1, cause, 0, 1, 0, 0, 0, 0, 20]);
            assert_eq!(detect(&interrogation), expected, "cause {cause}");
        }
        assert_eq!(detect(&i_frame(&[122, 1, 13, 0, 1, 0, 0, 0, 0, 1, 0, 0, 6])), unknown);
    }

    #[test]
    fn one_stale_octet_may_stand_before_it() {
        assert_eq!(detect(&[0, 0x68, 4, 0x07, 0, 0, 0]), Detection::Yes(Some(Role::Client)));
        let startdt = [0x68, 4, 0x07, 0, 0, 0];
        let stale = [&[0x68][..], &startdt, &startdt].concat();
        assert_eq!(detect(&stale[..7]), Detection::More, "it may have 104 octets");
        assert_eq!(detect(&stale), Detection::Yes(Some(Role::Client)));
    }

    #[test]
    fn few_octets_leave_it_open() {
        for length in 0..6 {
            assert_eq!(detect(&[0x68, 4, 0x07, 0, 0, 0][..length]), Detection::More, "{length}");
        }
        assert_eq!(detect(&[0]), Detection::More, "it may be a stale octet");
    }

    #[test]
    fn other_protocols_are_not_mistaken_for_it() {
        for other in [
            &b"hello world, how are you today?"[..],
            b"host: example.org\r\n",
            b"http/1.1",
            b"help\r\n\r\n",
            b"GET / HTTP/1.1\r\n",
            b"what is this",
            b"SSH-2.0-OpenSSH_9.2",
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"\x10\x68\x00\x04MQTT\x04\x02\x00\x3c", // CONNECT of 104 octets
            b"\x30\x68\x00\x05abcde",                // PUBLISH of 104 octets
        ] {
            assert_eq!(detect(other), Detection::No, "{}", other.escape_ascii());
        }
    }
}
