//! CONNECT and CONNACK (clauses 3.1 and 3.2).

use super::header::{Dialect, Level};
use super::packet::{Body, Packet};
use super::properties::{Place, Properties};
use super::reader::{Reader, Stop};
use super::violation::Violation;
use crate::event::Value;

/// What a client says of itself. Fields after one that is missing are missing too.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Connect<'a> {
    /// `MQTT`, or `MQIsdp` before 3.1.1.
    pub(super) protocol_name: Option<&'a [u8]>,
    /// The protocol level as it stands there.
    pub(super) level: Option<u8>,
    /// The connect flags.
    pub(super) flags: Option<ConnectFlags>,
    /// Seconds, 0 for none.
    pub(super) keep_alive: Option<u16>,
    /// Empty if the server shall choose one.
    pub(super) client_id: Option<&'a [u8]>,
    /// Properties of the will.
    pub(super) will_properties: Properties<'a>,
    /// Where the will is published.
    pub(super) will_topic: Option<&'a [u8]>,
    /// Its payload.
    pub(super) will_message: Option<&'a [u8]>,
    /// Who wants in.
    pub(super) username: Option<&'a [u8]>,
    /// Octets of the password, which is never kept.
    pub(super) password_length: Option<usize>,
}

/// The connect flags (clause 3.1.2.3).
///
/// ```text
///      7         6          5       4 3      2        1         0
/// ┌──────────┬──────────┬────────┬───────┬──────┬─────────┬──────────┐
/// │ username │ password │ retain │  QoS  │ will │  clean  │ reserved │
/// └──────────┴──────────┴────────┴───────┴──────┴─────────┴──────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectFlags(u8);

impl ConnectFlags {
    const RESERVED: u8 = 1;
    const CLEAN: u8 = 1 << 1;
    const WILL: u8 = 1 << 2;
    const WILL_RETAIN: u8 = 1 << 5;
    const PASSWORD: u8 = 1 << 6;
    const USERNAME: u8 = 1 << 7;

    /// As they stand in the packet.
    pub(super) const fn new(octet: u8) -> Self {
        Self(octet)
    }

    const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// Whether the session starts anew.
    pub(super) const fn clean(self) -> bool {
        self.has(Self::CLEAN)
    }

    /// Whether there is a will.
    pub(super) const fn will(self) -> bool {
        self.has(Self::WILL)
    }

    /// Quality of service of the will, 0 to 3.
    pub(super) const fn will_qos(self) -> u8 {
        self.0 >> 3 & 0b11
    }

    /// Whether the broker keeps the will.
    pub(super) const fn will_retain(self) -> bool {
        self.has(Self::WILL_RETAIN)
    }

    /// Whether there is a password.
    pub(super) const fn password(self) -> bool {
        self.has(Self::PASSWORD)
    }

    /// Whether there is a user name.
    pub(super) const fn username(self) -> bool {
        self.has(Self::USERNAME)
    }
}

/// Set in the protocol level by mosquitto's bridges.
const BRIDGE: u8 = 0x80;

impl Connect<'_> {
    /// The protocol level without a bridge's mark.
    pub(super) fn version(&self) -> Option<u8> {
        self.level.map(|level| if is_bridge(level) { level & !BRIDGE } else { level })
    }

    /// Whether it is a bridge between brokers that connects.
    pub(super) fn bridge(&self) -> Option<bool> {
        self.level.map(is_bridge)
    }
}

fn is_bridge(level: u8) -> bool {
    matches!(level, 0x83 | 0x84)
}

/// What to read a CONNECT as: a level that does not exist is read as the nearest.
pub(super) fn level_of(level: u8) -> Level {
    match level & !BRIDGE {
        0..=3 => Level::V3,
        4 => Level::V4,
        _ => Level::V5,
    }
}

/// Reads a CONNECT (clause 3.1).
pub(super) fn read<'a>(packet: &mut Packet<'a>, reader: &mut Reader<'a, '_>) -> Result<(), Stop> {
    let mut connect = Connect::default();
    let result = read_fields(packet, &mut connect, reader);
    packet.body = Body::Connect(connect);
    result
}

fn read_fields<'a>(
    packet: &mut Packet<'a>,
    connect: &mut Connect<'a>,
    reader: &mut Reader<'a, '_>,
) -> Result<(), Stop> {
    let name = reader.text("protocol_string")?;
    connect.protocol_name = Some(name);
    let level = reader.u8("protocol_version")?;
    connect.level = Some(level);
    check_protocol(name, level, reader);
    let dialect = Dialect::known(level_of(level));
    reader.dialect = dialect;
    packet.dialect = Some(dialect);

    let flags = ConnectFlags::new(reader.u8("flags")?);
    connect.flags = Some(flags);
    check_flags(flags, reader);
    connect.keep_alive = Some(reader.u16("keep_alive")?);
    if reader.is_v5() {
        packet.properties.read(reader, Place::packet(packet.header.kind))?;
    }
    let client_id = reader.text("client_id")?;
    connect.client_id = Some(client_id);
    check_client_id(client_id, flags, reader);
    if flags.will() {
        read_will(connect, reader)?;
    }
    // MQTT 3.1, clause 3.1: user name and password may be missing although their flags are set.
    let may_miss = dialect.level == Level::V3;
    if flags.username() && !(may_miss && reader.is_empty()) {
        connect.username = Some(reader.text("username")?);
    }
    if flags.password() && !(may_miss && reader.is_empty()) {
        connect.password_length = Some(reader.binary("password")?.len());
    }
    reader.end();
    Ok(())
}

