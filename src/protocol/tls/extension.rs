//! Extensions of both hellos (4.2): what they have in common.

use crate::bytes::{Cursor, Short};

/// `server_name` (RFC 6066, 3).
pub(super) const SERVER_NAME: u16 = 0;
/// `signature_algorithms` (4.2.3).
pub(super) const SIGNATURE_ALGORITHMS: u16 = 13;
/// `application_layer_protocol_negotiation` (RFC 7301).
pub(super) const ALPN: u16 = 16;
/// `pre_shared_key` (4.2.11).
pub(super) const PRE_SHARED_KEY: u16 = 41;
/// `early_data` (4.2.10).
pub(super) const EARLY_DATA: u16 = 42;
/// `supported_versions` (4.2.1).
pub(super) const SUPPORTED_VERSIONS: u16 = 43;
/// `key_share` (4.2.8).
pub(super) const KEY_SHARE: u16 = 51;

/// Elements of a list that are kept: hellos have some dozens, and could have thousands.
pub(super) const MOST: usize = 256;

/// Names of protocols that are kept.
const MOST_NAMES: usize = 32;

/// What stands behind a length of two octets.
pub(super) fn vector16<'a>(cursor: &mut Cursor<'a>) -> Result<Cursor<'a>, Short> {
    let length = cursor.u16_be()?;
    cursor.nested(length.into())
}

/// What stands behind a length of one octet.
pub(super) fn vector8<'a>(cursor: &mut Cursor<'a>) -> Result<Cursor<'a>, Short> {
    let length = cursor.u8()?;
    cursor.nested(length.into())
}

/// The numbers of a list, as many as are kept.
pub(super) fn numbers(list: Cursor<'_>) -> Box<[u16]> {
    let (pairs, _) = list.rest().as_chunks();
    pairs.iter().take(MOST).map(|pair| u16::from_be_bytes(*pair)).collect()
}

/// The protocols in the body of an ALPN extension (RFC 7301, 3.1).
pub(super) fn protocols(mut body: Cursor<'_>) -> Result<Names, Short> {
    let mut list = vector16(&mut body)?;
    let mut names = Vec::new();
    while !list.is_empty() {
        let name = vector8(&mut list)?;
        if names.len() < MOST_NAMES {
            names.push(name.rest().into());
        }
    }
    Ok(names.into())
}

/// Names of protocols.
pub(super) type Names = Box<[Box<[u8]>]>;

/// Shows type and body of each extension in what is left of a hello, which may have none.
pub(super) fn each<'a>(
    cursor: &mut Cursor<'a>,
    mut visit: impl FnMut(u16, Cursor<'a>) -> Result<(), Short>,
) -> Result<(), Short> {
    if cursor.is_empty() {
        return Ok(());
    }
    let mut list = vector16(cursor)?;
    while !list.is_empty() {
        let number = list.u16_be()?;
        visit(number, vector16(&mut list)?)?;
    }
    Ok(())
}
