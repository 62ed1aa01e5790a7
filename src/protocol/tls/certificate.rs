//! Certificates (RFC 5280): who an end says it is.

use der::{AnyRef, Reader, SliceReader, Tag, TagNumber, Tagged};
use sha1::{Digest, Sha1};

use super::distinguished_name;
use crate::event::Hex;
use crate::time::Timestamp;

/// What is kept of a certificate.
#[derive(Debug)]
pub(super) struct Certificate {
    /// Whose it is.
    pub(super) subject: Box<str>,
    /// Who signed it.
    pub(super) issuer: Box<str>,
    /// Its number, octets in hexadecimal with colons.
    pub(super) serial: Box<str>,
    /// SHA-1 of it, octets in hexadecimal with colons.
    pub(super) fingerprint: Box<str>,
    /// From when on it holds.
    pub(super) not_before: Option<Moment>,
    /// Until when it holds.
    pub(super) not_after: Option<Moment>,
    /// Other names of the subject.
    pub(super) alternative_names: Box<[Box<[u8]>]>,
    /// Whether subject and issuer are the same.
    pub(super) self_issued: bool,
    /// Whether it held at the time of the packet, where that is known.
    pub(super) validity: Option<Validity>,
}

/// Whether a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Validity {
    NotYet,
    Valid,
    Expired,
}

impl Validity {
    pub(super) const NAMES: &'static [&'static str] = &["not_yet_valid", "valid", "expired"];
}

/// Alternative names that are kept.
const MOST_NAMES: usize = 64;
/// Octets of one that are kept: a host name has 253.
const LONGEST_NAME: usize = 256;
/// Octets of a serial number that are shown: 20 is the most that there should be (4.1.2.2).
const LONGEST_SERIAL: usize = 64;

/// `subjectAltName` (4.2.1.6).
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 29, 17];

impl Certificate {
    /// Reads a certificate that was seen at this time; `None` if nobody trusts the clock.
    pub(super) fn read(der: &[u8], now: Option<Timestamp>) -> Result<Self, der::Error> {
        let mut whole = SliceReader::new(der)?;
        let outer: AnyRef<'_> = whole.decode()?;
        whole.finish()?;
        // The algorithm and the value of the signature follow.
        let mut parts = sequence(outer)?;
        let mut fields = sequence(parts.decode()?)?;
        let mut serial: AnyRef<'_> = fields.decode()?;
        // The version, if it is not the first.
        if is_context(serial.tag(), 0) {
            serial = fields.decode()?;
        }
        serial.tag().assert_eq(Tag::Integer)?;
        let _signature: AnyRef<'_> = fields.decode()?;
        let issuer = inside(fields.decode()?)?;
        let mut validity = sequence(fields.decode()?)?;
        let not_before = Moment::read(validity.decode()?);
        let not_after = Moment::read(validity.decode()?);
        let subject = inside(fields.decode()?)?;
        let _public_key: AnyRef<'_> = fields.decode()?;
        Ok(Self {
            subject: distinguished_name::text(subject)?,
            issuer: distinguished_name::text(issuer)?,
            serial: with_colons(significant(serial.value()), true),
            fingerprint: with_colons(&Sha1::digest(der), false),
            not_before,
            not_after,
            alternative_names: alternative_names(fields)?,
            self_issued: subject == issuer,
            validity: now.and_then(|now| Validity::at(now, not_before?, not_after?)),
        })
    }
}

impl Validity {
    fn at(now: Timestamp, from: Moment, to: Moment) -> Option<Self> {
        let now = Moment::of(now)?;
        Some(match () {
            () if now < from => Self::NotYet,
            () if now > to => Self::Expired,
            () => Self::Valid,
        })
    }
}

/// What is inside a SEQUENCE.
fn inside(any: AnyRef<'_>) -> Result<&[u8], der::Error> {
    any.tag().assert_eq(Tag::Sequence)?;
    Ok(any.value())
}

