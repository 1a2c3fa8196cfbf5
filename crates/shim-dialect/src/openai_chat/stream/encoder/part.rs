//! Parts: how each begins, grows and ends.

use shim_ir::{Delta, Executor, MediaKind, OpaqueKind, Part, PartId, Reasoning, Rest, Text};
use shim_wire::{JsonWriter, RawJson};

use super::super::super::decode::DIALECT;
use super::super::super::encode::{Site, chars, extra_content};
use super::ChunkEncoder;

/// A part that was opened, and how much of it was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) candidate: u32,
    /// Its number in its candidate.
    at: usize,
    pub(super) kind: Kind,
    pub(super) told: Told,
    /// How many citations were told.
    pub(super) cited: usize,
    /// Where its text begins in the whole text of the candidate, in characters.
    pub(super) base: u64,
}

impl Open {
    /// Where the part stands in the answer.
    pub(super) fn site(&self) -> Site {
        Site::Answer(self.candidate as usize, self.at)
    }
}

/// What a part is told as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Refusal,
    /// With the piece that grows, and whether it is one of a summary.
    Reasoning(Option<(bool, usize)>),
    /// A call, by its number.
    Call {
        number: u32,
        custom: bool,
    },
    /// A call, by its number, that is told when it is complete.
    Held(u32),
    /// A call in the deprecated form.
    Legacy,
    Sound,
    /// Told when it is complete.
    Image,
    /// Not told at all.
    Silent,
}

impl Kind {
    /// The member that text is told in.
    pub(super) fn member(self) -> Option<&'static str> {
        match self {
            Self::Text => Some("content"),
            Self::Refusal => Some("refusal"),
            Self::Reasoning(_)
            | Self::Call { .. }
            | Self::Held(_)
            | Self::Legacy
            | Self::Sound
            | Self::Image
            | Self::Silent => None,
        }
    }
}

/// A text that was told, as far as must be known to go on from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    bytes: usize,
    hash: u64,
}

impl Default for Told {
    fn default() -> Self {
        Self { bytes: 0, hash: 0xcbf2_9ce4_8422_2325 }
    }
}

impl Told {
    pub(super) fn add(&mut self, text: &str) {
        self.bytes += text.len();
        self.hash = text
            .bytes()
            .fold(self.hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// What of `whole` is still to be told; `None` where something else was told.
    pub(super) fn rest_of<'t>(&self, whole: &'t str) -> Option<&'t str> {
        let (before, rest) = whole.split_at_checked(self.bytes)?;
        let mut told = Self::default();
        told.add(before);
        (told.hash == self.hash).then_some(rest)
    }
}

/// What stands between two pieces of reasoning.
pub(super) const BETWEEN: &str = "\n\n";

impl ChunkEncoder {
    pub(super) fn open(&mut self, candidate: u32, part: &Part, out: &mut Vec<u8>) {
        let id = PartId(u32::try_from(self.parts.len()).unwrap_or(u32::MAX));
        let choice = self.choice(candidate);
        let (base, at) = (choice.chars, choice.parts);
        choice.parts += 1;
        let kind = self.kind(candidate, Site::Answer(candidate as usize, at), part);
        self.parts.push(Open { candidate, at, kind, told: Told::default(), cited: 0, base });
        match part {
            Part::Text(text) => self.open_text(id, text, out),
            Part::Refusal(text) => {
                self.choice(candidate).refused = true;
                self.open_text(id, text, out);
            }
            Part::Reasoning(reasoning) => self.open_reasoning(id, reasoning, out),
            Part::ToolCall(call) => self.open_call(id, call, out),
            Part::Media(media) => self.open_media(id, media, out),
            Part::Foreign(foreign) if foreign.dialect == DIALECT => {
                self.delta(candidate, true, out, |w| w.array("content", |w| w.element().raw(&foreign.raw)));
            }
            Part::Foreign(_) | Part::ToolResult(_) | Part::ServerResult(_) => {}
        }
    }

