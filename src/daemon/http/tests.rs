//! Visitors over raw sockets: those who behave, and those who do not.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::runtime;
use tokio::sync::oneshot;

use super::*;

const TOKEN: &str = "a-secret-of-enough-octets";

/// Octets that a rule takes in the answers below: a thousand are more than the kernel takes into the
/// buffers of a connection.
const RULE: usize = 16 * 1024;

/// Answers at once but for flows, for which it never does; rules are as long as asked for.
#[derive(Default)]
struct Answers {
    is_ready: AtomicBool,
}

impl Source for Answers {
    fn answer(&self, question: Question) -> Answer {
        let is_ready = self.is_ready.load(Ordering::Relaxed);
        Box::pin(async move {
            match question {
                Question::Metrics => Ok(b"gridtap_up 1\n".to_vec()),
                Question::Ready if !is_ready => Err(Unavailable("eth0 is \"down\"".to_owned())),
                Question::Health | Question::Ready => Ok(b"ok\n".to_vec()),
                Question::List { list: List::Flows, .. } => std::future::pending().await,
                Question::List { list: List::Rules, limit } => Ok(vec![b'x'; limit * RULE]),
                Question::List { list: List::Brokers, .. } => Ok(Vec::new()),
                Question::List { limit, .. } => Ok(format!("[{limit}]").into_bytes()),
            }
        })
    }
}

struct Running {
    address: SocketAddr,
    answers: Arc<Answers>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(limits: Limits) -> Self {
        Self::with(limits, None)
    }

    fn with(limits: Limits, token: Option<Token>) -> Self {
        let listener = Listener::open(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let Listener::Tcp(socket) = &listener else { unreachable!() };
        let address = socket.local_addr().unwrap();
        let answers = Arc::new(Answers::default());
        let server = Server::new(answers.clone(), token, limits);
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || serve(server, listener, stopped));
        Self { address, answers, stop: Some(stop), thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Everything that comes back for these octets, until the server closes.
    fn exchange(&self, octets: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(octets).unwrap();
        rest(&mut stream)
    }

    fn get(&self, path: &str) -> String {
        self.exchange(format!("GET {path} HTTP/1.1\r\nconnection: close\r\n\r\n").as_bytes())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn serve(server: Arc<Server>, listener: Listener, stopped: oneshot::Receiver<()>) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let serving = tokio::spawn(server.serve(listener));
        let _ = stopped.await;
        serving.abort();
    });
}

/// Whatever the server still says; a reset after its last word is as good as an end.
fn rest(stream: &mut TcpStream) -> String {
    let mut octets = Vec::new();
    match stream.read_to_end(&mut octets) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&octets)),
    }
    String::from_utf8(octets).unwrap()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[track_caller]
fn assert_refused(answer: &str, expected: u16, message: &str) {
    assert_eq!(status(answer), expected.to_string(), "{answer}");
    let document: serde_json::Value = serde_json::from_str(body(answer)).unwrap();
    assert_eq!(document["error"]["status"], expected);
    assert_eq!(document["error"]["message"], message);
}

#[test]
fn pages_come_with_their_types() {
    let server = Running::start(Limits::default());
    let metrics = server.get("/metrics");
    assert_eq!(status(&metrics), "200");
    assert_eq!(body(&metrics), "gridtap_up 1\n");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert!(metrics.contains("content-length: 13\r\n"));
    assert!(metrics.contains("cache-control: no-store\r\n"));

    assert_eq!(body(&server.get("/api/v1/alerts")), "[100]");
    assert_eq!(body(&server.get("/api/v1/stations?limit=7")), "[7]");
    assert!(server.get("/api/v1/stations").contains("content-type: application/json\r\n"));
    assert!(server.get("/api/v1/brokers").contains("content-length: 0\r\n"));
}

#[test]
fn readiness_has_its_reason() {
    let server = Running::start(Limits::default());
    assert_eq!(body(&server.get("/healthz")), "ok\n");
    assert_refused(&server.get("/readyz"), 503, "eth0 is \"down\"");
    server.answers.is_ready.store(true, Ordering::Relaxed);
    assert_eq!(status(&server.get("/readyz")), "200");
}

