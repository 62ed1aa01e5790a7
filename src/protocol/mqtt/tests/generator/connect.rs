//! CONNECT and CONNACK (clauses 3.1 and 3.2).

use super::standard::{CONNACK, CONNECT, PAYLOAD_FORMAT, WILL};
use super::{Amount, Dice, Packet, Role, Told, properties, standard, tell_payload};

pub(crate) const RESERVED: u8 = 1;
pub(crate) const CLEAN: u8 = 1 << 1;
pub(crate) const HAS_WILL: u8 = 1 << 2;
pub(crate) const WILL_RETAIN: u8 = 1 << 5;
pub(crate) const PASSWORD: u8 = 1 << 6;
pub(crate) const USERNAME: u8 = 1 << 7;

pub(crate) fn connect(packet: &mut Packet, amount: Amount, dice: &mut Dice) {
    let level = packet.level;
    let name: &[u8] = if level == 3 { b"MQIsdp" } else { b"MQTT" };
    packet.counted(Role::ProtocolName, name);
    packet.tell("protocol_string", Told::Text(name.to_vec()));
    // mosquitto's mark.
    let bridge = level < 5 && dice.roll(4) == 0;
    packet.part(Role::ProtocolLevel, &[level | if bridge { 0x80 } else { 0 }]);
    packet.tell("protocol_version", Told::Number(level.into()));
    packet.tell("bridge", Told::Flag(bridge));

    let mut flags = flags(level, dice);
    let client_id = client_id(level, &mut flags, dice);
    packet.part(Role::ConnectFlags, &[flags]);
    tell_flags(packet, flags);
    let keep_alive = dice.number(0, 65_535) as u16;
    packet.part(Role::Number, &keep_alive.to_be_bytes());
    packet.tell("keep_alive", Told::Number(keep_alive.into()));
    if level == 5 {
        properties::add(packet, CONNECT, "properties", amount, dice);
    }
    packet.counted(Role::ClientId, client_id.as_bytes());
    packet.tell("client_id", Told::Text(client_id.into_bytes()));
    if flags & HAS_WILL != 0 {
        will(packet, amount, dice);
    }
    // MQTT 3.1, clause 3.1: user name and password may be missing although their flags are set.
    let missing = if level == 3 { dice.roll(3) } else { 0 };
    if flags & USERNAME != 0 && missing < 2 {
        let username = dice.text().into_bytes();
        packet.counted(Role::Text, &username);
        packet.tell("username", Told::Text(username));
    }
    if flags & PASSWORD != 0 && missing < 1 {
        let password = dice.octets();
        packet.counted(Role::Binary, &password);
        packet.tell("password_length", Told::Number(password.len() as u64));
    }
}

fn flags(level: u8, dice: &mut Dice) -> u8 {
    let mut flags = 0;
    for flag in [CLEAN, HAS_WILL, USERNAME] {
        flags |= if dice.flag() { flag } else { 0 };
    }
    // [MQTT-3.1.2-22] of level 4; of level 3 it is the same.
    if (level == 5 || flags & USERNAME != 0) && dice.flag() {
        flags |= PASSWORD;
    }
    if flags & HAS_WILL != 0 {
        flags |= (dice.roll(3) as u8) << 3;
        flags |= if dice.flag() { WILL_RETAIN } else { 0 };
    }
    flags
}

/// Level 3 has 1 to 23 characters; level 4 none with a clean session only.
fn client_id(level: u8, flags: &mut u8, dice: &mut Dice) -> String {
    if level == 3 {
        let count = dice.number(1, 23) as usize;
        return dice.text_of(200).chars().take(count).collect();
    }
    let id = dice.text();
    if id.is_empty() && level == 4 {
        *flags |= CLEAN;
    }
    id
}

fn tell_flags(packet: &mut Packet, flags: u8) {
    for (name, bit) in [
        ("clean_session", CLEAN),
        ("will", HAS_WILL),
        ("will_retain", WILL_RETAIN),
        ("password", PASSWORD),
        ("username", USERNAME),
    ] {
        packet.tell(&format!("flags.{name}"), Told::Flag(flags & bit != 0));
    }
    packet.tell("flags.will_qos", Told::Number(u64::from(flags >> 3 & 3)));
}

fn will(packet: &mut Packet, amount: Amount, dice: &mut Dice) {
    let mut is_text = false;
    if packet.level == 5 {
        let ids = properties::add(packet, WILL, "will.properties", amount, dice);
        is_text = ids.contains(&(PAYLOAD_FORMAT, vec![1]));
    }
    let topic = dice.topic().into_bytes();
    packet.counted(Role::Topic, &topic);
    packet.tell("will.topic", Told::Text(topic));
    let message = if is_text || dice.flag() { dice.text().into_bytes() } else { dice.octets() };
    packet.counted(Role::WillMessage(is_text), &message);
    packet.tell("will.payload_length", Told::Number(message.len() as u64));
    packet.tell("will.payload_utf8", Told::Flag(std::str::from_utf8(&message).is_ok()));
    tell_payload(packet, "will.message", "will.payload_hex", &message);
}

pub(crate) fn connack(packet: &mut Packet, amount: Amount, dice: &mut Dice) {
    // Of level 3 the octet is unused.
    let present = dice.flag();
    packet.part(Role::SessionPresent, &[present.into()]);
    packet.tell("session_present", Told::Flag(present));
    let (code, name) = dice.of(standard::codes(packet.level, CONNACK));
    packet.part(Role::Codes, &[code]);
    packet.tell("return_code", Told::Number(code.into()));
    packet.tell("reason", Told::Name(name));
    if packet.level == 5 {
        properties::add(packet, CONNACK, "properties", amount, dice);
    }
}
