//! Which field of ours a field of Wireshark's is, and how its value is turned into ours.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::differences::Difference;
use super::moment;
use crate::differences::Told;
use crate::pdml::Field;

/// Fields by our name, below `iec104` or below one of `iec104.objects`.
pub(crate) type Fields = BTreeMap<String, Json>;

/// How a value is turned into ours.
#[derive(Debug, Clone, Copy)]
pub(crate) enum How {
    /// A number, as it is.
    Number,
    /// 0 and 1.
    Flag,
    /// A number that has a name with us.
    Named(&'static [(i64, &'static str)]),
    /// A type, by number and by name.
    Type,
    /// IEEE 754, 32 bits.
    Single,
    /// A normalized value, as fraction and as sent.
    Normalized,
    /// [`Difference::Bitstring`].
    Bitstring,
    /// A date with time.
    Moment,
    /// A time since the full hour, in milliseconds.
    Hour,
    /// An octet whose parts are compared one by one; these of its bits are reserved.
    Parts(u8),
    /// Always the same, and therefore no field of ours.
    Constant(i64),
}

use How::{
    Bitstring, Constant, Flag, Hour, Moment, Named, Normalized, Number, Parts, Single, Type,
};

/// Wireshark's field, ours, and how the one becomes the other. `time/…` are parts of our `time`,
/// `time_tag.hour_ms/…` of that field.
pub(crate) const FIELDS: &[(&str, &str, How)] = &[
    ("iec60870_asdu.start", "", Constant(0x68)),
    ("iec60870_104.apdulen", "length", Number),
    ("iec60870_104.type", "frame", Named(&[(0, "I"), (1, "S"), (3, "U")])),
    ("iec60870_104.utype", "function", Named(FUNCTIONS)),
    ("iec60870_104.tx", "ns", Number),
    ("iec60870_104.rx", "nr", Number),
    ("iec60870_asdu.typeid", "type_id", Type),
    ("iec60870_asdu.sq", "sq", Flag),
    ("iec60870_asdu.numix", "count", Number),
    ("iec60870_asdu.causetx", "cot", Number),
    ("iec60870_asdu.nega", "negative", Flag),
    ("iec60870_asdu.test", "test", Flag),
    ("iec60870_asdu.oa", "originator", Number),
    ("iec60870_asdu.addr", "ca", Number),
    ("iec60870_asdu.ioa", "ioa", Number),
    ("iec60870_asdu.siq", "", Parts(0x0E)),
    ("iec60870_asdu.siq.spi", "value", Flag),
    ("iec60870_asdu.siq.bl", "quality.blocked", Flag),
    ("iec60870_asdu.siq.sb", "quality.substituted", Flag),
    ("iec60870_asdu.siq.nt", "quality.not_topical", Flag),
    ("iec60870_asdu.siq.iv", "quality.invalid", Flag),
    ("iec60870_asdu.diq", "", Parts(0x0C)),
    ("iec60870_asdu.diq.dpi", "value", Number),
    ("iec60870_asdu.diq.bl", "quality.blocked", Flag),
    ("iec60870_asdu.diq.sb", "quality.substituted", Flag),
    ("iec60870_asdu.diq.nt", "quality.not_topical", Flag),
    ("iec60870_asdu.diq.iv", "quality.invalid", Flag),
    ("iec60870_asdu.qds", "", Parts(0x0E)),
    ("iec60870_asdu.qds.ov", "quality.overflow", Flag),
    ("iec60870_asdu.qds.bl", "quality.blocked", Flag),
    ("iec60870_asdu.qds.sb", "quality.substituted", Flag),
    ("iec60870_asdu.qds.nt", "quality.not_topical", Flag),
    ("iec60870_asdu.qds.iv", "quality.invalid", Flag),
    ("iec60870_asdu.vti", "", Parts(0)),
    ("iec60870_asdu.vti.v", "value", Number),
    ("iec60870_asdu.vti.t", "transient", Flag),
    ("iec60870_asdu.bitstring", "value", Bitstring),
    ("iec60870_asdu.float", "value", Single),
    ("iec60870_asdu.normval", "value", Normalized),
    ("iec60870_asdu.scalval", "value", Number),
    ("iec60870_asdu.bcr", "", Parts(0)),
    ("iec60870_asdu.bcr.count", "value", Number),
    ("iec60870_asdu.bcr.sq", "counter.sequence", Number),
    ("iec60870_asdu.bcr.cy", "counter.carry", Flag),
    ("iec60870_asdu.bcr.ca", "counter.adjusted", Flag),
    ("iec60870_asdu.bcr.iv", "counter.invalid", Flag),
    // Not yet in Wireshark 4.0.
    ("iec60870_asdu.tsc", "value", Number),
    ("iec60870_asdu.aid", "association", Number),
    ("iec60870_asdu.sco", "", Parts(0x02)),
    ("iec60870_asdu.sco.on", "value", Flag),
    ("iec60870_asdu.sco.qu", "qualifier", Number),
    ("iec60870_asdu.sco.se", "select", Flag),
    ("iec60870_asdu.dco", "", Parts(0)),
    ("iec60870_asdu.dco.on", "value", Number),
    ("iec60870_asdu.dco.qu", "qualifier", Number),
    ("iec60870_asdu.dco.se", "select", Flag),
    ("iec60870_asdu.rco", "", Parts(0)),
    ("iec60870_asdu.rco.up", "value", Number),
    ("iec60870_asdu.rco.qu", "qualifier", Number),
    ("iec60870_asdu.rco.se", "select", Flag),
    ("iec60870_asdu.qos", "", Parts(0)),
    ("iec60870_asdu.qos.ql", "qualifier", Number),
    ("iec60870_asdu.qos.se", "select", Flag),
    ("iec60870_asdu.qpm", "", Parts(0)),
    ("iec60870_asdu.qpm.kpa", "qualifier", Number),
    ("iec60870_asdu.qpm.lpc", "parameter.changed", Flag),
    ("iec60870_asdu.qpm.pop", "parameter.out_of_operation", Flag),
    ("iec60870_asdu.coi", "", Parts(0)),
    ("iec60870_asdu.coi_r", "qualifier", Number),
    ("iec60870_asdu.coi_i", "parameter.changed", Flag),
    ("iec60870_asdu.qoi", "qualifier", Number),
    ("iec60870_asdu.qcc", "", Parts(0)),
    ("iec60870_asdu.rqt", "qualifier", Number),
    ("iec60870_asdu.frz", "freeze", Number),
    ("iec60870_asdu.qrp", "qualifier", Number),
    ("iec60870_asdu.cp24time", "time_tag.hour_ms", Hour),
    ("iec60870_asdu.cp24time.ms", "time_tag.hour_ms/millisecond", Number),
    ("iec60870_asdu.cp24time.min", "time_tag.hour_ms/minute", Number),
    ("iec60870_asdu.cp24time.iv", "time_tag.invalid", Flag),
    ("iec60870_asdu.cp56time", "time", Moment),
    ("iec60870_asdu.cp56time.ms", "time/millisecond", Number),
    ("iec60870_asdu.cp56time.min", "time/minute", Number),
    ("iec60870_asdu.cp56time.iv", "time_tag.invalid", Flag),
    ("iec60870_asdu.cp56time.gen", "time_tag.substituted", Flag),
    ("iec60870_asdu.cp56time.hour", "time/hour", Number),
    ("iec60870_asdu.cp56time.su", "time_tag.summer_time", Flag),
    ("iec60870_asdu.cp56time.day", "time/day", Number),
    ("iec60870_asdu.cp56time.dow", "time_tag.day_of_week", Number),
    ("iec60870_asdu.cp56time.month", "time/month", Number),
    ("iec60870_asdu.cp56time.year", "time/year", Number),
];

