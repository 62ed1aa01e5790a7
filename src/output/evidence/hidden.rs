//! What is not shown of the frames of a flow.
//!
//! Shown is what somebody read who knows where the secrets of this protocol stand, and who told of
//! all of them; less these secrets. What was not read yet is not shown, nor what was read before we
//! began to listen.
//!
//! ```text
//!    before we listened │   read   │ secret │        read        │ out of order, unfinished
//! ──────────────────────┼──────────┼────────┼────────────────────┼──────────────────────────
//!   not shown         from         not shown                     to    not shown
//! ```

use std::collections::VecDeque;
use std::ops::Range;

use crate::engine::Reading;
use crate::flow::{FlowKey, Side};
use crate::packet::{self, LinkType, Segment, TcpFlags, Transport};

/// Stands in the place of what is not shown.
pub(super) const BLANK: u8 = b'*';

/// Secrets of a flow that are remembered one by one, besides those of messages. A client logs in
/// once in a connection.
pub(super) const SECRETS: usize = 8;

/// Secrets that are looked through for one that is told again, as that is done right behind.
const LATEST: usize = 4;

/// Sequence numbers are compared modulo 2^32: what is so far behind is forgotten.
const REACH: i32 = 1 << 30;

/// How far `one` is ahead of `other`, modulo 2^32.
const fn ahead(one: u32, other: u32) -> i32 {
    one.wrapping_sub(other) as i32
}

/// What is known of the secrets of a flow.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// By the [`Side`] that sends. Without one, nothing is shown.
    windows: [Option<Window>; 2],
    secrets: VecDeque<Secret>,
    /// What is before these numbers, by sender, is not shown: secrets of there were forgotten.
    floors: [Option<u32>; 2],
}

/// What was read of a stream.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: u32,
    to: u32,
    /// Something was not read since.
    interrupted: bool,
}

/// Octets of a stream that are not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Secret {
    sender: Side,
    octets: Range<u32>,
}

impl Hidden {
    /// More was read, or not.
    pub(super) fn read(&mut self, sender: Side, reading: &Reading) {
        let window = &mut self.windows[sender.index()];
        match (window, reading) {
            (Some(window), Reading::To(octets)) if !window.interrupted => {
                if ahead(octets.end, window.to) > 0 {
                    window.to = octets.end;
                }
                if ahead(window.to, window.from) > REACH {
                    window.from = window.to.wrapping_sub(REACH as u32);
                    self.forget(sender);
                }
            }
            (window, Reading::To(Range { start, end })) => {
                *window = Some(Window { from: *start, to: *end, interrupted: false });
            }
            (Some(window), Reading::Blind) => window.interrupted = true,
            (None, Reading::Blind) | (_, Reading::Open) => {}
        }
    }

    /// Forgets what lies before the window.
    fn forget(&mut self, sender: Side) {
        let Some(Window { from, .. }) = self.windows[sender.index()] else { return };
        self.secrets.retain(|secret| secret.sender != sender || ahead(secret.octets.end, from) > 0);
        self.floors[sender.index()].take_if(|floor| ahead(*floor, from) <= 0);
    }

    /// These octets are secret. With more secrets than `most`, nothing before the end of one that is
    /// forgotten is shown.
    pub(super) fn add(&mut self, sender: Side, octets: Range<u32>, most: usize) {
        let secret = Secret { sender, octets };
        let is_known = self.secrets.iter().rev().take(LATEST).any(|known| *known == secret);
        if ahead(secret.octets.end, secret.octets.start) <= 0 || is_known {
            return;
        }
        if let Some(last) = self.secrets.back_mut()
            && last.sender == sender
            && last.octets.end == secret.octets.start
            && ahead(secret.octets.end, last.octets.start) > 0
        {
            last.octets.end = secret.octets.end;
            return;
        }
        while self.secrets.len() >= most.max(1)
            && let Some(Secret { sender, octets }) = self.secrets.pop_front()
        {
            let floor = &mut self.floors[sender.index()];
            if floor.is_none_or(|floor| ahead(octets.end, floor) > 0) {
                *floor = Some(octets.end);
            }
        }
        self.secrets.push_back(secret);
    }

