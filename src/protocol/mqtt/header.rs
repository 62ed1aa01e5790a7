//! The fixed header (clause 2.1): type, flags and remaining length.
//!
//! ```text
//!   7 6 5 4   3    2 1   0
//! ┌─────────┬─────┬─────┬────────┐
//! │  type   │ DUP │ QoS │ RETAIN │  the flags have this meaning in PUBLISH, are fixed elsewhere
//! ├─┬───────┴─────┴─────┴────────┤
//! │m│ remaining length, low bits │  one to four octets; m says that another follows
//! └─┴────────────────────────────┘
//! ```

use super::violation::{Report, Violation};
use crate::event::Value;

/// What a packet is; the number is the one on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum PacketType {
    /// No packet has it.
    Reserved,
    Connect,
    Connack,
    Publish,
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    Pingreq,
    Pingresp,
    Disconnect,
    /// Reserved before level 5.
    Auth,
}

impl PacketType {
    /// By number.
    pub(super) const ALL: [Self; 16] = [
        Self::Reserved,
        Self::Connect,
        Self::Connack,
        Self::Publish,
        Self::Puback,
        Self::Pubrec,
        Self::Pubrel,
        Self::Pubcomp,
        Self::Subscribe,
        Self::Suback,
        Self::Unsubscribe,
        Self::Unsuback,
        Self::Pingreq,
        Self::Pingresp,
        Self::Disconnect,
        Self::Auth,
    ];

    /// Names as the standard writes them, by number.
    pub(super) const NAMES: &'static [&'static str] = &[
        "",
        "CONNECT",
        "CONNACK",
        "PUBLISH",
        "PUBACK",
        "PUBREC",
        "PUBREL",
        "PUBCOMP",
        "SUBSCRIBE",
        "SUBACK",
        "UNSUBSCRIBE",
        "UNSUBACK",
        "PINGREQ",
        "PINGRESP",
        "DISCONNECT",
        "AUTH",
    ];

    /// Names of the objects in records and of the metrics' labels, by number.
    pub(super) const LABELS: &'static [&'static str] = &[
        "reserved",
        "connect",
        "connack",
        "publish",
        "puback",
        "pubrec",
        "pubrel",
        "pubcomp",
        "subscribe",
        "suback",
        "unsubscribe",
        "unsuback",
        "pingreq",
        "pingresp",
        "disconnect",
        "auth",
    ];
}

/// What is spoken (clause 3.1.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// MQTT 3.1, protocol name `MQIsdp`.
    V3 = 3,
    /// MQTT 3.1.1.
    V4 = 4,
    /// MQTT 5.0.
    V5 = 5,
}

/// A level, and where it is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    /// The level.
    pub(super) level: Level,
    /// Whether it is a conclusion from what parses instead of a CONNECT. [`Level::V4`] then stands
    /// for [`Level::V3`] too, which only CONNECT tells apart.
    pub(super) inferred: bool,
}

impl Dialect {
    /// As a CONNECT says.
    pub(super) const fn known(level: Level) -> Self {
        Self { level, inferred: false }
    }

    /// As it parses.
    pub(super) const fn inferred(level: Level) -> Self {
        Self { level, inferred: true }
    }

    /// Whether this may be MQTT 3.1.
    pub(super) fn may_be_v3(self) -> bool {
        self.level == Level::V3 || (self.inferred && self.level == Level::V4)
    }
}

/// A fixed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The packet's type.
    pub(super) kind: PacketType,
    /// The lower half of the first octet.
    pub(super) flags: u8,
    /// Octets after the fixed header, up to 268,435,455.
    pub(super) remaining: u32,
    /// Octets of the fixed header, 2 to 5.
    pub(super) length: u8,
}

/// What the first octets of a packet are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// A whole fixed header.
    Header(Header),
    /// A part of one; so many octets are needed to go on.
    More(usize),
    /// The remaining length takes more than four octets.
    Endless,
}

impl Header {
    /// Reads the fixed header at the start of `bytes`.
    #[inline]
    pub(super) fn read(bytes: &[u8]) -> Start {
        let Some((&first, rest)) = bytes.split_first() else { return Start::More(2) };
        match variable_integer(rest) {
            VariableInteger::Value { value, length } => Start::Header(Self {
                kind: PacketType::ALL[usize::from(first >> 4)],
                flags: first & 0x0f,
                remaining: value,
                length: 1 + length,
            }),
            VariableInteger::Short => Start::More(bytes.len() + 1),
            VariableInteger::Endless => Start::Endless,
        }
    }

    /// Octets of the whole packet.
    #[inline]
    pub(super) fn total(self) -> usize {
        self.remaining as usize + usize::from(self.length)
    }

    /// Whether the sender repeats itself (clause 3.3.1.1).
    #[inline]
    pub(super) fn dup(self) -> bool {
        self.flags & 0b1000 != 0
    }

