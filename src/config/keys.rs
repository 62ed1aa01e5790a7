//! Every key of `gridtap.yaml`, in the order of the reference and of the example.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::check;
use super::reader::Reader;
use super::setting::{Kind, Setting, section, words};
use super::streams::Streams;
use super::value::{FieldName, InterfaceName, Label, Listen, Octets, RuleSource};
use crate::document::yaml::Node;
use crate::engine;
use crate::event::Redaction;
use crate::flow::{Tenancy, Timeouts};
use crate::output::{Types, evidence};
use crate::packet::Outer;
use crate::protocol::Configured;
use crate::rule::Placeholders;
use crate::rule::{self, CorrelatorLimits, Suppression};

section! {
    /// The whole configuration.
    pub struct Config {
        /// Name of this sensor: the field `host` of every record. Without it records have none.
        host: Option<String>, shown "#host: boundary-7\n";

        /// What is listened to: network interfaces and taps.
        interfaces: Vec<Interface> = "[]", shown "\
#interfaces:
#  - interface: eth1
#    filter:
#      ports: [2404, 1883, 8883]
#      networks: [10.20.0.0/16, 10.30.0.0/16]
#  - tap: [eth2, eth3]
";

        /// Capture threads. Each has an engine of its own; the kernel spreads the flows over them.
        threads: u32 = "1", from "1" to "64";

        /// A packet that comes again within this time is the copy that a mirror port makes of what
        /// it sees on the way in and on the way out: it is dropped and counted.
        duplicates: Option<Duration> = "10ms", from "1us" to "1s";

        /// Where rules come from: `builtin` is the pack that is built in; a path is a rule file, or
        /// a folder of `*.yml` and `*.yaml` files.
        rules: Vec<RuleSource> = "[builtin]", shown "\
#rules: [builtin, rules]
";

        /// What stands for `%name%` in rules with the modifier `expand`. A rule with a placeholder
        /// that has no value is not in force.
        placeholders: Placeholders = "{}", shown "\
#placeholders:
#  masters: [10.20.0.10, 10.20.0.11]
";

        /// What gridtap cannot see of servers, and is told here, by protocol.
        protocols: Configured = "{}";

        /// What makes two packets of one flow, beside their addresses, ports and protocol.
        flows: Flows = "{}";

        /// How hosts read TCP segments that can be read in two ways.
        streams: Streams = "{}";

        /// How much may be kept, all threads together.
        limits: Limits = "{}";

        /// Which alerts are told, where they are many.
        alerts: Alerts = "{}";

        /// Where records go.
        outputs: Vec<Output> = "[]", shown "\
outputs:
  - type: file
    path: /var/log/gridtap/eve.json
    # At most 8 GiB in all: this file and seven older ones.
    rotation: {size: 1GiB, keep: 7}
#  - type: syslog
#    address: 192.0.2.1:514
#    types: [alert]
";

        /// What leaves the process in no record, no answer of the API and no capture of evidence:
        /// `user_names`, and `payloads` of MQTT with what applications put beside them (correlation
        /// data). Rules match what is hidden all the same.
        redact: Vec<Redacted> = "[]", shown "\
#redact: [user_names, payloads]
";

        /// Captures of the packets around each alert.
        evidence: Option<Evidence> = "off";

        /// Metrics, health and the API.
        http: Option<Http> = "{}";

        /// User that the daemon becomes once its sockets are open. The service needs none: systemd
        /// starts it as its user.
        user: Option<String>, shown "#user: gridtap\n";

        /// Where the daemon keeps what outlives it: the spools of the outputs.
        state_directory: PathBuf = "/var/lib/gridtap";

        /// The least important messages that the daemon itself logs.
        log_level: LogLevel = "info";
    }
}

words! {
    /// What is hidden.
    pub enum Redacted {
        /// Who logs in.
        UserNames = "user_names",
        /// What applications tell each other.
        Payloads = "payloads",
    }
}

impl Config {
    /// What is hidden.
    pub fn redaction(&self) -> Redaction {
        Redaction {
            user_names: self.redact.contains(&Redacted::UserNames),
            payloads: self.redact.contains(&Redacted::Payloads),
        }
    }
}

