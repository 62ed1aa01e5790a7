//! Correlations: how records that other rules found go together (Sigma correlation rules
//! specification 2.1).

use std::time::Duration;

use super::{Reader, Spanned};
use crate::rule::yaml::{Content, Entry, Meaning, Scalar, Span};

/// A correlation as written.
#[derive(Debug)]
pub(in crate::rule) struct Correlation {
    pub(in crate::rule) kind: Spanned<Kind>,
    /// Identities or names of the rules whose hits it takes, in the order of the file.
    pub(in crate::rule) rules: Vec<Spanned<String>>,
    /// Hits that differ in these fields, or aliases, have nothing to do with each other.
    pub(in crate::rule) group_by: Vec<Spanned<String>>,
    pub(in crate::rule) aliases: Vec<Alias>,
    pub(in crate::rule) timespan: Duration,
    /// Whether its rules tell of each hit besides.
    pub(in crate::rule) generate: bool,
}

impl Correlation {
    /// Goes on without those of its rules, by place, that are such.
    pub(in crate::rule) fn leave_out_rules(&mut self, is_out: impl Fn(usize) -> bool) {
        let (mut out, mut place) = (Vec::new(), 0);
        self.rules.retain(|rule| {
            place += 1;
            if is_out(place - 1) {
                out.push(rule.value.clone());
            }
            !is_out(place - 1)
        });
        for alias in &mut self.aliases {
            alias.fields.retain(|(rule, _)| !out.contains(&rule.value));
        }
    }
}

/// A name for fields that are called otherwise in each rule.
#[derive(Debug)]
pub(in crate::rule) struct Alias {
    pub(in crate::rule) name: String,
    /// A rule, by identity or name, and its field.
    pub(in crate::rule) fields: Vec<(Spanned<String>, Spanned<String>)>,
}

/// What it looks for.
#[derive(Debug)]
pub(in crate::rule) enum Kind {
    /// So many hits.
    EventCount(Threshold),
    /// So many different values of fields.
    ValueCount(Vec<Spanned<String>>, Threshold),
    /// A number made of the values of a field.
    Value(Aggregate, Spanned<String>, Threshold),
    /// A hit of each rule.
    Temporal,
    /// A hit of each rule, in their order.
    TemporalOrdered,
    /// A hit of the first rule, and none of the others after it within the timespan. Sigma 2.1 has
    /// no such thing; the spelling is that of the proposal for 2.2.
    Absence,
}

impl Kind {
    /// As alerts call it: Sigma's types, and our own.
    pub(in crate::rule) const fn name(&self) -> &'static str {
        match self {
            Self::EventCount(_) => "event_count",
            Self::ValueCount(..) => "value_count",
            Self::Value(Aggregate::Sum, ..) => "value_sum",
            Self::Value(Aggregate::Average, ..) => "value_avg",
            Self::Value(Aggregate::Percentile(_), ..) => "value_percentile",
            Self::Temporal => "temporal",
            Self::TemporalOrdered => "temporal_ordered",
            Self::Absence => "absence",
        }
    }
}

/// What is made of the values of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rule) enum Aggregate {
    Sum,
    Average,
    /// The value that so many per cent are not above.
    Percentile(u8),
}

/// What a number has to be: all of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rule) struct Threshold(pub(in crate::rule) Vec<(Bound, i64)>);

/// How a number is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rule) enum Bound {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

const KEYS: &[&str] =
    &["type", "rules", "aliases", "group-by", "timespan", "condition", "generate"];

/// The types, and what their conditions have besides bounds.
const TYPES: &[(&str, Type)] = &[
    ("event_count", Type::EventCount),
    ("value_count", Type::ValueCount),
    ("value_sum", Type::Value(Some(Aggregate::Sum))),
    ("value_avg", Type::Value(Some(Aggregate::Average))),
    ("value_percentile", Type::Value(None)),
    ("temporal", Type::Temporal),
    ("temporal_ordered", Type::TemporalOrdered),
];

/// Their names.
pub(in crate::rule) fn correlation_types() -> impl Iterator<Item = &'static str> {
    TYPES.iter().map(|(name, _)| *name)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    EventCount,
    ValueCount,
    /// Of a percentile the condition says which.
    Value(Option<Aggregate>),
    Temporal,
    TemporalOrdered,
}

const BOUNDS: &[(&str, Bound)] = &[
    ("lt", Bound::Less),
    ("lte", Bound::LessOrEqual),
    ("gt", Bound::Greater),
    ("gte", Bound::GreaterOrEqual),
    ("eq", Bound::Equal),
    ("neq", Bound::NotEqual),
];

/// Letters of a timespan, in seconds. Sigma does not say how long a month and a year are.
const UNITS: &[(char, u64)] = &[
    ('s', 1),
    ('m', 60),
    ('h', 3600),
    ('d', 24 * 3600),
    ('w', 7 * 24 * 3600),
    ('M', 30 * 24 * 3600),
    ('y', 365 * 24 * 3600),
];

