//! Application service data unit: its header, and the way to its information objects
//! (IEC 60870-5-101, 7.1 and 7.2).
//!
//! ```text
//! type identification     1
//! SQ | number of objects  1       variable structure qualifier, 7.2.2
//! T | P/N | cause         1       7.2.3
//! originator              0 or 1
//! common address          1 or 2  7.2.4, little-endian
//! object address          1 to 3  7.2.5, little-endian
//! elements                        of the type
//! …                               with SQ = 0: address and elements again; SQ = 1: elements
//! ```

use std::ops::Range;

use super::elements::InformationObject;
use super::types::{self, Type};
use crate::bytes::{Cursor, Short};

/// How many octets the fields take whose width stations agree upon (IEC 60870-5-101, 7.2.3 to
/// 7.2.5). IEC 60870-5-104 fixes them; older profiles differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widths {
    /// Cause of transmission: 1, or 2 with the originator.
    pub cause: u8,
    /// Common address: 1 or 2.
    pub common_address: u8,
    /// Address of an information object: 1 to 3.
    pub object_address: u8,
}

impl Widths {
    /// Those of IEC 60870-5-104, clause 7.
    pub const STANDARD: Self = Self { cause: 2, common_address: 2, object_address: 3 };

    /// Octets of an ASDU before its first object.
    #[inline]
    pub const fn header(self) -> usize {
        2 + self.cause as usize + self.common_address as usize
    }

    /// The common address of all stations.
    #[inline]
    pub const fn broadcast(self) -> u16 {
        if self.common_address == 1 { 0xFF } else { 0xFFFF }
    }
}

/// The header of an ASDU, and the octets of its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asdu<'a> {
    /// Type identification.
    pub type_id: u8,
    /// What the standard says of this type; `None` if it is reserved or private.
    pub known: Option<&'static Type>,
    /// SQ: the objects have consecutive addresses, of which only the first is sent.
    pub sequence: bool,
    /// How many objects there are said to be, 0 to 127.
    pub count: u8,
    /// Cause of transmission, 0 to 63.
    pub cause: u8,
    /// P/N: a negative confirmation.
    pub negative: bool,
    /// T: sent for a test.
    pub test: bool,
    /// Who asked, if the profile has it.
    pub originator: Option<u8>,
    /// The station.
    pub common_address: u16,
    /// Everything after the header.
    pub body: &'a [u8],
    /// How the octets were divided.
    pub widths: Widths,
}

impl<'a> Asdu<'a> {
    /// Reads the header.
    #[inline]
    pub fn parse(octets: &'a [u8], widths: Widths) -> Result<Self, Short> {
        let mut cursor = Cursor::new(octets);
        let [type_id, qualifier, cause] = cursor.array()?;
        let originator = if widths.cause == 1 { None } else { Some(cursor.u8()?) };
        let common_address = match widths.common_address {
            1 => cursor.u8()?.into(),
            _ => cursor.u16_le()?,
        };
        Ok(Self {
            type_id,
            known: types::by_id(type_id),
            sequence: qualifier & 0x80 != 0,
            count: qualifier & 0x7F,
            cause: cause & 0x3F,
            negative: cause & 0x40 != 0,
            test: cause & 0x80 != 0,
            originator,
            common_address,
            body: cursor.rest(),
            widths,
        })
    }

    /// How many octets the objects take by type, structure and number; `None` if the type does
    /// not tell.
    #[inline]
    pub fn wanted(&self) -> Option<usize> {
        let elements = usize::from(self.known?.octets?);
        let address = usize::from(self.widths.object_address);
        let count = usize::from(self.count);
        Some(match (self.sequence, count) {
            (_, 0) => 0,
            (true, _) => address + count * elements,
            (false, _) => count * (address + elements),
        })
    }

    /// Where the elements of each object stand in the body, in order; it may end before them. Of
    /// types whose length varies none.
    #[inline]
    pub fn places(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let address = usize::from(self.widths.object_address);
        let elements = self.known.and_then(|known| known.octets).map(usize::from);
        let objects = elements.map_or(0, |_| usize::from(self.count));
        let elements = elements.unwrap_or(0);
        let stride = if self.sequence { elements } else { address + elements };
        (0..objects).map(move |object| {
            let start = address + object * stride;
            start..start + elements
        })
    }

    /// The information objects that are there whole, in order. None of types that are reserved,
    /// private or of security, whose objects have no layout here.
    #[inline]
    pub fn objects(&self) -> Objects<'a> {
        let known = self.known.filter(|known| known.purpose != types::Purpose::Security);
        Objects {
            known,
            left: if known.is_some() { self.count } else { 0 },
            cursor: Cursor::new(self.body),
            width: self.widths.object_address,
            next: None,
            sequence: self.sequence,
        }
    }
}

/// Iterates over the information objects of an ASDU, decoding each when it is asked for.
#[derive(Debug, Clone)]
pub struct Objects<'a> {
    known: Option<&'static Type>,
    left: u8,
    cursor: Cursor<'a>,
    width: u8,
    /// With SQ = 1, the address of the next object once the first is read.
    next: Option<u32>,
    sequence: bool,
}

