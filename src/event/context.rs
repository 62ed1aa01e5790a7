//! When, where and in which flow: the fields that every event has.

use std::net::IpAddr;

use super::{Kind, Value};
use crate::flow::{CommunityId, Direction, FlowKey};
use crate::record;
use crate::time::Timestamp;

/// What all events of one packet have in common. Fields that the packet does not have are `None`.
pub struct Context<'a> {
    /// Packet time.
    pub timestamp: Timestamp,
    /// Number of the frame in the capture, from 1; 0 in live capture.
    pub pcap_cnt: u64,
    /// Where it was captured.
    pub in_iface: Option<&'a str>,
    /// The flow's identifier.
    pub flow_id: Option<u64>,
    /// Computes the Community ID when somebody asks.
    pub community_id: Option<(&'a FlowKey, &'a CommunityId)>,
    /// VLAN identifiers, outermost first.
    pub vlan: &'a [u16],
    /// The message's sender, and its port where the protocol has ports.
    pub source: Option<(IpAddr, Option<u16>)>,
    /// The message's receiver, and its port where the protocol has ports.
    pub destination: Option<(IpAddr, Option<u16>)>,
    /// `TCP`, `UDP`, …
    pub proto: Option<&'static str>,
    /// The application protocol.
    pub app_proto: Option<&'static str>,
    /// Which way the message went.
    pub direction: Option<Direction>,
}

struct VlanIdentifier(u16);

record! {
    /// A VLAN identifier.
    static VLAN: VlanIdentifier = "vlan";
    fields {
        "": Kind::Integer, "VLAN identifiers, outermost first, 0 to 4095."
            => |v| Value::Integer(v.0.into());
    }
}

fn port(end: Option<(IpAddr, Option<u16>)>) -> Value<'static> {
    Value::maybe(end.and_then(|(_, port)| port), |port| Value::Integer(port.into()))
}

fn address(end: Option<(IpAddr, Option<u16>)>) -> Value<'static> {
    Value::maybe(end, |(address, _)| Value::Address(address))
}

record! {
    /// Fields that every record has.
    pub static CONTEXT: Context<'a> = "*";
    fields {
        "timestamp": Kind::Time, "Packet time."
            => |c| Value::Time(c.timestamp);
        "flow_id": Kind::Integer, "The flow, the same in all its records."
            => |c| Value::maybe(c.flow_id, |id| Value::Integer(id as i64));
        "pcap_cnt": Kind::Integer, "Number of the frame in the capture, from 1."
            => |c| if c.pcap_cnt == 0 { Value::Absent } else { Value::Integer(c.pcap_cnt as i64) };
        "in_iface": Kind::Text, "Where it was captured."
            => |c| Value::maybe(c.in_iface, Value::text);
        "src_ip": Kind::Address, "The sender of the message."
            => |c| address(c.source);
        "src_port": Kind::Integer, "The sender's port."
            => |c| port(c.source);
        "dest_ip": Kind::Address, "The receiver of the message."
            => |c| address(c.destination);
        "dest_port": Kind::Integer, "The receiver's port."
            => |c| port(c.destination);
        "proto": Kind::Text, "The protocol above IP: TCP, UDP, …"
            => |c| Value::maybe(c.proto, Value::text);
        "app_proto": Kind::Text, "The application protocol."
            => |c| Value::maybe(c.app_proto, Value::text);
        "direction": Kind::Name(Direction::NAMES), "to_server from the end that opened the flow, else to_client."
            => |c| Value::maybe(c.direction, |direction| Value::Code(direction as u8));
        "community_id": Kind::Text, "Community ID v1 of the flow."
            => |c| Value::maybe(c.community_id, |(key, id)| Value::text(id.get(key)));
    }
    lists {
        "vlan": VLAN, "VLAN identifiers, outermost first."
            => |c, visit| c.vlan.iter().for_each(|id| visit(&VlanIdentifier(*id)));
    }
}
