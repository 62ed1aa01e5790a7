//! Which field of ours a field of Wireshark's is, and how its value is turned into ours.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::differences::Difference;
use super::generator::standard::{self, Encoding};
use crate::differences::Told;
use crate::pdml::Field;

/// Fields by our name, without `mqtt.`; members of lists have their index.
pub(crate) type Fields = BTreeMap<String, Json>;

/// How a value is turned into ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// A number, as it is.
    Number,
    /// 0 and 1.
    Flag,
    /// Octets of text.
    Text,
    /// The packet's type, which says whose the fields are.
    Type,
    /// The lower half of the first octet, where it is no PUBLISH: we show it as Suricata does.
    HeaderFlags,
    /// The protocol level with mosquitto's mark of a bridge.
    Level,
    /// A return or reason code, and its name.
    Code,
    /// One of several codes.
    NextCode,
    /// The length of a topic, behind which there is none if it is zero.
    TopicLength,
    /// A topic; in PUBLISH also what an alias stands for.
    Topic,
    /// How long a field is that is compared octet by octet.
    Length,
    /// A payload.
    Payload,
    /// What nobody should read: its length is ours.
    Secret,
    /// Starts properties, whose names follow.
    Properties(&'static str),
    /// Says which property the next value is of.
    Property,
    /// The value of a property.
    Value,
    /// Name, or value, of a user property.
    Key,
    /// A member of a topic filter: a number.
    Member,
    /// A member of a topic filter: 0 or 1.
    MemberFlag,
    /// An octet whose parts are compared one by one.
    Parts,
    /// No bit may be set, or there is this anomaly.
    Reserved(&'static str),
    /// A complaint: there must be this anomaly.
    Wrong(&'static str),
    /// Wireshark does not know the level: neither do we, for sure.
    UnknownLevel,
    /// Shown only if a user of Wireshark asks for it.
    Never,
}

use How::{
    Code, Flag, HeaderFlags, Key, Length, Level, Member, MemberFlag, Never, NextCode, Number,
    Parts, Payload, Properties, Property, Reserved, Secret, Text, Topic, TopicLength, Type,
    UnknownLevel, Value, Wrong,
};

/// Wireshark's field, ours, and how the one becomes the other. `*` is the packet's type.
pub(crate) const FIELDS: &[(&str, &str, How)] = &[
    ("mqtt.hdrflags", "", Parts),
    ("mqtt.msgtype", "type", Type),
    ("mqtt.hdr_reserved", "*.dup`, `*.qos`, `*.retain", HeaderFlags),
    ("mqtt.dupflag", "*.dup", Flag),
    ("mqtt.qos", "*.qos", Number),
    ("mqtt.retain", "*.retain", Flag),
    ("mqtt.retain_reserved", "*.retain", Flag),
    ("mqtt.len", "length", Number),
    ("mqtt.proto_len", "", Length),
    ("mqtt.protoname", "connect.protocol_string", Text),
    ("mqtt.ver", "connect.protocol_version`, `connect.bridge", Level),
    ("mqtt.conflags", "", Parts),
    ("mqtt.conflag.uname", "connect.flags.username", Flag),
    ("mqtt.conflag.passwd", "connect.flags.password", Flag),
    ("mqtt.conflag.retain", "connect.flags.will_retain", Flag),
    ("mqtt.conflag.qos", "connect.flags.will_qos", Number),
    ("mqtt.conflag.willflag", "connect.flags.will", Flag),
    ("mqtt.conflag.cleansess", "connect.flags.clean_session", Flag),
    ("mqtt.conflag.reserved", "", Reserved("connect_reserved_flag")),
    ("mqtt.kalive", "connect.keep_alive", Number),
    ("mqtt.clientid_len", "", Length),
    ("mqtt.clientid", "connect.client_id", Text),
    ("mqtt.willtopic_len", "connect.will.topic", TopicLength),
    ("mqtt.willtopic", "connect.will.topic", Text),
    ("mqtt.willmsg_len", "", Length),
    ("mqtt.willmsg", "connect.will.message", Payload),
    ("mqtt.willmsg_text", "", Never),
    ("mqtt.username_len", "", Length),
    ("mqtt.username", "connect.username", Text),
    ("mqtt.passwd_len", "connect.password_length", Number),
    ("mqtt.passwd", "", Secret),
    ("mqtt.conack.flags", "", Parts),
    ("mqtt.conack.flags.sp", "connack.session_present", Flag),
    ("mqtt.conack.flags.reserved", "", Reserved("reserved_flags")),
    ("mqtt.conack.val", "connack.return_code", Code),
    ("mqtt.connack.reason_code", "connack.return_code", Code),
    ("mqtt.msgid", "*.message_id", Number),
    ("mqtt.topic_len", "*.topic`, `*.topics.topic`, `*.topics", TopicLength),
    ("mqtt.topic", "*.topic`, `*.topics.topic`, `*.topics", Topic),
    ("mqtt.msg", "publish.message", Payload),
    ("mqtt.msg_text", "", Never),
    ("mqtt.msg_decoded_as", "", Never),
    ("mqtt.sub.qos", "subscribe.topics.qos", Member),
    ("mqtt.subscription_options", "", Parts),
    ("mqtt.subscription_options_qos", "subscribe.topics.qos", Member),
    ("mqtt.subscription_options_nl", "subscribe.topics.no_local", MemberFlag),
    ("mqtt.subscription_options_rap", "subscribe.topics.retain_as_published", MemberFlag),
    ("mqtt.subscription_options_retain", "subscribe.topics.retain_handling", Member),
    ("mqtt.subscription_options_reserved", "", Reserved("subscription_options")),
    ("mqtt.suback.qos", "suback.qos_granted", NextCode),
    ("mqtt.suback.reason_code", "suback.qos_granted", NextCode),
    ("mqtt.unsuback.reason_code", "unsuback.reason_codes", NextCode),
    ("mqtt.puback.reason_code", "puback.reason_code", Code),
    ("mqtt.pubrec.reason_code", "pubrec.reason_code", Code),
    ("mqtt.pubrel.reason_code", "pubrel.reason_code", Code),
    ("mqtt.pubcomp.reason_code", "pubcomp.reason_code", Code),
    ("mqtt.disconnect.reason_code", "disconnect.reason_code", Code),
    ("mqtt.auth.reason_code", "auth.reason_code", Code),
    ("mqtt.properties", "*.properties", Properties("properties")),
    ("mqtt.will_properties", "connect.will.properties", Properties("will.properties")),
    ("mqtt.property_len", "", Length),
    ("mqtt.property_id", "*.properties", Property),
    ("mqtt.prop_number", "*.properties", Value),
    ("mqtt.property.max_qos", "connack.properties.maximum_qos", Value),
    ("mqtt.property.topic_alias", "publish.properties.topic_alias", Value),
    ("mqtt.property.content_type", "*.properties.content_type", Value),
    ("mqtt.prop_string_len", "", Length),
    ("mqtt.prop_string", "*.properties", Value),
    ("mqtt.prop_key_len", "", Length),
    ("mqtt.prop_key", "*.properties.user_property.name", Key),
    ("mqtt.prop_value_len", "", Length),
    ("mqtt.prop_value", "*.properties.user_property.value", Key),
    ("mqtt.prop_unknown", "", Wrong("property_unknown")),
    ("mqtt.illegal_topic_length", "", Wrong("")),
    ("mqtt.unknown_version", "", UnknownLevel),
    ("mqtt.unknown_topic_alias", "", Wrong("")),
];

/// A payload is shown to so many octets.
const HEAD: usize = 1024;
/// One that is no text, to so many.
const HEX_HEAD: usize = 256;

/// What a part of the tree says.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) told: Told<Difference>,
    /// Whether Wireshark does not know the level.
    pub(crate) unknown_level: bool,
    /// Wireshark's fields that were there.
    pub(crate) met: BTreeSet<&'static str>,
    kind: u8,
    /// How many topics, or codes, were there.
    count: usize,
    /// The properties that are read, if any are.
    place: Place,
}

/// Properties on their way.
#[derive(Debug, Default)]
struct Place {
    number: u8,
    object: &'static str,
    /// The last identifier.
    id: u16,
    /// Identifiers so far.
    before: Vec<u16>,
    /// Whether the value that comes is ours, too.
    is_ours: bool,
}

impl Read {
    /// Adds a field and what stands below it.
    pub(crate) fn field(&mut self, field: &Field) {
        if field.name.starts_with("_ws.") {
            if field.name == "_ws.malformed.expert" {
                self.told.complaints.push(field.label.clone());
            }
            return field.inner.iter().for_each(|part| self.field(part));
        }
        let known = FIELDS.iter().find(|known| known.0 == field.name);
        let Some((theirs, name, how)) = known else {
            panic!("{}: {}: which field of ours is that?", field.name, field.label);
        };
        self.met.insert(theirs);
        self.value(name, *how, field);
        for part in &field.inner {
            self.field(part);
        }
    }

    fn value(&mut self, name: &str, how: How, field: &Field) {
        let name = name.replace('*', &self.object());
        let number = || field.number();
        match how {
            Number => self.insert(&name, json!(number())),
            Flag => self.insert(&name, json!(number() != 0)),
            Text => self.insert(&name, text(&field.octets)),
            Type => {
                self.kind = number() as u8;
                self.insert(&name, json!(standard::NAMES[usize::from(self.kind)]));
            }
            HeaderFlags => {
                let flags = number();
                self.own("dup", json!(flags & 8 != 0));
                self.own("qos", json!(flags >> 1 & 3));
                self.own("retain", json!(flags & 1 != 0));
            }
            Level => self.level(number()),
            Code => {
                self.insert(&name, json!(number()));
                self.name_of_code("reason", field);
            }
            NextCode => {
                let count = self.count;
                self.insert(&format!("{name}[{count}]"), json!(number()));
                self.name_of_code(&format!("reasons[{count}]"), field);
                self.count += 1;
            }
            TopicLength if self.kind == standard::CONNECT => {
                self.told.demand("topic_empty", number() == 0);
                self.insert(&name, json!(""));
            }
            TopicLength => self.topic(json!(""), 0),
            Topic => self.whole_topic(field),
            Payload => {
                let object = if self.kind == standard::CONNECT { "will." } else { "" };
                self.payload(object, &field.octets);
            }
            Secret => {
                self.told.differences.insert(Difference::Secret);
            }
            Properties(object) => {
                let is_will = object.starts_with("will");
                let number = if is_will { standard::WILL } else { self.kind };
                self.place = Place { number, object, ..Place::default() };
            }
            Property => self.property(number() as u16),
            Value => self.property_value(field),
            Key => self.user_property(&field.name, text(&field.octets)),
            Member => {
                // Before level 5 the octet is called QoS as a whole (clause 3.8.3.1 of level 4).
                self.told.demand("subscription_options", number() > 3);
                self.member(&name, json!(number() & 3));
            }
            MemberFlag => self.member(&name, json!(number() != 0)),
            Reserved(anomaly) => self.reserved(anomaly, field),
            Wrong("") => self.told.complaints.push(field.label.clone()),
            Wrong(anomaly) => {
                self.told.differences.insert(Difference::UnknownProperty);
                self.told.demand(anomaly, true);
            }
            UnknownLevel => self.unknown_level = true,
            Parts | Length => {}
            Never => panic!("{}: {}: nobody asked for it", field.name, field.label),
        }
    }

    fn object(&self) -> String {
        standard::NAMES[usize::from(self.kind)].to_lowercase()
    }

    fn insert(&mut self, name: &str, value: Json) {
        self.told.fields.insert(name.into(), value);
    }

    /// A field of the packet type's object.
    fn own(&mut self, name: &str, value: Json) {
        let name = format!("{}.{name}", self.object());
        self.told.fields.insert(name, value);
    }

    fn level(&mut self, level: i64) {
        let is_bridge = matches!(level, 0x83 | 0x84);
        if is_bridge {
            self.told.differences.insert(Difference::Bridge);
        }
        self.own("bridge", json!(is_bridge));
        self.own("protocol_version", json!(if is_bridge { level & 0x7F } else { level }));
    }

    /// `Reason Code: Success (0)`
    fn name_of_code(&mut self, name: &str, field: &Field) {
        let (_, told) = field.label.split_once(": ").expect("a name");
        let told = told.rsplit_once(" (").map_or(told, |(told, _)| told);
        let told = told.trim_start_matches("Connection Refused: ");
        // What Wireshark has no name for.
        if told.starts_with("Unknown") || told == "Reserved" {
            return;
        }
        let renamed = RENAMED.iter().find(|renamed| renamed.0 == told);
        if renamed.is_some() {
            self.told.differences.insert(Difference::Names);
        }
        let told = renamed.map_or(told, |renamed| renamed.1);
        self.own(name, json!(told));
    }

    /// A topic, or what stands in its place.
    fn topic(&mut self, topic: Json, from: usize) {
        let index = self.count - from;
        match self.kind {
            standard::SUBSCRIBE => self.own(&format!("topics[{index}].topic"), topic),
            standard::UNSUBSCRIBE => self.own(&format!("topics[{index}]"), topic),
            _ => self.own("topic", topic),
        }
        self.count += usize::from(from == 0);
    }

    fn whole_topic(&mut self, field: &Field) {
        if !field.octets.is_empty() {
            return self.topic(text(&field.octets), 1);
        }
        // Not of this packet: an alias stands for it.
        self.topic(json!(field.shown), 1);
        if !field.shown.is_empty() {
            self.own("topic_resolved", json!(true));
        }
    }

    /// A field of the last topic filter.
    fn member(&mut self, name: &str, value: Json) {
        let (last, member) = (self.count - 1, name.rsplit('.').next().unwrap());
        self.own(&format!("topics[{last}].{member}"), value);
    }

    fn payload(&mut self, object: &str, octets: &[u8]) {
        let mut head = &octets[..octets.len().min(HEAD)];
        if let Err(error) = std::str::from_utf8(head)
            && error.error_len().is_none()
            && octets.len() > HEAD
            && octets[HEAD] & 0xC0 == 0x80
        {
            head = &head[..error.valid_up_to()];
        }
        let shown = &octets[..octets.len().min(HEX_HEAD)];
        let cut = shown.len() < octets.len();
        let is_text = std::str::from_utf8(shown)
            .map_or_else(|error| cut && error.error_len().is_none(), |_| true);
        if !is_text {
            self.told.differences.insert(Difference::Binary);
            self.own(&format!("{object}payload_hex"), json!(hex(shown)));
        }
        self.own(&format!("{object}message"), text(head));
        self.own(&format!("{object}payload_length"), json!(octets.len()));
        let is_utf8 = std::str::from_utf8(octets).is_ok();
        self.own(&format!("{object}payload_utf8"), json!(is_utf8));
    }

    fn property(&mut self, id: u16) {
        let place = &mut self.place;
        let known = standard::PROPERTIES.iter().find(|property| u16::from(property.id) == id);
        let allowed = known.is_some_and(|known| known.places.contains(&place.number));
        let again = place.before.contains(&id)
            && known.is_some_and(|known| !known.repeats.contains(&place.number));
        place.is_ours = allowed && !again;
        place.id = id;
        place.before.push(id);
        if known.is_some() {
            self.misplaced("property_not_allowed", !allowed);
            self.misplaced("property_repeated", allowed && again);
        }
    }

    fn misplaced(&mut self, anomaly: &'static str, is_wrong: bool) {
        if is_wrong {
            self.told.differences.insert(Difference::Misplaced);
            self.told.demand(anomaly, true);
        }
    }

    fn property_value(&mut self, field: &Field) {
        let id = self.place.id;
        if !self.place.is_ours {
            return;
        }
        let property =
            standard::PROPERTIES.iter().find(|property| u16::from(property.id) == id).unwrap();
        let value = match property.encoding {
            Encoding::Binary => {
                self.told.differences.insert(Difference::Correlation);
                json!(hex(&field.octets[..field.octets.len().min(HEX_HEAD)]))
            }
            Encoding::Secret => {
                self.told.differences.insert(Difference::Secret);
                json!(field.octets.len())
            }
            // Behind its length, in the same field.
            Encoding::Text if property.name == "content_type" => text(&field.octets[2..]),
            Encoding::Text | Encoding::Topic => text(&field.octets),
            _ => json!(field.number()),
        };
        let mut name = format!("{}.{}", self.place.object, property.name);
        if property.repeats.contains(&self.place.number) {
            name = format!("{name}[{}]", self.place.repeated());
        }
        self.own(&name, value);
    }

    fn user_property(&mut self, field: &str, value: Json) {
        let member = if field == "mqtt.prop_key" { "name" } else { "value" };
        let (object, index) = (self.place.object, self.place.repeated());
        self.own(&format!("{object}.user_property[{index}].{member}"), value);
    }

    fn reserved(&mut self, anomaly: &'static str, field: &Field) {
        let octet = field.octets.first().copied().unwrap_or_default();
        // Before level 4 all of CONNACK's first octet is unused; we show its lowest bit all the same.
        if field.name == "mqtt.conack.flags.reserved" && !field.label.contains(" = ") {
            self.told.differences.insert(Difference::Unused);
            return self.own("session_present", json!(octet & 1 != 0));
        }
        self.told.demand(anomaly, field.number() != 0);
    }
}

impl Place {
    /// How many like the last one were before it.
    fn repeated(&self) -> usize {
        self.before.iter().filter(|id| **id == self.id).count() - 1
    }
}

/// Names of codes that are ours in another form: those of level 5 at all levels, and as the standard
/// writes them.
const RENAMED: &[(&str, &str)] = &[
    ("Connection Accepted", "Success"),
    ("unacceptable protocol version", "Unacceptable protocol version"),
    ("identifier rejected", "Identifier rejected"),
    ("server unavailable", "Server unavailable"),
    ("bad user name or password", "Bad user name or password"),
    ("not authorized", "Not authorized"),
    ("At most once delivery (Fire and Forget)", "Granted QoS 0"),
    ("At least once delivery (Acknowledged deliver)", "Granted QoS 1"),
    ("Exactly once delivery (Assured Delivery)", "Granted QoS 2"),
    ("Failure", "Unspecified error"),
    ("Shared Subscription not supported", "Shared Subscriptions not supported"),
    ("Wildcard Subscription not supported", "Wildcard Subscriptions not supported"),
];

fn text(octets: &[u8]) -> Json {
    json!(String::from_utf8_lossy(octets))
}

/// Two digits an octet.
fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |text, octet| format!("{text}{octet:02x}"))
}
