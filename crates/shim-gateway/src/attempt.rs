//! Third stage: try the targets, until one answers with something to relay.

mod refused;
mod unanswered;
mod whole;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode, Uri};
use shim_dialect::{Meter, Operation};
use shim_ir::{Fault, FaultKind, Loss};
use shim_policy::failover::{self, Next};
use shim_policy::fidelity::Rule;
use shim_upstream::{Answer, AttemptError, Connect, PiecesBody, Timeouts, send, send_anew};
use shim_wire::frame::Framing;

pub(crate) use self::refused::{credential_fault, error_of, holds_secret, passable};
pub(crate) use self::unanswered::{late, unanswered};
pub(crate) use self::whole::{Hold, hold, joined, not_an_answer};

use self::refused::refused;
use self::whole::{HOLD_BYTES_MAX, checked};
use crate::count::{estimated, has_no_counter};
use crate::crossing::cross;
use crate::demo;
use crate::first::begins;
use crate::generation::{HttpSetup, ServedBy};
use crate::headers::for_upstream;
use crate::kept::{resaid, said};
use crate::pipeline::{Admitted, Coded, Worker};
use crate::plan::{Plan, Step};
use crate::ticket::Ticket;
use crate::translate::Translation;
use crate::vault::{Changed, carries, is_about_state, may_change, same, watched};

/// An attempt that has an answer. Relaying consumes it, so nothing can be tried again once a byte went out.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) codec: Coded,
    pub(crate) target: http::HeaderValue,
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Answered,
    /// The fault the answer tells of, where it is the upstream's own error.
    pub(crate) fault: Option<Fault>,
    /// What translation could not carry; `None` where the bytes pass as they are.
    pub(crate) losses: Option<Vec<Loss>>,
    pub(crate) timeouts: Timeouts,
}

/// What failed, and what of the upstream's headers is told all the same: when to ask again, and how much is left.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) fault: Fault,
    pub(crate) headers: Option<Box<HeaderMap>>,
    /// What the translation of the request could not carry; none where it was not translated.
    pub(crate) losses: Option<Vec<Loss>>,
}

impl Failed {
    pub(crate) fn with(fault: Fault, headers: HeaderMap) -> Self {
        Self { fault, headers: Some(Box::new(headers)), losses: None }
    }

    /// The same, after a request that lost these.
    pub(crate) fn after(mut self, losses: Vec<Loss>) -> Self {
        self.losses = Some(losses);
        self
    }
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self { fault, headers: None, losses: None }
    }
}

/// What there is of an answer's body.
pub(crate) enum Answered {
    /// All of it, and whether the meter has read it: what is plainly good is read when it is on its way.
    Whole { bytes: Bytes, meter: Box<dyn Meter>, read: bool },
    /// The stream it will be.
    Stream {
        answer: Box<Answer>,
        framing: Framing,
        meter: Box<dyn Meter>,
        /// The gateway asked for usage, not the client: the frame that holds nothing else is left out.
        spare_usage: bool,
    },
    /// A whole answer too large to be held: it goes on as it comes.
    Large { answer: Box<Answer>, first: Vec<Bytes>, meter: Box<dyn Meter> },
    /// The stream of another dialect, and what puts it into the client's.
    Translated { answer: Box<Answer>, translation: Box<Translation> },
}

impl std::fmt::Debug for Answered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Whole { .. } => "whole",
            Self::Stream { .. } => "stream",
            Self::Large { .. } => "large",
            Self::Translated { .. } => "translated",
        })
    }
}

/// Tries the steps of `plan` in order.
///
/// # Errors
/// With the last fault, when no step gave an answer to relay.
pub(crate) async fn attempt<C: Connect>(
    worker: &Worker<C>,
    admitted: &Admitted,
    plan: &Plan,
    ticket: &mut Ticket,
) -> Result<Attempt, Failed> {
    let mut left = plan.steps.len();
    for step in &plan.steps {
        left -= 1;
        ticket.tries(&step.target);
        let tried = tried(worker, admitted, &plan.alias.rule, step, ticket).await;
        let fault = match &tried {
            Ok(Attempt { fault: None, .. }) => return tried,
            Ok(Attempt { fault: Some(fault), .. }) | Err(Failed { fault, .. }) => fault,
        };
        let total = step.target.provider.timeouts.total;
        if left == 0 || failover::after(fault, left, ticket.start().elapsed(), total) == Next::Report {
            return tried;
        }
        ticket.gives_up(fault);
        tracing::info!(exchange = %ticket.id(), target = %step.target.name, %fault, "trying the next target");
    }
    Err(Fault::new(FaultKind::Internal, "the plan has no target").into())
}

