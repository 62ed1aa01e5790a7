//! `--config` and `--set`: what is configured, and what is said when it is wrong.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::config::{Config, Examined, Sources, Unreadable};
use crate::document::Diagnostic;

/// What is configured.
#[derive(Debug, Clone, Args)]
pub(super) struct Configuration {
    /// Configuration; with or without one, variables GRIDTAP_… of the environment stand above it
    #[arg(long = "config", value_name = "FILE", env = "GRIDTAP_CONFIG")]
    file: Option<PathBuf>,
    /// Set a key in place of the configuration, such as limits.flows=1000; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

impl Configuration {
    /// The file, if there is one.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
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
        self.file.as_ref().map(|file| file.display().to_string()).or_else(of_others)
    }

    fn sources(&self) -> Sources {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Sources {
            file: self.file.clone(),
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
    pub(super) fn load(&self) -> Result<Config, Failure> {
        let Some(examined) = self.examine()? else { return Ok(Config::default()) };
        match examined.into_loaded() {
            Ok(loaded) => Ok(loaded.config),
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
