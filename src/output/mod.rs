//! Where events go: EVE JSON, to whom its lines are delivered, and the packets around alerts.

mod additions;
mod clock;
mod correlating;
pub mod delivery;
mod envelope;
mod escape;
mod eve;
pub mod evidence;
mod formatter;
mod held_back;
mod json;
mod layout;
mod pen;
#[cfg(test)]
mod tests;
mod types;

pub use additions::{additions, is_addition};
pub use correlating::{Correlated, Correlating};
pub use eve::Eve;
pub use formatter::{Formatter, LineKind};
pub use held_back::{HeldBack, TellLate};
pub use types::{Types, UnknownType};
