//! Application protocol control information: what frames an ASDU (IEC 60870-5-104, clause 5).
//!
//! ```text
//! 1     start, 0x68
//! 2     length of what follows, 4 to 253
//! 3..6  control field, whose first bits tell the format:
//!         I  N(S) << 1 | 0   N(S) >> 7   N(R) << 1   N(R) >> 7
//!         S  0x01            0           N(R) << 1   N(R) >> 7
//!         U  function | 3    0           0           0
//! 7..   ASDU, in format I only
//! ```

use super::asdu::{Asdu, Widths};

/// The first octet of every APDU.
pub const START: u8 = 0x68;
/// Start and length octet.
pub const PREFIX: usize = 2;
/// Octets before the ASDU.
pub const APCI: usize = 6;
/// The least and the greatest that the length octet may say.
pub const LENGTHS: std::ops::RangeInclusive<u8> = 4..=253;

/// Functions of the U format, each with a bit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Start of data transfer.
    StartDtAct,
    /// It has started.
    StartDtCon,
    /// Stop of data transfer.
    StopDtAct,
    /// It has stopped.
    StopDtCon,
    /// Are you there?
    TestFrAct,
    /// I am.
    TestFrCon,
}

impl Function {
    /// Names as the standard writes them, by code.
    pub const NAMES: &'static [&'static str; 6] =
        &["STARTDT act", "STARTDT con", "STOPDT act", "STOPDT con", "TESTFR act", "TESTFR con"];

    /// From the first control octet; `None` unless exactly one function is asked for.
    #[inline]
    pub const fn from_octet(octet: u8) -> Option<Self> {
        match octet {
            0x07 => Some(Self::StartDtAct),
            0x0B => Some(Self::StartDtCon),
            0x13 => Some(Self::StopDtAct),
            0x23 => Some(Self::StopDtCon),
            0x43 => Some(Self::TestFrAct),
            0x83 => Some(Self::TestFrCon),
            _ => None,
        }
    }
}

/// The control field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Numbered information transfer.
    I {
        /// N(S), 0 to 32,767.
        send: u16,
        /// N(R), 0 to 32,767.
        receive: u16,
    },
    /// Numbered supervisory function.
    S {
        /// N(R), 0 to 32,767.
        receive: u16,
    },
    /// Unnumbered control function; `None` if it is none of the six.
    U(Option<Function>),
}

impl Control {
    /// Names of the formats, by [`format`](Self::format).
    pub const FORMATS: &'static [&'static str; 3] = &["I", "S", "U"];

    /// Reads the control field, and does not mind reserved bits.
    #[inline]
    pub const fn from_octets(octets: [u8; 4]) -> Self {
        let [first, _, third, fourth] = octets;
        let receive = u16::from_le_bytes([third, fourth]) >> 1;
        match first & 3 {
            0 | 2 => Self::I { send: u16::from_le_bytes([first, octets[1]]) >> 1, receive },
            1 => Self::S { receive },
            _ => Self::U(Function::from_octet(first)),
        }
    }

    /// An index into [`FORMATS`](Self::FORMATS).
    #[inline]
    pub const fn format(self) -> u8 {
        match self {
            Self::I { .. } => 0,
            Self::S { .. } => 1,
            Self::U(_) => 2,
        }
    }
}

/// Where a reserved bit of the control field is set, or what else is not as it must be: an index
/// into the four octets. `None` if all is well.
#[inline]
pub const fn reserved_octet(octets: [u8; 4]) -> Option<usize> {
    let reserved = match octets[0] & 3 {
        0 | 2 => [0, 0, 1, 0],
        1 => [0xFE, 0xFF, 1, 0],
        _ => [0, 0xFF, 0xFF, 0xFF],
    };
    let mut index = 0;
    while index < 4 {
        if octets[index] & reserved[index] != 0 {
            return Some(index);
        }
        index += 1;
    }
    None
}

/// Why no APDU stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unframed {
    /// It may, but so many octets are wanted in all.
    Short(usize),
    /// The first octet is not [`START`].
    Start(u8),
    /// The length is not in [`LENGTHS`].
    Length(u8),
}

