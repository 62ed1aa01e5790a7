//! `--rules`: which rules are loaded, and what is said when they are wrong.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::configuration::show;
use super::{Failure, words};
use crate::config::{Config, Origins, RuleSource};
use crate::protocol;
use crate::rule::{Diagnostic, Placeholders, RuleSet, Source};

/// Which rules are loaded.
#[derive(Debug, Args)]
pub(super) struct RuleFiles {
    /// A rule file, or a folder of *.yml and *.yaml files, instead of the built-in rules; may be
    /// given several times
    #[arg(long = "rules", value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl RuleFiles {
    /// Loads them; on mistakes shows each of them, and fails.
    pub(super) fn load(&self) -> Result<RuleSet, Failure> {
        self.load_configured(&Config::default(), None)
    }

    /// The same, with `placeholders` filled.
    pub(super) fn load_with(&self, placeholders: &Placeholders) -> Result<RuleSet, Failure> {
        let config = Config { placeholders: placeholders.clone(), ..Config::default() };
        self.load_configured(&config, None)
    }

    /// The same, with the placeholders that are configured; without `--rules` those rules. With
    /// `origins`, what is wrong with a placeholder's value is shown where the value stands.
    pub(super) fn load_configured(
        &self,
        config: &Config,
        origins: Option<&Origins>,
    ) -> Result<RuleSet, Failure> {
        self.load_with_sources(config, origins).map(|(set, _)| set)
    }

    /// The same, and what they were read from.
    pub(super) fn load_with_sources(
        &self,
        config: &Config,
        origins: Option<&Origins>,
    ) -> Result<(RuleSet, Vec<Source>), Failure> {
        let Read { sources, mut mistakes, unreadable } = self.sources(&config.rules);
        let services: Vec<_> = protocol::services().collect();
        let load = |placeholders| RuleSet::load(&sources, &services, placeholders);
        let found = match load(&config.placeholders) {
            Ok(set) if mistakes.is_empty() && unreadable.is_none() => return Ok((set, sources)),
            Ok(_) => Vec::new(),
            Err(found) => found,
        };
        // What is wrong without any value is a mistake of the rule.
        let of_rules = load(&Placeholders::new()).err().unwrap_or_default();
        let mut of_values = Vec::new();
        for mistake in found {
            let origins = origins.filter(|_| !of_rules.contains(&mistake));
            match origins.and_then(|origins| at_its_value(&mistake, config, origins)) {
                Some(moved) if of_values.contains(&moved) => {} // a value may stand in many rules
                Some(moved) => of_values.push(moved),
                None => mistakes.push(mistake),
            }
        }
        show(&of_values)?;
        show(&mistakes)?;
        match unreadable {
            Some(failure) if of_values.is_empty() && mistakes.is_empty() => return Err(failure),
            // What is wrong in the others does not wait for it, nor it for them.
            Some(failure) => writeln!(super::stderr(), "gridtap: {failure}\n")?,
            None => {}
        }
        Err(Failure::Mistakes { configuration: of_values.len(), rules: mistakes.len() })
    }

    /// Every file that these rules stand in, or without `--rules` those that are configured.
    pub(super) fn paths(&self, config: &Config) -> Result<Vec<PathBuf>, Failure> {
        let mut paths = Vec::new();
        for place in self.places(&config.rules) {
            if let RuleSource::Path(path) = place {
                paths.extend(files(&path)?);
            }
        }
        Ok(paths)
    }

    fn places(&self, configured: &[RuleSource]) -> Vec<RuleSource> {
        if self.paths.is_empty() {
            return configured.to_vec();
        }
        self.paths.iter().cloned().map(RuleSource::Path).collect()
    }

    fn sources(&self, configured: &[RuleSource]) -> Read {
        let mut read = Read::default();
        for place in self.places(configured) {
            let RuleSource::Path(path) = place else {
                read.sources.extend(RuleSet::builtin_sources());
                continue;
            };
            if let Err(failure) = read.add(&path) {
                read.unreadable.get_or_insert(failure);
            }
        }
        read
    }
}

/// What was read of files.
#[derive(Default)]
struct Read {
    sources: Vec<Source>,
    /// What is wrong with those that are no text.
    mistakes: Vec<Diagnostic>,
    /// Why the first of those that cannot be read cannot.
    unreadable: Option<Failure>,
}

impl Read {
    /// A file, or those in a folder.
    fn add(&mut self, path: &Path) -> Result<(), Failure> {
        for path in files(path)? {
            let name = path.display().to_string();
            let octets = fs::read(&path).map_err(|error| Failure::Input { path, error })?;
            match Source::from_octets(name, octets) {
                Ok(source) => self.sources.push(source),
                Err(mistake) => self.mistakes.push(*mistake),
            }
        }
        Ok(())
    }
}

/// A mistake in a rule that is one of the value of a placeholder, as a mistake of the configuration;
/// nothing where the marked place of the rule has no placeholder that is configured.
fn at_its_value(mistake: &Diagnostic, config: &Config, origins: &Origins) -> Option<Diagnostic> {
    let marked = mistake.source_line.chars().skip(mistake.shown_column - 1);
    let marked: String = marked.take(mistake.length).collect();
    let mut known = config.placeholders.iter();
    let (name, values) = known.find(|(name, _)| marked.contains(&format!("%{name}%")))?;
    let is_it = |value: &String| mistake.message.contains(&format!("`{value}`"));
    let path = match values.iter().position(is_it) {
        Some(index) => format!("placeholders.{name}.{index}"),
        None => format!("placeholders.{name}"),
    };
    let moved = origins.mistake(&path, &mistake.message);
    let why = format!("`%{name}%` stands in rules for it");
    let help = mistake.help.as_ref().map_or(why.clone(), |help| format!("{help}; {why}"));
    Some(Diagnostic { help: Some(help), ..moved })
}

/// Says so on standard error if no rule can fire: what comes then looks like a quiet day.
pub(super) fn warn_if_none(set: &RuleSet) -> io::Result<()> {
    if set.in_force() > 0 {
        return Ok(());
    }
    let why = match set.rules.len() as u64 {
        0 => "there is none".to_owned(),
        count => format!("{}, with placeholders that nobody filled", words::counted(count, "rule")),
    };
    writeln!(
        super::stderr(),
        "gridtap: warning: no rule is in force ({why}): nothing raises an alert"
    )
}

/// A rule file, or those in a folder.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::Input { path: path.to_owned(), error };
    let mut files = Vec::new();
    if fs::metadata(path).map_err(failed)?.is_dir() {
        collect(path, &mut files)?;
    } else {
        files.push(path.to_owned());
    }
    Ok(files)
}

/// Adds the rule files in `folder` and in the folders in it, in the order of their names.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error| Failure::Input { path: folder.to_owned(), error };
    let entries: io::Result<Vec<_>> = fs::read_dir(folder).map_err(failed)?.collect();
    let mut entries = entries.map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // A folder that is reached by a link may lie above itself.
        if entry.file_type().map_err(failed)?.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "yml" || end == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}
