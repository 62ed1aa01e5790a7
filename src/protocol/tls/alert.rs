//! Alerts (clause 6).

/// An alert in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Alert {
    pub(super) level: u8,
    pub(super) description: u8,
}

/// The two levels, by code.
pub(super) const LEVELS: &[&str] = &["", "warning", "fatal"];

const FATAL: u8 = 2;
const CLOSE_NOTIFY: u8 = 0;
const USER_CANCELED: u8 = 90;

/// Descriptions (6; RFC 5246, 7.2; the registry of IANA), the reserved ones of older versions too.
const DESCRIPTIONS_BY_CODE: &[(u8, &str)] = &[
    (CLOSE_NOTIFY, "close_notify"),
    (10, "unexpected_message"),
    (20, "bad_record_mac"),
    (21, "decryption_failed"),
    (22, "record_overflow"),
    (30, "decompression_failure"),
    (40, "handshake_failure"),
    (41, "no_certificate"),
    (42, "bad_certificate"),
    (43, "unsupported_certificate"),
    (44, "certificate_revoked"),
    (45, "certificate_expired"),
    (46, "certificate_unknown"),
    (47, "illegal_parameter"),
    (48, "unknown_ca"),
    (49, "access_denied"),
    (50, "decode_error"),
    (51, "decrypt_error"),
    (52, "too_many_cids_requested"),
    (60, "export_restriction"),
    (70, "protocol_version"),
    (71, "insufficient_security"),
    (80, "internal_error"),
    (86, "inappropriate_fallback"),
    (USER_CANCELED, "user_canceled"),
    (100, "no_renegotiation"),
    (109, "missing_extension"),
    (110, "unsupported_extension"),
    (111, "certificate_unobtainable"),
    (112, "unrecognized_name"),
    (113, "bad_certificate_status_response"),
    (114, "bad_certificate_hash_value"),
    (115, "unknown_psk_identity"),
    (116, "certificate_required"),
    (120, "no_application_protocol"),
    (121, "ech_required"),
];

/// The same by code; empty where there is none.
pub(super) static DESCRIPTIONS: [&str; 122] = {
    let mut names = [""; 122];
    let mut index = 0;
    while index < DESCRIPTIONS_BY_CODE.len() {
        let (code, name) = DESCRIPTIONS_BY_CODE[index];
        names[code as usize] = name;
        index += 1;
    }
    names
};

impl Alert {
    /// Whether it has one of the two levels.
    pub(super) fn has_level(self) -> bool {
        matches!(self.level, 1 | FATAL)
    }

    /// Whether the description has a name.
    pub(super) fn is_known(self) -> bool {
        DESCRIPTIONS.get(usize::from(self.description)).is_some_and(|name| !name.is_empty())
    }

    /// Whether it ends a handshake. TLS 1.3 has no use for the level (6.2).
    pub(super) fn is_refusal(self, is_tls13: bool) -> bool {
        let says_goodbye = matches!(self.description, CLOSE_NOTIFY | USER_CANCELED);
        !says_goodbye && (self.level == FATAL || is_tls13)
    }
}
