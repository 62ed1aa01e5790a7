//! The field table holds together.

use std::collections::HashSet;

use super::super::header::PacketType;
use super::super::properties::{Place, Property};
use super::MQTT;

#[test]
fn names_are_unique_and_resolve_to_themselves() {
    let paths: Vec<_> = MQTT.paths().collect();
    let names: HashSet<_> = paths.iter().map(|(name, ..)| name).collect();
    assert_eq!(names.len(), paths.len());
    for (name, path, _) in &paths {
        assert_eq!(MQTT.resolve(name), Some(*path), "{name}");
    }
    assert!(MQTT.fields.len() <= 255 && MQTT.lists.len() <= 255, "a FieldPath holds an octet");
}

#[test]
fn fields_stand_in_the_object_of_a_packet_type() {
    for field in MQTT.fields {
        let mut parts = field.name.split('.');
        assert_eq!(parts.next(), Some("mqtt"));
        let object = parts.next().unwrap();
        assert!(parts.next().is_none() || MQTT.message_types.contains(&object), "{}", field.name);
        assert!(field.doc.ends_with('.'), "{}", field.name);
    }
}

/// Each property has a field or list wherever it may stand, and nowhere else.
#[test]
fn every_property_has_its_fields() {
    let names: HashSet<_> = MQTT
        .paths()
        .map(|(name, ..)| name.replace(".user_property.name", ".user_property"))
        .collect();
    for property in Property::all() {
        for (number, label) in MQTT.message_types.iter().enumerate().skip(1) {
            let name = format!("mqtt.{label}.properties.{}", property.name);
            let here = property.is_allowed(Place::packet(PacketType::ALL[number]));
            assert_eq!(names.contains(&name), here, "{name}");
        }
        let name = format!("mqtt.connect.will.properties.{}", property.name);
        assert_eq!(names.contains(&name), property.is_allowed(Place::WILL), "{name}");
    }
}
