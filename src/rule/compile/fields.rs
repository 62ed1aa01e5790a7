//! Which field a name means, and which comparisons mean something for it.

use super::{Compiler, direct};
use crate::event::{CONTEXT, Kind, Schema};
use crate::json;
use crate::rule::diagnostic::did_you_mean;
use crate::rule::modifier::{Comparison, Modifiers};
use crate::rule::predicate::FieldId;
use crate::rule::sigma::{Item, Spanned};

impl Compiler<'_, '_> {
    pub(super) fn field(&mut self, name: &Spanned<String>) -> Option<FieldId> {
        if let Some(field) = FieldId::resolve(self.schema, &name.value) {
            return Some(field);
        }
        if let Some((document, path)) = in_document(self.schema, &name.value) {
            return self.in_document(document, path, name);
        }
        let message = format!("`{}` records have no field `{}`", self.schema.name, name.value);
        // With the path that stands there, behind as many parts as the document's name has.
        let documents = self.schema.documents.iter().map(|document| {
            let parts = document.name.split('.').count();
            let path = name.value.splitn(parts + 1, '.').nth(parts);
            path.map_or(document.name.to_owned(), |path| format!("{}.{path}", document.name))
        });
        let fields = self.schema.paths().chain(CONTEXT.paths()).map(|(name, ..)| name);
        let own: Vec<String> = fields.chain(documents).collect();
        let elsewhere = || {
            let mut services = self.surroundings.services.iter();
            let owner = services.find(|service| {
                service.resolve(&name.value).is_some()
                    || in_document(service, &name.value).is_some()
            })?;
            Some(format!("it is a field of `service: {}`", owner.name))
        };
        let of_list = || {
            let is_member = |path: &&String| {
                path.strip_prefix(&*name.value).is_some_and(|rest| rest.starts_with('.'))
            };
            let members: Vec<_> =
                own.iter().filter(is_member).map(|path| format!("`{path}`")).collect();
            let is_list = self.schema.lists.iter().any(|list| list.name == name.value);
            is_list.then(|| format!("it is a list; its members have {}", members.join(", ")))
        };
        let help = of_list()
            .or_else(elsewhere)
            .or_else(|| did_you_mean(&name.value, own.iter().map(String::as_str)));
        self.wrong_with(name.span, message, help)
    }

    /// A field in the document at this place; `path` is what stands behind its name.
    fn in_document(
        &mut self,
        document: usize,
        path: &str,
        name: &Spanned<String>,
    ) -> Option<FieldId> {
        if path.is_empty() {
            let message = format!("`{}` is a document, not a field", name.value);
            let help = format!("name a path in it, as in `{}.meter.voltage`", name.value);
            return self.wrong_with(name.span, message, Some(help));
        }
        let mistake: json::Mistake = match path.strip_prefix('.').unwrap_or(path).parse() {
            Ok(path) => {
                let path = self.predicates.number_of(path);
                return Some(FieldId::InDocument { document, path });
            }
            Err(mistake) => mistake,
        };
        let message = format!("`{}` leads nowhere", name.value);
        self.wrong_with(name.span, message, Some(mistake.to_string()))
    }

    /// Two conditions on a list could be met by two different members, so a rule that names two
    /// fields of one list is refused.
    pub(super) fn check_list(&mut self, field: FieldId, name: &Spanned<String>) {
        let FieldId::Declared { of_context, path } = field else { return };
        let Some(list) = path.list else { return };
        let (named, other) = self
            .list_fields
            .entry((of_context, list))
            .or_insert_with(|| (path.field, name.value.clone()));
        if *named != path.field {
            let message = format!(
                "`{other}` and `{}` could be met by two different members of the list",
                name.value
            );
            let help = self.flat_service(list);
            self.wrong_with::<()>(name.span, message, help);
        }
    }

    /// The same within one map: two conditions on one field of a list.
    pub(super) fn check_lists_within(&mut self, items: &[Item]) {
        for (index, item) in items.iter().enumerate() {
            let Some(name) = &item.field else { continue };
            let list = FieldId::resolve(self.schema, &name.value).and_then(FieldId::list);
            let before = items[..index].iter().filter_map(|item| item.field.as_ref());
            if let Some(list) = list
                && before.clone().any(|other| other.value == name.value)
            {
                let message = format!(
                    "two conditions on `{}` could be met by two different members of the list",
                    name.value
                );
                let help = self.flat_service(list);
                self.wrong_with::<()>(name.span, message, help);
            }
        }
    }

