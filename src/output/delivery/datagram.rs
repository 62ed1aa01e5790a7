//! One message a datagram.

use std::io;

use super::{Failure, Lines};
use crate::rule::Level;

/// Sends lines, each without its line feed, until `send` fails; a line that no datagram can hold
/// is refused.
pub(super) fn send_each(
    lines: &mut Lines,
    mut send: impl FnMut(&[u8], Option<Level>) -> io::Result<usize>,
) -> Result<(), Failure> {
    while let Some((line, alert)) = lines.first() {
        match send(line.strip_suffix(b"\n").unwrap_or(line), alert) {
            Ok(_) => lines.take(1),
            Err(error) if is_too_long(&error) => lines.refuse(),
            Err(error) => return Err(Failure::of_socket(error)),
        }
    }
    Ok(())
}

/// The kernel's word decides: it depends on the kind of socket, its buffer, and the route.
fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error())
}