    /// What a part is told as; what cannot be told is a loss.
    fn kind(&mut self, candidate: u32, site: Site, part: &Part) -> Kind {
        match part {
            Part::Text(_) => Kind::Text,
            Part::Refusal(_) => Kind::Refusal,
            Part::Reasoning(_) => Kind::Reasoning(None),
            Part::ToolCall(call) if call.executor == Executor::Client => {
                self.call_kind(candidate, site, call)
            }
            Part::Media(media) if media.kind == MediaKind::Audio => Kind::Sound,
            Part::Media(media) if media.kind == MediaKind::Image => Kind::Image,
            Part::Media(_) => self.silent(site, "an answer here holds no such media"),
            Part::ToolCall(_) | Part::ServerResult(_) | Part::ToolResult(_) => {
                self.silent(site, "the provider ran the tool")
            }
            Part::Foreign(foreign) if foreign.dialect == DIALECT => Kind::Silent,
            Part::Foreign(_) => self.silent(site, "no other dialect has it"),
        }
    }

    /// A part that cannot be told, and why.
    pub(super) fn silent(&mut self, site: Site, why: &'static str) -> Kind {
        self.losses.dropped(site, why);
        Kind::Silent
    }

    pub(super) fn part(&self, id: PartId) -> Option<Open> {
        self.parts.get(id.0 as usize).copied()
    }

    pub(super) fn note(&mut self, id: PartId, change: impl FnOnce(&mut Open)) {
        if let Some(open) = self.parts.get_mut(id.0 as usize) {
            change(open);
        }
    }

    fn open_text(&mut self, id: PartId, text: &Text, out: &mut Vec<u8>) {
        self.say(id, &text.text, out);
        for citation in &text.citations {
            self.cite(id, citation);
        }
        if let Some(list) = &text.logprobs {
            self.logprobs(id, list, out);
        }
        for opaque in &text.opaque {
            self.opaque(id, opaque.kind, &opaque.value, out);
        }
        self.part_rest(id, &text.rest, out);
    }

    fn open_reasoning(&mut self, id: PartId, reasoning: &Reasoning, out: &mut Vec<u8>) {
        for (piece, text) in reasoning.text.iter().enumerate() {
            self.think(id, (false, piece), text, out);
        }
        for (piece, text) in reasoning.summary.iter().enumerate() {
            self.think(id, (true, piece), text, out);
        }
        for opaque in &reasoning.opaque {
            self.opaque(id, opaque.kind, &opaque.value, out);
        }
        self.part_rest(id, &reasoning.rest, out);
    }

