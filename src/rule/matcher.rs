//! Which rules hold for an event.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use super::index::{FieldIndex, Question, Scratch};
use super::predicate::{Expression, FieldId, Predicate, PredicateId, Predicates};
use super::program::Programs;
use super::trigger::Rarity;
use super::truth::{ClassBuilder, Classes, Truth};
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
    /// Fields that bring rules up. Their predicates are the first words of the truth.
    triggering: Fields,
    /// How many words these are.
    known: u32,
    /// Fields that only conditions of rules ask for: read once a rule is up.
    confirming: Fields,
    /// Rules that nothing brings up: looked at for every event.
    always: Vec<u32>,
    /// Bits of the truth.
    bits: usize,
}

/// Indexes of some fields.
#[derive(Debug, Clone, Default)]
struct Fields {
    plain: Vec<PlainField>,
    lists: Vec<ListFields>,
}

#[derive(Debug, Clone)]
struct PlainField {
    of_context: bool,
    place: usize,
    index: FieldIndex,
}

#[derive(Debug, Clone)]
struct ListFields {
    of_context: bool,
    place: usize,
    /// Fields of the members: place and index.
    members: Vec<(usize, FieldIndex)>,
}

impl Service {
    /// Compiles rules, given by index and condition.
    pub(super) fn new(
        schema: &'static Schema,
        predicates: &Predicates,
        mut rules: Vec<(usize, Expression)>,
    ) -> Self {
        let predicates = predicates.all();
        let rarity = Rarity::new(schema, predicates);
        let mut brought_up = vec![Vec::new(); predicates.len()];
        let mut always = Vec::new();
        for (number, (_, condition)) in (0..).zip(&rules) {
            match rarity.cover(condition) {
                Some(cover) => {
                    for id in cover.predicates {
                        brought_up[id as usize].push(number);
                    }
                }
                None => always.push(number),
            }
        }
        let mut used = vec![false; predicates.len()];
        for (_, condition) in &mut rules {
            condition.each(&mut |id| used[*id as usize] = true);
        }
        let layout = Layout::new(predicates, &used, &brought_up);
        let mut programs = Programs::default();
        for (_, condition) in &mut rules {
            condition.each(&mut |id| *id = layout.places[*id as usize]);
            programs.add(condition);
        }
        let mut triggers = vec![Vec::new(); layout.bits];
        for id in &layout.order {
            let rules = std::mem::take(&mut brought_up[*id as usize]);
            triggers[layout.places[*id as usize] as usize] = rules;
        }
        let mut classes = ClassBuilder::new(&triggers);
        let (mut triggering, mut confirming) = (Fields::default(), Fields::default());
        let field_of = |id: &PredicateId| predicates[*id as usize].field;
        for ids in layout.order.chunk_by(|one, two| field_of(one) == field_of(two)) {
            let question = |id: &PredicateId| Question {
                id: layout.places[*id as usize],
                test: &predicates[*id as usize].test,
            };
            let questions: Vec<_> = ids.iter().map(question).collect();
            let field = field_of(&ids[0]);
            let index = FieldIndex::new(field.kind(schema), &questions, &mut classes);
            let brings_up = questions[0].id < layout.known * 64;
            if brings_up { &mut triggering } else { &mut confirming }.add(field, index);
        }
        Self {
            schema,
            rules: rules.into_iter().map(|(index, _)| index).collect(),
            programs,
            classes: classes.finish(),
            triggering,
            known: layout.known,
            confirming,
            always,
            bits: layout.bits,
        }
    }

    fn matches(&self, event: &Event<'_>, state: &mut State, hit: &mut dyn FnMut(usize)) {
        let State { truth, scratch } = state;
        truth.begin();
        for rule in &self.always {
            truth.consider(*rule);
        }
        self.triggering.look_up(event, &self.classes, truth, scratch);
        if !truth.keep(|rule, bits| self.programs.may_hold(rule, bits, self.known)) {
            return;
        }
        self.confirming.look_up(event, &self.classes, truth, scratch);
        if truth.keep(|rule, bits| self.programs.holds(rule, bits)) {
            truth.candidates().iter().for_each(|rule| hit(self.rules[*rule as usize]));
        }
    }
}

/// Which bit of the truth each predicate is: those of a field side by side, first those of fields
/// that bring rules up; the others begin with a word of their own.
struct Layout {
    /// Predicates that rules in force name, in the order of their bits.
    order: Vec<PredicateId>,
    /// The bit of each predicate.
    places: Vec<PredicateId>,
    /// Words of the fields that bring rules up.
    known: u32,
    bits: usize,
}

impl Layout {
    fn new(predicates: &[Rc<Predicate>], used: &[bool], brought_up: &[Vec<u32>]) -> Self {
        let triggering: HashSet<FieldId> = predicates
            .iter()
            .zip(brought_up)
            .filter(|(_, rules)| !rules.is_empty())
            .map(|(predicate, _)| predicate.field)
            .collect();
        let brings_up = |id: &PredicateId| triggering.contains(&predicates[*id as usize].field);
        let all = 0..predicates.len() as PredicateId;
        let mut order: Vec<_> = all.filter(|id| used[*id as usize]).collect();
        order.sort_by_key(|id| (!brings_up(id), predicates[*id as usize].field));
        let first = order.iter().filter(|id| brings_up(id)).count();
        let known = first.div_ceil(64);
        let mut places = vec![0; predicates.len()];
        for (position, id) in order.iter().enumerate() {
            let gap = if position < first { 0 } else { known * 64 - first };
            places[*id as usize] = (position + gap) as PredicateId;
        }
        let bits = known * 64 + order.len() - first;
        Self { order, places, known: known as u32, bits }
    }
}

impl Fields {
    fn add(&mut self, field: FieldId, index: FieldIndex) {
        let FieldId { of_context, path } = field;
        let place = usize::from(path.field);
        let Some(list) = path.list.map(usize::from) else {
            self.plain.push(PlainField { of_context, place, index });
            return;
        };
        let is_this =
            |known: &&mut ListFields| (known.of_context, known.place) == (of_context, list);
        if let Some(known) = self.lists.iter_mut().find(is_this) {
            known.members.push((place, index));
            return;
        }
        let members = vec![(place, index)];
        self.lists.push(ListFields { of_context, place: list, members });
    }

    #[inline]
    fn look_up(
        &self,
        event: &Event<'_>,
        classes: &Classes,
        truth: &mut Truth,
        scratch: &mut Scratch,
    ) {
        for PlainField { of_context, place, index } in &self.plain {
            let value =
                if *of_context { event.context.value(*place) } else { event.record.value(*place) };
            index.look_up(value, classes, truth, scratch);
        }
        for ListFields { of_context, place, members } in &self.lists {
            let record: &dyn Record = if *of_context { event.context } else { event.record };
            record.each(*place, &mut |member| {
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
            truth: Truth::new(service.bits, service.rules.len()),
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
