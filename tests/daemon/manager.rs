//! A service manager's end of the notify socket: sd_notify(3).

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::daemon::Host;

/// How long a message may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    pub fn new(host: &Host) -> Self {
        let path = host.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, path }
    }

    /// What it gives a service to know: its socket, and how often it wants to hear of it.
    pub fn hire(&self, service: &mut Command, watchdog: Duration) {
        service
            .env("NOTIFY_SOCKET", &self.path)
            .env("WATCHDOG_USEC", watchdog.as_micros().to_string());
    }

    /// The next message.
    pub fn hears(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// The next message that is no sign of life alone.
    pub fn hears_news(&self) -> String {
        let news = |message: &String| message != "WATCHDOG=1\n";
        let found = std::iter::repeat_with(|| self.hears()).take(500).find(news);
        found.expect("signs of life, and nothing else")
    }

    /// Waits for signs of life.
    pub fn hears_life(&self, times: usize) {
        let alive = |message: &String| message == "WATCHDOG=1\n";
        let count = std::iter::repeat_with(|| self.hears()).take(50).filter(alive).take(times);
        assert_eq!(count.count(), times);
    }
}
