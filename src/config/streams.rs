//! The keys of `streams`: how hosts read what they receive.

use ipnet::IpNet;

use super::setting::{section, words};
use crate::flow::{self, HostPolicies, HostPolicy};

section! {
    /// An attacker sends the same octets twice with different content, or segments that their receiver
    /// drops, so that it reads something else than who looks on. What is read here is what the
    /// receiver reads, and each such segment is an anomaly all the same. A change takes a restart.
    pub struct Streams {
        /// Of two segments with the same octets, while neither was read: whose are read. `linux`: those
        /// of the first, unless the other begins before it, or with it and ends behind it; `windows`
        /// and `bsd`: those of the first, unless the other begins before it.
        overlaps: Overlaps = "linux";
        /// Whether the octet that an urgent pointer shows is taken out of the stream.
        urgent: Urgent = "out_of_band";
        /// Segments with a wrong checksum, of senders whose checksums are right otherwise: `honour` drops
        /// them as their receiver does, `ignore` reads them. `strict` also drops what looks as if its
        /// checksum was left to a network card; it is for taps, where GRO is off.
        checksums: Checksums = "honour";
        /// What hosts do otherwise. The first member that has the receiver's address counts for it; a
        /// key that it does not give has its default, not what stands above.
        hosts: Vec<Hosts> = "[]", shown "\
#hosts:
#  - {networks: [10.30.0.0/16], overlaps: windows}
";
    }
}

section! {
    /// How these hosts read what they receive.
    pub struct Hosts {
        /// Their addresses and networks.
        networks: Vec<IpNet>;
        /// As above.
        overlaps: Overlaps = "linux";
        /// As above.
        urgent: Urgent = "out_of_band";
        /// As above.
        checksums: Checksums = "honour";
    }
}

words! {
    /// Whose octets are read.
    pub enum Overlaps {
        /// The first segment's.
        First = "first",
        /// The last segment's.
        Last = "last",
        /// As Linux does.
        Linux = "linux",
        /// As Windows does.
        Windows = "windows",
        /// As the BSDs do.
        Bsd = "bsd",
    }
}

words! {
    /// What becomes of urgent octets.
    pub enum Urgent {
        /// They are taken out.
        OutOfBand = "out_of_band",
        /// They are read.
        Inline = "inline",
    }
}

words! {
    /// What becomes of segments with wrong checksums.
    pub enum Checksums {
        /// They are dropped.
        Honour = "honour",
        /// They are dropped, and so are those that look as if they were left to a network card.
        Strict = "strict",
        /// They are read.
        Ignore = "ignore",
    }
}

impl Streams {
    /// The policies of all hosts.
    pub fn policies(&self) -> HostPolicies {
        let of_hosts = |hosts: &Hosts| {
            let policy = policy(hosts.overlaps, hosts.urgent, hosts.checksums);
            (hosts.networks.clone(), policy)
        };
        HostPolicies {
            standard: policy(self.overlaps, self.urgent, self.checksums),
            networks: self.hosts.iter().map(of_hosts).collect(),
        }
    }
}

fn policy(overlaps: Overlaps, urgent: Urgent, checksums: Checksums) -> HostPolicy {
    HostPolicy {
        overlaps: match overlaps {
            Overlaps::First => flow::Overlaps::First,
            Overlaps::Last => flow::Overlaps::Last,
            Overlaps::Linux => flow::Overlaps::Linux,
            Overlaps::Windows => flow::Overlaps::Windows,
            Overlaps::Bsd => flow::Overlaps::Bsd,
        },
        urgent: match urgent {
            Urgent::OutOfBand => flow::Urgent::OutOfBand,
            Urgent::Inline => flow::Urgent::Inline,
        },
        checksums: match checksums {
            Checksums::Honour => flow::Checksums::Honour,
            Checksums::Strict => flow::Checksums::Strict,
            Checksums::Ignore => flow::Checksums::Ignore,
        },
    }
}
