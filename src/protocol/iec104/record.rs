//! The field tables: what rules, records and documentation see of an APDU.

use std::sync::LazyLock;
use std::time::Duration;

use super::apci::{Apdu, Control, Function};
use super::asdu::Asdu;
use super::command::{Life, Outcome, Step};
use super::elements::{InformationObject, State, protection, quality};
use super::file::{File, FileStatus};
use super::security::{Field, Security, Segmentation};
use super::time::{Cp24Time2a, Cp56Time2a, Part, TimeTag};
use super::{cause, qualifier, types};
use crate::event::{Kind, NO_MESSAGE, Record, Schema, Value};
use crate::record;

/// Declares the header's fields, those of messages without objects and an object's fields once
/// each, for the three tables that are made of them.
macro_rules! tables {
    (
        header { $($header:literal: $header_kind:expr, $header_about:literal
            => |$apdu:ident| $header_get:expr;)* }
        message { $($message:literal: $message_kind:expr, $message_about:literal
            => |$whole:ident| $message_get:expr;)* }
        command { $($told:literal: $told_kind:expr, $told_about:literal
            => |$command:ident| $told_get:expr;)* }
        object { $($member:literal: $member_kind:expr, $member_about:literal
            => |$object:ident| $member_get:expr;)* }
    ) => {
        record! {
            /// One APDU of IEC 60870-5-104, or the life of one command: then `iec104.command` is
            /// there, and of the APDU only what the command and its answers have in common.
            pub static IEC104: Apdu<'a> = "iec104";
            message_types(MESSAGE_TYPES, |apdu| message_type(apdu));
            fields {
                $($header: $header_kind, $header_about => |$apdu| $header_get;)*
                $($message: $message_kind, $message_about => |$whole| $message_get;)*
                $("iec104." $told: $told_kind, $told_about => |_apdu| Value::Absent;)*
            }
            lists {
                "iec104.objects": OBJECT, "Information objects."
                    => |apdu, visit| for object in apdu.asdu.iter().flat_map(Asdu::objects) {
                        visit(&object);
                    };
                "iec104.command.steps": STEP, "What was seen of it, in its order."
                    => |_apdu, _visit| {};
                "iec104.command.points": RUN, "The addresses that answered an interrogation, in runs."
                    => |_apdu, _visit| {};
            }
        }

        record! {
            /// What the life of a command has of the fields above.
            static COMMAND: CommandRecord<'a> = "command";
            fields {
                "iec104.type_id": Kind::Range(0, 255), "Type identification."
                    => |c| Value::Integer(c.life.known.id.into());
                "iec104.type": Kind::Name(types::NAMES), "Name of the type."
                    => |c| Value::Code(c.life.known.id);
                "iec104.originator": Kind::Range(0, 255), "Originator address."
                    => |c| Value::maybe(c.life.originator, |originator| Value::Integer(originator.into()));
                "iec104.ca": Kind::Range(0, 65_535), "Common address of the station."
                    => |c| Value::Integer(c.life.key.common_address.into());
                $("iec104." $told: $told_kind, $told_about => |$command| $told_get;)*
            }
        }

        record! {
            /// One information object within an APDU.
            static OBJECT: InformationObject<'a> = "object";
            fields {
                $($member: $member_kind, $member_about => |$object| $member_get;)*
            }
        }

        record! {
            /// One information object of IEC 60870-5-104, with the header of its ASDU.
            pub static IEC104_OBJECT: ObjectRecord<'a> = "iec104_object";
            message_types(MESSAGE_TYPES, |record| message_type(record.apdu));
            fields {
                $($header: $header_kind, $header_about
                    => |record| { let $apdu = record.apdu; $header_get };)*
                $("iec104." $member: $member_kind, $member_about
                    => |record| { let $object = &record.object; $member_get };)*
            }
        }
    };
}

/// One information object, and the APDU that brought it.
#[derive(Debug, Clone, Copy)]
pub struct ObjectRecord<'a> {
    /// The APDU.
    pub apdu: &'a Apdu<'a>,
    /// The object.
    pub object: InformationObject<'a>,
}

