//! One connection: what each packet means after all that went before it.

use std::num::NonZeroU16;

use super::alias::{self, Aliases};
use super::facts::Tally;
use super::flight::{Answer, Answered, Flight, Knowledge, Request};
use super::guess::{self, Hint};
use super::header::{Dialect, Header, Level, PacketType};
use super::keep_alive::KeepAlive;
use super::life::{Life, Step};
use super::limits::{Bounds, Limits};
use super::packet::{Body, Packet};
use super::properties::Property;
use super::settings::{Configured, Settings};
use super::subscriptions::{Asked, Subscriptions};
use super::violation::{Emit, Report, Violation};
use super::websocket::Upgrade;
use super::who::Who;
use crate::event::{Records, Value};
use crate::flow::{Acknowledged, Direction};
use crate::protocol::{Fact, Input, Start};
use crate::time::Timestamp;

/// The circumstances of a packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) direction: Direction,
    pub(super) time: Timestamp,
    /// Whether its time is later than that at which it was sent.
    pub(super) late: bool,
    /// How much its sender had of the other direction, at the most.
    pub(super) acknowledged: Acknowledged,
    /// Whether packets may be sent again on the same connection, as before level 5 (MQTT 3.1, clause
    /// 4.2; MQTT 3.1.1, clause 4.4), or that is not known.
    pub(super) may_repeat: bool,
}

impl Seen {
    /// Whether we saw all that the sender had of the other direction.
    #[inline]
    pub(super) fn informed(&self) -> bool {
        self.acknowledged != Acknowledged::Beyond
    }
}

/// What CONNECT asks for.
#[derive(Debug, Clone, Copy)]
struct Asks {
    level: Level,
    clean: bool,
    /// Seconds.
    keep_alive: u16,
}

/// What CONNACK grants.
#[derive(Debug, Clone, Copy)]
struct Grants {
    session_present: bool,
    /// Seconds.
    keep_alive: Option<u16>,
}

/// A connection between a client and a broker.
#[derive(Debug)]
pub(super) struct Session {
    /// What is spoken, as far as it is known.
    dialect: Option<Dialect>,
    /// What is likely spoken, where it is not known: what a packet is said to be that could be of
    /// any level.
    likely: Option<Dialect>,
    life: Life,
    /// By direction: whether there are packets that we did not see.
    partial: [bool; 2],
    asks: Option<Asks>,
    grants: Option<Grants>,
    who: Option<Who>,
    keep_alive: KeepAlive,
    bounds: Bounds,
    /// By direction in which packets go to a broker there.
    settings: [Settings; 2],
    /// How much is known of identifiers of which none is in flight.
    knowledge: Knowledge,
    /// By direction of who asks; most connections have none, or of one direction.
    flights: [Option<Flight>; 2],
    /// By direction; most connections have none.
    aliases: [Option<Box<Aliases>>; 2],
    subscriptions: Option<Box<Subscriptions>>,
    /// How many PINGREQ more than PINGRESP were seen.
    pings: i16,
    tally: Tally,
}

impl Session {
    /// A connection without a packet yet. Of one that we joined we know nothing.
    pub(super) fn new(start: Start<'_>, configured: Option<&Configured>) -> Self {
        let settings = Direction::BOTH.map(|to_broker| {
            let broker = start.key.address(to_broker.opposite().sender(start.client));
            configured.map_or_else(Settings::default, |configured| *configured.of(broker))
        });
        Self {
            dialect: None,
            likely: None,
            life: Life::new(start.joined),
            partial: [start.joined; 2],
            asks: None,
            grants: None,
            who: None,
            keep_alive: KeepAlive::NONE,
            bounds: Bounds::new(settings[Direction::ToServer.index()]),
            settings,
            knowledge: if start.joined { Knowledge::Partial } else { Knowledge::Connection },
            flights: [None, None],
            aliases: [None, None],
            subscriptions: None,
            pings: 0,
            tally: Tally::default(),
        }
    }

