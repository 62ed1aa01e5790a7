//! What every document says of itself.

use uuid::Uuid;

use super::{Detection, Reader, Spanned};
use crate::rule::diagnostic::did_you_mean;
use crate::rule::yaml::{Content, Entry, Meaning, Node, Scalar, Span};
use crate::rule::{Example, Level, Placeholders, Status};

/// What a document says of itself.
#[derive(Debug)]
pub(in crate::rule) struct Header {
    pub(in crate::rule) id: Option<Spanned<Uuid>>,
    /// What correlations and filters call it, besides its `id`.
    pub(in crate::rule) name: Option<Spanned<String>>,
    pub(in crate::rule) title: String,
    pub(in crate::rule) description: String,
    pub(in crate::rule) author: String,
    pub(in crate::rule) date: String,
    pub(in crate::rule) status: Option<Status>,
    pub(in crate::rule) level: Level,
    pub(in crate::rule) tags: Vec<String>,
    pub(in crate::rule) references: Vec<String>,
    pub(in crate::rule) falsepositives: Vec<String>,
    pub(in crate::rule) examples: Vec<Example>,
}

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

impl Reader<'_, '_> {
    /// The header of a document. Its examples may fill the placeholders of its own detection, if it
    /// has one, else those of whatever it refers to.
    pub(super) fn header(
        &mut self,
        span: Span,
        entries: &[Entry],
        detection: Option<&Detection>,
    ) -> Header {
        let find = |key: &str| entries.iter().find(|entry| entry.key == key);
        for key in ["taxonomy", "license"] {
            find(key).and_then(|entry| self.text(entry));
        }
        find("scope").map(|entry| self.texts(&entry.value));
        find("modified").and_then(|entry| self.date(entry));
        let [title, id] = ["title", "id"].map(|key| self.required(span, entries, key));
        let text = |reader: &mut Self, key| find(key).and_then(|entry| reader.text(entry));
        let texts = |reader: &mut Self, key| find(key).map(|entry| reader.texts(&entry.value));
        Header {
            id: id.and_then(|entry| self.id(entry)),
            name: find("name").and_then(|entry| self.name(entry)),
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
                .map(|entry| self.examples(entry, detection))
                .unwrap_or_default(),
        }
    }

    fn name(&mut self, entry: &Entry) -> Option<Spanned<String>> {
        let value = self.text(entry)?;
        Some(Spanned { value, span: entry.value.span })
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

    fn date(&mut self, entry: &Entry) -> Option<String> {
        let text = self.text(entry)?;
        if text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok() {
            return Some(text);
        }
        self.wrong_with(entry.value.span, format!("`{text}` is no date"), "as in 2026-11-30")
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

    /// The service that a rule is about, or a filter is for; a filter without one is for all.
    pub(super) fn service(&mut self, entry: &Entry, is_needed: bool) -> Option<Spanned<String>> {
        let entries = self.map_of(entry, LOGSOURCE_KEYS)?;
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
            None if is_needed => self.wrong(entry.key_span, "`logsource` has no `service`"),
            None => None,
        }
    }

    fn examples(&mut self, entry: &Entry, detection: Option<&Detection>) -> Vec<Example> {
        let items = self.list(&entry.value).iter();
        items.filter_map(|item| self.example(item, detection)).collect()
    }

    fn example(&mut self, node: &Node, detection: Option<&Detection>) -> Option<Example> {
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
        let line = self.reporter.line(node.span);
        Some(Example { capture, alerts, placeholders, line })
    }

    /// What an example fills the rule's placeholders with.
    fn placeholders(
        &mut self,
        entry: &Entry,
        detection: Option<&Detection>,
    ) -> Option<Placeholders> {
        const FORM: &str = "`placeholders` is a map of names and lists: `{masters: [10.0.0.1]}`";
        let Content::Map(entries) = &entry.value.content else {
            return self.wrong(entry.value.span, FORM);
        };
        let known = detection.map(Detection::placeholders);
        let mut filled = Placeholders::new();
        for inner in entries {
            let name = inner.key.as_str();
            let unknown = known.as_ref().filter(|known| !known.contains(&name));
            if let Some(known) = unknown {
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
