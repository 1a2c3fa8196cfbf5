//! An attempt at a target that speaks another dialect than the client.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use shim_dialect::{DecodeError, Echo, Operation, Reading, speaker};
use shim_ir::{Fault, FaultKind, Loss};
use shim_policy::fidelity::Rule;
use shim_policy::tokens::Estimate;
use shim_upstream::{Answer, AttemptError, Connect, PiecesBody, send, send_anew};
use shim_wire::frame::Framing;
use shim_wire::scan::utf8;

use crate::attempt::{
    Answered, Attempt, Failed, Hold, again, credential_fault, encoded, error_of, hold, holds_secret,
    not_an_answer, passable, unanswered,
};
use crate::embed::embed;
use crate::first::begins;
use crate::generation::HttpSetup;
use crate::headers::{for_upstream, need};
use crate::kept::{asked, repeated, said};
use crate::pipeline::{Admitted, Coded, Worker};
use crate::plan::Step;
use crate::shared::hexadecimal;
use crate::ticket::Ticket;
use crate::translate::{Inbound, Known, NO_ANSWER, Outbound, Pair, Sent};
use crate::vault::{carries_state, give_to, is_about_state, keeping};

/// The most of a whole answer that is read to be translated: it is held twice.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Asks a target in its own dialect, and puts its answer into the client's.
///
/// # Errors
/// When the request or the answer cannot be put into the other dialect, or the target does not answer.
pub(crate) async fn cross<C: Connect>(
    worker: &Worker<C>,
    admitted: &Admitted,
    rule: &Rule,
    step: &Step,
    http: &HttpSetup,
    ticket: &mut Ticket,
) -> Result<Attempt, Failed> {
    if admitted.route.operation == Operation::Embed {
        return embed(worker, admitted, rule, step, http, ticket).await;
    }
    let pair = pair(admitted, step)?;
    let mut id = [0; 36];
    let seed = ticket.id().print(&mut id);
    let given = Box::pin(give_to(&worker.shared, admitted, step, false)).await?;
    let mut outbound = pair.outbound(step, &given, seed, rule)?;
    if admitted.route.operation == Operation::Generate
        && !step.target.provider.counts()
        && worker.shared.corrections.wants(&step.target.name, ticket.id())
    {
        ticket.weighs(Estimate::of(&pair.request));
    }
    let streamed = admitted.head.stream || admitted.route.stream;
    let mut asked = ask(worker, admitted, step, http, streamed, &outbound.sent).await;
    if let Err(failed) = &asked
        && is_about_state(&failed.fault)
        && carries_state(given.request.as_ref().unwrap_or(&pair.request))
    {
        again(step, Some(&failed.fault), ticket);
        let bare = Box::pin(give_to(&worker.shared, admitted, step, true)).await?;
        outbound = pair.outbound(step, &bare, seed, rule)?;
        asked = ask(worker, admitted, step, http, streamed, &outbound.sent).await;
    }
    let Outbound { echo, losses, .. } = outbound;
    match asked {
        Ok(answer) => {
            let inbound = inbound(worker, admitted, step, pair, echo, seed);
            answered(admitted, step, http, answer, inbound, losses).await
        }
        Err(failed) => Err(failed.after(losses)),
    }
}

/// What reading the answer will need.
fn inbound<C>(
    worker: &Worker<C>,
    admitted: &Admitted,
    step: &Step,
    mut pair: Pair,
    echo: Echo,
    seed: &str,
) -> Inbound {
    let keeping = keeping(&worker.shared, admitted, step, pair.request.clone(), seed);
    pair.request = repeated(admitted, pair.request);
    let streamed = admitted.head.stream || admitted.route.stream;
    Inbound {
        pair,
        echo,
        id: hexadecimal(seed),
        created: worker.shared.clock.now_ms() / 1000,
        framing: streamed.then_some(admitted.route.framing),
        keeping,
    }
}

/// Sends a request in the target's dialect.
///
/// # Errors
/// When there is no answer, or one that tells of a failure.
pub(crate) async fn ask<C: Connect>(
    worker: &Worker<C>,
    admitted: &Admitted,
    step: &Step,
    http: &HttpSetup,
    streamed: bool,
    sent: &Sent,
) -> Result<Answer, Failed> {
    let request = build(admitted, step, http, streamed, sent)?;
    let timeouts = &step.target.provider.timeouts;
    let (connect, pool, origin) = (&worker.connect, &worker.pool, &http.origin);
    let sent = match send(connect, pool, origin, request, timeouts).await {
        Err(AttemptError::Stale(_)) => {
            let request = build(admitted, step, http, streamed, sent)?;
            Box::pin(send_anew(connect, pool, origin, request, timeouts)).await
        }
        sent => sent,
    };
    let answer = sent.map_err(|error| unanswered(&error, step))?;
    if answer.response.status().is_success() {
        return Ok(answer);
    }
    let (parts, bytes) = error_of(step, answer).await;
    let fault = passable(Coded(speaker(step.endpoint.dialect)), step, http, &parts, &bytes);
    let (Ok(fault) | Err(fault)) = fault;
    Err(Failed::with(fault, parts.headers))
}

/// The two dialects, and the request.
fn pair(admitted: &Admitted, step: &Step) -> Result<Pair, Fault> {
    let client = speaker(admitted.codec.0.dialect());
    let operation = admitted.route.operation;
    Ok(Pair { client, upstream: speaker(step.endpoint.dialect), operation, request: decoded(admitted)? })
}

