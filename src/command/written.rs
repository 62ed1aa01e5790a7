//! Records as they were written, for rules to be asked of them once more.

use std::net::IpAddr;

use serde_json::Value as Json;

use crate::event::{Context, FlowContext, Kind, Record, Schema, Value, protocol_number};
use crate::flow::{CommunityId, Direction, FlowKey, Side};
use crate::packet::Layer;
use crate::protocol;
use crate::time::Timestamp;

/// A record, or a member of a list in one.
#[derive(Debug)]
pub(super) struct Written<'j> {
    schema: &'static Schema,
    json: &'j Json,
    documents: Vec<Option<Vec<u8>>>,
}

impl<'j> Written<'j> {
    /// A line of this type, or a member.
    pub(super) fn new(schema: &'static Schema, json: &'j Json) -> Self {
        let octets = |name| at(json, name).map(|document| document.to_string().into_bytes());
        let documents = schema.documents.iter().map(|document| octets(document.name)).collect();
        Self { schema, json, documents }
    }
}

impl Record for Written<'_> {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    fn value(&self, index: usize) -> Value<'_> {
        let Some(field) = self.schema.fields.get(index) else { return Value::Absent };
        at(self.json, field.name).map_or(Value::Absent, |json| value(field.kind, json))
    }

    fn each(&self, index: usize, visit: &mut dyn FnMut(&dyn Record)) {
        let Some(list) = self.schema.lists.get(index) else { return };
        let members = at(self.json, list.name).and_then(Json::as_array);
        for member in members.into_iter().flatten() {
            visit(&Written::new(list.element, member));
        }
    }

    fn document(&self, index: usize) -> Option<&[u8]> {
        self.documents.get(index)?.as_deref()
    }
}

/// What stands there; an empty name is the value itself.
fn at<'j>(json: &'j Json, name: &str) -> Option<&'j Json> {
    let parts = name.split('.').filter(|part| !part.is_empty());
    parts.into_iter().try_fold(json, |json, part| json.get(part)).filter(|json| !json.is_null())
}

fn value(kind: Kind, json: &Json) -> Value<'_> {
    let value = match kind {
        Kind::Boolean => json.as_bool().map(Value::Boolean),
        Kind::Integer | Kind::Range(..) => json.as_i64().map(Value::Integer),
        Kind::Number | Kind::Any => json
            .as_i64()
            .map(Value::Integer)
            .or_else(|| json.as_f64().map(Value::Double))
            .or_else(|| json.as_bool().map(Value::Boolean)),
        Kind::Name(names) => {
            let code = names.iter().position(|name| json.as_str() == Some(name));
            code.and_then(|code| u8::try_from(code).ok()).map(Value::Code)
        }
        Kind::Text | Kind::TopicName | Kind::TopicFilter => json.as_str().map(Value::text),
        Kind::Address => address(json).map(Value::Address),
        Kind::Time => time(json).map(Value::Time),
    };
    value.unwrap_or(Value::Absent)
}

fn address(json: &Json) -> Option<IpAddr> {
    json.as_str()?.parse().ok()
}

