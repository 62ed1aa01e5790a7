//! Every way to break one rule of a legal packet, and the one anomaly that it must raise.

use super::connect::{CLEAN, HAS_WILL, PASSWORD, RESERVED, USERNAME, WILL_RETAIN};
use super::properties::block;
use super::standard::{
    CONNACK, CONNECT, Encoding, PROPERTIES, PUBLISH, PUBREL, Property, SUBSCRIBE, TOPIC_ALIAS,
    UNSUBSCRIBE, codes,
};
use super::{Packet, Part, Role, counted, variable};

/// A packet with one flaw.
#[derive(Debug, Clone)]
pub(crate) struct Flaw {
    pub(crate) octets: Vec<u8>,
    /// The anomaly's name.
    pub(crate) anomaly: &'static str,
    /// Where it stands, from the start of the packet.
    pub(crate) offset: usize,
}

/// All that a packet may have, one at a time.
pub(crate) fn flaws(packet: &Packet) -> Vec<Flaw> {
    let mut all = Flaws { packet, found: Vec::new() };
    all.of_header();
    for index in 0..packet.parts.len() {
        all.of_part(index);
    }
    all.of_end();
    all.found
}

struct Flaws<'p> {
    packet: &'p Packet,
    found: Vec<Flaw>,
}

impl Flaws<'_> {
    fn of_header(&mut self) {
        let octets = self.packet.octets();
        for flags in 0..16 {
            if let Some(anomaly) = wrong_flags(self.packet, flags) {
                let mut octets = octets.clone();
                octets[0] = octets[0] & 0xF0 | flags;
                self.found.push(Flaw { octets, anomaly, offset: 0 });
            }
        }
        // [MQTT-1.5.5-1]; before level 5 nothing says that the length is minimal.
        let body = self.packet.body();
        let length = variable(body.len() as u32);
        for padded in padded(&length, if self.packet.level == 5 { 4 } else { 0 }) {
            let octets = [&octets[..1], &padded, &body].concat();
            self.found.push(Flaw { octets, anomaly: "remaining_length", offset: 1 });
        }
    }

    /// One octet more than the packet has fields.
    fn of_end(&mut self) {
        let Packet { level, kind, ref parts, .. } = *self.packet;
        let ends = match kind {
            PUBLISH | SUBSCRIBE | UNSUBSCRIBE => false,
            // User name or password may follow.
            CONNECT if level == 3 => !self.packet.lacks_login(),
            _ if level == 5 && codes(level, kind).is_empty() => true,
            // Properties may follow, or codes.
            _ if level == 5 => {
                matches!(parts.last(), Some(Part { role: Role::Properties(..), .. }))
            }
            _ => !matches!(parts.last(), Some(Part { role: Role::Codes, .. }) if kind != CONNACK),
        };
        if ends {
            let body = self.packet.body();
            let octets = self.packet.with_body(&[&body[..], &[0]].concat());
            let offset = octets.len() - 1;
            self.found.push(Flaw { octets, anomaly: "trailing_bytes", offset });
        }
    }

    fn of_part(&mut self, index: usize) {
        let Part { role, octets } = &self.packet.parts[index].clone();
        match role {
            Role::ProtocolName => self.protocol_name(index),
            Role::ProtocolLevel => {
                let legal = [3, 4, 5, 0x83, 0x84];
                // Others are read as the nearest level, so the rest must be of that.
                let nearest: &[u8] = match self.packet.level {
                    3 => &[0, 1, 2, 0x80, 0x81, 0x82],
                    4 => &[],
                    _ => &[6, 7, 0x7F, 0x85, 0x86, 0xFF],
                };
                for level in nearest.iter().filter(|level| !legal.contains(level)) {
                    self.put(index, "protocol_level", 0, &[*level]);
                }
            }
            Role::ConnectFlags => self.connect_flags(index, octets[0]),
            Role::SessionPresent if self.packet.level > 3 => {
                for bit in 1..8 {
                    self.put(index, "reserved_flags", 0, &[octets[0] | 1 << bit]);
                }
            }
            Role::PacketId => self.put(index, "packet_id_zero", 0, &[0, 0]),
            Role::Codes => self.codes(index, octets),
            Role::Text => self.text(index, octets),
            Role::Topic => self.topic(index, octets),
            Role::Filter => self.filter(index, octets),
            Role::Options(shared) => self.options(index, *shared),
            Role::ClientId => self.client_id(index, octets),
            Role::Properties(place, all) => self.properties(index, *place, all),
            Role::WillMessage(true) => {
                self.put(index, "payload_format", 2, &counted(b"\xFF"));
                self.put(index, "payload_format", 2, &counted(b"x\xED\xA0\x80"));
            }
            Role::Payload(true) => {
                self.put(index, "payload_format", 0, b"\xC3");
                self.put(index, "payload_format", 0, b"x\xC0\xAF");
            }
            Role::SessionPresent
            | Role::Number
            | Role::Binary
            | Role::WillMessage(false)
            | Role::Payload(false) => {}
        }
    }

    /// Other octets in place of a part's; the flaw is so far from the beginning of these.
    fn put(&mut self, index: usize, anomaly: &'static str, at: usize, octets: &[u8]) {
        self.put_in(&mut self.packet.clone(), index, anomaly, at, octets);
    }

    /// The same, of a packet that was changed already.
    fn put_in(
        &mut self,
        changed: &mut Packet,
        index: usize,
        anomaly: &'static str,
        at: usize,
        octets: &[u8],
    ) {
        changed.parts[index].octets = octets.to_vec();
        let before: usize = changed.parts[..index].iter().map(|part| part.octets.len()).sum();
        let octets = changed.octets();
        let header = octets.len() - changed.body().len();
        self.found.push(Flaw { octets, anomaly, offset: header + before + at });
    }

    /// Neither name of the standard, nor a level that goes with the other name.
    fn protocol_name(&mut self, index: usize) {
        for name in [&b"mqtt"[..], b"MQTT5", b"", b"MQIsdP"] {
            self.put(index, "protocol_name", 2, &counted(name));
        }
    }

    fn connect_flags(&mut self, index: usize, flags: u8) {
        self.put(index, "connect_reserved_flag", 0, &[flags | RESERVED]);
        if flags & HAS_WILL != 0 {
            self.put(index, "qos_invalid", 0, &[flags | 3 << 3]);
        } else {
            for wrong in [1 << 3, 2 << 3, 3 << 3, WILL_RETAIN, WILL_RETAIN | 1 << 3] {
                self.put(index, "will_flags", 0, &[flags | wrong]);
            }
        }
        let both = USERNAME | PASSWORD;
        if self.packet.level < 5 && flags & both == both && !self.packet.lacks_login() {
            let mut changed = self.packet.clone();
            changed.parts.retain(|part| part.role != Role::Text);
            // The user name is the only text that is neither identifier nor topic.
            self.put_in(&mut changed, index, "password_without_user", 0, &[flags & !USERNAME]);
        }
    }

    /// [MQTT-3.1.3-8] of level 4; MQTT 3.1, clause 3.1.
    fn client_id(&mut self, index: usize, octets: &[u8]) {
        self.text(index, octets);
        let flags = self.packet.parts.iter().find(|part| part.role == Role::ConnectFlags);
        let clean = flags.is_some_and(|part| part.octets[0] & CLEAN != 0);
        match self.packet.level {
            3 => {
                self.put(index, "client_id_length", 2, &counted(b""));
                self.put(index, "client_id_length", 2, &counted(&[b'c'; 24]));
                self.put(index, "client_id_length", 2, &counted("ß".repeat(24).as_bytes()));
            }
            4 if !clean => self.put(index, "client_id_empty_not_clean", 2, &counted(b"")),
            _ => {}
        }
    }

    fn codes(&mut self, index: usize, octets: &[u8]) {
        let Packet { level, kind, .. } = *self.packet;
        let known = codes(level, kind);
        for code in 0..=u8::MAX {
            if known.iter().any(|(known, _)| *known == code) {
                continue;
            }
            for at in 0..octets.len() {
                let mut changed = octets.to_vec();
                changed[at] = code;
                self.put(index, "reason_code_unknown", at, &changed);
            }
        }
    }

    /// What is no UTF-8 in place of one letter: an octet that never stands there, surrogates, more
    /// octets than it takes, beyond the last plane, an end too soon; and U+0000.
    fn text(&mut self, index: usize, octets: &[u8]) {
        const WRONG: [&[u8]; 7] = [
            b"\xFF",
            b"\xED\xA0\x80",
            b"\xED\xBF\xBF",
            b"\xC0\xAF",
            b"\xE0\x80\xAF",
            b"\xF4\x90\x80\x80",
            b"\xC3",
        ];
        let text = &octets[2..];
        let Some(at) = text.iter().position(u8::is_ascii_lowercase) else { return };
        // Room for the longest.
        if text.len() > super::LONGEST - 3 {
            return;
        }
        let with = |wrong: &[u8]| counted(&[&text[..at], wrong, &text[at + 1..]].concat());
        for wrong in WRONG {
            self.put(index, "utf8_invalid", 2 + at, &with(wrong));
        }
        self.put(index, "utf8_null", 2 + at, &with(b"\0"));
    }

    fn topic(&mut self, index: usize, octets: &[u8]) {
        self.text(index, octets);
        if self.packet.kind == CONNECT || !self.packet.has(TOPIC_ALIAS) {
            self.put(index, "topic_empty", 0, &counted(b""));
        }
        for (topic, at) in [("#", 0), ("a/+", 2), ("a/b#", 3), ("+/", 0), ("ß/#/", 3)] {
            self.put(index, "topic_wildcard_in_publish", 2 + at, &counted(topic.as_bytes()));
        }
    }

    /// Clauses 4.7.1 and 4.8.2.
    fn filter(&mut self, index: usize, octets: &[u8]) {
        self.text(index, octets);
        let mut wrong = vec!["", "a#", "#/a", "a/#/b", "a+", "+a/b", "a/b+/c", "##", "++"];
        let next = self.packet.parts.get(index + 1);
        let no_local = next
            .is_some_and(|part| matches!(part.role, Role::Options(_)) && part.octets[0] & 4 != 0);
        if self.packet.level == 5 && !no_local {
            wrong.extend([
                "$share/g",
                "$share/g/",
                "$share//a",
                "$share/+/a",
                "$share/#",
                "$share/g#/a",
                "$share/g/a#",
            ]);
        }
        for filter in wrong {
            self.put(index, "topic_filter_invalid", 2, &counted(filter.as_bytes()));
        }
    }

    /// [MQTT-3.8.3-4, 3.8.3-5]; before level 5 only the QoS.
    fn options(&mut self, index: usize, shared: bool) {
        for options in 0..=u8::MAX {
            let is_wrong = if self.packet.level == 5 {
                options & 0xC0 != 0 || options >> 4 & 3 == 3 || shared && options & 4 != 0
            } else {
                options & 0xFC != 0
            };
            match (is_wrong, options & 3 == 3) {
                (true, false) => self.put(index, "subscription_options", 0, &[options]),
                (false, true) => self.put(index, "qos_invalid", 0, &[options]),
                (true, true) | (false, false) => {}
            }
        }
    }

    fn properties(&mut self, index: usize, place: u8, all: &[(u8, Vec<u8>)]) {
        let whole = block(all);
        let start = whole.len() - all.iter().map(|(_, value)| 1 + value.len()).sum::<usize>();
        self.property_lengths(index, &whole, start);
        let end = |added: usize| variable((whole.len() - start + added) as u32).len();
        for property in PROPERTIES {
            for value in values(property) {
                let mut more = all.to_vec();
                let at = end(1 + value.len()) + whole.len() - start;
                more.push((property.id, value));
                let is_there = all.iter().any(|(id, _)| *id == property.id);
                let anomaly = match is_there {
                    _ if !property.places.contains(&place) => "property_not_allowed",
                    true if !property.repeats.contains(&place) => "property_repeated",
                    _ => continue,
                };
                self.put(index, anomaly, at, &block(&more));
            }
        }
        for id in (0..=127).filter(|id| PROPERTIES.iter().all(|property| property.id != *id)) {
            let mut more = all.to_vec();
            more.push((id, vec![]));
            self.put(index, "property_unknown", end(1) + whole.len() - start, &block(&more));
        }
        let mut before = start;
        for (place_in, (id, value)) in all.iter().enumerate() {
            let property = PROPERTIES.iter().find(|property| property.id == *id).unwrap();
            for wrong in
                wrong_values(property).into_iter().filter(|wrong| wrong.len() == value.len())
            {
                let mut changed = all.to_vec();
                changed[place_in].1.clone_from(&wrong);
                self.put(index, "property_value", before, &block(&changed));
            }
            before += 1 + value.len();
        }
    }

    /// The length in more octets than it takes, in too many; longer than the packet; an identifier in
    /// more octets than it takes; a property that goes on beyond the others' end.
    fn property_lengths(&mut self, index: usize, whole: &[u8], start: usize) {
        let (length, rest) = whole.split_at(start);
        for padded in padded(length, 4) {
            self.put(index, "property_length", 0, &[&padded, rest].concat());
        }
        self.put(index, "property_length", 0, &[b"\xFF\xFF\xFF\xFF", rest].concat());
        let behind: usize =
            self.packet.parts[index + 1..].iter().map(|part| part.octets.len()).sum();
        let longer = variable((rest.len() + behind + 1) as u32);
        self.put(index, "property_length", 0, &[&longer, rest].concat());
        // A user property of a known length, with the identifier in two octets, and cut short.
        let add = |octets: &[u8]| {
            let length = variable((rest.len() + octets.len()) as u32);
            (length.len() + rest.len(), [&length, rest, octets].concat())
        };
        let (at, padded) = add(b"\xA6\0\0\x01n\0\x01v");
        self.put(index, "property_length", at, &padded);
        for cut in 1..7 {
            let (at, octets) = add(&b"\x26\0\x01n\0\x01v"[..cut]);
            // The text that is cut, or its length.
            let field = match cut {
                1 | 2 => 1,
                3 => 3,
                4 | 5 => 4,
                _ => 6,
            };
            self.put(index, "property_length", at + field, &octets);
        }
    }
}