tables! {
    header {
        "iec104.frame": Kind::Name(Control::FORMATS), "Format of the APCI: I, S or U."
            => |a| Value::Code(a.control.format());
        "iec104.ns": Kind::Range(0, 32_767), "N(S) of format I."
            => |a| match a.control {
                Control::I { send, .. } => Value::Integer(send.into()),
                Control::S { .. } | Control::U(_) => Value::Absent,
            };
        "iec104.nr": Kind::Range(0, 32_767), "N(R) of formats I and S."
            => |a| match a.control {
                Control::I { receive, .. } | Control::S { receive } => Value::Integer(receive.into()),
                Control::U(_) => Value::Absent,
            };
        "iec104.function": Kind::Name(Function::NAMES), "Function of format U."
            => |a| match a.control {
                Control::U(Some(function)) => Value::Code(function as u8),
                _ => Value::Absent,
            };
        "iec104.type_id": Kind::Range(0, 255), "Type identification."
            => |a| Value::maybe(a.asdu, |asdu| Value::Integer(asdu.type_id.into()));
        "iec104.type": Kind::Name(types::NAMES), "Name of the type; absent if it is reserved or private."
            => |a| Value::maybe(a.asdu.and_then(|asdu| asdu.known), |known| Value::Code(known.id));
        "iec104.cot": Kind::Range(0, 63), "Cause of transmission."
            => |a| Value::maybe(a.asdu, |asdu| Value::Integer(asdu.cause.into()));
        "iec104.cause": Kind::Name(cause::NAMES), "Name of the cause; absent if it is reserved or private."
            => |a| Value::maybe(a.asdu, |asdu| cause_name(asdu.cause));
        "iec104.negative": Kind::Boolean, "P/N: a negative confirmation."
            => |a| Value::maybe(a.asdu, |asdu| Value::Boolean(asdu.negative));
        "iec104.test": Kind::Boolean, "T: sent for a test."
            => |a| Value::maybe(a.asdu, |asdu| Value::Boolean(asdu.test));
        "iec104.originator": Kind::Range(0, 255), "Originator address; 0 is unused."
            => |a| Value::maybe(
                a.asdu.and_then(|asdu| asdu.originator),
                |originator| Value::Integer(originator.into()),
            );
        "iec104.ca": Kind::Range(0, 65_535), "Common address of the station."
            => |a| Value::maybe(a.asdu, |asdu| Value::Integer(asdu.common_address.into()));
        "iec104.sq": Kind::Boolean, "SQ: objects have consecutive addresses."
            => |a| Value::maybe(a.asdu, |asdu| Value::Boolean(asdu.sequence));
        "iec104.count": Kind::Range(0, 127), "Number of objects that the ASDU announces."
            => |a| Value::maybe(a.asdu, |asdu| Value::Integer(asdu.count.into()));
        "iec104.length": Kind::Range(4, 253), "Length of the APDU as it says: octets after the length octet."
            => |a| Value::Integer(a.length.into());
    }
    message {
        "iec104.private": Kind::Text, "Everything behind the header of an ASDU of a private type, addresses and all, in hexadecimal digits."
            => |a| Value::maybe(
                a.asdu.filter(|asdu| asdu.type_id >= types::FIRST_PRIVATE),
                |asdu| Value::Octets(asdu.body),
            );
        "iec104.security.first": Kind::Boolean, "FIR: the first segment of a message of security."
            => |a| segmentation(a, |s| Value::Boolean(s.first()));
        "iec104.security.last": Kind::Boolean, "FIN: its last segment."
            => |a| segmentation(a, |s| Value::Boolean(s.last()));
        "iec104.security.segment": Kind::Range(0, 63), "ASN: number of the segment."
            => |a| segmentation(a, |s| Value::Integer(s.number().into()));
        "iec104.security.sequence": Kind::Range(0, 4_294_967_295), "CSQ, KSQ or SCS: sequence number of the challenge, the key change or the change of a user's status."
            => |a| security(a, Field::Sequence);
        "iec104.security.user": Kind::Range(0, 65_535), "USR: number of the user."
            => |a| security(a, Field::User);
        "iec104.security.mac_algorithm": Kind::Range(0, 255), "MAL: algorithm of the MAC."
            => |a| security(a, Field::MacAlgorithm);
        "iec104.security.reason": Kind::Range(0, 255), "RSC: reason for the challenge."
            => |a| security(a, Field::Reason);
        "iec104.security.key_wrap_algorithm": Kind::Range(0, 255), "KWA: algorithm that wraps session keys."
            => |a| security(a, Field::KeyWrapAlgorithm);
        "iec104.security.key_status": Kind::Range(0, 255), "KST: status of the session keys."
            => |a| security(a, Field::KeyStatus);
        "iec104.security.key_change_method": Kind::Range(0, 255), "KCM: how update keys are changed."
            => |a| security(a, Field::KeyChangeMethod);
        "iec104.security.operation": Kind::Range(0, 255), "OPR: what becomes of the user."
            => |a| security(a, Field::Operation);
        "iec104.security.role": Kind::Range(0, 65_535), "URL: role of the user."
            => |a| security(a, Field::Role);
        "iec104.security.role_expiry": Kind::Range(0, 65_535), "UEI: days until the role expires."
            => |a| security(a, Field::RoleExpiry);
        "iec104.security.data": Kind::Text, "Everything behind these fields, in hexadecimal digits: lengths, challenge data, wrapped keys, MAC."
            => |a| Value::maybe(a.asdu.as_ref().and_then(Security::of), |s| Value::Octets(s.data()));
    }
    command {
        "command.ioa": Kind::Range(0, 16_777_215), "Address of the information object that is commanded."
            => |c| Value::Integer(c.life.key.object.into());
        "command.value": Kind::Number, "Value of the command, or of the object that a read asked for."
            => |c| c.life.value;
        "command.state": Kind::Name(State::NAMES), "Name of a value that is a state or a command."
            => |c| Value::maybe(c.life.state, |state| Value::Code(state as u8));
        "command.select_ms": Kind::Number, "Milliseconds from the selection to its confirmation."
            => |c| milliseconds(c.life.select_time);
        "command.confirm_ms": Kind::Number, "Milliseconds from the execution to its confirmation."
            => |c| milliseconds(c.life.confirm_time);
        "command.terminate_ms": Kind::Number, "Milliseconds from the execution to its termination."
            => |c| milliseconds(c.life.terminate_time);
        "command.answered": Kind::Integer, "Objects that answered an interrogation or a read."
            => |c| match c.life.answered {
                0 => Value::Absent,
                answered => Value::Integer(answered.into()),
            };
        "command.outcome": Kind::Name(Outcome::NAMES), "How it ended."
            => |c| Value::Code(c.outcome as u8);
    }
    object {
        "ioa": Kind::Range(0, 16_777_215), "Address of the information object."
            => |o| Value::Integer(o.address.into());
        "value": Kind::Number, "Value of the point, command or parameter: a number, or true and false."
            => |o| o.value;
        "raw": Kind::Range(-32_768, 32_767), "A normalized value as sent; value is the fraction of 32768."
            => |o| Value::maybe(o.raw, |raw| Value::Integer(raw.into()));
        "state": Kind::Name(State::NAMES), "Name of a value that is a state or a command."
            => |o| Value::maybe(o.state, |state| Value::Code(state as u8));
        "transient": Kind::Boolean, "A step position's equipment is between two positions."
            => |o| flag(o.transient);
        "select": Kind::Boolean, "S/E: the command selects; else it executes."
            => |o| flag(o.select);
        "qualifier": Kind::Range(0, 255), "Qualifier of the type: QU, QL, QOI, RQT, KPA, QPA, QRP, COI, FRQ, SRQ, SCQ, LSQ or AFQ."
            => |o| Value::maybe(o.qualifier, |qualifier| Value::Integer(qualifier.into()));
        "qualifier_name": Kind::Name(qualifier::NAMES), "What the standard calls this value of the qualifier; absent if it is reserved or private."
            => |o| Value::maybe(o.qualifier_name(), Value::Code);
        "quality.invalid": Kind::Boolean, "IV: the value is not valid."
            => |o| flag(o.quality.get(quality::INVALID));
        "quality.not_topical": Kind::Boolean, "NT: the value was not updated lately."
            => |o| flag(o.quality.get(quality::NOT_TOPICAL));
        "quality.substituted": Kind::Boolean, "SB: the value comes from an operator or an automatic source."
            => |o| flag(o.quality.get(quality::SUBSTITUTED));
        "quality.blocked": Kind::Boolean, "BL: the value is blocked for transmission."
            => |o| flag(o.quality.get(quality::BLOCKED));
        "quality.overflow": Kind::Boolean, "OV: the value is beyond its range."
            => |o| flag(o.quality.get(quality::OVERFLOW));
        "quality.elapsed_time_invalid": Kind::Boolean, "EI: the elapsed time of a protection event is not valid."
            => |o| flag(o.quality.get(quality::ELAPSED_TIME_INVALID));
        "time": Kind::Time, "CP56Time2a as the station told it, read as UTC; absent if it is no date."
            => |o| moment(o.time.and_then(TimeTag::full));
        "time_tag.invalid": Kind::Boolean, "IV of the time tag."
            => |o| flag(o.time.map(TimeTag::invalid));
        "time_tag.substituted": Kind::Boolean, "GEN: an equipment on the way set the time."
            => |o| flag(o.time.map(TimeTag::substituted));
        "time_tag.summer_time": Kind::Boolean, "SU: the hour is that of summer time."
            => |o| flag(o.time.and_then(TimeTag::full).map(Cp56Time2a::summer_time));
        "time_tag.day_of_week": Kind::Range(0, 7), "Monday 1 to Sunday 7, 0 is unused."
            => |o| Value::maybe(
                o.time.and_then(TimeTag::full),
                |time| Value::Integer(time.day_of_week().into()),
            );
        "time_tag.reserved": Kind::Range(0, 127), "RES2, RES3 and RES4 of CP56Time2a, from the lowest bit up."
            => |o| Value::maybe(
                o.time.and_then(TimeTag::full),
                |time| Value::Integer(time.reserved().into()),
            );
        "time_tag.hour_ms": Kind::Range(0, 3_599_999), "CP24Time2a, which names no hour: milliseconds since the hour."
            => |o| Value::maybe(
                o.time.and_then(TimeTag::short).and_then(Cp24Time2a::millisecond_of_hour),
                |milliseconds| Value::Integer(milliseconds.into()),
            );
        "time_tag.millisecond": Kind::Range(0, 65_535), "Milliseconds of the minute, where a part of the time is out of its range."
            => |o| part(o, Part::Millisecond);
        "time_tag.minute": Kind::Range(0, 63), "Minute, where a part of the time is out of its range."
            => |o| part(o, Part::Minute);
        "time_tag.hour": Kind::Range(0, 31), "Hour, where a part of the time is out of its range."
            => |o| part(o, Part::Hour);
        "time_tag.day": Kind::Range(0, 31), "Day of the month, where a part of the time is out of its range."
            => |o| part(o, Part::Day);
        "time_tag.month": Kind::Range(0, 15), "Month, where a part of the time is out of its range."
            => |o| part(o, Part::Month);
        "time_tag.year": Kind::Range(0, 127), "Year of the century, where a part of the time is out of its range."
            => |o| part(o, Part::Year);
        "elapsed_ms": Kind::Range(0, 65_535), "CP16Time2a: duration, operating time or delay in milliseconds."
            => |o| Value::maybe(o.elapsed, |time| Value::Integer(time.milliseconds().into()));
        "counter.sequence": Kind::Range(0, 31), "SQ of a counter reading."
            => |o| Value::maybe(o.counter, |counter| Value::Integer(counter.sequence().into()));
        "counter.carry": Kind::Boolean, "CY: the counter overflowed since it was last read."
            => |o| Value::maybe(o.counter, |counter| Value::Boolean(counter.carry()));
        "counter.adjusted": Kind::Boolean, "CA: the counter was adjusted since it was last read."
            => |o| Value::maybe(o.counter, |counter| Value::Boolean(counter.adjusted()));
        "counter.invalid": Kind::Boolean, "IV: the counter reading is not valid."
            => |o| Value::maybe(o.counter, |counter| Value::Boolean(counter.invalid()));
        "start.general": Kind::Boolean, "GS: the protection started."
            => |o| flag(o.start.get(protection::GENERAL));
        "start.l1": Kind::Boolean, "SL1: it started on phase L1."
            => |o| flag(o.start.get(protection::L1));
        "start.l2": Kind::Boolean, "SL2: it started on phase L2."
            => |o| flag(o.start.get(protection::L2));
        "start.l3": Kind::Boolean, "SL3: it started on phase L3."
            => |o| flag(o.start.get(protection::L3));
        "start.earth": Kind::Boolean, "SIE: it started on earth current."
            => |o| flag(o.start.get(protection::EARTH));
        "start.reverse": Kind::Boolean, "SRD: it started in reverse direction."
            => |o| flag(o.start.get(protection::REVERSE));
        "output.general": Kind::Boolean, "GC: general command to the output circuit."
            => |o| flag(o.output.get(protection::GENERAL));
        "output.l1": Kind::Boolean, "CL1: command to the output circuit of phase L1."
            => |o| flag(o.output.get(protection::L1));
        "output.l2": Kind::Boolean, "CL2: command to the output circuit of phase L2."
            => |o| flag(o.output.get(protection::L2));
        "output.l3": Kind::Boolean, "CL3: command to the output circuit of phase L3."
            => |o| flag(o.output.get(protection::L3));
        "changed": Kind::Range(0, 65_535), "CD: one bit for each of 16 states that changed; value holds the states."
            => |o| Value::maybe(o.change, |change| Value::Integer(change.into()));
        "freeze": Kind::Range(0, 3), "FRZ of a counter interrogation: read 0, freeze 1, freeze and reset 2, reset 3."
            => |o| Value::maybe(o.freeze, |freeze| Value::Integer(freeze.into()));
        "freeze_name": Kind::Name(qualifier::FREEZES), "What the standard calls this value of FRZ."
            => |o| Value::maybe(o.freeze, Value::Code);
        "parameter.changed": Kind::Boolean, "LPC or BS1: parameters were changed at the station."
            => |o| flag(o.parameter_changed);
        "parameter.out_of_operation": Kind::Boolean, "POP: the parameter is not in operation."
            => |o| flag(o.out_of_operation);
        "association": Kind::Range(0, 65_535), "AID: the users whose security statistics these are."
            => |o| Value::maybe(o.association, |association| Value::Integer(association.into()));
        "file.name": Kind::Range(0, 65_535), "NOF: name of the file or subdirectory."
            => |o| file(o, |file| file.name().map(|name| Value::Integer(name.into())));
        "file.section": Kind::Range(0, 255), "NOS: name of the section."
            => |o| file(o, |file| file.section().map(|section| Value::Integer(section.into())));
        "file.length": Kind::Range(0, 16_777_215), "LOF or LOS: length of the file, section or segment in octets."
            => |o| file(o, |file| file.length().map(|length| Value::Integer(length.into())));
        "file.checksum": Kind::Range(0, 255), "CHS: sum of the octets modulo 256."
            => |o| file(o, |file| file.checksum().map(|checksum| Value::Integer(checksum.into())));
        "file.negative": Kind::Boolean, "FRQ or SRQ: negative confirmation, or section not ready."
            => |o| file(o, |file| file.negative().map(Value::Boolean));
        "file.error": Kind::Range(0, 15), "The upper four bits of SCQ and AFQ: what went wrong."
            => |o| file(o, |file| file.error().map(|error| Value::Integer(error.into())));
        "file.error_name": Kind::Name(qualifier::ERRORS), "What the standard calls this error; absent if it is reserved or private."
            => |o| file(o, |file| {
                file.error().and_then(|error| qualifier::ERROR.name(error)).map(Value::Code)
            });
        "file.status": Kind::Range(0, 31), "SOF: status of the file; 0 is the default."
            => |o| status(o, |status| Value::Integer(status.code().into()));
        "file.last": Kind::Boolean, "LFD: the last file of the directory."
            => |o| status(o, |status| Value::Boolean(status.last()));
        "file.directory": Kind::Boolean, "FOR: the name is that of a subdirectory."
            => |o| status(o, |status| Value::Boolean(status.directory()));
        "file.active": Kind::Boolean, "FA: the file is being transferred."
            => |o| status(o, |status| Value::Boolean(status.active()));
        "file.from": Kind::Time, "First moment of the events that are asked for."
            => |o| file(o, |file| file.range().map(|[from, _]| moment(Some(from))));
        "file.to": Kind::Time, "Last moment of the events that are asked for."
            => |o| file(o, |file| file.range().map(|[_, to]| moment(Some(to))));
        "file.from_octets": Kind::Text, "The same as it came: seven octets of CP56Time2a in hexadecimal digits."
            => |o| file(o, |file| file.range_octets().map(|[from, _]| Value::Octets(from)));
        "file.to_octets": Kind::Text, "The same as it came: seven octets of CP56Time2a in hexadecimal digits."
            => |o| file(o, |file| file.range_octets().map(|[_, to]| Value::Octets(to)));
        "file.data": Kind::Text, "The octets of a segment, in hexadecimal digits."
            => |o| file(o, |file| file.segment().map(Value::Octets));
    }
}

