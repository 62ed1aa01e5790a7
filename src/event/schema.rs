//! The field table: one line a field, with its name, kind, meaning and accessor.
//!
//! The [`record!`] macro turns the table of a record type into its [`Schema`] (names, kinds and
//! meanings: what rules, the EVE writer, `gridtap rules fields` and the documentation read) and
//! its [`Record`] implementation (the accessors). Neither can drift from the other.

use super::{Kind, Secrecy, Value};

/// A field of a record.
#[derive(Debug)]
pub struct Field {
    /// The dotted name, as in the written record and in rules; `""` for the elements of a list of
    /// plain values.
    pub name: &'static str,
    /// What values it has.
    pub kind: Kind,
    /// What its values give away.
    pub secrecy: Secrecy,
    /// What it means, with unit and range; one sentence.
    pub doc: &'static str,
}

/// A field that has several values: a list of objects, or of plain values.
#[derive(Debug)]
pub struct List {
    /// The dotted name.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// The fields of one element.
    pub element: &'static Schema,
}

/// JSON that somebody sent, of which rules ask for values by paths behind its name:
/// `mqtt.publish.json.voltage`. Decoded only if they do.
#[derive(Debug)]
pub struct Document {
    /// The dotted name.
    pub name: &'static str,
    /// What it gives away.
    pub secrecy: Secrecy,
    /// What it means.
    pub doc: &'static str,
}

/// What a record is that is not about one message, although others of its type are.
pub const NO_MESSAGE: u8 = u8::MAX;

/// The table of a record type.
#[derive(Debug)]
pub struct Schema {
    /// `event_type` in the written record, `service` in a rule's `logsource`.
    pub name: &'static str,
    /// What a record of this type is.
    pub doc: &'static str,
    /// In the order in which they are written; those of one object stand together.
    pub fields: &'static [Field],
    /// Written after the fields.
    pub lists: &'static [List],
    /// Written after the lists, as much of them as rules ask for.
    pub documents: &'static [Document],
    /// Names for [`Record::message_type`]: the label `type` of the message counters. An object that
    /// is named after a type has members in messages of that type only.
    pub message_types: &'static [&'static str],
}

/// Something that happened, with named fields.
pub trait Record {
    /// The table of this record type.
    fn schema(&self) -> &'static Schema;

    /// The value of the field at `index` of [`Schema::fields`].
    fn value(&self, index: usize) -> Value<'_>;

