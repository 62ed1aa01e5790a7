//! `gridtap rules schema`: a JSON Schema of rules, for editors. Made of the field table, so that it
//! knows every field that rules may use, and no other.

use std::io::Write;

use serde_json::{Map, Value as Json, json};

use super::{Exit, Failure};
use crate::event::{CONTEXT, Kind, Schema};
use crate::protocol;
use crate::rule;

pub(super) fn run() -> Result<Exit, Failure> {
    writeln!(super::stdout(), "{:#}", schema())?;
    Ok(Exit::Done)
}

/// Of draft 7, which every editor knows.
fn schema() -> Json {
    let mut definitions = Map::new();
    definitions.insert("values".to_owned(), values());
    definitions.insert("correlation".to_owned(), correlation());
    let (mut detections, mut filters) = (Vec::new(), Vec::new());
    for service in protocol::services() {
        let [fields, selection] =
            ["fields", "selection"].map(|of| format!("{of}_{}", service.name));
        definitions.insert(fields.clone(), fields_of(service));
        definitions.insert(selection.clone(), selection_of(&fields));
        let is_it = json!({"properties": {"logsource": {
            "required": ["service"],
            "properties": {"service": {"const": service.name}},
        }}});
        let detection = detection_of(Some(&selection), &json!({}));
        detections.push(json!({"if": is_it, "then": {"properties": {"detection": detection}}}));
        let filter = detection_of(Some(&selection), &words());
        filters.push(json!({"if": is_it, "then": {"properties": {"filter": filter}}}));
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Sigma rules over the records of gridtap",
        "type": "object",
        "required": ["title", "id"],
        "properties": header(),
        "if": {"required": ["correlation"]},
        "then": {},
        "else": {
            "required": ["logsource"],
            "if": {"required": ["filter"]},
            "then": {"properties": {"filter": detection_of(None, &words())}, "allOf": filters},
            "else": {
                "required": ["detection"],
                "properties": {"logsource": {"required": ["service"]}},
                "allOf": detections,
            },
        },
        "definitions": definitions,
    })
}

/// Keys of every document.
fn header() -> Json {
    let services: Vec<_> = protocol::services().map(|service| service.name).collect();
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "title": {"type": "string", "minLength": 1, "maxLength": 256},
        "id": {"type": "string", "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"},
        "name": text,
        "status": {"enum": ["stable", "test", "experimental", "deprecated", "unsupported"]},
        "level": {"enum": ["informational", "low", "medium", "high", "critical"]},
        "description": text,
        "author": text,
        "license": text,
        "taxonomy": text,
        "date": {"type": "string", "format": "date"},
        "modified": {"type": "string", "format": "date"},
        "references": texts,
        "falsepositives": texts,
        "fields": texts,
        "scope": texts,
        "tags": {"type": "array", "items": {"type": "string", "pattern": r"^[a-z0-9_-]+\.[a-z0-9._-]+$"}},
        "logsource": {
            "type": "object",
            "required": ["product"],
            "properties": {
                "product": {"const": "gridtap"},
                "service": {"enum": services},
                "definition": text,
            },
            "additionalProperties": false,
        },
        "detection": {"type": "object"},
        "filter": {"type": "object"},
        "correlation": {"$ref": "#/definitions/correlation"},
        "generate": {"type": "boolean"},
        "examples": {
            "description": "Captures to try the rule on, with the alerts that it gives.",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["capture", "alerts"],
                "properties": {
                    "capture": text,
                    "alerts": {"type": "integer", "minimum": 0},
                    "placeholders": {"type": "object", "additionalProperties": {
                        "type": "array", "items": {"type": ["string", "number"]},
                    }},
                },
                "additionalProperties": false,
            },
        },
    })
}

/// What fields are compared with.
fn values() -> Json {
    let value = json!({"type": ["string", "number", "boolean", "null"]});
    json!({"anyOf": [value, {"type": "array", "minItems": 1, "items": value}]})
}