/// What is listened to, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Interface {
    /// The interface or the interfaces.
    pub link: Link,
    /// The most octets of a frame that are kept.
    pub snap_length: u32,
    /// Whether frames for other hosts are wanted.
    pub promiscuous: bool,
    /// What the kernel leaves out.
    pub filter: Filter,
    /// The memory that the kernel writes frames to.
    pub ring: Ring,
}

/// Where frames come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// An interface that sees both directions.
    Interface(String),
    /// Two, each of which sees one direction of the same line.
    Tap([String; 2]),
}

impl Link {
    /// The names of its interfaces.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Interface(name) => std::slice::from_ref(name),
            Self::Tap(names) => names,
        }
    }
}

section! {
    /// Each member of the list has either `interface` or `tap`.
    pub(super) struct InterfaceKeys {
        /// An interface that sees both directions, such as one at a mirror port.
        interface: Option<InterfaceName>;
        /// Two interfaces at a network tap, each of which sees one direction: frames are merged by
        /// the time that the kernel gave them.
        tap: Option<Vec<InterfaceName>>;
        /// The most octets of a frame that are kept. Interfaces that join segments (GRO) make
        /// frames of up to 64 KiB.
        snap_length: Octets = "64KiB", from "128B" to "256KiB";
        /// Whether frames for other hosts are wanted, as they are at a mirror port or a tap.
        promiscuous: bool = "true";
        /// What the kernel leaves out.
        filter: Filter = "{}";
        /// The memory that the kernel writes frames to, for each interface and thread.
        ring: Ring = "{}";
    }
}

section! {
    /// Frames that do not pass are not seen, not even as flows. Both conditions must hold.
    pub struct Filter {
        /// A port of a packet is one of these. Without any, all pass.
        ports: Vec<NonZeroU16> = "[]";
        /// An address of a packet is in one of these. Without any, all pass.
        networks: Vec<IpNet> = "[]";
    }
}

section! {
    /// `block_size` times `blocks` is taken from the kernel's memory for each interface and thread.
    pub struct Ring {
        /// Size of a block: whole pages, with room for a frame of `snap_length`.
        block_size: Octets = "1MiB", from "64KiB" to "64MiB";
        /// Number of blocks.
        blocks: u32 = "64", from "2" to "4096";
        /// A block that is not full is handed over after this time: what an alert waits for when
        /// there is little traffic.
        block_timeout: Duration = "2ms", from "1ms" to "1s";
    }
}

section! {
    /// Without any of these every alert is told. What is not told is counted, in an alert like it that
    /// is told (`alert.suppressed`) and in `gridtap_alerts_suppressed_total`.
    pub struct Alerts {
        /// Alerts that repeat each other. The first member of the list that names a rule counts for
        /// it.
        suppress: Vec<Repetition> = "[]", shown "\
#suppress:
#  - {rules: [Test command to a station], by: [dest_ip], interval: 1h}
#  - {by: [src_ip, dest_ip], interval: 10m}
";
        /// The most alerts a minute, of all rules. The first of each rule is told besides. Of what is
        /// over a limit, the last of each rule is told when the minute is over.
        limit: Option<u32> = "off", from "1" to "1000000";
        /// The most alerts a minute of one rule.
        rule_limit: Option<u32> = "off", from "1" to "1000000";
    }
}

section! {
    /// The first alert is told at once, then the last of each interval.
    pub struct Repetition {
        /// Identities (UUID) or titles of rules. Without any, all rules.
        rules: Vec<String> = "[]";
        /// Alerts of a rule that agree in these fields repeat each other. A rule whose records do not
        /// have a field does without it. Alerts of a correlation repeat each other if their groups
        /// agree.
        by: Vec<FieldName> = "[src_ip, dest_ip]";
        /// How long only the last of them is told.
        interval: Duration = "10m", from "1s" to "30d";
    }
}

