//! From a rule's document to an expression over predicates: here names become fields, and words
//! become values of their kinds.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::Placeholders;
use super::condition::Condition;
use super::diagnostic::{Reporter, did_you_mean};
use super::modifier::{Comparison, Modifiers, Order, RegexFlags};
use super::pattern::{Pattern, Shape};
use super::predicate::{
    Expression, FieldId, Predicate, Predicates, Ranges, Test, TextTest, flag_point, number_point,
};
use super::sigma::{Detection, Item, Selection, Spanned};
use super::yaml::{Meaning, Scalar, Span};
use crate::event::{CONTEXT, Kind, Schema};

/// The most predicates that one rule may name, repetitions included.
const MAX_SIZE: usize = 100_000;
/// The most values that one value with placeholders may become.
const MAX_EXPANDED: usize = 10_000;
/// The most memory that a compiled regular expression may take, in octets.
pub(super) const REGEX_SIZE: usize = 1 << 20;
/// Whole numbers up to here are exact as floating point numbers.
const EXACT: i64 = 1 << 53;
/// Floating point numbers from here on are no whole number of 64 bits.
const LARGEST: f64 = 9_223_372_036_854_775_808.0;

/// What became of a rule.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is in force.
    Active(Expression),
    /// It waits for this placeholder to be filled.
    Inactive(String),
}

/// What compilation needs to know besides the rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) services: &'a [&'static Schema],
    pub(super) placeholders: &'a Placeholders,
}

/// Compiles a detection over records of `schema`. Every mistake is told; the outcome means
/// nothing after one.
pub(super) fn compile(
    detection: &Detection,
    schema: &'static Schema,
    surroundings: Surroundings<'_>,
    predicates: &mut Predicates,
    reporter: &mut Reporter<'_>,
) -> Option<Outcome> {
    let mut compiler = Compiler {
        schema,
        surroundings,
        predicates,
        reporter,
        unfilled: None,
        list_fields: BTreeMap::new(),
    };
    let selections: Vec<_> =
        detection.selections.iter().map(|selection| compiler.selection(selection)).collect();
    if let Some(placeholder) = compiler.unfilled {
        return Some(Outcome::Inactive(placeholder));
    }
    let selections: Vec<Expression> = selections.into_iter().collect::<Option<_>>()?;
    let condition = detection.condition.as_ref()?;
    match join(&condition.value, &selections, &mut MAX_SIZE.clone()) {
        Some(expression) => Some(Outcome::Active(expression)),
        None => {
            reporter.error(condition.span, "the condition is too large");
            None
        }
    }
}

fn join(
    condition: &Condition,
    selections: &[Expression],
    budget: &mut usize,
) -> Option<Expression> {
    match condition {
        Condition::Selection(index) => {
            let selection = selections.get(*index)?;
            *budget = budget.checked_sub(selection.size())?;
            Some(selection.clone())
        }
        Condition::Not(inner) => Some(join(inner, selections, budget)?.negated()),
        Condition::AtLeast(needed, parts) => {
            let parts: Option<Vec<_>> =
                parts.iter().map(|part| join(part, selections, budget)).collect();
            Some(Expression::at_least(*needed, parts?))
        }
    }
}

/// What one value of a rule asks.
enum Atom {
    Absent,
    Present,
    Test(Test),
}

struct Compiler<'c, 's> {
    schema: &'static Schema,
    surroundings: Surroundings<'c>,
    predicates: &'c mut Predicates,
    reporter: &'c mut Reporter<'s>,
    unfilled: Option<String>,
    /// Which field of each list the rule names, by (of the context, list).
    list_fields: BTreeMap<(bool, u8), (u8, String)>,
}

impl Compiler<'_, '_> {
    fn wrong<T>(&mut self, span: Span, message: impl Into<String>) -> Option<T> {
        self.wrong_with(span, message, None)
    }

