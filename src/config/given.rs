//! What was given: the file, variables of the environment, settings of the command line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::reader::{Origin, Override, built_in};
use super::setting::{Key, Keys};
use super::{Config, Sources, Unreadable};
use crate::document::diagnostic::{Reporter, did_you_mean};
use crate::document::yaml::{self, Content, Node, Scalar, Span};
use crate::document::{Diagnostic, Severity, Source};

/// The largest file, in octets: the longest that people write have some ten thousand.
const LARGEST: u64 = 1 << 20;

/// What our variables begin with.
const PREFIX: &str = "GRIDTAP_";

/// Names the file itself.
const FILE_VARIABLE: &str = "GRIDTAP_CONFIG";

/// The file, as far as it is text.
pub(super) struct GivenFile {
    origin: Origin,
    fault: Option<Diagnostic>,
}

impl GivenFile {
    pub(super) fn read(path: &Path) -> Result<Self, Unreadable> {
        let octets = read(path).map_err(|error| Unreadable { path: path.to_owned(), error })?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let name = path.display().to_string();
        let (source, fault) = match as_text(name.clone(), octets) {
            Ok(source) => (source, None),
            Err(fault) => (Source { name, text: String::new() }, Some(*fault)),
        };
        Ok(Self { origin: Origin { source, folder }, fault })
    }
}

/// At most one octet more than allowed: a device has no end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut octets = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut octets)?;
    Ok(octets)
}

fn as_text(name: String, octets: Vec<u8>) -> Result<Source, Box<Diagnostic>> {
    let fault = |source: Source, start: usize, message: String| {
        let span = Span { start, end: start + 1 };
        Err(Box::new(Reporter::new(&source).diagnostic(Severity::Error, span, message, None)))
    };
    if octets.len() as u64 > LARGEST {
        let message = format!("the file is larger than {} MiB", LARGEST >> 20);
        return fault(Source { name, text: String::new() }, 0, message);
    }
    let source = Source::from_octets(name, octets)?;
    match source.text.find('\0') {
        Some(nul) => fault(source, nul, "this is no text: a NUL octet".to_owned()),
        None => Ok(source),
    }
}

/// All that was given, not yet looked into.
pub(super) struct Given {
    /// The defaults, the file, the variables, the settings.
    pub(super) origins: Vec<Origin>,
    file: Option<usize>,
    fault: Option<Diagnostic>,
    variables: Range<usize>,
    settings: Range<usize>,
}

impl Given {
    pub(super) fn new(file: Option<GivenFile>, sources: &Sources) -> Self {
        let mut origins = vec![origin("defaults", String::new())];
        let (file_origin, fault) =
            file.map_or((None, None), |file| (Some(file.origin), file.fault));
        let file = file_origin.as_ref().map(|_| origins.len());
        origins.extend(file_origin);
        let begin = origins.len();
        for (name, value) in sources.environment.iter().filter(|variable| is_ours(variable)) {
            // What is not ours may be a secret: its value is not shown.
            let known = key_of_variable(name).is_some();
            let text = if known { format!("{name}={value}") } else { name.clone() };
            origins.push(origin("environment", text));
        }
        let middle = origins.len();
        origins.extend(sources.settings.iter().map(|text| origin("command line", text.clone())));
        let settings = middle..origins.len();
        Self { origins, file, fault, variables: begin..middle, settings }
    }