impl Alerts {
    /// What is held back.
    pub fn suppression(&self) -> Suppression {
        let repetition = |some: &Repetition| rule::Repetition {
            rules: some.rules.clone(),
            by: some.by.iter().map(|FieldName(name)| name.clone()).collect(),
            interval: some.interval,
        };
        Suppression {
            repetitions: self.suppress.iter().map(repetition).collect(),
            limit: self.limit,
            rule_limit: self.rule_limit,
        }
    }
}

section! {
    /// What makes two packets of one flow, beside their addresses, ports and protocol.
    pub struct Flows {
        /// On a carrier's line, private addresses of customers overlap: packets that differ in one of
        /// these are of different flows. `vlan`: the stack of VLAN tags, in tunnels too. `vni`: network
        /// identifiers of VXLAN and Geneve. `tunnel`: the two ends of each tunnel, and sessions of
        /// PPPoE. Leave out what differs between the two directions of a flow where you listen.
        tenants: Vec<Tenant> = "[vlan, vni, tunnel]";
    }
}

words! {
    /// What tells customers apart.
    pub enum Tenant {
        /// VLAN tags.
        Vlan = "vlan",
        /// Network identifiers.
        Vni = "vni",
        /// Ends of tunnels.
        Tunnel = "tunnel",
    }
}

impl Flows {
    /// What tells tenants apart.
    pub fn tenancy(&self) -> Tenancy {
        let has = |tenant| self.tenants.contains(&tenant);
        Tenancy { vlan: has(Tenant::Vlan), vni: has(Tenant::Vni), tunnel: has(Tenant::Tunnel) }
    }
}

section! {
    /// When a limit is reached, what was let go is counted.
    pub struct Limits {
        /// Flows at once. One more ends the flow that is least worth keeping.
        flows: u32 = "1000000", from "1" to "100000000";
        /// Memory for streams out of order and for unfinished messages. Beyond it, the flows that
        /// hold most give up what they hold, and a gap is declared.
        stream_memory: Octets = "256MiB", from "1MiB" to "1TiB";
        /// Tunnels in one another that are read. A packet with one more is not, and an anomaly says so.
        tunnel_depth: u32 = "8", from "1" to "16";
        /// Groups that each correlation rule remembers. One more lets go of the one that was hit
        /// longest ago.
        correlation_groups: u32 = "1000000", from "1" to "100000000";
        /// Memory for all correlation rules.
        correlation_memory: Octets = "256MiB", from "1MiB" to "1TiB";
        /// How long a flow may be silent, in packet time.
        timeouts: FlowTimeouts = "{}";
    }
}

section! {
    /// How long a flow may be silent, in packet time.
    pub struct FlowTimeouts {
        /// TCP that both ends have closed.
        closed: Duration = "10s", from "1s" to "30d";
        /// TCP of which only the opening was seen.
        half_open: Duration = "60s", from "1s" to "30d";
        /// UDP, and all else that is no TCP.
        datagram: Duration = "60s", from "1s" to "30d";
        /// TCP.
        established: Duration = "1h", from "1s" to "30d";
        /// TCP with a protocol that is known: its links are silent for hours and still alive.
        application: Duration = "24h", from "1s" to "30d";
    }
}

impl Limits {
    /// What is the part of one engine out of as many as there are `threads`.
    pub fn engine(&self, threads: u32) -> engine::Limits {
        let FlowTimeouts { closed, half_open, datagram, established, application } = self.timeouts;
        let memory = self.stream_memory.0 / u64::from(threads.max(1));
        engine::Limits {
            flows: self.flows.div_ceil(threads.max(1)) as usize,
            timeouts: Timeouts([closed, half_open, datagram, established, application]),
            stream_memory: usize::try_from(memory).unwrap_or(usize::MAX),
            tunnel_depth: u8::try_from(self.tunnel_depth).unwrap_or(Outer::MOST),
        }
    }
}

impl Limits {
    /// Those of what correlations remember.
    pub fn correlator(&self) -> CorrelatorLimits {
        CorrelatorLimits {
            groups: self.correlation_groups as usize,
            octets: usize::try_from(self.correlation_memory.0).unwrap_or(usize::MAX),
        }
    }
}

