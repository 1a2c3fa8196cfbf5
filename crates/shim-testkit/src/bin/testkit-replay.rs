//! A provider on loopback that answers from the corpus: the model asked for names the case.
//!
//! Usage: `testkit-replay [--listen 127.0.0.1:0] [--seen FILE]`. Prints `{"listen":"127.0.0.1:PORT"}` once it answers.
//! Recordings are served by their id (`wc-…`) where they are present; `SHIM_WIRE_CORPUS` says where else they are.
//! Each request is appended to FILE as a line of JSON, with the status it is answered with. Asked for its version, it
//! answers as Ollama does, so that `shim up` finds it where Ollama would be.
//!
//! Below `/strict/PROVIDER` a strict fake of that provider has whoever asks do `clients/agents/task.toml`; the lines of
//! such requests name it, and the states of its own that it got and gave.

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
use serde_json::Value;
use shim_testkit::replay::{self, Answer};
use shim_testkit::strict::{Kind, Strict, Task};
use tokio::net::{TcpListener, TcpStream};

/// The strict fakes, by the names they have in the catalogue, which are their accounts' too.
const STRICT: [Strict; 4] = [
    Strict { kind: Kind::Anthropic, account: "anthropic" },
    Strict { kind: Kind::Openai, account: "openai" },
    Strict { kind: Kind::Google, account: "google" },
    Strict { kind: Kind::Deepseek, account: "deepseek" },
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    let seen = options.seen.as_deref().map(Seen::open).transpose()?;
    let fakes = Arc::new(Fakes { seen, task: Task::read()? });
    let listener = TcpListener::bind(options.listen).await?;
    writeln!(io::stdout(), "{}", serde_json::json!({ "listen": listener.local_addr()? }))?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, fakes.clone()));
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

    fn note(&self, head: &Parts, body: &[u8], status: u16, strict: &Value) -> Result<()> {
        let body = String::from_utf8_lossy(body);
        let (method, path) = (head.method.as_str(), head.uri.to_string());
        let mut line = serde_json::json!({ "method": method, "path": path, "body": body, "status": status });
        if !strict.is_null() {
            line["strict"] = strict.clone();
        }
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(writeln!(file, "{line}")?)
    }
}

/// What answers.
struct Fakes {
    seen: Option<Seen>,
    /// What the strict ones have done.
    task: Task,
}

async fn serve(stream: TcpStream, fakes: Arc<Fakes>) {
    let service = service_fn(move |request| {
        let fakes = fakes.clone();
        async move { Ok::<_, Infallible>(respond(request, &fakes).await) }
    });
    // A broken connection is often the point of a case, and the client under test tells of it.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn respond(request: Request<Incoming>, fakes: &Fakes) -> Response<Pieces> {
    let answer = fakes.answer(request).await.unwrap_or_else(|error| told(500, &format!("{error:#}")));
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = Pieces::new(&answer);
    response.body(body).unwrap_or_else(|error| Response::new(Pieces::new(&told(500, &error.to_string()))))
}

impl Fakes {
    /// The answer to a request. It is noted before it is given, so whoever has the answer finds the note.
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let path = head.uri.path();
        let named = path.strip_prefix("/strict/").and_then(|path| path.split_once('/'));
        let strict = named.and_then(|(name, _)| STRICT.iter().find(|strict| strict.account == name));
        let (answer, states) = match strict {
            Some(strict) => self.strict(strict, path, &body)?,
            None => (replayed(&head, &body)?, Value::Null),
        };
        if let Some(seen) = &self.seen {
            seen.note(&head, &body, answer.status, &states)?;
        }
        Ok(answer)
    }

    /// The answer of a strict fake, and what is noted of it.
    fn strict(&self, strict: &Strict, path: &str, body: &[u8]) -> Result<(Answer, Value)> {
        let body: Value = serde_json::from_slice(body)?;
        let states =
            |gave| serde_json::json!({ "name": strict.account, "got": strict.states(&body), "gave": gave });
        if path.ends_with("/count_tokens") || path.ends_with(":countTokens") {
            let count = serde_json::json!({ "input_tokens": 10, "totalTokens": 10 });
            return Ok((json(200, &count), states(Vec::new())));
        }
        let answer = match strict.play(&self.task, path, &body) {
            Ok(answer) => answer,
            Err((status, refusal)) => return Ok((json(status, &refusal), states(Vec::new()))),
        };
        let gave = states(strict.states(&answer));
        let streamed = body["stream"] == true || path.contains(":stream");
        Ok((if streamed { stream(Strict::as_stream(path, &answer)) } else { json(200, &answer) }, gave))
    }
}

/// An answer from the corpus or the recordings.
fn replayed(head: &Parts, body: &[u8]) -> Result<Answer> {
    let (method, path) = (head.method.as_str(), head.uri.path());
    if path == "/api/version" {
        return Ok(json(200, &serde_json::json!({ "version": "0.0.0-replay" })));
    }
    let anthropic = head.headers.contains_key("anthropic-version");
    let Some(asked) = replay::asked(method, path, head.uri.query(), anthropic, body) else {
        let why = format!("no dialect has {} {}, or the body names no model", head.method, head.uri);
        return Ok(told(404, &why));
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

fn stream(body: String) -> Answer {
    let headers = vec![("content-type".to_owned(), "text/event-stream".to_owned())];
    Answer { status: 200, headers, body: body.into(), streamed: true, cut: false }
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
