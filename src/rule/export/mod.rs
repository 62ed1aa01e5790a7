//! Rules for other tools of Sigma: without modifiers of ours, with placeholders filled, and only
//! what means the same there.

mod condition;
mod unsayable;
mod values;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::compile::{filled, in_document};
use super::condition::is_set_aside;
use super::documents::{self, Written};
use super::predicate::FieldId;
use super::sigma::{Body, Detection, Document, Kind as CorrelationKind, Target};
use super::yaml::{Content, Entry, Meaning, Node, Scalar};
use super::{About, Placeholders, Rule, RuleSet, Source};
use crate::event::{Kind, Schema};
use values::{Reading, as_expression, as_network, as_number, as_text};

/// What is exported.
#[derive(Debug, Default)]
pub struct Export {
    /// In the order of the sources.
    pub files: Vec<Exported>,
    /// What other tools would not understand, or take for something else.
    pub left_out: Vec<LeftOut>,
}

/// A file of plain Sigma.
#[derive(Debug)]
pub struct Exported {
    /// The name of the source.
    pub name: String,
    /// One or more documents.
    pub text: String,
    /// How many.
    pub documents: usize,
}

/// A document that is not exported.
#[derive(Debug)]
pub struct LeftOut {
    /// Its title.
    pub title: String,
    /// Why.
    pub why: String,
}

impl RuleSet {
    /// The rules as other tools can read them. `sources` and `placeholders` are what the set was
    /// loaded from.
    pub fn export(
        &self,
        sources: &[Source],
        services: &[&'static Schema],
        placeholders: &Placeholders,
    ) -> Export {
        let mut rules = 0..;
        let one = |Written { source, node, document }| {
            let rule = if document.is_rule() { rules.next() } else { None };
            One { source, node, document, rule, why: None }
        };
        let documents = documents::of(sources).into_iter().map(one).collect();
        let mut exporter = Exporter { set: self, services, placeholders, documents };
        exporter.leave_out_rules();
        exporter.leave_out_filters();
        exporter.finish(sources)
    }
}

struct Exporter<'e> {
    set: &'e RuleSet,
    services: &'e [&'static Schema],
    placeholders: &'e Placeholders,
    documents: Vec<One>,
}

/// A document on its way out.
struct One {
    source: usize,
    node: Node,
    document: Document,
    /// Its place in the set; filters have none.
    rule: Option<usize>,
    /// Why it is left out.
    why: Option<String>,
}

impl One {
    /// The rules that it refers to by name.
    fn members(&self) -> Vec<&str> {
        let names = match &self.document.body {
            Body::Correlation(correlation) => &correlation.rules[..],
            Body::Filter(filter) => match &filter.target {
                Target::Rules(names) => &names[..],
                Target::Any => &[],
            },
            Body::Detection { .. } => &[],
        };
        names.iter().map(|name| name.value.as_str()).collect()
    }
}

impl One {
    /// What it looks for, and whether it is a filter.
    fn detection(&self) -> Option<(&Detection, bool)> {
        match &self.document.body {
            Body::Detection { detection, .. } => Some((detection, false)),
            Body::Filter(filter) => Some((&filter.detection, true)),
            Body::Correlation(_) => None,
        }
    }

    /// The condition as it is written.
    fn condition(&self) -> Option<&str> {
        let Content::Map(entries) = &self.node.content else { return None };
        let find = |entries: &'_ [Entry], keys: &[&str]| {
            entries.iter().position(|entry| keys.contains(&entry.key.as_str()))
        };
        let outer = &entries[find(entries, &["detection", "filter"])?];
        let Content::Map(inner) = &outer.value.content else { return None };
        match &inner[find(inner, &["condition"])?].value.content {
            Content::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }
}

