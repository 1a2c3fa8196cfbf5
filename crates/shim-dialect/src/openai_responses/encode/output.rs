//! The items of an answer, as whole answers and streams write them.

use shim_ir::{
    Executor, Media, MediaKind, Opaque, OpaqueKind, Part, Rest, Source, Text, ToolCall, ToolCallKind,
};
use shim_wire::{JsonWriter, Place, RawJson};

use super::super::decode::{DIALECT, ITEM, call_form, string_of};
use super::cite::{is_shortened, is_told, put_annotation};
use super::content::{data_url, put_output_audio};
use super::input::put_image_item;
use super::item::{CallItem, put_reasoning_item};
use super::logprobs::{Told, is_list, put_logprobs};
use super::loss::{At, Losses, verbatim};
use crate::common::{each_member, member};
use crate::echo::group_of;

/// What becomes of a part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Content of a message.
    Content,
    /// An item of its own.
    Item,
    /// It cannot be told.
    Left(&'static str),
}

/// How far an item has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It begins, and holds nothing yet.
    Begun,
    /// It is complete.
    Done,
    /// It ended before it was complete.
    Cut,
}

impl Stage {
    fn status(self) -> &'static str {
        match self {
            Self::Begun => "in_progress",
            Self::Done => "completed",
            Self::Cut => "incomplete",
        }
    }
}

/// What becomes of `part`.
pub(crate) fn kind(part: &Part) -> Kind {
    match part {
        Part::Text(_) | Part::Refusal(_) => Kind::Content,
        Part::Reasoning(_) => Kind::Item,
        Part::Media(media) => of_media(media),
        Part::ToolCall(call) => of_call(call),
        Part::ServerResult(result) if result.origin == DIALECT => Kind::Item,
        Part::Foreign(foreign) if foreign.dialect == DIALECT && is_item(&foreign.kind) => Kind::Item,
        Part::Foreign(foreign) if foreign.dialect == DIALECT => Kind::Content,
        Part::ServerResult(_) => {
            Kind::Left("what another provider's tool gave is told by the text that cites it")
        }
        Part::ToolResult(_) => Kind::Left("an answer holds no results of the client's tools"),
        Part::Foreign(_) => Kind::Left("no other dialect has it"),
    }
}

/// Whether a node nobody else has is an item: content that nobody knows is rare, and its kinds end as content does.
fn is_item(kind: &str) -> bool {
    !kind.starts_with("output_") && !kind.starts_with("input_")
}

fn of_media(media: &Media) -> Kind {
    let own = media.rest.origin() == Some(DIALECT);
    match (media.kind, &media.source) {
        _ if own && media.rest.get(ITEM).is_some() => Kind::Content,
        (MediaKind::Image, Source::Inline(_) | Source::Handle(_)) => Kind::Item,
        (MediaKind::Audio, Source::Inline(_)) if media.mime.is_none() => Kind::Content,
        (MediaKind::Image, _) => Kind::Left("an image is told with its bytes"),
        (MediaKind::Audio | MediaKind::Video | MediaKind::File, _) => {
            Kind::Left("an answer holds text and images")
        }
    }
}

fn of_call(call: &ToolCall) -> Kind {
    match &call.kind {
        ToolCallKind::Function | ToolCallKind::Custom => Kind::Item,
        ToolCallKind::Native(word) if !call_form(word, "").member.is_empty() => Kind::Item,
        ToolCallKind::Native(_) if served(call).is_some() => Kind::Item,
        ToolCallKind::Native(_) => Kind::Left("it is a call of another provider's own tool"),
    }
}

/// The `type` that tells of a call that another provider ran: a search of the web, or code.
fn served(call: &ToolCall) -> Option<&'static str> {
    let of_provider = call.executor == Executor::Provider;
    match call.name.as_str() {
        "web_search" if of_provider => Some("web_search_call"),
        "code_execution" | "codeExecution" if of_provider => Some("code_interpreter_call"),
        _ => None,
    }
}

/// Where an item stands in an answer, and for whom it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stand<'a> {
    /// The id of the answer, without its prefix.
    pub(crate) answer: &'a str,
    /// The number of the item.
    pub(crate) index: usize,
    /// Whether the answer is in this dialect's own words.
    pub(crate) own: bool,
}

