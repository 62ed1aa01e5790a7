//! `gridtap rules export`: the rules for other tools.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use clap::Args;

use super::configuration::Configuration;
use super::overwrite::{self, is_dash};
use super::rule_files::RuleFiles;
use super::{Exit, Failure, words};
use crate::protocol;
use crate::rule::{Export, RuleSet};

#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = true, args = ["output", "navigator"])]
pub(super) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    #[command(flatten)]
    rules: RuleFiles,
    /// Write the rules in force to files in this folder, in plain Sigma: topics as regular
    /// expressions, placeholders filled; what other tools would not understand is left out, and
    /// named
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Write a layer for MITRE ATT&CK Navigator to this file, or - for standard output: the techniques
    /// of all rules, each with how many rules it has
    #[arg(long, value_name = "FILE")]
    navigator: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let configured = arguments.configuration.load()?;
    let (config, origins) = (&configured.config, configured.origins.as_ref());
    let (set, sources) = arguments.rules.load_with_sources(config, origins)?;
    let mut read = arguments.rules.paths(config)?;
    read.extend(arguments.configuration.file());
    if let Some(path) = &arguments.navigator {
        overwrite::refuse(&[path], read.iter().map(PathBuf::as_path))?;
        write_layer(&set, path)?;
    }
    let Some(folder) = &arguments.output else { return Ok(Exit::Done) };
    let services: Vec<_> = protocol::services().collect();
    let export = set.export(&sources, &services, &config.placeholders);
    write_rules(&export, folder, &read)?;
    let count = export.files.iter().map(|file| file.documents as u64).sum();
    let mut out = super::stderr();
    for left in &export.left_out {
        writeln!(out, "left out: {}: {}", left.title, left.why)?;
    }
    let left = words::count(export.left_out.len() as u64);
    writeln!(out, "{} exported, {left} left out", words::counted(count, "document"))?;
    Ok(Exit::Done)
}

fn write_rules(export: &Export, folder: &Path, read: &[PathBuf]) -> Result<(), Failure> {
    let mut taken: BTreeMap<PathBuf, u32> = BTreeMap::new();
    let above = common(export.files.iter().map(|file| within(&file.name)));
    for file in &export.files {
        let name = within(&file.name);
        let mut path = folder.join(name.strip_prefix(&above).unwrap_or(&name));
        // Two folders that rules came from may each have a file of this name.
        let times = taken.entry(path.clone()).or_default();
        *times += 1;
        if *times > 1 {
            path.set_extension(format!("{times}.yml"));
        }
        overwrite::refuse(&[&path], read.iter().map(PathBuf::as_path))?;
        let failed = |error| Failure::Create { path: path.clone(), error };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        fs::write(&path, &file.text).map_err(failed)?;
    }
    Ok(())
}

/// The path of a source as one below a folder.
fn within(name: &str) -> PathBuf {
    let parts = Path::new(name).components();
    parts.filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// The folder that all of these are in.
fn common(mut files: impl Iterator<Item = PathBuf>) -> PathBuf {
    let first = files.next().unwrap_or_default();
    let mut common = first.parent().unwrap_or(Path::new("")).to_owned();
    for file in files {
        while !file.starts_with(&common) {
            common.pop();
        }
    }
    common
}

fn write_layer(set: &RuleSet, path: &Path) -> Result<(), Failure> {
    let (layer, elsewhere) = layer(set);
    let text = format!("{layer:#}\n");
    if is_dash(path) {
        super::stdout().write_all(text.as_bytes())?;
    } else {
        fs::write(path, text).map_err(|error| Failure::Create { path: path.to_owned(), error })?;
    }
    if !elsewhere.is_empty() {
        let techniques = elsewhere.join(", ");
        writeln!(
            super::stderr(),
            "not in the layer, as ATT&CK for ICS does not have them: {techniques}"
        )?;
    }
    Ok(())
}

/// A layer of format 4.5, and the techniques of other domains than ICS.
fn layer(set: &RuleSet) -> (serde_json::Value, Vec<String>) {
    let mut by_technique: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in &set.rules {
        for technique in &rule.techniques {
            by_technique.entry(technique).or_default().push(&rule.title);
        }
    }
    // Techniques of ICS are T08xx.
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        by_technique.into_iter().partition(|(technique, _)| technique.starts_with("T08"));
    let most = here.iter().map(|(_, titles)| titles.len()).max().unwrap_or(1);
    let techniques: Vec<_> = here
        .iter()
        .map(|(technique, titles)| {
            serde_json::json!({
                "techniqueID": technique,
                "score": titles.len(),
                "comment": titles.join("\n"),
                "enabled": true,
                "showSubtechniques": false,
            })
        })
        .collect();
    let layer = serde_json::json!({
        "name": "gridtap",
        "description": "How many rules detect each technique.",
        "domain": "ics-attack",
        "versions": { "attack": "18", "navigator": "5.1.0", "layer": "4.5" },
        "sorting": 3,
        "hideDisabled": false,
        "techniques": techniques,
        "gradient": { "colors": ["#d6e8f7", "#1b6ca8"], "minValue": 0, "maxValue": most },
        "legendItems": [],
    });
    (layer, elsewhere.into_iter().map(|(technique, _)| technique.to_owned()).collect())
}
