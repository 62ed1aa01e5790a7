//! A case: packets of a flow around its alerts, ready to be written.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;

use crate::capture::PcapNgWriter;
use crate::packet::LinkType;
use crate::rule::Rule;
use crate::time::Timestamp;

/// Alerts that a case names one by one.
pub(super) const NAMED_ALERTS: usize = 64;

/// Octets of memory that are counted for a case besides those of its packets.
const BESIDE: usize = 512;

/// How the names of finished files end.
pub(super) const ENDING: &str = ".pcapng";

/// What packets of a flow were captured on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) link: LinkType,
    pub(super) name: Option<Arc<str>>,
}

/// A packet of a case.
#[derive(Debug, Clone, Copy)]
pub(super) struct CasePacket {
    pub(super) timestamp: Timestamp,
    pub(super) wire_length: u32,
    /// An index of [`Case::interfaces`].
    pub(super) interface: u32,
    /// Where it ends in [`Case::octets`].
    pub(super) end: usize,
}

/// An alert of a case.
#[derive(Debug, Clone)]
pub(super) struct Note {
    /// The packet that it was raised at: an index of [`Case::packets`].
    pub(super) packet: usize,
    /// What a person reads.
    pub(super) text: String,
}

/// Packets of a flow around its alerts, without what is hidden in them.
#[derive(Debug, Clone)]
pub struct Case {
    pub(super) name: String,
    pub(super) flow: u64,
    pub(super) interfaces: Vec<Interface>,
    pub(super) octets: Vec<u8>,
    pub(super) packets: Vec<CasePacket>,
    pub(super) notes: Vec<Note>,
    /// Alerts beyond those that are named.
    pub(super) more: u64,
}

impl Case {
    /// The name of its file, in the folder of all of them.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many packets there are.
    pub fn packets(&self) -> usize {
        self.packets.len()
    }

    /// Octets of memory that it takes, about.
    pub(super) fn memory(&self) -> usize {
        let text: usize = self.notes.iter().map(|note| note.text.len() + size_of::<Note>()).sum();
        self.octets.len() + self.packets.len() * size_of::<CasePacket>() + text + BESIDE
    }

    /// Writes it as pcapng. Alerts are comments of the packets that they were raised at.
    pub(super) fn write(&self, writer: impl Write) -> io::Result<()> {
        let mut about = format!("flow_id {}", self.flow);
        if self.more > 0 {
            let _ = write!(about, "; {} more alerts", self.more); // a String takes everything
        }
        let application = concat!("gridtap ", env!("CARGO_PKG_VERSION"));
        let mut file = PcapNgWriter::new(writer, application, Some(&about))?;
        for interface in &self.interfaces {
            file.interface(interface.link, interface.name.as_deref())?;
        }
        let mut start = 0;
        for (index, packet) in self.packets.iter().enumerate() {
            let CasePacket { timestamp, wire_length, interface, end } = *packet;
            let data = self.octets.get(start..end).unwrap_or_default();
            let notes = self.notes.iter().filter(|note| note.packet == index);
            let comments = notes.map(|note| note.text.as_str());
            file.packet(interface, timestamp, wire_length, data, comments)?;
            start = end;
        }
        file.finish()?;
        Ok(())
    }
}

/// What a comment says of an alert.
pub(super) fn text(rule: &Rule) -> String {
    format!("{}: {} ({})", rule.level.name(), rule.title, rule.id)
}

/// The name of the file of a case that was opened at `time`: names are in the order of time, and
/// made of nothing but digits, letters and marks that no file system minds.
pub(super) fn file_name(time: Timestamp, flow: u64) -> String {
    // Every Timestamp lies before the year 2555, well inside of what jiff can say.
    let second = jiff::Timestamp::from_second(time.as_secs() as i64).unwrap_or_default();
    let nanos = time.subsec_nanos();
    format!("{}.{nanos:09}Z-{flow:016}{ENDING}", second.strftime("%Y%m%dT%H%M%S"))
}

/// Whether a file could have such a name: others are not ours.
pub(super) fn is_file_name(name: &str) -> bool {
    const SHAPE: &[u8] = b"00000000T000000.000000000Z-0000000000000000";
    let Some(stem) = name.strip_suffix(ENDING) else { return false };
    let fits = |(octet, shape): (u8, u8)| match shape {
        b'0' => octet.is_ascii_digit(),
        _ => octet == shape,
    };
    stem.len() == SHAPE.len() && stem.bytes().zip(SHAPE.iter().copied()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_time() {
        let moments = [0, 1, 999_999_999, 1_785_575_702_123_456_789, u64::MAX];
        let names: Vec<_> = moments
            .iter()
            .flat_map(|nanos| {
                [7, (1 << 51) - 1].map(|flow| file_name(Timestamp::from_nanos(*nanos), flow))
            })
            .collect();
        assert!(names.is_sorted());
        assert!(names.iter().all(|name| is_file_name(name)), "{names:?}");
        assert_eq!(names[6], "20260801T091502.123456789Z-0000000000000007.pcapng");
        for other in ["", ".pcapng", "notes.pcapng", "../20260801T091502.123456789Z-0.pcapng"] {
            assert!(!is_file_name(other));
        }
    }
}
