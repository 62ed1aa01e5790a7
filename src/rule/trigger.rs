//! Which predicates bring a rule up.
//!
//! A rule's *cover* is a set of predicates of which at least one holds whenever the rule does. Of
//! a conjunction any part's cover is one, so the rarest is taken; of a disjunction it is that of
//! all parts together. What only says that something fails has no cover, nor has a test that no
//! index answers: a rule of nothing else is looked at for every event.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::pattern::Shape;
use super::predicate::{Expression, FieldId, Predicate, PredicateId, Test, TextTest, flag_point};
use crate::event::{Kind, Schema};

/// Predicates that bring a rule up, and how often they will.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cover {
    pub(super) predicates: Vec<PredicateId>,
    cost: f64,
}

/// What brings a rule up by a field in a document costs more than what always does.
const DECODED: f64 = 2.0;

/// How often each predicate will hold: a guess from what the rules themselves ask. A field of
/// which they name many values has many, and each of them is rare.
#[derive(Debug)]
pub(super) struct Rarity {
    /// `None` for those that bring nothing up.
    shares: Vec<Option<f64>>,
}

impl Rarity {
    pub(super) fn new(schema: &'static Schema, predicates: &[Rc<Predicate>]) -> Self {
        let mut named: HashMap<FieldId, HashSet<(i64, i64)>> = HashMap::new();
        for predicate in predicates {
            if let Test::Points(ranges) = &predicate.test {
                named.entry(predicate.field).or_default().extend(ranges.iter());
            }
        }
        let share = |predicate: &Rc<Predicate>| {
            if !predicate.test.is_indexed() {
                return None;
            }
            let known = named.get(&predicate.field).map_or(0, HashSet::len);
            // Any of several members may meet the predicate.
            let members = if predicate.field.list().is_some() { 3.0 } else { 1.0 };
            // It takes a look into a document, which is worth it only if all else holds.
            if predicate.field.document().is_some() {
                return Some(DECODED);
            }
            Some((members * share(predicate, predicate.field.kind(schema), known)).min(1.0))
        };
        Self { shares: predicates.iter().map(share).collect() }
    }

    /// The cheapest cover of an expression, if it has one.
    pub(super) fn cover(&self, expression: &Expression) -> Option<Cover> {
        match expression {
            Expression::Holds(id) => {
                let cost = self.shares[*id as usize]?;
                Some(Cover { predicates: vec![*id], cost })
            }
            Expression::Fails(_) => None,
            Expression::AtLeast(needed, parts) => self.cover_of(*needed, parts),
        }
    }

    /// When k of n parts hold, one of any n − k + 1 does: take those that are cheapest.
    fn cover_of(&self, needed: usize, parts: &[Expression]) -> Option<Cover> {
        let mut covers: Vec<Cover> = parts.iter().filter_map(|part| self.cover(part)).collect();
        let enough = parts.len() + 1 - needed;
        if covers.len() < enough {
            return None;
        }
        covers.sort_by(|one, two| one.cost.total_cmp(&two.cost));
        covers.truncate(enough);
        let cost = covers.iter().map(|cover| cover.cost).sum();
        let predicates = covers.into_iter().flat_map(|cover| cover.predicates).collect();
        Some(Cover { predicates, cost })
    }
}

fn share(predicate: &Predicate, kind: Kind, known: usize) -> f64 {
    match (&predicate.test, kind) {
        (Test::Present | Test::Field { .. } | Test::Part(..) | Test::Shown(_), _) => 0.9,
        // Flags mark what is out of the ordinary: quality, test, retained, refused.
        (Test::Points(ranges), Kind::Boolean) => {
            if ranges.has(flag_point(false)) {
                0.6
            } else {
                0.05
            }
        }
        (Test::Points(ranges), kind) => {
            let values = match kind {
                Kind::Name(names) => names.iter().filter(|name| !name.is_empty()).count(),
                Kind::Range(least, most) => most.abs_diff(least).saturating_add(1) as usize,
                _ => usize::MAX,
            };
            let each = 1.0 / (known + 2).min(values) as f64;
            let width = |from: i64, to: i64| to.saturating_sub(from).saturating_add(1) as f64;
            ranges.iter().map(|(from, to)| (each * width(from, to)).min(each.max(0.3))).sum()
        }
        (Test::Addresses { v4, v6 }, _) => {
            let of = |bits: u32| if bits == 0 { 0.01 } else { 0.01 + 0.3 * f64::from(bits) / 32.0 };
            let v4: f64 =
                v4.iter().map(|(from, to)| of((to - from).checked_ilog2().unwrap_or(0))).sum();
            let v6: f64 =
                v6.iter().map(|(from, to)| of((to - from).checked_ilog2().unwrap_or(0) / 4)).sum();
            v4 + v6
        }
        (Test::Texts(texts), _) => texts.iter().map(text_share).sum(),
        (Test::Topics(filters), _) => filters.iter().map(|filter| topic_share(filter)).sum(),
    }
}

fn topic_share(filter: &[u8]) -> f64 {
    let named = filter.iter().filter(|octet| !b"+#/".contains(octet)).count();
    0.02 + 0.8 / (1 + named) as f64
}

fn text_share(text: &TextTest) -> f64 {
    match text {
        TextTest::Regex(_) => 0.2,
        TextTest::Pattern { pattern, .. } => match pattern.shape() {
            Shape::Anything => 0.9,
            Shape::Exact(_) => 0.01,
            Shape::Prefix(text) | Shape::Suffix(text) | Shape::Contains(text) => {
                0.02 + 0.2 / (1 + text.len()) as f64
            }
            Shape::Mixed => 0.1,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rarity() -> Rarity {
        Rarity { shares: vec![Some(0.1), Some(0.2), Some(0.3), Some(0.4), None] }
    }

    fn cover(expression: &Expression) -> Option<Vec<PredicateId>> {
        rarity().cover(expression).map(|cover| cover.predicates)
    }

    #[test]
    fn the_rarest_part_covers_a_conjunction() {
        let all =
            Expression::all(vec![Expression::Fails(0), Expression::Holds(3), Expression::Holds(1)]);
        assert_eq!(cover(&all), Some(vec![1]));
    }

    #[test]
    fn what_has_no_index_covers_nothing() {
        assert_eq!(cover(&Expression::Holds(4)), None);
        let all = Expression::all(vec![Expression::Holds(4), Expression::Holds(3)]);
        assert_eq!(cover(&all), Some(vec![3]));
    }

    #[test]
    fn all_parts_cover_a_disjunction() {
        let any = |last| Expression::any(vec![Expression::Holds(0), last]);
        assert_eq!(cover(&any(Expression::Holds(2))), Some(vec![0, 2]));
        assert_eq!(cover(&any(Expression::Fails(2))), None);
    }

    #[test]
    fn two_of_three_need_two_in_the_cover() {
        let parts = vec![Expression::Holds(3), Expression::Holds(0), Expression::Holds(2)];
        assert_eq!(cover(&Expression::at_least(2, parts)), Some(vec![0, 2]));
    }
}
