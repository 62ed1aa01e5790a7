//! Handshake messages (clause 4), put together from records: several stand in one, and one goes on
//! over several.
//!
//! ```text
//!  ├─ message ──────────────┼─ message ──────────────────────────┼─ message ─
//!  │ type │ length, three octets │ body …
//! ─┴──────────────── record ──────────────────┴ header ┴─ record ──────────────
//! ```

use super::header::{self, Content, Header};

/// Types that are read, and those whose presence tells something (4; RFC 5246, 7.4).
pub(super) mod kind {
    pub(in super::super) const CLIENT_HELLO: u8 = 1;
    pub(in super::super) const SERVER_HELLO: u8 = 2;
    pub(in super::super) const CERTIFICATE: u8 = 11;
    pub(in super::super) const SERVER_KEY_EXCHANGE: u8 = 12;
    pub(in super::super) const CERTIFICATE_REQUEST: u8 = 13;
    pub(in super::super) const SERVER_HELLO_DONE: u8 = 14;
}

/// All types that there are, with the least and the most octets that the body of one has: the
/// registry of IANA, and the structures of RFC 8446 and RFC 5246.
const KINDS: &[(u8, usize, usize)] = &[
    (0, 0, 0),
    (kind::CLIENT_HELLO, 38, 2 + 32 + 33 + 2 + 65_534 + 256 + 2 + 65_535),
    (kind::SERVER_HELLO, 38, 2 + 32 + 33 + 2 + 1 + 2 + 65_535),
    (3, 3, 258),
    (4, 6, MOST_SAID),
    (5, 0, 0),
    (6, 6, 65_541),
    (8, 2, 65_537),
    (kind::CERTIFICATE, 3, MOST_SAID),
    (kind::SERVER_KEY_EXCHANGE, 0, MOST_SAID),
    (kind::CERTIFICATE_REQUEST, 3, MOST_SAID),
    (kind::SERVER_HELLO_DONE, 0, 0),
    (15, 4, 131_076),
    (16, 0, MOST_SAID),
    (20, 12, 64),
    (21, 3, MOST_SAID),
    (22, 4, MOST_SAID),
    (23, 3, MOST_SAID),
    (24, 1, 1),
    (25, 8, MOST_SAID),
    (67, 2, 514),
];

/// What three octets can say.
const MOST_SAID: usize = (1 << 24) - 1;

/// Octets before the body.
pub(super) const PREFIX: usize = 4;

/// Octets of a message that are read at most: of hellos and leaf certificates these are many.
const MOST_READ: usize = 64 * 1024;

/// Octets of a stream that are kept for one message, headers of its records among them. One that is
/// cut into so many records that this is not enough is not read.
pub(super) const MOST_KEPT: usize = 96 * 1024;

/// Octets that tell how much of a message is read: its prefix, and in a Certificate the lengths of
/// the list and of its first member.
const TELLING: usize = PREFIX + 6;

/// Where a message is put together that goes over several records. It is of use within one call
/// only, so all flows have one.
#[derive(Debug, Default)]
pub(super) struct Scratch(Vec<u8>);

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: u8,
    /// Octets of the body.
    pub(super) length: usize,
    /// As much of the body as is read; `None` of a type that is not, and of what is too long.
    pub(super) body: Option<&'a [u8]>,
}

impl Message<'_> {
    /// Whether there is such a type, and whether its length is one that it can have.
    pub(super) fn is_sound(&self) -> (bool, bool) {
        match KINDS.iter().find(|(kind, ..)| *kind == self.kind) {
            Some((_, least, most)) => (true, (*least..=*most).contains(&self.length)),
            None => (false, true),
        }
    }
}

/// Where a direction is among its messages.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// Octets that are left of the record whose header was passed last.
    left: usize,
    /// Octets to pass over of a message, in this record and those that follow.
    skip: usize,
    /// How far the message was followed that is not whole yet.
    walk: Option<Walk>,
}

/// A way over records, from where a message begins.
#[derive(Debug, Clone, Copy)]
struct Walk {
    /// Octets of the stream that are behind it.
    at: usize,
    /// Octets that are left of the record there.
    left: usize,
    /// Octets of the message that are behind it.
    collected: usize,
    /// The first of them.
    first: [u8; TELLING],
}

/// What comes next in a direction.
#[derive(Debug)]
pub(super) enum Next<'a> {
    /// A message, which takes so many octets; what is not read of it is passed over later.
    Message(Message<'a>, usize),
    /// So many octets that nobody wants.
    Passed(usize),
    /// It takes so many octets to tell.
    Need(usize),
    /// After so many octets there is something else before the message is whole.
    Broken(usize),
}

impl Messages {
    /// A record with so many octets of messages begins.
    pub(super) fn enter(&mut self, length: usize) {
        self.left = length;
    }

    /// Whether the next octet is one of a message.
    pub(super) fn are_at_hand(&self) -> bool {
        self.left > 0
    }

    /// Whether a record was to go on with a message. It does not.
    pub(super) fn interrupt(&mut self) -> bool {
        std::mem::take(self).skip > 0
    }

