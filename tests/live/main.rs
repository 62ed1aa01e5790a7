//! Capture from interfaces: cables between namespaces' ends, frames in at one, out at the other.

#![allow(unreachable_pub, reason = "modules of a test")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod world;

use std::collections::{HashMap, HashSet};
use std::net::UdpSocket;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gridtap::capture::live::{
    Duplicates, Filter, LinkState, Live, Ring, RingOptions, Statistics, interfaces,
};
use world::{
    Arrived, Sender, cable, capture, collect, collect_all, counts, in_namespace, ip, numbered,
    octets, tagged, turn, until,
};

fn options() -> RingOptions {
    RingOptions { blocks: 64, ..RingOptions::default() }
}

fn live(interface: &str) -> Live {
    Live::new(vec![Ring::open(interface, &options()).unwrap()])
}

#[test]
fn frames_come_whole_and_in_order() {
    in_namespace("frames_come_whole_and_in_order", || {
        cable("in", "out");
        let mut live = live("out");
        let frames = capture("demo.pcap");
        Sender::new("in").send_all(&frames);
        let arrived = collect(&mut live, frames.len());
        assert_eq!(octets(&arrived), frames);
        assert!(arrived.is_sorted_by_key(|arrived| arrived.timestamp));
        assert!(arrived.iter().all(|a| a.wire_length as usize == a.data.len()));
        let count = frames.len() as u64;
        let expected = Statistics { packets: count, handled: count, ..Statistics::default() };
        assert_eq!(counts(&mut live), [expected]);
        assert_eq!(live.close(), [expected]);
    });
}

#[test]
fn idle_turns_tell_the_time() {
    in_namespace("idle_turns_tell_the_time", || {
        cable("in", "out");
        cable("in2", "out2");
        let rings = ["out", "out2"].map(|name| Ring::open(name, &options()).unwrap());
        let mut live = Live::new(rings.into());
        let mut last = 0;
        for _ in 0..3 {
            let turn = turn(&mut live, |_, frame| panic!("{frame:?}"));
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
            assert_eq!((turn.frames, turn.change), (0, None));
            assert!(turn.watermark.as_nanos() > last, "time goes on");
            last = turn.watermark.as_nanos();
            assert!(last < now && now - last < 10_000_000_000, "{last} is before {now}");
        }
    });
}

#[test]
fn vlan_tags_come_back() {
    in_namespace("vlan_tags_come_back", || {
        cable("in", "out");
        let mut live = live("out");
        let plain = numbered(1, 100);
        let frames = [
            tagged(&plain, &[0x81, 0, 0x60, 100]),
            tagged(&plain, &[0x88, 0xa8, 0x0f, 0xff, 0x81, 0, 0, 7]),
            plain.clone(),
            // A priority alone: the identifier is zero.
            tagged(&plain, &[0x81, 0, 0xe0, 0]),
            tagged(&capture("demo.pcap")[0], &[0x81, 0, 0, 2]),
        ];
        Sender::new("in").send_all(&frames);
        let arrived = collect(&mut live, frames.len());
        assert_eq!(octets(&arrived), frames);
        assert!(arrived.iter().all(|a| a.wire_length as usize == a.data.len()));
        // The kernel takes the outermost tag out of all that it receives, as network cards do.
        assert_eq!(counts(&mut live)[0].tags_restored, 4);
    });
}

#[test]
fn threads_share_flows_whole() {
    in_namespace("threads_share_flows_whole", || {
        cable("in", "out");
        cable("in2", "out2");
        for threads in [2, 4] {
            let first = Ring::open_group("out", threads, &options()).unwrap();
            let second = Ring::open_group("out2", threads, &options()).unwrap();
            let mut lives: Vec<_> =
                first.into_iter().zip(second).map(|(a, b)| Live::new(vec![a, b])).collect();
            let frames = every_shape();
            let (mut one, mut two) = (Sender::new("in"), Sender::new("in2"));
            one.send_all(&frames);
            for frame in &frames {
                two.send(&returned(frame));
            }

            let arrived = collect_all(&mut lives, 2 * frames.len());
            assert_eq!(arrived.len(), 2 * frames.len(), "nothing lost, nothing twice");
            let mut thread_of = HashMap::new();
            let mut came = HashMap::<Vec<u8>, i64>::new();
            let mut busy = HashSet::new();
            for (thread, frame) in arrived {
                let flow = addresses(&frame.data);
                assert_eq!(*thread_of.entry(flow).or_insert(thread), thread, "{flow:?}");
                busy.insert(thread);
                *came.entry(frame.data).or_default() += 1;
            }
            for frame in frames.iter().cloned().chain(frames.iter().map(|f| returned(f))) {
                *came.entry(frame).or_default() -= 1;
            }
            assert!(came.values().all(|count| *count == 0), "each as it was sent");
            assert_eq!(busy.len(), threads, "every thread has something to do");
        }
    });
}

