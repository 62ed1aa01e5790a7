//! From YAML nodes to documents: the abstract syntax trees of Sigma's rules.
//!
//! Knows Sigma's shape and nothing of fields: those come in [`compile`](super::compile). What is
//! wrong is told and left out, so that the rest can be looked at; a set with any mistake is not
//! loaded, and what is left out never runs.

mod correlation;
mod detection;
mod filter;
mod header;

pub(super) use correlation::{Aggregate, Bound, Correlation, Kind, Threshold, correlation_types};
pub(super) use detection::{Detection, Item, Selection, placeholders_in};
pub(super) use filter::{Filter, Target};
pub(super) use header::Header;

use super::diagnostic::{Reporter, did_you_mean, nearest};
use super::yaml::{Content, Entry, Meaning, Node, Scalar, Span};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// A document as written, without what is wrong in it.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) header: Header,
    pub(super) body: Body,
}

/// What kind of document it is.
#[derive(Debug)]
pub(super) enum Body {
    /// What single records look like.
    Detection { service: Option<Spanned<String>>, detection: Detection },
    /// How records that other rules found go together.
    Correlation(Correlation),
    /// What other rules leave out.
    Filter(Filter),
}

/// Keys of every document, and `examples`, which is ours.
const COMMON_KEYS: &[&str] = &[
    "title",
    "id",
    "related",
    "name",
    "taxonomy",
    "status",
    "description",
    "license",
    "author",
    "references",
    "date",
    "modified",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "examples",
];
const DETECTION_KEYS: &[&str] = &["logsource", "detection", "fields"];
const CORRELATION_KEYS: &[&str] = &["correlation", "generate"];
const FILTER_KEYS: &[&str] = &["logsource", "filter"];

/// Reads a document. Every mistake is told; `None` if it is none.
pub(super) fn read(node: &Node, reporter: &mut Reporter<'_>) -> Option<Document> {
    let Content::Map(entries) = &node.content else {
        reporter.error(node.span, format!("a rule is a map, and this is {}", node.what()));
        return None;
    };
    let find = |key: &str| entries.iter().find(|entry| entry.key == key);
    if let Some(action) = find("action") {
        let message = "`action` went out of Sigma with version 2";
        let help = "write each rule out in full, or take the common part by a YAML anchor";
        reporter.error_with(action.key_span, message, help.to_owned());
        return None;
    }
    let mut reader = Reader { reporter };
    Some(match (find("correlation"), find("filter")) {
        (Some(correlation), _) => {
            reader.check_keys(entries, CORRELATION_KEYS);
            let header = reader.header(node.span, entries, None);
            let body = Body::Correlation(reader.correlation(correlation, find("generate"))?);
            Document { header, body }
        }
        (None, Some(filter)) => {
            reader.check_keys(entries, FILTER_KEYS);
            let header = reader.header(node.span, entries, None);
            let logsource = reader.required(node.span, entries, "logsource");
            let service = logsource.and_then(|entry| reader.service(entry, false));
            Document { header, body: Body::Filter(reader.filter(filter, service)?) }
        }
        (None, None) => {
            reader.check_keys(entries, DETECTION_KEYS);
            find("fields").map(|entry| reader.texts(&entry.value));
            let [logsource, detection] =
                ["logsource", "detection"].map(|key| reader.required(node.span, entries, key));
            let detection = detection.and_then(|entry| reader.detection(entry)).unwrap_or_default();
            let header = reader.header(node.span, entries, Some(&detection));
            let service = logsource.and_then(|entry| reader.service(entry, true));
            Document { header, body: Body::Detection { service, detection } }
        }
    })
}

struct Reader<'r, 's> {
    reporter: &'r mut Reporter<'s>,
}

impl Reader<'_, '_> {
    fn wrong<T>(&mut self, span: Span, message: impl Into<String>) -> Option<T> {
        self.reporter.error(span, message);
        None
    }

    fn wrong_with<T>(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.reporter.error_with(span, message, help.into());
        None
    }

