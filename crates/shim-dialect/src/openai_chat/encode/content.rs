//! Content of the messages of the user and the operator, and of tools.

use shim_ir::{CacheMark, Part, Text};
use shim_wire::{JsonString, JsonWriter, Place};
use smallvec::SmallVec;

use super::losses::{Site, is_own};
use super::media;
use super::request::To;
use crate::common::why_foreign;
use crate::openai_chat::decode::DIALECT;

/// A part, and where it stands.
pub(super) type Sited<'r> = (Site, &'r Part);

/// What stands between two texts that become one.
pub(super) const BETWEEN: &str = "\n\n";

/// Writes `content`: a string where one says it all, else a list of parts.
pub(super) fn content(parts: &[Sited<'_>], to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let joined = to.has("single_content_string");
    match plain(parts, joined.then_some(BETWEEN), to) {
        Some(text) => text.write(w.member("content")),
        None => w.array("content", |w| {
            for (site, part) in parts {
                element(part, *site, to, w);
            }
        }),
    }
}

/// Texts that become one, which nobody need put together before it is written.
pub(super) struct Plain<'r> {
    pieces: SmallVec<[&'r JsonString; 2]>,
    between: &'static str,
}

impl Plain<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.len() < 2 && self.pieces.iter().all(|piece| piece.is_empty())
    }

    pub(super) fn write(&self, place: Place<'_, '_>) {
        place.joined(&self.pieces, self.between);
    }

    /// As [`Plain::write`], with a word before them.
    pub(super) fn write_behind(&self, word: &str, place: Place<'_, '_>) {
        let mut first = JsonString::from(word);
        if let Some(piece) = self.pieces.first() {
            first.push_str(piece);
        }
        let rest = self.pieces.iter().skip(1).copied();
        let pieces: SmallVec<[_; 2]> = std::iter::once(&first).chain(rest).collect();
        place.joined(&pieces, self.between);
    }
}

/// The text that is all of `parts`; several texts only where something is said to stand between them.
pub(super) fn plain<'r>(
    parts: &[Sited<'r>],
    between: Option<&'static str>,
    to: &mut To<'_>,
) -> Option<Plain<'r>> {
    let marked = |text: &Text| text.cache.as_ref().is_some_and(|mark| to.mark(mark).is_some());
    let bare = |part: &Part| matches!(part, Part::Text(text) if !is_own(&text.rest) && !marked(text));
    if !parts.iter().all(|(_, part)| bare(part)) || (parts.len() > 1 && between.is_none()) {
        return None;
    }
    let mut pieces = SmallVec::new();
    for (site, text) in parts.iter().filter_map(texts) {
        to.text_losses(text, site);
        pieces.push(&text.text);
    }
    Some(Plain { pieces, between: between.unwrap_or_default() })
}

fn texts<'r>((site, part): &Sited<'r>) -> Option<(Site, &'r Text)> {
    if let Part::Text(text) = part { Some((*site, text)) } else { None }
}

/// Writes a part as an element of the open list.
pub(super) fn element(part: &Part, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    match part {
        Part::Text(text) => text_part(text, site, to, w),
        Part::Refusal(text) => w.element().object(|w| {
            w.string("type", "refusal");
            w.text("refusal", &text.text);
            to.bare_losses(text, site);
            to.losses.write_own(&text.rest, &site, w);
        }),
        Part::Media(media) => media::part(media, site, to, w),
        Part::Foreign(foreign) if foreign.dialect == DIALECT => w.element().raw(&foreign.raw),
        Part::Foreign(foreign) => to.losses.unsupported(site, why_foreign(foreign)),
        Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) | Part::ServerResult(_) => {
            to.losses.dropped(site, "it has no place in this message");
        }
    }
}

fn text_part(text: &Text, site: Site, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    to.text_losses(text, site);
    w.element().object(|w| {
        w.string("type", "text");
        w.text("text", &text.text);
        to.write_mark(text.cache.as_ref(), w);
        to.losses.write_own(&text.rest, &site, w);
    });
}

/// How a marker of a cached prefix is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// As `cache_control`: Anthropic's member, as OpenRouter and Alibaba take it.
    Control,
    /// As `prompt_cache_breakpoint`: <https://developers.openai.com/api/docs/guides/prompt-caching>, read 2026-11-25.
    Breakpoint,
}

impl To<'_> {
    /// How a marker is written; `None` where it cannot be.
    pub(super) fn mark(&self, mark: &CacheMark) -> Option<Mark> {
        let own = is_own(&mark.rest);
        match (own && mark.rest.get("type").is_none(), own) {
            (true, _) => Some(Mark::Breakpoint),
            (false, true) => Some(Mark::Control),
            (false, false) if self.has("cache_control") => Some(Mark::Control),
            (false, false) => self.has("prompt_cache_breakpoint").then_some(Mark::Breakpoint),
        }
    }

    pub(super) fn write_mark(&mut self, cache: Option<&CacheMark>, w: &mut JsonWriter<'_>) {
        let Some((cache, mark)) = cache.and_then(|cache| Some((cache, self.mark(cache)?))) else { return };
        let (member, word, kind) = match mark {
            Mark::Control => ("cache_control", "type", "ephemeral"),
            Mark::Breakpoint => ("prompt_cache_breakpoint", "mode", "explicit"),
        };
        w.nested(member, |w| {
            if !is_own(&cache.rest) {
                w.string(word, kind);
            }
            let life = cache.ttl.as_deref().filter(|_| is_own(&cache.rest) || mark == Mark::Control);
            w.maybe("ttl", life, JsonWriter::string);
            if is_own(&cache.rest) {
                self.losses.write_own(&cache.rest, &"", w);
            }
        });
    }

    /// A marker that stands where none can be written.
    pub(super) fn lose_mark(&mut self, cache: Option<&CacheMark>, site: impl std::fmt::Display) {
        if cache.is_some() {
            self.losses.dropped(site, "it cannot be marked for the prompt cache");
        }
    }

    /// How long a prefix is to be kept, where its marker cannot say it: OpenAI has one life for all breakpoints, half an
    /// hour, which holds for what asks for five minutes, too.
    pub(super) fn lose_life(&mut self, cache: Option<&CacheMark>, site: Site) {
        let Some(cache) = cache.filter(|cache| !is_own(&cache.rest)) else { return };
        let held = matches!(cache.ttl.as_deref(), None | Some("5m" | "30m"));
        if !held && self.mark(cache) == Some(Mark::Breakpoint) {
            self.losses.approximated(site.at("cache.ttl"), "all breakpoints have one life");
        }
    }

    /// What hangs on a text and cannot be written.
    pub(super) fn text_losses(&mut self, text: &Text, site: Site) {
        let unmarked = text.cache.as_ref().filter(|cache| self.mark(cache).is_none());
        self.lose_mark(unmarked, site.at("cache"));
        self.lose_life(text.cache.as_ref(), site);
        self.beside_losses(text, site);
    }

    /// The same where a text takes no marker.
    pub(super) fn bare_losses(&mut self, text: &Text, site: Site) {
        self.lose_mark(text.cache.as_ref(), site.at("cache"));
        self.beside_losses(text, site);
    }

    fn beside_losses(&mut self, text: &Text, site: Site) {
        if !text.opaque.is_empty() {
            self.losses.dropped(site.at("opaque"), "only its origin can read it");
        }
        if text.logprobs.is_some() {
            self.losses.dropped(site.at("logprobs"), "they are not sent back");
        }
        if !is_own(&text.rest) {
            self.losses.own(&text.rest, &site).for_each(drop);
        }
    }
}
