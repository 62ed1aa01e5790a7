//! ClientHello (4.1.2; RFC 5246, 7.4.1.2): what a client offers.

use super::extension::{self, Names, each, numbers, vector8, vector16};
use super::ja4::Ja4;
use super::number::is_grease;
use super::version::Version;
use crate::bytes::{Cursor, Short};

/// What is kept of a ClientHello.
#[derive(Debug, Default)]
pub(super) struct ClientHello {
    /// The highest version that is offered.
    pub(super) version: Option<Version>,
    /// Name of the server that is meant (RFC 6066, 3).
    pub(super) server_name: Option<Box<[u8]>>,
    /// Protocols that are offered inside (RFC 7301).
    pub(super) protocols: Names,
    /// Cipher suites.
    pub(super) ciphers: Box<[u16]>,
    /// Types of the extensions.
    pub(super) extensions: Vec<u16>,
    /// Signature algorithms.
    pub(super) signatures: Box<[u16]>,
    /// Whether data is sent before the server has answered (4.2.10).
    pub(super) early_data: bool,
    /// The fingerprint of the software that wrote it.
    pub(super) ja4: Option<Ja4>,
}

/// Of the list of names (RFC 6066, 3): the only type that there is.
const HOST_NAME: u8 = 0;

impl ClientHello {
    /// Reads the body of the message, as far as it is sound; then what is missing, and the number
    /// of octets behind the last field.
    pub(super) fn read(body: &[u8]) -> (Self, Result<usize, Short>) {
        let mut hello = Self::default();
        let mut cursor = Cursor::new(body);
        let read = hello.fill(&mut cursor);
        if read.is_ok() {
            hello.ja4 = Some(Ja4::of(&hello));
        }
        (hello, read.map(|()| cursor.left()))
    }

    fn fill(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Short> {
        self.version = Version::of(cursor.u16_be()?);
        let _random = cursor.array::<32>()?;
        let _session = vector8(cursor)?;
        self.ciphers = numbers(vector16(cursor)?);
        let _compressions = vector8(cursor)?;
        each(cursor, |number, body| self.extension(number, body))
    }

    fn extension(&mut self, number: u16, mut body: Cursor<'_>) -> Result<(), Short> {
        if self.extensions.len() < extension::MOST {
            self.extensions.push(number);
        }
        match number {
            extension::SERVER_NAME => self.server_name = server_name(body)?,
            extension::ALPN => self.protocols = extension::protocols(body)?,
            extension::SIGNATURE_ALGORITHMS => self.signatures = numbers(vector16(&mut body)?),
            extension::SUPPORTED_VERSIONS => {
                let versions = numbers(vector8(&mut body)?);
                let offered = versions.iter().filter(|number| !is_grease(**number));
                self.version = offered.filter_map(|number| Version::of(*number)).max();
            }
            extension::EARLY_DATA => self.early_data = true,
            _ => {}
        }
        Ok(())
    }
}

fn server_name(mut body: Cursor<'_>) -> Result<Option<Box<[u8]>>, Short> {
    let mut names = vector16(&mut body)?;
    while !names.is_empty() {
        let kind = names.u8()?;
        let name = vector16(&mut names)?;
        if kind == HOST_NAME {
            return Ok(Some(name.rest().into()));
        }
    }
    Ok(None)
}
