//! `gridtap rules explain`: which conditions of a rule a record meets.

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde_json::Value as Json;

use super::configuration::Configuration;
use super::overwrite::is_dash;
use super::rule_files::RuleFiles;
use super::written::{Surroundings, Written};
use super::{Exit, Failure, words};
use crate::event::{Event, Schema};
use crate::protocol;
use crate::rule::{About, Explained, Rule};

/// The longest value that is shown whole, in characters.
const WIDTH: usize = 80;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    #[command(flatten)]
    rules: RuleFiles,
    /// The rule's id, name or title
    rule: String,
    /// A file whose first line is a record or an alert of EVE JSON, or - for standard input
    event: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let configured = arguments.configuration.load()?;
    let (config, origins) = (&configured.config, configured.origins.as_ref());
    let (set, sources) = arguments.rules.load_with_sources(config, origins)?;
    let Some(rule) = set.find(&sources, &arguments.rule) else {
        return Err(Failure::Usage("there is no such rule: `gridtap rules list` has them"));
    };
    let mut out = super::stdout();
    if let Some(placeholder) = &rule.inactive {
        writeln!(out, "{} is not in force: nothing is known for %{placeholder}%", rule.title)?;
        return Ok(Exit::Done);
    }
    let json = read(arguments)?;
    let Some(schema) = schema(&json, rule) else {
        return Err(Failure::Usage("the event is of no type that rules look at"));
    };
    let (surroundings, record) = (Surroundings::new(&json), Written::new(schema, &json));
    let event = Event { context: &surroundings.context(), record: &record };
    let services: Vec<_> = protocol::services().collect();
    let found = set.explain(rule, &event, &sources, &services, &config.placeholders);
    if found.is_empty() {
        writeln!(
            out,
            "{} is about {} records, and this is one of {}",
            rule.title,
            rule.about.name(),
            schema.name
        )?;
    }
    for explanation in &found {
        let filter = if explanation.is_filter { "filter: " } else { "" };
        writeln!(out, "{filter}{}", explanation.title)?;
        show(&explanation.condition, 1, &json, &mut out)?;
    }
    Ok(Exit::Done)
}

/// The first value in the file.
fn read(arguments: &Arguments) -> Result<Json, Failure> {
    let path = &arguments.event;
    let failed = |error| Failure::Input { path: path.clone(), error };
    let mut text = String::new();
    if is_dash(path) {
        io::stdin().read_to_string(&mut text).map_err(failed)?;
    } else {
        text = fs::read_to_string(path).map_err(failed)?;
    }
    let mut values = serde_json::Deserializer::from_str(&text).into_iter::<Json>();
    let nothing = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let value = values.next().ok_or_else(|| failed(nothing()))?;
    value.map_err(|error| failed(error.into()))
}

/// What the record is: an alert has that of its rule, and one of a correlation that of a rule which
/// the correlation is of.
fn schema(json: &Json, rule: &Rule) -> Option<&'static Schema> {
    let named = |name: &Json| protocol::services().find(|schema| name == schema.name);
    let kind = json.get("event_type")?;
    if kind != "alert" {
        return named(kind);
    }
    let of_rule = match rule.about {
        About::Records(schema) => Some(schema),
        About::Correlation(_) => None,
    };
    named(json.get("alert")?.get("category")?).or(of_rule)
}

fn show(part: &Explained, depth: usize, json: &Json, out: &mut dyn Write) -> io::Result<()> {
    const HELD: Style = AnsiColor::Green.on_default();
    const NOT: Style = AnsiColor::Red.on_default();
    const QUIET: Style = Style::new().dimmed();
    let (style, word) = if part.holds { (HELD, "holds") } else { (NOT, "fails") };
    let says = words::printable(part.says.as_bytes());
    write!(out, "{style}{word}{style:#}{:indent$}{says}", "", indent = 2 * depth)?;
    if let Some(field) = &part.field {
        let mut found = Vec::new();
        values(json, &field.replace('[', ".["), &mut found);
        let found = match &found[..] {
            [] => "not there".to_owned(),
            found => words::shortened(&words::printable(found.join(", ").as_bytes()), WIDTH),
        };
        write!(out, "  {QUIET}{found}{QUIET:#}")?;
    }
    writeln!(out)?;
    part.parts.iter().try_for_each(|part| show(part, depth + 1, json, out))
}

/// What stands at a path, in each member of arrays.
fn values(json: &Json, path: &str, found: &mut Vec<String>) {
    if path.is_empty() {
        match json {
            Json::Array(members) => members.iter().for_each(|member| values(member, path, found)),
            other => found.push(other.to_string()),
        }
        return;
    }
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let index = step.strip_prefix('[').and_then(|step| step.strip_suffix(']')).unwrap_or(step);
    match json {
        Json::Array(members) => match index.parse::<usize>() {
            Ok(index) => {
                members.get(index).into_iter().for_each(|member| values(member, rest, found));
            }
            Err(_) => members.iter().for_each(|member| values(member, path, found)),
        },
        other => other.get(step).into_iter().for_each(|inner| values(inner, rest, found)),
    }
}
