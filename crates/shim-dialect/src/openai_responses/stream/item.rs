//! An item of the output as a stream tells it.

use serde_json::value::RawValue;
use shim_ir::{Part, Text};
use shim_wire::RawJson;

use super::super::decode::{call_begun, enclose, envelope, output_item};
use super::part::{Grows, Open, Piece, Sink};
use crate::DecodeError;
use crate::common::member;

/// An item of the output.
pub(super) struct Item {
    pub(super) index: u64,
    pub(super) id: Option<String>,
    shape: Shape,
}

enum Shape {
    /// A message: what it has beside its content, and its parts by the number of the content.
    Message(Option<RawJson>, Vec<(usize, Open)>),
    /// Any other item.
    Single(Box<Open>),
    /// A call whose name has not come, and what it is called with so far.
    Nameless(&'static str, String),
    Done,
}

/// The `id` of an item.
pub(super) fn id_of(item: &RawValue) -> Option<String> {
    let id = member(item.get(), "id")?.as_str()?.into_owned();
    (!id.is_empty()).then_some(id)
}

/// The part that begins as `part`: opaque state is told once, at its end.
fn begun(mut part: Part) -> Part {
    if let Part::Reasoning(reasoning) = &mut part {
        reasoning.opaque.clear();
    }
    part
}

fn is_message(item: &RawValue) -> bool {
    let kind = member(item.get(), "type").and_then(|kind| kind.as_str());
    kind.is_none_or(|kind| kind == "message")
}

impl Item {
    fn new(index: u64, id: Option<String>, shape: Shape) -> Self {
        Self { index, id, shape }
    }

    /// An item that begins as `raw`.
    pub(super) fn begin(index: u64, raw: &RawValue, sink: &mut Sink<'_>) -> Result<Self, DecodeError> {
        let mut parts = output_item(raw, "item")?;
        let shape = if is_message(raw) {
            parts.retain(|part| !matches!(part, Part::Foreign(foreign) if foreign.kind == "message"));
            let opened = parts.into_iter().enumerate().map(|(at, part)| Ok((at, Open::new(part, sink)?)));
            let opened: Vec<_> = opened.collect::<Result<_, DecodeError>>()?;
            // The first part tells of the message.
            Shape::Message(envelope(raw).filter(|_| opened.is_empty()), opened)
        } else {
            match parts.pop() {
                Some(Part::ToolCall(call)) if call.name.is_empty() => Shape::Nameless("", call.arguments),
                Some(part) => Shape::Single(Box::new(Open::new(begun(part), sink)?)),
                None => Shape::Done,
            }
        };
        Ok(Self::new(index, id_of(raw), shape))
    }

    /// An item that was never announced: `grows` says what it is. `None` where it does not.
    pub(super) fn implied(
        index: u64,
        id: Option<String>,
        grows: Grows,
        sink: &mut Sink<'_>,
    ) -> Result<Option<Self>, DecodeError> {
        let shape = match grows {
            Grows::Text | Grows::Refusal => Shape::Message(None, Vec::new()),
            Grows::Reasoning | Grows::Summary => {
                let reasoning = shim_ir::Reasoning { id: id.clone(), ..shim_ir::Reasoning::default() };
                Shape::Single(Box::new(Open::new(Part::Reasoning(reasoning), sink)?))
            }
            Grows::Call(kind) => Shape::Nameless(kind, String::new()),
            Grows::Sound => return Ok(None),
        };
        Ok(Some(Self::new(index, id, shape)))
    }

    /// An item that is told at its end alone.
    pub(super) fn unannounced(index: u64, id: Option<String>) -> Self {
        Self::new(index, id, Shape::Message(None, Vec::new()))
    }

    /// Whether its end was told.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.shape, Shape::Done)
    }

    /// Adds a piece; false when it is of no item like this.
    pub(super) fn take(&mut self, piece: Piece, sink: &mut Sink<'_>) -> Result<bool, DecodeError> {
        match (&mut self.shape, piece.grows) {
            (Shape::Message(..), Grows::Text) => {
                self.add(piece.at, || Part::Text(Text::default()), sink)?;
            }
            (Shape::Message(..), Grows::Refusal) => {
                self.add(piece.at, || Part::Refusal(Text::default()), sink)?;
            }
            (Shape::Nameless(_, so_far), Grows::Call(_)) => {
                so_far.push_str(&added(so_far, &piece));
                return Ok(true);
            }
            (Shape::Done, _) => return Ok(piece.whole),
            (Shape::Message(..) | Shape::Single(_) | Shape::Nameless(..), _) => {}
        }
        Ok(self.open_at(piece.at).is_some_and(|open| open.take(piece, sink)))
    }

    /// The part that is open at `at`, which counts in messages alone.
    pub(super) fn open_at(&mut self, at: usize) -> Option<&mut Open> {
        match &mut self.shape {
            Shape::Message(_, parts) => parts.iter_mut().find(|(own, _)| *own == at).map(|(_, open)| open),
            Shape::Single(open) => Some(open),
            Shape::Nameless(..) | Shape::Done => None,
        }
    }

    /// Opens a part of a message, if there is none at `at`. The first one tells of the message.
    pub(super) fn add(
        &mut self,
        at: usize,
        part: impl FnOnce() -> Part,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        if let Shape::Message(message, parts) = &mut self.shape
            && parts.iter().all(|(own, _)| *own != at)
        {
            let mut part = part();
            enclose(&mut part, message.take());
            parts.push((at, Open::new(part, sink)?));
        }
        Ok(())
    }

    /// Ends the item, which holds `last` in the end.
    pub(super) fn end(&mut self, last: Vec<Part>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let mut opened = self.opened().into_iter();
        for part in last {
            match opened.next() {
                Some(open) => open.end(part, sink),
                None => Open::new(part, sink)?.close(sink),
            };
        }
        for open in opened {
            open.close(sink);
        }
        Ok(())
    }

    /// Takes the open parts out, in the order they were opened.
    fn opened(&mut self) -> Vec<Open> {
        match std::mem::replace(&mut self.shape, Shape::Done) {
            Shape::Message(_, parts) => parts.into_iter().map(|(_, open)| open).collect(),
            Shape::Single(open) => vec![*open],
            Shape::Nameless(..) | Shape::Done => Vec::new(),
        }
    }

    /// Ends the item as it is.
    pub(super) fn close(&mut self, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if let Shape::Nameless(kind, arguments) = &mut self.shape {
            let mut call = call_begun(kind, self.id.clone());
            call.arguments = std::mem::take(arguments);
            self.shape = Shape::Single(Box::new(Open::new(Part::ToolCall(call), sink)?));
        }
        for open in self.opened() {
            open.close(sink);
        }
        Ok(())
    }
}

/// What `piece` adds to `so_far`.
fn added(so_far: &str, piece: &Piece) -> String {
    let text = if piece.whole { piece.text.strip_prefix(so_far) } else { Some(&*piece.text) };
    text.unwrap_or_default().to_owned()
}