    fn wrong_with<T>(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Option<T> {
        self.reporter.error_with(span, message, help);
        None
    }

    fn holds(&mut self, field: FieldId, test: Test) -> Expression {
        Expression::Holds(self.predicates.id(Predicate { field, test }))
    }

    fn selection(&mut self, selection: &Selection) -> Option<Expression> {
        match selection {
            Selection::All(items) => {
                self.check_lists_within(items);
                let parts: Vec<_> = items.iter().map(|item| self.item(item)).collect();
                parts.into_iter().collect::<Option<_>>().map(Expression::all)
            }
            Selection::Any(members) => {
                let parts: Vec<_> = members.iter().map(|member| self.selection(member)).collect();
                parts.into_iter().collect::<Option<_>>().map(Expression::any)
            }
            Selection::Keyword(keyword) => self.keyword(keyword, Modifiers::NONE),
        }
    }

    fn item(&mut self, item: &Item) -> Option<Expression> {
        let Some(name) = &item.field else { return self.keywords(item) };
        let field = self.field(name)?;
        self.check_list(field, name);
        let kind = field.kind(self.schema);
        let modifiers = item.modifiers?;
        self.check_modifiers(kind, modifiers, name)?;
        let atoms = self.atoms(kind, modifiers, item, name)?;
        if modifiers.all && atoms.len() > 1 && !can_hold_together(field, kind) {
            let message = format!("`{}` has one value: it never equals all of these", name.value);
            return self.wrong(name.span, message);
        }
        let expression = if modifiers.all {
            let parts = atoms.into_iter().map(|atom| self.atom(field, atom)).collect();
            Expression::all(parts)
        } else {
            self.any_atom(field, atoms)
        };
        Some(if modifiers.negated { expression.negated() } else { expression })
    }

    /// All values of one field that any may have are one predicate.
    fn any_atom(&mut self, field: FieldId, atoms: Vec<Atom>) -> Expression {
        let (mut tests, mut parts) = (Vec::new(), Vec::new());
        for atom in atoms {
            match atom {
                Atom::Test(test) => tests.push(test),
                other => parts.push(self.atom(field, other)),
            }
        }
        if !tests.is_empty() {
            parts.push(self.holds(field, Test::any(tests)));
        }
        Expression::any(parts)
    }

    fn atom(&mut self, field: FieldId, atom: Atom) -> Expression {
        match atom {
            Atom::Absent => self.holds(field, Test::Present).negated(),
            Atom::Present => self.holds(field, Test::Present),
            Atom::Test(test) => self.holds(field, test),
        }
    }

    // ── Fields ──────────────────────────────────────────────────────────────────────────────

    fn field(&mut self, name: &Spanned<String>) -> Option<FieldId> {
        if let Some(field) = FieldId::resolve(self.schema, &name.value) {
            return Some(field);
        }
        let message = format!("`{}` records have no field `{}`", self.schema.name, name.value);
        let own: Vec<String> =
            self.schema.paths().chain(CONTEXT.paths()).map(|(name, ..)| name).collect();
        let elsewhere = || {
            let services = self.surroundings.services.iter();
            let owner = services.filter(|service| service.resolve(&name.value).is_some()).next()?;
            Some(format!("it is a field of `service: {}`", owner.name))
        };
        let help =
            elsewhere().or_else(|| did_you_mean(&name.value, own.iter().map(String::as_str)));
        self.wrong_with(name.span, message, help)
    }

    /// Two conditions on a list could be met by two different members, so a rule that names two
    /// fields of one list is refused.
    fn check_list(&mut self, field: FieldId, name: &Spanned<String>) {
        let Some(list) = field.path.list else { return };
        let (named, other) = self
            .list_fields
            .entry((field.of_context, list))
            .or_insert_with(|| (field.path.field, name.value.clone()));
        if *named != field.path.field {
            let message = format!(
                "`{other}` and `{}` could be met by two different members of the list",
                name.value
            );
            let help = self.flat_service(list);
            self.wrong_with::<()>(name.span, message, help);
        }
    }

    /// The same within one map: two conditions on one field of a list.
    fn check_lists_within(&mut self, items: &[Item]) {
        for (index, item) in items.iter().enumerate() {
            let Some(name) = &item.field else { continue };
            let list = FieldId::resolve(self.schema, &name.value).and_then(|field| field.path.list);
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
    fn flat_service(&self, list: u8) -> Option<String> {
        let list = self.schema.lists.get(list as usize)?;
        let (_, plural) = list.name.rsplit_once('.')?;
        let name = format!("{}_{}", self.schema.name, plural.strip_suffix('s')?);
        let service = self.surroundings.services.iter().find(|service| service.name == name)?;
        Some(format!("use `service: {}`: one record for each member", service.name))
    }

    fn check_modifiers(
        &mut self,
        kind: Kind,
        modifiers: Modifiers,
        name: &Spanned<String>,
    ) -> Option<()> {
        let (what, right, advice) = match kind {
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
            Kind::Integer | Kind::Number => (
                "a number",
                matches!(modifiers.comparison, Comparison::Equals | Comparison::Order(_)),
                "numbers have `lt`, `lte`, `gt` and `gte`",
            ),
            Kind::Address => (
                "an address",
                matches!(modifiers.comparison, Comparison::Equals | Comparison::Cidr),
                "compare it with an address, or with a network by `cidr`",
            ),
            Kind::Time => ("a moment", false, "only `exists` has a meaning here"),
        };
        if modifiers.cased && !matches!(kind, Kind::Text | Kind::Name(_)) {
            return self
                .wrong(name.span, format!("`{}` is {what}: case means nothing", name.value));
        }
        let asks_presence = modifiers.comparison == Comparison::Exists
            || matches!((kind, modifiers.comparison), (Kind::Time, Comparison::Equals));
        if right || asks_presence {
            return Some(());
        }
        let message = format!("`{}` is {what}: this comparison means nothing", name.value);
        self.wrong_with(name.span, message, Some(advice.to_owned()))
    }

    // ── Values ──────────────────────────────────────────────────────────────────────────────

    fn atoms(
        &mut self,
        kind: Kind,
        modifiers: Modifiers,
        item: &Item,
        name: &Spanned<String>,
    ) -> Option<Vec<Atom>> {
        let mut atoms = Vec::with_capacity(item.values.len());
        let mut right = true;
        for value in &item.values {
            for value in self.expanded(value, modifiers)? {
                match self.value(kind, modifiers, &value, name) {
                    Some(atom) => atoms.push(atom),
                    None => right = false,
                }
            }
        }
        right.then_some(atoms)
    }

    fn value(
        &mut self,
        kind: Kind,
        modifiers: Modifiers,
        value: &Spanned<Scalar>,
        name: &Spanned<String>,
    ) -> Option<Atom> {
        let Spanned { value: scalar, span } = value;
        match (modifiers.comparison, scalar.meaning) {
            (Comparison::Exists, Meaning::Boolean(true)) => return Some(Atom::Present),
            (Comparison::Exists, Meaning::Boolean(false)) => return Some(Atom::Absent),
            (Comparison::Exists, _) => return self.wrong(*span, "`exists` is `true` or `false`"),
            (Comparison::Equals, Meaning::Null) => return Some(Atom::Absent),
            (_, Meaning::Null) => {
                return self
                    .wrong(*span, "nothing to compare with: a plain `null` asks for absence");
            }
            _ => {}
        }
        let is_text = matches!(scalar.meaning, Meaning::Plain | Meaning::Quoted);
        let is_regex = matches!(modifiers.comparison, Comparison::Regex(_));
        if is_text && !is_regex && Pattern::parse(&scalar.text).shape() == Shape::Anything {
            return Some(Atom::Present);
        }
        let test = match kind {
            Kind::Text => {
                let scalar = self.word(value)?;
                Test::Texts(vec![self.text_test(scalar, modifiers, *span)?])
            }
            Kind::Name(table) => Test::Points(self.codes(table, modifiers, value, name)?),
            Kind::Boolean => match scalar.meaning {
                Meaning::Boolean(flag) => Test::Points(Ranges::point(flag.into())),
                _ => return self.mistaken(value, name, "a flag", "`true` or `false`"),
            },
            Kind::Integer => match integers(modifiers.comparison, scalar) {
                Some(ranges) => Test::Points(ranges),
                None => return self.mistaken(value, name, "a whole number", "a whole number"),
            },
            Kind::Number => match numbers(modifiers.comparison, scalar) {
                Some(ranges) => Test::Points(ranges),
                None => return self.mistaken(value, name, "a number", "a number"),
            },
            Kind::Address => self.addresses(modifiers, value, name)?,
            Kind::Time => {
                return self
                    .wrong(*span, "moments cannot be compared yet, only `exists` and `null`");
            }
        };
        Some(Atom::Test(test))
    }

    fn mistaken<T>(
        &mut self,
        value: &Spanned<Scalar>,
        name: &Spanned<String>,
        is: &str,
        expected: &str,
    ) -> Option<T> {
        let message = format!("`{}` is {is}, and this is {}", name.value, value.value.what());
        self.wrong_with(value.span, message, Some(format!("{expected} stands here")))
    }

    /// Text as other tools read it too.
    fn word<'v>(&mut self, value: &'v Spanned<Scalar>) -> Option<&'v Scalar> {
        let scalar = &value.value;
        let lower = scalar.text.to_ascii_lowercase();
        let ambiguous = scalar.meaning == Meaning::Plain
            && matches!(lower.as_str(), "yes" | "no" | "on" | "off");
        if ambiguous || matches!(scalar.meaning, Meaning::Boolean(_)) {
            let message = format!("`{}` without quotes is a boolean to many tools", scalar.text);
            return self.wrong_with(value.span, message, Some(format!("write '{}'", scalar.text)));
        }
        Some(scalar)
    }

    fn text_test(&mut self, scalar: &Scalar, modifiers: Modifiers, span: Span) -> Option<TextTest> {
        if let Comparison::Regex(flags) = modifiers.comparison {
            return self.regex(&scalar.text, flags, span).map(TextTest::Regex);
        }
        let pattern = pattern(&scalar.text, modifiers.comparison);
        if regex::RegexBuilder::new(&pattern.regex(modifiers.cased))
            .size_limit(REGEX_SIZE)
            .build()
            .is_err()
        {
            return self.wrong(span, "the pattern is too large");
        }
        Some(TextTest::Pattern { pattern, cased: modifiers.cased })
    }

    fn regex(&mut self, text: &str, flags: RegexFlags, span: Span) -> Option<String> {
        let letters: String =
            [(flags.ignore_case, 'i'), (flags.multi_line, 'm'), (flags.dot_all, 's')]
                .into_iter()
                .filter_map(|(set, letter)| set.then_some(letter))
                .collect();
        let regex =
            if letters.is_empty() { text.to_owned() } else { format!("(?{letters}){text}") };
        match regex::RegexBuilder::new(&regex).size_limit(REGEX_SIZE).build() {
            Ok(_) => Some(regex),
            Err(regex::Error::CompiledTooBig(_)) => {
                self.wrong(span, "the regular expression takes too much memory")
            }
            Err(error) => {
                let reason = error.to_string();
                let reason =
                    reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.wrong(span, format!("the regular expression cannot be used: {reason}"))
            }
        }
    }

    /// The codes whose names the value means.
    fn codes(
        &mut self,
        table: &'static [&'static str],
        modifiers: Modifiers,
        value: &Spanned<Scalar>,
        name: &Spanned<String>,
    ) -> Option<Ranges<i64>> {
        let scalar = &value.value;
        let is_named = |code: i64| {
            usize::try_from(code)
                .ok()
                .and_then(|code| table.get(code))
                .is_some_and(|name| !name.is_empty())
        };
        if modifiers.comparison == Comparison::Equals
            && let Some(code) = whole(scalar)
        {
            if is_named(code) {
                return Some(Ranges::point(code));
            }
            let message = format!("`{}` has no name for {code}", name.value);
            return self.wrong(value.span, message);
        }
        let scalar = self.word(value)?;
        let codes = match self.text_test(scalar, modifiers, value.span)? {
            TextTest::Pattern { pattern, cased: false } if pattern.literal().is_some() => {
                let literal = pattern.literal().unwrap_or_default().to_owned();
                matching(table, |name| name.eq_ignore_ascii_case(&literal))
            }
            TextTest::Pattern { pattern, cased } => {
                let regex = regex::Regex::new(&pattern.regex(cased)).ok()?;
                matching(table, |name| regex.is_match(name))
            }
            TextTest::Regex(regex) => {
                let regex = regex::Regex::new(&regex).ok()?;
                matching(table, |name| regex.is_match(name))
            }
        };
        if codes.iter().next().is_some() {
            return Some(codes);
        }
        let message = format!("`{}` is never `{}`", name.value, scalar.text);
        self.wrong_with(value.span, message, did_you_mean(&scalar.text, table.iter().copied()))
    }

