//! Events → a streamed answer.
//!
//! Blocks come one after the other, each opened when there is something to tell of it. Parts may interleave: where
//! another one has something to tell, the open block ends, but for a call whose arguments are not complete, for which the
//! others wait.
//! Source: <https://platform.claude.com/docs/en/build-with-claude/streaming>, read 2026-11-25.

use shim_ir::{Delta, Event, Fault, Finish, Foreign, Loss, LossKind, Part, PartId, Rest, Start, Usage};

use super::super::decode::DIALECT;
use super::super::encode::{
    Cx, Place, admitted, id_of, is_for_client, lose_ids, members_but, start_usage, stop, usage_members,
};
use super::super::errors;
use super::part::{BETWEEN, Open, Speech};
use super::wire::{Wire, frame, verbatim};
use crate::{Asker, Encoder};

/// The event that keeps an idle connection open.
const PING: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";

/// Writes the events of a streamed message.
pub(crate) struct MessageEncoder {
    state: State,
    /// The exchange's id, from which ids are made.
    id: String,
    /// The model that was asked for.
    model: String,
    /// The parts that have not ended or wait, in the order they were opened.
    parts: Vec<Open>,
    /// How many parts of the answer were opened.
    opened: usize,
    /// How many of them are calls.
    numbered: usize,
    /// Whether the client has a call to run.
    calls: bool,
    refused: bool,
    /// The part whose block is open.
    current: Option<PartId>,
    wire: Wire,
    used: Option<Usage>,
    /// What the last event but one carries beside.
    rest: Rest,
    cx: Cx<'static>,
}

enum State {
    /// Nothing was said yet.
    Waiting,
    /// The answer has begun, and nothing was written: what it used may come first.
    Begun(Box<Start>),
    /// The answer is told.
    Answering,
    /// Finished or failed.
    Ended,
}

impl Encoder for MessageEncoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        match (std::mem::replace(&mut self.state, State::Ended), event) {
            (State::Ended, _) => {}
            (_, Event::Fault(fault)) => self.fail(fault, out),
            (State::Waiting, Event::Start(start)) => self.state = State::Begun(Box::new(start.clone())),
            (State::Waiting, event) => {
                self.begin(&Start::default(), event, out);
                self.take(event, out);
            }
            (State::Begun(start), event) => {
                self.begin(&start, event, out);
                self.take(event, out);
            }
            (State::Answering, event) => {
                self.state = State::Answering;
                self.take(event, out);
            }
        }
    }

    fn losses(&self) -> &[Loss] {
        &self.cx.losses
    }

    fn keep_alive(&self) -> Option<&'static [u8]> {
        Some(PING)
    }
}

impl MessageEncoder {
    pub(crate) fn new(asker: &Asker<'_>) -> Self {
        Self {
            state: State::Waiting,
            id: asker.id.to_owned(),
            model: asker.request.model.clone(),
            parts: Vec::new(),
            opened: 0,
            numbered: 0,
            calls: false,
            refused: false,
            current: None,
            wire: Wire::default(),
            used: None,
            rest: Rest::default(),
            cx: Cx::answering(),
        }
    }

