//! What protocols tell of their servers: a table a protocol, a row a server.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::table::{Cell, Table};
use super::{HEADING, QUIET};
use crate::command::words;
use crate::inventory::{Inventory, Known, Member, Servers};
use crate::protocol::REGISTRY;

/// Servers of a protocol that are shown; the others are counted.
const SHOWN: usize = 30;

/// Writes a table for each protocol that told something.
pub(super) fn show(inventory: &Inventory, out: &mut dyn Write) -> io::Result<()> {
    let known = REGISTRY.iter().filter_map(|protocol| inventory.servers(protocol));
    known.into_iter().try_for_each(|servers| show_servers(servers, out))
}

fn show_servers(servers: &Servers, out: &mut dyn Write) -> io::Result<()> {
    let Servers { protocol, servers } = servers;
    let (title, count) = (protocol.servers, words::count(servers.len() as u64));
    writeln!(out, "\n{HEADING}{title}: {count}{HEADING:#}\n")?;
    let mut table = Table::new(&["address"], protocol.facts);
    for (address, row) in servers.iter().take(SHOWN) {
        let address = Cell::Text(address.to_string());
        table.add([address].into_iter().chain(row.iter().map(cell)).collect());
    }
    table.show(out)?;
    if servers.len() > SHOWN {
        let more = words::count((servers.len() - SHOWN) as u64);
        writeln!(out, "  {QUIET}and {more} more{QUIET:#}")?;
    }
    Ok(())
}

fn cell(known: &Known) -> Cell {
    match known {
        Known::Nothing => Cell::Text(String::new()),
        Known::Count(count) => Cell::Number(*count),
        Known::Members(members) => Cell::List(joined(members)),
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
            _ => texts.extend(run.iter().map(|member| text(member))),
        }
    }
    texts
}

fn text(member: &Member) -> String {
    match member {
        Member::Integer(number) => number.to_string(),
        Member::Address(address) => address.to_string(),
        Member::Text(text) if text.is_empty() => "(empty)".to_owned(),
        Member::Text(text) => words::shortened(&words::printable(text.as_bytes()), 40),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Value;
    use crate::protocol::{self, Fact};

    fn shown(facts: &[(u8, &'static str, Fact<'_>)]) -> String {
        shown_of("iec104", facts)
    }

    fn shown_of(protocol: &str, facts: &[(u8, &'static str, Fact<'_>)]) -> String {
        let protocol = protocol::by_name(protocol).unwrap();
        let mut inventory = Inventory::default();
        for (host, name, fact) in facts {
            inventory.add([10, 0, 0, *host].into(), protocol, name, *fact);
        }
        let mut out = anstream::StripStream::new(Vec::new());
        show(&inventory, &mut out).unwrap();
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