impl Exporter<'_> {
    fn rule(&self, one: &One) -> Option<&Rule> {
        self.set.rules.get(one.rule?)
    }

    /// What every document is called by others, and its place.
    fn names(&self) -> HashMap<String, usize> {
        let mut names = HashMap::new();
        for (place, one) in self.documents.iter().enumerate().filter(|(_, one)| one.rule.is_some())
        {
            names.extend(one.document.names().map(|name| (name, place)));
        }
        names
    }

    /// Leaves out rules until none is left that is for something that was left out.
    fn leave_out_rules(&mut self) {
        let names = self.names();
        loop {
            let left: Vec<(usize, String)> = (0..self.documents.len())
                .filter(|place| self.documents[*place].why.is_none())
                .filter_map(|place| Some((place, self.why_not(place, &names)?)))
                .collect();
            if left.is_empty() {
                return;
            }
            for (place, why) in left {
                self.documents[place].why = Some(why);
            }
        }
    }

    fn why_not(&self, place: usize, names: &HashMap<String, usize>) -> Option<String> {
        let one = &self.documents[place];
        let rule = self.rule(one)?;
        if let Some(placeholder) = &rule.inactive {
            return Some(format!("nothing is known for %{placeholder}%"));
        }
        let is_out =
            |name: &&str| names.get(*name).is_some_and(|at| self.documents[*at].why.is_some());
        if let Body::Correlation(correlation) = &one.document.body {
            let members = one.members();
            let out = members.iter().filter(|name| is_out(name)).count();
            let needs_all = matches!(
                correlation.kind.value,
                CorrelationKind::Temporal | CorrelationKind::TemporalOrdered
            );
            if let Some(why) = unsayable::in_correlation(correlation) {
                return Some(why);
            }
            if out == members.len() || needs_all && out > 0 {
                return Some("a rule is left out that it is of".to_owned());
            }
        }
        // In other tools it would raise an alert of its own.
        let is_for = |other: &One| {
            matches!(other.document.body, Body::Correlation(_))
                && other.members().iter().any(|name| names.get(*name) == Some(&place))
        };
        let mut others = self.documents.iter().filter(|other| is_for(other));
        if rule.is_quiet && others.all(|other| other.why.is_some()) {
            return Some("the correlations that it is for are left out".to_owned());
        }
        match rule.about {
            About::Records(schema) => self.unsayable(one, Some(schema)),
            About::Correlation(_) => None,
        }
    }

    /// Why a rule or filter cannot be said in plain Sigma.
    fn unsayable(&self, one: &One, schema: Option<&'static Schema>) -> Option<String> {
        let (detection, is_filter) = one.detection()?;
        let schema = self.schema(one, schema);
        let kind = |name: &str| self.kind(name, schema);
        unsayable::in_detection(detection, one.condition()?, is_filter, kind)
            .or_else(|| twice(&self.exported(one, schema)).map(told_twice))
    }

    fn leave_out_filters(&mut self) {
        let names = self.names();
        for place in 0..self.documents.len() {
            let Body::Filter(filter) = &self.documents[place].document.body else { continue };
            let unfilled = |name: &&&str| self.placeholders.get(**name).is_none_or(Vec::is_empty);
            let placeholders = filter.detection.placeholders();
            let one = &self.documents[place];
            let why = if let Some(name) = placeholders.iter().find(unfilled) {
                format!("nothing is known for %{name}%")
            } else if self.filtered(one, &names).is_empty() {
                "the rules that it is for are left out".to_owned()
            } else if let Some(why) = self.unsayable(one, None) {
                why
            } else {
                continue;
            };
            self.documents[place].why = Some(why);
        }
    }

    /// The identities of the rules that a filter is for and that are exported: not every tool finds one
    /// by its name, or knows `any`.
    fn filtered(&self, one: &One, names: &HashMap<String, usize>) -> Vec<String> {
        let Body::Filter(filter) = &one.document.body else { return Vec::new() };
        let schema = self.schema(one, None);
        let is_for = |other: &&One| match self.rule(other).map(|rule| rule.about) {
            Some(About::Records(own)) => schema.is_none_or(|schema| std::ptr::eq(own, schema)),
            _ => false,
        };
        let rules: Vec<&One> = match &filter.target {
            Target::Any => self.documents.iter().filter(is_for).collect(),
            Target::Rules(members) => {
                let places = members.iter().filter_map(|name| names.get(&name.value));
                places.map(|place| &self.documents[*place]).collect()
            }
        };
        let left = rules.into_iter().filter(|rule| rule.why.is_none());
        let ids: Vec<_> = left.filter_map(|rule| Some(self.rule(rule)?.id.to_string())).collect();
        let mut known = HashSet::new();
        ids.into_iter().filter(|id| known.insert(id.clone())).collect()
    }

    fn finish(self, sources: &[Source]) -> Export {
        let names = self.names();
        let mut export = Export::default();
        let mut texts: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for one in &self.documents {
            if let Some(why) = &one.why {
                let title = one.document.header.title.clone();
                export.left_out.push(LeftOut { title, why: why.clone() });
                continue;
            }
            let schema = match self.rule(one).map(|rule| rule.about) {
                Some(About::Records(schema)) => Some(schema),
                _ => None,
            };
            let mut node = self.exported(one, schema);
            let gone: HashSet<&str> = one
                .members()
                .into_iter()
                .filter(|name| names.get(*name).is_some_and(|at| self.documents[*at].why.is_some()))
                .collect();
            without_members(&mut node, &gone);
            if matches!(one.document.body, Body::Filter(_)) {
                name_filtered(&mut node, &self.filtered(one, &names));
            }
            texts.entry(one.source).or_default().push(node.to_yaml());
        }
        for (place, documents) in texts {
            export.files.push(Exported {
                name: sources[place].name.clone(),
                text: documents.join("---\n"),
                documents: documents.len(),
            });
        }
        export
    }

    /// The type of the records that a document is about: given, or that of a filter.
    fn schema(&self, one: &One, given: Option<&'static Schema>) -> Option<&'static Schema> {
        let service = match &one.document.body {
            Body::Filter(filter) => filter.service.as_ref().map(|name| name.value.as_str()),
            _ => None,
        };
        let of_service = |own: &&&'static Schema| Some(own.name) == service;
        given.or_else(|| self.services.iter().find(of_service).copied())
    }

    /// The document in plain Sigma.
    fn exported(&self, one: &One, schema: Option<&'static Schema>) -> Node {
        let mut node = one.node.clone();
        let Content::Map(entries) = &mut node.content else { return node };
        // Examples are of captures, and fill what is filled by now.
        entries.retain(|entry| entry.key != "examples");
        let schema = self.schema(one, schema);
        for entry in entries {
            match entry.key.as_str() {
                "detection" | "filter" => self.detection(&mut entry.value, one, schema),
                "correlation" => correlation(&mut entry.value),
                key if TEXTS.contains(&key) => texts(&mut entry.value),
                _ => {}
            }
        }
        node
    }

    fn detection(&self, node: &mut Node, one: &One, schema: Option<&'static Schema>) {
        let (Content::Map(entries), Some((detection, is_filter))) =
            (&mut node.content, one.detection())
        else {
            return;
        };
        let names = condition::plain_names(&detection.names, is_filter);
        // Others take what nobody asks for as a slip.
        let is_asked_for = |name: &str| {
            let place = detection.names.iter().position(|own| own == name);
            let condition = detection.condition.as_ref().zip(place);
            !is_set_aside(name)
                || condition.is_none_or(|(condition, place)| condition.value.uses(place))
        };
        entries.retain(|entry| is_asked_for(&entry.key));
        for entry in entries {
            if let Some(place) = detection.names.iter().position(|own| *own == entry.key) {
                entry.key.clone_from(&names[place]);
                self.selection(&mut entry.value, schema);
            } else if let ("condition", Content::Scalar(scalar)) =
                (entry.key.as_str(), &mut entry.value.content)
                && let Some(text) = condition::plain(&scalar.text, &detection.names, &names)
            {
                *scalar = Scalar { text, meaning: Meaning::Plain };
            }
        }
    }

    fn selection(&self, node: &mut Node, schema: Option<&'static Schema>) {
        match &mut node.content {
            // A keyword.
            Content::Scalar(scalar) => as_text(scalar),
            Content::List(members) => {
                for member in members {
                    self.selection(member, schema);
                }
            }
            Content::Map(items) => items.iter_mut().for_each(|item| self.item(item, schema)),
        }
    }

    fn item(&self, item: &mut Entry, schema: Option<&'static Schema>) {
        let mut words: Vec<String> = item.key.split('|').map(str::to_owned).collect();
        let kind = self.kind(&words[0], schema);
        let mut values: Vec<Scalar> = match &item.value.content {
            Content::Scalar(scalar) => vec![scalar.clone()],
            Content::List(nodes) => nodes.iter().filter_map(scalar_of).collect(),
            Content::Map(_) => return,
        };
        let has = |words: &[String], word: &str| words[1..].iter().any(|own| own == word);
        if has(&words, "expand") {
            words.retain(|word| word != "expand");
            values = values.iter().flat_map(|value| self.filled(value, kind)).collect();
            // Who filled it may have written networks.
            let is_address = matches!(kind, Some(Kind::Address));
            if is_address
                && values.iter().any(|value| value.text.contains('/'))
                && !has(&words, "cidr")
            {
                words.insert(1, "cidr".to_owned());
            }
        }
        if has(&words, "cidr") {
            values.iter_mut().for_each(as_network);
        }
        if has(&words, "topic") {
            let is_filter = matches!(kind, Some(Kind::TopicFilter));
            for value in &mut values {
                as_expression(value, is_filter);
            }
        }
        let reading = Reading::of(&words[1..]);
        for value in &mut values {
            values::plain(value, kind, reading);
        }
        // All of one value is the value, which others refuse to be told.
        if values.len() == 1 {
            words.retain(|word| word != "all");
        }
        if let [nameless] = &words[..]
            && nameless.is_empty()
        {
            words.push("contains".to_owned());
        }
        for word in &mut words[1..] {
            match word.as_str() {
                "topic" => "re".clone_into(word),
                // Not every tool knows both names.
                "utf16le" => "wide".clone_into(word),
                _ => {}
            }
        }
        item.key = words.join("|");
        let span = item.value.span;
        let node = |scalar| Node { span, content: Content::Scalar(scalar) };
        item.value = match &item.value.content {
            Content::Scalar(_) if values.len() == 1 => node(values.remove(0)),
            _ => Node { span, content: Content::List(values.into_iter().map(node).collect()) },
        };
    }

    /// What values a field has; of a filter for all services, in any of them.
    fn kind(&self, name: &str, schema: Option<&'static Schema>) -> Option<Kind> {
        let of = |schema: &'static Schema| {
            let declared = FieldId::resolve(schema, name).map(|field| field.kind(schema));
            declared.or_else(|| in_document(schema, name).map(|_| Kind::Any))
        };
        match schema {
            Some(schema) => of(schema),
            None => self.services.iter().find_map(|schema| of(schema)),
        }
    }

    fn filled(&self, value: &Scalar, kind: Option<Kind>) -> Vec<Scalar> {
        let is_text = kind.is_none_or(|kind| {
            !matches!(kind, Kind::Boolean | Kind::Integer | Kind::Range(..) | Kind::Number)
        });
        let scalar = |text: String| {
            if is_text { Scalar { text, meaning: Meaning::Quoted } } else { Scalar::plain(text) }
        };
        filled(&value.text, self.placeholders).unwrap_or_default().into_iter().map(scalar).collect()
    }
}

