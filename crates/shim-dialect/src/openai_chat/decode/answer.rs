//! Whole answers, and the pieces of them that chunks share.

use serde_json::value::RawValue;
use shim_ir::{
    Candidate, Citation, Executor, Finish, FinishReason, Media, MediaKind, Opaque, OpaqueKind, Part,
    Response, Rest, Source, Text, ToolCall, ToolCallKind,
};
use shim_wire::{RawJson, Str, from_json, from_raw};

use super::content::part;
use super::{DIALECT, Details, bare_media, content, is_array, members, readable, rest, said, string, usage};
use crate::common::member;
use crate::openai_chat::errors;
use crate::openai_chat::types::{
    self, Annotation, Choice, Completion, Count, Logprobs, Message, SearchResult,
};
use crate::{AnswerError, DecodeError};

/// A whole answer.
pub(crate) fn completion(body: &str) -> Result<Response, AnswerError> {
    let mut wire: Completion<'_> = from_json(body).map_err(DecodeError::from)?;
    if let Some(fault) = errors::inside(&wire, body) {
        return Err(AnswerError::Fault(Box::new(fault)));
    }
    let mut candidates = candidates(&mut wire)?;
    let used = wire.usage.and_then(|raw| usage(raw.into()));
    let mut members = left(&mut wire, candidates.first_mut());
    keep(&mut members, "usage", wire.usage.filter(|_| used.is_none()));
    Ok(Response {
        id: said(wire.id),
        model: said(wire.model),
        created: wire.created.map(|Count(seconds)| seconds),
        candidates,
        usage: used,
        service_tier: said(wire.service_tier),
        rest: members,
    })
}

/// The candidates in the order of their indices.
fn candidates(wire: &mut Completion<'_>) -> Result<Vec<Candidate>, DecodeError> {
    let choices = wire.choices.take().ok_or_else(|| DecodeError::shape(".", "missing field `choices`"))?;
    let choices = choices.into_iter().enumerate();
    let candidates = choices
        .map(|(at, choice)| candidate(choice, at).map_err(|error| error.under(&format!("choices[{at}]"))));
    let mut candidates = candidates.collect::<Result<Vec<_>, _>>()?;
    candidates.sort_by_key(|(index, _)| *index);
    Ok(candidates.into_iter().map(|(_, candidate)| candidate).collect())
}

/// What an answer says that has no place of its own in a response.
fn left(wire: &mut Completion<'_>, first: Option<&mut Candidate>) -> Rest {
    let mut members = rest(std::mem::take(&mut wire.rest));
    cite(first, wire, &mut members);
    keep(&mut members, "x_groq", wire.x_groq);
    members
}

/// Keeps a modelled member that has no place of its own here.
fn keep(members: &mut Rest, key: &str, value: Option<&RawValue>) {
    if let Some(value) = value {
        members.push(DIALECT, key, value.into());
    }
}

/// Perplexity's sources belong to the text; without one they stay as they are.
fn cite(candidate: Option<&mut Candidate>, wire: &Completion<'_>, members: &mut Rest) {
    match candidate.and_then(|candidate| last_text(&mut candidate.parts)) {
        Some(text) => text.citations.extend(sources(wire.search_results, wire.citations)),
        None => keep(members, "search_results", wire.search_results),
    }
    // Where there are results, the bare addresses only repeat them; they are kept for who reads those.
    keep(members, "citations", wire.citations.filter(|_| wire.search_results.is_some()));
}

/// Perplexity's `search_results`, or where they are missing its `citations`, as citations of the whole text.
pub(crate) fn sources(results: Option<&RawValue>, addresses: Option<&RawValue>) -> Vec<Citation> {
    let list = |raw: Option<&RawValue>| raw.map(elements).unwrap_or_default();
    let results = list(results);
    let found = if results.is_empty() { list(addresses) } else { results };
    found.iter().map(source).collect()
}

/// One of Perplexity's sources: a result, or a bare address.
pub(crate) fn source(raw: &RawJson) -> Citation {
    let words = Some(raw.clone());
    let Ok(found) = from_json::<SearchResult<'_>>(raw.get()) else {
        return Citation { url: serde_json::from_str(raw.get()).ok(), words, ..Citation::default() };
    };
    Citation {
        url: found.url.map(Str::into_string),
        title: found.title.map(Str::into_string),
        cited: found.snippet.map(Str::into_string),
        words,
        ..Citation::default()
    }
}

/// The elements of an array, owned; none when `raw` is of another kind.
fn elements(raw: &RawValue) -> Vec<RawJson> {
    let list: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    list.into_iter().map(RawJson::from).collect()
}

