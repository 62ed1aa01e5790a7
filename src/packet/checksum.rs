//! The Internet checksum (RFC 1071).
//!
//! Ones' complement addition does not care how wide the words are nor in which byte order they are
//! read, so the sum is taken over little-endian words of eight octets, with the carry added back,
//! and folded and swapped at the end.

use std::net::IpAddr;

/// The ones' complement sum of two sums, not folded yet.
#[inline]
pub(super) const fn add(one: u64, other: u64) -> u64 {
    let (sum, carry) = one.overflowing_add(other);
    sum + carry as u64
}

/// The sum over some octets, not folded yet.
#[inline]
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let total = words.iter().fold(0, |total, word| add(total, u64::from_le_bytes(*word)));
    if rest.is_empty() { total } else { add(total, last(rest)) }
}

/// Fewer octets than a word has, as a word with zeros behind them.
#[inline]
fn last(rest: &[u8]) -> u64 {
    let (halves, rest) = rest.as_chunks::<4>();
    let half = halves.first().map_or(0, |half| u64::from(u32::from_le_bytes(*half)));
    let tail = rest.iter().rev().fold(0, |tail, octet| tail << 8 | u64::from(*octet));
    half | tail << (32 * halves.len())
}

/// The ones' complement sum of 16-bit words, in host order of a big-endian reader.
#[inline]
pub(super) fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum as u16).swap_bytes()
}

/// The sum over the pseudo header of TCP and UDP (RFC 9293, 3.1; RFC 8200, 8.1).
#[inline]
pub(super) fn pseudo_header(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    length: usize,
) -> u64 {
    let addresses = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            add(sum(&source.octets()), sum(&destination.octets()))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            add(sum(&source.octets()), sum(&destination.octets()))
        }
        _ => 0,
    };
    let length = u64::from((length as u32).swap_bytes());
    add(addresses, u64::from(protocol) << 8 | length << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1071, section 3.
    #[test]
    fn adds_as_the_rfc_does() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(fold(sum(&bytes)), 0xddf2);
    }

    #[test]
    fn a_sum_in_parts_is_the_sum_of_the_whole() {
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in (0..256).step_by(4) {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(fold(add(sum(head), sum(tail))), fold(sum(&bytes)));
        }
        assert_eq!(fold(sum(&bytes[..7])), fold(sum(&[0, 1, 2, 3, 4, 5, 6, 0])));
    }
}
