//! `gridtap.yaml`: what the daemon does, strictly read.
//!
//! ```text
//!  defaults ◀ file ◀ environment ◀ command line          later ones win, key by key
//!      └────────┴─────────┴────────────┘
//!              reader  ◀──── keys: one table gives the structures, the reader, the reference
//!                │            in `docs/configuration.md` and the commented example
//!                │     ◀──── protocols: the same from the tables that protocols register
//!                ▼
//!             Config ────▶ check: what no key can be asked alone
//! ```
//!
//! Every mistake is told at once, each with its place. After one the key's default stands in, so
//! that what depends on it can be looked at as well; the result is not handed out then.

mod check;
mod given;
mod keys;
pub mod pages;
mod protocols;
mod reader;
mod setting;
mod streams;
#[cfg(test)]
mod tests;
mod unit;
mod value;

use std::io;
use std::path::PathBuf;

use given::{Given, GivenFile};
pub use keys::{
    Config, Evidence, Filter, FlowTimeouts, Http, Interface, Limits, Link, LogLevel, Output,
    Redacted, Ring, RotatedNames, Rotation, Target, Transport,
};
use reader::{DEFAULTS, Origin, Places, Reader, built_in};
pub use streams::{Checksums, Hosts, Overlaps, Streams, Urgent};
use unit::Unit;
pub use value::{Listen, Octets, RuleSource};

use crate::document::{Diagnostic, Severity};

/// What a configuration is made of. What comes later in this list wins, key by key.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `gridtap.yaml`; without it there are the defaults.
    pub file: Option<PathBuf>,
    /// Variables of the environment. Those whose name begins with `GRIDTAP_` count.
    pub environment: Vec<(String, String)>,
    /// Keys with their values in YAML, from the command line: `limits.flows=1000`.
    pub settings: Vec<String>,
}

impl Sources {
    /// Whether there is none: the defaults hold.
    pub fn is_empty(&self) -> bool {
        let Self { file, environment, settings } = self;
        file.is_none() && settings.is_empty() && !environment.iter().any(given::is_ours)
    }
}

/// The file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be read: {error}", .path.display())]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub error: io::Error,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// What is wrong in it, in the environment and on the command line.
    #[error("{} mistakes in the configuration", .0.len())]
    Mistakes(Vec<Diagnostic>),
}

/// A configuration, and all that is to be said of it.
#[derive(Debug)]
pub struct Examined {
    /// Where there are mistakes, with defaults in their places.
    config: Config,
    /// What makes it unusable.
    pub mistakes: Vec<Diagnostic>,
    /// What is probably not as it was meant.
    pub warnings: Vec<Diagnostic>,
    /// Where each value came from.
    pub origins: Origins,
}

/// A configuration without a mistake.
#[derive(Debug)]
pub struct Loaded {
    /// What to do.
    pub config: Config,
    /// What is probably not as it was meant.
    pub warnings: Vec<Diagnostic>,
    /// Where each value came from.
    pub origins: Origins,
}

/// Where each value of a configuration came from.
#[derive(Debug)]
pub struct Origins {
    origins: Vec<Origin>,
    places: Places,
}

impl Origins {
    /// A mistake that shows later, in the value of the key `path` (such as
    /// `interfaces.0.interface`), or in what is nearest above it where nobody gave that.
    pub fn mistake(&self, path: &str, message: &str) -> Diagnostic {
        self.places.told(&self.origins, Severity::Error, path, message)
    }

    /// The same, where it can be used all the same.
    pub fn warning(&self, path: &str, message: &str) -> Diagnostic {
        self.places.told(&self.origins, Severity::Warning, path, message)
    }
}

impl Examined {
    /// The configuration for looking at what it names, even if there are mistakes.
    pub fn despite_mistakes(&self) -> &Config {
        &self.config
    }

    /// The configuration.
    ///
    /// # Errors
    ///
    /// All mistakes.
    pub fn into_loaded(self) -> Result<Loaded, Vec<Diagnostic>> {
        let Self { config, mistakes, warnings, origins } = self;
        if mistakes.is_empty() { Ok(Loaded { config, warnings, origins }) } else { Err(mistakes) }
    }
}

impl Config {
    /// Reads what `sources` have.
    ///
    /// # Errors
    ///
    /// The file cannot be read. Mistakes in it are in the result.
    pub fn examine(sources: &Sources) -> Result<Examined, Unreadable> {
        let file = sources.file.as_deref().map(GivenFile::read).transpose()?;
        Ok(examine(Given::new(file, sources), &Unit::installed()))
    }

    /// Reads what `sources` have.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or has mistakes: all of them.
    pub fn load(sources: &Sources) -> Result<Loaded, LoadError> {
        Self::examine(sources)?.into_loaded().map_err(LoadError::Mistakes)
    }
}

impl Default for Config {
    fn default() -> Self {
        examine(Given::new(None, &Sources::default()), &Unit::default()).config
    }
}

fn examine(given: Given, unit: &Unit) -> Examined {
    let mut reporters = given.reporters();
    let document = given.document(&mut reporters);
    let overrides = given.overrides(&mut reporters);
    let mut reader = Reader::new(&given.origins, reporters, overrides);
    let config = document.as_ref().and_then(|(origin, node)| reader.whole(*origin, node));
    let is_whole = config.is_some();
    let config = config.unwrap_or_else(|| {
        let nothing = reader.whole(DEFAULTS, &built_in("{}"));
        nothing.expect("every key at the top has a default or is optional")
    });
    reader.refuse_unasked();
    if is_whole {
        check::whole(&config, unit, &mut reader);
    }
    let (found, places) = reader.finish();
    let (mistakes, warnings) =
        found.into_iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
    Examined { config, mistakes, warnings, origins: Origins { origins: given.origins, places } }
}
