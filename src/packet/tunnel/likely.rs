//! What octets are that nothing says it of: IP or Ethernet, with or without a word before it.
//!
//! A first nibble of 4 or 6 is IP's, and of many hardware addresses as well (RFC 4928, 3). So each
//! reading is weighed as a whole, down to the checksum of its transport, in bits of evidence: about
//! the binary logarithm of how many places with random octets it takes for one to look like this.

use super::super::ip::{self, Ip};
use super::super::table::{ETHERTYPES, Header, TAGS, lookup};
use super::super::{Checksum, Skip, Transport, transport};

/// What is less likely than this is nothing: no header that is right in length and version is.
const ENOUGH: u32 = 12;

/// What stands behind a stack of labels, and from which octet on: IP, or Ethernet with a control word
/// (RFC 4448, 4.6) or without.
pub(super) fn pseudowire(bytes: &[u8]) -> Option<(Header, usize)> {
    const CONTROL_WORD: usize = 4;
    let behind_word = match bytes.split_at_checked(CONTROL_WORD) {
        Some(([0..=0x0f, ..], rest)) => ethernet(rest),
        _ => 0,
    };
    let readings = [
        (ip(bytes), (Header::Ip, 0)),
        (behind_word, (Header::Ethernet, CONTROL_WORD)),
        (ethernet(bytes), (Header::Ethernet, 0)),
    ];
    most_likely(readings)
}

/// IP or Ethernet.
pub(super) fn either(bytes: &[u8]) -> Option<Header> {
    most_likely([(ip(bytes), Header::Ip), (ethernet(bytes), Header::Ethernet)])
}

/// Whether Ethernet begins here.
pub(super) fn is_ethernet(bytes: &[u8]) -> bool {
    ethernet(bytes) >= ENOUGH
}

/// Whether Ethernet with IP in it begins here, where hardly anything else speaks for that.
pub(super) fn is_surely_ethernet(bytes: &[u8]) -> bool {
    ethernet(bytes) >= 2 * ENOUGH
}

pub(super) fn is_ip(bytes: &[u8]) -> bool {
    ip(bytes) >= ENOUGH
}

/// Of several that are as likely, the first.
fn most_likely<const N: usize, R: Copy>(readings: [(u32, R); N]) -> Option<R> {
    let best = readings.iter().rev().max_by_key(|(evidence, _)| *evidence)?;
    (best.0 >= ENOUGH).then_some(best.1)
}

/// Evidence that Ethernet begins here. Bounded: below tags, only IP is looked into.
fn ethernet(bytes: &[u8]) -> u32 {
    /// ARP, reverse ARP, slow protocols, 802.1X, PPPoE discovery, LLDP, CFM: no way to IP, but common.
    const OTHERS: [u16; 7] = [0x0806, 0x8035, 0x8809, 0x888e, 0x8863, 0x88cc, 0x8902];
    let field = |at: usize| {
        bytes.get(at..at + 2).map_or(0, |two| u16::from(two[0]) << 8 | u16::from(two[1]))
    };
    let mut at = 12;
    while TAGS.contains(&field(at)) && at < 12 + 4 * 4 {
        at += 4;
    }
    let ethertype = field(at);
    let of_tags = (at as u32 - 12) * 3;
    let rest = bytes.get(at + 2..).unwrap_or_default();
    // A group never sends (IEEE 802, 8.2).
    let from_group = bytes.get(6).is_none_or(|first| first & 1 == 1);
    let is_known = OTHERS.contains(&ethertype) || lookup(ETHERTYPES, ethertype).is_some();
    match ethertype {
        _ if from_group => 0,
        0x0800 | 0x86dd => of_tags + 12 + ip(rest),
        _ if is_known => of_tags + 12,
        // A length of 802.3, and nothing behind it but padding.
        46..=1500 if usize::from(ethertype) == rest.len() => of_tags + 10,
        _ => of_tags,
    }
}

/// Evidence that an IP packet begins here: lengths that agree, a checksum of the header, and one of
/// the transport. A header whose checksum is wrong may still be the likeliest reading.
fn ip(bytes: &[u8]) -> u32 {
    let field = |at: usize| match bytes.get(at..at + 2) {
        Some([high, low]) => usize::from(*high) << 8 | usize::from(*low),
        _ => 0,
    };
    let (whole, of_checksum) = match bytes.first() {
        // A checksum of zero is none.
        Some(0x45..=0x4f) if bytes.len() >= 20 => (field(2), if field(10) == 0 { 0 } else { 16 }),
        Some(0x60..=0x6f) if bytes.len() >= 40 => (field(4) + 40, 0),
        _ => return 0,
    };
    let of_length = match whole.cmp(&bytes.len()) {
        _ if whole < 20 => return 0,
        std::cmp::Ordering::Equal => 12,
        // Padding, or the capture cut it.
        std::cmp::Ordering::Less | std::cmp::Ordering::Greater => 3,
    };
    let version = 5;
    match ip::decode(bytes) {
        Ok(ip) => version + of_length + of_checksum + transport(&ip),
        Err(Skip::Fragment) => version + of_length + of_checksum,
        Err(_) => version + of_length,
    }
}

/// Evidence in what is above IP.
fn transport(ip: &Ip<'_>) -> u32 {
    match transport::decode(ip) {
        Ok(Transport::Tcp(tcp)) if tcp.checksum == Checksum::Good => 16,
        Ok(Transport::Tcp(_)) => 8,
        Ok(Transport::Udp { .. } | Transport::Sctp { .. } | Transport::Icmp { .. }) => 6,
        Ok(Transport::Other) | Err(_) => 0,
    }
}
