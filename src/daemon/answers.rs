//! What visitors are told: the [`Source`] of the HTTP server.

use std::net::IpAddr;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::Histogram;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::collect::Recent;
use super::correlations::Counters;
use super::http::{Answer, List, Question, Source, Unavailable};
use super::page::{self, Facts, Reloads};
use super::watch::{Published, Request, Snapshot};
use crate::capture::live::LinkState;
use crate::config::Config;
use crate::inventory::{Inventory, Known, Member, Servers};
use crate::output::delivery::Delivery;
use crate::output::evidence::Archive;
use crate::protocol::{self, Protocol};

/// What all threads show, and how to ask for more.
pub(super) struct Shared {
    pub(super) config: Config,
    /// The names of those that are watched.
    pub(super) interfaces: Vec<String>,
    /// By number.
    pub(super) threads: Vec<CaptureThread>,
    /// With the limit of each one's queue.
    pub(super) outputs: Vec<(Arc<Delivery>, u64)>,
    /// Writes packets around alerts, if they are wanted.
    pub(super) archive: Option<Arc<Archive>>,
    pub(super) recent: Arc<Recent>,
    pub(super) correlated: Arc<Counters>,
    pub(super) latency: Histogram,
    pub(super) reloads: Mutex<Reloads>,
    pub(super) started: f64,
}

/// A capture thread, as others see it.
pub(super) struct CaptureThread {
    pub(super) published: Arc<Published>,
    requests: Sender<Request>,
}

impl CaptureThread {
    pub(super) fn new(published: Arc<Published>, requests: Sender<Request>) -> Self {
        Self { published, requests }
    }

    /// Asks it for something; whether it will still hear of it.
    pub(super) fn ask(&self, request: Request) -> bool {
        self.requests.send(request).is_ok()
    }
}

impl Shared {
    pub(super) fn snapshots(&self) -> Vec<Snapshot> {
        self.threads.iter().map(|thread| thread.published.snapshot()).collect()
    }

    /// Asks the thread that does what one has to do for all.
    pub(super) fn ask_first(&self, request: Request) {
        if let Some(thread) = self.threads.first() {
            thread.ask(request);
        }
    }

    /// Why this sensor does not see all that it should, if so.
    pub(super) fn blindness(&self) -> Option<String> {
        let links = page::links(&self.interfaces, &self.snapshots());
        let blind = links.iter().filter_map(|link| match link.state {
            LinkState::Up => None,
            LinkState::NoCarrier => Some(format!("interface {} has no carrier", link.interface)),
            LinkState::Down => Some(format!("interface {} is down", link.interface)),
            LinkState::Gone => Some(format!("interface {} is gone", link.interface)),
        });
        let blind: Vec<_> = blind.collect();
        (!blind.is_empty()).then(|| blind.join("; "))
    }

    fn metrics(&self) -> Result<Vec<u8>, Unavailable> {
        let outputs = self.outputs.iter();
        let facts = Facts {
            config: &self.config,
            interfaces: &self.interfaces,
            snapshots: self.snapshots(),
            outputs: outputs
                .map(|(output, limit)| (output.name().to_owned(), *limit, output.counters()))
                .collect(),
            archive: self.archive.as_ref().map(|archive| archive.counters()).unwrap_or_default(),
            correlated: self.correlated.counts(),
            latency: &self.latency,
            reloads: self.reloads.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            started: self.started,
        };
        let page = page::render(&facts).map_err(|error| Unavailable(error.to_string()))?;
        Ok(page.into_bytes())
    }

    fn alerts(&self, most: usize) -> Vec<u8> {
        let alerts = self.recent.newest(most);
        let alerts: Vec<_> = alerts.iter().map(|line| line.trim_ascii_end()).collect();
        [b"{\"alerts\":[", alerts.join(&b","[..]).as_slice(), b"]}\n"].concat()
    }

