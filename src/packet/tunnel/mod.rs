//! From tunnel to tunnel, up to the innermost IP packet.
//!
//! ```text
//!  frame's ethertype ──▶ MPLS, PPPoE ──┐
//!                                      ├──▶ IP ──▶ protocol or port of a tunnel? ──no──▶ the packet
//!                    ┌────────────────▶┘                │ yes
//!                    └── Ethernet, tags, labels, PPP … ◀┘
//! ```
//!
//! Where a number leads is in [`table`](super::table); each header is opened by a function that says
//! what it leads to. Nothing of this is on the way of a plain packet.

mod gre;
mod label;
mod likely;
mod point;
#[cfg(test)]
mod tests;
mod udp;

use super::ip::{self, Ip};
use super::outer::{Layer, Layers, Outer};
use super::table::{ETHERTYPES, Header, Leads, PORTS, PROTOCOLS, TAGS, lookup};
use super::{Defect, Packet, Skip, Transport, VlanStack, transport};
use crate::bytes::Cursor;

/// Octets of a header and all behind it.
#[derive(Debug, Clone, Copy)]
struct Octets<'a> {
    bytes: &'a [u8],
    /// Whether there were more that were not captured.
    cut: bool,
}

impl<'a> Octets<'a> {
    /// What is read of them by `cursor` is behind; the rest.
    fn behind(self, cursor: &Cursor<'a>) -> Self {
        Self { bytes: cursor.rest(), ..self }
    }

    /// They end within a header.
    const fn short(self, defect: Defect) -> Stop {
        Stop::Skip(if self.cut { Skip::Short(defect) } else { Skip::Defect(defect) })
    }
}

/// Why a header leads to no IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It carries something else, or is not what its number says.
    Nothing,
    /// It carries what is named and counted.
    Unread(&'static str),
    /// It is damaged.
    Skip(Skip),
}

impl From<Skip> for Stop {
    fn from(skip: Skip) -> Self {
        Self::Skip(skip)
    }
}

impl From<Defect> for Stop {
    fn from(defect: Defect) -> Self {
        Self::Skip(Skip::Defect(defect))
    }
}

/// What a header leads to.
type Opened<'a> = Result<(Header, Octets<'a>), Stop>;

/// Where a number leads, if anywhere.
fn follow(leads: Option<Leads>, rest: Octets<'_>) -> Opened<'_> {
    match leads {
        Some(Leads::To(header)) => Ok((header, rest)),
        Some(Leads::Unread(name)) => Err(Stop::Unread(name)),
        None => Err(Stop::Nothing),
    }
}

/// The packet in a frame whose ethertype is not one of IP.
#[cold]
pub(super) fn behind_ethertype<'a>(
    ethertype: u16,
    bytes: &'a [u8],
    vlan: VlanStack,
    outer: &mut Outer,
) -> Result<Packet<'a>, Skip> {
    let Some(leads) = lookup(ETHERTYPES, ethertype) else { return Err(Skip::NotIp) };
    // Whether the capture cut the frame, only its reader knows.
    let octets = Octets { bytes, cut: true };
    let opened = follow(Some(leads), octets)
        .and_then(|(header, octets)| descend(header, octets, outer.room()));
    match opened {
        Ok(ip) => above_ip(ip, vlan, outer),
        Err(Stop::Nothing) => Err(Skip::NotIp),
        Err(Stop::Unread(name)) => Err(Skip::Unread(name)),
        Err(Stop::Skip(skip)) => Err(skip),
    }
}

/// The innermost packet in an IP packet that may carry a tunnel, or this one.
#[cold]
pub(super) fn above_ip<'a>(
    mut ip: Ip<'a>,
    vlan: VlanStack,
    outer: &mut Outer,
) -> Result<Packet<'a>, Skip> {
    loop {
        let transport = transport::decode(&ip)?;
        let Some((leads, octets)) = inside(&ip, &transport) else {
            return Ok(Packet::of(vlan, &ip, transport));
        };
        let room = outer.room();
        let mark = room.mark();
        match enter(&ip, &transport, leads, octets, room) {
            Ok(inner) => ip = inner,
            Err(Stop::Skip(skip)) => return Err(skip),
            Err(stop) => {
                room.back_to(mark);
                if let Stop::Unread(name) = stop {
                    room.leave(name);
                }
                return Ok(Packet::of(vlan, &ip, transport));
            }
        }
    }
}

/// What an IP packet may carry by its number: a port is one at either end.
fn inside<'a>(ip: &Ip<'a>, transport: &Transport<'a>) -> Option<(Leads, Octets<'a>)> {
    match *transport {
        Transport::Udp { source_port, destination_port, payload } => {
            let header = lookup(PORTS, destination_port).or_else(|| lookup(PORTS, source_port))?;
            Some((Leads::To(header), Octets { bytes: payload, cut: ip.missing > 0 }))
        }
        Transport::Other => {
            let octets = Octets { bytes: ip.payload, cut: ip.missing > 0 };
            Some((lookup(PROTOCOLS, ip.protocol)?, octets))
        }
        Transport::Tcp(_) | Transport::Sctp { .. } | Transport::Icmp { .. } => None,
    }
}

