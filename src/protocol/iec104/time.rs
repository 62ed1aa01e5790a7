//! Binary times (IEC 60870-5-101, 7.2.6.18 to 7.2.6.20).
//!
//! They are kept as the octets that came, and read when somebody asks.

use std::time::Duration;

use crate::time::Timestamp;

/// 2000-01-01 00:00:00 UTC in seconds since 1970.
const CENTURY: u64 = 946_684_800;
const SECONDS_A_DAY: u64 = 86_400;

/// `CP16Time2a`: milliseconds, 0 to 59,999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cp16Time2a(pub [u8; 2]);

impl Cp16Time2a {
    /// The milliseconds, as they came: up to 65,535.
    #[inline]
    pub const fn milliseconds(self) -> u16 {
        u16::from_le_bytes(self.0)
    }

    /// Whether they are too many.
    #[inline]
    pub const fn out_of_range(self) -> bool {
        self.milliseconds() >= MILLISECONDS
    }
}

/// The first part of a time that is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange {
    /// Which part.
    pub part: Part,
    /// What it says.
    pub value: u16,
}

/// The parts of a time that have a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Milliseconds of the minute, 0 to 59,999.
    Millisecond,
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to the last of the month.
    Day,
    /// 1 to 12.
    Month,
    /// Two digits: 0 to 99.
    Year,
}

impl Part {
    /// The octet that it begins in.
    pub const fn octet(self) -> usize {
        match self {
            Self::Millisecond => 0,
            Self::Minute => 2,
            Self::Hour => 3,
            Self::Day => 4,
            Self::Month => 5,
            Self::Year => 6,
        }
    }
}

const MILLISECONDS: u16 = 60_000;

/// Checks what both forms begin with.
#[inline]
fn minute_out_of_range(octets: [u8; 3]) -> Option<OutOfRange> {
    let [low, high, minute] = octets;
    let millisecond = u16::from_le_bytes([low, high]);
    if millisecond >= MILLISECONDS {
        return Some(OutOfRange { part: Part::Millisecond, value: millisecond });
    }
    let minute = minute & 0x3F;
    (minute >= 60).then_some(OutOfRange { part: Part::Minute, value: minute.into() })
}

/// `CP24Time2a`: minutes and milliseconds within some hour.
///
/// ```text
/// 1, 2  milliseconds of the minute, 0 to 59,999, little-endian
/// 3     IV | GEN | minute, 0 to 59 (6 bit)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cp24Time2a(pub [u8; 3]);

impl Cp24Time2a {
    /// Milliseconds since the full hour; `None` where minute or milliseconds are out of range.
    pub fn millisecond_of_hour(self) -> Option<u32> {
        let [low, high, minute] = self.0;
        let (millisecond, minute) = (u16::from_le_bytes([low, high]), minute & 0x3F);
        (millisecond < MILLISECONDS && minute < 60)
            .then(|| u32::from(minute) * 60_000 + u32::from(millisecond))
    }

    /// What is wrong with it.
    #[inline]
    pub fn out_of_range(self) -> Option<OutOfRange> {
        minute_out_of_range(self.0)
    }
}

/// `CP56Time2a`: a moment of this century, in the time of the station, which only those who run
/// it know.
///
/// ```text
/// 1, 2  milliseconds of the minute, 0 to 59,999, little-endian
/// 3     IV | GEN | minute, 0 to 59 (6 bit)
/// 4     SU | reserved (2 bit) | hour, 0 to 23 (5 bit)
/// 5     day of week, 1 to 7 or 0 for unused (3 bit) | day of month, 1 to 31 (5 bit)
/// 6     reserved (4 bit) | month, 1 to 12 (4 bit)
/// 7     reserved (1 bit) | year, 0 to 99 (7 bit)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cp56Time2a(pub [u8; 7]);

impl Cp56Time2a {
    /// The moment, read as if the station kept UTC; `None` where it is no date or time of day.
    pub fn timestamp(self) -> Option<Timestamp> {
        let [low, high, minute, hour, day, month, year] = self.0;
        let millisecond = u16::from_le_bytes([low, high]);
        let (minute, hour) = (minute & 0x3F, hour & 0x1F);
        if millisecond >= 60_000 || minute >= 60 || hour >= 24 {
            return None;
        }
        let year = match year & 0x7F {
            year @ 0..=99 => year,
            // No year of the standard: such a station counts from 1900, and means this one.
            year => year - 100,
        };
        let days = days_of_century(year, month & 0x0F, day & 0x1F)?;
        let seconds = CENTURY
            + u64::from(days) * SECONDS_A_DAY
            + u64::from(hour) * 3_600
            + u64::from(minute) * 60;
        let midnight = Timestamp::from_nanos(seconds * 1_000_000_000);
        Some(midnight + Duration::from_millis(millisecond.into()))
    }

