//! What reads the streams of a flow: detection first, then the parser of its protocol.

use super::Sink;
use super::emit::{Emitter, Outlet};
use crate::event::{Anomaly, Context, Records, Value};
use crate::flow::{
    CommunityId, Connection, Direction, Flow, FlowKey, Incident, Progress, Reader, Side,
};
use crate::protocol::{Detection, Input, Parser, Protocol, REGISTRY, Role, Start};
use crate::time::Timestamp;

/// So many segments are asked for a protocol before a flow counts as none that we know.
const MAX_TRIES: u8 = 16;
/// Detection keeps no more octets than these of a direction: the longest first message that gives
/// a protocol away is far shorter.
const MAX_DETECTION: usize = 512;

/// What a flow speaks.
pub(super) enum App {
    /// Not known yet; so many segments were looked at in vain.
    Detecting { tries: u8 },
    /// None that we know.
    Unknown,
    /// This protocol.
    Known { protocol: &'static Protocol, parser: Box<dyn Parser> },
    /// This protocol, until the connection was closed.
    Over { protocol: &'static Protocol },
}

impl App {
    /// The protocol, once known.
    #[inline]
    pub(super) fn protocol(&self) -> Option<&'static Protocol> {
        match self {
            Self::Known { protocol, .. } | Self::Over { protocol } => Some(protocol),
            Self::Detecting { .. } | Self::Unknown => None,
        }
    }
}

/// The application layer's part of a flow.
pub(super) struct AppState {
    pub(super) app: App,
    /// Whether the flow had begun before we saw it.
    pub(super) joined: bool,
    /// Whether a rule fired in it.
    pub(super) alerted: bool,
    /// Whether it was said that its sequence numbers do not advance.
    pub(super) frozen: bool,
    /// Whether the engine's list of flows with holes has it.
    pub(super) holed: bool,
    /// Octets counted for it in the memory of streams.
    pub(super) memory: usize,
}

impl AppState {
    pub(super) fn new(joined: bool) -> Self {
        Self {
            app: App::Detecting { tries: 0 },
            joined,
            alerted: false,
            frozen: false,
            holed: false,
            memory: 0,
        }
    }
}

/// The two ends of a flow, for contexts.
#[derive(Clone, Copy)]
pub(super) struct Ends<'e> {
    pub(super) key: &'e FlowKey,
    pub(super) id: u64,
    pub(super) community_id: &'e CommunityId,
}

impl<'e> Ends<'e> {
    /// The context of a message that `sender` sent.
    #[inline]
    pub(super) fn context(
        &self,
        frame: &FrameContext<'e>,
        sender: Side,
        client: Side,
        app_proto: Option<&'static str>,
    ) -> Context<'e> {
        let ends = |side: Side| {
            let port = Some(self.key.ports[side.index()]).filter(|_| self.key.has_ports());
            Some((self.key.addresses[side.index()], port))
        };
        Context {
            timestamp: frame.timestamp,
            pcap_cnt: frame.number,
            in_iface: frame.interface,
            flow_id: Some(self.id),
            community_id: Some((self.key, self.community_id)),
            vlan: frame.vlan,
            source: ends(sender),
            destination: ends(sender.opposite()),
            proto: protocol_name(self.key.protocol),
            app_proto,
            direction: Some(direction(sender, client)),
        }
    }
}

/// What a context takes from the frame.
#[derive(Clone, Copy)]
pub(super) struct FrameContext<'e> {
    pub(super) timestamp: Timestamp,
    pub(super) number: u64,
    pub(super) interface: Option<&'e str>,
    pub(super) vlan: &'e [u16],
}

/// Which way `sender` sends.
#[inline]
pub(super) const fn direction(sender: Side, client: Side) -> Direction {
    if sender as u8 == client as u8 { Direction::ToServer } else { Direction::ToClient }
}

/// Names as Suricata writes them.
pub(super) const fn protocol_name(number: u8) -> Option<&'static str> {
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

/// Reads the streams of one flow while one frame, or a timer, is handled.
pub(super) struct Channel<'e> {
    app: &'e mut App,
    joined: bool,
    frozen: &'e mut bool,
    client: &'e mut Side,
    ends: Ends<'e>,
    frame: FrameContext<'e>,
    sender: Side,
    emitter: Emitter<'e>,
    started: bool,
}

impl<'e> Channel<'e> {
    /// Opens a flow: its streams, and what reads them.
    #[inline]
    pub(super) fn open(
        flow: &'e mut Flow<AppState>,
        frame: FrameContext<'e>,
        sender: Side,
        outlet: &'e mut Outlet,
        sink: &'e mut dyn Sink,
    ) -> (&'e mut Connection, Self) {
        let ends = Ends { key: &flow.key, id: flow.id, community_id: &flow.community_id };
        let AppState { app, joined, alerted, frozen, .. } = &mut flow.app;
        let app_proto = app.protocol().map(|protocol| protocol.name);
        let context = ends.context(&frame, sender, flow.client, app_proto);
        let emitter = Emitter { outlet, sink, context, alerted };
        let channel = Self {
            app,
            joined: *joined,
            frozen,
            client: &mut flow.client,
            ends,
            frame,
            sender,
            emitter,
            started: false,
        };
        (&mut flow.connection, channel)
    }