/// The life of one command, once it is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct CommandRecord<'a> {
    pub(super) life: &'a Life,
    pub(super) outcome: Outcome,
}

/// Which field of [`COMMAND`] stands at each place of [`IEC104`], whose records these are; a number
/// beyond them where none does.
static FIELDS: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let field = |name| COMMAND.fields.iter().position(|field| field.name == name);
    IEC104.fields.iter().map(|place| field(place.name).unwrap_or(usize::MAX)).collect()
});

/// Lists of [`IEC104`].
const STEPS: usize = 1;
const POINTS: usize = 2;

/// A [`CommandRecord`] as what it is written and matched as.
pub(super) struct OfCommand<'a>(pub(super) CommandRecord<'a>);

impl Record for OfCommand<'_> {
    fn schema(&self) -> &'static Schema {
        &IEC104
    }

    fn value(&self, index: usize) -> Value<'_> {
        FIELDS.get(index).map_or(Value::Absent, |field| self.0.value(*field))
    }

    fn each(&self, index: usize, visit: &mut dyn FnMut(&dyn Record)) {
        match index {
            STEPS => self.0.life.steps().iter().for_each(|step| visit(step)),
            POINTS => self.0.life.points.runs().iter().for_each(|run| visit(run)),
            _ => {}
        }
    }

    fn message_type(&self) -> u8 {
        NO_MESSAGE
    }
}

