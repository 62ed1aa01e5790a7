//! What protocols tell of their servers: a table a protocol, a row a server.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;

use super::table::{Cell, Table};
use super::{HEADING, QUIET};
use crate::command::words;
use crate::event::Value;
use crate::protocol::{Fact, Protocol, REGISTRY};

/// The most servers of a protocol that are kept.
const MOST_SERVERS: usize = 10_000;

/// The most members of a set that are kept.
const MOST_MEMBERS: usize = 1000;

/// Servers of a protocol that are shown; the others are counted.
const SHOWN: usize = 30;

/// All protocols that told something.
#[derive(Debug, Default)]
pub(super) struct Servers(Vec<OfProtocol>);

#[derive(Debug)]
struct OfProtocol {
    protocol: &'static Protocol,
    /// What is known of each, by the column: an index of [`Protocol::facts`].
    servers: BTreeMap<IpAddr, Vec<Known>>,
}

/// What is known in one column.
#[derive(Debug)]
enum Known {
    Nothing,
    Count(u64),
    Members(BTreeSet<Member>),
}

/// A member of a set, in the order in which people look for it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Member {
    Integer(i64),
    Address(IpAddr),
    Text(String),
}

impl Servers {
    pub(super) fn add(
        &mut self,
        server: IpAddr,
        protocol: &'static Protocol,
        name: &'static str,
        fact: Fact<'_>,
    ) {
        let known = self.0.iter().position(|of| std::ptr::eq(of.protocol, protocol));
        let position = known.unwrap_or_else(|| {
            self.0.push(OfProtocol { protocol, servers: BTreeMap::new() });
            self.0.len() - 1
        });
        if let Some(of_protocol) = self.0.get_mut(position) {
            of_protocol.add(server, name, fact);
        }
    }

    pub(super) fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        let of = |protocol| self.0.iter().find(|of| std::ptr::eq(of.protocol, protocol));
        REGISTRY.iter().filter_map(|protocol| of(*protocol)).try_for_each(|of| of.show(out))
    }
}

impl OfProtocol {
    fn add(&mut self, server: IpAddr, name: &'static str, fact: Fact<'_>) {
        if self.servers.len() >= MOST_SERVERS && !self.servers.contains_key(&server) {
            return;
        }
        let columns = self.protocol.facts;
        let row = self.servers.entry(server);
        let row = row.or_insert_with(|| columns.iter().map(|_| Known::Nothing).collect());
        let mut cells = columns.iter().zip(row);
        if let Some((_, known)) = cells.find(|(column, _)| **column == name) {
            known.add(fact);
        }
    }

    fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        let (title, count) = (self.protocol.servers, words::count(self.servers.len() as u64));
        writeln!(out, "\n{HEADING}{title}: {count}{HEADING:#}\n")?;
        let mut table = Table::new(&["address"], self.protocol.facts);
        for (address, row) in self.servers.iter().take(SHOWN) {
            let address = Cell::Text(address.to_string());
            table.add([address].into_iter().chain(row.iter().map(Known::cell)).collect());
        }
        table.show(out)?;
        if self.servers.len() > SHOWN {
            let more = words::count((self.servers.len() - SHOWN) as u64);
            writeln!(out, "  {QUIET}and {more} more{QUIET:#}")?;
        }
        Ok(())
    }
}

impl Known {
    fn add(&mut self, fact: Fact<'_>) {
        match (self, fact) {
            (Self::Count(sum), Fact::Count(count)) => *sum = sum.saturating_add(count),
            (Self::Members(members), Fact::Member(value)) => {
                if members.len() < MOST_MEMBERS {
                    members.insert(Member::new(value));
                }
            }
            (known, Fact::Count(count)) => *known = Self::Count(count),
            (known, Fact::Member(value)) => *known = Self::Members([Member::new(value)].into()),
        }
    }

    fn cell(&self) -> Cell {
        match self {
            Self::Nothing => Cell::Text(String::new()),
            Self::Count(count) => Cell::Number(*count),
            Self::Members(members) => Cell::List(joined(members)),
        }
    }
}

impl Member {
    fn new(value: Value<'_>) -> Self {
        match value {
            Value::Integer(number) => Self::Integer(number),
            Value::Code(code) => Self::Integer(code.into()),
            Value::Address(address) => Self::Address(address),
            Value::Text(text) => Self::Text(words::printable(text)),
            Value::Boolean(flag) => Self::Text(flag.to_string()),
            Value::Single(number) => Self::Text(number.to_string()),
            Value::Double(number) => Self::Text(number.to_string()),
            Value::Time(time) => Self::Text(words::date_and_time(time)),
            Value::Absent => Self::Text(String::new()),
        }
    }
}

/// The members as text, neighbouring numbers as a range.
fn joined(members: &BTreeSet<Member>) -> Vec<String> {
    let members: Vec<_> = members.iter().collect();
    let follows = |one: &&Member, next: &&Member| match (one, next) {
        (Member::Integer(one), Member::Integer(next)) => one.checked_add(1) == Some(*next),
        _ => false,
    };
    let mut texts = Vec::new();
    for run in members.chunk_by(follows) {
        match run {
            [Member::Integer(first), _, .., Member::Integer(last)] => {
                texts.push(format!("{first}-{last}"));
            }
            _ => texts.extend(run.iter().map(|member| member.text())),
        }
    }
    texts
}

impl Member {
    fn text(&self) -> String {
        match self {
            Self::Integer(number) => number.to_string(),
            Self::Address(address) => address.to_string(),
            Self::Text(text) if text.is_empty() => "(empty)".to_owned(),
            Self::Text(text) => words::shortened(text, 40),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol;

    fn shown(facts: &[(u8, &'static str, Fact<'_>)]) -> String {
        shown_of("iec104", facts)
    }

    fn shown_of(protocol: &str, facts: &[(u8, &'static str, Fact<'_>)]) -> String {
        let protocol = protocol::by_name(protocol).unwrap();
        let mut servers = Servers::default();
        for (host, name, fact) in facts {
            servers.add([10, 0, 0, *host].into(), protocol, name, *fact);
        }
        let mut out = anstream::StripStream::new(Vec::new());
        servers.show(&mut out).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn counts_add_up_and_sets_are_joined() {
        let number = |number| Fact::Member(Value::Integer(number));
        let table = shown(&[
            (2, "common address", number(12)),
            (2, "commands", Fact::Count(3)),
            (2, "I-frames sent", Fact::Count(0)),
            (1, "common address", number(7)),
            (2, "common address", number(3)),
            (2, "common address", number(13)),
            (2, "common address", number(14)),
            (2, "commands", Fact::Count(1500)),
        ]);
        let expected = "
IEC 104 stations: 2

  address   common address  I-frames sent  I-frames received  objects reported  commands
  10.0.0.1  7
  10.0.0.2  3, 12-14                    0                                          1,503
";
        assert_eq!(table, expected);
    }

    #[test]
    fn columns_are_the_same_whatever_is_told_first() {
        let client = Fact::Member(Value::text("meter\n1"));
        let table = shown_of(
            "mqtt",
            &[
                (1, "messages out", Fact::Count(2)),
                (1, "subscriptions", Fact::Count(1)),
                (1, "clients", client),
            ],
        );
        let expected = "
MQTT brokers: 1

  address   clients  users  subscriptions  messages in  messages out  refused logins
  10.0.0.1  meter\u{FFFD}1                     1                          2
";
        assert_eq!(table, expected);
    }

    #[test]
    fn nothing_told_is_nothing_shown() {
        assert_eq!(shown(&[]), "");
    }
}
