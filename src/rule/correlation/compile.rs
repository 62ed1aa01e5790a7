//! From a correlation's document to what the correlator works with.

use super::{Correlation, GroupField, Link, Look, Part};
use crate::event::{CONTEXT, Kind, Schema, Secrecy};
use crate::json::{self, Paths};
use crate::rule::compile::{flat_service, in_document};
use crate::rule::diagnostic::{Reporter, did_you_mean};
use crate::rule::predicate::FieldId;
use crate::rule::sigma::{self, Spanned};

/// A rule that a correlation may be of.
#[derive(Debug, Clone, Copy)]
pub(in crate::rule) enum Member<'a> {
    /// A detection rule about records of this type.
    Detection(&'static Schema),
    /// Another correlation.
    Correlation(&'a Correlation),
}

/// Compiles a correlation, the place of which will be `index`, of these members: the index of the
/// rule, and what it is. Every mistake is told.
pub(in crate::rule) fn compile(
    document: &sigma::Correlation,
    rule: usize,
    index: usize,
    members: &[(usize, Member<'_>)],
    services: &[&'static Schema],
    reporter: &mut Reporter<'_>,
) -> Option<(Correlation, Vec<(usize, Link)>)> {
    let mut compiler = Compiler { document, services, reporter };
    compiler.check_aliases();
    let mut group: Vec<GroupField> = Vec::new();
    for name in &document.group_by {
        if group.iter().any(|before| before.name == name.value) {
            compiler.wrong::<()>(name, format!("`{}` stands here twice", name.value));
        }
        group.push(GroupField { name: name.value.clone(), secrecy: Secrecy::Open });
    }
    let mut links = Some(Vec::new());
    for (place, ((of, member), name)) in members.iter().zip(&document.rules).enumerate() {
        let parts = compiler.group(*member, name, &mut group);
        let values = compiler.values(*member, name);
        match (parts, values, &mut links) {
            (Some(group), Some(values), Some(links)) => {
                links.push((*of, Link { correlation: index, place, group, values }));
            }
            _ => links = None,
        }
    }
    let look = match &document.kind.value {
        sigma::Kind::EventCount(threshold) => Look::EventCount(threshold.clone()),
        sigma::Kind::ValueCount(_, threshold) => Look::ValueCount(threshold.clone()),
        sigma::Kind::Value(aggregate, _, threshold) => Look::Value(*aggregate, threshold.clone()),
        sigma::Kind::Temporal => Look::Temporal,
        sigma::Kind::TemporalOrdered => Look::TemporalOrdered,
        sigma::Kind::Absence => Look::Absence,
    };
    let timespan = document.timespan.as_micros() as u64;
    let correlation = Correlation { rule, look, timespan, group, members: members.len() };
    Some((correlation, links?))
}

struct Compiler<'c, 's> {
    document: &'c sigma::Correlation,
    services: &'c [&'static Schema],
    reporter: &'c mut Reporter<'s>,
}

impl Compiler<'_, '_> {
    fn wrong<T>(&mut self, at: &Spanned<String>, message: impl Into<String>) -> Option<T> {
        self.reporter.error(at.span, message);
        None
    }

    /// Aliases are of rules that the correlation is of.
    fn check_aliases(&mut self) {
        let rules = &self.document.rules;
        for (rule, _) in self.document.aliases.iter().flat_map(|alias| &alias.fields) {
            if !rules.iter().any(|known| known.value == rule.value) {
                let help = did_you_mean(&rule.value, rules.iter().map(|rule| rule.value.as_str()));
                let message = format!("the correlation is not of a rule `{}`", rule.value);
                self.reporter.error_with(rule.span, message, help);
            }
        }
    }

    /// Where a rule's hits have what they are grouped by.
    fn group(
        &mut self,
        member: Member<'_>,
        rule: &Spanned<String>,
        group: &mut [GroupField],
    ) -> Option<Vec<Part>> {
        let document = self.document;
        let mut parts = Some(Vec::new());
        for (name, known) in document.group_by.iter().zip(group) {
            let alias = document.aliases.iter().find(|alias| alias.name == name.value);
            let field = match alias {
                None => Some(name),
                Some(alias) => {
                    let of_rule = alias.fields.iter().find(|(of, _)| of.value == rule.value);
                    let message = || format!("`{}` says nothing of `{}`", alias.name, rule.value);
                    of_rule.map(|(_, field)| field).or_else(|| self.wrong(name, message()))
                }
            };
            let part = field.and_then(|field| self.part(member, field, rule));
            if let Some((_, secrecy)) = &part
                && *secrecy != Secrecy::Open
            {
                known.secrecy = *secrecy;
            }
            match (part, &mut parts) {
                (Some((part, _)), Some(parts)) => parts.push(part),
                _ => parts = None,
            }
        }
        parts
    }

    /// Where a rule's hits have what is counted.
    fn values(&mut self, member: Member<'_>, rule: &Spanned<String>) -> Option<Vec<Part>> {
        let fields = match &self.document.kind.value {
            sigma::Kind::ValueCount(fields, _) => &fields[..],
            sigma::Kind::Value(_, field, _) => std::slice::from_ref(field),
            _ => &[],
        };
        if let (Member::Correlation(_), [field, ..]) = (member, fields) {
            let message =
                format!("`{}` is a correlation: only its alerts can be counted", rule.value);
            return self.wrong(field, message);
        }
        let is_number = matches!(self.document.kind.value, sigma::Kind::Value(..));
        let mut parts = Some(Vec::new());
        for field in fields {
            let part = self.part(member, field, rule).map(|(part, _)| part);
            if let Some(Part::Field { kind, .. }) = &part
                && is_number
                && !matches!(kind, Kind::Integer | Kind::Range(..) | Kind::Number)
            {
                self.wrong::<()>(field, format!("`{}` is no number", field.value));
            }
            match (part, &mut parts) {
                (Some(part), Some(parts)) => parts.push(part),
                _ => parts = None,
            }
        }
        parts
    }

    /// Where hits of a rule have this field, and what its values give away.
    fn part(
        &mut self,
        member: Member<'_>,
        field: &Spanned<String>,
        rule: &Spanned<String>,
    ) -> Option<(Part, Secrecy)> {
        let schema = match member {
            Member::Detection(schema) => schema,
            Member::Correlation(correlation) => {
                let is_it = |known: &GroupField| known.name == field.value;
                if let Some(place) = correlation.group.iter().position(is_it) {
                    return Some((Part::Group(place), correlation.group[place].secrecy));
                }
                let names = correlation.group.iter().map(|known| known.name.as_str());
                let help = did_you_mean(&field.value, names);
                let message = format!("`{}` is not grouped by `{}`", rule.value, field.value);
                self.reporter.error_with(field.span, message, help);
                return None;
            }
        };
        match FieldId::resolve(schema, &field.value) {
            Some(FieldId::Declared { of_context, path }) => {
                if path.list.is_some() {
                    let message = format!(
                        "`{}` has several values in a record: none of them is the one",
                        field.value
                    );
                    let help = path.list.and_then(|list| flat_service(schema, list, self.services));
                    self.reporter.error_with(field.span, message, help);
                    return None;
                }
                let place = usize::from(path.field);
                let owner = if of_context { &CONTEXT } else { schema };
                let declared = &owner.fields[place];
                if matches!(declared.kind, Kind::Time) {
                    return self.wrong(
                        field,
                        format!("`{}` is a moment: nothing is grouped by that", field.value),
                    );
                }
                Some((Part::Field { of_context, place, kind: declared.kind }, declared.secrecy))
            }
            _ => self.part_of_document(schema, field, rule),
        }
    }

    fn part_of_document(
        &mut self,
        schema: &'static Schema,
        field: &Spanned<String>,
        rule: &Spanned<String>,
    ) -> Option<(Part, Secrecy)> {
        let path = in_document(schema, &field.value).and_then(|(place, path)| {
            let path: json::Path = path.strip_prefix('.').unwrap_or(path).parse().ok()?;
            Some((place, path))
        });
        if let Some((place, path)) = path {
            let mut paths = Paths::default();
            paths.add(&path);
            return Some((Part::Document { place, path, paths }, schema.documents[place].secrecy));
        }
        let names = schema.paths().chain(CONTEXT.paths()).map(|(name, ..)| name);
        let names: Vec<_> = names.collect();
        let help = did_you_mean(&field.value, names.iter().map(String::as_str));
        let message = format!("records of `{}` have no field `{}`", rule.value, field.value);
        self.reporter.error_with(field.span, message, help);
        None
    }
}
