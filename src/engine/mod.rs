//! Frames in, events and alerts out.
//!
//! No I/O, no clock, no thread, no global: the same calls with the same arguments give the same
//! events, live and in replay.

mod channel;
mod clock;
mod detection;
mod emit;
mod look;
mod show;
mod stats;

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use channel::{AppState, Beginning, Channel, SharedStates, flow_context};
use clock::{Clock, Say};
use emit::Outlet;
pub use show::{Place, Reading};
pub use stats::{CUT, FRAGMENT, NOT_IP, Stats};

use crate::event::{
    Anomaly, Context, Event, FlowContext, FlowReason, FlowRecord, FlowState, Redaction, Schema,
};
use crate::flow::{
    Connection, Flow, FlowKey, FlowTable, Found, HostPolicies, Lifetime, Outcome, Phase, Side,
    Tenancy, Tenants, Timeouts,
};
use crate::packet::{self, Frame, Layer, Outer, Packet, Skip, Tcp, TcpFlags, Transport};
use crate::protocol::{Configured, Fact, Protocol, REGISTRY};
use crate::rule::{Hits, RuleSet};
use crate::time::Timestamp;

/// Takes what the engine finds. Borrowed values are gone when a call returns.
pub trait Sink {
    /// A record, and the rules that fired on it. Not called for a record that no rule fired on if
    /// [`wants`](Self::wants) turned its type down.
    fn event(&mut self, event: &Event<'_>, fired: Hits<'_>);

    /// Whether records of this type are of interest on their own; asked once, when the engine is
    /// made.
    fn wants(&self, schema: &'static Schema) -> bool;

    /// A flow with a known protocol is over: what its parser tells of `server`.
    fn fact(
        &mut self,
        server: IpAddr,
        protocol: &'static Protocol,
        name: &'static str,
        fact: Fact<'_>,
    );

    /// Whether frames are of interest, and what is secret in them; asked once, when the engine is
    /// made.
    fn keeps(&self) -> bool {
        false
    }

    /// A frame of a flow: comes after all events that the frame brought.
    fn packet(&mut self, _frame: &Frame<'_>, _place: Place) {}

    /// The octets with these sequence numbers, modulo 2^32, that `sender` sends in this flow are
    /// secret. Some of them may have come before, or will come again. If they came just now, this
    /// comes before [`packet`](Self::packet).
    fn secret(&mut self, _flow: u64, _sender: Side, _octets: Range<u32>) {}
}

/// What an engine may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Flows at once; one more ends the flow that is least worth keeping.
    pub flows: usize,
    /// How long flows may be silent.
    pub timeouts: Timeouts,
    /// Octets for streams out of order and unfinished messages, of all flows together; beyond it
    /// the flows that hold most give up what they hold.
    pub stream_memory: usize,
    /// Tunnels in one another that are read, [`Outer::MOST`] at the most; one more is damage.
    pub tunnel_depth: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flows: 1_000_000,
            timeouts: Timeouts::default(),
            stream_memory: 256 << 20,
            tunnel_depth: Outer::USUAL,
        }
    }
}

/// A TCP connection is noticed to be heard from one end only after so many packets, or a multiple …
const ONE_SIDED: u64 = 64;
/// … and so much time: within a window that is large enough an end sends any number on its own, but
/// longer than the other may take to acknowledge them (RFC 9293, 3.8.6.3) it does not.
const ONE_SIDED_AFTER: Duration = Duration::from_secs(1);

/// The whole way of the data for one thread.
pub struct Engine {
    outlet: Outlet,
    shared: SharedStates,
    tenants: Tenants,
    flows: FlowTable<AppState>,
    limits: Limits,
    policies: Arc<HostPolicies>,
    /// Flows that may have a hole or hold much: the tick looks after them.
    holed: Vec<u32>,
    /// Octets kept by all streams.
    memory: usize,
    clock: Clock,
    /// When timers are looked after next.
    next_tick: Timestamp,
}

/// A frame, and the packet in it.
#[derive(Clone, Copy)]
struct Taken<'t> {
    frame: &'t Frame<'t>,
    packet: &'t Packet<'t>,
    outer: &'t Outer,
}

/// Timers are looked after so often: what a hole is given is the shortest of them.
const TICK: Duration = Duration::from_millis(100);

impl Engine {
    /// An engine without any flow.
    pub fn new(rules: Arc<RuleSet>, limits: Limits, sink: &dyn Sink) -> Self {
        Self {
            outlet: Outlet::new(rules, sink),
            shared: SharedStates::default(),
            tenants: Tenants::default(),
            flows: FlowTable::new(limits.flows, limits.timeouts),
            limits,
            policies: Arc::default(),
            holed: Vec::new(),
            memory: 0,
            clock: Clock::default(),
            next_tick: Timestamp::ZERO,
        }
    }

