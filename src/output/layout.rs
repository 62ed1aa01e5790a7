//! How records of a type are written: every key escaped beforehand, and for each field the object
//! that it is in.
//!
//! A record shows the fields that it has in the order of its table; an object is opened when its
//! first field comes, and closed when a field of another object does. What cannot be written on
//! the way is written when its object is closed: lists, for they come after the fields, and
//! fields that stand apart from the others of their object. So every key is there once.

use std::ops::Range;

use super::json::{Json, Key, Member};
use crate::event::{Field, Hex, Kind, Record, Redaction, Schema, Value};
use crate::json::{Path, Paths};

/// How to write records of one type.
#[derive(Debug)]
pub(crate) struct Layout {
    /// By index of [`Schema::fields`].
    fields: Vec<Slot>,
    /// By index of [`Schema::lists`].
    lists: Vec<ListSlot>,
    /// By index of [`Schema::documents`].
    documents: Vec<DocumentSlot>,
    /// The record itself, then the objects in it.
    objects: Vec<Object>,
}

#[derive(Debug)]
struct Slot {
    /// An index of [`Layout::objects`], or [`LATE`].
    object: usize,
    values: Values,
}

/// Instead of an object: the field is not written on the way, but when its object is closed.
const LATE: usize = usize::MAX;

/// How the values of a field are written.
#[derive(Debug)]
struct Values {
    key: Key,
    /// Members that are known beforehand: of a field with names one for each code, `None` for a
    /// code without a name; of a flag those for false and true; of other fields none.
    known: Box<[Option<Member>]>,
    /// What is written in place of any value.
    mark: Option<Member>,
}

#[derive(Debug)]
struct ListSlot {
    key: Key,
    element: Element,
}

#[derive(Debug)]
struct DocumentSlot {
    key: Key,
    is_hidden: bool,
    /// What is written of it.
    paths: Paths,
}

#[derive(Debug)]
enum Element {
    /// The elements' only field has no name: they are plain values.
    Plain(Values),
    Object(Layout),
}

#[derive(Debug)]
struct Object {
    /// The dotted name.
    name: String,
    key: Key,
    parent: usize,
    depth: usize,
    /// The only type of message that has this object, where it is named after one.
    only: Option<u8>,
    /// What is written when it is closed.
    late_fields: Vec<usize>,
    lists: Vec<usize>,
    documents: Vec<usize>,
    /// Objects in it that have such fields, lists or documents, or objects with some.
    late_objects: Vec<usize>,
    /// The same of objects that only one type of message has, by that type.
    late_by_type: Vec<Option<usize>>,
}

/// The record itself, among [`Layout::objects`].
const RECORD: usize = 0;

impl Layout {
    /// How to write every field and list of `schema`, but for what is hidden.
    pub(crate) fn new(schema: &'static Schema, redaction: Redaction) -> Self {
        let mut layout = Self {
            fields: Vec::new(),
            lists: Vec::new(),
            documents: Vec::new(),
            objects: Vec::new(),
        };
        layout.add_object(String::new(), "", RECORD, None);
        let mut closed = vec![false];
        let mut current = RECORD;
        for field in schema.fields {
            let (object, key) = layout.descend(field.name, schema.message_types);
            closed.resize(layout.objects.len(), false);
            let is_late = layout.path(object).any(|object| closed[object]);
            if is_late {
                layout.objects[object].late_fields.push(layout.fields.len());
                layout.note_late(object);
            } else {
                let left =
                    layout.path(current).filter(|left| !layout.path(object).any(|o| o == *left));
                left.for_each(|left| closed[left] = true);
                current = object;
            }
            layout.fields.push(Slot {
                object: if is_late { LATE } else { object },
                values: Values::new(field, Some(key), redaction),
            });
        }
        for list in schema.lists {
            let (object, key) = layout.descend(list.name, schema.message_types);
            layout.objects[object].lists.push(layout.lists.len());
            layout.note_late(object);
            let element = match list.element.fields {
                [field] if field.name.is_empty() => {
                    Element::Plain(Values::new(field, None, redaction))
                }
                _ => Element::Object(Self::new(list.element, redaction)),
            };
            layout.lists.push(ListSlot { key: Key::new(key), element });
        }
        for document in schema.documents {
            let (object, key) = layout.descend(document.name, schema.message_types);
            layout.objects[object].documents.push(layout.documents.len());
            layout.note_late(object);
            let is_hidden = redaction.hides(document.secrecy);
            layout.documents.push(DocumentSlot {
                key: Key::new(key),
                is_hidden,
                paths: Paths::default(),
            });
        }
        assert!(layout.objects.len() <= Writing::OBJECTS, "{} has too many objects", schema.name);
        layout
    }

