//! Content blocks, of requests and of answers.

use std::borrow::Cow;

use shim_ir::{
    Executor, LossKind, OpaqueKind, Part, Reasoning, Source, Text, ToolCall, ToolCallKind, ToolResult,
};
use shim_wire::{JsonString, JsonWriter, RawJson, ValueKind};

use super::cite::citations;
use super::media::{media_block, refused};
use super::{Cx, DIALECT, Place, UNSIGNED_THINKING, cache_control, members};
use crate::common::{member, why_foreign};
use crate::echo::{GROUP, free_text_arguments};

/// What a call or a result is written with beside itself.
#[derive(Clone, Copy, Default)]
pub(super) struct Tied<'a> {
    /// The id that ties a result to its call.
    pub(super) id: &'a str,
    /// The name a tool is sent under.
    pub(super) name: &'a str,
}

/// Whether a part is written at all; where it is not, that is told.
pub(crate) fn admitted(part: &Part, at: Place<'_>, cx: &mut Cx<'_>) -> bool {
    if let Part::Refusal(_) = part {
        cx.lose(at, LossKind::Approximated, "a refusal is told as text");
    }
    match (part, lack(part, cx)) {
        (Part::Text(text), _) => says(text, at, cx),
        (Part::Reasoning(reasoning), _) => thinks(reasoning, at, cx),
        (_, Some((kind, why))) => {
            cx.lose(at, kind, why);
            false
        }
        (_, None) => true,
    }
}

/// Tells what ids a part has that are not written: a call has one, and what was thought has none.
pub(crate) fn lose_ids(part: &Part, at: Place<'_>, cx: &mut Cx<'_>) {
    match part {
        Part::Reasoning(reasoning) if reasoning.id.is_some() => {
            cx.lose(format_args!("{at}.id"), LossKind::Dropped, "thoughts have no ids");
        }
        Part::ToolCall(call) if call.item.is_some() => {
            cx.lose(format_args!("{at}.item"), LossKind::Dropped, "a call has one id");
        }
        Part::Text(_)
        | Part::Refusal(_)
        | Part::Media(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => {}
    }
}

/// Why a part has no place here; `None` where it has one, and where that is for what it says to decide.
fn lack(part: &Part, cx: &Cx<'_>) -> Option<(LossKind, &'static str)> {
    match part {
        Part::ToolResult(_) if cx.answering => Some((LossKind::Dropped, "results are the client's to tell")),
        Part::Text(_) | Part::Refusal(_) | Part::Reasoning(_) | Part::ToolResult(_) => None,
        Part::Media(_) if cx.answering => Some((LossKind::Unsupported, "an answer holds no media")),
        Part::Media(media) => refused(media, cx).map(|why| (LossKind::Unsupported, why)),
        Part::ToolCall(call) => foreign_call(call).then_some((LossKind::Dropped, ANOTHERS)),
        Part::ServerResult(result) => (result.origin != DIALECT).then_some((LossKind::Dropped, ANOTHERS)),
        Part::Foreign(foreign) if foreign.dialect == DIALECT => None,
        Part::Foreign(_) if cx.answering => Some((LossKind::Dropped, "no other dialect has it")),
        Part::Foreign(foreign) => Some((LossKind::Unsupported, why_foreign(foreign))),
    }
}

const ANOTHERS: &str = "it is of a tool that another provider runs";

/// Whether a call is of a tool that another provider runs.
fn foreign_call(call: &ToolCall) -> bool {
    let own = matches!(&call.kind, ToolCallKind::Native(word) if is_own_call(word));
    call.executor == Executor::Provider && !own
}

pub(crate) fn is_own_call(word: &str) -> bool {
    matches!(word, "server_tool_use" | "mcp_tool_use")
}

/// Why the mark of a text that is not written is left out.
pub(super) const NO_MARK: &str = "an empty text takes no cache mark";

/// Whether a text is written: a request takes none that is blank, and an answer needs none that only carries state.
fn says(text: &Text, at: Place<'_>, cx: &mut Cx<'_>) -> bool {
    let blank = if cx.answering {
        text.text.is_empty() && text.citations.is_empty() && !text.opaque.is_empty()
    } else {
        text.text.is_blank()
    };
    if blank && text.cache.is_some() {
        cx.lose(format_args!("{at}.cache"), LossKind::Dropped, NO_MARK);
    }
    if blank && !text.opaque.is_empty() {
        cx.lose(format_args!("{at}.opaque"), LossKind::Dropped, "only its origin can read it");
    }
    if blank {
        cx.own(&text.rest, &at);
    }
    !blank
}

/// Whether reasoning is written. Only what Anthropic signed goes back to it; an answer shows what can be read.
fn thinks(reasoning: &Reasoning, at: Place<'_>, cx: &mut Cx<'_>) -> bool {
    if signature(reasoning).is_some() || redacted(reasoning).next().is_some() {
        return true;
    }
    let readable = !readable(reasoning).is_empty();
    let bare = reasoning.id.is_none() && reasoning.opaque.is_empty();
    let written = if cx.answering { readable || bare } else { readable && cx.has(UNSIGNED_THINKING) };
    if !written {
        let why = if cx.answering { "only its origin can read it" } else { "only signed thinking goes back" };
        cx.lose(at, LossKind::Dropped, why);
    }
    written
}

/// What can be read of reasoning: itself, or where there is nothing of it, its summary.
fn readable(reasoning: &Reasoning) -> Cow<'_, str> {
    let unread = reasoning.text.iter().all(String::is_empty);
    joined(if unread { &reasoning.summary } else { &reasoning.text })
}

