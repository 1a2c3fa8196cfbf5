//! Listeners: accepting, bounding and draining connections of clients.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use shim_upstream::Connect;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::answer::AnswerBody;
use crate::ending::Ending;
use crate::head_timer::HeadTimer;
use crate::later::then_settle;
use crate::patience::{Greeting, Patient, Spoken, greeting};
use crate::pipeline::{Worker, respond, turn_away};
use crate::shared::Shared;
use crate::streams::Streams;

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Most connections of clients at once, over one worker; more than `u32::MAX` counts as that.
    pub connections_max: usize,
    /// How long a client may take for the head of a request, and an idle connection is kept.
    pub head_timeout: Duration,
    /// How long a client may take nothing of an answer that waits for it.
    pub stall_timeout: Duration,
    /// Most streams at once on one HTTP/2 connection.
    pub streams_max: u32,
    /// How long a drain waits for what is under way.
    pub drain_timeout: Duration,
}

impl Default for ServeLimits {
    /// 10,000 connections, 75 seconds, 5 minutes, 256 streams, 30 seconds.
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            head_timeout: Duration::from_secs(75),
            stall_timeout: Duration::from_secs(300),
            streams_max: 256,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// Bound on the head of a request, as far as the connection reads it. A lower one, [`HEAD_BYTES_MAX`], is told of in the
/// client's dialect; beyond this nobody knows yet which that is.
///
/// [`HEAD_BYTES_MAX`]: crate::headers::HEAD_BYTES_MAX
const READ_BYTES_MAX: u32 = 128 << 10;

/// How often what is idle is looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// How long a listener that is about to close goes on telling clients so: those the kernel has already let in get an
/// answer instead of a reset.
const LAST_CALL: Duration = Duration::from_millis(100);

/// How long what was ended at the end of a drain may take to reach its client.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where connections of clients come from. The gateway's tests put a simulated network here.
pub trait Listen: Send + Sync + 'static {
    /// The byte stream of a connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next connection.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Io>> + Send;
}

impl Listen for TcpListener {
    type Io = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        let (io, _) = Self::accept(self).await?;
        if let Err(error) = io.set_nodelay(true) {
            tracing::debug!(%error, "a connection without nodelay");
        }
        Ok(io)
    }
}

/// The certificate clients see; none means plain TCP.
pub type ServerTls = Option<TlsAcceptor>;

/// Binds `count` listening sockets to one address: the kernel spreads connections over them.
///
/// # Errors
/// When the address cannot be bound, another process's listener on it among the reasons.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<std::net::TcpListener>> {
    // Sockets that share a port share it with those of another process too, so that is asked for first.
    if address.port() != 0 {
        socket(address, false)?;
    }
    let mut listeners: Vec<std::net::TcpListener> = Vec::new();
    for _ in 0..count {
        // The first says which port it is, where the system was to choose.
        let address = listeners.first().map_or(Ok(address), |first| first.local_addr())?;
        let next = socket(address, count > 1)?;
        next.listen(1024)?;
        listeners.push(next.into());
    }
    Ok(listeners)
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Accepts connections until `stop` says so, then drains: what is under way ends whole, idle connections are closed,
/// newcomers are turned away. What is not over after the drain timeout is ended as a fault.
pub async fn serve<C: Connect, L: Listen>(
    worker: Arc<Worker<C>>,
    listener: L,
    tls: ServerTls,
    limits: ServeLimits,
    mut stop: watch::Receiver<bool>,
) {
    let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
    let places = Arc::new(Semaphore::new(all as usize));
    let closing = Arc::new(Ending::default());
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            _ = sweep.tick() => worker.pool.sweep(),
            accepted = accept(&listener, &places) => {
                let Some((io, place)) = accepted else { continue };
                let (worker, tls, stay) = (worker.clone(), tls.clone(), Stay::Served(closing.clone()));
                tokio::spawn(async move {
                    let _place = place;
                    attend(&worker, io, tls, limits, stay).await;
                });
            }
        }
    }
    closing.declare();
    // Every place is free again when the last connection is over.
    let over = places.acquire_many(all);
    let drained = async { tokio::join!(over, last_call(&worker, listener, &tls, limits)) };
    let mut drained = std::pin::pin!(drained);
    if timeout(limits.drain_timeout, drained.as_mut()).await.is_err() {
        tracing::warn!("exchanges still under way after the drain timeout are ended");
        worker.shared.ending.declare();
        let _ = timeout(FAREWELL, drained).await;
    }
}