    fn rules(&self, most: usize) -> Vec<u8> {
        let snapshots = self.snapshots();
        let Some(first) = snapshots.first() else { return Vec::new() };
        let rules: Vec<_> = first
            .rules
            .rules
            .iter()
            .take(most)
            .map(|rule| {
                json!({
                    "id": rule.id.to_string(),
                    "signature_id": rule.signature_id,
                    "title": rule.title,
                    "level": rule.level.name(),
                    "service": rule.about.name(),
                    "active": rule.inactive.is_none(),
                })
            })
            .collect();
        document(&json!({ "hash": first.rules.hash, "rules": rules }))
    }

    /// Asks every thread; an answer that does not come is left out.
    fn ask<T>(&self, request: impl Fn(oneshot::Sender<T>) -> Request) -> Vec<oneshot::Receiver<T>> {
        let mut answers = Vec::with_capacity(self.threads.len());
        for thread in &self.threads {
            let (reply, answer) = oneshot::channel();
            if thread.ask(request(reply)) {
                answers.push(answer);
            }
        }
        answers
    }
}

/// Answers from what the threads show.
pub(super) struct Answers(pub(super) Arc<Shared>);

impl Source for Answers {
    fn answer(&self, question: Question) -> Answer {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            match question {
                Question::Metrics => shared.metrics(),
                Question::Health => Ok(b"alive\n".to_vec()),
                Question::Ready => match shared.blindness() {
                    None => Ok(b"ready\n".to_vec()),
                    Some(why) => Err(Unavailable(why)),
                },
                Question::List { list, limit } => Ok(list_of(&shared, list, limit).await),
            }
        })
    }
}

async fn list_of(shared: &Shared, list: List, most: usize) -> Vec<u8> {
    match list {
        List::Alerts => shared.alerts(most),
        List::Rules => shared.rules(most),
        List::Flows => flows(shared, most).await,
        List::Stations => servers(shared, "stations", protocol::by_name("iec104"), most).await,
        List::Brokers => servers(shared, "brokers", protocol::by_name("mqtt"), most).await,
    }
}

async fn flows(shared: &Shared, most: usize) -> Vec<u8> {
    let mut flows: Vec<Vec<u8>> = Vec::new();
    for answer in shared.ask(|reply| Request::Flows(most, reply)) {
        let lines = answer.await.unwrap_or_default();
        let lines = lines.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
        flows.extend(lines.take(most - flows.len()).map(<[u8]>::to_vec));
    }
    [b"{\"flows\":[", flows.join(&b","[..]).as_slice(), b"]}\n"].concat()
}

async fn servers(
    shared: &Shared,
    name: &str,
    protocol: Option<&'static Protocol>,
    most: usize,
) -> Vec<u8> {
    let mut inventory = Inventory::default();
    for answer in shared.ask(Request::Servers) {
        inventory.merge(answer.await.unwrap_or_default());
    }
    let servers = protocol.and_then(|protocol| inventory.servers(protocol));
    let rows = servers.map(|servers| rows(servers, most)).unwrap_or_default();
    document(&json!({ name: rows }))
}

fn rows(Servers { protocol, servers }: &Servers, most: usize) -> Vec<Value> {
    let row = |(address, row): (&IpAddr, &Vec<Known>)| {
        let mut fields = Map::from_iter([("address".to_owned(), json!(address))]);
        let known = protocol.facts.iter().zip(row).filter_map(|(name, known)| {
            Some((name.replace([' ', '-'], "_").to_lowercase(), value(known)?))
        });
        fields.extend(known);
        Value::Object(fields)
    };
    servers.iter().take(most).map(row).collect()
}

fn value(known: &Known) -> Option<Value> {
    Some(match known {
        Known::Nothing => return None,
        Known::Count(count) => json!(count),
        Known::Members(members) => members
            .iter()
            .map(|member| match member {
                Member::Integer(number) => json!(number),
                Member::Address(address) => json!(address),
                Member::Text(text) => json!(text),
            })
            .collect(),
    })
}

fn document(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}
