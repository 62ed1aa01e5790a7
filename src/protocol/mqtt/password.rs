//! Where the password of a CONNECT stands (clause 3.1.3.6), even of one that is malformed or not all
//! here. It is the last field, so whoever cannot tell yet where it begins has seen none of it. On the
//! way there, what else gives something away: the will's message and the user name.

use std::ops::Range;

use super::connect::{ConnectFlags, level_of};
use super::header::{Header, Level, VariableInteger, variable_integer};
use crate::event::Secrecy;

/// Where a password is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Password {
    /// There is none.
    None,
    /// These octets of the packet; all that follows, if the packet is too short for its fields.
    Octets(Range<usize>),
    /// Behind so many octets; it takes so many to go on.
    Behind(usize, usize),
}

/// Why the walk ends before the password.
enum Stop {
    /// It takes so many octets to go on.
    Short(usize),
    /// A field goes on beyond the end of the packet.
    Overrun,
}

/// Looks for the password in the packet at the start of `bytes`. Whatever follows the user name is
/// taken for it, be flags and lengths as they may: a client with a fault sends its password all the
/// same. Tells `pass` of other octets of it that give something away, once it is known where they
/// are, again with each look.
pub(super) fn find(
    header: Header,
    bytes: &[u8],
    pass: &mut dyn FnMut(Secrecy, Range<usize>),
) -> Password {
    let mut walk = Walk { bytes, at: header.length.into(), total: header.total(), pass };
    match walk.reach_password() {
        Ok(()) if walk.at == walk.total => Password::None,
        Ok(()) | Err(Stop::Overrun) => Password::Octets(walk.at..walk.total),
        Err(Stop::Short(wanted)) => Password::Behind(walk.at, wanted),
    }
}

/// Goes from field to field by their lengths.
struct Walk<'a> {
    bytes: &'a [u8],
    /// Where the next field begins.
    at: usize,
    /// Octets of the packet.
    total: usize,
    pass: &'a mut dyn FnMut(Secrecy, Range<usize>),
}

