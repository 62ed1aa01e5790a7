//! What the whole way of the data allocates: nothing for a packet of a flow that is under way, and
//! in all a bounded amount.

mod allocator;
mod conversation;
#[path = "../../benches/multiplier.rs"]
mod multiplier;
#[path = "../common/websocket.rs"]
#[allow(dead_code, unreachable_pub, reason = "others use the rest")]
mod websocket;

use std::io::{self, Cursor, Write};
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use gridtap::capture::{Capture, Source};
use gridtap::engine::{Engine, Limits, Place, Sink};
use gridtap::event::{Event, Schema};
use gridtap::flow::Side;
use gridtap::output::evidence::{Keeper, Options};
use gridtap::output::{Eve, Types};
use gridtap::packet::{Frame, LinkType};
use gridtap::protocol::{self, Fact, Protocol};
use gridtap::rule::{Hits, Placeholders, RuleSet};

use allocator::Counting;
use multiplier::{Flows, Plan};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_packet_of_a_flow_under_way_allocates_nothing() {
    allocates_nothing(None);
}

/// With evidence, as long as there is none to write.
#[test]
fn a_packet_that_is_kept_allocates_nothing() {
    allocates_nothing(Some(Keeper::new(&Options::new("/nowhere"), 1)));
}

fn allocates_nothing(keeper: Option<Keeper>) {
    const WARM_UP: u64 = 10_000;
    let recording = conversation::record(8, 200);
    let file = Box::new(Cursor::new(recording.octets));
    let mut source = Source::new(vec![Capture::from_reader("made", file).expect("a capture")]);
    let mut tap = Tap::new(keeper);
    let mut read = |packets| {
        for _ in 0..packets {
            let frame = source.next().expect("a sound capture").expect("so many packets");
            tap.take(&frame);
        }
        tap.sink.seen
    };
    let before = read(WARM_UP);
    let mut after = before;
    let measured = recording.packets - WARM_UP;
    let allocations = allocator::allocations(|| after = read(measured));

    if let Some(first) = allocations.first {
        panic!("{} allocations in {measured} packets, the first here:\n{first}", allocations.count);
    }
    assert!(measured > 30_000, "{measured} packets are too few to tell");
    assert!(after.records - before.records > measured / 2, "hardly any of them had a message");
    assert!(after.alerts - before.alerts > measured / 100, "hardly any of them was of interest");
    let anomalies: u64 = tap.engine.stats().anomalies.values().sum();
    assert_eq!(anomalies, 0, "the conversation is not sound");
}

/// The flows of the demo, of both protocols. Two million packets of ten thousand flows at a time must
/// not take 200 MB; 4 KiB a flow is a fifth of that, and about twice what they take.
#[test]
fn memory_follows_the_flows() {
    const PACKETS: u64 = 2_000_000;
    const FLOWS: usize = 10_000;
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps/demo.pcap");
    let mut source = Source::open(&[demo]).expect("the demo is there");
    let flows = Flows::read(&mut source, &[]).expect("it has flows");
    let plan = Plan { packets: PACKETS, concurrent: FLOWS, spacing: 100_000 };
    let mut packets = 0;
    let peak = allocator::peak(|| {
        let mut tap = Tap::new(None);
        let made = flows.multiply(plan, |timestamp, data| {
            packets += 1;
            let (link, wire_length) = (LinkType::Ethernet, data.len() as u32);
            let frame =
                Frame { number: packets, timestamp, link, data, wire_length, interface: None };
            tap.take(&frame);
            Ok::<_, std::convert::Infallible>(())
        });
        assert!(made.is_ok_and(|made| made.packets >= PACKETS));
        tap.engine.finish(&mut tap.sink);
    });
    assert!(peak < FLOWS * 4096, "{peak} octets at once");
}

/// An engine with the built-in rules and a sink that writes every record.
struct Tap {
    engine: Engine,
    sink: EveSink,
}

impl Tap {
    fn new(keeper: Option<Keeper>) -> Self {
        let services: Vec<_> = protocol::services().collect();
        let rules = RuleSet::load(&RuleSet::builtin_sources(), &services, &Placeholders::new());
        let rules = Arc::new(rules.expect("the built-in rules are right"));
        let eve = Eve::new(Nowhere, Types::default(), &rules.rules, None);
        let sink = EveSink { eve, keeper, seen: Seen::default() };
        Self { engine: Engine::new(rules, Limits::default(), &sink), sink }
    }

    fn take(&mut self, frame: &Frame<'_>) {
        self.engine.handle(frame, &mut self.sink);
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    records: u64,
    alerts: u64,
}

struct EveSink {
    eve: Eve<Nowhere>,
    keeper: Option<Keeper>,
    seen: Seen,
}

impl Sink for EveSink {
    fn event(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        self.seen.records += 1;
        self.seen.alerts += fired.into_iter().count() as u64;
        self.eve.event(event, fired);
    }

    fn wants(&self, schema: &'static Schema) -> bool {
        self.eve.types().records(schema)
    }

    fn fact(&mut self, _: IpAddr, _: &'static Protocol, _: &'static str, _: Fact<'_>) {}

    fn keeps(&self) -> bool {
        self.keeper.is_some()
    }

    fn packet(&mut self, frame: &Frame<'_>, place: Place) {
        if let Some(keeper) = &mut self.keeper {
            keeper.packet(frame, &place);
        }
    }

    fn secret(&mut self, flow: u64, sender: Side, octets: Range<u32>) {
        if let Some(keeper) = &mut self.keeper {
            keeper.secret(flow, sender, octets);
        }
    }
}

/// Takes what is written and keeps nothing of it.
struct Nowhere;

impl Write for Nowhere {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
