//! Where events go: EVE JSON.

mod eve;
mod json;
mod layout;
#[cfg(test)]
mod tests;
mod types;

pub use eve::Eve;
pub use types::{Types, UnknownType};
