//! Which question a request asks.

use hyper::{Method, StatusCode, Uri};

/// Entries of a list that a visitor gets who does not say how many.
pub const USUAL_ENTRIES: usize = 100;

/// Entries of a list that a visitor may ask for.
pub const MOST_ENTRIES: usize = 1000;

pub(super) const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
/// The version is the one of Prometheus' text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a visitor wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// The page for Prometheus.
    Metrics,
    /// Whether we live: a reason to start us anew if not.
    Health,
    /// Whether we watch: captures run, rules are loaded.
    Ready,
    /// Entries of a list, `limit` of them at most: 1 to [`MOST_ENTRIES`].
    List {
        /// Which.
        list: List,
        /// How many at most.
        limit: usize,
    },
}

/// The lists of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// The newest alerts.
    Alerts,
    /// IEC 60870-5-104 stations.
    Stations,
    /// MQTT brokers.
    Brokers,
    /// Flows in the table.
    Flows,
    /// Loaded rules.
    Rules,
}

impl Question {
    /// Whether it tells so little that nobody needs a token: service managers and load balancers
    /// ask it.
    pub(super) fn is_public(self) -> bool {
        matches!(self, Self::Health | Self::Ready)
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Metrics => PROMETHEUS,
            Self::Health | Self::Ready => TEXT,
            Self::List { .. } => JSON,
        }
    }
}

/// Why a request gets no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }
}

/// The paths, each with its question; a list's limit is still the usual one.
const PATHS: &[(&str, Question)] = &[
    ("/metrics", Question::Metrics),
    ("/healthz", Question::Health),
    ("/readyz", Question::Ready),
    ("/api/v1/alerts", usual(List::Alerts)),
    ("/api/v1/stations", usual(List::Stations)),
    ("/api/v1/brokers", usual(List::Brokers)),
    ("/api/v1/flows", usual(List::Flows)),
    ("/api/v1/rules", usual(List::Rules)),
];

const fn usual(list: List) -> Question {
    Question::List { list, limit: USUAL_ENTRIES }
}

/// The question that a request asks, or why it asks none.
pub(super) fn question(method: &Method, uri: &Uri) -> Result<Question, Refusal> {
    let Some((_, question)) = PATHS.iter().find(|(path, _)| *path == uri.path()) else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "there is nothing under this path"));
    };
    if method != Method::GET && method != Method::HEAD {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "here is only to read"));
    }
    match *question {
        Question::List { list, .. } => Ok(Question::List { list, limit: limit(uri.query())? }),
        question => Ok(question), // servers that scrape may add parameters
    }
}

/// `limit` is the only parameter; it has no form that needed decoding.
fn limit(query: Option<&str>) -> Result<usize, Refusal> {
    let bad = |message| Err(Refusal::new(StatusCode::BAD_REQUEST, message));
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(USUAL_ENTRIES) };
    let Some(value) = query.strip_prefix("limit=") else {
        return bad("the only parameter is limit".to_owned());
    };
    match value.parse() {
        Ok(limit) if (1..=MOST_ENTRIES).contains(&limit) => Ok(limit),
        _ => bad(format!("limit is a number from 1 to {MOST_ENTRIES}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &Method, uri: &str) -> Result<Question, u16> {
        question(method, &uri.parse().unwrap()).map_err(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn paths_are_questions() {
        assert_eq!(ask(&Method::GET, "/metrics?format=prometheus"), Ok(Question::Metrics));
        assert_eq!(ask(&Method::HEAD, "/healthz"), Ok(Question::Health));
        assert_eq!(ask(&Method::GET, "/readyz?"), Ok(Question::Ready));
        assert_eq!(ask(&Method::GET, "/api/v1/rules"), Ok(usual(List::Rules)));
        assert_eq!(ask(&Method::GET, "/api/v1/flows?"), Ok(usual(List::Flows)));
        assert_eq!(
            ask(&Method::GET, "/api/v1/alerts?limit=1000"),
            Ok(Question::List { list: List::Alerts, limit: MOST_ENTRIES })
        );
    }

    #[test]
    fn other_paths_and_methods_are_none() {
        for path in ["/", "/metrics/", "/api/v1", "/api/v1/alerts/1", "//metrics", "/%6detrics"] {
            assert_eq!(ask(&Method::GET, path), Err(404), "{path}");
            assert_eq!(ask(&Method::POST, path), Err(404), "{path}");
        }
        for method in [Method::POST, Method::DELETE, Method::OPTIONS, Method::TRACE] {
            assert_eq!(ask(&method, "/metrics"), Err(405));
        }
    }

    #[test]
    fn limits_are_bounded() {
        for query in [
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=",
            "limit=x",
            "limit=1&limit=2",
            "Limit=1",
            "limit=99999999999999999999",
            "offset=1",
            "limit=%31",
            "limit=1&",
            "&limit=1",
        ] {
            assert_eq!(ask(&Method::GET, &format!("/api/v1/flows?{query}")), Err(400), "{query}");
        }
    }
}
