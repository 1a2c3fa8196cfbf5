//! Events → a streamed answer.

use std::borrow::Cow;

use shim_ir::{
    Delta, Event, Finish, Foreign, Loss, LossKind, Media, Opaque, Part, PartId, Rest, Source, Start, Usage,
};
use shim_wire::{JsonWriter, RawJson};

use super::super::decode::{DIALECT, is_call};
use super::super::encode::{
    At, Grounds, Losses, Of, answering, blocks, created, finish_losses, finish_word, own, told_tier, usage,
};
use super::super::errors;
use super::frames::Frames;
use super::held::{Body, Held, grow, grow_call};
use crate::common::member;
use crate::{Asker, Encoder};

/// Writes an answer in pieces. Texts and thoughts leave at once, calls when their arguments are complete; of two texts
/// that grow at the same time the later one waits.
pub(crate) struct ChunkEncoder {
    state: State,
    pub(super) frames: Frames,
    /// The model the client asked for.
    model: String,
    pub(super) parts: Vec<Held>,
    pub(super) answers: Vec<Answer>,
    used: Option<Usage>,
    tier: Option<&'static str>,
    /// Whether the dialect itself said that the prompt was blocked.
    blocked: bool,
    pub(super) losses: Losses,
}

#[derive(Clone, Copy)]
enum State {
    /// Nothing was said yet.
    Waiting,
    /// The answer has begun.
    Answering,
    /// Finished or failed.
    Ended,
}

/// One of the answers.
#[derive(Default)]
pub(super) struct Answer {
    /// Whether anything was said of it.
    begun: bool,
    /// Whether a function was called.
    calls: bool,
    /// The bytes of text told.
    pub(super) said: u64,
    pub(super) grounds: Grounds,
    /// Whether some of what grounds it is not told.
    pub(super) ungrounded: bool,
    /// Whether the dialect itself said what grounds it.
    pub(super) grounded: bool,
}

/// More answers than any dialect gives.
const ANSWERS_MAX: usize = 1024;

impl Encoder for ChunkEncoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        match (self.state, event) {
            (State::Ended, _) => {}
            (_, Event::Fault(fault)) => {
                self.frames.fault(out, &errors::body(fault));
                self.state = State::Ended;
            }
            (State::Waiting, Event::Start(start)) => {
                self.start(start);
                self.state = State::Answering;
            }
            (State::Answering, Event::Finish(finishes)) => {
                self.finish(finishes, out);
                self.state = State::Ended;
            }
            (State::Answering, event) => self.take(event, out),
            (State::Waiting, _) => {}
        }
    }

    fn losses(&self) -> &[Loss] {
        self.losses.list()
    }

    /// An empty line: the official SDKs skip it, and it is white space in a list.
    fn keep_alive(&self) -> Option<&'static [u8]> {
        Some(b"\n")
    }
}

impl ChunkEncoder {
    pub(crate) fn new(asker: &Asker<'_>) -> Self {
        Self {
            state: State::Waiting,
            frames: Frames::new(asker.framing),
            model: asker.request.model.clone(),
            parts: Vec::new(),
            answers: Vec::new(),
            used: None,
            tier: None,
            blocked: false,
            losses: Losses::default(),
        }
    }

