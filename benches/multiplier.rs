//! Makes a busy network out of a small capture: its TCP flows again and again, between other
//! addresses, many at the same time.
//!
//! Every copy of a flow is whole, from its first packet to its last, and has a five-tuple of its own.
//! Nothing is random: the same capture and plan give the same packets.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gridtap::capture::Source;
use gridtap::packet::LinkType;
use gridtap::protocol::REGISTRY;
use gridtap::time::Timestamp;

/// The TCP flows of a capture.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    flows: Vec<Flow>,
    /// Packets that are in no flow here: not TCP in IPv4 or IPv6 over Ethernet, a fragment, cut
    /// short, or of another port.
    pub(crate) left_out: u64,
}

/// What to make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// At least so many packets: as many copies of every flow as that takes.
    pub(crate) packets: u64,
    /// So many flows at the same time, which take turns packet by packet.
    pub(crate) concurrent: usize,
    /// Nanoseconds from one packet to the next.
    pub(crate) spacing: u64,
}

/// What was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) packets: u64,
    pub(crate) octets: u64,
    pub(crate) flows: u64,
    /// How often every flow of the capture is in it.
    pub(crate) copies: u64,
}

/// When the first packet comes: a Tuesday in November 2023.
const START: u64 = 1_700_000_000_000_000_000;

#[derive(Debug)]
struct Flow {
    /// Its server's place among the servers of the capture.
    server: u32,
    packets: Vec<Packet>,
}

#[derive(Debug)]
struct Packet {
    octets: Vec<u8>,
    layout: Layout,
    to_server: bool,
}

/// Where the headers of a frame begin, and where the TCP segment ends.
#[derive(Debug, Clone, Copy)]
struct Layout {
    version: Version,
    ip: usize,
    tcp: usize,
    end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V4,
    V6,
}

type Endpoint = (IpAddr, u16);

/// The ends of a copy of a flow.
#[derive(Debug, Clone, Copy)]
struct Ends {
    client: u32,
    client_port: u16,
    server: u32,
}

impl Flows {
    /// Takes the TCP flows to or from one of `ports`; of any port if there is none.
    pub(crate) fn read(source: &mut Source, ports: &[u16]) -> Result<Self, String> {
        let mut flows = Self::default();
        let mut known: HashMap<(Endpoint, Endpoint), usize> = HashMap::new();
        let mut clients: Vec<Endpoint> = Vec::new();
        let mut servers: HashMap<Endpoint, u32> = HashMap::new();
        while let Some(frame) = source.next().map_err(|damage| damage.to_string())? {
            let whole = frame.data.len() == frame.wire_length as usize;
            let ethernet = frame.link == LinkType::Ethernet;
            let layout = Layout::of(frame.data).filter(|_| whole && ethernet);
            let Some((layout, [source, destination])) =
                layout.and_then(|layout| Some((layout, layout.endpoints(frame.data)?)))
            else {
                flows.left_out += 1;
                continue;
            };
            let wanted = |port| ports.is_empty() || ports.contains(&port);
            if !wanted(source.1) && !wanted(destination.1) {
                flows.left_out += 1;
                continue;
            }
            let key = (source.min(destination), source.max(destination));
            let opens = layout.opens(frame.data);
            let index = match known.get(&key) {
                // A connection request on a flow that has begun is a new flow on old ports, or
                // the first request sent again.
                Some(&index) if !opens || flows.flows[index].only_opens() => index,
                _ => {
                    let client = client(layout, frame.data, [source, destination]);
                    let server = if client == source { destination } else { source };
                    let next = servers.len() as u32;
                    let server = *servers.entry(server).or_insert(next);
                    clients.push(client);
                    flows.flows.push(Flow { server, packets: Vec::new() });
                    known.insert(key, flows.flows.len() - 1);
                    flows.flows.len() - 1
                }
            };
            let to_server = source == clients[index];
            let octets = frame.data.to_vec();
            flows.flows[index].packets.push(Packet { octets, layout, to_server });
        }
        if flows.flows.is_empty() {
            return Err("no whole TCP packet in IPv4 or IPv6 over Ethernet".to_owned());
        }
        Ok(flows)
    }

