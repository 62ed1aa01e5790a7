//! Where Wireshark differs, and why we do not follow it.

use crate::differences::Row;

/// A place where both decoders say different things of the same octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    /// Passwords and authentication data.
    Secret,
    /// Binary data that Wireshark shows as text.
    Correlation,
    /// Payloads that are no text.
    Binary,
    /// Payloads that are longer than what is kept.
    Kept,
    /// The mark of a bridge in the protocol level.
    Bridge,
    /// Names of codes.
    Names,
    /// Codes that are left out.
    Implied,
    /// The octet that CONNACK of level 3 does not use.
    Unused,
    /// Properties that may not stand there, or not again.
    Misplaced,
    /// Identifiers that no property has.
    UnknownProperty,
    /// Aliases of the two directions.
    Directions,
    /// Packets of type 15 before level 5.
    Auth,
    /// Packets that are not taken apart to their end.
    Malformed,
    /// Packets that Wireshark makes of what is none.
    NoPacket,
    /// What Wireshark does not know the level of.
    Joined,
}

/// Every difference there is; a comparison that finds none of a kind fails.
pub(crate) const DIFFERENCES: &[Row<Difference>] = &[
    Row {
        difference: Difference::Secret,
        field: "`mqtt.passwd`, `mqtt.prop_string` of Authentication Data",
        theirs: "the octets",
        ours: "their number, `password_length` and `authentication_data_length`",
        clause: "none: whoever reads records need not know them",
    },
    Row {
        difference: Difference::Correlation,
        field: "`mqtt.prop_string` of Correlation Data",
        theirs: "text, with other characters for what is none",
        ours: "two hexadecimal digits an octet, up to 256 octets",
        clause: "MQTT 5, 3.3.2.3.6: it is binary data",
    },
    Row {
        difference: Difference::Binary,
        field: "`mqtt.msg`, `mqtt.willmsg`",
        theirs: "octets",
        ours: "text, the first 1024 octets; if the first 256 are no UTF-8, these as hexadecimal digits in `payload_hex`, too",
        clause: "MQTT 5, 3.3.3: the payload is up to the peers; most send text",
    },
    Row {
        difference: Difference::Kept,
        field: "`mqtt.msg` of more than 64 KiB",
        theirs: "all octets, with the frame that has the last one",
        ours: "`payload_length` of all, `payload_utf8` of the first 64 KiB, `skipped_length` of the rest, with the frame that completes the first 64 KiB",
        clause: "none: what is kept of a packet has a limit",
    },
    Row {
        difference: Difference::Bridge,
        field: "`mqtt.ver` 131 and 132, and what the broker answers",
        theirs: "a level that it does not know, so `mqtt.connack.reason_code` instead of `mqtt.conack.val`",
        ours: "level 3 or 4, and `connect.bridge`",
        clause: "none: mosquitto marks connections between brokers with 80H",
    },
    Row {
        difference: Difference::Names,
        field: "names of codes",
        theirs: "those of each level, in words of its own",
        ours: "those of MQTT 5 for what means the same before (`Success`, `Granted QoS 1`, `Unspecified error` for 80H of SUBACK), so that a rule need not ask for the level",
        clause: "MQTT 5, table 2-6; MQTT 3.1.1, table 3.1 and 3.9.3",
    },
    Row {
        difference: Difference::Implied,
        field: "`mqtt.puback.reason_code` and the like, where it is left out",
        theirs: "nothing",
        ours: "`reason_code` 0",
        clause: "MQTT 5, 3.4.2.1, 3.5.2.1, 3.6.2.1, 3.7.2.1, 3.14.2.1, 3.15.2.1: then the code is 00H",
    },
    Row {
        difference: Difference::Unused,
        field: "`mqtt.conack.flags.reserved` at level 3",
        theirs: "whether the octet is not zero",
        ours: "`connack.session_present`, its lowest bit, as at other levels and in Suricata's records",
        clause: "MQTT 3.1, 3.2: the octet is not used",
    },
    Row {
        difference: Difference::Misplaced,
        field: "properties where they may not stand, or not again",
        theirs: "all of them",
        ours: "none that may not stand there, the first of those that are repeated, and the anomalies `property_not_allowed` and `property_repeated`",
        clause: "MQTT 5, table 2-4 and 2.2.2.2",
    },
    Row {
        difference: Difference::UnknownProperty,
        field: "`mqtt.prop_unknown`",
        theirs: "all octets behind the identifier",
        ours: "the anomaly `property_unknown`",
        clause: "MQTT 5, 2.2.2.2: how long the value is, only the identifier tells",
    },
    Row {
        difference: Difference::Directions,
        field: "`mqtt.topic` of an alias that only the other end has set",
        theirs: "the topic of the other end",
        ours: "no topic, and the anomaly `alias_unknown`",
        clause: "MQTT 5, 3.3.2.3.4: the mappings of client and server are independent",
    },
    Row {
        difference: Difference::Auth,
        field: "a packet of type 15 before level 5",
        theirs: "an AUTH without fields",
        ours: "the same, and the anomaly `reserved_type`",
        clause: "MQTT 3.1.1, table 2.1",
    },
    Row {
        difference: Difference::Malformed,
        field: "a packet that is malformed",
        theirs: "the fields before the one that is wrong",
        ours: "the same, at times one more or less, and the anomaly",
        clause: "MQTT 5, 4.13.1",
    },
    Row {
        difference: Difference::NoPacket,
        field: "a packet of type 0, or none at all",
        theirs: "a packet without fields",
        ours: "no packet: the anomalies `reserved_type` and `resync`",
        clause: "MQTT 5, table 2-1",
    },
    Row {
        difference: Difference::Joined,
        field: "what follows a CONNECT that nobody has seen",
        theirs: "what the setting `mqtt.default_version` says, or the anomaly `mqtt.unknown_version`",
        ours: "the level that the packets can be of, with `version_inferred`",
        clause: "none: the standard has no such place",
    },
];
