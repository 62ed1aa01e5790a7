//! `gridtap rules fields`: every field that a rule may use.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::Style;
use clap::Args;

use super::{Exit, Failure, words};
use crate::event::{CONTEXT, Document, Field, Kind, Schema};
use crate::protocol;

/// Where the meaning begins, and where lines end.
const INDENT: usize = 48;
const WIDTH: usize = 110;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only the fields of this service
    #[arg(value_name = "SERVICE", value_parser = service)]
    service: Option<&'static Schema>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

fn service(name: &str) -> Result<&'static Schema, String> {
    protocol::services().find(|schema| schema.name == name).ok_or_else(|| {
        let names: Vec<_> = protocol::services().map(|schema| schema.name).collect();
        format!("the services are {}", names.join(", "))
    })
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let services: Vec<_> = match arguments.service {
        Some(service) => vec![service],
        None => protocol::services().collect(),
    };
    let mut out = super::stdout();
    if arguments.json {
        let services: Vec<_> = services.into_iter().map(described).collect();
        writeln!(out, "{:#}", serde_json::Value::from(services))?;
        return Ok(Exit::Done);
    }
    show("every service", &CONTEXT, &mut out)?;
    for service in services {
        writeln!(out)?;
        show(service.name, service, &mut out)?;
    }
    Ok(Exit::Done)
}

fn show(name: &str, schema: &'static Schema, out: &mut dyn Write) -> io::Result<()> {
    const HEADING: Style = Style::new().bold();
    const QUIET: Style = Style::new().dimmed();
    writeln!(out, "{HEADING}{name}{HEADING:#}  {}\n", schema.doc.trim())?;
    let fields =
        schema.paths().map(|(name, _, field)| (name, kind(field), meaning(field), names(field)));
    let documents = schema
        .documents
        .iter()
        .map(|document| (path_in(document), ANY, document.doc.into(), Vec::new()));
    for (name, kind, meaning, names) in fields.chain(documents) {
        let left = format!("  {name:<34} {kind}");
        // A long name pushes its meaning to the next line.
        let mut lead = if left.chars().count() < INDENT {
            format!("{left:<INDENT$}")
        } else {
            format!("{left}\n{:INDENT$}", "")
        };
        for line in words::wrapped(&meaning, WIDTH - INDENT) {
            writeln!(out, "{lead}{line}")?;
            lead = " ".repeat(INDENT);
        }
        for line in words::wrapped(&names.join(", "), WIDTH - INDENT) {
            writeln!(out, "{lead}{QUIET}{line}{QUIET:#}")?;
        }
    }
    Ok(())
}

fn described(schema: &'static Schema) -> serde_json::Value {
    let paths = CONTEXT.paths().chain(schema.paths());
    let fields = paths.map(|(name, path, field)| {
        serde_json::json!({
            "name": name,
            "kind": kind(field),
            "several": path.list.is_some(),
            "meaning": field.doc,
            "minimum": range(field).map(|(least, _)| least),
            "maximum": range(field).map(|(_, most)| most),
            "names": names(field),
        })
    });
    let documents = schema.documents.iter().map(|document| {
        serde_json::json!({
            "name": path_in(document),
            "kind": ANY,
            "several": true,
            "meaning": document.doc,
            "minimum": null,
            "maximum": null,
            "names": [],
        })
    });
    let fields: Vec<_> = fields.chain(documents).collect();
    serde_json::json!({
        "service": schema.name,
        "meaning": schema.doc.trim(),
        "fields": fields,
    })
}

/// The kind of what may be anything.
const ANY: &str = "any";

/// What stands for the fields in a document.
fn path_in(document: &Document) -> String {
    format!("{}.<path>", document.name)
}

const fn kind(field: &Field) -> &'static str {
    match field.kind {
        Kind::Boolean => "boolean",
        Kind::Integer | Kind::Range(..) => "integer",
        Kind::Number => "number",
        Kind::Name(_) => "name",
        Kind::Text => "text",
        Kind::TopicName => "topic name",
        Kind::TopicFilter => "topic filter",
        Kind::Address => "address",
        Kind::Time => "time",
        Kind::Any => ANY,
    }
}

/// What a person reads of a field: its meaning, and its range if it has one.
fn meaning(field: &Field) -> Cow<'static, str> {
    match range(field) {
        Some((least, most)) => format!("{} {least} to {most}.", field.doc).into(),
        None => field.doc.into(),
    }
}

/// The least and the greatest number that a field can be.
const fn range(field: &Field) -> Option<(i64, i64)> {
    match field.kind {
        Kind::Range(least, most) => Some((least, most)),
        _ => None,
    }
}

/// The names that a field can have.
fn names(field: &Field) -> Vec<&'static str> {
    let Kind::Name(names) = field.kind else { return Vec::new() };
    let mut distinct: Vec<&str> = Vec::new();
    for &name in names.iter().filter(|name| !name.is_empty()) {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}
