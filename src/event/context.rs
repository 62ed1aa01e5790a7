//! When, where and in which flow: the fields that every event has.

use std::net::IpAddr;

use super::{Kind, Value};
use crate::flow::{CommunityId, Direction, FlowKey, Side};
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
    /// The flow.
    pub flow: Option<FlowContext<'a>>,
}

impl Context<'_> {
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
        6 => "TCP",
        17 => "UDP",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "IPv6-ICMP",
        132 => "SCTP",
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
    }
    lists {
        "vlan": VLAN, "VLAN identifiers, outermost first."
            => |c, visit| c.vlan.iter().for_each(|id| visit(&VlanIdentifier(*id)));
    }
}
