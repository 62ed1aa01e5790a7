//! A capture of every type, with octets that no peer would send: each bit of each element is set
//! somewhere.

use std::path::Path;

use gridtap::protocol::iec104::asdu::Widths;

use crate::common::wire::{Client, STARTDT_ACT, STARTDT_CON, Server, Wire};
use crate::write_pcap;

/// Types and the octets of their elements (`iec104_types.tsv` of the reference, where there is one
/// length; else one that fits).
const TYPES: &[(u8, usize)] = &[
    (1, 1),
    (2, 4),
    (3, 1),
    (4, 4),
    (5, 2),
    (6, 5),
    (7, 5),
    (8, 8),
    (9, 3),
    (10, 6),
    (11, 3),
    (12, 6),
    (13, 5),
    (14, 8),
    (15, 5),
    (16, 8),
    (17, 6),
    (18, 7),
    (19, 7),
    (20, 5),
    (21, 2),
    (22, 4),
    (30, 8),
    (31, 8),
    (32, 9),
    (33, 12),
    (34, 10),
    (35, 10),
    (36, 12),
    (37, 12),
    (38, 10),
    (39, 11),
    (40, 11),
    (41, 14),
    (45, 1),
    (46, 1),
    (47, 1),
    (48, 3),
    (49, 3),
    (50, 5),
    (51, 4),
    (58, 8),
    (59, 8),
    (60, 8),
    (61, 10),
    (62, 10),
    (63, 12),
    (64, 11),
    (70, 1),
    (81, 12),
    (82, 12),
    (83, 12),
    (84, 9),
    (85, 12),
    (86, 12),
    (87, 12),
    (100, 1),
    (101, 1),
    (102, 0),
    (103, 7),
    (104, 2),
    (105, 1),
    (106, 2),
    (107, 9),
    (110, 3),
    (111, 3),
    (112, 5),
    (113, 1),
    (120, 6),
    (121, 7),
    (122, 4),
    (123, 5),
    (124, 4),
    (125, 20),
    (126, 13),
    (127, 16),
    (136, 6),
];
/// After the length octet there are at most 253 octets, of which ten are no object.
const OBJECTS: usize = 243;

/// ASDUs of each type, so many.
fn asdus(each: usize, widths: Widths) -> impl Iterator<Item = Vec<u8>> {
    let mut octets = Octets(0x9E37_79B9_7F4A_7C15);
    let numbered = move |known| (0..each).map(move |at| (known, at));
    let all = TYPES.iter().copied().flat_map(numbered);
    all.map(move |((type_id, length), at)| asdu(type_id, length, at, widths, &mut octets))
}

/// Every other ASDU is a sequence, every third has one object.
fn asdu(type_id: u8, length: usize, at: usize, widths: Widths, octets: &mut Octets) -> Vec<u8> {
    let sequence = at % 2 == 1;
    let address = usize::from(widths.object_address);
    let most = if sequence { (OBJECTS - 3) / length.max(2) } else { OBJECTS / (3 + length) };
    let alone = at.is_multiple_of(3) || type_id == SEGMENT;
    let count = if alone { 1 } else { 1 + octets.next() as usize % most };
    let addresses = if sequence { 1 } else { count };
    let header = usize::from(widths.cause + widths.common_address);
    let mut asdu = vec![type_id, count as u8 | if sequence { 0x80 } else { 0 }];
    asdu.extend((0..header).map(|_| octets.next()));
    // Times of which some are moments: the highest bits rarely set.
    let body = address * addresses + length * count;
    asdu.extend((0..body).map(|_| octets.next() & octets.mask()));
    if type_id == SEGMENT {
        // Behind address, name of file, name of section.
        asdu[2 + header + address + 3] = 16;
    }
    asdu
}

/// The type whose length stands in itself.
const SEGMENT: u8 = 125;

/// Writes APDUs to a file: all types, and what ends before its time.
pub(crate) fn write(path: &Path) {
    let mut wire = Wire::opened(2404);
    wire.send(Client, STARTDT_ACT);
    wire.send(Server, STARTDT_CON);
    for function in [0x13, 0x23, 0x43, 0x83, 0x07, 0x0B] {
        wire.send(Client, &[0x68, 4, function, 0, 0, 0]);
    }
    // A sequence that passes the end of the addresses; ASDUs that end within an object's elements, its
    // address, and the header.
    let last: [&[u8]; 4] = [
        &[1, 0x82, 3, 0, 1, 0, 0xFF, 0xFF, 0xFF, 0, 1],
        &[13, 2, 3, 0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 1, 2],
        &[1, 2, 3, 0, 1, 0, 7, 0, 0, 1, 8, 0],
        &[1, 1, 3],
    ];
    let asdus = asdus(32, Widths::STANDARD).chain(last.map(<[u8]>::to_vec));
    // N(S) passes its end on the way.
    for (number, asdu) in (31_000u16..).zip(asdus) {
        let [low, high] = (number << 1).to_le_bytes();
        wire.send(Server, &[&[0x68, 4 + asdu.len() as u8, low, high, 0, 0], &asdu[..]].concat());
        if number.is_multiple_of(8) {
            wire.send(Client, &[0x68, 4, 1, 0, low, high]);
        }
    }
    // No APDU begins here, and none is so long.
    for first in [[0x69, 4], [0x68, 254]] {
        wire.send(Client, &[&first[..], &[0x43, 0, 0, 0]].concat());
        wire.send(Client, &[0x68, 4, 0x43, 0, 0, 0]);
    }
    write_pcap(path, &wire.frames);
}

/// Writes ASDUs of other widths to a file, each a packet, as IEC 60870-5-101 frames them: for that
/// Wireshark lets the widths be set. Returns them.
pub(crate) fn write_101(path: &Path, widths: Widths) -> Vec<Vec<u8>> {
    let mut wire = Wire::joined(2404);
    // Wireshark wants three octets where an object begins.
    let least = 2 + usize::from(widths.cause + widths.common_address) + 3;
    let narrow = |asdu: &Vec<u8>| {
        let length = TYPES.iter().find(|known| known.0 == asdu[0]).unwrap().1;
        asdu.len() < least || length + usize::from(widths.object_address) < 3
    };
    let asdus: Vec<_> = asdus(8, widths).filter(|asdu| !narrow(asdu)).collect();
    for asdu in &asdus {
        // Start, length twice, start; control field, link address; checksum, end.
        let body = [&[0x73, 1], &asdu[..]].concat();
        let sum = body.iter().fold(0u8, |sum, octet| sum.wrapping_add(*octet));
        let length = body.len() as u8;
        wire.send(Server, &[&[0x68, length, length, 0x68], &body[..], &[sum, 0x16]].concat());
    }
    write_pcap(path, &wire.frames);
    asdus
}

/// A generator of octets (xorshift), the same every time.
struct Octets(u64);

impl Octets {
    fn next(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u8
    }

    /// Takes away nothing, or the upper half.
    fn mask(&mut self) -> u8 {
        if self.next().is_multiple_of(3) { 0xFF } else { 0x1F }
    }
}
