//! How the field table of MQTT is written: an object a packet type, with the same beginning, and the
//! properties that it may have.

use super::header::PacketType;
use super::packet::Packet;
use crate::event::{Record, Value};

/// Declares the table: fields of all packets, then an object a packet type.
macro_rules! packets {
    (
        all |$all:ident| {
            $($all_name:literal: $all_kind:expr, $(gives $all_secrecy:ident,)? $all_doc:literal =>
                $all_get:expr;)*
        }
        $(
            $object:literal $kind:ident |$p:ident| {
                $($name:literal: $field_kind:expr, $(gives $secrecy:ident,)? $doc:literal =>
                    $get:expr;)*
                $(properties $path:literal ($properties:expr) [$($property:ident)*];)*
                $(list $list:literal of $element:ident, $list_doc:literal => |$visit:ident| $each:expr;)*
            }
        )*
    ) => {
        static FIELDS: &[Field] = &[
            $(Field {
                name: concat!("mqtt.", $all_name),
                kind: $all_kind,
                secrecy: record!(@secrecy $($all_secrecy)?),
                doc: $all_doc,
            },)*
            $(
                Field {
                    name: concat!("mqtt.", $object, ".qos"),
                    kind: Kind::Range(0, 3),
                    secrecy: Secrecy::Open,
                    doc: "QoS bits of the fixed header.",
                },
                Field {
                    name: concat!("mqtt.", $object, ".retain"),
                    kind: Kind::Boolean,
                    secrecy: Secrecy::Open,
                    doc: "RETAIN bit of the fixed header.",
                },
                Field {
                    name: concat!("mqtt.", $object, ".dup"),
                    kind: Kind::Boolean,
                    secrecy: Secrecy::Open,
                    doc: "DUP bit of the fixed header.",
                },
                $(Field {
                    name: concat!("mqtt.", $object, ".", $name),
                    kind: $field_kind,
                    secrecy: record!(@secrecy $($secrecy)?),
                    doc: $doc,
                },)*
                $($({
                    const PROPERTY: &Property = Property::named(stringify!($property));
                    Field {
                        name: concat!("mqtt.", $object, ".", $path, ".", stringify!($property)),
                        kind: PROPERTY.kind(),
                        secrecy: PROPERTY.secrecy(),
                        doc: PROPERTY.doc,
                    }
                },)*)*
            )*
        ];

        static LISTS: &[List] = &[
            $(
                $(List {
                    name: concat!("mqtt.", $object, ".", $path, ".user_property"),
                    doc: "Names and values that the peers agreed on.",
                    element: &USER_PROPERTY,
                },)*
                $(List {
                    name: concat!("mqtt.", $object, ".", $list),
                    doc: $list_doc,
                    element: &$element,
                },)*
            )*
        ];

        static GET: &[Get] = &[
            $(|$all| $all_get,)*
            $(
                |p| own(p, PacketType::$kind, |p| Value::Integer(p.header.qos().into())),
                |p| own(p, PacketType::$kind, |p| Value::Boolean(p.header.retain())),
                |p| own(p, PacketType::$kind, |p| Value::Boolean(p.header.dup())),
                $(|p| own(p, PacketType::$kind, |$p| $get),)*
                $($(|p| own(p, PacketType::$kind, |$p| {
                    const PROPERTY: &Property = Property::named(stringify!($property));
                    $properties.value(PROPERTY)
                }),)*)*
            )*
        ];

        /// Asks only for the fields of all packets and those of the packet's own object.
        #[inline]
        #[allow(unused_variables, reason = "some packet types have no fields of their own")]
        fn present(packet: &Packet<'_>, visit: &mut dyn FnMut(usize, Value<'_>)) {
            let mut shown = Shown { next: 0, visit };
            let $all = packet;
            $(shown.next($all_get);)*
            $(
                if packet.header.kind == PacketType::$kind {
                    shown.next(Value::Integer(packet.header.qos().into()));
                    shown.next(Value::Boolean(packet.header.retain()));
                    shown.next(Value::Boolean(packet.header.dup()));
                    #[allow(unused_variables, reason = "pings have no fields of their own")]
                    let $p = packet;
                    $(shown.next($get);)*
                    $(
                        #[allow(unused_variables, reason = "some have user properties only")]
                        let properties = $properties;
                        $({
                            const PROPERTY: &Property = Property::named(stringify!($property));
                            shown.next(properties.value(PROPERTY));
                        })*
                    )*
                    return;
                }
                shown.next += {
                    const OWN: &[&str] = &[$($name,)* $($(stringify!($property),)*)*];
                    3 + OWN.len()
                };
            )*
        }

        static EACH: &[Each] = &[
            $(
                $(|p, visit| if p.header.kind == PacketType::$kind {
                    let $p = p;
                    $properties.each_user_property(&mut |pair| visit(pair));
                },)*
                $(|p, $visit| if p.header.kind == PacketType::$kind {
                    let $p = p;
                    $each
                },)*
            )*
        ];
    };
}

pub(super) use packets;

/// Fields on their way to who reads all of them.
pub(super) struct Shown<'v> {
    /// The index of the next one.
    pub(super) next: usize,
    pub(super) visit: &'v mut dyn FnMut(usize, Value<'_>),
}

impl Shown<'_> {
    #[inline(always)]
    pub(super) fn next(&mut self, value: Value<'_>) {
        if !matches!(value, Value::Absent) {
            (self.visit)(self.next, value);
        }
        self.next += 1;
    }
}

pub(super) type Get = for<'a> fn(&'a Packet<'a>) -> Value<'a>;
pub(super) type Each = for<'a> fn(&'a Packet<'a>, &mut dyn FnMut(&dyn Record));

/// A field of one packet type's object.
#[inline(always)]
pub(super) fn own<'a>(
    packet: &'a Packet<'a>,
    kind: PacketType,
    get: impl FnOnce(&'a Packet<'a>) -> Value<'a>,
) -> Value<'a> {
    if packet.header.kind == kind { get(packet) } else { Value::Absent }
}