impl Packet {
    fn has(&self, id: u8) -> bool {
        self.parts.iter().any(|part| {
            matches!(&part.role, Role::Properties(_, all) if all.iter().any(|(other, _)| *other == id))
        })
    }

    /// Whether user name or password are announced and not there.
    fn lacks_login(&self) -> bool {
        let told = |name: &str| self.told.iter().any(|(told, _)| told == name);
        let announced = |name: &str| {
            let flag = format!("connect.flags.{name}");
            self.told.iter().any(|(told, value)| *told == flag && *value == super::Told::Flag(true))
        };
        announced("username") && !told("connect.username")
            || announced("password") && !told("connect.password_length")
    }
}

/// What is wrong with these flags, if anything is, and nothing else of the packet changes with them.
fn wrong_flags(packet: &Packet, flags: u8) -> Option<&'static str> {
    let qos = flags >> 1 & 3;
    match packet.kind {
        PUBLISH if qos == 3 && packet.flags & 6 != 0 => Some("qos_invalid"),
        PUBLISH if qos == 0 && flags & 8 != 0 && packet.flags & 6 == 0 => Some("dup_with_qos0"),
        PUBLISH => None,
        PUBREL | SUBSCRIBE | UNSUBSCRIBE if flags == 2 || packet.level == 3 && flags == 10 => None,
        PUBREL | SUBSCRIBE | UNSUBSCRIBE => Some("reserved_flags"),
        _ if flags == 0 => None,
        _ => Some("reserved_flags"),
    }
}