    /// What is spoken, as far as it is known.
    pub(super) fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// Octets of a direction were missed, or could not be read: whatever they said.
    pub(super) fn miss(&mut self, direction: Direction) {
        self.partial[direction.index()] = true;
        self.life.miss(direction);
        if direction == self.life.way_to_broker() {
            self.keep_alive.miss();
        }
        if let Some(aliases) = &mut self.aliases[direction.index()] {
            aliases.doubt();
        }
        self.forget();
    }

    /// Whatever is asked may be answered, and whatever is not may have been asked.
    fn forget(&mut self) {
        self.knowledge = Knowledge::Partial;
        self.flights = [None, None];
        self.pings = 0;
        if let Some(subscriptions) = &mut self.subscriptions {
            subscriptions.forget_asked();
        }
    }

    /// The first octets of a packet came that is not all here.
    pub(super) fn begin(&mut self, input: &Input<'_>) {
        if input.direction == self.life.way_to_broker() {
            self.keep_alive.begin(input.time);
        }
    }

    /// Reads one packet, of which `shown` are the octets that are looked at, and emits it. It may be
    /// carried by a WebSocket, which began with an `upgrade`.
    #[inline]
    pub(super) fn packet(
        &mut self,
        input: &Input<'_>,
        header: Header,
        shown: &[u8],
        upgrade: Option<&Upgrade>,
        out: &mut dyn Records,
    ) {
        let mut found = Emit::new(out);
        let body = shown.get(usize::from(header.length)..).unwrap_or_default();
        let skipped = header.total() - shown.len();
        let dialect = match self.dialect {
            Some(dialect) if !dialect.inferred => Some(dialect),
            _ => self.infer(header, body, skipped),
        };
        let mut packet = Packet::new(header, dialect, skipped);
        packet.upgrade = upgrade;
        packet.read(body, &mut found);
        let seen = self.seen(input);
        let asked = self.follow(&seen, &mut packet, shown, &mut found);
        if let Some(asked) = &asked {
            packet.answered = asked.filters();
        }
        packet.who = self.who.as_ref();
        if let Some(alias) = packet.topic_alias() {
            let direction = input.direction.index();
            let whole = !self.partial[direction];
            alias::resolve(&mut self.aliases[direction], alias, &mut packet, whole, &mut found);
        }
        found.into_records().emit(&packet);
        if let (Some(asked), Some(subscriptions)) = (asked, &mut self.subscriptions) {
            subscriptions.done(asked);
        }
    }

    /// Draws a conclusion about the level from a packet, unless CONNECT says it.
    #[cold]
    fn infer(&mut self, header: Header, body: &[u8], skipped: usize) -> Option<Dialect> {
        match header.kind {
            PacketType::Connect => return None,
            PacketType::Publish if self.dialect.is_some() => return self.dialect,
            _ => {}
        }
        match guess::level(header, body, skipped) {
            Hint::None => self.dialect.or(self.likely),
            Hint::Likely(level) => {
                self.likely = Some(Dialect::inferred(level));
                self.likely
            }
            Hint::Only(level) => {
                self.dialect = Some(Dialect::inferred(level));
                self.dialect
            }
        }
    }

    #[inline]
    fn seen(&self, input: &Input<'_>) -> Seen {
        let (direction, time, late) = (input.direction, input.time, input.late);
        let is_v5 = self.dialect == Some(Dialect::known(Level::V5));
        let acknowledged = input.acknowledged;
        Seen { direction, time, late, acknowledged, may_repeat: !is_v5 }
    }

