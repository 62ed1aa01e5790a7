//! A connection as packets that can be changed, and written as frames again.

use std::net::Ipv4Addr;

use etherparse::{IpNumber, Ipv4Header, TcpHeader, TcpOptionElement};
use gridtap::packet::{LinkType, Transport, decode};
use gridtap::time::Timestamp;

use super::common::OwnedFrame;

/// Who sends: the client is who sends the first packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Client = 0,
    Server = 1,
}

/// What becomes of the checksum of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sum {
    Right,
    Wrong,
    Zero,
    /// That of the pseudo header alone, as a network card would get it.
    Pseudo,
}

/// A TCP packet over IPv4.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) time: Timestamp,
    pub(crate) from: End,
    pub(crate) sequence: u32,
    pub(crate) acknowledgment: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    pub(crate) ttl: u8,
    /// TSval, if it has timestamps.
    pub(crate) clock: Option<u32>,
    pub(crate) payload: Vec<u8>,
    pub(crate) sum: Sum,
}

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const PSH: u8 = 8;
pub(crate) const ACK: u8 = 16;
pub(crate) const URG: u8 = 32;

/// A connection.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// Of the client, then of the server.
    ends: [(Ipv4Addr, u16); 2],
    pub(crate) packets: Vec<Packet>,
    /// The attack before it was cut into pieces.
    pub(crate) whole: Option<Packet>,
    /// The packet with the attack: the one of the client with most data.
    pub(crate) attack: usize,
}

impl Connection {
    /// The connection that a client has from this port.
    pub(crate) fn of(frames: &[OwnedFrame], port: u16) -> Self {
        let mut ends = None;
        let mut packets = Vec::new();
        for frame in frames {
            let Ok(packet) = decode(frame.link, &frame.data) else { continue };
            let Transport::Tcp(tcp) = packet.transport else { continue };
            let from = match port {
                _ if tcp.source_port == port => End::Client,
                _ if tcp.destination_port == port => End::Server,
                _ => continue,
            };
            let (std::net::IpAddr::V4(source), std::net::IpAddr::V4(destination)) =
                (packet.source, packet.destination)
            else {
                panic!("the captures are of IPv4");
            };
            ends.get_or_insert([(source, tcp.source_port), (destination, tcp.destination_port)]);
            packets.push(Packet {
                time: frame.timestamp,
                from,
                sequence: tcp.sequence,
                acknowledgment: tcp.acknowledgment,
                flags: tcp.flags.0,
                window: 512,
                urgent: tcp.urgent,
                ttl: packet.ttl,
                clock: tcp.timestamp.map(u32::from),
                payload: tcp.payload.to_vec(),
                sum: Sum::Right,
            });
        }
        let of_client = |(_, packet): &(usize, &Packet)| packet.from == End::Client;
        let with_data = packets.iter().enumerate().filter(of_client);
        let attack = with_data.max_by_key(|(_, packet)| packet.payload.len()).unwrap().0;
        Self { ends: ends.unwrap(), packets, whole: None, attack }
    }

    /// The attack: all of it, though it may come in pieces.
    pub(crate) fn attack(&self) -> &Packet {
        self.whole.as_ref().unwrap_or(&self.packets[self.attack])
    }

    /// Puts packets before the attack.
    pub(crate) fn before(&mut self, packets: Vec<Packet>) {
        let count = packets.len();
        self.packets.splice(self.attack..self.attack, packets);
        self.attack += count;
    }

    /// Puts packets behind the attack.
    pub(crate) fn behind(&mut self, packets: Vec<Packet>) {
        let behind = self.attack + 1;
        self.packets.splice(behind..behind, packets);
    }

    /// The packets as frames, in their order, at times that do not go back.
    pub(crate) fn frames(&self) -> Vec<OwnedFrame> {
        let mut last = Timestamp::ZERO;
        let frame = |packet: &Packet| {
            last = last.max(packet.time);
            OwnedFrame { timestamp: last, link: LinkType::Raw, data: self.octets(packet) }
        };
        self.packets.iter().map(frame).collect()
    }

    fn octets(&self, packet: &Packet) -> Vec<u8> {
        let [client, server] = self.ends;
        let (source, destination) =
            if packet.from == End::Client { (client, server) } else { (server, client) };
        let mut tcp = TcpHeader::new(source.1, destination.1, packet.sequence, packet.window);
        tcp.acknowledgment_number = packet.acknowledgment;
        tcp.fin = packet.flags & FIN != 0;
        tcp.syn = packet.flags & SYN != 0;
        tcp.rst = packet.flags & RST != 0;
        tcp.psh = packet.flags & PSH != 0;
        tcp.ack = packet.flags & ACK != 0;
        tcp.urg = packet.flags & URG != 0;
        tcp.urgent_pointer = packet.urgent;
        if let Some(clock) = packet.clock {
            use TcpOptionElement::{Noop, Timestamp};
            tcp.set_options(&[Noop, Noop, Timestamp(clock, 0)]).unwrap();
        }
        let length = tcp.header_len() as u16 + packet.payload.len() as u16;
        let (from, to) = (source.0.octets(), destination.0.octets());
        let ip = Ipv4Header::new(length, packet.ttl, IpNumber::TCP, from, to).unwrap();
        let right = tcp.calc_checksum_ipv4(&ip, &packet.payload).unwrap();
        tcp.checksum = match packet.sum {
            Sum::Right => right,
            Sum::Wrong => right ^ 0x5a5a,
            Sum::Zero => 0,
            Sum::Pseudo => pseudo(from, to, length),
        };
        let mut data = Vec::new();
        ip.write(&mut data).unwrap();
        tcp.write(&mut data).unwrap();
        data.extend_from_slice(&packet.payload);
        data
    }
}

/// The sum over the pseudo header (RFC 9293, 3.1).
fn pseudo(from: [u8; 4], to: [u8; 4], length: u16) -> u16 {
    let words = [from, to].concat();
    let words = words.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum = words.sum::<u32>() + 6 + u32::from(length);
    ((sum & 0xffff) + (sum >> 16)) as u16
}
