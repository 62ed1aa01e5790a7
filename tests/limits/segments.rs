//! Floods of segments out of order: memory stays where it is limited to, and no packet costs more than
//! five times what one in order does.

use std::time::Duration;

use super::allocator;
use super::common::wire::{CONNECT, Client, Wire, publish};
use super::{Carrier, Feed};

/// So much dearer than a packet in its turn may one out of its turn be.
const DEARER: f64 = 5.0;

/// Packets of a flood; those of the quarter are a fourth of them.
const PACKETS: u32 = 40_000;

/// Octets that stand in for anything.
const OCTETS: [u8; 1400] = [0x55; 1400];

/// What a connection costs a packet, and the most that it held.
fn cost(packets: u32, send: &dyn Fn(&mut Wire, u32)) -> (Duration, usize) {
    let run = || {
        let mut feed = Feed::new(Carrier::Plain);
        feed.octets(Client, CONNECT);
        let peak = allocator::peak(|| {
            for some in (0..packets).collect::<Vec<_>>().chunks(1000) {
                for number in some {
                    send(&mut feed.wire, *number);
                }
                feed.hand_in();
            }
        });
        (feed.spent / packets, peak)
    };
    (0..3).map(|_| run()).min().expect("three of them")
}

/// A flood against packets in order that say something, at two sizes.
fn is_no_dearer(what: &str, send: &dyn Fn(&mut Wire, u32)) {
    let message = publish("plant/power", "17 MW");
    let (normal, _) = cost(PACKETS, &|wire, _| wire.send(Client, &message));
    for packets in [PACKETS / 4, PACKETS] {
        let (flood, peak) = cost(packets, send);
        let ratio = flood.as_secs_f64() / normal.as_secs_f64();
        println!("{what}, {packets}: {flood:?} a packet, {normal:?} in order: {ratio:.1}");
        assert!(ratio < DEARER, "{what}: {flood:?} a packet, {normal:?} in order: {ratio}");
        // A thousand frames, and what a stream may hold, in buffers that double.
        assert!(peak < 4 << 20, "{what}: {peak} octets");
    }
}

/// One octet, then a hole of one, and so on.
#[test]
fn holes_of_one_octet() {
    is_no_dearer("holes", &|wire, number| wire.segment(Client, 1 + 2 * number, &OCTETS[..1]));
}

/// The same from far ahead towards what comes next.
#[test]
fn holes_of_one_octet_backwards() {
    is_no_dearer("holes backwards", &|wire, number| {
        wire.segment(Client, 200_000 - 2 * number, &OCTETS[..1]);
    });
}

/// Octets that touch each other, behind one hole that is never filled.
#[test]
fn octets_behind_a_hole() {
    is_no_dearer("octets", &|wire, number| wire.segment(Client, 1 + number, &OCTETS[..1]));
}

#[test]
fn octets_behind_a_hole_backwards() {
    is_no_dearer("octets backwards", &|wire, number| {
        wire.segment(Client, 100_000 - number, &OCTETS[..1]);
    });
}

/// Holes of one octet, and a full segment over a thousand of them, again and again.
#[test]
fn segments_over_holes() {
    is_no_dearer("segments over holes", &|wire, number| match number % 701 {
        700 => wire.segment(Client, 1, &OCTETS),
        odd => wire.segment(Client, 1 + 2 * odd, &OCTETS[..1]),
    });
}

/// Full segments that overlap each other by half, none of which is in its turn.
#[test]
fn segments_over_segments() {
    is_no_dearer("segments over segments", &|wire, number| {
        wire.segment(Client, 1 + number % 300 * 700, &OCTETS);
    });
}