    /// Flows and packets in the capture.
    pub(crate) fn size(&self) -> (usize, u64) {
        let packets = self.flows.iter().map(|flow| flow.packets.len() as u64).sum();
        (self.flows.len(), packets)
    }

    /// Makes the packets of a plan, in the order of time, and shows each to `take`.
    pub(crate) fn multiply<E>(
        &self,
        plan: Plan,
        mut take: impl FnMut(Timestamp, &[u8]) -> Result<(), E>,
    ) -> Result<Made, E> {
        let (flows, packets) = self.size();
        let copies = plan.packets.div_ceil(packets).max(1);
        let mut made = Made { flows: copies * flows as u64, copies, ..Made::default() };
        let mut waiting = 0..made.flows as u32;
        let mut start = || {
            let number = waiting.next()?;
            let flow = &self.flows[number as usize % flows];
            Some((flow.packets.iter(), Ends::of(number, flow.server)))
        };
        let mut active: Vec<_> = (0..plan.concurrent.max(1)).map_while(|_| start()).collect();
        let mut frame = Vec::new();
        while !active.is_empty() {
            let mut turn = 0;
            while let Some((packets, ends)) = active.get_mut(turn) {
                let Some(packet) = packets.next() else {
                    match start() {
                        Some(next) => active[turn] = next,
                        None => drop(active.swap_remove(turn)),
                    }
                    continue;
                };
                packet.between(*ends, &mut frame);
                take(Timestamp::from_nanos(START + made.packets * plan.spacing), &frame)?;
                made.packets += 1;
                made.octets += frame.len() as u64;
                turn += 1;
            }
        }
        Ok(made)
    }
}

/// Who opened the flow of this packet: who asks to, else who has no server's port, else the higher.
fn client(layout: Layout, frame: &[u8], [source, destination]: [Endpoint; 2]) -> Endpoint {
    let of_server = |port| REGISTRY.iter().any(|protocol| protocol.ports.contains(&port));
    let from_client = match layout.synchronize(frame) {
        Some(acknowledges) => !acknowledges,
        None if of_server(source.1) != of_server(destination.1) => of_server(destination.1),
        None => source.1 > destination.1,
    };
    if from_client { source } else { destination }
}

impl Flow {
    /// Whether nothing came but requests to open it.
    fn only_opens(&self) -> bool {
        self.packets.iter().all(|packet| packet.layout.opens(&packet.octets))
    }
}

fn be16(octets: &[u8], at: usize) -> Option<usize> {
    let field = octets.get(at..at + 2)?;
    Some(usize::from(field[0]) << 8 | usize::from(field[1]))
}

impl Layout {
    /// Finds the headers of a whole TCP segment in an Ethernet frame, below any VLAN tags.
    fn of(frame: &[u8]) -> Option<Self> {
        let mut kind = 12;
        while matches!(be16(frame, kind)?, 0x8100 | 0x88a8) {
            kind += 4;
        }
        let ip = kind + 2;
        let layout = match be16(frame, kind)? {
            0x0800 => {
                let fragment = be16(frame, ip + 6)? & 0x3fff != 0;
                if fragment || *frame.get(ip + 9)? != 6 {
                    return None;
                }
                let tcp = ip + usize::from(frame[ip] & 0x0f).max(5) * 4;
                Self { version: Version::V4, ip, tcp, end: ip + be16(frame, ip + 2)? }
            }
            0x86dd => {
                if *frame.get(ip + 6)? != 6 {
                    return None;
                }
                let tcp = ip + 40;
                Self { version: Version::V6, ip, tcp, end: tcp + be16(frame, ip + 4)? }
            }
            _ => return None,
        };
        let fits = layout.tcp + 20 <= layout.end && layout.end <= frame.len();
        fits.then_some(layout)
    }

    fn endpoints(self, frame: &[u8]) -> Option<[Endpoint; 2]> {
        let address = |at: usize| -> Option<IpAddr> {
            Some(match self.version {
                Version::V4 => <[u8; 4]>::try_from(frame.get(at..at + 4)?).ok()?.into(),
                Version::V6 => <[u8; 16]>::try_from(frame.get(at..at + 16)?).ok()?.into(),
            })
        };
        let [source, destination] = self.addresses();
        Some([
            (address(source)?, be16(frame, self.tcp)? as u16),
            (address(destination)?, be16(frame, self.tcp + 2)? as u16),
        ])
    }