/// The octets of the APDU that stands at the start of `bytes`.
#[inline]
pub fn frame(bytes: &[u8]) -> Result<&[u8], Unframed> {
    let (start, length) = match *bytes {
        [] => return Err(Unframed::Short(PREFIX)),
        [start] => (start, *LENGTHS.start()),
        [start, length, ..] => (start, length),
    };
    if start != START {
        return Err(Unframed::Start(start));
    }
    if !LENGTHS.contains(&length) {
        return Err(Unframed::Length(length));
    }
    if bytes.len() < PREFIX {
        return Err(Unframed::Short(PREFIX));
    }
    let wanted = PREFIX + usize::from(length);
    bytes.get(..wanted).ok_or(Unframed::Short(wanted))
}

/// One APDU. Borrows its octets; information objects are decoded when somebody visits them.
#[derive(Debug, Clone, Copy)]
pub struct Apdu<'a> {
    /// The length octet: octets of control field and ASDU.
    pub length: u8,
    /// The control field as it came.
    pub control_octets: [u8; 4],
    /// The control field.
    pub control: Control,
    /// In format I, unless it is shorter than its own header.
    pub asdu: Option<Asdu<'a>>,
    /// How the octets of an ASDU are divided.
    pub widths: Widths,
}

impl<'a> Apdu<'a> {
    /// Reads what [`frame`] returned; `None` if that is shorter than the APCI.
    #[inline]
    pub fn parse(octets: &'a [u8], widths: Widths) -> Option<Self> {
        let (&[_, length, c1, c2, c3, c4], rest) = octets.split_first_chunk::<APCI>()?;
        let control_octets = [c1, c2, c3, c4];
        let control = Control::from_octets(control_octets);
        let asdu = match control {
            Control::I { .. } => Asdu::parse(rest, widths).ok(),
            Control::S { .. } | Control::U(_) => None,
        };
        Some(Self { length, control_octets, control, asdu, widths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_have_fifteen_bits() {
        // 5.1: the lowest bit of octets 1 and 3 is not part of the number.
        assert_eq!(
            Control::from_octets([0xFE, 0xFF, 0x02, 0x80]),
            Control::I { send: 32_767, receive: 16_385 }
        );
        assert_eq!(Control::from_octets([0x01, 0, 0xFE, 0xFF]), Control::S { receive: 32_767 });
    }

    #[test]
    fn a_function_is_exactly_one_bit() {
        let valid: Vec<u8> =
            (0..=255).filter(|octet| Function::from_octet(*octet).is_some()).collect();
        assert_eq!(valid, [0x07, 0x0B, 0x13, 0x23, 0x43, 0x83]);
        assert_eq!(Control::from_octets([0x0F, 0, 0, 0]), Control::U(None));
    }

    #[test]
    fn reserved_bits_are_found_where_they_stand() {
        assert_eq!(reserved_octet([0, 0, 0, 0]), None);
        assert_eq!(reserved_octet([0xFE, 0xFF, 0xFE, 0xFF]), None);
        assert_eq!(reserved_octet([0, 0, 1, 0]), Some(2));
        assert_eq!(reserved_octet([5, 0, 0, 0]), Some(0));
        assert_eq!(reserved_octet([1, 1, 0, 0]), Some(1));
        assert_eq!(reserved_octet([1, 0, 1, 0]), Some(2));
        assert_eq!(reserved_octet([0x43, 0, 0, 1]), Some(3));
    }

    #[test]
    fn every_prefix_wants_more_and_the_frame_ends_where_its_length_says() {
        let bytes = [0x68, 4, 0x43, 0, 0, 0, 0x68];
        assert_eq!(frame(&bytes), Ok(&bytes[..6]));
        assert_eq!(frame(&bytes[..0]), Err(Unframed::Short(2)));
        assert_eq!(frame(&bytes[..1]), Err(Unframed::Short(2)));
        for length in 2..6 {
            assert_eq!(frame(&bytes[..length]), Err(Unframed::Short(6)));
        }
    }

    #[test]
    fn what_cannot_be_an_apdu_is_told_at_the_first_octet_that_shows_it() {
        assert_eq!(frame(&[0x67]), Err(Unframed::Start(0x67)));
        assert_eq!(frame(&[0x68, 3]), Err(Unframed::Length(3)));
        assert_eq!(frame(&[0x68, 254]), Err(Unframed::Length(254)));
        assert_eq!(frame(&[0x68, 253]), Err(Unframed::Short(255)));
    }
}
