//! Walks the tables of keys over what was given: the file, and above it the environment and the
//! command line. Remembers where each value came from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::setting::{Key, Keys, Setting};
use crate::document::diagnostic::{Reporter, did_you_mean};
use crate::document::yaml::{self, Content, Entry, Meaning, Node, Scalar, Span};
use crate::document::{Diagnostic, Severity, Source};

/// The origin of what nobody gave: the first.
pub(super) const DEFAULTS: usize = 0;

/// At the beginning of an origin.
const NOWHERE: Span = Span { start: 0, end: 0 };

/// Something that keys were given in: the file, a variable, an argument.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) source: Source,
    /// Where paths begin that are not absolute.
    pub(super) folder: PathBuf,
}

/// A value from the environment or the command line, in place of the file's.
#[derive(Debug)]
pub(super) struct Override {
    pub(super) origin: usize,
    pub(super) node: Node,
    /// Where the key's name stands.
    pub(super) key_span: Span,
}

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    origin: usize,
    span: Span,
}

/// Where each value stands that somebody gave, by path.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, Place>);

impl Places {
    /// Of the value at `path`, else of what is nearest above it.
    fn nearest(&self, path: &str) -> Place {
        let ends = path.rmatch_indices('.').map(|(end, _)| end);
        let mut above = std::iter::once(path.len()).chain(ends).chain(std::iter::once(0));
        let place = above.find_map(|end| self.0.get(path.get(..end)?));
        place.copied().unwrap_or(Place { origin: DEFAULTS, span: NOWHERE })
    }

    /// What to say of the value at `path`.
    pub(super) fn told(
        &self,
        origins: &[Origin],
        severity: Severity,
        path: &str,
        message: &str,
    ) -> Diagnostic {
        let place = self.nearest(path);
        let nowhere = Source { name: "defaults".to_owned(), text: String::new() };
        let source = origins.get(place.origin).map_or(&nowhere, |origin| &origin.source);
        let message = message.to_owned();
        Reporter::new(source).diagnostic(severity, place.span, message, None)
    }
}

/// A map in the file, or one that is not there.
#[derive(Debug)]
pub(super) struct Section<'n> {
    span: Span,
    entries: &'n [Entry],
}

/// Reads values, and collects mistakes.
pub(super) struct Reader<'o> {
    origins: &'o [Origin],
    reporters: Vec<Reporter<'o>>,
    /// By path, with whether somebody asked for it.
    overrides: BTreeMap<String, (Override, bool)>,
    places: Places,
    /// Of the value that is being read: `outputs.0.path`.
    path: String,
    /// Of the value that is being read.
    origin: usize,
}

/// The node that a text of ours is.
pub(super) fn built_in(text: &str) -> Node {
    let source = Source { name: String::new(), text: text.to_owned() };
    let nothing = || Node { span: NOWHERE, content: Content::List(Vec::new()) };
    yaml::documents(&source, &mut Reporter::new(&source)).pop().unwrap_or_else(nothing)
}

impl<'o> Reader<'o> {
    /// One reporter an origin.
    pub(super) fn new(
        origins: &'o [Origin],
        reporters: Vec<Reporter<'o>>,
        overrides: BTreeMap<String, Override>,
    ) -> Self {
        let asked = |(path, given)| (path, (given, false));
        Self {
            origins,
            reporters,
            overrides: overrides.into_iter().map(asked).collect(),
            places: Places::default(),
            path: String::new(),
            origin: DEFAULTS,
        }
    }

    /// Reads the whole, which stands in `origin`.
    pub(super) fn whole<K: Keys>(&mut self, origin: usize, node: &Node) -> Option<K> {
        self.origin = origin;
        self.places.0.insert(String::new(), Place { origin, span: NOWHERE });
        self.section(node)
    }

    /// Mistakes and warnings in the order of origins and lines, and the places of all values.
    pub(super) fn finish(self) -> (Vec<Diagnostic>, Places) {
        (self.reporters.into_iter().flat_map(Reporter::into_found).collect(), self.places)
    }

    /// Tells of what the environment and the command line set and nothing has: members of a list
    /// that is shorter.
    pub(super) fn refuse_unasked(&mut self) {
        let unasked = self.overrides.iter().filter(|(_, (_, asked))| !asked);
        let unasked: Vec<_> = unasked
            .map(|(path, (given, _))| (path.clone(), given.origin, given.key_span))
            .collect();
        for (path, origin, span) in unasked {
            let message = format!("there is no `{path}`: the list is shorter");
            self.report(origin, Severity::Error, span, message, None);
        }
    }

    /// A map with these keys and no others.
    pub(super) fn section<K: Keys>(&mut self, node: &Node) -> Option<K> {
        let section = self.entries(node, K::KEYS)?;
        K::from_section(&section, self)
    }

