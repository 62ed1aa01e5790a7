//! From files to a set of rules.

use std::collections::{BTreeSet, HashMap};

use sha1::{Digest, Sha1};
use uuid::Uuid;

use super::compile::{self, Outcome, Surroundings};
use super::correlation::{self, Correlations, Look, Member};
use super::diagnostic::{Diagnostic, Reporter, did_you_mean};
use super::matcher::Service;
use super::predicate::{Expression, FieldId, Predicates};
use super::sigma::{self, Body, Detection, Filter, Header, Spanned, Target};
use super::{About, Placeholders, Rule, RuleSet, Source, Together, yaml};
use crate::event::Schema;
use crate::json::Path;

/// Reads and compiles rules; else all mistakes of all files.
pub(super) fn load(
    sources: &[Source],
    services: &[&'static Schema],
    placeholders: &Placeholders,
) -> Result<RuleSet, Vec<Diagnostic>> {
    let mut reporters: Vec<_> = sources.iter().map(Reporter::new).collect();
    let mut loader = Loader::new(Surroundings { services, placeholders });
    for (place, source) in sources.iter().enumerate() {
        let reporter = &mut reporters[place];
        for node in yaml::documents(source, reporter) {
            if let Some(document) = sigma::read(&node, reporter) {
                loader.add(document.header, document.body, (place, source), reporter);
            }
        }
    }
    loader.compile_filters(&mut reporters);
    loader.compile_detections(&mut reporters);
    loader.compile_correlations(&mut reporters);
    let found: Vec<_> = reporters.into_iter().flat_map(Reporter::into_found).collect();
    if found.is_empty() { Ok(loader.finish()) } else { Err(found) }
}

/// A set in the making.
struct Loader<'l> {
    surroundings: Surroundings<'l>,
    rules: Vec<Rule>,
    placeholders: BTreeSet<String>,
    /// Where each identity and each signature was seen first.
    ids: HashMap<Uuid, String>,
    signatures: HashMap<u32, Uuid>,
    /// Rules by identity and by name.
    names: HashMap<String, usize>,
    /// What rules are called that have a mistake, so that they are not in the set: they are there.
    broken: BTreeSet<String>,
    /// Each with the place of its source.
    filters: Vec<(Filter, usize)>,
    /// The same with the index of the rule.
    detections: Vec<(usize, Detection, usize)>,
    correlations: Vec<(usize, sigma::Correlation, usize)>,
    /// What filters add, by rule.
    filtered: HashMap<usize, Vec<usize>>,
    compiled: Correlations,
    /// By service: predicates, and conditions of rules in force.
    services: Vec<(Predicates, Vec<(usize, Expression)>)>,
}

impl<'l> Loader<'l> {
    fn new(surroundings: Surroundings<'l>) -> Self {
        Self {
            surroundings,
            rules: Vec::new(),
            placeholders: BTreeSet::new(),
            ids: HashMap::new(),
            signatures: HashMap::new(),
            names: HashMap::new(),
            broken: BTreeSet::new(),
            filters: Vec::new(),
            detections: Vec::new(),
            correlations: Vec::new(),
            filtered: HashMap::new(),
            compiled: Correlations::default(),
            services: surroundings.services.iter().map(|_| Default::default()).collect(),
        }
    }

    fn add(
        &mut self,
        header: Header,
        body: Body,
        (place, source): (usize, &Source),
        reporter: &mut Reporter<'_>,
    ) {
        if let Some(id) = &header.id {
            self.check_identity(id, source, reporter);
        }
        let about = match &body {
            Body::Filter(_) => None,
            Body::Correlation(correlation) => Some(About::Correlation(Together {
                kind: correlation.kind.value.name(),
                timespan: correlation.timespan,
            })),
            Body::Detection { service, .. } => {
                let service = service.as_ref().and_then(|name| self.service(name, reporter));
                service.map(|place| About::Records(self.surroundings.services[place]))
            }
        };
        let index = self.rules.len();
        if let Some(about) = about {
            self.name(&header, index, reporter);
            self.rules.push(rule(index, header, about, source));
        } else if !matches!(body, Body::Filter(_)) {
            self.broken.extend(header.id.iter().map(|id| id.value.to_string()));
            self.broken.extend(header.name.map(|name| name.value));
        }
        match body {
            Body::Filter(filter) => self.filters.push((filter, place)),
            Body::Correlation(correlation) => self.correlations.push((index, correlation, place)),
            Body::Detection { detection, .. } if about.is_some() => {
                self.detections.push((index, detection, place));
            }
            Body::Detection { .. } => {}
        }
    }

