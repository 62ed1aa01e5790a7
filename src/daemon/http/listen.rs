//! Where visitors come in: on this host only, unless systemd was told otherwise.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::net::{self, IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// An address of this host: `127.0.0.1:9104`, `[::1]:9104`, `localhost:9104`, `unix:/run/gridtap/http`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A loopback address and a port; 0 takes a free one.
    Tcp(SocketAddr),
    /// A path.
    Unix(PathBuf),
}

/// Why a text is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Others could reach it, in clear text.
    #[error(
        "{0} is no loopback address: others could read along; listen on 127.0.0.1 or a unix \
         socket, with a reverse proxy and TLS before it"
    )]
    NotLoopback(SocketAddr),
    /// It is no address.
    #[error("{0:?} is no address: write 127.0.0.1:9104, [::1]:9104 or unix:/path")]
    Malformed(String),
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| path.starts_with('/')) {
            return Ok(Self::Unix(path.into()));
        }
        let address = match text.strip_prefix("localhost:") {
            Some(port) => port.parse().ok().map(|port| (Ipv4Addr::LOCALHOST, port).into()),
            None => text.parse().ok(),
        };
        match address {
            Some(address) if is_loopback(address) => Ok(Self::Tcp(address)),
            Some(address) => Err(EndpointError::NotLoopback(address)),
            None => Err(EndpointError::Malformed(text.to_owned())),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An IPv4 address may hide in an IPv6 one.
fn is_loopback(address: SocketAddr) -> bool {
    let ip: IpAddr = address.ip().to_canonical();
    ip.is_loopback()
}

/// A socket that waits for visitors and does not block.
#[derive(Debug)]
pub enum Listener {
    /// On an address.
    Tcp(net::TcpListener),
    /// On a path.
    Unix(unix::UnixListener),
}

impl Listener {
    /// Opens a socket of our own. A unix socket is for its user and group; one that a dead daemon
    /// left is replaced, one that somebody listens on is not.
    pub fn open(endpoint: &Endpoint) -> io::Result<Self> {
        match endpoint {
            // Whoever makes an endpoint without parsing it is held to the same.
            Endpoint::Tcp(address) if !is_loopback(*address) => {
                Err(io::Error::other(EndpointError::NotLoopback(*address)))
            }
            Endpoint::Tcp(address) => Self::passed_tcp(net::TcpListener::bind(address)?),
            Endpoint::Unix(path) => {
                remove_stale(path)?;
                let socket = unix::UnixListener::bind(path)?;
                fs::set_permissions(path, Permissions::from_mode(0o660))?;
                Self::passed_unix(socket)
            }
        }
    }

    /// One that somebody opened for us, on any address: that was a decision.
    pub fn passed_tcp(socket: net::TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self::Tcp(socket))
    }

    /// One that somebody opened for us.
    pub fn passed_unix(socket: unix::UnixListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self::Unix(socket))
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type().is_socket(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let nobody_listens = || {
        let refused = unix::UnixStream::connect(path).err();
        refused.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    if is_socket && nobody_listens() { fs::remove_file(path) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_host_are_endpoints() {
        for (text, shown) in [
            ("127.0.0.1:9104", "127.0.0.1:9104"),
            ("127.9.9.9:0", "127.9.9.9:0"),
            ("[::1]:9104", "[::1]:9104"),
            ("[::ffff:127.0.0.1]:9104", "[::ffff:127.0.0.1]:9104"),
            ("localhost:9104", "127.0.0.1:9104"),
            ("unix:/run/gridtap/http", "unix:/run/gridtap/http"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn others_are_refused() {
        for text in ["0.0.0.0:9104", "[::]:9104", "10.0.0.1:80", "[::ffff:10.0.0.1]:80"] {
            let refused = text.parse::<Endpoint>();
            assert!(matches!(refused, Err(EndpointError::NotLoopback(_))), "{text}: {refused:?}");
            let made = Endpoint::Tcp(text.parse().unwrap());
            assert!(Listener::open(&made).is_err(), "{text}");
        }
        for text in ["", "9104", ":9104", "127.0.0.1", "host:80", "localhost:x", "unix:http"] {
            let refused = text.parse::<Endpoint>();
            assert!(matches!(refused, Err(EndpointError::Malformed(_))), "{text}: {refused:?}");
        }
    }

    #[test]
    fn a_socket_that_was_left_is_replaced_and_one_in_use_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::Unix(directory.path().join("http"));
        let Endpoint::Unix(path) = &endpoint else { unreachable!() };
        let first = Listener::open(&endpoint).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(Listener::open(&endpoint).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        Listener::open(&endpoint).unwrap();
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("http");
        fs::write(&path, "precious").unwrap();
        assert!(Listener::open(&Endpoint::Unix(path.clone())).is_err());
        assert_eq!(fs::read_to_string(path).unwrap(), "precious");
    }
}
