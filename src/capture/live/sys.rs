//! System calls of a packet socket, made safe: packet(7), and `Documentation/networking/packet_mmap.rst`
//! and `filter.rst` of the kernel.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use libc::{c_uint, sock_filter, socklen_t};

/// A packet socket: raw frames of one interface.
#[derive(Debug)]
pub(super) struct Socket(OwnedFd);

/// What is wanted of a ring.
#[derive(Debug, Clone, Copy)]
pub(super) struct RingRequest {
    /// Octets of a block.
    pub(super) block_size: u32,
    /// How many blocks.
    pub(super) blocks: u32,
    /// Milliseconds until a block that has frames is handed over although it is not full.
    pub(super) timeout: u32,
    /// Octets kept free in front of each frame.
    pub(super) headroom: u32,
}

/// What a socket is bound to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    /// The interface's index; `None` once the interface is gone.
    pub(super) index: Option<c_int>,
    /// What its first header is: `ARPHRD_…`.
    pub(super) hardware: u16,
}

/// Counts since they were last read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    /// Frames that passed the filter, those for which there was no room among them.
    pub(super) packets: u32,
    /// Those for which there was no room.
    pub(super) drops: u32,
    /// How often the ring filled up.
    pub(super) freezes: u32,
}

/// What an interface can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// Nothing: it is switched off.
    Off,
    /// Nothing: it is switched on, and has no carrier (RFC 2863, not `up`).
    Dead,
    /// It carries frames.
    Alive,
}

/// What [`poll`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Nothing.
    Idle,
    /// A block was handed over.
    Ready,
    /// The socket has something to complain of.
    Trouble,
}

