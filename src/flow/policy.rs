//! What an end host makes of segments that can be read in two ways.
//!
//! A sender that nobody attacks never sends the same octet with two values. Where somebody does,
//! systems differ in which of them they read, and so must whoever looks on: Novak and Sturges,
//! "Target-Based TCP Stream Reassembly" (2007), tried which system does what.

use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;

/// Which of two segments gives the octets that both have, while neither was delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Overlaps {
    /// The one that came first.
    First,
    /// The one that came last.
    Last,
    /// The one that came first, unless the other begins before it, or begins with it and ends
    /// behind it.
    #[default]
    Linux,
    /// The one that came first, unless the other begins before it.
    Windows,
    /// As with Windows.
    Bsd,
}

impl Overlaps {
    /// Each of them.
    pub const ALL: &[Self] = &[Self::First, Self::Last, Self::Linux, Self::Windows, Self::Bsd];

    /// Whether the octets that two segments have in common are those of the newer one. Both count as
    /// they were sent, not as what is left of them.
    pub const fn prefers_newer(self, older: &Range<u64>, newer: &Range<u64>) -> bool {
        match self {
            Self::First => false,
            Self::Last => true,
            Self::Linux => {
                newer.start < older.start || newer.start == older.start && newer.end > older.end
            }
            Self::Windows | Self::Bsd => newer.start < older.start,
        }
    }
}

/// What becomes of the octet that an urgent pointer shows (RFC 6093).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Urgent {
    /// It is taken out of the stream: what all systems do unless an application asks for more.
    #[default]
    OutOfBand,
    /// It is an octet like any other: the application asked for it (`SO_OOBINLINE`).
    Inline,
}

/// What a receiver makes of checksums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Checksums {
    /// A segment with a wrong one is dropped, if its sender's are right otherwise. One that was left
    /// to a network card is right.
    #[default]
    Honour,
    /// As above, and what looks as if it was left to a network card is wrong, too, if its sender's
    /// are right otherwise.
    Strict,
    /// They are not looked at.
    Ignore,
}

/// How a host reads what it receives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct HostPolicy {
    /// Overlapping segments.
    pub overlaps: Overlaps,
    /// Urgent data.
    pub urgent: Urgent,
    /// Checksums.
    pub checksums: Checksums,
}

/// How hosts read what they receive, by their address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostPolicies {
    /// That of a host that is in none of `networks`.
    pub standard: HostPolicy,
    /// Of a host that is in one of these. The first member that has it counts.
    pub networks: Vec<(Vec<IpNet>, HostPolicy)>,
}

impl HostPolicies {
    /// The policy of a host.
    #[inline]
    pub fn of(&self, host: IpAddr) -> HostPolicy {
        let has_it =
            |(networks, _): &&(Vec<IpNet>, _)| networks.iter().any(|one| one.contains(&host));
        self.networks.iter().find(has_it).map_or(self.standard, |(_, policy)| *policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The older segment has octets 4 to 8. A row: the newer one, and who takes it for the part
    /// that both have; where the paper's thirteen positions overlap at all.
    #[test]
    fn each_system_prefers_what_the_paper_says() {
        use Overlaps::{Bsd, First, Last, Linux, Windows};
        for (newer, by) in [
            (2..6, &[Last, Linux, Windows, Bsd][..]),
            (2..8, &[Last, Linux, Windows, Bsd]),
            (2..10, &[Last, Linux, Windows, Bsd]),
            (4..6, &[Last]),
            (4..8, &[Last]),
            (4..10, &[Last, Linux]),
            (5..7, &[Last]),
            (5..8, &[Last]),
            (5..10, &[Last]),
        ] {
            for policy in Overlaps::ALL {
                let prefers = policy.prefers_newer(&(4..8), &newer);
                assert_eq!(prefers, by.contains(policy), "{policy:?} {newer:?}");
            }
            assert!(!by.contains(&First));
        }
    }

    #[test]
    fn the_first_network_that_has_a_host_counts() {
        let policy = |overlaps| HostPolicy { overlaps, ..HostPolicy::default() };
        let network = |text: &str| text.parse::<IpNet>().unwrap();
        let policies = HostPolicies {
            standard: policy(Overlaps::Bsd),
            networks: vec![
                (vec![network("10.1.2.0/24"), network("fd00::/8")], policy(Overlaps::First)),
                (vec![network("10.1.0.0/16")], policy(Overlaps::Last)),
            ],
        };
        for (host, overlaps) in [
            ("10.1.2.3", Overlaps::First),
            ("fd00::1", Overlaps::First),
            ("10.1.3.3", Overlaps::Last),
            ("10.2.0.1", Overlaps::Bsd),
        ] {
            assert_eq!(policies.of(host.parse().unwrap()), policy(overlaps), "{host}");
        }
    }
}