fn candidate(mut choice: Choice<'_>, at: usize) -> Result<(usize, Candidate), DecodeError> {
    let index = choice.index.and_then(|index| usize::try_from(index).ok()).unwrap_or(at);
    let message = choice.message.take().ok_or_else(|| DecodeError::shape(".", "missing field `message`"))?;
    let (mut parts, of_message) = message_parts(message).map_err(|error| error.under("message"))?;
    parts.retain(
        |part| !matches!(part, Part::Text(text) if text.text.is_empty() && text.citations.is_empty()),
    );
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let sequence = choice.stop_reason.and_then(string);
    let finish = finish(choice.finish_reason.as_deref(), sequence.as_deref(), calls);
    let mut members = rest(choice.rest);
    members.merge(of_message);
    keep(&mut members, "stop_reason", choice.stop_reason.filter(|_| sequence.is_none()));
    keep(&mut members, "usage", choice.usage);
    keep(&mut members, "logprobs", choice.logprobs.filter(|raw| !add_logprobs(&mut parts, raw)));
    Ok((index, Candidate { parts, finish, rest: members }))
}

/// Hangs log probabilities on the text they are of; false when there is none.
fn add_logprobs(parts: &mut [Part], raw: &RawValue) -> bool {
    let Ok(lists) = from_raw::<Logprobs<'_>>(raw) else { return false };
    let mut added = false;
    for (text, list) in parts.iter_mut().filter_map(|part| with_list(part, &lists)) {
        text.logprobs = Some(list.into());
        added = true;
    }
    added
}

