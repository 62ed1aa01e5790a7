//! What a flow knows beyond the packet: the level, topic aliases, and what to tell of the broker.
//! The state of the session will stand here.

use super::alias::Aliases;
use super::detect::role_of;
use super::guess::{self, Hint};
use super::header::{Dialect, Header, PacketType};
use super::packet::{Body, Packet};
use super::violation::{Emit, Report, Violation};
use crate::event::{Records, Value};
use crate::flow::Direction;
use crate::protocol::{Fact, Role};

/// A connection between a client and a broker.
#[derive(Debug)]
pub(super) struct Session {
    /// What is spoken, as far as it is known.
    dialect: Option<Dialect>,
    /// Whether there are packets that we did not see.
    partial: bool,
    /// Whether the end that opened the flow has sent a packet.
    begun: bool,
    /// Which way leads to the broker.
    to_broker: Direction,
    /// By direction; most connections have none.
    aliases: [Option<Box<Aliases>>; 2],
    tally: Tally,
}

impl Session {
    /// A connection without a packet yet. Of one that we joined we know nothing.
    pub(super) fn new(joined: bool) -> Self {
        Self {
            dialect: None,
            partial: joined,
            begun: false,
            to_broker: Direction::ToServer,
            aliases: [None, None],
            tally: Tally::default(),
        }
    }

    /// What is spoken, as far as it is known.
    pub(super) fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// Packets were lost.
    pub(super) fn miss(&mut self) {
        self.partial = true;
    }

    /// Reads one packet, of which `shown` are the octets that are looked at, and emits it.
    #[inline]
    pub(super) fn packet(
        &mut self,
        direction: Direction,
        header: Header,
        shown: &[u8],
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
        packet.read(body, &mut found);
        self.follow(direction, &packet, &mut found);
        let aliases = &mut self.aliases[direction.index()];
        if packet.topic_alias().is_some() {
            resolve(aliases, &mut packet, self.partial, &mut found);
        }
        found.into_records().emit(&packet);
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
            Hint::None => self.dialect,
            Hint::Likely(level) => Some(Dialect::inferred(level)),
            Hint::Only(level) => {
                self.dialect = Some(Dialect::inferred(level));
                self.dialect
            }
        }
    }

    #[inline]
    fn follow(&mut self, direction: Direction, packet: &Packet<'_>, found: &mut dyn Report) {
        let kind = packet.header.kind;
        if !self.begun && direction == Direction::ToServer {
            self.begun = true;
            if kind != PacketType::Connect && !self.partial {
                let value = Value::Integer(kind as i64);
                found.report(Violation::NotConnectFirst, "type", value, 0);
            }
        }
        if kind == PacketType::Connect {
            self.dialect = packet.dialect.or(self.dialect);
            self.aliases = [None, None];
        }
        match role_of(kind) {
            Some(Role::Client) => self.to_broker = direction,
            Some(Role::Server) => self.to_broker = direction.opposite(),
            None => {}
        }
        self.tally.add(packet, direction == self.to_broker);
    }

    /// Tells what there is to know of the broker.
    pub(super) fn facts(&self, tell: &mut dyn FnMut(&'static str, Fact<'_>)) {
        self.tally.tell(tell);
    }
}

/// Sets the alias of a PUBLISH or looks it up (clause 3.3.2.3.4).
fn resolve<'a>(
    aliases: &'a mut Option<Box<Aliases>>,
    packet: &mut Packet<'a>,
    partial: bool,
    found: &mut dyn Report,
) {
    let Some(alias) = packet.topic_alias() else { return };
    let Body::Publish(publish) = &mut packet.body else { return };
    let value = Value::Integer(alias.into());
    if alias == 0 {
        return found.report(Violation::AliasZero, "topic_alias", value, 0);
    }
    let aliases = aliases.get_or_insert_default();
    match publish.topic {
        Some([]) => publish.aliased = aliases.get(alias),
        Some(topic) => return aliases.set(alias, topic),
        None => return,
    }
    if publish.aliased.is_none() && !partial && !aliases.is_forgetful() {
        found.report(Violation::AliasUnknown, "topic_alias", value, 0);
    }
}

/// All names that a tally tells something under, in the order in which people read them.
pub(super) const FACTS: &[&str] =
    &["clients", "users", "subscriptions", "messages in", "messages out", "refused logins"];

/// What people want to know of a broker.
#[derive(Debug, Default)]
struct Tally {
    clients: Names,
    users: Names,
    subscriptions: u64,
    to_broker: u64,
    from_broker: u64,
    refused: u64,
}

impl Tally {
    #[inline]
    fn add(&mut self, packet: &Packet<'_>, to_broker: bool) {
        match (&packet.body, packet.header.kind) {
            (_, PacketType::Publish) if to_broker => self.to_broker += 1,
            (_, PacketType::Publish) => self.from_broker += 1,
            (Body::Connect(connect), _) => {
                self.clients.add(connect.client_id);
                self.users.add(connect.username);
            }
            (_, PacketType::Connack) if packet.code.is_some_and(|code| code != 0) => {
                self.refused += 1;
            }
            (_, PacketType::Subscribe) => {
                self.subscriptions += packet.subscriptions().count() as u64;
            }
            _ => {}
        }
    }

    fn tell(&self, tell: &mut dyn FnMut(&'static str, Fact<'_>)) {
        for client in &self.clients.0 {
            tell("clients", Fact::Member(Value::Text(client)));
        }
        for user in &self.users.0 {
            tell("users", Fact::UserName(Value::Text(user)));
        }
        tell("subscriptions", Fact::Count(self.subscriptions));
        tell("messages in", Fact::Count(self.to_broker));
        tell("messages out", Fact::Count(self.from_broker));
        tell("refused logins", Fact::Count(self.refused));
    }
}

/// A few names. A connection has one client; only one that is made to look strange has more.
#[derive(Debug, Default)]
struct Names(Vec<Box<[u8]>>);

impl Names {
    const MOST: usize = 64;
    /// Octets of a name that are kept.
    const LONGEST: usize = 128;

    fn add(&mut self, name: Option<&[u8]>) {
        let Some(name @ [_, ..]) = name else { return };
        let name = name.get(..Self::LONGEST).unwrap_or(name);
        if self.0.len() < Self::MOST && !self.0.iter().any(|known| **known == *name) {
            self.0.push(name.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_few_and_short_and_told_once() {
        let mut names = Names::default();
        names.add(Some(b"a"));
        names.add(Some(b"a"));
        names.add(Some(b""));
        names.add(None);
        assert_eq!(names.0, [b"a"[..].into()]);
        for number in 0..1000 {
            names.add(Some(format!("{number:01000}").as_bytes()));
            names.add(Some(format!("{number}").as_bytes()));
        }
        assert_eq!(names.0.len(), Names::MOST);
        assert!(names.0.iter().all(|name| name.len() <= Names::LONGEST));
    }
}
