//! What the fuzz targets do with their octets; `tests/corpora.rs` does the same with the corpora.
//!
//! A driver does not only look for panics: it holds what it drives to the contract it has.

mod json;
mod segments;
mod stream;
mod topic;
mod walk;

use std::io::Cursor;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use gridtap::capture::{Capture, Source};
use gridtap::engine::{Engine, Limits, Sink};
use gridtap::event::{Event, Schema};
use gridtap::packet::{Frame, LinkType};
use gridtap::protocol::{Fact, Protocol};
use gridtap::rule::{Diagnostic, Hits, RuleSet};
use gridtap::time::Timestamp;

/// A driver: it takes any octets, and panics if something is wrong.
pub(crate) type Driver = fn(&[u8]);

/// All drivers, by the name of their target and corpus.
#[allow(dead_code, reason = "a fuzz target takes one")]
pub(crate) const DRIVERS: &[(&str, Driver)] = &[
    ("capture", capture),
    ("packet", packet),
    ("stream", segments),
    ("iec104", iec104),
    ("mqtt", mqtt),
    ("tls", tls),
    ("rules", rules),
    ("json", json),
    ("topic", topic),
];

/// A capture file: reading it ends, after at most one report of damage.
pub(crate) fn capture(octets: &[u8]) {
    let reader = Box::new(Cursor::new(octets.to_vec()));
    let Ok(capture) = Capture::from_reader("fuzz", reader) else { return };
    let mut source = Source::new(vec![capture]);
    let (mut number, mut damages) = (0, 0);
    loop {
        match source.next() {
            Ok(Some(frame)) => {
                assert!(frame.number > number, "frames are numbered in their order");
                assert!(frame.data.len() <= frame.wire_length as usize);
                number = frame.number;
            }
            Ok(None) => break,
            Err(damage) => {
                assert!(damage.offset <= octets.len() as u64);
                damages += 1;
            }
        }
    }
    assert!(damages <= 1, "damage is the end of a file");
    assert!(source.octets().read <= octets.len() as u64);
    let skipped: u64 = source.skipped().iter().map(|skipped| skipped.frames).sum();
    assert!(number + skipped <= octets.len() as u64);
}

/// Frames through a whole engine with the rules that are built in. It may keep next to nothing.
///
/// ```text
/// | link and time step | length, little-endian | octets … |  and so on
///           1                     2
/// ```
pub(crate) fn packet(octets: &[u8]) {
    static BUILT_IN: LazyLock<Arc<RuleSet>> = LazyLock::new(|| {
        Arc::new(load(&RuleSet::builtin_sources()).expect("rules without errors"))
    });
    replay(octets, Arc::clone(&BUILT_IN));
}

fn replay(octets: &[u8], rules: Arc<RuleSet>) {
    let timeouts = gridtap::flow::Timeouts::default();
    let limits = Limits { flows: 4, timeouts, stream_memory: 4096, ..Limits::default() };
    let mut sink = WalkingSink;
    let mut engine = Engine::new(rules, limits, &sink);
    let mut now = Timestamp::from_nanos(1_700_000_000_000_000_000);
    let (mut rest, mut number) = (octets, 0);
    while let [kind, low, high, tail @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(tail.len());
        let (data, next) = tail.split_at(length);
        number += 1;
        now = now + Duration::from_millis(1 << (kind >> 3));
        engine.handle(&frame(number, now, *kind, data), &mut sink);
        engine.tick(now, &mut sink);
        rest = next;
    }
    engine.finish(&mut sink);
    let stats = engine.stats();
    assert_eq!(stats.packets, number);
    assert_eq!(stats.flows_active, 0, "no flow outlives the end");
    assert_eq!(stats.stream_memory, 0, "nothing is kept for flows that are over");
}

fn frame(number: u64, timestamp: Timestamp, kind: u8, data: &[u8]) -> Frame<'_> {
    const LINKS: [LinkType; 8] = [
        LinkType::Ethernet,
        LinkType::LinuxSll,
        LinkType::LinuxSll2,
        LinkType::Raw,
        LinkType::Null,
        LinkType::Loop,
        LinkType::Ethernet,
        LinkType::Ethernet,
    ];
    let link = LINKS[usize::from(kind & 7)];
    Frame { number, timestamp, link, data, wire_length: data.len() as u32, interface: None }
}

/// Reads every field of what it gets.
struct WalkingSink;

impl Sink for WalkingSink {
    fn event(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        walk::record(event.context, &mut String::new());
        walk::record(event.record, &mut String::new());
        for rule in fired {
            assert!(rule.inactive.is_none(), "a rule fires that is not in force");
            assert!(rule.about.is_of(event.record.schema()));
        }
    }

    fn wants(&self, _schema: &'static Schema) -> bool {
        true
    }

    fn fact(&mut self, _: IpAddr, _: &'static Protocol, name: &'static str, _: Fact<'_>) {
        assert!(!name.is_empty());
    }
}

/// A conversation in IEC 104: see [`stream::drive`].
pub(crate) fn iec104(octets: &[u8]) {
    stream::drive("iec104", octets);
}

/// A conversation in MQTT: see [`stream::drive`].
pub(crate) fn mqtt(octets: &[u8]) {
    stream::drive("mqtt", octets);
}

/// A conversation in TLS: see [`stream::drive`].
pub(crate) fn tls(octets: &[u8]) {
    stream::drive("tls", octets);
}

/// Segments of a stream: see [`segments::drive`].
pub(crate) fn segments(octets: &[u8]) {
    segments::drive(octets);
}

/// A rule file: every error points into it; rules without an error run over two conversations.
pub(crate) fn rules(octets: &[u8]) {
    let Ok(text) = str::from_utf8(octets) else { return };
    let source = gridtap::rule::Source { name: "fuzz.yml".to_owned(), text: text.to_owned() };
    match load(&[source]) {
        Ok(rules) => {
            let rules = Arc::new(rules);
            replay(include_bytes!("../corpus/packet/iec104-ethernet"), Arc::clone(&rules));
            replay(include_bytes!("../corpus/packet/mqtt-vlans"), rules);
        }
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "refused without a word");
            for diagnostic in &diagnostics {
                points_into(text, diagnostic);
            }
        }
    }
}

/// A JSON document and paths into it: see [`json::drive`].
pub(crate) fn json(octets: &[u8]) {
    json::drive(octets);
}

/// Topic filters and topics: see [`topic::drive`].
pub(crate) fn topic(octets: &[u8]) {
    topic::drive(octets);
}

/// What stands before the first empty line, and behind it.
fn parted(octets: &[u8]) -> (&[u8], &[u8]) {
    match octets.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&octets[..at], &octets[at + 2..]),
        None => (octets, &[]),
    }
}

fn load(sources: &[gridtap::rule::Source]) -> Result<RuleSet, Vec<Diagnostic>> {
    let services: Vec<_> = gridtap::protocol::services().collect();
    let masters = ("masters".to_owned(), vec!["10.0.0.1".to_owned()]);
    RuleSet::load(sources, &services, &[masters].into())
}

fn points_into(text: &str, diagnostic: &Diagnostic) {
    // YAML ends lines at a lone carriage return too.
    let lines = text.split(['\r', '\n']).count();
    assert!((1..=lines).contains(&diagnostic.line), "{diagnostic:?} in {lines} lines");
    assert!(diagnostic.column >= 1, "{diagnostic:?}");
    assert!(text.contains(&diagnostic.source_line), "{diagnostic:?}");
    assert!(!diagnostic.render(false).is_empty());
}
