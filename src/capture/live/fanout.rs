//! Which ring of a fan-out group gets a frame.
//!
//! The addresses of the first IP header, XORed: both directions of a flow, its fragments, and all
//! that a tunnel carries between two ends come to one ring. Ports are left out, for fragments have
//! none; so is what a tunnel carries, for its fragments do not show it. Below MPLS or PPPoE it is
//! the first IP header; without one, the two MAC addresses.

use libc::sock_filter;

use super::headers::{Found, find_ip, link_length};
use super::program::{Cell, Program, Size, Test};
use crate::packet::LinkType;

/// Where the addresses stand in the header.
const IPV4_ADDRESSES: std::ops::Range<u32> = 12..20;
const IPV6_ADDRESSES: std::ops::Range<u32> = 8..40;

/// Cells of the program's memory. The first is lost when the IP header is looked for.
const HEADER: Cell = Cell(1);
const SUM: Cell = Cell(2);

/// 2³² divided by the golden ratio: spreads what neighbouring addresses differ in over all bits.
const SPREAD: u32 = 0x9e37_79b1;

/// The program for `PACKET_FANOUT_CBPF`: its result modulo the members of the group is the ring.
pub(super) fn program(link: LinkType) -> Vec<sock_filter> {
    let mut program = Program::default();
    let (incoming, done) = (program.label(), program.label());
    let found = Found { ipv4: program.label(), ipv6: program.label(), none: program.label() };

    // The kernel runs it where it is in handling the frame: coming in it is past the link layer.
    program.set_x(0);
    program.load_packet_type();
    program.jump_unless(Test::Is(u32::from(libc::PACKET_OUTGOING)), incoming);
    program.set_x(link_length(link));
    program.place(incoming);
    find_ip(&mut program, link, found);

    program.place(found.ipv4);
    xor_words(&mut program, IPV4_ADDRESSES);
    program.jump(done);
    program.place(found.ipv6);
    xor_words(&mut program, IPV6_ADDRESSES);
    program.jump(done);
    program.place(found.none);
    if link == LinkType::Ethernet {
        xor_macs(&mut program);
    } else {
        program.give(0);
    }

    program.place(done);
    program.multiply(SPREAD);
    program.shift_right(16);
    program.give_a();
    program.finish()
}

/// A = all words of a range behind X.
fn xor_words(program: &mut Program, range: std::ops::Range<u32>) {
    program.set_a_to_x();
    program.keep(HEADER);
    program.load(Size::Word, range.start);
    for offset in (range.start + 4..range.end).step_by(4) {
        program.keep(SUM);
        program.recall_x(HEADER);
        program.load(Size::Word, offset);
        program.recall_x(SUM);
        program.xor_x();
    }
}

/// A = what is left of two MAC addresses, whichever comes first.
fn xor_macs(program: &mut Program) {
    const SOURCE: u32 = 6;
    program.load_link(Size::Word, 0);
    for (size, offset) in [(Size::Word, SOURCE), (Size::Half, 4), (Size::Half, SOURCE + 4)] {
        program.set_x_to_a();
        program.load_link(size, offset);
        program.xor_x();
    }
}
