//! Why a rule holds for a record, or does not: each condition of it by itself.
//!
//! Each is compiled as a rule of its own and given to the matcher, so that this never says anything
//! else than what the matcher does.

use super::compile::{self, Outcome, Surroundings};
use super::condition::Condition;
use super::diagnostic::Reporter;
use super::documents;
use super::matcher::Service;
use super::predicate::{Expression, Predicates};
use super::sigma::{Body, Detection, Document, Item, Selection, Spanned, Target};
use super::yaml::Span;
use super::{About, Placeholders, Rule, RuleSet, Source};
use crate::event::{Event, Schema};

/// What became of a rule, or of a filter that takes something from it.
#[derive(Debug)]
pub struct Explanation {
    /// Its title.
    pub title: String,
    /// Whether it is a filter.
    pub is_filter: bool,
    /// The condition.
    pub condition: Explained,
}

/// A condition, and those that it is made of.
#[derive(Debug, Clone)]
pub struct Explained {
    /// As it is written, or what holds its parts together.
    pub says: String,
    /// Whether it holds; `None` where that depends on a placeholder that nobody filled.
    pub holds: Option<bool>,
    /// The field that it is about.
    pub field: Option<String>,
    /// What it is made of.
    pub parts: Vec<Explained>,
}

impl RuleSet {
    /// The rule with this identity, name or title. `sources` are what the set was loaded from.
    pub fn find(&self, sources: &[Source], called: &str) -> Option<&Rule> {
        let documents = documents(sources);
        let rules = documents.iter().filter(|document| document.is_rule());
        let is_it = |document: &&Document| {
            let header = &document.header;
            header.id.as_ref().is_some_and(|id| id.value.to_string().eq_ignore_ascii_case(called))
                || header.name.as_ref().is_some_and(|name| name.value == called)
                || header.title.eq_ignore_ascii_case(called)
        };
        let place = rules.clone().position(|document| is_it(&document))?;
        self.rules.get(place)
    }

    /// The rules about records that a correlation is of, or that those are of which it is of.
    pub fn members(&self, rule: &Rule, sources: &[Source]) -> Vec<&Rule> {
        let documents = documents(sources);
        let rules: Vec<&Document> =
            documents.iter().filter(|document| document.is_rule()).collect();
        let (mut open, mut found) = (vec![rule.index], Vec::new());
        while let Some(index) = open.pop() {
            let Some(Body::Correlation(correlation)) = rules.get(index).map(|own| &own.body) else {
                found.extend(self.rules.get(index));
                continue;
            };
            // The first of them is looked at first.
            open.extend(correlation.rules.iter().rev().filter_map(|name| {
                rules.iter().position(|own| own.names().any(|own| own == name.value))
            }));
        }
        found
    }

    /// What becomes of a rule and its filters on this event; of a correlation, what becomes of each
    /// rule that it is of and that is about such records. Nothing if none is.
    pub fn explain(
        &self,
        rule: &Rule,
        event: &Event<'_>,
        sources: &[Source],
        services: &[&'static Schema],
        placeholders: &Placeholders,
    ) -> Vec<Explanation> {
        let documents = documents(sources);
        let surroundings = Surroundings { services, placeholders };
        let explainer = Explainer { set: self, documents: &documents, surroundings, event };
        let mut found = Vec::new();
        explainer.rule(rule.index, &mut found);
        found
    }
}

fn documents(sources: &[Source]) -> Vec<Document> {
    documents::of(sources).into_iter().map(|written| written.document).collect()
}

struct Explainer<'e> {
    set: &'e RuleSet,
    documents: &'e [Document],
    surroundings: Surroundings<'e>,
    event: &'e Event<'e>,
}

