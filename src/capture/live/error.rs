//! Why an interface cannot be captured from.

use std::fmt;
use std::io;

/// What failed, and on which interface.
#[derive(Debug, thiserror::Error)]
#[error("{interface}: {cause}")]
pub struct Error {
    /// The interface's name.
    pub interface: String,
    /// What is wrong.
    pub cause: Cause,
}

/// What is wrong with an interface, or with what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// Nobody has such an interface; these are there.
    #[error("there is no such interface{}", There(.0))]
    Absent(Vec<String>),
    /// It is not switched on.
    #[error("the interface is down: `ip link set … up` switches it on")]
    Down,
    /// We lack `CAP_NET_RAW`.
    #[error("capturing is not permitted: it needs CAP_NET_RAW, or root")]
    Permission,
    /// Its frames begin with a header that is not decoded: `ARPHRD_…` of `linux/if_arp.h`.
    #[error(
        "frames of hardware type {0} are not decoded: Ethernet, loopback, and IP without a link layer are"
    )]
    Hardware(u16),
    /// Options that cannot be.
    #[error("{0}")]
    Options(&'static str),
    /// The system refused something.
    #[error("cannot {action}: {error}")]
    System {
        /// What we wanted.
        action: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

impl Error {
    /// Whether we may not (sysexits `EX_NOPERM`, 77).
    pub const fn is_permission(&self) -> bool {
        matches!(self.cause, Cause::Permission)
    }

    /// Whether there is nothing to capture from now, though there may be later: the interface is
    /// absent or down (sysexits `EX_NOINPUT`, 66).
    pub const fn is_no_input(&self) -> bool {
        matches!(self.cause, Cause::Absent(_) | Cause::Down)
    }

    pub(super) fn new(interface: &str, cause: Cause) -> Self {
        Self { interface: interface.to_owned(), cause }
    }

    /// What the system said when we wanted to do something with an interface.
    pub(super) fn system(interface: &str, action: &'static str, error: io::Error) -> Self {
        let cause = match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Cause::Permission,
            Some(libc::ENODEV | libc::ENXIO) => Cause::Absent(super::interfaces::names()),
            Some(libc::ENETDOWN) => Cause::Down,
            _ => Cause::System { action, error },
        };
        Self::new(interface, cause)
    }
}

struct There<'a>(&'a [String]);

impl fmt::Display for There<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; there are {}", self.0.join(", ")) }
    }
}