    /// Where the source and the destination address stand.
    fn addresses(self) -> [usize; 2] {
        match self.version {
            Version::V4 => [self.ip + 12, self.ip + 16],
            Version::V6 => [self.ip + 8, self.ip + 24],
        }
    }

    /// Whether a segment with SYN has ACK too; `None` without SYN.
    fn synchronize(self, frame: &[u8]) -> Option<bool> {
        let flags = frame[self.tcp + 13];
        (flags & 0x02 != 0).then_some(flags & 0x10 != 0)
    }

    /// Whether it asks to open a flow.
    fn opens(self, frame: &[u8]) -> bool {
        self.synchronize(frame) == Some(false)
    }
}

impl Ends {
    /// The ends of the flow with this number: 64 flows share a client, on ports of their own, and
    /// every server of the capture becomes 250 servers.
    fn of(number: u32, server: u32) -> Self {
        Self {
            client: number / 64 + 1,
            client_port: 20_000 + (number % 40_000) as u16,
            server: server * 250 + number % 250 + 1,
        }
    }
}

/// 10.0.0.0/8 has the clients, 172.16.0.0/12 the servers.
fn v4(network: [u8; 4], host: u32) -> [u8; 4] {
    Ipv4Addr::from_bits(u32::from_be_bytes(network) + host).octets()
}

/// fd00::/16 has the clients, fd01::/16 the servers.
fn v6(network: u16, host: u32) -> [u8; 16] {
    let [high, low] = [(host >> 16) as u16, host as u16];
    Ipv6Addr::new(network, 0, 0, 0, 0, 0, high, low).octets()
}

impl Packet {
    /// Puts the packet between other ends, into `frame`.
    fn between(&self, ends: Ends, frame: &mut Vec<u8>) {
        frame.clear();
        frame.extend_from_slice(&self.octets);
        let [mut client_at, mut server_at] = self.layout.addresses();
        let mut client_port_at = self.layout.tcp;
        if !self.to_server {
            std::mem::swap(&mut client_at, &mut server_at);
            client_port_at += 2;
        }
        put(frame, client_port_at, &ends.client_port.to_be_bytes());
        match self.layout.version {
            Version::V4 => {
                put(frame, client_at, &v4([10, 0, 0, 0], ends.client));
                put(frame, server_at, &v4([172, 16, 0, 0], ends.server));
            }
            Version::V6 => {
                put(frame, client_at, &v6(0xfd00, ends.client));
                put(frame, server_at, &v6(0xfd01, ends.server));
            }
        }
        self.layout.set_checksums(frame);
    }
}

fn put(frame: &mut [u8], at: usize, value: &[u8]) {
    frame[at..at + value.len()].copy_from_slice(value);
}

impl Layout {
    /// Computes the checksums of IPv4 (RFC 791) and TCP (RFC 9293, 3.1) anew.
    fn set_checksums(self, frame: &mut [u8]) {
        if self.version == Version::V4 {
            put(frame, self.ip + 10, &[0, 0]);
            let header = checksum(sum(&frame[self.ip..self.tcp]));
            put(frame, self.ip + 10, &header);
        }
        put(frame, self.tcp + 16, &[0, 0]);
        let [source, destination] = self.addresses();
        let addresses = &frame[source..destination + (destination - source)];
        let pseudo_header = sum(addresses) + 6 + (self.end - self.tcp) as u64;
        let segment = checksum(pseudo_header + sum(&frame[self.tcp..self.end]));
        put(frame, self.tcp + 16, &segment);
    }
}

/// The sum of the 16-bit words; an odd octet is the high half of one.
fn sum(octets: &[u8]) -> u64 {
    let (words, rest) = octets.as_chunks::<4>();
    // 2^16 is 1 here (RFC 1071), so twice as much can be added at once.
    let words: u64 = words.iter().map(|word| u64::from(u32::from_be_bytes(*word))).sum();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    words + u64::from(u32::from_be_bytes(last))
}

fn checksum(mut sum: u64) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}
