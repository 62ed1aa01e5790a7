//! `gridtap check`: loads everything, runs nothing.

use std::io::Write;

use clap::Args;

use super::configuration::{Configuration, show};
use super::rule_files::RuleFiles;
use super::{Exit, Failure, words};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    #[command(flatten)]
    rules: RuleFiles,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let examined = arguments.configuration.examine()?;
    let (mut mistakes, mut warnings) = (0, 0);
    if let Some(examined) = &examined {
        show(&examined.warnings)?;
        show(&examined.mistakes)?;
        (mistakes, warnings) = (examined.mistakes.len(), examined.warnings.len());
    }
    let config = examined.map(|examined| examined.despite_mistakes().clone());
    let set = arguments.rules.load_configured(&config.unwrap_or_default());
    let set = match set {
        // Their absence is one of the mistakes that were shown.
        Err(Failure::Input { .. }) if mistakes > 0 => None,
        Err(Failure::Mistakes { rules, .. }) => {
            return Err(Failure::Mistakes { configuration: mistakes, rules });
        }
        set => Some(set?),
    };
    let (Some(set), 0) = (set, mistakes) else {
        return Err(Failure::Mistakes { configuration: mistakes, rules: 0 });
    };
    let inactive = set.rules.iter().filter(|rule| rule.inactive.is_some()).count() as u64;
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