impl Walk<'_> {
    fn reach_password(&mut self) -> Result<(), Stop> {
        self.binary()?;
        let level = level_of(self.octets::<1>()?[0]);
        let flags = ConnectFlags::new(self.octets::<1>()?[0]);
        self.skip(2)?;
        self.properties(level)?;
        self.binary()?;
        if flags.will() {
            let start = self.at;
            self.properties(level)?;
            (self.pass)(Secrecy::Payload, start..self.at);
            self.binary()?;
            let message = self.binary()?;
            (self.pass)(Secrecy::Payload, message);
        }
        // MQTT 3.1, clause 3.1: user name and password may be missing although their flags are set.
        let may_miss = level == Level::V3;
        if flags.username() && !(may_miss && self.at == self.total) {
            let user_name = self.binary()?;
            (self.pass)(Secrecy::UserName, user_name);
        }
        if flags.password() && !(may_miss && self.at == self.total) {
            self.skip(2)?;
        }
        Ok(())
    }

    /// A length and as many octets (clause 1.5.6); where these stand. They need not be here.
    fn binary(&mut self) -> Result<Range<usize>, Stop> {
        let start = self.at;
        let length = u16::from_be_bytes(self.octets()?);
        let octets = self.at..self.at + usize::from(length);
        if octets.end > self.total {
            self.at = start;
            return Err(Stop::Overrun);
        }
        self.skip(length.into())?;
        Ok(octets)
    }

    /// Properties and their length (clause 2.2.2). They need not be here.
    fn properties(&mut self, level: Level) -> Result<(), Stop> {
        if level != Level::V5 {
            return Ok(());
        }
        let rest = self.bytes.get(self.at..self.total.min(self.bytes.len())).unwrap_or_default();
        match variable_integer(rest) {
            VariableInteger::Value { value, length } => {
                self.skip(usize::from(length) + value as usize)
            }
            VariableInteger::Short if self.at + rest.len() < self.total => {
                Err(Stop::Short(self.at + rest.len() + 1))
            }
            VariableInteger::Short | VariableInteger::Endless => Err(Stop::Overrun),
        }
    }

    fn octets<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], Stop> {
        let start = self.at;
        let end = start + COUNT;
        if end > self.total {
            return Err(Stop::Overrun);
        }
        let rest = self.bytes.get(start..).unwrap_or_default();
        let octets = rest.first_chunk().ok_or(Stop::Short(end))?;
        self.at = end;
        Ok(*octets)
    }

    fn skip(&mut self, octets: usize) -> Result<(), Stop> {
        if self.at + octets > self.total {
            return Err(Stop::Overrun);
        }
        self.at += octets;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::Start;
    use super::*;

    fn find_in(bytes: &[u8], shown: usize) -> Password {
        let Start::Header(header) = Header::read(bytes) else { panic!("{bytes:?}") };
        find(header, &bytes[..shown], &mut |_, _| {})
    }

    /// With a fixed header in front.
    fn packet(body: &[u8]) -> Vec<u8> {
        [&[0x10, body.len() as u8], body].concat()
    }

    const PASSWORDS: [&[u8]; 5] = [
        b"\0\x04MQTT\x04\xc2\0\x3c\0\x01a\0\x04user\0\x06secret",
        b"\0\x06MQIsdp\x03\xc2\0\x3c\0\x01a\0\x04user\0\x06secret",
        b"\0\x04MQTT\x05\x42\0\x3c\x05\x11\0\0\0\x0a\0\x01a\0\x06secret",
        b"\0\x04MQTT\x05\xc6\0\x3c\0\0\0\x02\x01\x01\0\x02st\0\x03off\0\x04user\0\x06secret",
        b"\0\x04MQTT\x84\xe6\0\x3c\0\x01a\0\x02st\0\0\0\x04user\0\x06secret",
    ];

    #[test]
    fn a_password_is_found_before_one_octet_of_it_was_seen_for_sure() {
        for body in PASSWORDS {
            let whole = packet(body);
            let place = whole.len() - 6..whole.len();
            for shown in 2..=whole.len() {
                match find_in(&whole, shown) {
                    Password::Octets(octets) => assert_eq!(octets, place, "{shown}"),
                    Password::Behind(passed, wanted) => {
                        assert!(passed <= place.start && shown < wanted && wanted <= place.start);
                    }
                    Password::None => panic!("{shown}"),
                }
            }
        }
    }

    #[test]
    fn where_there_is_none_nothing_is_found() {
        for body in [
            &b"\0\x04MQTT\x04\x02\0\x3c\0\x01a"[..],
            b"\0\x04MQTT\x04\x82\0\x3c\0\x01a\0\x04user",
            b"\0\x06MQIsdp\x03\xc2\0\x3c\0\x01a",
            b"\0\x06MQIsdp\x03\xc2\0\x3c\0\x01a\0\x04user",
            b"\0\x04MQTT\x04\xc2\0\x3c\0\x01a\0\x04user\0\0",
        ] {
            let whole = packet(body);
            assert_eq!(find_in(&whole, whole.len()), Password::None, "{body:?}");
        }
    }

    #[test]
    fn what_follows_the_last_field_is_hidden_whatever_the_flags_say() {
        for body in [
            &b"\0\x04MQTT\x04\x82\0\x3c\0\x01a\0\x04user\0\x06secret"[..],
            b"\0\x04MQTT\x04\x42\0\x3c\0\x01a\0\x04user\0\x06secret",
            b"\0\x04MQTT\x04\x02\0\x3c\0\x01a\0\x04user\0\x06secret",
            b"\0\x04MQTT\x04\xc2\0\x3c\0\x01a\0\x04user\0\x02secret",
        ] {
            let whole = packet(body);
            let Password::Octets(octets) = find_in(&whole, whole.len()) else { panic!("{body:?}") };
            assert!(octets.start <= whole.len() - 6 && octets.end == whole.len(), "{body:?}");
        }
    }

    #[test]
    fn a_packet_too_short_for_its_fields_hides_its_end() {
        for body in PASSWORDS {
            for length in 0..body.len() {
                let mut cut = packet(&body[..length]);
                cut.extend_from_slice(b"next");
                match find_in(&cut, cut.len()) {
                    Password::Octets(octets) => assert_eq!(octets.end, length + 2),
                    // MQTT 3.1 may leave it out; or nothing of it is left.
                    Password::None => {
                        let is_old = body.starts_with(b"\0\x06MQIsdp");
                        assert!(is_old || length == body.len() - 6, "{length}");
                    }
                    behind @ Password::Behind(..) => panic!("{length}: {behind:?}"),
                }
            }
        }
    }
}
