//! The tokens of a document, by the grammar of RFC 8259.

use super::Scalar;

/// Reads a document from its start to its end. What the grammar does not have is `None`, once and for
/// all.
#[derive(Debug)]
pub(super) struct Reader<'d> {
    text: &'d str,
    at: usize,
}

/// A value that has no others in it, as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token<'d> {
    Null,
    Flag(bool),
    Number(&'d str),
    /// What stands between the quotes.
    Text(&'d str),
}

impl<'d> Reader<'d> {
    /// `None` if the octets are no UTF-8 (clause 8.1), which lets a byte order mark be.
    pub(super) fn new(octets: &'d [u8]) -> Option<Self> {
        let text = std::str::from_utf8(octets).ok()?;
        Some(Self { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0 })
    }

    /// The next octet that is no white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let passed = rest.iter().position(|octet| !b" \t\n\r".contains(octet))?;
        self.at += passed;
        rest.get(passed).copied()
    }

    /// Takes an octet if it is the next one that is no white space.
    pub(super) fn take(&mut self, octet: u8) -> bool {
        let is_next = self.peek() == Some(octet);
        self.at += usize::from(is_next);
        is_next
    }

    /// A key and the colon behind it.
    pub(super) fn key(&mut self) -> Option<&'d str> {
        let key = self.string()?;
        self.take(b':').then_some(key)
    }

    /// A value that has no others in it.
    pub(super) fn scalar(&mut self) -> Option<Token<'d>> {
        match self.peek()? {
            b'"' => self.string().map(Token::Text),
            b't' => self.literal("true", Token::Flag(true)),
            b'f' => self.literal("false", Token::Flag(false)),
            b'n' => self.literal("null", Token::Null),
            _ => self.number().map(Token::Number),
        }
    }

    /// Passes a value over, however deep it is. `open` is memory to be used again.
    pub(super) fn skip(&mut self, open: &mut Vec<u8>) -> Option<()> {
        open.clear();
        loop {
            match self.peek()? {
                b'{' if self.opens(b'}') => {
                    self.key()?;
                    open.push(b'}');
                    continue;
                }
                b'[' if self.opens(b']') => {
                    open.push(b']');
                    continue;
                }
                // Empty ones are behind us.
                b'{' | b'[' => {}
                _ => self.scalar().map(drop)?,
            }
            while let Some(close) = open.last().copied() {
                if self.take(close) {
                    open.pop();
                    continue;
                }
                if !self.take(b',') {
                    return None;
                }
                if close == b'}' {
                    self.key()?;
                }
                break;
            }
            if open.is_empty() {
                return Some(());
            }
        }
    }

    /// Takes a bracket, and the one that closes it if nothing is between. Says whether something is.
    pub(super) fn opens(&mut self, close: u8) -> bool {
        self.at += 1;
        !self.take(close)
    }

    fn literal(&mut self, word: &str, token: Token<'d>) -> Option<Token<'d>> {
        self.text.get(self.at..)?.starts_with(word).then(|| {
            self.at += word.len();
            token
        })
    }

    /// A string as it is written, its escapes looked at and left (clause 7).
    fn string(&mut self) -> Option<&'d str> {
        if !self.take(b'"') {
            return None;
        }
        let start = self.at;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            let plain = rest.iter().position(|octet| matches!(octet, b'"' | b'\\' | ..0x20))?;
            self.at += plain;
            match rest.get(plain..)? {
                [b'"', ..] => {
                    self.at += 1;
                    return self.text.get(start..self.at - 1);
                }
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.at += 2,
                [b'\\', b'u', rest @ ..] => {
                    rest.first_chunk().filter(|hex: &&[u8; 4]| is_hex(*hex))?;
                    self.at += 6;
                }
                _ => return None,
            }
        }
    }

    /// A number as it is written (clause 6).
    fn number(&mut self) -> Option<&'d str> {
        let start = self.at;
        let octets = self.text.as_bytes();
        let mut at = start;
        let next_is = |at: usize, set: &[u8]| octets.get(at).is_some_and(|next| set.contains(next));
        let digits = |at: &mut usize| {
            let before = *at;
            while octets.get(*at).is_some_and(u8::is_ascii_digit) {
                *at += 1;
            }
            (*at > before).then_some(())
        };
        at += usize::from(next_is(at, b"-"));
        if next_is(at, b"0") {
            at += 1;
        } else {
            digits(&mut at)?;
        }
        if next_is(at, b".") {
            at += 1;
            digits(&mut at)?;
        }
        if next_is(at, b"eE") {
            at += 1;
            at += usize::from(next_is(at, b"+-"));
            digits(&mut at)?;
        }
        self.at = at;
        self.text.get(start..at)
    }
}

impl<'d> Token<'d> {
    /// What it says; `None` is null. `scratch` is memory to be used again.
    pub(super) fn value<'v>(self, scratch: &'v mut String) -> Option<Scalar<'v>>
    where
        'd: 'v,
    {
        Some(match self {
            Self::Null => return None,
            Self::Flag(flag) => Scalar::Flag(flag),
            Self::Number(written) => number(written),
            Self::Text(raw) => Scalar::Text(text(raw, scratch)),
        })
    }
}

/// A number beyond what 64 bits of floating point hold is the largest that they do: it is compared as
/// what it is, larger than others, and can be written again.
fn number(written: &str) -> Scalar<'static> {
    // Negative zero is no whole number.
    if let (Ok(whole), false) = (written.parse(), written == "-0") {
        return Scalar::Integer(whole);
    }
    let number: f64 = written.parse().unwrap_or_default();
    Scalar::Number(number.clamp(f64::MIN, f64::MAX))
}

/// What a string says whose escapes are right. A surrogate without its other half is U+FFFD (clause 8.2
/// leaves open what it means).
pub(super) fn text<'t>(raw: &'t str, scratch: &'t mut String) -> &'t str {
    if !raw.contains('\\') {
        return raw;
    }
    scratch.clear();
    let mut rest = raw;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        scratch.push_str(plain);
        let (said, behind) = escape(escaped);
        scratch.push(said);
        rest = behind;
    }
    scratch.push_str(rest);
    scratch
}

/// What an escape says, from behind its backslash, and what follows.
fn escape(escaped: &str) -> (char, &str) {
    let (letter, rest) = escaped.split_at_checked(1).unwrap_or((escaped, ""));
    let said = match letter {
        "b" => '\u{8}',
        "f" => '\u{c}',
        "n" => '\n',
        "r" => '\r',
        "t" => '\t',
        "u" => return unit(rest),
        other => other.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER),
    };
    (said, rest)
}

/// What one UTF-16 code unit says, or two that belong together.
fn unit(hex: &str) -> (char, &str) {
    let split = |hex: &str| {
        let (digits, _) = hex.split_at_checked(4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let Some(first) = split(hex) else { return (char::REPLACEMENT_CHARACTER, "") };
    let behind = hex.get(4..).unwrap_or_default();
    let second = behind.strip_prefix("\\u").and_then(split);
    match char::decode_utf16([first].into_iter().chain(second)).next() {
        Some(Ok(said)) if said.len_utf16() == 2 => (said, behind.get(6..).unwrap_or_default()),
        Some(Ok(said)) => (said, behind),
        _ => (char::REPLACEMENT_CHARACTER, behind),
    }
}

fn is_hex(octets: &[u8]) -> bool {
    octets.iter().all(u8::is_ascii_hexdigit)
}