    /// What is wrong with it, the first part that is.
    #[inline]
    pub fn out_of_range(self) -> Option<OutOfRange> {
        let [low, high, minute, hour, day, month, year] = self.0;
        if let Some(found) = minute_out_of_range([low, high, minute]) {
            return Some(found);
        }
        let (hour, day, month, year) = (hour & 0x1F, day & 0x1F, month & 0x0F, year & 0x7F);
        let (part, value) = if hour >= 24 {
            (Part::Hour, hour)
        } else if !(1..=12).contains(&month) {
            (Part::Month, month)
        } else if year > 99 {
            (Part::Year, year)
        } else if !(1..=28).contains(&day) && days_of_century(year, month, day).is_none() {
            (Part::Day, day)
        } else {
            return None;
        };
        Some(OutOfRange { part, value: value.into() })
    }

    /// IV: the time is not valid.
    #[inline]
    pub const fn invalid(self) -> bool {
        self.0[2] & 0x80 != 0
    }

    /// RES2, RES3 and RES4, from the lowest bit up: reserved, and zero.
    #[inline]
    pub const fn reserved(self) -> u8 {
        self.0[3] >> 5 & 3 | self.0[5] >> 4 << 2 | self.0[6] >> 7 << 6
    }

    /// SU: the hour is that of summer time.
    #[inline]
    pub const fn summer_time(self) -> bool {
        self.0[3] & 0x80 != 0
    }

    /// Monday is 1, Sunday 7, 0 is unused.
    #[inline]
    pub const fn day_of_week(self) -> u8 {
        self.0[4] >> 5
    }
}

/// Days from the first day of the century, whose every fourth year is a leap year.
fn days_of_century(year: u8, month: u8, day: u8) -> Option<u32> {
    const BEFORE_MONTH: [u16; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let leap = year.is_multiple_of(4);
    let start = |month: u8| {
        let days = BEFORE_MONTH.get(usize::from(month))?;
        Some(u32::from(*days) + u32::from(leap && month >= 2))
    };
    let first = start(month.checked_sub(1)?)?;
    let day_of_year = first + u32::from(day.checked_sub(1)?);
    if day_of_year >= start(month)? {
        return None;
    }
    Some(u32::from(year) * 365 + u32::from(year).div_ceil(4) + day_of_year)
}

/// The time tag of an information object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeTag {
    /// Three octets: the hour is left to the reader.
    Short(Cp24Time2a),
    /// Seven octets.
    Full(Cp56Time2a),
}

impl TimeTag {
    /// The octet with the minute and the two flags, which both forms have.
    #[inline]
    const fn minute_octet(self) -> u8 {
        match self {
            Self::Short(Cp24Time2a(octets)) => octets[2],
            Self::Full(Cp56Time2a(octets)) => octets[2],
        }
    }

    /// IV: the time is not valid.
    #[inline]
    pub const fn invalid(self) -> bool {
        self.minute_octet() & 0x80 != 0
    }

    /// GEN: the time was set by an equipment on the way, not where the event was acquired.
    #[inline]
    pub const fn substituted(self) -> bool {
        self.minute_octet() & 0x40 != 0
    }

    /// A part of it as it came, where it has that part.
    pub const fn part(self, part: Part) -> Option<u16> {
        let (first, [hour, day, month, year]) = match self {
            Self::Short(Cp24Time2a(octets)) => (octets, [0; 4]),
            Self::Full(Cp56Time2a([o1, o2, o3, hour, day, month, year])) => {
                ([o1, o2, o3], [hour, day, month, year])
            }
        };
        let short = matches!(self, Self::Short(_));
        Some(match part {
            Part::Millisecond => u16::from_le_bytes([first[0], first[1]]),
            Part::Minute => (first[2] & 0x3F) as u16,
            _ if short => return None,
            Part::Hour => (hour & 0x1F) as u16,
            Part::Day => (day & 0x1F) as u16,
            Part::Month => (month & 0x0F) as u16,
            Part::Year => (year & 0x7F) as u16,
        })
    }

    /// What is wrong with it.
    #[inline]
    pub fn out_of_range(self) -> Option<OutOfRange> {
        match self {
            Self::Short(time) => time.out_of_range(),
            Self::Full(time) => time.out_of_range(),
        }
    }

    /// The full form.
    #[inline]
    pub const fn full(self) -> Option<Cp56Time2a> {
        match self {
            Self::Full(time) => Some(time),
            Self::Short(_) => None,
        }
    }

