//! Damage and violations: an anomaly has a name, and a rule can match it.

use super::{Kind, Value};
use crate::record;

/// Suricata's three kinds of anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnomalyKind {
    /// A header of a link, network or transport layer.
    Decode,
    /// A TCP stream.
    Stream,
    /// An application protocol.
    AppLayer,
}

/// What found the anomaly; Suricata's `layer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Decoding of a packet's headers.
    Packet,
    /// Reassembly of a stream.
    Stream,
    /// A protocol parser.
    ProtoParser,
    /// What tells which protocol a flow speaks.
    ProtoDetect,
}

const KINDS: &[&str] = &["decode", "stream", "applayer"];
const LAYERS: &[&str] = &["packet", "stream", "proto_parser", "proto_detect"];

/// One violation.
#[derive(Debug, Clone, Copy)]
pub struct Anomaly<'a> {
    /// Of what sort.
    pub kind: AnomalyKind,
    /// Found where.
    pub layer: Layer,
    /// The protocol's name, for [`AnomalyKind::AppLayer`].
    pub app_proto: Option<&'static str>,
    /// The name: the contract that rules match.
    pub event: &'static str,
    /// Which field of the message is wrong; empty where the name says it.
    pub field: &'static str,
    /// The offending value.
    pub value: Value<'a>,
    /// Where it stands: octets from the start of the message, or of the gap in the stream.
    pub offset: Option<u64>,
    /// More for a person to read; empty if there is no more.
    pub detail: &'a str,
}

impl<'a> Anomaly<'a> {
    /// An anomaly in a message of an application protocol.
    pub fn in_message(app_proto: &'static str, event: &'static str) -> Self {
        Self {
            kind: AnomalyKind::AppLayer,
            layer: Layer::ProtoParser,
            app_proto: Some(app_proto),
            event,
            field: "",
            value: Value::Absent,
            offset: None,
            detail: "",
        }
    }

    /// An anomaly in what a flow speaks at all, by the protocol that it should be.
    pub fn in_detection(app_proto: &'static str, event: &'static str) -> Self {
        Self { layer: Layer::ProtoDetect, ..Self::in_message(app_proto, event) }
    }

    /// An anomaly of a TCP stream.
    pub fn in_stream(event: &'static str) -> Self {
        Self {
            kind: AnomalyKind::Stream,
            layer: Layer::Stream,
            app_proto: None,
            ..Self::in_message("", event)
        }
    }

    /// An anomaly of a packet's headers.
    pub fn in_packet(event: &'static str) -> Self {
        Self {
            kind: AnomalyKind::Decode,
            layer: Layer::Packet,
            app_proto: None,
            ..Self::in_message("", event)
        }
    }

    /// Names the field, its value, and the octet where it stands.
    #[must_use]
    pub fn at(self, field: &'static str, value: Value<'a>, offset: u64) -> Self {
        Self { field, value, offset: Some(offset), ..self }
    }
}

fn non_empty(text: &str) -> Value<'_> {
    if text.is_empty() { Value::Absent } else { Value::text(text) }
}

record! {
    /// Damage on the wire, or a violation of a protocol.
    pub static ANOMALY: Anomaly<'a> = "anomaly";
    fields {
        "anomaly.type": Kind::Name(KINDS), "decode, stream or applayer."
            => |a| Value::Code(a.kind as u8);
        "anomaly.event": Kind::Text, "The anomaly's name."
            => |a| Value::text(a.event);
        "anomaly.layer": Kind::Name(LAYERS), "What found it."
            => |a| Value::Code(a.layer as u8);
        "anomaly.app_proto": Kind::Text, "The protocol, for applayer."
            => |a| Value::maybe(a.app_proto, Value::text);
        "anomaly.field": Kind::Text, "The field of the message that is wrong."
            => |a| non_empty(a.field);
        "anomaly.value": Kind::Number, "The offending value."
            => |a| a.value;
        "anomaly.offset": Kind::Integer, "Where it stands: octets from the start of the message."
            => |a| Value::maybe(a.offset, |offset| Value::Integer(offset as i64));
        "anomaly.detail": Kind::Text, "More for a person to read."
            => |a| non_empty(a.detail);
    }
}
