//! What an APDU must not say whatever went before it: framing here, then `header`, `elements`,
//! and what a `direction` must not say, once it is known who controls.
//!
//! Each violation is one anomaly, raised at most once an APDU, with the field, the offending
//! value, and the octet of the APDU where it stands.

mod direction;
mod elements;
mod header;

pub(super) use direction::{cause_from, direction};

use super::NAME;
use super::apci::{self, APCI, Apdu, Control, LENGTHS, PREFIX};
use super::asdu::Asdu;
use super::cause::Causes;
use super::types::{FIRST_PRIVATE, Purpose};
use crate::event::{Anomaly, Records, Value};

/// No APDU begins with this octet.
pub(super) const START_BYTE: &str = "start_byte";
/// The length is not in 4 to 253, or not 4 in the formats S and U.
pub(super) const APCI_LENGTH: &str = "apci_length";
/// Octets are missing for what type and number of objects need; the value says how many.
pub(super) const ASDU_LENGTH: &str = "asdu_length";
/// Octets are left after the last object; the value says how many.
pub(super) const TRAILING_BYTES: &str = "trailing_bytes";
/// An APDU was found again, or the stream ended; the value says how many octets were skipped.
pub(super) const RESYNC: &str = "resync";
/// Format I: bit 0 of the third control octet.
pub(super) const I_RESERVED: &str = "i_reserved";
/// Format U: not exactly one function.
pub(super) const U_FUNCTION: &str = "u_function";
/// Format U: something in the last three control octets.
pub(super) const U_RESERVED: &str = "u_reserved";
/// Format S: something outside of N(R).
pub(super) const S_RESERVED: &str = "s_reserved";
/// The type is reserved.
pub(super) const TYPE_RESERVED: &str = "type_reserved";
/// An ASDU of no objects.
pub(super) const COUNT_ZERO: &str = "count_zero";
/// More than one object of a type that is sent alone.
pub(super) const COUNT_NOT_ALLOWED: &str = "count_not_allowed";
/// SQ is not as the type has it.
pub(super) const SQ_NOT_ALLOWED: &str = "sq_not_allowed";
/// The cause is reserved.
pub(super) const CAUSE_RESERVED: &str = "cause_reserved";
/// The type is not sent with this cause.
pub(super) const CAUSE_NOT_ALLOWED: &str = "cause_not_allowed";
/// The common address 0 is not used.
pub(super) const CA_ZERO: &str = "ca_zero";
/// The broadcast address, but not to ask for what a broadcast may ask.
pub(super) const CA_BROADCAST_NOT_ALLOWED: &str = "ca_broadcast_not_allowed";
/// An object address where only 0 may be.
pub(super) const IOA_NOT_ZERO: &str = "ioa_not_zero";
/// Object address 0 where a point is meant.
pub(super) const IOA_ZERO: &str = "ioa_zero";

/// The wrong end of the link sends this; the value is the cause.
pub(super) const DIRECTION: &str = "direction";
/// A bit of an element is set that the standard reserves; the field names the element.
pub(super) const RESERVED_BITS: &str = "reserved_bits";
/// A qualifier has a value that the standard reserves; the detail names the qualifier.
pub(super) const QUALIFIER_RESERVED: &str = "qualifier_reserved";
/// A double command that is neither ON nor OFF.
pub(super) const DCO_INVALID: &str = "dco_invalid";
/// A regulating step command that is neither LOWER nor HIGHER.
pub(super) const RCO_INVALID: &str = "rco_invalid";
/// A test command's pattern is not 0x55AA.
pub(super) const FBP_PATTERN: &str = "fbp_pattern";
/// A part of a time is out of its range, and the time is not marked invalid.
pub(super) const TIME_RANGE: &str = "time_range";
/// A floating point number is none, and not marked invalid.
pub(super) const VALUE_NAN: &str = "value_nan";
/// A floating point number is infinite, and not marked invalid.
pub(super) const VALUE_INFINITE: &str = "value_infinite";
/// A segment of a file is not as long as it says.
pub(super) const SEGMENT_LENGTH: &str = "segment_length";

