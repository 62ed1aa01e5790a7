//! Rules for other tools of Sigma: without modifiers of ours, with placeholders filled, and only
//! what means the same there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use super::compile::filled;
use super::diagnostic::Reporter;
use super::predicate::FieldId;
use super::sigma::{self, Body, Document, Kind as CorrelationKind, Target};
use super::yaml::{self, Content, Entry, Meaning, Node, Scalar};
use super::{About, Placeholders, Rule, RuleSet, Source};
use crate::event::{Kind, Schema};
use crate::topic;

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
        let mut exporter = Exporter { set: self, services, placeholders, documents: Vec::new() };
        for (place, source) in sources.iter().enumerate() {
            exporter.read(place, source);
        }
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

impl Exporter<'_> {
    /// Reads the documents once more. They were loaded, so there is no mistake in them.
    fn read(&mut self, source: usize, text: &Source) {
        let mut reporter = Reporter::new(text);
        for node in yaml::documents(text, &mut reporter) {
            let Some(document) = sigma::read(&node, &mut reporter) else { continue };
            let is_rule = !matches!(document.body, Body::Filter(_));
            let before = self.documents.iter().filter(|one| one.rule.is_some()).count();
            let rule = is_rule.then_some(before);
            self.documents.push(One { source, node, document, rule, why: None });
        }
    }

    fn rule(&self, one: &One) -> Option<&Rule> {
        self.set.rules.get(one.rule?)
    }

    /// What every document is called by others, and its place.
    fn names(&self) -> HashMap<String, usize> {
        let mut names = HashMap::new();
        for (place, one) in self.documents.iter().enumerate().filter(|(_, one)| one.rule.is_some())
        {
            let header = &one.document.header;
            names.extend(header.id.iter().map(|id| (id.value.to_string(), place)));
            names.extend(header.name.iter().map(|name| (name.value.clone(), place)));
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
            if matches!(correlation.kind.value, CorrelationKind::Absence) {
                return Some("absence is no part of Sigma 2.1".to_owned());
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
            About::Records(schema) => {
                let exported = self.exported(one, Some(schema));
                twice(&exported).map(told_twice)
            }
            About::Correlation(_) => None,
        }
    }

    fn leave_out_filters(&mut self) {
        let names = self.names();
        for place in 0..self.documents.len() {
            let Body::Filter(filter) = &self.documents[place].document.body else { continue };
            let unfilled = |name: &&&str| self.placeholders.get(**name).is_none_or(Vec::is_empty);
            let placeholders = filter.detection.placeholders();
            let is_out =
                |name: &&str| names.get(*name).is_some_and(|at| self.documents[*at].why.is_some());
            let members = self.documents[place].members();
            let why = if let Some(name) = placeholders.iter().find(unfilled) {
                format!("nothing is known for %{name}%")
            } else if !members.is_empty() && members.iter().all(is_out) {
                "the rules that it is for are left out".to_owned()
            } else if let Some(key) = twice(&self.exported(&self.documents[place], None)) {
                told_twice(key)
            } else {
                continue;
            };
            self.documents[place].why = Some(why);
        }
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

    /// The document in plain Sigma.
    fn exported(&self, one: &One, schema: Option<&'static Schema>) -> Node {
        let mut node = one.node.clone();
        let Content::Map(entries) = &mut node.content else { return node };
        // Examples are of captures, and fill what is filled by now.
        entries.retain(|entry| entry.key != "examples");
        let service = match &one.document.body {
            Body::Filter(filter) => filter.service.as_ref().map(|name| name.value.as_str()),
            _ => None,
        };
        let of_service = |own: &&&'static Schema| Some(own.name) == service;
        let schema = schema.or_else(|| self.services.iter().find(of_service).copied());
        for entry in
            entries.iter_mut().filter(|entry| entry.key == "detection" || entry.key == "filter")
        {
            let Content::Map(inner) = &mut entry.value.content else { continue };
            for selection in inner.iter_mut() {
                if !matches!(selection.key.as_str(), "condition" | "rules") {
                    self.selection(&mut selection.value, schema);
                }
            }
        }
        node
    }

    fn selection(&self, node: &mut Node, schema: Option<&'static Schema>) {
        match &mut node.content {
            Content::Scalar(_) => {}
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
        if let (Some(Kind::Name(names)), [_]) = (kind, &words[..]) {
            for value in &mut values {
                as_name(value, names);
            }
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
        let of = |schema: &'static Schema| Some(FieldId::resolve(schema, name)?.kind(schema));
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

fn scalar_of(node: &Node) -> Option<Scalar> {
    match &node.content {
        Content::Scalar(scalar) => Some(scalar.clone()),
        _ => None,
    }
}

/// An address is a network of its own.
fn as_network(value: &mut Scalar) {
    let bits = match value.text.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return,
    };
    *value = Scalar { text: format!("{}/{bits}", value.text), meaning: Meaning::Quoted };
}

fn as_expression(value: &mut Scalar, is_filter: bool) {
    let Ok(filter) = topic::Filter::parse(value.text.as_bytes()) else { return };
    let text = if is_filter { filter.of_filters() } else { filter.of_names() };
    *value = Scalar { text, meaning: Meaning::Quoted };
}

/// Records have names where rules may have codes.
fn as_name(value: &mut Scalar, names: &[&str]) {
    let code = match value.meaning {
        Meaning::Integer(code) => usize::try_from(code).ok(),
        Meaning::Quoted => value.text.parse().ok(),
        _ => None,
    };
    if let Some(name) = code.and_then(|code| names.get(code)) {
        *value = Scalar { text: (*name).to_owned(), meaning: Meaning::Quoted };
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
