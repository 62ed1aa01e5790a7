//! From YAML nodes to a rule's document: the abstract syntax tree of a Sigma detection rule.
//!
//! Knows Sigma's shape and nothing of fields: those come in [`compile`](super::compile). What is
//! wrong is told and left out, so that the rest can be looked at; a set with any mistake is not
//! loaded, and what is left out never runs.

use std::path::Path;

use uuid::Uuid;

use super::condition::{Condition, is_set_aside};
use super::diagnostic::{Reporter, did_you_mean, nearest};
use super::modifier::Modifiers;
use super::yaml::{Content, Entry, Meaning, Node, Scalar, Span};
use super::{Example, Level, Placeholders, Status};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// A detection rule as written, without what is wrong in it.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) id: Option<Spanned<Uuid>>,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) author: String,
    pub(super) date: String,
    pub(super) status: Option<Status>,
    pub(super) level: Level,
    pub(super) tags: Vec<String>,
    pub(super) references: Vec<String>,
    pub(super) falsepositives: Vec<String>,
    pub(super) examples: Vec<Example>,
    pub(super) service: Option<Spanned<String>>,
    pub(super) detection: Detection,
}

/// What a rule looks for.
#[derive(Debug, Default)]
pub(super) struct Detection {
    /// In the order of the file.
    pub(super) selections: Vec<Selection>,
    /// How they go together.
    pub(super) condition: Option<Spanned<Condition>>,
}

impl Detection {
    /// Every `%name%` that is to be filled.
    pub(super) fn placeholders(&self) -> Vec<&str> {
        self.selections.iter().flat_map(Selection::placeholders).collect()
    }
}

/// A search identifier's content.
#[derive(Debug)]
pub(super) enum Selection {
    /// All of these.
    All(Vec<Item>),
    /// Any of these.
    Any(Vec<Selection>),
    /// Text to be found in any field.
    Keyword(Spanned<Scalar>),
}

impl Selection {
    /// What nobody asks for: it brings nothing into a rule, neither mistakes nor placeholders.
    const NOTHING: Self = Self::Any(Vec::new());

    fn placeholders(&self) -> Vec<&str> {
        match self {
            Self::All(items) => items.iter().flat_map(Item::placeholders).collect(),
            Self::Any(members) => members.iter().flat_map(Self::placeholders).collect(),
            Self::Keyword(_) => Vec::new(),
        }
    }
}

/// A field and what it is compared with.
#[derive(Debug)]
pub(super) struct Item {
    /// The field's name; `None` for keywords with modifiers.
    pub(super) field: Option<Spanned<String>>,
    /// `None` if they were wrong.
    pub(super) modifiers: Option<Modifiers>,
    pub(super) values: Vec<Spanned<Scalar>>,
}

impl Item {
    fn placeholders(&self) -> Vec<&str> {
        if !self.modifiers.as_ref().is_some_and(|modifiers| modifiers.expand) {
            return Vec::new();
        }
        self.values.iter().flat_map(|value| placeholders_in(&value.value.text)).collect()
    }
}

/// Keys of a detection rule, and `examples`, which is ours.
const KEYS: &[&str] = &[
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
    "logsource",
    "detection",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "examples",
];
const LOGSOURCE_KEYS: &[&str] = &["category", "product", "service", "definition"];
const LEVELS: &[(&str, Level)] = &[
    ("informational", Level::Informational),
    ("low", Level::Low),
    ("medium", Level::Medium),
    ("high", Level::High),
    ("critical", Level::Critical),
];
const STATUSES: &[(&str, Status)] = &[
    ("stable", Status::Stable),
    ("test", Status::Test),
    ("experimental", Status::Experimental),
    ("deprecated", Status::Deprecated),
    ("unsupported", Status::Unsupported),
];
/// The longest title that the Sigma schema allows, in characters.
const TITLE_LENGTH: usize = 256;

