//! A client's connection that does not wait forever: neither for its first bytes, nor for the client to take an answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What an HTTP/2 client says first (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// Whatever does not begin as HTTP/2 does.
    Http1,
    Http2,
}

/// The first bytes of a client. They said what it speaks, and are still to be read by who serves it.
#[derive(Debug, Default)]
pub(crate) struct Greeting {
    bytes: [u8; PREFACE.len()],
    /// How many there are.
    filled: usize,
    /// How many were read again.
    taken: usize,
}

/// Waits until a client has said what it speaks.
///
/// # Errors
/// When the connection breaks.
pub(crate) async fn greeting<I: AsyncRead + Unpin>(io: &mut I) -> io::Result<(Spoken, Greeting)> {
    let mut said = Greeting::default();
    loop {
        let free = said.bytes.get_mut(said.filled..).unwrap_or_default();
        let read = io.read(free).await?;
        said.filled += read;
        let so_far = said.bytes.get(..said.filled).unwrap_or_default();
        if read == 0 || !PREFACE.starts_with(so_far) {
            return Ok((Spoken::Http1, said));
        }
        if so_far.len() == PREFACE.len() {
            return Ok((Spoken::Http2, said));
        }
    }
}

impl Greeting {
    /// What is still to be read, as far as there is room for it; whether that was anything.
    fn read(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let rest = self.bytes.get(self.taken..self.filled).unwrap_or_default();
        let part = rest.get(..buf.remaining().min(rest.len())).unwrap_or_default();
        buf.put_slice(part);
        self.taken += part.len();
        !part.is_empty()
    }
}

/// A connection with a bound on how long the client may keep an answer waiting.
#[derive(Debug)]
pub(crate) struct Patient<I> {
    io: I,
    greeting: Greeting,
    /// How long a write may wait.
    stall: Duration,
    /// Set while a write waits.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<I> Patient<I> {
    /// `io`, which has said `greeting` and must take what waits for it within `stall`.
    pub(crate) fn new(io: I, greeting: Greeting, stall: Duration) -> Self {
        Self { io, greeting, stall, alarm: None }
    }

    /// Lets a write wait, but not for too long.
    fn bounded<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.alarm = None;
            return polled;
        }
        let stall = self.stall;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
        alarm.as_mut().poll(cx).map(|()| Err(late("the client takes nothing of its answer")))
    }
}

fn late(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

impl<I: AsyncRead + Unpin> AsyncRead for Patient<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.greeting.read(buf) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Patient<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.bounded(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.bounded(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.bounded(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(cx);
        self.bounded(cx, polled)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{PREFACE, Patient, Spoken, greeting};

    /// What a client speaks that says these pieces; and that all of them are read by who serves it.
    async fn check(pieces: &[&[u8]], wanted: Spoken) {
        let (mut client, mut io) = tokio::io::duplex(64);
        let says = async {
            for piece in pieces {
                client.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            drop(client);
        };
        let hears = async {
            let (spoken, greeting) = greeting(&mut io).await.unwrap();
            let mut patient = Patient::new(io, greeting, Duration::from_secs(1));
            let mut read = Vec::new();
            patient.read_to_end(&mut read).await.unwrap();
            (spoken, read)
        };
        let ((), heard) = tokio::join!(says, hears);
        assert_eq!(heard, (wanted, pieces.concat()), "{pieces:?}");
    }

    #[tokio::test]
    async fn the_first_bytes_say_what_is_spoken_and_are_read_again() {
        check(&[], Spoken::Http1).await;
        check(&[b"PRI"], Spoken::Http1).await;
        check(&[b"PRI", b" * / HTTP/1.1\r\n\r\n"], Spoken::Http1).await;
        check(&[PREFACE], Spoken::Http2).await;
        check(&[&PREFACE[..20], &PREFACE[20..], b"rest"], Spoken::Http2).await;
        check(&[b"POST /v1/chat/completions HTTP/1.1\r\n"], Spoken::Http1).await;
        check(&[b"P", b"OST"], Spoken::Http1).await;
    }
}
