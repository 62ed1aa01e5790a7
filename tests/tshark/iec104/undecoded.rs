//! Types that Wireshark shows as octets: their elements by the standard, bit by bit, apart from the
//! decoder's own tables.

use serde_json::json;

use super::fields::Fields;
use super::moment;

/// The next bits of an object, from the lowest of its first octet (IEC 60870-5-4).
#[derive(Debug, Clone, Copy)]
enum Bits {
    /// A number of so many bits.
    Number(usize, &'static str),
    /// 32 bits, of which the highest is the sign.
    Signed(&'static str),
    /// One bit.
    Flag(&'static str),
    /// Reserved.
    Skip(usize),
    /// Two octets of milliseconds within the minute, minute, IV and GEN: `CP24Time2a`.
    Hour,
    /// Seven octets: `CP56Time2a`, an object's time tag.
    Tag,
    /// Seven octets, a moment that is no time tag.
    Moment(&'static str),
    /// As many octets as are left, in hexadecimal digits.
    Rest(&'static str),
}

use Bits::{Flag, Hour, Moment, Number, Rest, Signed, Skip, Tag};

type Element = &'static [Bits];

/// 7.2.6.4.
const QDP: Element = &[
    Skip(3),
    Flag("quality.elapsed_time_invalid"),
    Flag("quality.blocked"),
    Flag("quality.substituted"),
    Flag("quality.not_topical"),
    Flag("quality.invalid"),
];
/// 7.2.6.10.
const SEP: Element = &[
    Number(2, "value"),
    Skip(1),
    Flag("quality.elapsed_time_invalid"),
    Flag("quality.blocked"),
    Flag("quality.substituted"),
    Flag("quality.not_topical"),
    Flag("quality.invalid"),
];
/// 7.2.6.11.
const SPE: Element = &[
    Flag("start.general"),
    Flag("start.l1"),
    Flag("start.l2"),
    Flag("start.l3"),
    Flag("start.earth"),
    Flag("start.reverse"),
    Skip(2),
];
/// 7.2.6.12.
const OCI: Element =
    &[Flag("output.general"), Flag("output.l1"), Flag("output.l2"), Flag("output.l3"), Skip(4)];
/// 7.2.6.20.
const CP16: Element = &[Number(16, "elapsed_ms")];
const CP24: Element = &[Hour];
const CP56: Element = &[Tag];
/// 7.2.6.40 and 7.2.6.3.
const SCD: Element = &[Number(16, "value"), Number(16, "changed")];
const QDS: Element = &[
    Flag("quality.overflow"),
    Skip(3),
    Flag("quality.blocked"),
    Flag("quality.substituted"),
    Flag("quality.not_topical"),
    Flag("quality.invalid"),
];
/// IEC 60870-5-7; IEC 60870-5-101, 7.2.6.9.
const AID: Element = &[Number(16, "association")];
const BCR: Element = &[
    Signed("value"),
    Number(5, "counter.sequence"),
    Flag("counter.carry"),
    Flag("counter.adjusted"),
    Flag("counter.invalid"),
];
/// 7.2.6.33 to 7.2.6.38.
const NOF: Element = &[Number(16, "file.name")];
const NOS: Element = &[Number(8, "file.section")];
const LOF: Element = &[Number(24, "file.length")];
const LOS: Element = &[Number(8, "file.length")];
const CHS: Element = &[Number(8, "file.checksum")];
const SOF: Element =
    &[Number(5, "file.status"), Flag("file.last"), Flag("file.directory"), Flag("file.active")];
/// 7.2.6.28 and 7.2.6.29.
const READY: Element = &[Number(7, "qualifier"), Flag("file.negative")];
/// 7.2.6.30 and 7.2.6.32.
const WORD: Element = &[Number(4, "qualifier"), Number(4, "file.error")];
/// 7.2.6.25 and 7.2.6.31.
const QUALIFIER: Element = &[Number(8, "qualifier")];

/// The elements of each type that Wireshark does not take apart (clause 7.3 of IEC 60870-5-101,
/// clause 8 of IEC 60870-5-104).
const TYPES: &[(u64, &[Element])] = &[
    (17, &[SEP, CP16, CP24]),
    (18, &[SPE, QDP, CP16, CP24]),
    (19, &[OCI, QDP, CP16, CP24]),
    (20, &[SCD, QDS]),
    (38, &[SEP, CP16, CP56]),
    (39, &[SPE, QDP, CP16, CP56]),
    (40, &[OCI, QDP, CP16, CP56]),
    (41, &[AID, BCR, CP56]),
    (102, &[]),
    (104, &[&[Number(16, "value")]]),
    (106, &[CP16]),
    (107, &[&[Number(16, "value")], CP56]),
    (113, &[QUALIFIER]),
    (120, &[NOF, LOF, READY]),
    (121, &[NOF, NOS, LOF, READY]),
    (122, &[NOF, NOS, WORD]),
    (123, &[NOF, NOS, QUALIFIER, CHS]),
    (124, &[NOF, NOS, WORD]),
    (125, &[NOF, NOS, LOS, &[Rest("file.data")]]),
    (126, &[NOF, LOF, SOF, CP56]),
    (127, &[NOF, &[Moment("file.from"), Moment("file.to")]]),
];

/// FIN, FIR, ASN (IEC 60870-5-7).
const SEGMENTATION: Element =
    &[Number(6, "security.segment"), Flag("security.first"), Flag("security.last")];
const SEQUENCE: Element = &[Number(32, "security.sequence")];
const USER: Element = &[Number(16, "security.user")];
const MAC: Element = &[Number(8, "security.mac_algorithm")];
const REASON: Element = &[Number(8, "security.reason")];
const WRAP: Element = &[Number(8, "security.key_wrap_algorithm")];
const STATUS: Element = &[Number(8, "security.key_status")];
const DATA: Element = &[Rest("security.data")];

/// What the first segment of a type of security begins with, as far as newer versions of Wireshark
/// say so, too.
const SECURITY: &[(u64, &[Element])] = &[
    (81, &[SEQUENCE, USER, MAC, REASON]),
    (82, &[SEQUENCE, USER]),
    (84, &[USER]),
    (85, &[SEQUENCE, USER, WRAP, STATUS, MAC]),
    (86, &[SEQUENCE, USER]),
];
/// Never cut into segments.
const WHOLE: u64 = 84;

/// What an ASDU of security carries.
pub(crate) fn security(type_id: u64, octets: &[u8]) -> Fields {
    let (mut fields, mut cursor) = (Fields::new(), Cursor { octets, bit: 0 });
    let mut read = |elements: &[Element]| {
        let mut parts = elements.iter().copied().flatten();
        parts.try_for_each(|bits| cursor.read(*bits, &mut fields)).expect("octets enough");
        fields.clone()
    };
    let first = type_id == WHOLE || read(&[SEGMENTATION])["security.first"] == true;
    let known = SECURITY.iter().find(|known| first && known.0 == type_id);
    read(known.map_or(&[], |known| known.1));
    read(&[DATA])
}

/// What the objects of an ASDU are that Wireshark shows as an address and octets.
#[derive(Debug)]
pub(crate) struct Octets<'a> {
    pub(crate) type_id: u64,
    pub(crate) sequence: bool,
    pub(crate) count: u64,
    /// Octets of an address.
    pub(crate) width: u8,
    /// Everything behind the header.
    pub(crate) body: &'a [u8],
}

impl Octets<'_> {
    /// The objects; `None` if the type is reserved, private or of security.
    pub(crate) fn objects(self) -> Option<Vec<Fields>> {
        let (_, elements) = TYPES.iter().find(|known| known.0 == self.type_id)?;
        let mut cursor = Cursor { octets: self.body, bit: 0 };
        let (mut address, bits) = (0, 8 * usize::from(self.width));
        let mut objects = Vec::new();
        for at in 0..self.count {
            let follows = at > 0 && self.sequence;
            let next =
                if follows { Some((address + 1) % (1 << bits)) } else { cursor.number(bits) };
            let Some(next) = next else { break };
            address = next;
            let mut fields = Fields::from([("ioa".into(), json!(address))]);
            let mut parts = elements.iter().copied().flatten();
            if parts.try_for_each(|bits| cursor.read(*bits, &mut fields)).is_none() {
                break;
            }
            objects.push(fields);
        }
        Some(objects)
    }
}

struct Cursor<'a> {
    octets: &'a [u8],
    bit: usize,
}

impl Cursor<'_> {
    fn number(&mut self, width: usize) -> Option<u64> {
        let bits = self.bit..self.bit + width;
        self.bit = bits.end;
        bits.rev().try_fold(0, |number, bit| {
            let octet = self.octets.get(bit / 8)?;
            Some(number << 1 | u64::from(octet >> (bit % 8) & 1))
        })
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.number(1)? == 1)
    }

