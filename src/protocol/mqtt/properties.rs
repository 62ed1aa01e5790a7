//! The properties of MQTT 5 (clause 2.2.2): which there are, and those of one packet.

use super::header::{MOST_VARIABLE, PacketType, VariableInteger, variable_integer};
use super::reader::{Reader, Stop};
use super::violation::Violation;
use crate::bytes::Cursor;
use crate::event::{Kind, Secrecy, Value};

/// Where properties can stand: a packet type, or the will in a CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u8);

impl Place {
    /// The will's own properties. Takes the number of no packet.
    pub(super) const WILL: Self = Self(PacketType::Reserved as u8);

    /// The properties of a packet.
    pub(super) const fn packet(kind: PacketType) -> Self {
        Self(kind as u8)
    }
}

/// A set of places, a bit each.
type Places = u16;

const fn places(kinds: &[PacketType]) -> Places {
    let mut set = 0;
    let mut index = 0;
    while index < kinds.len() {
        set |= 1 << kinds[index] as u8;
        index += 1;
    }
    set
}

/// How a property's value is encoded, and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// A byte that says no or yes.
    Flag,
    TwoByte,
    FourByte,
    Variable,
    Text,
    /// Text that is a topic name.
    Topic,
    /// Shown as hexadecimal digits.
    Binary,
    /// Binary that proves who somebody is: only its length is shown.
    Secret,
    /// Two texts, name and value.
    Pair,
}

/// One kind of property (table 2-4).
#[derive(Debug, Clone, Copy)]
pub(super) struct Property {
    id: u8,
    /// Its field's name in records.
    pub(super) name: &'static str,
    encoding: Encoding,
    /// The least value that it may have.
    least: u32,
    places: Places,
    /// Where it may stand more than once.
    repeats: Places,
    /// What it means.
    pub(super) doc: &'static str,
}

const fn property(
    id: u8,
    name: &'static str,
    encoding: Encoding,
    places: Places,
    doc: &'static str,
) -> Property {
    Property { id, name, encoding, least: 0, places, repeats: 0, doc }
}

/// Zero would mean nothing: it is a protocol error.
const fn positive(property: Property) -> Property {
    Property { least: 1, ..property }
}

const fn repeated(property: Property, repeats: Places) -> Property {
    Property { repeats, ..property }
}