    /// Of documents, these paths are written from now on: place in [`Schema::documents`], and path.
    pub(crate) fn set_paths<'p>(&mut self, paths: impl IntoIterator<Item = &'p (usize, Path)>) {
        for document in &mut self.documents {
            document.paths = Paths::default();
        }
        for (place, path) in paths {
            self.documents[*place].paths.add(path);
        }
    }

    /// Finds, or makes, the object that the member with this dotted name is in; and the member's
    /// own key.
    fn descend(&mut self, name: &'static str, message_types: &[&str]) -> (usize, &'static str) {
        let mut object = RECORD;
        let mut start = 0;
        while let Some((key, _)) = name[start..].split_once('.') {
            let end = start + key.len();
            let found = self.objects.iter().position(|object| object.name == name[..end]);
            object = found.unwrap_or_else(|| {
                let only = message_types.iter().position(|message_type| *message_type == key);
                self.add_object(name[..end].to_owned(), key, object, only.map(|only| only as u8))
            });
            start = end + 1;
        }
        (object, &name[start..])
    }

    fn add_object(&mut self, name: String, key: &str, parent: usize, only: Option<u8>) -> usize {
        self.objects.push(Object {
            name,
            key: Key::new(key),
            parent,
            depth: self.objects.get(parent).map_or(0, |parent| parent.depth + 1),
            only,
            late_fields: Vec::new(),
            lists: Vec::new(),
            documents: Vec::new(),
            late_objects: Vec::new(),
            late_by_type: Vec::new(),
        });
        self.objects.len() - 1
    }

    /// An object and those that it is in, but for the record itself.
    fn path(&self, object: usize) -> impl Iterator<Item = usize> + '_ {
        let up = |object: &usize| Some(self.objects[*object].parent);
        std::iter::successors(Some(object), up).take_while(|object| *object != RECORD)
    }

    /// Lets all that an object is in know that something in it is written late.
    fn note_late(&mut self, object: usize) {
        let path: Vec<_> = self.path(object).collect();
        for object in path {
            let Object { parent, only, .. } = self.objects[object];
            self.objects[parent].note_late(object, only);
        }
    }

    /// Writes the members of `record` that it has, each with a comma after it.
    #[inline]
    pub(crate) fn write(&self, record: &dyn Record, json: &mut Json) {
        let mut writing = Writing { layout: self, record, json, current: RECORD, opened: 1 };
        record.present(&mut |index, value| writing.field(index, value));
        writing.finish();
    }

    /// Writes only the fields in this range, none of them in an object.
    #[inline]
    pub(crate) fn write_flat(&self, range: Range<usize>, record: &dyn Record, json: &mut Json) {
        for (slot, index) in self.fields.get(range.clone()).unwrap_or_default().iter().zip(range) {
            debug_assert_eq!(slot.object, RECORD);
            slot.values.write(record.value(index), json);
        }
    }

    /// Writes only this list, which is in no object.
    #[inline]
    pub(crate) fn write_list(&self, index: usize, record: &dyn Record, json: &mut Json) {
        if let Some(list) = self.lists.get(index) {
            write_list(list, index, record, json);
        }
    }

    /// Writes the fields in this range, and what is written after all fields.
    #[cold]
    pub(crate) fn write_rest(&self, range: Range<usize>, record: &dyn Record, json: &mut Json) {
        let mut writing = Writing { layout: self, record, json, current: RECORD, opened: 1 };
        for index in range {
            writing.field(index, record.value(index));
        }
        writing.finish();
    }
}

impl Object {
    fn note_late(&mut self, object: usize, only: Option<u8>) {
        if let Some(only) = only.map(usize::from) {
            self.late_by_type.resize(self.late_by_type.len().max(only + 1), None);
            self.late_by_type[only] = Some(object);
        } else if !self.late_objects.contains(&object) {
            self.late_objects.push(object);
        }
    }
}

impl Values {
    /// Of a field with this key, or of elements of an array.
    fn new(field: &Field, key: Option<&str>, redaction: Redaction) -> Self {
        let mark = redaction.hides(field.secrecy).then(|| Member::name(key, Redaction::MARK));
        let known = match field.kind {
            Kind::Boolean => [false, true].map(|flag| Some(Member::flag(key, flag))).into(),
            Kind::Name(names) => {
                let member = |name: &&str| (!name.is_empty()).then(|| Member::name(key, name));
                names.iter().map(member).collect()
            }
            _ => Box::default(),
        };
        Self { key: key.map_or_else(Key::none, Key::new), known, mark }
    }

    #[inline]
    fn known(&self, value: Value<'_>) -> Option<&Member> {
        let place = match value {
            Value::Boolean(flag) => usize::from(flag),
            Value::Code(code) => usize::from(code),
            _ => return None,
        };
        self.known.get(place)?.as_ref()
    }

    /// Whether there is anything to write.
    fn has_text(&self, value: Value<'_>) -> bool {
        match value {
            Value::Absent => false,
            Value::Code(_) => self.known(value).is_some(),
            _ => true,
        }
    }