    /// Whether a parser started: what the other direction kept is for the parser then.
    pub(super) const fn has_started(&self) -> bool {
        self.started
    }

    /// A segment's checksum is wrong.
    #[cold]
    pub(super) fn bad_checksum(&mut self) {
        self.emitter.emit(&Anomaly::in_packet("tcp_checksum"));
    }

    /// Nothing more will come.
    pub(super) fn close(&mut self, connection: &mut Connection) {
        connection.flush(self);
        let left = Direction::BOTH.map(|direction| {
            let sender = match direction {
                Direction::ToServer => *self.client,
                Direction::ToClient => self.client.opposite(),
            };
            connection.stream(sender).kept().len()
        });
        let Some(protocol) = self.app.protocol() else { return };
        let App::Known { mut parser, .. } = std::mem::replace(self.app, App::Over { protocol })
        else {
            return;
        };
        parser.end(left, &mut self.emitter);
        let server = self.ends.key.addresses[self.client.opposite().index()];
        parser.facts(&mut |name, fact| self.emitter.sink.fact(server, protocol, name, fact));
    }

    fn renew_context(&mut self) {
        let app_proto = self.app.protocol().map(|protocol| protocol.name);
        self.emitter.context = self.ends.context(&self.frame, self.sender, *self.client, app_proto);
    }

    /// Looks for the protocol in the first octets of a direction.
    fn detect(&mut self, bytes: &[u8]) -> Progress {
        let App::Detecting { tries } = *self.app else {
            return Progress::all(bytes.len());
        };
        let mut undecided = false;
        for protocol in REGISTRY {
            match (protocol.detect)(bytes) {
                Detection::Yes(role) => return self.start(protocol, role, bytes),
                Detection::More => undecided = true,
                Detection::No => {}
            }
        }
        if undecided && bytes.len() < MAX_DETECTION {
            return Progress::need(0, bytes.len() + 1);
        }
        if let Some(protocol) = self.hinted() {
            return self.start(protocol, None, bytes);
        }
        *self.app = match tries + 1 {
            MAX_TRIES => App::Unknown,
            tries => App::Detecting { tries },
        };
        Progress::all(bytes.len())
    }

    /// The protocol whose port the server has.
    fn hinted(&self) -> Option<&'static Protocol> {
        let port = self.ends.key.ports[self.client.opposite().index()];
        REGISTRY.iter().copied().find(|protocol| protocol.ports.contains(&port))
    }

    fn start(
        &mut self,
        protocol: &'static Protocol,
        sender: Option<Role>,
        bytes: &[u8],
    ) -> Progress {
        // Who opened the connection is known if we saw it; else what is said tells better.
        match sender {
            Some(Role::Client) if self.joined => *self.client = self.sender,
            Some(Role::Server) if self.joined => *self.client = self.sender.opposite(),
            _ => {}
        }
        let parser = (protocol.start)(Start { joined: self.joined });
        *self.app = App::Known { protocol, parser };
        self.started = true;
        self.renew_context();
        self.data(bytes)
    }
}

impl Reader for Channel<'_> {
    #[inline]
    fn turn_to(&mut self, sender: Side) {
        if self.sender != sender {
            self.sender = sender;
            self.renew_context();
        }
    }

    #[inline]
    fn data(&mut self, bytes: &[u8]) -> Progress {
        match &mut *self.app {
            App::Known { parser, .. } => {
                let direction = direction(self.sender, *self.client);
                let input = Input { direction, time: self.frame.timestamp, bytes };
                parser.data(input, &mut self.emitter)
            }
            App::Detecting { .. } => self.detect(bytes),
            App::Unknown | App::Over { .. } => Progress::all(bytes.len()),
        }
    }

    fn gap(&mut self, missing: u64) {
        self.emitter.outlet.stats.gaps += 1;
        self.emitter.outlet.stats.bytes_missed += missing;
        let value = Value::Integer(missing as i64);
        self.emitter.emit(&Anomaly { value, ..Anomaly::in_stream("gap") });
        if let App::Known { parser, .. } = &mut *self.app {
            parser.gap(direction(self.sender, *self.client), missing, &mut self.emitter);
        }
    }

    fn incident(&mut self, incident: Incident) {
        match incident {
            Incident::OverlapDiffers { offset } => {
                let anomaly = Anomaly::in_stream("overlap_differs");
                self.emitter.emit(&Anomaly { offset: Some(offset), ..anomaly });
            }
            Incident::SequenceFrozen if *self.frozen => {}
            Incident::SequenceFrozen => {
                *self.frozen = true;
                self.emitter.emit(&Anomaly::in_stream("sequence_frozen"));
            }
        }
    }

    fn max_kept(&self) -> usize {
        self.app.protocol().map_or(MAX_DETECTION, |protocol| protocol.max_kept)
    }
}
