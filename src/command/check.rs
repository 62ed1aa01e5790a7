//! `gridtap check`: loads everything, runs nothing.

use std::io::Write;

use clap::Args;

use super::configuration::{Configuration, show};
use super::rule_files::{self, RuleFiles};
use super::{Exit, Failure, host, words};
use crate::config::{Config, Examined};
use crate::document::Diagnostic;
use crate::rule::RuleSet;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    #[command(flatten)]
    rules: RuleFiles,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut examined = arguments.configuration.examine()?;
    let (mut mistakes, mut warnings) = (0, 0);
    if let Some(examined) = &mut examined {
        if examined.mistakes.is_empty() {
            // What cannot be read is told when the rules are loaded.
            let mut read = arguments.rules.paths(examined.despite_mistakes()).unwrap_or_default();
            read.extend(arguments.configuration.file());
            host::look(examined, &read);
        }
        show(&examined.warnings)?;
        show(&examined.mistakes)?;
        (mistakes, warnings) = (examined.mistakes.len(), examined.warnings.len());
    }
    let defaults = Config::default();
    let config = examined.as_ref().map_or(&defaults, Examined::despite_mistakes);
    let origins = examined.as_ref().map(|examined| &examined.origins);
    let set = arguments.rules.load_configured(config, origins);
    let set = match set {
        // Their absence is one of the mistakes that were shown.
        Err(Failure::Input { .. }) if mistakes > 0 => None,
        Err(Failure::Mistakes { configuration, rules }) => {
            return Err(Failure::Mistakes { configuration: mistakes + configuration, rules });
        }
        set => Some(set?),
    };
    let (Some(set), 0) = (set, mistakes) else {
        return Err(Failure::Mistakes { configuration: mistakes, rules: 0 });
    };
    if let Some(examined) = &examined {
        let unused = unused_placeholders(examined, &set);
        show(&unused)?;
        warnings += unused.len();
    }
    rule_files::warn_if_none(&set)?;
    let inactive = (set.rules.len() - set.in_force()) as u64;
    let mut out = super::stdout();
    if let Some(name) = arguments.configuration.name() {
        write!(out, "{name}, ")?;
    }
    write!(out, "{}, no mistake", words::counted(set.rules.len() as u64, "rule"))?;
    if warnings > 0 {
        write!(out, ", {}", words::counted(warnings as u64, "warning"))?;
    }
    if inactive > 0 {
        write!(out, "; {} not in force, as a placeholder is not filled", words::count(inactive))?;
    }
    writeln!(out)?;
    Ok(Exit::Done)
}

/// What is given and nobody asks for: most likely a slip, and the rule that was meant is not in
/// force.
fn unused_placeholders(examined: &Examined, set: &RuleSet) -> Vec<Diagnostic> {
    let names = examined.despite_mistakes().placeholders.keys();
    let unused = names.filter(|name| !set.placeholders.contains(*name));
    unused
        .map(|name| {
            let message = format!("no rule has the placeholder `%{name}%`");
            examined.origins.warning(&format!("placeholders.{name}"), &message)
        })
        .collect()
}
