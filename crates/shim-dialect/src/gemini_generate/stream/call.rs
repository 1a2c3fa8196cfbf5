//! A call of a function as a stream tells it: at once, or with its arguments in pieces.
//! Source: `FunctionCall` of the Python SDK's types, and recorded traffic of Vertex AI.

use serde_json::value::RawValue;
use shim_ir::{Delta, Part, PartId, Rest, ToolCall};
use shim_wire::{RawJson, from_json};

use super::super::decode::{DIALECT, listed, read};
use super::super::message::is_name;
use super::super::types::PartialArg;
use super::arguments::Arguments;
use super::sink::Sink;
use crate::DecodeError;

/// Where the pieces of arguments stand in a part.
const PATH: &str = "functionCall.partialArgs";

/// A call, or a piece of one.
pub(super) struct Piece {
    call: ToolCall,
    /// The `partialArgs`.
    partial: Option<RawJson>,
    /// Whether the call goes on in the next piece.
    goes_on: bool,
}

impl Piece {
    /// Takes the members that tell of pieces out of a call.
    pub(super) fn of(mut call: ToolCall) -> Self {
        let mut piece = (None, false);
        let mut left = Rest::default();
        for (key, value) in call.rest.members() {
            match value.get() {
                _ if is_name(key, "partial_args") => piece.0 = Some(value.clone()),
                "true" if is_name(key, "will_continue") => piece.1 = true,
                "false" if is_name(key, "will_continue") => {}
                _ => left.push(DIALECT, key, value.clone()),
            }
        }
        call.rest = left;
        Self { call, partial: piece.0, goes_on: piece.1 }
    }

    /// Whether a call begins here.
    pub(super) fn begins(&self) -> bool {
        !self.call.name.is_empty()
    }

    /// The end of a call has nothing in it.
    fn is_end(&self) -> bool {
        let call = &self.call;
        call.name.is_empty() && call.id.is_empty() && !self.has_arguments() && call.opaque.is_empty()
    }

    fn has_arguments(&self) -> bool {
        self.call.arguments != "{}" || self.partial.is_some()
    }
}

/// A call whose arguments come in pieces.
pub(super) struct Call {
    id: PartId,
    arguments: Arguments,
}

impl Call {
    /// Begins a call; `None` when it is whole, or none at all.
    pub(super) fn begin(
        mut piece: Piece,
        candidate: u32,
        sink: &mut Sink<'_>,
    ) -> Result<Option<Self>, DecodeError> {
        if piece.is_end() {
            return Ok(None);
        }
        if !piece.goes_on && piece.partial.is_none() {
            sink.whole(candidate, Part::ToolCall(piece.call))?;
            return Ok(None);
        }
        let mut call = Self::open(&mut piece.call, candidate, sink)?;
        if call.take(piece, sink)? {
            return Ok(Some(call));
        }
        call.close(sink);
        Ok(None)
    }

    /// Opens a call without its arguments, which are all that is left of it.
    fn open(told: &mut ToolCall, candidate: u32, sink: &mut Sink<'_>) -> Result<Self, DecodeError> {
        let arguments = std::mem::take(&mut told.arguments);
        let id = sink.open(candidate, Part::ToolCall(told.clone()))?;
        told.opaque.clear();
        told.rest = Rest::default();
        told.id.clear();
        told.arguments = arguments;
        Ok(Self { id, arguments: Arguments::default() })
    }

    /// Takes a piece; false when it was the last.
    pub(super) fn take(&mut self, piece: Piece, sink: &mut Sink<'_>) -> Result<bool, DecodeError> {
        let text = self.text_of(&piece)?;
        if !text.is_empty() {
            sink.grow(self.id, Delta::Arguments(text));
        }
        for opaque in piece.call.opaque {
            sink.grow(self.id, Delta::Opaque { kind: opaque.kind, value: opaque.value, append: false });
        }
        let mut members = piece.call.rest;
        if !piece.call.id.is_empty() {
            members.push(DIALECT, "id", RawJson::string(&piece.call.id));
        }
        if !members.is_empty() {
            sink.grow(self.id, Delta::Rest(members));
        }
        Ok(piece.goes_on)
    }

    /// What a piece says of the arguments.
    fn text_of(&mut self, piece: &Piece) -> Result<String, DecodeError> {
        let mut text = String::new();
        if piece.call.arguments != "{}" {
            self.arguments.whole(&piece.call.arguments, &mut text)?;
        }
        if let Some(partial) = &piece.partial {
            self.add(partial, &mut text)?;
        }
        Ok(text)
    }

    fn add(&mut self, partial: &RawJson, text: &mut String) -> Result<(), DecodeError> {
        let raw: &RawValue =
            from_json(partial.get()).map_err(|error| DecodeError::from(error).under(PATH))?;
        for (raw, path) in listed(raw, PATH)? {
            let value: PartialArg<'_> = read(raw, &path)?;
            self.arguments.add(&value, text).map_err(|error| error.under(&path))?;
        }
        Ok(())
    }

    /// Ends the call, and its arguments.
    pub(super) fn close(self, sink: &mut Sink<'_>) {
        let text = self.arguments.finish();
        if !text.is_empty() {
            sink.grow(self.id, Delta::Arguments(text));
        }
        sink.close(self.id);
    }
}
