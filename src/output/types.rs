//! Which records are written: `--types`.

use std::str::FromStr;

use super::LineKind;
use crate::event::Schema;
use crate::protocol;

/// Alerts: records of no schema of their own.
const ALERT: &str = "alert";
/// The counters.
const STATS: &str = "stats";
/// Repeats what is in `iec104`, an information object a record: written on demand only.
const ON_DEMAND: &str = "iec104_object";

/// All but what is written on demand.
const ALL: &str = "all";

/// A set of record types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Types(Vec<&'static str>);

/// A name that no record type has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no record type is called '{name}'; there are {}", Types::names().collect::<Vec<_>>().join(", "))]
pub struct UnknownType {
    name: String,
}

/// The words that pick record types: `all`, then their names.
const WORDS: [&str; protocol::SERVICES.len() + 3] = {
    let mut words = [ALL; protocol::SERVICES.len() + 3];
    words[1] = ALERT;
    let mut index = 0;
    while index < protocol::SERVICES.len() {
        words[index + 2] = protocol::SERVICES[index].name;
        index += 1;
    }
    words[index + 2] = STATS;
    words
};

impl Types {
    /// What a list of record types may have: `all`, which is the default, then their names.
    pub const WORDS: &'static [&'static str] = &WORDS;

    /// The names of all record types.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::WORDS.iter().copied().filter(|word| *word != ALL)
    }

    /// What either of two sets has.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let either = Self::names().filter(|name| self.contains(name) || other.contains(name));
        Self(either.collect())
    }

    /// Whether lines of this kind are written.
    pub fn takes(&self, kind: LineKind) -> bool {
        match kind {
            LineKind::Record(schema) => self.records(schema),
            LineKind::Alert(_) => self.alerts(),
            LineKind::Stats => self.stats(),
            LineKind::Held => false,
        }
    }

    /// No record at all.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether alerts are written.
    pub fn alerts(&self) -> bool {
        self.contains(ALERT)
    }

    /// Whether the counters are written.
    pub fn stats(&self) -> bool {
        self.contains(STATS)
    }

    /// Whether records of this type are written.
    pub fn records(&self, schema: &Schema) -> bool {
        self.contains(schema.name)
    }

    fn contains(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
}

/// All but `iec104_object`, which repeats the objects of `iec104`.
impl Default for Types {
    fn default() -> Self {
        Self(Self::names().filter(|name| *name != ON_DEMAND).collect())
    }
}

/// Words with commas between them.
impl FromStr for Types {
    type Err = UnknownType;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let mut types = Self::none();
        for wanted in list.split(',').map(str::trim) {
            if wanted == ALL {
                types = types.union(&Self::default());
                continue;
            }
            let name = Self::names().find(|name| *name == wanted);
            types.0.push(name.ok_or_else(|| UnknownType { name: wanted.to_owned() })?);
        }
        Ok(types)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ANOMALY, FLOW};

    #[test]
    fn a_list_picks_types() {
        let types: Types = "alert, flow".parse().unwrap();
        assert!(types.alerts() && types.records(&FLOW));
        assert!(!types.stats() && !types.records(&ANOMALY));
    }

    #[test]
    fn the_default_is_all_but_what_is_repeated() {
        let types = Types::default();
        for name in Types::names() {
            assert_eq!(types.contains(name), name != ON_DEMAND, "{name}");
        }
    }

    #[test]
    fn all_is_the_default_and_may_be_added_to() {
        assert_eq!("all".parse(), Ok(Types::default()));
        let everything: Types = format!("{ON_DEMAND},all").parse().unwrap();
        assert!(Types::names().all(|name| everything.contains(name)));
    }

    #[test]
    fn an_unknown_name_is_told_with_the_known_ones() {
        let error = "alert,flows".parse::<Types>().unwrap_err().to_string();
        assert!(
            error.starts_with("no record type is called 'flows'; there are alert, flow,"),
            "{error}"
        );
        assert!("".parse::<Types>().is_err());
    }
}
