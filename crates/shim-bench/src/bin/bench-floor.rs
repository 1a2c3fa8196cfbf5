//! The floor: the least a gateway built on hyper can do. It takes a request, sends it to one upstream over a kept-alive
//! connection, and relays the answer frame by frame. No routing, no credentials, no parsing, no log, no timeout.
//!
//! Shim is compared with this and not with nothing, because what lies below it is hyper, the kernel and the machine.
//! To be a fair lower bound it uses what is cheapest in hyper: one single-threaded runtime, HTTP/1.1 only, the
//! connection-level client with a bare stack of idle connections (hyper-util's pooling client costs more), and
//! `TCP_NODELAY` on both sides.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use clap::Parser;
use http_body_util::{Either, Empty};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self as client, SendRequest};
use hyper::header::CONNECTION;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// A bare pass-through on hyper, the lower bound in `cargo xtask bench`. Prints its address as JSON, then serves until
/// it is ended.
#[derive(Parser)]
struct Options {
    /// Where to listen; loopback only. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where every request goes; loopback only.
    #[arg(long)]
    upstream: SocketAddr,
    /// Ends by itself after so many seconds.
    #[arg(long, default_value_t = 3600)]
    lifetime_s: u64,
}

/// Idle connections kept; more are closed.
const IDLE_MAX: usize = 4096;

fn main() -> io::Result<()> {
    let options = Options::parse();
    shim_bench::end_after(options.lifetime_s);
    let upstream = Arc::new(Upstream {
        address: shim_bench::loopback_only(options.upstream)?,
        idle: Mutex::new(Vec::new()),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(listen(options.listen, upstream))
}

async fn listen(address: SocketAddr, upstream: Arc<Upstream>) -> io::Result<()> {
    let listener = shim_bench::listen(address)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    writeln!(io::stdout(), "{}", serde_json::json!({ "listening": listener.local_addr()?.to_string() }))?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let upstream = Arc::clone(&upstream);
        let service = service_fn(move |request| pass(Arc::clone(&upstream), request));
        tokio::spawn(async move {
            // A client that leaves is nothing to report.
            drop(server::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

type Answer = Response<Either<Relayed, Empty<Bytes>>>;

async fn pass(upstream: Arc<Upstream>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    Ok(try_pass(upstream, request).await.unwrap_or_else(|_| {
        let mut answer = Response::new(Either::Right(Empty::new()));
        *answer.status_mut() = StatusCode::BAD_GATEWAY;
        answer
    }))
}

async fn try_pass(upstream: Arc<Upstream>, mut request: Request<Incoming>) -> io::Result<Answer> {
    request.headers_mut().remove(CONNECTION);
    let mut sender = upstream.connection().await?;
    let mut answer = sender.send_request(request).await.map_err(io::Error::other)?;
    answer.headers_mut().remove(CONNECTION);
    Ok(answer.map(|body| Either::Left(Relayed { body, over: false, lease: Some((upstream, sender)) })))
}

struct Upstream {
    address: SocketAddr,
    idle: Mutex<Vec<SendRequest<Incoming>>>,
}

impl Upstream {
    async fn connection(&self) -> io::Result<SendRequest<Incoming>> {
        loop {
            let Some(mut sender) = self.idle().pop() else { return self.dial().await };
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
    }

    async fn dial(&self) -> io::Result<SendRequest<Incoming>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = client::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        Ok(sender)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SendRequest<Incoming>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The upstream's body, frame by frame. Gives its connection back when it was read to the end.
struct Relayed {
    body: Incoming,
    over: bool,
    lease: Option<(Arc<Upstream>, SendRequest<Incoming>)>,
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.over = frame.is_none();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        let over = self.over || self.body.is_end_stream();
        if let Some((upstream, sender)) = self.lease.take().filter(|_| over) {
            let mut idle = upstream.idle();
            if idle.len() < IDLE_MAX {
                idle.push(sender);
            }
        }
    }
}