    /// Overwrites in a copy of a frame what is not to be seen.
    pub(super) fn blank(&self, link: LinkType, frame: &mut [u8]) {
        let Ok(packet) = packet::decode(link, frame) else { return };
        let Transport::Tcp(tcp) = packet.transport else { return };
        let (_, sender) = FlowKey::of(&packet);
        let (sequence, length) = (tcp.sequence, tcp.payload.len());
        // Nobody reads data that come with a SYN or RST.
        let is_read = !tcp.flags.any(TcpFlags::SYN | TcpFlags::RST);
        let segment = Segment::of(&tcp, frame);
        let mut blank = |octets: Range<usize>| segment.overwrite(frame, octets, BLANK);
        let window = self.windows[sender.index()].filter(|_| is_read);
        let Some(window) = window else { return blank(0..length) };

        let at = |number: u32| ahead(number, sequence).clamp(0, length as i32) as usize;
        blank(0..at(window.from));
        blank(at(window.to)..length);
        if let Some(floor) = self.floors[sender.index()] {
            blank(0..at(floor));
        }
        for secret in self.secrets.iter().filter(|secret| secret.sender == sender) {
            blank(at(secret.octets.start)..at(secret.octets.end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of a segment with this number, as they are shown.
    fn shown(hidden: &Hidden, sequence: u32, data: &[u8]) -> String {
        let mut frame = Vec::new();
        let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .tcp(1000, 1883, sequence, 1024);
        builder.write(&mut frame, data).unwrap();
        hidden.blank(LinkType::Ethernet, &mut frame);
        String::from_utf8(frame[54..].to_vec()).unwrap()
    }

    fn read(ranges: &[(u32, u32)]) -> Hidden {
        let mut hidden = Hidden::default();
        for (start, end) in ranges {
            hidden.read(Side::Lower, &Reading::To(*start..*end));
        }
        hidden
    }

    #[test]
    fn what_nobody_read_is_not_shown() {
        assert_eq!(shown(&Hidden::default(), 100, b"abcdef"), "******");
        assert_eq!(shown(&read(&[(102, 104)]), 100, b"abcdef"), "**cd**");
        assert_eq!(shown(&read(&[(100, 103), (103, 106)]), 100, b"abcdef"), "abcdef");
        let near = u32::MAX - 2;
        assert_eq!(shown(&read(&[(near, 1)]), near, b"abcdef"), "abcd**");
        let mut other = Hidden::default();
        other.read(Side::Upper, &Reading::To(100..106));
        assert_eq!(shown(&other, 100, b"abcdef"), "******");
    }

    #[test]
    fn secrets_are_not_shown_wherever_a_segment_begins() {
        let mut hidden = read(&[(100, 110)]);
        hidden.add(Side::Lower, 103..106, SECRETS);
        hidden.add(Side::Upper, 100..110, SECRETS);
        assert_eq!(shown(&hidden, 100, b"abcdefghij"), "abc***ghij");
        assert_eq!(shown(&hidden, 104, b"efghij"), "**ghij");
        assert_eq!(shown(&hidden, 98, b"yzabcd"), "**abc*");
    }

    /// Checksums around it stay right, too: what the mended one of TCP makes up for, they do not see.
    #[test]
    fn secrets_are_not_shown_in_tunnels_either() {
        let mut inner = Vec::new();
        let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .tcp(1000, 1883, 100, 1024);
        builder.write(&mut inner, b"abcdefg").unwrap();
        let mut frame = Vec::new();
        let builder = etherparse::PacketBuilder::ethernet2([6; 6], [8; 6])
            .ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
            .udp(40_000, 4789);
        let vxlan = [&[8, 0, 0, 0, 0, 0, 7, 0], &inner[..]].concat();
        builder.write(&mut frame, &vxlan).unwrap();
        let mut hidden = read(&[(100, 107)]);
        hidden.add(Side::Lower, 103..106, SECRETS);
        hidden.blank(LinkType::Ethernet, &mut frame);
        assert_eq!(frame[frame.len() - 7..], *b"abc***g");
        let found = packet::decode(LinkType::Ethernet, &frame).unwrap();
        let Transport::Tcp(tcp) = found.transport else { panic!("{found:?}") };
        assert_eq!(tcp.checksum, packet::Checksum::Good);
        let outer = etherparse::SlicedPacket::from_ethernet(&frame).unwrap();
        let (Some(etherparse::NetSlice::Ipv4(ip)), Some(etherparse::TransportSlice::Udp(udp))) =
            (outer.net, outer.transport)
        else {
            panic!("it was UDP");
        };
        let expected = udp.to_header().calc_checksum_ipv4(&ip.header().to_header(), udp.payload());
        assert_eq!(expected.unwrap(), udp.checksum());
    }

    #[test]
    fn what_was_not_read_in_between_is_not_shown() {
        let mut hidden = read(&[(100, 102)]);
        hidden.read(Side::Lower, &Reading::Blind);
        assert_eq!(shown(&hidden, 100, b"abcdef"), "ab****");
        hidden.read(Side::Lower, &Reading::To(104..106));
        assert_eq!(shown(&hidden, 100, b"abcdef"), "****ef");
    }

    #[test]
    fn of_many_secrets_none_shows() {
        let mut hidden = read(&[(0, 1000)]);
        for start in (0..300).step_by(10) {
            hidden.add(Side::Lower, start..start + 5, SECRETS);
        }
        for start in (0..300).step_by(10) {
            assert!(shown(&hidden, start, b"abcdefghij").starts_with("*****"), "{start}");
        }
        assert_eq!(shown(&hidden, 290, b"abcdefghij"), "*****fghij");
    }

    #[test]
    fn sequence_numbers_may_go_round() {
        let mut hidden = read(&[(0, 1000)]);
        hidden.add(Side::Lower, 10..20, SECRETS);
        for step in 0..16_u32 {
            let start = 1000_u32.wrapping_add(step << 28);
            hidden.read(Side::Lower, &Reading::To(start..start.wrapping_add(1 << 28)));
        }
        assert_eq!(shown(&hidden, 10, b"abcdefghij"), "abcdefghij");
    }
}
