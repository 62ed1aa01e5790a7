//! What packets are in either format.

use super::window::Window;
use crate::bytes::{Cursor, Short};
use crate::packet::LinkType;
use crate::time::Timestamp;

/// Nanoseconds in a second.
pub(super) const SECOND: u64 = 1_000_000_000;

/// How a file writes its numbers: as the machine did that captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    #[inline]
    pub(super) fn u16(self, cursor: &mut Cursor<'_>) -> Result<u16, Short> {
        match self {
            Self::Little => cursor.u16_le(),
            Self::Big => cursor.u16_be(),
        }
    }

    #[inline]
    pub(super) fn u32(self, cursor: &mut Cursor<'_>) -> Result<u32, Short> {
        match self {
            Self::Little => cursor.u32_le(),
            Self::Big => cursor.u32_be(),
        }
    }

    pub(super) const fn i64(self, octets: [u8; 8]) -> i64 {
        match self {
            Self::Little => i64::from_le_bytes(octets),
            Self::Big => i64::from_be_bytes(octets),
        }
    }
}

/// A packet in the record that a window begins with. Small and plain: it is moved for every packet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Packet {
    pub(super) timestamp: Timestamp,
    pub(super) wire_length: u32,
    /// Its place among the interfaces of the section.
    pub(super) interface: u32,
    pub(super) link: Link,
    /// Where in the record its octets begin.
    pub(super) data_at: u32,
    /// How many of its octets were kept.
    pub(super) kept: u32,
    /// How long the whole record is.
    pub(super) record_length: u32,
}

impl Packet {
    /// Its octets in a window that still begins with its record.
    #[inline]
    pub(super) fn data<'w>(&self, window: &'w Window) -> &'w [u8] {
        let start = self.data_at as usize;
        window.octets().get(start..start + self.kept as usize).unwrap_or_default()
    }
}

/// What a capture says of the first header of an interface's frames.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Link {
    pub(super) number: u32,
    /// What the number means; `None` for one that is not decoded.
    pub(super) kind: Option<LinkType>,
}

impl Link {
    pub(super) const fn new(number: u32) -> Self {
        Self { number, kind: LinkType::from_pcap(number) }
    }
}

/// What time stamps of an interface mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) unit: Unit,
    /// To be added, in seconds.
    pub(super) offset: i64,
}

/// The unit of a time stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// So many nanoseconds.
    Nanoseconds(u64),
    /// So many of them are a nanosecond.
    PerNanosecond(u128),
    /// A second halved so many times.
    HalvedSecond(u8),
}

impl Unit {
    /// What pcapng means when it says nothing.
    pub(super) const MICROSECOND: Self = Self::Nanoseconds(1000);

    /// The option `if_tsresol`: a negative power of 10, or of 2 if the most significant bit is set.
    pub(super) fn from_resolution(resolution: u8) -> Self {
        let power = u32::from(resolution & 0x7f);
        if resolution & 0x80 != 0 {
            return Self::HalvedSecond(power as u8);
        }
        match power.checked_sub(9) {
            None | Some(0) => Self::Nanoseconds(10_u64.pow(9 - power)),
            // 64 bits of a unit too small for a power are less than a nanosecond.
            Some(finer) => Self::PerNanosecond(10_u128.checked_pow(finer).unwrap_or(u128::MAX)),
        }
    }
}

impl Clock {
    /// The moment `count` units after the clock's start, cut to nanoseconds and to what a
    /// [`Timestamp`] holds.
    #[inline]
    pub(super) fn at(self, count: u64) -> Timestamp {
        let count = u128::from(count);
        let nanos = match self.unit {
            Unit::Nanoseconds(each) => count * u128::from(each),
            Unit::PerNanosecond(parts) => count / parts,
            Unit::HalvedSecond(times) => {
                (count * u128::from(SECOND)).checked_shr(times.into()).unwrap_or(0)
            }
        };
        // 64 bits times a billion stay below 2^94.
        let shifted = nanos as i128 + i128::from(self.offset) * i128::from(SECOND);
        let latest = Timestamp::NEVER.as_nanos() - 1;
        Timestamp::from_nanos(shifted.clamp(0, latest.into()) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(resolution: u8, offset: i64, count: u64) -> u64 {
        Clock { unit: Unit::from_resolution(resolution), offset }.at(count).as_nanos()
    }

    #[test]
    fn resolutions_are_powers_of_ten_or_two() {
        assert_eq!(at(0, 0, 3), 3 * SECOND);
        assert_eq!(at(3, 0, 1_500), 1_500_000_000);
        assert_eq!(at(6, 0, 1), 1_000);
        assert_eq!(at(9, 0, 123), 123);
        assert_eq!(at(12, 0, 1_999), 1);
        assert_eq!(at(0x80, 0, 7), 7 * SECOND);
        assert_eq!(at(0x80 + 20, 0, (5 << 20) + (1 << 19)), 5_500_000_000);
        assert_eq!(at(0x80 + 32, 0, 1), 0);
    }

    #[test]
    fn offsets_shift_and_extremes_saturate() {
        assert_eq!(at(6, 10, 1), 10_000_001_000);
        assert_eq!(at(0, -2, 3), SECOND);
        assert_eq!(at(0, -4, 3), 0);
        for resolution in 0..=u8::MAX {
            for offset in [i64::MIN, 0, i64::MAX] {
                for count in [0, 1, u64::MAX] {
                    assert!(at(resolution, offset, count) < Timestamp::NEVER.as_nanos());
                }
            }
        }
    }
}