#[test]
fn frames_that_go_out_are_shared_as_those_that_come_in() {
    in_namespace("frames_that_go_out_are_shared_as_those_that_come_in", || {
        cable("in", "out");
        let going = Ring::open_group("in", 2, &options()).unwrap();
        let coming = Ring::open_group("out", 2, &options()).unwrap();
        let mut lives: Vec<_> =
            going.into_iter().zip(coming).map(|(a, b)| Live::new(vec![a, b])).collect();
        let frames = every_shape();
        Sender::new("in").send_all(&frames);
        let mut thread_of = HashMap::new();
        let arrived = collect_all(&mut lives, 2 * frames.len());
        assert_eq!(arrived.len(), 2 * frames.len());
        for (thread, Arrived { data, .. }) in arrived {
            let flow = addresses(&data);
            assert_eq!(*thread_of.entry(flow).or_insert(thread), thread, "{flow:?}");
        }
    });
}

/// Frames of many flows: plain, in fragments, tagged, below MPLS and PPPoE, and ARP.
fn every_shape() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for frame in capture("demo.pcap").into_iter().step_by(5) {
        frames.push(tagged(&frame, &[0x81, 0, 0, 100]));
        frames.push(tagged(&frame, &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6]));
        if frame[12..14] == [8, 0] {
            let mut fragment = frame.clone();
            fragment[20..22].copy_from_slice(&[0x20, 0x10]);
            fragment[34..].fill(0xee);
            frames.push(fragment);
            let mpls = [0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64];
            frames.push([&frame[..12], &mpls, &frame[14..]].concat());
            let pppoe = [0x88, 0x64, 0x11, 0, 0, 7, 0, 40, 0, 0x21];
            frames.push([&frame[..12], &pppoe, &frame[14..]].concat());
        }
        frames.push(frame);
    }
    frames
}

/// Where the IPv4 header of a frame of [`every_shape`] is.
fn header(frame: &[u8]) -> Option<usize> {
    (14..30).find(|at| frame[*at] == 0x45 && frame[at + 12] == 10 && frame[at + 16] == 10)
}

/// Both addresses, the lesser first: IP, or without it MAC.
fn addresses(frame: &[u8]) -> [[u8; 6]; 2] {
    let mut pair = match header(frame) {
        Some(at) => [12, 16].map(|offset| {
            let mut padded = [0; 6];
            padded[..4].copy_from_slice(&frame[at + offset..at + offset + 4]);
            padded
        }),
        None => [0, 6].map(|at| frame[at..at + 6].try_into().unwrap()),
    };
    pair.sort_unstable();
    pair
}

/// The frame on its way back.
fn returned(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let swap = |octets: &mut [u8]| octets.rotate_left(octets.len() / 2);
    swap(&mut frame[..12]);
    if let Some(at) = header(&frame) {
        swap(&mut frame[at + 12..at + 20]);
    }
    frame
}

#[test]
fn counters_add_up_when_the_ring_overflows() {
    in_namespace("counters_add_up_when_the_ring_overflows", || {
        cable("in", "out");
        let small = RingOptions { block_size: 8192, blocks: 4, ..options() };
        let mut sender = Sender::new("in");
        let mut live = Live::new(vec![Ring::open("out", &small).unwrap()]);
        let mut sent = 0;
        for round in 1..=3 {
            for number in 0..1000 {
                sender.send(&numbered(number, 200));
                sent += 1;
            }
            // Reading sets the kernel's counts to zero: asking often must not lose any.
            for _ in 0..3 {
                let counts = counts(&mut live)[0];
                assert_eq!(counts.packets, sent, "round {round}: {counts:?}");
            }
            let arrived = collect(&mut live, 1);
            let now = counts(&mut live)[0];
            assert_eq!(now.packets, now.handled + now.dropped, "{now:?}");
            assert!(now.dropped > 0 && now.freezes > 0 && !arrived.is_empty(), "{now:?}");
        }
        // Closed with frames in it.
        for number in 0..10 {
            sender.send(&numbered(number, 200));
        }
        let last = live.close()[0];
        assert_eq!(last.packets, sent + 10);
        assert_eq!(last.packets, last.handled + last.dropped + last.unread, "{last:?}");
        assert!(last.unread > 0, "{last:?}");
    });
}

