//! What the sensor says of itself: above all what it cannot see.

use super::{Kind, Value};
use crate::record;

/// What became of the sensor's sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// An interface is there, switched on, and has a carrier.
    InterfaceUp,
    /// An interface is switched on, and has no carrier.
    InterfaceNoCarrier,
    /// An interface was switched off.
    InterfaceDown,
    /// An interface is no more.
    InterfaceGone,
    /// Nothing came from an interface for a minute.
    InterfaceSilent,
    /// Something comes from it again.
    InterfaceHeard,
    /// The kernel dropped packets, as nobody took them in time.
    PacketsDropped,
    /// The outputs were too slow, and records were let go before they reached them.
    RecordsDropped,
    /// Nobody keeps our clock in step: times cannot be compared with those of others.
    ClockUnsynchronised,
    /// Somebody does.
    ClockSynchronised,
}

impl Sight {
    /// Names, by code.
    pub const NAMES: &'static [&'static str] = &[
        "interface_up",
        "interface_no_carrier",
        "interface_down",
        "interface_gone",
        "interface_silent",
        "interface_heard",
        "packets_dropped",
        "records_dropped",
        "clock_unsynchronised",
        "clock_synchronised",
    ];

    /// Its name in records.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// One thing that the sensor says of itself. The interface that it is about is in the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SensorRecord {
    /// What changed.
    pub event: Sight,
    /// How many packets or records, where they are counted.
    pub count: Option<u64>,
}

record! {
    /// What the sensor says of itself, above all what it cannot see. In live capture only.
    pub static SENSOR: SensorRecord = "sensor";
    fields {
        "sensor.event": Kind::Name(Sight::NAMES), "What changed."
            => |s| Value::Code(s.event as u8);
        "sensor.count": Kind::Integer, "How many packets or records were dropped since this was last said."
            => |s| Value::maybe(s.count, |count| Value::Integer(count as i64));
    }
}
