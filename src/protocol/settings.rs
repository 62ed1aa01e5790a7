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
