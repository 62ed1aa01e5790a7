//! Live capture from network interfaces.
//!
//! ```text
//!  interface ─▶ filter ─▶ fan-out ─▶ ring │ map ─▶ Ring ─▶ Live ─▶ frames
//!               kernel: cBPF programs     │ shared memory  merged by the kernel's time
//! ```
//!
//! A [`Ring`] is an `AF_PACKET` socket with a `TPACKET_V3` ring: the kernel writes frames into
//! blocks of memory that are shared with it, and hands a block over when it is full or its time is
//! up. Nothing is copied after that. [`Ring::open_group`] opens one for each of several threads,
//! between which the kernel deals the flows out. A [`Live`] reads the rings of one thread, of
//! several interfaces, as one. [`Duplicates`] drops what a switch mirrored twice.
//!
//! The only unsafe code of gridtap is here, in `sys` (system calls) and `map` (the memory).

mod duplicates;
mod error;
mod fanout;
mod filter;
mod headers;
mod interfaces;
mod map;
mod merge;
mod program;
mod ring;
mod statistics;
mod sys;

pub use duplicates::Duplicates;
pub use error::{Cause, Error};
pub use filter::{Filter, FilterTooLong};
pub use interfaces::{Interface, interfaces};
pub use merge::{Live, Turn};
pub use ring::{LinkState, Ring, RingOptions};
pub use statistics::Statistics;
pub use sys::clock_is_synchronised;

#[cfg(test)]
mod tests;