    pub(super) fn reporters(&self) -> Vec<Reporter<'_>> {
        self.origins.iter().map(|origin| Reporter::new(&origin.source)).collect()
    }

    /// The file's tree, with its origin. `None` if it has no sense, which was told.
    pub(super) fn document(&self, reporters: &mut [Reporter<'_>]) -> Option<(usize, Node)> {
        let Some(file) = self.file else { return Some((super::DEFAULTS, built_in("{}"))) };
        let (origin, reporter) = (self.origins.get(file)?, reporters.get_mut(file)?);
        if let Some(fault) = &self.fault {
            reporter.add(fault.clone());
            return None;
        }
        let mut documents = yaml::documents(&origin.source, reporter).into_iter();
        let first = documents.next();
        if let Some(second) = documents.next() {
            reporter.error(second.span, "a configuration is one document, and this is another");
        }
        match first {
            None if reporter.has_found() => None,
            Some(node) if !node.is_null() => Some((file, node)),
            _ => Some((file, built_in("{}"))),
        }
    }

    /// What stands in place of the file's values, by path.
    pub(super) fn overrides(&self, reporters: &mut [Reporter<'_>]) -> BTreeMap<String, Override> {
        let mut overrides = BTreeMap::new();
        for index in self.variables.clone().chain(self.settings.clone()) {
            let (Some(origin), Some(reporter)) =
                (self.origins.get(index), reporters.get_mut(index))
            else {
                continue;
            };
            let mut part = Part { origin: index, text: &origin.source.text, reporter };
            let read =
                if self.variables.contains(&index) { part.variable() } else { part.setting() };
            overrides.extend(read);
        }
        overrides
    }
}

/// Whether a variable of the environment is one for us.
pub(super) fn is_ours((name, value): &(String, String)) -> bool {
    // An empty variable is how a container's description says that it is not set.
    name.starts_with(PREFIX) && name != FILE_VARIABLE && !value.trim().is_empty()
}

fn origin(name: &str, text: String) -> Origin {
    Origin { source: Source { name: name.to_owned(), text }, folder: PathBuf::new() }
}

/// `NAME=VALUE`; of a variable that sets no key, the name.
struct Part<'p, 'o> {
    origin: usize,
    text: &'p str,
    reporter: &'p mut Reporter<'o>,
}

impl Part<'_, '_> {
    fn variable(&mut self) -> Option<(String, Override)> {
        if let Some((name, _)) = self.text.split_once('=') {
            let (path, key) = key_of_variable(name)?;
            return Some((path, self.value(name.len(), key)?));
        }
        // No mistake: a cluster sets variables for every service that it knows.
        let mut names = Vec::new();
        every_key(&mut |path, _| names.push(environment_name(path)));
        let help = did_you_mean(self.text, names.iter().map(String::as_str));
        let message = format!("no key is set by the variable `{}`", self.text);
        let span = Span { start: 0, end: self.text.len() };
        self.reporter.tell(Severity::Warning, span, message, help);
        None
    }

    fn setting(&mut self) -> Option<(String, Override)> {
        let whole = Span { start: 0, end: self.text.len() };
        let Some((path, _)) = self.text.split_once('=') else {
            let help = "as in `limits.flows=1000`".to_owned();
            self.reporter.error_with(whole, "this is no `KEY=VALUE`", help);
            return None;
        };
        let Some(key) = find_key(path) else {
            let mut paths = Vec::new();
            every_key(&mut |path, _| paths.push(path.to_owned()));
            let help = did_you_mean(path, paths.iter().map(String::as_str));
            let message = format!("there is no key `{path}`");
            self.reporter.error_with(Span { start: 0, end: path.len() }, message, help);
            return None;
        };
        Some((path.to_owned(), self.value(path.len(), key)?))
    }

    /// The value of `key`, whose name ends at `end`.
    fn value(&mut self, end: usize, key: &Key) -> Option<Override> {
        let start = end + 1;
        let text = self.text.get(start..)?;
        let key_span = Span { start: 0, end };
        let is_yaml = key.kind.is_yaml() || text.starts_with(['\'', '"']);
        let node = if is_yaml {
            // As long as the name, so that places in it are places in the whole.
            let source = Source { name: String::new(), text: format!("{:start$}{text}", "") };
            let mut nodes = yaml::documents(&source, self.reporter).into_iter();
            let node = nodes.next().filter(|_| nodes.next().is_none());
            if node.is_none() && !self.reporter.has_found() {
                self.reporter.error(key_span, "this sets no value, or several");
            }
            node?
        } else {
            let scalar = Scalar::plain(text.trim().to_owned());
            Node { span: Span { start, end: self.text.len() }, content: Content::Scalar(scalar) }
        };
        Some(Override { origin: self.origin, node, key_span })
    }
}

/// The key that a variable of the environment sets, and its path.
fn key_of_variable(name: &str) -> Option<(String, &'static Key)> {
    let mut found = None;
    every_key(&mut |path, key| {
        if environment_name(path) == name {
            found = Some((path.to_owned(), key));
        }
    });
    found
}

/// The variable of the environment that sets the key at `path`.
pub(super) fn environment_name(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_ascii_uppercase())
}

/// Visits all keys but those of the members of lists, with their paths.
pub(super) fn every_key(visit: &mut dyn FnMut(&str, &'static Key)) {
    fn walk(above: &str, keys: &'static [Key], visit: &mut dyn FnMut(&str, &'static Key)) {
        for key in keys {
            let path = format!("{above}{}", key.name());
            visit(&path, key);
            if !key.kind.list {
                walk(&format!("{path}."), key.kind.keys, visit);
            }
        }
    }
    walk("", Config::KEYS, visit);
}

/// The key at `path`, in which numbers pick members of lists: `outputs.0.path`.
fn find_key(path: &str) -> Option<&'static Key> {
    let mut keys = Config::KEYS;
    let mut found: Option<&'static Key> = None;
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        let key = keys.iter().find(|key| key.name() == part)?;
        if key.kind.list && !key.kind.keys.is_empty() && parts.peek().is_some() {
            let index = parts.next()?;
            index.parse::<usize>().ok()?;
            parts.peek()?;
        }
        (keys, found) = (key.kind.keys, Some(key));
    }
    found
}
