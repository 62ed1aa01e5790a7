//! What protocols tell of their servers, gathered: for a summary that a person reads, and for the API.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::event::{Hex, Value};
use crate::protocol::{Fact, Protocol};

/// The most servers of a protocol that are kept.
const MOST_SERVERS: usize = 10_000;

/// The most members of a set that are kept.
const MOST_MEMBERS: usize = 1000;

/// All protocols that told something.
#[derive(Debug, Clone, Default)]
pub struct Inventory(Vec<Servers>);

/// The servers of a protocol.
#[derive(Debug, Clone)]
pub struct Servers {
    /// The protocol.
    pub protocol: &'static Protocol,
    /// What is known of each, by the index of [`Protocol::facts`].
    pub servers: BTreeMap<IpAddr, Vec<Known>>,
}

/// What is known under one name.
#[derive(Debug, Clone, Default)]
pub enum Known {
    /// Nothing was told.
    #[default]
    Nothing,
    /// A sum over flows.
    Count(u64),
    /// Members that flows told of.
    Members(BTreeSet<Member>),
}

/// A member of a set, in the order in which people look for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// A number, such as a common address.
    Integer(i64),
    /// An address.
    Address(IpAddr),
    /// A text from the wire, with U+FFFD for what is not UTF-8; or a value without an order of its
    /// own.
    Text(String),
}

impl Inventory {
    /// Takes note of what a flow tells of `server`.
    pub fn add(
        &mut self,
        server: IpAddr,
        protocol: &'static Protocol,
        name: &'static str,
        fact: Fact<'_>,
    ) {
        self.of(protocol).add(server, name, fact);
    }

    /// Takes over what somebody else knows.
    pub fn merge(&mut self, other: Self) {
        for Servers { protocol, servers } in other.0 {
            let of_protocol = self.of(protocol);
            for (server, row) in servers {
                let Some(known) = of_protocol.row(server) else { continue };
                known.iter_mut().zip(row).for_each(|(known, more)| known.merge(more));
            }
        }
    }

    /// The servers of a protocol, if any are known.
    pub fn servers(&self, protocol: &'static Protocol) -> Option<&Servers> {
        self.0.iter().find(|servers| std::ptr::eq(servers.protocol, protocol))
    }

    fn of(&mut self, protocol: &'static Protocol) -> &mut Servers {
        let known = self.0.iter().position(|of| std::ptr::eq(of.protocol, protocol));
        let position = known.unwrap_or_else(|| {
            self.0.push(Servers { protocol, servers: BTreeMap::new() });
            self.0.len() - 1
        });
        &mut self.0[position]
    }
}

impl Servers {
    fn add(&mut self, server: IpAddr, name: &'static str, fact: Fact<'_>) {
        let place = self.protocol.facts.iter().position(|known| *known == name);
        let row = self.row(server);
        if let (Some(row), Some(place)) = (row, place)
            && let Some(known) = row.get_mut(place)
        {
            known.add(fact);
        }
    }

    /// What is known of a server; `None` if it would be one too many.
    fn row(&mut self, server: IpAddr) -> Option<&mut Vec<Known>> {
        if self.servers.len() >= MOST_SERVERS && !self.servers.contains_key(&server) {
            return None;
        }
        let facts = self.protocol.facts.len();
        Some(self.servers.entry(server).or_insert_with(|| vec![Known::Nothing; facts]))
    }
}

impl Known {
    fn add(&mut self, fact: Fact<'_>) {
        match (self, fact) {
            (Self::Count(sum), Fact::Count(count)) => *sum = sum.saturating_add(count),
            (Self::Members(members), Fact::Member(value) | Fact::UserName(value)) => {
                if members.len() < MOST_MEMBERS {
                    members.insert(value.into());
                }
            }
            (known, Fact::Count(count)) => *known = Self::Count(count),
            (known, Fact::Member(value) | Fact::UserName(value)) => {
                *known = Self::Members([value.into()].into());
            }
        }
    }

    fn merge(&mut self, other: Self) {
        match (self, other) {
            (_, Self::Nothing) => {}
            (Self::Count(sum), Self::Count(count)) => *sum = sum.saturating_add(count),
            (Self::Members(members), Self::Members(more)) => {
                for member in more {
                    if members.len() < MOST_MEMBERS {
                        members.insert(member);
                    }
                }
            }
            (known, other) => *known = other,
        }
    }
}

impl From<Value<'_>> for Member {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Integer(number) => Self::Integer(number),
            Value::Code(code) => Self::Integer(code.into()),
            Value::Address(address) => Self::Address(address),
            Value::Text(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            Value::Octets(octets) => {
                Self::Text(String::from_utf8_lossy(Hex::new(octets).as_bytes()).into_owned())
            }
            Value::Boolean(flag) => Self::Text(flag.to_string()),
            Value::Single(number) => Self::Text(number.to_string()),
            Value::Double(number) => Self::Text(number.to_string()),
            Value::Time(time) => Self::Text(time.as_nanos().to_string()),
            Value::Absent => Self::Text(String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::REGISTRY;

    fn of(facts: &[Fact<'_>]) -> Inventory {
        let mut inventory = Inventory::default();
        for fact in facts {
            inventory.add([10, 0, 0, 1].into(), REGISTRY[0], REGISTRY[0].facts[0], *fact);
        }
        inventory
    }

    #[test]
    fn what_two_know_is_one() {
        let number = |number| Fact::Member(Value::Integer(number));
        let mut sum = of(&[number(1), number(2)]);
        sum.merge(of(&[number(2), number(3)]));
        let servers = sum.servers(REGISTRY[0]).unwrap();
        let Known::Members(members) = &servers.servers[&IpAddr::from([10, 0, 0, 1])][0] else {
            panic!("{servers:?}");
        };
        assert_eq!(members.len(), 3);
    }

    #[test]
    fn memory_is_bounded() {
        let mut inventory = Inventory::default();
        for number in 0..MOST_SERVERS as u32 + 10 {
            inventory.add(
                IpAddr::V4(number.into()),
                REGISTRY[0],
                REGISTRY[0].facts[0],
                Fact::Count(1),
            );
        }
        assert_eq!(inventory.servers(REGISTRY[0]).unwrap().servers.len(), MOST_SERVERS);
        let members: Vec<_> =
            (0..MOST_MEMBERS as i64 + 10).map(|n| Fact::Member(Value::Integer(n))).collect();
        let full = of(&members);
        let row = &full.servers(REGISTRY[0]).unwrap().servers[&IpAddr::from([10, 0, 0, 1])];
        assert!(matches!(&row[0], Known::Members(members) if members.len() == MOST_MEMBERS));
    }
}
