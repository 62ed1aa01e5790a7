//! Predicates: one test of one field. Rules that ask the same share the predicate.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::rc::Rc;

use super::modifier::Part;
use super::pattern::Pattern;
use crate::event::{CONTEXT, FieldPath, Kind, Schema, Value};
use crate::json;
use crate::time::Timestamp;

/// A field of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum FieldId {
    /// Of its record, or of what all events have.
    Declared {
        /// Whether it is one of [`CONTEXT`].
        of_context: bool,
        path: FieldPath,
    },
    /// In one of the record's [documents](Schema::documents).
    InDocument {
        /// Its place there.
        document: usize,
        /// See [`Predicates::path`].
        path: usize,
    },
}

impl FieldId {
    /// Finds a field by name, in the record before the context.
    pub(super) fn resolve(schema: &'static Schema, name: &str) -> Option<Self> {
        let of_record = schema.resolve(name).map(|path| Self::Declared { of_context: false, path });
        of_record
            .or_else(|| CONTEXT.resolve(name).map(|path| Self::Declared { of_context: true, path }))
    }

    /// What values it has, in records of `schema`.
    pub(super) fn kind(self, schema: &'static Schema) -> Kind {
        let Self::Declared { of_context, path } = self else { return Kind::Any };
        let schema = if of_context { &CONTEXT } else { schema };
        let fields = match path.list {
            Some(list) => schema.lists[list as usize].element.fields,
            None => schema.fields,
        };
        fields[path.field as usize].kind
    }

    /// The list that it is in.
    pub(super) fn list(self) -> Option<u8> {
        match self {
            Self::Declared { path, .. } => path.list,
            Self::InDocument { .. } => None,
        }
    }

    /// The document that it is in.
    pub(super) fn document(self) -> Option<usize> {
        match self {
            Self::Declared { .. } => None,
            Self::InDocument { document, .. } => Some(document),
        }
    }

    /// Whether it may have more than one value in an event.
    pub(super) fn may_have_several(self) -> bool {
        self.list().is_some() || self.document().is_some()
    }
}

/// One test of one field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Predicate {
    pub(super) field: FieldId,
    pub(super) test: Test,
}

/// What is asked of a field's value. Of a list, it is asked of any member.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Test {
    /// It is there.
    Present,
    /// Its [`point`] is in one of these ranges.
    Points(Ranges<i64>),
    /// The address is in one of these ranges of its family.
    Addresses { v4: Ranges<u32>, v6: Ranges<u128> },
    /// The text is one of these.
    Texts(Vec<TextTest>),
    /// One of these topic filters, which are valid and without share, matches the topic name, or
    /// has a name in common with the topic filter.
    Topics(Vec<Box<[u8]>>),
    /// It compares so with the value of another field, which has one.
    Field { other: FieldId, how: Resemblance, cased: bool },
    /// This part of the moment is in one of these ranges.
    Part(Part, Ranges<i64>),
    /// The address, or the moment, as records show it is one of these.
    Shown(Vec<TextTest>),
}

/// How the values of two fields are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Resemblance {
    /// The one is the other.
    Equals,
    /// The one has the other in it.
    Contains,
    /// The one begins with the other.
    StartsWith,
    /// The one ends with the other.
    EndsWith,
}

/// What is asked of a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum TextTest {
    /// It matches the pattern.
    Pattern { pattern: Pattern, cased: bool },
    /// The regular expression, which is valid, is found in it.
    Regex(String),
}

impl TextTest {
    /// The regular expression that is found in what meets it.
    pub(super) fn regex(&self) -> String {
        match self {
            Self::Pattern { pattern, cased } => pattern.regex(*cased),
            Self::Regex(expression) => expression.clone(),
        }
    }
}

impl Test {
    /// Tests of different sorts are different predicates.
    pub(super) const fn sort(&self) -> u8 {
        match self {
            Self::Present => 0,
            Self::Points(_) => 1,
            Self::Addresses { .. } => 2,
            Self::Texts(_) => 3,
            Self::Topics(_) => 4,
            Self::Part(..) => 5,
            Self::Field { .. } => 6,
            Self::Shown(_) => 7,
        }
    }

