//! A TCP connection made by hand: what two ends say, as frames.

use std::time::Duration;

use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader};
use gridtap::packet::LinkType;
use gridtap::time::Timestamp;

use super::OwnedFrame;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Client = 0,
    Server = 1,
}

pub use End::{Client, Server};

impl End {
    const fn other(self) -> Self {
        match self {
            Client => Server,
            Server => Client,
        }
    }
}

/// A connection between 10.0.0.1 and 10.0.0.2, and the frames of it so far, a millisecond apart.
#[derive(Debug, Clone)]
pub struct Wire {
    addresses: [[u8; 4]; 2],
    ports: [u16; 2],
    /// The next sequence number, by end.
    next: [u32; 2],
    now: Timestamp,
    pub frames: Vec<OwnedFrame>,
}

impl Wire {
    /// A connection that had begun before anybody looked.
    pub fn joined(server_port: u16) -> Self {
        Self {
            addresses: [[10, 0, 0, 1], [10, 0, 0, 2]],
            ports: [40_000, server_port],
            next: [1_000_000, 3_000_000_000],
            now: Timestamp::from_nanos(1_700_000_000_000_000_000),
            frames: Vec::new(),
        }
    }

    /// A connection from its first packet on.
    pub fn opened(server_port: u16) -> Self {
        let mut wire = Self::joined(server_port);
        wire.open();
        wire
    }

    /// The same between other ends.
    pub fn between(addresses: [[u8; 4]; 2], ports: [u16; 2]) -> Self {
        Self { addresses, ports, ..Self::joined(0) }
    }

    /// Opens the connection.
    pub fn open(&mut self) {
        self.frame(Client, &[], PacketBuilderStep::syn);
        self.next[0] += 1;
        let expected = self.next[0];
        self.frame(Server, &[], |tcp| tcp.syn().ack(expected));
        self.next[1] += 1;
        self.acknowledge(Client);
    }

    /// Opens the connection with data in SYN and in its answer (RFC 7413), of which each end takes
    /// so many octets with it.
    pub fn open_early(&mut self, octets: [&[u8]; 2], taken: [u32; 2]) {
        self.frame(Client, octets[0], PacketBuilderStep::syn);
        self.next[0] += 1 + taken[0];
        let expected = self.next[0];
        self.frame(Server, octets[1], |tcp| tcp.syn().ack(expected));
        self.next[1] += 1 + taken[1];
        self.acknowledge(Client);
    }

    /// Opens a connection from the client to itself: both ends at once (RFC 9293, 3.5).
    pub fn open_to_itself(&mut self) {
        self.frame(Client, &[], PacketBuilderStep::syn);
        let expected = self.next[0] + 1;
        self.frame(Client, &[], |tcp| tcp.syn().ack(expected));
        self.next = [expected; 2];
    }

    /// Sends octets as one segment.
    pub fn send(&mut self, from: End, octets: &[u8]) {
        self.segment(from, 0, octets);
        self.next[from as usize] = self.next[from as usize].wrapping_add(octets.len() as u32);
    }

    /// Sends octets that stand `ahead` of their turn; they are still to be sent.
    pub fn segment(&mut self, from: End, ahead: u32, octets: &[u8]) {
        let next = self.next;
        self.next[from as usize] = next[from as usize].wrapping_add(ahead);
        let expected = next[from.other() as usize];
        self.frame(from, octets, |tcp| tcp.ack(expected));
        self.next = next;
    }

    /// Says how far everything came.
    pub fn acknowledge(&mut self, from: End) {
        self.segment(from, 0, &[]);
    }

    /// Octets are sent, but nobody sees them.
    pub fn lose(&mut self, from: End, octets: u32) {
        self.next[from as usize] = self.next[from as usize].wrapping_add(octets);
    }

    /// A reset with a number so far off the right one.
    pub fn reset(&mut self, from: End, off: u32) {
        let next = self.next;
        self.next[from as usize] = next[from as usize].wrapping_add(off);
        self.frame(from, &[], PacketBuilderStep::rst);
        self.next = next;
    }

    /// The sender has no more to say.
    pub fn finish(&mut self, from: End) {
        let expected = self.next[from.other() as usize];
        self.frame(from, &[], |tcp| tcp.fin().ack(expected));
        self.next[from as usize] = self.next[from as usize].wrapping_add(1);
    }

    /// Nothing happens.
    pub fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    fn frame(
        &mut self,
        from: End,
        payload: &[u8],
        with: impl FnOnce(PacketBuilderStep<TcpHeader>) -> PacketBuilderStep<TcpHeader>,
    ) {
        let (from, to) = (from as usize, from.other() as usize);
        let ip = PacketBuilder::ipv4(self.addresses[from], self.addresses[to], 64);
        let mut data = Vec::new();
        let tcp = ip.tcp(self.ports[from], self.ports[to], self.next[from], 8192);
        with(tcp).write(&mut data, payload).unwrap();
        self.now = self.now + Duration::from_millis(1);
        self.frames.push(OwnedFrame { timestamp: self.now, link: LinkType::Raw, data });
    }
}

/// STARTDT act.
pub const STARTDT_ACT: &[u8] = &[0x68, 4, 0x07, 0, 0, 0];
/// STARTDT con.
pub const STARTDT_CON: &[u8] = &[0x68, 4, 0x0B, 0, 0, 0];

/// A single point of station 10, spontaneous, with this N(S).
pub fn point(number: u16) -> Vec<u8> {
    let [low, high] = (number << 1).to_le_bytes();
    vec![0x68, 14, low, high, 0, 0, 1, 1, 3, 0, 10, 0, 7, 0, 0, 1]
}

/// CONNECT of client `c`, 3.1.1.
pub const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c";
/// CONNACK: accepted.
pub const CONNACK: &[u8] = b"\x20\x02\0\0";

/// PUBLISH with QoS 0.
pub fn publish(topic: &str, payload: &str) -> Vec<u8> {
    let length = (2 + topic.len() + payload.len()) as u8;
    let topic_length = topic.len() as u8;
    let head = [0x30, length, 0, topic_length];
    [&head[..], topic.as_bytes(), payload.as_bytes()].concat()
}
