//! Events as `chat.completion.chunk`s.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat-streaming>, read 2026-11-25. A chunk may tell of any part
//! at any time, so nothing is held back but what only makes sense whole: images, citations, and what stands beside the
//! answer.

mod call;
mod chunk;
mod cite;
mod media;
mod part;
mod whole;

use std::collections::BTreeMap;

use shim_ir::{Citation, Event, Finish, Foreign, Loss, Media, PartId, Rest, Start, ToolCall, Usage};
use shim_wire::{JsonWriter, RawJson};

use self::chunk::Chunks;
use self::cite::Note;
use self::part::Open;
use super::super::decode::DIALECT;
use super::super::encode::{
    Ending, Losses, Sources, finish_word, id_of, is_legacy, service_tier, unsaid, usage,
};
use super::super::errors;
use crate::common::each_member;
use crate::{Asker, Encoder};

/// Writes `chat.completion.chunk`s.
pub(crate) struct ChunkEncoder {
    state: State,
    chunks: Chunks,
    asker: Client,
    /// What was told of the first candidate, which nearly always is the only one, and of the others.
    first: Choice,
    others: BTreeMap<u32, Choice>,
    /// The parts that were opened; a part's id is its index.
    parts: Vec<Open>,
    /// Images that are not complete yet.
    images: Vec<(PartId, Media)>,
    /// Calls whose arguments begin as something else than what they become: another dialect's own tools.
    held: Vec<(PartId, ToolCall)>,
    /// Citations that wait for the text they are of.
    cited: Vec<(PartId, Citation)>,
    /// Citations that are told at the end.
    notes: Vec<Note>,
    used: Option<Usage>,
    sources: Sources,
    losses: Losses,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was told yet.
    Waiting,
    /// The answer has begun.
    Answering,
    /// The terminal frame was written.
    Ended,
}

/// What must be known of the client.
struct Client {
    id: String,
    model: String,
    created: u64,
    /// Whether it asked to be told the usage.
    usage: bool,
    /// Whether it reads the deprecated form of a call.
    legacy: bool,
}

impl Client {
    fn of(asker: &Asker<'_>) -> Self {
        Self {
            id: asker.id.to_owned(),
            model: asker.request.model.clone(),
            created: asker.created,
            usage: asker.request.stream.as_ref().is_none_or(|stream| stream.usage != Some(false)),
            legacy: is_legacy(asker.request),
        }
    }
}

/// What was told of one of the answers.
#[derive(Clone, Copy, Debug, Default)]
struct Choice {
    begun: bool,
    /// Number of its parts so far.
    parts: usize,
    calls: u32,
    /// Characters of its text so far.
    chars: u64,
    reasoned: bool,
    refused: bool,
}

impl Encoder for ChunkEncoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        match (self.state, event) {
            (State::Ended, _) => {}
            (_, Event::Fault(fault)) => {
                out.extend_from_slice(&errors::encode_stream_fault(fault));
                self.state = State::Ended;
            }
            (State::Waiting, Event::Start(start)) => self.start(start),
            (State::Answering, event) => self.answering(event, out),
            (State::Waiting, _) => {}
        }
    }

    fn losses(&self) -> &[Loss] {
        &self.losses.0
    }

    fn keep_alive(&self) -> Option<&'static [u8]> {
        Some(b": keep-alive\n\n")
    }
}

impl ChunkEncoder {
    pub(crate) fn new(asker: &Asker<'_>) -> Self {
        Self {
            state: State::Waiting,
            chunks: Chunks::default(),
            asker: Client::of(asker),
            first: Choice::default(),
            others: BTreeMap::new(),
            parts: Vec::new(),
            images: Vec::new(),
            held: Vec::new(),
            cited: Vec::new(),
            notes: Vec::new(),
            used: None,
            sources: Sources::default(),
            losses: Losses::default(),
        }
    }

    fn start(&mut self, start: &Start) {
        self.state = State::Answering;
        let model = start.model.as_deref().unwrap_or(&self.asker.model);
        let created = start.created.unwrap_or(self.asker.created);
        match &start.id {
            Some(id) => self.chunks.begin(id, model, created),
            None => self.chunks.begin(&id_of(&self.asker.id, &start.rest), model, created),
        }
        let losses = &mut self.losses;
        self.chunks.beside(|w| {
            service_tier(start.service_tier.as_deref(), losses, w);
            losses.write_own(&start.rest, &"", w);
        });
    }

