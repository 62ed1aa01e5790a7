//! What reads the streams of a flow: detection first, then the parser of its protocol.

use super::Sink;
use super::detection::{self, Detection, Found, Look, Terms};
use super::emit::{Emitter, Outlet};
use crate::event::{Anomaly, Context, FlowContext, Records, Value};
use crate::flow::{
    Acknowledged, CommunityId, Connection, Direction, Flow, FlowKey, Incident, Progress, Reader,
    Side, Why,
};
use crate::packet::Layer;
use crate::protocol::{Configured, Input, Left, Parser, Protocol, REGISTRY, Role, Shared, Start};
use crate::time::Timestamp;

/// A flow that holds no more than this is not worth being made to give it up.
const HELD: usize = 8192;

/// What a flow speaks.
pub(super) enum App {
    /// Not known yet.
    Detecting(Detection),
    /// None that we know.
    Unknown,
    /// This protocol.
    Known { protocol: &'static Protocol, parser: Box<dyn Parser> },
    /// This protocol, until the connection was closed; by a reset that may yet turn out to be
    /// ignored, or else.
    Over { protocol: &'static Protocol, reset: bool },
}

impl App {
    /// The protocol, once known.
    #[inline]
    pub(super) fn protocol(&self) -> Option<&'static Protocol> {
        match self {
            Self::Known { protocol, .. } | Self::Over { protocol, .. } => Some(protocol),
            Self::Detecting(_) | Self::Unknown => None,
        }
    }
}

/// What was seen of a flow's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// All that tells where its streams begin.
    Seen,
    /// Who opened it, but not where each stream begins: the answer to SYN was not captured.
    Half,
    /// Nothing: the flow had begun.
    Missed,
}

/// What is said once a flow: a bit each.
#[derive(Debug, Clone, Copy, Default)]
struct Told(u16);

impl Told {
    /// Its sequence numbers do not advance.
    const FROZEN: u16 = 1;
    /// The capture cut its packets.
    const CUT: u16 = 1 << 1;
    /// It goes on behind a reset.
    const RESET_IGNORED: u16 = 1 << 2;
    /// Only one end is heard.
    const ONE_SIDED: u16 = 1 << 3;
    /// Somebody reset it with a number of no window.
    const RESET_OUT_OF_WINDOW: u16 = 1 << 4;
    /// It ends where it does not.
    const FIN_OUT_OF_WINDOW: u16 = 1 << 5;
    /// It has urgent data.
    const URGENT: u16 = 1 << 6;
    /// It has data with an old timestamp.
    const OLD_TIMESTAMP: u16 = 1 << 7;
    /// It has data that acknowledges nothing.
    const ACK_MISSING: u16 = 1 << 8;
    /// A packet of it may die on the way.
    const TTL_SHORT: u16 = 1 << 9;

    /// Whether it was not told yet. It is from now on.
    fn is_new(&mut self, what: u16) -> bool {
        let is_new = self.0 & what == 0;
        self.0 |= what;
        is_new
    }
}

/// The application layer's part of a flow.
pub(super) struct AppState {
    pub(super) app: App,
    /// What was seen of its beginning.
    pub(super) beginning: Beginning,
    /// Whether a rule fired in it.
    pub(super) alerted: bool,
    /// What was said of it.
    told: Told,
    /// Whether the engine's list of flows with holes has it.
    pub(super) holed: bool,
    /// Octets counted for it in the memory of streams.
    pub(super) memory: usize,
    /// The tunnels that its first packet came through, for what no packet brings about. Without any,
    /// nothing is allocated.
    pub(super) tunnel: Box<[Layer]>,
}

impl AppState {
    /// Notes what the flow's streams hold now, in the flow and in the sum over all flows. Says
    /// whether it is anything of note.
    pub(super) fn book(&mut self, connection: &Connection, sum: &mut usize) -> bool {
        let memory = connection.memory();
        *sum = *sum - self.memory + memory;
        self.memory = memory;
        connection.has_hole() || memory > HELD
    }

    /// Whether it, or a direction of it, had begun before we saw it.
    pub(super) fn joined(&self) -> bool {
        self.beginning != Beginning::Seen
    }

    pub(super) fn new(beginning: Beginning, tunnel: &[Layer]) -> Self {
        Self {
            app: App::Detecting(Detection::default()),
            beginning,
            alerted: false,
            told: Told::default(),
            holed: false,
            memory: 0,
            tunnel: tunnel.into(),
        }
    }
}

