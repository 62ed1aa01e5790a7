//! What is configured of servers: keys that protocols register, read without knowing any of them.

use std::time::Duration;

use ipnet::IpNet;

use super::reader::{Reader, Section};
use super::setting::{Key, Keys, Kind, Setting};
use super::value::UtcOffset;
use crate::document::yaml::Node;
use crate::protocol::{
    Configured, Parameter, ParameterKind, Protocol, REGISTRY, ServerSettings, Standard,
};

/// Protocols of which something can be configured.
const PROTOCOLS: usize = count().0;

/// The keys of the members of all their lists.
const MEMBERS: usize = count().1;

/// The keys of `protocols`, in the order of [`REGISTRY`].
const LISTS: [Key; PROTOCOLS] = lists();

/// The keys of the members of each list, one list after the other.
const MEMBER_KEYS: &[Key] = &member_keys();

/// The first key of a member.
const SERVERS: Key = Key {
    identifier: "servers",
    meaning: "Addresses and networks of the servers that this member is for. Without any: all.",
    default: Some("[]"),
    range: None,
    shown: None,
    sample: Some("[10.30.0.0/16]"),
    kind: <Vec<IpNet> as Setting>::KIND,
};

const fn count() -> (usize, usize) {
    let (mut protocols, mut keys, mut place) = (0, 0, 0);
    while place < REGISTRY.len() {
        let table = REGISTRY[place].parameters.table;
        if !table.is_empty() {
            protocols += 1;
            keys += 1 + table.len();
        }
        place += 1;
    }
    (protocols, keys)
}

const fn member_keys() -> [Key; MEMBERS] {
    let mut keys = [SERVERS; MEMBERS];
    let (mut next, mut place) = (0, 0);
    while place < REGISTRY.len() {
        let table = REGISTRY[place].parameters.table;
        let mut index = 0;
        next += !table.is_empty() as usize;
        while index < table.len() {
            keys[next] = member_key(&table[index]);
            next += 1;
            index += 1;
        }
        place += 1;
    }
    keys
}

const fn member_key(parameter: &'static Parameter) -> Key {
    let kind = match parameter.kind {
        ParameterKind::Number => u32::KIND,
        ParameterKind::Time => Duration::KIND,
        ParameterKind::Flag => bool::KIND,
        ParameterKind::UtcOffset => UtcOffset::KIND,
    };
    let (default, sample) = match parameter.default {
        Standard::Is(_, text) => (Some(text), None),
        Standard::Unknown(text) => (None, Some(text)),
    };
    Key {
        identifier: parameter.name,
        meaning: parameter.meaning,
        default,
        range: parameter.range,
        shown: None,
        sample,
        kind: Kind { optional: default.is_none(), ..kind },
    }
}

const fn lists() -> [Key; PROTOCOLS] {
    let mut lists = [SERVERS; PROTOCOLS];
    let (mut next, mut place, mut rest) = (0, 0, MEMBER_KEYS);
    while place < REGISTRY.len() {
        let Protocol { name, parameters, .. } = REGISTRY[place];
        if !parameters.table.is_empty() {
            let (keys, others) = rest.split_at(1 + parameters.table.len());
            let about = "The first member that is for a server's address counts for its \
                         connections; for a server that no member is for, the defaults hold. What \
                         a reload changes counts for connections that begin after it.";
            lists[next] = Key {
                identifier: name,
                meaning: parameters.about,
                default: Some("[]"),
                range: None,
                shown: None,
                sample: None,
                kind: Kind { list: true, ..Kind::section(about, keys) },
            };
            next += 1;
            rest = others;
        }
        place += 1;
    }
    lists
}

impl Setting for Configured {
    const KIND: Kind = Kind::section(
        "What cannot be seen on the wire, by protocol: a list of what is known of its servers.",
        &LISTS,
    );

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.section(node)
    }
}

impl Keys for Configured {
    const KEYS: &'static [Key] = &LISTS;

    fn from_section(section: &Section<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let mut keys = Self::KEYS.iter();
        let mut by_protocol = Vec::new();
        for protocol in REGISTRY {
            let table = protocol.parameters.table;
            let key = if table.is_empty() { None } else { keys.next() };
            let servers = key.map(|key| {
                reader.section_list(section, key, |section, reader| {
                    member(section, key.kind.keys, table, reader)
                })
            });
            by_protocol.push(servers.unwrap_or_default());
        }
        Some(Self::new(by_protocol))
    }
}

/// A member of a protocol's list.
fn member(
    section: &Section<'_>,
    keys: &[Key],
    table: &[Parameter],
    reader: &mut Reader<'_>,
) -> Option<ServerSettings> {
    let (servers, keys) = keys.split_first()?;
    let networks = reader.key(section, servers);
    let values = table.iter().zip(keys);
    let values: Vec<_> =
        values.map(|(parameter, key)| number(parameter, section, key, reader)).collect();
    for (parameter, value) in table.iter().zip(&values) {
        let Some(bound) = parameter.at_most else { continue };
        let bounded = table.iter().position(|other| other.name == bound);
        let most = bounded.and_then(|place| *values.get(place)?);
        if most.zip(*value).is_some_and(|(most, value)| value > most) {
            let message = format!("`{}` is greater than `{bound}`", parameter.name);
            reader.wrong_at(parameter.name, message, None);
        }
    }
    Some(ServerSettings { networks: networks?, values })
}

/// The number that stands for a value; `None` if it is not known.
fn number(
    parameter: &Parameter,
    section: &Section<'_>,
    key: &Key,
    reader: &mut Reader<'_>,
) -> Option<i64> {
    match parameter.kind {
        ParameterKind::Number => value::<u32>(section, key, reader).map(i64::from),
        ParameterKind::Flag => value::<bool>(section, key, reader).map(i64::from),
        ParameterKind::Time => {
            let time = value::<Duration>(section, key, reader)?;
            i64::try_from(time.as_micros()).ok()
        }
        ParameterKind::UtcOffset => {
            value(section, key, reader).map(|UtcOffset(minutes)| minutes.into())
        }
    }
}

/// Without one that somebody gave, the default; a key that has none can be `off`.
fn value<T: Setting>(section: &Section<'_>, key: &Key, reader: &mut Reader<'_>) -> Option<T> {
    if key.kind.optional {
        reader.key::<Option<T>>(section, key)?
    } else {
        reader.key(section, key)
    }
}
