//! JSON that somebody sent, and what stands in it at some paths.
//!
//! A document is read once for all paths that are asked for, in one pass and without a tree: what no
//! path leads to is passed over. It counts only as a whole: of octets that are no JSON, nothing is
//! found.

mod excerpt;
mod paths;
mod reader;
#[cfg(test)]
mod tests;
mod values;
mod walk;

pub use excerpt::excerpt;
pub use paths::{Mistake, Path, Paths};
pub use values::Values;

/// A value that has no others in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    /// `true` or `false`.
    Flag(bool),
    /// A number without fraction and exponent that 64 bits hold.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// Text.
    Text(&'a str),
}