/// Tries one step; a count that its provider has no counter for is estimated.
async fn tried<C: Connect>(
    worker: &Worker<C>,
    admitted: &Admitted,
    rule: &Rule,
    step: &Step,
    ticket: &mut Ticket,
) -> Result<Attempt, Failed> {
    if !step.estimated {
        let asked = one(worker, admitted, rule, step, ticket).await;
        if !has_no_counter(admitted, step, &asked) {
            return asked;
        }
    }
    Ok(estimated(&worker.shared, admitted, rule, step, ticket)?)
}

async fn one<C: Connect>(
    worker: &Worker<C>,
    admitted: &Admitted,
    rule: &Rule,
    step: &Step,
    ticket: &mut Ticket,
) -> Result<Attempt, Failed> {
    let http = match &step.endpoint.served_by {
        ServedBy::Demo => {
            // It keeps nothing: what is named must be kept here.
            said(admitted)?;
            return Ok(demo::answer(&worker.shared, admitted, step, ticket)?);
        }
        ServedBy::Http(http) => http,
    };
    if step.endpoint.dialect != admitted.codec.0.dialect() {
        return Box::pin(cross(worker, admitted, rule, step, http, ticket)).await;
    }
    let mut id = [0; 36];
    let seed = ticket.id().print(&mut id);
    let changed = match may_change(admitted, step) {
        true => Box::pin(same(&worker.shared, admitted, rule, step, seed, false)).await?,
        false => None,
    };
    let first = straight(worker, admitted, step, http, changed.as_deref(), seed).await?;
    if !first.fault.as_ref().is_some_and(is_about_state) || !carries(admitted) {
        return Ok(first);
    }
    let Some(bare) = Box::pin(same(&worker.shared, admitted, rule, step, seed, true)).await? else {
        return Ok(first);
    };
    again(step, first.fault.as_ref(), ticket);
    Box::pin(straight(worker, admitted, step, http, Some(&bare), seed)).await
}

/// Notes that a target is asked once more, because it did not take the state it was given.
pub(crate) fn again(step: &Step, fault: Option<&Fault>, ticket: &mut Ticket) {
    if let Some(fault) = fault {
        ticket.gives_up(fault);
        tracing::info!(exchange = %ticket.id(), target = %step.target.name, %fault, "asking again without state");
    }
    ticket.tries(&step.target);
}

/// Asks a target in the client's own dialect, and lets its answer pass.
async fn straight<C: Connect>(
    worker: &Worker<C>,
    admitted: &Admitted,
    step: &Step,
    http: &HttpSetup,
    changed: Option<&Changed>,
    exchange: &str,
) -> Result<Attempt, Failed> {
    let (request, spare_usage) = build(admitted, step, http, changed)?;
    let timeouts = &step.target.provider.timeouts;
    let (connect, pool, origin) = (&worker.connect, &worker.pool, &http.origin);
    let sent = match send(connect, pool, origin, request, timeouts).await {
        Err(AttemptError::Stale(_)) => {
            let (request, _) = build(admitted, step, http, changed)?;
            Box::pin(send_anew(connect, pool, origin, request, timeouts)).await
        }
        sent => sent,
    };
    let answer = Box::new(sent.map_err(|error| unanswered(&error, step))?);
    let attempt = if answer.response.status().is_success() {
        let watch = |meter| watched(&worker.shared, admitted, step, exchange, meter);
        good(admitted, step, http, answer, spare_usage, watch).await
    } else {
        Box::pin(refused(admitted, step, http, *answer)).await
    };
    // What was left out is told also where the target refused the rest.
    attempt.map(|attempt| Attempt { losses: changed.map(|changed| changed.losses.clone()), ..attempt })
}

