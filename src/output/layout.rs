//! How records of a type are written: their table of fields as a tree of objects, every key
//! escaped beforehand.

use super::json::{Json, Token};
use crate::event::{Field, Kind, Record, Schema, Value};

/// How to write records of one type.
#[derive(Debug)]
pub(crate) struct Layout {
    members: Vec<Member>,
}

#[derive(Debug)]
enum Member {
    Field { index: usize, key: Token, names: Names },
    Object { name: &'static str, key: Token, only: Option<u8>, members: Vec<Member> },
    List { index: usize, key: Token, element: Element },
}

#[derive(Debug)]
enum Element {
    /// The elements' only field has no name: they are plain values.
    Plain(Names),
    Object(Layout),
}

/// The quoted names of a field's codes; none if it has no codes, `None` for a code without a name.
type Names = Box<[Option<Token>]>;

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
            members.push(Member::Field { index, key: Token::key(key), names: names_of(field) });
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
            [field] if field.name.is_empty() => Element::Plain(names_of(field)),
            _ => Element::Object(Self::new(list.element)),
        };
        let (members, key) = descend(&mut self.members, list.name, schema.message_types);
        members.push(Member::List { index, key: Token::key(key), element });
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
            key: Token::key(wanted),
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
    names.iter().map(|name| (!name.is_empty()).then(|| Token::name(name))).collect()
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
                json.token(key);
                json.push(b'{');
                let empty = json.len();
                write_members(members, record, json);
                close(before, empty, b'}', json);
            }
            Member::List { index, key, element } => {
                let before = json.len();
                json.token(key);
                json.push(b'[');
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
        Element::Plain(names) => {
            if write_value(record.value(0), names, json) {
                json.push(b',');
            }
        }
        Element::Object(layout) => {
            json.push(b'{');
            let empty = json.len();
            layout.write(record, json);
            if json.len() == empty {
                json.push(b'}');
            } else {
                json.close(b'}');
            }
            json.push(b',');
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
        json.push(b',');
    }
}

#[inline]
fn write_field(value: Value<'_>, key: &Token, names: &Names, json: &mut Json) {
    if matches!(value, Value::Absent) {
        return;
    }
    let before = json.len();
    json.token(key);
    if write_value(value, names, json) {
        json.push(b',');
    } else {
        json.truncate(before);
    }
}

/// Whether there was a value to write.
#[inline]
fn write_value(value: Value<'_>, names: &Names, json: &mut Json) -> bool {
    match value {
        Value::Absent => return false,
        Value::Boolean(flag) => json.boolean(flag),
        Value::Integer(number) => json.integer(number),
        Value::Single(number) => json.single(number),
        Value::Double(number) => json.double(number),
        Value::Code(code) => match names.get(usize::from(code)) {
            Some(Some(name)) => json.token(name),
            Some(None) | None => return false,
        },
        Value::Text(text) => json.string(text),
        Value::Address(address) => json.address(address),
        Value::Time(time) => json.time(time),
    }
    true
}
