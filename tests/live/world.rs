//! A network namespace for each test, with links that it makes itself.
//!
//! A process can only be moved into a namespace from within, by calls that are not safe. So a test
//! starts itself again under `unshare`, alone, and waits for it.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use gridtap::capture::Source;
use gridtap::capture::live::{Live, Statistics, Turn};
use gridtap::packet::Frame;
use gridtap::time::Timestamp;
use pnet::datalink::{self, Channel, DataLinkSender};
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// Says which part of a test a process is to run.
const PART: &str = "GRIDTAP_TEST_PART";

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test in a namespace of its own, where loopback is the only interface. Without root it says
/// that it skips.
pub fn in_namespace(name: &str, test: impl FnOnce()) {
    if part().is_some() {
        return test();
    }
    let usable = Command::new("unshare").args(["--net", "true"]).output();
    if !usable.is_ok_and(|output| output.status.success()) {
        println!("skipped: {name} needs root, for a network namespace of its own");
        return;
    }
    again(&["unshare", "--net"], name, "world");
}

/// Runs this test once more, under another program, as another part of it.
pub fn again(under: &[&str], name: &str, part: &str) {
    let (program, arguments) = under.split_first().unwrap();
    let status = Command::new(program)
        .args(arguments)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(PART, part)
        .status()
        .unwrap();
    assert!(status.success(), "{name}, {part}: {status}");
}

/// The part that this process is to run.
pub fn part() -> Option<String> {
    std::env::var(PART).ok()
}

/// Runs `ip`.
pub fn ip(arguments: &str) {
    run("ip", arguments);
}

/// Runs a program that must succeed.
pub fn run(program: &str, arguments: &str) {
    output(program, arguments);
}

/// What a program says that must succeed.
fn output(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split_whitespace()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Makes a cable with an interface at each end, on which nobody talks but the test.
pub fn cable(one: &str, other: &str) {
    std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
    ip(&format!("link add {one} mtu 65535 type veth peer name {other} mtu 65535"));
    ip(&format!("link set {one} up"));
    ip(&format!("link set {other} up"));
    wait_until_up(one);
    wait_until_up(other);
}

/// That an end has its carrier is worked out a moment after it is switched on; until then, what is
/// sent is thrown away and no error tells of it.
pub fn wait_until_up(interface: &str) {
    wait_for(|| {
        output("ip", &format!("link show dev {interface}")).contains(" state UP ").then_some(())
    });
}

/// Sends frames out of an interface.
pub struct Sender(Box<dyn DataLinkSender>);

impl Sender {
    pub fn new(interface: &str) -> Self {
        let found = datalink::interfaces().into_iter().find(|found| found.name == interface);
        match datalink::channel(&found.unwrap(), datalink::Config::default()) {
            Ok(Channel::Ethernet(sender, _)) => Self(sender),
            Ok(_) => panic!("{interface}: another channel"),
            Err(error) => panic!("{interface}: {error}"),
        }
    }

    pub fn send(&mut self, frame: &[u8]) {
        self.try_send(frame).unwrap();
    }

    pub fn try_send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.0.send_to(frame, None).unwrap()
    }

    /// All from one processor: each has a queue of its own to the other end of the cable, and frames
    /// of two that are worked off at the same time reach two listeners in two orders.
    pub fn send_all(&mut self, frames: &[Vec<u8>]) {
        let allowed = sched_getaffinity(None).unwrap();
        let mut here = CpuSet::new();
        here.set(sched_getcpu());
        sched_setaffinity(None, &here).unwrap();
        for frame in frames {
            self.send(frame);
        }
        sched_setaffinity(None, &allowed).unwrap();
    }
}

/// A frame that came, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    pub place: usize,
    pub timestamp: Timestamp,
    pub wire_length: u32,
    pub data: Vec<u8>,
}

impl Arrived {
    pub fn new(place: usize, frame: &Frame<'_>) -> Self {
        let Frame { timestamp, wire_length, data, .. } = *frame;
        Self { place, timestamp, wire_length, data: data.to_vec() }
    }
}

/// Takes turns until so many frames came, and then until nothing more does.
pub fn collect(live: &mut Live, count: usize) -> Vec<Arrived> {
    let collected = collect_all(std::slice::from_mut(live), count);
    collected.into_iter().map(|(_, arrived)| arrived).collect()
}

/// The same over those of several threads; with each frame which of them it came to.
pub fn collect_all(lives: &mut [Live], count: usize) -> Vec<(usize, Arrived)> {
    let begun = Instant::now();
    let mut all = Vec::new();
    loop {
        let before = all.len();
        for (thread, live) in lives.iter_mut().enumerate() {
            turn(live, |place, frame| all.push((thread, Arrived::new(place, &frame))));
        }
        if all.len() == before && before >= count {
            return all;
        }
        let counts: Vec<_> = lives.iter_mut().map(counts).collect();
        assert!(begun.elapsed() < PATIENCE, "{} of {count} frames came: {counts:?}", all.len());
    }
}

/// One turn.
pub fn turn(live: &mut Live, visit: impl FnMut(usize, Frame<'_>)) -> Turn {
    live.turn(Duration::from_millis(20), visit).unwrap()
}

/// Does something until it is enough.
pub fn until(live: &mut Live, mut enough: impl FnMut(&mut Live) -> bool) {
    let begun = Instant::now();
    while !enough(live) {
        assert!(begun.elapsed() < PATIENCE, "it takes too long: {:?}", counts(live));
    }
}

/// Asks until there is an answer.
pub fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "it takes too long");
        std::thread::yield_now();
    }
}

/// The counts of all places.
pub fn counts(live: &mut Live) -> Vec<Statistics> {
    (0..live.places()).filter_map(|place| live.statistics(place)).collect()
}

/// Only the octets.
pub fn octets(arrived: &[Arrived]) -> Vec<&[u8]> {
    arrived.iter().map(|arrived| arrived.data.as_slice()).collect()
}

/// The frames of a capture of this repository.
pub fn capture(name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps").join(name);
    let mut source = Source::open(&[path]).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = source.next().unwrap() {
        frames.push(frame.data.to_vec());
    }
    frames
}

/// A frame from one address to another that carries UDP to port 2404, numbered, so long at the least.
pub fn numbered(number: u32, length: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let total = (length.max(46) - 14).min(65_535) as u16;
    frame.extend([0x45, 0]);
    frame.extend(total.to_be_bytes());
    frame.extend((number as u16).to_be_bytes());
    frame.extend([0, 0, 64, 17, 0, 0, 10, 0]);
    frame.extend((number as u16).to_be_bytes());
    frame.extend([10, 1, 0, 1, 0x30, 0x39, 0x09, 0x64]);
    frame.extend((total - 20).to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(number.to_be_bytes());
    frame.resize(frame.len().max(length), 0xaa);
    frame
}

/// The frame under these octets, which stand between its MAC addresses and its ethertype.
pub fn tagged(frame: &[u8], tags: &[u8]) -> Vec<u8> {
    [&frame[..12], tags, &frame[12..]].concat()
}
