//! Records shaped as the protocols' own that cost nothing to read, and rules about them.

use gridtap::event::{ANOMALY, Context, FlowContext, Kind, Schema, Value};
use gridtap::flow::{FlowKey, Side};
use gridtap::record;
use gridtap::rule::{Placeholders, RuleSet, Source};
use gridtap::time::Timestamp;

use crate::generate;

static TYPES: &[&str; 128] = &{
    let mut names = [""; 128];
    names[13] = "M_ME_NC_1";
    names[30] = "M_SP_TB_1";
    names[45] = "C_SC_NA_1";
    names[46] = "C_DC_NA_1";
    names[47] = "C_RC_NA_1";
    names[48] = "C_SE_NA_1";
    names[49] = "C_SE_NB_1";
    names[50] = "C_SE_NC_1";
    names[51] = "C_BO_NA_1";
    names[58] = "C_SC_TA_1";
    names[59] = "C_DC_TA_1";
    names[60] = "C_RC_TA_1";
    names[61] = "C_SE_TA_1";
    names[62] = "C_SE_TB_1";
    names[63] = "C_SE_TC_1";
    names[64] = "C_BO_TA_1";
    names[100] = "C_IC_NA_1";
    names[105] = "C_RP_NA_1";
    names
};
static CAUSES: &[&str; 64] = &{
    let mut names = [""; 64];
    names[3] = "spontaneous";
    names[6] = "activation";
    names[7] = "activation confirmation";
    names[8] = "deactivation";
    names[9] = "deactivation confirmation";
    names[10] = "activation termination";
    names[20] = "interrogated by station";
    names[44] = "unknown type identification";
    names[45] = "unknown cause of transmission";
    names[46] = "unknown common address";
    names[47] = "unknown information object address";
    names
};

pub(crate) struct Apdu {
    type_id: u8,
    cause: u8,
    negative: bool,
    station: u16,
    points: [u32; 2],
}

pub(crate) struct Point(u32);

#[derive(Default)]
pub(crate) struct Packet<'a> {
    pub(crate) code: Option<u8>,
    pub(crate) topic: Option<&'a str>,
    pub(crate) filter: Option<&'a str>,
}

pub(crate) struct Filter<'a>(&'a str);

record! {
    /// An APDU.
    pub(crate) static IEC104: Apdu = "iec104";
    fields {
        "iec104.type_id": Kind::Integer, "Type." => |a| Value::Integer(a.type_id.into());
        "iec104.type": Kind::Name(TYPES), "Type." => |a| Value::Code(a.type_id);
        "iec104.cot": Kind::Integer, "Cause." => |a| Value::Integer(a.cause.into());
        "iec104.cause": Kind::Name(CAUSES), "Cause." => |a| Value::Code(a.cause);
        "iec104.negative": Kind::Boolean, "P/N." => |a| Value::Boolean(a.negative);
        "iec104.ca": Kind::Integer, "Station." => |a| Value::Integer(a.station.into());
    }
    lists {
        "iec104.objects": POINT, "Points."
            => |a, visit| a.points.iter().for_each(|point| visit(&Point(*point)));
    }
}

record! {
    /// A point.
    pub(crate) static POINT: Point = "point";
    fields {
        "ioa": Kind::Integer, "Address." => |p| Value::Integer(p.0.into());
    }
}

record! {
    /// A packet.
    pub(crate) static MQTT: Packet<'a> = "mqtt";
    fields {
        "mqtt.connack.return_code": Kind::Integer, "Code."
            => |p| Value::maybe(p.code, |code| Value::Integer(code.into()));
        "mqtt.publish.topic": Kind::TopicName, "Topic." => |p| Value::maybe(p.topic, Value::text);
    }
    lists {
        "mqtt.subscribe.topics": FILTER, "Filters."
            => |p, visit| p.filter.iter().for_each(|filter| visit(&Filter(filter)));
    }
}

record! {
    /// A filter.
    pub(crate) static FILTER: Filter<'a> = "filter";
    fields {
        "topic": Kind::TopicFilter, "Filter." => |f| Value::text(f.0);
    }
}

/// What rules are about.
pub(crate) static SERVICES: &[&Schema] = &[&IEC104, &MQTT, &ANOMALY];

/// Generated rules, of the kinds that the pack has.
pub(crate) fn sources(count: usize) -> Vec<Source> {
    generate::rules(count).map(|(name, text)| Source { name, text }).collect()
}

/// A set of so many.
pub(crate) fn load(count: usize) -> RuleSet {
    let placeholders = Placeholders::from([("masters".to_owned(), vec!["10.20.0.10".to_owned()])]);
    RuleSet::load(&sources(count), SERVICES, &placeholders)
        .unwrap_or_else(|found| panic!("{}", found[0].render(false)))
}

/// From a host to 10.20.0.99:2404, which is the server.
pub(crate) fn context(last: u8) -> Context<'static> {
    let ends = [([10, 20, 0, last].into(), 40_000), ([10, 20, 0, 99].into(), 2404)];
    Context {
        timestamp: Timestamp::ZERO,
        number: 1,
        interface: None,
        vlan: &[],
        tunnel: &[],
        flow: Some(FlowContext {
            key: Box::leak(Box::new(FlowKey::new(ends, [0; 2], 6))),
            id: 1,
            community_id: Box::leak(Box::default()),
            sender: Side::Lower,
            client: Side::Lower,
            directed: true,
            app_proto: None,
        }),
    }
}

/// The day of a substation: reports, now and then an interrogation or a command.
pub(crate) fn apdus() -> Vec<Apdu> {
    let apdu = |index: u32| {
        let (type_id, cause) = match index % 32 {
            0 => (100, 6),
            1 => (100, 7),
            2 => (45, 6),
            3 => (45, 7),
            4..8 => (13, 20),
            8..20 => (13, 3),
            _ => (30, 3),
        };
        let station = (1 + index * 7919 % 2_000) as u16;
        let first = 1 + index * 104_729 % 60_000;
        Apdu { type_id, cause, negative: false, station, points: [first, first + 1] }
    };
    (0..4096).map(apdu).collect()
}

/// Topics that meters publish to.
pub(crate) fn published() -> Vec<String> {
    (0..4096_u32)
        .map(|index| format!("site{}/substation/feeder/meter{}/power", index % 500, index * 31))
        .collect()
}
