//! What people write in YAML, read so that every mistake can be shown where it is: rules and the
//! configuration have it in common.

pub(crate) mod diagnostic;
mod write;
pub(crate) mod yaml;

pub use diagnostic::{Diagnostic, Severity};

/// A text that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What to call it in messages: its path.
    pub name: String,
    /// All of it.
    pub text: String,
}

impl Source {
    /// A file as it was read.
    ///
    /// # Errors
    ///
    /// The first octet that is no UTF-8, as one more mistake of the file.
    pub fn from_octets(name: String, octets: Vec<u8>) -> Result<Self, Box<Diagnostic>> {
        match String::from_utf8(octets) {
            Ok(text) => Ok(Self { name, text }),
            Err(error) => {
                Err(Box::new(diagnostic::not_utf8(name, error.utf8_error(), error.as_bytes())))
            }
        }
    }
}
