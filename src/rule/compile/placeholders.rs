//! Values that a rule leaves to others: `%masters%`.

use super::Compiler;
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
        let names = placeholders_in(&value.value.text);
        if names.is_empty() {
            let help = Some("as in '%masters%'".to_owned());
            return self.wrong_with(value.span, "there is no placeholder in this value", help);
        }
        let mut texts = vec![value.value.text.clone()];
        for name in names {
            let values = self.surroundings.placeholders.get(name);
            let Some(values) = values.filter(|values| !values.is_empty()) else {
                self.unfilled.get_or_insert_with(|| name.to_owned());
                return None;
            };
            if texts.len() * values.len() > MAX_EXPANDED {
                return self.wrong(value.span, "the placeholders have too many values");
            }
            let mark = format!("%{name}%");
            texts = texts
                .iter()
                .flat_map(|text| values.iter().map(|value| text.replace(&mark, value)))
                .collect();
        }
        let scalar = |text| Scalar { text, meaning: Meaning::Quoted };
        Some(
            texts
                .into_iter()
                .map(|text| Spanned { value: scalar(text), span: value.span })
                .collect(),
        )
    }
}