    /// Takes an event in the middle of an answer.
    fn take(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::PartStart { id, candidate, part } => self.open(*id, *candidate, part, out),
            Event::PartDelta { id, delta } => self.grow(*id, delta, out),
            Event::PartEnd { id } => self.close(*id, out),
            Event::Usage(used) => self.used = Some(used.clone()),
            Event::Rest(rest) => self.rest(rest, out),
            Event::Foreign(foreign) => self.foreign(foreign, out),
            Event::Start(_) | Event::Finish(_) | Event::Fault(_) => {}
        }
    }

    fn start(&mut self, start: &Start) {
        let mut once = own(&start.rest, String::new, &mut self.losses).to_vec();
        self.blocked = blocks(&start.rest);
        if let Some(created_at) = start.created.filter(|_| start.rest.get("createTime").is_none()) {
            once.push(("createTime".into(), RawJson::string(&created(created_at))));
        }
        self.tier = told_tier(start.service_tier.as_deref(), &mut self.losses);
        if let Some(tier) = self.tier {
            let mut told = Vec::new();
            JsonWriter::new(&mut told).object(|w| w.string("serviceTier", tier));
            let raw = std::str::from_utf8(&told).ok().and_then(|text| RawJson::parse(text).ok());
            once.extend(raw.map(|raw| ("usageMetadata".into(), raw)));
        }
        let model = start.model.clone().unwrap_or_else(|| self.model.clone());
        self.frames.start(model, start.id.clone(), once);
    }

    fn rest(&mut self, rest: &Rest, out: &mut Vec<u8>) {
        if !own(rest, String::new, &mut self.losses).is_empty() {
            self.blocked |= blocks(rest);
            self.frames.rest(out, rest);
        }
    }

    /// What the dialect itself said of one of the answers goes as it came.
    fn foreign(&mut self, foreign: &Foreign, out: &mut Vec<u8>) {
        if foreign.dialect != DIALECT || foreign.kind != "candidate" {
            return self.losses.dropped(foreign.kind.clone(), "no other dialect has it");
        }
        let index = member(foreign.raw.get(), "index").and_then(|index| index.as_u64()).unwrap_or_default();
        if let Some(answer) = self.answer(u32::try_from(index).unwrap_or_default()) {
            answer.grounded |= member(foreign.raw.get(), "groundingMetadata").is_some();
        }
        self.frames.object(out, |w| w.array("candidates", |w| w.element().raw(&foreign.raw)));
    }

    fn answer(&mut self, candidate: u32) -> Option<&mut Answer> {
        let at = usize::try_from(candidate).ok().filter(|at| *at < ANSWERS_MAX)?;
        while self.answers.len() <= at {
            self.answers.push(Answer::default());
        }
        self.answers.get_mut(at)
    }

    fn open(&mut self, id: PartId, candidate: u32, part: &Part, out: &mut Vec<u8>) {
        if let Some(answer) = self.answer(candidate) {
            answer.begun = true;
        }
        if matches!(part, Part::Refusal(_)) {
            self.losses.near(at(id, candidate).path(), "a refusal is said as text");
        }
        self.parts.push(Held::new(id, candidate, part));
        let last = self.parts.len() - 1;
        self.unsaid(last, part);
        match part {
            Part::Text(text) | Part::Refusal(text) => self.say(last, &text.text, None, out),
            Part::Reasoning(reasoning) => self.say_thoughts(last, reasoning, out),
            Part::Media(Media { source: Source::Inline(data), .. }) => self.sound(last, data, out),
            Part::Media(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => {}
        }
    }

    fn grow(&mut self, id: PartId, delta: &Delta, out: &mut Vec<u8>) {
        let Some(index) = self.parts.iter().position(|held| held.id == id) else { return };
        match self.parts.get_mut(index).map(|held| &mut held.body) {
            Some(Body::Call(call)) => grow_call(call, delta),
            Some(Body::Whole(part)) => grow(part, delta),
            Some(Body::Sound(_)) => self.grow_sound(index, delta, out),
            Some(Body::Words(_)) => self.grow_words(index, delta, out),
            None => {}
        }
    }

    fn grow_sound(&mut self, index: usize, delta: &Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Data(data) => self.sound(index, data, out),
            Delta::Rest(rest) => {
                let place = self.parts.get(index).map(|held| at(held.id, held.candidate));
                own(rest, || place.map(At::path).unwrap_or_default(), &mut self.losses);
            }
            Delta::Opaque { kind, value, .. } => {
                let opaque = Opaque { kind: *kind, value: value.clone() };
                self.unread(index, std::iter::once(&opaque));
            }
            Delta::Whole(whole) => self.unsaid(index, whole),
            Delta::Text(_)
            | Delta::Reasoning { .. }
            | Delta::Summary { .. }
            | Delta::Arguments(_)
            | Delta::Citation(_)
            | Delta::Logprobs(_) => self.misfit(index),
        }
    }

    /// Whether no part before this one, of the same answer and lane, is still open.
    pub(super) fn is_next(&self, index: usize) -> bool {
        let Some(held) = self.parts.get(index) else { return false };
        let (lane, candidate) = (held.lane(), held.candidate);
        let mut before = self.parts.iter().take(index);
        lane.is_none() || before.all(|other| other.candidate != candidate || other.lane() != lane)
    }

    /// Tells a piece of sound.
    fn sound(&mut self, index: usize, data: &str, out: &mut Vec<u8>) {
        let Some(Held { id, candidate, body: Body::Sound(media), .. }) = self.parts.get(index) else {
            return;
        };
        if data.is_empty() {
            return;
        }
        let place = at(*id, *candidate);
        let part = Part::Media(Media { source: Source::Inline(data.to_owned()), ..media.clone() });
        let (frames, candidate) = (&mut self.frames, *candidate);
        answering(&mut self.losses, |scribe| {
            frames.parts(out, candidate, |w| scribe.part(w, &part, place));
        });
    }

    fn close(&mut self, id: PartId, out: &mut Vec<u8>) {
        let Some(index) = self.parts.iter().position(|held| held.id == id) else { return };
        let Some(held) = self.parts.get_mut(index) else { return };
        held.ended = true;
        let (candidate, lane) = (held.candidate, held.lane());
        if lane.is_none() {
            return self.end(index, out);
        }
        // The part, and those that waited for it.
        while let Some(next) = self.parts.iter().position(|h| h.candidate == candidate && h.lane() == lane) {
            self.catch_up(next, out);
            if !self.parts.get(next).is_some_and(|held| held.ended) {
                return;
            }
            self.end(next, out);
        }
    }

    /// Tells what is left of a part that is complete.
    fn end(&mut self, index: usize, out: &mut Vec<u8>) {
        self.end_words(index, out);
        let held = self.parts.remove(index);
        match held.body {
            Body::Words(_) | Body::Sound(_) => {}
            Body::Call(call) => self.part(held.id, held.candidate, &Part::ToolCall(call), out),
            Body::Whole(part) => self.part(held.id, held.candidate, &part, out),
        }
    }

    /// Tells a part that is told whole.
    fn part(&mut self, id: PartId, candidate: u32, part: &Part, out: &mut Vec<u8>) {
        let place = at(id, candidate);
        self.ground(candidate, out);
        if let Some(answer) = self.answer(candidate) {
            answer.calls |= is_call(part);
        }
        let frames = &mut self.frames;
        answering(&mut self.losses, |scribe| match scribe.lack(part, place.of) {
            Some((kind, why)) => scribe.losses.tell(place.path(), kind, why),
            None => frames.parts(out, candidate, |w| scribe.part(w, part, place)),
        });
    }

    /// Tells what grounds the text so far: all of it, for the last word on it counts.
    fn ground(&mut self, candidate: u32, out: &mut Vec<u8>) {
        let answer = usize::try_from(candidate).ok().and_then(|at| self.answers.get_mut(at));
        if let Some(answer) = answer.filter(|answer| answer.ungrounded) {
            answer.ungrounded = false;
            self.frames.candidate(out, candidate, |w| answer.grounds.write(w));
        }
    }

    /// The last piece: why each answer ended, and what was used.
    fn finish(&mut self, finishes: &[Option<Finish>], out: &mut Vec<u8>) {
        let count = finishes.len().max(self.answers.len());
        let mut ends: Vec<_> = (0..count).filter(|at| self.ends(*at, finishes)).collect();
        if ends.is_empty() && !self.blocked {
            ends.push(0);
        }
        if self.used.is_some() {
            self.frames.never("usageMetadata");
        }
        let Self { frames, answers, losses, used, tier, .. } = self;
        frames.object(out, |w| {
            if !ends.is_empty() {
                w.array("candidates", |w| write_ends(w, &ends, finishes, answers, losses));
            }
            if let Some(used) = used {
                w.nested("usageMetadata", |w| usage(w, used, *tier, losses));
            }
        });
        self.frames.finish(out);
    }

    /// Whether the end of an answer is to be told. That of a blocked prompt has been.
    fn ends(&self, at: usize, finishes: &[Option<Finish>]) -> bool {
        let begun = self.answers.get(at).is_some_and(|answer| answer.begun);
        begun || (finishes.get(at).is_some_and(Option::is_some) && !self.blocked)
    }
}