    fn answering(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::PartStart { candidate, part, .. } => self.open(*candidate, part, out),
            Event::PartDelta { id, delta } => self.grow(*id, delta, out),
            Event::PartEnd { id } => self.close(*id, out),
            Event::Usage(used) => self.used = Some(used.clone()),
            Event::Rest(rest) => self.rest(rest, out),
            Event::Foreign(foreign) => self.foreign(foreign, out),
            Event::Finish(finishes) => self.finish(finishes, out),
            Event::Start(_) | Event::Fault(_) => {}
        }
    }

    /// What was told of a candidate so far.
    fn choice(&mut self, candidate: u32) -> &mut Choice {
        match candidate {
            0 => &mut self.first,
            other => self.others.entry(other).or_default(),
        }
    }

    /// A chunk with a delta of a candidate. `speaks` says that the delta has `content` itself.
    fn delta(
        &mut self,
        candidate: u32,
        speaks: bool,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut JsonWriter<'_>),
    ) {
        let first = !std::mem::replace(&mut self.choice(candidate).begun, true);
        self.chunks.delta(candidate, out, |w| {
            if first {
                w.string("role", "assistant");
                if !speaks {
                    w.null("content");
                }
            }
            members(w);
        });
    }

    /// Members of the answer as a whole: before anything else they wait for the first chunk.
    fn rest(&mut self, rest: &Rest, out: &mut Vec<u8>) {
        let losses = &mut self.losses;
        self.chunks.beside(|w| losses.write_own(rest, &"", w));
        let begun = self.first.begun || !self.others.is_empty();
        if self.chunks.has_beside() && begun {
            self.chunks.empty(out);
        }
    }

    fn foreign(&mut self, foreign: &Foreign, out: &mut Vec<u8>) {
        let index = crate::common::member(foreign.raw.get(), "index").and_then(|index| index.as_u64());
        let candidate = index.and_then(|index| u32::try_from(index).ok()).unwrap_or_default();
        let members = |w: &mut JsonWriter<'_>| {
            let _ = each_member(foreign.raw.get(), |member| {
                if member.key != "index" {
                    w.raw(&member.key, &RawJson::from(member.value));
                }
            });
        };
        match foreign.kind.as_str() {
            "delta" if foreign.dialect == DIALECT => self.delta(candidate, true, out, members),
            "choice" if foreign.dialect == DIALECT => self.chunks.choice(candidate, out, members),
            _ => self.losses.dropped(&foreign.kind, "no other dialect has it"),
        }
    }

    fn finish(&mut self, finishes: &[Option<Finish>], out: &mut Vec<u8>) {
        self.state = State::Ended;
        if !self.sources.is_empty() {
            let sources = &self.sources;
            self.chunks.beside(|w| sources.write(w));
        }
        let ends = if finishes.is_empty() { &[None] } else { finishes };
        for (candidate, (at, finish)) in (0..).zip(ends.iter().enumerate()) {
            self.annotate(candidate, out);
            let nobodys = !self.choice(candidate).begun && ends.iter().any(Option::is_some);
            match finish {
                // An empty word says nothing in a chunk.
                Some(finish) if finish.words.as_deref() != Some("") => self.end(candidate, at, finish, out),
                None if nobodys => {}
                Some(_) | None => {
                    let finish = unsaid(at, &mut self.losses);
                    self.end(candidate, at, &finish, out);
                }
            }
        }
        if self.chunks.has_beside() {
            self.chunks.empty(out);
        }
        self.usage(out);
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// The chunk of the usage, for a client that asked for it.
    fn usage(&mut self, out: &mut Vec<u8>) {
        if let Some(used) = self.used.take().filter(|_| self.asker.usage) {
            self.chunks.beside(|w| w.nested("usage", |w| usage(&used, w)));
            self.chunks.empty(out);
        }
    }

    fn end(&mut self, candidate: u32, at: usize, finish: &Finish, out: &mut Vec<u8>) {
        let legacy = self.asker.legacy;
        let choice = self.choice(candidate);
        let first = !std::mem::replace(&mut choice.begun, true);
        let told = Ending { calls: choice.calls > 0, refused: choice.refused, legacy };
        let word = finish_word(finish, told, at, &mut self.losses);
        self.chunks.end(candidate, first, word, finish.sequence.as_deref(), out);
    }
}
