//! Which rules hold for an event.

use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use super::correlation::Link;
use super::direct::{self, Direct};
use super::index::{FieldIndex, Question, Scratch};
use super::predicate::{Expression, FieldId, Predicate, PredicateId, Predicates};
use super::profile::{self, Memory, Profile};
use super::program::Programs;
use super::trigger::Rarity;
use super::truth::{ClassBuilder, ClassId, Classes, Truth};
use super::{Rule, RuleSet};
use crate::event::{Event, Record, Schema, Value};
use crate::json::{Path, Paths, Scalar, Values};

/// All rules about records of one type, ready to be matched.
#[derive(Debug, Clone)]
pub(super) struct Service {
    schema: &'static Schema,
    /// [`Rule::index`] by number in this service, ascending.
    rules: Vec<usize>,
    programs: Programs,
    classes: Classes,
    /// Fields that bring rules up and whose values have one class each. The predicates of fields
    /// that bring rules up are the first words of the truth.
    profiled: Vec<PlainField>,
    /// The other fields that bring rules up.
    triggering: Fields,
    /// Fields that only conditions of rules ask for: read once a rule is up that asks for them.
    confirming: Fields,
    /// Predicates without an index, asked once a rule is up that asks for them.
    direct: Vec<(FieldSet, Direct)>,
    /// Which of these each rule asks for.
    asked: Vec<FieldSet>,
    /// Rules that nothing brings up: looked at for every event.
    always: ClassId,
    /// Words of the truth, and those of them that are the rules'.
    words: u32,
    rule_words: Range<u32>,
}

/// A bit for each of the first confirming fields, the last bit for all others.
type FieldSet = u64;

/// Indexes of some fields.
#[derive(Debug, Clone, Default)]
struct Fields {
    plain: Vec<PlainField>,
    lists: Vec<ListFields>,
    documents: Vec<DocumentFields>,
}

#[derive(Debug, Clone)]
struct PlainField {
    of_context: bool,
    place: usize,
    index: FieldIndex,
    bit: FieldSet,
}

#[derive(Debug, Clone)]
struct ListFields {
    of_context: bool,
    place: usize,
    /// Fields of the members: place and index.
    members: Vec<(usize, FieldIndex)>,
    bits: FieldSet,
}

/// What rules ask of a document of the record.
#[derive(Debug, Clone)]
struct DocumentFields {
    place: usize,
    paths: Paths,
    /// By number of the path.
    indexes: Vec<FieldIndex>,
    bits: FieldSet,
}

impl Service {
    /// Compiles rules, given by index and condition.
    pub(super) fn new(
        schema: &'static Schema,
        predicates: &Predicates,
        mut rules: Vec<(usize, Expression)>,
    ) -> Self {
        let path = |number| predicates.path(number);
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
        let layout = Layout::new(predicates, &used, &brought_up, rules.len());
        let mut programs = Programs::default();
        for (_, condition) in &mut rules {
            condition.each(&mut |id| *id = layout.places[*id as usize]);
            programs.add(condition, layout.known);
        }
        let mut triggers = vec![Vec::new(); layout.words as usize * 64];
        for id in &layout.order {
            let rules = std::mem::take(&mut brought_up[*id as usize]);
            triggers[layout.places[*id as usize] as usize] = rules;
        }
        let mut classes = ClassBuilder::new(triggers, layout.known);
        let always = classes.of_rules(&always);
        let (mut triggering, mut confirming) = (Fields::default(), Fields::default());
        let mut direct = Vec::new();
        let (mut fields, mut field_bits) = (0, vec![0; layout.words as usize * 64]);
        let field_of = |id: &PredicateId| {
            let predicate = &predicates[*id as usize];
            (predicate.field, predicate.test.is_indexed())
        };
        let by_field = layout.order.chunk_by(|one, two| field_of(one) == field_of(two));
        for (number, ids) in by_field.enumerate() {
            let question = |id: &PredicateId| Question {
                id: layout.places[*id as usize],
                test: &predicates[*id as usize].test,
            };
            let questions: Vec<_> = ids.iter().map(question).collect();
            let (field, is_indexed) = field_of(&ids[0]);
            if !is_indexed {
                for Question { id, test } in questions {
                    let bit = 1 << fields.min(FieldSet::BITS - 1);
                    fields += 1;
                    field_bits[id as usize] = bit;
                    let class = classes.of(&[id]);
                    direct.push((bit, Direct::new(schema, field, test.clone(), class)));
                }
                continue;
            }
            let index = FieldIndex::new(field.kind(schema), number, &questions, &mut classes);
            if questions[0].id < layout.known * 64 {
                triggering.add(field, index, FieldSet::MAX, path);
                continue;
            }
            let bit = 1 << fields.min(FieldSet::BITS - 1);
            fields += 1;
            confirming.add(field, index, bit, path);
            for question in &questions {
                field_bits[question.id as usize] = bit;
            }
        }
        let mut asked = vec![0; rules.len()];
        for (asked, (_, condition)) in asked.iter_mut().zip(&mut rules) {
            condition.each(&mut |id| *asked |= field_bits[*id as usize]);
        }
        let profiled = triggering.take_profiled();
        Self {
            schema,
            rules: rules.into_iter().map(|(index, _)| index).collect(),
            programs,
            classes: classes.finish(),
            profiled,
            triggering,
            confirming,
            direct,
            asked,
            always,
            words: layout.words,
            rule_words: layout.known..layout.confirming,
        }
    }