impl<'a> Objects<'a> {
    fn address(&mut self) -> Result<u32, Short> {
        let address = match self.next {
            Some(next) => next & (u32::MAX >> (32 - 8 * u32::from(self.width))),
            None => object_address(&mut self.cursor, self.width)?,
        };
        if self.sequence {
            self.next = Some(address + 1);
        }
        Ok(address)
    }

    fn object(&mut self, known: &Type) -> Result<InformationObject<'a>, Short> {
        let address = self.address()?;
        InformationObject::decode(address, known.elements, &mut self.cursor)
    }
}

impl<'a> Iterator for Objects<'a> {
    type Item = InformationObject<'a>;

    #[inline]
    fn next(&mut self) -> Option<InformationObject<'a>> {
        let known = self.known?;
        self.left = self.left.checked_sub(1)?;
        let object = self.object(known).ok();
        if object.is_none() {
            self.left = 0;
        }
        object
    }
}

/// The address of an information object, of 1 to 3 octets.
#[inline]
pub fn object_address(cursor: &mut Cursor<'_>, width: u8) -> Result<u32, Short> {
    match width {
        1 => cursor.u8().map(u32::from),
        2 => cursor.u16_le().map(u32::from),
        _ => cursor.u24_le(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Value;

    /// Type 1, SQ = 0, two objects, cause 20 with P/N and T, originator 5, station 258.
    const ASDU: [u8; 14] = [1, 2, 0xD4, 5, 2, 1, 0x10, 0, 0, 1, 0x11, 0x22, 0x33, 0x80];

    fn objects(octets: &[u8], widths: Widths) -> Vec<(u32, Value<'static>)> {
        let asdu = Asdu::parse(octets, widths).unwrap();
        asdu.objects().map(|object| (object.address, object.value)).collect()
    }

    #[test]
    fn the_header_is_read_bit_by_bit() {
        let asdu = Asdu::parse(&ASDU, Widths::STANDARD).unwrap();
        assert_eq!((asdu.type_id, asdu.sequence, asdu.count), (1, false, 2));
        assert_eq!((asdu.cause, asdu.negative, asdu.test), (20, true, true));
        assert_eq!((asdu.originator, asdu.common_address), (Some(5), 258));
        assert_eq!(asdu.wanted(), Some(asdu.body.len()));
    }

    #[test]
    fn each_object_has_its_address_with_sq_0() {
        let expected = [(0x10, Value::Boolean(true)), (0x33_2211, Value::Boolean(false))];
        assert_eq!(objects(&ASDU, Widths::STANDARD), expected);
    }

    #[test]
    fn addresses_follow_one_another_with_sq_1_and_wrap_in_their_width() {
        let octets = [1, 0x82, 3, 0, 1, 0, 0xFF, 0xFF, 0xFF, 1, 0];
        let expected = [(0xFF_FFFF, Value::Boolean(true)), (0, Value::Boolean(false))];
        assert_eq!(objects(&octets, Widths::STANDARD), expected);
        let asdu = Asdu::parse(&octets, Widths::STANDARD).unwrap();
        assert_eq!(asdu.wanted(), Some(asdu.body.len()));
    }

    #[test]
    fn elements_stand_behind_an_address_each_or_behind_that_of_the_first() {
        let places = |qualifier| {
            let octets = [13, qualifier, 3, 0, 1, 0];
            Asdu::parse(&octets, Widths::STANDARD).unwrap().places().collect::<Vec<_>>()
        };
        assert_eq!(places(2), [3..8, 11..16]);
        assert_eq!(places(0x82), [3..8, 8..13]);
        assert!(places(0).is_empty());
        let file = Asdu::parse(&[125, 1, 13, 0, 1, 0], Widths::STANDARD).unwrap();
        assert_eq!(file.places().count(), 0, "its length varies");
    }

    #[test]
    fn narrow_profiles_are_read_with_their_widths() {
        let widths = Widths { cause: 1, common_address: 1, object_address: 2 };
        let octets = [1, 1, 3, 9, 0x34, 0x12, 1];
        let asdu = Asdu::parse(&octets, widths).unwrap();
        assert_eq!((asdu.originator, asdu.common_address, asdu.cause), (None, 9, 3));
        assert_eq!(widths.header(), 4);
        assert_eq!(widths.broadcast(), 0xFF);
        assert_eq!(objects(&octets, widths), [(0x1234, Value::Boolean(true))]);
        let narrowest = Widths { object_address: 1, ..widths };
        let octets = [1, 0x82, 3, 9, 0xFF, 1, 1];
        let addresses: Vec<u32> = objects(&octets, narrowest).iter().map(|o| o.0).collect();
        assert_eq!(addresses, [0xFF, 0]);
    }

    #[test]
    fn a_shorter_header_is_no_header_and_a_cut_object_is_none() {
        for length in 0..6 {
            assert!(Asdu::parse(&ASDU[..length], Widths::STANDARD).is_err(), "{length}");
        }
        for length in 6..ASDU.len() {
            let whole = (length - 6) / 4;
            assert_eq!(objects(&ASDU[..length], Widths::STANDARD).len(), whole, "{length}");
        }
    }

    #[test]
    fn types_without_a_layout_have_no_objects() {
        for type_id in [0, 22, 81, 128, 255] {
            let mut octets = ASDU;
            octets[0] = type_id;
            assert!(objects(&octets, Widths::STANDARD).is_empty(), "type {type_id}");
        }
    }
}
