//! The five stages, strung together.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use shim_dialect::{Codec, Operation, Route};
use shim_ir::{Fault, FaultKind};
use shim_upstream::{Connect, Pool};

use crate::admit::{Arrival, admit};
use crate::answer::{AnswerBody, mark, of_fault};
use crate::attempt::{Failed, attempt};
use crate::ending::ended;
use crate::extraction;
use crate::feedback::feedback;
use crate::generation::Snapshot;
use crate::hold::discard;
use crate::kept;
use crate::models::list;
use crate::plan::plan;
use crate::relay::relay;
use crate::reserve::reserve;
use crate::routes::{Routed, route};
use crate::sentinel;
use crate::shared::Shared;
use crate::ticket::Ticket;
use crate::vault::{self, Recalled};

/// What one worker thread answers requests with.
#[derive(Debug)]
pub struct Worker<C> {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// Opens connections to upstreams.
    pub connect: C,
    /// Idle connections to upstreams.
    pub pool: Pool,
}

/// Answers one request of a client. It always gives an answer: what goes wrong is told in the client's dialect.
pub async fn respond<C, B>(worker: &Worker<C>, request: Request<B>) -> Response<AnswerBody>
where
    C: Connect,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (parts, body) = request.into_parts();
    let parts = Box::new(parts);
    let (codec, route) = match route(&parts.method, parts.uri.path(), parts.uri.query(), &parts.headers) {
        Routed::Exchange(codec, route) => (codec, route),
        Routed::Root => return plain(&parts.method, StatusCode::OK),
        Routed::Upgrade => return plain(&parts.method, StatusCode::UPGRADE_REQUIRED),
        Routed::Feedback => return Box::pin(feedback(&worker.shared, &parts, body)).await,
        Routed::Unknown(codec) => return Box::pin(unknown(worker, codec, &parts, body)).await,
    };
    let snapshot = worker.shared.snapshot();
    let mut ticket = Ticket::open(&worker.shared, snapshot.number(), codec.dialect(), route.operation.name());
    let arrival = Arrival { codec, route, parts, body };
    let staged = tokio::select! {
        biased;
        staged = exchange(worker, &snapshot, arrival, &mut ticket) => staged,
        () = worker.shared.ending.wait() => Err(ended().into()),
    };
    match staged {
        Ok(Staged::Relay(attempt)) => relay(*attempt, &snapshot, ticket),
        Ok(Staged::Whole(response)) => {
            ticket.answers(response.status().as_u16());
            let receipt = ticket.deliver();
            response.map(|body| body.after(receipt))
        }
        Err(failed) => of_fault(codec, failed, &snapshot, ticket),
    }
}

