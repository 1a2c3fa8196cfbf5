//! A simulated network: clients and upstreams are tasks, connections are pipes, time is virtual.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use shim_gateway::{Control, Secrets, ServeLimits, Worker, serve_connection};
use shim_store::SqliteState;
use shim_upstream::{Connect, Connected, Origin, Pool, PoolLimits, Protocol};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

/// A piece of an upstream's answer: bytes, or the connection breaking off.
pub(crate) type Piece = Result<Bytes, io::Error>;

/// What an upstream got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

/// What an upstream answers: status, content type, pieces as they are sent.
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) pieces: mpsc::UnboundedReceiver<Piece>,
}

impl Told {
    /// An answer that is all there.
    pub(crate) fn whole(status: u16, kind: &'static str, body: &str) -> Self {
        let (sender, pieces) = mpsc::unbounded_channel();
        sender.send(Ok(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        Self { status, kind, pieces }
    }

    /// An answer that is sent by the test.
    pub(crate) fn open(kind: &'static str) -> (Self, mpsc::UnboundedSender<Piece>) {
        let (sender, pieces) = mpsc::unbounded_channel();
        (Self { status: 200, kind, pieces }, sender)
    }
}

type Behave = dyn Fn(&Got) -> Option<Told> + Send + Sync;

/// The upstreams of a test: what was asked of them, and how they answer. `None` hangs up without an answer.
#[derive(Clone)]
pub(crate) struct Net {
    pub(crate) got: Arc<Mutex<Vec<Got>>>,
    behave: Arc<Behave>,
}

impl Connect for Net {
    type Io = DuplexStream;

    async fn connect(&self, _: &Origin) -> io::Result<Connected<DuplexStream>> {
        let (near, far) = duplex(64 << 10);
        let net = self.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| net.clone().upstream(request));
            // A client that left is part of some tests.
            let _ =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(far), service).await;
        });
        Ok(Connected { io: near, protocol: Protocol::Http1 })
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

impl Net {
    async fn upstream(self, request: Request<Incoming>) -> io::Result<Answer> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let got = Got { path: parts.uri.to_string(), headers: parts.headers, body };
        self.got.lock().unwrap().push(got.clone());
        let Some(told) = (self.behave)(&got) else { return Err(io::ErrorKind::ConnectionReset.into()) };
        let pieces = futures(told.pieces);
        let response = Response::builder()
            .status(told.status)
            .header("content-type", told.kind)
            .header("set-cookie", "leak=1");
        Ok(response.body(UnsyncBoxBody::new(StreamBody::new(pieces))).unwrap())
    }
}

fn futures(
    mut pieces: mpsc::UnboundedReceiver<Piece>,
) -> impl futures_util::Stream<Item = Result<Frame<Bytes>, io::Error>> {
    futures_util::stream::poll_fn(move |cx| {
        pieces.poll_recv(cx).map(|piece| piece.map(|p| p.map(Frame::data)))
    })
}

struct Env;

impl Secrets for Env {
    fn env(&self, name: &str) -> Option<String> {
        (name == "LAB_KEY")
            .then(|| "sk-upstream-secret".to_owned())
            .or((name == "APP_KEY").then(|| "app-secret".to_owned()))
    }
    fn file(&self, _: &std::path::Path) -> Result<String, String> {
        Err("there are no files here".to_owned())
    }
}

/// A gateway in a simulated network.
pub(crate) struct Lab {
    pub(crate) control: Arc<Control>,
    pub(crate) net: Net,
    worker: Arc<Worker<Net>>,
}

pub(crate) const CONFIG: &str = r#"
    [timeouts]
    first_byte = "20s"
    idle = "10s"
    [providers.lab]
    dialect = "openai-chat"
    base_url = "http://lab.test/v1"
    key = { env = "LAB_KEY" }
    dialects.anthropic.base_url = "http://lab.test"
    dialects.gemini.base_url = "http://lab.test"
    dialects.openai-responses.base_url = "http://lab.test/v1"
    [aliases.chat]
    target = "lab/one"
    [aliases.sure]
    target = "lab/one"
    fallback = ["lab/two"]
"#;

/// A configuration from text.
pub(crate) fn config(text: &str) -> shim_config::Config {
    shim_config::parse(text, "test.toml", &[]).unwrap_or_else(|e| panic!("{e}"))
}

impl Lab {
    /// A gateway with `text` as its configuration and `behave` as its upstreams.
    pub(crate) fn new(text: &str, behave: impl Fn(&Got) -> Option<Told> + Send + Sync + 'static) -> Self {
        let store = Box::new(SqliteState::in_memory().unwrap());
        let control = Arc::new(Control::start(config(text), store, Box::new(Env), None).unwrap());
        let net = Net { got: Arc::default(), behave: Arc::new(behave) };
        let shared = control.shared().clone();
        let worker =
            Arc::new(Worker { shared, connect: net.clone(), pool: Pool::new(PoolLimits::default()) });
        Self { control, net, worker }
    }

    /// A client's connection.
    pub(crate) async fn client(&self) -> hyper::client::conn::http1::SendRequest<Full<Bytes>> {
        let io = self.pipe();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// The bare pipe of a client's connection.
    pub(crate) fn pipe(&self) -> DuplexStream {
        let (near, far) = duplex(64 << 10);
        let worker = self.worker.clone();
        tokio::spawn(async move { serve_connection(&worker, far, ServeLimits::default()).await });
        near
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn ask(&self, path: &str, body: &str) -> Response<Incoming> {
        self.send(post(path, body)).await
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        self.client().await.send_request(request).await.unwrap()
    }

    /// One request, its status and its body.
    pub(crate) async fn told(&self, path: &str, body: &str) -> (u16, String) {
        read(self.ask(path, body).await).await
    }

    /// Admitted, under way, and settled by outcome.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let text = self.control.shared().metrics_text().unwrap();
        let sum = |part: &str| {
            let lines = text.lines().filter(|l| l.contains(part) && !l.starts_with('#'));
            lines.filter_map(|l| l.rsplit(' ').next()?.parse::<u64>().ok()).sum()
        };
        [
            ("admitted", sum("shim_exchanges_admitted_total")),
            ("in_flight", sum("shim_exchanges_in_flight ")),
            ("delivered", sum("outcome=\"delivered\"")),
            ("failed", sum("outcome=\"failed\"")),
            ("abandoned", sum("outcome=\"abandoned\"")),
        ]
        .into()
    }
}

/// A request as an SDK sends it.
pub(crate) fn post(path: &str, body: &str) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("host", "shim.test")
        .header("content-type", "application/json")
        .header("authorization", "Bearer client-secret")
        .body(Full::from(body.to_owned()))
        .unwrap()
}

/// Status and whole body.
pub(crate) async fn read(response: Response<Incoming>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// A spare for tests that serve HTTP/2.
pub(crate) async fn http2(io: DuplexStream) -> hyper::client::conn::http2::SendRequest<Full<Bytes>> {
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    sender
}
