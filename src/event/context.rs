//! When, where and in which flow: the fields that every event has.

use std::net::IpAddr;

use super::{Kind, Record, Value};
use crate::flow::{CommunityId, Direction, FlowKey, Side};
use crate::packet::{Layer, tunnel_depth};
use crate::record;
use crate::time::Timestamp;

/// Where and when a record was found: the frame, and the flow if it has one. Made for each packet,
/// so it holds what is at hand; the fields are worked out when somebody asks.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Packet time.
    pub timestamp: Timestamp,
    /// Number of the frame in the capture, from 1; 0 in live capture and where no frame is at hand.
    pub number: u64,
    /// Where it was captured.
    pub interface: Option<&'a str>,
    /// VLAN identifiers, outermost first.
    pub vlan: &'a [u16],
    /// The tunnels that it came through, outermost first: of the packet at hand, else of the first of
    /// the flow.
    pub tunnel: &'a [Layer],
    /// The flow.
    pub flow: Option<FlowContext<'a>>,
}

impl Context<'_> {
    /// Of no frame and no flow.
    pub const fn at(timestamp: Timestamp) -> Self {
        Context { timestamp, number: 0, interface: None, vlan: &[], tunnel: &[], flow: None }
    }

    /// The addresses of the message's sender and receiver.
    pub fn ends(&self) -> Option<(IpAddr, IpAddr)> {
        let flow = self.flow?;
        Some((flow.key.address(flow.sender), flow.key.address(flow.sender.opposite())))
    }
}

/// The flow that a record belongs to, seen from one of its messages.
#[derive(Debug, Clone, Copy)]
pub struct FlowContext<'a> {
    /// The two ends.
    pub key: &'a FlowKey,
    /// The same in all records of the flow.
    pub id: u64,
    /// The name of the flow in other tools.
    pub community_id: &'a CommunityId,
    /// Who sent the message.
    pub sender: Side,
    /// Who opened the flow.
    pub client: Side,
    /// Whether the record is about a message; else it is about the flow as a whole.
    pub directed: bool,
    /// The application protocol.
    pub app_proto: Option<&'static str>,
}

impl FlowContext<'_> {
    /// Which way the message went.
    #[inline]
    pub fn direction(&self) -> Direction {
        Direction::of(self.sender, self.client)
    }

    fn port(&self, side: Side) -> Value<'static> {
        if self.key.has_ports() {
            Value::Integer(self.key.port(side).into())
        } else {
            Value::Absent
        }
    }
}

/// The number of an IP protocol that has a name.
pub fn protocol_number(name: &str) -> Option<u8> {
    (0..=u8::MAX).find(|number| protocol_name(*number) == Some(name))
}

/// Names of IP protocols, as Suricata writes them.
const fn protocol_name(number: u8) -> Option<&'static str> {
    Some(match number {
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPv4",
        6 => "TCP",
        17 => "UDP",
        41 => "IPv6",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "IPv6-ICMP",
        115 => "L2TP",
        132 => "SCTP",
        137 => "MPLS-in-IP",
        _ => return None,
    })
}

struct VlanIdentifier(u16);

record! {
    /// A VLAN identifier.
    static VLAN: VlanIdentifier = "vlan";
    fields {
        "": Kind::Range(0, 4095), "VLAN identifiers, outermost first."
            => |v| Value::Integer(v.0.into());
    }
}

/// A field that only flows have.
#[inline]
fn of_flow<'a>(
    context: &'a Context<'_>,
    get: impl FnOnce(&'a FlowContext<'_>) -> Value<'a>,
) -> Value<'a> {
    context.flow.as_ref().map_or(Value::Absent, get)
}

fn address(flow: &FlowContext<'_>, side: Side) -> Value<'static> {
    Value::Address(flow.key.address(side))
}

/// A field of the outermost IP header of a tunnel.
fn of_end<'a>(
    context: &Context<'a>,
    get: impl FnOnce([IpAddr; 2], u8, [u16; 2]) -> Value<'a>,
) -> Value<'a> {
    let ip = context.tunnel.iter().find_map(|layer| match *layer {
        Layer::Ip { source, destination, protocol, ports } => {
            Some(([source, destination], protocol, ports))
        }
        _ => None,
    });
    ip.map_or(Value::Absent, |(ends, protocol, ports)| get(ends, protocol, ports))
}

