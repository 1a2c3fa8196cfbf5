//! One connection to the subject: send a request, take the answer, compare, count.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use shim_bench::answer::WHOLE;
use shim_bench::ask::{Ask, Dialect};
use shim_bench::check::{Answers, Check};
use shim_bench::now_ns;
use shim_bench::tally::Tally;
use shim_bench::wire::{Framing, Reader};

/// No answer, or no chunk, for so long is a failure.
const PATIENCE: Duration = Duration::from_secs(10);
const READ_BYTES: usize = 32 << 10;

/// The bytes of a request, made once, and what its answers have to be.
pub(crate) struct Request {
    bytes: Vec<u8>,
    ask: Ask,
    answers: Answers,
}

impl Request {
    pub(crate) fn new(target: SocketAddr, ask: Ask, dialect: Dialect, model: &str, key: &str) -> Self {
        let body = ask.body(dialect, model);
        let own = match dialect {
            Dialect::Chat => format!(
                "POST /v1/chat/completions HTTP/1.1\r\nhost: {target}\r\nauthorization: Bearer {key}\r\n\
                 user-agent: OpenAI/Python 2.8.1\r\nx-stainless-package-version: 2.8.1\r\n"
            ),
            Dialect::Messages => format!(
                "POST /v1/messages HTTP/1.1\r\nhost: {target}\r\nx-api-key: {key}\r\n\
                 anthropic-version: 2023-06-01\r\nuser-agent: Anthropic/Python 0.75.0\r\n\
                 x-stainless-package-version: 0.75.0\r\n"
            ),
        };
        let head = format!(
            "{own}content-type: application/json\r\naccept: application/json\r\naccept-encoding: identity\r\n\
             x-stainless-lang: python\r\nx-stainless-os: Linux\r\nx-stainless-arch: x64\r\n\
             x-stainless-runtime: CPython\r\nx-stainless-runtime-version: 3.13.1\r\nx-stainless-async: false\r\n\
             x-stainless-retry-count: 0\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let bytes = [head.as_bytes(), body.as_bytes()].concat();
        Self { bytes, ask, answers: Answers::new(dialect) }
    }
}

/// How an answer came out; its times are in the tally already.
enum Outcome {
    Right,
    Wrong,
    Refused(String),
}

/// A connection that opens when first used and again after a failure.
pub(crate) struct Connection<'a> {
    target: SocketAddr,
    request: &'a Request,
    number: u32,
    open: Option<Reader<TcpStream>>,
    writer: Option<TcpStream>,
    body: Vec<u8>,
}

impl<'a> Connection<'a> {
    pub(crate) fn new(target: SocketAddr, request: &'a Request, number: u32) -> Self {
        Self { target, request, number, open: None, writer: None, body: Vec::new() }
    }

    /// Its place among the connections of a run.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Sends one request that was due at `due` and counts its answer. `chunk_seen` hears of every chunk of content.
    /// Returns whether there was a right answer.
    pub(crate) fn exchange(
        &mut self,
        due: Instant,
        tally: &mut Tally,
        chunk_seen: &mut dyn FnMut() -> io::Result<()>,
    ) -> bool {
        let outcome = self.try_exchange(due, tally, chunk_seen);
        let failure = match outcome {
            Ok(Outcome::Right) => {
                tally.ok += 1;
                return true;
            }
            Ok(Outcome::Wrong) => {
                tally.wrong += 1;
                "the answer is not the upstream's".to_owned()
            }
            Ok(Outcome::Refused(line)) => {
                tally.failed += 1;
                line
            }
            Err(error) => {
                tally.failed += 1;
                error.to_string()
            }
        };
        tally.failure = Some(failure);
        (self.open, self.writer) = (None, None);
        false
    }

    /// Opens the connection, where the time that takes shall not count.
    pub(crate) fn warm(&mut self) -> io::Result<()> {
        if self.open.is_none() {
            let stream = TcpStream::connect(self.target)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            self.writer = Some(stream.try_clone()?);
            self.open = Some(Reader::new(stream, READ_BYTES));
        }
        Ok(())
    }

    fn try_exchange(
        &mut self,
        due: Instant,
        tally: &mut Tally,
        chunk_seen: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<Outcome> {
        self.warm()?;
        let (Some(reader), Some(writer)) = (&mut self.open, &mut self.writer) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        tally.late.record(due.elapsed());
        writer.write_all(&self.request.bytes)?;
        let head = reader.head()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if !head.line.starts_with("HTTP/1.1 200") {
            return Ok(Outcome::Refused(refusal(reader, &head.line, head.framing)));
        }
        let answers = &self.request.answers;
        let right = match self.request.ask.stream {
            None => {
                take_whole(reader, head.framing, &mut self.body, due, tally)?;
                answers.is_whole(&self.body)
            }
            Some(stream) => {
                let check = answers.stream(stream.chunks);
                take_stream(reader, head.framing, check, due, tally, chunk_seen)?
            }
        };
        if head.close {
            (self.open, self.writer) = (None, None);
        }
        Ok(if right { Outcome::Right } else { Outcome::Wrong })
    }
}

fn take_whole(
    reader: &mut Reader<TcpStream>,
    framing: Framing,
    body: &mut Vec<u8>,
    due: Instant,
    tally: &mut Tally,
) -> io::Result<()> {
    body.clear();
    reader.body(framing, |piece| {
        body.extend_from_slice(piece);
        if body.len() > WHOLE.len() * 2 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "answer is too long"));
        }
        Ok(())
    })?;
    tally.latency.record(due.elapsed());
    Ok(())
}

fn take_stream(
    reader: &mut Reader<TcpStream>,
    framing: Framing,
    mut check: Check<'_>,
    due: Instant,
    tally: &mut Tally,
    chunk_seen: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<bool> {
    let mut first = true;
    reader.body(framing, |piece| {
        let arrived = now_ns();
        if std::mem::take(&mut first) {
            tally.first_byte.record(due.elapsed());
        }
        let mut result = Ok(());
        check.push(piece, |stamp| {
            tally.chunks += 1;
            if let Some(stamp) = stamp {
                tally.chunk_delay.record_ns(arrived.saturating_sub(stamp));
            }
            if result.is_ok() {
                result = chunk_seen();
            }
        });
        result
    })?;
    tally.latency.record(due.elapsed());
    Ok(check.is_right())
}

/// The status line and the beginning of the body, to be shown to whoever runs the bench.
fn refusal(reader: &mut Reader<TcpStream>, line: &str, framing: Framing) -> String {
    let mut shown = Vec::new();
    let read = reader.body(framing, |piece| {
        shown.extend(piece.iter().take(300_usize.saturating_sub(shown.len())));
        Ok(())
    });
    let cut = if read.is_err() { " (cut)" } else { "" };
    format!("{line}{cut}: {}", String::from_utf8_lossy(&shown))
}
