//! Two stations that talk, and what is wrong with what they say: every anomaly that takes memory of
//! earlier APDUs, raised alone; and what is none.

mod commands;
mod link;
mod station;

use std::time::Duration;

use super::super::{PROTOCOL, stream::Flow};
use super::*;
use crate::event::{Record, Schema};
use crate::flow::Side;
use crate::protocol::{Left, Parser, Shared, show};

const CONTROL: Direction = Direction::ToServer;
const STATION: Direction = Direction::ToClient;

const STARTDT_ACT: u8 = 0x07;
const STARTDT_CON: u8 = 0x0B;
const STOPDT_ACT: u8 = 0x13;
const STOPDT_CON: u8 = 0x23;
const TESTFR_ACT: u8 = 0x43;
const TESTFR_CON: u8 = 0x83;

/// 2026-11-23 10:00:00 UTC.
const TEN: u64 = 1_795_428_000;

/// Anomalies as `event field value`, and lives of commands as `type ioa steps: outcome`.
#[derive(Default)]
struct Told {
    anomalies: Vec<String>,
    commands: Vec<String>,
}

/// Nothing for what is absent.
fn shown(record: &dyn Record, name: &str) -> String {
    show::named(record, name).unwrap_or_default()
}

impl Records for Told {
    fn emit(&mut self, record: &dyn Record) {
        let tell = |names: &[&str]| {
            let fields = names.iter().map(|name| shown(record, name));
            fields.filter(|field| !field.is_empty()).collect::<Vec<_>>().join(" ")
        };
        if record.schema().name == "anomaly" {
            self.anomalies.push(tell(&["anomaly.event", "anomaly.field", "anomaly.value"]));
        } else if !shown(record, "iec104.command.outcome").is_empty() {
            let mut steps = Vec::new();
            record.each(1, &mut |step| steps.push(shown(step, "")));
            let what = tell(&["iec104.type", "iec104.ca", "iec104.command.ioa"]);
            let outcome = shown(record, "iec104.command.outcome");
            self.commands.push(format!("{what} {}: {outcome}", steps.join(" ")));
        }
    }

    fn wants(&self, _schema: &'static Schema) -> bool {
        false
    }
}

/// A connection between a controlling and a controlled station, as we see it.
struct Link {
    flow: Flow,
    time: Timestamp,
    acknowledged: Acknowledged,
    late: bool,
    /// N(S) of the next I-frame, by direction.
    next: [u16; 2],
}

/// Both stations, with one connection or several.
struct Stations {
    shared: Box<Shared>,
    told: Told,
}

impl Stations {
    fn new() -> Self {
        Self { shared: (PROTOCOL.shared)(), told: Told::default() }
    }

    fn connect(joined: bool) -> Link {
        Self::connect_with(joined, Settings::default())
    }

    fn connect_with(joined: bool, settings: Settings) -> Link {
        let ends = [([10, 20, 0, 10].into(), 40_000), ([10, 30, 0, 1].into(), 2404)];
        let key = FlowKey::new(ends, [0, 0], 6);
        let mut flow = Flow::new(Start { key: &key, client: Side::Lower, joined }, None);
        flow.session.settings = Arc::new(settings);
        let time = Timestamp::from_nanos(TEN * 1_000_000_000);
        Link { flow, time, acknowledged: Acknowledged::All, late: false, next: [0; 2] }
    }

    /// A started link that begins with what is known of the stations.
    fn start_again(&mut self) -> Link {
        let ends = [([10, 20, 0, 10].into(), 40_001), ([10, 30, 0, 1].into(), 2404)];
        let key = FlowKey::new(ends, [0, 0], 6);
        let start = Start { key: &key, client: Side::Lower, joined: false };
        let flow = Flow::new(start, self.shared.downcast_ref());
        let mut link = Link { flow, ..Self::connect(false) };
        self.function(&mut link, CONTROL, STARTDT_ACT);
        self.function(&mut link, STATION, STARTDT_CON);
        link
    }