fn time(json: &Json) -> Option<Timestamp> {
    let moment: jiff::Timestamp = json.as_str()?.parse().ok()?;
    u64::try_from(moment.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

/// What a line says of its flow.
#[derive(Debug)]
pub(super) struct Flow {
    key: FlowKey,
    community_id: CommunityId,
    id: u64,
    direction: Option<Direction>,
    app_proto: Option<&'static str>,
}

impl Flow {
    fn new(json: &Json) -> Option<Self> {
        let port = |name| {
            let port = json.get(name).and_then(Json::as_u64);
            port.and_then(|port| u16::try_from(port).ok()).unwrap_or(0)
        };
        let ends = [
            (address(json.get("src_ip")?)?, port("src_port")),
            (address(json.get("dest_ip")?)?, port("dest_port")),
        ];
        let vlan = vlan(json);
        let vlan = [0, 1].map(|place| vlan.get(place).copied().unwrap_or(0));
        let number = json.get("proto").and_then(Json::as_str).and_then(protocol_number);
        let named = |names: &[&'static str], key: &str| {
            let text = json.get(key)?.as_str()?;
            names.iter().copied().find(|name| *name == text)
        };
        let direction = named(Direction::NAMES, "direction");
        let app_protos: Vec<&'static str> =
            protocol::REGISTRY.iter().map(|known| known.name).collect();
        Some(Self {
            key: FlowKey::new(ends, vlan, number.unwrap_or(0)),
            community_id: CommunityId::default(),
            id: json.get("flow_id").and_then(Json::as_u64).unwrap_or(0),
            direction: direction.and_then(|name| {
                Direction::BOTH.into_iter().find(|way| Direction::NAMES[*way as usize] == name)
            }),
            app_proto: named(&app_protos, "app_proto"),
        })
    }
}

fn vlan(json: &Json) -> Vec<u16> {
    let tags = json.get("vlan").and_then(Json::as_array).into_iter().flatten();
    tags.filter_map(|tag| u16::try_from(tag.as_u64()?).ok()).collect()
}

/// The layers that a line names, each with the next of the values that its kind has.
fn tunnel(json: &Json) -> Vec<Layer> {
    let Some(json) = json.get("tunnel") else { return Vec::new() };
    let list = |name| json.get(name).and_then(Json::as_array).into_iter().flatten();
    let numbers = |name| list(name).filter_map(|number| u32::try_from(number.as_u64()?).ok());
    let small = |name| numbers(name).filter_map(|number| u16::try_from(number).ok());
    let mut addresses = list("addresses").filter_map(address);
    let (mut tags, mut labels, mut networks) = (small("vlan"), numbers("labels"), numbers("vni"));
    let (mut keys, mut teids, mut spis) = (numbers("gre_key"), numbers("teid"), numbers("spi"));
    let (mut mirrors, mut sessions) = (small("erspan_session"), small("pppoe_session"));
    let (mut tunnels, mut calls) = (small("l2tp_tunnel"), small("l2tp_session"));
    // Only the outermost header's protocol and ports are written.
    let port = |name: &str| {
        json.get(name).and_then(Json::as_u64).and_then(|port| u16::try_from(port).ok()).unwrap_or(0)
    };
    let ports = [port("src_port"), port("dest_port")];
    let protocol = json.get("proto").and_then(Json::as_str).and_then(protocol_number).unwrap_or(0);
    let layer = |name: &Json| {
        Some(match name.as_str()? {
            "ipv4" | "ipv6" => {
                let (source, destination) = (addresses.next()?, addresses.next()?);
                Layer::Ip { source, destination, protocol, ports }
            }
            "ethernet" => Layer::Ethernet,
            "vlan" => Layer::Vlan { id: tags.next()? },
            "ah" => Layer::Ah { spi: spis.next()? },
            "mpls" => Layer::Mpls { label: labels.next()? },
            "pppoe" => Layer::Pppoe { session: sessions.next()? },
            "ppp" => Layer::Ppp,
            "l2tp" => Layer::L2tp { tunnel: tunnels.next()?, session: calls.next()? },
            "gre" => Layer::Gre { key: keys.next() },
            "erspan" => Layer::Erspan { session: mirrors.next() },
            "vxlan" => Layer::Vxlan { vni: networks.next()? },
            "geneve" => Layer::Geneve { vni: networks.next()? },
            "gtp_u" => Layer::Gtp { teid: teids.next()? },
            _ => return None,
        })
    };
    let mut layers: Vec<_> = list("layers").filter_map(layer).collect();
    infer_protocols(&mut layers);
    layers
}

/// The protocol of the outermost IP header is written; of those below it, all that matters is whether
/// IP follows.
fn infer_protocols(layers: &mut [Layer]) {
    const IP_IN_IP: u8 = 4;
    let outermost = layers.iter().position(|layer| matches!(layer, Layer::Ip { .. }));
    let mut ip_follows = true;
    for (at, layer) in layers.iter_mut().enumerate().rev() {
        match layer {
            Layer::Ip { protocol, .. } => {
                if Some(at) != outermost {
                    *protocol = if ip_follows { IP_IN_IP } else { 0 };
                }
                ip_follows = true;
            }
            Layer::Ah { .. } => {}
            _ => ip_follows = false,
        }
    }
}

/// What every record has.
#[derive(Debug)]
pub(super) struct Surroundings<'j> {
    json: &'j Json,
    vlan: Vec<u16>,
    tunnel: Vec<Layer>,
    flow: Option<Flow>,
}

impl<'j> Surroundings<'j> {
    pub(super) fn new(json: &'j Json) -> Self {
        Self { json, vlan: vlan(json), tunnel: tunnel(json), flow: Flow::new(json) }
    }

    /// The sender is the first end of the flow.
    pub(super) fn context(&self) -> Context<'_> {
        Context {
            timestamp: self.json.get("timestamp").and_then(time).unwrap_or_default(),
            number: self.json.get("pcap_cnt").and_then(Json::as_u64).unwrap_or(0),
            interface: self.json.get("in_iface").and_then(Json::as_str),
            vlan: &self.vlan,
            tunnel: &self.tunnel,
            flow: self.flow.as_ref().map(|flow| FlowContext {
                key: &flow.key,
                id: flow.id,
                community_id: &flow.community_id,
                sender: Side::Lower,
                client: match flow.direction {
                    Some(Direction::ToClient) => Side::Upper,
                    _ => Side::Lower,
                },
                directed: flow.direction.is_some(),
                app_proto: flow.app_proto,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::CONTEXT;

    /// The fields and lists of tunnels that a line has, read and asked for again.
    #[test]
    fn tunnels_are_read_as_they_were_written() {
        let line = json!({"timestamp": "2026-11-23T05:56:29.257033+0000", "tunnel": {
            "src_ip": "192.0.2.1", "src_port": 40000, "dest_ip": "192.0.2.2", "dest_port": 2152,
            "proto": "UDP", "depth": 4,
            "layers": ["ipv4", "gtp_u", "ipv4", "ah", "ipv6", "gre", "mpls", "mpls", "ethernet", "vlan"],
            "addresses": ["192.0.2.1", "192.0.2.2", "10.0.0.1", "10.0.0.2", "::1", "::2"],
            "vlan": [7], "labels": [16, 32], "teid": [5], "gre_key": [9], "spi": [1],
        }});
        let surroundings = Surroundings::new(&line);
        let context = surroundings.context();
        for (index, field) in CONTEXT.fields.iter().enumerate() {
            let Some(name) = field.name.strip_prefix("tunnel.") else { continue };
            let expected =
                at(&line["tunnel"], name).map_or(Value::Absent, |of| value(field.kind, of));
            assert_eq!(context.value(index), expected, "{name}");
        }
        for (index, list) in CONTEXT.lists.iter().enumerate() {
            let Some(name) = list.name.strip_prefix("tunnel.") else { continue };
            let mut count = 0;
            context.each(index, &mut |member| {
                let kind = list.element.fields[0].kind;
                let expected = value(kind, &line["tunnel"][name][count]);
                assert_eq!(member.value(0), expected, "{name}");
                count += 1;
            });
            assert_eq!(count, line["tunnel"][name].as_array().map_or(0, Vec::len), "{name}");
        }
    }
}
