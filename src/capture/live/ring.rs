//! A ring of one interface: frames that the kernel writes into memory which we share with it.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Cause, Error};
use super::fanout;
use super::filter::{self, Filter};
use super::interfaces::link_type;
use super::map::{Described, HEADROOM, Map, Position, Tag};
use super::statistics::Statistics;
use super::sys::{Activity, Inquiry, RingRequest, Socket, page_size};
use crate::packet::{Frame, LinkType};
use crate::time::Timestamp;

/// What a ring is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingOptions {
    /// Octets of a block, rounded up to whole pages. A frame longer than a block is cut.
    pub block_size: usize,
    /// How many blocks. A block that is handed over for its timeout, not because it is full, is as
    /// good as used: blocks times timeout is how long we may pause at any rate.
    pub blocks: usize,
    /// When a block that has a frame is handed over although it is not full: the greatest part of
    /// the time from packet to alert. Whole milliseconds, at least one.
    pub block_timeout: Duration,
    /// Octets that are kept of a frame.
    pub snap_length: u32,
    /// Whether to receive also what is not meant for this host: mirrored traffic never is.
    pub promiscuous: bool,
    /// Which frames are handed over.
    pub filter: Filter,
}

impl Default for RingOptions {
    /// 64 MiB: half a second at two milliseconds a block, 50 ms at 10 Gbit/s.
    fn default() -> Self {
        Self {
            block_size: 256 * 1024,
            blocks: 256,
            block_timeout: Duration::from_millis(2),
            snap_length: crate::capture::MAX_PACKET as u32,
            promiscuous: true,
            filter: Filter::ALL,
        }
    }
}

/// A socket and its ring. Dropped without [`Ring::close`], its last counts are lost.
#[derive(Debug)]
pub struct Ring {
    interface: Arc<str>,
    link: LinkType,
    loopback: bool,
    // Unmapped before the socket is closed.
    map: Map,
    socket: Socket,
    /// The block that is read, or that the kernel is to hand over next.
    block: usize,
    state: State,
    statistics: Statistics,
}

/// How far the block is read.
#[derive(Debug, Clone, Copy)]
enum State {
    /// It is not known to be ours.
    Waiting,
    /// The next frame, and how many there are with it.
    Reading(Described, usize),
    /// Nothing is left, but the last frame may still be looked at.
    Used,
}

/// What a ring without a frame for us has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// A frame in a block that the kernel still fills, or has just handed over.
    Filling,
    /// Nothing came before this was asked.
    Empty,
}

impl Ring {
    /// Opens a ring on the interface of this name. Needs `CAP_NET_RAW`, and nothing else.
    pub fn open(interface: &str, options: &RingOptions) -> Result<Self, Error> {
        let ring = Self::prepare(interface, options)?;
        ring.receive()?;
        ring.admit(options)?;
        Ok(ring)
    }

    /// Opens rings for so many threads, each of which gets some of the interface's flows: always
    /// both directions of a flow, its fragments, and all that is between two ends of a tunnel.
    ///
    /// With the same number of threads, and no interface that failed in between, the ring at a
    /// place gets the same flows on every interface: so two directions that are captured on two
    /// interfaces come together.
    ///
    /// The rings fail and are opened anew together: when an interface is deleted, every one of
    /// them is dead. Do not drop some of them: the kernel would deal their flows out to the others.
    pub fn open_group(
        interface: &str,
        threads: usize,
        options: &RingOptions,
    ) -> Result<Vec<Self>, Error> {
        if threads <= 1 {
            return Self::open(interface, options).map(|ring| vec![ring]);
        }
        let failed = |action| move |error| Error::system(interface, action, error);
        let rings: Vec<_> =
            (0..threads).map(|_| Self::prepare(interface, options)).collect::<Result<_, _>>()?;
        let mut group = None;
        // All join before the first receives, or flows would move as the group grows.
        for ring in &rings {
            ring.receive()?;
            ring.socket.join(group).map_err(failed("join the fan-out group"))?;
            if group.is_none() {
                group = Some(ring.socket.group().map_err(failed("ask for the fan-out group"))?);
                let program = fanout::program(ring.link);
                ring.socket.spread(&program).map_err(failed("set the fan-out program"))?;
            }
        }
        for ring in &rings {
            ring.admit(options)?;
        }
        Ok(rings)
    }

