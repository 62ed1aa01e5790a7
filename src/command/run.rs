//! `gridtap run`: the daemon.

use std::path::PathBuf;

use clap::Args;

use super::configuration::Configuration;
use super::overwrite;
use super::rule_files::{self, RuleFiles};
use super::{Exit, Failure};
use crate::config::{Config, Target};
use crate::daemon::{self, Start};
use crate::rule::RuleSet;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Capture from this interface, in place of those that are configured; may be repeated
    #[arg(long = "interface", value_name = "INTERFACE")]
    interfaces: Vec<String>,
    #[command(flatten)]
    rules: RuleFiles,
}

impl Arguments {
    fn load(&self) -> Result<(Config, RuleSet), Failure> {
        let configuration = self.configuration.with_interfaces(&self.interfaces);
        let config = configuration.load()?;
        let rules = self.rules.load_configured(&config)?;
        Ok((config, rules))
    }
}

/// Refuses to write where this reads.
fn refuse_overwriting(arguments: &Arguments, config: &Config) -> Result<(), Failure> {
    let outputs = config.outputs.iter().filter_map(|output| match &output.target {
        Target::File { path, .. } => Some(path.as_path()),
        _ => None,
    });
    let outputs: Vec<_> = outputs.collect();
    let rules = arguments.rules.paths(config)?;
    let inputs = rules.iter().map(PathBuf::as_path).chain(arguments.configuration.file());
    overwrite::refuse(&outputs, inputs)
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let (config, rules) = arguments.load()?;
    refuse_overwriting(&arguments, &config)?;
    rule_files::warn_if_none(&rules)?;
    let file = arguments.configuration.file().map(PathBuf::from);
    let reload = Box::new(move || arguments.load().map_err(|failure| failure.to_string()));
    daemon::run(Start { config, file, rules, reload })?;
    Ok(Exit::Done)
}
