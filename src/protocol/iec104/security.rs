//! The ASDUs of IEC 60870-5-7 (types 81 to 87 and 90 to 95): how they are cut into segments, and
//! the fields of fixed length that the first segment begins with.
//!
//! ```text
//! FIN | FIR | ASN        1   0x80, 0x40, 0 to 63; not in type 84, which is never cut
//! fields by type             in the first segment
//! lengths, data              challenge data, wrapped keys, MAC: octets to us
//! ```
//!
//! They have no object address. Type 83 carries another ASDU before its own fields, and type 87 is
//! laid out in two ways by those who implement it: of these only the octets are told.

use super::asdu::Asdu;
use super::types::Purpose;
use crate::bytes::Cursor;

/// A field of fixed length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// CSQ, KSQ or SCS: the sequence number of the challenge, of the key change, or of the change
    /// of a user's status. Four octets.
    Sequence,
    /// USR: number of the user. Two octets.
    User,
    /// MAL: the algorithm of the MAC. One octet.
    MacAlgorithm,
    /// RSC: reason for the challenge. One octet.
    Reason,
    /// KWA: the algorithm that wraps keys. One octet.
    KeyWrapAlgorithm,
    /// KST: status of the session keys. One octet.
    KeyStatus,
    /// KCM: how update keys are changed. One octet.
    KeyChangeMethod,
    /// OPR: what becomes of the user. One octet.
    Operation,
    /// URL: role of the user. Two octets.
    Role,
    /// UEI: days until the role expires. Two octets.
    RoleExpiry,
}

use Field::{
    KeyChangeMethod, KeyStatus, KeyWrapAlgorithm, MacAlgorithm, Operation, Reason, Role,
    RoleExpiry, Sequence, User,
};

impl Field {
    const fn octets(self) -> usize {
        match self {
            Sequence => 4,
            User | Role | RoleExpiry => 2,
            MacAlgorithm | Reason | KeyWrapAlgorithm | KeyStatus | KeyChangeMethod | Operation => 1,
        }
    }
}

/// What the first segment begins with.
const fn fields(type_id: u8) -> &'static [Field] {
    match type_id {
        81 => &[Sequence, User, MacAlgorithm, Reason],
        82 | 86 | 92..=94 => &[Sequence, User],
        84 => &[User],
        85 => &[Sequence, User, KeyWrapAlgorithm, KeyStatus, MacAlgorithm],
        90 => &[KeyChangeMethod, Operation, Sequence, Role, RoleExpiry],
        91 => &[KeyChangeMethod],
        _ => &[],
    }
}

/// The only type that is never cut.
const UNSEGMENTED: u8 = 84;

/// The octet before a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segmentation(u8);

impl Segmentation {
    /// FIR: the first segment.
    #[inline]
    pub const fn first(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// FIN: the last segment.
    #[inline]
    pub const fn last(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// ASN: number of the segment, 0 to 63.
    #[inline]
    pub const fn number(self) -> u8 {
        self.0 & 0x3F
    }
}

/// What an ASDU of a security type carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Security<'a> {
    /// `None` in the type that is never cut.
    pub segmentation: Option<Segmentation>,
    fields: &'static [Field],
    octets: &'a [u8],
}

impl<'a> Security<'a> {
    /// `None` for other types, and where not even the first octet is there.
    #[inline]
    pub fn of(asdu: &Asdu<'a>) -> Option<Self> {
        if asdu.known?.purpose != Purpose::Security {
            return None;
        }
        let fields = fields(asdu.type_id);
        if asdu.type_id == UNSEGMENTED {
            return Some(Self { segmentation: None, fields, octets: asdu.body });
        }
        let (first, octets) = asdu.body.split_first()?;
        let segmentation = Segmentation(*first);
        let fields = if segmentation.first() { fields } else { &[] };
        Some(Self { segmentation: Some(segmentation), fields, octets })
    }

    /// A field of fixed length, if this type has it and this is the first segment.
    pub fn field(&self, field: Field) -> Option<u32> {
        let mut cursor = Cursor::new(self.octets);
        for found in self.fields {
            if *found != field {
                cursor.take(found.octets()).ok()?;
                continue;
            }
            return match field.octets() {
                1 => cursor.u8().ok().map(u32::from),
                2 => cursor.u16_le().ok().map(u32::from),
                _ => cursor.u32_le().ok(),
            };
        }
        None
    }

    /// Everything behind the fields of fixed length: lengths, challenge data, keys, MAC.
    pub fn data(&self) -> &'a [u8] {
        let fixed = self.fields.iter().map(|field| field.octets()).sum();
        self.octets.get(fixed..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::iec104::asdu::Widths;

    fn asdu(type_id: u8, body: &[u8]) -> Vec<u8> {
        [&[type_id, 1, 14, 0, 1, 0][..], body].concat()
    }

    fn read(octets: &[u8]) -> Option<Security<'_>> {
        Security::of(&Asdu::parse(octets, Widths::STANDARD).unwrap())
    }

    #[test]
    fn a_challenge_is_read_field_by_field() {
        // Sequence number 1, user 2, HMAC-SHA-256 of 16 octets, reason 1, four octets of data.
        let octets = asdu(81, &[0xC0, 1, 0, 0, 0, 2, 0, 4, 1, 4, 0, 9, 8, 7, 6]);
        let challenge = read(&octets).unwrap();
        let segmentation = challenge.segmentation.unwrap();
        assert!(segmentation.first() && segmentation.last());
        assert_eq!(segmentation.number(), 0);
        assert_eq!(challenge.field(Sequence), Some(1));
        assert_eq!(challenge.field(User), Some(2));
        assert_eq!(challenge.field(MacAlgorithm), Some(4));
        assert_eq!(challenge.field(Reason), Some(1));
        assert_eq!(challenge.field(KeyStatus), None);
        assert_eq!(challenge.data(), [4, 0, 9, 8, 7, 6]);
    }

    #[test]
    fn a_later_segment_is_octets() {
        let octets = asdu(85, &[0x80 | 5, 1, 2, 3]);
        let segment = read(&octets).unwrap();
        assert_eq!(segment.segmentation.map(Segmentation::number), Some(5));
        assert_eq!((segment.field(Sequence), segment.data()), (None, &[1, 2, 3][..]));
    }

    #[test]
    fn the_request_for_the_key_status_is_never_cut() {
        let octets = asdu(84, &[0x34, 0x12]);
        let request = read(&octets).unwrap();
        assert_eq!((request.segmentation, request.field(User)), (None, Some(0x1234)));
        assert_eq!(request.data(), [0; 0]);
    }

    #[test]
    fn a_user_change_begins_with_ten_octets() {
        let octets = asdu(90, &[0x40, 3, 2, 1, 0, 0, 0, 4, 0, 30, 0, 0xAA]);
        let change = read(&octets).unwrap();
        let told = [KeyChangeMethod, Operation, Sequence, Role, RoleExpiry]
            .map(|field| change.field(field).unwrap());
        assert_eq!(told, [3, 2, 1, 4, 30]);
        assert_eq!(change.data(), [0xAA]);
    }

    #[test]
    fn what_is_cut_short_is_absent() {
        assert_eq!(read(&asdu(81, &[])), None);
        assert_eq!(read(&asdu(1, &[0xC0])), None);
        let octets = asdu(81, &[0x40, 1, 0, 0]);
        let cut = read(&octets).unwrap();
        assert_eq!((cut.field(Sequence), cut.field(User)), (None, None));
        assert_eq!(cut.data(), [0; 0]);
    }
}
