//! The field table of MQTT: one record a packet, shaped as Suricata's EVE object `mqtt`.
//!
//! Every packet type has an object of its own with the same beginning, and properties are the same
//! wherever they stand; so the table is written by [`packets!`](super::table) instead of
//! [`record!`](crate::record).

use super::connect::ConnectFlags;
use super::header::{MOST_VARIABLE, PacketType};
use super::packet::{Body, Packet, head};
use super::properties::{Property, UserProperty};
use super::publish::is_utf8;
use super::reason;
use super::subscribe::{Options, Subscription};
use super::table::{Each, Get, Shown, own, packets};
use super::websocket::Upgrade;
use crate::event::{Document, Field, Hex, Kind, List, Record, Schema, Secrecy, Value};
use crate::record;

/// What Suricata's object does not have.
pub(super) const ADDITIONS: &[&str] = &[
    "mqtt.type",
    "mqtt.version",
    "mqtt.version_inferred",
    "mqtt.client_id",
    "mqtt.username",
    "mqtt.length",
    "mqtt.skipped_length",
    "mqtt.carrier",
    "mqtt.auth",
    "mqtt.*.reason",
    "mqtt.*.reasons",
    "mqtt.*.properties",
    "mqtt.*.latency_ms",
    "mqtt.connect.bridge",
    "mqtt.connect.websocket",
    "mqtt.connect.keep_alive",
    "mqtt.connect.password_length",
    "mqtt.connect.flags.will_qos",
    "mqtt.connect.will.payload_length",
    "mqtt.connect.will.payload_utf8",
    "mqtt.connect.will.payload_hex",
    "mqtt.publish.json",
    "mqtt.publish.topic_resolved",
    "mqtt.publish.topic_doubtful",
    "mqtt.publish.payload_length",
    "mqtt.publish.payload_utf8",
    "mqtt.suback.filters",
    "mqtt.unsuback.filters",
    "mqtt.publish.payload_hex",
    "mqtt.subscribe.topics.no_local",
    "mqtt.subscribe.topics.retain_as_published",
    "mqtt.subscribe.topics.retain_handling",
];

/// What a packet is on the wire: one record each.
pub static MQTT: Schema = Schema {
    name: "mqtt",
    doc: "An MQTT packet.\n",
    fields: FIELDS,
    lists: LISTS,
    documents: &[Document {
        name: "mqtt.publish.json",
        secrecy: Secrecy::Payload,
        doc: "The payload, if it is JSON and not truncated, by paths: `mqtt.publish.json.meter.u[0]`.",
    }],
    message_types: PacketType::LABELS,
};

impl Record for Packet<'_> {
    #[inline]
    fn schema(&self) -> &'static Schema {
        &MQTT
    }

    #[inline]
    fn value(&self, index: usize) -> Value<'_> {
        GET.get(index).map_or(Value::Absent, |get| get(self))
    }

    fn present(&self, visit: &mut dyn FnMut(usize, Value<'_>)) {
        present(self, visit);
    }

    fn each(&self, index: usize, visit: &mut dyn FnMut(&dyn Record)) {
        if let Some(each) = EACH.get(index) {
            each(self, visit);
        }
    }

    fn document(&self, _: usize) -> Option<&[u8]> {
        match &self.body {
            Body::Publish(publish) if self.skipped == 0 => publish.payload,
            _ => None,
        }
    }

    #[inline]
    fn message_type(&self) -> u8 {
        self.header.kind as u8
    }
}

