//! The whole way of the data in one thread, over a capture in memory: what each stage adds, and
//! what rules cost in the whole.
//!
//! The capture is of a single protocol, so that the two do not hide each other; benches/README.md
//! says what is in it.

mod generate;
mod multiplier;

use std::env;
use std::hint::black_box;
use std::io::{self, Cursor, Write};
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use gridtap::capture::{Capture, PcapWriter, Source};
use gridtap::engine::{Engine, Limits, Place, Sink};
use gridtap::event::{Event, Schema};
use gridtap::flow::Side;
use gridtap::output::evidence::{Keeper, Options};
use gridtap::output::{Eve, Types};
use gridtap::packet::{self, Frame, LinkType, Outer};
use gridtap::protocol::{self, Fact, Protocol};
use gridtap::rule::{self, Hits, Placeholders, RuleSet};
use multiplier::{Flows, Plan};

/// Nanoseconds between packets: a million take 100 s, in which closed flows expire.
const SPACING: u64 = 100_000;

criterion_group!(benches, iec104, mqtt, headers);
criterion_main!(benches);

fn iec104(criterion: &mut Criterion) {
    measure(criterion, "iec104", 2404);
}

fn mqtt(criterion: &mut Criterion) {
    measure(criterion, "mqtt", 1883);
}

/// The headers of one frame: plain, and in as many tunnels as are read, of the kind with the most
/// headers and of the kind with the fewest.
fn headers(criterion: &mut Criterion) {
    let segment = plain_segment();
    let plain = ethernet(&segment);
    let in_vxlan = (0..Outer::USUAL).fold(plain.clone(), |frame, _| {
        let head = [8, 0, 0, 0, 0, 0, 7, 0];
        ethernet(&over(17, &datagram(4789, &[&head, &frame[..]].concat())))
    });
    let in_ip = ethernet(&(0..Outer::USUAL).fold(segment, |packet, _| over(4, &packet)));
    let mut group = criterion.benchmark_group("headers");
    group.throughput(Throughput::Elements(1));
    for (name, frame) in [("plain", plain), ("8 VXLAN", in_vxlan), ("8 IP in IP", in_ip)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut outer = Outer::default();
                let found =
                    packet::decode_within(LinkType::Ethernet, black_box(&frame), &mut outer);
                assert!(black_box(found).is_ok());
                outer.layers().len()
            });
        });
    }
    group.finish();
}

/// A segment with 64 octets of data, as an IP packet; its checksums are left to the card.
fn plain_segment() -> Vec<u8> {
    let ports_and_numbers = [0x9c, 0x40, 0x09, 0x64, 0, 0, 0, 1, 0, 0, 0, 1];
    let rest = [0x50, 0x10, 0x20, 0, 0, 0, 0, 0];
    over(6, &[&ports_and_numbers[..], &rest, &[0x5a; 64]].concat())
}

fn ethernet(packet: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0], packet].concat()
}

fn over(protocol: u8, octets: &[u8]) -> Vec<u8> {
    let length = (20 + octets.len() as u16).to_be_bytes();
    let head = [0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    [&head[..], &[192, 0, 2, 1, 192, 0, 2, 2], octets].concat()
}

fn datagram(port: u16, octets: &[u8]) -> Vec<u8> {
    let length = 8 + octets.len() as u16;
    let head = [40_000, port, length, 0].map(u16::to_be_bytes).concat();
    [&head, octets].concat()
}

fn measure(criterion: &mut Criterion, protocol: &str, port: u16) {
    let scale = Scale::asked_for();
    let file = MemoryCapture::multiplied(port, &scale);
    stages(criterion, protocol, &file);
    rules(criterion, protocol, &file, scale.rules);
}

/// Each stage with all that come before it.
fn stages(criterion: &mut Criterion, protocol: &str, file: &MemoryCapture) {
    let mut group = criterion.benchmark_group(format!("pipeline/{protocol}"));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(file.packets));
    group.bench_function("1 read", |bencher| bencher.iter(|| read(file)));
    group.bench_function("2 and decode", |bencher| bencher.iter(|| decode(file)));

    let none = Arc::new(RuleSet::default());
    let pack = Arc::new(load(&RuleSet::builtin_sources()));
    let nothing = Types::none();
    let alerts: Types = "alert".parse().expect("a record type");
    let everything = Types::default();
    for (name, rules, types, keeps) in [
        ("3 and follow, parse", &none, &nothing, false),
        ("3 and follow, parse, keep packets", &none, &nothing, true),
        ("4 and match, write alerts", &pack, &alerts, false),
        ("4 and match, write alerts, keep packets", &pack, &alerts, true),
        ("4 and match, write every record", &pack, &everything, false),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| replay(file, rules, types, keeps)));
    }
    group.finish();
}

