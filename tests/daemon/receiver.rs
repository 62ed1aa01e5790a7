//! Who listens at a unix socket that alerts are sent to.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::world::wait_for;

pub struct Receiver(UnixListener);

impl Receiver {
    /// Listens here, where another one may have died.
    pub fn at(path: &Path) -> Self {
        let _ = fs::remove_file(path);
        let listener = UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    /// Adds the identifiers of alerts that come to those which another got, until there are so many.
    /// Whoever sends may hang up and come again: a reload makes a new connection.
    pub fn alerts(&self, mut ids: BTreeSet<String>, count: usize) -> BTreeSet<String> {
        while ids.len() < count {
            let (stream, _) = wait_for(|| self.0.accept().ok());
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            for line in BufReader::new(stream).lines() {
                ids.insert(id(&serde_json::from_str(&line.unwrap()).unwrap()));
                if ids.len() == count {
                    break;
                }
            }
        }
        ids
    }
}

/// The identifiers of all alerts among these records.
pub fn ids(records: &[Value]) -> BTreeSet<String> {
    records.iter().filter(|record| record["event_type"] == "alert").map(id).collect()
}

fn id(alert: &Value) -> String {
    alert["alert"]["id"].as_str().unwrap().to_owned()
}
