//! Streamed answers.

mod encoder;
mod item;
mod open;
mod part;
mod turns;

use serde_json::value::RawValue;
use shim_ir::{Delta, Event, Fault, Foreign, Rest, Start};
use shim_wire::frame::Frame;
use shim_wire::{RawJson, Str, from_json};

pub(super) use self::encoder::EventEncoder;
use self::item::{Item, id_of};
use self::part::{Grows, Piece, Sink, changed};
use super::decode::{
    DIALECT, annotation, calls_client, content_part, finish, foreign, logprobs, object, output, output_item,
    reason_of, response, string, written,
};
use super::errors;
use super::types::StreamEvent;
use crate::common::{cut, member, tag};
use crate::progress::{State, malformed};
use crate::{DecodeError, Decoder};

/// More items than any answer has.
const ITEMS_MAX: usize = 1 << 14;

/// More events nobody knows than come before an answer begins.
const HELD_MAX: usize = 64;

/// Reads the events of a streamed answer.
#[derive(Default)]
pub(super) struct EventDecoder {
    state: State,
    /// Events nobody knows that came before the answer began.
    held: Vec<Foreign>,
    /// What the answer said of itself when it began.
    start: Start,
    items: Vec<Item>,
    /// Whether an item was told of that is a call the client has to run. It counts although it ends as another: its
    /// beginning was passed on.
    calls: bool,
    parts: u32,
}

