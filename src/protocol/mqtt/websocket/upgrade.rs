//! The heads of HTTP messages by which a connection becomes a WebSocket (RFC 6455, clause 4).
//!
//! Read as servers do rather than as the grammar demands: names in any case, any white space around
//! values, lists over several lines. Whoever wants to hide would use what the two read differently.

use std::ops::Range;

use memchr::memmem;

/// The most octets of a head that are looked at: what servers accept at the most, and clients of
/// answers. What takes more is passed over up to its end, and told of.
pub(super) const MOST: usize = 16 * 1024;

/// So many octets at the end of what was passed over may belong to the end of a head.
pub(super) const SEAM: usize = 2;

/// Octets of each text of a request that are kept as long as its connection.
const KEPT: usize = 256;

/// What a client says of itself before it speaks MQTT. Texts that are not there are empty; all are
/// when the connection was joined behind the request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Upgrade {
    /// The path, without a query: what it holds is often a signature that lets one in.
    pub(in super::super) path: Box<[u8]>,
    /// `Host`.
    pub(in super::super) host: Box<[u8]>,
    /// `Origin`: the page whose script connects.
    pub(in super::super) origin: Box<[u8]>,
    /// `User-Agent`.
    pub(in super::super) user_agent: Box<[u8]>,
    /// `Sec-WebSocket-Protocol`: the subprotocols that are offered.
    pub(in super::super) subprotocol: Box<[u8]>,
}

/// What a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// Whether the connection is a WebSocket from here on.
    pub(super) accepted: bool,
    /// Whether the subprotocol is one of MQTT.
    pub(super) names_mqtt: bool,
    /// Whether messages may be compressed (RFC 7692).
    pub(super) deflate: bool,
}

/// A head, as far as its beginning tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// None that is of interest.
    No,
    /// So many octets are needed to tell.
    More(usize),
    /// Of a request.
    Request,
    /// Of an answer.
    Answer,
}

const REQUEST: &[u8] = b"GET ";
const ANSWER: &[u8] = b"HTTP/1.";

/// What head begins at the start of `bytes`.
pub(super) fn start(bytes: &[u8]) -> Start {
    for (begins, start) in [(REQUEST, Start::Request), (ANSWER, Start::Answer)] {
        if bytes.starts_with(begins) {
            return start;
        }
        if begins.starts_with(bytes) {
            // The next octet may tell: who asks for more depends on how the stream was cut.
            return Start::More(bytes.len() + 1);
        }
    }
    Start::No
}

/// How many octets the head at the start of `bytes` has, if the empty line behind it is there. So
/// many octets were searched before.
pub(super) fn length(bytes: &[u8], searched: usize) -> Option<usize> {
    const ENDS: [&[u8]; 2] = [b"\n\n", b"\n\r\n"];
    let from = searched.saturating_sub(SEAM);
    let mut rest = bytes.get(from..)?;
    let mut length = None;
    // The second is looked for as far as the first only.
    for end in ENDS {
        if let Some(at) = memmem::find(rest, end) {
            rest = &rest[..at + end.len()];
            length = Some(from + rest.len());
        }
    }
    length
}

/// Where a head ends.
pub(super) enum End {
    /// So many octets are needed to tell.
    More(usize),
    /// Behind so many octets.
    Behind(usize),
    /// Behind more octets than are looked at.
    Beyond,
}

/// Where the head at the start of `bytes` ends, of which so many octets were searched before.
pub(super) fn end(bytes: &[u8], searched: usize) -> End {
    let shown = bytes.get(..MOST).unwrap_or(bytes);
    match length(shown, searched) {
        Some(length) => End::Behind(length),
        None if shown.len() < MOST => End::More(shown.len() + 1),
        None => End::Beyond,
    }
}

/// Reads a request; `None` if it does not ask for a WebSocket.
pub(super) fn request(head: &[u8]) -> Option<Upgrade> {
    let head = Head::read(head)?;
    if !head.is_upgrade() {
        return None;
    }
    let path = head.target.split(|octet| *octet == b'?').next().unwrap_or_default();
    let text = |name| kept(head.value(name).unwrap_or_default());
    Some(Upgrade {
        path: kept(path),
        host: text("host"),
        origin: text("origin"),
        user_agent: text("user-agent"),
        subprotocol: text("sec-websocket-protocol"),
    })
}

/// Whether a request offers MQTT.
pub(super) fn offers_mqtt(head: &[u8]) -> bool {
    Head::read(head).is_some_and(|head| head.names_mqtt())
}

/// Reads the beginning of an answer that is longer than what is looked at. Nothing is held against
/// it that the rest may say.
pub(super) fn long_answer(head: &[u8]) -> Answer {
    let accepted = Head::read(head).is_some_and(|head| {
        head.target == b"101" && (head.is_upgrade() || head.value("upgrade").is_none())
    });
    Answer { accepted, names_mqtt: true, deflate: true }
}

/// Reads an answer.
pub(super) fn answer(head: &[u8]) -> Answer {
    let no = Answer { accepted: false, names_mqtt: false, deflate: false };
    let Some(head) = Head::read(head) else { return no };
    Answer {
        accepted: head.target == b"101" && head.is_upgrade(),
        names_mqtt: head.names_mqtt(),
        deflate: head.has("sec-websocket-extensions", |extension| {
            let name = extension.split(|octet| *octet == b';').next().unwrap_or_default();
            name.trim_ascii().eq_ignore_ascii_case(b"permessage-deflate")
        }),
    }
}

