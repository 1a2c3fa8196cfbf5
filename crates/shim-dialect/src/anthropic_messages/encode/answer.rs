//! Whole answers, why they ended, and what they used.

use std::borrow::Cow;

use shim_ir::{Candidate, Executor, Finish, FinishReason, LossKind, Part, Response, Usage};
use shim_wire::JsonWriter;

use super::content::{Tied, admitted, blocks};
use super::ids::made;
use super::{Cx, Place, members_but};
use crate::anthropic_messages::decode;
use crate::common::tag;
use crate::{Asker, Operation, Told};

/// A whole answer; or a count of tokens, where that was asked.
pub(crate) fn message(response: &Response, asker: &Asker<'_>) -> Told {
    let mut cx = Cx::answering();
    let mut body = Vec::with_capacity(2048);
    let mut w = JsonWriter::new(&mut body);
    if asker.operation == Operation::CountTokens {
        w.object(|w| count(w, response.usage.as_ref(), &mut cx));
    } else {
        w.object(|w| answer(w, response, asker, &mut cx));
    }
    Told { body, losses: cx.losses }
}

/// The answer of `POST /v1/messages/count_tokens`.
/// Source: <https://platform.claude.com/docs/en/build-with-claude/token-counting>, read 2026-11-25.
pub(crate) fn count(w: &mut JsonWriter<'_>, usage: Option<&Usage>, cx: &mut Cx<'_>) {
    if usage.is_none() {
        cx.lose("usage", LossKind::Defaulted, "the upstream counted nothing");
    }
    w.number("input_tokens", usage.map_or(0, |usage| usage.input_total().0));
}

fn answer(w: &mut JsonWriter<'_>, response: &Response, asker: &Asker<'_>, cx: &mut Cx<'_>) {
    let none = Candidate::default();
    let first = response.candidates.first().unwrap_or(&none);
    if response.candidates.len() > 1 {
        cx.lose("candidates[1]", LossKind::Dropped, "there is one answer to a request");
    }
    head(w, response.id.as_deref(), response.model.as_deref(), asker);
    w.array("content", |w| content(w, &first.parts, asker.id, cx));
    let calls = first.parts.iter().any(is_for_client);
    let refused = first.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    stop(w, first.finish.as_ref(), calls, refused, cx);
    let rest = cx.own(&response.rest, &"");
    cx.own(&first.rest, &"candidates[0]");
    // Where the upstream's own words are no usage, they are kept as they are.
    if response.usage.is_some() || !rest.iter().any(|(key, _)| &**key == "usage") {
        let (used, tier) = (response.usage.as_ref(), response.service_tier.as_deref());
        w.nested("usage", |w| usage_members(w, used, tier, cx));
    }
    members_but(w, rest, &["type", "role"]);
}

/// Whether a part is a call that the client has to run. Those of a program that Anthropic runs were answered while it
/// ran, and stay in the answer: <https://platform.claude.com/docs/en/agents-and-tools/tool-use/programmatic-tool-calling>.
pub(crate) fn is_for_client(part: &Part) -> bool {
    let Part::ToolCall(call) = part else { return false };
    let caller = call.rest.get("caller").and_then(|caller| tag(caller.get()));
    call.executor == Executor::Client && caller.is_none_or(|caller| !caller.starts_with("code_execution"))
}

/// The members an answer begins with.
fn head(w: &mut JsonWriter<'_>, id: Option<&str>, model: Option<&str>, asker: &Asker<'_>) {
    w.string("id", &id_of(id, asker.id));
    w.string("type", "message");
    w.string("role", "assistant");
    w.string("model", model.unwrap_or(&asker.request.model));
}

/// The id of an answer: Anthropic's own; those of others are not unique, so theirs is made from the exchange's.
pub(crate) fn id_of<'i>(own: Option<&'i str>, id: &str) -> Cow<'i, str> {
    match own.filter(|own| own.starts_with("msg_")) {
        Some(own) => Cow::Borrowed(own),
        None => Cow::Owned(["msg_", id].concat()),
    }
}

fn content(w: &mut JsonWriter<'_>, parts: &[Part], seed: &str, cx: &mut Cx<'_>) {
    let mut calls = 0;
    for (at, part) in parts.iter().enumerate() {
        let place = Place::Answer(at);
        if admitted(part, place, cx) {
            calls += usize::from(matches!(part, Part::ToolCall(_)));
            let (id, name) = tie(part, seed, calls);
            blocks(w, part, Tied { id: &id, name }, place, cx);
        }
    }
}