impl Explainer<'_> {
    /// A correlation is never of itself, so this ends.
    fn rule(&self, index: usize, found: &mut Vec<Explanation>) {
        let Some(rule) = self.set.rules.get(index) else { return };
        let Some(document) = self.documents.iter().filter(|own| own.is_rule()).nth(index) else {
            return;
        };
        match (&document.body, rule.about) {
            (Body::Correlation(correlation), _) => {
                for name in &correlation.rules {
                    if let Some(member) = self.place(name) {
                        self.rule(member, found);
                    }
                }
            }
            (Body::Detection { detection, .. }, About::Records(schema))
                if std::ptr::eq(schema, self.event.record.schema()) =>
            {
                self.detection(rule.title.clone(), false, detection, found);
                self.filters(document, found);
            }
            _ => {}
        }
    }

    fn place(&self, name: &Spanned<String>) -> Option<usize> {
        let mut rules = self.documents.iter().filter(|own| own.is_rule());
        rules.position(|document| document.names().any(|own| own == name.value))
    }

    fn filters(&self, rule: &Document, found: &mut Vec<Explanation>) {
        for document in self.documents {
            let Body::Filter(filter) = &document.body else { continue };
            let service = filter.service.as_ref().map(|name| name.value.as_str());
            let is_of_service = service.is_none_or(|name| name == self.event.record.schema().name);
            let is_for = match &filter.target {
                Target::Any => is_of_service,
                Target::Rules(names) => {
                    names.iter().any(|name| rule.names().any(|own| own == name.value))
                }
            };
            if is_for {
                self.detection(document.header.title.clone(), true, &filter.detection, found);
            }
        }
    }

    /// A filter that has a placeholder which nobody filled takes nothing away, and is not told of.
    fn detection(
        &self,
        title: String,
        is_filter: bool,
        detection: &Detection,
        found: &mut Vec<Explanation>,
    ) {
        let Some(condition) = &detection.condition else { return };
        let mut leaves = Vec::new();
        detection.selections.iter().for_each(|selection| leaves_of(selection, &mut leaves));
        let holding = self.holding(&leaves);
        if is_filter && holding.contains(&None) {
            return;
        }
        let mut next = 0;
        let selections: Vec<Explained> = detection
            .names
            .iter()
            .zip(&detection.selections)
            .map(|(name, selection)| {
                let content = selection_told(selection, &holding, &mut next);
                let holds = content.holds;
                let parts = if content.parts.is_empty() { vec![content] } else { content.parts };
                Explained { says: name.clone(), holds, field: None, parts }
            })
            .collect();
        let condition = condition_told(&condition.value, &selections);
        found.push(Explanation { title, is_filter, condition });
    }

    /// Which of these hold; nobody knows of one with a placeholder that is not filled.
    fn holding(&self, leaves: &[Selection]) -> Vec<Option<bool>> {
        let schema = self.event.record.schema();
        // No mistake is left to tell.
        let source = Source { name: String::new(), text: String::new() };
        let mut reporter = Reporter::new(&source);
        let mut predicates = Predicates::default();
        let mut rules: Vec<(usize, Expression)> = Vec::new();
        let mut holding = vec![None; leaves.len()];
        for (place, leaf) in leaves.iter().enumerate() {
            let span = Span { start: 0, end: 0 };
            let detection = Detection {
                names: Vec::new(),
                selections: vec![leaf.clone()],
                condition: Some(Spanned { value: Condition::Selection(0), span }),
            };
            let (surroundings, reporter) = (self.surroundings, &mut reporter);
            let compiled =
                compile::compile(&detection, schema, surroundings, &mut predicates, reporter);
            if let Some(Outcome::Active(expression)) = compiled {
                rules.push((place, expression));
                holding[place] = Some(false);
            }
        }
        for place in Service::new(schema, &predicates, rules).holding(self.event) {
            holding[place] = Some(true);
        }
        holding
    }
}

/// Items and keywords, each as a selection of its own, in the order of the file.
fn leaves_of(selection: &Selection, leaves: &mut Vec<Selection>) {
    match selection {
        Selection::All(items) => {
            leaves.extend(items.iter().map(|item| Selection::All(vec![item.clone()])));
        }
        Selection::Any(members) => members.iter().for_each(|member| leaves_of(member, leaves)),
        Selection::Keyword(_) => leaves.push(selection.clone()),
    }
}

fn selection_told(selection: &Selection, holding: &[Option<bool>], next: &mut usize) -> Explained {
    let mut leaf = |says: String, field: Option<String>| {
        *next += 1;
        Explained { says, holds: holding[*next - 1], field, parts: Vec::new() }
    };
    match selection {
        Selection::Keyword(keyword) => leaf(keyword.value.text.clone(), None),
        Selection::All(items) => {
            let told = |item: &Item| {
                let field = item.field.as_ref().map(|name| name.value.clone());
                leaf(item_told(item), field)
            };
            all_of(items.iter().map(told).collect())
        }
        Selection::Any(members) => {
            let parts = members.iter().map(|member| selection_told(member, holding, next));
            at_least(1, parts.collect())
        }
    }
}

fn item_told(item: &Item) -> String {
    let values: Vec<_> = item.values.iter().map(|value| value.value.text.as_str()).collect();
    format!("{}: {}", item.key, values.join(", "))
}

fn condition_told(condition: &Condition, selections: &[Explained]) -> Explained {
    match condition {
        Condition::Selection(place) => selections[*place].clone(),
        Condition::Not(inner) => {
            let inner = condition_told(inner, selections);
            Explained {
                says: "not".to_owned(),
                holds: inner.holds.map(|holds| !holds),
                field: None,
                parts: vec![inner],
            }
        }
        Condition::AtLeast(needed, parts) => {
            at_least(*needed, parts.iter().map(|part| condition_told(part, selections)).collect())
        }
    }
}

fn all_of(parts: Vec<Explained>) -> Explained {
    at_least(parts.len(), parts)
}

fn at_least(needed: usize, parts: Vec<Explained>) -> Explained {
    let says = match needed {
        needed if needed == parts.len() => "all of".to_owned(),
        1 => "any of".to_owned(),
        needed => format!("{needed} of"),
    };
    let count = |holds| parts.iter().filter(|part| part.holds == holds).count();
    let (held, open) = (count(Some(true)), count(None));
    let holds = match needed {
        needed if held >= needed => Some(true),
        needed if held + open < needed => Some(false),
        _ => None,
    };
    Explained { says, holds, field: None, parts }
}