    /// The same, with what is configured of servers.
    #[must_use]
    pub fn with_settings(mut self, configured: &Configured) -> Self {
        self.configure(configured);
        self
    }

    /// The same; flows are told apart by this, too.
    #[must_use]
    pub fn with_tenants(mut self, tenancy: Tenancy) -> Self {
        self.tenants = Tenants::new(tenancy);
        self
    }

    /// The same, with how hosts read segments that can be read in two ways.
    #[must_use]
    pub fn with_policies(mut self, policies: Arc<HostPolicies>) -> Self {
        self.policies = policies;
        self
    }

    /// The same; what this hides is not told to the sink as a fact, and told to it as secret. Records
    /// are whole: whoever writes them hides it.
    #[must_use]
    pub fn with_redaction(mut self, redaction: Redaction) -> Self {
        self.outlet.redaction = redaction;
        self
    }

    /// What is configured of servers. It counts for connections that begin from now on.
    pub fn configure(&mut self, configured: &Configured) {
        self.shared.configure(configured);
    }

    /// Whether somebody keeps the clock in step that packet times come from: from the start, yes.
    /// While nobody does, they are not compared with what others say the time is.
    pub fn trust_clock(&mut self, trusted: bool) {
        self.outlet.clock_trusted = trusted;
    }

    /// Takes one frame. One that is far ahead of all before is looked at when later ones, a tick or
    /// the end show whether its time is right.
    pub fn handle(&mut self, frame: &Frame<'_>, sink: &mut dyn Sink) {
        if self.clock.take(frame.timestamp) {
            return self.take(frame, sink);
        }
        self.clock.hold(frame);
        self.release(Say::Later, sink);
    }

    #[cold]
    fn release(&mut self, say: Say, sink: &mut dyn Sink) {
        while let Some(held) = self.clock.release(say) {
            self.take(&held.frame(), sink);
        }
    }

    /// Takes a frame at the time that it is by the clock.
    #[inline]
    fn take(&mut self, frame: &Frame<'_>, sink: &mut dyn Sink) {
        if self.clock.now() >= self.next_tick {
            self.look_after_timers(sink);
        }
        self.outlet.stats.packets += 1;
        self.outlet.stats.bytes += u64::from(frame.wire_length);
        let mut outer = Outer::new(self.limits.tunnel_depth);
        match packet::decode_within(frame.link, frame.data, &mut outer) {
            Ok(packet) => self.packet(&Taken { frame, packet: &packet, outer: &outer }, sink),
            Err(skip) => self.skip(frame, skip, &outer, sink),
        }
    }

    /// Ends what is due at `now`, which is believed: it is for live capture, where time goes on
    /// without frames. With frames, the engine looks after its timers itself.
    pub fn tick(&mut self, now: Timestamp, sink: &mut dyn Sink) {
        self.clock.set(now);
        self.release(Say::Clock, sink);
        self.look_after_timers(sink);
    }

    fn look_after_timers(&mut self, sink: &mut dyn Sink) {
        self.next_tick = self.clock.now() + TICK;
        let mut holed = std::mem::take(&mut self.holed);
        holed.sort_unstable();
        holed.dedup();
        holed.retain(|index| self.expire_holes(*index, sink));
        holed.append(&mut self.holed);
        self.holed = holed;
        while let Some(index) = self.flows.expired(self.clock.now()) {
            self.end(index, FlowReason::Timeout, sink);
        }
    }

    /// Ends every flow.
    pub fn finish(&mut self, sink: &mut dyn Sink) {
        self.release(Say::Nobody, sink);
        for index in self.flows.by_age() {
            self.end(index, FlowReason::Shutdown, sink);
        }
    }

    /// The counters.
    pub fn stats(&mut self) -> &Stats {
        self.outlet.stats.flows_active = self.flows.len() as u64;
        self.outlet.stats.stream_memory = self.memory as u64;
        &self.outlet.stats
    }

    /// The rules in force.
    pub fn rules(&self) -> &RuleSet {
        self.outlet.rules()
    }

