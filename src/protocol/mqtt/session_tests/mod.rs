//! A client and a broker that talk, and what is wrong with what they say: every anomaly that takes
//! memory of earlier packets, raised alone; and what is none.
//!
//! A conversation is text, a line a packet:
//!
//! ```text
//! > PUBLISH 1 id=7      from the client; its host acknowledges all that we saw
//! <? PUBACK 7           from the broker, which has more than we saw
//! <~ PUBACK 7           from the broker, which does not have all that we saw
//! wait 90               seconds pass
//! miss >                octets of the client are missed
//! ! packet_id_in_use 7  what is wrong with the packet above it: name and value
//! ```

mod flight;
mod life;
mod limits;
mod packets;
mod records;
mod time;

use std::fmt::Write as _;
use std::time::Duration;

use super::super::settings::Settings;
use super::super::stream::Flow;
use super::*;
use crate::event::{Record, Schema};
use crate::flow::{FlowKey, Side};
use crate::protocol::{Parser, show};
use packets::packet;

/// Anomalies as `name value`, and what is asked of packets.
#[derive(Default)]
struct Told {
    anomalies: Vec<String>,
    /// The value of this field in each record that has it.
    field: Option<&'static str>,
    values: Vec<String>,
}

impl Records for Told {
    fn emit(&mut self, record: &dyn Record) {
        if record.schema().name == "anomaly" {
            let parts = ["anomaly.event", "anomaly.value"].map(|name| show::named(record, name));
            self.anomalies.push(parts.into_iter().flatten().collect::<Vec<_>>().join(" "));
            return;
        }
        let Some(name) = self.field else { return };
        let list = record.schema().lists.iter().position(|list| list.name == name);
        match list {
            Some(index) => record.each(index, &mut |element| {
                self.values.extend(show::named(element, ""));
            }),
            None => self.values.extend(show::named(record, name)),
        }
    }

    fn wants(&self, _schema: &'static Schema) -> bool {
        true
    }
}

/// A connection as we see it.
struct Talk {
    level: u8,
    flow: Flow,
    time: Timestamp,
    told: Told,
}

impl Talk {
    fn new(level: u8, joined: bool, settings: Settings) -> Self {
        let ends = [([10, 40, 12, 11].into(), 40_000), ([10, 20, 0, 20].into(), 1883)];
        let key = FlowKey::new(ends, [0, 0], 6);
        // The broker's address is the lower one.
        let client = key_side(&key);
        let mut flow = Flow::new(Start { key: &key, client, joined }, None);
        flow.packets.session.settings = [settings; 2];
        flow.packets.session.bounds.set(settings);
        let time = Timestamp::from_nanos(1_795_428_000_000_000_000);
        Self { level, flow, time, told: Told::default() }
    }

    fn send(&mut self, direction: Direction, acknowledged: Acknowledged, bytes: &[u8]) {
        self.time = self.time + Duration::from_millis(10);
        let time = self.time;
        let input =
            Input { direction, time, late: false, clock_trusted: true, acknowledged, bytes };
        let progress = self.flow.data(input, &mut (), &mut self.told);
        assert_eq!((progress.consumed, progress.wanted), (bytes.len(), 0), "{bytes:02x?}");
    }

    fn line(&mut self, line: &str) {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let acknowledged = match first.get(1..) {
            Some("?") => Acknowledged::Beyond,
            Some("~") => Acknowledged::Part,
            _ => Acknowledged::All,
        };
        match first {
            ">" | ">?" | ">~" => {
                self.send(Direction::ToServer, acknowledged, &packet(self.level, rest));
            }
            "<" | "<?" | "<~" => {
                self.send(Direction::ToClient, acknowledged, &packet(self.level, rest));
            }
            "wait" => self.time = self.time + Duration::from_secs(rest.parse().unwrap()),
            "miss" => {
                let way = if rest == ">" { Direction::ToServer } else { Direction::ToClient };
                self.flow.gap(way, 100, &mut self.told);
            }
            _ => panic!("{line}"),
        }
    }

    /// What was said, and what is wrong with it, in the form of what was given.
    fn run(&mut self, conversation: &str) -> String {
        let mut heard = String::new();
        let lines = conversation.lines().map(str::trim).filter(|line| !line.is_empty());
        for line in lines.filter(|line| !line.starts_with('!')) {
            self.line(line);
            writeln!(heard, "{line}").unwrap();
            for anomaly in self.told.anomalies.drain(..) {
                writeln!(heard, "! {anomaly}").unwrap();
            }
        }
        heard
    }
}

fn key_side(key: &FlowKey) -> Side {
    if key.port(Side::Lower) == 1883 { Side::Upper } else { Side::Lower }
}

fn tidy(conversation: &str) -> String {
    let lines = conversation.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.fold(String::new(), |text, line| text + line + "\n")
}

#[track_caller]
fn check(mut talk: Talk, conversation: &str) {
    assert_eq!(talk.run(conversation), tidy(conversation));
}

/// A conversation of this level from its first packet on, with all that is wrong with it.
#[track_caller]
fn conversation(level: u8, text: &str) {
    check(Talk::new(level, false, Settings::default()), text);
}

/// The same behind a CONNECT for a new session and its CONNACK.
#[track_caller]
fn session(level: u8, text: &str) {
    conversation(level, &format!("> CONNECT\n< CONNACK\n{text}"));
}

/// The same of every level.
#[track_caller]
fn sessions(text: &str) {
    for level in 3..=5 {
        session(level, text);
    }
}

/// A conversation that had begun before we saw it.
#[track_caller]
fn joined(level: u8, text: &str) {
    check(Talk::new(level, true, Settings::default()), text);
}

/// The values that a field has in the records of a conversation without anomalies.
#[track_caller]
fn values(level: u8, field: &'static str, text: &str) -> Vec<String> {
    let mut talk = Talk::new(level, false, Settings::default());
    talk.told.field = Some(field);
    assert_eq!(talk.run(text), tidy(text));
    talk.told.values
}