/// Waits for a place, then for a connection. With no place free the kernel's queue holds clients back.
async fn accept<L: Listen>(listener: &L, places: &Arc<Semaphore>) -> Option<(L::Io, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok(io) => Some((io, place)),
        Err(error) => {
            // Out of file descriptors, most likely: others must end before it can get better.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Tells those who still come that the gateway is shutting down, then closes the listener.
async fn last_call<C: Connect, L: Listen>(
    worker: &Arc<Worker<C>>,
    listener: L,
    tls: &ServerTls,
    limits: ServeLimits,
) {
    let until = Instant::now() + LAST_CALL;
    let mut told = JoinSet::new();
    while let Ok(Ok(io)) = timeout_at(until, listener.accept()).await {
        let (worker, tls) = (worker.clone(), tls.clone());
        told.spawn(async move {
            let _ = timeout(FAREWELL, attend(&worker, io, tls, limits, Stay::TurnedAway)).await;
        });
    }
    drop(listener);
    told.join_all().await;
}

/// What becomes of a client that connected.
enum Stay {
    /// It is served, until this is declared.
    Served(Arc<Ending>),
    /// It is told that the gateway is shutting down.
    TurnedAway,
}

impl Stay {
    /// Waits until a client that has asked nothing yet is no longer waited for.
    async fn over(&self) {
        match self {
            Self::Served(closing) => closing.wait().await,
            Self::TurnedAway => std::future::pending().await,
        }
    }
}

/// Serves one connection to its end, after its TLS handshake where there is to be one.
async fn attend<C, I>(worker: &Arc<Worker<C>>, io: I, tls: ServerTls, limits: ServeLimits, stay: Stay)
where
    C: Connect,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match tls {
        None => connection(worker, io, limits, stay).await,
        // What it takes is large: a plain connection shall not hold room for it.
        Some(tls) => Box::pin(secured(worker, io, tls, limits, stay)).await,
    }
}

/// Serves one connection to its end, after its TLS handshake.
async fn secured<C, I>(worker: &Arc<Worker<C>>, io: I, tls: TlsAcceptor, limits: ServeLimits, stay: Stay)
where
    C: Connect,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaken = tokio::select! {
        biased;
        shaken = timeout(limits.head_timeout, tls.accept(io)) => shaken,
        () = stay.over() => return,
    };
    match shaken {
        Ok(Ok(io)) => connection(worker, io, limits, stay).await,
        Ok(Err(error)) => tracing::debug!(%error, "a client's TLS handshake failed"),
        Err(_) => tracing::debug!("a client's TLS handshake took too long"),
    }
}

/// Serves one connection to its end.
pub async fn serve_connection<C, I>(worker: &Arc<Worker<C>>, io: I, limits: ServeLimits)
where
    C: Connect,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    connection(worker, io, limits, Stay::Served(Arc::default())).await;
}