    pub(super) fn grow(&mut self, id: PartId, delta: &Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) => self.say(id, text, out),
            Delta::Reasoning { piece, text } => self.think(id, (false, *piece), text, out),
            Delta::Summary { piece, text } => self.think(id, (true, *piece), text, out),
            Delta::Arguments(text) => self.arguments(id, text, out),
            Delta::Data(data) => self.data(id, data, out),
            Delta::Opaque { kind, value, .. } => self.opaque(id, *kind, value, out),
            Delta::Citation(citation) => self.cite(id, citation),
            Delta::Logprobs(list) => self.logprobs(id, list, out),
            Delta::Rest(rest) => self.part_rest(id, rest, out),
            Delta::Whole(part) => self.whole(id, part, out),
        }
    }

    /// Tells text of a text or a refusal.
    pub(super) fn say(&mut self, id: PartId, text: &str, out: &mut Vec<u8>) {
        let Some(open) = self.part(id).filter(|_| !text.is_empty()) else { return };
        let Some(member) = open.kind.member() else { return };
        self.note(id, |open| open.told.add(text));
        if open.kind == Kind::Text {
            self.choice(open.candidate).chars += chars(text);
        }
        self.member(open.candidate, member, text, out);
    }

    /// A delta with one member.
    fn member(&mut self, candidate: u32, member: &str, text: &str, out: &mut Vec<u8>) {
        if self.choice(candidate).begun {
            self.chunks.text(candidate, member, text, out);
        } else {
            self.delta(candidate, member == "content", out, |w| w.string(member, text));
        }
    }

    /// Tells reasoning. Pieces are told as one text, with an empty line between them.
    pub(super) fn think(&mut self, id: PartId, piece: (bool, usize), text: &str, out: &mut Vec<u8>) {
        let Some(open) = self.part(id).filter(|_| !text.is_empty()) else { return };
        let Kind::Reasoning(last) = open.kind else { return };
        let inner = !open.told.is_empty() && last != Some(piece);
        let between = if inner { BETWEEN } else { "" };
        self.note(id, |open| {
            open.kind = Kind::Reasoning(Some(piece));
            open.told.add(between);
            open.told.add(text);
        });
        let choice = self.choice(open.candidate);
        let again = open.told.is_empty() && std::mem::replace(&mut choice.reasoned, true);
        if inner || again {
            self.member(open.candidate, "reasoning_content", &format!("{BETWEEN}{text}"), out);
        } else {
            self.member(open.candidate, "reasoning_content", text, out);
        }
    }

    /// Opaque state goes where clients have a place for it: OpenRouter's details, and Gemini's signature of a call.
    pub(super) fn opaque(&mut self, id: PartId, of: OpaqueKind, value: &str, out: &mut Vec<u8>) {
        let Some(open) = self.part(id) else { return };
        match (open.kind, of, RawJson::parse(value)) {
            (Kind::Silent, ..) => {}
            (Kind::Reasoning(_), OpaqueKind::Details, Ok(raw)) => {
                self.delta(open.candidate, false, out, |w| w.raw("reasoning_details", &raw));
            }
            (Kind::Call { number, custom }, OpaqueKind::ThoughtSignature, _) => {
                self.call_member(open.candidate, number, out, |w| {
                    // OpenAI's own SDK takes every piece of a call for one of its arguments.
                    let (of, with) = if custom { ("custom", "input") } else { ("function", "arguments") };
                    w.nested(of, |w| w.string(with, ""));
                    extra_content(w, "extra_content", value);
                });
            }
            _ => {
                self.losses.dropped(open.site().at("opaque"), "clients have no place for it");
            }
        }
    }

    /// More members of a part. Those of another dialect are told as left out.
    pub(super) fn part_rest(&mut self, id: PartId, rest: &Rest, out: &mut Vec<u8>) {
        let Some(open) = self.part(id).filter(|_| !rest.is_empty()) else { return };
        let site = open.site();
        let mut own = self.losses.own(rest, &site).peekable();
        if own.peek().is_none() {
            return;
        }
        let members = |w: &mut JsonWriter<'_>| own.for_each(|(key, raw)| w.raw(key, raw));
        match open.kind {
            Kind::Text => self.content_part(open.candidate, "text", out, |w| {
                w.string("text", "");
                members(w);
            }),
            Kind::Reasoning(_) => self.content_part(open.candidate, "thinking", out, |w| {
                if rest.get("thinking").is_none() {
                    w.array("thinking", |_| ());
                }
                members(w);
            }),
            Kind::Call { number, .. } => self.call_member(open.candidate, number, out, members),
            Kind::Sound => self.delta(open.candidate, false, out, |w| w.nested("audio", members)),
            Kind::Refusal | Kind::Held(_) | Kind::Legacy | Kind::Image | Kind::Silent => {}
        }
    }

    fn content_part(
        &mut self,
        candidate: u32,
        word: &str,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut JsonWriter<'_>),
    ) {
        self.delta(candidate, true, out, |w| {
            w.array("content", |w| {
                w.element().object(|w| {
                    w.string("type", word);
                    members(w);
                });
            });
        });
    }

    pub(super) fn close(&mut self, id: PartId, out: &mut Vec<u8>) {
        if let Some(at) = self.held.iter().position(|(of, _)| *of == id) {
            let (_, call) = self.held.remove(at);
            if let Some(open @ Open { kind: Kind::Held(number), .. }) = self.part(id) {
                self.call(id, open, number, &call, out);
            }
        }
        match self.part(id) {
            Some(open) if open.kind == Kind::Text && !self.cited.is_empty() => self.close_text(open, id),
            Some(_) | None => self.close_image(id, out),
        }
    }
}
