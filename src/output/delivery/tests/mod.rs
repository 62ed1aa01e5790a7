//! The parts of an output, and how its thread puts them together.

mod file;
mod spool;
mod thread;

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Chunk, Lines};
use crate::rule::Level;

/// A chunk of lines; those that begin with `!` are alerts.
fn chunk(lines: &[&str]) -> Arc<Chunk> {
    let mut chunk = Chunk::default();
    for line in lines {
        let alert = line.starts_with('!').then_some(Level::High);
        assert!(chunk.push(format!("{line}\n").as_bytes(), alert));
    }
    chunk.into()
}

/// One alert in a chunk, of exactly so many octets.
fn alert_of(octets: usize, number: usize) -> Arc<Chunk> {
    let mut line = format!("!{number} ");
    while line.len() + 1 < octets {
        line.push('x');
    }
    chunk(&[&line])
}

/// The lines that are left.
fn texts(lines: &Lines) -> Vec<String> {
    let text = |line: &[u8]| String::from_utf8_lossy(line).trim_end().to_owned();
    lines.iter().map(|(line, _)| text(line)).collect()
}

/// `count` numbered lines.
fn numbered(prefix: &str, count: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        writeln!(text, "{prefix}{number}").unwrap();
        text
    })
}
