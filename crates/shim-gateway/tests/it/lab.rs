//! A simulated network: clients and upstreams are tasks, connections are pipes, time is virtual.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use shim_gateway::{Control, Secrets, ServeLimits, Worker, serve_connection};
use shim_store::SqliteState;
use shim_upstream::{Connect, Connected, Origin, Pool, PoolLimits, Protocol};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;

/// A piece of an upstream's answer: bytes, or the connection breaking off.
pub(crate) type Piece = Result<Bytes, io::Error>;

/// What an upstream got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

/// What an upstream answers: status, headers, pieces as they are sent.
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) pieces: mpsc::UnboundedReceiver<Piece>,
}

impl Told {
    /// An answer that is all there.
    pub(crate) fn whole(status: u16, kind: &'static str, body: &str) -> Self {
        let (sender, pieces) = mpsc::unbounded_channel();
        sender.send(Ok(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        Self { status, headers: vec![("content-type", kind)], pieces }
    }

    /// An answer that is sent by the test.
    pub(crate) fn open(kind: &'static str) -> (Self, mpsc::UnboundedSender<Piece>) {
        let (sender, pieces) = mpsc::unbounded_channel();
        (Self { status: 200, headers: vec![("content-type", kind)], pieces }, sender)
    }

    /// The same with these headers as well.
    pub(crate) fn with(mut self, headers: &[(&'static str, &'static str)]) -> Self {
        self.headers.extend_from_slice(headers);
        self
    }
}

/// What an upstream does on a connection it does not speak HTTP on as it should, after it read a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Sends bytes.
    Send(&'static str),
    /// Reads another request.
    Read,
    /// Does nothing for so many seconds.
    Wait(u64),
    /// Does nothing any more.
    Hang,
}

/// What a host is like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Line {
    /// It speaks HTTP/1.1, and answers as the test says.
    Http1,
    /// It speaks HTTP/2, and answers as the test says.
    Http2,
    /// It refuses connections.
    Refused,
    /// It never says whether it takes one.
    Silent,
    /// It does this, then closes.
    Raw(&'static [Act]),
}

type Behave = dyn Fn(&Got) -> Option<Told> + Send + Sync;

/// The upstreams of a test: what was asked of them, and how they answer. `None` hangs up without an answer.
#[derive(Clone)]
pub(crate) struct Net {
    pub(crate) got: Arc<Mutex<Vec<Got>>>,
    line: Line,
    behave: Arc<Behave>,
}

impl Connect for Net {
    type Io = DuplexStream;

    async fn connect(&self, origin: &Origin) -> io::Result<Connected<DuplexStream>> {
        let (near, far) = duplex(64 << 10);
        let (net, mut protocol) = (self.clone(), Protocol::Http1);
        let service = service_fn(move |request| net.clone().upstream(request));
        // The neighbours' host is always well. A client that left is part of some tests.
        match if origin.host() == "calm.test" { Line::Http1 } else { self.line } {
            Line::Refused => return Err(io::ErrorKind::ConnectionRefused.into()),
            Line::Silent => std::future::pending().await,
            Line::Raw(acts) => drop(tokio::spawn(raw(far, acts))),
            Line::Http1 => drop(tokio::spawn(async move {
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(far), service)
                    .await;
            })),
            Line::Http2 => {
                protocol = Protocol::Http2;
                tokio::spawn(async move {
                    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(far), service)
                        .await;
                });
            }
        }
        Ok(Connected { io: near, protocol })
    }
}

/// Reads what comes until there is a whole head in it, or the connection is over.
async fn read_head(io: &mut DuplexStream) {
    let mut request = Vec::new();
    while !request.windows(4).any(|w| w == b"\r\n\r\n") && io.read_buf(&mut request).await.unwrap_or(0) > 0 {}
}