    /// Notes what others may call a rule.
    fn name(&mut self, header: &Header, index: usize, reporter: &mut Reporter<'_>) {
        if let Some(id) = &header.id {
            self.names.insert(id.value.to_string(), index);
        }
        if let Some(name) = &header.name
            && self.names.insert(name.value.clone(), index).is_some()
        {
            reporter.error(name.span, format!("another rule is called `{}`", name.value));
        }
    }

    /// The rule that is called so.
    fn find(&self, name: &Spanned<String>, reporter: &mut Reporter<'_>) -> Option<usize> {
        let found = self.names.get(&name.value).copied();
        if found.is_none() && !self.broken.contains(&name.value) {
            let help = did_you_mean(&name.value, self.names.keys().map(String::as_str));
            let help = help.unwrap_or_else(|| "rules are called by `id` or `name`".to_owned());
            reporter.error_with(name.span, format!("there is no rule `{}`", name.value), help);
        }
        found
    }

    fn service(&self, name: &Spanned<String>, reporter: &mut Reporter<'_>) -> Option<usize> {
        let services = self.surroundings.services;
        let place = services.iter().position(|service| service.name == name.value);
        if place.is_none() {
            let names: Vec<_> = services.iter().map(|service| service.name).collect();
            let help = did_you_mean(&name.value, names.iter().copied())
                .unwrap_or_else(|| format!("it is one of {}", names.join(", ")));
            let message = format!("there is no service `{}`", name.value);
            reporter.error_with(name.span, message, help);
        }
        place
    }

    fn check_identity(&mut self, id: &Spanned<Uuid>, source: &Source, reporter: &mut Reporter<'_>) {
        if let Some(first) = self.ids.insert(id.value, source.name.clone()) {
            reporter.error(id.span, format!("another rule in {first} has this id"));
            return;
        }
        if let Some(other) = self.signatures.insert(signature_id(id.value), id.value) {
            let message = format!("the signature of this id is also that of {other}: take another");
            reporter.error(id.span, message);
        }
    }

    /// Finds which rules each filter is for.
    fn compile_filters(&mut self, reporters: &mut [Reporter<'_>]) {
        let filters = std::mem::take(&mut self.filters);
        for (number, (filter, place)) in filters.iter().enumerate() {
            let reporter = &mut reporters[*place];
            let placeholders = filter.detection.placeholders();
            self.placeholders.extend(placeholders.into_iter().map(str::to_owned));
            let service = match &filter.service {
                None => None,
                Some(name) => match self.service(name, reporter) {
                    Some(place) => Some(self.surroundings.services[place]),
                    None => continue,
                },
            };
            let is_for = |rule: &Rule| match (rule.about, service) {
                (About::Records(own), Some(service)) => std::ptr::eq(own, service),
                (About::Records(_), None) => true,
                (About::Correlation(_), _) => false,
            };
            let rules: Vec<usize> = match &filter.target {
                Target::Any => {
                    (0..self.rules.len()).filter(|at| is_for(&self.rules[*at])).collect()
                }
                Target::Rules(names) => {
                    let found = names.iter().filter_map(|name| {
                        let rule = self.find(name, reporter)?;
                        if !is_for(&self.rules[rule]) {
                            let message =
                                format!("the filter is not for records of `{}`", name.value);
                            reporter.error(name.span, message);
                        }
                        Some(rule)
                    });
                    found.collect()
                }
            };
            for rule in rules {
                self.filtered.entry(rule).or_default().push(number);
            }
        }
        self.filters = filters;
    }

    fn compile_detections(&mut self, reporters: &mut [Reporter<'_>]) {
        // What is wrong in a filter is told once, not for each of its rules.
        let mut told = vec![false; self.filters.len()];
        let mut looked_at = vec![false; self.filters.len()];
        for (index, detection, place) in std::mem::take(&mut self.detections) {
            self.placeholders.extend(detection.placeholders().into_iter().map(str::to_owned));
            let Some(mut outcome) = self.compile(index, &detection, &mut reporters[place]) else {
                continue;
            };
            let filters = std::mem::take(&mut self.filters);
            for number in self.filtered.get(&index).cloned().unwrap_or_default() {
                let (filter, place) = &filters[number];
                if told[number] {
                    continue;
                }
                looked_at[number] = true;
                match self.compile(index, &filter.detection, &mut reporters[*place]) {
                    None => told[number] = true,
                    // What nobody filled in filters nothing.
                    Some(Outcome::Inactive(_)) => {}
                    Some(Outcome::Active(more)) => {
                        if let Outcome::Active(condition) = outcome {
                            outcome = Outcome::Active(Expression::all(vec![condition, more]));
                        }
                    }
                }
            }
            self.filters = filters;
            self.put_in_force(index, outcome);
        }
        for (number, (filter, place)) in std::mem::take(&mut self.filters).iter().enumerate() {
            if !looked_at[number]
                && let Some(schema) = self.schema_of(filter)
            {
                self.compile_for(schema, &filter.detection, &mut reporters[*place]);
            }
        }
    }

    /// What a filter without rules would be about: what it says, or else what has most of its fields.
    fn schema_of(&self, filter: &Filter) -> Option<&'static Schema> {
        let mut services = self.surroundings.services.iter().copied();
        if let Some(service) = &filter.service {
            return services.find(|schema| schema.name == service.value);
        }
        let fields = filter.detection.fields();
        let is_of = |schema: &'static Schema, name: &str| {
            FieldId::resolve(schema, name).is_some() || compile::in_document(schema, name).is_some()
        };
        // Of several that have as many, the first is taken.
        services.rev().max_by_key(|schema| fields.iter().filter(|name| is_of(schema, name)).count())
    }