#[test]
fn an_interface_that_is_deleted_can_be_replaced() {
    in_namespace("an_interface_that_is_deleted_can_be_replaced", || {
        cable("in", "out");
        cable("in2", "out2");
        let open = |name| Ring::open(name, &options()).unwrap();
        let mut live = Live::new(vec![open("out"), open("out2")]);
        let mut sender = Sender::new("in2");
        Sender::new("in").send(&numbered(1, 100));
        ip("link delete in");

        let mut came = 0;
        let mut changes = Vec::new();
        until(&mut live, |live| {
            // The other interface is busy all the time.
            sender.send(&numbered(2, 100));
            let turn = turn(live, |place, _| came += usize::from(place == 0));
            changes.extend(turn.change);
            changes.last() == Some(&(0, LinkState::Gone))
        });
        assert_eq!(came, 1, "what it has received before is not lost");
        assert_eq!(live.state(0), Some(LinkState::Gone));
        assert_eq!(live.state(1), Some(LinkState::Up));

        let refused = Ring::open("out", &options()).unwrap_err();
        assert!(refused.is_no_input() && !refused.is_permission());
        assert!(refused.to_string().contains("out2"), "{refused}");

        cable("in", "out");
        live.put(open("out")).unwrap();
        assert_eq!(live.reopened(0), Some(1));
        assert!(live.put(open("out2")).is_err(), "that one lives");
        Sender::new("in").send(&numbered(3, 100));
        until(&mut live, |live| {
            let turn = turn(live, |place, _| came += usize::from(place == 0));
            assert_eq!(turn.change, None);
            came == 2
        });
        let counts = counts(&mut live);
        assert_eq!((counts[0].packets, counts[0].handled), (2, 2), "both rings' counts");
        assert_eq!(counts[1].packets, counts[1].handled);
    });
}

#[test]
fn a_group_survives_that_its_interface_is_switched_off_and_on() {
    in_namespace("a_group_survives_that_its_interface_is_switched_off_and_on", || {
        cable("in", "out");
        let rings = Ring::open_group("out", 2, &options()).unwrap();
        // Each alone, as threads have them.
        let mut lives: Vec<_> = rings.into_iter().map(|ring| Live::new(vec![ring])).collect();
        let mut ring_of = HashMap::new();
        for round in 0..3 {
            let frames: Vec<_> = (0..200).map(|number| numbered(number, 100)).collect();
            Sender::new("in").send_all(&frames);
            let arrived = collect_all(&mut lives, frames.len());
            assert_eq!(arrived.len(), frames.len());
            for (ring, frame) in arrived {
                assert_eq!(*ring_of.entry(frame.data).or_insert(ring), ring, "round {round}");
            }

            ip("link set out down");
            for live in &mut lives {
                until(live, |live| turn(live, |_, _| {}).change == Some((0, LinkState::Down)));
            }
            let refused = Ring::open("out", &options()).unwrap_err();
            assert!(refused.is_no_input(), "{refused}");
            ip("link set out up");
            for live in &mut lives {
                until(live, |live| turn(live, |_, _| {}).change == Some((0, LinkState::Up)));
            }
        }
    });
}

#[test]
fn a_tap_on_two_interfaces_comes_in_the_order_of_sending() {
    in_namespace("a_tap_on_two_interfaces_comes_in_the_order_of_sending", || {
        cable("in", "out");
        cable("in2", "out2");
        let rings = ["out", "out2"].map(|name| Ring::open(name, &options()).unwrap());
        let mut live = Live::new(rings.into());
        let mut senders = [Sender::new("in"), Sender::new("in2")];
        // Runs of all lengths, so that now the one and now the other has a full block.
        let frames: Vec<_> = (0..20_000).map(|number| numbered(number, 300)).collect();
        let mut arrived = Vec::new();
        let mut watermark = 0;
        for (number, frame) in frames.iter().enumerate() {
            senders[usize::from(number.isqrt() % 3 == 0)].send(frame);
            if number % 50 == 0 {
                let turn = live
                    .turn(Duration::ZERO, |place, frame| {
                        assert!(frame.timestamp.as_nanos() >= watermark, "older than promised");
                        arrived.push(Arrived::new(place, &frame));
                    })
                    .unwrap();
                watermark = turn.watermark.as_nanos();
            }
        }
        let missing = frames.len() - arrived.len();
        arrived.extend(collect(&mut live, missing));
        assert!(octets(&arrived) == frames, "each once, in order");
        assert!(arrived.iter().any(|a| a.place == 0) && arrived.iter().any(|a| a.place == 1));
    });
}

