//! `gridtap check`: loads everything, runs nothing.

use std::io::Write;

use clap::Args;

use super::rule_files::RuleFiles;
use super::{Exit, Failure, words};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    rules: RuleFiles,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let set = arguments.rules.load()?;
    let inactive = set.rules.iter().filter(|rule| rule.inactive.is_some()).count() as u64;
    let mut out = super::stdout();
    write!(out, "{}, no mistake", words::counted(set.rules.len() as u64, "rule"))?;
    if inactive > 0 {
        write!(out, "; {} not in force, as a placeholder is not filled", words::count(inactive))?;
    }
    writeln!(out)?;
    Ok(Exit::Done)
}