    /// A started link.
    fn start(&mut self) -> Link {
        let mut link = Self::connect(false);
        self.function(&mut link, CONTROL, STARTDT_ACT);
        self.function(&mut link, STATION, STARTDT_CON);
        link
    }

    fn send(&mut self, link: &mut Link, direction: Direction, bytes: &[u8]) {
        link.time = link.time + Duration::from_millis(10);
        let (time, acknowledged) = (link.time, link.acknowledged);
        let input =
            Input { direction, time, late: link.late, clock_trusted: true, acknowledged, bytes };
        link.flow.data(input, &mut *self.shared, &mut self.told);
    }

    fn function(&mut self, link: &mut Link, direction: Direction, function: u8) {
        self.send(link, direction, &[0x68, 4, function, 0, 0, 0]);
    }

    /// An S-frame with this N(R).
    fn supervise(&mut self, link: &mut Link, direction: Direction, receive: u16) {
        let [low, high] = (receive << 1).to_le_bytes();
        self.send(link, direction, &[0x68, 4, 1, 0, low, high]);
    }

    /// An S-frame that acknowledges everything.
    fn acknowledge(&mut self, link: &mut Link, direction: Direction) {
        let receive = link.next[direction.opposite().index()];
        self.supervise(link, direction, receive);
    }

    /// The next I-frame.
    fn say(&mut self, link: &mut Link, direction: Direction, asdu: &[u8]) {
        let receive = link.next[direction.opposite().index()];
        let send = link.next[direction.index()];
        link.next[direction.index()] = (send + 1) & 0x7FFF;
        self.number(link, direction, send, receive, asdu);
    }

    fn number(
        &mut self,
        link: &mut Link,
        direction: Direction,
        send: u16,
        receive: u16,
        asdu: &[u8],
    ) {
        let [s1, s2] = (send << 1).to_le_bytes();
        let [r1, r2] = (receive << 1).to_le_bytes();
        let length = 4 + asdu.len() as u8;
        self.send(link, direction, &[&[0x68, length, s1, s2, r1, r2], asdu].concat());
    }

    fn miss(&mut self, link: &mut Link, direction: Direction) {
        link.flow.gap(direction, 100, &mut self.told);
    }

    fn end(&mut self, link: &mut Link) {
        link.flow.end([Left::default(); 2], &mut *self.shared, &mut self.told);
    }

    #[track_caller]
    fn expect(&self, anomalies: &[&str]) {
        assert_eq!(self.told.anomalies, anomalies);
    }

    #[track_caller]
    fn expect_commands(&self, commands: &[&str]) {
        assert_eq!(self.told.commands, commands);
    }
}

impl Link {
    fn pass(&mut self, seconds: u64) {
        self.time = self.time + Duration::from_secs(seconds);
    }
}

/// M_SP_NA_1, spontaneous: point 7 of station 10 is on.
const REPORT: &[u8] = &[1, 1, 3, 0, 10, 0, 7, 0, 0, 1];

/// An ASDU of one object of station 10.
fn asdu(type_id: u8, cause: u8, object: u8, elements: &[u8]) -> Vec<u8> {
    [&[type_id, 1, cause, 0, 10, 0, object, 0, 0], elements].concat()
}

/// C_SC_NA_1 to point 5: on, with S/E.
fn single(cause: u8, octet: u8) -> Vec<u8> {
    asdu(45, cause, 5, &[octet])
}

const EXECUTE_ON: u8 = 0x01;
const SELECT_ON: u8 = 0x81;
const NEGATIVE: u8 = 0x40;

fn known() -> Settings {
    let (t1, t3) = (Some(Duration::from_secs(15)), Some(Duration::from_secs(20)));
    Settings { k: Some(12), w: Some(8), t1, t3, ..Settings::default() }
}
