//! Looks into an engine at work, for those who ask while traffic goes on.

use std::net::IpAddr;
use std::sync::Arc;

use super::channel::{App, flow_context};
use super::{Engine, Sink, flow_record, is_one_sided, timer_context};
use crate::event::{Context, Event, FlowContext, Record};
use crate::flow::Lifetime;
use crate::protocol::{Fact, Protocol};
use crate::rule::RuleSet;

impl Engine {
    /// Takes a record that no packet brought about: it is written, and rules can fire on it.
    pub fn tell(&mut self, context: &Context<'_>, record: &dyn Record, sink: &mut dyn Sink) {
        self.outlet.emit(context, record, sink);
    }

    /// Puts other rules in force, from the next record on. Alerts are counted by rule, so their
    /// counters begin anew: what they were is returned, by [`Rule::index`](crate::rule::Rule::index)
    /// in the old set.
    pub fn set_rules(&mut self, rules: Arc<RuleSet>) -> Vec<u64> {
        self.outlet.set_rules(rules)
    }

    /// Tells what is known of the servers of flows that go on, at most `most` of them: those whose
    /// turn to time out is last.
    pub fn facts(
        &self,
        most: usize,
        tell: &mut dyn FnMut(IpAddr, &'static Protocol, &'static str, Fact<'_>),
    ) {
        for flow in self.flows.latest().take(most) {
            let App::Known { protocol, parser } = &flow.app.app else { continue };
            let server = flow.key.address(flow.client.opposite());
            let redaction = self.outlet.redaction;
            parser.facts(&mut |name, fact| tell(server, protocol, name, fact.redacted(redaction)));
        }
    }

    /// Shows the records of flows that go on as if they ended now, at most `most` of them: those
    /// whose turn to time out is last.
    pub fn flows(&self, most: usize, show: &mut dyn FnMut(&Event<'_>)) {
        for flow in self.flows.latest().take(most) {
            let vlan = flow.key.vlan();
            let of_flow = flow_context(
                &flow.key,
                flow.id,
                &flow.community_id,
                flow.client,
                flow.client,
                &flow.app,
            );
            let of_flow = Some(FlowContext { directed: false, ..of_flow });
            let context = Context {
                flow: of_flow,
                tunnel: &flow.app.tunnel,
                ..timer_context(flow.last_seen, &vlan)
            };
            show(&Event { context: &context, record: &flow_record(flow, None) });
        }
    }

    /// How many of the latest `most` flows are TCP connections of which only one end is heard: a
    /// mirror port or a tap that shows one direction.
    pub fn one_sided(&self, most: usize) -> u64 {
        let latest = self.flows.latest().take(most);
        let connections = latest.filter(|flow| {
            matches!(flow.lifetime(), Lifetime::Established | Lifetime::Application)
        });
        connections.filter(|flow| is_one_sided(flow)).count() as u64
    }
}
