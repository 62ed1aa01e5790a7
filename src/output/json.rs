//! JSON into a reused buffer, without the formatting machinery.
//!
//! Every value is written with a comma after it; closing an object or an array turns the last
//! comma into the bracket. So nobody has to remember whether a member is the first one.

use std::net::IpAddr;
use std::ops::Range;

use super::clock::Clock;
use super::escape::is_plain;
use super::pen::{Pen, SHORT, four_digits, two_digits};
use crate::json::{self, Paths};
use crate::time::Timestamp;

/// A buffer that takes JSON.
#[derive(Debug, Default)]
pub(crate) struct Json {
    /// All of it is initialised; what was written ends at `length`.
    octets: Vec<u8>,
    length: usize,
    clock: Clock,
    /// Memory for excerpts of documents.
    excerpt: Vec<u8>,
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

    /// What was written after `length`.
    #[inline]
    pub(crate) fn since(&self, length: usize) -> &[u8] {
        self.octets.get(length..self.length).unwrap_or_default()
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

    /// What was written at `range`, once more.
    #[inline]
    pub(crate) fn again(&mut self, range: Range<usize>) {
        let end = self.length + range.len();
        if self.octets.len() < end {
            self.grow(end);
        }
        if range.end <= self.length {
            self.octets.copy_within(range, self.length);
            self.length = end;
        }
    }

    /// Puts a text over one of the same length that was written at `place`.
    pub(crate) fn fill_in(&mut self, place: usize, text: &[u8]) {
        if let Some(there) = self.octets.get_mut(place..place + text.len()) {
            there.copy_from_slice(text);
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

    /// As much of a JSON document as the paths lead to; nothing if that is nothing.
    pub(crate) fn excerpt(&mut self, key: &Key, document: &[u8], paths: &Paths) {
        let mut excerpt = std::mem::take(&mut self.excerpt);
        excerpt.clear();
        if json::excerpt(document, paths, &mut excerpt) {
            // The key, without a value: the bracket is the excerpt's own.
            self.open(key, b'{');
            self.length -= 1;
            self.raw(&excerpt);
            self.raw(b",");
        }
        self.excerpt = excerpt;
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

    /// A number or a flag that is text already.
    pub(crate) fn plain(&mut self, key: &Key, text: &[u8]) {
        self.with_key(key, |_, _| {});
        self.raw(text);
        self.raw(b",");
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
        if text.is_ascii() {
            return self.escaped_utf8(text);
        }
        for chunk in text.utf8_chunks() {
            self.escaped_utf8(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                self.raw("\u{FFFD}".as_bytes());
            }
        }
    }

    fn escaped_utf8(&mut self, text: &[u8]) {
        for piece in text.chunks(Pen::ESCAPED) {
            self.write(|pen, _| piece.iter().for_each(|octet| pen.escape(*octet)));
        }
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

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
