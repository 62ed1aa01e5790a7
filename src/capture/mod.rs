//! Where frames come from: capture files and pipes, and network interfaces in [`live`].
//!
//! ```no_run
//! use gridtap::capture::Source;
//!
//! let mut source = Source::open(&["monday.pcap", "tuesday.pcapng"])?;
//! loop {
//!     match source.next() {
//!         Ok(Some(frame)) => println!("{} {}", frame.number, frame.data.len()),
//!         Ok(None) => break,
//!         Err(damage) => eprintln!("{damage}"), // the other files still go on
//!     }
//! }
//! # Ok::<(), gridtap::capture::OpenError>(())
//! ```
//!
//! A [`Capture`] is one file in pcap or pcapng; a [`Source`] is one or several of them in the order
//! of time. Both lend frames out of a buffer that is reused: reading costs the copy out of the
//! kernel and a few nanoseconds a packet.

mod error;
mod file;
pub mod live;
mod merge;
mod pcap;
mod pcapng;
mod pcapng_writer;
mod record;
mod window;
mod write;

#[cfg(test)]
mod tests;

pub use error::{Damage, Defect, NoCapture, OpenError, Skipped};
pub use file::Capture;
pub use merge::{Octets, Source};
pub use pcapng_writer::PcapNgWriter;
pub use write::PcapWriter;

/// The longest packet that a capture keeps: what libpcap and Wireshark write at most, and refuse
/// to read beyond.
pub const MAX_PACKET: usize = 256 * 1024;