/// The request to the upstream: the client's body with its splices, the headers that may pass.
fn build(
    admitted: &Admitted,
    step: &Step,
    http: &HttpSetup,
    changed: Option<&Changed>,
) -> Result<(Request<PiecesBody>, bool), Fault> {
    let codec = admitted.codec.0;
    let internal =
        |e: &dyn std::fmt::Display| Fault::new(FaultKind::Internal, "the request cannot be built").detail(e);
    let model = step.target.id.model.as_str();
    let resaid = if changed.is_none() { resaid(admitted, step)? } else { None };
    let own = resaid.as_ref().map_or((&admitted.body, &admitted.head), |(head, body)| (body, head));
    let (body, head) = changed.map_or(own, |changed| (&changed.body, &changed.head));
    let ask = http.ask_usage && head.stream && head.usage_ask.is_some();
    let splices = match admitted.route.operation {
        Operation::Stored | Operation::Models => smallvec::SmallVec::new(),
        Operation::Generate | Operation::Embed | Operation::CountTokens => codec.retarget(head, model, ask),
    };
    let pieces = shim_wire::splice(body, splices).map_err(|e| internal(&e))?;
    let path = codec.upstream_path(&admitted.route, model);
    let uri = Uri::try_from([http.base_path.as_str(), path.as_str()].concat()).map_err(|e| internal(&e))?;
    let mut request = Request::new(PiecesBody::new(pieces));
    *request.method_mut() = admitted.parts.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = for_upstream(&admitted.parts.headers, http);
    Ok((request, ask))
}

async fn good(
    admitted: &Admitted,
    step: &Step,
    http: &HttpSetup,
    mut answer: Box<Answer>,
    spare_usage: bool,
    watch: impl FnOnce(Box<dyn Meter>) -> Box<dyn Meter>,
) -> Result<Attempt, Failed> {
    let codec = admitted.codec;
    let mut meter = watch(codec.0.meter(admitted.route.operation));
    let timeouts = step.target.provider.timeouts;
    let status = answer.response.status();
    let headers = std::mem::take(answer.response.headers_mut());
    if let Some(fault) = encoded(&headers, step) {
        return Err(Failed::with(fault, headers));
    }
    let body = if let Some(framing) = framing_of(admitted, &headers) {
        if let Err(fault) = begins(&mut answer, step, http, admitted.route.operation, framing).await {
            return Err(Failed::with(fault, headers));
        }
        Answered::Stream { answer, framing, meter, spare_usage }
    } else {
        match hold(&mut answer, step, HOLD_BYTES_MAX).await {
            Ok(Hold::Whole(bytes)) => {
                answer.lease.give_back();
                match checked(admitted, step, &headers, &bytes, meter.as_mut()) {
                    Ok(read) => Answered::Whole { bytes, meter, read },
                    Err(fault) => {
                        let secret = holds_secret(http, &bytes);
                        let fault = if secret { credential_fault(step, &fault) } else { fault };
                        return Err(Failed::with(fault, headers));
                    }
                }
            }
            Ok(Hold::More(first)) => Answered::Large { answer, first, meter },
            Err(fault) => return Err(Failed::with(fault, headers)),
        }
    };
    let target = step.target.header.clone();
    Ok(Attempt { codec, target, status, headers, body, fault: None, losses: None, timeouts })
}

/// An answer with a content encoding can be read neither here nor, without the header, by the client; none was asked for.
pub(crate) fn encoded(headers: &HeaderMap, step: &Step) -> Option<Fault> {
    let encoding =
        headers.get(CONTENT_ENCODING).filter(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"))?;
    let message = format!(
        "{} compressed its answer ({encoding:?}) though nobody asked for that",
        step.target.provider.id
    );
    Some(Fault::new(FaultKind::UpstreamMalformed, message))
}

/// The framing of a successful answer; none for a whole one.
fn framing_of(admitted: &Admitted, headers: &HeaderMap) -> Option<Framing> {
    let kind = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    if kind.get(..17).is_some_and(|k| k.eq_ignore_ascii_case(b"text/event-stream")) {
        return Some(Framing::Sse);
    }
    let grows = admitted.route.stream && admitted.route.framing == Framing::JsonArray;
    (grows && kind.starts_with(b"application/json")).then_some(Framing::JsonArray)
}