const FUNCTIONS: &[(i64, &str)] = &[
    (1, "STARTDT act"),
    (2, "STARTDT con"),
    (4, "STOPDT act"),
    (8, "STOPDT con"),
    (16, "TESTFR act"),
    (32, "TESTFR con"),
];

/// What a part of the tree says.
pub(crate) type Read = Told<Difference>;

impl Read {
    /// Adds a field and what stands below it.
    pub(crate) fn field(&mut self, field: &Field) {
        if field.name.starts_with("_ws.") || field.name.starts_with("iec104.") {
            self.complaints.push(field.label.clone());
            return;
        }
        let known = FIELDS.iter().find(|known| known.0 == field.name);
        let Some((_, name, how)) = known else {
            panic!("{}: {}: which field of ours is that?", field.name, field.label);
        };
        self.value(name, *how, field);
        for part in &field.inner {
            self.field(part);
        }
    }

    fn value(&mut self, name: &str, how: How, field: &Field) {
        let value = match how {
            Number => json!(field.number()),
            Flag => json!(field.number() != 0),
            Named(names) => match names.iter().find(|named| named.0 == field.number()) {
                Some((_, name)) => json!(name),
                None => return self.complaints.push(field.label.clone()),
            },
            Type => {
                let name = field.label.trim_start_matches("TypeId: ").split(' ').next();
                if let Some(name) = name.filter(|name| !name.contains("Unknown")) {
                    self.fields.insert("type".into(), json!(name));
                }
                json!(field.number())
            }
            Single => json!(single(field)),
            Normalized => {
                let raw = i16::from_le_bytes(field.octets[..].try_into().unwrap());
                assert_eq!(field.label, format!("Value: {} ({raw})", field.shown));
                self.fields.insert("raw".into(), json!(raw));
                let value = f64::from(raw) / 32_768.0;
                assert!(agrees(&field.shown, value), "{field:?}");
                json!(value)
            }
            Bitstring => {
                self.differences.insert(Difference::Bitstring);
                json!((field.number() as u32).swap_bytes())
            }
            Moment => {
                let [.., hour, _, month, year] = field.octets[..] else { panic!("{field:?}") };
                let reserved = hour >> 5 & 3 | month >> 4 << 2 | year >> 7 << 6;
                self.fields.insert("time_tag.reserved".into(), json!(reserved));
                self.demand("reserved_bits", reserved != 0);
                self.differences.insert(Difference::Reserved);
                match moment::shown(&field.shown) {
                    Some(nanoseconds) => json!(nanoseconds),
                    None => return,
                }
            }
            Hour => {
                self.differences.insert(Difference::NoSubstituted);
                let substituted = json!(field.octets[2] & 0x40 != 0);
                self.fields.insert("time_tag.substituted".into(), substituted);
                let seconds: f64 = field.shown.parse().unwrap();
                json!((seconds * 1000.0).round() as u64)
            }
            Parts(reserved) => {
                self.demand("reserved_bits", field.number() as u8 & reserved != 0);
                return;
            }
            Constant(value) => {
                assert_eq!(field.number(), value, "{}", field.name);
                return;
            }
        };
        assert!(self.fields.insert(name.into(), value).is_none(), "{name} is there twice");
    }
}

/// Wireshark shows fewer digits than there are: they must be right, and the octets tell the rest.
fn single(field: &Field) -> f32 {
    let value = f32::from_le_bytes(field.octets[..].try_into().unwrap());
    assert!(agrees(&field.shown, value.into()), "{field:?}: {value}");
    value
}

fn agrees(shown: &str, value: f64) -> bool {
    let shown: f64 = shown.parse().unwrap_or_else(|error| panic!("{shown}: {error}"));
    let infinite = shown.is_infinite() && shown.total_cmp(&value).is_eq();
    let close = (shown - value).abs() <= 1e-5 * value.abs();
    infinite || close || shown.is_nan() && value.is_nan()
}
