//! Sigma's strings: `*` stands for any text, `?` for one character, `\` takes their meaning away.
//!
//! A backslash in front of anything but `*`, `?` and `\` is itself, so that Windows paths read
//! well (Sigma specification, "Escaping").

/// A string of a rule, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

/// A part of a [`Pattern`]. Two literals never stand side by side, nor two [`Piece::Any`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Piece {
    /// These characters.
    Literal(String),
    /// Any characters, or none.
    Any,
    /// One character.
    One,
}

/// What a pattern comes down to, for an index to choose its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape<'p> {
    /// Any text at all.
    Anything,
    /// This text.
    Exact(&'p str),
    /// Text that begins so.
    Prefix(&'p str),
    /// Text that ends so.
    Suffix(&'p str),
    /// Text that has this in it.
    Contains(&'p str),
    /// Something else.
    Mixed,
}

impl Pattern {
    /// Takes a string of a rule apart.
    pub(super) fn parse(text: &str) -> Self {
        let mut pattern = Self { pieces: Vec::new() };
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '*' => pattern.push(Piece::Any),
                '?' => pattern.push(Piece::One),
                '\\' => match characters.next_if(|next| matches!(next, '*' | '?' | '\\')) {
                    Some(escaped) => pattern.push_literal(escaped),
                    None => pattern.push_literal('\\'),
                },
                other => pattern.push_literal(other),
            }
        }
        pattern
    }

    fn push(&mut self, piece: Piece) {
        if piece != Piece::Any || self.pieces.last() != Some(&Piece::Any) {
            self.pieces.push(piece);
        }
    }

    fn push_literal(&mut self, character: char) {
        match self.pieces.last_mut() {
            Some(Piece::Literal(text)) => text.push(character),
            _ => self.pieces.push(Piece::Literal(character.to_string())),
        }
    }

    /// The same with any text allowed before it, after it, or both.
    #[must_use]
    pub(super) fn open(mut self, before: bool, after: bool) -> Self {
        if before && self.pieces.first() != Some(&Piece::Any) {
            self.pieces.insert(0, Piece::Any);
        }
        if after {
            self.push(Piece::Any);
        }
        self
    }

    /// Its parts.
    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// What it comes down to.
    pub(super) fn shape(&self) -> Shape<'_> {
        match self.pieces.as_slice() {
            [] => Shape::Exact(""),
            [Piece::Any] => Shape::Anything,
            [Piece::Literal(text)] => Shape::Exact(text),
            [Piece::Literal(text), Piece::Any] => Shape::Prefix(text),
            [Piece::Any, Piece::Literal(text)] => Shape::Suffix(text),
            [Piece::Any, Piece::Literal(text), Piece::Any] => Shape::Contains(text),
            _ => Shape::Mixed,
        }
    }

    /// The text, if it has no wildcard.
    pub(super) fn literal(&self) -> Option<&str> {
        match self.shape() {
            Shape::Exact(text) => Some(text),
            _ => None,
        }
    }

    /// Whether its letters are all ASCII.
    pub(super) fn is_ascii(&self) -> bool {
        self.pieces.iter().all(|piece| !matches!(piece, Piece::Literal(text) if !text.is_ascii()))
    }

    /// The regular expression that matches what this matches.
    pub(super) fn regex(&self, cased: bool) -> String {
        // Among ASCII letters case is ASCII's: without this, `k` would match the Kelvin sign.
        let flags = match (cased, self.is_ascii()) {
            (true, _) => "",
            (false, true) => "i-u",
            (false, false) => "i",
        };
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Literal(text) => format!("(?{flags}:{})", regex::escape(text)),
            Piece::Any => "(?s:.*)".to_owned(),
            Piece::One => "(?s:.)".to_owned(),
        });
        format!(r"\A{}\z", pieces.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        assert_eq!(Pattern::parse("").shape(), Shape::Exact(""));
        assert_eq!(Pattern::parse("**").shape(), Shape::Anything);
        assert_eq!(Pattern::parse("a*").shape(), Shape::Prefix("a"));
        assert_eq!(Pattern::parse("*a").shape(), Shape::Suffix("a"));
        assert_eq!(Pattern::parse("*a**").shape(), Shape::Contains("a"));
        assert_eq!(Pattern::parse("a*b").shape(), Shape::Mixed);
        assert_eq!(Pattern::parse("a").open(true, true).shape(), Shape::Contains("a"));
        assert_eq!(Pattern::parse("*a*").open(true, true).shape(), Shape::Contains("a"));
    }

    /// The examples of the Sigma specification.
    #[test]
    fn escapes() {
        let literal = |text: &str| Pattern::parse(text).literal().map(str::to_owned);
        assert_eq!(literal(r"C:\Windows").as_deref(), Some(r"C:\Windows"));
        assert_eq!(literal(r"a\\b").as_deref(), Some(r"a\b"));
        assert_eq!(literal(r"\*").as_deref(), Some("*"));
        assert_eq!(literal(r"\\\*").as_deref(), Some(r"\*"));
        assert_eq!(literal(r"\").as_deref(), Some(r"\"));
        assert_eq!(Pattern::parse(r"\\*").shape(), Shape::Prefix(r"\"));
        assert_eq!(Pattern::parse(r"\**").shape(), Shape::Prefix("*"));
    }

    #[test]
    fn regex_means_the_same() {
        let matches = |pattern: &str, cased: bool, text: &str| {
            let regex = Pattern::parse(pattern).regex(cased);
            regex::Regex::new(&regex).expect("valid").is_match(text)
        };
        assert!(matches("a?c*", false, "Abc\nd"));
        assert!(!matches("a?c*", true, "Abc"));
        assert!(matches("*Ü?", false, "xüy"));
        assert!(!matches("k*", false, "\u{212a}elvin"));
        assert!(matches("a.c", false, "A.C") && !matches("a.c", false, "abc"));
    }
}