/// What the flows of each protocol share, in the order of [`REGISTRY`].
pub(super) struct SharedStates(Vec<Box<Shared>>);

impl Default for SharedStates {
    fn default() -> Self {
        Self(REGISTRY.iter().map(|protocol| (protocol.shared)()).collect())
    }
}

impl SharedStates {
    /// What is configured of servers holds for the flows that begin from now on.
    pub(super) fn configure(&mut self, configured: &Configured) {
        for (state, (protocol, settings)) in self.0.iter_mut().zip(configured.by_protocol()) {
            (protocol.configure)(&mut **state, settings);
        }
    }

    #[inline]
    fn of(&mut self, protocol: &'static Protocol) -> &mut Shared {
        let index = REGISTRY.iter().position(|known| std::ptr::eq(*known, protocol));
        &mut *self.0[index.expect("flows speak what is registered")]
    }
}

/// Reads the streams of one flow while one frame, or a timer, is handled.
pub(super) struct Channel<'e> {
    app: &'e mut App,
    beginning: &'e mut Beginning,
    told: &'e mut Told,
    /// What the flow takes for its client: detection may know better.
    client: &'e mut Side,
    key: &'e FlowKey,
    sender: Side,
    shared: &'e mut SharedStates,
    emitter: Emitter<'e>,
    started: bool,
    /// Sequence number of the octet behind what is read.
    reached: u32,
    /// How much its sender has taken of the other direction, by the packet at hand and by any.
    acknowledged: Acknowledged,
    latest: Acknowledged,
    /// Whether what is read came earlier.
    late: bool,
}

impl<'e> Channel<'e> {
    /// Opens a flow: its streams, and what reads them. The frame's part of `context` is taken.
    #[inline]
    pub(super) fn open(
        flow: &'e mut Flow<AppState>,
        context: Context<'e>,
        sender: Side,
        shared: &'e mut SharedStates,
        outlet: &'e mut Outlet,
        sink: &'e mut dyn Sink,
    ) -> (&'e mut Connection, Self) {
        let context = Context {
            flow: Some(flow_context(
                &flow.key,
                flow.id,
                &flow.community_id,
                sender,
                flow.client,
                &flow.app,
            )),
            ..context
        };
        let AppState { app, beginning, alerted, told, tunnel, .. } = &mut flow.app;
        let tunnel = if context.tunnel.is_empty() { &**tunnel } else { context.tunnel };
        let context = Context { tunnel, ..context };
        let emitter = Emitter { outlet, sink, context, alerted, first: 0 };
        let (client, key) = (&mut flow.client, &flow.key);
        let (reached, late, started) = (0, false, false);
        let (acknowledged, latest) = (Acknowledged::Beyond, Acknowledged::Beyond);
        let channel = Self {
            app,
            beginning,
            told,
            client,
            key,
            sender,
            shared,
            emitter,
            started,
            reached,
            acknowledged,
            latest,
            late,
        };
        (&mut flow.connection, channel)
    }

    /// Whether a parser started: what the other direction kept is for the parser then.
    pub(super) const fn has_started(&self) -> bool {
        self.started
    }

    /// The other end is not heard.
    #[cold]
    pub(super) fn one_sided(&mut self) {
        self.tell_once(Told::ONE_SIDED, "one_sided", None);
    }

    /// A packet of the flow may die before it is there.
    #[cold]
    pub(super) fn ttl_short(&mut self, ttl: u8) {
        if self.told.is_new(Told::TTL_SHORT) {
            let anomaly = Anomaly::in_packet("ttl_short");
            self.emitter.emit(&Anomaly { value: Value::Integer(ttl.into()), ..anomaly });
        }
    }

    fn tell_once(&mut self, what: u16, event: &'static str, offset: Option<u64>) {
        if self.told.is_new(what) {
            self.emitter.emit(&Anomaly { offset, ..Anomaly::in_stream(event) });
        }
    }

    /// A segment's checksum is wrong.
    #[cold]
    pub(super) fn bad_checksum(&mut self) {
        self.emitter.emit(&Anomaly::in_packet("tcp_checksum"));
    }