    /// Whether an index answers it. Any other is asked by itself, of events on which a rule is up:
    /// it brings no rule up.
    pub(super) const fn is_indexed(&self) -> bool {
        !matches!(self, Self::Field { .. } | Self::Part(..) | Self::Shown(_))
    }

    /// The test that holds when both do; of text there is none.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Points(one), Self::Points(two)) => Some(Self::Points(one.and(two))),
            (Self::Addresses { v4, v6 }, Self::Addresses { v4: other_v4, v6: other_v6 }) => {
                Some(Self::Addresses { v4: v4.and(other_v4), v6: v6.and(other_v6) })
            }
            (Self::Part(part, one), Self::Part(other, two)) if part == other => {
                Some(Self::Part(*part, one.and(two)))
            }
            _ => None,
        }
    }

    /// Whether no value meets it.
    pub(super) fn is_never(&self) -> bool {
        match self {
            Self::Points(ranges) | Self::Part(_, ranges) => ranges.iter().next().is_none(),
            Self::Addresses { v4, v6 } => v4.iter().next().is_none() && v6.iter().next().is_none(),
            _ => false,
        }
    }

    /// Tests that hold when any of these, which are of one sort, does.
    pub(super) fn any_of_sort(tests: Vec<Self>) -> Vec<Self> {
        match tests[..] {
            // Each is with another field.
            [Self::Field { .. }, ..] => tests,
            _ => vec![Self::any(tests)],
        }
    }

    /// The test that holds when any of these, which are of one sort, does.
    fn any(tests: Vec<Self>) -> Self {
        let (mut points, mut v4s, mut v6s) = (vec![], vec![], vec![]);
        let (mut texts, mut topics, mut of_part) = (vec![], vec![], None);
        for test in tests {
            match test {
                field @ Self::Field { .. } => return field,
                // Keywords make one of all words at once.
                shown @ Self::Shown(_) => return shown,
                Self::Present => return Self::Present,
                Self::Points(ranges) => points.push(ranges),
                Self::Addresses { v4, v6 } => {
                    v4s.push(v4);
                    v6s.push(v6);
                }
                Self::Texts(more) => texts.extend(more),
                Self::Topics(more) => topics.extend(more),
                Self::Part(part, ranges) => {
                    of_part = Some(part);
                    points.push(ranges);
                }
            }
        }
        if !topics.is_empty() {
            topics.sort_unstable();
            topics.dedup();
            return Self::Topics(topics);
        }
        if !texts.is_empty() {
            texts.sort_unstable();
            texts.dedup();
            return Self::Texts(texts);
        }
        if !v4s.is_empty() {
            return Self::Addresses { v4: Ranges::any(v4s), v6: Ranges::any(v6s) };
        }
        match of_part {
            Some(part) => Self::Part(part, Ranges::any(points)),
            None => Self::Points(Ranges::any(points)),
        }
    }
}

/// Inclusive ranges, ascending, apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Ranges<K>(Vec<(K, K)>);

impl<K: Copy + Ord> Ranges<K> {
    /// One range; none if `from` is above `to`.
    pub(super) fn new(from: K, to: K) -> Self {
        Self(if from <= to { vec![(from, to)] } else { Vec::new() })
    }

    /// One point.
    pub(super) fn point(at: K) -> Self {
        Self(vec![(at, at)])
    }

    /// The points that are in any of these.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let mut all: Vec<(K, K)> = parts.into_iter().flat_map(|part| part.0).collect();
        all.sort_unstable();
        let mut joined: Vec<(K, K)> = Vec::with_capacity(all.len());
        for (from, to) in all {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        Self(joined)
    }

    /// The points that are in both.
    pub(super) fn and(&self, other: &Self) -> Self {
        let pairs = self.0.iter().flat_map(|one| other.0.iter().map(move |two| (one, two)));
        let both = pairs.map(|(one, two)| (one.0.max(two.0), one.1.min(two.1)));
        Self(both.filter(|(from, to)| from <= to).collect())
    }

