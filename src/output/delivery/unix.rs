//! Unix sockets of somebody who listens on this host.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::datagram::send_each;
use super::stream::{Connect, Connection, IN_DOUBT};
use super::target::PATIENCE;
use super::{Failure, Lines, Target};

/// Lines to a Unix stream socket, as they are.
#[derive(Debug)]
pub struct UnixStreamTarget {
    connection: Connection<UnixPath>,
}

#[derive(Debug)]
struct UnixPath(PathBuf);

impl UnixStreamTarget {
    /// To whoever listens at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { connection: Connection::new(UnixPath(path.into())) }
    }
}

impl Connect for UnixPath {
    type Stream = UnixStream;

    fn connect(&self) -> io::Result<UnixStream> {
        connected(SocketType::STREAM, &self.0).map(UnixStream::from)
    }
}

impl Target for UnixStreamTarget {
    fn write(&mut self, lines: &mut Lines) -> Result<(), Failure> {
        let written = self.connection.send(lines.octets())?;
        let all = lines.octets().len();
        let whole = lines.whole_within(written);
        let octets = lines.octets_of(whole);
        lines.take(whole);
        self.connection.took(octets, all)
    }

    fn close(&mut self) {
        self.connection.close();
    }

    fn in_doubt(&self) -> Duration {
        IN_DOUBT
    }
}

/// Lines to a Unix datagram socket, each in a datagram of its own, without its line feed.
#[derive(Debug)]
pub struct UnixDatagramTarget {
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

impl UnixDatagramTarget {
    /// To whoever is bound to `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), socket: None }
    }
}

impl Target for UnixDatagramTarget {
    fn write(&mut self, lines: &mut Lines) -> Result<(), Failure> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            empty => empty.insert(connected(SocketType::DGRAM, &self.path)?.into()),
        };
        send_each(lines, |message, _| socket.send(message))
    }

    fn close(&mut self) {
        self.socket = None;
    }
}

/// A socket connected to `path`. The time limit is set first: a listener that does not accept
/// would let `connect` wait for ever.
fn connected(kind: SocketType, path: &Path) -> io::Result<OwnedFd> {
    let connected = || -> rustix::io::Result<OwnedFd> {
        let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(socket)
    };
    connected().map_err(|errno| {
        let error = io::Error::from(errno);
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    })
}
