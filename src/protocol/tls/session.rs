//! What a connection knows beyond the record at hand: how far its handshake is, and what is to be
//! told of it.

use super::alert::Alert;
use super::certificate::Certificate;
use super::client_hello::ClientHello;
use super::facts::Facts;
use super::handshake::{Handshake, Outcome};
use super::header::{Content, Header};
use super::message::{Message, PREFIX, kind};
use super::number::{AES_128_CCM_8_SHA256, Name};
use super::server_hello::{self, ServerHello};
use super::version::Version;
use super::violation::{Report, Violation};
use crate::event::Records;
use crate::flow::Direction;
use crate::protocol::{Fact, Role, Start};
use crate::time::Timestamp;

/// A connection.
#[derive(Debug)]
pub(super) struct Session {
    /// Which way leads to the server: hellos tell, and before them who opened the connection.
    to_server: Direction,
    /// Ports of the receivers, by direction.
    ports: [u16; 2],
    /// Whether octets were not seen.
    partial: bool,
    /// The version that both speak.
    version: Option<Version>,
    /// The one that goes on.
    handshake: Option<Box<Handshake>>,
    /// By direction: whether something came that only the end of a handshake, or what follows it,
    /// can be.
    protected: [bool; 2],
    facts: Facts,
}

impl Session {
    /// A connection without a message yet.
    pub(super) fn new(start: Start<'_>) -> Self {
        let receivers = Direction::BOTH.map(|direction| direction.sender(start.client).opposite());
        Self {
            to_server: Direction::ToServer,
            ports: receivers.map(|side| start.key.port(side)),
            partial: start.joined,
            version: None,
            handshake: None,
            protected: [false; 2],
            facts: Facts::default(),
        }
    }

    /// The version that both speak, once known.
    pub(super) fn version(&self) -> Option<Version> {
        self.version
    }

    /// Whether TLS 1.3 is spoken, as far as is known.
    pub(super) fn is_tls13(&self) -> bool {
        self.version == Some(Version::Tls13)
    }

    /// Whether the server has agreed to TLS 1.3: all that it says behind that is encrypted (4.1.3).
    pub(super) fn is_agreed_tls13(&self) -> bool {
        let agreed =
            self.handshake.as_ref().is_some_and(|handshake| handshake.server_hello.is_some());
        self.is_tls13() && agreed
    }

    /// Whether the client may send data before the server has answered.
    pub(super) fn has_early_data(&self) -> bool {
        let hello = self.handshake.as_ref().and_then(|handshake| handshake.client_hello.as_ref());
        hello.is_some_and(|hello| hello.early_data)
    }

    /// Octets were lost.
    pub(super) fn miss(&mut self) {
        self.partial = true;
        if let Some(handshake) = &mut self.handshake {
            handshake.partial = true;
        }
    }

    /// Takes a message in clear. `now` is the packet's time, if somebody trusts it.
    pub(super) fn message(
        &mut self,
        direction: Direction,
        message: Message<'_>,
        now: Option<Timestamp>,
        report: &mut Report<'_>,
    ) {
        match (message.kind, message.body) {
            (kind::CLIENT_HELLO, body) => self.client_hello(direction, body, report),
            (kind::SERVER_HELLO, body) => self.server_hello(direction, body, report),
            (kind::CERTIFICATE, Some(body)) => {
                self.certificate(direction, message.length, body, now, report);
            }
            (kind::CERTIFICATE, None) => self.miss(),
            (kind::SERVER_KEY_EXCHANGE, Some(head)) => {
                let group = server_hello::named_group(head).map(Name::of_group);
                self.with(|handshake| handshake.group = group);
            }
            (kind::CERTIFICATE_REQUEST, _) => {
                self.with(|handshake| handshake.certificate_requested = true);
            }
            (kind::SERVER_HELLO_DONE, _) => self.with(|handshake| {
                handshake.server_done = true;
                handshake.resumed = Some(false);
            }),
            _ => {}
        }
    }

