//! HTTP/2 connections that do not wait forever. An answer that a client does not take waits in flow control there, where no
//! write to the socket shows it: who reads it is not asked for more, and so its own bounds do not run either.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Instant, sleep};

use crate::answer::{AnswerBody, Cut};
use crate::ending::Ending;
use crate::serve::ServeLimits;

/// The most that is handed over at a time: all of a piece counts as taken once its first byte may be sent.
const PIECE_BYTES_MAX: usize = 16 << 10;

/// How often a bound is looked at while it lasts.
const LOOKS: u32 = 8;

/// How long a client that was told that its connection is over may take to leave.
const LEAVE: Duration = Duration::from_secs(2);

/// The answers of one HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct Streams {
    state: Mutex<State>,
    limits: ServeLimits,
    /// Declared when the connection was idle for too long.
    pub(crate) idle: Ending,
}

#[derive(Debug)]
struct State {
    answers: Vec<Weak<Slot>>,
    /// Requests that have no answer yet.
    asked: usize,
    /// Until when the connection may stay without a request or an answer.
    until: Instant,
}

impl Streams {
    /// The answers of a connection that begins.
    pub(crate) fn new(limits: ServeLimits) -> Arc<Self> {
        let until = Instant::now() + limits.head_timeout;
        let state = Mutex::new(State { answers: Vec::new(), asked: 0, until });
        Arc::new(Self { state, limits, idle: Ending::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when a connection on which something happens `now` may stay: what was handed over may still be on its way.
    fn idle_until(&self, now: Instant) -> Instant {
        now + self.limits.stall_timeout.max(self.limits.head_timeout)
    }

    /// A request has come; it has no answer until this is dropped.
    pub(crate) fn asked(self: &Arc<Self>) -> Asked {
        self.state().asked += 1;
        Asked(self.clone())
    }

    /// The same answer, taken back where its client does not take it.
    pub(crate) fn watched(&self, body: AnswerBody) -> AnswerBody {
        let slot = Arc::new(Slot(Mutex::new(Held {
            body: Some(body),
            rest: Bytes::new(),
            waits: Some(Instant::now()),
        })));
        let mut state = self.state();
        if state.answers.len() == state.answers.capacity() {
            state.answers.retain(|slot| slot.strong_count() > 0);
        }
        state.answers.push(Arc::downgrade(&slot));
        AnswerBody::watched(slot)
    }

    /// Sees to the connection until it was idle for too long, and its client had time to leave.
    pub(crate) async fn watch(&self) {
        let bound = self.limits.stall_timeout.min(self.limits.head_timeout);
        while !self.is_idle() {
            sleep((bound / LOOKS).max(Duration::from_millis(1))).await;
        }
        self.idle.declare();
        sleep(LEAVE).await;
    }

    /// Takes back the answers that nobody takes. Whether the connection is idle for too long.
    fn is_idle(&self) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let answers: Vec<_> = state.answers.iter().filter_map(Weak::upgrade).collect();
        let busy = state.asked > 0 || answers.iter().any(|slot| slot.is_there());
        if busy {
            state.until = self.idle_until(now);
        }
        let over = !busy && state.until <= now;
        drop(state);
        // Outside the lock: with it an exchange may end.
        let stalled = answers.iter().filter_map(|slot| slot.stalled(now, self.limits.stall_timeout));
        stalled.for_each(|body| {
            tracing::debug!("a client of HTTP/2 takes nothing of its answer");
            drop(body);
        });
        over
    }
}

/// A request without an answer yet.
#[derive(Debug)]
pub(crate) struct Asked(Arc<Streams>);

impl Drop for Asked {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.asked -= 1;
        state.until = self.0.idle_until(Instant::now());
    }
}

/// An answer that may be taken back.
#[derive(Debug)]
pub(crate) struct Slot(Mutex<Held>);

#[derive(Debug)]
struct Held {
    /// Gone when it was taken back.
    body: Option<AnswerBody>,
    /// What is left of the piece it gave last.
    rest: Bytes,
    /// Since when it waits for its client; none while it waits for its upstream.
    waits: Option<Instant>,
}

impl Slot {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_there(&self) -> bool {
        self.held().body.is_some()
    }

    /// The answer, where it waited this long for its client.
    fn stalled(&self, now: Instant, stall: Duration) -> Option<AnswerBody> {
        let mut held = self.held();
        let stalled = held.waits.is_some_and(|since| now.saturating_duration_since(since) >= stall);
        held.body.take_if(|_| stalled)
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let mut held = self.held();
        let held = &mut *held;
        let Some(body) = &mut held.body else { return Poll::Ready(Some(Err(Cut))) };
        if held.rest.is_empty() {
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => held.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                Poll::Ready(over) => return Poll::Ready(over),
                Poll::Pending => {
                    held.waits = None;
                    return Poll::Pending;
                }
            }
        }
        held.waits = Some(Instant::now());
        let piece = held.rest.split_to(held.rest.len().min(PIECE_BYTES_MAX));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    pub(crate) fn is_end(&self) -> bool {
        let held = self.held();
        held.rest.is_empty() && held.body.as_ref().is_some_and(AnswerBody::is_end_stream)
    }

    pub(crate) fn size(&self) -> SizeHint {
        let held = self.held();
        let mut size = held.body.as_ref().map(AnswerBody::size_hint).unwrap_or_default();
        let rest = held.rest.len() as u64;
        if let Some(upper) = size.upper() {
            size.set_upper(upper + rest);
        }
        size.set_lower(size.lower() + rest);
        size
    }
}
