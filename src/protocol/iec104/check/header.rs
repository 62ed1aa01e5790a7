//! The header of an ASDU, and what it says of its objects (IEC 60870-5-101, 7.1 and 7.2).

use std::iter;

use super::super::apci::APCI;
use super::super::asdu::{Asdu, object_address};
use super::super::cause::{self, Causes};
use super::super::types::{AddressRule, FIRST_PRIVATE, Purpose, Type};
use super::{
    ASDU_LENGTH, CA_BROADCAST_NOT_ALLOWED, CA_ZERO, CAUSE_NOT_ALLOWED, CAUSE_RESERVED,
    COUNT_NOT_ALLOWED, COUNT_ZERO, IOA_NOT_ZERO, IOA_ZERO, SQ_NOT_ALLOWED, TRAILING_BYTES,
    TYPE_RESERVED, raise,
};
use crate::bytes::Cursor;
use crate::event::Records;

/// Checks what every ASDU has.
#[inline]
pub(super) fn check(asdu: &Asdu<'_>, out: &mut dyn Records) {
    if asdu.known.is_none() && asdu.type_id < FIRST_PRIVATE {
        raise(out, TYPE_RESERVED, "iec104.type_id", asdu.type_id.into(), APCI);
    }
    cause_of_transmission(asdu, out);
    common_address(asdu, out);
}

/// Checks what is known of objects of this type.
#[inline]
pub(super) fn objects(asdu: &Asdu<'_>, known: &Type, out: &mut dyn Records) {
    structure(asdu, known, out);
    extent(asdu, known, out);
    object_addresses(asdu, known, out);
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

/// Whether the objects fill the ASDU. Of types whose length varies only the least is known.
#[inline]
fn extent(asdu: &Asdu<'_>, known: &Type, out: &mut dyn Records) {
    let Some(wanted) = asdu.wanted() else { return least_extent(asdu, known, out) };
    let (there, start) = (asdu.body.len(), APCI + asdu.widths.header());
    if there < wanted {
        raise(out, ASDU_LENGTH, "iec104.length", wanted - there, start + there);
    }
    if there > wanted {
        raise(out, TRAILING_BYTES, "iec104.length", there - wanted, start + wanted);
    }
}

/// Types 81 to 95 have no object address.
fn least_extent(asdu: &Asdu<'_>, known: &Type, out: &mut dyn Records) {
    let address = match known.purpose {
        Purpose::Security => 0,
        _ => usize::from(asdu.widths.object_address),
    };
    let there = asdu.body.len();
    let wanted = if asdu.count == 0 { 0 } else { address + known.least() };
    if there < wanted {
        let start = APCI + asdu.widths.header();
        raise(out, ASDU_LENGTH, "iec104.length", wanted - there, start + there);
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
    // One object at least, also of types whose length varies; with SQ = 1 only its address is sent.
    let width = usize::from(asdu.widths.object_address);
    let others = asdu.places().skip(1).map(|place| place.start - width);
    let sent = if asdu.sequence { asdu.count.min(1) } else { asdu.count };
    for at in iter::once(0).chain(others).take(sent.into()) {
        let Some(octets) = asdu.body.get(at..) else { return };
        let address = object_address(&mut Cursor::new(octets), asdu.widths.object_address);
        let Ok(address) = address else { return };
        if (address == 0) != zero_required {
            let event = if zero_required { IOA_NOT_ZERO } else { IOA_ZERO };
            let offset = APCI + asdu.widths.header() + at;
            return raise(out, event, "iec104.objects.ioa", address as usize, offset);
        }
    }
}