async fn connection<C, I>(worker: &Arc<Worker<C>>, mut io: I, limits: ServeLimits, stay: Stay)
where
    C: Connect,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _counted = Counted::new(&worker.shared);
    let (closing, served) = match stay {
        Stay::Served(closing) => (closing, true),
        Stay::TurnedAway => (Arc::default(), false),
    };
    let Some((spoken, greeting)) = greeted(&mut io, limits, &closing).await else { return };
    let io = TokioIo::new(Patient::new(io, greeting, limits.stall_timeout));
    let ended = match spoken {
        Spoken::Http1 => {
            let builder = http1_builder(limits, served);
            let service = service(worker, served, None);
            until([&closing], pin!(builder.serve_connection(io, service))).await
        }
        Spoken::Http2 => {
            let streams = Streams::new(limits);
            let service = service(worker, served, Some(streams.clone()));
            // Its state is large, and hardly any client of a plain listener speaks it.
            let mut connection = Box::pin(http2_builder(limits).serve_connection(io, service));
            tokio::select! {
                ended = until([&closing, &streams.idle], connection.as_mut()) => ended,
                () = streams.watch() => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a client's connection ended");
    }
}

/// What a client speaks, once it has said so; `None` where it does not in time, hangs up, or is no longer waited for.
async fn greeted<I>(io: &mut I, limits: ServeLimits, closing: &Ending) -> Option<(Spoken, Greeting)>
where
    I: AsyncRead + Unpin,
{
    let greeted = tokio::select! {
        biased;
        greeted = timeout(limits.head_timeout, greeting(io)) => greeted,
        () = closing.wait() => return None,
    };
    match greeted {
        Ok(Ok(greeted)) => return Some(greeted),
        Ok(Err(error)) => tracing::debug!(%error, "a client's connection ended"),
        Err(_) => tracing::debug!("a client did not say in time what it speaks"),
    }
    None
}

/// What answers the requests of a connection. An exchange has a place of its own until its answer begins: a connection
/// that waits, or whose answer streams, does not hold it.
fn service<C: Connect>(
    worker: &Arc<Worker<C>>,
    served: bool,
    streams: Option<Arc<Streams>>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<AnswerBody>,
    Error = Infallible,
    Future: Send + 'static,
> + use<C> {
    let worker = worker.clone();
    service_fn(move |request: Request<Incoming>| {
        let (worker, streams) = (worker.clone(), streams.clone());
        // Made in its place: a box is had first, so that nothing can fail between, and the whole of it is not copied.
        let place = Box::new_uninit();
        Box::into_pin(Box::write(place, async move {
            let _asked = streams.as_ref().map(Streams::asked);
            let response = match served {
                true => respond(&worker, request).await,
                false => turn_away(&worker, request).await,
            };
            Ok::<_, Infallible>(match &streams {
                Some(streams) => response.map(|body| streams.watched(body)),
                None => response,
            })
        }))
    })
}

/// Serves a connection to its end, which is asked for when one of `endings` is declared: what is under way on it ends
/// whole.
async fn until<G: GracefulConnection, const N: usize>(
    endings: [&Ending; N],
    mut connection: Pin<&mut G>,
) -> Result<(), G::Error> {
    let mut watches = Some(endings.map(Ending::watch));
    std::future::poll_fn(|cx| {
        let mut told = watches.iter_mut().flatten().zip(endings);
        if told.any(|(watch, ending)| watch.poll(cx, ending)) {
            watches = None;
            connection.as_mut().graceful_shutdown();
        }
        then_settle(|| connection.as_mut().poll(cx))
    })
    .await
}

fn http1_builder(limits: ServeLimits, keep_alive: bool) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(HeadTimer::default())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(READ_BYTES_MAX as usize)
        .keep_alive(keep_alive);
    builder
}

fn http2_builder(limits: ServeLimits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(READ_BYTES_MAX)
        .keep_alive_interval(Duration::from_secs(20));
    builder
}

/// A connection in the metrics for as long as this lives, whatever ends it.
struct Counted<'a>(&'a Shared);

impl<'a> Counted<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.metrics.connections.inc();
        Self(shared)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.metrics.connections.dec();
    }
}

/// Says that the gateway is shutting down: `/readyz` answers no from now on.
pub fn drain(shared: &Shared) {
    shared.draining.store(true, Ordering::Relaxed);
}
