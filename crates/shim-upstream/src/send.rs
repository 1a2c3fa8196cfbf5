//! One attempt: a connection, the request, the head of the answer; each phase with its timeout.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::connect::why;
use crate::pool::Sender;
use crate::{Arriving, Connect, Connected, Lease, Origin, PiecesBody, Pool, Protocol};

/// How long each phase may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name resolution, TCP and TLS.
    pub connect: Duration,
    /// From the request to the head of the answer.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub idle: Duration,
    /// The whole attempt.
    pub total: Duration,
}

impl Default for Timeouts {
    /// 10 seconds to connect, 10 minutes to think, 5 minutes of silence, an hour in all: no reasoning model is cut.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(600),
            idle: Duration::from_secs(300),
            total: Duration::from_secs(3600),
        }
    }
}

/// The head of an upstream's answer, its body still to come.
#[derive(Debug)]
pub struct Answer {
    /// Status, headers, and the body as it arrives.
    pub response: Response<Arriving>,
    /// The connection, to be given back after the body.
    pub lease: Lease,
    /// When the attempt must be over.
    pub deadline: Instant,
}

/// The phases of an attempt, each with its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Opening the connection.
    Connect,
    /// Waiting for the head of the answer.
    FirstByte,
    /// Waiting for the next piece of the answer.
    Idle,
    /// All of it.
    Total,
}

impl Phase {
    /// The name of its bound in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::FirstByte => "first_byte",
            Self::Idle => "idle",
            Self::Total => "total",
        }
    }
}

