//! A provider on loopback that answers from the corpus: the model asked for names the case.
//!
//! Usage: `testkit-replay [--listen 127.0.0.1:0] [--seen FILE]`. Prints `{"listen":"127.0.0.1:PORT"}` once it answers.
//! Recordings are served by their id (`wc-…`) where they are present; `SHIM_WIRE_CORPUS` says where else they are.
//! Each request is appended to FILE as a line of JSON. Asked for its version, it answers as Ollama does, so that
//! `shim up` finds it where Ollama would be.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use shim_testkit::replay::{self, Answer};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    let seen = options.seen.as_deref().map(Seen::open).transpose()?.map(Arc::new);
    let listener = TcpListener::bind(options.listen).await?;
    writeln!(io::stdout(), "{}", serde_json::json!({ "listen": listener.local_addr()? }))?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, seen.clone()));
    }
}

struct Options {
    listen: SocketAddr,
    seen: Option<PathBuf>,
}

impl Options {
    /// Reads the command line. Only loopback is listened on: this answers anybody.
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), seen: None };
        while let Some(arg) = args.next() {
            match (arg.as_str(), args.next()) {
                ("--listen", Some(address)) => {
                    options.listen = address.parse().with_context(|| address.clone())?;
                }
                ("--seen", Some(file)) => options.seen = Some(file.into()),
                _ => bail!("usage: testkit-replay [--listen 127.0.0.1:0] [--seen FILE]"),
            }
        }
        let listen = options.listen;
        if listen.ip().is_loopback() { Ok(options) } else { bail!("{listen} is not a loopback address") }
    }
}

/// The file that requests are noted in.
struct Seen(Mutex<File>);

impl Seen {
    fn open(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        Ok(Self(Mutex::new(file.with_context(|| path.display().to_string())?)))
    }

    fn note(&self, head: &Parts, body: &[u8]) -> Result<()> {
        let body = String::from_utf8_lossy(body);
        let line =
            serde_json::json!({ "method": head.method.as_str(), "path": head.uri.to_string(), "body": body });
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(writeln!(file, "{line}")?)
    }
}

async fn serve(stream: TcpStream, seen: Option<Arc<Seen>>) {
    let service = service_fn(move |request| {
        let seen = seen.clone();
        async move { Ok::<_, Infallible>(respond(request, seen.as_deref()).await) }
    });
    // A broken connection is often the point of a case, and the client under test tells of it.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn respond(request: Request<Incoming>, seen: Option<&Seen>) -> Response<Pieces> {
    let answer = find(request, seen).await.unwrap_or_else(|error| told(500, &format!("{error:#}")));
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = Pieces::new(&answer);
    response.body(body).unwrap_or_else(|error| Response::new(Pieces::new(&told(500, &error.to_string()))))
}

async fn find(request: Request<Incoming>, seen: Option<&Seen>) -> Result<Answer> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    if let Some(seen) = seen {
        seen.note(&head, &body)?;
    }
    if head.uri.path() == "/api/version" {
        return Ok(json(200, &serde_json::json!({ "version": "0.0.0-replay" })));
    }
    let anthropic = head.headers.contains_key("anthropic-version");
    let asked = replay::asked(head.method.as_str(), head.uri.path(), head.uri.query(), anthropic, &body);
    let Some(asked) = asked else {
        return Ok(told(
            404,
            &format!("no dialect has {} {}, or the body names no model", head.method, head.uri),
        ));
    };
    let missing = || told(404, &format!("no case \"{}\" in corpus/{}", asked.case, asked.folder));
    Ok(asked.answer()?.unwrap_or_else(missing))
}

/// An answer of the replay itself, in no dialect's shape.
fn told(status: u16, message: &str) -> Answer {
    json(status, &serde_json::json!({ "replay": message }))
}

fn json(status: u16, body: &serde_json::Value) -> Answer {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Answer { status, headers, body: body.to_string().into(), streamed: false, cut: false }
}

/// A body whose pieces leave one by one.
struct Pieces {
    queue: VecDeque<Bytes>,
    /// The length, told before a body that is whole.
    length: Option<u64>,
    cut: bool,
    /// Whether the connection had its turn to flush the piece before.
    flushed: bool,
}

impl Pieces {
    fn new(answer: &Answer) -> Self {
        let length = (!answer.streamed).then(|| answer.body.len() as u64);
        Self { queue: answer.pieces().into(), length, cut: answer.cut, flushed: false }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        // Hyper flushes what it holds whenever a body has nothing ready.
        self.flushed = !self.flushed;
        if self.flushed {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.queue.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if self.cut => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