/// Tells a client that comes when the gateway is shutting down.
pub(crate) async fn turn_away<C>(worker: &Worker<C>, request: Request<Incoming>) -> Response<AnswerBody> {
    let (parts, body) = request.into_parts();
    let (codec, operation) = match route(&parts.method, parts.uri.path(), parts.uri.query(), &parts.headers) {
        Routed::Exchange(codec, route) => (codec, route.operation.name()),
        Routed::Unknown(codec) => (codec, "unknown"),
        Routed::Root | Routed::Upgrade | Routed::Feedback => {
            return plain(&parts.method, StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    let snapshot = worker.shared.snapshot();
    let ticket = Ticket::open(&worker.shared, snapshot.number(), codec.dialect(), operation);
    discard(&snapshot.limits, &parts.headers, body).await;
    let mut fault = Fault::new(FaultKind::Unavailable, "the gateway is shutting down; ask again");
    fault.retry_after_ms = Some(1000);
    of_fault(codec, fault.into(), &snapshot, ticket)
}

/// What the stages before relaying come to.
enum Staged {
    Relay(Box<crate::attempt::Attempt>),
    /// An answer the gateway has itself.
    Whole(Response<AnswerBody>),
}

async fn exchange<C, B>(
    worker: &Worker<C>,
    snapshot: &Arc<Snapshot>,
    arrival: Arrival<B>,
    ticket: &mut Ticket,
) -> Result<Staged, Failed>
where
    C: Connect,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut admitted = admit(&worker.shared, snapshot, arrival, ticket).await?;
    if admitted.route.operation == Operation::Models {
        let mut listed = list(&worker.shared, snapshot, &admitted)?;
        mark(listed.headers_mut(), snapshot, ticket);
        return Ok(Staged::Whole(listed));
    }
    if let Some(told) = kept::stored(&worker.shared, snapshot, &mut admitted, ticket).await? {
        return Ok(Staged::Whole(told));
    }
    kept::resolve(&worker.shared, snapshot, &mut admitted).await?;
    let mut plan = plan(&worker.shared, snapshot, &admitted)?;
    vault::prefer(&worker.shared, &admitted, &mut plan, ticket).await;
    reserve(&worker.shared, &admitted, &plan, ticket).map_err(|failed| *failed)?;
    // Before it is sent and not while the answer is on its way: what was just read is still near the processor.
    ticket.outlines(sentinel::sample(&admitted));
    ticket.admitted().await;
    let attempt = attempt(worker, &admitted, &plan, ticket).await?;
    vault::note(&worker.shared, &admitted, &plan, ticket).await;
    kept::deleted(&worker.shared, &admitted, attempt.status).await?;
    let tap = kept::tap(&mut admitted, &attempt, ticket);
    ticket.taps(tap);
    ticket.samples(extraction::sample(&admitted, &plan));
    // What was decoded may refer to the body it was read from.
    ticket.holds_body(admitted.held, admitted.decoded.get().is_some());
    Ok(Staged::Relay(Box::new(attempt)))
}

fn plain(method: &Method, status: StatusCode) -> Response<AnswerBody> {
    let text = match status {
        StatusCode::OK => "shim\n",
        StatusCode::UPGRADE_REQUIRED => "websockets are not spoken here\n",
        _ => "shutting down\n",
    };
    let body = if method == Method::HEAD { Bytes::new() } else { Bytes::from_static(text.as_bytes()) };
    let mut response = Response::new(AnswerBody::whole(body));
    *response.status_mut() = status;
    response
}

async fn unknown<C, B>(
    worker: &Worker<C>,
    codec: &'static dyn Codec,
    parts: &http::request::Parts,
    body: B,
) -> Response<AnswerBody>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let snapshot = worker.shared.snapshot();
    let ticket = Ticket::open(&worker.shared, snapshot.number(), codec.dialect(), "unknown");
    discard(&snapshot.limits, &parts.headers, body).await;
    let path: String = parts.uri.path().chars().take(PATH_SHOWN_MAX).collect();
    let fault = Fault::new(FaultKind::UnknownRoute, format!("there is no route {} {path}", parts.method));
    of_fault(codec, fault.into(), &snapshot, ticket)
}

/// The most that is shown of a path nobody knows.
const PATH_SHOWN_MAX: usize = 200;

/// What is asked, once it was admitted: the same for every stage after.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) codec: Coded,
    pub(crate) route: Route,
    pub(crate) parts: Box<http::request::Parts>,
    pub(crate) head: shim_dialect::Head,
    pub(crate) body: Bytes,
    pub(crate) key: Option<Arc<crate::key::Key>>,
    /// The request, decoded when a target of another dialect is first tried.
    pub(crate) decoded: OnceLock<Result<Arc<shim_ir::Request>, Fault>>,
    /// How much of it may be kept, by the strictest of all who may say so.
    pub(crate) record: shim_policy::record::Record,
    /// What it names of answers that are kept.
    pub(crate) named: Option<Box<crate::kept::Named>>,
    /// The provider that keeps the answer it is about.
    pub(crate) keeper: Option<Box<str>>,
    /// What is remembered of the conversation, looked up when a target first needs it.
    pub(crate) recalled: tokio::sync::OnceCell<Recalled>,
    /// Counts the body against the bound on all bodies for as long as it is held.
    pub(crate) held: crate::hold::Held,
}

impl Admitted {
    /// Whether `body` is the client's, of which `head` tells.
    pub(crate) fn is_own(&self, body: &Bytes) -> bool {
        body.as_ptr() == self.body.as_ptr() && body.len() == self.body.len()
    }
}

/// A codec that can be shown in a debug line.
#[derive(Clone, Copy)]
pub(crate) struct Coded(pub(crate) &'static dyn Codec);

impl std::fmt::Debug for Coded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.dialect().name())
    }
}