/// Reads a document. Every mistake is told; `None` if it is no detection rule.
pub(super) fn read(node: &Node, reporter: &mut Reporter<'_>) -> Option<Document> {
    let Content::Map(entries) = &node.content else {
        reporter.error(node.span, format!("a rule is a map, and this is {}", node.what()));
        return None;
    };
    for kind in ["correlation", "filter", "action"] {
        if let Some(entry) = entries.iter().find(|entry| entry.key == kind) {
            let message = format!("`{kind}` documents are not supported yet");
            reporter.error(entry.key_span, message);
            return None;
        }
    }
    Some(Reader { reporter }.document(node.span, entries))
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

    fn document(&mut self, span: Span, entries: &[Entry]) -> Document {
        self.check_keys(entries);
        let find = |key: &str| entries.iter().find(|entry| entry.key == key);
        for key in ["name", "taxonomy", "license"] {
            find(key).and_then(|entry| self.text(entry));
        }
        for key in ["fields", "scope"] {
            find(key).map(|entry| self.texts(&entry.value));
        }
        find("modified").and_then(|entry| self.date(entry));
        let mut required = |key: &str| {
            let entry = find(key);
            if entry.is_none() {
                self.missing(span, key);
            }
            entry
        };
        let (title, id) = (required("title"), required("id"));
        let (logsource, detection) = (required("logsource"), required("detection"));
        let detection = detection.and_then(|entry| self.detection(entry)).unwrap_or_default();
        let text = |reader: &mut Self, key| find(key).and_then(|entry| reader.text(entry));
        let texts = |reader: &mut Self, key| find(key).map(|entry| reader.texts(&entry.value));
        Document {
            id: id.and_then(|entry| self.id(entry)),
            title: title.and_then(|entry| self.title(entry)).unwrap_or_default(),
            description: text(self, "description").unwrap_or_default(),
            author: text(self, "author").unwrap_or_default(),
            date: find("date").and_then(|entry| self.date(entry)).unwrap_or_default(),
            status: find("status").and_then(|entry| self.one_of(entry, STATUSES)),
            level: find("level")
                .and_then(|entry| self.one_of(entry, LEVELS))
                .unwrap_or(Level::Medium),
            tags: find("tags").map(|entry| self.tags(entry)).unwrap_or_default(),
            references: texts(self, "references").unwrap_or_default(),
            falsepositives: texts(self, "falsepositives").unwrap_or_default(),
            examples: find("examples")
                .map(|entry| self.examples(entry, &detection))
                .unwrap_or_default(),
            service: logsource.and_then(|entry| self.service(entry)),
            detection,
        }
    }

    fn missing(&mut self, span: Span, key: &str) {
        let help = match key {
            "id" => Some("every rule has a UUID of its own, such as `uuidgen` makes"),
            "logsource" => Some("`logsource: {product: gridtap, service: …}`"),
            _ => None,
        };
        self.reporter.error_with(span, format!("the rule has no `{key}`"), help.map(str::to_owned));
    }

    /// Sigma lets a rule have keys of its own; one that is nearly Sigma's is a slip.
    fn check_keys(&mut self, entries: &[Entry]) {
        for entry in entries.iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
            if let Some(name) = nearest(&entry.key, KEYS.iter().copied()) {
                let message = format!("there is no key `{}` in a Sigma rule", entry.key);
                self.wrong_with::<()>(entry.key_span, message, format!("did you mean `{name}`?"));
            }
        }
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

    fn title(&mut self, entry: &Entry) -> Option<String> {
        let title = self.text(entry)?;
        if title.contains(['\n', '\t']) {
            return self.wrong(entry.value.span, "the title is one line, without tabs");
        }
        match title.chars().count() {
            0 => self.wrong(entry.key_span, "the title is empty"),
            1..=TITLE_LENGTH => Some(title),
            _ => self.wrong(
                entry.value.span,
                format!("the title is longer than {TITLE_LENGTH} characters"),
            ),
        }
    }

    fn id(&mut self, entry: &Entry) -> Option<Spanned<Uuid>> {
        let text = self.text(entry)?;
        // `parse_str` also takes braces, URNs and no hyphens; other Sigma tools do not.
        match Uuid::try_parse(&text) {
            Ok(value) if text.len() == 36 => Some(Spanned { value, span: entry.value.span }),
            _ => self.wrong_with(
                entry.value.span,
                format!("`{text}` is no UUID"),
                "as in 5b0c1c7e-0a4f-4c58-9d6e-2f1f3a1f7c11",
            ),
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

    fn date(&mut self, entry: &Entry) -> Option<String> {
        let text = self.text(entry)?;
        if text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok() {
            return Some(text);
        }
        self.wrong_with(entry.value.span, format!("`{text}` is no date"), "as in 2026-11-30")
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

    fn tags(&mut self, entry: &Entry) -> Vec<String> {
        for item in self.list(&entry.value) {
            let Content::Scalar(scalar) = &item.content else { continue };
            let allowed =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
            let (namespace, name) = scalar.text.split_once('.').unwrap_or_default();
            if namespace.is_empty() || name.is_empty() || !scalar.text.chars().all(allowed) {
                let help = "a namespace, a point and a name, as in `attack.t0855`";
                let message = format!("`{}` is no tag", scalar.text);
                self.wrong_with::<()>(item.span, message, help);
            }
        }
        self.texts(&entry.value)
    }

    fn service(&mut self, entry: &Entry) -> Option<Spanned<String>> {
        let Content::Map(entries) = &entry.value.content else {
            return self.wrong(entry.key_span, "`logsource` is a map of `product` and `service`");
        };
        for inner in entries.iter().filter(|inner| !LOGSOURCE_KEYS.contains(&inner.key.as_str())) {
            let help = did_you_mean(&inner.key, LOGSOURCE_KEYS.iter().copied());
            let message = format!("there is no key `{}` in `logsource`", inner.key);
            self.reporter.error_with(inner.key_span, message, help);
        }
        let find = |key: &str| entries.iter().find(|inner| inner.key == key);
        let product = find("product").and_then(|inner| self.text(inner));
        if product.as_deref() != Some("gridtap") {
            let place = find("product").map_or(entry.key_span, |inner| inner.value.span);
            self.wrong_with::<()>(
                place,
                "the rule is not about gridtap's records",
                "`product: gridtap`",
            );
        }
        if let Some(category) = find("category") {
            self.wrong::<()>(category.key_span, "gridtap's records have no category");
        }
        match find("service") {
            Some(inner) => {
                let value = self.text(inner)?;
                Some(Spanned { value, span: inner.value.span })
            }
            None => self.wrong(entry.key_span, "`logsource` has no `service`"),
        }
    }

    fn detection(&mut self, entry: &Entry) -> Option<Detection> {
        let Content::Map(entries) = &entry.value.content else {
            return self
                .wrong(entry.key_span, "`detection` is a map of selections and a condition");
        };
        let mut names = Vec::new();
        let mut selections = Vec::new();
        let mut condition = None;
        for inner in entries {
            match inner.key.as_str() {
                "condition" => condition = Some(inner),
                "timeframe" => {
                    let message = "`timeframe` is no part of a detection any more";
                    self.wrong_with::<()>(inner.key_span, message, "write a correlation rule");
                }
                name => {
                    names.push((name, inner.key_span));
                    selections.push(self.selection(&inner.value, inner.key_span));
                }
            }
        }
        let Some(condition) = condition else {
            self.wrong::<()>(entry.key_span, "`detection` has no `condition`");
            return Some(Detection { selections, condition: None });
        };
        let condition = self.condition(condition, &names);
        if let Some(condition) = &condition {
            for (index, selection) in selections.iter_mut().enumerate() {
                if is_set_aside(names[index].0) && !condition.value.uses(index) {
                    *selection = Selection::NOTHING;
                }
            }
        }
        Some(Detection { selections, condition })
    }

    fn condition(&mut self, entry: &Entry, names: &[(&str, Span)]) -> Option<Spanned<Condition>> {
        let text = self.scalar(&entry.value, "condition")?;
        let span = entry.value.span;
        let value = Condition::parse(&text.text, span, names, self.reporter)?;
        Some(Spanned { value, span })
    }

    fn selection(&mut self, node: &Node, key_span: Span) -> Selection {
        match &node.content {
            Content::Map(entries) if !entries.is_empty() => {
                Selection::All(entries.iter().filter_map(|entry| self.item(entry)).collect())
            }
            Content::List(members) if !members.is_empty() => {
                Selection::Any(members.iter().map(|member| self.member(member)).collect())
            }
            Content::Scalar(scalar) if scalar.meaning != Meaning::Null => {
                Selection::Keyword(Spanned { value: scalar.clone(), span: node.span })
            }
            _ => {
                self.wrong::<()>(key_span, "the selection is empty");
                Selection::Any(Vec::new())
            }
        }
    }

    fn member(&mut self, node: &Node) -> Selection {
        if matches!(node.content, Content::List(_)) {
            self.wrong::<()>(node.span, "a list in a list means nothing");
            return Selection::Any(Vec::new());
        }
        self.selection(node, node.span)
    }

    fn item(&mut self, entry: &Entry) -> Option<Item> {
        let mut words = spanned_words(&entry.key, entry.key_span);
        let (name, name_span) = words.remove(0);
        let field = (!name.is_empty()).then(|| Spanned { value: name.to_owned(), span: name_span });
        let modifiers = Modifiers::parse(&words, self.reporter);
        let values: Vec<_> = match &entry.value.content {
            Content::List(items) if items.is_empty() => {
                return self.wrong(entry.key_span, "no values to compare with");
            }
            Content::List(items) => items.iter().filter_map(|item| self.value(item)).collect(),
            _ => self.value(&entry.value).into_iter().collect(),
        };
        Some(Item { field, modifiers, values })
    }

    fn value(&mut self, node: &Node) -> Option<Spanned<Scalar>> {
        match &node.content {
            Content::Scalar(scalar) => Some(Spanned { value: scalar.clone(), span: node.span }),
            _ => self.wrong(
                node.span,
                format!("a field is compared with plain values, not with {}", node.what()),
            ),
        }
    }

    fn examples(&mut self, entry: &Entry, detection: &Detection) -> Vec<Example> {
        let items = self.list(&entry.value).iter();
        items.filter_map(|item| self.example(item, detection)).collect()
    }

    fn example(&mut self, node: &Node, detection: &Detection) -> Option<Example> {
        const FORM: &str = "an example is `{capture: FILE, alerts: NUMBER}`";
        let Content::Map(entries) = &node.content else {
            return self.wrong(node.span, FORM);
        };
        let (mut capture, mut alerts, mut placeholders) = (None, None, Placeholders::new());
        for inner in entries {
            match (inner.key.as_str(), &inner.value.content) {
                ("capture", _) => capture = self.text(inner),
                ("alerts", Content::Scalar(Scalar { meaning: Meaning::Integer(count), .. })) => {
                    alerts = u64::try_from(*count).ok();
                }
                ("placeholders", _) => placeholders = self.placeholders(inner, detection)?,
                _ => return self.wrong(inner.key_span, FORM),
            }
        }
        let (Some(capture), Some(alerts)) = (capture, alerts) else {
            return self.wrong(node.span, FORM);
        };
        if Path::new(&capture).is_absolute() || capture.split(['/', '\\']).any(|part| part == "..")
        {
            return self.wrong(node.span, "the capture's path is one inside of the project");
        }
        let line = self.reporter.line(node.span);
        Some(Example { capture, alerts, placeholders, line })
    }

    /// What an example fills the rule's placeholders with.
    fn placeholders(&mut self, entry: &Entry, detection: &Detection) -> Option<Placeholders> {
        const FORM: &str = "`placeholders` is a map of names and lists: `{masters: [10.0.0.1]}`";
        let Content::Map(entries) = &entry.value.content else {
            return self.wrong(entry.value.span, FORM);
        };
        let known = detection.placeholders();
        let mut filled = Placeholders::new();
        for inner in entries {
            let name = inner.key.as_str();
            if !known.contains(&name) {
                let help = did_you_mean(name, known.iter().copied());
                let message = format!("the rule has no placeholder `%{name}%`");
                self.reporter.error_with(inner.key_span, message, help);
            } else if matches!(&inner.value.content, Content::List(values) if values.is_empty()) {
                self.wrong::<()>(inner.value.span, "a placeholder without a value");
            } else {
                filled.insert(inner.key.clone(), self.texts(&inner.value));
            }
        }
        Some(filled)
    }
}

/// Whether a terminal may take it for a command: controls, and what turns the direction of text.
fn is_command(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The parts of a key between its bars, each with its place.
fn spanned_words(key: &str, span: Span) -> Vec<(&str, Span)> {
    // In quotes the text begins one octet later; with escapes in it, only the whole has a place.
    let quotes = match (span.end - span.start).checked_sub(key.len()) {
        Some(0) => Some(0),
        Some(2) => Some(1),
        _ => None,
    };
    let mut offset = 0;
    key.split('|')
        .map(|word| {
            let at = offset;
            offset += word.len() + 1;
            let place = quotes.map_or(span, |quote| {
                let start = span.start + quote + at;
                Span { start, end: start + word.len() }
            });
            (word, place)
        })
        .collect()
}

/// Names between percent signs, each once.
pub(super) fn placeholders_in(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let mut parts = text.split('%').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let closed = parts.peek().is_some();
        if closed && !part.is_empty() && part.chars().all(is_name) {
            parts.next();
            if !names.contains(&part) {
                names.push(part);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_stand_between_percent_signs() {
        assert_eq!(placeholders_in("%a%"), ["a"]);
        assert_eq!(placeholders_in("x-%a%-%b%-%a%"), ["a", "b"]);
        assert!(placeholders_in("100%").is_empty());
        assert!(placeholders_in("5 % of 7 %").is_empty());
    }
}