    fn addresses(
        &mut self,
        modifiers: Modifiers,
        value: &Spanned<Scalar>,
        name: &Spanned<String>,
    ) -> Option<Test> {
        // Who fills a placeholder may write networks where the rule's author thought of addresses.
        let takes_networks = modifiers.comparison == Comparison::Cidr || modifiers.expand;
        let text = value.value.text.as_str();
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(network(IpNet::from(address)));
        }
        let Ok(net) = text.parse::<IpNet>() else {
            let help = match takes_networks {
                true => "as in 10.20.0.0/16 or 2001:db8::/32",
                _ if text.contains(['*', '?']) => {
                    "addresses have no wildcards: write a network, and `cidr` behind the field"
                }
                _ => "as in 10.20.0.10 or 2001:db8::1",
            };
            let expected = if takes_networks { "network" } else { "address" };
            let message = format!("`{text}` is no {expected}");
            return self.wrong_with(value.span, message, Some(help.to_owned()));
        };
        if !takes_networks {
            let help = Some(format!("write `{}|cidr`", name.value));
            return self.wrong_with(value.span, format!("`{text}` is a network"), help);
        }
        if net.trunc() != net {
            let help = Some(format!("the network is {}", net.trunc()));
            return self.wrong_with(
                value.span,
                format!("`{text}` has bits beyond its prefix"),
                help,
            );
        }
        Some(network(net))
    }

    // ── Keywords ────────────────────────────────────────────────────────────────────────────

    fn keywords(&mut self, item: &Item) -> Option<Expression> {
        let modifiers = item.modifiers?;
        let mut parts = Vec::new();
        for value in &item.values {
            for value in self.expanded(value, modifiers)? {
                parts.push(self.keyword(&value, modifiers)?);
            }
        }
        let expression =
            if modifiers.all { Expression::all(parts) } else { Expression::any(parts) };
        Some(if modifiers.negated { expression.negated() } else { expression })
    }

    /// Any text field of the record has the keyword in it.
    fn keyword(&mut self, keyword: &Spanned<Scalar>, modifiers: Modifiers) -> Option<Expression> {
        let comparison = match modifiers.comparison {
            Comparison::Equals | Comparison::Contains => Comparison::Contains,
            Comparison::Regex(flags) => Comparison::Regex(flags),
            _ => {
                return self.wrong(
                    keyword.span,
                    "keywords are found anywhere: this comparison needs a field",
                );
            }
        };
        if keyword.value.meaning == Meaning::Null {
            return self.wrong(keyword.span, "an empty keyword is in every text");
        }
        let scalar = self.word(keyword)?;
        let test = self.text_test(scalar, Modifiers { comparison, ..modifiers }, keyword.span)?;
        let fields: Vec<FieldId> = self
            .schema
            .paths()
            .filter(|(_, _, field)| matches!(field.kind, Kind::Text))
            .map(|(_, path, _)| FieldId { of_context: false, path })
            .collect();
        if fields.is_empty() {
            let message =
                format!("`{}` records have no text to find a keyword in", self.schema.name);
            return self.wrong(keyword.span, message);
        }
        let parts = fields
            .into_iter()
            .map(|field| self.holds(field, Test::Texts(vec![test.clone()])))
            .collect();
        Some(Expression::any(parts))
    }

    // ── Placeholders ────────────────────────────────────────────────────────────────────────

    /// The value with each placeholder replaced by each of its values; itself without `expand`.
    fn expanded(
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

/// Names between percent signs, each once.
fn placeholders_in(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let mut parts = text.split('%').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let closed = parts.peek().is_some();
        if closed && !part.is_empty() && part.chars().all(is_name) {
            parts.next();
            if !names.contains(&part) {
                names.push(part);
            }
        }
    }
    names
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

/// Whether one value, or one of several members, can meet several conditions at once.
fn can_hold_together(field: FieldId, kind: Kind) -> bool {
    field.path.list.is_some() || matches!(kind, Kind::Text | Kind::Name(_))
}

fn pattern(text: &str, comparison: Comparison) -> Pattern {
    let pattern = Pattern::parse(text);
    match comparison {
        Comparison::Contains => pattern.open(true, true),
        Comparison::StartsWith => pattern.open(false, true),
        Comparison::EndsWith => pattern.open(true, false),
        _ => pattern,
    }
}

fn matching(table: &[&str], matches: impl Fn(&str) -> bool) -> Ranges<i64> {
    let codes = table.iter().enumerate().filter(|(_, name)| !name.is_empty() && matches(name));
    Ranges::any(codes.map(|(code, _)| Ranges::point(code as i64)).collect())
}

/// The whole number that a scalar is, in quotes or not.
fn whole(scalar: &Scalar) -> Option<i64> {
    match scalar.meaning {
        Meaning::Integer(number) => Some(number),
        Meaning::Quoted => scalar.text.parse().ok(),
        Meaning::Float(number) if number.trunc() == number && number.abs() < LARGEST => {
            Some(number as i64)
        }
        _ => None,
    }
}

/// The number that a scalar is, in quotes or not.
fn number(scalar: &Scalar) -> Option<f64> {
    let number = match scalar.meaning {
        Meaning::Integer(number) if number.abs() <= EXACT => number as f64,
        Meaning::Float(number) => number,
        Meaning::Quoted => scalar.text.parse().ok()?,
        _ => return None,
    };
    (!number.is_nan()).then_some(number)
}

fn integers(comparison: Comparison, scalar: &Scalar) -> Option<Ranges<i64>> {
    let Comparison::Order(order) = comparison else {
        return whole(scalar).map(Ranges::point);
    };
    if let Some(limit) = whole(scalar) {
        return Some(match order {
            Order::Less => limit
                .checked_sub(1)
                .map_or_else(Ranges::default, |last| Ranges::new(i64::MIN, last)),
            Order::LessOrEqual => Ranges::new(i64::MIN, limit),
            Order::Greater => limit
                .checked_add(1)
                .map_or_else(Ranges::default, |first| Ranges::new(first, i64::MAX)),
            Order::GreaterOrEqual => Ranges::new(limit, i64::MAX),
        });
    }
    let limit = number(scalar)?;
    Some(match order {
        Order::Less | Order::LessOrEqual => Ranges::new(i64::MIN, limit.floor() as i64),
        Order::Greater | Order::GreaterOrEqual => Ranges::new(limit.ceil() as i64, i64::MAX),
    })
}

fn numbers(comparison: Comparison, scalar: &Scalar) -> Option<Ranges<i64>> {
    let lowest = number_point(f64::NEG_INFINITY)?;
    let highest = number_point(f64::INFINITY)?;
    if let (Comparison::Equals, Meaning::Boolean(flag)) = (comparison, scalar.meaning) {
        return Some(Ranges::point(flag_point(flag)));
    }
    let limit = number_point(number(scalar)?)?;
    Some(match comparison {
        Comparison::Order(Order::Less) => Ranges::new(lowest, limit - 1),
        Comparison::Order(Order::LessOrEqual) => Ranges::new(lowest, limit),
        Comparison::Order(Order::Greater) => Ranges::new(limit + 1, highest),
        Comparison::Order(Order::GreaterOrEqual) => Ranges::new(limit, highest),
        _ => Ranges::point(limit),
    })
}

fn network(net: IpNet) -> Test {
    match net {
        IpNet::V4(net) => Test::Addresses {
            v4: Ranges::new(net.network().to_bits(), net.broadcast().to_bits()),
            v6: Ranges::default(),
        },
        IpNet::V6(net) => Test::Addresses {
            v4: Ranges::default(),
            v6: Ranges::new(net.network().to_bits(), net.broadcast().to_bits()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_stand_between_percent_signs() {
        assert_eq!(placeholders_in("%a%"), ["a"]);
        assert_eq!(placeholders_in("x-%a%-%b%-%a%"), ["a", "b"]);
        assert!(placeholders_in("100%").is_empty());
        assert!(placeholders_in("5 % of 7 %").is_empty());
    }

    #[test]
    fn fractions_bound_whole_numbers() {
        let ranges = |order, text: &str| {
            let meaning = text.parse().map_or(Meaning::Quoted, Meaning::Float);
            let scalar = Scalar { text: text.to_owned(), meaning };
            integers(Comparison::Order(order), &scalar)
                .map(|ranges| ranges.iter().collect::<Vec<_>>())
        };
        assert_eq!(ranges(Order::Less, "0.5"), Some(vec![(i64::MIN, 0)]));
        assert_eq!(ranges(Order::Greater, "-0.5"), Some(vec![(0, i64::MAX)]));
        assert_eq!(ranges(Order::Less, "2.0"), Some(vec![(i64::MIN, 1)]));
        assert_eq!(ranges(Order::Less, "two"), None);
    }
}