/// What is remembered for longer than that is no matter of a sensor.
const LONGEST: u64 = 366 * 24 * 3600;

/// The most rules of a correlation.
const MOST_RULES: usize = 64;

impl Reader<'_, '_> {
    /// The correlation under its key; `generate` stands beside it since Sigma 2.1.
    pub(super) fn correlation(
        &mut self,
        entry: &Entry,
        generate: Option<&Entry>,
    ) -> Option<Correlation> {
        let entries = self.map_of(entry, KEYS)?;
        let find = |key: &str| entries.iter().find(|inner| inner.key == key);
        let span = entry.key_span;
        let [kind, rules, timespan] =
            ["type", "rules", "timespan"].map(|key| self.required(span, entries, key));
        let rules = rules.map(|inner| self.rules(inner)).unwrap_or_default();
        let timespan = timespan.and_then(|inner| self.timespan(inner));
        let kind = kind.and_then(|inner| self.kind(inner, find("condition"), &rules));
        // After a mistake, which is told, anything stands in, so that the rest is looked at.
        let kind = kind.unwrap_or(Spanned { value: Kind::Temporal, span });
        let generate = generate.or(find("generate"));
        Some(Correlation {
            group_by: find("group-by").map(|inner| self.words(inner)).unwrap_or_default(),
            aliases: find("aliases").map(|inner| self.aliases(inner)).unwrap_or_default(),
            generate: generate.and_then(|inner| self.flag(inner)).unwrap_or(false),
            timespan: timespan.unwrap_or(Duration::from_secs(1)),
            kind,
            rules,
        })
    }

    fn rules(&mut self, entry: &Entry) -> Vec<Spanned<String>> {
        let rules = self.words(entry);
        for (index, rule) in rules.iter().enumerate() {
            if rules[..index].iter().any(|before| before.value == rule.value) {
                self.wrong::<()>(rule.span, format!("`{}` stands here twice", rule.value));
            }
        }
        if rules.is_empty() || rules.len() > MOST_RULES {
            let message = format!("a correlation is of 1 to {MOST_RULES} rules");
            self.wrong::<()>(entry.key_span, message);
        }
        rules
    }

    fn flag(&mut self, entry: &Entry) -> Option<bool> {
        match &entry.value.content {
            Content::Scalar(Scalar { meaning: Meaning::Boolean(flag), .. }) => Some(*flag),
            _ => self.wrong(entry.value.span, format!("`{}` is `true` or `false`", entry.key)),
        }
    }

    fn timespan(&mut self, entry: &Entry) -> Option<Duration> {
        let text = self.text(entry)?;
        let span = entry.value.span;
        let mut letters = text.chars();
        let unit = letters.next_back();
        let unit = UNITS.iter().find(|(letter, _)| Some(*letter) == unit);
        let number = letters.as_str();
        let (Some((_, seconds)), Ok(number)) = (unit, number.parse::<u64>()) else {
            let help = "a number and one of s, m, h, d, w, M, y, as in 5m";
            return self.wrong_with(span, format!("`{text}` is no timespan"), help);
        };
        match number.checked_mul(*seconds) {
            Some(seconds @ 1..=LONGEST) => Some(Duration::from_secs(seconds)),
            Some(0) => self.wrong(span, "nothing happens within no time"),
            _ => self.wrong(span, "a timespan is a year at the most"),
        }
    }

    fn aliases(&mut self, entry: &Entry) -> Vec<Alias> {
        let Content::Map(aliases) = &entry.value.content else {
            self.wrong::<()>(entry.key_span, "`aliases` is a map of names");
            return Vec::new();
        };
        aliases.iter().filter_map(|alias| self.alias(alias)).collect()
    }

    fn alias(&mut self, entry: &Entry) -> Option<Alias> {
        let Content::Map(fields) = &entry.value.content else {
            return self.wrong(entry.key_span, "an alias is a map of rules and their fields");
        };
        let mut of_rules = Vec::new();
        for field in fields {
            let rule = Spanned { value: field.key.clone(), span: field.key_span };
            let value = self.text(field)?;
            of_rules.push((rule, Spanned { value, span: field.value.span }));
        }
        Some(Alias { name: entry.key.clone(), fields: of_rules })
    }

    fn kind(
        &mut self,
        entry: &Entry,
        condition: Option<&Entry>,
        rules: &[Spanned<String>],
    ) -> Option<Spanned<Kind>> {
        let found = self.one_of(entry, TYPES)?;
        let value = match (found, condition) {
            (Type::Temporal, None) => Kind::Temporal,
            (Type::TemporalOrdered, None) => Kind::TemporalOrdered,
            (Type::TemporalOrdered, Some(condition)) => self.absence(condition, rules)?,
            (Type::Temporal, Some(condition)) => {
                let help = "all rules have to be found; `temporal_ordered` can ask for absence";
                return self.wrong_with(condition.key_span, "`temporal` has no condition", help);
            }
            (_, None) => {
                let message = "this type needs a `condition`";
                return self.wrong_with(entry.value.span, message, "such as `{gte: 10}`");
            }
            (Type::EventCount, Some(condition)) => {
                Kind::EventCount(self.condition_of(condition, &[])?.threshold)
            }
            (Type::ValueCount, Some(condition)) => {
                let found = self.condition_of(condition, &["field"])?;
                Kind::ValueCount(found.fields, found.threshold)
            }
            (Type::Value(aggregate), Some(condition)) => {
                let keys: &[&str] =
                    if aggregate.is_some() { &["field"] } else { &["field", "percentile"] };
                let found = self.condition_of(condition, keys)?;
                let field = self.one_field(found.fields, condition.key_span)?;
                let percentile = Aggregate::Percentile(found.percentile.unwrap_or_default());
                let aggregate = aggregate.unwrap_or(percentile);
                Kind::Value(aggregate, field, found.threshold)
            }
        };
        Some(Spanned { value, span: entry.value.span })
    }