    fn compile(
        &mut self,
        rule: usize,
        detection: &Detection,
        reporter: &mut Reporter<'_>,
    ) -> Option<Outcome> {
        let About::Records(schema) = self.rules[rule].about else { return None };
        self.compile_for(schema, detection, reporter)
    }

    fn compile_for(
        &mut self,
        schema: &'static Schema,
        detection: &Detection,
        reporter: &mut Reporter<'_>,
    ) -> Option<Outcome> {
        let place = self.place_of(schema)?;
        let (predicates, _) = &mut self.services[place];
        compile::compile(detection, schema, self.surroundings, predicates, reporter)
    }

    fn place_of(&self, schema: &'static Schema) -> Option<usize> {
        self.surroundings.services.iter().position(|service| std::ptr::eq(*service, schema))
    }

    fn put_in_force(&mut self, index: usize, outcome: Outcome) {
        let About::Records(schema) = self.rules[index].about else { return };
        let Some(place) = self.place_of(schema) else { return };
        let (predicates, conditions) = &mut self.services[place];
        match outcome {
            Outcome::Active(mut expression) => {
                self.rules[index].paths = paths(&mut expression, predicates);
                conditions.push((index, expression));
            }
            Outcome::Inactive(placeholder) => self.rules[index].inactive = Some(placeholder),
        }
    }

