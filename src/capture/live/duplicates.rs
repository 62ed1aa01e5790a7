//! Packets that a mirror port shows twice.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use foldhash::quality::RandomState;

use crate::bytes::Cursor;
use crate::packet::{Frame, LinkType};
use crate::time::Timestamp;

/// Ethertypes of IPv4 and IPv6, and of VLAN tags.
const IP: [u16; 2] = [0x0800, 0x86dd];
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// Sets of the table: 65,536 packets in 1 MiB, which is ten milliseconds of 6.5 million a second.
const SETS: usize = 1 << 14;

/// Entries of a set: 64 octets, which is one access to memory.
const WAYS: usize = 4;

/// Finds packets that were mirrored twice: where a switch mirrors a port both ways, or several
/// ports that a packet passes, each packet comes once tagged and once untagged, or with other MAC
/// addresses, within [`Duplicates::WINDOW`].
///
/// Two packets are the same if they are from the IP header on, to the last octet that belongs to
/// it: identification, time to live and checksums included. So a packet mirrored before and after
/// a router is two. What cannot be told from a duplicate: a packet that its sender sent twice within
/// the window with the same identification. For IPv4 those are packets of identification 0 (what
/// some systems give to packets that must not be fragmented), for IPv6, which has none, any: a TCP
/// segment sent again so soon (it says nothing new), a UDP datagram repeated on purpose. Where the
/// kernel joins received segments (GRO), it may join the two copies differently: switch it off on
/// mirror ports.
///
/// The memory is fixed, and the hash seeded. In a set that is full of younger packets the oldest is
/// forgotten, and counted.
#[derive(Debug)]
pub struct Duplicates {
    window: Duration,
    sets: Box<[Set]>,
    hasher: RandomState,
    dropped: u64,
    forgotten: u64,
}

/// A packet: a hash over all of it, and when it was first seen.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    hash: u64,
    seen: Timestamp,
}

#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Set([Entry; WAYS]);

impl Default for Duplicates {
    fn default() -> Self {
        Self::new()
    }
}

impl Duplicates {
    /// How far apart two copies usually come.
    pub const WINDOW: Duration = Duration::from_millis(10);

    /// Has seen nothing yet.
    pub fn new() -> Self {
        Self::within(Self::WINDOW)
    }

    /// The same, for copies that come within another time.
    pub fn within(window: Duration) -> Self {
        Self {
            window,
            sets: vec![Set::default(); SETS].into_boxed_slice(),
            hasher: RandomState::default(),
            dropped: 0,
            forgotten: 0,
        }
    }

    /// Whether the same packet was seen a moment ago; if not, it is kept in mind. A third copy is
    /// one, too: the window begins with the first. What is no IP is never one.
    #[inline]
    pub fn is_duplicate(&mut self, frame: &Frame<'_>) -> bool {
        let Some(packet) = ip_packet(frame.link, frame.data) else { return false };
        let duplicate = self.remember(self.hash(packet), frame.timestamp);
        self.dropped += u64::from(duplicate);
        duplicate
    }

    /// How many duplicates were found.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many packets were forgotten within the window as there was no room: so many duplicates
    /// may have been missed.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn hash(&self, packet: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(packet);
        hasher.finish()
    }

    #[inline]
    fn remember(&mut self, hash: u64, now: Timestamp) -> bool {
        let index = hash as usize % SETS;
        let Some(Set(entries)) = self.sets.get_mut(index) else { return false };
        let fresh = |entry: &Entry| {
            let apart = now.since(entry.seen).max(entry.seen.since(now));
            entry.seen != Timestamp::ZERO && apart <= self.window
        };
        if entries.iter().any(|entry| entry.hash == hash && fresh(entry)) {
            return true;
        }
        // One from before the clock was set back would never grow old: any that is not fresh goes.
        let oldest = entries.iter_mut().min_by_key(|entry| (fresh(entry), entry.seen));
        if let Some(entry) = oldest {
            self.forgotten += u64::from(fresh(entry));
            *entry = Entry { hash, seen: now };
        }
        false
    }
}

/// The packet from its IP header on, without what the link added behind it.
#[inline]
fn ip_packet(link: LinkType, frame: &[u8]) -> Option<&[u8]> {
    let packet = match link {
        LinkType::Ethernet => behind_tags(frame, 12)?,
        LinkType::LinuxSll => behind_tags(frame, 14)?,
        // The protocol stands first here: version and length of the IP header tell it as well.
        LinkType::LinuxSll2 => frame.get(20..)?,
        LinkType::Raw => frame,
        LinkType::Null | LinkType::Loop => frame.get(4..)?,
    };
    let octets = |at: usize| packet.get(at..)?.first_chunk().map(|two| u16::from_be_bytes(*two));
    // Zero where the field is too short for the length (jumbograms, segmentation left to the network
    // card): then all there is counts.
    let length = match packet.first()? >> 4 {
        4 => usize::from(octets(2)?),
        6 => match octets(4)? {
            0 => 0,
            payload => 40 + usize::from(payload),
        },
        _ => return None,
    };
    Some(packet.get(..length).filter(|packet| !packet.is_empty()).unwrap_or(packet))
}

#[inline]
fn behind_tags(frame: &[u8], ethertype: usize) -> Option<&[u8]> {
    let mut cursor = Cursor::new(frame.get(ethertype..)?);
    let mut ethertype = cursor.u16_be().ok()?;
    while VLAN.contains(&ethertype) {
        cursor.take(2).ok()?;
        ethertype = cursor.u16_be().ok()?;
    }
    IP.contains(&ethertype).then(|| cursor.rest())
}