    fn read(&mut self, bits: Bits, fields: &mut Fields) -> Option<()> {
        let mut insert = |name: &str, value| {
            fields.insert(name.into(), value);
        };
        match bits {
            Signed(name) => insert(name, json!(self.number(32)? as i32)),
            Number(width, name) => insert(name, json!(self.number(width)?)),
            Flag(name) => insert(name, json!(self.flag()?)),
            Skip(width) => {
                self.number(width)?;
            }
            Hour => {
                let (millisecond, minute) = (self.number(16)?, self.number(6)?);
                insert("time_tag.substituted", json!(self.flag()?));
                insert("time_tag.invalid", json!(self.flag()?));
                if millisecond < 60_000 && minute < 60 {
                    insert("time_tag.hour_ms", json!(minute * 60_000 + millisecond));
                } else {
                    insert("time_tag.millisecond", json!(millisecond));
                    insert("time_tag.minute", json!(minute));
                }
            }
            Tag => {
                let tag = self.moment()?;
                insert("time_tag.substituted", json!(tag.substituted));
                insert("time_tag.invalid", json!(tag.invalid));
                insert("time_tag.summer_time", json!(tag.summer_time));
                insert("time_tag.day_of_week", json!(tag.day_of_week));
                insert("time_tag.reserved", json!(tag.reserved));
                if let Some(moment) = tag.moment {
                    insert("time", json!(moment));
                }
                if tag.moment.is_none() || tag.parts[0] > moment::LAST_YEAR {
                    for (part, number) in moment::PARTS.iter().zip(tag.parts) {
                        insert(&moment::wrong(part), json!(number));
                    }
                }
            }
            Moment(name) => {
                let octets = self.octets.get(self.bit / 8..self.bit / 8 + 7)?;
                insert(&format!("{name}_octets"), json!(hex(octets)));
                if let Some(moment) = self.moment()?.moment {
                    insert(name, json!(moment));
                }
            }
            Rest(name) => {
                insert(name, json!(hex(self.octets.get(self.bit / 8..)?)));
                self.bit = self.octets.len() * 8;
            }
        }
        Some(())
    }