/// What a frame is.
#[expect(clippy::large_enum_variant, reason = "it lives on the stack, from one function to the next")]
enum Read<'a> {
    Nothing,
    Failure(Fault),
    Foreign(Foreign),
    /// The answer as it stands at its beginning, and again until the first item comes.
    Begun(&'a RawValue),
    Inside(Inside, StreamEvent<'a>),
    /// The answer as it is in the end.
    Over(&'a RawValue),
}

/// What an event in the middle of an answer tells.
#[derive(Clone, Copy)]
enum Inside {
    ItemAdded,
    ItemDone,
    PartAdded,
    Annotation,
    /// More of a text.
    More(Grows),
    /// All of a text.
    All(Grows),
}

impl Decoder for EventDecoder {
    fn push(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        if matches!(self.state, State::Broken | State::Ended) {
            return Ok(());
        }
        let taken = read(frame).and_then(|read| self.take(read, frame.data, out));
        if taken.is_err() {
            self.state = State::Broken;
        }
        taken
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        match self.state {
            State::Waiting | State::Answering => out.push(Event::Fault(cut())),
            State::Broken => out.push(Event::Fault(malformed())),
            State::Ended => {}
        }
        self.state = State::Ended;
    }
}

fn read(frame: Frame<'_>) -> Result<Read<'_>, DecodeError> {
    if frame.data.is_empty() || frame.data == "[DONE]" {
        return Ok(Read::Nothing);
    }
    let mut wire: StreamEvent<'_> = match from_json(frame.data) {
        Err(_) if frame.event == Some("error") => return Ok(Read::Failure(errors::told(None, frame.data))),
        read => read?,
    };
    let kind = wire.kind.take().or(frame.event.map(Str::from)).unwrap_or_default();
    if let Some(inside) = inside(&kind) {
        wire.kind = Some(kind);
        return Ok(Read::Inside(inside, wire));
    }
    let response = wire.response.ok_or_else(|| DecodeError::shape(".", "missing field `response`"));
    Ok(match (&*kind, wire.error) {
        ("response.created" | "response.queued" | "response.in_progress", _) => Read::Begun(response?),
        ("response.completed" | "response.incomplete", _) => Read::Over(response?),
        ("response.failed", _) => Read::Failure(failed(response?)),
        ("error", None) => Read::Failure(errors::told(None, frame.data)),
        ("error" | "", Some(error)) => Read::Failure(errors::told(None, error.get())),
        // What they tell is told again by the item they are of.
        (
            "response.content_part.done" | "response.reasoning_part.added" | "response.reasoning_part.done",
            _,
        )
        | ("response.reasoning_summary_part.added" | "response.reasoning_summary_part.done", _) => {
            Read::Nothing
        }
        (kind, _) => Read::Foreign(foreign(kind, from_json(frame.data)?)),
    })
}

/// Whether an event of this kind is one in the middle of an answer.
pub(super) fn is_inside(kind: &str) -> bool {
    inside(kind).is_some()
}

/// The events in the middle of an answer that are known.
fn inside(kind: &str) -> Option<Inside> {
    use Inside::{All, Annotation, ItemAdded, ItemDone, More, PartAdded};
    Some(match kind.strip_prefix("response.")? {
        "output_item.added" => ItemAdded,
        "output_item.done" => ItemDone,
        "content_part.added" => PartAdded,
        "output_text.annotation.added" => Annotation,
        "output_text.delta" => More(Grows::Text),
        "output_text.done" => All(Grows::Text),
        "refusal.delta" => More(Grows::Refusal),
        "refusal.done" => All(Grows::Refusal),
        "reasoning_text.delta" => More(Grows::Reasoning),
        "reasoning_text.done" => All(Grows::Reasoning),
        "reasoning_summary_text.delta" => More(Grows::Summary),
        "reasoning_summary_text.done" => All(Grows::Summary),
        "function_call_arguments.delta" => More(Grows::Call("function_call")),
        "function_call_arguments.done" => All(Grows::Call("function_call")),
        "custom_tool_call_input.delta" => More(Grows::Call("custom_tool_call")),
        "custom_tool_call_input.done" => All(Grows::Call("custom_tool_call")),
        "mcp_call_arguments.delta" => More(Grows::Call("mcp_call")),
        "mcp_call_arguments.done" => All(Grows::Call("mcp_call")),
        "code_interpreter_call_code.delta" => More(Grows::Call("code_interpreter_call")),
        "code_interpreter_call_code.done" => All(Grows::Call("code_interpreter_call")),
        "output_audio.delta" => More(Grows::Sound),
        _ => return None,
    })
}

/// The failure a `response` tells of.
fn failed(response: &RawValue) -> Fault {
    errors::told(None, member(response.get(), "error").map_or("{}", |error| error.text()))
}

impl EventDecoder {
    fn take(&mut self, read: Read<'_>, data: &str, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        match (self.state, read) {
            (State::Broken | State::Ended, _) | (_, Read::Nothing) => {}
            (_, Read::Failure(fault)) => {
                out.push(Event::Fault(fault));
                self.state = State::Ended;
            }
            (State::Waiting, Read::Foreign(event)) => self.hold(event)?,
            (State::Answering, Read::Foreign(event)) => out.push(Event::Foreign(event)),
            (State::Waiting, Read::Begun(raw)) => self.begin(start_of(raw)?, out),
            (State::Answering, Read::Begun(raw)) => self.again(raw, out)?,
            (State::Waiting, read @ Read::Inside(..)) => {
                self.begin(Start::default(), out);
                self.take(read, data, out)?;
            }
            (State::Answering, Read::Inside(inside, event)) => self.inside(inside, event, data, out)?,
            (State::Waiting, Read::Over(raw)) => {
                self.begin(start_of(raw)?, out);
                self.over(raw, out)?;
            }
            (State::Answering, Read::Over(raw)) => self.over(raw, out)?,
        }
        Ok(())
    }

    fn hold(&mut self, event: Foreign) -> Result<(), DecodeError> {
        if self.held.len() >= HELD_MAX {
            return Err(DecodeError::shape("type", "more unknown events than are allowed before the answer"));
        }
        self.held.push(event);
        Ok(())
    }

    fn begin(&mut self, start: Start, out: &mut Vec<Event>) {
        self.start = start.clone();
        out.push(Event::Start(start));
        out.extend(self.held.drain(..).map(Event::Foreign));
        self.state = State::Answering;
    }

    /// What an answer says of itself when it has begun already: only what is new.
    fn again(&mut self, raw: &RawValue, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        let now = start_of(raw)?;
        let mut news = changed(&self.start.rest, &now.rest);
        changed_head(&self.start, &now, &mut news);
        if !news.is_empty() {
            self.start.rest.merge(news.clone());
            out.push(Event::Rest(news));
        }
        Ok(())
    }

    fn inside(
        &mut self,
        inside: Inside,
        mut event: StreamEvent<'_>,
        data: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let members = std::mem::take(&mut event.rest).into_owned();
        let known = match inside {
            Inside::ItemAdded => self.item_added(&event, out).map(|()| true)?,
            Inside::ItemDone => self.item_done(&event, out).map(|()| true)?,
            Inside::PartAdded => self.part_added(&event, out)?,
            Inside::Annotation => self.annotation(&event, out),
            Inside::More(grows) => self.text(grows, false, &event, out)?,
            Inside::All(grows) => self.text(grows, true, &event, out)?,
        };
        if !known {
            let kind = event.kind.as_deref().unwrap_or_default();
            out.push(Event::Foreign(foreign(kind, from_json(data)?)));
        } else if let Some(raw) = object(&members).filter(|_| !members.is_empty()) {
            out.push(Event::Foreign(Foreign { dialect: DIALECT, kind: "beside".to_owned(), raw }));
        }
        Ok(())
    }

    /// Which item an event is of: by its number, or by its id, or else the last.
    fn place(&self, event: &StreamEvent<'_>) -> Option<usize> {
        match (event.output_index, &event.item_id) {
            (Some(index), _) => self.items.iter().rposition(|item| item.index == index),
            (None, Some(id)) => self.items.iter().rposition(|item| item.id.as_deref() == Some(id)),
            (None, None) => self.items.len().checked_sub(1),
        }
    }

    /// The number of an item that comes without one.
    fn next_index(&self) -> u64 {
        self.items.last().map_or(0, |last| last.index.saturating_add(1))
    }

    fn push_item(&mut self, item: Item) -> Result<(), DecodeError> {
        if self.items.len() >= ITEMS_MAX {
            return Err(DecodeError::shape("output_index", "more items than are allowed"));
        }
        self.items.push(item);
        Ok(())
    }

    fn item_added(&mut self, event: &StreamEvent<'_>, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        let raw = event.item.ok_or_else(|| DecodeError::shape(".", "missing field `item`"))?;
        let index = event.output_index.unwrap_or_else(|| self.next_index());
        self.calls |= calls_client(raw.get());
        let mut sink = Sink { out, parts: &mut self.parts };
        // An item whose end was left out ends where another of its number begins.
        for item in self.items.iter_mut().filter(|item| item.index == index) {
            item.close(&mut sink)?;
        }
        let item = Item::begin(index, raw, &mut sink)?;
        self.push_item(item)
    }

    fn item_done(&mut self, event: &StreamEvent<'_>, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        let raw = event.item.ok_or_else(|| DecodeError::shape(".", "missing field `item`"))?;
        let index = event.output_index.unwrap_or_else(|| self.next_index());
        let last = output_item(raw, "item")?;
        self.calls |= calls_client(raw.get());
        let id = id_of(raw);
        let place = self.place(event).filter(|_| event.output_index.is_some() || event.item_id.is_some());
        let place = place.or_else(|| self.items.iter().rposition(|item| id.is_some() && item.id == id));
        let mut sink = Sink { out, parts: &mut self.parts };
        match place.and_then(|at| self.items.get_mut(at)) {
            Some(item) if item.is_done() => Ok(()),
            Some(item) => item.end(last, &mut sink),
            None => {
                let mut item = Item::unannounced(index, id);
                item.end(last, &mut sink)?;
                self.push_item(item)
            }
        }
    }

    /// A part of a message begins. One of reasoning is told by its texts.
    fn part_added(&mut self, event: &StreamEvent<'_>, out: &mut Vec<Event>) -> Result<bool, DecodeError> {
        let raw = event.part.ok_or_else(|| DecodeError::shape(".", "missing field `part`"))?;
        if tag(raw.get()).as_deref() == Some("reasoning_text") {
            return Ok(true);
        }
        let part = content_part(raw, "part")?;
        let Some(at) = self.place_or_imply(event, Grows::Text, out)? else { return Ok(false) };
        let mut sink = Sink { out, parts: &mut self.parts };
        let Some(item) = self.items.get_mut(at) else { return Ok(false) };
        item.add(event.content_index.unwrap_or_default(), || part, &mut sink)?;
        Ok(true)
    }

    /// A citation of the text before it.
    fn annotation(&mut self, event: &StreamEvent<'_>, out: &mut Vec<Event>) -> bool {
        let item = self.place(event).and_then(|at| self.items.get_mut(at));
        let mut sink = Sink { out, parts: &mut self.parts };
        let open = item.and_then(|item| item.open_at(event.content_index.unwrap_or_default()));
        match (open, event.annotation) {
            (Some(open), Some(raw)) => open.grow(Delta::Citation(annotation(raw)), &mut sink),
            _ => false,
        }
    }

    /// More of a text, or all of it. False when it is of no item that has such a text.
    fn text(
        &mut self,
        grows: Grows,
        whole: bool,
        event: &StreamEvent<'_>,
        out: &mut Vec<Event>,
    ) -> Result<bool, DecodeError> {
        let text = if whole { all(grows, event) } else { event.delta.and_then(string) };
        let Some(text) = text else { return Ok(false) };
        let Some(place) = self.place_or_imply(event, grows, out)? else { return Ok(false) };
        let Some(item) = self.items.get_mut(place) else { return Ok(false) };
        let at = if grows == Grows::Summary { event.summary_index } else { event.content_index };
        let at = at.unwrap_or_default();
        let mut sink = Sink { out, parts: &mut self.parts };
        let taken = item.take(Piece { grows, at, text, whole }, &mut sink)?;
        if let (false, Some(more), Some(open)) = (whole, event.logprobs.and_then(logprobs), item.open_at(at))
        {
            open.grow(Delta::Logprobs(more), &mut sink);
        }
        Ok(taken)
    }

    /// The item an event is of; one that was never announced begins here, where the event says what it is.
    fn place_or_imply(
        &mut self,
        event: &StreamEvent<'_>,
        grows: Grows,
        out: &mut Vec<Event>,
    ) -> Result<Option<usize>, DecodeError> {
        if let Some(at) = self.place(event) {
            return Ok(Some(at));
        }
        let index = event.output_index.unwrap_or_else(|| self.next_index());
        let id = event.item_id.as_deref().map(str::to_owned);
        let mut sink = Sink { out, parts: &mut self.parts };
        match Item::implied(index, id, grows, &mut sink)? {
            Some(item) => self.push_item(item).map(|()| self.items.len().checked_sub(1)),
            None => Ok(None),
        }
    }

    /// Ends every item as the whole answer has it.
    fn end_items(&mut self, raw: &RawValue, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        let mut sink = Sink { out, parts: &mut self.parts };
        for (at, raw) in output(raw)?.into_iter().enumerate() {
            let last = output_item(raw, &format!("response.output[{at}]"))?;
            self.calls |= calls_client(raw.get());
            let id = id_of(raw);
            let index = u64::try_from(at).unwrap_or(u64::MAX);
            let place = self.items.iter().rposition(|item| item.index == index);
            let place = place.or_else(|| self.items.iter().rposition(|item| id.is_some() && item.id == id));
            match place.and_then(|at| self.items.get_mut(at)) {
                Some(item) if item.is_done() => {}
                Some(item) => item.end(last, &mut sink)?,
                None => Item::unannounced(index, id).end(last, &mut sink)?,
            }
        }
        self.items.iter_mut().try_for_each(|item| item.close(&mut sink))
    }

    /// The answer at its end: what was not told of it is told now.
    fn over(&mut self, raw: &RawValue, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        let mut whole = response(raw)?;
        self.again(raw, out)?;
        self.end_items(raw, out)?;
        out.extend(whole.usage.take().map(Event::Usage));
        let status = member(raw.get(), "status").and_then(|status| status.as_str());
        let finish = finish(status.as_deref(), reason_of(raw).as_deref(), self.calls);
        out.push(Event::Finish(vec![finish]));
        self.state = State::Ended;
        Ok(())
    }
}

/// All of a text, under the name its kind has.
fn all(grows: Grows, event: &StreamEvent<'_>) -> Option<String> {
    let owned = |text: &Option<Str<'_>>| text.as_deref().map(str::to_owned);
    match grows {
        Grows::Text | Grows::Reasoning | Grows::Summary => owned(&event.text),
        Grows::Refusal => owned(&event.refusal),
        Grows::Call("custom_tool_call") => owned(&event.input),
        Grows::Call("code_interpreter_call") => event.code.and_then(string),
        Grows::Call(_) => event.arguments.map(written),
        Grows::Sound => None,
    }
}

/// What an answer says of itself before it says anything.
fn start_of(raw: &RawValue) -> Result<Start, DecodeError> {
    let begun = response(raw)?;
    Ok(Start {
        id: begun.id,
        model: begun.model,
        created: begun.created,
        service_tier: begun.service_tier,
        rest: begun.rest,
    })
}

/// What an answer says differently of itself in the end; the first word stands, and the last is kept beside it.
fn changed_head(before: &Start, now: &Start, news: &mut Rest) {
    let pairs = [
        ("id", &before.id, &now.id),
        ("model", &before.model, &now.model),
        ("service_tier", &before.service_tier, &now.service_tier),
    ];
    for (name, before, now) in pairs {
        if let Some(now) = now.as_ref().filter(|now| before.as_ref() != Some(now)) {
            news.push(DIALECT, name, RawJson::string(now));
        }
    }
}
