//! Third stage: try the targets, until one answers with something to relay.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use shim_dialect::{Meter, Operation};
use shim_ir::{Fault, FaultKind, Loss};
use shim_policy::failover::{self, Next};
use shim_policy::fidelity::Rule;
use shim_upstream::{Answer, AttemptError, Connect, Phase, PiecesBody, Timeouts, in_time, send};
use shim_wire::frame::Framing;
use shim_wire::scan::utf8;
use tokio::time::{Instant, timeout_at};

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

/// A whole answer up to this size is held until it is complete, so that a broken one can still be replaced by another
/// target's or by a clear fault.
const HOLD_BYTES_MAX: usize = 1 << 20;

/// The most that is read of an upstream's error.
const ERROR_BYTES_MAX: usize = 256 << 10;

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
    let sent = send(&worker.connect, &worker.pool, &http.origin, request, timeouts).await;
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

pub(crate) fn unanswered(error: &AttemptError, step: &Step) -> Fault {
    let provider = &step.target.provider.id;
    let source = std::error::Error::source(error).map(|s| format!("{error}: {s}"));
    let detail = source.unwrap_or_else(|| error.to_string());
    let fault = match error {
        AttemptError::Connect(_) => {
            let why = error.why_unreachable().unwrap_or_default();
            Fault::new(FaultKind::UpstreamUnreachable, format!("{provider} could not be reached: {why}"))
        }
        AttemptError::Exchange(error) if error.is_parse() => {
            Fault::new(FaultKind::UpstreamMalformed, format!("{provider} does not answer in HTTP"))
        }
        AttemptError::Exchange(_) => {
            let message = format!("{provider} closed the connection before it answered");
            Fault::new(FaultKind::UpstreamCut, message)
        }
        AttemptError::Timeout(phase) => late(provider.as_str(), *phase, &step.target.provider.timeouts),
    };
    fault.detail(detail)
}

/// The fault of a phase that took too long.
pub(crate) fn late(upstream: &str, phase: Phase, timeouts: &Timeouts) -> Fault {
    let bound = format!("{:?} (timeouts.{})", timeouts.of(phase), phase.name());
    let (kind, message) = match phase {
        Phase::Connect => (
            FaultKind::UpstreamUnreachable,
            format!("no connection to {upstream} could be made within {bound}"),
        ),
        Phase::FirstByte => {
            (FaultKind::UpstreamTimeout, format!("{upstream} did not begin to answer within {bound}"))
        }
        Phase::Idle => {
            (FaultKind::UpstreamTimeout, format!("{upstream} fell silent in its answer for {bound}"))
        }
        Phase::Total => (FaultKind::UpstreamTimeout, format!("{upstream} was not done within {bound}")),
    };
    Fault::new(kind, message)
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

/// Checks a whole answer: it must be complete JSON, and tell of no failure. What has the look of a good answer goes to the
/// client as it is, before it is read. Returns whether the meter has read it.
fn checked(
    admitted: &Admitted,
    step: &Step,
    headers: &HeaderMap,
    bytes: &Bytes,
    meter: &mut dyn Meter,
) -> Result<bool, Fault> {
    let generates = admitted.route.operation == Operation::Generate;
    if bytes.is_empty() && !generates {
        return Ok(true);
    }
    let malformed = |why: &dyn std::fmt::Display| {
        let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("no content type");
        let provider = &step.target.provider.id;
        let message = format!("{provider} answered with something that is not an answer ({kind})");
        Fault::new(FaultKind::UpstreamMalformed, message).detail(why)
    };
    let text = utf8(bytes).map_err(|e| malformed(&e))?;
    if !generates {
        shim_wire::scan::check(bytes, shim_wire::scan::Limits::default()).map_err(|e| malformed(&e))?;
    }
    // What its client will not send back is remembered before it can ask again.
    let restores = step.target.rules(step.endpoint.dialect).restores;
    if generates && !restores && admitted.codec.0.is_plainly_good(text) {
        return Ok(false);
    }
    // The meter of an answer to a conversation reads all of it, and so says whether it is JSON.
    meter.whole(text);
    match &meter.reading().fault {
        Some(fault) if fault.kind == FaultKind::UpstreamMalformed => Err(malformed(fault)),
        Some(fault) => Err(fault.clone()),
        None => Ok(true),
    }
}

pub(crate) enum Hold {
    Whole(Bytes),
    More(Vec<Bytes>),
}

/// Reads a whole answer, up to `bytes_max`.
pub(crate) async fn hold(answer: &mut Answer, step: &Step, bytes_max: usize) -> Result<Hold, Fault> {
    let timeouts = &step.target.provider.timeouts;
    let provider = &step.target.provider.id;
    let mut pieces: Vec<Bytes> = Vec::new();
    let mut size = 0;
    loop {
        let until = || timeouts.until(Phase::Idle, Instant::now(), answer.deadline);
        let frame = in_time(answer.response.body_mut().frame(), until).await;
        match frame.map_err(|phase| late(provider.as_str(), phase, timeouts))? {
            None => break,
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    size += data.len();
                    pieces.push(data);
                }
            }
            Some(Err(e)) => {
                let message = format!("{provider} closed the connection in the middle of its answer");
                return Err(Fault::new(FaultKind::UpstreamCut, message).detail(e));
            }
        }
        if size > bytes_max {
            return Ok(Hold::More(pieces));
        }
    }
    Ok(Hold::Whole(joined(pieces)))
}

