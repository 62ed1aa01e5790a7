//! Recognises records among any octets.

use super::alert::Alert;
use super::header::{Content, Header, LENGTH, MOST_CLEAR};
use super::message::kind;
use crate::bytes::Cursor;
use crate::protocol::{Likeness, Role};

/// What records begin with.
pub(super) const FIRST_OCTETS: &[u8] = &[20, 21, 22, 23, 24];

/// Octets of a hello as far as the length of its session identifier.
pub(super) const TRIED: usize = LENGTH + 4 + 2 + 32 + 1;

/// Evidence of a hello: type, version and length of the record, type, length and version of the
/// message, length of the session identifier.
const HELLO: u32 = 64;
/// Of a ChangeCipherSpec: five octets of which one is free, and 1.
const CHANGE_CIPHER_SPEC: u32 = 40;
/// Of an alert in clear, of which each octet has few values.
const ALERT: u32 = 40;
/// Of any header of a record: type, version, and a length that is not too long.
const HEADER: u32 = 20;

/// Whether the first octets may be those of a record.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    Header::is_plausible(bytes)
}

/// Looks for a record.
pub(super) fn recognise(bytes: &[u8]) -> Likeness {
    if !Header::is_plausible(bytes) {
        return Likeness::No;
    }
    let Ok(Some(header)) = Header::read(bytes) else { return Likeness::More(bytes.len() + 1) };
    let length = header.total();
    let fragment = bytes.get(LENGTH..).unwrap_or_default();
    let more = || Likeness::More(bytes.len() + 1);
    let message = |evidence, sender| Likeness::Message { length, evidence, sender };
    match (header.content, header.length, fragment) {
        (Content::Handshake, HELLO_PREFIX.., _) => match hello(header, fragment) {
            Some(Ok(sender)) => message(HELLO, Some(sender)),
            Some(Err(())) => more(),
            None => message(HEADER, None),
        },
        (Content::ChangeCipherSpec, 1, []) | (Content::Alert, 2, [] | [_]) => more(),
        (Content::ChangeCipherSpec, 1, [1, ..]) => message(CHANGE_CIPHER_SPEC, None),
        // Nothing else is so short, whatever protects it.
        (Content::ChangeCipherSpec, 1, _) => Likeness::No,
        (Content::Alert, 2, &[level, description, ..]) => {
            let alert = Alert { level, description };
            let sound = alert.has_level() && alert.is_known();
            if sound { message(ALERT, None) } else { Likeness::No }
        }
        _ => message(HEADER, None),
    }
}

/// Octets of a fragment that tell whether it begins with a hello.
const HELLO_PREFIX: usize = TRIED - LENGTH;

/// Who sends the hello at the start of a fragment, if it is one; an error if that takes more octets.
fn hello(header: Header, fragment: &[u8]) -> Option<Result<Role, ()>> {
    let sender = match *fragment {
        [] => return Some(Err(())),
        [kind::CLIENT_HELLO, ..] => Role::Client,
        [kind::SERVER_HELLO, ..] => Role::Server,
        _ => return None,
    };
    let Some(octets) = fragment.first_chunk::<HELLO_PREFIX>() else { return Some(Err(())) };
    let [_, high, middle, low, major, minor, .., session] = *octets;
    let total = 4 + u32::from_be_bytes([0, high, middle, low]) as usize;
    // One that is longer than a record fills it, unless it was cut to look odd.
    let fits = total <= header.length || header.length == MOST_CLEAR;
    (fits && major == 3 && minor <= 3 && session <= 32).then_some(Ok(sender))
}

/// Whether a handshake record of which nobody knows whether it is encrypted begins with a message
/// in clear; an error if that takes more octets than there are.
pub(super) fn is_clear(header: Header, fragment: &[u8]) -> Result<bool, usize> {
    const LIST: usize = 7;
    match fragment.first() {
        Some(&(kind::CLIENT_HELLO | kind::SERVER_HELLO)) if header.length >= HELLO_PREFIX => {
            match hello(header, fragment) {
                Some(Err(())) => Err(HELLO_PREFIX),
                Some(Ok(_)) => Ok(true),
                None => Ok(false),
            }
        }
        Some(&kind::CERTIFICATE) if header.length >= LIST => {
            let lengths = fragment.get(1..LIST).ok_or(LIST)?;
            let mut lengths = Cursor::new(lengths);
            let (message, list) = (lengths.u24_be(), lengths.u24_be());
            Ok(list.is_ok() && message == list.map(|list| list + 3))
        }
        None if header.length > 0 => Err(1),
        _ => Ok(false),
    }
}
