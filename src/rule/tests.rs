//! Rules against records: what loads, what is refused with what words, and what matches.

mod errors;
mod fake;
mod naive;
mod semantics;

use super::*;
