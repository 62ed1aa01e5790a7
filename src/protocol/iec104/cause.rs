//! Causes of transmission (IEC 60870-5-101, 7.2.3; 14 to 16 are of IEC 60870-5-7).

/// Periodic, cyclic.
pub const CYCLIC: u8 = 1;
/// Background scan.
pub const BACKGROUND: u8 = 2;
/// Spontaneous.
pub const SPONTANEOUS: u8 = 3;
/// The station has initialized.
pub const INITIALIZED: u8 = 4;
/// Request, or requested.
pub const REQUEST: u8 = 5;
/// Activation.
pub const ACTIVATION: u8 = 6;
/// Confirmation of an activation.
pub const ACTIVATION_CONFIRMATION: u8 = 7;
/// Deactivation.
pub const DEACTIVATION: u8 = 8;
/// Confirmation of a deactivation.
pub const DEACTIVATION_CONFIRMATION: u8 = 9;
/// Termination of an activation.
pub const ACTIVATION_TERMINATION: u8 = 10;
/// The common address is unknown to who answers.
pub const UNKNOWN_COMMON_ADDRESS: u8 = 46;
/// All counters, or with 1 to 4 added those of a group.
pub const COUNTERS_REQUESTED: u8 = 37;

/// Names by code, as the standard words them; `""` where the code is reserved or private.
pub static NAMES: &[&str; 64] = &[
    "",
    "periodic, cyclic",
    "background scan",
    "spontaneous",
    "initialized",
    "request or requested",
    "activation",
    "activation confirmation",
    "deactivation",
    "deactivation confirmation",
    "activation termination",
    "return information caused by a remote command",
    "return information caused by a local command",
    "file transfer",
    "authentication",
    "maintenance of authentication session key",
    "maintenance of user role and update key",
    "",
    "",
    "",
    "interrogated by station",
    "interrogated by group 1",
    "interrogated by group 2",
    "interrogated by group 3",
    "interrogated by group 4",
    "interrogated by group 5",
    "interrogated by group 6",
    "interrogated by group 7",
    "interrogated by group 8",
    "interrogated by group 9",
    "interrogated by group 10",
    "interrogated by group 11",
    "interrogated by group 12",
    "interrogated by group 13",
    "interrogated by group 14",
    "interrogated by group 15",
    "interrogated by group 16",
    "requested by general counter request",
    "requested by group 1 counter request",
    "requested by group 2 counter request",
    "requested by group 3 counter request",
    "requested by group 4 counter request",
    "",
    "",
    "unknown type identification",
    "unknown cause of transmission",
    "unknown common address",
    "unknown information object address",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
];

/// A set of causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Causes(u64);

impl Causes {
    /// Those that the standards reserve: 0, 17 to 19, 42 and 43.
    pub const RESERVED: Self = Self::range(0, 0).and(Self::range(17, 19)).and(Self::range(42, 43));
    /// Those left to agreement between the stations.
    pub const PRIVATE: Self = Self::range(48, 63);

    /// One cause.
    pub const fn one(cause: u8) -> Self {
        Self::range(cause, cause)
    }

    /// `first` to `last`, both included and at most 63.
    pub const fn range(first: u8, last: u8) -> Self {
        Self((u64::MAX << first) & (u64::MAX >> (63 - last)))
    }

    /// Those of both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `cause` (0 to 63) is in the set.
    #[inline]
    pub const fn contains(self, cause: u8) -> bool {
        self.0 >> (cause & 63) & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_they_were_made_of() {
        let causes = Causes::range(2, 3).and(Causes::one(5)).and(Causes::range(20, 36));
        let held: Vec<u8> = (0..64).filter(|cause| causes.contains(*cause)).collect();
        let expected: Vec<u8> = [2, 3, 5].into_iter().chain(20..=36).collect();
        assert_eq!(held, expected);
    }

    #[test]
    fn exactly_the_causes_that_are_neither_reserved_nor_private_have_names() {
        for (code, name) in (0..).zip(NAMES) {
            let unnamed = Causes::RESERVED.and(Causes::PRIVATE).contains(code);
            assert_eq!(name.is_empty(), unnamed, "cause {code}");
        }
    }
}