/// Where records go.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// What metrics call it, and its spool. No two outputs have the same.
    pub name: String,
    /// Who takes the records.
    pub target: Target,
    /// Which records.
    pub types: Types,
    /// The most that waits in memory.
    pub queue: Octets,
    /// The most alerts that wait on disk.
    pub spool: Option<Octets>,
}

/// Who takes records.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A file, a record a line.
    File {
        /// Where it is.
        path: PathBuf,
        /// When a new one is begun.
        rotation: Option<Rotation>,
    },
    /// A unix stream socket that somebody listens on, a record a line.
    UnixStream {
        /// Where it is.
        path: PathBuf,
    },
    /// A unix datagram socket, a record a datagram.
    UnixDatagram {
        /// Where it is.
        path: PathBuf,
    },
    /// A syslog server (RFC 5424).
    Syslog {
        /// Where it is.
        address: SocketAddr,
        /// How it is reached.
        protocol: Transport,
    },
}

section! {
    /// A slow or dead receiver stops neither capture nor the other outputs.
    pub(super) struct OutputKeys {
        /// What it is.
        r#type: OutputType;
        /// What metrics and the spool call it; the type where it is not given. No two outputs have
        /// the same.
        name: Option<Label>;
        /// Of `file`, `unix_stream` and `unix_datagram`: where it is.
        path: Option<PathBuf>;
        /// Of `syslog`: where it is, a number, not a name. The service is cut off from the network:
        /// it takes a drop-in to allow this address.
        address: Option<SocketAddr>;
        /// Of `syslog`: how it is reached. By `udp` nobody tells what is lost on the way: at most
        /// 64 messages are sent in 2 ms, so that a spool of alerts does not swamp the server. What
        /// must arrive goes by `tcp`.
        protocol: Transport = "udp";
        /// Of `file`: when a new one is begun. `off` leaves it to logrotate and SIGHUP; without
        /// either it grows as long as the disk has room.
        rotation: Option<Rotation> = "off";
        /// Which records. `all` is all but `iec104_object`, which repeats what `iec104` has.
        types: Types = "[all]";
        /// The most that waits in memory. Beyond it, records that are no alerts are dropped and
        /// counted; alerts go to the spool as fast as its disk takes them.
        queue: Octets = "16MiB", from "64KiB" to "4GiB";
        /// The most alerts that wait on disk, below `state_directory`, until they are written.
        spool: Option<Octets> = "256MiB", from "1MiB" to "1TiB";
    }
}

words! {
    /// Kinds of outputs.
    pub(super) enum OutputType {
        /// Lines in a file.
        File = "file",
        /// Lines to a listening socket.
        UnixStream = "unix_stream",
        /// Datagrams.
        UnixDatagram = "unix_datagram",
        /// RFC 5424.
        Syslog = "syslog",
    }
}

words! {
    /// How a syslog server is reached.
    pub enum Transport {
        /// RFC 5426: a message a datagram.
        Udp = "udp",
        /// RFC 6587: messages with their length before them.
        Tcp = "tcp",
    }
}

section! {
    /// With neither `size` nor `every` there would be none: one of them is needed.
    pub struct Rotation {
        /// Before it grows beyond this.
        size: Option<Octets>, from "1MiB" to "1TiB";
        /// At each full such time, counted from midnight UTC.
        every: Option<Duration>, from "1m" to "30d";
        /// What old files are called: `numbered` makes the youngest `eve.json.1`, `timed` puts the
        /// time of its end behind the name.
        names: RotatedNames = "numbered";
        /// How many old files are kept.
        keep: u32 = "7", from "1" to "1000";
    }
}

words! {
    /// What old files are called.
    pub enum RotatedNames {
        /// `eve.json.1` is the youngest.
        Numbered = "numbered",
        /// With the time of their end.
        Timed = "timed",
    }
}

