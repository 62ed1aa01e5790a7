//! Which frames the kernel hands over at all.

use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use libc::sock_filter;

use super::headers::{Found, find_ip, link_length};
use super::program::{Label, MOST, Program, Size, Test};
use crate::packet::LinkType;

/// Protocols whose header begins with two ports, <https://www.iana.org/assignments/protocol-numbers>:
/// TCP, UDP, SCTP.
const WITH_PORTS: [u32; 3] = [6, 17, 132];

/// What may stand between the IPv6 header and the ports: hop-by-hop options, routing, fragment,
/// authentication, destination options, mobility, host identity, shim6.
const EXTENSIONS: [u32; 8] = [0, 43, 44, 51, 60, 135, 139, 140];

/// A filter by ports and networks, run by the kernel for each frame before it is copied.
///
/// With ports, one of a packet's two must be among them. With networks, one of its two addresses
/// must be in one of them. With both, both. Without either, every frame passes, and otherwise only
/// IP does.
///
/// It looks at the first IP header, below VLAN tags (in the frame or taken out by the network
/// card), MPLS and PPPoE, and at what follows it. So a tunnel is judged by its outer header: where
/// tunnels are to be seen, list their ports, or filter by their networks. What has to be looked at
/// further on to be judged passes: fragments after the first, and IPv6 extension headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    ports: Vec<u16>,
    networks: Vec<IpNet>,
}

/// More ports and networks than the kernel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a filter of {instructions} instructions is longer than the kernel takes ({MOST}): list fewer ports or networks"
)]
pub struct FilterTooLong {
    /// How long the program would be.
    pub instructions: usize,
}

impl Filter {
    /// A filter that passes everything.
    pub const ALL: Self = Self { ports: Vec::new(), networks: Vec::new() };

    /// A filter by these ports and networks; some hundred of each fit.
    pub fn new(ports: &[u16], networks: &[IpNet]) -> Result<Self, FilterTooLong> {
        let mut ports = ports.to_vec();
        ports.sort_unstable();
        ports.dedup();
        let filter = Self { ports, networks: IpNet::aggregate(&networks.to_vec()) };
        let instructions = filter.program(LinkType::Ethernet, true, u32::MAX).len();
        if instructions > MOST { Err(FilterTooLong { instructions }) } else { Ok(filter) }
    }

    /// Whether every frame passes.
    pub fn passes_all(&self) -> bool {
        self.ports.is_empty() && self.networks.is_empty()
    }

    /// The program: how many octets of a frame are kept, zero if none.
    pub(super) fn program(
        &self,
        link: LinkType,
        loopback: bool,
        snap_length: u32,
    ) -> Vec<sock_filter> {
        let mut program = Program::default();
        if loopback {
            refuse_outgoing(&mut program);
        }
        if !self.passes_all() {
            self.judge(&mut program, link);
        }
        program.give(snap_length);
        program.finish()
    }

    /// Goes on behind the last instruction with what passes.
    fn judge(&self, program: &mut Program, link: LinkType) {
        let (accept, refuse) = (program.label(), program.label());
        let found = Found { ipv4: program.label(), ipv6: program.label(), none: refuse };
        program.set_x(link_length(link));
        find_ip(program, link, found);

        program.place(found.ipv4);
        self.judge_ipv4(program, accept, refuse);
        program.place(found.ipv6);
        self.judge_ipv6(program, accept, refuse);
        program.place(refuse);
        program.give(0);
        program.place(accept);
    }

    fn judge_ipv4(&self, program: &mut Program, accept: Label, refuse: Label) {
        const ADDRESSES: [u32; 2] = [12, 16];
        const FRAGMENT_OFFSET: u32 = 0x1fff;
        if !self.networks.is_empty() {
            let ours = program.label();
            for offset in ADDRESSES {
                for network in &self.networks {
                    if let IpNet::V4(network) = network {
                        within_ipv4(program, *network, offset, ours);
                    }
                }
            }
            program.jump(refuse);
            program.place(ours);
        }
        if self.ports.is_empty() {
            return program.jump(accept);
        }
        program.load(Size::Half, 6);
        program.jump_if(Test::Has(FRAGMENT_OFFSET), accept);
        program.load(Size::Byte, 9);
        only_with_ports(program, refuse);
        program.load(Size::Byte, 0);
        program.and(0x0f);
        program.shift_left(2);
        program.add_x();
        program.set_x_to_a();
        self.judge_ports(program, accept, refuse);
    }

