//! What a detection looks for: selections of items, and the condition over them.

use super::{Reader, Spanned};
use crate::rule::condition::{Condition, is_set_aside};
use crate::rule::modifier::Modifiers;
use crate::rule::yaml::{Content, Entry, Meaning, Node, Scalar, Span};

/// What a rule looks for.
#[derive(Debug, Default)]
pub(in crate::rule) struct Detection {
    /// What the selections are called.
    pub(in crate::rule) names: Vec<String>,
    /// In the order of the file.
    pub(in crate::rule) selections: Vec<Selection>,
    /// How they go together.
    pub(in crate::rule) condition: Option<Spanned<Condition>>,
}

impl Detection {
    /// Every `%name%` that is to be filled.
    pub(in crate::rule) fn placeholders(&self) -> Vec<&str> {
        self.selections.iter().flat_map(Selection::placeholders).collect()
    }

    /// The field of every item.
    pub(in crate::rule) fn fields(&self) -> Vec<&str> {
        self.selections.iter().flat_map(Selection::fields).collect()
    }
}

/// A search identifier's content.
#[derive(Debug, Clone)]
pub(in crate::rule) enum Selection {
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

    fn fields(&self) -> Vec<&str> {
        match self {
            Self::All(items) => {
                items.iter().filter_map(|item| Some(item.field.as_ref()?.value.as_str())).collect()
            }
            Self::Any(members) => members.iter().flat_map(Self::fields).collect(),
            Self::Keyword(_) => Vec::new(),
        }
    }
}

/// A field and what it is compared with.
#[derive(Debug, Clone)]
pub(in crate::rule) struct Item {
    /// The field and its modifiers as they are written.
    pub(in crate::rule) key: String,
    /// The field's name; `None` for keywords with modifiers.
    pub(in crate::rule) field: Option<Spanned<String>>,
    /// `None` if they were wrong.
    pub(in crate::rule) modifiers: Option<Modifiers>,
    pub(in crate::rule) values: Vec<Spanned<Scalar>>,
}

impl Item {
    fn placeholders(&self) -> Vec<&str> {
        if !self.modifiers.as_ref().is_some_and(|modifiers| modifiers.expand) {
            return Vec::new();
        }
        self.values.iter().flat_map(|value| placeholders_in(&value.value.text)).collect()
    }
}

impl Reader<'_, '_> {
    pub(super) fn detection(&mut self, entry: &Entry) -> Option<Detection> {
        let Content::Map(entries) = &entry.value.content else {
            return self
                .wrong(entry.key_span, "`detection` is a map of selections and a condition");
        };
        Some(self.detection_of(entries, entry.key_span, "detection"))
    }

    /// Selections and a condition, which stand under this key.
    pub(super) fn detection_of<'n>(
        &mut self,
        entries: impl IntoIterator<Item = &'n Entry>,
        span: Span,
        key: &str,
    ) -> Detection {
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
            self.wrong::<()>(span, format!("`{key}` has no `condition`"));
            return Detection { selections, ..Detection::default() };
        };
        let condition = self.condition(condition, &names);
        if let Some(condition) = &condition {
            for (index, selection) in selections.iter_mut().enumerate() {
                if is_set_aside(names[index].0) && !condition.value.uses(index) {
                    *selection = Selection::NOTHING;
                }
            }
        }
        let names = names.into_iter().map(|(name, _)| name.to_owned()).collect();
        Detection { names, selections, condition }
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
        if name.is_empty() && words.is_empty() {
            let help = "for a word anywhere in the record, write it without a key";
            return self.wrong_with(entry.key_span, "a field has a name", help);
        }
        let field = (!name.is_empty()).then(|| Spanned { value: name.to_owned(), span: name_span });
        let modifiers = Modifiers::parse(&words, self.reporter);
        let values: Vec<_> = match &entry.value.content {
            Content::List(items) if items.is_empty() => {
                return self.wrong(entry.key_span, "no values to compare with");
            }
            Content::List(items) => items.iter().filter_map(|item| self.value(item)).collect(),
            _ => self.value(&entry.value).into_iter().collect(),
        };
        Some(Item { key: entry.key.clone(), field, modifiers, values })
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
pub(in crate::rule) fn placeholders_in(text: &str) -> Vec<&str> {
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