packets! {
    all |p| {
        "type": Kind::Name(PacketType::NAMES), "The packet's type."
            => Value::Code(p.header.kind as u8);
        "version": Kind::Range(3, 5), "Protocol level: 3, 4 (MQTT 3.1.1) or 5."
            => Value::maybe(p.dialect, |dialect| Value::Integer(dialect.level as i64));
        "version_inferred": Kind::Boolean, "True if the level is a conclusion, as no CONNECT was seen."
            => match p.dialect {
                Some(dialect) if dialect.inferred => Value::Boolean(true),
                _ => Value::Absent,
            };
        "client_id": Kind::Text, "Client identifier of the connection, its first 256 octets: what CONNECT says, or CONNACK if it assigns one."
            => Value::maybe(p.who, |who| Value::Text(who.client_id()));
        "username": Kind::Text, gives UserName, "User name of the connection, its first 256 octets."
            => Value::maybe(p.who, |who| text(who.username()));
        "length": Kind::Range(0, MOST_VARIABLE), "Remaining length: octets after the fixed header."
            => Value::Integer(p.header.remaining.into());
        "skipped_length": Kind::Range(0, MOST_VARIABLE), "Octets at the end of a packet other than PUBLISH that were not looked at."
            => if p.header.kind == PacketType::Publish { Value::Absent } else { skipped(p) };
        "carrier": Kind::Name(CARRIERS), "What carries MQTT; absent if TCP does itself."
            => Value::maybe(p.upgrade, |_| Value::Code(0));
    }

    "connect" Connect |p| {
        "protocol_string": Kind::Text, "Protocol name: MQTT, or MQIsdp for level 3."
            => p.connect(|c| text(c.protocol_name));
        "protocol_version": Kind::Range(0, 255), "Protocol level, without the mark of a bridge."
            => p.connect(|c| integer(c.version()));
        "bridge": Kind::Boolean, "Whether the level is marked as a bridge's (0x80)."
            => p.connect(|c| Value::maybe(c.bridge(), Value::Boolean));
        "websocket.path": Kind::Text, "Path of the request that became a WebSocket, without its query."
            => upgrade(p, |upgrade| &upgrade.path);
        "websocket.host": Kind::Text, "Host that it asked."
            => upgrade(p, |upgrade| &upgrade.host);
        "websocket.origin": Kind::Text, "Origin of the page whose script asked."
            => upgrade(p, |upgrade| &upgrade.origin);
        "websocket.user_agent": Kind::Text, "User agent that asked."
            => upgrade(p, |upgrade| &upgrade.user_agent);
        "websocket.subprotocol": Kind::Text, "Subprotocols that were offered, separated by commas."
            => upgrade(p, |upgrade| &upgrade.subprotocol);
        "client_id": Kind::Text, "Client identifier; empty if the server shall assign one."
            => p.connect(|c| text(c.client_id));
        "keep_alive": Kind::Range(0, 65_535), "Seconds, 0 for none."
            => p.connect(|c| integer(c.keep_alive));
        "flags.username": Kind::Boolean, "Whether there is a user name."
            => p.connect(|c| Value::maybe(c.flags, |flags| Value::Boolean(flags.username())));
        "flags.password": Kind::Boolean, "Whether there is a password."
            => p.connect(|c| Value::maybe(c.flags, |flags| Value::Boolean(flags.password())));
        "flags.will_retain": Kind::Boolean, "Whether the will is to be retained."
            => p.connect(|c| Value::maybe(c.flags, |flags| Value::Boolean(flags.will_retain())));
        "flags.will_qos": Kind::Range(0, 3), "QoS of the will."
            => p.connect(|c| integer(c.flags.map(ConnectFlags::will_qos)));
        "flags.will": Kind::Boolean, "Whether there is a will."
            => p.connect(|c| Value::maybe(c.flags, |flags| Value::Boolean(flags.will())));
        "flags.clean_session": Kind::Boolean, "Whether the session starts anew."
            => p.connect(|c| Value::maybe(c.flags, |flags| Value::Boolean(flags.clean())));
        "username": Kind::Text, gives UserName, "User name."
            => p.connect(|c| text(c.username));
        "password_length": Kind::Range(0, 65_535), "Octets of the password, which is never shown."
            => p.connect(|c| integer(c.password_length.map(|length| length as u32)));
        "will.topic": Kind::TopicName, "Topic that the will is published to."
            => p.connect(|c| text(c.will_topic));
        "will.message": Kind::Text, gives Payload, "Payload of the will, its first 1024 octets."
            => p.connect(|c| text(c.will_message.map(head)));
        "will.payload_length": Kind::Range(0, 65_535), "Octets of the will's payload."
            => p.connect(|c| integer(c.will_message.map(|message| message.len() as u32)));
        "will.payload_utf8": Kind::Boolean, "Whether the will's payload is UTF-8."
            => p.connect(|c| Value::maybe(c.will_message, |payload| {
                Value::Boolean(is_utf8(payload, false))
            }));
        "will.payload_hex": Kind::Text, gives Payload, "First 256 octets of the will's payload, two hexadecimal digits each, if they are not UTF-8."
            => p.connect(|c| Value::maybe(c.will_message, binary));
        properties "properties" (p.properties) [
            session_expiry_interval receive_maximum maximum_packet_size topic_alias_maximum
            request_response_information request_problem_information authentication_method
            authentication_data_length
        ];
        properties "will.properties" (p.will_properties()) [
            will_delay_interval payload_format_indicator message_expiry_interval content_type
            response_topic correlation_data
        ];
    }

    "connack" Connack |p| {
        "session_present": Kind::Boolean, "Whether the server has the session already."
            => match p.body {
                Body::Connack { session_present } => Value::Boolean(session_present),
                _ => Value::Absent,
            };
        "return_code": Kind::Range(0, 255), "Return code (levels 3 and 4) or reason code."
            => integer(p.code);
        "reason": Kind::Name(&reason::CONNACK), "The code's name; that of 0 is Success at all levels."
            => named(&reason::CONNACK, p.code);
        properties "properties" (p.properties) [
            session_expiry_interval receive_maximum maximum_qos retain_available
            maximum_packet_size assigned_client_identifier topic_alias_maximum reason_string
            wildcard_subscription_available subscription_identifier_available
            shared_subscription_available server_keep_alive response_information server_reference
            authentication_method authentication_data_length
        ];
    }

    "publish" Publish |p| {
        "topic": Kind::TopicName, "Topic name; where only an alias was sent, what it stands for."
            => p.publish(|m| text(m.aliased.or(m.topic)));
        "topic_resolved": Kind::Boolean, "True if the topic is what an alias stands for."
            => p.publish(|m| Value::maybe(m.aliased, |_| Value::Boolean(true)));
        "topic_doubtful": Kind::Boolean, "True if octets were missed since the alias was set: it may stand for something else."
            => p.publish(|m| if m.doubtful { Value::Boolean(true) } else { Value::Absent });
        "message_id": Kind::Range(0, 65_535), "Packet identifier, with QoS 1 and 2."
            => integer(p.id);
        "message": Kind::Text, gives Payload, "The payload, its first 1024 octets."
            => p.publish(|m| text(m.payload.map(head)));
        "payload_length": Kind::Range(0, MOST_VARIABLE), "Octets of the payload."
            => p.publish(|m| integer(m.payload.map(|payload| (payload.len() + p.skipped) as u32)));
        "payload_utf8": Kind::Boolean, "Whether what was looked at of the payload is UTF-8."
            => p.publish(|m| Value::maybe(m.payload, |payload| {
                Value::Boolean(is_utf8(payload, p.skipped > 0))
            }));
        "payload_hex": Kind::Text, gives Payload, "First 256 octets of the payload, two hexadecimal digits each, if they are not UTF-8."
            => p.publish(|m| Value::maybe(m.payload, binary));
        "truncated": Kind::Boolean, "True if not all of the payload was looked at."
            => if p.skipped > 0 { Value::Boolean(true) } else { Value::Absent };
        "skipped_length": Kind::Range(0, MOST_VARIABLE), "Octets of the payload that were not looked at."
            => skipped(p);
        properties "properties" (p.properties) [
            payload_format_indicator message_expiry_interval topic_alias response_topic
            correlation_data content_type
        ];
        list "properties.subscription_identifier" of NUMBER, "The subscriptions that it is sent for."
            => |visit| p.properties.values(Property::named("subscription_identifier"))
                .for_each(|value| visit(&Number(value)));
    }

    "puback" Puback |p| {
        "message_id": Kind::Range(0, 65_535), "Packet identifier." => integer(p.id);
        "latency_ms": Kind::Range(0, 4_294_967_295), "Milliseconds since the PUBLISH that it answers."
            => integer(p.latency);
        "reason_code": Kind::Range(0, 255), "Reason code (level 5)." => integer(p.code);
        "reason": Kind::Name(&reason::RECEIVED), "The code's name."
            => named(&reason::RECEIVED, p.code);
        properties "properties" (p.properties) [reason_string];
    }

    "pubrec" Pubrec |p| {
        "message_id": Kind::Range(0, 65_535), "Packet identifier." => integer(p.id);
        "latency_ms": Kind::Range(0, 4_294_967_295), "Milliseconds since the PUBLISH that it answers."
            => integer(p.latency);
        "reason_code": Kind::Range(0, 255), "Reason code (level 5)." => integer(p.code);
        "reason": Kind::Name(&reason::RECEIVED), "The code's name."
            => named(&reason::RECEIVED, p.code);
        properties "properties" (p.properties) [reason_string];
    }

    "pubrel" Pubrel |p| {
        "message_id": Kind::Range(0, 65_535), "Packet identifier." => integer(p.id);
        "latency_ms": Kind::Range(0, 4_294_967_295), "Milliseconds since the PUBREC that it answers."
            => integer(p.latency);
        "reason_code": Kind::Range(0, 255), "Reason code (level 5)." => integer(p.code);
        "reason": Kind::Name(&reason::RELEASED), "The code's name."
            => named(&reason::RELEASED, p.code);
        properties "properties" (p.properties) [reason_string];
    }

    "pubcomp" Pubcomp |p| {
        "message_id": Kind::Range(0, 65_535), "Packet identifier." => integer(p.id);
        "latency_ms": Kind::Range(0, 4_294_967_295), "Milliseconds since the PUBREL that it answers."
            => integer(p.latency);
        "reason_code": Kind::Range(0, 255), "Reason code (level 5)." => integer(p.code);
        "reason": Kind::Name(&reason::RELEASED), "The code's name."
            => named(&reason::RELEASED, p.code);
        properties "properties" (p.properties) [reason_string];
    }

    "subscribe" Subscribe |p| {
        "message_id": Kind::Range(0, 65_535), "Packet identifier." => integer(p.id);
        properties "properties" (p.properties) [subscription_identifier];
        list "topics" of SUBSCRIPTION, "What is subscribed to."
            => |visit| p.subscriptions().for_each(|subscription| visit(&subscription));
    }

    "suback" Suback |p| {
        "message_id": Kind::Range(0, 65_535), "Packet identifier." => integer(p.id);
        "latency_ms": Kind::Range(0, 4_294_967_295), "Milliseconds since the SUBSCRIBE that it answers."
            => integer(p.latency);
        properties "properties" (p.properties) [reason_string];
        list "filters" of FILTER, "The topic filters of the request that it answers."
            => |visit| p.answered.iter().for_each(|subscription| visit(&Filter(subscription.filter)));
        list "qos_granted" of CODE, "A return or reason code for each topic filter."
            => |visit| p.codes().for_each(|code| visit(&Code(code)));
        list "reasons" of SUBACK_REASON, "The codes' names, those of level 5 at all levels."
            => |visit| p.codes().for_each(|code| visit(&SubackReason(code)));
    }

    "unsubscribe" Unsubscribe |p| {
        "message_id": Kind::Range(0, 65_535), "Packet identifier." => integer(p.id);
        properties "properties" (p.properties) [];
        list "topics" of FILTER, "What is unsubscribed from."
            => |visit| p.subscriptions().for_each(|subscription| visit(&Filter(subscription.filter)));
    }

    "unsuback" Unsuback |p| {
        "message_id": Kind::Range(0, 65_535), "Packet identifier." => integer(p.id);
        "latency_ms": Kind::Range(0, 4_294_967_295), "Milliseconds since the UNSUBSCRIBE that it answers."
            => integer(p.latency);
        properties "properties" (p.properties) [reason_string];
        list "filters" of FILTER, "The topic filters of the request that it answers."
            => |visit| p.answered.iter().for_each(|subscription| visit(&Filter(subscription.filter)));
        list "reason_codes" of CODE, "A reason code for each topic filter (level 5)."
            => |visit| p.codes().for_each(|code| visit(&Code(code)));
        list "reasons" of UNSUBACK_REASON, "The codes' names."
            => |visit| p.codes().for_each(|code| visit(&UnsubackReason(code)));
    }

    "pingreq" Pingreq |p| {}

    "pingresp" Pingresp |p| {}

    "disconnect" Disconnect |p| {
        "reason_code": Kind::Range(0, 255), "Reason code (level 5)." => integer(p.code);
        "reason": Kind::Name(&reason::DISCONNECT), "The code's name."
            => named(&reason::DISCONNECT, p.code);
        properties "properties" (p.properties) [
            session_expiry_interval reason_string server_reference
        ];
    }

    "auth" Auth |p| {
        "reason_code": Kind::Range(0, 255), "Reason code." => integer(p.code);
        "reason": Kind::Name(&reason::AUTH), "The code's name."
            => named(&reason::AUTH, p.code);
        properties "properties" (p.properties) [
            authentication_method authentication_data_length reason_string
        ];
    }
}