    /// Takes note of a packet, and reports what is wrong with it after those before it. Returns what
    /// it answers.
    #[inline]
    fn follow(
        &mut self,
        seen: &Seen,
        packet: &mut Packet<'_>,
        shown: &[u8],
        found: &mut dyn Report,
    ) -> Option<Asked> {
        let step = self.life.take(seen.direction, packet, found);
        if step != Step::None {
            self.take(step, seen, packet);
        }
        let to_broker = seen.direction == self.life.way_to_broker();
        self.look_at_time(seen, to_broker, packet.skipped > 0, found);
        let limits = self.bounds.of(seen, self.life.way_to_broker());
        self.bounds.check_size(limits, packet, found);
        if step == Step::Ignore {
            return None;
        }
        let mut asked = None;
        match packet.header.kind {
            PacketType::Publish => {
                self.tally.publish(to_broker);
                if let Some(alias) = packet.topic_alias() {
                    limits.check_alias(alias, found);
                }
                self.publish(limits, seen, packet, found);
            }
            PacketType::Pingreq => self.pings = self.pings.saturating_add(1),
            PacketType::Pingresp => self.pong(seen, found),
            PacketType::Connack | PacketType::Disconnect | PacketType::Auth => {}
            _ => asked = self.follow_identifier(seen, packet, found),
        }
        self.check_levels(packet, shown, found);
        if let Some(flight) = &mut self.flights[seen.direction.index()]
            && let Some(id) = flight.unreleased(self.bounds.settings().release_time, seen)
        {
            let value = Value::Integer(id.get().into());
            found.report(Violation::Qos2Unreleased, "message_id", value, 0);
        }
        asked
    }

    /// What a connection has only once.
    fn take(&mut self, step: Step, seen: &Seen, packet: &Packet<'_>) {
        let direction = seen.direction;
        match step {
            Step::None | Step::Ignore => {}
            Step::Connect | Step::Again => {
                if step == Step::Again {
                    self.partial = [true; 2];
                    (self.asks, self.grants) = (None, None);
                    self.keep_alive = KeepAlive::NONE;
                    self.forget();
                    self.aliases = [None, None];
                } else {
                    // Nothing comes before CONNECT.
                    self.partial[direction.index()] = false;
                }
                self.connect(direction, packet);
            }
            Step::Accept => {
                self.partial[direction.index()] = false;
                self.accept(packet);
            }
            Step::Refuse => {
                self.partial[direction.index()] = false;
                self.tally.refuse();
            }
        }
    }

    fn connect(&mut self, direction: Direction, packet: &Packet<'_>) {
        self.dialect = packet.dialect.or(self.dialect);
        let to_broker = self.life.way_to_broker();
        self.bounds.set(self.settings[to_broker.index()]);
        let Body::Connect(connect) = &packet.body else { return };
        let who = connect.client_id.map(|client_id| Who::new(client_id, connect.username));
        self.tally.connect(std::mem::replace(&mut self.who, who));
        let (Some(dialect), Some(flags), Some(keep_alive)) =
            (packet.dialect, connect.flags, connect.keep_alive)
        else {
            return;
        };
        self.bounds.connect(direction, packet);
        self.asks = Some(Asks { level: dialect.level, clean: flags.clean(), keep_alive });
        // The broker of level 5 may want another.
        if dialect.level < Level::V5 {
            self.keep_alive.agree(keep_alive);
        }
        if flags.clean() {
            self.begin_session();
        }
        self.agree();
    }

    fn accept(&mut self, packet: &Packet<'_>) {
        const KEEP_ALIVE: &Property = Property::named("server_keep_alive");
        const CLIENT_ID: &Property = Property::named("assigned_client_identifier");
        let Body::Connack { session_present } = packet.body else { return };
        let keep_alive = packet.properties.integer(KEEP_ALIVE).map(|seconds| seconds as u16);
        self.grants = Some(Grants { session_present, keep_alive });
        if let Some(dialect) = packet.dialect {
            self.bounds.accept(dialect.level, &packet.properties);
        }
        if let Value::Text(client_id) = packet.properties.value(CLIENT_ID) {
            let username = self.who.as_ref().and_then(Who::username);
            self.who = Some(Who::new(client_id, username));
        }
        self.agree();
    }

