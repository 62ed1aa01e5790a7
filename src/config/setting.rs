//! What a key is: one table gives the structure that programs read, the reader, the reference in
//! `docs/configuration.md` and the commented example.

use super::reader::{Reader, Section};
use crate::document::yaml::Node;

/// A value that a key may have.
pub(super) trait Setting: Sized {
    /// What to say of it.
    const KIND: Kind;

    /// Reads it. `None` after a mistake, which was told.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self>;

    /// Whether it is in the key's range.
    fn is_within(&self, _low: &Self, _high: &Self) -> bool {
        true
    }
}

/// A structure of keys.
pub(super) trait Keys: Sized {
    /// What it has.
    const KEYS: &'static [Key];

    /// Reads every key, also after a mistake. `None` if one is missing that has no default.
    fn from_section(section: &Section<'_>, reader: &mut Reader<'_>) -> Option<Self>;
}

/// What is said of a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// As in "`timeout` is …": a duration, such as `10s`.
    pub(super) what: &'static str,
    /// The words that it is one of, if it is.
    pub(super) words: &'static [&'static str],
    /// If it is a section: what it is about, and its keys.
    pub(super) about: &'static str,
    pub(super) keys: &'static [Key],
    /// Whether it is a map whose keys are names that people make up.
    pub(super) map: bool,
    /// Whether it is a list of these.
    pub(super) list: bool,
    /// Whether it can be `off`.
    pub(super) optional: bool,
}

impl Kind {
    pub(super) const fn value(what: &'static str) -> Self {
        Self { what, words: &[], about: "", keys: &[], map: false, list: false, optional: false }
    }

    pub(super) const fn one_of(words: &'static [&'static str]) -> Self {
        Self { words, ..Self::value("one of these words") }
    }

    pub(super) const fn section(about: &'static str, keys: &'static [Key]) -> Self {
        Self { about, keys, ..Self::value("a map of keys") }
    }

    /// Whether it takes the syntax of YAML, and not only a word or a number, to say a value.
    pub(super) const fn is_yaml(self) -> bool {
        self.list || self.map || !self.keys.is_empty()
    }
}

/// A key of the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) identifier: &'static str,
    /// What it does, in lines.
    pub(super) meaning: &'static str,
    /// In YAML. Without one, a value that is not optional must be given.
    pub(super) default: Option<&'static str>,
    /// The least and the greatest value, in YAML.
    pub(super) range: Option<(&'static str, &'static str)>,
    /// What the example shows in place of the default.
    pub(super) shown: Option<&'static str>,
    /// Or only in place of the value, in YAML.
    pub(super) sample: Option<&'static str>,
    pub(super) kind: Kind,
}

impl Key {
    /// As it is written.
    pub(super) fn name(&self) -> &'static str {
        self.identifier.trim_start_matches("r#")
    }

    /// Its value, in YAML, where nobody gives one.
    pub(super) fn default(&self) -> Option<&'static str> {
        self.default.or(self.kind.optional.then_some("off"))
    }
}

/// Declares a section: for each key its meaning, its type, its default, its range, and what the
/// example shows.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $section:ident {
            $(
                $(#[doc = $meaning:literal])+
                $key:ident: $type:ty $(= $default:literal)? $(, from $low:literal to $high:literal)?
                    $(, shown $shown:literal)?;
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $section {
            $($(#[doc = $meaning])+ pub $key: $type,)+
        }

        impl $crate::config::setting::Keys for $section {
            const KEYS: &'static [$crate::config::setting::Key] = &[
                $($crate::config::setting::Key {
                    identifier: stringify!($key),
                    meaning: concat!($($meaning, "\n"),+),
                    default: section!(@maybe $($default)?),
                    range: section!(@maybe $(($low, $high))?),
                    shown: section!(@maybe $($shown)?),
                    sample: None,
                    kind: <$type as $crate::config::setting::Setting>::KIND,
                }),+
            ];

            fn from_section(
                section: &$crate::config::reader::Section<'_>,
                reader: &mut $crate::config::reader::Reader<'_>,
            ) -> Option<Self> {
                let mut keys = Self::KEYS.iter();
                $(let $key = keys.next().and_then(|key| reader.key::<$type>(section, key));)+
                Some(Self { $($key: $key?),+ })
            }
        }

        impl $crate::config::setting::Setting for $section {
            const KIND: $crate::config::setting::Kind = $crate::config::setting::Kind::section(
                concat!($($about, "\n"),+),
                <Self as $crate::config::setting::Keys>::KEYS,
            );

            fn read(
                node: &$crate::document::yaml::Node,
                reader: &mut $crate::config::reader::Reader<'_>,
            ) -> Option<Self> {
                reader.section(node)
            }
        }
    };
    (@maybe) => { None };
    (@maybe $something:expr) => { Some($something) };
}

/// Declares a choice between words.
macro_rules! words {
    (
        $(#[doc = $about:literal])+
        $vis:vis enum $choice:ident {
            $($(#[doc = $meaning:literal])+ $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $choice {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl $choice {
            /// As the configuration writes it.
            $vis const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl $crate::config::setting::Setting for $choice {
            const KIND: $crate::config::setting::Kind =
                $crate::config::setting::Kind::one_of(&[$($word),+]);

            fn read(
                node: &$crate::document::yaml::Node,
                reader: &mut $crate::config::reader::Reader<'_>,
            ) -> Option<Self> {
                reader.one_of(node, &[$(($word, Self::$variant)),+])
            }
        }
    };
}

pub(super) use section;
pub(super) use words;
