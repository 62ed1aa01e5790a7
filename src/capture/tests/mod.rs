//! Captures built octet by octet, so that every one of them can be bent.

mod damage;
mod formats;
mod sources;

use std::io::{self, Cursor as IoCursor, Read};

use proptest::prelude::*;

use super::*;
use crate::packet::LinkType;
use crate::time::Timestamp;

/// What a test compares of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    number: u64,
    nanos: u64,
    link: LinkType,
    data: Vec<u8>,
    wire_length: u32,
    interface: Option<String>,
}

/// Everything that comes out of a source: frames, and damage with how many frames came before.
fn read_all(mut source: Source) -> (Vec<Seen>, Vec<Damage>, Source) {
    let (mut frames, mut damages) = (Vec::new(), Vec::new());
    loop {
        match source.next() {
            Ok(Some(frame)) => frames.push(Seen {
                number: frame.number,
                nanos: frame.timestamp.as_nanos(),
                link: frame.link,
                data: frame.data.to_vec(),
                wire_length: frame.wire_length,
                interface: frame.interface.map(str::to_owned),
            }),
            Ok(None) => return (frames, damages, source),
            Err(damage) => damages.push(damage),
        }
    }
}

fn open(name: &str, octets: &[u8]) -> Result<Capture, OpenError> {
    Capture::from_reader(name, Box::new(IoCursor::new(octets.to_vec())))
}

fn read(octets: &[u8]) -> (Vec<Seen>, Vec<Damage>) {
    let capture = open("test.pcap", octets).expect("a capture");
    let (frames, damages, _) = read_all(Source::new(vec![capture]));
    (frames, damages)
}

fn sound(octets: &[u8]) -> Vec<Seen> {
    let (frames, damages) = read(octets);
    assert!(damages.is_empty(), "{damages:?}");
    frames
}

/// Writes numbers in one of the two orders.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Little,
    Big,
}

impl Ends {
    fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn u64(self, value: u64) -> [u8; 8] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn words(self, words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| self.u32(*word)).collect()
    }
}

use Ends::{Big, Little};

fn pcap_header(ends: Ends, magic: u32, network: u32) -> Vec<u8> {
    let mut file = ends.u32(magic).to_vec();
    file.extend([ends.u16(2), ends.u16(4)].concat());
    file.extend(ends.words(&[0, 0, 65535, network]));
    file
}

fn pcap_record(ends: Ends, seconds: u32, fraction: u32, data: &[u8], wire: u32) -> Vec<u8> {
    let head = ends.words(&[seconds, fraction, data.len() as u32, wire]);
    [&head, data].concat()
}

fn small_pcap() -> Vec<u8> {
    let mut file = pcap_header(Little, 0xa1b2_c3d4, 1);
    file.extend(pcap_record(Little, 1, 2, &[1, 2, 3], 60));
    file.extend(pcap_record(Little, 2, 0, &[], 0));
    file.extend(pcap_record(Little, 3, 999_999, &[4; 20], 20));
    file
}

fn padded(data: &[u8]) -> Vec<u8> {
    let mut padded = data.to_vec();
    padded.resize(data.len().next_multiple_of(4), 0);
    padded
}

fn block(ends: Ends, kind: u32, body: &[u8]) -> Vec<u8> {
    let length = ends.u32(body.len() as u32 + 12);
    [&ends.u32(kind), &length, body, &length].concat()
}

fn option(ends: Ends, code: u16, value: &[u8]) -> Vec<u8> {
    [&ends.u16(code)[..], &ends.u16(value.len() as u16), &padded(value)].concat()
}

fn section(ends: Ends) -> Vec<u8> {
    let mut body = ends.u32(0x1a2b_3c4d).to_vec();
    body.extend([ends.u16(1), ends.u16(0)].concat());
    body.extend([0xff; 8]);
    body.extend(option(ends, 4, b"a writer"));
    body.extend(option(ends, 0, b""));
    block(ends, 0x0a0d_0d0a, &body)
}

fn interface(ends: Ends, link: u16, snapshot_length: u32, options: &[Vec<u8>]) -> Vec<u8> {
    let head = [&ends.u16(link)[..], &[0, 0], &ends.u32(snapshot_length)].concat();
    block(ends, 1, &[head, options.concat()].concat())
}

fn enhanced(ends: Ends, interface: u32, time: u64, data: &[u8], options: &[Vec<u8>]) -> Vec<u8> {
    let length = data.len() as u32;
    let head = ends.words(&[interface, (time >> 32) as u32, time as u32, length, length + 1]);
    block(ends, 6, &[head, padded(data), options.concat()].concat())
}

fn simple(ends: Ends, wire: u32, data: &[u8]) -> Vec<u8> {
    block(ends, 3, &[ends.u32(wire).to_vec(), padded(data)].concat())
}

fn obsolete(ends: Ends, interface: u16, time: u64, data: &[u8]) -> Vec<u8> {
    let mut body = [ends.u16(interface), ends.u16(9)].concat();
    let length = data.len() as u32;
    body.extend(ends.words(&[(time >> 32) as u32, time as u32, length, length]));
    body.extend(padded(data));
    block(ends, 2, &body)
}

fn small_pcapng(ends: Ends) -> Vec<u8> {
    [
        section(ends),
        interface(ends, 1, 65535, &[option(ends, 2, b"eth0"), option(ends, 9, &[9])]),
        enhanced(ends, 0, 5_000_000_007, &[1, 2, 3, 4, 5], &[]),
        block(ends, 4, &[0; 8]),
        enhanced(ends, 0, 6_000_000_000, &[6; 8], &[option(ends, 2, &[0; 4])]),
        block(ends, 5, &[0; 12]),
    ]
    .concat()
}
