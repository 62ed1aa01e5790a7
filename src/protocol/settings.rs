//! What people may configure of servers, because nobody can see it on the wire.
//!
//! A protocol registers a table of [`Parameter`]s. The configuration reads any such table, and hands
//! plain values back; what they mean is the protocol's own business.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Protocol, REGISTRY};

/// What may be configured of the servers of a protocol.
#[derive(Debug)]
pub struct Parameters {
    /// What they are about: a sentence.
    pub about: &'static str,
    /// All of them. None: nothing may be configured.
    pub table: &'static [Parameter],
}

impl Parameters {
    /// Nothing may be configured.
    pub const NONE: Self = Self { about: "", table: &[] };

    /// What is given, or else the default: a number for each of the table, in its order. `None` is
    /// not known.
    pub fn values(&self, given: &[Option<i64>]) -> impl Iterator<Item = Option<i64>> {
        let mut given = given.iter().copied();
        self.table.iter().map(move |parameter| given.next().flatten().or(parameter.default.value()))
    }
}

/// One thing that may be configured of a server.
#[derive(Debug)]
pub struct Parameter {
    /// Its key in the configuration.
    pub name: &'static str,
    /// What it does: sentences.
    pub meaning: &'static str,
    /// What values it has.
    pub kind: ParameterKind,
    /// The least and the greatest value, as people write them.
    pub range: Option<(&'static str, &'static str)>,
    /// Where nobody gives one.
    pub default: Standard,
    /// The name of another parameter that this one should not be greater than.
    pub at_most: Option<&'static str>,
}

/// What values a parameter has, and what the number is that stands for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// A whole number from 0 to 4294967295.
    Number,
    /// A duration: microseconds.
    Time,
    /// Yes or no: 1 or 0.
    Flag,
    /// How far a local time is ahead of UTC: minutes.
    UtcOffset,
}

/// The value of a parameter where nobody gives one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standard {
    /// This number, and how people write it.
    Is(i64, &'static str),
    /// None. People would write one like this.
    Unknown(&'static str),
}

impl Standard {
    /// The number, if there is one.
    pub const fn value(self) -> Option<i64> {
        match self {
            Self::Is(value, _) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

/// What is configured for some servers of a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where they are. Without any: everywhere.
    pub networks: Vec<IpNet>,
    /// In the order of the [table](Parameters::table); `None` is not known.
    pub values: Vec<Option<i64>>,
}

impl ServerSettings {
    /// Whether they are for the server with this address.
    pub fn hold(&self, address: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&address))
    }
}

/// What a protocol made of the [`ServerSettings`] of its servers. The first that
/// [holds](ServerSettings::hold) a server's address counts.
#[derive(Debug, Default)]
pub(super) struct PerServer<S> {
    of_servers: Vec<(ServerSettings, S)>,
    of_others: S,
}

impl<S> PerServer<S> {
    /// `read` makes settings of values in the order of the [table](Parameters::table).
    pub(super) fn new(settings: &[ServerSettings], read: impl Fn(&[Option<i64>]) -> S) -> Self {
        let of_servers = settings.iter().map(|some| (some.clone(), read(&some.values))).collect();
        Self { of_servers, of_others: read(&[]) }
    }

    /// What holds for the server with this address.
    pub(super) fn of(&self, server: IpAddr) -> &S {
        let found = self.of_servers.iter().find(|(some, _)| some.hold(server));
        found.map_or(&self.of_others, |(_, settings)| settings)
    }

    /// What holds for servers that nothing is configured for.
    pub(super) const fn of_others(&self) -> &S {
        &self.of_others
    }
}

/// What is configured for the servers of all protocols. For each protocol the first that
/// [holds](ServerSettings::hold) a server's address counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configured(Vec<Vec<ServerSettings>>);

impl Configured {
    /// What is configured for each protocol, in the order of [`REGISTRY`].
    pub const fn new(by_protocol: Vec<Vec<ServerSettings>>) -> Self {
        Self(by_protocol)
    }

    /// What is configured for the servers of each protocol.
    pub fn by_protocol(&self) -> impl Iterator<Item = (&'static Protocol, &[ServerSettings])> {
        let settings = self.0.iter().map(Vec::as_slice).chain(std::iter::repeat(&[][..]));
        REGISTRY.iter().copied().zip(settings)
    }
}

/// For the tests of protocols.
#[cfg(test)]
impl Parameters {
    /// Values by name; the others are not given.
    pub(super) fn named(&self, given: &[(&str, i64)]) -> Vec<Option<i64>> {
        let known: Vec<_> = self.table.iter().map(|parameter| parameter.name).collect();
        assert!(given.iter().all(|(name, _)| known.contains(name)), "{given:?}");
        let find = |name: &str| given.iter().find(|(known, _)| *known == name);
        known.iter().map(|name| find(name).map(|(_, value)| *value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(networks: &[&str], value: i64) -> ServerSettings {
        let networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        ServerSettings { networks, values: vec![Some(value)] }
    }

    #[test]
    fn the_first_that_holds_an_address_counts() {
        let read = |values: &[Option<i64>]| values.first().copied().flatten();
        let settings = [some(&["10.30.7.0/24", "2001:db8::/32"], 1), some(&["10.30.0.0/16"], 2)];
        let configured = PerServer::new(&settings, read);
        let of = |server: &str| *configured.of(server.parse().unwrap());
        assert_eq!(["10.30.7.1", "2001:db8::1", "10.30.8.1"].map(of), [Some(1), Some(1), Some(2)]);
        assert_eq!(["10.31.0.1", "::a1e:701"].map(of), [None; 2]);
        let everywhere = PerServer::new(&[some(&[], 3)], read);
        assert_eq!(*everywhere.of("::1".parse().unwrap()), Some(3));
        assert_eq!(*everywhere.of_others(), None);
    }
}