record! {
    /// What was seen of a command.
    static STEP: Step = "step";
    fields {
        "": Kind::Name(Step::NAMES), "What was seen."
            => |s| Value::Code(*s as u8);
    }
}

type Run = std::ops::RangeInclusive<u32>;

record! {
    /// Addresses that follow one another.
    static RUN: Run = "run";
    fields {
        "first": Kind::Range(0, 16_777_215), "The first."
            => |r| Value::Integer((*r.start()).into());
        "last": Kind::Range(0, 16_777_215), "The last."
            => |r| Value::Integer((*r.end()).into());
    }
}

fn milliseconds(time: Option<Duration>) -> Value<'static> {
    // To the microsecond, as most captures have it.
    Value::maybe(time, |time| Value::Double(time.as_micros() as f64 / 1_000.0))
}

fn flag(flag: Option<bool>) -> Value<'static> {
    Value::maybe(flag, Value::Boolean)
}

fn moment(time: Option<Cp56Time2a>) -> Value<'static> {
    Value::maybe(time.and_then(Cp56Time2a::timestamp), Value::Time)
}

/// A part of a time that is no time; one that is one is told whole.
fn part(object: &InformationObject<'_>, part: Part) -> Value<'static> {
    let wrong = object.time.filter(|time| time.out_of_range().is_some());
    Value::maybe(wrong.and_then(|time| time.part(part)), |value| Value::Integer(value.into()))
}

#[inline]
fn file<'a>(
    object: &InformationObject<'a>,
    get: impl FnOnce(File<'a>) -> Option<Value<'a>>,
) -> Value<'a> {
    object.file().and_then(get).unwrap_or(Value::Absent)
}

