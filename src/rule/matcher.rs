//! Which rules hold for an event.

use std::sync::Arc;

use super::index::{FieldIndex, Questions, Scratch};
use super::predicate::{Expression, FieldId, Predicates};
use super::program::Programs;
use super::trigger::Rarity;
use super::truth::{Classes, Truth};
use super::{Rule, RuleSet};
use crate::event::{Event, Record, Schema};

/// All rules about records of one type, ready to be matched.
#[derive(Debug, Clone)]
pub(super) struct Service {
    schema: &'static Schema,
    /// [`Rule::index`] by number in this service, ascending.
    rules: Vec<usize>,
    programs: Programs,
    classes: Classes,
    /// Fields that bring rules up.
    triggering: Fields,
    /// Fields that only conditions of rules ask for: read once a rule is up.
    confirming: Fields,
    /// Rules that nothing brings up: looked at for every event.
    always: Vec<u32>,
    predicates: usize,
}

/// Indexes of some fields.
#[derive(Debug, Clone, Default)]
struct Fields {
    /// Plain fields: whether of the context, and the index in its table.
    plain: Vec<(bool, usize, FieldIndex)>,
    /// Lists: whether of the context, and the index in its table; then the members' fields.
    lists: Vec<(bool, usize, Vec<(usize, FieldIndex)>)>,
}

impl Service {
    /// Compiles rules, given by index and condition.
    pub(super) fn new(
        schema: &'static Schema,
        predicates: Predicates,
        mut rules: Vec<(usize, Expression)>,
    ) -> Self {
        let (predicates, places) = predicates.in_order();
        rules.iter_mut().for_each(|(_, condition)| condition.renumber(&places));
        let rarity = Rarity::new(schema, &predicates);
        let mut triggers = vec![Vec::new(); predicates.len()];
        let mut always = Vec::new();
        let mut programs = Programs::default();
        for (number, (_, condition)) in (0..).zip(&rules) {
            programs.add(condition);
            match rarity.cover(condition) {
                Some(cover) => {
                    cover.predicates.iter().for_each(|id| triggers[*id as usize].push(number));
                }
                None => always.push(number),
            }
        }
        let mut classes = Classes::default();
        let (mut triggering, mut confirming) = (Fields::default(), Fields::default());
        let mut from = 0;
        for of_field in predicates.chunk_by(|one, two| one.field == two.field) {
            let field = of_field[0].field;
            let to = from + of_field.len();
            let range = (from as u32, to as u32);
            let questions = Questions { predicates: &predicates, range, triggers: &triggers };
            let index = FieldIndex::new(field.kind(schema), questions, &mut classes);
            let brings_up = triggers[from..to].iter().any(|rules| !rules.is_empty());
            if brings_up { &mut triggering } else { &mut confirming }.add(field, index);
            from = to;
        }
        Self {
            schema,
            rules: rules.into_iter().map(|(index, _)| index).collect(),
            programs,
            classes,
            triggering,
            confirming,
            always,
            predicates: predicates.len(),
        }
    }

    fn matches(&self, event: &Event<'_>, state: &mut State, hit: &mut dyn FnMut(usize)) {
        let State { truth, scratch } = state;
        truth.begin();
        self.always.iter().for_each(|rule| truth.consider(*rule));
        self.triggering.look_up(event, &self.classes, truth, scratch);
        if truth.is_quiet() {
            return;
        }
        self.confirming.look_up(event, &self.classes, truth, scratch);
        truth.order_candidates();
        for &rule in truth.candidates() {
            if self.programs.holds(rule, truth) {
                hit(self.rules[rule as usize]);
            }
        }
    }
}

impl Fields {
    fn add(&mut self, field: FieldId, index: FieldIndex) {
        let place = usize::from(field.path.field);
        let Some(list) = field.path.list.map(usize::from) else {
            self.plain.push((field.of_context, place, index));
            return;
        };
        let known =
            self.lists.iter_mut().find(|known| (known.0, known.1) == (field.of_context, list));
        match known {
            Some((_, _, members)) => members.push((place, index)),
            None => self.lists.push((field.of_context, list, vec![(place, index)])),
        }
    }

    #[inline]
    fn look_up(
        &self,
        event: &Event<'_>,
        classes: &Classes,
        truth: &mut Truth,
        scratch: &mut Scratch,
    ) {
        for (of_context, place, index) in &self.plain {
            let value =
                if *of_context { event.context.value(*place) } else { event.record.value(*place) };
            index.look_up(value, classes, truth, scratch);
        }
        for (of_context, list, members) in &self.lists {
            let record: &dyn Record = if *of_context { event.context } else { event.record };
            record.each(*list, &mut |member| {
                for (place, index) in members {
                    index.look_up(member.value(*place), classes, truth, scratch);
                }
            });
        }
    }
}

/// What a service keeps between events.
#[derive(Debug, Clone, Default)]
struct State {
    truth: Truth,
    scratch: Scratch,
}

/// Matches events against a set of rules. Holds what one thread needs; the compiled rules are
/// shared.
#[derive(Debug)]
pub struct Matcher {
    set: Arc<RuleSet>,
    /// By service of the set.
    states: Vec<State>,
}

impl Matcher {
    /// A matcher over a set of rules.
    pub fn new(set: Arc<RuleSet>) -> Self {
        let state = |service: &Service| State {
            truth: Truth::new(service.predicates, service.rules.len()),
            scratch: Scratch::default(),
        };
        let states = set.services.iter().map(state).collect();
        Self { set, states }
    }

    /// The rules it matches.
    pub fn rules(&self) -> &RuleSet {
        &self.set
    }

    /// Whether any rule in force looks at records of this type.
    pub fn reads(&self, schema: &'static Schema) -> bool {
        self.place(schema).is_some()
    }

    /// Calls `hit` for each rule that holds for `event`, in the order of the set.
    #[inline]
    pub fn matches(&mut self, event: &Event<'_>, hit: &mut dyn FnMut(&Rule)) {
        let Some(place) = self.place(event.record.schema()) else { return };
        let rules = &self.set.rules;
        self.set.services[place]
            .matches(event, &mut self.states[place], &mut |index| hit(&rules[index]));
    }

    #[inline]
    fn place(&self, schema: &'static Schema) -> Option<usize> {
        self.set.services.iter().position(|service| std::ptr::eq(service.schema, schema))
    }
}