    #[cold]
    fn skip(&mut self, frame: &Frame<'_>, skip: Skip, outer: &Outer, sink: &mut dyn Sink) {
        let (reason, defect) = match skip {
            Skip::NotIp => (NOT_IP, None),
            Skip::Unread(name) => (name, None),
            Skip::Fragment => (FRAGMENT, None),
            // Nobody knows whether what the capture left out was right.
            Skip::Short(_) if frame.is_cut() => (CUT, None),
            Skip::Short(defect) | Skip::Defect(defect) => (defect.name(), Some(defect)),
        };
        *self.outlet.stats.decode_errors.entry(reason).or_default() += 1;
        if let Some(defect) = defect {
            let context = frame_context(frame, &[], outer.layers());
            self.outlet.emit(&context, &Anomaly::in_packet(defect.name()), sink);
        }
    }

    #[inline]
    fn packet(&mut self, taken: &Taken<'_>, sink: &mut dyn Sink) {
        let Taken { frame, packet, outer } = *taken;
        let (key, from) = self.tenants.key(packet, outer);
        let index = match self.flows.find(&key, self.clock.now()) {
            Found::Alive(index) => index,
            Found::Expired(index) => {
                self.end(index, FlowReason::Timeout, sink);
                self.begin(key, from, taken, sink)
            }
            Found::Unknown => self.begin(key, from, taken, sink),
        };
        let Transport::Tcp(tcp) = &packet.transport else {
            self.note_unread(outer);
            self.count(index, from, frame);
            self.flows.touch(index, self.clock.now(), Lifetime::Datagram);
            return self.show(index, from, None, frame, sink);
        };
        let before = self.mark(index, from, tcp);
        if self.segment(index, from, taken, tcp, sink) != Outcome::Reopens {
            return self.show(index, from, before, frame, sink);
        }
        self.end(index, FlowReason::Reused, sink);
        let index = self.begin(key, from, taken, sink);
        let before = self.mark(index, from, tcp);
        self.segment(index, from, taken, tcp, sink);
        self.show(index, from, before, frame, sink);
    }

    /// Counts a packet whose payload has a name and is not read.
    fn note_unread(&mut self, outer: &Outer) {
        if let Some(name) = outer.unread() {
            *self.outlet.stats.decode_errors.entry(name).or_default() += 1;
        }
    }

    /// Counts a packet. Says whether it is one at which a flow of one end only is noticed.
    #[inline]
    fn count(&mut self, index: u32, from: Side, frame: &Frame<'_>) -> bool {
        let Some(flow) = self.flows.get_mut(index) else { return false };
        let packets = &mut flow.packets[from.index()];
        *packets += 1;
        flow.bytes[from.index()] += u64::from(frame.wire_length);
        *packets % ONE_SIDED == 0 && flow.packets[from.opposite().index()] == 0
    }

    fn begin(&mut self, key: FlowKey, from: Side, taken: &Taken<'_>, sink: &mut dyn Sink) -> u32 {
        let Taken { packet, outer, .. } = *taken;
        if self.flows.is_full()
            && let Some(index) = self.flows.least_worth()
        {
            self.end(index, FlowReason::Evicted, sink);
        }
        let (lifetime, client, beginning) = match packet.transport {
            Transport::Tcp(tcp) if tcp.flags.any(TcpFlags::SYN) => {
                let answer = tcp.flags.any(TcpFlags::ACK);
                (Lifetime::HalfOpen, if answer { from.opposite() } else { from }, Beginning::Seen)
            }
            Transport::Tcp(_) => {
                (Lifetime::Established, likely_client(&key, from), Beginning::Missed)
            }
            _ => (Lifetime::Datagram, likely_client(&key, from), Beginning::Seen),
        };
        self.outlet.stats.flows_created += 1;
        let app = AppState::new(beginning, outer.layers());
        let tenant = self.tenants.number(packet, outer);
        let policies = [Side::Lower, Side::Upper].map(|side| self.policies.of(key.address(side)));
        let index = self.flows.insert(key, tenant, client, self.clock.now(), lifetime, app);
        if let Some(flow) = self.flows.get_mut(index) {
            flow.connection.set_policies(policies);
        }
        index
    }