/// The pieces of reasoning as one text.
pub(crate) fn joined(pieces: &[String]) -> Cow<'_, str> {
    match pieces {
        [one] => Cow::Borrowed(one),
        several => {
            let said: Vec<_> = several.iter().map(String::as_str).filter(|piece| !piece.is_empty()).collect();
            Cow::Owned(said.join("\n\n"))
        }
    }
}

fn signature(reasoning: &Reasoning) -> Option<&str> {
    let signed = reasoning.opaque.iter().find(|opaque| opaque.kind == OpaqueKind::Signature);
    signed.map(|opaque| &*opaque.value)
}

/// What of reasoning is withheld from the reader.
fn redacted(reasoning: &Reasoning) -> impl Iterator<Item = &str> {
    let withheld = |opaque: &&shim_ir::Opaque| opaque.kind == OpaqueKind::Redacted;
    reasoning.opaque.iter().filter(withheld).map(|opaque| &*opaque.value)
}

/// Blocks of parts that are inside another, as far as they are written.
pub(super) fn list(w: &mut JsonWriter<'_>, parts: &[Part], at: Place<'_>, cx: &mut Cx<'_>) {
    for (inside, part) in parts.iter().enumerate() {
        let at = Place::Inside(&at, inside);
        if admitted(part, at, cx) {
            blocks(w, part, Tied::default(), at, cx);
        }
    }
}

/// The block of a part that is admitted, or the blocks.
pub(super) fn blocks(w: &mut JsonWriter<'_>, part: &Part, tied: Tied<'_>, at: Place<'_>, cx: &mut Cx<'_>) {
    lose_ids(part, at, cx);
    match part {
        Part::Text(text) | Part::Refusal(text) => w.element().object(|w| text_block(w, text, at, cx)),
        Part::Media(media) => w.element().object(|w| media_block(w, media, at, cx)),
        Part::Reasoning(reasoning) => thinking_blocks(w, reasoning, at, cx),
        Part::ToolCall(call) => w.element().object(|w| tool_use_block(w, call, tied, at, cx)),
        Part::ToolResult(result) => w.element().object(|w| tool_result_block(w, result, tied, at, cx)),
        Part::ServerResult(result) => w.element().raw(&result.raw),
        Part::Foreign(foreign) => w.element().raw(&foreign.raw),
    }
}

