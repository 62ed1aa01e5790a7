//! What people want to know of a broker.

use super::connect::Connect;
use crate::event::Value;
use crate::protocol::Fact;

/// All names that a tally tells something under, in the order in which people read them.
pub(super) const NAMES: &[&str] =
    &["clients", "users", "subscriptions", "messages in", "messages out", "refused logins"];

/// What one connection tells of its broker.
#[derive(Debug, Default)]
pub(super) struct Tally {
    clients: Names,
    users: Names,
    to_broker: u64,
    from_broker: u64,
    refused: u64,
}

impl Tally {
    /// A message, and whether it went to the broker.
    #[inline]
    pub(super) fn publish(&mut self, to_broker: bool) {
        *(if to_broker { &mut self.to_broker } else { &mut self.from_broker }) += 1;
    }

    /// Somebody wants in.
    pub(super) fn connect(&mut self, connect: &Connect<'_>) {
        self.clients.add(connect.client_id);
        self.users.add(connect.username);
    }

    /// Whoever wanted in last was refused: no client of this broker.
    pub(super) fn refuse(&mut self) {
        self.refused += 1;
        self.clients.0.pop();
        self.users.0.pop();
    }

    /// Tells it, with how many subscriptions there were.
    pub(super) fn tell(&self, subscriptions: u64, tell: &mut dyn FnMut(&'static str, Fact<'_>)) {
        for client in &self.clients.0 {
            tell("clients", Fact::Member(Value::Text(client)));
        }
        for user in &self.users.0 {
            tell("users", Fact::UserName(Value::Text(user)));
        }
        tell("subscriptions", Fact::Count(subscriptions));
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