    /// What comes next, in octets that begin where a message does or goes on to be passed over.
    pub(super) fn next<'a>(&mut self, bytes: &'a [u8], scratch: &'a mut Scratch) -> Next<'a> {
        if self.skip > 0 {
            let passed = self.skip.min(self.left);
            self.skip -= passed;
            self.left -= passed;
            return Next::Passed(passed);
        }
        let mut walk = self.walk.take().unwrap_or(Walk::from(self.left));
        loop {
            let wanted = walk.wanted();
            if walk.collected == wanted {
                return self.message(walk, bytes, scratch);
            }
            if walk.left == 0 {
                let rest = bytes.get(walk.at..).unwrap_or_default();
                match Header::read(rest) {
                    Ok(None) => return self.wait(walk, header::LENGTH),
                    Ok(Some(Header { content: Content::Handshake, length: length @ 1.. })) => {
                        walk.left = length;
                        walk.at += header::LENGTH;
                    }
                    Ok(Some(_)) | Err(_) => {
                        *self = Self::default();
                        return Next::Broken(walk.at);
                    }
                }
                continue;
            }
            let step = walk.left.min(wanted - walk.collected);
            match bytes.get(walk.at..walk.at + step) {
                Some(octets) => walk.take(octets),
                None => return self.wait(walk, step),
            }
        }
    }

    /// Waits for more octets, unless that would be too many.
    fn wait<'a>(&mut self, walk: Walk, more: usize) -> Next<'a> {
        let wanted = walk.at + more;
        if wanted <= MOST_KEPT {
            self.walk = Some(walk);
            return Next::Need(wanted);
        }
        let [kind, ..] = walk.first;
        let length = walk.length();
        self.left = walk.left;
        self.skip = PREFIX + length - walk.collected;
        Next::Message(Message { kind, length, body: None }, walk.at)
    }

    fn message<'a>(&mut self, walk: Walk, bytes: &'a [u8], scratch: &'a mut Scratch) -> Next<'a> {
        let [kind, ..] = walk.first;
        let length = walk.length();
        let octets = if walk.at == walk.collected {
            bytes.get(..walk.at).unwrap_or_default()
        } else {
            scratch.join(bytes, self.left, walk.collected)
        };
        let body = octets.get(PREFIX..).filter(|_| is_read(kind) && length <= most_read(kind));
        self.left = walk.left;
        self.skip = PREFIX + length - walk.collected;
        Next::Message(Message { kind, length, body }, walk.at)
    }
}

/// Of a Certificate the first member is read, however many there are.
const fn most_read(kind: u8) -> usize {
    if kind == kind::CERTIFICATE { MOST_SAID } else { MOST_READ }
}

const fn is_read(kind: u8) -> bool {
    matches!(
        kind,
        kind::CLIENT_HELLO | kind::SERVER_HELLO | kind::CERTIFICATE | kind::SERVER_KEY_EXCHANGE
    )
}

impl Walk {
    /// From the start of a message, in a record with so many octets left.
    const fn from(left: usize) -> Self {
        Self { at: 0, left, collected: 0, first: [0; TELLING] }
    }

    fn take(&mut self, octets: &[u8]) {
        let first = self.first.get_mut(self.collected..).unwrap_or_default();
        for (to, from) in first.iter_mut().zip(octets) {
            *to = *from;
        }
        self.at += octets.len();
        self.left -= octets.len();
        self.collected += octets.len();
    }

    /// Octets of the body.
    fn length(&self) -> usize {
        let [_, high, middle, low, ..] = self.first;
        number(high, middle, low)
    }

    /// How many octets of the message are read, as far as those that are there tell.
    fn wanted(&self) -> usize {
        if self.collected < PREFIX {
            return PREFIX;
        }
        let [kind, .., high, middle, low] = self.first;
        let length = self.length();
        let of_body = match kind {
            kind::CLIENT_HELLO | kind::SERVER_HELLO if length <= MOST_READ => length,
            kind::SERVER_KEY_EXCHANGE => length.min(3),
            kind::CERTIFICATE if self.collected < TELLING => length.min(TELLING - PREFIX),
            kind::CERTIFICATE => {
                let leaf = number(high, middle, low);
                let wanted = TELLING - PREFIX + leaf;
                if wanted <= MOST_READ { wanted.min(length) } else { TELLING - PREFIX }
            }
            _ => 0,
        };
        // Never fewer than are there already.
        (PREFIX + of_body).max(self.collected)
    }
}

const fn number(high: u8, middle: u8, low: u8) -> usize {
    u32::from_be_bytes([0, high, middle, low]) as usize
}

impl Scratch {
    /// So many octets of a message, without the headers of records between them; the first record
    /// has so many left.
    fn join(&mut self, bytes: &[u8], mut left: usize, mut wanted: usize) -> &[u8] {
        self.0.clear();
        let mut rest = bytes;
        while wanted > 0 {
            let step = left.min(wanted);
            let Some((octets, behind)) = rest.split_at_checked(step) else { break };
            self.0.extend_from_slice(octets);
            wanted -= step;
            let Ok(Some(header)) = Header::read(behind) else { break };
            left = header.length;
            rest = behind.get(header::LENGTH..).unwrap_or_default();
        }
        &self.0
    }
}