    /// Ends the stream with an error. The state is at its end already.
    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        out.extend_from_slice(&errors::encode_stream_fault(fault));
        self.parts.clear();
    }

    /// A `message_start`. Where the first event tells what was used, it tells so too.
    fn begin(&mut self, start: &Start, first: &Event, out: &mut Vec<u8>) {
        self.state = State::Answering;
        let used = if let Event::Usage(usage) = first { Some(usage) } else { None };
        let (id, cx) = (id_of(start.id.as_deref(), &self.id), &mut self.cx);
        let model = start.model.as_deref().unwrap_or(&self.model);
        frame(out, "message_start", |w| {
            w.nested("message", |w| {
                w.string("id", &id);
                w.string("type", "message");
                w.string("role", "assistant");
                w.string("model", model);
                w.array("content", |_| ());
                w.null("stop_reason");
                w.null("stop_sequence");
                w.nested("usage", |w| start_usage(w, used, start.service_tier.as_deref(), cx));
                members_but(w, cx.own(&start.rest, &""), &["type", "role", "usage"]);
            });
        });
    }

    fn take(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::PartStart { id, candidate: 0, part } => self.open(*id, part, out),
            Event::PartStart { .. } => {
                self.cx.lose_once("candidates[1]", LossKind::Dropped, "there is one answer to a request");
            }
            Event::PartDelta { id, delta } => self.grow(*id, delta, out),
            Event::PartEnd { id } => self.end(*id, out),
            Event::Usage(usage) => self.used = Some(usage.clone()),
            Event::Rest(rest) => self.keep(rest),
            Event::Foreign(foreign) => self.foreign(foreign, out),
            Event::Finish(finishes) => self.finish(finishes.first().and_then(Option::as_ref), out),
            Event::Start(_) | Event::Fault(_) => {}
        }
    }

    fn place(&self, id: PartId) -> Option<usize> {
        self.parts.iter().position(|part| part.id == id)
    }

    fn keep(&mut self, rest: &Rest) {
        if rest.origin() == Some(DIALECT) {
            self.rest.merge(rest.clone());
        } else {
            let kept = self.cx.losses.len();
            self.cx.own(rest, &"");
            // The same members come again in every piece of some dialects.
            let mut told = self.cx.losses.split_off(kept);
            told.retain(|loss| !self.cx.losses.contains(loss));
            self.cx.losses.append(&mut told);
        }
    }

    /// An event nobody knows, of this dialect, goes on as it came.
    fn foreign(&mut self, foreign: &Foreign, out: &mut Vec<u8>) {
        let known = ["message_start", "content_block_start", "content_block_delta", "content_block_stop"];
        if foreign.dialect != DIALECT || known.contains(&&*foreign.kind) {
            self.cx.lose_once(&foreign.kind, LossKind::Dropped, "no other dialect has it");
            return;
        }
        verbatim(out, &foreign.kind, &foreign.raw);
    }

    /// Opens a part; what it holds already is told like what comes later.
    fn open(&mut self, id: PartId, part: &Part, out: &mut Vec<u8>) {
        let place = self.opened;
        self.opened += 1;
        let grows = matches!(part, Part::Text(_) | Part::Reasoning(_));
        if !grows && !admitted(part, Place::Answer(place), &mut self.cx) {
            return;
        }
        lose_ids(part, Place::Answer(place), &mut self.cx);
        self.count(part);
        let Some(open) = Open::new(id, place, part, &self.id, self.numbered) else { return };
        let (at, is_call, held) =
            (self.parts.len(), open.is_untold_call(), open.remaining(part, &mut self.cx));
        self.parts.push(open);
        if is_call && !self.is_busy(id) {
            self.enter(at, out);
        }
        held.iter().for_each(|delta| self.grow(id, delta, out));
        if is_call && self.is_busy(id) {
            self.wait(id, None);
        }
    }

    /// Keeps what of a part the end of the answer, and the ids of calls, depend on.
    fn count(&mut self, part: &Part) {
        self.refused |= matches!(part, Part::Refusal(_));
        self.calls |= is_for_client(part);
        self.numbered += usize::from(matches!(part, Part::ToolCall(_)));
    }

    /// Lets a part grow; it waits where the open block may not end.
    fn grow(&mut self, id: PartId, delta: &Delta, out: &mut Vec<u8>) {
        let Some(at) = self.place(id) else { return };
        let waits = self.parts.get(at).is_some_and(|part| part.waits);
        if waits || self.is_busy(id) {
            return self.wait(id, Some(delta));
        }
        self.tell(at, delta, out);
        self.release(out);
    }

    fn wait(&mut self, id: PartId, delta: Option<&Delta>) {
        if let Some(part) = self.parts.iter_mut().find(|part| part.id == id) {
            part.waits = true;
            part.held.extend(delta.cloned());
        }
    }

    /// Whether the open block is of another part, and may not end.
    fn is_busy(&self, id: PartId) -> bool {
        let of = |part: &&Open| Some(part.id) == self.current;
        self.current != Some(id) && self.parts.iter().find(of).is_some_and(Open::must_go_on)
    }

    /// Tells what a delta says.
    fn tell(&mut self, at: usize, delta: &Delta, out: &mut Vec<u8>) {
        let Some(part) = self.parts.get_mut(at) else { return };
        if let Delta::Whole(whole) = delta
            && !part.is_late()
        {
            let more = part.remaining(whole, &mut self.cx);
            return more.iter().for_each(|delta| self.tell(at, delta, out));
        }
        let Some(speech) = part.hear(delta, &mut self.cx) else { return };
        self.enter(at, out);
        match speech {
            Speech::Text(text) => self.wire.say(text, out),
            Speech::Apart(text) => {
                self.wire.say(BETWEEN, out);
                self.wire.say(text, out);
            }
            Speech::Citation(citation) => self.wire.cite(citation, out),
        }
    }

    /// Makes the block of a part the open one.
    fn enter(&mut self, at: usize, out: &mut Vec<u8>) {
        let id = self.parts.get(at).map(|part| part.id);
        if self.current == id {
            return;
        }
        self.close(out);
        if let Some(part) = self.parts.get_mut(at) {
            part.begin(&mut self.wire, &mut self.cx, out);
            self.current = id;
        }
    }

    /// Closes the open block.
    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(id) = self.current.take() else { return };
        self.wire.stop(out);
        if let Some(part) = self.parts.iter_mut().find(|part| part.id == id) {
            part.interrupt();
        }
    }

    /// A part has ended.
    fn end(&mut self, id: PartId, out: &mut Vec<u8>) {
        let Some(at) = self.place(id) else { return };
        if self.is_busy(id) || self.parts.get(at).is_some_and(|part| part.waits) {
            self.wait(id, None);
            if let Some(part) = self.parts.get_mut(at) {
                part.ended = true;
            }
            return;
        }
        self.complete(at, out);
        self.release(out);
    }

    /// Tells the last of a part.
    fn complete(&mut self, at: usize, out: &mut Vec<u8>) {
        if self.parts.get(at).is_some_and(Open::has_last_words) {
            self.enter(at, out);
        }
        if at >= self.parts.len() {
            return;
        }
        let part = self.parts.remove(at);
        if self.current == Some(part.id) {
            part.last_words(&self.wire, out);
            self.close(out);
        }
        if part.has_postscript() {
            self.close(out);
            part.postscript(&mut self.wire, &mut self.cx, out);
        } else {
            part.unsaid(&mut self.cx);
        }
    }

    /// Tells what waits, as far as the open block lets it.
    fn release(&mut self, out: &mut Vec<u8>) {
        while let Some(at) = self.parts.iter().position(|part| part.waits) {
            let Some(part) = self.parts.get_mut(at) else { return };
            let (id, is_call) = (part.id, part.is_untold_call());
            if self.is_busy(id) {
                return;
            }
            let Some(part) = self.parts.get_mut(at) else { return };
            part.waits = false;
            let (held, ended) = (std::mem::take(&mut part.held), part.ended);
            if is_call {
                self.enter(at, out);
            }
            held.iter().for_each(|delta| self.tell(at, delta, out));
            if ended {
                self.complete(at, out);
            }
        }
    }

    /// A `message_delta` and a `message_stop`.
    fn finish(&mut self, finish: Option<&Finish>, out: &mut Vec<u8>) {
        self.release(out);
        self.close(out);
        self.state = State::Ended;
        let (rest, cx) = (std::mem::take(&mut self.rest), &mut self.cx);
        let (calls, refused) = (self.calls, self.refused);
        let of_delta = |key: &str| matches!(key, "container" | "stop_details");
        frame(out, "message_delta", |w| {
            w.nested("delta", |w| {
                stop(w, finish, calls, refused, cx);
                let inside = rest.members().iter().filter(|(key, _)| of_delta(key));
                inside.for_each(|(key, value)| w.raw(key, value));
            });
            w.nested("usage", |w| usage_members(w, self.used.as_ref(), None, cx));
            let beside = rest.members().iter().filter(|(key, _)| !of_delta(key));
            beside.for_each(|(key, value)| w.raw(key, value));
        });
        frame(out, "message_stop", |_| ());
    }
}