    /// Quality of service, 0 to 3 (clause 3.3.1.2).
    #[inline]
    pub(super) fn qos(self) -> u8 {
        self.flags >> 1 & 0b11
    }

    /// Whether the broker keeps the message (clause 3.3.1.3).
    #[inline]
    pub(super) fn retain(self) -> bool {
        self.flags & 1 != 0
    }

    /// Reports what is wrong with it.
    #[inline]
    pub(super) fn check(self, dialect: Dialect, found: &mut dyn Report) {
        if self.kind == PacketType::Publish {
            if self.flags & 0b0110 == 0b0110 {
                found.report(Violation::QosInvalid, "qos", Value::Integer(3), 0);
            }
            if self.flags & 0b1110 == 0b1000 {
                found.report(Violation::DupWithQos0, "dup", Value::Boolean(true), 0);
            }
        } else if !self.flags_allowed(dialect) {
            found.report(Violation::ReservedFlags, "flags", Value::Integer(self.flags.into()), 0);
        }
        if self.kind == PacketType::Auth && dialect.level < Level::V5 {
            found.report(Violation::ReservedType, "type", Value::Integer(15), 0);
        }
        let needed = encoded_length(self.remaining);
        if self.length > 1 + needed && dialect.level == Level::V5 {
            let value = Value::Integer(self.remaining.into());
            found.report(Violation::RemainingLength, "remaining_length", value, 1);
        }
    }

    /// Whether the flags of a packet other than PUBLISH are the only ones it can have (table 2.2;
    /// MQTT 3.1, clause 2.1, lets PUBREL, SUBSCRIBE and UNSUBSCRIBE be sent again with DUP).
    fn flags_allowed(self, dialect: Dialect) -> bool {
        match self.kind {
            PacketType::Pubrel | PacketType::Subscribe | PacketType::Unsubscribe => {
                self.flags == 0b0010 || (self.flags == 0b1010 && dialect.may_be_v3())
            }
            _ => self.flags == 0,
        }
    }
}

/// The greatest variable byte integer: four octets of seven bits.
pub(super) const MOST_VARIABLE: i64 = (1 << 28) - 1;

/// A variable byte integer (clause 1.5.5; 2.2.3 before level 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VariableInteger {
    /// Its value, and how many octets it takes.
    Value {
        /// Up to 268,435,455.
        value: u32,
        /// 1 to 4.
        length: u8,
    },
    /// It goes on beyond the bytes.
    Short,
    /// It takes more than four octets.
    Endless,
}

/// Reads the variable byte integer at the start of `bytes`.
#[inline]
pub(super) fn variable_integer(bytes: &[u8]) -> VariableInteger {
    let mut value = 0;
    for (index, &octet) in bytes.iter().take(4).enumerate() {
        value |= u32::from(octet & 0x7f) << (7 * index);
        if octet & 0x80 == 0 {
            return VariableInteger::Value { value, length: index as u8 + 1 };
        }
    }
    if bytes.len() < 4 { VariableInteger::Short } else { VariableInteger::Endless }
}

/// How many octets `value` takes at the least.
#[inline]
pub(super) fn encoded_length(value: u32) -> u8 {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 2.4: the ends of each length.
    #[test]
    fn the_remaining_length_is_little_endian_in_sevens() {
        for (octets, value) in [
            (&[0x00][..], 0),
            (&[0x7f], 127),
            (&[0x80, 0x01], 128),
            (&[0xff, 0x7f], 16_383),
            (&[0x80, 0x80, 0x01], 16_384),
            (&[0xff, 0xff, 0x7f], 2_097_151),
            (&[0x80, 0x80, 0x80, 0x01], 2_097_152),
            (&[0xff, 0xff, 0xff, 0x7f], 268_435_455),
        ] {
            let length = octets.len() as u8;
            assert_eq!(variable_integer(octets), VariableInteger::Value { value, length });
            assert_eq!(encoded_length(value), length);
            for shorter in 0..octets.len() {
                assert_eq!(variable_integer(&octets[..shorter]), VariableInteger::Short);
            }
        }
        assert_eq!(variable_integer(&[0xff; 4]), VariableInteger::Endless);
    }

    #[test]
    fn a_header_asks_for_one_octet_more_while_its_length_goes_on() {
        assert_eq!(Header::read(&[]), Start::More(2));
        assert_eq!(Header::read(&[0x30]), Start::More(2));
        assert_eq!(Header::read(&[0x30, 0x80, 0x80]), Start::More(4));
        assert_eq!(Header::read(&[0x30, 0x80, 0x80, 0x80, 0x80]), Start::Endless);
        let Start::Header(header) = Header::read(&[0x3d, 0x80, 0x01]) else { panic!() };
        assert_eq!((header.kind, header.remaining), (PacketType::Publish, 128));
        assert_eq!((header.dup(), header.qos(), header.retain()), (true, 2, true));
        assert_eq!(header.total(), 131);
    }
}
