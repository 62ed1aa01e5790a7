//! The values that keys have: texts, numbers, and what has a unit.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::reader::{Reader, built_in};
use super::setting::{Kind, Setting};
use crate::document::diagnostic::did_you_mean;
use crate::document::yaml::{Content, Meaning, Node, Scalar};
use crate::event::{CONTEXT, Schema};
use crate::output::Types;
use crate::protocol;
use crate::rule::Placeholders;

/// The longest text that a key takes, in octets; paths have their own limit in the system.
const LONGEST: usize = 4096;

/// A number of octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Octets(pub u64);

/// How many minutes a local time is ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UtcOffset(pub(super) i16);

/// Where HTTP is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A loopback address and a port.
    Address(SocketAddr),
    /// The path of a unix socket.
    Socket(PathBuf),
}

/// Where rules come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSource {
    /// The pack that is built in.
    Builtin,
    /// A rule file, or a folder of rule files.
    Path(PathBuf),
}

/// The name of a network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InterfaceName(pub(super) String);

/// A field of records with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldName(pub String);

/// A name that stands in a metric's label and in a file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label(pub(super) String);

/// `1_000` has no place here: what a unit follows is decimal digits.
fn digits(text: &str) -> (Option<u64>, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    (number.parse().ok(), rest)
}

impl Setting for bool {
    const KIND: Kind = Kind::value("`true` or `false`");

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.content {
            Content::Scalar(Scalar { meaning: Meaning::Boolean(value), .. }) => Some(*value),
            _ => reader.mismatch(node, Self::KIND.what),
        }
    }
}

impl Setting for u32 {
    const KIND: Kind = Kind::value("a whole number");

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Content::Scalar(Scalar { meaning: Meaning::Integer(value), .. }) = &node.content else {
            return reader.mismatch(node, Self::KIND.what);
        };
        let Ok(value) = Self::try_from(*value) else {
            return reader
                .wrong(node.span, format!("a number from 0 to {} stands here", Self::MAX));
        };
        Some(value)
    }

    fn is_within(&self, low: &Self, high: &Self) -> bool {
        (low..=high).contains(&self)
    }
}

impl Setting for NonZeroU16 {
    const KIND: Kind = Kind::value("a port");

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Content::Scalar(Scalar { meaning: Meaning::Integer(value), .. }) = &node.content else {
            return reader.mismatch(node, "a number");
        };
        let port = u16::try_from(*value).ok().and_then(Self::new);
        port.or_else(|| reader.wrong(node.span, "a port is at least 1 and at most 65535"))
    }
}

const TIME_UNITS: &[(&str, u64)] = &[
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

impl Setting for Duration {
    const KIND: Kind = Kind::value("a duration, such as `10ms` or `1h30m`");

    /// As Prometheus writes it: numbers with units, each unit smaller than the one before.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        const HELP: &str = "the units are `us`, `ms`, `s`, `m`, `h` and `d`, as in `10ms` or `24h`";
        let text = reader.quantity(node, Self::KIND.what, HELP)?;
        let mut rest = text;
        let mut units = TIME_UNITS;
        let mut total = 0_u64;
        while !rest.is_empty() {
            let (number, after) = digits(rest);
            let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            let unit = unit.trim();
            let Some(number) = number else {
                return reader.mismatch_with(node, Self::KIND.what, HELP);
            };
            let Some(place) = units.iter().position(|(name, _)| *name == unit) else {
                let message = format!("`{unit}` is no unit of time, or stands in the wrong order");
                return reader.wrong_with(node.span, message, HELP);
            };
            let micros = number.checked_mul(units[place].1);
            let Some(sum) = micros.and_then(|micros| total.checked_add(micros)) else {
                return reader.wrong(node.span, "this is longer than anything lasts");
            };
            (total, units, rest) = (sum, &units[place + 1..], after);
        }
        Some(Self::from_micros(total))
    }

    fn is_within(&self, low: &Self, high: &Self) -> bool {
        (low..=high).contains(&self)
    }
}

impl Setting for UtcOffset {
    const KIND: Kind = Kind::value("an offset from UTC, such as `+01:00`");

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        const HELP: &str = "a sign, two digits for hours and two for minutes, as in '-03:30'; UTC \
                            itself is '+00:00'";
        let told = match &node.content {
            Content::Scalar(Scalar { text, .. }) => utc_offset(text),
            _ => None,
        };
        told.map(Self).or_else(|| reader.mismatch_with(node, Self::KIND.what, HELP))
    }

    fn is_within(&self, low: &Self, high: &Self) -> bool {
        (low..=high).contains(&self)
    }
}

