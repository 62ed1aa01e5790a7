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
    let json = read(arguments)?;
    let members = set.members(rule, &sources);
    let Some(schema) = schema(&json, &members) else {
        return Err(Failure::Usage("the event is of no type that rules look at"));
    };
    let (surroundings, record) = (Surroundings::new(&json), Written::new(schema, &json));
    let event = Event { context: &surroundings.context(), record: &record };
    let services: Vec<_> = protocol::services().collect();
    let found = set.explain(rule, &event, &sources, &services, &config.placeholders);
    if let Some(placeholder) = &rule.inactive {
        writeln!(
            out,
            "{} is not in force: nothing is known for %{placeholder}%, and what depends on it is open",
            rule.title
        )?;
    }
    if found.is_empty() {
        writeln!(out, "{}", other_type(rule, &members, schema))?;
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
    let bad = |error: String| Failure::NoRecord { path: path.clone(), error };
    let value = values.next().ok_or_else(|| bad("nothing is in it".to_owned()))?;
    value.map_err(|error| bad(error.to_string()))
}

/// What to ask instead where a rule says nothing about records of this type.
fn other_type(rule: &Rule, members: &[&Rule], schema: &Schema) -> String {
    let mut types: Vec<_> = members.iter().map(|member| member.about.name()).collect();
    types.sort_unstable();
    types.dedup();
    let (title, types, given) = (&rule.title, types.join(" and "), schema.name);
    match rule.about {
        About::Records(_) => {
            format!("{title} is about {types} records, and this is one of {given}")
        }
        About::Correlation(_) => {
            let titles: Vec<_> = members.iter().map(|member| member.title.as_str()).collect();
            format!(
                "{title} is a correlation of {types} records, and this is one of {given}: give one that is \
                 met by {}",
                titles.join(", or by ")
            )
        }
    }
}

/// What the record is: an alert has that of its rule, and one of a correlation that of a rule which
/// the correlation is of.
fn schema(json: &Json, members: &[&Rule]) -> Option<&'static Schema> {
    let named = |name: &Json| protocol::services().find(|schema| name == schema.name);
    let kind = json.get("event_type")?;
    if kind != "alert" {
        return named(kind);
    }
    let is_shown = |schema: &&'static Schema| {
        let object = schema.fields.first().and_then(|field| field.name.split('.').next());
        object.is_some_and(|object| json.get(object).is_some())
    };
    let mut of_members = members.iter().filter_map(|member| match member.about {
        About::Records(schema) => Some(schema),
        About::Correlation(_) => None,
    });
    named(json.get("alert")?.get("category")?).or_else(|| of_members.find(is_shown))
}

fn show(part: &Explained, depth: usize, json: &Json, out: &mut dyn Write) -> io::Result<()> {
    const HELD: Style = AnsiColor::Green.on_default();
    const NOT: Style = AnsiColor::Red.on_default();
    const QUIET: Style = Style::new().dimmed();
    let (style, word) = match part.holds {
        Some(true) => (HELD, "holds"),
        Some(false) => (NOT, "fails"),
        None => (QUIET, "open "),
    };
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
