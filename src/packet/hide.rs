//! Overwrites octets of a TCP segment in a copy of its frame.

use std::ops::Range;

use super::checksum::{add, fold, sum};
use super::{Checksum, Tcp};

/// Where a checksum stands in a TCP header (RFC 9293, 3.1).
const CHECKSUM: usize = 16;

/// Where a TCP segment stands in its frame.
#[derive(Debug, Clone)]
pub struct Segment {
    data: Range<usize>,
    /// `None` if it was not filled in: then it does not speak of the data.
    checksum: Option<usize>,
}

impl Segment {
    /// Where a segment stands in the frame that it was decoded from.
    pub fn of(tcp: &Tcp<'_>, frame: &[u8]) -> Self {
        let start = tcp.payload.as_ptr() as usize - frame.as_ptr() as usize;
        let checksum = start - usize::from(tcp.header_length) + CHECKSUM;
        let is_summed = tcp.checksum != Checksum::Offloaded;
        Self { data: start..start + tcp.payload.len(), checksum: is_summed.then_some(checksum) }
    }

    /// Puts `octet` in the place of all data between these offsets, in that frame or a copy of it,
    /// and mends the checksum: one that was right is right again, one that was wrong is as wrong as
    /// before.
    pub fn overwrite(&self, frame: &mut [u8], octets: Range<usize>, octet: u8) {
        let Some(data) = frame.get_mut(self.data.clone()) else { return };
        let (start, end) = (octets.start, octets.end.min(data.len()));
        // The checksum is over words of two octets (RFC 9293, 3.1); the header is of whole words.
        let words = start & !1..end.next_multiple_of(2).min(data.len());
        let Some(part) = data.get(words.clone()).filter(|_| start < end) else { return };
        let before = fold(sum(part));
        if let Some(octets) = data.get_mut(start..end) {
            octets.fill(octet);
        }
        let after = fold(sum(data.get(words).unwrap_or_default()));
        let field = self.checksum.and_then(|at| frame.get_mut(at..)?.first_chunk_mut());
        if let Some(field) = field {
            *field = mended(u16::from_be_bytes(*field), before, after).to_be_bytes();
        }
    }
}

/// RFC 1624, equation 3: HC' = ~(~HC + ~m + m').
fn mended(checksum: u16, before: u16, after: u16) -> u16 {
    let words = [!checksum, !before, after].map(|word| u64::from(word.swap_bytes()));
    !fold(words.into_iter().fold(0, add))
}

#[cfg(test)]
mod tests {
    use super::super::{LinkType, Transport, decode};
    use super::*;

    /// A segment with these data from 10.0.0.1 to 10.0.0.2 over Ethernet, and padding behind it.
    fn frame(data: &[u8], padding: usize) -> Vec<u8> {
        let mut frame = Vec::new();
        let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .tcp(1000, 1883, 7, 1024);
        builder.write(&mut frame, data).unwrap();
        frame.resize(frame.len() + padding, 0xee);
        frame
    }

    fn segment(frame: &[u8]) -> Option<Tcp<'_>> {
        match decode(LinkType::Ethernet, frame).ok()?.transport {
            Transport::Tcp(tcp) => Some(tcp),
            other => panic!("{other:?}"),
        }
    }

    fn checksum(frame: &[u8]) -> Checksum {
        segment(frame).unwrap().checksum
    }

    fn overwrite(frame: &mut [u8], start: usize, end: usize) {
        let segment = Segment::of(&segment(frame).unwrap(), frame);
        segment.overwrite(frame, start..end, b'*');
    }

    #[test]
    fn only_what_is_asked_for_changes_and_the_checksum() {
        for length in [1, 8, 13] {
            let data: Vec<u8> = (0..length as u8).map(|octet| octet.wrapping_mul(57)).collect();
            let original = frame(&data, 3);
            for start in 0..=length {
                for end in 0..=length + 5 {
                    let mut changed = original.clone();
                    overwrite(&mut changed, start, end);
                    let mut expected = original.clone();
                    let range = 54 + start..54 + end.min(length);
                    expected.get_mut(range).unwrap_or_default().fill(b'*');
                    expected[50..52].copy_from_slice(&changed[50..52]);
                    assert_eq!(changed, expected, "{start}..{end}");
                    assert_eq!(checksum(&changed), Checksum::Good, "{start}..{end}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_checksum_stays_wrong_and_one_left_to_the_card_stays_as_it_is() {
        let mut wrong = frame(b"password", 0);
        wrong[50] ^= 0x55;
        overwrite(&mut wrong, 2, 7);
        assert_eq!(checksum(&wrong), Checksum::Bad);
        let mut left = frame(b"password", 0);
        left[50..52].fill(0);
        overwrite(&mut left, 2, 7);
        assert_eq!((checksum(&left), &left[50..52]), (Checksum::Offloaded, &[0, 0][..]));
    }

    #[test]
    fn a_frame_cut_short_is_as_right_as_it_was() {
        let whole = frame(b"user and password", 0);
        let mut cut = whole[..whole.len() - 3].to_vec();
        overwrite(&mut cut, 9, 17);
        // The octets that were not captured, put back.
        cut.extend_from_slice(&whole[whole.len() - 3..]);
        assert_eq!(checksum(&cut), Checksum::Good);
        assert_eq!(cut[54..], *b"user and *****ord");
    }

    #[test]
    fn no_place_panics() {
        let whole = frame(b"password", 0);
        for length in 0..whole.len() {
            let Some(tcp) = segment(&whole[..length]) else { continue };
            let segment = Segment::of(&tcp, &whole[..length]);
            for (start, end) in [(0, usize::MAX), (3, 2), (9, 10), (usize::MAX, usize::MAX)] {
                segment.overwrite(&mut whole[..length].to_vec(), start..end, b'*');
                segment.overwrite(&mut whole[..length / 2].to_vec(), start..end, b'*');
            }
        }
    }
}