section! {
    /// For each alert a pcapng file with packets of its flow, which the alert names.
    pub struct Evidence {
        /// Where the files are.
        directory: PathBuf = "/var/lib/gridtap/evidence";
        /// The most that all files may take; beyond it the oldest go.
        size: Octets = "1GiB", from "1MiB" to "64TiB";
        /// The most memory for packets that may be wanted.
        memory: Octets = "64MiB", from "1MiB" to "64GiB";
        /// The most packets of a flow before an alert, and after it.
        packets: u32 = "64", from "1" to "65536";
        /// How long before the alert the first of them may be.
        before: Duration = "30s", from "0s" to "1h";
        /// How long after the alert the last of them may be.
        after: Duration = "5s", from "0s" to "10m";
        /// Whether the passwords of MQTT CONNECTs are overwritten. With `redact` they are in any
        /// case.
        blank_passwords: bool = "true";
    }
}

impl Evidence {
    /// What is kept, and how much of it.
    pub fn options(&self, redaction: Redaction) -> evidence::Options {
        evidence::Options {
            directory: self.directory.clone(),
            size: self.size.0,
            memory: usize::try_from(self.memory.0).unwrap_or(usize::MAX),
            packets: self.packets,
            before: self.before,
            after: self.after,
            blank_passwords: self.blank_passwords,
            redaction,
        }
    }
}

section! {
    /// Read-only, without TLS, and for this host alone: whoever is to see it from elsewhere goes
    /// through a reverse proxy. A socket that systemd passes in is used in place of `listen`.
    pub struct Http {
        /// A loopback address and a port, or the path of a unix socket.
        listen: Listen = "127.0.0.1:9104";
        /// A file with a token. Then every request but those for health needs
        /// `Authorization: Bearer TOKEN`.
        token_file: Option<PathBuf>, shown "#token_file: http.token\n";
        /// Connections at once.
        connections: u32 = "32", from "1" to "4096";
        /// How long a request may take to come, and a connection be idle.
        timeout: Duration = "10s", from "100ms" to "10m";
        /// The largest request.
        request_size: Octets = "8KiB", from "1KiB" to "1MiB";
    }
}

words! {
    /// How important a message is.
    pub enum LogLevel {
        /// Something does not work.
        Error = "error",
        /// Something will not work for long.
        Warn = "warn",
        /// What an operator wants to know afterwards.
        Info = "info",
        /// What a developer wants to know.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

impl Setting for Interface {
    const KIND: Kind = InterfaceKeys::KIND;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let keys: InterfaceKeys = reader.section(node)?;
        let InterfaceKeys { interface, tap, snap_length, promiscuous, filter, ring } = keys;
        check::ring(&ring, snap_length, reader);
        let link = match (interface, tap) {
            (Some(InterfaceName(name)), None) => Link::Interface(name),
            (None, Some(names)) => {
                let names: Vec<_> = names.into_iter().map(|InterfaceName(name)| name).collect();
                let Ok(names) = names.try_into() else {
                    reader.wrong_at("tap", "a tap has two interfaces, one a direction", None);
                    return None;
                };
                Link::Tap(names)
            }
            (Some(_), Some(_)) => {
                reader.wrong_at("tap", "either `interface` or `tap`, not both", None);
                return None;
            }
            (None, None) if reader.is_given("interface") || reader.is_given("tap") => return None,
            (None, None) => return reader.wrong(node.span, "`interface` or `tap` is missing here"),
        };
        let snap_length = u32::try_from(snap_length.0).unwrap_or(u32::MAX);
        Some(Self { link, snap_length, promiscuous, filter, ring })
    }
}

impl Setting for Output {
    const KIND: Kind = OutputKeys::KIND;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let keys: OutputKeys = reader.section(node)?;
        let kind = keys.r#type;
        check::output_keys(kind, node.span, reader);
        check::rotation(keys.rotation.as_ref(), reader);
        let OutputKeys { path, address, rotation, protocol, .. } = keys;
        let target = match kind {
            OutputType::File => Target::File { path: path?, rotation },
            OutputType::UnixStream => Target::UnixStream { path: path? },
            OutputType::UnixDatagram => Target::UnixDatagram { path: path? },
            OutputType::Syslog => Target::Syslog { address: address?, protocol },
        };
        let name = keys.name.map_or_else(|| kind.name().to_owned(), |Label(name)| name);
        Some(Self { name, target, types: keys.types, queue: keys.queue, spool: keys.spool })
    }
}
