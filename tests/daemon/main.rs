//! The daemon as its users meet it: the program, started as root in a network namespace of the
//! test's own, with frames in at one end of a cable, and records, metrics and signals out at the
//! other.
//!
//! Nothing here waits for time to pass: every wait is for something that can be seen, and has an
//! end. What is not tested: a clock that is set. Time namespaces shift the monotonic clock alone,
//! and the kernel gives frames their time by the real one, which all processes share.

#![allow(unreachable_pub, reason = "modules of a test")]
#![allow(clippy::float_cmp, reason = "counters are whole numbers")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "../common/mod.rs"]
mod common;
mod daemon;
mod evidence;
mod interfaces;
mod life;
mod manager;
mod outputs;
mod privileges;
mod receiver;
mod recording;
mod replay;
mod scrape;
mod shapes;
#[path = "../live/world.rs"]
#[allow(dead_code, reason = "shared with the tests of the capture ring")]
mod world;