#[test]
fn head_is_get_without_a_body() {
    let server = Running::start(Limits::default());
    let answer = server.exchange(b"HEAD /metrics HTTP/1.1\r\nconnection: close\r\n\r\n");
    assert_eq!(status(&answer), "200");
    assert!(answer.contains("content-length: 13\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn there_is_only_to_read() {
    let server = Running::start(Limits::default());
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let answer = server.exchange(
            format!(
                "{method} /metrics HTTP/1.1\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc"
            )
            .as_bytes(),
        );
        assert_refused(&answer, 405, "here is only to read");
        assert!(answer.contains("allow: GET, HEAD\r\n"), "{answer}");
    }
    assert_refused(&server.get("/api/v2/alerts"), 404, "there is nothing under this path");
    assert_refused(
        &server.get("/api/v1/alerts?limit=1001"),
        400,
        "limit is a number from 1 to 1000",
    );
}

#[test]
fn a_body_that_nobody_reads_costs_nothing() {
    let server = Running::start(Limits::default());
    let mut stream = server.connect();
    write!(stream, "POST /metrics HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n").unwrap();
    // It stops reading and closes, rather than swallow what was announced.
    let flood = vec![0; 64 * 1024];
    let closed = (0..1000).any(|_| stream.write_all(&flood).is_err());
    assert!(closed);
}

#[test]
fn damaged_requests_are_refused() {
    let server = Running::start(Limits::default());
    for (octets, expected) in [
        (&b"\0\0\0\0\r\n\r\n"[..], "400"),
        (b"GET\r\n\r\n", "400"),
        (b"GET /metrics HTTP/9.9\r\n\r\n", "400"),
        (b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", "400"),
        (b"GET /metrics HTTP/1.1\r\ncontent-length: x\r\n\r\n", "400"),
        (b"GET \xff HTTP/1.1\r\n\r\n", "400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
    ] {
        let answer = server.exchange(octets);
        assert_eq!(status(&answer), expected, "{:?}: {answer}", String::from_utf8_lossy(octets));
    }
    let unfinished = {
        let mut stream = server.connect();
        stream.write_all(b"GET /metrics HT").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        rest(&mut stream)
    };
    assert!(unfinished.is_empty() || status(&unfinished) == "400", "{unfinished}");
    assert_eq!(status(&server.get("/metrics")), "200", "and it goes on");
}

#[test]
fn every_shorter_prefix_of_a_request_is_survived() {
    let server = Running::start(Limits::default());
    let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for end in 0..request.len() {
        let mut stream = server.connect();
        stream.write_all(&request[..end]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(!rest(&mut stream).contains("200 OK"), "after {end} octets");
    }
    assert_eq!(status(&server.get("/metrics")), "200");
}

#[test]
fn heads_are_bounded() {
    let server = Running::start(Limits::default());
    let long = "x".repeat(9000);
    let answer = server.exchange(format!("GET /metrics HTTP/1.1\r\na: {long}\r\n\r\n").as_bytes());
    assert_eq!(status(&answer), "431");
    let answer = server.exchange(format!("GET /{long} HTTP/1.1\r\n\r\n").as_bytes());
    assert!(["414", "431"].contains(&status(&answer)), "{answer}");
    let many = "a: b\r\n".repeat(101);
    let answer = server.exchange(format!("GET /metrics HTTP/1.1\r\n{many}\r\n").as_bytes());
    assert_eq!(status(&answer), "431");
}

#[test]
fn an_endless_head_ends() {
    let server = Running::start(Limits::default());
    let mut stream = server.connect();
    stream.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    let closed = (0..1_000_000).any(|_| stream.write_all(b"name: value\r\n").is_err());
    assert!(closed);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Running::start(Limits::default());
    let mut requests = Vec::new();
    for limit in 1..=50 {
        write!(requests, "GET /api/v1/alerts?limit={limit} HTTP/1.1\r\n\r\n").unwrap();
    }
    requests.extend(b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n");
    let answers = server.exchange(&requests);
    let mut at = 0;
    for limit in 1..=50 {
        let answer = format!("\r\n\r\n[{limit}]");
        at += answers[at..].find(&answer).unwrap_or_else(|| panic!("no {limit}")) + answer.len();
    }
    assert!(answers[at..].ends_with("\r\n\r\nok\n"));
}

#[test]
fn slow_heads_and_idle_connections_are_closed() {
    let server =
        Running::start(Limits { head_time: Duration::from_millis(200), ..Limits::default() });
    let begin = Instant::now();
    let mut silent = server.connect();
    let mut slow = server.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nx: ").unwrap();
    let mut idle = server.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").unwrap();
    assert!(!rest(&mut silent).contains("200"));
    assert!(!rest(&mut slow).contains("200"));
    assert_eq!(status(&rest(&mut idle)), "200", "it was answered, then closed");
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn connections_that_dribble_end_with_their_time() {
    let server = Running::start(Limits {
        connection_time: Duration::from_millis(300),
        farewell_time: Duration::from_millis(100),
        ..Limits::default()
    });
    let mut stream = server.connect();
    // One good request after the other, for ever.
    let closed = (0..10_000_000).any(|_| {
        let mut answer = [0; 16];
        stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").is_err()
            || !matches!(stream.read(&mut answer), Ok(1..))
    });
    assert!(closed);
}

#[test]
fn too_many_connections_are_turned_away() {
    let server = Running::start(Limits { connections: 2, ..Limits::default() });
    let mut kept: Vec<_> = (0..2).map(|_| server.connect()).collect();
    for stream in &mut kept {
        stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").unwrap();
        let mut first = [0; 15];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
    }
    let refused = rest(&mut server.connect());
    assert_refused(&refused, 503, "too many connections");
    let length: usize = body(&refused).len();
    assert!(refused.contains(&format!("content-length: {length}\r\n")));

    // The place of one that closes is free again, once the server has seen it.
    drop(kept.pop());
    let begin = Instant::now();
    while status(&server.get("/healthz")) != "200" {
        assert!(begin.elapsed() < Duration::from_secs(10), "no place became free");
    }
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    let server =
        Running::start(Limits { answer_time: Duration::from_millis(100), ..Limits::default() });
    let answer = server.get("/api/v1/flows");
    assert_refused(&answer, 503, "no answer in time");
    assert!(answer.contains("retry-after: 1\r\n"));
    assert_eq!(status(&server.get("/metrics")), "200");
}

#[test]
fn waiting_for_a_turn_is_waiting_too() {
    let server = Running::start(Limits {
        questions: 1,
        answer_time: Duration::from_millis(300),
        ..Limits::default()
    });
    let mut waiting: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for stream in &mut waiting {
        stream.write_all(b"GET /api/v1/flows HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap();
    }
    for stream in &mut waiting {
        assert_refused(&rest(stream), 503, "no answer in time");
    }
}

#[test]
fn long_answers_are_refused() {
    let server = Running::start(Limits { answer_octets: 10 * RULE, ..Limits::default() });
    assert_eq!(body(&server.get("/api/v1/rules?limit=10")).len(), 10 * RULE);
    assert_refused(
        &server.get("/api/v1/rules?limit=11"),
        500,
        "the answer has 180224 octets, more than the 163840 allowed: ask with a smaller limit",
    );
}

#[test]
fn answers_that_nobody_fetches_do_not_add_up() {
    let answer = 1000 * RULE;
    let server = Running::start(Limits {
        answer_octets: answer,
        all_answers_octets: answer,
        ..Limits::default()
    });
    // Of a thousand rules every visitor reads the first line alone.
    let mut lazy: Vec<_> = (0..12).map(|_| server.connect()).collect();
    let statuses: Vec<_> = lazy
        .iter_mut()
        .map(|stream| {
            stream.write_all(b"GET /api/v1/rules?limit=1000 HTTP/1.1\r\n\r\n").unwrap();
            let mut first = [0; 12];
            stream.read_exact(&mut first).unwrap();
            String::from_utf8(first.to_vec()).unwrap()
        })
        .collect();
    assert_eq!(statuses[0], "HTTP/1.1 200");
    assert!(statuses.iter().any(|status| status == "HTTP/1.1 503"), "{statuses:?}");
}

#[test]
fn a_token_opens_all_but_health() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, TOKEN).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let token = Token::load(&path).unwrap();
    let server = Running::with(Limits::default(), Some(token));

    let with = |shown: &str| {
        server.exchange(
            format!("GET /metrics HTTP/1.1\r\nauthorization: {shown}\r\nconnection: close\r\n\r\n")
                .as_bytes(),
        )
    };
    assert_eq!(status(&with(&format!("Bearer {TOKEN}"))), "200");
    for wrong in ["", "Bearer", "Bearer a-secret-of-enough-octetx", TOKEN, "Basic YTpi"] {
        let answer = with(wrong);
        assert_refused(&answer, 401, "a bearer token is required");
        assert!(answer.contains("www-authenticate: Bearer realm=\"gridtap\"\r\n"));
    }
    for path in ["/api/v1/rules", "/", "/nothing/here"] {
        assert_eq!(status(&server.get(path)), "401", "{path}");
    }
    assert_eq!(status(&server.get("/healthz")), "200");
    assert_eq!(status(&server.get("/readyz")), "503");
}

#[test]
fn a_unix_socket_serves_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("http");
    let listener = Listener::open(&Endpoint::Unix(path.clone())).unwrap();
    let server = Server::new(Arc::new(Answers::default()), None, Limits::default());
    let (stop, stopped) = oneshot::channel();
    let thread = thread::spawn(move || serve(server, listener, stopped));

    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(body(&answer), "gridtap_up 1\n");
    drop(stop);
    thread.join().unwrap();
}