    /// 7.2.6.18.
    fn moment(&mut self) -> Option<TimeTag> {
        let (millisecond, minute) = (self.number(16)?, self.number(6)?);
        let (substituted, invalid) = (self.flag()?, self.flag()?);
        let hour = self.number(5)?;
        let reserved = self.number(2)?;
        let summer_time = self.flag()?;
        let (day, day_of_week) = (self.number(5)?, self.number(3)?);
        let month = self.number(4)?;
        let reserved = reserved | self.number(4)? << 2;
        let year = self.number(7)?;
        let reserved = reserved | self.number(1)? << 6;
        let parts = [year, month, day, hour, minute, millisecond].map(u64::cast_signed);
        let [year, rest @ ..] = parts;
        let [month, day, hour, minute, millisecond] = rest;
        let whole = [moment::year(year), month, day, hour, minute, millisecond];
        let moment = moment::of_parts(whole);
        Some(TimeTag { moment, parts, substituted, invalid, summer_time, day_of_week, reserved })
    }
}

struct TimeTag {
    moment: Option<u64>,
    parts: [i64; 6],
    substituted: bool,
    invalid: bool,
    summer_time: bool,
    day_of_week: u64,
    reserved: u64,
}

/// Two digits an octet.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |text, octet| format!("{text}{octet:02x}"))
}