/// The text of a part, and the list of log probabilities that is of it.
fn with_list<'p, 'a>(part: &'p mut Part, lists: &Logprobs<'a>) -> Option<(&'p mut Text, &'a RawValue)> {
    let (text, list) = match part {
        Part::Text(text) => (text, lists.content),
        Part::Refusal(text) => (text, lists.refusal),
        Part::Media(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => return None,
    };
    Some((text, list.filter(|list| is_array(list))?))
}

/// Why an answer ended. A provider that was told which function to call says `stop` though it called it.
pub(crate) fn finish(word: Option<&str>, sequence: Option<&str>, calls: bool) -> Option<Finish> {
    let word = word?;
    let reason = match word {
        "stop" | "" if calls => FinishReason::ToolCalls,
        "stop" if sequence.is_some() => FinishReason::Sequence,
        // The second word of each line and those after it are other providers'.
        "stop" | "eos" | "end_turn" => FinishReason::Stop,
        "length" | "model_length" | "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" | "sensitive" | "safety" => FinishReason::Filter,
        "refusal" => FinishReason::Refusal,
        _ => FinishReason::Other,
    };
    Some(Finish { reason, words: Some(word.to_owned()), sequence: sequence.map(str::to_owned) })
}

/// The parts of a message, of a request or of an answer, and what is left of it.
pub(super) fn message_parts(message: Message<'_>) -> Result<(Vec<Part>, Rest), DecodeError> {
    let mut parts = Vec::new();
    let said = readable(&message, &mut Details::default())?;
    parts.extend(said.part(message.reasoning_details).map(Part::Reasoning));
    parts.extend(content(message.content).map_err(|error| error.under("content"))?);
    let refusal = message.refusal.filter(|text| !text.is_empty());
    parts.extend(refusal.map(|text| Part::Refusal(Text::new(text.into_string()))));
    parts.extend(message.audio.and_then(sound).map(Part::Media));
    for (at, raw) in message.images.into_iter().enumerate() {
        parts.push(image(raw).map_err(|error| error.under(&format!("images[{at}]")))?);
    }
    parts.extend(message.tool_calls.into_iter().map(|call| Part::ToolCall(tool_call(call))));
    parts.extend(message.function_call.and_then(function_call).map(Part::ToolCall));
    let mut members = rest(message.rest);
    annotate(&mut parts, message.annotations, &mut members);
    Ok((parts, members))
}

/// Annotations belong to the last text; without one they stay as they are.
fn annotate(parts: &mut [Part], raw: Option<&RawValue>, members: &mut Rest) {
    match last_text(parts) {
        Some(text) => text.citations.extend(raw.map(annotations).unwrap_or_default()),
        None => keep(members, "annotations", raw),
    }
}

fn last_text(parts: &mut [Part]) -> Option<&mut Text> {
    parts.iter_mut().rev().find_map(|part| match part {
        Part::Text(text) => Some(text),
        Part::Refusal(_)
        | Part::Media(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => None,
    })
}

/// An image made by the model: a content part.
pub(crate) fn image(raw: &RawValue) -> Result<Part, DecodeError> {
    part(raw)
}

/// `annotations`, each verbatim; those that are `url_citation`s also read.
pub(crate) fn annotations(raw: &RawValue) -> Vec<Citation> {
    elements(raw).into_iter().map(annotation).collect()
}

/// An annotation, read as far as its kind is known.
pub(crate) fn annotation(raw: RawJson) -> Citation {
    let wire = from_json::<Annotation<'_>>(raw.get()).ok();
    let cited = wire.and_then(|annotation| annotation.url_citation);
    let number = |count: Count| count.0;
    let mut citation = cited.map_or_else(Citation::default, |wire| Citation {
        url: wire.url.map(Str::into_string),
        title: wire.title.map(Str::into_string),
        cited: wire.content.map(Str::into_string),
        start: wire.start_index.map(number),
        end: wire.end_index.map(number),
        words: None,
    });
    citation.words = Some(raw);
    citation
}

/// Sound: of an answer with its bytes, of a request the id of an earlier one. What is beside the bytes (`id`,
/// `expires_at`, `transcript`) is in `rest`. Snowflake's empty one is none.
fn sound(audio: types::Audio<'_>) -> Option<Media> {
    let (id, data, transcript) = (said(audio.id), said(audio.data), said(audio.transcript));
    if id.is_none() && data.is_none() && transcript.is_none() {
        return None;
    }
    let mut members = rest(audio.rest);
    let source = match (data, id) {
        (None, Some(id)) if transcript.is_none() => Source::Handle(id),
        (data, id) => {
            if let Some(id) = id {
                members.push(DIALECT, "id", RawJson::string(&id));
            }
            Source::Inline(data.unwrap_or_default())
        }
    };
    if let Some(transcript) = transcript {
        members.push(DIALECT, "transcript", RawJson::string(&transcript));
    }
    Some(bare_media(MediaKind::Audio, source, None, members))
}

/// A call of a tool, or a piece of one: then what the piece lacks is empty.
pub(crate) fn tool_call(wire: types::ToolCall<'_>) -> ToolCall {
    let kind = call_kind(wire.kind.as_deref(), wire.custom.is_some() && wire.function.is_none());
    let called = if kind == ToolCallKind::Custom { wire.custom } else { wire.function };
    let mut call = called.map_or_else(blank, called_tool);
    call.id = wire.id.map(Str::into_string).unwrap_or_default();
    call.kind = kind;
    call.rest.merge(rest(wire.rest));
    if let Some(raw) = wire.extra_content {
        match signature(raw) {
            Some(value) => call.opaque.push(Opaque { kind: OpaqueKind::ThoughtSignature, value }),
            None => keep(&mut call.rest, "extra_content", Some(raw)),
        }
    }
    call
}

/// The legacy form of a call, which has no id. Snowflake's empty one is none.
pub(crate) fn function_call(wire: types::Called<'_>) -> Option<ToolCall> {
    let call = called_tool(wire);
    (!call.name.is_empty() || !call.arguments.is_empty()).then_some(call)
}

fn call_kind(word: Option<&str>, custom_alone: bool) -> ToolCallKind {
    match word.unwrap_or_default() {
        "custom" => ToolCallKind::Custom,
        "" if custom_alone => ToolCallKind::Custom,
        "function" | "" => ToolCallKind::Function,
        // Moonshot's `builtin_function`.
        other => ToolCallKind::Native(other.to_owned()),
    }
}

fn blank() -> ToolCall {
    ToolCall {
        id: String::new(),
        item: None,
        name: String::new(),
        arguments: String::new(),
        kind: ToolCallKind::Function,
        executor: Executor::Client,
        opaque: Vec::new(),
        cache: None,
        rest: Rest::default(),
    }
}

fn called_tool(wire: types::Called<'_>) -> ToolCall {
    let written = |raw: &RawValue| string(raw).unwrap_or_else(|| raw.get().to_owned());
    let arguments = wire.input.map(Str::into_string).or(wire.arguments.map(written));
    ToolCall {
        name: wire.name.map(Str::into_string).unwrap_or_default(),
        arguments: arguments.unwrap_or_default(),
        rest: rest(wire.rest),
        ..blank()
    }
}

/// Gemini's signature, where `extra_content` is nothing but that: `{"google":{"thought_signature":…}}`.
/// Source: <https://ai.google.dev/gemini-api/docs/thought-signatures>, read 2026-11-23.
fn signature(raw: &RawValue) -> Option<String> {
    let google: &RawValue = serde_json::from_str(member(raw.get(), "google")?.text()).ok()?;
    let value = member(google.get(), "thought_signature")?.as_str()?;
    (members(raw).len() == 1 && members(google).len() == 1).then(|| value.into_owned())
}
