//! How an alert stands in a segment of the spool.
//!
//! ```text
//!  0      1       2        6        10
//!  +------+-------+--------+--------+----------------+
//!  | 0x1e | level | length |  CRC   | line … line feed |
//!  +------+-------+--------+--------+----------------+
//! ```
//!
//! The first octet is the record separator, as in RFC 7464: a line of JSON never has it, so that
//! the next record is found again after damage. The length is that of the line, in octets. The CRC
//! (that of IEEE 802.3) covers the number of the segment, level, length and line: what a disk left
//! over from another segment is no record of this one. Numbers are little-endian.

use crate::bytes::Cursor;
use crate::rule::Level;

/// What stands before each line.
const HEADER: usize = 10;
const SEPARATOR: u8 = 0x1e;

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// A record, which ends at this offset.
    Record { line: &'a [u8], level: Level, end: usize },
    /// Nothing more.
    End,
}

/// How many octets the record of a line has.
pub(super) fn length_of(line: &[u8]) -> usize {
    HEADER + line.len()
}

/// Adds a record for segment `number`. A line is part of a chunk, and so shorter than 4 GiB.
pub(super) fn put(number: u64, line: &[u8], level: Level, into: &mut Vec<u8>) {
    let level = octet_of(level);
    into.extend([SEPARATOR, level]);
    into.extend((line.len() as u32).to_le_bytes());
    into.extend(checksum(number, level, line).to_le_bytes());
    into.extend(line);
}

/// Finds the next record at or after `from`, and whether something had to be passed over.
pub(super) fn next(number: u64, octets: &[u8], from: usize) -> (Next<'_>, bool) {
    let mut at = from;
    while let Some(left) = octets.get(at..) {
        if let Some((line, level)) = record(number, left) {
            let end = at + length_of(line);
            return (Next::Record { line, level, end }, at > from);
        }
        let behind = left.get(1..).unwrap_or_default();
        match memchr::memchr(SEPARATOR, behind) {
            Some(found) => at += 1 + found,
            None => break,
        }
    }
    (Next::End, from < octets.len())
}

/// The record at the beginning of these octets.
fn record(number: u64, octets: &[u8]) -> Option<(&[u8], Level)> {
    let mut cursor = Cursor::new(octets);
    if cursor.u8().ok()? != SEPARATOR {
        return None;
    }
    let level = cursor.u8().ok()?;
    let length = cursor.u32_le().ok()?;
    let expected = cursor.u32_le().ok()?;
    let line = cursor.take(length as usize).ok()?;
    (checksum(number, level, line) == expected).then_some((line, level_of(level)?))
}

fn checksum(number: u64, level: u8, line: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&[level]);
    hasher.update(&(line.len() as u64).to_le_bytes());
    hasher.update(line);
    hasher.finalize()
}

/// On disk a level stays what it is, whatever becomes of the order of the type.
const LEVELS: [(u8, Level); 5] = [
    (1, Level::Informational),
    (2, Level::Low),
    (3, Level::Medium),
    (4, Level::High),
    (5, Level::Critical),
];

fn octet_of(level: Level) -> u8 {
    LEVELS.iter().find(|(_, known)| *known == level).map_or(0, |(octet, _)| *octet)
}

fn level_of(octet: u8) -> Option<Level> {
    LEVELS.iter().find(|(known, _)| *known == octet).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(octets: &[u8]) -> (Vec<Vec<u8>>, u32) {
        let (mut lines, mut damages, mut at) = (Vec::new(), 0, 0);
        loop {
            let (found, damaged) = next(7, octets, at);
            damages += u32::from(damaged);
            let Next::Record { line, end, .. } = found else { return (lines, damages) };
            lines.push(line.to_vec());
            at = end;
        }
    }

    #[test]
    fn records_come_back_as_they_were() {
        let mut octets = Vec::new();
        for (_, level) in LEVELS {
            put(7, level.name().as_bytes(), level, &mut octets);
        }
        let mut at = 0;
        for (_, expected) in LEVELS {
            let (Next::Record { line, level, end }, false) = next(7, &octets, at) else { panic!() };
            assert_eq!((line, level), (expected.name().as_bytes(), expected));
            at = end;
        }
        assert_eq!(next(7, &octets, at), (Next::End, false));
        assert_eq!(next(8, &octets, 0), (Next::End, true), "another segment's records");
    }

    #[test]
    fn a_damaged_octet_costs_its_record_only() {
        let mut octets = Vec::new();
        for line in [&b"{\"a\":1}\n"[..], b"{}\n", b"{\"b\":\"\x1e\"}\n"] {
            put(7, line, Level::High, &mut octets);
        }
        let (whole, 0) = lines(&octets) else { panic!() };
        for at in 0..octets.len() {
            for flip in [0x01, 0x10, 0xff] {
                let mut damaged = octets.clone();
                damaged[at] ^= flip;
                let (left, damages) = lines(&damaged);
                assert_eq!((left.len(), damages), (2, 1), "octet {at}");
                assert!(left.iter().all(|line| whole.contains(line)));
            }
        }
    }

    #[test]
    fn a_torn_tail_ends_it() {
        let mut octets = Vec::new();
        put(7, b"{}\n", Level::Low, &mut octets);
        let first = octets.len();
        put(7, b"{\"torn\":true}\n", Level::Low, &mut octets);
        for end in first..octets.len() {
            assert_eq!(lines(&octets[..end]), (vec![b"{}\n".to_vec()], u32::from(end > first)));
        }
    }
}
