//! Where Wireshark differs, and why we do not follow it.

use crate::differences::Row;

/// A place where both decoders say different things of the same octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    /// Where a sequence passes the last object address.
    Wrap,
    /// The order of a bitstring's octets.
    Bitstring,
    /// Two digits of a year from 70 on.
    Century,
    /// Seven octets that are no moment.
    NoMoment,
    /// Three octets that are no time.
    NoHour,
    /// A flag that three octets of time have, too.
    NoSubstituted,
    /// Bits of seven octets of time that nobody uses.
    Reserved,
    /// Types that Wireshark does not take apart.
    Undecoded,
    /// Their addresses, where these are not of three octets.
    Narrow,
    /// Types that nobody can take apart.
    NoLayout,
    /// Types of security have no object address.
    Security,
    /// An ASDU that ends within its header.
    ShortHeader,
    /// Octets before a start octet.
    PassedOver,
    /// What follows a length that no APDU has.
    Swallowed,
}

/// Every difference there is; a comparison that finds none of a kind fails.
pub(crate) const DIFFERENCES: &[Row<Difference>] = &[
    Row {
        difference: Difference::Wrap,
        field: "`iec60870_asdu.ioa` in a sequence that passes the last address, 16777215",
        theirs: "16777216 and so on",
        ours: "0 and so on",
        clause: "IEC 60870-5-101, 7.2.5: an object address has three octets; where it has two or one, 65535 or 255 is the last",
    },
    Row {
        difference: Difference::Bitstring,
        field: "`iec60870_asdu.bitstring`",
        theirs: "the octets in the order in which they came, the first as the most significant",
        ours: "`value` has bit 1 of the information element as its lowest: the octet that came first is the least significant",
        clause: "IEC 60870-5-101, 7.2.6.13: bits 1 to 8 are in the first octet, and as in all elements of more octets (IEC 60870-5-4) the lowest come first",
    },
    Row {
        difference: Difference::Century,
        field: "`iec60870_asdu.cp56time`, year 70 to 99",
        theirs: "a year of the last century",
        ours: "`time` is of this century",
        clause: "IEC 60870-5-101, 7.2.6.18: the year is 0 to 99, without a century; IEC 60870-5-104 is of the year 2000",
    },
    Row {
        difference: Difference::NoMoment,
        field: "`iec60870_asdu.cp56time` and its parts, where they are no moment",
        theirs: "some other moment: 31 February is 3 March, minute 63 is in the next hour",
        ours: "no `time`, the parts in `time_tag`, and the anomaly `time_range` unless IV is set",
        clause: "IEC 60870-5-101, 7.2.6.18: the ranges of each part",
    },
    Row {
        difference: Difference::NoHour,
        field: "`iec60870_asdu.cp24time` and its parts, where they are no time",
        theirs: "more than an hour",
        ours: "no `time_tag.hour_ms`, the parts in `time_tag`, and the anomaly `time_range` unless IV is set",
        clause: "IEC 60870-5-101, 7.2.6.19: minutes 0 to 59, milliseconds 0 to 59999",
    },
    Row {
        difference: Difference::NoSubstituted,
        field: "`iec60870_asdu.cp24time`, bit 7 of its third octet",
        theirs: "nothing",
        ours: "`time_tag.substituted`",
        clause: "IEC 60870-5-101, 7.2.6.19: RES1, which may be used as GEN as in 7.2.6.18",
    },
    Row {
        difference: Difference::Reserved,
        field: "`iec60870_asdu.cp56time`, RES2, RES3 and RES4",
        theirs: "nothing",
        ours: "`time_tag.reserved`, and the anomaly `reserved_bits` where they are not zero",
        clause: "IEC 60870-5-101, 7.2.6.18",
    },
    Row {
        difference: Difference::Undecoded,
        field: "`iec60870_asdu.rawdata` of types 17 to 20, 38 to 41, 102, 104, 106, 107, 113, 120 to 127",
        theirs: "the address of the first object, then octets",
        ours: "objects with their elements",
        clause: "IEC 60870-5-101, 7.3; IEC 60870-5-104, clause 8; IEC 60870-5-7 for type 41",
    },
    Row {
        difference: Difference::Narrow,
        field: "`iec60870_asdu.ioa` of these types, where object addresses have one or two octets",
        theirs: "three octets, of which the last are not of the address",
        ours: "`objects.ioa`, as wide as the station has it",
        clause: "IEC 60870-5-101, 7.2.5",
    },
    Row {
        difference: Difference::NoLayout,
        field: "`iec60870_asdu.ioa` and `.rawdata` of reserved and private types",
        theirs: "the first three octets as an object address",
        ours: "no object; `iec104.private` has all the octets of a private type",
        clause: "IEC 60870-5-101, 7.2.1.1: nothing is said of what these types carry",
    },
    Row {
        difference: Difference::Security,
        field: "`iec60870_asdu.ioa` and `.rawdata` of types 81 to 87 and 90 to 95",
        theirs: "the first three octets as an object address",
        ours: "no object: the segmentation control octet stands first, in `iec104.security`",
        clause: "IEC 60870-5-7: these ASDUs have no information object address",
    },
    Row {
        difference: Difference::ShortHeader,
        field: "the header of an ASDU that ends within it",
        theirs: "the fields that are there",
        ours: "none of them, and the anomaly `asdu_length`",
        clause: "IEC 60870-5-101, 7.1: the data unit identifier is one, of fixed length",
    },
    Row {
        difference: Difference::PassedOver,
        field: "`iec60870_104.data`",
        theirs: "octets before a start octet, or instead of one",
        ours: "the anomalies `start_byte` and `resync`, with their number",
        clause: "IEC 60870-5-104, clause 5: an APDU begins with 68H",
    },
    Row {
        difference: Difference::Swallowed,
        field: "what follows a length of 254 or 255",
        theirs: "nothing, until so many octets have come",
        ours: "the anomaly `apci_length`; then `resync`, and the next APDU",
        clause: "IEC 60870-5-104, clause 5: an APDU has at most 253 octets after the length, so this one is no length",
    },
];