/// Opens the tunnel that an IP packet carries.
fn enter<'a>(
    ip: &Ip<'a>,
    transport: &Transport<'a>,
    leads: Leads,
    octets: Octets<'a>,
    layers: &mut Layers,
) -> Result<Ip<'a>, Stop> {
    let (header, octets) = follow(Some(leads), octets)?;
    if header == Header::Ah {
        return authenticated(ip, octets);
    }
    let ports = match *transport {
        Transport::Udp { source_port, destination_port, .. } => [source_port, destination_port],
        _ => [0; 2],
    };
    if header == Header::IpInIp {
        layers.deepen()?;
    }
    let Ip { source, destination, protocol, .. } = *ip;
    layers.push(Layer::Ip { source, destination, protocol, ports })?;
    if let Some(spi) = ip.authenticated {
        layers.push(Layer::Ah { spi })?;
    }
    descend(header, octets, layers)
}

/// RFC 4302, 2: the same packet, without the header. The first of a packet is taken off with the
/// extension headers; here are those behind it.
///
/// ```text
///  0      1        2          4     8          12
/// | next | length | reserved | SPI | sequence | integrity check value …
/// ```
fn authenticated<'a>(ip: &Ip<'a>, octets: Octets<'a>) -> Result<Ip<'a>, Stop> {
    let header = octets.bytes.first_chunk::<12>();
    let [next, length, _, _, spi @ ..] = *header.ok_or(octets.short(Defect::IpExtension))?;
    let length = (usize::from(length) + 2) * 4;
    if length < 12 {
        return Err(Defect::IpExtension.into());
    }
    let payload = octets.bytes.get(length..).ok_or(octets.short(Defect::IpExtension))?;
    let [spi, _] = *spi.as_chunks::<4>().0 else { return Err(Stop::Nothing) };
    let authenticated = Some(u32::from_be_bytes(spi));
    Ok(Ip { protocol: next, payload, authenticated, ..*ip })
}

/// Takes headers off until one is IP.
fn descend<'a>(
    mut header: Header,
    mut octets: Octets<'a>,
    layers: &mut Layers,
) -> Result<Ip<'a>, Stop> {
    loop {
        (header, octets) = match header {
            Header::Ip | Header::IpInIp => return within(octets),
            Header::Ethernet => ethernet(octets, layers)?,
            Header::Mpls => label::stack(octets, layers)?,
            Header::Pppoe => point::session(octets, layers)?,
            Header::Ppp => point::to_point(octets, layers)?,
            Header::Gre => gre::open(octets, layers)?,
            Header::Erspan { sequence } => gre::mirrored(sequence, octets, layers)?,
            Header::L2tp => udp::l2tp(octets, layers)?,
            Header::Vxlan => udp::vxlan(octets, layers)?,
            Header::Geneve => udp::geneve(octets, layers)?,
            Header::Gtp => udp::gtp(octets, layers)?,
            Header::Teredo => udp::teredo(octets)?,
            // It stands above IP only, where it is taken off.
            Header::Ah => return Err(Stop::Nothing),
        };
    }
}

/// The IP packet within a tunnel. Where that ends, it ends.
fn within(octets: Octets<'_>) -> Result<Ip<'_>, Stop> {
    match ip::decode(octets.bytes) {
        Ok(ip) => Ok(ip),
        Err(Skip::Short(defect)) => Err(octets.short(defect)),
        Err(skip) => Err(skip.into()),
    }
}

/// Ethernet in a tunnel.
fn ethernet<'a>(octets: Octets<'a>, layers: &mut Layers) -> Opened<'a> {
    let mut cursor = Cursor::new(octets.bytes);
    layers.push(Layer::Ethernet)?;
    cursor.take(12).map_err(|_| octets.short(Defect::LinkShort))?;
    let mut ethertype = cursor.u16_be().map_err(|_| octets.short(Defect::LinkShort))?;
    let mut tags = 0;
    while TAGS.contains(&ethertype) {
        if tags == VlanStack::DEPTH {
            return Err(Defect::VlanDepth.into());
        }
        tags += 1;
        let tag = cursor.u16_be().map_err(|_| octets.short(Defect::VlanShort))?;
        layers.push(Layer::Vlan { id: tag & 0x0fff })?;
        ethertype = cursor.u16_be().map_err(|_| octets.short(Defect::VlanShort))?;
    }
    follow(lookup(ETHERTYPES, ethertype), octets.behind(&cursor))
}