    fn judge_ipv6(&self, program: &mut Program, accept: Label, refuse: Label) {
        const ADDRESSES: [u32; 2] = [8, 24];
        const HEADER: u32 = 40;
        if !self.networks.is_empty() {
            let ours = program.label();
            for offset in ADDRESSES {
                for network in &self.networks {
                    if let IpNet::V6(network) = network {
                        within_ipv6(program, *network, offset, ours);
                    }
                }
            }
            program.jump(refuse);
            program.place(ours);
        }
        if self.ports.is_empty() {
            return program.jump(accept);
        }
        program.load(Size::Byte, 6);
        for extension in EXTENSIONS {
            program.jump_if(Test::Is(extension), accept);
        }
        only_with_ports(program, refuse);
        program.advance(HEADER);
        self.judge_ports(program, accept, refuse);
    }

    /// Judges by the two ports at X.
    fn judge_ports(&self, program: &mut Program, accept: Label, refuse: Label) {
        for offset in [0, 2] {
            program.load(Size::Half, offset);
            for range in ranges(&self.ports) {
                within_range(program, range, accept);
            }
        }
        program.jump(refuse);
    }
}

/// Every frame to the loopback interface goes out of it and comes in again: one is enough.
fn refuse_outgoing(program: &mut Program) {
    let incoming = program.label();
    program.load_packet_type();
    program.jump_unless(Test::Is(u32::from(libc::PACKET_OUTGOING)), incoming);
    program.give(0);
    program.place(incoming);
}

/// Passes nothing, for sockets that are not to receive yet, or no more.
pub(super) fn nothing() -> Vec<sock_filter> {
    let mut program = Program::default();
    program.give(0);
    program.finish()
}

/// Goes on only if A is a protocol with ports.
fn only_with_ports(program: &mut Program, refuse: Label) {
    let ports = program.label();
    for protocol in WITH_PORTS {
        program.jump_if(Test::Is(protocol), ports);
    }
    program.jump(refuse);
    program.place(ports);
}

/// Sorted ports as ranges, first and last.
fn ranges(ports: &[u16]) -> impl Iterator<Item = (u16, u16)> {
    ports
        .chunk_by(|before, after| before.checked_add(1) == Some(*after))
        .filter_map(|run| Some((*run.first()?, *run.last()?)))
}

fn within_range(program: &mut Program, (first, last): (u16, u16), accept: Label) {
    if first == last {
        return program.jump_if(Test::Is(u32::from(first)), accept);
    }
    let outside = program.label();
    program.jump_unless(Test::AtLeast(u32::from(first)), outside);
    program.jump_unless(Test::AtLeast(u32::from(last) + 1), accept);
    program.place(outside);
}

/// Goes on at `ours` if the address so far behind X is in the network.
fn within_ipv4(program: &mut Program, network: Ipv4Net, offset: u32, ours: Label) {
    let elsewhere = program.label();
    let bits = u32::from(network.network());
    leave_unless(program, offset, (bits, u32::from(network.netmask())), elsewhere);
    program.jump(ours);
    program.place(elsewhere);
}

fn within_ipv6(program: &mut Program, network: Ipv6Net, offset: u32, ours: Label) {
    let elsewhere = program.label();
    let words = words(network.network()).into_iter().zip(words(network.netmask()));
    for (offset, word) in (offset..).step_by(4).zip(words) {
        leave_unless(program, offset, word, elsewhere);
    }
    program.jump(ours);
    program.place(elsewhere);
}

/// Goes on elsewhere unless the word so far behind X has these bits under the mask.
fn leave_unless(program: &mut Program, offset: u32, (bits, mask): (u32, u32), elsewhere: Label) {
    if mask == 0 {
        return;
    }
    program.load(Size::Word, offset);
    if mask != u32::MAX {
        program.and(mask);
    }
    program.jump_unless(Test::Is(bits), elsewhere);
}

fn words(address: Ipv6Addr) -> [u32; 4] {
    let bits = address.to_bits();
    [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
}