    /// What a map with these keys and no others has.
    fn entries<'n>(&mut self, node: &'n Node, keys: &[Key]) -> Option<Section<'n>> {
        let Content::Map(entries) = &node.content else {
            return self.mismatch(node, "a map of keys");
        };
        let names: Vec<_> = keys.iter().map(Key::name).collect();
        for entry in entries.iter().filter(|entry| !names.contains(&entry.key.as_str())) {
            let help = did_you_mean(&entry.key, names.iter().copied())
                .unwrap_or_else(|| format!("there are {}", quoted(&names)));
            let message = match self.path.as_str() {
                "" => format!("there is no key `{}`", entry.key),
                path => format!("there is no key `{}` in `{path}`", entry.key),
            };
            self.wrong_with::<()>(entry.key_span, message, help);
        }
        Some(Section { span: node.span, entries })
    }

    /// The value of a key: as given, else its default. `None` if it has none, which was told.
    pub(super) fn key<T: Setting>(&mut self, section: &Section<'_>, key: &Key) -> Option<T> {
        self.at(key, |reader| match reader.given(section, key) {
            Some(node) => reader.value(&node, key),
            None => reader.default(section, key),
        })
    }

    /// The members of a key's list that are right, which have the keys of its kind; none where
    /// nobody gives it.
    pub(super) fn section_list<T>(
        &mut self,
        section: &Section<'_>,
        key: &Key,
        mut read: impl FnMut(&Section<'_>, &mut Self) -> Option<T>,
    ) -> Vec<T> {
        self.at(key, |reader| {
            let node = reader.given(section, key)?;
            reader.remember(node.span);
            reader.list(&node, |item, reader| {
                let section = reader.entries(item, key.kind.keys)?;
                read(&section, reader)
            })
        })
        .unwrap_or_default()
    }

    /// Reads what belongs to a key of what is being read.
    fn at<T>(&mut self, key: &Key, read: impl FnOnce(&mut Self) -> T) -> T {
        let (length, origin) = (self.path.len(), self.origin);
        self.path = self.path_of(key.name());
        let value = read(self);
        self.path.truncate(length);
        self.origin = origin;
        value
    }

    /// What somebody gave for the key. From here on mistakes are those of its origin.
    fn given<'n>(&mut self, section: &Section<'n>, key: &Key) -> Option<Cow<'n, Node>> {
        if let Some((given, asked)) = self.overrides.get_mut(&self.path) {
            *asked = true;
            self.origin = given.origin;
            return Some(Cow::Owned(given.node.clone()));
        }
        let entry = section.entries.iter().find(|entry| entry.key == key.name())?;
        // All below the key may have been commented out.
        let is_given = !key.kind.is_yaml() || !entry.value.is_null();
        is_given.then_some(Cow::Borrowed(&entry.value))
    }

    /// The value that somebody gave. After a mistake the default stands in, so that all that
    /// depends on it can be looked at.
    fn value<T: Setting>(&mut self, node: &Node, key: &Key) -> Option<T> {
        self.remember(node.span);
        let read = T::read(node, self).filter(|value| self.check_range(node.span, value, key));
        read.or_else(|| self.read_default(key))
    }

    fn default<T: Setting>(&mut self, section: &Section<'_>, key: &Key) -> Option<T> {
        if key.default().is_none() {
            return self.wrong(section.span, format!("`{}` is missing here", key.name()));
        }
        self.read_default(key)
    }

    fn read_default<T: Setting>(&mut self, key: &Key) -> Option<T> {
        let default = built_in(key.default()?);
        self.origin = DEFAULTS;
        T::read(&default, self)
    }

    fn check_range<T: Setting>(&mut self, span: Span, value: &T, key: &Key) -> bool {
        let Some((low, high)) = key.range else { return true };
        let bounds = T::read(&built_in(low), self).zip(T::read(&built_in(high), self));
        let inside = bounds.is_none_or(|(low, high)| value.is_within(&low, &high));
        if !inside {
            self.wrong::<()>(
                span,
                format!("`{}` is at least {low} and at most {high}", key.name()),
            );
        }
        inside
    }

    /// Reads what is called `name` below what is being read, and stands at `span`.
    pub(super) fn below<T>(
        &mut self,
        name: &str,
        span: Span,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let length = self.path.len();
        self.path.push('.');
        self.path.push_str(name);
        self.remember(span);
        let value = read(self);
        self.path.truncate(length);
        value
    }

    /// A list, without the members that are wrong.
    pub(super) fn list<T>(
        &mut self,
        node: &Node,
        mut read: impl FnMut(&Node, &mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Content::List(items) = &node.content else {
            return self.mismatch(node, "a list");
        };
        let mut members = Vec::new();
        for (index, item) in items.iter().enumerate() {
            members.extend(self.below(&index.to_string(), item.span, |reader| read(item, reader)));
        }
        Some(members)
    }

    /// The text of a scalar that is text.
    pub(super) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.content {
            Content::Scalar(Scalar { text, meaning: Meaning::Plain | Meaning::Quoted }) => {
                Some(text)
            }
            Content::Scalar(Scalar {
                meaning: Meaning::Integer(_) | Meaning::Boolean(_),
                text,
            }) => self.mismatch_with(node, what, format!("in quotes it is text: '{text}'")),
            _ => self.mismatch(node, what),
        }
    }

    /// The text of a number with a unit.
    pub(super) fn quantity<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        help: &str,
    ) -> Option<&'n str> {
        match &node.content {
            Content::Scalar(Scalar { text, meaning: Meaning::Plain | Meaning::Quoted })
                if text.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                Some(text)
            }
            Content::Scalar(Scalar {
                meaning: Meaning::Integer(_) | Meaning::Float(_), ..
            }) => self.wrong_with(node.span, "this number has no unit", help),
            _ => self.mismatch_with(node, what, help),
        }
    }

    /// One of several words.
    pub(super) fn one_of<T: Copy>(&mut self, node: &Node, choices: &[(&str, T)]) -> Option<T> {
        let Content::Scalar(scalar) = &node.content else {
            return self.mismatch(node, "a word");
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == scalar.text) {
            return Some(*choice);
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let help = did_you_mean(&scalar.text, words.iter().copied())
            .unwrap_or_else(|| format!("it is one of {}", quoted(&words)));
        let message = format!("{} is never `{}`", self.name(), scalar.text);
        self.wrong_with(node.span, message, help)
    }

    /// Where a path begins that is not absolute.
    pub(super) fn folder(&self) -> &'o Path {
        self.origins.get(self.origin).map_or(Path::new(""), |origin| &origin.folder)
    }

    /// Whether the environment or the command line sets something in what is being read.
    pub(super) fn is_overridden_below(&self) -> bool {
        let prefix = format!("{}.", self.path);
        self.overrides
            .range(prefix.clone()..)
            .next()
            .is_some_and(|(path, _)| path.starts_with(&prefix))
    }

    /// Whether somebody gave a value for `key` in the section that is being read.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.places.0.contains_key(&self.path_of(key))
    }

    pub(super) fn mismatch<T>(&mut self, node: &Node, what: &str) -> Option<T> {
        self.wrong(node.span, format!("{} is {what}, and this is {}", self.name(), node.what()))
    }

    pub(super) fn mismatch_with<T>(
        &mut self,
        node: &Node,
        what: &str,
        help: impl Into<String>,
    ) -> Option<T> {
        let message = format!("{} is {what}, and this is {}", self.name(), node.what());
        self.wrong_with(node.span, message, help)
    }

    pub(super) fn wrong<T>(&mut self, span: Span, message: impl Into<String>) -> Option<T> {
        self.report(self.origin, Severity::Error, span, message.into(), None);
        None
    }

    pub(super) fn wrong_with<T>(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.report(self.origin, Severity::Error, span, message.into(), Some(help.into()));
        None
    }

    /// A mistake in the value at `path` below what is being read, or in what is nearest above it.
    pub(super) fn wrong_at(&mut self, path: &str, message: impl Into<String>, help: Option<&str>) {
        self.report_at(Severity::Error, path, message.into(), help);
    }

    /// The same, and it is no mistake.
    pub(super) fn warn_at(&mut self, path: &str, message: impl Into<String>, help: Option<&str>) {
        self.report_at(Severity::Warning, path, message.into(), help);
    }

    fn report_at(&mut self, severity: Severity, path: &str, message: String, help: Option<&str>) {
        let place = self.places.nearest(&self.path_of(path));
        self.report(place.origin, severity, place.span, message, help.map(str::to_owned));
    }

    /// Where a value was given, for people: `gridtap.yaml:7`.
    pub(super) fn whereabouts(&self, path: &str) -> String {
        let place = self.places.nearest(path);
        let reporter = self.reporters.get(place.origin);
        reporter.map_or_else(String::new, |reporter| {
            let at = reporter.diagnostic(Severity::Error, place.span, String::new(), None);
            format!("{}:{}", at.file, at.line)
        })
    }

    pub(super) fn report(
        &mut self,
        origin: usize,
        severity: Severity,
        span: Span,
        message: String,
        help: Option<String>,
    ) {
        if let Some(reporter) = self.reporters.get_mut(origin) {
            reporter.tell(severity, span, message, help);
        }
    }

    fn remember(&mut self, span: Span) {
        if self.origin != DEFAULTS {
            let place = Place { origin: self.origin, span };
            self.places.0.insert(self.path.clone(), place);
        }
    }

    /// The path of what is at `path` below what is being read.
    fn path_of(&self, path: &str) -> String {
        if self.path.is_empty() { path.to_owned() } else { format!("{}.{path}", self.path) }
    }

    /// What is being read: the last key of the path.
    fn name(&self) -> String {
        let mut keys = self.path.rsplit('.');
        match keys.find(|key| !key.starts_with(|c: char| c.is_ascii_digit())) {
            None | Some("") => "the configuration".to_owned(),
            Some(key) => format!("`{key}`"),
        }
    }
}

/// `` `a`, `b` ``
fn quoted(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
