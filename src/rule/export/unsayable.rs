//! What plain Sigma has no words for, or not every tool reads.

use super::condition;
use crate::event::Kind;
use crate::rule::modifier::{Comparison, Modifiers};
use crate::rule::sigma::{
    Correlation, Detection, Item, Kind as CorrelationKind, Selection, Threshold,
};

/// Why a detection cannot be written for other tools; `kind` tells the kind of a field.
pub(super) fn in_detection(
    detection: &Detection,
    text: &str,
    is_filter: bool,
    kind: impl Fn(&str) -> Option<Kind>,
) -> Option<String> {
    let new = condition::plain_names(&detection.names, is_filter);
    if condition::plain(text, &detection.names, &new).is_none() {
        return Some(
            "so many of so many selections take too long a condition elsewhere".to_owned(),
        );
    }
    let mut items = Vec::new();
    detection.selections.iter().for_each(|selection| items_of(selection, &mut items));
    items.into_iter().find_map(|item| {
        let modifiers = item.modifiers?;
        let name = item.field.as_ref().map(|name| name.value.as_str());
        of_moments(item, modifiers, name.and_then(&kind))
            .or_else(|| in_expressions(item, modifiers))
    })
}

fn items_of<'s>(selection: &'s Selection, items: &mut Vec<&'s Item>) {
    match selection {
        Selection::All(own) => items.extend(own),
        Selection::Any(members) => members.iter().for_each(|member| items_of(member, items)),
        Selection::Keyword(_) => {}
    }
}

fn of_moments(item: &Item, modifiers: Modifiers, kind: Option<Kind>) -> Option<String> {
    let is_order = matches!(modifiers.comparison, Comparison::Order(_));
    (is_order && !modifiers.field && matches!(kind, Some(Kind::Time)))
        .then(|| format!("`{}`: Sigma has an order of numbers, and none of moments", item.key))
}

/// What regular expressions of Rust have and those of Python have not, by which pySigma reads them, or
/// mean something else by.
const OF_RUST: &[&str] =
    &[r"\p", r"\P", r"\z", r"\x{", r"\u{", r"\U", "[[:", "&&", "(?-", "(?U", "(?R", "(?u", "(?x"];

fn in_expressions(item: &Item, modifiers: Modifiers) -> Option<String> {
    if !matches!(modifiers.comparison, Comparison::Regex(_)) {
        return None;
    }
    let found = item.values.iter().find_map(|value| {
        // A backslash takes the meaning from the one behind it.
        let text = value.value.text.replace(r"\\", "  ");
        OF_RUST.iter().find(|own| text.contains(**own))
    });
    found.map(|found| format!("`{}`: not every tool knows `{found}` in an expression", item.key))
}

/// Why a correlation cannot be written for other tools.
pub(super) fn in_correlation(correlation: &Correlation) -> Option<String> {
    match &correlation.kind.value {
        CorrelationKind::Absence => Some("absence is no part of Sigma 2.1".to_owned()),
        CorrelationKind::EventCount(Threshold(bounds))
        | CorrelationKind::ValueCount(_, Threshold(bounds))
        | CorrelationKind::Value(_, _, Threshold(bounds))
            if bounds.len() > 1 =>
        {
            Some("other tools take one bound in a condition, and it has several".to_owned())
        }
        _ => None,
    }
}