    /// Leaves the rules that hold in the truth.
    fn matches(&self, event: &Event<'_>, state: &mut State) {
        let State { truth, scratch, values, direct_texts, memory } = state;
        truth.begin();
        scratch.begin();
        let profile = self.profile(event);
        let is_all = self.triggering.is_empty();
        match memory.recall(&profile) {
            // No rule is left, and nothing can bring one up.
            Some([]) if is_all => return,
            Some(words) => truth.load(words),
            None => {
                truth.apply(&self.classes, self.always);
                for class in &profile {
                    truth.apply(&self.classes, *class);
                }
                if is_all && !truth.keep(|rule, bits| self.programs.may_hold(rule, bits)) {
                    truth.begin();
                }
                memory.keep(&profile, truth);
            }
        }
        if !is_all {
            self.triggering.look_up(FieldSet::MAX, event, &self.classes, truth, scratch, values);
            truth.keep(|rule, bits| self.programs.may_hold(rule, bits));
        }
        let asked = truth.rules().fold(0, |asked, rule| asked | self.asked[rule as usize]);
        if asked == 0 && truth.rules().next().is_none() {
            return;
        }
        self.confirming.look_up(asked, event, &self.classes, truth, scratch, values);
        for (_, direct) in self.direct.iter().filter(|(bit, _)| bit & asked != 0) {
            truth.apply(&self.classes, direct.class(event, direct_texts));
        }
        truth.keep(|rule, bits| self.programs.holds(rule, bits));
    }

    /// The rules that hold for one event, by index. For many there is the [`Matcher`].
    pub(super) fn holding(&self, event: &Event<'_>) -> Vec<usize> {
        let mut state = State::new(self);
        self.matches(event, &mut state);
        state.truth.hits().iter().map(|hit| self.rules[*hit as usize]).collect()
    }

    #[inline]
    fn profile(&self, event: &Event<'_>) -> Profile {
        let mut profile = profile::NONE;
        for (class, field) in profile.iter_mut().zip(&self.profiled) {
            *class = field.index.class(field.value(event));
        }
        profile
    }
}

/// Which bit of the truth each predicate is: those of a field side by side. First the words of
/// fields that bring rules up, then the words of the rules that are brought up, then the words of
/// the other fields.
struct Layout {
    /// Predicates that rules in force name, in the order of their bits.
    order: Vec<PredicateId>,
    /// The bit of each predicate.
    places: Vec<PredicateId>,
    /// Words of the fields that bring rules up.
    known: u32,
    /// The first word of the other fields.
    confirming: u32,
    /// All words.
    words: u32,
}