    /// The service that has one flat record for each member of the list, such as
    /// `iec104_object` for `iec104.objects`.
    pub(super) fn flat_service(&self, list: u8) -> Option<String> {
        flat_service(self.schema, list, self.surroundings.services)
    }

    pub(super) fn check_modifiers(
        &mut self,
        kind: Kind,
        modifiers: Modifiers,
        name: &Spanned<String>,
    ) -> Option<()> {
        if modifiers.comparison == Comparison::Topic {
            return self.check_topic(kind, name);
        }
        let (what, right, advice) = match kind {
            Kind::TopicName | Kind::TopicFilter => (
                "a topic",
                is_textual(modifiers.comparison),
                "topics have `topic`, and `contains`, `startswith`, `endswith` and `re`",
            ),
            Kind::Text => (
                "text",
                is_textual(modifiers.comparison),
                "text has `contains`, `startswith`, `endswith` and `re`",
            ),
            Kind::Name(_) => (
                "one of a set of names",
                is_textual(modifiers.comparison),
                "names have no order; write the names, or use the field with the number",
            ),
            Kind::Boolean => (
                "a flag",
                modifiers.comparison == Comparison::Equals,
                "compare it with `true` or `false`",
            ),
            Kind::Integer | Kind::Range(..) | Kind::Number => (
                "a number",
                matches!(modifiers.comparison, Comparison::Equals | Comparison::Order(_)),
                "numbers have `lt`, `lte`, `gt` and `gte`",
            ),
            Kind::Address => (
                "an address",
                matches!(modifiers.comparison, Comparison::Equals | Comparison::Cidr),
                "compare it with an address, or with a network by `cidr`",
            ),
            Kind::Any => (
                "in a document",
                is_textual(modifiers.comparison)
                    || matches!(modifiers.comparison, Comparison::Order(_)),
                "compare it as text or as a number",
            ),
            Kind::Time => (
                "a moment",
                matches!(
                    modifiers.comparison,
                    Comparison::Equals | Comparison::Order(_) | Comparison::Part(_)
                ),
                "moments have `lt`, `lte`, `gt` and `gte`, and `minute`, `hour`, `day`, `week`, \
                 `month` and `year`",
            ),
        };
        if modifiers.base64.is_some() && !direct::can_be_encoded(kind) {
            let message = format!("`{}` is {what}: it is never in Base64", name.value);
            return self.wrong(name.span, message);
        }
        if modifiers.cased && !kind.is_text() && !matches!(kind, Kind::Name(_) | Kind::Any) {
            return self
                .wrong(name.span, format!("`{}` is {what}: case means nothing", name.value));
        }
        if right || modifiers.comparison == Comparison::Exists {
            return Some(());
        }
        let message = format!("`{}` is {what}: this comparison means nothing", name.value);
        self.wrong_with(name.span, message, Some(advice.to_owned()))
    }

    fn check_topic(&mut self, kind: Kind, name: &Spanned<String>) -> Option<()> {
        if kind.is_topic() {
            return Some(());
        }
        let topics = self.schema.paths().filter(|(.., field)| field.kind.is_topic());
        let names: Vec<String> = topics.map(|(name, ..)| format!("`{name}`")).collect();
        let help = (!names.is_empty()).then(|| format!("topics are {}", names.join(", ")));
        let message = format!("`{}` is no topic: `topic` means nothing", name.value);
        self.wrong_with(name.span, message, help)
    }
}

/// What helps where a list is in the way: the service with a record for each of its members.
pub(in crate::rule) fn flat_service(
    schema: &Schema,
    list: u8,
    services: &[&'static Schema],
) -> Option<String> {
    let list = schema.lists.get(list as usize)?;
    let (_, plural) = list.name.rsplit_once('.')?;
    let name = format!("{}_{}", schema.name, plural.strip_suffix('s')?);
    let service = services.iter().find(|service| service.name == name)?;
    Some(format!("use `service: {}`: one record for each member", service.name))
}

/// The document that a name leads into: its place, and what stands behind its name.
pub(in crate::rule) fn in_document<'n>(schema: &Schema, name: &'n str) -> Option<(usize, &'n str)> {
    schema.documents.iter().enumerate().find_map(|(place, document)| {
        let path = name.strip_prefix(document.name)?;
        (path.is_empty() || path.starts_with(['.', '['])).then_some((place, path))
    })
}

fn is_textual(comparison: Comparison) -> bool {
    matches!(
        comparison,
        Comparison::Equals
            | Comparison::Contains
            | Comparison::StartsWith
            | Comparison::EndsWith
            | Comparison::Regex(_)
    )
}
