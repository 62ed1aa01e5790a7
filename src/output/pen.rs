//! Short pieces of text, put one behind the other without a call and without a check each.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::escape::{CONTROL, NOT_ASCII, PLAIN, escape_of};

/// Texts below this length, and keys up to it, are copied without a call.
pub(super) const SHORT: usize = 32;

/// Where the next octet goes, in a window at the end of what was written.
///
/// It lives in registers while one member is written: with the length of a `Vec` in memory, each
/// piece would wait for the one before it. And no piece needs a check of bounds: it begins within
/// the window's first half, and is no longer than the second.
pub(super) struct Pen<'a> {
    pub(super) window: &'a mut [u8; Pen::WINDOW],
    pub(super) at: usize,
}

impl Pen<'_> {
    /// Octets of the window.
    pub(super) const WINDOW: usize = 2 * Self::REACH;
    /// Pieces begin before this.
    const REACH: usize = 64;

    /// So many octets fit before [`REACH`](Self::REACH) if each of them is escaped.
    pub(super) const ESCAPED: usize = Self::REACH / b"\\u0000".len();

    /// The first `length` octets of `text`. Copying a width known at compile time and cutting it
    /// is cheaper than a call to copy a few octets.
    #[inline(always)]
    pub(super) fn put<const WIDTH: usize>(&mut self, text: &[u8; WIDTH], length: usize) {
        const { assert!(WIDTH <= Self::REACH, "it would not fit behind the last place to begin") }
        debug_assert!(self.at < Self::REACH);
        let start = self.at % Self::REACH;
        self.window[start..start + WIDTH].copy_from_slice(text);
        self.at = start + length;
    }

    /// A text shorter than [`SHORT`], as two pieces that may overlap.
    #[inline(always)]
    pub(super) fn short(&mut self, text: &[u8]) {
        match text.len() {
            0..4 => text.iter().for_each(|octet| self.put(&[*octet], 1)),
            4..8 => self.ends::<4>(text),
            8..16 => self.ends::<8>(text),
            _ => self.ends::<16>(text),
        }
    }

    #[inline(always)]
    fn ends<const WIDTH: usize>(&mut self, text: &[u8]) {
        if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
            self.put::<WIDTH>(first, text.len() - WIDTH);
            self.put::<WIDTH>(last, WIDTH);
        }
    }

    /// With a comma behind it.
    #[inline(always)]
    pub(super) fn integer(&mut self, number: i64) {
        const FOUR_DIGITS: u64 = 10_000;
        const EIGHT_DIGITS: u64 = FOUR_DIGITS * FOUR_DIGITS;
        const SIXTEEN_DIGITS: u64 = EIGHT_DIGITS * EIGHT_DIGITS;
        match u64::try_from(number) {
            Ok(number @ 0..256) => return self.octet(number as u8, &BEFORE_COMMA),
            Ok(number @ 256..EIGHT_DIGITS) => self.up_to_eight_digits(number as u32),
            Ok(number @ EIGHT_DIGITS..SIXTEEN_DIGITS) => {
                self.up_to_eight_digits((number / EIGHT_DIGITS) as u32);
                let rest = (number % EIGHT_DIGITS) as u32;
                self.put(&four_digits(rest / 10_000), 4);
                self.put(&four_digits(rest % 10_000), 4);
            }
            _ => self.short(itoa::Buffer::new().format(number).as_bytes()),
        }
        self.put(b",", 1);
    }

    #[inline(always)]
    fn up_to_eight_digits(&mut self, number: u32) {
        if number < 10_000 {
            self.up_to_four_digits(number);
        } else {
            self.up_to_four_digits(number / 10_000);
            self.put(&four_digits(number % 10_000), 4);
        }
    }

    #[inline(always)]
    fn up_to_four_digits(&mut self, number: u32) {
        let zeros =
            usize::from(number < 1000) + usize::from(number < 100) + usize::from(number < 10);
        let digits = u32::from_le_bytes(four_digits(number)) >> (8 * zeros);
        self.put(&digits.to_le_bytes(), 4 - zeros);
    }

    #[inline(always)]
    fn octet(&mut self, octet: u8, decimals: &Decimals) {
        let (text, length) = &decimals[usize::from(octet)];
        self.put(text, usize::from(*length));
    }

    #[inline(always)]
    pub(super) fn ipv4(&mut self, address: Ipv4Addr) {
        address.octets().iter().for_each(|octet| self.octet(*octet, &BEFORE_POINT));
        self.at -= 1;
    }

    /// RFC 5952: lower case, no leading zeros, the first of the longest runs of zeros shortened if
    /// it has two groups or more, an IPv4-mapped address with its last part dotted.
    pub(super) fn ipv6(&mut self, address: Ipv6Addr) {
        if let Some(mapped) = address.to_ipv4_mapped() {
            self.put(b"::ffff:", 7);
            self.ipv4(mapped);
            return;
        }
        let groups = address.segments();
        let zeros = longest_run_of_zeros(&groups);
        for (position, group) in groups.iter().enumerate() {
            if zeros.contains(&position) {
                if position == zeros.start {
                    self.put(b"::", 2);
                }
                continue;
            }
            if position > 0 && position != zeros.end {
                self.put(b":", 1);
            }
            self.hexadecimal(*group);
        }
    }

    #[inline(always)]
    fn hexadecimal(&mut self, group: u16) {
        let leading_zeros = (group.leading_zeros() / 4).min(3) as usize;
        let digits = u32::from(group) << (leading_zeros * 4);
        let digits = [12, 8, 4, 0].map(|shift| HEX[(digits >> shift & 0x0F) as usize]);
        self.put(&digits, 4 - leading_zeros);
    }

    #[inline(always)]
    pub(super) fn escape(&mut self, octet: u8) {
        match escape_of(octet) {
            PLAIN | NOT_ASCII => self.put(&[octet], 1),
            CONTROL => {
                let digits = [HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 0x0F)]];
                self.put(b"\\u00", 4);
                self.put(&digits, 2);
            }
            letter => self.put(&[b'\\', letter], 2),
        }
    }
}