/// The pieces as one; the usual single piece is not copied.
pub(crate) fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.len() {
        0 => Bytes::new(),
        1 => pieces.pop().unwrap_or_default(),
        _ => pieces.concat().into(),
    }
}

/// An error of the upstream: passed on as it came, unless it could tell of the gateway's own credential.
async fn refused(
    admitted: &Admitted,
    step: &Step,
    http: &HttpSetup,
    answer: Answer,
) -> Result<Attempt, Failed> {
    let codec = admitted.codec;
    let (parts, bytes) = error_of(step, answer).await;
    let fault = match passable(codec, step, http, &parts, &bytes) {
        Ok(fault) => fault,
        Err(fault) => return Err(Failed::with(fault, parts.headers)),
    };
    let mut meter = codec.0.meter(admitted.route.operation);
    if let Ok(text) = utf8(&bytes) {
        meter.whole(text);
    }
    Ok(Attempt {
        codec,
        target: step.target.header.clone(),
        status: parts.status,
        headers: parts.headers,
        body: Answered::Whole { bytes, meter, read: true },
        fault: Some(fault),
        losses: None,
        timeouts: step.target.provider.timeouts,
    })
}

/// An upstream's error, as far as it came.
pub(crate) async fn error_of(step: &Step, answer: Answer) -> (http::response::Parts, Bytes) {
    let (parts, body) = answer.response.into_parts();
    let (until, _) = step.target.provider.timeouts.until(Phase::Idle, Instant::now(), answer.deadline);
    let collected = http_body_util::Limited::new(body, ERROR_BYTES_MAX).collect();
    let bytes = match timeout_at(until, collected).await {
        Ok(Ok(collected)) => {
            answer.lease.give_back();
            collected.to_bytes()
        }
        // The status tells enough; the connection, in the middle of an answer, is of no further use.
        Ok(Err(_)) | Err(_) => Bytes::new(),
    };
    (parts, bytes)
}

/// The fault an upstream's error tells of; an error where the client must not, or could not, read it as it came.
pub(crate) fn passable(
    codec: Coded,
    step: &Step,
    http: &HttpSetup,
    parts: &http::response::Parts,
    bytes: &Bytes,
) -> Result<Fault, Fault> {
    let provider = &step.target.provider.id;
    let status = parts.status.as_u16();
    if !(400..600).contains(&status) {
        let redirect = if parts.status.is_redirection() { ", a redirect that is not followed" } else { "" };
        let message = format!("{provider} answered with status {status}{redirect}");
        return Err(Fault::new(FaultKind::UpstreamMalformed, message));
    }
    let mut fault = codec.0.decode_fault(status, bytes);
    fault.retry_after_ms = fault.retry_after_ms.or_else(|| retry_after(&parts.headers));
    if parts.status == StatusCode::UNAUTHORIZED || holds_secret(http, bytes) {
        return Err(credential_fault(step, &fault));
    }
    // What is no JSON object is not the dialect's error: it is told in the client's.
    let is_object = bytes.trim_ascii_start().starts_with(b"{") || bytes.trim_ascii_start().starts_with(b"[");
    let is_json = shim_wire::scan::check(bytes, shim_wire::scan::Limits::default()).is_ok();
    if is_object && is_json { Ok(fault) } else { Err(fault) }
}

/// Providers show a part of the credential they refuse; the client must not see it.
pub(crate) fn credential_fault(step: &Step, theirs: &Fault) -> Fault {
    let provider = &step.target.provider;
    let message = match &provider.credential {
        Some(name) => format!("{} refused the gateway's credential ({name})", provider.id),
        None => format!("{} wants a credential, and the gateway has none for it", provider.id),
    };
    let mut fault = Fault::new(FaultKind::UpstreamCredential, message);
    fault.status = theirs.status.filter(|status| *status == 401).or(Some(502));
    fault
}

pub(crate) fn holds_secret(http: &HttpSetup, bytes: &[u8]) -> bool {
    let secret = http.secret.as_ref().map(|s| s.expose().as_bytes()).filter(|s| !s.is_empty());
    secret.is_some_and(|secret| memchr::memmem::find(bytes, secret).is_some())
}

/// How long the upstream asks to wait, from its headers.
fn retry_after(headers: &http::HeaderMap) -> Option<u64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    number("retry-after-ms").or_else(|| number("retry-after").map(|s| s.saturating_mul(1000)))
}
