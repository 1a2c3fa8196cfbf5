//! Whole answers, and why they ended.

use serde_json::value::RawValue;
use shim_ir::{Candidate, Finish, FinishReason, Part, Response};
use shim_wire::{RawJson, from_json};

use super::{content, keep, keep_other, rest, said, service_tier, string, usage};
use crate::anthropic_messages::errors;
use crate::anthropic_messages::types::Message;
use crate::{AnswerError, DecodeError};

/// A whole answer; also a count of tokens, which has no candidates.
pub(crate) fn message(body: &str) -> Result<Response, AnswerError> {
    let mut wire: Message<'_> = from_json(body).map_err(DecodeError::from)?;
    if let Some(error) = wire.error {
        return Err(AnswerError::Fault(Box::new(errors::told(None, error.get()))));
    }
    if let Some(counted) = counted(&mut wire) {
        return Ok(counted);
    }
    let parts = parts(&mut wire)?;
    let finish = finish(wire.stop_reason.and_then(word), said(wire.stop_sequence.take()));
    let used = wire.usage.and_then(|raw| usage(raw.get()));
    // Every answer that met no stop sequence says so.
    wire.rest.take("stop_sequence");
    let mut members = rest(wire.rest);
    keep_other(&mut members, "type", wire.kind, "message");
    keep_other(&mut members, "role", wire.role, "assistant");
    keep(&mut members, "usage", wire.usage.filter(|_| used.is_none()));
    Ok(Response {
        id: said(wire.id),
        model: said(wire.model),
        created: None,
        candidates: vec![Candidate { parts, finish, ..Candidate::default() }],
        usage: used,
        service_tier: wire.usage.and_then(|raw| service_tier(raw.get())),
        rest: members,
    })
}

/// The answer of `POST /v1/messages/count_tokens`; `None` for another. What else stands in it, as `context_management` does, is
/// kept among the words of its usage: a count has nothing but that.
/// Source: <https://platform.claude.com/docs/en/api/messages/count_tokens>, read 2026-11-26.
fn counted(wire: &mut Message<'_>) -> Option<Response> {
    let is_message =
        wire.content.is_some() || wire.id.is_some() || wire.model.is_some() || wire.usage.is_some();
    if is_message || wire.rest.iter().any(|(key, _)| key == "content") {
        return None;
    }
    let (_, input) = wire.rest.iter().find(|(key, _)| *key == "input_tokens")?;
    let mut usage = usage(&format!("{{\"input_tokens\":{}}}", input.get()))?;
    let members =
        wire.rest.iter().map(|(key, value)| format!("{}:{}", RawJson::string(key).get(), value.get()));
    let members: Vec<_> = members.collect();
    usage.words = RawJson::parse(&format!("{{{}}}", members.join(","))).ok();
    Some(Response { usage: Some(usage), ..Response::default() })
}

fn parts(wire: &mut Message<'_>) -> Result<Vec<Part>, DecodeError> {
    match wire.content {
        Some(raw) => content(raw).map_err(|error| error.under("content")),
        None if wire.rest.take("content").is_some() => Ok(Vec::new()),
        None => Err(DecodeError::shape(".", "missing field `content`")),
    }
}

/// A stop reason. Some providers write a number where a word belongs.
pub(crate) fn word(raw: &RawValue) -> Option<String> {
    let number = raw.get().starts_with(|first: char| first.is_ascii_digit());
    string(raw).or_else(|| number.then(|| raw.get().to_owned()))
}

/// Why an answer ended; `None` while it has not said so.
pub(crate) fn finish(word: Option<String>, sequence: Option<String>) -> Option<Finish> {
    let word = word?;
    let reason = match word.as_str() {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::Sequence,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        // `compaction` asks to be sent back like any other pause.
        "pause_turn" | "compaction" => FinishReason::Pause,
        "refusal" => FinishReason::Refusal,
        _ => FinishReason::Other,
    };
    Some(Finish { reason, words: Some(word), sequence })
}
