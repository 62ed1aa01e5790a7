//! The bearer token (RFC 6750) that visitors show.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Octets of a token: fewer can be guessed, more are a file that holds something else.
const SHORTEST: usize = 16;
const LONGEST: usize = 512;

/// A secret that visitors must show.
#[derive(Clone)]
pub struct Token(Vec<u8>);

/// Why a file holds no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("{}: cannot be read: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is no secret.
    #[error("{}: everybody can read this token: chmod o-rwx", .path.display())]
    Public {
        /// The file.
        path: PathBuf,
    },
    /// What it holds is no token.
    #[error(
        "{}: a token has {SHORTEST} to {LONGEST} letters, digits or any of -._~+/=", .path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl Token {
    /// The token in a file, without the white space around it.
    pub fn load(path: &Path) -> Result<Self, TokenError> {
        let path = path.to_owned();
        let (mode, octets) = match read(&path) {
            Ok(read) => read,
            Err(error) => return Err(TokenError::Unreadable { path, error }),
        };
        if mode & 0o007 != 0 {
            return Err(TokenError::Public { path });
        }
        match Self::parse(octets.trim_ascii()) {
            Some(token) => Ok(token),
            None => Err(TokenError::Malformed { path }),
        }
    }

    fn parse(octets: &[u8]) -> Option<Self> {
        let is_token = (SHORTEST..=LONGEST).contains(&octets.len())
            && octets.iter().all(|octet| is_b64token(*octet));
        is_token.then(|| Self(octets.to_owned()))
    }

    /// Whether the value of an `Authorization` header shows it (RFC 6750, 2.1).
    ///
    /// It takes the same time wherever the first wrong octet stands.
    pub(super) fn is_presented_by(&self, authorization: &[u8]) -> bool {
        let Some((scheme, shown)) = authorization.split_at_checked("Bearer ".len()) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"Bearer ") && is_equal(&self.0, shown.trim_ascii())
    }
}

fn read(path: &Path) -> io::Result<(u32, Vec<u8>)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut octets = Vec::new();
    file.take(LONGEST as u64 * 2).read_to_end(&mut octets)?;
    Ok((mode, octets))
}

/// RFC 6750, 2.1: b64token.
fn is_b64token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~+/=".contains(&octet)
}

/// The length is no secret: it is the same for all who follow the documentation.
fn is_equal(secret: &[u8], shown: &[u8]) -> bool {
    if secret.len() != shown.len() {
        return false;
    }
    let difference =
        secret.iter().zip(shown).fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
    difference == 0
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    const SECRET: &str = "3uYw0Vtq-._~+/==";

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    #[test]
    fn only_the_whole_token_is_it() {
        let (_directory, path) = file(&format!("{SECRET}\n"), 0o640);
        let token = Token::load(&path).unwrap();
        for shown in [format!("Bearer {SECRET}"), format!("bearer  {SECRET} ")] {
            assert!(token.is_presented_by(shown.as_bytes()), "{shown}");
        }
        let mut wrong = vec![String::new(), "Bearer ".to_owned(), format!("Basic {SECRET}")];
        wrong.push(format!("Bearer {SECRET}x"));
        wrong.extend((0..SECRET.len()).map(|end| format!("Bearer {}", &SECRET[..end])));
        wrong.extend((0..SECRET.len()).map(|at| {
            let mut other = SECRET.to_owned();
            other.replace_range(at..=at, "!");
            format!("Bearer {other}")
        }));
        for shown in wrong {
            assert!(!token.is_presented_by(shown.as_bytes()), "{shown}");
        }
    }

    #[test]
    fn what_is_no_secret_is_no_token() {
        let (_directory, path) = file(SECRET, 0o644);
        assert!(matches!(Token::load(&path), Err(TokenError::Public { .. })));
        for content in ["", "short", "a token that has spaces", &"x".repeat(513), &"x".repeat(5000)]
        {
            let (_directory, path) = file(content, 0o600);
            assert!(matches!(Token::load(&path), Err(TokenError::Malformed { .. })), "{content}");
        }
        let missing = Token::load(Path::new("/nonexistent/token"));
        assert!(matches!(missing, Err(TokenError::Unreadable { .. })));
    }
}
