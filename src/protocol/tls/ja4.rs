//! JA4: a fingerprint of the software that wrote a ClientHello, as Suricata and others have it.
//!
//! ```text
//!  t13d1516h2_8daaf6152771_e5627efa2ab1
//!  │││ │ │ │   │            └ extensions in order of number, then signature algorithms as they come
//!  │││ │ │ │   └ cipher suites in order of number
//!  │││ │ │ └ first and last character of the first protocol that is offered
//!  │││ │ └ how many extensions
//!  │││ └ how many cipher suites
//!  ││└ d: with the name of the server, i: without
//!  │└ highest version
//!  └ TCP
//! ```

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::client_hello::ClientHello;
use super::extension;
use super::number::is_grease;
use super::version::Version;

/// A fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ja4(String);

/// Octets of each digest that are shown.
const SHOWN: usize = 6;

impl Ja4 {
    /// That of a hello.
    pub(super) fn of(hello: &ClientHello) -> Self {
        let ciphers = meant(&hello.ciphers);
        let extensions = meant(&hello.extensions);
        let named = extensions.contains(&extension::SERVER_NAME);
        let mut text = format!(
            "t{}{}{:02}{:02}",
            version(hello.version),
            if named { 'd' } else { 'i' },
            ciphers.len().min(99),
            extensions.len().min(99),
        );
        text.extend(ends(hello.protocols.first().map(|name| &**name)));

        let mut listed = String::new();
        list(&mut listed, sorted(ciphers));
        digest(&mut text, &listed);
        listed.clear();
        let said_already = [extension::SERVER_NAME, extension::ALPN];
        let told = extensions.into_iter().filter(|number| !said_already.contains(number));
        list(&mut listed, sorted(told.collect()));
        let signatures = meant(&hello.signatures);
        if !signatures.is_empty() {
            listed.push('_');
            list(&mut listed, signatures);
        }
        digest(&mut text, &listed);
        Self(text)
    }

    /// The text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The numbers that stand for something.
fn meant(numbers: &[u16]) -> Vec<u16> {
    numbers.iter().copied().filter(|number| !is_grease(*number)).collect()
}

fn sorted(mut numbers: Vec<u16>) -> Vec<u16> {
    numbers.sort_unstable();
    numbers
}

const fn version(version: Option<Version>) -> &'static str {
    match version {
        Some(Version::Ssl3) => "s3",
        Some(Version::Tls10) => "10",
        Some(Version::Tls11) => "11",
        Some(Version::Tls12) => "12",
        Some(Version::Tls13) => "13",
        None => "00",
    }
}

/// First and last character of a protocol's name; of one that does not begin and end as names do,
/// first and last digit of its octets.
fn ends(name: Option<&[u8]>) -> [char; 2] {
    let Some(&[first, .., last] | &[first @ last]) = name else { return ['0', '0'] };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [first, last].map(char::from);
    }
    [first >> 4, last & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'))
}

fn list(text: &mut String, numbers: Vec<u16>) {
    for (index, number) in numbers.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{number:04x}");
    }
}

/// Of nothing the digest is zero.
fn digest(text: &mut String, listed: &str) {
    text.push('_');
    let digest: [u8; 32] = if listed.is_empty() { [0; 32] } else { Sha256::digest(listed).into() };
    for octet in digest.iter().take(SHOWN) {
        let _ = write!(text, "{octet:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the authors of JA4 explain it with.
    #[test]
    fn the_published_example_has_its_fingerprint() {
        let hello = ClientHello {
            version: Some(Version::Tls13),
            protocols: [b"h2"[..].into(), b"http/1.1"[..].into()].into(),
            ciphers: [
                0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8,
                0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
            ]
            .into(),
            extensions: vec![
                0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023,
                0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0xdada,
            ],
            signatures: [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601].into(),
            ..ClientHello::default()
        };
        assert_eq!(Ja4::of(&hello).as_str(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn nothing_offered_is_zeros() {
        let fingerprint = Ja4::of(&ClientHello::default());
        assert_eq!(fingerprint.as_str(), "t00i000000_000000000000_000000000000");
    }

    #[test]
    fn a_protocol_is_told_by_its_ends() {
        assert_eq!(ends(Some(b"mqtt")), ['m', 't']);
        assert_eq!(ends(Some(b"x")), ['x', 'x']);
        assert_eq!(ends(Some(&[0xab, 0xcd])), ['a', 'd']);
        assert_eq!(ends(Some(b"")), ['0', '0']);
    }
}
