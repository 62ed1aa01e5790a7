//! What the people who run a sensor may not want to see, or may not be allowed to.

use super::Value;

/// What a field, or octets on the wire, give away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Nothing but what happens on the wire.
    Open,
    /// Who somebody is.
    UserName,
    /// What applications tell each other.
    Payload,
    /// What proves who somebody is. Nobody is ever told.
    Password,
}

/// What does not leave the process: neither in records nor in summaries, answers and evidence. Rules
/// match the real values all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Redaction {
    /// User names.
    pub user_names: bool,
    /// Payloads.
    pub payloads: bool,
}

impl Redaction {
    /// Stands in the place of what is hidden.
    pub const MARK: &'static str = "[redacted]";

    /// Whether it hides what gives this away.
    #[inline]
    pub const fn hides(self, secrecy: Secrecy) -> bool {
        match secrecy {
            Secrecy::Open => false,
            Secrecy::UserName => self.user_names,
            Secrecy::Payload => self.payloads,
            Secrecy::Password => true,
        }
    }

    /// Whether it hides more than passwords.
    pub const fn is_any(self) -> bool {
        self.user_names || self.payloads
    }

    /// The value, or the mark in its place.
    pub fn shown(self, secrecy: Secrecy, value: Value<'_>) -> Value<'_> {
        match value {
            Value::Absent => Value::Absent,
            _ if self.hides(secrecy) => Value::text(Self::MARK),
            value => value,
        }
    }
}
