//! Rules against records: what loads, what is refused with what words, and what matches.

mod correlations;
mod errors;
mod fake;
mod filters;
#[path = "../../benches/generate/mod.rs"]
mod generate;
mod naive;
mod pack;
mod semantics;

use super::*;