    /// The short form.
    #[inline]
    pub const fn short(self) -> Option<Cp24Time2a> {
        match self {
            Self::Short(time) => Some(time),
            Self::Full(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(octets: [u8; 7]) -> Option<u64> {
        Cp56Time2a(octets).timestamp().map(Timestamp::as_secs)
    }

    #[test]
    fn a_moment_is_read_from_all_seven_octets() {
        // 7.2.6.18: Thursday 2013-07-04 06:23:17.323, summer time, substituted.
        let time = Cp56Time2a([0xAB, 0x43, 0x57, 0x86, 0x84, 7, 13]);
        let expected = 1_372_918_997_323_000_000;
        assert_eq!(time.timestamp().map(Timestamp::as_nanos), Some(expected));
        assert!(time.summer_time());
        assert_eq!(time.day_of_week(), 4);
        assert!(TimeTag::Full(time).substituted());
        assert!(!TimeTag::Full(time).invalid());
    }

    #[test]
    fn every_day_of_the_century_follows_the_one_before() {
        let mut expected = 0;
        for year in 0..100_u8 {
            for month in 1..=12_u8 {
                for day in 1..=31_u8 {
                    if let Some(days) = days_of_century(year, month, day) {
                        assert_eq!(days, expected, "20{year:02}-{month:02}-{day:02}");
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected, 36_525, "75 years of 365 days and 25 of 366");
    }

    #[test]
    fn reserved_bits_do_not_move_the_moment() {
        let plain = seconds([0, 0, 0, 0, 1, 1, 0]);
        assert_eq!(plain, Some(CENTURY));
        assert_eq!(seconds([0, 0, 0xC0, 0xE0, 0xE1, 0xF1, 0x80]), plain);
    }

    #[test]
    fn a_year_counted_from_1900_is_understood() {
        assert_eq!(seconds([0, 0, 0, 0, 13, 8, 109]), seconds([0, 0, 0, 0, 13, 8, 9]));
        assert_eq!(seconds([0, 0, 0, 0, 1, 1, 100]), Some(CENTURY));
    }

    #[test]
    fn what_is_no_date_or_time_of_day_is_no_moment() {
        for octets in [
            [0x60, 0xEA, 0, 0, 1, 1, 0], // 60,000 ms
            [0, 0, 60, 0, 1, 1, 0],
            [0, 0, 0, 24, 1, 1, 0],
            [0, 0, 0, 0, 0, 1, 0],
            [0, 0, 0, 0, 1, 0, 0],
            [0, 0, 0, 0, 1, 13, 0],
            [0, 0, 0, 0, 31, 4, 0],
            [0, 0, 0, 0, 29, 2, 1],
        ] {
            assert_eq!(seconds(octets), None, "{octets:?}");
        }
        assert!(seconds([0, 0, 0, 0, 29, 2, 24]).is_some());
    }

    #[test]
    fn the_part_that_is_wrong_is_told() {
        let good = [0x5F, 0xEA, 59, 23, 31, 12, 99];
        assert_eq!(Cp56Time2a(good).out_of_range(), None);
        for (octet, value, part, told) in [
            (0, 0x60, Part::Millisecond, 60_000),
            (2, 60, Part::Minute, 60),
            (2, 0xC0 | 63, Part::Minute, 63),
            (3, 24, Part::Hour, 24),
            (3, 0xE0 | 31, Part::Hour, 31),
            (4, 0, Part::Day, 0),
            (4, 0xE0, Part::Day, 0),
            (5, 0, Part::Month, 0),
            (5, 13, Part::Month, 13),
            (6, 100, Part::Year, 100),
            (6, 127, Part::Year, 127),
        ] {
            let mut octets = good;
            octets[octet] = value;
            let expected = Some(OutOfRange { part, value: told });
            assert_eq!(Cp56Time2a(octets).out_of_range(), expected, "{octets:?}");
            assert_eq!(part.octet(), octet);
            assert_eq!(TimeTag::Full(Cp56Time2a(octets)).part(part), Some(told));
        }
        let february = |day, year| Cp56Time2a([0, 0, 0, 0, day, 2, year]).out_of_range();
        assert_eq!(february(29, 24), None);
        assert_eq!(february(29, 23), Some(OutOfRange { part: Part::Day, value: 29 }));
        let short = Cp24Time2a([0, 0, 61]);
        assert_eq!(short.out_of_range(), Some(OutOfRange { part: Part::Minute, value: 61 }));
        assert_eq!(TimeTag::Short(short).part(Part::Hour), None);
        assert!(Cp16Time2a([0x60, 0xEA]).out_of_range());
    }

    #[test]
    fn all_seven_reserved_bits_are_told() {
        assert_eq!(Cp56Time2a([0xFF, 0xFF, 0xFF, 0x9F, 0xFF, 0x0F, 0x7F]).reserved(), 0);
        for (octet, bit, told) in
            [(3, 5, 0), (3, 6, 1), (5, 4, 2), (5, 5, 3), (5, 6, 4), (5, 7, 5), (6, 7, 6)]
        {
            let mut octets = [0; 7];
            octets[octet] = 1 << bit;
            assert_eq!(Cp56Time2a(octets).reserved(), 1 << told);
        }
    }

    #[test]
    fn the_short_form_counts_from_the_hour() {
        // 7.2.6.19: 59 min 59.999 s, not valid.
        let time = Cp24Time2a([0x5F, 0xEA, 0xBB]);
        assert_eq!(time.millisecond_of_hour(), Some(3_599_999));
        assert!(TimeTag::Short(time).invalid());
        assert_eq!(Cp24Time2a([0x60, 0xEA, 0]).millisecond_of_hour(), None);
        assert_eq!(Cp24Time2a([0, 0, 60]).millisecond_of_hour(), None);
    }

    #[test]
    fn the_elapsed_time_is_milliseconds() {
        // 7.2.6.20
        assert_eq!(Cp16Time2a([0x5F, 0xEA]).milliseconds(), 59_999);
    }
}
