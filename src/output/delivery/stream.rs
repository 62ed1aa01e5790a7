//! Connections that lines are written to, one after the other: Unix stream sockets and TCP.

use std::fmt::Debug;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};

use super::Failure;

/// How long the kernel may hold octets that the peer did not confirm, before it gives up the
/// connection (TCP_USER_TIMEOUT).
pub(super) const UNCONFIRMED: Duration = Duration::from_secs(10);
/// A line that was taken longer ago than this was confirmed, or the connection would be gone: the
/// kernel looks at its limit only when a timer of its own runs out.
pub(super) const IN_DOUBT: Duration = Duration::from_secs(15);

/// How a connection is made.
pub(super) trait Connect: Send + Debug {
    type Stream: Write + AsFd + Send + Debug;

    /// Makes a connection; its writes wait for [`PATIENCE`](super::target::PATIENCE) at most.
    fn connect(&self) -> io::Result<Self::Stream>;
}

/// A connection, made when it is needed.
#[derive(Debug)]
pub(super) struct Connection<C: Connect> {
    connect: C,
    stream: Option<C::Stream>,
    /// How many octets of the first line that is not taken are written.
    begun: usize,
}

impl<C: Connect> Connection<C> {
    pub(super) fn new(connect: C) -> Self {
        Self { connect, stream: None, begun: 0 }
    }

    pub(super) fn close(&mut self) {
        self.stream = None;
        self.begun = 0;
    }

    /// Writes messages that belong to lines, the first of which may be begun already. Returns how
    /// many of their octets are written by now; [`took`](Self::took) follows.
    pub(super) fn send(&mut self, messages: &[u8]) -> Result<usize, Failure> {
        self.open()?;
        let left = messages.get(self.begun..).unwrap_or_default();
        let Some(stream) = &mut self.stream else { return Err(Failure::Busy) };
        match stream.write(left) {
            Ok(0) if !left.is_empty() => {
                return Err(Failure::Broken(io::ErrorKind::WriteZero.into()));
            }
            Ok(sent) => self.begun += sent,
            Err(error) => return Err(Failure::of_socket(error)),
        }
        Ok(self.begun)
    }

    /// The messages in the first so many octets were whole, and their lines are taken. Less than
    /// `all` were: the peer is busy.
    pub(super) fn took(&mut self, octets: usize, all: usize) -> Result<(), Failure> {
        let is_short = self.begun < all;
        self.begun -= octets;
        if is_short { Err(Failure::Busy) } else { Ok(()) }
    }

    /// The connection, which is made when there is none, or when the peer has hung up. A line that
    /// is written after that would be lost without an error.
    fn open(&mut self) -> Result<(), Failure> {
        if self.stream.as_ref().is_some_and(|stream| !is_open(stream)) {
            self.close();
            let error = io::Error::new(io::ErrorKind::ConnectionReset, "the receiver hung up");
            return Err(Failure::Broken(error));
        }
        if self.stream.is_none() {
            self.begun = 0;
            self.stream = Some(self.connect.connect()?);
        }
        Ok(())
    }
}

/// Whether the peer can still listen. What it says is read and ignored: unread, it would make the
/// kernel reset the connection at its end, and drop what the peer has not read.
fn is_open(stream: &impl AsFd) -> bool {
    let mut ignored = [0; 4096];
    // Bounded: a peer that talks without end is no reason to stay here.
    for _ in 0..16 {
        match recv(stream, &mut ignored[..], RecvFlags::DONTWAIT) {
            Ok((_, 0)) => return false,
            Ok(_) => {}
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return true,
            Err(_) => return false,
        }
    }
    true
}