/// `±HH:MM`, in minutes.
fn utc_offset(text: &str) -> Option<i16> {
    let (hours, minutes) = text.strip_prefix(['+', '-'])?.split_once(':')?;
    let number = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_digit());
        text.parse::<i16>().ok().filter(|_| is_number)
    };
    let ahead = number(hours)? * 60 + number(minutes).filter(|minutes| *minutes < 60)?;
    Some(if text.starts_with('-') { -ahead } else { ahead })
}

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

impl Setting for Octets {
    const KIND: Kind = Kind::value("a size, such as `256MiB`");

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        const HELP: &str = "the units are `B`, `KiB`, `MiB`, `GiB` and `TiB`, and by powers of a \
                            thousand `kB`, `MB`, `GB` and `TB`";
        let text = reader.quantity(node, Self::KIND.what, HELP)?;
        let (number, unit) = digits(text);
        let Some(number) = number else {
            return reader.mismatch_with(node, Self::KIND.what, HELP);
        };
        let Some((_, octets)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) else {
            return reader.wrong_with(node.span, format!("`{unit}` is no unit of size"), HELP);
        };
        match number.checked_mul(*octets) {
            Some(octets) => Some(Self(octets)),
            None => reader.wrong(node.span, "this is more than there is"),
        }
    }

    fn is_within(&self, low: &Self, high: &Self) -> bool {
        (low..=high).contains(&self)
    }
}

impl Setting for String {
    const KIND: Kind = Kind::value("text");

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, Self::KIND.what)?;
        if text.is_empty() {
            return reader.wrong(node.span, "this text is empty");
        }
        if text.len() > LONGEST {
            return reader.wrong(node.span, format!("this is longer than {LONGEST} octets"));
        }
        if text.chars().any(char::is_control) {
            return reader.wrong(node.span, "this text has control characters in it");
        }
        Some(text.to_owned())
    }
}

impl Setting for PathBuf {
    const KIND: Kind = Kind::value("a path");

    /// One that is not absolute begins at the folder of the file that it stands in.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        Some(reader.folder().join(text))
    }
}

impl Setting for RuleSource {
    const KIND: Kind = Kind::value("`builtin` or a path");

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match reader.text(node, Self::KIND.what)? {
            "builtin" => Some(Self::Builtin),
            _ => PathBuf::read(node, reader).map(Self::Path),
        }
    }
}

impl Setting for InterfaceName {
    const KIND: Kind = Kind::value("an interface");

    /// As the kernel's `dev_valid_name` has it.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        const LONGEST: usize = 15; // IFNAMSIZ has room for a NUL
        let name = String::read(node, reader)?;
        let odd = |c: char| c == '/' || c == ':' || c.is_whitespace();
        if name.len() > LONGEST || name == "." || name == ".." || name.contains(odd) {
            let message = format!("no interface can be called `{name}`");
            let help = format!("a name has at most {LONGEST} octets, no slash, colon or space");
            return reader.wrong_with(node.span, message, help);
        }
        Some(Self(name))
    }
}

impl Setting for FieldName {
    const KIND: Kind = Kind::value("a field of records");

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let name = String::read(node, reader)?;
        let schemas = || protocol::services().chain([&CONTEXT as &'static Schema]);
        match schemas().find_map(|schema| schema.resolve(&name)) {
            Some(path) if path.list.is_none() => return Some(Self(name)),
            Some(_) => {
                let message = format!("`{name}` has several values in a record");
                return reader.wrong(node.span, message);
            }
            None => {}
        }
        let plain = schemas().flat_map(Schema::paths).filter(|(_, path, _)| path.list.is_none());
        let names: Vec<String> = plain.map(|(name, ..)| name).collect();
        let help = did_you_mean(&name, names.iter().map(String::as_str))
            .unwrap_or_else(|| "`gridtap rules fields` lists them".to_owned());
        reader.wrong_with(node.span, format!("no record has a field `{name}`"), help)
    }
}

impl Setting for Label {
    const KIND: Kind = Kind::value("a short name");

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        const LONGEST: usize = 32;
        let name = String::read(node, reader)?;
        let odd = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-';
        if name.len() > LONGEST || name.contains(odd) {
            let help = format!("at most {LONGEST} letters, digits, `_` and `-`");
            return reader.wrong_with(node.span, format!("`{name}` is no short name"), help);
        }
        Some(Self(name))
    }
}