fn of_port(port: u16) -> Value<'static> {
    if port == 0 { Value::Absent } else { Value::Integer(port.into()) }
}

/// An element of a list of numbers.
struct Number(u32);

/// An element of a list of names.
struct Name(&'static str);

/// An element of a list of addresses.
struct Host(IpAddr);

record! {
    /// An identifier in a tunnel's header.
    static NUMBER: Number = "number";
    fields {
        "": Kind::Integer, "Identifiers, outermost first." => |n| Value::Integer(n.0.into());
    }
}

record! {
    /// The name of a header.
    static NAME: Name = "name";
    fields {
        "": Kind::Text, "Names of headers, outermost first." => |n| Value::text(n.0);
    }
}

record! {
    /// An end of a tunnel.
    static HOST: Host = "host";
    fields {
        "": Kind::Address, "Addresses, outermost first." => |h| Value::Address(h.0);
    }
}

/// Shows the numbers that some layers have.
fn numbers(context: &Context<'_>, visit: Visit<'_>, get: fn(&Layer) -> Option<u32>) {
    context.tunnel.iter().filter_map(get).for_each(|number| visit(&Number(number)));
}

type Visit<'v> = &'v mut dyn FnMut(&dyn Record);

record! {
    /// Fields that every record has.
    pub static CONTEXT: Context<'a> = "*";
    fields {
        "timestamp": Kind::Time, "Packet time."
            => |c| Value::Time(c.timestamp);
        "flow_id": Kind::Integer, "The flow, the same in all its records."
            => |c| of_flow(c, |flow| Value::Integer(flow.id as i64));
        "pcap_cnt": Kind::Integer, "Number of the frame in the capture, from 1."
            => |c| if c.number == 0 { Value::Absent } else { Value::Integer(c.number as i64) };
        "in_iface": Kind::Text, "Where it was captured."
            => |c| Value::maybe(c.interface, Value::text);
        "src_ip": Kind::Address, "The sender of the message."
            => |c| of_flow(c, |flow| address(flow, flow.sender));
        "src_port": Kind::Range(0, 65_535), "The sender's port."
            => |c| of_flow(c, |flow| flow.port(flow.sender));
        "dest_ip": Kind::Address, "The receiver of the message."
            => |c| of_flow(c, |flow| address(flow, flow.sender.opposite()));
        "dest_port": Kind::Range(0, 65_535), "The receiver's port."
            => |c| of_flow(c, |flow| flow.port(flow.sender.opposite()));
        "proto": Kind::Text, "The protocol above IP: TCP, UDP, …"
            => |c| of_flow(c, |flow| Value::maybe(protocol_name(flow.key.protocol()), Value::text));
        "app_proto": Kind::Text, "The application protocol."
            => |c| of_flow(c, |flow| Value::maybe(flow.app_proto, Value::text));
        "direction": Kind::Name(Direction::NAMES), "to_server from the end that opened the flow, else to_client."
            => |c| of_flow(c, |flow| {
                let direction = flow.directed.then(|| flow.direction());
                Value::maybe(direction, |direction| Value::Code(direction as u8))
            });
        "community_id": Kind::Text, "Community ID v1 of the flow."
            => |c| of_flow(c, |flow| Value::text(flow.community_id.get(flow.key)));
        "tunnel.src_ip": Kind::Address, "The sender of the outermost IP packet around this one."
            => |c| of_end(c, |[source, _], _, _| Value::Address(source));
        "tunnel.src_port": Kind::Range(0, 65_535), "Its port."
            => |c| of_end(c, |_, _, [source, _]| of_port(source));
        "tunnel.dest_ip": Kind::Address, "The receiver of the outermost IP packet around this one."
            => |c| of_end(c, |[_, destination], _, _| Value::Address(destination));
        "tunnel.dest_port": Kind::Range(0, 65_535), "Its port."
            => |c| of_end(c, |_, _, [_, destination]| of_port(destination));
        "tunnel.proto": Kind::Text, "The protocol above that packet's IP: UDP, GRE, IPv4, …"
            => |c| of_end(c, |_, protocol, _| Value::maybe(protocol_name(protocol), Value::text));
        "tunnel.depth": Kind::Range(0, 16), "Tunnels in one another that were around the packet; absent without any."
            => |c| match tunnel_depth(c.tunnel) {
                0 => Value::Absent,
                depth => Value::Integer(depth as i64),
            };
        "tunnel.pcap_cnt": Kind::Integer, "Number of the frame in the capture, from 1, as Suricata repeats it."
            => |c| if c.number == 0 || c.tunnel.is_empty() { Value::Absent } else { Value::Integer(c.number as i64) };
    }
    lists {
        "vlan": VLAN, "VLAN identifiers, outermost first."
            => |c, visit| c.vlan.iter().for_each(|id| visit(&VlanIdentifier(*id)));
        "tunnel.layers": NAME, "Names of the headers around the packet but for the frame's own link layer, outermost first: ipv4, ipv6, ah, gre, erspan, vxlan, geneve, gtp_u, l2tp, pppoe, ppp, mpls, ethernet, vlan."
            => |c, visit| c.tunnel.iter().for_each(|layer| visit(&Name(layer.name())));
        "tunnel.addresses": HOST, "Of each IP header around the packet the sender and the receiver, outermost first."
            => |c, visit| c.tunnel.iter().for_each(|layer| if let Layer::Ip { source, destination, .. } = layer {
                visit(&Host(*source));
                visit(&Host(*destination));
            });
        "tunnel.vlan": VLAN, "VLAN identifiers of Ethernet in tunnels, outermost first."
            => |c, visit| c.tunnel.iter().for_each(|layer| if let Layer::Vlan { id } = layer { visit(&VlanIdentifier(*id)) });
        "tunnel.vni": NUMBER, "Network identifiers of VXLAN and Geneve."
            => |c, visit| numbers(c, visit, |layer| match layer {
                Layer::Vxlan { vni } | Layer::Geneve { vni } => Some(*vni),
                _ => None,
            });
        "tunnel.labels": NUMBER, "MPLS labels."
            => |c, visit| numbers(c, visit, |layer| if let Layer::Mpls { label } = layer { Some(*label) } else { None });
        "tunnel.teid": NUMBER, "Tunnel endpoint identifiers of GTP-U."
            => |c, visit| numbers(c, visit, |layer| if let Layer::Gtp { teid } = layer { Some(*teid) } else { None });
        "tunnel.gre_key": NUMBER, "Keys of GRE."
            => |c, visit| numbers(c, visit, |layer| if let Layer::Gre { key } = layer { *key } else { None });
        "tunnel.erspan_session": NUMBER, "Sessions of ERSPAN type II."
            => |c, visit| numbers(c, visit, |layer| if let Layer::Erspan { session } = layer { session.map(u32::from) } else { None });
        "tunnel.pppoe_session": NUMBER, "Sessions of PPPoE."
            => |c, visit| numbers(c, visit, |layer| if let Layer::Pppoe { session } = layer { Some((*session).into()) } else { None });
        "tunnel.l2tp_tunnel": NUMBER, "Tunnels of L2TP."
            => |c, visit| numbers(c, visit, |layer| if let Layer::L2tp { tunnel, .. } = layer { Some((*tunnel).into()) } else { None });
        "tunnel.l2tp_session": NUMBER, "Sessions of L2TP."
            => |c, visit| numbers(c, visit, |layer| if let Layer::L2tp { session, .. } = layer { Some((*session).into()) } else { None });
        "tunnel.spi": NUMBER, "Security parameters indexes of IPsec authentication headers."
            => |c, visit| numbers(c, visit, |layer| if let Layer::Ah { spi } = layer { Some(*spi) } else { None });
    }
}