impl Socket {
    /// Opens a socket that receives nothing yet. Needs `CAP_NET_RAW`.
    pub(super) fn open() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        descriptor(libc::AF_PACKET, kind).map(Self)
    }

    /// Frames come with the time at which the kernel got them from the interface: the same for all
    /// who capture them. Otherwise it is that at which they came to this socket.
    pub(super) fn keep_times(&self) -> io::Result<()> {
        self.set_at(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1_i32)
    }

    /// Binds to an interface. With `receive` its frames come from now on.
    pub(super) fn bind(&self, index: c_int, receive: bool) -> io::Result<()> {
        // SAFETY: an address of zeros is a valid one.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = if receive { (libc::ETH_P_ALL as u16).to_be() } else { 0 };
        address.sll_ifindex = index;
        // SAFETY: the pointer is to an address of the length that is given.
        let result = unsafe {
            libc::bind(self.0.as_raw_fd(), (&raw const address).cast(), length_of(&address))
        };
        checked(result)
    }

    /// What the socket is bound to.
    pub(super) fn bound(&self) -> io::Result<Bound> {
        // SAFETY: an address of zeros is a valid one.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        let mut length = length_of(&address);
        // SAFETY: the pointers are to an address and to its length.
        let result = unsafe {
            libc::getsockname(self.0.as_raw_fd(), (&raw mut address).cast(), &raw mut length)
        };
        checked(result)?;
        let index = Some(address.sll_ifindex).filter(|index| *index > 0);
        Ok(Bound { index, hardware: address.sll_hatype })
    }

    /// Makes the ring that [`super::map::Map`] then maps.
    pub(super) fn make_ring(&self, request: RingRequest) -> io::Result<()> {
        let version = libc::tpacket_versions::TPACKET_V3 as c_int;
        self.set(libc::PACKET_VERSION, &version)?;
        self.set(libc::PACKET_RESERVE, &request.headroom)?;
        self.set(
            libc::PACKET_RX_RING,
            &libc::tpacket_req3 {
                tp_block_size: request.block_size,
                tp_block_nr: request.blocks,
                // Version 3 packs frames of any size; the two only have to agree with the blocks.
                tp_frame_size: request.block_size,
                tp_frame_nr: request.blocks,
                tp_retire_blk_tov: request.timeout,
                tp_sizeof_priv: 0,
                tp_feature_req_word: 0,
            },
        )
    }

    /// Has the interface receive also what is not meant for it, as long as this socket lives.
    pub(super) fn promiscuous(&self, index: c_int) -> io::Result<()> {
        self.set(
            libc::PACKET_ADD_MEMBERSHIP,
            &libc::packet_mreq {
                mr_ifindex: index,
                mr_type: libc::PACKET_MR_PROMISC as u16,
                mr_alen: 0,
                mr_address: [0; 8],
            },
        )
    }

    /// Filters frames from now on, in place of an earlier filter.
    pub(super) fn filter(&self, program: &[sock_filter]) -> io::Result<()> {
        self.set_at(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &descriptor_of(program)?)
    }

    /// Joins a fan-out group that has a program, or founds one with an identifier that the kernel
    /// chooses.
    pub(super) fn join(&self, group: Option<u16>) -> io::Result<()> {
        let unique = if group.is_none() { libc::PACKET_FANOUT_FLAG_UNIQUEID } else { 0 };
        let arguments =
            u32::from(group.unwrap_or_default()) | (libc::PACKET_FANOUT_CBPF | unique) << u16::BITS;
        self.set(libc::PACKET_FANOUT, &arguments)
    }

    /// The group that was joined.
    pub(super) fn group(&self) -> io::Result<u16> {
        self.get::<c_int>(libc::SOL_PACKET, libc::PACKET_FANOUT).map(|word| word as u16)
    }

    /// Has the program choose who in the group gets a frame.
    pub(super) fn spread(&self, program: &[sock_filter]) -> io::Result<()> {
        self.set(libc::PACKET_FANOUT_DATA, &descriptor_of(program)?)
    }

    /// Reads the counts, which sets them to zero.
    pub(super) fn counts(&self) -> io::Result<Counts> {
        let read: libc::tpacket_stats_v3 = self.get(libc::SOL_PACKET, libc::PACKET_STATISTICS)?;
        Ok(Counts { packets: read.tp_packets, drops: read.tp_drops, freezes: read.tp_freeze_q_cnt })
    }

    /// Takes the error that [`Readiness::Trouble`] is about.
    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        let error: c_int = self.get(libc::SOL_SOCKET, libc::SO_ERROR)?;
        Ok((error != 0).then(|| io::Error::from_raw_os_error(error)))
    }

    fn set<T: Plain>(&self, option: c_int, value: &T) -> io::Result<()> {
        self.set_at(libc::SOL_PACKET, option, value)
    }

    fn set_at<T: Plain>(&self, level: c_int, option: c_int, value: &T) -> io::Result<()> {
        let length = length_of(value);
        // SAFETY: the pointer is to a value of the length that is given. A program that the value
        // points to is borrowed by the method that called this one; the kernel copies it.
        let result = unsafe {
            let value = std::ptr::from_ref(value).cast();
            libc::setsockopt(self.0.as_raw_fd(), level, option, value, length)
        };
        checked(result)
    }

    fn get<T: Plain>(&self, level: c_int, option: c_int) -> io::Result<T> {
        // SAFETY: `Plain` promises that zeros are a value.
        let mut value: T = unsafe { zeroed() };
        let mut length = length_of(&value);
        // SAFETY: the pointers are to a value and to its length; `Plain` promises that whatever
        // octets the kernel writes are a value.
        let result = unsafe {
            let value = (&raw mut value).cast();
            libc::getsockopt(self.0.as_raw_fd(), level, option, value, &raw mut length)
        };
        checked(result)?;
        Ok(value)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// C structures of numbers and pointers, all of whose octets may have any value.
///
/// # Safety
///
/// That is what it promises.
unsafe trait Plain {}
// SAFETY: numbers.
unsafe impl Plain for c_int {}
// SAFETY: numbers.
unsafe impl Plain for c_uint {}
// SAFETY: numbers.
unsafe impl Plain for libc::tpacket_req3 {}
// SAFETY: numbers.
unsafe impl Plain for libc::tpacket_stats_v3 {}
// SAFETY: numbers.
unsafe impl Plain for libc::packet_mreq {}
// SAFETY: a number and a raw pointer.
unsafe impl Plain for libc::sock_fprog {}

fn length_of<T>(_: &T) -> socklen_t {
    size_of::<T>() as socklen_t
}

fn descriptor_of(program: &[sock_filter]) -> io::Result<libc::sock_fprog> {
    let len = program.len().try_into().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(libc::sock_fprog { len, filter: program.as_ptr().cast_mut() })
}

fn descriptor(family: c_int, kind: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointer is passed.
    let number = unsafe { libc::socket(family, kind, 0) };
    checked(number)?;
    // SAFETY: it was opened above, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn checked(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Waits until a socket is ready or in trouble, at most for `timeout`. A signal ends it early, as
/// if nothing had happened.
pub(super) fn poll<'a>(
    sockets: impl Iterator<Item = &'a Socket>,
    timeout: Duration,
    polled: &mut Vec<libc::pollfd>,
) -> io::Result<()> {
    polled.clear();
    polled.extend(sockets.map(|socket| libc::pollfd {
        fd: socket.0.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    }));
    let timeout = libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // SAFETY: the pointers are to as many elements as are said, to a time, and to no signal mask.
    let result = unsafe {
        let count = polled.len() as libc::nfds_t;
        libc::ppoll(polled.as_mut_ptr(), count, &raw const timeout, std::ptr::null())
    };
    match checked(result) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            for polled in polled {
                polled.revents = 0;
            }
            Ok(())
        }
        other => other,
    }
}

/// What [`poll`] found out about a socket.
pub(super) fn readiness(polled: libc::pollfd) -> Readiness {
    if polled.revents & !libc::POLLIN != 0 {
        Readiness::Trouble
    } else if polled.revents != 0 {
        Readiness::Ready
    } else {
        Readiness::Idle
    }
}

