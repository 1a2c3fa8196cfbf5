//! The message of a whole answer.

use shim_ir::{Citation, Executor, Media, MediaKind, OpaqueKind, Part, Reasoning, Text, ToolCall};
use shim_wire::{JsonString, JsonWriter, RawJson};
use smallvec::SmallVec;

use super::answer::{Sources, call_id};
use super::cite::{self, Kind};
use super::content::BETWEEN;
use super::end::Told as Ending;
use super::losses::{Losses, Site, is_own};
use super::messages::join;
use super::{call, media};
use crate::Asker;
use crate::openai_chat::decode::{DIALECT, details_say};

type Cited<'m> = (Kind<'m>, &'m Citation, (u64, u64));

/// The message of an answer.
pub(super) struct Message<'m> {
    pub(super) at: usize,
    pub(super) asker: &'m Asker<'m>,
    pub(super) parts: &'m [Part],
    pub(super) legacy: bool,
}

impl<'m> Message<'m> {
    fn sited(&self) -> impl Iterator<Item = (Site, &'m Part)> + use<'m> {
        let at = self.at;
        self.parts.iter().enumerate().map(move |(part_at, part)| (Site::Answer(at, part_at), part))
    }

    pub(super) fn ending(&self) -> Ending {
        let refused = self.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
        Ending { calls: self.calls().next().is_some(), refused, legacy: self.legacy }
    }

    fn calls(&self) -> impl Iterator<Item = (Site, &'m ToolCall)> + use<'m> {
        self.sited().filter_map(|(site, part)| match part {
            Part::ToolCall(call) if call.executor == Executor::Client => Some((site, call)),
            Part::Text(_)
            | Part::Refusal(_)
            | Part::Media(_)
            | Part::Reasoning(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => None,
        })
    }

    fn texts(&self) -> impl Iterator<Item = (Site, &'m Text)> + use<'m> {
        self.sited()
            .filter_map(|(site, part)| if let Part::Text(text) = part { Some((site, text)) } else { None })
    }

    pub(super) fn write(&self, sources: &mut Sources, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        w.string("role", "assistant");
        self.content(losses, w);
        let refusals: Vec<_> = self.refusals().map(|(_, text)| &text.text).collect();
        match refusals.is_empty() {
            true => w.null("refusal"),
            false => w.member("refusal").joined(&refusals, ""),
        }
        self.reasoning(losses, w);
        self.annotations(sources, losses, w);
        self.media(losses, w);
        self.tool_calls(losses, w);
        self.lose(losses);
    }

    fn refusals(&self) -> impl Iterator<Item = (Site, &'m Text)> + use<'m> {
        self.sited()
            .filter_map(|(site, part)| if let Part::Refusal(text) = part { Some((site, text)) } else { None })
    }

    /// The text; a list of parts only where they came as one and say more than a string can.
    fn content(&self, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        if self.parts.iter().any(needs_list) {
            w.array("content", |w| self.sited().for_each(|(site, part)| element(part, site, losses, w)));
            return;
        }
        let texts: SmallVec<[&JsonString; 2]> = self.texts().map(|(_, text)| &text.text).collect();
        match texts.is_empty() {
            true => w.null("content"),
            false => w.member("content").joined(&texts, ""),
        }
    }

    /// Readable reasoning, in the member that most clients read.
    fn reasoning(&self, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        let mut text = String::new();
        for (site, part) in self.sited() {
            let Part::Reasoning(reasoning) = part else { continue };
            if !is_part(reasoning) {
                if !said_by_details(reasoning) {
                    join(&mut text, reasoning.text.iter().chain(&reasoning.summary));
                }
                losses.write_own(&reasoning.rest, &site, w);
            }
            details(reasoning, site, losses, w);
        }
        if !text.is_empty() {
            w.string("reasoning_content", &text);
        }
    }

    /// The citations that are told with the message, and where the text of each stands in the whole text.
    fn citations(&self, sources: &mut Sources, losses: &mut Losses) -> Vec<Cited<'m>> {
        let mut base = 0;
        let mut kept = Vec::new();
        for (site, text) in self.texts() {
            let within = (base, base + text.text.pieces().map(chars).sum::<u64>());
            for citation in &text.citations {
                let kind = cite::kind(citation, site, losses).and_then(|kind| sources.keep(kind));
                kept.extend(kind.map(|kind| (kind, citation, within)));
            }
            base = within.1;
        }
        kept
    }

    fn annotations(&self, sources: &mut Sources, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        let cited = self.citations(sources, losses);
        if cited.is_empty() {
            return;
        }
        w.array("annotations", |w| {
            for (kind, citation, within) in cited {
                match kind {
                    Kind::Annotation(raw) => w.element().raw(raw),
                    Kind::Made(url) => cite::made(citation, url, within, w),
                    Kind::Result(_) | Kind::Address(_) => {}
                }
            }
        });
    }

    fn media(&self, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        let mut images = Vec::new();
        for (site, part) in self.sited() {
            let Part::Media(media) = part else { continue };
            match media.kind {
                MediaKind::Audio => w.nested("audio", |w| {
                    sound_defaults(media, self.asker.id, self.asker.created, w);
                    media::sound(media, w, losses, site);
                }),
                MediaKind::Image => images.push((site, media)),
                MediaKind::Video | MediaKind::File => {
                    losses.dropped(site, "an answer here holds no such media")
                }
            }
        }
        if !images.is_empty() {
            w.array("images", |w| images.iter().for_each(|(site, of)| image(of, *site, losses, w)));
        }
    }

    fn tool_calls(&self, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        let mut calls = self.calls().peekable();
        if calls.peek().is_none() {
            return;
        }
        if self.legacy {
            for (at, (site, call)) in calls.enumerate() {
                legacy_call(at, site, call, losses, w);
            }
            return;
        }
        w.array("tool_calls", |w| {
            for (number, (site, of)) in (0..).zip(calls) {
                self.tool_call(number, site, of, losses, w);
            }
        });
    }

    fn tool_call(&self, number: u32, site: Site, of: &ToolCall, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        w.element().object(|w| {
            match of.id.as_str() {
                "" => w.string("id", &call_id(self.asker.id, self.at, number)),
                id => w.string("id", id),
            }
            call::Form::of(&of.kind).write(&of.name, &of.arguments, w);
            let signed = of.opaque.iter().find(|opaque| opaque.kind == OpaqueKind::ThoughtSignature);
            w.maybe("extra_content", signed.map(|opaque| opaque.value.as_str()), call::extra_content);
            if of.opaque.len() > usize::from(signed.is_some()) {
                losses.dropped(site.at("opaque"), "clients have no place for it");
            }
            call::write_rest(of, losses, site, w);
        });
        if of.item.is_some() {
            losses.dropped(site.at("item"), "a call has one id here");
        }
    }

    /// What has no place in a message.
    fn lose(&self, losses: &mut Losses) {
        for (site, part) in self.sited() {
            match part {
                Part::ToolCall(call) if call.executor == Executor::Provider => {
                    losses.dropped(site, "the provider ran the tool");
                }
                Part::ServerResult(_) | Part::ToolResult(_) => {
                    losses.dropped(site, "the provider ran the tool")
                }
                Part::Foreign(foreign) if foreign.dialect != DIALECT => {
                    losses.dropped(site, "no other dialect has it");
                }
                Part::Text(text) | Part::Refusal(text) => lose_text(text, site, losses),
                Part::Media(_) | Part::Reasoning(_) | Part::ToolCall(_) | Part::Foreign(_) => {}
            }
        }
    }

    /// The lists of log probabilities that `texts` have, as far as they have this dialect's form.
    fn lists(texts: impl Iterator<Item = (Site, &'m Text)>, losses: &mut Losses) -> Vec<&'m RawJson> {
        let lists = texts.filter_map(|(site, text)| Some((site, text.logprobs.as_ref()?)));
        let (ours, others): (Vec<_>, Vec<_>) = lists.partition(|(_, list)| cite::are_ours(list));
        let less = ours.iter().filter(|(_, list)| cite::leaves_out(list));
        for (site, _) in others.iter().chain(less) {
            losses.dropped(site.at("logprobs"), "they have another form");
        }
        ours.into_iter().map(|(_, list)| list).collect()
    }

    pub(super) fn logprobs(&self, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        let content = Self::lists(self.texts(), losses);
        let refusal = Self::lists(self.refusals(), losses);
        if content.is_empty() && refusal.is_empty() {
            w.null("logprobs");
            return;
        }
        w.nested("logprobs", |w| {
            for (key, lists) in [("content", content), ("refusal", refusal)] {
                if lists.is_empty() {
                    w.null(key);
                } else {
                    w.array(key, |w| lists.iter().for_each(|list| cite::logprobs(list, w)));
                }
            }
        });
    }
}

/// Whether a part of the content came as one and says more than a string can.
fn needs_list(part: &Part) -> bool {
    match part {
        Part::Text(text) => is_own(&text.rest),
        Part::Reasoning(reasoning) => is_part(reasoning),
        Part::Foreign(foreign) => foreign.dialect == DIALECT,
        Part::Refusal(_)
        | Part::Media(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_) => false,
    }
}

/// Writes OpenRouter's details; there is no place for other opaque state.
fn details(reasoning: &Reasoning, site: Site, losses: &mut Losses, w: &mut JsonWriter<'_>) {
    for opaque in &reasoning.opaque {
        match RawJson::parse(&opaque.value) {
            Ok(raw) if opaque.kind == OpaqueKind::Details => w.raw("reasoning_details", &raw),
            Ok(_) | Err(_) => losses.dropped(site.at("opaque"), "clients have no place for it"),
        }
    }
}

/// Whether OpenRouter's details say what a string cannot.
fn said_by_details(reasoning: &Reasoning) -> bool {
    let mut details = reasoning.opaque.iter().filter(|opaque| opaque.kind == OpaqueKind::Details);
    details.any(|opaque| serde_json::from_str(&opaque.value).is_ok_and(|raw| details_say(raw, reasoning)))
}

/// Whether reasoning came as a content part and says more than text.
fn is_part(reasoning: &Reasoning) -> bool {
    is_own(&reasoning.rest) && reasoning.rest.get("reasoning").is_none()
}

/// Characters, as citations count them.
pub(crate) fn chars(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}

/// Writes an element of `content`; what has another place is written there.
fn element(part: &Part, site: Site, losses: &mut Losses, w: &mut JsonWriter<'_>) {
    match part {
        Part::Text(text) => w.element().object(|w| {
            w.string("type", "text");
            w.text("text", &text.text);
            losses.write_own(&text.rest, &site, w);
        }),
        Part::Reasoning(reasoning) if is_part(reasoning) => thinking(reasoning, site, losses, w),
        Part::Foreign(foreign) if foreign.dialect == DIALECT => w.element().raw(&foreign.raw),
        Part::Refusal(_)
        | Part::Media(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => {}
    }
}

/// Mistral's reasoning, as a content part.
pub(crate) fn thinking(reasoning: &Reasoning, site: Site, losses: &mut Losses, w: &mut JsonWriter<'_>) {
    w.element().object(|w| {
        w.string("type", "thinking");
        if reasoning.rest.get("thinking").is_none() {
            w.array("thinking", |w| {
                w.element().object(|w| {
                    w.string("type", "text");
                    w.string("text", &reasoning.text.join(BETWEEN));
                });
            });
        }
        losses.write_own(&reasoning.rest, &site, w);
    });
}

/// What clients insist on where the sound is not of this dialect's making.
pub(crate) fn sound_defaults(media: &Media, asker: &str, created: u64, w: &mut JsonWriter<'_>) {
    if !is_own(&media.rest) {
        w.string("id", &format!("audio_{asker}"));
        w.number("expires_at", created);
        w.string("transcript", "");
    }
}

/// Writes an image the model made as an element of `images`, in OpenRouter's form.
/// Source: <https://openrouter.ai/docs/features/multimodal/image-generation>, read 2026-11-25.
pub(crate) fn image(media: &Media, site: Site, losses: &mut Losses, w: &mut JsonWriter<'_>) {
    let Some(url) = media::url(media, "image/png") else {
        losses.dropped(site, "an image kept by a provider cannot be told");
        return;
    };
    w.element().object(|w| {
        w.string("type", "image_url");
        w.nested("image_url", |w| {
            w.string("url", &url);
            w.maybe("detail", media.detail.as_deref(), JsonWriter::string);
        });
        losses.write_own(&media.rest, &site, w);
    });
    media::lose_name(media, site, losses);
    if !media.opaque.is_empty() {
        losses.dropped(site.at("opaque"), "clients have no place for it");
    }
}

fn legacy_call(at: usize, site: Site, call: &ToolCall, losses: &mut Losses, w: &mut JsonWriter<'_>) {
    if at > 0 {
        losses.dropped(site, "the deprecated form has one call");
        return;
    }
    w.nested("function_call", |w| {
        w.string("name", &call.name);
        w.string("arguments", &call.arguments);
        losses.write_own(&call.rest, &site, w);
    });
    if !call.opaque.is_empty() {
        losses.dropped(site.at("opaque"), "clients have no place for it");
    }
}

/// What hangs on a text and cannot be told.
fn lose_text(text: &Text, site: Site, losses: &mut Losses) {
    if !text.opaque.is_empty() {
        losses.dropped(site.at("opaque"), "clients have no place for it");
    }
    if !is_own(&text.rest) {
        losses.own(&text.rest, &site).for_each(drop);
    }
}