    /// A condition with bounds, and with all of these keys besides. What is wrong in it is told and left
    /// out.
    fn condition_of(&mut self, entry: &Entry, more: &[&str]) -> Option<Found> {
        let bounds = BOUNDS.iter().map(|(name, _)| *name);
        let keys: Vec<_> = bounds.clone().chain(more.iter().copied()).collect();
        let entries = self.map_of(entry, &keys)?;
        let find = |key: &str| entries.iter().find(|inner| inner.key == key);
        for key in more {
            self.required(entry.key_span, entries, key);
        }
        let written = BOUNDS.iter().filter_map(|(name, bound)| Some((*bound, find(name)?)));
        let written: Vec<_> = written.collect();
        if written.is_empty() {
            let help = format!("one or more of {}", bounds.collect::<Vec<_>>().join(", "));
            self.wrong_with::<()>(entry.key_span, "the condition has no bound", help);
        }
        let limits = written.into_iter();
        let threshold: Vec<_> =
            limits.filter_map(|(bound, inner)| Some((bound, self.integer(inner)?))).collect();
        if is_never(&threshold) {
            self.wrong::<()>(entry.key_span, "no number is within all of these bounds");
        }
        let rank = find("percentile").and_then(|inner| Some((inner, self.integer(inner)?)));
        let percentile = rank.and_then(|(inner, rank)| match rank {
            0..=100 => Some(rank as u8),
            _ => self.wrong(inner.value.span, "a percentile is from 0 to 100"),
        });
        let fields = find("field").map(|inner| self.words(inner)).unwrap_or_default();
        Some(Found { fields, threshold: Threshold(threshold), percentile })
    }

    fn integer(&mut self, entry: &Entry) -> Option<i64> {
        match &entry.value.content {
            Content::Scalar(Scalar { meaning: Meaning::Integer(number), .. }) => Some(*number),
            _ => self.wrong(entry.value.span, format!("`{}` is a whole number", entry.key)),
        }
    }

    /// `a and not b`, with the rules in their order.
    fn absence(&mut self, entry: &Entry, rules: &[Spanned<String>]) -> Option<Kind> {
        let names: Vec<_> = rules.iter().map(|rule| rule.value.as_str()).collect();
        let form = if names.len() < 2 { "a and not b".to_owned() } else { names.join(" and not ") };
        let text = self.text(entry)?;
        let is_form = text.split_whitespace().eq(form.split_whitespace()) && names.len() > 1;
        if is_form {
            return Some(Kind::Absence);
        }
        let message =
            "the first of the rules, and then none of the others, is all that can be asked";
        self.wrong_with(entry.value.span, message, format!("`{form}`; or leave the condition out"))
    }

    /// The one field of which a number is made.
    fn one_field(
        &mut self,
        mut fields: Vec<Spanned<String>>,
        span: Span,
    ) -> Option<Spanned<String>> {
        match (fields.pop(), fields.is_empty()) {
            (Some(field), true) => Some(field),
            _ => self.wrong(span, "a number is made of one field"),
        }
    }
}

/// Whether no number is within all of these bounds; of an average it may be a fraction.
fn is_never(bounds: &[(Bound, i64)]) -> bool {
    // In halves, so that what is beyond a number has a place of its own.
    let (mut least, mut most) = (i128::MIN, i128::MAX);
    for (bound, limit) in bounds {
        let at = 2 * i128::from(*limit);
        match bound {
            Bound::Less => most = most.min(at - 1),
            Bound::LessOrEqual => most = most.min(at),
            Bound::Greater => least = least.max(at + 1),
            Bound::GreaterOrEqual => least = least.max(at),
            Bound::Equal => (least, most) = (least.max(at), most.min(at)),
            Bound::NotEqual => {}
        }
    }
    let is_refused = |limit: i128| {
        let refused = |(bound, other): &(Bound, i64)| {
            *bound == Bound::NotEqual && 2 * i128::from(*other) == limit
        };
        bounds.iter().any(refused)
    };
    least > most || least == most && is_refused(least)
}

/// What a condition has.
struct Found {
    fields: Vec<Spanned<String>>,
    threshold: Threshold,
    percentile: Option<u8>,
}