    #[inline]
    fn write(&self, value: Value<'_>, json: &mut Json) {
        if let Some(mark) = &self.mark {
            return self.write_mark(value, mark, json);
        }
        let key = &self.key;
        match value {
            Value::Absent => {}
            Value::Boolean(flag) => match self.known(value) {
                Some(member) => json.member(member),
                None => json.boolean(key, flag),
            },
            Value::Integer(number) => json.integer(key, number),
            Value::Single(number) => json.single(key, number),
            Value::Double(number) => json.double(key, number),
            Value::Code(_) => self.known(value).into_iter().for_each(|member| json.member(member)),
            Value::Text(text) => json.text(key, text),
            Value::Octets(octets) => json.text(key, Hex::new(octets).as_bytes()),
            Value::Address(address) => json.address(key, address),
            Value::Time(time) => json.time(key, time),
        }
    }
}

impl Values {
    #[cold]
    fn write_mark(&self, value: Value<'_>, mark: &Member, json: &mut Json) {
        if self.has_text(value) {
            json.member(mark);
        }
    }
}

/// A record on its way.
struct Writing<'w> {
    layout: &'w Layout,
    record: &'w dyn Record,
    json: &'w mut Json,
    /// The object that is open, and with it those that it is in.
    current: usize,
    /// One bit an object: those that are, or were, open.
    opened: u128,
}

impl Writing<'_> {
    /// How many objects fit into [`Writing::opened`].
    const OBJECTS: usize = u128::BITS as usize;

    #[inline]
    fn field(&mut self, index: usize, value: Value<'_>) {
        let Some(slot) = self.layout.fields.get(index) else { return };
        if slot.object != self.current {
            if slot.object == LATE || !slot.values.has_text(value) {
                return;
            }
            self.enter(slot.object);
        }
        slot.values.write(value, self.json);
    }

    /// Closes and opens objects until this one is open, and none in it.
    fn enter(&mut self, object: usize) {
        while self.current != object {
            let (from, to) = (&self.layout.objects[self.current], &self.layout.objects[object]);
            if to.depth > from.depth {
                self.enter(to.parent);
                self.open(object);
            } else {
                self.close();
            }
        }
    }

    fn open(&mut self, object: usize) {
        self.json.open(&self.layout.objects[object].key, b'{');
        self.opened |= 1 << object;
        self.current = object;
    }

    fn close(&mut self) {
        self.late();
        self.json.end(b'}');
        self.current = self.layout.objects[self.current].parent;
    }

    fn finish(&mut self) {
        self.enter(RECORD);
        self.late();
    }

    /// Writes what is left to write into the current object.
    #[inline]
    fn late(&mut self) {
        let layout = self.layout;
        let object = &layout.objects[self.current];
        for index in &object.late_fields {
            layout.fields[*index].values.write(self.record.value(*index), self.json);
        }
        for index in &object.lists {
            write_list(&layout.lists[*index], *index, self.record, self.json);
        }
        for index in &object.documents {
            write_document(&layout.documents[*index], *index, self.record, self.json);
        }
        for late in &object.late_objects {
            self.late_object(*late);
        }
        if !object.late_by_type.is_empty() {
            let late = object.late_by_type.get(usize::from(self.record.message_type()));
            late.into_iter().flatten().for_each(|late| self.late_object(*late));
        }
    }

    /// Writes an object of which no field came on the way, if anything is in it.
    fn late_object(&mut self, object: usize) {
        if self.opened & 1 << object != 0 {
            return;
        }
        let parent = self.current;
        let before = self.json.len();
        self.open(object);
        let empty = self.json.len();
        self.late();
        if self.json.len() == empty {
            self.json.truncate(before);
        } else {
            self.json.end(b'}');
        }
        self.current = parent;
    }
}

fn write_list(list: &ListSlot, index: usize, record: &dyn Record, json: &mut Json) {
    let mut is_open = false;
    record.each(index, &mut |element| {
        if !is_open {
            json.open(&list.key, b'[');
            is_open = true;
        }
        write_element(&list.element, element, json);
    });
    if is_open {
        json.end(b']');
    }
}

/// Hidden values are left out: a mark would be text where there were numbers.
fn write_document(document: &DocumentSlot, index: usize, record: &dyn Record, json: &mut Json) {
    if document.paths.is_empty() || document.is_hidden {
        return;
    }
    if let Some(octets) = record.document(index) {
        json.excerpt(&document.key, octets, &document.paths);
    }
}

fn write_element(element: &Element, record: &dyn Record, json: &mut Json) {
    match element {
        Element::Plain(values) => values.write(record.value(0), json),
        Element::Object(layout) => {
            json.begin();
            layout.write(record, json);
            json.end(b'}');
        }
    }
}
