//! Versions of the protocol.

/// A version, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    Ssl3,
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

impl Version {
    /// As Suricata writes them.
    pub(super) const NAMES: &'static [&'static str] =
        &["SSLv3", "TLSv1", "TLS 1.1", "TLS 1.2", "TLS 1.3"];

    /// The version with this number (4.2.1). Drafts of TLS 1.3 were 0x7f and their number.
    pub(super) const fn of(number: u16) -> Option<Self> {
        Some(match number {
            0x0300 => Self::Ssl3,
            0x0301 => Self::Tls10,
            0x0302 => Self::Tls11,
            0x0303 => Self::Tls12,
            0x0304 | 0x7f00..=0x7fff => Self::Tls13,
            _ => return None,
        })
    }
}