impl Layout {
    fn new(
        predicates: &[Rc<Predicate>],
        used: &[bool],
        brought_up: &[Vec<u32>],
        rules: usize,
    ) -> Self {
        let triggering: HashSet<FieldId> = predicates
            .iter()
            .zip(brought_up)
            .filter(|(_, rules)| !rules.is_empty())
            .map(|(predicate, _)| predicate.field)
            .collect();
        // A document is read once, so all that is in it is known together.
        let documents: HashSet<usize> =
            triggering.iter().filter_map(|field| field.document()).collect();
        let brings_up = |id: &PredicateId| {
            let Predicate { field, test } = &*predicates[*id as usize];
            if !test.is_indexed() {
                return false;
            }
            triggering.contains(field)
                || field.document().is_some_and(|document| documents.contains(&document))
        };
        let all = 0..predicates.len() as PredicateId;
        let mut order: Vec<_> = all.filter(|id| used[*id as usize]).collect();
        order.sort_by_key(|id| {
            let Predicate { field, test } = &*predicates[*id as usize];
            (!brings_up(id), *field, !test.is_indexed())
        });
        let first = order.iter().filter(|id| brings_up(id)).count();
        let known = first.div_ceil(64);
        let confirming = known + rules.div_ceil(64);
        let mut places = vec![0; predicates.len()];
        for (position, id) in order.iter().enumerate() {
            let gap = if position < first { 0 } else { confirming * 64 - first };
            places[*id as usize] = (position + gap) as PredicateId;
        }
        let words = confirming + (order.len() - first).div_ceil(64);
        let [known, confirming, words] = [known, confirming, words].map(|words| words as u32);
        Self { order, places, known, confirming, words }
    }
}

impl Fields {
    fn add<'p>(
        &mut self,
        field: FieldId,
        index: FieldIndex,
        bit: FieldSet,
        path_of: impl Fn(usize) -> &'p Path,
    ) {
        let (of_context, path) = match field {
            FieldId::Declared { of_context, path } => (of_context, path),
            FieldId::InDocument { document, path } => {
                return self.add_to_document(document, path_of(path), index, bit);
            }
        };
        let place = usize::from(path.field);
        let Some(list) = path.list.map(usize::from) else {
            self.plain.push(PlainField { of_context, place, index, bit });
            return;
        };
        let is_this =
            |known: &&mut ListFields| (known.of_context, known.place) == (of_context, list);
        if let Some(known) = self.lists.iter_mut().find(is_this) {
            known.members.push((place, index));
            known.bits |= bit;
            return;
        }
        let members = vec![(place, index)];
        self.lists.push(ListFields { of_context, place: list, members, bits: bit });
    }

    fn add_to_document(&mut self, place: usize, path: &Path, index: FieldIndex, bit: FieldSet) {
        let known = self.documents.iter().position(|document| document.place == place);
        let known = known.unwrap_or_else(|| {
            let paths = Paths::default();
            self.documents.push(DocumentFields { place, paths, indexes: Vec::new(), bits: 0 });
            self.documents.len() - 1
        });
        let document = &mut self.documents[known];
        document.bits |= bit;
        // Each path comes once, so they are numbered as they come.
        document.paths.add(path);
        document.indexes.push(index);
    }

    fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.lists.is_empty() && self.documents.is_empty()
    }

    /// Takes out those whose values have one class each, as many as a profile has.
    fn take_profiled(&mut self) -> Vec<PlainField> {
        let mut left = profile::FIELDS;
        let is_profiled = |field: &mut PlainField| {
            let is_profiled = left > 0 && field.index.is_single();
            left -= usize::from(is_profiled);
            is_profiled
        };
        self.plain.extract_if(.., is_profiled).collect()
    }

    #[inline]
    fn look_up(
        &self,
        asked: FieldSet,
        event: &Event<'_>,
        classes: &Classes,
        truth: &mut Truth,
        scratch: &mut Scratch,
        values: &mut Values,
    ) {
        for field in self.plain.iter().filter(|field| field.bit & asked != 0) {
            field.index.look_up(field.value(event), classes, truth, scratch);
        }
        for ListFields { of_context, place, members, bits } in &self.lists {
            if bits & asked == 0 {
                continue;
            }
            let record: &dyn Record = if *of_context { event.context } else { event.record };
            record.each(*place, &mut |member| {
                for (place, index) in members {
                    index.look_up(member.value(*place), classes, truth, scratch);
                }
            });
        }
        for DocumentFields { place, paths, indexes, bits } in &self.documents {
            if bits & asked == 0 {
                continue;
            }
            let Some(octets) = event.record.document(*place) else { continue };
            values.read(octets, paths);
            values.each(|path, value| {
                let value = match value {
                    Some(Scalar::Flag(flag)) => Value::Boolean(flag),
                    Some(Scalar::Integer(number)) => Value::Integer(number),
                    Some(Scalar::Number(number)) => Value::Double(number),
                    Some(Scalar::Text(text)) => Value::text(text),
                    None => return indexes[path].look_up_container(classes, truth),
                };
                indexes[path].look_up(value, classes, truth, scratch);
            });
        }
    }
}