/// Where a part of the stream is.
pub(super) fn at(id: PartId, candidate: u32) -> At {
    let part = usize::try_from(id.0).unwrap_or_default();
    Of::Candidate(usize::try_from(candidate).unwrap_or_default()).part(part)
}

/// The end of each answer of `ends`.
fn write_ends(
    w: &mut JsonWriter<'_>,
    ends: &[usize],
    finishes: &[Option<Finish>],
    answers: &[Answer],
    losses: &mut Losses,
) {
    for at in ends {
        let finish = finishes.get(*at).and_then(Option::as_ref);
        w.element().object(|w| end(w, *at, finish, answers.get(*at), losses));
    }
}

/// The end of one answer. Some clients look for parts in every piece.
fn end(
    w: &mut JsonWriter<'_>,
    at: usize,
    finish: Option<&Finish>,
    answer: Option<&Answer>,
    losses: &mut Losses,
) {
    w.nested("content", |w| {
        w.array("parts", |w| w.element().object(|w| w.string("text", "")));
        w.string("role", "model");
    });
    let calls = answer.is_some_and(|answer| answer.calls);
    w.string("finishReason", &reason(finish, calls, at, losses));
    w.maybe("index", i128::try_from(at).ok(), JsonWriter::number);
    if let Some(answer) = answer.filter(|answer| answer.ungrounded) {
        answer.grounds.write(w);
    }
}

/// Why an answer ended: that is said of each one that is complete.
fn reason<'f>(finish: Option<&'f Finish>, calls: bool, at: usize, losses: &mut Losses) -> Cow<'f, str> {
    let Some(finish) = finish else {
        let path = format!("candidates[{at}].finish");
        losses.tell(path, LossKind::Defaulted, "an answer that is complete says why it ended");
        return "OTHER".into();
    };
    let (word, unsaid) = finish_word(finish, calls);
    finish_losses(finish.sequence.is_some(), unsaid, at, losses);
    word
}