impl Stand<'_> {
    fn made(&self, prefix: &str) -> String {
        format!("{prefix}_{}_{}", self.answer, self.index)
    }

    /// The id of the item that begins with `part`. `None` where an item of this dialect has none.
    pub(crate) fn id(&self, part: &Part) -> Option<String> {
        let (own, prefix) = match part {
            Part::Text(text) | Part::Refusal(text) => (enclosed_id(text.rest.get(ITEM)), "msg"),
            Part::Media(media) if kind(part) == Kind::Content => (enclosed_id(media.rest.get(ITEM)), "msg"),
            Part::Media(media) => (media.rest.get("id").filter(|_| self.own).and_then(string_of), "ig"),
            Part::Reasoning(reasoning) => (reasoning.id.clone().filter(|_| self.own), "rs"),
            Part::ToolCall(call) => (call.item.clone().filter(|_| self.own), prefix(call)),
            Part::ServerResult(result) => (id_in(&result.raw), "item"),
            Part::Foreign(foreign) => (id_in(&foreign.raw), "item"),
            Part::ToolResult(_) => (None, "item"),
        };
        let made = own.is_none() && (!self.own || kind(part) == Kind::Content);
        own.or_else(|| made.then(|| self.made(prefix)))
    }
}

fn prefix(call: &ToolCall) -> &'static str {
    match &call.kind {
        ToolCallKind::Function => "fc",
        ToolCallKind::Custom => "ctc",
        ToolCallKind::Native(_) if served(call) == Some("code_interpreter_call") => "ci",
        ToolCallKind::Native(_) => "ws",
    }
}

fn id_in(item: &RawJson) -> Option<String> {
    member(item.get(), "id")?.as_str().map(Into::into)
}

fn enclosed_id(envelope: Option<&RawJson>) -> Option<String> {
    id_in(envelope?)
}

/// What a message says beside its content, where its first part tells it.
pub(crate) fn envelope(part: &Part) -> Option<&RawJson> {
    match part {
        Part::Text(text) | Part::Refusal(text) => text.rest.get(ITEM),
        Part::Media(media) => media.rest.get(ITEM),
        Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => None,
    }
}

/// Writes the members of a message.
pub(crate) fn put_message(
    w: &mut JsonWriter<'_>,
    id: &str,
    envelope: Option<&RawJson>,
    stage: Stage,
    content: impl FnOnce(&mut JsonWriter<'_>),
) {
    match envelope {
        Some(own) => {
            let _ = each_member(own.get(), |member| w.raw(&member.key, &member.value.into()));
        }
        None => {
            w.string("id", id);
            w.string("type", "message");
            w.string("status", stage.status());
            w.string("role", "assistant");
        }
    }
    w.array("content", content);
}

/// Writes a content part of a message.
pub(crate) fn put_content(place: Place<'_, '_>, part: &Part, stage: Stage) {
    match part {
        Part::Text(text) => place.object(|w| put_text(w, text, stage)),
        Part::Refusal(text) => place.object(|w| {
            w.string("type", "refusal");
            match stage {
                Stage::Begun => w.string("refusal", ""),
                Stage::Cut | Stage::Done => w.text("refusal", &text.text),
            }
            verbatim(w, own_members(&text.rest), &[ITEM]);
        }),
        Part::Media(media) => place.object(|w| put_media(w, media, stage)),
        Part::Foreign(foreign) => place.raw(&foreign.raw),
        Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) | Part::ServerResult(_) => place.null(),
    }
}

fn put_text(w: &mut JsonWriter<'_>, text: &Text, stage: Stage) {
    let filled = stage != Stage::Begun;
    w.string("type", "output_text");
    match filled {
        true => w.text("text", &text.text),
        false => w.string("text", ""),
    }
    w.array("annotations", |w| {
        for citation in text.citations.iter().filter(|citation| filled && is_told(citation)) {
            put_annotation(w.element(), citation, &text.text);
        }
    });
    put_logprobs(w.member("logprobs"), text.logprobs.as_ref().filter(|_| filled), Told::Text);
    verbatim(w, own_members(&text.rest), &[ITEM]);
}

/// The model's own sound, and images of providers that put them into messages.
fn put_media(w: &mut JsonWriter<'_>, media: &Media, stage: Stage) {
    let data = match &media.source {
        Source::Inline(data) if stage != Stage::Begun => data,
        Source::Inline(_) | Source::Url(_) | Source::Handle(_) | Source::Plain(_) | Source::Parts(_) => "",
    };
    if media.kind == MediaKind::Image {
        w.string("type", "input_image");
        if let Source::Url(url) = &media.source {
            w.string("image_url", url);
        } else {
            w.string("image_url", &data_url(media.mime.as_deref().unwrap_or("image/png"), data));
        }
    } else {
        put_output_audio(w, data);
    }
    verbatim(w, own_members(&media.rest), &[ITEM]);
}

/// The members of `rest` that are this dialect's.
fn own_members(rest: &shim_ir::Rest) -> &[(Box<str>, RawJson)] {
    if rest.origin() == Some(DIALECT) { rest.members() } else { &[] }
}

