//! One connection: read a request to its end, check it, answer.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use shim_bench::answer::{CHUNK_BYTES, STREAM_TAIL, WHOLE, put_chunk};
use shim_bench::ask::{Ask, Stream};
use shim_bench::now_ns;
use shim_bench::wire::{Framing, Reader};

use crate::credits::Credits;

/// The largest request body; the largest prompt is 400 KiB.
const BODY_BYTES_MAX: usize = 8 << 20;
const READ_BYTES: usize = 64 << 10;

/// The headers a provider sends along, which a gateway has to sort through.
const PROVIDER_HEADERS: &str = "date: Mon, 23 Nov 2026 12:00:00 GMT\r\n\
    x-request-id: req_0f1e2d3c4b5a69788796a5b4c3d2e1f0\r\n\
    openai-organization: bench\r\n\
    openai-processing-ms: 12\r\n\
    openai-version: 2020-10-01\r\n\
    x-ratelimit-limit-requests: 10000\r\n\
    x-ratelimit-remaining-requests: 9999\r\n\
    x-ratelimit-reset-requests: 6ms\r\n\
    server: bench\r\n";

static WHOLE_RESPONSE: LazyLock<Vec<u8>> = LazyLock::new(|| response("200 OK", "application/json", WHOLE));
static BAD_PROMPT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let body =
        r#"{"error":{"message":"the prompt is not the one that was sent","type":"invalid_request_error"}}"#;
    response("400 Bad Request", "application/json", body)
});
static UNKNOWN_PATH: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let body = r#"{"error":{"message":"no such path","type":"invalid_request_error"}}"#;
    response("404 Not Found", "application/json", body)
});
static CREDITED: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
static STREAM_HEAD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n\
         {PROVIDER_HEADERS}transfer-encoding: chunked\r\n\r\n"
    )
});

fn response(status: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n{PROVIDER_HEADERS}\r\n{body}"
    )
    .into_bytes()
}

/// A client's connection, served until it closes.
pub(crate) struct Connection<'a> {
    reader: Reader<TcpStream>,
    writer: TcpStream,
    number: usize,
    credits: &'a Credits,
    body: Vec<u8>,
    out: Vec<u8>,
}

impl<'a> Connection<'a> {
    /// `number` tells connections apart, so that their streams do not tick together.
    pub(crate) fn new(stream: TcpStream, number: usize, credits: &'a Credits) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let writer = stream.try_clone()?;
        let reader = Reader::new(stream, READ_BYTES);
        Ok(Self { reader, writer, number, credits, body: Vec::new(), out: Vec::new() })
    }

    /// Answers every request in turn.
    pub(crate) fn serve(mut self) -> io::Result<()> {
        while let Some(head) = self.reader.head()? {
            self.read_body(head.framing)?;
            if head.line.starts_with("POST /v1/chat/completions ") {
                self.complete()?;
            } else if let Some(stream) = credited(&head.line) {
                self.credits.grant(stream);
                self.writer.write_all(CREDITED)?;
            } else {
                self.writer.write_all(&UNKNOWN_PATH)?;
            }
        }
        Ok(())
    }

    fn read_body(&mut self, framing: Framing) -> io::Result<()> {
        self.body.clear();
        let body = &mut self.body;
        self.reader.body(framing, |piece| {
            if body.len() + piece.len() > BODY_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "request body too large"));
            }
            body.extend_from_slice(piece);
            Ok(())
        })
    }

    fn complete(&mut self) -> io::Result<()> {
        match Ask::parse(&self.body) {
            Some(ask) if !ask.is_intact(&self.body) => self.writer.write_all(&BAD_PROMPT),
            Some(Ask { stream: Some(stream), .. }) => self.stream(stream),
            Some(Ask { stream: None, .. }) | None => self.writer.write_all(&WHOLE_RESPONSE),
        }
    }

    fn stream(&mut self, stream: Stream) -> io::Result<()> {
        self.writer.write_all(STREAM_HEAD.as_bytes())?;
        thread::sleep(self.phase(stream.gap_us));
        for number in 0..stream.chunks {
            if let Some(id) = stream.lockstep
                && !self.credits.wait(id, number)
            {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no credit for the next chunk"));
            }
            self.write_chunk(number)?;
            if stream.gap_us > 0 {
                thread::sleep(Duration::from_micros(stream.gap_us));
            }
        }
        if let Some(id) = stream.lockstep {
            self.credits.forget(id);
        }
        self.writer.write_all(format!("{:x}\r\n{STREAM_TAIL}\r\n0\r\n\r\n", STREAM_TAIL.len()).as_bytes())
    }

    /// Spreads the streams of many connections evenly over one gap.
    fn phase(&self, gap_us: u64) -> Duration {
        const GOLDEN: u64 = 618;
        let share = (self.number as u64).wrapping_mul(GOLDEN) % 1000;
        Duration::from_micros(gap_us.saturating_mul(share) / 1000)
    }

    fn write_chunk(&mut self, number: u32) -> io::Result<()> {
        self.out.clear();
        write!(self.out, "{CHUNK_BYTES:x}\r\n")?;
        put_chunk(number, now_ns(), &mut self.out);
        self.out.extend_from_slice(b"\r\n");
        self.writer.write_all(&self.out)
    }
}

fn credited(line: &str) -> Option<u32> {
    line.strip_prefix("POST /bench/credit/")?.split(' ').next()?.parse().ok()
}
