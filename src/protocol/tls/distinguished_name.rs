//! Distinguished names (RFC 5280, 4.1.2.4), written as Suricata does: `C=XX, O=Grid, CN=station`.

use std::fmt::Write as _;

use der::{AnyRef, Reader, SliceReader, Tag, Tagged};

use crate::event::Hex;

/// Octets of a name that are kept: many times what people choose.
const MOST: usize = 1024;

/// Types of attributes by the octets of their object identifier, and how they are written.
const ATTRIBUTES: &[(&[u8], &str)] = &[
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 4], "SN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "street"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 12], "title"),
    (&[0x55, 4, 13], "description"),
    (&[0x55, 4, 17], "postalCode"),
    (&[0x55, 4, 41], "name"),
    (&[0x55, 4, 42], "GN"),
    (&[0x55, 4, 46], "dnQualifier"),
    (&[0x55, 4, 65], "pseudonym"),
    (&[0x55, 4, 97], "organizationIdentifier"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "Email"),
];

/// The text of a name, from what is inside its SEQUENCE.
pub(super) fn text(sequence: &[u8]) -> Result<Box<str>, der::Error> {
    let mut text = String::new();
    let mut names = SliceReader::new(sequence)?;
    while !names.is_finished() {
        let set: AnyRef<'_> = names.decode()?;
        let mut attributes = SliceReader::new(set.value())?;
        let mut separator = if text.is_empty() { "" } else { ", " };
        while !attributes.is_finished() {
            let attribute: AnyRef<'_> = attributes.decode()?;
            let (kind, value) = attribute.sequence(|inside| {
                Ok::<_, der::Error>((
                    inside.decode::<AnyRef<'_>>()?,
                    inside.decode::<AnyRef<'_>>()?,
                ))
            })?;
            if text.len() < MOST {
                text.push_str(separator);
                push_kind(&mut text, kind.value());
                text.push('=');
                push_value(&mut text, value);
                separator = " + ";
            }
        }
    }
    let end = (0..=MOST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    Ok(text.into())
}

fn push_kind(text: &mut String, octets: &[u8]) {
    match ATTRIBUTES.iter().find(|(known, _)| *known == octets) {
        Some((_, name)) => text.push_str(name),
        None => push_identifier(text, octets),
    }
}

/// An object identifier with its numbers and dots between them (X.690, 8.19).
fn push_identifier(text: &mut String, octets: &[u8]) {
    let (mut number, mut first) = (0_u64, true);
    for octet in octets {
        number = number << 7 | u64::from(octet & 0x7f);
        if octet & 0x80 != 0 {
            continue;
        }
        if first {
            let root = (number / 40).min(2);
            let _ = write!(text, "{root}.{}", number - 40 * root);
        } else {
            let _ = write!(text, ".{number}");
        }
        (number, first) = (0, false);
    }
}

/// Text as it is; what is none as its octets.
fn push_value(text: &mut String, value: AnyRef<'_>) {
    let octets = value.value();
    match value.tag() {
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::NumericString
        | Tag::Ia5String
        | Tag::VisibleString
        | Tag::GeneralString
        | Tag::VideotexString => text.push_str(&String::from_utf8_lossy(octets)),
        // In use as ISO 8859-1.
        Tag::TeletexString => text.extend(octets.iter().copied().map(char::from)),
        Tag::BmpString => {
            let (units, _) = octets.as_chunks();
            let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
            let characters = char::decode_utf16(units);
            text.extend(
                characters.map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)),
            );
        }
        _ => text.push_str(&String::from_utf8_lossy(Hex::new(octets).as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, content.len() as u8], content].concat()
    }

    fn attribute(kind: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        tlv(0x30, &[tlv(6, kind), tlv(tag, value)].concat())
    }

    #[test]
    fn a_name_is_written_from_its_root_on() {
        let name = [
            tlv(0x31, &attribute(&[0x55, 4, 6], 0x13, b"XX")),
            tlv(
                0x31,
                &[
                    attribute(&[0x55, 4, 3], 12, "Süd".as_bytes()),
                    attribute(&[0x55, 4, 5], 0x13, b"17"),
                ]
                .concat(),
            ),
        ];
        assert_eq!(&*text(&name.concat()).unwrap(), "C=XX, CN=Süd + serialNumber=17");
    }

    #[test]
    fn texts_of_every_kind_are_read() {
        let shown = |tag, value: &[u8]| {
            text(&tlv(0x31, &attribute(&[0x55, 4, 3], tag, value))).unwrap().to_string()
        };
        assert_eq!(shown(20, b"S\xfcd"), "CN=Süd");
        assert_eq!(shown(30, b"\0S\0\xfc\0d"), "CN=Süd");
        assert_eq!(shown(12, b"S\xfcd"), "CN=S\u{fffd}d");
        assert_eq!(shown(4, b"\x01\xff"), "CN=01ff");
    }

    #[test]
    fn an_unknown_attribute_is_told_by_its_identifier() {
        let kind = [0x2b, 6, 1, 4, 1, 0x82, 0x37, 21];
        let name = tlv(0x31, &attribute(&kind, 12, b"a"));
        assert_eq!(&*text(&name).unwrap(), "1.3.6.1.4.1.311.21=a");
    }

    #[test]
    fn a_long_name_is_cut() {
        let name = tlv(0x31, &attribute(&[0x55, 4, 3], 12, &[b'a'; 100])).repeat(100);
        assert_eq!(text(&name).unwrap().len(), MOST);
    }
}
