//! How records of a type are written: their table of fields as a tree of objects, every key
//! escaped beforehand.

use super::json::{Json, Key, Name};
use crate::event::{Field, Kind, Record, Schema, Value};

/// How to write records of one type.
#[derive(Debug)]
pub(crate) struct Layout {
    members: Vec<Member>,
}

#[derive(Debug)]
enum Member {
    Field { index: usize, key: Key, names: Names },
    Object { name: &'static str, key: Key, only: Option<u8>, members: Vec<Member> },
    List { index: usize, key: Key, element: Element },
}

#[derive(Debug)]
enum Element {
    /// The elements' only field has no name: they are plain values.
    Plain {
        key: Key,
        names: Names,
    },
    Object(Layout),
}

/// The quoted names of a field's codes; none if it has no codes, `None` for a code without a name.
type Names = Box<[Option<Name>]>;

impl Layout {
    /// How to write every field and list of `schema`.
    pub(crate) fn new(schema: &'static Schema) -> Self {
        let mut layout = Self::of_fields(schema, 0..schema.fields.len());
        for (index, list) in schema.lists.iter().enumerate() {
            layout.add_list(schema, index, list);
        }
        layout
    }

    /// How to write a part of the fields of `schema`.
    pub(crate) fn of_fields(schema: &'static Schema, part: std::ops::Range<usize>) -> Self {
        let mut layout = Self { members: Vec::new() };
        for (index, field) in schema.fields.iter().enumerate().take(part.end).skip(part.start) {
            let (members, key) = descend(&mut layout.members, field.name, schema.message_types);
            members.push(Member::Field { index, key: Key::new(key), names: names_of(field) });
        }
        layout
    }

    /// Adds the lists of `schema` that are not in an object.
    pub(crate) fn with_lists(mut self, schema: &'static Schema) -> Self {
        for (index, list) in schema.lists.iter().enumerate() {
            self.add_list(schema, index, list);
        }
        self
    }

    fn add_list(&mut self, schema: &'static Schema, index: usize, list: &crate::event::List) {
        let element = match list.element.fields {
            [field] if field.name.is_empty() => {
                Element::Plain { key: Key::none(), names: names_of(field) }
            }
            _ => Element::Object(Self::new(list.element)),
        };
        let (members, key) = descend(&mut self.members, list.name, schema.message_types);
        members.push(Member::List { index, key: Key::new(key), element });
    }

    /// Writes the members of `record` that it has, each with a comma after it.
    #[inline]
    pub(crate) fn write<R: Record + ?Sized>(&self, record: &R, json: &mut Json) {
        write_members(&self.members, record, json);
    }
}

/// Finds, or makes, the object that the member with this dotted name belongs in; and the member's
/// own key.
fn descend<'m>(
    mut members: &'m mut Vec<Member>,
    name: &'static str,
    message_types: &[&str],
) -> (&'m mut Vec<Member>, &'static str) {
    let mut path = name;
    while let Some((object, rest)) = path.split_once('.') {
        members = object_in(members, object, message_types);
        path = rest;
    }
    (members, path)
}

fn object_in<'m>(
    members: &'m mut Vec<Member>,
    wanted: &'static str,
    message_types: &[&str],
) -> &'m mut Vec<Member> {
    let found = members
        .iter()
        .position(|member| matches!(member, Member::Object { name, .. } if *name == wanted));
    let position = found.unwrap_or_else(|| {
        let only = message_types.iter().position(|message_type| *message_type == wanted);
        members.push(Member::Object {
            name: wanted,
            key: Key::new(wanted),
            only: only.map(|index| index as u8),
            members: Vec::new(),
        });
        members.len() - 1
    });
    match &mut members[position] {
        Member::Object { members, .. } => members,
        Member::Field { .. } | Member::List { .. } => unreachable!("it was found as an object"),
    }
}

fn names_of(field: &Field) -> Names {
    let Kind::Name(names) = field.kind else { return Box::default() };
    names.iter().map(|name| (!name.is_empty()).then(|| Name::new(name))).collect()
}

fn write_members<R: Record + ?Sized>(members: &[Member], record: &R, json: &mut Json) {
    for member in members {
        match member {
            Member::Field { index, key, names } => {
                write_field(record.value(*index), key, names, json);
            }
            Member::Object { only: Some(only), .. } if *only != record.message_type() => {}
            Member::Object { key, members, .. } => {
                let before = json.len();
                json.open(key, b'{');
                let empty = json.len();
                write_members(members, record, json);
                close(before, empty, b'}', json);
            }
            Member::List { index, key, element } => {
                let before = json.len();
                json.open(key, b'[');
                let empty = json.len();
                record.each(*index, &mut |element_record| {
                    write_element(element, element_record, json);
                });
                close(before, empty, b']', json);
            }
        }
    }
}

fn write_element(element: &Element, record: &dyn Record, json: &mut Json) {
    match element {
        Element::Plain { key, names } => write_field(record.value(0), key, names, json),
        Element::Object(layout) => {
            json.raw(b"{");
            let empty = json.len();
            layout.write(record, json);
            if json.len() > empty {
                json.truncate(json.len() - 1);
            }
            json.raw(b"},");
        }
    }
}

/// Ends an object or array, or takes it back if nothing is in it.
#[inline]
fn close(before: usize, empty: usize, bracket: u8, json: &mut Json) {
    if json.len() == empty {
        json.truncate(before);
    } else {
        json.close(bracket);
        json.raw(b",");
    }
}

#[inline]
fn write_field(value: Value<'_>, key: &Key, names: &Names, json: &mut Json) {
    match value {
        Value::Absent => {}
        Value::Boolean(flag) => json.boolean(key, flag),
        Value::Integer(number) => json.integer(key, number),
        Value::Single(number) => json.single(key, number),
        Value::Double(number) => json.double(key, number),
        Value::Code(code) => {
            if let Some(Some(name)) = names.get(usize::from(code)) {
                json.name(key, name);
            }
        }
        Value::Text(text) => json.text(key, text),
        Value::Address(address) => json.address(key, address),
        Value::Time(time) => json.time(key, time),
    }
}
