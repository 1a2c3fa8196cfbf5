//! Turns as messages.
//!
//! Other dialects have a turn for each item, or put results into the user's turns: which message each part stands in is said
//! by the plan.

use shim_ir::{
    Executor, MediaKind, OpaqueKind, Part, Reasoning, Request, Rest, Role, Source, Text, ToolResult,
};
use shim_wire::{JsonWriter, RawJson};

use super::cite::is_annotation;
use super::content::{BETWEEN, Sited, content, element, plain};
use super::losses::{Site, is_own};
use super::plan::{Message, inside, is_media, plan};
use super::request::To;
use super::{call, media};
use crate::openai_chat::decode::has_form;

/// Writes the conversation as elements of `messages`.
pub(super) fn messages(request: &Request, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    for message in plan(request, to) {
        match message {
            Message::Said { role, parts, turns } => said(request, role, &parts, &turns, to, w),
            Message::Assistant { parts, turns } => assistant(request, &parts, &turns, to, w),
            Message::Result { result, site, role } => tool(result, site, role, to, w),
            Message::Shown(results) => shown(&results, to, w),
        }
    }
}

fn said(
    request: &Request,
    role: &str,
    parts: &[Sited<'_>],
    turns: &[usize],
    to: &mut To<'_>,
    w: &mut JsonWriter<'_>,
) {
    w.element().object(|w| {
        w.string("role", role);
        match turns {
            [_] => content(parts, to, w),
            _ => instructions(parts, to, w),
        }
        if role == "user" {
            lose_operators(request, turns, to);
        }
        lose_citations(parts, to);
        beside(request, turns, to, w);
    });
}

/// Writes instructions, which are one text to most providers.
fn instructions(parts: &[Sited<'_>], to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    match plain(parts, Some(BETWEEN), to) {
        Some(text) => text.write(w.member("content")),
        None => content(parts, to, w),
    }
}

/// Tells which of the turns that the user is made to say are the operator's.
fn lose_operators(request: &Request, turns: &[usize], to: &mut To<'_>) {
    for turn in turns {
        if request.turns.get(*turn).is_some_and(|turn| is_operator(&turn.role)) {
            let path = format!("turns[{turn}].role");
            to.losses.approximated(path, "instructions inside the conversation are the user's here");
        }
    }
}

/// Only what the assistant said has a place for citations.
fn lose_citations(parts: &[Sited<'_>], to: &mut To<'_>) {
    for (site, part) in parts {
        if matches!(part, Part::Text(text) if !text.citations.is_empty()) {
            to.losses.dropped(site.at("citations"), "they are not sent back");
        }
    }
}

fn is_operator(role: &Role) -> bool {
    matches!(role, Role::System | Role::Developer)
}

/// What turns have beside role and parts.
fn beside(request: &Request, turns: &[usize], to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let mut named = false;
    for at in turns {
        let Some(turn) = request.turns.get(*at) else { continue };
        if turn.id.is_some() {
            to.losses.dropped(format!("turns[{at}].id"), "a message has no id here");
        }
        if let Some(name) = turn.name.as_deref() {
            if std::mem::replace(&mut named, true) {
                to.losses.dropped(format!("turns[{at}].name"), "a message has one name");
            } else if to.has("no_message_name") {
                to.losses.dropped(format!("turns[{at}].name"), "the provider refuses it");
            } else {
                w.string("name", name);
            }
        }
        to.losses.write_own(&turn.rest, &format_args!("turns[{at}]"), w);
    }
}

fn assistant(
    request: &Request,
    parts: &[Sited<'_>],
    turns: &[usize],
    to: &mut To<'_>,
    w: &mut JsonWriter<'_>,
) {
    w.element().object(|w| {
        w.string("role", "assistant");
        let mut more = reasoning(parts, to, w);
        more |= parts.iter().any(|(_, part)| !matches!(part, Part::Text(_) | Part::Reasoning(_)));
        spoken(parts, more, to, w);
        refused(parts, to, w);
        annotations(parts, to, w);
        made(parts, to, w);
        calls(parts, to, w);
        beside(request, turns, to, w);
    });
}

/// Writes what the assistant refused.
fn refused(parts: &[Sited<'_>], to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let mut refusals = Vec::new();
    for (site, text) in parts.iter().filter_map(refusal) {
        to.bare_losses(text, site);
        refusals.push(&text.text);
    }
    if !refusals.is_empty() {
        w.member("refusal").joined(&refusals, "");
    }
}

fn refusal<'r>((site, part): &Sited<'r>) -> Option<(Site, &'r Text)> {
    if let Part::Refusal(text) = part { Some((*site, text)) } else { None }
}

/// Writes what the assistant said. Its texts are pieces of one, so nothing stands between them; a list is written only
/// where it holds what a string cannot. `more` says that the message has something beside text.
fn spoken(parts: &[Sited<'_>], more: bool, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let listed: Vec<_> = parts.iter().copied().filter(|(_, part)| is_spoken(part)).collect();
    match plain(&listed, Some(""), to) {
        Some(_) if listed.is_empty() && (more || parts.is_empty()) => w.null("content"),
        Some(text) => text.write(w.member("content")),
        None => w.array("content", |w| {
            for (site, part) in listed {
                if let Part::Reasoning(reasoning) = part {
                    thinking(reasoning, site, to, w);
                } else {
                    element(part, site, to, w);
                }
            }
        }),
    }
}

fn is_spoken(part: &Part) -> bool {
    match part {
        Part::Text(_) | Part::Foreign(_) => true,
        Part::Reasoning(reasoning) => has_form(&reasoning.rest, "thinking"),
        Part::Refusal(_)
        | Part::Media(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_) => false,
    }
}

/// Mistral's reasoning, as a content part.
pub(super) fn thinking(reasoning: &Reasoning, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    w.element().object(|w| {
        w.string("type", "thinking");
        if reasoning.rest.get("thinking").is_none() {
            w.array("thinking", |w| {
                w.element().object(|w| {
                    w.string("type", "text");
                    w.string("text", &reasoning.text.concat());
                });
            });
        }
        to.losses.write_own(&reasoning.rest, &site, w);
    });
}

/// Writes reasoning in the member it came in, or where the provider is known to want it back; tells whether there was
/// any. It is never written into text.
fn reasoning(parts: &[Sited<'_>], to: &mut To<'_>, w: &mut JsonWriter<'_>) -> bool {
    let mut told = [String::new(), String::new()];
    let mut others = Vec::new();
    for (site, part) in parts {
        let Part::Reasoning(reasoning) = part else { continue };
        if has_form(&reasoning.rest, "thinking") {
            continue;
        }
        let slot = slot(&reasoning.rest, to);
        let details = lose_opaque(reasoning, *site, to);
        others.extend(details.map(|raw| ("reasoning_details".to_owned(), raw)));
        let readable = reasoning.text.iter().chain(&reasoning.summary);
        match slot.and_then(|slot| told.get_mut(slot)) {
            Some(text) => join(text, readable),
            None if is_own(&reasoning.rest) => {}
            None if readable.clone().any(|text| !text.is_empty()) => {
                to.losses.dropped(site, "reasoning of earlier turns has no place here");
            }
            None => {}
        }
        let own = to.losses.own(&reasoning.rest, site);
        others.extend(own.map(|(key, raw)| (key.to_owned(), raw.clone())));
        if reasoning.id.is_some() {
            to.losses.dropped(site.at("id"), "reasoning has no id here");
        }
    }
    for (key, text) in ["reasoning_content", "reasoning"].into_iter().zip(&told) {
        w.maybe(key, Some(text.as_str()).filter(|text| !text.is_empty()), JsonWriter::string);
    }
    for (key, raw) in &others {
        w.raw(key, raw);
    }
    !others.is_empty() || told.iter().any(|text| !text.is_empty())
}

/// Which member reasoning goes back in: `reasoning_content` is 0, `reasoning` is 1.
fn slot(rest: &Rest, to: &To<'_>) -> Option<usize> {
    let forms = [("reasoning_content", "reasoning_content_back"), ("reasoning", "reasoning_back")];
    let of_form = forms.iter().position(|(form, _)| has_form(rest, form));
    of_form.or_else(|| forms.iter().position(|(_, quirk)| !is_own(rest) && to.has(quirk)))
}

/// Adds pieces to a text, with an empty line between them.
pub(crate) fn join<'t>(text: &mut String, pieces: impl Iterator<Item = &'t String>) {
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        if !text.is_empty() {
            text.push_str(BETWEEN);
        }
        text.push_str(piece);
    }
}

/// The details that go back to whom they came from; any other opaque state is left out.
fn lose_opaque(reasoning: &Reasoning, site: Site, to: &mut To<'_>) -> Option<RawJson> {
    let is_details = |kind| kind == OpaqueKind::Details;
    if reasoning.opaque.iter().any(|opaque| !is_details(opaque.kind)) {
        to.losses.dropped(site.at("opaque"), "only its origin can read it");
    }
    let details = reasoning.opaque.iter().find(|opaque| is_details(opaque.kind));
    details.and_then(|opaque| RawJson::parse(&opaque.value).ok())
}

/// Writes the citations of earlier answers that came as annotations.
fn annotations(parts: &[Sited<'_>], to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let mut listed = Vec::new();
    for (site, part) in parts {
        let Part::Text(text) = part else { continue };
        for citation in &text.citations {
            match &citation.words {
                Some(words) if is_annotation(words, citation) => listed.push(words),
                Some(_) | None => to.losses.dropped(site.at("citations"), "they are not sent back"),
            }
        }
    }
    if !listed.is_empty() {
        w.array("annotations", |w| listed.iter().for_each(|words| w.element().raw(words)));
    }
}

/// Writes the media an earlier answer holds: sound by its id, images where they came so.
fn made(parts: &[Sited<'_>], to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let mut images = Vec::new();
    for (site, part) in parts {
        let Part::Media(of) = part else { continue };
        let kept = matches!(of.source, Source::Handle(_)) || is_own(&of.rest);
        match of.kind {
            MediaKind::Audio if kept => {
                to.lose_mark(of.cache.as_ref(), site.at("cache"));
                w.nested("audio", |w| media::sound(of, w, &mut to.losses, *site));
            }
            MediaKind::Image if has_form(&of.rest, "images") => images.push((site, of)),
            MediaKind::Image | MediaKind::Audio | MediaKind::Video | MediaKind::File => {
                to.losses.dropped(site, "media the model made is not sent back");
            }
        }
    }
    if !images.is_empty() {
        w.array("images", |w| images.iter().for_each(|(site, of)| media::part(of, **site, to, w)));
    }
}

fn calls(parts: &[Sited<'_>], to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let mut listed = Vec::new();
    for (site, part) in parts {
        if let Part::ServerResult(_) = part {
            to.losses.dropped(site, "a tool of another provider's gave it");
        }
        let Part::ToolCall(call) = part else { continue };
        if call.executor == Executor::Provider {
            to.losses.dropped(site, "a tool of another provider's was called");
        } else if has_form(&call.rest, "function_call") {
            call::legacy(call, *site, to, w);
        } else {
            listed.push((*site, call));
        }
    }
    if !listed.is_empty() {
        w.array("tool_calls", |w| listed.iter().for_each(|(site, call)| call::history(call, *site, to, w)));
    }
}

/// Writes what a tool gave. Media cannot stand here: the user shows it in the next message.
fn tool(result: &ToolResult, site: Site, role: &str, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let name = name_of(result, role, to);
    w.element().object(|w| {
        w.string("role", role);
        if role == "tool" {
            w.string("tool_call_id", &to.ids.id(site, &result.call));
        }
        w.maybe("name", name.as_deref(), JsonWriter::string);
        let as_parts = to.has("tool_media") || has_form(&result.rest, "parts");
        let parts: Vec<_> = inside(result, site).filter(|(_, part)| as_parts || !is_media(part)).collect();
        if as_parts && !result.error {
            content(&parts, to, w);
        } else {
            given(result, &parts, site, to, w);
        }
        lose_citations(&parts, to);
        to.losses.write_own(&result.rest, &site, w);
    });
    to.lose_mark(result.cache.as_ref(), site.at("cache"));
}

/// The name a tool's message has. OpenAI's have none, and Groq refuses one; it is written where it came in one.
fn name_of(result: &ToolResult, role: &str, to: &To<'_>) -> Option<String> {
    let named = (is_own(&result.rest) || role == "function") && !to.has("no_message_name");
    result.name.as_deref().filter(|_| named).map(|name| to.names.chosen(name).into_owned())
}

/// The content of a result as one text.
fn given(result: &ToolResult, parts: &[Sited<'_>], site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    if result.error {
        to.losses.approximated(site.at("error"), "that a tool failed is told in the text");
    }
    match plain(parts, Some("\n"), to) {
        Some(text) if result.error => {
            text.write_behind("Error: ", w.member("content"));
        }
        Some(text) if text.is_empty() && parts.len() < result.content.len() => w.string("content", SHOWN),
        Some(text) => text.write(w.member("content")),
        None => content(parts, to, w),
    }
}

/// The text of a result that is nothing but media.
const SHOWN: &str = "The result is shown in the next message.";

/// Writes the media that tools gave as a message of the user.
fn shown(results: &[(&ToolResult, Site, Vec<Sited<'_>>)], to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    w.element().object(|w| {
        w.string("role", "user");
        w.array("content", |w| {
            for (result, site, parts) in results {
                let id = to.ids.id(*site, &result.call).into_owned();
                w.element().object(|w| {
                    w.string("type", "text");
                    w.string("text", &format!("This is the result of the tool call {id}:"));
                });
                for (site, part) in parts {
                    to.losses.approximated(site, "media of a tool's result is shown by the user");
                    element(part, *site, to, w);
                }
            }
        });
    });
}
