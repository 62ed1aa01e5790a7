//! Unix sockets.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::{UnixDatagram, UnixListener};

use gridtap::output::delivery::{ChangeKind, UnixDatagramTarget, UnixStreamTarget};

use super::{LONG, Output, alerts, eve_lines, lines_of};

#[test]
fn a_stream_gets_every_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eve.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let output = Output::start(UnixStreamTarget::new(&path), None);
    // More than a socket buffer holds, so that lines are cut.
    let lines = eve_lines("a", 20_000);
    for part in lines.chunks(1000) {
        output.offer(part);
    }
    let (stream, _) = listener.accept().unwrap();
    let reader = std::thread::spawn(move || lines_of(stream));
    let finished = output.finish();
    assert!(reader.join().unwrap() == lines);
    assert_eq!(finished.counters.written_lines, lines.len() as u64);
    assert_eq!(finished.counters.errors, 0);
}

#[test]
fn alerts_survive_a_receiver_that_dies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eve.sock");
    let spool = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    let output = Output::start(UnixStreamTarget::new(&path), Some(&spool));
    let first = eve_lines("first", 5000);
    output.offer(&first);
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    let mut seen = HashSet::new();
    for _ in 0..10 {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        seen.insert(line.trim_end().to_owned());
    }
    // Gone, with lines in its buffer.
    drop(stream);
    drop(listener);
    fs::remove_file(&path).unwrap();
    let second = eve_lines("second", 50);
    output.offer(&second);
    assert!(matches!(output.told(), ChangeKind::Failed(_)));
    let third = eve_lines("third", 50);
    output.offer(&third);

    let listener = UnixListener::bind(&path).unwrap();
    output.delivery.reopen();
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    let mut missing: HashSet<_> = [first, second, third].iter().flat_map(|l| alerts(l)).collect();
    missing.retain(|alert| !seen.contains(alert));
    stream.get_ref().set_read_timeout(Some(LONG)).unwrap();
    while !missing.is_empty() {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "{} are missing", missing.len());
        missing.remove(line.trim_end());
    }
    let reader = std::thread::spawn(move || lines_of(stream));
    let finished = output.finish();
    reader.join().unwrap();
    assert_eq!(finished.counters.lost_alerts, 0);
    assert!(finished.counters.spooled_alerts > 0);
    assert_eq!(finished.counters.spool_octets, 0);
}

#[test]
fn a_listener_that_accepts_nobody_hangs_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eve.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    // Its backlog is full when connecting does not succeed at once any more.
    let mut waiting = Vec::new();
    loop {
        use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
        let flags = SocketFlags::NONBLOCK;
        let kind = SocketType::STREAM;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None).unwrap();
        if rustix::net::connect(&socket, &SocketAddrUnix::new(&path).unwrap()).is_err() {
            break;
        }
        waiting.push(socket);
    }
    let spool = tempfile::tempdir().unwrap();
    let output = Output::start(UnixStreamTarget::new(&path), Some(&spool));
    output.offer(&eve_lines("a", 1));
    assert!(matches!(output.told(), ChangeKind::Failed(_)));
    let finished = output.finish();
    assert_eq!((finished.counters.spooled_alerts, finished.counters.unfinished_records), (1, 1));
}

#[test]
fn datagrams_hold_a_line_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eve.sock");
    let receiver = UnixDatagram::bind(&path).unwrap();
    receiver.set_read_timeout(Some(LONG)).unwrap();
    let output = Output::start(UnixDatagramTarget::new(&path), None);
    let mut lines = eve_lines("a", 200);
    // No socket buffer holds this.
    lines.insert(100, "x".repeat(4 << 20));
    output.offer(&lines);
    lines.remove(100);
    let mut buffer = vec![0; 1 << 16];
    for line in &lines {
        let length = receiver.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], line.as_bytes());
    }
    let counters = output.finish().counters;
    assert_eq!((counters.written_lines, counters.too_long, counters.errors), (400, 1, 0));
    let octets: usize = lines.iter().map(|line| line.len() + 1).sum();
    assert_eq!(counters.written_octets, octets as u64);
}

#[test]
fn a_datagram_receiver_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eve.sock");
    let spool = tempfile::tempdir().unwrap();
    let output = Output::start(UnixDatagramTarget::new(&path), Some(&spool));
    let lines = eve_lines("a", 20);
    output.offer(&lines);
    assert!(matches!(output.told(), ChangeKind::Failed(_)));
    let receiver = UnixDatagram::bind(&path).unwrap();
    receiver.set_read_timeout(Some(LONG)).unwrap();
    output.delivery.reopen();
    let mut buffer = vec![0; 1 << 16];
    let mut missing: HashSet<_> = lines.into_iter().collect();
    while !missing.is_empty() {
        let length = receiver.recv(&mut buffer).unwrap();
        assert!(missing.remove(std::str::from_utf8(&buffer[..length]).unwrap()));
    }
    assert_eq!(output.told(), ChangeKind::Recovered);
    output.finish();
}
