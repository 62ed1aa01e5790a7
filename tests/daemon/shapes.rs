//! Frames made for these tests.

use std::fmt::Write as _;

use super::common::wire::{Client, STARTDT_ACT, STARTDT_CON, Server, Wire, point};

/// An Ethernet header before IPv4.
const ETHERNET: [u8; 14] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];

/// An IEC 104 link that goes on and on.
pub struct Link {
    wire: Wire,
    sent: usize,
    points: u16,
}

impl Link {
    /// Between two stations of its own.
    pub fn new(number: u8) -> Self {
        let mut wire = Wire::between([[10, 9, 0, number], [10, 9, 1, number]], [40_000, 2404]);
        wire.open();
        wire.send(Client, STARTDT_ACT);
        wire.send(Server, STARTDT_CON);
        Self { wire, sent: 0, points: 0 }
    }

    /// The next frames: so many information objects, each acknowledged.
    pub fn points(&mut self, count: u16) -> Vec<Vec<u8>> {
        for _ in 0..count {
            self.wire.send(Server, &point(self.points));
            self.points += 1;
            self.wire.send(Client, &acknowledgement(self.points));
        }
        self.fresh()
    }

    /// The next frames: so many information objects, of which the last acknowledges all.
    pub fn burst(&mut self, count: u16) -> Vec<Vec<u8>> {
        for _ in 0..count {
            self.wire.send(Server, &point(self.points));
            self.points += 1;
        }
        self.wire.send(Client, &acknowledgement(self.points));
        self.fresh()
    }

    /// Its last frames.
    pub fn close(&mut self) -> Vec<Vec<u8>> {
        for end in [Client, Server] {
            self.wire.finish(end);
        }
        self.wire.acknowledge(Client);
        self.fresh()
    }

    fn fresh(&mut self) -> Vec<Vec<u8>> {
        let fresh = &self.wire.frames[self.sent..];
        self.sent = self.wire.frames.len();
        fresh.iter().map(|frame| [&ETHERNET[..], &frame.data].concat()).collect()
    }
}

/// An S frame: all before this number has come.
fn acknowledgement(number: u16) -> Vec<u8> {
    let [low, high] = (number << 1).to_le_bytes();
    vec![0x68, 4, 1, 0, low, high]
}

/// A single command as a test.
fn test_command(number: u16) -> Vec<u8> {
    let [low, high] = (number << 1).to_le_bytes();
    vec![0x68, 14, low, high, 0, 0, 45, 1, 0x86, 0, 10, 0, 7, 0, 0, 1]
}

/// Connections of which each has one alert of the rules of [`rule`].
pub fn alarms(from: u16, count: u16) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for number in from..from + count {
        let [high, low] = number.to_be_bytes();
        let mut wire = Wire::between([[10, 8, high, low], [10, 7, high, low]], [40_000, 2404]);
        wire.open();
        wire.send(Client, STARTDT_ACT);
        wire.send(Server, STARTDT_CON);
        wire.send(Client, &test_command(0));
        wire.acknowledge(Server);
        wire.reset(Client, 0);
        frames.extend(wire.frames.iter().map(|frame| [&ETHERNET[..], &frame.data].concat()));
    }
    frames
}

/// Frames of each of the [`alarms`].
pub const FRAMES_OF_ALARM: usize = 8;

/// A rule that tells of test commands, with this title.
pub fn rule(title: &str) -> String {
    let mut rule = String::new();
    write!(
        rule,
        "title: {title}\n\
         id: 3f3b7dd1-0b3c-4c0e-9a53-0b8b4f0d5a11\n\
         status: test\n\
         level: high\n\
         logsource: {{product: gridtap, service: iec104}}\n\
         detection:\n  \
           command: {{iec104.type: C_SC_NA_1, iec104.test: true}}\n  \
           condition: command\n"
    )
    .unwrap();
    rule
}