fn sequence(any: AnyRef<'_>) -> Result<SliceReader<'_>, der::Error> {
    SliceReader::new(inside(any)?)
}

fn is_context(tag: Tag, wanted: u32) -> bool {
    matches!(tag, Tag::ContextSpecific { number, .. } if number == TagNumber(wanted))
}

/// A number without the octets that only say it is positive.
fn significant(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number
        && !rest.is_empty()
    {
        number = rest;
    }
    number.get(..LONGEST_SERIAL).unwrap_or(number)
}

fn with_colons(octets: &[u8], upper_case: bool) -> Box<str> {
    let digits = Hex::new(octets);
    let (pairs, _) = digits.as_bytes().as_chunks::<2>();
    let mut text = String::with_capacity(3 * pairs.len());
    for (index, pair) in pairs.iter().enumerate() {
        if index > 0 {
            text.push(':');
        }
        text.extend(pair.map(char::from));
    }
    if upper_case {
        text.make_ascii_uppercase();
    }
    text.into()
}

/// The names in the extensions, which are behind the public key and two unique identifiers that
/// nobody uses (4.1.2.8).
fn alternative_names(mut fields: SliceReader<'_>) -> Result<Box<[Box<[u8]>]>, der::Error> {
    let mut names = Vec::new();
    while !fields.is_finished() {
        let field: AnyRef<'_> = fields.decode()?;
        if !is_context(field.tag(), 3) {
            continue;
        }
        let mut extensions = sequence(SliceReader::new(field.value())?.decode()?)?;
        while !extensions.is_finished() {
            let mut extension = sequence(extensions.decode()?)?;
            let kind: AnyRef<'_> = extension.decode()?;
            let mut value: AnyRef<'_> = extension.decode()?;
            // Whether it is critical.
            if value.tag() == Tag::Boolean {
                value = extension.decode()?;
            }
            if kind.value() == SUBJECT_ALTERNATIVE_NAME {
                collect_names(sequence(SliceReader::new(value.value())?.decode()?)?, &mut names)?;
            }
        }
    }
    Ok(names.into())
}

/// Names of hosts, mail and resources as they are, addresses as people write them; others are not
/// shown.
fn collect_names(
    mut general: SliceReader<'_>,
    names: &mut Vec<Box<[u8]>>,
) -> Result<(), der::Error> {
    while !general.is_finished() {
        let name: AnyRef<'_> = general.decode()?;
        if names.len() == MOST_NAMES {
            return Ok(());
        }
        let Tag::ContextSpecific { number, .. } = name.tag() else { continue };
        match (number.value(), name.value()) {
            (1 | 2 | 6, text) => names.push(text.get(..LONGEST_NAME).unwrap_or(text).into()),
            (7, octets) => names.extend(address(octets).map(|text| text.into_bytes().into())),
            _ => {}
        }
    }
    Ok(())
}

fn address(octets: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return Some(std::net::Ipv4Addr::from(four).to_string());
    }
    <[u8; 16]>::try_from(octets).ok().map(|all| std::net::Ipv6Addr::from(all).to_string())
}

/// A moment in UTC, to the second, as `2026-11-23T10:00:00`; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment([u8; 19]);

impl Moment {
    /// The text.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A time of a certificate: `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (4.1.2.5).
    fn read(time: AnyRef<'_>) -> Option<Self> {
        let (century, rest): ([u8; 2], _) = match (time.tag(), time.value()) {
            (Tag::UtcTime, rest @ [b'0'..=b'4', ..]) => (*b"20", rest),
            (Tag::UtcTime, rest) => (*b"19", rest),
            (Tag::GeneralizedTime, all) => {
                let (century, rest) = all.split_first_chunk()?;
                (*century, rest)
            }
            _ => return None,
        };
        let (digits, rest) = rest.split_first_chunk::<12>()?;
        if rest != b"Z" {
            return None;
        }
        let mut text = *b"0000-00-00T00:00:00";
        let places = text.iter_mut().filter(|place| place.is_ascii_digit());
        for (place, digit) in places.zip(century.iter().chain(digits)) {
            if !digit.is_ascii_digit() {
                return None;
            }
            *place = *digit;
        }
        Some(Self(text))
    }

    fn of(time: Timestamp) -> Option<Self> {
        let seconds = i64::try_from(time.as_nanos() / 1_000_000_000).ok()?;
        let moment = jiff::Timestamp::from_second(seconds).ok()?;
        moment.strftime("%Y-%m-%dT%H:%M:%S").to_string().into_bytes().try_into().ok().map(Self)
    }
}
