//! Lines to a syslog server: RFC 5424, over UDP (RFC 5426) or TCP (RFC 6587, octet counting).

mod format;
mod pace;

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle, set_tcp_user_timeout};

pub use format::{Facility, UnknownFacility};

use super::datagram::send_each;
use super::stream::{Connect, Connection, IN_DOUBT, UNCONFIRMED};
use super::target::PATIENCE;
use super::{Failure, Lines, Target};
use format::Format;
use pace::Pace;

/// A server that does not answer within this time is tried again later. Alerts wait in memory
/// meanwhile.
const CONNECT: Duration = Duration::from_secs(1);
/// How long an ICMP message "port unreachable" may take to come back.
const UNREACHABLE: Duration = Duration::from_secs(1);
/// Messages are made for so many octets of lines at once; what the connection does not take is
/// made again.
const BATCH: usize = 64 * 1024;

/// Which server, and as whom we speak to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogOptions {
    /// Address and port: 514 for UDP, usually 601 for TCP. Names are looked up by whoever reads the
    /// configuration, not while lines wait.
    pub server: SocketAddr,
    /// The facility of all messages.
    pub facility: Facility,
    /// HOSTNAME: the name of the sensor.
    pub host: String,
}

/// Lines to a syslog server.
#[derive(Debug)]
pub struct Syslog {
    server: SocketAddr,
    format: Format,
    transport: Transport,
    /// The message at hand; kept for its memory.
    message: Vec<u8>,
    frames: Frames,
}

/// Messages with their lengths in front: `MSG-LEN SP SYSLOG-MSG` each (RFC 6587, section 3.4.1).
#[derive(Debug, Default)]
struct Frames {
    octets: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

#[derive(Debug)]
enum Transport {
    Udp(Option<UdpSocket>, Pace),
    Tcp(Connection<Server>),
}

impl Syslog {
    /// A message a datagram, at most 64 in 2 ms.
    pub fn udp(options: &SyslogOptions) -> Self {
        Self::new(options, Transport::Udp(None, Pace::default()))
    }

    /// Messages with their lengths in front, one after the other.
    pub fn tcp(options: &SyslogOptions) -> Self {
        Self::new(options, Transport::Tcp(Connection::new(Server(options.server))))
    }

    fn new(options: &SyslogOptions, transport: Transport) -> Self {
        let format = Format::new(options.facility, &options.host);
        Self {
            server: options.server,
            format,
            transport,
            message: Vec::new(),
            frames: Frames::default(),
        }
    }
}

impl Target for Syslog {
    fn write(&mut self, lines: &mut Lines) -> Result<(), Failure> {
        let Self { server, format, transport, message, frames } = self;
        match transport {
            Transport::Udp(socket, pace) => {
                let socket = match socket {
                    Some(socket) => socket,
                    empty => empty.insert(connected(*server)?),
                };
                send_each(lines, |line, alert| {
                    message.clear();
                    format.put(line, alert, message);
                    pace.wait();
                    socket.send(message)
                })
            }
            Transport::Tcp(connection) => {
                while !lines.is_empty() {
                    frames.make(lines, format, message);
                    let written = connection.send(&frames.octets)?;
                    let (whole, octets) = frames.whole_within(written);
                    lines.take(whole);
                    connection.took(octets, frames.octets.len())?;
                }
                Ok(())
            }
        }
    }

    fn close(&mut self) {
        match &mut self.transport {
            Transport::Udp(socket, _) => *socket = None,
            Transport::Tcp(connection) => connection.close(),
        }
    }

    fn in_doubt(&self) -> Duration {
        match self.transport {
            Transport::Udp(..) => UNREACHABLE,
            Transport::Tcp(_) => IN_DOUBT,
        }
    }
}

impl Frames {
    /// Makes those of the next lines. A line gives the same octets each time, so one that is begun
    /// can be continued.
    fn make(&mut self, lines: &Lines, format: &Format, message: &mut Vec<u8>) {
        self.octets.clear();
        self.ends.clear();
        for (line, alert) in lines.iter() {
            message.clear();
            format.put(line.strip_suffix(b"\n").unwrap_or(line), alert, message);
            // Writing to a vector does not fail.
            let _ = write!(self.octets, "{} ", message.len());
            self.octets.extend(&*message);
            self.ends.push(self.octets.len());
            if self.octets.len() >= BATCH {
                return;
            }
        }
    }

    /// How many are whole within so many octets, and how many octets these have.
    fn whole_within(&self, octets: usize) -> (usize, usize) {
        let whole = self.ends.partition_point(|end| *end <= octets);
        let last = whole.checked_sub(1).and_then(|last| self.ends.get(last));
        (whole, last.copied().unwrap_or(0))
    }
}

#[derive(Debug)]
struct Server(SocketAddr);

impl Connect for Server {
    type Stream = TcpStream;

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.0, CONNECT)
            .map_err(|error| with_address(&error, self.0))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // A few lines at a time, which should not wait for more.
        stream.set_nodelay(true)?;
        set_tcp_user_timeout(&stream, UNCONFIRMED.as_millis() as u32)?;
        // A server that is gone is found out while there is nothing to say.
        set_socket_keepalive(&stream, true)?;
        set_tcp_keepidle(&stream, Duration::from_secs(60))?;
        Ok(stream)
    }
}

/// A socket that hears of it when nobody listens at the server's port.
fn connected(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let connect = || {
        let socket = UdpSocket::bind(any)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.connect(server)?;
        Ok(socket)
    };
    connect().map_err(|error: io::Error| with_address(&error, server))
}

fn with_address(error: &io::Error, address: SocketAddr) -> io::Error {
    io::Error::new(error.kind(), format!("{address}: {error}"))
}
