//! From the link layer to the first IP header, in classic BPF: what fan-out and filter share.

use super::program::{Cell, Label, Program, Size, Test};
use crate::packet::LinkType;

/// Octets of an Ethernet header.
const ETHERNET: u32 = 14;

/// Ethertypes, <https://www.iana.org/assignments/ieee-802-numbers>.
mod ethertype {
    pub(super) const IPV4: u32 = 0x0800;
    pub(super) const IPV6: u32 = 0x86dd;
    pub(super) const VLAN: [u32; 3] = [0x8100, 0x88a8, 0x9100];
    pub(super) const MPLS: [u32; 2] = [0x8847, 0x8848];
    pub(super) const PPPOE_SESSION: u32 = 0x8864;
}

/// Protocols of PPP, <https://www.iana.org/assignments/ppp-numbers>.
const PPP_IPV4: u32 = 0x0021;
const PPP_IPV6: u32 = 0x0057;

/// How many VLAN tags in a frame are passed, as the decoder does; programs have no loops.
const TAGS: usize = 4;

/// How many MPLS labels are passed: a transport label, one for the service, and those that reroute.
const LABELS: usize = 8;

/// Where a program goes on with what it found, X at the IP header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) ipv4: Label,
    pub(super) ipv6: Label,
    /// There is no IP header. X may be anything.
    pub(super) none: Label,
}

/// Used while tags are passed.
const ETHERTYPE: Cell = Cell(0);

/// Octets between a frame's begin and its network header.
pub(super) const fn link_length(link: LinkType) -> u32 {
    match link {
        LinkType::Ethernet => ETHERNET,
        _ => 0,
    }
}

/// Finds the IP header behind X, where the link layer header ends. A and cell 0 are lost.
pub(super) fn find_ip(program: &mut Program, link: LinkType, found: Found) {
    if link == LinkType::Ethernet {
        behind_ethernet(program, found);
    } else {
        by_version(program, found);
    }
}

fn behind_ethernet(program: &mut Program, found: Found) {
    let (untagged, mpls, pppoe) = (program.label(), program.label(), program.label());
    program.load_link(Size::Half, ETHERNET - 2);
    for _ in 0..TAGS {
        let tag = program.label();
        for vlan in ethertype::VLAN {
            program.jump_if(Test::Is(vlan), tag);
        }
        program.jump(untagged);
        program.place(tag);
        program.load(Size::Half, 2); // behind the tag's control information
        program.keep(ETHERTYPE);
        program.advance(4);
        program.recall(ETHERTYPE);
    }
    program.place(untagged);
    program.jump_if(Test::Is(ethertype::IPV4), found.ipv4);
    program.jump_if(Test::Is(ethertype::IPV6), found.ipv6);
    program.jump_if(Test::Is(ethertype::PPPOE_SESSION), pppoe);
    for label in ethertype::MPLS {
        program.jump_if(Test::Is(label), mpls);
    }
    program.jump(found.none);

    program.place(pppoe);
    behind_pppoe(program, found);
    program.place(mpls);
    behind_mpls(program, found);
}

/// RFC 2516, 4: six octets of PPPoE, then PPP's protocol.
fn behind_pppoe(program: &mut Program, found: Found) {
    for (protocol, label) in [(PPP_IPV4, found.ipv4), (PPP_IPV6, found.ipv6)] {
        let other = program.label();
        program.load(Size::Half, 6);
        program.jump_unless(Test::Is(protocol), other);
        program.advance(8);
        program.jump(label);
        program.place(other);
    }
    program.jump(found.none);
}

/// RFC 3032, 2.1: four octets a label; one bit says which is the last.
fn behind_mpls(program: &mut Program, found: Found) {
    const BOTTOM: u32 = 1;
    let last = program.label();
    for _ in 1..LABELS {
        program.load(Size::Byte, 2);
        program.jump_if(Test::Has(BOTTOM), last);
        program.advance(4);
    }
    program.load(Size::Byte, 2);
    program.jump_unless(Test::Has(BOTTOM), found.none);
    program.place(last);
    program.advance(4);
    by_version(program, found);
}

/// Nothing says what it is but the first four bits.
fn by_version(program: &mut Program, found: Found) {
    program.load(Size::Byte, 0);
    program.shift_right(4);
    program.jump_if(Test::Is(4), found.ipv4);
    program.jump_if(Test::Is(6), found.ipv6);
    program.jump(found.none);
}