async fn raw(mut io: DuplexStream, acts: &'static [Act]) {
    read_head(&mut io).await;
    for act in acts {
        match act {
            Act::Read => read_head(&mut io).await,
            Act::Send(text) => drop(io.write_all(text.as_bytes()).await),
            Act::Wait(seconds) => tokio::time::sleep(Duration::from_secs(*seconds)).await,
            Act::Hang => std::future::pending().await,
        }
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

impl Net {
    async fn upstream(self, request: Request<Incoming>) -> io::Result<Answer> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let named = parts.headers.get("host").and_then(|host| host.to_str().ok()).or(parts.uri.host());
        let host = named.unwrap_or_default().to_owned();
        let got = Got { host, path, headers: parts.headers, body };
        self.got.lock().unwrap().push(got.clone());
        let Some(told) = (self.behave)(&got) else { return Err(io::ErrorKind::ConnectionReset.into()) };
        let mut response = Response::builder().status(told.status).header("set-cookie", "leak=1");
        for (name, value) in told.headers {
            response = response.header(name, value);
        }
        Ok(response.body(UnsyncBoxBody::new(StreamBody::new(futures(told.pieces)))).unwrap())
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
    pub(crate) worker: Arc<Worker<Net>>,
}

pub(crate) const CONFIG: &str = r#"
    [timeouts]
    connect = "3s"
    first_byte = "20s"
    idle = "10s"
    total = "60s"
    [providers.lab]
    dialect = "openai-chat"
    base_url = "http://lab.test/v1"
    key = { env = "LAB_KEY" }
    dialects.anthropic.base_url = "http://lab.test"
    dialects.gemini.base_url = "http://lab.test"
    dialects.openai-responses.base_url = "http://lab.test/v1"
    [providers.calm]
    dialect = "openai-chat"
    base_url = "http://calm.test/v1"
    timeouts = { idle = "1h", total = "2h" }
    [aliases.chat]
    target = "lab/one"
    [aliases.sure]
    target = "lab/one"
    fallback = ["lab/two"]
"#;

/// A configuration from text; the providers of the catalogue are known to it.
pub(crate) fn config(text: &str) -> shim_config::Config {
    let known: Vec<_> = shim_catalog::providers().iter().map(|provider| provider.id.as_str()).collect();
    shim_config::parse(text, "lab.toml", &known).unwrap()
}

impl Lab {
    /// A gateway with `text` as its configuration and `behave` as its upstreams.
    pub(crate) fn new(text: &str, behave: impl Fn(&Got) -> Option<Told> + Send + Sync + 'static) -> Self {
        Self::on(Line::Http1, text, behave)
    }

    /// A gateway whose upstreams are on such a line.
    pub(crate) fn on(
        line: Line,
        text: &str,
        behave: impl Fn(&Got) -> Option<Told> + Send + Sync + 'static,
    ) -> Self {
        let store = Box::new(SqliteState::in_memory().unwrap());
        let control = Arc::new(Control::start(config(text), store, Box::new(Env), None).unwrap());
        let net = Net { got: Arc::default(), line, behave: Arc::new(behave) };
        let shared = control.shared().clone();
        let worker =
            Arc::new(Worker { shared, connect: net.clone(), pool: Pool::new(PoolLimits::default()) });
        Self { control, net, worker }
    }

    /// A client's connection.
    pub(crate) async fn client(&self) -> http1::SendRequest<Full<Bytes>> {
        http1(self.pipe()).await
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

    /// Sends bytes on a connection of their own; what comes back until the gateway closes it.
    pub(crate) async fn spoken(&self, bytes: &[u8]) -> String {
        let mut pipe = self.pipe();
        // The gateway may close before it has read all of it.
        let _ = pipe.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = pipe.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
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
            ("connections", sum("shim_client_connections ")),
            ("delivered", sum("outcome=\"delivered\"")),
            ("failed", sum("outcome=\"failed\"")),
            ("abandoned", sum("outcome=\"abandoned\"")),
        ]
        .into()
    }
}

/// A request as an SDK sends it.
pub(crate) fn post(path: &str, body: impl AsRef<[u8]>) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("host", "shim.test")
        .header("content-type", "application/json")
        .header("authorization", "Bearer client-secret")
        .body(Full::new(Bytes::copy_from_slice(body.as_ref())))
        .unwrap()
}

/// Status and whole body.
pub(crate) async fn read(response: Response<Incoming>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// An HTTP/1.1 client on a pipe.
pub(crate) async fn http1(io: DuplexStream) -> http1::SendRequest<Full<Bytes>> {
    let (sender, connection) = http1::handshake(TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// An HTTP/2 client on a pipe.
pub(crate) async fn http2(io: DuplexStream) -> http2::SendRequest<Full<Bytes>> {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A request as an HTTP/2 client sends it.
pub(crate) fn post2(path: &str, body: impl AsRef<[u8]>) -> Request<Full<Bytes>> {
    let mut request = post(path, body);
    *request.uri_mut() = format!("http://shim.test{path}").parse().unwrap();
    request.headers_mut().remove("host");
    request
}