    #[inline]
    fn segment(
        &mut self,
        index: u32,
        from: Side,
        taken: &Taken<'_>,
        tcp: &Tcp<'_>,
        sink: &mut dyn Sink,
    ) -> Outcome {
        let Taken { frame, packet, outer } = *taken;
        let Some(flow) = self.flows.get_mut(index) else { return Outcome::Taken };
        let from = if flow.key.has_equal_ends() { flow.connection.sender(tcp) } else { from };
        if flow.connection.acknowledgment(from, tcp) {
            let lifetime = flow.lifetime();
            if self.count(index, from, frame) {
                self.tell_one_sided(index, from, frame, sink);
            }
            self.flows.touch(index, self.clock.now(), lifetime);
            return Outcome::Taken;
        }
        let context = frame_context(frame, packet.vlan.ids(), outer.layers());
        let (connection, mut channel) =
            Channel::open(flow, context, from, &mut self.shared, &mut self.outlet, sink);
        if connection.may_die(from, packet.ttl) {
            channel.ttl_short(packet.ttl);
        }
        let outcome = connection.segment(self.clock.now(), from, tcp, &mut channel);
        match outcome {
            Outcome::Taken | Outcome::Refused => {}
            Outcome::Reopens => return outcome,
            Outcome::BadChecksum => channel.bad_checksum(),
            Outcome::Closed => channel.close(connection, frame.timestamp),
        }
        if channel.has_started() {
            connection.read_kept(from.opposite(), &mut channel);
        }
        let connection = &flow.connection;
        let lifetime = match connection.phase() {
            Phase::Opening => Lifetime::HalfOpen,
            Phase::Closed => Lifetime::Closed,
            Phase::Established if flow.app.app.protocol().is_some() => Lifetime::Application,
            Phase::Established => Lifetime::Established,
        };
        if connection.memory() != flow.app.memory || connection.has_hole() {
            self.account(index, sink);
        }
        if self.count(index, from, frame) {
            self.tell_one_sided(index, from, frame, sink);
        }
        self.flows.touch(index, self.clock.now(), lifetime);
        outcome
    }

    /// A TCP connection of which only one end was heard so far.
    #[cold]
    fn tell_one_sided(&mut self, index: u32, from: Side, frame: &Frame<'_>, sink: &mut dyn Sink) {
        let Some(flow) = self.flows.get_mut(index) else { return };
        if !is_one_sided(flow) {
            return;
        }
        let context = frame_context(frame, &[], &[]);
        let (_, mut channel) =
            Channel::open(flow, context, from, &mut self.shared, &mut self.outlet, sink);
        channel.one_sided();
    }

    /// Keeps the books of what streams hold, and the limit.
    #[cold]
    fn account(&mut self, index: u32, sink: &mut dyn Sink) {
        let Some(flow) = self.flows.get_mut(index) else { return };
        if flow.app.book(&flow.connection, &mut self.memory) && !flow.app.holed {
            flow.app.holed = true;
            self.holed.push(index);
        }
        if self.memory > self.limits.stream_memory {
            self.give_up_most(sink);
        }
    }

    /// Makes room: those that hold most give up first, until an eighth of the limit is free, so
    /// that this is rare however much comes.
    #[cold]
    fn give_up_most(&mut self, sink: &mut dyn Sink) {
        let flows = &mut self.flows;
        let mut held: Vec<(usize, u32)> = self
            .holed
            .iter()
            .map(|index| (flows.get_mut(*index).map_or(0, |flow| flow.app.memory), *index))
            .collect();
        held.sort_unstable_by(|one, two| two.cmp(one));
        for (_, index) in held {
            if self.memory <= self.limits.stream_memory / 8 * 7 {
                break;
            }
            self.with_connection(index, sink, |_, _, connection, channel| {
                connection.give_up(channel);
            });
        }
        let flows = &mut self.flows;
        self.holed.retain(|index| flows.get_mut(*index).is_some_and(|flow| flow.app.holed));
    }

    /// Gives up the holes of a flow that are due. False if it holds nothing of note any more.
    fn expire_holes(&mut self, index: u32, sink: &mut dyn Sink) -> bool {
        let mut outcome = Outcome::Taken;
        let holds = self.with_connection(index, sink, |now, last_seen, connection, channel| {
            connection.expire(now, channel);
            if connection.is_finished() {
                outcome = connection.close();
            }
            if outcome == Outcome::Closed {
                channel.close(connection, last_seen);
            }
        });
        if outcome == Outcome::Closed
            && let Some(last_seen) = self.flows.get_mut(index).map(|flow| flow.last_seen)
        {
            self.flows.touch(index, last_seen, Lifetime::Closed);
        }
        holds
    }