/// The whole with few rules and with many of the same kinds. Alerts are not written: how many
/// there are depends on the rules, not on their number.
fn rules(criterion: &mut Criterion, protocol: &str, file: &MemoryCapture, counts: &[usize]) {
    let mut group = criterion.benchmark_group(format!("pipeline/{protocol}/rules"));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(file.packets));
    for &count in counts {
        let sources: Vec<_> =
            generate::rules(count).map(|(name, text)| rule::Source { name, text }).collect();
        let rules = Arc::new(load(&sources));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| replay(file, &rules, &Types::none(), false));
        });
    }
    group.finish();
}

fn load(sources: &[rule::Source]) -> RuleSet {
    let services: Vec<_> = protocol::services().collect();
    RuleSet::load(sources, &services, &Placeholders::new())
        .unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(false)))
}

fn read(file: &MemoryCapture) -> usize {
    let mut source = file.open();
    let mut octets = 0;
    while let Some(frame) = source.next().expect("a sound capture") {
        octets += black_box(frame.data).len();
    }
    octets
}

fn decode(file: &MemoryCapture) -> usize {
    let mut source = file.open();
    let mut decoded = 0;
    while let Some(frame) = source.next().expect("a sound capture") {
        decoded += usize::from(black_box(packet::decode(frame.link, frame.data)).is_ok());
    }
    decoded
}

/// What `gridtap replay` does with a capture, but for the summary. Cases of evidence are not written.
fn replay(file: &MemoryCapture, rules: &Arc<RuleSet>, types: &Types, keeps: bool) -> u64 {
    let mut written = Counter::default();
    let eve = Eve::new(&mut written, types.clone(), &rules.rules, None);
    let keeper = keeps.then(|| Keeper::new(&Options::new("/nowhere"), 1));
    let mut sink = EveSink { eve, keeper };
    let mut engine = Engine::new(Arc::clone(rules), Limits::default(), &sink);
    let mut source = file.open();
    while let Some(frame) = source.next().expect("a sound capture") {
        engine.handle(&frame, &mut sink);
    }
    engine.finish(&mut sink);
    sink.eve.finish().expect("counting does not fail");
    written.octets
}

/// A pcap file in memory.
struct MemoryCapture {
    octets: Arc<[u8]>,
    packets: u64,
}

impl MemoryCapture {
    /// The flows of the demo to or from `port`, multiplied.
    fn multiplied(port: u16, scale: &Scale) -> Self {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps/demo.pcap");
        let mut source = Source::open(&[demo]).expect("the demo is there");
        let flows = Flows::read(&mut source, &[port]).expect("it has flows of this port");
        let plan = Plan { packets: scale.packets, concurrent: scale.concurrent, spacing: SPACING };
        let mut file = PcapWriter::new(Vec::new(), LinkType::Ethernet).expect("memory");
        let made = flows
            .multiply(plan, |time, frame| file.write(time, frame.len() as u32, frame))
            .expect("memory does not fail");
        Self { octets: file.finish().expect("memory").into(), packets: made.packets }
    }

    fn open(&self) -> Source {
        let reader = Box::new(Cursor::new(Arc::clone(&self.octets)));
        Source::new(vec![Capture::from_reader("multiplied", reader).expect("a capture")])
    }
}

struct Scale {
    packets: u64,
    concurrent: usize,
    rules: &'static [usize],
}

impl Scale {
    /// A flow table that no cache holds, to measure with; little, if all is only to be run once.
    fn asked_for() -> Self {
        // What cargo bench passes, and cargo test does not.
        if env::args().any(|argument| argument == "--bench") {
            Self { packets: 1_000_000, concurrent: 8_000, rules: &[12, 1_000, 10_000] }
        } else {
            Self { packets: 2_000, concurrent: 50, rules: &[12, 100] }
        }
    }
}

/// Writes records and alerts, as a replay does.
struct EveSink<'w> {
    eve: Eve<&'w mut Counter>,
    keeper: Option<Keeper>,
}

impl Sink for EveSink<'_> {
    fn event(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        let file = self.keeper.as_mut().and_then(|keeper| keeper.alert(event, fired));
        self.eve.event_in(event, fired, file);
    }

    fn wants(&self, schema: &'static Schema) -> bool {
        self.eve.types().records(schema)
    }

    fn fact(&mut self, _: IpAddr, _: &'static Protocol, _: &'static str, fact: Fact<'_>) {
        black_box(fact);
    }

    fn keeps(&self) -> bool {
        self.keeper.is_some()
    }

    fn packet(&mut self, frame: &Frame<'_>, place: Place) {
        let Some(keeper) = &mut self.keeper else { return };
        keeper.packet(frame, &place);
        while let Some(case) = keeper.take() {
            black_box(case);
        }
    }

    fn secret(&mut self, flow: u64, sender: Side, octets: Range<u32>) {
        if let Some(keeper) = &mut self.keeper {
            keeper.secret(flow, sender, octets);
        }
    }
}

/// Takes what is written and counts its octets.
#[derive(Default)]
struct Counter {
    octets: u64,
}

impl Write for Counter {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.octets += black_box(octets).len() as u64;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