/// One text, or several.
fn words() -> Json {
    let several = json!({"type": "array", "minItems": 1, "items": {"type": "string"}});
    json!({"rules": {"anyOf": [{"type": "string"}, several]}})
}

/// Fields with the values that they are compared with.
fn fields_of(service: &'static Schema) -> Json {
    let values = json!({"$ref": "#/definitions/values"});
    let modifiers: Vec<_> = rule::modifiers().collect();
    let modified = format!(r"(\|({}))+$", modifiers.join("|"));
    let (mut plain, mut patterns) = (Map::new(), Map::new());
    patterns.insert(format!("^{modified}"), values.clone());
    for (name, _, field) in service.paths().chain(CONTEXT.paths()) {
        patterns.insert(format!("^{}{modified}", regex::escape(&name)), values.clone());
        let mut of_field = json!({"description": field.doc});
        match field.kind {
            Kind::Name(names) => {
                let names: Vec<_> = names.iter().filter(|name| !name.is_empty()).collect();
                of_field["anyOf"] = json!([{"enum": names}, values]);
            }
            _ => of_field["allOf"] = json!([values]),
        }
        plain.insert(name, of_field);
    }
    for document in service.documents {
        let path = format!(
            r"^{}(\.|\[)[^|]+(\|({}))*$",
            regex::escape(document.name),
            modifiers.join("|")
        );
        patterns.insert(path, json!({"description": document.doc, "allOf": [values]}));
    }
    json!({
        "type": "object",
        "minProperties": 1,
        "properties": plain,
        "patternProperties": patterns,
        "additionalProperties": false,
    })
}

/// Fields that all hold, several of that of which one does, or words to be found anywhere.
fn selection_of(fields: &str) -> Json {
    let fields = json!({"$ref": format!("#/definitions/{fields}")});
    let word = json!({"type": ["string", "number"]});
    json!({
        "if": {"type": "object"},
        "then": fields,
        "else": {
            "if": {"type": "array"},
            "then": {
                "minItems": 1,
                "items": {"if": {"type": "object"}, "then": fields, "else": word},
            },
            "else": word,
        },
    })
}

/// Selections and a condition, and other keys besides.
fn detection_of(selection: Option<&str>, more: &Json) -> Json {
    let mut properties = more.clone();
    properties["condition"] = json!({"type": "string"});
    let selection = selection.map(|name| json!({"$ref": format!("#/definitions/{name}")}));
    json!({
        "type": "object",
        "required": properties.as_object().map(|keys| keys.keys().collect::<Vec<_>>()),
        "properties": properties,
        "additionalProperties": selection.unwrap_or(Json::Bool(true)),
    })
}

fn correlation() -> Json {
    let types: Vec<_> = rule::correlation_types().collect();
    let several = json!({"type": "array", "minItems": 1, "items": {"type": "string"}});
    let words = json!({"anyOf": [{"type": "string"}, several]});
    let mut bounds: Map<String, Json> = ["lt", "lte", "gt", "gte", "eq", "neq"]
        .map(|bound| (bound.to_owned(), json!({"type": "integer"})))
        .into_iter()
        .collect();
    bounds.insert("field".to_owned(), words.clone());
    bounds
        .insert("percentile".to_owned(), json!({"type": "integer", "minimum": 0, "maximum": 100}));
    let names = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({
        "type": "object",
        "required": ["type", "rules", "timespan"],
        "properties": {
            "type": {"enum": types},
            "rules": words,
            "group-by": words,
            "aliases": {"type": "object", "additionalProperties": names},
            "timespan": {"type": "string", "pattern": "^[0-9]+[smhdwMy]$"},
            "condition": {
                "if": {"type": "object"},
                "then": {"properties": bounds, "additionalProperties": false},
                "else": {"type": "string"},
            },
            "generate": {"type": "boolean"},
        },
        "additionalProperties": false,
    })
}
