//! Filters: conditions that are added to those of other rules, for what is known to be harmless
//! here.

use super::{Detection, Reader, Spanned};
use crate::rule::yaml::{Content, Entry};

/// A filter as written.
#[derive(Debug)]
pub(in crate::rule) struct Filter {
    /// Only rules about this are filtered; all, if it does not say.
    pub(in crate::rule) service: Option<Spanned<String>>,
    pub(in crate::rule) target: Target,
    /// What has to hold besides.
    pub(in crate::rule) detection: Detection,
}

/// The rules that are filtered.
#[derive(Debug)]
pub(in crate::rule) enum Target {
    /// All of the service.
    Any,
    /// Those with these identities or names.
    Rules(Vec<Spanned<String>>),
}

impl Reader<'_, '_> {
    pub(super) fn filter(
        &mut self,
        entry: &Entry,
        service: Option<Spanned<String>>,
    ) -> Option<Filter> {
        let Content::Map(entries) = &entry.value.content else {
            return self.wrong(entry.key_span, "`filter` is a map of rules and a detection");
        };
        let rules = self.required(entry.key_span, entries, "rules");
        let target = rules.map_or(Target::Rules(Vec::new()), |rules| self.target(rules));
        let others = entries.iter().filter(|inner| inner.key != "rules");
        let detection = self.detection_of(others, entry.key_span, "filter");
        Some(Filter { service, target, detection })
    }

    fn target(&mut self, entry: &Entry) -> Target {
        let rules = self.words(entry);
        if rules.is_empty() {
            self.wrong::<()>(entry.key_span, "`rules` names no rule");
        }
        match &rules[..] {
            [only] if only.value == "any" => Target::Any,
            _ => Target::Rules(rules),
        }
    }
}
