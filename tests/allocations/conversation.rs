//! Long conversations of stations and brokers: links and sessions that were opened once and go on,
//! round after round of the same messages.

use etherparse::PacketBuilder;
use gridtap::capture::PcapWriter;
use gridtap::packet::LinkType;
use gridtap::time::Timestamp;

use super::websocket::{ANSWERS, ASKS, BINARY, CONTINUATION, FINAL, frame};

/// Octets of payload in a segment at most.
const SEGMENT: usize = 1_200;
/// Nanoseconds from one packet to the next.
const SPACING: u64 = 1_000_000;

/// A capture in memory, and how many packets are in it.
pub(crate) struct Recording {
    pub(crate) octets: Vec<u8>,
    pub(crate) packets: u64,
}

/// So many links of IEC 104, as many sessions of MQTT, and as many of either inside TLS, for so many
/// rounds. The packets of all
/// take turns.
pub(crate) fn record(pairs: u8, rounds: u32) -> Recording {
    let links = (0..pairs).map(|number| Peer::Iec104(Link::new(number)));
    let sessions = (0..pairs).map(|number| Peer::Mqtt(Session::new(number)));
    let protected = (0..pairs).map(|number| Peer::Tls(Protected::new(number)));
    let mut peers: Vec<_> = links.chain(sessions).chain(protected).collect();
    let mut file = PcapWriter::new(Vec::new(), LinkType::Ethernet).expect("memory");
    let mut packets = 0;
    for round in 0..=rounds {
        let frames: Vec<_> = peers.iter_mut().map(|peer| peer.round(round)).collect();
        let longest = frames.iter().map(Vec::len).max().unwrap_or_default();
        for turn in 0..longest {
            for frame in frames.iter().filter_map(|frames| frames.get(turn)) {
                let time = Timestamp::from_nanos(1_700_000_000_000_000_000 + packets * SPACING);
                file.write(time, frame.len() as u32, frame).expect("memory");
                packets += 1;
            }
        }
    }
    Recording { octets: file.finish().expect("memory"), packets }
}

enum Peer {
    Iec104(Link),
    Mqtt(Session),
    Tls(Protected),
}

