//! `gridtap check`: loads everything, runs nothing.

use std::io::Write;

use clap::Args;

use super::configuration::{Configuration, show};
use super::rule_files::RuleFiles;
use super::{Exit, Failure, words};
use crate::config::{Examined, Target};
use crate::daemon::http::{Token, TokenError};
use crate::document::{Diagnostic, Severity};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    #[command(flatten)]
    rules: RuleFiles,
}

/// What the daemon will ask of this host, and otherwise only shows when it starts.
fn look_at_host(examined: &mut Examined) {
    let config = examined.despite_mistakes().clone();
    let token = config.http.as_ref().and_then(|http| http.token_file.as_deref());
    if let Some(Err(error)) = token.map(Token::load) {
        let told = examined.origins.mistake("http.token_file", &error.to_string());
        match error {
            // It may be there, or ours to read, only while the service runs.
            TokenError::Unreadable { .. } => examined.warnings.push(warning(told)),
            _ => examined.mistakes.push(told),
        }
    }
    for (index, output) in config.outputs.iter().enumerate() {
        let Target::File { path, .. } = &output.target else { continue };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let message = format!("{} is not there, and nobody makes it", folder.display());
            let told = examined.origins.mistake(&format!("outputs.{index}.path"), &message);
            examined.warnings.push(warning(told));
        }
    }
}

fn warning(told: Diagnostic) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..told }
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut examined = arguments.configuration.examine()?;
    let (mut mistakes, mut warnings) = (0, 0);
    if let Some(examined) = &mut examined {
        if examined.mistakes.is_empty() {
            look_at_host(examined);
        }
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