    /// Once both were seen, in whatever order: whether the session is new, and how often the client
    /// is to be heard.
    fn agree(&mut self) {
        let (Some(asks), Some(grants)) = (self.asks, self.grants) else { return };
        // MQTT 3.1 does not say whether there was a session.
        let is_new = asks.clean || (asks.level > Level::V3 && !grants.session_present);
        if is_new {
            self.begin_session();
        } else {
            self.forget();
        }
        self.keep_alive.agree(grants.keep_alive.unwrap_or(asks.keep_alive));
    }

    fn begin_session(&mut self) {
        if self.partial == [false; 2] && self.knowledge == Knowledge::Partial {
            // We joined before the first packet: nothing was in flight then.
            self.knowledge = Knowledge::Connection;
        }
        self.knowledge = self.knowledge.at_beginning();
        for flight in self.flights.iter_mut().flatten() {
            flight.begin();
        }
    }

    #[inline]
    fn look_at_time(&mut self, seen: &Seen, to_broker: bool, is_cut: bool, found: &mut dyn Report) {
        let silent =
            if to_broker { self.keep_alive.client(seen) } else { self.keep_alive.broker(seen) };
        if let Some(silent) = silent {
            let value = Value::Integer(silent.as_millis() as i64);
            found.report(Violation::KeepaliveMissed, "", value, 0);
        }
        if is_cut && to_broker {
            // Its end is not seen.
            self.keep_alive.miss();
        }
    }

    #[inline]
    fn publish(
        &mut self,
        limits: Limits,
        seen: &Seen,
        packet: &Packet<'_>,
        found: &mut dyn Report,
    ) {
        let request = match packet.header.qos() {
            1 => Request::AtLeastOnce,
            2 => Request::ExactlyOnce,
            _ => return,
        };
        self.request(request, seen, packet, found);
        let flight = self.flight(seen.direction);
        if let Some(messages) = flight.exceeds(limits.receive_maximum, seen) {
            let value = Value::Integer(messages.into());
            found.report(Violation::ReceiveMaximumExceeded, "receive_maximum", value, 0);
        }
    }

    /// A packet with an identifier, other than PUBLISH.
    fn follow_identifier(
        &mut self,
        seen: &Seen,
        packet: &mut Packet<'_>,
        found: &mut dyn Report,
    ) -> Option<Asked> {
        let answer = match packet.header.kind {
            PacketType::Subscribe => {
                self.request(Request::Subscribe, seen, packet, found);
                self.ask(packet);
                return None;
            }
            PacketType::Unsubscribe => {
                self.request(Request::Unsubscribe, seen, packet, found);
                self.ask(packet);
                return None;
            }
            PacketType::Puback => Answer::Puback,
            PacketType::Pubrec => Answer::Pubrec,
            PacketType::Pubrel => Answer::Pubrel,
            PacketType::Pubcomp => Answer::Pubcomp,
            PacketType::Suback => Answer::Suback,
            PacketType::Unsuback => Answer::Unsuback,
            _ => return None,
        };
        self.answer(answer, seen, packet, found);
        if matches!(answer, Answer::Suback | Answer::Unsuback) {
            return self.check_codes(packet, found);
        }
        None
    }

    fn request(
        &mut self,
        request: Request,
        seen: &Seen,
        packet: &Packet<'_>,
        found: &mut dyn Report,
    ) {
        let Some(id) = packet.id.and_then(NonZeroU16::new) else { return };
        let flight = self.flight(seen.direction);
        if let Some(violation) = flight.request(id, request, packet.header.dup(), seen) {
            found.report(violation, "message_id", Value::Integer(id.get().into()), 0);
        }
    }