/// All there are, by identifier.
static TABLE: &[Property] = {
    use Encoding::{Binary, Flag, FourByte, Pair, Secret, Text, Topic, TwoByte, Variable};
    use PacketType::{
        Auth, Connack, Connect, Disconnect, Puback, Pubcomp, Publish, Pubrec, Pubrel,
        Reserved as Will, Suback, Subscribe, Unsuback, Unsubscribe,
    };
    const MESSAGE: Places = places(&[Publish, Will]);
    const CONNACK: Places = places(&[Connack]);
    const BOTH: Places = places(&[Connect, Connack]);
    const AUTHENTICATION: Places = places(&[Connect, Connack, Auth]);
    const ANSWER: Places =
        places(&[Connack, Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback, Disconnect, Auth]);
    const ALL: Places = ANSWER | places(&[Connect, Will, Publish, Subscribe, Unsubscribe]);
    &[
        property(1, "payload_format_indicator", Flag, MESSAGE, "1 if the payload is UTF-8."),
        property(2, "message_expiry_interval", FourByte, MESSAGE, "Lifetime in seconds."),
        property(3, "content_type", Text, MESSAGE, "What the payload is."),
        property(8, "response_topic", Topic, MESSAGE, "Where an answer goes."),
        property(
            9,
            "correlation_data",
            Binary,
            MESSAGE,
            "Which request an answer is for: two hexadecimal digits an octet, up to 256 octets.",
        ),
        positive(repeated(
            property(
                11,
                "subscription_identifier",
                Variable,
                places(&[Publish, Subscribe]),
                "The subscription, 1 to 268435455.",
            ),
            places(&[Publish]),
        )),
        property(
            17,
            "session_expiry_interval",
            FourByte,
            places(&[Connect, Connack, Disconnect]),
            "Seconds that the session outlives the connection; 4294967295 for ever.",
        ),
        property(18, "assigned_client_identifier", Text, CONNACK, "The client's new identifier."),
        property(19, "server_keep_alive", TwoByte, CONNACK, "Seconds, instead of the client's."),
        property(21, "authentication_method", Text, AUTHENTICATION, "The method's name."),
        property(
            22,
            "authentication_data_length",
            Secret,
            AUTHENTICATION,
            "Octets of authentication data, which are not shown.",
        ),
        property(
            23,
            "request_problem_information",
            Flag,
            places(&[Connect]),
            "0 if reason strings are only wanted in CONNACK, PUBLISH and DISCONNECT.",
        ),
        property(
            24,
            "will_delay_interval",
            FourByte,
            places(&[Will]),
            "Seconds before the will is published.",
        ),
        property(
            25,
            "request_response_information",
            Flag,
            places(&[Connect]),
            "1 if response information is wanted.",
        ),
        property(26, "response_information", Text, CONNACK, "Basis for response topics."),
        property(
            28,
            "server_reference",
            Text,
            places(&[Connack, Disconnect]),
            "The server to use instead.",
        ),
        property(31, "reason_string", Text, ANSWER, "The reason, for people."),
        positive(property(
            33,
            "receive_maximum",
            TwoByte,
            BOTH,
            "How many messages with QoS over 0 the sender takes at a time.",
        )),
        property(
            34,
            "topic_alias_maximum",
            TwoByte,
            BOTH,
            "The highest topic alias that the sender takes.",
        ),
        // That it is not 0 is checked where it is resolved.
        property(35, "topic_alias", TwoByte, places(&[Publish]), "Stands for the topic name."),
        property(36, "maximum_qos", Flag, CONNACK, "The highest QoS that the server takes."),
        property(37, "retain_available", Flag, CONNACK, "1 if the server keeps messages."),
        repeated(property(38, "user_property", Pair, ALL, "A name and a value."), ALL),
        positive(property(
            39,
            "maximum_packet_size",
            FourByte,
            BOTH,
            "Octets of the largest packet that the sender takes.",
        )),
        property(
            40,
            "wildcard_subscription_available",
            Flag,
            CONNACK,
            "1 if filters may have wildcards.",
        ),
        property(
            41,
            "subscription_identifier_available",
            Flag,
            CONNACK,
            "1 if subscriptions may have identifiers.",
        ),
        property(
            42,
            "shared_subscription_available",
            Flag,
            CONNACK,
            "1 if subscriptions may be shared.",
        ),
    ]
};

const HIGHEST: usize = 42;
const NONE: u8 = u8::MAX;

/// Index into [`TABLE`] by identifier.
static BY_ID: [u8; HIGHEST + 1] = {
    let mut by_id = [NONE; HIGHEST + 1];
    let mut index = 0;
    while index < TABLE.len() {
        by_id[TABLE[index].id as usize] = index as u8;
        index += 1;
    }
    by_id
};

impl Property {
    /// The property whose field has this name; a constant's evaluation fails if there is none.
    pub(super) const fn named(name: &str) -> &'static Self {
        let mut index = 0;
        while index < TABLE.len() {
            if same(TABLE[index].name, name) {
                return &TABLE[index];
            }
            index += 1;
        }
        panic!("no property has this name")
    }

    /// All there are.
    #[cfg(test)]
    pub(super) fn all() -> &'static [Self] {
        TABLE
    }

    /// Whether it can stand in this place.
    pub(super) fn is_allowed(&self, place: Place) -> bool {
        self.places & 1 << place.0 != 0
    }

    /// Whether it can stand in this place more than once.
    fn may_repeat(&self, place: Place) -> bool {
        self.repeats & 1 << place.0 != 0
    }

    fn by_id(id: u32) -> Option<&'static Self> {
        TABLE.get(usize::from(*BY_ID.get(id as usize)?))
    }

    /// The kind of its values in records.
    pub(super) const fn kind(&self) -> Kind {
        match self.encoding {
            Encoding::Text | Encoding::Binary | Encoding::Pair => Kind::Text,
            Encoding::Topic => Kind::TopicName,
            Encoding::Flag => Kind::Range(0, 255),
            // Of a secret only the length is shown.
            Encoding::TwoByte | Encoding::Secret => Kind::Range(0, 65_535),
            Encoding::FourByte => Kind::Range(0, 4_294_967_295),
            Encoding::Variable => Kind::Range(0, MOST_VARIABLE),
        }
    }

    /// What its values give away: data that only the applications understand are theirs.
    pub(super) const fn secrecy(&self) -> Secrecy {
        match self.encoding {
            Encoding::Binary => Secrecy::Payload,
            _ => Secrecy::Open,
        }
    }

    const fn bit(&self) -> u64 {
        1 << self.id
    }

    fn allows(&self, value: u32) -> bool {
        value >= self.least && (value <= 1 || self.encoding != Encoding::Flag)
    }
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// A property's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content<'a> {
    Integer(u32),
    Octets(&'a [u8]),
    Pair(UserProperty<'a>),
}

/// A name and a value; what they mean is between the peers (clause 3.1.3.2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UserProperty<'a> {
    /// Need not be unique.
    pub(super) name: &'a [u8],
    /// Its value.
    pub(super) value: &'a [u8],
}

