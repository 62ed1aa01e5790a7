//! From a record to the rules and the sink.

use std::ops::Range;

use super::{Sink, Stats};
use crate::event::{
    ANOMALY, Context, Event, FlowContext, Record, Records, Redaction, Schema, Secrecy, Value,
};
use crate::flow::Direction;
use crate::protocol;
use crate::rule::{Hits, Matcher, RuleSet, ServiceId};

/// Who reads records of one type.
struct Readers {
    schema: &'static Schema,
    sink: bool,
    rules: Option<ServiceId>,
}

/// Where every record passes: counted, written, matched.
pub(super) struct Outlet {
    matcher: Matcher,
    /// In the order of [`Stats::messages`].
    readers: Vec<Readers>,
    /// Where an anomaly's name stands in its record.
    anomaly_event: usize,
    /// Whether the sink keeps packets.
    pub(super) keeps: bool,
    /// What of it is not shown.
    pub(super) redaction: Redaction,
    /// Whether packet times can be compared with those of others.
    pub(super) clock_trusted: bool,
    pub(super) stats: Stats,
}

impl Outlet {
    pub(super) fn new(rules: std::sync::Arc<RuleSet>, sink: &dyn Sink) -> Self {
        let alerts = vec![0; rules.rules.len()];
        let matcher = Matcher::new(rules);
        let readers: Vec<_> = protocol::services()
            .map(|schema| Readers {
                schema,
                sink: sink.wants(schema),
                rules: matcher.service(schema),
            })
            .collect();
        let counters = |readers: &Readers| {
            (readers.schema, vec![0; readers.schema.message_types.len().max(1)])
        };
        let stats = Stats {
            messages: readers.iter().map(counters).collect(),
            anomalies: protocol::anomalies().map(|name| (name, 0)).collect(),
            alerts,
            ..Stats::default()
        };
        let anomaly_event =
            ANOMALY.resolve("anomaly.event").map_or(usize::MAX, |path| path.field.into());
        Self {
            matcher,
            readers,
            anomaly_event,
            keeps: sink.keeps(),
            redaction: Redaction::default(),
            clock_trusted: true,
            stats,
        }
    }

    pub(super) fn rules(&self) -> &RuleSet {
        self.matcher.rules()
    }

    pub(super) fn set_rules(&mut self, rules: std::sync::Arc<RuleSet>) -> Vec<u64> {
        let none = vec![0; rules.rules.len()];
        self.matcher = Matcher::new(rules);
        for readers in &mut self.readers {
            readers.rules = self.matcher.service(readers.schema);
        }
        std::mem::replace(&mut self.stats.alerts, none)
    }

    #[inline]
    fn index_of(&self, schema: &'static Schema) -> Option<usize> {
        self.readers.iter().position(|readers| std::ptr::eq(readers.schema, schema))
    }

    fn wants(&self, schema: &'static Schema) -> bool {
        self.index_of(schema)
            .and_then(|index| self.readers.get(index))
            .is_some_and(|readers| readers.sink || readers.rules.is_some())
    }

    /// Returns whether a rule fired whose hits are alerts.
    pub(super) fn emit(
        &mut self,
        context: &Context<'_>,
        record: &dyn Record,
        sink: &mut dyn Sink,
    ) -> bool {
        let schema = record.schema();
        let Some(index) = self.index_of(schema) else { return false };
        self.count(index, record);
        let Some(readers) = self.readers.get(index) else { return false };
        let event = Event { context, record };
        let fired = match readers.rules {
            Some(service) => self.matcher.matches(service, &event),
            None => Hits::default(),
        };
        let mut alerted = false;
        if readers.sink || !fired.is_empty() {
            for rule in fired {
                alerted = true;
                if let Some(count) = self.stats.alerts.get_mut(rule.index) {
                    *count += 1;
                }
            }
            sink.event(&event, fired);
        }
        alerted
    }

    #[inline]
    fn count(&mut self, index: usize, record: &dyn Record) {
        if let Some((_, counts)) = self.stats.messages.get_mut(index)
            && let Some(count) = counts.get_mut(usize::from(record.message_type()))
        {
            *count += 1;
        }
        if std::ptr::eq(record.schema(), &raw const ANOMALY) {
            self.count_anomaly(record);
        }
    }

    fn count_anomaly(&mut self, record: &dyn Record) {
        if let Value::Text(name) = record.value(self.anomaly_event)
            && let Ok(name) = std::str::from_utf8(name)
            && let Some(count) = self.stats.anomalies.get_mut(name)
        {
            *count += 1;
        }
    }
}

/// Hands what a parser finds to the outlet, in the context of the packet at hand.
pub(super) struct Emitter<'e> {
    pub(super) outlet: &'e mut Outlet,
    pub(super) sink: &'e mut dyn Sink,
    pub(super) context: Context<'e>,
    /// Set when a rule fires.
    pub(super) alerted: &'e mut bool,
    /// Sequence number of the first octet that the parser is given.
    pub(super) first: u32,
}

impl Records for Emitter<'_> {
    fn emit(&mut self, record: &dyn Record) {
        *self.alerted |= self.outlet.emit(&self.context, record, self.sink);
    }

    fn emit_about(&mut self, direction: Direction, record: &dyn Record) {
        let flow = self.context.flow;
        let flow = flow.map(|flow| FlowContext { sender: direction.sender(flow.client), ..flow });
        let context = Context { flow, ..self.context };
        *self.alerted |= self.outlet.emit(&context, record, self.sink);
    }

    fn wants(&self, schema: &'static Schema) -> bool {
        self.outlet.wants(schema)
    }

    fn secret(&mut self, secrecy: Secrecy, octets: Range<usize>) {
        let is_hidden = self.outlet.keeps && self.outlet.redaction.hides(secrecy);
        if let Some(flow) = self.context.flow.filter(|_| is_hidden) {
            let [start, end] =
                [octets.start, octets.end].map(|at| self.first.wrapping_add(at as u32));
            self.sink.secret(flow.id, flow.sender, start..end);
        }
    }
}
