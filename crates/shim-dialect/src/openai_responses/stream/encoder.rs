//! Events → the events of a streamed answer.
//!
//! Source: <https://platform.openai.com/docs/api-reference/responses-streaming> by way of the types and the accumulator
//! of the official Python SDK 3.54.0, read 2026-11-25. Each event names its item; items may be open beside each other, but
//! for calls whose arguments are not complete.

use shim_ir::{Delta, Event, Fault, Finish, Foreign, Loss, Part, PartId, Start, Usage};
use shim_wire::{JsonWriter, Place, RawJson};

use super::super::decode::DIALECT;
use super::super::encode::{
    About, At, Ending, Kind, Losses, Maker, Outcome, Stage, Stand, echoed, envelope, kind, lose_beside,
    lose_part, put_content, put_item, put_message, refuses, verbatim,
};
use super::super::errors;
use super::open::{Numbers, Spot, Told, number};
use super::part::missing_content;
use super::turns::Turns;
use crate::common::each_member;
use crate::{Asker, Encoder};

/// More kinds of events than any dialect has.
const LEFT_OUT_MAX: usize = 64;

/// Writes the events of a streamed answer.
pub(in super::super) struct EventEncoder {
    state: State,
    numbers: Numbers,
    /// The id of the answer, without its prefix.
    answer: String,
    created: u64,
    model: String,
    /// The request, as the answer repeats it.
    echo: Vec<(Box<str>, RawJson)>,
    about: About,
    usage: Option<Usage>,
    /// The parts by their ids.
    told: Vec<Told>,
    items: Vec<Item>,
    turns: Turns,
    /// The message that the next content joins.
    message: Option<usize>,
    /// Number of parts of the first candidate.
    parts: usize,
    /// Number of candidates that were met.
    candidates: u32,
    /// The kinds of events that were left out; each is told of once.
    left_out: Vec<String>,
    losses: Losses,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Answering,
    Ended,
}

/// An item of the output.
struct Item {
    id: Option<String>,
    message: bool,
    /// The numbers of its parts among those told.
    parts: Vec<usize>,
    /// How many of them are open.
    open: usize,
    /// How far it came, once that was told.
    done: Option<Stage>,
}

impl Encoder for EventEncoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        match (self.state, event) {
            (State::Ended, _) => {}
            (_, Event::Fault(fault)) => self.fail(fault, out),
            (State::Waiting, Event::Start(start)) => self.start(start, out),
            (State::Answering, event) => self.answering(event, out),
            // The grammar permits nothing else.
            (State::Waiting, _) => {}
        }
    }

    fn losses(&self) -> &[Loss] {
        self.losses.list()
    }

    fn keep_alive(&self) -> Option<&'static [u8]> {
        Some(b": keep-alive\n\n")
    }
}

impl EventEncoder {
    /// An encoder for the client of `asker`.
    pub(in super::super) fn new(asker: &Asker<'_>) -> Self {
        Self {
            state: State::Waiting,
            numbers: Numbers::default(),
            answer: asker.id.to_owned(),
            created: asker.created,
            model: asker.request.model.clone(),
            echo: echoed(asker.request),
            about: About::default(),
            usage: None,
            told: Vec::new(),
            items: Vec::new(),
            turns: Turns::default(),
            message: None,
            parts: 0,
            candidates: 1,
            left_out: Vec::new(),
            losses: Losses::default(),
        }
    }

    fn start(&mut self, start: &Start, out: &mut Vec<u8>) {
        let maker = Maker { answer: &self.answer, created: self.created, model: &self.model };
        self.about = About::of(start.clone(), &maker, &mut self.losses);
        self.state = State::Answering;
        for kind in ["response.created", "response.in_progress"] {
            self.response(kind, &Outcome::Begun, out);
        }
    }

    fn answering(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.turns.wait(event) {
            return;
        }
        self.tell(event, out);
        while let Some(event) = self.turns.next() {
            self.tell(&event, out);
        }
    }

    fn tell(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.turns.note(event);
        match event {
            Event::PartDelta { id, delta } => self.grow(*id, delta, out),
            Event::PartStart { candidate, part, .. } => self.open(*candidate, part, out),
            Event::PartEnd { id } => self.close(*id, out),
            Event::Usage(usage) => self.usage = Some(usage.clone()),
            Event::Rest(rest) => self.about.add(rest, &mut self.losses),
            Event::Foreign(foreign) => self.foreign(foreign, out),
            Event::Finish(finishes) => self.finish(finishes, out),
            Event::Start(_) | Event::Fault(_) => {}
        }
    }