/// Octets of a page.
/// Whether the kernel says that somebody keeps its clock in step (adjtimex(2)).
pub fn clock_is_synchronised() -> bool {
    // SAFETY: all zeros is a timex: numbers only. With modes 0 nothing is set.
    let mut state: libc::timex = unsafe { zeroed() };
    // SAFETY: `state` lives through the call, which writes within it.
    let clock = unsafe { libc::adjtimex(&raw mut state) };
    clock >= 0 && clock != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0
}

pub(super) fn page_size() -> usize {
    // SAFETY: no pointer is passed.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

/// Asks about interfaces by name: netdevice(7).
#[derive(Debug)]
pub(super) struct Inquiry<'a>(BorrowedFd<'a>);

/// A socket that is good for an [`Inquiry`] and for nothing else. Needs no permission.
pub(super) fn inquiry_socket() -> io::Result<OwnedFd> {
    descriptor(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC)
}

impl<'a> Inquiry<'a> {
    /// Any socket will do.
    pub(super) const fn new(socket: BorrowedFd<'a>) -> Self {
        Self(socket)
    }

    /// The interface's index.
    pub(super) fn index(&self, name: &str) -> io::Result<c_int> {
        let answer = self.ask(name, libc::SIOCGIFINDEX)?;
        // SAFETY: the kernel filled this member in, and any number is a value of it.
        Ok(unsafe { answer.ifr_ifru.ifru_ifindex })
    }

    /// The name that the interface with this index has now.
    pub(super) fn name(&self, index: c_int) -> io::Result<String> {
        // SAFETY: a request of zeros is a valid one.
        let mut request: libc::ifreq = unsafe { zeroed() };
        request.ifr_ifru.ifru_ifindex = index;
        self.control(libc::SIOCGIFNAME, &mut request)?;
        let octets = request.ifr_name.iter().map(|octet| *octet as u8);
        let octets: Vec<_> = octets.take_while(|octet| *octet != 0).collect();
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    /// Whether somebody switched it on, and whether that is of use.
    pub(super) fn activity(&self, name: &str) -> io::Result<Activity> {
        let answer = self.ask(name, libc::SIOCGIFFLAGS)?;
        // SAFETY: the kernel filled this member in, and any number is a value of it.
        let flags = c_int::from(unsafe { answer.ifr_ifru.ifru_flags });
        Ok(match (flags & libc::IFF_UP != 0, flags & libc::IFF_RUNNING != 0) {
            (false, _) => Activity::Off,
            (true, false) => Activity::Dead,
            (true, true) => Activity::Alive,
        })
    }

    /// Octets that a packet may have.
    pub(super) fn mtu(&self, name: &str) -> io::Result<u32> {
        let answer = self.ask(name, libc::SIOCGIFMTU)?;
        // SAFETY: the kernel filled this member in, and any number is a value of it.
        Ok(unsafe { answer.ifr_ifru.ifru_mtu } as u32)
    }

    /// What its first header is: `ARPHRD_…`.
    pub(super) fn hardware(&self, name: &str) -> io::Result<u16> {
        let answer = self.ask(name, libc::SIOCGIFHWADDR)?;
        // SAFETY: the kernel filled this member in, and any octets are a value of it.
        Ok(unsafe { answer.ifr_ifru.ifru_hwaddr }.sa_family)
    }

    /// Whether the kernel joins segments that it receives (`ETHTOOL_GGRO`).
    pub(super) fn receive_offload(&self, name: &str) -> io::Result<bool> {
        /// `struct ethtool_value` of `linux/ethtool.h`.
        #[repr(C)]
        struct Value {
            command: u32,
            data: u32,
        }
        const GET_GRO: u32 = 0x2b;
        let mut value = Value { command: GET_GRO, data: 0 };
        let mut request = named(name)?;
        request.ifr_ifru.ifru_data = (&raw mut value).cast();
        self.control(libc::SIOCETHTOOL, &mut request)?;
        Ok(value.data != 0)
    }

    fn ask(&self, name: &str, question: libc::c_ulong) -> io::Result<libc::ifreq> {
        let mut request = named(name)?;
        self.control(question, &mut request)?;
        Ok(request)
    }

    fn control(&self, question: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
        // SAFETY: the pointer is to a request as the questions asked here take it, with whatever
        // it points to alive in the caller.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), question as _, request) };
        checked(result)
    }
}

/// A request about the interface of this name; one that no interface can have is "no such device".
fn named(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: a request of zeros is a valid one.
    let mut request: libc::ifreq = unsafe { zeroed() };
    let room = request.ifr_name.len() - 1; // the name ends with a zero
    if name.is_empty() || name.len() > room || name.contains('\0') {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (place, octet) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = octet as libc::c_char;
    }
    Ok(request)
}
