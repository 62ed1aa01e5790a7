//! JSON into a reused buffer, without the formatting machinery.
//!
//! Members are written with a comma after them; closing an object or an array turns the last
//! comma into the bracket. So nobody has to remember whether a member is the first one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::time::Timestamp;

/// A buffer that takes JSON tokens.
#[derive(Debug, Default)]
pub(crate) struct Json {
    octets: Vec<u8>,
    clock: Clock,
}

impl Json {
    /// An empty buffer with room for `capacity` octets.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { octets: Vec::with_capacity(capacity), clock: Clock::default() }
    }

    /// What was written.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.octets
    }

    /// How many octets were written.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.octets.len()
    }

    /// Takes back what was written after `length`.
    #[inline]
    pub(crate) fn truncate(&mut self, length: usize) {
        self.octets.truncate(length);
    }

    /// Forgets what was written, keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.octets.clear();
    }

    /// Text that is JSON already.
    #[inline]
    pub(crate) fn raw(&mut self, json: &[u8]) {
        self.octets.extend_from_slice(json);
    }

    /// A token that was made when the layout was.
    #[inline]
    pub(crate) fn token(&mut self, token: &Token) {
        token.append_to(&mut self.octets);
    }

    /// One octet of syntax.
    #[inline]
    pub(crate) fn push(&mut self, octet: u8) {
        self.octets.push(octet);
    }

    /// Ends an object or an array that is not empty: the comma after its last member becomes
    /// `bracket`.
    #[inline]
    pub(crate) fn close(&mut self, bracket: u8) {
        if let Some(last) = self.octets.last_mut() {
            *last = bracket;
        }
    }

    #[inline]
    pub(crate) fn boolean(&mut self, flag: bool) {
        self.raw(if flag { b"true" } else { b"false" });
    }

    #[inline]
    pub(crate) fn integer(&mut self, number: i64) {
        self.raw(itoa::Buffer::new().format(number).as_bytes());
    }

    /// The shortest decimal that reads back to the same single; `null` for what JSON cannot say.
    pub(crate) fn single(&mut self, number: f32) {
        if number.is_finite() {
            self.raw(ryu::Buffer::new().format_finite(number).as_bytes());
        } else {
            self.raw(b"null");
        }
    }

    /// The shortest decimal that reads back to the same double; `null` for what JSON cannot say.
    pub(crate) fn double(&mut self, number: f64) {
        if number.is_finite() {
            self.raw(ryu::Buffer::new().format_finite(number).as_bytes());
        } else {
            self.raw(b"null");
        }
    }

    /// Text from the wire. Bytes that are not UTF-8 become U+FFFD.
    #[inline]
    pub(crate) fn string(&mut self, text: &[u8]) {
        self.octets.push(b'"');
        if text.iter().all(|octet| escape_of(*octet) == PLAIN) {
            self.raw(text);
        } else {
            self.escaped(text);
        }
        self.octets.push(b'"');
    }

    #[cold]
    fn escaped(&mut self, text: &[u8]) {
        for chunk in text.utf8_chunks() {
            self.escaped_utf8(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                self.raw("\u{FFFD}".as_bytes());
            }
        }
    }

    fn escaped_utf8(&mut self, text: &[u8]) {
        for octet in text {
            match escape_of(*octet) {
                PLAIN | NOT_ASCII => self.octets.push(*octet),
                CONTROL => {
                    let digits = [HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 0x0F)]];
                    self.raw(b"\\u00");
                    self.raw(&digits);
                }
                letter => self.raw(&[b'\\', letter]),
            }
        }
    }

    /// `"2026-11-23T04:55:59.123456+0000"`, as Suricata writes moments.
    #[inline]
    pub(crate) fn time(&mut self, time: Timestamp) {
        let mut text = *b"\"2026-11-23T04:55:59.123456+0000\"";
        text[1..20].copy_from_slice(self.clock.second(time.as_secs()));
        let micros = time.subsec_nanos() / 1000;
        text[21..23].copy_from_slice(&two_digits(micros / 10_000));
        text[23..25].copy_from_slice(&two_digits(micros / 100 % 100));
        text[25..27].copy_from_slice(&two_digits(micros % 100));
        self.raw(&text);
    }

    /// An address, quoted.
    #[inline]
    pub(crate) fn address(&mut self, address: IpAddr) {
        self.octets.push(b'"');
        match address {
            IpAddr::V4(v4) => self.ipv4(v4),
            IpAddr::V6(v6) => self.ipv6(v6),
        }
        self.octets.push(b'"');
    }

    fn ipv4(&mut self, address: Ipv4Addr) {
        let mut text = [b'.'; 16];
        let mut length = 0;
        for octet in address.octets() {
            let (digits, count) = DECIMAL[usize::from(octet)];
            text[length..length + 3].copy_from_slice(&digits);
            length += usize::from(count);
            text[length] = b'.';
            length += 1;
        }
        self.raw(&text[..length - 1]);
    }

    /// RFC 5952: lower case, no leading zeros, the first of the longest runs of zeros shortened if
    /// it has two groups or more, an IPv4-mapped address with its last part dotted.
    fn ipv6(&mut self, address: Ipv6Addr) {
        if let Some(mapped) = address.to_ipv4_mapped() {
            self.raw(b"::ffff:");
            self.ipv4(mapped);
            return;
        }
        let groups = address.segments();
        let zeros = longest_run_of_zeros(&groups);
        for (position, group) in groups.iter().enumerate() {
            if zeros.contains(&position) {
                if position == zeros.start {
                    self.raw(b"::");
                }
                continue;
            }
            if position > 0 && position != zeros.end {
                self.octets.push(b':');
            }
            self.hexadecimal(*group);
        }
    }

    fn hexadecimal(&mut self, group: u16) {
        let digits = [12, 8, 4, 0].map(|shift| HEX[usize::from(group >> shift & 0x0F)]);
        let leading_zeros = (group.leading_zeros() / 4).min(3) as usize;
        self.raw(&digits[leading_zeros..]);
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

/// A key or a name as it stands in the text. Short ones, which is nearly all of them, are copied
/// with a width known at compile time and then cut: cheaper than a call to copy a few octets.
#[derive(Debug)]
pub(crate) struct Token {
    padded: [u8; Self::WIDTH],
    length: usize,
    /// The whole text where it is longer than that.
    long: Box<[u8]>,
}

impl Token {
    const WIDTH: usize = 32;

    /// A token with this text.
    pub(crate) fn new(text: &[u8]) -> Self {
        let mut padded = [0; Self::WIDTH];
        let long: Box<[u8]> = match padded.get_mut(..text.len()) {
            Some(short) => {
                short.copy_from_slice(text);
                Box::default()
            }
            None => text.into(),
        };
        Self { padded, length: text.len(), long }
    }

    /// `"name":`
    pub(crate) fn key(name: &str) -> Self {
        let mut json = Json::default();
        json.string(name.as_bytes());
        json.push(b':');
        Self::new(json.as_bytes())
    }

    /// `"name"`
    pub(crate) fn name(name: &str) -> Self {
        let mut json = Json::default();
        json.string(name.as_bytes());
        Self::new(json.as_bytes())
    }

    #[inline]
    fn append_to(&self, octets: &mut Vec<u8>) {
        if self.length > Self::WIDTH {
            octets.extend_from_slice(&self.long);
            return;
        }
        let end = octets.len() + self.length;
        octets.extend_from_slice(&self.padded);
        octets.truncate(end);
    }
}

/// The civil time of the second that was asked for last: packets come many to a second.
#[derive(Debug)]
struct Clock {
    second: u64,
    text: [u8; 19],
}

impl Default for Clock {
    fn default() -> Self {
        Self { second: 0, text: *b"1970-01-01T00:00:00" }
    }
}

impl Clock {
    #[inline]
    fn second(&mut self, second: u64) -> &[u8; 19] {
        if second != self.second {
            self.turn_to(second);
        }
        &self.text
    }

    #[cold]
    fn turn_to(&mut self, second: u64) {
        // Every Timestamp lies before the year 2555, well inside of what jiff can say.
        let civil = jiff::tz::Offset::UTC
            .to_datetime(jiff::Timestamp::from_second(second as i64).unwrap_or_default());
        let year: u32 = civil.year().unsigned_abs().into();
        let fields = [
            year / 100,
            year % 100,
            civil.month().unsigned_abs().into(),
            civil.day().unsigned_abs().into(),
            civil.hour().unsigned_abs().into(),
            civil.minute().unsigned_abs().into(),
            civil.second().unsigned_abs().into(),
        ];
        for (at, field) in [0, 2, 5, 8, 11, 14, 17].into_iter().zip(fields) {
            self.text[at..at + 2].copy_from_slice(&two_digits(field));
        }
        self.second = second;
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Two decimal digits of a number below 100.
#[inline]
fn two_digits(number: u32) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

/// Digits of an octet in decimal, and how many they are.
static DECIMAL: [([u8; 3], u8); 256] = {
    let mut table = [([0; 3], 0); 256];
    let mut number = 0;
    while number < 256 {
        let (hundreds, tens, ones) = (
            b'0' + (number / 100) as u8,
            b'0' + (number / 10 % 10) as u8,
            b'0' + (number % 10) as u8,
        );
        table[number] = match number {
            0..10 => ([ones, 0, 0], 1),
            10..100 => ([tens, ones, 0], 2),
            _ => ([hundreds, tens, ones], 3),
        };
        number += 1;
    }
    table
};

const PLAIN: u8 = 0;
const CONTROL: u8 = 1;
const NOT_ASCII: u8 = 2;

/// How RFC 8259 section 7 wants an octet written: one of the three above, or the letter after a
/// backslash.
#[inline]
fn escape_of(octet: u8) -> u8 {
    static ESCAPES: [u8; 256] = {
        let mut table = [PLAIN; 256];
        let mut octet = 0;
        while octet < 256 {
            table[octet] = match octet as u8 {
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0x08 => b'b',
                0x0C => b'f',
                b'"' => b'"',
                b'\\' => b'\\',
                0..0x20 => CONTROL,
                0x80.. => NOT_ASCII,
                _ => PLAIN,
            };
            octet += 1;
        }
        table
    };
    ESCAPES[usize::from(octet)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Json)) -> String {
        let mut json = Json::default();
        write(&mut json);
        String::from_utf8(json.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn moments_look_as_in_suricata() {
        let mut json = Json::default();
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00.000000+0000"),
            (1_795_409_759_123_456_789, "2026-11-23T04:55:59.123456+0000"),
            (1_795_409_759_000_000_999, "2026-11-23T04:55:59.000000+0000"),
            (1_709_164_800_000_001_000, "2024-02-29T00:00:00.000001+0000"),
            (u64::MAX, "2554-07-21T23:34:33.709551+0000"),
        ] {
            json.clear();
            json.time(Timestamp::from_nanos(nanos));
            assert_eq!(json.as_bytes(), format!("\"{text}\"").as_bytes());
        }
    }

    #[test]
    fn numbers_that_json_cannot_say_are_null() {
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(written(|json| json.single(number)), "null");
            assert_eq!(written(|json| json.double(number.into())), "null");
        }
    }

    #[test]
    fn singles_are_as_short_as_they_can_be() {
        assert_eq!(written(|json| json.single(0.1)), "0.1");
        assert_eq!(written(|json| json.single(50.02)), "50.02");
        assert_eq!(written(|json| json.single(-0.0)), "-0.0");
    }

    #[test]
    fn long_tokens_are_written_whole() {
        for length in [0, 31, 32, 33, 200] {
            let text = "x".repeat(length);
            assert_eq!(written(|json| json.token(&Token::new(text.as_bytes()))), text);
        }
    }

    #[test]
    fn addresses_of_rfc_5952() {
        for text in [
            "::",
            "::1",
            "1::",
            "2001:db8::1",
            "2001:db8:0:1:1:1:1:1",
            "2001:0:0:1::1",
            "fe80::1:0:0:1",
        ] {
            assert_eq!(written(|json| json.address(text.parse().unwrap())), format!("\"{text}\""));
        }
    }

    proptest! {
        #[test]
        fn every_text_reads_back(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            let json = written(|json| json.string(&text));
            let read: String = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read, String::from_utf8_lossy(&text));
        }

        #[test]
        fn every_character_reads_back(text in ".*") {
            let read: String =
                serde_json::from_str(&written(|json| json.string(text.as_bytes()))).unwrap();
            prop_assert_eq!(read, text);
        }

        #[test]
        fn ipv4_agrees_with_std(bits in any::<u32>()) {
            let address = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(written(|json| json.ipv4(address)), address.to_string());
        }

        #[test]
        fn ipv6_agrees_with_std(
            groups in any::<[u16; 8]>(), shifts in any::<[u8; 8]>(), zeros in any::<u8>(),
        ) {
            let mut groups = groups;
            for (position, group) in groups.iter_mut().enumerate() {
                *group >>= shifts[position] % 16;
                *group *= u16::from(zeros >> position & 1);
            }
            let address = Ipv6Addr::from(groups);
            prop_assert_eq!(written(|json| json.ipv6(address)), address.to_string());
        }

        #[test]
        fn singles_read_back_to_the_same_bits(bits in any::<u32>()) {
            let number = f32::from_bits(bits);
            prop_assume!(number.is_finite());
            let read: f32 = written(|json| json.single(number)).parse().unwrap();
            prop_assert_eq!(read.to_bits(), bits);
        }

        #[test]
        fn moments_agree_with_jiff(nanos in any::<u64>()) {
            let stamp = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap();
            let civil = jiff::tz::Offset::UTC.to_datetime(stamp);
            let expected = civil.strftime("\"%Y-%m-%dT%H:%M:%S.%6f+0000\"").to_string();
            prop_assert_eq!(written(|json| json.time(Timestamp::from_nanos(nanos))), expected);
        }
    }
}