    fn with(&mut self, act: impl FnOnce(&mut Handshake)) {
        if let Some(handshake) = &mut self.handshake {
            act(handshake);
        }
    }

    /// The handshake that a hello belongs to: the one that goes on, or a new one.
    fn begun(&mut self, to_server: Direction) -> &mut Handshake {
        self.to_server = to_server;
        let (partial, server_port) = (self.partial, self.ports[to_server.index()]);
        self.handshake.get_or_insert_with(|| {
            Box::new(Handshake { partial, server_port, ..Handshake::default() })
        })
    }

    fn client_hello(&mut self, direction: Direction, body: Option<&[u8]>, report: &mut Report<'_>) {
        let handshake = self.begun(direction);
        let Some(body) = body else { return self.miss() };
        let (hello, read) = ClientHello::read(body);
        handshake.client_hello = Some(hello);
        check_hello(read, body, report);
    }

    fn server_hello(&mut self, direction: Direction, body: Option<&[u8]>, report: &mut Report<'_>) {
        let handshake = self.begun(direction.opposite());
        let Some(body) = body else { return self.miss() };
        let (hello, read) = ServerHello::read(body);
        // Without the client's words somebody's packets are missing.
        handshake.partial |= handshake.client_hello.is_none();
        // What is cut off may be what tells the version.
        let version = hello.version.filter(|_| read.is_ok());
        let is_tls13 = version == Some(Version::Tls13);
        handshake.group = hello.group.map(Name::of_group);
        if !hello.is_retry {
            handshake.resumed = is_tls13.then_some(hello.pre_shared);
            handshake.cipher = hello.cipher.map(Name::of_cipher);
            handshake.server_hello = Some(hello);
        }
        self.version = version;
        check_hello(read, body, report);
    }

    /// The first certificate of a list (RFC 5246, 7.4.2): that of the sender.
    fn certificate(
        &mut self,
        direction: Direction,
        length: usize,
        body: &[u8],
        now: Option<Timestamp>,
        report: &mut Report<'_>,
    ) {
        let from_server = direction != self.to_server;
        let Some(handshake) = &mut self.handshake else { return };
        let leaf = match leaf(length, body) {
            Ok(leaf) => leaf,
            Err(Unread::TooLong) => return self.miss(),
            Err(Unread::Length { field, value, offset }) => {
                return report.raise(Violation::Truncated, field, value, PREFIX + offset);
            }
        };
        if !from_server {
            handshake.certificate_given = Some(leaf.is_some());
        }
        let Some(leaf) = leaf else { return };
        let Ok(certificate) = Certificate::read(leaf, now) else {
            const AT: usize = PREFIX + 6;
            return report.raise(Violation::CertificateMalformed, "certificate", leaf.len(), AT);
        };
        let place = if from_server {
            &mut handshake.server_certificate
        } else {
            &mut handshake.client_certificate
        };
        *place = Some(Box::new(certificate));
    }

    /// From here on, before TLS 1.3, a direction is encrypted.
    pub(super) fn change_cipher_spec(&mut self, direction: Direction) {
        let from_server = direction != self.to_server;
        if !from_server || self.is_tls13() || self.version.is_none() {
            return;
        }
        // A server that does not finish its part goes on with an earlier session (RFC 5246, 7.3).
        self.with(|handshake| {
            if !handshake.server_done && !handshake.partial {
                handshake.resumed = Some(true);
            }
        });
    }

    /// An alert in clear.
    pub(super) fn alert(&mut self, direction: Direction, alert: Alert, out: &mut dyn Records) {
        let (from, is_tls13) = (self.role(direction), self.is_tls13());
        let Some(handshake) = &mut self.handshake else { return };
        handshake.alert = Some(alert);
        handshake.alert_from = Some(from);
        if alert.is_refusal(is_tls13) {
            self.conclude(Outcome::Refused, out);
        }
    }