    /// Everything but receiving: until [`Self::admit`] no frame passes.
    fn prepare(interface: &str, options: &RingOptions) -> Result<Self, Error> {
        let failed = |action| move |error| Error::system(interface, action, error);
        let request =
            request(options).map_err(|reason| Error::new(interface, Cause::Options(reason)))?;
        let socket = Socket::open().map_err(failed("open a packet socket"))?;
        socket.keep_times().map_err(failed("ask for times"))?;
        let inquiry = Inquiry::new(socket.as_fd());
        let index = inquiry.index(interface).map_err(failed("find the interface"))?;
        let activity = inquiry.activity(interface);
        if activity.map_err(failed("ask for the interface's state"))? == Activity::Off {
            return Err(Error::new(interface, Cause::Down));
        }
        socket.bind(index, false).map_err(failed("bind to the interface"))?;
        let hardware = socket.bound().map_err(failed("ask for the interface's type"))?.hardware;
        let link =
            link_type(hardware).ok_or_else(|| Error::new(interface, Cause::Hardware(hardware)))?;
        socket.filter(&filter::nothing()).map_err(failed("set a filter"))?;
        socket.make_ring(request).map_err(failed("get memory for a ring"))?;
        let map = Map::new(socket.as_fd(), request.block_size as usize, options.blocks)
            .map_err(failed("map the ring"))?;
        if options.promiscuous {
            socket.promiscuous(index).map_err(failed("switch to promiscuous mode"))?;
        }
        Ok(Self {
            interface: interface.into(),
            link,
            loopback: hardware == libc::ARPHRD_LOOPBACK,
            map,
            socket,
            block: 0,
            state: State::Waiting,
            statistics: Statistics::default(),
        })
    }

    /// Binds the socket so that it receives what its filter passes.
    fn receive(&self) -> Result<(), Error> {
        let failed = |error| Error::system(&self.interface, "bind to the interface", error);
        let gone = || std::io::Error::from_raw_os_error(libc::ENODEV);
        let index = self.socket.bound().map_err(failed)?.index.ok_or_else(|| failed(gone()))?;
        self.socket.bind(index, true).map_err(failed)
    }

    /// Has frames pass.
    fn admit(&self, options: &RingOptions) -> Result<(), Error> {
        let program = options.filter.program(self.link, self.loopback, options.snap_length);
        let failed = |error| Error::system(&self.interface, "set the filter", error);
        self.socket.filter(&program).map_err(failed)
    }

    /// The interface's name when the ring was opened.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// How its frames begin.
    pub const fn link(&self) -> LinkType {
        self.link
    }

    /// The next frame, if the kernel has handed it over. Does not wait.
    #[inline]
    #[allow(clippy::should_implement_trait)] // an iterator cannot lend
    pub fn next(&mut self) -> Option<Frame<'_>> {
        let (described, left) = self.peek()?;
        self.read(described.next, left - 1);
        Some(self.lend(&described))
    }

    /// When the next frame came, if the kernel has handed it over.
    #[inline]
    pub(super) fn head(&mut self) -> Option<Timestamp> {
        self.peek().map(|(described, _)| timestamp(&described))
    }

    /// Gives a block back that is used up; whether there was one.
    #[inline]
    pub(super) fn give_back(&mut self) -> bool {
        let used = matches!(self.state, State::Used);
        if used {
            self.map.give_back(self.block);
            self.block = (self.block + 1) % self.map.blocks();
            self.state = State::Waiting;
        }
        used
    }

    /// What there is when [`Self::head`] has nothing.
    pub(super) fn rest(&self) -> Rest {
        if self.map.frames(self.block) == 0 { Rest::Empty } else { Rest::Filling }
    }

    /// The next frame and how many there are with it in its block.
    #[inline]
    fn peek(&mut self) -> Option<(Described, usize)> {
        loop {
            match self.state {
                State::Reading(described, left) => return Some((described, left)),
                State::Used => _ = self.give_back(),
                State::Waiting if self.map.is_ours(self.block) => {
                    let first = self.map.first(self.block);
                    let none = Position { block: self.block, offset: usize::MAX };
                    self.read(first.unwrap_or(none), self.map.frames(self.block));
                }
                State::Waiting => return None,
            }
        }
    }

    /// So many frames are left, and the first of them is here.
    #[inline]
    fn read(&mut self, position: Position, left: usize) {
        self.state = State::Used;
        if left == 0 {
            return;
        }
        if let Some(described) = self.map.describe(position) {
            self.state = State::Reading(described, left);
        } else {
            self.statistics.damaged += left as u64;
        }
    }

    #[inline]
    fn lend(&mut self, described: &Described) -> Frame<'_> {
        self.statistics.handled += 1;
        self.statistics.truncated += u64::from(described.captured < described.wire_length);
        let octets = self.map.octets(described);
        let tag = described.tag.filter(|_| self.link == LinkType::Ethernet);
        let (data, restored) = match tag {
            Some(tag) => restore(octets, tag),
            None => (octets.get(HEADROOM..).unwrap_or_default(), 0),
        };
        self.statistics.tags_restored += u64::from(restored > 0);
        Frame {
            number: 0,
            timestamp: timestamp(described),
            link: self.link,
            data,
            wire_length: described.wire_length + restored,
            interface: Some(&self.interface),
        }
    }

    /// The counts so far.
    pub fn statistics(&mut self) -> Statistics {
        // Reading sets the kernel's counts to zero, so every reading is added up. An error would
        // be one of the descriptor itself.
        if let Ok(counts) = self.socket.counts() {
            self.statistics.packets += u64::from(counts.packets);
            self.statistics.dropped += u64::from(counts.drops);
            self.statistics.freezes += u64::from(counts.freezes);
        }
        self.statistics
    }

    /// Closes the ring; its last counts.
    pub fn close(mut self) -> Statistics {
        // No frame is to come between the count and the end. If the filter cannot be set, what
        // comes in that moment goes uncounted.
        let _ = self.socket.filter(&filter::nothing());
        let counts = self.statistics();
        let known = counts.handled + counts.dropped + counts.damaged;
        Statistics { unread: counts.packets.saturating_sub(known), ..counts }
    }

    /// To wait for.
    pub(super) const fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The state of its interface.
    pub(super) fn state(&self) -> LinkState {
        let index = self.socket.bound().ok().and_then(|bound| bound.index);
        let Some(index) = index else { return LinkState::Gone };
        let inquiry = Inquiry::new(self.socket.as_fd());
        // It may have another name by now, and another interface its name.
        match inquiry.name(index).and_then(|name| inquiry.activity(&name)) {
            Ok(Activity::Off) => LinkState::Down,
            Ok(Activity::Dead) => LinkState::NoCarrier,
            // It is being deleted, and has lost its name, but not yet our socket: it is asked again
            // while it is down.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => LinkState::Down,
            Ok(Activity::Alive) | Err(_) => LinkState::Up,
        }
    }
}

