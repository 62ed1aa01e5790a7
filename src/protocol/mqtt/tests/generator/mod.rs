//! Builds any legal packet from the standard's tables, and says what its decoding must give.
//!
//! Nothing here is of the decoder, so that the comparison with another one can build the same packets.

mod connect;
mod dice;
pub(crate) mod flaw;
mod properties;
pub(crate) mod standard;

pub(crate) use dice::{Dice, LONGEST};
use standard::{
    AUTH, CONNACK, CONNECT, DISCONNECT, NAMES, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC,
    PUBREL, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE,
};

/// What a record must show.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    Flag(bool),
    Number(u64),
    Text(Vec<u8>),
    /// Shown as hexadecimal digits.
    Octets(Vec<u8>),
    Name(&'static str),
}

/// Names, without `mqtt.`, and values. A member of a list has its index: `subscribe.topics[0].qos`.
pub(crate) type Fields = Vec<(String, Told)>;

/// What a piece of a packet is, as far as it can be broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    ProtocolName,
    ProtocolLevel,
    ConnectFlags,
    /// The flags of CONNACK.
    SessionPresent,
    PacketId,
    /// A return or reason code, or several.
    Codes,
    Text,
    /// A topic name.
    Topic,
    Filter,
    /// The options of a filter, which is shared or not.
    Options(bool),
    ClientId,
    /// Properties of this place, by identifier, in order.
    Properties(u8, Vec<(u8, Vec<u8>)>),
    /// A number that may be any.
    Number,
    /// A length and octets that may be any.
    Binary,
    /// A will's message; whether it says that it is text.
    WillMessage(bool),
    /// As many octets as there are; whether they are said to be text.
    Payload(bool),
}

/// Fields that stand together.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) role: Role,
    pub(crate) octets: Vec<u8>,
}

/// A packet, and what its record must show.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) level: u8,
    pub(crate) kind: u8,
    /// The lower half of the first octet.
    pub(crate) flags: u8,
    pub(crate) parts: Vec<Part>,
    pub(crate) told: Fields,
}

/// What somebody wants to have of a packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) level: u8,
    pub(crate) kind: u8,
    pub(crate) properties: Amount,
    /// How many texts of the longest kind there may be.
    pub(crate) longest: u32,
}

/// How many properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amount {
    None,
    Any,
    All,
}

/// Builds a packet.
pub(crate) fn build(wish: Wish, dice: &mut Dice) -> Packet {
    dice.longest = wish.longest;
    let mut packet = Packet {
        level: wish.level,
        kind: wish.kind,
        flags: 0,
        parts: Vec::new(),
        told: Fields::new(),
    };
    let amount = wish.properties;
    match wish.kind {
        CONNECT => connect::connect(&mut packet, amount, dice),
        CONNACK => connect::connack(&mut packet, amount, dice),
        PUBLISH => publish(&mut packet, amount, dice),
        PUBACK | PUBREC | PUBREL | PUBCOMP => {
            packet.id(dice);
            packet.reason(amount, dice);
        }
        SUBSCRIBE | UNSUBSCRIBE => subscribe(&mut packet, amount, dice),
        SUBACK | UNSUBACK => acknowledge(&mut packet, amount, dice),
        DISCONNECT | AUTH => packet.reason(amount, dice),
        PINGREQ | PINGRESP => {}
        _ => panic!("{wish:?}"),
    }
    if matches!(wish.kind, PUBREL | SUBSCRIBE | UNSUBSCRIBE) {
        packet.flags = 0b0010;
        // MQTT 3.1, clause 2.1: it may be sent again.
        packet.flags |= if wish.level == 3 && dice.flag() { 0b1000 } else { 0 };
    }
    packet.tell_header();
    packet
}

impl Packet {
    /// The packet on the wire.
    pub(crate) fn octets(&self) -> Vec<u8> {
        self.with_body(&self.body())
    }

