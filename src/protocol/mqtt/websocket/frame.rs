//! WebSocket frames (RFC 6455, clause 5.2).
//!
//! ```text
//!    7    6 5 4   3 2 1 0
//! ┌─────┬───────┬─────────┐
//! │ FIN │  RSV  │ opcode  │
//! ├─────┼───────┴─────────┤
//! │MASK │ payload length  │  126 and 127 say that 16 or 64 bits of length follow
//! ├─────┴─────────────────┤
//! │ masking key, 4 octets │  where MASK is set
//! └───────────────────────┘
//! ```

/// The most octets of a control frame's payload (clause 5.5).
pub(super) const MOST_OF_CONTROL: u64 = 125;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    /// More of the message that is under way.
    Continuation,
    /// A message of text begins.
    Text,
    /// A message of octets begins.
    Binary,
    /// Reserved for other messages, or for other control frames.
    Reserved,
    /// The sender has no more to say.
    Close,
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
}

/// By number.
const OPCODES: [Opcode; 16] = {
    let mut opcodes = [Opcode::Reserved; 16];
    opcodes[0x0] = Opcode::Continuation;
    opcodes[0x1] = Opcode::Text;
    opcodes[0x2] = Opcode::Binary;
    opcodes[0x8] = Opcode::Close;
    opcodes[0x9] = Opcode::Ping;
    opcodes[0xa] = Opcode::Pong;
    opcodes
};

/// The masking key, turned so that its first octet is for the next octet of the payload. Of a frame
/// without a mask it is zero, which changes nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Key([u8; 4]);

impl Key {
    /// Of a frame without a mask.
    pub(super) const NONE: Self = Self([0; 4]);

    /// The key behind so many octets.
    pub(super) fn behind(mut self, octets: u64) -> Self {
        self.0.rotate_left((octets % 4) as usize);
        self
    }

    /// One octet, without its mask.
    pub(super) fn unmask(self, octet: u8) -> u8 {
        octet ^ self.0[0]
    }

    /// Adds octets to `plain`, without their mask.
    pub(super) fn unmask_onto(self, plain: &mut Vec<u8>, masked: &[u8]) {
        let start = plain.len();
        plain.extend_from_slice(masked);
        if let Some(added) = plain.get_mut(start..) {
            self.unmask_in_place(added);
        }
    }

    /// Takes the mask off.
    pub(super) fn unmask_in_place(self, octets: &mut [u8]) {
        if self == Self::NONE {
            return;
        }
        let [one, two, three, four] = self.0;
        let key = u64::from_ne_bytes([one, two, three, four, one, two, three, four]);
        let (words, rest) = octets.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ key).to_ne_bytes();
        }
        for (octet, key) in rest.iter_mut().zip(self.0.into_iter().cycle()) {
            *octet ^= key;
        }
    }
}

/// What stands before a frame's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    first: u8,
    /// Whether the payload is masked.
    pub(super) masked: bool,
    /// The masking key.
    pub(super) key: Key,
    /// Octets of the payload, with the top bit that it must not have.
    pub(super) payload: u64,
    /// Octets of the header, 2 to 14.
    pub(super) length: usize,
}