/// What carries MQTT but TCP.
const CARRIERS: &[&str] = &["websocket"];

/// A text of the request that became a WebSocket.
fn upgrade<'a>(packet: &'a Packet<'_>, text: impl FnOnce(&'a Upgrade) -> &'a [u8]) -> Value<'a> {
    let text = packet.upgrade.map(text).filter(|text| !text.is_empty());
    Value::maybe(text, Value::Text)
}

fn text(text: Option<&[u8]>) -> Value<'_> {
    Value::maybe(text, Value::Text)
}

/// The beginning of a payload that is no text, which [`text`] would not show as it is.
fn binary(payload: &[u8]) -> Value<'_> {
    let shown = payload.get(..Hex::MOST).unwrap_or(payload);
    if is_utf8(shown, shown.len() < payload.len()) { Value::Absent } else { Value::Octets(shown) }
}

fn integer<'a>(number: Option<impl Into<i64>>) -> Value<'a> {
    Value::maybe(number, |number| Value::Integer(number.into()))
}

/// The name of a code, where it has one.
fn named(names: &[&str], code: Option<u8>) -> Value<'static> {
    let known = |code: &u8| names.get(usize::from(*code)).is_some_and(|name| !name.is_empty());
    Value::maybe(code.filter(known), Value::Code)
}

