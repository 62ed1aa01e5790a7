//! What can be wrong with a connection: the names that rules match.

use super::NAME;
use super::message::PREFIX;
use crate::bytes::Short;
use crate::event::{Anomaly, Records, Value};
use crate::flow::Direction;

macro_rules! violations {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal;)*) => {
        /// A way to break the standard.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Violation {
            $($(#[doc = $doc])+ $variant),*
        }

        /// Every name, in the order of the variants.
        pub(super) const NAMES: &[&str] = &[$($name),*];
    };
}

violations! {
    /// A record of a type that there is not.
    RecordType = "record_type";
    /// A record of a version that there is not.
    RecordVersion = "record_version";
    /// A record longer than any, or of a length that its type does not have.
    RecordLength = "record_length";
    /// Framing was lost; records were found again after so many octets.
    Resync = "resync";
    /// A handshake message of a type that there is not.
    HandshakeType = "handshake_type";
    /// A handshake message of a length that its type does not have.
    HandshakeLength = "handshake_length";
    /// Another record stands in the middle of a handshake message (5.1).
    HandshakeInterrupted = "handshake_interrupted";
    /// A field goes on beyond its message.
    Truncated = "truncated";
    /// Octets after the last field of a message.
    TrailingBytes = "trailing_bytes";
    /// A certificate that is no X.509.
    CertificateMalformed = "certificate_malformed";
    /// A ChangeCipherSpec that says something else.
    ChangeCipherSpec = "change_cipher_spec";
    /// An alert that is neither a warning nor fatal.
    AlertLevel = "alert_level";
    /// A heartbeat that says it is longer than its record (RFC 6520, 4).
    HeartbeatLength = "heartbeat_length";
    /// Application data before there are keys for it.
    DataBeforeEncryption = "data_before_encryption";
    /// A message in clear behind those that are encrypted.
    PlaintextAfterEncryption = "plaintext_after_encryption";
}

impl Violation {
    /// The name that rules match.
    pub(super) const fn name(self) -> &'static str {
        NAMES[self as usize]
    }
}

/// Which violations were told of a connection, by direction: each but the loss of framing is told
/// once, so that a hostile stream does not bring a flood.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told([u16; 2]);

const _: () = assert!(NAMES.len() <= u16::BITS as usize, "each violation has its bit");

/// Takes the violations of one direction.
pub(super) struct Report<'o> {
    told: &'o mut Told,
    direction: Direction,
    pub(super) out: &'o mut dyn Records,
}

impl<'o> Report<'o> {
    pub(super) fn new(told: &'o mut Told, direction: Direction, out: &'o mut dyn Records) -> Self {
        Self { told, direction, out }
    }

    /// `field` has `value`, `offset` octets from the start of its record or message, and must not.
    #[cold]
    pub(super) fn raise(
        &mut self,
        violation: Violation,
        field: &'static str,
        value: usize,
        offset: usize,
    ) {
        let bit = 1 << violation as u16;
        let told = &mut self.told.0[self.direction.index()];
        if violation != Violation::Resync && *told & bit != 0 {
            return;
        }
        *told |= bit;
        let anomaly = Anomaly::in_message(NAME, violation.name());
        self.out.emit(&anomaly.at(field, Value::Integer(value as i64), offset as u64));
    }

    /// A field of a message goes on beyond it; offsets are those of its body.
    #[cold]
    pub(super) fn truncated(&mut self, short: Short) {
        let missing = short.wanted - short.left;
        self.raise(Violation::Truncated, "", missing, PREFIX + short.offset);
    }
}