impl Header {
    /// Reads the header at the start of `bytes`, or says how many octets that takes.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, usize> {
        let &[first, second] = bytes.first_chunk().ok_or(2_usize)?;
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let masked = second & 0x80 != 0;
        let length = 2 + extended + if masked { 4 } else { 0 };
        let header = bytes.get(..length).ok_or(length)?;
        let (start, key) = header.split_at(2 + extended);
        let payload = match start.get(2..) {
            Some(octets @ [_, ..]) => {
                octets.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet))
            }
            _ => u64::from(second & 0x7f),
        };
        let key = Key(key.first_chunk().copied().unwrap_or_default());
        Ok(Self { first, masked, key, payload, length })
    }

    /// Whether it is the last of its message.
    pub(super) fn is_final(self) -> bool {
        self.first & 0x80 != 0
    }

    /// RSV1: the message is compressed, where that was agreed upon (RFC 7692, clause 6).
    pub(super) fn is_marked_compressed(self) -> bool {
        self.first & 0x40 != 0
    }

    /// The three reserved bits, 0 to 7.
    pub(super) fn reserved(self) -> u8 {
        self.first >> 4 & 0b111
    }

    /// The opcode as it stands there, 0 to 15.
    pub(super) fn opcode_number(self) -> u8 {
        self.first & 0x0f
    }

    /// The opcode.
    pub(super) fn opcode(self) -> Opcode {
        OPCODES[usize::from(self.opcode_number())]
    }

    /// Whether it is about the connection, and may stand between the frames of a message.
    pub(super) fn is_control(self) -> bool {
        self.opcode_number() & 0b1000 != 0
    }

    /// Whether it is, or may be, a part of a message that is known.
    pub(super) fn is_data(self) -> bool {
        !self.is_control() && self.opcode() != Opcode::Reserved
    }

    /// Whether the payload's length takes no more octets than it needs.
    pub(super) fn is_minimal(self) -> bool {
        let extended = self.length - 2 - if self.masked { 4 } else { 0 };
        match extended {
            2 => self.payload > 125,
            8 => self.payload > 0xffff,
            _ => true,
        }
    }

    /// Whether the payload's length is one that a frame can have.
    pub(super) fn is_possible(self) -> bool {
        self.payload >> 63 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of clause 5.7.
    #[test]
    fn the_examples_of_the_standard_are_read() {
        let header = Header::read(b"\x81\x05Hello").unwrap();
        assert_eq!((header.opcode(), header.is_final()), (Opcode::Text, true));
        assert_eq!((header.payload, header.length, header.masked), (5, 2, false));

        let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        let header = Header::read(masked).unwrap();
        let mut plain = Vec::new();
        header.key.unmask_onto(&mut plain, &masked[header.length..]);
        assert_eq!(plain, b"Hello");

        let header = Header::read(b"\x82\x7e\x01\x00").unwrap();
        assert_eq!((header.payload, header.length), (256, 4));
        let header = Header::read(b"\x82\x7f\0\0\0\0\0\x01\0\0").unwrap();
        assert_eq!((header.payload, header.length), (65_536, 10));
    }

    #[test]
    fn a_header_asks_for_what_it_lacks() {
        let whole = b"\x82\xff\0\0\0\0\0\x01\0\0abcd";
        for length in 0..whole.len() {
            let wanted = if length < 2 { 2 } else { 14 };
            assert_eq!(Header::read(&whole[..length]), Err(wanted));
        }
        assert_eq!(Header::read(whole).map(|header| header.length), Ok(14));
    }

    /// Clause 5.2: the fewest octets must be used, and the top bit must be zero.
    #[test]
    fn lengths_have_one_form_each() {
        for (octets, minimal) in [
            (&b"\x82\x7d"[..], true),
            (b"\x82\x7e\0\x7d", false),
            (b"\x82\x7e\0\x7e", true),
            (b"\x82\xfe\0\x7daaaa", false),
            (b"\x82\x7f\0\0\0\0\0\0\xff\xff", false),
            (b"\x82\x7f\0\0\0\0\0\x01\0\0", true),
        ] {
            let header = Header::read(octets).unwrap();
            assert_eq!((header.is_minimal(), header.is_possible()), (minimal, true), "{octets:?}");
        }
        let header = Header::read(b"\x82\x7f\x80\0\0\0\0\0\0\0").unwrap();
        assert!(!header.is_possible());
    }

    #[test]
    fn a_mask_may_be_taken_off_from_anywhere_on() {
        let plain: Vec<u8> = (0..100).collect();
        let key = Key(*b"\x11\x22\x44\x88");
        let masked: Vec<u8> =
            plain.iter().zip(key.0.iter().cycle()).map(|(octet, key)| octet ^ key).collect();
        for start in 0..masked.len() {
            for length in 0..20.min(masked.len() - start) {
                let mut found = b"before".to_vec();
                let key = key.behind(start as u64);
                key.unmask_onto(&mut found, &masked[start..start + length]);
                assert_eq!(found[6..], plain[start..start + length]);
            }
            assert_eq!(key.behind(start as u64).unmask(masked[start]), plain[start]);
        }
    }
}