#[test]
fn mirrored_duplicates_are_dropped() {
    in_namespace("mirrored_duplicates_are_dropped", || {
        cable("in", "out");
        let mut live = live("out");
        let mut sender = Sender::new("in");
        let frames: Vec<_> = (1..500).map(|number| numbered(number, 100)).collect();
        for frame in &frames {
            sender.send(frame);
            sender.send(&tagged(frame, &[0x81, 0, 0, 100]));
        }
        let mut duplicates = Duplicates::new();
        let mut kept = Vec::new();
        let mut seen = 0;
        until(&mut live, |live| {
            turn(live, |_, frame| {
                seen += 1;
                if !duplicates.is_duplicate(&frame) {
                    kept.push(frame.data.to_vec());
                }
            });
            seen == 2 * frames.len()
        });
        assert_eq!(kept, frames);
        assert_eq!(duplicates.dropped(), frames.len() as u64);
    });
}

#[test]
fn long_frames_come_whole_and_are_cut_only_on_demand() {
    in_namespace("long_frames_come_whole_and_are_cut_only_on_demand", || {
        cable("in", "out");
        let mut live = live("out");
        let short = RingOptions { snap_length: 96, ..options() };
        let mut cut = Live::new(vec![Ring::open("out", &short).unwrap()]);
        let mut frames: Vec<_> =
            [9000, 9014, 65_535, 65_549].map(|length| numbered(7, length)).into();
        frames.push(tagged(&numbered(8, 65_549), &[0x81, 0, 0, 100]));
        let mut sender = Sender::new("in");
        for _ in 0..20 {
            sender.send_all(&frames);
        }
        let arrived = collect(&mut live, 20 * frames.len());
        assert_eq!(octets(&arrived), [&frames[..]; 20].concat());

        for (index, arrived) in collect(&mut cut, 20 * frames.len()).iter().enumerate() {
            let whole = &frames[index % frames.len()];
            let tag = if index % frames.len() == 4 { 4 } else { 0 };
            assert_eq!(arrived.data, whole[..96 + tag]);
            assert_eq!(arrived.wire_length as usize, whole.len());
        }
        assert_eq!(counts(&mut cut)[0].truncated, 20 * frames.len() as u64);
    });
}

#[test]
fn the_kernel_runs_the_filter() {
    in_namespace("the_kernel_runs_the_filter", || {
        cable("in", "out");
        let frames = every_shape();
        for threads in [1, 2] {
            let network = "10.20.0.66/32".parse().unwrap();
            let filter = Filter::new(&[2404], &[network]).unwrap();
            let options = RingOptions { filter, ..options() };
            let rings = Ring::open_group("out", threads, &options).unwrap();
            Sender::new("in").send_all(&frames);
            let intruder = [10, 20, 0, 66];
            let expected: Vec<_> = frames.iter().filter(|frame| passes(frame, intruder)).collect();
            let mut lives: Vec<_> = rings.into_iter().map(|ring| Live::new(vec![ring])).collect();
            let arrived = collect_all(&mut lives, expected.len());
            let mut came: Vec<_> = arrived.into_iter().map(|(_, arrived)| arrived).collect();
            let packets: u64 = lives.iter_mut().map(|live| counts(live)[0].packets).sum();
            assert_eq!(packets, came.len() as u64, "the rest never came to the rings");
            came.sort_by_key(|arrived| arrived.timestamp);
            assert!(expected.len() > 100);
            assert_eq!(octets(&came), expected);
        }
    });
}

/// Whether a frame of [`every_shape`] is of this address, and of port 2404 or without ports.
fn passes(frame: &[u8], address: [u8; 4]) -> bool {
    let Some(at) = header(frame) else { return false };
    let ours = [12, 16].iter().any(|offset| frame[at + offset..at + offset + 4] == address);
    let fragment = frame[at + 6] & 0x1f != 0 || frame[at + 7] != 0;
    let port = [20, 22].iter().any(|offset| frame[at + offset..at + offset + 2] == [0x09, 0x64]);
    let with_ports = matches!(frame[at + 9], 6 | 17);
    ours && (fragment || (with_ports && port))
}

