//! What the daemon itself has to say: a line to standard error, with the priority that journald
//! reads from its beginning (sd-daemon(3)). Never a line for each packet, alert or visitor.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::config::LogLevel;

/// The least important messages that are written.
static LEAST: AtomicU8 = AtomicU8::new(LogLevel::Info as u8);

/// Sets the least important messages that are written.
pub(super) fn set_level(level: LogLevel) {
    LEAST.store(level as u8, Ordering::Relaxed);
}

/// Writes a message. Control characters in it are shown, not sent.
pub(super) fn log(level: LogLevel, message: &str) {
    if level as u8 > LEAST.load(Ordering::Relaxed) {
        return;
    }
    let priority = match level {
        LogLevel::Error => 3,
        LogLevel::Warn => 4,
        LogLevel::Info => 6,
        LogLevel::Debug | LogLevel::Trace => 7,
    };
    let under_journald = std::env::var_os("JOURNAL_STREAM").is_some();
    let prefix = if under_journald { format!("<{priority}>") } else { "gridtap: ".to_owned() };
    let message: String =
        message.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
    // Where nobody reads there is nobody to tell.
    let _ = writeln!(io::stderr(), "{prefix}{message}");
}

pub(super) fn error(message: &str) {
    log(LogLevel::Error, message);
}

pub(super) fn warn(message: &str) {
    log(LogLevel::Warn, message);
}

pub(super) fn info(message: &str) {
    log(LogLevel::Info, message);
}