/// Keys of text that is shown to people.
const TEXTS: &[&str] = &[
    "title",
    "name",
    "taxonomy",
    "description",
    "license",
    "author",
    "references",
    "falsepositives",
    "fields",
    "tags",
];

fn texts(node: &mut Node) {
    match &mut node.content {
        Content::Scalar(scalar) => as_text(scalar),
        Content::List(members) => members.iter_mut().for_each(texts),
        Content::Map(_) => {}
    }
}

/// Others want `group-by` even where hits are not grouped, and decimal bounds.
fn correlation(node: &mut Node) {
    let span = node.span;
    let Content::Map(entries) = &mut node.content else { return };
    if !entries.iter().any(|entry| entry.key == "group-by") {
        let value = Node { span, content: Content::List(Vec::new()) };
        entries.push(Entry { key: "group-by".to_owned(), key_span: span, value });
    }
    for entry in entries {
        match (entry.key.as_str(), &mut entry.value.content) {
            ("group-by", Content::Scalar(scalar)) => {
                let only = Node { span, content: Content::Scalar(scalar.clone()) };
                entry.value.content = Content::List(vec![only]);
            }
            ("condition", Content::Map(bounds)) => {
                for bound in bounds.iter_mut().filter(|bound| bound.key != "field") {
                    if let Content::Scalar(scalar) = &mut bound.value.content {
                        as_number(scalar);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Writes the rules that a filter is for.
fn name_filtered(node: &mut Node, ids: &[String]) {
    let Content::Map(entries) = &mut node.content else { return };
    for entry in entries.iter_mut().filter(|entry| entry.key == "filter") {
        let Content::Map(inner) = &mut entry.value.content else { continue };
        for rules in inner.iter_mut().filter(|inner| inner.key == "rules") {
            let span = rules.value.span;
            let node =
                |id: &String| Node { span, content: Content::Scalar(Scalar::plain(id.clone())) };
            rules.value.content = Content::List(ids.iter().map(node).collect());
        }
    }
}

fn scalar_of(node: &Node) -> Option<Scalar> {
    match &node.content {
        Content::Scalar(scalar) => Some(scalar.clone()),
        _ => None,
    }
}

fn told_twice(key: &str) -> String {
    format!("`{key}` would stand twice in a selection")
}

/// A key that stands twice in a map.
fn twice(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar(_) => None,
        Content::List(items) => items.iter().find_map(twice),
        Content::Map(entries) => {
            let mut keys = HashSet::new();
            let found = entries.iter().find(|entry| !keys.insert(entry.key.as_str()));
            found
                .map(|entry| entry.key.as_str())
                .or_else(|| entries.iter().find_map(|entry| twice(&entry.value)))
        }
    }
}

/// Takes rules that are left out from the list of a correlation or filter, and from its aliases.
fn without_members(node: &mut Node, gone: &HashSet<&str>) {
    let Content::Map(entries) = &mut node.content else { return };
    for entry in entries.iter_mut() {
        match (entry.key.as_str(), &mut entry.value.content) {
            ("correlation" | "filter" | "aliases", _) => without_members(&mut entry.value, gone),
            ("rules", Content::List(rules)) => {
                rules.retain(|rule| scalar_of(rule).is_none_or(|rule| !gone.contains(&*rule.text)));
            }
            ("rules", Content::Scalar(scalar)) => {
                // Other tools want a list.
                let only =
                    Node { span: entry.value.span, content: Content::Scalar(scalar.clone()) };
                if scalar.text != "any" {
                    entry.value.content = Content::List(vec![only]);
                }
            }
            (_, Content::Map(fields)) => {
                fields.retain(|field| !gone.contains(field.key.as_str()));
            }
            _ => {}
        }
    }
}