/// The id and the name that a part is written with. A call that has no id gets one, by its number.
fn tie<'p>(part: &'p Part, seed: &str, number: usize) -> (Cow<'p, str>, &'p str) {
    match part {
        Part::ToolCall(call) if call.id.is_empty() => (Cow::Owned(made(seed, number)), &call.name),
        Part::ToolCall(call) => (Cow::Borrowed(&call.id), &call.name),
        Part::ToolResult(result) => (Cow::Borrowed(&result.call), ""),
        Part::Text(_)
        | Part::Refusal(_)
        | Part::Media(_)
        | Part::Reasoning(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => (Cow::Borrowed(""), ""),
    }
}

/// `stop_reason` and `stop_sequence`.
pub(crate) fn stop(
    w: &mut JsonWriter<'_>,
    finish: Option<&Finish>,
    calls: bool,
    refused: bool,
    cx: &mut Cx<'_>,
) {
    match stop_reason(finish, calls, refused, cx) {
        Some(word) => w.string("stop_reason", word),
        None => w.null("stop_reason"),
    }
    match finish.and_then(|finish| finish.sequence.as_deref()) {
        Some(sequence) => w.string("stop_sequence", sequence),
        None => w.null("stop_sequence"),
    }
}

/// Why an answer ended. Clients run tools only where it says `tool_use`, so it does wherever they have a call to run
/// that was not cut. `refused` says that the answer holds a refusal.
pub(crate) fn stop_reason<'f>(
    finish: Option<&'f Finish>,
    calls: bool,
    refused: bool,
    cx: &mut Cx<'_>,
) -> Option<&'f str> {
    let Some(finish) = finish else { return calls.then_some("tool_use") };
    if calls && !cuts(&finish.reason) {
        return Some("tool_use");
    }
    let (word, told) = stop_word(finish, refused);
    if !told {
        cx.lose("candidates[0].finish", LossKind::Approximated, "there is no word for why the answer ended");
    }
    Some(word)
}

/// Whether an answer that ended so may have been cut in the middle of a call.
fn cuts(reason: &FinishReason) -> bool {
    use FinishReason::{Filter, Length, Pause, Refusal};
    matches!(reason, Length | Pause | Refusal | Filter)
}

/// The word for why an answer ended, and whether it says all of it.
fn stop_word(finish: &Finish, refused: bool) -> (&str, bool) {
    let own = finish.words.as_deref().filter(|word| {
        let read = decode::finish(Some((*word).to_owned()), None);
        read.is_some_and(|read| read.reason == finish.reason && read.reason != FinishReason::Other)
    });
    match finish.reason {
        FinishReason::Length => (own.unwrap_or("max_tokens"), true),
        FinishReason::Pause => (own.unwrap_or("pause_turn"), true),
        FinishReason::Refusal => ("refusal", true),
        FinishReason::Filter => ("refusal", false),
        FinishReason::Stop if refused => ("refusal", true),
        FinishReason::Stop => ("end_turn", true),
        FinishReason::Sequence => ("stop_sequence", true),
        FinishReason::ToolCalls => own.map_or(("end_turn", false), |own| (own, true)),
        FinishReason::BadToolCall | FinishReason::Other => ("end_turn", false),
    }
}

/// The members of `usage` of an answer that has just begun.
pub(crate) fn start_usage(
    w: &mut JsonWriter<'_>,
    usage: Option<&Usage>,
    tier: Option<&str>,
    cx: &mut Cx<'_>,
) {
    let nothing = Usage::default();
    counts(w, usage.unwrap_or(&nothing));
    service_tier(w, tier, cx);
}

/// The members of `usage`. The official SDKs need whole numbers, also where the upstream told none.
pub(crate) fn usage_members(
    w: &mut JsonWriter<'_>,
    usage: Option<&Usage>,
    tier: Option<&str>,
    cx: &mut Cx<'_>,
) {
    let nothing = Usage::default();
    if usage.is_none() {
        cx.lose("usage", LossKind::Defaulted, "the upstream told no usage");
    }
    let usage = usage.unwrap_or(&nothing);
    let classes = [usage.input_audio, usage.output_audio, usage.output_image];
    if classes.iter().any(|count| count.0 > 0) {
        cx.lose("usage", LossKind::Approximated, "sound and images are counted with the text");
    }
    counts(w, usage);
    service_tier(w, tier, cx);
}

fn counts(w: &mut JsonWriter<'_>, usage: &Usage) {
    w.number("input_tokens", (usage.input_uncached + usage.input_audio).0);
    w.number("cache_creation_input_tokens", (usage.cache_write + usage.cache_write_1h).0);
    w.number("cache_read_input_tokens", usage.cache_read.0);
    w.nested("cache_creation", |w| {
        w.number("ephemeral_5m_input_tokens", usage.cache_write.0);
        w.number("ephemeral_1h_input_tokens", usage.cache_write_1h.0);
    });
    w.number("output_tokens", usage.output_total().0);
    if usage.reasoning.0 > 0 {
        w.nested("output_tokens_details", |w| w.number("thinking_tokens", usage.reasoning.0));
    }
}

/// The class of service used, in Anthropic's words.
fn service_tier(w: &mut JsonWriter<'_>, tier: Option<&str>, cx: &mut Cx<'_>) {
    match tier {
        Some(tier @ ("standard" | "priority" | "batch")) => w.string("service_tier", tier),
        Some("default") => w.string("service_tier", "standard"),
        Some(_) => cx.lose("service_tier", LossKind::Dropped, "there is no such class of service"),
        None => {}
    }
}
