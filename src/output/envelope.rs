//! What all records have: when, where, in which flow. The part that tells of the flow is the same
//! in all records of one direction, and the longest: it is made once and copied from then on.

use std::ops::Range;

use super::json::Json;
use super::layout::Layout;
use crate::event::{CONTEXT, Context, FlowContext, Redaction};
use crate::flow::{FlowKey, Side};

/// Parts of flows that are kept. Two flows that share a slot make theirs anew in turn.
const SLOTS: usize = 1 << 14;

/// How the fields of [`CONTEXT`] are written.
#[derive(Debug)]
pub(super) struct Envelope {
    layout: Layout,
    /// The first field that all records of a flow's direction have in common, to the last.
    shared: Range<usize>,
    /// The list of the frame's tags.
    vlan: usize,
    /// The fields of tunnels, which few packets come through; they are of the packet, not of the flow.
    tunnel: Range<usize>,
    /// By the flow's number; made when the first flow comes.
    parts: Vec<Part>,
}

/// The longest part that is kept: two IPv6 addresses in full, and the longest of all names.
const LONGEST: usize = 304;

/// The part of one direction of a flow, as JSON. In one piece, so that reading it waits for memory
/// once.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
struct Part {
    of: Option<Identity>,
    length: u16,
    json: [u8; LONGEST],
}

impl Part {
    const NONE: Self = Self { of: None, length: 0, json: [0; LONGEST] };

    #[inline]
    fn json(&self) -> &[u8] {
        self.json.get(..self.length.into()).unwrap_or_default()
    }

    fn set(&mut self, of: Identity, json: &[u8]) {
        if let Some(place) = self.json.get_mut(..json.len()) {
            place.copy_from_slice(json);
            (self.of, self.length) = (Some(of), json.len() as u16);
        }
    }
}

/// All that the part is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    id: u64,
    key: FlowKey,
    sender: Side,
    client: Side,
    directed: bool,
    app_proto: Option<&'static str>,
}

impl Identity {
    fn new(flow: &FlowContext<'_>) -> Self {
        let FlowContext { key, id, sender, client, directed, app_proto, .. } = *flow;
        Self { id, key: *key, sender, client, directed, app_proto }
    }

    /// Flow numbers are hashes.
    fn slot(&self) -> usize {
        (self.id as usize ^ self.sender.index()) % SLOTS
    }
}

impl Envelope {
    pub(super) fn new() -> Self {
        let place = |name| CONTEXT.fields.iter().position(|field| field.name.starts_with(name));
        let (first, last) = (place("src_ip").unwrap_or(0), CONTEXT.fields.len());
        let tunnel = place("tunnel.").unwrap_or(last);
        Self {
            layout: Layout::new(&CONTEXT, Redaction::default()),
            shared: first..tunnel,
            vlan: CONTEXT.lists.iter().position(|list| list.name == "vlan").unwrap_or(0),
            tunnel: tunnel..last,
            parts: Vec::new(),
        }
    }

    /// What identifies the packet: as in Suricata, the type comes after it and before the ends.
    #[inline]
    pub(super) fn packet(&self, context: &Context<'_>, json: &mut Json) {
        self.layout.write_flat(0..self.shared.start, context, json);
    }

    /// What is the same in all records of the flow.
    #[inline]
    pub(super) fn flow(&mut self, context: &Context<'_>, json: &mut Json) {
        if let Some(flow) = &context.flow {
            self.part(flow, context, json);
        }
        if context.tunnel.is_empty() {
            return self.layout.write_list(self.vlan, context, json);
        }
        self.layout.write_rest(self.tunnel.clone(), context, json);
    }

    #[inline]
    fn part(&mut self, flow: &FlowContext<'_>, context: &Context<'_>, json: &mut Json) {
        let identity = Identity::new(flow);
        let slot = identity.slot();
        if let Some(part) = self.parts.get(slot)
            && part.of == Some(identity)
        {
            return json.raw(part.json());
        }
        self.make(slot, identity, context, json);
    }

    #[cold]
    fn make(&mut self, slot: usize, of: Identity, context: &Context<'_>, json: &mut Json) {
        let start = json.len();
        self.layout.write_flat(self.shared.clone(), context, json);
        self.parts.resize(SLOTS, Part::NONE);
        if let Some(part) = self.parts.get_mut(slot) {
            part.set(of, json.since(start));
        }
    }
}