/// What lets somebody in: the values of these headers, and the query of the target.
pub(super) fn secrets(head: &[u8], mut hide: impl FnMut(Range<usize>)) {
    const NAMES: [&[u8]; 3] = [b"authorization", b"proxy-authorization", b"cookie"];
    let line = memchr::memchr(b'\r', head).unwrap_or(head.len());
    if let Some(query) = memchr::memchr(b'?', &head[..line]) {
        let end = memchr::memchr(b' ', &head[query..line]).map_or(line, |end| query + end);
        hide(query + 1..end);
    }
    let mut at = 0;
    for line in head.split(|octet| *octet == b'\n') {
        if let Some(colon) = memchr::memchr(b':', line)
            && NAMES.iter().any(|name| line[..colon].trim_ascii().eq_ignore_ascii_case(name))
        {
            hide(at + colon + 1..at + line.trim_ascii_end().len());
        }
        at += line.len() + 1;
    }
}

fn kept(text: &[u8]) -> Box<[u8]> {
    text.get(..KEPT).unwrap_or(text).into()
}

/// A request or an answer.
struct Head<'a> {
    /// The second word of the first line: target or status.
    target: &'a [u8],
    /// The lines behind it.
    lines: &'a [u8],
}

impl<'a> Head<'a> {
    fn read(head: &'a [u8]) -> Option<Self> {
        let end = memchr::memchr(b'\n', head)?;
        let (first, lines) = head.split_at(end);
        let target = first.trim_ascii().split(|octet| *octet == b' ').nth(1)?;
        Some(Self { target, lines })
    }

    /// The values of every header of this name.
    fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.lines.split(|octet| *octet == b'\n').filter_map(move |line| {
            let (found, value) = line.split_at(memchr::memchr(b':', line)?);
            let is_it = found.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
            is_it.then(|| value[1..].trim_ascii())
        })
    }

    fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// Whether a header of this name lists something.
    fn has(&self, name: &str, mut is_it: impl FnMut(&[u8]) -> bool) -> bool {
        let mut elements = self.values(name).flat_map(|value| value.split(|octet| *octet == b','));
        elements.any(|element| is_it(element.trim_ascii()))
    }

    fn is_upgrade(&self) -> bool {
        self.has("upgrade", |protocol| protocol.eq_ignore_ascii_case(b"websocket"))
    }

    /// `mqtt`, and what there was before it: `mqttv3.1`, `mqttv3.1.1`.
    fn names_mqtt(&self) -> bool {
        self.has("sec-websocket-protocol", |name| {
            name.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"mqtt"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKS: &[u8] = b"GET /mqtt?token=abc HTTP/1.1\r\nHost: broker:9001\r\nUPGRADE: WebSocket\r\n\
        Connection: keep-alive, Upgrade\r\nsec-websocket-protocol:  mqttv3.1 , MQTT \r\n\
        Origin: https://panel.example\r\nUser-Agent: probe/1\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\
        Cookie: session=1\r\n\r\n";

    #[test]
    fn a_request_is_read_as_a_server_would() {
        let upgrade = request(ASKS).unwrap();
        let texts = [
            &upgrade.path,
            &upgrade.host,
            &upgrade.origin,
            &upgrade.user_agent,
            &upgrade.subprotocol,
        ];
        let texts = texts.map(|text| str::from_utf8(text).unwrap());
        let expected =
            ["/mqtt", "broker:9001", "https://panel.example", "probe/1", "mqttv3.1 , MQTT"];
        assert_eq!(texts, expected);
        assert!(offers_mqtt(ASKS));
    }

    #[test]
    fn what_asks_for_no_websocket_is_no_upgrade() {
        assert_eq!(request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), None);
        assert_eq!(request(b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"), None);
        assert!(!offers_mqtt(b"GET / HTTP/1.1\r\nSec-WebSocket-Protocol: chat, amqtt\r\n\r\n"));
    }

    #[test]
    fn an_answer_accepts_with_101_only() {
        let accepted = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\
            Sec-WebSocket-Extensions: x, permessage-deflate; client_max_window_bits=15\r\n\
            Sec-WebSocket-Protocol: mqtt\r\n\r\n";
        assert_eq!(answer(accepted), Answer { accepted: true, names_mqtt: true, deflate: true });
        for other in [
            &b"HTTP/1.1 401 Unauthorized\r\nUpgrade: websocket\r\n\r\n"[..],
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
            b"HTTP/1.1\r\n\r\n",
        ] {
            assert!(!answer(other).accepted);
        }
    }

    #[test]
    fn the_end_of_a_head_is_found_however_much_was_searched_before() {
        for head in [ASKS, b"GET / HTTP/1.1\nUpgrade: websocket\n\n"] {
            let stream = [head, b"\x82\x80abcd\n\r\n\n\n"].concat();
            for searched in 0..head.len() {
                assert_eq!(length(&stream, searched), Some(head.len()));
                assert_eq!(length(&stream[..searched], searched / 2), None);
            }
        }
    }

    #[test]
    fn what_lets_somebody_in_is_hidden() {
        let mut hidden = ASKS.to_vec();
        secrets(ASKS, |octets| hidden[octets].fill(b'*'));
        let hidden = String::from_utf8(hidden).unwrap();
        assert!(hidden.starts_with("GET /mqtt?********* HTTP/1.1\r\nHost: broker:9001\r\n"));
        for secret in ["abc", "Z3Vlc3Q6Z3Vlc3Q=", "session"] {
            assert!(!hidden.contains(secret), "{hidden}");
        }
        assert_eq!(hidden.matches("\r\n").count(), 10);
    }
}
