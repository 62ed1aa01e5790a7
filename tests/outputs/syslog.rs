//! Syslog servers.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::LazyLock;

use gridtap::output::delivery::{ChangeKind, Facility, Syslog, SyslogOptions};
use regex::bytes::Regex;

use super::{LONG, Output, alerts, eve_lines, is_alert};

fn options(server: SocketAddr) -> SyslogOptions {
    SyslogOptions { server, facility: Facility::default(), host: "tap-1".into() }
}

/// SYSLOG-MSG as the ABNF of RFC 5424, section 6, has it.
static GRAMMAR: LazyLock<Regex> = LazyLock::new(|| {
    let timestamp = "-|[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])\
        T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?\
        (?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
    let name = "[!#-<>-\\\\^-~]{1,32}"; // SD-NAME: printable but = ] "
    let param = format!(r#"{name}="(?:[^"\\\]]|\\["\\\]])*""#);
    let text = format!(
        "(?s-u)^<(?P<pri>[0-9]{{1,3}})>[1-9][0-9]{{0,2}} (?P<time>{timestamp}) (?P<host>[!-~]{{1,255}}) \
         (?P<app>[!-~]{{1,48}}) (?P<proc>[!-~]{{1,128}}) (?P<id>[!-~]{{1,32}}) \
         (?:-|(?:\\[{name}(?: {param})*\\])+)(?: (?P<msg>.*))?$"
    );
    Regex::new(&text).unwrap()
});

/// The line in a message, whose header is checked against the grammar and the line.
fn line_of(message: &[u8]) -> String {
    let parts = GRAMMAR
        .captures(message)
        .unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(message)));
    let part = |name: &str| std::str::from_utf8(&parts[name]).unwrap();
    let line = part("msg").to_owned();
    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
    let time = json["timestamp"].as_str().unwrap().replace("+0000", "Z");
    assert_eq!(part("time"), time);
    assert_eq!((part("host"), part("app")), ("tap-1", "gridtap"));
    // local5 is 21; critical 2, informational 6.
    let (severity, id) = if is_alert(&line) { (2, "alert") } else { (6, "record") };
    assert_eq!((part("pri"), part("id")), ((21 * 8 + severity).to_string().as_str(), id));
    line
}

/// Messages with their lengths in front, until the peer hangs up: RFC 6587, section 3.4.1.
struct Frames<R>(BufReader<R>);

impl<R: Read> Iterator for Frames<R> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut length = Vec::new();
        if self.0.read_until(b' ', &mut length).unwrap() == 0 {
            return None;
        }
        let digits = std::str::from_utf8(&length[..length.len() - 1]).unwrap();
        assert!(!digits.starts_with('0'), "MSG-LEN = NONZERO-DIGIT *DIGIT");
        let mut message = vec![0; digits.parse().unwrap()];
        self.0.read_exact(&mut message).unwrap();
        Some(line_of(&message))
    }
}

#[test]
fn the_grammar_tells_messages_from_others() {
    // From RFC 5424, section 6.5.
    for good in [
        &b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed"[..],
        b"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time",
        b"<165>1 2003-10-11T22:14:15.003Z m e - ID47 [exampleSDID@32473 iut=\"3\" x=\"A\\]\"][b@32473 c=\"h\"]",
    ] {
        assert!(GRAMMAR.is_match(good), "{:?}", String::from_utf8_lossy(good));
    }
    for bad in [
        &b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed"[..],
        b"<34>1 2003-10-11T22:14:15.003+0000 host app - - - message",
        b"<34>1 2003-10-11T22:14:15.1234567Z host app - - - message",
        b"<34>1 - host app - - message",
    ] {
        assert!(!GRAMMAR.is_match(bad), "{:?}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn udp_carries_a_message_a_datagram() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(LONG)).unwrap();
    let output = Output::start(Syslog::udp(&options(server.local_addr().unwrap())), None);
    let mut lines = eve_lines("a", 50);
    lines.insert(7, "x".repeat(70_000));
    output.offer(&lines);
    lines.remove(7);
    let mut buffer = vec![0; 1 << 16];
    for line in &lines {
        let length = server.recv(&mut buffer).unwrap();
        assert_eq!(line_of(&buffer[..length]), *line);
    }
    let counters = output.finish().counters;
    assert_eq!((counters.written_lines, counters.too_long, counters.errors), (100, 1, 0));
}

#[test]
fn alerts_wait_until_somebody_listens_on_udp() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let spool = tempfile::tempdir().unwrap();
    let output = Output::start(Syslog::udp(&options(closed)), Some(&spool));
    let lines = eve_lines("a", 50);
    output.offer(&lines);
    // The first datagram goes out, the next one hears that nobody took it.
    assert!(matches!(output.told(), ChangeKind::Failed(_)));
    let server = UdpSocket::bind(closed).unwrap();
    server.set_read_timeout(Some(LONG)).unwrap();
    output.delivery.reopen();
    let mut missing: HashSet<_> = alerts(&lines).into_iter().collect();
    let mut buffer = vec![0; 1 << 16];
    while !missing.is_empty() {
        let length = server.recv(&mut buffer).unwrap();
        missing.remove(&line_of(&buffer[..length]));
    }
    output.finish();
}

#[test]
fn tcp_carries_messages_with_their_lengths() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = Output::start(Syslog::tcp(&options(server.local_addr().unwrap())), None);
    // More than the socket buffers hold.
    let lines = eve_lines("a", 50_000);
    for part in lines.chunks(1000) {
        output.offer(part);
    }
    let (stream, _) = server.accept().unwrap();
    let reader = std::thread::spawn(move || Frames(BufReader::new(stream)).collect::<Vec<_>>());
    let counters = output.finish().counters;
    assert_eq!((counters.dropped_records, counters.lost_alerts, counters.errors), (0, 0, 0));
    assert!(reader.join().unwrap() == lines);
}

#[test]
fn alerts_survive_a_server_that_restarts() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let spool = tempfile::tempdir().unwrap();
    let output = Output::start(Syslog::tcp(&options(address)), Some(&spool));
    let first = eve_lines("first", 3000);
    output.offer(&first);
    let mut frames = Frames(BufReader::new(server.accept().unwrap().0));
    let seen: HashSet<_> = frames.by_ref().take(10).collect();
    drop((frames, server));
    let second = eve_lines("second", 10);
    output.offer(&second);
    assert!(matches!(output.told(), ChangeKind::Failed(_)));

    let server = TcpListener::bind(address).unwrap();
    output.delivery.reopen();
    let (stream, _) = server.accept().unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut frames = Frames(BufReader::new(stream));
    let mut missing: HashSet<_> = [first, second].iter().flat_map(|lines| alerts(lines)).collect();
    missing.retain(|alert| !seen.contains(alert));
    while !missing.is_empty() {
        missing.remove(&frames.next().unwrap());
    }
    let reader = std::thread::spawn(move || frames.count());
    let counters = output.finish().counters;
    reader.join().unwrap();
    assert_eq!((counters.lost_alerts, counters.spool_dropped_alerts), (0, 0));
}
