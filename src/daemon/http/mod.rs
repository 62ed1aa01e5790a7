//! The metrics and the API: HTTP/1 for reading, on this host only.
//!
//! What is read comes from a [`Source`]; here is only what keeps a visitor from doing harm. Every
//! limit stands in [`Limits`]; together they bound memory whatever visitors do.

mod listen;
mod route;
#[cfg(test)]
mod tests;
mod token;

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
pub use listen::{Endpoint, EndpointError, Listener};
pub use route::{List, MOST_ENTRIES, Question, USUAL_ENTRIES};
pub use token::{Token, TokenError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::route::Refusal;

/// Where answers come from.
pub trait Source: Send + Sync + 'static {
    /// The octets of an answer: Prometheus text for [`Question::Metrics`], a line of text for
    /// [`Question::Health`] and [`Question::Ready`], a JSON document for a [`Question::List`].
    ///
    /// An answer that takes longer than [`Limits::answer_time`] is not waited for: it is dropped.
    fn answer(&self, question: Question) -> Answer;
}

/// An answer on its way, or the reason why there is none now.
pub type Answer = Pin<Box<dyn Future<Output = Result<Vec<u8>, Unavailable>> + Send>>;

/// Why a source has no answer: visitors get it with 503.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// What visitors can take of us.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time. One more is answered 503 and closed.
    pub connections: usize,
    /// Octets of a request's head, its first line included.
    pub head_octets: usize,
    /// Time for a request's head to come, counted from the answer before it: so it is also how
    /// long a connection may idle.
    pub head_time: Duration,
    /// Time for the source to answer, waiting for its turn included.
    pub answer_time: Duration,
    /// Time after which a connection is closed, after the answer that is being written.
    pub connection_time: Duration,
    /// Time that this last answer is given.
    pub farewell_time: Duration,
    /// Questions that the source works on at a time.
    pub questions: usize,
    /// Octets of one answer.
    pub answer_octets: usize,
    /// Octets of all answers that are being written.
    pub all_answers_octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 32, // a few servers that scrape, a dashboard, people
            head_octets: 8 * 1024,
            head_time: Duration::from_secs(10),
            answer_time: Duration::from_secs(2),
            connection_time: Duration::from_secs(60),
            farewell_time: Duration::from_secs(5),
            questions: 4,
            answer_octets: 8 * 1024 * 1024, // the most entries, at 8 KiB each
            all_answers_octets: 32 * 1024 * 1024,
        }
    }
}

/// What a connection's buffer may hold when heads are small; hyper takes no less than 8 KiB.
const SMALLEST_BUFFER: usize = 16 * 1024;

/// How long to wait when no connection can be taken, as descriptors have run out.
const BREATH: Duration = Duration::from_millis(100);

