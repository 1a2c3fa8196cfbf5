//! Listeners: accepting, bounding and draining connections of clients.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use shim_upstream::Connect;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::pipeline::{Worker, respond};
use crate::shared::Shared;

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Most connections of clients at once, over one worker.
    pub connections_max: usize,
    /// How long a client may take for the head of a request, and an idle connection is kept.
    pub head_timeout: Duration,
    /// Most streams at once on one HTTP/2 connection.
    pub streams_max: u32,
    /// How long a drain waits for what is under way.
    pub drain_timeout: Duration,
}

impl Default for ServeLimits {
    /// 10,000 connections, 75 seconds, 256 streams, 30 seconds.
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            head_timeout: Duration::from_secs(75),
            streams_max: 256,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// The certificate clients see; none means plain TCP.
pub type ServerTls = Option<TlsAcceptor>;

/// Binds a listening socket that several workers can share: the kernel spreads connections over them.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// Accepts connections until `stop` says so, then waits for what is under way.
///
/// # Errors
/// When the listener cannot be used at all.
pub async fn serve<C: Connect>(
    worker: Arc<Worker<C>>,
    listener: std::net::TcpListener,
    tls: ServerTls,
    limits: ServeLimits,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let graceful = GracefulShutdown::new();
    let mut sweep = tokio::time::interval(Duration::from_secs(10));
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            _ = sweep.tick() => worker.pool.sweep(),
            accepted = accept(&listener, &places) => {
                let Some((io, place)) = accepted else { continue };
                let (worker, tls, watcher) = (worker.clone(), tls.clone(), graceful.watcher());
                tokio::spawn(async move {
                    let _place = place;
                    match tls {
                        None => connection(&worker, io, limits, watcher).await,
                        Some(tls) => match tokio::time::timeout(limits.head_timeout, tls.accept(io)).await {
                            Ok(Ok(io)) => connection(&worker, io, limits, watcher).await,
                            Ok(Err(error)) => tracing::debug!(%error, "a client's TLS handshake failed"),
                            Err(_) => tracing::debug!("a client's TLS handshake took too long"),
                        },
                    }
                });
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("exchanges still under way after the drain timeout were cut");
    }
    Ok(())
}

/// Waits for a place, then for a connection. With no place free the kernel's queue holds clients back.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((io, _)) => {
            if let Err(error) = io.set_nodelay(true) {
                tracing::debug!(%error, "a connection without nodelay");
            }
            Some((io, place))
        }
        Err(error) => {
            // Out of file descriptors, most likely: others must end before it can get better.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Serves one connection to its end.
pub async fn serve_connection<C, I>(worker: &Arc<Worker<C>>, io: I, limits: ServeLimits)
where
    C: Connect,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    connection(worker, io, limits, graceful.watcher()).await;
}

async fn connection<C, I>(
    worker: &Arc<Worker<C>>,
    io: I,
    limits: ServeLimits,
    watcher: hyper_util::server::graceful::Watcher,
) where
    C: Connect,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    worker.shared.metrics.connections.inc();
    let service = service_fn(|request: Request<Incoming>| {
        let worker = worker.clone();
        async move { Ok::<_, Infallible>(respond(&worker, request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(128 << 10);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(64 << 10)
        .keep_alive_interval(Duration::from_secs(20));
    let served = watcher.watch(builder.serve_connection(TokioIo::new(io), service).into_owned());
    if let Err(error) = served.await {
        tracing::debug!(%error, "a client's connection ended");
    }
    worker.shared.metrics.connections.dec();
}

/// Says that the gateway is shutting down: `/readyz` answers no from now on.
pub fn drain(shared: &Shared) {
    shared.draining.store(true, Ordering::Relaxed);
}
