//! Where events go.

use shim_ir::{Delta, Event, Foreign, Part, PartId, Rest};
use shim_wire::RawJson;

use super::super::decode::{DIALECT, object};
use crate::DecodeError;

/// More parts than any answer has.
const PARTS_MAX: u32 = 1 << 16;

/// Where events go, and how many parts were opened.
pub(super) struct Sink<'a> {
    pub(super) out: &'a mut Vec<Event>,
    pub(super) parts: &'a mut u32,
}

impl Sink<'_> {
    pub(super) fn open(&mut self, candidate: u32, part: Part) -> Result<PartId, DecodeError> {
        if *self.parts >= PARTS_MAX {
            return Err(DecodeError::shape("content.parts", "more parts than are allowed"));
        }
        let id = PartId(*self.parts);
        *self.parts += 1;
        self.out.push(Event::PartStart { id, candidate, part });
        Ok(id)
    }

    /// Opens a part and ends it.
    pub(super) fn whole(&mut self, candidate: u32, part: Part) -> Result<(), DecodeError> {
        let id = self.open(candidate, part)?;
        self.close(id);
        Ok(())
    }

    pub(super) fn grow(&mut self, id: PartId, delta: Delta) {
        self.out.push(Event::PartDelta { id, delta });
    }

    pub(super) fn close(&mut self, id: PartId) {
        self.out.push(Event::PartEnd { id });
    }

    /// Members nobody else has, with the number of the candidate they are of.
    pub(super) fn foreign(&mut self, kind: &str, index: u32, members: &Rest) {
        let mut told = Rest::default();
        if let Ok(number) = RawJson::parse(&index.to_string()) {
            told.push(DIALECT, "index", number);
        }
        told.merge(members.clone());
        if let Ok(raw) = RawJson::parse(&object(&told)) {
            self.out.push(Event::Foreign(Foreign { dialect: DIALECT, kind: kind.to_owned(), raw }));
        }
    }
}