fn status<'a>(
    object: &InformationObject<'a>,
    get: impl FnOnce(FileStatus) -> Value<'a>,
) -> Value<'a> {
    file(object, |file| file.status().map(get))
}

fn segmentation(
    apdu: &Apdu<'_>,
    get: impl FnOnce(Segmentation) -> Value<'static>,
) -> Value<'static> {
    let security = apdu.asdu.as_ref().and_then(Security::of);
    Value::maybe(security.and_then(|security| security.segmentation), get)
}

fn security(apdu: &Apdu<'_>, field: Field) -> Value<'static> {
    let security = apdu.asdu.as_ref().and_then(Security::of);
    let value = security.and_then(|security| security.field(field));
    Value::maybe(value, |value| Value::Integer(value.into()))
}

fn cause_name(code: u8) -> Value<'static> {
    if cause::Causes::RESERVED.and(cause::Causes::PRIVATE).contains(code) {
        return Value::Absent;
    }
    Value::Code(code)
}

/// The message counters' label: types by their identification, with two slots that no type has
/// for those without a name; then the formats and functions that carry no ASDU.
static MESSAGE_TYPES: &[&str; FIRST_FUNCTION as usize + Function::NAMES.len()] = &message_types();

/// An ASDU of a reserved type; the identification 0 is one itself.
const RESERVED: u8 = 0;
/// An ASDU of a private type.
const PRIVATE: u8 = types::FIRST_PRIVATE;
/// Format I without a whole ASDU header.
const NO_ASDU: u8 = PRIVATE + 1;
/// Format S.
const SUPERVISORY: u8 = PRIVATE + 2;
/// Format U with none of the functions.
const NO_FUNCTION: u8 = PRIVATE + 3;
const FIRST_FUNCTION: u8 = PRIVATE + 4;