/// The state of a ring's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Frames come.
    Up,
    /// It is switched on, and has no carrier: a cable is out, or the other end is dead. No frame can
    /// come; the ring goes on by itself.
    NoCarrier,
    /// It was switched off. The ring goes on by itself once it is switched on again.
    Down,
    /// It is no more. One that gets the same name is another: the ring is to be opened anew.
    Gone,
}

fn request(options: &RingOptions) -> Result<RingRequest, &'static str> {
    let number = |number: usize| u32::try_from(number).ok().filter(|number| *number > 0);
    let block_size = options.block_size.max(1).checked_next_multiple_of(page_size());
    let timeout = number(options.block_timeout.as_millis() as usize);
    let request = RingRequest {
        block_size: block_size.and_then(number).ok_or("the block size is too great")?,
        blocks: number(options.blocks).ok_or("a ring has at least one block")?,
        timeout: timeout.ok_or("the block timeout is at least one millisecond")?,
        headroom: HEADROOM as u32,
    };
    if options.snap_length == 0 {
        return Err("the snap length is at least one octet");
    }
    Ok(request)
}

#[inline]
fn timestamp(described: &Described) -> Timestamp {
    let (seconds, nanos) = described.time;
    Timestamp::from_nanos(u64::from(seconds) * 1_000_000_000 + u64::from(nanos))
}

/// Puts a VLAN tag back where it was, moving the MAC addresses into the headroom:
///
/// ```text
///  headroom | destination | source | ethertype …
///  destination | source | tag | ethertype …
/// ```
///
/// Says how much longer the frame is; a frame too short for a tag stays as it is.
#[inline]
fn restore(octets: &mut [u8], tag: Tag) -> (&[u8], u32) {
    const ADDRESSES: usize = 12;
    /// 802.1Q, where the driver did not say.
    const CUSTOMER: u16 = 0x8100;
    if octets.len() < HEADROOM + ADDRESSES {
        return (octets.get(HEADROOM..).unwrap_or_default(), 0);
    }
    octets.copy_within(HEADROOM..HEADROOM + ADDRESSES, 0);
    if let Some(place) = octets.get_mut(ADDRESSES..ADDRESSES + HEADROOM) {
        let [p, q] = tag.protocol.unwrap_or(CUSTOMER).to_be_bytes();
        let [c, d] = tag.control.to_be_bytes();
        place.copy_from_slice(&[p, q, c, d]);
    }
    (octets, HEADROOM as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_return_to_their_place() {
        let mut octets = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 8, 0, 0x45];
        let tag = Tag { protocol: Some(0x88a8), control: 0xe064 };
        let restored = [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x88, 0xa8, 0xe0, 0x64, 8, 0, 0x45];
        assert_eq!(restore(&mut octets, tag), (&restored[..], 4));

        let mut short = [0, 0, 0, 0, 1, 1, 1];
        let tag = Tag { protocol: None, control: 1 };
        assert_eq!(restore(&mut short, tag), (&[1, 1, 1][..], 0));
    }

    #[test]
    fn options_that_cannot_be_are_refused() {
        let good = RingOptions::default();
        assert_eq!(
            request(&RingOptions { block_size: 1, ..good.clone() }).unwrap().block_size,
            4096
        );
        for wrong in [
            RingOptions { block_size: usize::MAX, ..good.clone() },
            RingOptions { blocks: 0, ..good.clone() },
            RingOptions { block_timeout: Duration::from_micros(999), ..good.clone() },
            RingOptions { snap_length: 0, ..good },
        ] {
            assert!(request(&wrong).is_err(), "{wrong:?}");
        }
    }
}