impl Peer {
    /// The frames of one round; the first opens the conversation.
    fn round(&mut self, round: u32) -> Vec<Vec<u8>> {
        match self {
            Self::Iec104(link) => {
                if round == 0 {
                    link.open();
                } else {
                    link.round(round);
                }
                std::mem::take(&mut link.connection.frames)
            }
            Self::Mqtt(session) => {
                if round == 0 {
                    session.open();
                } else {
                    session.round(round);
                }
                std::mem::take(&mut session.connection.frames)
            }
            Self::Tls(protected) => {
                if round == 0 {
                    protected.open();
                } else {
                    protected.round();
                }
                std::mem::take(&mut protected.connection.frames)
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Client,
    Server,
}
use End::{Client, Server};

impl End {
    fn other(self) -> Self {
        if self == Client { Server } else { Client }
    }
}

/// A TCP connection that loses nothing.
struct Connection {
    client: [u8; 4],
    ports: [u16; 2],
    /// The next sequence number of each end.
    sequence: [u32; 2],
    frames: Vec<Vec<u8>>,
}

impl Connection {
    fn new(number: u8, port: u16) -> Self {
        let mut connection = Self {
            client: [10, 0, 0, number + 1],
            ports: [40_000 + u16::from(number), port],
            sequence: [1_000, 5_000],
            frames: Vec::new(),
        };
        connection.segment(Client, true, false, &[]);
        connection.segment(Server, true, true, &[]);
        connection.segment(Client, false, true, &[]);
        connection
    }

    /// Sends octets, in as few segments as that takes.
    fn send(&mut self, from: End, octets: &[u8]) {
        for part in octets.chunks(SEGMENT) {
            self.segment(from, false, true, part);
        }
    }

    /// Acknowledges what the other end sent.
    fn acknowledge(&mut self, from: End) {
        self.segment(from, false, true, &[]);
    }

    fn segment(&mut self, from: End, syn: bool, ack: bool, payload: &[u8]) {
        let (own, other) = (from as usize, from.other() as usize);
        let addresses = [self.client, [172, 16, 0, 1]];
        let mut packet = PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(addresses[own], addresses[other], 64)
            .tcp(self.ports[own], self.ports[other], self.sequence[own], 64_000);
        if syn {
            packet = packet.syn();
        }
        if ack {
            packet = packet.ack(self.sequence[other]);
        }
        let mut frame = Vec::with_capacity(packet.size(payload.len()));
        packet.write(&mut frame, payload).expect("memory");
        self.frames.push(frame);
        self.sequence[own] = self.sequence[own].wrapping_add(payload.len() as u32 + u32::from(syn));
    }
}

/// A connection inside TLS 1.2.
struct Protected {
    connection: Connection,
}

impl Protected {
    fn new(number: u8) -> Self {
        Self { connection: Connection::new(number, 19_998) }
    }

    fn open(&mut self) {
        let hello = |kind: u8, rest: &[u8]| {
            let body = [&[3, 3][..], &[7; 32], rest].concat();
            Self::record(22, &[&[kind, 0, 0, body.len() as u8][..], &body].concat())
        };
        let finished = [Self::record(20, &[1]), Self::record(22, &[0xee; 40])].concat();
        self.connection.send(Client, &hello(1, b"\0\0\x02\xc0\x2c\x01\0"));
        self.connection.send(Server, &hello(2, b"\0\xc0\x2c\0"));
        self.connection.send(Server, &Self::record(22, &[14, 0, 0, 0]));
        self.connection.send(Client, &finished);
        self.connection.send(Server, &finished);
    }

    /// A short record, and one over several segments of which the last has two more headers, the
    /// second of them not whole.
    fn round(&mut self) {
        let last = Self::record(23, &[0xdd; 20]);
        let several = [Self::record(23, &[0xdd; 2 * SEGMENT]), last.clone(), last].concat();
        self.connection.send(Client, &Self::record(23, &[0xdd; 46]));
        self.connection.send(Server, &several[..several.len() - 22]);
        self.connection.send(Server, &several[several.len() - 22..]);
    }

    fn record(content: u8, fragment: &[u8]) -> Vec<u8> {
        [&[content, 3, 3][..], &(fragment.len() as u16).to_be_bytes(), fragment].concat()
    }
}

/// A link of IEC 60870-5-104 between a control centre and a station.
struct Link {
    connection: Connection,
    /// I-frames that each end has sent.
    sent: [u16; 2],
}

const STARTDT_ACT: [u8; 6] = [0x68, 4, 0x07, 0, 0, 0];
const STARTDT_CON: [u8; 6] = [0x68, 4, 0x0b, 0, 0, 0];
const TESTFR_ACT: [u8; 6] = [0x68, 4, 0x43, 0, 0, 0];
const TESTFR_CON: [u8; 6] = [0x68, 4, 0x83, 0, 0, 0];

/// Causes of transmission, and the bit of a negative confirmation.
const SPONTANEOUS: u8 = 3;
const ACTIVATION: u8 = 6;
const CONFIRMATION: u8 = 7;
const TERMINATION: u8 = 10;
const UNKNOWN_STATION: u8 = 46;
const NEGATIVE: u8 = 0x40;

/// 2023-11-14 22:13:20.
const TIME: [u8; 7] = [0x20, 0x4e, 13, 22, 0x4e, 11, 23];
/// Good quality.
const GOOD: u8 = 0;

impl Link {
    fn new(number: u8) -> Self {
        Self { connection: Connection::new(number, 2404), sent: [0; 2] }
    }

    fn open(&mut self) {
        self.connection.send(Client, &STARTDT_ACT);
        self.connection.send(Server, &STARTDT_CON);
    }

    fn round(&mut self, round: u32) {
        self.report(round);
        self.test();
        self.command(round);
        if round.is_multiple_of(8) {
            self.guess_a_station();
        }
    }

    /// Single points and measured values, one or several APDUs a segment, and one APDU over two.
    fn report(&mut self, round: u32) {
        let value = (round as f32 * 0.1).to_le_bytes();
        let float = [&[0xe9, 0x03, 0][..], &value, &[GOOD]].concat();
        let apdu = self.i_frame(Server, 13, 1, SPONTANEOUS, 1, &float);
        self.connection.send(Server, &apdu);

        let single = [&[1, 0, 0, 1][..], &TIME].concat();
        let timed_float = [&[0xe9, 0x03, 0][..], &value, &[GOOD], &TIME].concat();
        let total = [0x11, 0x27, 0, 7, 0, 0, 0, round as u8 & 0x1f];
        let several = [
            self.i_frame(Server, 30, 1, SPONTANEOUS, 1, &single),
            self.i_frame(Server, 3, 2, SPONTANEOUS, 1, &[2, 0, 0, 1, 3, 0, 0, 2]),
            self.i_frame(Server, 36, 1, SPONTANEOUS, 1, &timed_float),
            self.i_frame(Server, 15, 1, SPONTANEOUS, 1, &total),
        ];
        self.connection.send(Server, &several.concat());

        // A sequence of scaled values from one address on.
        let values: Vec<u8> = (0..20_u8).flat_map(|value| [value, 0x80, GOOD]).collect();
        let sequence = [&[0xd0, 0x07, 0][..], &values].concat();
        let apdu = self.i_frame(Server, 11, 0x80 | 0x14, SPONTANEOUS, 1, &sequence);
        let (head, tail) = apdu.split_at(1 + round as usize % (apdu.len() - 1));
        self.connection.send(Server, head);
        self.connection.send(Server, tail);
        self.connection.acknowledge(Client);
        let s_frame = self.s_frame(Client);
        self.connection.send(Client, &s_frame);
    }

    fn test(&mut self) {
        for end in [Client, Server] {
            self.connection.send(end, &TESTFR_ACT);
            self.connection.send(end.other(), &TESTFR_CON);
        }
    }

    /// A single command. Every fourth is refused.
    fn command(&mut self, round: u32) {
        let refused = if round.is_multiple_of(4) { NEGATIVE } else { 0 };
        let on = [0x88, 0x13, 0, 1];
        for (from, cause) in
            [(Client, ACTIVATION), (Server, CONFIRMATION | refused), (Server, TERMINATION)]
        {
            let apdu = self.i_frame(from, 45, 1, cause, 1, &on);
            self.connection.send(from, &apdu);
        }
        let s_frame = self.s_frame(Client);
        self.connection.send(Client, &s_frame);
    }

    /// An interrogation of a station that is not there.
    fn guess_a_station(&mut self) {
        let whole_station = [0, 0, 0, 20];
        for (from, cause) in [(Client, ACTIVATION), (Server, UNKNOWN_STATION | NEGATIVE)] {
            let apdu = self.i_frame(from, 100, 1, cause, 99, &whole_station);
            self.connection.send(from, &apdu);
        }
        let s_frame = self.s_frame(Client);
        self.connection.send(Client, &s_frame);
    }

    fn i_frame(
        &mut self,
        from: End,
        type_id: u8,
        structure: u8,
        cause: u8,
        station: u8,
        objects: &[u8],
    ) -> Vec<u8> {
        let [ns, nr] = [from, from.other()].map(|end| (self.sent[end as usize] << 1).to_le_bytes());
        let sent = &mut self.sent[from as usize];
        *sent = (*sent + 1) & 0x7fff;
        let header = [type_id, structure, cause, 0, station, 0];
        let length = 4 + header.len() + objects.len();
        [&[0x68, length as u8][..], &ns, &nr, &header, objects].concat()
    }

    fn s_frame(&self, from: End) -> [u8; 6] {
        let [low, high] = (self.sent[from.other() as usize] << 1).to_le_bytes();
        [0x68, 4, 1, 0, low, high]
    }
}

/// A client of an MQTT broker; those with an odd number speak MQTT 5, every third over WebSocket.
struct Session {
    connection: Connection,
    level_5: bool,
    in_frames: bool,
    number: u8,
}

/// First octets of packets.
const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;
const PUBREL: u8 = 0x62;
const PUBCOMP: u8 = 0x70;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const PINGREQ: [u8; 2] = [0xc0, 0];
const PINGRESP: [u8; 2] = [0xd0, 0];

impl Session {
    fn new(number: u8) -> Self {
        let in_frames = number.is_multiple_of(3);
        let connection = Connection::new(number, if in_frames { 9001 } else { 1883 });
        Self { connection, level_5: number % 2 == 1, in_frames, number }
    }

    /// Sends packets; over WebSocket in two frames of one message.
    fn send(&mut self, from: End, packets: &[u8]) {
        if !self.in_frames {
            return self.connection.send(from, packets);
        }
        let key = Some([0x37, 0xfa, 0x21, 0x3d]).filter(|_| from == Client);
        let (first, second) = packets.split_at(packets.len() / 2);
        let mut frames = frame(BINARY, key, first);
        frames.extend(frame(FINAL | CONTINUATION, key, second));
        self.connection.send(from, &frames);
    }

    fn open(&mut self) {
        if self.in_frames {
            self.connection.send(Client, ASKS);
            self.connection.send(Server, ANSWERS);
        }
        let client = string(&format!("meter{}", self.number));
        let level = if self.level_5 { 5 } else { 4 };
        let head = [&string("MQTT")[..], &[level, 0x02, 0, 60]].concat();
        let one_alias = [0x22, 0, 1];
        let connect =
            packet(CONNECT, &[&head, self.properties(&one_alias).as_slice(), &client].concat());
        let connack = packet(CONNACK, &[&[0, 0], self.properties(&[]).as_slice()].concat());
        self.send(Client, &connect);
        self.send(Server, &connack);
    }

    fn round(&mut self, round: u32) {
        self.publish(round);
        self.receive();
        self.send(Client, &PINGREQ);
        self.send(Server, &PINGRESP);
        if round.is_multiple_of(8) {
            self.subscribe_to_everything(round);
        }
    }

    /// One message of each quality of service, and one over several segments.
    fn publish(&mut self, round: u32) {
        let id = identifier(round);
        let value = format!("{{\"power\":{}}}", round * 7 % 1_000);
        for qos in 0..=2 {
            let message = self.message("site/feeder/power", qos, id, &[], value.as_bytes());
            self.send(Client, &message);
            let answers: &[_] = match qos {
                0 => &[],
                1 => &[(Server, PUBACK)],
                _ => &[(Server, PUBREC), (Client, PUBREL), (Server, PUBCOMP)],
            };
            for (from, kind) in answers {
                self.send(*from, &packet(*kind, &id));
            }
        }
        // A stream keeps up to 4 KiB of room for good; what one larger message needed it gives back.
        let profile = [b'7'; 1_800];
        let message = self.message("site/feeder/profile", 0, id, &[], &profile);
        self.send(Client, &message);
        self.connection.acknowledge(Server);
    }

    /// Three messages in a segment; the later ones with an alias for their topic.
    fn receive(&mut self) {
        let user_property = [&[0x26][..], &string("unit"), &string("kW")].concat();
        let content_type = [&[0x03][..], &string("application/json")].concat();
        let alias = [0x23, 0, 1];
        let properties = [&alias[..], &user_property, &content_type].concat();
        let topic = "site/feeder/tariff";
        let again = if self.level_5 { "" } else { topic };
        let messages =
            [topic, again, again].map(|topic| self.message(topic, 0, [0; 2], &properties, b"2"));
        self.send(Server, &messages.concat());
        self.connection.acknowledge(Client);
    }

    fn subscribe_to_everything(&mut self, round: u32) {
        let id = identifier(round);
        let none = self.properties(&[]);
        let subscribe = [&id, none.as_slice(), &string("#"), &[0]].concat();
        let granted = [&id, none.as_slice(), &[0]].concat();
        self.send(Client, &packet(SUBSCRIBE, &subscribe));
        self.send(Server, &packet(SUBACK, &granted));
    }

    fn message(
        &self,
        topic: &str,
        qos: u8,
        id: [u8; 2],
        properties: &[u8],
        payload: &[u8],
    ) -> Vec<u8> {
        let id = if qos > 0 { &id[..] } else { &[] };
        let properties = self.properties(properties);
        packet(PUBLISH | qos << 1, &[&string(topic), id, &properties, payload].concat())
    }

    /// Properties with their length, where the level has them.
    fn properties(&self, properties: &[u8]) -> Vec<u8> {
        if !self.level_5 {
            return Vec::new();
        }
        [&[properties.len() as u8][..], properties].concat()
    }
}

/// A packet identifier that is not 0.
fn identifier(round: u32) -> [u8; 2] {
    (1 + round as u16 % 1_000).to_be_bytes()
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = rest.len();
    while length > 0x7f {
        packet.push(length as u8 & 0x7f | 0x80);
        length >>= 7;
    }
    packet.push(length as u8);
    packet.extend_from_slice(rest);
    packet
}