    /// Does something with a flow's streams outside of a packet of theirs, now; and it is told when the
    /// last of them came. Says whether they hold anything of note then.
    fn with_connection(
        &mut self,
        index: u32,
        sink: &mut dyn Sink,
        act: impl FnOnce(Timestamp, Timestamp, &mut Connection, &mut Channel<'_>),
    ) -> bool {
        let now = self.clock.now();
        let Some(flow) = self.flows.get_mut(index) else { return false };
        let (vlan, last_seen) = (flow.key.vlan(), flow.last_seen);
        let context = timer_context(now, &vlan);
        let (connection, mut channel) =
            Channel::open(flow, context, Side::Lower, &mut self.shared, &mut self.outlet, sink);
        act(now, last_seen, connection, &mut channel);
        flow.app.holed = flow.app.book(&flow.connection, &mut self.memory);
        flow.app.holed
    }

    /// When a flow ended: of what no frame brought about, not when somebody looked.
    fn end_of(&self, flow: &Flow<AppState>, reason: FlowReason) -> Timestamp {
        match reason {
            FlowReason::Timeout => self.flows.deadline(flow),
            FlowReason::Shutdown => flow.last_seen,
            FlowReason::Evicted | FlowReason::Reused => self.clock.now(),
        }
    }

    /// Takes a flow out and tells what it was.
    fn end(&mut self, index: u32, reason: FlowReason, sink: &mut dyn Sink) {
        let Some(mut flow) = self.flows.remove(index) else { return };
        self.memory -= flow.app.memory;
        *self.outlet.stats.flows_ended.entry(reason.name()).or_default() += 1;
        let vlan = flow.key.vlan();
        let context = timer_context(self.end_of(&flow, reason), &vlan);
        let (client, last) = (flow.client, flow.last_seen);
        let (connection, mut channel) =
            Channel::open(&mut flow, context, client, &mut self.shared, &mut self.outlet, sink);
        channel.close(connection, last);
        let record = flow_record(&flow, Some(reason));
        let Flow { key, id, community_id, app, .. } = &flow;
        let of_flow = flow_context(key, *id, community_id, client, client, app);
        let of_flow = Some(FlowContext { directed: false, ..of_flow });
        let context = Context { flow: of_flow, tunnel: &app.tunnel, ..context };
        self.outlet.emit(&context, &record, sink);
    }
}

/// Whether a TCP connection was heard from one end only, for long enough to tell.
fn is_one_sided(flow: &Flow<AppState>) -> bool {
    let [one, other] = flow.packets;
    let heard = flow.last_seen.since(flow.first_seen);
    one.min(other) == 0 && one.max(other) >= ONE_SIDED && heard >= ONE_SIDED_AFTER
}

/// Who opened a flow that we did not see begin: not the end with a port that one of our protocols
/// has, else not the one with a system port (RFC 6335, 6), else who spoke first.
fn likely_client(key: &FlowKey, from: Side) -> Side {
    let registered = |port: u16| REGISTRY.iter().any(|protocol| protocol.ports.contains(&port));
    let system = |port: u16| (1..1024).contains(&port);
    let [lower, upper] = [Side::Lower, Side::Upper].map(|side| key.port(side));
    for is_server in [&registered as &dyn Fn(u16) -> bool, &system] {
        match (is_server(lower), is_server(upper)) {
            (true, false) => return Side::Upper,
            (false, true) => return Side::Lower,
            _ => {}
        }
    }
    from
}

#[inline]
fn frame_context<'e>(frame: &Frame<'e>, vlan: &'e [u16], tunnel: &'e [Layer]) -> Context<'e> {
    let Frame { timestamp, number, interface, .. } = *frame;
    Context { timestamp, number, interface, vlan, tunnel, flow: None }
}

/// For what a timer does: no frame is at hand.
fn timer_context(timestamp: Timestamp, vlan: &[u16; 2]) -> Context<'_> {
    let tags = vlan.iter().take_while(|id| **id != 0).count();
    Context { vlan: &vlan[..tags], ..Context::at(timestamp) }
}

fn flow_record(flow: &Flow<AppState>, reason: Option<FlowReason>) -> FlowRecord {
    let senders = [flow.client, flow.client.opposite()];
    let streams = senders.map(|side| flow.connection.stream(side).counters());
    FlowRecord {
        packets: senders.map(|side| flow.packets[side.index()]),
        bytes: senders.map(|side| flow.bytes[side.index()]),
        start: flow.first_seen,
        end: flow.last_seen,
        state: state(flow),
        reason,
        alerted: flow.app.alerted,
        joined: flow.app.joined(),
        gaps: streams.map(|stream| stream.gaps.into()),
        bytes_missed: streams.map(|stream| stream.missed),
        retransmissions: streams.map(|stream| stream.retransmissions.into()),
    }
}

/// A connection comes as far as its handshake; of anything else one packet is no conversation.
fn state(flow: &Flow<AppState>) -> FlowState {
    const TCP: u8 = 6;
    let both = flow.packets.iter().all(|packets| *packets > 0);
    match (flow.key.protocol(), flow.connection.phase()) {
        (TCP, Phase::Opening) => FlowState::New,
        (TCP, Phase::Established) => FlowState::Established,
        (TCP, Phase::Closed) => FlowState::Closed,
        _ if both => FlowState::Established,
        _ => FlowState::New,
    }
}
