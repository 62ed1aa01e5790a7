//! gridtap: a passive network security monitor for the interconnect between a power grid and a
//! telecom carrier.
pub mod bytes;
pub mod capture;
pub mod command;
pub mod engine;
pub mod event;
pub mod flow;
pub mod metrics;
pub mod output;
pub mod packet;
pub mod protocol;
pub mod rule;
pub mod time;