impl Timeouts {
    /// The bound of `phase`.
    #[must_use]
    pub const fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Connect => self.connect,
            Phase::FirstByte => self.first_byte,
            Phase::Idle => self.idle,
            Phase::Total => self.total,
        }
    }

    /// When a phase that began at `from` must be over, and the bound that says so: its own, or that on the whole
    /// attempt, which ends at `deadline`.
    #[must_use]
    pub fn until(&self, phase: Phase, from: Instant, deadline: Instant) -> (Instant, Phase) {
        let own = from + self.of(phase);
        if own <= deadline { (own, phase) } else { (deadline, Phase::Total) }
    }
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AttemptError {
    /// The connection could not be opened.
    #[error("could not connect")]
    Connect(#[source] io::Error),
    /// The connection failed before the head of the answer.
    #[error("the connection failed before an answer came")]
    Exchange(#[source] hyper::Error),
    /// A connection of HTTP/1.1 that was kept was closed at once, as where its server closes it just when a request is on its
    /// way. The request may be sent anew.
    #[error("the connection was closed before an answer came")]
    Stale(#[source] hyper::Error),
    /// A phase took too long.
    #[error("no answer in time")]
    Timeout(Phase),
}

impl AttemptError {
    /// Why the connection could not be opened, in words a client may read; none where it was.
    #[must_use]
    pub fn why_unreachable(&self) -> Option<String> {
        match self {
            Self::Connect(error) => Some(why(error)),
            Self::Exchange(_) | Self::Stale(_) | Self::Timeout(_) => None,
        }
    }
}

/// Sends `request` to `origin`, over an idle connection if there is one.
///
/// A pooled connection that closed before it took any byte of the request is replaced by a new one, once; nothing
/// else is tried again.
///
/// # Errors
/// When no connection can be had, or no head of an answer comes in time. [`AttemptError::Stale`] where sending it once more,
/// with [`send_anew`], may help.
pub async fn send<C: Connect>(
    connect: &C,
    pool: &Pool,
    origin: &Origin,
    request: Request<PiecesBody>,
    timeouts: &Timeouts,
) -> Result<Answer, AttemptError> {
    let start = Instant::now();
    let deadline = start + timeouts.total;
    let to_connect = timeouts.until(Phase::Connect, start, deadline);
    let mut request = request;
    while let Some(mut lease) = pool.take(origin) {
        // One that takes no request in this time is as good as closed.
        if !matches!(within(to_connect, pin!(lease.ready())).await, Ok(true)) {
            continue;
        }
        let begun = Instant::now();
        let until = timeouts.until(Phase::FirstByte, begun, deadline);
        let sent = within(until, pin!(lease.exchange(request))).await?;
        match sent {
            Ok(response) => return Ok(Answer { response, lease, deadline }),
            Err(Unsent::Back(unsent)) => request = *unsent,
            Err(Unsent::Failed(error)) if is_final(&error, &lease, begun) => {
                return Err(AttemptError::Exchange(error));
            }
            Err(Unsent::Failed(error)) => return Err(AttemptError::Stale(error)),
        }
    }
    // Opening a connection is rare, and what it takes large.
    Box::pin(anew(connect, pool, origin, request, timeouts, start)).await
}

/// How soon a connection that its server had closed says so: a round trip. What breaks later may have been worked on.
const STALE_WITHIN: Duration = Duration::from_secs(1);

/// Whether a request that failed over a kept connection is not to be sent anew: something else than the connection failed, or
/// it was open for long enough that the request may have cost something. A stream of HTTP/2 that fails does so on a
/// connection that goes on.
#[cold]
fn is_final(error: &hyper::Error, lease: &Lease, begun: Instant) -> bool {
    let http2 = matches!(lease.sender, Sender::Http2(_));
    http2 || begun.elapsed() > STALE_WITHIN || !is_closed(error)
}

/// Whether the connection was closed before an answer.
fn is_closed(error: &hyper::Error) -> bool {
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    let reset =
        |io: &io::Error| matches!(io.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe);
    error.is_incomplete_message() || io.is_some_and(reset)
}

/// Sends `request` to `origin` over a new connection.
///
/// # Errors
/// When none can be had, or no head of an answer comes in time.
pub async fn send_anew<C: Connect>(
    connect: &C,
    pool: &Pool,
    origin: &Origin,
    request: Request<PiecesBody>,
    timeouts: &Timeouts,
) -> Result<Answer, AttemptError> {
    anew(connect, pool, origin, request, timeouts, Instant::now()).await
}

/// The same, in an attempt that began at `start`.
async fn anew<C: Connect>(
    connect: &C,
    pool: &Pool,
    origin: &Origin,
    request: Request<PiecesBody>,
    timeouts: &Timeouts,
    start: Instant,
) -> Result<Answer, AttemptError> {
    let deadline = start + timeouts.total;
    let to_connect = timeouts.until(Phase::Connect, start, deadline);
    let mut lease = within(to_connect, pin!(open(connect, pool, origin))).await??;
    let until = timeouts.until(Phase::FirstByte, Instant::now(), deadline);
    let sent = within(until, pin!(lease.exchange(request))).await?;
    match sent {
        Ok(response) => Ok(Answer { response, lease, deadline }),
        Err(Unsent::Back(_)) => Err(AttemptError::Connect(io::ErrorKind::ConnectionReset.into())),
        Err(Unsent::Failed(error)) => Err(AttemptError::Exchange(error)),
    }
}

async fn within<T>(
    until: (Instant, Phase),
    work: impl Future<Output = T> + Unpin,
) -> Result<T, AttemptError> {
    in_time(work, || until).await.map_err(AttemptError::Timeout)
}

/// What `work` gives, which is waited for until the time that `until` says. The clock is asked, and a timer set, only
/// where there is something to wait for. The work stays where the caller pinned it: what is awaited by value is in memory
/// once for each function it passes through.
///
/// # Errors
/// What `until` says beside the time, when that is over.
pub async fn in_time<T, E>(
    mut work: impl Future<Output = T> + Unpin,
    until: impl FnOnce() -> (Instant, E),
) -> Result<T, E> {
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(Pin::new(&mut work).poll(cx))).await {
        return Ok(done);
    }
    let (until, late) = until();
    timeout_at(until, work).await.map_err(|_| late)
}

async fn open<C: Connect>(connect: &C, pool: &Pool, origin: &Origin) -> Result<Lease, AttemptError> {
    let Connected { io, protocol } = connect.connect(origin).await.map_err(AttemptError::Connect)?;
    let io = TokioIo::new(io);
    match protocol {
        Protocol::Http1 => {
            let (sender, connection) = http1::handshake(io).await.map_err(AttemptError::Exchange)?;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "an upstream connection ended");
                }
            });
            Ok(pool.lease(origin, Sender::Http1(sender)))
        }
        Protocol::Http2 => {
            let builder = http2_builder();
            let (sender, connection) = builder.handshake(io).await.map_err(AttemptError::Exchange)?;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "an upstream connection ended");
                }
            });
            pool.share(origin, &sender);
            Ok(pool.lease(origin, Sender::Http2(sender)))
        }
    }
}

/// Pings find a dead connection under long streams; the windows let a large answer flow without waiting.
fn http2_builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    builder
}

/// What became of a request that got no answer.
enum Unsent {
    /// No byte of it was taken: it may go over another connection.
    Back(Box<Request<PiecesBody>>),
    Failed(hyper::Error),
}

/// HTTP/2 takes scheme and authority from the URI, and no `host`.
fn absolute(origin: &Origin, mut request: Request<PiecesBody>) -> Request<PiecesBody> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if let Ok(uri) = format!("{origin}{path}").parse() {
        *request.uri_mut() = uri;
    }
    request.headers_mut().remove(http::header::HOST);
    request
}

impl Lease {
    /// Waits until the connection takes a request; false when it is closed.
    async fn ready(&mut self) -> bool {
        match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await.is_ok(),
            Sender::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    async fn exchange(&mut self, request: Request<PiecesBody>) -> Result<Response<Arriving>, Unsent> {
        let tried = match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(absolute(&self.origin, request)).await,
        };
        tried.map(|response| response.map(Arriving::new)).map_err(|mut error| match error.take_message() {
            Some(request) => Unsent::Back(Box::new(request)),
            None => Unsent::Failed(error.into_error()),
        })
    }
}
