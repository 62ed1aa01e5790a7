//! `--config` and `--set`: what is configured, and what is said when it is wrong.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::config::{Config, Examined, Loaded, Origins, Sources, Unreadable};
use crate::document::Diagnostic;

/// Names the file where `--config` does not.
const VARIABLE: &str = "GRIDTAP_CONFIG";

/// What is configured.
#[derive(Debug, Clone, Args)]
pub(super) struct Configuration {
    /// Configuration, or the variable GRIDTAP_CONFIG names it; with or without one, variables
    /// GRIDTAP_… of the environment stand above it
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Set a key in place of the configuration, such as limits.flows=1000; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// A configuration without a mistake.
#[derive(Debug, Default)]
pub(super) struct Configured {
    pub(super) config: Config,
    /// Where its values came from, if anything is configured.
    pub(super) origins: Option<Origins>,
}

impl Configuration {
    /// The file, if there is one.
    pub(super) fn file(&self) -> Option<PathBuf> {
        // An empty variable is how a container's description says that it is not set.
        let variable = || std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
        self.file.clone().or_else(|| variable().map(PathBuf::from))
    }

    /// The same with these interfaces, if there are any.
    pub(super) fn with_interfaces(&self, interfaces: &[String]) -> Self {
        let Self { file, mut settings } = self.clone();
        if !interfaces.is_empty() {
            let named = interfaces.iter().map(|name| format!("{{interface: {name:?}}}"));
            settings.push(format!("interfaces=[{}]", named.collect::<Vec<_>>().join(", ")));
        }
        Self { file, settings }
    }

    /// What it is called, if there is one.
    pub(super) fn name(&self) -> Option<String> {
        let of_others = || (!self.sources().is_empty()).then(|| "configuration".to_owned());
        self.file().map(|file| file.display().to_string()).or_else(of_others)
    }

    fn sources(&self) -> Sources {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Sources {
            file: self.file(),
            environment: std::env::vars_os()
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
            settings: self.settings.clone(),
        }
    }

    /// What it says, with all mistakes. Without any configuration, the defaults.
    pub(super) fn examine(&self) -> Result<Option<Examined>, Failure> {
        let sources = self.sources();
        if sources.is_empty() {
            return Ok(None);
        }
        let examined = Config::examine(&sources);
        examined.map(Some).map_err(|Unreadable { path, error }| Failure::Input { path, error })
    }

    /// What it says; on mistakes shows each of them, and fails.
    pub(super) fn load(&self) -> Result<Configured, Failure> {
        self.load_after(|_| {})
    }

    /// The same, once `look` had a chance to find more of them.
    pub(super) fn load_after(
        &self,
        look: impl FnOnce(&mut Examined),
    ) -> Result<Configured, Failure> {
        let Some(mut examined) = self.examine()? else { return Ok(Configured::default()) };
        look(&mut examined);
        match examined.into_loaded() {
            Ok(Loaded { config, origins, .. }) => Ok(Configured { config, origins: Some(origins) }),
            Err(mistakes) => {
                show(&mistakes)?;
                Err(Failure::Mistakes { configuration: mistakes.len(), rules: 0 })
            }
        }
    }
}

/// Draws each with its line on standard error.
pub(super) fn show(diagnostics: &[Diagnostic]) -> io::Result<()> {
    let mut out = super::stderr();
    diagnostics.iter().try_for_each(|diagnostic| writeln!(out, "{}\n", diagnostic.render(true)))
}