const fn message_types() -> [&'static str; FIRST_FUNCTION as usize + Function::NAMES.len()] {
    let mut names = [""; FIRST_FUNCTION as usize + Function::NAMES.len()];
    let mut id = 0;
    while id < PRIVATE as usize {
        names[id] = types::NAMES[id];
        id += 1;
    }
    names[RESERVED as usize] = "reserved";
    names[PRIVATE as usize] = "private";
    names[NO_ASDU as usize] = "I";
    names[SUPERVISORY as usize] = "S";
    names[NO_FUNCTION as usize] = "U";
    let mut function = 0;
    while function < Function::NAMES.len() {
        names[FIRST_FUNCTION as usize + function] = Function::NAMES[function];
        function += 1;
    }
    names
}

#[inline]
fn message_type(apdu: &Apdu<'_>) -> u8 {
    match (apdu.control, apdu.asdu) {
        (Control::S { .. }, _) => SUPERVISORY,
        (Control::U(None), _) => NO_FUNCTION,
        (Control::U(Some(function)), _) => FIRST_FUNCTION + function as u8,
        (Control::I { .. }, None) => NO_ASDU,
        (Control::I { .. }, Some(asdu)) => match asdu.known {
            Some(known) => known.id,
            None if asdu.type_id >= types::FIRST_PRIVATE => PRIVATE,
            None => RESERVED,
        },
    }
}
