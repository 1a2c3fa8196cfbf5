//! Streamed answers.

mod block;
mod encoder;
mod part;
mod wire;

use serde_json::value::RawValue;
use shim_ir::{Event, Fault, Foreign, Rest, Start};
use shim_wire::frame::Frame;
use shim_wire::{RawJson, Str, from_json};

pub(super) use self::encoder::MessageEncoder;

use self::block::{Open, Sink};
use super::decode::{
    DIALECT, Used, block, content, finish, keep_other, read as read_at, rest, said, service_tier, word,
};
use super::errors;
use super::types::{Message, MessageDelta, StreamEvent};
use crate::common::cut;
use crate::progress::{State, malformed};
use crate::{DecodeError, Decoder};

/// More blocks than are ever open at once.
const OPEN_MAX: usize = 1024;

/// More events nobody knows than come before an answer begins.
const HELD_MAX: usize = 64;

/// Reads the events of a streamed message.
#[derive(Default)]
pub(super) struct MessageDecoder {
    state: State,
    /// Events nobody knows that came before the answer began.
    held: Vec<Foreign>,
    open: Vec<Open>,
    parts: u32,
    used: Used,
    word: Option<String>,
    sequence: Option<String>,
}

/// What a frame is.
enum Read<'a> {
    Nothing,
    Failure(Fault),
    Foreign(Foreign),
    Start(StreamEvent<'a>),
    Piece(Piece, StreamEvent<'a>),
    Stop(StreamEvent<'a>),
}

/// What an event in the middle of an answer is of.
#[derive(Clone, Copy)]
enum Piece {
    BlockStart,
    BlockDelta,
    BlockStop,
    Message,
}

impl Decoder for MessageDecoder {
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
    if frame.data.is_empty() {
        return Ok(Read::Nothing);
    }
    let mut wire: StreamEvent<'_> = match from_json(frame.data) {
        Err(_) if frame.event == Some("error") => return Ok(Read::Failure(errors::told(None, frame.data))),
        read => read?,
    };
    let kind = wire.kind.take().or(frame.event.map(Str::from)).unwrap_or_default();
    Ok(match (&*kind, Piece::of(&kind), wire.error) {
        ("ping", ..) => Read::Nothing,
        ("message_start", ..) => Read::Start(wire),
        ("message_stop", ..) => Read::Stop(wire),
        (_, Some(piece), _) => Read::Piece(piece, wire),
        (_, None, Some(error)) => Read::Failure(errors::told(None, error.get())),
        ("error", None, None) => Read::Failure(errors::told(None, frame.data)),
        (kind, None, None) => Read::Foreign(whole(kind, frame.data)?),
    })
}

impl Piece {
    fn of(kind: &str) -> Option<Self> {
        match kind {
            "content_block_start" => Some(Self::BlockStart),
            "content_block_delta" => Some(Self::BlockDelta),
            "content_block_stop" => Some(Self::BlockStop),
            "message_delta" => Some(Self::Message),
            _ => None,
        }
    }
}

/// An event nobody knows.
fn whole(kind: &str, data: &str) -> Result<Foreign, DecodeError> {
    Ok(Foreign { dialect: DIALECT, kind: kind.to_owned(), raw: RawJson::parse(data)? })
}

impl MessageDecoder {
    fn take(&mut self, read: Read<'_>, data: &str, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        match (self.state, read) {
            (State::Broken | State::Ended, _) | (_, Read::Nothing) => {}
            (_, Read::Failure(fault)) => self.end(Event::Fault(fault), out),
            (State::Waiting, Read::Foreign(event)) => self.hold(event)?,
            (State::Answering, Read::Foreign(event)) => out.push(Event::Foreign(event)),
            (State::Waiting, Read::Start(event)) => self.start(event, out)?,
            // A second answer in one stream is nobody's: the first goes on.
            (State::Answering, Read::Start(_)) => out.push(Event::Foreign(whole("message_start", data)?)),
            (State::Waiting, read @ (Read::Piece(..) | Read::Stop(_))) => {
                self.begin(Start::default(), out);
                self.take(read, data, out)?;
            }
            (State::Answering, Read::Piece(piece, event)) => self.piece(piece, event, data, out)?,
            (State::Answering, Read::Stop(event)) => self.complete(event, out)?,
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
        out.push(Event::Start(start));
        out.extend(self.held.drain(..).map(Event::Foreign));
        self.state = State::Answering;
    }

    /// A `message_start`. Its content is empty with Anthropic; where it is not, it is told first.
    fn start(&mut self, event: StreamEvent<'_>, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        let mut members = rest(event.rest);
        let Some(mut message) = event.message else {
            self.begin(Start { rest: members, ..Start::default() }, out);
            return Ok(());
        };
        let told = message.content.map(content).transpose();
        let told = told.map_err(|error| error.under("message.content"))?;
        members.merge(top(&mut message));
        self.begin(start_of(&mut message, members), out);
        let mut sink = Sink { out, parts: &mut self.parts };
        for part in told.unwrap_or_default() {
            let id = sink.open(part)?;
            sink.close(id);
        }
        self.stop(message.stop_reason, message.stop_sequence);
        self.usage(message.usage, out);
        Ok(())
    }

    fn piece(
        &mut self,
        piece: Piece,
        mut event: StreamEvent<'_>,
        data: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let members = rest(std::mem::take(&mut event.rest));
        let kind = match piece {
            Piece::Message => return self.message_delta(&event, members, out),
            Piece::BlockStart => self.block_start(&event, out).map(|()| "content_block_start")?,
            Piece::BlockDelta => self.block_delta(&event, data, out).map(|()| "content_block_delta")?,
            Piece::BlockStop => self.block_stop(event.index, out).map(|()| "content_block_stop")?,
        };
        Sink { out, parts: &mut self.parts }.beside(kind, event.index, &members);
        Ok(())
    }

    fn block_start(&mut self, event: &StreamEvent<'_>, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        let raw =
            event.content_block.ok_or_else(|| DecodeError::shape(".", "missing field `content_block`"))?;
        let part = block(raw).map_err(|error| error.under("content_block"))?;
        // A block whose end was left out ends where another of its number begins.
        if event.index.is_some() {
            self.block_stop(event.index, out)?;
        }
        if self.open.len() >= OPEN_MAX {
            return Err(DecodeError::shape("index", "more open blocks than are allowed"));
        }
        let mut sink = Sink { out, parts: &mut self.parts };
        self.open.push(Open::new(event.index, part, &mut sink)?);
        Ok(())
    }

    /// A delta of an open block; one that fits none is nobody's.
    fn block_delta(
        &mut self,
        event: &StreamEvent<'_>,
        data: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let raw = event.delta.ok_or_else(|| DecodeError::shape(".", "missing field `delta`"))?;
        let delta = read_at(raw, "delta")?;
        let at = self.place(event.index);
        let mut sink = Sink { out, parts: &mut self.parts };
        let open = at.and_then(|at| self.open.get_mut(at));
        if !open.is_some_and(|open| open.take(delta, &mut sink)) {
            out.push(Event::Foreign(whole("content_block_delta", data)?));
        }
        Ok(())
    }

    fn block_stop(&mut self, index: Option<u32>, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        if let Some(at) = self.place(index) {
            self.open.remove(at).close(&mut Sink { out, parts: &mut self.parts })?;
        }
        Ok(())
    }

    /// Which open block an event is of; without a number, the last.
    fn place(&self, index: Option<u32>) -> Option<usize> {
        match index {
            Some(_) => self.open.iter().position(|open| open.index == index),
            None => self.open.len().checked_sub(1),
        }
    }

    fn message_delta(
        &mut self,
        event: &StreamEvent<'_>,
        mut members: Rest,
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        if let Some(raw) = event.delta {
            let delta: MessageDelta<'_> = read_at(raw, "delta")?;
            members.merge(rest(delta.rest));
            self.stop(delta.stop_reason, delta.stop_sequence);
        }
        if !members.is_empty() {
            out.push(Event::Rest(members));
        }
        self.usage(event.usage, out);
        Ok(())
    }

    fn stop(&mut self, reason: Option<&RawValue>, sequence: Option<Str<'_>>) {
        self.word = reason.and_then(word).or(self.word.take());
        self.sequence = said(sequence).or(self.sequence.take());
    }

    fn usage(&mut self, raw: Option<&RawValue>, out: &mut Vec<Event>) {
        out.extend(raw.and_then(|raw| self.used.take(raw.get())).map(Event::Usage));
    }

    /// A `message_stop`. Bedrock hangs its own measurements on it.
    fn complete(&mut self, event: StreamEvent<'_>, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        let mut sink = Sink { out, parts: &mut self.parts };
        for open in self.open.drain(..) {
            open.close(&mut sink)?;
        }
        let members = rest(event.rest);
        if !members.is_empty() {
            out.push(Event::Rest(members));
        }
        let finish = finish(self.word.take(), self.sequence.take());
        self.end(Event::Finish(vec![finish]), out);
        Ok(())
    }

    /// Tells how the answer ends: nothing comes behind.
    fn end(&mut self, last: Event, out: &mut Vec<Event>) {
        out.push(last);
        self.state = State::Ended;
    }
}

fn start_of(message: &mut Message<'_>, members: Rest) -> Start {
    Start {
        id: said(message.id.take()),
        model: said(message.model.take()),
        created: None,
        service_tier: message.usage.and_then(|raw| service_tier(raw.get())),
        rest: members,
    }
}

/// What is not modelled of the message a stream starts with. That it has no end yet is left out.
fn top(message: &mut Message<'_>) -> Rest {
    for member in ["stop_reason", "stop_sequence", "content", "usage"] {
        message.rest.take(member);
    }
    let mut members = rest(std::mem::take(&mut message.rest));
    keep_other(&mut members, "type", message.kind.take(), "message");
    keep_other(&mut members, "role", message.role.take(), "assistant");
    members
}