    /// The entry with this key, which has to be there.
    fn required<'n>(&mut self, span: Span, entries: &'n [Entry], key: &str) -> Option<&'n Entry> {
        let entry = entries.iter().find(|entry| entry.key == key);
        if entry.is_none() {
            let help = match key {
                "id" => Some("every rule has a UUID of its own, such as `uuidgen` makes"),
                "logsource" => Some("`logsource: {product: gridtap, service: …}`"),
                _ => None,
            };
            let message = format!("the rule has no `{key}`");
            self.reporter.error_with(span, message, help.map(str::to_owned));
        }
        entry
    }

    /// Sigma lets a rule have keys of its own; one that is nearly Sigma's is a slip.
    fn check_keys(&mut self, entries: &[Entry], special: &[&str]) {
        let keys = || COMMON_KEYS.iter().chain(special).copied();
        for entry in entries.iter().filter(|entry| !keys().any(|key| key == entry.key)) {
            if let Some(name) = nearest(&entry.key, keys()) {
                let message = format!("there is no key `{}` in a Sigma rule", entry.key);
                self.wrong_with::<()>(entry.key_span, message, format!("did you mean `{name}`?"));
            }
        }
    }

    /// The entries of a map of which all keys are known.
    fn map_of<'n>(&mut self, entry: &'n Entry, keys: &[&str]) -> Option<&'n [Entry]> {
        let Content::Map(entries) = &entry.value.content else {
            return self.wrong(entry.key_span, format!("`{}` is a map", entry.key));
        };
        for inner in entries.iter().filter(|inner| !keys.contains(&inner.key.as_str())) {
            let help = did_you_mean(&inner.key, keys.iter().copied());
            let message = format!("there is no key `{}` in `{}`", inner.key, entry.key);
            self.reporter.error_with(inner.key_span, message, help);
        }
        Some(entries)
    }

    fn scalar<'n>(&mut self, node: &'n Node, name: &str) -> Option<&'n Scalar> {
        match &node.content {
            Content::Scalar(scalar) if scalar.meaning != Meaning::Null => Some(scalar),
            _ => self.wrong(node.span, format!("`{name}` is text, and this is {}", node.what())),
        }
    }

    fn text(&mut self, entry: &Entry) -> Option<String> {
        self.readable(&entry.value, &entry.key).map(|text| text.trim().to_owned())
    }

    /// Text that is shown to people, in lines.
    fn readable<'n>(&mut self, node: &'n Node, name: &str) -> Option<&'n str> {
        let text = self.scalar(node, name)?.text.as_str();
        match text.chars().find(|&c| is_command(c) && !matches!(c, '\n' | '\t')) {
            None => Some(text),
            Some(found) => {
                let code = u32::from(found);
                let message = format!("`{name}` has the control character U+{code:04X} in it");
                self.wrong(node.span, message)
            }
        }
    }

    fn one_of<T: Copy>(&mut self, entry: &Entry, table: &[(&str, T)]) -> Option<T> {
        let text = self.text(entry)?;
        if let Some((_, value)) = table.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let names: Vec<_> = table.iter().map(|(name, _)| *name).collect();
        let help = did_you_mean(&text, names.iter().copied())
            .unwrap_or_else(|| format!("it is one of {}", names.join(", ")));
        self.wrong_with(entry.value.span, format!("there is no {} `{text}`", entry.key), help)
    }

    fn list<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        if let Content::List(items) = &node.content {
            return items;
        }
        self.wrong::<()>(node.span, format!("a list stands here, not {}", node.what()));
        &[]
    }

    fn texts(&mut self, node: &Node) -> Vec<String> {
        let items = self.list(node).iter();
        items
            .filter_map(|item| self.readable(item, "an entry of this list"))
            .map(str::to_owned)
            .collect()
    }

    /// Texts, each with its place; one alone may stand without a list.
    fn words(&mut self, entry: &Entry) -> Vec<Spanned<String>> {
        let nodes = match &entry.value.content {
            Content::Scalar(_) => std::slice::from_ref(&entry.value),
            _ => self.list(&entry.value),
        };
        let mut words = Vec::new();
        for node in nodes {
            if let Some(text) = self.readable(node, "an entry of this list") {
                words.push(Spanned { value: text.to_owned(), span: node.span });
            }
        }
        words
    }
}

/// Whether a terminal may take it for a command: controls, and what turns the direction of text.
fn is_command(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
