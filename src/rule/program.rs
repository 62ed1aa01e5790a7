//! Conditions in a flat form, evaluated over the bits of the truth.
//!
//! Predicates that must all hold, or all fail, and share a word of the truth are one comparison;
//! most rules are two or three of them.

use super::predicate::Expression;

/// The conditions of a service's rules, one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Programs {
    steps: Vec<Step>,
    /// First and last step of each rule.
    rules: Vec<(u32, u32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The bits of `mask` in this word are as in `wanted`.
    Bits { word: u32, mask: u64, wanted: u64 },
    /// Of the next `length` steps, which are whole parts, at least so many hold.
    AtLeast { needed: u32, length: u32 },
}

impl Programs {
    /// Appends a rule's condition.
    pub(super) fn add(&mut self, condition: &Expression) {
        let first = self.steps.len() as u32;
        match condition {
            Expression::AtLeast(needed, parts) if *needed == parts.len() => {
                conjunction(parts, &mut self.steps);
            }
            other => step(other, &mut self.steps),
        }
        self.rules.push((first, self.steps.len() as u32));
    }

    /// Whether the rule's condition holds over these bits.
    #[inline]
    pub(super) fn holds(&self, rule: u32, bits: &[u64]) -> bool {
        let mut steps = self.of(rule);
        while let Some((holds, rest)) = evaluate(steps, bits) {
            if !holds {
                return false;
            }
            steps = rest;
        }
        true
    }

    /// Whether it may hold while only the words below `known` are. What must hold of them stands
    /// first.
    #[inline]
    pub(super) fn may_hold(&self, rule: u32, bits: &[u64], known: u32) -> bool {
        for step in self.of(rule) {
            match *step {
                Step::Bits { word, mask, wanted } if word < known => {
                    if bits[word as usize] & mask != wanted {
                        return false;
                    }
                }
                _ => return true,
            }
        }
        true
    }

    fn of(&self, rule: u32) -> &[Step] {
        let (first, last) = self.rules[rule as usize];
        &self.steps[first as usize..last as usize]
    }
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
                conjunction(parts, steps)
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
fn conjunction(parts: &[Expression], steps: &mut Vec<Step>) -> usize {
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
        ) {
            let mut programs = Programs::default();
            programs.add(&expression);
            programs.add(&expression.clone().negated());
            let held: Vec<u32> = (0..200).filter(|id| holding[*id as usize]).collect();
            let triggers = vec![Vec::new(); 200];
            let mut classes = ClassBuilder::new(&triggers);
            let class = classes.of(&held);
            let mut truth = Truth::new(200, 2);
            truth.begin();
            truth.apply(&classes.finish(), class);
            prop_assert_eq!(programs.holds(0, truth.bits()), naive(&expression, &holding));
            prop_assert_eq!(programs.holds(1, truth.bits()), !naive(&expression, &holding));
            // Rules are let go only when nothing to come can save them.
            for known in 0..4 {
                prop_assert!(programs.may_hold(0, truth.bits(), known) || !naive(&expression, &holding));
            }
        }
    }
}