fn read_will<'a>(connect: &mut Connect<'a>, reader: &mut Reader<'a, '_>) -> Result<(), Stop> {
    if reader.is_v5() {
        connect.will_properties.read(reader, Place::WILL)?;
    }
    let at = reader.at();
    let topic = reader.topic_name("will.topic")?;
    connect.will_topic = Some(topic);
    if topic.is_empty() {
        reader.report(Violation::TopicEmpty, "will.topic", Value::Absent, at);
    }
    let at = reader.at();
    let message = reader.binary("will.message")?;
    connect.will_message = Some(message);
    super::publish::check_format(message, 0, &connect.will_properties, at + 2, reader);
    Ok(())
}

/// Clauses 3.1.2.1 and 3.1.2.2.
fn check_protocol(name: &[u8], level: u8, reader: &mut Reader<'_, '_>) {
    let levels: &[u8] = match name {
        b"MQTT" => &[4, 5, 4 | BRIDGE],
        b"MQIsdp" => &[3, 3 | BRIDGE],
        _ => {
            let at = reader.at() - 1 - name.len();
            let value = Value::Text(super::packet::head(name));
            return reader.report(Violation::ProtocolName, "protocol_string", value, at);
        }
    };
    if !levels.contains(&level) {
        let (value, at) = (Value::Integer(level.into()), reader.at() - 1);
        reader.report(Violation::ProtocolLevel, "protocol_version", value, at);
    }
}

/// [MQTT-3.1.2-3, 3.1.2-11 to 3.1.2-13]; [MQTT-3.1.2-22] of level 4.
fn check_flags(flags: ConnectFlags, reader: &mut Reader<'_, '_>) {
    let (value, at) = (Value::Integer(flags.0.into()), reader.at() - 1);
    if flags.has(ConnectFlags::RESERVED) {
        reader.report(Violation::ConnectReservedFlag, "flags", value, at);
    }
    if !flags.will() && (flags.will_qos() != 0 || flags.will_retain()) {
        reader.report(Violation::WillFlags, "flags", value, at);
    } else if flags.will_qos() == 3 {
        reader.report(Violation::QosInvalid, "flags.will_qos", Value::Integer(3), at);
    }
    if flags.password() && !flags.username() && !reader.is_v5() {
        reader.report(Violation::PasswordWithoutUser, "flags", value, at);
    }
}

/// MQTT 3.1, clause 3.1, which counts characters; [MQTT-3.1.3-7] of level 4.
fn check_client_id(client_id: &[u8], flags: ConnectFlags, reader: &mut Reader<'_, '_>) {
    let at = reader.at() - client_id.len();
    match reader.dialect.level {
        Level::V3 if !(1..=23).contains(&characters(client_id)) => {
            let value = Value::Integer(characters(client_id) as i64);
            reader.report(Violation::ClientIdLength, "client_id", value, at);
        }
        Level::V4 if client_id.is_empty() && !flags.clean() => {
            reader.report(Violation::ClientIdEmptyNotClean, "client_id", Value::Absent, at);
        }
        _ => {}
    }
}

/// Octets that do not continue a character of UTF-8.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|octet| *octet & 0b1100_0000 != 0b1000_0000).count()
}

/// A CONNACK of this length with this code is one of level 3 or 4 whatever the client speaks: an
/// older server refuses a newer client (clause 3.1.2.2 of level 4).
const UNACCEPTABLE_VERSION: [u8; 2] = [0, 1];

/// Reads a CONNACK (clause 3.2).
pub(super) fn read_acknowledgment<'a>(
    packet: &mut Packet<'a>,
    reader: &mut Reader<'a, '_>,
) -> Result<(), Stop> {
    if reader.rest() == UNACCEPTABLE_VERSION && reader.beyond() == 0 && reader.is_v5() {
        reader.dialect = Dialect::known(Level::V4);
    }
    let flags = reader.u8("flags")?;
    packet.body = Body::Connack { session_present: flags & 1 != 0 };
    // [MQTT-3.2.2-1]; level 3 leaves the whole octet unused.
    if flags & 0b1111_1110 != 0 && reader.dialect.level != Level::V3 {
        let (value, at) = (Value::Integer(flags.into()), reader.at() - 1);
        reader.report(Violation::ReservedFlags, "connack.flags", value, at);
    }
    packet.read_code(reader, "return_code")?;
    if reader.is_v5() {
        packet.properties.read(reader, Place::packet(packet.header.kind))?;
    }
    reader.end();
    Ok(())
}
