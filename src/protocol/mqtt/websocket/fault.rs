//! What can be wrong with the frames that carry MQTT: the names that rules match.

use crate::event::{Anomaly, Records, Value};

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $field:literal;)*) => {
        /// A way to break RFC 6455, or clause 6 of MQTT.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Fault {
            $($(#[doc = $doc])+ $variant),*
        }

        /// Every name, in the order of the variants.
        pub(in super::super) const NAMES: &[&str] = &[$($name),*];

        /// Which field of the frame is wrong.
        const FIELDS: &[&str] = &[$($field),*];
    };
}

faults! {
    /// A client's frame without a mask (clause 5.1).
    Unmasked = "websocket_unmasked", "mask";
    /// A server's frame with a mask (clause 5.1).
    Masked = "websocket_masked", "mask";
    /// Reserved bits that no extension gave a meaning (clause 5.2).
    ReservedBits = "websocket_reserved_bits", "rsv";
    /// An opcode that nothing has (clause 5.2).
    ReservedOpcode = "websocket_reserved_opcode", "opcode";
    /// A control frame of more than 125 octets, or in fragments (clause 5.5).
    Control = "websocket_control", "opcode";
    /// MQTT in a text frame [MQTT-6.0.0-1].
    Text = "websocket_text", "opcode";
    /// A continuation of nothing, or a message that begins inside another (clause 5.4).
    Continuation = "websocket_continuation", "opcode";
    /// A payload length in more octets than it needs, or with its top bit set (clause 5.2).
    Length = "websocket_length", "payload_length";
    /// Closed with a status that says something went wrong, or that no frame may have (clause 7.4).
    Close = "websocket_close", "status";
    /// Neither offered nor chosen as `mqtt` [MQTT-6.0.0-3, MQTT-6.0.0-4].
    Subprotocol = "websocket_subprotocol", "";
    /// A request or an answer that is longer than what is looked at.
    Head = "websocket_head", "";
    /// A payload that is compressed (RFC 7692), and therefore not read.
    Compressed = "websocket_compressed", "payload_length";
}

/// Which faults were told of a direction: each once. They are how a peer does things, and would
/// come with every frame.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told(u16);

impl Told {
    /// Tells of a fault in the octet of a frame's header that stands at `offset`.
    #[cold]
    pub(super) fn tell(
        &mut self,
        fault: Fault,
        value: Value<'_>,
        offset: u64,
        out: &mut dyn Records,
    ) {
        let bit = 1 << fault as u16;
        if self.0 & bit != 0 {
            return;
        }
        self.0 |= bit;
        let (name, field) = (NAMES[fault as usize], FIELDS[fault as usize]);
        out.emit(&Anomaly::in_message("mqtt", name).at(field, value, offset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_bit() {
        assert!(NAMES.len() <= 16);
        assert_eq!(NAMES[Fault::Compressed as usize], "websocket_compressed");
    }
}