/// The properties of one packet, read once to be checked and again when somebody asks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Properties<'a> {
    /// Those that could be read.
    block: &'a [u8],
    /// Which are among them, a bit an identifier.
    present: u64,
}

impl<'a> Properties<'a> {
    /// Reads the properties' length and as many octets. Those that are wrong are reported and
    /// left out.
    #[inline]
    pub(super) fn read(&mut self, reader: &mut Reader<'a, '_>, place: Place) -> Result<(), Stop> {
        if let [0, ..] = reader.rest() {
            reader.u8("property_length")?;
            return Ok(());
        }
        self.read_some(reader, place)
    }

    fn read_some(&mut self, reader: &mut Reader<'a, '_>, place: Place) -> Result<(), Stop> {
        let at = reader.at();
        let length = reader.variable_integer("property_length")?;
        if length as usize > reader.left() {
            let value = Value::Integer(length.into());
            reader.report(Violation::PropertyLength, "property_length", value, at);
            return Err(Stop);
        }
        let block = &mut reader.properties(length as usize);
        let is_whole = block.beyond() == 0;
        self.read_block(block, place);
        if is_whole { Ok(()) } else { Err(Stop) }
    }

    fn read_block(&mut self, reader: &mut Reader<'a, '_>, place: Place) {
        let whole = reader.rest();
        while !reader.is_empty() {
            let Ok(bit) = self.check_next(reader, place) else { break };
            self.present |= bit;
            let read = whole.len() - reader.rest().len();
            self.block = whole.get(..read).unwrap_or_default();
        }
    }

    /// Checks one property; its bit, unless it does not belong here.
    fn check_next(&self, reader: &mut Reader<'a, '_>, place: Place) -> Result<u64, Stop> {
        let at = reader.at();
        let id = reader.variable_integer("property_identifier")?;
        let Some(property) = Property::by_id(id) else {
            let value = Value::Integer(id.into());
            reader.report(Violation::PropertyUnknown, "property_identifier", value, at);
            return Err(Stop);
        };
        let content = Content::check(reader, property)?;
        let value = content.number();
        if !property.is_allowed(place) {
            reader.report(Violation::PropertyNotAllowed, property.name, value, at);
            return Ok(0);
        }
        if self.present & property.bit() != 0 && !property.may_repeat(place) {
            reader.report(Violation::PropertyRepeated, property.name, value, at);
        }
        if let Content::Integer(number) = content
            && !property.allows(number)
        {
            reader.report(Violation::PropertyValue, property.name, value, at);
        }
        Ok(property.bit())
    }

