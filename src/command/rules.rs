//! `gridtap rules`: what there is, what rules can look at, and whether they do what they promise.

use std::io::Write;

use anstyle::Style;
use clap::{Args, Subcommand};

use super::rule_files::RuleFiles;
use super::{Exit, Failure, explain, export, fields, schema, try_rules, words};
use crate::rule::{About, Rule};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The loaded rules
    List(ListArguments),
    /// Every field that a rule may use, with its kind and meaning
    Fields(fields::Arguments),
    /// Run each rule on its example captures and compare the number of alerts
    Test(try_rules::Arguments),
    /// Which conditions of a rule a record meets, and with what values
    Explain(explain::Arguments),
    /// Write the rules for other tools of Sigma, or their techniques for ATT&CK Navigator
    Export(export::Arguments),
    /// A JSON Schema of rules, for editors
    Schema,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    rules: RuleFiles,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::List(arguments) => list(arguments),
        Command::Fields(arguments) => fields::run(arguments),
        Command::Test(arguments) => try_rules::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Schema => schema::run(),
        Command::Export(arguments) => export::run(arguments),
    }
}

fn list(arguments: &ListArguments) -> Result<Exit, Failure> {
    const QUIET: Style = Style::new().dimmed();
    let set = arguments.rules.load()?;
    let mut out = super::stdout();
    if arguments.json {
        let rules: Vec<_> = set.rules.iter().map(described).collect();
        writeln!(out, "{:#}", serde_json::Value::from(rules))?;
        return Ok(Exit::Done);
    }
    for rule in &set.rules {
        let (level, service) = (rule.level.name(), rule.about.name());
        writeln!(out, "{level:<13}  {service:<8}  {}", rule.title)?;
        let techniques = rule.techniques.iter().map(|technique| format!("  {technique}"));
        let techniques: String = techniques.collect();
        writeln!(out, "{:25}{QUIET}{}{techniques}{QUIET:#}", "", rule.id)?;
        if let About::Correlation(together) = rule.about {
            let timespan = words::duration(together.timespan);
            writeln!(out, "{:25}{} within {timespan}", "", together.kind)?;
        }
        if rule.is_quiet {
            writeln!(out, "{:25}quiet: it feeds correlations, and raises no alert itself", "")?;
        }
        if let Some(placeholder) = &rule.inactive {
            writeln!(out, "{:25}not in force: nothing is known for %{placeholder}%", "")?;
        }
    }
    let count = words::counted(set.rules.len() as u64, "rule");
    let inactive = (set.rules.len() - set.in_force()) as u64;
    writeln!(out, "\n{count}, {} not in force", words::count(inactive))?;
    Ok(Exit::Done)
}

fn described(rule: &Rule) -> serde_json::Value {
    serde_json::json!({
        "id": rule.id.to_string(),
        "title": rule.title,
        "level": rule.level.name(),
        "service": rule.about.name(),
        "correlation": match rule.about {
            About::Records(_) => None,
            About::Correlation(together) => Some(serde_json::json!({
                "type": together.kind,
                "timespan": together.timespan.as_secs(),
            })),
        },
        "quiet": rule.is_quiet,
        "signature_id": rule.signature_id,
        "techniques": rule.techniques,
        "description": rule.description,
        "falsepositives": rule.falsepositives,
        "file": rule.file,
        "active": rule.inactive.is_none(),
        "unfilled_placeholder": rule.inactive,
    })
}
