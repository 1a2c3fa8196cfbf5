//! A call of a tool as a stream tells it.

use shim_ir::{Delta, Part, PartId, ToolCall};
use shim_wire::RawJson;

use super::super::decode::DIALECT;
use super::candidate::Sink;
use crate::DecodeError;

/// A call of a tool.
pub(super) struct Call {
    pub(super) index: Option<u32>,
    pub(super) id: String,
    place: Place,
}

/// Where a call is.
enum Place {
    /// Not told yet: its name has not come.
    Nameless(Box<ToolCall>),
    Open(PartId),
}

impl Call {
    /// A call that begins with `piece`.
    pub(super) fn new(
        index: Option<u32>,
        piece: ToolCall,
        candidate: u32,
        sink: &mut Sink<'_>,
    ) -> Result<Self, DecodeError> {
        let mut call = Self { index, id: piece.id.clone(), place: Place::Nameless(Box::new(piece)) };
        call.open_named(candidate, sink)?;
        Ok(call)
    }

    /// Opens the call once its name is known.
    fn open_named(&mut self, candidate: u32, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        match &mut self.place {
            Place::Nameless(call) if !call.name.is_empty() => {
                let part = Part::ToolCall((**call).clone());
                self.place = Place::Open(sink.open(candidate, part)?);
            }
            Place::Nameless(_) | Place::Open(_) => {}
        }
        Ok(())
    }

    pub(super) fn take(
        &mut self,
        piece: ToolCall,
        candidate: u32,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        match &mut self.place {
            Place::Nameless(call) => gather(call, piece, &mut self.id),
            Place::Open(id) => grow_call(*id, piece, &mut self.id, sink),
        }
        self.open_named(candidate, sink)
    }

    pub(super) fn close(&mut self, candidate: u32, sink: &mut Sink<'_>) {
        let part = match &self.place {
            Place::Open(id) => Some(*id),
            Place::Nameless(call) => sink.open(candidate, Part::ToolCall((**call).clone())).ok(),
        };
        if let Some(id) = part {
            sink.close(id);
        }
    }
}

/// Lets a call grow that is not told yet.
fn gather(call: &mut ToolCall, piece: ToolCall, id: &mut String) {
    call.name.push_str(&piece.name);
    call.arguments.push_str(&piece.arguments);
    call.opaque.extend(piece.opaque);
    call.rest.merge(piece.rest);
    if call.id.is_empty() {
        call.id.clone_from(&piece.id);
        *id = piece.id;
    }
}

/// Lets an open call grow. An id that comes late is kept as a member.
fn grow_call(part: PartId, piece: ToolCall, id: &mut String, sink: &mut Sink<'_>) {
    if !piece.arguments.is_empty() {
        sink.grow(part, Delta::Arguments(piece.arguments));
    }
    for opaque in piece.opaque {
        sink.grow(part, Delta::Opaque { kind: opaque.kind, value: opaque.value, append: false });
    }
    let mut members = piece.rest;
    if id.is_empty() && !piece.id.is_empty() {
        members.push(DIALECT, "id", RawJson::string(&piece.id));
        *id = piece.id;
    }
    sink.add_rest(part, members);
}
