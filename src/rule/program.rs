//! Conditions in a flat form, evaluated over the bits of the truth.
//!
//! Predicates that must all hold, or all fail, and share a word of the truth are one comparison;
//! most rules are two or three of them.

use super::predicate::Expression;

/// The conditions of a service's rules, one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Programs {
    steps: Vec<Step>,
    rules: Vec<Program>,
}

/// The steps of a rule. All parts must hold: first come those that ask for known words only.
#[derive(Debug, Clone, Copy)]
struct Program {
    first: u32,
    unknown: u32,
    end: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The bits of `mask` in this word are as in `wanted`.
    Bits { word: u32, mask: u64, wanted: u64 },
    /// Of the next `length` steps, which are whole parts, at least so many hold.
    AtLeast { needed: u32, length: u32 },
}

impl Programs {
    /// Appends a rule's condition. The words below `known` are known before the others.
    pub(super) fn add(&mut self, condition: &Expression, known: u32) {
        let parts = match condition {
            Expression::AtLeast(needed, parts) if *needed == parts.len() => parts,
            other => std::slice::from_ref(other),
        };
        let is_known = |part: &&Expression| part.all_are(&|id| id / 64 < known);
        let (early, late): (Vec<_>, Vec<_>) = parts.iter().partition(is_known);
        let first = self.steps.len() as u32;
        conjunction(&early, &mut self.steps);
        let unknown = self.steps.len() as u32;
        conjunction(&late, &mut self.steps);
        self.rules.push(Program { first, unknown, end: self.steps.len() as u32 });
    }

    /// Whether the rule's condition may hold, as far as the known words tell.
    #[inline]
    pub(super) fn may_hold(&self, rule: u32, bits: &[u64]) -> bool {
        let Program { first, unknown, .. } = self.rules[rule as usize];
        all_hold(&self.steps[first as usize..unknown as usize], bits)
    }

    /// Whether one that [may hold](Self::may_hold) does, now that the other words are known.
    #[inline]
    pub(super) fn holds(&self, rule: u32, bits: &[u64]) -> bool {
        let Program { unknown, end, .. } = self.rules[rule as usize];
        all_hold(&self.steps[unknown as usize..end as usize], bits)
    }
}

#[inline]
fn all_hold(mut steps: &[Step], bits: &[u64]) -> bool {
    while let Some((holds, rest)) = evaluate(steps, bits) {
        if !holds {
            return false;
        }
        steps = rest;
    }
    true
}

/// Whether the first part holds, and the steps after it.
#[inline]
fn evaluate<'s>(steps: &'s [Step], bits: &[u64]) -> Option<(bool, &'s [Step])> {
    let (first, rest) = steps.split_first()?;
    Some(match *first {
        Step::Bits { word, mask, wanted } => (bits[word as usize] & mask == wanted, rest),
        Step::AtLeast { needed, length } => {
            let (parts, rest) = rest.split_at(length as usize);
            (at_least(needed, parts, bits), rest)
        }
    })
}

fn at_least(mut needed: u32, mut parts: &[Step], bits: &[u64]) -> bool {
    while needed > 0 {
        let Some((holds, rest)) = evaluate(parts, bits) else { return false };
        needed -= u32::from(holds);
        parts = rest;
    }
    true
}

fn step(expression: &Expression, steps: &mut Vec<Step>) {
    match expression {
        Expression::Holds(id) => {
            steps.push(Step::Bits { word: id / 64, mask: 1 << (id % 64), wanted: 1 << (id % 64) });
        }
        Expression::Fails(id) => {
            steps.push(Step::Bits { word: id / 64, mask: 1 << (id % 64), wanted: 0 });
        }
        Expression::AtLeast(needed, parts) => {
            let head = steps.len();
            steps.push(Step::AtLeast { needed: *needed as u32, length: 0 });
            let needed = if *needed == parts.len() {
                conjunction(&parts.iter().collect::<Vec<_>>(), steps)
            } else {
                for part in parts {
                    step(part, steps);
                }
                *needed
            };
            let length = (steps.len() - head - 1) as u32;
            steps[head] = Step::AtLeast { needed: needed as u32, length };
        }
    }
}

/// Appends parts that must all hold, those of one word together; how many they became.
fn conjunction(parts: &[&Expression], steps: &mut Vec<Step>) -> usize {
    let mut words: Vec<(u32, u64, u64)> = Vec::new();
    let mut count = 0;
    let mut literals: Vec<(u32, bool)> = parts
        .iter()
        .filter_map(|part| match part {
            Expression::Holds(id) => Some((*id, true)),
            Expression::Fails(id) => Some((*id, false)),
            Expression::AtLeast(..) => None,
        })
        .collect();
    literals.sort_unstable();
    literals.dedup();
    for (id, holds) in literals {
        let (word, bit) = (id / 64, 1 << (id % 64));
        let wanted = if holds { bit } else { 0 };
        match words.last_mut() {
            // The same predicate both ways contradicts itself: it stays a step that never holds.
            Some((last, mask, bits)) if *last == word && *mask & bit == 0 => {
                *mask |= bit;
                *bits |= wanted;
            }
            _ => words.push((word, bit, wanted)),
        }
    }
    for (word, mask, wanted) in words {
        steps.push(Step::Bits { word, mask, wanted });
        count += 1;
    }
    for part in parts.iter().filter(|part| matches!(part, Expression::AtLeast(..))) {
        step(part, steps);
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rule::truth::{ClassBuilder, Truth};

    fn naive(expression: &Expression, holding: &[bool]) -> bool {
        match expression {
            Expression::Holds(id) => holding[*id as usize],
            Expression::Fails(id) => !holding[*id as usize],
            Expression::AtLeast(needed, parts) => {
                parts.iter().filter(|part| naive(part, holding)).count() >= *needed
            }
        }
    }

    fn expressions() -> impl Strategy<Value = Expression> {
        let leaf = prop_oneof![
            (0..200_u32).prop_map(Expression::Holds),
            (0..200_u32).prop_map(Expression::Fails),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            (prop::collection::vec(inner, 1..5), any::<prop::sample::Index>()).prop_map(
                |(parts, needed)| Expression::at_least(1 + needed.index(parts.len()), parts),
            )
        })
    }

    proptest! {
        #[test]
        fn programs_mean_what_expressions_mean(
            expression in expressions(),
            holding in prop::collection::vec(any::<bool>(), 200),
            known in 0..4_u32,
        ) {
            let mut programs = Programs::default();
            programs.add(&expression, known);
            programs.add(&expression.clone().negated(), known);
            let held: Vec<u32> = (0..200).filter(|id| holding[*id as usize]).collect();
            let mut classes = ClassBuilder::new(vec![Vec::new(); 200], 4);
            let class = classes.of(&held);
            let mut truth = Truth::new(4, 4..4);
            truth.begin();
            truth.apply(&classes.finish(), class);
            let bits = truth.bits();
            let holds = |rule| programs.may_hold(rule, bits) && programs.holds(rule, bits);
            prop_assert_eq!(holds(0), naive(&expression, &holding));
            prop_assert_eq!(holds(1), !naive(&expression, &holding));
        }
    }
}