/// A variable byte integer in more octets than it takes, up to so many.
fn padded(integer: &[u8], most: usize) -> impl Iterator<Item = Vec<u8>> {
    let integer = integer.to_vec();
    (integer.len() + 1..=most).map(move |length| {
        let mut padded = integer.clone();
        *padded.last_mut().unwrap() |= 0x80;
        padded.resize(length - 1, 0x80);
        padded.push(0);
        padded
    })
}

/// A legal value, and one of more octets where there is one.
fn values(property: &Property) -> Vec<Vec<u8>> {
    match property.encoding {
        Encoding::Flag => vec![vec![1]],
        Encoding::Two(_) => vec![vec![0, 1]],
        Encoding::Four(_) => vec![vec![0, 0, 0, 1]],
        Encoding::Variable => vec![vec![1], vec![0x80, 1]],
        Encoding::Text | Encoding::Topic | Encoding::Binary | Encoding::Secret => {
            vec![counted(b"x"), counted(b"long")]
        }
        Encoding::Pair => vec![],
    }
}

/// Values that a property must not have; a topic alias is checked where it is resolved.
fn wrong_values(property: &Property) -> Vec<Vec<u8>> {
    match property.encoding {
        Encoding::Flag => (2..=u8::MAX).map(|wrong| vec![wrong]).collect(),
        Encoding::Two(1) if property.id != TOPIC_ALIAS => vec![vec![0, 0]],
        Encoding::Four(1) => vec![vec![0; 4]],
        Encoding::Variable => vec![vec![0]],
        _ => vec![],
    }
}