    /// Everything behind the fixed header.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.parts.iter().flat_map(|part| part.octets.clone()).collect()
    }

    /// The same fixed header in front of another body.
    pub(crate) fn with_body(&self, body: &[u8]) -> Vec<u8> {
        [&[self.kind << 4 | self.flags][..], &variable(body.len() as u32), body].concat()
    }

    fn part(&mut self, role: Role, octets: &[u8]) {
        self.parts.push(Part { role, octets: octets.to_vec() });
    }

    /// Text, or binary data, behind its length.
    fn counted(&mut self, role: Role, octets: &[u8]) {
        self.part(role, &counted(octets));
    }

    /// A field of this type of packet.
    fn tell(&mut self, name: &str, told: Told) {
        let object = NAMES[usize::from(self.kind)].to_lowercase();
        self.told.push((format!("{object}.{name}"), told));
    }

    fn tell_header(&mut self) {
        let (kind, level) = (NAMES[usize::from(self.kind)], self.level);
        let length = self.body().len() as u64;
        for (name, told) in [
            ("type", Told::Name(kind)),
            ("version", Told::Number(level.into())),
            ("length", Told::Number(length)),
        ] {
            self.told.push((name.into(), told));
        }
        let flags = self.flags;
        self.tell("dup", Told::Flag(flags & 0b1000 != 0));
        self.tell("qos", Told::Number(u64::from(flags >> 1 & 3)));
        self.tell("retain", Told::Flag(flags & 1 != 0));
        self.told.sort();
    }

    fn id(&mut self, dice: &mut Dice) {
        let id = dice.number(1, 65_535) as u16;
        self.part(Role::PacketId, &id.to_be_bytes());
        self.tell("message_id", Told::Number(id.into()));
    }

    /// Reason code and properties, either of which may be left out (clauses 3.4.2, 3.14.2, 3.15.2).
    fn reason(&mut self, amount: Amount, dice: &mut Dice) {
        if self.level < 5 {
            return;
        }
        let known = standard::codes(self.level, self.kind);
        let forms = if amount == Amount::None { dice.roll(3) } else { 2 };
        let (code, name) = if forms == 0 { known[0] } else { dice.of(known) };
        self.tell("reason_code", Told::Number(code.into()));
        self.tell("reason", Told::Name(name));
        if forms > 0 {
            self.part(Role::Codes, &[code]);
        }
        if forms > 1 {
            properties::add(self, self.kind, "properties", amount, dice);
        }
    }
}

/// Clause 3.3.
fn publish(packet: &mut Packet, amount: Amount, dice: &mut Dice) {
    let qos = dice.roll(3) as u8;
    let dup = if qos > 0 { dice.flag() } else { false };
    packet.flags = u8::from(dup) << 3 | qos << 1 | u8::from(dice.flag());
    let mut topic = dice.topic();
    let place = packet.parts.len();
    if qos > 0 {
        packet.id(dice);
    }
    let mut is_text = false;
    if packet.level == 5 {
        let ids = properties::add(packet, PUBLISH, "properties", amount, dice);
        is_text = ids.contains(&(standard::PAYLOAD_FORMAT, vec![1]));
        // An alias stands for the topic (clause 3.3.2.3.4).
        if ids.iter().any(|(id, _)| *id == standard::TOPIC_ALIAS) && dice.flag() {
            topic.clear();
        }
    }
    packet.parts.insert(place, Part { role: Role::Topic, octets: counted(topic.as_bytes()) });
    packet.tell("topic", Told::Text(topic.into_bytes()));
    let payload = if is_text || dice.flag() { dice.text().into_bytes() } else { dice.octets() };
    packet.part(Role::Payload(is_text), &payload);
    packet.tell("payload_length", Told::Number(payload.len() as u64));
    packet.tell("payload_utf8", Told::Flag(std::str::from_utf8(&payload).is_ok()));
    tell_payload(packet, "message", "payload_hex", &payload);
}

/// Of a payload so many octets are shown, but no part of a character.
const HEAD: usize = 1024;
/// Of one that is no text, so many.
const HEX_HEAD: usize = 256;