/// Where the zeros are that `::` stands for; two equal ends outside the address if nowhere.
fn longest_run_of_zeros(groups: &[u16; 8]) -> std::ops::Range<usize> {
    let mut longest = 8..8;
    let mut start = 0;
    for (position, group) in groups.iter().enumerate() {
        if *group != 0 {
            start = position + 1;
        } else if position + 1 - start > longest.len().max(1) {
            longest = start..position + 1;
        }
    }
    if longest.is_empty() { usize::MAX..usize::MAX } else { longest }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// All digits of a number.
pub(super) fn hexadecimal(number: u64) -> [u8; 16] {
    std::array::from_fn(|digit| HEX[(number >> (60 - 4 * digit) & 0x0F) as usize])
}

/// Two decimal digits of a number below 100.
#[inline]
pub(super) fn two_digits(number: u32) -> [u8; 2] {
    static PAIRS: [[u8; 2]; 100] = {
        let mut pairs = [[0; 2]; 100];
        let mut number = 0;
        while number < 100 {
            pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
            number += 1;
        }
        pairs
    };
    PAIRS.get(number as usize).copied().unwrap_or_default()
}

/// Four decimal digits of a number below 10,000.
#[inline]
pub(super) fn four_digits(number: u32) -> [u8; 4] {
    let ([a, b], [c, d]) = (two_digits(number / 100), two_digits(number % 100));
    [a, b, c, d]
}

/// An octet in decimal with a separator behind it, and how many characters that is.
type Decimals = [([u8; 4], u8); 256];

static BEFORE_COMMA: Decimals = decimals(b',');
static BEFORE_POINT: Decimals = decimals(b'.');

const fn decimals(separator: u8) -> Decimals {
    let mut table = [([separator; 4], 0); 256];
    let mut number = 0;
    while number < 256 {
        let hundreds = b'0' + (number / 100) as u8;
        let tens = b'0' + (number / 10 % 10) as u8;
        let ones = b'0' + (number % 10) as u8;
        table[number] = match number {
            0..10 => ([ones, separator, 0, 0], 2),
            10..100 => ([tens, ones, separator, 0], 3),
            _ => ([hundreds, tens, ones, separator], 4),
        };
        number += 1;
    }
    table
}