    /// Tells of the answer as it stands.
    fn response(&mut self, kind: &str, outcome: &Outcome<'_>, out: &mut Vec<u8>) {
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.event(out, kind, |w| {
            w.nested("response", |w| {
                let echo = |w: &mut JsonWriter<'_>| verbatim(w, &self.echo, &[]);
                self.about.put(w, outcome, echo, |w| {
                    for (index, item) in self.items.iter().enumerate() {
                        self.put_item(w.element(), index, item.done.unwrap_or(Stage::Cut));
                    }
                });
            });
        });
        self.numbers = numbers;
    }

    fn stand(&self, index: usize) -> Stand<'_> {
        Stand { answer: &self.answer, index, own: self.about.own }
    }

    /// Writes an item.
    fn put_item(&self, place: Place<'_, '_>, index: usize, stage: Stage) {
        let item = self.items.get(index);
        let parts = || {
            let listed = item.into_iter().flat_map(|item| &item.parts);
            listed.filter_map(|at| self.told.get(*at)).map(|told| &told.part)
        };
        let (Some(item), Some(first)) = (item, parts().next()) else { return place.null() };
        let id = item.id.as_deref();
        if !item.message {
            return put_item(place, first, id, stage, self.stand(index));
        }
        place.object(|w| {
            put_message(w, id.unwrap_or_default(), envelope(first), stage, |w| {
                if stage != Stage::Begun {
                    parts().for_each(|part| put_content(w.element(), part, stage));
                }
            });
        });
    }

    /// Tells that an item begins, or that it is complete.
    fn item(&mut self, index: usize, stage: Stage, out: &mut Vec<u8>) {
        let begun = stage == Stage::Begun;
        let kind = if begun { "response.output_item.added" } else { "response.output_item.done" };
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.event(out, kind, |w| {
            w.number("output_index", number(index));
            self.put_item(w.member("item"), index, stage);
        });
        self.numbers = numbers;
        if let Some(item) = self.items.get_mut(index).filter(|_| !begun) {
            item.done = Some(stage);
        }
    }

    fn open(&mut self, candidate: u32, part: &Part, out: &mut Vec<u8>) {
        if candidate > 0 {
            self.candidates = self.candidates.max(candidate.saturating_add(1));
            return self.told.push(Told::left(usize::MAX));
        }
        let at = self.parts;
        self.parts += 1;
        match kind(part) {
            Kind::Left(_) => {
                let candidate = At::list("candidates", 0);
                lose_part(part, self.about.own, candidate.nth("parts", at), &mut self.losses);
                self.told.push(Told::left(at));
            }
            Kind::Content => self.open_content(at, part, out),
            Kind::Item => self.open_item(at, part, out),
        }
    }

    /// Adds an item of `part`, which is the next to be told.
    fn add_item(&mut self, part: &Part, message: bool) -> usize {
        let index = self.items.len();
        let id = self.stand(index).id(part);
        self.items.push(Item { id, message, parts: vec![self.told.len()], open: 1, done: None });
        index
    }

    /// Content joins the message before it, unless it begins one of its own.
    fn open_content(&mut self, at: usize, part: &Part, out: &mut Vec<u8>) {
        let joined = self.message.filter(|_| envelope(part).is_none());
        let (index, content) = self.place_content(joined, part, out);
        let id = self.items.get(index).and_then(|item| item.id.clone()).unwrap_or_default();
        self.told.push(Told::content(at, part, (index, content), &id));
        if joined.is_none() {
            self.item(index, Stage::Begun, out);
        }
        if let Some(told) = self.told.last_mut() {
            told.begin(&id, &mut self.numbers, out);
        }
    }

    /// Puts content into the message numbered `joined`, or into a new one; gives the number of the message, and its own
    /// in it.
    fn place_content(&mut self, joined: Option<usize>, part: &Part, out: &mut Vec<u8>) -> (usize, usize) {
        let told = self.told.len();
        if let Some(index) = joined
            && let Some(item) = self.items.get_mut(index)
        {
            item.parts.push(told);
            item.open += 1;
            return (index, item.parts.len() - 1);
        }
        self.leave_message(out);
        let index = self.add_item(part, true);
        self.message = Some(index);
        (index, 0)
    }

    fn open_item(&mut self, at: usize, part: &Part, out: &mut Vec<u8>) {
        self.leave_message(out);
        let index = self.add_item(part, false);
        let id = self.items.get(index).and_then(|item| item.id.clone()).unwrap_or_default();
        self.told.push(Told::item(at, part, index, &id));
        self.item(index, Stage::Begun, out);
        if let Some(told) = self.told.last_mut() {
            told.begin(&id, &mut self.numbers, out);
        }
    }

    /// No more content joins the open message; it is complete when its parts are.
    fn leave_message(&mut self, out: &mut Vec<u8>) {
        let left =
            self.message.take().filter(|index| self.items.get(*index).is_some_and(|item| item.open == 0));
        if let Some(index) = left {
            self.item(index, Stage::Done, out);
        }
    }

    fn grow(&mut self, id: PartId, delta: &Delta, out: &mut Vec<u8>) {
        let Some(told) = self.told.get_mut(id.0 as usize) else { return };
        let Some(index) = told.spot.item() else { return };
        if let Delta::Whole(whole) = delta {
            return self.whole(id, whole, out);
        }
        if told.part.grow(delta) {
            let item = self.items.get(index).and_then(|item| item.id.as_deref()).unwrap_or_default();
            told.tell(delta, item, &mut self.numbers, out);
        }
    }

    /// The part as it is in the end: what it adds is told, and where it differs, the events of its end say so.
    fn whole(&mut self, id: PartId, whole: &Part, out: &mut Vec<u8>) {
        let Some(told) = self.told.get(id.0 as usize) else { return };
        let at = told.at;
        let same = std::mem::discriminant(&told.part) == std::mem::discriminant(whole);
        let added = missing_content(&told.part, whole);
        if !same || (added.is_none() && !self.about.own) {
            let candidate = At::list("candidates", 0);
            self.losses.approximated(candidate.nth("parts", at), "its end is not what was told of it before");
        }
        for delta in added.unwrap_or_default() {
            self.grow(id, &delta, out);
        }
        if let Some(told) = self.told.get_mut(id.0 as usize).filter(|_| same) {
            told.part = whole.clone();
        }
    }

    fn close(&mut self, id: PartId, out: &mut Vec<u8>) {
        let Some(told) = self.told.get_mut(id.0 as usize) else { return };
        let Some(index) = told.spot.item() else { return };
        let Some(item) = self.items.get_mut(index) else { return };
        told.end(item.id.as_deref().unwrap_or_default(), &mut self.numbers, out);
        let candidate = At::list("candidates", 0);
        lose_part(&told.part, self.about.own, candidate.nth("parts", told.at), &mut self.losses);
        item.open = item.open.saturating_sub(1);
        let complete = item.open == 0 && self.message != Some(index);
        if complete {
            self.item(index, Stage::Done, out);
        }
    }

    /// An event nobody else has is told again, in its turn.
    fn foreign(&mut self, foreign: &Foreign, out: &mut Vec<u8>) {
        // What stood beside the members that are known belongs to an event that was told already.
        if foreign.dialect != DIALECT || foreign.kind == "beside" {
            if self.left_out.len() < LEFT_OUT_MAX && !self.left_out.contains(&foreign.kind) {
                self.losses.dropped(At::of(&foreign.kind), "no other dialect has it");
                self.left_out.push(foreign.kind.clone());
            }
            return;
        }
        self.numbers.event(out, &foreign.kind, |w| {
            let _ = each_member(foreign.raw.get(), |member| {
                if !matches!(&*member.key, "type" | "sequence_number") {
                    w.raw(&member.key, &member.value.into());
                }
            });
        });
    }

    fn finish(&mut self, finishes: &[Option<Finish>], out: &mut Vec<u8>) {
        let finish = finishes.first().and_then(Option::as_ref);
        let refused = refuses(self.told.iter().filter(|told| told.spot != Spot::Left).map(|told| &told.part));
        let ending = Ending::of(finish, refused, self.about.own);
        ending.lose(finish, self.about.own, &mut self.losses);
        let candidates = usize::try_from(self.candidates).unwrap_or(usize::MAX).max(finishes.len());
        lose_beside(candidates, self.usage.as_ref(), &mut self.losses);
        self.message = None;
        for index in 0..self.items.len() {
            let last = index + 1 == self.items.len();
            if self.items.get(index).is_some_and(|item| item.done.is_none()) {
                self.item(index, if last { ending.stage } else { Stage::Done }, out);
            }
        }
        let kind = if ending.is_incomplete() { "response.incomplete" } else { "response.completed" };
        let usage = self.usage.take();
        self.response(kind, &Outcome::Ended(&ending, usage.as_ref()), out);
        self.state = State::Ended;
    }

    /// The failure as the official SDKs raise it, and behind it as agents read it: OpenAI sends both.
    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        if self.state == State::Waiting {
            self.start(&Start::default(), out);
        }
        out.extend_from_slice(&errors::encode_stream_fault(fault, self.numbers.next()));
        self.response("response.failed", &Outcome::Failed(fault), out);
        self.state = State::Ended;
    }
}
