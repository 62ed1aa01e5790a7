//! Wireshark's dissectors see the same messages.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "../common/mod.rs"]
mod common;
mod differences;
mod iec104;
mod mqtt;
mod pdml;
mod tls;
mod tunnels;
mod websocket;

use std::fs;
use std::path::{Path, PathBuf};

use common::{OwnedFrame, file, files, shared};

/// The project's captures of real peers, and those beside it where they are.
fn captures(ours: &[&str], folder: &str) -> Vec<PathBuf> {
    let mut captures: Vec<_> = ours.iter().map(|name| file(&format!("pcaps/{name}"))).collect();
    captures.extend(shared(&format!("pcaps/{folder}")).iter().flat_map(|folder| files(folder)));
    captures
}

/// Writes frames of raw IP to a capture.
fn write_pcap(path: &Path, frames: &[OwnedFrame]) {
    const RAW: u32 = 101;
    let mut file: Vec<u8> = [0xA1B2_C3D4, 0x0004_0002, 0, 0, 65_535, RAW]
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect();
    for frame in frames {
        let nanoseconds = frame.timestamp.as_nanos();
        let length = frame.data.len() as u32;
        let microseconds = nanoseconds % 1_000_000_000 / 1000;
        let head = [(nanoseconds / 1_000_000_000) as u32, microseconds as u32, length, length];
        file.extend(head.into_iter().flat_map(u32::to_le_bytes));
        file.extend(&frame.data);
    }
    fs::write(path, file).unwrap();
}