    /// Shows the fields that this record has, in order, each with its index: for who reads all of
    /// them, a fraction of the cost of asking for one after another.
    fn present(&self, visit: &mut dyn FnMut(usize, Value<'_>)) {
        for index in 0..self.schema().fields.len() {
            match self.value(index) {
                Value::Absent => {}
                value => visit(index, value),
            }
        }
    }

    /// Shows each element of the list at `index` of [`Schema::lists`].
    fn each(&self, index: usize, visit: &mut dyn FnMut(&dyn Record));

    /// The octets of the document at `index` of [`Schema::documents`], if all of them are there. They
    /// may be no JSON.
    fn document(&self, _index: usize) -> Option<&[u8]> {
        None
    }

    /// Which of [`Schema::message_types`] this is, or [`NO_MESSAGE`].
    fn message_type(&self) -> u8 {
        0
    }
}

/// Declares the table of a record type: its [`Schema`] and its [`Record`] implementation. A name
/// may be written in several literals, so that a macro can put a prefix before it.
///
/// ```text
/// record! {
///     /// What a record of this type is.
///     pub static SCHEMA: Type<'a> = "service";
///     message_types(&NAMES, |r| r.code);                                        // optional
///     fields {
///         "a.dotted.name": Kind::Integer, "What it means." => |r| Value::Integer(r.number);
///         "a.user": Kind::Text, gives UserName, "Who it is." => |r| Value::text(r.user);
///     }
///     lists {                                                                   // optional
///         "a.list": ELEMENT_SCHEMA, "What it means." => |r, visit| r.list.for_each(visit);
///     }
///     documents {                                                               // optional
///         "a.json": Payload, "What it means." => |r| r.octets;
///     }
/// }
/// ```
#[macro_export]
macro_rules! record {
    (
        $(#[doc = $doc:literal])+
        $vis:vis static $schema:ident: $record:ident $(<$lt:lifetime>)? = $service:literal;
        $(message_types($types:expr, |$typed:ident| $message_type:expr);)?
        fields {
            $($($name:literal)+: $kind:expr, $(gives $secrecy:ident,)? $about:literal =>
                |$r:ident| $get:expr;)*
        }
        $(lists {
            $($list:literal: $element:expr, $list_about:literal =>
                |$l:ident, $visit:ident| $each:expr;)*
        })?
        $(documents {
            $($document:literal: $gives:ident, $document_about:literal =>
                |$d:ident| $octets:expr;)*
        })?
    ) => {
        $(#[doc = $doc])+
        $vis static $schema: $crate::event::Schema = $crate::event::Schema {
            name: $service,
            doc: concat!($($doc, "\n"),+),
            fields: &[$(
                $crate::event::Field {
                    name: concat!($($name),+),
                    kind: $kind,
                    secrecy: $crate::record!(@secrecy $($secrecy)?),
                    doc: $about,
                }
            ),*],
            lists: &[$($(
                $crate::event::List { name: $list, doc: $list_about, element: &$element }
            ),*)?],
            documents: &[$($(
                $crate::event::Document {
                    name: $document,
                    secrecy: $crate::event::Secrecy::$gives,
                    doc: $document_about,
                }
            ),*)?],
            message_types: $crate::record!(@types $($types)?),
        };

        impl $(<$lt>)? $crate::event::Record for $record $(<$lt>)? {
            #[inline]
            fn schema(&self) -> &'static $crate::event::Schema {
                &$schema
            }

            #[inline]
            fn value(&self, index: usize) -> $crate::event::Value<'_> {
                static GET: &[$crate::record!(@get $record $($lt)?)] = &[$(|$r| $get),*];
                GET.get(index).map_or($crate::event::Value::Absent, |get| get(self))
            }

            fn present(&self, visit: &mut dyn FnMut(usize, $crate::event::Value<'_>)) {
                let mut next = 0;
                $(
                    let $r = self;
                    match $get {
                        $crate::event::Value::Absent => {}
                        value => visit(next, value),
                    }
                    next += 1;
                )*
                debug_assert_eq!(next, $schema.fields.len());
            }

            fn each(&self, index: usize, visit: &mut dyn FnMut(&dyn $crate::event::Record)) {
                static EACH: &[$crate::record!(@each $record $($lt)?)] =
                    &[$($(|$l, $visit| $each),*)?];
                if let Some(each) = EACH.get(index) {
                    each(self, visit);
                }
            }

            fn document(&self, index: usize) -> Option<&[u8]> {
                static OCTETS: &[$crate::record!(@octets $record $($lt)?)] =
                    &[$($(|$d| $octets),*)?];
                OCTETS.get(index).and_then(|octets| octets(self))
            }

            $(
                #[inline]
                fn message_type(&self) -> u8 {
                    let $typed = self;
                    $message_type
                }
            )?
        }
    };
    (@types) => { &[] };
    (@secrecy) => { $crate::event::Secrecy::Open };
    (@secrecy $secrecy:ident) => { $crate::event::Secrecy::$secrecy };
    (@types $types:expr) => { $types };
    (@get $record:ident) => { for<'r> fn(&'r $record) -> $crate::event::Value<'r> };
    (@get $record:ident $lt:lifetime) => {
        for<$lt> fn(&$lt $record<$lt>) -> $crate::event::Value<$lt>
    };
    (@octets $record:ident) => { for<'r> fn(&'r $record) -> Option<&'r [u8]> };
    (@octets $record:ident $lt:lifetime) => {
        for<$lt> fn(&$lt $record<$lt>) -> Option<&$lt [u8]>
    };
    (@each $record:ident) => {
        for<'r> fn(&'r $record, &mut dyn FnMut(&dyn $crate::event::Record))
    };
    (@each $record:ident $lt:lifetime) => {
        for<$lt> fn(&$lt $record<$lt>, &mut dyn FnMut(&dyn $crate::event::Record))
    };
}