/// The request, as it is decoded once for all targets that need it.
///
/// # Errors
/// When it is not one of the client's dialect.
pub(crate) fn decoded(admitted: &Admitted) -> Result<Arc<shim_ir::Request>, Fault> {
    let client = speaker(admitted.codec.0.dialect());
    let decode = || {
        let body = said(admitted)?;
        let text = utf8(&body).map_err(|error| DecodeError::from(error).into_request_fault())?;
        let read = || client.decode_request(&admitted.route, text).map_err(DecodeError::into_request_fault);
        // Reading its head has checked the client's own body.
        let request = if admitted.is_own(&body) { shim_wire::checked(&body, read)? } else { read()? };
        Ok(Arc::new(asked(admitted, request)))
    };
    admitted.decoded.get_or_init(decode).clone()
}

/// The request to the upstream.
fn build(
    admitted: &Admitted,
    step: &Step,
    http: &HttpSetup,
    streamed: bool,
    sent: &Sent,
) -> Result<Request<PiecesBody>, Fault> {
    let upstream = speaker(step.endpoint.dialect);
    let model = step.target.id.model.as_str();
    let route = upstream.route_for(admitted.route.operation, model, streamed);
    let path = upstream.upstream_path(&route, model);
    let invalid = |error: http::uri::InvalidUri| {
        Fault::new(FaultKind::Internal, "the request cannot be built").detail(error)
    };
    let uri = Uri::try_from([http.base_path.as_str(), path.as_str()].concat()).map_err(invalid)?;
    let mut request = Request::new(PiecesBody::new(sent.body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers(&admitted.parts.headers, http, &sent.headers);
    Ok(request)
}

/// The headers of the request, with those that its body needs: what a client says in its own dialect's headers is not for
/// another.
fn headers(client: &HeaderMap, http: &HttpSetup, needed: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut general = HeaderMap::new();
    if let Some(agent) = client.get(http::header::USER_AGENT) {
        general.insert(http::header::USER_AGENT, agent.clone());
    }
    let mut headers = for_upstream(&general, http);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    needed.iter().for_each(|(name, value)| need(&mut headers, http, name, value));
    headers
}

async fn answered(
    admitted: &Admitted,
    step: &Step,
    http: &HttpSetup,
    mut answer: Answer,
    inbound: Inbound,
    mut losses: Vec<Loss>,
) -> Result<Attempt, Failed> {
    let status = answer.response.status();
    let mut headers = std::mem::take(answer.response.headers_mut());
    if let Some(fault) = encoded(&headers, step) {
        return Err(Failed::with(fault, headers).after(losses));
    }
    let comes = framing(&headers);
    let framing = inbound.framing;
    let body = if let (Some(comes), Some(_)) = (comes, framing) {
        if let Err(fault) = begins(&mut answer, step, http, admitted.route.operation, comes).await {
            return Err(Failed::with(fault, headers).after(losses));
        }
        Answered::Translated { answer: Box::new(answer), translation: Box::new(inbound.stream(comes)) }
    } else {
        let told = |bytes: &[u8], text: &str| match comes {
            None => inbound.whole(text),
            Some(framing) => inbound.gathered(bytes, framing),
        };
        match whole(step, http, &headers, &mut answer, told).await {
            Ok((body, more)) => {
                answer.lease.give_back();
                losses.extend(more);
                body
            }
            Err(fault) => return Err(Failed::with(fault, headers).after(losses)),
        }
    };
    let kind = if framing == Some(Framing::Sse) { "text/event-stream" } else { "application/json" };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(crossed(admitted, step, status, headers, body, losses))
}

/// An answer in the client's dialect.
pub(crate) fn crossed(
    admitted: &Admitted,
    step: &Step,
    status: StatusCode,
    headers: HeaderMap,
    body: Answered,
    losses: Vec<Loss>,
) -> Attempt {
    Attempt {
        codec: admitted.codec,
        target: step.target.header.clone(),
        status,
        headers,
        body,
        fault: None,
        losses: Some(losses),
        timeouts: step.target.provider.timeouts,
    }
}

/// How a successful answer is framed, where it is a stream. Upstreams are never asked for an array.
fn framing(headers: &HeaderMap) -> Option<Framing> {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let kind = kind.get(..17)?;
    kind.eq_ignore_ascii_case(b"text/event-stream").then_some(Framing::Sse)
}

/// What an answer is in the client's dialect, what a meter reads of it, and what was lost.
type Put = Result<(bytes::Bytes, Reading, Vec<Loss>), Fault>;

/// A whole answer, or a stream that nobody asked for, put into the client's dialect by `told`.
pub(crate) async fn whole(
    step: &Step,
    http: &HttpSetup,
    headers: &HeaderMap,
    answer: &mut Answer,
    told: impl FnOnce(&[u8], &str) -> Put,
) -> Result<(Answered, Vec<Loss>), Fault> {
    let provider = &step.target.provider.id;
    let bytes = match hold(answer, step, ANSWER_BYTES_MAX).await? {
        Hold::Whole(bytes) => bytes,
        Hold::More(_) => {
            let message = format!("{provider} answered with more than {ANSWER_BYTES_MAX} bytes");
            return Err(Fault::new(FaultKind::UpstreamMalformed, message));
        }
    };
    let told = match utf8(&bytes) {
        Ok(text) => told(&bytes, text),
        Err(error) => Err(not_an_answer(step, headers).detail(error)),
    };
    let (body, reading, losses) = told.map_err(|fault| match &fault.detail {
        _ if holds_secret(http, &bytes) => credential_fault(step, &fault),
        Some(why) if fault.message == NO_ANSWER => not_an_answer(step, headers).detail(why),
        Some(_) | None => fault,
    })?;
    Ok((Answered::Whole { bytes: body, meter: Box::new(Known(reading)), read: true }, losses))
}