    /// Whether the point is in one of them.
    pub(super) fn has(&self, point: K) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&point))
    }

    /// First and last of each range.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, K)> + '_ {
        self.0.iter().copied()
    }
}

/// Where the value stands on the number line of its kind: codes and flags by their number, whole
/// numbers as they are, moments by [`time_point`], numbers that may be fractions by [`number_point`]. `None` for values that
/// equal nothing and are on no side of anything.
#[inline]
pub(super) fn point(value: Value<'_>, fractions: bool) -> Option<i64> {
    if fractions {
        return match value {
            Value::Boolean(flag) => Some(flag_point(flag)),
            Value::Integer(number) => number_point(number as f64),
            Value::Single(number) => number_point(shortest(number)),
            Value::Double(number) => number_point(number),
            _ => None,
        };
    }
    match value {
        Value::Code(code) => Some(code.into()),
        Value::Integer(number) => Some(number),
        Value::Boolean(flag) => Some(flag.into()),
        Value::Time(time) => Some(time_point(time)),
        _ => None,
    }
}

/// Microseconds since the epoch, which is what records write: a rule sees the same moment here and
/// where the records are searched.
#[inline]
pub(super) const fn time_point(time: Timestamp) -> i64 {
    (time.as_nanos() / 1000) as i64
}

/// A whole number of this order has ever the same order among floating point numbers: IEEE 754
/// total order, with one zero. NaN has no place.
pub(super) fn number_point(number: f64) -> Option<i64> {
    if number.is_nan() {
        return None;
    }
    let bits = (number + 0.0).to_bits() as i64;
    Some(bits ^ (((bits >> 63) as u64) >> 1) as i64)
}

/// Flags of a field that also has numbers stand where NaN would, away from every number: the
/// value `true` is not the value 1.
pub(super) const fn flag_point(flag: bool) -> i64 {
    i64::MAX - 1 + flag as i64
}

/// The number that the shortest decimal stands for which reads back to the same bits; what is
/// written in the record.
fn shortest(number: f32) -> f64 {
    let wide = f64::from(number);
    // Whole numbers below 2^24 are their own shortest decimal.
    if wide.fract() == 0.0 && wide.abs() < 16_777_216.0 || !wide.is_finite() {
        return wide;
    }
    ryu::Buffer::new().format_finite(number).parse().unwrap_or(wide)
}

/// An address as a point of its family.
#[derive(Debug, Clone, Copy)]
pub(super) enum AddressPoint {
    V4(u32),
    V6(u128),
}

impl From<IpAddr> for AddressPoint {
    #[inline]
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6(address.to_bits()),
        }
    }
}

/// Identifies a predicate of a service.
pub(super) type PredicateId = u32;

/// The predicates of a service, each once.
#[derive(Debug, Default)]
pub(super) struct Predicates {
    ids: HashMap<Rc<Predicate>, PredicateId>,
    all: Vec<Rc<Predicate>>,
    paths: Vec<json::Path>,
    path_numbers: HashMap<json::Path, usize>,
}

impl Predicates {
    /// The identifier of this predicate, the same for the same predicate.
    pub(super) fn id(&mut self, predicate: Predicate) -> PredicateId {
        if let Some(id) = self.ids.get(&predicate) {
            return *id;
        }
        let (id, predicate) = (self.all.len() as PredicateId, Rc::new(predicate));
        self.all.push(Rc::clone(&predicate));
        self.ids.insert(predicate, id);
        id
    }

    /// The number of a path into a document, the same for the same path.
    pub(super) fn number_of(&mut self, path: json::Path) -> usize {
        if let Some(number) = self.path_numbers.get(&path) {
            return *number;
        }
        self.path_numbers.insert(path.clone(), self.paths.len());
        self.paths.push(path);
        self.paths.len() - 1
    }

    /// The path with this number.
    pub(super) fn path(&self, number: usize) -> &json::Path {
        &self.paths[number]
    }

    /// The predicate with this identifier.
    pub(super) fn get(&self, id: PredicateId) -> &Predicate {
        &self.all[id as usize]
    }

    /// All predicates, by identifier.
    pub(super) fn all(&self) -> &[Rc<Predicate>] {
        &self.all
    }
}