fn skipped<'a>(packet: &Packet<'_>) -> Value<'a> {
    match packet.skipped {
        0 => Value::Absent,
        skipped => Value::Integer(skipped as i64),
    }
}

struct Number<'a>(Value<'a>);

struct Code(u8);

struct Filter<'a>(&'a [u8]);

struct SubackReason(u8);

struct UnsubackReason(u8);

record! {
    /// A number.
    static NUMBER: Number<'a> = "number";
    fields {
        "": Kind::Range(0, MOST_VARIABLE), "The number." => |n| n.0;
    }
}

record! {
    /// A return or reason code.
    static CODE: Code = "code";
    fields {
        "": Kind::Range(0, 255), "The code." => |c| Value::Integer(c.0.into());
    }
}

record! {
    /// A topic filter.
    static FILTER: Filter<'a> = "filter";
    fields {
        "": Kind::TopicFilter, "The filter." => |f| Value::Text(f.0);
    }
}

record! {
    /// What became of a topic filter.
    static SUBACK_REASON: SubackReason = "reason";
    fields {
        "": Kind::Name(&reason::SUBACK), "The code's name."
            => |r| named(&reason::SUBACK, Some(r.0));
    }
}

record! {
    /// What became of a topic filter.
    static UNSUBACK_REASON: UnsubackReason = "reason";
    fields {
        "": Kind::Name(&reason::UNSUBACK), "The code's name."
            => |r| named(&reason::UNSUBACK, Some(r.0));
    }
}