    /// A record that is encrypted: the last message of a handshake, or what follows it.
    pub(super) fn protected(
        &mut self,
        direction: Direction,
        header: Header,
        out: &mut dyn Records,
    ) {
        let Some(handshake) = &self.handshake else { return };
        let from_client = direction == self.to_server;
        let is_data = header.content == Content::ApplicationData;
        if is_data && from_client && self.has_early_data() && handshake.server_hello.is_none() {
            return;
        }
        let is_first = !std::mem::replace(&mut self.protected[direction.index()], true);
        if is_first && is_data && from_client && self.is_encrypted_alert(header.length) {
            self.with(|handshake| {
                handshake.alert = None;
                handshake.alert_from = Some(Role::Client);
            });
            return self.conclude(Outcome::Refused, out);
        }
        if self.protected == [true; 2] {
            self.conclude(Outcome::Completed, out);
        }
    }

    /// In TLS 1.3 only an alert is so short that a client can send as its first record with keys:
    /// its two octets, its type, and the authentication tag (5.2). Of messages the shortest that it
    /// may send there has eight.
    fn is_encrypted_alert(&self, length: usize) -> bool {
        let Some(handshake) = self.handshake.as_ref().filter(|handshake| !handshake.partial) else {
            return false;
        };
        let cipher = handshake.server_hello.as_ref().and_then(|hello| hello.cipher);
        let tag = if cipher == Some(AES_128_CCM_8_SHA256) { 8 } else { 16 };
        self.is_tls13() && !self.has_early_data() && length == 2 + 1 + tag
    }

    fn role(&self, direction: Direction) -> Role {
        if direction == self.to_server { Role::Client } else { Role::Server }
    }

    /// The handshake is over.
    fn conclude(&mut self, outcome: Outcome, out: &mut dyn Records) {
        let Some(mut handshake) = self.handshake.take() else { return };
        self.protected = [false; 2];
        handshake.outcome = outcome;
        self.facts.note(&handshake);
        out.emit_about(self.to_server, &*handshake);
    }

    /// The flow is over. Where only one end was heard, what that one sent may tell that both were
    /// done: the last message is the client's in TLS 1.3 and in a resumed session, else the
    /// server's.
    pub(super) fn end(&mut self, out: &mut dyn Records) {
        let resumed = self.handshake.as_ref().and_then(|handshake| handshake.resumed);
        let client_is_last = self.is_tls13() || resumed == Some(true);
        let last = if client_is_last { self.to_server } else { self.to_server.opposite() };
        let done = self.version.is_some() && self.protected[last.index()];
        self.conclude(if done { Outcome::Completed } else { Outcome::Incomplete }, out);
    }

    /// Tells what there is to know of the server.
    pub(super) fn facts(&self, tell: &mut dyn FnMut(&'static str, Fact<'_>)) {
        self.facts.tell(tell);
    }
}

/// What is wrong with a hello as a whole.
fn check_hello(read: Result<usize, crate::bytes::Short>, body: &[u8], report: &mut Report<'_>) {
    match read {
        Ok(0) => {}
        Ok(left) => report.raise(Violation::TrailingBytes, "", left, PREFIX + body.len() - left),
        Err(short) => report.truncated(short),
    }
}

/// Why a list of certificates is not read.
enum Unread {
    /// Its first member is longer than what is read.
    TooLong,
    /// A length is wrong.
    Length { field: &'static str, value: usize, offset: usize },
}

/// The first member of the list in a Certificate of so many octets, of which these are the first.
fn leaf(length: usize, body: &[u8]) -> Result<Option<&[u8]>, Unread> {
    let mut cursor = crate::bytes::Cursor::new(body);
    let wrong = |field, value: u32, offset| Unread::Length { field, value: value as usize, offset };
    let list = cursor.u24_be().map_err(|_| wrong("certificate_list", 0, 0))?;
    if list as usize + 3 != length {
        return Err(wrong("certificate_list", list, 0));
    }
    if list == 0 {
        return Ok(None);
    }
    let certificate = cursor.u24_be().map_err(|_| wrong("certificate", 0, 3))?;
    if certificate as usize + 6 > length {
        return Err(wrong("certificate", certificate, 3));
    }
    cursor.take(certificate as usize).map(Some).map_err(|_| Unread::TooLong)
}
