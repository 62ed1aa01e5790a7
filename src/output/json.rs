//! JSON into a reused buffer, without the formatting machinery.
//!
//! Every value is written with a comma after it; closing an object or an array turns the last
//! comma into the bracket. So nobody has to remember whether a member is the first one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::time::Timestamp;

/// A buffer that takes JSON.
#[derive(Debug, Default)]
pub(crate) struct Json {
    /// All of it is initialised; what was written ends at `length`.
    octets: Vec<u8>,
    length: usize,
    clock: Clock,
}

impl Json {
    /// An empty buffer with room for `capacity` octets.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { octets: vec![0; capacity], ..Self::default() }
    }

    /// What was written.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// How many octets were written.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Takes back what was written after `length`.
    #[inline]
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Forgets what was written, keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }

    /// Text that is JSON already.
    pub(crate) fn raw(&mut self, json: &[u8]) {
        let end = self.length + json.len();
        if self.octets.len() < end {
            self.grow(end);
        }
        if let Some(place) = self.octets.get_mut(self.length..end) {
            place.copy_from_slice(json);
            self.length = end;
        }
    }

    /// Begins an object without a key: a record, or an element of an array.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.write(|pen, _| pen.put(b"{", 1));
    }

    /// The key, and the bracket that opens its object or array.
    #[inline]
    pub(crate) fn open(&mut self, key: &Key, bracket: u8) {
        self.with_key(key, |pen, _| pen.put(&[bracket], 1));
    }

    /// Ends an object or an array that is not empty: the comma after its last member becomes
    /// `bracket`.
    #[inline]
    pub(crate) fn close(&mut self, bracket: u8) {
        let last = self.length.checked_sub(1).and_then(|last| self.octets.get_mut(last));
        if let Some(last) = last {
            *last = bracket;
        }
    }

    /// Ends an object or an array, empty or not, that something may follow.
    #[inline]
    pub(crate) fn end(&mut self, bracket: u8) {
        self.end_with([bracket, b',']);
    }

    /// Ends a record.
    #[inline]
    pub(crate) fn end_line(&mut self) {
        self.end_with(*b"}\n");
    }

    #[inline]
    fn end_with(&mut self, end: [u8; 2]) {
        if self.as_bytes().ends_with(b",") {
            self.length -= 1;
        }
        self.write(|pen, _| pen.put(&end, 2));
    }

    /// A key and a value that were made when the layout was.
    #[inline]
    pub(crate) fn member(&mut self, member: &Member) {
        match member.0.short() {
            Some((text, length)) => self.write(|pen, _| pen.put(text, length)),
            None => self.raw(&member.0.long),
        }
    }

    #[inline]
    pub(crate) fn boolean(&mut self, key: &Key, flag: bool) {
        let text = if flag { b"true, " } else { b"false," };
        self.with_key(key, |pen, _| pen.put(text, 6 - usize::from(flag)));
    }

    #[inline(never)]
    pub(crate) fn integer(&mut self, key: &Key, number: i64) {
        self.with_key(key, |pen, _| pen.integer(number));
    }

    /// The shortest decimal that reads back to the same single; `null` for what JSON cannot say.
    #[inline]
    pub(crate) fn single(&mut self, key: &Key, number: f32) {
        self.float(key, number.is_finite(), ryu::Buffer::new().format(number));
    }

    /// The shortest decimal that reads back to the same double; `null` for what JSON cannot say.
    #[inline]
    pub(crate) fn double(&mut self, key: &Key, number: f64) {
        self.float(key, number.is_finite(), ryu::Buffer::new().format(number));
    }

    #[inline(never)]
    fn float(&mut self, key: &Key, finite: bool, decimal: &str) {
        self.with_key(key, |pen, _| {
            pen.short(if finite { decimal.as_bytes() } else { b"null" });
            pen.put(b",", 1);
        });
    }

    /// Text from the wire. Bytes that are not UTF-8 become U+FFFD.
    #[inline(never)]
    pub(crate) fn text(&mut self, key: &Key, text: &[u8]) {
        let is_plain = is_plain(text);
        if is_plain && text.len() < SHORT {
            return self.with_quote(key, |pen, _| {
                pen.short(text);
                pen.put(b"\",", 2);
            });
        }
        self.with_quote(key, |_, _| {});
        if is_plain {
            self.raw(text);
        } else {
            self.escaped(text);
        }
        self.raw(b"\",");
    }

    fn escaped(&mut self, text: &[u8]) {
        for chunk in text.utf8_chunks() {
            self.escaped_utf8(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                self.raw("\u{FFFD}".as_bytes());
            }
        }
    }

    fn escaped_utf8(&mut self, text: &[u8]) {
        let mut rest = text;
        while let Some(at) = rest.iter().position(|octet| needs_escape(*octet)) {
            let (plain, escaped) = rest.split_at(at);
            self.raw(plain);
            let Some((octet, after)) = escaped.split_first() else { return };
            self.write(|pen, _| pen.escape(*octet));
            rest = after;
        }
        self.raw(rest);
    }

    /// `"2026-11-23T04:55:59.123456+0000"`, as Suricata writes moments.
    #[inline(never)]
    pub(crate) fn time(&mut self, key: &Key, time: Timestamp) {
        self.with_quote(key, |pen, clock| {
            pen.put(clock.second(time.as_secs()), 19);
            pen.put(b".", 1);
            let micros = time.subsec_nanos() / 1000;
            pen.put(&two_digits(micros / 10_000), 2);
            pen.put(&four_digits(micros % 10_000), 4);
            pen.put(b"+0000\",", 7);
        });
    }

    #[inline(never)]
    pub(crate) fn address(&mut self, key: &Key, address: IpAddr) {
        match address {
            IpAddr::V4(v4) => self.with_quote(key, |pen, _| {
                pen.ipv4(v4);
                pen.put(b"\",", 2);
            }),
            IpAddr::V6(v6) => {
                self.with_quote(key, |_, _| {});
                self.write(|pen, _| {
                    pen.ipv6(v6);
                    pen.put(b"\",", 2);
                });
            }
        }
    }

    /// Writes a key, and lets `write` write what comes after it.
    #[inline(always)]
    fn with_key(&mut self, key: &Key, write: impl FnOnce(&mut Pen<'_>, &mut Clock)) {
        self.with_token(&key.0, key.0.length - 1, write);
    }

    /// The same after the quote that opens the value.
    #[inline(always)]
    fn with_quote(&mut self, key: &Key, write: impl FnOnce(&mut Pen<'_>, &mut Clock)) {
        self.with_token(&key.0, key.0.length, write);
    }

    #[inline(always)]
    fn with_token(
        &mut self,
        token: &Token<SHORT>,
        length: usize,
        write: impl FnOnce(&mut Pen<'_>, &mut Clock),
    ) {
        let mut length = length;
        if length > SHORT {
            self.raw(token.long.get(..length).unwrap_or_default());
            length = 0;
        }
        self.write(|pen, clock| {
            pen.put(&token.padded, length);
            write(pen, clock);
        });
    }

    /// Lets `write` write a little at the end: less than [`Pen::REACH`] and a last piece.
    #[inline(always)]
    fn write(&mut self, write: impl FnOnce(&mut Pen<'_>, &mut Clock)) {
        let wanted = self.length + Pen::WINDOW;
        if self.octets.len() < wanted {
            self.grow(wanted);
        }
        let rest = self.octets.get_mut(self.length..);
        if let Some(window) = rest.and_then(|rest| rest.first_chunk_mut()) {
            let mut pen = Pen { window, at: 0 };
            write(&mut pen, &mut self.clock);
            self.length += pen.at;
        }
    }

    #[cold]
    fn grow(&mut self, wanted: usize) {
        self.octets.resize(wanted * 2, 0);
    }
}

/// Texts below this length, and keys up to it, are copied without a call.
const SHORT: usize = 32;

/// Where the next octet goes, in a window at the end of what was written.
///
/// It lives in registers while one member is written: with the length of a `Vec` in memory, each
/// piece would wait for the one before it. And no piece needs a check of bounds: it begins within
/// the window's first half, and is no longer than the second.
struct Pen<'a> {
    window: &'a mut [u8; Pen::WINDOW],
    at: usize,
}

impl Pen<'_> {
    const WINDOW: usize = 2 * Self::REACH;
    /// Pieces begin before this.
    const REACH: usize = 64;

    /// The first `length` octets of `text`. Copying a width known at compile time and cutting it
    /// is cheaper than a call to copy a few octets.
    #[inline(always)]
    fn put<const WIDTH: usize>(&mut self, text: &[u8; WIDTH], length: usize) {
        const { assert!(WIDTH <= Self::REACH, "it would not fit behind the last place to begin") }
        debug_assert!(self.at < Self::REACH);
        let start = self.at % Self::REACH;
        self.window[start..start + WIDTH].copy_from_slice(text);
        self.at = start + length;
    }

    /// A text shorter than [`SHORT`], as two pieces that may overlap.
    #[inline(always)]
    fn short(&mut self, text: &[u8]) {
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
    fn integer(&mut self, number: i64) {
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
    fn ipv4(&mut self, address: Ipv4Addr) {
        address.octets().iter().for_each(|octet| self.octet(*octet, &BEFORE_POINT));
        self.at -= 1;
    }

    /// RFC 5952: lower case, no leading zeros, the first of the longest runs of zeros shortened if
    /// it has two groups or more, an IPv4-mapped address with its last part dotted.
    fn ipv6(&mut self, address: Ipv6Addr) {
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

    fn escape(&mut self, octet: u8) {
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

/// `"key":"`, made beforehand; the quote at the end is for values that are quoted.
#[derive(Debug)]
pub(crate) struct Key(Token<SHORT>);

impl Key {
    pub(crate) fn new(key: &str) -> Self {
        let mut json = Json::default();
        json.text(&Self::none(), key.as_bytes());
        json.close(b':');
        json.raw(b"\"");
        Self(Token::new(json.as_bytes()))
    }

    /// For the elements of an array, which have no key.
    pub(crate) fn none() -> Self {
        Self(Token::new(b"\""))
    }
}

/// `"key":value,`, made beforehand.
#[derive(Debug)]
pub(crate) struct Member(Token<48>);

impl Member {
    /// With a flag as the value; without a key as an element of an array.
    pub(crate) fn flag(key: Option<&str>, flag: bool) -> Self {
        Self::new(key, if flag { b"true," } else { b"false," })
    }

    /// With a name as the value; without a key as an element of an array.
    pub(crate) fn name(key: Option<&str>, name: &str) -> Self {
        let mut json = Json::default();
        json.text(&Key::none(), name.as_bytes());
        Self::new(key, json.as_bytes())
    }

    fn new(key: Option<&str>, value: &[u8]) -> Self {
        let mut json = Json::default();
        if let Some(key) = key {
            json.text(&Key::none(), key.as_bytes());
            json.close(b':');
        }
        json.raw(value);
        Self(Token::new(json.as_bytes()))
    }
}

/// Text that is written again and again.
#[derive(Debug)]
struct Token<const WIDTH: usize> {
    /// The text and some zeros; of long texts, which are rare, only the beginning.
    padded: [u8; WIDTH],
    length: usize,
    /// The whole text where it is longer than that.
    long: Box<[u8]>,
}

impl<const WIDTH: usize> Token<WIDTH> {
    fn new(text: &[u8]) -> Self {
        let mut padded = [0; WIDTH];
        let short = text.len().min(WIDTH);
        padded[..short].copy_from_slice(&text[..short]);
        let long = if text.len() > WIDTH { text.into() } else { Box::default() };
        Self { padded, length: text.len(), long }
    }

    /// The padded text and its length, if it is all of the text.
    #[inline(always)]
    fn short(&self) -> Option<(&[u8; WIDTH], usize)> {
        (self.length <= WIDTH).then_some((&self.padded, self.length))
    }
}

/// The civil times of the seconds that were asked for last: packets come many to a second, and
/// the ends of a flow are a few seconds apart.
#[derive(Debug)]
struct Clock([Second; 16]);

impl Default for Clock {
    fn default() -> Self {
        Self([Second { number: 0, text: *b"1970-01-01T00:00:00" }; 16])
    }
}

impl Clock {
    #[inline]
    fn second(&mut self, number: u64) -> &[u8; 19] {
        let second = &mut self.0[(number % 16) as usize];
        if second.number != number {
            second.turn_to(number);
        }
        &second.text
    }
}

/// A second and how it is written.
#[derive(Debug, Clone, Copy)]
struct Second {
    number: u64,
    text: [u8; 19],
}

impl Second {
    #[cold]
    fn turn_to(&mut self, number: u64) {
        // Every Timestamp lies before the year 2555, well inside of what jiff can say.
        let civil = jiff::tz::Offset::UTC
            .to_datetime(jiff::Timestamp::from_second(number as i64).unwrap_or_default());
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
        self.number = number;
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Two decimal digits of a number below 100.
#[inline]
fn two_digits(number: u32) -> [u8; 2] {
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
fn four_digits(number: u32) -> [u8; 4] {
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

const PLAIN: u8 = 0;
const CONTROL: u8 = 1;
const NOT_ASCII: u8 = 2;

/// Whether JSON does not take an octet of UTF-8 as it is.
#[inline]
fn needs_escape(octet: u8) -> bool {
    !matches!(escape_of(octet), PLAIN | NOT_ASCII)
}

/// Whether JSON takes a text as it is. Looks at eight octets at once.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk::<8>() else {
        return match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                let halves = [u32::from_ne_bytes(*first), u32::from_ne_bytes(*last)];
                is_plain_word(u64::from(halves[0]) << 32 | u64::from(halves[1]))
            }
            _ => text.iter().all(|octet| escape_of(*octet) == PLAIN),
        };
    };
    let (words, _) = text.as_chunks::<8>();
    words.iter().chain([last]).all(|word| is_plain_word(u64::from_ne_bytes(*word)))
}

/// Whether none of eight octets is a control, a quote, a backslash or not ASCII.
#[inline]
const fn is_plain_word(word: u64) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    // The lowest octet that is below `limit` borrows into its own high bit.
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let controls = below(word, 0x20);
    let quotes = below(word ^ (ONES * b'"' as u64), 1);
    let backslashes = below(word ^ (ONES * b'\\' as u64), 1);
    (word | controls | quotes | backslashes) & HIGHS == 0
}

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

    /// A value without its comma.
    fn written(write: impl FnOnce(&mut Json)) -> String {
        let mut json = Json::default();
        write(&mut json);
        json.truncate(json.len() - 1);
        String::from_utf8(json.as_bytes().to_vec()).unwrap()
    }

    fn quoted(text: &[u8]) -> String {
        written(|json| json.text(&Key::none(), text))
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
            json.time(&Key::none(), Timestamp::from_nanos(nanos));
            assert_eq!(json.as_bytes(), format!("\"{text}\",").as_bytes());
        }
    }

    #[test]
    fn numbers_that_json_cannot_say_are_null() {
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(written(|json| json.single(&Key::none(), number)), "null");
            assert_eq!(written(|json| json.double(&Key::none(), number.into())), "null");
        }
    }

    #[test]
    fn singles_are_as_short_as_they_can_be() {
        assert_eq!(written(|json| json.single(&Key::none(), 0.1)), "0.1");
        assert_eq!(written(|json| json.single(&Key::none(), 50.02)), "50.02");
        assert_eq!(written(|json| json.single(&Key::none(), -0.0)), "-0.0");
    }

    #[test]
    fn long_keys_and_members_are_written_whole() {
        for length in (0..40).chain([200]) {
            let text = "x".repeat(length);
            let member = written(|json| json.member(&Member::name(Some(&text), &text)));
            assert_eq!(member, format!("\"{text}\":\"{text}\""));
            let member = written(|json| json.text(&Key::new(&text), text.as_bytes()));
            assert_eq!(member, format!("\"{text}\":\"{text}\""));
        }
    }

    #[test]
    fn integers_of_every_length() {
        let powers = (0..19).map(|exponent| 10_i64.pow(exponent));
        let edges = powers.flat_map(|power| [power - 1, power, power + 1, -power]);
        for number in edges.chain([65_535, i64::MIN, i64::MAX]) {
            assert_eq!(written(|json| json.integer(&Key::none(), number)), number.to_string());
        }
    }

    #[test]
    fn no_octet_hides_from_the_look_at_eight_at_once() {
        for length in 1..=24 {
            for at in 0..length {
                for octet in 0..=255 {
                    let mut text = vec![b'x'; length];
                    text[at] = octet;
                    let plain = !matches!(octet, 0..0x20 | b'"' | b'\\' | 0x80..);
                    assert_eq!(is_plain(&text), plain, "{octet:#x} at {at} of {length}");
                }
            }
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
            assert_eq!(
                written(|json| json.address(&Key::none(), text.parse().unwrap())),
                format!("\"{text}\"")
            );
        }
    }

    proptest! {
        #[test]
        fn every_text_reads_back(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            let read: String = serde_json::from_str(&quoted(&text)).unwrap();
            prop_assert_eq!(read, String::from_utf8_lossy(&text));
        }

        #[test]
        fn every_character_reads_back(text in ".*") {
            let read: String = serde_json::from_str(&quoted(text.as_bytes())).unwrap();
            prop_assert_eq!(read, text);
        }

        #[test]
        fn ipv4_agrees_with_std(bits in any::<u32>()) {
            let address = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(written(|json| json.address(&Key::none(), address.into())), format!("\"{address}\""));
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
            prop_assert_eq!(written(|json| json.address(&Key::none(), address.into())), format!("\"{address}\""));
        }

        #[test]
        fn singles_read_back_to_the_same_bits(bits in any::<u32>()) {
            let number = f32::from_bits(bits);
            prop_assume!(number.is_finite());
            let read: f32 = written(|json| json.single(&Key::none(), number)).parse().unwrap();
            prop_assert_eq!(read.to_bits(), bits);
        }

        #[test]
        fn moments_agree_with_jiff(nanos in any::<u64>()) {
            let stamp = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap();
            let civil = jiff::tz::Offset::UTC.to_datetime(stamp);
            let expected = civil.strftime("\"%Y-%m-%dT%H:%M:%S.%6f+0000\"").to_string();
            prop_assert_eq!(written(|json| json.time(&Key::none(), Timestamp::from_nanos(nanos))), expected);
        }
    }
}