fn tell_payload(packet: &mut Packet, text: &str, hex: &str, payload: &[u8]) {
    packet.tell(text, Told::Text(payload[..head(payload)].to_vec()));
    let octets = &payload[..payload.len().min(HEX_HEAD)];
    let is_text = match std::str::from_utf8(octets) {
        Ok(_) => true,
        // A character that ends behind them.
        Err(error) => error.error_len().is_none() && payload.len() > HEX_HEAD,
    };
    if !is_text {
        packet.tell(hex, Told::Octets(octets.to_vec()));
    }
}

/// Where a payload is cut: not within the at most four octets of a character.
fn head(payload: &[u8]) -> usize {
    let continues = |at: usize| payload[at] & 0xC0 == 0x80;
    if payload.len() <= HEAD {
        payload.len()
    } else if continues(HEAD) {
        (HEAD - 3..HEAD).rev().find(|at| !continues(*at)).unwrap_or(HEAD)
    } else {
        HEAD
    }
}

/// Clauses 3.8 and 3.10.
fn subscribe(packet: &mut Packet, amount: Amount, dice: &mut Dice) {
    packet.id(dice);
    if packet.level == 5 {
        properties::add(packet, packet.kind, "properties", amount, dice);
    }
    for index in 0..=dice.roll(4) {
        let shared = packet.level == 5 && dice.roll(3) == 0;
        let filter = if shared { dice.shared_filter() } else { dice.filter() };
        packet.counted(Role::Filter, filter.as_bytes());
        let topic = Told::Text(filter.into_bytes());
        if packet.kind == UNSUBSCRIBE {
            packet.tell(&format!("topics[{index}]"), topic);
            continue;
        }
        packet.tell(&format!("topics[{index}].topic"), topic);
        let qos = dice.roll(3) as u8;
        packet.tell(&format!("topics[{index}].qos"), Told::Number(qos.into()));
        let mut options = qos;
        if packet.level == 5 {
            // [MQTT-3.8.3-4].
            let no_local = !shared && dice.flag();
            let (published, handling) = (dice.flag(), dice.roll(3) as u8);
            options |= u8::from(no_local) << 2 | u8::from(published) << 3 | handling << 4;
            packet.tell(&format!("topics[{index}].no_local"), Told::Flag(no_local));
            packet.tell(&format!("topics[{index}].retain_as_published"), Told::Flag(published));
            let handling = Told::Number(handling.into());
            packet.tell(&format!("topics[{index}].retain_handling"), handling);
        }
        packet.part(Role::Options(shared), &[options]);
    }
}

/// Clauses 3.9 and 3.11.
fn acknowledge(packet: &mut Packet, amount: Amount, dice: &mut Dice) {
    packet.id(dice);
    if packet.level == 5 {
        properties::add(packet, packet.kind, "properties", amount, dice);
    }
    let known = standard::codes(packet.level, packet.kind);
    if known.is_empty() {
        return;
    }
    let name = if packet.kind == SUBACK { "qos_granted" } else { "reason_codes" };
    let mut codes = Vec::new();
    for index in 0..=dice.roll(5) {
        let (code, reason) = dice.of(known);
        codes.push(code);
        packet.tell(&format!("{name}[{index}]"), Told::Number(code.into()));
        packet.tell(&format!("reasons[{index}]"), Told::Name(reason));
    }
    packet.part(Role::Codes, &codes);
}

/// A variable byte integer in as few octets as it takes (clause 1.5.5).
pub(crate) fn variable(mut value: u32) -> Vec<u8> {
    let mut octets = Vec::new();
    while value >= 128 {
        octets.push(value as u8 | 0x80);
        value >>= 7;
    }
    octets.push(value as u8);
    octets
}

/// Octets behind their number.
pub(crate) fn counted(octets: &[u8]) -> Vec<u8> {
    [&(octets.len() as u16).to_be_bytes()[..], octets].concat()
}
