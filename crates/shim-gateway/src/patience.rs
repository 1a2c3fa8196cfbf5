//! A client's connection that does not wait forever: neither for its first bytes, nor for the client to take an answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// What an HTTP/2 client says first (RFC 9113 §3.4). Until a connection says something else, nobody knows what it
/// speaks, and no timeout of HTTP runs yet.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection with bounds on how long the client may keep it waiting.
#[derive(Debug)]
pub(crate) struct Patient<I> {
    io: I,
    /// How much of the preface has come; `None` once it is known what is spoken.
    greeting: Option<usize>,
    /// How long a write may wait.
    stall: Duration,
    stalled: bool,
    alarm: Pin<Box<Sleep>>,
}

impl<I> Patient<I> {
    /// `io`, which must say what it speaks within `hello`, and take what waits for it within `stall`.
    pub(crate) fn new(io: I, hello: Duration, stall: Duration) -> Self {
        let alarm = Box::pin(tokio::time::sleep(hello));
        Self { io, greeting: Some(0), stall, stalled: false, alarm }
    }

    /// Reads the greeting along.
    fn heard(&mut self, bytes: &[u8]) {
        let Some(so_far) = self.greeting else { return };
        let wanted = PREFACE.get(so_far..).unwrap_or_default();
        let length = bytes.len().min(wanted.len());
        let goes_on = bytes.get(..length) == wanted.get(..length) && bytes.len() < wanted.len() && length > 0;
        self.greeting = goes_on.then_some(so_far + length);
    }

    /// Lets a write wait, but not for too long.
    fn bounded<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = false;
            return polled;
        }
        if !self.stalled {
            self.stalled = true;
            self.alarm.as_mut().reset(Instant::now() + self.stall);
        }
        self.alarm.as_mut().poll(cx).map(|()| Err(late("the client takes nothing of its answer")))
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
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if self.greeting.is_none() {
            return polled;
        }
        if polled.is_ready() {
            self.heard(buf.filled().get(before..).unwrap_or_default());
            return polled;
        }
        self.alarm.as_mut().poll(cx).map(|()| Err(late("the client did not say what it speaks")))
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

    use super::{PREFACE, Patient};

    /// What is known after these pieces: `None` that it is no preface any more, or all of it.
    #[track_caller]
    fn check(pieces: &[&[u8]], wanted: Option<usize>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _inside = runtime.enter();
        let mut patient = Patient::new((), Duration::from_secs(1), Duration::from_secs(1));
        pieces.iter().for_each(|piece| patient.heard(piece));
        assert_eq!(patient.greeting, wanted, "{pieces:?}");
    }

    #[test]
    fn the_greeting_is_read_along() {
        check(&[], Some(0));
        check(&[b"PRI"], Some(3));
        check(&[b"PRI", b" * "], Some(6));
        check(&[PREFACE], None);
        check(&[&PREFACE[..20], &PREFACE[20..]], None);
        check(&[b"POST"], None);
        check(&[b"P", b"OST"], None);
        check(&[b""], None);
    }
}
