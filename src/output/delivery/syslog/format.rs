//! Messages of RFC 5424.

use std::fmt;
use std::io::Write;
use std::str::FromStr;

use crate::rule::Level;

/// From which kind of program a message comes (RFC 5424, table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facility(u8);

/// Their names as in syslog.conf, in the order of their codes.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

impl Facility {
    /// `local5`, as Suricata's.
    pub const LOCAL5: Self = Self(21);

    /// All names, in the order of their codes.
    pub const NAMES: &'static [&'static str] = &FACILITIES;

    /// Its name.
    pub fn name(self) -> &'static str {
        FACILITIES.get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

impl Default for Facility {
    fn default() -> Self {
        Self::LOCAL5
    }
}

impl fmt::Display for Facility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No facility has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no syslog facility; these are: {list}", list = FACILITIES.join(", "))]
pub struct UnknownFacility(String);

impl FromStr for Facility {
    type Err = UnknownFacility;

    fn from_str(name: &str) -> Result<Self, UnknownFacility> {
        let code = FACILITIES.iter().position(|known| *known == name);
        code.map(|code| Self(code as u8)).ok_or_else(|| UnknownFacility(name.to_owned()))
    }
}

/// The severity of a message (RFC 5424, table 2): 2 is critical, 6 informational. "Emergency" and
/// "alert" speak of the sensor's own host, and stay unused.
fn severity(alert: Option<Level>) -> u8 {
    match alert {
        Some(Level::Critical) => 2,
        Some(Level::High) => 3,
        Some(Level::Medium) => 4,
        Some(Level::Low) => 5,
        Some(Level::Informational) | None => 6,
    }
}

/// Writes messages; what is the same in all of them is prepared.
#[derive(Debug)]
pub(super) struct Format {
    facility: Facility,
    /// ` HOSTNAME APP-NAME PROCID `.
    origin: String,
}

impl Format {
    pub(super) fn new(facility: Facility, host: &str) -> Self {
        let origin = format!(" {} gridtap {} ", header_field(host, 255), std::process::id());
        Self { facility, origin }
    }

    /// Adds the message of a line without its line feed: `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID
    /// MSGID - MSG`. There are no structured data. MSG is the line; without a byte order mark it is
    /// MSG-ANY (section 6.4), so that a receiver finds JSON at its beginning.
    pub(super) fn put(&self, line: &[u8], alert: Option<Level>, into: &mut Vec<u8>) {
        let priority = self.facility.0 * 8 + severity(alert);
        // Writing to a vector does not fail.
        let _ = write!(into, "<{priority}>1 ");
        match timestamp(line) {
            Some(timestamp) => into.extend(timestamp),
            None => into.push(b'-'),
        }
        into.extend(self.origin.as_bytes());
        into.extend(if alert.is_some() { &b"alert - "[..] } else { &b"record - "[..] });
        into.extend(line);
    }
}

/// The moment at which the packet came, `2026-11-23T04:55:59.123456Z`, from the beginning of the
/// line, where it has a zone that RFC 3339 does not know: `"timestamp":"…+0000"`.
fn timestamp(line: &[u8]) -> Option<[u8; 27]> {
    const SHAPE: &[u8; 26] = b"0000-00-00T00:00:00.000000";
    let moment = line.strip_prefix(b"{\"timestamp\":\"")?;
    let (digits, zone) = moment.split_first_chunk::<26>()?;
    let fits = |(octet, shape): (&u8, &u8)| match shape {
        b'0' => octet.is_ascii_digit(),
        other => octet == other,
    };
    if !zone.starts_with(b"+0000\"") || !digits.iter().zip(SHAPE).all(fits) {
        return None;
    }
    let mut timestamp = [b'Z'; 27];
    timestamp.first_chunk_mut::<26>()?.copy_from_slice(digits);
    Some(timestamp)
}

/// A field of the header: printable US-ASCII without spaces, of limited length, or `-` (section 6).
fn header_field(text: &str, longest: usize) -> String {
    let printable: String = text
        .chars()
        .map(|character| if character.is_ascii_graphic() { character } else { '_' })
        .take(longest)
        .collect();
    if printable.is_empty() { "-".to_owned() } else { printable }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(host: &str, line: &str, alert: Option<Level>) -> String {
        let mut message = Vec::new();
        Format::new("local5".parse().unwrap(), host).put(line.as_bytes(), alert, &mut message);
        String::from_utf8(message).unwrap()
    }

    #[test]
    fn the_packets_time_goes_into_the_header() {
        let line = r#"{"timestamp":"2026-11-23T04:55:59.123456+0000","event_type":"alert"}"#;
        let process = std::process::id();
        assert_eq!(
            message("tap-1", line, Some(Level::Critical)),
            format!("<170>1 2026-11-23T04:55:59.123456Z tap-1 gridtap {process} alert - {line}")
        );
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let process = std::process::id();
        assert_eq!(message("", "{}", None), format!("<174>1 - - gridtap {process} record - {{}}"));
        let strange = message("a b\nü", r#"{"timestamp":"2026-11-23 04:55:59.123456+0000"}"#, None);
        assert!(strange.starts_with("<174>1 - a_b__ gridtap "), "{strange}");
        assert_eq!(header_field(&"x".repeat(300), 255).len(), 255);
    }

    #[test]
    fn facilities_have_names() {
        assert_eq!("kern".parse(), Ok(Facility(0)));
        assert_eq!("local7".parse(), Ok(Facility(23)));
        assert_eq!(Facility::default().to_string(), "local5");
        assert!("local8".parse::<Facility>().unwrap_err().to_string().contains("local7"));
    }
}
