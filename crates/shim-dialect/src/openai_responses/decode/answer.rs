//! Whole answers, and the `response` that events of a stream carry.

use serde_json::value::RawValue;
use shim_ir::{Candidate, Executor, Finish, FinishReason, Part, Response, Rest};
use shim_wire::from_json;

use super::item::{answered, kind, part};
use super::{DIALECT, read, rest, said, usage};
use crate::common::member;
use crate::openai_responses::errors;
use crate::openai_responses::types::{self, Count};
use crate::{AnswerError, DecodeError};

/// A whole answer; also a count of tokens, which has no candidates.
pub(crate) fn whole(body: &str) -> Result<Response, AnswerError> {
    let wire: types::Response<'_> = from_json(body).map_err(DecodeError::from)?;
    if let Some(fault) = errors::inside(wire.status.as_deref(), body) {
        return Err(AnswerError::Fault(Box::new(fault)));
    }
    let counted = wire.output.is_none() && member(body, "input_tokens").is_some();
    if wire.output.is_none() && !counted {
        return Err(DecodeError::shape(".", "missing field `output`").into());
    }
    let mut answer = answer(wire, counted)?;
    if counted {
        answer.usage = answer.usage.or_else(|| usage(body));
    }
    Ok(answer)
}

/// The `response` of an event, whatever became of it.
pub(crate) fn response(raw: &RawValue) -> Result<Response, DecodeError> {
    answer(read(raw, "response")?, false).map_err(|error| error.under("response"))
}

fn answer(mut wire: types::Response<'_>, counted: bool) -> Result<Response, DecodeError> {
    let mut candidate = Candidate { parts: parts(wire.output.take())?, ..Candidate::default() };
    let reason = wire.incomplete_details.and_then(reason);
    let status = wire.status.as_deref();
    candidate.finish = finish(status, reason.as_deref(), candidate.parts.iter().any(is_for_client));
    let mut members = rest(wire.rest);
    let used = wire.usage.and_then(|raw| usage(raw.get()));
    keep(&mut members, "incomplete_details", wire.incomplete_details.filter(|_| reason.is_none()));
    keep(&mut members, "usage", wire.usage.filter(|_| used.is_none()));
    Ok(Response {
        id: said(wire.id),
        model: said(wire.model),
        created: wire.created_at.map(|Count(seconds)| seconds),
        candidates: if counted { Vec::new() } else { vec![candidate] },
        usage: used,
        service_tier: said(wire.service_tier),
        rest: members,
    })
}

/// The parts that the items of `output` are.
fn parts(output: Option<Vec<&RawValue>>) -> Result<Vec<Part>, DecodeError> {
    let mut parts = Vec::new();
    for (at, raw) in output.unwrap_or_default().into_iter().enumerate() {
        parts.extend(output_item(raw, &format!("output[{at}]"))?);
    }
    Ok(parts)
}

/// Keeps a modelled member that has no place of its own here.
fn keep(members: &mut Rest, key: &str, value: Option<&RawValue>) {
    if let Some(value) = value {
        members.push(DIALECT, key, value.into());
    }
}

fn reason(details: &RawValue) -> Option<String> {
    member(details.get(), "reason")?.as_str().map(Into::into)
}

/// Why the `response` of an event is incomplete.
pub(crate) fn reason_of(response: &RawValue) -> Option<String> {
    Some(member(response.get(), "incomplete_details")?.get("reason")?.as_str()?.into_owned())
}

/// The items of the `response` of an event.
pub(crate) fn output(response: &RawValue) -> Result<Vec<&RawValue>, DecodeError> {
    let wire: types::Response<'_> = read(response, "response")?;
    Ok(wire.output.unwrap_or_default())
}

/// Whether a part is a call the client has to run.
fn is_for_client(part: &Part) -> bool {
    matches!(part, Part::ToolCall(call) if call.executor == Executor::Client)
}

/// An item of `output`.
pub(crate) fn output_item(raw: &RawValue, path: &str) -> Result<Vec<Part>, DecodeError> {
    let kind = kind(raw.get());
    if kind == "message" { answered(raw, path) } else { Ok(vec![part(&kind, raw, path, true)?]) }
}

/// Why an answer ended; `None` while it goes on. `calls` says whether it holds calls the client has to run. Some
/// providers leave the status out.
pub(crate) fn finish(status: Option<&str>, reason: Option<&str>, calls: bool) -> Option<Finish> {
    let common = match (status, reason) {
        (Some("in_progress" | "queued"), _) => return None,
        (Some("completed") | None, _) if calls => FinishReason::ToolCalls,
        (Some("completed") | None, _) => FinishReason::Stop,
        (Some("incomplete"), Some("max_output_tokens" | "max_tokens" | "length")) => FinishReason::Length,
        (Some("incomplete"), Some("content_filter")) => FinishReason::Filter,
        _ => FinishReason::Other,
    };
    let words = reason.or(status).map(str::to_owned);
    Some(Finish { reason: common, words, sequence: None })
}
