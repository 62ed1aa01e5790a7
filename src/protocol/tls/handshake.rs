//! A handshake: what both ends said in clear, until they were done or one gave up.

use super::alert::Alert;
use super::carried::Carried;
use super::certificate::Certificate;
use super::client_hello::ClientHello;
use super::number::Name;
use super::server_hello::ServerHello;
use super::version::Version;
use crate::protocol::Role;

/// What is gathered of a handshake.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// Whether octets of it were not seen: what is absent may have been there.
    pub(super) partial: bool,
    pub(super) client_hello: Option<ClientHello>,
    pub(super) server_hello: Option<ServerHello>,
    /// The cipher suite.
    pub(super) cipher: Option<Name>,
    /// The group of the key exchange.
    pub(super) group: Option<Name>,
    pub(super) server_certificate: Option<Box<Certificate>>,
    pub(super) client_certificate: Option<Box<Certificate>>,
    /// Whether the server asked for a certificate, and what the client said to that (RFC 5246,
    /// 7.4.6): `None` where it was not heard.
    pub(super) certificate_requested: bool,
    pub(super) certificate_given: Option<bool>,
    /// Whether the server has said all it had to before the keys (RFC 5246, 7.4.5).
    pub(super) server_done: bool,
    /// Whether the keys come from an earlier handshake.
    pub(super) resumed: Option<bool>,
    /// The last alert, and who sent it.
    pub(super) alert: Option<Alert>,
    pub(super) alert_from: Option<Role>,
    /// Port of the server.
    pub(super) server_port: u16,
}

/// How a handshake ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Outcome {
    Completed,
    Refused,
    #[default]
    Incomplete,
}

impl Outcome {
    /// Names, by code.
    pub(super) const NAMES: &'static [&'static str] = &["completed", "refused", "incomplete"];
}

/// What a server learned of its client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientCertificate {
    NotRequested,
    None,
    Presented,
}

impl ClientCertificate {
    /// Names, by code.
    pub(super) const NAMES: &'static [&'static str] = &["not_requested", "none", "presented"];
}

impl Handshake {
    /// The version that both speak.
    pub(super) fn version(&self) -> Option<Version> {
        self.server_hello.as_ref().and_then(|hello| hello.version)
    }

    /// Whether the client showed a certificate. TLS 1.3 hides it; a resumed session has it from
    /// before.
    pub(super) fn client_certificate(&self) -> Option<ClientCertificate> {
        match self.certificate_given {
            Some(true) => return Some(ClientCertificate::Presented),
            Some(false) => return Some(ClientCertificate::None),
            None => {}
        }
        let all_seen = self.server_done && !self.partial;
        (all_seen && !self.certificate_requested).then_some(ClientCertificate::NotRequested)
    }

    /// What goes inside, as far as anything tells.
    pub(super) fn carried(&self) -> Option<Carried> {
        let chosen = self.server_hello.as_ref().map(|hello| &*hello.protocols);
        let offered = self.client_hello.as_ref().map(|hello| &*hello.protocols);
        let protocols = chosen.filter(|chosen| !chosen.is_empty()).or(offered);
        Carried::of(protocols.unwrap_or_default(), self.server_port)
    }
}