/// The members of a block of text that are always there.
pub(crate) fn text_members(w: &mut JsonWriter<'_>, text: &str) {
    w.string("type", "text");
    w.string("text", text);
}

/// The members of thinking that are always there. What was not signed has an empty signature: the official SDKs need
/// one.
pub(crate) fn thinking_members(w: &mut JsonWriter<'_>, text: &str, signature: Option<&str>) {
    w.string("type", "thinking");
    w.string("thinking", text);
    w.string("signature", signature.unwrap_or_default());
}

fn text_block(w: &mut JsonWriter<'_>, text: &Text, at: Place<'_>, cx: &mut Cx<'_>) {
    w.string("type", "text");
    w.text("text", &text.text);
    citations(w, text, at, cx);
    if text.logprobs.is_some() {
        cx.lose(format_args!("{at}.logprobs"), LossKind::Dropped, "there are no log probabilities");
    }
    if !text.opaque.is_empty() {
        cx.lose(format_args!("{at}.opaque"), LossKind::Dropped, "only its origin can read it");
    }
    cache_control(w, text.cache.as_ref(), &at, cx);
    members(w, cx.own(&text.rest, &at));
}

/// Whether a text is nothing but that, so that it may stand where a list of blocks does.
pub(super) fn bare(part: &Part) -> Option<&JsonString> {
    match part {
        Part::Text(text) if is_alone(text) => Some(&text.text),
        Part::Text(_)
        | Part::Refusal(_)
        | Part::Media(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => None,
    }
}

/// Whether nothing hangs on a text.
fn is_alone(text: &Text) -> bool {
    let Text { text: _, citations, logprobs, cache, opaque, rest } = text;
    let hung = logprobs.is_some() || cache.is_some() || !rest.is_empty();
    citations.is_empty() && opaque.is_empty() && !hung
}

/// Thinking, and each piece of it that is withheld. What it has beside stands in the thinking, or where there is none,
/// in each piece.
fn thinking_blocks(w: &mut JsonWriter<'_>, reasoning: &Reasoning, at: Place<'_>, cx: &mut Cx<'_>) {
    let own = cx.own(&reasoning.rest, &at);
    let (text, signature) = (readable(reasoning), signature(reasoning));
    let mut withheld = redacted(reasoning).peekable();
    let is_told = signature.is_some() || withheld.peek().is_none() || (cx.answering && !text.is_empty());
    if is_told {
        w.element().object(|w| {
            thinking_members(w, &text, signature);
            members(w, own);
        });
    }
    for data in withheld {
        w.element().object(|w| {
            w.string("type", "redacted_thinking");
            w.string("data", data);
            members(w, if is_told { &[] } else { own });
        });
    }
    lose_beside(reasoning, at, cx);
}

/// Tells what of reasoning is not written beside what is.
fn lose_beside(reasoning: &Reasoning, at: Place<'_>, cx: &mut Cx<'_>) {
    let own = |kind| matches!(kind, OpaqueKind::Signature | OpaqueKind::Redacted);
    if reasoning.opaque.iter().any(|opaque| !own(opaque.kind)) {
        cx.lose(format_args!("{at}.opaque"), LossKind::Dropped, "only its origin can read it");
    }
    let has = |pieces: &[String]| pieces.iter().any(|piece| !piece.is_empty());
    if has(&reasoning.text) && has(&reasoning.summary) {
        cx.lose(format_args!("{at}.summary"), LossKind::Dropped, "the reasoning itself is told");
    }
}

/// The members of a call before its arguments.
pub(crate) fn call_members(w: &mut JsonWriter<'_>, call: &ToolCall, id: &str, name: &str) {
    w.string(
        "type",
        match &call.kind {
            ToolCallKind::Native(word) if is_own_call(word) => word,
            ToolCallKind::Function | ToolCallKind::Custom | ToolCallKind::Native(_) => "tool_use",
        },
    );
    w.string("id", id);
    w.string("name", name);
}

fn tool_use_block(w: &mut JsonWriter<'_>, call: &ToolCall, tied: Tied<'_>, at: Place<'_>, cx: &mut Cx<'_>) {
    call_members(w, call, tied.id, tied.name);
    input(w, call, at, cx);
    if !call.opaque.is_empty() {
        cx.lose(format_args!("{at}.opaque"), LossKind::Dropped, "only its origin can read it");
    }
    cache_control(w, call.cache.as_ref(), &at, cx);
    if call.rest.origin() == Some(DIALECT) {
        return members(w, call.rest.members());
    }
    // The group of the tool is in the name it is sent under.
    for (key, _) in call.rest.members().iter().filter(|(key, _)| **key != *GROUP) {
        cx.lose(format_args!("{at}.{key}"), LossKind::Dropped, "no other dialect has it");
    }
}

/// `input` of a call, which is an object. Arguments that are none stand in one, as the documentation advises:
/// <https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming>, read 2026-11-25.
fn input(w: &mut JsonWriter<'_>, call: &ToolCall, at: Place<'_>, cx: &mut Cx<'_>) {
    let arguments = call.arguments.trim();
    let text = match (&call.kind, arguments) {
        (ToolCallKind::Custom, _) => Cow::Owned(free_text_arguments(&call.arguments)),
        (ToolCallKind::Function | ToolCallKind::Native(_), "") => Cow::Borrowed("{}"),
        (ToolCallKind::Function | ToolCallKind::Native(_), _) => Cow::Borrowed(arguments),
    };
    match RawJson::parse(&text).ok().filter(|raw| raw.get().starts_with('{')) {
        Some(raw) => w.raw("input", &raw),
        None => {
            let why = "arguments that are no object stand in one";
            cx.lose(format_args!("{at}.arguments"), LossKind::Approximated, why);
            w.nested("input", |w| w.string("INVALID_JSON", &call.arguments));
        }
    }
}

fn tool_result_block(
    w: &mut JsonWriter<'_>,
    result: &ToolResult,
    tied: Tied<'_>,
    at: Place<'_>,
    cx: &mut Cx<'_>,
) {
    w.string("type", "tool_result");
    w.string("tool_use_id", tied.id);
    match &result.content[..] {
        [] => {}
        [one] if bare(one).is_some() => w.maybe("content", bare(one), JsonWriter::text),
        several => w.array("content", |w| list(w, several, at, cx)),
    }
    if result.error {
        w.bool("is_error", true);
    }
    cache_control(w, result.cache.as_ref(), &at, cx);
    members(w, cx.own(&result.rest, &at));
}

/// How many cache marks are on a part and in it.
pub(super) fn marks(part: &Part) -> usize {
    let (own, inside): (_, &[Part]) = match part {
        Part::Text(text) | Part::Refusal(text) => (&text.cache, &[]),
        Part::Media(media) => match &media.source {
            Source::Parts(parts) => (&media.cache, parts),
            Source::Inline(_) | Source::Url(_) | Source::Handle(_) | Source::Plain(_) => (&media.cache, &[]),
        },
        Part::ToolCall(call) => (&call.cache, &[]),
        Part::ToolResult(result) => (&result.cache, &result.content),
        Part::Reasoning(_) | Part::ServerResult(_) | Part::Foreign(_) => (&None, &[]),
    };
    usize::from(own.is_some() || is_marked_raw(part)) + inside.iter().map(marks).sum::<usize>()
}

/// Whether a part that is written as it came has a cache mark.
fn is_marked_raw(part: &Part) -> bool {
    let raw = match part {
        Part::Foreign(foreign) if foreign.dialect == DIALECT => Some(&foreign.raw),
        Part::ServerResult(result) if result.origin == DIALECT => Some(&result.raw),
        Part::Text(_)
        | Part::Refusal(_)
        | Part::Media(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => None,
    };
    let control = raw.and_then(|raw| member(raw.get(), "cache_control"));
    control.is_some_and(|control| control.kind() == ValueKind::Object)
}