    /// Nothing more will come. The last packet was seen at `last`.
    pub(super) fn close(&mut self, connection: &mut Connection, last: Timestamp) {
        connection.flush(self);
        self.conclude(connection);
        let client = *self.client;
        let left = Direction::BOTH.map(|direction| {
            let stream = connection.stream(direction.sender(client));
            Left { bytes: stream.kept(), ended: stream.is_finished() }
        });
        let Some(protocol) = self.app.protocol() else { return };
        let over = App::Over { protocol, reset: connection.is_reset() };
        let App::Known { mut parser, .. } = std::mem::replace(self.app, over) else {
            return;
        };
        let acknowledged =
            Direction::BOTH.map(|direction| connection.acknowledged_by(direction.sender(client)));
        parser.last_packet(last, acknowledged, &mut self.emitter);
        parser.end(left, self.shared.of(protocol), &mut self.emitter);
        let server = self.key.address(self.client.opposite());
        let redaction = self.emitter.outlet.redaction;
        parser.facts(&mut |name, fact| {
            self.emitter.sink.fact(server, protocol, name, fact.redacted(redaction));
        });
    }

    fn direction(&self) -> Direction {
        Direction::of(self.sender, *self.client)
    }

    /// Looks for the protocol.
    fn detect(&mut self, bytes: &[u8]) -> Progress {
        let terms = self.terms();
        let App::Detecting(detection) = &mut *self.app else {
            return Progress::all(bytes.len());
        };
        let look = detection.look(self.sender, bytes, terms);
        if let Some(promised) = detection.broken_promise(self.sender, terms) {
            self.emitter.emit(&Anomaly::in_detection(promised.name, "wrong_protocol"));
        }
        match look {
            Look::Found(passed, found) => {
                self.start(self.sender, found);
                let progress = self.data(bytes.get(passed..).unwrap_or_default());
                Progress { consumed: passed + progress.consumed, ..progress }
            }
            Look::Open(passed, wanted) => {
                if detection.is_over(terms) {
                    *self.app = App::Unknown;
                }
                Progress::need(passed, wanted)
            }
        }
    }

    /// Decides for a protocol when no more octets will come to tell.
    fn conclude(&mut self, connection: &mut Connection) {
        let App::Detecting(detection) = &*self.app else { return };
        let kept = [Side::Lower, Side::Upper].map(|side| connection.stream(side).kept());
        let Some((side, found)) = detection.conclude(kept, self.terms()) else { return };
        self.start(side, found);
        for side in [side, side.opposite()] {
            connection.read_kept(side, self);
        }
    }

    /// Both ends go on behind a reset. What they said before it is told; the rest begins somewhere.
    #[cold]
    fn go_on(&mut self) {
        self.tell_once(Told::RESET_IGNORED, "data_after_close", None);
        if let App::Over { protocol, .. } = *self.app {
            let (key, client) = (self.key, *self.client);
            let parser =
                (protocol.start)(Start { key, client, joined: true }, self.shared.of(protocol));
            *self.app = App::Known { protocol, parser };
        }
    }

    fn terms(&self) -> Terms {
        let port = self.key.port(self.client.opposite());
        let promised = REGISTRY.iter().copied().find(|protocol| protocol.ports.contains(&port));
        Terms { joined: *self.beginning != Beginning::Seen, promised }
    }

    /// `side` speaks a protocol.
    fn start(&mut self, side: Side, found: Found) {
        let Found { protocol, sender } = found;
        // Who opened the connection is known if we saw it; else what is said tells better.
        match (sender, *self.beginning) {
            (Some(Role::Client), Beginning::Missed) => *self.client = side,
            (Some(Role::Server), Beginning::Missed) => *self.client = side.opposite(),
            _ => {}
        }
        let passed = matches!(&*self.app, App::Detecting(detection) if detection.has_passed_any());
        let joined = *self.beginning != Beginning::Seen || passed;
        let (key, client) = (self.key, *self.client);
        let parser = (protocol.start)(Start { key, client, joined }, self.shared.of(protocol));
        *self.app = App::Known { protocol, parser };
        self.started = true;
        if let Some(flow) = &mut self.emitter.context.flow {
            flow.client = *self.client;
            flow.app_proto = Some(protocol.name);
        }
    }
}