/// Writes an item that is no message.
pub(crate) fn put_item(place: Place<'_, '_>, part: &Part, id: Option<&str>, stage: Stage, stand: Stand<'_>) {
    match part {
        Part::Reasoning(reasoning) => place.object(|w| {
            let filled = stage != Stage::Begun;
            put_reasoning_item(w, reasoning, id, filled, own_members(&reasoning.rest));
        }),
        Part::ToolCall(call) => place.object(|w| put_call(w, call, id, stage, stand)),
        Part::Media(media) => place.object(|w| {
            let status = (!stand.own).then(|| stage.status());
            let id = id.filter(|_| media.rest.get("id").is_none());
            put_image_item(w, media, id, status, own_members(&media.rest));
        }),
        Part::ServerResult(result) => place.raw(&result.raw),
        Part::Foreign(foreign) => place.raw(&foreign.raw),
        Part::Text(_) | Part::Refusal(_) | Part::ToolResult(_) => place.null(),
    }
}

/// A call of this dialect's own. What no event adds to is told at once.
fn put_own_call(w: &mut JsonWriter<'_>, call: &ToolCall, begun: bool) {
    let item = CallItem::own(call);
    let grows = !call_form(item.word, item.arguments).raw;
    let arguments = if begun && grows { "" } else { item.arguments };
    CallItem { arguments, ..item }.put(w);
}

fn put_call(w: &mut JsonWriter<'_>, call: &ToolCall, id: Option<&str>, stage: Stage, stand: Stand<'_>) {
    let begun = stage == Stage::Begun;
    if stand.own {
        return put_own_call(w, call, begun);
    }
    if let Some(word) = served(call) {
        return put_served(w, call, word, id, stage);
    }
    let made = if call.id.is_empty() { stand.made("call") } else { String::new() };
    let item = CallItem {
        word: if call.kind == ToolCallKind::Custom { "custom_tool_call" } else { "function_call" },
        id,
        call_id: Some(if call.id.is_empty() { &made } else { &call.id }),
        name: Some(&call.name),
        arguments: if begun { "" } else { &call.arguments },
        status: Some(stage.status()),
        members: &[],
    };
    item.put(w);
    w.maybe("namespace", group_of(&call.rest).as_deref(), JsonWriter::string);
}

/// A call that another provider ran, as if this dialect's had.
fn put_served(w: &mut JsonWriter<'_>, call: &ToolCall, word: &str, id: Option<&str>, stage: Stage) {
    let text = |name: &str| member(&call.arguments, name).and_then(|value| value.as_str().map(String::from));
    w.maybe("id", id, JsonWriter::string);
    w.string("type", word);
    w.string("status", stage.status());
    if word == "web_search_call" {
        w.nested("action", |w| {
            w.string("type", "search");
            w.string("query", &text("query").unwrap_or_default());
        });
    } else {
        w.string("code", &text("code").unwrap_or_else(|| call.arguments.clone()));
        w.string("container_id", "");
        w.null("outputs");
    }
}

/// Tells what of citations is not told.
pub(super) fn lose_citations(text: &Text, at: At<'_>, losses: &mut Losses) {
    if text.citations.iter().any(is_shortened) {
        losses.dropped(at.member("citations"), "annotations do not hold the words that are cited");
    }
    if !text.citations.iter().all(is_told) {
        losses.dropped(at.member("citations"), "they name nothing that is cited");
    }
}

/// Tells what hangs on a text and is not told.
fn lose_beside(text: &Text, at: At<'_>, losses: &mut Losses) {
    lose_citations(text, at, losses);
    if text.logprobs.as_ref().is_some_and(|list| !is_list(list)) {
        losses.dropped(at.member("logprobs"), "they have another form");
    }
}

/// Tells what of a part is not told, once the part is complete.
pub(crate) fn lose_part(part: &Part, own: bool, at: At<'_>, losses: &mut Losses) {
    if let Kind::Left(why) = kind(part) {
        return losses.dropped(at, why);
    }
    if let Part::Text(text) | Part::Refusal(text) = part {
        lose_beside(text, at, losses);
    }
    if matches!(part, Part::Media(media) if media.name.is_some()) {
        losses.dropped(at.member("name"), "media of this kind has no name here");
    }
    let Some((rest, opaque)) = unread(part) else { return };
    if opaque.iter().any(|own| own.kind != OpaqueKind::Encrypted) {
        losses.dropped(at.member("opaque"), "only its origin can read it");
    }
    if !own && group_of(rest).is_none() {
        losses.own(rest, at);
    }
}

/// What a part holds that is not modelled, and what only its origin can read.
fn unread(part: &Part) -> Option<(&Rest, &[Opaque])> {
    Some(match part {
        Part::Text(text) | Part::Refusal(text) => (&text.rest, &text.opaque),
        Part::Media(media) => (&media.rest, &media.opaque),
        Part::Reasoning(reasoning) => (&reasoning.rest, &reasoning.opaque),
        Part::ToolCall(call) => (&call.rest, &call.opaque),
        Part::ToolResult(_) | Part::ServerResult(_) | Part::Foreign(_) => return None,
    })
}
