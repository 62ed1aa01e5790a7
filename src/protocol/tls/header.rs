//! The record layer (5.1; RFC 5246, 6.2.1): what stands before every record.
//!
//! ```text
//! | content type | 3 | minor version | length, two octets | fragment … |
//! ```

/// Octets of a header.
pub(super) const LENGTH: usize = 5;

/// The most octets of a fragment in clear.
pub(super) const MOST_CLEAR: usize = 1 << 14;

/// The most octets of any fragment (RFC 5246, 6.2.3); TLS 1.3 has 1,792 fewer.
pub(super) const MOST: usize = MOST_CLEAR + 2048;

/// What a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    ChangeCipherSpec = 20,
    Alert = 21,
    Handshake = 22,
    ApplicationData = 23,
    Heartbeat = 24,
}

impl Content {
    pub(super) const fn of(octet: u8) -> Option<Self> {
        Some(match octet {
            20 => Self::ChangeCipherSpec,
            21 => Self::Alert,
            22 => Self::Handshake,
            23 => Self::ApplicationData,
            24 => Self::Heartbeat,
            _ => return None,
        })
    }
}

/// A header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// What it has.
    pub(super) content: Content,
    /// Octets of the fragment behind it.
    pub(super) length: usize,
}

/// Why octets are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// No record has this type.
    Content(u8),
    /// The major version is not 3, or the minor one is unheard of.
    Version(u16),
    /// The fragment is longer than any.
    Length(usize),
}

/// The minor version of records of TLS 1.3, should somebody write it; 1.2 is what the standard wants.
const LAST_MINOR: u8 = 4;

impl Header {
    /// Reads a header. `Ok(None)` where that takes more octets.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Wrong> {
        let Some(&[content, major, minor, high, low]) = bytes.first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(content) = Content::of(content) else { return Err(Wrong::Content(content)) };
        if major != 3 || minor > LAST_MINOR {
            return Err(Wrong::Version(u16::from_be_bytes([major, minor])));
        }
        if length > MOST {
            return Err(Wrong::Length(length));
        }
        Ok(Some(Self { content, length }))
    }

    /// Octets of the record.
    pub(super) const fn total(self) -> usize {
        LENGTH + self.length
    }

    /// Whether `bytes`, as far as they go, may begin a header. Of records without a fragment there
    /// are hardly any, and zeros are everywhere.
    pub(super) fn is_plausible(bytes: &[u8]) -> bool {
        match *bytes {
            [content, ..] if Content::of(content).is_none() => false,
            [_, major, ..] if major != 3 => false,
            [_, _, minor, ..] if minor > LAST_MINOR => false,
            [_, _, _, high, low, ..] => {
                (1..=MOST).contains(&usize::from(u16::from_be_bytes([high, low])))
            }
            _ => true,
        }
    }
}