/// Every name above.
pub(super) static NAMES: &[&str] = &[
    START_BYTE,
    APCI_LENGTH,
    ASDU_LENGTH,
    TRAILING_BYTES,
    RESYNC,
    I_RESERVED,
    U_FUNCTION,
    U_RESERVED,
    S_RESERVED,
    TYPE_RESERVED,
    COUNT_ZERO,
    COUNT_NOT_ALLOWED,
    SQ_NOT_ALLOWED,
    CAUSE_RESERVED,
    CAUSE_NOT_ALLOWED,
    CA_ZERO,
    CA_BROADCAST_NOT_ALLOWED,
    IOA_NOT_ZERO,
    IOA_ZERO,
    DIRECTION,
    RESERVED_BITS,
    QUALIFIER_RESERVED,
    DCO_INVALID,
    RCO_INVALID,
    FBP_PATTERN,
    TIME_RANGE,
    VALUE_NAN,
    VALUE_INFINITE,
    SEGMENT_LENGTH,
];

/// Raises one anomaly about `field`, which stands `offset` octets into the APDU.
#[cold]
pub(super) fn raise(
    out: &mut dyn Records,
    event: &'static str,
    field: &'static str,
    value: usize,
    offset: usize,
) {
    let value = Value::Integer(value as i64);
    out.emit(&Anomaly::in_message(NAME, event).at(field, value, offset as u64));
}

/// Checks everything that one APDU alone can tell.
#[inline]
pub(super) fn apdu(apdu: &Apdu<'_>, out: &mut dyn Records) {
    control_field(apdu, out);
    match (&apdu.asdu, apdu.control) {
        (Some(found), _) => asdu(found, out),
        (None, Control::I { .. }) => {
            let there = usize::from(apdu.length) + PREFIX;
            let missing = (APCI + apdu.widths.header()).saturating_sub(there);
            raise(out, ASDU_LENGTH, "iec104.length", missing, there);
        }
        (None, _) => {}
    }
}

#[inline]
fn control_field(apdu: &Apdu<'_>, out: &mut dyn Records) {
    if !matches!(apdu.control, Control::I { .. }) && apdu.length != *LENGTHS.start() {
        raise(out, APCI_LENGTH, "iec104.length", apdu.length.into(), 1);
    }
    if apdu.control == Control::U(None) {
        raise(out, U_FUNCTION, "control", apdu.control_octets[0].into(), PREFIX);
    }
    let Some(index) = apci::reserved_octet(apdu.control_octets) else { return };
    let event = match apdu.control {
        Control::I { .. } => I_RESERVED,
        Control::S { .. } => S_RESERVED,
        Control::U(_) => U_RESERVED,
    };
    raise(out, event, "control", apdu.control_octets[index].into(), PREFIX + index);
}

/// What is wrong with an ASDU.
#[inline]
fn asdu(asdu: &Asdu<'_>, out: &mut dyn Records) {
    header::check(asdu, out);
    if let Some(known) = asdu.known {
        header::objects(asdu, known, out);
        elements::check(asdu, known, out);
    }
}

/// Whether the ASDU could not look more like one: a known type with a cause of its own, and
/// objects that fill it exactly. Says so without the objects: `body` is how many octets they have.
#[inline]
pub(super) fn is_convincing(asdu: &Asdu<'_>, body: usize) -> bool {
    asdu.known.is_some_and(|known| {
        known.purpose != Purpose::Security
            && known.causes.contains(asdu.cause)
            && known.structure.allows_sequence(asdu.sequence)
            && known.structure.allows_count(asdu.count)
            && asdu.count != 0
            && asdu.common_address != 0
            && asdu.wanted() == Some(body)
    })
}

/// Whether type, number or cause are none that an ASDU can have.
#[inline]
pub(super) fn is_impossible(asdu: &Asdu<'_>) -> bool {
    let reserved = asdu.known.is_none() && asdu.type_id < FIRST_PRIVATE;
    reserved || asdu.count == 0 || Causes::RESERVED.contains(asdu.cause)
}
