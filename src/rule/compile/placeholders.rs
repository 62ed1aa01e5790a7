//! Values that a rule leaves to others: `%masters%`.

use super::Compiler;
use crate::rule::Placeholders;
use crate::rule::modifier::Modifiers;
use crate::rule::sigma::{Spanned, placeholders_in};
use crate::rule::yaml::{Meaning, Scalar};

/// The most values that one value with placeholders may become.
const MAX_EXPANDED: usize = 10_000;

impl Compiler<'_, '_> {
    /// The value with each placeholder replaced by each of its values; itself without `expand`.
    pub(super) fn expanded(
        &mut self,
        value: &Spanned<Scalar>,
        modifiers: Modifiers,
    ) -> Option<Vec<Spanned<Scalar>>> {
        if !modifiers.expand {
            return Some(vec![value.clone()]);
        }
        if placeholders_in(&value.value.text).is_empty() {
            let help = Some("as in '%masters%'".to_owned());
            return self.wrong_with(value.span, "there is no placeholder in this value", help);
        }
        let texts = match filled(&value.value.text, self.surroundings.placeholders) {
            Ok(texts) => texts,
            Err(Unfilled::Unknown(name)) => {
                self.unfilled.get_or_insert(name);
                return None;
            }
            Err(Unfilled::TooMany) => {
                return self.wrong(value.span, "the placeholders have too many values");
            }
        };
        let scalar = |text| Scalar { text, meaning: Meaning::Quoted };
        Some(
            texts
                .into_iter()
                .map(|text| Spanned { value: scalar(text), span: value.span })
                .collect(),
        )
    }
}

/// Why a value is not filled.
#[derive(Debug)]
pub(in crate::rule) enum Unfilled {
    /// Nobody gave values for this name.
    Unknown(String),
    TooMany,
}

/// A text with each of its placeholders replaced by each of its values.
pub(in crate::rule) fn filled(
    text: &str,
    placeholders: &Placeholders,
) -> Result<Vec<String>, Unfilled> {
    let mut texts = vec![text.to_owned()];
    for name in placeholders_in(text) {
        let values = placeholders.get(name).filter(|values| !values.is_empty());
        let values = values.ok_or_else(|| Unfilled::Unknown(name.to_owned()))?;
        if texts.len() * values.len() > MAX_EXPANDED {
            return Err(Unfilled::TooMany);
        }
        let mark = format!("%{name}%");
        let each =
            texts.iter().flat_map(|text| values.iter().map(|value| text.replace(&mark, value)));
        texts = each.collect();
    }
    Ok(texts)
}
