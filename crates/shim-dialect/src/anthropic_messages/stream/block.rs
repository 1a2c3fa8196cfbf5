//! A block of a streamed answer, from its start to its stop.

use serde_json::value::RawValue;
use shim_ir::{Delta, Event, Foreign, OpaqueKind, Part, PartId, Rest};
use shim_wire::{RawJson, Str};

use super::super::decode::{DIALECT, citation, object, rest, said};
use super::super::types::BlockDelta;
use crate::DecodeError;
use crate::common::each_member;

/// More parts than any answer has.
const PARTS_MAX: u32 = 1 << 16;

/// Where events go, and how many parts were opened.
pub(super) struct Sink<'a> {
    pub(super) out: &'a mut Vec<Event>,
    pub(super) parts: &'a mut u32,
}

impl Sink<'_> {
    pub(super) fn open(&mut self, part: Part) -> Result<PartId, DecodeError> {
        if *self.parts >= PARTS_MAX {
            return Err(DecodeError::shape("index", "more blocks than are allowed"));
        }
        let id = PartId(*self.parts);
        *self.parts += 1;
        self.out.push(Event::PartStart { id, candidate: 0, part });
        Ok(id)
    }

    fn grow(&mut self, id: PartId, delta: Delta) {
        self.out.push(Event::PartDelta { id, delta });
    }

    /// Lets a part grow by `text`, if there is any.
    fn add(&mut self, id: PartId, text: Option<Str<'_>>, delta: impl FnOnce(String) -> Delta) {
        if let Some(text) = said(text) {
            self.grow(id, delta(text));
        }
    }

    fn cite(&mut self, id: PartId, raw: Option<&RawValue>) {
        if let Some(raw) = raw {
            self.grow(id, Delta::Citation(citation(raw)));
        }
    }

    pub(super) fn close(&mut self, id: PartId) {
        self.out.push(Event::PartEnd { id });
    }

    /// Members nobody knows of an event of a block, with the block's number.
    pub(super) fn beside(&mut self, kind: &str, index: Option<u32>, members: &Rest) {
        if members.is_empty() {
            return;
        }
        let mut all = Rest::default();
        let index = index.and_then(|index| RawJson::parse(&index.to_string()).ok());
        index.into_iter().for_each(|index| all.push(DIALECT, "index", index));
        all.merge(members.clone());
        if let Ok(raw) = RawJson::parse(&object(&all)) {
            self.out.push(Event::Foreign(Foreign { dialect: DIALECT, kind: kind.to_owned(), raw }));
        }
    }
}

/// An open block.
pub(super) struct Open {
    pub(super) index: Option<u32>,
    id: PartId,
    grows: Grows,
}

/// How an open block grows, and what of it is told only when it ends.
enum Grows {
    Text,
    /// With its signature: a later one replaces it.
    Reasoning(Option<String>),
    /// With the input it started with, which counts only where no other comes: it is `{}` before the real one.
    Call(Option<String>),
    /// With its members so far, where any came after its start.
    Compaction(Rest, bool),
    /// It comes at once.
    Whole,
}

impl Open {
    /// Opens the part of a block.
    pub(super) fn new(index: Option<u32>, mut part: Part, sink: &mut Sink<'_>) -> Result<Self, DecodeError> {
        let grows = Grows::of(&mut part);
        Ok(Self { index, id: sink.open(part)?, grows })
    }

    /// Takes a delta; false when it is not of this kind of block.
    pub(super) fn take(&mut self, delta: BlockDelta<'_>, sink: &mut Sink<'_>) -> bool {
        let id = self.id;
        match (&mut self.grows, delta.kind.as_deref().unwrap_or_default()) {
            (Grows::Text, "text_delta") => sink.add(id, delta.text, Delta::Text),
            (Grows::Text, "citations_delta") => sink.cite(id, delta.citation),
            (Grows::Reasoning(_), "thinking_delta") => {
                sink.add(id, delta.thinking, |text| Delta::Reasoning { piece: 0, text });
            }
            (Grows::Reasoning(signature), "signature_delta") => {
                *signature = said(delta.signature).or(signature.take());
            }
            (Grows::Call(start), "input_json_delta") => {
                if let Some(json) = said(delta.partial_json) {
                    *start = None;
                    sink.grow(id, Delta::Arguments(json));
                }
            }
            (Grows::Compaction(so_far, grown), "compaction_delta") => {
                *grown = true;
                compact(so_far, delta.content, rest(delta.rest));
                return true;
            }
            _ => return false,
        }
        sink.beside("content_block_delta", self.index, &rest(delta.rest));
        true
    }

    /// Tells what was left for the end, and closes the part.
    pub(super) fn close(self, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        match self.grows {
            Grows::Reasoning(Some(value)) => {
                sink.grow(self.id, Delta::Opaque { kind: OpaqueKind::Signature, value, append: false });
            }
            Grows::Call(Some(json)) => sink.grow(self.id, Delta::Arguments(json)),
            Grows::Compaction(members, true) => {
                let raw = RawJson::parse(&object(&members))?;
                let whole = Part::Foreign(Foreign { dialect: DIALECT, kind: COMPACTION.to_owned(), raw });
                sink.grow(self.id, Delta::Whole(Box::new(whole)));
            }
            Grows::Text
            | Grows::Reasoning(None)
            | Grows::Call(None)
            | Grows::Compaction(_, false)
            | Grows::Whole => {}
        }
        sink.close(self.id);
        Ok(())
    }
}

/// The only foreign block that grows.
const COMPACTION: &str = "compaction";

impl Grows {
    /// How the part of a block grows. Takes out of it what is told when it ends.
    fn of(part: &mut Part) -> Self {
        match part {
            Part::Text(_) => Self::Text,
            Part::Reasoning(reasoning) => {
                let signed = |opaque: &&shim_ir::Opaque| opaque.kind == OpaqueKind::Signature;
                let signature = reasoning.opaque.iter().find(signed).map(|opaque| opaque.value.clone());
                reasoning.opaque.retain(|opaque| opaque.kind != OpaqueKind::Signature);
                Self::Reasoning(signature)
            }
            Part::ToolCall(call) => Self::Call(Some(std::mem::take(&mut call.arguments))),
            Part::Foreign(block) if block.kind == COMPACTION => {
                Self::Compaction(slots(block.raw.get()), false)
            }
            Part::Refusal(_)
            | Part::Media(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => Self::Whole,
        }
    }
}

/// All members of a block, those too that are `null` until a delta fills them: they stay where they are.
fn slots(block: &str) -> Rest {
    let mut slots = Rest::default();
    let _ = each_member(block, |member| slots.push(DIALECT, &member.key, RawJson::from(member.value)));
    slots
}

/// Lets a compaction grow: its text by more text, its other members by later ones.
fn compact(so_far: &mut Rest, content: Option<Str<'_>>, others: Rest) {
    if let Some(more) = content {
        let text = so_far.get("content").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        let mut grown = Rest::default();
        grown.push(DIALECT, "content", RawJson::string(&(text.unwrap_or_default() + &more)));
        so_far.merge(grown);
    }
    so_far.merge(others);
}
