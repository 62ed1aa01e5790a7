//! What people want to know of a broker.

use super::who::Who;
use crate::event::Value;
use crate::protocol::Fact;

/// All names that a tally tells something under, in the order in which people read them.
pub(super) const NAMES: &[&str] =
    &["clients", "users", "subscriptions", "messages in", "messages out", "refused logins"];

/// So many clients on one connection are told of.
const MOST: usize = 64;

/// What one connection tells of its broker.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Who was let in before whoever wanted in last: a connection has one client, and only one that
    /// is made to look strange has more.
    before: Vec<Who>,
    /// Whoever wanted in last was refused: no client of this broker.
    is_refused: bool,
    refused: u64,
    to_broker: u64,
    from_broker: u64,
}

impl Tally {
    /// A message, and whether it went to the broker.
    #[inline]
    pub(super) fn publish(&mut self, to_broker: bool) {
        *(if to_broker { &mut self.to_broker } else { &mut self.from_broker }) += 1;
    }

    /// Somebody wants in, after this one.
    pub(super) fn connect(&mut self, before: Option<Who>) {
        let was_refused = std::mem::take(&mut self.is_refused);
        let Some(before) = before.filter(|_| !was_refused) else { return };
        if self.before.len() < MOST && !self.before.contains(&before) {
            self.before.push(before);
        }
    }

    /// Whoever wanted in last was refused.
    pub(super) fn refuse(&mut self) {
        self.refused += 1;
        self.is_refused = true;
    }

    /// Tells it, with who wanted in last and how many subscriptions there were.
    pub(super) fn tell(
        &self,
        last: Option<&Who>,
        subscriptions: u64,
        tell: &mut dyn FnMut(&'static str, Fact<'_>),
    ) {
        for who in self.before.iter().chain(last.filter(|_| !self.is_refused)) {
            if let client_id @ [_, ..] = who.client_id() {
                tell("clients", Fact::Member(Value::Text(client_id)));
            }
            if let Some(username @ [_, ..]) = who.username() {
                tell("users", Fact::UserName(Value::Text(username)));
            }
        }
        tell("subscriptions", Fact::Count(subscriptions));
        tell("messages in", Fact::Count(self.to_broker));
        tell("messages out", Fact::Count(self.from_broker));
        tell("refused logins", Fact::Count(self.refused));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(tally: &Tally, last: Option<&Who>) -> Vec<String> {
        let mut clients = Vec::new();
        tally.tell(last, 0, &mut |name, fact| {
            if let ("clients", Fact::Member(Value::Text(client))) = (name, fact) {
                clients.push(String::from_utf8_lossy(client).into_owned());
            }
        });
        clients
    }

    fn who(name: &str) -> Who {
        Who::new(name.as_bytes(), None)
    }

    #[test]
    fn clients_are_few_and_those_that_were_let_in() {
        let mut tally = Tally::default();
        tally.connect(None);
        assert_eq!(clients(&tally, Some(&who("a"))), ["a"]);
        tally.connect(Some(who("a")));
        assert_eq!(clients(&tally, Some(&who("b"))), ["a", "b"]);
        tally.refuse();
        assert_eq!(clients(&tally, Some(&who("b"))), ["a"]);
        tally.connect(Some(who("b")));
        tally.connect(Some(who("a")));
        assert_eq!(clients(&tally, Some(&who("c"))), ["a", "c"]);
        for number in 0..1000 {
            tally.connect(Some(who(&number.to_string())));
        }
        assert_eq!(clients(&tally, None).len(), MOST);
    }
}
