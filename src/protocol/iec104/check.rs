//! What an APDU must not say whatever went before it: framing and ASDU header.
//!
//! Each violation is one anomaly, raised at most once an APDU, with the field, the offending
//! value, and the octet of the APDU where it stands.

use super::NAME;
use super::apci::{self, APCI, Apdu, Control, LENGTHS, PREFIX};
use super::asdu::{Asdu, object_address};
use super::cause::{self, Causes};
use super::types::{AddressRule, FIRST_PRIVATE, Purpose, Type};
use crate::bytes::Cursor;
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

#[inline]
fn asdu(asdu: &Asdu<'_>, out: &mut dyn Records) {
    if let Some(known) = asdu.known {
        structure(asdu, known, out);
        extent(asdu, out);
        object_addresses(asdu, known, out);
    } else if asdu.type_id < FIRST_PRIVATE {
        raise(out, TYPE_RESERVED, "iec104.type_id", asdu.type_id.into(), APCI);
    }
    cause_of_transmission(asdu, out);
    common_address(asdu, out);
}

#[inline]
fn structure(asdu: &Asdu<'_>, known: &Type, out: &mut dyn Records) {
    const OFFSET: usize = APCI + 1;
    if asdu.count == 0 {
        raise(out, COUNT_ZERO, "iec104.count", 0, OFFSET);
    }
    if !known.structure.allows_count(asdu.count) {
        raise(out, COUNT_NOT_ALLOWED, "iec104.count", asdu.count.into(), OFFSET);
    }
    if !known.structure.allows_sequence(asdu.sequence) {
        raise(out, SQ_NOT_ALLOWED, "iec104.sq", asdu.sequence.into(), OFFSET);
    }
}

#[inline]
fn cause_of_transmission(asdu: &Asdu<'_>, out: &mut dyn Records) {
    const OFFSET: usize = APCI + 2;
    if Causes::RESERVED.contains(asdu.cause) {
        return raise(out, CAUSE_RESERVED, "iec104.cot", asdu.cause.into(), OFFSET);
    }
    let allowed =
        asdu.known.is_none_or(|known| known.causes.and(Causes::PRIVATE).contains(asdu.cause));
    if !allowed {
        raise(out, CAUSE_NOT_ALLOWED, "iec104.cot", asdu.cause.into(), OFFSET);
    }
}

#[inline]
fn common_address(asdu: &Asdu<'_>, out: &mut dyn Records) {
    let offset = APCI + 2 + usize::from(asdu.widths.cause);
    if asdu.common_address == 0 {
        raise(out, CA_ZERO, "iec104.ca", 0, offset);
    }
    if asdu.common_address == asdu.widths.broadcast() && !asks_all_stations(asdu) {
        raise(out, CA_BROADCAST_NOT_ALLOWED, "iec104.ca", asdu.common_address.into(), offset);
    }
}

/// IEC 60870-5-101, 7.2.4: interrogations, clock synchronisation and reset of the process, and
/// only in control direction; each station answers with its own address. Private types are left
/// to agreement.
fn asks_all_stations(asdu: &Asdu<'_>) -> bool {
    let asks = matches!(asdu.cause, cause::ACTIVATION | cause::DEACTIVATION);
    asks && matches!(asdu.type_id, 100 | 101 | 103 | 105) || asdu.type_id >= FIRST_PRIVATE
}

/// Whether the objects fill the ASDU.
#[inline]
fn extent(asdu: &Asdu<'_>, out: &mut dyn Records) {
    let Some(wanted) = asdu.wanted() else { return };
    let (there, start) = (asdu.body.len(), APCI + asdu.widths.header());
    if there < wanted {
        raise(out, ASDU_LENGTH, "iec104.length", wanted - there, start + there);
    }
    if there > wanted {
        raise(out, TRAILING_BYTES, "iec104.length", there - wanted, start + wanted);
    }
}

#[inline]
fn object_addresses(asdu: &Asdu<'_>, known: &Type, out: &mut dyn Records) {
    let zero_required = match known.address {
        AddressRule::Free => return,
        AddressRule::Zero => true,
        AddressRule::Point => false,
        AddressRule::ByQualifier => match asdu.objects().next().and_then(|object| object.qualifier)
        {
            Some(1 | 2) => true,
            Some(3) => false,
            _ => return,
        },
    };
    let width = usize::from(asdu.widths.object_address);
    let stride = width + usize::from(known.octets.unwrap_or(0));
    let sent = if asdu.sequence { asdu.count.min(1) } else { asdu.count };
    for index in 0..usize::from(sent) {
        let Some(octets) = asdu.body.get(index * stride..) else { return };
        let address = object_address(&mut Cursor::new(octets), asdu.widths.object_address);
        let Ok(address) = address else { return };
        if (address == 0) != zero_required {
            let event = if zero_required { IOA_NOT_ZERO } else { IOA_ZERO };
            let offset = APCI + asdu.widths.header() + index * stride;
            return raise(out, event, "iec104.objects.ioa", address as usize, offset);
        }
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