impl Setting for IpNet {
    const KIND: Kind = Kind::value("a network, such as `10.20.0.0/16`");

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, Self::KIND.what)?;
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(Self::from));
        let Ok(network) = network else {
            return reader.wrong_with(
                node.span,
                format!("`{text}` is no network"),
                "as in `10.20.0.0/16` or `2001:db8::/32`; an address alone is a network of one",
            );
        };
        if network.trunc() != network {
            let message = format!("`{text}` has bits beyond its prefix");
            return reader.wrong_with(node.span, message, format!("`{}`?", network.trunc()));
        }
        Some(network)
    }
}

impl Setting for SocketAddr {
    const KIND: Kind = Kind::value("an address and a port, such as `192.0.2.1:514`");

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, Self::KIND.what)?;
        match text.parse::<Self>() {
            Ok(address) if address.port() != 0 => Some(address),
            _ => reader.wrong_with(
                node.span,
                format!("`{text}` is no address with a port"),
                "as in `192.0.2.1:514` or `[2001:db8::1]:514`; names are not looked up",
            ),
        }
    }
}

impl Setting for Listen {
    const KIND: Kind = Kind::value("a loopback address and a port, or the path of a unix socket");

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, Self::KIND.what)?;
        if text.starts_with('/') {
            return PathBuf::read(node, reader).map(Self::Socket);
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Some(Self::Address(address)),
            Ok(address) => reader.wrong_with(
                node.span,
                format!("{} is no loopback address", address.ip()),
                format!(
                    "listen on `127.0.0.1:{}`; a reverse proxy with TLS in front of it does the \
                     rest",
                    address.port()
                ),
            ),
            Err(_) => reader.wrong_with(
                node.span,
                format!("`{text}` is neither an address with a port nor an absolute path"),
                "as in `127.0.0.1:9104`, `[::1]:9104` or `/run/gridtap/http.sock`",
            ),
        }
    }
}

impl Setting for Types {
    const KIND: Kind = Kind { words: Self::WORDS, list: true, ..Kind::value("a record type") };

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let choices: Vec<_> = Self::WORDS.iter().map(|word| (*word, *word)).collect();
        let names = reader.list(node, |item, reader| reader.one_of(item, &choices))?;
        if names.is_empty() {
            return reader.wrong(node.span, "this list picks no record at all");
        }
        names.join(",").parse().ok()
    }
}

impl Setting for Placeholders {
    const KIND: Kind =
        Kind { map: true, ..Kind::value("a map of names, each with a list of values") };

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Content::Map(entries) = &node.content else {
            return reader.mismatch(node, Self::KIND.what);
        };
        let mut placeholders = BTreeMap::new();
        for entry in entries {
            let odd = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.');
            if entry.key.is_empty() || entry.key.contains(odd) {
                let message = format!("`{}` cannot stand between percent signs", entry.key);
                let help = "letters, digits, `_`, `-` and `.` can: `masters` for `%masters%`";
                reader.wrong_with::<()>(entry.key_span, message, help);
                continue;
            }
            let values = reader.below(&entry.key, entry.value.span, |reader| {
                reader.list(&entry.value, |item, reader| match &item.content {
                    Content::Scalar(scalar) if scalar.meaning != Meaning::Null => {
                        Some(scalar.text.clone())
                    }
                    _ => {
                        let message = format!("a value is text, and this is {}", item.what());
                        reader.wrong(item.span, message)
                    }
                })
            });
            if let Some(values) = values {
                placeholders.insert(entry.key.clone(), values);
            }
        }
        Some(placeholders)
    }
}

impl<T: Setting> Setting for Vec<T> {
    const KIND: Kind = Kind { list: true, ..T::KIND };

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.list(node, T::read)
    }
}

impl<T: Setting> Setting for Option<T> {
    const KIND: Kind = Kind { optional: true, ..T::KIND };

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let off = matches!(&node.content, Content::Scalar(scalar) if scalar.text == "off");
        if !off {
            return T::read(node, reader).map(Some);
        }
        // A key below that is set by the environment or the command line turns it on.
        if !T::KIND.keys.is_empty() && reader.is_overridden_below() {
            return T::read(&built_in("{}"), reader).map(Some);
        }
        Some(None)
    }

    fn is_within(&self, low: &Self, high: &Self) -> bool {
        let bounds = low.as_ref().zip(high.as_ref());
        let inside = |value: &T| bounds.is_none_or(|(low, high)| value.is_within(low, high));
        self.as_ref().is_none_or(inside)
    }
}
