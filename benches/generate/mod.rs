//! Makes many rules out of few: the kinds of the rule pack, each for another station, another
//! point, another client. For benchmarks, and for tests of what many rules cost.

/// A rule file: its path and its text.
pub(crate) type File = (String, String);

/// So many rules of the pack's kinds, always the same for the same number.
pub(crate) fn rules(count: usize) -> impl Iterator<Item = File> {
    (0..count).map(rule)
}

fn rule(number: usize) -> File {
    let mut random = Random(number as u64);
    let kind = KINDS[number % KINDS.len()];
    let (folder, title, service, detection) = kind(&mut random);
    let id = uuid(&mut random);
    let text = format!(
        "title: {title} ({number})\n\
         id: {id}\n\
         status: experimental\n\
         level: low\n\
         logsource:\n  product: gridtap\n  service: {service}\n\
         detection:\n{detection}"
    );
    (format!("{folder}/{folder}_generated_{number:05}.yml"), text)
}

/// Folder, title, service, detection.
type Kind = fn(&mut Random) -> (&'static str, &'static str, &'static str, String);

const KINDS: &[Kind] = &[
    |random| {
        let ca = random.station();
        let detection = format!(
            "  unknown:\n    iec104.cause: unknown common address\n    iec104.ca: {ca}\n  condition: unknown\n"
        );
        ("iec104", "Station unknown", "iec104", detection)
    },
    |random| {
        let (ca, ioas) = (random.station(), random.points());
        let detection = format!(
            "  unknown:\n    iec104.cause: unknown information object address\n    iec104.ca: {ca}\n    \
             iec104.objects.ioa: {ioas}\n  condition: unknown\n"
        );
        ("iec104", "Point unknown", "iec104", detection)
    },
    |random| {
        let address = random.address();
        let detection = format!(
            "  unknown:\n    iec104.cause: [unknown type identification, unknown cause of transmission]\n    \
             dest_ip: {address}\n  condition: unknown\n"
        );
        ("iec104", "Not understood", "iec104", detection)
    },
    |random| {
        let (ca, kind) = (random.station(), random.one_of(COMMANDS));
        let detection = format!(
            "  command:\n    iec104.type: {kind}\n    iec104.ca: {ca}\n  refused:\n    \
             iec104.cause: activation confirmation\n    iec104.negative: true\n  \
             condition: command and refused\n"
        );
        ("iec104", "Command refused", "iec104", detection)
    },
    |random| {
        let (ca, network) = (random.station(), random.network());
        let (one, two) = (random.one_of(COMMANDS), random.one_of(COMMANDS));
        let detection = format!(
            "  command:\n    iec104.type: ['{one}', '{two}']\n    iec104.cause: activation\n    \
             iec104.ca: {ca}\n    direction: to_server\n  known:\n    src_ip|cidr: {network}\n  \
             condition: command and not known\n"
        );
        ("iec104", "Command from a stranger", "iec104", detection)
    },
    |random| {
        let (ca, ioas) = (random.station(), random.points());
        let detection = format!(
            "  point:\n    iec104.type_id|gte: 1\n    iec104.type_id|lte: 41\n    iec104.ca: {ca}\n    \
             iec104.objects.ioa: {ioas}\n    direction: to_server\n  condition: point\n"
        );
        ("iec104", "Report from the wrong side", "iec104", detection)
    },
    |random| {
        let (address, ca) = (random.address(), random.station());
        let detection = format!(
            "  parameter:\n    iec104.type_id|gte: 110\n    iec104.type_id|lte: 113\n    \
             iec104.cause: [activation, deactivation]\n    iec104.ca: {ca}\n  known:\n    \
             src_ip: {address}\n  condition: parameter and not known\n"
        );
        ("iec104", "Parameter changed", "iec104", detection)
    },
    |random| {
        let address = random.address();
        let detection = format!(
            "  refused:\n    mqtt.connack.return_code: [4, 5, 0x86, 0x87]\n    dest_ip: {address}\n  \
             condition: refused\n"
        );
        ("mqtt", "Login refused", "mqtt", detection)
    },
    |random| {
        let (feeder, site) = (random.below(10_000), random.below(500));
        let detection = format!(
            "  topics:\n    mqtt.subscribe.topics.topic: ['site{site}/feeder{feeder}/#', 'site{site}/+/set']\n  \
             condition: topics\n"
        );
        ("mqtt", "Subscription", "mqtt", detection)
    },
    |random| {
        let (meter, site) = (random.below(100_000), random.below(500));
        let detection = format!(
            "  command:\n    mqtt.publish.topic|startswith: 'site{site}/'\n    \
             mqtt.publish.topic|endswith: '/meter{meter}/set'\n  condition: command\n"
        );
        ("mqtt", "Command to a meter", "mqtt", detection)
    },
    |random| {
        let (address, event) = (random.address(), random.one_of(ANOMALIES));
        let detection = format!(
            "  broken:\n    anomaly.app_proto: [iec104, mqtt]\n    anomaly.event: {event}\n    \
             src_ip: {address}\n  condition: broken\n"
        );
        ("network", "Malformed", "anomaly", detection)
    },
    |random| {
        let network = random.network();
        let detection = format!(
            "  overlap:\n    anomaly.type: stream\n    anomaly.event: overlap_differs\n    \
             src_ip|cidr: {network}\n  condition: overlap\n"
        );
        ("network", "Overlap", "anomaly", detection)
    },
];

const COMMANDS: &[&str] = &[
    "C_SC_NA_1",
    "C_DC_NA_1",
    "C_RC_NA_1",
    "C_SE_NA_1",
    "C_SE_NB_1",
    "C_SE_NC_1",
    "C_SC_TA_1",
    "C_DC_TA_1",
];
const ANOMALIES: &[&str] =
    &["start_byte", "apci_length", "asdu_length", "trailing_bytes", "reserved_flags"];

/// An identity of version 4.
pub(crate) fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// A common address of one of two thousand stations.
    fn station(&mut self) -> u64 {
        1 + self.below(2_000)
    }

    /// One to four addresses of information objects.
    fn points(&mut self) -> String {
        let count = 1 + self.below(4);
        let points: Vec<_> = (0..count).map(|_| (1 + self.below(60_000)).to_string()).collect();
        format!("[{}]", points.join(", "))
    }

    fn address(&mut self) -> String {
        format!("10.{}.{}.{}", self.below(64), self.below(256), 1 + self.below(254))
    }

    fn network(&mut self) -> String {
        format!("10.{}.{}.0/24", self.below(64), self.below(256))
    }
}