    /// Correlations of rules first, then those of them. What is left at the end goes round in circles.
    fn compile_correlations(&mut self, reporters: &mut [Reporter<'_>]) {
        let mut open = std::mem::take(&mut self.correlations);
        self.compiled.links = vec![Vec::new(); self.rules.len()];
        let mut resolved: Vec<(usize, sigma::Correlation, usize, Vec<usize>)> = Vec::new();
        for (index, mut correlation, place) in open.drain(..) {
            let reporter = &mut reporters[place];
            let found = correlation.rules.iter().map(|name| self.find(name, reporter));
            let found: Vec<Option<usize>> = found.collect();
            // What is asked of the others is looked at all the same.
            correlation.leave_out_rules(|rule| found[rule].is_none());
            resolved.push((index, correlation, place, found.into_iter().flatten().collect()));
        }
        loop {
            let before = resolved.len();
            let (ready, waiting): (Vec<_>, Vec<_>) = resolved
                .into_iter()
                .partition(|(.., rules)| rules.iter().all(|rule| self.is_known(*rule)));
            for (index, correlation, place, rules) in ready {
                self.correlate(index, &correlation, &rules, &mut reporters[place]);
            }
            resolved = waiting;
            if resolved.is_empty() || resolved.len() == before {
                break;
            }
        }
        // One with a mistake is not known either, nor is what waits for it.
        loop {
            let before = resolved.len();
            let waiting: BTreeSet<usize> = resolved.iter().map(|(index, ..)| *index).collect();
            let is_clear = |rule: &usize| self.is_known(*rule) || waiting.contains(rule);
            resolved.retain(|(.., rules)| rules.iter().all(is_clear));
            if resolved.len() == before {
                break;
            }
        }
        for (_, correlation, place, _) in resolved {
            let message = "the correlation is of itself, or of one that is of it";
            if let Some(first) = correlation.rules.first() {
                reporters[place].error(first.span, message);
            }
        }
    }

    /// Whether a correlation can be compiled that is of this rule.
    fn is_known(&self, rule: usize) -> bool {
        match self.rules[rule].about {
            About::Records(_) => true,
            About::Correlation(_) => self.compiled.all.iter().any(|known| known.rule == rule),
        }
    }

    fn correlate(
        &mut self,
        index: usize,
        document: &sigma::Correlation,
        rules: &[usize],
        reporter: &mut Reporter<'_>,
    ) {
        let place = self.compiled.all.len();
        let members: Vec<_> = rules
            .iter()
            .map(|rule| {
                let member = match self.rules[*rule].about {
                    About::Records(schema) => Member::Detection(schema),
                    About::Correlation(_) => {
                        let known = self.compiled.all.iter().find(|known| known.rule == *rule);
                        Member::Correlation(known.expect("looked for above"))
                    }
                };
                (*rule, member)
            })
            .collect();
        let services = self.surroundings.services;
        let compiled = correlation::compile(document, index, place, &members, services, reporter);
        if !document.generate {
            for rule in rules {
                self.rules[*rule].is_quiet = true;
            }
        }
        let Some((correlation, links)) = compiled else { return };
        let mut unfilled = rules.iter().map(|rule| &self.rules[*rule].inactive);
        let is_in_force = match correlation.look {
            Look::EventCount(_) | Look::ValueCount(_) | Look::Value(..) => {
                unfilled.clone().any(Option::is_none)
            }
            // Without one of its rules it would never be met, or always.
            Look::Temporal | Look::TemporalOrdered | Look::Absence => {
                unfilled.clone().all(Option::is_none)
            }
        };
        let why = if is_in_force { None } else { unfilled.find_map(Clone::clone) };
        self.rules[index].inactive = why;
        self.compiled.all.push(correlation);
        for (rule, link) in links.into_iter().filter(|_| is_in_force) {
            let paths = &mut self.rules[rule].paths;
            paths.extend(link.documents().map(|(place, path)| (place, path.clone())));
            paths.sort_unstable();
            paths.dedup();
            self.compiled.links[rule].push(link);
        }
    }

    fn finish(self) -> RuleSet {
        let services = self.surroundings.services.iter().zip(self.services);
        let services = services
            .filter(|(_, (_, conditions))| !conditions.is_empty())
            .map(|(schema, (predicates, conditions))| Service::new(schema, &predicates, conditions))
            .collect();
        let (rules, placeholders, correlations) = (self.rules, self.placeholders, self.compiled);
        RuleSet { rules, placeholders, services, correlations, hash: String::new() }
    }
}

/// What a condition asks of documents.
fn paths(expression: &mut Expression, predicates: &Predicates) -> Vec<(usize, Path)> {
    let mut paths = Vec::new();
    expression.each(&mut |id| {
        if let FieldId::InDocument { document, path } = predicates.get(*id).field {
            paths.push((document, predicates.path(path).clone()));
        }
    });
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// A rule whose condition is not known yet. One without an identity is in no set.
fn rule(index: usize, header: Header, about: About, source: &Source) -> Rule {
    let id = header.id.map(|id| id.value).unwrap_or_default();
    Rule {
        index,
        id,
        title: header.title,
        level: header.level,
        signature_id: signature_id(id),
        techniques: header.tags.iter().filter_map(|tag| technique(tag)).collect(),
        about,
        is_quiet: false,
        file: source.name.clone(),
        description: header.description,
        status: header.status,
        author: header.author,
        date: header.date,
        tags: header.tags,
        references: header.references,
        falsepositives: header.falsepositives,
        examples: header.examples,
        paths: Vec::new(),
        inactive: None,
    }
}

/// `T0855` of `attack.t0855`; tags of tactics and of other namespaces are none.
fn technique(tag: &str) -> Option<String> {
    let number = tag.strip_prefix("attack.t")?;
    let is_number = number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    is_number.then(|| format!("T{number}"))
}

/// 31 bits of the SHA-1 of the identity's octets, never 0.
fn signature_id(id: Uuid) -> u32 {
    let digest = Sha1::digest(id.as_bytes());
    let bits = digest.iter().take(4).fold(0, |bits, octet| bits << 8 | u32::from(*octet));
    (bits & 0x7fff_ffff).max(1)
}