record! {
    /// A name and a value.
    static USER_PROPERTY: UserProperty<'a> = "user_property";
    fields {
        "name": Kind::Text, "Need not be unique." => |u| Value::Text(u.name);
        "value": Kind::Text, "Its value." => |u| Value::Text(u.value);
    }
}

record! {
    /// A topic filter and how it is subscribed to.
    static SUBSCRIPTION: Subscription<'a> = "subscription";
    fields {
        "topic": Kind::TopicFilter, "The topic filter."
            => |s| Value::Text(s.filter);
        "qos": Kind::Range(0, 3), "The highest QoS that is wanted."
            => |s| Value::Integer(s.options.qos().into());
        "no_local": Kind::Boolean, "Whether the client's own messages are not wanted (level 5)."
            => |s| Value::maybe(s.options_v5(), |options| Value::Boolean(options.no_local()));
        "retain_as_published": Kind::Boolean, "Whether the RETAIN bit shall stay as published (level 5)."
            => |s| Value::maybe(s.options_v5(), |options| {
                Value::Boolean(options.retain_as_published())
            });
        "retain_handling": Kind::Range(0, 3), "Retained messages: 0 always, 1 if new, 2 never (level 5)."
            => |s| integer(s.options_v5().map(Options::retain_handling));
    }
}
