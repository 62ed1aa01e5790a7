//! Topic names and topic filters as MQTT has them: which are well formed, and what they match.
//!
//! A topic is parted into levels by `/`; a level may be empty. In a filter, `+` stands for one
//! level and `#` for any number of levels, none included, so that `sport/#` also matches `sport`.
//! A wildcard in the first level does not match a name that begins with `$`. Case counts. (MQTT 5.0,
//! clause 4.7.)

mod expression;
mod set;

pub use set::{FilterSet, Found};

/// Begins the filter of a shared subscription: `$share/<name>/<filter>` (clause 4.8.2).
const SHARE: &[u8] = b"$share/";

/// A well-formed topic filter, without the name of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Filter<'t>(&'t [u8]);

/// What is wrong with a topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// [MQTT-4.7.3-1]
    #[error("it is empty")]
    Empty,
    /// [MQTT-4.7.1-2]
    #[error("`+` stands alone in its level, as in `a/+/b`")]
    PlusInLevel,
    /// [MQTT-4.7.1-1]
    #[error("`#` stands alone in the last level, as in `a/#`")]
    HashNotLast,
    /// [MQTT-4.8.2-1] and [MQTT-4.8.2-2]
    #[error("a share has a name without wildcards and a filter, as in `$share/name/a/#`")]
    Share,
}

impl<'t> Filter<'t> {
    /// Reads a filter, of a shared subscription or not.
    pub fn parse(text: &'t [u8]) -> Result<Self, Mistake> {
        match text.strip_prefix(SHARE) {
            Some(shared) => Self::parse_unshared(behind_name(shared)?),
            None => Self::parse_unshared(text),
        }
    }

    /// Reads a filter to which `$share` is a level like others, as before MQTT 5.
    pub fn parse_unshared(text: &'t [u8]) -> Result<Self, Mistake> {
        if text.is_empty() {
            return Err(Mistake::Empty);
        }
        if memchr::memchr2(b'+', b'#', text).is_none() {
            return Ok(Self(text));
        }
        let above = match text {
            b"#" => return Ok(Self(text)),
            // The parent of what it matches would be the empty name, which is none [MQTT-4.7.3-1].
            b"/#" => return Ok(Self(b"/+/#")),
            [above @ .., b'/', b'#'] => above,
            all => all,
        };
        if memchr::memchr(b'#', above).is_some() {
            return Err(Mistake::HashNotLast);
        }
        let is_slash =
            |at: Option<usize>| at.and_then(|at| above.get(at)).is_none_or(|octet| *octet == b'/');
        let is_alone = |at: usize| is_slash(at.checked_sub(1)) && is_slash(at.checked_add(1));
        if memchr::memchr_iter(b'+', above).all(is_alone) {
            Ok(Self(text))
        } else {
            Err(Mistake::PlusInLevel)
        }
    }

    /// The filter, or another that matches the same names.
    pub const fn as_bytes(self) -> &'t [u8] {
        self.0
    }

    /// How many levels it has, wildcards included.
    pub fn depth(self) -> usize {
        1 + memchr::memchr_iter(b'/', self.0).count()
    }
}

/// Whether a filter is that of a shared subscription.
pub fn is_shared(filter: &[u8]) -> bool {
    filter.starts_with(SHARE)
}

/// The filter of a shared subscription.
fn behind_name(shared: &[u8]) -> Result<&[u8], Mistake> {
    let slash = memchr::memchr(b'/', shared).ok_or(Mistake::Share)?;
    let (name, filter) = (&shared[..slash], &shared[slash + 1..]);
    if name.is_empty() || filter.is_empty() || memchr::memchr2(b'+', b'#', name).is_some() {
        return Err(Mistake::Share);
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of clauses 4.7.1.2 and 4.7.1.3, and their neighbours.
    #[test]
    fn wildcards_stand_alone_in_their_level() {
        for filter in [
            "sport/tennis/player1/#",
            "sport/#",
            "#",
            "+",
            "+/tennis/#",
            "sport/+/player1",
            "/+",
            "+/+",
            "/",
            "//",
            "+/#",
            "$SYS/#",
            "$share",
            "a b",
        ] {
            assert_eq!(Filter::parse(filter.as_bytes()), Ok(Filter(filter.as_bytes())), "{filter}");
        }
        for (filter, mistake) in [
            ("", Mistake::Empty),
            ("sport/tennis#", Mistake::HashNotLast),
            ("sport/tennis/#/ranking", Mistake::HashNotLast),
            ("##", Mistake::HashNotLast),
            ("#/", Mistake::HashNotLast),
            ("#/#", Mistake::HashNotLast),
            ("sport+", Mistake::PlusInLevel),
            ("+a", Mistake::PlusInLevel),
            ("a/++/b", Mistake::PlusInLevel),
            ("a+/#", Mistake::PlusInLevel),
        ] {
            assert_eq!(Filter::parse(filter.as_bytes()), Err(mistake), "{filter}");
        }
    }

    #[test]
    fn no_topic_name_is_empty() {
        assert_eq!(Filter::parse(b"/#"), Filter::parse(b"/+/#"));
        assert_eq!(Filter::parse(b"$share/g//#"), Filter::parse(b"/+/#"));
    }

    /// Clause 4.8.2.
    #[test]
    fn a_share_has_a_name_and_a_filter() {
        for (filter, inner) in [
            ("$share/consumer1/sport/tennis/+", "sport/tennis/+"),
            ("$share/g/#", "#"),
            ("$share/g//finance", "/finance"),
            ("$share/g/$SYS/#", "$SYS/#"),
        ] {
            assert_eq!(Filter::parse(filter.as_bytes()), Ok(Filter(inner.as_bytes())), "{filter}");
        }
        for filter in ["$share/g", "$share/g/", "$share//a", "$share/a+b/c", "$share/#/c"] {
            assert_eq!(Filter::parse(filter.as_bytes()), Err(Mistake::Share), "{filter}");
        }
        assert!(Filter::parse_unshared(b"$share/g").is_ok());
        assert!(Filter::parse_unshared(b"$share/a+b/c").is_err());
    }
}