impl Reader for Channel<'_> {
    #[inline]
    fn turn_to(&mut self, sender: Side, acknowledged: Acknowledged, latest: Acknowledged) {
        self.acknowledged = acknowledged;
        self.latest = latest;
        if self.sender != sender {
            self.sender = sender;
            if let Some(flow) = &mut self.emitter.context.flow {
                flow.sender = sender;
            }
        }
    }

    #[inline]
    fn reach(&mut self, end: u32) {
        self.reached = end;
    }

    fn late(&mut self, late: bool) {
        self.late = late;
    }

    fn joined(&mut self) {
        if *self.beginning != Beginning::Seen {
            return;
        }
        *self.beginning = Beginning::Half;
        let direction = self.direction();
        if let App::Known { parser, .. } = &mut *self.app {
            // It was told that the beginning is there.
            parser.gap(direction, 0, &mut self.emitter);
        }
    }

    #[inline]
    fn data(&mut self, bytes: &[u8]) -> Progress {
        let direction = self.direction();
        match &mut *self.app {
            App::Known { protocol, parser } => {
                self.emitter.first = self.reached.wrapping_sub(bytes.len() as u32);
                let input = Input {
                    direction,
                    time: self.emitter.context.timestamp,
                    clock_trusted: self.emitter.outlet.clock_trusted,
                    acknowledged: if self.late { self.latest } else { self.acknowledged },
                    late: self.late,
                    bytes,
                };
                parser.data(input, self.shared.of(protocol), &mut self.emitter)
            }
            App::Detecting(_) => self.detect(bytes),
            // It is kept in case the flow goes on; nothing is asked to be kept beyond the limit.
            App::Over { reset: true, .. } if bytes.len() < detection::MAX_KEPT => {
                Progress::need(0, bytes.len() + 1)
            }
            App::Unknown | App::Over { .. } => Progress::all(bytes.len()),
        }
    }

    fn gap(&mut self, missing: u64, why: Why) {
        self.emitter.outlet.stats.gaps += 1;
        self.emitter.outlet.stats.bytes_missed += missing;
        let gap = Anomaly { value: Value::Integer(missing as i64), ..Anomaly::in_stream("gap") };
        match why {
            Why::Lost => self.emitter.emit(&gap),
            // A capture cuts all long packets or none: an anomaly each would only repeat it.
            Why::Cut if self.told.is_new(Told::CUT) => {
                self.emitter.emit(&Anomaly { detail: "cut off by the capture", ..gap });
            }
            Why::Cut => {}
        }
        let direction = self.direction();
        match &mut *self.app {
            App::Known { parser, .. } => {
                self.emitter.first = self.reached;
                parser.gap(direction, missing, &mut self.emitter);
            }
            App::Detecting(detection) => detection.gap(self.sender),
            App::Unknown | App::Over { .. } => {}
        }
    }

    fn incident(&mut self, incident: Incident) {
        match incident {
            Incident::OverlapDiffers { offset } => {
                let anomaly = Anomaly::in_stream("overlap_differs");
                self.emitter.emit(&Anomaly { offset: Some(offset), ..anomaly });
            }
            Incident::SequenceFrozen => self.tell_once(Told::FROZEN, "sequence_frozen", None),
            Incident::ResetOutOfWindow => {
                self.tell_once(Told::RESET_OUT_OF_WINDOW, "reset_out_of_window", None);
            }
            Incident::FinOutOfWindow => {
                self.tell_once(Told::FIN_OUT_OF_WINDOW, "fin_out_of_window", None);
            }
            Incident::UrgentData { offset } => {
                self.tell_once(Told::URGENT, "urgent_data", Some(offset));
            }
            Incident::OldTimestamp => self.tell_once(Told::OLD_TIMESTAMP, "old_timestamp", None),
            Incident::AckMissing => self.tell_once(Told::ACK_MISSING, "ack_missing", None),
            Incident::ResetIgnored => self.go_on(),
        }
    }

    fn max_kept(&self) -> usize {
        match &*self.app {
            App::Known { protocol, .. } => protocol.max_kept,
            App::Detecting(_) | App::Unknown | App::Over { .. } => detection::MAX_KEPT,
        }
    }
}

/// What a context takes from the flow.
#[inline]
pub(super) fn flow_context<'e>(
    key: &'e FlowKey,
    id: u64,
    community_id: &'e CommunityId,
    sender: Side,
    client: Side,
    state: &AppState,
) -> FlowContext<'e> {
    let app_proto = state.app.protocol().map(|protocol| protocol.name);
    FlowContext { key, id, community_id, sender, client, directed: true, app_proto }
}