impl PlainField {
    #[inline]
    fn value<'e>(&self, event: &Event<'e>) -> Value<'e> {
        if self.of_context {
            event.context.value(self.place)
        } else {
            event.record.value(self.place)
        }
    }
}

/// What a service keeps between events.
#[derive(Debug, Clone)]
struct State {
    truth: Truth,
    scratch: Scratch,
    values: Values,
    direct_texts: direct::Texts,
    memory: Memory,
}

impl State {
    fn new(service: &Service) -> Self {
        Self {
            truth: Truth::new(service.words, service.rule_words.clone()),
            scratch: Scratch::default(),
            values: Values::default(),
            direct_texts: direct::Texts::default(),
            memory: Memory::new(),
        }
    }
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
        let states = set.services.iter().map(State::new).collect();
        Self { set, states }
    }

    /// The rules it matches.
    pub fn rules(&self) -> &RuleSet {
        &self.set
    }

    /// Where the rules in force about records of this type are; `None` if there are none.
    pub fn service(&self, schema: &'static Schema) -> Option<ServiceId> {
        let is_it = |service: &Service| std::ptr::eq(service.schema, schema);
        self.set.services.iter().position(is_it).map(ServiceId)
    }

    /// The rules that hold for an event, whose record is of this service.
    #[inline]
    pub fn matches(&mut self, service: ServiceId, event: &Event<'_>) -> Hits<'_> {
        let (service, state) = (&self.set.services[service.0], &mut self.states[service.0]);
        service.matches(event, state);
        Hits { set: Some(&self.set), of_service: &service.rules, found: state.truth.hits() }
    }
}

/// The rules about records of one type, in the set of a [`Matcher`].
#[derive(Debug, Clone, Copy)]
pub struct ServiceId(usize);

/// The rules that hold for an event, in the order of the set. Iterating gives those whose hits are
/// alerts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hits<'m> {
    set: Option<&'m RuleSet>,
    /// [`Service::rules`].
    of_service: &'m [usize],
    found: &'m [u32],
}

impl<'m> Hits<'m> {
    /// Whether no rule holds, neither one whose hits are alerts nor one that feeds correlations only.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Every rule that holds, whether its hits are alerts or not.
    pub fn rules(self) -> impl Iterator<Item = &'m Rule> {
        let rule = move |hit: &u32| self.set?.rules.get(*self.of_service.get(*hit as usize)?);
        self.found.iter().filter_map(rule)
    }

    /// The correlations that take hits of these rules.
    #[inline]
    pub(super) fn links(self) -> impl Iterator<Item = &'m Link> {
        let set = self.set.filter(|set| set.has_correlations());
        let links = move |set: &'m RuleSet| {
            self.rules().flat_map(|rule| set.correlations.links(rule.index))
        };
        set.into_iter().flat_map(links)
    }
}

impl<'m> IntoIterator for Hits<'m> {
    type Item = &'m Rule;
    type IntoIter = HitsIter<'m>;

    #[inline]
    fn into_iter(self) -> HitsIter<'m> {
        HitsIter(self)
    }
}

/// See [`Hits`].
#[derive(Debug, Clone)]
pub struct HitsIter<'m>(Hits<'m>);

impl<'m> Iterator for HitsIter<'m> {
    type Item = &'m Rule;

    #[inline]
    fn next(&mut self) -> Option<&'m Rule> {
        loop {
            let (hit, rest) = self.0.found.split_first()?;
            self.0.found = rest;
            let rule = self.0.set?.rules.get(*self.0.of_service.get(*hit as usize)?)?;
            if !rule.is_quiet {
                return Some(rule);
            }
        }
    }
}
