//! What is in a case, and how many there may be.

use super::*;

#[test]
fn alerts_soon_after_another_are_in_the_same_file() {
    let options = Options { packets: 8, ..options() };
    let mut scene = Scene::new(&rules(), &options);
    scene.open(4000);
    let stream = [HELLO, &PING.repeat(100)].concat();
    scene.send(4000, 1, HELLO);
    let mut at = HELLO.len();
    let mut ping = |scene: &mut Scene, wait| {
        scene.wait(wait);
        scene.send(4000, 1 + at as u32, &stream[at..at + 2]);
        at += 2;
    };
    for _ in 0..3 {
        ping(&mut scene, 1000);
    }
    assert_eq!(scene.sink.names.len(), 1);
    assert!(scene.cases().is_empty(), "more packets are waited for");
    // Another flow's packet says that the time is over.
    scene.wait(6000);
    scene.open(5000);
    let cases = scene.cases();
    assert_eq!(cases.len(), 1);
    assert_eq!(cases[0].name(), scene.sink.names[0]);
    assert_eq!(frames(&cases[0]).len(), 6);
    let notes: Vec<_> = cases[0].notes.iter().map(|note| (note.packet, &note.text[..])).collect();
    let text = "low: A ping (00000000-0000-4000-8000-000000000001)";
    assert_eq!(notes, [(3, text), (4, text), (5, text)]);
    // The next one has another name, and what went before once more.
    ping(&mut scene, 0);
    assert_eq!(scene.sink.names.len(), 2);
    assert!(scene.sink.names.is_sorted());
    // One alert after the other: the file ends all the same.
    for _ in 0..50 {
        ping(&mut scene, 1000);
    }
    let cases = scene.cases();
    assert!(cases.len() >= 2);
    for case in cases {
        assert!(frames(&case).len() <= 5 * 8 && case.notes.len() <= 5 * 8);
        let (first, last) = (case.packets.first().unwrap(), case.packets.last().unwrap());
        assert!(last.timestamp.since(first.timestamp) <= Duration::from_secs(30 + 4 * 5));
    }
}

#[test]
fn what_was_long_before_is_not_in_it() {
    let mut scene = Scene::new(&rules(), &options());
    scene.open(4000);
    scene.send(4000, 1, HELLO);
    scene.wait(29_000);
    scene.send(4000, 1 + HELLO.len() as u32, PING);
    scene.wait(20_000);
    scene.send(4000, 3 + HELLO.len() as u32, PING);
    let cases = scene.finish();
    // Each with the packets of 30 s before; the last for the end of the flow.
    let packets: Vec<_> = cases.iter().map(Case::packets).collect();
    assert_eq!(packets[..2], [4, 2]);
}

#[test]
fn the_end_of_a_silent_flow_has_no_evidence() {
    let mut scene = Scene::new(&rules(), &options());
    scene.open(4000);
    scene.send(4000, 1, HELLO);
    scene.engine.tick(scene.now + Duration::from_secs(100_000), &mut scene.sink);
    assert!(scene.sink.names.is_empty());
    assert_eq!(scene.sink.keeper.counters().without, 1);
    // One that ends while its packets are there has some.
    scene.now = scene.now + Duration::from_secs(100_000);
    scene.open(5000);
    scene.send(5000, 1, HELLO);
    assert_eq!(scene.finish().len(), 1);
}

#[test]
fn two_cases_of_a_moment_have_two_names() {
    let mut scene = Scene::new(&rules(), &Options { packets: 1, ..options() });
    scene.open(4000);
    scene.send(4000, 1, HELLO);
    for at in 0..3 {
        scene.now = Timestamp::from_nanos(scene.now.as_nanos() - 1_000_000);
        scene.send(4000, 1 + HELLO.len() as u32 + 2 * at, PING);
    }
    let cases = scene.cases();
    assert_eq!(cases.iter().map(Case::name).collect::<Vec<_>>(), scene.sink.names);
    assert_eq!(scene.sink.names.len(), 3);
    assert!(scene.sink.names.is_sorted());
}

/// A busy flow has its own packets pushed out, not those of others; many flows the oldest.
#[test]
fn memory_is_bounded_and_the_oldest_go() {
    let mut scene = Scene::new(&rules(), &options());
    scene.open(4000);
    scene.send(4000, 1, HELLO);
    scene.open(5000);
    let data = [0x55; 1000];
    for at in 0..2000 {
        scene.send(5000, 1 + at * 1000, &data);
    }
    let counters = scene.sink.keeper.counters();
    assert_eq!((counters.frames, counters.pushed_out), (3 + 64, 0));
    scene.send(4000, 1 + HELLO.len() as u32, PING);
    // Room is needed: the case ends now, and has its beginning.
    for client in 10_000..20_000 {
        scene.open(client);
    }
    let cases = scene.cases();
    assert_eq!(cases[0].packets(), 4);
    let counters = scene.sink.keeper.counters();
    assert_eq!((counters.cases, counters.alerts, counters.cut_short), (1, 1, 1));
    assert!(counters.pushed_out > 10_000 && counters.frames < 10_000, "{counters:?}");
    assert!(counters.octets < 1 << 20);
    // Nothing is left of flows that are gone.
    scene.finish();
    let frames = scene.sink.keeper.counters().frames;
    assert!(frames > 1000 && frames < 10_000);
}

#[test]
fn more_cases_than_may_be_open_end_the_first() {
    let most = options().limits(1).alerts;
    let mut scene = Scene::new(&rules(), &options());
    let mut cases = Vec::new();
    for client in 0..300 {
        scene.open(10_000 + client);
        scene.send(10_000 + client, 1, &[HELLO, PING, PING].concat());
        cases.extend(scene.cases());
    }
    assert_eq!(cases.len(), 300 - most);
    assert_eq!(scene.sink.keeper.counters().cut_short, cases.len() as u64);
    assert!(cases.iter().map(Case::name).eq(&scene.sink.names[..cases.len()]));
    // There is room for so many names: of most flows one alert has its name.
    assert!(cases.iter().all(|case| case.notes.len() as u64 + case.more == 2));
    assert!(cases.iter().any(|case| case.more > 0));
}

#[test]
fn cases_that_nobody_takes_are_let_go() {
    let mut scene = Scene::new(&rules(), &Options { packets: 2, ..options() });
    for client in 10_000..12_000 {
        scene.open(client);
        scene.send(client, 1, &[HELLO, PING].concat());
        scene.acknowledge(client, 1);
    }
    let counters = scene.sink.keeper.counters();
    let cases = scene.cases();
    assert!(counters.lost > 1000, "{counters:?}");
    assert_eq!(counters.cases, counters.lost + cases.len() as u64);
    assert!(cases.iter().map(Case::memory).sum::<usize>() <= options().limits(1).ready);
}

#[test]
fn at_the_end_no_case_is_let_go() {
    let mut scene = Scene::new(&rules(), &options());
    let limits = options().limits(1);
    let most = u16::try_from(limits.alerts).unwrap();
    for client in 10_000..10_000 + most {
        scene.open(client);
        scene.send(client, 1, &[HELLO, PING].concat());
    }
    let cases = scene.finish();
    let octets: usize = cases.iter().map(Case::memory).sum();
    assert!(octets > limits.ready, "they would not all have had room: {octets}");
    let counters = scene.sink.keeper.counters();
    assert_eq!((counters.lost, counters.cases), (0, cases.len() as u64));
    assert!(cases.len() >= usize::from(most));
}