#[test]
fn loopback_shows_each_packet_once() {
    in_namespace("loopback_shows_each_packet_once", || {
        std::fs::write("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1").unwrap();
        ip("link set lo up");
        for threads in [1, 2] {
            let rings = Ring::open_group("lo", threads, &options()).unwrap();
            let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
            let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
            for number in 0..100_u8 {
                sender.send_to(&[number], receiver.local_addr().unwrap()).unwrap();
            }
            let mut lives: Vec<_> = rings.into_iter().map(|ring| Live::new(vec![ring])).collect();
            let arrived = collect_all(&mut lives, 100);
            let numbers: Vec<_> =
                arrived.iter().filter_map(|(_, arrived)| arrived.data.last().copied()).collect();
            assert_eq!(numbers, (0..100).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_tunnel_interface_has_raw_ip() {
    in_namespace("a_tunnel_interface_has_raw_ip", || {
        ip("tuntap add dev tunnel mode tun");
        ip("addr add 10.9.0.1/24 dev tunnel");
        ip("link set tunnel up");
        let ring = Ring::open_group("tunnel", 2, &options());
        // Nobody holds the other end, so nothing is carried; it can be opened all the same.
        let rings = ring.unwrap();
        assert!(rings.iter().all(|ring| ring.link() == gridtap::packet::LinkType::Raw));
    });
}

#[test]
fn cap_net_raw_is_enough_and_without_it_we_say_so() {
    const NAME: &str = "cap_net_raw_is_enough_and_without_it_we_say_so";
    const WITHOUT: &[&str] = &["setpriv", "--inh-caps=-all", "--bounding-set=-net_raw"];
    const ALONE: &[&str] = &["setpriv", "--inh-caps=-all", "--bounding-set=-all,+net_raw"];
    in_namespace(NAME, || match world::part().as_deref() {
        Some("without") => {
            let refused = Ring::open("out", &options()).unwrap_err();
            assert!(refused.is_permission() && !refused.is_no_input(), "{refused}");
        }
        Some("alone") => {
            assert!(!Command::new("ip").args(["link", "delete", "in"]).status().unwrap().success());
            let rings = Ring::open_group("out", 2, &options()).unwrap();
            let mut lives: Vec<_> = rings.into_iter().map(|ring| Live::new(vec![ring])).collect();
            let frames: Vec<_> = (0..50).map(|number| numbered(number, 100)).collect();
            Sender::new("in").send_all(&frames);
            assert_eq!(collect_all(&mut lives, frames.len()).len(), frames.len());
        }
        _ => {
            cable("in", "out");
            world::again(WITHOUT, NAME, "without");
            world::again(ALONE, NAME, "alone");
        }
    });
}

#[test]
fn interfaces_are_listed() {
    in_namespace("interfaces_are_listed", || {
        cable("in", "out");
        ip("addr add 10.1.2.3/24 dev out");
        ip("link set in down");
        // The kernel takes its time to notice that a carrier is gone.
        let all = world::wait_for(|| {
            let all = interfaces();
            let dead = all.iter().any(|interface| interface.name == "out" && !interface.running);
            dead.then_some(all)
        });
        let names: Vec<_> = all.iter().map(|interface| interface.name.as_str()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        let named = |name| all.iter().find(|interface| interface.name == name).unwrap();
        assert!(named("lo").loopback && !named("lo").up);
        assert!(named("out").up && !named("out").running && !named("in").up);
        assert_eq!(named("out").addresses, ["10.1.2.3/24".parse().unwrap()]);
        assert_eq!(named("out").mtu, Some(65_535));
        assert!(named("out").receive_offload.is_some() && named("out").mac.is_some());

        let output =
            Command::new(env!("CARGO_BIN_EXE_gridtap")).args(["interfaces", "--json"]).output();
        let listed: serde_json::Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
        let listed: Vec<_> =
            listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(listed, names);
        let table = Command::new(env!("CARGO_BIN_EXE_gridtap")).arg("interfaces").output().unwrap();
        let table = String::from_utf8(table.stdout).unwrap();
        assert_eq!(table.lines().count(), 1 + names.len(), "{table}");
    });
}
