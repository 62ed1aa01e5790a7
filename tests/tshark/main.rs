//! Wireshark's dissectors see the same messages.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "../common/mod.rs"]
mod common;
mod iec104;
mod mqtt;
mod pdml;
mod tls;

use std::path::PathBuf;

use common::{file, files, shared};

/// The project's captures of real peers, and those beside it where they are.
fn captures(ours: &[&str], folder: &str) -> Vec<PathBuf> {
    let mut captures: Vec<_> = ours.iter().map(|name| file(&format!("pcaps/{name}"))).collect();
    captures.extend(shared(&format!("pcaps/{folder}")).iter().flat_map(|folder| files(folder)));
    captures
}