    fn answer(
        &mut self,
        answer: Answer,
        seen: &Seen,
        packet: &mut Packet<'_>,
        found: &mut dyn Report,
    ) {
        let Some(id) = packet.id.and_then(NonZeroU16::new) else { return };
        // PUBREL comes from the end that asked first.
        let asking = match answer {
            Answer::Pubrel => seen.direction,
            _ => seen.direction.opposite(),
        };
        let refuses = packet.code.is_some_and(|code| code >= 0x80);
        let Answered { violation, latency } = self.flight(asking).answer(id, answer, refuses, seen);
        packet.latency = latency;
        if let Some(violation) = violation {
            found.report(violation, "message_id", Value::Integer(id.get().into()), 0);
        }
    }

    fn flight(&mut self, direction: Direction) -> &mut Flight {
        let flight = &mut self.flights[direction.index()];
        flight.get_or_insert_with(|| Flight::new(self.knowledge))
    }

    fn ask(&mut self, packet: &Packet<'_>) {
        if let Some(id) = packet.id.and_then(NonZeroU16::new) {
            self.subscriptions.get_or_insert_default().ask(id, packet);
        }
    }

    /// As many codes as filters [MQTT-3.8.4-6], clause 3.11.3. Before level 5 an UNSUBACK has none.
    fn check_codes(&mut self, packet: &Packet<'_>, found: &mut dyn Report) -> Option<Asked> {
        let asked = self.subscriptions.as_mut()?.answer(NonZeroU16::new(packet.id?)?, packet)?;
        let Body::Codes(codes) = packet.body else { return Some(asked) };
        if packet.skipped == 0 && asked.count().is_some_and(|count| count != codes.len()) {
            let value = Value::Integer(codes.len() as i64);
            found.report(Violation::SubscriptionCountMismatch, "reason_codes", value, 0);
        }
        Some(asked)
    }

    /// A PINGRESP answers a PINGREQ [MQTT-3.12.4-1].
    fn pong(&mut self, seen: &Seen, found: &mut dyn Report) {
        if self.pings > 0 || !seen.informed() {
            self.pings = self.pings.saturating_sub(1);
        } else if self.partial == [false; 2] && self.grants.is_some() {
            let value = Value::Integer(PacketType::Pingresp as i64);
            found.report(Violation::AckWithoutRequest, "type", value, 0);
        }
    }

    /// Of topic names and filters.
    #[inline]
    fn check_levels(&self, packet: &Packet<'_>, shown: &[u8], found: &mut dyn Report) {
        let mut check = |topic: &[u8], field| {
            let at = || topic.as_ptr().addr().wrapping_sub(shown.as_ptr().addr());
            self.bounds.check_levels(topic, field, at, found);
        };
        match &packet.body {
            Body::Publish(publish) => check(publish.topic.unwrap_or_default(), "topic"),
            Body::Connect(connect) => check(connect.will_topic.unwrap_or_default(), "will.topic"),
            Body::Filters(filters) => {
                filters.iter().for_each(|one| check(one.filter, "topics.topic"));
            }
            Body::None | Body::Connack { .. } | Body::Codes(_) => {}
        }
    }

    /// The connection is over: whether that was because nobody heard of the client. Most brokers
    /// close it without a word then.
    pub(super) fn last_packet(
        &mut self,
        time: Timestamp,
        acknowledged: [Acknowledged; 2],
        out: &mut dyn Records,
    ) {
        let direction = self.life.way_to_broker().opposite();
        let acknowledged = acknowledged[direction.index()];
        let seen = Seen { direction, time, late: false, acknowledged, may_repeat: false };
        self.look_at_time(&seen, false, false, &mut Emit::new(out));
    }

    /// Tells what there is to know of the broker.
    pub(super) fn facts(&self, tell: &mut dyn FnMut(&'static str, Fact<'_>)) {
        let subscriptions = self.subscriptions.as_ref().map_or(0, |known| known.count());
        self.tally.tell(self.who.as_ref(), subscriptions, tell);
    }
}

const _: () = assert!(size_of::<Session>() <= 512, "most connections are a meter's");

#[cfg(test)]
#[path = "session_tests/mod.rs"]
mod tests;
