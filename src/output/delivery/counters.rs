//! What an output counts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Declares the counters once: as atomics, which the threads of an output share, and as plain
/// numbers for whoever reads them.
macro_rules! counters {
    ($($(#[$meaning:meta])* $name:ident,)*) => {
        /// The counters of one output, as they were when they were asked for.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct DeliveryCounters {
            $($(#[$meaning])* pub $name: u64,)*
            /// Whether the target took what came last.
            pub well: bool,
        }

        #[derive(Debug)]
        pub(super) struct Counters {
            $(pub(super) $name: AtomicU64,)*
            pub(super) well: AtomicBool,
        }

        impl Counters {
            pub(super) fn new() -> Self {
                Self { $($name: AtomicU64::new(0),)* well: AtomicBool::new(true) }
            }

            /// Each is exact; together they may be a moment apart.
            pub(super) fn read(&self) -> DeliveryCounters {
                DeliveryCounters {
                    $($name: self.$name.load(Relaxed),)*
                    well: self.well.load(Relaxed),
                }
            }
        }
    };
}

counters! {
    /// Lines offered, alerts and others.
    offered_lines,
    /// Lines that the target took. An alert that is written again counts again.
    written_lines,
    /// Their octets.
    written_octets,
    /// Lines that are no alerts, dropped because the queue was full.
    dropped_records,
    /// Lines that are no alerts and were still in the queue when the time to finish was over.
    unfinished_records,
    /// Alerts lost because there was room for them neither in the queue nor in a spool.
    lost_alerts,
    /// Lines longer than the target can take: longer than a datagram can be.
    too_long,
    /// Alerts put into the spool.
    spooled_alerts,
    /// Octets in the spool that no target took yet: a gauge.
    spool_octets,
    /// Alerts that had to leave the full spool before the target took them.
    spool_dropped_alerts,
    /// Stretches of the spool that could not be read: torn by a crash, or damaged.
    spool_damages,
    /// Attempts that failed: to write, to connect, to rotate, to spool.
    errors,
    /// How often the target was well again after it had failed.
    reconnects,
    /// Chunks in the queue: a gauge.
    queue_chunks,
    /// Octets in the queue: a gauge.
    queue_octets,
}

/// Adds to a counter.
pub(super) fn add(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Relaxed);
}

/// Sets a gauge.
pub(super) fn set(gauge: &AtomicU64, value: u64) {
    gauge.store(value, Relaxed);
}