    /// Whether there are none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.present == 0
    }

    /// The first value of a property.
    #[inline]
    pub(super) fn value(&self, property: &Property) -> Value<'a> {
        if self.present & property.bit() == 0 {
            return Value::Absent;
        }
        let found = self.iter().find(|(other, _)| other.id == property.id);
        found.map_or(Value::Absent, |(_, content)| content.value(property))
    }

    /// The first value of a property that is a number.
    #[inline]
    pub(super) fn integer(&self, property: &Property) -> Option<u32> {
        match self.value(property) {
            Value::Integer(number) => u32::try_from(number).ok(),
            _ => None,
        }
    }

    /// Every value of a property.
    pub(super) fn values(&self, property: &Property) -> impl Iterator<Item = Value<'a>> {
        let present = self.present & property.bit() != 0;
        let properties = if present { *self } else { Self::default() };
        properties
            .iter()
            .filter(move |(other, _)| other.id == property.id)
            .map(|(property, content)| content.value(property))
    }

    /// Shows the user properties, in order.
    #[inline]
    pub(super) fn each_user_property(&self, visit: &mut dyn FnMut(&UserProperty<'a>)) {
        const USER_PROPERTY: &Property = Property::named("user_property");
        if self.present & USER_PROPERTY.bit() == 0 {
            return;
        }
        for (_, content) in self.iter() {
            if let Content::Pair(pair) = content {
                visit(&pair);
            }
        }
    }

    fn iter(self) -> Iter<'a> {
        Iter(Cursor::new(self.block))
    }
}

impl<'a> Content<'a> {
    fn check(reader: &mut Reader<'a, '_>, property: &Property) -> Result<Self, Stop> {
        let field = property.name;
        Ok(match property.encoding {
            Encoding::Flag => Self::Integer(reader.u8(field)?.into()),
            Encoding::TwoByte => Self::Integer(reader.u16(field)?.into()),
            Encoding::FourByte => Self::Integer(reader.u32(field)?),
            Encoding::Variable => Self::Integer(reader.variable_integer(field)?),
            Encoding::Text => Self::Octets(reader.text(field)?),
            Encoding::Topic => {
                let at = reader.at();
                let topic = reader.topic_name(field)?;
                // [MQTT-4.7.3-1].
                if topic.is_empty() {
                    reader.report(Violation::TopicEmpty, field, Value::Absent, at);
                }
                Self::Octets(topic)
            }
            Encoding::Binary | Encoding::Secret => Self::Octets(reader.binary(field)?),
            Encoding::Pair => {
                let name = reader.text(field)?;
                Self::Pair(UserProperty { name, value: reader.text(field)? })
            }
        })
    }

    /// What an anomaly says of it: its value is a number, and texts may be what nobody is to see.
    fn number(self) -> Value<'static> {
        match self {
            Self::Integer(number) => Value::Integer(number.into()),
            Self::Octets(_) | Self::Pair(_) => Value::Absent,
        }
    }

    fn value(self, property: &Property) -> Value<'a> {
        match self {
            Self::Integer(number) => Value::Integer(number.into()),
            Self::Octets(octets) => match property.encoding {
                Encoding::Secret => Value::Integer(octets.len() as i64),
                Encoding::Binary => Value::Octets(octets),
                _ => Value::Text(octets),
            },
            Self::Pair(pair) => Value::Text(pair.name),
        }
    }
}

/// Goes through properties that were checked.
struct Iter<'a>(Cursor<'a>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'static Property, Content<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let cursor = &mut self.0;
        let property = Property::by_id(variable(cursor)?)?;
        let content = match property.encoding {
            Encoding::Flag => Content::Integer(cursor.u8().ok()?.into()),
            Encoding::TwoByte => Content::Integer(cursor.u16_be().ok()?.into()),
            Encoding::FourByte => Content::Integer(cursor.u32_be().ok()?),
            Encoding::Variable => Content::Integer(variable(cursor)?),
            Encoding::Text | Encoding::Topic | Encoding::Binary | Encoding::Secret => {
                Content::Octets(octets(cursor)?)
            }
            Encoding::Pair => {
                let name = octets(cursor)?;
                Content::Pair(UserProperty { name, value: octets(cursor)? })
            }
        };
        Some((property, content))
    }
}

fn variable(cursor: &mut Cursor<'_>) -> Option<u32> {
    let VariableInteger::Value { value, length } = variable_integer(cursor.rest()) else {
        return None;
    };
    cursor.take(length.into()).ok()?;
    Some(value)
}

fn octets<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = cursor.u16_be().ok()?;
    cursor.take(length.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_27_in_order() {
        assert_eq!(TABLE.len(), 27);
        assert!(TABLE.is_sorted_by_key(|property| property.id));
        assert_eq!(TABLE.last().map(|property| usize::from(property.id)), Some(HIGHEST));
        for property in TABLE {
            assert_eq!(Property::by_id(property.id.into()).unwrap().name, property.name);
        }
    }
}
