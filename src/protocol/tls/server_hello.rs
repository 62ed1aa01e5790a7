//! ServerHello (4.1.3; RFC 5246, 7.4.1.3): what a server chose.

use super::extension::{self, Names, each, vector8};
use super::version::Version;
use crate::bytes::{Cursor, Short};

/// What is kept of a ServerHello.
#[derive(Debug, Default)]
pub(super) struct ServerHello {
    /// The version that is spoken from here on.
    pub(super) version: Option<Version>,
    /// Cipher suite.
    pub(super) cipher: Option<u16>,
    /// Types of the extensions.
    pub(super) extensions: Vec<u16>,
    /// The protocol inside; TLS 1.3 has it encrypted.
    pub(super) protocols: Names,
    /// The group of the key exchange (4.2.8); before TLS 1.3 a message of its own has it.
    pub(super) group: Option<u16>,
    /// Whether the keys come from a secret that both had before (4.2.11).
    pub(super) pre_shared: bool,
    /// Whether it only asks for another ClientHello (4.1.4).
    pub(super) is_retry: bool,
}

/// The random number of a HelloRetryRequest (4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

impl ServerHello {
    /// Reads the body of the message, as far as it is sound; then what is missing, and the number
    /// of octets behind the last field.
    pub(super) fn read(body: &[u8]) -> (Self, Result<usize, Short>) {
        let mut hello = Self::default();
        let mut cursor = Cursor::new(body);
        let read = hello.fill(&mut cursor);
        (hello, read.map(|()| cursor.left()))
    }

    fn fill(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Short> {
        self.version = Version::of(cursor.u16_be()?);
        self.is_retry = cursor.array()? == RETRY;
        let _session = vector8(cursor)?;
        self.cipher = Some(cursor.u16_be()?);
        let _compression = cursor.u8()?;
        each(cursor, |number, body| self.extension(number, body))
    }

    fn extension(&mut self, number: u16, mut body: Cursor<'_>) -> Result<(), Short> {
        if self.extensions.len() < extension::MOST {
            self.extensions.push(number);
        }
        match number {
            extension::ALPN => self.protocols = extension::protocols(body)?,
            extension::SUPPORTED_VERSIONS => self.version = Version::of(body.u16_be()?),
            extension::KEY_SHARE => self.group = Some(body.u16_be()?),
            extension::PRE_SHARED_KEY => self.pre_shared = true,
            _ => {}
        }
        Ok(())
    }
}

/// The named group in the first octets of a ServerKeyExchange (RFC 8422, 5.4), if `head` has one.
pub(super) fn named_group(head: &[u8]) -> Option<u16> {
    const NAMED_CURVE: u8 = 3;
    match *head {
        [NAMED_CURVE, high, low, ..] => Some(u16::from_be_bytes([high, low])),
        _ => None,
    }
}
