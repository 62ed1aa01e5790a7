//! What can be wrong with a packet: the names that rules match, and where they go.

use crate::event::{Anomaly, Records, Value};

macro_rules! violations {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal;)*) => {
        /// A way to break the standard.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Violation {
            $($(#[doc = $doc])+ $variant),*
        }

        impl Violation {
            /// Every name, in the order of the variants.
            pub(super) const NAMES: &'static [&'static str] = &[$($name),*];

            /// The name that rules match.
            pub(super) const fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }
        }
    };
}

violations! {
    /// The remaining length takes more than four octets, or more than it needs (level 5).
    RemainingLength = "remaining_length";
    /// Packet type 0, or 15 before level 5.
    ReservedType = "reserved_type";
    /// Flag bits that the type does not have.
    ReservedFlags = "reserved_flags";
    /// A field goes on beyond the packet, or a packet beyond the end of the stream.
    Truncated = "truncated";
    /// Octets after the last field.
    TrailingBytes = "trailing_bytes";
    /// Framing was lost; the next packet was found after so many octets.
    Resync = "resync";
    /// Neither `MQTT` nor `MQIsdp`.
    ProtocolName = "protocol_name";
    /// A level that the protocol name does not have.
    ProtocolLevel = "protocol_level";
    /// Text that is not UTF-8.
    Utf8Invalid = "utf8_invalid";
    /// Text with the character U+0000.
    Utf8Null = "utf8_null";
    /// Bit 0 of the connect flags.
    ConnectReservedFlag = "connect_reserved_flag";
    /// Quality of service or retain flag of a will that is not there.
    WillFlags = "will_flags";
    /// A password without a user name, before level 5.
    PasswordWithoutUser = "password_without_user";
    /// A session that outlives the connection needs a client identifier (level 4).
    ClientIdEmptyNotClean = "client_id_empty_not_clean";
    /// Not 1 to 23 octets (level 3).
    ClientIdLength = "client_id_length";
    /// Packet identifier 0.
    PacketIdZero = "packet_id_zero";
    /// Quality of service 3.
    QosInvalid = "qos_invalid";
    /// Marked as sent again though it never is.
    DupWithQos0 = "dup_with_qos0";
    /// A topic name without a character.
    TopicEmpty = "topic_empty";
    /// `+` or `#` in a topic name.
    TopicWildcardInPublish = "topic_wildcard_in_publish";
    /// A topic filter whose wildcards or share name stand where they must not.
    TopicFilterInvalid = "topic_filter_invalid";
    /// An identifier that no property has.
    PropertyUnknown = "property_unknown";
    /// A property of other packets.
    PropertyNotAllowed = "property_not_allowed";
    /// A property that may stand once only.
    PropertyRepeated = "property_repeated";
    /// Properties longer than their length or their packet, or a malformed length.
    PropertyLength = "property_length";
    /// A property's value out of its range.
    PropertyValue = "property_value";
    /// A return or reason code that the packet does not have at this level.
    ReasonCodeUnknown = "reason_code_unknown";
    /// Reserved bits, retain handling 3, or no-local on a shared subscription.
    SubscriptionOptions = "subscription_options";
    /// The payload is said to be UTF-8 and is not.
    PayloadFormat = "payload_format";
    /// More octets than the receiver announced that it takes, or than is configured.
    PacketTooLarge = "packet_too_large";
    /// A topic name or filter of more levels than are configured.
    TopicTooDeep = "topic_too_deep";
    /// The client's first packet is no CONNECT.
    NotConnectFirst = "not_connect_first";
    /// A second CONNECT, or a second CONNACK.
    ConnectRepeated = "connect_repeated";
    /// What only the other end sends.
    WrongDirection = "wrong_direction";
    /// The broker sends something else than AUTH before a CONNACK that accepts.
    PacketBeforeConnack = "packet_before_connack";
    /// An answer to what was not asked.
    AckWithoutRequest = "ack_without_request";
    /// An answer of another type than the packet identifier waits for.
    AckWrongKind = "ack_wrong_kind";
    /// A packet identifier is used again before the packet that it stands for is answered.
    PacketIdInUse = "packet_id_in_use";
    /// More messages wait for their answers than their receiver announced that it takes.
    ReceiveMaximumExceeded = "receive_maximum_exceeded";
    /// A message with QoS 2 was received and is not released.
    Qos2Unreleased = "qos2_unreleased";
    /// Topic alias 0.
    AliasZero = "alias_zero";
    /// A topic alias that was not set before.
    AliasUnknown = "alias_unknown";
    /// A topic alias greater than the receiver announced that it takes.
    AliasOverMaximum = "alias_over_maximum";
    /// The client sent nothing for more than one and a half times its keep-alive.
    KeepaliveMissed = "keepalive_missed";
    /// Not as many codes in an answer as topic filters in the request.
    SubscriptionCountMismatch = "subscription_count_mismatch";
    /// A packet behind the sender's own DISCONNECT.
    DataAfterDisconnect = "data_after_disconnect";
}

/// Takes violations while a packet is read.
pub(super) trait Report {
    /// `field` has `value`, `offset` octets from the start of the packet, and must not.
    fn report(
        &mut self,
        violation: Violation,
        field: &'static str,
        value: Value<'_>,
        offset: usize,
    );
}

/// Emits anomalies: each name once a packet, where it is met first, so that one hostile packet
/// cannot bring a flood.
pub(super) struct Emit<'o> {
    out: &'o mut dyn Records,
    raised: u64,
}

impl<'o> Emit<'o> {
    /// For one packet.
    #[inline]
    pub(super) fn new(out: &'o mut dyn Records) -> Self {
        Self { out, raised: 0 }
    }

    /// What takes the packet's record.
    #[inline]
    pub(super) fn into_records(self) -> &'o mut dyn Records {
        self.out
    }
}

impl Report for Emit<'_> {
    #[cold]
    fn report(
        &mut self,
        violation: Violation,
        field: &'static str,
        value: Value<'_>,
        offset: usize,
    ) {
        let bit = 1 << violation as u64;
        if self.raised & bit != 0 {
            return;
        }
        self.raised |= bit;
        // A value is a number: people plot it, and stores that index records insist on it.
        let (value, detail) = match value {
            Value::Text(text) => (Value::Absent, readable(text)),
            value => (value, ""),
        };
        let anomaly = Anomaly { detail, ..Anomaly::in_message("mqtt", violation.name()) };
        self.out.emit(&anomaly.at(field, value, offset as u64));
    }
}

/// As much of a text as is UTF-8.
fn readable(text: &[u8]) -> &str {
    text.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

/// Only tells whether there was one: for trying what octets could be.
#[derive(Debug, Default)]
pub(super) struct Flawless(Option<Violation>);

impl Flawless {
    /// Whether nothing was reported.
    pub(super) fn holds(&self) -> bool {
        self.0.is_none()
    }
}

impl Report for Flawless {
    fn report(&mut self, violation: Violation, _: &'static str, _: Value<'_>, _: usize) {
        self.0.get_or_insert(violation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_violation_has_its_bit() {
        assert!(Violation::NAMES.len() <= 64);
        assert_eq!(Violation::DataAfterDisconnect.name(), "data_after_disconnect");
    }
}
