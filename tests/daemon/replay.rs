//! Live = replay: an interface is recorded while the daemon watches it; the recording, replayed, says
//! the same.

use gridtap::capture::live::{Ring, RingOptions};
use serde_json::Value;

use super::daemon::{Host, captured, records};
use super::recording::Recording;
use super::world::{Sender, cable, capture, in_namespace, ip};

const CAPTURES: [&str; 5] =
    ["demo.pcap", "clean.pcap", "injection.pcap", "all-types.pcap", "mqtt-peers.pcap"];

#[test]
fn live_says_what_replay_says() {
    in_namespace("replay::live_says_what_replay_says", || {
        cable("in", "out");
        // As long as somebody wants to know when the kernel got a frame, all are told the same; and
        // it takes the kernel a moment to begin with it, or to stop.
        ip("link set lo up");
        let _clock = Ring::open("lo", &RingOptions::default()).unwrap();
        for capture in CAPTURES {
            for threads in [1, 4] {
                live_is_replay(capture, threads);
            }
        }
    });
}

fn live_is_replay(name: &str, threads: usize) {
    let host = Host::new(&format!(
        "interfaces: [{{interface: out}}]\n\
         threads: {threads}\n\
         outputs: [{{type: file, path: DIR/eve.json}}]\n"
    ));
    let recording = Recording::start("out", &host.path("recorded.pcap"));
    let daemon = host.start();
    let frames = capture(name);
    Sender::new("in").send_all(&frames);
    captured(&daemon, "out", frames.len());
    let recorded = recording.end(&frames);
    daemon.end();

    let mut live = comparable(records(&host.read("eve.json")));
    let mut replayed = comparable(host.replay(&recorded));
    assert!(replayed.len() > 100, "{name}");
    // Flows and some anomalies have a time before that at which they are known.
    let messages = live.iter().filter(|record| record["flow"].is_null());
    let messages = messages.filter(|record| record["anomaly"].is_null());
    assert!(messages.is_sorted_by_key(|record| record["timestamp"].as_str()), "{name}: no order");
    if threads > 1 {
        // Records of one time may stand in any order, and each may complete a correlation.
        let is_alone = |record: &Value| record["alert"]["correlation"].is_null();
        live.retain(is_alone);
        replayed.retain(is_alone);
        live.sort_by_cached_key(Value::to_string);
        replayed.sort_by_cached_key(Value::to_string);
    }
    for (live, replayed) in live.iter().zip(&replayed) {
        assert_eq!(live, replayed, "{name}, {threads} threads");
    }
    assert_eq!(live.len(), replayed.len(), "{name}, {threads} threads");
}

/// Without what is only in one of them. Whether the clock is kept in step, without which no time tag
/// is off, the daemon knows, and a recording does not tell.
fn comparable(records: Vec<Value>) -> Vec<Value> {
    let of_packets = |record: &Value| {
        record["event_type"] != "stats"
            && record["event_type"] != "sensor"
            && record["anomaly"]["event"] != "time_skew"
    };
    records
        .into_iter()
        .filter(of_packets)
        .map(|mut record| {
            let fields = record.as_object_mut().unwrap();
            fields.remove("in_iface");
            fields.remove("pcap_cnt");
            // A rule may have fired on a time tag.
            if let Some(flow) = fields.get_mut("flow").and_then(Value::as_object_mut) {
                flow.remove("alerted");
            }
            record
        })
        .collect()
}
