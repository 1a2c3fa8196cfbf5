//! Clients that ask a gateway until they are told to stop, and what they saw.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::process::APP_KEY;
use crate::upstream;

const BEGIN: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
const END: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n";
pub(crate) const WHOLE: &str = r#"{"model":"one","choices":[{"index":0,"message":{"role":"assistant","content":"said"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;

/// A provider that streams in many pieces, or answers whole.
pub(crate) fn lab() -> String {
    upstream::start(|body, stream| {
        if !body.contains("\"stream\":true") {
            return upstream::whole(stream, 200, WHOLE);
        }
        upstream::begin_stream(stream);
        // Long enough that a kill falls into it; each piece is a write of its own.
        for piece in std::iter::repeat_n(BEGIN, 100).chain([END]) {
            // The gateway may be dead.
            if stream.write_all(piece.as_bytes()).is_err() {
                return;
            }
        }
    })
}

/// Writes the configuration of a gateway before the provider at `base`.
pub(crate) fn configure(folder: &Path, base: &str, more: &str) {
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\noperators = \"127.0.0.1:0\"\noperators_secret = {{ env = \"OPERATORS_KEY\" }}\n\
         workers = 2\n[log]\nformat = \"off\"\n\
         [providers.lab]\ndialect = \"openai-chat\"\nbase_url = \"{base}\"\nkey = {{ env = \"LAB_KEY\" }}\n\
         [aliases.chat]\ntarget = \"lab/one\"\n[aliases.private]\ntarget = \"lab/one\"\nrecord = \"off\"\n\
         [keys.app]\nsecret = {{ env = \"APP_KEY\" }}\n{more}"
    );
    std::fs::write(folder.join("shim.toml"), text).unwrap();
}

/// What a client saw of an exchange.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(super) id: String,
    /// When the head of its answer was there.
    pub(super) begun: Instant,
    /// When its answer was there, whole.
    pub(super) whole: Option<Instant>,
}

/// Clients at work.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Seen>>>,
    clients: Vec<JoinHandle<()>>,
}

/// Clients that ask at the same time.
const CLIENTS: usize = 4;

impl Load {
    /// Lets clients ask the gateway at `address`, for streams and for whole answers by turns.
    pub(super) fn start(address: &str) -> Self {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let client = |n: usize| {
            let (address, stop, seen) = (address.to_owned(), stop.clone(), seen.clone());
            std::thread::spawn(move || {
                let mut streamed = n.is_multiple_of(2);
                while !stop.load(Ordering::Relaxed) {
                    match ask(&address, streamed) {
                        Some(found) => seen.lock().unwrap().push(found),
                        // The gateway is gone: it is not asked more often than it can be told.
                        None => std::thread::park_timeout(Duration::from_millis(1)),
                    }
                    streamed = !streamed;
                }
            })
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { stop, seen, clients }
    }

    /// How many answers were there, whole.
    pub(super) fn answered(&self) -> usize {
        self.seen.lock().unwrap().iter().filter(|seen| seen.whole.is_some()).count()
    }

    /// Lets them stop; what they saw.
    pub(super) fn stop(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().for_each(|client| client.join().unwrap());
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// Asks once; `None` where not even the head of an answer came.
pub(crate) fn ask(address: &str, streamed: bool) -> Option<Seen> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let body = format!(
        r#"{{"model":"chat","stream":{streamed},"messages":[{{"role":"user","content":"hello there"}}]}}"#
    );
    let length = body.len();
    write!(stream, "POST /v1/chat/completions HTTP/1.0\r\nhost: x\r\nx-api-key: {APP_KEY}\r\ncontent-length: {length}\r\n\r\n{body}").ok()?;
    let mut reader = BufReader::new(stream);
    let (mut id, mut answer) = (None, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.strip_prefix("x-shim-exchange: ") {
            id = Some(value.trim().to_owned());
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let begun = Instant::now();
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap_or(0) > 0 {
        answer.push_str(&line);
        line.clear();
    }
    let whole = if streamed { answer.ends_with("data: [DONE]\n\n") } else { answer == WHOLE };
    Some(Seen { id: id?, begun, whole: whole.then(Instant::now) })
}
