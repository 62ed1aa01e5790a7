//! `gridtap run`: the daemon.

use std::path::PathBuf;

use clap::Args;

use super::configuration::{Configuration, Configured};
use super::rule_files::{self, RuleFiles};
use super::{Exit, Failure};
use super::{host, overwrite};
use crate::config::{Config, Examined, Target};
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
    fn load(&self, look: impl FnOnce(&mut Examined)) -> Result<(Config, RuleSet), Failure> {
        let configuration = self.configuration.with_interfaces(&self.interfaces);
        let Configured { config, origins } = configuration.load_after(look)?;
        let rules = self.rules.load_configured(&config, origins.as_ref())?;
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
    let file = arguments.configuration.file();
    let inputs = rules.iter().chain(&file).map(PathBuf::as_path);
    overwrite::refuse(&outputs, inputs)
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let (config, rules) = arguments.load(host::look_at_memory)?;
    refuse_overwriting(&arguments, &config)?;
    rule_files::warn_if_none(&rules)?;
    let file = arguments.configuration.file();
    // Rings are not made anew, so their memory is not looked at.
    let reload = Box::new(move || arguments.load(|_| {}).map_err(|failure| failure.to_string()));
    daemon::run(Start { config, file, rules, reload })?;
    Ok(Exit::Done)
}