/// A condition over predicates. Negations stand at predicates only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// The predicate holds.
    Holds(PredicateId),
    /// It does not.
    Fails(PredicateId),
    /// At least so many of these hold: "and" with all of them, "or" with one.
    AtLeast(usize, Vec<Expression>),
}

impl Expression {
    /// All of these hold.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::AtLeast(needed, inner) if needed == inner.len() => flat.extend(inner),
                other => flat.push(other),
            }
        }
        Self::only_or(flat.len(), flat)
    }

    /// Any of these holds.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::AtLeast(1, inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        Self::only_or(1, flat)
    }

    /// At least so many of these hold.
    pub(super) fn at_least(needed: usize, parts: Vec<Self>) -> Self {
        match needed {
            1 => Self::any(parts),
            _ if needed == parts.len() => Self::all(parts),
            _ => Self::AtLeast(needed, parts),
        }
    }

    fn only_or(needed: usize, mut parts: Vec<Self>) -> Self {
        if parts.len() == 1 { parts.remove(0) } else { Self::AtLeast(needed, parts) }
    }

    /// This does not hold: of n parts fewer than k hold when n − k + 1 fail.
    #[must_use]
    pub(super) fn negated(self) -> Self {
        match self {
            Self::Holds(id) => Self::Fails(id),
            Self::Fails(id) => Self::Holds(id),
            Self::AtLeast(needed, parts) => {
                let enough = parts.len() - needed + 1;
                Self::at_least(enough, parts.into_iter().map(Self::negated).collect())
            }
        }
    }

    /// How many predicates it names.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Holds(_) | Self::Fails(_) => 1,
            Self::AtLeast(_, parts) => parts.iter().map(Self::size).sum(),
        }
    }

    /// Whether each predicate that it names is such a one.
    pub(super) fn all_are(&self, is_such: &impl Fn(PredicateId) -> bool) -> bool {
        match self {
            Self::Holds(id) | Self::Fails(id) => is_such(*id),
            Self::AtLeast(_, parts) => parts.iter().all(|part| part.all_are(is_such)),
        }
    }

    /// Shows each predicate that it names.
    pub(super) fn each(&mut self, visit: &mut impl FnMut(&mut PredicateId)) {
        match self {
            Self::Holds(id) | Self::Fails(id) => visit(id),
            Self::AtLeast(_, parts) => {
                for part in parts {
                    part.each(visit);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_order_as_points() {
        let ascending = [f64::NEG_INFINITY, -1e300, -1.5, -0.0, 0.1, 1.0, 1e300, f64::INFINITY]
            .map(number_point);
        assert!(ascending.windows(2).all(|pair| pair[0] < pair[1]), "{ascending:?}");
        assert_eq!(number_point(-0.0), number_point(0.0));
        assert_eq!(number_point(f64::NAN), None);
        assert!(number_point(f64::INFINITY) < Some(flag_point(false)));
    }

    #[test]
    fn singles_are_their_shortest_decimal() {
        assert_eq!(point(Value::Single(0.1), true), number_point(0.1));
        assert_eq!(point(Value::Single(16.0), true), number_point(16.0));
        assert_eq!(point(Value::Single(3.4e38), true), number_point(3.4e38));
        assert_ne!(point(Value::Boolean(true), true), point(Value::Integer(1), true));
    }

    #[test]
    fn ranges_join() {
        let joined = Ranges::any(vec![Ranges::new(5, 9), Ranges::point(1), Ranges::new(8, 12)]);
        assert_eq!(joined.iter().collect::<Vec<_>>(), [(1, 1), (5, 12)]);
        assert_eq!(Ranges::new(2, 1).iter().count(), 0);
    }

    #[test]
    fn negation_counts_the_other_way() {
        let parts = || (0..3).map(Expression::Holds).collect();
        let not = |expression: Expression| expression.negated();
        assert_eq!(not(Expression::AtLeast(2, parts())).negated(), Expression::AtLeast(2, parts()));
        let fails = (0..3).map(Expression::Fails).collect();
        assert_eq!(not(Expression::all(parts())), Expression::any(fails));
    }
}
