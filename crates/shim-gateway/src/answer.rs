//! Answers to clients: bodies, and faults in the client's dialect.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use shim_dialect::Codec;
use shim_ir::{Fault, Fidelity, Loss};
use shim_store::ledger::Receipt;

use crate::attempt::Failed;
use crate::generation::Snapshot;
use crate::headers::{AFFINITY, ATTEMPTS, EXCHANGE, FIDELITY, GENERATION, TARGET, for_client, value};
use crate::relay::Relay;
use crate::streams::Slot;
use crate::ticket::Ticket;

/// The body of an answer.
#[derive(Debug)]
pub struct AnswerBody {
    inner: Inner,
    /// A whole answer waits for it; one that is relayed has its own.
    receipt: Receipt,
}

#[derive(Debug)]
enum Inner {
    Whole(Option<Bytes>),
    Relay(Box<Relay>),
    /// Any of them, where its client must take it within bounds.
    Watched(Arc<Slot>),
}

/// An answer that was cut: the connection is closed instead of ended, so that nobody takes it for whole.
#[derive(Debug, thiserror::Error)]
#[error("the upstream's answer was cut")]
pub struct Cut;

impl AnswerBody {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { inner: Inner::Whole((!bytes.is_empty()).then_some(bytes)), receipt: Receipt::ready() }
    }

    pub(crate) fn relay(relay: Relay) -> Self {
        Self { inner: Inner::Relay(Box::new(relay)), receipt: Receipt::ready() }
    }

    pub(crate) fn watched(slot: Arc<Slot>) -> Self {
        Self { inner: Inner::Watched(slot), receipt: Receipt::ready() }
    }

    /// The same, sent when the exchange is on the disk.
    pub(crate) fn after(self, receipt: Receipt) -> Self {
        Self { receipt, ..self }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        ready!(self.receipt.poll_ready(cx));
        match &mut self.inner {
            Inner::Whole(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Inner::Relay(relay) => relay.poll(cx).map(|polled| polled.map(|data| data.map(Frame::data))),
            Inner::Watched(slot) => slot.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Whole(bytes) => bytes.is_none(),
            Inner::Relay(relay) => relay.is_over(),
            Inner::Watched(slot) => slot.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Inner::Relay(_) => SizeHint::default(),
            Inner::Watched(slot) => slot.size(),
        }
    }
}

/// Tells a client in its dialect of what failed, and settles the exchange with it.
pub(crate) fn of_fault(
    codec: &'static dyn Codec,
    failed: Failed,
    snapshot: &Snapshot,
    mut ticket: Ticket,
) -> Response<AnswerBody> {
    let Failed { fault, headers: theirs, losses } = failed;
    if let Some(losses) = losses {
        ticket.carried(losses);
    }
    let body = codec.encode_fault(&fault);
    let status = StatusCode::from_u16(fault.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(AnswerBody::whole(body.clone()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    *headers = theirs.map(|theirs| for_client(*theirs)).unwrap_or_default();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    retry(headers, &fault);
    if let Some(target) = ticket.target().and_then(|target| value(target)) {
        headers.insert(TARGET, target);
    }
    mark(headers, snapshot, &ticket);
    ticket.answers(status.as_u16());
    ticket.sent(&body);
    let receipt = ticket.fail(&fault);
    response.map(|body| body.after(receipt))
}

/// Says when to try again, where the fault knows and the upstream's own headers do not say it.
pub(crate) fn retry(headers: &mut HeaderMap, fault: &Fault) {
    if let Some(ms) = fault.retry_after_ms
        && !headers.contains_key(RETRY_AFTER)
    {
        headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
    }
}

/// The headers that say which exchange this was.
pub(crate) fn mark(headers: &mut HeaderMap, snapshot: &Snapshot, ticket: &Ticket) {
    if let Some(id) = value(ticket.id().print(&mut [0; 36])) {
        headers.insert(EXCHANGE, id);
    }
    headers.insert(GENERATION, snapshot.header().clone());
    if let Some(affinity) = ticket.affinity() {
        headers.insert(AFFINITY, HeaderValue::from_static(affinity.name()));
    }
    if ticket.attempts() > 1 {
        headers.insert(ATTEMPTS, HeaderValue::from(ticket.attempts()));
    }
}

/// The mark of an answer that was translated, with the number of losses that are known when it begins.
pub(crate) fn mapped(headers: &mut HeaderMap, losses: Vec<Loss>, ticket: &mut Ticket) {
    let fidelity = Fidelity::Mapped { losses: u32::try_from(losses.len()).unwrap_or(u32::MAX) };
    if let Some(value) = value(&fidelity.to_string()) {
        headers.insert(FIDELITY, value);
    }
    ticket.carried(losses);
}

/// The mark of an answer that passed unchanged.
pub(crate) fn exact(headers: &mut HeaderMap) {
    headers.insert(FIDELITY, HeaderValue::from_static("exact"));
}
