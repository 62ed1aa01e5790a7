//! Who the client of a connection says that it is.

use super::packet::cut;

/// Octets of a client identifier or user name that every record has. Real ones are shorter; one of
/// 64 KiB must not come back with each of a thousand pings.
const NAME: usize = 256;

/// The client's names. Long ones are cut.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Who {
    /// The client identifier, and behind it the user name.
    names: Box<[u8]>,
    /// Where the identifier ends.
    split: u16,
    has_username: bool,
}

impl Who {
    pub(super) fn new(client_id: &[u8], username: Option<&[u8]>) -> Self {
        let client_id = cut(client_id, NAME);
        let name = cut(username.unwrap_or_default(), NAME);
        Self {
            names: [client_id, name].concat().into(),
            split: client_id.len() as u16,
            has_username: username.is_some(),
        }
    }

    /// As CONNECT says, or CONNACK if it assigns one.
    #[inline]
    pub(super) fn client_id(&self) -> &[u8] {
        self.names.get(..self.split.into()).unwrap_or_default()
    }

    /// Who wants in.
    #[inline]
    pub(super) fn username(&self) -> Option<&[u8]> {
        if self.has_username { self.names.get(self.split.into()..) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_are_no_longer_than_records_have_them() {
        let (long, longer) = ([b'i'; 300], [b'u'; 9_000]);
        for (client_id, username) in [
            (&b"meter"[..], Some(&b"operator"[..])),
            (b"meter", Some(b"")),
            (b"meter", None),
            (b"", Some(b"operator")),
            (&long, Some(&longer)),
        ] {
            let who = Who::new(client_id, username);
            assert_eq!(who.client_id(), &client_id[..client_id.len().min(NAME)]);
            assert_eq!(who.username(), username.map(|name| &name[..name.len().min(NAME)]));
        }
    }
}
