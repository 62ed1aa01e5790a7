//! The elements of file transfer (types 120 to 127): read when somebody asks for one, as they are
//! rare.

use super::elements::Element;
use super::time::Cp56Time2a;
use crate::bytes::Cursor;

/// What an information object of file transfer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File<'a> {
    elements: &'static [Element],
    octets: &'a [u8],
}

impl<'a> File<'a> {
    /// An object that is made of `elements`; `None` if it has no name of a file.
    #[inline]
    pub(super) fn new(elements: &'static [Element], octets: &'a [u8]) -> Option<Self> {
        matches!(elements, [Element::Nof, ..]).then_some(Self { elements, octets })
    }

    /// NOF, 7.2.6.33.
    pub fn name(&self) -> Option<u16> {
        self.at(Element::Nof)?.u16_le().ok()
    }

    /// NOS, 7.2.6.34.
    pub fn section(&self) -> Option<u8> {
        self.at(Element::Nos)?.u8().ok()
    }

    /// LOF or LOS, 7.2.6.35 and 7.2.6.36: octets of the file, the section or the segment.
    pub fn length(&self) -> Option<u32> {
        match (self.at(Element::Lof), self.at(Element::Los)) {
            (Some(mut cursor), _) => cursor.u24_le().ok(),
            (None, Some(mut cursor)) => cursor.u8().ok().map(u32::from),
            (None, None) => None,
        }
    }

    /// CHS, 7.2.6.37: sum of the octets modulo 256.
    pub fn checksum(&self) -> Option<u8> {
        self.at(Element::Chs)?.u8().ok()
    }

    /// The upper bit of FRQ and SRQ, 7.2.6.28 and 7.2.6.29: not selected, or not ready.
    pub fn negative(&self) -> Option<bool> {
        let mut cursor = self.at(Element::Frq).or_else(|| self.at(Element::Srq))?;
        cursor.u8().ok().map(|octet| octet & 0x80 != 0)
    }

    /// The upper four bits of SCQ and AFQ, 7.2.6.30 and 7.2.6.32: what went wrong.
    pub fn error(&self) -> Option<u8> {
        let mut cursor = self.at(Element::Scq).or_else(|| self.at(Element::Afq))?;
        cursor.u8().ok().map(|octet| octet >> 4)
    }

    /// SOF, 7.2.6.38.
    pub fn status(&self) -> Option<FileStatus> {
        self.at(Element::Sof)?.u8().ok().map(FileStatus)
    }

    /// First and last moment of the events that are asked for (IEC 60870-5-104, 8.4).
    pub fn range(&self) -> Option<[Cp56Time2a; 2]> {
        let mut cursor = self.at(Element::Range)?;
        let first = cursor.array().ok()?;
        Some([first, cursor.array().ok()?].map(Cp56Time2a))
    }

    /// The same moments as they came.
    pub fn range_octets(&self) -> Option<[&'a [u8]; 2]> {
        let mut cursor = self.at(Element::Range)?;
        let first = cursor.take(7).ok()?;
        Some([first, cursor.take(7).ok()?])
    }

    /// All octets behind LOS, whatever it says.
    pub fn segment(&self) -> Option<&'a [u8]> {
        Some(self.at(Element::Segment)?.rest())
    }

    /// What begins with `element`.
    fn at(&self, element: Element) -> Option<Cursor<'a>> {
        let mut cursor = Cursor::new(self.octets);
        for found in self.elements {
            if *found == element {
                return Some(cursor);
            }
            cursor.take(found.octets()?.into()).ok()?;
        }
        None
    }
}

/// Status of a file in a directory (7.2.6.38).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStatus(u8);

impl FileStatus {
    /// 0 to 31; only 0 is defined, 16 to 31 are private.
    #[inline]
    pub const fn code(self) -> u8 {
        self.0 & 0x1F
    }

    /// LFD: no entry of the directory follows.
    #[inline]
    pub const fn last(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// FOR: the name is that of a subdirectory.
    #[inline]
    pub const fn directory(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// FA: the file is being transferred.
    #[inline]
    pub const fn active(self) -> bool {
        self.0 & 0x80 != 0
    }
}