/// For the connection that is one too many: no task, no parser, no wait.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/json\r\ncontent-length: 58\r\nconnection: close\r\n\r\n\
    {\"error\":{\"status\":503,\"message\":\"too many connections\"}}\n";

/// Answers visitors.
pub struct Server {
    source: Arc<dyn Source>,
    token: Option<Token>,
    limits: Limits,
    connections: Arc<Semaphore>,
    questions: Semaphore,
    /// A permit is a KiB of an answer that is being written.
    memory: Arc<Semaphore>,
}

impl Server {
    /// One that answers from `source`, and tells more than its health only to those who have the
    /// `token`, if there is one.
    pub fn new(source: Arc<dyn Source>, token: Option<Token>, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            connections: Arc::new(Semaphore::new(limits.connections)),
            questions: Semaphore::new(limits.questions),
            memory: Arc::new(Semaphore::new(kibibytes(limits.all_answers_octets) as usize)),
            source,
            token,
            limits,
        })
    }

    /// Serves for ever; when this future is dropped, all its connections are.
    ///
    /// # Errors
    ///
    /// When the runtime cannot watch the socket. What happens to connections is no error.
    pub async fn serve(self: Arc<Self>, listener: Listener) -> io::Result<Infallible> {
        let mut visitors = JoinSet::new();
        match listener {
            Listener::Tcp(socket) => {
                let socket = TcpListener::from_std(socket)?;
                loop {
                    let accepted = socket.accept().await;
                    self.receive(accepted.map(|(stream, _)| stream), &mut visitors).await;
                }
            }
            Listener::Unix(socket) => {
                let socket = UnixListener::from_std(socket)?;
                loop {
                    let accepted = socket.accept().await;
                    self.receive(accepted.map(|(stream, _)| stream), &mut visitors).await;
                }
            }
        }
    }

    async fn receive<S>(self: &Arc<Self>, accepted: io::Result<S>, visitors: &mut JoinSet<()>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        while visitors.try_join_next().is_some() {}
        let Ok(stream) = accepted else {
            tokio::time::sleep(BREATH).await;
            return;
        };
        match Arc::clone(&self.connections).try_acquire_owned() {
            Ok(permit) => {
                visitors.spawn(Arc::clone(self).attend(stream, permit));
            }
            Err(_) => turn_away(stream),
        }
    }

    async fn attend<S>(self: Arc<Self>, stream: S, _permit: OwnedSemaphorePermit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let answer = service_fn(|request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.respond(&request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_time)
            .max_header_size(self.limits.head_octets)
            .max_buf_size(self.limits.head_octets.max(SMALLEST_BUFFER))
            .writev(true) // an answer is written from where it is, never copied
            .serve_connection(TokioIo::new(stream), answer);
        let mut connection = pin!(connection);
        // Errors are the visitor's: a bad request was answered, a connection that broke is gone.
        if timeout(self.limits.connection_time, connection.as_mut()).await.is_err() {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(self.limits.farewell_time, connection).await;
        }
    }

    async fn respond(&self, request: &Request<Incoming>) -> Response<Octets> {
        match self.answer(request).await {
            Ok(response) => response,
            Err(refusal) => refuse(&refusal),
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Result<Response<Octets>, Refusal> {
        let question = route::question(request.method(), request.uri());
        // Who shows no token does not even learn what there is.
        if !matches!(question, Ok(question) if question.is_public()) {
            self.admit(request)?;
        }
        let question = question?;
        let octets = self.ask(question).await?;
        if octets.len() > self.limits.answer_octets {
            let message = format!(
                "the answer has {} octets, more than the {} allowed: ask with a smaller limit",
                octets.len(),
                self.limits.answer_octets
            );
            return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message));
        }
        let size = kibibytes(octets.len());
        let memory = Arc::clone(&self.memory)
            .try_acquire_many_owned(size)
            .map_err(|_| Refusal::busy("too many answers are being read: try again"))?;
        Ok(respond(StatusCode::OK, question.content_type(), Octets::accounted(octets, memory)))
    }

    fn admit(&self, request: &Request<Incoming>) -> Result<(), Refusal> {
        let Some(token) = &self.token else { return Ok(()) };
        let presented = request.headers().get(header::AUTHORIZATION);
        if presented.is_some_and(|presented| token.is_presented_by(presented.as_bytes())) {
            return Ok(());
        }
        Err(Refusal::new(StatusCode::UNAUTHORIZED, "a bearer token is required"))
    }

    async fn ask(&self, question: Question) -> Result<Vec<u8>, Refusal> {
        let answer = async {
            let _turn = self.questions.acquire().await; // it is never closed
            self.source.answer(question).await
        };
        match timeout(self.limits.answer_time, answer).await {
            Ok(Ok(octets)) => Ok(octets),
            Ok(Err(Unavailable(reason))) => Err(Refusal::busy(reason)),
            Err(_) => Err(Refusal::busy("no answer in time")),
        }
    }
}

/// Writes what the socket takes at once and closes.
fn turn_away<S: AsyncWrite + Unpin>(mut stream: S) {
    let mut nobody = Context::from_waker(Waker::noop());
    let _ = Pin::new(&mut stream).poll_write(&mut nobody, TOO_MANY);
}

fn kibibytes(octets: usize) -> u32 {
    octets.div_ceil(1024).try_into().unwrap_or(u32::MAX)
}

fn refuse(refusal: &Refusal) -> Response<Octets> {
    let document = serde_json::json!({
        "error": { "status": refusal.status.as_u16(), "message": refusal.message }
    });
    let octets = Octets::new(format!("{document}\n"));
    let mut response = respond(refusal.status, route::JSON, octets);
    let more = match refusal.status {
        StatusCode::METHOD_NOT_ALLOWED => Some((header::ALLOW, "GET, HEAD")),
        StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer realm=\"gridtap\"")),
        StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, "1")),
        _ => None,
    };
    if let Some((name, value)) = more {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn respond(status: StatusCode, content_type: &'static str, octets: Octets) -> Response<Octets> {
    let mut response = Response::new(octets);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// An answer, in one piece.
struct Octets(Option<Bytes>);

/// Octets with their share of the memory for answers, which they hold until they are written: the
/// connection keeps them longer than the [`Body`] that they came in.
struct Accounted {
    octets: Vec<u8>,
    _memory: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Accounted {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

impl Octets {
    fn accounted(octets: Vec<u8>, memory: OwnedSemaphorePermit) -> Self {
        Self::new(Bytes::from_owner(Accounted { octets, _memory: memory }))
    }

    fn new(octets: impl Into<Bytes>) -> Self {
        Self(Some(octets.into()).filter(|octets| !octets.is_empty()))
    }
}

impl Body for Octets {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|octets| Ok(Frame::data(octets))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |octets| octets.len() as u64))
    }
}
